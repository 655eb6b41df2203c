// SPDX-License-Identifier: Apache-2.0
// The same bytes from the CPU and from a card.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/cpu/pilot.hpp"
#include "host/engine/engine.hpp"
#include "tests/gpu_fixture.hpp"
#include "tests/outcomes_fixture.hpp"

namespace headroom {
namespace {

class CudaParity : public GpuTest, public testing::WithParamInterface<const char*> {
 protected:
  void compare(const PathRange& paths, std::vector<std::uint64_t> list = {}) {
    const Scenario scenario = company_.data.view();
    const std::vector<BinRange> bins = pilot_bins(scenario, paths.seed);
    RunPlan plan;
    plan.paths = paths;
    plan.list = std::move(list);
    const Outcomes cpu = make_cpu_backend()->simulate(scenario, plan, bins);
    const Outcomes cuda = make_cuda_backend()->simulate(scenario, plan, bins);
    SCOPED_TRACE(testing::Message() << GetParam() << ", seed " << paths.seed << ", paths " << paths.first << "+"
                                    << paths.count << ", " << cuda.device);
    expect_same_outcomes(cpu, cuda);
  }
  Company company_ = planned_company(GetParam());
};

TEST_P(CudaParity, TenSeeds) {
  for (std::uint64_t seed = 1; seed <= 9; ++seed) compare({seed, 0, 10'000});
  compare({std::numeric_limits<std::uint64_t>::max(), 0, 10'000});
}

TEST_P(CudaParity, AnyNumberOfPaths) {
  for (const std::uint64_t count : {0, 1, 31, 32, 33, 127, 128, 129}) compare({1, 0, count});
}

TEST_P(CudaParity, MoreThanOneLaunch) { compare({2, 5, 500'001}); }

TEST_P(CudaParity, PathNumbersBeyond32Bits) {
  compare({3, (std::uint64_t{1} << 32) - 100, 1000});
  compare({3, (std::uint64_t{1} << 63) + 1, 1000});
}

TEST_P(CudaParity, AListOfPaths) {
  std::vector<std::uint64_t> list{7, 3, std::uint64_t{1} << 40, 3};
  for (std::uint64_t i = 0; i < 600; ++i) list.push_back(i * i);
  compare({5, 0, list.size()}, list);
}

// One mechanism frozen at a time, and all: conditions that stand outside the lanes. HEADROOM_PARITY_PATHS:
// instead of 512 paths.
TEST_P(CudaParity, EverySwitch) {
  const char* const asked = std::getenv("HEADROOM_PARITY_PATHS");
  const std::uint64_t count = asked != nullptr ? std::strtoull(asked, nullptr, 10) : 512;
  ASSERT_GT(count, 0U);
  for (std::uint32_t frozen = 1; frozen <= kAllSwitches; frozen <<= 1) {
    company_.data.parameters.switches = kAllSwitches & ~frozen;
    compare({4, 0, count});
  }
  company_.data.parameters.switches = 0;
  compare({4, 0, count});
}

INSTANTIATE_TEST_SUITE_P(Companies, CudaParity,
                         testing::Values("demo", "lakeside-template", "coreweave-1q26", "nebius-1q26",
                                         "springing", "cured"),
                         [](const auto& instance) {
                           const std::string name = instance.param;
                           return name.substr(0, name.find('-'));
                         });

}  // namespace
}  // namespace headroom
