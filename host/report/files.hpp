// SPDX-License-Identifier: Apache-2.0
// A file that is written in full or not at all.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

namespace headroom::report {

struct OutputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct OutputFile {
  std::string name;  // inside the folder
  std::string content;
};

// Makes the file's folder if it is missing, and checks that a file can be made in it. Throws OutputError.
void prepare_file(const std::filesystem::path& file);

// Writes under a temporary name, flushes it to disk, then renames it: a reader never sees half a file. On
// failure it throws OutputError, and the old file stays. A link is followed; anything that is not a regular
// file (a pipe, /dev/stdout) is written into. The files of a run: folder.hpp.
void write_file(const std::filesystem::path& file, const std::string& content);

}  // namespace headroom::report
