// SPDX-License-Identifier: Apache-2.0
// The path kernel, one thread a path, and the backend that feeds it.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cuda/backend.hpp"
#include "cuda/buffer.cuh"
#include "cuda/check.cuh"
#include "cuda/device_columns.cuh"
#include "cuda/generator.cuh"
#include "headroom/month/month.hpp"
#include "host/engine/calendar.hpp"
#include "host/engine/host_columns.hpp"
#include "host/engine/memory.hpp"

namespace headroom {
namespace cuda {
namespace {

// 4 blocks of 128 threads leave 128 registers a thread. A multiprocessor holds no more blocks than that
// without spilling registers (sm_80, sm_90): lint.kernel_spills.
constexpr std::uint32_t kThreads = 128;
constexpr std::uint32_t kBlocksAtLeast = 4;
constexpr std::uint32_t kWarp = 32;
static_assert(kThreads % kWarp == 0);

// The data of a launch. Each block of threads has a slab of state, the layout's words, [word][kThreads]; a
// thread uses its lane of the slab for one path after another. The columns start at path 0 of the launch.
struct Job {
  std::uint32_t* state;  // [blocks][words][kThreads]
  std::uint64_t seed, first, count;
  const std::uint64_t* list;  // indices of the launch's paths, in device memory; null: from `first` on
  std::int32_t* columns;
  std::size_t column_stride;
  const BinRange* bins;         // [series][months]
  std::uint32_t* histogram;     // [series][months][kBins]
  unsigned long long* sum;      // [series][months], two's complement
  unsigned long long* failing;  // [covenant][months]
};
static_assert(std::is_trivially_copyable_v<Job> && std::is_trivially_copyable_v<Prepared>);
static_assert(sizeof(Job) + sizeof(Prepared) <= 4096, "kernel parameters");

struct Slab {
  static constexpr std::size_t kStride = kThreads;
  HEADROOM_HD static std::uint32_t* row(std::uint32_t* start) { return start; }
};

// One path, the `lanes` of month.hpp.
struct Thread {
  const Scenario& scenario;
  const StateLayout& layout;
  const Job& job;
  std::uint32_t* state;  // the slab of the block
  std::uint32_t lane;    // of the slab
  std::uint64_t index;   // within the launch
  std::uint32_t warp;    // lanes of this warp that hold a path

  HEADROOM_HD auto path() const {
    // The address looks new to the compiler at each call. Otherwise it keeps the addresses of the whole
    // state in registers, and spills.
    std::uint32_t here = lane;
#if defined(__CUDA_ARCH__)
    asm volatile("" : "+r"(here));
#endif
    const std::uint64_t path = job.list != nullptr ? job.list[index] : job.first + index;
    return Path<Slab, CurandPhilox>{{state + here, 0},
                                    static_cast<std::uint32_t>(path),
                                    static_cast<std::uint32_t>(path >> 32),
                                    static_cast<std::uint32_t>(job.seed),
                                    static_cast<std::uint32_t>(job.seed >> 32),
                                    job.columns + index,
                                    job.column_stride};
  }
  template <class F>
  HEADROOM_HD void each(F&& f) const {
    f(path());
  }
  // The OR over the warp: the whole warp skips a step or none of it, so its lanes stay together.
  template <class F>
  HEADROOM_HD std::uint32_t any(F&& f) const {
#if defined(__CUDA_ARCH__)
    return __reduce_or_sync(warp, f(path()));
#else
    return f(path());
#endif
  }
  // The words of a month and stream; computed where they are used.
  struct Draw {
    std::int32_t month;
    StreamId stream;
    template <class P>
    HEADROOM_HD Philox4 operator()(const P& p) const {
      return p.draw(month, stream);
    }
  };
  HEADROOM_HD Draw draw(std::int32_t, std::int32_t month, StreamId stream) const { return {month, stream}; }

