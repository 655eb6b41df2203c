// SPDX-License-Identifier: Apache-2.0
// Random words against the published answers and the authors' own code; the distributions drawn from them
// against their definitions. Statistical limits are z-scores of 5: one false alarm in 1.7 million each. Seeds
// are fixed.
#include "headroom/philox.hpp"

#include <Random123/philox.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace headroom {
namespace {

constexpr double kMaxZ = 5;

// ---- Philox4x32-10 ----

struct Words {
  std::uint32_t w[4];
  bool operator==(const Words&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Words& words) {
  out << std::hex;
  for (const std::uint32_t w : words.w) out << w << ' ';
  return out << std::dec;
}

struct Input {
  std::uint32_t counter[4];
  std::uint32_t key[2];
};

// All inputs through one SIMD loop, in structure-of-arrays form as the engine runs it.
std::vector<Words> generate(const std::vector<Input>& inputs) {
  const std::size_t n = inputs.size();
  std::vector<std::uint32_t> in[6], out[4];
  for (std::vector<std::uint32_t>& column : in) column.resize(n);
  for (std::vector<std::uint32_t>& column : out) column.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < 4; ++k) in[k][i] = inputs[i].counter[k];
    for (std::size_t k = 0; k < 2; ++k) in[4 + k][i] = inputs[i].key[k];
  }
  const std::uint32_t *const c0 = in[0].data(), *const c1 = in[1].data(), *const c2 = in[2].data();
  const std::uint32_t *const c3 = in[3].data(), *const k0 = in[4].data(), *const k1 = in[5].data();
  std::uint32_t *const o0 = out[0].data(), *const o1 = out[1].data(), *const o2 = out[2].data();
  std::uint32_t* const o3 = out[3].data();
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) {
    const Philox4 words = PhiloxGenerator{}({c0[i], c1[i], c2[i], c3[i]}, k0[i], k1[i]);
    o0[i] = words.w0;
    o1[i] = words.w1;
    o2[i] = words.w2;
    o3[i] = words.w3;
  }
  std::vector<Words> result(n);
  for (std::size_t i = 0; i < n; ++i) result[i] = {{o0[i], o1[i], o2[i], o3[i]}};
  return result;
}

// From Random123's kat_vectors.
struct KnownAnswer {
  Input input;
  Words words;
};
const KnownAnswer kKnownAnswers[] = {
    {{{0, 0, 0, 0}, {0, 0}}, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
    {{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}},
     {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
    {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}},
     {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
};

// The known input stands in each of 67 lanes in turn among others: wide vectors, the remainder loop, every
// position.
TEST(Philox, KnownAnswersInEveryLane) {
  constexpr std::size_t lanes = 67;
  for (const KnownAnswer& known : kKnownAnswers) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      std::vector<Input> inputs(lanes, Input{{1, 2, 3, 4}, {5, 6}});
      inputs[lane] = known.input;
      const std::vector<Words> words = generate(inputs);
      ASSERT_EQ(words[lane], known.words) << "lane " << lane;
      ASSERT_EQ(words[(lane + 1) % lanes], words[(lane + 2) % lanes]) << "neighbours of lane " << lane;
    }
  }
}

Words reference(const Input& input) {
  const r123::Philox4x32::ctr_type counter = {
      {input.counter[0], input.counter[1], input.counter[2], input.counter[3]}};
  const r123::Philox4x32::key_type key = {{input.key[0], input.key[1]}};
  const r123::Philox4x32::ctr_type words = r123::Philox4x32()(counter, key);
  return {{words[0], words[1], words[2], words[3]}};
}

