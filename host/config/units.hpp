// SPDX-License-Identifier: Apache-2.0
// The unit in a key's name: price_usd_per_gpu_hour is a price in USD per GPU hour.
#pragma once

#include <string>
#include <string_view>

namespace headroom::config {

struct Unit {
  std::string_view stem;  // price
  std::string phrase{};   // " in USD per GPU hour", with a leading space; empty without a unit
};

Unit unit_of(std::string_view key);

}  // namespace headroom::config
