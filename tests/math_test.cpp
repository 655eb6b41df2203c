// SPDX-License-Identifier: Apache-2.0
// The numerical contract of include/headroom/math.hpp. The tables in this file are the specification.
#include "headroom/math.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

namespace headroom {
namespace {

// With fused multiply-add in hardware every float of every range is tested. The emulated fma of the baseline is
// forty times slower and, as the fma tests show, the same function: every 61st float then.
#if defined(__FP_FAST_FMAF) || defined(__FMA__)
constexpr std::int64_t kStride = 1;
#else
constexpr std::int64_t kStride = 61;
#endif
constexpr int kChunk = 4096;

// The floats in order of value, as consecutive integers.
std::int32_t key_of(float x) {
  const auto bits = static_cast<std::int32_t>(to_bits(x));
  return bits >= 0 ? bits : std::numeric_limits<std::int32_t>::min() - bits;
}
float float_of(std::int32_t key) {
  return from_bits(static_cast<std::uint32_t>(key >= 0 ? key : std::numeric_limits<std::int32_t>::min() - key));
}

// A function applied to a chunk, in SIMD lanes: what the engine runs.
using Lanes = void (*)(const float* x, float* y);
template <class Function>
void apply(const float* x, float* y, Function function) {
#pragma omp simd
  for (int i = 0; i < kChunk; ++i) y[i] = function(x[i]);
}
void exp_lanes(const float* x, float* y) {
  apply(x, y, [](float v) { return exp(v); });
}
void log_lanes(const float* x, float* y) {
  apply(x, y, [](float v) { return log(v); });
}
void log1p_lanes(const float* x, float* y) {
  apply(x, y, [](float v) { return log1p(v); });
}
void expm1_lanes(const float* x, float* y) {
  apply(x, y, [](float v) { return expm1(v); });
}
void logistic_lanes(const float* x, float* y) {
  apply(x, y, [](float v) { return logistic(v); });
}
void normal_cdf_lanes(const float* x, float* y) {
  apply(x, y, [](float v) { return normal_cdf(v); });
}
void normal_quantile_lanes(const float* x, float* y) {
  apply(x, y, [](float v) { return normal_quantile(v); });
}
void sqrt_lanes(const float* x, float* y) {
  apply(x, y, [](float v) { return sqrt(v); });
}

// References in double, to 1e-11 or better relative. Nine tenths of all floats are under 2^-13, where a few
// terms of the series are exact enough and fill SIMD lanes.
constexpr double kSmall = 0x1p-13;
constexpr double kInverseSqrt2 = 0.70710678118654752440;
constexpr double kInverseSqrt2Pi = 0.39894228040143267794;
double exp_series(double x) { return 1 + x * (1 + x / 2 * (1 + x / 3)); }
double log1p_series(double x) { return x * (1 - x * (1.0 / 2 - x * (1.0 / 3 - x / 4))); }
double expm1_series(double x) { return x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4))); }
double logistic_series(double x) { return 0.5 + x * (0.25 - x * x / 48); }
double normal_cdf_series(double x) { return 0.5 + kInverseSqrt2Pi * x * (1 - x * x / 6); }

double exp_exact(double x, double) { return std::exp(x); }
double log_exact(double x, double) { return std::log(x); }
double log1p_exact(double x, double) { return std::log1p(x); }
double expm1_exact(double x, double) { return std::expm1(x); }
double logistic_exact(double x, double) { return 1 / (1 + std::exp(-x)); }
double normal_cdf_exact(double x, double) { return 0.5 * std::erfc(-x * kInverseSqrt2); }
double sqrt_exact(double x, double) { return std::sqrt(x); }
// One Newton step from the value under test: from a value 1e-6 off it ends 1e-12 off, from a wrong one it goes
// elsewhere.
double normal_quantile_exact(double u, double z) {
  const double d = std::min(u, 1 - u);
  const double t = std::abs(z);
  const double density = kInverseSqrt2Pi * std::exp(-0.5 * t * t);
  const double step = d > 0.3 ? (0.5 * std::erf(t * kInverseSqrt2) - (0.5 - d)) / density
                              : (d - 0.5 * std::erfc(t * kInverseSqrt2)) / density;
  return std::copysign(t - step, u - 0.5);
}

