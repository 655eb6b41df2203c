// SPDX-License-Identifier: Apache-2.0
// A group with all risks on: its books, and statements about two of its runs that hold path by path.
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
#include "host/cpu/isa.hpp"
#include "host/engine/engine.hpp"
#include "host/plan/make_plan.hpp"

namespace headroom {
namespace {

using namespace group;

// ---- A group with all risks on. ----

// A borrower that builds a site for a contract, under three covenants of its own; a parent with notes, a
// revolver and shares to sell.
constexpr std::int32_t kStressedMonths = 42;
ScenarioData stressed_group() {
  Group group(kStressedMonths);
  ScenarioData& data = group.data;
  Scenario& p = data.parameters;
  p.switches = kAllSwitches;
  moving_market(data);
  p.rates.window_open = {0.8F, 0.7F, 0.4F};
  Entity& borrower = group.borrower();
  borrower.reserve_months = 2.0F, borrower.reserve = 50, borrower.lock_up_dscr = 1.2F;
  borrower.cash_sweep_share = 0.3F;
  borrower.sga_fixed_month = 10.0F;
  borrower.receivable_months = 0.5F, borrower.payable_months_opex = 0.7F, borrower.payable_months_capex = 0.4F;
  Entity& parent = group.parent();
  parent.cash = 3'000;
  parent.sga_fixed_month = 60.0F, parent.sga_share_of_revenue = 0.03F;
  parent.tax_rate = 0.21F, parent.loss_use_share = 0.8F, parent.stock_compensation_month = 9;
  parent.cash_yield_share = borrower.cash_yield_share = 0.8F;
  parent.revolver = 3, parent.refinance_leverage_limit = 5.0F;
  parent.issue_floor_price_usd = 1.0F, parent.issue_max_quarter = 300;
  parent.policy_liquidity = 2'000;
  borrower.sga_share_of_revenue = borrower.tax_rate = 0.0F, borrower.stock_compensation_month = 0;

  Site& old = data.site[1];  // the parent's
  old.gpus = 500.0F, old.power_floating_month = old.power_fixed_month = 40.0F;
  data.site[0].gpus = 100.0F;
  Site late = new_site(400, 5, "late");
  late.stage_delay[kGpus] = always_late(4.0, "site/late/gpus");
  late.ramp_months = 2.0F;
  late.order_month = 2.0F, late.cancel_month = 4.0F, late.cancel_probability = 0.05F, late.sunk_share = 0.1F;
  late.capex = 9'000, late.order_share = 0.2F, late.delivery_share = 0.6F, late.tranche = 0;
  late.gpu_value_share = 0.8F, late.facility_month = 60.0F, late.residual_share = 0.1F;
  late.overrun_sigma = 0.15F, late.overrun_systemic = late.overrun_own = 0.7F;
  late.tail_probability = 0.1F, late.tail_add = 0.3F;
  Site optional = new_site(100, 12, "optional");
  optional.entity = 1, optional.discretionary = 1;
  optional.order_month = 10.0F, optional.capex = 1'500, optional.order_share = 1.0F;
  data.site.push_back(late), data.site.push_back(optional);
  data.customer = {customer_of("acme"), customer_of("beta")};
  for (Customer& each : data.customer) {
    each.default_intensity_month = 0.008F, each.tightness_beta = 2.0F, each.recovery_share = 0.3F;
  }
  Contract dear = running_contract(1, 150, 3.0, 14, "dear");
  dear.entity = 1;
  dear.step_down_hazard_month = 0.08F, dear.step_down_trigger_log = 0.3F, dear.step_down_pass = 0.5F;
  dear.renewal_alpha = 0.4F, dear.renewal_term_months = 12.0F, dear.renewal_discount = 0.3F;
  Contract due = new_contract(2, 350, 2.2, 5, 60, "due");
  due.customer = 1, due.fixed_term = 1, due.end_month = 65.0F;
  due.grace_months = 1.0F, due.damages_share = 0.1F, due.damages_cap = 400.0F;
  due.long_stop_months = 8.0F, due.termination_probability = 0.5F;
  due.prepayment = 600, due.prepayment_month = 2, due.credit_window_months = 24.0F;
  Contract option = new_contract(1, 100, 2.2, 8, 24, "option");
  option.entity = 1, option.option = 1, option.option_month = 6.0F, option.option_alpha = 0.4F;
  data.contract = {dear, option, due};

  Tranche& ddtl = draws(group.owes(0, 0, 0.0), 7'000, 0.7, 20);
  ddtl.needs_window = 1, ddtl.spread = 0.05F, ddtl.commitment_fee = 0.01F, ddtl.upfront_fee_share = 0.01F;
  ddtl.amortisation_start = 16, ddtl.amortisation_end = ddtl.maturity = 60;
  amortises(group.owes(0, 600, 0.09), 1, 36).cash_sweep = 1;
  data.tranche[1].sweepable = 1;
  Tranche& notes = group.owes(1, 1'500, 0.08);
  notes.maturity = 24, notes.refinanceable = 1, notes.refinance_months = 60, notes.refinance_spread = 0.05F;
  Tranche& revolver = group.owes(1, 0, 0.0, TrancheKind::revolver);
  revolver.commitment = 1'000, revolver.spread = 0.03F;

  const auto from = [](int month) { return [=](int t) { return t >= month; }; };
  Covenant contracted = covenant_of(0, Metric::contract_realization, Window::trailing_3);
  contracted.draw_stop = 1, contracted.margin_step = 0.02F, contracted.waivers = 1;
  contracted.waiver_fee_share = 0.01F;
  group.must(with_lenders(data, contracted, {0}), 0.75, from(9));
  Covenant dscr = covenant_of(0, Metric::dscr, Window::trailing_3);
  dscr.cures = 3, dscr.cures_in_row = 2, dscr.cash_trap = dscr.cash_sweep = 1;
  dscr.grace_months = 2, dscr.acceleration_months = 3;
  group.must(with_lenders(data, dscr, {0, 1}), 1.15, from(12));
  Covenant ltv = covenant_of(0, Metric::ltv, Window::trailing_3);
  ltv.tranche = 0, ltv.cures = ltv.cures_in_row = 2, ltv.margin_step = 0.01F;
  group.must(with_lenders(data, ltv, {0}), 0.9, from(18));
  Covenant leverage = covenant_of(-1, Metric::net_leverage, Window::annualised_quarter);
  leverage.cash_sweep = 1;
  group.must(with_lenders(data, leverage, {2}), 4.0, [](int t) { return t % 3 == 0; });
  follow(group, 2, {0}), follow(group, 1, {0});
  make_plan(data);
  return data;
}

std::uint64_t count_before(const std::vector<std::int32_t>& months, std::int32_t never = kNever) {
  return static_cast<std::uint64_t>(
      std::count_if(months.begin(), months.end(), [&](std::int32_t m) { return m < never; }));
}

TEST(StressedGroup, KeepsItsBooksAndUsesEveryMechanism) {
  const ScenarioData data = stressed_group();
  const Outcomes outcomes = run_paths(data.view(), {kSeed, 0, 2'000}, 2);
  const ColumnLayout& l = outcomes.layout;
  EXPECT_EQ(read_column(outcomes, kViolations), std::vector<std::int32_t>(2'000, 0));
  const auto hits = [&](std::int32_t column) { return count_before(read_column(outcomes, column)); };
  for (std::int32_t v = 0; v < l.covenants; ++v) EXPECT_GT(hits(l.first_uncured(v)), 0U) << "covenant " << v;
  for (const std::int32_t v : {0, 1, 2}) {
    EXPECT_LT(hits(l.first_uncured(v)), hits(l.first_breach(v))) << "covenant " << v << " is cured or waived";
  }
  EXPECT_GT(hits(l.accelerated(1)), 0U);
  EXPECT_GT(hits(l.payment_default(0)), 0U);
  EXPECT_GT(hits(kLiquidityDefaultMonth), 0U);
  EXPECT_LT(hits(kLiquidityDefaultMonth), 1'500U);
}

// The same group with other rules for its cash and its covenants, and with the lenders that a config may
// name.
ScenarioData group_of_other_rules(std::uint32_t seed) {
  ScenarioData data = stressed_group();
  std::mt19937 random(seed);
  const auto real = [&](double lo, double hi) {
    return static_cast<Real>(std::uniform_real_distribution<double>(lo, hi)(random));
  };
  const auto whole = [&](int lo, int hi) { return std::uniform_int_distribution<int>(lo, hi)(random); };
  const auto maybe = [&](double p) { return real(0.0, 1.0) < static_cast<Real>(p) ? 1 : 0; };
  for (Entity& e : data.entity) {
    e.cash = whole(0, 3'000), e.min_cash = whole(0, 600);
    e.reserve = maybe(0.5) * whole(0, 300), e.reserve_months = real(0.0, 4.0);
    e.cash_sweep_share = maybe(0.5) != 0 ? real(0.0, 1.0) : 0.0F;
  }
  Entity& borrower = data.entity[0];
  data.entity[1].sga_fixed_month = real(20.0, 500.0);
  borrower.guaranteed = maybe(0.4), borrower.capex_contributed = maybe(0.7);
  borrower.lock_up_dscr = maybe(0.5) != 0 ? real(0.5, 3.0) : 0.0F;
  data.cross_default.clear();
  for (Tranche& t : data.tranche) {
    t.cash_sweep = t.kind == TrancheKind::revolver ? 0 : maybe(0.4);
    t.sweepable = t.cash_sweep, t.may_accelerate = 0, t.cross_defaults = 0;
    if (maybe(0.4) != 0) {
      t.maturity = whole(1, kStressedMonths), t.amortisation_end = std::min(t.amortisation_end, t.maturity);
      t.draw_end_month = std::min(t.draw_end_month, static_cast<Real>(t.maturity));
    }
    t.refinanceable = t.kind == TrancheKind::revolver ? 0 : maybe(0.4);
    t.refinance_months = whole(1, 24), t.refinance_spread = 0.05F;
  }
  const auto count = static_cast<std::int32_t>(data.tranche.size());
  const auto without_recourse = [&](const Tranche& t) { return t.entity == 0 && borrower.guaranteed == 0; };
  for (std::int32_t d = 0; d < count; ++d) {
    Tranche& t = data.tranche[at(d)];
    t.first_cross_default = static_cast<std::int32_t>(data.cross_default.size());
    if (maybe(0.4) == 0) continue;
    data.cross_default.push_back((d + whole(1, count - 1)) % count);
    t.cross_defaults = t.may_accelerate = 1;
    if (without_recourse(t)) t.sweepable = 1;
  }
  data.covenant_target.clear();
  for (Covenant& c : data.covenant) {
    c.window = static_cast<Window>(whole(0, 2));
    c.springing_share = maybe(0.2) != 0 ? real(0.0, 1.0) : 0.0F;
    if (c.springing_share > 0.0F && c.tranche < 0) c.tranche = c.entity < 0 ? 3 : 0;
    c.cures = c.entity < 0 ? 0 : whole(0, 5), c.cures_in_row = whole(1, 5);
    c.waivers = whole(0, 3), c.waiver_fee_share = real(0.0, 0.03), c.first_waiver = whole(0, 20);
    c.cash_trap = maybe(0.5), c.draw_stop = maybe(0.5), c.cash_sweep = maybe(0.5);
    c.margin_step = real(0.0, 0.1), c.grace_months = whole(0, 3);
    c.acceleration_months = maybe(0.5) != 0 ? whole(0, 6) : kNever;
    std::vector<std::int32_t> lenders;
    for (std::int32_t d = 0; d < count; ++d) {
      const bool own = data.tranche[at(d)].entity == (c.entity < 0 ? 1 : c.entity);
      if (own && (maybe(0.6) != 0)) lenders.push_back(d);
    }
    c = with_lenders(data, c, lenders);
  }
  for (CovenantTest& each : data.covenant_test) each.threshold *= real(0.3, 1.5);
  make_plan(data);
  return data;
}
TEST(StressedGroup, KeepsItsBooksUnderOtherRules) {
  std::uint64_t accelerated = 0, unpaid = 0;
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    const ScenarioData data = group_of_other_rules(seed);
    const Outcomes outcomes = run_paths(data.view(), {seed, 0, 128}, 2);
    const std::vector<std::int32_t> flags = read_column(outcomes, kViolations);
    const auto bad = std::find_if(flags.begin(), flags.end(), [](std::int32_t x) { return x != 0; });
    EXPECT_EQ(bad, flags.end()) << "rules " << seed << ", path " << bad - flags.begin() << ": flags " << *bad;
    for (std::int32_t v = 0; v < 4; ++v)
      accelerated += count_before(read_column(outcomes, outcomes.layout.accelerated(v)));
    unpaid += count_before(read_column(outcomes, outcomes.layout.payment_default(0)));
  }
  EXPECT_GT(accelerated, 1'000U);
  EXPECT_GT(unpaid, 1'000U);
}

TEST(StressedGroup, IsTheSameOnEveryInstructionSetAndThreadCount) {
  const ScenarioData data = stressed_group();
  const Scenario s = data.view();
  const PathRange paths = {kSeed, 0, 2'000};
  const Outcomes reference = run_paths(s, paths, 1, "baseline");
  for (const std::string& isa : cpu_isas()) {
    for (const int threads : {1, 2, 7}) {
      SCOPED_TRACE(fmt::format("{}, {} threads", isa, threads));
      const Outcomes outcomes = run_paths(s, paths, threads, isa);
      EXPECT_EQ(read_columns(outcomes), read_columns(reference));
      EXPECT_EQ(outcomes.histogram, reference.histogram);
      EXPECT_EQ(outcomes.sum, reference.sum);
      EXPECT_EQ(outcomes.failing, reference.failing);
    }
  }
}

// ---- Statements about two runs, path by path. ----

// 50,000 paths unless HEADROOM_TEST_PATHS says otherwise; a million takes about three minutes on two cores.
const std::uint64_t kManyPaths = [] {
  const char* const asked = std::getenv("HEADROOM_TEST_PATHS");
  return asked == nullptr ? 50'000 : std::strtoull(asked, nullptr, 10);
}();
Outcomes run_many(const ScenarioData& data) { return run_paths(data.view(), {kSeed, 0, kManyPaths}, 2); }

void only_covenant(ScenarioData& data, std::size_t v) { data.covenant = {data.covenant[v]}; }

// Cash flow and debt service do not depend on cash here (there is no sweep, no yield on cash, no site that
// waits for liquidity, no lender who calls a loan for a payment default), and a cure only adds to a window.
// So both runs are the same up to the first cure that one has and the other has not. From then on the other
// has no cure left, and its tests are worse.
TEST(Monotone, MoreCuresNeverAccelerateSooner) {
  std::vector<std::int32_t> before;
  for (const std::int32_t cures : {0, 1, 3, 6}) {
    ScenarioData data = stressed_group();
    data.parameters.switches &= ~static_cast<std::uint32_t>(kDiscretion);
    only_covenant(data, 1);
    Covenant& c = data.covenant[0];
    c.cures = cures, c.cures_in_row = 2, c.cash_sweep = 0;
    for (Entity& each : data.entity) each.cash_sweep_share = each.cash_yield_share = 0.0F;
    for (Tranche& each : data.tranche) each.cross_defaults = 0;
    make_plan(data);
    const Outcomes outcomes = run_many(data);
    const std::vector<std::int32_t> months = read_column(outcomes, outcomes.layout.accelerated(0));
    if (!before.empty()) {
      std::uint64_t sooner = 0;
      for (std::size_t i = 0; i < months.size(); ++i) sooner += months[i] < before[i];
      EXPECT_EQ(sooner, 0U) << cures << " cures";
      EXPECT_LT(count_before(months), count_before(before));
    }
    before = months;
  }
}

// Interest of every month is higher: balances are the same, or higher for the revolver. This holds as long as
// nobody reacts: a breach could stop draws or accelerate the loan, shares could be sold, a site might not be
// ordered, notes be repaid instead of extended. Tax offsets less than all of it, and perhaps in later years:
// so the statement is about all years so far.
TEST(Monotone, AHigherSpreadNeverRaisesLeveredCashFlow) {
  const auto levered = [](double more) {
    ScenarioData data = stressed_group();
    data.parameters.switches &= ~static_cast<std::uint32_t>(kDecisions);
    data.entity[0].cash_sweep_share = 0.0F;
    data.entity[1].refinance_leverage_limit = 1'000.0F;
    data.tranche[0].spread += static_cast<Real>(more);
    const Outcomes outcomes = run_many(data);
    std::vector<std::vector<std::int32_t>> so_far;
    for (std::int32_t y = 0; y < outcomes.layout.years; ++y) {
      so_far.push_back(read_column(outcomes, outcomes.layout.year(kYearLeveredFcf, y)));
      if (y == 0) continue;
      for (std::size_t i = 0; i < kManyPaths; ++i) so_far[at(y)][i] += so_far[at(y - 1)][i];
    }
    return so_far;
  };
  const auto cheap = levered(0.0), dear = levered(0.02);
  for (std::size_t y = 0; y < cheap.size(); ++y) {
    std::uint64_t higher = 0, lower = 0;
    for (std::size_t i = 0; i < kManyPaths; ++i)
      higher += dear[y][i] > cheap[y][i], lower += dear[y][i] < cheap[y][i];
    EXPECT_EQ(higher, 0U) << "up to year " << y;
    EXPECT_GT(lower, kManyPaths / 2) << "up to year " << y;
  }
}

// The loan has no interest and is due after the end, so a missed draw saves nothing: cash is lower by the
// missed draw, and then the same again. (With interest, a missed draw may well be better.)
TEST(Monotone, ADrawStopNeverPutsOffALiquidityDefault) {
  const auto defaults = [](std::int32_t stop) {
    ScenarioData data = stressed_group();
    data.parameters.switches &= ~static_cast<std::uint32_t>(kDiscretion | kEquity);
    only_covenant(data, 0);
    Covenant& c = data.covenant[0];
    c.draw_stop = stop, c.margin_step = 0.0F, c.waivers = 0;
    Tranche& loan = data.tranche[0];
    loan.spread = 0.0F, loan.hedged_share = 1.0F, loan.commitment_fee = loan.upfront_fee_share = 0.0F;
    loan.amortisation_start = loan.amortisation_end = kNever;
    for (Tranche& each : data.tranche) each.cross_defaults = 0;
    for (Entity& each : data.entity) {
      each.cash_sweep_share = each.cash_yield_share = each.tax_rate = 0.0F;
      each.refinance_leverage_limit = 1'000.0F;
    }
    for (std::size_t t = 0; t < at(kStressedMonths); ++t) data.covenant_test[t] = {t >= 3 ? 1 : 0, 0.75F};
    make_plan(data);
    return read_column(run_many(data), kLiquidityDefaultMonth);
  };
  const std::vector<std::int32_t> without = defaults(0), with = defaults(1);
  std::uint64_t later = 0;
  for (std::size_t i = 0; i < kManyPaths; ++i) later += with[i] > without[i];
  EXPECT_EQ(later, 0U);
  EXPECT_GT(count_before(with), count_before(without));
}

// Measured against the plan that was given to the lenders, which does not change. The contract ends on its
// date, so later service means less revenue in all; its price is fixed, and its customer may leave sooner but
// not later. So a later site never lowers the probability of a breach, and never delays one.
TEST(Monotone, LaterSitesNeverSaveARealization) {
  ScenarioData data = stressed_group();
  data.parameters.switches &= ~static_cast<std::uint32_t>(kDecisions);
  std::vector<std::int32_t> before;
  for (const Real months : {0.0F, 1.0F, 3.0F}) {
    ScenarioData later = data;
    later.site[2].stage_delay[kGpus].earliest_months += months;
    const Outcomes outcomes = run_many(later);
    const std::vector<std::int32_t> first = read_column(outcomes, outcomes.layout.first_breach(0));
    if (!before.empty()) {
      std::uint64_t put_off = 0;
      for (std::size_t i = 0; i < first.size(); ++i) put_off += first[i] > before[i];
      EXPECT_EQ(put_off, 0U) << months << " months";
      EXPECT_GT(count_before(first), count_before(before));
    }
    before = first;
  }
}

}  // namespace
}  // namespace headroom
