// SPDX-License-Identifier: Apache-2.0
// A path as the lanes see it, and its start: the values drawn once, and every object at as_of.
#pragma once

#include <cstddef>
#include <cstdint>

#include "headroom/capital.hpp"
#include "headroom/closing.hpp"
#include "headroom/covenants.hpp"
#include "headroom/customers.hpp"
#include "headroom/delivery.hpp"
#include "headroom/hd.hpp"
#include "headroom/market.hpp"
#include "headroom/math.hpp"
#include "headroom/outcome.hpp"
#include "headroom/philox.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Draws that a lane loop may use at the same time: k = 0..kDraws-1.
constexpr std::int32_t kDraws = 3;

// One path as the model sees it: its memory, its random words, its kept columns.
template <class Stride, class Generator>
struct Path : LaneMemory<Stride> {
  std::uint32_t path_low, path_high, seed_low, seed_high;
  std::int32_t* column_base;  // this path's entry of column 0
  std::size_t column_stride;

  HEADROOM_HD Philox4 words(std::int32_t month, StreamId stream) const {
    return Generator{}({path_low, path_high, static_cast<std::uint32_t>(month), stream}, seed_low, seed_high);
  }
  HEADROOM_HD void keep(std::int32_t column, std::int32_t value) const {
    column_base[static_cast<std::size_t>(column) * column_stride] = value;
  }
};

HEADROOM_HD WindowRow history_row(const HistoryMonth& h) {
  return {h.ebitda, h.cash_interest, h.scheduled_principal, h.cfads, h.contracted_revenue};
}

// Covenant windows at the start, of an entity or of the group: the sum over `entities` from `first` on.
template <class Lanes>
HEADROOM_HD void open_windows(const Scenario& s, const StateLayout& l, std::int32_t entity, std::int32_t first,
                              std::int32_t entities, Lanes& lanes) {
  WindowRow sum{};
  for (std::int32_t month = -12; month <= 0; ++month) {
    lanes.each([&](auto p) HEADROOM_LANE { p.store(l.window, sum, window_row(entity, month)); });
    if (month == 0) break;
    for (std::int32_t e = first; e < first + entities; ++e) {
      sum = add(sum, history_row(s.history[e * 12 + month + 12]));
    }
  }
}

// Clears the flows for the next month. They were read just before, so they are still in the cache.
template <class Lanes>
HEADROOM_HD void clear_flows(const StateLayout& l, std::int32_t entity, Lanes& lanes) {
  lanes.each([&](auto p) HEADROOM_LANE {
    p.store(l.site_flows, SiteFlows{}, entity);
    p.store(l.contract_flows, ContractFlows{}, entity);
    p.store(l.pool_flows, PoolFlows{}, entity);
    p.store(l.debt_flows, DebtFlows{}, entity);
  });
}

// A site before its draws.
template <class Lanes>
HEADROOM_HD void open_site(const Scenario& s, const StateLayout& l, std::int32_t i, Lanes& lanes) {
  const Site site = s.site[i];
  const Real start_price = exp(s.gpu_type[site.gpu_type].log_price_start);
  const std::int32_t status = site.running != 0 || site.order_month <= 0.0F ? kOrdered : kWaiting;
  const Real opened = site.running != 0 ? site.planned_ready_month : 0.0F;
  lanes.each([&](auto p) HEADROOM_LANE {
    p.store(l.site_constants, SiteConstants{opened, site.delivery_month, 1.0F, 0}, i);
    p.store(l.site, SiteState{site.capex_paid, 0, start_price, status}, i);
    p.store(l.site_month, SiteMonth{}, i);  // nothing on line until it opens
  });
}

// Its stages: it is ready after the last of them.
template <class Lanes>
HEADROOM_HD void draw_stages(const Scenario& s, const StateLayout& l, std::int32_t i, Lanes& lanes) {
  const Mask delivery(s.on(kDelivery, s.site[i]));
  for (std::int32_t k = 0; k < kStageCount; ++k) {
    if (s.site[i].has_stage[k] == 0) continue;
    const DelayParams delay = s.site[i].stage_delay[k];
    const Real planned = s.site[i].stage_month[k];
    const Mask brings_gpus(k == kGpus);
    const auto words = lanes.draw(0, 0, delay.stream);
    lanes.each([&](auto p) HEADROOM_LANE {
      SiteConstants path = p.load(l.site_constants, i);
      const Real done = planned + drawn_delay(delay, delivery, p.load(l.constants).systemic, words(p).w0);
      path.ready = max(path.ready, done);
      path.delivery = select(brings_gpus, done, path.delivery);
      p.store(l.site_constants, path, i);
    });
  }
}

