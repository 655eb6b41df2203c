// SPDX-License-Identifier: Apache-2.0
// The kept columns in device memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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

// Elements in memory of a Scratch, not initialised, until the end of this object.
template <class T>
class Borrowed {
 public:
  Borrowed(Scratch& from, std::size_t size)
      : from_(from), size_(size), memory_(from.allocate(static_cast<std::ptrdiff_t>(size * sizeof(T)))) {}
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  ~Borrowed() { from_.deallocate(memory_, size_ * sizeof(T)); }

  T* data() const { return reinterpret_cast<T*>(memory_); }  // cudaMalloc aligns for every type
  std::vector<T> values() const {
    std::vector<T> found(size_);
    if (size_ != 0) HEADROOM_CUDA(cudaMemcpy(found.data(), memory_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
    return found;
  }

 private:
  Scratch& from_;
  std::size_t size_;
  char* memory_;
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
  // Its counts stay on the card, if the card has room for them.
  std::unique_ptr<Counter> counter(Tally empty) const override;
  std::vector<std::int32_t> order_statistics(std::int32_t column,
                                             std::span<const std::uint64_t> ranks) override;
  Sums sums_of_smallest(std::int32_t column, std::uint64_t count) override;
  void read(std::int32_t column, std::uint64_t first, std::span<std::int32_t> out) override;

 private:
  class DeviceCounter;
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
