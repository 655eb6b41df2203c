// SPDX-License-Identifier: Apache-2.0
// The on-demand pool: what the capacity that contracts left earns, and the power of the whole site. See
// MODEL.md 4.
#pragma once

#include "headroom/hd.hpp"
#include "headroom/model/contract.hpp"
#include "headroom/model/market.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// The pool's terms of a month that are the same on every path.
struct PoolTerms {
  Real platform_share, backstop_share;
};
HEADROOM_HD PoolTerms pool_terms(const OnDemandParams& o, Real t) {
  const Real ramped = clamp(t / o.platform_ramp_months, 0.0F, 1.0F);
  return {.platform_share = fma(ramped, o.platform_share_end - o.platform_share_start, o.platform_share_start),
          .backstop_share = t <= o.backstop_end_month ? o.backstop_share : 0.0F};
}

// The capacity of a site that contracts left goes to the pool. Power is computed for the whole site.
HEADROOM_HD void advance_pool(const Scenario& s, const Site& site, const PoolTerms& terms, Real start_price,
                              Real price, const auto& market, auto&& capacity, auto&& flows) {
  const OnDemandParams& o = s.on_demand;
  const Real left = capacity.left, online = capacity.online;
  const Real sold = left * market.utilisation;
  const Real at_market = ledger_fee(sold, price * o.premium, s.ledger_usd);
  const Real on_demand = at_market * (1.0F - terms.platform_share) * (1.0F - o.channel_discount);
  const Real platform = at_market * terms.platform_share * o.platform_price_multiple;
  const Real backstop =
      ledger_fee((left - sold) * terms.backstop_share, o.backstop_price_usd_per_gpu_hour, s.ledger_usd);

  const Real taken = online - left + sold;
  const Real used = taken - capacity.idle;
  const Real energised = fma(1.0F - site.power_idle_share, used, site.power_idle_share * online) / site.gpus;
  const Real power =
      energised * fma(site.power_floating_month, market.power_multiplier, site.power_fixed_month);

  flows.pool_revenue += money(on_demand + platform + backstop);
  flows.opex += money(power + platform * o.platform_cost_ratio);
  flows.online += online;
  flows.sold += taken;
  flows.price_weight += online * price;
  flows.start_price_weight += online * start_price;
}

}  // namespace headroom
