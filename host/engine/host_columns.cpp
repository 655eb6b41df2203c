// SPDX-License-Identifier: Apache-2.0
#include "host/engine/host_columns.hpp"

#include <thrust/execution_policy.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "host/engine/column_ops.hpp"
#include "host/engine/threads.hpp"

namespace headroom {

namespace {

const auto& kPolicy = thrust::seq;

// More threads would not help: reading columns is bound by main memory, and scratch memory would grow with
// the cores.
int useful_threads(int threads) {
  constexpr int kMost = 8;
  const int cores = static_cast<int>(available_cores());
  return std::clamp(threads > 0 ? threads : cores, 1, kMost);
}

// Sums over values[i] where flags[i] <= limit, 2^22 values at a time, so that the halves of the squares fit
// 64 bits.
Sums sums_at_most(const std::int32_t* values, const std::int32_t* flags, std::uint64_t paths,
                  std::int32_t limit) {
  constexpr std::uint64_t kAtATime = std::uint64_t{1} << 22;
  Sums all;
  for (std::uint64_t first = 0; first < paths; first += kAtATime) {
    const std::uint64_t end = std::min(paths, first + kAtATime);
    std::uint64_t number = 0, low = 0, high = 0;
    std::int64_t sum = 0;
#pragma omp simd reduction(+ : number, low, high, sum)
    for (std::uint64_t i = first; i < end; ++i) {
      const std::int64_t value = flags[i] <= limit ? values[i] : 0;
      const auto square = static_cast<std::uint64_t>(value * value);
      number += flags[i] <= limit ? 1U : 0U;
      sum += value;
      low += square & 0xffffffffU;
      high += square >> 32;
    }
    all = all + Sums{number, sum, (static_cast<Int128>(high) << 32) + low};
  }
  return all;
}

std::vector<Int128> integers(const Sums& sums) { return {sums.number, sums.sum, sums.squares}; }

}  // namespace

HostColumns::HostColumns(std::int32_t columns, std::uint64_t paths, int threads)
    : HostColumns(
          [columns] {
            std::vector<std::int32_t> all(static_cast<std::size_t>(columns));
            std::iota(all.begin(), all.end(), 0);
            return all;
          }(),
          paths, threads) {}

HostColumns::HostColumns(std::vector<std::int32_t> numbers, std::uint64_t paths, int threads)
    : numbers_(std::move(numbers)),
      paths_(paths),
      concurrency_(useful_threads(threads)),
      values_(std::make_unique_for_overwrite<std::int32_t[]>(numbers_.size() * paths)) {}

std::int32_t* HostColumns::column(std::int32_t number) {
  const auto place = std::lower_bound(numbers_.begin(), numbers_.end(), number);
  if (place == numbers_.end() || *place != number) throw std::out_of_range("HostColumns: no such column");
  return values_.get() + static_cast<std::uint64_t>(place - numbers_.begin()) * paths_;
}

const std::int32_t* HostColumns::sorted(std::int32_t column) {
  const std::int32_t* const values = data(column);
  Sorted* mine = nullptr;
  {
    const std::lock_guard lock(mutex_);
    mine = &sorted_[std::this_thread::get_id()];
  }
  if (mine->column != column) {
    mine->column = -1;
    if (!mine->values) mine->values = std::make_unique_for_overwrite<std::int32_t[]>(paths_);
    column_ops::sort_into(kPolicy, values, paths_, mine->values.get());
    mine->column = column;
  }
  return mine->values.get();
}

std::vector<Int128> HostColumns::answer(const Question& question) {
  const std::int32_t* const values = data(question.column);
  switch (question.kind) {
    case Question::Kind::sums:
      return integers(sums_at_most(values, data(question.other), paths_, question.limit));
    case Question::Kind::distribution:
      return integers(sums_at_most(values, values, paths_, question.limit - 1));
    case Question::Kind::counts: {
      std::vector<Int128> found(static_cast<std::size_t>(question.limit));
      for (const std::int32_t value : std::span(values, paths_)) {
        if (value >= 0 && value < question.limit) ++found[static_cast<std::size_t>(value)];
      }
      return found;
    }
    case Question::Kind::both:
      return {column_ops::count_both(kPolicy, {values, data(question.other), question.limit}, paths_)};
    default: {
      const auto [number, first] = column_ops::offenders(kPolicy, values, paths_);
      return {number, first, number > 0 ? values[first] : 0};
    }
  }
}

std::vector<std::int32_t> HostColumns::order_statistics(std::int32_t column,
                                                        std::span<const std::uint64_t> ranks) {
  const std::int32_t* const values = sorted(column);
  std::vector<std::int32_t> found;
  found.reserve(ranks.size());
  for (const std::uint64_t rank : ranks) found.push_back(values[std::min(rank, paths_ - 1)]);
  return found;
}

Sums HostColumns::sums_of_smallest(std::int32_t column, std::uint64_t count) {
  const std::int32_t* const values = sorted(column);
  return sums_at_most(values, values, std::min(count, paths_), kNoMarker);
}

void HostColumns::read(std::int32_t column, std::uint64_t first, std::span<std::int32_t> out) {
  if (first > paths_ || out.size() > paths_ - first) throw std::out_of_range("HostColumns: no such paths");
  std::copy_n(data(column) + first, out.size(), out.begin());
}

Sums HostColumns::count_into(Tally& tally, std::int32_t column) {
  // First all cells of a buffer, then all counts: the counts are far apart in memory, and this way one does
  // not wait for another.
  constexpr std::uint64_t kBuffer = 2048;
  std::array<std::uint32_t, kBuffer> cell;
  const std::int32_t none = tally.none, lo = tally.lo, shift = tally.shift;
  const auto bins = static_cast<std::uint32_t>(tally.count.size() - 2);
  std::uint64_t* const counts = tally.count.data();
  Sums all;
  for (std::uint64_t first = 0; first < paths_; first += kBuffer) {
    const std::int32_t* const values = data(column) + first;
    const std::uint64_t some = std::min(kBuffer, paths_ - first);
#pragma omp simd
    for (std::uint64_t i = 0; i < some; ++i) cell[i] = Tally::cell(lo, shift, bins, none, values[i]);
    all = all + sums_at_most(values, values, some, none - 1);
    const std::uint64_t before = counts[0];
#pragma GCC unroll 8
    for (std::uint64_t i = 0; i < some; ++i) ++counts[cell[i]];
    if (counts[0] != before) {
      tally.below = tally.below + sums_at_most(values, values, some, std::min(lo, none) - 1);
    }
  }
  counts[bins + 1] -= paths_ - all.number;  // markers
  return all;
}

std::uint64_t host_columns_bytes(const ColumnLayout& layout, std::uint64_t paths, int threads) {
  const auto columns = static_cast<std::uint64_t>(layout.count());
  const std::uint64_t scratch = 2 * static_cast<std::uint64_t>(useful_threads(threads));
  return (columns + scratch) * paths * sizeof(std::int32_t);
}

}  // namespace headroom
