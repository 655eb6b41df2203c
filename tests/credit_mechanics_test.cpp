// SPDX-License-Identifier: Apache-2.0
// What lenders, contractors and management do while sites are built and funding is short, against expected
// values month by month. Money in thousands of USD.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "headroom/model/site.hpp"
#include "host/config/derive.hpp"
#include "host/cpu/trace.hpp"
#include "host/engine/engine.hpp"
#include "host/plan/make_plan.hpp"
#include "small_company.hpp"
#include "tests/analyse.hpp"

namespace headroom {
namespace {

// A measure of all months on path 0, with the plan made; entry t is month t.
std::vector<double> months_of(ScenarioData data, Measure measure) {
  make_plan(data);
  const std::vector<std::int32_t> trace = trace_path(data.view(), 1, 0);
  const auto months = static_cast<std::size_t>(data.parameters.months);
  std::vector<double> values{0.0};
  for (std::size_t t = 0; t < months; ++t)
    values.push_back(trace[static_cast<std::size_t>(measure) * months + t]);
  return values;
}

ScenarioData rich_company(std::int32_t months) {
  ScenarioData data = still_company(months);
  data.entity[0].cash = 1'000'000;
  return data;
}

// ---- A freeze of AI funding. ----

ScenarioData freezing_company(std::int32_t months, Real ends) {
  ScenarioData data = rich_company(months);
  data.parameters.switches = kDecisions | kFundingFreeze;
  data.parameters.freeze = {.possible = 1,
                            .begins = {1.0F, 1.0F, 1.0F},
                            .ends = ends,
                            .training_month = -0.01F,
                            .inference_month = -0.02F,
                            .spread_factor = 1.5F,
                            .stream = derive::stream_id("market/freeze")};
  Site site = new_site(100, 30);
  site.order_month = 2.0F;
  site.capex = 10'000, site.order_share = 1.0F, site.tranche = 0;
  data.site = {site};
  Tranche loan = tranche_of(TrancheKind::ddtl, 0);
  loan.commitment = 50'000, loan.advance_rate = 1.0F, loan.needs_window = 1;
  loan.spread = 0.04F;
  loan.draw_start_month = 0.0F, loan.draw_end_month = 20.0F;
  data.tranche = {loan};
  return data;
}

TEST(FundingFreeze, ShutsTheMarketAndTakesDemand) {
  const ScenarioData frozen = freezing_company(12, 0.0F);
  const std::vector<double> debt = months_of(frozen, kDebt), tightness = months_of(frozen, kTightness);
  for (int t = 1; t <= 12; ++t) {
    EXPECT_EQ(debt[static_cast<std::size_t>(t)], 0) << t;
    EXPECT_NEAR(tightness[static_cast<std::size_t>(t)] * 1e-4,
                std::log(0.5 * std::exp(-0.01 * t) + 0.5 * std::exp(-0.02 * t)), 1e-4)
        << t;
  }
  ScenarioData open = frozen;
  open.parameters.switches &= ~static_cast<std::uint32_t>(kFundingFreeze);
  EXPECT_EQ(months_of(open, kDebt)[2], 10'000);
  EXPECT_EQ(months_of(open, kTightness)[12], 0);
}

// It begins in month 1, ends in month 2, begins again in month 3. The market that it shut opens again with the
// draw of a quarter: month 4. The spread of the draw is that of an open market.
TEST(FundingFreeze, EndsAndTheMarketOpensWithTheNextQuarter) {
  ScenarioData data = freezing_company(12, 1.0F);
  data.parameters.switches |= kFundingWindow;
  const std::vector<double> debt = months_of(data, kDebt), interest = months_of(data, kCashInterest);
  EXPECT_EQ(debt[3], 0);
  EXPECT_EQ(debt[4], 10'000);
  EXPECT_EQ(interest[5], std::nearbyint(10'000 * 0.04 / 12));
  // Without a random window the market is open in every month that is not frozen.
  data.parameters.switches &= ~static_cast<std::uint32_t>(kFundingWindow);
  EXPECT_EQ(months_of(data, kDebt)[2], 10'000);
}

double defaulted_by(const ScenarioData& data, std::int32_t customer, std::int32_t month, std::uint64_t paths) {
  const Outcomes outcomes = run_paths(data.view(), {7, 0, paths});
  return static_cast<double>(count_at_most(*outcomes.columns, outcomes.layout.default_month(customer), month)) /
         static_cast<double>(paths);
}

void expect_probability(double share, double p, std::uint64_t paths) {
  EXPECT_NEAR(share, p, 4.5 * std::sqrt(p * (1 - p) / static_cast<double>(paths)) + 1e-9);
}

TEST(FundingFreeze, MultipliesTheDefaultsOfThoseWhoLiveOnFunding) {
  constexpr std::uint64_t kPaths = 40'000;
  ScenarioData data = freezing_company(24, 0.0F);
  data.parameters.freeze.training_month = data.parameters.freeze.inference_month = 0.0F;
  data.parameters.switches |= kDefault;
  data.customer = {customer_of("lab"), customer_of("bank")};
  for (Customer& each : data.customer) each.default_intensity_month = 0.004F;
  data.customer[0].freeze_factor = 3.0F;
  expect_probability(defaulted_by(data, 0, 24, kPaths), 1 - std::exp(-3 * 0.004 * 24), kPaths);
  expect_probability(defaulted_by(data, 1, 24, kPaths), 1 - std::exp(-0.004 * 24), kPaths);
}

// ---- Default rates by year. ----

TEST(RatingTerms, AreThoseOfTheTable) {
  constexpr std::uint64_t kPaths = 60'000;
  const std::vector<double> within = {0.0376, 0.0856, 0.1266, 0.1587, 0.1832};
  ScenarioData data = rich_company(60);
  data.parameters.switches = kDecisions | kDefault;
  data.customer = {customer_of("single-b")};
  data.customer[0].first_intensity = 0;
  const std::vector<double> intensity = derive::default_intensities_month(within);
  for (int t = 0; t < 60; ++t)
    data.default_intensity.push_back(static_cast<Real>(intensity[static_cast<std::size_t>(t / 12)]));
  for (int year = 1; year <= 5; ++year)
    expect_probability(defaulted_by(data, 0, 12 * year, kPaths), within[static_cast<std::size_t>(year - 1)],
                       kPaths);
}

// ---- Loans until completion. ----

// A site that is in full service from month `ready` + 1 on, and the loan that it is financed by.
ScenarioData company_that_waits(double ready) {
  ScenarioData data = rich_company(12);
  Site site = new_site(100, ready);
  site.tranche = 0;
  data.site = {site};
  Tranche loan = tranche_of(TrancheKind::ddtl, 12'000);
  loan.amortisation_start = 3, loan.amortisation_end = 10, loan.maturity = 10;
  loan.latest_amortisation = 8;
  loan.draw_end_month = 2.0F;
  data.tranche = {loan};
  return data;
}

TEST(Completion, PrincipalBeginsWithService) {
  const std::vector<double> on_time = months_of(company_that_waits(1.5), kDebt);
  for (int t = 1; t <= 10; ++t)
    EXPECT_EQ(on_time[static_cast<std::size_t>(t)], 12'000 - 1'500 * std::max(0, t - 2));
  // In full service from 6.0 on: five payments are left.
  const std::vector<double> late = months_of(company_that_waits(5.0), kDebt);
  for (int t = 1; t <= 10; ++t)
    EXPECT_EQ(late[static_cast<std::size_t>(t)], 12'000 - 2'400 * std::max(0, t - 5));
  // Later than the latest date: three are left.
  const std::vector<double> last = months_of(company_that_waits(9.5), kDebt);
  for (int t = 1; t <= 10; ++t)
    EXPECT_EQ(last[static_cast<std::size_t>(t)], 12'000 - 4'000 * std::max(0, t - 7));
}

TEST(Completion, AvailabilityIsExtendedForAFee) {
  const auto company = [](double ready) {
    ScenarioData data = rich_company(12);
    Site site = new_site(100, 8);
    site.order_month = 2.0F;
    site.capex = 10'000, site.order_share = 0.5F, site.tranche = 0;
    site.plan_ready_month = site.plan_delivery_month = static_cast<Real>(ready);
    data.site = {site};
    Tranche loan = tranche_of(TrancheKind::ddtl, 0);
    loan.commitment = 10'000, loan.advance_rate = 1.0F;
    loan.draw_start_month = 0.0F, loan.draw_end_month = 6.0F;
    loan.extended_end_month = 9.0F, loan.extension_fee_share = 0.01F;
    data.tranche = {loan};
    return data;
  };
  const ScenarioData late = company(8.0);
  const std::vector<double> debt = months_of(late, kDebt), fees = months_of(late, kCashInterest);
  EXPECT_EQ(debt[2], 5'000);
  EXPECT_EQ(debt[7], 5'000);
  EXPECT_EQ(debt[8], 10'000);
  for (std::size_t t = 1; t <= 12; ++t) EXPECT_EQ(fees[t], t == 6 ? 50 : 0) << t;
  // Open in time: what is not drawn lapses.
  const ScenarioData early = company(3.0);
  EXPECT_EQ(months_of(early, kDebt)[12], 5'000);
  EXPECT_EQ(months_of(early, kCashInterest)[6], 0);
}

TEST(Completion, GuaranteeEndsWithService) {
  ScenarioData data = rich_company(12);
  data.entity.insert(data.entity.begin(), ring_fenced(data, 0));
  Entity& borrower = data.entity[0];
  borrower.guaranteed = borrower.ends_at_completion = 1;
  borrower.capex_contributed = 0;
  data.history.assign(24, HistoryMonth{});
  Site site = new_site(100, 5);
  site.tranche = 0;
  data.site = {site};
  Tranche loan = tranche_of(TrancheKind::ddtl, 12'000);
  loan.fixed_rate = 0.12F;
  loan.draw_end_month = 2.0F;
  data.tranche = {loan};
  const auto default_month = [](const ScenarioData& made) {
    const Outcomes outcomes = run_paths(made.view(), {1, 0, 1});
    return read_column(outcomes, outcomes.layout.payment_default(0))[0];
  };
  // The parent pays its interest of 120 up to month 5; in month 6 the site is in full service.
  EXPECT_EQ(default_month(data), 6);
  ScenarioData always = data;
  always.entity[0].ends_at_completion = 0;
  EXPECT_EQ(default_month(always), kNever);
  ScenarioData later = data;
  later.site[0].plan_ready_month = later.site[0].plan_delivery_month = 8.5F;
  EXPECT_EQ(default_month(later), 10);
  later.entity[0].guarantee_end = 3;
  EXPECT_EQ(default_month(later), 4);
}

// The account holds the principal and the interest of the coming three months.
TEST(Reserve, LooksForward) {
  ScenarioData data = rich_company(12);
  Tranche loan = tranche_of(TrancheKind::term, 12'000);
  loan.fixed_rate = 0.12F;
  loan.amortisation_start = 3, loan.amortisation_end = loan.maturity = 8;
  data.tranche = {loan};
  const std::vector<double> without = months_of(data, kCash);
  data.entity[0].reserve_forward_months = 3;
  const std::vector<double> with = months_of(data, kCash), debt = months_of(data, kDebt);
  for (int t = 1; t <= 12; ++t) {
    double principal = 0;
    for (int m = t + 1; m <= t + 3; ++m) principal += m >= 3 && m <= 8 ? 2'000 : 0;
    const int months = std::clamp(8 - t, 0, 3);
    const double target = principal + debt[static_cast<std::size_t>(t)] * 0.12 * months / 12;
    EXPECT_NEAR(without[static_cast<std::size_t>(t)] - with[static_cast<std::size_t>(t)], target, 1) << t;
  }
}

// ---- Building. ----

ScenarioData building_company(Real late) {
  ScenarioData data = rich_company(16);
  data.parameters.switches = kDecisions | kDelivery;
  Site site = new_site(100, 8);
  site.order_month = 2.0F;
  site.capex = 10'000;
  site.unplanned_months = late;
  data.site = {site};
  return data;
}

TEST(Capex, FollowsTheSite) {
  ScenarioData data = building_company(2.0F);
  Site& site = data.site[0];
  site.order_share = 0.2F, site.progress_share = 0.4F, site.delivery_share = 0.2F;
  site.pays_at_opening = 1;
  site.gpu_lead_months = 1.0F;
  const std::vector<double> capex = months_of(data, kCapex);
  double paid = 0;
  for (int t = 1; t <= 16; ++t) {
    const double u = std::clamp((t - 2) / 6.0, 0.0, 1.0);
    // Ordered in 2, built from 2 to 8; its GPUs come and it opens in 10.
    const double share =
        (t >= 2 ? 0.2 : 0) + 0.4 * u * u * (3 - 2 * u) + (t >= 11 ? 0.2 : 0) + (t >= 10 ? 0.2 : 0);
    paid += capex[static_cast<std::size_t>(t)];
    EXPECT_NEAR(paid, 10'000 * share, 1) << t;
  }
  // GPUs wait for the building: planned for 3, the site is ready in 8, so they come in 7.
  ScenarioData early = building_company(0.0F);
  early.site[0].has_stage[kGrid] = 1;
  early.site[0].stage_month[kGrid] = 8.0F;
  early.site[0].stage_month[kGpus] = early.site[0].delivery_month = 3.0F;
  early.site[0].delivery_share = 1.0F;
  EXPECT_EQ(months_of(early, kCapex)[4], 10'000);
  early.site[0].gpu_lead_months = 1.0F;
  const std::vector<double> waits = months_of(early, kCapex);
  EXPECT_EQ(waits[4], 0);
  EXPECT_EQ(waits[8], 10'000);
}

TEST(Capex, OverrunsOfTheCostToGo) {
  Site site = new_site(100, 8);
  site.capex = 10'000, site.capex_paid = 6'000;
  EXPECT_EQ(budget_multiplier(site, 1.3F), 1.3F);
  site.overruns_to_go = 1;
  EXPECT_NEAR(budget_multiplier(site, 1.5F), (6'000 + 4'000 * 1.5) / 10'000, 1e-6);
  site.firm_share = 0.6F;
  EXPECT_NEAR(budget_multiplier(site, 1.5F), (6'000 + 4'000 * 1.2) / 10'000, 1e-6);
  site.contingency_share = 0.05F;
  EXPECT_NEAR(budget_multiplier(site, 1.5F), (6'000 + 4'000 * 1.15) / 10'000, 1e-6);
  EXPECT_NEAR(budget_multiplier(site, 1.1F), 1, 1e-6);
  EXPECT_NEAR(budget_multiplier(site, 0.9F), (6'000 + 4'000 * 0.96) / 10'000, 1e-6);
}

// Planned for 8, open in 14: contractors pay from 9 on, for three months.
TEST(Contractors, PayForLateness) {
  ScenarioData data = building_company(6.0F);
  data.site[0].contractor_damages_month = 100.0F;
  data.site[0].contractor_grace_months = 1.0F;
  data.site[0].contractor_damages_months = 3.0F;
  const std::vector<double> ebitda = months_of(data, kEbitda);
  for (std::size_t t = 1; t <= 16; ++t) EXPECT_EQ(ebitda[t], t >= 10 && t <= 12 ? 100 : 0) << t;
  data.site[0].unplanned_months = 2.5F;  // half a month of it
  const std::vector<double> less = months_of(data, kEbitda);
  for (std::size_t t = 1; t <= 16; ++t) EXPECT_EQ(less[t], t == 10 ? 100 : t == 11 ? 50 : 0) << t;
}

// ---- Management. ----

// A site costs 200 a month. Management looks three months ahead and wants 500 then.
TEST(Programme, IssuesBeforeLiquidityIsShort) {
  ScenarioData data = still_company(12);
  data.entity[0].cash = 1'000;
  data.entity[0].policy_liquidity = 500;
  Site site = running_site(100);
  site.lease_month = 200.0F;
  data.site = {site};
  Tranche notes = tranche_of(TrancheKind::notes, 0);
  notes.commitment = 10'000, notes.needs_window = 1;
  notes.draw_start_month = 0.0F;
  notes.issue_months_ahead = 3;
  notes.issue_max_quarter = {1.0F, 400.0F, 1.0F};
  data.tranche = {notes};
  const std::vector<double> debt = months_of(data, kDebt), cash = months_of(data, kCash);
  double issued = 0, in_quarter = 0, liquidity = 1'000;
  for (int t = 1; t <= 12; ++t) {
    if (t % 3 == 1) in_quarter = 0;
    const double coming = 200.0 * (std::min(t + 3, 12) - t + 1);
    const double issue = std::clamp(coming + 500 - liquidity, 0.0, 400 - in_quarter);
    issued += issue, in_quarter += issue;
    liquidity += issue - 200;
    EXPECT_EQ(debt[static_cast<std::size_t>(t)], issued) << t;
    EXPECT_EQ(cash[static_cast<std::size_t>(t)], liquidity) << t;
  }
  EXPECT_GT(issued, 1'000);
  // Not while the market is shut.
  data.parameters.switches |= kFundingWindow;
  data.parameters.rates.window_open = {0.0F, 0.0F, 0.0F};
  EXPECT_EQ(months_of(data, kDebt)[12], 0);
}

// A site of 10,000, half of it for the loan. Liquidity must hold 1,000 and the other half.
TEST(Management, OrdersWhatIsFundedToComplete) {
  ScenarioData data = still_company(12);
  data.entity[0].policy_liquidity = 1'000;
  Site site = new_site(100, 8);
  site.order_month = 2.0F, site.order_until_month = 6.0F;
  site.capex = 10'000, site.order_share = 1.0F, site.tranche = 0;
  site.discretionary = site.funded_to_complete = 1;
  data.site = {site, running_site(1'000)};
  Tranche loan = tranche_of(TrancheKind::ddtl, 0);
  loan.commitment = 5'000, loan.advance_rate = 0.5F;
  loan.draw_start_month = 0.0F, loan.draw_end_month = 12.0F;
  data.tranche = {loan};
  data.site[1].entity = 0;
  data.customer = {customer_of("acme")};
  data.contract = {running_contract(1, 1'000, 1'000 / 730.5, 60)};  // 1,000 a month
  const auto ordered_in = [](const ScenarioData& made) {
    const std::vector<double> capex = months_of(made, kCapex);
    for (std::size_t t = 1; t < capex.size(); ++t) {
      if (capex[t] > 0) return static_cast<int>(t);
    }
    return 0;
  };
  data.entity[0].cash = 5'000;  // 6,000 at the end of month 1
  EXPECT_EQ(ordered_in(data), 2);
  data.entity[0].cash = 2'500;  // 6,500 at the end of month 4
  EXPECT_EQ(ordered_in(data), 5);
  const Outcomes late = run_paths(data.view(), {1, 0, 1});
  EXPECT_EQ(read_column(late, late.layout.months_late(0))[0], 30'000);
  data.entity[0].cash = 0;  // 5,000 at the end of month 5
  EXPECT_EQ(ordered_in(data), 0);
  // An uncommitted loan counts while the market is open, and is then signed: the market may shut.
  data.entity[0].cash = 5'000;
  data.tranche[0].needs_window = 1;
  data.parameters.switches |= kFundingFreeze;
  data.parameters.freeze = {.possible = 1,
                            .begins = {0.0F, 0.0F, 0.0F},
                            .ends = 0.0F,
                            .training_month = 0.0F,
                            .inference_month = 0.0F,
                            .spread_factor = 1.0F,
                            .stream = 7};
  data.site[0].order_share = 0.4F;  // the rest at the opening
  EXPECT_EQ(ordered_in(data), 2);
  EXPECT_EQ(months_of(data, kDebt)[8], 5'000);
  data.parameters.freeze.begins = {1.0F, 1.0F, 1.0F};  // shut from the first month on
  EXPECT_EQ(ordered_in(data), 0);
}

TEST(Management, DefendsItsLiquidityTests) {
  ScenarioData data = still_company(8);
  Entity& parent = data.entity[0];
  parent.cash = 200, parent.min_cash = 100;
  parent.issue_max_quarter = 5'000, parent.issue_floor_price_usd = 0.0001F;
  data.covenant = {covenant_of(0, Metric::liquidity, Window::trailing_3)};
  for (int t = 1; t <= 8; ++t) data.covenant_test.push_back({t >= 5 ? 1 : 0, t >= 5 ? 500.0F : 0.0F});
  EXPECT_EQ(months_of(data, kCash)[8], 200);
  parent.defends_liquidity = 1;
  const std::vector<double> cash = months_of(data, kCash);
  EXPECT_EQ(cash[1], 200);
  for (std::size_t t = 2; t <= 8; ++t) EXPECT_EQ(cash[t], 500) << t;
}

}  // namespace
}  // namespace headroom
