// SPDX-License-Identifier: Apache-2.0
// Owned device memory. Views and plain pointers do not own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "cuda/check.cuh"

namespace headroom::cuda {

// 2048 bytes, 137 MiB, 12 GiB: a whole number of the largest unit that leaves at least two digits.
inline std::string bytes_text(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB"};
  int unit = 0;
  for (; unit < 3 && bytes >= 10 * 1024; ++unit) bytes = (bytes + 512) / 1024;
  return std::to_string(bytes) + " " + kUnits[unit];
}

// `size` elements from plain cudaMalloc, not initialised.
template <class T>
class DeviceBuffer {
 public:
  static_assert(std::is_trivially_copyable_v<T>);

  DeviceBuffer() = default;
  DeviceBuffer(std::size_t size, std::string_view purpose) : size_(size) {
    if (size == 0) return;
    void* memory = nullptr;
    const cudaError_t code = cudaMalloc(&memory, bytes());
    check(code, "cudaMalloc of " + bytes_text(bytes()) + " for " + std::string(purpose), __FILE__, __LINE__);
    data_ = static_cast<T*>(memory);
  }
  DeviceBuffer(std::span<const T> values, std::string_view purpose) : DeviceBuffer(values.size(), purpose) {
    if (size_ != 0) HEADROOM_CUDA(cudaMemcpy(data_, values.data(), bytes(), cudaMemcpyHostToDevice));
  }
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~DeviceBuffer() { cudaFree(data_); }  // fails only with an earlier call's error, which was thrown

  T* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t bytes() const { return size_ * sizeof(T); }

  // Sets every byte.
  void fill(int byte) {
    if (size_ != 0) HEADROOM_CUDA(cudaMemset(data_, byte, bytes()));
  }
  // Elements [first, first + out.size()).
  void copy_to(std::span<T> out, std::size_t first = 0) const {
    if (first > size_ || out.size() > size_ - first) throw std::out_of_range("DeviceBuffer: no such elements");
    if (out.empty()) return;
    HEADROOM_CUDA(cudaMemcpy(out.data(), data_ + first, out.size_bytes(), cudaMemcpyDeviceToHost));
  }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace headroom::cuda
