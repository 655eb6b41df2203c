// SPDX-License-Identifier: Apache-2.0
// The quantiles of a distribution whose values are counted but not kept.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "host/engine/columns.hpp"

namespace headroom {

// A bin's width is a power of two. At least 2^17 bins lie between the pilot's 0.5% and 99.5% quantiles, plus
// a tenth of that distance on either side. So a bin is at most 1/20,000 of a normal variable's sd, and a
// quarter of the standard error of its median over 10^8 paths.
constexpr std::int64_t kMostTallyBins = std::int64_t{1} << 18;

// An empty tally for a distribution question. Its bins follow from the pilot's columns.
Tally tally_over(Columns& pilot, const Question& question);

// Throws std::invalid_argument unless both have the same bins.
void add(Tally& to, const Tally& from);

// The values at these ranks (0-based, ascending); the error is less than resolution(). A value beyond the bins
// is not known: it is given as one of these two.
constexpr std::int32_t kBelowBins = INT32_MIN, kAboveBins = INT32_MAX;
std::vector<std::int32_t> order_statistics(const Tally& tally, std::span<const std::uint64_t> ranks);

// Sums over the `count` smallest values, the last of which is in the bins. Each value in the bins is taken to
// be in the middle of its bin, or of the part of the bin that counts.
Sums sums_of_smallest(const Tally& tally, std::uint64_t count);

// The greatest possible error of a value in the bins; 0: it is exact.
std::int64_t resolution(const Tally& tally);

// The bins hold values from tally.lo up to this one.
std::int64_t end_of(const Tally& tally);

}  // namespace headroom
