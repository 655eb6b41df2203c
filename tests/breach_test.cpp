// SPDX-License-Identifier: Apache-2.0
// The outcome of a failed test: cures, waivers, springing tests, consequences, cross-defaults. Compared with
// the sheet of group_sheet.hpp.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "group_sheet.hpp"

namespace headroom {
namespace {

using namespace group;

// ---- Cures. ----

// 70 a month against interest of 40; 50 in month 5. Nothing else happens.
Group group_with_a_bad_month(double in_month_5 = 50) {
  Group group(14);
  for (std::size_t k = 0; k < 12; ++k) group.data.history[k] = {70, 40, 0, 70, 70};
  group.owes(0, 4'000, 0.12);
  group.earns(0, 70, 1, 4), group.earns(0, in_month_5, 5, 5), group.earns(0, 70, 6, 14);
  return group;
}

struct DeemedCure {
  Metric metric;
  Window window;
  double threshold, amount;
  double Row::*deemed;
  double in_month_5 = 50;
};
// The cure is the missing amount, to the nearest unit, and one more.
TEST(BorrowerCures, OneCureCountsInEveryWindowThatHoldsItsMonth) {
  const DeemedCure cures[] = {
      // 190 of 1.7 x 120
      {Metric::dscr, Window::trailing_3, 1.7, 14 + 1, &Row::cfads},
      {Metric::dscr, Window::trailing_12, 1.74, 15 + 1, &Row::cfads},  // 820 of 835.2
      {Metric::interest_coverage, Window::annualised_quarter, 1.7, 14 + 1, &Row::ebitda},
      {Metric::leverage, Window::annualised_quarter, 4.8, 18 + 1, &Row::ebitda},      // 190 of 208.33
      {Metric::leverage, Window::trailing_12, 4.8, 13 + 1, &Row::ebitda},             // 820 of 833.33
      {Metric::net_leverage, Window::annualised_quarter, 4.7, 17 + 1, &Row::ebitda},  // 190 of 207.45
      {Metric::liquidity, Window::trailing_3, 90, 10 + 1, nullptr, 20}};
  for (const DeemedCure& each : cures) {
    SCOPED_TRACE("metric " + std::to_string(static_cast<int>(each.metric)) + ", window " +
                 std::to_string(static_cast<int>(each.window)));
    Group group = group_with_a_bad_month(each.in_month_5);
    Covenant c = covenant_of(0, each.metric, each.window);
    c.cures = c.cures_in_row = 1;
    group.must(c, each.threshold);
    double moved = 0;
    const Sheet sheet = closed(group, [&](int t, Sheet& s) {
      if (t != 6) return;
      const double before = s.books[1].cash;
      s.cure(0, each.amount, each.deemed);
      moved = before - s.books[1].cash;
    });
    ASSERT_EQ(moved, each.amount);
    const Rolled run = expect_equal(group, sheet);
    EXPECT_EQ(run.column(run.layout.first_breach(0)), 5);
    EXPECT_LT(run.headroom(0, 5), 0) << "the test is reported as it was failed";
    EXPECT_EQ(run.column(run.layout.first_uncured(0)), kNever);
    for (int t = 6; t <= 14; ++t) EXPECT_GE(run.headroom(0, t), 0) << "month " << t;
  }
}

// 70 of the 120 planned are earned from month 6 on; the test needs 90% of the plan. Two tests in a row may be
// cured, three in all: months 6 and 7, not 8, then 9.
TEST(BorrowerCures, CountAndInARow) {
  Group group(12);
  group.data.parameters.switches = kDecisions | kCancellation;
  for (std::size_t k = 0; k < 12; ++k) group.data.history[k].contracted_revenue = 70;
  Site refused = new_site(1'000, 4, "refused");
  refused.cancel_month = 3.0F, refused.cancel_probability = 1.0F;
  group.data.site.push_back(refused);
  group.earns(0, 70, 1, 12);
  Contract unserved = new_contract(2, 1'000, 50 / 730.5, 5, 34, "unserved");
  unserved.entity = 0;
  group.data.contract.push_back(unserved);
  Covenant c = covenant_of(0, Metric::contract_realization, Window::trailing_3);
  c.cures = 3, c.cures_in_row = 2;
  group.must(c, 0.9);
  const Sheet sheet = closed(group, [](int t, Sheet& s) {
    if (t == 7) s.cure(0, 25, &Row::contracted);   // 210 of 0.9 x 260
    if (t == 8) s.cure(0, 45, &Row::contracted);   // 235 of 0.9 x 310
    if (t == 10) s.cure(0, 70, &Row::contracted);  // 115 + 70 + 70 of 0.9 x 360
  });
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(run.layout.first_breach(0)), 6);
  EXPECT_EQ(run.column(run.layout.first_uncured(0)), 8);
  EXPECT_EQ(run.column(run.layout.cures(0)), 3);
  EXPECT_EQ(run.column(run.layout.waivers(0)), 0);
  EXPECT_NEAR(run.headroom(0, 8), 1e4 * (280.0 / 360 - 0.9), 0.51);
  EXPECT_NEAR(run.headroom(0, 10), 1e4 * (280.0 / 360 - 0.9), 0.51);
}

TEST(BorrowerCures, OfBacklogCoverageRepayTheLoan) {
  Group group(12);
  group.owes(0, 2'000, 0.06), group.owes(0, 500, 0.06);
  group.earns(0, 70, 1, 30);
  Covenant c = covenant_of(0, Metric::backlog_coverage, Window::trailing_3);
  c.tranche = 0, c.cures = 3, c.cures_in_row = 3;
  group.must(c, 0.9);
  const Sheet sheet = closed(group, [](int t, Sheet& s) {
    if (t == 6) s.cure(0, 56 + 1, nullptr, 0);  // 2,000 on 1,750 / 0.9 = 1,944.4
    if (t == 7) s.cure(0, 76 + 1, nullptr, 0);  // 1,943 on 1,866.7
    if (t == 8) s.cure(0, 77 + 1, nullptr, 0);  // 1,866 on 1,788.9
  });
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(run.layout.first_breach(0)), 5);
  EXPECT_EQ(run.column(run.layout.first_uncured(0)), 8);
}

// GPUs of 3,000 over 48 months against a loan of 2,000; the limit is 75%.
Group group_with_collateral(std::int32_t months) {
  Group group(months);
  group.owes(0, 2'000, 0.06);
  Site s = new_site(50, 0, "secured");
  s.capex = s.capex_paid = 3'000;
  s.gpu_value_share = 1.0F, s.life_months = 48.0F, s.tranche = 0;
  group.data.site.push_back(s);
  group.earns(0, 70, 1, months);
  return group;
}
TEST(BorrowerCures, OfLoanToValueRepayTheLoan) {
  Group group = group_with_collateral(12);
  Covenant c = covenant_of(0, Metric::ltv, Window::trailing_3);
  c.tranche = 0, c.cures = 2, c.cures_in_row = 2;
  group.must(c, 0.75);
  const Sheet sheet = closed(group, [](int t, Sheet& s) {
    if (t == 7) s.cure(0, 31 + 1, nullptr, 0);  // 2,000 on 0.75 x 2,625
    if (t == 8) s.cure(0, 46 + 1, nullptr, 0);  // 1,968 on 0.75 x 2,563
  });
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(run.layout.first_breach(0)), 6);
  EXPECT_EQ(run.column(run.layout.first_uncured(0)), 8);
}
// Without any collateral the cure repays the whole loan, and no more.
TEST(BorrowerCures, RepayNoMoreThanTheLoan) {
  Group group(6);
  group.owes(0, 2'000, 0.06);
  group.earns(0, 70, 1, 6);
  Covenant c = covenant_of(0, Metric::ltv, Window::trailing_3);
  c.tranche = 0, c.cures = c.cures_in_row = 1;
  group.must(c, 0.75, [](int t) { return t >= 2; });
  const Sheet sheet = closed(group, [](int t, Sheet& s) {
    if (t == 3) s.cure(0, 2'000, nullptr, 0);
  });
  ASSERT_EQ(sheet.debt_of(0), 0);
  expect_equal(group, sheet);
}

TEST(BorrowerCures, NoneAfterTheLastDayNorWithoutTheParentsCash) {
  const auto first_uncured = [](int last_cure, double short_of_cash, std::uint32_t switches) {
    Group group = group_with_a_bad_month();
    group.data.parameters.switches = switches;
    Covenant c = covenant_of(0, Metric::dscr, Window::trailing_3);
    c.cures = c.cures_in_row = 1, c.last_cure = last_cure;
    group.must(c, 1.7);
    const Sheet uncured = closed(group);
    group.parent().min_cash = static_cast<Money>(uncured.ends[4].cash[1] - 15 + short_of_cash);
    const Sheet sheet = closed(group, [&](int t, Sheet& s) {
      if (t == 6 && last_cure >= 5 && short_of_cash == 0 && (switches & kCures) != 0)
        s.cure(0, 15, &Row::cfads);
    });
    const Rolled run = expect_equal(group, sheet);
    return run.column(run.layout.first_uncured(0));
  };
  EXPECT_EQ(first_uncured(kNever, 0, kDecisions), kNever);
  EXPECT_EQ(first_uncured(5, 0, kDecisions), kNever);
  EXPECT_EQ(first_uncured(4, 0, kDecisions), 5);
  EXPECT_EQ(first_uncured(5, 1, kDecisions), 5) << "15 are needed and 14 are above the parent's minimum";
  EXPECT_EQ(first_uncured(kNever, 0, kDecisions & ~kCures), 5);
}

// Two tests lack 14 each in month 5. The parent has 29 above its minimum, enough for one cure of 15. In the
// next month it can pay both: the cash flow deemed earned for one test does not count for the other.
TEST(BorrowerCures, TheParentsCashIsSpentOnce) {
  Group group = group_with_a_bad_month();
  for (const Metric metric : {Metric::dscr, Metric::interest_coverage}) {
    Covenant c = covenant_of(0, metric, Window::trailing_3);
    c.cures = c.cures_in_row = 1;
    group.must(c, 1.7);
  }
  group.parent().min_cash = static_cast<Money>(closed(group).ends[4].cash[1] - 29);
  const Sheet sheet = closed(group, [](int t, Sheet& s) {
    if (t == 6) s.cure(0, 15, &Row::cfads);
    if (t == 7) s.cure(0, 15, &Row::ebitda);
  });
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(run.layout.first_uncured(0)), kNever);
  EXPECT_EQ(run.column(run.layout.first_uncured(1)), 5);
}

// Debt of 2,000 on EBITDA of 4 x 210 a year is above the limit of 2.36, and under it after the cure of 32 at
// the end of month 6. The loan that is due in month 7 is extended, then.
TEST(BorrowerCures, ARefinancingSeesTheDebtThatIsLeft) {
  for (const int cures : {0, 1}) {
    Group group = group_with_collateral(10);
    for (std::size_t k = 0; k < 12; ++k) group.data.history[k] = {70, 10, 0, 70, 70};
    group.borrower().refinance_leverage_limit = 2.36F;
    Tranche& loan = group.data.tranche[0];
    loan.maturity = 7, loan.refinanceable = 1, loan.refinance_months = 60, loan.refinance_spread = 0.06F;
    Covenant c = covenant_of(0, Metric::ltv, Window::trailing_3);
    c.tranche = 0, c.cures = c.cures_in_row = cures;
    group.must(c, 0.75, [](int t) { return t == 6; });
    Sheet sheet(group);
    sheet.loans[0].terms.maturity = cures == 1 ? kNever : 7;
    for (int t = 1; t <= 10; ++t) {
      sheet.close();
      if (t == 6 && cures == 1) sheet.cure(0, 31 + 1, nullptr, 0);  // 2,000 on 0.75 x 2,625
    }
    SCOPED_TRACE(fmt::format("{} cures", cures));
    expect_equal(group, sheet);
  }
}

// ---- Waivers. ----

// A bad month fails the tests of months 5 to 7. 1% of 4,000 is paid in the month after the waiver, is debt
// service of that month, and fails the tests until it has left the window. The trap shuts with the first test
// that is neither passed nor waived and opens after the first that is passed.
TEST(BorrowerWaivers, CostAFeeNextMonthFromTheirFirstDayOn) {
  for (const int first_waiver : {0, 5, 6}) {
    Group group = group_with_a_bad_month();
    Covenant c = covenant_of(0, Metric::dscr, Window::trailing_3);
    c.waivers = 1, c.first_waiver = first_waiver, c.waiver_fee_share = 0.01F, c.cash_trap = 1;
    group.must(with_lenders(group.data, c, {0}), 1.7);
    const bool in_5 = first_waiver <= 5;
    const Sheet sheet = closed(group, [&](int t, Sheet& s) {
      s.books[0].fee_due = t == (in_5 ? 6 : 7) ? 40 : 0;
      s.books[0].trapped = in_5 ? t >= 7 && t <= 9 : t == 6 || (t >= 8 && t <= 10);
    });
    SCOPED_TRACE("from month " + std::to_string(first_waiver));
    const Rolled run = expect_equal(group, sheet);
    EXPECT_EQ(run.column(run.layout.first_breach(0)), 5);
    EXPECT_EQ(run.column(run.layout.first_uncured(0)), in_5 ? 6 : 5);
    EXPECT_EQ(run.column(run.layout.waivers(0)), 1);
    EXPECT_NEAR(run.headroom(0, 6), 1e4 * (190.0 / (in_5 ? 160 : 120) - 1.7), 0.51);
    EXPECT_GE(run.headroom(0, in_5 ? 9 : 10), 0);
  }
}

// The parent pays the fee for waived covenants of the group: 1% of 4,000 and 1,000.
TEST(BorrowerWaivers, OfTheGroupAreTheParents) {
  Group group = group_with_a_bad_month();
  for (std::size_t k = 12; k < 24; ++k) group.data.history[k] = {30, 5, 0, 30, 30};
  group.owes(1, 1'000, 0.06), group.earns(1, 30, 1, 14);
  Covenant c = covenant_of(-1, Metric::dscr, Window::trailing_3);
  c.waivers = 1, c.waiver_fee_share = 0.01F;
  group.must(c, 2.2, [](int t) { return t <= 5; });  // 300 on 135, and 280 in month 5
  const Sheet sheet = closed(group, [](int t, Sheet& s) { s.books[1].fee_due = t == 6 ? 50 : 0; });
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(run.layout.first_breach(0)), 5);
  EXPECT_EQ(run.column(run.layout.first_uncured(0)), kNever);
}

// ---- Springing. ----

// 300 of 1,000 are drawn in month 2, 400 more in month 5; 500 are paid back by a sweep in month 8.
TEST(BorrowerSpringing, TestedOnlyWhileTheTrancheIsDrawnAboveTheShare) {
  for (const double share : {0.0, 0.5, 0.7}) {
    Group group(10);
    Tranche& t = draws(group.owes(0, 0, 0.12), 1'000, 0.5, 100);
    t.cash_sweep = t.sweepable = 1;
    group.borrower().cash_sweep_share = 1.0F, group.borrower().cash = 100;
    group.builds(0, 600, 2, 0), group.builds(0, 800, 5, 0);
    group.earns(0, 3, 1, 5), group.earns(0, 7, 6, 7), group.earns(0, 507, 8, 8);
    Covenant c = covenant_of(0, Metric::liquidity, Window::trailing_3);
    c.tranche = 0, c.springing_share = static_cast<Real>(share);
    group.must(c, 5'000);
    const Sheet sheet = closed(group);
    SCOPED_TRACE("share " + std::to_string(share));
    const Rolled run = expect_equal(group, sheet);
    for (int month = 1; month <= 10; ++month) {
      // Drawn above 0.7 it never is: 697 and 3 of month 3 and 4 are paid back, at most.
      const double cash = sheet.ends[at(month - 1)].cash[0];
      const bool springs = share == 0.0 || (share == 0.5 && month >= 5 && month <= 7);
      EXPECT_EQ(run.headroom(0, month), springs ? cash - 5'000 : 0) << "month " << month;
    }
  }
}

// ---- Consequences. ----

// 70 a month; 50 that were planned in months 6 to 8 are not earned. So three months' revenue is below 90% of
// the plan from month 6 to month 10, and the consequences act in months 7 to 11.
Group group_in_breach(std::int32_t months = 16) {
  Group group(months);
  group.data.parameters.switches = kDecisions | kCancellation;
  for (std::size_t k = 0; k < 12; ++k) group.data.history[k].contracted_revenue = 70;
  Site refused = new_site(1'000, 4, "refused");
  refused.cancel_month = 3.0F, refused.cancel_probability = 1.0F;
  group.data.site.push_back(refused);
  group.earns(0, 70, 1, months);
  Contract unserved = new_contract(2, 1'000, 50 / 730.5, 5, 3, "unserved");
  unserved.fixed_term = 1, unserved.end_month = 8.0F, unserved.entity = 0;
  group.data.contract.push_back(unserved);
  return group;
}
Covenant realization() { return covenant_of(0, Metric::contract_realization, Window::trailing_3); }
constexpr double kOfThePlan = 0.9;
bool acts(int t, int grace = 0) { return t >= 7 + grace && t <= 11; }

// The parent contributes all of the capex of months 7 and 9; the missed draws follow in month 12.
TEST(BreachConsequences, ADrawStopLeavesTheUndrawn) {
  Group group = group_in_breach();
  Tranche& loan = draws(group.owes(0, 100, 0.12), 1'000, 0.7, 100);
  loan.commitment_fee = 0.012F;
  group.builds(0, 300, 4, 0), group.builds(0, 500, 7, 0), group.builds(0, 400, 9, 0);
  Covenant c = realization();
  c.draw_stop = 1;
  group.must(with_lenders(group.data, c, {0}), kOfThePlan);
  const Sheet sheet = closed(group, [](int t, Sheet& s) {
    s.loans[0].stopped = acts(t);
    if (t == 8) {
      EXPECT_EQ(s.books[0].paid_up, -(500 - (70 - 3 - 1)));  // 310 of interest at 12%, 790 undrawn at 1.2%
    }
    if (t == 13) {
      EXPECT_EQ(s.loans[0].balance, 310 + 350 + 280);
    }
  });
  expect_equal(group, sheet);
}

TEST(BreachConsequences, AMarginStepIsPaidFromTheNextMonthOn) {
  for (const int grace : {0, 2}) {
    Group group = group_in_breach();
    group.owes(0, 2'000, 0.06), group.owes(0, 1'200, 0.06);
    Covenant c = realization();
    c.margin_step = 0.03F, c.grace_months = grace;
    group.must(with_lenders(group.data, c, {1}), kOfThePlan);
    const Sheet sheet = closed(group, [&](int t, Sheet& s) { s.loans[1].margin = acts(t, grace) ? 0.03 : 0; });
    SCOPED_TRACE("grace " + std::to_string(grace));
    expect_equal(group, sheet);
  }
}

// The first loan's lenders agreed on a regular sweep, the third's on a sweep in a breach.
TEST(BreachConsequences, ASweepTakesAllAboveTheMinimum) {
  Group group = group_in_breach();
  group.owes(0, 400, 0.06), group.owes(0, 300, 0.06), group.owes(0, 150, 0.06);
  group.data.tranche[0].cash_sweep = group.data.tranche[0].sweepable = 1;
  group.borrower().cash_sweep_share = 0.5F;
  Covenant c = realization();
  c.cash_sweep = 1;
  group.must(with_lenders(group.data, c, {2}), kOfThePlan);
  const Sheet sheet =
      closed(group, [](int t, Sheet& s) { s.loans[2].swept = s.books[0].sweeps_all = acts(t); });
  ASSERT_EQ(sheet.loans[1].balance, 300);
  ASSERT_LT(sheet.loans[2].balance, 150);
  expect_equal(group, sheet);
}

// Called after two months of grace and one more. The breach ends in month 11, the call does not.
TEST(BreachConsequences, AccelerationWithRecourseIsPaidByTheParentAtOnce) {
  Group group = group_in_breach();
  group.borrower().guaranteed = 1;
  draws(group.owes(0, 2'000, 0.06), 500, 0.5, 100), group.owes(0, 300, 0.06);
  group.builds(0, 100, 8, 0), group.builds(0, 100, 12, 0);
  Covenant c = realization();
  c.grace_months = 2, c.acceleration_months = 1;
  group.must(with_lenders(group.data, c, {0}), kOfThePlan);
  const Sheet sheet = closed(group, [](int t, Sheet& s) {
    s.loans[0].called = t >= 10;
    if (t == 11) {
      EXPECT_LT(s.books[0].paid_up, -1'800);
    }
  });
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(run.layout.accelerated(0)), 9);
  EXPECT_EQ(run.column(run.layout.payment_default(0)), kNever);
}
TEST(BreachConsequences, AccelerationWithRecourseCanBeTheParentsDefault) {
  Group group = group_in_breach();
  group.borrower().guaranteed = 1;
  group.parent().cash = 600;
  group.owes(0, 2'000, 0.06);
  Covenant c = realization();
  c.acceleration_months = 0;
  group.must(with_lenders(group.data, c, {0}), kOfThePlan);
  const Sheet sheet = closed(group, [](int t, Sheet& s) { s.loans[0].called = t >= 7; });
  ASSERT_EQ(sheet.books[1].default_month, 7);
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(run.layout.accelerated(0)), 6);
}
TEST(BreachConsequences, AccelerationWithoutRecourseTakesTheBorrowersCash) {
  Group group = group_in_breach();
  draws(group.owes(0, 700, 0.06), 500, 0.5, 100), group.owes(0, 300, 0.06);
  group.borrower().reserve = 12, group.borrower().reserve_months = 2.0F;
  Covenant c = realization();
  c.grace_months = 1, c.acceleration_months = 2;
  group.must(with_lenders(group.data, c, {0}), kOfThePlan);
  const Sheet sheet = closed(group, [](int t, Sheet& s) {
    s.loans[0].called = t >= 10;
    if (t >= 11) {
      EXPECT_EQ(s.books[0].paid_up, 0);
    }
  });
  ASSERT_EQ(sheet.books[0].default_month, 10);
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(run.layout.accelerated(0)), 9);
  EXPECT_EQ(run.column(kLiquidityDefaultMonth), kNever);
}
// The loan is called in month 7; the guarantee ended with month 6.
TEST(BreachConsequences, AccelerationAfterTheGuaranteeIsWithoutRecourse) {
  Group group = group_in_breach();
  group.borrower().guaranteed = 1, group.borrower().guarantee_end = 6;
  group.owes(0, 700, 0.06);
  Covenant c = realization();
  c.acceleration_months = 0;
  group.must(with_lenders(group.data, c, {0}), kOfThePlan);
  const Sheet sheet = closed(group, [](int t, Sheet& s) { s.loans[0].called = t >= 7; });
  ASSERT_EQ(sheet.books[0].default_month, 7);
  expect_equal(group, sheet);
}
// It is paid in full from the borrower's own cash; from then on the borrower distributes again.
TEST(BreachConsequences, AccelerationThatTheBorrowerCanPayIsNoDefault) {
  Group group = group_in_breach();
  group.borrower().lock_up_dscr = 50.0F;  // keeps its cash while there is debt
  group.owes(0, 600, 0.06);
  Covenant c = realization();
  c.acceleration_months = 0;
  group.must(with_lenders(group.data, c, {0}), kOfThePlan);
  const Sheet sheet = closed(group, [](int t, Sheet& s) { s.loans[0].called = t >= 7; });
  ASSERT_EQ(sheet.books[0].default_month, kNever);
  ASSERT_EQ(sheet.debt_of(0), 0);
  expect_equal(group, sheet);
}
// A loan is called while another takes a sweep too. In either order, it is repaid or the borrower is in
// default.
TEST(BreachConsequences, WhatASweepPaidOnAnotherLoanDoesNotPayTheOneThatIsCalled) {
  Group group = group_in_breach();
  group.borrower().lock_up_dscr = 1'000.0F;
  group.borrower().cash_sweep_share = 0.0001F;
  group.owes(0, 5'000, 0.006), group.owes(0, 300, 0.06);
  group.data.tranche[0].cash_sweep = group.data.tranche[0].sweepable = 1;
  Covenant c = realization();
  c.acceleration_months = 0;
  group.must(with_lenders(group.data, c, {1}), kOfThePlan);
  group.must(covenant_of(0, Metric::backlog_coverage, Window::trailing_3), 1.0).tranche = 1;
  const Rolled run = run_of(group);
  ASSERT_EQ(run.column(run.layout.accelerated(0)), 6);
  const bool repaid = run.headroom(1, 7) == 9'990'000;  // nothing left to cover: the ratio is 1,000
  EXPECT_EQ(run.column(run.layout.payment_default(0)), repaid ? kNever : 7);
}
// Called in the month in which it is due anyway, and paid.
TEST(BreachConsequences, ACallInTheMonthOfMaturityIsNoDefaultWhereItIsRepaid) {
  Group group = group_in_breach();
  group.borrower().lock_up_dscr = 1'000.0F;
  group.owes(0, 300, 0.06).maturity = 7;
  Covenant c = realization();
  c.acceleration_months = 0;
  group.must(with_lenders(group.data, c, {0}), kOfThePlan);
  const Sheet sheet = closed(group, [](int t, Sheet& s) {
    s.loans[0].called = false;  // as its maturity repays it
    s.books[0].trapped = t == 7;
  });
  ASSERT_EQ(sheet.debt_of(0), 0);
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(run.layout.accelerated(0)), 6);
}

TEST(BreachConsequences, ABreachThatEndsInTimeAcceleratesNothing) {
  for (const int months : {4, 5}) {
    Group group = group_in_breach();
    group.owes(0, 700, 0.06);
    Covenant c = realization();
    c.acceleration_months = months, c.cash_trap = 1;
    group.must(with_lenders(group.data, c, {0}), kOfThePlan);
    // Five tests are failed; four months after the first, with the last of them, it is called.
    const Sheet sheet = closed(group, [&](int t, Sheet& s) {
      s.books[0].trapped = acts(t);
      s.loans[0].called = months == 4 && t >= 11;
    });
    SCOPED_TRACE("after " + std::to_string(months) + " months");
    const Rolled run = expect_equal(group, sheet);
    EXPECT_EQ(run.column(run.layout.accelerated(0)), months == 4 ? 10 : kNever);
  }
}
// Tested by quarter: a breach stands until the next test, and the months between count.
TEST(BreachConsequences, MonthsWithoutATestCount) {
  Group group = group_in_breach();
  group.owes(0, 700, 0.06), group.owes(0, 300, 0.06);
  Covenant c = realization();
  c.acceleration_months = 4, c.cash_trap = 1;
  const auto quarter = [](int t) { return t % 3 == 0; };
  group.must(with_lenders(group.data, c, {0}), kOfThePlan, quarter);
  c.acceleration_months = kNever, c.margin_step = 0.03F, c.cash_trap = 0;
  group.must(with_lenders(group.data, c, {1}), kOfThePlan, quarter);
  const Sheet sheet = closed(group, [](int t, Sheet& s) {
    s.books[0].trapped = t >= 7 && t <= 12;
    s.loans[0].called = t >= 11;
    s.loans[1].margin = t >= 7 && t <= 12 ? 0.03 : 0;
  });
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(run.layout.accelerated(0)), 10);
}
TEST(BreachConsequences, OffTheyAreRecordedOnly) {
  Group group = group_in_breach();
  group.data.parameters.switches &= ~static_cast<std::uint32_t>(kConsequences);
  group.owes(0, 700, 0.06);
  Covenant c = realization();
  c.acceleration_months = 0, c.cash_trap = c.draw_stop = c.cash_sweep = 1, c.margin_step = 0.03F;
  group.must(with_lenders(group.data, c, {0}), kOfThePlan);
  const Rolled run = expect_equal(group, closed(group));
  EXPECT_EQ(run.column(run.layout.first_uncured(0)), 6);
  EXPECT_EQ(run.column(run.layout.accelerated(0)), kNever);
}

// The group's: the parent's revolver, 250 drawn when the parent's liquidity falls below 1,000 in month 3.
Group group_with_a_revolver() {
  Group group(8);
  group.borrower().cash = 100;
  group.parent().cash = 600, group.parent().sga_fixed_month = 150.0F;
  group.parent().revolver = 0;
  Tranche& revolver = group.owes(1, 0, 0.0, TrancheKind::revolver);
  revolver.commitment = 800;
  return group;
}
TEST(BreachConsequences, ADrawStopIsOneForTheRevolverToo) {
  Group group = group_with_a_revolver();
  Covenant c = covenant_of(-1, Metric::liquidity, Window::trailing_3);
  c.draw_stop = 1;
  group.must(with_lenders(group.data, c, {0}), 1'000);
  // 600 - 150 + 50 and 750 undrawn; 150 more in month 2, liquidity is 1,100; in month 3 it is 950.
  const Rolled run = run_of(group);
  const double cash[] = {500, 500, 500, 350, 200, 50, 0, 0};
  const double debt[] = {50, 200, 350, 350, 350, 350, 350, 350};
  for (std::size_t t = 1; t <= 8; ++t) {
    EXPECT_EQ(run.measure(kDebt, t), debt[t - 1]) << "month " << t;
    EXPECT_EQ(run.measure(kCash, t), 100 + cash[t - 1]) << "month " << t;
  }
  EXPECT_EQ(run.column(kLiquidityDefaultMonth), 7);
}
// A sweep by all lenders, including the revolver's bank. The part that the revolver's own rule repays is not
// swept a second time.
TEST(BreachConsequences, ASweepAndTheRevolverPayOnce) {
  Group group = group_with_a_revolver();
  group.owes(1, 1'000, 0.0);
  group.earns(1, 2'000, 4, 4), group.earns(1, 150, 5, 8);
  Covenant c = covenant_of(-1, Metric::liquidity, Window::trailing_3);
  c.cash_sweep = 1;
  group.must(with_lenders(group.data, c, {0, 1}), 1'000);
  // Liquidity is 950 in month 3, so month 4 sweeps: 350 - 150 + 2,000 pay the revolver's 350 and the notes'
  // 1,000.
  const Rolled run = run_of(group);
  const double debt[] = {1'050, 1'200, 1'350, 0, 0, 0, 0, 0};
  const double cash[] = {500, 500, 500, 1'000, 1'000, 1'000, 1'000, 1'000};
  for (std::size_t t = 1; t <= 8; ++t) {
    EXPECT_EQ(run.measure(kDebt, t), debt[t - 1]) << "month " << t;
    EXPECT_EQ(run.measure(kCash, t), 100 + cash[t - 1]) << "month " << t;
  }
  EXPECT_EQ(run.column(kViolations), 0);
}

// ---- Cross-default. ----

// The first borrower cannot pay in month 5; in month 6 the lenders of the second borrower and of the parent
// call their loans.
TEST(CrossDefault, FollowsAPaymentDefaultAMonthLater) {
  Group group(10, 2);
  group.borrower().cash = 150, group.borrower().min_cash = 60;
  group.owes(0, 4'000, 0.12), group.owes(1, 600, 0.06), group.owes(2, 800, 0.06), group.owes(2, 900, 0.06);
  group.earns(0, 50, 1, 3), group.earns(1, 60, 1, 10);
  follow(group, 1, {0}), follow(group, 2, {3, 0});
  const Sheet sheet = closed(group, [](int t, Sheet& s) { s.loans[1].called = s.loans[2].called = t >= 6; });
  ASSERT_EQ(sheet.books[0].default_month, 5);
  ASSERT_EQ(sheet.books[1].default_month, 6);
  ASSERT_EQ(sheet.ends[5].value[kDebt], sheet.ends[4].value[kDebt] - 800 - 57);
  expect_equal(group, sheet);
}

// The other way round: in month 4 the parent lacks 32 for its notes, and in month 5 the borrower's loan is
// called.
TEST(CrossDefault, FollowsTheParentsLiquidityDefault) {
  Group group(8);
  group.parent().cash = 240, group.parent().min_cash = 0, group.borrower().cash = 100;
  group.owes(0, 500, 0.06), group.owes(1, 1'000, 0.06).maturity = 4;
  group.earns(0, 40, 1, 8), group.earns(1, 150, 1, 4);
  follow(group, 0, {1});
  const Sheet sheet = closed(group, [](int t, Sheet& s) { s.loans[0].called = t >= 5; });
  ASSERT_EQ(sheet.books[1].default_month, 4);
  ASSERT_EQ(sheet.books[0].default_month, 5);
  expect_equal(group, sheet);
}

// A covenant accelerates loan `first` at the end of month 7, so it is paid in month 8. Loans with a
// cross-default to it follow at that month end, and loans with a cross-default to those a month later, in any
// order of the config.
TEST(CrossDefault, FollowsAnAccelerationStepByStepInAnyOrder) {
  const std::vector<std::int32_t> orders[] = {{0, 1, 2}, {1, 0, 2}, {2, 1, 0}, {0, 2, 1}};
  for (const std::vector<std::int32_t>& order : orders) {
    const std::int32_t first = order[0], second = order[1], third = order[2];
    Group group = group_in_breach();
    group.borrower().guaranteed = 1;
    group.data.tranche.resize(3);
    const auto owes = [&](std::int32_t d, std::int32_t entity, Money balance) {
      Tranche t = tranche_of(TrancheKind::notes, balance);
      t.entity = entity, t.fixed_rate = 0.06F;
      group.data.tranche[at(d)] = t;
    };
    owes(first, 0, 400), owes(second, 1, 600), owes(third, 1, 1'000);
    follow(group, second, {first}), follow(group, third, {second});
    Covenant c = realization();
    c.acceleration_months = 1;
    group.must(with_lenders(group.data, c, {first}), kOfThePlan);
    const Sheet sheet = closed(group, [&](int t, Sheet& s) {
      s.loans[at(first)].called = s.loans[at(second)].called = t >= 8;
      s.loans[at(third)].called = t >= 9;
    });
    SCOPED_TRACE(fmt::format("loans {}, {} and {}", first, second, third));
    const Rolled run = expect_equal(group, sheet);
    EXPECT_EQ(run.column(run.layout.accelerated(0)), 7);
  }
}

}  // namespace
}  // namespace headroom
