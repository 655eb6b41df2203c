// SPDX-License-Identifier: Apache-2.0
// headroom verify: whatever is changed in a folder of results is named.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "host/report/folder.hpp"
#include "host/report/sha256.hpp"
#include "tests/program.hpp"

namespace headroom {
namespace {

class VerifyTest : public ProgramTest {
 protected:
  std::string file(const std::string& name) const { return path("r/" + name); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name), std::ios::binary) << text;
  }
  Result verify(const Words& more = {}) const {
    Words words = {"verify", path("r"), "--backend", "cpu"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  void make(const Words& more = {}) const {
    Words words = {"run",          kDemo, "--paths",   "2000", "--seed", "5",
                   "--first-path", "77",  "--backend", "cpu",  "--out",  path("r")};
    words.insert(words.end(), more.begin(), more.end());
    ASSERT_EQ(run(words).code, 0);
  }
  // As one who knows the form would: the manifest is changed too.
  void forge(const std::string& name, const std::string& text) const {
    write(name, text);
    auto manifest = nlohmann::ordered_json::parse(read(file("manifest.json")));
    manifest["files"][name]["bytes"] = text.size();
    manifest["files"][name]["sha256"] = report::sha256(text);
    write("manifest.json", manifest.dump(2));
  }
};

TEST_F(VerifyTest, AGoodFolderIsAsWritten) {
  for (const Words& more :
       {Words{}, Words{"--figures", "tranche.*.balance.2027-*"}, Words{"--exact-paths", "1"},
        Words{"--overlay", kConfigs + "/stress/delivery-slips.toml", "--months", "24"}}) {
    make(more);
    EXPECT_EQ(verify().code, 0);
    const Result all = verify({"--all"});
    EXPECT_EQ(all.code, 0) << all.out << all.err;
    EXPECT_TRUE(contains(all.out, "6 files as written, and 2000 paths give the same bytes again")) << all.out;
  }
}

TEST_F(VerifyTest, AFileThatWasChangedIsNamed) {
  make();
  for (const std::string_view each : report::kResultNames) {
    const std::string name(each), was = read(file(name));
    if (name == "manifest.json") continue;
    std::string changed = was;
    changed[changed.size() / 2] = changed[changed.size() / 2] == 'x' ? 'y' : 'x';
    write(name, changed);
    const Result result = verify();
    EXPECT_EQ(result.code, 2) << name;
    EXPECT_TRUE(contains(result.out, name + ": its SHA-256 is not")) << result.out;
    write(name, was + " ");
    EXPECT_TRUE(contains(verify().out, name + ": it has ")) << name;
    std::filesystem::remove(file(name));
    EXPECT_TRUE(contains(verify().out, name + ": it cannot be read")) << name;
    write(name, was);
  }
  EXPECT_EQ(verify().code, 0);
  write("manifest.json", "{}");
  EXPECT_EQ(verify().code, 2);
}

TEST_F(VerifyTest, AFileThatWasForgedIsFoundByRunningAgain) {
  make();
  for (const std::string name : {"fcf.csv", "covenants.csv", "monthly.csv", "results.csv"}) {
    const std::string was = read(file(name));
    std::string changed = was;
    const std::size_t digit = changed.find_last_of("0123456789");
    changed[digit] = changed[digit] == '9' ? '8' : '9';
    forge(name, changed);
    EXPECT_EQ(verify().code, 0) << "checksums alone do not see it";
    const Result all = verify({"--all"});
    EXPECT_EQ(all.code, 2);
    EXPECT_TRUE(contains(all.out, name + ": line ")) << all.out;
    forge(name, was);
  }
  std::string inputs = read(file("inputs.toml"));
  const std::size_t at = inputs.find("min_cash_musd = ");
  ASSERT_NE(at, inputs.npos);
  inputs.insert(at + 16, "1");
  forge("inputs.toml", inputs);
  const Result result = verify();
  EXPECT_EQ(result.code, 2);
  EXPECT_TRUE(contains(result.out, "the run was of config")) << result.out;
}

}  // namespace
}  // namespace headroom
