// The kept columns of more paths than memory holds: chunks of them come and go, and what analyse() asks stays.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "host/engine/engine.hpp"

namespace headroom {

// Used in three steps. Rehearsal: analyse() is run once on this store, which notes every question and gives
// stand-ins for answers. Then absorb() puts the questions to chunk after chunk and adds up the answers. Then
// analyse() asks again and gets them. Sums, counts and probabilities are exact; order statistics and sums of
// the smallest come from histograms and are off by less than resolution().
class BinnedColumns final : public ColumnStore {
 public:
  // A power of two that 2^17 bins at least lie between the 0.5% and the 99.5% quantile of the pilot, and a
  // tenth of their distance on either side: a bin is 1/20,000 of a normal variable's sd at most, and a quarter
  // of the standard error of its median over 10^8 paths.
  static constexpr std::int64_t kMostBins = std::int64_t{1} << 18;

  // `columns` of each path; the rehearsal pretends to so many paths.
  BinnedColumns(std::int32_t columns, std::uint64_t stand_in_paths)
      : paths_(stand_in_paths), derived_(columns) {}

  // Ends the rehearsal; the bins follow from the pilot's columns.
  void set_bins(ColumnStore& pilot);
  void absorb(ColumnStore& chunk);

  std::uint64_t paths() const override { return paths_; }
  std::vector<std::int32_t> order_statistics(std::int32_t column, std::span<const std::uint64_t> ranks,
                                             std::int32_t none) override;
  std::int64_t resolution(std::int32_t column) const override;
  std::int64_t sum(std::int32_t column) override;
  Int128 sum_of_squares(std::int32_t column) override;
  std::int64_t sum_of_smallest(std::int32_t column, std::uint64_t count) override;
  Int128 sum_of_squares_of_smallest(std::int32_t column, std::uint64_t count) override;
  std::uint64_t count_at_most(std::int32_t column, std::int32_t x) override;
  std::uint64_t count_both_at_most(std::int32_t column_a, std::int32_t xa, std::int32_t column_b,
                                   std::int32_t xb) override;
  std::int64_t sum_where(std::int32_t column, std::int32_t flag, std::int32_t x) override;
  Int128 sum_of_squares_where(std::int32_t column, std::int32_t flag, std::int32_t x) override;
  std::vector<std::uint64_t> counts(std::int32_t column, std::int32_t size) override;
  NotZero not_zero(std::int32_t column) override;
  std::int32_t minimum_of(std::int32_t first, std::int32_t count) override;
  void read(std::int32_t column, std::uint64_t first, std::span<std::int32_t> out) override;
  void add_to(Tally& tally, std::int32_t column) override;

 private:
  enum class Ask { sum, squares, at_most, both_at_most, sum_where, squares_where };
  using Question = std::tuple<Ask, std::int32_t, std::int32_t, std::int32_t, std::int32_t>;
  struct Offenders {
    NotZero found{0, 0};
    std::int32_t value = 0;  // of the first
  };

  // Number, sum and sum of squares of a column's values under a marker: a tally knows them.
  static std::array<Question, 3> of_all_values(std::int32_t column, std::int32_t none);
  Int128 answer(const Question& question);
  // Sum of the `count` smallest, to the power of 1 or 2.
  Int128 smallest(std::int32_t column, std::uint64_t count, int power) const;
  const Tally& tally(std::int32_t column) const;

  bool rehearsing_ = true;
  std::uint64_t paths_;
  std::int32_t derived_;  // number of the column that minimum_of() makes
  std::map<Question, Int128> added_{};
  std::map<std::int32_t, std::vector<std::uint64_t>> counts_{};
  std::map<std::int32_t, Tally> tallies_{};
  std::map<std::int32_t, Offenders> offenders_{};
  std::pair<std::int32_t, std::int32_t> minimum_{-1, 0};  // of which columns: first, count
};

}  // namespace headroom
