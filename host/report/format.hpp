// SPDX-License-Identifier: Apache-2.0
// Formats numbers and tables for a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"
#include "host/config/company.hpp"
#include "host/figures/names.hpp"
#include "host/risk/analysis.hpp"
#include "host/risk/statistics.hpp"

namespace headroom::report {

// The number of decimals that the Monte Carlo error supports: the last digit shown is at the first digit of
// the standard error, so rounding moves a figure by half a standard error at most. Negative: rounded to tens,
// hundreds. At most `most`, which is also the answer if the error is zero or unknown.
int supported_digits(double value, double standard_error, int most);

// Rounded to that many decimals, with commas between thousands: 12,345.6. An unknown value: "-".
std::string number(double value, int decimals);
std::string supported(double value, double standard_error, int most);
std::string supported(const Estimate& estimate, int most);
// A standard error in the unit of its value: a whole number, hundredths below 1, or one digit below 0.005.
std::string error_text(double error);

// One line for each key that --set or --overlay changed.
std::string override_lines(const Company& company);

// A figure without Monte Carlo error: one decimal below 100 musd.
std::string musd(double value);

// In percent, without the sign: the value, and its 95% interval "low-high".
std::string percent(const Probability& probability);
std::string percent_interval(const Probability& probability);

// Columns of text, two spaces apart. The first column and those from `left_from` on are left-aligned, the
// others right-aligned.
class Table {
 public:
  explicit Table(std::size_t left_from = SIZE_MAX) : left_from_(left_from) {}
  void row(std::vector<std::string> cells);  // control characters are escaped
  void rule() { rows_.emplace_back(); }      // a line of dashes
  std::string text(std::string_view indent = "  ") const;

 private:
  std::size_t left_from_;
  std::vector<std::vector<std::string>> rows_{};
};

std::size_t width(std::string_view text);                        // in characters of UTF-8, not bytes
std::string shortened(std::string_view text, std::size_t most);  // at most `most` characters, with "..."

// Labels of month ends. Month 0 is as_of.
std::string month_label(const Company& company, std::int32_t month);                       // 2026-03
std::string date_label(const Company& company, std::int32_t month);                        // 2026-03-31
std::string quarter_label(const Company& company, std::int32_t first, std::int32_t last);  // 2Q26
std::string year_label(const Company& company, std::int32_t first, std::int32_t last);     // 2026, 2026 Apr-Dec

std::string_view key_of(GuidanceMeasure measure);
std::string guidance_label(const Company& company, const Guidance& guidance);  // revenue 2026

}  // namespace headroom::report
