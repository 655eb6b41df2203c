// SPDX-License-Identifier: Apache-2.0
// Configs and command lines that are huge, endless, unreadable or hostile; hints that lead to the right word.
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "fuzz.hpp"
#include "program.hpp"

namespace headroom {
namespace {

class LimitsTest : public ProgramTest {
 protected:
  std::string config(const std::string& text, const std::string& name = "x.toml") const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return path(name);
  }
  // With 1 GB of memory, 10 s of time and little stack.
  Result check(const Words& more) const {
    Words words = {"check"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words, [] {
#if !defined(__SANITIZE_ADDRESS__)
      const rlimit memory{1 << 30, 1 << 30};
      setrlimit(RLIMIT_AS, &memory);
#endif
      const rlimit time{10, 10};
      setrlimit(RLIMIT_CPU, &time);
    });
  }
  void expect(const Words& more, const std::string& says) const {
    const Result result = check(more);
    EXPECT_EQ(result.code, 2) << says;
    EXPECT_TRUE(contains(result.err, says)) << result.err.substr(0, 2000) << "instead of: " << says;
    for (std::size_t at = 0; at < result.err.size();) {
      const std::size_t end = std::min(result.err.find('\n', at), result.err.size());
      EXPECT_LE(end - at, 5000U) << says;
      at = end + 1;
    }
  }
};

std::string repeated(const std::string& part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

TEST_F(LimitsTest, DeepKeysBracketsAndIncludes) {
  const std::string deep = "a" + repeated(".a", 25'000);
  expect({config(deep + " = 1\n")}, "x.toml:1:64: a key of more than 32 parts (no config is so deep)");
  expect({config("[" + deep + "]\n")}, "a key of more than 32 parts");
  expect({config("x = 1\ny = " + repeated("[", 25'000))}, "x.toml:2:37: more than 32 brackets in each other");
  expect({config("x = " + repeated("{a=", 25'000))}, "more than 32 brackets in each other");
  expect({kDemo, "--set", deep + "=1"}, "a key of more than 32 parts");
  expect({kDemo, "--set", "company.name=" + repeated("[", 25'000)}, "more than 32 brackets in each other");
  // Dots and brackets in strings and comments are no depth.
  const std::string dots = repeated(".[", 100);
  const Result fine =
      check({config("include = ['" + kDemo + "']  # " + dots + "\n[company]\nname = \"\\\"" + dots +
                    "\"\n[[customer]]\nid = 'northbank'\nname = '''\n" + dots + "\n'''\n")});
  EXPECT_EQ(fine.code, 0) << fine.err;

  for (int i = 0; i < 10'000; ++i)
    config("include = ['f" + std::to_string(i + 1) + ".toml']\n", "f" + std::to_string(i) + ".toml");
  expect({path("f0.toml")}, "f32.toml' is included too deep");
}

TEST_F(LimitsTest, FilesThatCannotBeRead) {
  expect({"/dev/zero"}, "cannot read '/dev/zero' (it is a device or a named pipe); name a regular file");
  mkfifo(path("fifo").c_str(), 0600);
  expect({path("fifo")}, "(it is a device or a named pipe)");
  expect({folder_.string()}, "(it is a folder); name a file in it");
  expect({path("none.toml")}, "(there is no file of that name); correct the path");
  expect({path(std::string(300, 'x'))}, "(File name too long)");
  expect({config(std::string(17 << 20, ' '))}, "(it has more than 16 MiB)");
  expect({config("include = ['/dev/zero']\n")}, "x.toml:1:12: cannot read '/dev/zero'");
  expect({config("include = [\"" + kDemo + "\\u0000.toml\"]\n")},
         "is not a file name (it holds a control character)");
  if (geteuid() != 0) {
    chmod(config("").c_str(), 0);
    expect({path("x.toml")}, "(permission is denied); allow this user to read it");
  }
  // A pipe of the shell has an end.
  const Result piped = run({"check", "/dev/stdin"}, [] {
    int ends[2];
    if (pipe(ends) != 0) return;
    const std::string text = "include = ['" + kDemo + "']\n";
    (void)!write(ends[1], text.data(), text.size());
    dup2(ends[0], 0), close(ends[1]);
  });
  EXPECT_EQ(piped.code, 0) << piped.err;
}

TEST_F(LimitsTest, LongNamesAndMany) {
  const std::string long_id(1 << 20, 'x');
  const std::string head = "include = ['" + kDemo + "']\n";
  expect({config(head + "[[site]]\nid = '" + long_id + "'\n[[contract]]\nid = 'northbank-h100'\nsite = '" +
                 long_id + "y'\n")},
         "nothing has this id; known are ");
  expect({config(head + long_id + " = 1\n")}, "unknown key 'xxx");
  expect({kDemo, "--set", std::string(100'000, 'x') + "=1"}, "unknown key 'xxx");
  std::string covenants = head;
  for (int i = 0; i < 1000; ++i)
    covenants += "[[covenant]]\nid = 'c" + std::to_string(i) +
                 "'\nmetric = 'liquidity'\ntests = 'monthly'\nfirst_test = 2026-04-30\nthreshold_musd = 1\n";
  expect({config(covenants)}, "entries (at most 256 are possible)");
}

TEST_F(LimitsTest, ControlCharactersReachNoTerminal) {
  const std::string text = "include = ['" + kDemo +
                           "']\n[company]\nname = \"A\\u001b[2J\\u0000\\nAll tests passed\\u009b\\u202e\"\n"
                           "[[customer]]\nid = 'northbank'\nname = \"C\\u001b]0;title\\u0007\\nx\"\n";
  for (const char* command : {"check", "plan", "run", "figures"}) {
    Words words = {command, config(text)};
    if (words[0] == "run")
      words.insert(words.end(), {"--paths", "64", "--set", "company.name=\"a\\u001bb\\nc\""});
    const Result result = run(words);
    EXPECT_EQ(result.code, 0) << result.err;
    for (const char c : {'\x1b', '\0', '\a'}) EXPECT_EQ(result.out.find(c), result.out.npos) << command;
    EXPECT_FALSE(contains(result.out, "\nAll tests passed")) << command;
    EXPECT_FALSE(contains(result.out, "\xc2\x9b")) << command;
  }
  const Result wrong = run({"check", path("a\x1b[2J\nheadroom: all is well.toml")});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_FALSE(contains(wrong.err, "\x1b")) << wrong.err;
  EXPECT_FALSE(contains(wrong.err, "\nheadroom: all is well")) << wrong.err;
  EXPECT_TRUE(contains(run({"run\x1b"}).err, "there is no command 'run\\u001b'"));
  EXPECT_TRUE(contains(run({"check", kDemo, "--set", "a\xff=1"}).err, "\\xff"));
}

TEST_F(LimitsTest, HintsLeadToTheRightWord) {
  expect({kDemo, "--set", "site.keflavik.gpu=\"H100\""}, "did you mean \"h100\"?");
  expect({kDemo, "--set", "customer.northbank.rating=\"A-\""}, "did you mean \"A\"?");
  expect({kDemo, "--set", "entity.halcyon.tax_rate=21"}, "write 0.21 for 21%");
  for (const char* word : {"gpu", "GPU", "nvidia"})
    EXPECT_TRUE(contains(run({"run", kDemo, "--backend", word}).err, "did you mean cuda?")) << word;
  EXPECT_TRUE(contains(run({"run", kDemo, "--backend", "CPU"}).err, "did you mean cpu?"));
  const Result seed = run({"run", kDemo, "--paths", "1k", "--seed", "1e3"});
  EXPECT_TRUE(contains(seed.out, ", seed 1000\n")) << seed.err;
  EXPECT_EQ(run({"run", kDemo, "--paths", "1k", "--seed", "1.5"}).code, 2);
  EXPECT_EQ(run({"run", kDemo, "--paths", "1k", "--seed", "18446744073709551615"}).code, 0);
  EXPECT_EQ(run({"run", kDemo, "--paths", "1k", "--seed", "18446744073709551616"}).code, 2);
}

TEST_F(LimitsTest, AnElementWithoutAnIdIsTheOneProblem) {
  for (const auto& [text, says] :
       {std::pair("[[site]]\nname = 'North'\n", "x.toml:1:1: 'id' is missing from [[site]]"),
        {"[[customer]]\nid = 7\nrating = 'AAA'\n",
         "x.toml:2:6: 'id' is a whole number (a text is expected)"}}) {
    const Result result = check({kDemo, "--overlay", config(text)});
    EXPECT_EQ(result.code, 2);
    EXPECT_TRUE(contains(result.err, says)) << result.err;
    EXPECT_TRUE(contains(result.err, "headroom: 1 problem in the config")) << result.err;
  }
  // In the config itself, too, the contracts of the site are not accused.
  std::string demo = read(kDemo);
  const std::string id = "id = \"keflavik\"\n";
  demo.replace(demo.find(id), id.size(), "");
  demo.replace(demo.find("\"market.toml"), 12, "\"" + kConfigs + "/market.toml");
  const Result result = check({config(demo)});
  EXPECT_TRUE(contains(result.err, "'id' is missing from [[site]]")) << result.err;
  EXPECT_FALSE(contains(result.err, "nothing has this id")) << result.err;
}

// The same damage as in fuzz_test.cpp, through the program: a config that is refused prints nothing and ends in
// 2, any other runs to the end.
TEST_F(LimitsTest, ADamagedConfigEndsInExit0Or2) {
  int ran = 0, refused = 0;
  for (std::uint64_t i = 0; i < 60; ++i) {
    std::string text = Damage(77'000 + i).of(read(kDemo));
    if (const std::size_t at = text.find("\"market.toml"); at != text.npos)
      text.replace(at, 12, "\"" + kConfigs + "/market.toml");
    const Words words = {i % 3 == 0 ? "check" : i % 3 == 1 ? "plan" : "run", config(text)};
    Words with = words;
    if (words[0] == "run") with.insert(with.end(), {"--paths", "500", "--quiet"});
    const Result result = run(with);
    if (result.code == 0) {
      ++ran;
      EXPECT_NE(result.out, "");
      continue;
    }
    ++refused;
    EXPECT_EQ(result.code, 2) << i << result.err;
    EXPECT_EQ(result.out, "") << i;
    EXPECT_TRUE(contains(result.err, "toml:")) << i << result.err;
    EXPECT_TRUE(contains(result.err, "in the config; nothing was run")) << i << result.err;
  }
  EXPECT_GT(ran, 10);
  EXPECT_GT(refused, 10);
}

TEST_F(LimitsTest, ThreadsAreThoseOfTheJob) {
  const Result one = run({"run", kDemo, "--paths", "20k", "--backend", "cpu"}, [] {
    cpu_set_t set;
    sched_getaffinity(0, sizeof(set), &set);
    for (int cpu = 0, kept = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set) && kept++ > 0) CPU_CLR(cpu, &set);
    }
    sched_setaffinity(0, sizeof(set), &set);
  });
  EXPECT_TRUE(contains(one.out, " 1 thread")) << one.out.substr(0, 300);
}

}  // namespace
}  // namespace headroom
