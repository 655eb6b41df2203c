// SPDX-License-Identifier: Apache-2.0
// Whether the plan is paid for: its shortfall, its breaches, and where its cash comes from and goes.
#pragma once

#include <cstdint>
#include <vector>

#include "headroom/scenario.hpp"
#include "host/config/company.hpp"

namespace headroom {

// Months are kNever where it does not happen.
struct PlanFunding {
  double shortfall_musd = 0;                    // the most that the parent lacks at a month end
  std::int32_t first_shortfall = kNever;        // the month of its liquidity default
  std::vector<std::int32_t> payment_default{};  // by borrower
  std::vector<std::int32_t> first_breach{};     // by covenant

  // Sources and uses until the month in which most is lacking, or else the horizon's end; musd. Both sides add
  // up to the same.
  std::int32_t last_month = 0;
  double opening_cash = 0, cfo = 0, drawn = 0, equity = 0;  // drawn: increases of tranches, month by month
  double capex = 0, repaid = 0, closing_cash = 0;           // repaid: decreases, with what is converted
  double uses() const { return capex + repaid + closing_cash; }
  // The shortfall, less what reserve accounts took; conversions.
  double lacking() const { return uses() - opening_cash - cfo - drawn - equity; }

  bool funded() const;
};

// `scenario`: with its plan, see make_plan().
PlanFunding plan_funding(const Company& company, const Scenario& scenario);

}  // namespace headroom
