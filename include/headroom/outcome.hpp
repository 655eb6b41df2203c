// SPDX-License-Identifier: Apache-2.0
// The results of a path, all integers: monthly measures for bands, and per-path columns for exact quantiles.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/measures.hpp"
#include "headroom/scenario.hpp"

namespace headroom {

constexpr Real kFixedOne = 10000.0F;  // ratios, rates, prices, months: 1e-4 units
constexpr std::int32_t kFixedMax = 1 << 30;

constexpr std::int32_t kBins = 1024;
constexpr std::int32_t kNotCounted = -1;
// Bin of x: (x - lo) >> shift, clamped to the end bins; the width is 2^shift. shift = kNotCounted: no
// histogram was asked for.
struct BinRange {
  std::int32_t lo = 0;
  std::int32_t shift = 0;
};
HEADROOM_HD std::int32_t bin_of(BinRange range, std::int32_t x) {
  const std::uint32_t offset = static_cast<std::uint32_t>(x) - static_cast<std::uint32_t>(range.lo);
  const std::uint32_t bin = offset >> range.shift;
  const std::int32_t capped = static_cast<std::int32_t>(bin < kBins ? bin : kBins - 1);
  return x < range.lo ? 0 : capped;
}

// Order of the kept columns; every column holds one int32 a path.
struct ColumnLayout {
  std::int32_t years, quarters, covenants, sites, customers, borrowers;

  HEADROOM_HD std::int32_t path(PathColumn c) const { return c; }
  HEADROOM_HD std::int32_t year(YearColumn c, std::int32_t y) const { return kPathColumnCount + c * years + y; }
  HEADROOM_HD std::int32_t quarter_fcf(std::int32_t q) const { return year(kYearColumnCount, 0) + q; }
  HEADROOM_HD std::int32_t first_breach(std::int32_t v) const {
    return quarter_fcf(quarters) + v;
  }  // month or kNever
  HEADROOM_HD std::int32_t min_headroom(std::int32_t v) const {
    return first_breach(covenants) + v;
  }  // kFixedMax: never tested
  HEADROOM_HD std::int32_t months_late(std::int32_t i) const {
    return min_headroom(covenants) + i;
  }  // fixed point; kNever: refused or not ordered
  HEADROOM_HD std::int32_t default_month(std::int32_t c) const {
    return months_late(sites) + c;
  }  // customer; kNever
  HEADROOM_HD std::int32_t first_uncured(std::int32_t v) const {
    return default_month(customers) + v;
  }  // month of the first breach that was neither cured nor waived, or kNever
  HEADROOM_HD std::int32_t accelerated(std::int32_t v) const {
    return first_uncured(covenants) + v;
  }  // month or kNever
  HEADROOM_HD std::int32_t payment_default(std::int32_t e) const {
    return accelerated(covenants) + e;
  }  // borrower; month or kNever
  // Of a borrower over the horizon: the amount that the parent paid in (with cures), and the amount
  // distributed.
  HEADROOM_HD std::int32_t paid_in(std::int32_t e) const { return payment_default(borrowers) + e; }
  HEADROOM_HD std::int32_t distributed(std::int32_t e) const { return paid_in(borrowers) + e; }
  // Of a customer: fees billed over the horizon; contracted fees lost with its contracts; month of the first
  // loss, or kNever.
  HEADROOM_HD std::int32_t customer_fees(std::int32_t c) const { return distributed(borrowers) + c; }
  HEADROOM_HD std::int32_t customer_lost(std::int32_t c) const { return customer_fees(customers) + c; }
  HEADROOM_HD std::int32_t customer_left(std::int32_t c) const { return customer_lost(customers) + c; }
  // Of a covenant: the number of its tests that were cured, and that were waived.
  HEADROOM_HD std::int32_t cures(std::int32_t v) const { return customer_left(customers) + v; }
  HEADROOM_HD std::int32_t waivers(std::int32_t v) const { return cures(covenants) + v; }
  HEADROOM_HD std::int32_t count() const { return waivers(covenants); }
};

HEADROOM_HD ColumnLayout column_layout(const Scenario& s) {
  const MonthRow& last = s.month[s.months - 1];
  return {last.year + 1, last.quarter + 1, s.covenant.size, s.site.size, s.customer.size, s.parent()};
}

// The monthly series: measures, headroom of each covenant, and balances of tranches if they are observed.
HEADROOM_HD std::int32_t headroom_series(std::int32_t v) { return kMeasureCount + v; }
HEADROOM_HD std::int32_t balance_series(const Scenario& s, std::int32_t d) {
  return headroom_series(s.covenant.size) + d;
}
HEADROOM_HD bool is_headroom(const Scenario& s, std::int32_t series) {
  return series >= headroom_series(0) && series < headroom_series(s.covenant.size);
}
// A headroom has a value in months with a test, the others in every month (1-based).
HEADROOM_HD bool has_value(const Scenario& s, std::int32_t series, std::int32_t month) {
  return !is_headroom(s, series) ||
         s.covenant_test[s.covenant[series - headroom_series(0)].first_test + month - 1].tested != 0;
}
HEADROOM_HD std::int32_t series_count(const Scenario& s) { return balance_series(s, s.observed_tranches); }

}  // namespace headroom
