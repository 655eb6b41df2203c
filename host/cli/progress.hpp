// SPDX-License-Identifier: Apache-2.0
// How far a run is: a bar on a terminal, and a line now and then in a log.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace headroom::cli {

// Writes to standard error. The bar is drawn at most ten times a second, fits the terminal's width (COLUMNS if
// set) and erases itself at the end. Where standard error is not a terminal, a line is written each `seconds`
// after the first `seconds`. If quiet, nothing is written.
class Progress {
 public:
  // `each`: so many of what update() counts are one of `what`.
  Progress(bool quiet, int seconds, std::string what = "paths", std::uint64_t each = 1);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::uint64_t done, std::uint64_t total) noexcept;

 private:
  using Clock = std::chrono::steady_clock;

  bool quiet_, terminal_;
  std::string what_;
  double each_;
  bool drawn_ = false;
  std::chrono::seconds interval_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
};

// "[####....]  50%  text" within so many columns. Without room for a bar, as much of the text as fits.
std::string progress_bar(double share, const std::string& text, int columns);

// The columns of the terminal behind standard error: COLUMNS, or what the terminal says, or 80.
int terminal_columns();

// A point in time as UTC: 2026-11-25T14:03:59Z.
std::string utc(std::chrono::system_clock::time_point time);

// The machine's name; empty if it has none.
std::string host_name();

}  // namespace headroom::cli
