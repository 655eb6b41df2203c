// SPDX-License-Identifier: Apache-2.0
// The lower bounds that benchmarks measure on a card: they draw what the CPU draws, and copy what they say.
#include <gtest/gtest.h>

#include <cstdint>

#include "host/engine/floor.hpp"
#include "tests/gpu_fixture.hpp"

namespace headroom {
namespace {

class CudaFloor : public GpuTest {};

TEST_F(CudaFloor, TheSumOfAllDrawsIsTheCpus) {
  const auto cpu = make_cpu_floor("auto", 1), cuda = make_cuda_floor();
  for (const Draws draws :
       {Draws{0, 0}, Draws{3, 0}, Draws{3, 5}, Draws{4, 16}, Draws{2, 7}, Draws{250, 700}}) {
    for (const PathRange paths :
         {PathRange{1, 0, 1}, PathRange{7, (std::uint64_t{1} << 32) - 300, 1000}, PathRange{~0ULL, 5, 255}}) {
      EXPECT_EQ(cuda->draw(paths, draws), cpu->draw(paths, draws))
          << draws.calls << " calls, " << draws.normals << " normals, " << paths.count << " paths";
    }
  }
}

TEST_F(CudaFloor, CopiesOfAnySizeInAnyOrder) {
  const auto cuda = make_cuda_floor();
  for (const std::uint64_t bytes : {1U << 10, 1U << 20, 1U << 10}) EXPECT_NO_THROW(cuda->copy(bytes));
}

}  // namespace
}  // namespace headroom
