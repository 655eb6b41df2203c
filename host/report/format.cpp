// SPDX-License-Identifier: Apache-2.0
#include "host/report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "headroom/model/metrics.hpp"
#include "host/config/printable.hpp"

namespace headroom::report {

int supported_digits(double value, double standard_error, int most) {
  if (!std::isfinite(value) || !std::isfinite(standard_error) || standard_error <= 0) return most;
  const double exponent = std::floor(std::log10(standard_error) + 1e-9);
  return std::min(most, -static_cast<int>(exponent));
}

std::string number(double value, int decimals) {
  if (!std::isfinite(value)) return "-";
  if (decimals < 0) {
    const double unit = std::pow(10.0, -decimals);
    value = std::round(value / unit) * unit;
  }
  std::string text = fmt::format("{:.{}f}", std::fabs(value), std::max(decimals, 0));
  const bool zero = text.find_first_of("123456789") == std::string::npos;
  for (std::size_t place = std::min(text.find('.'), text.size()); place > 3; place -= 3) {
    text.insert(place - 3, 1, ',');
  }
  return value < 0 && !zero ? fmt::format("-{}", text) : text;
}

std::string supported(double value, double standard_error, int most) {
  if (standard_error == 0 && value == std::round(value)) return number(value, 0);
  return number(value, supported_digits(value, standard_error, most));
}

std::string supported(const Estimate& estimate, int most) {
  return supported(estimate.value, estimate.standard_error, most);
}

std::string error_text(double error) {
  if (error > 0 && error < 0.005) return fmt::format("{:.1g}", error);
  return number(error, error < 1 ? 2 : 0);
}

namespace {

int percent_digits(const Probability& p) {
  return std::max(0, supported_digits(100 * p.value, 100 * (p.high - p.low) / (2 * kNormal95), 5));
}

}  // namespace

std::string percent(const Probability& p) {
  if (p.of == 0) return "-";
  if (p.count == 0) return "0";
  if (p.count == p.of) return "100";
  return number(100 * p.value, percent_digits(p));
}

std::string percent_interval(const Probability& p) {
  if (p.of == 0) return "";
  const int digits = percent_digits(p);
  const auto bound = [&](double share) {
    const bool exact = share == 0 || share == 1;
    return number(100 * share, exact ? 0 : digits);
  };
  return fmt::format("{}-{}", bound(p.low), bound(p.high));
}

std::string override_lines(const Company& company) {
  std::string text;
  for (const config::Override& each : company.overrides) {
    const std::string was = each.old_value.empty() ? "not in the config" : "was " + each.old_value;
    const std::string is = each.new_value.empty() ? "removed" : "= " + each.new_value;
    text += "  " + config::printable(fmt::format("{} {} ({})", each.key, is, was)) + "\n";
  }
  return text;
}

std::string musd(double value) { return number(value, std::fabs(value) < 100 ? 1 : 0); }

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;  // not a continuation byte
  }));
}

std::string shortened(std::string_view given, std::size_t most) {
  std::string text = config::printable(given);
  if (width(text) <= most) return text;
  std::size_t bytes = 0;
  std::size_t characters = 0;
  while (bytes < text.size()) {
    if ((static_cast<unsigned char>(text[bytes]) & 0xC0U) != 0x80U && ++characters > most - 3) break;
    ++bytes;
  }
  return text.substr(0, bytes) + "...";
}

void Table::row(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = config::printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::text(std::string_view indent) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width(row[c]));
  }
  std::size_t whole = 0;
  for (const std::size_t each : widths) whole += each + 2;
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    if (row.empty() && whole > 2) line.assign(whole - 2, '-');
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string padding(widths[c] - width(row[c]), ' ');
      if (c > 0) line += "  ";
      line += c == 0 || c >= left_from_ ? row[c] + padding : padding + row[c];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += fmt::format("{}{}\n", line.empty() ? "" : indent, line);
  }
  return text;
}

std::string date_label(const Company& company, std::int32_t month) {
  return config::format_date(config::month_end(company.as_of, month));
}

std::string month_label(const Company& company, std::int32_t month) {
  return config::format_month(config::month_end(company.as_of, month));
}

std::string quarter_label(const Company& company, std::int32_t first, std::int32_t last) {
  const config::Date end = config::month_end(company.as_of, last);
  const unsigned month = static_cast<unsigned>(end.month());
  const bool whole = last - first == 2 && month % 3 == 0;
  return fmt::format("{}Q{:02}{}", (month + 2) / 3, static_cast<int>(end.year()) % 100, whole ? "" : " part");
}

std::string year_label(const Company& company, std::int32_t first, std::int32_t last) {
  constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const config::Date end = config::month_end(company.as_of, last);
  const int year = static_cast<int>(end.year());
  if (last - first == 11) return fmt::format("{}", year);
  const unsigned to = static_cast<unsigned>(end.month());
  const unsigned from = to - static_cast<unsigned>(last - first);
  if (from == to) return fmt::format("{} {}", year, kMonths[to - 1]);
  return fmt::format("{} {}-{}", year, kMonths[from - 1], kMonths[to - 1]);
}

std::string_view key_of(GuidanceMeasure measure) {
  constexpr std::array<std::string_view, 5> kNames = {"revenue", "ebitda", "capex", "exit_arr", "backlog"};
  return kNames.at(static_cast<std::size_t>(measure));
}

std::string guidance_label(const Company& company, const Guidance& guidance) {
  const bool past = guidance.year < static_cast<int>(company.as_of.year()) ||
                    (guidance.year == static_cast<int>(company.as_of.year()) &&
                     static_cast<unsigned>(company.as_of.month()) == 12);
  switch (guidance.measure) {
    case GuidanceMeasure::exit_arr:
      return fmt::format("exit run-rate {}", past ? month_label(company, 0) : fmt::format("{}", guidance.year));
    case GuidanceMeasure::backlog:
      return fmt::format("backlog {}", past ? month_label(company, 0) : fmt::format("end {}", guidance.year));
    default:
      return fmt::format("{} {}", key_of(guidance.measure), guidance.year);
  }
}

}  // namespace headroom::report
