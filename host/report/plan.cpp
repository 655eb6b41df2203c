// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "headroom/model/metrics.hpp"
#include "host/config/printable.hpp"
#include "host/report/format.hpp"
#include "host/report/report.hpp"

namespace headroom::report {

namespace {

std::vector<std::string> figures(std::string label, const PlanPeriod& p, int decimals) {
  std::vector<std::string> row = {std::move(label), number(p.revenue, decimals), number(p.ebitda, decimals),
                                  number(100 * p.margin(), 1)};
  for (const double value : {p.cash_interest, p.capex, p.fcf, p.debt, p.cash, p.arr, p.backlog}) {
    row.push_back(number(value, decimals));
  }
  return row;
}

std::string reported_label(const Company& company) {
  const config::Date as_of = company.as_of;
  const auto month = static_cast<std::int32_t>(static_cast<unsigned>(as_of.month()));
  const std::string period = month == 3 ? quarter_label(company, -2, 0) : year_label(company, 1 - month, 0);
  return period + " reported";
}

std::string year_row_label(const Company& company, const PlanPeriod& year) {
  if (!year.includes_reported) return year_label(company, year.first_month, year.last_month);
  const int calendar_year = static_cast<int>(config::month_end(company.as_of, year.last_month).year());
  const bool to_december =
      static_cast<unsigned>(config::month_end(company.as_of, year.last_month).month()) == 12;
  return fmt::format("{} with reported", to_december ? fmt::format("{}", calendar_year)
                                                     : year_label(company, year.first_month, year.last_month));
}

std::string figure_table(const Company& company, const PlanTable& table) {
  Table text;
  text.row({"USD million", "revenue", "EBITDA", "margin %", "net interest", "capex", "FCF", "debt", "cash",
            "ARR", "backlog"});
  text.rule();
  double largest = 0;
  for (const PlanPeriod& year : table.years) largest = std::max(largest, year.revenue);
  const int decimals = largest < 1000 ? 1 : 0;
  if (table.reported) text.row(figures(reported_label(company), *table.reported, decimals));
  for (const PlanPeriod& quarter : table.quarters) {
    text.row(figures(quarter_label(company, quarter.first_month, quarter.last_month), quarter, decimals));
  }
  text.rule();
  for (const PlanPeriod& year : table.years) text.row(figures(year_row_label(company, year), year, decimals));
  return text.text() +
         "  net interest: paid, with fees, less what cash earns; of reported months as the company states it, "
         "not added.\n";
}

std::string headroom_table(const Company& company, const Scenario& scenario, const PlanTable& table) {
  if (company.covenants.empty()) return "";
  std::string legend;
  std::vector<std::string> header = {"least in the quarter"};
  for (std::size_t v = 0; v < company.covenants.size(); ++v) {
    const Covenant& covenant = scenario.covenant[static_cast<std::int32_t>(v)];
    header.push_back(fmt::format("[{}]", v + 1));
    legend += fmt::format("  [{}] {}: {}{}\n", v + 1, config::printable(company.covenants[v].label),
                          key_of(covenant.metric), is_money(covenant.metric) ? ", USD million" : "");
  }
  Table text;
  text.row(std::move(header));
  text.rule();
  for (const PlanPeriod& quarter : table.quarters) {
    std::vector<std::string> row = {quarter_label(company, quarter.first_month, quarter.last_month)};
    for (std::size_t v = 0; v < quarter.headroom.size(); ++v) {
      const Covenant& covenant = scenario.covenant[static_cast<std::int32_t>(v)];
      const auto& headroom = quarter.headroom[v];
      row.push_back(headroom ? number(*headroom, is_money(covenant.metric) ? 0 : 2) : "-");
    }
    text.row(std::move(row));
  }
  return "\nCovenant headroom (positive is safe, - not tested)\n" + legend + "\n" + text.text();
}

std::string_view word(GuidanceCheck::Mark mark) {
  switch (mark) {
    case GuidanceCheck::Mark::below:
      return "BELOW";
    case GuidanceCheck::Mark::inside:
      return "in";
    case GuidanceCheck::Mark::above:
      return "ABOVE";
    default:
      return "-";
  }
}

std::string guidance_table(const Company& company, const std::vector<GuidanceCheck>& guidance) {
  if (guidance.empty()) return "";
  Table text(4);
  text.row({"USD million", "plan", "low", "high", "", "source"});
  text.rule();
  for (const GuidanceCheck& check : guidance) {
    const Guidance& said = company.guidance[check.guidance];
    text.row({guidance_label(company, said), musd(check.plan_musd), musd(said.low_musd), musd(said.high_musd),
              std::string(word(check.mark)), shortened(said.source, 50)});
  }
  return "\nPlan against what the company said (years include reported months)\n" + text.text();
}

// Breaches of the plan itself, first those that come first.
std::string breach_lines(const Company& company, const PlanFunding& funding) {
  std::vector<std::pair<std::int32_t, std::size_t>> breaches;
  for (std::size_t v = 0; v < funding.first_breach.size(); ++v) {
    if (funding.first_breach[v] < kNever) breaches.emplace_back(funding.first_breach[v], v);
  }
  if (breaches.empty()) return "";
  std::sort(breaches.begin(), breaches.end());
  std::string text = "\nThe plan itself breaches\n";
  for (const auto& [month, v] : breaches) {
    text +=
        fmt::format("  {}  {}\n", month_label(company, month), config::printable(company.covenants[v].label));
  }
  return text;
}

std::string funding_text(const Company& company, const PlanFunding& funding) {
  if (funding.funded()) return "";
  std::string text = "\nThe plan is not funded\n";
  if (funding.shortfall_musd > 0) {
    text += fmt::format("  from {}  {} lacks cash: {} USD million at most\n",
                        month_label(company, funding.first_shortfall),
                        config::printable(company.entities.back().label), number(funding.shortfall_musd, 1));
  }
  for (std::size_t e = 0; e < funding.payment_default.size(); ++e) {
    if (funding.payment_default[e] >= kNever) continue;
    text += fmt::format("  from {}  {} cannot pay\n", month_label(company, funding.payment_default[e]),
                        config::printable(company.entities[e].label));
  }
  Table table;
  table.row({"USD million, until " + month_label(company, funding.last_month), "sources", "uses"});
  table.rule();
  for (const auto& [label, amount] : {std::pair("cash at as_of", funding.opening_cash),
                                      {"cash flow from operations", funding.cfo},
                                      {"debt drawn", funding.drawn},
                                      {"equity agreed", funding.equity},
                                      {"lacking, less what reserve accounts took", funding.lacking()}}) {
    table.row({label, number(amount, 1), ""});
  }
  for (const auto& [label, amount] : {std::pair("capex", funding.capex),
                                      {"debt repaid or converted", funding.repaid},
                                      {"cash that is left", funding.closing_cash}}) {
    table.row({label, "", number(amount, 1)});
  }
  table.rule();
  table.row({"", number(funding.uses(), 1), number(funding.uses(), 1)});
  return text + "\n" + table.text();
}

}  // namespace

std::string plan_text(const Company& company, const Scenario& scenario, const PlanTable& table,
                      const PlanFunding& funding, const std::vector<GuidanceCheck>& guidance) {
  return fmt::format("{}, plan as of {}: every shock at zero, every site on its planned date (config {})\n",
                     config::printable(company.name), date_label(company, 0), company.hash) +
         override_lines(company) + funding_text(company, funding) + breach_lines(company, funding) + "\n" +
         figure_table(company, table) + guidance_table(company, guidance) +
         headroom_table(company, scenario, table);
}

}  // namespace headroom::report