  // Integers: the order of adding does not matter. Each path adds to its bin in device memory; the warp adds
  // once if all its paths are in one bin (a month's tax is 0 on most paths). Not measured yet. Expected
  // limit: atomics on the few hundred bins of one month, held in L2. Bins in shared memory would be the next
  // step.
  HEADROOM_HD void observe([[maybe_unused]] std::int32_t series, [[maybe_unused]] std::int32_t month) const {
#if defined(__CUDA_ARCH__)
    const auto value = static_cast<std::int32_t>(
        state[static_cast<std::size_t>(layout.observed.first + observed_row(series)) * kThreads + lane]);
    const std::int32_t row = series * scenario.months + month - 1;
    const bool leads = threadIdx.x % kWarp == static_cast<std::uint32_t>(__ffs(static_cast<int>(warp)) - 1);
    const BinRange range = job.bins[row];
    if (range.shift != kNotCounted) {
      const std::int32_t bin = bin_of(range, value);
      std::uint32_t* const count = job.histogram + static_cast<std::size_t>(row) * kBins + bin;
      int same_bin = 0;
      __match_all_sync(warp, bin, &same_bin);
      if (same_bin == 0) {
        atomicAdd(count, 1U);
      } else if (leads) {
        atomicAdd(count, static_cast<std::uint32_t>(__popc(warp)));
      }
    }
    // value = high * 2^16 + low; neither sum over a warp overflows 32 bits.
    const std::int32_t high = __reduce_add_sync(warp, value >> 16);
    const std::uint32_t low = __reduce_add_sync(warp, static_cast<std::uint32_t>(value) & 0xffffU);
    const std::uint32_t failing = __ballot_sync(warp, value < 0);
    if (!leads) return;
    atomicAdd(job.sum + row, static_cast<unsigned long long>(std::int64_t{high} * 65536 + low));
    if (failing != 0 && is_headroom(scenario, series)) {
      atomicAdd(job.failing + (row - headroom_series(0) * scenario.months),
                static_cast<unsigned long long>(__popc(failing)));
    }
#endif
  }
};

// A thread owns one slot and takes one path after another, a grid's width apart. All conditions in month.hpp
// outside of each() are the same on every path, so the lanes of a warp meet again in observe().
__global__ void __launch_bounds__(kThreads, kBlocksAtLeast)
    simulate_paths(const __grid_constant__ Prepared prepared, const __grid_constant__ Job job) {
  const std::uint32_t threads = gridDim.x * kThreads;
  std::uint32_t* const slab = job.state + static_cast<std::size_t>(blockIdx.x) *
                                              static_cast<std::uint32_t>(prepared.layout.words) * kThreads;
  for (std::uint64_t block = std::uint64_t{blockIdx.x} * kThreads; block < job.count; block += threads) {
    const std::uint64_t index = block + threadIdx.x;
    const std::uint32_t warp = __ballot_sync(~0U, index < job.count);
    if (index >= job.count) continue;
    Thread thread{prepared.scenario, prepared.layout, job, slab, threadIdx.x, index, warp};
    start(Now{prepared.scenario, prepared.calendar, prepared.layout, 0}, thread);
    for (std::int32_t month = 1; month <= prepared.scenario.months; ++month)
      advance(Now{prepared.scenario, prepared.calendar, prepared.layout, month}, thread);
  }
}

std::uint32_t threads_resident() {
  int processors = 0, blocks = 0;
  HEADROOM_CUDA(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, 0));
  HEADROOM_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, simulate_paths, kThreads, 0));
  return static_cast<std::uint32_t>(processors * blocks) * kThreads;
}

// Scenario and calendar with their arrays copied to the device.
class OnDevice {
 public:
  explicit OnDevice(const Prepared& prepared) : prepared_(prepared) {
    const auto copy = [this]<class T>(View<T>& view) {
      const auto bytes = std::as_bytes(std::span(view.data, static_cast<std::size_t>(view.size)));
      view.data = reinterpret_cast<const T*>(tables_.emplace_back(bytes, "the scenario").data());
    };
    prepared_.scenario.for_each_view(copy);
    prepared_.calendar.for_each_view(copy);
  }
  const Prepared& view() const { return prepared_; }

 private:
  Prepared prepared_;
  std::vector<DeviceBuffer<std::byte>> tables_{};
};

// How much of a run is on the card at once.
struct Sizes {
  std::uint32_t threads;   // paths in flight
  std::uint64_t chunk;     // paths of a launch
  bool columns_on_device;  // of all paths; otherwise those of a chunk, copied to the host after each launch
};

