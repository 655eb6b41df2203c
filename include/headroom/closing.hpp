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
HEADROOM_HD DebtFlows add(const DebtFlows& a, const DebtFlows& b) {
  return {a.interest + b.interest,         a.fees + b.fees,
          a.amortisation + b.amortisation, a.lease_principal + b.lease_principal,
          a.maturities + b.maturities,     a.drawn + b.drawn,
          a.converted + b.converted,       a.balance + b.balance,
          a.new_shares + b.new_shares};
}

HEADROOM_HD EntityState open_entity(const Scenario& s, std::int32_t entity) {
  const Entity& e = s.entity[entity];
  EntityState state{};
  state.cash = e.cash;
  state.restricted = e.restricted_cash;
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
  state.equity = state.cash + state.restricted + state.receivables + state.ppe + e.other_net_assets -
                 state.debt - state.deferred - state.payables_opex - state.payables_capex;
  state.tax_losses = e.tax_losses;
  state.shares = e.shares_million;
  state.liquidity = state.cash + (e.revolver >= 0 ? s.tranche[e.revolver].commitment : 0);
  Real quarter_ebitda = 0.0F;
  for (std::int32_t k = 9; k < 12; ++k) quarter_ebitda += static_cast<Real>(s.history[entity * 12 + k].ebitda);
  state.leverage = ratio(static_cast<Real>(state.debt), 4.0F * quarter_ebitda, kRatioCap);
  state.share_price = share_price(e, state, 4.0F * quarter_ebitda, s.demand.start_tightness, s.ledger_usd);
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

HEADROOM_HD bool in_range(Money amount) { return amount > -(1 << 30) && amount < (1 << 30); }

template <class P>
HEADROOM_HD void close_entity(const Scenario& s, const StateLayout& l, const Entity& e, std::int32_t entity,
                              std::int32_t month, const EquityInflow& inflow, const P& p) {
  const MarketState m = p.load(l.market);
  const EntityState opening = p.load(l.entity, entity);
  const SiteFlows site = p.load(l.site_flows, entity);
  const ContractFlows contract = p.load(l.contract_flows, entity);
  const PoolFlows pool = p.load(l.pool_flows, entity);
  const DebtFlows debt = p.load(l.debt_flows, entity);

  // The opening balance runs off straight-line.
  const Real t = static_cast<Real>(month);
  const Money run_off_left =
      money(static_cast<Real>(e.opening_ppe) * max(1.0F - t / e.opening_ppe_life_months, 0.0F));
  const Money run_off = opening.opening_ppe - run_off_left;
  const Income income = close_income(e, opening, run_off, site, contract, pool, debt, m.short_rate);

  EntityState state = opening;
  state.receivables += income.receivables_change;
  state.payables_opex += income.payables_opex_change;
  state.payables_capex += income.payables_capex_change;
  state.opening_ppe = run_off_left;
  state.ppe += site.capex - site.depreciation - site.write_off - run_off;
  state.deferred += contract.prepaid - contract.credited - contract.refunded - contract.forfeited;
  state.debt += debt.drawn - debt.amortisation - debt.lease_principal - debt.maturities - debt.converted;
  state.tax_losses = income.losses;
  state.equity += income.net_income + e.stock_compensation_month + inflow.amount + debt.converted;
  state.shares += inflow.shares_million + debt.new_shares;

  const Money principal = debt.amortisation + debt.lease_principal;
  const Money fcf = income.cfo - income.capex_cash;
  const Money before = opening.cash + fcf + debt.drawn - principal - debt.maturities + inflow.amount;
  const std::int32_t revolver = e.revolver >= 0 ? e.revolver : s.tranche.size;  // the last slot is always empty
  const Closing closing = balance_cash(e, state, before, p.load(l.tranche, revolver), m, s.ledger_usd);
  p.store(l.tranche, closing.revolver, revolver);
  state = closing.state;

  // Windows.
  const WindowRow row{income.ebitda, debt.interest + debt.fees, principal, income.cfads, contract.revenue};
  const std::int32_t slot = entity * 12 + (month - 1) % 12;
  const WindowRow last_12 = subtract(add(p.load(l.window_sums, entity * 2 + 1), row), p.load(l.window, slot));
  const WindowRow last_3 =
      subtract(add(p.load(l.window_sums, entity * 2), row), p.load(l.window, entity * 12 + (month + 8) % 12));
  p.store(l.window, row, slot);
  p.store(l.window_sums, last_3, entity * 2);
  p.store(l.window_sums, last_12, entity * 2 + 1);
  const Real annual_ebitda = 4.0F * static_cast<Real>(last_3.ebitda);
  state.leverage = ratio(static_cast<Real>(state.debt), annual_ebitda, kRatioCap);
  state.share_price = share_price(e, state, annual_ebitda, m.tightness, s.ledger_usd);
  p.store(l.entity, state, entity);

  // Identities. Cash is reconciled the other way round, from net income to the balance sheet's movements.
  const Money indirect = income.net_income + e.stock_compensation_month + site.depreciation + site.write_off +
                         run_off - (state.receivables - opening.receivables) +
                         (state.payables_opex - opening.payables_opex) + (state.deferred - opening.deferred);
  const Money sources = indirect + (state.debt - opening.debt) + debt.converted + inflow.amount +
                        closing.issued + (state.gap - opening.gap);
  const Money uses = site.capex - (state.payables_capex - opening.payables_capex);
  const Money assets = state.cash + state.restricted + state.receivables + state.ppe + e.other_net_assets;
  const Money liabilities =
      state.debt + state.deferred + state.payables_opex + state.payables_capex + state.gap;
  const Real market = m.tightness + m.cycle + m.short_rate + m.spread_multiplier + m.power_multiplier +
                      m.churn_multiplier + m.utilisation;
  const bool finite = market - market == 0.0F;
  const bool ranged = in_range(assets) && in_range(liabilities) && in_range(state.equity) &&
                      in_range(state.ppe) && in_range(contract.backlog);
  PathTotals totals = p.load(l.totals);
  totals.violations |=
      select(state.cash - opening.cash != sources - uses, std::int32_t{kCashIdentity}, 0) |
      select(state.debt != debt.balance + closing.revolver_net, std::int32_t{kDebtIdentity}, 0) |
      select(state.deferred != contract.unearned, std::int32_t{kDeferredIdentity}, 0) |
      select(state.ppe != site.net_ppe + state.opening_ppe, std::int32_t{kPpeIdentity}, 0) |
      select(assets != liabilities + state.equity, std::int32_t{kBalanceIdentity}, 0) |
      select(!finite, std::int32_t{kNotFinite}, 0) | select(!ranged, std::int32_t{kOutOfRange}, 0);
  totals.liquidity_default_month = select((closing.shortfall > 0) & (totals.liquidity_default_month == kNever),
                                          month, totals.liquidity_default_month);
  totals.peak_gap = max(totals.peak_gap, state.gap);
  totals.min_liquidity = min(totals.min_liquidity, state.liquidity);
  const Real first_price = p.load(l.gpu, 0).price;
  const Real price = select(pool.online > 0.0F, pool.price_weight / max(pool.online, 1e-6F), first_price);
  totals.price +=
      select(pool.start_price_weight > 0.0F, pool.price_weight / max(pool.start_price_weight, 1e-6F), 1.0F);
  p.store(l.totals, totals);

  const auto report = [&](Measure measure, std::int32_t value)
                          HEADROOM_LANE { p.store(l.observed, Observed{value}, measure); };
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
  report(kLiquidity, state.liquidity);
  report(kArr, 12 * max(min(income.revenue - contract.forfeited, kFixedMax / 12), -kFixedMax / 12));
  report(kBacklog, contract.backlog);
  report(kDeferredRevenue, state.deferred);
  report(kUtilisation, fixed(select(pool.online > 0.0F, pool.sold / max(pool.online, 1e-6F), 0.0F)));
  report(kTightness, fixed(m.tightness));
  report(kMarketPrice, fixed(price));
  report(kShortRate, fixed(m.short_rate));
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
  p.keep(kLiquidityDefaultMonth, totals.liquidity_default_month);
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
}

}  // namespace headroom
