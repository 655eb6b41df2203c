// SPDX-License-Identifier: Apache-2.0
// The market in one month: demand, supply, rates, spread, power, churn, and the price of each GPU type.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/model/market.hpp"
#include "headroom/month/calendar.hpp"
#include "headroom/philox.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

template <class Lanes>
HEADROOM_HD void advance_market(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  const MonthRow row = s.month[now.month - 1];
  const PlanMonth plan = s.has_plan != 0 ? s.plan[now.month - 1] : PlanMonth{};
  const MarketSwitches on(s);
  const auto words_a = lanes.draw(0, now.month, s.market_stream[0]);
  const auto words_b = lanes.draw(1, now.month, s.market_stream[1]);
  const auto words_c = lanes.draw(2, now.month, s.market_stream[2]);
  lanes.each([&](auto p) HEADROOM_LANE {
    MarketState m = p.load(l.market);
    const Philox4 b = words_b(p);
    const Shocks shocks = correlated_shocks(s, on, words_a(p), b);
    m = advance_demand(s, on, row, p.load(l.constants), m, shocks, b.w3, words_c(p));
    m = advance_supply(s, on, row, plan, m);
    m.cycle = advance_cycle(s.price, m, shocks.z[kPrice]);
    m = advance_rates(s, on, row, plan, m, shocks);
    p.at(l.market) = m;
  });
}

// Whether the primary market is open, drawn in the first month of a quarter.
template <class Lanes>
HEADROOM_HD void open_window(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  if (!now.company().quarter_starts || !s.on(kFundingWindow)) return;
  const auto words = lanes.draw(0, now.month, s.market_stream[3]);
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto m = p.at(now.l.market);
    m.window_open = select(uniform(words(p).w0) < by_regime(s.rates.window_open, m.regime), 1, 0);
  });
}

// AI funding freezes or thaws. Demand feels a freeze before the market of the month is computed.
template <class Lanes>
HEADROOM_HD void advance_freeze(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  if (s.freeze.possible == 0) return;
  const FreezeParams freeze = s.freeze;
  const Mask on(s.on(kFundingFreeze));
  const auto words = lanes.draw(0, now.month, freeze.stream);
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto m = p.at(l.market);
    const auto state = p.at(l.freeze);
    const Real u = uniform(words(p).w0);
    const std::int32_t begins = select(u < by_regime(freeze.begins, m.regime), 1, 0);
    const std::int32_t lasts = select(u < freeze.ends, 0, 1);
    const std::int32_t frozen = select(on, select(state.frozen != 0, lasts, begins), 0);
    state.frozen = frozen;
    m.log_demand_training += select(frozen != 0, freeze.training_month, 0.0F);
    m.log_demand_inference += select(frozen != 0, freeze.inference_month, 0.0F);
  });
}

// What a freeze does to the primary market of the month.
template <class Lanes>
HEADROOM_HD void shut_window(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  if (s.freeze.possible == 0) return;
  const Real factor = s.on_plan(kSpreadOnPlan) ? 1.0F : s.freeze.spread_factor;
  const Mask drawn(s.on(kFundingWindow));
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto m = p.at(l.market);
    const bool frozen = p.at(l.freeze).frozen != 0;
    const std::int32_t open = select(drawn, m.window_open, 1);
    m.window_open = select(frozen, 0, open);
    m.spread_multiplier *= select(frozen, factor, 1.0F);
  });
}

// The market price of each GPU type: ageing, launches of later types, the cycle, the floor.
template <class Lanes>
HEADROOM_HD void price_gpus(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  const Real t = now.t();
  for (std::int32_t g = 0; g < s.gpu_type.size; ++g) {
    const Real start = s.gpu_type[g].log_price_start, aged = s.ageing[g * s.months + now.month - 1];
    lanes.each([&](auto p) HEADROOM_LANE {
      const Real log_price = start + (p.at(l.market).cycle - s.price.cycle_start);
      p.at(l.gpu, g).price = fma(-p.at(l.constants).xi, aged, log_price);
    });
  }
  for (std::int32_t h = 0; h < s.launch.size; ++h) {
    const Launch launch = s.launch[h];
    if (launch.planned_month + min(launch.delay.earliest_months, 0.0F) >= t) continue;  // on no path yet
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto state = p.at(l.launch, h);
      state.progress = launch_progress(launch, state.month, t);
    });
    for (std::int32_t g = 0; g < s.gpu_type.size; ++g) {
      const Real effect = s.launch_effect[s.gpu_type[g].first_launch_effect + h];
      if (effect == 0.0F) continue;
      lanes.each([&](auto p) HEADROOM_LANE { p.at(l.gpu, g).price -= effect * p.at(l.launch, h).progress; });
    }
  }
  const Mask on_plan(s.on_plan(kPriceOnPlan));
  for (std::int32_t g = 0; g < s.gpu_type.size; ++g) {
    const Real floor = s.gpu_type[g].floor_usd_per_gpu_hour;
    const Real planned = s.on_plan(kPriceOnPlan) ? s.plan_price[g * s.months + now.month - 1] : 0.0F;
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto gpu = p.at(l.gpu, g);
      gpu.price = select(on_plan, planned, max(exp(gpu.price), floor));
    });
  }
}

}  // namespace headroom
