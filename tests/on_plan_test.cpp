// SPDX-License-Identifier: Apache-2.0
// One object, or one variable of the market, on plan while all else is random: MODEL.md 1.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "host/config/company.hpp"
#include "host/config/problems.hpp"
#include "host/cpu/isa.hpp"
#include "host/cpu/trace.hpp"
#include "host/engine/engine.hpp"
#include "host/plan/make_plan.hpp"
#include "host/plan/plan_table.hpp"
#include "tests/outcomes_fixture.hpp"
#include "tests/small_company.hpp"

namespace headroom {
namespace {

constexpr std::uint64_t kPaths = 600;

Company with(const std::string& file, std::vector<std::string> sets) {
  Company company = load_company({.file = configs_dir + file, .overlays = {}, .sets = std::move(sets)});
  make_plan(company.data);
  return company;
}

Outcomes outcomes_of(const Company& company, std::uint64_t paths = kPaths) {
  RunPlan plan;
  plan.paths = {3, 0, paths};
  const Scenario scenario = company.data.view();
  return make_cpu_backend()->simulate(scenario, plan, wide_bins(scenario));
}

std::int32_t index_of(const std::vector<Named>& names, const std::string& id) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const Named& n) { return n.id == id; });
  return static_cast<std::int32_t>(found - names.begin());
}

// The months of a measure that leave the plan on some path.
int months_off_plan(const Company& company, Measure measure) {
  const Scenario s = company.data.view();
  const std::vector<std::int32_t> plan = plan_trace(s);
  int off = 0;
  for (std::int32_t t = 0; t < s.months; ++t) {
    bool here = false;
    for (const std::uint64_t path : {1U, 2U, 3U, 20U}) {
      const auto at = static_cast<std::size_t>(measure * s.months + t);
      here = here || trace_path(s, 3, path)[at] != plan[at];
    }
    off += here ? 1 : 0;
  }
  return off;
}

struct OfVariable {
  const char* key;
  Measure measure;
};

TEST(OnPlan, AVariableFollowsThePlanAndNotItsShockAlone) {
  for (const OfVariable& variable :
       {OfVariable{"tightness", kTightness}, OfVariable{"short_rate", kShortRate}}) {
    EXPECT_EQ(months_off_plan(with("demo.toml", {std::string("on_plan.") + variable.key + "=true"}),
                              variable.measure),
              0)
        << variable.key;
    EXPECT_GT(months_off_plan(with("demo.toml", {}), variable.measure), 50) << variable.key;
  }
  // The price is a mean over what is on line, so openings stay on plan here.
  const std::string one = "lakeside-template.toml";
  EXPECT_GT(months_off_plan(
                with(one, {"switches.price_cycle=false", "switches.ageing=false", "switches.launches=false"}),
                kMarketPrice),
            40)
      << "silencing the shocks of the price is not enough: demand moves it";
  EXPECT_EQ(months_off_plan(with(one, {"on_plan.price=true", "switches.delivery=false",
                                       "switches.cancellation=false", "switches.discretion=false"}),
                            kMarketPrice),
            0);
}

// Spread and power are kept as means of the path: every path has the plan's.
TEST(OnPlan, SpreadAndPowerHaveAWidthOfZero) {
  for (const auto& [key, column] :
       {std::pair{"spread", kMeanSpreadMultiplier}, {"power", kMeanPowerMultiplier}}) {
    const Company company = with("demo.toml", {std::string("on_plan.") + key + "=true"});
    const std::vector<std::int32_t> values = column_of(*outcomes_of(company).columns, column);
    EXPECT_EQ(*std::min_element(values.begin(), values.end()), *std::max_element(values.begin(), values.end()))
        << key;
  }
}

TEST(OnPlan, ASiteIsThenInTimeAndNoOtherDrawMoves) {
  const Company random = with("coreweave-1q26.toml", {});
  const std::int32_t denton = index_of(random.sites, "denton");
  const Company planned = with("coreweave-1q26.toml", {"site.denton.on_plan=true"});
  const Outcomes a = outcomes_of(random), b = outcomes_of(planned);
  for (std::int32_t i = 0; i < a.layout.sites; ++i) {
    const auto before = column_of(*a.columns, a.layout.months_late(i));
    const auto after = column_of(*b.columns, b.layout.months_late(i));
    if (i != denton && planned.data.site[static_cast<std::size_t>(i)].switches != 0) {
      // Whether a discretionary site is ordered depends on liquidity, so on Denton; its draws do not.
      for (std::size_t path = 0; path < before.size(); ++path) {
        if (before[path] < kNever && after[path] < kNever) {
          ASSERT_EQ(before[path], after[path]) << random.sites[static_cast<std::size_t>(i)].id;
        }
      }
    } else {
      EXPECT_EQ(std::count(after.begin(), after.end(), after.front()), static_cast<std::ptrdiff_t>(kPaths));
      EXPECT_NE(before, after);
    }
  }
  for (std::int32_t c = 0; c < a.layout.customers; ++c)
    EXPECT_EQ(column_of(*a.columns, a.layout.default_month(c)),
              column_of(*b.columns, b.layout.default_month(c)));
}

TEST(OnPlan, ACustomerThenNeverDefaultsAndNoOtherChanges) {
  const Company random = with("coreweave-1q26.toml", {});
  const std::int32_t openai = index_of(random.customers, "openai");
  const Outcomes a = outcomes_of(random),
                 b = outcomes_of(with("coreweave-1q26.toml", {"customer.openai.on_plan=true"}));
  for (std::int32_t c = 0; c < a.layout.customers; ++c) {
    const auto before = column_of(*a.columns, a.layout.default_month(c));
    const auto after = column_of(*b.columns, b.layout.default_month(c));
    if (c == openai) {
      EXPECT_LT(*std::min_element(before.begin(), before.end()), kNever);
      EXPECT_EQ(*std::min_element(after.begin(), after.end()), kNever);
    } else {
      EXPECT_EQ(before, after);
    }
  }
}

