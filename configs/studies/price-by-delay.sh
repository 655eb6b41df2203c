#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# CoreWeave: how fast GPU prices fall with age, against later sites.
exec "${HEADROOM:-headroom}" study configs/coreweave-1q26.toml \
  --vary "ageing = market.price.ageing_{young,old}_per_year = *0.5,*1,*1.5,*2" \
  --vary "late = site.*.unplanned_months = +0,+2,+4,+6" \
  --figures "breach.ddtl-4-dscr.24m,any_breach.24m,default.24m,fcf.total.*" "$@"
