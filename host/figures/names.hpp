// SPDX-License-Identifier: Apache-2.0
// Names, units and labels of the model's results, as in files and figure names. They are rows of the model's
// tables.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/measures.hpp"
#include "headroom/scenario.hpp"

namespace headroom {

std::string_view key_of(Measure measure);   // revenue
std::string_view unit_of(Measure measure);  // musd, share, usd_per_gpu_hour, per_year, log
std::string_view label_of(Measure measure);
std::string_view key_of(YearColumn column);
std::string_view label_of(YearColumn column);
std::string_view key_of(PathColumn column);   // mean_tightness
std::string_view unit_of(PathColumn column);  // log
std::string_view label_of(PathColumn column);
std::string_view key_of(Metric metric);   // dscr
std::string_view unit_of(Metric metric);  // musd for an amount, otherwise ratio
std::vector<std::string> violation_names(std::int32_t kinds);

}  // namespace headroom
