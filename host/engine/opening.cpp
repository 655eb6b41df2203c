// SPDX-License-Identifier: Apache-2.0
#include "host/engine/opening.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "headroom/math.hpp"
#include "headroom/model/site.hpp"

namespace headroom {

namespace {

constexpr std::size_t kPoints = 2048;
constexpr std::size_t kDraws = kStageCount + 2;  // the systemic one, each stage's own, the commissioning's

using Normals = std::array<Real, kDraws>;

// Normals of points of the unit cube: the i-th is the fraction of 1/2 + i (g, g^2, ...), 1/g the root of
// x^(d+1) = x + 1.
const std::vector<Normals>& points() {
  static const std::vector<Normals> made = [] {
    double root = 1.5;
    for (int step = 0; step < 60; ++step) root = std::pow(1 + root, 1.0 / (kDraws + 1));
    std::vector<Normals> out(kPoints);
    for (std::size_t i = 0; i < kPoints; ++i) {
      double each = 1;
      for (Real& z : out[i]) {
        each /= root;
        const double x = 0.5 + static_cast<double>(i + 1) * each;
        z = normal_quantile(std::clamp(static_cast<Real>(x - std::floor(x)), 1e-6F, 1.0F - 1e-6F));
      }
    }
    return out;
  }();
  return made;
}

Real delay_of(const DelayParams& d, Real systemic, Real own) {
  const Real y = fma(d.systemic, systemic, d.own * own);
  return y <= d.z_on_time ? 0.0F : delay_months(d, y);
}

// `z`: a normal for each draw.
Opening opening_of(const Site& site, const Normals& z) {
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

// Everything that opening_of() reads of a site.
std::vector<Real> law_of(const Site& site) {
  std::vector<Real> law{site.delivery_month, site.commissioning_months};
  const auto add = [&](const DelayParams& d) {
    law.insert(law.end(), {d.mu, d.sigma, d.z_on_time, d.p_late, d.earliest_months, d.systemic, d.own});
  };
  for (std::size_t k = 0; k < kStageCount; ++k) {
    law.insert(law.end(), {static_cast<Real>(site.has_stage[k]), site.stage_month[k]});
    add(site.stage_delay[k]);
  }
  add(site.commissioning_delay);
  return law;
}

struct Openings {
  std::vector<Real> ready{}, delivery{};  // both sorted
};

// The points of a study and a plan's cases ask for the same sites again and again.
Openings openings_of(const Site& site) {
  constexpr std::size_t kKept = 512;  // 8 MB
  static std::mutex mutex;
  static std::map<std::vector<Real>, Openings> known;
  const std::vector<Real> law = law_of(site);
  {
    const std::scoped_lock lock(mutex);
    if (const auto found = known.find(law); found != known.end()) return found->second;
  }
  Openings made{std::vector<Real>(kPoints), std::vector<Real>(kPoints)};
  for (std::size_t i = 0; i < kPoints; ++i) {
    const Opening each = opening_of(site, points()[i]);
    made.ready[i] = each.ready, made.delivery[i] = each.delivery;
  }
  std::sort(made.ready.begin(), made.ready.end());
  std::sort(made.delivery.begin(), made.delivery.end());
  const std::scoped_lock lock(mutex);
  if (known.size() >= kKept) known.clear();
  return known.emplace(law, std::move(made)).first->second;
}

}  // namespace

Opening median_opening(const Site& site) { return opening_of(site, {}); }

Opening opening_at(const Site& site, double q) {
  const Openings openings = openings_of(site);
  const auto at = static_cast<std::size_t>(q * static_cast<double>(kPoints));
  return {openings.ready[at], openings.delivery[at]};
}

}  // namespace headroom
