// SPDX-License-Identifier: Apache-2.0
// Turns the paths' outcomes into the figures that a lender asks for: distributions, breach probabilities,
// joint breaches and the state of the market behind them. See MODEL.md section 8. Only here do integers
// become doubles in natural units: musd (USD million), months, metric units, shares. Probabilities are shares
// of paths.
//
// All figures are computed from exact integers in a fixed order: equal outcomes give equal bits.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"
#include "host/engine/answers.hpp"
#include "host/engine/columns.hpp"
#include "host/risk/statistics.hpp"

namespace headroom {

constexpr std::array<int, 9> kPercents = {1, 5, 10, 25, 50, 75, 90, 95, 99};
constexpr std::array<int, 7> kBandPercents = {5, 10, 25, 50, 75, 90, 95};
constexpr std::array<int, 5> kTimePercents = {5, 25, 50, 75, 95};
constexpr std::array<int, 2> kTailPercents = {5, 1};
constexpr std::array<int, 3> kWithinMonths = {12, 24, 36};  // and the horizon

struct Quantile : BinnedQuantile {
  int percent = 0;
  // 95% interval of the quantile itself. A bound is unknown if the paths are too few for it, or if it lies
  // beyond the bins on the open side.
  double low = kUnknown;
  double high = kUnknown;
  // Unknown without both bounds.
  double standard_error() const { return (high - low) / (2 * kNormal95); }
};

// The bad end of a flow, at confidence 100 - percent, with the sign of the flow. Value at risk is the amount
// that the flow falls below with probability `percent`; expected shortfall is the mean of the values below
// it.
struct LowerTail {
  int percent = 0;
  double value_at_risk = kUnknown;
  double value_at_risk_error = kUnknown;
  double expected_shortfall = kUnknown;
  double expected_shortfall_error = kUnknown;
};

struct Distribution {
  std::uint64_t paths = 0;  // paths that have a value; 0: nothing below is known
  double mean = kUnknown;
  double mean_error = kUnknown;
  double sd = kUnknown;
  std::array<Quantile, kPercents.size()> quantiles{};
  double resolution = 0;           // greatest error of the known quantiles and tails; 0: exact
  std::vector<LowerTail> tails{};  // 5% and 1%; only for flows whose low end is bad

  const Quantile& quantile(int percent) const;  // one of kPercents
};

// One calendar year, or the part of it inside the horizon.
struct YearRisk {
  std::int32_t first_month = 0, last_month = 0;              // of the horizon, 1..T
  std::array<Distribution, kYearColumnCount> measures{};     // musd
  std::array<std::optional<double>, kYearColumnCount> plan;  // musd
};

struct QuarterRisk {
  std::int32_t first_month = 0, last_month = 0;
  Distribution fcf;  // musd
  std::optional<double> plan_fcf;
};

// An event that happens in one month of a path, or never.
struct EventRisk {
  struct Within {
    std::int32_t months = 0;
    Probability probability;
  };
  std::vector<Within> within;           // those of kWithinMonths before the horizon, then the horizon
  std::vector<Probability> cumulative;  // [months]: has happened by the end of month t
  // The month of the event if it happens, quantiles kTimePercents; 0: it never happens.
  std::array<std::int32_t, kTimePercents.size()> month_if_it_happens{};

