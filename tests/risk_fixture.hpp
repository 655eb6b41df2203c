// SPDX-License-Identifier: Apache-2.0
// A company of two covenants, two sites and one customer over three months, and results of its paths made by
// hand.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "headroom/model/metrics.hpp"
#include "host/config/company.hpp"
#include "host/engine/engine.hpp"
#include "host/engine/host_columns.hpp"

namespace headroom {

// As of 31 October 2025, so that the horizon holds two months of 2025 and one of 2026.
inline Company small_company() {
  using namespace std::chrono;
  Company company;
  company.name = "Small";
  company.as_of = 2025y / October / 31;
  company.covenants = {{"dscr", "DSCR of the term loan"}, {"liquidity", "minimum, liquidity"}};
  company.sites = {{"old", "old"}, {"new", "new"}};
  company.customers = {{"acme", "Acme"}};
  company.hash = "0123456789abcdef";
  company.reported = Reported{100, 50, 10, 40, 30};
  company.guidance = {{"revenue-2025", GuidanceMeasure::revenue, 2025, 100, 110, "10-Q"},
                      {"arr-2025", GuidanceMeasure::exit_arr, 2025, 1, 2, "10-Q"},
                      {"capex-2026", GuidanceMeasure::capex, 2026, 1, 2, "10-Q"}};
  ScenarioData& data = company.data;
  data.parameters.months = 3;
  data.parameters.ledger_usd = 1000.0F;
  data.month.resize(3);
  data.month[0].quarter = data.month[1].quarter = 0;
  data.month[1].quarter_end = data.month[1].year_end = 1;
  data.month[2].year = data.month[2].quarter = 1;
  data.covenant = {{0, -1, Metric::dscr, Window::trailing_3, 0, 0},
                   {0, -1, Metric::liquidity, Window::trailing_3, 0, 3}};
  data.covenant_test = {{0, 1.2F}, {1, 1.2F}, {1, 1.2F}, {0, 500.0F}, {0, 500.0F}, {1, 500.0F}};
  data.entity.resize(1);
  data.site.resize(2);
  data.site[0].running = 1;
  data.customer.resize(1);
  return company;
}

// Outcomes of so many paths: every column is 0, every event never happens, every histogram is empty.
struct SmallOutcomes {
  explicit SmallOutcomes(const Scenario& scenario, std::uint64_t paths, int threads = 2)
      : layout(column_layout(scenario)) {
    outcomes.layout = layout;
    outcomes.months = scenario.months;
    outcomes.series = series_count(scenario);
    const auto cells = static_cast<std::size_t>(outcomes.series) * static_cast<std::size_t>(scenario.months);
    outcomes.bins.assign(cells, BinRange{-kBins / 2, 0});
    outcomes.histogram.assign(cells * kBins, 0);
    outcomes.sum.assign(cells, 0);
    outcomes.failing.assign(
        static_cast<std::size_t>(layout.covenants) * static_cast<std::size_t>(scenario.months), 0);
    auto owned = std::make_unique<HostColumns>(layout.count(), paths, threads);
    columns = owned.get();
    for (std::int32_t c = 0; c < layout.count(); ++c) set(c, std::vector<std::int32_t>(paths, 0));
    const std::vector<std::int32_t> never(paths, kNever);
    set(kLiquidityDefaultMonth, never);
    set(kFirstBreachMonth, never);
    set(kFirstCovenant, never);
    set(kEventOfDefaultMonth, never);
    set(kFirstBreachMonth, never);
    for (std::int32_t v = 0; v < layout.covenants; ++v) {
      set(layout.first_breach(v), never);
      set(layout.first_uncured(v), never);
      set(layout.accelerated(v), never);
      set(layout.min_headroom(v), std::vector<std::int32_t>(paths, kFixedMax));
    }
    for (std::int32_t c = 0; c < layout.customers; ++c) {
      set(layout.default_month(c), never);
      set(layout.customer_left(c), never);
    }
    outcomes.columns = std::move(owned);
  }

  void set(std::int32_t column, const std::vector<std::int32_t>& values) {
    std::copy(values.begin(), values.end(), columns->column(column));
    const std::int32_t first = layout.first_breach(0);
    if (column < first || column >= first + layout.covenants) return;
    for (std::uint64_t path = 0; path < columns->paths(); ++path) {
      std::int32_t month = kNever;
      for (std::int32_t v = 0; v < layout.covenants; ++v)
        month = std::min(month, columns->column(layout.first_breach(v))[path]);
      columns->column(kFirstBreachMonth)[path] = month;
    }
  }
  // So many paths with value x of a series in a month (1..T).
  void fill(std::int32_t series, std::int32_t month, std::int32_t x, std::uint64_t paths) {
    const std::size_t cell = static_cast<std::size_t>(series * outcomes.months + month - 1);
    outcomes.histogram[cell * kBins + static_cast<std::size_t>(bin_of(outcomes.bins[cell], x))] += paths;
    outcomes.sum[cell] += static_cast<std::int64_t>(paths) * x;
  }

  ColumnLayout layout;
  Outcomes outcomes{};
  HostColumns* columns = nullptr;
};

}  // namespace headroom
