// SPDX-License-Identifier: Apache-2.0
// What can be put on plan to see why something happened: groups of mechanisms with the variables that they
// move, and single sites and customers. The groups hold every mechanism of chance once, so with all groups on
// plan nothing is random. Decisions are not factors: they are taken in every world as in the run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "headroom/scenario.hpp"
#include "host/config/company.hpp"
#include "host/engine/scenario_data.hpp"

namespace headroom {

struct Cause {
  std::string id;                         // delivery; site.denton; customer.openai
  std::string words;                      // late and lost sites
  std::uint32_t switches = 0;             // Switch bits that go with it
  std::uint32_t variables = 0;            // Variable bits
  std::int32_t site = -1, customer = -1;  // >= 0: of this object alone
};

// The groups, in the order of the bits of a CauseSet. Groups without a mechanism that is switched on are left
// out.
using CauseSet = std::uint32_t;
std::vector<Cause> factor_groups(const Company& company);

// The sites and customers of which something is random.
std::vector<Cause> factor_objects(const Company& company);

// The company with one factor on plan and all else as it is. `data`: with its plan, see make_plan().
ScenarioData with_on_plan(const ScenarioData& data, const Cause& factor);
// The company with these groups as they are and all other groups on plan.
ScenarioData with_alone(const ScenarioData& data, const std::vector<Cause>& groups, CauseSet random);
// The company with one site or customer as it is, and all else on plan.
ScenarioData with_alone(const ScenarioData& data, const std::vector<Cause>& groups, const Cause& object);

}  // namespace headroom
