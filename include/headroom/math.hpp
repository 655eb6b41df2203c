// SPDX-License-Identifier: Apache-2.0
// Elementary functions in float, the same bits on every processor: only + - * /, sqrt, explicit fma and integer
// operations; no libm, no table, no branch (both sides of select() are evaluated), so every function fills SIMD
// lanes.
//
// Common to all:
// - the error bounds are in ULP (units in the last place of the exact result) over the stated range;
// tests/math_test.cpp
//   holds them as a table and checks every float of the range against double;
// - exp, log and logistic take numbers under 2^-126 as zero, both arguments and results: nothing below is
// gradual;
// - a NaN argument gives NaN where not said otherwise, its payload is unspecified;
// - the sign of a zero result is not kept;
// - compile with contraction off (-ffp-contract=off, --fmad=false) and without -ffast-math.
// Polynomials: minimax (Remez, in 40 digits), the coefficients then rounded to float one by one from the lowest
// power, the higher ones refitted after each.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"

namespace headroom {

inline constexpr Real kInfinity = __builtin_inff();
inline constexpr Real kNaN = __builtin_nanf("");
inline constexpr Real kLeastNormal = 0x1p-126f;
inline constexpr Real kGreatest = 0x1.fffffep+127f;

HEADROOM_HD constexpr Real abs(Real x) { return from_bits(to_bits(x) & 0x7fffffffu); }

// Magnitude of the first, sign of the second.
HEADROOM_HD constexpr Real copysign(Real magnitude, Real sign) {
  return from_bits((to_bits(magnitude) & 0x7fffffffu) | (to_bits(sign) & 0x80000000u));
}

// Nearest integer, halves to even; saturates at +-2^30; NaN gives -2^30.
HEADROOM_HD std::int32_t round_to_int(Real x) { return nearest_int(clamp(x, -0x1p30f, 0x1p30f)); }

namespace detail {

// x = n ln 2 + r with |r| <= ln 2 / 2; Cody-Waite in two parts, exact in the first fma.
// Adding 1.5 * 2^23 rounds to an integer that then stands in the low bits of `shifted`.
struct ExpParts {
  std::uint32_t shifted;
  Real r;
};
HEADROOM_HD ExpParts split_exp(Real x) {
  const Real shifted = fma(x, 0x1.715476p+0f, 0x1.8p+23f);
  const Real n = shifted - 0x1.8p+23f;
  const Real r = fma(n, -0x1.62e43p-1f, x);
  return {to_bits(shifted), fma(n, 0x1.05c61p-29f, r)};
}

// exp without its ends: -87.33654 <= x <= 88.72283.
HEADROOM_HD Real exp_inside(Real x) {
  const ExpParts parts = split_exp(x);
  const Real r = parts.r;
  Real p = 0x1.6a51a8p-10f;
  p = fma(p, r, 0x1.123982p-7f);
  p = fma(p, r, 0x1.5558acp-5f);
  p = fma(p, r, 0x1.555492p-3f);
  p = fma(p, r, 0x1.fffffcp-2f);
  p = fma(p, r, 1.0f);
  p = fma(p, r, 1.0f);
  return from_bits(to_bits(p) + (parts.shifted << 23));
}

// x = 2^k (1 + f) with 2/3 <= 1 + f < 4/3, x normal and positive.
template <class T>
struct LogPartsOf {
  T k;
  T f;
};
using LogParts = LogPartsOf<Real>;
inline constexpr std::uint32_t kTwoThirds = 0x3f2aaaabu;  // bits of 2/3
HEADROOM_HD LogParts split_log(Real x) {
  const std::uint32_t above = to_bits(x) - kTwoThirds;
  const Real k = static_cast<Real>(static_cast<std::int32_t>(above) >> 23);
  return {k, from_bits(to_bits(x) - (above & 0xff800000u)) - 1.0f};
}

// Four numbers at once: each step is taken for all four before the next step. A core that waits for one chain
// of fma then works on the others.
struct Four {
  Real at[4];
};
template <class F>
HEADROOM_HD Four four(F&& f) {
  Four y;
  HEADROOM_UNROLL
  for (int i = 0; i < 4; ++i) y.at[i] = f(i);
  return y;
}
using headroom::fma, headroom::sqrt;
HEADROOM_HD Four fma(const Four& a, const Four& b, const Four& c) {
  return four([&](int i) HEADROOM_LANE { return headroom::fma(a.at[i], b.at[i], c.at[i]); });
}
HEADROOM_HD Four fma(const Four& a, const Four& b, Real c) {
  return four([&](int i) HEADROOM_LANE { return headroom::fma(a.at[i], b.at[i], c); });
}
HEADROOM_HD Four fma(const Four& a, Real b, const Four& c) {
  return four([&](int i) HEADROOM_LANE { return headroom::fma(a.at[i], b, c.at[i]); });
}
HEADROOM_HD Four fma(Real a, const Four& b, Real c) {
  return four([&](int i) HEADROOM_LANE { return headroom::fma(a, b.at[i], c); });
}
HEADROOM_HD Four operator*(const Four& a, const Four& b) {
  return four([&](int i) HEADROOM_LANE { return a.at[i] * b.at[i]; });
}
HEADROOM_HD Four operator+(const Four& a, Real b) {
  return four([&](int i) HEADROOM_LANE { return a.at[i] + b; });
}
HEADROOM_HD Four operator-(const Four& a, Real b) {
  return four([&](int i) HEADROOM_LANE { return a.at[i] - b; });
}
HEADROOM_HD Four operator-(const Four& a) {
  return four([&](int i) HEADROOM_LANE { return -a.at[i]; });
}
HEADROOM_HD Four sqrt(const Four& a) {
  return four([&](int i) HEADROOM_LANE { return headroom::sqrt(a.at[i]); });
}
HEADROOM_HD LogPartsOf<Four> split_log(const Four& x) {
  LogPartsOf<Four> y;
  HEADROOM_UNROLL
  for (int i = 0; i < 4; ++i) {
    const LogParts one = split_log(x.at[i]);
    y.k.at[i] = one.k, y.f.at[i] = one.f;
  }
  return y;
}

// k ln 2 + log(1 + f).
template <class T>
HEADROOM_HD T log_inside(const LogPartsOf<T>& parts) {
  const T f = parts.f;
  T p = fma(-0x1.06e1bap-3f, f, 0x1.1ec6e4p-3f);
  p = fma(p, f, -0x1.f39e94p-4f);
  p = fma(p, f, 0x1.1ec0dp-3f);
  p = fma(p, f, -0x1.55985ap-3f);
  p = fma(p, f, 0x1.99d1c6p-3f);
  p = fma(p, f, -0x1.ffff12p-3f);
  p = fma(p, f, 0x1.555502p-2f);
  p = fma(p, f, -0.5f);
  return fma(parts.k, 0x1.62e43p-1f, fma(p, f * f, f));
}

}  // namespace detail

// e^x to 0.9 ULP on [-87.33654, 88.72283]. Results under 2^-126 (x < -87.33654) are 0. Results above the
// greatest float (x > 88.72283) are infinity.
HEADROOM_HD Real exp(Real x) {
  const Real inside = detail::exp_inside(x);
  const Real low = select(x >= -0x1.5d589ep+6f, inside, 0.0f);
  return select(x <= 0x1.62e42ep+6f, low, x + kInfinity);
}

// Natural logarithm to 0.95 ULP on [2^-126, greatest float]. Zero and subnormals (x < 2^-126) give -infinity,
// x < 0 gives NaN, infinity gives infinity.
HEADROOM_HD Real log(Real x) {
  const Real inside = detail::log_inside(detail::split_log(x));
  const Real low = select(x >= kLeastNormal, inside, select(x < 0.0f, kNaN, -kInfinity));
  return select(x <= kGreatest, low, x);
}

// log(1 + x) without cancellation near 0, to 1.6 ULP (0.95 for x < 0) for every x > -1. -1 gives -infinity, x
// < -1 NaN, infinity gives infinity. The scale comes from the rounded 1 + x; the fraction f = x 2^-k + (2^-k
// - 1) comes from x itself, so it is exact near 0.
HEADROOM_HD Real log1p(Real x) {
  const std::uint32_t above = to_bits(1.0f + x) - detail::kTwoThirds;
  const std::uint32_t scale = above & 0xff800000u;
  const Real k = static_cast<Real>(static_cast<std::int32_t>(above) >> 23);
  const Real less = fma(0.25f, from_bits(0x40800000u - scale), -1.0f);
  const Real inside = detail::log_inside(detail::LogParts{k, from_bits(to_bits(x) - scale) + less});
  const Real low = select(x > -1.0f, inside, select(x < -1.0f, kNaN, -kInfinity));
  return select(x <= kGreatest, low, x);
}

// e^x - 1 without cancellation near 0, to 1.6 ULP (1.01 for x < 0) up to 88.72283. Above 88.72283 the result
// is infinity; under -17.4 it is -1.
HEADROOM_HD Real expm1(Real x) {
  const Real above = select(-24.0f > x, -24.0f, x);  // comparisons in this order let a NaN through
  const Real bounded = select(89.0f < above, 89.0f, above);
  const detail::ExpParts parts = detail::split_exp(bounded);
  const Real r = parts.r;
  Real p = 0x1.6b75a4p-10f;
  p = fma(p, r, 0x1.122796p-7f);
  p = fma(p, r, 0x1.555714p-5f);
  p = fma(p, r, 0x1.5554bp-3f);
  p = fma(p, r, 0x1.fffffep-2f);
  p = fma(p, r * r, r);
  const Real half_scale = from_bits((parts.shifted << 23) + 0x3f000000u);  // 2^(n-1): 2^128 is not a float
  const Real half = fma(p, half_scale, half_scale - 0.5f);
  return half + half;
}

// 1 / (1 + e^-x) to 2.5 ULP for x >= -87.33654. Results under 2^-126 (x < -87.33654) are 0.
HEADROOM_HD Real logistic(Real x) {
  const Real e = exp(-abs(x));
  return select(x >= 0.0f, 1.0f, e) / (1.0f + e);
}

namespace detail {

// The standard normal quantile of 1 - d from 2d and x = 1 - 2d = erf(z / sqrt 2), for 2^-33 <= d <= 1/2; >= 0.
// z / x is a function of w = -log(1 - x^2) alone (Giles, "Approximating the erfinv function", GPU Computing
// Gems, 2010). In v = sqrt(w + 3), not in w, it is nearly a straight line: one polynomial for centre and tails.
template <class T>
HEADROOM_HD T normal_quantile_inside(const T& two_d, const T& x) {
  const T w = -log_inside(split_log(two_d * (x + 1.0f)));
  const T v = sqrt(w + 3.0f) - 2.75f;
  const T v2 = v * v;  // odd and even powers apart: half the chain of dependent fma
  T even = fma(0x1.c09e62p-18f, v2, 0x1.73dfap-13f);
  T odd = fma(-0x1.0416f8p-14f, v2, 0x1.0501bep-14f);
  even = fma(even, v2, -0x1.4afbap-10f);
  odd = fma(odd, v2, 0x1.baad8p-10f);
  even = fma(even, v2, 0x1.6b56b8p-9f);
  odd = fma(odd, v2, -0x1.220188p-7f);
  even = fma(even, v2, 0x1.a1bf78p-10f);
  odd = fma(odd, v2, 0x1.628b64p-6f);
  even = fma(even, v2, -0x1.cd49f8p-6f);
  odd = fma(odd, v2, -0x1.2891c8p-6f);
  even = fma(even, v2, 0x1.7dfcep-4f);
  odd = fma(odd, v2, -0x1.c5732cp-4f);
  even = fma(even, v2, -0x1.f7cdd4p-9f);
  T p = fma(odd, v, even);
  p = fma(p, v, 0x1.b64b88p+0f);  // the large terms are added last, one by one: their roundings count most
  p = fma(p, v, 0x1.674f04p+1f);
  return x * p;
}

}  // namespace detail

// Quantile of the standard normal distribution to 5 ULP (4e-7 relative) on 2^-33 <= u < 1. Outside it saturates
// at -6.338 and +6.338. A float u near 1 is coarse (steps of 2^-24, z up to 5.29 only): draw with normal(word)
// of philox.hpp, which has both tails.
HEADROOM_HD Real normal_quantile(Real u) {
  const Real nearer = select(u < 0.5f, u, 1.0f - u);
  const Real d = select(0x1p-33f > nearer, 0x1p-33f, nearer);
  return copysign(detail::normal_quantile_inside(d + d, fma(-2.0f, d, 1.0f)), u - 0.5f);
}

// Standard normal distribution function to 5.1 ULP on [-12.9, 0], the lower tail relative to itself down to
// 2^-126, and to 2.5 ULP above 0. Under -12.9 the result is within 2^-126.
// Q(t) = e^(-t^2/2) h(q) / (t + 4) with q = (t - 4) / (t + 4), h a polynomial; e^(-t^2/2) with the rounding
// error of t^2 made good.
HEADROOM_HD Real normal_cdf(Real x) {
  const Real t = abs(x);
  const Real bounded = select(t > 16.0f, 16.0f, t);
  const Real r = 1.0f / (bounded + 4.0f);
  const Real rounded = (bounded - 4.0f) * r;
  const Real remainder = fma(-rounded, bounded, fma(-4.0f, rounded + 1.0f, bounded));  // t - 4 - q (t + 4)
  const Real q = fma(r, remainder, rounded);
  Real p = -0x1.f985a2p-14f;
  p = fma(p, q, 0x1.a7f5bp-13f);
  p = fma(p, q, 0x1.9cd03ap-10f);
  p = fma(p, q, -0x1.ce1c16p-9f);
  p = fma(p, q, -0x1.ed7f2ap-8f);
  p = fma(p, q, 0x1.eed9c4p-5f);
  p = fma(p, q, -0x1.7dff8ap-3f);
  p = fma(p, q, 0x1.8c6d8cp-2f);
  p = fma(p, q, -0x1.373e3ap-1f);
  p = fma(p, q, 0x1.82b4bcp-1f);
  const Real square = bounded * bounded;
  const Real square_error = fma(bounded, bounded, -square);
  const Real e = exp(-0.5f * square);
  const Real tail = fma(-0.5f * square_error, e, e) * (p * r);
  return select(x < 0.0f, tail, 1.0f - tail);
}

}  // namespace headroom
