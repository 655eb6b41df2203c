// SPDX-License-Identifier: Apache-2.0
// An entity's month end (income, cash, balance sheet, identities) and the measures that the path reports of
// it. See MODEL.md 4, 5, 7.
#pragma once

#include <cstdint>

#include "headroom/capital.hpp"
#include "headroom/covenants.hpp"
#include "headroom/hd.hpp"
#include "headroom/market.hpp"
#include "headroom/operations.hpp"
#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Adds field by field; Money sums are exact.
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
  state.reserve = e.reserve;
  state.receivables = e.receivables;
  state.payables_opex = e.payables_opex;
  state.payables_capex = e.payables_capex;
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
  state.equity = state.cash + e.restricted_cash + state.reserve + state.receivables + state.ppe +
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

// The parent at as_of. Its shares are shares in the whole group.
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

// Equity agreed to be paid in to an entity in a month.
struct EquityInflow {
  Money amount = 0;
  Real shares_million = 0.0F;
};
HEADROOM_HD std::int32_t out_of_range(Money amount) {
  const std::int32_t above = select(amount < (1 << 30), 0, std::int32_t{kOutOfRange});
  return above | select(amount > -(1 << 30), 0, std::int32_t{kOutOfRange});
}

// A covenant window is the difference of two cumulative sums. The sums start before the horizon; the last
// thirteen month ends are kept. They are taken modulo 2^32: a sum may overflow 32 bits, a window does not.
constexpr std::int32_t kWindowRows = 13;
HEADROOM_HD std::int32_t window_row(std::int32_t entity, std::int32_t month) {
  return entity * kWindowRows + (month + kWindowRows) % kWindowRows;  // month >= -12
}
template <class P>
HEADROOM_HD WindowRow window_at(const StateLayout& l, std::int32_t entity, std::int32_t month,
                                std::int32_t months, const P& p) {
  return subtract(p.load(l.window, window_row(entity, month)),
                  p.load(l.window, window_row(entity, month - months)));
}
template <class P>
HEADROOM_HD void add_to_window(const StateLayout& l, std::int32_t entity, std::int32_t month,
                               std::int32_t after, const WindowRow& row, const P& p) {
  p.store(l.window, add(p.load(l.window, window_row(entity, after)), row), window_row(entity, month));
}

// Debt / annualised EBITDA of the last quarter.
HEADROOM_HD Real leverage_of(Real debt, const WindowRow& quarter) {
  return ratio(debt, 4.0F * static_cast<Real>(quarter.ebitda), kRatioCap);
}

// An entity's role in the group.
enum class Role : std::int32_t { alone, borrower, parent };

// The parts of a closing run one after the other. EntityMonth passes values from one part to the next,
// GroupMonth holds the sums over entities, and everything else is in the flows and the balance sheet. With
// role `alone` there are no earlier sums: it starts from zero.
template <Role role, class P>
HEADROOM_HD GroupMonth sums_so_far(const StateLayout& l, const P& p) {
  if constexpr (role == Role::alone) return GroupMonth{};
  return p.load(l.group_month);
}
template <class P>
HEADROOM_HD void add_violations(const StateLayout& l, std::int32_t violations, const P& p) {
  PathTotals totals = p.load(l.totals);
  totals.violations |= violations;
  store<&PathTotals::violations>(p, l.totals, totals);
}

