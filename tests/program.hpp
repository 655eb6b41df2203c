// SPDX-License-Identifier: Apache-2.0
// Runs the program in a folder of its own, as a shell would.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace headroom {

inline const std::string kConfigs = HEADROOM_SOURCE_DIR "/configs";
inline const std::string kDemo = kConfigs + "/demo.toml";

inline std::string read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class ProgramTest : public testing::Test {
 protected:
  using Words = std::vector<std::string>;
  struct Result {
    int code = -1;  // exit code; 128 + signal if one ended it
    std::string out{}, err{};
  };

  ProgramTest() {
    std::string name = (std::filesystem::temp_directory_path() / "headroom-cli-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~ProgramTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  // Output and errors go to files; `before` is called in the child just before the program.
  pid_t start(const Words& arguments, const std::function<void()>& before = {}) const {
    return start(arguments, path("out"), before);
  }
  pid_t start(const Words& arguments, const std::string& out, const std::function<void()>& before = {}) const {
    const pid_t child = fork();
    if (child != 0) return child;
    dup2(open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
    dup2(open(path("err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    if (before) before();
    Words words = {HEADROOM_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    execv(pointers[0], pointers.data());
    _exit(127);
  }
  Result finish(pid_t child) const {
    int status = 0;
    waitpid(child, &status, 0);
    Result result;
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    result.out = read(folder_ / "out");
    result.err = read(folder_ / "err");
    return result;
  }
  Result run(const Words& arguments) const { return finish(start(arguments)); }
  Result run(const Words& arguments, const std::function<void()>& before) const {
    return finish(start(arguments, before));
  }

  // A run of many seconds. It says each second how far it is: working() waits until it has said so once.
  Words long_run(const Words& more = {}) const {
    Words words = {"run",   kDemo,      "--paths",   "1M",  "--months",           "240", "--threads", "1",
                   "--isa", "baseline", "--backend", "cpu", "--progress-seconds", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  bool working(const char* file = "err") const {
    for (int tries = 0; tries < 3000; ++tries) {
      if (contains(read(folder_ / file), "paths/s")) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  std::filesystem::path folder_{};
};

}  // namespace headroom
