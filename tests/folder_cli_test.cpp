// SPDX-License-Identifier: Apache-2.0
// A result folder is of one run, whatever happens: every call of the file system fails or is the last one, two
// write at once, the disk is full.
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "host/report/folder.hpp"
#include "host/report/sha256.hpp"
#include "program.hpp"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

class FolderTest : public ProgramTest {
 protected:
  // A run of some 30 ms.
  Words quick(int seed, const std::string& out) const {
    return {"run", kDemo,       "--paths", "64",     "--months",           "12",    "--backend",
            "cpu", "--threads", "1",       "--seed", std::to_string(seed), "--out", out};
  }
  Words quick(int seed) const { return quick(seed, path("results")); }

  // The seed of the run whose files, all and whole, are in the folder. 0: the folder says that it has none, for
  // it has no manifest. -1: it is mixed.
  int seed_in(const std::filesystem::path& folder) const {
    const std::string text = read(folder / "manifest.json");
    if (text.empty()) return 0;
    const Json manifest = Json::parse(text);
    for (const auto& [name, file] : manifest.at("files").items()) {
      if (report::sha256(read(folder / name)) != file.at("sha256").get<std::string>()) return -1;
    }
    const Json summary = Json::parse(read(folder / "summary.json"));
    if (manifest.at("files").size() != report::kResultNames.size() - 1 ||
        summary.at("run").at("id") != manifest.at("run")) {
      return -1;
    }
    return manifest.at("seed").get<int>();
  }
  int seed() const { return seed_in(folder_ / "results"); }

  // Everything in the test's folder but what the test itself puts there.
  std::vector<std::string> others() const {
    std::vector<std::string> found;
    for (const auto& each : std::filesystem::directory_iterator(folder_)) {
      const std::string name = each.path().filename().string();
      if (name != "out" && name != "err" && name != "results" && name != "call") found.push_back(name);
    }
    for (const auto& each : std::filesystem::directory_iterator(folder_ / "results")) {
      const std::string name = each.path().filename().string();
      if (std::find(report::kResultNames.begin(), report::kResultNames.end(), name) ==
          report::kResultNames.end())
        found.push_back("results/" + name);
    }
    std::sort(found.begin(), found.end());
    return found;
  }
};

TEST_F(FolderTest, AFolderStandsByItself) {
  const std::string overlay = kConfigs + "/stress/delivery-slips.toml";
  struct Case {
    std::string config;
    Words more;
  };
  for (const Case& each :
       {Case{"demo", {}}, Case{"lakeside-template", {"--months", "24"}}, Case{"coreweave-1q26", {}},
        Case{"nebius-1q26", {}},
        Case{"coreweave-1q26", {"--overlay", overlay, "--set", "market.supply.start_tightness=0.1"}}}) {
    Words words = {
        "run",          kConfigs + "/" + each.config + ".toml", "--paths", "300", "--seed", "9", "--out",
        path("results")};
    words.insert(words.end(), each.more.begin(), each.more.end());
    const Result first = run(words);
    ASSERT_EQ(first.code, 0) << first.err;
    EXPECT_EQ(seed(), 9);
    const Json manifest = Json::parse(read(folder_ / "results" / "manifest.json"));
    EXPECT_EQ(manifest["command"].size(), words.size() + 1);
    EXPECT_TRUE(manifest["complete"].get<bool>());
    for (const char* key : {"headroom", "commit", "host", "started", "finished"})
      EXPECT_FALSE(manifest[key].get<std::string>().empty()) << key;

    const Result second =
        run({"run", path("results/inputs.toml"), "--paths", "300", "--seed", "9", "--out", path("again")});
    ASSERT_EQ(second.code, 0) << second.err;
    Json one = Json::parse(read(folder_ / "results" / "summary.json"))["results"];
    Json two = Json::parse(read(folder_ / "again" / "summary.json"))["results"];
    // The config that was used is written, so nothing is replaced in it the second time.
    EXPECT_EQ(one["overrides"].empty(), each.more.empty());
    EXPECT_TRUE(two["overrides"].empty());
    one.erase("overrides"), two.erase("overrides");
    EXPECT_EQ(one.dump(), two.dump()) << each.config;
    for (const char* file : {"fcf.csv", "covenants.csv", "monthly.csv", "results.csv"})
      EXPECT_EQ(read(folder_ / "results" / file), read(folder_ / "again" / file)) << each.config << " " << file;
    std::filesystem::remove_all(folder_ / "again");
  }
}

