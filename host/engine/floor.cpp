// SPDX-License-Identifier: Apache-2.0
#include "host/engine/floor.hpp"

#include "headroom/philox.hpp"

namespace headroom {

Draws draws_of(const Scenario& scenario) {
  // path/parameters: growth of training and inference, ageing, systemic delay
  Draws draws{1, 4};
  draws.calls += scenario.launch.size;
  draws.normals += scenario.launch.size;
  for (std::int32_t i = 0; i < scenario.site.size; ++i) {
    const Site& site = scenario.site[i];
    if (site.running != 0) continue;
    for (const std::int32_t stage : site.has_stage) {
      draws.calls += stage;
      draws.normals += stage;
    }
    draws.calls += 3;    // commissioning, cost, permit
    draws.normals += 2;  // the permit is drawn as a uniform
  }
  draws.calls += scenario.customer.size + scenario.contract.size;
  draws.calls += (3 + scenario.freeze.possible) * scenario.months;
  draws.normals += (kFactorCount + 2) * scenario.months;  // shocks, and the sizes of two jumps
  if (scenario.on(kFundingWindow)) {
    for (std::int32_t t = 0; t < scenario.months; ++t) {
      draws.calls += t == 0 || scenario.month[t - 1].quarter_end != 0 ? 1 : 0;
    }
  }
  return draws;
}

std::uint64_t draw_one(const PathRange& path, Draws draws) {
  std::uint32_t words = 0;
  Real normals = 0;
  for (std::int32_t call = 0; call < draws.calls; ++call) {
    const Philox4 w =
        philox4x32_10({static_cast<std::uint32_t>(path.first), static_cast<std::uint32_t>(path.first >> 32),
                       static_cast<std::uint32_t>(call), 0},
                      static_cast<std::uint32_t>(path.seed), static_cast<std::uint32_t>(path.seed >> 32));
    const std::uint32_t word[4] = {w.w0, w.w1, w.w2, w.w3};
    for (int i = 0; i < 4 && 4 * call + i < draws.normals; ++i) normals += normal(word[i]);
    words += (w.w0 ^ w.w1) + (w.w2 ^ w.w3);
  }
  return words + std::uint64_t{to_bits(normals)};
}

}  // namespace headroom
