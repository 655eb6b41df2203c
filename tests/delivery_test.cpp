// SPDX-License-Identifier: Apache-2.0
// Delivery and credit against closed forms: delays and their maximum, overrun, cancellation, the ramp, capex,
// depreciation and the survival of customers. Random results must lie within k standard errors. Distributions
// are those that the engine itself reports; parameters are in the tests.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

#include "headroom/model/site.hpp"
#include "host/config/derive.hpp"
#include "host/cpu/trace.hpp"
#include "host/engine/engine.hpp"
#include "small_company.hpp"
#include "statistics.hpp"
#include "tests/analyse.hpp"

namespace headroom {
namespace {

double normal_point(double p) { return quantile(boost::math::normal(), p); }

// ---- Scenarios. ----

ScenarioData company(std::int32_t months) {
  ScenarioData data = still_company(months);
  data.parameters.switches = kAllSwitches;
  return data;
}

class Simulated {
 public:
  Simulated(const ScenarioData& data, std::uint64_t paths)
      : outcomes_(run_paths(data.view(), {kSeed, 0, paths})), paths_(static_cast<double>(paths)) {}

  double paths() const { return paths_; }
  double late_at_most(std::int32_t site, std::int32_t x) const {
    return count(count_at_most(*outcomes_.columns, outcomes_.layout.months_late(site), x));
  }
  double both_late_at_most(std::int32_t a, std::int32_t b, std::int32_t x) const {
    const ColumnLayout& l = outcomes_.layout;
    return count(count_both_at_most(*outcomes_.columns, l.months_late(a), l.months_late(b), x));
  }
  double defaulted_by(std::int32_t customer, std::int32_t month) const {
    return count(count_at_most(*outcomes_.columns, outcomes_.layout.default_month(customer), month));
  }
  double both_defaulted_by(std::int32_t a, std::int32_t b, std::int32_t month) const {
    const ColumnLayout& l = outcomes_.layout;
    return count(count_both_at_most(*outcomes_.columns, l.default_month(a), l.default_month(b), month));
  }

 private:
  static double count(std::uint64_t paths) { return static_cast<double>(paths); }
  Outcomes outcomes_;
  double paths_;
};

// A lateness as the engine reports it: the months that round to it or to less.
struct Lateness {
  explicit Lateness(double months)
      : fixed(static_cast<std::int32_t>(std::floor(months * 1e4))), limit((fixed + 0.5) * 1e-4) {}
  std::int32_t fixed;
  double limit;
};

// ---- Delays. ----

// A delay in double: 0 with its on-time probability, else a shifted lognormal.
struct DelayLaw {
  derive::Delay d;
  double mu = std::log(d.p50_months - d.earliest_months);
  double sigma =
      std::log((d.p90_months - d.earliest_months) / (d.p50_months - d.earliest_months)) / normal_point(0.9);
  double on_time_point = d.on_time_share > 0 ? normal_point(d.on_time_share) : -40;

