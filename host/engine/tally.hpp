// SPDX-License-Identifier: Apache-2.0
// The quantiles of a distribution whose values are counted and not kept.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "host/engine/columns.hpp"

namespace headroom {

// A bin's width is a power of two such that 2^17 bins at least lie between the 0.5% and the 99.5% quantile of
// the pilot, and a tenth of their distance on either side: a bin is 1/20,000 of a normal variable's sd at most,
// and a quarter of the standard error of its median over 10^8 paths.
constexpr std::int64_t kMostTallyBins = std::int64_t{1} << 18;

// An empty tally of a distribution question, with bins that follow from the pilot's columns.
Tally tally_over(Columns& pilot, const Question& question);

// Both of the same bins; else throws std::invalid_argument.
void add(Tally& to, const Tally& from);

// The values at these ranks (0-based, ascending), off by less than resolution(). A rank beyond the bins gives
// their near end.
std::vector<std::int32_t> order_statistics(const Tally& tally, std::span<const std::uint64_t> ranks);

// Over the `count` smallest values, each taken to stand in the middle of the part of its bin.
Sums sums_of_smallest(const Tally& tally, std::uint64_t count);

// The most by which quantiles between 1% and 99% may be off; 0: they are exact. Beyond every value where the
// bins miss those quantiles.
std::int64_t resolution(const Tally& tally);

}  // namespace headroom
