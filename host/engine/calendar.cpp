// SPDX-License-Identifier: Apache-2.0
#include "host/engine/calendar.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "headroom/math.hpp"
#include "headroom/model/metrics.hpp"

namespace headroom {

namespace {

bool within(Real date, Real t) { return date > t - 1.0F && date <= t; }

Real start_price(const Scenario& s, const Site& site) { return exp(s.gpu_type[site.gpu_type].log_price_start); }

// Whether the month asks if the tranche's sites are in full service.
bool principal_waits(const Tranche& d, std::int32_t month) {
  return month >= d.amortisation_start && month < d.latest_amortisation;
}
bool window_extends(const Tranche& d, std::int32_t month) {
  return d.extended_end_month > d.draw_end_month && within(d.draw_end_month, static_cast<Real>(month));
}
bool ends_at_completion(const Entity& e, std::int32_t month) {
  return e.ends_at_completion != 0 && guarantees(e, month);
}
bool waits_for_service(const Scenario& s, const Site& site, std::int32_t month) {
  const Tranche& d = s.tranche[site.tranche];
  return principal_waits(d, month) || window_extends(d, month) ||
         ends_at_completion(s.entity[site.entity], month);
}

SiteRow site_row(const Scenario& s, const Site& site, std::int32_t month) {
  const auto t = static_cast<Real>(month);
  SiteRow row{};
  row.terms = site_terms(site, t);
  const Real last_order = max(site.order_month, site.order_until_month);
  row.ordered = site.order_month <= t && t - 1.0F < last_order;
  row.may_wait = t < last_order;
  row.refused = within(site.cancel_month, t) && s.on(kCancellation, site);
  row.capex_due = row.ordered || row.refused || month == 1 ||
                  row.terms.dated_share != site_terms(site, t - 1.0F).dated_share;
  row.start_price = start_price(s, site);
  row.counts_late = site.running == 0 && site.tranche >= 0 && waits_for_service(s, site, month);
  row.contractors_pay =
      site.contractor_damages_month > 0.0F && row.terms.contractor_to > row.terms.contractor_from;
  row.standing = money(standing_cost(site, kNeverReal, row.terms));
  if (site.running != 0) {
    SiteState state{};
    state.ready = site.planned_ready_month;
    state.cost_multiplier = 1.0F;
    state.status = kOrdered;
    Flows flows{};
    operate_site(site, row.terms, state, row.running_capacity, flows);
    row.running_opex = flows.opex;
  }
  return row;
}

CustomerRow customer_row(const Scenario& s, const Customer& c, std::int32_t month) {
  return {c.first_intensity < 0 ? c.default_intensity_month
                                : s.default_intensity[c.first_intensity + month - 1]};
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

// The share of a balance at the month end that falls due as scheduled principal in the `ahead` months after it.
Real coming_share(const Scenario& s, const Tranche& d, std::int32_t month, std::int32_t ahead) {
  Real left = 1.0F;
  for (std::int32_t m = month + 1; m <= month + ahead; ++m) {
    const Real divisor = amortisation_divisor(s, d, m);
    if (divisor > 0.0F) left -= left / divisor;
  }
  return 1.0F - left;
}

TrancheRow tranche_row(const Scenario& s, const Tranche& d, std::int32_t month) {
  const auto t = static_cast<Real>(month);
  const Entity& entity = s.entity[d.entity];
  const bool revolver = d.kind == TrancheKind::revolver;
  TrancheRow row{};
  row.coupon = coupon_terms(s, d, month);
  row.fee_due = d.commitment_fee != 0.0F && t > d.signed_month;
  row.payments_left = amortisation_divisor(s, d, month);
  row.gone = month > d.last_month();
  row.callable = d.may_accelerate != 0 && s.on(kConsequences);
  row.recourse = entity.parent < 0 || guarantees(entity, month);
  row.matures = month == d.maturity;
  row.maturity = {d.kind == TrancheKind::convertible ? d.conversion_price_usd : kNeverReal,
                  d.refinanceable != 0 ? entity.refinance_leverage_limit : -kNeverReal, d.refinance_spread,
                  s.ledger_usd};
  row.second_term_ends = d.refinanceable != 0 && month == d.maturity + d.refinance_months;
  const Real last_draw = max(d.draw_end_month, d.extended_end_month);
  row.draw_window = (d.commitment > 0 || revolver) && t - 1.0F < last_draw;
  row.draws = t > d.draw_start_month && !revolver;
  row.lapses = t >= last_draw;
  row.waits = principal_waits(d, month);
  row.extends = window_extends(d, month);
  if (entity.reserve_forward_months > 0 && month < d.last_month()) {
    row.reserve_years =
        static_cast<Real>(std::min(entity.reserve_forward_months, d.last_month() - month)) / 12.0F;
    row.reserve_share = coming_share(s, d, month, entity.reserve_forward_months);
  }
  row.issues = d.issue_months_ahead > 0;
  row.quarter_starts = month == 1 || s.month[month - 2].quarter_end != 0;
  if (row.issues && s.plan_need.size > 0)
    row.need = s.plan_need[month - 1] + s.entity[s.parent()].policy_liquidity;
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

// The minimum that management keeps: its own, or what the liquidity tests of the month and the next quarter ask
// for where it defends them.
Money minimum_cash(const Scenario& s, std::int32_t entity, std::int32_t month) {
  Money least = s.entity[entity].min_cash;
  if (s.entity[entity].defends_liquidity == 0) return least;
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    const Covenant& c = s.covenant[v];
    if (c.metric != Metric::liquidity || (c.entity >= 0 && c.entity != entity)) continue;
    for (std::int32_t m = month; m <= std::min(month + 3, s.months); ++m) {
      const CovenantTest& test = s.covenant_test[c.first_test + m - 1];
      if (test.tested != 0) least = std::max(least, money(test.threshold));
    }
  }
  return least;
}

EntityTerms entity_terms(const Scenario& s, std::int32_t entity, std::int32_t month) {
  const Entity& e = s.entity[entity];
  const Money left = opening_ppe_left(e, month);
  const Money before = month == 1 ? e.opening_ppe : opening_ppe_left(e, month - 1);
  return {.inflow = equity_inflow(s, entity, month),
          .run_off = before - left,
          .opening_ppe = left,
          .lock_up_base = e.lock_up_dscr > 0.0F ? 0.0F : -0x1p40F,
          .guaranteed = guarantees(e, month) ? 1 : 0,
          .ends_at_completion = ends_at_completion(e, month),
          .min_cash = minimum_cash(s, entity, month)};
}

// Contracted revenue of the plan (0) or of a lenders' case over the last `window` months, including months of
// the history.
Real plan_contracted(const Scenario& s, std::int32_t lenders_case, std::int32_t entity, std::int32_t month,
                     std::int32_t window) {
  const std::int32_t first = lenders_case * s.entity.size;
  Real sum = 0.0F;
  const bool all = entity == s.group();
  for (std::int32_t e = all ? 0 : entity; e < (all ? s.entity.size : entity + 1); ++e) {
    for (std::int32_t k = month - window + 1; k <= month; ++k) {
      sum += static_cast<Real>(k >= 1 ? s.plan_contracted[(first + e) * s.months + k - 1]
                                      : s.history[e * 12 + k + 11].contracted_revenue);
    }
  }
  return sum;
}

CovenantRow covenant_row(const Scenario& s, const Covenant& c, std::int32_t month) {
  const CovenantTest test = s.covenant_test[c.first_test + month - 1];
  CovenantRow row{};
  bool any = false, gone = true;
  for (std::int32_t d = 0; d < s.tranche.size; ++d) {
    if (!c.protects(d, s.tranche[d], s.covenant_target)) continue;
    any = true;
    gone = gone && month > s.tranche[d].last_month();
  }
  row.tested = test.tested != 0;
  row.may_outlive = any && c.outlives_loans == 0;
  row.over = row.may_outlive && gone;
  row.threshold = test.threshold;
  if (s.has_plan != 0) {
    row.plan_contracted = plan_contracted(s, test.lenders_case, c.entity >= 0 ? c.entity : s.group(), month,
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

// What an owner's windows must hold: the flows that some test reads, and how far back.
struct WindowNeeds {
  std::array<std::int32_t, kWindowFlows> months{};  // 0: nobody reads the flow

  void add(std::uint32_t flows, std::int32_t back) {
    for (std::size_t f = 0; f < kWindowFlows; ++f) {
      if ((flows >> f & 1U) != 0) months[f] = std::max(months[f], back);
    }
  }
};

WindowNeeds window_needs(const Scenario& s, std::int32_t owner) {
  WindowNeeds needs;
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    const Covenant& c = s.covenant[v];
    if ((c.entity >= 0 ? c.entity : s.group()) == owner)
      needs.add(flows_of(c.metric), c.window == Window::trailing_12 ? 12 : 3);
  }
  if (owner == s.group()) needs.add(kEbitdaFlow, 3);  // share price
  if (owner < s.entity.size) {
    if (s.entity[owner].lock_up_dscr > 0.0F) needs.add(kCfadsFlow | kInterestFlow | kPrincipalFlow, 3);
    for (std::int32_t d = 0; d < s.tranche.size; ++d) {
      if (s.tranche[d].entity == owner && s.tranche[d].refinanceable != 0) needs.add(kEbitdaFlow, 3);
    }
    if (s.has_plan == 0) needs.add(kCfadsFlow | kContractedFlow, 3);  // make_plan() reads them
  }
  return needs;
}

// The ring of cumulative sums of one flow: the places [first, first + rows) of StateLayout::window.
struct WindowRing {
  std::int32_t first, rows;
  std::int32_t at(std::int32_t month) const { return first + (month + 12 * rows) % rows; }  // month >= -12
};

WindowRow history_of(const HistoryMonth& h) {
  return {h.ebitda, h.cash_interest, h.scheduled_principal, h.cfads, h.contracted_revenue};
}

// An owner's sums at the month ends of the history, oldest first: an entity's, or those of all entities.
void open_windows(const Scenario& s, std::int32_t owner, std::span<const WindowRing> rings,
                  CalendarData& rows) {
  const bool group = owner == s.entity.size;
  WindowRow sum{};
  for (std::int32_t month = -12; month <= 0; ++month) {
    const std::array<Money, kWindowFlows> sums = {sum.ebitda, sum.interest, sum.principal, sum.cfads,
                                                  sum.contracted};
    for (std::size_t f = 0; f < kWindowFlows; ++f)
      rows.opening_window[static_cast<std::size_t>(rings[f].at(month))] = sums[f];
    if (month == 0) break;
    for (std::int32_t e = group ? 0 : owner; e < (group ? s.entity.size : owner + 1); ++e)
      sum = add(sum, history_of(s.history[e * 12 + month + 12]));
  }
}

void add_windows(const Scenario& s, CalendarData& rows) {
  std::vector<WindowRing> rings;  // [entity, then the group][kWindowFlows]
  std::int32_t next = 1;          // place 0 is shared by the flows that nobody reads
  for (std::int32_t owner = 0; owner <= s.group(); ++owner) {
    for (const std::int32_t months : window_needs(s, owner).months) {
      const std::int32_t size = months + 1;
      rings.push_back(months > 0 ? WindowRing{next, size} : WindowRing{0, 1});
      next += months > 0 ? size : 0;
    }
  }
  for (std::int32_t month = 1; month <= s.months; ++month) {
    for (std::size_t first = 0; first < rings.size(); first += kWindowFlows) {
      WindowMonth places{};
      for (std::size_t f = 0; f < kWindowFlows; ++f) {
        const WindowRing& ring = rings[first + f];
        places.now[f] = ring.at(month);
        places.last[f] = ring.at(month - 1);
        places.before_3[f] = ring.at(month - 3);
        places.before_12[f] = ring.at(month - 12);
      }
      rows.window.push_back(places);
    }
  }
  rows.opening_window.assign(static_cast<std::size_t>(next), 0);
  for (std::int32_t owner = 0; owner <= s.group(); ++owner)
    open_windows(s, owner,
                 std::span(rings).subspan(static_cast<std::size_t>(owner) * kWindowFlows, kWindowFlows), rows);
}

void end_group(CalendarData::GroupsData& groups) {
  groups.first.push_back(static_cast<std::int32_t>(groups.member.size()));
}

}  // namespace

CalendarData calendar_of(const Scenario& s) {
  CalendarData rows;
  for (std::int32_t month = 1; month <= s.months; ++month) {
    for (std::int32_t i = 0; i < s.site.size; ++i) rows.site.push_back(site_row(s, s.site[i], month));
    for (std::int32_t c = 0; c < s.customer.size; ++c)
      rows.customer.push_back(customer_row(s, s.customer[c], month));
    for (std::int32_t c = 0; c < s.contract.size; ++c)
      rows.contract.push_back(contract_row(s, s.contract[c], month));
    for (std::int32_t d = 0; d < s.tranche.size; ++d)
      rows.tranche.push_back(tranche_row(s, s.tranche[d], month));
    for (std::int32_t e = 0; e < s.entity.size; ++e) rows.entity.push_back(entity_terms(s, e, month));
    for (std::int32_t v = 0; v < s.covenant.size; ++v)
      rows.covenant.push_back(covenant_row(s, s.covenant[v], month));
    rows.company.push_back(company_terms(s, rows, month));
  }
  add_windows(s, rows);
  for (std::int32_t d = 0; d < s.tranche.size; ++d) {
    if (is_targeted(s, d)) rows.targeted.push_back(d);
    if (s.tranche[d].cross_defaults > 0) rows.following.push_back(d);
  }
  std::int32_t financing = 0;
  for (std::int32_t d = 0; d < s.tranche.size; ++d) financing += finances_sites(s, d) ? 1 : 0;
  for (std::int32_t d = 0, next = 0; d < s.tranche.size; ++d)
    rows.eligible.push_back(finances_sites(s, d) ? next++ : financing);
  std::int32_t built = 0, step_downs = 0, damages = 0;
  for (std::int32_t i = 0; i < s.site.size; ++i) built += s.site[i].running == 0 ? 1 : 0;
  for (std::int32_t i = 0, next = 0; i < s.site.size; ++i)
    rows.place.push_back(s.site[i].running != 0 ? built : next++);
  for (std::int32_t c = 0; c < s.contract.size; ++c) {
    rows.step_down.push_back(s.contract[c].step_down_hazard_month > 0.0F ? step_downs++ : kNoPlace);
    rows.damages.push_back(s.contract[c].running == 0 && s.contract[c].damages_share > 0.0F ? damages++
                                                                                            : kNoPlace);
  }
  for (std::int32_t i = 0; i < s.site.size; ++i) {
    for (std::int32_t c = 0; c < s.contract.size; ++c) {
      if (s.contract[c].site == i) rows.contracts_of_site.member.push_back(c);
    }
    end_group(rows.contracts_of_site);
  }
  for (std::int32_t e = 0; e < s.entity.size; ++e) {
    for (std::int32_t d = 0; d < s.tranche.size; ++d) {
      const Tranche& tranche = s.tranche[d];
      if (tranche.entity != e) continue;
      rows.tranches_of_entity.member.push_back(d);
      if (tranche.sweepable != 0 && tranche.kind != TrancheKind::revolver)
        rows.swept_of_entity.member.push_back(d);
    }
    end_group(rows.tranches_of_entity);
    end_group(rows.swept_of_entity);
  }
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    for (std::int32_t d = 0; d < s.tranche.size; ++d) {
      if (s.covenant[v].protects(d, s.tranche[d], s.covenant_target))
        rows.lenders_of_covenant.member.push_back(d);
    }
    end_group(rows.lenders_of_covenant);
  }
  for (std::int32_t v = 0; v < s.covenant.size; ++v) rows.plain = rows.plain && s.covenant[v].plain();
  return rows;
}

Calendar CalendarData::view() const {
  const auto view_of = [](const auto& from) {
    return View<typename std::decay_t<decltype(from)>::value_type>{from.data(),
                                                                   static_cast<std::int32_t>(from.size())};
  };
  const auto groups_of = [&](const GroupsData& from) {
    return Groups{view_of(from.first), view_of(from.member)};
  };
  return {.company = view_of(company),
          .site = view_of(site),
          .customer = view_of(customer),
          .contract = view_of(contract),
          .tranche = view_of(tranche),
          .entity = view_of(entity),
          .covenant = view_of(covenant),
          .window = view_of(window),
          .opening_window = view_of(opening_window),
          .place = view_of(place),
          .step_down = view_of(step_down),
          .damages = view_of(damages),
          .eligible = view_of(eligible),
          .targeted = view_of(targeted),
          .following = view_of(following),
          .contracts_of_site = groups_of(contracts_of_site),
          .tranches_of_entity = groups_of(tranches_of_entity),
          .lenders_of_covenant = groups_of(lenders_of_covenant),
          .swept_of_entity = groups_of(swept_of_entity),
          .plain = plain};
}

StateLayout state_layout(const Scenario& s, const CalendarData& rows) {
  const auto any = [](const auto& objects, auto&& has) {
    return std::any_of(objects.data, objects.data + objects.size, has);
  };
  const bool by_draw = any(s.tranche, [](const Tranche& d) { return d.draw_term_months > 0; });
  const auto places = [](const std::vector<std::int32_t>& of) {
    return of.empty() ? 0 : *std::max_element(of.begin(), of.end()) + 1;
  };
  const bool valued = any(s.covenant, [](const Covenant& c) { return needs_collateral(c.metric); });
  std::int32_t vintages = 0;
  for (std::int32_t d = 0; d < s.tranche.size; ++d) vintages += s.tranche[d].vintages;
  const std::int32_t owners = s.group() + 1;

  StateLayout l;
  l.place(l.constants, 1);
  l.place(l.market, 1);
  l.place(l.freeze, s.freeze.possible);
  l.place(l.launch, s.launch.size);
  l.place(l.gpu, s.gpu_type.size);
  l.place(l.site, places(rows.place));
  l.place(l.site_month, 1);
  l.place(l.customer, s.customer.size);
  l.place(l.contract, s.contract.size);
  l.place(l.step_down, places(rows.step_down));
  l.place(l.damages, places(rows.damages));
  l.place(l.tranche, s.tranche.size + 1);
  l.place(l.instalments, by_draw ? s.tranche.size : 0);
  l.place(l.vintage, vintages);
  l.place(l.eligible, places(rows.eligible));
  const bool waits =
      std::any_of(rows.site.begin(), rows.site.end(), [](const SiteRow& r) { return r.counts_late; });
  l.place(l.completion, waits ? places(rows.eligible) : 0);
  l.place(l.collateral, valued ? s.tranche.size + owners : 0);
  l.place(l.flows, s.entity.size);
  l.place(l.debt_month, 1);
  l.place(l.entity, s.entity.size);
  l.place(l.parent, 1);
  l.place(l.entity_control, s.entity.size);
  l.place(l.sweep, 1);
  l.place(l.position, owners);
  l.place(l.window, static_cast<std::int32_t>(rows.opening_window.size()));
  l.place(l.group_month, 1);
  l.place(l.covenant, s.covenant.size);
  l.place(l.breach, rows.plain ? 0 : s.covenant.size);
  l.place(l.verdict, 1);
  l.place(l.first_breach, 1);
  l.place(l.totals, 1);
  l.place(l.year, kYearColumnCount);
  l.place(l.observed, kMeasureCount + 1);
  return l;
}

}  // namespace headroom
