// SPDX-License-Identifier: Apache-2.0
#include "host/config/derive.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <boost/math/special_functions/erf.hpp>
#include <cmath>
#include <unsupported/Eigen/MatrixFunctions>

namespace headroom::derive {

namespace {

using EigenMatrix = Eigen::Matrix<double, kFactorCount, kFactorCount>;

EigenMatrix to_eigen(const Correlation& matrix) {
  EigenMatrix out;
  for (int i = 0; i < kFactorCount; ++i) {
    for (int j = 0; j < kFactorCount; ++j) {
      out(i, j) = matrix[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
    }
  }
  return out;
}

}  // namespace

double normal_quantile(double p) { return std::sqrt(2.0) * boost::math::erf_inv(2.0 * p - 1.0); }

double ou_decay_month(double reversion_per_year) { return std::exp(-reversion_per_year / 12.0); }

double ou_sd_month(double reversion_per_year, double volatility_per_year) {
  const double x = 2.0 * reversion_per_year / 12.0;
  const double shrink = x > 0.0 ? -std::expm1(-x) / x : 1.0;
  return volatility_per_year * std::sqrt(shrink / 12.0);
}

OuParams ou(double reversion_per_year, double volatility_per_year, double start) {
  return {static_cast<Real>(ou_decay_month(reversion_per_year)),
          static_cast<Real>(ou_sd_month(reversion_per_year, volatility_per_year)), static_cast<Real>(start)};
}

Matrix3 monthly_transition(const Matrix3& intensity_per_year) {
  Eigen::Matrix3d q;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      q(i, j) = intensity_per_year[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] / 12.0;
    }
  }
  const Eigen::Matrix3d p = q.exp();
  Matrix3 out{};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) out[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] = p(i, j);
  }
  return out;
}

double forward_rate(const std::vector<CurvePoint>& points, double years) {
  const auto right =
      std::find_if(points.begin(), points.end(), [&](const auto& p) { return p.years >= years; });
  if (right == points.begin()) return right->rate;
  if (right == points.end()) return points.back().rate;
  const CurvePoint left = *(right - 1);
  return left.rate + (right->rate - left.rate) * (years - left.years) / (right->years - left.years);
}

double hull_white_convexity(double a, double sigma, double years) {
  const double duration = a > 0.0 ? -std::expm1(-a * years) / a : years;
  return 0.5 * sigma * sigma * duration * duration;
}

double fading(double now, double long_run, double halflife_months, double month) {
  return long_run + (now - long_run) * std::exp2(-month / halflife_months);
}

double ageing(const Ageing& rates, double from_years, double to_years) {
  const auto decay = [&](double age) {
    const double young = std::clamp(age, 0.0, rates.crossing_years);
    return rates.young_per_year * young + rates.old_per_year * (std::max(age, 0.0) - young);
  };
  return decay(to_years) - decay(from_years);
}

DelayParams delay_params(const Delay& delay, StreamId stream, double months_to_go) {
  if (delay.on_time_share >= 1.0) return no_delay();
  DelayParams params{};
  params.z_on_time =
      delay.on_time_share > 0.0 ? static_cast<Real>(normal_quantile(delay.on_time_share)) : -100.0F;
  params.p_late = static_cast<Real>(1.0 - delay.on_time_share);
  const double p50 = delay.p50_months - delay.earliest_months;
  const double p90 = delay.p90_months - delay.earliest_months;
  params.mu = static_cast<Real>(std::log(p50));
  params.sigma = static_cast<Real>(std::log(p90 / p50) / normal_quantile(0.9));
  params.earliest_months = static_cast<Real>(delay.earliest_months);
  if (delay.reference_months > 0) {
    const double scale = std::pow(std::max(months_to_go, 1e-3) / delay.reference_months, delay.power);
    params.mu = static_cast<Real>(std::log(p50) + std::log(scale));
    params.earliest_months = static_cast<Real>(delay.earliest_months * scale);
  }
  params.systemic = static_cast<Real>(std::sqrt(delay.systemic_share));
  params.own = static_cast<Real>(std::sqrt(1.0 - delay.systemic_share));
  params.stream = stream;
  return params;
}

DelayParams no_delay() {
  DelayParams params{};
  params.z_on_time = 100.0F;
  params.own = 1.0F;
  return params;
}

std::vector<double> default_intensities_month(const std::vector<double>& within_years) {
  std::vector<double> out;
  double before = 0;
  for (const double each : within_years) {
    out.push_back((std::log1p(-before) - std::log1p(-each)) / 12.0);
    before = each;
  }
  return out;
}

double default_intensity_month(double one_year_default) { return -std::log1p(-one_year_default) / 12.0; }

std::optional<Correlation> cholesky(const Correlation& matrix) {
  constexpr double rounding = 1e-9;
  if (Eigen::SelfAdjointEigenSolver<EigenMatrix>(to_eigen(matrix)).eigenvalues().minCoeff() < -rounding) {
    return std::nullopt;
  }
  Correlation lower{};
  for (std::size_t j = 0; j < lower.size(); ++j) {
    double pivot = matrix[j][j];
    for (std::size_t k = 0; k < j; ++k) pivot -= lower[j][k] * lower[j][k];
    if (pivot <= rounding) continue;  // a factor that is determined by those before it
    lower[j][j] = std::sqrt(pivot);
    for (std::size_t i = j + 1; i < lower.size(); ++i) {
      double sum = matrix[i][j];
      for (std::size_t k = 0; k < j; ++k) sum -= lower[i][k] * lower[j][k];
      lower[i][j] = sum / lower[j][j];
    }
  }
  return lower;
}

Correlation nearest_correlation(const Correlation& matrix, double floor) {
  EigenMatrix y = to_eigen(matrix);
  EigenMatrix correction = EigenMatrix::Zero();
  for (int step = 0; step < 10000; ++step) {
    const EigenMatrix before = y;
    const EigenMatrix r = y - correction;
    const Eigen::SelfAdjointEigenSolver<EigenMatrix> solver(r);
    const EigenMatrix x = solver.eigenvectors() * solver.eigenvalues().cwiseMax(floor).asDiagonal() *
                          solver.eigenvectors().transpose();
    correction = x - r;
    y = x;
    y.diagonal().setOnes();
    if ((y - before).norm() < 1e-12) break;
  }
  Correlation out{};
  for (int i = 0; i < kFactorCount; ++i) {
    for (int j = 0; j < kFactorCount; ++j)
      out[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] = y(i, j);
  }
  return out;
}

StreamId stream_id(std::string_view name) {
  std::uint32_t h = 0x811c9dc5U;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x01000193U;
  h = (h ^ (h >> 16U)) * 0x85ebca6bU;
  h = (h ^ (h >> 13U)) * 0xc2b2ae35U;
  return h ^ (h >> 16U);
}

}  // namespace headroom::derive
