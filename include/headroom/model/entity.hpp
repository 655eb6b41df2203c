// SPDX-License-Identifier: Apache-2.0
// An entity's month end: income, the waterfall of its cash, its balance sheet, its identities. See MODEL.md 4,
// 5, 7.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/model/market.hpp"
#include "headroom/model/window.hpp"
#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// An entity's role in the group.
enum class Role : std::int32_t { borrower, parent };

// Every ratio is held within +-kRatioCap. Without a denominator it takes a given value: one that passes if
// there is nothing to pay, one that fails if there is nothing to pay from.
constexpr Real kRatioCap = 1000.0F;
HEADROOM_HD Real ratio(Real numerator, Real denominator, Real if_nothing) {
  return select(denominator > 0.0F, clamp(numerator / max(denominator, bound(1e-6F)), -kRatioCap, kRatioCap),
                if_nothing);
}
// Debt / annualised EBITDA of the last quarter.
HEADROOM_HD Real leverage_of(Real debt, Money quarter_ebitda) {
  return ratio(debt, 4.0F * static_cast<Real>(quarter_ebitda), kRatioCap);
}

// Equity agreed to be paid in to an entity in a month.
struct EquityInflow {
  Money amount = 0;
  Real shares_million = 0.0F;
};

// The terms of an entity's month that are the same on every path.
struct EntityTerms {
  EquityInflow inflow;
  Money run_off, opening_ppe;  // straight-line depreciation of the opening PP&E, and the book value left of it
  Real lock_up_base;           // CFADS that is needed where no debt is served; very negative without a lock-up
  std::int32_t guaranteed;     // 1: the parent makes good this month what the entity cannot pay
  bool ends_at_completion;     // it does so only while its loans' sites are not in full service
  Money min_cash;
};

// Figures of other entities, and fees due, that enter the income of the entity that is closed.
struct Others {
  Money revenue;   // of the borrowers: the parent's SG&A is also a share of it
  Money pre_tax;   // of the borrowers: taxed with the parent's
  Money fees_due;  // the entity's own waiver fees
};

// An entity's figures of a month, before its cash is balanced.
struct Income {
  Money revenue, opex, ebitda, earned, interest, tax, net_income;
  Money depreciation;  // with write-offs and the run-off of the opening PP&E
  Money receivables_change, payables_opex_change, payables_capex_change;
  Money prepayments;  // received less credited, refunded and kept: the change in deferred revenue
  Money losses;       // carried forward

  // Cash flow from operations. CFADS, the cash flow available for debt service, is what is billed and
  // collected, before interest, without new prepayments received.
  HEADROOM_HD Money cfo() const {
    return ebitda - interest - tax - receivables_change + payables_opex_change + prepayments;
  }
  HEADROOM_HD Money cfads(Money prepaid) const { return cfo() + interest - prepaid; }
};

// `taxed`: true for the parent, which pays the group's tax; a borrower pays none.
template <bool taxed>
HEADROOM_HD Income income_of(const Entity& e, Money run_off, Real short_rate, const Others& others,
                             const auto& opening, Money tax_losses, const auto& flows, const auto& debt) {
  Income i;
  i.revenue = flows.contract_revenue + flows.forfeited + flows.pool_revenue;
  const Real sold = static_cast<Real>(i.revenue + others.revenue);
  const Money sga = money(fma(e.sga_share_of_revenue, sold, e.sga_fixed_month));
  i.opex = flows.opex + sga;
  i.ebitda = i.revenue + flows.recoveries - i.opex - flows.damages;
  i.earned = money(static_cast<Real>(opening.cash) * e.cash_yield_share * short_rate * (1.0F / 12.0F));
  i.interest = debt.interest + debt.fees + others.fees_due - i.earned;
  i.depreciation = flows.depreciation + run_off;
  const Money pre_tax = i.ebitda - e.stock_compensation_month - i.depreciation - i.interest;

  i.tax = i.losses = 0;
  if constexpr (taxed) {
    const Money profit = pre_tax + others.pre_tax;
    const Money used = max(min(tax_losses, money(e.loss_use_share * static_cast<Real>(profit))), 0);
    i.tax = max(money(e.tax_rate * static_cast<Real>(profit - used)), 0);
    i.losses = tax_losses - used + max(-profit, 0);
  }
  i.net_income = pre_tax - i.tax;

  const Money invoiced = i.revenue - flows.credited - flows.forfeited;
  i.receivables_change = money(e.receivable_months * static_cast<Real>(invoiced)) - opening.receivables;
  i.payables_opex_change = money(e.payable_months_opex * static_cast<Real>(i.opex)) - opening.payables_opex;
  i.payables_capex_change =
      money(e.payable_months_capex * static_cast<Real>(max(flows.capex, 0))) - opening.payables_capex;
  i.prepayments = flows.prepaid - flows.credited - flows.refunded - flows.forfeited;
  return i;
}

