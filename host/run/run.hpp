// SPDX-License-Identifier: Apache-2.0
// A run is one call: a company and a request go in, figures come out.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/config/company.hpp"
#include "host/engine/answers.hpp"
#include "host/engine/engine.hpp"
#include "host/engine/scenario_data.hpp"
#include "host/figures/catalogue.hpp"
#include "host/plan/plan_table.hpp"
#include "host/risk/analysis.hpp"
#include "host/run/simulation.hpp"

namespace headroom {

struct Request {
  PathRange paths{.seed = 1, .first = 0, .count = 100'000};
  std::vector<std::uint64_t>
      list{};  // path indices of the seed, instead of the range; they are sorted and duplicates dropped
  std::uint64_t exact_paths = kExactPaths;
  std::vector<std::string> figures{};  // patterns: observed in addition to the default
  bool only_figures = false;           // only `figures` are observed
  bool by_month = false;               // every by-month histogram is observed
  int threads = 0;                     // CPU; 0: all cores
  std::string isa = "auto";            // CPU
  // The members below may be empty.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress{};  // from one thread at a time
  std::function<bool(const Answers&)> enough{};                             // see Asked
  const std::atomic<bool>* stop = nullptr;  // if set: finish early, with fewer paths or Interrupted
  std::optional<Answers> begun{};           // see Asked
  std::function<void(const std::function<Answers()>& so_far)> checkpoint{};  // see Asked
};

struct Result {
  ScenarioData data{};  // with its plan
  PlanTable plan{};
  Catalogue catalogue{};
  Selection selection{};
  Answers answers{};
  RiskReport risk{};
  std::vector<GuidanceCheck> guidance{};
  double analysis_seconds = 0;

  // All observed figures, or those that the patterns name.
  std::vector<Figure> figures(const std::vector<std::string>& patterns = {}) const {
    return figures_of(catalogue, selection, risk, patterns);
  }
};

// A pattern that names no figure of the company.
struct UnknownFigure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Makes the plan, runs the paths and answers the request. The result depends only on company, request.paths,
// exact_paths and figures, not on backend, threads or instruction set. Throws UnknownFigure before any path
// is run, and Interrupted if no path was done.
Result run(const Company& company, Backend& backend, const Request& request);

// What is known before any path is run: the plan, and the figures that are observed.
Result prepare(const Company& company, const Request& request);

// The same from answers that were made before, to the questions of the request. Throws MergeError if they
// answer other questions.
Result result_of(const Company& company, const Request& request, Answers answers);

}  // namespace headroom
