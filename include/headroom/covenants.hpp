// Covenant metrics and tests: MODEL.md 6. Headroom is positive where safe, in the metric's unit.
#pragma once

#include "headroom/capital.hpp"

namespace headroom {

HEADROOM_HD WindowRow add(const WindowRow& a, const WindowRow& b) {
  return {a.ebitda + b.ebitda, a.interest + b.interest, a.principal + b.principal, a.cfads + b.cfads,
          a.contracted + b.contracted};
}
HEADROOM_HD WindowRow subtract(const WindowRow& a, const WindowRow& b) {
  return {a.ebitda - b.ebitda, a.interest - b.interest, a.principal - b.principal, a.cfads - b.cfads,
          a.contracted - b.contracted};
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

}  // namespace headroom
