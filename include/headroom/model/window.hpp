// SPDX-License-Identifier: Apache-2.0
// Covenant windows. A window is the difference of two cumulative sums, which start before the horizon. A ring
// keeps the sums at the last month ends: only of the flows that some test of the entity reads, and only as far
// back as it reads them. The sums are taken modulo 2^32: a sum may overflow 32 bits, a window does not.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// The flows that windows sum, and their bits in a set of flows.
struct WindowRow {
  Money ebitda, interest, principal, cfads, contracted;
};
enum WindowFlow : std::uint32_t {
  kEbitdaFlow = 1U << 0,
  kInterestFlow = 1U << 1,
  kPrincipalFlow = 1U << 2,
  kCfadsFlow = 1U << 3,
  kContractedFlow = 1U << 4,
};
constexpr std::int32_t kWindowFlows = 5;

// Where an owner (an entity, or the group) keeps its sums in a month: a WindowSum for each flow, in the order
// of WindowRow. The flows that nobody reads share one word, so that their windows are 0.
struct WindowMonth {
  std::int32_t now[kWindowFlows], last[kWindowFlows];  // at this month end, and at the last one
  std::int32_t before_3[kWindowFlows], before_12[kWindowFlows];
};

HEADROOM_HD Money add_wrapping(Money a, Money b) {
  return static_cast<Money>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}
HEADROOM_HD Money subtract_wrapping(Money a, Money b) {
  return static_cast<Money>(static_cast<std::uint32_t>(a) - static_cast<std::uint32_t>(b));
}
HEADROOM_HD WindowRow add(const WindowRow& a, const WindowRow& b) {
  return {add_wrapping(a.ebitda, b.ebitda), add_wrapping(a.interest, b.interest),
          add_wrapping(a.principal, b.principal), add_wrapping(a.cfads, b.cfads),
          add_wrapping(a.contracted, b.contracted)};
}
HEADROOM_HD WindowRow subtract(const WindowRow& a, const WindowRow& b) {
  return {subtract_wrapping(a.ebitda, b.ebitda), subtract_wrapping(a.interest, b.interest),
          subtract_wrapping(a.principal, b.principal), subtract_wrapping(a.cfads, b.cfads),
          subtract_wrapping(a.contracted, b.contracted)};
}

// The sums that stand at the given words.
template <class P>
HEADROOM_HD WindowRow sums_at(const StateLayout& l, const std::int32_t (&at)[kWindowFlows], const P& p) {
  return {p.at(l.window, at[0]).sum, p.at(l.window, at[1]).sum, p.at(l.window, at[2]).sum,
          p.at(l.window, at[3]).sum, p.at(l.window, at[4]).sum};
}
template <class P>
HEADROOM_HD void put_sums(const StateLayout& l, const std::int32_t (&at)[kWindowFlows], const WindowRow& row,
                          const P& p) {
  p.at(l.window, at[0]).sum = row.ebitda, p.at(l.window, at[1]).sum = row.interest;
  p.at(l.window, at[2]).sum = row.principal, p.at(l.window, at[3]).sum = row.cfads;
  p.at(l.window, at[4]).sum = row.contracted;
}
// The flows of the last `months` months: 3 or 12.
template <class P>
HEADROOM_HD WindowRow window_of(const StateLayout& l, const WindowMonth& x, std::int32_t months, const P& p) {
  return subtract(sums_at(l, x.now, p), sums_at(l, months == 12 ? x.before_12 : x.before_3, p));
}

}  // namespace headroom
