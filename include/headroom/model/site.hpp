// SPDX-License-Identifier: Apache-2.0
// When a site opens, what it costs until then, and the share of it on line. See MODEL.md 3.3 and the capex
// part of 4.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/model/market.hpp"
#include "headroom/philox.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Months of delay for the standard normal y: none up to the on-time probability, then a shifted lognormal.
// The quantile of the late part is computed from the upper tail, so that long delays keep their precision.
HEADROOM_HD Real delay_months(const DelayParams& d, Real y) {
  const Real tail =
      clamp(normal_cdf(-y) / max(d.p_late, 1e-6F), 1e-9F, 0x1.fffffep-1F);  // P(late part > this delay)
  const Real z = -normal_quantile(tail);
  return select(y <= d.z_on_time, 0.0F, d.earliest_months + exp(fma(d.sigma, z, d.mu)));
}

// A delay from its own random word and the path's systemic draw.
HEADROOM_HD Real drawn_delay(const DelayParams& d, Mask on, Real systemic, std::uint32_t word) {
  return delay_months(d, select(on, fma(d.systemic, systemic, d.own * normal(word)), 0.0F));
}

// Capex multiplier: lognormal with median 1, and a fat-tail event.
HEADROOM_HD Real cost_multiplier(const Site& site, Mask on, Real systemic, const Philox4& words) {
  const Real y = fma(site.overrun_systemic, systemic, site.overrun_own * normal(words.w0));
  const Real tail = select(uniform(words.w1) < site.tail_probability, 1.0F + site.tail_add, 1.0F);
  return select(on, exp(site.overrun_sigma * y) * tail, 1.0F);
}

// The multiplier of the whole budget: a part of the cost is fixed, and the contingency takes an overrun first.
HEADROOM_HD Real budget_multiplier(const Site& site, Real drawn) {
  const Real open = fma(1.0F - site.firm_share, drawn - 1.0F, 1.0F);
  const Real net = select(open > 1.0F, max(open - site.contingency_share, 1.0F), open);
  const Real settled = site.overruns_to_go != 0
                           ? static_cast<Real>(site.capex_paid) / max(static_cast<Real>(site.capex), 1.0F)
                           : 0.0F;
  return fma(1.0F - settled, net, settled);
}

// Integral of the share on line up to x, in months. The share rises linearly from 0 at `ready` to 1 over
// `ramp`.
HEADROOM_HD Real online_integral(Real x, Real ready, Real ramp, Real per_ramp) {
  const Real age = max(x - ready, bound(0.0F));
  const Real ramping = min(age, ramp);
  return fma(0.5F * per_ramp * ramping, ramping, age - ramping);
}

// The terms of a site's month that are the same on every path.
struct SiteTerms {
  Real t;
  Real dated_share,
      dated_share_at_start;             // of the capex: due at fixed dates (order date and planned opening)
  Real standing_cost;                   // lease and staff, which run from planned dates
  Real prelaunch_from;                  // start of the part of the month that lies after the pre-launch start
  Real per_ramp, per_life;              // 1 / months
  Real opening_share;                   // of the capex: due at the actual opening
  Real contractor_from, contractor_to;  // part of the month in which contractors pay for lateness
};
HEADROOM_HD SiteTerms site_terms(const Site& site, Real t) {
  const auto dated = [&](Real x) HEADROOM_LANE {
    const Real rest = 1.0F - site.order_share - site.delivery_share - site.progress_share;
    const Real built =
        clamp((x - site.order_month) / max(site.planned_ready_month - site.order_month, 1e-3F), 0.0F, 1.0F);
    const Real progress =
        site.progress_share > 0.0F ? site.progress_share * (built * built * (3.0F - 2.0F * built)) : 0.0F;
    return (x >= site.order_month ? site.order_share : 0.0F) + progress +
           (site.pays_at_opening == 0 && x >= site.planned_ready_month ? rest : 0.0F);
  };
  const Real late_from = site.planned_ready_month + site.contractor_grace_months;
  return {.t = t,
          .dated_share = dated(t),
          .dated_share_at_start = dated(0.0F),
          .standing_cost = site.lease_month * clamp(t - site.lease_start_month, 0.0F, 1.0F) +
                           site.staff_month * clamp(t - site.planned_ready_month, 0.0F, 1.0F),
          .prelaunch_from = max(t - 1.0F, site.prelaunch_start_month),
          .per_ramp = 1.0F / site.ramp_months,
          .per_life = 1.0F / site.life_months,
          .opening_share = site.pays_at_opening != 0
                               ? 1.0F - site.order_share - site.delivery_share - site.progress_share
                               : 0.0F,
          .contractor_from = max(t - 1.0F, late_from),
          .contractor_to = min(t, late_from + site.contractor_damages_months)};
}

