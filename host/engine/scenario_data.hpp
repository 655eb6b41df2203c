// SPDX-License-Identifier: Apache-2.0
// The owner of a Scenario's arrays.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "headroom/hd.hpp"
#include "headroom/scenario.hpp"

namespace headroom {

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
  std::vector<PlanMonth> plan{};         // empty until make_plan()
  std::vector<Money> plan_contracted{};  // empty until make_plan()
  std::vector<Real> plan_price{};        // empty until make_plan()

  // The same company to the end of the last loan whose repayment follows the plan's cash flow (at most
  // kMaxMonths), so that nothing depends on the horizon. Null if that lies within the horizon.
  std::shared_ptr<const ScenarioData> to_last_loan{};

  Scenario view() const;  // valid while this object lives and does not change
};

}  // namespace headroom
