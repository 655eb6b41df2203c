// SPDX-License-Identifier: Apache-2.0
#include "host/cli/interrupt.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>

namespace headroom::cli {

std::atomic<bool> stop_asked = false;
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<std::int64_t>::is_always_lock_free);

namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGXCPU, SIGHUP};
std::array<struct sigaction, kSignals.size()> before{};

std::atomic<std::int64_t> asked_at = 0;  // nanoseconds

void ask_to_stop(int signal) {
  const int error = errno;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t at = now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
  if (!stop_asked.exchange(true)) {
    asked_at = at;
  } else if (at - asked_at > 1'000'000'000) {
    // timeout sends a signal to its child and again to the child's group: within a second it is one request.
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  errno = error;
}

}  // namespace

StopOnSignals::StopOnSignals(bool kept) {
  stop_asked = false;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &before[i]);
    if (before[i].sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = kept && kSignals[i] == SIGHUP ? SIG_IGN : ask_to_stop;
    action.sa_flags = SA_RESTART;
    sigaction(kSignals[i], &action, nullptr);
  }
}

StopOnSignals::~StopOnSignals() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before[i], nullptr);
}

}  // namespace headroom::cli
