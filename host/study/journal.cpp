// SPDX-License-Identifier: Apache-2.0
#include "host/study/journal.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sqlite3.h>

#include <cmath>
#include <cstring>
#include <map>
#include <sstream>
#include <stdexcept>

#include "headroom_build.hpp"
#include "host/config/printable.hpp"
#include "host/report/files.hpp"

namespace headroom::study {

struct Journal::Database {
  explicit Database(const std::filesystem::path& path) : file(path.string()) {
    if (sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr) !=
        SQLITE_OK)
      fail();
    sqlite3_extended_result_codes(handle, 1);
    // The lock is kept until the program ends, however it ends.
    run("PRAGMA locking_mode = EXCLUSIVE");
    run("PRAGMA journal_mode = WAL");
    run("BEGIN EXCLUSIVE");
    run("COMMIT");
  }
  ~Database() { sqlite3_close(handle); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  [[noreturn]] void fail() const {
    const int code = sqlite3_errcode(handle) & 0xff;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
      throw report::OutputError(
          fmt::format("'{}' is in use by another study; wait for it, or give another --out", file));
    throw report::OutputError(
        fmt::format("cannot use '{}': {}; give another --out", file, sqlite3_errmsg(handle)));
  }
  void run(const char* sql) const {
    if (sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
  }

  std::string file;
  sqlite3* handle = nullptr;
};

namespace {

class Statement {
 public:
  template <class Database>
  Statement(const Database& database, const char* sql)
      : handle_(database.handle), fail_([&database] { database.fail(); }) {
    if (sqlite3_prepare_v2(handle_, sql, -1, &statement_, nullptr) != SQLITE_OK) fail_();
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int at, const std::string& text) {
    sqlite3_bind_text(statement_, at, text.c_str(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    return *this;
  }
  Statement& bind(int at, double value) {  // not a number is NULL
    sqlite3_bind_double(statement_, at, value);
    return *this;
  }
  Statement& bind(int at, std::uint64_t value) {
    sqlite3_bind_int64(statement_, at, static_cast<sqlite3_int64>(value));
    return *this;
  }
  Statement& bind(int at, const std::vector<double>& values) {  // none is NULL
    sqlite3_bind_blob(statement_, at, values.empty() ? nullptr : values.data(),
                      static_cast<int>(values.size() * sizeof(double)), SQLITE_TRANSIENT);
    return *this;
  }
  // Whether there is a row.
  bool step() {
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) fail_();
    if (code == SQLITE_DONE) sqlite3_reset(statement_);
    return code == SQLITE_ROW;
  }
  std::string text(int column) const {
    const auto* found = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return found != nullptr ? found : "";
  }
  double real(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL ? kUnknown
                                                                  : sqlite3_column_double(statement_, column);
  }
  std::vector<double> reals(int column) const {
    const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    std::vector<double> values(bytes / sizeof(double));
    if (bytes > 0) std::memcpy(values.data(), sqlite3_column_blob(statement_, column), bytes);
    return values;
  }
  std::uint64_t whole(int column) const {
    return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column));
  }

 private:
  sqlite3* handle_;
  std::function<void()> fail_;
  sqlite3_stmt* statement_ = nullptr;
};

// The first lines that two texts do not share, as "what it is, was what it was".
std::string difference(const std::string& was, const std::string& is) {
  if (was.find('\n') == std::string::npos && is.find('\n') == std::string::npos)
    return fmt::format("{}, was {}", is, was);
  const auto lines = [](const std::string& text) {
    std::map<std::string, std::string> found;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      const auto equals = line.find(" = ");
      found[line.substr(0, equals)] = equals == std::string::npos ? "" : line.substr(equals + 3);
    }
    return found;
  };
  const auto before = lines(was), now = lines(is);
  std::vector<std::string> changes;
  for (const auto& [key, value] : now) {
    const auto old = before.find(key);
    if (old == before.end()) changes.push_back(key + " is new");
    if (old != before.end() && old->second != value)
      changes.push_back(fmt::format("{} is {}, was {}", key, value, old->second));
  }
  for (const auto& [key, value] : before) {
    if (!now.contains(key)) changes.push_back(key + " is gone");
  }
  constexpr std::size_t kMost = 3;
  const std::size_t count = changes.size();
  if (count > kMost) changes.resize(kMost);
  return fmt::format("{}{}", fmt::join(changes, "; "),
                     count > kMost ? fmt::format("; and {} more", count - kMost) : "");
}

}  // namespace

