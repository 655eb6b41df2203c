// The market against closed forms. What has chance in it is held to k standard errors; the standard error is
// the one that theory gives where it gives one. Parameters stand in the tests, laid over market.toml, so that
// both sides of every comparison can be read here.
#include "headroom/market.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numbers>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "host/config/company.hpp"
#include "host/cpu/cpu.hpp"

namespace headroom {
namespace {

using Sets = std::vector<std::string>;

constexpr std::uint64_t kSeed = 20260331;

// ---- Statistics. ----

// A right model fails a single comparison by chance at this rate; the seeds are fixed.
constexpr double kFalseAlarm = 1e-6;

// Standard errors that a two-sided comparison allows: 4.89.
double allowed_errors() {
  static const double k = boost::math::quantile(complement(boost::math::normal(), kFalseAlarm / 2));
  return k;
}

double normal_distribution(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

void expect_within(const std::string& what, double value, double expected, double standard_error) {
  EXPECT_LE(std::abs(value - expected), allowed_errors() * standard_error)
      << fmt::format("{}: {:.9g}, expected {:.9g}, off by {:.2f} standard errors of {:.3g}", what, value,
                     expected, (value - expected) / standard_error, standard_error);
}

// Values of one quantity over paths.
struct Sample {
  std::vector<double> x{};

  void add(double value) { x.push_back(value); }
  double n() const { return static_cast<double>(x.size()); }
  double mean() const { return std::accumulate(x.begin(), x.end(), 0.0) / n(); }
  // Mean square about a known centre.
  double spread(double centre) const {
    double sum = 0;
    for (const double each : x) sum += (each - centre) * (each - centre);
    return sum / n();
  }
};

void expect_mean(const std::string& what, const Sample& sample, double mean, double sd) {
  expect_within("mean of " + what, sample.mean(), mean, sd / std::sqrt(sample.n()));
}

// Mean and variance of a normal quantity: the variance of (x - mean)^2 is 2 sd^4.
void expect_normal(const std::string& what, const Sample& sample, double mean, double sd) {
  expect_mean(what, sample, mean, sd);
  expect_within("variance of " + what, sample.spread(mean), sd * sd, sd * sd * std::sqrt(2.0 / sample.n()));
}

void expect_share(const std::string& what, double count, double n, double p) {
  expect_within("share of " + what, count / n, p, std::sqrt(p * (1 - p) / n));
}

// ---- Scenarios and walks. ----

// The market of market.toml with `sets` laid over it, its H100 alone, for a company that owns and owes nothing.
enum class Launches { none, configured };
ScenarioData market(const Sets& sets, int months = 60, Launches launches = Launches::configured) {
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
  data.customer = {};
  data.contract = {};
  data.tranche = {};
  data.dated_flow = {};
  data.covenant = {};
  data.covenant_test = {};
  data.entity.at(0).revolver = -1;
  return data;
}

// Nothing moves tightness: no growth, no shock, no supply that answers.
Sets still_market(const std::string& regime, double tightness) {
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

Sets operator+(Sets left, const Sets& right) {
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

// The model's functions are inlined wherever they are called; through these they are compiled once.
Shocks draw_shocks(const Scenario& s, const Words& words, int t) {
  return correlated_shocks(s, MarketSwitches(s), words(t, s.market_stream[0]), words(t, s.market_stream[1]));
}
MarketState move_demand(const Scenario& s, const PathConstants& path, const Words& words, int t,
                        const Shocks& shocks, const MarketState& state) {
  return advance_demand(s, MarketSwitches(s), s.month[t - 1], path, state, shocks,
                        words(t, s.market_stream[1]).w3, words(t, s.market_stream[2]));
}
MarketState move_rates(const Scenario& s, int t, const Shocks& shocks, const MarketState& state) {
  return advance_rates(s, MarketSwitches(s), s.month[t - 1], {}, state, shocks);
}

// Calls step(words, month, shocks, state) for every month of every path; the state starts as a path's does.
void walk(const Scenario& s, std::uint32_t paths,
          const std::function<void(const Words&, int, const Shocks&, MarketState&)>& step) {
  for (std::uint32_t path = 0; path < paths; ++path) {
    const Words words{path};
    MarketState state = start_market(s);
    for (int t = 1; t <= s.months; ++t) step(words, t, draw_shocks(s, words, t), state);
  }
}

// One month of the whole market, in the order of month.hpp.
MarketState move_market(const Scenario& s, const PathConstants& path, const Words& words, int t,
                        const Shocks& shocks, MarketState state) {
  state = move_demand(s, path, words, t, shocks, state);
  state = advance_supply(s, MarketSwitches(s), s.month[t - 1], {}, state);
  state.cycle = advance_cycle(s.price, state, shocks.z[kPrice]);
  return move_rates(s, t, shocks, state);
}

PathConstants path_constants(const Scenario& s, const Words& words) {
  const Mask systemic(s.on(kDelivery) || s.on(kOverrun) || s.on(kLaunches));
  return start_constants(s, Mask(s.on(kDemand)), Mask(s.on(kAgeing)), systemic, words(0, s.path_stream));
}

Outcomes run(const Scenario& s, std::uint64_t paths, std::span<const BinRange> bins) {
  RunPlan plan;
  plan.paths = {kSeed, 0, paths};
  plan.threads = 1;
  return make_cpu_backend()->simulate(s, plan, bins);
}

// What the engine reports of a measure, by month: fixed point as double.
std::vector<double> traced(const Scenario& s, std::uint32_t path, Measure measure) {
  const std::vector<std::int32_t> values = trace_path(s, kSeed, path);
  std::vector<double> series;
  for (int t = 0; t < s.months; ++t) {
    series.push_back(values[static_cast<std::size_t>(measure) * static_cast<std::size_t>(s.months) +
                            static_cast<std::size_t>(t)] /
                     static_cast<double>(kFixedOne));
  }
  return series;
}

// The walks of this file are the engine's paths: every month of some paths to the last digit that it reports.
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
      // Of two standard normals: Var(x y) = 1 + rho^2, 2 where they are the same.
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

// ---- Short rate. ----

// A forward curve with a kink at a month end, and its integral.
struct Curve {
  struct Point {
    double years, rate;
  };
  std::vector<Point> points;

  double at(double years) const {
    for (std::size_t i = 1; i < points.size(); ++i) {
      if (years > points[i].years) continue;
      const Point &l = points[i - 1], &r = points[i];
      return l.rate + (r.rate - l.rate) * (years - l.years) / (r.years - l.years);
    }
    return points.back().rate;
  }
  // By trapezoids of a month, which is exact: the curve is straight between month ends.
  double integral(int months) const {
    double sum = 0;
    for (int t = 1; t <= months; ++t) sum += (at((t - 1) / 12.0) + at(t / 12.0)) / 24.0;
    return sum;
  }
  std::string text() const {
    std::string rows;
    for (const Point& p : points)
      rows += fmt::format("{{ years = {:f}, rate_per_year = {:f} }}, ", p.years, p.rate);
    return "market.rates.forward=[" + rows + "]";
  }
};

struct HullWhite {
  const char* name;
  double a, sigma;
  Curve curve;
};
void PrintTo(const HullWhite& p, std::ostream* out) {
  *out << p.name << ": a " << p.a << ", sigma " << p.sigma;
}

class HullWhiteTest : public testing::TestWithParam<HullWhite> {
 protected:
  // Of r(t) - f(0,t): Hull and White (1990).
  double convexity(double years) const {
    const double b = (1 - std::exp(-GetParam().a * years)) / GetParam().a;
    return 0.5 * GetParam().sigma * GetParam().sigma * b * b;
  }
  double variance(double years) const {
    return GetParam().sigma * GetParam().sigma * (1 - std::exp(-2 * GetParam().a * years)) / (2 * GetParam().a);
  }
  // The engine's account of interest: the rate of each month end over that month, S = sum of r(t) / 12. r is
  // Gaussian, x(t) = phi x(t-1) + s z(t), so S is, with weights s (1 - phi^(T-j+1)) / (1 - phi) / 12 on z(j).
  double sum_mean(int months) const {
    double sum = 0;
    for (int t = 1; t <= months; ++t) sum += (GetParam().curve.at(t / 12.0) + convexity(t / 12.0)) / 12;
    return sum;
  }
  double sum_variance(int months) const {
    const double phi = std::exp(-GetParam().a / 12), s2 = variance(1 / 12.0);
    double sum = 0;
    for (int j = 1; j <= months; ++j) {
      const double weight = (1 - std::pow(phi, months - j + 1)) / (1 - phi) / 12;
      sum += s2 * weight * weight;
    }
    return sum;
  }
  std::string inputs(int t) const {
    return fmt::format("{}, a {}, sigma {}, month {}, seed {}", GetParam().name, GetParam().a, GetParam().sigma,
                       t, kSeed);
  }
  ScenarioData scenario() const {
    return market({fmt::format("market.rates.reversion_per_year={:f}", GetParam().a),
                   fmt::format("market.rates.volatility_per_year={:f}", GetParam().sigma),
                   GetParam().curve.text()});
  }
};

TEST_P(HullWhiteTest, MonthIsDiscretisedExactly) {
  const ScenarioData data = scenario();
  const OuParams& x = data.parameters.rates.short_rate;
  const double left = std::exp(-GetParam().a / 12), sd = std::sqrt(variance(1 / 12.0));
  for (const double z : {-3.0, 0.0, 1.0}) {
    EXPECT_NEAR(static_cast<double>(ou_step(x, 0.02F, 0.0F, static_cast<Real>(z))), 0.02 * left + sd * z, 1e-8)
        << "z " << z << ", " << inputs(1);
  }
}

TEST_P(HullWhiteTest, RateIsNormalAndBondsAreWorthTheirClosedForm) {
  constexpr std::array<int, 4> months = {1, 12, 36, 60};
  const ScenarioData data = scenario();
  const Scenario s = data.view();
  std::array<Sample, months.size()> rate, bond;
  MarketState mirrored;
  double paid = 0, paid_mirrored = 0;
  walk(s, 10000, [&](const Words&, int t, const Shocks& shocks, MarketState& state) {
    // The path of the opposite shocks makes a bond's sample error small enough to see its convexity.
    Shocks opposite;
    for (int i = 0; i < kFactorCount; ++i) opposite.z[i] = -shocks.z[i];
    if (t == 1) mirrored = state, paid = paid_mirrored = 0;
    state = move_rates(s, t, shocks, state);
    mirrored = move_rates(s, t, opposite, mirrored);
    paid += static_cast<double>(state.short_rate) / 12;
    paid_mirrored += static_cast<double>(mirrored.short_rate) / 12;
    for (std::size_t i = 0; i < months.size(); ++i) {
      if (t != months[i]) continue;
      rate[i].add(static_cast<double>(state.short_rate));
      bond[i].add((std::exp(-paid) + std::exp(-paid_mirrored)) / 2);
    }
  });
  for (std::size_t i = 0; i < months.size(); ++i) {
    const double years = months[i] / 12.0;
    expect_normal("r, " + inputs(months[i]), rate[i], GetParam().curve.at(years) + convexity(years),
                  std::sqrt(variance(years)));
    // A pair is worth exp(-E[S]) cosh(S - E[S]); E[cosh] = exp(v / 2), E[cosh^2] = (exp(2 v) + 1) / 2.
    const double v = sum_variance(months[i]), price = std::exp(-sum_mean(months[i]) + v / 2);
    expect_mean("exp(-sum r / 12), " + inputs(months[i]), bond[i], price,
                std::exp(-sum_mean(months[i])) * std::sqrt((std::exp(2 * v) + 1) / 2 - std::exp(v)));
  }
}

// What the loader made of the curve returns it. The rate of the month end over the month is late by half a
// month, so ln P(T) lies (f(T) - f(0)) / 24 under minus the curve's integral. In convexity and variance the
// half months cancel to the first order in the step; what is left of sigma^2 is under sigma^2 T / 144.
TEST_P(HullWhiteTest, LoadedRatesReturnTheConfiguredCurve) {
  const ScenarioData data = scenario();
  const OuParams& x = data.parameters.rates.short_rate;
  const double phi = static_cast<double>(x.decay_month), sd = static_cast<double>(x.sd_month);
  for (const int t : {1, 12, 36, 60}) {
    double mean = 0, squares = 0;
    for (int j = 1; j <= t; ++j) {
      const double weight = sd * (1 - std::pow(phi, t - j + 1)) / (1 - phi) / 12;
      mean += static_cast<double>(data.month[static_cast<std::size_t>(j - 1)].rate_base) / 12;
      squares += weight * weight;
    }
    const double years = t / 12.0, half_months = (GetParam().curve.at(years) - GetParam().curve.at(0)) / 24;
    EXPECT_NEAR(-mean + squares / 2, -GetParam().curve.integral(t) - half_months,
                GetParam().sigma * GetParam().sigma * years / 144)
        << inputs(t);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rates, HullWhiteTest,
    testing::Values(
        HullWhite{"as configured", 0.05, 0.0080, {{{0, 0.0365}, {1, 0.0365}, {2, 0.0375}, {5, 0.0420}}}},
        HullWhite{"fast and wild", 0.40, 0.0300, {{{0, 0.01}, {2, 0.07}, {5, 0.02}}}}),
    [](const auto& each) { return std::string(each.index == 0 ? "AsConfigured" : "FastAndWild"); });

// ---- Churn, spread, power. ----

struct Process {
  const char* name;
  double kappa, sigma, start, mean;
  Real MarketState::*log;
  Real MarketState::*multiplier;
};

TEST(OrnsteinUhlenbeck, ChurnSpreadAndPowerHaveTheirMarginals) {
  constexpr double tightness = -0.3;
  const std::array<Process, 3> processes = {
      {{"churn", 1.0, 0.35, 0.4, 0.0, &MarketState::churn, &MarketState::churn_multiplier},
       {"spread", 0.7, 0.25, -0.2, 1.5 * 0.3, &MarketState::log_spread, &MarketState::spread_multiplier},
       {"power", 1.5, 0.30, 0.5, 0.0, &MarketState::log_power, &MarketState::power_multiplier}}};
  Sets sets = {"market.spread.glut_pull=1.5"};
  for (const Process& p : processes) {
    sets.push_back(fmt::format("market.{}.reversion_per_year={:f}", p.name, p.kappa));
    sets.push_back(fmt::format("market.{}.volatility_per_year={:f}", p.name, p.sigma));
    sets.push_back(fmt::format("market.{}.start_log={:f}", p.name, p.start));
  }
  const ScenarioData data = market(sets, 24);
  const Scenario s = data.view();
  constexpr std::array<int, 3> months = {1, 6, 24};
  std::array<std::array<Sample, months.size()>, processes.size()> log, multiplier;
  walk(s, 20000, [&](const Words&, int t, const Shocks& shocks, MarketState& state) {
    state.tightness = static_cast<Real>(tightness);
    state = move_rates(s, t, shocks, state);
    for (std::size_t i = 0; i < months.size(); ++i) {
      for (std::size_t p = 0; t == months[i] && p < processes.size(); ++p) {
        log[p][i].add(static_cast<double>(state.*processes[p].log));
        multiplier[p][i].add(static_cast<double>(state.*processes[p].multiplier));
      }
    }
  });
  for (std::size_t i = 0; i < months.size(); ++i) {
    for (std::size_t k = 0; k < processes.size(); ++k) {
      const Process& p = processes[k];
      const double years = months[i] / 12.0, left = std::exp(-p.kappa * years);
      const double mean = p.mean + (p.start - p.mean) * left;
      const double variance = p.sigma * p.sigma * (1 - left * left) / (2 * p.kappa);
      const std::string inputs =
          fmt::format("{}: kappa {}, sigma {}, start {}, mean {}, tightness {}, month {}, seed {}", p.name,
                      p.kappa, p.sigma, p.start, p.mean, tightness, months[i], kSeed);
      expect_normal("log, " + inputs, log[k][i], mean, std::sqrt(variance));
      const double expected = std::exp(mean + variance / 2);
      expect_mean("multiplier, " + inputs, multiplier[k][i], expected,
                  expected * std::sqrt(std::expm1(variance)));
    }
  }
}

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

// Integral of f against the standard normal density: trapezoids over +-9, whose error is far under a float's.
double normal_mean(auto&& f) {
  constexpr int steps = 1800;
  constexpr double width = 0.01;
  double sum = 0;
  for (int i = -steps / 2; i <= steps / 2; ++i) sum += f(i * width) * std::exp(-0.5 * i * width * i * width);
  return sum * width / std::sqrt(2 * std::numbers::pi);
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
    // The price is under x where the launch is old enough for it.
    for (const double progress : {0.05, 0.25, 0.5, 0.75, 0.95}) {
      expect_price_below(launch.inputs(t), sample, t, kStartPrice * std::exp(-launch.effect * progress),
                         [&](double price) {
                           const double age = launch.ramp * std::log(kStartPrice / price) / launch.effect;
                           return launch.delay_distribution(t - age - launch.planned);
                         });
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

// Demand over its expected growth is a martingale: volatility takes nothing from its mean.
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

// At most one jump a month, so a month has one with 1 - exp(-lambda / 12) and none with what Poisson says.
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

// The months of glut that the engine reports of each path.
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
                static_cast<double>(outcomes.columns->sum(kGlutMonths)) / paths, mean,
                std::sqrt((square - mean * mean) / paths));
}

// ---- Supply. ----

// Growing demand without shocks: the lagged answer of supply against the recursion of MODEL.md 3.1 in double,
// and its steady state theta q = g_D - g_S.
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