TEST(Philox, EqualsRandom123) {
  // Every single bit of counter and key set and cleared, then a random walk through its own output.
  std::vector<Input> inputs;
  for (const std::uint32_t background : {0u, 0xffffffffu}) {
    for (int bit = 0; bit < 192; ++bit) {
      Input input = {{background, background, background, background}, {background, background}};
      const std::uint32_t mask = 1u << (bit % 32);
      (bit < 128 ? input.counter[bit / 32] : input.key[bit / 32 - 4]) ^= mask;
      inputs.push_back(input);
    }
  }
  Input walk = {{1, 2, 3, 4}, {5, 6}};
  for (int i = 0; i < 1 << 18; ++i) {
    const Words next = reference(walk);
    walk = {{next.w[0], next.w[1], next.w[2], next.w[3]}, {next.w[3] ^ 0x5bd1e995, next.w[0] + 1}};
    inputs.push_back(walk);
  }
  const std::vector<Words> words = generate(inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    ASSERT_EQ(words[i], reference(inputs[i]))
        << "counter "
        << Words{{inputs[i].counter[0], inputs[i].counter[1], inputs[i].counter[2], inputs[i].counter[3]}}
        << "key " << inputs[i].key[0] << ' ' << inputs[i].key[1];
  }
}

// ---- From words to laws, over the words themselves ----

// All 2^32 words where fused multiply-add is in hardware; otherwise every 61st run of 4,096.
#if defined(__FP_FAST_FMAF) || defined(__FMA__)
constexpr std::int64_t kRuns = 1;
#else
constexpr std::int64_t kRuns = 61;
#endif
constexpr int kChunk = 4096;

struct Fault {
  std::int64_t count = 0;
  std::uint32_t first = 0;
};

// Calls check(word) in SIMD lanes and tells how many words fail it, and the first.
template <class Check>
Fault failing_words(Check check) {
  Fault fault;
  for (std::int64_t first = 0; first < std::int64_t{1} << 32; first += kRuns * kChunk) {
    const auto start = static_cast<std::uint32_t>(first);
    int failures = 0;
#pragma omp simd reduction(+ : failures)
    for (int i = 0; i < kChunk; ++i) failures += check(start + static_cast<std::uint32_t>(i)) ? 0 : 1;
    if (failures && !fault.count)
      for (fault.first = start; check(fault.first);) ++fault.first;
    fault.count += failures;
  }
  return fault;
}

TEST(Uniform, IsInsideTheOpenIntervalForEveryWord) {
  const Fault fault = failing_words([](std::uint32_t word) {
    const float u = uniform(word);
    return (u > 0.0f) & (u < 1.0f);
  });
  EXPECT_EQ(fault.count, 0) << "first: word " << fault.first << " gave " << uniform(fault.first);
}

TEST(Uniform, NeverDecreasesInTheWord) {
  const Fault fault = failing_words(
      [](std::uint32_t word) { return (uniform(word) <= uniform(word + 1)) | (word == 0xffffffffu); });
  EXPECT_EQ(fault.count, 0) << "first: word " << fault.first << ", " << uniform(fault.first) << " then "
                            << uniform(fault.first + 1);
}

// u(w) + u(~w) = 1 up to the rounding of the upper half (2^-25) and the cap at 1 - 2^-24.
TEST(Uniform, IsSymmetricalAboutOneHalf) {
  const Fault fault = failing_words([](std::uint32_t word) {
    const float u = uniform(word), mirrored = uniform(~word);
    const float lower = u < mirrored ? u : mirrored, upper = u < mirrored ? mirrored : u;
    const float expected = 1.0f - lower;
    return upper == (expected < 0x1.fffffep-1f ? expected : 0x1.fffffep-1f);
  });
  EXPECT_EQ(fault.count, 0) << "first: word " << fault.first << ": " << uniform(fault.first) << " and "
                            << uniform(~fault.first);
}

TEST(Uniform, KnownWords) {
  EXPECT_EQ(uniform(0), 0x1p-33f);
  EXPECT_EQ(uniform(1), 0x1.8p-32f);
  EXPECT_EQ(uniform(0x40000000u), 0.25f);
  EXPECT_EQ(uniform(0x80000000u), 0.5f);
  EXPECT_EQ(uniform(0xffffffffu), 0x1.fffffep-1f);
}

