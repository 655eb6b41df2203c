// SPDX-License-Identifier: Apache-2.0
// The pilot run that sets the bins of the by-month histograms.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"

namespace headroom {

// Bin ranges [series][months] from the first kPilotPaths paths of the seed, always on the CPU, so that they are
// the same for every backend. The values between a month's 2% and 98% quantiles are inside the bins; capped
// ratios are left out. With `cells` (series * months + month - 1) only those cells are counted.
std::vector<BinRange> pilot_bins(const Scenario& scenario, std::uint64_t seed,
                                 const std::optional<std::vector<std::int32_t>>& cells = {});

}  // namespace headroom
