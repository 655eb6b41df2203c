// SPDX-License-Identifier: Apache-2.0
// Covenants at a month end: tests, cures, waivers, and the consequences of breaches.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/model/covenant.hpp"
#include "headroom/model/entity.hpp"
#include "headroom/model/metrics.hpp"
#include "headroom/month/calendar.hpp"
#include "headroom/month/sites.hpp"
#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Pays a cure from the parent's cash to the borrower's cash, or to the tranche if it repays debt.
template <class M, class Lanes>
HEADROOM_HD void pay_cure(const Now& now, const Covenant& covenant, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  const std::int32_t parent = s.parent(), group = s.group(), entity = covenant.entity;
  lanes.each([&](auto p) HEADROOM_LANE {
    const Money cure = p.at(l.verdict).cure;
    const Money repaid = M::repays_debt ? cure : 0;
    const auto borrower = p.at(l.entity, entity), payer = p.at(l.entity, parent);
    borrower.cash += cure - repaid;
    borrower.debt -= repaid;
    borrower.equity += cure;
    borrower.paid_in += cure;
    payer.cash -= cure;
    payer.equity -= cure;
    p.at(l.parent).liquidity -= cure;
    const auto move = [&](std::int32_t i, Money cash, Money liquidity, Money debt) HEADROOM_LANE {
      const auto at = p.at(l.position, i);
      at.cash += cash;
      at.liquidity += liquidity;
      at.debt += debt;
    };
    move(entity, cure - repaid, cure - repaid, -repaid);
    move(parent, -cure, -cure, 0);
    move(group, -repaid, -cure, -repaid);
    p.at(l.observed, kLiquidity).value -= cure;
    p.at(l.observed, kCash).value -= repaid;
    p.at(l.observed, kDebt).value -= repaid;
  });
  if constexpr (M::repays_debt) {
    const std::int32_t tranche = covenant.tranche;
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.tranche, tranche).balance -= p.at(l.verdict).cure; });
  }
  Held<WindowMonth> own = now.window(entity), whole = now.window(group);
  if constexpr (M::window != WindowRule::none) {
    lanes.each([&](auto p) HEADROOM_LANE {
      put_sums(l, own.now, add(sums_at(l, own.now, p), M::deemed(p.at(l.verdict).cure)), p);
    });
  }
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto debt = [&](std::int32_t i) HEADROOM_LANE { return static_cast<Real>(p.at(l.position, i).debt); };
    p.at(l.entity, entity).leverage = leverage_of(debt(entity), window_of(l, own, 3, p).ebitda);
    p.at(l.entity, parent).leverage = leverage_of(debt(group), window_of(l, whole, 3, p).ebitda);
  });
}

// The sum of f over the tranches whose lenders a covenant protects, in Sweep::left.
template <class F, class Lanes>
HEADROOM_HD void sum_over_lenders(const Now& now, std::int32_t v, Lanes& lanes, F&& f) {
  const StateLayout& l = now.l;
  lanes.each([&](auto p) HEADROOM_LANE { p.at(l.sweep).left = 0; });
  for_each_member(now.calendar.lenders_of_covenant, v, [&](std::int32_t d) HEADROOM_LANE {
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.sweep).left += f(p.at(l.tranche, d)); });
  });
}

// A covenant's test, and then its cure, waiver or breach.
template <class M, class Lanes>
HEADROOM_HD void test_covenant(const Now& now, std::int32_t v, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  const Covenant covenant = s.covenant[v];
  const CovenantRow row = now.covenant(v);
  const std::int32_t owner = covenant.entity >= 0 ? covenant.entity : s.group();
  Held<WindowMonth> window_month = now.window(owner);
  const std::int32_t months = covenant.window == Window::trailing_12 ? 12 : 3, month = now.month;
  const std::int32_t tranche = covenant.tranche >= 0 ? covenant.tranche : s.tranche.size;
  const std::int32_t pledged = covenant.tranche >= 0 ? tranche : collateral_of(s, owner);
  const Mask all_debt(covenant.tranche < 0);
  const Mask own_plan(s.has_plan == 0);  // in the plan itself: its realization is 1
  const Real sign = covenant.maximum != 0 ? -1.0F : 1.0F;
  const Real scale = M::scale == Scale::money ? 1.0F : kFixedOne;
  const auto inputs = [&](auto p) HEADROOM_LANE {
    const Position position = p.load(l.position, owner);
    MetricInputs<M> x;
    x.window = window_of(l, window_month, months, p);
    x.to_annual = months == 12 ? 1.0F : 4.0F;
    x.debt = static_cast<Real>(position.debt);
    x.cash = static_cast<Real>(position.cash);
    x.liquidity = static_cast<Real>(position.liquidity);
    x.backlog = static_cast<Real>(position.backlog);
    x.tranche_balance = select(all_debt, x.debt, static_cast<Real>(p.at(l.tranche, tranche).balance));
    x.collateral = 0.0F;
    if constexpr (M::needs_collateral) x.collateral = static_cast<Real>(p.at(l.collateral, pledged).value);
    x.plan_contracted = select(own_plan, static_cast<Real>(x.window.contracted), row.plan_contracted);
    return x;
  };
  lanes.each([&](auto p) HEADROOM_LANE {
    p.at(l.observed, kMeasureCount).value = headroom_of(M::value(inputs(p)), row.threshold, sign, scale);
  });
  if (row.may_outlive) {
    // Where nothing is owed to the lenders that it protects, the test is passed: headroom is 0 at least.
    sum_over_lenders(now, v, lanes, [](const auto& d) HEADROOM_LANE { return d.balance + d.undrawn; });
    lanes.each([&](auto p) HEADROOM_LANE {
      const std::int32_t room = p.at(l.observed, kMeasureCount).value;
      p.at(l.observed, kMeasureCount).value = select(p.at(l.sweep).left > 0, room, max(room, 0));
    });
  }
  if (covenant.springing_share > 0.0F) {
    // Where the test does not spring it is passed: headroom is 0 at least.
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto drawn = p.at(l.tranche, tranche);
      const Real size = static_cast<Real>(drawn.balance) + static_cast<Real>(drawn.undrawn);
      const std::int32_t room = p.at(l.observed, kMeasureCount).value;
      const bool springs = static_cast<Real>(drawn.balance) > covenant.springing_share * size;
      p.at(l.observed, kMeasureCount).value = select(springs, room, max(room, 0));
    });
  }
  lanes.each([&](auto p) HEADROOM_LANE {
    record_test(p.at(l.observed, kMeasureCount).value, month, p.at(l.covenant, v));
  });
  if (covenant.plain()) return;
  // The parent cures only covenants of its borrowers.
  const bool ring_fenced = covenant.entity >= 0 && covenant.entity != s.parent();
  const std::int32_t parent = s.parent();
  const Money parent_minimum = now.entity(parent).min_cash;
  if (row.waivers > 0 && covenant.waiver_fee_share > 0.0F)
    sum_over_lenders(now, v, lanes, [](const auto& d) HEADROOM_LANE { return d.balance; });
  lanes.each([&](auto p) HEADROOM_LANE {
    const MetricInputs<M> x = inputs(p);
    const Money debt = round_to_int(x.tranche_balance);
    const Remedies remedies{.missing = M::missing(x, row.threshold),
                            .most = M::repays_debt ? debt : kFixedMax,
                            .parent_cash = p.at(l.position, parent).cash - parent_minimum,
                            .waiving = p.at(l.sweep).left,
                            .cures_left = row.cures,
                            .waivers_left = row.waivers};
    p.at(l.verdict) = judge(covenant, p.at(l.observed, kMeasureCount).value, remedies, p.at(l.breach, v));
  });
  if (row.cures > 0) pay_cure<M>(now, covenant, lanes);
  if (row.waivers > 0) {
    const std::int32_t payer = ring_fenced ? owner : parent;
    lanes.each([&](auto p)
                   HEADROOM_LANE { p.at(l.entity_control, payer).fee_due += p.at(l.verdict).waiver_fee; });
  }
}

