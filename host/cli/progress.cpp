// SPDX-License-Identifier: Apache-2.0
#include "host/cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace headroom::cli {

Progress::Progress() : terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (drawn_) fmt::print(stderr, "\r\033[K");
}

void Progress::update(std::uint64_t done, std::uint64_t total) {
  done_ = done;
  const Clock::time_point now = Clock::now();
  if (!terminal_ || total == 0 || (drawn_ && now - last_ < std::chrono::milliseconds(100))) return;
  last_ = now;
  drawn_ = true;
  constexpr std::size_t kWidth = 40;
  const double share = static_cast<double>(done) / static_cast<double>(total);
  const auto filled = static_cast<std::size_t>(share * kWidth);
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double left = share > 0 ? elapsed * (1 - share) / share : 0;
  fmt::print(stderr, "\r\033[K[{}{}] {:3.0f}%  {} of {} paths, {:.0f} s left", std::string(filled, '#'),
             std::string(kWidth - filled, '.'), 100 * share, done, total, left);
  std::fflush(stderr);
}

}  // namespace headroom::cli
