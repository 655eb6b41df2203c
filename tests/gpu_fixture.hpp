// SPDX-License-Identifier: Apache-2.0
// A card, or a skip: what every test that needs one shares.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "host/engine/engine.hpp"

namespace headroom {

// A card that is absent is a printed skip; HEADROOM_REQUIRE_GPU=1 forbids skipping.
class GpuTest : public testing::Test {
 protected:
  void SetUp() override {
    static const CudaProbe probe = probe_cuda();
    if (probe.usable) return;
    const char* const required = std::getenv("HEADROOM_REQUIRE_GPU");
    if (required != nullptr && std::string(required) == "1") {
      FAIL() << "HEADROOM_REQUIRE_GPU=1, but " << probe.text;
    }
    GTEST_SKIP() << "no card: " << probe.text;
  }
};

}  // namespace headroom
