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
  std::uint64_t* count;
  std::uint32_t bins;
  std::int32_t lo, shift, none;
  HEADROOM_HD void operator()([[maybe_unused]] std::int32_t value) const {
#if defined(__CUDA_ARCH__)
    auto* const cell = reinterpret_cast<unsigned long long*>(count + Tally::cell(lo, shift, bins, none, value));
    if (value < none) atomicAdd(cell, 1ULL);
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
  const Borrowed<std::uint64_t> at(scratch_, inside.size());
  const Borrowed<std::int32_t> out(scratch_, inside.size());
  HEADROOM_CUDA(
      cudaMemcpy(at.data(), inside.data(), inside.size() * sizeof(std::uint64_t), cudaMemcpyHostToDevice));
  thrust::transform(policy_with(scratch_), at.data(), at.data() + inside.size(), out.data(), ValueAt{values});
  return out.values();
}

Sums DeviceColumns::sums_of_smallest(std::int32_t column, std::uint64_t count) {
  return column_ops::sums(policy_with(scratch_), column_ops::SumsAt{sorted(column)}, std::min(count, paths_));
}

std::vector<Int128> DeviceColumns::counts(std::int32_t column, std::int32_t size) {
  const auto cells = static_cast<std::size_t>(size);
  const std::int32_t* const values = sorted(column);
  const Borrowed<std::uint64_t> out(scratch_, cells + 1);
  column_ops::cumulative_counts(policy_with(scratch_), values, paths_, size, out.data());
  const std::vector<std::uint64_t> found = out.values();
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

// The counts of all chunks, in device memory. Columns that a chunk kept in host memory are counted in host
// memory.
class DeviceColumns::DeviceCounter final : public Counter {
 public:
  explicit DeviceCounter(const Tally& empty) : count_(empty.count, "bins") {
    rest_.lo = empty.lo, rest_.shift = empty.shift, rest_.none = empty.none;
    rest_.below = empty.below;
  }

  Sums add(Columns& columns, std::int32_t column) override {
    auto* const here = dynamic_cast<DeviceColumns*>(&columns);
    if (here == nullptr) {
      rest_.count.resize(count_.size());
      return columns.count_into(rest_, column);
    }
    const std::int32_t* const values = here->data(column);
    const auto policy = policy_with(here->scratch_);
    thrust::for_each(policy, values, values + here->paths_,
                     CountInto{count_.data(), static_cast<std::uint32_t>(count_.size() - 2), rest_.lo,
                               rest_.shift, rest_.none});
    const auto at_most = [&](std::int32_t limit) {
      return column_ops::sums(policy, column_ops::SumsWhere{values, values, limit}, here->paths_);
    };
    rest_.below = rest_.below + at_most(std::min(rest_.lo, rest_.none) - 1);
    return at_most(rest_.none - 1);
  }

  Tally tally() const override {
    Tally all = rest_;
    all.count.resize(count_.size());
    count_.copy_to(all.count);
    for (std::size_t i = 0; i < rest_.count.size(); ++i) all.count[i] += rest_.count[i];
    return all;
  }

 private:
  Tally rest_{};  // the bins, the sums below them, and the counts of columns in host memory if there are any
  DeviceBuffer<std::uint64_t> count_;
};

std::unique_ptr<Counter> DeviceColumns::counter(Tally empty) const {
  try {
    return std::make_unique<DeviceCounter>(empty);
  } catch (const Error& error) {
    if (error.code != cudaErrorMemoryAllocation) throw;
    return Columns::counter(std::move(empty));
  }
}

Sums DeviceColumns::count_into(Tally& tally, std::int32_t column) {
  DeviceCounter counter(tally);
  const Sums sums = counter.add(*this, column);
  tally = counter.tally();
  return sums;
}

}  // namespace headroom::cuda
