// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "headroom/model/metrics.hpp"
#include "host/config/printable.hpp"
#include "host/report/format.hpp"
#include "host/report/report.hpp"

namespace headroom::report {

namespace {

constexpr std::size_t kLabelWidth = 30;

std::string head(const Company& company, const RiskReport& risk, const RunFacts& facts) {
  std::string text =
      fmt::format("{}, as of {}: {} paths of {} months to {}, seed {}", config::printable(company.name),
                  date_label(company, 0), number(static_cast<double>(risk.paths), 0), risk.months,
                  date_label(company, risk.months), risk.seed);
  if (risk.first_path != 0) text += fmt::format(", from path {}", risk.first_path);
  text += fmt::format("\n  backend {}{}{}: {}\n", facts.backend, facts.reason.empty() ? "" : ", ", facts.reason,
                      facts.device);
  const double rate = static_cast<double>(risk.paths) / facts.simulation_seconds;
  text += fmt::format("  {:.2f} s simulation ({} paths/s), {:.2f} s analysis\n", facts.simulation_seconds,
                      number(rate, rate > 10000 ? -3 : 0), facts.analysis_seconds);
  text += fmt::format("  config {}, headroom {} ({})\n", company.hash, facts.version, facts.commit);
  return text + override_lines(company);
}

// The quantiles of one row, with at most so many decimals, and the expected shortfall behind them if there is a
// tail. All are rounded to the greatest of their errors: rounded each to its own, they could cross.
std::vector<std::string> quantile_cells(const Distribution& d, std::span<const int> percents, int most,
                                        const LowerTail* tail = nullptr) {
  double error = d.resolution;
  bool known = d.resolution > 0;
  const auto consider = [&](double each) {
    if (!std::isfinite(each)) return;
    error = std::max(error, each);
    known = true;
  };
  for (const int percent : percents) consider(d.quantile(percent).standard_error());
  if (tail != nullptr) consider(tail->expected_shortfall_error);
  if (!known) error = d.mean_error;
  std::vector<std::string> cells;
  for (const int percent : percents) {
    const Quantile& q = d.quantile(percent);
    if (std::isfinite(q.below)) {
      cells.push_back("<" + supported(q.below, error, most));
    } else if (std::isfinite(q.at_least)) {
      cells.push_back(">" + supported(q.at_least, error, most));
    } else {
      cells.push_back(supported(q.value, error, most));
    }
  }
  if (tail != nullptr) cells.push_back(supported(tail->expected_shortfall, error, most));
  return cells;
}

void append(std::vector<std::string>& row, const std::vector<std::string>& cells) {
  row.insert(row.end(), cells.begin(), cells.end());
}

std::vector<std::string> fcf_row(std::string label, const std::optional<double>& plan, const Distribution& d) {
  std::vector<std::string> row = {std::move(label), plan ? musd(*plan) : "-",
                                  supported(d.mean, d.mean_error, 1), error_text(d.mean_error)};
  constexpr std::array kShown = {5, 25, 50, 75, 95};
  append(row, quantile_cells(d, kShown, 1, &d.tails.front()));
  row.push_back(error_text(d.tails.front().expected_shortfall_error));
  return row;
}

// Says that quantiles come from histograms, and their resolution.
std::string resolution_line(const Distribution& d) {
  if (d.resolution == 0) return "";
  return fmt::format(
      "  Quantiles and ES come from histograms, as of more paths than --exact-paths; whole horizon: within "
      "{:.2g}, {:.2g} s.e. of the mean.\n  <, >: beyond the histogram.\n",
      d.resolution, d.resolution / d.mean_error);
}

std::string fcf_table(const Company& company, const RiskReport& risk) {
  Table table;
  table.row({"", "plan", "mean", "s.e.", "5%", "25%", "50%", "75%", "95%", "ES 5%", "s.e."});
  table.rule();
  for (const YearRisk& year : risk.years) {
    const auto fcf = static_cast<std::size_t>(kYearFcf);
    table.row(
        fcf_row(year_label(company, year.first_month, year.last_month), year.plan[fcf], year.measures[fcf]));
  }
  table.row(fcf_row("whole horizon", risk.plan_total_fcf, risk.total_fcf));
  return "\nFree cash flow (CFO - capex), USD million\n" + table.text() +
         "  ES 5%: mean of the worst 5% of paths. s.e.: standard error of the figure before it.\n" +
         resolution_line(risk.total_fcf);
}

std::string happens_label(const Company& company, const EventRisk& event) {
  return event.median_month() == 0 ? "-" : month_label(company, event.median_month());
}

void event_rows(Table& table, const Company& company, std::string label, const EventRisk& event,
                const std::vector<std::string>& last) {
  std::vector<std::string> values = {std::move(label)};
  std::vector<std::string> intervals = {""};
  for (const EventRisk::Within& within : event.within) {
    values.push_back(percent(within.probability));
    intervals.push_back(percent_interval(within.probability));
  }
  values.push_back(happens_label(company, event));
  append(values, last);
  table.row(std::move(values));
  table.row(std::move(intervals));
}

std::string covenant_label(const Company& company, const RiskReport& risk, std::size_t v) {
  const Named& name = company.covenants[v];
  std::string text = shortened(name.label, kLabelWidth);
  if (risk.covenants[v].tests.empty()) text += " *";
  return text;
}

std::string covenant_table(const Company& company, const RiskReport& risk) {
  Table table;
  std::vector<std::string> header = {"P within, %"};
  for (const EventRisk::Within& within : risk.liquidity_default.within) {
    header.push_back(fmt::format("{} months", within.months));
  }
  for (const char* each : {"median", "5%", "50%", "95%"}) header.emplace_back(each);
  table.row(std::move(header));
  table.rule();
  event_rows(table, company, "event of default", risk.event_of_default, {});
  event_rows(table, company, "liquidity default", risk.liquidity_default, {});
  bool untested = false;
  for (std::size_t v = 0; v < risk.covenants.size(); ++v) {
    const CovenantRisk& covenant = risk.covenants[v];
    constexpr std::array kShown = {5, 50, 95};
    untested = untested || covenant.tests.empty();
    event_rows(table, company, covenant_label(company, risk, v), covenant.breach,
               quantile_cells(covenant.min_headroom, kShown, is_money(covenant.metric) ? 0 : 3));
  }
  if (risk.covenants.size() > 1) event_rows(table, company, "any covenant", risk.any_breach, {});
  std::string text = "\nDefaults, and covenants that fail a test, cured, waived or not\n" + table.text();
  text +=
      "  event of default: a loan is accelerated, a borrower does not pay, or the parent runs out of cash "
      "(liquidity "
      "default).\n"
      "  Second line: 95% interval. median: month of the first breach, of the paths that breach.\n"
      "  5%, 50%, 95%: least headroom over a path's tests, in the metric's unit (amounts: USD million);"
      " negative is a breach.\n";
  if (untested) text += "  * not tested within the horizon\n";
  return text;
}

// The outcome of breaches, and which covenant is breached first.
std::string remedy_table(const Company& company, const RiskReport& risk) {
  const auto has = [](const CovenantRisk& covenant) { return covenant.has_remedies; };
  if (std::none_of(risk.covenants.begin(), risk.covenants.end(), has)) return "";
  Table table;
  table.row({"P within the horizon, %", "breach", "remedied", "uncured", "accelerated", "median", "binds first",
             "cures", "waivers"});
  table.rule();
  for (std::size_t v = 0; v < risk.covenants.size(); ++v) {
    const CovenantRisk& covenant = risk.covenants[v];
    table.row({covenant_label(company, risk, v), percent(covenant.breach.by_horizon()),
               percent(covenant.remedied), percent(covenant.uncured.by_horizon()),
               percent(covenant.accelerated.by_horizon()), happens_label(company, covenant.accelerated),
               percent(covenant.binds_first), supported(covenant.cures, 2), supported(covenant.waivers, 2)});
  }
  return "\nWhat becomes of a breach\n" + table.text() +
         "  remedied: every breach of the path cured or waived. median: month of the acceleration.\n"
         "  cures, waivers: mean number on a path.\n"
         "  binds first: no other covenant is breached before; of those breached in one month the first in "
         "this list.\n";
}

std::string borrower_table(const Company& company, const RiskReport& risk) {
  if (risk.borrowers.empty()) return "";
  Table table;
  std::vector<std::string> header = {"P(payment default) within, %"};
  for (const EventRisk::Within& within : risk.liquidity_default.within) {
    header.push_back(fmt::format("{} months", within.months));
  }
  for (const char* each : {"median", "paid in", "95%", "distributed"}) header.emplace_back(each);
  table.row(std::move(header));
  table.rule();
  for (std::size_t e = 0; e < risk.borrowers.size(); ++e) {
    const BorrowerRisk& borrower = risk.borrowers[e];
    event_rows(table, company, shortened(company.entities[e].label, kLabelWidth), borrower.payment_default,
               {supported(borrower.paid_in.mean, borrower.paid_in.mean_error, 1),
                quantile_cells(borrower.paid_in, std::array{95}, 1).front(),
                supported(borrower.distributed.mean, borrower.distributed.mean_error, 1)});
  }
  return "\nRing-fenced borrowers\n" + table.text() +
         "  paid in: by the parent over the horizon, with cures; mean and 95%; distributed: to the parent, "
         "mean;"
         " USD million.\n";
}

std::string customer_table(const Company& company, const RiskReport& risk) {
  if (risk.customers.empty()) return "";
  Table table;
  table.row(
      {"customers", "backlog, %", "fees, %", "P(default), %", "P(leaves), %", "lost if it leaves", "s.e."});
  table.rule();
  for (std::size_t c = 0; c < risk.customers.size(); ++c) {
    const CustomerRisk& customer = risk.customers[c];
    const bool leaves = customer.leaves.by_horizon().count > 0;
    const Estimate& lost = customer.lost_if_it_leaves;
    table.row({shortened(company.customers[c].label, kLabelWidth), number(100 * customer.backlog_share, 0),
               number(100 * customer.fees_share, 0), percent(customer.defaults.by_horizon()),
               percent(customer.leaves.by_horizon()), leaves ? supported(lost, 0) : "-",
               leaves ? error_text(lost.standard_error) : "-"});
  }
  return "\nCustomers, within the horizon\n" + table.text() +
         "  backlog: of the contracted fees at as_of; fees: of what contracts bill. leaves: a contract is lost "
         "by\n"
         "  termination, default or the loss of its site; lost: its contracted fees still to come, mean, USD "
         "million.\n";
}

std::string liquidity_lines(const RiskReport& risk) {
  Table table;
  table.row({"USD million", "mean", "s.e.", "5%", "50%", "95%", "99%"});
  table.rule();
  const auto add = [&table](std::string label, const Distribution& d) {
    std::vector<std::string> row = {std::move(label), supported(d.mean, d.mean_error, 1),
                                    error_text(d.mean_error)};
    constexpr std::array kShown = {5, 50, 95, 99};
    append(row, quantile_cells(d, kShown, 1));
    table.row(std::move(row));
  };
  add("peak funding gap", risk.peak_funding_gap);
  add("least liquidity", risk.min_liquidity);
  return "\n" + table.text();
}

std::string driver_table(const RiskReport& risk) {
  Table table;
  table.row({"mean over a path's months", "all paths", "covenant breach", "liquidity default"});
  table.rule();
  for (const DriverMeans& driver : risk.drivers) {
    table.row({std::string(label_of(driver.driver)), supported(driver.all, 3),
               supported(driver.given_breach, 3), supported(driver.given_liquidity_default, 3)});
  }
  return "\nThe world in which it happens\n" + table.text();
}

std::string guidance_table(const Company& company, const std::vector<GuidanceCheck>& guidance) {
  if (guidance.empty()) return "";
  Table table;
  table.row({"", "guidance", "plan", "10%", "50%", "90%"});
  table.rule();
  const auto figure = [](const std::optional<double>& value) { return value ? musd(*value) : "-"; };
  for (const GuidanceCheck& check : guidance) {
    const Guidance& said = company.guidance[check.guidance];
    table.row({guidance_label(company, said),
               fmt::format("{} to {}", musd(said.low_musd), musd(said.high_musd)), musd(check.plan_musd),
               figure(check.p10), figure(check.p50), figure(check.p90)});
  }
  return "\nWhat the company said, USD million (years include reported months)\n" + table.text();
}

std::string identities(const RiskReport& risk) {
  if (risk.violations.paths == 0) return "\nViolated identities: 0\n";
  std::string names;
  for (const std::string& name : violation_names(risk.violations.kinds)) {
    names += (names.empty() ? "" : ", ") + name;
  }
  return fmt::format("\nViolated identities: {} paths, first path {} ({}). The result is not to be trusted.\n",
                     number(static_cast<double>(risk.violations.paths), 0), risk.violations.first_path, names);
}

}  // namespace

std::string run_text(const Company& company, const Scenario& /*scenario*/, const RiskReport& risk,
                     const std::vector<GuidanceCheck>& guidance, const RunFacts& facts) {
  return head(company, risk, facts) + fcf_table(company, risk) + covenant_table(company, risk) +
         remedy_table(company, risk) + borrower_table(company, risk) + customer_table(company, risk) +
         liquidity_lines(risk) + driver_table(risk) + guidance_table(company, guidance) + identities(risk);
}

}  // namespace headroom::report
