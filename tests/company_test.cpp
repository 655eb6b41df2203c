// SPDX-License-Identifier: Apache-2.0
// The two companies against their reported figures and guidance, and the report's own calculation from power
// to revenue. The expected figures are written here as well as in the configs, so that neither can be changed
// alone.
#include "host/config/company.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/model/contract.hpp"
#include "headroom/model/entity.hpp"
#include "host/cpu/pilot.hpp"
#include "host/cpu/trace.hpp"
#include "host/engine/engine.hpp"
#include "host/plan/make_plan.hpp"
#include "host/plan/plan_table.hpp"
#include "host/risk/analysis.hpp"
#include "small_company.hpp"
#include "tests/analyse.hpp"

namespace headroom {
namespace {

double musd(Money amount) { return amount * 1e-3; }  // the ledger's unit is 1,000 USD in every company here

// ---- From power to revenue. ----
// The report: 800 GPUs per MW x 80% x 5.50 USD x 8,760 h = 30.83m USD per MW-year (30.8352, cut), and 227-292
// MW for 7-9bn. A year of the model has 12 x 730.5 = 8,766 h, so its own figure is 30.856; the report's is that
// times 8,760 / 8,766.

constexpr double kReportHours = 8760.0 / (12.0 * static_cast<double>(kHoursPerMonth));

// USD million a year of a running site of so many MW, all on demand, from the engine's run-rate.
double run_rate_musd(double it_mw) {
  ScenarioData data = still_company(1);
  data.gpu_type[0].log_price_start = static_cast<Real>(std::log(5.50));
  data.parameters.on_demand.start_utilisation = 0.80F;
  data.site = {running_site(800 * it_mw)};
  return musd(trace_path(data.view(), 0, 0)[kArr]);
}

// The first months do not depend on the horizon.
TEST(CompanyHorizon, IsNotPartOfTheModel) {
  for (const char* file : config_files) {
    Company whole = load_company({.file = configs_dir + file});
    make_plan(whole.data);
    for (const int months : {12, 30}) {
      Company part = load_company({.file = configs_dir + file}, months);
      make_plan(part.data);
      const auto all = static_cast<std::size_t>(whole.data.parameters.months),
                 some = static_cast<std::size_t>(months);
      for (const std::uint64_t path : {0ULL, 1ULL, 2ULL, 3ULL}) {
        const auto longer = trace_path(whole.data.view(), 1, path),
                   shorter = trace_path(part.data.view(), 1, path);
        for (std::size_t row = 0; row < static_cast<std::size_t>(series_count(whole.data.view())); ++row) {
          for (std::size_t t = 0; t < some; ++t) {
            ASSERT_EQ(shorter[row * some + t], longer[row * all + t])
                << file << ", " << months << " months, path " << path << ", series " << row << ", month "
                << t + 1;
          }
        }
      }
    }
  }
}

TEST(PowerToRevenue, IsTheReportsSum) {
  const double model = 12 * static_cast<double>(ledger_fee(800 * 0.80F, 5.50F, 1e6F));
  EXPECT_NEAR(model, 800 * 0.80 * 5.50 * 8766 / 1e6, 1e-5);
  EXPECT_NEAR(model * kReportHours, 30.8352, 1e-5);
  EXPECT_EQ(std::floor(model * kReportHours * 100) / 100, 30.83);
  // The engine's own month, of 100 MW: thousands of USD are its last digit, times 12 and over 100 MW.
  EXPECT_NEAR(run_rate_musd(100) / 100 * kReportHours, 30.8352, 12e-5);
}

TEST(PowerToRevenue, NeedsTheReportsMegawatts) {
  const double musd_per_mw = run_rate_musd(1000) / 1000 * kReportHours;
  EXPECT_EQ(std::lround(7000 / musd_per_mw), 227);
  EXPECT_EQ(std::lround(9000 / musd_per_mw), 292);
  EXPECT_NEAR(run_rate_musd(227) * kReportHours, 7000, 0.5 * musd_per_mw);
  EXPECT_NEAR(run_rate_musd(292) * kReportHours, 9000, 0.5 * musd_per_mw);
}

// ---- The companies. ----

Company company_of(const std::string& file, int months) {
  Company company = load_company({.file = configs_dir + file}, months);
  make_plan(company.data);
  return company;
}

double debt_of(const Company& company, std::string_view prefix) {
  double sum = 0;
  for (std::size_t d = 0; d < company.tranches.size(); ++d) {
    if (company.tranches[d].id.starts_with(prefix)) sum += musd(company.data.tranche[d].balance);
  }
  return sum;
}

// The sum of all entities' opening balances; liquidity is the parent's.
EntityState open_group(const Scenario& s) {
  EntityState sum = open_entity(s, s.parent());
  for (std::int32_t e = 0; e < s.parent(); ++e) {
    const EntityState each = open_entity(s, e);
    sum.cash += each.cash, sum.reserve += each.reserve;
    sum.debt += each.debt, sum.ppe += each.ppe, sum.equity += each.equity, sum.deferred += each.deferred;
  }
  return sum;
}

Money restricted_cash(const Scenario& s) {
  Money sum = 0;
  for (std::int32_t e = 0; e < s.entity.size; ++e) sum += s.entity[e].restricted_cash;
  return sum;
}

TEST(CoreWeave, OpensWithItsBalanceSheetOf31March2026) {
  const Company company = company_of("coreweave-1q26.toml", 12);
  const Scenario s = company.data.view();
  const EntityState opening = open_group(s);
  EXPECT_DOUBLE_EQ(musd(opening.cash), 2244);
  EXPECT_DOUBLE_EQ(musd(opening.cash + restricted_cash(s)), 3342);
  EXPECT_DOUBLE_EQ(musd(opening.debt), 24859);
  EXPECT_DOUBLE_EQ(musd(opening.ppe), 36424);
  EXPECT_DOUBLE_EQ(musd(opening.equity), 4759);
  EXPECT_DOUBLE_EQ(musd(open_parent(s).state.liquidity), musd(open_entity(s, s.parent()).cash) + 686);
  EXPECT_GE(musd(opening.deferred), 5393) << "its non-current part alone";

  EXPECT_DOUBLE_EQ(debt_of(company, "ddtl-1"), 1438);
  EXPECT_DOUBLE_EQ(debt_of(company, "ddtl-2-1"), 3000);
  EXPECT_DOUBLE_EQ(debt_of(company, "ddtl-2-"), 3000 + 4425);
  EXPECT_DOUBLE_EQ(debt_of(company, "ddtl-3"), 1700);
  EXPECT_DOUBLE_EQ(debt_of(company, "ddtl-4"), 1260);
  EXPECT_DOUBLE_EQ(debt_of(company, "notes-"), 2000 + 1750);
  EXPECT_DOUBLE_EQ(debt_of(company, "convertible-"), 2588);
  EXPECT_DOUBLE_EQ(debt_of(company, "equipment") + debt_of(company, "other") + debt_of(company, "revolver"),
                   6698);
  double undrawn = 0;
  for (std::size_t d = 0; d < company.tranches.size(); ++d) {
    const std::string& id = company.tranches[d].id;
    if (id == "ddtl-3" || id == "ddtl-4" || id == "revolver")
      undrawn += musd(company.data.tranche[d].commitment);
  }
  EXPECT_NEAR(undrawn, 8825, 1) << "of what was committed by then: 900, 7,240 and 686, each rounded";
}

TEST(Nebius, OpensWithItsCashAndConvertiblesOf31March2026) {
  const Company company = company_of("nebius-1q26.toml", 12);
  const Scenario s = company.data.view();
  const EntityState opening = open_group(s);
  EXPECT_DOUBLE_EQ(musd(opening.cash + restricted_cash(s)), 9300);
  EXPECT_NEAR(musd(opening.debt), 587.5 + 1818.4 + 3105.0 + 612.5 + 1818.4 + 2100.0, 1e-6);
  EXPECT_NEAR(musd(opening.debt), debt_of(company, "convertible-"), 1e-6) << "nothing else";
}

// ---- Every config, and every stress over every company. ----

TEST(Configs, StressesLieOverEveryCompany) {
  for (const char* file : {"coreweave-1q26.toml", "nebius-1q26.toml", "lakeside-template.toml", "demo.toml"}) {
    const Company base = load_company({.file = configs_dir + file}, 12);
    for (const char* stress : {"demand-disappoints", "capex-and-funding-cost", "delivery-slips"}) {
      const std::string overlay = configs_dir + "stress/" + stress + ".toml";
      const Company stressed = load_company({.file = configs_dir + file, .overlays = {overlay}}, 12);
      EXPECT_FALSE(stressed.overrides.empty()) << file << ' ' << stress;
      EXPECT_NE(stressed.hash, base.hash) << file << ' ' << stress;
    }
  }
}

// The amendment of DDTL 3.0: cures and a later DSCR test, with Denton late.
TEST(CoreWeave, TheAmendmentOfDdtl3Matters) {
  const auto rates = [](std::vector<std::string> overlays) {
    for (std::string& each : overlays) each = configs_dir + "stress/" + each + ".toml";
    Company company = load_company({.file = configs_dir + "coreweave-1q26.toml", .overlays = overlays}, 24);
    make_plan(company.data);
    const Scenario s = company.data.view();
    const Outcomes outcomes = run_paths(s, {1, 0, 4'096}, 2);
    std::array<double, 2> found{};
    for (std::int32_t v = 0; v < s.covenant.size; ++v) {
      const std::string& id = company.covenants[static_cast<std::size_t>(v)].id;
      const auto share = [&](std::int32_t column) {
        return static_cast<double>(count_at_most(*outcomes.columns, column, 24)) / 4'096;
      };
      if (id == "ddtl-3-realization") found[0] = share(outcomes.layout.first_uncured(v));
      if (id == "ddtl-3-dscr") found[1] = share(outcomes.layout.first_breach(v));
    }
    return found;
  };
  const auto amended = rates({"late-260mw"}), signed_first = rates({"late-260mw", "ddtl3-as-first-signed"});
  EXPECT_LT(amended[0] + 0.3, signed_first[0]) << "realization neither cured nor waived";
  EXPECT_LT(amended[1] + 0.15, signed_first[1]) << "DSCR";
}

// The company's guidance, and where the middle 80% of the paths lie relative to it. 1Q26 is reported; the
// rest of the year is the plan or a path.
struct Said {
  const char* id;
  double low, high;
  bool plan_inside, high_inside;  // between the 10th and the 90th percentile
  bool missed_on_most;            // the median is under the low end
};

// Not a result: the low end of every figure lies between the percentiles; the plan and the high end do not
// always. Late sites only lower a year's capex, so a plan that is on time is near its upper end.
struct Told {
  const char* file;
  std::vector<Said> said;
};
const Told kTold[] = {{"coreweave-1q26.toml",
                       {{"revenue-2026", 12000, 13000, true, false, false},
                        {"capex-2026", 31000, 35000, false, false, false},
                        {"exit-run-rate-2026", 18000, 19000, true, true, false}}},
                      {"nebius-1q26.toml",
                       {{"arr-2026", 7000, 9000, true, false, true},
                        {"capex-2026", 20000, 25000, true, false, false},
                        {"revenue-2026", 3000, 3400, true, true, true}}}};

GuidanceCheck check_of(const Company& company, const std::vector<GuidanceCheck>& checks, const Said& said) {
  for (const GuidanceCheck& check : checks) {
    const Guidance& guidance = company.guidance.at(check.guidance);
    if (guidance.id != said.id) continue;
    EXPECT_EQ(guidance.low_musd, said.low) << said.id;
    EXPECT_EQ(guidance.high_musd, said.high) << said.id;
    return check;
  }
  ADD_FAILURE() << company.name << " says nothing of " << said.id;
  return {};
}

TEST(CompanyGuidance, HoldsInThePlan) {
  for (const Told& told : kTold) {
    const Company company = company_of(told.file, 12);
    const Scenario s = company.data.view();
    const auto checks = check_guidance(company, s, plan_table(company, s, plan_trace(s)), nullptr);
    for (const Said& said : told.said) {
      const GuidanceCheck check = check_of(company, checks, said);
      EXPECT_GE(std::round(check.plan_musd), said.low) << company.name << ", " << said.id;
      EXPECT_LE(std::round(check.plan_musd), said.high) << company.name << ", " << said.id;
      EXPECT_EQ(check.mark, GuidanceCheck::Mark::inside) << company.name << ", " << said.id;
    }
  }
}

// 99.4bn with options and the like, 98.8bn of remaining performance obligations.
TEST(CompanyGuidance, BacklogIsThatOf31March2026) {
  const Company company = company_of("coreweave-1q26.toml", 12);
  EXPECT_GE(company.totals.contract_value_musd, 98800);
  EXPECT_LE(company.totals.contract_value_musd, 99400);
}

// A path's months do not depend on the horizon, so twelve months are enough to show the year.
TEST(CompanyGuidance, LiesBetweenTheTenthAndTheNinetiethPercentileAsFarAsStated) {
  for (const Told& told : kTold) {
    const Company company = company_of(told.file, 12);
    const Scenario s = company.data.view();
    const std::vector<std::int32_t> plan = plan_trace(s);
    RunPlan run;
    run.paths = {1, 0, 100000};
    run.threads = 1;
    const Outcomes outcomes = make_cpu_backend()->simulate(s, run, pilot_bins(s, run.paths.seed));
    const RiskReport report = analyse(s, outcomes, run.paths, plan);
    EXPECT_EQ(report.violations.paths, 0U) << company.name;
    const auto checks = check_guidance(company, s, plan_table(company, s, plan), &report);
    for (const Said& said : told.said) {
      const GuidanceCheck check = check_of(company, checks, said);
      ASSERT_TRUE(check.p10 && check.p50 && check.p90) << company.name << ", " << said.id;
      const auto inside = [&](double figure) { return *check.p10 <= figure && figure <= *check.p90; };
      const std::string inputs = fmt::format(
          "{}, {}: {} to {}, plan {:.0f}, percentiles {:.0f} {:.0f} {:.0f} of 100,000 paths, seed 1",
          company.name, said.id, said.low, said.high, check.plan_musd, *check.p10, *check.p50, *check.p90);
      EXPECT_TRUE(inside(said.low)) << inputs;
      EXPECT_EQ(inside(check.plan_musd), said.plan_inside) << inputs;
      EXPECT_EQ(inside(said.high), said.high_inside) << inputs;
      EXPECT_EQ(*check.p50 < said.low, said.missed_on_most) << inputs;
    }
  }
}

}  // namespace
}  // namespace headroom
