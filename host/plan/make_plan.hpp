// SPDX-License-Identifier: Apache-2.0
// The deterministic plan that paths are measured against.
#pragma once

#include "host/engine/scenario_data.hpp"

namespace headroom {

// Rolls the plan (every switch off) and leaves in `data` what later paths need of it: contracted revenue,
// the market and GPU prices by month, and the repayments of sculpted loans.
void make_plan(ScenarioData& data);

}  // namespace headroom
