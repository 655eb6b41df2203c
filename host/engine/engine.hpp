// simulate(): a scenario and a range of paths in, integers out. Backends implement Backend; nothing here knows
// text or files.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "headroom/hd.hpp"
#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"

namespace headroom {

__extension__ using Int128 = __int128;

// Counts of a column's values in bins of one width; what a column leaves behind when it is not kept.
struct Tally {
  std::int32_t lo = 0, shift = 0;      // bin b holds the values from lo + b 2^shift on
  std::int32_t none = INT32_MAX;       // values from here on are markers and left out
  std::vector<std::uint64_t> count{};  // of what lies below the bins, of each bin, of what lies above them
  std::uint64_t values = 0;            // of all, and their sum and sum of squares
  std::int64_t sum = 0;
  Int128 squares = 0;
  std::int64_t below = 0;  // the sums of what lies below the bins
  Int128 squares_below = 0;

  // The cell of `count` that a value belongs to; a marker falls above the bins.
  HEADROOM_HD static std::uint32_t cell(std::int32_t lo, std::int32_t shift, std::uint32_t bins,
                                        std::int32_t none, std::int32_t value) {
    const std::uint32_t bin = (static_cast<std::uint32_t>(value) - static_cast<std::uint32_t>(lo)) >> shift;
    const std::uint32_t inside = (bin < bins ? bin : bins) + 1;
    return value < lo ? 0 : value < none ? inside : bins + 1;
  }
};

// The kept columns, wherever they live (host or device memory). Exact integer reductions; every answer is
// independent of the order of evaluation.
class ColumnStore {
 public:
  virtual ~ColumnStore() = default;
  // How many threads may ask at once; minimum_of() is called while no other call is under way.
  virtual int concurrency() const { return 1; }
  virtual std::uint64_t paths() const = 0;
  // The ranks-th smallest values (0-based, ascending ranks), in the order of `ranks`. Values from `none` on are
  // markers (kNever, kFixedMax); no rank reaches them.
  virtual std::vector<std::int32_t> order_statistics(std::int32_t column, std::span<const std::uint64_t> ranks,
                                                     std::int32_t none) = 0;
  // By how much those of `column` may be off; 0: they are exact.
  virtual std::int64_t resolution(std::int32_t) const { return 0; }
  virtual std::int64_t sum(std::int32_t column) = 0;
  virtual Int128 sum_of_squares(std::int32_t column) = 0;
  virtual std::int64_t sum_of_smallest(std::int32_t column, std::uint64_t count) = 0;
  virtual Int128 sum_of_squares_of_smallest(std::int32_t column, std::uint64_t count) = 0;
  // Paths whose value is at most x; in both columns.
  virtual std::uint64_t count_at_most(std::int32_t column, std::int32_t x) = 0;
  virtual std::uint64_t count_both_at_most(std::int32_t column_a, std::int32_t xa, std::int32_t column_b,
                                           std::int32_t xb) = 0;
  // Sum of `column` over the paths whose `flag` column is at most x.
  virtual std::int64_t sum_where(std::int32_t column, std::int32_t flag, std::int32_t x) = 0;
  virtual Int128 sum_of_squares_where(std::int32_t column, std::int32_t flag, std::int32_t x) = 0;
  // Counts of each value 0..size-1 (others are left out): first-breach months, for instance.
  virtual std::vector<std::uint64_t> counts(std::int32_t column, std::int32_t size) = 0;
  // First path whose value is not zero, and how many there are.
  struct NotZero {
    std::uint64_t count, first;
  };
  virtual NotZero not_zero(std::int32_t column) = 0;
  // Makes one more column, each path's least value over `count` columns from `first` on, and returns its
  // number, by which the other operations know it; the next call replaces it. First breach of any covenant, for
  // instance.
  virtual std::int32_t minimum_of(std::int32_t first, std::int32_t count) = 0;
  // Raw values of paths [first, first + out.size()).
  virtual void read(std::int32_t column, std::uint64_t first, std::span<std::int32_t> out) = 0;
  // Counts the column's values into a tally.
  virtual void add_to(Tally& tally, std::int32_t column) = 0;
};

struct Outcomes {
  ColumnLayout layout{};
  std::int32_t months = 0;
  std::int32_t series = 0;               // kMeasureCount + covenants
  std::vector<BinRange> bins;            // [series][months]
  std::vector<std::uint64_t> histogram;  // [series][months][kBins]
  std::vector<std::int64_t> sum;         // [series][months]
  std::vector<std::uint64_t> failing;    // [covenant][months]: paths that fail the test of that month
  std::unique_ptr<ColumnStore> columns;
  std::string device;  // what ran, in words
  double seconds = 0;  // simulation alone
};

struct RunPlan {
  PathRange paths{};
  int threads = 0;           // 0: all cores
  std::string isa = "auto";  // CPU: auto, baseline, avx2, avx512
  std::function<void(std::uint64_t done, std::uint64_t total)>
      progress;                             // may be empty; called from one thread at a time
  const std::atomic<bool>* stop = nullptr;  // set: finish early, with fewer paths or Interrupted
};

struct Interrupted {};  // with no result to show

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;  // "cpu", "cuda"
  // How many paths at a time where their columns are not kept: large enough that starting costs nothing.
  virtual std::uint64_t chunk() const { return std::uint64_t{1} << 18; }
  virtual Outcomes simulate(const Scenario& scenario, const RunPlan& plan, std::span<const BinRange> bins) = 0;
};

std::unique_ptr<Backend> make_cpu_backend();

struct CudaProbe {
  bool built = false;   // compiled in
  bool usable = false;  // a device answers
  std::string text;     // card and driver, or why not
};
CudaProbe probe_cuda();                        // cuda/ or host/cuda_absent.cpp
std::unique_ptr<Backend> make_cuda_backend();  // throws std::runtime_error with the reason

}  // namespace headroom
