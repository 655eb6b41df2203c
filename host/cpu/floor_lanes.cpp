// SPDX-License-Identifier: Apache-2.0
// Compiled once per instruction set (HEADROOM_ISA), like lanes.cpp: draws the random numbers of a block of
// paths and does nothing else.
#include "headroom/philox.hpp"
#include "host/cpu/block_words.hpp"
#include "host/cpu/lanes.hpp"

namespace headroom::HEADROOM_ISA {
namespace {

// Makes normals of the first `count` of four words and adds them to a lane's sum.
template <int count>
void add_normals(const BlockWords& words, Real* sum) {
#pragma omp simd
  for (std::int32_t lane = 0; lane < kLanes; ++lane) {
    const Normal4 z =
        normals({words.word[0][lane], words.word[1][lane], words.word[2][lane], words.word[3][lane]});
    const Real one = sum[lane] + z.z0, two = one + z.z1, three = two + z.z2;
    sum[lane] = count == 1 ? one : count == 2 ? two : count == 3 ? three : three + z.z3;
  }
}

}  // namespace

std::uint64_t draw_floor(std::uint64_t seed, std::uint64_t first_path, std::int32_t count, std::int32_t calls,
                         std::int32_t normals) {
  const BlockKeys keys = block_keys(seed);
  const BlockIndices indices = block_indices({seed, first_path, count});
  BlockWords words;
  alignas(64) std::uint32_t word_sum[kLanes] = {};
  alignas(64) Real normal_sum[kLanes] = {};
  for (std::int32_t call = 0; call < calls; ++call) {
    draw_block(indices, static_cast<std::uint32_t>(call), 0, keys, words);
    switch (normals - 4 * call) {
      case 1:
        add_normals<1>(words, normal_sum);
        break;
      case 2:
        add_normals<2>(words, normal_sum);
        break;
      case 3:
        add_normals<3>(words, normal_sum);
        break;
      default:
        if (normals >= 4 * call + 4) add_normals<4>(words, normal_sum);
    }
#pragma omp simd
    for (std::int32_t lane = 0; lane < kLanes; ++lane) {
      word_sum[lane] +=
          (words.word[0][lane] ^ words.word[1][lane]) + (words.word[2][lane] ^ words.word[3][lane]);
    }
  }
  std::uint64_t total = 0;
  for (std::int32_t lane = 0; lane < count; ++lane)
    total += word_sum[lane] + std::uint64_t{to_bits(normal_sum[lane])};
  return total;
}

}  // namespace headroom::HEADROOM_ISA
