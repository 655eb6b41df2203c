#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# CoreWeave: each number of the market, a quarter lower and higher.
exec "${HEADROOM:-headroom}" study configs/coreweave-1q26.toml --tornado \
  --figures "any_breach.24m,default.24m,fcf.total.mean,fcf.total.p5" "$@"
