// SPDX-License-Identifier: Apache-2.0
#include "host/engine/answers.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "host/engine/host_columns.hpp"
#include "host/engine/tally.hpp"
#include "host/engine/threads.hpp"

namespace headroom {

namespace {

bool is_distribution(const Question& question) { return question.kind == Question::Kind::distribution; }

// The columns whose values are kept.
std::vector<std::int32_t> kept_columns(const std::vector<Question>& questions) {
  std::vector<std::int32_t> numbers;
  for (const Question& question : questions) {
    if (is_distribution(question)) numbers.push_back(question.column);
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

// The path index at a position in ascending spans.
std::uint64_t path_at(const std::vector<PathSpan>& spans, std::uint64_t place) {
  for (const PathSpan& span : spans) {
    if (place < span.count) return span.first + place;
    place -= span.count;
  }
  throw std::logic_error("path_at: no such place");
}

template <class T>
void add_up(std::vector<T>& to, const std::vector<T>& from) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
}

void add_integers(Question::Kind kind, std::vector<Int128>& to, const std::vector<Int128>& from) {
  if (kind != Question::Kind::offenders) return add_up(to, from);
  if (from[0] > 0 && (to[0] == 0 || from[1] < to[1])) to[1] = from[1], to[2] = from[2];
  to[0] += from[0];
}

bool same_bins(const std::vector<BinRange>& a, const std::vector<BinRange>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const BinRange& x, const BinRange& y) { return x.lo == y.lo && x.shift == y.shift; });
}

void check_parts(const Answers& all, const Answers& part) {
  const auto refuse = [](const std::string& why) {
    throw MergeError("these parts are not of one run: " + why);
  };
  if (all.config != part.config) refuse("config " + all.config + " and config " + part.config);
  if (all.seed != part.seed) {
    refuse("seed " + std::to_string(all.seed) + " and seed " + std::to_string(part.seed));
  }
  if (all.by_month.months != part.by_month.months || all.by_month.series != part.by_month.series)
    refuse("they differ in months or series");
  if (all.questions != part.questions) refuse("they answer different questions");
  if (!same_bins(all.by_month.bins, part.by_month.bins)) refuse("their by-month bins differ");
  if ((all.kept == nullptr) != (part.kept == nullptr))
    refuse("one keeps the values of its paths and the other counts them");
  for (std::size_t i = 0; i < all.answers.size(); ++i) {
    const Tally &a = all.answers[i].tally, &b = part.answers[i].tally;
    if (a.lo != b.lo || a.shift != b.shift || a.none != b.none || a.count.size() != b.count.size())
      refuse("their bins differ");
  }
  for (const PathSpan& a : all.spans) {
    for (const PathSpan& b : part.spans) {
      const std::uint64_t first = std::max(a.first, b.first);
      if (first - a.first < a.count && first - b.first < b.count)
        throw MergeError("path " + std::to_string(first) + " is in both parts");
    }
  }
}

// The union of two lists of spans, ascending; spans that touch become one.
std::vector<PathSpan> joined(std::vector<PathSpan> spans) {
  std::sort(spans.begin(), spans.end(), [](const PathSpan& a, const PathSpan& b) { return a.first < b.first; });
  std::vector<PathSpan> out;
  for (const PathSpan& span : spans) {
    if (!out.empty() && out.back().first + out.back().count == span.first) {
      out.back().count += span.count;
    } else {
      out.push_back(span);
    }
  }
  return out;
}

// The kept columns of both parts in the order of the paths, in host memory.
std::shared_ptr<Columns> joined_columns(const Answers& all, const Answers& part) {
  struct Piece {
    Columns* from;
    std::uint64_t place, first, count;
  };
  std::vector<Piece> pieces;
  for (const Answers* each : {&all, &part}) {
    std::uint64_t place = 0;
    for (const PathSpan& span : each->spans) {
      pieces.push_back({each->kept.get(), place, span.first, span.count});
      place += span.count;
    }
  }
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.first < b.first; });
  auto columns = std::make_unique<HostColumns>(kept_columns(all.questions), all.paths() + part.paths());
  for (const std::int32_t number : columns->numbers()) {
    std::int32_t* to = columns->column(number);
    for (const Piece& piece : pieces) {
      piece.from->read(number, piece.place, {to, piece.count});
      to += piece.count;
    }
  }
  return columns;
}

// ---- The file: little-endian integers, lengths before arrays, counts packed, a checksum at the end. ----

static_assert(std::endian::native == std::endian::little, "answers are written as they lie in memory");
constexpr std::string_view kMagic = "headroom answers";

std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  return hash;
}

