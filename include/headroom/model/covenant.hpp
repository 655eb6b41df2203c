// SPDX-License-Identifier: Apache-2.0
// Covenant tests: MODEL.md 6. Headroom is in the metric's unit and positive where the test is passed.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/model/metrics.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Headroom as an integer: fixed point for a ratio; ledger units for an amount (scale 1). `sign`: -1 for a
// maximum, else 1.
HEADROOM_HD std::int32_t headroom_of(Real value, Real threshold, Real sign, Real scale) {
  return round_to_int((value - threshold) * (sign * scale));
}

HEADROOM_HD void record_test(std::int32_t headroom, std::int32_t month, auto&& state) {
  state.first_breach = select(headroom < 0, min(state.first_breach, month), state.first_breach);
  state.min_headroom = min(state.min_headroom, headroom);
}

// What a failed test needs and what it may use.
struct Remedies {
  Real missing;               // the amount that would have made the test pass
  Money most;                 // the most that a cure may be
  Money parent_cash;          // above its minimum
  Money waiving;              // owed to the lenders who waive: base of the waiver's fee
  std::int32_t cures_left;    // over the whole horizon; 0 in a month that allows none
  std::int32_t waivers_left;  // likewise
};

// A failed test is cured if the parent can pay, else waived if the lenders grant it, else a breach.
HEADROOM_HD CovenantPayment judge(const Covenant& c, std::int32_t headroom, const Remedies& x, auto&& state) {
  const Money needed = min(max(round_to_int(min(x.missing, 0x1p30F)) + 1, 1), x.most);
  const std::int32_t cures = state.cures, in_row = state.cures_in_row, waivers = state.waivers;
  const std::int32_t allowed = select(cures < x.cures_left, select(in_row < c.cures_in_row, 1, 0), 0);
  const std::int32_t affordable = select(needed <= x.parent_cash, allowed, 0);
  const std::int32_t cured = select(headroom < 0, affordable, 0);
  const std::int32_t waivable = select(waivers < x.waivers_left, 1 - cured, 0);
  const std::int32_t waived = select(headroom < 0, waivable, 0);
  const std::int32_t bad = select(headroom < 0, 1 - cured - waived, 0);
  state.cures = cures + cured;
  state.cures_in_row = cured * (in_row + 1);
  state.waivers = waivers + waived;
  state.months_in_breach = bad * (state.months_in_breach + 1);
  return {cured * needed, waived * round_to_int(static_cast<Real>(x.waiving) * c.waiver_fee_share)};
}

}  // namespace headroom
