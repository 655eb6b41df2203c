#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang_format.sh CLANG_FORMAT: the sources are laid out as .clang-format says.
find include host cuda bench tests -name '*.[ch]pp' -o -name '*.cu' -o -name '*.cuh' | xargs "$1" --dry-run --Werror
