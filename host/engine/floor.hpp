// SPDX-License-Identifier: Apache-2.0
// What a backend cannot go below: the random numbers of its paths and nothing else, and a copy of memory. For
// benchmarks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "headroom/scenario.hpp"
#include "host/engine/engine.hpp"

namespace headroom {

// What one path draws: Philox calls of four words each, and normals made of their words.
struct Draws {
  std::int32_t calls = 0, normals = 0;
};
// Of each path of a scenario; start() and advance() in month.hpp.
Draws draws_of(const Scenario& scenario);

class Floor {
 public:
  virtual ~Floor() = default;
  // Draws what the paths draw: four words a call, the first `draws.normals` of them made normals; all of it is
  // added up, so that nothing can be left out. Returns the sum, modulo 2^64: the same from every backend.
  virtual std::uint64_t draw(const PathRange& paths, Draws draws) = 0;
  // Copies the first half of a buffer to the second; the buffer is made at the first call.
  virtual void copy(std::uint64_t bytes) = 0;
};

// `isa` and `threads` as in RunPlan.
std::unique_ptr<Floor> make_cpu_floor(const std::string& isa, int threads);
std::unique_ptr<Floor> make_cuda_floor();  // throws std::runtime_error with the reason

// The sum over one path by the scalar generator: what draw() is checked against.
std::uint64_t draw_one(const PathRange& path, Draws draws);

}  // namespace headroom
