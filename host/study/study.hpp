// SPDX-License-Identifier: Apache-2.0
// A study: one run after another over the points of a design, on the same draws (common random numbers), so
// that a difference between two points is an effect and not noise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/engine/engine.hpp"
#include "host/run/run.hpp"
#include "host/study/axes.hpp"
#include "host/study/design.hpp"

namespace headroom::study {

// A figure at one point.
struct Value {
  std::string name{};
  double value = kUnknown;
  double low = kUnknown, high = kUnknown;  // 95% interval
  std::string unit{};
  std::vector<double> batches{};  // the figure of each batch of paths, see paired.hpp; empty if not asked for
  friend bool operator==(const Value&, const Value&) = default;
};

// Of a figure with a standard error: value -+ 1.96 standard errors.
Value value_of(const Figure& figure);

struct PointResult {
  std::vector<Value> values{};
  std::uint64_t violations = 0;  // paths that violate an identity of the model
  double seconds = 0;            // of the simulation
};

struct Study {
  Base base{};
  std::vector<Axis> axes{};
  std::vector<Point> points{};
  Request request{};  // of each point; `figures` are observed, nothing else
  std::string design{};
  bool batches = false;  // keep Value::batches, for paired intervals
};

// Pointer to the value of a name; null if there is none.
const Value* find(const PointResult& result, const std::string& name);
// Where a point is: late = 7, spread = 0.05.
std::string place_of(const Study& study, std::size_t point);

// The figures of a study for which none were asked: breach and default probabilities, FCF, liquidity.
std::vector<std::string> usual_figures(const Company& company);

// Runs one point. Nothing if it was stopped before the last path.
std::optional<PointResult> run_point(const Study& study, const Point& point, Backend& backend);

class Journal;

// The points' results in their order; those that were not reached are empty.
using Results = std::vector<std::optional<PointResult>>;

// Runs the points that `journal` does not hold, and adds them to it. `progress` is called with the paths done,
// of all points. Stops early if request.stop is set. Throws config::ConfigError for a point that the config
// refuses.
Results run_study(const Study& study, Backend& backend, Journal* journal,
                  const std::function<void(std::uint64_t done, std::uint64_t total)>& progress);

// The table: a row for each point that is done: point, the axes, and for each figure its value, low and high.
std::string study_csv(const Study& study, const Results& results);

// The first figure of the first pattern, by its name; empty if no point is done.
std::string first_figure(const Study& study, const Results& results);

// Text and numbers as cells of a CSV file; an unknown number is empty.
std::string csv_cell(const std::string& text);
std::string csv_cell(double value);

// A table of one figure for a terminal: two axes in a grid as rows and columns, otherwise a row a point.
std::string study_text(const Study& study, const Results& results, const std::string& figure);

}  // namespace headroom::study
