// SPDX-License-Identifier: Apache-2.0
// Lower bounds of a backend's time, for benchmarks: drawing the random numbers of its paths alone, and
// copying memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "headroom/scenario.hpp"
#include "host/engine/engine.hpp"

namespace headroom {

// The draws of one path: Philox calls of four words each, and the normals made from their words.
struct Draws {
  std::int32_t calls = 0, normals = 0;
};
// The draws that start() and advance() in month.hpp make on every path of a scenario.
Draws draws_of(const Scenario& scenario);

class Floor {
 public:
  virtual ~Floor() = default;
  // Draws as many words and normals as the paths draw: four words a call, and normals from the first
  // `draws.normals` of them. Everything is added up, so that nothing can be optimised away. Returns the sum
  // modulo 2^64, which is the same for every backend.
  virtual std::uint64_t draw(const PathRange& paths, Draws draws) = 0;
  // Copies the first half of a buffer to the second half. The first call allocates the buffer.
  virtual void copy(std::uint64_t bytes) = 0;
};

// `isa` and `threads` as in RunPlan.
std::unique_ptr<Floor> make_cpu_floor(const std::string& isa, int threads);
std::unique_ptr<Floor> make_cuda_floor();  // throws std::runtime_error with the reason

// The sum of one path, from the scalar generator: the reference for draw().
std::uint64_t draw_one(const PathRange& path, Draws draws);

}  // namespace headroom
