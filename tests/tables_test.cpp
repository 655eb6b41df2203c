// SPDX-License-Identifier: Apache-2.0
// Every row of every table has a name of its own, and its position is its enumerator.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "headroom/measures.hpp"
#include "headroom/model/metrics.hpp"
#include "headroom/switches.hpp"
#include "host/figures/names.hpp"
#include "host/report/format.hpp"
#include "tests/small_company.hpp"

namespace headroom {
namespace {

template <class Row, std::size_t rows>
void expect_named(const Row (&table)[rows], std::size_t count) {
  EXPECT_EQ(rows, count);
  std::set<std::string> names;
  for (const Row& row : table) {
    EXPECT_STRNE(row.name, "");
    EXPECT_STRNE(row.label, "") << row.name;
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " twice";
  }
}

TEST(Tables, EachRowHasANameOfItsOwn) {
  expect_named(kMeasureTable, kMeasureCount);
  expect_named(kYearTable, kYearColumnCount);
  expect_named(kPathTable, kPathColumnCount);
  expect_named(kMetricTable, static_cast<std::size_t>(Metric::backlog_coverage) + 1);
  expect_named(kViolationTable, kViolationCount);
  expect_named(kSwitchTable, kSwitchCount);
}

// The loops over a table pass its enumerators in their order.
TEST(Tables, LoopsGoRowByRow) {
  std::int32_t next = 0;
  for_each_measure([&](auto measure) { EXPECT_EQ(measure.value, next++); });
  EXPECT_EQ(next, kMeasureCount);
  next = 0;
  for_each_year_column([&](auto column, auto measure) {
    EXPECT_EQ(column.value, next++);
    EXPECT_EQ(measure.value, traits_of(column.value).measure);
  });
  EXPECT_EQ(next, kYearColumnCount);
  next = 0;
  for_each_path_column([&](auto column) {
    EXPECT_EQ(traits_of(column.value).column, column.value);
    EXPECT_EQ(column.value, next++);
  });
  EXPECT_EQ(next, kPathColumnCount);
}

TEST(Tables, EachMetricStandsAtItsPlace) {
  std::int32_t next = 0;
  for (const MetricTraits& each : kMetricTable) {
    EXPECT_EQ(static_cast<std::int32_t>(each.metric), next++);
    EXPECT_EQ(&traits_of(each.metric), &each);
    EXPECT_EQ(is_money(each.metric), each.scale == Scale::money) << each.name;
    EXPECT_EQ(repays_debt(each.metric), each.repays_debt) << each.name;
    EXPECT_EQ(each.empty == Empty::none, each.scale == Scale::money) << each.name;
  }
}

TEST(Tables, EachBitIsOneRow) {
  std::uint32_t bits = 0;
  for (const SwitchTraits& each : kSwitchTable) {
    EXPECT_EQ(bits & each.bit, 0U) << each.name;
    bits |= each.bit;
    EXPECT_EQ((kDecisions & each.bit) != 0, each.actor == Actor::decision) << each.name;
  }
  EXPECT_EQ(bits, kAllSwitches);
  for (const ViolationTraits& each : kViolationTable) {
    EXPECT_EQ(violation_names(each.bit), std::vector<std::string>{each.name});
  }
}

// The first breach that a path without covenants reports.
TEST(Tables, WithoutCovenantsThereIsNoFirstBreach) {
  const ScenarioData data = still_company(2);
  const Outcomes outcomes = run_paths(data.view(), {.seed = 1, .first = 0, .count = 3});
  const std::vector<std::int32_t> never(3, kNever);
  EXPECT_EQ(read_column(outcomes, kFirstBreachMonth), never);
  EXPECT_EQ(read_column(outcomes, kFirstCovenant), never);
}

}  // namespace
}  // namespace headroom
