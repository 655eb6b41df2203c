// SPDX-License-Identifier: Apache-2.0
// What a path-month costs a thread, by company: PTX instructions, and the bytes of device memory that it loads
// and stores. `written`: in words that the launch writes (state, results); `read`: in those that it only reads
// (the tables of the scenario). Allowed is what limits.txt says, and two percent more for another release of
// nvcc.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "host/cpu/pilot.hpp"
#include "host/engine/engine.hpp"
#include "tests/outcomes_fixture.hpp"
#include "tests/ptx/sim.hpp"

namespace headroom {
namespace {

TEST(Counts, OfAPathMonthAreWithinTheLimits) {
  constexpr std::uint64_t kPaths = 128;
  const char* const kNames[] = {"instructions", "bytes written", "bytes read"};
  std::ifstream file(std::string(HEADROOM_SOURCE_DIR) + "/tests/ptx/limits.txt");
  std::string line;
  int companies = 0;
  std::string exceeded;
  std::printf("  a path-month (limit) %26s %20s %20s\n", kNames[0], kNames[1], kNames[2]);
  while (std::getline(file, line)) {
    if (line.starts_with('#')) continue;
    std::istringstream row(line);
    std::string company;
    row >> company;
    const Company planned = planned_company(company);
    const Scenario scenario = planned.data.view();
    RunPlan plan;
    plan.paths = {1, 0, kPaths};
    const ptx::Counters before = ptx::counters("simulate_paths");
    make_cuda_backend()->simulate(scenario, plan, pilot_bins(scenario, 1));
    const ptx::Counters after = ptx::counters("simulate_paths");
    const std::uint64_t ran[] = {after.instructions - before.instructions, after.written - before.written,
                                 after.read - before.read};
    std::printf("  %-25s", company.c_str());
    for (int i = 0; i < 3; ++i) {
      const double a_path_month =
          static_cast<double>(ran[i]) / static_cast<double>(kPaths) / static_cast<double>(scenario.months);
      double limit = 0;
      row >> limit;
      std::printf(" %10.0f (%7.0f)", a_path_month, limit);
      if (a_path_month > 1.02 * limit) exceeded += company + ": " + kNames[i] + "; ";
    }
    std::printf("\n");
    EXPECT_TRUE(row) << line;
    ++companies;
  }
  EXPECT_EQ(companies, 3);
  EXPECT_EQ(exceeded, "") << "are above their limits";
}

}  // namespace
}  // namespace headroom