// Clears last month's consequences; breaches at this month end set them again. If no covenant has any, there
// is nothing to clear.
template <class Lanes>
HEADROOM_HD void clear_consequences(const Now& now, Lanes& lanes) {
  const StateLayout& l = now.l;
  if (now.calendar.plain) return;
  for (std::int32_t e = 0; e < now.s.entity.size; ++e)
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.entity_control, e) = EntityControl{}; });
  for (std::int32_t k = 0; k < now.calendar.targeted.size; ++k) {
    const std::int32_t d = now.calendar.targeted[k];
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto tranche = p.at(l.tranche, d);
      tranche.margin = 0.0F;
      tranche.standing &= ~(kDrawsStopped | kSwept);
    });
  }
}

// Sets the consequences for the next month of the breaches that stand at this month end.
template <class Lanes>
HEADROOM_HD void set_consequences(const Now& now, std::int32_t v, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  const Covenant covenant = s.covenant[v];
  if (covenant.plain()) return;
  const std::int32_t month = now.month, untested = now.covenant(v).tested ? 0 : 1;
  if (now.covenant(v).over) {  // its loans are repaid: no breach is left
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.breach, v).months_in_breach = 0; });
    return;
  }
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto breach = p.at(l.breach, v);
    const std::int32_t months = breach.months_in_breach;
    breach.first_uncured = select(months > 0, min(breach.first_uncured, month), breach.first_uncured);
    breach.months_in_breach = months + select(months > 0, untested, 0);
  });
  if (!s.on(kConsequences)) return;
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto breach = p.at(l.breach, v);
    const bool due = breach.months_in_breach > covenant.grace_months + covenant.acceleration_months;
    breach.accelerated = select(due, min(breach.accelerated, month), breach.accelerated);
  });
  const std::int32_t restrictions =
      (covenant.cash_trap != 0 ? kTrapped : 0) | (covenant.cash_sweep != 0 ? kSweepAll : 0);
  const std::int32_t standing =
      (covenant.draw_stop != 0 ? kDrawsStopped : 0) | (covenant.cash_sweep != 0 ? kSwept : 0);
  for (std::int32_t k = 0; k < covenant.targets; ++k) {
    const std::int32_t d = s.covenant_target[covenant.first_target + k];
    const std::int32_t entity = s.tranche[d].entity;
    lanes.each([&](auto p) HEADROOM_LANE {
      const BreachState breach = p.load(l.breach, v);
      const bool active = breach.months_in_breach > covenant.grace_months;
      const auto tranche = p.at(l.tranche, d);
      p.at(l.entity_control, entity).restrictions |= select(active, restrictions, 0);
      tranche.margin += select(active, covenant.margin_step, 0.0F);
      tranche.standing |=
          select(active, standing, 0) | select(breach.accelerated < kNever, std::int32_t{kAccelerated}, 0);
    });
  }
}

template <class Lanes>
HEADROOM_HD void test_covenants(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  clear_consequences(now, lanes);
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    if (!now.covenant(v).tested) continue;
    with_metric(s.covenant[v].metric,
                [&](auto metric) HEADROOM_LANE { test_covenant<decltype(metric)>(now, v, lanes); });
    lanes.observe(headroom_series(v), now.month);
  }
  for (std::int32_t v = 0; v < s.covenant.size; ++v) set_consequences(now, v, lanes);
}

}  // namespace headroom
