// SPDX-License-Identifier: Apache-2.0
// Small companies made in code, in a market that does not move. Tests add the objects that they are about.
// Also runs of a scenario that several suites need.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/model/metrics.hpp"
#include "host/config/company.hpp"
#include "host/config/derive.hpp"
#include "host/engine/engine.hpp"

namespace headroom {

inline const std::string configs_dir = std::string(HEADROOM_SOURCE_DIR) + "/configs/";
inline constexpr std::array<const char*, 4> config_files = {"demo.toml", "coreweave-1q26.toml",
                                                            "nebius-1q26.toml", "lakeside-template.toml"};

// ---- Parts of a company. Money in thousands of USD. ----

inline constexpr double kSmallPrice = 2.0;  // market price of the only GPU type, USD per GPU-hour

// As of 31 March. One entity without costs, taxes, debt or GPUs. No switch is on except those of decisions.
inline ScenarioData still_company(std::int32_t months) {
  ScenarioData data;
  Scenario& p = data.parameters;
  p.months = months;
  p.ledger_usd = 1000.0F;
  p.switches = kDecisions;
  for (int i = 0; i < kFactorCount; ++i) p.correlation[i][i] = 1.0F;
  p.demand.training_share = 0.5F;
  p.demand.start_regime = kBalanced;
  p.demand.stay_or_worse[kShortage][0] = p.demand.stay_or_worse[kShortage][1] = 1.0F;
  p.demand.stay_or_worse[kBalanced][1] = 1.0F;
  p.price.cycle_decay = 0.9F;
  p.rates.short_rate.decay_month = p.rates.spread.decay_month = p.rates.power.decay_month = 0.9F;
  p.rates.window_open = {1.0F, 1.0F, 1.0F};
  p.on_demand.churn.decay_month = 0.9F;
  p.on_demand.premium = 1.0F;
  p.on_demand.platform_ramp_months = 1.0F;
  p.on_demand.platform_price_multiple = 1.0F;
  const char* streams[] = {"market/a", "market/b", "market/c", "market/window"};
  for (std::size_t i = 0; i < 4; ++i) p.market_stream[i] = derive::stream_id(streams[i]);
  p.path_stream = derive::stream_id("path/parameters");
  for (std::int32_t t = 1; t <= months; ++t) {
    MonthRow row{};
    row.quarter_end = t % 3 == 0 ? 1 : 0;
    row.year_end = t % 12 == 9 ? 1 : 0;
    row.year = (t + 2) / 12;
    row.quarter = (t - 1) / 3;
    data.month.push_back(row);
  }
  data.gpu_type.push_back({static_cast<Real>(std::log(kSmallPrice)), 0.1F, 0});
  data.ageing.assign(static_cast<std::size_t>(months), 0.0F);
  Entity e{};
  e.parent = -1;
  e.opening_ppe_life_months = 60.0F;
  e.revolver = -1;
  e.ev_to_ebitda = 10.0F;
  e.shares_million = 100.0F;
  e.issue_floor_price_usd = kNeverReal;
  e.refinance_leverage_limit = 6.0F;
  data.entity.push_back(e);
  data.history.assign(12, HistoryMonth{});
  return data;
}

// The short rate of one month, the same in all months.
inline void set_short_rate(ScenarioData& data, double rate) {
  for (MonthRow& row : data.month) row.rate_base = static_cast<Real>(rate);
}

inline Site site_of(double gpus, std::string_view id) {
  Site s{};
  s.gpus = static_cast<Real>(gpus);
  for (DelayParams& each : s.stage_delay) each = derive::no_delay();
  s.commissioning_delay = derive::no_delay();
  s.ramp_months = 1.0F;
  s.cancel_month = kNeverReal;
  s.overrun_own = 1.0F;
  s.tranche = -1;
  s.life_months = 60.0F;
  s.cancel_stream = derive::stream_id("site/" + std::string(id) + "/permit");
  s.cost_stream = derive::stream_id("site/" + std::string(id) + "/cost");
  return s;
}

inline Site running_site(double gpus, std::string_view id = "old") {
  Site s = site_of(gpus, id);
  s.running = 1;
  s.planned_ready_month = s.order_month = s.delivery_month = -24.0F;
  s.lease_start_month = s.prelaunch_start_month = -24.0F;
  s.gpu_value_share = 1.0F;
  return s;
}

// A site whose only stage is the GPUs, delivered and opened in month `ready`; ordered before as_of, with
// nothing to pay.
inline Site new_site(double gpus, double ready, std::string_view id = "new") {
  Site s = site_of(gpus, id);
  s.has_stage[kGpus] = 1;
  s.stage_month[kGpus] = s.planned_ready_month = s.delivery_month = static_cast<Real>(ready);
  s.order_month = -3.0F;
  s.lease_start_month = s.prelaunch_start_month = static_cast<Real>(ready);
  return s;
}

inline Customer customer_of(std::string_view id) {
  Customer c{};
  c.recovery_months = 12;
  c.stream = derive::stream_id("customer/" + std::string(id) + "/default");
  return c;
}

// A contract of customer 0: take-or-pay in full, never late, no renewal.
inline Contract contract_of(std::int32_t site, double gpus, double price, std::string_view id) {
  Contract c{};
  c.site = site;
  c.gpus = static_cast<Real>(gpus);
  c.price_usd_per_gpu_hour = static_cast<Real>(price);
  c.take_or_pay = c.availability = 1.0F;
  c.end_month = kNeverReal;
  c.prepayment_month = kNever;
  c.credit_window_months = 1.0F;
  c.long_stop_months = kNeverReal;
  c.order_head = -1;
  c.stream = derive::stream_id("contract/" + std::string(id) + "/draws");
  return c;
}

inline Contract running_contract(std::int32_t site, double gpus, double price, double end,
                                 std::string_view id = "old") {
  Contract c = contract_of(site, gpus, price, id);
  c.running = c.fixed_term = 1;
  c.start_month = -12.0F;
  c.end_month = static_cast<Real>(end);
  c.term_months = static_cast<Real>(end + 12.0);
  return c;
}

inline Contract new_contract(std::int32_t site, double gpus, double price, double start, double term,
                             std::string_view id = "new") {
  Contract c = contract_of(site, gpus, price, id);
  c.start_month = static_cast<Real>(start);
  c.term_months = static_cast<Real>(term);
  return c;
}

// A tranche that is drawn in full: a bullet beyond the horizon, without interest.
inline Tranche tranche_of(TrancheKind kind, Money balance) {
  Tranche t{};
  t.kind = kind;
  t.balance = balance;
  t.draw_start_month = t.draw_end_month = kNeverReal;
  t.issue_month = kNever;
  t.amortisation_start = t.amortisation_end = kNever;
  t.maturity = kNever;
  t.conversion_price_usd = kNeverReal;
  return t;
}

// A covenant of an entity (-1: consolidated) that is only recorded. `first_test`: row of covenant_test.
inline Covenant covenant_of(std::int32_t entity, Metric metric, Window window, std::size_t first_test = 0) {
  Covenant c{};
  c.entity = entity;
  c.tranche = -1;
  c.metric = metric;
  c.window = window;
  c.maximum = traits_of(metric).bound == Bound::maximum ? 1 : 0;
  c.first_test = static_cast<std::int32_t>(first_test);
  return c;
}

// Makes these tranches the targets of the covenant's consequences.
inline Covenant with_lenders(ScenarioData& data, Covenant c, const std::vector<std::int32_t>& lenders) {
  c.first_target = static_cast<std::int32_t>(data.covenant_target.size());
  c.targets = static_cast<std::int32_t>(lenders.size());
  for (const std::int32_t d : lenders) {
    data.covenant_target.push_back(d);
    Tranche& t = data.tranche[static_cast<std::size_t>(d)];
    const Entity& e = data.entity[static_cast<std::size_t>(t.entity)];
    if (c.cash_sweep != 0) t.sweepable = 1;
    if (c.acceleration_months < kNever) t.may_accelerate = 1;
    const bool without_recourse = e.parent >= 0 && (e.guaranteed == 0 || e.guarantee_end < kNever);
    if (t.may_accelerate != 0 && without_recourse) t.sweepable = 1;
  }
  return c;
}

// Adds a borrower before the parent (then data.entity[1]): its capex is contributed, it has no guarantee.
inline Entity ring_fenced(const ScenarioData& data, Money cash) {
  Entity e = data.entity.back();
  e.parent = 1;
  e.cash = cash;
  e.revolver = -1;
  e.issue_max_quarter = 0;
  e.ev_to_ebitda = 0.0F;
  e.shares_million = 1.0F;
  e.capex_contributed = 1;
  e.guarantee_end = kNever;
  return e;
}

// A market in which every process moves.
inline void moving_market(ScenarioData& data) {
  Scenario& p = data.parameters;
  DemandParams& d = p.demand;
  d.sigma_training_month = d.sigma_inference_month = 0.07F;
  d.uncertainty_training = d.uncertainty_inference = 0.25F;
  d.shift_month = {0.008F, 0.0F, -0.02F};
  d.jump_probability_month = 0.03F, d.jump_mean_log = -0.1F, d.jump_sd_log = 0.15F;
  d.supply_response = 1.0F, d.supply_lag_month = static_cast<Real>(1.0 / 18.0);
  const Real rows[kRegimeCount][2] = {{0.92F, 0.98F}, {0.03F, 0.97F}, {0.01F, 0.06F}};
  std::copy(&rows[0][0], &rows[0][0] + 6, &d.stay_or_worse[0][0]);
  p.price = {.cycle_start = 0.0F,
             .tightness_pull = 0.9F,
             .cycle_decay = 0.92F,
             .cycle_mean_add = {0.3F, 0.0F, -0.4F},
             .cycle_sd_month = {0.09F, 0.07F, 0.11F},
             .ageing_uncertainty = 0.4F};
  p.rates.short_rate.sd_month = 0.0023F;
  p.rates.spread.sd_month = 0.07F, p.rates.spread_glut_pull = 1.5F;
  p.rates.power.sd_month = 0.08F;
  p.rates.window_open = {0.7F, 0.6F, 0.3F};
  OnDemandParams& o = p.on_demand;
  o.churn.sd_month = 0.1F;
  o.start_utilisation = 0.7F, o.attrition_month = 0.1F, o.bookings_max = 0.14F, o.bookings_beta_q = 4.0F;
  for (std::size_t i = 0; i < data.month.size(); ++i) {
    data.month[i].growth_training = data.month[i].growth_inference = data.month[i].supply_growth = 0.04F;
    data.month[i].rate_base = 0.035F;
    data.ageing[i] = 0.01F * static_cast<Real>(i + 1);
  }
}

// A delay that is never zero.
inline DelayParams always_late(double p50_months, const char* stream) {
  return derive::delay_params({.on_time_share = 0.0,
                               .p50_months = p50_months,
                               .p90_months = 2.5 * p50_months,
                               .earliest_months = 0.0,
                               .systemic_share = 0.3},
                              derive::stream_id(stream));
}

// ---- Runs. ----

inline std::vector<BinRange> wide_bins(const Scenario& s) {
  return std::vector<BinRange>(static_cast<std::size_t>(series_count(s)) * static_cast<std::size_t>(s.months),
                               BinRange{-(1 << 20), 11});
}

inline Outcomes run_paths(const Scenario& s, const PathRange& paths, int threads = 1,
                          const std::string& isa = "auto") {
  RunPlan plan;
  plan.paths = paths;
  plan.threads = threads;
  plan.isa = isa;
  return make_cpu_backend()->simulate(s, plan, wide_bins(s));
}

inline std::vector<std::int32_t> read_column(const Outcomes& outcomes, std::int32_t column) {
  std::vector<std::int32_t> values(outcomes.columns->paths());
  outcomes.columns->read(column, 0, values);
  return values;
}

inline std::vector<std::vector<std::int32_t>> read_columns(const Outcomes& outcomes) {
  std::vector<std::vector<std::int32_t>> all;
  for (std::int32_t c = 0; c < outcomes.layout.count(); ++c) all.push_back(read_column(outcomes, c));
  return all;
}

inline std::string column_name(const ColumnLayout& l, std::int32_t column) {
  const auto numbered = [&](const char* name, std::int32_t first) {
    return std::string(name) + ' ' + std::to_string(column - first);
  };
  if (column < kPathColumnCount) return traits_of(static_cast<PathColumn>(column)).name;
  if (column < l.quarter_fcf(0)) return numbered("year column", l.year(kYearRevenue, 0));
  if (column < l.first_breach(0)) return numbered("FCF of quarter", l.quarter_fcf(0));
  if (column < l.min_headroom(0)) return numbered("first breach of covenant", l.first_breach(0));
  if (column < l.months_late(0)) return numbered("min headroom of covenant", l.min_headroom(0));
  if (column < l.default_month(0)) return numbered("months late of site", l.months_late(0));
  if (column < l.first_uncured(0)) return numbered("default month of customer", l.default_month(0));
  if (column < l.accelerated(0)) return numbered("first uncured breach of covenant", l.first_uncured(0));
  if (column < l.payment_default(0)) return numbered("acceleration by covenant", l.accelerated(0));
  if (column < l.paid_in(0)) return numbered("payment default of borrower", l.payment_default(0));
  if (column < l.distributed(0)) return numbered("paid in to borrower", l.paid_in(0));
  if (column < l.customer_fees(0)) return numbered("distributed by borrower", l.distributed(0));
  if (column < l.customer_lost(0)) return numbered("fees of customer", l.customer_fees(0));
  if (column < l.customer_left(0)) return numbered("fees lost with customer", l.customer_lost(0));
  if (column < l.cures(0)) return numbered("first loss of customer", l.customer_left(0));
  if (column < l.waivers(0)) return numbered("cures of covenant", l.cures(0));
  return numbered("waivers of covenant", l.waivers(0));
}

}  // namespace headroom
