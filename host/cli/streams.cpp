// SPDX-License-Identifier: Apache-2.0
#include "host/cli/streams.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "host/config/printable.hpp"

namespace headroom::cli {

namespace {

int output_error = 0;  // errno of the first write to standard output that failed

// Returns 0 or errno.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // the parent made it non-blocking
      pollfd waits{descriptor, POLLOUT, 0};
      poll(&waits, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace

void prepare_streams() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    // The lowest free number is this one. Opened to read, so that writes still fail.
    if (fcntl(descriptor, F_GETFD) == -1) (void)!open("/dev/null", O_RDONLY);
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void show(std::string_view text) {
  const std::string safe = config::printable_lines(text);
  if (output_error == 0) output_error = write_all(STDOUT_FILENO, safe);
}

std::string output_trouble() {
  return output_error == 0 ? ""
                           : fmt::format("cannot write to standard output: {}", std::strerror(output_error));
}

std::string close_output() {
  if (output_error == 0 && close(STDOUT_FILENO) != 0 && errno != EINTR) output_error = errno;
  return output_trouble();
}

void say(std::string_view message) noexcept {
  try {
    draw(fmt::format("headroom: {}\n", config::cut(config::printable(message), 2000)));
  } catch (...) {  // no memory for a longer text
    draw("headroom: out of memory\n");
  }
}

void say_lines(std::string_view lines) noexcept {
  try {
    draw(config::printable_lines(lines));
  } catch (...) {
    draw("headroom: out of memory\n");
  }
}

void draw(std::string_view text) noexcept { write_all(STDERR_FILENO, text); }

}  // namespace headroom::cli