// The distance between floats at the exact result: its power of two (no less than that of the least normal) by
// 2^-23.
double ulp_at(double exact) {
  const double magnitude = std::max(std::abs(exact), 0x1p-126);
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(magnitude) & 0x7ff0000000000000u) * 0x1p-23;
}

double error_in_ulp(double y, double exact) {
  const double error = std::abs(y - exact) / ulp_at(exact);
  return error <= std::numeric_limits<double>::max() ? error
                                                     : std::numeric_limits<double>::infinity();  // NaN too
}

// The greatest error of a chunk against the series.
using ChunkError = double (*)(const float* x, const float* y);
template <double (*series)(double)>
double series_error(const float* x, const float* y) {
  double errors[kChunk];
#pragma omp simd
  for (int i = 0; i < kChunk; ++i)
    errors[i] = error_in_ulp(static_cast<double>(y[i]), series(static_cast<double>(x[i])));
  return *std::max_element(errors, errors + kChunk);
}

struct Contract {
  const char* name;
  Lanes lanes;
  double (*exact)(double x, double result);
  ChunkError near_zero;  // null: none
  float from, to;
  double max_ulp;
};
std::ostream& operator<<(std::ostream& out, const Contract& c) {
  return out << c.name << " on [" << c.from << ", " << c.to << "]";
}

// The specification: function, range, greatest error in ULP.
const Contract kContracts[] = {
    {"exp", exp_lanes, exp_exact, series_error<exp_series>, -0x1.5d589ep+6f, 0x1.62e42ep+6f, 0.9},
    {"log", log_lanes, log_exact, nullptr, kLeastNormal, kGreatest, 0.95},
    {"log1p_below", log1p_lanes, log1p_exact, series_error<log1p_series>, -0x1.fffffep-1f, -0.0f, 0.95},
    {"log1p_above", log1p_lanes, log1p_exact, series_error<log1p_series>, 0.0f, kGreatest, 1.6},
    {"expm1_below", expm1_lanes, expm1_exact, series_error<expm1_series>, -18.0f, -0.0f, 1.01},
    {"expm1_above", expm1_lanes, expm1_exact, series_error<expm1_series>, 0.0f, 0x1.62e42ep+6f, 1.6},
    {"logistic", logistic_lanes, logistic_exact, series_error<logistic_series>, -0x1.5d589ep+6f, 18.0f, 2.5},
    {"normal_quantile", normal_quantile_lanes, normal_quantile_exact, nullptr, 0x1p-33f, 0x1.fffffep-1f, 5.0},
    {"normal_cdf_below", normal_cdf_lanes, normal_cdf_exact, series_error<normal_cdf_series>, -12.9f, -0.0f,
     5.1},
    {"normal_cdf_above", normal_cdf_lanes, normal_cdf_exact, series_error<normal_cdf_series>, 0.0f, 6.0f, 2.5},
    {"sqrt", sqrt_lanes, sqrt_exact, nullptr, 1.0f, 4.0f, 0.5},  // two binades: powers of 4 scale exactly
};

class Ulp : public testing::TestWithParam<Contract> {};

TEST_P(Ulp, EveryFloatOfTheRange) {
  const Contract& contract = GetParam();
  std::vector<float> x(kChunk), y(kChunk);
  double worst = 0;
  float worst_x = 0, worst_y = 0;
  const std::int64_t last = key_of(contract.to);
  for (std::int64_t first = key_of(contract.from); first <= last; first += kStride * kChunk) {
    // The last chunk is filled up with the end of the range.
    for (int i = 0; i < kChunk; ++i)
      x[static_cast<std::size_t>(i)] = float_of(static_cast<std::int32_t>(std::min(first + kStride * i, last)));
    contract.lanes(x.data(), y.data());
    if (contract.near_zero && abs(x.front()) < kSmall && abs(x.back()) < kSmall &&
        contract.near_zero(x.data(), y.data()) <= worst)
      continue;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double exact = contract.exact(static_cast<double>(x[i]), static_cast<double>(y[i]));
      const double error = error_in_ulp(static_cast<double>(y[i]), exact);
      if (error > worst) {
        worst = error;
        worst_x = x[i];
        worst_y = y[i];
      }
    }
  }
  RecordProperty("worst_ulp", std::to_string(worst));
  EXPECT_LE(worst, contract.max_ulp) << contract << " at x = " << std::hexfloat << worst_x << " gave "
                                     << worst_y << ", exact "
                                     << contract.exact(static_cast<double>(worst_x),
                                                       static_cast<double>(worst_y));
  EXPECT_GT(worst, 0.49) << "nothing rounds better than that: was the range evaluated?";
}

