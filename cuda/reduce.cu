// SPDX-License-Identifier: Apache-2.0
// 64-bit offsets serve any column. With one size of index instead of two, half the kernels are compiled.
#define THRUST_FORCE_64_BIT_OFFSET_TYPE

#include <thrust/for_each.h>
#include <thrust/system/cuda/execution_policy.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "cuda/device_columns.cuh"
#include "host/engine/column_ops.hpp"

namespace headroom::cuda {

namespace {

auto policy_with(Scratch& scratch) { return thrust::cuda::par(scratch); }

struct ValueAt {
  const std::int32_t* sorted;
  HEADROOM_HD std::int32_t operator()(std::uint64_t rank) const { return sorted[rank]; }
};

// Integers: the order of adding does not matter.
struct CountInto {
  unsigned long long* count;
  std::uint32_t bins;
  std::int32_t lo, shift, none;
  HEADROOM_HD void operator()([[maybe_unused]] std::int32_t value) const {
#if defined(__CUDA_ARCH__)
    if (value < none) atomicAdd(count + Tally::cell(lo, shift, bins, none, value), 1ULL);
#endif
  }
};

}  // namespace

char* Scratch::allocate(std::ptrdiff_t bytes) {
  const auto wanted = static_cast<std::size_t>(bytes);
  for (Piece& piece : pieces_) {
    if (piece.taken || piece.memory.size() < wanted) continue;
    piece.taken = true;
    return piece.memory.data();
  }
  std::erase_if(pieces_, [](const Piece& piece) { return !piece.taken; });  // free those too small
  pieces_.push_back({DeviceBuffer<char>(std::max<std::size_t>(wanted, 1), "a reduction"), true});
  return pieces_.back().memory.data();
}

void Scratch::deallocate(char* memory, std::size_t) noexcept {
  for (Piece& piece : pieces_) {
    if (piece.memory.data() == memory) piece.taken = false;
  }
}

DeviceColumns::DeviceColumns(std::int32_t columns, std::uint64_t paths)
    : columns_(columns),
      paths_(paths),
      values_(static_cast<std::uint64_t>(columns) * paths, "the kept columns") {}

const std::int32_t* DeviceColumns::data(std::int32_t column) const {
  if (column < 0 || column >= columns_) throw std::out_of_range("DeviceColumns: no such column");
  return values_.data() + static_cast<std::uint64_t>(column) * paths_;
}

const std::int32_t* DeviceColumns::sorted(std::int32_t column) {
  const std::int32_t* const values = data(column);
  if (sorted_column_ != column) {
    sorted_column_ = -1;
    if (sorted_.size() == 0) sorted_ = DeviceBuffer<std::int32_t>(paths_, "a sorted column");
    column_ops::sort_into(policy_with(scratch_), values, paths_, sorted_.data());
    sorted_column_ = column;
  }
  return sorted_.data();
}

std::vector<Int128> DeviceColumns::answer(const Question& question) {
  const std::int32_t* const values = data(question.column);
  const auto policy = policy_with(scratch_);
  const auto sums = [&](const column_ops::SumsWhere& where) -> std::vector<Int128> {
    const Sums found = column_ops::sums(policy, where, paths_);
    return {found.number, found.sum, found.squares};
  };
  switch (question.kind) {
    case Question::Kind::sums:
      return sums({values, data(question.other), question.limit});
    case Question::Kind::distribution:
      return sums({values, values, question.limit - 1});
    case Question::Kind::counts:
      return counts(question.column, question.limit);
    case Question::Kind::both:
      return {column_ops::count_both(policy, {values, data(question.other), question.limit}, paths_)};
    default: {
      const auto [number, first] = column_ops::offenders(policy, values, paths_);
      std::int32_t value = 0;
      if (number > 0) read(question.column, first, {&value, 1});
      return {number, first, value};
    }
  }
}

std::vector<std::int32_t> DeviceColumns::order_statistics(std::int32_t column,
                                                          std::span<const std::uint64_t> ranks) {
  if (paths_ == 0) throw std::out_of_range("DeviceColumns: no paths");
  const std::int32_t* const values = sorted(column);
  std::vector<std::uint64_t> inside;
  inside.reserve(ranks.size());
  for (const std::uint64_t rank : ranks) inside.push_back(std::min(rank, paths_ - 1));
  const DeviceBuffer<std::uint64_t> at(inside, "ranks");
  const DeviceBuffer<std::int32_t> out(inside.size(), "order statistics");
  thrust::transform(policy_with(scratch_), at.data(), at.data() + at.size(), out.data(), ValueAt{values});
  std::vector<std::int32_t> found(inside.size());
  out.copy_to(found);
  return found;
}

Sums DeviceColumns::sums_of_smallest(std::int32_t column, std::uint64_t count) {
  return column_ops::sums(policy_with(scratch_), column_ops::SumsAt{sorted(column)}, std::min(count, paths_));
}

std::vector<Int128> DeviceColumns::counts(std::int32_t column, std::int32_t size) {
  const auto cells = static_cast<std::size_t>(size);
  const std::int32_t* const values = sorted(column);
  const DeviceBuffer<std::uint64_t> out(cells + 1, "counts");
  column_ops::cumulative_counts(policy_with(scratch_), values, paths_, size, out.data());
  std::vector<std::uint64_t> found(cells + 1);
  out.copy_to(found);
  std::vector<Int128> answer;
  for (std::size_t i = 0; i < cells; ++i) answer.emplace_back(found[i + 1] - found[i]);
  return answer;
}

void DeviceColumns::read(std::int32_t column, std::uint64_t first, std::span<std::int32_t> out) {
  if (first > paths_ || out.size() > paths_ - first) throw std::out_of_range("DeviceColumns: no such paths");
  const std::int32_t* const values = data(column);
  if (out.empty()) return;
  HEADROOM_CUDA(cudaMemcpy(out.data(), values + first, out.size_bytes(), cudaMemcpyDeviceToHost));
}

Sums DeviceColumns::count_into(Tally& tally, std::int32_t column) {
  const std::int32_t* const values = data(column);
  DeviceBuffer<unsigned long long> count(tally.count.size(), "bins");
  count.fill(0);
  thrust::for_each(policy_with(scratch_), values, values + paths_,
                   CountInto{count.data(), static_cast<std::uint32_t>(tally.count.size() - 2), tally.lo,
                             tally.shift, tally.none});
  std::vector<unsigned long long> found(count.size());
  count.copy_to(found);
  for (std::size_t i = 0; i < found.size(); ++i) tally.count[i] += found[i];
  const auto at_most = [&](std::int32_t limit) {
    return column_ops::sums(policy_with(scratch_), column_ops::SumsWhere{values, values, limit}, paths_);
  };
  if (found[0] != 0) tally.below = tally.below + at_most(std::min(tally.lo, tally.none) - 1);
  return at_most(tally.none - 1);
}

}  // namespace headroom::cuda
