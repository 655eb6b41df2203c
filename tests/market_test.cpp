// SPDX-License-Identifier: Apache-2.0
// Shocks, demand, regimes, supply and the on-demand pool against closed forms. Random results must lie within
// k standard errors; the standard error comes from theory where theory gives one. The tests set their
// parameters over market.toml, so that both sides of every comparison can be read here.
#include <Eigen/Dense>
#include <array>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "host/config/reader.hpp"
#include "host/engine/engine.hpp"
#include "market_walk.hpp"
#include "tests/analyse.hpp"

namespace headroom {
namespace {

// The walks of these tests are the engine's paths: every month of some paths to the last digit that it reports.
TEST(MarketWalk, IsTheEnginesOwnPath) {
  const ScenarioData data = market({});
  const Scenario s = data.view();
  std::vector<double> tightness, rate;
  walk(s, 32, [&](const Words& words, int t, const Shocks& shocks, MarketState& state) {
    if (t == 1) tightness = traced(s, words.path, kTightness), rate = traced(s, words.path, kShortRate);
    state = move_market(s, path_constants(s, words), words, t, shocks, state);
    const auto reported = [](Real x) { return fixed(x) / static_cast<double>(kFixedOne); };
    const std::string inputs = fmt::format("seed {}, path {}, month {}", kSeed, words.path, t);
    EXPECT_EQ(reported(state.tightness), tightness[static_cast<std::size_t>(t - 1)]) << inputs;
    EXPECT_EQ(reported(state.short_rate), rate[static_cast<std::size_t>(t - 1)]) << inputs;
  });
}

// ---- Shocks. ----

TEST(Shocks, HaveTheConfiguredCorrelations) {
  constexpr std::array<const char*, kFactorCount> names = {
      "demand_training", "demand_inference", "price", "rate", "spread", "churn", "power"};
  const ScenarioData data = market({}, 12);
  const Scenario s = data.view();
  config::Document document({.file = HEADROOM_SOURCE_DIR "/configs/market.toml"});
  const config::Table correlation = document.root().table("correlation");
  Eigen::Matrix<double, kFactorCount, kFactorCount> configured, sum, next;
  configured.setIdentity(), sum.setZero(), next.setZero();
  for (int i = 0; i < kFactorCount; ++i) {
    const auto row = correlation.optional_table(names[static_cast<std::size_t>(i)]);
    for (int j = 0; row && j < kFactorCount; ++j) {
      if (i != j && row->has(names[static_cast<std::size_t>(j)])) {
        configured(i, j) = configured(j, i) = row->number(names[static_cast<std::size_t>(j)]);
      }
    }
  }
  ASSERT_GE((configured.array() != 0).count(), kFactorCount + 2 * 9) << "market.toml gives nine pairs or more";

  constexpr std::uint32_t paths = 20000;
  Eigen::Matrix<double, kFactorCount, 1> before, now, mean;
  mean.setZero();
  walk(s, paths, [&](const Words&, int t, const Shocks& shocks, MarketState&) {
    for (int i = 0; i < kFactorCount; ++i) now(i) = static_cast<double>(shocks.z[i]);
    mean += now;
    sum += now * now.transpose();
    if (t > 1) next += now * before.transpose();
    before = now;
  });
  const double n = 12.0 * paths;
  for (std::size_t i = 0; i < kFactorCount; ++i) {
    for (std::size_t j = 0; j < kFactorCount; ++j) {
      const auto r = static_cast<Eigen::Index>(i), c = static_cast<Eigen::Index>(j);
      const double rho = configured(r, c);
      // For two standard normals Var(x y) = 1 + rho^2; it is 2 where they are the same.
      if (j <= i) {
        expect_within(fmt::format("E[{} x {}]", names[i], names[j]), sum(r, c) / n, rho,
                      std::sqrt((1 + rho * rho) / n));
      }
      expect_within(fmt::format("E[{} x {} of the month before]", names[i], names[j]),
                    next(r, c) / (11.0 * paths), 0, 1 / std::sqrt(11.0 * paths));
    }
    expect_within(fmt::format("E[{}]", names[i]), mean(static_cast<Eigen::Index>(i)) / n, 0, 1 / std::sqrt(n));
  }
}

TEST(Shocks, AreZeroOnPlanAndLeaveTheOthersAsTheyWere) {
  constexpr std::array<std::pair<Switch, int>, 5> switches = {{{kPriceCycle, kPrice},
                                                               {kRates, kRate},
                                                               {kSpread, kSpreadFactor},
                                                               {kChurn, kChurnFactor},
                                                               {kPower, kPowerFactor}}};
  const ScenarioData data = market({}, 1);
  Scenario all = data.view();
  for (const auto& [off, factor] : switches) {
    Scenario some = all;
    some.switches &= ~static_cast<std::uint32_t>(off);
    const Words words{7};
    const Philox4 a = words(1, all.market_stream[0]), b = words(1, all.market_stream[1]);
    const Shocks with = correlated_shocks(all, MarketSwitches(all), a, b);
    const Shocks without = correlated_shocks(some, MarketSwitches(some), a, b);
    for (int i = 0; i < kFactorCount; ++i) {
      EXPECT_EQ(without.z[i], i == factor ? 0.0F : with.z[i]) << "factor " << i << ", off " << factor;
    }
  }
}

// ---- Demand. ----

struct Growth {
  double now = 0.6, long_run = 0.2, halflife = 18;
  double total(int months) const {
    double sum = 0;
    for (int t = 1; t <= months; ++t) sum += (long_run + (now - long_run) * std::exp2(-t / halflife)) / 12;
    return sum;
  }
  Sets sets(const std::string& workload) const {
    return {fmt::format("market.demand.growth_{}_per_year={:f}", workload, now),
            fmt::format("market.demand.growth_{}_long_run_per_year={:f}", workload, long_run),
            fmt::format("market.demand.growth_halflife_months={:f}", halflife)};
  }
};

constexpr PathConstants kMedianPath = {.psi_training = 1, .psi_inference = 1, .xi = 1, .systemic = 0};

// Demand over its expected growth is a martingale: volatility does not lower its mean.
TEST(Demand, MeanGrowsAsConfigured) {
  const Growth growth;
  constexpr double sigma_training = 0.25, sigma_inference = 0.40, shift = 0.10;
  const ScenarioData data =
      market(growth.sets("training") + growth.sets("inference") +
                 Sets{fmt::format("market.demand.volatility_training_per_year={:f}", sigma_training),
                      fmt::format("market.demand.volatility_inference_per_year={:f}", sigma_inference),
                      "market.regimes.start=\"shortage\"",
                      fmt::format("market.demand.shift_per_year.shortage={:f}", shift),
                      "switches.regimes=false", "switches.jumps=false"},
             36);
  const Scenario s = data.view();
  constexpr std::array<int, 3> months = {1, 12, 36};
  std::array<Sample, months.size()> training, inference;
  walk(s, 20000, [&](const Words& words, int t, const Shocks& shocks, MarketState& state) {
    state = move_demand(s, kMedianPath, words, t, shocks, state);
    for (std::size_t i = 0; i < months.size(); ++i) {
      if (t != months[i]) continue;
      training[i].add(std::exp(static_cast<double>(state.log_demand_training)));
      inference[i].add(std::exp(static_cast<double>(state.log_demand_inference)));
    }
  });
  for (std::size_t i = 0; i < months.size(); ++i) {
    const double years = months[i] / 12.0, expected = std::exp(growth.total(months[i]) + shift * years);
    const std::string inputs = fmt::format("shift {}, month {}, seed {}", shift, months[i], kSeed);
    expect_mean(fmt::format("training demand, sigma {}, {}", sigma_training, inputs), training[i], expected,
                expected * std::sqrt(std::expm1(sigma_training * sigma_training * years)));
    expect_mean(fmt::format("inference demand, sigma {}, {}", sigma_inference, inputs), inference[i], expected,
                expected * std::sqrt(std::expm1(sigma_inference * sigma_inference * years)));
  }
}

TEST(Demand, PathLongMultipliersHaveTheirLaws) {
  constexpr double training = 0.25, inference = 0.5, ageing = 0.4;
  const ScenarioData data = market({fmt::format("market.demand.growth_uncertainty_training={:f}", training),
                                    fmt::format("market.demand.growth_uncertainty_inference={:f}", inference),
                                    fmt::format("market.price.ageing_uncertainty={:f}", ageing)},
                                   1);
  const Scenario s = data.view();
  Sample psi_training, psi_inference, log_psi, log_xi, systemic, product;
  walk(s, 100000, [&](const Words& words, int, const Shocks&, MarketState&) {
    const PathConstants path = path_constants(s, words);
    psi_training.add(static_cast<double>(path.psi_training));
    psi_inference.add(static_cast<double>(path.psi_inference));
    log_psi.add(std::log(static_cast<double>(path.psi_inference)));
    log_xi.add(std::log(static_cast<double>(path.xi)));
    systemic.add(static_cast<double>(path.systemic));
    product.add(static_cast<double>(path.systemic) * log_xi.x.back() / ageing);
  });
  const std::string inputs = fmt::format("sd {}, {}, {}, seed {}", training, inference, ageing, kSeed);
  expect_mean("psi of training, " + inputs, psi_training, 1, std::sqrt(std::expm1(training * training)));
  expect_mean("psi of inference, " + inputs, psi_inference, 1, std::sqrt(std::expm1(inference * inference)));
  expect_normal("ln psi of inference, " + inputs, log_psi, -inference * inference / 2, inference);
  expect_normal("ln xi, " + inputs, log_xi, 0, ageing);
  expect_normal("systemic draw, " + inputs, systemic, 0, 1);
  expect_mean("systemic draw x ln xi, " + inputs, product, 0, 1);
}

// At most one jump a month: a month has one with probability 1 - exp(-lambda / 12), the Poisson probability
// of at least one.
TEST(Demand, JumpsAreCompoundPoisson) {
  constexpr double intensity = 2.4, mean_log = -0.10, sd_log = 0.15;
  constexpr int months = 12;
  const ScenarioData data = market(Sets{fmt::format("market.demand.jumps_per_year={:f}", intensity),
                                        fmt::format("market.demand.jump_mean_log={:f}", mean_log),
                                        fmt::format("market.demand.jump_sd_log={:f}", sd_log)} +
                                       still_market("balanced", 0) + Sets{"switches.jumps=true"},
                                   months);
  const Scenario s = data.view();
  Sample count, sum, demand, both;
  int jumped_here = 0, jumped_there = 0;
  std::array<double, months + 1> with_count{};
  walk(s, 30000, [&](const Words& words, int t, const Shocks& shocks, MarketState& state) {
    const MarketState before = state;
    state = move_demand(s, kMedianPath, words, t, shocks, state);
    if (t == 1) jumped_here = jumped_there = 0;
    jumped_here += state.log_demand_training != before.log_demand_training ? 1 : 0;
    jumped_there += state.log_demand_inference != before.log_demand_inference ? 1 : 0;
    if (t < months) return;
    count.add(jumped_here);
    both.add(jumped_here * jumped_there);
    sum.add(static_cast<double>(state.log_demand_training));
    demand.add(std::exp(static_cast<double>(state.log_demand_inference)));
    with_count[static_cast<std::size_t>(jumped_here)] += 1;
  });
  const std::string inputs = fmt::format("intensity {}, size {} (sd {}), {} months, seed {}", intensity,
                                         mean_log, sd_log, months, kSeed);
  const double p = -std::expm1(-intensity / 12), square = mean_log * mean_log + sd_log * sd_log;
  expect_mean("jumps, " + inputs, count, months * p, std::sqrt(months * p * (1 - p)));
  double probability = std::pow(1 - p, months);
  EXPECT_NEAR(probability, std::exp(-intensity), 1e-12) << "no jump in a year: that of Poisson";
  for (int k = 0; k <= 7; ++k) {
    expect_share(fmt::format("{} jumps, {}", k, inputs), with_count[static_cast<std::size_t>(k)], count.n(),
                 probability);
    probability *= p / (1 - p) * (months - k) / (k + 1);
  }
  const double variance = months * (p * square - p * p * mean_log * mean_log);
  expect_mean("sum of jumps, " + inputs, sum, months * p * mean_log, std::sqrt(variance));
  // Fourth cumulant of a month's jump, for the standard error of the variance.
  const double m = mean_log, v = sd_log * sd_log, m1 = p * m, m2 = p * square, m3 = p * (m * m * m + 3 * m * v),
               m4 = p * (m * m * m * m + 6 * m * m * v + 3 * v * v);
  const double central4 = m4 - 4 * m3 * m1 + 6 * m2 * m1 * m1 - 3 * m1 * m1 * m1 * m1,
               month_variance = m2 - m1 * m1;
  const double fourth = months * (central4 - 3 * month_variance * month_variance) + 3 * variance * variance;
  expect_within("variance of the sum of jumps, " + inputs, sum.spread(months * m1), variance,
                std::sqrt((fourth - variance * variance) / sum.n()));
  const double factor = 1 + p * std::expm1(m + v / 2), factor2 = 1 + p * std::expm1(2 * m + 2 * v);
  expect_mean("demand with jumps, " + inputs, demand, std::pow(factor, months),
              std::sqrt(std::pow(factor2, months) - std::pow(factor, 2 * months)));
  const double mean_count = months * p, square_count = months * p * (1 - p) + mean_count * mean_count;
  expect_mean("jumps of training x jumps of inference, " + inputs, both, mean_count * mean_count,
              std::sqrt(square_count * square_count - std::pow(mean_count, 4)));
}

// ---- Regimes. ----

struct Intensities {
  double shortage_to_balanced = 0.80, shortage_to_glut = 0.20, balanced_to_shortage = 0.35,
         balanced_to_glut = 0.35, glut_to_balanced = 0.70, glut_to_shortage = 0.10;

