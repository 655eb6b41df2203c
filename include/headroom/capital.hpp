// Tranches, and how an entity's cash is balanced: MODEL.md 5.
#pragma once

#include "headroom/operations.hpp"

namespace headroom {

HEADROOM_HD TrancheState start_tranche(const Tranche& d) {
  return {
      .balance = d.balance, .undrawn = d.commitment, .borrowing_base = 0, .spread = d.spread, .refinanced = 0};
}

struct TrancheStep {
  TrancheState state;
  DebtFlows flows;
};

// Fee on the undrawn and coupon on the opening balance: the hedged share pays the swap rate, the rest max(r,
// floor); both the spread, and what a breach adds to it. A fixed rate is a hedged share of 1. Draws fall on the
// month end, so the interest of a month is known without a circle.
HEADROOM_HD DebtFlows pay_interest(const TrancheState& state, Real margin, DebtFlows flows,
                                   const MarketState& m, Real hedged_share, Real fixed_leg, Real floor,
                                   Real commitment_fee) {
  const Real hedged = select(state.refinanced != 0, 0.0F, hedged_share);
  const Real coupon =
      fma(hedged, fixed_leg, (1.0F - hedged) * max(m.short_rate, floor)) + state.spread + margin;
  flows.interest += money(static_cast<Real>(state.balance) * coupon * (1.0F / 12.0F));
  flows.fees += money(static_cast<Real>(state.undrawn) * commitment_fee * (1.0F / 12.0F));
  flows.balance += state.balance;
  return flows;
}

// A tranche that lenders have called: nothing more is drawn; the parent, or a borrower that it guarantees, owes
// the balance at once, another only what it has.
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

// Level amortisation of what is drawn over the payments left; a refinanced tranche is a bullet.
HEADROOM_HD TrancheStep amortise(TrancheState state, DebtFlows flows, Real payments_left, Mask lease) {
  const Money level = min(money(static_cast<Real>(state.balance) / payments_left), state.balance);
  const Money paid = select(state.refinanced != 0, 0, level);
  state.balance -= paid;
  flows.balance -= paid;
  flows.amortisation += select(lease, 0, paid);
  flows.lease_principal += select(lease, paid, 0);
  return {state, flows};
}

// At maturity: convert where the share price allows it, refinance where the market does, else repay. The
// undrawn lapses. `conversion_price` and `leverage_limit` are out of reach where a tranche can't convert or be
// refinanced.
HEADROOM_HD TrancheStep mature(TrancheState state, DebtFlows flows, const EntityState& entity,
                               const MarketState& m, Real conversion_price, Real leverage_limit,
                               Real refinance_spread, Real ledger_usd) {
  const bool converts = entity.share_price > conversion_price;
  const bool refinances =
      (!converts) & (m.window_open != 0) & (entity.leverage <= leverage_limit) & (state.balance > 0);
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

// The end of a refinanced tranche's second term.
HEADROOM_HD TrancheStep repay_refinanced(TrancheState state, DebtFlows flows) {
  const Money repaid = select(state.refinanced != 0, state.balance, 0);
  state.balance -= repaid;
  state.undrawn = select(state.refinanced != 0, 0, state.undrawn);
  flows.balance -= repaid;
  flows.maturities += repaid;
  return {state, flows};
}

// Fee on the undrawn; a draw at month end of `wanted`, at most the undrawn, where the market is open or need
// not be.
HEADROOM_HD TrancheStep draw_down(const Tranche& d, TrancheState state, DebtFlows flows, const MarketState& m,
                                  Money newly_eligible, Mask needs_window, std::int32_t stopped) {
  state.borrowing_base = max(state.borrowing_base + newly_eligible, 0);
  const std::int32_t window = select(needs_window, m.window_open, 1);
  const std::int32_t open = select(stopped != 0, 0, window);
  const Money draw = select(open != 0, min(state.borrowing_base, state.undrawn), 0);
  const Real spread = select(needs_window, d.spread * m.spread_multiplier, d.spread);
  const Real drawn = static_cast<Real>(draw);
  const Real before = static_cast<Real>(state.balance);
  state.spread =
      select(draw > 0, fma(before, state.spread, drawn * spread) / max(before + drawn, 1.0F), state.spread);
  state.balance += draw;
  state.undrawn -= draw;
  state.borrowing_base -= draw;
  flows.balance += draw;
  flows.drawn += draw;
  flows.fees += money(drawn * d.upfront_fee_share);
  return {state, flows};
}

// What a sweep leaves to a tranche, in the order of the tranches.
HEADROOM_HD Money take_sweep(TrancheState& state, const TrancheControl& control, Money left, Mask always) {
  const std::int32_t takes = select(always, 1, control.swept | control.accelerated);
  const Money paid = select(takes != 0, min(state.balance, left), 0);
  state.balance -= paid;
  return paid;
}

// The month end of an entity once income and debt service are known.
struct Closing {
  EntityState state;
  TrancheState revolver;
  Money revolver_net;  // drawn less repaid
  Money issued;        // new equity sold
  Money from_parent;   // contributed or under the guarantee
  Money to_parent;     // distributed
  Money swept;
  Money shortfall;  // unmet: payment default; of the parent, liquidity default
};

// A borrower's own ways out of a lack of cash: the parent pays in what of its capex is not financed.
HEADROOM_HD Money contribution(const Entity& e, Money cash, Money unfinanced_capex) {
  return max(min(e.min_cash - cash, e.capex_contributed * unfinanced_capex), 0);
}

// The parent's: repay an open gap and the revolver from what is above the minimum; else draw the revolver, then
// sell equity where the market is open and the price above its floor.
HEADROOM_HD Money raise_cash(const Entity& e, Closing& c, Money cash, const MarketState& m, Mask sells_equity,
                             Real ledger_usd) {
  const Money gap_repaid = max(min(c.state.gap, cash - e.min_cash), 0);
  cash -= gap_repaid;
  c.state.gap -= gap_repaid;
  const Money drawn = max(min(c.revolver.undrawn, e.min_cash - cash), 0);
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

// What remains: the reserve account, the guarantee, else a default whose unpaid rest is carried as a gap.
HEADROOM_HD Money settle_lack(const Entity& e, Closing& c, Money cash) {
  const Money from_reserve = max(min(-cash, c.state.reserve), 0);
  cash += from_reserve;
  c.state.reserve -= from_reserve;
  const Money guaranteed = e.guaranteed * max(-cash, 0);
  cash += guaranteed;
  c.from_parent += guaranteed;
  c.shortfall = max(-cash, 0);
  c.state.gap += c.shortfall;
  return cash + c.shortfall;
}

// Cash above the minimum, in order: an open gap, the reserve account up to its target, the sweep, the
// distribution (a borrower's, unless locked).
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
