// SPDX-License-Identifier: Apache-2.0
// Runs any number of paths in bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "host/engine/answers.hpp"
#include "host/engine/engine.hpp"

namespace headroom {

// Up to this many paths, columns are kept and quantiles are exact. Beyond it, chunks of columns are counted
// into tallies.
constexpr std::uint64_t kExactPaths = std::uint64_t{1} << 20;

struct Asked {
  std::vector<Question> questions{};  // unique_questions()
  std::uint64_t exact_paths = kExactPaths;
  // The by-month histograms of these cells, series * months + month - 1; empty: of all cells.
  std::optional<std::vector<std::int32_t>> cells{};
  // Called after each chunk of paths with the answers so far. Returns true if they are precise enough: no
  // more paths are run. May be empty.
  std::function<bool(const Answers&)> enough{};
  // The answers of the first paths of the range, of an earlier run: the rest are run, and these added.
  std::optional<Answers> begun{};
  // Called after each chunk of paths; the argument gives the answers so far. May be empty. Without it, a run
  // that keeps its columns is one chunk.
  std::function<void(const std::function<Answers()>& so_far)> checkpoint{};
};

// Runs the paths of `plan`, with bins from the seed's pilot. The answers depend only on scenario, plan.paths
// and `asked`. If interrupted, it returns the answers of the paths that were done, answers.paths() of them.
// Throws Interrupted if there are none.
Answers simulate(Backend& backend, const Scenario& scenario, const RunPlan& plan, const Asked& asked);

// The empty tallies of a run's distributions, in the order of the questions. Their bins come from the seed's
// pilot: `like` has the seed, the questions and the by-month bins.
std::vector<Tally> empty_tallies(const Scenario& scenario, const Answers& like);
// Counts kept values into such tallies, and drops the values.
void count_values(Answers& answers, std::vector<Tally> empty);

// Peak bytes of memory for columns and tallies.
std::uint64_t simulation_bytes(const Backend& backend, const Scenario& scenario, std::uint64_t paths,
                               std::uint64_t exact_paths, int threads);

}  // namespace headroom
