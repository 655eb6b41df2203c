#include "host/cpu/cpu.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <new>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "headroom/covenants.hpp"
#include "headroom_isas.hpp"
#include "host/cpu/lanes.hpp"
#include "host/floor.hpp"
#include "host/risk/host_columns.hpp"

namespace headroom {

extern const std::uint32_t kZeroFromElsewhere = 0;

namespace {

struct Isa {
  std::string name;
  BlockFunction run_block;
  FloorFunction draw_floor;
};

bool processor_has(const std::string& isa) {
#if defined(__x86_64__)
  if (isa == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == "avx512") {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
  }
#endif
  return isa == "baseline";
}

std::vector<Isa> usable_isas() {
  std::vector<Isa> all;
#define HEADROOM_ADD_ISA(name) all.push_back({#name, name::run_block, name::draw_floor});
  HEADROOM_FOR_EACH_ISA(HEADROOM_ADD_ISA)
#undef HEADROOM_ADD_ISA
  std::erase_if(all, [](const Isa& isa) { return !processor_has(isa.name); });
  return all;
}

Isa choose_isa(const std::string& wanted) {
  const std::vector<Isa> usable = usable_isas();
  if (wanted == "auto") return usable.back();
  const auto found =
      std::find_if(usable.begin(), usable.end(), [&](const Isa& isa) { return isa.name == wanted; });
  if (found == usable.end())
    throw std::invalid_argument("instruction set '" + wanted + "' is not to be had on this processor");
  return *found;
}

template <class T>
struct FreeAligned {
  void operator()(T* p) const { ::operator delete[](p, std::align_val_t{64}); }
};
template <class T>
using Aligned = std::unique_ptr<T[], FreeAligned<T>>;
template <class T>
Aligned<T> aligned_bytes(std::size_t count, int byte) {
  auto* p =
      static_cast<T*>(::operator new[](std::max<std::size_t>(count, 1) * sizeof(T), std::align_val_t{64}));
  std::memset(p, byte, count * sizeof(T));
  return Aligned<T>(p);
}
template <class T>
Aligned<T> aligned_zeros(std::size_t count) {
  return aligned_bytes<T>(count, 0);
}
// NaN and -1, as on a card: a word that start() leaves out must not pass for a 0.
template <class T>
Aligned<T> aligned_state(std::int32_t rows) {
  return aligned_bytes<T>(static_cast<std::size_t>(rows) * kRow, 0xff);
}

// What one thread needs: a block's state, its columns, and its own histograms and sums.
class Worker {
 public:
  Worker(const Scenario& scenario, const StateLayout& layout, const BinRange* bins)
      : columns_(column_layout(scenario).count()),
        real_(aligned_state<Real>(layout.reals)),
        integer_(aligned_state<std::int32_t>(layout.integers)),
        column_(aligned_zeros<std::int32_t>(static_cast<std::size_t>(columns_) * kLanes)) {
    memory_.real = real_.get();
    memory_.integer = integer_.get();
    memory_.column = column_.get();
    memory_.column_stride = kLanes;
    memory_.bins = bins;
    if (bins == nullptr) return;
    const auto rows =
        static_cast<std::size_t>(series_count(scenario)) * static_cast<std::size_t>(scenario.months);
    histogram_ = aligned_zeros<std::uint32_t>(rows * kBins);
    bin_ = aligned_zeros<std::uint16_t>(rows * kBatchLanes);
    sum_.assign(rows, 0);
    failing_.assign(
        static_cast<std::size_t>(scenario.covenant.size) * static_cast<std::size_t>(scenario.months) + 1, 0);
    memory_.sum = sum_.data();
    memory_.failing = failing_.data();
    // Measures are observed every month, covenants where they are tested.
    for (std::size_t row = 0; row < rows; ++row) {
      const auto months = static_cast<std::size_t>(scenario.months);
      const auto covenant = static_cast<std::int32_t>(row / months) - kMeasureCount;
      const auto month = static_cast<std::int32_t>(row % months);
      if (bins[row].shift == kNotCounted) continue;
      if (covenant < 0 || scenario.covenant_test[scenario.covenant[covenant].first_test + month].tested != 0)
        observed_.push_back(row);
    }
  }

  // Runs one block of `count` paths. Only the last of all blocks may be shorter than kLanes.
  void run(BlockFunction run_block, const Scenario& scenario, const StateLayout& layout, std::uint64_t seed,
           std::uint64_t first, std::int32_t count) {
    memory_.bin = bin_.get() + filled_;
    run_block(scenario, layout, seed, first, count, memory_);
    filled_ += count;
    if (filled_ == kBatchLanes || count < kLanes) count_bins();
  }

