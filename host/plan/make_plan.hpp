// SPDX-License-Identifier: Apache-2.0
// The deterministic plan, the reference for all paths.
#pragma once

#include "host/engine/scenario_data.hpp"

namespace headroom {

// Runs the plan (every switch off) and stores in `data` the figures that later paths need: contracted
// revenue, the market and GPU prices by month, and the repayments of sculpted loans.
void make_plan(ScenarioData& data);

}  // namespace headroom
