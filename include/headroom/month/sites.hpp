// SPDX-License-Identifier: Apache-2.0
// Sites in one month: order, refusal, capex, capacity on line, depreciation, collateral, and the pool that
// takes the capacity that contracts leave.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/model/pool.hpp"
#include "headroom/model/site.hpp"
#include "headroom/model/tranche.hpp"
#include "headroom/month/calendar.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// The collateral of all lenders of an entity, or of the group, after that of each tranche.
HEADROOM_HD std::int32_t collateral_of(const Scenario& s, std::int32_t owner) { return s.tranche.size + owner; }

// Adds a site's collateral to its tranche, to its entity and to the group.
template <class P>
HEADROOM_HD void pledge(const Scenario& s, const StateLayout& l, std::int32_t tranche, std::int32_t entity,
                        Money value, const P& p) {
  p.at(l.collateral, tranche).value += value;
  p.at(l.collateral, collateral_of(s, entity)).value += value;
  if (s.group() != entity) p.at(l.collateral, collateral_of(s, s.group())).value += value;
}

// A site in service since before as_of. Only its collateral value depends on the path.
template <class Lanes>
HEADROOM_HD void run_site(const Now& now, std::int32_t i, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  Held<Site> site = s.site[i];
  Held<SiteRow> row = now.site(i);
  lanes.each([&](auto p) HEADROOM_LANE {
    p.at(l.site_month) = row.running_capacity;
    p.at(l.flows, site.entity).opex += row.running_opex;
  });
  if (site.tranche < 0 || !now.company().values_collateral) return;
  const Real gpu_cost = static_cast<Real>(site.opening_gpu_value) * (row.running_capacity.left_end / site.gpus);
  lanes.each([&](auto p) HEADROOM_LANE {
    const Money value = collateral(site, row.terms, site.planned_ready_month, gpu_cost,
                                   p.at(l.gpu, site.gpu_type).price / row.start_price);
    pledge(s, l, site.tranche, site.entity, value, p);
  });
}

// The order of a site, and its permit.
template <class Lanes>
HEADROOM_HD void decide_on_site(const Now& now, std::int32_t i, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  const Site& site = s.site[i];
  const std::int32_t place = now.calendar.place[i];
  if (now.site(i).ordered) {
    const bool may_wait = site.discretionary != 0 && s.on(kDiscretion, site);
    const Money least = may_wait ? s.entity[s.parent()].policy_liquidity : -kFixedMax;
    const std::int32_t otherwise = now.site(i).may_wait && may_wait ? kWaiting : kNotOrdered;
    if (may_wait && site.funded_to_complete != 0 && site.tranche >= 0) {
      const std::int32_t tranche = site.tranche, always_open = s.tranche[tranche].needs_window != 0 ? 0 : 1;
      const Money to_go = site.capex - site.capex_paid;
      lanes.each([&](auto p) HEADROOM_LANE {
        const auto loan = p.at(l.tranche, tranche);
        const std::int32_t standing = loan.standing, window = p.at(l.market).window_open;
        const Money undrawn = loan.undrawn, liquidity = p.at(l.parent).liquidity;
        const std::int32_t open = always_open | window | (standing & kSigned);
        const Money own = max(to_go - select(open != 0, undrawn, 0), 0);
        const std::int32_t ordered = order_site(liquidity, least + own, otherwise, p.at(l.site, place));
        loan.standing = standing | (ordered * kSigned);
      });
    } else {
      lanes.each([&](auto p) HEADROOM_LANE {
        order_site(p.at(l.parent).liquidity, least, otherwise, p.at(l.site, place));
      });
    }
  }
  if (now.site(i).refused) {
    const Real probability = site.cancel_probability;
    const auto words = lanes.draw(0, 0, site.cancel_stream);
    lanes.each([&](auto p)
                   HEADROOM_LANE { decide_site(is_refused(probability, words(p)), p.at(l.site, place)); });
  }
}

// A site that is built on the path.
template <class Lanes>
HEADROOM_HD void build_site(const Now& now, std::int32_t i, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  Held<Site> site = s.site[i];
  Held<SiteRow> row = now.site(i);
  const std::int32_t place = now.calendar.place[i];
  decide_on_site(now, i, lanes);
  const std::uint32_t at_opening = row.terms.opening_share > 0.0F ? std::uint32_t{kNeedsDeliveries} : 0U;
  const std::uint32_t needs =
      lanes.any([&](auto p) HEADROOM_LANE { return site_needs(row.terms, at_opening, p.at(l.site, place)); });
  if (row.capex_due || (needs & kNeedsDeliveries) != 0) {
    const auto pay = [&](auto p) HEADROOM_LANE {
      return pay_site(site, row.terms, p.at(l.gpu, site.gpu_type).price, p.at(l.site, place),
                      p.at(l.flows, site.entity));
    };
    if (site.tranche >= 0) {
      const std::int32_t financed = now.calendar.eligible[site.tranche];
      lanes.each([&](auto p) HEADROOM_LANE { p.at(l.eligible, financed).capex += pay(p); });
    } else {
      lanes.each([&](auto p) HEADROOM_LANE { pay(p); });
    }
  }
  if (row.counts_late && site.tranche >= 0) {
    const std::int32_t financed = now.calendar.eligible[site.tranche];
    const Real t = now.t(), ramp = site.ramp_months;
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto state = p.at(l.site, place);
      const Real serves = state.ready + ramp;
      const std::int32_t status = state.status;
      p.at(l.completion, financed).late += select((t < serves) & (status <= kOrdered), 1, 0);
    });
  }
  if (row.contractors_pay) {
    lanes.each([&](auto p) HEADROOM_LANE {
      p.at(l.flows, site.entity).recoveries += contractor_damages(site, row.terms, p.at(l.site, place));
    });
  }
  if ((needs & kNeedsOperation) == 0) {
    // Closed on every path: its standing cost is the same wherever the site is still to come.
    const Money standing = row.standing;
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto state = p.at(l.site, place);
      const auto flows = p.at(l.flows, site.entity);
      const Money opex = select(state.status <= kOrdered, standing, 0);
      const Money net_ppe = state.capex - state.depreciated;
      p.at(l.site_month) = SiteMonth{};
      flows.opex += opex;
      flows.net_ppe += net_ppe;
    });
    return;
  }
  lanes.each([&](auto p) HEADROOM_LANE {
    operate_site(site, row.terms, p.at(l.site, place), p.at(l.site_month), p.at(l.flows, site.entity));
  });
  if (site.tranche < 0 || !now.company().values_collateral) return;
  lanes.each([&](auto p) HEADROOM_LANE {
    const Money value = site_collateral(site, row.terms, p.at(l.gpu, site.gpu_type).price, p.at(l.site, place));
    pledge(s, l, site.tranche, site.entity, value, p);
  });
}

// The capacity of a site that its contracts left goes to the pool.
template <class Lanes>
HEADROOM_HD void sell_rest(const Now& now, std::int32_t i, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  Held<Site> site = s.site[i];
  const PoolTerms pool = now.company().pool;
  const Real start_price = now.site(i).start_price;
  lanes.each([&](auto p) HEADROOM_LANE {
    advance_pool(s, site, pool, start_price, p.at(l.gpu, site.gpu_type).price, p.at(l.market),
                 p.at(l.site_month), p.at(l.flows, site.entity));
  });
}

}  // namespace headroom
