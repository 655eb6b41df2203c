// SPDX-License-Identifier: Apache-2.0
// Tranches, and how an entity's cash is balanced. See MODEL.md 5.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/market.hpp"
#include "headroom/math.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

HEADROOM_HD TrancheState start_tranche(const Tranche& d) {
  return {
      .balance = d.balance, .undrawn = d.commitment, .borrowing_base = 0, .spread = d.spread, .refinanced = 0};
}

struct TrancheStep {
  TrancheState state;
  DebtFlows flows;
};

// The terms of a tranche's coupon that are the same on every path.
struct CouponTerms {
  Real hedged_share, fixed_leg, floor, step_up;
};
HEADROOM_HD CouponTerms coupon_terms(const Scenario& s, const Tranche& d, std::int32_t month) {
  Real step_up = 0.0F;
  for (std::int32_t k = 0; k < d.step_ups; ++k) {
    const StepUp& each = s.step_up[d.first_step_up + k];
    if (month >= each.month) step_up += each.add;
  }
  const bool fixed = d.fixed_rate > 0.0F;
  return {fixed ? 1.0F : d.hedged_share, fixed ? d.fixed_rate : d.swap_rate, d.floor, step_up};
}

// Rate per year. The hedged share pays the swap rate, the rest pays max(r, floor). Both pay the spread, its
// step-ups and the margin that a breach adds. A fixed rate is a hedged share of 1.
HEADROOM_HD Real coupon_of(const CouponTerms& x, const TrancheState& state, Real margin, const MarketState& m) {
  const Real hedged = select(state.refinanced != 0, 0.0F, x.hedged_share);
  return fma(hedged, x.fixed_leg, (1.0F - hedged) * max(m.short_rate, x.floor)) + state.spread +
         (margin + x.step_up);
}
HEADROOM_HD Money interest_of(Real balance, Real coupon) { return money(balance * coupon * (1.0F / 12.0F)); }

// The coupon on the opening balance and the fee on the undrawn amount. Draws fall on the month end, so the
// month's interest does not depend on the month's draw. The exception is a draw that pays interest itself:
// draw_with_interest().
HEADROOM_HD DebtFlows pay_interest(const CouponTerms& x, const TrancheState& state, Real margin,
                                   DebtFlows flows, const MarketState& m) {
  flows.interest += interest_of(static_cast<Real>(state.balance), coupon_of(x, state, margin, m));
  flows.balance += state.balance;
  return flows;
}
HEADROOM_HD DebtFlows pay_commitment_fee(Real fee, const TrancheState& state, DebtFlows flows) {
  flows.fees += money(static_cast<Real>(state.undrawn) * fee * (1.0F / 12.0F));
  return flows;
}

// A tranche that its lenders have called. Nothing more is drawn. The parent, or a borrower that the parent
// guarantees, owes the whole balance at once; any other borrower owes only the cash that it has.
HEADROOM_HD TrancheStep call_in(const TrancheControl& control, TrancheState state, DebtFlows flows,
                                Mask recourse) {
  const Money called = select(control.accelerated != 0, state.balance, 0);
  const Money due = select(recourse, called, 0);
  state.undrawn = select(control.accelerated != 0, 0, state.undrawn);
  state.balance -= due;
  flows.maturities += due;
  flows.balance -= due;
  flows.called += called - due;
  return {state, flows};
}

// Level amortisation of the drawn balance over the payments left. A refinanced tranche is a bullet.
HEADROOM_HD TrancheStep amortise(TrancheState state, DebtFlows flows, Real payments_left, Mask lease) {
  const Money level = min(money(static_cast<Real>(state.balance) / payments_left), state.balance);
  const Money paid = select(state.refinanced != 0, 0, level);
  state.balance -= paid;
  flows.balance -= paid;
  flows.amortisation += select(lease, 0, paid);
  flows.lease_principal += select(lease, paid, 0);
  return {state, flows};
}

// At maturity a tranche is converted if the share price allows it. Else it is extended if the market allows
// it and the lenders have not called it (drawn or not). Else it is repaid, and the undrawn amount lapses. A
// tranche that cannot convert or be refinanced gets a `conversion_price` or `leverage_limit` that is never
// reached.
HEADROOM_HD TrancheStep mature(TrancheState state, DebtFlows flows, const EntityState& entity,
                               const MarketState& m, std::int32_t accelerated, Real conversion_price,
                               Real leverage_limit, Real refinance_spread, Real ledger_usd) {
  const bool converts = entity.share_price > conversion_price;
  const bool refinances =
      (!converts) & (m.window_open != 0) & (entity.leverage <= leverage_limit) & (accelerated == 0);
  const Money converted = select(converts, state.balance, 0);
  const Money repaid = select(converts | refinances, 0, state.balance);
  state.balance -= converted + repaid;
  state.spread = select(refinances, refinance_spread * m.spread_multiplier, state.spread);
  state.refinanced = select(refinances, 1, state.refinanced);
  state.undrawn = select(refinances, state.undrawn, 0);
  flows.balance -= converted + repaid;
  flows.converted += converted;
  flows.maturities += repaid;
  flows.new_shares += static_cast<Real>(converted) * ledger_usd / (conversion_price * 1e6F);
  return {state, flows};
}

