// The kept columns in host memory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "headroom/outcome.hpp"
#include "host/engine/engine.hpp"

namespace headroom {

// One contiguous buffer [column][paths]. A reduction runs on Thrust's sequential host system; several threads
// may ask at once, and each keeps the sorted copy of the last column that it asked for. (Measured: two radix
// sorts side by side take half the time of one after the other on Thrust's OpenMP system.)
class HostColumns final : public ColumnStore {
 public:
  HostColumns(std::int32_t columns, std::uint64_t paths,
              int threads = 0);  // threads that may ask; 0: all cores

  // The values of a column, to be written by a backend before the first reduction.
  std::int32_t* column(std::int32_t c) { return values_.get() + static_cast<std::uint64_t>(c) * paths_; }

  int concurrency() const override { return concurrency_; }
  std::uint64_t paths() const override { return paths_; }
  std::vector<std::int32_t> order_statistics(std::int32_t column, std::span<const std::uint64_t> ranks,
                                             std::int32_t none) override;
  std::int64_t sum(std::int32_t column) override;
  Int128 sum_of_squares(std::int32_t column) override;
  std::int64_t sum_of_smallest(std::int32_t column, std::uint64_t count) override;
  Int128 sum_of_squares_of_smallest(std::int32_t column, std::uint64_t count) override;
  std::uint64_t count_at_most(std::int32_t column, std::int32_t x) override;
  std::uint64_t count_both_at_most(std::int32_t column_a, std::int32_t xa, std::int32_t column_b,
                                   std::int32_t xb) override;
  std::int64_t sum_where(std::int32_t column, std::int32_t flag, std::int32_t x) override;
  Int128 sum_of_squares_where(std::int32_t column, std::int32_t flag, std::int32_t x) override;
  std::vector<std::uint64_t> counts(std::int32_t column, std::int32_t size) override;
  NotZero not_zero(std::int32_t column) override;
  std::int32_t minimum_of(std::int32_t first, std::int32_t count) override;
  void read(std::int32_t column, std::uint64_t first, std::span<std::int32_t> out) override;
  void add_to(Tally& tally, std::int32_t column) override;

 private:
  struct Sorted {
    std::int32_t column = -1;
    std::unique_ptr<std::int32_t[]> values{};
  };
  const std::int32_t* data(std::int32_t column) const;
  const std::int32_t* sorted(std::int32_t column);

  std::int32_t columns_;
  std::uint64_t paths_;
  int concurrency_;
  std::unique_ptr<std::int32_t[]> values_;
  std::unique_ptr<std::int32_t[]> minimum_{};  // the derived column, known as number columns_
  std::mutex mutex_{};                         // guards the map, not its elements
  std::map<std::thread::id, Sorted> sorted_{};
};

// Bytes that the columns of `paths` paths need at their peak: the columns, the derived one, and for each thread
// a sorted copy and the sort's own buffer.
std::uint64_t host_columns_bytes(const ColumnLayout& layout, std::uint64_t paths, int threads = 0);

}  // namespace headroom
