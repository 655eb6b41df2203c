#include "host/figures/names.hpp"

#include <array>
#include <cstddef>

namespace headroom {

namespace {

struct MeasureNames {
  std::string_view key, unit;
};
constexpr std::array<MeasureNames, kMeasureCount> kMeasures = {{{"revenue", "musd"},
                                                                {"ebitda", "musd"},
                                                                {"cash_interest", "musd"},
                                                                {"cash_tax", "musd"},
                                                                {"working_capital", "musd"},
                                                                {"cfo", "musd"},
                                                                {"capex", "musd"},
                                                                {"fcf", "musd"},
                                                                {"levered_fcf", "musd"},
                                                                {"net_income", "musd"},
                                                                {"adjusted_net_income", "musd"},
                                                                {"debt", "musd"},
                                                                {"cash", "musd"},
                                                                {"liquidity", "musd"},
                                                                {"arr", "musd_per_year"},
                                                                {"backlog", "musd"},
                                                                {"deferred_revenue", "musd"},
                                                                {"utilisation", "share"},
                                                                {"tightness", "log"},
                                                                {"market_price", "usd_per_gpu_hour"},
                                                                {"short_rate", "per_year"}}};
static_assert(kMeasures[kShortRate].key == "short_rate" && kMeasures[kArr].key == "arr");

constexpr std::array<std::string_view, kYearColumnCount> kYearColumns = {
    "revenue", "ebitda", "cash_interest", "cfo", "capex", "fcf", "levered_fcf", "net_income"};

struct PathColumnNames {
  std::string_view key, label;
};
constexpr std::array<PathColumnNames, kPathColumnCount> kPathColumns = {
    {{"total_fcf", "total FCF"},
     {"peak_funding_gap", "peak funding gap"},
     {"liquidity_default_month", "month of liquidity default"},
     {"min_liquidity", "least liquidity"},
     {"dilution", "dilution"},
     {"violations", "violated identities"},
     {"mean_tightness", "tightness of the market (log)"},
     {"mean_price", "GPU rental price, share of the start's"},
     {"mean_short_rate", "short rate, per year"},
     {"mean_spread_multiplier", "multiplier of new spreads"},
     {"mean_power_multiplier", "multiplier of floating power prices"},
     {"mean_churn", "churn multiplier"},
     {"glut_months", "months of glut"},
     {"max_months_late", "months late, worst site"},
     {"systemic_delay", "systemic delay draw (normal)"},
     {"ageing_multiplier", "ageing multiplier of GPU prices"},
     {"first_covenant", "covenant breached first"},
     {"first_breach_month", "month of the first breach"}}};
static_assert(kPathColumns[kFirstCovenant].key == "first_covenant");

constexpr std::array<std::string_view, 8> kMetrics = {"dscr",         "contract_realization", "leverage",
                                                      "net_leverage", "interest_coverage",    "liquidity",
                                                      "ltv",          "backlog_coverage"};
static_assert(static_cast<std::size_t>(Metric::backlog_coverage) == 7);

constexpr std::array<std::string_view, 7> kViolationNames = {
    "cash", "debt", "deferred revenue", "PP&E", "assets = liabilities + equity", "not finite", "out of range"};

}  // namespace

std::string_view key_of(Measure measure) { return kMeasures.at(static_cast<std::size_t>(measure)).key; }
std::string_view unit_of(Measure measure) { return kMeasures.at(static_cast<std::size_t>(measure)).unit; }
std::string_view key_of(YearColumn column) { return kYearColumns.at(static_cast<std::size_t>(column)); }
std::string_view key_of(PathColumn column) { return kPathColumns.at(static_cast<std::size_t>(column)).key; }
std::string_view label_of(PathColumn column) { return kPathColumns.at(static_cast<std::size_t>(column)).label; }
std::string_view key_of(Metric metric) { return kMetrics.at(static_cast<std::size_t>(metric)); }
std::string_view unit_of(Metric metric) { return metric == Metric::liquidity ? "musd" : "ratio"; }

std::vector<std::string> violation_names(std::int32_t kinds) {
  std::vector<std::string> names;
  for (std::size_t bit = 0; bit < kViolationNames.size(); ++bit) {
    if ((static_cast<std::uint32_t>(kinds) >> bit & 1U) != 0) names.emplace_back(kViolationNames[bit]);
  }
  return names;
}

}  // namespace headroom
