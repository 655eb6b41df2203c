// SPDX-License-Identifier: Apache-2.0
// Reductions and estimates against answers worked out by hand or published.
#include <gtest/gtest.h>
#include <thrust/execution_policy.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "host/engine/column_ops.hpp"
#include "host/engine/threads.hpp"
#include "host/plan/plan_table.hpp"
#include "host/report/report.hpp"
#include "host/risk/analysis.hpp"
#include "tests/analyse.hpp"
#include "tests/risk_fixture.hpp"

namespace headroom {
namespace {

// ---- Reductions ----

class HostColumnsTest : public testing::Test {
 protected:
  HostColumnsTest() {
    set(0, {5, -3, 9, 0, -3, 7});
    set(1, {kNever, 2, 4, kNever, 1, 2});
    set(2, {3, 3, kNever, kNever, 1, 5});
  }
  void set(std::int32_t column, const std::vector<std::int32_t>& values) {
    std::copy(values.begin(), values.end(), columns_.column(column));
  }
  HostColumns columns_{3, 6, 1};
};

using Ask = Question::Kind;

TEST_F(HostColumnsTest, OrderStatistics) {
  const std::vector<std::uint64_t> ranks = {0, 1, 2, 3, 4, 5};
  EXPECT_EQ(columns_.order_statistics(0, ranks), (std::vector<std::int32_t>{-3, -3, 0, 5, 7, 9}));
}

TEST_F(HostColumnsTest, Sums) {
  EXPECT_EQ(columns_.answer({Ask::sums, 0, 0, kNoMarker}), (std::vector<Int128>{6, 15, 173}));
  EXPECT_EQ(columns_.sums_of_smallest(0, 3), (Sums{3, -6, 18}));
  EXPECT_EQ(columns_.answer({Ask::sums, 0, 1, 3}), (std::vector<Int128>{3, -3 - 3 + 7, 9 + 9 + 49}));
  EXPECT_EQ(columns_.answer({Ask::distribution, 1, 0, kNever}), (std::vector<Int128>{4, 9, 25}));
}

TEST_F(HostColumnsTest, SquaresBeyond64Bits) {
  constexpr std::uint64_t kPaths = 100;
  HostColumns wide(1, kPaths, 1);
  std::fill_n(wide.column(0), kPaths, -kFixedMax);
  const Int128 paths = kPaths;
  EXPECT_EQ(wide.answer({Ask::sums, 0, 0, kNoMarker}),
            (std::vector<Int128>{paths, -kFixedMax * paths, kFixedMax * (kFixedMax * paths)}));
}

TEST_F(HostColumnsTest, Counts) {
  EXPECT_EQ(columns_.answer({Ask::both, 1, 2, 60}), (std::vector<Int128>{3}));
  EXPECT_EQ(columns_.answer({Ask::counts, 1, 0, 5}), (std::vector<Int128>{0, 1, 2, 0, 1}));
  const std::vector<std::int32_t> sorted = {1, 2, 2, 4, kNever, kNever};
  std::vector<std::uint64_t> cumulative(6);
  column_ops::cumulative_counts(thrust::seq, sorted.data(), 6, 5, cumulative.data());
  EXPECT_EQ(cumulative, (std::vector<std::uint64_t>{0, 0, 1, 3, 3, 4}));
}

TEST_F(HostColumnsTest, Offenders) {
  const Question question{Ask::offenders, 0, 0, 0};
  EXPECT_EQ(columns_.answer(question), (std::vector<Int128>{5, 0, 5}));
  set(0, {0, 0, 0, 8, 0, 2});
  EXPECT_EQ(columns_.answer(question), (std::vector<Int128>{2, 3, 8}));
  set(0, {0, 0, 0, 0, 0, 0});
  EXPECT_EQ(columns_.answer(question)[0], 0);
}

// The reductions that the CUDA backend runs instead of the host's loops.
TEST_F(HostColumnsTest, ThrustGivesTheSameSums) {
  const column_ops::SumsWhere where{columns_.column(0), columns_.column(1), 3};
  EXPECT_EQ(column_ops::sums(thrust::seq, where, 6), (Sums{3, 1, 67}));
  EXPECT_EQ(column_ops::sums(thrust::seq, column_ops::SumsAt{columns_.column(0)}, 6), (Sums{6, 15, 173}));
}

TEST_F(HostColumnsTest, SomeColumnsAlone) {
  HostColumns some({2, 7}, 2, 1);
  std::fill_n(some.column(7), 2, 4);
  EXPECT_EQ(some.answer({Ask::sums, 7, 7, kNoMarker}), (std::vector<Int128>{2, 8, 32}));
  EXPECT_THROW(some.column(3), std::out_of_range);
}

TEST_F(HostColumnsTest, Read) {
  std::vector<std::int32_t> values(2);
  columns_.read(0, 2, values);
  EXPECT_EQ(values, (std::vector<std::int32_t>{9, 0}));
  EXPECT_THROW(columns_.read(0, 5, values), std::out_of_range);
  EXPECT_THROW(columns_.answer({Ask::sums, 3, 3, 0}), std::out_of_range);
}

TEST(RunTasks, RunsAllAndPassesOnAnException) {
  std::vector<int> ran(50);
  std::vector<std::function<void()>> tasks;
  for (int& each : ran) tasks.emplace_back([&each] { ++each; });
  run_tasks(3, tasks);
  EXPECT_EQ(std::count(ran.begin(), ran.end(), 1), 50);
  tasks.emplace_back([] { throw std::runtime_error("no"); });
  EXPECT_THROW(run_tasks(2, tasks), std::runtime_error);
}

// ---- Estimates ----

TEST(Wilson, NewcombesPublishedIntervals) {
  // Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (score, no continuity correction).
  struct Row {
    std::uint64_t count, of;
    double low, high;
  };
  for (const Row& row : {Row{81, 263, 0.2553, 0.3662}, Row{15, 148, 0.0624, 0.1605}, Row{0, 20, 0.0, 0.1611},
                         Row{1, 29, 0.0061, 0.1718}}) {
    const Probability p = wilson(row.count, row.of);
    EXPECT_NEAR(p.low, row.low, 5e-5) << row.count << " of " << row.of;
    EXPECT_NEAR(p.high, row.high, 5e-5) << row.count << " of " << row.of;
  }
  EXPECT_EQ(wilson(7, 7).high, 1.0);
  EXPECT_TRUE(std::isnan(wilson(0, 0).value));
}

TEST(Moments, FromIntegerSums) {
  const Moments m = moments(10, 30, 4, 2.0);  // 1, 2, 3, 4 times one half
  EXPECT_DOUBLE_EQ(m.mean.value, 1.25);
  EXPECT_DOUBLE_EQ(m.sd, std::sqrt(5.0 / 3.0) / 2);
  EXPECT_DOUBLE_EQ(m.mean.standard_error, m.sd / 2);
  EXPECT_EQ(moments(3, 9, 1, 1.0).mean.value, 3.0);
  EXPECT_TRUE(std::isnan(moments(3, 9, 1, 1.0).sd));
}

TEST(Quantiles, Ranks) {
  // n = 100, p = 1/2: ranks 40 and 61 counted from 1 (the interval of the sign test).
  const QuantileRanks median = quantile_ranks(50, 100);
  EXPECT_EQ(median.low, 39U);
  EXPECT_EQ(median.at, 49U);
  EXPECT_EQ(median.high, 60U);
  EXPECT_EQ(quantile_ranks(1, 10).at, 0U);
  EXPECT_EQ(quantile_ranks(99, 10).at, 9U);
  EXPECT_FALSE(quantile_ranks(99, 10).high.has_value());
  EXPECT_EQ(tail_count(5, 1000), 50U);
  EXPECT_EQ(tail_count(5, 1001), 51U);
  EXPECT_EQ(tail_count(1, 3), 1U);
}

// P(at most k of n values lie below the p% quantile), k = 0..n, by adding up the binomial's terms.
std::vector<long double> counts_below(int percent, std::uint64_t n) {
  const long double p = percent / 100.0L;
  std::vector<long double> at_most;
  long double term = std::pow(1 - p, static_cast<long double>(n)), sum = 0;
  for (std::uint64_t k = 0; k <= n; ++k) {
    at_most.push_back(sum += term);
    term *= static_cast<long double>(n - k) / static_cast<long double>(k + 1) * p / (1 - p);
  }
  return at_most;
}

// Each bound is the nearest that the quantile passes with 2.5% at most, and it is missing only if there is
// none.
TEST(Quantiles, BoundsAreTheNearestThatTheirCoverageAllows) {
  constexpr long double kMiss = 0.025L;
  for (std::uint64_t n = 1; n <= 700; n += 1 + n / 40) {
    for (const int percent : kPercents) {
      SCOPED_TRACE(testing::Message() << percent << "% of " << n);
      const std::vector<long double> at_most = counts_below(percent, n);
      const QuantileRanks ranks = quantile_ranks(percent, n);
      // The quantile is less than the value at rank r (0-based) if at most r values are below it.
      ASSERT_EQ(ranks.low.has_value(), at_most[0] <= kMiss);
      if (ranks.low) {
        EXPECT_LE(at_most[*ranks.low], kMiss);
        EXPECT_GT(at_most[*ranks.low + 1], kMiss);
      }
      // It is greater than the value at rank r if more than r values are below it.
      ASSERT_EQ(ranks.high.has_value(), 1 - at_most[n - 1] <= kMiss);
      if (ranks.high) {
        EXPECT_LE(1 - at_most[*ranks.high], kMiss);
        EXPECT_TRUE(*ranks.high == 0 || 1 - at_most[*ranks.high - 1] > kMiss);
      }
    }
  }
}

// The bounds as they are reported, over many seeds. Of 2,000 samples at most 2.5% miss on either side; 5
// standard deviations of that share are 0.0175, so the false alarm of a comparison is below 1e-6.
TEST(Quantiles, IntervalsHoldTheTruthAsOftenAsTheySay) {
  constexpr int kSamples = 2000;
  const Question question{Ask::distribution, 0, 0, kNoMarker};
  std::mt19937_64 random(1);
  const auto uniform = [&random] { return std::ldexp(static_cast<double>(random() >> 11), -53); };
  for (const bool few_values : {false, true}) {  // exponential, or 0..5 with many equal values
    const auto value = [&](double u) {
      return few_values ? static_cast<std::int32_t>(6 * u) : static_cast<std::int32_t>(-1e6 * std::log1p(-u));
    };
    for (const std::uint64_t n : {1, 2, 3, 5, 10, 20, 50, 71, 72, 100, 300}) {
      std::array<int, kPercents.size()> over{}, under{};
      for (int sample = 0; sample < kSamples; ++sample) {
        Outcomes outcomes;
        const auto columns = std::make_shared<HostColumns>(1, n, 1);
        std::generate_n(columns->column(0), n, [&] { return value(uniform()); });
        outcomes.columns = columns;
        const Distribution found =
            distribution_of(ask(outcomes, {question}, 1, {{0, n}}, {}), question, 1.0, true);
        for (std::size_t k = 0; k < kPercents.size(); ++k) {
          const double truth = value(kPercents[k] / 100.0);
          over[k] += found.quantiles[k].low > truth ? 1 : 0;
          under[k] += found.quantiles[k].high < truth ? 1 : 0;
          EXPECT_EQ(std::isnan(found.quantiles[k].low), std::pow(1 - kPercents[k] / 100.0, n) > 0.025);
          EXPECT_EQ(std::isnan(found.quantiles[k].high), std::pow(kPercents[k] / 100.0, n) > 0.025);
        }
        for (const LowerTail& tail : found.tails) {
          EXPECT_EQ(std::isnan(tail.value_at_risk_error),
                    std::isnan(found.quantile(tail.percent).standard_error()));
        }
      }
      for (std::size_t k = 0; k < kPercents.size(); ++k) {
        SCOPED_TRACE(testing::Message() << n << " values, " << kPercents[k] << "%, few values " << few_values);
        EXPECT_LE(over[k], kSamples * (0.025 + 0.0175));
        EXPECT_LE(under[k], kSamples * (0.025 + 0.0175));
      }
      // A bound that exists is not much too wide: of a median of 300 continuous values nearly 2.5% miss.
      if (n == 300 && !few_values) {
        EXPECT_GE(over[4], kSamples * (0.021 - 0.0162));
        EXPECT_GE(under[4], kSamples * (0.021 - 0.0162));
      }
    }
  }
}

TEST(ExpectedShortfall, ErrorIsTheSpreadOfRepeatedEstimates) {
  // 1,000 samples of 2,000 normals. The sd of 1,000 estimates has a relative error of 1 / sqrt(2000) = 2.2%.
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal;
  constexpr std::uint64_t kPaths = 2000;
  const std::uint64_t tail = tail_count(5, kPaths);
  std::vector<double> sample(kPaths);
  double sum = 0, squares = 0, stated = 0;
  constexpr int kTrials = 1000;
  for (int trial = 0; trial < kTrials; ++trial) {
    for (double& x : sample) x = normal(random);
    std::sort(sample.begin(), sample.end());
    const auto n = static_cast<double>(tail);
    const auto end = sample.begin() + static_cast<std::ptrdiff_t>(tail);
    const double mean = std::accumulate(sample.begin(), end, 0.0) / n;
    const double variance = std::inner_product(sample.begin(), end, sample.begin(), 0.0) / n - mean * mean;
    sum += mean;
    squares += mean * mean;
    stated += expected_shortfall_error(variance, sample[tail - 1], mean, 5, tail);
  }
  const double mean = sum / kTrials;
  const double spread = std::sqrt(squares / kTrials - mean * mean);
  // Normal: ES 5% is -phi(1.644854) / 0.05 = -2.062713.
  EXPECT_NEAR(mean, -2.062713, 0.01);  // bias of order 1 / (100 tail values) allowed
  EXPECT_NEAR(stated / kTrials / spread, 1.0, 5 * 0.022);
}

BinnedQuantile histogram_quantile(const std::vector<std::uint64_t>& bins, BinRange range, int percent) {
  const std::uint64_t total = std::accumulate(bins.begin(), bins.end(), std::uint64_t{0});
  return histogram_quantiles(bins, range, total, std::array{1, percent}).back();
}

TEST(HistogramQuantile, InsideItsBin) {
  std::vector<std::uint64_t> bins(kBins, 0);
  const BinRange range{-100, 0};
  bins[static_cast<std::size_t>(bin_of(range, 5))] = 10;
  bins[static_cast<std::size_t>(bin_of(range, 6))] = 10;
  EXPECT_EQ(histogram_quantile(bins, range, 50).value, 5);
  EXPECT_EQ(histogram_quantile(bins, range, 51).value, 6);

  const BinRange wide{-1000, 4};
  std::fill(bins.begin(), bins.end(), 0);
  bins[10] = 4;  // values -840 .. -825
  EXPECT_GE(histogram_quantile(bins, wide, 5).value, -840);
  EXPECT_LE(histogram_quantile(bins, wide, 95).value, -825);
  EXPECT_LT(histogram_quantile(bins, wide, 5).value, histogram_quantile(bins, wide, 95).value);
}

TEST(HistogramQuantile, BeyondTheBinsABoundIsKnownAndNoValue) {
  std::vector<std::uint64_t> bins(kBins, 0);
  bins.front() = 10;
  bins[500] = 80;
  bins.back() = 10;
  const BinnedQuantile low = histogram_quantile(bins, {-16, 3}, 5),
                       high = histogram_quantile(bins, {-16, 3}, 95);
  EXPECT_TRUE(std::isnan(low.value));
  EXPECT_EQ(low.below, -8);
  EXPECT_TRUE(std::isnan(low.at_least));
  EXPECT_TRUE(std::isnan(high.value));
  EXPECT_TRUE(std::isnan(high.below));
  EXPECT_EQ(high.at_least, -16 + 1023 * 8);
  const BinnedQuantile inside = histogram_quantile(bins, {-16, 3}, 50);
  EXPECT_GE(inside.value, -16 + 500 * 8);
  EXPECT_TRUE(std::isnan(inside.below) && std::isnan(inside.at_least));
  EXPECT_TRUE(std::isnan(histogram_quantile(std::vector<std::uint64_t>(kBins, 0), {0, 0}, 50).value));
}

// ---- The report ----

class AnalysisTest : public testing::Test {
 protected:
  RiskReport analyse_small(std::span<const std::int32_t> plan = {}) {
    return analyse(scenario_, small_.outcomes, {7, 100, 10}, plan);
  }
  Company company_ = small_company();
  Scenario scenario_ = company_.data.view();
  SmallOutcomes small_{scenario_, 10};
};

TEST_F(AnalysisTest, FcfOfAYear) {
  // USD thousand; 10 paths.
  small_.set(small_.layout.year(kYearFcf, 1), {9000, 1000, 8000, 2000, 7000, 3000, 6000, 4000, 5000, -1000});
  const RiskReport report = analyse_small();
  ASSERT_EQ(report.years.size(), 2U);
  EXPECT_EQ(report.years[0].first_month, 1);
  EXPECT_EQ(report.years[0].last_month, 2);
  EXPECT_EQ(report.years[1].first_month, 3);
  const Distribution& fcf = report.years[1].measures[kYearFcf];
  EXPECT_DOUBLE_EQ(fcf.mean, 4.4);
  EXPECT_DOUBLE_EQ(fcf.quantile(50).value, 4);
  EXPECT_DOUBLE_EQ(fcf.quantile(10).value, -1);
  EXPECT_DOUBLE_EQ(fcf.quantile(99).value, 9);
  ASSERT_EQ(fcf.tails.size(), 2U);
  EXPECT_DOUBLE_EQ(fcf.tails[0].value_at_risk, -1);
  EXPECT_DOUBLE_EQ(fcf.tails[0].expected_shortfall, -1);
  EXPECT_TRUE(report.years[1].measures[kYearCapex].tails.empty());
}

TEST_F(AnalysisTest, ExpectedShortfallIsTheMeanOfTheTail) {
  SmallOutcomes hundred(scenario_, 100);
  std::vector<std::int32_t> values(100);
  std::iota(values.begin(), values.end(), 1);  // 1..100 thousand USD
  std::shuffle(values.begin(), values.end(), std::mt19937(3));
  hundred.set(kTotalFcf, values);
  const RiskReport report = analyse(scenario_, hundred.outcomes, {1, 0, 100}, {});
  EXPECT_DOUBLE_EQ(report.total_fcf.tails[0].value_at_risk, 0.005);
  EXPECT_DOUBLE_EQ(report.total_fcf.tails[0].expected_shortfall, 0.003);
  EXPECT_DOUBLE_EQ(report.total_fcf.tails[1].expected_shortfall, 0.001);
  // Inside the tail: variance 2; (1 - 0.05) (5 - 3)^2 = 3.8; five values. Sample variance of 1..5 is 2.5.
  EXPECT_NEAR(report.total_fcf.tails[0].expected_shortfall_error, std::sqrt((2.5 + 3.8) / 5) / 1000, 1e-12);
  EXPECT_NEAR(report.total_fcf.sd, std::sqrt(100 * 101 / 12.0) / 1000, 1e-12);
}

TEST_F(AnalysisTest, WhatBecomesOfBreaches) {
  const ColumnLayout& layout = small_.layout;
  constexpr std::int32_t kNo = kNever;
  small_.set(layout.first_breach(0), {2, 2, 3, kNo, kNo, kNo, kNo, kNo, kNo, kNo});
  small_.set(layout.first_uncured(0), {3, kNo, 3, kNo, kNo, kNo, kNo, kNo, kNo, kNo});
  small_.set(layout.accelerated(0), {3, kNo, kNo, kNo, kNo, kNo, kNo, kNo, kNo, kNo});
  small_.set(layout.cures(0), {1, 2, 0, 0, 0, 0, 0, 0, 0, 0});
  small_.set(layout.waivers(0), {0, 0, 1, 0, 0, 0, 0, 0, 0, 0});
  small_.set(layout.first_breach(1), {1, kNo, kNo, 3, kNo, kNo, kNo, kNo, kNo, kNo});
  small_.set(kFirstCovenant, {1, 0, 0, 1, kNo, kNo, kNo, kNo, kNo, kNo});
  const RiskReport report = analyse_small();
  const CovenantRisk& covenant = report.covenants[0];
  EXPECT_EQ(covenant.uncured.by_horizon().count, 2U);
  EXPECT_EQ(covenant.uncured.cumulative[1].count, 0U);
  EXPECT_EQ(covenant.remedied.count, 1U);
  EXPECT_EQ(covenant.accelerated.by_horizon().count, 1U);
  EXPECT_DOUBLE_EQ(covenant.cures.value, 0.3);
  EXPECT_DOUBLE_EQ(covenant.waivers.value, 0.1);
  EXPECT_NEAR(covenant.waivers.standard_error, 0.1, 1e-12);  // sqrt(0.09 10 / 9 / 10)
  EXPECT_EQ(covenant.binds_first.count, 2U);
  EXPECT_EQ(report.covenants[1].binds_first.count, 2U);
}

TEST_F(AnalysisTest, Customers) {
  const ColumnLayout& layout = small_.layout;
  constexpr std::int32_t kNo = kNever;
  small_.set(layout.customer_fees(0), std::vector<std::int32_t>(10, 4'000));
  small_.set(layout.customer_left(0), {2, kNo, 3, kNo, kNo, kNo, kNo, kNo, kNo, kNo});
  small_.set(layout.customer_lost(0), {2'000, 0, 5'000, 0, 0, 0, 0, 0, 0, 0});
  small_.set(layout.default_month(0), {2, kNo, kNo, kNo, kNo, kNo, kNo, kNo, kNo, kNo});
  const CustomerRisk& customer = analyse_small().customers.at(0);
  EXPECT_DOUBLE_EQ(customer.fees.mean, 4.0);
  EXPECT_EQ(customer.leaves.by_horizon().count, 2U);
  EXPECT_EQ(customer.defaults.by_horizon().count, 1U);
  EXPECT_DOUBLE_EQ(customer.lost_if_it_leaves.value, 3.5);
}

TEST_F(AnalysisTest, BreachesJointAndAny) {
  const ColumnLayout& layout = small_.layout;
  constexpr std::int32_t kNo = kNever;
  small_.set(layout.first_breach(0), {2, 2, 3, kNo, kNo, kNo, kNo, kNo, kNo, kNo});
  small_.set(layout.first_breach(1), {3, kNo, 3, 3, kNo, kNo, kNo, kNo, kNo, kNo});
  small_.set(kLiquidityDefaultMonth, {kNo, 1, kNo, 3, 3, kNo, kNo, kNo, kNo, kNo});
  small_.outcomes.failing = {0, 2, 3, 0, 0, 3};
  const RiskReport report = analyse_small();

  EXPECT_EQ(report.covenants[0].breach.by_horizon().count, 3U);
  EXPECT_EQ(report.covenants[0].breach.by_horizon().of, 10U);
  EXPECT_EQ(report.covenants[0].breach.cumulative[0].count, 0U);
  EXPECT_EQ(report.covenants[0].breach.cumulative[1].count, 2U);
  EXPECT_EQ(report.covenants[0].breach.median_month(), 2);
  ASSERT_EQ(report.covenants[0].breach.within.size(), 1U);  // the horizon is shorter than 12 months
  ASSERT_EQ(report.covenants[0].tests.size(), 2U);
  EXPECT_EQ(report.covenants[0].tests[1].month, 3);
  EXPECT_EQ(report.covenants[0].tests[1].failing.count, 3U);
  EXPECT_EQ(report.covenants[0].tests[0].threshold, 1.2);  // not 1.2000000477
  EXPECT_EQ(report.covenants[1].tests[0].threshold, 0.5);

  EXPECT_EQ(report.any_breach.by_horizon().count, 4U);
  EXPECT_EQ(report.any_breach.cumulative[1].count, 2U);
  ASSERT_EQ(report.joint.size(), 3U);
  EXPECT_EQ(report.joint[0][0].count, 3U);
  EXPECT_EQ(report.joint[0][1].count, 2U);
  EXPECT_EQ(report.joint[1][0].count, 2U);
  EXPECT_EQ(report.joint[0][2].count, 1U);
  EXPECT_EQ(report.joint[1][2].count, 1U);
  EXPECT_EQ(report.joint[2][2].count, 3U);
  EXPECT_EQ(report.liquidity_default.median_month(), 3);
  EXPECT_EQ(report.customers[0].defaults.median_month(), 0);
}

TEST_F(AnalysisTest, DriversGivenBreach) {
  small_.set(small_.layout.first_breach(0),
             {2, 3, kNever, kNever, kNever, kNever, kNever, kNever, kNever, kNever});
  small_.set(kMeanPrice, {5000, 7000, 10000, 10000, 10000, 10000, 10000, 10000, 10000, 10000});
  small_.set(kGlutMonths, {3, 3, 0, 0, 0, 0, 0, 0, 0, 0});
  const RiskReport report = analyse_small();
  const auto find = [&](PathColumn driver) {
    return *std::find_if(report.drivers.begin(), report.drivers.end(),
                         [driver](const DriverMeans& d) { return d.driver == driver; });
  };
  EXPECT_NEAR(find(kMeanPrice).all.value, 0.92, 1e-12);
  EXPECT_NEAR(find(kMeanPrice).given_breach.value, 0.6, 1e-12);
  EXPECT_NEAR(find(kMeanPrice).given_breach.standard_error, 0.1, 1e-12);
  EXPECT_NEAR(find(kGlutMonths).given_breach.value, 3.0, 1e-12);
  EXPECT_TRUE(std::isnan(find(kMeanPrice).given_liquidity_default.value));
}

TEST_F(AnalysisTest, HeadroomOfTestedPathsAlone) {
  small_.set(small_.layout.min_headroom(0),
             {-2000, 1000, 3000, kFixedMax, kFixedMax, kFixedMax, kFixedMax, kFixedMax, kFixedMax, kFixedMax});
  const RiskReport report = analyse_small();
  EXPECT_EQ(report.covenants[0].min_headroom.paths, 3U);
  EXPECT_NEAR(report.covenants[0].min_headroom.mean, 0.2 / 3, 1e-12);
  EXPECT_NEAR(report.covenants[0].min_headroom.quantile(99).value, 0.3, 1e-12);
  EXPECT_EQ(report.covenants[1].min_headroom.paths, 0U);
}

TEST_F(AnalysisTest, Sites) {
  small_.set(small_.layout.months_late(1), {0, 15000, 25000, kNever, 0, 0, -5000, 0, 0, kNever});
  const RiskReport report = analyse_small();
  EXPECT_TRUE(report.sites[0].running);
  EXPECT_EQ(report.sites[1].never_opens.count, 2U);
  EXPECT_EQ(report.sites[1].late.count, 2U);
  EXPECT_EQ(report.sites[1].months_late.paths, 8U);
  EXPECT_NEAR(report.sites[1].months_late.mean, 3.5 / 8, 1e-12);
}

TEST_F(AnalysisTest, FirstOffenderAndItsIdentities) {
  EXPECT_EQ(analyse_small().violations.paths, 0U);
  small_.set(kViolations, {0, 0, 0, kDebtIdentity + kNotFinite, 0, kCashIdentity, 0, 0, 0, 0});
  const Violations violations = analyse_small().violations;
  EXPECT_EQ(violations.paths, 2U);
  EXPECT_EQ(violations.first_path, 103U);
  EXPECT_EQ(violations.kinds, kDebtIdentity + kNotFinite);
}

TEST_F(AnalysisTest, Bands) {
  small_.fill(kRevenue, 1, 100, 5);
  small_.fill(kRevenue, 1, 200, 5);
  small_.fill(kMeasureCount, 2, -50, 10);
  const RiskReport report = analyse_small();
  const Band& revenue = report.bands[kRevenue].months[0];
  EXPECT_EQ(revenue.paths, 10U);
  EXPECT_DOUBLE_EQ(revenue.mean, 0.15);
  EXPECT_DOUBLE_EQ(revenue.quantile(50).value, 0.1);
  EXPECT_DOUBLE_EQ(revenue.quantile(95).value, 0.2);
  EXPECT_FALSE(revenue.plan.has_value());
  EXPECT_EQ(report.bands[kMeasureCount].covenant, 0);
  EXPECT_EQ(report.bands[kMeasureCount].months[0].paths, 0U);
  const Band& headroom = report.bands[kMeasureCount].months[1];
  EXPECT_EQ(headroom.paths, 10U);
  EXPECT_TRUE(std::isnan(headroom.mean));  // of a ratio that may be capped
}

// A path's headrooms are read as they are, also a ratio's beyond the bins.
TEST_F(AnalysisTest, BandsOfASinglePathAreItsValues) {
  SmallOutcomes one(scenario_, 1);
  one.fill(kMeasureCount, 2, -9'960'000, 1);
  const Band band = analyse(scenario_, one.outcomes, {1, 0, 1}, {}).bands[kMeasureCount].months[1];
  EXPECT_EQ(band.paths, 1U);
  EXPECT_EQ(band.bin_width, 0);
  EXPECT_DOUBLE_EQ(band.mean, -996);
  for (const int percent : kBandPercents) EXPECT_DOUBLE_EQ(band.quantile(percent).value, -996);
}

TEST_F(AnalysisTest, ThreadsDoNotMatter) {
  std::mt19937 random(5);
  SmallOutcomes one(scenario_, 1000, 1);
  SmallOutcomes seven(scenario_, 1000, 7);
  std::vector<std::int32_t> values(1000);
  for (std::int32_t c = 0; c < one.layout.count(); ++c) {
    for (std::int32_t& value : values) value = static_cast<std::int32_t>(random() % 2001) - 1000;
    one.set(c, values);
    seven.set(c, values);
  }
  const RiskReport a = analyse(scenario_, one.outcomes, {1, 0, 1000}, {});
  const RiskReport b = analyse(scenario_, seven.outcomes, {1, 0, 1000}, {});
  EXPECT_EQ(report::fcf_csv(company_, a), report::fcf_csv(company_, b));
  EXPECT_EQ(report::summary_json(company_, scenario_, a, {}, {}),
            report::summary_json(company_, scenario_, b, {}, {}));
}

// ---- The plan ----

TEST(PlanTable, AddsReportedMonthsToTheirYear) {
  const Company company = small_company();
  const Scenario scenario = company.data.view();
  std::vector<std::int32_t> plan(static_cast<std::size_t>(series_count(scenario) * 3), 0);
  const auto put = [&](std::int32_t series, std::int32_t a, std::int32_t b, std::int32_t c) {
    std::copy_n(std::array{a, b, c}.begin(), 3, plan.begin() + series * 3);
  };
  put(kRevenue, 2000, 3000, 4000);
  put(kEbitda, 1000, 1000, 2000);
  put(kArr, 24000, 36000, 48000);
  put(kMeasureCount, kFixedMax, 5000, -2000);
  put(kMeasureCount + 1, kFixedMax, kFixedMax, 7000);
  const PlanTable table = plan_table(company, scenario, plan);
  ASSERT_TRUE(table.reported.has_value());
  EXPECT_DOUBLE_EQ(table.reported->fcf, -10);
  ASSERT_EQ(table.years.size(), 2U);
  EXPECT_TRUE(table.years[0].includes_reported);
  EXPECT_DOUBLE_EQ(table.years[0].revenue, 105);
  EXPECT_DOUBLE_EQ(table.years[1].revenue, 4);
  ASSERT_EQ(table.quarters.size(), 2U);
  EXPECT_DOUBLE_EQ(table.quarters[0].revenue, 5);
  EXPECT_DOUBLE_EQ(table.quarters[0].margin(), 0.4);
  EXPECT_NEAR(table.quarters[0].headroom[0].value(), 0.5, 1e-12);
  EXPECT_FALSE(table.quarters[0].headroom[1].has_value());
  EXPECT_DOUBLE_EQ(table.quarters[1].headroom[1].value(), 7);

  const std::vector<GuidanceCheck> guidance = check_guidance(company, scenario, table, nullptr);
  ASSERT_EQ(guidance.size(), 3U);
  EXPECT_EQ(guidance[0].mark, GuidanceCheck::Mark::inside);
  EXPECT_DOUBLE_EQ(guidance[0].plan_musd, 105);
  EXPECT_EQ(guidance[1].mark, GuidanceCheck::Mark::above);
  EXPECT_DOUBLE_EQ(guidance[1].plan_musd, 36);
  EXPECT_EQ(guidance[2].mark, GuidanceCheck::Mark::unknown);  // one month of 2026 is not the year
}

TEST(Guidance, QuantilesOfTheRunWithReportedMonths) {
  const Company company = small_company();
  const Scenario scenario = company.data.view();
  SmallOutcomes small(scenario, 10);
  small.set(small.layout.year(kYearRevenue, 0), {1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10000});
  const std::vector<std::int32_t> plan(static_cast<std::size_t>(series_count(scenario) * 3), 0);
  const RiskReport report = analyse(scenario, small.outcomes, {1, 0, 10}, plan);
  const GuidanceCheck check =
      check_guidance(company, scenario, plan_table(company, scenario, plan), &report)[0];
  EXPECT_DOUBLE_EQ(check.p10.value(), 101);
  EXPECT_DOUBLE_EQ(check.p50.value(), 105);
  EXPECT_DOUBLE_EQ(check.p90.value(), 109);
}

}  // namespace
}  // namespace headroom
