// SPDX-License-Identifier: Apache-2.0
// Tranches: interest, principal, maturity, draws, sweeps. See MODEL.md 5.
// The last arguments of a function are what it changes: the tranche's state, and the month of its entity's
// debt.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/model/market.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

HEADROOM_HD TrancheState start_tranche(const Tranche& d) {
  TrancheState state{};
  state.balance = d.balance;
  state.undrawn = d.commitment;
  state.spread = d.spread;
  return state;
}

HEADROOM_HD bool is(std::int32_t standing, std::int32_t bits) { return (standing & bits) != 0; }

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
HEADROOM_HD Real coupon_of(const CouponTerms& x, Real short_rate, const auto& state) {
  const Real hedged = select(is(state.standing, kRefinanced), 0.0F, x.hedged_share);
  return fma(hedged, x.fixed_leg, (1.0F - hedged) * max(short_rate, x.floor)) + state.spread +
         (state.margin + x.step_up);
}
HEADROOM_HD Money interest_of(Real balance, Real coupon) { return money(balance * coupon * (1.0F / 12.0F)); }

// The coupon on the opening balance. Draws fall on the month end, so the month's interest does not depend on
// the month's draw. The exception is a draw that pays interest itself: draw_with_interest().
HEADROOM_HD void pay_interest(const CouponTerms& x, Real short_rate, const auto& state, auto&& debt) {
  const Money balance = state.balance;
  debt.interest += interest_of(static_cast<Real>(balance), coupon_of(x, short_rate, state));
  debt.balance += balance;
}

// The fee on the undrawn amount.
HEADROOM_HD void pay_commitment_fee(Real fee, const auto& state, auto&& debt) {
  debt.fees += money(static_cast<Real>(state.undrawn) * fee * (1.0F / 12.0F));
}

// Pays principal out of the balance.
HEADROOM_HD void repay(Money paid, auto&& state, auto&& debt) {
  state.balance -= paid;
  debt.balance -= paid;
}

// A tranche that its lenders have called. Nothing more is drawn. The parent, or a borrower that the parent
// guarantees, owes the whole balance at once; any other borrower owes only the cash that it has.
HEADROOM_HD void call_in(auto recourse, auto&& state, auto&& debt) {
  const bool accelerated = is(state.standing, kAccelerated);
  const Money called = select(accelerated, state.balance, 0);
  const Money due = select(recourse, called, 0);
  state.undrawn = select(accelerated, 0, state.undrawn);
  repay(due, state, debt);
  debt.maturities += due;
  debt.called += called - due;
}

// Level amortisation of the drawn balance over the payments left. A refinanced tranche is a bullet.
HEADROOM_HD void amortise(Real payments_left, std::int32_t waits_for, auto&& state, auto&& debt) {
  const Money level = min(money(static_cast<Real>(state.balance) / payments_left), state.balance);
  const Money due = select(waits_for > 0, 0, level);
  const Money paid = select(is(state.standing, kRefinanced), 0, due);
  repay(paid, state, debt);
  debt.principal += paid;
}

// What a maturity depends on. A tranche that cannot convert or be refinanced gets a `conversion_price` or
// `leverage_limit` that is never reached.
struct MaturityTerms {
  Real conversion_price, leverage_limit;
  Real refinance_spread;  // per year, over the short rate, before the multiplier
  Real ledger_usd;
};

// At maturity a tranche is converted if the share price allows it. Else it is extended if the market allows
// it and the lenders have not called it (drawn or not). Else it is repaid, and the undrawn amount lapses.
HEADROOM_HD void mature(const MaturityTerms& x, Real share_price, Real leverage, const auto& market,
                        auto&& state, auto&& debt) {
  const std::int32_t standing = state.standing;
  const bool converts = share_price > x.conversion_price;
  const bool refinances = (!converts) & (market.window_open != 0) & (leverage <= x.leverage_limit) &
                          ((standing & kAccelerated) == 0);
  const Money converted = select(converts, state.balance, 0);
  const Money repaid = select(converts | refinances, 0, state.balance);
  state.spread = select(refinances, x.refinance_spread * market.spread_multiplier, state.spread);
  state.standing = standing | select(refinances, std::int32_t{kRefinanced}, 0);
  state.undrawn = select(refinances, state.undrawn, 0);
  repay(converted + repaid, state, debt);
  debt.converted += converted;
  debt.maturities += repaid;
  debt.new_shares += static_cast<Real>(converted) * x.ledger_usd / (x.conversion_price * 1e6F);
}

