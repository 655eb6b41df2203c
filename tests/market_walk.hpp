// SPDX-License-Identifier: Apache-2.0
// The market of the configs with a test's parameters set over it, and walks of its paths month by month.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "headroom/model/market.hpp"
#include "host/config/company.hpp"
#include "host/cpu/trace.hpp"
#include "host/engine/engine.hpp"
#include "statistics.hpp"

namespace headroom {

using Sets = std::vector<std::string>;

// Neither customers nor debt.
inline void leave_no_business(ScenarioData& data) {
  data.customer = {};
  data.contract = {};
  data.tranche = {};
  data.dated_flow = {};
  data.covenant = {};
  data.covenant_test = {};
  data.entity.at(0).revolver = -1;
}

// The market of market.toml with `sets` over it and only the H100, for a company that owns and owes nothing.
// Funding never freezes: credit_mechanics_test.cpp tests that.
enum class Launches { none, configured };
inline ScenarioData market(const Sets& sets, int months = 60, Launches launches = Launches::configured) {
  const Company company =
      load_company({.file = HEADROOM_SOURCE_DIR "/configs/demo.toml", .sets = sets}, months);
  ScenarioData data = company.data;
  const auto is_gpu = [&](const Named& each) { return each.id == "h100"; };
  const auto g =
      std::find_if(company.gpu_types.begin(), company.gpu_types.end(), is_gpu) - company.gpu_types.begin();
  const auto row = [&](const std::vector<Real>& of, std::size_t size) {
    const auto first = of.begin() + g * static_cast<std::ptrdiff_t>(size);
    return std::vector<Real>(first, first + static_cast<std::ptrdiff_t>(size));
  };
  data.ageing = row(data.ageing, data.month.size());
  data.launch_effect = row(data.launch_effect, data.launch.size());
  data.gpu_type = {data.gpu_type.at(static_cast<std::size_t>(g))};
  data.gpu_type[0].first_launch_effect = 0;
  if (launches == Launches::none) data.launch = {}, data.launch_effect = {};
  data.site = {};
  data.parameters.freeze = {};
  leave_no_business(data);
  return data;
}

// Nothing moves tightness: no growth, no shocks, no response of supply.
inline Sets still_market(const std::string& regime, double tightness) {
  return {"market.regimes.start=\"" + regime + "\"",
          fmt::format("market.supply.start_tightness={:f}", tightness),
          "market.demand.growth_training_per_year=0.0",
          "market.demand.growth_training_long_run_per_year=0.0",
          "market.demand.growth_inference_per_year=0.0",
          "market.demand.growth_inference_long_run_per_year=0.0",
          "market.demand.volatility_training_per_year=0.0",
          "market.demand.volatility_inference_per_year=0.0",
          "market.demand.shift_per_year={ shortage = 0.0, balanced = 0.0, glut = 0.0 }",
          "market.supply.growth_per_year=0.0",
          "market.supply.growth_long_run_per_year=0.0",
          "market.supply.response=0.0",
          "switches.demand=false",
          "switches.regimes=false",
          "switches.jumps=false",
          "switches.supply=false"};
}

inline Sets operator+(Sets left, const Sets& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// The words of a path, as month.hpp draws them.
struct Words {
  std::uint32_t path;
  Philox4 operator()(int month, StreamId stream) const {
    return philox4x32_10({path, 0, static_cast<std::uint32_t>(month), stream},
                         static_cast<std::uint32_t>(kSeed), 0);
  }
};

// The model's functions are inlined wherever they are called; called through these they are compiled once.
inline Shocks draw_shocks(const Scenario& s, const Words& words, int t) {
  return correlated_shocks(s, MarketSwitches(s), words(t, s.market_stream[0]), words(t, s.market_stream[1]));
}
inline MarketState move_demand(const Scenario& s, const PathConstants& path, const Words& words, int t,
                               const Shocks& shocks, const MarketState& state) {
  return advance_demand(s, MarketSwitches(s), s.month[t - 1], path, state, shocks,
                        words(t, s.market_stream[1]).w3, words(t, s.market_stream[2]));
}
inline MarketState move_rates(const Scenario& s, int t, const Shocks& shocks, const MarketState& state) {
  return advance_rates(s, MarketSwitches(s), s.month[t - 1], {}, state, shocks);
}

// Calls step(words, month, shocks, state) for every month of every path, from a path's start state.
inline void walk(const Scenario& s, std::uint32_t paths,
                 const std::function<void(const Words&, int, const Shocks&, MarketState&)>& step) {
  for (std::uint32_t path = 0; path < paths; ++path) {
    const Words words{path};
    MarketState state = start_market(s);
    for (int t = 1; t <= s.months; ++t) step(words, t, draw_shocks(s, words, t), state);
  }
}

// One month of the whole market, in the order of month.hpp.
inline MarketState move_market(const Scenario& s, const PathConstants& path, const Words& words, int t,
                               const Shocks& shocks, MarketState state) {
  state = move_demand(s, path, words, t, shocks, state);
  state = advance_supply(s, MarketSwitches(s), s.month[t - 1], {}, state);
  state.cycle = advance_cycle(s.price, state, shocks.z[kPrice]);
  return move_rates(s, t, shocks, state);
}

inline PathConstants path_constants(const Scenario& s, const Words& words) {
  const Mask systemic(s.on(kDelivery) || s.on(kOverrun) || s.on(kLaunches));
  return start_constants(s, Mask(s.on(kDemand)), Mask(s.on(kAgeing)), systemic, words(0, s.path_stream));
}

inline Outcomes run(const Scenario& s, std::uint64_t paths, std::span<const BinRange> bins) {
  RunPlan plan;
  plan.paths = {kSeed, 0, paths};
  plan.threads = 1;
  return make_cpu_backend()->simulate(s, plan, bins);
}

// A measure by month as the engine reports it: fixed point, as double.
inline std::vector<double> traced(const Scenario& s, std::uint32_t path, Measure measure) {
  const std::vector<std::int32_t> values = trace_path(s, kSeed, path);
  std::vector<double> series;
  for (int t = 0; t < s.months; ++t) {
    series.push_back(values[static_cast<std::size_t>(measure) * static_cast<std::size_t>(s.months) +
                            static_cast<std::size_t>(t)] /
                     static_cast<double>(kFixedOne));
  }
  return series;
}

}  // namespace headroom
