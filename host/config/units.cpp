// SPDX-License-Identifier: Apache-2.0
#include "host/config/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace headroom::config {

Unit unit_of(std::string_view key) {
  constexpr std::string_view words[][2] = {
      // clang-format off
      {"usd", "USD"}, {"musd", "USD million"}, {"busd", "USD billion"}, {"per", "per"}, {"gpu", "GPU"},
      {"gpus", "GPUs"}, {"hour", "hour"}, {"hours", "hours"}, {"day", "day"}, {"days", "days"}, {"month", "month"},
      {"months", "months"}, {"year", "year"}, {"years", "years"}, {"kw", "kW"}, {"mw", "MW"}, {"gw", "GW"},
      {"kwh", "kWh"}, {"mwh", "MWh"}, {"percent", "percent"}, {"bp", "basis points"},
      // clang-format on
  };
  Unit unit{.stem = key};
  if (key.ends_with("_share")) return {.stem = key.substr(0, key.size() - 6), .phrase = " as a share of 1"};
  for (auto at = key.rfind('_'); at != 0 && at != key.npos; at = unit.stem.rfind('_')) {
    const std::string_view last = unit.stem.substr(at + 1);
    const auto* word =
        std::find_if(std::begin(words), std::end(words), [&](const auto& w) { return w[0] == last; });
    if (word == std::end(words)) break;
    unit.phrase = fmt::format(" {}{}", (*word)[1], unit.phrase);
    unit.stem = unit.stem.substr(0, at);
  }
  if (!unit.phrase.empty() && !unit.phrase.starts_with(" per ")) unit.phrase = " in" + unit.phrase;
  return unit;
}

}  // namespace headroom::config
