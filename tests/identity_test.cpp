// SPDX-License-Identifier: Apache-2.0
// The books balance: no identity is violated on the three companies, nor on some hundred others made from
// them at random. Each flag is raised where something is wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "host/engine/engine.hpp"
#include "host/plan/make_plan.hpp"
#include "small_company.hpp"
#include "tests/analyse.hpp"

namespace headroom {
namespace {

std::string flags_text(std::int32_t flags) {
  constexpr const char* names[] = {"cash", "debt", "deferred", "PP&E", "balance", "not finite", "out of range"};
  std::string text;
  for (std::size_t i = 0; i < std::size(names); ++i) {
    if ((flags >> i & 1) == 0) continue;
    if (!text.empty()) text += ", ";
    text += names[i];
  }
  return text.empty() ? "none" : text;
}

struct Violations {
  std::int32_t flags = 0;
  std::uint64_t paths = 0, first = 0;
  std::string text() const {
    return std::to_string(paths) + " paths, the first " + std::to_string(first) + ": " + flags_text(flags);
  }
};

Violations violations_of(const Scenario& s, const PathRange& paths) {
  const std::vector<std::int32_t> flags = read_column(run_paths(s, paths), kViolations);
  Violations all;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    if (flags[i] != 0 && all.paths++ == 0) all.first = paths.first + i;
    all.flags |= flags[i];
  }
  return all;
}

ScenarioData load_with_plan(const std::string& file, std::optional<int> months = {}) {
  ScenarioData data = load_company({.file = configs_dir + file}, months).data;
  make_plan(data);
  return data;
}

TEST(Identities, HoldOnTheCompanies) {
  for (const char* file : config_files) {
    const ScenarioData data = load_with_plan(file);
    for (const std::uint64_t seed : {1ULL, 20260331ULL, 0xfedcba9876543210ULL}) {
      const Violations found = violations_of(data.view(), {seed, 0, 20'000});
      EXPECT_EQ(found.paths, 0U) << file << ", seed " << seed << ": " << found.text();
    }
  }
}

// ---- Companies made at random. ----

class Mutator {
 public:
  Mutator(ScenarioData& data, std::uint32_t seed) : data_(data), random_(seed) {}

  void mutate() {
    data_.parameters.switches =
        chance(0.3) ? kAllSwitches : static_cast<std::uint32_t>(random_()) & kAllSwitches;
    market();
    for (Site& each : data_.site) site(each);
    for (Customer& each : data_.customer) {
      scale(each.default_intensity_month, 30.0F);
      share(each.recovery_share);
      if (chance(0.3)) each.recovery_months = whole(1, 60);
    }
    for (Contract& each : data_.contract) contract(each);
    for (Tranche& each : data_.tranche) tranche(each);
    for (Entity& each : data_.entity) entity(each);
    for (CovenantTest& each : data_.covenant_test) {
      if (chance(0.2)) each.tested = whole(0, 1);
      scale(each.threshold, 2.0F);
    }
    if (chance(0.5)) {
      data_.dated_flow.push_back({whole(0, static_cast<std::int32_t>(data_.entity.size()) - 1),
                                  whole(1, data_.parameters.months), whole(0, 100'000), real(0.0F, 10.0F)});
    }
  }

 private:
  bool chance(double p) { return std::uniform_real_distribution<double>(0.0, 1.0)(random_) < p; }
  Real real(Real lo, Real hi) { return std::uniform_real_distribution<Real>(lo, hi)(random_); }
  std::int32_t whole(std::int32_t lo, std::int32_t hi) {
    return std::uniform_int_distribution<std::int32_t>(lo, hi)(random_);
  }
  // A quarter of the figures changes, by a factor of up to `most` either way.
  void scale(Real& x, Real most = 3.0F) {
    if (chance(0.25)) x *= std::exp(real(-1.0F, 1.0F) * std::log(most));
  }
  void scale(Money& x, Real most = 3.0F) {
    auto y = static_cast<Real>(x);
    scale(y, most);
    x = static_cast<Money>(y);
  }
  void share(Real& x) {
    if (chance(0.25)) x = chance(0.2) ? static_cast<Real>(whole(0, 1)) : real(0.0F, 1.0F);
  }
  void shift(Real& month, Real by) {
    if (chance(0.25) && month < kNeverReal) month += chance(0.5) ? real(-by, by) : std::round(real(-by, by));
  }
  void flag(std::int32_t& x) {
    if (chance(0.1)) x = 1 - x;
  }

  void market() {
    Scenario& p = data_.parameters;
    scale(p.demand.sigma_training_month), scale(p.demand.sigma_inference_month);
    scale(p.demand.uncertainty_training), scale(p.demand.uncertainty_inference);
    scale(p.demand.jump_probability_month), scale(p.demand.jump_sd_log), scale(p.demand.supply_response);
    scale(p.price.ageing_uncertainty), scale(p.price.tightness_pull);
    scale(p.rates.short_rate.sd_month), scale(p.rates.spread.sd_month), scale(p.rates.power.sd_month);
    scale(p.on_demand.churn.sd_month), scale(p.on_demand.premium, 1.5F);
    if (chance(0.3)) p.demand.start_regime = whole(0, 2);
    share(p.rates.window_open.shortage), share(p.rates.window_open.balanced), share(p.rates.window_open.glut);
    share(p.on_demand.start_utilisation), share(p.on_demand.attrition_month), share(p.on_demand.bookings_max);
    share(p.on_demand.backstop_share), share(p.on_demand.channel_discount);
    share(p.on_demand.platform_share_start), share(p.on_demand.platform_share_end);
    share(p.on_demand.platform_cost_ratio);
    for (GpuType& each : data_.gpu_type) each.log_price_start += chance(0.25) ? real(-0.7F, 0.7F) : 0.0F;
    for (Launch& each : data_.launch) shift(each.planned_month, 12.0F), delay(each.delay);
  }
  void delay(DelayParams& d) {
    scale(d.sigma, 2.0F);
    if (chance(0.25)) d.mu += real(-1.0F, 1.5F);
    if (chance(0.1)) d.earliest_months = real(-3.0F, 1.0F);
  }
  void site(Site& s) {
    scale(s.gpus, 1.5F), scale(s.ramp_months), scale(s.life_months);
    scale(s.lease_month), scale(s.staff_month), scale(s.prelaunch_month), scale(s.facility_month);
    scale(s.power_fixed_month), scale(s.power_floating_month), scale(s.maintenance_share_month);
    share(s.power_idle_share), share(s.residual_share), share(s.sunk_share);
    shift(s.lease_start_month, 6.0F), shift(s.prelaunch_start_month, 6.0F);
    if (s.running != 0) return;
    for (std::int32_t k = 0; k < kStageCount; ++k) shift(s.stage_month[k], 6.0F), delay(s.stage_delay[k]);
    delay(s.commissioning_delay);
    shift(s.planned_ready_month, 6.0F), shift(s.order_month, 4.0F), shift(s.cancel_month, 6.0F);
    shift(s.delivery_month, 4.0F), scale(s.commissioning_months);
    share(s.cancel_probability), share(s.tail_probability), share(s.overrun_systemic), scale(s.overrun_sigma);
    flag(s.discretionary);
    scale(s.capex, 2.0F);
    s.capex_paid = std::min(s.capex_paid, s.capex);
    if (chance(0.3)) s.order_share = real(0.0F, 1.0F), s.delivery_share = real(0.0F, 1.0F - s.order_share);
    if (chance(0.2)) s.tranche = whole(-1, static_cast<std::int32_t>(data_.tranche.size()) - 1);
  }
  void contract(Contract& c) {
    scale(c.gpus, 1.5F), scale(c.price_usd_per_gpu_hour, 2.0F), share(c.take_or_pay), share(c.availability);
    scale(c.prepayment), scale(c.opening_unearned), scale(c.credit_window_months);
    if (chance(0.2) && c.prepayment > 0) c.prepayment_month = chance(0.5) ? -1 : whole(1, 24);
    shift(c.end_month, 12.0F), scale(c.term_months);
    if (c.running == 0) shift(c.start_month, 6.0F);
    scale(c.grace_months), share(c.damages_share), scale(c.damages_cap), scale(c.long_stop_months, 5.0F);
    share(c.termination_probability), scale(c.step_down_hazard_month, 5.0F), share(c.step_down_pass);
    if (chance(0.2)) c.step_down_hazard_month = real(0.0F, 0.5F);
    if (chance(0.2)) c.renewal_term_months = real(0.0F, 36.0F);
    scale(c.renewal_alpha), scale(c.option_alpha);
    if (c.running == 0 && chance(0.2)) c.option = 1, c.option_month = real(0.0F, 24.0F);
    if (chance(0.1)) c.order_head = whole(0, static_cast<std::int32_t>(data_.contract.size()) - 1);
  }
  void tranche(Tranche& t) {
    scale(t.balance, 2.0F), scale(t.commitment, 2.0F);
    scale(t.fixed_rate), scale(t.spread), share(t.hedged_share), scale(t.commitment_fee),
        scale(t.upfront_fee_share);
    share(t.advance_rate), shift(t.draw_start_month, 6.0F), shift(t.draw_end_month, 12.0F),
        flag(t.needs_window);
    if (chance(0.25)) t.maturity = whole(1, data_.parameters.months + 12);
    if (chance(0.25))
      t.amortisation_start = whole(1, 40), t.amortisation_end = t.amortisation_start + whole(0, 40);
    t.amortisation_end = std::min(t.amortisation_end, t.maturity);
    if (chance(0.1) && t.issue_month == kNever && t.kind != TrancheKind::revolver) {
      t.commitment = whole(1, 100'000), t.issue_month = whole(1, t.maturity), t.draw_start_month = 0.0F;
    }
    if (chance(0.3))
      t.refinanceable = 1, t.refinance_months = whole(1, 60), t.refinance_spread = real(0.0F, 0.1F);
    if (t.kind == TrancheKind::convertible) scale(t.conversion_price_usd, 5.0F);
    flag(t.lease);
  }
  void entity(Entity& e) {
    scale(e.cash, 10.0F), scale(e.min_cash), scale(e.receivables), scale(e.payables_opex), scale(e.opening_ppe);
    scale(e.opening_ppe_life_months), scale(e.tax_losses), scale(e.receivable_months), scale(e.sga_fixed_month);
    share(e.tax_rate), share(e.loss_use_share), share(e.cash_yield_share), scale(e.stock_compensation_month);
    scale(e.ev_to_ebitda), scale(e.shares_million), scale(e.issue_floor_price_usd, 10.0F);
    scale(e.issue_max_quarter), scale(e.refinance_leverage_limit), scale(e.policy_liquidity, 10.0F);
    if (chance(0.3)) e.issue_max_quarter = whole(0, 500'000);
    if (chance(0.1)) e.revolver = -1;
  }

  ScenarioData& data_;
  std::mt19937 random_;
};

TEST(Identities, HoldOnCompaniesMadeAtRandom) {
  constexpr std::uint32_t kEach = 150;
  constexpr std::uint64_t kPaths = 128;
  for (const char* file : config_files) {
    const ScenarioData original = load_with_plan(file, 36);
    std::uint64_t defaulted = 0, breached = 0, defaulted_paths = 0;
    for (std::uint32_t seed = 1; seed <= kEach; ++seed) {
      ScenarioData data = original;
      Mutator(data, seed).mutate();
      make_plan(data);
      const Outcomes outcomes = run_paths(data.view(), {seed, 0, kPaths});
      const std::vector<std::int32_t> flags = read_column(outcomes, kViolations);
      const auto bad = std::find_if(flags.begin(), flags.end(), [](std::int32_t x) { return x != 0; });
      EXPECT_EQ(bad, flags.end()) << file << ", mutation and seed " << seed << ", path " << bad - flags.begin()
                                  << ": " << flags_text(*bad) << "; switches " << data.parameters.switches;
      const std::uint64_t defaults =
          count_at_most(*outcomes.columns, kLiquidityDefaultMonth, data.parameters.months);
      defaulted += defaults > 0 ? 1 : 0;
      defaulted_paths += defaults;
      breached += count_at_most(*outcomes.columns, outcomes.layout.first_breach(0), data.parameters.months) > 0;
    }
    // The mutations must reach the corners of the books, but not all of them may end there.
    EXPECT_GT(defaulted, kEach / 10) << file;
    EXPECT_LT(defaulted_paths, kEach * kPaths) << file;
    EXPECT_GT(breached, kEach / 10) << file;
  }
}

// ---- Each flag fires. ----

ScenarioData company_with_contract(std::int32_t months = 6) {
  ScenarioData data = still_company(months);
  data.entity[0].cash = 10'000;
  data.entity[0].shares_million = 1.0F;
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  data.contract = {running_contract(0, 100, 2.0, 100)};
  return data;
}

std::int32_t flags_of(ScenarioData data) {
  make_plan(data);
  return violations_of(data.view(), {1, 0, 3}).flags;
}

TEST(IdentityFlags, NoneOnASoundCompany) { EXPECT_EQ(flags_of(company_with_contract()), 0); }

TEST(IdentityFlags, AnAmountBeyondTheLedger) {
  // Assets are cash and other net assets; 146 a month are added.
  for (const std::int32_t short_of : {5 * 146, 7 * 146}) {
    ScenarioData data = company_with_contract();
    data.entity[0].cash = kFixedMax - short_of;
    EXPECT_EQ(flags_of(data), short_of < 6 * 146 ? kOutOfRange : 0)
        << short_of << " short of 2^30 at the start";
  }
  ScenarioData data = company_with_contract();
  data.contract[0].end_month = data.contract[0].term_months = 8e6F;
  EXPECT_EQ(flags_of(data), kOutOfRange) << "backlog of 8 million months";
}

// Inflows leave again, so balances stay small; the sum of a year does not.
TEST(IdentityFlags, ASumBeyondTheLedger) {
  for (const std::int32_t monthly : {80'000'000, 180'000'000}) {
    ScenarioData data = company_with_contract(9);
    data.contract[0].end_month = data.contract[0].term_months = 9.0F;
    data.contract[0].price_usd_per_gpu_hour = static_cast<Real>(monthly / 73.05);
    data.entity[0].sga_fixed_month = static_cast<Real>(monthly);
    data.entity[0].cash = 1'000'000;
    EXPECT_EQ(flags_of(data), monthly > 100'000'000 ? kOutOfRange : 0) << monthly << " a month";
  }
}

TEST(IdentityFlags, AMarketThatIsNoNumber) {
  struct Case {
    const char* name;
    std::function<Real&(ScenarioData&)> parameter;
  };
  const Case cases[] = {
      {"growth", [](ScenarioData& d) -> Real& { return d.month[0].growth_training; }},
      {"supply growth", [](ScenarioData& d) -> Real& { return d.month[0].supply_growth; }},
      {"forward rate", [](ScenarioData& d) -> Real& { return d.month[0].rate_base; }},
      {"training share", [](ScenarioData& d) -> Real& { return d.parameters.demand.training_share; }},
      {"start tightness", [](ScenarioData& d) -> Real& { return d.parameters.demand.start_tightness; }},
      {"demand drift", [](ScenarioData& d) -> Real& { return d.parameters.demand.drift_inference_month; }},
      {"supply lag", [](ScenarioData& d) -> Real& { return d.parameters.demand.supply_lag_month; }},
      {"tightness pull", [](ScenarioData& d) -> Real& { return d.parameters.price.tightness_pull; }},
      {"price reversion", [](ScenarioData& d) -> Real& { return d.parameters.price.cycle_decay; }},
      {"price volatility", [](ScenarioData& d) -> Real& { return d.parameters.price.cycle_sd_month.balanced; }},
      {"rate reversion", [](ScenarioData& d) -> Real& { return d.parameters.rates.short_rate.decay_month; }},
      {"spread start", [](ScenarioData& d) -> Real& { return d.parameters.rates.spread.start; }},
      {"power volatility", [](ScenarioData& d) -> Real& { return d.parameters.rates.power.sd_month; }},
      {"churn volatility", [](ScenarioData& d) -> Real& { return d.parameters.on_demand.churn.sd_month; }},
      {"correlation", [](ScenarioData& d) -> Real& { return d.parameters.correlation[2][1]; }},
  };
  for (const Case& each : cases) {
    for (const Real bad : {std::numeric_limits<Real>::quiet_NaN(), std::numeric_limits<Real>::infinity()}) {
      // One month with nothing sold: a NaN amount becomes the least ledger amount, and then no sum of two
      // amounts fits.
      ScenarioData data = company_with_contract(1);
      data.site.clear();
      data.contract.clear();
      data.parameters.switches = kAllSwitches;
      each.parameter(data) = bad;
      EXPECT_NE(flags_of(data) & kNotFinite, 0) << each.name << " = " << bad;
    }
  }
}

// Two entities share books by mistake: one has the other's tranche as its revolver.
TEST(IdentityFlags, DebtThatIsNotThatOfItsTranches) {
  ScenarioData data = company_with_contract();
  data.entity.push_back(data.entity[0]);
  data.entity[0].parent = 1;
  data.history.resize(24);
  Tranche revolver = tranche_of(TrancheKind::revolver, 0);
  revolver.commitment = 50'000;
  data.tranche = {revolver};
  data.entity[1].revolver = 0;
  data.entity[1].min_cash = 60'000;
  data.tranche[0].entity = 1;
  EXPECT_EQ(flags_of(data), 0) << "its own";
  data.tranche[0].entity = 0;
  EXPECT_NE(flags_of(data) & kDebtIdentity, 0) << "the other's";
}

}  // namespace
}  // namespace headroom
