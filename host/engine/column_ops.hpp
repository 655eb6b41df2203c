// SPDX-License-Identifier: Apache-2.0
// The exact integer reductions behind Columns, for any Thrust execution policy. The CUDA backend uses all of
// them (cuda/reduce.cu). The host uses the sort and the counts, on Thrust's sequential system, and has vector
// loops for the sums (host_columns.cpp). A column is a raw pointer to `paths` int32 values in memory that the
// policy can reach. Sums are of integers, so no answer depends on the order of evaluation.
#pragma once

#include <thrust/count.h>
#include <thrust/functional.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/reduce.h>
#include <thrust/sort.h>
#include <thrust/transform.h>
#include <thrust/transform_reduce.h>

#include <cstdint>

#include "headroom/hd.hpp"
#include "host/engine/columns.hpp"

namespace headroom::column_ops {

// Functors on a value.

struct IsNotZero {
  HEADROOM_HD bool operator()(std::int32_t value) const { return value != 0; }
};

// An order-preserving map from int32 to uint32, and its inverse.
struct Biased {
  HEADROOM_HD std::uint32_t operator()(std::int32_t value) const {
    return static_cast<std::uint32_t>(value) ^ 0x80000000U;
  }
  HEADROOM_HD std::uint32_t operator()(std::uint32_t biased) const { return biased ^ 0x80000000U; }
};

HEADROOM_HD Sums sums_of(std::int32_t value) {
  return {1, value, static_cast<Int128>(std::int64_t{value} * value)};
}

// Functors on a path.

struct SumsAt {
  const std::int32_t* column;
  HEADROOM_HD Sums operator()(std::uint64_t path) const { return sums_of(column[path]); }
};
struct BothAtMost {
  const std::int32_t* a;
  const std::int32_t* b;
  std::int32_t limit;
  HEADROOM_HD bool operator()(std::uint64_t path) const { return a[path] <= limit && b[path] <= limit; }
};
struct SumsWhere {
  const std::int32_t* column;
  const std::int32_t* flag;
  std::int32_t limit;
  HEADROOM_HD Sums operator()(std::uint64_t path) const {
    return flag[path] <= limit ? sums_of(column[path]) : Sums{};
  }
};
struct PathIfNotZero {
  const std::int32_t* column;
  std::uint64_t none;
  HEADROOM_HD std::uint64_t operator()(std::uint64_t path) const { return column[path] != 0 ? path : none; }
};
// A functor on a value that is sought, for cumulative_counts().
struct CountAtMost {
  const std::int32_t* sorted;
  std::uint64_t paths;
  HEADROOM_HD std::uint64_t operator()(std::int32_t x) const {
    std::uint64_t low = 0;
    std::uint64_t high = paths;
    while (low < high) {
      const std::uint64_t middle = low + (high - low) / 2;
      if (sorted[middle] <= x) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
};

// Reductions of an unsorted column.

// `at` is SumsAt or SumsWhere. The paths are counted, and no pointer is passed: CUB of CUDA 13.0 loads four
// integers at a time from a pointer also where an accumulator of Sums' size leaves a thread two of them
// (agent_reduce.cuh: VectorT is of the policy's VECTOR_LOAD_LENGTH), at addresses that are not aligned.
template <class At, class Policy>
Sums sums(const Policy& policy, const At& at, std::uint64_t paths) {
  const thrust::counting_iterator<std::uint64_t> first(0);
  return thrust::transform_reduce(policy, first, first + static_cast<std::ptrdiff_t>(paths), at, Sums{},
                                  thrust::plus<Sums>{});
}

template <class Policy>
std::uint64_t count_both(const Policy& policy, const BothAtMost& both, std::uint64_t paths) {
  const thrust::counting_iterator<std::uint64_t> first(0);
  return static_cast<std::uint64_t>(
      thrust::count_if(policy, first, first + static_cast<std::ptrdiff_t>(paths), both));
}

struct Offenders {
  std::uint64_t number, first;
};
template <class Policy>
Offenders offenders(const Policy& policy, const std::int32_t* column, std::uint64_t paths) {
  const auto count = static_cast<std::uint64_t>(thrust::count_if(policy, column, column + paths, IsNotZero{}));
  if (count == 0) return {0, 0};
  const thrust::counting_iterator<std::uint64_t> first(0);
  const std::uint64_t found =
      thrust::transform_reduce(policy, first, first + static_cast<std::ptrdiff_t>(paths),
                               PathIfNotZero{column, paths}, paths, thrust::minimum<std::uint64_t>{});
  return {count, found};
}

// A sorted copy, and the reductions that need one.

// Sorts as unsigned. The host sort of CCCL 3.0 puts negative ints after the others (its RadixEncoder<int>
// takes a long, stable_radix_sort.inl). Thrust 1.17 and the CUDA sort are right either way.
template <class Policy>
void sort_into(const Policy& policy, const std::int32_t* column, std::uint64_t paths, std::int32_t* sorted) {
  auto* const bits = reinterpret_cast<std::uint32_t*>(sorted);
  thrust::transform(policy, column, column + paths, bits, Biased{});
  thrust::sort(policy, bits, bits + paths);
  thrust::transform(policy, bits, bits + paths, bits, Biased{});
}

// out[k] = number of values that are at most k - 1, for k = 0..size. Differences of these are the counts.
template <class Policy>
void cumulative_counts(const Policy& policy, const std::int32_t* sorted, std::uint64_t paths, std::int32_t size,
                       std::uint64_t* out) {
  const thrust::counting_iterator<std::int32_t> first(-1);
  thrust::transform(policy, first, first + (size + 1), out, CountAtMost{sorted, paths});
}

}  // namespace headroom::column_ops