  void count_bins() {
    const std::int32_t filled = filled_;  // no count changes it
    for (const std::size_t row : observed_) {
      const std::uint16_t* bin = bin_.get() + row * kBatchLanes;
      std::uint32_t* counts = histogram_.get() + row * kBins;
#pragma GCC unroll 8
      for (std::int32_t i = 0; i < filled; ++i) ++counts[bin[i]];
    }
    filled_ = 0;
  }

  BlockMemory& memory() { return memory_; }

  void copy_columns(HostColumns& to, std::uint64_t first, std::int32_t count) const {
    for (std::int32_t c = 0; c < columns_; ++c) {
      std::memcpy(to.column(c) + first, column_.get() + static_cast<std::size_t>(c) * kLanes,
                  static_cast<std::size_t>(count) * sizeof(std::int32_t));
    }
  }

  // Integers, so the order of adding does not matter.
  void add_to(Outcomes& outcomes) {
    count_bins();
    for (std::size_t i = 0; i < outcomes.histogram.size(); ++i) outcomes.histogram[i] += histogram_[i];
    for (std::size_t i = 0; i < outcomes.sum.size(); ++i) outcomes.sum[i] += sum_[i];
    for (std::size_t i = 0; i < outcomes.failing.size(); ++i) outcomes.failing[i] += failing_[i];
  }

 private:
  std::int32_t columns_;
  Aligned<Real> real_;
  Aligned<std::int32_t> integer_, column_;
  Aligned<std::uint32_t> histogram_{};
  Aligned<std::uint16_t> bin_{};
  std::vector<std::size_t> observed_{};  // rows
  std::int32_t filled_ = 0;              // paths whose bins wait to be counted
  std::vector<std::int64_t> sum_{};
  std::vector<std::uint64_t> failing_{};
  BlockMemory memory_{};
};

// No more than blocks; 0 asks for all cores.
unsigned useful_threads(int wanted, std::uint64_t blocks) {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  return static_cast<unsigned>(std::clamp<std::uint64_t>(wanted > 0 ? static_cast<unsigned>(wanted) : cores, 1,
                                                         std::max<std::uint64_t>(blocks, 1)));
}

// Calls work(0) .. work(threads - 1) side by side. An exception ends the program.
template <class F>
void on_threads(unsigned threads, F&& work) {
  std::vector<std::jthread> others;
  for (unsigned i = 1; i < threads; ++i) others.emplace_back([&work, i] { work(i); });
  work(0U);
}

// Calls work(next) on all cores; next() gives each of 0 .. count - 1 once, and then what is beyond.
template <class F>
void share_out(std::size_t count, F&& work) {
  std::atomic<std::size_t> taken{0};
  on_threads(useful_threads(0, count), [&](unsigned) { work([&taken] { return taken++; }); });
}

class CpuBackend final : public Backend {
 public:
  std::string name() const override { return "cpu"; }

