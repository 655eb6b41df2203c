// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "host/config/printable.hpp"
#include "host/report/format.hpp"
#include "host/report/report.hpp"

namespace headroom::report {

std::string check_text(const Company& company, const Scenario& scenario) {
  const Totals& t = company.totals;
  Table table(2);
  const auto add = [&table](std::string label, std::string figure, std::string more = "") {
    table.row({std::move(label), std::move(figure), std::move(more)});
  };
  const auto count = [](int n) { return fmt::format("{}", n); };
  const auto musd = [](double x) { return number(x, 0) + " musd"; };
  add("sites", count(t.sites), count(t.running_sites) + " running");
  add("GPUs", number(t.gpus, 0), number(t.running_gpus, 0) + " running");
  add("IT load", number(t.it_mw, 1) + " MW", number(t.running_it_mw, 1) + " running");
  add("customers", count(t.customers));
  add("contracts", count(t.contracts), count(t.optional_contracts) + " optional");
  add("GPUs under contract", number(t.contracted_gpus, 0), "in force today");
  add("contract value", musd(t.contract_value_musd), "and options " + musd(t.option_value_musd));
  add("deferred revenue", musd(t.deferred_revenue_musd));
  add("prepayments due", musd(t.prepayments_due_musd));
  add("capex to go", musd(t.capex_to_go_musd), "sites that are not open");
  add("cash", musd(t.cash_musd));
  add("agreed equity", musd(t.equity_inflow_musd), count(t.equity_inflows) + " inflows");
  add("tranches", count(t.tranches));
  add("debt drawn", musd(t.debt_drawn_musd));
  add("debt undrawn", musd(t.debt_undrawn_musd));
  add("other net assets", musd(t.other_net_assets_musd), "balances the opening sheet");
  add("covenants", count(t.covenants), count(t.covenant_tests) + " tests");
  add("guidance", fmt::format("{}", company.guidance.size()), "figures");
  std::string text = fmt::format("{}, as of {}, {} months to {}: no problem found (config {})\n",
                                 config::printable(company.name), date_label(company, 0), scenario.months,
                                 date_label(company, scenario.months), company.hash);
  text += table.text();
  return text + override_lines(company);
}

std::string warning_lines(const std::vector<config::Problem>& warnings) {
  if (warnings.empty()) return "";
  std::string text = fmt::format("\n{} warning{}: this looks like a slip of a unit\n", warnings.size(),
                                 warnings.size() == 1 ? "" : "s");
  for (const config::Problem& each : warnings) text += to_string(each) + "\n";
  return text;
}

std::string setting_lines(const Company& company, std::string_view before) {
  std::string text;
  for (const config::Setting& each : company.settings) {
    text +=
        fmt::format("{}{}\n", before,
                    config::printable(fmt::format("{} = {}  # {}", each.key, each.value, origin_text(each))));
  }
  return text;
}

}  // namespace headroom::report
