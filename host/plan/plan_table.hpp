// SPDX-License-Identifier: Apache-2.0
// The deterministic plan by quarter and calendar year, next to the company's own figures and guidance.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "headroom/scenario.hpp"
#include "host/config/company.hpp"
#include "host/risk/analysis.hpp"
#include "host/risk/statistics.hpp"

namespace headroom {

// Flows of a period and balances at its end, in musd. kUnknown: not known.
struct PlanPeriod {
  std::int32_t first_month = 0, last_month = 0;  // of the horizon; 0: before the horizon (reported)
  bool includes_reported = false;                // a calendar year that includes reported months
  double revenue = 0, ebitda = 0, cash_interest = 0, capex = 0, fcf = 0;
  double debt = kUnknown, cash = kUnknown, arr = kUnknown, backlog = kUnknown;
  // Least headroom of the period's tests by covenant, in the metric's unit (liquidity in musd); empty: not
  // tested.
  std::vector<std::optional<double>> headroom{};

  double margin() const { return ebitda / revenue; }
};

struct PlanTable {
  std::optional<PlanPeriod> reported;  // from 1 January to as_of
  std::vector<PlanPeriod> quarters;
  std::vector<PlanPeriod> years;
};

// trace_path() of the scenario with every switch off: [series][months].
std::vector<std::int32_t> plan_trace(const Scenario& scenario);
// The columns of the plan's path (ColumnLayout).
std::vector<std::int32_t> plan_columns(const Scenario& scenario);
// The identities that the plan violates: Violation bits.
std::int32_t plan_violations(const Scenario& scenario);
// The same, path by path, on one CPU thread; for a few paths.
std::vector<std::int32_t> path_violations(const Scenario& scenario, const PathRange& paths);

// `plan`: from plan_trace().
PlanTable plan_table(const Company& company, const Scenario& scenario, std::span<const std::int32_t> plan);

// One figure of the company's guidance. Calendar years include the reported months.
struct GuidanceCheck {
  std::size_t guidance = 0;             // index into Company::guidance
  double plan_musd = kUnknown;          // kUnknown: outside the horizon
  std::optional<double> p10, p50, p90;  // musd, from the run; empty without a run
  enum class Mark { unknown, below, inside, above } mark = Mark::unknown;  // plan against low..high
};

// The by-month histograms that the guidance needs: series * months + month - 1.
std::vector<std::int32_t> guidance_cells(const Company& company, const Scenario& scenario);

// `report`: null if only the plan is known.
std::vector<GuidanceCheck> check_guidance(const Company& company, const Scenario& scenario,
                                          const PlanTable& table, const RiskReport* report);

}  // namespace headroom
