// SPDX-License-Identifier: Apache-2.0
// A book: which companies are run overnight, under which scenarios, and what must hold.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace headroom::book {

// One company under one scenario.
struct Entry {
  std::string company{}, scenario{};
  std::filesystem::path config{};
  std::vector<std::filesystem::path> overlays{};
  std::uint64_t paths = 0, seed = 1;
  double priority = 0;  // higher ones are run first
  bool why = false;     // its reasons are told, in why.txt
  std::vector<std::string> gates{};

  std::string name() const { return company + "/" + scenario; }
};

struct Book {
  std::string name{};
  std::string hash{};                    // of everything in the file
  std::vector<Entry> entries{};          // in the order in which they are run
  std::vector<std::string> headlines{};  // names of figures that the pages show
  std::optional<int> by_minute{};        // of the local day: nothing is begun after it
  int keep_nights = 0;                   // 0: all
};

// Throws config::ConfigError with every problem of the book. A company's own config is not read.
Book load_book(const std::filesystem::path& file, std::optional<std::uint64_t> paths = {});

}  // namespace headroom::book
