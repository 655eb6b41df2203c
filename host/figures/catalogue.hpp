// SPDX-License-Identifier: Apache-2.0
// The catalogue of named figures: every figure that a run can give, with words, unit, and the questions to
// the paths that it needs. It is made from a company before any path is run.
//
// A name is written with dots and the config's ids, and needs no quotes in a shell: breach.ddtl-4-dscr.24m,
// fcf.2027.p5, covenant.ddtl-4-dscr.headroom.2027-09.p5.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/scenario.hpp"
#include "host/config/company.hpp"
#include "host/engine/answers.hpp"
#include "host/risk/analysis.hpp"

namespace headroom {

struct Figure {
  std::string name;
  double value = kUnknown;  // kUnknown without paths, or if no path has a value
  double low = kUnknown;    // 95% interval
  double high = kUnknown;
  double standard_error = kUnknown;  // of a figure that has one instead of an interval
  std::string_view unit;
  std::string words;
  std::int32_t month = 0;  // the month, of a series by month
};

// The data that a record is filled from.
struct Source {
  const Answers& answers;
  const Scenario& scenario;
  std::span<const std::int32_t> plan;
};

// A group of figures from the same answers: a distribution, an event by month, or a probability.
struct Record {
  std::string name;                   // the names of its figures begin with it
  std::vector<Question> questions{};  // to the kept columns
  std::int32_t series = -1;           // >= 0: by month, from the histograms of this series
  // The value of each path that the figures are of, if there is one: `units` of the kept column are one unit of
  // the record; from `none` on there is no value. An event's value is its month.
  std::int32_t column = -1;
  double units = 1;
  std::int32_t none = kNoMarker;
  // Stores the answers to `questions`, or the series by month, in the report.
  std::function<void(RiskReport&, const Source&)> fill{};
  // Appends the figures of a report, filled or blank, in the order of results.csv.
  std::function<void(const RiskReport&, std::vector<Figure>&)> expand{};
};

struct Catalogue {
  std::vector<Record> records{};
};

// Names are made from ids. An object without an id (in a scenario made in code) is named by its number.
Catalogue catalogue(const Company& company, const Scenario& scenario);

// The figures asked for. A pattern is a name in which * matches any text and ? any one character.
struct Selection {
  std::vector<bool> records;        // for each record of the catalogue: whether it is observed
  std::vector<std::int32_t> cells;  // by-month histograms to be observed: series * months + month - 1
};

// By default every record of the kept columns is observed; by-month histograms only if a pattern names one.
// `only`: nothing except the figures that the patterns name.
Selection select_figures(const Catalogue& catalogue, const Scenario& scenario,
                         const std::vector<std::string>& patterns, bool only = false);

// The patterns that match no figure of the catalogue.
std::vector<std::string> unmatched(const Catalogue& catalogue, const Scenario& scenario,
                                   const std::vector<std::string>& patterns);

// The questions of the selected records, unique_questions().
std::vector<Question> questions_of(const Catalogue& catalogue, const Selection& selection);

// The report of the selected records, made on as many threads as the answers allow. Throws
// std::invalid_argument if there are no paths. Equal answers give equal bits.
RiskReport report_of(const Catalogue& catalogue, const Selection& selection, const Scenario& scenario,
                     const Answers& answers, std::span<const std::int32_t> plan);

// The figures that match the patterns; all figures without a pattern. Figures that were not observed are left
// out.
std::vector<Figure> figures_of(const Catalogue& catalogue, const Selection& selection, const RiskReport& report,
                               const std::vector<std::string>& patterns = {});

bool matches(std::string_view pattern, std::string_view name);

}  // namespace headroom
