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

// 32 warps a multiprocessor leave 64 registers a thread, and some of a month's values spill. Measured on an
// H100, that beats 16 warps without a spill by 1.4 times, because the kernel waits for memory: bench/NOTES.md.
constexpr std::uint32_t kMostThreads = 512;  // of a block
constexpr std::uint32_t kBlocksAtLeast = 2;  // of that size, on a multiprocessor
constexpr std::uint32_t kWarp = 32;
static_assert(kMostThreads % kWarp == 0);

// The data of a launch. Each warp has a slab of state, the layout's words, [word][kWarp]; a thread uses its
// lane of the slab for one path after another. The columns start at path 0 of the launch.
struct Job {
  std::uint32_t* state;  // [warps][words][kWarp]
  std::uint64_t seed, first, count;
  const std::uint64_t* list;  // indices of the launch's paths, in device memory; null: from `first` on
  std::int32_t* columns;
  std::size_t column_stride;
  const BinRange* bins;  // [months][series]: those of a month are in a few lines of the cache
  std::int32_t series;
  std::uint32_t* histogram;     // [series][months][kBins]
  unsigned long long* sum;      // [series][months], two's complement
  unsigned long long* failing;  // [covenant][months]
};
static_assert(std::is_trivially_copyable_v<Job> && std::is_trivially_copyable_v<Prepared>);
static_assert(sizeof(Job) + sizeof(Prepared) <= 4096, "kernel parameters");

struct Slab {
  static constexpr std::size_t kStride = kWarp;
  HEADROOM_HD static std::uint32_t* row(std::uint32_t* start) { return start; }
};

// One path, the `lanes` of month.hpp.
struct Thread {
  const Scenario& scenario;
  const StateLayout& layout;
  const Job& job;
  std::uint32_t* state;  // the slabs of the block
  std::uint32_t lane;    // first word in them
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
  // once if all its paths are in one bin (a month's tax is 0 on most paths).
  HEADROOM_HD void observe([[maybe_unused]] std::int32_t series, [[maybe_unused]] std::int32_t month) const {
#if defined(__CUDA_ARCH__)
    const auto value = static_cast<std::int32_t>(
        state[static_cast<std::size_t>(layout.observed.first + observed_row(series)) * kWarp + lane]);
    const std::int32_t row = series * scenario.months + month - 1;
    const bool leads = threadIdx.x % kWarp == static_cast<std::uint32_t>(__ffs(static_cast<int>(warp)) - 1);
    const BinRange range = job.bins[(month - 1) * job.series + series];
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
// outside of each() are the same on every path, so the lanes of a warp meet again in observe(). The warps of a
// block meet each month: apart, each fetches the month's code (about 200 KB) and tables for itself, and a run
// of a large company takes up to twice as long.
__global__ void __launch_bounds__(kMostThreads, kBlocksAtLeast)
    simulate_paths(const __grid_constant__ Prepared prepared, const __grid_constant__ Job job) {
  const std::uint32_t threads = gridDim.x * blockDim.x;
  const auto words = static_cast<std::uint32_t>(prepared.layout.words);
  std::uint32_t* const slabs = job.state + std::size_t{blockIdx.x} * words * blockDim.x;
  const std::uint32_t lane = threadIdx.x / kWarp * words * kWarp + threadIdx.x % kWarp;
  for (std::uint64_t block = std::uint64_t{blockIdx.x} * blockDim.x; block < job.count; block += threads) {
    const std::uint64_t index = block + threadIdx.x;
    const bool active = index < job.count;
    const std::uint32_t warp = __ballot_sync(~0U, active);
    Thread thread{prepared.scenario, prepared.layout, job, slabs, lane, index, warp};
    if (active) start(Now{prepared.scenario, prepared.calendar, prepared.layout, 0}, thread);
    for (std::int32_t month = 1; month <= prepared.scenario.months; ++month) {
      __syncthreads();
      if (active) advance(Now{prepared.scenario, prepared.calendar, prepared.layout, month}, thread);
    }
  }
}

// What the card runs at once.
struct Room {
  std::uint32_t blocks;  // of any size
  std::uint64_t threads;
};
Room room_on_card() {
  int processors = 0, blocks = 0;
  HEADROOM_CUDA(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, 0));
  HEADROOM_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, simulate_paths, kMostThreads, 0));
  const auto resident = static_cast<std::uint32_t>(processors * blocks);
  return {resident, std::uint64_t{resident} * kMostThreads};
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
  std::uint32_t blocks = 0, threads = 0;  // of a launch; of a block
  std::uint64_t chunk = 0;                // paths of a launch
  bool columns_on_device = false;         // of all paths; otherwise those of a chunk, copied after each launch

  std::uint64_t in_flight() const { return std::uint64_t{blocks} * threads; }  // paths
};

