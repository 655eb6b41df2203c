#include "host/engine/binned_columns.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <stdexcept>

#include "host/engine/threads.hpp"

namespace headroom {

namespace {

[[noreturn]] void not_rehearsed() { throw std::logic_error("BinnedColumns: not asked in the rehearsal"); }

Int128 power_of(Int128 x, int power) { return power == 1 ? x : x * x; }

}  // namespace

void BinnedColumns::set_bins(ColumnStore& pilot) {
  constexpr std::uint64_t kOneIn = 200;
  rehearsing_ = false;
  paths_ = 0;
  for (auto& [column, tally] : tallies_) {
    std::int64_t lo = -kFixedMax, hi = kFixedMax;  // nothing known: the whole range
    const std::uint64_t values = pilot.count_at_most(column, tally.none - 1);
    if (values > 0) {
      const std::uint64_t tail = values / kOneIn;
      const auto ends = pilot.order_statistics(column, std::vector{tail, values - 1 - tail}, tally.none);
      const std::int64_t margin = (static_cast<std::int64_t>(ends[1]) - ends[0]) / 10 + 1;
      lo = std::max<std::int64_t>(ends[0] - margin, -kFixedMax);
      hi = std::min<std::int64_t>(ends[1] + margin, kFixedMax);
    }
    while (((hi - lo) >> tally.shift) >= kMostBins) ++tally.shift;
    tally.lo = static_cast<std::int32_t>(lo);
    tally.count.assign(static_cast<std::size_t>((hi - lo) >> tally.shift) + 3, 0);
    for (const Question& known : of_all_values(column, tally.none)) added_.erase(known);
  }
}

void BinnedColumns::absorb(ColumnStore& chunk) {
  if (minimum_.second > 0) chunk.minimum_of(minimum_.first, minimum_.second);
  std::vector<std::function<void()>> tasks;
  for (auto& each : added_) {
    tasks.emplace_back([&chunk, &each] {
      const auto& [ask, a, xa, b, xb] = each.first;
      switch (ask) {
        case Ask::sum:
          each.second += chunk.sum(a);
          break;
        case Ask::squares:
          each.second += chunk.sum_of_squares(a);
          break;
        case Ask::at_most:
          each.second += chunk.count_at_most(a, xa);
          break;
        case Ask::both_at_most:
          each.second += chunk.count_both_at_most(a, xa, b, xb);
          break;
        case Ask::sum_where:
          each.second += chunk.sum_where(a, b, xb);
          break;
        case Ask::squares_where:
          each.second += chunk.sum_of_squares_where(a, b, xb);
          break;
      }
    });
  }
  for (auto& each : counts_) {
    tasks.emplace_back([&chunk, &each] {
      const auto found = chunk.counts(each.first, static_cast<std::int32_t>(each.second.size()));
      for (std::size_t i = 0; i < found.size(); ++i) each.second[i] += found[i];
    });
  }
  for (auto& each : tallies_) {
    tasks.emplace_back([&chunk, &each] { chunk.add_to(each.second, each.first); });
  }
  run_tasks(chunk.concurrency(), tasks);
  for (auto& [column, offenders] : offenders_) {
    const NotZero here = chunk.not_zero(column);
    if (here.count == 0) continue;
    if (offenders.found.count == 0) {
      offenders.found.first = paths_ + here.first;
      chunk.read(column, here.first, std::span(&offenders.value, 1));
    }
    offenders.found.count += here.count;
  }
  paths_ += chunk.paths();
}

std::array<BinnedColumns::Question, 3> BinnedColumns::of_all_values(std::int32_t column, std::int32_t none) {
  return {{{Ask::at_most, column, none - 1, 0, 0},
           {Ask::sum_where, column, 0, column, none - 1},
           {Ask::squares_where, column, 0, column, none - 1}}};
}

Int128 BinnedColumns::answer(const Question& question) {
  if (rehearsing_) {
    added_[question] = 0;
    return 1;
  }
  if (const auto place = tallies_.find(std::get<1>(question)); place != tallies_.end()) {
    const Tally& t = place->second;
    const std::array known = of_all_values(place->first, t.none);
    const std::array<Int128, 3> answers = {t.values, t.sum, t.squares};
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (question == known[i]) return answers[i];
    }
  }
  const auto found = added_.find(question);
  if (found == added_.end()) not_rehearsed();
  return found->second;
}

std::int64_t BinnedColumns::sum(std::int32_t column) {
  return static_cast<std::int64_t>(answer({Ask::sum, column, 0, 0, 0}));
}
Int128 BinnedColumns::sum_of_squares(std::int32_t column) { return answer({Ask::squares, column, 0, 0, 0}); }
std::uint64_t BinnedColumns::count_at_most(std::int32_t column, std::int32_t x) {
  return static_cast<std::uint64_t>(answer({Ask::at_most, column, x, 0, 0}));
}
std::uint64_t BinnedColumns::count_both_at_most(std::int32_t column_a, std::int32_t xa, std::int32_t column_b,
                                                std::int32_t xb) {
  return static_cast<std::uint64_t>(answer({Ask::both_at_most, column_a, xa, column_b, xb}));
}
std::int64_t BinnedColumns::sum_where(std::int32_t column, std::int32_t flag, std::int32_t x) {
  return static_cast<std::int64_t>(answer({Ask::sum_where, column, 0, flag, x}));
}
Int128 BinnedColumns::sum_of_squares_where(std::int32_t column, std::int32_t flag, std::int32_t x) {
  return answer({Ask::squares_where, column, 0, flag, x});
}

