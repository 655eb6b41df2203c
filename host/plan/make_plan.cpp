// SPDX-License-Identifier: Apache-2.0
#include "host/plan/make_plan.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "headroom/model/tranche.hpp"
#include "host/cpu/trace.hpp"
#include "host/engine/opening.hpp"

namespace headroom {

namespace {

// Debt service in proportion to the plan's CFADS, at plan rates: principal = k CFADS - interest, at least 0,
// with the least k that repays the loan by its end. `s` ends with the loan, or after kMaxMonths; CFADS after
// that is the mean of its last twelve months. Writes the divisors of the first `months` months.
void sculpt(const Scenario& s, const Tranche& d, const std::vector<Money>& cfads, std::int32_t months,
            Real* divisor) {
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
  struct Payment {
    double cfads, rate;
  };
  std::vector<Payment> payments;
  const std::int32_t first = std::max(1, d.amortisation_start);
  double all = 0;
  for (std::int32_t m = first; m <= d.amortisation_end; ++m) {
    payments.push_back({cfads_of(m), rate_of(m)});
    all += payments.back().cfads;
  }
  if (all <= 0) return;  // no CFADS to follow: level
  const auto principal = [](const Payment& p, double k, double balance) {
    return std::clamp(k * p.cfads - p.rate * balance, 0.0, balance);
  };
  const auto repays = [&](double k) {
    double balance = 1;
    for (const Payment& p : payments) balance -= principal(p, k, balance);
    return balance <= 0;
  };
  double low = 0, high = 1 / all;
  while (!repays(high)) low = high, high *= 2;
  for (int step = 0; step < 60; ++step) {
    const double middle = 0.5 * (low + high);
    (repays(middle) ? high : low) = middle;
  }
  double balance = 1;
  for (std::int32_t m = first; m <= std::min(d.amortisation_end, months); ++m) {
    const double paid = principal(payments[static_cast<std::size_t>(m - first)], high, balance);
    divisor[m - 1] = m == d.amortisation_end ? 1.0F : paid > 0 ? static_cast<Real>(balance / paid) : 0.0F;
    balance -= paid;
  }
}

PlanRows rows_of(const Scenario& s) {
  const auto months = static_cast<std::size_t>(s.months);
  const auto by_entity = months * static_cast<std::size_t>(s.entity.size);
  return {.market = std::vector<PlanMonth>(months),
          .contracted = std::vector<Money>(by_entity),
          .cfads = std::vector<Money>(by_entity),
          .price = std::vector<Real>(months * static_cast<std::size_t>(s.gpu_type.size))};
}

// These sites never open and cost nothing more.
void leave_out(const std::vector<std::int32_t>& without, std::vector<Site>& sites) {
  for (const std::int32_t i : without) {
    Site& site = sites[static_cast<std::size_t>(i)];
    site.plan_ready_month = site.plan_delivery_month = 0.5F * kNeverReal;
    site.capex = site.capex_paid;
    site.lease_month = site.staff_month = site.prelaunch_month = 0.0F;
  }
}

Money revolver_room(const Scenario& s) {
  const std::int32_t revolver = s.entity[s.parent()].revolver;
  return revolver >= 0 ? s.tranche[revolver].commitment : 0;
}

// The scenario of a lenders' case: openings at its quantile and later, and no site that it leaves out.
std::vector<Site> sites_of(const ScenarioData& data, const LendersCase& agreed) {
  std::vector<Site> sites = data.site;
  for (Site& site : sites) {
    if (site.running != 0) continue;
    if (agreed.opening_quantile > 0) {
      const Opening opening = opening_at(site, agreed.opening_quantile);
      site.plan_ready_month = opening.ready, site.plan_delivery_month = opening.delivery;
    } else if (site.plan_ready_month >= kNeverReal) {
      const Opening opening = median_opening(site);
      site.plan_ready_month = opening.ready, site.plan_delivery_month = opening.delivery;
    }
    site.plan_ready_month += static_cast<Real>(agreed.later_months);
    site.plan_delivery_month += static_cast<Real>(agreed.later_months);
  }
  leave_out(agreed.without, sites);
  return sites;
}

struct Case {
  std::vector<Money> contracted, cfads;  // [entity][months]
};

Case trace_case(Scenario scenario, const ScenarioData& data, const LendersCase& agreed) {
  const std::vector<Site> sites = sites_of(data, agreed);
  scenario.site = {sites.data(), static_cast<std::int32_t>(sites.size())};
  PlanRows rows = rows_of(scenario);
  trace_path(scenario, 0, 0, &rows);
  return {std::move(rows.contracted), std::move(rows.cfads)};
}

// What liquidity falls within the coming months of a plan that has nothing but what is committed: no draws that
// need the market, no notes, no discretionary site. The parent is lent enough that nothing stops for want of
// cash.
std::vector<Money> needs_of(Scenario scenario, const ScenarioData& data, std::int32_t ahead) {
  constexpr Money kLent = 1 << 28;
  std::vector<Tranche> tranches = data.tranche;
  for (Tranche& each : tranches) {
    if (each.needs_window != 0 || each.issue_months_ahead > 0) each.commitment = 0;
  }
  LendersCase committed;
  for (std::size_t i = 0; i < data.site.size(); ++i) {
    if (data.site[i].discretionary != 0) committed.without.push_back(static_cast<std::int32_t>(i));
  }
  std::vector<Site> sites = data.site;
  leave_out(committed.without, sites);
  std::vector<Entity> entities = data.entity;
  Entity& parent = entities.back();
  parent.cash += kLent, parent.min_cash += kLent;
  parent.other_net_assets -= kLent;
  parent.cash_yield_share = 0.0F;
  parent.defends_liquidity = 0;
  scenario.tranche = {tranches.data(), static_cast<std::int32_t>(tranches.size())};
  scenario.site = {sites.data(), static_cast<std::int32_t>(sites.size())};
  scenario.entity = {entities.data(), static_cast<std::int32_t>(entities.size())};
  const std::vector<std::int32_t> series = trace_path(scenario, 0, 0);
  const auto liquidity = [&](std::int32_t month) {
    return series[static_cast<std::size_t>(kLiquidity * scenario.months + month - 1)];
  };
  std::vector<Money> needs;
  for (std::int32_t month = 1; month <= scenario.months; ++month) {
    // The month's own flows have not happened when management decides.
    const Money now = month == 1 ? parent.cash + revolver_room(scenario) : liquidity(month - 1);
    Money least = now;
    for (std::int32_t k = month; k <= std::min(month + ahead, scenario.months); ++k)
      least = std::min(least, liquidity(k));
    needs.push_back(now - least);
  }
  return needs;
}

}  // namespace

void make_plan(ScenarioData& data) {
  const ScenarioData& whole = data.to_last_loan ? *data.to_last_loan : data;
  Scenario scenario = whole.view();
  scenario.switches = 0;
  scenario.has_plan = 0;
  const auto months = static_cast<std::size_t>(scenario.months);
  std::int32_t ahead = 0;
  for (const Tranche& each : whole.tranche) ahead = std::max(ahead, each.issue_months_ahead);
  std::vector<Money> needs;
  if (ahead > 0) {
    needs = needs_of(scenario, whole, ahead);
    scenario.plan_need = {needs.data(), static_cast<std::int32_t>(needs.size())};
  }
  PlanRows plan = rows_of(scenario);
  trace_path(scenario, 0, 0, &plan);
  std::vector<Case> cases;
  for (const LendersCase& each : whole.lenders_case) cases.push_back(trace_case(scenario, whole, each));
  for (const Tranche& each : data.tranche) {
    if (each.sculpted == 0) continue;
    const std::vector<Money>& cfads =
        each.sculpted_to == 0 ? plan.cfads : cases[static_cast<std::size_t>(each.sculpted_to - 1)].cfads;
    // The row, with the months that a reserve account looks ahead.
    const auto row = static_cast<std::int32_t>(data.repayment.size()) - each.first_repayment;
    sculpt(scenario, each, cfads, std::min(row, data.parameters.months + kForwardMonths),
           data.repayment.data() + each.first_repayment);
  }
  // The rows of the horizon.
  const auto kept = static_cast<std::size_t>(data.parameters.months);
  const auto first_months = [&](auto& rows, std::size_t objects) {
    std::decay_t<decltype(rows)> out;
    for (std::size_t i = 0; i < objects; ++i) {
      const auto from = rows.begin() + static_cast<std::ptrdiff_t>(i * months);
      out.insert(out.end(), from, from + static_cast<std::ptrdiff_t>(kept));
    }
    return out;
  };
  data.plan = first_months(plan.market, 1);
  data.plan_contracted = first_months(plan.contracted, data.entity.size());
  for (const Case& each : cases) {
    const std::vector<Money> rows = first_months(each.contracted, data.entity.size());
    data.plan_contracted.insert(data.plan_contracted.end(), rows.begin(), rows.end());
  }
  if (ahead > 0) data.plan_need = first_months(needs, 1);
  data.plan_price = first_months(plan.price, data.gpu_type.size());
  data.parameters.has_plan = 1;
}

}  // namespace headroom
