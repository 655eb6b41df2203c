// SPDX-License-Identifier: Apache-2.0
// Limits of the CUDA backend, and functions that its files share. C++ only.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>

#include "host/engine/engine.hpp"

namespace headroom::cuda {

// Tests set less than the card has, so that a small run takes the same ways as a large one.
struct Limits {
  std::uint64_t bytes = std::numeric_limits<std::uint64_t>::max();    // for state and columns
  std::uint32_t threads = std::numeric_limits<std::uint32_t>::max();  // paths in flight
};

std::unique_ptr<Backend> make_backend(const Limits& limits);

// Loads the path kernel onto the current device; throws where this build has no code for it.
void load_kernel();

}  // namespace headroom::cuda
