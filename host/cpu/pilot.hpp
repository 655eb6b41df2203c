// SPDX-License-Identifier: Apache-2.0
// The bins of the by-month histograms.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"

namespace headroom {

// Bin ranges [series][months] from the first 4,096 paths of the seed, always on the CPU, so that they are the
// same for every backend. The values between the 2% and the 98% quantile of a month lie inside the bins; capped
// ratios are left out. With `cells` (series * months + month - 1) only those are counted.
std::vector<BinRange> pilot_bins(const Scenario& scenario, std::uint64_t seed,
                                 const std::optional<std::vector<std::int32_t>>& cells = {});

}  // namespace headroom
