// SPDX-License-Identifier: Apache-2.0
// The command line: parses, calls, prints. It computes nothing.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/config/reader.hpp"

namespace headroom::cli {

// The program's exit codes.
enum ExitCode : int {
  kOk = 0,
  kBadInput = 2,  // a wrong command line or config; nothing was run
  kIdentityFailed =
      3,               // the run's books do not balance on some path, or a benchmark's answer is wrong; printed
  kBackendFailed = 4,  // the backend asked for is not available, or failed
  kCannotWrite = 5,    // the result could not be shown, or its files could not be written
  kGateFailed = 10,    // --gate: a figure is on the wrong side of its limit
  kGateUndecided = 11,  // --gate: a limit is inside the figure's interval
  kInterrupted = 130,   // asked to stop; the result covers the paths that were done, if any
};
constexpr const char* kExitCodes =
    "Exit codes: 0 done, 2 wrong command line or config, 3 a model identity is violated (the result is\n"
    "printed), 4 backend unavailable or failed, 5 output cannot be written, 10 a gate failed, 11 a gate is\n"
    "undecided at this precision, 130 interrupted.\n";
// What to do about kIdentityFailed.
constexpr const char* kIdentityRemedy =
    "Look for an amount of a wrong size in the config; if there is none, this is a fault of headroom: report "
    "it "
    "with the config, the command and headroom info";

using Arguments = std::vector<std::string>;

// The whole program. `arguments` do not include the program's name. Returns an ExitCode.
int run_program(const Arguments& arguments);

// The commands; `arguments` follow the command's name.
int run_command(const Arguments& arguments);
int study_command(const Arguments& arguments);
int stress_command(const Arguments& arguments);
int solve_command(const Arguments& arguments);
int plan_command(const Arguments& arguments);
int figures_command(const Arguments& arguments);
int check_command(const Arguments& arguments);
int info_command(const Arguments& arguments);
int merge_command(const Arguments& arguments);
int answers_command(const Arguments& arguments);
int status_command(const Arguments& arguments);
int bench_command(const Arguments& arguments);
int why_command(const Arguments& arguments);
int compare_command(const Arguments& arguments);
int verify_command(const Arguments& arguments);
int book_command(const Arguments& arguments);

// A wrong command line: its text says the problem and the remedy.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace headroom::cli