// Share of the GPU deliveries made by month x. Deliveries spread over the ramp, from the actual delivery on.
HEADROOM_HD Real delivered_share(const Site& site, Real delivery, Real x, Real per_ramp) {
  return site.delivery_share * clamp((x - delivery) * per_ramp, 0.0F, 1.0F);
}

// A discretionary site is ordered where liquidity at the last month end allows it; else it waits for a month,
// which makes it a month later, or on its last date is never ordered. Returns 1 if it is ordered now, else 0.
HEADROOM_HD std::int32_t order_site(Money liquidity, Money least_liquidity, std::int32_t otherwise,
                                    auto&& state) {
  const std::int32_t before = state.status;
  const std::int32_t decided = select(liquidity < least_liquidity, otherwise, std::int32_t{kOrdered});
  const std::int32_t status = select(before == kWaiting, decided, before);
  const Real later = select(status == kWaiting, 1.0F, 0.0F);
  state.status = status;
  state.ready += later;
  state.delivery += later;
  return select((before == kWaiting) & (status == kOrdered), 1, 0);
}

// Whether the permit is refused, from the first word of its stream.
HEADROOM_HD bool is_refused(Real probability, const Philox4& words) { return uniform(words.w0) < probability; }

// The permit's decision, in month cancel_month.
HEADROOM_HD void decide_site(bool refused, auto&& state) {
  state.status = select(refused & (state.status != kNotOrdered), std::int32_t{kCancelled}, state.status);
}

// The lenders' collateral value: cost of the GPUs on line x max(residual, price now / at delivery) x
// remaining life.
HEADROOM_HD Money collateral(const Site& site, const SiteTerms& terms, Real ready, Real gpu_cost,
                             Real price_ratio) {
  const Real life_left = clamp(fma(ready - terms.t, terms.per_life, 1.0F), 0.0F, 1.0F);
  return money(gpu_cost * max(site.residual_share, price_ratio) * life_left);
}

// The parts of a site's month that some path needs, one bit each. The other parts are not run, because they
// would change nothing.
enum SiteNeed : std::uint32_t {
  kNeedsDeliveries = 1U << 0,  // its GPUs are arriving: capex falls due with the deliveries
  kNeedsOperation = 1U << 1,   // it has opened
};

// `at_opening`: kNeedsDeliveries if a share of the capex falls due at the opening, else 0.
HEADROOM_HD std::uint32_t site_needs(const SiteTerms& terms, std::uint32_t at_opening, auto&& state) {
  const std::uint32_t arriving =
      select((terms.t - 1.0F - state.delivery) * terms.per_ramp < 1.0F, std::uint32_t{kNeedsDeliveries}, 0U);
  const std::uint32_t falls_due = select(state.ready > terms.t - 1.0F, at_opening, 0U);
  return select(state.delivery <= terms.t, arriving, 0U) | select(state.ready <= terms.t, falls_due, 0U) |
         select(state.ready < terms.t, std::uint32_t{kNeedsOperation}, 0U);
}

