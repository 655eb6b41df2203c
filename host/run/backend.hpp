// SPDX-License-Identifier: Apache-2.0
// Chooses the backend of a run, and checks that the run fits into memory.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "headroom/scenario.hpp"
#include "host/engine/engine.hpp"

namespace headroom {

// The backend asked for is not available, or cannot do the run.
struct BackendError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The run does not fit into memory; the text says what would fit.
struct MemoryError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Chosen {
  std::unique_ptr<Backend> backend;
  std::string reason;  // why it was chosen; empty if it was asked for
};

// `wanted`: auto, cpu, cuda. `isa`: auto, or a set that the processor must have. Throws BackendError.
Chosen choose_backend(const std::string& wanted, const std::string& isa);

// Throws MemoryError, with the number of paths that would fit, if the columns and histograms of so many paths
// do not fit into this machine's memory.
void check_memory(const Backend& backend, const Scenario& scenario, std::uint64_t paths,
                  std::uint64_t exact_paths, int threads);

}  // namespace headroom
