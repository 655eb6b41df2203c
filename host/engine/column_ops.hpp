// The exact integer reductions behind ColumnStore, over any Thrust execution policy: the host's OpenMP system
// (host_columns.cpp) and CUDA (cuda/reduce.cu). A column is `paths` int32 values at a raw pointer of the memory
// that the policy works on. Integer sums: every answer is independent of the order of evaluation.
//
// Sums: |value| <= 2^30 and fewer than 2^33 paths, so int64 holds a sum and 128 bits hold a sum of squares.
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
#include "host/engine/engine.hpp"

namespace headroom::column_ops {

// Functors over a value.

struct AtMost {
  std::int32_t x;
  HEADROOM_HD bool operator()(std::int32_t value) const { return value <= x; }
};
struct IsNotZero {
  HEADROOM_HD bool operator()(std::int32_t value) const { return value != 0; }
};
struct Wide {
  HEADROOM_HD std::int64_t operator()(std::int32_t value) const { return value; }
};
struct Square {
  HEADROOM_HD Int128 operator()(std::int32_t value) const {
    const Int128 wide = value;
    return wide * wide;
  }
};

// Order-preserving between int32 and uint32, and its inverse.
struct Biased {
  HEADROOM_HD std::uint32_t operator()(std::int32_t value) const {
    return static_cast<std::uint32_t>(value) ^ 0x80000000U;
  }
  HEADROOM_HD std::uint32_t operator()(std::uint32_t biased) const { return biased ^ 0x80000000U; }
};

// Functors over a path.

struct BothAtMost {
  const std::int32_t* a;
  std::int32_t xa;
  const std::int32_t* b;
  std::int32_t xb;
  HEADROOM_HD bool operator()(std::uint64_t path) const { return a[path] <= xa && b[path] <= xb; }
};
struct ValueWhere {
  const std::int32_t* column;
  const std::int32_t* flag;
  std::int32_t x;
  HEADROOM_HD std::int64_t operator()(std::uint64_t path) const {
    return flag[path] <= x ? std::int64_t{column[path]} : std::int64_t{0};
  }
};
struct SquareWhere {
  ValueWhere value;
  HEADROOM_HD Int128 operator()(std::uint64_t path) const {
    const Int128 wide = value(path);
    return wide * wide;
  }
};
struct PathIfNotZero {
  const std::int32_t* column;
  std::uint64_t none;
  HEADROOM_HD std::uint64_t operator()(std::uint64_t path) const { return column[path] != 0 ? path : none; }
};
struct MinimumOf {
  const std::int32_t* first;  // columns follow each other at distance `paths`
  std::uint64_t paths;
  std::int32_t columns;
  HEADROOM_HD std::int32_t operator()(std::uint64_t path) const {
    std::int32_t least = first[path];
    for (std::int32_t c = 1; c < columns; ++c) {
      least = min(least, first[static_cast<std::uint64_t>(c) * paths + path]);
    }
    return least;
  }
};

// Functor over a value of interest, for cumulative_counts().
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

template <class Policy>
std::int64_t sum(const Policy& policy, const std::int32_t* column, std::uint64_t paths) {
  return thrust::transform_reduce(policy, column, column + paths, Wide{}, std::int64_t{0},
                                  thrust::plus<std::int64_t>{});
}

template <class Policy>
Int128 sum_of_squares(const Policy& policy, const std::int32_t* column, std::uint64_t paths) {
  return thrust::transform_reduce(policy, column, column + paths, Square{}, Int128{0}, thrust::plus<Int128>{});
}

template <class Policy>
std::uint64_t count_at_most(const Policy& policy, const std::int32_t* column, std::uint64_t paths,
                            std::int32_t x) {
  return static_cast<std::uint64_t>(thrust::count_if(policy, column, column + paths, AtMost{x}));
}

template <class Policy>
std::uint64_t count_both_at_most(const Policy& policy, const BothAtMost& both, std::uint64_t paths) {
  const thrust::counting_iterator<std::uint64_t> first(0);
  return static_cast<std::uint64_t>(
      thrust::count_if(policy, first, first + static_cast<std::ptrdiff_t>(paths), both));
}

template <class Policy>
std::int64_t sum_where(const Policy& policy, const ValueWhere& value, std::uint64_t paths) {
  const thrust::counting_iterator<std::uint64_t> first(0);
  return thrust::transform_reduce(policy, first, first + static_cast<std::ptrdiff_t>(paths), value,
                                  std::int64_t{0}, thrust::plus<std::int64_t>{});
}

template <class Policy>
Int128 sum_of_squares_where(const Policy& policy, const ValueWhere& value, std::uint64_t paths) {
  const thrust::counting_iterator<std::uint64_t> first(0);
  return thrust::transform_reduce(policy, first, first + static_cast<std::ptrdiff_t>(paths), SquareWhere{value},
                                  Int128{0}, thrust::plus<Int128>{});
}

template <class Policy>
ColumnStore::NotZero not_zero(const Policy& policy, const std::int32_t* column, std::uint64_t paths) {
  const auto count = static_cast<std::uint64_t>(thrust::count_if(policy, column, column + paths, IsNotZero{}));
  if (count == 0) return {0, 0};
  const thrust::counting_iterator<std::uint64_t> first(0);
  const std::uint64_t found =
      thrust::transform_reduce(policy, first, first + static_cast<std::ptrdiff_t>(paths),
                               PathIfNotZero{column, paths}, paths, thrust::minimum<std::uint64_t>{});
  return {count, found};
}

// out[path] = the least of `columns` columns that follow each other.
template <class Policy>
void minimum_of(const Policy& policy, const std::int32_t* first_column, std::int32_t columns,
                std::uint64_t paths, std::int32_t* out) {
  const thrust::counting_iterator<std::uint64_t> first(0);
  thrust::transform(policy, first, first + static_cast<std::ptrdiff_t>(paths), out,
                    MinimumOf{first_column, paths, columns});
}

// A sorted copy, and what needs one.

// Sorted as unsigned: the host sort of CCCL 3.0 puts negative ints after the others (its RadixEncoder<int>
// takes a long, stable_radix_sort.inl); Thrust 1.17 and the CUDA sort are right either way.
template <class Policy>
void sort_into(const Policy& policy, const std::int32_t* column, std::uint64_t paths, std::int32_t* sorted) {
  auto* const bits = reinterpret_cast<std::uint32_t*>(sorted);
  thrust::transform(policy, column, column + paths, bits, Biased{});
  thrust::sort(policy, bits, bits + paths);
  thrust::transform(policy, bits, bits + paths, bits, Biased{});
}

// out[k] = number of values at most k - 1, k = 0..size. counts are the differences.
template <class Policy>
void cumulative_counts(const Policy& policy, const std::int32_t* sorted, std::uint64_t paths, std::int32_t size,
                       std::uint64_t* out) {
  const thrust::counting_iterator<std::int32_t> first(-1);
  thrust::transform(policy, first, first + (size + 1), out, CountAtMost{sorted, paths});
}

}  // namespace headroom::column_ops