// Its commissioning, cost and permit.
template <class Lanes>
HEADROOM_HD void draw_site(const Scenario& s, const StateLayout& l, std::int32_t i, Lanes& lanes) {
  const Site site = s.site[i];
  const Mask delivery(s.on(kDelivery, site)), overrun(s.on(kOverrun, site));
  const DelayParams delay = site.commissioning_delay;
  const auto commissioning = lanes.draw(0, 0, delay.stream);
  const auto cost = lanes.draw(1, 0, site.cost_stream);
  const auto refusal = lanes.draw(2, 0, site.cancel_stream);
  const Real unplanned = s.on(kDelivery, site) ? site.unplanned_months : 0.0F;
  const Real cancel_probability = s.on(kCancellation, site) ? site.cancel_probability : 0.0F;
  lanes.each([&](auto p) HEADROOM_LANE {
    SiteConstants path = p.load(l.site_constants, i);
    const Real systemic = p.load(l.constants).systemic;
    path.ready += site.commissioning_months + drawn_delay(delay, delivery, systemic, commissioning(p).w0);
    path.ready += unplanned;
    path.cost_multiplier = cost_multiplier(site, overrun, systemic, cost(p));
    path.cancelled = select(uniform(refusal(p).w0) < cancel_probability, 1, 0);
    p.store(l.site_constants, path, i);
  });
}

template <class Lanes>
HEADROOM_HD void start(const Scenario& s, const StateLayout& l, Lanes& lanes) {
  const Mask demand(s.on(kDemand)), ageing(s.on(kAgeing)), launches(s.on(kLaunches)),
      any_systemic(s.on(kDelivery) || s.on(kOverrun) || s.on(kLaunches));
  const auto parameters = lanes.draw(0, 0, s.path_stream);
  lanes.each([&](auto p) HEADROOM_LANE {
    p.store(l.constants, start_constants(s, demand, ageing, any_systemic, parameters(p)));
    p.store(l.market, start_market(s));
    PathTotals totals{};
    totals.min_liquidity = kFixedMax;
    totals.worst_delay = 0.0F;
    p.store(l.totals, totals);
  });
  for (std::int32_t h = 0; h < s.launch.size; ++h) {
    const Launch launch = s.launch[h];
    const auto words = lanes.draw(0, 0, launch.delay.stream);
    lanes.each([&](auto p) HEADROOM_LANE {
      const Real systemic = p.load(l.constants).systemic;
      const Real delay = drawn_delay(launch.delay, launches, systemic, words(p).w0);
      p.store(l.launch, LaunchState{launch.planned_month + delay, 0.0F}, h);
    });
  }
  for (std::int32_t i = 0; i < s.site.size; ++i) {
    open_site(s, l, i, lanes);
    if (s.site[i].running == 0) {
      draw_stages(s, l, i, lanes);
      draw_site(s, l, i, lanes);
    }
  }
  for (std::int32_t c = 0; c < s.customer.size; ++c) {
    const Customer customer = s.customer[c];
    const Mask defaults(s.on(kDefault, customer));
    const auto words = lanes.draw(0, 0, customer.stream);
    lanes.each([&](auto p) HEADROOM_LANE {
      const Real threshold = select(defaults, exponential(words(p).w0), kNeverReal);
      p.store(l.customer, CustomerState{threshold, 0.0F, kNever}, c);
      p.store(l.customer_totals, CustomerTotals{0, 0, kNever}, c);
    });
  }
  for (std::int32_t c = 0; c < s.contract.size; ++c) {
    const Contract contract = s.contract[c];
    const Mask options(s.on(kOptions, contract));
    const ContractState opening = start_contract(contract);
    const auto words = lanes.draw(0, 0, contract.stream);
    lanes.each([&](auto p) HEADROOM_LANE {
      const Philox4 w = words(p);
      const Real u_option = select(options, uniform(w.w2), 0.5F);
      p.store(l.contract_constants,
              ContractConstants{uniform(w.w0), exponential(w.w1), u_option, static_cast<std::int32_t>(w.w3)},
              c);
      p.store(l.contract, opening, c);
    });
  }
  for (std::int32_t d = 0; d < s.tranche.size; ++d) {
    const TrancheState tranche = start_tranche(s.tranche[d]);
    lanes.each([&](auto p) HEADROOM_LANE {
      p.store(l.tranche, tranche, d);
      p.store(l.tranche_control, TrancheControl{}, d);
      p.store(l.instalments, Instalments{}, d);
      p.store(l.tranche_month, TrancheMonth{}, d);
    });
    const std::int32_t first = s.tranche[d].first_vintage;
    for (std::int32_t v = first; v < first + s.tranche[d].vintages; ++v)
      lanes.each([&](auto p) HEADROOM_LANE { p.store(l.vintage, Vintage{0}, v); });
  }
  lanes.each([&](auto p) HEADROOM_LANE {
    p.store(l.tranche, TrancheState{}, s.tranche.size);
    p.store(l.tranche_control, TrancheControl{}, s.tranche.size);
  });
  for (std::int32_t e = 0; e < s.entity.size; ++e) {
    const EntityState opening = e == s.parent() ? open_parent(s) : open_entity(s, e);
    open_windows(s, l, e, e, 1, lanes);
    lanes.each([&](auto p) HEADROOM_LANE {
      p.store(l.entity, opening, e);
      p.store(l.entity_control, EntityControl{}, e);
    });
    clear_flows(l, e, lanes);
  }
  if (s.entity.size > 1) open_windows(s, l, s.group(), 0, s.entity.size, lanes);
  CovenantState untested{};
  untested.first_breach = untested.first_uncured = untested.accelerated = kNever;
  untested.min_headroom = kFixedMax;
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    lanes.each([&](auto p) HEADROOM_LANE { p.store(l.covenant, untested, v); });
  }
}

}  // namespace headroom
