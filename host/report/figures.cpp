// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/report/format.hpp"
#include "host/report/report.hpp"

namespace headroom::report {

std::string figures_text(const std::vector<Figure>& figures) {
  Table table(4);
  table.row({"figure", "value", "95% interval or s.e.", "unit", ""});
  table.rule();
  for (const Figure& f : figures) {
    const bool interval = std::isfinite(f.low) && std::isfinite(f.high);
    const double error = interval ? (f.high - f.low) / (2 * kNormal95) : f.standard_error;
    const int digits = supported_digits(f.value, error, 5);
    std::string errors = "-";
    if (interval) {
      errors = fmt::format("{} to {}", number(f.low, digits), number(f.high, digits));
    } else if (std::isfinite(f.low)) {
      errors = "from " + number(f.low, digits);
    } else if (std::isfinite(f.high)) {
      errors = "to " + number(f.high, digits);
    } else if (std::isfinite(f.standard_error)) {
      errors = "s.e. " + error_text(f.standard_error);
    }
    table.row({f.name, supported(f.value, error, 5), errors, std::string(f.unit)});
  }
  return "\nFigures asked for\n" + table.text();
}

std::string figure_names(const std::vector<Figure>& figures) {
  Table table(1);
  for (const Figure& f : figures) table.row({f.name, std::string(f.unit), f.words});
  return table.text("");
}

}  // namespace headroom::report
