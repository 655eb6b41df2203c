// SPDX-License-Identifier: Apache-2.0
// Mechanisms that can be put on plan. On plan, a mechanism's own normals are zero, its delays at their
// median, its uniforms 1/2, and its thresholds are never reached. A mechanism without draws of its own
// (supply, attrition) follows the plan's path; damages are not charged. The plan itself is the path with
// every switch off.
#pragma once

#include <cstdint>

#include "headroom/table.hpp"

namespace headroom {

// A decision is something that people do; switched off, it is not done. Everything else is chance.
enum class Actor : std::int32_t { chance, decision };

// Columns: switch, key in the config's [switches], words, actor. A row's position is its bit.
#define HEADROOM_SWITCHES(X)                                                                             \
  X(kDemand, "demand", "demand shocks and growth uncertainty", chance)                                   \
  X(kRegimes, "regimes", "changes of the demand regime", chance)                                         \
  X(kJumps, "jumps", "demand jumps", chance)                                                             \
  X(kSupply, "supply", "lagged supply response", chance)                                                 \
  X(kAgeing, "ageing", "uncertain ageing rate of GPU prices", chance)                                    \
  X(kLaunches, "launches", "random launch dates of newer GPU types", chance)                             \
  X(kPriceCycle, "price_cycle", "price shocks", chance)                                                  \
  X(kDelivery, "delivery", "delays of stages and of commissioning", chance)                              \
  X(kOverrun, "overrun", "capex overrun", chance)                                                        \
  X(kCancellation, "cancellation", "sites that never open", chance)                                      \
  X(kRates, "rates", "short-rate shocks", chance)                                                        \
  X(kSpread, "spread", "shocks of new credit spreads", chance)                                           \
  X(kPower, "power", "power-price shocks", chance)                                                       \
  X(kFundingWindow, "funding_window", "months in which the primary market is shut", chance)              \
  X(kFundingFreeze, "funding_freeze", "freezes of AI funding", chance)                                   \
  X(kChurn, "churn", "churn state of customers on demand", chance)                                       \
  X(kDefault, "default", "default of customers", chance)                                                 \
  X(kDamages, "damages", "delay damages", chance)                                                        \
  X(kTermination, "termination", "termination at the long stop", chance)                                 \
  X(kStepDown, "step_down", "re-pricing towards the market", chance)                                     \
  X(kRenewal, "renewal", "random renewal at expiry", chance)                                             \
  X(kOptions, "options", "random exercise of customers' options", chance)                                \
  X(kAttrition, "attrition", "attrition and bookings on demand", chance)                                 \
  X(kCures, "cures", "equity cures and waivers", decision)                                               \
  X(kConsequences, "consequences", "what an uncured breach sets off", decision)                          \
  X(kDiscretion, "discretion", "discretionary sites are not ordered while liquidity is short", decision) \
  X(kEquity, "equity_issue", "shares are sold before a default", decision)

namespace detail {
#define HEADROOM_ROW(bit, name, label, actor) bit##Place,
enum SwitchPlace : std::uint32_t { HEADROOM_SWITCHES(HEADROOM_ROW) kSwitchPlaces };
#undef HEADROOM_ROW
}  // namespace detail

#define HEADROOM_ROW(bit, name, label, actor) bit = 1U << detail::bit##Place,
enum Switch : std::uint32_t { HEADROOM_SWITCHES(HEADROOM_ROW) };
#undef HEADROOM_ROW
constexpr std::uint32_t kSwitchCount = detail::kSwitchPlaces;
static_assert(kSwitchCount < 32);
constexpr std::uint32_t kAllSwitches = (1U << kSwitchCount) - 1;

struct SwitchTraits {
  Switch bit;
  const char* name;  // key in the config
  const char* label;
  Actor actor;
};
#define HEADROOM_ROW(bit, name, label, actor) {bit, name, label, Actor::actor},
inline constexpr SwitchTraits kSwitchTable[] = {HEADROOM_SWITCHES(HEADROOM_ROW)};
#undef HEADROOM_ROW

constexpr std::uint32_t kDecisions = [] {
  std::uint32_t bits = 0;
  for (const SwitchTraits& each : kSwitchTable) bits |= each.actor == Actor::decision ? each.bit : 0U;
  return bits;
}();
static_assert(well_named(kSwitchTable));

#undef HEADROOM_SWITCHES

}  // namespace headroom