  // The late part's own normal, for y above the on-time part; and its delay.
  double late_normal(double y) const { return -normal_point(normal_distribution(-y) / (1 - d.on_time_share)); }
  double late(double y) const { return d.earliest_months + std::exp(mu + sigma * late_normal(y)); }
  // P(delay <= x) given the systemic draw m: the normal Y is sqrt(rho) m + sqrt(1 - rho) e.
  double distribution(double x, double m) const {
    const auto below = [&](double y) {
      return normal_distribution((y - std::sqrt(d.systemic_share) * m) / std::sqrt(1 - d.systemic_share));
    };
    double total = x >= 0 ? below(on_time_point) : 0;
    if (x <= d.earliest_months) return total;
    const double late_share = normal_distribution((std::log(x - d.earliest_months) - mu) / sigma);
    const double p = d.on_time_share + (1 - d.on_time_share) * late_share;
    if (p >= 1) return total + 1 - below(on_time_point);
    return total + below(normal_point(p)) - below(on_time_point);
  }
  std::string text() const {
    return fmt::format("on time {}, P50 {}, P90 {}, earliest {}, rho {}", d.on_time_share, d.p50_months,
                       d.p90_months, d.earliest_months, d.systemic_share);
  }
};

// Those of market.toml, an early one, and one without an on-time part.
const std::array<derive::Delay, 5> kDelays = {{{0.40, 4.5, 14.26, 0, 0.35},
                                               {0.55, 2.5, 7.0, 0, 0.35},
                                               {0.60, 2.0, 5.0, 0, 0.35},
                                               {0.30, 1.5, 6.0, -3, 0.60},
                                               {0.0, 2.0, 7.0, -2, 0}}};

TEST(Delay, IsThatOfItsNormal) {
  for (const derive::Delay& d : kDelays) {
    const DelayLaw law{d};
    const DelayParams params = derive::delay_params(d, 0);
    const auto delay = [&](double y) {
      return static_cast<double>(delay_months(params, static_cast<Real>(y)));
    };
    for (double y = -5; y <= 6; y += 0.037) {
      const std::string inputs = fmt::format("{}, y {}", law.text(), y);
      if (y <= law.on_time_point) {
        EXPECT_EQ(delay(y), 0) << inputs;
        continue;
      }
      // The late part's upper tail is a float: near 1 it is known to steps of 2^-24, two of which are allowed.
      const double z = law.late_normal(y), density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
      const double relative = 1e-5 + law.sigma * 0x2p-24 / density;
      EXPECT_NEAR(delay(y), law.late(y), relative * (law.late(y) - d.earliest_months) + 1e-6) << inputs;
    }
    EXPECT_NEAR(delay(normal_point(0.5 + 0.5 * d.on_time_share)), d.p50_months, 1e-4) << law.text();
    EXPECT_NEAR(delay(normal_point(0.9 + 0.1 * d.on_time_share)), d.p90_months, 1e-4) << law.text();
  }
}

TEST(Delay, HasItsOnTimeShareAndItsP50AndP90) {
  ScenarioData data = company(1);
  for (std::size_t i = 0; i < kDelays.size(); ++i) {
    const std::string id = fmt::format("one-stage-{}", i);
    Site site = site_of(1000, id);
    site.has_stage[kGrid] = 1;
    site.stage_month[kGrid] = site.planned_ready_month = 10;
    site.stage_delay[kGrid] = derive::delay_params(kDelays[i], derive::stream_id("site/" + id + "/grid"));
    data.site.push_back(site);
  }
  const Simulated run(data, 200000);
  for (std::size_t i = 0; i < kDelays.size(); ++i) {
    const DelayLaw law{kDelays[i]};
    const auto site = static_cast<std::int32_t>(i);
    const std::string inputs = fmt::format("{}, seed {}", law.text(), kSeed);
    const double on_time = run.late_at_most(site, 0) - run.late_at_most(site, -1);
    // Reported as 0: on time, or late by less than half a step of 1e-4.
    const double rounded =
        normal_mean([&](double m) { return law.distribution(0.5e-4, m) - law.distribution(-0.5e-4, m); });
    expect_share("paths on time, " + inputs, on_time, run.paths(), rounded);
    EXPECT_NEAR(rounded, law.d.on_time_share, 1e-4) << inputs;
    for (const double x : {law.d.earliest_months + 0.5, law.d.earliest_months + 1.0, law.d.p50_months,
                           law.d.p90_months, 2 * law.d.p90_months}) {
      const Lateness at(x);
      expect_share(fmt::format("delays to {} months, {}", x, inputs), run.late_at_most(site, at.fixed),
                   run.paths(), normal_mean([&](double m) { return law.distribution(at.limit, m); }));
    }
    // Half of the late ones are later than P50 and a tenth than P90.
    const double late = 1 - law.d.on_time_share;
    for (const auto& [x, share] : {std::pair(law.d.p50_months, 0.5), std::pair(law.d.p90_months, 0.1)}) {
      expect_share(fmt::format("delays over {} months, {}", x, inputs),
                   run.paths() - run.late_at_most(site, Lateness(x).fixed), run.paths(), late * share);
    }
  }
}

// A site of four stages, planned at different months, without or with a commissioning that can be late too.
struct Stages {
  std::array<double, kStageCount> planned = {6, 9, 8, 9};
  std::array<DelayLaw, kStageCount> law;
  DelayLaw commissioning;
  double commissioning_months = 1.5;

  explicit Stages(double rho)
      : law{{{{0.40, 4.5, 14.26, 0, rho}},
             {{0.55, 2.5, 7.0, 0, rho}},
             {{0.60, 2.0, 5.0, 0, rho}},
             {{0.60, 1.5, 4.0, -1, rho}}}},
        commissioning{{0.50, 1.0, 3.0, 0, rho}} {}

