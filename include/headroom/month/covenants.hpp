// SPDX-License-Identifier: Apache-2.0
// Covenants at a month end: tests, cures, waivers, and the consequences of breaches.
#pragma once

#include <cstdint>

#include "headroom/calendar.hpp"
#include "headroom/closing.hpp"
#include "headroom/covenants.hpp"
#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Pays a cure from the parent's cash to the borrower's cash, or to the tranche if it repays debt.
template <class M, class Lanes>
HEADROOM_HD void pay_cure(const Scenario& s, const StateLayout& l, std::int32_t entity, std::int32_t tranche,
                          std::int32_t month, Lanes& lanes) {
  const std::int32_t parent = s.parent();
  lanes.each([&](auto p) HEADROOM_LANE {
    const Money cure = p.load(l.verdict).cure;
    const Money repaid = M::repays_debt ? cure : 0;
    EntityState borrower = p.load(l.entity, entity);
    borrower.cash += cure - repaid;
    borrower.liquidity += cure - repaid;
    borrower.debt -= repaid;
    borrower.equity += cure;
    borrower.paid_in += cure;
    p.store(l.entity, borrower, entity);
    EntityState payer = p.load(l.entity, parent);
    payer.cash -= cure;
    payer.liquidity -= cure;
    payer.equity -= cure;
    p.store(l.entity, payer, parent);
    const auto move = [&](std::int32_t i, Money cash, Money liquidity, Money debt) HEADROOM_LANE {
      Position at = p.load(l.position, i);
      at.cash += cash;
      at.liquidity += liquidity;
      at.debt += debt;
      p.store(l.position, at, i);
    };
    move(entity, cure - repaid, cure - repaid, -repaid);
    move(parent, -cure, -cure, 0);
    move(s.group(), -repaid, -cure, -repaid);
    const auto shift = [&](Measure measure, Money amount) HEADROOM_LANE {
      p.store(l.observed, Observed{p.load(l.observed, measure).value - amount}, measure);
    };
    shift(kLiquidity, cure);
    shift(kCash, repaid);
    shift(kDebt, repaid);
  });
  if (M::repays_debt) {
    lanes.each([&](auto p) HEADROOM_LANE {
      TrancheState state = p.load(l.tranche, tranche);
      state.balance -= p.load(l.verdict).cure;
      p.store(l.tranche, state, tranche);
    });
  }
  if constexpr (M::window != WindowRule::none) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const WindowRow row = M::deemed(p.load(l.verdict).cure);
      add_to_window(l, entity, month, month, row, p);
    });
  }
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto again = [&](std::int32_t i, std::int32_t of) HEADROOM_LANE {
      EntityState state = p.load(l.entity, i);
      state.leverage =
          leverage_of(static_cast<Real>(p.load(l.position, of).debt), window_at(l, of, month, 3, p));
      p.store(l.entity, state, i);
    };
    again(entity, entity);
    again(parent, s.group());
  });
}

// A covenant's test, and then its cure, waiver or breach.
template <class M, class Lanes>
HEADROOM_HD void test_covenant(const Scenario& s, const StateLayout& l, std::int32_t v, const CovenantRow& row,
                               std::int32_t month, Lanes& lanes) {
  const Covenant covenant = s.covenant[v];
  const std::int32_t entity = covenant.entity >= 0 ? covenant.entity : s.group();
  const std::int32_t window = covenant.window == Window::trailing_12 ? 12 : 3;
  const std::int32_t tranche = covenant.tranche >= 0 ? covenant.tranche : s.tranche.size;
  const Real threshold = row.threshold, planned = row.plan_contracted;
  const Mask all_debt(covenant.tranche < 0);
  const Mask own_plan(s.has_plan == 0);  // in the plan itself: its realization is 1
  const Real sign = covenant.maximum != 0 ? -1.0F : 1.0F;
  const Real scale = M::scale == Scale::money ? 1.0F : kFixedOne;
  const auto inputs = [&](auto p) HEADROOM_LANE {
    const Position position = p.load(l.position, entity);
    MetricInputs x;
    x.window = window_at(l, entity, month, window, p);
    x.to_annual = window == 12 ? 1.0F : 4.0F;
    x.debt = static_cast<Real>(position.debt);
    x.cash = static_cast<Real>(position.cash);
    x.liquidity = static_cast<Real>(position.liquidity);
    x.backlog = static_cast<Real>(position.backlog);
    x.tranche_balance = select(all_debt, x.debt, static_cast<Real>(p.load(l.tranche, tranche).balance));
    // Without a tranche this reads the slot after the last one, which is the first entity's; the value is not
    // used.
    const Money own = p.load(l.tranche_month, tranche).collateral;
    x.collateral = static_cast<Real>(select(all_debt, position.collateral, own));
    x.plan_contracted = select(own_plan, static_cast<Real>(x.window.contracted), planned);
    return x;
  };
  lanes.each([&](auto p) HEADROOM_LANE {
    const std::int32_t room = headroom_of(M::value(inputs(p)), threshold, sign, scale);
    p.store(l.observed, Observed{room}, headroom_series(v));
  });
  if (covenant.springing_share > 0.0F) {
    // Where the test does not spring it is passed: headroom is 0 at least.
    lanes.each([&](auto p) HEADROOM_LANE {
      const TrancheState drawn = p.load(l.tranche, tranche);
      const Real size = static_cast<Real>(drawn.balance) + static_cast<Real>(drawn.undrawn);
      const std::int32_t room = p.load(l.observed, headroom_series(v)).value;
      const bool springs = static_cast<Real>(drawn.balance) > covenant.springing_share * size;
      p.store(l.observed, Observed{select(springs, room, max(room, 0))}, headroom_series(v));
    });
  }
  lanes.each([&](auto p) HEADROOM_LANE {
    CovenantState state =
        test_covenant(p.load(l.covenant, v), p.load(l.observed, headroom_series(v)).value, month);
    p.store(l.covenant, state, v);
  });
  if (covenant.plain()) return;
  // The parent cures only covenants of its borrowers.
  const bool ring_fenced = covenant.entity >= 0 && covenant.entity != s.parent();
  const std::int32_t cures = row.cures, waivers = row.waivers;
  const std::int32_t parent = s.parent();
  const Money parent_minimum = s.entity[parent].min_cash;
  lanes.each([&](auto p) HEADROOM_LANE {
    const std::int32_t room = p.load(l.observed, headroom_series(v)).value;
    const Money spare = p.load(l.position, parent).cash - parent_minimum;
    const MetricInputs x = inputs(p);
    const Verdict verdict = judge(covenant, p.load(l.covenant, v), room, M::missing(x, threshold), spare,
                                  round_to_int(x.tranche_balance),
                                  M::repays_debt ? round_to_int(x.tranche_balance) : kFixedMax, cures, waivers);
    p.store(l.covenant, verdict.state, v);
    p.store(l.verdict, CovenantPayment{verdict.cure, verdict.waiver_fee});
  });
  if (cures > 0) pay_cure<M>(s, l, entity, tranche, month, lanes);
  if (waivers > 0) {
    const std::int32_t payer = ring_fenced ? entity : parent;
    lanes.each([&](auto p) HEADROOM_LANE {
      EntityControl control = p.load(l.entity_control, payer);
      control.fee_due += p.load(l.verdict).waiver_fee;
      p.store(l.entity_control, control, payer);
    });
  }
}

