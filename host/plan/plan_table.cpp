// SPDX-License-Identifier: Apache-2.0
#include "host/plan/plan_table.hpp"

#include <algorithm>
#include <cmath>

#include "host/cpu/trace.hpp"

namespace headroom {

namespace {

std::size_t at(std::int32_t index) { return static_cast<std::size_t>(index); }

class Trace {
 public:
  Trace(const Scenario& scenario, std::span<const std::int32_t> values)
      : scenario_(scenario), values_(values) {}

  double end(Measure measure, std::int32_t month) const {
    return raw(measure, month) / units_of_measure(scenario_, measure);
  }
  double total(Measure measure, std::int32_t first, std::int32_t last) const {
    std::int64_t sum = 0;
    for (std::int32_t t = first; t <= last; ++t) sum += raw(measure, t);
    return static_cast<double>(sum) / units_of_measure(scenario_, measure);
  }
  std::optional<double> least_headroom(std::int32_t covenant, std::int32_t first, std::int32_t last) const {
    std::int32_t least = kFixedMax;
    for (std::int32_t t = first; t <= last; ++t) least = std::min(least, raw(kMeasureCount + covenant, t));
    if (least == kFixedMax) return {};
    return least / units_of_headroom(scenario_, covenant);
  }

 private:
  std::int32_t raw(std::int32_t series, std::int32_t month) const {
    return values_[at(series) * at(scenario_.months) + at(month - 1)];
  }
  const Scenario& scenario_;
  std::span<const std::int32_t> values_;
};

PlanPeriod period_of(const Scenario& scenario, const Trace& trace, std::int32_t first, std::int32_t last) {
  PlanPeriod period;
  period.first_month = first;
  period.last_month = last;
  period.revenue = trace.total(kRevenue, first, last);
  period.ebitda = trace.total(kEbitda, first, last);
  period.cash_interest = trace.total(kCashInterest, first, last);
  period.capex = trace.total(kCapex, first, last);
  period.fcf = trace.total(kFcf, first, last);
  period.debt = trace.end(kDebt, last);
  period.cash = trace.end(kCash, last);
  period.arr = trace.end(kArr, last);
  period.backlog = trace.end(kBacklog, last);
  for (std::int32_t v = 0; v < scenario.covenant.size; ++v) {
    period.headroom.push_back(trace.least_headroom(v, first, last));
  }
  return period;
}

int calendar_year(const Company& company, std::int32_t month) {
  return static_cast<int>(config::month_end(company.as_of, month).year());
}
unsigned calendar_month(const Company& company, std::int32_t month) {
  return static_cast<unsigned>(config::month_end(company.as_of, month).month());
}

// The period of a calendar year; null unless the whole year is known.
const PlanPeriod* whole_year(const Company& company, const std::vector<PlanPeriod>& years, int year) {
  for (const PlanPeriod& period : years) {
    if (calendar_year(company, period.last_month) != year) continue;
    const bool from_january = calendar_month(company, period.first_month) == 1 || period.includes_reported;
    return from_january && calendar_month(company, period.last_month) == 12 ? &period : nullptr;
  }
  return nullptr;
}

struct FlowOfYear {
  YearColumn column;
  double PlanPeriod::*plan;
  double reported;
};

FlowOfYear flow_of(GuidanceMeasure measure, const std::optional<Reported>& reported) {
  const Reported nothing{};
  const Reported& r = reported ? *reported : nothing;
  switch (measure) {
    case GuidanceMeasure::revenue:
      return {kYearRevenue, &PlanPeriod::revenue, r.revenue_musd};
    case GuidanceMeasure::ebitda:
      return {kYearEbitda, &PlanPeriod::ebitda, r.ebitda_musd};
    default:
      return {kYearCapex, &PlanPeriod::capex, r.capex_musd};
  }
}

GuidanceCheck check_flow(const Company& company, const Guidance& guidance, const PlanTable& table,
                         const RiskReport* report) {
  GuidanceCheck check;
  const PlanPeriod* const year = whole_year(company, table.years, guidance.year);
  if (year == nullptr) return check;
  const FlowOfYear flow = flow_of(guidance.measure, company.reported);
  check.plan_musd = year->*flow.plan;
  if (report == nullptr) return check;
  const double reported = year->includes_reported ? flow.reported : 0.0;
  const Distribution& run =
      report->years[static_cast<std::size_t>(year - table.years.data())].measures[at(flow.column)];
  check.p10 = run.quantile(10).value + reported;
  check.p50 = run.quantile(50).value + reported;
  check.p90 = run.quantile(90).value + reported;
  return check;
}

std::int32_t year_end_month(const Company& company, int year) {
  return 12 * (year - calendar_year(company, 0)) + 12 - static_cast<std::int32_t>(calendar_month(company, 0));
}

bool is_balance(const Guidance& guidance) {
  return guidance.measure == GuidanceMeasure::exit_arr || guidance.measure == GuidanceMeasure::backlog;
}

GuidanceCheck check_balance(const Company& company, const Scenario& scenario, const Guidance& guidance,
                            const PlanTable& table, const RiskReport* report) {
  GuidanceCheck check;
  const bool arr = guidance.measure == GuidanceMeasure::exit_arr;
  const std::int32_t month = year_end_month(company, guidance.year);
  if (month <= 0) {
    if (!arr) check.plan_musd = company.totals.contract_value_musd;
    return check;
  }
  if (month > scenario.months) return check;
  const PlanPeriod& year = *std::find_if(table.years.begin(), table.years.end(),
                                         [&](const PlanPeriod& y) { return y.last_month >= month; });
  check.plan_musd = arr ? year.arr : year.backlog;
  if (report == nullptr) return check;
  const Band& band = report->bands[at(arr ? kArr : kBacklog)].months[at(month - 1)];
  check.p10 = band.quantile(10).value;
  check.p50 = band.quantile(50).value;
  check.p90 = band.quantile(90).value;
  return check;
}

// The scenario with every switch off.
Scenario on_plan(Scenario scenario) {
  scenario.switches = 0;
  return scenario;
}

}  // namespace

std::vector<std::int32_t> plan_trace(const Scenario& scenario) { return trace_path(on_plan(scenario), 0, 0); }

namespace {

// On one CPU thread, without histograms; for a few paths.
Outcomes simulate(const Scenario& scenario, const PathRange& paths) {
  RunPlan run;
  run.paths = paths;
  run.threads = 1;
  const std::vector<BinRange> none(
      static_cast<std::size_t>(series_count(scenario)) * static_cast<std::size_t>(scenario.months),
      {0, kNotCounted});
  return make_cpu_backend()->simulate(scenario, run, none);
}

}  // namespace

std::vector<std::int32_t> plan_columns(const Scenario& scenario) {
  const Outcomes outcome = simulate(on_plan(scenario), {.seed = 0, .first = 0, .count = 1});
  std::vector<std::int32_t> values(static_cast<std::size_t>(outcome.layout.count()));
  for (std::size_t c = 0; c < values.size(); ++c)
    outcome.columns->read(static_cast<std::int32_t>(c), 0, {&values[c], 1});
  return values;
}

std::int32_t plan_violations(const Scenario& scenario) { return plan_columns(scenario)[kViolations]; }

std::vector<std::int32_t> path_violations(const Scenario& scenario, const PathRange& paths) {
  std::vector<std::int32_t> kinds(paths.count);
  simulate(scenario, paths).columns->read(kViolations, 0, kinds);
  return kinds;
}

PlanTable plan_table(const Company& company, const Scenario& scenario, std::span<const std::int32_t> plan) {
  const Trace trace(scenario, plan);
  PlanTable table;
  if (company.reported) {
    const Reported& r = *company.reported;
    PlanPeriod reported;
    reported.revenue = r.revenue_musd;
    reported.ebitda = r.ebitda_musd;
    reported.cash_interest = r.interest_musd;
    reported.capex = r.capex_musd;
    reported.fcf = r.fcf_musd();
    reported.headroom.resize(at(scenario.covenant.size));
    table.reported = reported;
  }
  std::int32_t quarter_start = 1;
  std::int32_t year_start = 1;
  for (std::int32_t t = 1; t <= scenario.months; ++t) {
    const MonthRow& row = scenario.month[t - 1];
    const bool last = t == scenario.months;
    if (row.quarter_end != 0 || last) {
      table.quarters.push_back(period_of(scenario, trace, quarter_start, t));
      quarter_start = t + 1;
    }
    if (row.year_end != 0 || last) {
      table.years.push_back(period_of(scenario, trace, year_start, t));
      year_start = t + 1;
    }
  }
  // as_of is inside a year: the reported months of that year belong to the first year of the table.
  if (table.reported && calendar_month(company, 0) != 12) {
    PlanPeriod& first = table.years.front();
    const PlanPeriod& reported = *table.reported;
    first.includes_reported = true;
    first.revenue += reported.revenue;
    first.ebitda += reported.ebitda;
    first.cash_interest = kUnknown;  // the plan's is net and in cash, the reported one is neither
    first.capex += reported.capex;
    first.fcf += reported.fcf;
  }
  return table;
}

std::vector<std::int32_t> guidance_cells(const Company& company, const Scenario& scenario) {
  std::vector<std::int32_t> cells;
  for (const Guidance& guidance : company.guidance) {
    const std::int32_t month = year_end_month(company, guidance.year);
    if (!is_balance(guidance) || month < 1 || month > scenario.months) continue;
    const std::int32_t series = guidance.measure == GuidanceMeasure::exit_arr ? kArr : kBacklog;
    cells.push_back(series * scenario.months + month - 1);
  }
  return cells;
}

std::vector<GuidanceCheck> check_guidance(const Company& company, const Scenario& scenario,
                                          const PlanTable& table, const RiskReport* report) {
  std::vector<GuidanceCheck> checks;
  for (std::size_t g = 0; g < company.guidance.size(); ++g) {
    const Guidance& guidance = company.guidance[g];
    GuidanceCheck check = is_balance(guidance) ? check_balance(company, scenario, guidance, table, report)
                                               : check_flow(company, guidance, table, report);
    check.guidance = g;
    // To the million that is printed. NaN: the plan does not say.
    const double plan = std::round(check.plan_musd);
    if (plan < guidance.low_musd) check.mark = GuidanceCheck::Mark::below;
    if (plan > guidance.high_musd) check.mark = GuidanceCheck::Mark::above;
    if (plan >= guidance.low_musd && plan <= guidance.high_musd) check.mark = GuidanceCheck::Mark::inside;
    checks.push_back(check);
  }
  return checks;
}

}  // namespace headroom
