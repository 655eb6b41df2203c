#include "host/risk/analysis.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "headroom/customers.hpp"
#include "headroom/metrics.hpp"
#include "host/engine/threads.hpp"

namespace headroom {

namespace {

constexpr std::array kTailPercents = {5, 1};
constexpr std::int32_t kNoMarker = INT32_MAX;

// A float as the decimal it was read from: 1.2F is 1.2 and not 1.2000000477.
double as_written(Real x) {
  const auto value = static_cast<double>(x);
  const double digits = value == 0 ? 0 : 6 - std::floor(std::log10(std::fabs(value)));
  return std::round(value * std::pow(10.0, digits)) / std::pow(10.0, digits);
}

std::size_t at(std::int32_t index) { return static_cast<std::size_t>(index); }

// Of the paths whose value is under `none` (a marker at the upper end of the column, such as kNever). They are
// the smallest, so ranks serve.
Distribution distribution(ColumnStore& columns, std::int32_t column, double units, bool with_tails = false,
                          std::int32_t none = kNoMarker) {
  Distribution found;
  const std::uint64_t n = columns.count_at_most(column, none - 1);
  found.paths = n;
  for (std::size_t k = 0; k < kPercents.size(); ++k) found.quantiles[k].percent = kPercents[k];
  if (n == 0) return found;

  const Moments whole = moments(columns.sum_where(column, column, none - 1),
                                columns.sum_of_squares_where(column, column, none - 1), n, units);
  found.mean = whole.mean.value;
  found.mean_error = whole.mean.standard_error;
  found.sd = whole.sd;

  std::vector<std::uint64_t> ranks;
  for (const int percent : kPercents) {
    const QuantileRanks r = quantile_ranks(percent, n);
    ranks.insert(ranks.end(), {r.low, r.at, r.high});
  }
  std::vector<std::uint64_t> ascending = ranks;
  std::sort(ascending.begin(), ascending.end());
  const std::vector<std::int32_t> values = columns.order_statistics(column, ascending, none);
  found.resolution = static_cast<double>(columns.resolution(column)) / units;
  const auto value_at = [&](std::uint64_t rank) {
    const auto place = std::lower_bound(ascending.begin(), ascending.end(), rank) - ascending.begin();
    return values[static_cast<std::size_t>(place)] / units;
  };
  for (std::size_t k = 0; k < kPercents.size(); ++k) {
    found.quantiles[k] = {kPercents[k], value_at(ranks[3 * k + 1]), value_at(ranks[3 * k]),
                          value_at(ranks[3 * k + 2])};
  }

  if (!with_tails) return found;
  for (const int percent : kTailPercents) {
    const std::uint64_t tail = tail_count(percent, n);
    const Moments low = moments(columns.sum_of_smallest(column, tail),
                                columns.sum_of_squares_of_smallest(column, tail), tail, units);
    const Quantile& edge = found.quantile(percent);
    const double es = low.mean.value;
    found.tails.push_back({percent, edge.value, edge.standard_error(), es,
                           expected_shortfall_error(low.sd * low.sd, edge.value, es, percent, tail)});
  }
  return found;
}

EventRisk event_risk(ColumnStore& columns, std::int32_t column, std::int32_t months) {
  const std::vector<std::uint64_t> counts = columns.counts(column, months + 1);
  const std::uint64_t paths = columns.paths();
  EventRisk found;
  std::uint64_t happened = counts[0];  // month 0: had happened at as_of
  for (std::int32_t t = 1; t <= months; ++t) {
    happened += counts[at(t)];
    found.cumulative.push_back(wilson(happened, paths));
  }
  for (const std::int32_t within : kWithinMonths) {
    if (within < months) found.within.push_back({within, found.cumulative[at(within - 1)]});
  }
  found.within.push_back({months, found.cumulative.back()});
  for (std::size_t k = 0; happened > 0 && k < kTimePercents.size(); ++k) {
    const std::uint64_t rank = tail_count(kTimePercents[k], happened);
    const auto reached = std::find_if(found.cumulative.begin(), found.cumulative.end(),
                                      [&](const Probability& p) { return p.count >= rank; });
    found.month_if_it_happens[k] = static_cast<std::int32_t>(reached - found.cumulative.begin()) + 1;
  }
  return found;
}

Estimate mean_of(ColumnStore& columns, std::int32_t column, double units) {
  return moments(columns.sum(column), columns.sum_of_squares(column), columns.paths(), units).mean;
}

// Mean of a driver over the paths whose flag column is at most `months`.
Estimate mean_where(ColumnStore& columns, std::int32_t driver, std::int32_t flag, std::int32_t months,
                    double units) {
  return moments(columns.sum_where(driver, flag, months), columns.sum_of_squares_where(driver, flag, months),
                 columns.count_at_most(flag, months), units)
      .mean;
}

// Each customer's share of the contracted fees at as_of.
std::vector<double> opening_backlog(const Scenario& scenario) {
  std::vector<double> shares(at(scenario.customer.size));
  double all = 0;
  for (std::int32_t c = 0; c < scenario.contract.size; ++c) {
    const Contract& contract = scenario.contract[c];
    if (contract.option != 0) continue;
    const double fees = contract_backlog(contract, start_contract(contract), 0.0F, scenario.ledger_usd);
    shares[at(contract.customer)] += fees;
    all += fees;
  }
  for (double& share : shares) share = all > 0 ? share / all : 0;
  return shares;
}

Series series_bands(const Scenario& scenario, const Outcomes& outcomes, std::int32_t series,
                    std::span<const std::int32_t> plan) {
  const std::int32_t covenant = series < kMeasureCount ? -1 : series - kMeasureCount;
  Series found;
  found.covenant = covenant;
  found.measure = covenant < 0 ? static_cast<Measure>(series) : kMeasureCount;
  const double units =
      covenant < 0 ? units_of_measure(scenario, found.measure) : units_of_headroom(scenario, covenant);
  // Not of a ratio that may be one to nothing: a few capped values would make it up.
  const bool has_mean = covenant < 0 || is_money(scenario.covenant[covenant].metric);
  for (std::int32_t month = 0; month < outcomes.months; ++month) {
    const std::size_t cell = at(series) * at(outcomes.months) + at(month);
    const std::span bins(outcomes.histogram.data() + cell * kBins, kBins);
    const BinRange range = outcomes.bins[cell];
    Band band;
    for (const std::uint64_t count : bins) band.paths += count;
    if (band.paths > 0) {
      if (has_mean)
        band.mean = static_cast<double>(outcomes.sum[cell]) / static_cast<double>(band.paths) / units;
      band.bin_width = std::ldexp(1 / units, range.shift);
      for (std::size_t k = 0; k < kBandPercents.size(); ++k) {
        band.quantiles[k] = histogram_quantile(bins, range, kBandPercents[k]);
        band.quantiles[k].value /= units;
      }
    }
    if (!plan.empty() && plan[cell] != kFixedMax) band.plan = plan[cell] / units;
    found.months.push_back(band);
  }
  return found;
}

// First and last month of each calendar year or quarter of the horizon.
template <class Period>
std::vector<std::pair<std::int32_t, std::int32_t>> periods(const Scenario& scenario, Period period) {
  std::vector<std::pair<std::int32_t, std::int32_t>> found;
  for (std::int32_t t = 1; t <= scenario.months; ++t) {
    const auto index = at(period(scenario.month[t - 1]));
    if (index >= found.size()) found.resize(index + 1, {t, t});
    found[index].second = t;
  }
  return found;
}

std::optional<double> plan_total(std::span<const std::int32_t> plan, const Scenario& scenario, Measure measure,
                                 std::int32_t first_month, std::int32_t last_month) {
  if (plan.empty()) return {};
  std::int64_t total = 0;
  for (std::int32_t t = first_month; t <= last_month; ++t) {
    total += plan[at(measure) * at(scenario.months) + at(t - 1)];
  }
  return static_cast<double>(total) / units_of_measure(scenario, measure);
}

}  // namespace

const Quantile& Distribution::quantile(int percent) const {
  const auto place = std::find(kPercents.begin(), kPercents.end(), percent) - kPercents.begin();
  return quantiles.at(static_cast<std::size_t>(place));
}

const HistogramQuantile& Band::quantile(int percent) const {
  const auto place = std::find(kBandPercents.begin(), kBandPercents.end(), percent) - kBandPercents.begin();
  return quantiles.at(static_cast<std::size_t>(place));
}

double units_per_musd(const Scenario& scenario) { return 1e6 / static_cast<double>(scenario.ledger_usd); }

double units_of_scale(const Scenario& scenario, Scale scale) {
  switch (scale) {
    case Scale::money:
      return units_per_musd(scenario);
    case Scale::fixed_point:
      return static_cast<double>(kFixedOne);
    default:
      return 1.0;
  }
}

double units_of_measure(const Scenario& scenario, Measure measure) {
  return units_of_scale(scenario, traits_of(measure).scale);
}

double units_of_headroom(const Scenario& scenario, std::int32_t covenant) {
  return units_of_scale(scenario, traits_of(scenario.covenant[covenant].metric).scale);
}

RiskReport analyse(const Scenario& scenario, const Outcomes& outcomes, const PathRange& paths,
                   std::span<const std::int32_t> plan) {
  ColumnStore& columns = *outcomes.columns;
  const ColumnLayout& layout = outcomes.layout;
  const std::int32_t months = scenario.months;
  const double musd = units_per_musd(scenario);
  constexpr double kFixed = static_cast<double>(kFixedOne);
  if (columns.paths() == 0) throw std::invalid_argument("analyse: there are no paths");

  RiskReport report;
  report.seed = paths.seed;
  report.first_path = paths.first;
  report.paths = columns.paths();
  report.months = months;

  // All places are made before the tasks that fill them.
  std::vector<std::function<void()>> tasks;
  const auto add = [&tasks](auto& place, auto make) { tasks.emplace_back([&place, make] { place = make(); }); };

  const auto years = periods(scenario, [](const MonthRow& row) { return row.year; });
  report.years.resize(years.size());
  for (std::int32_t y = 0; y < layout.years; ++y) {
    YearRisk& year = report.years[at(y)];
    std::tie(year.first_month, year.last_month) = years[at(y)];
    for (std::int32_t c = 0; c < kYearColumnCount; ++c) {
      const auto column = static_cast<YearColumn>(c);
      const bool tails = traits_of(column).bad_end == BadEnd::low;
      year.plan[at(c)] =
          plan_total(plan, scenario, traits_of(column).measure, year.first_month, year.last_month);
      add(year.measures[at(c)], [&columns, id = layout.year(column, y), musd, tails] {
        return distribution(columns, id, musd, tails);
      });
    }
  }
  const auto quarters = periods(scenario, [](const MonthRow& row) { return row.quarter; });
  report.quarters.resize(quarters.size());
  for (std::int32_t q = 0; q < layout.quarters; ++q) {
    QuarterRisk& quarter = report.quarters[at(q)];
    std::tie(quarter.first_month, quarter.last_month) = quarters[at(q)];
    quarter.plan_fcf = plan_total(plan, scenario, kFcf, quarter.first_month, quarter.last_month);
    add(quarter.fcf,
        [&columns, id = layout.quarter_fcf(q), musd] { return distribution(columns, id, musd, true); });
  }
  report.plan_total_fcf = plan_total(plan, scenario, kFcf, 1, months);
  add(report.total_fcf, [&] { return distribution(columns, layout.path(kTotalFcf), musd, true); });
  add(report.peak_funding_gap, [&] { return distribution(columns, layout.path(kPeakFundingGap), musd); });
  add(report.min_liquidity, [&] { return distribution(columns, layout.path(kMinLiquidity), musd, true); });
  add(report.dilution, [&] { return distribution(columns, layout.path(kDilution), kFixed); });

  report.covenants.resize(at(layout.covenants));
  for (std::int32_t v = 0; v < layout.covenants; ++v) {
    CovenantRisk& covenant = report.covenants[at(v)];
    const Covenant& terms = scenario.covenant[v];
    covenant.metric = terms.metric;
    covenant.maximum = terms.maximum != 0;
    const double units = units_of_headroom(scenario, v);
    const double threshold_units = is_money(terms.metric) ? musd : 1.0;
    for (std::int32_t t = 1; t <= months; ++t) {
      const CovenantTest& test = scenario.covenant_test[v * months + t - 1];
      if (test.tested == 0) continue;
      const std::uint64_t failing = outcomes.failing[at(v) * at(months) + at(t - 1)];
      covenant.tests.push_back(
          {t, as_written(test.threshold) / threshold_units, wilson(failing, report.paths)});
    }
    add(covenant.breach, [&, v] { return event_risk(columns, layout.first_breach(v), months); });
    covenant.has_remedies = !terms.plain();
    add(covenant.uncured, [&, v] { return event_risk(columns, layout.first_uncured(v), months); });
    add(covenant.accelerated, [&, v] { return event_risk(columns, layout.accelerated(v), months); });
    add(covenant.cures, [&, v] { return mean_of(columns, layout.cures(v), 1); });
    add(covenant.waivers, [&, v] { return mean_of(columns, layout.waivers(v), 1); });
    add(covenant.min_headroom, [&columns, id = layout.min_headroom(v), units] {
      return distribution(columns, id, units, true, kFixedMax);
    });
  }

  if (layout.covenants > 0) {
    tasks.emplace_back([&] {
      const std::vector<std::uint64_t> first = columns.counts(layout.path(kFirstCovenant), layout.covenants);
      for (std::size_t v = 0; v < first.size(); ++v) {
        report.covenants[v].binds_first = wilson(first[v], report.paths);
      }
    });
  }

  report.borrowers.resize(at(layout.borrowers));
  for (std::int32_t e = 0; e < layout.borrowers; ++e) {
    BorrowerRisk& borrower = report.borrowers[at(e)];
    add(borrower.payment_default, [&, e] { return event_risk(columns, layout.payment_default(e), months); });
    add(borrower.paid_in, [&, e] { return distribution(columns, layout.paid_in(e), musd); });
    add(borrower.distributed, [&, e] { return distribution(columns, layout.distributed(e), musd); });
  }

  report.sites.resize(at(layout.sites));
  for (std::int32_t i = 0; i < layout.sites; ++i) {
    SiteRisk& site = report.sites[at(i)];
    const std::int32_t id = layout.months_late(i);
    site.running = scenario.site[i].running != 0;
    add(site.months_late, [&columns, id] { return distribution(columns, id, kFixed, false, kNever); });
    add(site.late, [&columns, id] {
      return wilson(columns.count_at_most(id, kNever - 1) - columns.count_at_most(id, 0), columns.paths());
    });
    add(site.never_opens, [&columns, id] {
      return wilson(columns.paths() - columns.count_at_most(id, kNever - 1), columns.paths());
    });
  }
  report.customers.resize(at(layout.customers));
  const std::vector<double> backlog = opening_backlog(scenario);
  for (std::int32_t c = 0; c < layout.customers; ++c) {
    CustomerRisk& customer = report.customers[at(c)];
    customer.backlog_share = backlog[at(c)];
    add(customer.defaults, [&, c] { return event_risk(columns, layout.default_month(c), months); });
    add(customer.leaves, [&, c] { return event_risk(columns, layout.customer_left(c), months); });
    add(customer.fees, [&, c] { return distribution(columns, layout.customer_fees(c), musd); });
    add(customer.lost_if_it_leaves,
        [&, c] { return mean_where(columns, layout.customer_lost(c), layout.customer_left(c), months, musd); });
  }

  const std::int32_t defaulted = layout.path(kLiquidityDefaultMonth);
  add(report.liquidity_default, [&] { return event_risk(columns, defaulted, months); });
  std::vector<std::int32_t> flags;
  flags.reserve(at(layout.covenants) + 1);
  for (std::int32_t v = 0; v < layout.covenants; ++v) flags.push_back(layout.first_breach(v));
  flags.push_back(defaulted);
  report.joint.assign(flags.size(), std::vector<Probability>(flags.size()));
  for (std::size_t a = 0; a < flags.size(); ++a) {
    for (std::size_t b = a; b < flags.size(); ++b) {
      tasks.emplace_back([&, a, b] {
        const std::uint64_t both = columns.count_both_at_most(flags[a], months, flags[b], months);
        report.joint[a][b] = report.joint[b][a] = wilson(both, report.paths);
      });
    }
  }

  const bool covenants = layout.covenants > 0;
  const std::int32_t any = covenants ? columns.minimum_of(layout.first_breach(0), layout.covenants) : -1;
  if (covenants) {
    add(report.any_breach, [&columns, any, months] { return event_risk(columns, any, months); });
  } else {
    report.any_breach.cumulative.assign(at(months), wilson(0, report.paths));
    report.any_breach.within.push_back({months, wilson(0, report.paths)});
  }
  for (const PathColumnTraits& each : kPathTable) {
    if (each.tells == Tells::driver) report.drivers.push_back({each.column, {}, {}, {}});
  }
  for (DriverMeans& driver : report.drivers) {
    const std::int32_t id = layout.path(driver.driver);
    const double units = units_of_scale(scenario, traits_of(driver.driver).scale);
    add(driver.all, [&columns, id, units] { return mean_of(columns, id, units); });
    if (covenants) {
      add(driver.given_breach, [=, &columns] { return mean_where(columns, id, any, months, units); });
    }
    add(driver.given_liquidity_default,
        [=, &columns] { return mean_where(columns, id, defaulted, months, units); });
  }

  report.bands.resize(at(outcomes.series));
  for (std::int32_t s = 0; s < outcomes.series; ++s) {
    add(report.bands[at(s)], [&, s] { return series_bands(scenario, outcomes, s, plan); });
  }
  run_tasks(columns.concurrency(), tasks);
  double fees = 0;
  for (const CustomerRisk& customer : report.customers) fees += customer.fees.mean;
  for (CustomerRisk& customer : report.customers)
    customer.fees_share = fees > 0 ? customer.fees.mean / fees : 0;
  for (CovenantRisk& covenant : report.covenants) {
    covenant.remedied =
        wilson(covenant.breach.by_horizon().count - covenant.uncured.by_horizon().count, report.paths);
  }

  const ColumnStore::NotZero offenders = columns.not_zero(layout.path(kViolations));
  if (offenders.count > 0) {
    std::int32_t kinds = 0;
    columns.read(layout.path(kViolations), offenders.first, std::span(&kinds, 1));
    report.violations = {offenders.count, paths.first + offenders.first, kinds};
  }
  return report;
}

}  // namespace headroom
