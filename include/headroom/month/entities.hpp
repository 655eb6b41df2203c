// SPDX-License-Identifier: Apache-2.0
// The month end of an entity, and of the whole group.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/model/entity.hpp"
#include "headroom/month/calendar.hpp"
#include "headroom/month/debt.hpp"
#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// The month end of one entity: its income, the waterfall of its cash, its balance sheet, its part of the
// group.
template <Role role, class Lanes>
HEADROOM_HD void close_entity(const Now& now, std::int32_t entity, Lanes& lanes) {
  constexpr bool borrower = role == Role::borrower;
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  Held<Entity> e = s.entity[entity];
  Held<EntityTerms> x = now.entity(entity);
  Held<WindowMonth> window = now.window(entity);
  const std::int32_t month = now.month;
  const std::int32_t revolver = e.revolver >= 0 ? e.revolver : s.tranche.size;
  const Mask sells_equity(s.on(kEquity));
  const Real ledger_usd = s.ledger_usd;
  const Mask always_guaranteed(!x.ends_at_completion);
  lanes.each([&](auto p) HEADROOM_LANE {
    const EntityState opening = p.load(l.entity, entity);
    const Flows flows = p.load(l.flows, entity);
    const DebtMonth debt = p.load(l.debt_month);
    const EntityControl control = p.load(l.entity_control, entity);
    const MarketState market = p.load(l.market);
    const auto group = p.at(l.group_month);

    // Income, and its part of the covenants' windows.
    Money tax_losses = 0;
    if constexpr (!borrower) tax_losses = p.at(l.parent).tax_losses;
    const Others others{group.revenue, group.net_income, control.fee_due};
    const Income income =
        income_of<!borrower>(e, x.run_off, market.short_rate, others, opening, tax_losses, flows, debt);
    const Money cfo = income.cfo(), cfads = income.cfads(flows.prepaid);
    const WindowRow row{income.ebitda, income.interest + income.earned, debt.principal, cfads,
                        flows.contract_revenue};
    const WindowRow sums = add(sums_at(l, window.last, p), row);
    const WindowRow last_3 = subtract(sums, sums_at(l, window.before_3, p));
    put_sums(l, window.now, sums, p);

    // Cash.
    Conditions on{};
    on.sweeps_all = ((control.restrictions & kSweepAll) != 0) | (debt.called > 0);
    if constexpr (borrower) {
      const std::int32_t late = select(always_guaranteed, 1, debt.late);
      on.guaranteed = select(late > 0, x.guaranteed, 0);
      on.guarantor = max(p.at(l.parent).liquidity + group.upstream, 0);
      on.distributes = ((control.restrictions & kTrapped) == 0) & (debt.called <= 0) & is_open(e, x, last_3);
    } else {
      const TrancheState credit_line = p.load(l.tranche, revolver);
      const ParentState shares = p.load(l.parent);
      const bool sells = (market.window_open != 0) & (shares.share_price >= e.issue_floor_price_usd);
      on.upstream = group.upstream;
      on.revolver_room = select(is(credit_line.standing, kDrawsStopped), 0, credit_line.undrawn);
      on.revolver_drawn = credit_line.balance;
      on.most_equity =
          select(sells_equity, select(sells, e.issue_max_quarter - shares.issued_in_quarter, 0), 0);
    }
    const Waterfall cash = run_waterfall<role>(e, x, on, income, opening, flows, debt);

    // The balance sheet.
    EntityState closed = opening;
    closed.cash = cash.cash, closed.reserve = cash.reserve, closed.gap = cash.gap;
    closed.receivables += income.receivables_change;
    closed.payables_opex += income.payables_opex_change;
    closed.payables_capex += income.payables_capex_change;
    closed.ppe += flows.capex - income.depreciation;
    closed.deferred += income.prepayments;
    closed.debt +=
        debt.drawn - debt.principal - debt.maturities - debt.converted + cash.revolver_net - cash.swept;
    closed.equity += income.net_income + e.stock_compensation_month + x.inflow.amount + debt.converted +
                     cash.issued + on.upstream + cash.from_parent - cash.to_parent;
    closed.paid_in += cash.from_parent;
    closed.distributed += cash.to_parent;
    closed.default_month = min(opening.default_month, select(cash.shortfall > 0, month, kNever));
    if constexpr (borrower) closed.leverage = leverage_of(static_cast<Real>(closed.debt), last_3.ebitda);
    p.at(l.entity, entity) = closed;
    p.at(l.sweep).left = cash.swept;
    Money liquidity = closed.cash;
    if constexpr (!borrower) {
      const auto credit_line = p.at(l.tranche, revolver);
      const auto shares = p.at(l.parent);
      credit_line.balance += cash.revolver_net;
      credit_line.undrawn -= cash.revolver_net;
      liquidity += select(is(credit_line.standing, kDrawsStopped), 0, credit_line.undrawn);
      shares.tax_losses = income.losses;
      shares.liquidity = liquidity;
      shares.issued_in_quarter += cash.issued;
      shares.shares = (shares.shares + (x.inflow.shares_million + debt.new_shares)) +
                      static_cast<Real>(cash.issued) * ledger_usd / (max(shares.share_price, 0.01F) * 1e6F);
      group.tax = income.tax;
    }

    // Identities: MODEL.md 7.
    p.at(l.totals).violations |=
        violation_if(closed.deferred != flows.unearned, kDeferredIdentity) |
        violation_if(closed.ppe != flows.net_ppe + x.opening_ppe, kPpeIdentity) |
        violation_if(closed.debt != debt.balance + cash.revolver_net - cash.swept, kDebtIdentity) |
        check_cash(e, x, income, cash, on.upstream, opening, flows, debt) |
        check_balance_sheet(e, flows.backlog, closed);

    p.at(l.position, entity) = Position{closed.debt, closed.cash, liquidity, flows.backlog};
    group.upstream += cash.to_parent - cash.from_parent;
    group.revenue += income.revenue, group.ebitda += income.ebitda, group.cash_interest += income.interest;
    group.cfo += cfo, group.capex += flows.capex - income.payables_capex_change;
    group.net_income += income.net_income, group.forfeited += flows.forfeited;
    group.interest += row.interest, group.principal += row.principal, group.cfads += row.cfads;
    group.contracted += row.contracted, group.deferred += closed.deferred;
    group.debt += closed.debt, group.cash += closed.cash;
    group.gap += borrower ? on.guaranteed * closed.gap : closed.gap;
    group.backlog += flows.backlog;
    group.online += flows.online, group.sold += flows.sold;
    group.price_weight += flows.price_weight, group.start_price_weight += flows.start_price_weight;
  });
  if constexpr (borrower) {
    // A guarantee that is not honoured is the guarantor's default too.
    if (x.guaranteed != 0) {
      const std::int32_t parent = s.parent();
      lanes.each([&](auto p) HEADROOM_LANE {
        const std::int32_t late = select(always_guaranteed, 1, p.at(l.debt_month).late);
        const bool now_unpaid = (p.at(l.entity, entity).default_month == month) & (late > 0);
        const auto guarantor = p.at(l.entity, parent);
        guarantor.default_month = min(guarantor.default_month, select(now_unpaid, month, kNever));
      });
    }
  }
  repay_from_sweep(now, entity, lanes);
}

