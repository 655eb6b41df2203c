// SPDX-License-Identifier: Apache-2.0
// Numbers that follow from a config, in double. The loader rounds them into a Scenario.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "headroom/scenario.hpp"

namespace headroom::derive {

double normal_quantile(double p);  // p in (0, 1)

// One month of dx = reversion (mean - x) dt + volatility dW, exact. With reversion 0 it is a random walk.
double ou_decay_month(double reversion_per_year);
double ou_sd_month(double reversion_per_year, double volatility_per_year);
OuParams ou(double reversion_per_year, double volatility_per_year, double start);

// expm(Q / 12); the rows of Q sum to 0, those of the result to 1.
using Matrix3 = std::array<std::array<double, 3>, 3>;
Matrix3 monthly_transition(const Matrix3& intensity_per_year);

// Points in ascending years: linear between them, flat outside.
struct CurvePoint {
  double years, rate;
};
double forward_rate(const std::vector<CurvePoint>& points, double years);

// Hull and White (1990): E[r(t)] - f(0,t) = sigma^2 (1 - e^{-a t})^2 / (2 a^2).
double hull_white_convexity(double a, double sigma, double years);

// g_inf + (g_0 - g_inf) 2^(-t / halflife)
double fading(double now, double long_run, double halflife_months, double month);

// Log decay of the price from age `from` to age `to`. There is no decay before launch.
struct Ageing {
  double young_per_year, old_per_year, crossing_years;
};
double ageing(const Ageing& rates, double from_years, double to_years);

// P50 and P90 are those of the late part; earliest < p50 < p90. They are of a stage that has `reference_months`
// to go; of another one they are multiplied by (months to go / reference)^power. Reference 0: of every stage.
struct Delay {
  double on_time_share, p50_months, p90_months, earliest_months, systemic_share;
  double reference_months = 0, power = 0;
};
DelayParams delay_params(const Delay& delay, StreamId stream, double months_to_go = 0);
DelayParams no_delay();

// The constant monthly intensity that gives this default probability over a year.
double default_intensity_month(double one_year_default);
// Likewise of each year after the other, from cumulative probabilities within 1, 2, ... years; the last one
// holds from then on.
std::vector<double> default_intensities_month(const std::vector<double>& within_years);

// Lower Cholesky factor of a symmetric matrix; empty if it is not positive semi-definite (beyond rounding).
using Correlation = std::array<std::array<double, kFactorCount>, kFactorCount>;
std::optional<Correlation> cholesky(const Correlation& matrix);
// The nearest correlation matrix in the Frobenius norm with eigenvalues of at least `floor`: alternating
// projections with Dykstra's correction, Higham (2002), "Computing the nearest correlation matrix".
Correlation nearest_correlation(const Correlation& matrix, double floor);

// FNV-1a, with its bits mixed by Murmur3's finaliser, so that names that differ in one letter get distant
// numbers.
StreamId stream_id(std::string_view name);

}  // namespace headroom::derive
