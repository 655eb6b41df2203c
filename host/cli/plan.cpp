// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/cli/options.hpp"
#include "host/cli/streams.hpp"
#include "host/plan/funding.hpp"
#include "host/plan/make_plan.hpp"
#include "host/plan/plan_table.hpp"
#include "host/report/format.hpp"
#include "host/report/report.hpp"

namespace headroom::cli {

namespace {

Usage plan_usage() {
  Usage usage;
  usage.command = "plan";
  usage.argument = "CONFIG";
  usage.about =
      "Prints the deterministic plan of CONFIG by quarter and calendar year, as a lender would see it: "
      "revenue,\n"
      "EBITDA, interest, capex, free cash flow, debt, cash, annualised run-rate, backlog and each covenant's\n"
      "headroom, next to the company's own guidance. Every shock is at zero, every site opens on its planned "
      "date.\n"
      "First it says what the plan lacks: shortfall, sources and uses, and the covenants that it breaches.\n";
  add_config_options(usage);
  usage.examples =
      "  headroom plan configs/coreweave-1q26.toml\n"
      "  headroom plan configs/nebius-1q26.toml --months 24\n";
  return usage;
}

}  // namespace

int plan_command(const Arguments& arguments) {
  const auto options = parse(plan_usage(), arguments);
  if (!options) return kOk;
  Company company = load(*options);
  say_warnings(company, *options);
  make_plan(company.data);
  const Scenario scenario = company.data.view();
  const PlanTable table = plan_table(company, scenario, plan_trace(scenario));
  show(report::plan_text(company, scenario, table, plan_funding(company, scenario),
                         check_guidance(company, scenario, table, nullptr)));
  const std::vector<std::string> violated = violation_names(plan_violations(scenario));
  if (violated.empty()) return kOk;
  say(fmt::format("the plan violates identities of the model ({}); it is not to be trusted. {}",
                  fmt::join(violated, ", "), kIdentityRemedy));
  return kIdentityFailed;
}

}  // namespace headroom::cli