// The terms of an entity's books that are the same on every path.
struct BookTerms {
  EquityInflow inflow;
  Money run_off, opening_ppe;  // straight-line depreciation of the opening PP&E, and the book value left of it
};
// Income, and its effect on the balance sheet. Cash is closed later.
template <Role role, class P>
HEADROOM_HD void book_income(const StateLayout& l, const Entity& e, const BookTerms& x, std::int32_t entity,
                             std::int32_t month, const P& p) {
  const EntityState opening = p.load(l.entity, entity);
  const SiteFlows site = p.load(l.site_flows, entity);
  const ContractFlows contract = p.load(l.contract_flows, entity);
  const DebtFlows debt = p.load(l.debt_flows, entity);
  GroupMonth group = sums_so_far<role>(l, p);
  const Others others{group.revenue, group.net_income, p.load(l.entity_control, entity).fee_due};
  const Income income =
      close_income<role != Role::borrower>(e, opening, x.run_off, site, contract, p.load(l.pool_flows, entity),
                                           debt, p.load(l.market).short_rate, others);

  EntityState state = opening;
  state.receivables += income.receivables_change;
  state.payables_opex += income.payables_opex_change;
  state.payables_capex += income.payables_capex_change;
  state.ppe += site.capex - site.depreciation - site.write_off - x.run_off;
  state.deferred += contract.prepaid - contract.credited - contract.refunded - contract.forfeited;
  state.debt += debt.drawn - debt.amortisation - debt.lease_principal - debt.maturities - debt.converted;
  state.equity += income.net_income + e.stock_compensation_month + x.inflow.amount + debt.converted;
  store<&EntityState::receivables, &EntityState::payables_opex, &EntityState::payables_capex, &EntityState::ppe,
        &EntityState::deferred, &EntityState::debt, &EntityState::equity>(p, l.entity, state, entity);
  if constexpr (role != Role::borrower) {
    state.tax_losses = income.losses;
    state.shares += x.inflow.shares_million + debt.new_shares;
    store<&EntityState::tax_losses, &EntityState::shares>(p, l.entity, state, entity);
  }

  const Money principal = debt.amortisation + debt.lease_principal;
  const WindowRow row{income.ebitda, debt.interest + debt.fees + others.fees_due, principal, income.cfads,
                      contract.revenue};
  add_to_window(l, entity, month, month - 1, row, p);

  // The change in cash is computed a second way: from net income and the balance sheet's movements.
  const Money indirect = income.net_income + e.stock_compensation_month + site.depreciation + site.write_off +
                         x.run_off - (state.receivables - opening.receivables) +
                         (state.payables_opex - opening.payables_opex) + (state.deferred - opening.deferred);
  const Money uses = site.capex - (state.payables_capex - opening.payables_capex);
  EntityMonth to_balance;
  to_balance.cash = opening.cash + (income.cfo - income.capex_cash) + debt.drawn - principal - debt.maturities +
                    x.inflow.amount;
  to_balance.unfinanced = max(income.capex_cash - debt.drawn, 0);
  to_balance.debt_service = row.interest + principal;
  to_balance.reconciled = opening.cash + opening.reserve - opening.debt - opening.gap + indirect +
                          debt.converted + x.inflow.amount - uses;
  p.store(l.entity_month, to_balance);
  add_violations(l,
                 select(state.deferred != contract.unearned, std::int32_t{kDeferredIdentity}, 0) |
                     select(state.ppe != site.net_ppe + x.opening_ppe, std::int32_t{kPpeIdentity}, 0),
                 p);

  group.revenue += income.revenue, group.ebitda += income.ebitda, group.cash_interest += income.interest;
  group.cfo += income.cfo, group.capex += income.capex_cash, group.net_income += income.net_income;
  group.interest += row.interest, group.principal += principal, group.cfads += income.cfads;
  group.contracted += contract.revenue, group.forfeited += contract.forfeited, group.deferred += state.deferred;
  store<&GroupMonth::revenue, &GroupMonth::ebitda, &GroupMonth::cash_interest, &GroupMonth::cfo,
        &GroupMonth::capex, &GroupMonth::net_income, &GroupMonth::interest, &GroupMonth::principal,
        &GroupMonth::cfads, &GroupMonth::contracted, &GroupMonth::forfeited, &GroupMonth::deferred>(
      p, l.group_month, group);
  if constexpr (role != Role::borrower) {
    group.tax = income.tax;
    store<&GroupMonth::tax>(p, l.group_month, group);
  }
}

