// SPDX-License-Identifier: Apache-2.0
// Everything wrong with a config, collected first and printed at once:
//   file:line:column: problem (why it is one); remedy
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headroom::config {

// Where a key or a value was written. For an override on the command line the file is "--set key".
struct Place {
  std::string file{};
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

std::string to_string(const Place& place);  // file:line:column

struct Problem {
  std::string file;
  std::uint32_t line;
  std::uint32_t column;
  std::string text;  // "problem (why); remedy"
};

class Problems {
 public:
  void add(const Place& place, std::string_view problem, std::string_view why, std::string_view remedy);

  bool empty() const { return list_.empty(); }
  std::vector<Problem> sorted() const;  // by file, line, column; each said once
  void throw_if_any() const;            // ConfigError

 private:
  std::vector<Problem> list_;
};

class ConfigError : public std::exception {
 public:
  explicit ConfigError(std::vector<Problem> problems);

  const char* what() const noexcept override { return text_.c_str(); }  // one line a problem
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  std::vector<Problem> problems_;
  std::string text_;
};

// Of the candidates the one with the least Damerau-Levenshtein distance (insert, delete, replace, swap of
// neighbours), if that is at most a third of the word's length (at least 1).
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace headroom::config
