// SPDX-License-Identifier: Apache-2.0
// simulate(): a scenario and its paths (a range or a list) go in, integers come out. Backends implement
// Backend. Nothing here deals with text or files.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "headroom/hd.hpp"
#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"
#include "host/engine/columns.hpp"

namespace headroom {

// Integer histograms, sums and failures by month. They add up.
struct ByMonth {
  std::int32_t months = 0;
  std::int32_t series = 0;               // series_count()
  std::vector<BinRange> bins;            // [series][months]
  std::vector<std::uint64_t> histogram;  // [series][months][kBins]
  std::vector<std::int64_t> sum;         // [series][months]
  std::vector<std::uint64_t> failing;    // [covenant][months]: paths that fail the test of that month
};

// The outcomes of the paths of a run.
struct Outcomes : ByMonth {
  ColumnLayout layout{};
  std::shared_ptr<Columns> columns;
  std::string device;  // in words
  double seconds = 0;  // of the simulation alone
};

struct RunPlan {
  PathRange paths{};
  // Path indices in any order, paths.count of them; empty: the range `paths`. The kept columns are in this
  // order.
  std::vector<std::uint64_t> list{};
  int threads = 0;           // 0: all cores
  std::string isa = "auto";  // CPU: auto, baseline, avx2, avx512
  std::function<void(std::uint64_t done, std::uint64_t total)>
      progress;                             // may be empty; called from one thread at a time
  const std::atomic<bool>* stop = nullptr;  // if set: finish early, with fewer paths or Interrupted

  // Index of the i-th path.
  std::uint64_t path(std::uint64_t i) const { return list.empty() ? paths.first + i : list[i]; }
  void check() const {
    if (!list.empty() && list.size() != paths.count)
      throw std::invalid_argument("a list of paths must hold paths.count indices");
  }
};

struct Interrupted {};  // without any result

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;  // "cpu", "cuda"
  // Paths per chunk when columns are not kept: large enough to hide the cost of starting.
  virtual std::uint64_t chunk() const { return std::uint64_t{1} << 18; }
  virtual Outcomes simulate(const Scenario& scenario, const RunPlan& plan, std::span<const BinRange> bins) = 0;
};

std::unique_ptr<Backend> make_cpu_backend();

struct CudaProbe {
  bool built = false;   // compiled in
  bool usable = false;  // a device responds
  std::string text;     // card and driver, or why no card can be used
};
CudaProbe probe_cuda();                        // cuda/ or host/cuda_absent.cpp
std::unique_ptr<Backend> make_cuda_backend();  // throws std::runtime_error with the reason

}  // namespace headroom
