#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# headers.sh COMPILER FLAG...: every header of the host compiles alone, so that it includes what it uses.
find include host cuda -name '*.hpp' |
  xargs -P 2 -I {} "$@" -std=c++20 -fsyntax-only -w -x c++ {}
