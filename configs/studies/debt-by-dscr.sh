#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lakeside: the largest loan that holds each DSCR.
exec "${HEADROOM:-headroom}" solve configs/lakeside-template.toml \
  --find "tranche.senior-loan.undrawn_musd = 50:540" \
  --frontier "dscr = covenant.dscr.thresholds[*].value = 1.0,1.1,1.2,1.3,1.4" \
  --gate "breach.dscr.60m <= 12%" "$@"
