// SPDX-License-Identifier: Apache-2.0
// Counts the bins of a batch of paths, one row of the histogram after the other.
#pragma once

#include <cstdint>
#include <cstring>

#include "headroom/outcome.hpp"

namespace headroom::cpu {

// The histogram is larger than the caches, and a count in place would wait for main memory at each bin. The
// bins of a row are therefore counted here and then added to the row in order, which the processor reads ahead.
// There are two arrays, because a count waits for the last one of the same bin, and many paths may be in one
// bin.
class BinCounts {
 public:
  // At most this many bins at a time: a count has 16 bits.
  static constexpr std::int32_t kMost = 2 * UINT16_MAX;

  // Counts `bin[count]` into `histogram[kBins]`.
  void add(const std::uint16_t* bin, std::int32_t count, std::uint32_t* histogram) {
    std::memset(part_, 0, sizeof part_);
    std::int32_t i = 0;
#pragma GCC unroll 4
    for (; i + 2 <= count; i += 2) {
      ++part_[0][bin[i]];
      ++part_[1][bin[i + 1]];
    }
    if (i < count) ++part_[0][bin[i]];
    for (std::int32_t b = 0; b < kBins; ++b)
      histogram[b] += std::uint32_t{part_[0][b]} + std::uint32_t{part_[1][b]};
  }

 private:
  alignas(64) std::uint16_t part_[2][kBins];
};

}  // namespace headroom::cpu
