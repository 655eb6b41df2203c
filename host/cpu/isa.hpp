// SPDX-License-Identifier: Apache-2.0
// The instruction sets that the lanes were compiled for, and the choice between them.
#pragma once

#include <string>
#include <vector>

#include "host/cpu/lanes.hpp"

namespace headroom {

struct Isa {
  std::string name;  // baseline, avx2, avx512
  BlockFunction run_block;
  FloorFunction draw_floor;
};

// The compiled instruction sets that this processor has, weakest first.
std::vector<std::string> cpu_isas();

// `wanted`: auto (the best of this processor) or a name. Throws std::invalid_argument if this processor lacks
// it.
Isa choose_isa(const std::string& wanted);

}  // namespace headroom