  Site site(const std::string& id, bool commissioned) const {
    Site site = site_of(1000, id);
    constexpr std::array<const char*, kStageCount> names = {"grid", "building", "cooling", "gpus"};
    for (std::size_t k = 0; k < names.size(); ++k) {
      site.has_stage[k] = 1;
      site.stage_month[k] = static_cast<Real>(planned[k]);
      site.stage_delay[k] =
          derive::delay_params(law[k].d, derive::stream_id(fmt::format("site/{}/{}", id, names[k])));
    }
    site.planned_ready_month = 9;
    site.ramp_months = 3;
    if (!commissioned) return site;
    site.commissioning_months = static_cast<Real>(commissioning_months);
    site.commissioning_delay =
        derive::delay_params(commissioning.d, derive::stream_id(fmt::format("site/{}/commissioning", id)));
    site.planned_ready_month += site.commissioning_months;
    return site;
  }
  // P(last stage at most x late | m): given the systemic draw, stages are independent.
  double last_stage(double x, double m) const {
    double product = 1;
    for (std::size_t k = 0; k < law.size(); ++k) product *= law[k].distribution(x + 9 - planned[k], m);
    return product;
  }
  // With commissioning in series: the late part's normal by its quantiles, midpoints of 400.
  double ready(double x, double m) const {
    const double rho = commissioning.d.systemic_share;
    const double on_time = commissioning.distribution(0, m);
    double sum = on_time * last_stage(x, m);
    if (1 - on_time < 1e-12) return sum;
    constexpr int points = 400;
    for (int i = 0; i < points; ++i) {
      const double tail = (1 - on_time) * (i + 0.5) / points;
      const double y = std::sqrt(rho) * m - std::sqrt(1 - rho) * normal_point(tail);
      sum += (1 - on_time) / points * last_stage(x - commissioning.late(y), m);
    }
    return sum;
  }
};

class StagesTest : public testing::TestWithParam<double> {};

TEST_P(StagesTest, LastOneHasTheDistributionOfTheMaximum) {
  const Stages stages(GetParam());
  ScenarioData data = company(1);
  data.site = {stages.site("max", false), stages.site("series", true)};
  const Simulated run(data, 200000);
  for (const double x : {-0.5, 0.0, 0.25, 1.0, 3.0, 6.0, 10.0, 20.0}) {
    const Lateness at(x);
    const std::string inputs = fmt::format("{} months late, rho {}, seed {}", x, GetParam(), kSeed);
    expect_share("last stages at most " + inputs, run.late_at_most(0, at.fixed), run.paths(),
                 normal_mean([&](double m) { return stages.last_stage(at.limit, m); }));
  }
  for (const double x : {1.0, 4.0, 10.0}) {
    const Lateness at(x);
    const std::string inputs = fmt::format("{} months late, rho {}, seed {}", x, GetParam(), kSeed);
    expect_share("openings at most " + inputs, run.late_at_most(1, at.fixed), run.paths(),
                 normal_mean([&](double m) { return stages.ready(at.limit, m); }));
  }
}

// Two equal sites: late together as in the one-factor model, independent without the factor.
TEST_P(StagesTest, SitesAreLateTogether) {
  const Stages stages(GetParam());
  ScenarioData data = company(1);
  data.site = {stages.site("north", false), stages.site("south", false)};
  const Simulated run(data, 200000);
  for (const double x : {0.0, 3.0, 10.0}) {
    const Lateness at(x);
    const double both = run.both_late_at_most(0, 1, at.fixed);
    expect_share(fmt::format("both sites at most {} months late, rho {}, seed {}", x, GetParam(), kSeed), both,
                 run.paths(), normal_mean([&](double m) {
                   return stages.last_stage(at.limit, m) * stages.last_stage(at.limit, m);
                 }));
  }
}

INSTANTIATE_TEST_SUITE_P(Systemic, StagesTest, testing::Values(0.0, 0.35, 0.80),
                         [](const auto& each) { return fmt::format("Rho{:.0f}", 100 * each.param); });

// ---- Cost. ----

TEST(Overrun, IsLognormalWithAFatTail) {
  constexpr double sigma = 0.2, rho = 0.35, tail = 0.05, tail_add = 0.5;
  Site site = site_of(1000, "cost");
  site.overrun_sigma = static_cast<Real>(sigma);
  site.overrun_systemic = static_cast<Real>(std::sqrt(rho));
  site.overrun_own = static_cast<Real>(std::sqrt(1 - rho));
  site.tail_probability = static_cast<Real>(tail);
  site.tail_add = static_cast<Real>(tail_add);
  constexpr std::uint32_t paths = 200000;
  std::vector<double> multipliers;
  double product = 0;
  const StreamId path_stream = derive::stream_id("path/parameters");
  for (std::uint32_t path = 0; path < paths; ++path) {
    const Real systemic = normal(philox4x32_10({path, 0, 0, path_stream}, kSeed, 0).w3);
    const Philox4 words = philox4x32_10({path, 0, 0, site.cost_stream}, kSeed, 0);
    multipliers.push_back(static_cast<double>(cost_multiplier(site, Mask(true), systemic, words)));
    product += std::log(multipliers.back()) * static_cast<double>(systemic);
    EXPECT_EQ(cost_multiplier(site, Mask(false), systemic, words), 1.0F) << "on plan, path " << path;
  }
  std::sort(multipliers.begin(), multipliers.end());
  const std::string inputs =
      fmt::format("sigma {}, rho {}, tail {} of +{}, seed {}", sigma, rho, tail, tail_add, kSeed);
  const auto distribution = [&](double x) {
    return (1 - tail) * normal_distribution(std::log(x) / sigma) +
           tail * normal_distribution(std::log(x / (1 + tail_add)) / sigma);
  };
  for (const double x : {0.6, 0.8, 0.9, 1.0, 1.1, 1.3, 1.5, 1.8, 2.2}) {
    const auto below = std::lower_bound(multipliers.begin(), multipliers.end(), x) - multipliers.begin();
    expect_share(fmt::format("multipliers under {}, {}", x, inputs), static_cast<double>(below), paths,
                 distribution(x));
  }
  // E[log multiplier x M] = sigma sqrt(rho); its variance from E[(log multiplier)^2 M^2] with E[M^4] = 3.
  const double jump = std::log1p(tail_add);
  const double square = sigma * sigma * (1 + 2 * rho) + tail * jump * jump;
  expect_within("log multiplier x systemic draw, " + inputs, product / paths, sigma * std::sqrt(rho),
                std::sqrt((square - sigma * sigma * rho) / paths));
}

// A site's month: its capex, then its operation.
struct SiteInMonth {
  SiteMonth capacity{};
  Flows flows{};
};
SiteInMonth month_of(const Site& site, SiteState& state, int t) {
  SiteInMonth month;
  const SiteTerms terms = site_terms(site, static_cast<Real>(t));
  pay_site(site, terms, 1, state, month.flows);
  operate_site(site, terms, state, month.capacity, month.flows);
  return month;
}

TEST(Cancellation, HasItsFrequencyAndItsSunkShare) {
  constexpr std::array<double, 3> probabilities = {0.02, 0.15, 0.7};
  ScenarioData data = company(1);
  for (const double p : probabilities) {
    Site site = site_of(1000, fmt::format("refused-{}", p));
    site.has_stage[kGrid] = 1;
    site.stage_month[kGrid] = site.planned_ready_month = 10;
    site.cancel_probability = static_cast<Real>(p);
    data.site.push_back(site);
  }
  const Simulated run(data, 200000);
  data.parameters.switches &= ~static_cast<std::uint32_t>(kCancellation);
  const Simulated on_plan(data, 1000);
  for (std::int32_t i = 0; i < 3; ++i) {
    const double p = probabilities[static_cast<std::size_t>(i)];
    expect_share(fmt::format("sites refused, p {}, seed {}", p, kSeed),
                 run.paths() - run.late_at_most(i, kNever - 1), run.paths(), p);
    EXPECT_EQ(on_plan.late_at_most(i, kNever - 1), on_plan.paths()) << "site " << i;
  }
  const double both = run.both_late_at_most(1, 2, kNever - 1);
  expect_share(fmt::format("both sites built, seed {}", kSeed), both, run.paths(), 0.85 * 0.3);

  Site site = site_of(1000, "refused-for-sure");
  site.capex = 600000;
  site.capex_paid = 20000;
  site.sunk_share = 0.1F;
  SiteState state{.ready = 12,
                  .delivery = 10,
                  .cost_multiplier = 1.3F,
                  .purchase_price = 1,
                  .capex = site.capex_paid,
                  .depreciated = 0,
                  .status = kOrdered};
  decide_site(true, state);
  const Flows flows = month_of(site, state, 3).flows;
  EXPECT_EQ(state.capex, 78000);  // 10% of 600,000 x 1.3
  EXPECT_EQ(flows.capex, 58000);
  EXPECT_EQ(flows.depreciation, 78000) << "written off";
  EXPECT_EQ(flows.net_ppe, 0);
}

// ---- Ramp, capex, depreciation. ----

// Integral of max(x, 0).
double ramped(double x) { return x > 0 ? 0.5 * x * x : 0; }

TEST(Ramp, IntegralIsItsClosedForm) {
  for (const double ramp : {0.5, 3.0, 7.5}) {
    for (const double ready : {-2.25, 0.0, 4.6}) {
      for (double x = -4; x < 20; x += 0.31) {
        // The share on line at u is (max(u, 0) - max(u - ramp, 0)) / ramp.
        const double expected = (ramped(x - ready) - ramped(x - ready - ramp)) / ramp;
        const Real value = online_integral(static_cast<Real>(x), static_cast<Real>(ready),
                                           static_cast<Real>(ramp), static_cast<Real>(1 / ramp));
        EXPECT_NEAR(static_cast<double>(value), expected, 5e-6)
            << "x " << x << ", ready " << ready << ", ramp " << ramp;
      }
    }
  }
}

struct Vintages {
  double ready, ramp, life, residual, multiplier;
};

// Depreciation of GPUs that come on line evenly over the ramp, each over its own life, in double: every
// vintage's clamp(age, 0, life) / life, integrated over vintages.
double depreciated(const Vintages& v, double cost, double t) {
  const double age = t - v.ready;
  const double sum = ramped(age) - ramped(age - v.ramp) - ramped(age - v.life) + ramped(age - v.life - v.ramp);
  return cost * (1 - v.residual) * sum / v.ramp / v.life;
}

TEST(Depreciation, IsStraightLineByVintageDownToTheResidual) {
  for (const Vintages& v :
       {Vintages{3.3, 4, 24, 0.1, 1.25}, Vintages{0.5, 0.75, 12, 0, 1}, Vintages{7, 10, 6, 0.3, 0.8}}) {
    Site site = site_of(1000, "vintages");
    site.capex = 2000000;
    site.order_share = 1;
    site.order_month = 0.5F;
    site.delivery_month = site.planned_ready_month = static_cast<Real>(v.ready);
    site.ramp_months = static_cast<Real>(v.ramp);
    site.life_months = static_cast<Real>(v.life);
    site.residual_share = static_cast<Real>(v.residual);
    SiteState state{.ready = static_cast<Real>(v.ready),
                    .delivery = static_cast<Real>(v.ready),
                    .cost_multiplier = static_cast<Real>(v.multiplier),
                    .purchase_price = 1,
                    .capex = 0,
                    .depreciated = 0,
                    .status = kOrdered};
    const double cost = 2000000 * v.multiplier;
    double total = 0, gpu_months = 0;
    for (int t = 1; t <= 50; ++t) {
      const SiteInMonth step = month_of(site, state, t);
      total += step.flows.depreciation;
      gpu_months += static_cast<double>(step.capacity.online);
      const std::string inputs = fmt::format("ready {}, ramp {}, life {}, residual {}, multiplier {}, month {}",
                                             v.ready, v.ramp, v.life, v.residual, v.multiplier, t);
      EXPECT_GE(step.flows.depreciation, 0) << inputs;
      // Half a unit of rounding and a float's digits of 2.5 million.
      EXPECT_NEAR(total, depreciated(v, cost, t), 1.5) << inputs;
      EXPECT_EQ(step.flows.net_ppe, state.capex - static_cast<Money>(total)) << inputs;
      EXPECT_NEAR(gpu_months, 1000 * (ramped(t - v.ready) - ramped(t - v.ready - v.ramp)) / v.ramp, 0.05)
          << inputs;
    }
    EXPECT_NEAR(total, cost * (1 - v.residual), 1.5) << "over the whole life, residual " << v.residual;
    EXPECT_EQ(month_of(site, state, 51).flows.depreciation, 0) << "after its life";
  }
}

// Ordered, delivered, opened: the sum paid is the planned total times the path's own multiplier, whenever it
// opens.
TEST(Capex, SumsToItsTotalTimesTheMultiplier) {
  const Stages stages(0.35);
  ScenarioData data = company(240);
  Site site = stages.site("paid", true);
  site.capex = 900000;
  site.capex_paid = 50000;
  site.order_month = 2.5F;
  site.delivery_month = static_cast<Real>(stages.planned[kGpus]);
  site.order_share = 0.2F;
  site.delivery_share = 0.6F;
  site.overrun_sigma = 0.15F;
  site.overrun_systemic = std::sqrt(0.35F);
  site.overrun_own = std::sqrt(0.65F);
  site.tail_probability = 0.1F;
  site.tail_add = 0.5F;
  data.site = {site};
  const Scenario s = data.view();
  const auto capex = [&](const std::vector<std::int32_t>& trace, int t) {
    return trace[static_cast<std::size_t>(kCapex) * 240 + static_cast<std::size_t>(t - 1)];
  };

  for (std::uint32_t path = 0; path < 50; ++path) {
    const Real systemic = normal(philox4x32_10({path, 0, 0, s.path_stream}, kSeed, 0).w3);
    const Real multiplier =
        cost_multiplier(site, Mask(true), systemic, philox4x32_10({path, 0, 0, site.cost_stream}, kSeed, 0));
    const std::vector<std::int32_t> trace = trace_path(s, kSeed, path);
    std::int64_t paid = site.capex_paid;
    for (int t = 1; t <= 240; ++t) {
      EXPECT_GE(capex(trace, t), 0) << "path " << path << ", month " << t;
      paid += capex(trace, t);
    }
    EXPECT_NEAR(static_cast<double>(paid), 900000 * static_cast<double>(multiplier), 1)
        << "seed " << kSeed << ", path " << path;
  }

  // The plan, to the month: 20% at the order, 60% over the ramp of three months from month 9, 20% at the
  // opening, month 12.4: the grid, planned for month 6, stands at its median and is not the last, nor is any
  // other late.
  Scenario planned = s;
  planned.switches = 0;
  const std::vector<std::int32_t> trace = trace_path(planned, kSeed, 0);
  const double grid = 6 + stages.law[kGrid].late(0), ready = std::max(grid, 9.0) + 1.5;
  ASSERT_LT(grid, 9);
  EXPECT_NEAR(ready, 10.5, 1e-12);
  for (int t = 1; t <= 240; ++t) {
    const auto progress = [&](double x) {
      return (x >= 2.5 ? 0.2 : 0) + 0.6 * std::clamp((x - 9) / 3, 0.0, 1.0) + (x >= ready ? 0.2 : 0);
    };
    EXPECT_NEAR(capex(trace, t), 850000 * (progress(t) - progress(t - 1)), 1) << "month " << t;
  }
}

// ---- Credit. ----

// Without churn and in a market that stands still, default is a Poisson process: survival exp(-lambda t).
TEST(Default, SurvivalUnderConstantIntensityIsExponential) {
  struct Risk {
    double one_year_default, beta;
  };
  constexpr std::array<Risk, 4> risks = {{{0.0072, 0}, {0.0376, 0}, {0.268, 0}, {0.0376, 4.6}}};
  constexpr double tightness = -0.3;
  ScenarioData data = company(60);
  data.parameters.demand.start_tightness = static_cast<Real>(tightness);
  for (std::size_t c = 0; c < risks.size(); ++c) {
    Customer customer = customer_of(fmt::format("risk-{}", c));
    customer.default_intensity_month =
        static_cast<Real>(derive::default_intensity_month(risks[c].one_year_default));
    customer.tightness_beta = static_cast<Real>(risks[c].beta);
    data.customer.push_back(customer);
  }
  const Simulated run(data, 50000);
  data.parameters.switches = 0;
  const Simulated on_plan(data, 1000);
  const auto survival = [&](const Risk& risk, double years) {
    const double intensity = -std::log(1 - risk.one_year_default) * std::exp(-risk.beta * tightness);
    return std::exp(-intensity * years);
  };
  for (std::size_t c = 0; c < risks.size(); ++c) {
    const auto customer = static_cast<std::int32_t>(c);
    for (const int t : {1, 12, 36, 60}) {
      expect_share(fmt::format("survivors of month {}, one-year default {}, beta {}, tightness {}, seed {}", t,
                               risks[c].one_year_default, risks[c].beta, tightness, kSeed),
                   run.paths() - run.defaulted_by(customer, t), run.paths(), survival(risks[c], t / 12.0));
    }
    EXPECT_EQ(on_plan.defaulted_by(customer, kNever - 1), 0) << "customer " << c;
  }
  // Independent of each other: the factors that move them together do not move here.
  const double both = run.both_defaulted_by(2, 3, 60);
  expect_share(fmt::format("paths on which both default, seed {}", kSeed), both, run.paths(),
               (1 - survival(risks[2], 5)) * (1 - survival(risks[3], 5)));
}

}  // namespace
}  // namespace headroom
