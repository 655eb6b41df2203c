// SPDX-License-Identifier: Apache-2.0
#include "host/cli/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <utility>

#include "host/cli/streams.hpp"
#include "host/report/format.hpp"

namespace headroom::cli {

namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string whole(double value) { return report::number(value, 0); }

}  // namespace

std::string progress_bar(double share, const std::string& text, int columns) {
  constexpr int kMost = 40, kLeast = 5;
  const std::string rest = fmt::format("{:3.0f}%  {}", 100 * share, text);
  // The last column stays free: a terminal that wraps there would not erase the line.
  const int room = std::max(columns - 1, 0);
  const int width = std::min(kMost, room - static_cast<int>(rest.size()) - 3);
  if (width < kLeast) return rest.substr(0, static_cast<std::size_t>(room));
  const auto filled = std::clamp(static_cast<int>(share * width), 0, width);
  return fmt::format("[{}{}] {}", std::string(static_cast<std::size_t>(filled), '#'),
                     std::string(static_cast<std::size_t>(width - filled), '.'), rest);
}

int terminal_columns() {
  const int asked = std::atoi(std::string(environment("COLUMNS")).c_str());
  if (asked > 0) return asked;
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string utc(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

Progress::Progress(bool quiet, int seconds, std::string what, std::uint64_t each)
    : quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) == 1 && environment("TERM") != "dumb"),
      what_(std::move(what)),
      each_(static_cast<double>(each)),
      interval_(seconds) {}

Progress::~Progress() {
  if (drawn_) draw("\r\033[K");
}

void Progress::update(std::uint64_t done, std::uint64_t total) noexcept {
  const Clock::time_point now = Clock::now();
  const auto since = now - last_;
  if (quiet_ || total == 0 ||
      (terminal_ ? drawn_ && since < std::chrono::milliseconds(100) : since < interval_))
    return;
  last_ = now;
  const double share = static_cast<double>(done) / static_cast<double>(total);
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double left = share > 0 ? elapsed * (1 - share) / share : 0;
  try {
    const double finished = std::floor(static_cast<double>(done) / each_);
    std::string text =
        fmt::format("{} of {} {}", whole(finished), whole(static_cast<double>(total) / each_), what_);
    const double rate = static_cast<double>(done) / each_ / elapsed;
    const std::string speed = fmt::format("{} {}/s", report::number(rate, rate < 10 ? 2 : 0), what_);
    if (terminal_) {
      if (each_ > 1) text += ", " + speed;
      text += fmt::format(", {} s left", whole(left));
      draw("\r\033[K" + progress_bar(share, text, terminal_columns()));
      drawn_ = true;
    } else {
      say(fmt::format("{} {} ({:.0f}%), {}, {} s left", utc(std::chrono::system_clock::now()), text,
                      100 * share, speed, whole(left)));
    }
  } catch (...) {  // a run does not end because its progress could not be told
  }
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace headroom::cli
