// SPDX-License-Identifier: Apache-2.0
// Result files that are written in full or not at all.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace headroom::report {

struct OutputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct OutputFile {
  std::string name;  // inside the folder
  std::string content;
};

// Makes the folder (or the file's folder) if it is missing, and checks that a file can be made in it. Throws
// OutputError.
void prepare_folder(const std::filesystem::path& folder);
void prepare_file(const std::filesystem::path& file);

// Writes every file under a temporary name in the folder, flushes all of them to disk, then renames them. A
// reader never sees half a file, and old files stay until all new ones are complete. On failure it throws
// OutputError and leaves no temporary file behind. A link is followed; anything that is not a regular file (a
// pipe, /dev/stdout) is written into.
void write_files(const std::filesystem::path& folder, const std::vector<OutputFile>& files);
void write_file(const std::filesystem::path& file, const std::string& content);

}  // namespace headroom::report
