// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/pilot.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>

#include "headroom/covenants.hpp"
#include "host/cpu/isa.hpp"
#include "host/cpu/worker.hpp"
#include "host/engine/calendar.hpp"
#include "host/engine/threads.hpp"

namespace headroom {

namespace {

using cpu::Worker;

// Whether a headroom is that of a metric at its cap, high or low.
bool is_capped(std::int32_t headroom, Real threshold) {
  for (const Real metric : {-kRatioCap, kRatioCap}) {
    for (const Real sign : {-1.0F, 1.0F})
      if (headroom == headroom_of(metric, threshold, sign, kFixedOne)) return true;
  }
  return false;
}

// The narrowest bins (width a power of two) that hold the values' 2% and 98% quantiles and all values
// between, outside the end bins. Printed quantiles are between 5% and 95%.
BinRange bins_over(std::span<std::int32_t> values) {
  const auto rank = [&](std::size_t percent) {
    return values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) * percent / 100);
  };
  std::nth_element(values.begin(), rank(2), values.end());
  const std::int64_t low = *rank(2);
  std::nth_element(rank(2), rank(98), values.end());
  const std::int64_t high = *rank(98);
  BinRange range;
  while ((std::int64_t{kBins - 4} << range.shift) < high - low) ++range.shift;
  const std::int64_t covered = std::int64_t{kBins} << range.shift;
  const std::int64_t lo = std::clamp<std::int64_t>((low + high - covered) / 2, -kFixedMax, kFixedMax);
  // Bins start at multiples of their width: one ends at 0, so a quantile has the sign that its rank says.
  range.lo = static_cast<std::int32_t>((lo >> range.shift) << range.shift);
  return range;
}

}  // namespace

std::vector<BinRange> pilot_bins(const Scenario& scenario, std::uint64_t seed,
                                 const std::optional<std::vector<std::int32_t>>& cells) {
  const CalendarData calendar = calendar_of(scenario);
  const Prepared prepared = prepare(scenario, calendar);
  const Isa isa = choose_isa("auto");
  const std::int32_t months = scenario.months;
  std::vector<std::int32_t> rows(static_cast<std::size_t>(series_count(scenario)) *
                                 static_cast<std::size_t>(months));
  std::vector<BinRange> bins(rows.size(), {0, cells ? kNotCounted : 0});
  std::iota(rows.begin(), rows.end(), 0);
  if (cells) rows = *cells;
  if (rows.empty()) return bins;
  std::vector<std::int32_t> values(bins.size() * kPilotPaths);
  constexpr std::size_t kBlocks = kPilotPaths / kLanes;
  share_out(kBlocks, [&](auto next) {
    Worker worker(prepared, nullptr);
    for (std::size_t block = next(); block < kBlocks; block = next()) {
      worker.memory().pilot = values.data() + block * kLanes;
      isa.run_block(prepared, {seed, block * kLanes, kLanes}, worker.memory());
    }
  });
  share_out(rows.size(), [&](auto next) {
    for (std::size_t i = next(); i < rows.size(); i = next()) {
      const std::int32_t row = rows[i];
      const auto first = values.begin() + std::ptrdiff_t{row} * kPilotPaths;
      auto last = first + kPilotPaths;
      BinRange& range = bins[static_cast<std::size_t>(row)] = {};
      const std::int32_t series = row / months;
      if (!has_value(scenario, series, row % months + 1)) continue;
      if (is_headroom(scenario, series)) {
        // A ratio without a denominator is capped, far from all other values. If the range included it, the
        // other values would share few bins.
        const Covenant& covenant = scenario.covenant[series - headroom_series(0)];
        const CovenantTest test = scenario.covenant_test[covenant.first_test + row % months];
        if (!is_money(covenant.metric))
          last = std::remove_if(first, last, [&](std::int32_t x) { return is_capped(x, test.threshold); });
      }
      if (last != first) range = bins_over({first, last});
    }
  });
  return bins;
}

}  // namespace headroom
