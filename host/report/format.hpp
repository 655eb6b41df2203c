// SPDX-License-Identifier: Apache-2.0
// Numbers and tables for a terminal.
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

// How many decimals the Monte Carlo error supports: the last digit shown stands where the first digit of the
// standard error does, so that rounding moves a figure by half a standard error at most. Negative: rounded to
// tens, hundreds. Never more than `most`, which is also the answer where the error is zero or unknown.
int supported_digits(double value, double standard_error, int most);

// Rounded to that many decimals, thousands apart by commas: 12,345.6; a value that is not known: "-".
std::string number(double value, int decimals);
std::string supported(double value, double standard_error, int most);
std::string supported(const Estimate& estimate, int most);
// A standard error, in the unit of its value: whole, or to hundredths below 1, or its first digit below 0.005.
std::string error_text(double error);

// A line for each key that --set or --overlay changed.
std::string override_lines(const Company& company);

// A figure without Monte Carlo error: one decimal under 100 musd.
std::string musd(double value);

// In percent without the sign: value, and its 95% interval "low-high".
std::string percent(const Probability& probability);
std::string percent_interval(const Probability& probability);

// Columns of text, two spaces apart; the first is left-aligned, as are those from `left_from` on, the others
// right-aligned.
class Table {
 public:
  explicit Table(std::size_t left_from = SIZE_MAX) : left_from_(left_from) {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  void rule() { rows_.emplace_back(); }  // a line of dashes
  std::string text(std::string_view indent = "  ") const;

 private:
  std::size_t left_from_;
  std::vector<std::vector<std::string>> rows_{};
};

std::size_t width(std::string_view text);                        // characters, not bytes, of UTF-8
std::string shortened(std::string_view text, std::size_t most);  // at most so many characters, with "..."

// Dates of month ends. Month 0 is as_of.
std::string month_label(const Company& company, std::int32_t month);                       // 2026-03
std::string date_label(const Company& company, std::int32_t month);                        // 2026-03-31
std::string quarter_label(const Company& company, std::int32_t first, std::int32_t last);  // 2Q26
std::string year_label(const Company& company, std::int32_t first, std::int32_t last);     // 2026, 2026 Apr-Dec

std::string_view key_of(GuidanceMeasure measure);
std::string guidance_label(const Company& company, const Guidance& guidance);  // revenue 2026

}  // namespace headroom::report
