// Columns that are counted and not kept, against columns that are kept.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <random>

#include "host/engine/binned_columns.hpp"
#include "host/engine/host_columns.hpp"
#include "host/report/report.hpp"
#include "host/risk/analysis.hpp"
#include "host/run/simulation.hpp"
#include "tests/outcomes_fixture.hpp"

namespace headroom {
namespace {

// The CPU, a few paths at a time.
class SmallChunks final : public Backend {
 public:
  explicit SmallChunks(std::uint64_t chunk) : chunk_(chunk) {}
  std::string name() const override { return cpu_->name(); }
  std::uint64_t chunk() const override { return chunk_; }
  Outcomes simulate(const Scenario& scenario, const RunPlan& plan, std::span<const BinRange> bins) override {
    return cpu_->simulate(scenario, plan, bins);
  }

 private:
  std::uint64_t chunk_;
  std::unique_ptr<Backend> cpu_ = make_cpu_backend();
};

class Binned : public testing::Test {
 protected:
  RunPlan plan(std::uint64_t paths) const {
    RunPlan made;
    made.paths = {3, 17, paths};
    made.threads = 2;
    return made;
  }
  RiskReport risk(const Outcomes& outcomes, const RunPlan& made) const {
    return analyse(scenario_, outcomes, made.paths, {});
  }
  Company company_ = planned_company("demo");
  Scenario scenario_ = company_.data.view();
};

void expect_near(const Distribution& exact, const Distribution& binned) {
  EXPECT_EQ(exact.paths, binned.paths);
  EXPECT_EQ(exact.resolution, 0);
  if (exact.paths == 0) return;
  EXPECT_EQ(exact.mean, binned.mean);
  EXPECT_TRUE(exact.sd == binned.sd || (std::isnan(exact.sd) && std::isnan(binned.sd)));
  for (std::size_t k = 0; k < kPercents.size(); ++k) {
    EXPECT_LE(std::fabs(exact.quantiles[k].value - binned.quantiles[k].value), binned.resolution * 1.000001);
    EXPECT_LE(std::fabs(exact.quantiles[k].low - binned.quantiles[k].low), binned.resolution * 1.000001);
    EXPECT_LE(std::fabs(exact.quantiles[k].high - binned.quantiles[k].high), binned.resolution * 1.000001);
  }
  for (std::size_t k = 0; k < exact.tails.size(); ++k) {
    EXPECT_LE(std::fabs(exact.tails[k].expected_shortfall - binned.tails[k].expected_shortfall),
              binned.resolution * 1.000001);
  }
}

void expect_equal(const EventRisk& exact, const EventRisk& binned) {
  for (std::size_t t = 0; t < exact.cumulative.size(); ++t) {
    EXPECT_EQ(exact.cumulative[t].count, binned.cumulative[t].count);
  }
  EXPECT_EQ(exact.month_if_it_happens, binned.month_if_it_happens);
}

TEST_F(Binned, CountsAndMeansAreExactAndQuantilesWithinTheResolution) {
  constexpr std::uint64_t kPaths = 20'000;
  const auto cpu = make_cpu_backend();
  const RiskReport exact = risk(simulate(*cpu, scenario_, plan(kPaths)), plan(kPaths));
  const RiskReport binned = risk(simulate(*cpu, scenario_, plan(kPaths), {.exact_paths = 1}), plan(kPaths));
  EXPECT_EQ(binned.paths, kPaths);
  int coarse = 0;
  for (std::size_t y = 0; y < exact.years.size(); ++y) {
    for (std::size_t c = 0; c < exact.years[y].measures.size(); ++c) {
      SCOPED_TRACE(testing::Message() << "year " << y << ", column " << c);
      expect_near(exact.years[y].measures[c], binned.years[y].measures[c]);
      coarse += binned.years[y].measures[c].resolution > 0 ? 1 : 0;
    }
  }
  EXPECT_GT(coarse, 0) << "every bin holds one integer: the comparison shows nothing";
  expect_near(exact.total_fcf, binned.total_fcf);
  expect_near(exact.min_liquidity, binned.min_liquidity);
  expect_near(exact.peak_funding_gap, binned.peak_funding_gap);
  for (std::size_t i = 0; i < exact.sites.size(); ++i) {
    expect_near(exact.sites[i].months_late, binned.sites[i].months_late);
    EXPECT_EQ(exact.sites[i].late.count, binned.sites[i].late.count);
  }
  for (std::size_t v = 0; v < exact.covenants.size(); ++v) {
    expect_near(exact.covenants[v].min_headroom, binned.covenants[v].min_headroom);
    expect_equal(exact.covenants[v].breach, binned.covenants[v].breach);
    EXPECT_EQ(exact.covenants[v].binds_first.count, binned.covenants[v].binds_first.count);
    for (std::size_t w = 0; w < exact.covenants.size(); ++w) {
      EXPECT_EQ(exact.joint[v][w].count, binned.joint[v][w].count);
    }
  }
  expect_equal(exact.any_breach, binned.any_breach);
  expect_equal(exact.liquidity_default, binned.liquidity_default);
  for (std::size_t d = 0; d < exact.drivers.size(); ++d) {
    EXPECT_EQ(exact.drivers[d].given_breach.value, binned.drivers[d].given_breach.value);
  }
  EXPECT_EQ(exact.bands[kFcf].months[30].quantile(50).value, binned.bands[kFcf].months[30].quantile(50).value);
}

TEST_F(Binned, BinsAreFinerThanTheMonteCarloErrorOfManyPaths) {
  const auto cpu = make_cpu_backend();
  const RiskReport binned = risk(simulate(*cpu, scenario_, plan(20'000), {.exact_paths = 1}), plan(20'000));
  const double error_at_1e8 = binned.total_fcf.sd / 1e4;
  EXPECT_LT(binned.total_fcf.resolution, error_at_1e8);
}

TEST_F(Binned, ChunksDoNotMatter) {
  SmallChunks small(1000), large(7000);
  const Outcomes a = simulate(small, scenario_, plan(12'345), {.exact_paths = 1});
  const Outcomes b = simulate(large, scenario_, plan(12'345), {.exact_paths = 1});
  EXPECT_TRUE(same_bytes(a.histogram, b.histogram));
  EXPECT_TRUE(same_bytes(a.sum, b.sum));
  EXPECT_TRUE(same_bytes(a.failing, b.failing));
  EXPECT_EQ(report::fcf_csv(company_, risk(a, plan(12'345))), report::fcf_csv(company_, risk(b, plan(12'345))));
  EXPECT_EQ(report::covenants_csv(company_, risk(a, plan(12'345))),
            report::covenants_csv(company_, risk(b, plan(12'345))));
}

TEST_F(Binned, OnlyTheBandsThatAreAskedFor) {
  const auto cpu = make_cpu_backend();
  const RiskReport all = risk(simulate(*cpu, scenario_, plan(2000)), plan(2000));
  const Outcomes outcomes = simulate(*cpu, scenario_, plan(2000), {.bands = {{kArr * scenario_.months + 8}}});
  const RiskReport some = risk(outcomes, plan(2000));
  EXPECT_EQ(some.bands[kArr].months[8].quantile(50).value, all.bands[kArr].months[8].quantile(50).value);
  EXPECT_EQ(some.bands[kArr].months[7].paths, 0U);
  EXPECT_EQ(some.bands[kFcf].months[8].paths, 0U);
  EXPECT_EQ(report::fcf_csv(company_, some), report::fcf_csv(company_, all));
  EXPECT_EQ(some.covenants[0].tests[0].failing.count, all.covenants[0].tests[0].failing.count);
}

TEST_F(Binned, AnInterruptedRunKeepsThePathsThatWereDone) {
  SmallChunks backend(1000);
  std::atomic<bool> stop = false;
  RunPlan stopped = plan(10'000);
  stopped.stop = &stop;
  stopped.progress = [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(total, 10'000U);
    if (done > 3000) stop = true;
  };
  const Outcomes cut = simulate(backend, scenario_, stopped, {.exact_paths = 1});
  const std::uint64_t done = cut.columns->paths();  // three chunks and some blocks of the fourth
  ASSERT_GT(done, 3000U);
  ASSERT_LT(done, 4000U);
  const Outcomes whole = simulate(backend, scenario_, plan(done), {.exact_paths = 1});
  EXPECT_TRUE(same_bytes(cut.histogram, whole.histogram));
  EXPECT_TRUE(same_bytes(cut.sum, whole.sum));
  EXPECT_EQ(report::fcf_csv(company_, risk(cut, plan(done))),
            report::fcf_csv(company_, risk(whole, plan(done))));
  stop = true;
  EXPECT_THROW(simulate(backend, scenario_, stopped, {.exact_paths = 1}), Interrupted);
}

// A column of every kind of value: below, in and above the bins that the pilot gave, and markers.
TEST(BinnedColumns, ValuesBeyondThePilotsBins) {
  constexpr std::uint64_t kPaths = 5000;
  std::mt19937 random(1);
  const auto fill = [&](HostColumns& columns, int scale) {
    for (std::uint64_t path = 0; path < columns.paths(); ++path) {
      const auto value = static_cast<std::int32_t>(random() % 1'000'000) - 500'000;
      columns.column(0)[path] = path % 7 == 0 ? kFixedMax : value * scale;
      columns.column(1)[path] = path % 50 == 11 ? 4 : 0;
    }
  };
  HostColumns pilot(2, 4096, 1), whole(2, kPaths, 1);
  fill(pilot, 1);
  fill(whole, 10);
  const std::vector<std::uint64_t> ranks = {0, 2000, 2100, 2200, 4284};
  const auto ask = [&](ColumnStore& columns) {
    columns.count_at_most(0, kFixedMax - 1);
    columns.sum_where(0, 0, kFixedMax - 1);
    columns.not_zero(1);
    columns.counts(1, 5);
    columns.sum_of_smallest(0, 50);
    return columns.order_statistics(0, ranks, kFixedMax);
  };
  BinnedColumns binned(2, 1);
  ask(binned);
  binned.set_bins(pilot);
  binned.absorb(whole);
  EXPECT_EQ(binned.resolution(0), 2 * static_cast<std::int64_t>(kFixedMax)) << "a quarter lies in the bins";
  const double width = 1'200'000.0 / BinnedColumns::kMostBins * 2;
  EXPECT_EQ(binned.paths(), kPaths);
  EXPECT_EQ(binned.count_at_most(0, kFixedMax - 1), whole.count_at_most(0, kFixedMax - 1));
  EXPECT_EQ(binned.sum_where(0, 0, kFixedMax - 1), whole.sum_where(0, 0, kFixedMax - 1));
  EXPECT_EQ(binned.not_zero(1).count, 100U);
  EXPECT_EQ(binned.not_zero(1).first, 11U);
  std::int32_t kind = 0;
  binned.read(1, 11, std::span(&kind, 1));
  EXPECT_EQ(kind, 4);
  EXPECT_EQ(binned.counts(1, 5), whole.counts(1, 5));
  const auto exact = whole.order_statistics(0, ranks, kFixedMax), found = ask(binned);
  for (std::size_t i = 1; i + 1 < ranks.size(); ++i) EXPECT_NEAR(found[i], exact[i], width);
  // Beyond the bins: their ends, and the sum of what lies below them to the unit.
  EXPECT_GT(found.front(), exact.front());
  EXPECT_LT(found.back(), exact.back());
  const auto below = whole.count_at_most(0, found.front() - 1);
  EXPECT_EQ(binned.sum_of_smallest(0, below), whole.sum_of_smallest(0, below));
  EXPECT_TRUE(binned.sum_of_squares_of_smallest(0, below) == whole.sum_of_squares_of_smallest(0, below));
}

TEST(BinnedColumns, AnswersNothingThatWasNotRehearsed) {
  HostColumns columns(1, 10, 1);
  std::fill_n(columns.column(0), 10, 1);
  BinnedColumns binned(1, 1);
  binned.sum(0);
  binned.set_bins(columns);
  binned.absorb(columns);
  EXPECT_EQ(binned.sum(0), 10);
  EXPECT_THROW(binned.sum_of_squares(0), std::logic_error);
  EXPECT_THROW(binned.counts(0, 2), std::logic_error);
  EXPECT_THROW(binned.order_statistics(0, std::vector<std::uint64_t>{1}, kNever), std::logic_error);
}

}  // namespace
}  // namespace headroom