// The end of a refinanced tranche's second term: the balance is repaid.
HEADROOM_HD TrancheStep repay_refinanced(TrancheState state, DebtFlows flows) {
  const Money repaid = select(state.refinanced != 0, state.balance, 0);
  state.balance -= repaid;
  state.undrawn = select(state.refinanced != 0, 0, state.undrawn);
  flows.balance -= repaid;
  flows.maturities += repaid;
  return {state, flows};
}

// An amount is repaid level over a term, in whole units: the monthly instalment, and the rounding rest that
// is added to the last one.
struct LastInstalment {
  Money instalment, rest;
};
HEADROOM_HD LastInstalment last_instalment(Money amount, std::int32_t term_months) {
  const Money instalment = money(static_cast<Real>(amount) / static_cast<Real>(term_months));
  return {instalment, amount - term_months * instalment};
}

// Each draw is repaid on its own. A draw that ends this month pays its last instalment, and nothing is due
// for it afterwards. A refinanced tranche is a bullet.
HEADROOM_HD TrancheStep repay_draws(TrancheState state, DebtFlows flows, Instalments& due,
                                    const LastInstalment& ending) {
  const Money level = max(min(due.level + ending.rest, state.balance), 0);
  const Money paid = select(state.refinanced != 0, 0, level);
  due.level -= ending.instalment;
  state.balance -= paid;
  flows.balance -= paid;
  flows.amortisation += paid;
  return {state, flows};
}

// Inputs of a month's draw.
struct Draw {
  Money newly_eligible;
  std::int32_t open;  // 1: the market is open or not needed, and no breach has stopped draws
  Real spread;        // of this draw; locked when it is drawn
};

HEADROOM_HD TrancheStep book_draw(const Draw& x, Money draw, Money of_base, Real upfront_fee_share,
                                  TrancheState state, DebtFlows flows) {
  const Real drawn = static_cast<Real>(draw);
  const Real before = static_cast<Real>(state.balance);
  state.spread =
      select(draw > 0, fma(before, state.spread, drawn * x.spread) / max(before + drawn, 1.0F), state.spread);
  state.balance += draw;
  state.undrawn -= draw;
  state.borrowing_base -= of_base;
  flows.balance += draw;
  flows.drawn += draw;
  flows.fees += money(drawn * upfront_fee_share);
  return {state, flows};
}

// A draw at the month end: the eligible amount, at most the undrawn.
HEADROOM_HD TrancheStep draw_down(const Draw& x, Real upfront_fee_share, TrancheState state, DebtFlows flows) {
  state.borrowing_base = max(state.borrowing_base + x.newly_eligible, 0);
  const Money draw = select(x.open != 0, min(state.borrowing_base, state.undrawn), 0);
  return book_draw(x, draw, draw, upfront_fee_share, state, flows);
}

// A draw in mid-month that also pays the month's interest, including its own half month. With opening balance
// B, eligible amount A and coupon c: D = A + c/12 (B + D/2), so D = (A + c/12 B) / (1 - c/24).
HEADROOM_HD TrancheStep draw_with_interest(const Draw& x, Real coupon, Real upfront_fee_share,
                                           TrancheState state, DebtFlows flows) {
  state.borrowing_base = max(state.borrowing_base + x.newly_eligible, 0);
  const Money on_balance = interest_of(static_cast<Real>(state.balance), coupon);
  const Real half_month = coupon * (1.0F / 24.0F);
  const Money wanted = money(static_cast<Real>(state.borrowing_base + on_balance) / (1.0F - half_month));
  const Money draw = select(x.open != 0, min(wanted, state.undrawn), 0);
  const Money on_draw = money(static_cast<Real>(draw) * half_month);
  flows.interest += on_draw;
  const Money of_base = max(min(draw - on_balance - on_draw, state.borrowing_base), 0);
  return book_draw(x, draw, of_base, upfront_fee_share, state, flows);
}

// Pays a tranche its part of a sweep: at most what the tranches before it left. Returns the amount paid.
HEADROOM_HD Money take_sweep(TrancheState& state, const TrancheControl& control, Money left, Mask always) {
  const std::int32_t takes = select(always, 1, control.swept | control.accelerated);
  const Money paid = select(takes != 0, min(state.balance, left), 0);
  state.balance -= paid;
  return paid;
}