// The terms of an entity's cash that are the same on every path.
struct CashTerms {
  Real lock_up_base;  // CFADS that is needed where no debt is served; very negative without a lock-up
  Mask sells_equity;
  std::int32_t guaranteed;  // 1: the parent guarantees the entity this month
};
// Balances cash: a lack is raised, an excess is used. `revolver`: the entity's revolver; the last slot of the
// tranches is always empty.
template <Role role, class P>
HEADROOM_HD void balance_cash(const StateLayout& l, const Entity& e, const CashTerms& x, std::int32_t entity,
                              std::int32_t month, std::int32_t revolver, Real ledger_usd, const P& p) {
  constexpr bool borrower = role == Role::borrower;
  const EntityControl control = p.load(l.entity_control, entity);
  const EntityMonth from_books = p.load(l.entity_month);
  const DebtFlows debt = p.load(l.debt_flows, entity);
  const WindowRow last_3 = window_at(l, entity, month, 3, p);
  GroupMonth group = sums_so_far<role>(l, p);
  const Money upstream_before = group.upstream;
  Money cash = from_books.cash;
  if constexpr (role == Role::parent) cash += group.upstream;
  Closing c{};
  c.state = p.load(l.entity, entity);
  std::int32_t draws_stopped = 0;
  if constexpr (borrower) {
    c.from_parent = contribution(e, cash, from_books.unfinanced);
    cash += c.from_parent;
  } else {
    c.revolver = p.load(l.tranche, revolver);
    draws_stopped = p.load(l.tranche_control, revolver).draws_stopped;
    cash = raise_cash(e, c, cash, p.load(l.market), x.sells_equity, draws_stopped, ledger_usd);
    store<&TrancheState::balance, &TrancheState::undrawn>(p, l.tranche, c.revolver, revolver);
  }
  cash = settle_lack(c, cash, x.guaranteed);
  std::int32_t distributes = 0;
  if constexpr (borrower) {
    const Real to_serve = static_cast<Real>(last_3.interest) + static_cast<Real>(last_3.principal);
    // Open without debt service, and where DSCR is at or above the lock-up.
    const Real above = static_cast<Real>(last_3.cfads) - fma(e.lock_up_dscr, to_serve, x.lock_up_base);
    const bool open = (above >= 0.0F) | (to_serve <= 0.0F);
    distributes = 1 - (control.trapped | select(debt.called > 0, 1, 0) | select(open, 0, 1));
  }
  const std::int32_t sweeps_all = control.sweep_all | select(debt.called > 0, 1, 0);
  c.state.cash = use_excess(e, c, cash, from_books.debt_service, debt.sweepable, sweeps_all, distributes);
  p.store(l.sweep, Sweep{c.swept}, entity);

  EntityState& state = c.state;
  const Money upstream = c.to_parent - c.from_parent;
  Money from_others = -upstream;
  if constexpr (borrower) {
    state.equity -= upstream;
    state.paid_in += c.from_parent;
    state.distributed += c.to_parent;
    state.liquidity = state.cash;
    group.upstream += upstream;
    store<&EntityState::paid_in, &EntityState::distributed>(p, l.entity, state, entity);
    store<&GroupMonth::upstream>(p, l.group_month, group);
  } else {
    from_others = upstream_before;
    state.equity += upstream_before;
    state.liquidity = state.cash + select(draws_stopped != 0, 0, c.revolver.undrawn);
    store<&EntityState::shares, &EntityState::issued_in_quarter>(p, l.entity, state, entity);
  }
  state.default_month = min(state.default_month, select(c.shortfall > 0, month, kNever));
  store<&EntityState::cash, &EntityState::reserve, &EntityState::debt, &EntityState::gap, &EntityState::equity,
        &EntityState::liquidity, &EntityState::default_month>(p, l.entity, state, entity);
  const Money balanced = state.cash + state.reserve - state.debt - state.gap - c.issued - from_others;
  add_violations(
      l,
      select(balanced != from_books.reconciled, std::int32_t{kCashIdentity}, 0) |
          select(state.debt != debt.balance + c.revolver_net - c.swept, std::int32_t{kDebtIdentity}, 0),
      p);
}

