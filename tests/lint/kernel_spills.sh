#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kernel_spills.sh NVCC [FLAG]...: the path kernel takes at most the registers that 32 warps of a multiprocessor have,
# and spills little more than what was measured to pay (bench/NOTES.md).
"$@" -std=c++20 -O3 -Iinclude -I. -gencode=arch=compute_80,code=sm_80 -gencode=arch=compute_90,code=sm_90 --threads=2 \
  -Xptxas=-v -fatbin -o /dev/null cuda/simulate.cu 2>&1 | awk '
    /error/
    /bytes stack frame/ { print ++kernels, $0; few += $5 <= 360 && $9 <= 480 }
    /Used [0-9]+ registers/ { print; slim += $5 <= 64 }
    END { exit !(kernels == 2 && few == 2 && slim == 2) }'
