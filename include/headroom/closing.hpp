// An entity's month end: income, cash, balance sheet, identities; and what the path reports of it: MODEL.md 4,
// 5, 7.
#pragma once

#include "headroom/covenants.hpp"

namespace headroom {

// Field by field; Money sums are exact.
HEADROOM_HD SiteFlows add(const SiteFlows& a, const SiteFlows& b) {
  return {a.opex + b.opex, a.capex + b.capex, a.depreciation + b.depreciation, a.write_off + b.write_off,
          a.net_ppe + b.net_ppe};
}
HEADROOM_HD ContractFlows add(const ContractFlows& a, const ContractFlows& b) {
  return {a.revenue + b.revenue,     a.damages + b.damages,   a.recoveries + b.recoveries,
          a.prepaid + b.prepaid,     a.credited + b.credited, a.refunded + b.refunded,
          a.forfeited + b.forfeited, a.backlog + b.backlog,   a.unearned + b.unearned};
}
HEADROOM_HD PoolFlows add(const PoolFlows& a, const PoolFlows& b) {
  return {a.revenue + b.revenue,
          a.cost + b.cost,
          a.online + b.online,
          a.sold + b.sold,
          a.price_weight + b.price_weight,
          a.start_price_weight + b.start_price_weight};
}
HEADROOM_HD EntityState open_entity(const Scenario& s, std::int32_t entity) {
  const Entity& e = s.entity[entity];
  EntityState state{};
  state.cash = e.cash;
  state.restricted = e.restricted_cash;
  state.reserve = e.reserve;
  state.receivables = e.receivables;
  state.payables_opex = e.payables_opex;
  state.payables_capex = e.payables_capex;
  state.opening_ppe = e.opening_ppe;
  state.ppe = e.opening_ppe;
  for (std::int32_t i = 0; i < s.site.size; ++i) {
    if (s.site[i].entity == entity) state.ppe += s.site[i].capex_paid;
  }
  for (std::int32_t c = 0; c < s.contract.size; ++c) {
    if (s.contract[c].entity == entity) state.deferred += s.contract[c].opening_unearned;
  }
  for (std::int32_t d = 0; d < s.tranche.size; ++d) {
    if (s.tranche[d].entity == entity) state.debt += s.tranche[d].balance;
  }
  state.equity = state.cash + state.restricted + state.reserve + state.receivables + state.ppe +
                 e.other_net_assets - state.debt - state.deferred - state.payables_opex - state.payables_capex;
  state.tax_losses = e.tax_losses;
  state.shares = e.shares_million;
  state.liquidity = state.cash + (e.revolver >= 0 ? s.tranche[e.revolver].commitment : 0);
  Real quarter_ebitda = 0.0F;
  for (std::int32_t k = 9; k < 12; ++k) quarter_ebitda += static_cast<Real>(s.history[entity * 12 + k].ebitda);
  state.leverage = ratio(static_cast<Real>(state.debt), 4.0F * quarter_ebitda, kRatioCap);
  state.default_month = kNever;
  return state;
}

// The parent's, whose shares are in the whole group.
HEADROOM_HD EntityState open_parent(const Scenario& s) {
  EntityState state = open_entity(s, s.parent());
  Real ebitda = 0.0F;
  Money cash = 0, debt = 0;
  for (std::int32_t e = 0; e < s.entity.size; ++e) {
    const EntityState each = open_entity(s, e);
    cash += each.cash, debt += each.debt;
    for (std::int32_t k = 9; k < 12; ++k) ebitda += static_cast<Real>(s.history[e * 12 + k].ebitda);
  }
  state.leverage = ratio(static_cast<Real>(debt), 4.0F * ebitda, kRatioCap);
  state.share_price = share_price(s.entity[s.parent()], static_cast<Real>(cash) - static_cast<Real>(debt),
                                  state.shares, 4.0F * ebitda, s.demand.start_tightness, s.ledger_usd);
  return state;
}

// Agreed equity of an entity in a month.
struct EquityInflow {
  Money amount = 0;
  Real shares_million = 0.0F;
};
HEADROOM_HD EquityInflow equity_inflow(const Scenario& s, std::int32_t entity, std::int32_t month) {
  EquityInflow in;
  for (std::int32_t i = 0; i < s.dated_flow.size; ++i) {
    const DatedFlow& flow = s.dated_flow[i];
    if (flow.entity == entity && flow.month == month)
      in.amount += flow.amount, in.shares_million += flow.shares_million;
  }
  return in;
}

HEADROOM_HD std::int32_t out_of_range(Money amount) {
  const std::int32_t above = select(amount < (1 << 30), 0, std::int32_t{kOutOfRange});
  return above | select(amount > -(1 << 30), 0, std::int32_t{kOutOfRange});
}

// What of an entity's closing is the same on every path.
struct ClosingTerms {
  Entity entity;
  std::int32_t index, month;
  EquityInflow inflow;
  std::int32_t slot, slot_3;  // of the window rows: this month's, and the one that leaves three months
  Money opening_ppe_left;     // it runs off straight-line
  Real lock_up_base;  // what CFADS must reach where no debt is served; out of reach downwards without a lock-up
  Mask sells_equity;
  std::int32_t guaranteed;  // 1: by the parent, this month
};
HEADROOM_HD ClosingTerms closing_terms(const Scenario& s, std::int32_t entity, std::int32_t month) {
  const Entity& e = s.entity[entity];
  return {.entity = e,
          .index = entity,
          .month = month,
          .inflow = equity_inflow(s, entity, month),
          .slot = (month - 1) % 12,
          .slot_3 = (month + 8) % 12,
          .opening_ppe_left = money(static_cast<Real>(e.opening_ppe) *
                                    max(1.0F - static_cast<Real>(month) / e.opening_ppe_life_months, 0.0F)),
          .lock_up_base = e.lock_up_dscr > 0.0F ? 0.0F : -0x1p40F,
          .sells_equity = Mask(s.on(kEquity)),
          .guaranteed = guarantees(e, month) ? 1 : 0};
}

// Moves the windows of an entity or of the group on by a month; leaves the new sum of three.
template <class P>
HEADROOM_HD WindowRow move_windows(const StateLayout& l, const ClosingTerms& x, std::int32_t entity,
                                   const WindowRow& row, const P& p) {
  const std::int32_t slot = entity * 12 + x.slot;
  const WindowRow last_12 = subtract(add(p.load(l.window_sums, entity * 2 + 1), row), p.load(l.window, slot));
  const WindowRow last_3 =
      subtract(add(p.load(l.window_sums, entity * 2), row), p.load(l.window, entity * 12 + x.slot_3));
  p.store(l.window, row, slot);
  p.store(l.window_sums, last_3, entity * 2);
  p.store(l.window_sums, last_12, entity * 2 + 1);
  return last_3;
}

// The month end of one entity. Role: what it is to the group.
enum class Role : std::int32_t { alone, borrower, parent };
template <Role role, class P>
HEADROOM_HD void close_entity(const Scenario& s, const StateLayout& l, const ClosingTerms& x, const P& p) {
  constexpr bool borrower = role == Role::borrower;
  const Entity& e = x.entity;
  const std::int32_t entity = x.index;
  const MarketState m = p.load(l.market);
  const EntityState opening = p.load(l.entity, entity);
  const EntityControl control = p.load(l.entity_control, entity);
  const SiteFlows site = p.load(l.site_flows, entity);
  const ContractFlows contract = p.load(l.contract_flows, entity);
  PoolFlows pool = p.load(l.pool_flows, entity);
  const DebtFlows debt = p.load(l.debt_flows, entity);
  // Zero where there is no group; a borrower adds to it, the parent takes it.
  GroupMonth group{};
  Others others{0, 0, control.fee_due};
  if constexpr (role != Role::alone) group = p.load(l.group_month);
  if constexpr (role == Role::parent) {
    others.revenue = p.load(l.observed, kRevenue).value;
    others.pre_tax = group.pre_tax;
  }

  const Money run_off = opening.opening_ppe - x.opening_ppe_left;
  const Income income =
      close_income<!borrower>(e, opening, run_off, site, contract, pool, debt, m.short_rate, others);

  EntityState state = opening;
  state.receivables += income.receivables_change;
  state.payables_opex += income.payables_opex_change;
  state.payables_capex += income.payables_capex_change;
  state.opening_ppe = x.opening_ppe_left;
  state.ppe += site.capex - site.depreciation - site.write_off - run_off;
  state.deferred += contract.prepaid - contract.credited - contract.refunded - contract.forfeited;
  state.debt += debt.drawn - debt.amortisation - debt.lease_principal - debt.maturities - debt.converted;
  state.tax_losses = income.losses;
  state.equity += income.net_income + e.stock_compensation_month + x.inflow.amount + debt.converted;
  state.shares += x.inflow.shares_million + debt.new_shares;

  // Windows come before the cash is used: the lock-up looks at them.
  const Money principal = debt.amortisation + debt.lease_principal;
  const WindowRow row{income.ebitda, debt.interest + debt.fees + others.fees_due, principal, income.cfads,
                      contract.revenue};
  const WindowRow last_3 = move_windows(l, x, entity, row, p);

  const Money fcf = income.cfo - income.capex_cash;
  Money cash = opening.cash + fcf + debt.drawn - principal - debt.maturities + x.inflow.amount;
  if constexpr (role == Role::parent) cash += group.upstream;
  Closing c{};
  c.state = state;
  const std::int32_t revolver = e.revolver >= 0 ? e.revolver : s.tranche.size;  // the last slot is always empty
  if constexpr (borrower) {
    c.from_parent = contribution(e, cash, max(income.capex_cash - debt.drawn, 0));
    cash += c.from_parent;
  } else {
    c.revolver = p.load(l.tranche, revolver);
    const std::int32_t draws_stopped = p.load(l.tranche_control, revolver).draws_stopped;
    cash = raise_cash(e, c, cash, m, x.sells_equity, draws_stopped, s.ledger_usd);
    p.store(l.tranche, c.revolver, revolver);
  }
  cash = settle_lack(c, cash, x.guaranteed);
  const Real to_serve = static_cast<Real>(last_3.interest) + static_cast<Real>(last_3.principal);
  // Above the lock-up; whole units, so where nothing is served the factor is 0 and otherwise 1.
  const Real above = static_cast<Real>(last_3.cfads) - fma(e.lock_up_dscr, to_serve, x.lock_up_base);
  const bool open = above * min(to_serve, 1.0F) >= 0.0F;
  const std::int32_t locked = control.trapped | select(debt.called > 0, 1, 0) | select(open, 0, 1);
  const std::int32_t distributes = borrower ? 1 - locked : 0;
  const std::int32_t sweeps_all = control.sweep_all | select(debt.called > 0, 1, 0);
  cash = use_excess(e, c, cash, row.interest + principal, debt.sweepable, sweeps_all, distributes);
  c.state.cash = cash;
  state = c.state;
  p.store(l.sweep, Sweep{c.swept}, entity);
  const Money upstream = c.to_parent - c.from_parent;
  if constexpr (borrower) {
    state.equity -= upstream;
    state.paid_in += c.from_parent;
    state.distributed += c.to_parent;
    state.liquidity = state.cash;
    const std::int32_t now = select(c.shortfall > 0, x.month, kNever);
    state.default_month = min(state.default_month, now);
  } else {
    if constexpr (role == Role::parent) state.equity += group.upstream;
    const std::int32_t draws_stopped = p.load(l.tranche_control, revolver).draws_stopped;
    state.liquidity = state.cash + select(draws_stopped != 0, 0, c.revolver.undrawn);
    state.default_month = min(state.default_month, select(c.shortfall > 0, x.month, kNever));
  }

  // Identities. Cash is reconciled the other way round, from net income to the balance sheet's movements.
  const Money indirect = income.net_income + e.stock_compensation_month + site.depreciation + site.write_off +
                         run_off - (state.receivables - opening.receivables) +
                         (state.payables_opex - opening.payables_opex) + (state.deferred - opening.deferred);
  const Money sources = indirect + (state.debt - opening.debt) + debt.converted + x.inflow.amount + c.issued +
                        (state.gap - opening.gap) + (borrower ? -upstream : group.upstream);
  const Money uses = site.capex - (state.payables_capex - opening.payables_capex);
  const Money held = state.cash - opening.cash + state.reserve - opening.reserve;
  const Money assets =
      state.cash + state.restricted + state.reserve + state.receivables + state.ppe + e.other_net_assets;
  const Money liabilities =
      state.debt + state.deferred + state.payables_opex + state.payables_capex + state.gap;
  group.violations |=
      select(held != sources - uses, std::int32_t{kCashIdentity}, 0) |
      select(state.debt != debt.balance + c.revolver_net - c.swept, std::int32_t{kDebtIdentity}, 0) |
      select(state.deferred != contract.unearned, std::int32_t{kDeferredIdentity}, 0) |
      select(state.ppe != site.net_ppe + state.opening_ppe, std::int32_t{kPpeIdentity}, 0) |
      select(assets != liabilities + state.equity, std::int32_t{kBalanceIdentity}, 0) | out_of_range(assets) |
      out_of_range(liabilities) | out_of_range(state.equity) | out_of_range(state.ppe) |
      out_of_range(contract.backlog);

  const Money collateral = p.load(l.tranche_month, s.tranche.size + entity).collateral;
  p.store(l.position, Position{state.debt, state.cash, state.liquidity, contract.backlog, collateral}, entity);

  // To the group.
  group.gap += state.gap;
  pool.online += group.online;
  pool.sold += group.sold;
  pool.price_weight += group.price_weight;
  pool.start_price_weight += group.start_price_weight;
  const WindowRow all_rows =
      add(row, {group.ebitda, group.interest, group.principal, group.cfads, group.contracted});
  const Position all{group.debt + state.debt, group.cash + state.cash, state.liquidity,
                     group.backlog + contract.backlog, group.collateral + collateral};
  if constexpr (borrower) {
    group.upstream += upstream;
    group.pre_tax += income.pre_tax;
    group.debt = all.debt, group.cash = all.cash, group.backlog = all.backlog,
    group.collateral = all.collateral;
    group.ebitda = all_rows.ebitda, group.interest = all_rows.interest, group.principal = all_rows.principal;
    group.cfads = all_rows.cfads, group.contracted = all_rows.contracted;
    group.online = pool.online, group.sold = pool.sold, group.price_weight = pool.price_weight;
    group.start_price_weight = pool.start_price_weight;
    p.store(l.group_month, group);
    state.leverage = ratio(static_cast<Real>(state.debt), 4.0F * static_cast<Real>(last_3.ebitda), kRatioCap);
    p.store(l.entity, state, entity);
  }
  const auto report = [&](Measure measure, std::int32_t value) HEADROOM_LANE {
    if constexpr (role != Role::alone) value += p.load(l.observed, measure).value;
    p.store(l.observed, Observed{value}, measure);
  };
  report(kRevenue, income.revenue);
  report(kEbitda, income.ebitda);
  report(kCashInterest, income.interest);
  report(kCashTax, income.tax);
  report(kWorkingCapital, income.cfo - (income.ebitda - income.interest - income.tax));
  report(kCfo, income.cfo);
  report(kCapex, income.capex_cash);
  report(kFcf, fcf);
  report(kLeveredFcf, fcf - principal);
  report(kNetIncome, income.net_income);
  report(kAdjustedNetIncome, income.adjusted_net_income);
  report(kDebt, state.debt);
  report(kCash, state.cash);
  report(kBacklog, contract.backlog);
  report(kDeferredRevenue, state.deferred);
  report(kArr, income.revenue - contract.forfeited);
  if constexpr (!borrower) {
    // The shares are in the whole group: what it earns, less what all of it owes.
    WindowRow group_3 = last_3;
    if constexpr (role == Role::parent) {
      group_3 = move_windows(l, x, s.group(), all_rows, p);
      p.store(l.position, all, s.group());
    }
    const Real annual_ebitda = 4.0F * static_cast<Real>(group_3.ebitda);
    state.leverage = ratio(static_cast<Real>(all.debt), annual_ebitda, kRatioCap);
    state.share_price =
        share_price(e, static_cast<Real>(all.cash) - static_cast<Real>(all.debt) - static_cast<Real>(group.gap),
                    state.shares, annual_ebitda, m.tightness, s.ledger_usd);
    p.store(l.entity, state, entity);

    const Real market = m.tightness + m.cycle + m.short_rate + m.spread_multiplier + m.power_multiplier +
                        m.churn_multiplier + m.utilisation;
    const bool finite = market - market == 0.0F;
    PathTotals totals = p.load(l.totals);
    totals.violations |= group.violations | select(!finite, std::int32_t{kNotFinite}, 0);
    totals.peak_gap = max(totals.peak_gap, state.gap);
    const Real first_price = p.load(l.gpu, 0).price;
    const Real price = select(pool.online > 0.0F, pool.price_weight / max(pool.online, 1e-6F), first_price);
    totals.price +=
        select(pool.start_price_weight > 0.0F, pool.price_weight / max(pool.start_price_weight, 1e-6F), 1.0F);
    p.store(l.totals, totals);

    const auto put = [&](Measure measure, std::int32_t value)
                         HEADROOM_LANE { p.store(l.observed, Observed{value}, measure); };
    const Money month_revenue = p.load(l.observed, kArr).value;
    put(kArr, 12 * max(min(month_revenue, kFixedMax / 12), -kFixedMax / 12));
    put(kLiquidity, state.liquidity);
    put(kUtilisation, fixed(select(pool.online > 0.0F, pool.sold / max(pool.online, 1e-6F), 0.0F)));
    put(kTightness, fixed(m.tightness));
    put(kMarketPrice, fixed(price));
    put(kShortRate, fixed(m.short_rate));
  }
}

// Adds a month to the calendar sums and the drivers.
template <class P>
HEADROOM_HD void total_up(const StateLayout& l, const P& p) {
  const MarketState m = p.load(l.market);
  PathTotals totals = p.load(l.totals);
  const auto observed = [&](Measure measure) HEADROOM_LANE { return p.load(l.observed, measure).value; };
  const Money fcf = observed(kFcf);
  totals.revenue += observed(kRevenue);
  totals.ebitda += observed(kEbitda);
  totals.cash_interest += observed(kCashInterest);
  totals.cfo += observed(kCfo);
  totals.capex += observed(kCapex);
  totals.fcf += fcf;
  totals.levered_fcf += observed(kLeveredFcf);
  totals.net_income += observed(kNetIncome);
  totals.quarter_fcf += fcf;
  totals.total_fcf += fcf;
  totals.min_liquidity = min(totals.min_liquidity, observed(kLiquidity));
  totals.tightness += m.tightness;
  totals.short_rate += m.short_rate;
  totals.spread += m.spread_multiplier;
  totals.power += m.power_multiplier;
  totals.churn += m.churn_multiplier;
  totals.glut_months += select(m.regime == kGlut, 1, 0);
  p.store(l.totals, totals);
}

template <class P>
HEADROOM_HD void keep_quarter(const StateLayout& l, const ColumnLayout& columns, std::int32_t quarter,
                              const P& p) {
  PathTotals totals = p.load(l.totals);
  p.keep(columns.quarter_fcf(quarter), totals.quarter_fcf);
  totals.quarter_fcf = 0;
  p.store(l.totals, totals);
}

template <class P>
HEADROOM_HD void keep_year(const StateLayout& l, const ColumnLayout& columns, std::int32_t year, const P& p) {
  PathTotals totals = p.load(l.totals);
  p.keep(columns.year(kYearRevenue, year), totals.revenue);
  p.keep(columns.year(kYearEbitda, year), totals.ebitda);
  p.keep(columns.year(kYearCashInterest, year), totals.cash_interest);
  p.keep(columns.year(kYearCfo, year), totals.cfo);
  p.keep(columns.year(kYearCapex, year), totals.capex);
  p.keep(columns.year(kYearFcf, year), totals.fcf);
  p.keep(columns.year(kYearLeveredFcf, year), totals.levered_fcf);
  p.keep(columns.year(kYearNetIncome, year), totals.net_income);
  totals.revenue = totals.ebitda = totals.cash_interest = totals.cfo = 0;
  totals.capex = totals.fcf = totals.levered_fcf = totals.net_income = 0;
  p.store(l.totals, totals);
}

// What is kept of a finished path. `parent`: the last entity, which issues the shares.
template <class P>
HEADROOM_HD void keep_path(const StateLayout& l, std::int32_t parent, Real opening_shares, Real months,
                           const P& p) {
  const PathConstants constants = p.load(l.constants);
  const PathTotals totals = p.load(l.totals);
  const Real per_month = 1.0F / months;
  p.keep(kTotalFcf, totals.total_fcf);
  p.keep(kPeakFundingGap, totals.peak_gap);
  p.keep(kLiquidityDefaultMonth, p.load(l.entity, parent).default_month);
  p.keep(kMinLiquidity, totals.min_liquidity);
  p.keep(kDilution, fixed(p.load(l.entity, parent).shares / opening_shares - 1.0F));
  p.keep(kViolations, totals.violations);
  p.keep(kMeanTightness, fixed(totals.tightness * per_month));
  p.keep(kMeanPrice, fixed(totals.price * per_month));
  p.keep(kMeanShortRate, fixed(totals.short_rate * per_month));
  p.keep(kMeanSpreadMultiplier, fixed(totals.spread * per_month));
  p.keep(kMeanPowerMultiplier, fixed(totals.power * per_month));
  p.keep(kMeanChurn, fixed(totals.churn * per_month));
  p.keep(kGlutMonths, totals.glut_months);
  p.keep(kMaxMonthsLate, fixed(totals.worst_delay));
  p.keep(kSystemicDelay, fixed(constants.systemic));
  p.keep(kAgeingMultiplier, fixed(constants.xi));
  p.keep(kFirstCovenant, kNever);
}

}  // namespace headroom