// The closed entity's position, and its part of the group's. `all_debt`: the slot with the collateral of all
// its lenders.
template <Role role, class P>
HEADROOM_HD void report_position(const StateLayout& l, const Entity& e, std::int32_t entity, std::int32_t month,
                                 std::int32_t all_debt, const P& p) {
  EntityState state = p.load(l.entity, entity);
  const Money backlog = p.load(l.contract_flows, entity).backlog;
  const Money collateral = p.load(l.tranche_month, all_debt).collateral;
  p.store(l.position, Position{state.debt, state.cash, state.liquidity, backlog, collateral}, entity);
  const Money assets =
      state.cash + e.restricted_cash + state.reserve + state.receivables + state.ppe + e.other_net_assets;
  const Money liabilities =
      state.debt + state.deferred + state.payables_opex + state.payables_capex + state.gap;
  add_violations(l,
                 select(assets != liabilities + state.equity, std::int32_t{kBalanceIdentity}, 0) |
                     out_of_range(assets) | out_of_range(liabilities) | out_of_range(state.equity) |
                     out_of_range(state.ppe) | out_of_range(backlog),
                 p);
  if constexpr (role == Role::borrower) {
    state.leverage = leverage_of(static_cast<Real>(state.debt), window_at(l, entity, month, 3, p));
    store<&EntityState::leverage>(p, l.entity, state, entity);
  }
  GroupMonth group = sums_so_far<role>(l, p);
  const PoolFlows pool = p.load(l.pool_flows, entity);
  group.debt += state.debt, group.cash += state.cash, group.gap += state.gap;
  group.backlog += backlog, group.collateral += collateral;
  group.online += pool.online, group.sold += pool.sold;
  group.price_weight += pool.price_weight, group.start_price_weight += pool.start_price_weight;
  store<&GroupMonth::debt, &GroupMonth::cash, &GroupMonth::gap, &GroupMonth::backlog, &GroupMonth::collateral,
        &GroupMonth::online, &GroupMonth::sold, &GroupMonth::price_weight, &GroupMonth::start_price_weight>(
      p, l.group_month, group);
}

// The parent's share price: its shares are in the whole group, so the price follows the group's EBITDA and
// the group's net debt.
template <Role role, class P>
HEADROOM_HD void value_shares(const StateLayout& l, const Entity& e, std::int32_t parent, std::int32_t whole,
                              std::int32_t month, Real ledger_usd, const P& p) {
  const GroupMonth group = p.load(l.group_month);
  EntityState state = p.load(l.entity, parent);
  if constexpr (role == Role::parent) {
    add_to_window(l, whole, month, month - 1,
                  {group.ebitda, group.interest, group.principal, group.cfads, group.contracted}, p);
    p.store(l.position, Position{group.debt, group.cash, state.liquidity, group.backlog, group.collateral},
            whole);
  }
  const WindowRow quarter = window_at(l, whole, month, 3, p);
  const Real debt = static_cast<Real>(group.debt);
  state.leverage = leverage_of(debt, quarter);
  state.share_price =
      share_price(e, static_cast<Real>(group.cash) - debt - static_cast<Real>(group.gap), state.shares,
                  4.0F * static_cast<Real>(quarter.ebitda), p.load(l.market).tightness, ledger_usd);
  store<&EntityState::leverage, &EntityState::share_price>(p, l.entity, state, parent);
}

