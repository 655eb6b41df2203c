#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kernel_spills.sh NVCC [FLAG]...: the path kernel keeps its registers. A kernel that spills reads and writes memory
# needlessly, thousands of times a path.
"$@" -std=c++20 -O3 -Iinclude -I. -gencode=arch=compute_80,code=sm_80 -gencode=arch=compute_90,code=sm_90 --threads=2 \
  -Xptxas=-v -fatbin -o /dev/null cuda/simulate.cu 2>&1 | awk '
    /error/
    /bytes stack frame/ { print ++kernels, $0 }
    / 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads/ { clean++ }
    /Used [0-9]+ registers/ { print }
    END { exit !(kernels == 2 && clean == 2) }'