  const Probability& by_horizon() const { return within.back().probability; }
  std::int32_t median_month() const { return month_if_it_happens[2]; }
};

struct CovenantRisk {
  struct Test {
    std::int32_t month = 0;
    double threshold = kUnknown;  // metric's unit; liquidity in musd
    Probability failing;          // share of paths that fail at this date
  };
  Metric metric{};
  bool maximum = false;       // true: the metric must not exceed the threshold
  EventRisk breach;           // the first failed test, cured or not
  bool has_remedies = false;  // cures, waivers or consequences
  EventRisk uncured;          // the first breach that was neither cured nor waived
  EventRisk accelerated;      // its lenders call their loans
  Estimate cures, waivers;    // mean number on a path
  Probability remedied;       // a breach within the horizon, and every breach cured or waived
  Probability binds_first;    // a breach, with no other covenant breached before
  std::vector<Test> tests;    // by date
  Distribution min_headroom;  // least headroom over the path's tests, metric's unit (liquidity in musd)
};

struct SiteRisk {
  bool running = false;
  Distribution months_late;  // of the paths on which it opens
  Probability late;          // opens, but later than planned
  Probability never_opens;
};

// A customer, and the figures that depend on it.
struct CustomerRisk {
  double backlog_share = 0;  // of the contracted fees at as_of, options left out
  double fees_share = 0;     // of all contract fees billed over the horizon, of all paths
  EventRisk defaults;
  EventRisk leaves;            // its first contract is lost by termination, default, or the loss of its site
  Distribution fees;           // over the horizon, musd
  Estimate lost_if_it_leaves;  // remaining contracted fees of the contracts lost, musd
};

// A ring-fenced borrower.
struct BorrowerRisk {
  EventRisk payment_default;  // a payment that neither its reserve account nor a guarantee covers
  Distribution paid_in;       // by the parent over the horizon, with cures, musd
  Distribution distributed;   // to the parent, musd
};

// A driver's mean over each path: averaged over all paths, and over the paths that end badly.
struct DriverMeans {
  PathColumn driver{};
  Estimate all, given_breach, given_liquidity_default;
};

struct Violations {
  std::uint64_t paths = 0;
  std::uint64_t first_path = 0;  // path index, where there is one
  std::int32_t kinds = 0;        // violated identities of that path: Violation bits
};

// A measure by month. Quantiles come from histograms; their error is less than a bin's width. Those of a single
// path are its value.
struct Band {
  std::uint64_t paths = 0;  // 0: no covenant test in this month
  double mean = kUnknown;   // unknown for a ratio's headroom on several paths
  std::array<BinnedQuantile, kBandPercents.size()> quantiles{};
  double bin_width = kUnknown;  // 0: exact
  std::optional<double> plan;

  const BinnedQuantile& quantile(int percent) const;  // one of kBandPercents
};
struct Series {
  Measure measure = kMeasureCount;
  std::int32_t covenant = -1;  // >= 0: the headroom of this covenant
  std::int32_t tranche = -1;   // >= 0: the balance of this tranche
  std::vector<Band> months;    // [months]
};

struct RiskReport {
  std::uint64_t seed = 0, first_path = 0, paths = 0;
  std::int32_t months = 0;

  std::vector<YearRisk> years;
  std::vector<QuarterRisk> quarters;
  Distribution total_fcf;  // musd, whole horizon
  std::optional<double> plan_total_fcf;

  std::vector<CovenantRisk> covenants;
  EventRisk any_breach;  // of any covenant
  EventRisk liquidity_default;
  EventRisk event_of_default;  // a loan accelerated, a borrower's payment default, or a liquidity default
  std::vector<BorrowerRisk> borrowers;
  // [covenants + 1][covenants + 1]: both happen within the horizon. The last row and column are the liquidity
  // default.
  std::vector<std::vector<Probability>> joint;

  Distribution peak_funding_gap;  // musd
  Distribution min_liquidity;     // musd
  Distribution dilution;          // new shares over opening shares
  std::vector<SiteRisk> sites;
  std::vector<CustomerRisk> customers;
  std::vector<DriverMeans> drivers;
  Violations violations;
  std::vector<Series> bands;  // measures, covenants, tranches
};

// A report before any path is run, with only the figures of the scenario and the plan. `plan`: trace_path()
// of the scenario with every switch off, or empty.
RiskReport blank_report(const Scenario& scenario, std::span<const std::int32_t> plan);

// The parts of a report. Each is made from the answers to the questions that it needs.

// `question`: of kind distribution. `units` units of its column are one natural unit.
Distribution distribution_of(const Answers& answers, const Question& question, double units, bool tails);
// `counts`: paths by month 0 .. months.
EventRisk event_of(std::span<const Int128> counts, std::uint64_t paths);
// `question`: of kind sums.
Estimate mean_of(const Answers& answers, const Question& question, double units);
// A series by month.
Series series_of(const Scenario& scenario, const ByMonth& by_month, std::int32_t series,
                 std::span<const std::int32_t> plan);

// How many integer units are one natural unit: of a scale, of a measure, of a covenant's headroom, of USD
// million.
double units_of_scale(const Scenario& scenario, Scale scale);
double units_of_measure(const Scenario& scenario, Measure measure);
double units_of_headroom(const Scenario& scenario, std::int32_t covenant);
double units_per_musd(const Scenario& scenario);

}  // namespace headroom
