// SPDX-License-Identifier: Apache-2.0
// Whether a folder of results still holds what its run wrote, and whether the run gives it again.
#pragma once

#include <string>
#include <vector>

#include "host/engine/engine.hpp"
#include "host/replay/stored_run.hpp"

namespace headroom {

// What differs from manifest.json, a line each: files that are missing, changed or not of the run, and a config
// that is not the one that was run. Empty if all is well.
std::vector<std::string> check_files(const StoredRun& run);

// Runs all paths again and names each CSV file whose bytes would differ, with its first differing line.
// `threads`: 0: all cores. Throws StoredRunError and config::ConfigError.
std::vector<std::string> run_again(const StoredRun& run, Backend& backend, int threads);

}  // namespace headroom
