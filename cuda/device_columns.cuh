// SPDX-License-Identifier: Apache-2.0
// The kept columns in device memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cuda/buffer.cuh"
#include "host/engine/columns.hpp"

namespace headroom::cuda {

// Temporary memory for Thrust, an allocator in Thrust's sense. It is kept from one call to the next, because
// cudaMalloc and cudaFree wait for the device.
class Scratch {
 public:
  using value_type = char;
  char* allocate(std::ptrdiff_t bytes);
  void deallocate(char* memory, std::size_t bytes) noexcept;

 private:
  struct Piece {
    DeviceBuffer<char> memory;
    bool taken;
  };
  std::vector<Piece> pieces_{};
};

// One buffer [column][paths]. Reductions are those of host/engine/column_ops.hpp on Thrust's CUDA system. One
// caller at a time. The sorted copy of the last column asked for is kept.
class DeviceColumns final : public Columns {
 public:
  DeviceColumns(std::int32_t columns, std::uint64_t paths);

  std::int32_t* column(std::int32_t c) { return values_.data() + static_cast<std::uint64_t>(c) * paths_; }

  std::uint64_t paths() const override { return paths_; }
  std::vector<Int128> answer(const Question& question) override;
  Sums count_into(Tally& tally, std::int32_t column) override;
  std::vector<std::int32_t> order_statistics(std::int32_t column,
                                             std::span<const std::uint64_t> ranks) override;
  Sums sums_of_smallest(std::int32_t column, std::uint64_t count) override;
  void read(std::int32_t column, std::uint64_t first, std::span<std::int32_t> out) override;

 private:
  const std::int32_t* data(std::int32_t column) const;
  const std::int32_t* sorted(std::int32_t column);
  std::vector<Int128> counts(std::int32_t column, std::int32_t size);

  std::int32_t columns_;
  std::uint64_t paths_;
  DeviceBuffer<std::int32_t> values_;
  DeviceBuffer<std::int32_t> sorted_{};
  std::int32_t sorted_column_ = -1;
  Scratch scratch_{};
};

// The peak bytes of device memory for so many columns: the columns, a sorted copy, and the sort's own buffer.
constexpr std::uint64_t device_columns_bytes(std::int32_t columns, std::uint64_t paths) {
  return (static_cast<std::uint64_t>(columns) + 2) * paths * sizeof(std::int32_t);
}

}  // namespace headroom::cuda