TEST(Normal, FourAtOnceAreEachTheOne) {
  std::uint32_t differ = 0;
  for (std::uint64_t word = 0; word < std::uint64_t{1} << 32; word += 1027) {
    const auto w = static_cast<std::uint32_t>(word);
    const Philox4 words{w, ~w, w * 2654435761U, w ^ 0x5bd1e995U};
    const Normal4 z = normals(words);
    differ += (to_bits(z.z0) ^ to_bits(normal(words.w0))) | (to_bits(z.z1) ^ to_bits(normal(words.w1))) |
              (to_bits(z.z2) ^ to_bits(normal(words.w2))) | (to_bits(z.z3) ^ to_bits(normal(words.w3)));
    ASSERT_EQ(differ, 0U) << "word " << w;
  }
}

// Over the lower half of the words and their mirror images: exactly odd, so that the antithetic word gives the
// antithetic normal; never 0, infinite or NaN; neighbouring words out of order by no more than the rounding of
// both.
TEST(Normal, IsOddBoundedAndIncreasingForEveryWord) {
  std::vector<float> lower(kChunk + 1), upper(kChunk + 1);
  for (std::int64_t first = 0; first < std::int64_t{1} << 31; first += kRuns * kChunk) {
    const auto start = static_cast<std::uint32_t>(first);
    float *const z = lower.data(), *const mirrored = upper.data();
#pragma omp simd
    for (int i = 0; i <= kChunk; ++i) z[i] = normal(start + static_cast<std::uint32_t>(i));
#pragma omp simd
    for (int i = 0; i < kChunk; ++i) mirrored[i] = normal(~(start + static_cast<std::uint32_t>(i)));
    int faults = 0;
#pragma omp simd reduction(+ : faults)
    for (int i = 0; i < kChunk; ++i) {
      const bool sound = (z[i] < 0.0f) & (z[i] > -6.35f) & (mirrored[i] == -z[i]);
      const bool ordered = z[i + 1] - z[i] >= 10 * 0x1p-24f * z[i];
      faults += (sound & ordered) ? 0 : 1;
    }
    if (faults == 0) continue;
    for (int i = 0; i < kChunk; ++i) {
      ASSERT_TRUE(z[i] < 0 && z[i] > -6.35f && mirrored[i] == -z[i] && z[i + 1] - z[i] >= 10 * 0x1p-24f * z[i])
          << "word " << start + static_cast<std::uint32_t>(i) << " gave " << std::hexfloat << z[i]
          << ", the next " << z[i + 1] << ", its mirror image " << mirrored[i];
    }
  }
}

// Words to test against double: 2^16 at either end and about the middle, and a stride that is odd.
std::vector<std::uint32_t> sampled_words() {
  std::vector<std::uint32_t> words;
  for (std::uint32_t i = 0; i < 1u << 16; ++i) {
    words.push_back(i);
    words.push_back(~i);
    words.push_back(0x7fff8000u + i);
  }
  for (std::int64_t i = 0; i < std::int64_t{1} << 32; i += 1021) words.push_back(static_cast<std::uint32_t>(i));
  return words;
}

double ulp_at(double exact) { return std::ldexp(1.0, std::ilogb(exact) - 23); }

