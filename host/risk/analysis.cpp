// SPDX-License-Identifier: Apache-2.0
#include "host/risk/analysis.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <utility>

#include "headroom/model/contract.hpp"
#include "headroom/model/metrics.hpp"
#include "host/engine/tally.hpp"

namespace headroom {

namespace {

// The decimal that a float was read from: 1.2F gives 1.2 and not 1.2000000477.
double as_written(Real x) {
  const auto value = static_cast<double>(x);
  const double digits = value == 0 ? 0 : 6 - std::floor(std::log10(std::fabs(value)));
  return std::round(value * std::pow(10.0, digits)) / std::pow(10.0, digits);
}

std::size_t at(std::int32_t index) { return static_cast<std::size_t>(index); }

// Each customer's share of the contracted fees at as_of.
std::vector<double> opening_backlog(const Scenario& scenario) {
  std::vector<double> shares(at(scenario.customer.size));
  double all = 0;
  for (std::int32_t c = 0; c < scenario.contract.size; ++c) {
    const Contract& contract = scenario.contract[c];
    if (contract.option != 0) continue;
    const double fees = contract_backlog(contract, 0.0F, scenario.ledger_usd, start_contract(contract));
    shares[at(contract.customer)] += fees;
    all += fees;
  }
  for (double& share : shares) share = all > 0 ? share / all : 0;
  return shares;
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

// The ranks of kPercents. Most distributions of a run have a value on every path, and the binomial's quantiles
// take a millisecond, so those of the last number are kept.
const std::vector<QuantileRanks>& ranks_of(std::uint64_t n) {
  thread_local std::uint64_t last = 0;
  thread_local std::vector<QuantileRanks> ranks;
  if (last != n) {
    ranks.clear();
    for (const int percent : kPercents) ranks.push_back(quantile_ranks(percent, n));
    last = n;
  }
  return ranks;
}

}  // namespace

const Quantile& Distribution::quantile(int percent) const {
  const auto place = std::find(kPercents.begin(), kPercents.end(), percent) - kPercents.begin();
  return quantiles.at(static_cast<std::size_t>(place));
}

const BinnedQuantile& Band::quantile(int percent) const {
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

RiskReport blank_report(const Scenario& scenario, std::span<const std::int32_t> plan) {
  const ColumnLayout layout = column_layout(scenario);
  const std::int32_t months = scenario.months;
  RiskReport report;
  report.months = months;
  const auto years = periods(scenario, [](const MonthRow& row) { return row.year; });
  report.years.resize(years.size());
  for (std::size_t y = 0; y < years.size(); ++y) {
    YearRisk& year = report.years[y];
    std::tie(year.first_month, year.last_month) = years[y];
    for (std::size_t c = 0; c < kYearColumnCount; ++c)
      year.plan[c] = plan_total(plan, scenario, kYearTable[c].measure, year.first_month, year.last_month);
  }
  const auto quarters = periods(scenario, [](const MonthRow& row) { return row.quarter; });
  report.quarters.resize(quarters.size());
  for (std::size_t q = 0; q < quarters.size(); ++q) {
    QuarterRisk& quarter = report.quarters[q];
    std::tie(quarter.first_month, quarter.last_month) = quarters[q];
    quarter.plan_fcf = plan_total(plan, scenario, kFcf, quarter.first_month, quarter.last_month);
  }
  report.plan_total_fcf = plan_total(plan, scenario, kFcf, 1, months);

  report.covenants.resize(at(layout.covenants));
  for (std::int32_t v = 0; v < layout.covenants; ++v) {
    CovenantRisk& covenant = report.covenants[at(v)];
    const Covenant& terms = scenario.covenant[v];
    covenant.metric = terms.metric;
    covenant.maximum = terms.maximum != 0;
    covenant.has_remedies = !terms.plain();
    const double units = is_money(terms.metric) ? units_per_musd(scenario) : 1.0;
    for (std::int32_t t = 1; t <= months; ++t) {
      const CovenantTest& test = scenario.covenant_test[v * months + t - 1];
      if (test.tested != 0) covenant.tests.push_back({t, as_written(test.threshold) / units, {}});
    }
  }
  report.borrowers.resize(at(layout.borrowers));
  report.sites.resize(at(layout.sites));
  for (std::int32_t i = 0; i < layout.sites; ++i) report.sites[at(i)].running = scenario.site[i].running != 0;
  report.customers.resize(at(layout.customers));
  const std::vector<double> backlog = opening_backlog(scenario);
  for (std::int32_t c = 0; c < layout.customers; ++c) report.customers[at(c)].backlog_share = backlog[at(c)];
  report.joint.assign(at(layout.covenants) + 1, std::vector<Probability>(at(layout.covenants) + 1));
  for (const PathColumnTraits& each : kPathTable) {
    if (each.tells == Tells::driver) report.drivers.push_back({each.column, {}, {}, {}});
  }
  report.bands.resize(at(balance_series(scenario, scenario.tranche.size)));
  return report;
}

Distribution distribution_of(const Answers& answers, const Question& question, double units, bool tails) {
  const Answer& answer = answers.answer(question);
  Distribution found;
  const auto n = static_cast<std::uint64_t>(answer.integers[0]);
  found.paths = n;
  for (std::size_t k = 0; k < kPercents.size(); ++k) found.quantiles[k].percent = kPercents[k];
  if (n == 0) return found;

  const Moments whole = moments(static_cast<std::int64_t>(answer.integers[1]), answer.integers[2], n, units);
  found.mean = whole.mean.value;
  found.mean_error = whole.mean.standard_error;
  found.sd = whole.sd;

  // The values below the marker are the smallest of the column, so ranks in the whole column can be used.
  Columns* const kept = answers.kept.get();
  const std::vector<QuantileRanks>& ranks = ranks_of(n);
  std::vector<std::uint64_t> ascending;
  for (const QuantileRanks& r : ranks) {
    ascending.push_back(r.at);
    if (r.low) ascending.push_back(*r.low);
    if (r.high) ascending.push_back(*r.high);
  }
  std::sort(ascending.begin(), ascending.end());
  const std::vector<std::int32_t> values = kept != nullptr ? kept->order_statistics(question.column, ascending)
                                                           : order_statistics(answer.tally, ascending);
  const double lowest = answer.tally.lo / units, beyond = static_cast<double>(end_of(answer.tally)) / units;
  found.resolution = kept != nullptr ? 0 : static_cast<double>(resolution(answer.tally)) / units;
  const auto at_rank = [&](std::uint64_t rank) -> BinnedQuantile {
    const auto place = std::lower_bound(ascending.begin(), ascending.end(), rank) - ascending.begin();
    const std::int32_t value = values[static_cast<std::size_t>(place)];
    if (value == kBelowBins) return {.below = lowest};
    if (value == kAboveBins) return {.at_least = beyond};
    return {.value = value / units};
  };
  for (std::size_t k = 0; k < kPercents.size(); ++k) {
    Quantile& q = found.quantiles[k];
    static_cast<BinnedQuantile&>(q) = at_rank(ranks[k].at);
    // The near end of the bins is a bound too, on the side that it is known for.
    if (ranks[k].low) {
      const BinnedQuantile low = at_rank(*ranks[k].low);
      q.low = std::isnan(low.at_least) ? low.value : low.at_least;
    }
    if (ranks[k].high) {
      const BinnedQuantile high = at_rank(*ranks[k].high);
      q.high = std::isnan(high.below) ? high.value : high.below;
    }
  }

  if (!tails) return found;
  for (const int percent : kTailPercents) {
    if (std::isnan(found.quantile(percent).value)) {  // the tail is known only together with its edge
      found.tails.push_back({.percent = percent});
      continue;
    }
    const std::uint64_t tail = tail_count(percent, n);
    const Sums sums =
        kept != nullptr ? kept->sums_of_smallest(question.column, tail) : sums_of_smallest(answer.tally, tail);
    const Moments low = moments(sums.sum, sums.squares, tail, units);
    const Quantile& edge = found.quantile(percent);
    const double es = low.mean.value;
    found.tails.push_back({percent, edge.value, edge.standard_error(), es,
                           expected_shortfall_error(low.sd * low.sd, edge.value, es, percent, tail)});
  }
  return found;
}

EventRisk event_of(std::span<const Int128> counts, std::uint64_t paths) {
  const auto months = static_cast<std::int32_t>(counts.size()) - 1;
  EventRisk found;
  auto happened = static_cast<std::uint64_t>(counts[0]);  // month 0: it had happened by as_of
  for (std::int32_t t = 1; t <= months; ++t) {
    happened += static_cast<std::uint64_t>(counts[at(t)]);
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

Estimate mean_of(const Answers& answers, const Question& question, double units) {
  const std::vector<Int128>& sums = answers.answer(question).integers;
  return moments(static_cast<std::int64_t>(sums[1]), sums[2], static_cast<std::uint64_t>(sums[0]), units).mean;
}

Series series_of(const Scenario& scenario, const ByMonth& by_month, std::int32_t series,
                 std::span<const std::int32_t> plan) {
  Series found;
  double units = units_of_measure(scenario, kDebt);  // a tranche's balance
  if (series < kMeasureCount) {
    found.measure = static_cast<Measure>(series);
    units = units_of_measure(scenario, found.measure);
  } else if (is_headroom(scenario, series)) {
    found.covenant = series - headroom_series(0);
    units = units_of_headroom(scenario, found.covenant);
  } else {
    found.tranche = series - balance_series(scenario, 0);
  }
  found.months.resize(at(by_month.months));
  if (series >= by_month.series) return found;
  const std::int32_t covenant = found.covenant;
  // A ratio may have no denominator; a few capped values would then dominate the mean.
  const bool has_mean = covenant < 0 || is_money(scenario.covenant[covenant].metric);
  for (std::int32_t month = 0; month < by_month.months; ++month) {
    const std::size_t cell = at(series) * at(by_month.months) + at(month);
    const std::span bins(by_month.histogram.data() + cell * kBins, kBins);
    const BinRange range = by_month.bins[cell];
    Band& band = found.months[at(month)];
    for (const std::uint64_t count : bins) band.paths += count;
    if (band.paths == 1) {
      band.mean = static_cast<double>(by_month.sum[cell]) / units;
      band.bin_width = 0;
      band.quantiles.fill({.value = band.mean});
    } else if (band.paths > 0) {
      if (has_mean)
        band.mean = static_cast<double>(by_month.sum[cell]) / static_cast<double>(band.paths) / units;
      band.bin_width = std::ldexp(1 / units, range.shift);
      const auto quantiles = histogram_quantiles(bins, range, band.paths, kBandPercents);
      for (std::size_t k = 0; k < kBandPercents.size(); ++k) {
        const BinnedQuantile& q = quantiles[k];
        band.quantiles[k] = {q.value / units, q.below / units, q.at_least / units};
      }
    }
    if (!plan.empty() && plan[cell] != kFixedMax) band.plan = plan[cell] / units;
  }
  return found;
}

}  // namespace headroom
