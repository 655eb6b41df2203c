// SPDX-License-Identifier: Apache-2.0
// Ctrl-C ends the work between two of its steps; a second Ctrl-C ends the program at once.
#pragma once

#include <atomic>
#include <csignal>

namespace headroom::cli {

inline std::atomic<bool> stop_asked = false;
static_assert(std::atomic<bool>::is_always_lock_free);

class StopOnInterrupt {
 public:
  StopOnInterrupt() {
    stop_asked = false;
    std::signal(SIGINT, [](int) {
      stop_asked = true;
      std::signal(SIGINT, SIG_DFL);
    });
  }
  ~StopOnInterrupt() { std::signal(SIGINT, SIG_DFL); }
  StopOnInterrupt(const StopOnInterrupt&) = delete;
  StopOnInterrupt& operator=(const StopOnInterrupt&) = delete;
};

}  // namespace headroom::cli