// The end of a refinanced tranche's second term: the balance is repaid.
HEADROOM_HD void repay_refinanced(auto&& state, auto&& debt) {
  const bool refinanced = is(state.standing, kRefinanced);
  const Money repaid = select(refinanced, state.balance, 0);
  state.undrawn = select(refinanced, 0, state.undrawn);
  repay(repaid, state, debt);
  debt.maturities += repaid;
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
HEADROOM_HD void repay_draws(const LastInstalment& ending, auto&& due, auto&& state, auto&& debt) {
  const Money level = max(min(due.level + ending.rest, state.balance), 0);
  const Money paid = select(is(state.standing, kRefinanced), 0, level);
  due.level -= ending.instalment;
  repay(paid, state, debt);
  debt.principal += paid;
}

// A month's draw.
struct Draw {
  Money newly_eligible;
  std::int32_t open;  // 1: the market is open or not needed, and no breach has stopped draws
  Real spread;        // of this draw; locked when it is drawn
};

// `of_base`: the part that was eligible before.
HEADROOM_HD void book_draw(const Draw& x, Money draw, Money of_base, Real upfront_fee_share, auto&& state,
                           auto&& debt) {
  const Real drawn = static_cast<Real>(draw);
  const Real before = static_cast<Real>(state.balance);
  state.spread =
      select(draw > 0, fma(before, state.spread, drawn * x.spread) / max(before + drawn, 1.0F), state.spread);
  state.balance += draw;
  state.undrawn -= draw;
  state.borrowing_base -= of_base;
  debt.balance += draw;
  debt.drawn += draw;
  debt.fees += money(drawn * upfront_fee_share);
}

// A draw at the month end: the eligible amount, at most the undrawn.
HEADROOM_HD void draw_down(const Draw& x, Real upfront_fee_share, auto&& state, auto&& debt) {
  const Money base = max(state.borrowing_base + x.newly_eligible, 0);
  state.borrowing_base = base;
  const Money draw = select(x.open != 0, min(base, state.undrawn), 0);
  book_draw(x, draw, draw, upfront_fee_share, state, debt);
}

// A draw in mid-month that also pays the month's interest, including its own half month. With opening balance
// B, eligible amount A and coupon c: D = A + c/12 (B + D/2), so D = (A + c/12 B) / (1 - c/24).
HEADROOM_HD void draw_with_interest(const Draw& x, Real coupon, Real upfront_fee_share, auto&& state,
                                    auto&& debt) {
  const Money base = max(state.borrowing_base + x.newly_eligible, 0);
  state.borrowing_base = base;
  const Money on_balance = interest_of(static_cast<Real>(state.balance), coupon);
  const Real half_month = coupon * (1.0F / 24.0F);
  const Money wanted = money(static_cast<Real>(base + on_balance) / (1.0F - half_month));
  const Money draw = select(x.open != 0, min(wanted, state.undrawn), 0);
  const Money on_draw = money(static_cast<Real>(draw) * half_month);
  debt.interest += on_draw;
  book_draw(x, draw, max(min(draw - on_balance - on_draw, base), 0), upfront_fee_share, state, debt);
}

// A programme issues notes: what liquidity lacks, at most what is left of the quarter. `borrowing_base` counts
// what was issued in the quarter.
HEADROOM_HD void issue_notes(Money lacking, Money most_in_quarter, std::int32_t open, Real spread,
                             Real upfront_fee_share, auto&& state, auto&& debt) {
  const Money room = max(min(most_in_quarter - state.borrowing_base, state.undrawn), 0);
  const Money issued = select(open != 0, max(min(lacking, room), 0), 0);
  book_draw({issued, open, spread}, issued, -issued, upfront_fee_share, state, debt);
}

// The end of a window whose sites are late: it is extended for a fee, or the undrawn amount lapses.
HEADROOM_HD void extend_window(std::int32_t late, Real fee_share, auto&& state, auto&& debt) {
  const Money kept = select(late > 0, state.undrawn, 0);
  state.undrawn = kept;
  debt.fees += money(static_cast<Real>(kept) * fee_share);
}

// Pays a tranche its part of a sweep: at most what the tranches before it left.
HEADROOM_HD Money swept_to(Mask always, Money left, const auto& state) {
  const std::int32_t takes = select(always, 1, state.standing & (kSwept | kAccelerated));
  return select(takes != 0, min(state.balance, left), 0);
}

// Whether the parent pays in this month what a borrower cannot pay.
HEADROOM_HD bool guarantees(const Entity& e, std::int32_t month) {
  return e.guaranteed != 0 && month <= e.guarantee_end;
}

}  // namespace headroom
