// SPDX-License-Identifier: Apache-2.0
// Tranches in one month: cross-default, interest, principal, maturity, draws, sweeps.
#pragma once

#include <cstdint>

#include "headroom/calendar.hpp"
#include "headroom/capital.hpp"
#include "headroom/hd.hpp"
#include "headroom/market.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// A tranche follows the default of another one: its acceleration, or its borrower's payment default.
template <class Lanes>
HEADROOM_HD void follow_defaults(const Scenario& s, const StateLayout& l, std::int32_t d, Lanes& lanes) {
  const Tranche tranche = s.tranche[d];
  for (std::int32_t k = 0; k < tranche.cross_defaults; ++k) {
    const std::int32_t other = s.cross_default[tranche.first_cross_default + k];
    const std::int32_t borrower = s.tranche[other].entity;
    lanes.each([&](auto p) HEADROOM_LANE {
      TrancheControl control = p.load(l.tranche_control, d);
      const std::int32_t unpaid = select(p.load(l.entity, borrower).default_month < kNever, 1, 0);
      control.follows |= p.load(l.tranche_control, other).accelerated | unpaid;
      p.store(l.tranche_control, control, d);
    });
  }
}

// A tranche whose draws are repaid one by one. The balance drawn by as_of is repaid level from
// amortisation_start to amortisation_end.
template <class Lanes>
HEADROOM_HD void amortise_draws(const Scenario& s, const StateLayout& l, std::int32_t d, std::int32_t month,
                                Lanes& lanes) {
  const Tranche tranche = s.tranche[d];
  LastInstalment opening{0, 0};  // its last instalment falls in this month
  if (tranche.balance > 0 && month >= tranche.amortisation_start && month <= tranche.amortisation_end) {
    const std::int32_t payments = tranche.amortisation_end - tranche.amortisation_start + 1;
    const LastInstalment last = last_instalment(tranche.balance, payments);
    if (month == tranche.amortisation_end) opening = last;
    if (month == tranche.amortisation_start) {
      lanes.each([&](auto p) HEADROOM_LANE {
        Instalments due = p.load(l.instalments, d);
        due.level += last.instalment;
        p.store(l.instalments, due, d);
      });
    }
  }
  const auto pay = [&](auto ending) HEADROOM_LANE {
    lanes.each([&](auto p) HEADROOM_LANE {
      Instalments due = p.load(l.instalments, d);
      const TrancheStep done =
          repay_draws(p.load(l.tranche, d), p.load(l.debt_flows, tranche.entity), due, ending(p));
      p.store(l.instalments, due, d);
      store<&TrancheState::balance>(p, l.tranche, done.state, d);
      store<&DebtFlows::balance, &DebtFlows::amortisation>(p, l.debt_flows, done.flows, tranche.entity);
    });
  };
  const std::int32_t vintage = month - tranche.draw_term_months - tranche.first_draw_month;
  if (vintage < 0 || vintage >= tranche.vintages) {
    pay([&](auto) HEADROOM_LANE { return opening; });
    return;
  }
  pay([&](auto p) HEADROOM_LANE {
    const LastInstalment draw =
        last_instalment(p.load(l.vintage, tranche.first_vintage + vintage).drawn, tranche.draw_term_months);
    return LastInstalment{opening.instalment + draw.instalment, opening.rest + draw.rest};
  });
}

// Records the month's draw. It is repaid on its own from next month on.
template <class Lanes>
HEADROOM_HD void record_draw(const StateLayout& l, const Tranche& tranche, std::int32_t d, std::int32_t month,
                             Lanes& lanes) {
  const std::int32_t vintage = month - tranche.first_draw_month;
  const std::int32_t term = tranche.draw_term_months;
  lanes.each([&](auto p) HEADROOM_LANE {
    Instalments due = p.load(l.instalments, d);
    due.level += last_instalment(p.load(l.tranche, d).balance - due.before, term).instalment;
    p.store(l.instalments, due, d);
  });
  if (vintage < 0 || vintage >= tranche.vintages) return;
  lanes.each([&](auto p) HEADROOM_LANE {
    const Money drawn = p.load(l.tranche, d).balance - p.load(l.instalments, d).before;
    p.store(l.vintage, Vintage{drawn}, tranche.first_vintage + vintage);
  });
}

// The fields that a step of a tranche changes.
template <auto... fields>
struct Fields {};
using Drawn = Fields<&TrancheState::balance, &TrancheState::undrawn, &TrancheState::borrowing_base,
                     &TrancheState::spread>;