INSTANTIATE_TEST_SUITE_P(Math, Ulp, testing::ValuesIn(kContracts),
                         [](const auto& instance) { return std::string(instance.param.name); });

// Beyond the ranges.
struct Point {
  const char* name;
  Lanes lanes;
  float x;
  float expected;
};
const Point kPoints[] = {
    {"exp", exp_lanes, 0.0f, 1.0f},
    {"exp", exp_lanes, -0.0f, 1.0f},
    {"exp", exp_lanes, 0x1.62e430p+6f, kInfinity},  // the first float over the range
    {"exp", exp_lanes, 1e4f, kInfinity},
    {"exp", exp_lanes, kInfinity, kInfinity},
    {"exp", exp_lanes, -0x1.5d58a0p+6f, 0.0f},  // the first float under it
    {"exp", exp_lanes, -1e4f, 0.0f},
    {"exp", exp_lanes, -kInfinity, 0.0f},
    {"exp", exp_lanes, kNaN, kNaN},
    {"log", log_lanes, 1.0f, 0.0f},
    {"log", log_lanes, 0.0f, -kInfinity},
    {"log", log_lanes, -0.0f, -kInfinity},
    {"log", log_lanes, 0x1.fffffcp-127f, -kInfinity},  // the greatest subnormal
    {"log", log_lanes, 0x1p-149f, -kInfinity},
    {"log", log_lanes, -0x1p-149f, kNaN},
    {"log", log_lanes, -1.0f, kNaN},
    {"log", log_lanes, kInfinity, kInfinity},
    {"log", log_lanes, -kInfinity, kNaN},
    {"log", log_lanes, kNaN, kNaN},
    {"log1p", log1p_lanes, 0.0f, 0.0f},
    {"log1p", log1p_lanes, 0x1p-149f, 0x1p-149f},
    {"log1p", log1p_lanes, -1.0f, -kInfinity},
    {"log1p", log1p_lanes, -0x1.000002p+0f, kNaN},
    {"log1p", log1p_lanes, -kInfinity, kNaN},
    {"log1p", log1p_lanes, kInfinity, kInfinity},
    {"log1p", log1p_lanes, kNaN, kNaN},
    {"expm1", expm1_lanes, 0.0f, 0.0f},
    {"expm1", expm1_lanes, 0x1.62e430p+6f, kInfinity},
    {"expm1", expm1_lanes, kInfinity, kInfinity},
    {"expm1", expm1_lanes, -18.0f, -1.0f},
    {"expm1", expm1_lanes, -kGreatest, -1.0f},
    {"expm1", expm1_lanes, -kInfinity, -1.0f},
    {"expm1", expm1_lanes, kNaN, kNaN},
    {"logistic", logistic_lanes, 0.0f, 0.5f},
    {"logistic", logistic_lanes, 18.0f, 1.0f},
    {"logistic", logistic_lanes, kGreatest, 1.0f},
    {"logistic", logistic_lanes, kInfinity, 1.0f},
    {"logistic", logistic_lanes, -88.0f, 0.0f},
    {"logistic", logistic_lanes, -kInfinity, 0.0f},
    {"logistic", logistic_lanes, kNaN, kNaN},
    {"normal_quantile", normal_quantile_lanes, 0.5f, 0.0f},
    {"normal_quantile", normal_quantile_lanes, kNaN, kNaN},
    {"normal_cdf", normal_cdf_lanes, 0.0f, 0.5f},
    {"normal_cdf", normal_cdf_lanes, 6.0f, 1.0f},
    {"normal_cdf", normal_cdf_lanes, kGreatest, 1.0f},
    {"normal_cdf", normal_cdf_lanes, kInfinity, 1.0f},
    {"normal_cdf", normal_cdf_lanes, -20.0f, 0.0f},
    {"normal_cdf", normal_cdf_lanes, -kInfinity, 0.0f},
    {"normal_cdf", normal_cdf_lanes, kNaN, kNaN},
    {"sqrt", sqrt_lanes, -1.0f, kNaN},
    {"sqrt", sqrt_lanes, kInfinity, kInfinity},
    {"sqrt", sqrt_lanes, kNaN, kNaN},
};

