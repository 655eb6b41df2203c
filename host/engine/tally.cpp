// SPDX-License-Identifier: Apache-2.0
#include "host/engine/tally.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>
#include <utility>

namespace headroom {

namespace {

class HostCounter final : public Counter {
 public:
  explicit HostCounter(Tally empty) : tally_(std::move(empty)) {}
  Sums add(Columns& columns, std::int32_t column) override { return columns.count_into(tally_, column); }
  Tally tally() const override { return tally_; }

 private:
  Tally tally_;
};

}  // namespace

std::unique_ptr<Counter> Columns::counter(Tally empty) const {
  return std::make_unique<HostCounter>(std::move(empty));
}

Tally tally_over(Columns& pilot, const Question& question) {
  constexpr std::uint64_t kOneIn = 200;
  Tally tally;
  tally.none = question.limit;
  std::int64_t lo = -kFixedMax, hi = kFixedMax;  // no value known: the whole range
  if (const auto values = static_cast<std::uint64_t>(pilot.answer(question)[0]); values > 0) {
    const std::uint64_t tail = values / kOneIn;
    const auto ends = pilot.order_statistics(question.column, std::array{tail, values - 1 - tail});
    const std::int64_t margin = (static_cast<std::int64_t>(ends[1]) - ends[0]) / 10 + 1;
    lo = std::max<std::int64_t>(ends[0] - margin, -kFixedMax);
    hi = std::min<std::int64_t>(ends[1] + margin, kFixedMax);
  }
  // Bins start at multiples of their width: one ends at 0, so a quantile has the sign that its rank says.
  const auto bins = [&] { return (hi >> tally.shift) - (lo >> tally.shift) + 1; };
  while (bins() > kMostTallyBins) ++tally.shift;
  tally.lo = static_cast<std::int32_t>((lo >> tally.shift) << tally.shift);
  tally.count.assign(static_cast<std::size_t>(bins()) + 2, 0);
  return tally;
}

void add(Tally& to, const Tally& from) {
  if (to.lo != from.lo || to.shift != from.shift || to.none != from.none ||
      to.count.size() != from.count.size())
    throw std::invalid_argument("the bins of two tallies differ");
  for (std::size_t i = 0; i < to.count.size(); ++i) to.count[i] += from.count[i];
  to.below = to.below + from.below;
}

std::vector<std::int32_t> order_statistics(const Tally& tally, std::span<const std::uint64_t> ranks) {
  const Tally& t = tally;
  std::vector<std::int32_t> found;
  found.reserve(ranks.size());
  std::uint64_t below = 0;
  std::size_t cell = 0;
  for (const std::uint64_t rank : ranks) {
    while (cell + 1 < t.count.size() && below + t.count[cell] <= rank) below += t.count[cell++];
    if (cell == 0 || cell + 1 == t.count.size()) {
      found.push_back(cell == 0 ? kBelowBins : kAboveBins);
      continue;
    }
    const std::int64_t start = t.lo + ((static_cast<std::int64_t>(cell) - 1) << t.shift);
    const Int128 part =
        (static_cast<Int128>(2 * (rank - below) + 1) << t.shift) / (2 * static_cast<Int128>(t.count[cell]));
    found.push_back(static_cast<std::int32_t>(start + static_cast<std::int64_t>(part)));
  }
  return found;
}

Sums sums_of_smallest(const Tally& tally, std::uint64_t count) {
  const Tally& t = tally;
  Sums sums = t.below;
  std::uint64_t left = count - std::min(count, t.count[0]);
  for (std::size_t cell = 1; left > 0 && cell < t.count.size(); ++cell) {
    const std::uint64_t taken = std::min(left, t.count[cell]);
    if (taken == 0) continue;
    const Int128 start = t.lo + ((static_cast<Int128>(cell) - 1) << t.shift);
    const Int128 middle =
        t.shift == 0
            ? start
            : start + ((static_cast<Int128>(taken) << t.shift) / (2 * static_cast<Int128>(t.count[cell])));
    sums.sum += static_cast<std::int64_t>(middle * static_cast<Int128>(taken));
    sums.squares += middle * middle * static_cast<Int128>(taken);
    left -= taken;
  }
  sums.number = count;
  return sums;
}

std::int64_t resolution(const Tally& tally) { return tally.shift == 0 ? 0 : std::int64_t{1} << tally.shift; }

std::int64_t end_of(const Tally& tally) {
  return tally.lo + ((static_cast<std::int64_t>(tally.count.size()) - 2) << tally.shift);
}

}  // namespace headroom
