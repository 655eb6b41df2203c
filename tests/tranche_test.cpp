// SPDX-License-Identifier: Apache-2.0
// Repayments and coupons that are not level, against their expected values month by month: schedules,
// sculpted debt service, draws repaid one by one, step-ups, draws that pay their own interest. Money in
// thousands of USD.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "headroom/model/entity.hpp"
#include "host/cpu/trace.hpp"
#include "host/engine/engine.hpp"
#include "host/plan/make_plan.hpp"
#include "small_company.hpp"

namespace headroom {
namespace {

// A measure of all months, with the plan made.
std::vector<double> months_of(ScenarioData data, Measure measure) {
  make_plan(data);
  const std::vector<std::int32_t> trace = trace_path(data.view(), 1, 0);
  const auto months = static_cast<std::size_t>(data.parameters.months);
  const auto first = trace.begin() + static_cast<std::ptrdiff_t>(measure * months);
  return {first, first + static_cast<std::ptrdiff_t>(months)};
}

ScenarioData rich_company(std::int32_t months) {
  ScenarioData data = still_company(months);
  data.entity[0].cash = 1'000'000;
  return data;
}

TEST(Repayment, FollowsItsSchedule) {
  constexpr std::int32_t kMonths = 10;
  ScenarioData data = rich_company(kMonths);
  Tranche loan = tranche_of(TrancheKind::term, 10'000);
  loan.fixed_rate = 0.12F;
  loan.amortisation_start = 3, loan.amortisation_end = loan.maturity = 9;
  loan.scheduled = 1;
  data.tranche = {loan};
  // A quarter, a quarter and a half of the balance at its start.
  data.repayment.assign(kMonths, 0.0F);
  data.repayment[2] = 4.0F, data.repayment[5] = 3.0F, data.repayment[8] = 1.0F;
  const double debt[] = {10'000, 10'000, 7'500, 7'500, 7'500, 5'000, 5'000, 5'000, 0, 0};
  const std::vector<double> traced = months_of(data, kDebt), interest = months_of(data, kCashInterest);
  for (std::size_t t = 0; t < kMonths; ++t) {
    EXPECT_EQ(traced[t], debt[t]) << "month " << t + 1;
    EXPECT_EQ(interest[t], 0.01 * (t == 0 ? 10'000 : debt[t - 1])) << "month " << t + 1;
  }
}

// One of two contracts ends in month 8: debt service falls with CFADS, in the same proportion, and repays the
// loan.
TEST(Repayment, SculptedFollowsTheCashFlowOfThePlan) {
  constexpr std::int32_t kMonths = 24;
  ScenarioData data = rich_company(kMonths);
  data.site = {running_site(1'000)};
  data.customer = {customer_of("acme")};
  data.contract = {running_contract(0, 600, 2.5, 8, "short"), running_contract(0, 400, 2.5, 60, "long")};
  Tranche loan = tranche_of(TrancheKind::term, 12'000);
  loan.fixed_rate = 0.06F;
  loan.amortisation_start = 4, loan.amortisation_end = loan.maturity = 20;
  loan.scheduled = loan.sculpted = 1;
  data.tranche = {loan};
  data.repayment.assign(kMonths, 1.0F);
  const std::vector<double> debt = months_of(data, kDebt), interest = months_of(data, kCashInterest),
                            ebitda = months_of(data, kEbitda);
  EXPECT_LT(ebitda[10], 0.5 * ebitda[5]);
  const auto service = [&](std::size_t t) { return debt[t - 1] - debt[t] + interest[t]; };
  const double share = service(3) / ebitda[3];
  for (std::size_t t = 3; t < 20; ++t) {
    EXPECT_NEAR(service(t), share * ebitda[t], 2.0) << "month " << t + 1 << " of share " << share;
  }
  EXPECT_EQ(debt[2], 12'000);
  EXPECT_EQ(debt[19], 0);
}

struct PartDrawn {
  int month;
  double amount;
};

// Half of the capex falls due in month 2, half in month 5.
ScenarioData company_that_draws(std::int32_t months, Money capex) {
  ScenarioData data = rich_company(months);
  Site site = new_site(100, 5);
  site.order_month = 2.0F;
  site.capex = capex, site.order_share = 0.5F, site.tranche = 0;
  data.site = {site};
  Tranche loan = tranche_of(TrancheKind::ddtl, 0);
  loan.commitment = 50'000, loan.advance_rate = 1.0F;
  loan.draw_start_month = 0.0F, loan.draw_end_month = 6.0F;
  data.tranche = {loan};
  return data;
}

TEST(Repayment, EachDrawOverItsOwnTerm) {
  constexpr std::int32_t kMonths = 14, kTerm = 7;
  ScenarioData data = company_that_draws(kMonths, 12'000);
  Tranche& loan = data.tranche[0];
  loan.balance = 1'003;
  loan.amortisation_start = 3, loan.amortisation_end = 6;  // of what was drawn before
  loan.draw_term_months = kTerm;
  loan.first_draw_month = 1, loan.vintages = 6;
  const PartDrawn parts[] = {{2, 6'000}, {5, 6'000}};
  double balance = 1'003;
  const std::vector<double> debt = months_of(data, kDebt);
  for (int t = 1; t <= kMonths; ++t) {
    if (t >= 3 && t <= 6) balance -= t < 6 ? 251 : 1'003 - 3 * 251;
    for (const PartDrawn& part : parts) {
      const double instalment = std::nearbyint(part.amount / kTerm);
      if (t > part.month && t < part.month + kTerm) balance -= instalment;
      if (t == part.month + kTerm) balance -= part.amount - (kTerm - 1) * instalment;
      if (t == part.month) balance += part.amount;
    }
    EXPECT_EQ(debt[static_cast<std::size_t>(t - 1)], balance) << "month " << t;
  }
  EXPECT_EQ(balance, 0);
}

// A loan that was drawn in full by as_of, though its draws would be repaid one by one.
TEST(Repayment, OfDrawsThatNeverCome) {
  constexpr std::int32_t kMonths = 12;
  ScenarioData data = company_that_draws(kMonths, 0);
  Tranche& loan = data.tranche[0];
  loan.balance = 1'003, loan.commitment = 0;
  loan.amortisation_start = 3, loan.amortisation_end = 6;
  loan.draw_term_months = 4, loan.first_draw_month = 1, loan.vintages = 6;
  const std::vector<double> debt = months_of(data, kDebt);
  const double level[] = {1'003, 1'003, 752, 501, 250, 0, 0, 0, 0, 0, 0, 0};
  for (std::size_t t = 0; t < kMonths; ++t) EXPECT_EQ(debt[t], level[t]) << "month " << t + 1;
}

// 6,000 drawn in month 2, repaid over ten months; at maturity in month 6 the rest is extended and stays.
TEST(Repayment, OfAnExtendedLoanIsABullet) {
  constexpr std::int32_t kMonths = 16;
  ScenarioData data = company_that_draws(kMonths, 6'000);
  data.site[0].order_share = 1.0F;
  data.entity[0].refinance_leverage_limit = kRatioCap;
  Tranche& loan = data.tranche[0];
  loan.draw_term_months = 10, loan.first_draw_month = 1, loan.vintages = 4;
  loan.draw_end_month = 4.0F, loan.maturity = 6;
  loan.refinanceable = 1, loan.refinance_months = 8;
  const std::vector<double> debt = months_of(data, kDebt);
  for (int t = 1; t <= kMonths; ++t) {
    const double level = 6'000 - 600 * (std::min(t, 6) - 2);
    EXPECT_EQ(debt[static_cast<std::size_t>(t - 1)], t < 2 || t >= 14 ? 0 : level) << "month " << t;
  }
}

// A line without draws is extended like a line with draws.
TEST(Repayment, AnUndrawnRevolverIsExtended) {
  for (const Real limit : {kRatioCap, -kRatioCap}) {
    ScenarioData data = rich_company(16);
    Tranche line = tranche_of(TrancheKind::revolver, 0);
    line.commitment = 7'000, line.draw_end_month = 20.0F, line.maturity = 6;
    line.refinanceable = 1, line.refinance_months = 8;
    data.tranche = {line};
    data.entity[0].revolver = 0;
    data.entity[0].refinance_leverage_limit = limit;
    const std::vector<double> liquidity = months_of(data, kLiquidity), cash = months_of(data, kCash);
    const int last = limit > 0 ? 13 : 5;
    for (int t = 1; t <= 16; ++t) {
      const auto row = static_cast<std::size_t>(t - 1);
      EXPECT_EQ(liquidity[row] - cash[row], t <= last ? 7'000 : 0) << "month " << t;
    }
  }
}

TEST(Coupon, StepsUpOnItsDates) {
  ScenarioData data = rich_company(9);
  set_short_rate(data, 0.03);
  Tranche loan = tranche_of(TrancheKind::term, 12'000);
  loan.spread = 0.03F, loan.step_ups = 2;
  data.tranche = {loan};
  data.step_up = {{4, 0.01F}, {7, 0.02F}};
  const std::vector<double> interest = months_of(data, kCashInterest);
  for (int t = 1; t <= 9; ++t) {
    EXPECT_EQ(interest[static_cast<std::size_t>(t - 1)], t < 4 ? 60 : (t < 7 ? 70 : 90)) << "month " << t;
  }
}

// D = A + I with I = c/12 (B + D/2): the draw pays the interest on itself, to the unit.
TEST(Draws, PayTheirOwnInterestWithoutALag) {
  constexpr std::int32_t kMonths = 8;
  ScenarioData data = company_that_draws(kMonths, 40'000);
  Tranche& loan = data.tranche[0];
  loan.balance = 3'000, loan.fixed_rate = 0.09F, loan.capitalises_interest = 1;
  const auto check = [&](double commitment) {
    data.tranche[0].commitment = static_cast<Money>(commitment);
    const std::vector<double> debt = months_of(data, kDebt), interest = months_of(data, kCashInterest);
    double before = 3'000, undrawn = commitment;
    for (int t = 1; t <= kMonths; ++t) {
      const auto at = static_cast<std::size_t>(t - 1);
      const double drawn = debt[at] - before;
      const double eligible = t == 2 || t == 5 ? 20'000 : 0;
      EXPECT_NEAR(interest[at], 0.09 / 12 * (before + drawn / 2), 1.0) << "month " << t;
      if (t > 6) {
        EXPECT_EQ(drawn, 0) << "month " << t;
      } else if (eligible + interest[at] < undrawn - 1) {
        EXPECT_NEAR(drawn, eligible + interest[at], 1.0) << "month " << t;
      } else {
        EXPECT_EQ(drawn, undrawn) << "month " << t;
      }
      before = debt[at], undrawn -= drawn;
    }
    return undrawn;
  };
  EXPECT_GT(check(60'000), 0);
  EXPECT_EQ(check(30'000), 0) << "no more than the commitment";
}

// Half of 12,000 is due in month 2, half in month 5. A draw missed in a shut market follows when the next
// quarter opens. One false alarm in a million runs, for all comparisons together.
TEST(Draws, ComeAsOftenAsTheMarketIsOpen) {
  constexpr std::uint64_t kPaths = 40'000;
  constexpr std::int32_t kMonths = 6;
  struct Held {
    Regime regime;
    double open;  // probability a quarter
  };
  for (const Held& held : {Held{kShortage, 0.8}, Held{kBalanced, 0.55}, Held{kGlut, 0.2}}) {
    ScenarioData data = company_that_draws(kMonths, 12'000);
    data.parameters.switches |= kFundingWindow;
    data.parameters.demand.start_regime = held.regime;
    data.parameters.rates.window_open = {0.8F, 0.55F, 0.2F};
    data.tranche[0].needs_window = 1;
    make_plan(data);
    const Outcomes outcomes = run_paths(data.view(), {3, 0, kPaths}, 2);
    const auto expect_share = [&](std::int32_t month, double drawn, double share) {
      const auto cell = static_cast<std::size_t>(kDebt * kMonths + month - 1);
      const double got = static_cast<double>(outcomes.sum[cell]) / drawn / kPaths;
      EXPECT_NEAR(got, share, 5.5 * std::sqrt(share * (1 - share) / kPaths))
          << "regime " << held.regime << ", month " << month;
    };
    const double p = held.open;
    expect_share(1, 6'000, 0);
    expect_share(2, 6'000, p);
    expect_share(3, 6'000, p);
    expect_share(4, 6'000, 1 - (1 - p) * (1 - p));
    // All of it if the second quarter is open, half if only the first was.
    const auto cell = static_cast<std::size_t>(kDebt * kMonths + 5 - 1);
    const double mean = p + (1 - p) * p / 2, square = p + (1 - p) * p / 4;
    EXPECT_NEAR(static_cast<double>(outcomes.sum[cell]) / 12'000 / kPaths, mean,
                5.5 * std::sqrt((square - mean * mean) / kPaths));
  }
}

}  // namespace
}  // namespace headroom
