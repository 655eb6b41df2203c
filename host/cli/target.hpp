// SPDX-License-Identifier: Apache-2.0
// What `why`, `replay` and `compare` are given: a result folder, or a config with seed and paths.
#pragma once

#include <string>

#include "headroom/scenario.hpp"
#include "host/cli/options.hpp"
#include "host/config/company.hpp"

namespace headroom::cli {

struct Target {
  std::string given{};  // with the options that name the run, as another command needs them
  Company company{};
  PathRange paths{};
};

// The config options, and --paths, --seed, --first-path for a config alone.
void add_target_options(Usage& usage);

// Throws UsageError, also if an option that only a config has is given with a folder, StoredRunError and
// config::ConfigError.
Target load_target(const po::variables_map& options);

}  // namespace headroom::cli