TEST_F(FolderTest, AnInterruptedRunIsRepeatedAsItsInputsSay) {
  for (const char* exact : {"1M", "100k"}) {
    // What was done stays in the folder, so that a run of another kind is refused there.
    std::filesystem::remove_all(folder_ / "results");
    const pid_t child = start(long_run({"--exact-paths", exact, "--out", path("results")}));
    ASSERT_TRUE(working());
    kill(child, SIGTERM);
    ASSERT_EQ(finish(child).code, 130);
    const std::string inputs = read(folder_ / "results" / "inputs.toml"), mark = "# headroom ";
    std::istringstream line(inputs.substr(inputs.find(mark) + mark.size()));
    Words words;
    for (std::string word; line.peek() != '\n' && line >> word;) words.push_back(word);
    words[1] = path("results/inputs.toml");
    words.insert(words.end(), {"--out", path("again")});
    ASSERT_EQ(run(words).code, 0);
    EXPECT_EQ(Json::parse(read(folder_ / "results" / "summary.json"))["results"]["paths"],
              Json::parse(read(folder_ / "again" / "summary.json"))["results"]["paths"]);
    for (const char* file : {"fcf.csv", "covenants.csv", "monthly.csv", "results.csv"})
      EXPECT_EQ(read(folder_ / "results" / file), read(folder_ / "again" / file)) << exact << " " << file;
  }
}

TEST_F(FolderTest, TheUsersFilesStay) {
  std::filesystem::create_directories(folder_ / "results");
  std::ofstream(folder_ / "results" / "notes.txt") << "mine";
  std::filesystem::create_symlink("/nowhere", folder_ / "results" / "link");
  chmod(path("results").c_str(), 0750);
  for (const int seed : {1, 2}) {
    ASSERT_EQ(run(quick(seed)).code, 0);
    EXPECT_EQ(this->seed(), seed);
    EXPECT_EQ(read(folder_ / "results" / "notes.txt"), "mine");
    EXPECT_EQ(others(), (std::vector<std::string>{"results/link", "results/notes.txt"}));
  }
  struct stat status {};
  stat(path("results").c_str(), &status);
  EXPECT_EQ(status.st_mode & 0777U, 0750U);
  // With a folder inside, files are moved one by one: so it is in the current folder.
  std::filesystem::create_directories(folder_ / "results" / "sub");
  std::ofstream(folder_ / "results" / "sub" / "file") << "mine";
  ASSERT_EQ(run(quick(3)).code, 0);
  ASSERT_EQ(run(quick(4, "."), [&] { (void)!chdir(path("results").c_str()); }).code, 0);
  EXPECT_EQ(seed(), 4);
  EXPECT_EQ(read(folder_ / "results" / "sub" / "file"), "mine");
  EXPECT_EQ(others(), (std::vector<std::string>{"results/link", "results/notes.txt", "results/sub"}));
}

TEST_F(FolderTest, WhatNoRunWroteIsNotReplaced) {
  for (const char* name : {"inputs.toml", "manifest.json"}) {
    std::filesystem::create_directories(folder_ / "results");
    std::ofstream(folder_ / "results" / name) << "{}";
    const Result result = run(quick(1));
    EXPECT_EQ(result.code, 5);
    EXPECT_TRUE(contains(result.err, "was not written by headroom and would be replaced")) << result.err;
    EXPECT_EQ(read(folder_ / "results" / name), "{}");
    std::filesystem::remove_all(folder_ / "results");
  }
  std::filesystem::create_directories(folder_ / "results" / "fcf.csv");
  EXPECT_TRUE(contains(run(quick(1)).err, "fcf.csv is a folder and would be replaced"));
  std::filesystem::remove_all(folder_ / "results");
  std::filesystem::create_directories(folder_ / "results");
  std::filesystem::create_symlink("/dev/null", folder_ / "results" / "fcf.csv");
  EXPECT_TRUE(contains(run(quick(1)).err, "is not a file of its own"));
}

