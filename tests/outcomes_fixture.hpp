// SPDX-License-Identifier: Apache-2.0
// Companies to run, and the comparison of two runs' outcomes by the byte.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <type_traits>
#include <vector>

#include "host/config/company.hpp"
#include "host/engine/engine.hpp"
#include "host/plan/make_plan.hpp"

namespace headroom {

// Of configs/, or else of tests/.
inline Company planned_company(const std::string& name) {
  const std::filesystem::path source = HEADROOM_SOURCE_DIR;
  std::filesystem::path file = source / "configs" / (name + ".toml");
  if (!exists(file)) file = source / "tests" / (name + ".toml");
  Company company = load_company({.file = file.string()});
  make_plan(company.data);
  return company;
}

template <class T>
bool same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// The first difference, for the message.
template <class T>
std::string difference(const std::vector<T>& expected, const std::vector<T>& got) {
  if (expected.size() != got.size()) {
    return std::to_string(got.size()) + " values instead of " + std::to_string(expected.size());
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] == got[i]) continue;
    return "value " + std::to_string(i) + " is " + std::to_string(got[i]) + " instead of " +
           std::to_string(expected[i]);
  }
  return "no difference in value";
}

inline std::vector<std::int32_t> column_of(Columns& columns, std::int32_t column) {
  std::vector<std::int32_t> values(columns.paths());
  columns.read(column, 0, values);
  return values;
}

// Everything but device and seconds.
inline void expect_same_outcomes(const Outcomes& expected, const Outcomes& got) {
  static_assert(std::is_trivially_copyable_v<ColumnLayout>);
  EXPECT_EQ(std::memcmp(&expected.layout, &got.layout, sizeof(ColumnLayout)), 0) << "layout";
  EXPECT_EQ(expected.months, got.months);
  EXPECT_EQ(expected.series, got.series);
  ASSERT_EQ(expected.bins.size(), got.bins.size());
  EXPECT_EQ(std::memcmp(expected.bins.data(), got.bins.data(), got.bins.size() * sizeof(BinRange)), 0)
      << "bins";
  EXPECT_TRUE(same_bytes(expected.sum, got.sum))
      << "sum [series][months]: " << difference(expected.sum, got.sum) << "; " << got.months << " months";
  EXPECT_TRUE(same_bytes(expected.histogram, got.histogram))
      << "histogram [series][months][bin]: " << difference(expected.histogram, got.histogram);
  EXPECT_TRUE(same_bytes(expected.failing, got.failing))
      << "failing [covenant][months]: " << difference(expected.failing, got.failing);
  ASSERT_EQ(expected.columns->paths(), got.columns->paths());
  for (std::int32_t c = 0; c < expected.layout.count(); ++c) {
    const auto a = column_of(*expected.columns, c);
    const auto b = column_of(*got.columns, c);
    ASSERT_TRUE(same_bytes(a, b)) << "column " << c << ": " << difference(a, b);
  }
}

}  // namespace headroom