// `free`: bytes for state and columns. A launch gives each thread several paths, so that waiting for its last
// block takes little of its time, but few enough that a launch ends soon after Ctrl-C.
Sizes size_run(std::uint64_t free, std::uint64_t words, std::int32_t columns, std::uint64_t paths,
               std::uint32_t most_threads) {
  constexpr std::uint64_t kPathsAThread = 8;
  const auto whole_blocks = [](std::uint64_t threads) { return threads / kThreads * kThreads; };
  const std::uint64_t state = words * 4, row = static_cast<std::uint64_t>(columns) * 4;
  const std::uint64_t useful = std::max<std::uint64_t>(whole_blocks(paths + kThreads - 1), kThreads);
  std::uint64_t threads = std::clamp<std::uint64_t>(whole_blocks(most_threads), kThreads, useful);
  if (threads * state + device_columns_bytes(columns, paths) <= free) {
    return {static_cast<std::uint32_t>(threads), threads * kPathsAThread, true};
  }
  threads = std::min(threads, whole_blocks(free / (state + row)));
  if (threads == 0) {
    throw std::runtime_error("the card has " + bytes_text(free) + " free for paths and a block of " +
                             std::to_string(kThreads) + " needs " + bytes_text(kThreads * (state + row)));
  }
  const std::uint64_t waves = std::min(kPathsAThread, (free - threads * state) / (threads * row));
  return {static_cast<std::uint32_t>(threads), threads * waves, false};
}

class CudaBackend final : public Backend {
 public:
  CudaBackend(const Limits& limits, std::string device) : limits_(limits), device_(std::move(device)) {}
  std::string name() const override { return "cuda"; }
  std::uint64_t chunk() const override { return std::uint64_t{1} << 22; }
  Outcomes simulate(const Scenario& scenario, const RunPlan& plan, std::span<const BinRange> bins) override;

 private:
  std::uint64_t free_bytes() const;

  Limits limits_;
  std::string device_;
};

// Bytes that cudaMalloc can still give, less a reserve for its granularity and Thrust's small buffers.
std::uint64_t CudaBackend::free_bytes() const {
  constexpr std::uint64_t kReserve = std::uint64_t{128} << 20;
  std::size_t free = 0, total = 0;
  HEADROOM_CUDA(cudaMemGetInfo(&free, &total));
  return std::min<std::uint64_t>(free - std::min<std::uint64_t>(free, kReserve), limits_.bytes);
}

template <class To, class From>
std::vector<To> copied(const DeviceBuffer<From>& buffer) {
  std::vector<From> values(buffer.size());
  buffer.copy_to(values);
  return {values.begin(), values.end()};
}

