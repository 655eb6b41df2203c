// SPDX-License-Identifier: Apache-2.0
#include "host/warn/trial.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "headroom/measures.hpp"
#include "host/config/problems.hpp"
#include "host/plan/make_plan.hpp"
#include "host/plan/plan_table.hpp"
#include "host/warn/warnings.hpp"

namespace headroom {

namespace {

constexpr std::uint64_t kPaths = 256;

}  // namespace

void try_company(const Company& company) {
  // A violated identity of the books is a fault of the program; these two are of the numbers.
  constexpr std::int32_t of_numbers = kOutOfRange | kNotFinite;
  ScenarioData data = company.data;
  make_plan(data);
  const Scenario scenario = data.view();
  std::int32_t kinds = plan_violations(scenario) & of_numbers;
  std::string who = "the plan";
  if (kinds == 0) {
    const std::vector<std::int32_t> of_paths =
        path_violations(scenario, {.seed = 1, .first = 0, .count = kPaths});
    const auto wrong =
        std::count_if(of_paths.begin(), of_paths.end(), [](auto each) { return (each & of_numbers) != 0; });
    for (const std::int32_t each : of_paths) kinds |= each & of_numbers;
    who = fmt::format("{} of the first {} paths", wrong, kPaths);
  }
  if (kinds == 0) return;

  config::Place place;
  for (const config::Setting& each : company.settings) {
    if (each.key == "company.name") place = each.place;
  }
  config::Problems problems;
  if ((kinds & kNotFinite) != 0) {
    problems.add(place, fmt::format("{}: the market is not finite", who),
                 "a volatility, a growth or a coefficient is too large", "correct it");
  } else {
    problems.add(place, fmt::format("{}: an amount leaves the ledger", who),
                 fmt::format("it ends at 2^30 ledger units, {:.0f} million USD",
                             std::floor(0x1p30 * double{scenario.ledger_usd} / 1e6)),
                 "correct the amount that is too large, or raise company.ledger_unit_usd");
  }
  std::vector<config::Problem> all = problems.sorted();
  for (const config::Problem& each : warnings_of(company)) all.push_back(each);
  throw config::ConfigError(all);
}

}  // namespace headroom
