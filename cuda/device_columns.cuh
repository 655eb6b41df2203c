// The kept columns in device memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cuda/buffer.cuh"
#include "host/engine/engine.hpp"

namespace headroom::cuda {

// Where Thrust takes its temporary memory: kept from one call to the next, since cudaMalloc and cudaFree wait
// for the device. An allocator in Thrust's sense.
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

// One buffer [column][paths]; host/risk/column_ops.hpp on Thrust's CUDA system. One caller at a time. The
// sorted copy of the column last asked for is kept.
class DeviceColumns final : public ColumnStore {
 public:
  DeviceColumns(std::int32_t columns, std::uint64_t paths);

  std::int32_t* column(std::int32_t c) { return values_.data() + static_cast<std::uint64_t>(c) * paths_; }

  std::uint64_t paths() const override { return paths_; }
  std::vector<std::int32_t> order_statistics(std::int32_t column, std::span<const std::uint64_t> ranks,
                                             std::int32_t none) override;
  std::int64_t sum(std::int32_t column) override;
  Int128 sum_of_squares(std::int32_t column) override;
  std::int64_t sum_of_smallest(std::int32_t column, std::uint64_t count) override;
  Int128 sum_of_squares_of_smallest(std::int32_t column, std::uint64_t count) override;
  std::uint64_t count_at_most(std::int32_t column, std::int32_t x) override;
  std::uint64_t count_both_at_most(std::int32_t column_a, std::int32_t xa, std::int32_t column_b,
                                   std::int32_t xb) override;
  std::int64_t sum_where(std::int32_t column, std::int32_t flag, std::int32_t x) override;
  Int128 sum_of_squares_where(std::int32_t column, std::int32_t flag, std::int32_t x) override;
  std::vector<std::uint64_t> counts(std::int32_t column, std::int32_t size) override;
  NotZero not_zero(std::int32_t column) override;
  std::int32_t minimum_of(std::int32_t first, std::int32_t count) override;
  void read(std::int32_t column, std::uint64_t first, std::span<std::int32_t> out) override;
  void add_to(Tally& tally, std::int32_t column) override;

 private:
  const std::int32_t* data(std::int32_t column) const;
  const std::int32_t* sorted(std::int32_t column);

  std::int32_t columns_;
  std::uint64_t paths_;
  DeviceBuffer<std::int32_t> values_;
  DeviceBuffer<std::int32_t> minimum_{};  // the derived column, known as number columns_
  DeviceBuffer<std::int32_t> sorted_{};
  std::int32_t sorted_column_ = -1;
  Scratch scratch_{};
};

// Bytes of device memory that so many columns need at their peak: the columns, the derived one, a sorted copy
// and the sort's own.
constexpr std::uint64_t device_columns_bytes(std::int32_t columns, std::uint64_t paths) {
  return (static_cast<std::uint64_t>(columns) + 3) * paths * sizeof(std::int32_t);
}

}  // namespace headroom::cuda