const Tally& BinnedColumns::tally(std::int32_t column) const {
  const auto found = tallies_.find(column);
  if (found == tallies_.end()) not_rehearsed();
  return found->second;
}

std::vector<std::int32_t> BinnedColumns::order_statistics(std::int32_t column,
                                                          std::span<const std::uint64_t> ranks,
                                                          std::int32_t none) {
  std::vector<std::int32_t> found;
  found.reserve(ranks.size());
  if (rehearsing_) {
    tallies_[column].none = none;
    found.assign(ranks.size(), 0);
    return found;
  }
  const Tally& t = tally(column);
  std::uint64_t below = 0;
  std::size_t cell = 0;
  for (const std::uint64_t rank : ranks) {
    while (cell + 1 < t.count.size() && below + t.count[cell] <= rank) below += t.count[cell++];
    // Cell 0 lies below the bins and the last one above them: their near ends.
    const std::int64_t start =
        t.lo + ((std::max<std::int64_t>(static_cast<std::int64_t>(cell), 1) - 1) << t.shift);
    const bool inside = cell > 0 && cell + 1 < t.count.size();
    const Int128 part = inside ? (static_cast<Int128>(2 * (rank - below) + 1) << t.shift) /
                                     (2 * static_cast<Int128>(t.count[cell]))
                               : 0;
    found.push_back(static_cast<std::int32_t>(start + static_cast<std::int64_t>(part)));
  }
  return found;
}

std::int64_t BinnedColumns::resolution(std::int32_t column) const {
  if (rehearsing_) return 0;
  const Tally& t = tally(column);
  // The 1% and 99% quantiles must lie in the bins; where the pilot misjudged the range, nothing is promised.
  const std::uint64_t within = std::accumulate(t.count.begin(), t.count.end(), std::uint64_t{0}) / 125;
  if (t.count.front() > within || t.count.back() > within) return std::int64_t{2} * kFixedMax;
  return t.shift == 0 ? 0 : std::int64_t{1} << t.shift;
}

Int128 BinnedColumns::smallest(std::int32_t column, std::uint64_t count, int power) const {
  if (rehearsing_) return 1;
  const Tally& t = tally(column);
  Int128 sum = power == 1 ? Int128{t.below} : t.squares_below;
  std::uint64_t left = count - std::min(count, t.count[0]);
  for (std::size_t cell = 1; left > 0 && cell < t.count.size(); ++cell) {
    const std::uint64_t taken = std::min(left, t.count[cell]);
    if (taken == 0) continue;
    // The middle of what is taken, its values being spread evenly.
    const Int128 start = t.lo + ((static_cast<Int128>(cell) - 1) << t.shift);
    const Int128 middle =
        start + ((static_cast<Int128>(taken) << t.shift) / (2 * static_cast<Int128>(t.count[cell])));
    sum += power_of(t.shift == 0 ? start : middle, power) * static_cast<Int128>(taken);
    left -= taken;
  }
  return sum;
}

std::int64_t BinnedColumns::sum_of_smallest(std::int32_t column, std::uint64_t count) {
  return static_cast<std::int64_t>(smallest(column, count, 1));
}
Int128 BinnedColumns::sum_of_squares_of_smallest(std::int32_t column, std::uint64_t count) {
  return smallest(column, count, 2);
}

std::vector<std::uint64_t> BinnedColumns::counts(std::int32_t column, std::int32_t size) {
  if (rehearsing_) {
    auto& place = counts_[column];
    place.assign(std::max(place.size(), static_cast<std::size_t>(size)), 0);
    return std::vector<std::uint64_t>(static_cast<std::size_t>(size), 1);
  }
  const auto found = counts_.find(column);
  if (found == counts_.end() || found->second.size() < static_cast<std::size_t>(size)) not_rehearsed();
  return {found->second.begin(), found->second.begin() + size};
}

ColumnStore::NotZero BinnedColumns::not_zero(std::int32_t column) {
  if (rehearsing_) {
    offenders_[column] = {};
    return {0, 0};
  }
  const auto found = offenders_.find(column);
  if (found == offenders_.end()) not_rehearsed();
  return found->second.found;
}

std::int32_t BinnedColumns::minimum_of(std::int32_t first, std::int32_t count) {
  if (rehearsing_) minimum_ = {first, count};
  if (minimum_ != std::pair{first, count}) not_rehearsed();
  return derived_;
}

void BinnedColumns::read(std::int32_t column, std::uint64_t first, std::span<std::int32_t> out) {
  const auto found = offenders_.find(column);
  if (out.size() != 1 || found == offenders_.end() || found->second.found.first != first) not_rehearsed();
  out[0] = found->second.value;
}

void BinnedColumns::add_to(Tally&, std::int32_t) { not_rehearsed(); }

}  // namespace headroom