TEST(Math, Ends) {
  std::vector<float> x(kChunk), y(kChunk);
  for (const Point& point : kPoints) {
    x.assign(kChunk, point.x);
    point.lanes(x.data(), y.data());
    for (const float result : y) {
      ASSERT_TRUE(std::isnan(point.expected) ? std::isnan(result) : result == point.expected)
          << point.name << "(" << std::hexfloat << point.x << ") gave " << result << ", not " << point.expected;
    }
  }
}

TEST(Math, QuantileSaturatesOutsideTheUnitInterval) {
  const float low = normal_quantile(0x1p-33f);
  EXPECT_NEAR(low, -6.338f, 5e-4f);
  for (const float u : {0x1.fffffep-34f, 0x1p-149f, 0.0f, -0.0f, -1.0f, -kInfinity}) {
    EXPECT_EQ(normal_quantile(u), low) << "u = " << u;
  }
  for (const float u : {1.0f, 2.0f, kGreatest, kInfinity}) EXPECT_EQ(normal_quantile(u), -low) << "u = " << u;
}

TEST(Math, QuantileIsOdd) {
  for (int i = 1; i < 1 << 23; ++i) {
    const float u = static_cast<float>(i) * 0x1p-24f;  // u and 1 - u are both floats
    ASSERT_EQ(normal_quantile(u), -normal_quantile(1.0f - u)) << "u = " << std::hexfloat << u;
  }
}

// The same bits from every compiler and instruction set: a hash of each function over every 10,007th float
// there is, NaN results counted as one value. A deliberate change of a coefficient changes its line here.
struct Pinned {
  const char* name;
  Lanes lanes;
  std::uint64_t hash;
};
const Pinned kPinned[] = {
    {"exp", exp_lanes, 0x34b9f7ab1e382ca6u},
    {"log", log_lanes, 0x0dfce43c301bd105u},
    {"log1p", log1p_lanes, 0x77ad88f87f0c27d4u},
    {"expm1", expm1_lanes, 0xbd7a0cb2d8bde8d3u},
    {"logistic", logistic_lanes, 0xbf5b93ccea45d611u},
    {"normal_quantile", normal_quantile_lanes, 0xffa1ac2451137c3fu},
    {"normal_cdf", normal_cdf_lanes, 0x22b79fcff66c3b6du},
    {"sqrt", sqrt_lanes, 0xc220d75e8bdf1c79u},
};

TEST(Math, SameBitsInEveryBuild) {
  std::vector<float> x(kChunk), y(kChunk);
  for (const Pinned& pinned : kPinned) {
    std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a, by words
    std::uint64_t bits = 0;
    while (bits < std::uint64_t{1} << 32) {
      for (float& v : x) {
        v = from_bits(static_cast<std::uint32_t>(bits));
        bits += 10007;
      }
      pinned.lanes(x.data(), y.data());
      for (const float v : y) hash = (hash ^ (std::isnan(v) ? 0x7fc00000u : to_bits(v))) * 0x100000001b3u;
    }
    EXPECT_EQ(hash, pinned.hash) << pinned.name << ": 0x" << std::hex << hash;
  }
}

TEST(Math, RoundToIntIsExactForEveryFloat) {
  std::vector<float> x(kChunk);
  std::vector<std::int32_t> got(kChunk), expected(kChunk);
  for (std::int64_t first = 0; first < std::int64_t{1} << 32; first += kStride * kChunk) {
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = from_bits(static_cast<std::uint32_t>(first + kStride * static_cast<std::int64_t>(i)));
    const float* const in = x.data();
    std::int32_t* const out = got.data();
    std::int32_t* const reference = expected.data();
#pragma omp simd
    for (int i = 0; i < kChunk; ++i) out[i] = round_to_int(in[i]);
#pragma omp simd
    for (int i = 0; i < kChunk; ++i) {
      // A double of 2^52 and more has no fraction: adding 1.5 * 2^52 rounds to an integer, halves to even.
      const double v = static_cast<double>(in[i]);
      const double low = v > -0x1p30 ? v : -0x1p30;  // NaN too
      const double bounded = low < 0x1p30 ? low : 0x1p30;
      reference[i] = static_cast<std::int32_t>((bounded + 0x1.8p52) - 0x1.8p52);
    }
    if (got == expected) continue;
    for (std::size_t i = 0; i < x.size(); ++i)
      ASSERT_EQ(got[i], expected[i]) << "x = " << std::hexfloat << x[i];
  }
  EXPECT_EQ(round_to_int(kNaN), std::numeric_limits<std::int32_t>::min() / 2);
  EXPECT_EQ(round_to_int(kInfinity), 1 << 30);
}

