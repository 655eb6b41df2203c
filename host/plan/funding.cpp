// SPDX-License-Identifier: Apache-2.0
#include "host/plan/funding.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "headroom/outcome.hpp"
#include "host/plan/plan_table.hpp"
#include "host/risk/analysis.hpp"

namespace headroom {

bool PlanFunding::funded() const {
  return shortfall_musd <= 0 && std::all_of(payment_default.begin(), payment_default.end(),
                                            [](std::int32_t month) { return month >= kNever; });
}

PlanFunding plan_funding(const Company& company, const Scenario& given) {
  Scenario scenario = given;
  scenario.observed_tranches = scenario.tranche.size;
  PlanFunding funding;
  const std::vector<std::int32_t> columns = plan_columns(scenario);
  const ColumnLayout layout = column_layout(scenario);
  const auto column = [&](std::int32_t c) { return columns[static_cast<std::size_t>(c)]; };
  const double unit = units_of_scale(scenario, Scale::money);
  funding.shortfall_musd = column(layout.path(kPeakFundingGap)) / unit;
  funding.first_shortfall = column(layout.path(kLiquidityDefaultMonth));
  for (std::int32_t e = 0; e < layout.borrowers; ++e)
    funding.payment_default.push_back(column(layout.payment_default(e)));
  for (std::int32_t v = 0; v < layout.covenants; ++v)
    funding.first_breach.push_back(column(layout.first_breach(v)));

  const std::vector<std::int32_t> trace = plan_trace(scenario);
  const auto at = [&](std::int32_t series, std::int32_t month) {
    return static_cast<double>(trace[static_cast<std::size_t>(series * scenario.months + month - 1)]) / unit;
  };
  PlanFunding until = funding;  // until month t
  until.opening_cash = company.totals.cash_musd;
  for (std::int32_t t = 1; t <= scenario.months; ++t) {
    until.last_month = t;
    until.cfo += at(kCfo, t);
    until.capex += at(kCapex, t);
    until.closing_cash = at(kCash, t);
    for (std::int32_t d = 0; d < scenario.tranche.size; ++d) {
      const double before =
          t == 1 ? scenario.tranche[d].balance / unit : at(balance_series(scenario, d), t - 1);
      const double change = at(balance_series(scenario, d), t) - before;
      until.drawn += std::max(0.0, change);
      until.repaid += std::max(0.0, -change);
    }
    for (std::int32_t k = 0; k < scenario.dated_flow.size; ++k) {
      if (scenario.dated_flow[k].month == t) until.equity += scenario.dated_flow[k].amount / unit;
    }
    if (funding.last_month == 0 || until.funded() || until.lacking() > funding.lacking()) funding = until;
  }
  return funding;
}

}  // namespace headroom
