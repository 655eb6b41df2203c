// SPDX-License-Identifier: Apache-2.0
// The owner of a Scenario's arrays.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "headroom/hd.hpp"
#include "headroom/scenario.hpp"

namespace headroom {

// A case that lenders agreed to: the plan with later openings, or without some sites. make_plan() computes its
// contracted revenue and its cash flow.
struct LendersCase {
  double opening_quantile = 0;          // each site opens at this quantile of its own delay; 0: as in the plan
  double later_months = 0;              // added to every opening that is still to come
  std::vector<std::int32_t> without{};  // sites that it does not count on
};

// Owns the arrays that the views of a Scenario point into.
struct ScenarioData {
  Scenario parameters{};  // everything but the views
  std::vector<MonthRow> month{};
  std::vector<GpuType> gpu_type{};
  std::vector<Real> ageing{};
  std::vector<Launch> launch{};
  std::vector<Real> launch_effect{};
  std::vector<Site> site{};
  std::vector<Customer> customer{};
  std::vector<Real> default_intensity{};
  std::vector<Contract> contract{};
  std::vector<Entity> entity{};
  std::vector<Tranche> tranche{};
  std::vector<Real> repayment{};
  std::vector<StepUp> step_up{};
  std::vector<DatedFlow> dated_flow{};
  std::vector<Covenant> covenant{};
  std::vector<CovenantTest> covenant_test{};
  std::vector<std::int32_t> covenant_target{}, cross_default{};
  std::vector<HistoryMonth> history{};
  std::vector<LendersCase> lenders_case{};
  std::vector<PlanMonth> plan{};         // empty until make_plan()
  std::vector<Money> plan_contracted{};  // empty until make_plan()
  std::vector<Money> plan_need{};        // likewise; empty without a programme
  std::vector<Real> plan_price{};        // empty until make_plan()

  // The same company to the end of the last loan whose repayment follows the plan's cash flow (at most
  // kMaxMonths), so that nothing depends on the horizon. Null if that lies within the horizon.
  std::shared_ptr<const ScenarioData> to_last_loan{};

  Scenario view() const;  // valid while this object lives and does not change
};

}  // namespace headroom