// A month end of the whole company. Every measure of measures.hpp is a function of it.
struct MonthEnd {
  GroupMonth group;
  MarketState market;
  Money liquidity;           // the parent's
  Money stock_compensation;  // of all entities
  Real first_price;          // of the first GPU type
};
HEADROOM_HD Money measured(Of<kRevenue>, const MonthEnd& x) { return x.group.revenue; }
HEADROOM_HD Money measured(Of<kEbitda>, const MonthEnd& x) { return x.group.ebitda; }
HEADROOM_HD Money measured(Of<kCashInterest>, const MonthEnd& x) { return x.group.cash_interest; }
HEADROOM_HD Money measured(Of<kCashTax>, const MonthEnd& x) { return x.group.tax; }
HEADROOM_HD Money measured(Of<kWorkingCapital>, const MonthEnd& x) {
  return x.group.cfo - (x.group.ebitda - x.group.cash_interest - x.group.tax);
}
HEADROOM_HD Money measured(Of<kCfo>, const MonthEnd& x) { return x.group.cfo; }
HEADROOM_HD Money measured(Of<kCapex>, const MonthEnd& x) { return x.group.capex; }
HEADROOM_HD Money measured(Of<kFcf>, const MonthEnd& x) { return x.group.cfo - x.group.capex; }
HEADROOM_HD Money measured(Of<kLeveredFcf>, const MonthEnd& x) {
  return x.group.cfo - x.group.capex - x.group.principal;
}
HEADROOM_HD Money measured(Of<kNetIncome>, const MonthEnd& x) { return x.group.net_income; }
HEADROOM_HD Money measured(Of<kAdjustedNetIncome>, const MonthEnd& x) {
  return x.group.net_income + x.stock_compensation;
}
HEADROOM_HD Money measured(Of<kDebt>, const MonthEnd& x) { return x.group.debt; }
HEADROOM_HD Money measured(Of<kCash>, const MonthEnd& x) { return x.group.cash; }
HEADROOM_HD Money measured(Of<kLiquidity>, const MonthEnd& x) { return x.liquidity; }
HEADROOM_HD Money measured(Of<kArr>, const MonthEnd& x) {
  return 12 * max(min(x.group.revenue - x.group.forfeited, kFixedMax / 12), -kFixedMax / 12);
}
HEADROOM_HD Money measured(Of<kBacklog>, const MonthEnd& x) { return x.group.backlog; }
HEADROOM_HD Money measured(Of<kDeferredRevenue>, const MonthEnd& x) { return x.group.deferred; }
HEADROOM_HD std::int32_t measured(Of<kUtilisation>, const MonthEnd& x) {
  return fixed(select(x.group.online > 0.0F, x.group.sold / max(x.group.online, 1e-6F), 0.0F));
}
HEADROOM_HD std::int32_t measured(Of<kTightness>, const MonthEnd& x) { return fixed(x.market.tightness); }
HEADROOM_HD std::int32_t measured(Of<kMarketPrice>, const MonthEnd& x) {
  return fixed(select(x.group.online > 0.0F, x.group.price_weight / max(x.group.online, 1e-6F), x.first_price));
}
HEADROOM_HD std::int32_t measured(Of<kShortRate>, const MonthEnd& x) { return fixed(x.market.short_rate); }

// Closes the month of the whole company. `stock_compensation`: sum over all entities.
template <class P>
HEADROOM_HD void report_month(const StateLayout& l, std::int32_t parent, Money stock_compensation, const P& p) {
  const MarketState m = p.load(l.market);
  const GroupMonth group = p.load(l.group_month);
  const MonthEnd end{group, m, p.load(l.entity, parent).liquidity, stock_compensation, p.load(l.gpu, 0).price};
  for_each_measure([&](auto measure)
                       HEADROOM_LANE { p.store(l.observed, Observed{measured(measure, end)}, measure.value); });

  const Real market = m.tightness + m.cycle + m.short_rate + m.spread_multiplier + m.power_multiplier +
                      m.churn_multiplier + m.utilisation;
  const bool finite = market - market == 0.0F;
  PathTotals totals = p.load(l.totals);
  totals.violations |= select(!finite, std::int32_t{kNotFinite}, 0);
  totals.peak_gap = max(totals.peak_gap, p.load(l.entity, parent).gap);
  totals.price +=
      select(group.start_price_weight > 0.0F, group.price_weight / max(group.start_price_weight, 1e-6F), 1.0F);
  store<&PathTotals::violations, &PathTotals::peak_gap, &PathTotals::price>(p, l.totals, totals);
}