// Against the quantile in double, by one Newton step from the value under test (1e-6 off, the step ends 1e-12
// off).
TEST(Normal, IsTheQuantile) {
  double worst = 0;
  std::uint32_t worst_word = 0;
  for (const std::uint32_t word : sampled_words()) {
    const double d = (std::min(word, ~word) + 0.5) * 0x1p-32;
    const double to_middle = 0.5 - d;  // exact
    const double z = std::abs(static_cast<double>(normal(word)));
    const double density = 0.39894228040143267794 * std::exp(-0.5 * z * z);
    const double step = d > 0.3 ? (0.5 * std::erf(z * 0.70710678118654752440) - to_middle) / density
                                : (d - 0.5 * std::erfc(z * 0.70710678118654752440)) / density;
    const double error = std::abs(step) / ulp_at(z - step);
    if (!(error <= worst)) {
      worst = error;
      worst_word = word;
    }
  }
  RecordProperty("worst_ulp", std::to_string(worst));
  EXPECT_LE(worst, 5.0) << "word " << worst_word << " gave " << normal(worst_word);
  EXPECT_GT(worst, 0.5);
}

// How many words lie beyond k, found by bisection: the tail probability in units of 2^-32, to the words that
// the error of the quantile (4.5 ULP of at most 2^-21 in z) can move, and one.
TEST(Normal, TailsHoldTheirShareOfWords) {
  for (const double k : {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}) {
    std::uint32_t inside = 0x7fffffffu, outside = 0;
    ASSERT_LT(normal(outside), -k);
    while (inside - outside > 1) {
      const std::uint32_t middle = outside + (inside - outside) / 2;
      (normal(middle) < static_cast<float>(-k) ? outside : inside) = middle;
    }
    const double expected = 0.5 * std::erfc(k * 0.70710678118654752440) * 0x1p32;
    const double slack = 1 + 5 * 0x1p-21 * 0.39894228040143267794 * std::exp(-0.5 * k * k) * 0x1p32;
    EXPECT_NEAR(outside + 1.0, expected, slack) << "words with a normal under " << -k;
  }
}

// In ULP of the exact result at the word's exact point, the rounding of that point included.
TEST(Exponential, IsMinusTheLogarithm) {
  double worst = 0;
  std::uint32_t worst_word = 0;
  for (const std::uint32_t word : sampled_words()) {
    const double d = (std::min(word, ~word) + 0.5) * 0x1p-32;
    const double exact = word < 0x80000000u ? -std::log(d) : -std::log1p(-d);
    const double error = std::abs(static_cast<double>(exponential(word)) - exact) / ulp_at(exact);
    if (!(error <= worst)) {
      worst = error;
      worst_word = word;
    }
  }
  RecordProperty("worst_ulp", std::to_string(worst));
  EXPECT_LE(worst, 3.5) << "word " << worst_word << " gave " << exponential(worst_word);
  EXPECT_GT(worst, 0.49);
}

TEST(Exponential, IsPositiveAndFiniteForEveryWord) {
  const Fault fault = failing_words([](std::uint32_t word) {
    const float e = exponential(word);
    return (e >= 0x1p-33f) & (e < 22.88f);
  });
  EXPECT_EQ(fault.count, 0) << "first: word " << fault.first << " gave " << exponential(fault.first);
}

// ---- Draws ----

constexpr std::size_t kDraws = std::size_t{1} << 22;

// Word `which` of the paths 0, 1, 2, ... of one month and stream.
std::vector<std::uint32_t> draw(std::size_t which) {
  std::vector<std::uint32_t> words(kDraws);
  for (std::size_t path = 0; path < kDraws; ++path) {
    const Philox4 w = philox4x32_10({static_cast<std::uint32_t>(path), 0, 7, 0x9e3779b9u}, 20081, 4);
    words[path] = which == 0 ? w.w0 : which == 1 ? w.w1 : which == 2 ? w.w2 : w.w3;
  }
  return words;
}

class Draws : public testing::TestWithParam<std::size_t> {};

// Means of z, z^2 - 1, z^3 and z^4 - 3 over their standard errors, sqrt of 1, 2, 15 and 96 over N.
TEST_P(Draws, MomentsOfTheNormal) {
  double sum[4] = {};
  for (const std::uint32_t word : draw(GetParam())) {
    const double z = static_cast<double>(normal(word));
    sum[0] += z;
    sum[1] += z * z - 1;
    sum[2] += z * z * z;
    sum[3] += z * z * z * z - 3;
  }
  const double variance[4] = {1, 2, 15, 96};
  for (int k = 0; k < 4; ++k) {
    const double n = static_cast<double>(kDraws);
    EXPECT_LT(std::abs(sum[k]) / std::sqrt(variance[k] * n), kMaxZ)
        << "moment " << k + 1 << " of word " << GetParam();
  }
}

