// SPDX-License-Identifier: Apache-2.0
#include "host/engine/floor.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "host/cpu/isa.hpp"
#include "host/engine/threads.hpp"

namespace headroom {

namespace {

class CpuFloor final : public Floor {
 public:
  CpuFloor(const std::string& isa, int threads) : draw_floor_(choose_isa(isa).draw_floor), threads_(threads) {}

  std::uint64_t draw(const PathRange& paths, Draws draws) override {
    const std::uint64_t blocks = (paths.count + kLanes - 1) / kLanes;
    std::atomic<std::uint64_t> next{0}, total{0};
    on_threads(useful_threads(threads_, blocks), [&](unsigned) {
      for (std::uint64_t block = next++; block < blocks; block = next++) {
        const std::uint64_t first = block * kLanes;
        total += draw_floor_(paths.seed, paths.first + first,
                             static_cast<std::int32_t>(std::min<std::uint64_t>(kLanes, paths.count - first)),
                             draws.calls, draws.normals);
      }
    });
    return total;
  }

  void copy(std::uint64_t bytes) override {
    if (memory_.size() < 2 * bytes) memory_.assign(2 * bytes, 1);
    const unsigned threads = useful_threads(threads_, bytes);
    on_threads(threads, [&](unsigned thread) {
      const std::uint64_t from = bytes * thread / threads, to = bytes * (thread + 1) / threads;
      std::memcpy(memory_.data() + bytes + from, memory_.data() + from, to - from);
    });
  }

 private:
  FloorFunction draw_floor_;
  int threads_;
  std::vector<char> memory_{};
};

}  // namespace

std::unique_ptr<Floor> make_cpu_floor(const std::string& isa, int threads) {
  return std::make_unique<CpuFloor>(isa, threads);
}

}  // namespace headroom
