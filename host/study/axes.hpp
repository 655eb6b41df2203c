// SPDX-License-Identifier: Apache-2.0
// What a study varies: keys of a config that move together, and the values that they take.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/config/company.hpp"
#include "host/config/reader.hpp"

namespace headroom::study {

// The config that a study starts from.
struct Base {
  config::Sources sources{};
  std::optional<int> months{};  // see load_company()
  Company company{};
};

// One value of an axis: what it does to the config.
struct Level {
  std::string text{};                   // as in study.csv: a number, a date or a word
  std::vector<std::string> sets{};      // key=value
  std::vector<std::string> overlays{};  // files
  friend bool operator==(const Level&, const Level&) = default;
};

// An interval that a design draws values from. Dates are days since 1970.
struct Span {
  enum class Kind { absolute, added, factor };  // added to the base's value, or multiplied by it
  double low = 0, high = 0;
  Kind kind = Kind::absolute;
  bool dates = false;
};

struct Axis {
  std::string name{};
  std::vector<std::string> keys{};  // of the config, patterns resolved; none for an axis of overlays
  std::vector<Level> levels{};      // given values
  std::optional<Span> span{};       // or an interval: levels is empty
};

// 'name = key[,key...] = values', or 'key = values'. In a key * matches any part of a name without dots, {a,b}
// is one of several, and [2] or [2027-06-30] an element of a list without ids, by its number from 0 or by its
// date. Values: a,b,c; lo:hi:n for n values at equal distances; lo:hi, an interval to draw from. +x adds to the
// base's value, *x multiplies it. Throws config::ConfigError, whose place is in the option's text.
Axis parse_axis(const std::string& text, const Base& base);

// The axis 'scenario': "base", or the path of an overlay.
Axis scenario_axis(const std::vector<std::string>& scenarios);

// Keys that match a pattern of parse_axis(), in the config's order; empty if none does.
std::vector<std::string> matching_keys(const std::string& pattern, const Company& company);

// The level at which the keys take `value` of a span's kind.
Level level_at(const Axis& axis, Span::Kind kind, double value, bool date, const Company& base);

// Loads the company at these levels; problems name the axis. Throws config::ConfigError.
Company load_at(const Base& base, const std::vector<Axis>& axes, const std::vector<Level>& levels);

// Checks each level by itself, and the axes together: no name and no key twice, and each axis changes the
// config. Throws config::ConfigError.
void check_axes(const Base& base, const std::vector<Axis>& axes);
// Only that no name and no key is taken twice: of listed points, whose levels may fit only together.
void check_names(const std::vector<Axis>& axes);

}  // namespace headroom::study
