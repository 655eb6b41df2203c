// SPDX-License-Identifier: Apache-2.0
// Sites in one month: capex, capacity on line, depreciation and collateral.
#pragma once

#include <cstdint>

#include "headroom/calendar.hpp"
#include "headroom/delivery.hpp"
#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Adds to a tranche's figure, and to the sum over all tranches of its entity.
template <auto field, class P>
HEADROOM_HD void finance(const StateLayout& l, std::int32_t tranche, std::int32_t all, Money amount,
                         const P& p) {
  TrancheMonth own = p.load(l.tranche_month, tranche), sum = p.load(l.tranche_month, all);
  own.*field += amount;
  sum.*field += amount;
  store<field>(p, l.tranche_month, own, tranche);
  store<field>(p, l.tranche_month, sum, all);
}

// A site in service since before as_of. Only its collateral value depends on the path.
template <class Lanes>
HEADROOM_HD void advance_running_site(const Scenario& s, const StateLayout& l, std::int32_t i,
                                      const SiteRow& row, bool valued, Lanes& lanes) {
  const Site site = s.site[i];
  const SiteMonth capacity = row.running_capacity;
  const Money opex = row.running_opex;
  lanes.each([&](auto p) HEADROOM_LANE {
    p.store(l.site_month, capacity, i);
    SiteFlows flows = p.load(l.site_flows, site.entity);
    flows.opex += opex;
    store<&SiteFlows::opex>(p, l.site_flows, flows, site.entity);
  });
  if (site.tranche < 0 || !valued) return;
  const SiteTerms terms = row.terms;
  const Real gpu_cost = static_cast<Real>(site.opening_gpu_value) * (capacity.online_end / site.gpus);
  const Real start_price = row.start_price;
  lanes.each([&](auto p) HEADROOM_LANE {
    const Money value = collateral(site, terms, site.planned_ready_month, gpu_cost,
                                   p.load(l.gpu, site.gpu_type).price / start_price);
    finance<&TrancheMonth::collateral>(l, site.tranche, s.tranche.size + site.entity, value, p);
  });
}

// A site that is built on the path.
template <class Lanes>
HEADROOM_HD void advance_built_site(const Scenario& s, const StateLayout& l, std::int32_t i, const SiteRow& row,
                                    bool valued, Lanes& lanes) {
  const Site site = s.site[i];
  const SiteTerms terms = row.terms;
  const std::uint32_t needs =
      lanes.any([&](auto p) HEADROOM_LANE { return site_needs(p.load(l.site_constants, i), terms); });
  const bool due = row.capex_due || (needs & kNeedsDeliveries) != 0;
  const auto pay = [&](auto financed) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const SiteStep step = pay_site(site, p.load(l.site_constants, i), p.load(l.site, i), terms,
                                     p.load(l.gpu, site.gpu_type).price);
      SiteFlows flows = p.load(l.site_flows, site.entity);
      flows.capex += step.flows.capex;
      flows.write_off += step.flows.write_off;
      store<&SiteState::capex, &SiteState::depreciated, &SiteState::purchase_price>(p, l.site, step.state, i);
      store<&SiteFlows::capex, &SiteFlows::write_off>(p, l.site_flows, flows, site.entity);
      financed(p, step.flows.capex);
    });
  };
  if (due && site.tranche >= 0) {
    pay([&](auto p, Money capex) HEADROOM_LANE {
      finance<&TrancheMonth::eligible_capex>(l, site.tranche, s.tranche.size + site.entity, capex, p);
    });
  } else if (due) {
    pay([](auto, Money) HEADROOM_LANE {});
  }
  if ((needs & kNeedsOperation) == 0) {
    // Closed on every path: its standing cost is the same wherever the site is still to come.
    const Money standing = row.standing;
    lanes.each([&](auto p) HEADROOM_LANE {
      const SiteState state = p.load(l.site, i);
      SiteFlows flows = p.load(l.site_flows, site.entity);
      flows.opex += select(state.status <= kOrdered, standing, 0);
      flows.net_ppe += state.capex - state.depreciated;
      store<&SiteFlows::opex, &SiteFlows::net_ppe>(p, l.site_flows, flows, site.entity);
    });
    return;
  }
  lanes.each([&](auto p) HEADROOM_LANE {
    const SiteStep step = operate_site(site, p.load(l.site_constants, i), p.load(l.site, i), terms);
    SiteFlows flows = p.load(l.site_flows, site.entity);
    flows.opex += step.flows.opex;
    flows.depreciation += step.flows.depreciation;
    flows.net_ppe += step.flows.net_ppe;
    store<&SiteState::depreciated>(p, l.site, step.state, i);
    p.store(l.site_month, step.month, i);
    store<&SiteFlows::opex, &SiteFlows::depreciation, &SiteFlows::net_ppe>(p, l.site_flows, flows, site.entity);
  });
  if (site.tranche < 0 || !valued) return;
  lanes.each([&](auto p) HEADROOM_LANE {
    const Money value = site_collateral(site, p.load(l.site_constants, i), p.load(l.site, i), terms,
                                        p.load(l.gpu, site.gpu_type).price);
    finance<&TrancheMonth::collateral>(l, site.tranche, s.tranche.size + site.entity, value, p);
  });
}

// Keeps a finished path's result of a site: how late it opened, or that it never opened.
template <class Lanes>
HEADROOM_HD void keep_site(const Scenario& s, const StateLayout& l, std::int32_t i, std::int32_t late_column,
                           Lanes& lanes) {
  const Site site = s.site[i];
  if (site.running != 0) {
    lanes.each([&](auto p) HEADROOM_LANE { p.keep(late_column, 0); });
    return;
  }
  lanes.each([&](auto p) HEADROOM_LANE {
    const SiteConstants path = p.load(l.site_constants, i);
    const std::int32_t given_up = path.cancelled | select(p.load(l.site, i).status > kOrdered, 1, 0);
    const Real late = path.ready - site.planned_ready_month;
    PathTotals totals = p.load(l.totals);
    totals.worst_delay = max(totals.worst_delay, select(given_up != 0, 0.0F, late));
    store<&PathTotals::worst_delay>(p, l.totals, totals);
    p.keep(late_column, select(given_up != 0, kNever, min(fixed(late), kNever - 1)));
  });
}

}  // namespace headroom
