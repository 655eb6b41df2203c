// SPDX-License-Identifier: Apache-2.0
// Parts of a run, made anywhere and in any order, and a run that is killed again and again, end in the bytes of
// one run.
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "program.hpp"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

class PartsTest : public ProgramTest {
 protected:
  Words command(const Words& more, const std::string& config = kDemo) const {
    Words words = {"run", config, "--seed", "4", "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  void ok(const Words& words) const {
    const Result result = run(words);
    EXPECT_EQ(result.code, 0) << result.err;
  }

  // Everything but a run's own facts: its id, times and command.
  std::string bytes_in(const std::string& folder) const {
    std::string text = Json::parse(read(folder_ / folder / "summary.json")).at("results").dump();
    for (const char* file : {"fcf.csv", "covenants.csv", "monthly.csv", "results.csv"})
      text += read(folder_ / folder / file);
    const std::string inputs = read(folder_ / folder / "inputs.toml");
    EXPECT_TRUE(contains(inputs, "# The config of run "));
    return text + inputs.substr(inputs.find('\n'));
  }
};

TEST_F(PartsTest, ShardsInAnyOrderAreTheWholeRun) {
  const std::string overlay = kConfigs + "/stress/delivery-slips.toml";
  struct Case {
    std::string config, exact;
    Words more;
  };
  for (const Case& each :
       {Case{"demo", "1M", {}}, Case{"demo", "2k", {"--figures", "debt.2027-12.*"}},
        Case{"coreweave-1q26", "1k", {"--overlay", overlay}}, Case{"nebius-1q26", "1M", {}}}) {
    Words words =
        command({"--paths", "5001", "--exact-paths", each.exact}, kConfigs + "/" + each.config + ".toml");
    words.insert(words.end(), each.more.begin(), each.more.end());
    const auto with = [&](const Words& more) {
      Words all = words;
      all.insert(all.end(), more.begin(), more.end());
      return all;
    };
    ok(with({"--out", path("whole")}));
    for (const char* number : {"3", "1", "2"}) {
      ok(with({"--shard", fmt::format("{}/3", number), "--threads", number, "--out", path(number)}));
      EXPECT_FALSE(std::filesystem::exists(folder_ / number / "summary.json"));
    }
    ok({"merge", path("2"), path("3"), path("1"), "--out", path("merged")});
    EXPECT_EQ(bytes_in("merged"), bytes_in("whole")) << each.config;
    for (const char* folder : {"whole", "1", "2", "3", "merged"}) std::filesystem::remove_all(folder_ / folder);
  }
}

TEST_F(PartsTest, PathsAreAddedLater) {
  // The first paths are kept, the later ones and the sum are counted.
  ok(command({"--paths", "1k", "--exact-paths", "2k", "--keep-answers", "--out", path("tonight")}));
  ok(command({"--first-path", "1k", "--paths", "9k", "--exact-paths", "2k", "--keep-answers", "--out",
              path("tomorrow")}));
  ok(command({"--paths", "10k", "--exact-paths", "2k", "--out", path("whole")}));
  ok({"merge", path("tomorrow"), path("tonight"), "--keep-answers", "--out", path("merged")});
  EXPECT_EQ(bytes_in("merged"), bytes_in("whole"));
  // What was merged is a part again.
  ok(command({"--first-path", "10k", "--paths", "1k", "--exact-paths", "2k", "--keep-answers", "--out",
              path("more")}));
  ok({"merge", path("more"), path("merged"), "--out", path("eleven")});
  ok(command({"--paths", "11k", "--exact-paths", "2k", "--out", path("whole")}));
  EXPECT_EQ(bytes_in("eleven"), bytes_in("whole"));
}

TEST_F(PartsTest, WhatIsNotOfOneRunIsRefusedByName) {
  const auto part = [&](const char* name, const Words& more) {
    Words words = command({"--paths", "300", "--shard", "1/3", "--out", path(name)});
    words.insert(words.end(), more.begin(), more.end());
    ok(words);
  };
  part("one", {});
  ok(command({"--paths", "300", "--shard", "2/3", "--out", path("two")}));
  ok(command({"--paths", "300", "--shard", "3/3", "--set", "market.supply.start_tightness=0.1", "--out",
              path("config")}));
  ok({"run", kDemo, "--paths", "300", "--shard", "3/3", "--out", path("seed")});
  ok(command({"--paths", "300", "--shard", "3/3", "--figures", "debt.2027-12.*", "--out", path("questions")}));
  ok(command({"--first-path", "150", "--paths", "150", "--keep-answers", "--out", path("overlap")}));
  ok(command({"--paths", "300", "--shard", "3/3", "--out", path("damaged")}));
  std::string bytes = read(folder_ / "damaged" / "answers.part");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  std::ofstream(folder_ / "damaged" / "answers.part", std::ios::binary) << bytes;
  ok(command({"--paths", "300", "--shard", "3/3", "--out", path("version")}));
  bytes = read(folder_ / "version" / "answers.part");
  bytes.replace(bytes.find("\"headroom\":\"") + 12, 1, "9");
  std::ofstream(folder_ / "version" / "answers.part", std::ios::binary) << bytes;
  for (const auto& [third, why] : std::vector<std::pair<std::string, std::string>>{
           {"config", "market.supply.start_tightness was"},
           {"seed", "the seed was 4 and is 1"},
           {"questions", "--figures was"},
           {"overlap", "share paths 150 to 199; leave one of them out"},
           {"damaged", "its checksum is wrong"},
           {"version", "the version was"},
           {"one", "share paths 0 to 99"},
           {"none", "holds no part of a run"}}) {
    const Result result = run({"merge", path("one"), path("two"), path(third), "--out", path("merged")});
    EXPECT_EQ(result.code, 2) << third;
    EXPECT_TRUE(contains(result.err, why)) << third << ": " << result.err;
    EXPECT_TRUE(contains(result.err, path(third))) << third << ": " << result.err;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "merged")) << third;
  }
  ok(command({"--paths", "300", "--shard", "3/3", "--out", path("three")}));
  const Result missing = run({"merge", path("one"), path("three"), "--out", path("merged")});
  EXPECT_EQ(missing.code, 2);
  EXPECT_TRUE(contains(missing.err, "paths 100 to 199 are missing")) << missing.err;
  for (const char* shard : {"0/3", "4/3", "3", "1/x"}) {
    EXPECT_EQ(run(command({"--shard", shard, "--out", path("wrong")})).code, 2) << shard;
  }
  EXPECT_EQ(run(command({"--shard", "1/3"})).code, 2);

  // The figures of parts with a gap.
  const Result gap = run({"answers", path("one"), path("three")});
  EXPECT_EQ(gap.code, 0) << gap.err;
  EXPECT_TRUE(contains(gap.out, "200 paths: 0 to 99, 200 to 299")) << gap.out;
  const Result csv = run({"answers", path("one"), path("two"), path("three"), "--csv"});
  ok(command({"--paths", "300", "--out", path("whole")}));
  EXPECT_EQ(csv.out, read(folder_ / "whole" / "results.csv"));
}

