// SPDX-License-Identifier: Apache-2.0
// Books: a night is what single runs are, goes on after a kill, and is told whole only when it is.
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/program.hpp"

namespace headroom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class BookTest : public ProgramTest {
 protected:
  std::string book(const std::string& text) const {
    const std::string file = path("book.toml");
    std::ofstream(file) << text;
    return file;
  }
  // The demo with and without a late site, and lakeside.
  std::string small(const std::string& more = "", const std::string& of_demo = "") const {
    return book(more + "\n[[scenario]]\nid = \"slips\"\noverlays = [\"" + kConfigs +
                "/stress/delivery-slips.toml\"]\n[[company]]\nid = \"demo\"\nconfig = \"" + kDemo +
                "\"\nscenarios = [\"base\", \"slips\"]\npriority = 1\n" + of_demo +
                "[[company]]\nid = \"lakeside\"\nconfig = \"" + kConfigs + "/lakeside-template.toml\"\n");
  }
  Words nightly(const std::string& file, const Words& more = {}) const {
    Words words = {"book", file, "--out", path("nights"), "--paths", "3000", "--backend", "cpu"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  fs::path latest() const { return folder_ / "nights" / "latest"; }
  Json night() const { return Json::parse(read(latest() / "night.json")); }
  std::vector<std::string> query(const std::string& sql) const {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(path("nights/history.sqlite").c_str(), &db), SQLITE_OK);
    std::vector<std::string> rows;
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    while (sqlite3_step(statement) == SQLITE_ROW)
      rows.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0)));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return rows;
  }
};

constexpr const char* kCsv[] = {"fcf.csv", "covenants.csv", "monthly.csv", "results.csv"};

TEST_F(BookTest, EachEntryIsThePlainRun) {
  const Result result = run(nightly(small("name = \"Small\"\nwhy = true\n")));
  ASSERT_EQ(result.code, 0) << result.err;
  ASSERT_EQ(run({"run", kDemo, "--paths", "3000", "--backend", "cpu", "--out", path("plain"), "--overlay",
                 kConfigs + "/stress/delivery-slips.toml"})
                .code,
            0);
  for (const char* file : kCsv)
    EXPECT_EQ(read(latest() / "demo" / "slips" / file), read(folder_ / "plain" / file)) << file;
  EXPECT_TRUE(night()["whole"].get<bool>());
  EXPECT_EQ(night()["entries"].size(), 3U);
  EXPECT_TRUE(contains(read(latest() / "demo" / "base.why.txt"), "delivery")) << "reasons of the base scenario";
  EXPECT_FALSE(fs::exists(latest() / "demo" / "slips.why.txt"));
  EXPECT_TRUE(contains(read(latest() / "mail.txt"), "Small, night of ")) << read(latest() / "mail.txt");
  EXPECT_EQ(query("SELECT state FROM runs"), (std::vector<std::string>{"finished", "finished", "finished"}));
  EXPECT_EQ(query("SELECT value FROM figures WHERE company = 'demo' AND scenario = 'slips' AND figure = "
                  "'default.24m'")
                .size(),
            1U);
  const std::string page = read(latest() / "index.html");
  EXPECT_FALSE(contains(page, "<script"));
  EXPECT_FALSE(contains(page, "http"));
  for (const char* each : {"demo/base", "demo/slips", "lakeside/base", "default.12m"})
    EXPECT_TRUE(contains(page, each)) << each;
}

