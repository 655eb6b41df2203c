// SPDX-License-Identifier: Apache-2.0
// A block of paths and its memory, as one thread of the CPU backend uses it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "headroom/hd.hpp"
#include "headroom/month/calendar.hpp"
#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"
#include "host/cpu/bin_counts.hpp"
#include "host/cpu/lanes.hpp"
#include "host/engine/engine.hpp"
#include "host/engine/host_columns.hpp"
#include "host/engine/memory.hpp"

namespace headroom::cpu {

template <class T>
struct FreeAligned {
  void operator()(T* p) const { ::operator delete[](p, std::align_val_t{64}); }
};
template <class T>
using Aligned = std::unique_ptr<T[], FreeAligned<T>>;
template <class T>
Aligned<T> aligned(std::size_t count) {
  auto* p =
      static_cast<T*>(::operator new[](std::max<std::size_t>(count, 1) * sizeof(T), std::align_val_t{64}));
  prefer_huge_pages(p, count * sizeof(T));
  return Aligned<T>(p);
}
template <class T>
Aligned<T> aligned_bytes(std::size_t count, int byte) {
  Aligned<T> p = aligned<T>(count);
  std::memset(p.get(), byte, count * sizeof(T));
  return p;
}
template <class T>
Aligned<T> aligned_zeros(std::size_t count) {
  return aligned_bytes<T>(count, 0);
}
// The memory of one thread: a block's state, its columns, and the thread's own histograms and sums.
class Worker {
 public:
  Worker(const Prepared& prepared, const BinRange* bins)
      : columns_(column_layout(prepared.scenario).count()),
        // NaN and -1, as on a card: a word that start() forgets must not pass for a 0.
        state_(aligned_bytes<std::uint32_t>(static_cast<std::size_t>(prepared.layout.words) * kRow, 0xff)),
        column_(aligned_zeros<std::int32_t>(static_cast<std::size_t>(columns_) * kLanes)) {
    memory_.state = state_.get();
    memory_.column = column_.get();
    memory_.column_stride = kLanes;
    memory_.bins = bins;
    if (bins == nullptr) return;
    const Scenario& scenario = prepared.scenario;
    const auto rows =
        static_cast<std::size_t>(series_count(scenario)) * static_cast<std::size_t>(scenario.months);
    histogram_ = aligned_zeros<std::uint32_t>(rows * kBins);
    bin_ = aligned<std::uint16_t>(rows * kBatchLanes);
    sum_.assign(rows, 0);
    failing_.assign(
        static_cast<std::size_t>(scenario.covenant.size) * static_cast<std::size_t>(scenario.months) + 1, 0);
    memory_.sum = sum_.data();
    memory_.failing = failing_.data();
    std::size_t row = 0;
    for (std::int32_t series = 0; series < series_count(scenario); ++series) {
      for (std::int32_t month = 1; month <= scenario.months; ++month, ++row) {
        if (bins[row].shift != kNotCounted && has_value(scenario, series, month)) observed_.push_back(row);
      }
    }
  }

  // Runs one block. Only the last block of a run may be shorter than kLanes.
  void run(BlockFunction run_block, const Prepared& prepared, const BlockPaths& paths) {
    memory_.bin = bin_.get() + filled_;
    run_block(prepared, paths, memory_);
    filled_ += paths.count;
    if (filled_ == kBatchLanes || paths.count < kLanes) count_bins();
  }

  // To be called after the last block.
  void count_bins() {
    static_assert(kBatchLanes <= BinCounts::kMost);
    BinCounts counts;
    for (const std::size_t row : observed_)
      counts.add(bin_.get() + row * kBatchLanes, filled_, histogram_.get() + row * kBins);
    filled_ = 0;
  }

  BlockMemory& memory() { return memory_; }

  void copy_columns(HostColumns& to, std::uint64_t first, std::int32_t count) const {
    for (std::int32_t c = 0; c < columns_; ++c) {
      std::memcpy(to.column(c) + first, column_.get() + static_cast<std::size_t>(c) * kLanes,
                  static_cast<std::size_t>(count) * sizeof(std::int32_t));
    }
  }

  // Adds the counts of part `part` of `parts`, of all rows. Integers: the order of adding does not matter.
  void add_to(Outcomes& outcomes, std::size_t part, std::size_t parts) const {
    const auto add = [&](auto& to, const auto* from) {
      const std::size_t end = to.size() * (part + 1) / parts;
      for (std::size_t i = to.size() * part / parts; i < end; ++i) to[i] += from[i];
    };
    add(outcomes.histogram, histogram_.get());
    add(outcomes.sum, sum_.data());
    add(outcomes.failing, failing_.data());
  }

 private:
  std::int32_t columns_;
  Aligned<std::uint32_t> state_;
  Aligned<std::int32_t> column_;
  Aligned<std::uint32_t> histogram_{};
  Aligned<std::uint16_t> bin_{};
  std::vector<std::size_t> observed_{};  // rows
  std::int32_t filled_ = 0;              // paths whose bins are not counted yet
  std::vector<std::int64_t> sum_{};
  std::vector<std::uint64_t> failing_{};
  BlockMemory memory_{};
};

}  // namespace headroom::cpu
