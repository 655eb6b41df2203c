// SPDX-License-Identifier: Apache-2.0
#include "host/engine/scenario_data.hpp"

namespace headroom {

Scenario ScenarioData::view() const {
  Scenario s = parameters;
  const auto over = [](auto& target, const auto& from) {
    target = {from.data(), static_cast<std::int32_t>(from.size())};
  };
  over(s.month, month);
  over(s.gpu_type, gpu_type);
  over(s.ageing, ageing);
  over(s.launch, launch);
  over(s.launch_effect, launch_effect);
  over(s.site, site);
  over(s.customer, customer);
  over(s.default_intensity, default_intensity);
  over(s.contract, contract);
  over(s.entity, entity);
  over(s.tranche, tranche);
  over(s.repayment, repayment);
  over(s.step_up, step_up);
  over(s.dated_flow, dated_flow);
  over(s.covenant, covenant);
  over(s.covenant_test, covenant_test);
  over(s.covenant_target, covenant_target);
  over(s.cross_default, cross_default);
  over(s.history, history);
  over(s.plan, plan);
  over(s.plan_contracted, plan_contracted);
  over(s.plan_need, plan_need);
  over(s.plan_price, plan_price);
  s.has_plan = plan.empty() ? 0 : 1;
  return s;
}

}  // namespace headroom
