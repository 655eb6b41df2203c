// SPDX-License-Identifier: Apache-2.0
// The CPU backend: blocks of paths as structure of arrays, threads over blocks, the best instruction set
// chosen at run time.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "host/cpu/isa.hpp"
#include "host/cpu/worker.hpp"
#include "host/engine/calendar.hpp"
#include "host/engine/engine.hpp"
#include "host/engine/host_columns.hpp"
#include "host/engine/memory.hpp"
#include "host/engine/threads.hpp"

namespace headroom {

extern const std::uint32_t kZeroFromElsewhere = 0;

namespace {

using cpu::Worker;

class CpuBackend final : public Backend {
 public:
  std::string name() const override { return "cpu"; }

  Outcomes simulate(const Scenario& scenario, const RunPlan& plan, std::span<const BinRange> bins) override {
    const auto started = std::chrono::steady_clock::now();
    plan.check();
    const Isa isa = choose_isa(plan.isa);
    const CalendarData calendar = calendar_of(scenario);
    const Prepared prepared = prepare(scenario, calendar);
    const std::uint64_t blocks = (plan.paths.count + kLanes - 1) / kLanes;
    const unsigned threads = useful_threads(plan.threads, blocks);

    Outcomes outcomes;
    outcomes.layout = column_layout(scenario);
    outcomes.months = scenario.months;
    outcomes.series = series_count(scenario);
    const auto rows = static_cast<std::size_t>(outcomes.series) * static_cast<std::size_t>(outcomes.months);
    outcomes.bins.assign(bins.begin(), bins.end());
    outcomes.histogram.reserve(rows * kBins);
    prefer_huge_pages(outcomes.histogram.data(), rows * kBins * sizeof(std::uint64_t));
    outcomes.histogram.assign(rows * kBins, 0);
    outcomes.sum.assign(rows, 0);
    outcomes.failing.assign(
        static_cast<std::size_t>(scenario.covenant.size) * static_cast<std::size_t>(scenario.months), 0);
    auto columns = std::make_unique<HostColumns>(outcomes.layout.count(), plan.paths.count, plan.threads);

    std::atomic<std::uint64_t> next{0};
    std::uint64_t done = 0;
    std::mutex mutex;
    std::exception_ptr failure;
    std::vector<std::unique_ptr<Worker>> workers(threads);
    const auto work = [&](unsigned thread) {
      try {
        workers[thread] = std::make_unique<Worker>(prepared, outcomes.bins.data());
        Worker& worker = *workers[thread];
        // A thread finishes every block that it takes, so all blocks before `next` are done when the threads
        // have ended.
        while (plan.stop == nullptr || !plan.stop->load(std::memory_order_relaxed)) {
          const std::uint64_t block = next++;
          if (block >= blocks) break;
          const std::uint64_t first = block * kLanes;
          const auto count =
              static_cast<std::int32_t>(std::min<std::uint64_t>(kLanes, plan.paths.count - first));
          const std::uint64_t* list = plan.list.empty() ? nullptr : plan.list.data() + first;
          worker.run(isa.run_block, prepared, {plan.paths.seed, plan.paths.first + first, count, list});
          worker.copy_columns(*columns, first, count);
          if (plan.progress) {
            const std::lock_guard lock(mutex);
            plan.progress(done += static_cast<std::uint64_t>(count), plan.paths.count);
          }
        }
        worker.count_bins();
      } catch (...) {
        const std::lock_guard lock(mutex);
        failure = std::current_exception();
        next = blocks;
      }
    };
    on_threads(threads, work);
    if (failure) std::rethrow_exception(failure);
    if (next == 0) throw Interrupted{};
    on_threads(threads, [&](unsigned thread) {
      for (const auto& worker : workers) worker->add_to(outcomes, thread, threads);
    });
    if (const std::uint64_t finished = next; finished < blocks) {
      const std::uint64_t paths = finished * kLanes;
      auto kept = std::make_unique<HostColumns>(outcomes.layout.count(), paths, plan.threads);
      for (std::int32_t c = 0; c < outcomes.layout.count(); ++c)
        std::copy_n(columns->column(c), paths, kept->column(c));
      columns = std::move(kept);
    }

    outcomes.columns = std::move(columns);
    outcomes.device =
        "cpu, " + std::to_string(threads) + (threads == 1 ? " thread, " : " threads, ") + isa.name;
    outcomes.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    return outcomes;
  }
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend() { return std::make_unique<CpuBackend>(); }

}  // namespace headroom
