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
// floor); both the spread. A fixed rate is a hedged share of 1. Draws fall on the month end, so the interest of
// a month is known without a circle.
HEADROOM_HD DebtFlows pay_interest(const TrancheState& state, DebtFlows flows, const MarketState& m,
                                   Real hedged_share, Real fixed_leg, Real floor, Real commitment_fee) {
  const Real hedged = select(state.refinanced != 0, 0.0F, hedged_share);
  const Real coupon = fma(hedged, fixed_leg, (1.0F - hedged) * max(m.short_rate, floor)) + state.spread;
  flows.interest += money(static_cast<Real>(state.balance) * coupon * (1.0F / 12.0F));
  flows.fees += money(static_cast<Real>(state.undrawn) * commitment_fee * (1.0F / 12.0F));
  return flows;
}

// Level amortisation of what is drawn over the payments left; a refinanced tranche is a bullet.
HEADROOM_HD TrancheStep amortise(TrancheState state, DebtFlows flows, Real payments_left, Mask lease) {
  const Money level = min(money(static_cast<Real>(state.balance) / payments_left), state.balance);
  const Money paid = select(state.refinanced != 0, 0, level);
  state.balance -= paid;
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
  flows.maturities += repaid;
  return {state, flows};
}

// Fee on the undrawn; a draw at month end of `wanted`, at most the undrawn, where the market is open or need
// not be.
HEADROOM_HD TrancheStep draw_down(const Tranche& d, TrancheState state, DebtFlows flows, const MarketState& m,
                                  Money newly_eligible, Mask needs_window) {
  state.borrowing_base = max(state.borrowing_base + newly_eligible, 0);
  const std::int32_t open = select(needs_window, m.window_open, 1);
  const Money draw = select(open != 0, min(state.borrowing_base, state.undrawn), 0);
  const Real spread = select(needs_window, d.spread * m.spread_multiplier, d.spread);
  const Real drawn = static_cast<Real>(draw);
  const Real before = static_cast<Real>(state.balance);
  state.spread =
      select(draw > 0, fma(before, state.spread, drawn * spread) / max(before + drawn, 1.0F), state.spread);
  state.balance += draw;
  state.undrawn -= draw;
  state.borrowing_base -= draw;
  flows.drawn += draw;
  flows.fees += money(drawn * d.upfront_fee_share);
  return {state, flows};
}

// The month end of an entity once income and debt service are known.
struct Closing {
  EntityState state;
  TrancheState revolver;
  Money revolver_net;  // drawn less repaid
  Money issued;        // new equity sold
  Money shortfall;     // unmet: liquidity default
  Money gap_repaid;
};

// Cash left is carried down the ladder: repay an open gap and the revolver from what is above the minimum;
// else draw the revolver, then sell equity where the market is open and the price above its floor, else
// default.
HEADROOM_HD Closing balance_cash(const Entity& e, EntityState state, Money cash, TrancheState revolver,
                                 const MarketState& m, Real ledger_usd) {
  Closing c;
  const Money gap_repaid = max(min(state.gap, cash - e.min_cash), 0);
  cash -= gap_repaid;
  const Money drawn = max(min(revolver.undrawn, e.min_cash - cash), 0);
  const Money repaid = max(min(revolver.balance, cash - e.min_cash), 0);
  cash += drawn - repaid;
  revolver.balance += drawn - repaid;
  revolver.undrawn += repaid - drawn;

  const bool may_issue = (m.window_open != 0) & (state.share_price >= e.issue_floor_price_usd);
  const Money issued =
      select(may_issue, max(min(e.min_cash - cash, e.issue_max_quarter - state.issued_in_quarter), 0), 0);
  cash += issued;
  state.issued_in_quarter += issued;
  state.shares += static_cast<Real>(issued) * ledger_usd / (max(state.share_price, 0.01F) * 1e6F);
  state.equity += issued;

  c.shortfall = max(-cash, 0);
  state.cash = cash + c.shortfall;
  state.gap += c.shortfall - gap_repaid;
  c.revolver_net = drawn - repaid;
  state.debt += c.revolver_net;
  state.liquidity = state.cash + revolver.undrawn;
  c.state = state;
  c.revolver = revolver;
  c.issued = issued;
  c.gap_repaid = gap_repaid;
  return c;
}

// Modelled share price, USD: (EV/EBITDA, which moves with tightness, x annualised EBITDA - net debt) / shares.
HEADROOM_HD Real share_price(const Entity& e, const EntityState& state, Real annual_ebitda, Real tightness,
                             Real ledger_usd) {
  const Real multiple = e.ev_to_ebitda * exp(e.ev_tightness_beta * tightness);
  const Real equity =
      fma(multiple, annual_ebitda,
          static_cast<Real>(state.cash) - static_cast<Real>(state.debt) - static_cast<Real>(state.gap));
  return max(equity * ledger_usd / (state.shares * 1e6F), 0.0F);
}

}  // namespace headroom
