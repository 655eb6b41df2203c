// SPDX-License-Identifier: Apache-2.0
#include "host/engine/calendar.hpp"

#include <span>

#include "headroom/math.hpp"
#include "headroom/metrics.hpp"

namespace headroom {

namespace {

bool within(Real date, Real t) { return date > t - 1.0F && date <= t; }

Real start_price(const Scenario& s, const Site& site) { return exp(s.gpu_type[site.gpu_type].log_price_start); }

SiteRow site_row(const Scenario& s, const Site& site, std::int32_t month) {
  const auto t = static_cast<Real>(month);
  SiteRow row{};
  row.terms = site_terms(site, t);
  row.ordered = within(site.order_month, t);
  row.refused = within(site.cancel_month, t) && s.on(kCancellation, site);
  row.capex_due = row.ordered || row.refused || month == 1 ||
                  row.terms.dated_share != site_terms(site, t - 1.0F).dated_share;
  row.start_price = start_price(s, site);
  row.standing = money(standing_cost(site, kNeverReal, row.terms));
  if (site.running != 0) {
    const SiteConstants path{site.planned_ready_month, site.delivery_month, 1.0F, 0};
    const SiteStep same = advance_site(site, path, SiteState{0, 0, 1.0F, kOrdered}, row.terms, 1.0F);
    row.running_capacity = same.month;
    row.running_opex = same.flows.opex;
  }
  return row;
}

ContractRow contract_row(const Scenario& s, const Contract& c, std::int32_t month) {
  const auto t = static_cast<Real>(month);
  ContractRow row{};
  row.terms = contract_terms(c, s.customer[c.customer], month, s.on(kDamages, c), s.ledger_usd);
  row.option_due = c.option != 0 && within(c.option_month, t);
  // No contract ends before its end date, or before its term has run from the planned start.
  row.may_expire = t >= min(c.end_month, c.start_month + c.term_months);
  row.started = t >= c.start_month;
  if (s.on(kTermination, c) && c.running == 0 && within(c.start_month + c.long_stop_months, t))
    row.leaving_probability = c.termination_probability;
  if (s.on(kStepDown, c) && c.step_down_hazard_month > 0.0F)
    row.step_down_trigger = exp(c.step_down_trigger_log);
  return row;
}

// The divisor that gives the month's instalment of the balance; 0: nothing is due.
Real amortisation_divisor(const Scenario& s, const Tranche& d, std::int32_t month) {
  if (month < d.amortisation_start || month > d.amortisation_end) return 0.0F;
  if (d.scheduled != 0) return s.repayment[d.first_repayment + month - 1];
  return static_cast<Real>(d.amortisation_end - month + 1);
}

TrancheRow tranche_row(const Scenario& s, const Tranche& d, std::int32_t month) {
  const auto t = static_cast<Real>(month);
  const Entity& entity = s.entity[d.entity];
  const bool revolver = d.kind == TrancheKind::revolver;
  TrancheRow row{};
  row.coupon = coupon_terms(s, d, month);
  row.payments_left = amortisation_divisor(s, d, month);
  row.gone = month > d.maturity + (d.refinanceable != 0 ? d.refinance_months : 0);
  row.callable = d.may_accelerate != 0 && s.on(kConsequences);
  row.recourse = entity.parent < 0 || guarantees(entity, month);
  row.matures = month == d.maturity;
  row.second_term_ends = d.refinanceable != 0 && month == d.maturity + d.refinance_months;
  row.draw_window = (d.commitment > 0 || revolver) && t - 1.0F < d.draw_end_month;
  row.draws = t > d.draw_start_month && !revolver;
  row.lapses = t >= d.draw_end_month;
  row.drawn_at_issue = month == d.issue_month ? d.commitment : 0;
  const bool planned = s.has_plan != 0;
  row.window_on_plan = (d.switches & kFundingWindow) == 0;
  row.spread_on_plan = planned && (d.switches & kSpread) == 0;
  row.rate_on_plan = planned && (d.switches & kRates) == 0;
  if (planned) {
    row.plan_spread_multiplier = s.plan[month - 1].spread_multiplier;
    row.plan_short_rate = s.plan[month - 1].short_rate;
  }
  return row;
}

// Agreed equity that is paid in to an entity in a month.
EquityInflow equity_inflow(const Scenario& s, std::int32_t entity, std::int32_t month) {
  EquityInflow in;
  for (std::int32_t i = 0; i < s.dated_flow.size; ++i) {
    const DatedFlow& flow = s.dated_flow[i];
    if (flow.entity == entity && flow.month == month)
      in.amount += flow.amount, in.shares_million += flow.shares_million;
  }
  return in;
}

Money opening_ppe_left(const Entity& e, std::int32_t month) {
  return money(static_cast<Real>(e.opening_ppe) *
               max(1.0F - static_cast<Real>(month) / e.opening_ppe_life_months, 0.0F));
}

EntityRow entity_row(const Scenario& s, std::int32_t entity, std::int32_t month) {
  const Entity& e = s.entity[entity];
  const Money left = opening_ppe_left(e, month);
  const Money before = month == 1 ? e.opening_ppe : opening_ppe_left(e, month - 1);
  return {.books = {equity_inflow(s, entity, month), before - left, left},
          .lock_up_base = e.lock_up_dscr > 0.0F ? 0.0F : -0x1p40F,
          .sells_equity = s.on(kEquity),
          .guaranteed = guarantees(e, month)};
}

// The plan's contracted revenue over the last `window` months, including months of the history.
Real plan_contracted(const Scenario& s, std::int32_t entity, std::int32_t month, std::int32_t window) {
  Real sum = 0.0F;
  const bool all = entity == s.group();
  for (std::int32_t e = all ? 0 : entity; e < (all ? s.entity.size : entity + 1); ++e) {
    for (std::int32_t k = month - window + 1; k <= month; ++k) {
      sum += static_cast<Real>(k >= 1 ? s.plan_contracted[e * s.months + k - 1]
                                      : s.history[e * 12 + k + 11].contracted_revenue);
    }
  }
  return sum;
}

CovenantRow covenant_row(const Scenario& s, const Covenant& c, std::int32_t month) {
  const CovenantTest test = s.covenant_test[c.first_test + month - 1];
  CovenantRow row{};
  row.tested = test.tested != 0;
  row.threshold = test.threshold;
  if (s.has_plan != 0) {
    row.plan_contracted = plan_contracted(s, c.entity >= 0 ? c.entity : s.group(), month,
                                          c.window == Window::trailing_12 ? 12 : 3);
  }
  if (!s.on(kCures)) return row;
  // The parent cures only covenants of its borrowers.
  const bool ring_fenced = c.entity >= 0 && c.entity != s.parent();
  if (ring_fenced && month <= c.last_cure) row.cures = c.cures;
  if (month >= c.first_waiver) row.waivers = c.waivers;
  return row;
}

CompanyTerms company_terms(const Scenario& s, const CalendarData& rows, std::int32_t month) {
  CompanyTerms terms{};
  terms.pool = pool_terms(s.on_demand, static_cast<Real>(month));
  terms.quarter_starts = month == 1 || s.month[month - 2].quarter_end != 0;
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    const Covenant& covenant = s.covenant[v];
    if (needs_collateral(covenant.metric) && s.covenant_test[covenant.first_test + month - 1].tested != 0)
      terms.values_collateral = true;
  }
  const std::span all(rows.contract);
  for (const ContractRow& row : all.last(static_cast<std::size_t>(s.contract.size)))  // the month's
    terms.ends_late_contracts = terms.ends_late_contracts || row.leaving_probability > 0.0F;
  for (std::int32_t e = 0; e < s.entity.size; ++e)
    terms.stock_compensation += s.entity[e].stock_compensation_month;
  return terms;
}

// Whether a breach of some covenant has consequences for this tranche.
bool is_targeted(const Scenario& s, std::int32_t tranche) {
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    const Covenant& covenant = s.covenant[v];
    for (std::int32_t k = 0; k < covenant.targets; ++k) {
      if (s.covenant_target[covenant.first_target + k] == tranche) return true;
    }
  }
  return false;
}