TEST_F(FolderTest, AFolderThatCannotBeMadeIsSaidBeforeTheRun) {
  for (const std::string& out :
       {kDemo, path(std::string(300, 'x')), std::string("/proc/headroom"), std::string("/dev/full")}) {
    const Result result = run(quick(1, out));
    EXPECT_EQ(result.code, 5) << out;
    EXPECT_EQ(result.out, "") << out;
  }
}

TEST_F(FolderTest, AFailureToWriteKeepsTheResultOnTheTerminalAndTheOldFiles) {
  ASSERT_EQ(run(quick(1)).code, 0);
  const Result result = run(quick(2), [] {
    const rlimit limit{20'000, 20'000};
    setrlimit(RLIMIT_FSIZE, &limit);
  });
  EXPECT_EQ(result.code, 5);
  EXPECT_TRUE(contains(result.out, "Violated identities"));
  EXPECT_TRUE(contains(result.err, "old files are untouched; the result is printed above")) << result.err;
  EXPECT_EQ(seed(), 1);
  EXPECT_EQ(others(), std::vector<std::string>{});
}

TEST_F(FolderTest, AFullDisk) {
  const std::string disk = path("disk");
  std::filesystem::create_directory(disk);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1m") != 0) GTEST_SKIP() << "only root mounts a small disk";
  // A folder on the disk, and the disk itself, whose folder cannot be exchanged.
  for (const std::string& out : {disk + "/results", disk}) {
    EXPECT_EQ(run(quick(1, out)).code, 0);
    std::ofstream(disk + "/filler") << std::string(1 << 20, 'x');
    const Result result = run(quick(2, out));
    EXPECT_EQ(result.code, 5);
    EXPECT_TRUE(contains(result.err, "No space left on device")) << result.err;
    EXPECT_EQ(seed_in(out), 1);
    std::filesystem::remove(disk + "/filler");
    EXPECT_EQ(run(quick(3, out)).code, 0);
    EXPECT_EQ(seed_in(out), 3);
    std::filesystem::remove_all(disk + "/results");
  }
  umount(disk.c_str());
}

TEST_F(FolderTest, ASecondWriterIsRefused) {
  ASSERT_EQ(run(quick(1)).code, 0);
  const pid_t first = start(long_run({"--out", path("results")}));
  ASSERT_TRUE(working());
  const Result second = run(quick(2));
  EXPECT_EQ(second.code, 5);
  EXPECT_TRUE(contains(second.err, "another run is writing into ")) << second.err;
  EXPECT_EQ(seed(), 1);
  kill(first, SIGKILL);  // the lock goes with it
  waitpid(first, nullptr, 0);
  EXPECT_EQ(run(quick(3)).code, 0);
  EXPECT_EQ(seed(), 3);
  EXPECT_EQ(others(), std::vector<std::string>{});
}

TEST_F(FolderTest, AFolderThatTheUserRemovesMeanwhileIsMadeAgain) {
  const pid_t child = start(long_run({"--out", path("results")}));
  ASSERT_TRUE(working());
  std::filesystem::remove_all(folder_ / "results");
  kill(child, SIGTERM);
  EXPECT_EQ(finish(child).code, 130);
  EXPECT_EQ(seed(), 1);
  EXPECT_FALSE(Json::parse(read(folder_ / "results" / "manifest.json"))["complete"].get<bool>());
}

TEST_F(FolderTest, TwoWritersAtOnceDoNotMix) {
  for (int round = 0; round < 10; ++round) {
    const pid_t one = start(quick(2 * round + 1)), two = start(quick(2 * round + 2));
    const int first = finish(one).code, second = finish(two).code;
    EXPECT_TRUE(first == 0 || second == 0);
    for (const int code : {first, second}) EXPECT_TRUE(code == 0 || code == 5) << code;
    EXPECT_TRUE(seed() == 2 * round + 1 || seed() == 2 * round + 2) << seed();
    EXPECT_EQ(others(), std::vector<std::string>{});
  }
}

