#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# lanes_vectorise.sh COMPILER [FLAG]...: g++ vectorises every lane loop. A loop that it stops vectorising costs a
# factor of speed, and no test of results would notice.
lanes=host/cpu/lanes.cpp
from=$(grep -n 'void each' $lanes | cut -d: -f1)
to=$(grep -n 'void observe' $lanes | cut -d: -f1)
"$@" -std=c++20 -O3 -Iinclude -I. -DHEADROOM_ISA=avx2 -S -o /dev/null $lanes -fopt-info-vec-all 2>&1 |
  awk -F: -v lanes=$lanes -v from="$from" -v to="$to" '
    $1 != lanes || $2 <= from || $2 >= to { next }
    /loop vectorized/ { done++ }
    /vectorize loop/ { missed++ }
    END {
      print done + 0, "lane loops vectorised,", missed + 0, "not"
      exit !(done > 0 && missed == 0)
    }'