Outcomes CudaBackend::simulate(const Scenario& scenario, const RunPlan& plan, std::span<const BinRange> bins) {
  const auto started = std::chrono::steady_clock::now();
  const auto stopped = [&] { return plan.stop != nullptr && plan.stop->load(std::memory_order_relaxed); };
  plan.check();
  const std::uint64_t paths = plan.paths.count;
  if (paths > std::numeric_limits<std::uint32_t>::max()) {
    throw std::runtime_error("the CUDA backend counts up to 4,294,967,295 paths; run more in parts");
  }
  HEADROOM_CUDA(cudaSetDevice(0));

  Outcomes outcomes;
  outcomes.layout = column_layout(scenario);
  outcomes.months = scenario.months;
  outcomes.series = series_count(scenario);
  outcomes.bins.assign(bins.begin(), bins.end());
  const std::int32_t columns = outcomes.layout.count();
  const auto months = static_cast<std::size_t>(outcomes.months);
  const std::size_t rows = static_cast<std::size_t>(outcomes.series) * months;

  const CalendarData calendar = calendar_of(scenario);
  const OnDevice on_device(prepare(scenario, calendar));
  const DeviceBuffer<BinRange> ranges(bins, "bin ranges");
  const DeviceBuffer<std::uint64_t> list(plan.list, "the list of paths");
  DeviceBuffer<std::uint32_t> histogram(rows * kBins, "histograms");
  DeviceBuffer<unsigned long long> sum(rows, "sums");
  DeviceBuffer<unsigned long long> failing(static_cast<std::size_t>(scenario.covenant.size) * months, "counts");
  histogram.fill(0);
  sum.fill(0);
  failing.fill(0);

  Job job{};
  const StateLayout& layout = on_device.view().layout;
  const auto words = static_cast<std::uint64_t>(layout.words);
  const std::uint32_t most_threads = std::min(threads_resident(), limits_.threads);
  const Sizes sizes = size_run(free_bytes(), words, columns, paths, most_threads);
  DeviceBuffer<std::uint32_t> state(words * sizes.threads, "the paths' state");
  state.fill(0xff);  // NaN and -1: a word that start() forgets must not pass for a 0
  std::unique_ptr<DeviceColumns> device_columns;
  std::unique_ptr<HostColumns> host_columns;
  DeviceBuffer<std::int32_t> chunk_columns;
  if (sizes.columns_on_device) {
    device_columns = std::make_unique<DeviceColumns>(columns, paths);
  } else {
    const std::uint64_t bytes = static_cast<std::uint64_t>(columns) * paths * sizeof(std::int32_t);
    if (const auto available = available_memory(); available && bytes > *available)
      throw std::runtime_error("the kept columns fit neither the card nor the " +
                               std::to_string(*available >> 30) + " GiB of memory that are free: they take " +
                               std::to_string(bytes >> 30) + "; run with a smaller --exact-paths");
    host_columns = std::make_unique<HostColumns>(columns, paths, plan.threads);
    chunk_columns = DeviceBuffer<std::int32_t>(static_cast<std::uint64_t>(columns) * sizes.chunk, "columns");
  }

  job.state = state.data();
  job.seed = plan.paths.seed;
  job.column_stride = sizes.columns_on_device ? paths : sizes.chunk;
  job.bins = ranges.data();
  job.histogram = histogram.data();
  job.sum = sum.data();
  job.failing = failing.data();
  for (std::uint64_t first = 0; first < paths; first += job.count) {
    if (stopped()) throw Interrupted{};
    job.first = plan.paths.first + first;
    job.list = plan.list.empty() ? nullptr : list.data() + first;
    job.count = std::min(sizes.chunk, paths - first);
    job.columns = sizes.columns_on_device ? device_columns->column(0) + first : chunk_columns.data();
    simulate_paths<<<sizes.threads / kThreads, kThreads>>>(on_device.view(), job);
    check(cudaGetLastError(), "launch of simulate_paths", __FILE__, __LINE__);
    check(cudaDeviceSynchronize(), "simulate_paths", __FILE__, __LINE__);
    if (host_columns) {
      // Column by column: cudaMemcpy2D takes no pitch of 2 GiB or more.
      for (std::int32_t c = 0; c < columns; ++c)
        HEADROOM_CUDA(cudaMemcpy(host_columns->column(c) + first,
                                 job.columns + static_cast<std::uint64_t>(c) * job.column_stride,
                                 job.count * sizeof(std::int32_t), cudaMemcpyDeviceToHost));
    }
    if (plan.progress) plan.progress(first + job.count, paths);
  }
  if (stopped()) throw Interrupted{};

  outcomes.histogram = copied<std::uint64_t>(histogram);
  outcomes.sum = copied<std::int64_t>(sum);
  outcomes.failing = copied<std::uint64_t>(failing);
  if (device_columns) {
    outcomes.columns = std::move(device_columns);
  } else {
    outcomes.columns = std::move(host_columns);
  }
  outcomes.device = device_;
  outcomes.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return outcomes;
}

}  // namespace

void load_kernel() {
  cudaFuncAttributes attributes{};
  HEADROOM_CUDA(cudaFuncGetAttributes(&attributes, simulate_paths));
  // The kernel uses no shared memory: give all of it to the L1 cache.
  HEADROOM_CUDA(cudaFuncSetAttribute(simulate_paths, cudaFuncAttributePreferredSharedMemoryCarveout,
                                     cudaSharedmemCarveoutMaxL1));
}

std::unique_ptr<Backend> make_backend(const Limits& limits) {
  const CudaProbe probe = probe_cuda();
  if (!probe.usable) throw std::runtime_error(probe.text);
  return std::make_unique<CudaBackend>(limits, probe.text);
}

}  // namespace cuda

std::unique_ptr<Backend> make_cuda_backend() { return cuda::make_backend({}); }

}  // namespace headroom
