// SPDX-License-Identifier: Apache-2.0
#include "host/plan/make_plan.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "headroom/model/tranche.hpp"
#include "host/cpu/trace.hpp"

namespace headroom {

namespace {

// Debt service in proportion to the plan's CFADS: principal = k CFADS - interest, with the k that repays the
// loan by its end. Interest is at plan rates. After the horizon, CFADS is the mean of its last twelve months.
void sculpt(const Scenario& s, const Tranche& d, const std::vector<Money>& cfads,
            std::vector<Real>& repayment) {
  const auto cfads_of = [&](std::int32_t month) {
    const auto at = [&](std::int32_t m) {
      return std::max(0.0, static_cast<double>(cfads[static_cast<std::size_t>(d.entity * s.months + m - 1)]));
    };
    if (month <= s.months) return at(month);
    double sum = 0;
    const std::int32_t first = std::max(1, s.months - 11);
    for (std::int32_t m = first; m <= s.months; ++m) sum += at(m);
    return sum / (s.months - first + 1);
  };
  const auto rate_of = [&](std::int32_t month) {
    const CouponTerms terms = coupon_terms(s, d, month);
    const Real short_rate = s.month[std::min(month, s.months) - 1].rate_base;
    TrancheState state{};
    state.spread = d.spread;
    return static_cast<double>(coupon_of(terms, short_rate, state)) / 12.0;
  };
  const std::int32_t first = std::max(1, d.amortisation_start);
  double worth = 0, discount = 1;  // present value of CFADS at the start of the amortisation
  for (std::int32_t m = first; m <= d.amortisation_end; ++m) {
    discount /= 1.0 + rate_of(m);
    worth += cfads_of(m) * discount;
  }
  if (worth <= 0) return;  // no CFADS to follow: level
  double balance = 1;
  for (std::int32_t m = first; m <= std::min(d.amortisation_end, s.months); ++m) {
    const double principal = std::clamp(cfads_of(m) / worth - rate_of(m) * balance, 0.0, balance);
    const double divisor = principal > 0 ? balance / principal : 0.0;
    repayment[static_cast<std::size_t>(d.first_repayment + m - 1)] =
        m == d.amortisation_end ? 1.0F : static_cast<Real>(divisor);
    balance -= principal;
  }
}

}  // namespace

void make_plan(ScenarioData& data) {
  Scenario scenario = data.view();
  scenario.switches = 0;
  scenario.has_plan = 0;
  const auto months = static_cast<std::size_t>(scenario.months);
  const auto by_entity = months * static_cast<std::size_t>(scenario.entity.size);
  PlanRows plan{.market = std::vector<PlanMonth>(months),
                .contracted = std::vector<Money>(by_entity),
                .cfads = std::vector<Money>(by_entity),
                .price = std::vector<Real>(months * static_cast<std::size_t>(scenario.gpu_type.size))};
  trace_path(scenario, 0, 0, &plan);
  for (const Tranche& each : data.tranche) {
    if (each.sculpted != 0) sculpt(scenario, each, plan.cfads, data.repayment);
  }
  data.plan = std::move(plan.market);
  data.plan_contracted = std::move(plan.contracted);
  data.plan_price = std::move(plan.price);
  data.parameters.has_plan = 1;
}

}  // namespace headroom