TEST(Math, BitwiseHelpers) {
  EXPECT_EQ(abs(-2.5f), 2.5f);
  EXPECT_EQ(to_bits(abs(-0.0f)), 0u);
  EXPECT_EQ(copysign(2.5f, -0.0f), -2.5f);
  EXPECT_EQ(copysign(-2.5f, 1.0f), 2.5f);
  EXPECT_EQ(to_bits(1.0f), 0x3f800000u);
  EXPECT_EQ(from_bits(0xc0000000u), -2.0f);
}

// ---- Fused multiply-add ----

std::uint64_t splitmix(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15u;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}
float random_bits(std::uint64_t& state) { return from_bits(static_cast<std::uint32_t>(splitmix(state) >> 32)); }
// A random sign and significand, an exponent in [low, high].
float random_float(std::uint64_t& state, int low, int high) {
  const std::uint64_t r = splitmix(state);
  const auto significand = static_cast<float>(0x800000 + static_cast<int>(r & 0x7fffff));
  const auto span = static_cast<std::uint64_t>(high - low + 1);
  const int exponent = low + static_cast<int>((r >> 32) % span);
  return std::ldexp(r & 0x800000 ? -significand : significand, exponent - 23);
}
float step(float x, std::uint64_t& state) {  // a few floats aside
  return from_bits(to_bits(x) + static_cast<std::uint32_t>(splitmix(state) % 9) - 4);
}

struct Triple {
  float a, b, c;
};
struct TripleSource {
  const char* name;
  std::int64_t count;
  Triple (*draw)(std::uint64_t& state);
};
const TripleSource kTriples[] = {
    // Every kind of float: NaN, infinities, subnormals, overflow.
    {"any_bits", 100'000'000,
     [](std::uint64_t& s) -> Triple {
       return {random_bits(s), random_bits(s), random_bits(s)};
     }},
    {"near_one", 20'000'000,
     [](std::uint64_t& s) -> Triple {
       return {random_float(s, -3, 3), random_float(s, -3, 3), random_float(s, -30, 30)};
     }},
    {"cancellation", 20'000'000,
     [](std::uint64_t& s) -> Triple {
       const float a = random_float(s, -20, 20), b = random_float(s, -20, 20);
       return {a, b, step(-a * b, s)};
     }},
    // Few significant bits make exact ties; a tiny addend of either sign tips them.
    {"ties", 20'000'000,
     [](std::uint64_t& s) -> Triple {
       const std::uint64_t r = splitmix(s);
       const auto a = static_cast<float>(0x800001 + 2 * static_cast<int>(r & 0xfff));
       const auto b = static_cast<float>(1 + static_cast<int>((r >> 12) & 7)) * 0.5f;
       const float tiny = std::ldexp(1.0f, -static_cast<int>((r >> 16) % 150));
       return {a, b, r >> 63 ? tiny : -tiny};
     }},
    {"ties_of_the_addend", 20'000'000,
     [](std::uint64_t& s) -> Triple {
       const std::uint64_t r = splitmix(s);
       const float half = std::ldexp(1.0f, -static_cast<int>((r >> 32) % 3) - 12);
       return {half, step(half, s), random_float(s, 0, 1)};
     }},
    {"subnormal_results", 20'000'000,
     [](std::uint64_t& s) -> Triple {
       return {random_float(s, -75, -60), random_float(s, -75, -60), random_float(s, -126, -110) * 0x1p-22f};
     }},
    {"overflow", 20'000'000,
     [](std::uint64_t& s) -> Triple {
       return {random_float(s, 62, 64), random_float(s, 62, 64), random_float(s, 100, 127)};
     }},
};
std::ostream& operator<<(std::ostream& out, const TripleSource& source) { return out << source.name; }

class Fma : public testing::TestWithParam<TripleSource> {};