bool finances_sites(const Scenario& s, std::int32_t tranche) {
  for (std::int32_t i = 0; i < s.site.size; ++i) {
    if (s.site[i].tranche == tranche) return true;
  }
  return false;
}

}  // namespace

CalendarData calendar_of(const Scenario& s) {
  CalendarData rows;
  for (std::int32_t month = 1; month <= s.months; ++month) {
    for (std::int32_t i = 0; i < s.site.size; ++i) rows.site.push_back(site_row(s, s.site[i], month));
    for (std::int32_t c = 0; c < s.contract.size; ++c)
      rows.contract.push_back(contract_row(s, s.contract[c], month));
    for (std::int32_t d = 0; d < s.tranche.size; ++d)
      rows.tranche.push_back(tranche_row(s, s.tranche[d], month));
    for (std::int32_t e = 0; e < s.entity.size; ++e) rows.entity.push_back(entity_row(s, e, month));
    for (std::int32_t v = 0; v < s.covenant.size; ++v)
      rows.covenant.push_back(covenant_row(s, s.covenant[v], month));
    rows.company.push_back(company_terms(s, rows, month));
  }
  for (std::int32_t d = 0; d < s.tranche.size; ++d) {
    if (finances_sites(s, d)) rows.financing.push_back(d);
    if (is_targeted(s, d)) rows.targeted.push_back(d);
    if (s.tranche[d].cross_defaults > 0) rows.following.push_back(d);
  }
  for (std::int32_t e = 0; e < s.entity.size; ++e) {
    rows.first_swept.push_back(static_cast<std::int32_t>(rows.swept.size()));
    for (std::int32_t d = 0; d < s.tranche.size; ++d) {
      const Tranche& tranche = s.tranche[d];
      if (tranche.entity == e && tranche.sweepable != 0 && tranche.kind != TrancheKind::revolver)
        rows.swept.push_back(d);
    }
  }
  rows.first_swept.push_back(static_cast<std::int32_t>(rows.swept.size()));
  for (std::int32_t v = 0; v < s.covenant.size; ++v) rows.plain = rows.plain && s.covenant[v].plain();
  return rows;
}

Calendar CalendarData::view() const {
  const auto view_of = [](const auto& from) {
    return View<typename std::decay_t<decltype(from)>::value_type>{from.data(),
                                                                   static_cast<std::int32_t>(from.size())};
  };
  return {view_of(company),   view_of(site),     view_of(contract),    view_of(tranche),
          view_of(entity),    view_of(covenant), view_of(financing),   view_of(targeted),
          view_of(following), view_of(swept),    view_of(first_swept), plain};
}

}  // namespace headroom
