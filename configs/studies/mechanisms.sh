#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mechanisms.sh coreweave|nebius: what each mechanism of the company's config does to its defaults, in % of paths. A row
# takes out one of them, the last row all: configs/studies/without/. The heads of the configs show this table.
set -e
company=${1:?coreweave or nebius}
shift
here=$(dirname "$0")
case $company in
  coreweave) other=nebius loans="ddtl-3 ddtl-4 ddtl-5" ;;
  nebius) other=coreweave loans=vineland ;;
  *) echo "mechanisms.sh: '$company' is neither coreweave nor nebius" >&2; exit 2 ;;
esac
figures=default.12m,default.24m,default.36m,default.60m
for loan in $loans; do figures=$figures,borrower.$loan.payment_default.60m; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
without=$(ls "$here"/without/*.toml | grep -v "/$other-")
rest=$(for each in $without; do echo --overlay "$each"; done | grep -v /freezes.toml)
stress() {
  "${HEADROOM:-headroom}" stress "$here/../$company-1q26.toml" "$@" --figures "$figures" --csv "$work/csv" >/dev/null
  cat "$work/csv"
}
printf '%-25s %s\n' '' "liquidity default within      payment default in 60 months"
printf '%-25s %s' 'taken out' "   12     24     36     60 months"
for loan in $loans; do printf ' %8s' "$loan"; done
echo
{
  stress $without "$@" | sed 's/,base,/,nothing,/'
  stress $rest "$here/without/freezes.toml" "$@" | grep -v ',base,' | sed 's/,freezes,/,all of these,/'
} | awk -F, -v company="$company-" '
  $1 == "point" { next }
  $4 != last { if (last != "") print row; last = $4; name = $4; sub(company, "", name); gsub("-", " ", name)
               row = sprintf("%-25s", name); n = 0 }
  { row = row sprintf(++n == 5 ? " %15.1f" : n > 5 ? " %8.1f" : " %6.1f", 100 * $5) }
  END { print row }'