TEST_P(Fma, EmulationEqualsTheLibrarys) {
  const TripleSource& source = GetParam();
  std::uint64_t state = 20081;
  std::vector<float> a(kChunk), b(kChunk), c(kChunk), emulated(kChunk), compiled(kChunk);
  for (std::int64_t done = 0; done < source.count; done += kChunk) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      const Triple triple = source.draw(state);
      a[i] = triple.a;
      b[i] = triple.b;
      c[i] = triple.c;
    }
    const float *const pa = a.data(), *const pb = b.data(), *const pc = c.data();
    float *const pe = emulated.data(), *const pf = compiled.data();
#pragma omp simd
    for (int i = 0; i < kChunk; ++i) pe[i] = detail::fma_exact(pa[i], pb[i], pc[i]);
#pragma omp simd
    for (int i = 0; i < kChunk; ++i) pf[i] = fma(pa[i], pb[i], pc[i]);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const float library = std::fma(a[i], b[i], c[i]);
      const bool same = std::isnan(library) ? std::isnan(emulated[i]) && std::isnan(compiled[i])
                                            : to_bits(library) == to_bits(emulated[i]) &&
                                                  to_bits(library) == to_bits(compiled[i]);
      ASSERT_TRUE(same) << std::hexfloat << "fma(" << a[i] << ", " << b[i] << ", " << c[i] << ") = " << library
                        << ", emulated " << emulated[i] << ", compiled " << compiled[i];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Math, Fma, testing::ValuesIn(kTriples),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(Fma, CornersOfTheFormat) {
  const float corners[] = {0.0f,           0x1p-149f,
                           0x1p-148f,      0x1.fffffcp-127f,
                           kLeastNormal,   0x1.000002p-126f,
                           0x1p-75f,       0x1p-24f,
                           0x1.fffffep-1f, 1.0f,
                           0x1.000002p+0f, 1.5f,
                           0x1p63f,        0x1p64f,
                           0x1p127f,       kGreatest,
                           kInfinity,      kNaN};
  for (const float a0 : corners) {
    for (const float b0 : corners) {
      for (const float c0 : corners) {
        for (int signs = 0; signs < 8; ++signs) {
          const float a = signs & 1 ? -a0 : a0, b = signs & 2 ? -b0 : b0, c = signs & 4 ? -c0 : c0;
          const float library = std::fma(a, b, c), emulated = detail::fma_exact(a, b, c);
          ASSERT_TRUE(std::isnan(library) ? std::isnan(emulated) : to_bits(library) == to_bits(emulated))
              << std::hexfloat << "fma(" << a << ", " << b << ", " << c << ") = " << library << ", emulated "
              << emulated;
        }
      }
    }
  }
}

// (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24: rounded to float the last term is lost, fused it is not.
TEST(Fma, ProductsAreNotContractedBehindOurBack) {
  const volatile float factor = 0x1.001p+0f, minus = -0x1.002p+0f;
  const float a = factor, c = minus;
  EXPECT_EQ(a * a + c, 0.0f) << "compile with -ffp-contract=off";
  EXPECT_EQ(fma(a, a, c), 0x1p-24f);
}

TEST(MulHigh, EqualsTheWideProduct) {
  std::uint64_t state = 7;
  constexpr std::size_t count = 1 << 16;
  std::vector<std::uint32_t> a(count), b(count), high(count);
  const std::uint32_t edges[] = {0u,          1u,          0xffffu,     0x10000u,   0x1ffffu,
                                 0x7fffffffu, 0x80000000u, 0xffff0000u, 0xffffffffu};
  for (int repeat = 0; repeat < 200; ++repeat) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t r = splitmix(state);
      a[i] = i % 5 ? static_cast<std::uint32_t>(r) : edges[i / 5 % 9];
      b[i] = i % 7 ? static_cast<std::uint32_t>(r >> 32) : edges[i / 63 % 9];
    }
    const std::uint32_t *const pa = a.data(), *const pb = b.data();
    std::uint32_t* const ph = high.data();
#pragma omp simd
    for (std::size_t i = 0; i < count; ++i) ph[i] = mul_high(pa[i], pb[i]);
    for (std::size_t i = 0; i < count; ++i)
      ASSERT_EQ(high[i], static_cast<std::uint32_t>(std::uint64_t{a[i]} * b[i] >> 32))
          << "a = " << a[i] << ", b = " << b[i];
  }
}

}  // namespace
}  // namespace headroom