// Clears last month's consequences; breaches at this month end set them again. If no covenant has any, there
// is nothing to clear.
template <class Lanes>
HEADROOM_HD void clear_controls(const Scenario& s, const Calendar& calendar, const StateLayout& l,
                                Lanes& lanes) {
  if (calendar.plain) return;
  for (std::int32_t e = 0; e < s.entity.size; ++e) {
    lanes.each([&](auto p) HEADROOM_LANE { p.store(l.entity_control, EntityControl{}, e); });
  }
  for (std::int32_t k = 0; k < calendar.targeted.size; ++k) {
    const std::int32_t d = calendar.targeted[k];
    lanes.each([&](auto p) HEADROOM_LANE {
      store<&TrancheControl::margin, &TrancheControl::draws_stopped, &TrancheControl::swept>(
          p, l.tranche_control, TrancheControl{}, d);
    });
  }
}

// Sets the consequences for the next month of the breaches that stand at this month end.
template <class Lanes>
HEADROOM_HD void set_consequences(const Scenario& s, const StateLayout& l, std::int32_t v, std::int32_t month,
                                  bool tested, Lanes& lanes) {
  const Covenant covenant = s.covenant[v];
  if (covenant.plain()) return;
  lanes.each([&](auto p) HEADROOM_LANE {
    CovenantState state = p.load(l.covenant, v);
    state.first_uncured =
        select(state.months_in_breach > 0, min(state.first_uncured, month), state.first_uncured);
    p.store(l.covenant, state, v);
  });
  if (!tested) {
    lanes.each([&](auto p) HEADROOM_LANE {
      CovenantState state = p.load(l.covenant, v);
      state.months_in_breach += select(state.months_in_breach > 0, 1, 0);
      p.store(l.covenant, state, v);
    });
  }
  if (!s.on(kConsequences)) return;
  lanes.each([&](auto p) HEADROOM_LANE {
    CovenantState state = p.load(l.covenant, v);
    const bool due = state.months_in_breach > covenant.grace_months + covenant.acceleration_months;
    state.accelerated = select(due, min(state.accelerated, month), state.accelerated);
    p.store(l.covenant, state, v);
  });
  for (std::int32_t k = 0; k < covenant.targets; ++k) {
    const std::int32_t d = s.covenant_target[covenant.first_target + k];
    const std::int32_t entity = s.tranche[d].entity;
    lanes.each([&](auto p) HEADROOM_LANE {
      const CovenantState state = p.load(l.covenant, v);
      const std::int32_t active = select(state.months_in_breach > covenant.grace_months, 1, 0);
      EntityControl borrower = p.load(l.entity_control, entity);
      borrower.trapped |= active * covenant.cash_trap;
      borrower.sweep_all |= active * covenant.cash_sweep;
      p.store(l.entity_control, borrower, entity);
      TrancheControl control = p.load(l.tranche_control, d);
      control.margin += select(active != 0, covenant.margin_step, 0.0F);
      control.draws_stopped |= active * covenant.draw_stop;
      control.swept |= active * covenant.cash_sweep;
      control.accelerated |= select(state.accelerated < kNever, 1, 0);
      p.store(l.tranche_control, control, d);
    });
  }
}

}  // namespace headroom
