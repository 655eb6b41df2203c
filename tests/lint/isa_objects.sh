#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# isa_objects.sh OBJECT...: the lanes' objects define no weak symbol. The linker could merge one into the code of
# another instruction set.
nm -C --defined-only "$@" >/dev/null && ! nm -AC --defined-only "$@" | grep -E ' [uvVwW] '
