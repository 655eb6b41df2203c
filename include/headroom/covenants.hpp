// SPDX-License-Identifier: Apache-2.0
// Covenant tests: MODEL.md 6. Headroom is in the metric's unit and positive where the test is passed.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/metrics.hpp"
#include "headroom/operations.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Modulo 2^32: see window_row().
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

// Headroom as an integer: fixed point for a ratio; ledger units for an amount (scale 1). `sign`: -1 for a
// maximum, else 1.
HEADROOM_HD std::int32_t headroom_of(Real value, Real threshold, Real sign, Real scale) {
  return round_to_int((value - threshold) * (sign * scale));
}

HEADROOM_HD CovenantState test_covenant(CovenantState state, std::int32_t headroom, std::int32_t month) {
  state.first_breach = select(headroom < 0, min(state.first_breach, month), state.first_breach);
  state.min_headroom = min(state.min_headroom, headroom);
  return state;
}

// The result of a test.
struct Verdict {
  CovenantState state;
  Money cure, waiver_fee;  // paid by the parent; owed by the entity
};

// A failed test is cured if the parent can pay, else waived if the lenders grant it, else a breach.
// `cures_left` and `waivers_left` count over the whole horizon; they are 0 in a month that allows none.
HEADROOM_HD Verdict judge(const Covenant& c, CovenantState state, std::int32_t headroom, Real missing,
                          Money parent_cash, Money debt, Money most, std::int32_t cures_left,
                          std::int32_t waivers_left) {
  Verdict v{};
  const Money needed = min(max(round_to_int(min(missing, 0x1p30F)) + 1, 1), most);
  const std::int32_t allowed =
      select(state.cures < cures_left, select(state.cures_in_row < c.cures_in_row, 1, 0), 0);
  const std::int32_t affordable = select(needed <= parent_cash, allowed, 0);
  const std::int32_t cured = select(headroom < 0, affordable, 0);
  const std::int32_t waivable = select(state.waivers < waivers_left, 1 - cured, 0);
  const std::int32_t waived = select(headroom < 0, waivable, 0);
  const std::int32_t bad = select(headroom < 0, 1 - cured - waived, 0);
  v.cure = cured * needed;
  v.waiver_fee = waived * round_to_int(static_cast<Real>(debt) * c.waiver_fee_share);
  state.cures += cured;
  state.cures_in_row = cured * (state.cures_in_row + 1);
  state.waivers += waived;
  v.state = state;
  v.state.months_in_breach = bad * (state.months_in_breach + 1);
  return v;
}

}  // namespace headroom
