// SPDX-License-Identifier: Apache-2.0
#include "host/figures/names.hpp"

#include "headroom/model/metrics.hpp"

namespace headroom {

std::string_view key_of(Measure measure) { return traits_of(measure).name; }
std::string_view unit_of(Measure measure) { return traits_of(measure).unit; }
std::string_view label_of(Measure measure) { return traits_of(measure).label; }
std::string_view key_of(YearColumn column) { return traits_of(column).name; }
std::string_view label_of(YearColumn column) { return traits_of(column).label; }
std::string_view key_of(PathColumn column) { return traits_of(column).name; }
std::string_view unit_of(PathColumn column) { return traits_of(column).unit; }
std::string_view label_of(PathColumn column) { return traits_of(column).label; }
std::string_view key_of(Metric metric) { return traits_of(metric).name; }
std::string_view unit_of(Metric metric) { return is_money(metric) ? "musd" : "ratio"; }

std::vector<std::string> violation_names(std::int32_t kinds) {
  std::vector<std::string> names;
  for (const ViolationTraits& each : kViolationTable) {
    if ((kinds & each.bit) != 0) names.emplace_back(each.name);
  }
  return names;
}

}  // namespace headroom