// An entity's month end, once income and debt service are known.
struct Closing {
  EntityState state;
  TrancheState revolver;
  Money revolver_net;  // drawn less repaid
  Money issued;        // new equity sold
  Money from_parent;   // contributed, or paid under the guarantee
  Money to_parent;     // distributed
  Money swept;
  Money shortfall;  // unmet: the borrower's payment default, or the parent's liquidity default
};

// Whether the parent pays in this month what a borrower cannot pay.
HEADROOM_HD bool guarantees(const Entity& e, std::int32_t month) {
  return e.guaranteed != 0 && month <= e.guarantee_end;
}

// A borrower that lacks cash: the parent contributes up to the capex that draws left open.
HEADROOM_HD Money contribution(const Entity& e, Money cash, Money unfinanced_capex) {
  return max(min(e.min_cash - cash, e.capex_contributed * unfinanced_capex), 0);
}

// The parent. Cash above the minimum repays an open gap and then the revolver. A lack of cash is drawn on the
// revolver, then raised by selling equity if the market is open and the price is above its floor.
HEADROOM_HD Money raise_cash(const Entity& e, Closing& c, Money cash, const MarketState& m, Mask sells_equity,
                             std::int32_t draws_stopped, Real ledger_usd) {
  const Money gap_repaid = max(min(c.state.gap, cash - e.min_cash), 0);
  cash -= gap_repaid;
  c.state.gap -= gap_repaid;
  const Money available = select(draws_stopped != 0, 0, c.revolver.undrawn);
  const Money drawn = max(min(available, e.min_cash - cash), 0);
  const Money repaid = max(min(c.revolver.balance, cash - e.min_cash), 0);
  cash += drawn - repaid;
  c.revolver.balance += drawn - repaid;
  c.revolver.undrawn += repaid - drawn;
  c.revolver_net = drawn - repaid;
  c.state.debt += c.revolver_net;

  const bool may_issue = (m.window_open != 0) & (c.state.share_price >= e.issue_floor_price_usd);
  const Money wanted = max(min(e.min_cash - cash, e.issue_max_quarter - c.state.issued_in_quarter), 0);
  c.issued = select(sells_equity, select(may_issue, wanted, 0), 0);
  c.state.issued_in_quarter += c.issued;
  c.state.shares += static_cast<Real>(c.issued) * ledger_usd / (max(c.state.share_price, 0.01F) * 1e6F);
  c.state.equity += c.issued;
  return cash + c.issued;
}

// A lack of cash that is still open: the reserve account pays it, then the guarantee; the rest is a default
// and is carried as a gap.
HEADROOM_HD Money settle_lack(Closing& c, Money cash, std::int32_t guaranteed_now) {
  const Money from_reserve = max(min(-cash, c.state.reserve), 0);
  cash += from_reserve;
  c.state.reserve -= from_reserve;
  const Money guaranteed = guaranteed_now * max(-cash, 0);
  cash += guaranteed;
  c.from_parent += guaranteed;
  c.shortfall = max(-cash, 0);
  c.state.gap += c.shortfall;
  return cash + c.shortfall;
}

// Cash above the minimum is used in this order: an open gap, the reserve account up to its target, the sweep,
// the distribution (of a borrower, unless it is locked up).
HEADROOM_HD Money use_excess(const Entity& e, Closing& c, Money cash, Money debt_service, Money sweepable,
                             std::int32_t sweeps_all, std::int32_t distributes) {
  const Money gap_repaid = max(min(c.state.gap, cash - e.min_cash), 0);
  cash -= gap_repaid;
  c.state.gap -= gap_repaid;
  const Money target = money(e.reserve_months * static_cast<Real>(debt_service));
  const Money to_reserve =
      max(min(target - c.state.reserve, cash - e.min_cash), min(target - c.state.reserve, 0));
  cash -= to_reserve;
  c.state.reserve += to_reserve;
  const Money excess = max(cash - e.min_cash, 0);
  const Money share = min(money(e.cash_sweep_share * static_cast<Real>(excess)), excess);
  c.swept = min(select(sweeps_all != 0, excess, share), sweepable);
  c.state.debt -= c.swept;
  c.to_parent = select(distributes != 0, select(c.state.gap == 0, excess - c.swept, 0), 0);
  return cash - c.swept - c.to_parent;
}

// Modelled share price, USD: (EV/EBITDA, which moves with tightness, x annualised EBITDA - net debt) / shares.
HEADROOM_HD Real share_price(const Entity& e, Real net_cash, Real shares_million, Real annual_ebitda,
                             Real tightness, Real ledger_usd) {
  const Real multiple = e.ev_to_ebitda * exp(e.ev_tightness_beta * tightness);
  const Real equity = fma(multiple, annual_ebitda, net_cash);
  return max(equity * ledger_usd / (shares_million * 1e6F), 0.0F);
}

}  // namespace headroom
