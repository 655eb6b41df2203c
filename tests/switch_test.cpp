// SPDX-License-Identifier: Apache-2.0
// Switches. With all off, every path is the plan, to the bit. Each mechanism acts when it alone is on, moves
// its own drivers and no others, and draws nothing when it is off.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "host/cpu/trace.hpp"
#include "host/engine/engine.hpp"
#include "host/plan/make_plan.hpp"
#include "small_company.hpp"

namespace headroom {
namespace {

using Columns = std::vector<std::vector<std::int32_t>>;

Columns run_with(const ScenarioData& data, std::uint32_t switches, std::uint64_t paths = 256) {
  Scenario s = data.view();
  s.switches = switches;
  return read_columns(run_paths(s, {20260331, 0, paths}));
}

std::vector<std::string> differing(const ColumnLayout& l, const Columns& a, const Columns& b) {
  std::vector<std::string> names;
  for (std::size_t c = 0; c < a.size(); ++c) {
    if (a[c] != b[c]) names.push_back(column_name(l, static_cast<std::int32_t>(c)));
  }
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& each : names) {
    if (!text.empty()) text += ", ";
    text += each;
  }
  return text.empty() ? "none" : text;
}

// ---- All off. ----

TEST(Switches, WithAllOffEveryPathIsThePlan) {
  constexpr std::uint64_t kPaths = 1'000;
  for (const char* file : config_files) {
    ScenarioData data = load_company({.file = configs_dir + file}).data;
    make_plan(data);
    // The plan as it was made: without a plan to follow.
    Scenario unplanned = data.view();
    unplanned.switches = unplanned.has_plan = 0;
    std::vector<std::int32_t> plan = trace_path(unplanned, 0, 0);
    Scenario s = data.view();
    s.switches = 0;
    // What is measured against a lenders' case is so only once there is a plan.
    const std::vector<std::int32_t> planned = trace_path(s, 0, 0);
    for (std::int32_t k = 0; k < s.covenant.size * s.months; ++k) {
      if (s.covenant_test[k].lenders_case == 0) continue;
      const auto at = static_cast<std::size_t>(kMeasureCount * s.months + k);
      plan[at] = planned[at];
    }
    Columns first;
    for (const std::uint64_t seed : {0ULL, 20260331ULL, 0xfedcba9876543210ULL}) {
      SCOPED_TRACE(std::string(file) + ", seed " + std::to_string(seed));
      const Outcomes outcomes = run_paths(s, {seed, seed % 1'000, kPaths});
      const ColumnLayout& l = outcomes.layout;
      const Columns columns = read_columns(outcomes);
      if (first.empty()) first = columns;
      for (std::int32_t c = 0; c < l.count(); ++c) {
        if (c == kSystemicDelay) continue;  // below
        const auto& values = columns[static_cast<std::size_t>(c)];
        EXPECT_EQ(static_cast<std::uint64_t>(std::count(values.begin(), values.end(), values[0])), kPaths)
            << column_name(l, c) << " is not the same on all paths";
        EXPECT_EQ(values[0], first[static_cast<std::size_t>(c)][0])
            << column_name(l, c) << " depends on the seed";
      }
      for (std::size_t k = 0; k < plan.size(); ++k) {
        const auto row = k / static_cast<std::size_t>(s.months);
        const bool tested = row < kMeasureCount || plan[k] != kFixedMax;
        EXPECT_EQ(outcomes.sum[k], tested ? static_cast<std::int64_t>(kPaths) * plan[k] : 0)
            << "series " << row << ", month " << k % static_cast<std::size_t>(s.months) + 1;
      }
      for (std::int32_t c = 0; c < kYearColumnCount; ++c) {
        std::int64_t all_years = 0, all_months = 0;
        for (std::int32_t y = 0; y < l.years; ++y) {
          all_years += columns[static_cast<std::size_t>(l.year(static_cast<YearColumn>(c), y))][0];
        }
        for (std::int32_t t = 0; t < s.months; ++t) {
          all_months += plan[static_cast<std::size_t>(kYearTable[c].measure * s.months + t)];
        }
        EXPECT_EQ(all_years, all_months) << "year column " << c;
      }
      for (std::int32_t i = 0; i < l.customers; ++i) {
        EXPECT_EQ(columns[static_cast<std::size_t>(l.default_month(i))][0], kNever) << "customer " << i;
      }
    }
  }
}

// Every normal at 0, and the systemic delay is one.
TEST(Switches, WithAllOffTheSystemicDelayIsZero) {
  for (const char* file : config_files) {
    ScenarioData data = load_company({.file = configs_dir + file}).data;
    make_plan(data);
    EXPECT_EQ(run_with(data, 0, 100)[kSystemicDelay], std::vector<std::int32_t>(100, 0)) << file;
  }
}

TEST(Switches, EachHasItsKeyInTheConfig) {
  const std::string file = configs_dir + "demo.toml";
  for (const SwitchTraits& each : kSwitchTable) {
    const Company company =
        load_company({.file = file, .sets = {std::string("switches.") + each.name + "=false"}});
    EXPECT_EQ(company.data.parameters.switches, kAllSwitches & ~static_cast<std::uint32_t>(each.bit))
        << each.name;
  }
}

// ---- One by one. ----

// Has every mechanism. The plan is late by four months, past grace and long-stop; the odds of renewal and
// options do not depend on the market, so that 1/2 always renews and exercises.
ScenarioData company_of_all_mechanisms() {
  constexpr std::int32_t kMonths = 36;
  ScenarioData data = still_company(kMonths);
  moving_market(data);
  data.launch = {{.planned_month = 6.0F, .ramp_months = 6.0F, .delay = always_late(2.0, "gpu/next/launch")}};
  data.launch_effect = {0.15F};
  data.parameters.freeze = {.possible = 1,
                            .begins = {0.05F, 0.05F, 0.1F},
                            .ends = 0.2F,
                            .training_month = -0.02F,
                            .inference_month = -0.01F,
                            .spread_factor = 1.3F,
                            .stream = derive::stream_id("market/freeze")};

  Entity e = data.entity[0];
  e.cash = 6'000, e.min_cash = 500;
  e.sga_fixed_month = 20.0F;
  e.revolver = 2;
  e.refinance_leverage_limit = 100.0F;
  e.issue_floor_price_usd = 0.0F, e.issue_max_quarter = 400;
  e.policy_liquidity = 9'300;
  Entity borrower = ring_fenced(data, 200);
  borrower.min_cash = 50;
  data.entity = {borrower, e};
  data.history.assign(24, HistoryMonth{});
  Site old = running_site(400);
  old.power_floating_month = old.power_fixed_month = 30.0F;
  Site late = new_site(400, 5);
  late.stage_delay[kGpus] = always_late(4.0, "site/new/gpus");
  late.ramp_months = 2.0F;
  late.order_month = 3.0F, late.cancel_month = 4.0F, late.cancel_probability = 0.3F, late.sunk_share = 0.1F;
  late.capex = 12'000, late.order_share = 0.2F, late.delivery_share = 0.6F, late.tranche = 1;
  late.overrun_sigma = 0.15F, late.overrun_systemic = late.overrun_own = 0.7F;
  late.tail_probability = 0.1F, late.tail_add = 0.5F;
  late.discretionary = 1;
  old.entity = 1;
  data.site = {old, late};
  data.customer = {customer_of("acme"), customer_of("beta")};
  for (Customer& each : data.customer) {
    each.default_intensity_month = 0.01F, each.tightness_beta = 2.0F, each.recovery_share = 0.3F;
  }
  Contract dear = running_contract(0, 150, 3.5, 14, "dear");
  dear.step_down_hazard_month = 0.08F, dear.step_down_trigger_log = 0.3F, dear.step_down_pass = 0.5F;
  dear.renewal_alpha = 0.4F, dear.renewal_term_months = 12.0F, dear.renewal_discount = 0.3F;
  Contract option = new_contract(0, 100, 2.2, 8, 24, "option");
  option.option = 1, option.option_month = 6.0F, option.option_alpha = 0.4F;
  Contract due = new_contract(1, 300, 2.4, 5, 24, "due");
  due.customer = 1;
  due.grace_months = 1.0F, due.damages_share = 0.1F, due.damages_cap = 400.0F;
  due.long_stop_months = 3.0F, due.termination_probability = 0.5F;
  due.prepayment = 600, due.prepayment_month = 2, due.credit_window_months = 24.0F;
  dear.entity = option.entity = 1;
  data.contract = {dear, option, due};
  Tranche notes = tranche_of(TrancheKind::notes, 3'000);
  notes.fixed_rate = 0.08F, notes.maturity = 10;
  notes.refinanceable = 1, notes.refinance_months = 60, notes.refinance_spread = 0.05F;
  Tranche ddtl = tranche_of(TrancheKind::ddtl, 0);
  ddtl.commitment = 9'000, ddtl.needs_window = 1, ddtl.advance_rate = 0.7F, ddtl.spread = 0.04F;
  ddtl.draw_start_month = 0.0F, ddtl.draw_end_month = 30.0F;
  Tranche revolver = tranche_of(TrancheKind::revolver, 0);
  revolver.commitment = 2'000, revolver.spread = 0.03F;
  notes.entity = revolver.entity = 1;
  data.tranche = {notes, ddtl, revolver};
  Covenant realization = covenant_of(0, Metric::contract_realization, Window::trailing_3, kMonths);
  realization.cures = 3, realization.cures_in_row = 2;
  realization.draw_stop = realization.cash_trap = 1, realization.margin_step = 0.03F;
  data.covenant = {covenant_of(1, Metric::liquidity, Window::trailing_3), with_lenders(data, realization, {1})};
  data.covenant_test.assign(kMonths, {1, 1'000.0F});
  for (int t = 1; t <= kMonths; ++t) data.covenant_test.push_back({t > 6 ? 1 : 0, 0.85F});
  make_plan(data);
  return data;
}

// A driver that the path reports, by the name of its column; sites and customers stand for all of theirs.
constexpr PathColumn kDrivers[] = {kMeanTightness,        kMeanPrice,           kMeanShortRate,
                                   kMeanSpreadMultiplier, kMeanPowerMultiplier, kMeanChurn,
                                   kGlutMonths,           kMaxMonthsLate,       kAgeingMultiplier};

struct Mechanism {
  Switch bit;
  std::vector<PathColumn> moves;  // drivers, when it alone is on; no other may move
  std::vector<PathColumn> gone;   // drivers that are the plan's when it alone is off
  // Changes a parameter that only the mechanism uses, and the plan does not.
  std::function<void(ScenarioData&)> disturb;
};

const std::vector<Mechanism>& mechanisms() {
  using Data = ScenarioData;
  static const std::vector<Mechanism> all = {
      {kDemand,
       {kMeanTightness, kMeanPrice, kMeanSpreadMultiplier},
       {},
       [](Data& d) { d.parameters.demand.sigma_training_month *= 1.5F; }},
      {kRegimes,
       {kMeanTightness, kMeanPrice, kMeanSpreadMultiplier, kGlutMonths},
       {kGlutMonths},
       [](Data& d) { d.parameters.demand.stay_or_worse[kBalanced][0] = 0.1F; }},
      {kJumps,
       {kMeanTightness, kMeanPrice, kMeanSpreadMultiplier},
       {},
       [](Data& d) { d.parameters.demand.jump_probability_month = 0.2F; }},
      // A mechanism without draws of its own follows the plan if all others are on plan.
      {kSupply, {}, {}, [](Data& d) { d.parameters.demand.supply_response = 0.2F; }},
      {kAgeing,
       {kMeanPrice, kAgeingMultiplier},
       {kAgeingMultiplier},
       [](Data& d) { d.parameters.price.ageing_uncertainty = 0.6F; }},
      {kLaunches, {kMeanPrice}, {}, [](Data& d) { d.launch[0].delay.own *= 1.5F; }},
      {kPriceCycle,
       {kMeanPrice},
       {},
       [](Data& d) {
         d.parameters.price.cycle_sd_month = {0.2F, 0.2F, 0.2F};
       }},
      {kDelivery,
       {kMaxMonthsLate},
       {},  // a site that is given up is not late
       [](Data& d) { d.site[1].stage_delay[kGpus].own *= 1.5F; }},
      {kOverrun, {}, {}, [](Data& d) { d.site[1].overrun_sigma = 0.3F; }},
      {kCancellation, {kMaxMonthsLate}, {}, [](Data& d) { d.site[1].cancel_probability = 0.8F; }},
      {kRates,
       {kMeanShortRate},
       {kMeanShortRate},
       [](Data& d) { d.parameters.rates.short_rate.sd_month = 0.004F; }},
      {kSpread, {kMeanSpreadMultiplier}, {}, [](Data& d) { d.parameters.rates.spread.sd_month = 0.2F; }},
      {kPower,
       {kMeanPowerMultiplier},
       {kMeanPowerMultiplier},
       [](Data& d) { d.parameters.rates.power.sd_month = 0.2F; }},
      {kFundingWindow,
       {},
       {},
       [](Data& d) {
         d.parameters.rates.window_open = {0.2F, 0.2F, 0.2F};
       }},
      {kFundingFreeze,
       {kMeanTightness, kMeanPrice, kMeanSpreadMultiplier},
       {},
       [](Data& d) {
         d.parameters.freeze.begins = {0.5F, 0.5F, 0.5F};
       }},
      {kChurn, {kMeanChurn}, {kMeanChurn}, [](Data& d) { d.parameters.on_demand.churn.sd_month = 0.2F; }},
      {kDefault, {}, {}, [](Data& d) { d.customer[0].default_intensity_month = 0.05F; }},
      {kDamages, {}, {}, [](Data& d) { d.contract[2].damages_share = 0.2F; }},
      {kTermination, {}, {}, [](Data& d) { d.contract[2].termination_probability = 0.9F; }},
      {kStepDown, {}, {}, [](Data& d) { d.contract[0].step_down_hazard_month = 0.3F; }},
      {kRenewal, {}, {}, [](Data& d) { d.contract[0].renewal_alpha = 1.4F; }},
      {kOptions, {}, {}, [](Data& d) { d.contract[1].option_alpha = 1.4F; }},
      {kAttrition, {}, {}, [](Data& d) { d.parameters.on_demand.attrition_month = 0.2F; }},
      // Decisions: as long as nothing goes wrong, there are none to take.
      {kCures, {}, {}, [](Data& d) { d.covenant[1].cures = 1; }},
      {kConsequences, {}, {}, [](Data& d) { d.covenant[1].margin_step = 0.05F; }},
      {kDiscretion, {}, {}, [](Data& d) { d.entity[1].policy_liquidity = 20'000; }},
      {kEquity, {}, {}, [](Data& d) { d.entity[1].issue_max_quarter = 100; }},
  };
  return all;
}

std::string name_of(Switch bit) {
  const auto at = std::find_if(std::begin(kSwitchTable), std::end(kSwitchTable),
                               [&](const SwitchTraits& each) { return each.bit == bit; });
  return at == std::end(kSwitchTable) ? "?" : at->name;
}

bool draws_nothing(Switch bit) { return bit == kSupply || bit == kAttrition || (bit & kDecisions) != 0; }

TEST(Switches, TheTableIsWhole) {
  std::uint32_t in_table = 0, named = 0;
  for (const Mechanism& each : mechanisms()) in_table |= each.bit;
  for (const SwitchTraits& each : kSwitchTable) named |= each.bit;
  EXPECT_EQ(in_table, kAllSwitches);
  EXPECT_EQ(named, kAllSwitches);
  EXPECT_EQ(mechanisms().size(), kSwitchCount);
}

TEST(Switches, AloneEachMovesWhatIsItsOwn) {
  const ScenarioData data = company_of_all_mechanisms();
  const ColumnLayout l = column_layout(data.view());
  const Columns plan = run_with(data, 0);
  for (const Mechanism& each : mechanisms()) {
    const Columns alone = run_with(data, each.bit);
    const std::vector<std::string> changed = differing(l, alone, plan);
    SCOPED_TRACE(name_of(each.bit) + " alone on; moved: " + joined(changed));
    EXPECT_EQ(changed.empty(), draws_nothing(each.bit));
    for (const PathColumn driver : kDrivers) {
      const bool its_own = std::find(each.moves.begin(), each.moves.end(), driver) != each.moves.end();
      EXPECT_EQ(alone[driver] != plan[driver], its_own) << column_name(l, driver);
    }
    const auto column = [](std::int32_t c) { return static_cast<std::size_t>(c); };
    const bool late = alone[column(l.months_late(1))] != plan[column(l.months_late(1))];
    EXPECT_EQ(late, each.bit == kDelivery || each.bit == kCancellation);
    for (std::int32_t c = 0; c < l.customers; ++c) {
      const bool defaults = alone[column(l.default_month(c))] != plan[column(l.default_month(c))];
      EXPECT_EQ(defaults, each.bit == kDefault) << "customer " << c;
    }
    if (draws_nothing(each.bit)) continue;
    const bool money = alone[kTotalFcf] != plan[kTotalFcf];
    // Churn only multiplies hazards and attrition, which are on plan.
    EXPECT_EQ(money, each.bit != kChurn);
  }
}

TEST(Switches, SupplyAndAttritionAnswerToDemand) {
  const ScenarioData data = company_of_all_mechanisms();
  const Columns demand = run_with(data, kDemand);
  const Columns supply = run_with(data, kDemand | kSupply);
  EXPECT_NE(supply[kMeanTightness], demand[kMeanTightness]);
  const Columns attrition = run_with(data, kDemand | kAttrition);
  EXPECT_EQ(attrition[kMeanTightness], demand[kMeanTightness]);
  EXPECT_NE(attrition[kTotalFcf], demand[kTotalFcf]);
}

TEST(Switches, ChurnMovesTheHazardsThatAreOn) {
  const ScenarioData data = company_of_all_mechanisms();
  for (const Switch hazard : {kDefault, kStepDown, kAttrition}) {
    EXPECT_NE(run_with(data, hazard | kChurn)[kTotalFcf], run_with(data, hazard)[kTotalFcf]) << name_of(hazard);
  }
}

TEST(Switches, OffItsDrawsAreGoneAndOnTheyMatter) {
  const ScenarioData data = company_of_all_mechanisms();
  const ColumnLayout l = column_layout(data.view());
  const Columns plan = run_with(data, 0);
  const Columns all_on = run_with(data, kAllSwitches);
  for (const Mechanism& each : mechanisms()) {
    SCOPED_TRACE(name_of(each.bit) + " alone off");
    const std::uint32_t without = kAllSwitches & ~static_cast<std::uint32_t>(each.bit);
    ScenarioData disturbed = data;
    each.disturb(disturbed);
    const Columns off = run_with(data, without);
    const std::vector<std::string> moved = differing(l, run_with(disturbed, without), off);
    EXPECT_TRUE(moved.empty()) << "what it alone uses still moved: " << joined(moved);
    EXPECT_NE(run_with(disturbed, kAllSwitches), all_on) << "what it uses moved nothing while it was on";
    EXPECT_NE(off[kTotalFcf], all_on[kTotalFcf]);
    for (const PathColumn driver : each.gone) EXPECT_EQ(off[driver], plan[driver]) << column_name(l, driver);
  }
}

TEST(Switches, OffNoDefaultNoRefusalNoDelay) {
  const ScenarioData data = company_of_all_mechanisms();
  const ColumnLayout l = column_layout(data.view());
  const auto column = [&](std::uint32_t switches, std::int32_t c) {
    return run_with(data, switches)[static_cast<std::size_t>(c)];
  };
  const auto has = [](const std::vector<std::int32_t>& values, std::int32_t x) {
    return std::find(values.begin(), values.end(), x) != values.end();
  };
  const std::int32_t planned = column(0, l.months_late(1))[0];
  EXPECT_EQ(planned, 40'000);
  EXPECT_TRUE(has(column(kAllSwitches, l.months_late(1)), kNever));
  EXPECT_FALSE(has(column(kAllSwitches & ~(kCancellation | kDiscretion), l.months_late(1)), kNever));
  EXPECT_TRUE(has(column(kAllSwitches & ~kCancellation, l.months_late(1)), kNever));  // never ordered
  for (const std::int32_t months : column(kAllSwitches & ~kDelivery, l.months_late(1))) {
    EXPECT_TRUE(months == planned || months == kNever) << months;
  }
  for (std::int32_t c = 0; c < l.customers; ++c) {
    const std::vector<std::int32_t> never(256, kNever);
    EXPECT_EQ(column(kAllSwitches & ~kDefault, l.default_month(c)), never) << "customer " << c;
    EXPECT_NE(column(kAllSwitches, l.default_month(c)), never) << "customer " << c;
  }
}

}  // namespace
}  // namespace headroom
