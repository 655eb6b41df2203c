// Any number of paths in bounded memory.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "headroom/scenario.hpp"
#include "host/engine/engine.hpp"

namespace headroom {

// Up to so many paths the columns are kept and quantiles are exact; beyond, chunks of columns are counted into
// histograms (binned_columns.hpp).
constexpr std::uint64_t kExactPaths = std::uint64_t{1} << 22;

// What is asked for beyond the kept columns' figures.
struct Asked {
  std::uint64_t exact_paths = kExactPaths;
  // By-month histograms: those of these cells, series * months + month - 1; nothing: of all.
  std::optional<std::vector<std::int32_t>> bands{};
};

// Runs the paths of `plan` with bins from the seed's pilot. The result depends on scenario, plan.paths and
// `asked` alone. Interrupted, it returns the paths that were done, if any:
// outcomes.columns->paths() are fewer than asked for; before, it throws Interrupted.
Outcomes simulate(Backend& backend, const Scenario& scenario, const RunPlan& plan, const Asked& asked = {});

// Bytes of memory for columns and histograms at the peak.
std::uint64_t simulation_bytes(const Backend& backend, const Scenario& scenario, std::uint64_t paths,
                               std::uint64_t exact_paths, int threads);

}  // namespace headroom
