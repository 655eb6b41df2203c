#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lakeside: the GPUs of hall 2 with a weak customer instead of a strong one.
exec "${HEADROOM:-headroom}" study configs/lakeside-template.toml \
  --list configs/studies/customer-concentration.csv --figures "breach.dscr.60m,default.60m,fcf.total.*" "$@"