TEST_P(Draws, TailsOfTheNormal) {
  const std::vector<std::uint32_t> words = draw(GetParam());
  for (const float k : {2.0f, 3.0f, 4.0f}) {
    for (const float sign : {-1.0f, 1.0f}) {
      const double count = static_cast<double>(std::count_if(
          words.begin(), words.end(), [&](std::uint32_t word) { return sign * normal(word) > k; }));
      const double p = 0.5 * std::erfc(static_cast<double>(k) * 0.70710678118654752440);
      const double n = static_cast<double>(kDraws);
      EXPECT_LT(std::abs(count - n * p) / std::sqrt(n * p * (1 - p)), kMaxZ)
          << count << " of " << n << " beyond " << sign * k << ", word " << GetParam();
    }
  }
}

// Means of e - 1 and e^2 - 2 over their standard errors: variances 1 and 20.
TEST_P(Draws, MomentsOfTheExponential) {
  double sum[2] = {};
  for (const std::uint32_t word : draw(GetParam())) {
    const double e = static_cast<double>(exponential(word));
    sum[0] += e - 1;
    sum[1] += e * e - 2;
  }
  const double n = static_cast<double>(kDraws);
  EXPECT_LT(std::abs(sum[0]) / std::sqrt(n), kMaxZ) << "word " << GetParam();
  EXPECT_LT(std::abs(sum[1]) / std::sqrt(20 * n), kMaxZ) << "word " << GetParam();
}

// Chi-squared over 1,024 equal cells, as a normal by Wilson and Hilferty's cube root. Both tails: too even is a
// fault too.
TEST_P(Draws, UniformFillsItsCellsEvenly) {
  constexpr std::size_t cells = 1024;
  std::vector<double> count(cells);
  for (const std::uint32_t word : draw(GetParam()))
    ++count[static_cast<std::size_t>(uniform(word) * static_cast<float>(cells))];
  const double expected = static_cast<double>(kDraws) / static_cast<double>(cells);
  double chi_squared = 0;
  for (const double c : count) chi_squared += (c - expected) * (c - expected) / expected;
  const double freedom = static_cast<double>(cells - 1), spread = 2 / (9 * freedom);
  const double z = (std::cbrt(chi_squared / freedom) - (1 - spread)) / std::sqrt(spread);
  EXPECT_LT(std::abs(z), kMaxZ) << "chi squared " << chi_squared << " with " << freedom
                                << " degrees of freedom, word " << GetParam();
}

// Neighbouring paths, and the four words of one draw, are uncorrelated.
TEST_P(Draws, AreUncorrelated) {
  const std::vector<std::uint32_t> a = draw(GetParam()), b = draw((GetParam() + 1) % 4);
  double neighbours = 0, words = 0;
  for (std::size_t i = 0; i < kDraws; ++i) {
    const double z = static_cast<double>(normal(a[i]));
    neighbours += z * static_cast<double>(normal(a[(i + 1) % kDraws]));
    words += z * static_cast<double>(normal(b[i]));
  }
  const double n = static_cast<double>(kDraws);
  EXPECT_LT(std::abs(neighbours) / std::sqrt(n), kMaxZ) << "word " << GetParam();
  EXPECT_LT(std::abs(words) / std::sqrt(n), kMaxZ) << "words " << GetParam() << " and " << (GetParam() + 1) % 4;
}

INSTANTIATE_TEST_SUITE_P(Philox, Draws, testing::Values(0, 1, 2, 3));

}  // namespace
}  // namespace headroom
