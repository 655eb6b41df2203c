// SPDX-License-Identifier: Apache-2.0
// What a study has done so far, in an SQLite file: it can be killed at any moment and goes on where it was.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/study/study.hpp"

namespace headroom::study {

// What may not change between the parts of a study: its name, and its text.
using Identity = std::vector<std::pair<std::string, std::string>>;
Identity identity_of(const Study& study);

// The study that a folder holds is another one, or --resume is missing; the text says what to do.
struct JournalError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Journal {
 public:
  // Opens or makes FOLDER/journal.sqlite and locks it until the end. Throws JournalError if it holds a study
  // and `resume` is false, or if that is another study; report::OutputError if it cannot be used.
  Journal(const std::filesystem::path& folder, const Study& study, bool resume);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // The points that are done.
  Results read() const;
  // Adds a point in one transaction.
  void add(std::size_t point, const PointResult& result);

 private:
  struct Database;
  std::unique_ptr<Database> database_;
  std::size_t points_;
};

}  // namespace headroom::study