// Every object of a kind on plan is the kind's mechanisms switched off.
TEST(OnPlan, AllObjectsTogetherAreTheSwitches) {
  const Company plain = with("demo.toml", {});
  const auto all = [](const char* kind, const std::vector<Named>& names, const auto& usable) {
    std::vector<std::string> sets;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (usable(i)) sets.push_back(std::string(kind) + "." + names[i].id + ".on_plan=true");
    }
    return sets;
  };
  const auto sites = all("site", plain.sites, [&](std::size_t i) { return plain.data.site[i].running == 0; });
  const Outcomes by_site = outcomes_of(with("demo.toml", sites));
  const Outcomes by_switch =
      outcomes_of(with("demo.toml", {"switches.delivery=false", "switches.overrun=false",
                                     "switches.cancellation=false", "switches.discretion=false"}));
  for (std::int32_t c = 0; c < by_site.layout.count(); ++c) {
    if (c == kSystemicDelay) continue;
    ASSERT_EQ(column_of(*by_site.columns, c), column_of(*by_switch.columns, c))
        << column_name(by_site.layout, c);
  }
  const auto customers = all("customer", plain.customers, [](std::size_t) { return true; });
  const Outcomes by_customer = outcomes_of(with("demo.toml", customers));
  const Outcomes by_switches = outcomes_of(
      with("demo.toml", {"switches.default=false", "switches.damages=false", "switches.termination=false",
                         "switches.step_down=false", "switches.renewal=false", "switches.options=false"}));
  for (std::int32_t c = 0; c < by_customer.layout.count(); ++c)
    ASSERT_EQ(column_of(*by_customer.columns, c), column_of(*by_switches.columns, c))
        << column_name(by_customer.layout, c);
}

TEST(OnPlan, ATranchePaysThePlansRate) {
  const auto interest = [](std::vector<std::string> sets) {
    const Company company = with("lakeside-template.toml", std::move(sets));
    const Scenario s = company.data.view();
    return trace_path(s, 3, 7);
  };
  const Company company = with("lakeside-template.toml", {});
  std::vector<std::string> sets;
  for (std::size_t d = 0; d < company.tranches.size(); ++d) {
    const Tranche& t = company.data.tranche[d];
    if ((t.fixed_rate <= 0.0F && t.hedged_share < 1.0F) || t.needs_window != 0 || t.refinanceable != 0)
      sets.push_back("tranche." + company.tranches[d].id + ".on_plan=true");
  }
  ASSERT_FALSE(sets.empty());
  EXPECT_NE(interest(sets), interest({}));
}

TEST(OnPlan, WithoutAnEffectItIsRefused) {
  const auto refused = [](const std::string& set) {
    EXPECT_THROW(load_company({.file = configs_dir + "coreweave-1q26.toml", .overlays = {}, .sets = {set}}),
                 config::ConfigError)
        << set;
  };
  refused("site.fleet-h100.on_plan=true");  // open: nothing of it is random
  refused("on_plan.price=1");
  refused("on_plan.churn=true");
}

// ---- A list of paths. ----

Outcomes listed(const Scenario& s, std::vector<std::uint64_t> list, const std::string& isa, int threads) {
  RunPlan plan;
  plan.paths = {3, 0, list.size()};
  plan.list = std::move(list);
  plan.isa = isa;
  plan.threads = threads;
  return make_cpu_backend()->simulate(s, plan, wide_bins(s));
}

TEST(ListOfPaths, IsTheRangeWhereItsPathsFollowEachOther) {
  const Company company = with("demo.toml", {});
  const Scenario s = company.data.view();
  RunPlan range;
  range.paths = {3, 1000, 1111};
  const Outcomes expected = make_cpu_backend()->simulate(s, range, wide_bins(s));
  std::vector<std::uint64_t> list(1111);
  std::iota(list.begin(), list.end(), 1000U);
  for (const std::string& isa : cpu_isas()) {
    for (const int threads : {1, 2, 7}) expect_same_outcomes(expected, listed(s, list, isa, threads));
  }
}

TEST(ListOfPaths, KeepsItsOwnOrderAndReachesEveryIndex) {
  const Company company = with("demo.toml", {});
  const Scenario s = company.data.view();
  std::vector<std::uint64_t> list(700);
  for (std::size_t i = 0; i < list.size(); ++i)
    list[i] = i * 0x1'0000'0001ULL * 37 + (i % 3 == 0 ? ~0ULL - 9 * i : 0);
  std::vector<std::uint64_t> shuffled = list;
  std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(1));
  const Outcomes a = listed(s, list, "auto", 2), b = listed(s, shuffled, "baseline", 1);
  const auto fcf = column_of(*a.columns, kTotalFcf), mixed = column_of(*b.columns, kTotalFcf);
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto place = std::find(shuffled.begin(), shuffled.end(), list[i]) - shuffled.begin();
    ASSERT_EQ(fcf[i], mixed[static_cast<std::size_t>(place)]) << list[i];
    if (i % 100 != 0) continue;
    RunPlan one;
    one.paths = {3, list[i], 1};
    const Outcomes alone = make_cpu_backend()->simulate(s, one, wide_bins(s));
    ASSERT_EQ(column_of(*alone.columns, kTotalFcf).front(), fcf[i]) << list[i];
  }
  EXPECT_TRUE(same_bytes(a.sum, b.sum));
  EXPECT_TRUE(same_bytes(a.histogram, b.histogram));
}

}  // namespace
}  // namespace headroom
