// SPDX-License-Identifier: Apache-2.0
// A request to stop (Ctrl-C, or SIGTERM of Slurm, systemd, Kubernetes, timeout) ends the work between two of
// its steps. A second request ends the program at once.
#pragma once

#include <atomic>

namespace headroom::cli {

extern std::atomic<bool> stop_asked;

// SIGINT, SIGTERM and SIGXCPU set stop_asked. SIGHUP (a lost terminal) does so too, unless the result is
// `kept` in a file: then the work goes on. A signal that the parent has ignored stays ignored.
class StopOnSignals {
 public:
  explicit StopOnSignals(bool kept);
  ~StopOnSignals();
  StopOnSignals(const StopOnSignals&) = delete;
  StopOnSignals& operator=(const StopOnSignals&) = delete;
};

}  // namespace headroom::cli
