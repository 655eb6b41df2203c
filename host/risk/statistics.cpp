// SPDX-License-Identifier: Apache-2.0
#include "host/risk/statistics.hpp"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>

namespace headroom {

Probability wilson(std::uint64_t count, std::uint64_t of, double z) {
  if (of == 0) return {};
  const auto n = static_cast<double>(of);
  const double share = static_cast<double>(count) / n;
  const double square = z * z;
  const double centre = share + square / (2 * n);
  const double reach = z * std::sqrt(share * (1 - share) / n + square / (4 * n * n));
  const double whole = 1 + square / n;
  // At count 0 or `of` the interval ends exactly at 0 or 1; rounding must not move that end.
  const double low = count == 0 ? 0.0 : std::max(0.0, (centre - reach) / whole);
  const double high = count == of ? 1.0 : std::min(1.0, (centre + reach) / whole);
  return {count, of, share, low, high};
}

Moments moments(std::int64_t sum, Int128 sum_of_squares, std::uint64_t count, double units) {
  if (count == 0) return {};
  const auto n = static_cast<double>(count);
  Moments found;
  found.mean.value = static_cast<double>(sum) / n / units;
  if (count > 1) {
    // |value| <= 2^30 and count < 2^33: below 2^126.
    const auto wide = static_cast<Int128>(count);
    const Int128 spread = sum_of_squares * wide - static_cast<Int128>(sum) * sum;
    found.sd = std::sqrt(static_cast<double>(spread) / n / (n - 1)) / units;
    found.mean.standard_error = found.sd / std::sqrt(n);
  }
  return found;
}

std::uint64_t tail_count(int percent, std::uint64_t n) {
  return std::max<std::uint64_t>(1, (n * static_cast<std::uint64_t>(percent) + 99) / 100);
}

QuantileRanks quantile_ranks(int percent, std::uint64_t n) {
  constexpr double kMiss = 0.025;
  const double p = percent / 100.0;
  const boost::math::binomial below(static_cast<double>(n), p);
  // Boost rounds a quantile of the lower half down and one of the upper half up.
  QuantileRanks ranks{{}, tail_count(percent, n) - 1, {}};
  if (std::pow(1 - p, n) <= kMiss) ranks.low = static_cast<std::uint64_t>(quantile(below, kMiss));
  if (std::pow(p, n) <= kMiss) ranks.high = static_cast<std::uint64_t>(quantile(complement(below, kMiss)));
  return ranks;
}

double expected_shortfall_error(double tail_variance, double quantile, double mean, int percent,
                                std::uint64_t tail) {
  if (tail < 2) return kUnknown;
  const double gap = quantile - mean;
  return std::sqrt((tail_variance + (1 - percent / 100.0) * gap * gap) / static_cast<double>(tail));
}

std::vector<BinnedQuantile> histogram_quantiles(std::span<const std::uint64_t> bins, BinRange range,
                                                std::uint64_t total, std::span<const int> percents) {
  std::vector<BinnedQuantile> found(percents.size());
  if (total == 0) return found;
  const double width = std::ldexp(1.0, range.shift);
  std::uint64_t below = 0;
  std::size_t bin = 0;
  for (std::size_t k = 0; k < percents.size(); ++k) {
    const std::uint64_t rank = tail_count(percents[k], total);  // 1-based
    while (below + bins[bin] < rank) below += bins[bin++];
    // Values are integers: bin b holds lo + b width .. lo + (b + 1) width - 1.
    const double first = range.lo + static_cast<double>(bin) * width;
    if (bin == 0) {
      found[k].below = first + width;
    } else if (bin + 1 == bins.size()) {
      found[k].at_least = first;
    } else {
      const double inside = (static_cast<double>(rank - below) - 0.5) / static_cast<double>(bins[bin]);
      found[k].value = first + (range.shift == 0 ? 0.0 : inside * (width - 1));
    }
  }
  return found;
}

}  // namespace headroom