TEST_F(BookTest, WhatIsComparedIsTheNightBefore) {
  const std::string config = path("mine.toml");
  std::ofstream(config) << "include = [\"" + kDemo + "\"]\n";
  const std::string file = book("[[company]]\nid = \"mine\"\nconfig = \"mine.toml\"\n");
  ASSERT_EQ(run(nightly(file)).code, 0);
  const std::string first = fs::read_symlink(latest()).string();
  ASSERT_EQ(run(nightly(file)).code, 0) << "a second night of the day";
  EXPECT_EQ(fs::read_symlink(latest()).string(), first + "-2");
  EXPECT_TRUE(contains(read(latest() / "mail.txt"), "no headline figure moved")) << read(latest() / "mail.txt");
  std::ofstream(config) << "include = [\"" + kDemo +
                               "\"]\n[[site]]\nid = \"abilene\"\nunplanned_months = 6.0\n";
  ASSERT_EQ(run(nightly(file)).code, 0);
  const std::string mail = read(latest() / "mail.txt");
  EXPECT_TRUE(contains(mail, "Since the night of " + first + "-2:")) << mail;
  EXPECT_TRUE(contains(mail, "mine: site.abilene.unplanned_months = 6")) << mail;
  EXPECT_TRUE(contains(mail, "mine/base default.24m: ")) << mail;
}

TEST_F(BookTest, OneThatFailsIsToldAndTheOthersRun) {
  std::ofstream(path("broken.toml")) << "include = [\"" + kDemo + "\"]\n[company]\nhorizon_months = -1\n";
  const std::string file = small();
  std::ofstream(file, std::ios::app)
      << "[[company]]\nid = \"broken\"\nconfig = \"broken.toml\"\npriority = 9\n";
  const Result result = run(nightly(file));
  EXPECT_EQ(result.code, 2) << result.err;
  const Json entries = night()["entries"];
  EXPECT_EQ(entries["broken/base"]["state"], "failed");
  EXPECT_TRUE(contains(entries["broken/base"]["told"].get<std::string>(), "broken.toml:3:18: ")) << entries;
  for (const char* each : {"demo/base", "demo/slips", "lakeside/base"})
    EXPECT_EQ(entries[each]["state"], "finished") << each;
}

TEST_F(BookTest, ItsGatesAreItsExitCode) {
  EXPECT_EQ(run(nightly(small("", "gates = [\"default.60m <= 100%\"]\n"))).code, 0);
  EXPECT_EQ(run(nightly(small("", "gates = [\"any_breach.60m <= 0%\"]\n"))).code, 10);
  EXPECT_TRUE(contains(read(latest() / "mail.txt"), "gate failed: any_breach.60m <= 0%"));
  EXPECT_TRUE(contains(read(latest() / "index.html"), "failed: any_breach.60m &lt;= 0%"));
}

TEST_F(BookTest, GatesThatHaveChangedAreJudgedAgain) {
  ASSERT_EQ(run(nightly(small("", "gates = [\"any_breach.60m <= 100%\"]\n"))).code, 0);
  Json json = night();
  json["whole"] = false;
  std::ofstream(latest() / "night.json") << json.dump();
  const std::string id = fs::read_symlink(latest()).string();
  EXPECT_EQ(run(nightly(small("", "gates = [\"any_breach.60m <= 0%\"]\n"))).code, 10);
  EXPECT_EQ(fs::read_symlink(latest()).string(), id);
  EXPECT_TRUE(contains(read(latest() / "mail.txt"), "gate failed: any_breach.60m <= 0%"));
}

TEST_F(BookTest, AClockThatWasSetBackRemovesNoNewNight) {
  ASSERT_EQ(run(nightly(small())).code, 0);
  Json json = night();
  json["begun"] = json["begun"].get<std::int64_t>() + 1'000'000;
  std::ofstream(latest() / "night.json") << json.dump();
  ASSERT_EQ(run(nightly(small("keep_nights = 1\n"))).code, 0);
  EXPECT_TRUE(fs::exists(latest() / "index.html"));
  EXPECT_TRUE(night()["whole"].get<bool>());
}

TEST_F(BookTest, AReaderOfTheHistoryIsWaitedFor) {
  ASSERT_EQ(run(nightly(small())).code, 0);
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path("nights/history.sqlite").c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
  const pid_t child = start(nightly(small()));
  std::this_thread::sleep_for(std::chrono::seconds(3));
  EXPECT_EQ(waitpid(child, nullptr, WNOHANG), 0) << "it waits";
  sqlite3_exec(db, "COMMIT", nullptr, nullptr, nullptr);
  sqlite3_close(db);
  EXPECT_EQ(finish(child).code, 0);
}