// The result of a waterfall.
struct Waterfall {
  Money cash;          // at the month end
  Money reserve, gap;  // likewise
  Money revolver_net;  // drawn less repaid
  Money issued;        // equity sold
  Money from_parent;   // contributed, or paid under the guarantee
  Money to_parent;     // distributed
  Money swept;
  Money shortfall;  // unmet: the borrower's payment default, or the parent's liquidity default
};

// What decides a waterfall: conditions that hold at the month end.
struct Conditions {
  Money upstream;        // of the parent: what its borrowers distributed, less what it paid in
  Money revolver_room;   // of the parent: the undrawn revolver, 0 while draws are stopped
  Money revolver_drawn;  // its balance
  Money most_equity;     // of the parent: equity that it may still sell, 0 while it may not
  Money guarantor;  // of a guaranteed borrower: the parent's liquidity at the last month end, with what other
                    // borrowers have distributed since, less what it paid in to them
  std::int32_t guaranteed;  // 1: the parent makes good what a borrower cannot pay
  bool sweeps_all;          // a breach sweeps all cash above the minimum
  bool distributes;         // a borrower's distributions are neither trapped nor locked up
};

// The waterfall of an entity's cash, in the order of a credit agreement.
template <Role role>
HEADROOM_HD Waterfall run_waterfall(const Entity& e, const EntityTerms& x, const Conditions& on,
                                    const Income& income, const auto& opening, const auto& flows,
                                    const auto& debt) {
  constexpr bool borrower = role == Role::borrower;
  Waterfall w{};
  Money cash = opening.cash;
  w.reserve = opening.reserve, w.gap = opening.gap;

  // Receipts: billed and collected, prepayments, recoveries, interest on cash.
  cash += income.revenue - income.receivables_change + income.prepayments + flows.recoveries + income.earned;
  // Operating costs as paid, damages, tax.
  cash -= income.opex - income.payables_opex_change + flows.damages + income.tax;
  // Capex as paid.
  const Money capex = flows.capex - income.payables_capex_change;
  cash -= capex;
  // Draws, and equity that was agreed.
  cash += debt.drawn + x.inflow.amount;
  // Interest, fees, scheduled principal, maturities.
  cash -= income.interest + income.earned;
  cash -= debt.principal + debt.maturities;
  const Money debt_service = income.interest + income.earned + debt.principal;

  if constexpr (borrower) {
    // The parent contributes up to the capex that draws left open.
    w.from_parent = max(min(x.min_cash - cash, e.capex_contributed * max(capex - debt.drawn, 0)), 0);
    cash += w.from_parent;
  } else {
    // The parent receives what its borrowers distributed. Cash above the minimum repays an open gap and then
    // the revolver. A lack of cash is drawn on the revolver, then raised by selling equity.
    cash += on.upstream;
    const Money gap_repaid = max(min(w.gap, cash - x.min_cash), 0);
    cash -= gap_repaid;
    w.gap -= gap_repaid;
    const Money drawn = max(min(on.revolver_room, x.min_cash - cash), 0);
    const Money repaid = max(min(on.revolver_drawn, cash - x.min_cash), 0);
    w.revolver_net = drawn - repaid;
    cash += w.revolver_net;
    w.issued = max(min(x.min_cash - cash, on.most_equity), 0);
    cash += w.issued;
  }

  // A lack that is still open: the reserve account pays it, then the guarantor, as far as it has the money. The
  // rest is a default, and is carried as a gap.
  const Money from_reserve = max(min(-cash, w.reserve), 0);
  cash += from_reserve;
  w.reserve -= from_reserve;
  const Money guaranteed = on.guaranteed * min(max(-cash, 0), on.guarantor);
  cash += guaranteed;
  w.from_parent += guaranteed;
  w.shortfall = max(-cash, 0);
  w.gap += w.shortfall;
  cash += w.shortfall;

  // Cash above the minimum: the gap, the reserve account up to its target, the sweep, the distribution.
  const Money gap_repaid = max(min(w.gap, cash - x.min_cash), 0);
  cash -= gap_repaid;
  w.gap -= gap_repaid;
  const Money target = money(e.reserve_months * static_cast<Real>(debt_service)) + debt.coming;
  const Money to_reserve = max(min(target - w.reserve, cash - x.min_cash), min(target - w.reserve, 0));
  cash -= to_reserve;
  w.reserve += to_reserve;
  const Money excess = max(cash - x.min_cash, 0);
  const Money share = min(money(e.cash_sweep_share * static_cast<Real>(excess)), excess);
  w.swept = min(select(on.sweeps_all, excess, share), debt.sweepable);
  if constexpr (borrower) w.to_parent = select(on.distributes, select(w.gap == 0, excess - w.swept, 0), 0);
  w.cash = cash - w.swept - w.to_parent;
  return w;
}

