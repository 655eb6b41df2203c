// SPDX-License-Identifier: Apache-2.0
// A progress bar on a terminal, silence in a pipe.
#pragma once

#include <chrono>
#include <cstdint>

namespace headroom::cli {

// Draws on standard error, at most ten times a second, and erases itself at the end.
class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::uint64_t done, std::uint64_t total);
  std::uint64_t done() const { return done_; }

 private:
  using Clock = std::chrono::steady_clock;

  bool terminal_;
  bool drawn_ = false;
  std::uint64_t done_ = 0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_{};
};

}  // namespace headroom::cli
