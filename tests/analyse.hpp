// SPDX-License-Identifier: Apache-2.0
// Reports of outcomes and answers that a test has made, and what it asks of columns.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>

#include "host/config/company.hpp"
#include "host/engine/answers.hpp"
#include "host/engine/engine.hpp"
#include "host/figures/catalogue.hpp"
#include "host/risk/analysis.hpp"

namespace headroom {

// The catalogue of a scenario whose objects have no names.
inline Catalogue nameless_catalogue(const Scenario& scenario) {
  using namespace std::chrono;
  Company company;
  company.as_of = 2026y / March / 31;
  return catalogue(company, scenario);
}

inline std::vector<Question> all_questions(const Scenario& scenario) {
  const Catalogue all = nameless_catalogue(scenario);
  return questions_of(all, select_figures(all, scenario, {}));
}

inline RiskReport analyse(const Scenario& scenario, const Answers& answers,
                          std::span<const std::int32_t> plan) {
  const Catalogue all = nameless_catalogue(scenario);
  return report_of(all, select_figures(all, scenario, {}), scenario, answers, plan);
}

inline RiskReport analyse(const Scenario& scenario, const Outcomes& outcomes, const PathRange& paths,
                          std::span<const std::int32_t> plan) {
  return analyse(
      scenario,
      ask(outcomes, all_questions(scenario), paths.seed, {{paths.first, outcomes.columns->paths()}}, {}), plan);
}

inline std::uint64_t count_at_most(Columns& columns, std::int32_t column, std::int32_t x) {
  return static_cast<std::uint64_t>(columns.answer({Question::Kind::sums, column, column, x})[0]);
}
inline std::uint64_t count_both_at_most(Columns& columns, std::int32_t a, std::int32_t b, std::int32_t x) {
  return static_cast<std::uint64_t>(columns.answer({Question::Kind::both, a, b, x})[0]);
}
inline std::int64_t sum_of(Columns& columns, std::int32_t column) {
  return static_cast<std::int64_t>(columns.answer({Question::Kind::sums, column, column, kNoMarker})[1]);
}

}  // namespace headroom
