#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Only include/headroom/hd.hpp asks which compiler is at work.
! grep -rln __CUDACC__ include host cuda bench tests --include='*.[ch]pp' --include='*.cu' --include='*.cuh' |
  grep -vFx include/headroom/hd.hpp
