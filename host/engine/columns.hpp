// SPDX-License-Identifier: Apache-2.0
// The columns that paths leave behind, and the questions that they can answer. Answers are exact integers
// that do not depend on the order of evaluation.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "headroom/hd.hpp"
#include "headroom/outcome.hpp"

namespace headroom {

__extension__ using Int128 = __int128;

// A question to the paths. Questions are data: they are made from the scenario and put to one chunk of paths
// after another; the answers add up.
struct Question {
  enum class Kind : std::int32_t {
    sums,          // of `column` over paths whose `other` is at most `limit`: number, sum, sum of squares
    counts,        // paths by value of `column`: 0 .. limit - 1; other values are left out
    both,          // paths whose `column` and `other` are both at most `limit`: number
    offenders,     // paths whose `column` is not 0: number, first path, its value
    distribution,  // sums over the values of `column` below `limit`, and the data for quantiles
  };
  Kind kind{};
  std::int32_t column = 0, other = 0, limit = 0;

  friend auto operator<=>(const Question&, const Question&) = default;
};

// A column without a marker (kNever, kFixedMax): every value counts.
constexpr std::int32_t kNoMarker = INT32_MAX;

// |value| <= 2^30 and fewer than 2^33 paths: a sum fits 64 bits, a sum of squares 128.
struct Sums {
  std::uint64_t number = 0;
  std::int64_t sum = 0;
  Int128 squares = 0;

  HEADROOM_HD Sums operator+(const Sums& other) const {
    return {number + other.number, sum + other.sum, squares + other.squares};
  }
  friend bool operator==(const Sums&, const Sums&) = default;
};

// Counts of a column's values in bins of equal width, for a distribution whose values are not kept.
struct Tally {
  std::int32_t lo = 0, shift = 0;      // bin b starts at lo + b 2^shift
  std::int32_t none = kNoMarker;       // values from here on are markers and are left out
  std::vector<std::uint64_t> count{};  // values below the bins, in each bin, above the bins
  Sums below{};                        // of the values below the bins

  // Index in `count` of a value. A marker falls above the bins.
  HEADROOM_HD static std::uint32_t cell(std::int32_t lo, std::int32_t shift, std::uint32_t bins,
                                        std::int32_t none, std::int32_t value) {
    const std::uint32_t bin = (static_cast<std::uint32_t>(value) - static_cast<std::uint32_t>(lo)) >> shift;
    const std::uint32_t inside = (bin < bins ? bin : bins) + 1;
    return value < lo ? 0 : value < none ? inside : bins + 1;
  }
  friend bool operator==(const Tally&, const Tally&) = default;
};

class Columns;

// Counts one column of chunk after chunk into a tally, in the memory in which the columns are.
class Counter {
 public:
  virtual ~Counter() = default;
  // Returns the sums of the values below the tally's marker.
  virtual Sums add(Columns& columns, std::int32_t column) = 0;
  virtual Tally tally() const = 0;
};

// The kept columns, in host or device memory.
class Columns {
 public:
  virtual ~Columns() = default;
  // The number of threads that may ask at the same time.
  virtual int concurrency() const { return 1; }
  virtual std::uint64_t paths() const = 0;
  // The integers that answer a question, in the order of its kind. An offender is given by its position here.
  virtual std::vector<Int128> answer(const Question& question) = 0;
  // Counts the column's values into a tally. Returns the sums of the values below its marker.
  virtual Sums count_into(Tally& tally, std::int32_t column) = 0;
  // For columns of this kind; those of another kind are counted too. It may outlive the columns.
  virtual std::unique_ptr<Counter> counter(Tally empty) const;
  // The ranks-th smallest values (0-based), in the order of `ranks`.
  virtual std::vector<std::int32_t> order_statistics(std::int32_t column,
                                                     std::span<const std::uint64_t> ranks) = 0;
  // Sums over the `count` smallest values.
  virtual Sums sums_of_smallest(std::int32_t column, std::uint64_t count) = 0;
  // Raw values of paths [first, first + out.size()).
  virtual void read(std::int32_t column, std::uint64_t first, std::span<std::int32_t> out) = 0;
};

}  // namespace headroom
