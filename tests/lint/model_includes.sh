#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The model is plain functions over plain data: it includes itself and these few headers of the language.
! grep -rnE '^ *# *include' include --include='*.hpp' |
  grep -vE '"headroom/|<(bit|cmath|concepts|cstddef|cstdint|limits|type_traits)>'