// Adds a month to the calendar sums and the drivers.
template <class P>
HEADROOM_HD void total_up(const StateLayout& l, const P& p) {
  const MarketState m = p.load(l.market);
  PathTotals totals = p.load(l.totals);
  const auto observed = [&](Measure measure) HEADROOM_LANE { return p.load(l.observed, measure).value; };
  totals.quarter_fcf += observed(kFcf);
  totals.total_fcf += observed(kFcf);
  totals.min_liquidity = min(totals.min_liquidity, observed(kLiquidity));
  Money least = totals.total_fcf, most = totals.total_fcf;
  for_each_year_column([&](auto column, auto measure) HEADROOM_LANE {
    Money& sum = totals.year[column.value];
    sum += observed(measure.value);
    least = min(least, sum);
    most = max(most, sum);
  });
  totals.violations |= out_of_range(least) | out_of_range(most);
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
  for_each_year_column([&](auto column, auto) HEADROOM_LANE {
    p.keep(columns.year(column.value, year), totals.year[column.value]);
    totals.year[column.value] = 0;
  });
  p.store(l.totals, totals);
}

// A finished path. Every path column of measures.hpp is a function of it.
struct PathEnd {
  PathTotals totals;
  PathConstants constants;
  EntityState parent;
  FirstBreach first_breach;
  Real opening_shares;  // million
  Real per_month;       // one over the path's months
};
HEADROOM_HD Money kept(Of<kTotalFcf>, const PathEnd& x) { return x.totals.total_fcf; }
HEADROOM_HD Money kept(Of<kPeakFundingGap>, const PathEnd& x) { return x.totals.peak_gap; }
HEADROOM_HD std::int32_t kept(Of<kLiquidityDefaultMonth>, const PathEnd& x) { return x.parent.default_month; }
HEADROOM_HD Money kept(Of<kMinLiquidity>, const PathEnd& x) { return x.totals.min_liquidity; }
HEADROOM_HD std::int32_t kept(Of<kDilution>, const PathEnd& x) {
  return fixed(x.parent.shares / x.opening_shares - 1.0F);
}
HEADROOM_HD std::int32_t kept(Of<kViolations>, const PathEnd& x) { return x.totals.violations; }
HEADROOM_HD std::int32_t kept(Of<kMeanTightness>, const PathEnd& x) {
  return fixed(x.totals.tightness * x.per_month);
}
HEADROOM_HD std::int32_t kept(Of<kMeanPrice>, const PathEnd& x) { return fixed(x.totals.price * x.per_month); }
HEADROOM_HD std::int32_t kept(Of<kMeanShortRate>, const PathEnd& x) {
  return fixed(x.totals.short_rate * x.per_month);
}
HEADROOM_HD std::int32_t kept(Of<kMeanSpreadMultiplier>, const PathEnd& x) {
  return fixed(x.totals.spread * x.per_month);
}
HEADROOM_HD std::int32_t kept(Of<kMeanPowerMultiplier>, const PathEnd& x) {
  return fixed(x.totals.power * x.per_month);
}
HEADROOM_HD std::int32_t kept(Of<kMeanChurn>, const PathEnd& x) { return fixed(x.totals.churn * x.per_month); }
HEADROOM_HD std::int32_t kept(Of<kGlutMonths>, const PathEnd& x) { return x.totals.glut_months; }
HEADROOM_HD std::int32_t kept(Of<kMaxMonthsLate>, const PathEnd& x) { return fixed(x.totals.worst_delay); }
HEADROOM_HD std::int32_t kept(Of<kSystemicDelay>, const PathEnd& x) { return fixed(x.constants.systemic); }
HEADROOM_HD std::int32_t kept(Of<kAgeingMultiplier>, const PathEnd& x) { return fixed(x.constants.xi); }
HEADROOM_HD std::int32_t kept(Of<kFirstBreachMonth>, const PathEnd& x) { return x.first_breach.month; }
HEADROOM_HD std::int32_t kept(Of<kFirstCovenant>, const PathEnd& x) { return x.first_breach.covenant; }

// `parent`: the last entity, which issues the shares.
template <class P>
HEADROOM_HD void keep_path(const StateLayout& l, std::int32_t parent, Real opening_shares, Real months,
                           const P& p) {
  const PathEnd end{p.load(l.totals),       p.load(l.constants), p.load(l.entity, parent),
                    p.load(l.first_breach), opening_shares,      1.0F / months};
  for_each_path_column([&](auto column) HEADROOM_LANE { p.keep(column.value, kept(column, end)); });
}

}  // namespace headroom
