// SPDX-License-Identifier: Apache-2.0
// A folder of results holds the files of one run, and not some of one and some of another.
//
// The files are written into a new folder beside it and flushed to disk; then the two folders are exchanged by
// one call of the system (renameat2), and the old one is removed. Whoever looks, after whatever failure, finds
// all old files or all new ones. Other files in the folder are linked into the new one before.
//
// The exchange is not possible everywhere: the folder is a mount point or the current folder, its parent
// cannot be written, it holds other folders, or the file system cannot do it. Then the files are staged in a
// folder inside and moved one by one: manifest.json is taken away first and comes last, and a failure puts the
// old files back. A program that was killed in between leaves a folder without manifest.json; the next writer
// puts the old files back.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "host/report/files.hpp"

namespace headroom::report {

// All names that a run writes. Other names in the folder are the user's.
inline constexpr std::array<std::string_view, 7> kResultNames = {
    "summary.json", "fcf.csv", "covenants.csv", "monthly.csv", "results.csv", "inputs.toml", "manifest.json"};

std::string new_run_id();  // 16 hex digits

// Another process has the folder's lock: it writes results or checkpoints there.
bool has_writer(const std::filesystem::path& folder);

class ResultFolder {
 public:
  // Makes the folder if it is missing, locks it until this object or the process ends, removes what a killed
  // writer left, and checks that files can be made. Throws OutputError, also if another process has the lock.
  explicit ResultFolder(const std::filesystem::path& folder);
  // Removes the folder if it was made here and nothing was written.
  ~ResultFolder();
  ResultFolder(const ResultFolder&) = delete;
  ResultFolder& operator=(const ResultFolder&) = delete;

  // Replaces all results by `files`, whose manifest.json holds `id`. Throws OutputError, which says whether the
  // old files are still there.
  void write(const std::string& id, const std::vector<OutputFile>& files);

 private:
  void lock(const std::filesystem::path& given);
  void check_names() const;
  void remove_leftovers() const;
  bool try_exchange(const std::string& id, const std::vector<OutputFile>& files);
  void move_in(const std::string& id, const std::vector<OutputFile>& files) const;

  std::filesystem::path path_{};  // canonical
  bool made_ = false, written_ = false, locks_ = true;
  int lock_ = -1, new_lock_ = -1;
};

}  // namespace headroom::report
