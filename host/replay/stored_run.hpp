// SPDX-License-Identifier: Apache-2.0
// A run that was written into a folder: its config as used, and which paths it ran.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/config/company.hpp"

namespace headroom {

// The folder holds no readable run; the text says the problem and the remedy.
struct StoredRunError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct StoredFile {
  std::string name;
  std::uint64_t bytes = 0;
  std::string sha256;
};

struct StoredRun {
  std::filesystem::path folder{};
  std::string id{}, version{}, commit{}, config_hash{};
  int schema = 0, summary_schema = 0;
  PathRange paths{};  // that were done
  std::uint64_t exact_paths = 0;
  std::vector<StoredFile> files{};  // every file but the manifest
};

// From manifest.json. Throws StoredRunError.
StoredRun read_stored_run(const std::filesystem::path& folder);

// Whether a path names a folder (of a run, one hopes) and no config file.
bool is_folder(const std::filesystem::path& path);

// The company of its inputs.toml. Throws StoredRunError if that is not the config that was run, and
// config::ConfigError.
Company load_stored_company(const StoredRun& run);

}  // namespace headroom
