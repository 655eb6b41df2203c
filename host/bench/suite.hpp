// SPDX-License-Identifier: Apache-2.0
// `headroom bench`: what a run costs on this machine, row by row, each row checked before it is timed.
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
  std::string program{};            // this program, for rows that start it
  std::string filter{};             // regular expression on the names of rows; empty: all
  int repetitions = 5;              // of a row at most
  double row_seconds = 30;          // a row that would take longer is left out
  const std::atomic<bool>* stop{};  // set: finish the repetition at hand, then end
};

// One row. Seconds are wall time.
struct Row {
  std::string name{};
  std::string item{};             // what is counted: path-month, path, point, byte, word
  double items = 0;               // of them in a repetition
  std::vector<double> seconds{};  // each repetition; empty: not measured
  double path_months = 0;         // simulated in a repetition; 0: none
  double floor_seconds = 0;       // drawing the same paths' random numbers and no more; 0: none drawn
  std::string note{};             // what the answer was checked against, or why it was not measured
  bool wrong = false;             // the check failed

  double median() const;  // of the seconds; 0: not measured
  double least() const;   // of a row that was measured
  double most() const;
};

// Runs the rows in turn; `done` sees each as it ends. Throws Interrupted.
void run_suite(const Settings& settings, const std::function<void(const Row&)>& done);

// Text of the table: its head, one row's line, and how to read it.
std::string table_head();
std::string table_line(const Row& row);
std::string table_foot();
// The rows with machine, compiler, flags and commit; `complete`: not interrupted.
std::string to_json(const Settings& settings, const std::vector<std::string>& command,
                    const std::string& device, const std::vector<Row>& rows, bool complete);

}  // namespace headroom::bench
