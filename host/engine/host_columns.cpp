#include "host/engine/host_columns.hpp"

#include <thrust/execution_policy.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <thread>

#include "host/engine/column_ops.hpp"

namespace headroom {

namespace {

const auto& kPolicy = thrust::seq;

// More threads would not help: columns come out of main memory. Their scratch would grow with the cores.
int useful_threads(int threads) {
  constexpr int kMost = 8;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(threads > 0 ? threads : cores, 1, kMost);
}

}  // namespace

HostColumns::HostColumns(std::int32_t columns, std::uint64_t paths, int threads)
    : columns_(columns),
      paths_(paths),
      concurrency_(useful_threads(threads)),
      values_(std::make_unique_for_overwrite<std::int32_t[]>(static_cast<std::uint64_t>(columns) * paths)) {}

const std::int32_t* HostColumns::data(std::int32_t column) const {
  if (column == columns_ && minimum_) return minimum_.get();
  if (column < 0 || column >= columns_) throw std::out_of_range("HostColumns: no such column");
  return values_.get() + static_cast<std::uint64_t>(column) * paths_;
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

std::vector<std::int32_t> HostColumns::order_statistics(std::int32_t column,
                                                        std::span<const std::uint64_t> ranks, std::int32_t) {
  const std::int32_t* const values = sorted(column);
  std::vector<std::int32_t> found;
  found.reserve(ranks.size());
  for (const std::uint64_t rank : ranks) found.push_back(values[std::min(rank, paths_ - 1)]);
  return found;
}

std::int64_t HostColumns::sum(std::int32_t column) { return column_ops::sum(kPolicy, data(column), paths_); }

Int128 HostColumns::sum_of_squares(std::int32_t column) {
  return column_ops::sum_of_squares(kPolicy, data(column), paths_);
}

std::int64_t HostColumns::sum_of_smallest(std::int32_t column, std::uint64_t count) {
  const std::int32_t* const values = sorted(column);
  return column_ops::sum(kPolicy, values, std::min(count, paths_));
}

Int128 HostColumns::sum_of_squares_of_smallest(std::int32_t column, std::uint64_t count) {
  const std::int32_t* const values = sorted(column);
  return column_ops::sum_of_squares(kPolicy, values, std::min(count, paths_));
}

std::uint64_t HostColumns::count_at_most(std::int32_t column, std::int32_t x) {
  return column_ops::count_at_most(kPolicy, data(column), paths_, x);
}

std::uint64_t HostColumns::count_both_at_most(std::int32_t column_a, std::int32_t xa, std::int32_t column_b,
                                              std::int32_t xb) {
  return column_ops::count_both_at_most(kPolicy, {data(column_a), xa, data(column_b), xb}, paths_);
}

std::int64_t HostColumns::sum_where(std::int32_t column, std::int32_t flag, std::int32_t x) {
  return column_ops::sum_where(kPolicy, {data(column), data(flag), x}, paths_);
}

Int128 HostColumns::sum_of_squares_where(std::int32_t column, std::int32_t flag, std::int32_t x) {
  return column_ops::sum_of_squares_where(kPolicy, {data(column), data(flag), x}, paths_);
}

std::vector<std::uint64_t> HostColumns::counts(std::int32_t column, std::int32_t size) {
  std::vector<std::uint64_t> found(static_cast<std::size_t>(size));
  for (const std::int32_t value : std::span(data(column), paths_)) {
    if (value >= 0 && value < size) ++found[static_cast<std::size_t>(value)];
  }
  return found;
}

ColumnStore::NotZero HostColumns::not_zero(std::int32_t column) {
  return column_ops::not_zero(kPolicy, data(column), paths_);
}

std::int32_t HostColumns::minimum_of(std::int32_t first, std::int32_t count) {
  if (count < 1 || first < 0 || first + count > columns_) {
    throw std::out_of_range("HostColumns: no such columns");
  }
  if (!minimum_) minimum_ = std::make_unique_for_overwrite<std::int32_t[]>(paths_);
  for (auto& each : sorted_) {
    if (each.second.column == columns_) each.second.column = -1;
  }
  column_ops::minimum_of(kPolicy, data(first), count, paths_, minimum_.get());
  return columns_;
}

void HostColumns::read(std::int32_t column, std::uint64_t first, std::span<std::int32_t> out) {
  if (first > paths_ || out.size() > paths_ - first) throw std::out_of_range("HostColumns: no such paths");
  std::copy_n(data(column) + first, out.size(), out.begin());
}

void HostColumns::add_to(Tally& tally, std::int32_t column) {
  // Cells first and counts then, a buffer at a time: the counts lie far apart and do not wait for each other
  // so.
  constexpr std::uint64_t kBuffer = 2048;
  std::array<std::uint32_t, kBuffer> cell;
  const std::int32_t none = tally.none, lo = tally.lo, shift = tally.shift;
  const auto bins = static_cast<std::uint32_t>(tally.count.size() - 2);
  std::uint64_t* const counts = tally.count.data();
  struct Sums {  // squares = high 2^32 + low; of fewer than 2^32 values
    std::uint64_t values = 0, low = 0, high = 0;
    std::int64_t sum = 0;
    Int128 squares() const { return (static_cast<Int128>(high) << 32) + low; }
  } all, below;
  for (std::uint64_t first = 0; first < paths_; first += kBuffer) {
    const std::int32_t* const values = data(column) + first;
    const std::uint64_t some = std::min(kBuffer, paths_ - first);
#pragma omp simd
    for (std::uint64_t i = 0; i < some; ++i) cell[i] = Tally::cell(lo, shift, bins, none, values[i]);
    const auto add = [&](Sums& to, std::int32_t limit) {
      std::uint64_t number = 0, low = 0, high = 0;
      std::int64_t sum = 0;
#pragma omp simd reduction(+ : number, low, high, sum)
      for (std::uint64_t i = 0; i < some; ++i) {
        const std::int64_t value = values[i] < limit ? values[i] : 0;
        const auto square = static_cast<std::uint64_t>(value * value);
        number += values[i] < limit ? 1U : 0U;
        sum += value;
        low += square & 0xffffffffU;
        high += square >> 32;
      }
      to.values += number, to.low += low, to.high += high, to.sum += sum;
    };
    add(all, none);
    const std::uint64_t before = counts[0];
#pragma GCC unroll 8
    for (std::uint64_t i = 0; i < some; ++i) ++counts[cell[i]];
    if (counts[0] != before) add(below, std::min(lo, none));
  }
  counts[bins + 1] -= paths_ - all.values;  // markers
  tally.values += all.values;
  tally.sum += all.sum;
  tally.squares += all.squares();
  tally.below += below.sum;
  tally.squares_below += below.squares();
}

std::uint64_t host_columns_bytes(const ColumnLayout& layout, std::uint64_t paths, int threads) {
  const std::uint64_t columns = static_cast<std::uint64_t>(layout.count()) + 1;
  const std::uint64_t scratch = 2 * static_cast<std::uint64_t>(useful_threads(threads));
  return (columns + scratch) * paths * sizeof(std::int32_t);
}

}  // namespace headroom
