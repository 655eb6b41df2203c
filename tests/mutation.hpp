// SPDX-License-Identifier: Apache-2.0
// Configs in memory, with a text of theirs changed.
#pragma once

#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/config/company.hpp"

namespace headroom {

// The shipped companies.
inline const std::vector<std::string> kCompanies = {"demo", "lakeside-template", "coreweave-1q26",
                                                    "nebius-1q26"};

class Mutant {
 public:
  explicit Mutant(std::string file) : file_(std::move(file)) {}

  const std::string& text(const std::string& file) {
    const auto [at, is_new] = texts_.try_emplace(file);
    if (is_new) {
      std::ifstream in(file, std::ios::binary);
      at->second = {std::istreambuf_iterator<char>(in), {}};
    }
    return at->second;
  }

  // Loads the company with one file's text replaced. Throws config::ConfigError.
  Company load(const std::string& changed = "", const std::string& text_of_it = "") {
    return load_company({.file = file_, .read = [&](const std::string& file) {
                           return std::optional(file == changed ? text_of_it : text(file));
                         }});
  }

  // The text of the file that `place` is in, with the number there replaced.
  std::string with_number(const config::Place& place, const std::string& number) {
    std::string changed = text(place.file);
    std::size_t at = 0;
    for (std::uint32_t line = 1; line < place.line; ++line) at = changed.find('\n', at) + 1;
    at += place.column - 1;
    const std::size_t end = changed.find_first_not_of("+-0123456789._eE", at);
    changed.replace(at, std::min(end, changed.size()) - at, number);
    return changed;
  }

 private:
  std::string file_;
  std::map<std::string, std::string> texts_{};
};

}  // namespace headroom
