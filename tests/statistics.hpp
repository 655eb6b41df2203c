// SPDX-License-Identifier: Apache-2.0
// Comparisons with closed forms: random results must lie within so many standard errors.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

namespace headroom {

inline constexpr std::uint64_t kSeed = 20260331;

// The probability that a right model fails a single comparison by chance; the seeds are fixed.
inline constexpr double kFalseAlarm = 1e-6;

// Standard errors that a two-sided comparison allows: 4.89.
inline double allowed_errors() {
  static const double k = boost::math::quantile(complement(boost::math::normal(), kFalseAlarm / 2));
  return k;
}

inline double normal_distribution(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

inline void expect_within(const std::string& what, double value, double expected, double standard_error) {
  EXPECT_LE(std::abs(value - expected), allowed_errors() * standard_error)
      << fmt::format("{}: {:.9g}, expected {:.9g}, off by {:.2f} standard errors of {:.3g}", what, value,
                     expected, (value - expected) / standard_error, standard_error);
}

// Values of one quantity over paths.
struct Sample {
  std::vector<double> x{};

  void add(double value) { x.push_back(value); }
  double n() const { return static_cast<double>(x.size()); }
  double mean() const { return std::accumulate(x.begin(), x.end(), 0.0) / n(); }
  // Mean square about a known centre.
  double spread(double centre) const {
    double sum = 0;
    for (const double each : x) sum += (each - centre) * (each - centre);
    return sum / n();
  }
};

inline void expect_mean(const std::string& what, const Sample& sample, double mean, double sd) {
  expect_within("mean of " + what, sample.mean(), mean, sd / std::sqrt(sample.n()));
}

// Mean and variance of a normal quantity: the variance of (x - mean)^2 is 2 sd^4.
inline void expect_normal(const std::string& what, const Sample& sample, double mean, double sd) {
  expect_mean(what, sample, mean, sd);
  expect_within("variance of " + what, sample.spread(mean), sd * sd, sd * sd * std::sqrt(2.0 / sample.n()));
}

inline void expect_share(const std::string& what, double count, double n, double p) {
  expect_within("share of " + what, count / n, p, std::sqrt(p * (1 - p) / n));
}

// Integral of f against the standard normal density: trapezoids over +-9, whose error is far under a float's.
inline double normal_mean(auto&& f) {
  constexpr int steps = 1800;
  constexpr double width = 0.01;
  double sum = 0;
  for (int i = -steps / 2; i <= steps / 2; ++i) sum += f(i * width) * std::exp(-0.5 * i * width * i * width);
  return sum * width / std::sqrt(2 * std::numbers::pi);
}

}  // namespace headroom