  Outcomes simulate(const Scenario& scenario, const RunPlan& plan, std::span<const BinRange> bins) override {
    const auto started = std::chrono::steady_clock::now();
    const Isa isa = choose_isa(plan.isa);
    const StateLayout layout = state_layout(scenario);
    const std::uint64_t blocks = (plan.paths.count + kLanes - 1) / kLanes;
    const unsigned threads = useful_threads(plan.threads, blocks);

    Outcomes outcomes;
    outcomes.layout = column_layout(scenario);
    outcomes.months = scenario.months;
    outcomes.series = series_count(scenario);
    const auto rows = static_cast<std::size_t>(outcomes.series) * static_cast<std::size_t>(outcomes.months);
    outcomes.bins.assign(bins.begin(), bins.end());
    outcomes.histogram.assign(rows * kBins, 0);
    outcomes.sum.assign(rows, 0);
    outcomes.failing.assign(
        static_cast<std::size_t>(scenario.covenant.size) * static_cast<std::size_t>(scenario.months), 0);
    auto columns = std::make_unique<HostColumns>(outcomes.layout.count(), plan.paths.count, plan.threads);

    std::atomic<std::uint64_t> next{0};
    std::uint64_t done = 0;
    std::mutex mutex;
    std::exception_ptr failure;
    const auto work = [&](unsigned) {
      try {
        Worker worker(scenario, layout, outcomes.bins.data());
        // A block that is taken is run, so that those before `next` are all done when the threads have ended.
        while (plan.stop == nullptr || !plan.stop->load(std::memory_order_relaxed)) {
          const std::uint64_t block = next++;
          if (block >= blocks) break;
          const std::uint64_t first = block * kLanes;
          const auto count =
              static_cast<std::int32_t>(std::min<std::uint64_t>(kLanes, plan.paths.count - first));
          worker.run(isa.run_block, scenario, layout, plan.paths.seed, plan.paths.first + first, count);
          worker.copy_columns(*columns, first, count);
          if (plan.progress) {
            const std::lock_guard lock(mutex);
            plan.progress(done += static_cast<std::uint64_t>(count), plan.paths.count);
          }
        }
        const std::lock_guard lock(mutex);
        worker.add_to(outcomes);
      } catch (...) {
        const std::lock_guard lock(mutex);
        failure = std::current_exception();
        next = blocks;
      }
    };
    on_threads(threads, work);
    if (failure) std::rethrow_exception(failure);
    if (next == 0) throw Interrupted{};
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

class CpuFloor final : public Floor {
 public:
  CpuFloor(const std::string& isa, int threads) : draw_floor_(choose_isa(isa).draw_floor), threads_(threads) {}

  std::uint64_t draw(const PathRange& paths, Draws draws) override {
    const std::uint64_t blocks = (paths.count + kLanes - 1) / kLanes;
    std::atomic<std::uint64_t> next{0}, total{0};
    on_threads(useful_threads(threads_, blocks), [&](unsigned) {
      for (std::uint64_t block = next++; block < blocks; block = next++) {
        const std::uint64_t first = block * kLanes;
        total += draw_floor_(paths.seed, paths.first + first,
                             static_cast<std::int32_t>(std::min<std::uint64_t>(kLanes, paths.count - first)),
                             draws.calls, draws.normals);
      }
    });
    return total;
  }

  void copy(std::uint64_t bytes) override {
    if (memory_.size() < 2 * bytes) memory_.assign(2 * bytes, 1);
    const unsigned threads = useful_threads(threads_, bytes);
    on_threads(threads, [&](unsigned thread) {
      const std::uint64_t from = bytes * thread / threads, to = bytes * (thread + 1) / threads;
      std::memcpy(memory_.data() + bytes + from, memory_.data() + from, to - from);
    });
  }

 private:
  FloorFunction draw_floor_;
  int threads_;
  std::vector<char> memory_{};
};

// What make_plan() reads off the plan's path.
struct PlanRows {
  std::vector<PlanMonth> market;
  std::vector<Money> contracted, cfads;  // [entity][months]
};

// One path, its values by month; `plan` may be null.
std::vector<std::int32_t> trace(const Scenario& scenario, std::uint64_t seed, std::uint64_t path,
                                PlanRows* plan) {
  const StateLayout layout = state_layout(scenario);
  Worker worker(scenario, layout, nullptr);
  std::vector<std::int32_t> values(
      static_cast<std::size_t>(series_count(scenario)) * static_cast<std::size_t>(scenario.months), kFixedMax);
  worker.memory().trace = values.data();
  if (plan != nullptr) {
    worker.memory().plan = plan->market.data();
    worker.memory().plan_contracted = plan->contracted.data();
    worker.memory().plan_cfads = plan->cfads.data();
  }
  choose_isa("auto").run_block(scenario, layout, seed, path, 1, worker.memory());
  return values;
}

// Debt service in proportion to the plan's cash flow available for it: principal = k CFADS - interest, with the
// k that repays the loan by its end. Past the horizon CFADS stays what it was in its last twelve months. Plan
// rates.
void sculpt(const Scenario& s, const Tranche& d, const std::vector<Money>& cfads,
            std::vector<Real>& repayment) {
  const auto cfads_of = [&](std::int32_t month) {
    const auto at = [&](std::int32_t m) {
      return std::max(0.0, static_cast<double>(cfads[static_cast<std::size_t>(d.entity * s.months + m - 1)]));
    };
    if (month <= s.months) return at(month);
    double sum = 0;
    const std::int32_t first = std::max(1, s.months - 11);
    for (std::int32_t m = first; m <= s.months; ++m) sum += at(m);
    return sum / (s.months - first + 1);
  };
  const auto rate_of = [&](std::int32_t month) {
    const CouponTerms terms = coupon_terms(s, d, month);
    MarketState m{};
    m.short_rate = s.month[std::min(month, s.months) - 1].rate_base;
    TrancheState state{};
    state.spread = d.spread;
    return static_cast<double>(coupon_of(terms, state, 0.0F, m)) / 12.0;
  };
  const std::int32_t first = std::max(1, d.amortisation_start);
  double worth = 0, discount = 1;  // of one unit of CFADS a month, at the start of the amortisation
  for (std::int32_t m = first; m <= d.amortisation_end; ++m) {
    discount /= 1.0 + rate_of(m);
    worth += cfads_of(m) * discount;
  }
  if (worth <= 0) return;  // nothing to follow: level
  double balance = 1;
  for (std::int32_t m = first; m <= std::min(d.amortisation_end, s.months); ++m) {
    const double principal = std::clamp(cfads_of(m) / worth - rate_of(m) * balance, 0.0, balance);
    const double divisor = principal > 0 ? balance / principal : 0.0;
    repayment[static_cast<std::size_t>(d.first_repayment + m - 1)] =
        m == d.amortisation_end ? 1.0F : static_cast<Real>(divisor);
    balance -= principal;
  }
}

// A headroom whose metric stands at its cap, either way up.
bool is_capped(std::int32_t headroom, Real threshold) {
  for (const Real metric : {-kRatioCap, kRatioCap}) {
    for (const Real sign : {-1.0F, 1.0F})
      if (headroom == headroom_of(metric, threshold, sign, kFixedOne)) return true;
  }
  return false;
}

// The narrowest bins of a power of two that hold the values' 2% and 98% quantiles and all between, and not in
// an end bin: what is printed lies between 5% and 95%.
BinRange bins_over(std::span<std::int32_t> values) {
  const auto rank = [&](std::size_t percent) {
    return values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) * percent / 100);
  };
  std::nth_element(values.begin(), rank(2), values.end());
  const std::int64_t low = *rank(2);
  std::nth_element(rank(2), rank(98), values.end());
  const std::int64_t high = *rank(98);
  BinRange range;
  while ((std::int64_t{kBins - 4} << range.shift) < high - low) ++range.shift;
  const std::int64_t covered = std::int64_t{kBins} << range.shift;
  range.lo =
      static_cast<std::int32_t>(std::clamp<std::int64_t>((low + high - covered) / 2, -kFixedMax, kFixedMax));
  return range;
}

}  // namespace

std::vector<std::string> cpu_isas() {
  std::vector<std::string> names;
  for (const Isa& isa : usable_isas()) names.push_back(isa.name);
  return names;
}

std::unique_ptr<Backend> make_cpu_backend() { return std::make_unique<CpuBackend>(); }

void make_plan(ScenarioData& data) {
  Scenario scenario = data.view();
  scenario.switches = 0;
  scenario.has_plan = 0;
  const auto rows = static_cast<std::size_t>(scenario.months) * static_cast<std::size_t>(scenario.entity.size);
  PlanRows plan{std::vector<PlanMonth>(static_cast<std::size_t>(scenario.months)), std::vector<Money>(rows),
                std::vector<Money>(rows)};
  trace(scenario, 0, 0, &plan);
  for (const Tranche& each : data.tranche) {
    if (each.sculpted != 0) sculpt(scenario, each, plan.cfads, data.repayment);
  }
  data.plan = std::move(plan.market);
  data.plan_contracted = std::move(plan.contracted);
  data.parameters.has_plan = 1;
}

std::vector<std::int32_t> trace_path(const Scenario& scenario, std::uint64_t seed, std::uint64_t path) {
  return trace(scenario, seed, path, nullptr);
}

std::unique_ptr<Floor> make_cpu_floor(const std::string& isa, int threads) {
  return std::make_unique<CpuFloor>(isa, threads);
}

std::vector<BinRange> pilot_bins(const Scenario& scenario, std::uint64_t seed,
                                 const std::optional<std::vector<std::int32_t>>& cells) {
  const StateLayout layout = state_layout(scenario);
  const Isa isa = choose_isa("auto");
  const std::int32_t months = scenario.months;
  std::vector<std::int32_t> rows(static_cast<std::size_t>(series_count(scenario)) *
                                 static_cast<std::size_t>(months));
  std::vector<BinRange> bins(rows.size(), {0, cells ? kNotCounted : 0});
  std::iota(rows.begin(), rows.end(), 0);
  if (cells) rows = *cells;
  if (rows.empty()) return bins;
  std::vector<std::int32_t> values(bins.size() * kPilotPaths);
  constexpr std::size_t kBlocks = kPilotPaths / kLanes;
  share_out(kBlocks, [&](auto next) {
    Worker worker(scenario, layout, nullptr);
    for (std::size_t block = next(); block < kBlocks; block = next()) {
      worker.memory().pilot = values.data() + block * kLanes;
      isa.run_block(scenario, layout, seed, block * kLanes, kLanes, worker.memory());
    }
  });
  share_out(rows.size(), [&](auto next) {
    for (std::size_t i = next(); i < rows.size(); i = next()) {
      const std::int32_t row = rows[i];
      const auto first = values.begin() + std::ptrdiff_t{row} * kPilotPaths;
      auto last = first + kPilotPaths;
      BinRange& range = bins[static_cast<std::size_t>(row)] = {};
      if (const std::int32_t v = row / months - kMeasureCount; v >= 0) {
        // A ratio to nothing is capped and far from all others: were it in the range, they would share few
        // bins.
        const Covenant& covenant = scenario.covenant[v];
        const CovenantTest test = scenario.covenant_test[covenant.first_test + row % months];
        if (test.tested == 0) continue;
        if (covenant.metric != Metric::liquidity)
          last = std::remove_if(first, last, [&](std::int32_t x) { return is_capped(x, test.threshold); });
      }
      if (last != first) range = bins_over({first, last});
    }
  });
  return bins;
}

}  // namespace headroom
