// SPDX-License-Identifier: Apache-2.0
// What the plan says of its funding: both sides of its cash add up, and the shortfall is what is missing.
#include "host/plan/funding.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "host/plan/make_plan.hpp"
#include "host/plan/plan_table.hpp"
#include "tests/mutation.hpp"

namespace headroom {
namespace {

PlanFunding funding_of(const std::string& name, std::vector<std::string> sets = {}) {
  Company company =
      load_company({.file = HEADROOM_SOURCE_DIR "/configs/" + name + ".toml", .sets = std::move(sets)});
  make_plan(company.data);
  return plan_funding(company, company.data.view());
}

// Notes that fall due and cannot be refinanced: what is lacking by the books is the gap that the path reports.
TEST(PlanFunding, IsWhatIsMissing) {
  const std::string notes = "tranche.notes-2030.";
  for (const int cash : {100, 60, 10}) {
    const PlanFunding funding = funding_of(
        "demo", {notes + "maturity=2026-12-31", "entity.halcyon.cash_musd=" + std::to_string(cash),
                 notes + "remove=['refinanceable', 'refinance_spread_per_year', 'refinance_months']"});
    EXPECT_FALSE(funding.funded());
    EXPECT_GT(funding.shortfall_musd, 20);
    EXPECT_NEAR(funding.lacking(), funding.shortfall_musd, 0.01) << cash;
    EXPECT_LE(funding.first_shortfall, funding.last_month);
    EXPECT_LE(funding.last_month, 12);
    EXPECT_EQ(funding.closing_cash, 0);
  }
  const PlanFunding funded = funding_of("demo");
  EXPECT_TRUE(funded.funded());
  EXPECT_EQ(funded.shortfall_musd, 0);
  EXPECT_EQ(funded.first_shortfall, kNever);
  EXPECT_EQ(funded.last_month, 60);
}

// Without reserve accounts, conversions or a shortfall, nothing is left between sources and uses.
TEST(PlanFunding, SourcesAreUses) {
  const PlanFunding demo = funding_of("demo");
  EXPECT_NEAR(demo.lacking(), 0, 0.01);
  EXPECT_NEAR(demo.capex, 10000 * 59000e-6 + 19.5 * 13.3 - 85 + 9, 1.0) << "with what was payable at as_of";
  EXPECT_EQ(demo.opening_cash, 260);
  EXPECT_GT(demo.drawn, 500);
  const PlanFunding lakeside = funding_of("lakeside-template");
  EXPECT_EQ(lakeside.equity, 130);
  // The reserve account gives back its 15 when the loan is repaid.
  EXPECT_NEAR(lakeside.lacking(), 15, 0.01);
}

}  // namespace
}  // namespace headroom