// HEADROOM_TEST_KILLS=100 for more.
TEST_F(PartsTest, KilledAtRandomMomentsAndResumed) {
  const char* text = std::getenv("HEADROOM_TEST_KILLS");
  const int kills = text != nullptr ? std::atoi(text) : 20;
  std::mt19937 random(1);
  int killed = 0, went_on = 0;
  for (int round = 0; killed < kills; ++round) {
    // In turn: values counted, values kept, a shard.
    const bool shard = round % 3 == 2;
    Words words = {"run",       kDemo,   "--seed",        std::to_string(round),
                   "--paths",   "1500k", "--months",      "12",
                   "--threads", "2",     "--exact-paths", round % 3 == 1 ? "2M" : "10k"};
    if (shard) words.insert(words.end(), {"--shard", "1/1"});
    Words whole = words;
    whole.insert(whole.end(), {"--quiet", "--out", path("whole")});
    const auto begun = std::chrono::steady_clock::now();
    ok(whole);
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun).count();
    words.insert(words.end(), {"--checkpoint-seconds", "0", "--out", path("killed")});
    for (bool done = false; !done;) {
      const bool there = std::filesystem::exists(folder_ / "killed" / "answers.part");
      Words again = words;
      if (there) {
        const Result refused = run(words);
        EXPECT_EQ(refused.code, 2);
        EXPECT_TRUE(contains(refused.err, "go on with --resume")) << refused.err;
      }
      again.push_back("--resume");
      const pid_t child = start(again);
      if (killed < kills) {
        std::this_thread::sleep_for(
            std::chrono::milliseconds(random() % static_cast<std::uint32_t>(milliseconds)));
        kill(child, SIGKILL);
      }
      const Result result = finish(child);
      done = result.code == 0;
      if (!done) {
        EXPECT_EQ(result.code, 128 + SIGKILL) << result.err;
        ++killed;
      }
      went_on += contains(result.err, "going on after") ? 1 : 0;
    }
    if (shard) {
      ok({"merge", path("killed"), "--out", path("merged")});
      ok({"merge", path("whole"), "--out", path("merged-whole")});
      EXPECT_EQ(bytes_in("merged"), bytes_in("merged-whole"));
    } else {
      EXPECT_EQ(bytes_in("killed"), bytes_in("whole"));
      EXPECT_FALSE(std::filesystem::exists(folder_ / "killed" / "answers.part"));
    }
    for (const auto& each : std::filesystem::directory_iterator(folder_ / "killed"))
      EXPECT_NE(each.path().filename().string()[0], '.') << each.path();
    for (const char* name : {"whole", "killed", "merged", "merged-whole"})
      std::filesystem::remove_all(folder_ / name);
  }
  std::cout << killed << " kills, " << went_on << " runs went on from a checkpoint\n";
  EXPECT_GT(went_on, 0);
}

TEST_F(PartsTest, AnInterruptedRunGoesOn) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const Words words = long_run({"--exact-paths", "100k", "--out", path("results")});
    const pid_t child = start(words);
    ASSERT_TRUE(working());
    EXPECT_TRUE(contains(run({"status", path("results")}).out, "a run is writing into it"));
    kill(child, signal);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), 130);
    const Result dead = run({"status", path("results")});
    EXPECT_TRUE(contains(dead.out, "its command with --resume goes on")) << dead.out;

    Words changed = words;
    changed.insert(changed.end(), {"--resume", "--set", "market.supply.start_tightness=0.1"});
    const Result refused = run(changed);
    EXPECT_EQ(refused.code, 2);
    EXPECT_TRUE(contains(refused.err, "market.supply.start_tightness was")) << refused.err;
    changed = words;
    changed[3] = "2M";
    changed.push_back("--resume");
    EXPECT_TRUE(contains(run(changed).err, "the paths were 1000000 from 0 and are 2000000 from 0"));
    std::filesystem::remove_all(folder_ / "results");
  }
}

}  // namespace
}  // namespace headroom
