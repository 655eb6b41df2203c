// SPDX-License-Identifier: Apache-2.0
// Lower bounds of the path kernel's time: drawing the random numbers alone, and copying device memory.
#include <cstdint>
#include <memory>
#include <stdexcept>

#include "cuda/backend.hpp"
#include "cuda/buffer.cuh"
#include "cuda/check.cuh"
#include "cuda/generator.cuh"
#include "host/engine/floor.hpp"

namespace headroom {
namespace cuda {
namespace {

constexpr std::uint32_t kThreads = 256;

// One path per thread; it does what host/cpu/floor_lanes.cpp does in a lane.
__global__ void draw_paths(PathRange paths, Draws draws, unsigned long long* total) {
  const std::uint64_t index = std::uint64_t{blockIdx.x} * kThreads + threadIdx.x;
  std::uint32_t words = 0;
  Real normals = 0.0F;
  if (index < paths.count) {
    const std::uint64_t path = paths.first + index;
    const auto at = [&](std::int32_t call) {
      return CurandPhilox{}({static_cast<std::uint32_t>(path), static_cast<std::uint32_t>(path >> 32),
                             static_cast<std::uint32_t>(call), 0},
                            static_cast<std::uint32_t>(paths.seed),
                            static_cast<std::uint32_t>(paths.seed >> 32));
    };
    const auto add = [&](const Philox4& w) { words += (w.w0 ^ w.w1) + (w.w2 ^ w.w3); };
    std::int32_t call = 0;
    for (; 4 * call + 4 <= draws.normals; ++call) {
      const Philox4 w = at(call);
      normals = normals + normal(w.w0) + normal(w.w1) + normal(w.w2) + normal(w.w3);
      add(w);
    }
    for (; call < draws.calls; ++call) {
      const Philox4 w = at(call);
      const std::uint32_t word[4] = {w.w0, w.w1, w.w2, w.w3};
      for (std::int32_t i = 0; i < 4; ++i) {
        if (4 * call + i < draws.normals) normals += normal(word[i]);
      }
      add(w);
    }
  }
  const std::uint64_t sum = index < paths.count ? words + std::uint64_t{to_bits(normals)} : 0;
  // sum = high * 2^16 + low; neither sum over a warp overflows 32 bits.
  const auto low = __reduce_add_sync(~0U, static_cast<std::uint32_t>(sum & 0xffffU));
  const auto high = __reduce_add_sync(~0U, static_cast<std::uint32_t>(sum >> 16));
  if (threadIdx.x % 32 == 0) atomicAdd(total, (static_cast<unsigned long long>(high) << 16) + low);
}

class CudaFloor final : public Floor {
 public:
  std::uint64_t draw(const PathRange& paths, Draws draws) override {
    total_.fill(0);
    const std::uint64_t blocks = (paths.count + kThreads - 1) / kThreads;
    draw_paths<<<static_cast<std::uint32_t>(blocks), kThreads>>>(paths, draws, total_.data());
    check(cudaGetLastError(), "launch of draw_paths", __FILE__, __LINE__);
    unsigned long long total = 0;
    total_.copy_to({&total, 1});
    return total;
  }
  void copy(std::uint64_t bytes) override {
    if (memory_.size() < 2 * bytes) memory_ = DeviceBuffer<char>(2 * bytes, "a copy");
    HEADROOM_CUDA(cudaMemcpy(memory_.data() + bytes, memory_.data(), bytes, cudaMemcpyDeviceToDevice));
    HEADROOM_CUDA(cudaDeviceSynchronize());
  }

 private:
  DeviceBuffer<unsigned long long> total_{1, "a sum"};
  DeviceBuffer<char> memory_{};
};

}  // namespace
}  // namespace cuda

std::unique_ptr<Floor> make_cuda_floor() {
  const CudaProbe probe = probe_cuda();
  if (!probe.usable) throw std::runtime_error(probe.text);
  HEADROOM_CUDA(cudaSetDevice(0));
  return std::make_unique<cuda::CudaFloor>();
}

}  // namespace headroom
