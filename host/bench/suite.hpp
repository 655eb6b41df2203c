// SPDX-License-Identifier: Apache-2.0
// `headroom bench`: the cost of a run on this machine, row by row. Each row is checked before it is timed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "host/engine/engine.hpp"

namespace headroom::bench {

struct Settings {
  std::string backend{};            // cpu or cuda
  std::string isa = "auto";         // CPU
  int threads = 0;                  // CPU; 0: all cores
  std::string configs = "configs";  // folder of the companies
  std::string program{};            // this program, for rows that start a process
  std::string filter{};             // regular expression for row names; empty: all rows
  int repetitions = 5;              // at most, of a row
  double row_seconds = 30;          // a row that would take longer is skipped
  const std::atomic<bool>* stop{};  // if set: finish the current repetition, then end
};

// One row. Seconds are wall time.
struct Row {
  std::string name{};
  std::string item{};             // the unit counted: path-month, path, point, byte, word
  double items = 0;               // items in a repetition
  std::vector<double> seconds{};  // each repetition; empty: not measured
  double path_months = 0;         // simulated in a repetition; 0: none
  double floor_seconds = 0;       // time to draw the same paths' random numbers alone; 0: none drawn
  std::string note{};             // the reference of the check, or why the row was not measured
  bool wrong = false;             // the check failed

  double median() const;  // of the seconds; 0: not measured
  double least() const;   // of a measured row
  double most() const;
};

// Runs the rows in turn and calls `done` after each. Throws Interrupted.
void run_suite(const Settings& settings, const std::function<void(const Row&)>& done);

// The table: its head, a row's line, and how to read it.
std::string table_head();
std::string table_line(const Row& row);
std::string table_foot();
// The rows as JSON, with machine, compiler, flags and commit. `complete`: the suite was not interrupted.
std::string to_json(const Settings& settings, const std::vector<std::string>& command,
                    const std::string& device, const std::vector<Row>& rows, bool complete);

}  // namespace headroom::bench
