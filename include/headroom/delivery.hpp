// SPDX-License-Identifier: Apache-2.0
// When a site opens, what it costs until then, and the share of it on line. See MODEL.md 3.3 and the capex
// part of 4.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/market.hpp"
#include "headroom/math.hpp"
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
      dated_share_at_start;  // of the capex: due at fixed dates (order date and planned opening)
  Real standing_cost;        // lease and staff, which run from planned dates
  Real prelaunch_from;       // start of the part of the month that lies after the pre-launch start
  Real per_ramp, per_life;   // 1 / months
};
HEADROOM_HD SiteTerms site_terms(const Site& site, Real t) {
  const auto dated = [&](Real x) HEADROOM_LANE {
    return (x >= site.order_month ? site.order_share : 0.0F) +
           (x >= site.planned_ready_month ? 1.0F - site.order_share - site.delivery_share : 0.0F);
  };
  return {.t = t,
          .dated_share = dated(t),
          .dated_share_at_start = dated(0.0F),
          .standing_cost = site.lease_month * clamp(t - site.lease_start_month, 0.0F, 1.0F) +
                           site.staff_month * clamp(t - site.planned_ready_month, 0.0F, 1.0F),
          .prelaunch_from = max(t - 1.0F, site.prelaunch_start_month),
          .per_ramp = 1.0F / site.ramp_months,
          .per_life = 1.0F / site.life_months};
}

// Share of the GPU deliveries made by month x. Deliveries spread over the ramp, from the actual delivery on.
HEADROOM_HD Real delivered_share(const Site& site, Real delivery, Real x, Real per_ramp) {
  return site.delivery_share * clamp((x - delivery) * per_ramp, 0.0F, 1.0F);
}

struct SiteStep {
  SiteState state;
  SiteMonth month;
  SiteFlows flows;
};

// A discretionary site is ordered on its order date or never. Liquidity at the last month end decides.
HEADROOM_HD SiteState order_site(SiteState state, Money liquidity, Money least_liquidity) {
  const std::int32_t decided =
      select(liquidity < least_liquidity, std::int32_t{kNotOrdered}, std::int32_t{kOrdered});
  state.status = select(state.status == kWaiting, decided, state.status);
  return state;
}

// The permit's decision, in month cancel_month.
HEADROOM_HD SiteState decide_site(const SiteConstants& path, SiteState state) {
  state.status =
      select((path.cancelled != 0) & (state.status != kNotOrdered), std::int32_t{kCancelled}, state.status);
  return state;
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

HEADROOM_HD std::uint32_t site_needs(const SiteConstants& path, const SiteTerms& terms) {
  const std::uint32_t arriving =
      select((terms.t - 1.0F - path.delivery) * terms.per_ramp < 1.0F, std::uint32_t{kNeedsDeliveries}, 0U);
  return select(path.delivery <= terms.t, arriving, 0U) |
         select(path.ready < terms.t, std::uint32_t{kNeedsOperation}, 0U);
}

// Capex: cumulative and accrued. The capex of a refused site ends at its sunk share, which is written off.
// `price`: market price of the site's GPU type; the price in the month of delivery is kept.
HEADROOM_HD SiteStep pay_site(const Site& site, const SiteConstants& path, SiteState state,
                              const SiteTerms& terms, Real price) {
  const Real t = terms.t;
  SiteStep step{};
  const Real total = static_cast<Real>(site.capex) * path.cost_multiplier;
  const Real paid = static_cast<Real>(site.capex_paid);
  const Real share_at_start =
      terms.dated_share_at_start + delivered_share(site, path.delivery, 0.0F, terms.per_ramp);
  const Real share_now = terms.dated_share + delivered_share(site, path.delivery, t, terms.per_ramp);
  const Real progress = (share_now - share_at_start) / max(1.0F - share_at_start, bound(1e-6F));
  const Real due = fma(max(total - paid, bound(0.0F)), clamp(progress, 0.0F, 1.0F), paid);
  const Money if_refused = select(state.status == kCancelled, money(site.sunk_share * total), state.capex);
  const Money target = select(state.status == kOrdered, money(due), if_refused);
  step.flows.capex = target - state.capex;
  state.capex = target;
  step.flows.write_off = select(state.status == kCancelled, target - state.depreciated, 0);
  state.depreciated += step.flows.write_off;
  state.purchase_price = select(path.delivery > t - 1.0F,
                                select(path.delivery <= t, price, state.purchase_price), state.purchase_price);
  step.state = state;
  return step;
}

// Share of the site's GPUs on line at the month end.
HEADROOM_HD Real share_on_line(const SiteConstants& path, const SiteTerms& terms) {
  return clamp((terms.t - path.ready) * terms.per_ramp, 0.0F, 1.0F);
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
HEADROOM_HD SiteStep operate_site(const Site& site, const SiteConstants& path, SiteState state,
                                  const SiteTerms& terms) {
  const Real t = terms.t;
  const bool alive = state.status == kOrdered;
  SiteStep step{};
  const Real share_end = share_on_line(path, terms);
  const Real integral = online_integral(t, path.ready, site.ramp_months, terms.per_ramp);
  const Real share_mean = integral - online_integral(t - 1.0F, path.ready, site.ramp_months, terms.per_ramp);
  step.month.online = select(alive, site.gpus * share_mean, 0.0F);
  step.month.online_end = select(alive, site.gpus * share_end, 0.0F);
  step.month.left = step.month.online;
  step.month.left_end = step.month.online_end;

  // Straight line by vintage: each GPU depreciates over its own life from its own day on line.
  const Real total = static_cast<Real>(site.capex) * path.cost_multiplier;
  const Real depreciable = total * ((1.0F - site.residual_share) * terms.per_life);
  const Real retired = online_integral(t - site.life_months, path.ready, site.ramp_months, terms.per_ramp);
  const Money depreciated = select(alive, money(depreciable * (integral - retired)), state.depreciated);
  step.flows.depreciation = depreciated - state.depreciated;
  state.depreciated = depreciated;
  step.flows.net_ppe = state.capex - state.depreciated;

  const Real running =
      fma(gpu_value(site, total), site.maintenance_share_month, site.facility_month) * share_mean;
  const Real standing = standing_cost(site, path.ready, terms);
  step.flows.opex = money(select(state.status <= kOrdered, standing, 0.0F) + select(alive, running, 0.0F));
  step.state = state;
  return step;
}

// Collateral value of a site's GPUs.
HEADROOM_HD Money site_collateral(const Site& site, const SiteConstants& path, const SiteState& state,
                                  const SiteTerms& terms, Real price) {
  const Real cost = gpu_value(site, static_cast<Real>(site.capex) * path.cost_multiplier);
  const Money value =
      collateral(site, terms, path.ready, cost * share_on_line(path, terms), price / state.purchase_price);
  return select(state.status == kOrdered, value, 0);
}

// One whole month of one site.
HEADROOM_HD SiteStep advance_site(const Site& site, const SiteConstants& path, SiteState state,
                                  const SiteTerms& terms, Real price) {
  const SiteStep paid = pay_site(site, path, state, terms, price);
  SiteStep step = operate_site(site, path, paid.state, terms);
  step.flows.capex = paid.flows.capex;
  step.flows.write_off = paid.flows.write_off;
  return step;
}

}  // namespace headroom
