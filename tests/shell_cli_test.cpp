// SPDX-License-Identifier: Apache-2.0
// What the machine around the program does to it: signals, lost terminals, full disks, closed descriptors.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "program.hpp"

namespace headroom {
namespace {

using ShellTest = ProgramTest;

void output_to(const char* file, int descriptor) { dup2(open(file, O_WRONLY), descriptor); }

void no_file_beyond(rlim_t bytes) {
  const rlimit limit{bytes, bytes};
  setrlimit(RLIMIT_FSIZE, &limit);
}

TEST_F(ShellTest, OutputThatCannotBeShownIsExit5) {
  const std::vector<Words> commands = {{"info"},
                                       {"--help"},
                                       {"run", "--help"},
                                       {"check", kDemo},
                                       {"plan", kDemo},
                                       {"figures", kDemo},
                                       {"run", kDemo, "--paths", "1k"},
                                       {"run", kDemo, "--paths", "1k", "--out", path("results")}};
  struct Broken {
    const char* name;
    std::function<void()> how;
  };
  for (const Broken& broken :
       {Broken{"/dev/full", [] { output_to("/dev/full", STDOUT_FILENO); }},
        Broken{"closed", [] { close(STDOUT_FILENO); }},
        Broken{"closed with standard input", [] { close(STDIN_FILENO), close(STDOUT_FILENO); }},
        Broken{"a pipe that nobody reads",
               [] {
                 int ends[2];
                 if (pipe(ends) == 0) dup2(ends[1], STDOUT_FILENO), close(ends[0]), close(ends[1]);
               }},
        Broken{"a file at its size limit", [] { no_file_beyond(0); }}}) {
    for (const Words& words : commands) {
      if (words.size() > 4 && std::string(broken.name) == "a file at its size limit") continue;
      const Result result = run(words, broken.how);
      EXPECT_EQ(result.code, 5) << words[0] << ", " << broken.name;
      if (broken.name != std::string("a file at its size limit")) {
        EXPECT_TRUE(contains(result.err, "cannot write to standard output: ")) << broken.name << result.err;
      }
      // The files do not suffer, though one of them may have been opened under the number of standard output.
      if (std::filesystem::exists(folder_ / "results")) {
        EXPECT_TRUE(nlohmann::json::accept(read(folder_ / "results" / "summary.json"))) << broken.name;
      }
    }
    std::filesystem::remove_all(folder_ / "results");
  }
}

TEST_F(ShellTest, AMessageThatCannotBeShownEndsNothing) {
  for (const auto& how : {std::function<void()>([] { output_to("/dev/full", STDERR_FILENO); }),
                          std::function<void()>([] { close(STDERR_FILENO); }),
                          std::function<void()>([] { close(0), close(1), close(2); })}) {
    EXPECT_EQ(run({"run", kDemo, "--pahts", "1k"}, how).code, 2);
    EXPECT_EQ(run({"check", path("none.toml")}, how).code, 2);
    const Result result = run({"run", kDemo, "--paths", "1k", "--out", path("results")}, how);
    EXPECT_TRUE(result.code == 0 ? contains(result.out, "Violated identities: 0") : result.code == 5);
    EXPECT_TRUE(nlohmann::json::accept(read(folder_ / "results" / "summary.json")));
  }
}

// Starts the program with a terminal for everything, and takes the terminal away once it works.
struct Terminal {
  Terminal() : master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    grantpt(master), unlockpt(master);
    name = ptsname(master);
  }
  void take() const {
    setsid();
    const int descriptor = open(name.c_str(), O_RDWR);  // becomes the terminal of this session
    dup2(descriptor, 0), dup2(descriptor, 1), dup2(descriptor, 2);
  }
  std::string read_until(const std::string& word, std::string text = "") const {
    char part[4096];
    while (!contains(text, word)) {
      const ssize_t got = ::read(master, part, sizeof(part));
      if (got <= 0) break;
      text.append(part, static_cast<std::size_t>(got));
    }
    return text;
  }
  int master;
  std::string name{};
};

TEST_F(ShellTest, ALostTerminal) {
  for (const bool out : {true, false}) {
    const Terminal terminal;
    ASSERT_GE(terminal.master, 0);
    // With --out the run goes on, so it must be short: it is a second's work when the terminal goes.
    const Words words =
        out ? Words{"run", kDemo,   "--paths",  "10k",       "--months", "240",   "--threads",
                    "1",   "--isa", "baseline", "--backend", "cpu",      "--out", path("results")}
            : long_run();
    const pid_t child = start(words, [&] { terminal.take(); });
    terminal.read_until(" paths, ");
    close(terminal.master);
    const Result result = finish(child);
    EXPECT_EQ(result.code, 5) << (out ? "with --out"
                                      : "without");  // nobody saw the result; no SIGABRT, no SIGHUP
    if (!out) continue;
    const auto summary = nlohmann::json::parse(read(folder_ / "results" / "summary.json"));
    EXPECT_EQ(summary["results"]["paths"], 10'000);
  }
}

TEST_F(ShellTest, TheProgressBarKeepsToTheTerminalsWidth) {
  for (const char* columns : {"40", "100", "12"}) {
    const Terminal terminal;
    const pid_t child = start(long_run(), [&] {
      terminal.take();
      setenv("COLUMNS", columns, 1);
      setenv("TERM", "xterm", 1);
    });
    const std::string text = terminal.read_until("%") + terminal.read_until("\r");
    kill(child, SIGTERM);
    close(terminal.master);
    finish(child);
    std::string bar = text.substr(text.find("\033[K") + 3);
    bar = bar.substr(0, bar.find('\r'));
    EXPECT_TRUE(contains(bar, "%")) << text;
    EXPECT_LT(bar.size(), static_cast<std::size_t>(std::atoi(columns))) << bar;
  }
}

TEST_F(ShellTest, ALogHearsHowFarTheRunIs) {
  const pid_t child = start(long_run());
  ASSERT_TRUE(working());
  const std::string line = read(folder_ / "err");
  for (const char* part : {"headroom: 20", "Z ", " of 1,000,000 paths (", "%), ", " paths/s, ", " s left\n"})
    EXPECT_TRUE(contains(line, part)) << part << " is not in " << line;
  kill(child, SIGTERM);
  finish(child);
  const pid_t quiet = start(long_run({"--quiet"}));
  std::this_thread::sleep_for(std::chrono::seconds(3));
  EXPECT_EQ(read(folder_ / "err"), "");
  kill(quiet, SIGKILL);
  finish(quiet);
}

class Stop : public ShellTest, public testing::WithParamInterface<int> {};

// SIGHUP stops a run only if its result goes to the terminal alone.
TEST_P(Stop, TheResultIsThatOfThePathsThatWereDone) {
  const bool kept = GetParam() != SIGHUP;
  const pid_t child = start(long_run(kept ? Words{"--out", path("results")} : Words{}));
  ASSERT_TRUE(working());
  kill(child, GetParam());
  kill(child, GetParam());  // timeout sends the signal twice
  const Result result = finish(child);
  EXPECT_EQ(result.code, 130);
  EXPECT_TRUE(contains(result.err, "interrupted; the result is that of the first ")) << result.err;
  EXPECT_TRUE(contains(result.out, "Violated identities: 0"));
  if (!kept) return;
  // The result is that of a run of as many paths.
  const auto summary = nlohmann::ordered_json::parse(read(folder_ / "results" / "summary.json"));
  const auto done = summary["results"]["paths"].get<std::uint64_t>();
  EXPECT_GT(done, 0U);
  EXPECT_LT(done, 1'000'000U);
  EXPECT_EQ(
      run({"run", kDemo, "--paths", std::to_string(done), "--months", "240", "--out", path("whole")}).code, 0);
  for (const char* file : {"fcf.csv", "covenants.csv", "monthly.csv"})
    EXPECT_EQ(read(folder_ / "results" / file), read(folder_ / "whole" / file)) << file;
}

INSTANTIATE_TEST_SUITE_P(Signals, Stop, testing::Values(SIGINT, SIGTERM, SIGXCPU, SIGHUP),
                         [](const auto& instance) {
                           return std::string("SIG") + sigabbrev_np(instance.param);
                         });

TEST_F(ShellTest, ASignalThatTheParentIgnoresStaysIgnored) {
  const pid_t child = start(long_run(), [] { signal(SIGINT, SIG_IGN), signal(SIGHUP, SIG_IGN); });
  ASSERT_TRUE(working());
  kill(child, SIGINT);
  kill(child, SIGHUP);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(waitpid(child, nullptr, WNOHANG), 0);
  kill(child, SIGTERM);
  EXPECT_EQ(finish(child).code, 130);
}

TEST_F(ShellTest, ASecondRequestLaterEndsTheProgramAtOnce) {
  const pid_t child = start({"bench", "--configs", kConfigs, "--backend", "cpu", "--threads", "1", "--isa",
                             "baseline", "--repetitions", "1", "--row-seconds", "3600", "--filter",
                             "floor/words/demo|paths/demo/120m/1e.08"});
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  kill(child, SIGTERM);
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  kill(child, SIGTERM);
  const int code = finish(child).code;
  EXPECT_TRUE(code == 130 || code == 128 + SIGTERM) << code;
}

}  // namespace
}  // namespace headroom