// The month end of the whole group: its window, its position, the parent's share price. The parent's shares
// are in the whole group, so the price follows the group's EBITDA and the group's net debt.
template <class Lanes>
HEADROOM_HD void close_group(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  const std::int32_t parent = s.parent(), whole = s.group();
  Held<WindowMonth> window = now.window(whole);
  if (whole != parent) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const GroupMonth group = p.load(l.group_month);
      const WindowRow row{group.ebitda, group.interest, group.principal, group.cfads, group.contracted};
      put_sums(l, window.now, add(sums_at(l, window.last, p), row), p);
      p.at(l.position, whole) = Position{group.debt, group.cash, p.at(l.parent).liquidity, group.backlog};
    });
  }
  Held<Entity> e = s.entity[parent];
  const Real ledger_usd = s.ledger_usd;
  lanes.each([&](auto p) HEADROOM_LANE {
    const GroupMonth group = p.load(l.group_month);
    const auto shares = p.at(l.parent);
    const Money quarter_ebitda = window_of(l, window, 3, p).ebitda;
    const Real debt = static_cast<Real>(group.debt);
    const Real net_cash = static_cast<Real>(group.cash) - debt - static_cast<Real>(group.gap);
    p.at(l.entity, parent).leverage = leverage_of(debt, quarter_ebitda);
    shares.share_price = share_price(e, net_cash, shares.shares, 4.0F * static_cast<Real>(quarter_ebitda),
                                     p.at(l.market).tightness, ledger_usd);
  });
}

// Debt and cash of every entity, borrower by borrower and then the parent.
template <class Lanes>
HEADROOM_HD void close_entities(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  if (now.company().quarter_starts)
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.parent).issued_in_quarter = 0; });
  lanes.each([&](auto p) HEADROOM_LANE { p.at(l.group_month) = GroupMonth{}; });
  for (std::int32_t e = 0; e < s.parent(); ++e) {
    service_debt(now, e, lanes);
    close_entity<Role::borrower>(now, e, lanes);
  }
  service_debt(now, s.parent(), lanes);
  close_entity<Role::parent>(now, s.parent(), lanes);
  close_group(now, lanes);
}

}  // namespace headroom
