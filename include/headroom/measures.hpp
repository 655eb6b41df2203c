// SPDX-License-Identifier: Apache-2.0
// The tables of what a path reports, one row each: monthly measures, sums by calendar year, columns of the
// whole path, and the identities that it may violate. The formulas are in closing.hpp; a row without a
// formula does not compile.
#pragma once

#include <cstdint>

#include "headroom/table.hpp"

namespace headroom {

// ---- Monthly measures. ----

// A flow adds up over months; a stock or a price stands at the month end.
enum class Kind : std::int32_t { flow, stock };

// Columns: measure, name in files, words, unit, scale, kind.
#define HEADROOM_MEASURES(X)                                                                                   \
  X(kRevenue, "revenue", "revenue", "musd", money, flow)                                                       \
  X(kEbitda, "ebitda", "adjusted EBITDA, before stock compensation", "musd", money, flow)                      \
  X(kCashInterest, "cash_interest", "interest and fees paid, less what cash earns", "musd", money, flow)       \
  X(kCashTax, "cash_tax", "tax paid", "musd", money, flow)                                                     \
  X(kWorkingCapital, "working_capital", "change in working capital and prepayments, as a cash inflow", "musd", \
    money, flow)                                                                                               \
  X(kCfo, "cfo", "cash flow from operations", "musd", money, flow)                                             \
  X(kCapex, "capex", "capital expenditure paid", "musd", money, flow)                                          \
  X(kFcf, "fcf", "free cash flow: CFO less capex", "musd", money, flow)                                        \
  X(kLeveredFcf, "levered_fcf", "free cash flow less scheduled principal", "musd", money, flow)                \
  X(kNetIncome, "net_income", "net income", "musd", money, flow)                                               \
  X(kAdjustedNetIncome, "adjusted_net_income", "net income before stock compensation", "musd", money, flow)    \
  X(kDebt, "debt", "debt", "musd", money, stock)                                                               \
  X(kCash, "cash", "unrestricted cash", "musd", money, stock)                                                  \
  X(kLiquidity, "liquidity", "the parent's cash and undrawn revolver", "musd", money, stock)                   \
  X(kArr, "arr", "annualised revenue of the month", "musd_per_year", money, stock)                             \
  X(kBacklog, "backlog", "contracted fees still to come", "musd", money, stock)                                \
  X(kDeferredRevenue, "deferred_revenue", "deferred revenue", "musd", money, stock)                            \
  X(kUtilisation, "utilisation", "sold share of the GPUs on line", "share", fixed_point, stock)                \
  X(kTightness, "tightness", "tightness of the market (log)", "log", fixed_point, stock)                       \
  X(kMarketPrice, "market_price",                                                                              \
    "on-demand price, mean over the company's GPUs on line (of the first type before any)",                    \
    "usd_per_gpu_hour", fixed_point, stock)                                                                    \
  X(kShortRate, "short_rate", "short rate", "per_year", fixed_point, stock)

#define HEADROOM_ROW(measure, name, label, unit, scale, kind) measure,
enum Measure : std::int32_t { HEADROOM_MEASURES(HEADROOM_ROW) kMeasureCount };
#undef HEADROOM_ROW

struct MeasureTraits {
  const char* name;
  const char* label;
  const char* unit;
  Scale scale;
  Kind kind;
};
#define HEADROOM_ROW(measure, name, label, unit, scale, kind) {name, label, unit, Scale::scale, Kind::kind},
inline constexpr MeasureTraits kMeasureTable[] = {HEADROOM_MEASURES(HEADROOM_ROW)};
#undef HEADROOM_ROW
static_assert(well_named(kMeasureTable));
constexpr const MeasureTraits& traits_of(Measure measure) { return kMeasureTable[measure]; }

// Calls f(Of<measure>) for each row.
template <class F>
HEADROOM_HD constexpr void for_each_measure(F&& f) {
#define HEADROOM_ROW(measure, name, label, unit, scale, kind) f(Of<measure>{});
  HEADROOM_MEASURES(HEADROOM_ROW)
#undef HEADROOM_ROW
}

// ---- Sums by calendar year. ----

enum class BadEnd : std::int32_t { low, high };

// Columns: year column, the measure that it sums and takes its name from, the bad end of its values (low or
// high).
#define HEADROOM_YEAR_COLUMNS(X)            \
  X(kYearRevenue, kRevenue, low)            \
  X(kYearEbitda, kEbitda, low)              \
  X(kYearCashInterest, kCashInterest, high) \
  X(kYearCfo, kCfo, low)                    \
  X(kYearCapex, kCapex, high)               \
  X(kYearFcf, kFcf, low)                    \
  X(kYearLeveredFcf, kLeveredFcf, low)      \
  X(kYearNetIncome, kNetIncome, low)

#define HEADROOM_ROW(column, measure, bad_end) column,
enum YearColumn : std::int32_t { HEADROOM_YEAR_COLUMNS(HEADROOM_ROW) kYearColumnCount };
#undef HEADROOM_ROW

struct YearColumnTraits {
  Measure measure;
  const char* name;
  const char* label;
  const char* unit;
  BadEnd bad_end;
};
#define HEADROOM_ROW(column, measure, bad_end) \
  {measure, traits_of(measure).name, traits_of(measure).label, traits_of(measure).unit, BadEnd::bad_end},
inline constexpr YearColumnTraits kYearTable[] = {HEADROOM_YEAR_COLUMNS(HEADROOM_ROW)};
#undef HEADROOM_ROW
static_assert(well_named(kYearTable));
constexpr const YearColumnTraits& traits_of(YearColumn column) { return kYearTable[column]; }

#define HEADROOM_ROW(column, measure, bad_end)                                                     \
  static_assert(traits_of(measure).kind == Kind::flow && traits_of(measure).scale == Scale::money, \
                "a year adds up flows of money: " #measure);
HEADROOM_YEAR_COLUMNS(HEADROOM_ROW)
#undef HEADROOM_ROW

// Calls f(Of<column>, Of<measure>) for each row.
template <class F>
HEADROOM_HD constexpr void for_each_year_column(F&& f) {
#define HEADROOM_ROW(column, measure, bad_end) f(Of<column>{}, Of<measure>{});
  HEADROOM_YEAR_COLUMNS(HEADROOM_ROW)
#undef HEADROOM_ROW
}

// ---- Columns of the whole path. ----

// A driver describes the state of the world in which the path ended.
enum class Tells : std::int32_t { outcome, driver };

// Columns: path column, name in files, words, unit, scale, outcome or driver. A column that holds a month may
// hold kNever.
#define HEADROOM_PATH_COLUMNS(X)                                                                              \
  X(kTotalFcf, "total_fcf", "total FCF", "musd", money, outcome)                                              \
  X(kPeakFundingGap, "peak_funding_gap", "peak funding gap", "musd", money, outcome)                          \
  X(kLiquidityDefaultMonth, "liquidity_default_month", "month of liquidity default", "month", whole, outcome) \
  X(kMinLiquidity, "min_liquidity", "least liquidity", "musd", money, outcome)                                \
  X(kDilution, "dilution", "dilution", "share", fixed_point, outcome)                                         \
  X(kViolations, "violations", "violated identities", "bits", whole, outcome)                                 \
  X(kMeanTightness, "mean_tightness", "tightness of the market (log)", "log", fixed_point, driver)            \
  X(kMeanPrice, "mean_price", "GPU rental price, share of the start's", "share", fixed_point, driver)         \
  X(kMeanShortRate, "mean_short_rate", "short rate, per year", "per_year", fixed_point, driver)               \
  X(kMeanSpreadMultiplier, "mean_spread_multiplier", "multiplier of new spreads", "factor", fixed_point,      \
    driver)                                                                                                   \
  X(kMeanPowerMultiplier, "mean_power_multiplier", "multiplier of floating power prices", "factor",           \
    fixed_point, driver)                                                                                      \
  X(kMeanChurn, "mean_churn", "churn multiplier", "factor", fixed_point, driver)                              \
  X(kGlutMonths, "glut_months", "months of glut", "months", whole, driver)                                    \
  X(kMaxMonthsLate, "max_months_late", "months late, worst site", "months", fixed_point, driver)              \
  X(kSystemicDelay, "systemic_delay", "systemic delay draw (normal)", "normal", fixed_point, driver)          \
  X(kAgeingMultiplier, "ageing_multiplier", "ageing multiplier of GPU prices", "factor", fixed_point, driver) \
  X(kFirstBreachMonth, "first_breach_month", "month of the first breach of any covenant", "month", whole,     \
    outcome)                                                                                                  \
  X(kFirstCovenant, "first_covenant", "covenant breached first", "covenant", whole, outcome)                  \
  X(kEventOfDefaultMonth, "event_of_default_month", "month of the first event of default", "month", whole,    \
    outcome)

#define HEADROOM_ROW(column, name, label, unit, scale, tells) column,
enum PathColumn : std::int32_t { HEADROOM_PATH_COLUMNS(HEADROOM_ROW) kPathColumnCount };
#undef HEADROOM_ROW

struct PathColumnTraits {
  PathColumn column;
  const char* name;
  const char* label;
  const char* unit;
  Scale scale;
  Tells tells;
};
#define HEADROOM_ROW(column, name, label, unit, scale, tells) \
  {column, name, label, unit, Scale::scale, Tells::tells},
inline constexpr PathColumnTraits kPathTable[] = {HEADROOM_PATH_COLUMNS(HEADROOM_ROW)};
#undef HEADROOM_ROW
static_assert(well_named(kPathTable));
constexpr const PathColumnTraits& traits_of(PathColumn column) { return kPathTable[column]; }

// Calls f(Of<column>) for each row.
template <class F>
HEADROOM_HD constexpr void for_each_path_column(F&& f) {
#define HEADROOM_ROW(column, name, label, unit, scale, tells) f(Of<column>{});
  HEADROOM_PATH_COLUMNS(HEADROOM_ROW)
#undef HEADROOM_ROW
}

// ---- Identities of MODEL.md section 7. ----

// Columns: violation, name, words. A row's position is its bit; a path's violations column is the OR of the
// identities that failed in any month.
#define HEADROOM_VIOLATIONS(X)                                                              \
  X(kCashIdentity, "cash", "the change in cash is that of the books")                       \
  X(kDebtIdentity, "debt", "debt is the sum of the tranches")                               \
  X(kDeferredIdentity, "deferred revenue", "deferred revenue is the sum of the contracts")  \
  X(kPpeIdentity, "PP&E", "PP&E is the sum of the sites and the run-off")                   \
  X(kBalanceIdentity, "assets = liabilities + equity", "assets are liabilities and equity") \
  X(kNotFinite, "not finite", "the market state holds no NaN and no infinity")              \
  X(kOutOfRange, "out of range", "every amount is within 2^30 ledger units")

namespace detail {
#define HEADROOM_ROW(bit, name, label) bit##Place,
enum ViolationPlace : std::int32_t { HEADROOM_VIOLATIONS(HEADROOM_ROW) kViolationPlaces };
#undef HEADROOM_ROW
}  // namespace detail

#define HEADROOM_ROW(bit, name, label) bit = 1 << detail::bit##Place,
enum Violation : std::int32_t { HEADROOM_VIOLATIONS(HEADROOM_ROW) };
#undef HEADROOM_ROW
constexpr std::int32_t kViolationCount = detail::kViolationPlaces;
static_assert(kViolationCount < 31);

struct ViolationTraits {
  Violation bit;
  const char* name;
  const char* label;
};
#define HEADROOM_ROW(bit, name, label) {bit, name, label},
inline constexpr ViolationTraits kViolationTable[] = {HEADROOM_VIOLATIONS(HEADROOM_ROW)};
#undef HEADROOM_ROW
static_assert(well_named(kViolationTable));

#undef HEADROOM_MEASURES
#undef HEADROOM_YEAR_COLUMNS
#undef HEADROOM_PATH_COLUMNS
#undef HEADROOM_VIOLATIONS

}  // namespace headroom
