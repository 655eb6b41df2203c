// SPDX-License-Identifier: Apache-2.0
// Drawing the random numbers of a path alone: as many as the model draws, and the same on every backend.
#include "host/engine/floor.hpp"

#include <gtest/gtest.h>

#include "host/cpu/isa.hpp"
#include "tests/outcomes_fixture.hpp"

namespace headroom {
namespace {

TEST(Floor, CountsWhatAPathDraws) {
  const Company demo = planned_company("demo");
  // Parameters; 5 launches; Abilene's 4 stages, commissioning, cost and permit; 2 customers, 3 contracts; three
  // calls a month and one for freezes, and the funding window in the 20 quarters.
  EXPECT_EQ(draws_of(demo.data.view()).calls, 1 + 5 + 7 + 2 + 3 + 4 * 60 + 20);
  // Growth of two demands, ageing, systemic delay; launches; 4 stages, commissioning, cost; 7 shocks and 2
  // jumps.
  EXPECT_EQ(draws_of(demo.data.view()).normals, 4 + 5 + 6 + 9 * 60);
}

TEST(Floor, EveryInstructionSetAndThreadGivesTheScalarSum) {
  for (const Draws draws : {Draws{3, 0}, Draws{3, 5}, Draws{4, 16}, Draws{2, 7}}) {
    for (const PathRange paths : {PathRange{1, 0, 1}, PathRange{7, (std::uint64_t{1} << 32) - 300, 1000}}) {
      std::uint64_t expected = 0;
      for (std::uint64_t i = 0; i < paths.count; ++i)
        expected += draw_one({paths.seed, paths.first + i, 1}, draws);
      for (const std::string& isa : cpu_isas()) {
        for (const int threads : {1, 3})
          EXPECT_EQ(make_cpu_floor(isa, threads)->draw(paths, draws), expected) << isa;
      }
    }
  }
}

}  // namespace
}  // namespace headroom