class Writer {
 public:
  template <class T>
  void value(const T& x) {
    static_assert(std::has_unique_object_representations_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&x), sizeof x);
  }
  template <class T>
  void array(std::span<const T> values) {
    value<std::uint64_t>(values.size());
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  }
  template <class T>
  void array(const std::vector<T>& values) {
    array(std::span<const T>(values));
  }
  // Counts, most of which are 0 or small: 7 bits a byte, the least first. An odd number stands for so many
  // zeros, an even one for twice a count.
  void counts(const std::vector<std::uint64_t>& values) {
    value<std::uint64_t>(values.size());
    for (std::size_t i = 0; i < values.size();) {
      std::size_t next = i;
      while (next < values.size() && values[next] == 0) ++next;
      if (next > i) {
        packed((next - i) << 1U | 1U);
        i = next;
      } else {
        packed(values[i++] << 1U);
      }
    }
  }
  std::string done() {
    value(fnv1a(bytes_));
    return std::move(bytes_);
  }

 private:
  void packed(std::uint64_t x) {
    for (; x >= 128; x >>= 7U) bytes_.push_back(static_cast<char>(x | 128U));
    bytes_.push_back(static_cast<char>(x));
  }
  std::string bytes_{};
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  template <class T>
  T value() {
    T x{};
    take(&x, sizeof x);
    return x;
  }
  template <class T>
  std::vector<T> array() {
    const auto size = value<std::uint64_t>();
    if (size > left_.size() / sizeof(T)) damaged();
    std::vector<T> values(size);
    take(values.data(), size * sizeof(T));
    return values;
  }
  std::vector<std::uint64_t> counts() {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 32U;
    const auto size = value<std::uint64_t>();
    if (size > kMost) damaged();
    std::vector<std::uint64_t> values;
    while (values.size() < size) {
      const std::uint64_t x = packed();
      if (x % 2 != 0 && x / 2 > size - values.size()) damaged();
      if (x % 2 != 0) {
        values.resize(values.size() + x / 2);
      } else {
        values.push_back(x / 2);
      }
    }
    return values;
  }
  bool at_end() const { return left_.empty(); }
  [[noreturn]] static void damaged() { throw std::runtime_error("the answers are damaged"); }

 private:
  std::uint64_t packed() {
    std::uint64_t x = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = value<std::uint8_t>();
      x |= std::uint64_t{byte & 127U} << shift;
      if (byte < 128) return x;
    }
    damaged();
  }
  void take(void* to, std::size_t size) {
    if (size > left_.size()) damaged();
    if (size > 0) std::memcpy(to, left_.data(), size);
    left_.remove_prefix(size);
  }
  std::string_view left_;
};

void write_sums(Writer& out, const Sums& sums) {
  out.value(sums.number), out.value(sums.sum), out.value(sums.squares);
}
Sums read_sums(Reader& in) {
  Sums sums;
  sums.number = in.value<std::uint64_t>();
  sums.sum = in.value<std::int64_t>();
  sums.squares = in.value<Int128>();
  return sums;
}

}  // namespace

std::uint64_t Answers::paths() const {
  std::uint64_t paths = 0;
  for (const PathSpan& span : spans) paths += span.count;
  return paths;
}

const Answer& Answers::answer(const Question& question) const {
  const auto place = std::lower_bound(questions.begin(), questions.end(), question);
  if (place == questions.end() || *place != question) throw std::logic_error("a question was not asked");
  return answers[static_cast<std::size_t>(place - questions.begin())];
}

Counter& Counters::counter(std::size_t i, const Columns& columns) {
  std::unique_ptr<Counter>& counter = counters_.at(i);
  if (!counter) counter = columns.counter(std::exchange(empty_[i], {}));
  return *counter;
}

void Counters::copy_to(Answers& answers) const {
  std::size_t next = 0;
  for (std::size_t i = 0; i < answers.questions.size(); ++i) {
    if (is_distribution(answers.questions[i])) answers.answers[i].tally = counters_.at(next++)->tally();
  }
}

void Counters::move_to(Answers& answers) {
  std::size_t next = 0;
  for (std::size_t i = 0; i < answers.questions.size(); ++i) {
    if (!is_distribution(answers.questions[i])) continue;
    const std::unique_ptr<Counter> counter = std::move(counters_.at(next++));
    answers.answers[i].tally = counter->tally();
  }
}

std::vector<Question> unique_questions(std::vector<Question> questions) {
  std::sort(questions.begin(), questions.end());
  questions.erase(std::unique(questions.begin(), questions.end()), questions.end());
  return questions;
}

Answers ask(Outcomes outcomes, std::vector<Question> questions, std::uint64_t seed, std::vector<PathSpan> spans,
            Counters* counters) {
  Answers all;
  all.seed = seed;
  all.spans = std::move(spans);
  all.questions = std::move(questions);
  all.answers.resize(all.questions.size());
  all.device = outcomes.device;
  all.seconds = outcomes.seconds;
  Columns& columns = *outcomes.columns;
  std::vector<std::function<void()>> tasks;
  std::size_t next = 0;
  for (std::size_t i = 0; i < all.questions.size(); ++i) {
    const Question& question = all.questions[i];
    Answer& answer = all.answers[i];
    if (is_distribution(question) && counters != nullptr) {
      tasks.emplace_back([&columns, &question, &answer, counters, place = next++] {
        const Sums sums = counters->counter(place, columns).add(columns, question.column);
        answer.integers = {sums.number, sums.sum, sums.squares};
      });
    } else {
      tasks.emplace_back([&columns, &question, &answer] { answer.integers = columns.answer(question); });
    }
  }
  run_tasks(columns.concurrency(), tasks);
  for (std::size_t i = 0; i < all.questions.size(); ++i) {
    std::vector<Int128>& integers = all.answers[i].integers;
    if (all.questions[i].kind == Question::Kind::offenders && integers[0] > 0)
      integers[1] = path_at(all.spans, static_cast<std::uint64_t>(integers[1]));
  }
  all.by_month = std::move(static_cast<ByMonth&>(outcomes));
  if (counters == nullptr) all.kept = std::move(outcomes.columns);
  return all;
}

