// SPDX-License-Identifier: Apache-2.0
// Estimates from counts and ranks, with their uncertainty.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "headroom/outcome.hpp"
#include "host/engine/engine.hpp"

namespace headroom {

constexpr double kNormal95 = 1.959963984540054;  // two-sided 95%
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

struct Estimate {
  double value = kUnknown;
  double standard_error = kUnknown;
};

// A share of paths with its 95% interval.
struct Probability {
  std::uint64_t count = 0;
  std::uint64_t of = 0;
  double value = kUnknown;
  double low = kUnknown;
  double high = kUnknown;
};

// Wilson's score interval (JASA 22, 1927). It is right near 0 and 1, where the normal interval is not. `z`: the
// two-sided quantile of the normal distribution.
Probability wilson(std::uint64_t count, std::uint64_t of, double z = kNormal95);

// Mean and variance from exact integer sums. `units` units of a column are one natural unit. With one value
// the standard error is unknown.
struct Moments {
  Estimate mean;
  double sd = kUnknown;
};
Moments moments(std::int64_t sum, Int128 sum_of_squares, std::uint64_t count, double units);

// The p% quantile of n values is the ceil(n p / 100)-th smallest (inverse of the empirical distribution). Its
// 95% interval goes from one order statistic to another, so that it lies below the lower one with a probability
// of at most 2.5%, and above the upper one likewise, by the binomial count of values below it (Conover,
// Practical Nonparametric Statistics, 3.2). A few values may give no such bound. Ranks are 0-based; n > 0.
struct QuantileRanks {
  std::optional<std::uint64_t> low;
  std::uint64_t at;
  std::optional<std::uint64_t> high;
};
QuantileRanks quantile_ranks(int percent, std::uint64_t n);

// Number of values in the lowest p%: ceil(n p / 100), at least 1.
std::uint64_t tail_count(int percent, std::uint64_t n);

// Standard error of the mean of the lowest p% (Manistre and Hancock, NAAJ 9, 2005): the variance inside the
// tail plus (1 - p) (quantile - mean)^2 for the uncertain quantile, over the number of values in the tail.
double expected_shortfall_error(double tail_variance, double quantile, double mean, int percent,
                                std::uint64_t tail);

// A quantile from bins. If it lies beyond them, its value is unknown and one bound is known.
struct BinnedQuantile {
  double value = kUnknown;
  double below = kUnknown;     // it is less than this
  double at_least = kUnknown;  // it is not less than this
};
// Quantiles of `total` values in a histogram over BinRange, `percents` ascending. Each is interpolated inside
// its bin, so the error is less than a bin's width. The end bins hold all values beyond them too, so a quantile
// that falls there has only a bound.
std::vector<BinnedQuantile> histogram_quantiles(std::span<const std::uint64_t> bins, BinRange range,
                                                std::uint64_t total, std::span<const int> percents);

}  // namespace headroom
