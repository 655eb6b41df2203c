// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sqlite3.h>

#include <cmath>
#include <cstring>
#include <utility>

#include "headroom_build.hpp"
#include "host/book/night.hpp"
#include "host/report/files.hpp"

namespace headroom::book {

namespace {

class Database {
 public:
  explicit Database(const std::filesystem::path& nights) : file_((nights / "history.sqlite").string()) {
    check(sqlite3_open(file_.c_str(), &handle_));
    sqlite3_busy_timeout(handle_, 60'000);  // a reader may hold it for a while
    run("CREATE TABLE IF NOT EXISTS runs(night TEXT, company TEXT, scenario TEXT, state TEXT, exit_code "
        "INTEGER, "
        "config_hash TEXT, version TEXT, commit_id TEXT, paths INTEGER, seed INTEGER, seconds REAL, "
        "PRIMARY KEY(night, company, scenario))");
    run("CREATE TABLE IF NOT EXISTS figures(night TEXT, company TEXT, scenario TEXT, figure TEXT, value REAL, "
        "standard_error REAL, unit TEXT, PRIMARY KEY(night, company, scenario, figure))");
  }
  ~Database() { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void run(const char* sql) { check(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr)); }
  // Calls row(statement) for each row.
  template <class Row>
  void query(const char* sql, const std::vector<std::string>& texts, const std::vector<double>& numbers,
             Row row) {
    sqlite3_stmt* statement = nullptr;
    check(sqlite3_prepare_v2(handle_, sql, -1, &statement, nullptr));
    int at = 0;
    for (const std::string& each : texts)
      sqlite3_bind_text(statement, ++at, each.c_str(), static_cast<int>(each.size()), SQLITE_TRANSIENT);
    for (const double each : numbers)
      std::isnan(each) ? sqlite3_bind_null(statement, ++at) : sqlite3_bind_double(statement, ++at, each);
    int code = sqlite3_step(statement);
    for (; code == SQLITE_ROW; code = sqlite3_step(statement)) row(statement);
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE) check(code);
  }
  void add(const char* sql, const std::vector<std::string>& texts, const std::vector<double>& numbers) {
    query(sql, texts, numbers, [](sqlite3_stmt*) {});
  }

 private:
  void check(int code) {
    if (code == SQLITE_OK) return;
    throw report::OutputError(fmt::format("cannot use '{}': {}; move it away, or give another --out", file_,
                                          handle_ != nullptr ? sqlite3_errmsg(handle_) : "no memory"));
  }
  std::string file_;
  sqlite3* handle_ = nullptr;
};

std::string text_of(sqlite3_stmt* row, int column) {
  const auto* found = reinterpret_cast<const char*>(sqlite3_column_text(row, column));
  return found != nullptr ? found : "";
}

double number_of(sqlite3_stmt* row, int column) {
  return sqlite3_column_type(row, column) == SQLITE_NULL ? std::nan("") : sqlite3_column_double(row, column);
}

}  // namespace

void write_history(const std::filesystem::path& nights, const Book& book, const Night& night) {
  Database db(nights);
  db.run("BEGIN");
  db.add("DELETE FROM runs WHERE night = ?", {night.id}, {});
  db.add("DELETE FROM figures WHERE night = ?", {night.id}, {});
  for (std::size_t i = 0; i < book.entries.size(); ++i) {
    const Entry& e = book.entries[i];
    const Outcome& o = night.outcomes[i];
    db.add(
        "INSERT INTO runs(night, company, scenario, state, config_hash, version, commit_id, paths, seed, "
        "exit_code, seconds) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {night.id, e.company, e.scenario, word_of(o.state), o.config_hash, std::string(build::version),
         std::string(build::commit), fmt::format("{}", e.paths), fmt::format("{}", e.seed)},
        {static_cast<double>(o.code), o.seconds});
    for (const auto& [figure, headline] : o.headlines) {
      db.add(
          "INSERT INTO figures(night, company, scenario, figure, unit, value, standard_error) VALUES(?, ?, ?, "
          "?, ?, ?, ?)",
          {night.id, e.company, e.scenario, figure, headline.unit}, {headline.value, headline.standard_error});
    }
  }
  db.run("COMMIT");
}

Before last_night(const std::filesystem::path& nights, const std::string& but) {
  Database db(nights);
  Before before;
  db.query("SELECT night FROM runs WHERE night != ? ORDER BY rowid DESC LIMIT 1", {but}, {},
           [&](sqlite3_stmt* row) { before.night = text_of(row, 0); });
  if (before.night.empty()) return before;
  db.query("SELECT company || '/' || scenario, config_hash FROM runs WHERE night = ?", {before.night}, {},
           [&](sqlite3_stmt* row) { before.config_hash[text_of(row, 0)] = text_of(row, 1); });
  db.query(
      "SELECT company || '/' || scenario, figure, value, standard_error, unit FROM figures WHERE night = ?",
      {before.night}, {}, [&](sqlite3_stmt* row) {
        before.headlines[text_of(row, 0)][text_of(row, 1)] = {number_of(row, 2), number_of(row, 3),
                                                              text_of(row, 4)};
      });
  return before;
}

std::vector<double> trend(const std::filesystem::path& nights, const Entry& entry, const std::string& figure) {
  Database db(nights);
  std::vector<double> values;
  db.query(
      "SELECT value FROM (SELECT rowid AS r, value FROM figures WHERE company = ? AND scenario = ? AND "
      "figure = ? ORDER BY rowid DESC LIMIT 30) ORDER BY r",
      {entry.company, entry.scenario, figure}, {},
      [&](sqlite3_stmt* row) { values.push_back(number_of(row, 0)); });
  return values;
}

}  // namespace headroom::book
