// SPDX-License-Identifier: Apache-2.0
// One path on its own, month by month.
#pragma once

#include <cstdint>
#include <vector>

#include "headroom/scenario.hpp"

namespace headroom {

// Figures of the plan's path, besides the observed series, that make_plan() needs.
struct PlanRows {
  std::vector<PlanMonth> market;         // [months]
  std::vector<Money> contracted, cfads;  // [entity][months]
  std::vector<Real> price;               // [gpu_type][months]
};

// The observed series of one path: [series][months]; kFixedMax in a month without a test. If `rows` is given,
// its arrays, sized by the caller, are filled too.
std::vector<std::int32_t> trace_path(const Scenario& scenario, std::uint64_t seed, std::uint64_t path,
                                     PlanRows* rows = nullptr);

}  // namespace headroom
