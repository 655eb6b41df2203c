// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/pilot.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "headroom/model/covenant.hpp"
#include "host/cpu/isa.hpp"
#include "host/cpu/worker.hpp"
#include "host/engine/calendar.hpp"
#include "host/engine/memory.hpp"
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

// The smallest and the greatest of the values that are left without the `beyond` smallest and the `beyond`
// greatest. Values fall into buckets first, so that only one bucket at each end is searched.
std::pair<std::int32_t, std::int32_t> ends_of(std::span<const std::int32_t> values, std::size_t beyond) {
  constexpr std::uint32_t kBuckets = 256;
  std::int32_t least = values[0], greatest = values[0];
#pragma omp simd reduction(min : least) reduction(max : greatest)
  for (std::size_t i = 0; i < values.size(); ++i) {
    least = std::min(least, values[i]);
    greatest = std::max(greatest, values[i]);
  }
  const auto offset = [least](std::int32_t x) {
    return static_cast<std::uint32_t>(x) - static_cast<std::uint32_t>(least);
  };
  std::int32_t shift = 0;
  while (offset(greatest) >> shift >= kBuckets) ++shift;
  std::array<std::uint32_t, kBuckets> count{};
  for (const std::int32_t x : values) ++count[offset(x) >> shift];
  std::vector<std::int32_t> found;
  const auto nth_in = [&](std::uint32_t bucket, std::size_t rank) {
    found.clear();
    for (const std::int32_t x : values) {
      if (offset(x) >> shift == bucket) found.push_back(x);
    }
    const auto nth = found.begin() + static_cast<std::ptrdiff_t>(rank);
    std::nth_element(found.begin(), nth, found.end());
    return *nth;
  };
  std::size_t low = beyond, high = beyond;
  std::uint32_t first = 0, last = kBuckets - 1;
  while (count[first] <= low) low -= count[first++];
  while (count[last] <= high) high -= count[last--];
  return {nth_in(first, low), nth_in(last, count[last] - 1 - high)};
}

// The narrowest bins (width a power of two) that hold the values' 2% and 98% quantiles and all values
// between, outside the end bins. Printed quantiles are between 5% and 95%.
BinRange bins_over(std::span<const std::int32_t> values) {
  const auto [least, greatest] = ends_of(values, (values.size() - 1) / 50);
  const std::int64_t low = least, high = greatest;
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
  // Not set to zero: only the rows that have a value are read.
  const auto values = std::make_unique_for_overwrite<std::int32_t[]>(bins.size() * kPilotPaths);
  prefer_huge_pages(values.get(), bins.size() * kPilotPaths * sizeof(std::int32_t));
  constexpr std::size_t kBlocks = kPilotPaths / kLanes;
  share_out(kBlocks, [&](auto next) {
    Worker worker(prepared, nullptr);
    for (std::size_t block = next(); block < kBlocks; block = next()) {
      worker.memory().pilot = values.get() + block * kLanes;
      isa.run_block(prepared, {seed, block * kLanes, kLanes}, worker.memory());
    }
  });
  share_out(rows.size(), [&](auto next) {
    for (std::size_t i = next(); i < rows.size(); i = next()) {
      const std::int32_t row = rows[i];
      std::int32_t* const first = values.get() + std::ptrdiff_t{row} * kPilotPaths;
      std::int32_t* last = first + kPilotPaths;
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
