#include "host/run/simulation.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "host/cpu/pilot.hpp"
#include "host/engine/binned_columns.hpp"
#include "host/engine/host_columns.hpp"
#include "host/risk/analysis.hpp"

namespace headroom {

namespace {

constexpr std::uint64_t kPilotPaths = 4096;

void add_to(Outcomes& all, const Outcomes& part) {
  const auto add = [](auto& to, const auto& from) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  };
  add(all.histogram, part.histogram);
  add(all.sum, part.sum);
  add(all.failing, part.failing);
}

Outcomes simulate_binned(Backend& backend, const Scenario& scenario, const RunPlan& plan,
                         std::span<const BinRange> bins) {
  const auto started = std::chrono::steady_clock::now();
  auto store = std::make_unique<BinnedColumns>(column_layout(scenario).count(), plan.paths.count);
  BinnedColumns& binned = *store;

  RunPlan part = plan;
  part.progress = {};
  part.paths = {plan.paths.seed, 0, kPilotPaths};
  Outcomes all = make_cpu_backend()->simulate(scenario, part, bins);
  const std::unique_ptr<ColumnStore> pilot = std::exchange(all.columns, std::move(store));
  analyse(scenario, all, plan.paths, {});  // the rehearsal
  binned.set_bins(*pilot);

  std::uint64_t done = 0;
  if (plan.progress) {
    part.progress = [&](std::uint64_t now, std::uint64_t) { plan.progress(done + now, plan.paths.count); };
  }
  for (; done < plan.paths.count; done += part.paths.count) {
    part.paths.first = plan.paths.first + done;
    part.paths.count = std::min(backend.chunk(), plan.paths.count - done);
    try {
      Outcomes chunk = backend.simulate(scenario, part, bins);
      const bool cut_short = chunk.columns->paths() < part.paths.count;
      binned.absorb(*chunk.columns);
      if (done == 0) {
        std::swap(chunk.columns, all.columns);
        all = std::move(chunk);
      } else {
        add_to(all, chunk);
      }
      if (cut_short) break;
    } catch (const Interrupted&) {
      if (done == 0) throw;
      break;
    }
  }
  all.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return all;
}

}  // namespace

Outcomes simulate(Backend& backend, const Scenario& scenario, const RunPlan& plan, const Asked& asked) {
  const std::vector<BinRange> bins = pilot_bins(scenario, plan.paths.seed, asked.bands);
  if (plan.paths.count <= asked.exact_paths) return backend.simulate(scenario, plan, bins);
  return simulate_binned(backend, scenario, plan, bins);
}

std::uint64_t simulation_bytes(const Backend& backend, const Scenario& scenario, std::uint64_t paths,
                               std::uint64_t exact_paths, int threads) {
  const ColumnLayout layout = column_layout(scenario);
  if (paths <= exact_paths) return host_columns_bytes(layout, paths, threads);
  const auto tallies = static_cast<std::uint64_t>(layout.count()) * BinnedColumns::kMostBins;
  return host_columns_bytes(layout, std::min(paths, backend.chunk()), threads) +
         tallies * sizeof(std::uint64_t);
}

}  // namespace headroom
