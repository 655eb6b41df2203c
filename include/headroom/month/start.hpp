// SPDX-License-Identifier: Apache-2.0
// A path as the lanes see it, and its start: the values drawn once, and every object at as_of.
#pragma once

#include <cstddef>
#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/model/contract.hpp"
#include "headroom/model/entity.hpp"
#include "headroom/model/market.hpp"
#include "headroom/model/site.hpp"
#include "headroom/model/tranche.hpp"
#include "headroom/month/calendar.hpp"
#include "headroom/month/sites.hpp"
#include "headroom/outcome.hpp"
#include "headroom/philox.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Draws that a lane loop may use at the same time: k = 0..kDraws-1.
constexpr std::int32_t kDraws = 3;

// One path as the model sees it: its memory, its random words, its kept columns.
template <class Grid, class Generator>
struct Path : LaneMemory<Grid> {
  std::uint32_t path_low, path_high, seed_low, seed_high;
  std::int32_t* column_base;  // this path's entry of column 0
  std::size_t column_stride;

  HEADROOM_HD Philox4 draw(std::int32_t month, StreamId stream) const {
    return Generator{}({path_low, path_high, static_cast<std::uint32_t>(month), stream}, seed_low, seed_high);
  }
  HEADROOM_HD void keep(std::int32_t column, std::int32_t value) const {
    column_base[static_cast<std::size_t>(column) * column_stride] = value;
  }
};

// Flows start from 0 in every month.
template <class Lanes>
HEADROOM_HD void clear_flows(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  for (std::int32_t e = 0; e < s.entity.size; ++e)
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.flows, e) = Flows{}; });
  for (std::int32_t k = 0; k < l.eligible.count; ++k)
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.eligible, k).capex = 0; });
  for (std::int32_t k = 0; k < l.completion.count; ++k)
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.completion, k).late = 0; });
  if (!now.company().values_collateral) return;
  for (std::int32_t k = 0; k < l.collateral.count; ++k)
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.collateral, k).value = 0; });
}

// A site before its draws.
template <class Lanes>
HEADROOM_HD void open_site(const Now& now, std::int32_t i, Lanes& lanes) {
  const Scenario& s = now.s;
  const Site& site = s.site[i];
  SiteState state{};
  state.ready = site.running != 0 ? site.planned_ready_month : 0.0F;
  state.delivery = site.delivery_month;
  state.cost_multiplier = 1.0F;
  state.purchase_price = exp(s.gpu_type[site.gpu_type].log_price_start);
  state.capex = site.capex_paid;
  state.status = site.running != 0 || site.order_month <= 0.0F ? kOrdered : kWaiting;
  const std::int32_t place = now.calendar.place[i];
  lanes.each([&](auto p) HEADROOM_LANE { p.at(now.l.site, place) = state; });
}

// Its stages: it is ready after the last of them.
template <class Lanes>
HEADROOM_HD void draw_stages(const Now& now, std::int32_t i, Lanes& lanes) {
  const StateLayout& l = now.l;
  const Site& site = now.s.site[i];
  const std::int32_t place = now.calendar.place[i];
  const Mask on(now.s.on(kDelivery, site));
  for (std::int32_t k = 0; k < kStageCount; ++k) {
    if (site.has_stage[k] == 0) continue;
    const DelayParams delay = site.stage_delay[k];
    const Real planned = site.stage_month[k];
    const Mask brings_gpus(k == kGpus);
    const auto words = lanes.draw(0, 0, delay.stream);
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto state = p.at(l.site, place);
      const Real done = planned + drawn_delay(delay, on, p.at(l.constants).systemic, words(p).w0);
      state.ready = max(state.ready, done);
      state.delivery = select(brings_gpus, done, state.delivery);
    });
  }
}

// Its commissioning and its cost.
template <class Lanes>
HEADROOM_HD void draw_site(const Now& now, std::int32_t i, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  const Site site = s.site[i];
  const std::int32_t place = now.calendar.place[i];
  const Mask delivery(s.on(kDelivery, site)), overrun(s.on(kOverrun, site));
  const DelayParams delay = site.commissioning_delay;
  const auto commissioning = lanes.draw(0, 0, delay.stream);
  const auto cost = lanes.draw(1, 0, site.cost_stream);
  const Real unplanned = s.on(kDelivery, site) ? site.unplanned_months : 0.0F;
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto state = p.at(l.site, place);
    const Real systemic = p.at(l.constants).systemic;
    const Real late = drawn_delay(delay, delivery, systemic, commissioning(p).w0);
    state.ready = (state.ready + (site.commissioning_months + late)) + unplanned;
    state.delivery += unplanned;
    state.cost_multiplier = budget_multiplier(site, cost_multiplier(site, overrun, systemic, cost(p)));
  });
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto state = p.at(l.site, place);
    state.delivery = max(state.delivery, state.ready - site.gpu_lead_months);
  });
  if (s.on(kDelivery, site) || site.plan_ready_month >= kNeverReal) return;
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto state = p.at(l.site, place);
    state.ready = site.plan_ready_month;
    state.delivery = max(site.plan_delivery_month, site.plan_ready_month - site.gpu_lead_months);
  });
}

