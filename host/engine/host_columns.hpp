// SPDX-License-Identifier: Apache-2.0
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
#include "host/engine/columns.hpp"

namespace headroom {

// One contiguous buffer [column][paths]. A reduction runs on Thrust's sequential host system or in a vector
// loop. Several threads may ask at the same time; each keeps the sorted copy of its last column. (Measured:
// two radix sorts side by side take half the time of two sorts in turn on Thrust's OpenMP system.)
class HostColumns final : public Columns {
 public:
  // Columns 0 .. columns - 1. `threads` may ask at the same time; 0: all cores.
  HostColumns(std::int32_t columns, std::uint64_t paths, int threads = 0);
  // Only the columns of these numbers.
  HostColumns(std::vector<std::int32_t> numbers, std::uint64_t paths, int threads = 0);

  // The values of a column, to be written before the first reduction. Throws std::out_of_range.
  std::int32_t* column(std::int32_t number);
  const std::vector<std::int32_t>& numbers() const { return numbers_; }

  int concurrency() const override { return concurrency_; }
  std::uint64_t paths() const override { return paths_; }
  std::vector<Int128> answer(const Question& question) override;
  Sums count_into(Tally& tally, std::int32_t column) override;
  std::vector<std::int32_t> order_statistics(std::int32_t column,
                                             std::span<const std::uint64_t> ranks) override;
  Sums sums_of_smallest(std::int32_t column, std::uint64_t count) override;
  void read(std::int32_t column, std::uint64_t first, std::span<std::int32_t> out) override;

 private:
  struct Sorted {
    std::int32_t column = -1;
    std::unique_ptr<std::int32_t[]> values{};
  };
  const std::int32_t* data(std::int32_t number) { return column(number); }
  const std::int32_t* sorted(std::int32_t column);

  std::vector<std::int32_t> numbers_;  // ascending
  std::uint64_t paths_;
  int concurrency_;
  std::unique_ptr<std::int32_t[]> values_;
  std::mutex mutex_{};  // guards the map, not its elements
  std::map<std::thread::id, Sorted> sorted_{};
};

// The peak bytes for the columns of `paths` paths: the columns, and for each thread a sorted copy and the
// sort's own buffer.
std::uint64_t host_columns_bytes(const ColumnLayout& layout, std::uint64_t paths, int threads = 0);

}  // namespace headroom