// The market as a tranche sees it. For a tranche on plan it is open, at the plan's spread multiplier and
// short rate.
struct TrancheMarket {
  Mask window_on_plan, spread_on_plan, rate_on_plan;
  Real spread_multiplier, short_rate;  // the plan's

  template <class P>
  HEADROOM_HD MarketState seen(const StateLayout& l, const P& p) const {
    MarketState m = p.load(l.market);
    m.window_open = select(window_on_plan, 1, m.window_open);
    m.spread_multiplier = select(spread_on_plan, spread_multiplier, m.spread_multiplier);
    m.short_rate = select(rate_on_plan, short_rate, m.short_rate);
    return m;
  }
};
HEADROOM_HD TrancheMarket tranche_market(const TrancheRow& row) {
  return {Mask(row.window_on_plan), Mask(row.spread_on_plan), Mask(row.rate_on_plan),
          row.plan_spread_multiplier, row.plan_short_rate};
}

// One tranche in one month.
template <class Lanes>
HEADROOM_HD void advance_tranche(const Scenario& s, const StateLayout& l, std::int32_t d, const TrancheRow& row,
                                 std::int32_t month, Lanes& lanes) {
  if (row.gone) return;
  const Tranche tranche = s.tranche[d];
  const Entity entity = s.entity[tranche.entity];
  const CouponTerms coupon = row.coupon;
  const TrancheMarket market = tranche_market(row);
  lanes.each([&](auto p) HEADROOM_LANE {
    store<&DebtFlows::interest, &DebtFlows::balance>(
        p, l.debt_flows,
        pay_interest(coupon, p.load(l.tranche, d), p.load(l.tranche_control, d).margin,
                     p.load(l.debt_flows, tranche.entity), market.seen(l, p)),
        tranche.entity);
  });
  if (tranche.commitment_fee != 0.0F) {
    lanes.each([&](auto p) HEADROOM_LANE {
      store<&DebtFlows::fees>(p, l.debt_flows,
                              pay_commitment_fee(tranche.commitment_fee, p.load(l.tranche, d),
                                                 p.load(l.debt_flows, tranche.entity)),
                              tranche.entity);
    });
  }
  const auto step = [&]<auto... state, auto... flows>(Fields<state...>, Fields<flows...>, auto f)
      HEADROOM_LANE {
    lanes.each([&](auto p) HEADROOM_LANE {
      const TrancheStep done = f(p, p.load(l.tranche, d), p.load(l.debt_flows, tranche.entity));
      store<state...>(p, l.tranche, done.state, d);
      store<&DebtFlows::balance, flows...>(p, l.debt_flows, done.flows, tranche.entity);
    });
  };
  const Real payments_left = row.payments_left;
  if (tranche.draw_term_months > 0) {
    amortise_draws(s, l, d, month, lanes);
  } else if (payments_left > 0.0F) {
    const Mask lease(tranche.lease != 0);
    step(Fields<&TrancheState::balance>{}, Fields<&DebtFlows::amortisation, &DebtFlows::lease_principal>{},
         [&](auto, const TrancheState& state, const DebtFlows& flows)
             HEADROOM_LANE { return amortise(state, flows, payments_left, lease); });
  }
  if (row.callable) {
    const Mask recourse(row.recourse);
    step(Fields<&TrancheState::balance, &TrancheState::undrawn>{},
         Fields<&DebtFlows::maturities, &DebtFlows::called>{},
         [&](auto p, const TrancheState& state, const DebtFlows& flows)
             HEADROOM_LANE { return call_in(p.load(l.tranche_control, d), state, flows, recourse); });
  }
  if (row.matures) {
    const Real conversion_price =
        tranche.kind == TrancheKind::convertible ? tranche.conversion_price_usd : kNeverReal;
    const Real leverage_limit = tranche.refinanceable != 0 ? entity.refinance_leverage_limit : -kNeverReal;
    step(Fields<&TrancheState::balance, &TrancheState::undrawn, &TrancheState::spread,
                &TrancheState::refinanced>{},
         Fields<&DebtFlows::converted, &DebtFlows::maturities, &DebtFlows::new_shares>{},
         [&](auto p, const TrancheState& state, const DebtFlows& flows) HEADROOM_LANE {
           return mature(state, flows, p.load(l.entity, tranche.entity), market.seen(l, p),
                         p.load(l.tranche_control, d).accelerated, conversion_price, leverage_limit,
                         tranche.refinance_spread, s.ledger_usd);
         });
  }
  if (row.second_term_ends) {
    step(Fields<&TrancheState::balance, &TrancheState::undrawn>{}, Fields<&DebtFlows::maturities>{},
         [&](auto, const TrancheState& state, const DebtFlows& flows)
             HEADROOM_LANE { return repay_refinanced(state, flows); });
  }
  if (row.draw_window) {
    const Money at_issue = row.drawn_at_issue;
    const Mask needs_window(tranche.needs_window != 0);
    if (tranche.draw_term_months > 0) {
      lanes.each([&](auto p) HEADROOM_LANE {
        Instalments due = p.load(l.instalments, d);
        due.before = p.load(l.tranche, d).balance;
        p.store(l.instalments, due, d);
      });
    }
    const auto draw_of = [&](auto p) HEADROOM_LANE {
      const Money against_capex =
          money(tranche.advance_rate * static_cast<Real>(p.load(l.tranche_month, d).eligible_capex));
      const MarketState m = market.seen(l, p);
      const std::int32_t window = select(needs_window, m.window_open, 1);
      return Draw{against_capex + at_issue, select(p.load(l.tranche_control, d).draws_stopped != 0, 0, window),
                  select(needs_window, tranche.spread * m.spread_multiplier, tranche.spread)};
    };
    // Nothing is eligible before the window opens, or for a revolver.
    if (row.draws && tranche.capitalises_interest != 0) {
      step(Drawn{}, Fields<&DebtFlows::drawn, &DebtFlows::fees, &DebtFlows::interest>{},
           [&](auto p, const TrancheState& state, const DebtFlows& flows) HEADROOM_LANE {
             const Real c = coupon_of(coupon, state, p.load(l.tranche_control, d).margin, market.seen(l, p));
             return draw_with_interest(draw_of(p), c, tranche.upfront_fee_share, state, flows);
           });
    } else if (row.draws) {
      step(Drawn{}, Fields<&DebtFlows::drawn, &DebtFlows::fees>{},
           [&](auto p, const TrancheState& state, const DebtFlows& flows)
               HEADROOM_LANE { return draw_down(draw_of(p), tranche.upfront_fee_share, state, flows); });
    }
    if (tranche.draw_term_months > 0) record_draw(l, tranche, d, month, lanes);
    if (row.lapses) {
      lanes.each([&](auto p) HEADROOM_LANE {
        TrancheState state = p.load(l.tranche, d);
        state.undrawn = 0;
        store<&TrancheState::undrawn>(p, l.tranche, state, d);
      });
    }
  }
  if (tranche.sweepable == 0 || tranche.kind == TrancheKind::revolver) return;
  const Mask always(tranche.cash_sweep != 0);
  lanes.each([&](auto p) HEADROOM_LANE {
    DebtFlows flows = p.load(l.debt_flows, tranche.entity);
    TrancheState state = p.load(l.tranche, d);
    flows.sweepable += take_sweep(state, p.load(l.tranche_control, d), state.balance, always);
    store<&DebtFlows::sweepable>(p, l.debt_flows, flows, tranche.entity);
  });
}

// Cash swept from an entity goes to its tranches, in their order.
template <class Lanes>
HEADROOM_HD void repay_from_sweep(const Scenario& s, const Calendar& calendar, const StateLayout& l,
                                  std::int32_t entity, std::int32_t month, Lanes& lanes) {
  for (std::int32_t k = calendar.first_swept[entity]; k < calendar.first_swept[entity + 1]; ++k) {
    const std::int32_t d = calendar.swept[k];
    const Mask always(s.tranche[d].cash_sweep != 0);
    lanes.each([&](auto p) HEADROOM_LANE {
      Sweep sweep = p.load(l.sweep, entity);
      TrancheState state = p.load(l.tranche, d);
      sweep.left -= take_sweep(state, p.load(l.tranche_control, d), sweep.left, always);
      store<&TrancheState::balance>(p, l.tranche, state, d);
      p.store(l.sweep, sweep, entity);
      EntityState borrower = p.load(l.entity, entity);
      const Money unpaid = p.load(l.tranche_control, d).accelerated * state.balance;
      borrower.default_month = min(borrower.default_month, select(unpaid > 0, month, kNever));
      store<&EntityState::default_month>(p, l.entity, borrower, entity);
    });
  }
}

}  // namespace headroom
