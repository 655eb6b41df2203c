// SPDX-License-Identifier: Apache-2.0
// Any number of paths in bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "host/engine/answers.hpp"
#include "host/engine/engine.hpp"

namespace headroom {

// Up to so many paths the columns are kept and quantiles are exact; beyond, chunks of columns are counted into
// tallies.
constexpr std::uint64_t kExactPaths = std::uint64_t{1} << 22;

struct Asked {
  std::vector<Question> questions{};  // unique_questions()
  std::uint64_t exact_paths = kExactPaths;
  // The by-month histograms of these cells, series * months + month - 1; nothing: of all.
  std::optional<std::vector<std::int32_t>> cells{};
  // Called after each chunk of paths with the answers so far; true: they are precise enough, and no more paths
  // are run. May be empty.
  std::function<bool(const Answers&)> enough{};
};

// Runs the paths of `plan`, with bins from the seed's pilot. The answers depend on scenario, plan.paths and
// `asked` alone. Interrupted, it returns the paths that were done: answers.paths() are fewer than asked for.
// Throws Interrupted where there are none.
Answers simulate(Backend& backend, const Scenario& scenario, const RunPlan& plan, const Asked& asked);

// Bytes of memory for columns and tallies at the peak.
std::uint64_t simulation_bytes(const Backend& backend, const Scenario& scenario, std::uint64_t paths,
                               std::uint64_t exact_paths, int threads);

}  // namespace headroom
