#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# spdx.sh: every source names its licence in one of its first two lines.
set -e
missing=$(find include host cuda tests bench .ci CMakeLists.txt -type f \( -name '*.[ch]pp' -o -name '*.cu' -o -name '*.cuh' -o \
  -name '*.sh' -o -name '*.py' -o -name CMakeLists.txt -o -path '.ci/run' -o -path '.ci/install' \) |
  while read -r file; do head -n 2 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$file"; done)
[ -z "$missing" ] || { echo "no SPDX line in: $missing"; exit 1; }
