// SPDX-License-Identifier: Apache-2.0
// The short rate, spread, churn and power price against closed forms. Random results must lie within k
// standard errors; the standard error comes from theory where theory gives one. The tests set their
// parameters over market.toml, so that both sides of every comparison can be read here.
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "market_walk.hpp"

namespace headroom {
namespace {

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
  // Trapezoids of one month are exact: the curve is straight between month ends.
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
  // Mean of r(t) - f(0,t): Hull and White (1990).
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
    // The path with the opposite shocks makes a bond's sample error small enough to see its convexity.
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

// The curve that the loader made prices bonds as the input curve does. The model applies the rate of the
// month end to the whole month, so it is late by half a month: ln P(T) lies (f(T) - f(0)) / 24 below minus
// the curve's integral. In convexity and variance the half months cancel to first order in the step; the rest
// of sigma^2 is below sigma^2 T / 144.
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

}  // namespace
}  // namespace headroom