// `free`: bytes for state and columns. All threads take the same number of paths, so that a run of little more
// than a grid's width does not take twice as long. A launch gives each thread few enough that it ends soon
// after Ctrl-C.
Sizes size_run(std::uint64_t free, std::uint64_t words, std::int32_t columns, std::uint64_t paths, Room room) {
  constexpr std::uint64_t kPathsAThread = 8;
  const std::uint64_t state = words * 4, row = static_cast<std::uint64_t>(columns) * 4;
  const auto over = [](std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; };
  const std::uint64_t wanted = std::max<std::uint64_t>(over(paths, kWarp), 1);
  const std::uint64_t most = std::max<std::uint64_t>(room.threads / kWarp, 1);
  std::uint64_t warps = over(wanted, over(wanted, most));  // of all threads
  std::uint64_t a_block = over(warps, room.blocks);
  Sizes sizes{static_cast<std::uint32_t>(over(warps, a_block)), static_cast<std::uint32_t>(a_block * kWarp)};
  if (sizes.in_flight() * state + device_columns_bytes(columns, paths) <= free) {
    sizes.chunk = sizes.in_flight() * kPathsAThread;
    sizes.columns_on_device = true;
    return sizes;
  }
  warps = std::min(warps, free / (kWarp * (state + row)));
  if (warps == 0) {
    throw std::runtime_error("the card has " + bytes_text(free) + " free for paths and " +
                             std::to_string(kWarp) + " of them need " + bytes_text(kWarp * (state + row)));
  }
  a_block = std::max<std::uint64_t>(warps / room.blocks, 1);
  sizes.blocks = static_cast<std::uint32_t>(std::min<std::uint64_t>(warps, room.blocks));
  sizes.threads = static_cast<std::uint32_t>(a_block * kWarp);
  const std::uint64_t left = free - sizes.in_flight() * state;
  sizes.chunk = sizes.in_flight() * std::min(kPathsAThread, left / (sizes.in_flight() * row));
  return sizes;
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
  std::vector<BinRange> by_month(rows);
  for (std::size_t row = 0; row < rows; ++row)
    by_month[row % months * static_cast<std::size_t>(outcomes.series) + row / months] = bins[row];
  const DeviceBuffer<BinRange> ranges(by_month, "bin ranges");
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
  Room room = room_on_card();
  room.threads = std::min<std::uint64_t>(room.threads, limits_.threads);
  const Sizes sizes = size_run(free_bytes(), words, columns, paths, room);
  DeviceBuffer<std::uint32_t> state(words * sizes.in_flight(), "the paths' state");
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
  job.series = outcomes.series;
  job.histogram = histogram.data();
  job.sum = sum.data();
  job.failing = failing.data();
  for (std::uint64_t first = 0; first < paths; first += job.count) {
    if (stopped()) throw Interrupted{};
    job.first = plan.paths.first + first;
    job.list = plan.list.empty() ? nullptr : list.data() + first;
    job.count = std::min(sizes.chunk, paths - first);
    job.columns = sizes.columns_on_device ? device_columns->column(0) + first : chunk_columns.data();
    simulate_paths<<<sizes.blocks, sizes.threads>>>(on_device.view(), job);
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
