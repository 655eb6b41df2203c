// SPDX-License-Identifier: Apache-2.0
// Tranches in one month: cross-default, interest, principal, maturity, draws, sweeps.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/model/tranche.hpp"
#include "headroom/month/calendar.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// A tranche follows the default of another one: its acceleration, or its borrower's payment default. All
// follow at once: a cross-default passes one tranche a month along a chain, in whatever order the tranches
// stand.
template <class Lanes>
HEADROOM_HD void follow_defaults(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  if (!s.on(kConsequences)) return;
  const View<std::int32_t>& following = now.calendar.following;
  for (std::int32_t k = 0; k < following.size; ++k) {
    const std::int32_t d = following[k];
    for (std::int32_t j = 0; j < s.tranche[d].cross_defaults; ++j) {
      const std::int32_t other = s.cross_default[s.tranche[d].first_cross_default + j];
      const std::int32_t borrower = s.tranche[other].entity;
      lanes.each([&](auto p) HEADROOM_LANE {
        const std::int32_t unpaid = select(p.at(l.entity, borrower).default_month < kNever, 1, 0);
        const std::int32_t failed = unpaid | (p.at(l.tranche, other).standing & kAccelerated);
        p.at(l.tranche, d).standing |= select(failed != 0, std::int32_t{kFollows}, 0);
      });
    }
  }
  for (std::int32_t k = 0; k < following.size; ++k) {
    const std::int32_t d = following[k];
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto tranche = p.at(l.tranche, d);
      const std::int32_t standing = tranche.standing;
      tranche.standing = (standing & ~kFollows) | select(is(standing, kFollows), std::int32_t{kAccelerated}, 0);
    });
  }
}

// A tranche whose draws are repaid one by one. The balance drawn by as_of is repaid level from
// amortisation_start to amortisation_end.
template <class Lanes>
HEADROOM_HD void amortise_draws(const Now& now, std::int32_t d, Lanes& lanes) {
  const StateLayout& l = now.l;
  const std::int32_t month = now.month;
  const Tranche tranche = now.s.tranche[d];
  LastInstalment opening{0, 0};  // its last instalment falls in this month
  if (tranche.balance > 0 && month >= tranche.amortisation_start && month <= tranche.amortisation_end) {
    const std::int32_t payments = tranche.amortisation_end - tranche.amortisation_start + 1;
    const LastInstalment last = last_instalment(tranche.balance, payments);
    if (month == tranche.amortisation_end) opening = last;
    if (month == tranche.amortisation_start)
      lanes.each([&](auto p) HEADROOM_LANE { p.at(l.instalments, d).level += last.instalment; });
  }
  const auto pay = [&](auto ending) HEADROOM_LANE {
    lanes.each([&](auto p) HEADROOM_LANE {
      repay_draws(ending(p), p.at(l.instalments, d), p.at(l.tranche, d), p.at(l.debt_month));
    });
  };
  const std::int32_t vintage = month - tranche.draw_term_months - tranche.first_draw_month;
  if (vintage < 0 || vintage >= tranche.vintages) {
    pay([&](auto) HEADROOM_LANE { return opening; });
    return;
  }
  pay([&](auto p) HEADROOM_LANE {
    const LastInstalment draw =
        last_instalment(p.at(l.vintage, tranche.first_vintage + vintage).drawn, tranche.draw_term_months);
    return LastInstalment{opening.instalment + draw.instalment, opening.rest + draw.rest};
  });
}

// Records the month's draw. It is repaid on its own from next month on.
template <class Lanes>
HEADROOM_HD void record_draw(const Now& now, std::int32_t d, Lanes& lanes) {
  const StateLayout& l = now.l;
  const Tranche& tranche = now.s.tranche[d];
  const std::int32_t vintage = now.month - tranche.first_draw_month, term = tranche.draw_term_months;
  const std::int32_t slot = tranche.first_vintage + vintage;
  const bool kept = vintage >= 0 && vintage < tranche.vintages;
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto due = p.at(l.instalments, d);
    due.level += last_instalment(p.at(l.tranche, d).balance - due.before, term).instalment;
  });
  if (!kept) return;
  lanes.each([&](auto p) HEADROOM_LANE {
    p.at(l.vintage, slot).drawn = p.at(l.tranche, d).balance - p.at(l.instalments, d).before;
  });
}

// The market as a tranche sees it. For a tranche on plan it is open, at the plan's spread multiplier and
// short rate.
struct TrancheMarket {
  std::int32_t window_open;
  Real spread_multiplier, short_rate;
};
struct TrancheView {
  Mask window_on_plan, spread_on_plan, rate_on_plan;
  Real plan_spread_multiplier, plan_short_rate;

