// SPDX-License-Identifier: Apache-2.0
// Contracts, customers and the pool against the spreadsheet of hand_sheet.hpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "hand_sheet.hpp"
#include "headroom/philox.hpp"

namespace headroom {
namespace {

using namespace hand;

// ---- Contract fees. ----

TEST(HandContracts, TakeOrPayUsageAndAvailability) {
  ScenarioData data = rich_company(8);
  data.parameters.on_demand.usage_alpha = 1.4F;
  data.parameters.on_demand.usage_beta_q = 2.0F;
  data.parameters.demand.start_tightness = 0.1F;
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  data.contract = {running_contract(0, 60, 2.5, 4, "a"), running_contract(0, 30, 3.1, 40, "b")};
  data.contract[0].take_or_pay = 0.7F;
  data.contract[0].availability = 0.98F;

  Sheet sheet(data);
  const double usage = logistic_of(1.4 + 2.0 * 0.1);
  for (int t = 1; t <= 8; ++t) {
    Month m;
    m.tightness = 0.1;
    const bool first = t <= 4;
    m.fees = rounded(fee(30, 3.1));
    if (first) m.fees += rounded(fee(60, 2.5) * 0.98 * (0.7 + 0.3 * usage));
    m.backlog = rounded(fee(60, 2.5) * std::max(0, 4 - t)) + rounded(fee(30, 3.1) * (40 - t));
    m.online = 100, m.used = first ? 90 : 30;
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandContracts, AnEndInsideAMonthCutsItsFee) {
  ScenarioData data = rich_company(6);
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  data.contract = {running_contract(0, 60, 2.5, 3.25)};
  Sheet sheet(data);
  for (int t = 1; t <= 6; ++t) {
    Month m;
    m.fees = rounded(fee(60, 2.5) * std::clamp(3.25 - (t - 1), 0.0, 1.0));
    m.backlog = rounded(fee(60, 2.5) * std::max(0.0, 3.25 - t));
    sheet.close(m);
  }
  expect_equal(data, sheet, {kRevenue, kEbitda, kCfo, kCash, kArr, kBacklog});
}

TEST(HandContracts, AStartInsideAMonthIsBilledFromItsDate) {
  ScenarioData data = rich_company(6);
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 60, 2.5, 2.75, 2.5)};
  data.contract[0].fixed_term = 1, data.contract[0].end_month = 5.25F;
  Sheet sheet(data);
  for (int t = 1; t <= 6; ++t) {
    Month m;
    const double served = std::max(0.0, std::min<double>(t, 5.25) - std::max<double>(t - 1, 2.75));
    m.fees = rounded(fee(60, 2.5) * served);
    m.backlog = rounded(fee(60, 2.5) * std::clamp(5.25 - std::max<double>(t, 2.75), 0.0, 2.5));
    sheet.close(m);
  }
  expect_equal(data, sheet, {kRevenue, kEbitda, kCfo, kCash, kArr, kBacklog});
}

// A contract ends on a date and its GPUs go to the next contract. That one is in full service at that month's
// end, owes no damages, receives its prepayment, and its term runs.
TEST(HandContracts, AnEndInsideAMonthHandsTheGpusOn) {
  ScenarioData data = rich_company(8);
  data.site = {running_site(60)};
  data.customer = {customer_of("acme")};
  Contract next = new_contract(0, 60, 3.0, 3.5, 2.0);
  next.damages_share = 0.05F, next.damages_cap = 1e6F, next.prepayment = 30, next.prepayment_month = -1;
  next.credit_window_months = 2.0F;
  data.contract = {running_contract(0, 60, 2.5, 3.5), next};
  Sheet sheet(data);
  for (int t = 1; t <= 8; ++t) {
    Month m;
    m.fees = rounded(fee(60, 2.5) * std::clamp(3.5 - (t - 1), 0.0, 1.0));
    const double served =
        std::clamp(t - 3.5, 0.0, 1.0) - std::clamp(t - 6.0, 0.0, 1.0);  // to the end of month 6
    m.fees += rounded(fee(60, 3.0) * served);
    m.prepaid = t == 4 ? 30 : 0;
    m.credited = t == 4 || t == 5 ? 15 : 0;
    m.backlog = rounded(fee(60, 2.5) * std::max(0.0, 3.5 - t)) +
                rounded(fee(60, 3.0) * (t < 4 ? 2.0 : std::max(0.0, 6.0 - t)));
    sheet.close(m);
  }
  expect_equal(data, sheet, {kRevenue, kEbitda, kCfo, kCash, kArr, kBacklog, kDeferredRevenue});
}

TEST(HandContracts, AfterAnEndInsideAMonthTheGpusGoToThePool) {
  ScenarioData data = rich_company(6);
  data.parameters.on_demand.start_utilisation = 0.5F;
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  data.contract = {running_contract(0, 60, 2.5, 3.25)};
  Sheet sheet(data);
  for (int t = 1; t <= 6; ++t) {
    const double part = std::clamp(3.25 - (t - 1), 0.0, 1.0);
    const double sold = 0.5 * (100 - 60 * part);
    Month m;
    m.fees = rounded(fee(60, 2.5) * part);
    m.pool = rounded(fee(sold, kSmallPrice));
    m.backlog = rounded(fee(60, 2.5) * std::max(0.0, 3.25 - t));
    m.online = 100, m.used = 60 * part + sold;
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// The site opens when the contracts begin, at month end 3. A term of four months ends at 7, as a date or
// counted.
void expect_served_for_four_months(bool dated) {
  ScenarioData data = rich_company(9);
  data.parameters.on_demand.start_utilisation = 0.5F;
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 60, 2.5, 3, 4)};
  data.contract[0].fixed_term = dated ? 1 : 0;
  if (dated) data.contract[0].end_month = 7.0F;
  Sheet sheet(data);
  for (int t = 1; t <= 9; ++t) {
    const double contracted = t > 3 && t <= 7 ? 60 : 0, sold = 0.5 * (100 - contracted);
    Month m;
    m.fees = rounded(fee(contracted, 2.5));
    m.pool = rounded(fee(sold, kSmallPrice));
    m.backlog = rounded(fee(60, 2.5) * std::clamp(7 - t, 0, 4));
    m.online = 100, m.used = contracted + sold;
    sheet.close(m);
  }
  expect_equal(data, sheet);
}
TEST(HandContracts, NothingIsServedBeforeTheContractDate) { expect_served_for_four_months(true); }
TEST(HandContracts, ATermWhoseGpusAreThereRunsFromTheContractDate) { expect_served_for_four_months(false); }

TEST(HandContracts, RampIsServedInOrderOfPriorityAndTermsRunFromFullDelivery) {
  ScenarioData data = rich_company(12);
  data.site = {new_site(100, 2.5)};
  data.site[0].ramp_months = 3.0F;
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 60, 2.5, 2, 5, "first"), new_contract(0, 40, 3.0, 3, 6, "second")};
  // GPUs on line from 2.5 to 5.5: areas under the line (x - 2.5) / 3 of months 3 to 6.
  const double online[] = {0, 0, 100.0 / 24, 100.0 / 3, 200.0 / 3, 2300.0 / 24, 100, 100, 100, 100, 100, 100};
  Sheet sheet(data);
  for (int t = 1; t <= 12; ++t) {
    Month m;
    m.online = online[t - 1];
    // 16.7, 50 and 83.3 at the ends of months 3 to 5: the first is full in month 5, the second in month 6.
    const double first = t <= 10 ? std::min(60.0, m.online) : 0;
    const double second = t <= 12 ? std::min(40.0, m.online - std::min(60.0, m.online)) : 0;
    m.fees = rounded(fee(first, 2.5)) + rounded(fee(second, 3.0));
    m.used = first + second;
    m.backlog = rounded(fee(60, 2.5) * (t < 5 ? 5 : std::max(0, 10 - t))) +
                rounded(fee(40, 3.0) * (t < 6 ? 6 : std::max(0, 12 - t)));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandContracts, AFixedTermRunsFromItsDate) {
  ScenarioData data = rich_company(10);
  data.site = {new_site(100, 3)};
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 100, 2.5, 3, 5)};
  data.contract[0].fixed_term = 1;
  data.contract[0].end_month = 8.0F;
  Sheet sheet(data);
  for (int t = 1; t <= 10; ++t) {
    Month m;
    m.online = t <= 3 ? 0 : (t == 4 ? 50 : 100);
    m.used = t <= 8 ? m.online : 0;
    m.fees = rounded(fee(m.used, 2.5));
    m.backlog = rounded(fee(100, 2.5) * (t <= 3 ? 5 : std::max(0, 8 - t)));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// Ready in month 9, after the contract's end: the rest of the contract shrinks with time, and the pool has
// the GPUs.
TEST(HandContracts, AFixedTermThatPassesUndeliveredIsOver) {
  ScenarioData data = rich_company(12);
  data.parameters.on_demand.start_utilisation = 0.5F;
  data.site = {new_site(100, 3)};
  data.site[0].stage_delay[kGpus] = late_by(6);
  data.site[0].ramp_months = 2.0F;
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 100, 2.5, 3, 5)};
  data.contract[0].fixed_term = 1;
  data.contract[0].end_month = 8.0F;
  Sheet sheet(data);
  for (int t = 1; t <= 12; ++t) {
    Month m;
    m.online = 100 * (online_area(t, 9, 2) - online_area(t - 1, 9, 2));
    m.used = 0.5 * m.online;
    m.pool = rounded(fee(m.used, kSmallPrice));
    m.backlog = rounded(fee(100, 2.5) * (t <= 3 ? 5 : std::max(0, 8 - t)));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// ---- Prepayments. ----

TEST(HandPrepayments, ReceivedCreditedCappedByTheInvoiceAndForfeitedAtTheEnd) {
  ScenarioData data = rich_company(14);
  data.entity[0].receivable_months = 1.3F;
  data.site = {new_site(100, 2), running_site(50)};
  data.customer = {customer_of("acme")};
  Contract dated = new_contract(0, 50, 3.0, 2, 6, "dated");
  dated.prepayment = 300, dated.prepayment_month = 1, dated.credit_window_months = 6.0F;
  Contract at_start = new_contract(0, 40, 3.0, 2, 6, "at-start");
  at_start.prepayment = 1000, at_start.prepayment_month = -1, at_start.credit_window_months = 4.0F;
  Contract old = running_contract(1, 50, 2.0, 30, "old");
  old.opening_unearned = 120, old.credit_window_months = 5.0F;
  data.contract = {dated, at_start, old};

  Sheet sheet(data);
  double dated_left = 0, at_start_left = 0, old_left = 120;
  for (int t = 1; t <= 14; ++t) {
    Month m;
    const double online = t <= 2 ? 0 : (t == 3 ? 50 : 100);
    // Both are fully delivered at the end of month 3 and run until 9; in month 3 the first takes what there is.
    const double dated_gpus = t <= 9 ? std::min(50.0, online) : 0;
    const double start_gpus = t <= 9 ? std::min(40.0, online - dated_gpus) : 0;
    const double dated_fee = rounded(fee(dated_gpus, 3.0)), start_fee = rounded(fee(start_gpus, 3.0));
    const double old_fee = rounded(fee(50, 2.0));
    m.fees = dated_fee + start_fee + old_fee;
    if (t == 1) m.prepaid += 300, dated_left += 300;
    if (t == 3) m.prepaid += 1000, at_start_left += 1000;
    const auto credit = [&](double& left, double even, double invoice) {
      const double credited = std::min({left, even, invoice});
      left -= credited;
      m.credited += credited;
    };
    credit(dated_left, 50, dated_fee);
    credit(at_start_left, 250, start_fee);
    credit(old_left, 24, old_fee);
    if (t == 9) m.refunded = dated_left + at_start_left, dated_left = at_start_left = 0;
    m.backlog = rounded(fee(50, 3.0) * (t < 3 ? 6 : std::max(0, 9 - t))) +
                rounded(fee(40, 3.0) * (t < 3 ? 6 : std::max(0, 9 - t))) + rounded(fee(50, 2.0) * (30 - t));
    m.online = 50 + online, m.used = 50 + dated_gpus + start_gpus;
    sheet.close(m);
  }
  ASSERT_LT(sheet.rows()[8].value[kCfo], sheet.rows()[7].value[kCfo]) << "nothing was refunded";
  expect_equal(data, sheet);
}

// ---- Lateness. ----

// Planned for 3, ready at 6.5 with a ramp of one month; due in month 3 with one and a half months of grace.
TEST(HandLateness, DamagesAfterTheGraceUpToTheCap) {
  ScenarioData data = rich_company(10);
  data.parameters.switches = kDamages;
  data.site = {new_site(100, 3)};
  data.site[0].stage_delay[kGpus] = late_by(3.5);
  data.customer = {customer_of("acme")};
  Contract c = new_contract(0, 100, 2.0, 3, 24);
  c.grace_months = 1.5F, c.damages_share = 0.10F;
  for (const double cap : {20.0, 1000.0}) {
    c.damages_cap = static_cast<Real>(cap);
    data.contract = {c};
    Sheet sheet(data);
    double charged = 0;
    for (int t = 1; t <= 10; ++t) {
      Month m;
      const double share_end = std::clamp(t - 6.5, 0.0, 1.0);
      if (t > 4 && share_end < 1.0) {
        const double late = std::min(t - 4.5, 1.0);  // the part of the month after the grace
        m.damages = std::min(rounded(0.10 * fee(100, 2.0) * late * (1.0 - share_end)), cap - charged);
        charged += m.damages;
      }
      m.online = m.used = 100 * (online_area(t, 6.5, 1) - online_area(t - 1, 6.5, 1));
      m.fees = rounded(fee(m.used, 2.0));
      m.backlog = rounded(fee(100, 2.0) * (t < 8 ? 24 : 32 - t));
      sheet.close(m);
    }
    ASSERT_EQ(charged, cap == 20.0 ? 20.0 : 7.0 + 15.0 + 7.0);
    expect_equal(data, sheet);
    const ColumnLayout l = column_layout(data.view());
    EXPECT_EQ(column_of(data, l.months_late(0)), 35000);
    EXPECT_EQ(column_of(data, kMaxMonthsLate), 35000);
  }
}

TEST(HandLateness, LongStopEndsTheWholeOrderAndRefunds) {
  ScenarioData data = rich_company(14);
  data.parameters.switches = kTermination;
  data.parameters.on_demand.start_utilisation = 0.5F;
  data.site = {new_site(100, 3)};
  data.site[0].stage_delay[kGpus] = late_by(6.5);  // there at 9.5
  data.customer = {customer_of("acme")};
  Contract head = new_contract(0, 30, 2.0, 3, 24, "head");
  head.long_stop_months = 4.0F, head.termination_probability = 1.0F;
  head.prepayment = 200, head.prepayment_month = 1, head.credit_window_months = 24.0F;
  Contract follower = new_contract(0, 20, 2.0, 5, 24, "follower");
  follower.order_head = 0;
  follower.prepayment = 111, follower.prepayment_month = 2, follower.credit_window_months = 24.0F;
  Contract other = new_contract(0, 40, 2.0, 3, 24, "other");
  other.long_stop_months = 4.0F, other.termination_probability = 0.0F;
  data.contract = {head, follower, other};

  Sheet sheet(data);
  for (int t = 1; t <= 14; ++t) {
    Month m;
    if (t == 1) m.prepaid = 200;
    if (t == 2) m.prepaid = 111;
    if (t == 7) m.refunded = 311;
    m.online = 100 * (online_area(t, 9.5, 1) - online_area(t - 1, 9.5, 1));
    const double served = std::min(40.0, m.online), sold = 0.5 * (m.online - served);
    m.fees = rounded(fee(served, 2.0)), m.pool = rounded(fee(sold, kSmallPrice));
    m.used = served + sold;
    // At 10 half of the site is on line, enough for the third.
    m.backlog = rounded(fee(40, 2.0) * (t < 10 ? 24 : 34 - t));
    if (t < 7) m.backlog += rounded(fee(30, 2.0) * 24) + rounded(fee(20, 2.0) * 24);
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandLateness, AnOrderEndsInOneMonthWhereverItsSitesStand) {
  for (const bool head_first : {true, false}) {
    ScenarioData data = rich_company(9);
    data.parameters.switches = kTermination;
    const auto site = [&](const char* id) {
      Site s = new_site(50, 3, id);
      s.stage_delay[kGpus] = late_by(20);
      return s;
    };
    data.site = {site("one"), site("two")};
    data.customer = {customer_of("acme")};
    Contract head = new_contract(head_first ? 0 : 1, 30, 2.0, 3, 24, "head");
    head.long_stop_months = 4.0F, head.termination_probability = 1.0F;
    Contract follower = new_contract(head_first ? 1 : 0, 20, 2.0, 5, 24, "follower");
    follower.order_head = head_first ? 0 : 1;
    data.contract = head_first ? std::vector{head, follower} : std::vector{follower, head};
    Sheet sheet(data);
    for (int t = 1; t <= 9; ++t) {
      Month m;
      if (t < 7) m.backlog = rounded(fee(30, 2.0) * 24) + rounded(fee(20, 2.0) * 24);
      sheet.close(m);
    }
    SCOPED_TRACE(head_first ? "the head's site is the first" : "the head's site is the second");
    expect_equal(data, sheet);
  }
}

// In full on line at 6.5; the long-stop is at 7.0.
TEST(HandLateness, DeliveredBeforeTheLongStopTheCustomerStays) {
  ScenarioData data = rich_company(10);
  data.parameters.switches = kTermination;
  data.site = {new_site(100, 3)};
  data.site[0].stage_delay[kGpus] = late_by(2.5);
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 100, 2.0, 3, 24)};
  data.contract[0].long_stop_months = 4.0F;
  data.contract[0].termination_probability = 1.0F;
  Sheet sheet(data);
  for (int t = 1; t <= 10; ++t) {
    Month m;
    m.online = m.used = 100 * (online_area(t, 5.5, 1) - online_area(t - 1, 5.5, 1));
    m.fees = rounded(fee(m.used, 2.0));
    m.backlog = rounded(fee(100, 2.0) * (t < 7 ? 24 : 31 - t));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// ---- Prices of contracts. ----

TEST(HandRepricing, AStepDownGoesPartOfTheWayToMarketOnce) {
  ScenarioData data = rich_company(10);
  data.parameters.switches = kStepDown;
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  Contract dear = running_contract(0, 50, 4.0, 40, "dear");
  const double threshold = -std::log(uniform_of(dear.stream, Word::w1));
  dear.step_down_hazard_month = static_cast<Real>(threshold / 4.5);  // crossed in month 5
  dear.step_down_trigger_log = static_cast<Real>(-std::log1p(-0.3));
  dear.step_down_pass = 0.5F;
  dear.renewal_discount = 0.35F;
  Contract fair = dear;  // 1.80 is not above 1.30 / 0.7
  fair.gpus = 40.0F, fair.price_usd_per_gpu_hour = 1.8F;
  data.contract = {dear, fair};
  Sheet sheet(data);
  const double after = 4.0 + 0.5 * (0.65 * kSmallPrice - 4.0);
  for (int t = 1; t <= 10; ++t) {
    Month m;
    m.fees = rounded(fee(50, t <= 5 ? 4.0 : after)) + rounded(fee(40, 1.8));
    m.backlog = rounded(fee(50, t < 5 ? 4.0 : after) * (40 - t)) + rounded(fee(40, 1.8) * (40 - t));
    m.online = 100, m.used = 90;
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// The market ages by 2% a month; the pool keeps its utilisation of 0.8.
TEST(HandRepricing, RenewedAtTheMarketOrBackToThePool) {
  ScenarioData data = rich_company(12);
  data.parameters.on_demand.start_utilisation = 0.8F;
  for (int t = 1; t <= 12; ++t) data.ageing[static_cast<std::size_t>(t - 1)] = static_cast<Real>(0.02 * t);
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  Contract renews = running_contract(0, 50, 2.4, 3, "renews");
  renews.renewal_alpha = 0.4F, renews.renewal_term_months = 4.0F, renews.renewal_discount = 0.35F;
  Contract leaves = renews;
  leaves.gpus = 30.0F, leaves.renewal_alpha = -0.4F;
  data.contract = {renews, leaves};
  Sheet sheet(data);
  const auto market = [](double t) { return kSmallPrice * std::exp(-0.02 * t); };
  for (int t = 1; t <= 12; ++t) {
    Month m;
    m.price = market(t);
    const double price = t <= 3 ? 2.4 : 0.65 * market(t <= 7 ? 3 : (t <= 11 ? 7 : 11));
    const double left = t <= 3 ? 20 : 50, sold = 0.8 * left;
    m.fees = rounded(fee(50, price)) + (t <= 3 ? rounded(fee(30, 2.4)) : 0);
    m.pool = rounded(fee(sold, m.price));
    const double new_price = t == 3 || t == 7 || t == 11 ? 0.65 * market(t) : price;  // from the next month on
    const int end = t < 3 ? 3 : (t < 7 ? 7 : (t < 11 ? 11 : 15));
    m.backlog = rounded(fee(50, new_price) * (end - t)) + (t < 3 ? rounded(fee(30, 2.4) * (3 - t)) : 0);
    m.online = 100, m.used = 100 - left + sold;
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandRepricing, OptionsAreExercisedOrLapse) {
  ScenarioData data = rich_company(10);
  data.site = {new_site(100, 4)};
  data.customer = {customer_of("acme")};
  Contract taken = new_contract(0, 50, 2.0, 4, 24, "taken");
  taken.option = 1, taken.option_month = 2.0F, taken.option_alpha = 0.4F;
  taken.prepayment = 500, taken.prepayment_month = 3, taken.credit_window_months = 1e6F;
  Contract left = taken;
  left.option_alpha = -0.4F;
  data.contract = {taken, left};
  Sheet sheet(data);
  for (int t = 1; t <= 10; ++t) {
    Month m;
    m.online = 100 * (online_area(t, 4, 1) - online_area(t - 1, 4, 1));
    m.used = std::min(50.0, m.online);
    m.fees = rounded(fee(m.used, 2.0));
    if (t == 3) m.prepaid = 500;
    m.backlog = t < 2 ? 0 : rounded(fee(50, 2.0) * (t < 5 ? 24 : 29 - t));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// ---- Default. ----

TEST(HandDefault, FeesStopPrepaymentIsForfeitAndTheClaimIsPaidOverTwelveMonths) {
  ScenarioData data = rich_company(22);
  data.parameters.switches = kDefault;
  data.parameters.on_demand.start_utilisation = 0.5F;
  data.parameters.demand.start_tightness = -0.1F;
  data.site = {running_site(100), new_site(30, 30)};
  data.customer = {customer_of("acme"), customer_of("other")};
  data.customer[0].recovery_share = 0.3F;
  data.customer[0].recovery_months = 10;
  data.customer[0].tightness_beta = 4.0F;
  const double threshold = -std::log(uniform_of(data.customer[0].stream, Word::w0));
  data.customer[0].default_intensity_month = static_cast<Real>(threshold / 6.5 * std::exp(-0.4));  // in month 7
  Contract failing = running_contract(0, 60, 2.0, 40, "failing");
  failing.opening_unearned = 240, failing.credit_window_months = 24.0F;
  Contract other = running_contract(0, 20, 2.0, 40, "other");
  other.customer = 1;
  Contract pending = new_contract(1, 30, 2.0, 30, 12, "pending");  // of the failing customer, not begun
  pending.prepayment = 77, pending.prepayment_month = 2, pending.credit_window_months = 12.0F;
  data.contract = {failing, other, pending};

  Sheet sheet(data);
  double unearned = 240;
  const double last_fee = rounded(fee(60, 2.0));
  for (int t = 1; t <= 22; ++t) {
    Month m;
    m.tightness = -0.1;
    const bool gone = t >= 7;
    m.fees = rounded(fee(20, 2.0)) + (gone ? 0 : last_fee);
    if (t == 2) m.prepaid = 77;
    if (!gone) m.credited = 10, unearned -= 10;
    if (t == 7) m.forfeited = unearned + 77;
    if (t > 7 && t <= 19) m.recoveries = rounded(last_fee * 0.3 * 10.0 / 12.0);
    const double left = gone ? 80 : 20, sold = 0.5 * left;
    m.pool = rounded(fee(sold, kSmallPrice));
    m.online = 100, m.used = 100 - left + sold;
    m.backlog = rounded(fee(20, 2.0) * (40 - t));
    if (!gone) m.backlog += rounded(fee(60, 2.0) * (40 - t)) + rounded(fee(30, 2.0) * 12);
    sheet.close(m);
  }
  expect_equal(data, sheet);
  const ColumnLayout l = column_layout(data.view());
  EXPECT_EQ(column_of(data, l.default_month(0)), 7) << "threshold " << threshold;
  EXPECT_EQ(column_of(data, l.default_month(1)), kNever);
}

// ---- The pool and power. ----

TEST(HandPool, AttritionBookingsBackstopPlatformAndPower) {
  ScenarioData data = rich_company(12);
  data.parameters.demand.start_tightness = 0.2F;
  OnDemandParams& o = data.parameters.on_demand;
  o.start_utilisation = 0.75F;
  o.attrition_month = 0.1F;
  o.bookings_max = 0.14F, o.bookings_alpha = -0.5F, o.bookings_beta_q = 4.0F;
  o.premium = 1.15F, o.channel_discount = 0.1F;
  o.backstop_share = 0.4F, o.backstop_price_usd_per_gpu_hour = 1.2F, o.backstop_end_month = 5.0F;
  o.platform_share_start = 0.1F, o.platform_share_end = 0.3F, o.platform_ramp_months = 8.0F;
  o.platform_price_multiple = 1.8F, o.platform_cost_ratio = 0.35F;
  data.site = {running_site(1000)};
  data.site[0].power_fixed_month = 40.0F;
  data.site[0].power_floating_month = 60.0F;
  data.site[0].power_idle_share = 0.5F;
  data.parameters.rates.power = {.decay_month = 0.9F, .sd_month = 0.0F, .start = 0.5F};
  data.customer = {customer_of("acme")};
  data.contract = {running_contract(0, 300, 2.5, 40)};

  Sheet sheet(data);
  double utilisation = 0.75, log_power = 0.5;
  for (int t = 1; t <= 12; ++t) {
    Month m;
    m.tightness = 0.2;
    const double kept = utilisation * (1.0 - 0.1);
    utilisation = std::min(1.0, kept + 0.14 * logistic_of(-0.5 + 4.0 * 0.2));
    log_power *= 0.9;
    const double sold = 700 * utilisation, unsold = 700 - sold;
    const double at_market = fee(sold, 1.15 * kSmallPrice);
    const double platform_share = 0.1 + 0.2 * std::min(1.0, t / 8.0);
    const double platform = at_market * platform_share * 1.8;
    const double backstop = t <= 5 ? fee(0.4 * unsold, 1.2) : 0;
    m.fees = rounded(fee(300, 2.5));
    m.pool = rounded(at_market * (1 - platform_share) * 0.9 + platform + backstop);
    const double energised = 0.5 + 0.5 * (300 + sold) / 1000;
    m.costs = rounded(energised * (40 + 60 * std::exp(log_power)) + 0.35 * platform);
    m.online = 1000, m.used = 300 + sold;
    m.backlog = rounded(fee(300, 2.5) * (40 - t));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandPool, BookingsNeverFillMoreThanThePool) {
  ScenarioData data = rich_company(4);
  data.parameters.on_demand.start_utilisation = 0.9F;
  data.parameters.on_demand.attrition_month = 0.05F;
  data.parameters.on_demand.bookings_max = 0.5F;
  data.site = {running_site(100)};
  Sheet sheet(data);
  for (int t = 1; t <= 4; ++t) {  // 0.9 * 0.95 + 0.25 > 1
    Month m;
    m.online = m.used = 100;
    m.pool = rounded(fee(100, kSmallPrice));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

}  // namespace
}  // namespace headroom
