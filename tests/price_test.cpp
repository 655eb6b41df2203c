// SPDX-License-Identifier: Apache-2.0
// GPU rental prices and launches against closed forms. Random results must lie within k standard errors; the
// standard error comes from theory where theory gives one. The tests set their parameters over market.toml,
// so that both sides of every comparison can be read here.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "host/engine/engine.hpp"
#include "market_walk.hpp"

namespace headroom {
namespace {

// ---- Price. ----

// The engine's own price of a month over many paths, as a histogram of fixed-point values.
class PriceSample {
 public:
  PriceSample(const Scenario& s, std::uint64_t paths, std::span<const int> months)
      : paths_(paths), months_(s.months) {
    std::vector<BinRange> bins(static_cast<std::size_t>(series_count(s)) * static_cast<std::size_t>(s.months));
    for (const int t : months) bins[row(t)] = {0, kShift};
    outcomes_ = run(s, paths, bins);
  }
  double paths() const { return static_cast<double>(paths_); }
  double mean(int t) const {
    return static_cast<double>(outcomes_.sum[row(t)]) / paths() / static_cast<double>(kFixedOne);
  }
  // The edge of a bin that is next to a price, and the share of paths below it.
  struct Below {
    double price, count;
  };
  Below below(int t, double price) const {
    const auto bin = std::llround(price * static_cast<double>(kFixedOne) / (1 << kShift));
    const auto first = outcomes_.histogram.begin() + static_cast<std::ptrdiff_t>(row(t) * kBins);
    const double count = static_cast<double>(std::accumulate(first, first + bin, std::uint64_t{0}));
    return {(static_cast<double>(bin << kShift) - 0.5) / static_cast<double>(kFixedOne),
            count};  // values are rounded
  }

 private:
  static constexpr std::int32_t kShift = 6;  // bins of 0.0064 USD, up to 6.55 USD
  std::size_t row(int t) const {
    return static_cast<std::size_t>(kMarketPrice) * static_cast<std::size_t>(months_) +
           static_cast<std::size_t>(t - 1);
  }
  std::uint64_t paths_;
  int months_;
  Outcomes outcomes_{};
};

constexpr double kStartPrice = 2.63;
constexpr std::array<double, 7> kLevels = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};

void expect_price_below(const std::string& inputs, const PriceSample& sample, int t, double price,
                        auto&& distribution) {
  const PriceSample::Below below = sample.below(t, price);
  expect_share(fmt::format("prices under {:.5f}, {}", below.price, inputs), below.count, sample.paths(),
               distribution(below.price));
}

TEST(Price, IsLognormalUnderAHeldRegimeAndTightness) {
  constexpr double eta = 0.9, kappa = 1.3, start = 0.1, tightness = 0.2;
  constexpr std::array<int, 3> months = {1, 6, 24};
  struct HeldRegime {
    const char* name;
    double drift, volatility;
  };
  for (const HeldRegime& regime : {HeldRegime{"shortage", 0.32, 0.33}, HeldRegime{"balanced", 0.05, 0.25},
                                   HeldRegime{"glut", -0.42, 0.40}}) {
    const ScenarioData data = market(
        still_market(regime.name, tightness) +
            Sets{"market.price.ageing_young_per_year=0.0", "market.price.ageing_old_per_year=0.0",
                 "gpu.h100.floor_usd_per_gpu_hour=0.001",
                 fmt::format("gpu.h100.price_usd_per_gpu_hour={:f}", kStartPrice),
                 fmt::format("market.price.tightness_pull={:f}", eta),
                 fmt::format("market.price.reversion_per_year={:f}", kappa),
                 fmt::format("market.price.cycle_start_log={:f}", start),
                 fmt::format("market.price.drift_per_year.{}={:f}", regime.name, regime.drift),
                 fmt::format("market.price.volatility_per_year.{}={:f}", regime.name, regime.volatility)},
        24, Launches::none);
    const PriceSample sample(data.view(), 100000, months);
    for (const int t : months) {
      const double left = std::exp(-kappa * t / 12.0), level = eta * tightness + regime.drift / kappa;
      const double mean = std::log(kStartPrice) + level + (start - level) * left - start;
      const double sd = regime.volatility * std::sqrt((1 - left * left) / (2 * kappa));
      const std::string inputs = fmt::format(
          "regime {}, drift {}, volatility {}, eta {}, kappa {}, a(0) {}, tightness {}, month {}, seed {}",
          regime.name, regime.drift, regime.volatility, eta, kappa, start, tightness, t, kSeed);
      const double expected = std::exp(mean + sd * sd / 2);
      expect_within("mean price, " + inputs, sample.mean(t), expected,
                    expected * std::sqrt(std::expm1(sd * sd) / sample.paths()));
      for (const double p : kLevels) {
        expect_price_below(inputs, sample, t, std::exp(mean + sd * quantile(boost::math::normal(), p)),
                           [&](double price) { return normal_distribution((std::log(price) - mean) / sd); });
      }
    }
  }
}

// No drift, no tightness: the cycle goes around 0.
Sets driftless(double volatility) {
  return still_market("balanced", 0.0) +
         Sets{fmt::format("gpu.h100.price_usd_per_gpu_hour={:f}", kStartPrice),
              "market.price.reversion_per_year=1.0", "market.price.drift_per_year.balanced=0.0",
              fmt::format("market.price.volatility_per_year.balanced={:f}", volatility)};
}

TEST(Price, MixesOverTheUncertainAgeingRateDownToItsFloor) {
  constexpr double volatility = 0.25, uncertainty = 0.4, floor = 1.9;
  constexpr std::array<int, 2> months = {12, 24};
  // The H100 was launched on 31 March 2023: three years old at as_of, and old at four.
  const ScenarioData data =
      market(driftless(volatility) + Sets{"market.price.ageing_young_per_year=0.20",
                                          "market.price.ageing_old_per_year=0.05",
                                          "market.price.ageing_crossing_years=4.0",
                                          fmt::format("market.price.ageing_uncertainty={:f}", uncertainty),
                                          fmt::format("gpu.h100.floor_usd_per_gpu_hour={:f}", floor)},
             24, Launches::none);
  const PriceSample sample(data.view(), 100000, months);
  for (const int t : months) {
    const double aged = t == 12 ? 0.20 : 0.25;
    const double sd = volatility * std::sqrt((1 - std::exp(-2.0 * t / 12.0)) / 2);
    const auto distribution = [&](double price) {
      return normal_mean([&](double z) {
        return normal_distribution((std::log(price / kStartPrice) + std::exp(uncertainty * z) * aged) / sd);
      });
    };
    const std::string inputs =
        fmt::format("ageing {}, uncertainty {}, volatility {}, floor {}, month {}, seed {}", aged, uncertainty,
                    volatility, floor, t, kSeed);
    EXPECT_EQ(sample.below(t, floor - 0.007).count, 0.0) << inputs;
    for (const double price : {floor + 0.007, 2.0, 2.2, 2.5, 3.0}) {
      expect_price_below(inputs, sample, t, price, distribution);
    }
  }
}

// ---- Launches. ----

struct OneLaunch {
  double planned = 7, ramp = 6, effect = 0.5;              // planned at the end of October 2026
  double on_time = 0.30, earliest = -2, p50 = 2, p90 = 7;  // months late
  double mu = std::log(p50 - earliest),
         sigma = std::log((p90 - earliest) / (p50 - earliest)) / quantile(boost::math::normal(), 0.9);

