// Keys, units and labels of what the model reports, as in files and figure names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"

namespace headroom {

std::string_view key_of(Measure measure);   // revenue
std::string_view unit_of(Measure measure);  // musd, share, usd_per_gpu_hour, per_year, log
std::string_view key_of(YearColumn column);
std::string_view key_of(PathColumn column);    // mean_tightness
std::string_view label_of(PathColumn column);  // mean tightness (log)
std::string_view key_of(Metric metric);        // dscr
std::string_view unit_of(Metric metric);       // musd for liquidity, otherwise ratio
std::vector<std::string> violation_names(std::int32_t kinds);

}  // namespace headroom