void merge(Answers& all, Answers&& part) {
  check_parts(all, part);
  if (all.kept) all.kept = joined_columns(all, part);
  for (std::size_t i = 0; i < all.answers.size(); ++i) {
    add_integers(all.questions[i].kind, all.answers[i].integers, part.answers[i].integers);
    add(all.answers[i].tally, part.answers[i].tally);
  }
  add_up(all.by_month.histogram, part.by_month.histogram);
  add_up(all.by_month.sum, part.by_month.sum);
  add_up(all.by_month.failing, part.by_month.failing);
  all.spans.insert(all.spans.end(), part.spans.begin(), part.spans.end());
  all.spans = joined(std::move(all.spans));
  all.seconds += part.seconds;
}

std::string to_bytes(const Answers& answers) {
  Writer out;
  out.array(std::span(kMagic));
  out.value(kAnswersVersion);
  out.array(std::span<const char>(answers.config));
  out.value(answers.seed);
  out.array(answers.spans);
  out.array(answers.questions);
  for (const Answer& answer : answers.answers) {
    out.array(answer.integers);
    out.value(answer.tally.lo), out.value(answer.tally.shift), out.value(answer.tally.none);
    out.counts(answer.tally.count);
    write_sums(out, answer.tally.below);
  }
  out.value(answers.by_month.months), out.value(answers.by_month.series);
  out.array(answers.by_month.bins);
  out.counts(answers.by_month.histogram);
  out.array(answers.by_month.sum);
  out.counts(answers.by_month.failing);
  out.value<std::uint8_t>(answers.kept ? 1 : 0);
  if (answers.kept) {
    std::vector<std::int32_t> values(answers.kept->paths());
    for (const std::int32_t number : kept_columns(answers.questions)) {
      answers.kept->read(number, 0, values);
      out.array(values);
    }
  }
  return out.done();
}

Answers from_bytes(std::string_view bytes) {
  std::uint64_t checksum = 0;
  if (bytes.size() < sizeof checksum) Reader::damaged();
  std::memcpy(&checksum, bytes.data() + bytes.size() - sizeof checksum, sizeof checksum);
  bytes.remove_suffix(sizeof checksum);
  Reader in(bytes);
  const std::vector<char> magic = in.array<char>();
  if (std::string_view(magic.data(), magic.size()) != kMagic)
    throw std::runtime_error("this is not a file of answers");
  if (const auto version = in.value<std::uint32_t>(); version != kAnswersVersion) {
    throw std::runtime_error("the answers are of version " + std::to_string(version) + ", this program reads " +
                             std::to_string(kAnswersVersion));
  }
  if (fnv1a(bytes) != checksum) Reader::damaged();
  Answers answers;
  const std::vector<char> config = in.array<char>();
  answers.config.assign(config.begin(), config.end());
  answers.seed = in.value<std::uint64_t>();
  answers.spans = in.array<PathSpan>();
  answers.questions = in.array<Question>();
  answers.answers.resize(answers.questions.size());
  for (Answer& answer : answers.answers) {
    answer.integers = in.array<Int128>();
    answer.tally.lo = in.value<std::int32_t>();
    answer.tally.shift = in.value<std::int32_t>();
    answer.tally.none = in.value<std::int32_t>();
    answer.tally.count = in.counts();
    answer.tally.below = read_sums(in);
  }
  answers.by_month.months = in.value<std::int32_t>();
  answers.by_month.series = in.value<std::int32_t>();
  answers.by_month.bins = in.array<BinRange>();
  answers.by_month.histogram = in.counts();
  answers.by_month.sum = in.array<std::int64_t>();
  answers.by_month.failing = in.counts();
  if (in.value<std::uint8_t>() != 0) {
    auto kept = std::make_unique<HostColumns>(kept_columns(answers.questions), answers.paths());
    for (const std::int32_t number : kept->numbers()) {
      const std::vector<std::int32_t> values = in.array<std::int32_t>();
      if (values.size() != kept->paths()) Reader::damaged();
      std::copy(values.begin(), values.end(), kept->column(number));
    }
    answers.kept = std::move(kept);
  }
  if (!in.at_end()) Reader::damaged();
  return answers;
}

void write_answers(const std::filesystem::path& file, const Answers& answers) {
  const std::string bytes = to_bytes(answers);
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw std::runtime_error("cannot write " + file.string());
}

Answers read_answers(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  try {
    return from_bytes(bytes);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(file.string() + ": " + error.what());
  }
}

}  // namespace headroom
