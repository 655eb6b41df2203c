// SPDX-License-Identifier: Apache-2.0
// Collects all problems of a config and prints them together:
//   file:line:column: problem (why it is one); remedy
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headroom::config {

// The place where a key or value was written. For an override on the command line, the file is "--set key".
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

std::string to_string(const Problem& problem);  // one line, without control characters

class Problems {
 public:
  void add(const Place& place, std::string_view problem, std::string_view why, std::string_view remedy);

  bool empty() const { return list_.empty(); }
  std::vector<Problem> sorted() const;  // by file, line, column; without duplicates
  void throw_if_any() const;            // ConfigError

 private:
  std::vector<Problem> list_;
};

class ConfigError : public std::exception {
 public:
  explicit ConfigError(std::vector<Problem> problems);

  const char* what() const noexcept override { return text_.c_str(); }  // one line per problem
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  std::vector<Problem> problems_;
  std::string text_;
};

// The candidate with the least Damerau-Levenshtein distance (insert, delete, replace, swap neighbours; upper
// and lower case are one), if that distance is at most a third of the word's length (and at least 1 is
// allowed). Of several, one that begins as the word does. Words of more than 100 bytes have none.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

// The words of a message, separated by commas; of a long list the first ones and their number.
std::string listed(const std::vector<std::string>& words);

}  // namespace headroom::config
