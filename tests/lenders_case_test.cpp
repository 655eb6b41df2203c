// SPDX-License-Identifier: Apache-2.0
// Openings: delays by stage of completion, the plan at a quantile, and the cases that lenders agreed to.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "headroom/model/site.hpp"
#include "host/config/derive.hpp"
#include "host/config/load.hpp"
#include "host/cpu/trace.hpp"
#include "host/engine/calendar.hpp"
#include "host/engine/opening.hpp"
#include "host/plan/make_plan.hpp"
#include "small_company.hpp"
#include "tests/analyse.hpp"

namespace headroom {
namespace {

const std::string kConfigs = HEADROOM_SOURCE_DIR "/configs/";

Company company(const std::string& file, std::vector<std::string> sets) {
  Company made = load_company({.file = kConfigs + file, .sets = std::move(sets)});
  make_plan(made.data);
  return made;
}

TEST(Completion, ScalesADelayByTheMonthsToGo) {
  const derive::Delay whole{0.4, 4.5, 14.26, -1.0, 0.35};
  derive::Delay scaled = whole;
  scaled.reference_months = 13, scaled.power = 0.5;
  const DelayParams reference = derive::delay_params(whole, 1);
  for (const double months : {0.5, 3.25, 13.0, 26.0}) {
    const DelayParams d = derive::delay_params(scaled, 1, months);
    const double scale = std::sqrt(months / 13);
    for (const Real y : {-2.0F, 0.0F, 0.5F, 1.7F, 3.0F})
      EXPECT_NEAR(delay_months(d, y), scale * delay_months(reference, y), 1e-4) << months << ' ' << y;
  }
}

// The engine's own paths open by the plan's date with the plan's probability.
TEST(Completion, PlanStandsAtItsQuantile) {
  const std::uint64_t paths = 40'000;
  for (const char* quantile : {"0.3", "0.55", "0.85"}) {
    const Company made =
        company("coreweave-1q26.toml", {std::string("defaults.site.plan_quantile=") + quantile});
    const double q = std::stod(quantile);
    const Scenario s = made.data.view();
    const Outcomes outcomes = run_paths(s, {3, 0, paths});
    for (std::int32_t i = 0; i < s.site.size; ++i) {
      const Site& site = s.site[i];
      if (site.running != 0 || site.cancel_probability > 0 || site.discretionary != 0) continue;
      const std::vector<std::int32_t> late = read_column(outcomes, outcomes.layout.months_late(i));
      const Real planned = site.plan_ready_month - site.planned_ready_month;
      // An opening on time has a probability of its own: the share before the plan's date may be lower.
      const auto date = static_cast<std::int32_t>(planned * 1e4F);
      const auto share = [&](std::int32_t last) {
        const auto by = std::count_if(late.begin(), late.end(), [&](std::int32_t x) { return x <= last; });
        return static_cast<double>(by) / static_cast<double>(paths);
      };
      const double allowed = 0.01 + 4 * 0.5 / std::sqrt(paths);  // of the sequence; 4 standard errors
      EXPECT_GE(share(date + 1), q - allowed) << i;
      EXPECT_LE(share(date - 1), q + allowed) << i;
    }
    Scenario plan = s;
    plan.switches = 0;
    const Outcomes on_plan = run_paths(plan, {3, 0, 1});
    for (std::int32_t i = 0; i < s.site.size; ++i) {
      if (s.site[i].running != 0) continue;
      EXPECT_NEAR(read_column(on_plan, on_plan.layout.months_late(i))[0] * 1e-4,
                  s.site[i].plan_ready_month - s.site[i].planned_ready_month, 1e-3);
    }
  }
}

std::vector<Money> rows_of(const Company& made, std::int32_t lenders_case, std::int32_t entity) {
  const auto months = static_cast<std::ptrdiff_t>(made.data.parameters.months);
  const auto entities = static_cast<std::ptrdiff_t>(made.data.entity.size());
  const auto first = made.data.plan_contracted.begin() + (lenders_case * entities + entity) * months;
  return {first, first + months};
}

std::int64_t sum(const std::vector<Money>& rows) {
  return std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
}

// CoreWeave has two cases of its own.
enum : std::int32_t { kPlan, kSame = 3, kLater, kP90, kShort };
constexpr const char* kCases = R"(lenders_case=[
  { id = "same", new = true, opening_quantile = 0.55 },
  { id = "later", new = true, opening_quantile = 0.55, later_months = 3.0 },
  { id = "p90", new = true, opening_quantile = 0.9 },
  { id = "short", new = true, without = ["denton", "denton-rest"] }])";