TEST_F(BookTest, WrongBooksAreRefusedBeforeAnythingIsRun) {
  const std::string file = book(
      "by = \"26:00\"\ngates = [\"default.12m < 5\"]\n[[company]]\nid = \"a\"\nconfig = \"x.toml\"\n"
      "scenarios = [\"bse\"]\n");
  const Result result = run(nightly(file));
  EXPECT_EQ(result.code, 2);
  for (const char* each : {"book.toml:1:6: ", "book.toml:2:9: ", "book.toml:6:14: "})
    EXPECT_TRUE(contains(result.err, each)) << each << "\n" << result.err;
  EXPECT_FALSE(fs::exists(folder_ / "nights"));
  EXPECT_EQ(run({"book", kConfigs + "/book.toml"}).code, 2) << "without --out";
}

TEST_F(BookTest, WhatHasNoTimeIsDropped) {
  // A minute ago is nearly a day away, so the night is begun by hand, yesterday.
  ASSERT_EQ(run(nightly(small())).code, 0);
  const std::string id = fs::read_symlink(latest()).string();
  Json json = night();
  json["whole"] = false;
  json["begun"] = json["begun"].get<std::int64_t>() - 7200;
  std::ofstream(latest() / "night.json") << json.dump();
  fs::remove_all(latest() / "lakeside");
  const std::time_t hour_ago = std::time(nullptr) - 3600;
  char by[8];
  std::tm at{};
  std::strftime(by, sizeof by, "%H:%M", localtime_r(&hour_ago, &at));
  const Result result = run(nightly(small(std::string("by = \"") + by + "\"\n")));
  EXPECT_EQ(result.code, 11) << result.err;
  EXPECT_EQ(fs::read_symlink(latest()).string(), id) << "it goes on with the night of its beginning";
  EXPECT_EQ(night()["entries"]["lakeside/base"]["state"], "dropped");
  EXPECT_EQ(night()["entries"]["demo/base"]["state"], "finished") << "what was finished stays so";
}

// What was cut before a kill is as it was, also if the night goes on when its time is over.
TEST_F(BookTest, WhatWasCutIsKept) {
  ASSERT_EQ(run(nightly(small())).code, 0);
  Json json = night();
  json["whole"] = false;
  json["begun"] = json["begun"].get<std::int64_t>() - 7200;
  std::ofstream(latest() / "night.json") << json.dump();
  ASSERT_EQ(run({"run", kConfigs + "/lakeside-template.toml", "--paths", "1000", "--backend", "cpu", "--out",
                 (latest() / "lakeside" / "base").string()})
                .code,
            0);
  const std::time_t hour_ago = std::time(nullptr) - 3600;
  char by[8];
  std::tm at{};
  std::strftime(by, sizeof by, "%H:%M", localtime_r(&hour_ago, &at));
  const std::string late = std::string("by = \"") + by + "\"\n";
  const std::string file = small(late);
  EXPECT_EQ(run(nightly(file)).code, 11);
  EXPECT_EQ(night()["entries"]["lakeside/base"]["state"], "cut");
  EXPECT_EQ(query("SELECT state FROM runs WHERE company = 'lakeside'"), (std::vector<std::string>{"cut"}));
  EXPECT_EQ(query("SELECT value FROM figures WHERE company = 'lakeside' AND figure = 'default.24m'").size(),
            1U);
  // Gates that nobody has judged pass nobody.
  json["begun"] = json["begun"].get<std::int64_t>() - 60;
  std::ofstream(latest() / "night.json") << json.dump();
  EXPECT_EQ(run(nightly(small(late, "gates = [\"default.60m <= 100%\"]\n"))).code, 11);
  EXPECT_TRUE(contains(night()["entries"]["demo/base"]["told"].get<std::string>(), "gates were not judged"));
}