template <class Lanes>
HEADROOM_HD void start_market_and_totals(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  const Mask demand(s.on(kDemand)), ageing(s.on(kAgeing)), launches(s.on(kLaunches)),
      any_systemic(s.on(kDelivery) || s.on(kOverrun) || s.on(kLaunches));
  const auto parameters = lanes.draw(0, 0, s.path_stream);
  lanes.each([&](auto p) HEADROOM_LANE {
    p.at(l.constants) = start_constants(s, demand, ageing, any_systemic, parameters(p));
    p.at(l.market) = start_market(s);
    PathTotals totals{};
    totals.min_liquidity = kFixedMax;
    p.at(l.totals) = totals;
    for_each_year_column([&](auto column, auto) HEADROOM_LANE { p.at(l.year, column.value).sum = 0; });
  });
  if (s.freeze.possible != 0) lanes.each([&](auto p) HEADROOM_LANE { p.at(l.freeze).frozen = 0; });
  for (std::int32_t h = 0; h < s.launch.size; ++h) {
    const Launch launch = s.launch[h];
    const auto words = lanes.draw(0, 0, launch.delay.stream);
    lanes.each([&](auto p) HEADROOM_LANE {
      const Real delay = drawn_delay(launch.delay, launches, p.at(l.constants).systemic, words(p).w0);
      p.at(l.launch, h) = LaunchState{launch.planned_month + delay, 0.0F};
    });
  }
}

template <class Lanes>
HEADROOM_HD void start_customers_and_contracts(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  for (std::int32_t c = 0; c < s.customer.size; ++c) {
    const Mask defaults(s.on(kDefault, s.customer[c]));
    const auto words = lanes.draw(0, 0, s.customer[c].stream);
    lanes.each([&](auto p) HEADROOM_LANE {
      const Real threshold = select(defaults, exponential(words(p).w0), kNeverReal);
      p.at(l.customer, c) = CustomerState{threshold, 0.0F, kNever, 0, 0, kNever};
    });
  }
  for (std::int32_t c = 0; c < s.contract.size; ++c) {
    const ContractState opening = start_contract(s.contract[c]);
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.contract, c) = opening; });
  }
  for (std::int32_t c = 0; c < s.contract.size; ++c) {
    const std::int32_t place = now.calendar.step_down[c];
    if (place == kNoPlace) continue;
    const auto words = lanes.draw(0, 0, s.contract[c].stream);
    lanes.each([&](auto p) HEADROOM_LANE {
      p.at(l.step_down, place) = StepDownState{step_down_threshold(words(p)), 0.0F};
    });
  }
  for (std::int32_t c = 0; c < l.damages.count; ++c)
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.damages, c).charged = 0; });
}

template <class Lanes>
HEADROOM_HD void start_debt(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  for (std::int32_t d = 0; d < l.tranche.count; ++d) {
    const TrancheState tranche = d < s.tranche.size ? start_tranche(s.tranche[d]) : TrancheState{};
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.tranche, d) = tranche; });
  }
  for (std::int32_t d = 0; d < l.instalments.count; ++d)
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.instalments, d) = Instalments{}; });
  for (std::int32_t v = 0; v < l.vintage.count; ++v)
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.vintage, v).drawn = 0; });
}

template <class Lanes>
HEADROOM_HD void start_entities_and_covenants(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  const ParentOpening parent = open_parent(s);
  for (std::int32_t e = 0; e < s.entity.size; ++e) {
    EntityState opening = open_entity(s, e);
    if (e == s.parent()) opening.leverage = parent.leverage;
    lanes.each([&](auto p) HEADROOM_LANE {
      p.at(l.entity, e) = opening;
      p.at(l.entity_control, e) = EntityControl{};
    });
  }
  lanes.each([&](auto p) HEADROOM_LANE { p.at(l.parent) = parent.state; });
  for (std::int32_t k = 0; k < l.window.count; ++k) {
    const Money sum = now.calendar.opening_window[k];
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.window, k).sum = sum; });
  }
  for (std::int32_t v = 0; v < s.covenant.size; ++v)
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.covenant, v) = CovenantState{kNever, kFixedMax}; });
  for (std::int32_t v = 0; v < l.breach.count; ++v)
    lanes.each([&](auto p) HEADROOM_LANE { p.at(l.breach, v) = BreachState{kNever, kNever, 0, 0, 0, 0}; });
}

template <class Lanes>
HEADROOM_HD void start(const Now& now, Lanes& lanes) {
  start_market_and_totals(now, lanes);
  for (std::int32_t i = 0; i < now.s.site.size; ++i) {
    open_site(now, i, lanes);
    if (now.s.site[i].running != 0) continue;
    draw_stages(now, i, lanes);
    draw_site(now, i, lanes);
  }
  start_customers_and_contracts(now, lanes);
  start_debt(now, lanes);
  start_entities_and_covenants(now, lanes);
}

}  // namespace headroom
