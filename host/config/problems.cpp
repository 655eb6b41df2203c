// SPDX-License-Identifier: Apache-2.0
#include "host/config/problems.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "host/config/printable.hpp"

namespace headroom::config {

namespace {

auto order(const Problem& problem) {
  return std::tie(problem.file, problem.line, problem.column, problem.text);
}

// Longer words are not compared: the table of distances grows with the product of the lengths.
constexpr std::size_t kLongestWord = 100;
// A message longer than this is cut, part by part.
constexpr std::size_t kMostBytes = 1500;

std::string folded(std::string_view word) {
  std::string out(word);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return out;
}

// Optimal string alignment distance: no substring is edited twice.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::string to_string(const Place& place) {
  return fmt::format("{}:{}:{}", place.file, place.line, place.column);
}

std::string to_string(const Problem& problem) {
  return fmt::format("{}:{}:{}: {}", printable(cut(problem.file, kMostBytes)), problem.line, problem.column,
                     printable(problem.text));
}

void Problems::add(const Place& place, std::string_view problem, std::string_view why,
                   std::string_view remedy) {
  list_.push_back(
      {place.file, place.line, place.column,
       fmt::format("{} ({}); {}", cut(problem, kMostBytes), cut(why, kMostBytes), cut(remedy, kMostBytes))});
}

std::vector<Problem> Problems::sorted() const {
  std::vector<Problem> sorted = list_;
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return order(a) < order(b); });
  const auto same = [](const auto& a, const auto& b) { return order(a) == order(b); };
  sorted.erase(std::unique(sorted.begin(), sorted.end(), same), sorted.end());
  return sorted;
}

void Problems::throw_if_any() const {
  if (!empty()) throw ConfigError(sorted());
}

ConfigError::ConfigError(std::vector<Problem> problems) : problems_(std::move(problems)) {
  for (const Problem& each : problems_) {
    if (!text_.empty()) text_ += '\n';
    text_ += to_string(each);
  }
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > kLongestWord) return std::nullopt;
  const std::string wanted = folded(word);
  const std::size_t most = std::max<std::size_t>(1, word.size() / 3);
  std::optional<std::string> found;
  std::tuple<std::size_t, bool, std::size_t> best;
  for (const std::string& each : candidates) {
    const std::size_t longer = std::max(each.size(), word.size()) - std::min(each.size(), word.size());
    if (each.size() > kLongestWord || longer > most) continue;
    const std::string candidate = folded(each);
    const std::size_t distance = edit_distance(wanted, candidate);
    if (distance > most) continue;
    // Of equal distances, "A" for "A-" before "AA", and the same letter case before another.
    const bool begins = !candidate.empty() && (wanted.starts_with(candidate) || candidate.starts_with(wanted));
    const std::tuple rank(distance, !begins, edit_distance(word, each));
    if (found && rank >= best) continue;
    best = rank;
    found = each;
  }
  return found;
}

std::string listed(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (text.size() > kMostBytes / 2) return text + fmt::format(", ... ({} in all)", words.size());
    text += (text.empty() ? "" : ", ") + cut(word, 80);
  }
  return text;
}

}  // namespace headroom::config
