#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# readme_output.sh PROGRAM: the output that the README shows is what its first command prints, line by line; only the lines
# of the head that tell backend, seconds and commit may differ. So is what it shows of the ready-made studies.
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command=$(sed -n 's|.*&& ./build/release/headroom \(run .*\)|\1|p' README.md)
[ -n "$command" ]
"$1" $command >"$work/all"
mask='/^  backend /d; /s simulation (/d; s/, headroom [^ ]* (.*)//'
awk '/^```text$/ { shown = 1; next } /^```$/ { if (shown) exit } shown' README.md | sed "$mask" >"$work/shown"
[ -s "$work/shown" ]
sed "$mask" "$work/all" | head -n "$(wc -l <"$work/shown")" >"$work/printed"
diff "$work/shown" "$work/printed"

grep '^sh configs/studies/' README.md >"$work/studies"
while read -r line; do
  HEADROOM=$1 $line --quiet </dev/null | sed 's/, [0-9.]* s simulation//' >"$work/printed"
  awk -v line="$line" '$0 == line { found = 1 } /^```text$/ && found { shown = 1; next } /^```$/ && shown { exit } shown' \
    README.md | sed 's/, [0-9.]* s simulation//' >"$work/shown"
  diff "$work/shown" "$work/printed"
done <"$work/studies"
