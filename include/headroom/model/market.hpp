// SPDX-License-Identifier: Apache-2.0
// Demand, supply, tightness, GPU rental prices, rates, spread, power, churn and the on-demand pool. See
// MODEL.md 3.1, 3.2, 3.4-3.6.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/outcome.hpp"
#include "headroom/philox.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Rounds a floating-point amount to Money. Every amount leaves the floating-point part of the model here.
HEADROOM_HD Money money(Real ledger_units) { return round_to_int(ledger_units); }
HEADROOM_HD std::int32_t fixed(Real x) { return round_to_int(x * kFixedOne); }

HEADROOM_HD Real by_regime(const ByRegime& v, std::int32_t regime) {
  return select(regime == kShortage, v.shortage, select(regime == kBalanced, v.balanced, v.glut));
}

HEADROOM_HD Real ou_step(const OuParams& ou, Real x, Real mean, Real z) {
  return fma(ou.sd_month, z, fma(ou.decay_month, x - mean, mean));
}

// The scenario's switches as masks, made once per call so that no lane branches on them.
struct MarketSwitches {
  Mask factor[kFactorCount];
  Mask regimes, jumps, follow_plan_supply, follow_plan_utilisation;
  Mask tightness_on_plan, short_rate_on_plan, spread_on_plan, power_on_plan;
  HEADROOM_HD explicit MarketSwitches(const Scenario& s)
      : factor{Mask(s.on(kDemand)), Mask(s.on(kDemand)), Mask(s.on(kPriceCycle)), Mask(s.on(kRates)),
               Mask(s.on(kSpread)), Mask(s.on(kChurn)),  Mask(s.on(kPower))},
        regimes(s.on(kRegimes)),
        jumps(s.on(kJumps)),
        follow_plan_supply(!s.on(kSupply) && s.has_plan != 0),
        follow_plan_utilisation(!s.on(kAttrition) && s.has_plan != 0),
        tightness_on_plan(s.on_plan(kTightnessOnPlan)),
        short_rate_on_plan(s.on_plan(kShortRateOnPlan)),
        spread_on_plan(s.on_plan(kSpreadOnPlan)),
        power_on_plan(s.on_plan(kPowerOnPlan)) {}
};

// Correlated shocks of a month, standard normals: z = L e, L lower triangular. A factor on plan is set to 0
// afterwards.
struct Shocks {
  Real z[kFactorCount];
};

HEADROOM_HD Shocks correlated_shocks(const Scenario& s, const MarketSwitches& on, const Philox4& a,
                                     const Philox4& b) {
  const Normal4 first = normals(a), rest = normals(b);  // the fourth word of b draws the regime
  const Real e[kFactorCount] = {first.z0, first.z1, first.z2, first.z3, rest.z0, rest.z1, rest.z2};
  Shocks shocks;
  HEADROOM_UNROLL
  for (int i = 0; i < kFactorCount; ++i) {
    Real z = s.correlation[i][0] * e[0];
    HEADROOM_UNROLL
    for (int j = 1; j <= i; ++j) z = fma(s.correlation[i][j], e[j], z);
    shocks.z[i] = select(on.factor[i], z, 0.0F);
  }
  return shocks;
}

// Lognormal multiplier with mean 1.
HEADROOM_HD Real mean_one(Real sd, Real z) { return exp(fma(sd, z, -0.5F * sd * sd)); }

HEADROOM_HD PathConstants start_constants(const Scenario& s, Mask demand, Mask ageing, Mask systemic,
                                          const Philox4& words) {
  return {.psi_training = select(demand, mean_one(s.demand.uncertainty_training, normal(words.w0)), 1.0F),
          .psi_inference = select(demand, mean_one(s.demand.uncertainty_inference, normal(words.w1)), 1.0F),
          .xi = select(ageing, exp(s.price.ageing_uncertainty * normal(words.w2)), 1.0F),  // median 1
          .systemic = select(systemic, normal(words.w3), 0.0F)};
}

HEADROOM_HD MarketState start_market(const Scenario& s) {
  MarketState m{};
  m.tightness = s.demand.start_tightness;
  m.cycle = s.price.cycle_start;
  m.rate_x = s.rates.short_rate.start;
  m.log_spread = s.rates.spread.start;
  m.churn = s.on_demand.churn.start;
  m.log_power = s.rates.power.start;
  m.utilisation = s.on_demand.start_utilisation;
  m.regime = s.demand.start_regime;
  m.window_open = 1;
  m.spread_multiplier = m.power_multiplier = m.churn_multiplier = 1.0F;
  return m;
}

// The next regime, from one uniform and a row of the monthly matrix expm(Q/12).
HEADROOM_HD std::int32_t next_regime(const DemandParams& d, std::int32_t regime, Real u) {
  const Real to_shortage =
      by_regime({d.stay_or_worse[0][0], d.stay_or_worse[1][0], d.stay_or_worse[2][0]}, regime);
  const Real to_balanced =
      by_regime({d.stay_or_worse[0][1], d.stay_or_worse[1][1], d.stay_or_worse[2][1]}, regime);
  return select(
      u < to_shortage, static_cast<std::int32_t>(kShortage),
      select(u < to_balanced, static_cast<std::int32_t>(kBalanced), static_cast<std::int32_t>(kGlut)));
}