#ifdef HEADROOM_FAULTS
TEST_F(BookTest, AClockThatJumpsCutsNothing) {
  const std::time_t in_two_hours = std::time(nullptr) + 7200;
  char by[8];
  std::tm at{};
  std::strftime(by, sizeof by, "%H:%M", localtime_r(&in_two_hours, &at));
  const Words words = nightly(small(std::string("by = \"") + by + "\"\n"));
  const Result result = run(words, [] {
    setenv("LD_PRELOAD", HEADROOM_FAULTS, 1);
    setenv("HEADROOM_FAULT_CLOCK", "10800", 1);
  });
  EXPECT_EQ(result.code, 0) << result.err;
  for (const auto& [name, entry] : night()["entries"].items()) EXPECT_EQ(entry["state"], "finished") << name;
}
#endif

TEST_F(BookTest, OldNightsGo) {
  for (int i = 0; i < 4; ++i) ASSERT_EQ(run(nightly(small("keep_nights = 2\n"))).code, 0);
  std::size_t nights = 0;
  for (const auto& each : fs::directory_iterator(folder_ / "nights"))
    nights += !each.is_symlink() && each.is_directory();
  EXPECT_EQ(nights, 2U);
  EXPECT_EQ(query("SELECT DISTINCT night FROM runs").size(), 4U) << "the history stays";
}

// SIGKILL at any moment; then the same command. Nothing that was finished is run twice.
TEST_F(BookTest, KilledAtRandomMomentsAndStartedAgain) {
  const std::string file = small();
  Words words = nightly(file);
  words[5] = "20000";
  ASSERT_EQ(run(words).code, 0);
  std::vector<std::string> whole;
  const std::vector<std::string> entries = {"demo/base", "demo/slips", "lakeside/base"};
  for (const std::string& entry : entries) {
    for (const char* csv : kCsv) whole.push_back(read(latest() / entry / csv));
  }
  fs::remove_all(folder_ / "nights");
  std::mt19937 random(7);
  std::map<fs::path, std::string> finished;  // with the time of the run
  for (int tries = 0; tries < 12; ++tries) {
    const pid_t child = start(words);
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 400));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    if (fs::exists(latest())) {
      EXPECT_TRUE(night()["whole"].get<bool>());
    }
    for (const auto& each : fs::directory_iterator(folder_ / "nights")) {
      for (const std::string& entry : entries) {
        const std::string summary = read(each.path() / entry / "summary.json");
        if (summary.empty() || each.is_symlink()) continue;
        const auto [first, is_new] = finished.emplace(each.path() / entry, summary);
        EXPECT_TRUE(is_new || first->second == summary) << first->first << " was run twice";
      }
    }
  }
  const Result last = run(words);
  ASSERT_EQ(last.code, 0) << last.err;
  std::size_t k = 0;
  for (const std::string& entry : entries) {
    for (const char* csv : kCsv) EXPECT_EQ(read(latest() / entry / csv), whole[k++]) << entry << ' ' << csv;
  }
}

TEST_F(BookTest, ASecondWriterIsRefused) {
  Words words = nightly(small());
  words[5] = "1000000";
  const pid_t first = start(words);
  for (int i = 0; i < 500 && !fs::exists(folder_ / "nights" / ".lock"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const std::string command = "'" HEADROOM_PROGRAM "' book '" + words[1] + "' --out '" + path("nights") +
                              "' 2>'" + path("second") + "'";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 5);
  EXPECT_TRUE(contains(read(folder_ / "second"), "in use by another headroom book"))
      << read(folder_ / "second");
  kill(first, SIGTERM);
  const Result result = finish(first);
  EXPECT_EQ(result.code, 130);
  EXPECT_TRUE(contains(result.err, "goes on with the night of")) << result.err;
  EXPECT_FALSE(fs::exists(latest()));
}

TEST_F(BookTest, TheOneThatComesWithIt) {
  const Result result = run({"book", kConfigs + "/book.toml", "--out", path("nights"), "--paths", "512"});
  EXPECT_TRUE(result.code == 0 || result.code == 10 || result.code == 11) << result.err;
  EXPECT_EQ(night()["entries"].size(), 14U);
  for (const auto& [name, entry] : night()["entries"].items()) EXPECT_EQ(entry["state"], "finished") << name;
}

}  // namespace
}  // namespace headroom
