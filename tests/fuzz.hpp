// SPDX-License-Identifier: Apache-2.0
// Random damage to the text of a config: numbers and dates that nobody means, lines gone, doubled or swapped,
// words misspelt, bytes flipped, files cut. The same seed gives the same damage.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace headroom {

class Damage {
 public:
  explicit Damage(std::uint64_t seed) : random_(seed) {}

  // One injury, or up to three.
  std::string of(std::string text) {
    for (std::size_t left = below(4) > 0 ? 1 : 2 + below(2); left > 0 && !text.empty(); --left) injure(text);
    return text;
  }

 private:
  std::size_t below(std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(random_() % n); }

  template <class List>
  std::string one_of(const List& list) {
    return std::string(list[below(std::size(list))]);
  }

  struct Span {
    std::size_t begin, end;
  };

  Span line(const std::string& text) {
    const std::size_t at = below(text.size());
    const std::size_t before = at == 0 ? text.npos : text.rfind('\n', at - 1);
    const std::size_t begin = before == text.npos ? 0 : before + 1;
    const std::size_t end = text.find('\n', at);
    return {begin, end == text.npos ? text.size() : end + 1};
  }

  // What follows the first '=' of a random line, without a comment. Most lines have one.
  Span value(const std::string& text) {
    for (int tries = 0; tries < 50; ++tries) {
      const Span where = line(text);
      const std::size_t equals = text.find('=', where.begin);
      if (equals >= where.end || text[where.begin] == '#') continue;
      const std::size_t end = std::min(text.find_first_of("#\n", equals), where.end);
      return {equals + 1, end};
    }
    return {0, 0};
  }

  // A number or date inside a value, which may be a list or a table.
  Span token(const std::string& text) {
    constexpr std::string_view letters = "+-.0123456789eE";
    for (int tries = 0; tries < 50; ++tries) {
      const Span where = value(text);
      if (where.begin == where.end) continue;
      const std::size_t first =
          text.find_first_of("+-0123456789", where.begin + below(where.end - where.begin));
      if (first >= where.end || text.substr(where.begin, first - where.begin).find('"') != std::string::npos)
        continue;
      std::size_t begin = first;
      while (begin > where.begin && letters.find(text[begin - 1]) != letters.npos) --begin;
      return {begin, std::min(text.find_first_not_of(letters, begin), where.end)};
    }
    return {0, 0};
  }

  void replace(std::string& text, Span where, const std::string& by) {
    text.replace(where.begin, where.end - where.begin, by);
  }

  void injure(std::string& text) {
    constexpr const char* numbers[] = {
        "0",    "-0.0",  "-1",   "1e-45", "1e-40", "1e-38",      "1e-30",
        "1e-7", "0.001", "0.5",  "1",     "1.0",   "2",          "100",
        "365",  "1e4",   "1e7",  "1e12",  "1e30",  "3.4e38",     "1e39",
        "nan",  "inf",   "-inf", "-1e7",  "-0.5",  "2147483648", "9223372036854775807"};
    constexpr const char* dates[] = {"0001-01-01", "1026-03-31", "2026-03-30", "2026-03-31",
                                     "2026-04-01", "2028-02-28", "2028-02-29", "2031-03-31",
                                     "2126-06-30", "3027-06-30", "9999-12-31"};
    constexpr const char* values[] = {"true", "false",     "\"x\"",      "\"\"",     "[]",   "{}",    "[1]",
                                      "[[]]", "{ a = 1 }", "2026-06-30", "12:00:00", "[{}]", "'h100'"};
    constexpr const char* bytes[] = {"\0", "\n", "\"", "[",    "]", "{", "}", "=",
                                     ".",  ",",  "#",  "\xff", "'", "9", "-"};
    switch (below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5: {  // a number
        const Span where = token(text);
        if (where.begin == where.end) return;
        const bool is_date = where.end - where.begin == 10 && text[where.begin + 4] == '-';
        return replace(text, where, is_date && below(4) > 0 ? one_of(dates) : one_of(numbers));
      }
      case 6:
      case 7:
      case 8:
      case 9:
      case 10: {  // a number of another size
        const Span where = token(text);
        const double number = std::strtod(text.substr(where.begin, where.end - where.begin).c_str(), nullptr);
        const double factor = std::pow(10.0, std::uniform_real_distribution<double>(-7, 7)(random_));
        return replace(text, where, fmt::format("{}", number * factor));
      }
      case 11:
        return replace(text, value(text), " " + one_of(values));
      case 12:
      case 13:
        return replace(text, line(text), "");
      case 14: {
        const Span where = line(text);
        return replace(text, {where.begin, where.begin}, text.substr(where.begin, where.end - where.begin));
      }
      case 15:
      case 16: {  // another line's value
        const Span from = value(text), to = value(text);
        return replace(text, to, text.substr(from.begin, from.end - from.begin));
      }
      case 17: {  // a misspelt word
        const std::size_t at = below(text.size());
        return replace(text, {at, at + below(2)}, std::string(1, static_cast<char>('a' + below(26))));
      }
      case 18: {
        const std::size_t at = below(text.size());
        const std::string byte = one_of(bytes);
        return replace(text, {at, at + below(2)}, byte.empty() ? std::string(1, '\0') : byte);
      }
      default:
        if (below(4) == 0) return text.resize(below(text.size()));
        const Span first = line(text), last = line(text);  // some lines gone
        if (first.begin < last.end && last.end - first.begin < 2000) replace(text, {first.begin, last.end}, "");
    }
  }

  std::mt19937_64 random_;
};

}  // namespace headroom