// A jump of log demand: compound Poisson, at most one jump a month. One word decides the occurrence, another
// the size.
HEADROOM_HD Real demand_jump(const DemandParams& d, std::uint32_t occurs, std::uint32_t size) {
  return select(uniform(occurs) < d.jump_probability_month, fma(d.jump_sd_log, normal(size), d.jump_mean_log),
                0.0F);
}

// Demand of one month: MODEL.md 3.1. `jumps`: words for occurrence and size, training first, then inference.
HEADROOM_HD MarketState advance_demand(const Scenario& s, const MarketSwitches& on, const MonthRow& row,
                                       const PathConstants& path, MarketState m, const Shocks& shocks,
                                       std::uint32_t regime_word, const Philox4& jumps) {
  const DemandParams& d = s.demand;
  const std::int32_t planned = select(row.plan_regime >= 0, row.plan_regime, m.regime);
  m.regime = select(on.regimes, next_regime(d, m.regime, uniform(regime_word)), planned);
  const Real shift = by_regime(d.shift_month, m.regime);
  const Real jump_training = select(on.jumps, demand_jump(d, jumps.w0, jumps.w1), 0.0F);
  const Real jump_inference = select(on.jumps, demand_jump(d, jumps.w2, jumps.w3), 0.0F);
  m.log_demand_training += fma(path.psi_training, row.growth_training, shift + d.drift_training_month) +
                           d.sigma_training_month * shocks.z[kDemandTraining] + jump_training;
  m.log_demand_inference += fma(path.psi_inference, row.growth_inference, shift + d.drift_inference_month) +
                            d.sigma_inference_month * shocks.z[kDemandInference] + jump_inference;
  return m;
}

// Industry supply follows last month's tightness with a lag; then this month's tightness is computed.
HEADROOM_HD MarketState advance_supply(const Scenario& s, const MarketSwitches& on, const MonthRow& row,
                                       const PlanMonth& plan, MarketState m) {
  const DemandParams& d = s.demand;
  m.supply_gap = fma(fma(d.supply_response, m.tightness, -m.supply_gap), d.supply_lag_month, m.supply_gap);
  m.log_supply += fma(m.supply_gap, 1.0F / 12.0F, row.supply_growth);
  m.log_supply = select(on.follow_plan_supply, plan.log_supply, m.log_supply);
  const Real demand = fma(d.training_share, exp(m.log_demand_training),
                          (1.0F - d.training_share) * exp(m.log_demand_inference));
  m.tightness = select(on.tightness_on_plan, plan.tightness, d.start_tightness + log(demand) - m.log_supply);
  return m;
}

// Ornstein-Uhlenbeck step around eta q plus the regime's own drift, exact discretisation: MODEL.md 3.2.
HEADROOM_HD Real advance_cycle(const PriceParams& p, const MarketState& m, Real z) {
  const Real mean = fma(p.tightness_pull, m.tightness, by_regime(p.cycle_mean_add, m.regime));
  return fma(by_regime(p.cycle_sd_month, m.regime), z, fma(p.cycle_decay, m.cycle - mean, mean));
}

// Rates, spread, power, churn and the pool: MODEL.md 3.4-3.6.
HEADROOM_HD MarketState advance_rates(const Scenario& s, const MarketSwitches& on, const MonthRow& row,
                                      const PlanMonth& plan, MarketState m, const Shocks& shocks) {
  m.rate_x = ou_step(s.rates.short_rate, m.rate_x, 0.0F, shocks.z[kRate]);
  m.short_rate = select(on.short_rate_on_plan, plan.short_rate, row.rate_base + m.rate_x);
  m.log_spread = ou_step(s.rates.spread, m.log_spread, s.rates.spread_glut_pull * max(-m.tightness, 0.0F),
                         shocks.z[kSpreadFactor]);
  m.log_power = ou_step(s.rates.power, m.log_power, 0.0F, shocks.z[kPowerFactor]);
  m.churn = ou_step(s.on_demand.churn, m.churn, 0.0F, shocks.z[kChurnFactor]);
  m.spread_multiplier = select(on.spread_on_plan, plan.spread_multiplier, exp(m.log_spread));
  m.power_multiplier = select(on.power_on_plan, plan.power_multiplier, exp(m.log_power));
  m.churn_multiplier = exp(m.churn);
  const OnDemandParams& o = s.on_demand;
  const Real kept = m.utilisation * (1.0F - min(o.attrition_month * m.churn_multiplier, 1.0F));
  const Real bookings = o.bookings_max * logistic(fma(o.bookings_beta_q, m.tightness, o.bookings_alpha));
  m.utilisation = kept + min(bookings, 1.0F - kept);
  m.utilisation = select(on.follow_plan_utilisation, plan.utilisation, m.utilisation);
  m.usage = logistic(fma(o.usage_beta_q, m.tightness, o.usage_alpha));
  return m;
}

// The share of a launch's price effect reached so far, 0..1.
HEADROOM_HD Real launch_progress(const Launch& launch, Real launch_month, Real month) {
  return clamp((month - launch_month) / launch.ramp_months, 0.0F, 1.0F);
}

}  // namespace headroom
