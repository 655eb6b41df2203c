// Covenant metrics and tests: MODEL.md 6. Headroom is positive where safe, in the metric's unit.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"
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

// What a metric is computed from.
struct MetricInputs {
  WindowRow window;  // sums of the covenant's window
  Real to_annual;    // factor that makes the window a year
  Real debt, cash, liquidity, backlog;
  Real tranche_balance, collateral;  // of the tranche it names, else of all debt
  Real plan_contracted;              // the plan's contracted revenue over the window
};

template <Metric metric>
HEADROOM_HD Real metric_value(const MetricInputs& x) {
  const Real ebitda = static_cast<Real>(x.window.ebitda) * x.to_annual;
  const Real interest = static_cast<Real>(x.window.interest);
  if constexpr (metric == Metric::dscr) {
    return ratio(static_cast<Real>(x.window.cfads), interest + static_cast<Real>(x.window.principal),
                 kRatioCap);
  } else if constexpr (metric == Metric::contract_realization) {
    return ratio(static_cast<Real>(x.window.contracted), x.plan_contracted, kRatioCap);
  } else if constexpr (metric == Metric::leverage) {
    return ratio(x.debt, ebitda, kRatioCap);
  } else if constexpr (metric == Metric::net_leverage) {
    return ratio(x.debt - x.cash, ebitda, kRatioCap);
  } else if constexpr (metric == Metric::interest_coverage) {
    return ratio(static_cast<Real>(x.window.ebitda), interest, kRatioCap);
  } else if constexpr (metric == Metric::liquidity) {
    return x.liquidity;
  } else if constexpr (metric == Metric::ltv) {
    return select(x.tranche_balance > 0.0F, ratio(x.tranche_balance, x.collateral, kRatioCap), 0.0F);
  } else {
    static_assert(metric == Metric::backlog_coverage);
    return ratio(x.backlog, x.tranche_balance, kRatioCap);
  }
}

// Headroom as an integer: fixed point; liquidity in ledger units (scale 1). `sign`: -1 for a maximum, else 1.
HEADROOM_HD std::int32_t headroom_of(Real value, Real threshold, Real sign, Real scale) {
  return round_to_int((value - threshold) * (sign * scale));
}

HEADROOM_HD CovenantState test_covenant(CovenantState state, std::int32_t headroom, std::int32_t month) {
  state.first_breach = select(headroom < 0, min(state.first_breach, month), state.first_breach);
  state.min_headroom = min(state.min_headroom, headroom);
  return state;
}

// What would have made a failed test pass, ledger units: the cash flow, EBITDA or revenue of the window that is
// missing, the liquidity, or the debt that is too much.
template <Metric metric>
HEADROOM_HD Real missing_amount(const MetricInputs& x, Real threshold) {
  const Real ebitda = static_cast<Real>(x.window.ebitda);
  const Real interest = static_cast<Real>(x.window.interest);
  if constexpr (metric == Metric::dscr) {
    return fma(threshold, interest + static_cast<Real>(x.window.principal), -static_cast<Real>(x.window.cfads));
  } else if constexpr (metric == Metric::contract_realization) {
    return fma(threshold, x.plan_contracted, -static_cast<Real>(x.window.contracted));
  } else if constexpr (metric == Metric::leverage) {
    return x.debt / (threshold * x.to_annual) - ebitda;
  } else if constexpr (metric == Metric::net_leverage) {
    return (x.debt - x.cash) / (threshold * x.to_annual) - ebitda;
  } else if constexpr (metric == Metric::interest_coverage) {
    return fma(threshold, interest, -ebitda);
  } else if constexpr (metric == Metric::liquidity) {
    return threshold - x.liquidity;
  } else if constexpr (metric == Metric::ltv) {
    return fma(-threshold, x.collateral, x.tranche_balance);
  } else {
    static_assert(metric == Metric::backlog_coverage);
    return x.tranche_balance - x.backlog / threshold;
  }
}

// Where the amount goes: into the window as cash flow, EBITDA or revenue of the month ("deemed", in every
// window that holds it), or to the lenders; otherwise it only stays in the borrower's account.
template <Metric metric>
HEADROOM_HD WindowRow deemed(Money amount) {
  WindowRow row{};
  if constexpr (metric == Metric::dscr) row.cfads = amount;
  if constexpr (metric == Metric::contract_realization) row.contracted = amount;
  if constexpr (metric == Metric::leverage || metric == Metric::net_leverage ||
                metric == Metric::interest_coverage) {
    row.ebitda = amount;
  }
  return row;
}
HEADROOM_HD constexpr bool repays_debt(Metric metric) {
  return metric == Metric::ltv || metric == Metric::backlog_coverage;
}

// What became of a test.
struct Verdict {
  CovenantState state;
  Money cure, waiver_fee;  // paid by the parent; owed by the entity
};

// Cured where the parent can pay, waived where the lenders agree, else in breach. `cures_left` and
// `waivers_left`: of the whole horizon, 0 in a month that knows none.
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