// A borrower may distribute without debt service, and where its DSCR of the last three months is at or above
// the lock-up's.
HEADROOM_HD bool is_open(const Entity& e, const EntityTerms& x, const WindowRow& last_3) {
  const Real to_serve = static_cast<Real>(last_3.interest) + static_cast<Real>(last_3.principal);
  const Real above = static_cast<Real>(last_3.cfads) - fma(e.lock_up_dscr, to_serve, x.lock_up_base);
  return (above >= 0.0F) | (to_serve <= 0.0F);
}

HEADROOM_HD std::int32_t out_of_range(Money amount) {
  const std::int32_t above = select(amount < (1 << 30), 0, std::int32_t{kOutOfRange});
  return above | select(amount > -(1 << 30), 0, std::int32_t{kOutOfRange});
}
HEADROOM_HD std::int32_t violation_if(bool broken, Violation bit) {
  return select(broken, std::int32_t{bit}, 0);
}

// Assets are liabilities and equity, and every amount is within range.
HEADROOM_HD std::int32_t check_balance_sheet(const Entity& e, Money backlog, const auto& state) {
  const Money assets =
      state.cash + e.restricted_cash + state.reserve + state.receivables + state.ppe + e.other_net_assets;
  const Money liabilities =
      state.debt + state.deferred + state.payables_opex + state.payables_capex + state.gap;
  return violation_if(assets != liabilities + state.equity, kBalanceIdentity) | out_of_range(assets) |
         out_of_range(liabilities) | out_of_range(state.equity) | out_of_range(state.ppe) |
         out_of_range(backlog);
}

// The change in cash, computed a second way: from net income and the movements of the balance sheet.
HEADROOM_HD std::int32_t check_cash(const Entity& e, const EntityTerms& x, const Income& income,
                                    const Waterfall& w, Money upstream, const auto& opening, const auto& flows,
                                    const auto& debt) {
  const Money from_income = income.net_income + e.stock_compensation_month + income.depreciation -
                            income.receivables_change + income.payables_opex_change + income.prepayments;
  const Money invested = flows.capex - income.payables_capex_change;
  const Money financed = debt.drawn + w.revolver_net - debt.principal - debt.maturities - w.swept;
  const Money equity = x.inflow.amount + w.issued + upstream + w.from_parent - w.to_parent;
  const Money before = opening.cash + opening.reserve - opening.gap;
  return violation_if(w.cash + w.reserve - w.gap != before + from_income - invested + financed + equity,
                      kCashIdentity);
}

// Modelled share price, USD: (EV/EBITDA, which moves with tightness, x annualised EBITDA - net debt) / shares.
HEADROOM_HD Real share_price(const Entity& e, Real net_cash, Real shares_million, Real annual_ebitda,
                             Real tightness, Real ledger_usd) {
  const Real multiple = e.ev_to_ebitda * exp(e.ev_tightness_beta * tightness);
  const Real equity = fma(multiple, annual_ebitda, net_cash);
  return max(equity * ledger_usd / (shares_million * 1e6F), 0.0F);
}

// An entity at as_of.
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
  Real quarter_ebitda = 0.0F;
  for (std::int32_t k = 9; k < 12; ++k) quarter_ebitda += static_cast<Real>(s.history[entity * 12 + k].ebitda);
  state.leverage = ratio(static_cast<Real>(state.debt), 4.0F * quarter_ebitda, kRatioCap);
  state.default_month = kNever;
  return state;
}

// The parent at as_of: its part of the state, and the leverage of the whole group. Its shares are shares in the
// whole group.
struct ParentOpening {
  ParentState state;
  Real leverage;
};
HEADROOM_HD ParentOpening open_parent(const Scenario& s) {
  const Entity& parent = s.entity[s.parent()];
  Real ebitda = 0.0F;
  Money cash = 0, debt = 0;
  for (std::int32_t e = 0; e < s.entity.size; ++e) {
    const EntityState each = open_entity(s, e);
    cash += each.cash, debt += each.debt;
    for (std::int32_t k = 9; k < 12; ++k) ebitda += static_cast<Real>(s.history[e * 12 + k].ebitda);
  }
  ParentOpening opening{};
  opening.state.tax_losses = parent.tax_losses;
  opening.state.liquidity = parent.cash + (parent.revolver >= 0 ? s.tranche[parent.revolver].commitment : 0);
  opening.state.shares = parent.shares_million;
  opening.state.share_price =
      share_price(parent, static_cast<Real>(cash) - static_cast<Real>(debt), parent.shares_million,
                  4.0F * ebitda, s.demand.start_tightness, s.ledger_usd);
  opening.leverage = ratio(static_cast<Real>(debt), 4.0F * ebitda, kRatioCap);
  return opening;
}

}  // namespace headroom
