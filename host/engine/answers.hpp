// SPDX-License-Identifier: Apache-2.0
// The answers that a set of paths gives to declared questions. They are exact integers that add up, in any
// order and from any machine.
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
  std::vector<Int128> integers{};  // in the order of Question::Kind; an offender is a path index
  Tally tally{};                   // for a distribution whose values are not kept
};

// Consecutive paths [first, first + count).
struct PathSpan {
  std::uint64_t first = 0, count = 0;
  friend bool operator==(const PathSpan&, const PathSpan&) = default;
};

struct Answers {
  std::string config{};  // the run: hash of its canonical config
  std::uint64_t seed = 0;
  std::vector<PathSpan> spans{};  // ascending; no two touch or overlap
  std::vector<Question> questions{};
  std::vector<Answer> answers{};  // in the order of `questions`
  ByMonth by_month{};
  std::shared_ptr<Columns> kept{};  // values of the distributions in the order of the paths; null: tallies
  // The fields below say how the answers were made; they are not part of them.
  std::string device{};
  double seconds = 0;  // of the simulation

  std::uint64_t paths() const;
  // Throws std::logic_error if the question was not asked.
  const Answer& answer(const Question& question) const;
};

// The questions without duplicates, in the order of the kept answers.
std::vector<Question> unique_questions(std::vector<Question> questions);

// The tallies of the distribution questions, over all chunks of a run.
class Counters {
 public:
  // An empty tally for each distribution question, in the order of the questions.
  explicit Counters(std::vector<Tally> empty) : empty_(std::move(empty)), counters_(empty_.size()) {}
  // Of the i-th distribution question, for columns like these. Different ones can be asked for at the same
  // time.
  Counter& counter(std::size_t i, const Columns& columns);
  // Stores the tallies so far.
  void copy_to(Answers& answers) const;
  // Stores the tallies, each of which is freed here.
  void move_to(Answers& answers);

 private:
  std::vector<Tally> empty_;
  std::vector<std::unique_ptr<Counter>> counters_;
};

// Answers questions (from unique_questions()) from outcomes. With `counters`, distributions are counted there;
// otherwise the columns that they need are kept.
Answers ask(Outcomes outcomes, std::vector<Question> questions, std::uint64_t seed, std::vector<PathSpan> spans,
            Counters* counters);

// The parts cannot be added: they are of different configs, seeds, horizons, questions or bins, or they share
// paths.
struct MergeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Adds a part. The order in which parts are added does not change the result. Throws MergeError and leaves
// `all` unchanged.
void merge(Answers& all, Answers&& part);

// A file holds everything except device and seconds, and a checksum; the same answers give the same bytes.
// Reading throws std::runtime_error if the file cannot be read, is not a file of answers, has another version
// or is damaged.
constexpr std::uint32_t kAnswersVersion = 2;
std::string to_bytes(const Answers& answers);
Answers from_bytes(std::string_view bytes);
void write_answers(const std::filesystem::path& file, const Answers& answers);
Answers read_answers(const std::filesystem::path& file);

}  // namespace headroom
