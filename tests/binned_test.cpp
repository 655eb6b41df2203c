// SPDX-License-Identifier: Apache-2.0
// Columns that are counted but not kept, against kept columns.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <random>

#include "host/engine/answers.hpp"
#include "host/engine/engine.hpp"
#include "host/engine/host_columns.hpp"
#include "host/engine/tally.hpp"
#include "host/report/report.hpp"
#include "host/risk/analysis.hpp"
#include "host/run/simulation.hpp"
#include "tests/analyse.hpp"
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
  RiskReport risk(const Answers& answers) const { return analyse(scenario_, answers, {}); }
  Answers run(Backend& backend, const RunPlan& made, std::uint64_t exact_paths = 1) const {
    return simulate(backend, scenario_, made,
                    {.questions = all_questions(scenario_), .exact_paths = exact_paths});
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
  const RiskReport exact = risk(run(*cpu, plan(kPaths), kPaths));
  const RiskReport binned = risk(run(*cpu, plan(kPaths)));
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
  const RiskReport binned = risk(run(*make_cpu_backend(), plan(20'000)));
  const double error_at_1e8 = binned.total_fcf.sd / 1e4;
  EXPECT_LT(binned.total_fcf.resolution, error_at_1e8);
}

TEST_F(Binned, ChunksDoNotMatter) {
  SmallChunks small(1000), large(7000);
  EXPECT_EQ(to_bytes(run(small, plan(12'345))), to_bytes(run(large, plan(12'345))));
}

TEST_F(Binned, OnlyTheBandsThatAreAskedFor) {
  const auto cpu = make_cpu_backend();
  const RiskReport all = risk(run(*cpu, plan(2000), kExactPaths));
  const RiskReport some =
      risk(simulate(*cpu, scenario_, plan(2000),
                    {.questions = all_questions(scenario_), .cells = {{kArr * scenario_.months + 8}}}));
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
  const Answers cut = run(backend, stopped);
  const std::uint64_t done = cut.paths();  // three chunks and some blocks of the fourth
  ASSERT_GT(done, 3000U);
  ASSERT_LT(done, 4000U);
  EXPECT_EQ(to_bytes(cut), to_bytes(run(backend, plan(done))));
  stop = true;
  EXPECT_THROW(run(backend, stopped), Interrupted);
}

// A run may end when its answers are precise enough, after a whole chunk. Its paths are then the first ones
// of the run.
TEST_F(Binned, ARunEndsWhenItsAnswersAreEnough) {
  for (const std::uint64_t exact_paths : {std::uint64_t{1}, kExactPaths}) {
    SmallChunks backend(1000);
    int calls = 0;
    const Answers some = simulate(backend, scenario_, plan(10'000),
                                  {.questions = all_questions(scenario_),
                                   .exact_paths = exact_paths,
                                   .enough = [&](const Answers& so_far) {
                                     EXPECT_EQ(so_far.paths(), 1000U * static_cast<std::uint64_t>(++calls));
                                     return calls == 3;
                                   }});
    EXPECT_EQ(some.spans, (std::vector<PathSpan>{{17, 3000}}));
    EXPECT_EQ(to_bytes(some), to_bytes(run(backend, plan(3000), exact_paths)));
  }
}

// ---- Answers add up. ----

// Parts of a run, made anywhere and added in any order, equal the run: the answers and the files are the same
// byte for byte.
TEST_F(Binned, PartsAddedInAnyOrderAreTheWhole) {
  const auto cpu = make_cpu_backend();
  const auto part = [&](std::uint64_t first, std::uint64_t count, std::uint64_t exact_paths) {
    RunPlan made = plan(count);
    made.paths.first += first;
    return run(*cpu, made, exact_paths);
  };
  for (const std::uint64_t exact_paths : {std::uint64_t{1}, kExactPaths}) {
    const Answers whole = part(0, 3000, exact_paths);
    const std::string bytes = to_bytes(whole);
    Answers forwards = part(0, 1000, exact_paths);
    merge(forwards, part(1000, 500, exact_paths));
    merge(forwards, part(1500, 1500, exact_paths));
    EXPECT_EQ(to_bytes(forwards), bytes);
    Answers backwards = part(1500, 1500, exact_paths);
    merge(backwards, from_bytes(to_bytes(part(0, 1000, exact_paths))));
    EXPECT_EQ(backwards.spans, (std::vector<PathSpan>{{17, 1000}, {1517, 1500}}));
    merge(backwards, part(1000, 500, exact_paths));
    EXPECT_EQ(to_bytes(backwards), bytes);
    const Answers read = from_bytes(bytes);
    EXPECT_EQ(to_bytes(read), bytes);
    EXPECT_EQ(report::covenants_csv(company_, risk(read)), report::covenants_csv(company_, risk(whole)));
    EXPECT_EQ(report::fcf_csv(company_, risk(backwards)), report::fcf_csv(company_, risk(whole)));
  }
}

TEST_F(Binned, PartsThatDoNotBelongTogetherAreRefused) {
  const auto cpu = make_cpu_backend();
  Answers all = run(*cpu, plan(500));
  const std::string before = to_bytes(all);
  const auto refused = [&](Answers part, const std::string& why) {
    try {
      merge(all, std::move(part));
      ADD_FAILURE() << "added: " << why;
    } catch (const MergeError& error) {
      EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
    }
    EXPECT_EQ(to_bytes(all), before);
  };
  RunPlan next = plan(500);
  next.paths.first += 499;
  refused(run(*cpu, next), "path 516 is in both parts");
  next.paths.first += 1;
  refused(run(*cpu, next, kExactPaths), "counts them");
  Answers foreign = run(*cpu, next);
  foreign.config = "another";
  refused(std::move(foreign), "config");
  next.paths.seed = 4;
  refused(run(*cpu, next), "seed 3 and seed 4");
  next.paths.seed = 3;
  refused(simulate(*cpu, scenario_, next, {.questions = {}, .exact_paths = 1}), "different questions");
}

TEST_F(Binned, ADamagedFileOfAnswersIsRefused) {
  const std::string bytes = to_bytes(run(*make_cpu_backend(), plan(300)));
  for (const std::size_t place : {std::size_t{30}, bytes.size() / 2, bytes.size() - 1}) {
    std::string damaged = bytes;
    damaged[place] = static_cast<char>(damaged[place] ^ 1);
    EXPECT_THROW(from_bytes(damaged), std::runtime_error) << place;
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{20}, bytes.size() - 1})
    EXPECT_THROW(from_bytes(bytes.substr(0, size)), std::runtime_error) << size;
}

// ---- Tallies. ----

// A column of every kind of value: below, in and above the bins that the pilot gave, and markers.
TEST(Tallies, ValuesBeyondThePilotsBins) {
  constexpr std::uint64_t kPaths = 5000;
  std::mt19937 random(1);
  const auto fill = [&](HostColumns& columns, int scale) {
    for (std::uint64_t path = 0; path < columns.paths(); ++path) {
      const auto value = static_cast<std::int32_t>(random() % 1'000'000) - 500'000;
      columns.column(0)[path] = path % 7 == 0 ? kFixedMax : value * scale;
    }
  };
  HostColumns pilot(1, 4096, 1), whole(1, kPaths, 1);
  fill(pilot, 1);
  fill(whole, 10);
  const std::vector<std::uint64_t> ranks = {0, 2000, 2100, 2200, 4284};
  const Question question{Question::Kind::distribution, 0, 0, kFixedMax};
  Tally tally = tally_over(pilot, question);
  const Sums sums = whole.count_into(tally, 0);
  const double width = 1'200'000.0 / kMostTallyBins * 2;
  EXPECT_EQ((std::vector<Int128>{sums.number, sums.sum, sums.squares}), whole.answer(question));
  const auto exact = whole.order_statistics(0, ranks), found = order_statistics(tally, ranks);
  for (std::size_t i = 1; i + 1 < ranks.size(); ++i) EXPECT_NEAR(found[i], exact[i], width);
  // Beyond the bins: the side, and the sum of the values below them to the unit.
  EXPECT_EQ(found.front(), kBelowBins);
  EXPECT_EQ(found.back(), kAboveBins);
  EXPECT_EQ(tally.below, whole.sums_of_smallest(0, tally.count.front()));
}

// A distribution from bins against its values: what lies in the bins is known within the resolution, what lies
// beyond them is unknown, and its bound is true. Nothing printed has another sign than the values.
TEST(Tallies, DistributionsBeyondTheBins) {
  constexpr std::uint64_t kPaths = 3000;
  const Question question{Question::Kind::distribution, 0, 0, kFixedMax};
  std::mt19937 random(2);
  int below = 0, above = 0, inside = 0, open = 0;
  for (int trial = 0; trial < 40; ++trial) {
    HostColumns pilot(1, 4096, 1);
    const int centre = static_cast<int>(random() % 400'001) - 200'000;
    std::normal_distribution<double> normal(centre, 100'000), wider(centre, 10'000 * (1 + trial));
    std::generate_n(pilot.column(0), 4096, [&] { return static_cast<std::int32_t>(normal(random)); });
    const auto columns = std::make_shared<HostColumns>(1, kPaths, 1);
    // A part of the paths sits at a cap, far from the others, as a ratio without a denominator does.
    std::generate_n(columns->column(0), kPaths, [&] {
      return static_cast<int>(random() % 80) < trial ? -10'000'000 : static_cast<std::int32_t>(wider(random));
    });
    Outcomes outcomes;
    outcomes.columns = columns;
    Counters counters({tally_over(pilot, question)});
    Answers counted = ask(outcomes, {question}, 1, {{0, kPaths}}, &counters);
    counters.copy_to(counted);
    const Distribution binned = distribution_of(counted, question, 10.0, true);
    const Distribution exact =
        distribution_of(ask(outcomes, {question}, 1, {{0, kPaths}}, {}), question, 10.0, true);
    for (std::size_t k = 0; k < kPercents.size(); ++k) {
      const Quantile& b = binned.quantiles[k];
      const double value = exact.quantiles[k].value;
      ASSERT_EQ(std::isfinite(b.value) + std::isfinite(b.below) + std::isfinite(b.at_least), 1);
      EXPECT_FALSE(b.below <= value || b.at_least > value || std::fabs(b.value - value) > binned.resolution);
      EXPECT_FALSE(value < 0 ? b.value >= 0 || b.at_least >= 0 : b.value < 0 || b.below <= 0);
      EXPECT_FALSE(b.low > exact.quantiles[k].low + binned.resolution);
      EXPECT_FALSE(b.high < exact.quantiles[k].high - binned.resolution);
      below += std::isfinite(b.below) ? 1 : 0;
      above += std::isfinite(b.at_least) ? 1 : 0;
      inside += std::isfinite(b.value) ? 1 : 0;
    }
    for (std::size_t k = 0; k < kTailPercents.size(); ++k) {
      const LowerTail &b = binned.tails[k], &e = exact.tails[k];
      ASSERT_EQ(b.percent, kTailPercents[k]);
      EXPECT_EQ(std::isnan(b.expected_shortfall), std::isnan(b.value_at_risk));
      EXPECT_FALSE(b.expected_shortfall > b.value_at_risk);
      EXPECT_FALSE(std::fabs(b.expected_shortfall - e.expected_shortfall) > binned.resolution);
      open += std::isnan(b.value_at_risk) ? 1 : 0;
    }
  }
  EXPECT_GT(below, 20);
  EXPECT_GT(above, 20);
  EXPECT_GT(inside, 100);
  EXPECT_GT(open, 20);
}

TEST(Tallies, AQuestionThatWasNotAskedHasNoAnswer) {
  Outcomes outcomes;
  auto columns = std::make_shared<HostColumns>(1, 10, 1);
  std::fill_n(columns->column(0), 10, 1);
  outcomes.columns = columns;
  const Question asked{Question::Kind::sums, 0, 0, 5};
  const Answers answers = ask(outcomes, {asked}, 1, {{0, 10}}, {});
  EXPECT_EQ(answers.answer(asked).integers, (std::vector<Int128>{10, 10, 10}));
  EXPECT_THROW(answers.answer({Question::Kind::counts, 0, 0, 2}), std::logic_error);
}

}  // namespace
}  // namespace headroom
