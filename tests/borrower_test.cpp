// SPDX-License-Identifier: Apache-2.0
// Ring-fenced borrowers: the waterfall, and every metric of one and of the group, against the sheet of
// group_sheet.hpp.
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

// ---- The waterfall. ----

TEST(BorrowerCash, AboveTheMinimumGoesToTheParent) {
  Group group(12, 2);
  group.earns(0, 200, 1, 12), group.earns(1, 90, 3, 8), group.earns(2, 30, 1, 12);
  group.borrower().sga_fixed_month = 50.0F;
  group.parent().sga_fixed_month = 40.0F, group.parent().sga_share_of_revenue = 0.05F;
  group.parent().tax_rate = 0.25F;
  group.owes(0, 2'000, 0.06), group.owes(1, 500, 0.12), group.owes(2, 1'000, 0.12);
  set_short_rate(group.data, 0.048);
  group.parent().cash_yield_share = 0.5F;
  const Sheet sheet = closed(group);
  // Month 1: 300 + 200 - 50 - 10 - 100 goes up; 195 of the other's 295, which has nothing but interest to pay.
  // The parent then has 5,000 + 340 + 195 + 30 - 52 (40 and 5% of 230) - 10 + 10 (0.2% of 5,000), and pays 25%
  // tax of 150 - 22 - 10 - 5 - 10 + 10.
  ASSERT_EQ(sheet.ends[0].cash, (std::vector<double>{100, 100, 5'000 + 340 + 195 + 30 - 52 - 28}));
  expect_equal(group, sheet);
}

TEST(BorrowerCash, ReserveIsToppedUpBeforeADistributionDrawnInALackAndReleased) {
  Group group(20);
  group.borrower().reserve_months = 3.0F, group.borrower().cash = 100;
  amortises(group.owes(0, 1'680, 0.06), 1, 14);
  group.earns(0, 200, 1, 6), group.earns(0, 20, 7, 9), group.earns(0, 260, 10, 20);
  const Sheet sheet = closed(group, [](int t, Sheet& s) {
    if (t == 4) {
      EXPECT_EQ(s.books[0].paid_up, 0) << "the reserve is not full yet";
    }
    if (t == 7) {
      EXPECT_GT(s.books[0].paid_up, 0);
      EXPECT_GT(s.books[0].reserve, 350);
    }
    if (t == 10) {
      EXPECT_LT(s.books[0].reserve, 200) << "it was drawn";
    }
    if (t == 15) {
      EXPECT_GT(s.books[0].reserve, 360);
    }
  });
  EXPECT_EQ(sheet.books[0].reserve, 0) << "no debt is left to serve";
  expect_equal(group, sheet);
}

// Nothing is earned in months 4 to 6 and 40 a month is due.
Group group_with_a_lack() {
  Group group(12);
  group.borrower().cash = 150, group.borrower().min_cash = 60;
  group.owes(0, 4'000, 0.12);
  group.earns(0, 50, 1, 3), group.earns(0, 100, 7, 12);
  group.parent().sga_fixed_month = 15.0F;
  return group;
}
TEST(BorrowerCash, TheParentMakesGoodWhatItGuarantees) {
  Group group = group_with_a_lack();
  group.borrower().guaranteed = 1;
  const Sheet sheet = closed(group);
  // 60 is left at month 3; 20 in month 4; the parent pays 20 and 40.
  ASSERT_EQ(sheet.ends[4].value[kLiquidity], sheet.ends[3].value[kLiquidity] - 15 - 20);
  ASSERT_EQ(sheet.ends[5].value[kLiquidity], sheet.ends[4].value[kLiquidity] - 15 - 40);
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(kLiquidityDefaultMonth), kNever);
}
TEST(BorrowerCash, AGuaranteeEnds) {
  Group group = group_with_a_lack();
  group.borrower().guaranteed = 1, group.borrower().guarantee_end = 5;
  const Sheet sheet = closed(group);
  ASSERT_EQ(sheet.ends[4].value[kLiquidity], sheet.ends[3].value[kLiquidity] - 15 - 20);
  ASSERT_EQ(sheet.books[0].default_month, 6);
  expect_equal(group, sheet);
}
TEST(BorrowerCash, AParentThatCannotMakeGoodIsInDefaultItself) {
  Group group = group_with_a_lack();
  group.borrower().guaranteed = 1;
  group.parent().cash = 20, group.parent().min_cash = 0;
  const Sheet sheet = closed(group);
  // 20 + 100 - 15 in month 1, then 100, 95, 80, 45; in month 6 it lacks 10 of 40 + 15, in month 7 15 more.
  ASSERT_EQ(sheet.books[1].default_month, 6);
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(kPeakFundingGap), 25);
}
TEST(BorrowerCash, WithoutAGuaranteeALackIsThePaymentDefaultOfTheBorrowerAlone) {
  Group group = group_with_a_lack();
  const Sheet sheet = closed(group);
  // Lacks 20 in month 5 and 40 in month 6, earns 60 a month again from month 7 on: first 60 of cash, then the
  // gap.
  ASSERT_EQ(sheet.books[0].default_month, 5);
  ASSERT_EQ(sheet.books[0].gap, 0);
  for (std::size_t i = 4; i < 8; ++i)
    ASSERT_EQ(sheet.ends[i].value[kLiquidity], sheet.ends[i - 1].value[kLiquidity] - 15) << "month " << i + 1;
  ASSERT_EQ(sheet.ends[8].value[kLiquidity], sheet.ends[7].value[kLiquidity] - 15 + 60);
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(kLiquidityDefaultMonth), kNever);
  EXPECT_EQ(run.column(kPeakFundingGap), 0) << "the parent's gap";
}

// A guarantee is worth what the guarantor has. The parent has 30 and earns 15 less than it spends each month;
// the borrower lacks 20 in month 5 and 40 in month 6.
TEST(BorrowerCash, AGuarantorPaysWhatItHas) {
  Group group = group_with_a_lack();
  group.borrower().guaranteed = 1;
  group.parent().cash = 10, group.parent().min_cash = 0;
  group.parent().sga_fixed_month = 20.0F;
  const Sheet sheet = closed(group);
  // 10 + 100 - 20 in month 1, then 80, 70, 50; 10 after month 5, which is all that month 6 gets of 40.
  ASSERT_EQ(sheet.books[0].default_month, 6);
  ASSERT_EQ(sheet.books[1].default_month, 6);
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(run.layout.payment_default(0)), 6);
}

// The reserve, then the guarantee.
TEST(BorrowerCash, TheReserveComesBeforeTheGuarantee) {
  Group group = group_with_a_lack();
  group.borrower().guaranteed = 1;
  group.borrower().reserve = 45, group.borrower().reserve_months = 45.0F / 40.0F;
  const Sheet sheet = closed(group);
  ASSERT_EQ(sheet.ends[4].value[kLiquidity], sheet.ends[3].value[kLiquidity] - 15);  // 20 of the reserve
  ASSERT_EQ(sheet.ends[5].value[kLiquidity], sheet.ends[4].value[kLiquidity] - 15 - 15);
  expect_equal(group, sheet);
}

// 120 of cash last three months, 100 in the account two and a half.
TEST(BorrowerCash, TheParentHasAReserveToo) {
  Group group(8);
  group.parent().cash = 120, group.parent().min_cash = 0;
  group.parent().reserve = 100, group.parent().reserve_months = 2.5F;
  group.borrower().cash = 100;
  group.owes(1, 4'000, 0.12);
  const Sheet sheet = closed(group);
  ASSERT_EQ(sheet.books[1].default_month, 6);
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(kPeakFundingGap), 20 + 40 + 40);
}

// Month 3: 1,000 of capex, 700 drawn, 90 of its own to spare. Month 6: 800, of which the loan has 300 left; the
// month's operations lack 50, which are not the parent's.
TEST(BorrowerCash, TheParentPaysInCapexLessDrawsLessSpareCash) {
  Group group(9);
  draws(group.owes(0, 0, 0.12), 1'000, 0.7, 8);
  group.borrower().sga_fixed_month = 10.0F;
  group.earns(0, 100, 1, 3);
  group.builds(0, 1'000, 3, 0), group.builds(0, 800, 6, 0);
  const Sheet sheet = closed(group, [](int t, Sheet& s) {
    if (t == 4) {
      EXPECT_EQ(s.books[0].paid_up, -(1'000 - 700 - 90));
    }
    if (t == 7) {
      EXPECT_EQ(s.books[0].paid_up, -500);
    }
  });
  ASSERT_LT(sheet.ends[5].cash[0], 100) << "the parent paid more than capex";
  ASSERT_GT(sheet.ends[5].cash[0], 0);
  expect_equal(group, sheet);
}
TEST(BorrowerCash, CapexThatIsNotContributedIsTheBorrowersOwn) {
  Group group(9);
  group.borrower().capex_contributed = 0, group.borrower().lock_up_dscr = 500.0F;  // keeps its cash
  draws(group.owes(0, 120, 0.1), 1'000, 0.7, 8);
  group.earns(0, 100, 1, 9);
  group.builds(0, 1'000, 3, 0), group.builds(0, 900, 6, 0);
  const Sheet sheet = closed(group);
  ASSERT_EQ(sheet.books[0].default_month, 6);
  expect_equal(group, sheet);
}

// The cash flow of three months must be 1.5 times their debt service of 120; a month with only 20 makes it
// fail.
TEST(BorrowerCash, ALockUpKeepsTheCashAndLetsItGoAfter) {
  Group group(14);
  group.borrower().lock_up_dscr = 1.5F;
  for (std::size_t k = 0; k < 12; ++k) group.data.history[k] = {70, 40, 0, 70, 70};
  group.owes(0, 4'000, 0.12);
  group.earns(0, 70, 1, 4), group.earns(0, 20, 5, 5), group.earns(0, 70, 6, 14);
  const Sheet sheet = closed(group, [](int t, Sheet& s) {
    const int last = t - 1;  // closed
    if (last >= 1) {
      EXPECT_EQ(s.books[0].paid_up > 0, last < 5 || last > 7) << "month " << last;
    }
  });
  // From month 5 to 7: 100 - 20 + 30 + 30; all of it and 30 more in month 8.
  ASSERT_EQ(sheet.ends[6].cash[0], 140);
  ASSERT_EQ(sheet.ends[7].value[kLiquidity], sheet.ends[6].value[kLiquidity] + 70);
  expect_equal(group, sheet);
}
// Before as_of more interest was received than paid. Debt service of three months is -160 in month 1 and 0 in
// month 2: DSCR passes, however negative the cash flow is. It is 120 from month 3 on, and must be covered 1.5
// times.
TEST(BorrowerCash, ALockUpIsOpenWhileDebtServiceIsZeroOrNegative) {
  Group group(6);
  group.borrower().lock_up_dscr = 1.5F;
  group.data.history[10] = {-300, -120, 0, -300, 0};
  group.data.history[11] = {-300, -80, 0, -300, 0};
  group.owes(0, 4'000, 0.12);
  group.earns(0, 70, 1, 2), group.earns(0, 20, 3, 3), group.earns(0, 70, 4, 6);
  const Sheet sheet = closed(group);
  const double distributed[] = {300 + 70 - 40 - 100, 70 - 40, 0, 0, 0, 100 - 20 + 30 + 30 + 30 - 100};
  double liquidity = 5'000;
  for (std::size_t i = 0; i < 6; ++i) {
    liquidity += distributed[i];
    ASSERT_EQ(sheet.ends[i].value[kLiquidity], liquidity) << "month " << i + 1;
  }
  expect_equal(group, sheet);
}
// The trap acts from the month after the breach to the month of the first test that passes.
TEST(BorrowerCash, ATrapKeepsTheCashAndLetsItGoAfter) {
  Group group(14);
  for (std::size_t k = 0; k < 12; ++k) group.data.history[k] = {70, 40, 0, 70, 70};
  group.owes(0, 4'000, 0.12);
  group.earns(0, 70, 1, 4), group.earns(0, 50, 5, 5), group.earns(0, 70, 6, 14);
  Covenant c = covenant_of(0, Metric::dscr, Window::trailing_3);
  c.cash_trap = 1;
  group.must(with_lenders(group.data, c, {0}), 1.7);
  const Sheet sheet = closed(group, [](int t, Sheet& s) { s.books[0].trapped = t >= 6 && t <= 8; });
  ASSERT_EQ(sheet.ends[7].cash[0], 190);
  const Rolled run = expect_equal(group, sheet);
  EXPECT_EQ(run.column(run.layout.first_uncured(0)), 5);
}

// 60% of the excess goes to the first and the third loan, at most their balances.
TEST(BorrowerCash, ASweepPaysLoansInTheirOrder) {
  for (const double share : {0.6, 1.0}) {
    Group group(12);
    group.borrower().cash_sweep_share = static_cast<Real>(share);
    group.owes(0, 251, 0.06), group.owes(0, 400, 0.06), group.owes(0, 123, 0.12);
    group.owes(1, 100, 0.06);
    for (const std::size_t d : {0U, 2U, 3U})
      group.data.tranche[d].cash_sweep = group.data.tranche[d].sweepable = 1;
    group.parent().cash_sweep_share = 0.01F;
    group.earns(0, 77, 1, 12), group.earns(1, 20, 1, 12);
    const Sheet sheet = closed(group);
    ASSERT_EQ(sheet.debt_of(0), 400);
    ASSERT_EQ(sheet.ends[0].value[kDebt],
              251 + 400 + 123 + 100 - rounded(share * (300 + 77 - 4 - 100)) -
                  rounded(0.01 * (5'000 + 20 - 1 - 500 + 273 - rounded(share * 273))))
        << "273 to spare in month 1";
    SCOPED_TRACE("share " + std::to_string(share));
    expect_equal(group, sheet);
  }
}

// ---- Metrics. ----

// All metrics of the borrower and of the group, over months in which a contract ends, one is never served (its
// site is refused in month 3) and the GPUs that secure the loan lose value.
TEST(BorrowerMetrics, AllOfABorrowerAndOfTheGroup) {
  Group group(18);
  group.data.parameters.switches = kDecisions | kCancellation;
  for (std::size_t k = 0; k < 12; ++k) {
    group.data.history[k] = {60, 10, 5, 55, 70};
    group.data.history[12 + k] = {30, 4, 1, 29, 20};
  }
  group.data.history[9] = {95, 12, 5, 90, 99};
  group.data.history[21].ebitda = 55;
  group.borrower().sga_fixed_month = 21.0F, group.parent().sga_fixed_month = 13.0F;
  for (int t = 1; t <= 18; ++t) group.data.ageing[at(t - 1)] = static_cast<Real>(0.03 * t);
  group.earns(0, 80, 1, 8), group.earns(0, 41, 1, 40), group.earns(0, 33, 10, 30);
  group.earns(1, 24, 1, 12), group.earns(1, 9, 1, 50);
  amortises(group.owes(0, 2'000, 0.06), 4, 40);
  group.owes(0, 300, 0.09), group.owes(1, 800, 0.09);

  Site secured = new_site(50, 2, "secured");
  secured.tranche = 0;
  secured.capex = secured.capex_paid = 3'000;
  secured.gpu_value_share = 0.8F, secured.residual_share = 0.4F, secured.life_months = 48.0F;
  Site refused = new_site(1'000, 4, "refused");
  refused.cancel_month = 3.0F, refused.cancel_probability = 1.0F;
  group.data.site.insert(group.data.site.end(), {secured, refused});
  Contract unserved = new_contract(3, 1'000, 50 / 730.5, 5, 34, "unserved");
  unserved.entity = 0;
  group.data.contract.push_back(unserved);

  const Metric metrics[] = {Metric::dscr,         Metric::contract_realization, Metric::leverage,
                            Metric::net_leverage, Metric::interest_coverage,    Metric::liquidity,
                            Metric::ltv,          Metric::backlog_coverage};
  for (const Metric metric : metrics) {
    for (const std::int32_t entity : {0, -1}) {
      for (const Window window : {Window::trailing_3, Window::trailing_12, Window::annualised_quarter})
        group.must(covenant_of(entity, metric, window), metric == Metric::liquidity ? 300 : 1.1);
    }
  }
  for (const Metric metric : {Metric::ltv, Metric::backlog_coverage}) {
    group.must(covenant_of(0, metric, Window::trailing_3), 1.1).tranche = 0;
  }

  std::vector<std::vector<double>> expected;  // by month, by covenant: before rounding
  const auto measured = [&](const Sheet& s, const Covenant& c, int t) {
    const int n = c.window == Window::trailing_12 ? 12 : 3;
    const double to_annual = 12.0 / n;
    const Books& own = s.books[0];
    const Row sums =
        c.entity < 0 ? s.group_last(n)
                     : Row{own.last(n, &Row::ebitda), own.last(n, &Row::interest), own.last(n, &Row::principal),
                           own.last(n, &Row::cfads), own.last(n, &Row::contracted)};
    double debt = s.debt_of(0), cash = own.cash, backlog = 0, plan = sums.contracted;
    if (c.entity < 0) debt += s.debt_of(1), cash += s.books[1].cash;
    if (c.tranche == 0) debt = s.loans[0].balance;
    for (const Receipt& r : group.receipts) {
      const int left = r.from > t ? r.to - r.from + 1 : std::max(0, r.to - t);
      if (r.entity == 0 || c.entity < 0) backlog += rounded(r.monthly * left);
    }
    if (t < 3) backlog += 50 * 34;
    for (int k = t - n + 1; k <= t; ++k) plan += k >= 6 ? 50 : 0;
    // 80% of 3,000, bought in month 2 at that month's price.
    const double worth = std::max(0.4, std::exp(-0.03 * (t - 2)));
    const double collateral = t < 3 ? 0 : rounded(0.8 * 3'000 * worth * (1 - (t - 2) / 48.0));
    switch (c.metric) {
      case Metric::dscr:
        return capped(sums.cfads, sums.interest + sums.principal);
      case Metric::contract_realization:
        return capped(sums.contracted, plan);
      case Metric::leverage:
        return capped(debt, to_annual * sums.ebitda);
      case Metric::net_leverage:
        return capped(debt - cash, to_annual * sums.ebitda);
      case Metric::interest_coverage:
        return capped(sums.ebitda, sums.interest);
      case Metric::liquidity:  // of the group: what the parent has at hand
        return c.entity < 0 ? s.books[1].cash : cash;
      case Metric::ltv:
        return capped(debt, collateral);
      case Metric::backlog_coverage:
        return capped(backlog, debt);
    }
    return 0.0;
  };
  Sheet sheet(group);
  for (int t = 1; t <= 18; ++t) {
    sheet.close();
    expected.emplace_back();
    for (const Covenant& c : group.data.covenant) expected.back().push_back(measured(sheet, c, t));
  }
  const Rolled run = expect_equal(group, sheet);
  for (std::size_t v = 0; v < group.data.covenant.size(); ++v) {
    const Covenant& c = group.data.covenant[v];
    const bool money = c.metric == Metric::liquidity;
    SCOPED_TRACE("metric " + std::to_string(static_cast<int>(c.metric)) + " of entity " +
                 std::to_string(c.entity) + ", window " + std::to_string(static_cast<int>(c.window)));
    int first = kNever;
    for (int t = 1; t <= 18; ++t) {
      const double room = (expected[at(t - 1)][v] - (money ? 300 : 1.1)) * (c.maximum != 0 ? -1 : 1);
      // The nearest unit, as far as single precision resolves a ratio.
      EXPECT_NEAR(run.headroom(v, t), room * (money ? 1 : 1e4), 0.51) << "month " << t;
      if (room < 0) first = std::min(first, t);
    }
    EXPECT_EQ(run.column(run.layout.first_breach(static_cast<std::int32_t>(v))), first);
  }
}

}  // namespace
}  // namespace headroom
