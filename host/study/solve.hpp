// SPDX-License-Identifier: Apache-2.0
// Goal seek: how far a key can go before a gate no longer holds.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "host/study/gates.hpp"
#include "host/study/study.hpp"

namespace headroom::study {

// The value of the key at which the figure meets the gate's limit, on common random numbers.
struct Solution {
  enum class Kind {
    found,
    everywhere,  // the estimate holds at both ends
    nowhere,     // it holds at neither
    interrupted,
  };
  Kind kind = Kind::interrupted;
  bool holds_below = true;  // the gate holds at values below the answer; else above
  double answer = kUnknown;
  // Where the interval's bounds meet the limit: with the gate's confidence, the answer is between these. An end
  // of the range where a bound does not meet it inside.
  double low = kUnknown, high = kUnknown;
  bool open_low = false, open_high = false;           // the bound lies outside the range
  std::vector<std::pair<double, Judgement>> tried{};  // ascending
  bool monotone = true;                               // as far as was tried
};

// `axis`: of one interval (Axis::span) of absolute values. `fixed`: other axes, with their levels. The answer
// is exact to `tolerance` of the range. The gate names one figure. Throws config::ConfigError for values that
// the config refuses.
Solution solve(const Study& study, const Axis& axis, const std::vector<Axis>& fixed, const Point& fixed_at,
               const Gate& gate, double tolerance, Backend& backend);

}  // namespace headroom::study