  HEADROOM_HD explicit TrancheView(const TrancheRow& row)
      : window_on_plan(row.window_on_plan),
        spread_on_plan(row.spread_on_plan),
        rate_on_plan(row.rate_on_plan),
        plan_spread_multiplier(row.plan_spread_multiplier),
        plan_short_rate(row.plan_short_rate) {}
  HEADROOM_HD Real short_rate(const auto& m) const {
    return select(rate_on_plan, plan_short_rate, m.short_rate);
  }
  HEADROOM_HD TrancheMarket operator()(const auto& m) const {
    return {select(window_on_plan, 1, m.window_open),
            select(spread_on_plan, plan_spread_multiplier, m.spread_multiplier), short_rate(m)};
  }
};

// The draw of a tranche, and the end of its window.
template <class Lanes>
HEADROOM_HD void draw_tranche(const Now& now, std::int32_t d, Lanes& lanes) {
  const StateLayout& l = now.l;
  Held<Tranche> tranche = now.s.tranche[d];
  Held<TrancheRow> row = now.tranche(d);
  const TrancheView market(row);
  const Mask needs_window(tranche.needs_window != 0);
  const std::int32_t eligible = now.calendar.eligible[d];
  if (tranche.draw_term_months > 0)
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.instalments, d).before = p.at(l.tranche, d).balance; });
  const auto draw_of = [&](auto p) HEADROOM_LANE {
    const Money against_capex =
        money(tranche.advance_rate * static_cast<Real>(p.at(l.eligible, eligible).capex));
    const TrancheMarket m = market(p.at(l.market));
    const std::int32_t standing = p.at(l.tranche, d).standing;
    const std::int32_t open = select(is(standing, kSigned), 1, m.window_open);
    return Draw{against_capex + row.drawn_at_issue,
                select(is(standing, kDrawsStopped), 0, select(needs_window, open, 1)),
                select(needs_window, tranche.spread * m.spread_multiplier, tranche.spread)};
  };
  // Nothing is eligible before the window opens, or for a revolver.
  if (row.draws && tranche.capitalises_interest != 0) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto state = p.at(l.tranche, d);
      const Real coupon = coupon_of(row.coupon, market.short_rate(p.at(l.market)), state);
      draw_with_interest(draw_of(p), coupon, tranche.upfront_fee_share, state, p.at(l.debt_month));
    });
  } else if (row.draws) {
    lanes.each([&](auto p) HEADROOM_LANE {
      draw_down(draw_of(p), tranche.upfront_fee_share, p.at(l.tranche, d), p.at(l.debt_month));
    });
  }
  if (tranche.draw_term_months > 0) record_draw(now, d, lanes);
  if (row.extends) {
    lanes.each([&](auto p) HEADROOM_LANE {
      extend_window(p.at(l.completion, eligible).late, tranche.extension_fee_share, p.at(l.tranche, d),
                    p.at(l.debt_month));
    });
  }
  if (row.lapses) lanes.each([&](auto p) HEADROOM_LANE { p.at(l.tranche, d).undrawn = 0; });
}

// A programme of notes, which management draws before liquidity is short.
template <class Lanes>
HEADROOM_HD void issue_programme(const Now& now, std::int32_t d, Lanes& lanes) {
  const StateLayout& l = now.l;
  Held<Tranche> tranche = now.s.tranche[d];
  Held<TrancheRow> row = now.tranche(d);
  const TrancheView market(row);
  const Mask restarts(row.quarter_starts);
  const Money need = row.need;
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto state = p.at(l.tranche, d);
    const auto now_market = p.at(l.market);
    const TrancheMarket m = market(now_market);
    const std::int32_t stopped = state.standing & kDrawsStopped;
    const Money most = money(by_regime(tranche.issue_max_quarter, now_market.regime));
    state.borrowing_base = select(restarts, 0, state.borrowing_base);
    issue_notes(need - p.at(l.parent).liquidity, most, select(stopped != 0, 0, m.window_open),
                tranche.spread * m.spread_multiplier, tranche.upfront_fee_share, state, p.at(l.debt_month));
  });
}

