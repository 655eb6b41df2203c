// SPDX-License-Identifier: Apache-2.0
// The random words of a block of paths, one Philox4x32-10 per lane. Included by lanes.cpp and
// floor_lanes.cpp, once per instruction set.
// The words are the same as those of philox.hpp. Left to itself, g++ builds the vector form of a 32 x 32 ->
// 64 bit product from products of 16-bit halves. AVX2 and AVX-512 have an instruction for it that multiplies
// every other lane.
#pragma once

#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "headroom/hd.hpp"
#include "headroom/philox.hpp"
#include "host/cpu/lanes.hpp"

namespace headroom::HEADROOM_ISA {
namespace {

// The path indices of a block, as the two counter words of each lane. Draws load them from here, for
// consecutive paths and for a list alike.
struct BlockIndices {
  alignas(64) std::uint32_t low[kLanes];
  alignas(64) std::uint32_t high[kLanes];
};
inline BlockIndices block_indices(const BlockPaths& paths) {
  BlockIndices indices;
  for (std::int32_t lane = 0; lane < kLanes; ++lane) {
    // The lanes past the end of a short list repeat its last path; nothing reads their results.
    const std::uint64_t index = paths.list == nullptr ? paths.first + static_cast<std::uint64_t>(lane)
                                                      : paths.list[min(lane, paths.count - 1)];
    indices.low[lane] = static_cast<std::uint32_t>(index);
    indices.high[lane] = static_cast<std::uint32_t>(index >> 32);
  }
  return indices;
}

// The two keys of each round for a seed, ready to be read as vectors.
struct BlockKeys {
  alignas(64) std::uint32_t key[10][2][16];
};
inline BlockKeys block_keys(std::uint64_t seed) {
  BlockKeys keys;
  for (std::uint32_t round = 0; round < 10; ++round) {
    for (std::uint32_t lane = 0; lane < 16; ++lane) {
      keys.key[round][0][lane] = static_cast<std::uint32_t>(seed) + round * 0x9E3779B9U;
      keys.key[round][1][lane] = static_cast<std::uint32_t>(seed >> 32) + round * 0xBB67AE85U;
    }
  }
  return keys;
}

struct BlockWords {
  alignas(64) std::uint32_t word[4][kLanes];
};

#if defined(__AVX2__)

#if defined(__AVX512F__)
using Vector = __m512i;
inline Vector all(std::uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
inline Vector exclusive_or(Vector a, Vector b) { return _mm512_xor_si512(a, b); }
inline Vector low_product(Vector a, Vector b) { return _mm512_mullo_epi32(a, b); }
inline Vector high_product(Vector a, Vector b) {
  // Masked forms with all bits set: g++ 12 warns of an uninitialised operand inside the plain forms.
  const Vector even = _mm512_maskz_mul_epu32(0xFF, a, b);
  const Vector odd = _mm512_maskz_mul_epu32(0xFF, _mm512_maskz_srli_epi64(0xFF, a, 32), b);
  return _mm512_mask_blend_epi32(0xAAAA, _mm512_maskz_srli_epi64(0xFF, even, 32), odd);
}
inline Vector get(const std::uint32_t* from) { return _mm512_load_si512(from); }
inline void put(std::uint32_t* to, Vector x) { _mm512_store_si512(to, x); }
#else
using Vector = __m256i;
inline Vector all(std::uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
inline Vector exclusive_or(Vector a, Vector b) { return _mm256_xor_si256(a, b); }
inline Vector low_product(Vector a, Vector b) { return _mm256_mullo_epi32(a, b); }
inline Vector high_product(Vector a, Vector b) {
  const Vector even = _mm256_mul_epu32(a, b);
  const Vector odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), b);
  return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}
inline Vector get(const std::uint32_t* from) {
  return _mm256_load_si256(reinterpret_cast<const Vector*>(from));
}
inline void put(std::uint32_t* to, Vector x) { _mm256_store_si256(reinterpret_cast<Vector*>(to), x); }
#endif
constexpr std::int32_t kVector = sizeof(Vector) / sizeof(std::uint32_t);
static_assert(kLanes % kVector == 0);

void draw_block(const BlockIndices& path, std::uint32_t month, StreamId stream, const BlockKeys& keys,
                BlockWords& out) {
  const Vector multiplier0 = all(0xD2511F53u), multiplier1 = all(0xCD9E8D57u);
  for (std::int32_t lane = 0; lane < kLanes; lane += kVector) {
    Vector w0 = get(path.low + lane), w1 = get(path.high + lane), w2 = all(month), w3 = all(stream);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      const Vector high0 = high_product(w0, multiplier0), high1 = high_product(w2, multiplier1);
      const Vector low0 = low_product(w0, multiplier0), low1 = low_product(w2, multiplier1);
      w0 = exclusive_or(exclusive_or(high1, w1), get(keys.key[round][0]));
      w2 = exclusive_or(exclusive_or(high0, w3), get(keys.key[round][1]));
      w1 = low1, w3 = low0;
    }
    put(out.word[0] + lane, w0), put(out.word[1] + lane, w1);
    put(out.word[2] + lane, w2), put(out.word[3] + lane, w3);
  }
}

#else

void draw_block(const BlockIndices& path, std::uint32_t month, StreamId stream, const BlockKeys& keys,
                BlockWords& out) {
#pragma omp simd
  for (std::int32_t lane = 0; lane < kLanes; ++lane) {
    const Philox4 words =
        philox4x32_10({path.low[lane], path.high[lane], month, stream}, keys.key[0][0][0], keys.key[0][1][0]);
    out.word[0][lane] = words.w0, out.word[1][lane] = words.w1;
    out.word[2][lane] = words.w2, out.word[3][lane] = words.w3;
  }
}

#endif

}  // namespace
}  // namespace headroom::HEADROOM_ISA
