// SPDX-License-Identifier: Apache-2.0
// One path on its own, month by month.
#pragma once

#include <cstdint>
#include <vector>

#include "headroom/scenario.hpp"

namespace headroom {

// What make_plan() needs of the plan's path beside the observed series.
struct PlanRows {
  std::vector<PlanMonth> market;         // [months]
  std::vector<Money> contracted, cfads;  // [entity][months]
  std::vector<Real> price;               // [gpu_type][months]
};

// The observed series of one path: [series][months]; kFixedMax in a month without a test. The arrays of `rows`,
// where it is given, are sized by the caller and filled.
std::vector<std::int32_t> trace_path(const Scenario& scenario, std::uint64_t seed, std::uint64_t path,
                                     PlanRows* rows = nullptr);

}  // namespace headroom
