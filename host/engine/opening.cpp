// SPDX-License-Identifier: Apache-2.0
#include "host/engine/opening.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "headroom/math.hpp"
#include "headroom/model/site.hpp"

namespace headroom {

namespace {

constexpr std::size_t kPoints = 2048;
constexpr std::size_t kDraws = kStageCount + 2;  // the systemic one, each stage's own, the commissioning's

// Points of the unit cube: the i-th is the fraction of 1/2 + i (g, g^2, ...), 1/g the root of x^(d+1) = x + 1.
class Sequence {
 public:
  Sequence() {
    double root = 1.5;
    for (int step = 0; step < 60; ++step) root = std::pow(1 + root, 1.0 / (kDraws + 1));
    double each = 1;
    for (double& step : step_) step = each /= root;
  }
  // A normal for each draw.
  std::array<Real, kDraws> normals(std::size_t i) const {
    std::array<Real, kDraws> out{};
    for (std::size_t k = 0; k < kDraws; ++k) {
      const double x = 0.5 + static_cast<double>(i + 1) * step_[k];
      out[k] = normal_quantile(std::clamp(static_cast<Real>(x - std::floor(x)), 1e-6F, 1.0F - 1e-6F));
    }
    return out;
  }

 private:
  std::array<double, kDraws> step_{};
};

Real delay_of(const DelayParams& d, Real systemic, Real own) {
  return delay_months(d, fma(d.systemic, systemic, d.own * own));
}

Real quantile_of(std::vector<Real>& values, double q) {
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size()));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

// `z`: a normal for each draw.
Opening opening_of(const Site& site, const std::array<Real, kDraws>& z) {
  Opening opening{.ready = 0.0F, .delivery = site.delivery_month};
  for (std::size_t k = 0; k < kStageCount; ++k) {
    if (site.has_stage[k] == 0) continue;
    const Real done = site.stage_month[k] + delay_of(site.stage_delay[k], z[0], z[k + 1]);
    opening.ready = max(opening.ready, done);
    if (k == kGpus) opening.delivery = done;
  }
  opening.ready += site.commissioning_months + delay_of(site.commissioning_delay, z[0], z[kDraws - 1]);
  return opening;
}

}  // namespace

Opening median_opening(const Site& site) { return opening_of(site, {}); }

Opening opening_at(const Site& site, double q) {
  const Sequence sequence;
  std::vector<Real> ready(kPoints), delivery(kPoints);
  for (std::size_t i = 0; i < kPoints; ++i) {
    const Opening each = opening_of(site, sequence.normals(i));
    ready[i] = each.ready, delivery[i] = each.delivery;
  }
  return {quantile_of(ready, q), quantile_of(delivery, q)};
}

}  // namespace headroom