// Capex: cumulative and accrued. The capex of a refused site ends at its sunk share, which is written off.
// `price`: market price of the site's GPU type; the price in the month of delivery is kept. Returns the
// month's capex.
HEADROOM_HD Money pay_site(const Site& site, const SiteTerms& terms, Real price, auto&& state, auto&& flows) {
  const Real t = terms.t, delivery = state.delivery;
  const Real total = static_cast<Real>(site.capex) * state.cost_multiplier;
  const Real paid = static_cast<Real>(site.capex_paid);
  const Real share_at_start =
      terms.dated_share_at_start + delivered_share(site, delivery, 0.0F, terms.per_ramp);
  const Real opened = select(state.ready <= t, terms.opening_share, 0.0F);
  const Real share_now = terms.dated_share + delivered_share(site, delivery, t, terms.per_ramp) + opened;
  const Real progress = (share_now - share_at_start) / max(1.0F - share_at_start, bound(1e-6F));
  const Real due = fma(max(total - paid, bound(0.0F)), clamp(progress, 0.0F, 1.0F), paid);
  const std::int32_t status = state.status;
  const Money before = state.capex, depreciated = state.depreciated;
  const Money if_refused = select(status == kCancelled, money(site.sunk_share * total), before);
  const Money target = select(status == kOrdered, money(due), if_refused);
  const Money write_off = select(status == kCancelled, target - depreciated, 0);
  const Real kept = state.purchase_price;
  state.purchase_price = select(delivery > t - 1.0F, select(delivery <= t, price, kept), kept);
  state.capex = target;
  state.depreciated = depreciated + write_off;
  flows.capex += target - before;
  flows.depreciation += write_off;
  return target - before;
}

// Share of the site's GPUs on line at the month end.
HEADROOM_HD Real share_on_line(Real ready, const SiteTerms& terms) {
  return clamp((terms.t - ready) * terms.per_ramp, 0.0F, 1.0F);
}

HEADROOM_HD Real gpu_value(const Site& site, Real total) {
  return fma(total, site.gpu_value_share, static_cast<Real>(site.opening_gpu_value));
}

// Lease, staff, and the pre-launch cost until the opening.
HEADROOM_HD Real standing_cost(const Site& site, Real ready, const SiteTerms& terms) {
  const Real before_opening = clamp(min(terms.t, ready) - terms.prelaunch_from, 0.0F, 1.0F);
  return fma(site.prelaunch_month, before_opening, terms.standing_cost);
}

// The GPUs on line, their operating costs and their depreciation.
HEADROOM_HD void operate_site(const Site& site, const SiteTerms& terms, auto&& state, auto&& capacity,
                              auto&& flows) {
  const Real t = terms.t, ready = state.ready;
  const std::int32_t status = state.status;
  const bool alive = status == kOrdered;
  const Real share_end = share_on_line(ready, terms);
  const Real integral = online_integral(t, ready, site.ramp_months, terms.per_ramp);
  const Real share_mean = integral - online_integral(t - 1.0F, ready, site.ramp_months, terms.per_ramp);
  const Real online = select(alive, site.gpus * share_mean, 0.0F);
  const Real online_end = select(alive, site.gpus * share_end, 0.0F);

  // Straight line by vintage: each GPU depreciates over its own life from its own day on line.
  const Real total = static_cast<Real>(site.capex) * state.cost_multiplier;
  const Real depreciable = total * ((1.0F - site.residual_share) * terms.per_life);
  const Real retired = online_integral(t - site.life_months, ready, site.ramp_months, terms.per_ramp);
  const Money before = state.depreciated, capex = state.capex;
  const Money depreciated = select(alive, money(depreciable * (integral - retired)), before);

  const Real running =
      fma(gpu_value(site, total), site.maintenance_share_month, site.facility_month) * share_mean;
  const Real standing = standing_cost(site, ready, terms);
  const Money opex = money(select(status <= kOrdered, standing, 0.0F) + select(alive, running, 0.0F));
  state.depreciated = depreciated;
  capacity.online = online;
  capacity.left = online;
  capacity.left_end = online_end;
  capacity.idle = 0.0F;
  flows.opex += opex;
  flows.depreciation += depreciated - before;
  flows.net_ppe += capex - depreciated;
}

// What contractors pay this month for a site that is not open.
HEADROOM_HD Money contractor_damages(const Site& site, const SiteTerms& terms, const auto& state) {
  const Real late = clamp(min(terms.contractor_to, state.ready) - terms.contractor_from, 0.0F, 1.0F);
  return select(state.status == kOrdered, money(site.contractor_damages_month * late), 0);
}

// Collateral value of a site's GPUs, at their budget: an overrun secures nobody.
HEADROOM_HD Money site_collateral(const Site& site, const SiteTerms& terms, Real price, auto&& state) {
  const Real cost = gpu_value(site, static_cast<Real>(site.capex));
  const Money value = collateral(site, terms, state.ready, cost * share_on_line(state.ready, terms),
                                 price / state.purchase_price);
  return select(state.status == kOrdered, value, 0);
}

}  // namespace headroom