// HEADROOM_TEST_KILLS=1000 for more.
TEST_F(FolderTest, KilledAtARandomMoment) {
  const char* text = std::getenv("HEADROOM_TEST_KILLS");
  const int kills = text != nullptr ? std::atoi(text) : 20;
  ASSERT_EQ(run(quick(1)).code, 0);
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_EQ(run(quick(1)).code, 0);
  const auto whole =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begun);
  std::mt19937 random(1);
  int before = 1, old_files = 0, new_files = 0;
  for (int each = 2; each < kills + 2; ++each) {
    const pid_t child = start(quick(each));
    std::this_thread::sleep_for(whole * static_cast<int>(200 + random() % 800) / 1000);
    kill(child, SIGKILL);
    finish(child);
    EXPECT_TRUE(seed() == before || seed() == each) << seed();
    (seed() == each ? new_files : old_files) += 1;
    before = seed();
  }
  std::cout << kills << " runs killed: " << old_files << " folders with the old files, " << new_files
            << " with the new, none mixed\n";
  EXPECT_EQ(run(quick(9)).code, 0);
  EXPECT_EQ(seed(), 9);
  EXPECT_EQ(others(), std::vector<std::string>{});
}

#ifdef HEADROOM_FAULTS
struct Fault {
  const char* name;
  bool exchange;
  int error;  // 0: killed
};

class Faults : public FolderTest, public testing::WithParamInterface<Fault> {};

TEST_P(Faults, OfEveryCallLeaveOneGeneration) {
  const Fault& fault = GetParam();
  std::string table;
  int step = 1;
  for (bool hit = true; hit; ++step) {
    std::filesystem::remove_all(folder_ / "results");
    std::filesystem::create_directory(folder_ / "results");
    std::ofstream(folder_ / "results" / "notes.txt") << "mine";
    ASSERT_EQ(run(quick(1)).code, 0);
    std::filesystem::remove(folder_ / "call");
    const Result result = run(quick(2), [&] {
      setenv("LD_PRELOAD", HEADROOM_FAULTS, 1);
      setenv("HEADROOM_FAULT_AT", std::to_string(step).c_str(), 1);
      setenv("HEADROOM_FAULT_ERROR", std::to_string(fault.error).c_str(), 1);
      setenv("HEADROOM_FAULT_EXCHANGE", fault.exchange ? "on" : "off", 1);
      setenv("HEADROOM_FAULT_LOG", path("call").c_str(), 1);
    });
    const std::string call = read(folder_ / "call");
    hit = !call.empty();
    if (!hit) {
      EXPECT_EQ(result.code, 0) << result.err;
      break;
    }
    const int left = seed();
    const bool killed = fault.error == 0;
    table += fmt::format("  {:2} {:9} exit {:3}, {}\n", step, call, result.code,
                         left == 1   ? "old files"
                         : left == 2 ? "new files"
                         : left == 0 ? "no manifest"
                                     : "mixed");
    EXPECT_NE(left, -1) << fault.name << step << call;
    // Only a program that was killed while it moved files one by one leaves a folder without a manifest.
    if (fault.exchange || !killed) {
      EXPECT_NE(left, 0) << fault.name << step << call;
    }
    EXPECT_EQ(read(folder_ / "results" / "notes.txt"), "mine");
    if (!killed) {
      EXPECT_EQ(result.code, left == 2 && result.err.empty() ? 0 : 5) << result.err;
      if (contains(result.err, "old files are untouched")) {
        EXPECT_EQ(left, 1) << fault.name << step << call;
      }
    }
    // The next writer removes what was left: first one that is itself refused, and so writes nothing.
    const int wrong =
        run({"run", kDemo, "--figures", "none.such", "--paths", "64", "--out", path("results")}).code;
    EXPECT_EQ(wrong, 2);
    EXPECT_TRUE(seed() == 1 || seed() == 2) << seed();
    ASSERT_EQ(run(quick(3)).code, 0);
    EXPECT_EQ(seed(), 3);
    EXPECT_EQ(others(), std::vector<std::string>{"results/notes.txt"}) << fault.name << step << call;
  }
  std::cout << GetParam().name << ", the call that failed and what was left:\n" << table;
  EXPECT_GT(step, 20);
}

INSTANTIATE_TEST_SUITE_P(All, Faults,
                         testing::Values(Fault{"killed_exchanging", true, 0}, Fault{"killed_moving", false, 0},
                                         Fault{"no_space_exchanging", true, ENOSPC},
                                         Fault{"io_error_moving", false, EIO}),
                         [](const auto& instance) { return instance.param.name; });
#endif

}  // namespace
}  // namespace headroom
