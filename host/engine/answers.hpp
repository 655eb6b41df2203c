// SPDX-License-Identifier: Apache-2.0
// The answers that a set of paths gives to declared questions: exact integers that add up, whoever ran the
// paths and in whatever order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "host/engine/columns.hpp"
#include "host/engine/engine.hpp"

namespace headroom {

struct Answer {
  std::vector<Int128> integers{};  // as Question::Kind lists them; an offender's index is that of its path
  Tally tally{};                   // of a distribution whose values are not kept
};

// Consecutive paths [first, first + count).
struct PathSpan {
  std::uint64_t first = 0, count = 0;
  friend bool operator==(const PathSpan&, const PathSpan&) = default;
};

struct Answers {
  std::string config{};  // what was run: the hash of its canonical config
  std::uint64_t seed = 0;
  std::vector<PathSpan> spans{};  // ascending; no two touch or overlap
  std::vector<Question> questions{};
  std::vector<Answer> answers{};  // as questions
  ByMonth by_month{};
  std::shared_ptr<Columns> kept{};  // the values of the distributions in the order of the paths; null: tallies
  // Not part of the answers: how they came about.
  std::string device{};
  double seconds = 0;  // of the simulation

  std::uint64_t paths() const;
  // Throws std::logic_error where the question was not asked.
  const Answer& answer(const Question& question) const;
};

// The questions without duplicates, in the order in which answers are kept.
std::vector<Question> unique_questions(std::vector<Question> questions);

// Puts questions (from unique_questions()) to outcomes, whose columns they keep where they are needed. `bins`:
// an empty tally for each question of a distribution, or none where the values are kept.
Answers ask(Outcomes outcomes, std::vector<Question> questions, std::uint64_t seed, std::vector<PathSpan> spans,
            const std::vector<Tally>& bins);

// Parts that cannot be added: of another config, seed, horizon or list of questions, with other bins, or with
// paths in common.
struct MergeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Adds a part. The result does not depend on the order in which parts are added. Throws MergeError, and then
// `all` is as before.
void merge(Answers& all, Answers&& part);

// A file holds everything but device and seconds, and a checksum; the same answers give the same bytes. read
// throws std::runtime_error where the file cannot be read, is no such file, is of another version or is
// damaged.
constexpr std::uint32_t kAnswersVersion = 1;
std::string to_bytes(const Answers& answers);
Answers from_bytes(std::string_view bytes);
void write_answers(const std::filesystem::path& file, const Answers& answers);
Answers read_answers(const std::filesystem::path& file);

}  // namespace headroom
