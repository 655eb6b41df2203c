// SPDX-License-Identifier: Apache-2.0
// Random numbers as a pure function of (key, counter), and the distributions that turn one 32-bit word each
// into a number.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"

namespace headroom {

// Four 32-bit words: a counter, or the four random words that it gives.
struct Philox4 {
  std::uint32_t w0, w1, w2, w3;
};

namespace detail {

HEADROOM_HD Philox4 philox_round(Philox4 c, std::uint32_t key0, std::uint32_t key1) {
  constexpr std::uint32_t multiplier0 = 0xD2511F53u;
  constexpr std::uint32_t multiplier1 = 0xCD9E8D57u;
  return {mul_high(c.w2, multiplier1) ^ c.w1 ^ key0, c.w2 * multiplier1,
          mul_high(c.w0, multiplier0) ^ c.w3 ^ key1, c.w0 * multiplier0};
}

}  // namespace detail

// Philox4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11), word for
// word the same as Random123 and cuRAND's curand_Philox4x32_10. Known answers: tests/philox_test.cpp. The ten
// rounds are written out: a loop would fill SIMD lanes only if the compiler unrolled it first.
HEADROOM_HD Philox4 philox4x32_10(Philox4 counter, std::uint32_t key0, std::uint32_t key1) {
  constexpr std::uint32_t step0 = 0x9E3779B9u;  // golden ratio
  constexpr std::uint32_t step1 = 0xBB67AE85u;  // sqrt(3) - 1
  Philox4 c = detail::philox_round(counter, key0, key1);
  c = detail::philox_round(c, key0 + 1 * step0, key1 + 1 * step1);
  c = detail::philox_round(c, key0 + 2 * step0, key1 + 2 * step1);
  c = detail::philox_round(c, key0 + 3 * step0, key1 + 3 * step1);
  c = detail::philox_round(c, key0 + 4 * step0, key1 + 4 * step1);
  c = detail::philox_round(c, key0 + 5 * step0, key1 + 5 * step1);
  c = detail::philox_round(c, key0 + 6 * step0, key1 + 6 * step1);
  c = detail::philox_round(c, key0 + 7 * step0, key1 + 7 * step1);
  c = detail::philox_round(c, key0 + 8 * step0, key1 + 8 * step1);
  return detail::philox_round(c, key0 + 9 * step0, key1 + 9 * step1);
}

// The generator as a type, for code that takes it as a template parameter. Any functor (Philox4 counter,
// uint32_t key0, uint32_t key1) -> Philox4 that gives the same words may replace it, such as a wrapper of
// cuRAND's round function.
struct PhiloxGenerator {
  HEADROOM_HD Philox4 operator()(Philox4 counter, std::uint32_t key0, std::uint32_t key1) const {
    return philox4x32_10(counter, key0, key1);
  }
};

// A word w stands for the point (w + 1/2) / 2^32 of the open interval (0, 1): 2^32 points, symmetrical about
// 1/2. All distributions start from the point's distance to the nearer end, (m + 1/2) / 2^32 with m = min(w,
// ~w) < 2^31, in full float precision. So both tails are equally fine, and ~w is the antithetic word of w.
namespace detail {

HEADROOM_HD Real steps_to_nearer_end(std::uint32_t word) {
  const std::int32_t centred = static_cast<std::int32_t>(word);
  return static_cast<Real>(centred ^ (centred >> 31));
}
HEADROOM_HD Real steps_to_middle(std::uint32_t word) {
  const std::int32_t centred = static_cast<std::int32_t>(word);
  return static_cast<Real>((centred ^ (centred >> 31)) ^ 0x7fffffff);
}

}  // namespace detail

// Uniform on the open interval (0, 1), never decreasing in the word. From 2^-33 up to 1/2 it is correct to
// float precision. Above 1/2 floats are 2^-24 apart: the value is 1 - uniform(~word), rounded, and at most 1
// - 2^-24.
HEADROOM_HD Real uniform(std::uint32_t word) {
  const Real d = fma(detail::steps_to_nearer_end(word), 0x1p-32f, 0x1p-33f);
  const Real upper = min(1.0f - d, 0x1.fffffep-1f);
  return select(static_cast<std::int32_t>(word) < 0, upper, d);
}

// Standard normal to 5 ULP, from -6.338 for word 0 to +6.338 for word 2^32 - 1, never 0. It increases in the
// word except for the rounding of near neighbours. normal(~word) == -normal(word) exactly.
HEADROOM_HD Real normal(std::uint32_t word) {
  const Real two_d = fma(detail::steps_to_nearer_end(word), 0x1p-31f, 0x1p-32f);
  const Real x = fma(detail::steps_to_middle(word), 0x1p-31f, 0x1p-32f);
  const Real z = detail::normal_quantile_inside(two_d, x);
  return from_bits(to_bits(z) ^ (~word & 0x80000000u));
}

// normal() of each of four words.
struct Normal4 {
  Real z0, z1, z2, z3;
};
HEADROOM_HD Normal4 normals(const Philox4& words) {
  if constexpr (!kSimdLanes) return {normal(words.w0), normal(words.w1), normal(words.w2), normal(words.w3)};
  const std::uint32_t word[4] = {words.w0, words.w1, words.w2, words.w3};
  const auto two_d = detail::four(
      [&](int i) HEADROOM_LANE { return fma(detail::steps_to_nearer_end(word[i]), 0x1p-31f, 0x1p-32f); });
  const auto x = detail::four(
      [&](int i) HEADROOM_LANE { return fma(detail::steps_to_middle(word[i]), 0x1p-31f, 0x1p-32f); });
  const detail::Four z = detail::normal_quantile_inside(two_d, x);
  const detail::Four y =
      detail::four([&](int i) HEADROOM_LANE { return from_bits(to_bits(z.at[i]) ^ (~word[i] & 0x80000000u)); });
  return {y.at[0], y.at[1], y.at[2], y.at[3]};
}

// Unit exponential -log(u) to 3.5 ULP, decreasing in the word: 22.87 for word 0, 2^-33 for word 2^32 - 1,
// never 0 or infinite. Near u = 1 it is computed as log(1 - d), with d in full precision.
HEADROOM_HD Real exponential(std::uint32_t word) {
  const Real d = fma(detail::steps_to_nearer_end(word), 0x1p-32f, 0x1p-33f);
  const Real u = select(static_cast<std::int32_t>(word) < 0, 1.0f - d, d);
  const detail::LogParts parts = detail::split_log(u);
  return -detail::log_inside(detail::LogParts{parts.k, select(parts.k == 0.0f, -d, parts.f)});
}

}  // namespace headroom
