// Any number of paths in bounded memory.
#pragma once

#include "host/engine.hpp"

namespace headroom {

// Up to so many paths the columns are kept and quantiles are exact; beyond, chunks of columns are counted into
// histograms (binned_columns.hpp).
constexpr std::uint64_t kExactPaths = std::uint64_t{1} << 22;

// Runs the paths of `plan` with bins from the seed's pilot. The result depends on scenario, plan.paths and on
// whether these are more than `exact_paths`. Interrupted after the first chunk, it returns the chunks that were
// done: outcomes.columns->paths() are fewer than asked for; before, it throws Interrupted.
Outcomes simulate(Backend& backend, const Scenario& scenario, const RunPlan& plan,
                  std::uint64_t exact_paths = kExactPaths);

// Bytes of memory for columns and histograms at the peak.
std::uint64_t simulation_bytes(const Backend& backend, const Scenario& scenario, std::uint64_t paths,
                               std::uint64_t exact_paths, int threads);

}  // namespace headroom
