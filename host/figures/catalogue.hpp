// SPDX-License-Identifier: Apache-2.0
// The catalogue of named figures: everything that a run can say, what it is in words, in which unit, and which
// questions to the paths it needs. Made from a company before any path is run.
//
// A name is written with dots, ids as in the config, and needs no quotes in a shell: breach.ddtl-4-dscr.24m,
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
  double value = kUnknown;  // of a shape without paths, and of what no path knows: kUnknown
  double low = kUnknown;    // 95% interval
  double high = kUnknown;
  double standard_error = kUnknown;  // where a figure has one in place of an interval
  std::string_view unit;
  std::string words;
  std::int32_t month = 0;  // of a series by month
};

// What a record is filled from.
struct Source {
  const Answers& answers;
  const Scenario& scenario;
  std::span<const std::int32_t> plan;
};

// A group of figures that come from the same answers: a distribution, an event by month, a probability.
struct Record {
  std::string name;
  std::vector<Question> questions{};  // to the kept columns
  std::int32_t series = -1;           // >= 0: by month, from the histograms of this series
  // Puts the answers to `questions`, or the series by month, into its place in the report.
  std::function<void(RiskReport&, const Source&)> fill{};
  // The figures of a report, filled or blank, in the order of results.csv.
  std::function<void(const RiskReport&, std::vector<Figure>&)> expand{};
};

struct Catalogue {
  std::vector<Record> records{};
};

// Names are made from ids; an object without an id (a scenario made in code) is called by its number.
Catalogue catalogue(const Company& company, const Scenario& scenario);

// Which figures are asked for. A pattern is a name in which * stands for any text and ? for any character.
struct Selection {
  std::vector<bool> records;        // of the catalogue: to be observed
  std::vector<std::int32_t> cells;  // by-month histograms to be observed: series * months + month - 1
};

// By default every record of the kept columns; by-month histograms only where a pattern names one.
// `only`: nothing but what the patterns name.
Selection select_figures(const Catalogue& catalogue, const Scenario& scenario,
                         const std::vector<std::string>& patterns, bool only = false);

// The patterns that name no figure of the catalogue.
std::vector<std::string> unmatched(const Catalogue& catalogue, const Scenario& scenario,
                                   const std::vector<std::string>& patterns);

// The questions of the selected records, unique_questions().
std::vector<Question> questions_of(const Catalogue& catalogue, const Selection& selection);

// The report of the selected records, on as many threads as the answers allow. Throws std::invalid_argument
// where there are no paths. Equal answers give equal bits.
RiskReport report_of(const Catalogue& catalogue, const Selection& selection, const Scenario& scenario,
                     const Answers& answers, std::span<const std::int32_t> plan);

// The figures that patterns name; all where there is no pattern. A figure that was not observed is left out.
std::vector<Figure> figures_of(const Catalogue& catalogue, const Selection& selection, const RiskReport& report,
                               const std::vector<std::string>& patterns = {});

bool matches(std::string_view pattern, std::string_view name);

}  // namespace headroom
