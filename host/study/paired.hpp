// SPDX-License-Identifier: Apache-2.0
// Differences between two points that share their draws. The interval of a difference is that of paired
// samples, which is much narrower than that of two independent ones.
//
// The paths are divided into batches of equal size (sectioning: Asmussen and Glynn, Stochastic Simulation,
// III.5). Each batch gives every figure at both points; the differences of the batches are independent, and
// their spread gives the standard error, of a mean, a probability, a quantile and an expected shortfall alike.
#pragma once

#include <vector>

#include "host/run/run.hpp"
#include "host/study/study.hpp"

namespace headroom::study {

inline constexpr std::size_t kBatches = 32;

// Adds the figures of each batch of a run. Those that are by month have none; nor has any figure of a run whose
// columns were not kept (see Request::exact_paths), or of fewer than kBatches paths.
void add_batches(std::vector<Value>& values, const Result& run);

// `other` less `base`, with a 95% interval: Student's t of the batches. A probability that no batch changes
// still gets the bound of no discordant path among all of them. Without batches the interval is unknown.
Value difference(const Value& base, const Value& other, std::uint64_t paths);

// Whether a low value of a figure is the bad one: of cash flow and liquidity, and not of a probability.
bool low_is_bad(const std::string& figure);

}  // namespace headroom::study