  Eigen::Matrix3d matrix() const {
    Eigen::Matrix3d q;
    q << -shortage_to_balanced - shortage_to_glut, shortage_to_balanced, shortage_to_glut,  //
        balanced_to_shortage, -balanced_to_shortage - balanced_to_glut, balanced_to_glut,   //
        glut_to_shortage, glut_to_balanced, -glut_to_balanced - glut_to_shortage;
    return q;
  }
  // exp(Q t) by Taylor's series of a 2^10-th part, squared ten times.
  Eigen::Matrix3d after(double years) const {
    const Eigen::Matrix3d part = matrix() * years / 1024;
    Eigen::Matrix3d power = Eigen::Matrix3d::Identity(), result = power;
    for (int k = 1; k <= 12; ++k) power = power * part / k, result += power;
    for (int k = 0; k < 10; ++k) result = result * result;
    return result;
  }
  Eigen::RowVector3d stationary() const {
    // pi Q = 0 with a column replaced by that of sum pi = 1.
    Eigen::Matrix3d system = matrix();
    system.col(2).setOnes();
    return Eigen::RowVector3d(0, 0, 1) * system.inverse();
  }
  Sets sets() const {
    return {fmt::format("market.regimes.shortage_to_balanced_per_year={:f}", shortage_to_balanced),
            fmt::format("market.regimes.shortage_to_glut_per_year={:f}", shortage_to_glut),
            fmt::format("market.regimes.balanced_to_shortage_per_year={:f}", balanced_to_shortage),
            fmt::format("market.regimes.balanced_to_glut_per_year={:f}", balanced_to_glut),
            fmt::format("market.regimes.glut_to_balanced_per_year={:f}", glut_to_balanced),
            fmt::format("market.regimes.glut_to_shortage_per_year={:f}", glut_to_shortage)};
  }
};

constexpr std::array<const char*, 3> kRegimeNames = {"shortage", "balanced", "glut"};

TEST(Regimes, AreOccupiedAsTheMarkovChainSays) {
  const Intensities intensities;
  constexpr std::array<int, 4> months = {1, 6, 24, 240};
  constexpr std::uint32_t paths = 20000;
  for (const int start : {kShortage, kBalanced, kGlut}) {
    const ScenarioData data = market(
        intensities.sets() +
            Sets{fmt::format("market.regimes.start=\"{}\"", kRegimeNames[static_cast<std::size_t>(start)])},
        240);
    const Scenario s = data.view();
    Eigen::Matrix<double, 4, 3> occupied = Eigen::Matrix<double, 4, 3>::Zero();
    Eigen::Matrix3d moves = Eigen::Matrix3d::Zero();
    for (std::uint32_t path = 0; path < paths; ++path) {
      int regime = s.demand.start_regime;
      for (int t = 1; t <= s.months; ++t) {
        const int before = regime;
        regime = next_regime(s.demand, regime, uniform(Words{path}(t, s.market_stream[1]).w3));
        moves(before, regime) += 1;
        for (std::size_t i = 0; i < months.size(); ++i) {
          if (t == months[i]) occupied(static_cast<Eigen::Index>(i), regime) += 1;
        }
      }
    }
    for (int regime = 0; regime < 3; ++regime) {
      const std::string inputs =
          fmt::format("{} from {}, seed {}", kRegimeNames[static_cast<std::size_t>(regime)],
                      kRegimeNames[static_cast<std::size_t>(start)], kSeed);
      for (std::size_t i = 0; i < months.size(); ++i) {
        expect_share(fmt::format("paths in {}, month {}", inputs, months[i]),
                     occupied(static_cast<Eigen::Index>(i), regime), paths,
                     intensities.after(months[i] / 12.0)(start, regime));
      }
      expect_share("paths in the long run in " + inputs, occupied(3, regime), paths,
                   intensities.stationary()(regime));
      for (int before = 0; before < 3; ++before) {
        expect_share(fmt::format("steps from {}, {}", before, inputs), moves(before, regime),
                     moves.row(before).sum(), intensities.after(1 / 12.0)(before, regime));
      }
    }
  }
}

// The months of glut of each path, as the engine reports them.
TEST(Regimes, MonthsOfGlutAreThoseOfTheMarkovChain) {
  const Intensities intensities;
  constexpr int months = 60;
  constexpr std::uint64_t paths = 50000;
  const ScenarioData data = market(intensities.sets() + Sets{"market.regimes.start=\"shortage\""}, months);
  const Scenario s = data.view();
  const std::vector<BinRange> bins(static_cast<std::size_t>(series_count(s)) * months);
  const Outcomes outcomes = run(s, paths, bins);
  double mean = 0, square = 0;
  for (int t = 1; t <= months; ++t) {
    const double here = intensities.after(t / 12.0)(kShortage, kGlut);
    mean += here;
    square += here;
    for (int later = t + 1; later <= months; ++later) {
      square += 2 * here * intensities.after((later - t) / 12.0)(kGlut, kGlut);
    }
  }
  expect_within(fmt::format("months of glut, {} months from shortage, seed {}", months, kSeed),
                static_cast<double>(sum_of(*outcomes.columns, kGlutMonths)) / paths, mean,
                std::sqrt((square - mean * mean) / paths));
}

// ---- Supply. ----

// Growing demand without shocks: the lagged response of supply against the recursion of MODEL.md 3.1 in
// double, and its steady state theta q = g_D - g_S.
TEST(Supply, FollowsTightnessWithItsLag) {
  struct Case {
    double demand_growth, supply_growth, theta, tau, start;
  };
  for (const Case& c :
       {Case{0.30, 0.20, 1.0, 1.5, 0.05}, Case{0.10, 0.25, 2.0, 0.5, 0.3}, Case{0.25, 0.10, 0.8, 0.5, -0.2}}) {
    const std::string growth = fmt::format("_per_year={:f}", c.demand_growth);
    const ScenarioData data = market(
        still_market("balanced", c.start) +
            Sets{"market.demand.growth_training" + growth, "market.demand.growth_training_long_run" + growth,
                 "market.demand.growth_inference" + growth, "market.demand.growth_inference_long_run" + growth,
                 fmt::format("market.supply.growth_per_year={:f}", c.supply_growth),
                 fmt::format("market.supply.growth_long_run_per_year={:f}", c.supply_growth),
                 fmt::format("market.supply.response={:f}", c.theta),
                 fmt::format("market.supply.lag_years={:f}", c.tau)},
        240);
    const Scenario s = data.view();
    double orders = 0, log_supply = 0, q = c.start;
    walk(s, 1, [&](const Words& words, int t, const Shocks& shocks, MarketState& state) {
      state = move_market(s, kMedianPath, words, t, shocks, state);
      orders += (c.theta * q - orders) / (12 * c.tau);
      log_supply += (c.supply_growth + orders) / 12;
      q = c.start + c.demand_growth * t / 12 - log_supply;
      const std::string inputs = fmt::format("growth {} and {}, theta {}, tau {}, start {}, month {}",
                                             c.demand_growth, c.supply_growth, c.theta, c.tau, c.start, t);
      // Float sums of up to 6 lose up to 2.4e-7 a month, and what supply's answer does not take back stays.
      EXPECT_NEAR(static_cast<double>(state.tightness), q, 2e-5) << inputs;
      if (t == 240 && c.tau < 1) {
        EXPECT_NEAR(static_cast<double>(state.tightness), (c.demand_growth - c.supply_growth) / c.theta, 2e-5)
            << inputs;
      }
    });
  }
}

// ---- On-demand pool. ----

TEST(Pool, UtilisationFollowsItsRecursionToItsFixedPoint) {
  constexpr double max = 0.14, alpha = 0.1, beta = 4.0;
  struct Case {
    double attrition, start, tightness, churn;
  };
  for (const Case& c : {Case{0.10, 0.20, 0.0, 0.0}, Case{0.10, 0.95, -0.3, 0.0}, Case{0.10, 0.5, 0.5, 0.5},
                        Case{0.05, 0.3, 0.6, 0.0}, Case{0.40, 0.9, 0.1, 1.2}}) {
    const ScenarioData data =
        market({fmt::format("on_demand.attrition_per_month={:f}", c.attrition),
                fmt::format("on_demand.start_utilisation={:f}", c.start),
                fmt::format("on_demand.bookings_max_per_month={:f}", max),
                fmt::format("on_demand.bookings_alpha={:f}", alpha),
                fmt::format("on_demand.bookings_tightness_beta={:f}", beta),
                fmt::format("market.churn.start_log={:f}", c.churn), "market.churn.reversion_per_year=0.0",
                "market.churn.volatility_per_year=0.0"},
               240);
    const Scenario s = data.view();
    const double lost = std::min(c.attrition * std::exp(c.churn), 1.0);
    const double bookings = max / (1 + std::exp(-alpha - beta * c.tightness));
    double v = c.start;
    walk(s, 1, [&](const Words&, int t, const Shocks& shocks, MarketState& state) {
      state.tightness = static_cast<Real>(c.tightness);
      state = move_rates(s, t, shocks, state);
      v = v * (1 - lost) + std::min(bookings, 1 - v * (1 - lost));
      const std::string inputs = fmt::format("attrition {}, start {}, tightness {}, churn {}, month {}",
                                             c.attrition, c.start, c.tightness, c.churn, t);
      EXPECT_NEAR(static_cast<double>(state.utilisation), v, 1e-5) << inputs;
      if (t == 240) {
        EXPECT_NEAR(static_cast<double>(state.utilisation), std::min(bookings / lost, 1.0), 1e-4) << inputs;
      }
    });
  }
}

}  // namespace
}  // namespace headroom
