// SPDX-License-Identifier: Apache-2.0
// Two runs side by side: a run against itself, a walk that adds up, paths that differ.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/program.hpp"

namespace headroom {
namespace {

class CompareTest : public ProgramTest {
 protected:
  void stored(const std::string& name, const Words& more = {}) {
    Words words = {"run", kDemo, "--paths", "5000", "--backend", "cpu", "--quiet", "--out", path(name)};
    words.insert(words.end(), more.begin(), more.end());
    ASSERT_EQ(run(words).code, 0);
  }
  Words changed_ = {"--set", "site.abilene.unplanned_months=2",
                    "--set", "market.price.ageing_young_per_year=0.15",
                    "--set", "entity.halcyon.cash_musd=120"};
};

// A row of walk_csv(); no cell of it holds a comma but the change.
struct Step {
  std::size_t step;
  std::string change, figure;
  double value, difference;
};
std::vector<Step> steps_in(const std::string& file) {
  std::vector<Step> steps;
  std::istringstream in(read(file));
  std::string line;
  std::getline(in, line);
  EXPECT_EQ(line, "step,change,figure,unit,value,difference,low,high");
  const std::regex row("(\\d+),(\"[^\"]*\"|[^,]*),([^,]*),[^,]*,([^,]*),([^,]*),[^,]*,[^,]*");
  while (std::getline(in, line)) {
    std::smatch m;
    if (!std::regex_match(line, m, row)) {
      ADD_FAILURE() << line;
      continue;
    }
    steps.push_back({std::stoul(m[1]), m[2], m[3], m[4].length() > 0 ? std::stod(m[4]) : NAN,
                     m[5].length() > 0 ? std::stod(m[5]) : NAN});
  }
  return steps;
}

TEST_F(CompareTest, OfARunWithItselfNothingDiffers) {
  stored("a");
  const Result result = run({"compare", path("a"), path("a"), "--csv", path("walk.csv")});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, "The two configs are the same.")) << result.out;
  EXPECT_FALSE(contains(result.out, "Paths that differ"));
  std::size_t rows = 0;
  for (const Step& step : steps_in(path("walk.csv"))) {
    if (step.step == 0 || std::isnan(step.value)) continue;
    EXPECT_EQ(step.difference, 0) << step.figure;
    ++rows;
  }
  EXPECT_GT(rows, 10U);
}

TEST_F(CompareTest, TheWalkAddsUp) {
  stored("a");
  stored("b", changed_);
  const Result result = run({"compare", path("a"), path("b"), "--csv", path("walk.csv")});
  ASSERT_EQ(result.code, 0) << result.err;
  std::map<std::string, double> first, last, sum;
  std::map<std::size_t, std::string> changes;
  for (const Step& step : steps_in(path("walk.csv"))) {
    changes[step.step] = step.change;
    if (step.step == 0) first[step.figure] = step.value;
    last[step.figure] = step.value;
    if (step.step > 0) sum[step.figure] += step.difference;
  }
  ASSERT_EQ(changes.size(), 4U) << "the first config, and a step for each key";
  std::string all;
  for (const auto& [step, change] : changes) all += change + '\n';
  for (const char* each :
       {"site.abilene.unplanned_months = 2, was 0", "market.price.ageing_young_per_year = 0.15, was 0.12",
        "entity.halcyon.cash_musd = 120, was "})
    EXPECT_TRUE(contains(all, each)) << each << '\n' << all;
  for (const auto& [figure, value] : first)
    EXPECT_NEAR(sum[figure], last[figure] - value, 1e-9 * (1 + std::abs(value))) << figure;

  // Both ends are the runs that were stored.
  const auto figure_of = [&](const char* folder, const std::string& name) {
    std::istringstream in(read(folder_ / folder / "results.csv"));
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with(name + ",")) return std::stod(line.substr(name.size() + 1));
    }
    return std::nan("");
  };
  for (const char* each : {"default.60m", "fcf.total.p50", "any_breach.24m"}) {
    EXPECT_EQ(first[each], figure_of("a", each)) << each;
    EXPECT_EQ(last[each], figure_of("b", each)) << each;
  }

  // The paths on which a default happens in one run alone are the difference of the probabilities.
  std::smatch m;
  ASSERT_TRUE(std::regex_search(
      result.out, m,
      std::regex("\n  default: on (\\d+) paths? in the first alone, on (\\d+) in the second alone")))
      << result.out;
  EXPECT_NEAR((std::stod(m[2]) - std::stod(m[1])) / 5000, last["default.60m"] - first["default.60m"], 1e-9);
  ASSERT_TRUE(std::regex_search(result.out, m, std::regex("headroom (why \\S*/b --path \\d+)")));
  std::istringstream words(m[1]);
  const Words why{std::istream_iterator<std::string>(words), {}};
  EXPECT_TRUE(contains(run(why).out, "default")) << "the command that is shown works";
}

TEST_F(CompareTest, WhatCannotBeSetAloneIsTheLastStep) {
  const std::string more = path("more.toml");
  std::ofstream(more) << "include = [\"" << kDemo
                      << "\"]\n[[customer]]\nid = \"another\"\nname = \"Another\"\nrating = \"B\"\n"
                         "[company]\nhorizon_months = 48\n";
  const Result result = run({"compare", kDemo, more, "--paths", "2000", "--backend", "cpu"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, "company.horizon_months = 48, was 60")) << result.out;
  EXPECT_TRUE(contains(result.out, " changes together")) << result.out;
  EXPECT_TRUE(contains(result.out, "customer.another.rating = \"B\", new")) << result.out;
  const Result few = run({"compare", kDemo, more, "--paths", "2000", "--backend", "cpu", "--steps", "1"});
  EXPECT_TRUE(contains(few.out, "4 changes together")) << few.out;
}

TEST_F(CompareTest, WrongUse) {
  EXPECT_EQ(run({"compare", kDemo}).code, 2);
  EXPECT_EQ(run({"compare", kDemo, kDemo, kDemo}).code, 2);
  EXPECT_EQ(run({"compare", kDemo, path("nowhere.toml")}).code, 2);
  std::filesystem::create_directory(path("empty"));
  const Result result = run({"compare", kDemo, path("empty")});
  EXPECT_EQ(result.code, 2);
  EXPECT_TRUE(contains(result.err, "holds no manifest.json")) << result.err;
}

}  // namespace
}  // namespace headroom