// One tranche in one month: interest and fees, principal, maturity, draw.
template <class Lanes>
HEADROOM_HD void advance_tranche(const Now& now, std::int32_t d, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  Held<TrancheRow> row = now.tranche(d);
  if (row.gone) return;
  const Tranche& tranche = s.tranche[d];
  const TrancheView market(row);
  lanes.each([&](auto p) HEADROOM_LANE {
    pay_interest(row.coupon, market.short_rate(p.at(l.market)), p.at(l.tranche, d), p.at(l.debt_month));
  });
  if (row.fee_due) {
    const Real fee = tranche.commitment_fee;
    lanes.each([&](auto p) HEADROOM_LANE { pay_commitment_fee(fee, p.at(l.tranche, d), p.at(l.debt_month)); });
  }
  if (tranche.draw_term_months > 0) {
    amortise_draws(now, d, lanes);
  } else if (row.payments_left > 0.0F && row.waits) {
    const std::int32_t sites = now.calendar.eligible[d];
    lanes.each([&](auto p) HEADROOM_LANE {
      amortise(row.payments_left, p.at(l.completion, sites).late, p.at(l.tranche, d), p.at(l.debt_month));
    });
  } else if (row.payments_left > 0.0F) {
    lanes.each([&](auto p)
                   HEADROOM_LANE { amortise(row.payments_left, 0, p.at(l.tranche, d), p.at(l.debt_month)); });
  }
  if (row.callable) {
    const Mask recourse(row.recourse);
    if (now.entity(tranche.entity).ends_at_completion) {
      lanes.each([&](auto p) HEADROOM_LANE {
        const auto debt = p.at(l.debt_month);
        call_in(debt.late > 0, p.at(l.tranche, d), debt);
      });
    } else {
      lanes.each([&](auto p) HEADROOM_LANE { call_in(recourse, p.at(l.tranche, d), p.at(l.debt_month)); });
    }
  }
  if (row.matures) {
    const std::int32_t entity = tranche.entity;
    const Mask has_shares(entity == s.parent());
    lanes.each([&](auto p) HEADROOM_LANE {
      const Real price = select(has_shares, p.at(l.parent).share_price, 0.0F);
      mature(row.maturity, price, p.at(l.entity, entity).leverage, market(p.at(l.market)), p.at(l.tranche, d),
             p.at(l.debt_month));
    });
  }
  if (row.second_term_ends)
    lanes.each([&](auto p) HEADROOM_LANE { repay_refinanced(p.at(l.tranche, d), p.at(l.debt_month)); });
  if (row.issues) {
    issue_programme(now, d, lanes);
  } else if (row.draw_window) {
    draw_tranche(now, d, lanes);
  }
  if (row.reserve_years > 0.0F) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto state = p.at(l.tranche, d);
      const Real coupon = coupon_of(row.coupon, market.short_rate(p.at(l.market)), state);
      p.at(l.debt_month).coming +=
          money(static_cast<Real>(state.balance) * fma(row.reserve_years, coupon, row.reserve_share));
    });
  }
  if (tranche.sweepable == 0 || tranche.kind == TrancheKind::revolver) return;
  const Mask always(tranche.cash_sweep != 0);
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto state = p.at(l.tranche, d);
    p.at(l.debt_month).sweepable += swept_to(always, state.balance, state);
  });
}

// The debt of an entity in one month.
template <class Lanes>
HEADROOM_HD void service_debt(const Now& now, std::int32_t entity, Lanes& lanes) {
  lanes.each([&](auto p) HEADROOM_LANE { p.at(now.l.debt_month) = DebtMonth{}; });
  if (now.entity(entity).ends_at_completion) {
    for_each_member(now.calendar.tranches_of_entity, entity, [&](std::int32_t d) HEADROOM_LANE {
      const std::int32_t sites = now.calendar.eligible[d];
      lanes.each([&](auto p)
                     HEADROOM_LANE { p.at(now.l.debt_month).late += p.at(now.l.completion, sites).late; });
    });
  }
  for_each_member(now.calendar.tranches_of_entity, entity,
                  [&](std::int32_t d) HEADROOM_LANE { advance_tranche(now, d, lanes); });
}

// Cash swept from an entity goes to its tranches, in their order. A balance that was called and is still
// unpaid then is a payment default.
template <class Lanes>
HEADROOM_HD void repay_from_sweep(const Now& now, std::int32_t entity, Lanes& lanes) {
  const StateLayout& l = now.l;
  const std::int32_t month = now.month;
  for_each_member(now.calendar.swept_of_entity, entity, [&](std::int32_t d) HEADROOM_LANE {
    const Mask always(now.s.tranche[d].cash_sweep != 0);
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto state = p.at(l.tranche, d);
      const auto sweep = p.at(l.sweep);
      const auto borrower = p.at(l.entity, entity);
      const Money paid = swept_to(always, sweep.left, state);
      const Money balance = state.balance - paid;
      const Money unpaid = select(is(state.standing, kAccelerated), balance, 0);
      state.balance = balance;
      sweep.left -= paid;
      borrower.default_month = min(borrower.default_month, select(unpaid > 0, month, kNever));
    });
  });
}

}  // namespace headroom
