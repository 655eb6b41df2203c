// The CPU backend: blocks of paths as structure of arrays, threads over blocks, the best instruction set at run
// time.
#pragma once

#include <string>
#include <vector>

#include "host/config/company.hpp"
#include "host/engine.hpp"

namespace headroom {

// Instruction sets compiled in that this processor has, weakest first: baseline, avx2, avx512.
std::vector<std::string> cpu_isas();

// Rolls the plan (every switch off) and leaves in `data` what later paths are measured against: the plan's
// contracted revenue, supply and utilisation by month.
void make_plan(ScenarioData& data);

}  // namespace headroom