  ScenarioData scenario(const Sets& switches) const {
    ScenarioData data =
        market(driftless(0.0) + switches +
                   Sets{"market.price.ageing_young_per_year=0.0", "market.price.ageing_old_per_year=0.0",
                        "launch.vr200.planned=2026-10-31", fmt::format("launch.vr200.ramp_months={:f}", ramp),
                        fmt::format("launch.vr200.effect_log={:f}", effect),
                        fmt::format("delay.launch.on_time_share={:f}", on_time),
                        fmt::format("delay.launch.earliest_months={:f}", earliest),
                        fmt::format("delay.launch.p50_months={:f}", p50),
                        fmt::format("delay.launch.p90_months={:f}", p90)},
               24);
    data.launch.resize(1), data.launch_effect.resize(1);
    return data;
  }
  // P(delay <= x): nothing with `on_time`, else shifted lognormal.
  double delay_distribution(double x) const {
    const double late = x > earliest ? normal_distribution((std::log(x - earliest) - mu) / sigma) : 0;
    return (x >= 0 ? on_time : 0) + (1 - on_time) * late;
  }
  double price(double t, double launched) const {
    return kStartPrice * std::exp(-effect * std::clamp((t - launched) / ramp, 0.0, 1.0));
  }
  std::string inputs(int t) const {
    return fmt::format(
        "planned {}, ramp {}, effect {}, on time {}, earliest {}, P50 {}, P90 {}, month {}, seed {}", planned,
        ramp, effect, on_time, earliest, p50, p90, t, kSeed);
  }
};

TEST(Launches, TakeEffectOverTheirRampInThePlan) {
  const OneLaunch launch;
  const ScenarioData data = launch.scenario({});
  Scenario s = data.view();
  s.switches = 0;
  const std::vector<double> prices = traced(s, 0, kMarketPrice);
  // Its median: of the late part, the (0.5 - on_time) / (1 - on_time) quantile.
  const double z = quantile(boost::math::normal(), (0.5 - launch.on_time) / (1 - launch.on_time));
  const double launched = launch.planned + launch.earliest + std::exp(launch.mu + launch.sigma * z);
  for (int t = 1; t <= 24; ++t) {
    EXPECT_NEAR(prices[static_cast<std::size_t>(t - 1)], launch.price(t, launched), 0.6e-4) << launch.inputs(t);
  }
  EXPECT_NEAR(prices.front(), kStartPrice, 0.6e-4);
  EXPECT_NEAR(prices.back(), kStartPrice * std::exp(-launch.effect), 0.6e-4);
}

TEST(Launches, HaveTheDistributionOfTheirDates) {
  const OneLaunch launch;
  constexpr std::array<int, 3> months = {6, 10, 16};
  const ScenarioData data = launch.scenario({"switches.price_cycle=false"});
  const PriceSample sample(data.view(), 100000, months);
  for (const int t : months) {
    // The price is below x if the launch is old enough.
    for (const double progress : {0.05, 0.25, 0.5, 0.75, 0.95}) {
      expect_price_below(launch.inputs(t), sample, t, kStartPrice * std::exp(-launch.effect * progress),
                         [&](double price) {
                           const double age = launch.ramp * std::log(kStartPrice / price) / launch.effect;
                           return launch.delay_distribution(t - age - launch.planned);
                         });
    }
  }
}

}  // namespace
}  // namespace headroom