Identity identity_of(const Study& study) {
  std::string axes, points;
  for (const Axis& axis : study.axes) axes += fmt::format("{} = {}\n", axis.name, fmt::join(axis.keys, ","));
  std::string overlays;
  for (std::size_t i = 0; i < study.points.size(); ++i) {
    points += fmt::format("point {} = ", i);
    for (const Level& level : study.points[i])
      points += fmt::format("{}{}{}", fmt::join(level.sets, " "), fmt::join(level.overlays, " "), " | ");
    points += '\n';
  }
  for (const Axis& axis : study.axes) {
    for (const Level& level : axis.levels) {
      // An overlay is known by what it makes of the config, not by its name.
      if (!level.overlays.empty())
        overlays += fmt::format("{} = {}\n", level.text, load_at(study.base, {axis}, {level}).hash);
    }
  }
  const PathRange& paths = study.request.paths;
  return {{"program", fmt::format("headroom {} ({})", build::version, build::commit)},
          {"config", study.base.company.canonical_text},
          {"axes", axes},
          {"scenarios", overlays},
          {"points", points},
          {"--paths", fmt::format("{}", paths.count)},
          {"paired intervals", study.batches ? "yes" : "no"},
          {"--seed", fmt::format("{}", paths.seed)},
          {"--exact-paths", fmt::format("{}", study.request.exact_paths)},
          {"--figures", fmt::format("{}", fmt::join(study.request.figures, ","))}};
}

Journal::Journal(const std::filesystem::path& folder, const Study& study, bool resume)
    : points_(study.points.size()) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw report::OutputError(
        fmt::format("cannot make folder '{}': {}; give another --out", folder.string(), error.message()));
  database_ = std::make_unique<Database>(folder / "journal.sqlite");
  const Identity identity = identity_of(study);
  database_->run("BEGIN");
  database_->run("CREATE TABLE IF NOT EXISTS study(name TEXT PRIMARY KEY, text TEXT NOT NULL)");
  database_->run(
      "CREATE TABLE IF NOT EXISTS point(point INTEGER PRIMARY KEY, violations INTEGER NOT NULL, seconds REAL)");
  database_->run(
      "CREATE TABLE IF NOT EXISTS value(point INTEGER, position INTEGER, figure TEXT NOT NULL, value REAL, low "
      "REAL, "
      "high REAL, unit TEXT NOT NULL, batches BLOB, PRIMARY KEY(point, position)) WITHOUT ROWID");
  std::map<std::string, std::string> known;
  for (Statement read(*database_, "SELECT name, text FROM study"); read.step();)
    known[read.text(0)] = read.text(1);
  if (known.empty()) {
    Statement write(*database_, "INSERT INTO study VALUES(?, ?)");
    for (const auto& [name, text] : identity) write.bind(1, name).bind(2, text).step();
    database_->run("COMMIT");
    return;
  }
  database_->run("COMMIT");
  std::string changed;
  for (const auto& [name, text] : identity) {
    if (known[name] != text) changed += fmt::format("\n  {}: {}", name, difference(known[name], text));
  }
  if (!changed.empty())
    throw JournalError(fmt::format("'{}' holds another study:{}\nundo the change, or give another --out",
                                   folder.string(), config::printable_lines(changed)));
  if (!resume) {
    Statement count(*database_, "SELECT count(*) FROM point");
    count.step();
    throw JournalError(
        fmt::format("'{}' holds this study, {} of {} points done; add --resume, or give another --out",
                    folder.string(), count.whole(0), points_));
  }
}

Journal::~Journal() = default;

Results Journal::read() const {
  Results results(points_);
  for (Statement read(*database_, "SELECT point, violations, seconds FROM point"); read.step();) {
    if (read.whole(0) < points_)
      results[read.whole(0)] = PointResult{.violations = read.whole(1), .seconds = read.real(2)};
  }
  Statement read(*database_,
                 "SELECT point, figure, value, low, high, unit, batches FROM value ORDER BY point, position");
  while (read.step()) {
    if (read.whole(0) < points_ && results[read.whole(0)])
      results[read.whole(0)]->values.push_back(
          {read.text(1), read.real(2), read.real(3), read.real(4), read.text(5), read.reals(6)});
  }
  return results;
}

void Journal::add(std::size_t point, const PointResult& result) {
  database_->run("BEGIN");
  Statement(*database_, "INSERT INTO point VALUES(?, ?, ?)")
      .bind(1, std::uint64_t{point})
      .bind(2, result.violations)
      .bind(3, result.seconds)
      .step();
  Statement write(*database_, "INSERT INTO value VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
  for (std::size_t i = 0; i < result.values.size(); ++i) {
    const Value& value = result.values[i];
    write.bind(1, std::uint64_t{point}).bind(2, std::uint64_t{i}).bind(3, value.name).bind(4, value.value);
    write.bind(5, value.low).bind(6, value.high).bind(7, value.unit).bind(8, value.batches).step();
  }
  database_->run("COMMIT");
}

}  // namespace headroom::study
