// SPDX-License-Identifier: Apache-2.0
// Sites, income, debt, liquidity, the market on plan and covenants against the spreadsheet of hand_sheet.hpp.
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
#include "host/cpu/trace.hpp"
#include "host/engine/engine.hpp"
#include "host/plan/make_plan.hpp"

namespace headroom {
namespace {

using namespace hand;

// ---- Sites: costs, capex, depreciation. ----

// Planned for month 4, ready at 6.5, ramp of 2 months; ordered in month 1; a life of five months with 15%
// left.
TEST(HandSites, CostsCapexAndDepreciationOfALateSite) {
  ScenarioData data = rich_company(16);
  data.entity[0].payable_months_capex = 0.6789F;  // no product of it lies halfway between two units
  data.entity[0].payables_capex = 123;
  data.parameters.on_demand.start_utilisation = 0.5F;
  Site s = new_site(100, 4);
  s.stage_delay[kGpus] = late_by(2.5);
  s.ramp_months = 2.0F;
  s.order_month = 1.0F;
  s.capex = 10'000, s.capex_paid = 500;
  s.order_share = 0.2F, s.delivery_share = 0.6F, s.gpu_value_share = 0.8F;
  s.lease_month = 30.0F, s.lease_start_month = 1.25F;
  s.staff_month = 11.0F;
  s.prelaunch_month = 8.0F, s.prelaunch_start_month = 2.5F;
  s.facility_month = 20.0F, s.maintenance_share_month = 0.002F;
  s.power_fixed_month = 100.0F, s.power_idle_share = 0.4F;
  s.life_months = 5.0F, s.residual_share = 0.15F;
  data.site = {s};

  Sheet sheet(data);
  const double ready = 6.5;
  const auto part = [](double from, double to, double t) {  // of the month that ends at t, in [from, to]
    return std::max(0.0, std::min(to, t) - std::max(from, t - 1));
  };
  double paid = 500, depreciated = 0;
  for (int t = 1; t <= 16; ++t) {
    Month m;
    const double delivered = std::clamp((t - ready) / 2.0, 0.0, 1.0);
    const double due = 500 + 9500 * (0.2 + (t >= 4 ? 0.2 : 0.0) + 0.6 * delivered);
    m.capex = rounded(due) - paid;
    paid += m.capex;
    const double life = online_area(t, ready, 2) - online_area(t - 5, ready, 2);
    m.depreciation = rounded(0.85 * 10'000 / 5 * life) - depreciated;
    depreciated += m.depreciation;
    const double share = online_area(t, ready, 2) - online_area(t - 1, ready, 2);
    m.online = 100 * share, m.used = 50 * share;
    m.pool = rounded(fee(m.used, kSmallPrice));
    const double power = 100 * (0.4 * m.online + 0.6 * m.used) / 100;
    m.costs = rounded(30 * part(1.25, 1e9, t) + 11 * part(4, 1e9, t) + 8 * part(2.5, ready, t) +
                      share * (20 + 0.002 * 0.8 * 10'000)) +
              rounded(power);
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandSites, DatesInsideAMonthAndMoneySpentBefore) {
  ScenarioData data = rich_company(8);
  Site s = new_site(100, 4.5);
  s.order_month = -1.0F;  // its share is in what is paid
  s.capex = 8'000, s.capex_paid = 2'000;
  s.order_share = 0.25F, s.delivery_share = 0.5F;
  s.staff_month = 10.0F;
  s.commissioning_months = 0.75F;
  s.planned_ready_month = 5.25F;
  data.site = {s};
  Sheet sheet(data);
  double paid = 2'000, depreciated = 0;
  for (int t = 1; t <= 8; ++t) {
    Month m;
    const double delivered = std::clamp(t - 4.5, 0.0, 1.0);
    const double share = 0.5 * delivered + (t >= 5.25 ? 0.25 : 0.0);  // of the 0.75 that is not due yet
    m.capex = rounded(2'000 + 6'000 * share / 0.75) - paid;
    paid += m.capex;
    m.depreciation = rounded(8'000 / 60.0 * online_area(t, 5.25, 1)) - depreciated;
    depreciated += m.depreciation;
    m.online = 100 * (online_area(t, 5.25, 1) - online_area(t - 1, 5.25, 1));
    m.costs = rounded(10 * std::clamp(t - 5.25, 0.0, 1.0));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandSites, WithoutLiquidityADiscretionarySiteIsNotOrdered) {
  ScenarioData data = still_company(8);
  data.entity[0].cash = 900;
  data.entity[0].policy_liquidity = 800;
  data.entity[0].sga_fixed_month = 50.0F;
  const auto site = [](double order, const char* id) {
    Site s = new_site(100, order + 1, id);
    s.discretionary = 1;
    s.order_month = static_cast<Real>(order);
    s.capex = 100, s.order_share = 1.0F, s.life_months = 1000.0F;
    s.lease_month = 10.0F;
    return s;
  };
  // 850 at the end of month 1: the first site is ordered in month 2 and costs 100. The second is then never
  // ordered.
  data.site = {site(2, "early"), site(4, "late")};
  Sheet sheet(data);
  double depreciated = 0;
  for (int t = 1; t <= 8; ++t) {
    Month m;
    m.capex = t == 2 ? 100 : 0;
    m.costs = t >= 4 ? 10 : 0;  // the lease of the first
    m.online = 100 * (online_area(t, 3, 1) - online_area(t - 1, 3, 1));
    m.depreciation = rounded(100 / 1000.0 * online_area(t, 3, 1)) - depreciated;
    depreciated += m.depreciation;
    sheet.close(m);
  }
  ASSERT_LT(sheet.rows()[2].cash, 800) << "the second site had its liquidity";
  expect_equal(data, sheet);
}

// Refused in month 3: a tenth of its capex is lost, its contract is released and the prepayment refunded.
void expect_cancelled(double order_month) {
  ScenarioData data = rich_company(10);
  data.parameters.switches = kCancellation;
  Site s = new_site(100, 6);
  s.order_month = static_cast<Real>(order_month);
  s.cancel_month = 3.0F, s.cancel_probability = 1.0F, s.sunk_share = 0.1F;
  s.capex = 10'000, s.capex_paid = 800;
  s.order_share = 0.2F, s.delivery_share = 0.8F;
  s.lease_month = 10.0F, s.lease_start_month = 0.0F;
  data.site = {s};
  data.customer = {customer_of("acme")};
  Contract c = new_contract(0, 100, 2.0, 6, 12);
  c.prepayment = 300, c.prepayment_month = 2, c.credit_window_months = 12.0F;
  data.contract = {c};
  Sheet sheet(data);
  double paid = 800;
  for (int t = 1; t <= 10; ++t) {
    Month m;
    const double due = t >= 3 ? 1'000 : (t >= order_month ? 800 + 0.2 * 9'200 : 800);
    m.capex = rounded(due) - paid;
    paid += m.capex;
    m.depreciation = t == 3 ? 1'000 : 0;
    m.prepaid = t == 2 ? 300 : 0;
    m.refunded = t == 3 ? 300 : 0;
    m.costs = t < 3 ? 10 : 0;
    m.backlog = t < 3 ? rounded(fee(100, 2.0) * 12) : 0;
    sheet.close(m);
  }
  SCOPED_TRACE("ordered in month " + std::to_string(order_month));
  expect_equal(data, sheet);
  const ColumnLayout l = column_layout(data.view());
  EXPECT_EQ(column_of(data, l.months_late(0)), kNever);
}
TEST(HandSites, ARefusedSiteEndsAtItsSunkShare) {
  expect_cancelled(2);
  expect_cancelled(3);
}
TEST(HandSites, ASiteRefusedBeforeItsOrderIsNeverOrdered) { expect_cancelled(5); }

// ---- Income, tax, working capital. ----

TEST(HandIncome, TaxLossesRunOffAndWorkingCapital) {
  ScenarioData data = rich_company(50);
  set_short_rate(data, 0.03);
  Entity& e = data.entity[0];
  e.cash = 20'000;
  e.opening_ppe = 6'000, e.opening_ppe_life_months = 40.0F;
  e.tax_losses = 500, e.tax_rate = 0.21F, e.loss_use_share = 0.8F;
  e.stock_compensation_month = 17;
  e.sga_fixed_month = 25.3F, e.sga_share_of_revenue = 0.045F;
  e.receivables = 333, e.payables_opex = 44, e.payables_capex = 5;
  e.receivable_months = 1.31F, e.payable_months_opex = 0.99F, e.payable_months_capex = 0.5F;
  e.cash_yield_share = 0.9F;
  data.site = {new_site(400, 6)};
  data.site[0].facility_month = 100.0F;
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 400, 2.0, 6, 20)};
  data.contract[0].prepayment = 2'000, data.contract[0].prepayment_month = 2;
  data.contract[0].credit_window_months = 20.0F;
  Sheet sheet(data);
  double unearned = 0;
  for (int t = 1; t <= 50; ++t) {
    Month m;
    m.rate = 0.03;
    m.online = 400 * (online_area(t, 6, 1) - online_area(t - 1, 6, 1));
    m.used = t <= 27 ? m.online : 0;
    m.fees = rounded(fee(m.used, 2.0));
    m.costs = rounded(100 * m.online / 400);
    if (t == 2) m.prepaid = 2'000, unearned = 2'000;
    m.credited = std::min({unearned, 100.0, m.fees});
    unearned -= m.credited;
    m.backlog = rounded(fee(400, 2.0) * (t < 7 ? 20 : std::max(0, 27 - t)));
    sheet.close(m);
  }
  double taxed = 0;
  for (const Closed& row : sheet.rows()) taxed += row.value[kCashTax];
  ASSERT_GT(taxed, 0);
  expect_equal(data, sheet);
}

// ---- Debt. ----

struct Loan {  // what a tranche holds and has left
  double balance, undrawn;
  double interest(double coupon) const { return rounded(balance * coupon / 12.0); }
};

// Order 20% in month 2, deliveries 60% in months 5 and 6, the rest at the planned opening, month 5.
TEST(HandDebt, DelayedDrawAgainstCapexInItsWindow) {
  for (const double commitment : {9'000.0, 3'000.0}) {
    ScenarioData data = rich_company(16);
    set_short_rate(data, 0.036);
    Site s = new_site(100, 5);
    s.stage_delay[kGpus] = late_by(0.25);
    s.order_month = 2.0F;
    s.capex = 10'000, s.order_share = 0.2F, s.delivery_share = 0.6F;
    s.tranche = 0;
    data.site = {s};
    Tranche d = tranche_of(TrancheKind::ddtl, 400);
    d.commitment = static_cast<Money>(commitment);
    d.draw_start_month = 1.0F, d.draw_end_month = 6.0F;
    d.advance_rate = 0.75F;
    d.spread = 0.04F, d.hedged_share = 0.5F, d.swap_rate = 0.0385F;
    d.commitment_fee = 0.012F, d.upfront_fee_share = 0.015F;
    d.amortisation_start = 8, d.amortisation_end = d.maturity = 14;
    data.tranche = {d};
    Sheet sheet(data);
    Loan loan{400, commitment};
    double paid = 0, depreciated = 0;
    for (int t = 1; t <= 16; ++t) {
      Month m;
      m.rate = 0.036;
      const double share = (t >= 2 ? 0.2 : 0) + (t >= 5 ? 0.2 : 0) + 0.6 * std::clamp(t - 5.25, 0.0, 1.0);
      m.capex = rounded(10'000 * share) - paid;
      paid += m.capex;
      m.online = 100 * (online_area(t, 5.25, 1) - online_area(t - 1, 5.25, 1));
      m.depreciation = rounded(10'000 / 60.0 * online_area(t, 5.25, 1)) - depreciated;
      depreciated += m.depreciation;

      m.interest = loan.interest(0.04 + 0.5 * 0.0385 + 0.5 * 0.036);
      if (t >= 8 && t <= 14) m.scheduled = rounded(loan.balance / (14 - t + 1));
      loan.balance -= m.scheduled;
      if (t <= 6) {
        m.debt_fees = rounded(loan.undrawn * 0.012 / 12.0);
        m.drawn = t > 1 ? std::min(rounded(0.75 * m.capex), loan.undrawn) : 0;
        m.debt_fees += rounded(m.drawn * 0.015);
        loan.balance += m.drawn, loan.undrawn -= m.drawn;
        if (t == 6) loan.undrawn = 0;
      }
      sheet.close(m);
    }
    ASSERT_EQ(loan.balance, 0);
    SCOPED_TRACE("commitment " + std::to_string(commitment));
    expect_equal(data, sheet);
  }
}

TEST(HandDebt, CouponsFixedFloatingHedgedAndFloored) {
  for (const double rate : {0.036, 0.004, -0.005}) {
    ScenarioData data = rich_company(6);
    set_short_rate(data, rate);
    const auto floating = [](double spread, double floor, double hedged, double swap) {
      Tranche t = tranche_of(TrancheKind::term, 100'000);
      t.spread = static_cast<Real>(spread), t.floor = static_cast<Real>(floor);
      t.hedged_share = static_cast<Real>(hedged), t.swap_rate = static_cast<Real>(swap);
      return t;
    };
    Tranche fixed = tranche_of(TrancheKind::notes, 77'000);
    fixed.fixed_rate = 0.0925F;
    data.tranche = {fixed, floating(0.04, -0.05, 0, 0), floating(0.03, 0.01, 0, 0),
                    floating(0.025, 0.0, 0.7, 0.041), floating(0.02, 0.01, 1.0, 0.033)};
    Sheet sheet(data);
    for (int t = 1; t <= 6; ++t) {
      Month m;
      m.rate = rate;
      m.interest = rounded(77'000 * 0.0925 / 12) + rounded(100'000 * (0.04 + rate) / 12) +
                   rounded(100'000 * (0.03 + std::max(rate, 0.01)) / 12) +
                   rounded(100'000 * (0.025 + 0.7 * 0.041 + 0.3 * std::max(rate, 0.0)) / 12) +
                   rounded(100'000 * (0.02 + 0.033) / 12);
      sheet.close(m);
    }
    SCOPED_TRACE("short rate " + std::to_string(rate));
    expect_equal(data, sheet);
  }
}

// Level principal of a term loan and of a finance lease; the lease ends after the horizon.
TEST(HandDebt, TermAmortisesEquipmentPaysLeasePrincipal) {
  ScenarioData data = rich_company(10);
  Tranche term = tranche_of(TrancheKind::term, 1'000);
  term.fixed_rate = 0.08F;
  term.amortisation_start = 3, term.amortisation_end = 9, term.maturity = 9;
  Tranche equipment = tranche_of(TrancheKind::equipment, 3'333);
  equipment.fixed_rate = 0.06F, equipment.lease = 1;
  equipment.amortisation_start = 1, equipment.amortisation_end = 24, equipment.maturity = 24;
  data.tranche = {term, equipment};
  Sheet sheet(data);
  Loan a{1'000, 0}, b{3'333, 0};
  for (int t = 1; t <= 10; ++t) {
    Month m;
    m.interest = a.interest(0.08) + b.interest(0.06);
    const double pay_a = t >= 3 && t <= 9 ? rounded(a.balance / (9 - t + 1)) : 0;
    const double pay_b = rounded(b.balance / (24 - t + 1));
    a.balance -= pay_a, b.balance -= pay_b;
    m.scheduled = pay_a + pay_b;
    sheet.close(m);
  }
  ASSERT_EQ(a.balance, 0);
  expect_equal(data, sheet);
}

// EBITDA of 300 a quarter in the past, nothing after: leverage at the end of month 1 is 1,000 / (4 * 200).
TEST(HandDebt, MaturitiesAreRefinancedUnderTheLeverageLimitOrRepaid) {
  for (const double limit : {1.3, 1.2}) {
    const bool refinanced = limit > 1'000.0 / 800.0;
    ScenarioData data = rich_company(10);
    set_short_rate(data, 0.03);
    data.entity[0].refinance_leverage_limit = static_cast<Real>(limit);
    data.parameters.rates.spread.start = 0.3F;  // fades by 0.9 a month
    for (HistoryMonth& h : data.history) h.ebitda = 100;
    Tranche notes = tranche_of(TrancheKind::notes, 1'000);
    notes.fixed_rate = 0.09F, notes.maturity = 2;
    notes.refinanceable = 1, notes.refinance_months = 5, notes.refinance_spread = 0.05F;
    data.tranche = {notes};
    Sheet sheet(data);
    Loan loan{1'000, 0};
    double coupon = 0.09;
    for (int t = 1; t <= 10; ++t) {
      Month m;
      m.rate = 0.03;
      m.interest = loan.interest(coupon);
      if (t == 2) {
        EXPECT_EQ(sheet.leverage(), 1.25);
        if (refinanced)
          coupon = 0.03 + 0.05 * std::exp(0.3 * 0.9 * 0.9);
        else
          m.maturities = 1'000;
      }
      if (t == 7 && refinanced) m.maturities = 1'000;
      loan.balance -= m.maturities;
      sheet.close(m);
    }
    SCOPED_TRACE("leverage limit " + std::to_string(limit));
    expect_equal(data, sheet);
  }
}

TEST(HandDebt, ConvertiblesConvertAboveTheirPriceElseAreRepaid) {
  for (const double conversion_price : {40.0, 60.0}) {
    ScenarioData data = rich_company(6);
    data.entity[0].cash = 0;
    data.entity[0].shares_million = 0.5F;
    data.entity[0].ev_to_ebitda = 12.0F, data.entity[0].ev_tightness_beta = 2.0F;
    data.parameters.demand.start_tightness = 0.05F;
    data.site = {running_site(1'000)};
    data.customer = {customer_of("acme")};
    data.contract = {running_contract(0, 1'000, 1.6, 40)};
    Tranche notes = tranche_of(TrancheKind::convertible, 3'000);
    notes.fixed_rate = 0.02F, notes.maturity = 4;
    notes.conversion_price_usd = static_cast<Real>(conversion_price);
    data.tranche = {notes};
    Sheet sheet(data);
    double shares = 0.5;
    for (int t = 1; t <= 6; ++t) {
      Month m;
      m.tightness = 0.05;
      m.fees = rounded(fee(1'000, 1.6));
      m.online = m.used = 1'000;
      m.backlog = rounded(fee(1'000, 1.6) * (40 - t));
      m.interest = t <= 4 ? 5 : 0;
      if (t == 4) {
        // About 12 e^0.1 * 4 * 3 * 1,169 = 185.9 million, less 3.0 of debt, plus 3.5 of cash: 372 USD a share.
        const bool converts = sheet.share_price() > 10.0 * conversion_price;
        ASSERT_FALSE(converts) << sheet.share_price();
        if (sheet.share_price() > conversion_price) {
          m.converted = 3'000;
          m.conversion_shares = 3'000 * 1'000.0 / 1e6 / conversion_price;
          shares += m.conversion_shares;
        } else {
          m.maturities = 3'000;
        }
      }
      sheet.close(m);
    }
    SCOPED_TRACE("conversion price " + std::to_string(conversion_price));
    expect_equal(data, sheet);
    EXPECT_EQ(column_of(data, kDilution), std::lround(1e4 * (shares / 0.5 - 1.0)));
  }
}

TEST(HandDebt, AgreedNotesComeInOnTheirDate) {
  ScenarioData data = rich_company(6);
  Tranche notes = tranche_of(TrancheKind::notes, 0);
  notes.draw_start_month = 0.0F;
  notes.commitment = 2'000, notes.issue_month = 3, notes.fixed_rate = 0.09F, notes.upfront_fee_share = 0.02F;
  data.tranche = {notes};
  Sheet sheet(data);
  for (int t = 1; t <= 6; ++t) {
    Month m;
    m.interest = t > 3 ? 15 : 0;
    m.drawn = t == 3 ? 2'000 : 0;
    m.debt_fees = t == 3 ? 40 : 0;
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// Drawn in months 2 and 4 against capex of 1,000 each, at the spread of that month. Earlier draws keep their
// spread.
TEST(HandDebt, UncommittedDrawsCostTheSpreadOfTheDay) {
  ScenarioData data = rich_company(8);
  set_short_rate(data, 0.03);
  data.parameters.rates.spread.start = 0.4F;  // fades by 0.9 a month
  for (const double month : {2.0, 4.0}) {
    Site s = new_site(10, 30, month == 2.0 ? "two" : "four");
    s.order_month = static_cast<Real>(month);
    s.capex = 1'000, s.order_share = 1.0F, s.tranche = 0;
    data.site.push_back(s);
  }
  Tranche d = tranche_of(TrancheKind::ddtl, 300);
  d.commitment = 5'000, d.needs_window = 1, d.advance_rate = 0.8F, d.spread = 0.05F;
  d.draw_start_month = 0.0F, d.draw_end_month = 20.0F;
  data.tranche = {d};
  Sheet sheet(data);
  double balance = 300, spread = 0.05;
  for (int t = 1; t <= 8; ++t) {
    Month m;
    m.rate = 0.03;
    m.interest = rounded(balance * (0.03 + spread) / 12);
    if (t == 2 || t == 4) {
      m.capex = 1'000, m.drawn = 800;
      const double of_the_day = 0.05 * std::exp(0.4 * std::pow(0.9, t));
      spread = (balance * spread + 800 * of_the_day) / (balance + 800);
      balance += 800;
    }
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// Costs of 100 a month until month 5, then receipts of 200.
ScenarioData company_with_a_hole(std::int32_t months) {
  ScenarioData data = still_company(months);
  data.entity[0].cash = 250;
  data.entity[0].min_cash = 80;
  data.entity[0].sga_fixed_month = 100.0F;
  data.site = {new_site(1'000, 5)};
  data.site[0].ramp_months = 0.001F;
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 1'000, 300 / 730.5, 5, 100)};
  return data;
}
Month month_of_the_hole(int t) {
  Month m;
  m.online = m.used = t > 5 ? (t == 6 ? 999.5 : 1'000) : 0;
  m.fees = t > 5 ? 300 : 0;
  m.backlog = rounded(300.0 * (t < 6 ? 100 : 106 - t));
  return m;
}

TEST(HandLiquidity, RevolverIsDrawnToTheMinimumAndRepaid) {
  ScenarioData data = company_with_a_hole(12);
  set_short_rate(data, 0.05);
  data.entity[0].revolver = 0;
  Tranche revolver = tranche_of(TrancheKind::revolver, 0);
  revolver.commitment = 1'000, revolver.spread = 0.03F, revolver.commitment_fee = 0.012F;
  data.tranche = {revolver};
  Sheet sheet(data);
  double most = 0;
  for (int t = 1; t <= 12; ++t) {
    Month m = month_of_the_hole(t);
    m.rate = 0.05;
    m.interest = rounded(sheet.revolver() * 0.08 / 12);
    m.debt_fees = rounded(sheet.undrawn() * 0.012 / 12);
    sheet.close(m);
    most = std::max(most, sheet.revolver());
  }
  ASSERT_GT(most, 300);
  ASSERT_EQ(sheet.revolver(), 0);
  expect_equal(data, sheet);
  EXPECT_EQ(column_of(data, kLiquidityDefaultMonth), kNever);
  EXPECT_EQ(column_of(data, kPeakFundingGap), 0);
}

// Also in the month in which it ends a revolver costs the fee for the amount that was undrawn until then.
TEST(HandLiquidity, AMaturedRevolverIsRepaidAndGone) {
  ScenarioData data = company_with_a_hole(12);
  data.entity[0].revolver = 0;
  Tranche revolver = tranche_of(TrancheKind::revolver, 0);
  revolver.commitment = 1'000, revolver.spread = 0.03F, revolver.commitment_fee = 0.012F, revolver.maturity = 4;
  data.tranche = {revolver};
  Sheet sheet(data);
  for (int t = 1; t <= 12; ++t) {
    Month m = month_of_the_hole(t);
    m.interest = rounded(sheet.revolver() * 0.03 / 12);
    m.debt_fees = t <= 4 ? rounded(sheet.undrawn() * 0.012 / 12) : 0;
    if (t == 4) m.maturities = sheet.revolver(), sheet.revolver_matures();
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandLiquidity, ADefaultCarriesItsGapUntilItIsRepaid) {
  ScenarioData data = company_with_a_hole(12);
  Sheet sheet(data);
  double peak = 0;
  std::optional<int> first;
  for (int t = 1; t <= 12; ++t) {
    sheet.close(month_of_the_hole(t));
    peak = std::max(peak, sheet.gap());
    if (sheet.gap() > 0 && !first) first = t;
  }
  ASSERT_EQ(first, 3);
  ASSERT_EQ(peak, 250);
  ASSERT_EQ(sheet.gap(), 0);
  expect_equal(data, sheet);
  EXPECT_EQ(column_of(data, kLiquidityDefaultMonth), 3);
  EXPECT_EQ(column_of(data, kPeakFundingGap), 250);
  EXPECT_EQ(column_of(data, kMinLiquidity), 0);
}

// 100 is missing: 30, 55 and 35 come from shares at 300, 195 and 80 USD, while the last quarter's EBITDA is
// still that of the history. Nothing comes in the next quarter, when a share is worth nothing.
TEST(HandLiquidity, SharesAreSoldAboveTheFloorUpToTheQuartersMaximum) {
  for (const double floor : {5.0, 100.0}) {
    ScenarioData data = company_with_a_hole(12);
    data.entity[0].shares_million = 0.8F;
    data.entity[0].issue_floor_price_usd = static_cast<Real>(floor);
    data.entity[0].issue_max_quarter = 120;
    data.entity[0].cash = 150;
    for (HistoryMonth& h : data.history) h.ebitda = 2'000;
    data.dated_flow = {{0, 2, 40, 0.1F}, {0, 2, 5, 0.0F}};
    Sheet sheet(data);
    double issued = 0;
    for (int t = 1; t <= 12; ++t) {
      Month m = month_of_the_hole(t);
      if (t == 2) m.inflow = 45, m.inflow_shares = 0.1;
      sheet.close(m);
      issued += sheet.rows().back().issued;
    }
    SCOPED_TRACE("floor " + std::to_string(floor));
    expect_equal(data, sheet);
    EXPECT_EQ(issued, floor == 5.0 ? 30 + 55 + 35 : 30 + 55);
  }
}

// ---- The market on plan. ----

TEST(HandMarket, DemandSupplyPriceAndRates) {
  ScenarioData data = rich_company(24);
  Scenario& p = data.parameters;
  p.demand.training_share = 0.4F;
  p.demand.drift_training_month = -0.002F, p.demand.drift_inference_month = -0.003F;
  p.demand.start_regime = kGlut;
  p.demand.shift_month = {0.01F, 0.0F, -0.02F};
  p.demand.start_tightness = 0.05F;
  p.demand.supply_response = 1.0F;
  p.demand.supply_lag_month = static_cast<Real>(1.0 / 18.0);
  p.price = {.cycle_start = 0.1F,
             .tightness_pull = 0.9F,
             .cycle_decay = 0.92F,
             .cycle_mean_add = {0.3F, 0.0F, -0.4F},
             .cycle_sd_month = {},
             .ageing_uncertainty = 0.4F};
  for (int t = 1; t <= 24; ++t) {
    const auto i = static_cast<std::size_t>(t - 1);
    data.month[i].growth_training = static_cast<Real>(0.03 - 0.001 * t);
    data.month[i].growth_inference = static_cast<Real>(0.05 - 0.001 * t);
    data.month[i].supply_growth = 0.04F;
    data.month[i].rate_base = static_cast<Real>(0.03 + 0.0005 * t);
    data.ageing[i] = static_cast<Real>(0.015 * t);
  }
  data.gpu_type[0].floor_usd_per_gpu_hour = 1.05F;
  data.launch = {{.planned_month = 4.0F, .ramp_months = 6.0F, .delay = late_by(1.5)}};
  data.launch_effect = {0.2F};

  Sheet sheet(data);
  double training = 0, inference = 0, supply = 0, ordered = 0, q = 0.05, cycle = 0.1;
  int at_the_floor = 0;
  for (int t = 1; t <= 24; ++t) {
    training += 0.03 - 0.001 * t - 0.02 - 0.002;
    inference += 0.05 - 0.001 * t - 0.02 - 0.003;
    ordered += (1.0 * q - ordered) / 18.0;
    supply += 0.04 + ordered / 12.0;
    q = 0.05 + std::log(0.4 * std::exp(training) + 0.6 * std::exp(inference)) - supply;
    const double mean = 0.9 * q - 0.4;
    cycle = mean + (cycle - mean) * 0.92;
    Month m;
    m.tightness = q;
    const double launched = std::clamp((t - 5.5) / 6.0, 0.0, 1.0);
    m.price = std::max(1.05, kSmallPrice * std::exp(cycle - 0.1 - 0.015 * t - 0.2 * launched));
    at_the_floor += m.price == 1.05;
    m.rate = 0.03 + 0.0005 * t;
    sheet.close(m);
  }
  ASSERT_GT(at_the_floor, 0);
  ASSERT_LT(at_the_floor, 20);
  expect_equal(data, sheet);
}

// ---- Covenants. ----

struct Tested {
  Covenant covenant;
  std::function<double(const Sheet&)> value;
};

double capped(double numerator, double denominator) {
  return denominator > 0 ? std::clamp(numerator / denominator, -1000.0, 1000.0) : 1000.0;
}

// A term loan under a company whose contract ends in month 8: all metrics move. History: 30 a month of EBITDA
// and of cash flow, 10 of interest, 5 of principal, 35 of fees.
TEST(HandCovenants, EightMetricsStepsHolidaysFirstBreachAndLeastHeadroom) {
  constexpr int kMonths = 18;
  ScenarioData data = rich_company(kMonths);
  data.entity[0].cash = 600;
  data.entity[0].revolver = 1;
  data.entity[0].sga_fixed_month = 8.0F;
  data.entity[0].receivable_months = 0.5F, data.entity[0].receivables = 20;
  for (HistoryMonth& h : data.history) h = {30, 10, 5, 30, 35};
  data.history[9].ebitda = 90;  // must drop out of the quarter after month 1, and of the year after month 10
  data.parameters.on_demand.start_utilisation = 0.2F;
  for (int t = 1; t <= kMonths; ++t) data.ageing[static_cast<std::size_t>(t - 1)] = static_cast<Real>(0.03 * t);
  data.site = {running_site(100)};
  Site financed = new_site(50, 2, "financed");
  financed.tranche = 0;
  financed.capex = financed.capex_paid = 3'000;
  financed.gpu_value_share = 0.8F, financed.residual_share = 0.4F, financed.life_months = 48.0F;
  data.site.push_back(financed);
  data.customer = {customer_of("acme")};
  data.contract = {running_contract(0, 80, 1.0, 8, "short"), running_contract(0, 20, 1.0, 40, "long")};
  Tranche term = tranche_of(TrancheKind::term, 2'000);
  term.fixed_rate = 0.06F, term.amortisation_start = 4, term.amortisation_end = term.maturity = 40;
  Tranche revolver = tranche_of(TrancheKind::revolver, 0);
  revolver.commitment = 150, revolver.commitment_fee = 0.05F;
  data.tranche = {term, revolver};

  const auto covenant = [](Metric metric, Window window) {
    Covenant c = covenant_of(0, metric, window);
    if (metric == Metric::ltv) c.tranche = 0;
    return c;
  };
  double loan_now = 0, collateral_now = 0;  // of the month just closed
  const std::vector<Tested> tested = {
      {covenant(Metric::dscr, Window::trailing_3),
       [](const Sheet& s) {
         return capped(s.last(3, &Closed::cfads),
                       s.last(3, &Closed::gross_interest) + s.last(3, &Closed::scheduled));
       }},
      {covenant(Metric::dscr, Window::trailing_12),
       [](const Sheet& s) {
         return capped(s.last(12, &Closed::cfads),
                       s.last(12, &Closed::gross_interest) + s.last(12, &Closed::scheduled));
       }},
      {covenant(Metric::leverage, Window::trailing_12),
       [](const Sheet& s) { return capped(s.debt(), s.last(12, &Closed::ebitda)); }},
      {covenant(Metric::leverage, Window::annualised_quarter),
       [](const Sheet& s) { return capped(s.debt(), 4 * s.last(3, &Closed::ebitda)); }},
      {covenant(Metric::net_leverage, Window::trailing_3),
       [](const Sheet& s) { return capped(s.debt() - s.cash(), 4 * s.last(3, &Closed::ebitda)); }},
      {covenant(Metric::interest_coverage, Window::trailing_12),
       [](const Sheet& s) { return capped(s.last(12, &Closed::ebitda), s.last(12, &Closed::gross_interest)); }},
      {covenant(Metric::interest_coverage, Window::annualised_quarter),
       [](const Sheet& s) { return capped(s.last(3, &Closed::ebitda), s.last(3, &Closed::gross_interest)); }},
      {covenant(Metric::liquidity, Window::trailing_3), [](const Sheet& s) { return s.cash() + s.undrawn(); }},
      {covenant(Metric::ltv, Window::trailing_3),
       [&](const Sheet&) { return capped(loan_now, collateral_now); }},
      {covenant(Metric::backlog_coverage, Window::trailing_3),
       [](const Sheet& s) { return capped(s.rows().back().backlog, s.debt()); }},
  };
  // Monthly from month 2 on, with a holiday in 6 and 7; the threshold steps in month 9.
  const auto is_tested = [](int t) { return t >= 2 && t != 6 && t != 7; };
  const auto threshold = [](Metric metric, int t) {
    switch (metric) {
      case Metric::liquidity:
        return t < 9 ? 640.0 : 690.0;
      case Metric::leverage:
        return t < 9 ? 5.0 : 2.4;
      case Metric::net_leverage:
        return t < 9 ? 5.0 : 1.9;
      case Metric::interest_coverage:
        return t < 9 ? 0.3 : 4.7;
      case Metric::ltv:
        return t < 9 ? 1.0 : 1.2;
      case Metric::dscr:
        return t < 9 ? 1.8 : 0.4;
      default:
        return t < 9 ? 0.3 : 0.45;
    }
  };
  for (std::size_t v = 0; v < tested.size(); ++v) {
    Covenant c = tested[v].covenant;
    c.first_test = static_cast<std::int32_t>(v) * kMonths;
    data.covenant.push_back(c);
    for (int t = 1; t <= kMonths; ++t) {
      data.covenant_test.push_back({is_tested(t) ? 1 : 0, static_cast<Real>(threshold(c.metric, t))});
    }
  }

  Sheet sheet(data);
  double balance = 2'000, depreciated = 0;
  std::vector<std::vector<double>> headroom(tested.size());
  for (int t = 1; t <= kMonths; ++t) {
    Month m;
    m.price = kSmallPrice * std::exp(-0.03 * t);
    const double share_end = std::clamp(t - 2.0, 0.0, 1.0);
    const double share = online_area(t, 2, 1) - online_area(t - 1, 2, 1);
    const double left = (t <= 8 ? 0 : 80) + 50 * share;
    m.fees = (t <= 8 ? rounded(fee(80, 1.0)) : 0) + rounded(fee(20, 1.0));
    m.pool = rounded(fee(t <= 8 ? 0 : 0.2 * 80, m.price)) + rounded(fee(0.2 * 50 * share, m.price));
    m.online = 100 + 50 * share, m.used = m.online - 0.8 * left;
    m.backlog = rounded(fee(80, 1.0) * std::max(0, 8 - t)) + rounded(fee(20, 1.0) * (40 - t));
    m.depreciation = rounded(0.6 * 3'000 / 48 * online_area(t, 2, 1)) - depreciated;
    depreciated += m.depreciation;
    m.interest = rounded(balance * 0.06 / 12);
    m.debt_fees = rounded(sheet.undrawn() * 0.05 / 12);
    if (t >= 4) m.scheduled = rounded(balance / (40 - t + 1));
    balance -= m.scheduled;
    sheet.close(m);
    loan_now = balance;
    // The GPUs came in month 2, at the price of that month.
    const double worth = std::max(0.4, m.price / (kSmallPrice * std::exp(-0.06)));
    collateral_now = t < 2 ? 0 : rounded(0.8 * 3'000 * share_end * worth * (1 - (t - 2) / 48.0));
    for (std::size_t v = 0; v < tested.size(); ++v) {
      const Covenant& c = tested[v].covenant;
      const double room = tested[v].value(sheet) - threshold(c.metric, t);
      headroom[v].push_back(
          is_tested(t) ? rounded((c.maximum != 0 ? -room : room) * (c.metric == Metric::liquidity ? 1.0 : 1e4))
                       : kFixedMax);
    }
  }
  expect_equal(data, sheet);

  const std::vector<std::int32_t> trace = trace_with_plan(data);
  const ColumnLayout l = column_layout(data.view());
  int breached = 0;
  for (std::size_t v = 0; v < tested.size(); ++v) {
    const Covenant& c = tested[v].covenant;
    SCOPED_TRACE("covenant " + std::to_string(v) + ", metric " + std::to_string(static_cast<int>(c.metric)) +
                 ", window " + std::to_string(static_cast<int>(c.window)));
    double least = kFixedMax;
    int first = kNever;
    for (int t = 1; t <= kMonths; ++t) {
      const auto i = static_cast<std::size_t>(t - 1);
      EXPECT_EQ(trace[(kMeasureCount + v) * kMonths + i], headroom[v][i])
          << "threshold " << threshold(c.metric, t) << "; " << sheet.rows()[i].inputs;
      least = std::min(least, headroom[v][i]);
      if (headroom[v][i] < 0 && first == kNever) first = t;
    }
    EXPECT_EQ(column_of(data, l.first_breach(static_cast<std::int32_t>(v))), first);
    EXPECT_EQ(column_of(data, l.min_headroom(static_cast<std::int32_t>(v))), least);
    breached += first != kNever;
  }
  EXPECT_GE(breached, 8) << "too few breaches to say much of first breaches";
}

// The plan's revenue in the window; one of the contracts ends early by its customer's default in month 5.
TEST(HandCovenants, RealizationIsMeasuredAgainstThePlanAndReachesIntoHistory) {
  constexpr int kMonths = 16;
  ScenarioData data = rich_company(kMonths);
  data.parameters.switches = kDefault;
  for (HistoryMonth& h : data.history) h.contracted_revenue = 120;
  data.site = {running_site(100)};
  data.customer = {customer_of("acme"), customer_of("other")};
  const double threshold = -std::log(uniform_of(data.customer[0].stream, Word::w0));
  data.customer[0].default_intensity_month = static_cast<Real>(threshold / 4.5);
  data.contract = {running_contract(0, 40, 2.0, 10, "failing"), running_contract(0, 60, 2.0, 40, "other")};
  data.contract[1].customer = 1;
  for (const Window window : {Window::trailing_3, Window::trailing_12}) {
    data.covenant.push_back(covenant_of(-1, Metric::contract_realization, window, data.covenant_test.size()));
    for (int t = 1; t <= kMonths; ++t) data.covenant_test.push_back({1, 0.75F});
  }
  const std::vector<std::int32_t> trace = trace_with_plan(data);
  const auto earned = [](int t, bool plan) {
    if (t < 1) return 120.0;
    return rounded(fee(60, 2.0)) + (t <= (plan ? 10 : 4) ? rounded(fee(40, 2.0)) : 0.0);
  };
  for (std::size_t v = 0; v < 2; ++v) {
    for (int t = 1; t <= kMonths; ++t) {
      double actual = 0, plan = 0;
      for (int k = t - (v == 0 ? 3 : 12) + 1; k <= t; ++k) actual += earned(k, false), plan += earned(k, true);
      EXPECT_EQ(trace[(kMeasureCount + v) * kMonths + static_cast<std::size_t>(t) - 1],
                rounded(1e4 * (actual / plan - 0.75)))
          << "month " << t << ", window " << (v == 0 ? 3 : 12) << ": " << actual << " of " << plan;
    }
  }
  const ColumnLayout l = column_layout(data.view());
  EXPECT_EQ(column_of(data, l.first_breach(0)), 6);
}

// Without a tranche, loan to value is the entity's debt over all its GPUs that are financed.
TEST(HandCovenants, LoanToValueWithoutATrancheIsOfAllDebt) {
  ScenarioData data = rich_company(4);
  Site s = new_site(50, 0);
  s.capex = s.capex_paid = 3'000;
  s.gpu_value_share = 1.0F, s.life_months = 48.0F, s.tranche = 0;
  data.site = {s};
  data.tranche = {tranche_of(TrancheKind::term, 2'000)};
  data.covenant = {covenant_of(0, Metric::ltv, Window::trailing_3)};
  data.covenant_test.assign(4, {1, 0.5F});
  const std::vector<std::int32_t> trace = trace_with_plan(data);
  for (int t = 1; t <= 4; ++t) {
    const double value = rounded(3'000 * (1 - t / 48.0));
    EXPECT_EQ(trace[static_cast<std::size_t>(kMeasureCount * 4 + t - 1)], rounded(1e4 * (0.5 - 2'000 / value)))
        << "month " << t << ": 2,000 on " << value;
  }
}

// Ratios with each side below zero, zero and above it. A minimum passes if there is nothing to pay; a maximum
// passes if nothing is owed, and fails if something is and there is no EBITDA. Debt 0 or 1,000, cash 100 or
// 1,100, EBITDA -20, 0 or 20 a month.
TEST(HandCovenants, RatiosOfEachSign) {
  for (const double debt : {0.0, 1'000.0}) {
    for (const double cash : {100.0, 5'000.0}) {
      for (const double ebitda : {-20.0, 0.0, 20.0}) {
        ScenarioData data = still_company(1);
        data.entity[0].cash = static_cast<Money>(cash);
        data.entity[0].sga_fixed_month = static_cast<Real>(-ebitda);
        if (debt > 0) data.tranche = {tranche_of(TrancheKind::term, static_cast<Money>(debt))};
        for (const Metric metric : {Metric::leverage, Metric::net_leverage}) {
          data.covenant.push_back(covenant_of(0, metric, Window::trailing_12, data.covenant_test.size()));
          data.covenant_test.push_back({1, 4.0F});
        }
        const std::vector<std::int32_t> trace = trace_with_plan(data);
        for (std::size_t v = 0; v < 2; ++v) {
          const double owed = v == 0 ? debt : debt - (cash + ebitda);
          const double value =
              ebitda > 0 ? std::clamp(owed / ebitda, -1000.0, 1000.0) : (owed > 0 ? 1000.0 : 0.0);
          EXPECT_NEAR(trace[kMeasureCount + v], 1e4 * (4.0 - value), 1.0)
              << "covenant " << v << ", debt " << debt << ", cash " << cash << ", EBITDA " << ebitda;
        }
      }
    }
  }
}

// Ratios without a denominator: a minimum passes if there is nothing to pay, a maximum if nothing is owed.
TEST(HandCovenants, RatiosOfNothing) {
  ScenarioData data = still_company(3);
  data.entity[0].cash = 100;
  const Metric safe[] = {Metric::dscr, Metric::interest_coverage, Metric::backlog_coverage};
  for (const Metric metric : {safe[0], safe[1], safe[2], Metric::leverage}) {
    data.covenant.push_back(covenant_of(0, metric, Window::trailing_3, data.covenant_test.size()));
    for (int t = 1; t <= 3; ++t) data.covenant_test.push_back({1, 2.0F});
  }
  const std::vector<std::int32_t> trace = trace_with_plan(data);
  for (std::size_t v = 0; v < 4; ++v) {
    EXPECT_EQ(trace[(kMeasureCount + v) * 3], v < 3 ? 9'980'000 : 20'000) << "covenant " << v;
  }
}

// ---- From the config to the months. ----

Company demo_with(const std::string& more, std::vector<std::string> sets = {}) {
  const std::string file = configs_dir + "demo.toml";
  return load_company({.file = file, .sets = std::move(sets), .read = [&](const std::string& name) {
                         std::ifstream stream(name, std::ios::binary);
                         std::ostringstream text;
                         text << stream.rdbuf() << (name == file ? more : "");
                         return std::optional(text.str());
                       }});
}

TEST(HandConfig, NotesAgreedInTheConfigComeInOnTheirDate) {
  const auto debt = [](const std::string& more) {
    Company company = demo_with(more);
    const std::vector<std::int32_t> trace = [&] {
      make_plan(company.data);
      Scenario s = company.data.view();
      s.switches = 0;
      return trace_path(s, kSeed, kPath);
    }();
    return std::vector(trace.begin() + kDebt * 60, trace.begin() + kDebt * 60 + 6);
  };
  const std::vector<std::int32_t> before = debt("");
  const std::vector<std::int32_t> after = debt(R"(
[[tranche]]
id = "agreed"
kind = "notes"
balance_musd = 0.0
undrawn_musd = 40.0
issue_date = 2026-06-30
fixed_rate_per_year = 0.09
maturity = 2031-06-30
)");
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(after[i] - before[i], i < 2 ? 0 : 40'000) << "month " << i + 1;
  }
}

TEST(HandConfig, EveryMonthOfTheDemosPlanAddsUpToItsYearsAndQuarters) {
  Company company = demo_with("");
  make_plan(company.data);
  Scenario s = company.data.view();
  s.switches = 0;
  const std::vector<std::int32_t> trace = trace_path(s, kSeed, kPath);
  const Outcomes outcomes = run_paths(s, {kSeed, kPath, 1});
  const ColumnLayout& l = outcomes.layout;
  const auto months = static_cast<std::size_t>(s.months);
  std::vector<std::int64_t> year(static_cast<std::size_t>(l.years)),
      quarter(static_cast<std::size_t>(l.quarters));
  for (std::size_t t = 0; t < months; ++t) {
    // As of 31 March: April is month 1.
    year[(t + 3) / 12] += trace[kFcf * months + t];
    quarter[t / 3] += trace[kFcf * months + t];
  }
  for (std::int32_t y = 0; y < l.years; ++y) {
    EXPECT_EQ(read_column(outcomes, l.year(kYearFcf, y)).front(), year[static_cast<std::size_t>(y)])
        << "year " << y;
  }
  for (std::int32_t q = 0; q < l.quarters; ++q) {
    EXPECT_EQ(read_column(outcomes, l.quarter_fcf(q)).front(), quarter[static_cast<std::size_t>(q)])
        << "quarter " << q;
  }
}

}  // namespace
}  // namespace headroom