TEST(LendersCase, IsThePlanWithItsOwnOpenings) {
  const Company made = company("coreweave-1q26.toml", {"defaults.site.plan_quantile=0.55", kCases});
  const auto entity = [&](const std::string& id) {
    const auto& all = made.entities;
    return static_cast<std::int32_t>(
        std::find_if(all.begin(), all.end(), [&](const Named& n) { return n.id == id; }) - all.begin());
  };
  for (const char* id : {"ddtl-3", "ddtl-4", "ddtl-5", "coreweave"}) {
    const std::int32_t e = entity(id);
    EXPECT_EQ(rows_of(made, kSame, e), rows_of(made, kPlan, e)) << id;
    const std::vector<Money> plan = rows_of(made, kPlan, e), later = rows_of(made, kLater, e),
                             p90 = rows_of(made, kP90, e);
    EXPECT_LT(sum(later), sum(plan)) << id;
    EXPECT_LT(sum(p90), sum(plan)) << id;
  }
  EXPECT_EQ(sum(rows_of(made, kShort, entity("ddtl-3"))), 0);
  EXPECT_EQ(rows_of(made, kShort, entity("ddtl-2")), rows_of(made, kPlan, entity("ddtl-2")));
  // A borrower with one site: three months later is three months later, once it runs in full.
  const std::vector<Money> plan = rows_of(made, kPlan, entity("ddtl-3")),
                           later = rows_of(made, kLater, entity("ddtl-3"));
  for (std::size_t t = 0; t + 3 < 24; ++t) {
    if (t >= 3) {
      EXPECT_NEAR(later[t + 3], plan[t], 2) << t;
    }
  }
}

TEST(LendersCase, IsWhatACovenantIsMeasuredAgainstFromItsDate) {
  const std::string from = R"(covenant.ddtl-3-realization.lenders_cases=[
    { from = 2026-01-01, lenders_case = "later" }, { from = 2027-01-31, lenders_case = "p90" }])";
  const Company made =
      company("coreweave-1q26.toml", {"defaults.site.plan_quantile=0.55", kCases, from,
                                      R"(covenant.ddtl-3-realization.remove=["lenders_case"])"});
  const Scenario s = made.data.view();
  const CalendarData rows = calendar_of(s);
  const auto v =
      static_cast<std::int32_t>(std::find_if(made.covenants.begin(), made.covenants.end(),
                                             [](const Named& n) { return n.id == "ddtl-3-realization"; }) -
                                made.covenants.begin());
  const std::int32_t e = s.covenant[v].entity;
  for (std::int32_t month = 4; month <= 20; ++month) {
    const std::vector<Money> agreed = rows_of(made, month < 10 ? kLater : kP90, e);
    std::int64_t planned = 0;
    for (std::int32_t k = month - 3; k < month; ++k) planned += agreed[static_cast<std::size_t>(k)];
    EXPECT_NEAR(rows.covenant[static_cast<std::size_t>((month - 1) * s.covenant.size + v)].plan_contracted,
                planned, 1e-6 * static_cast<double>(planned) + 1)
        << month;
  }
}

// A loan that is sculpted to a later case repays later.
TEST(LendersCase, IsWhatALoanIsSculptedTo) {
  const auto first_year = [](std::vector<std::string> sets) {
    const Company made = company("coreweave-1q26.toml", std::move(sets));
    for (const Tranche& d : made.data.tranche) {
      if (d.sculpted == 0) continue;
      double balance = 1;
      for (std::int32_t m = d.amortisation_start; m < d.amortisation_start + 12; ++m) {
        const Real divisor = made.data.repayment[static_cast<std::size_t>(d.first_repayment + m - 1)];
        if (divisor > 0) balance -= balance / static_cast<double>(divisor);
      }
      return 1 - balance;
    }
    return 0.0;
  };
  const std::string cases = R"(lenders_case=[{ id = "late", new = true, later_months = 15.0 }])";
  const double plan = first_year({cases}), late = first_year({cases, "tranche.ddtl-4.lenders_case=late"});
  EXPECT_GT(plan, 0.1);
  EXPECT_LT(late, 0.9 * plan);
}

// The plan follows the regimes that the config gives it; paths with their own regimes do not.
TEST(PlansMarket, FollowsItsRegimes) {
  const char* glut = R"(market.regimes.plan=[{ from = 2027-03-31, regime = "glut" }])";
  const Company held = company("demo.toml", {}), turned = company("demo.toml", {glut});
  for (std::size_t t = 0; t < 12; ++t) EXPECT_EQ(turned.data.plan_price[t], held.data.plan_price[t]) << t;
  for (std::size_t t = 13; t < 36; ++t) EXPECT_LT(turned.data.plan_price[t], held.data.plan_price[t]) << t;
  // Switched off, the paths follow them too.
  Scenario fixed = turned.data.view();
  fixed.switches &= ~static_cast<std::uint32_t>(kRegimes);
  Scenario free = held.data.view();
  const std::vector<std::int32_t> a = trace_path(fixed, 1, 5), b = trace_path(free, 1, 5);
  EXPECT_NE(a, b);
  Scenario same = turned.data.view();
  same.plan_price = held.data.view().plan_price, same.plan = held.data.view().plan;
  same.plan_contracted = held.data.view().plan_contracted;
  EXPECT_EQ(trace_path(same, 1, 5), b);
}

}  // namespace
}  // namespace headroom
