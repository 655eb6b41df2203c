#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# heads_output.sh PROGRAM: the tables of mechanisms in the heads of both companies' configs are what the program gives.
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for company in coreweave nebius; do
  HEADROOM=$1 sh configs/studies/mechanisms.sh $company --quiet >"$work/printed"
  lines=$(wc -l <"$work/printed")
  [ "$lines" -gt 5 ]
  sed -n 's/^#   //p' configs/$company-1q26.toml | grep -B1 -A$((lines - 2)) '^taken out ' >"$work/shown"
  diff "$work/shown" "$work/printed"
done
