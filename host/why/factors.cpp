// SPDX-License-Identifier: Apache-2.0
#include "host/why/factors.hpp"

#include <cstddef>

namespace headroom {

namespace {

struct Group {
  const char* id;
  const char* words;
  std::uint32_t switches, variables;
};

// Lateness is one cause together with what customers may do about it: damages and termination at the long stop
// have no other cause.
constexpr std::uint32_t kOfSites = kDelivery | kCancellation | kOverrun;
constexpr std::uint32_t kOfCustomers = kDefault | kDamages | kTermination | kStepDown | kRenewal | kOptions;
constexpr Group kGroups[] = {
    {"delivery", "late or lost sites", kDelivery | kCancellation | kDamages | kTermination, 0},
    {"cost", "capex overruns", kOverrun, 0},
    {"demand", "demand and supply of GPU hours", kDemand | kRegimes | kJumps | kSupply, kTightnessOnPlan},
    {"price", "GPU rental prices", kAgeing | kLaunches | kPriceCycle, kPriceOnPlan},
    {"default", "customers' defaults", kDefault, 0},
    {"contracts", "re-pricing, renewals and options", kStepDown | kRenewal | kOptions, 0},
    {"pool", "customers on demand", kChurn | kAttrition, 0},
    {"rates", "interest rates", kRates, kShortRateOnPlan},
    {"spread", "credit spreads", kSpread, kSpreadOnPlan},
    {"funding", "shut and frozen funding markets", kFundingWindow | kFundingFreeze, 0},
    {"power", "power prices", kPower, kPowerOnPlan},
};

constexpr bool complete() {
  std::uint32_t once = 0;
  for (const Group& group : kGroups) {
    if ((once & group.switches) != 0) return false;
    once |= group.switches;
  }
  return (once | kDecisions) == kAllSwitches && (once & kDecisions) == 0;
}
static_assert(complete(), "every mechanism of chance belongs to one group");

std::uint32_t all_variables(const std::vector<Cause>& groups) {
  std::uint32_t bits = 0;
  for (const Cause& group : groups) bits |= group.variables;
  return bits;
}

}  // namespace

std::vector<Cause> factor_groups(const Company& company) {
  std::vector<Cause> factors;
  for (const Group& group : kGroups) {
    if ((company.data.parameters.switches & group.switches) != 0)
      factors.push_back({group.id, group.words, group.switches, group.variables});
  }
  return factors;
}

std::vector<Cause> factor_objects(const Company& company) {
  std::vector<Cause> factors;
  const std::uint32_t on = company.data.parameters.switches;
  for (std::size_t i = 0; i < company.sites.size(); ++i) {
    const Site& site = company.data.site[i];
    if (site.running == 0 && (on & site.switches & kOfSites) != 0) {
      factors.push_back({"site." + company.sites[i].id, company.sites[i].label,
                         kOfSites | kDamages | kTermination, 0, static_cast<std::int32_t>(i)});
    }
  }
  for (std::size_t c = 0; c < company.customers.size(); ++c) {
    if ((on & company.data.customer[c].switches & kOfCustomers) != 0) {
      factors.push_back({"customer." + company.customers[c].id, company.customers[c].label, kOfCustomers, 0, -1,
                         static_cast<std::int32_t>(c)});
    }
  }
  return factors;
}

ScenarioData with_on_plan(const ScenarioData& data, const Cause& factor) {
  ScenarioData changed = data;
  if (factor.site >= 0) {
    changed.site[static_cast<std::size_t>(factor.site)].switches = 0;
  } else if (factor.customer >= 0) {
    changed.customer[static_cast<std::size_t>(factor.customer)].switches = 0;
  } else {
    changed.parameters.switches &= ~factor.switches;
    changed.parameters.variables_on_plan |= factor.variables;
  }
  return changed;
}

ScenarioData with_alone(const ScenarioData& data, const std::vector<Cause>& groups, CauseSet random) {
  ScenarioData changed = data;
  for (std::size_t f = 0; f < groups.size(); ++f) {
    if ((random >> f & 1U) != 0) continue;
    changed.parameters.switches &= ~groups[f].switches;
    changed.parameters.variables_on_plan |= groups[f].variables;
  }
  return changed;
}

ScenarioData with_alone(const ScenarioData& data, const std::vector<Cause>& groups, const Cause& object) {
  ScenarioData changed = data;
  changed.parameters.switches &= kDecisions | object.switches;
  changed.parameters.variables_on_plan |= all_variables(groups);
  // A site's lateness reaches its customers' contracts, but nothing else of theirs is random: no other switch
  // is on.
  for (std::size_t i = 0; i < changed.site.size(); ++i) {
    if (static_cast<std::int32_t>(i) != object.site) changed.site[i].switches = 0;
  }
  if (object.customer >= 0) {
    for (std::size_t c = 0; c < changed.customer.size(); ++c) {
      if (static_cast<std::int32_t>(c) != object.customer) changed.customer[c].switches = 0;
    }
  }
  return changed;
}

}  // namespace headroom
