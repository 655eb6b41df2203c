#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# circles.sh FOLDER...: by the #include lines of these folders, no file reaches itself, and no folder reaches itself
# by way of another. Prints a circle where there is one.
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One line an include: the including file and the included one, as seen from the source folder.
find "$@" -name '*.[ch]pp' -o -name '*.cu' -o -name '*.cuh' | sort |
  xargs awk -F'"' '/^ *# *include *"/ { print FILENAME, ($2 ~ /^headroom\// ? "include/" : "") $2 }' >"$work/files"
test -s "$work/files"

# The same of their folders. A header that CMake writes has no folder.
awk '{ from = $1; to = $2; sub("/[^/]*$", "", from); sub("/[^/]*$", "", to) }
     to ~ "[.]" || from == to { next }
     { print from, to }' "$work/files" >"$work/folders"

# tsort fails where there is a circle, and prints its members in order.
for kind in files folders; do
  if ! tsort "$work/$kind" >/dev/null 2>"$work/loops"; then
    failed=1
    echo "$kind in a circle, each including the next and the last the first:"
    sed -n 's/^tsort: \([^ ]*\)$/  \1/p; s/^tsort: .*contains a loop:$/  --/p' "$work/loops"
  fi
done
test -z "$failed"
