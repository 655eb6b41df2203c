#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lakeside: SOFR against the margin of its loan.
exec "${HEADROOM:-headroom}" study configs/lakeside-template.toml \
  --vary "sofr = market.rates.forward[*].rate_per_year = +-0.01:+0.03:5" \
  --vary "spread = tranche.senior-loan.spread_per_year = +-0.01:+0.02:4" \
  --figures "breach.dscr.60m,default.60m,fcf.total.*" "$@"
