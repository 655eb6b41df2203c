// SPDX-License-Identifier: Apache-2.0
#include "host/warn/usual.hpp"

#include <algorithm>

namespace headroom {

Said::Said(const Company& company) {
  for (const config::Setting& each : company.settings) by_key_.emplace(each.key, &each);
  for (const Named& each : company.sites) {
    for (const std::string& owner : {std::string(), word("site." + each.id + ".entity")}) {
      fleet_[owner] += cost(each.id);
      if (by_key_.contains("site." + each.id + ".opened")) running_[owner] += cost(each.id);
    }
  }
}

double Said::number(const std::string& key) const {
  const auto found = by_key_.find(key);
  return found != by_key_.end() && found->second->numbers.size() == 1 ? found->second->numbers.front().value
                                                                      : 0.0;
}

std::string Said::word(const std::string& key) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return "";
  std::string text = found->second->value;
  std::erase(text, '"');
  return text;
}

double Said::cost(const std::string& site) const {
  const std::string key = "site." + site;
  return number(key + ".gpus") * number(key + ".capex_usd_per_gpu") / 1e6 +
         number(key + ".it_mw") * number(key + ".fit_out_musd_per_mw");
}

double Said::fleet(const std::string& entity) const {
  if (!sites_trusted_) return 0.0;
  const auto found = fleet_.find(entity);
  return found != fleet_.end() ? found->second : 0.0;
}

double Said::running(const std::string& entity) const {
  if (!sites_trusted_) return 0.0;
  const auto found = running_.find(entity);
  return found != running_.end() ? found->second : fleet(entity);
}

namespace {

using Id = const std::string&;

double gpus_of_site(const Said& said, Id id) { return said.number("site." + id + ".gpus"); }
double mw_of_site(const Said& said, Id id) {
  return said.trusts_sites() ? said.number("site." + id + ".it_mw") : 0.0;
}
double cost_of_site(const Said& said, Id id) { return said.trusts_sites() ? said.cost(id) : 0.0; }
double price_of_gpu(const Said& said, Id id) {
  return said.trusts_prices() ? said.number("gpu." + id + ".price_usd_per_gpu_hour") : 0.0;
}
double year_of_gpu(const Said& said, Id id) {
  return price_of_gpu(said, said.word("site." + id + ".gpu")) * 12 * double{kHoursPerMonth};
}
// The price of a kWh at which power costs what the GPUs earn on demand.
double power_share(const Said& said, Id id) {
  const std::string site = "site." + id;
  const double kw = said.number(site + ".it_mw") * 1000 * said.number(site + ".pue");
  return kw > 0 && said.trusts_sites()
             ? said.number(site + ".gpus") * price_of_gpu(said, said.word(site + ".gpu")) / kw
             : 0.0;
}
double gpus_of_contract_site(const Said& said, Id id) {
  return gpus_of_site(said, said.word("contract." + id + ".site"));
}
double market_of_contract(const Said& said, Id id) {
  return price_of_gpu(said, said.word("site." + said.word("contract." + id + ".site") + ".gpu"));
}
// USD million; five years where the term is a date.
double value_of_contract(const Said& said, Id id) {
  const std::string contract = "contract." + id;
  const double months = said.number(contract + ".term_months");
  return said.number(contract + ".gpus") * said.number(contract + ".price_usd_per_gpu_hour") *
         double{kHoursPerMonth} * (months > 0 ? months : 60) / 1e6;
}
double fleet_of_entity(const Said& said, Id id) { return said.fleet(id); }
double running_of_entity(const Said& said, Id id) { return said.running(id); }
double whole_fleet(const Said& said, Id) { return said.fleet(""); }
double whole_running(const Said& said, Id) { return said.running(""); }
double fleet_of_debtor(const Said& said, Id id) { return said.fleet(said.word("tranche." + id + ".entity")); }
double fleet_of_owner(const Said& said, Id id) {
  return said.fleet(said.word("equity_inflow." + id + ".entity"));
}
double is_convertible(const Said& said, Id id) {
  return said.word("tranche." + id + ".kind") == "convertible" ? 1 : 0;
}
double not_convertible(const Said& said, Id id) { return 1 - is_convertible(said, id); }

// A range is as narrow as the slips of its unit ask and as wide as they allow: months entered as years or days,
// a year's rate as a month's, percent or basis points as shares, and amounts 1,000 times too large or too small
// leave it.
constexpr Usual kUsual[] = {
    // clang-format off
    {"company.horizon_months", 12, 240, nullptr, "months", "assumption"},
    {"company.ledger_unit_usd", 10, 100000.0, nullptr, "USD", "assumption"},
    {"site.*.it_mw", 0.0004, 0.006, gpus_of_site, "MW a GPU", "0.0013 an H100, 0.0019 an NVL72 GPU [P]; the ends: assumption"},
    {"site.*.capex_usd_per_gpu", 8000, 250000.0, nullptr, "USD", "35,000 to 78,000 [P]; the ends: assumption"},
    {"site.*.capex_usd_per_gpu", 0.2, 8, year_of_gpu, "years of what it earns on demand", "1.1 to 1.8 here [D]; the ends: assumption"},
    {"site.*.fit_out_musd_per_mw", 1, 60, nullptr, "USD million a MW", "13.3, up to 51 with GPUs [P]; the ends: assumption"},
    {"site.*.capex_paid_musd", 0.001, 1, cost_of_site, "of the site's capex", "assumption"},
    {"site.*.pue", 1, 2.5, nullptr, "", "1.10 to 1.56 [P, R]; the ends: assumption"},
    {"site.*.power_usd_per_kwh", 0.015, 0.5, nullptr, "USD", "0.07-0.08 [P]; the ends: assumption"},
    {"site.*.power_usd_per_kwh", 0.001, 0.4, power_share, "of what the GPUs earn on demand", "assumption"},
    {"site.*.lease_usd_per_kw_month", 30, 500, nullptr, "USD", "120 to 184 [P, D]; the ends: assumption"},
    {"site.*.facility_usd_per_kw_month", 2, 100, nullptr, "USD", "15 [P]; the ends: assumption"},
    {"site.*.staff_musd_per_month", 0.0003, 0.15, mw_of_site, "USD million a MW", "assumption"},
    {"site.*.prelaunch_musd_per_month", 0.0003, 0.15, mw_of_site, "USD million a MW", "assumption"},
    {"site.*.maintenance_share_per_year", 0.003, 0.2, nullptr, "", "assumption"},
    {"site.*.order_share", 0.02, 1, nullptr, "", "assumption"},
    {"site.*.delivery_share", 0.02, 1, nullptr, "", "assumption"},
    {"site.*.overrun_sigma", 0.01, 1, nullptr, "", "assumption"},
    {"site.*.overrun_systemic_share", 0.02, 1, nullptr, "", "assumption"},
    {"site.*.overrun_tail_probability", 0.003, 0.6, nullptr, "", "assumption"},
    {"site.*.overrun_tail_add", 0.05, 5, nullptr, "", "assumption"},
    {"site.*.cancel_probability", 0.005, 1, nullptr, "", "assumption"},
    {"site.*.sunk_share", 0.003, 1, nullptr, "", "assumption"},
    {"site.*.residual_share", 0.01, 0.6, nullptr, "", "assumption"},
    {"site.*.power_fixed_share", 0.02, 1, nullptr, "", "assumption"},
    {"site.*.power_idle_share", 0.02, 1, nullptr, "", "assumption"},
    {"site.*.useful_life_years", 2, 20, nullptr, "years", "5 to 6 [R, F]; the ends: assumption"},
    {"site.*.commissioning_months", 0.1, 12, nullptr, "months", "assumption"},
    {"site.*.ramp_months", 0.4, 18, nullptr, "months", "assumption"},
    {"site.*.unplanned_months", 0.4, 60, nullptr, "months", "assumption"},
    {"gpu.*.price_usd_per_gpu_hour", 0.2, 30, nullptr, "USD", "1.55 to 7.70 [P]; the ends: assumption"},
    {"gpu.*.floor_usd_per_gpu_hour", 0.04, 0.8, price_of_gpu, "of its price", "0.13 to 0.19 [D]; the ends: assumption"},
    {"gpu.*.ageing_young_per_year", 0.02, 1, nullptr, "", "assumption"},
    {"gpu.*.ageing_old_per_year", 0.02, 1, nullptr, "", "assumption"},
    {"gpu.*.ageing_crossing_years", 0.5, 15, nullptr, "years", "assumption"},
    {"launch.*.ramp_months", 1, 36, nullptr, "months", "assumption"},
    {"launch.*.effect_log", 0.01, 1.5, nullptr, "", "assumption"},
    {"contract.*.price_usd_per_gpu_hour", 0.12, 2.5, market_of_contract, "of its GPU's price on demand", "0.4 to 0.7 [P]; the ends: assumption"},
    {"contract.*.gpus", 0.01, 1, gpus_of_contract_site, "of the site's", "assumption"},
    {"contract.*.term_months", 6, 240, nullptr, "months", "48 to 60 [R, F]; the ends: assumption"},
    {"contract.*.prepayment_credit_months", 6, 240, nullptr, "months", "assumption"},
    {"contract.*.unearned_musd", 0.001, 1, value_of_contract, "of what the contract bills", "assumption"},
    {"contract.*.prepayment_musd", 0.001, 1, value_of_contract, "of what the contract bills", "assumption"},
    {"contract.*.take_or_pay", 0.2, 1, nullptr, "", "assumption"},
    {"contract.*.availability", 0.5, 1, nullptr, "", "assumption"},
    {"contract.*.prepayment_share", 0.01, 1, nullptr, "", "assumption"},
    {"contract.*.damages_share_per_month", 0.005, 0.5, nullptr, "", "assumption"},
    {"contract.*.termination_probability", 0.01, 1, nullptr, "", "assumption"},
    {"contract.*.step_down_per_year", 0.045, 2.9, nullptr, "", "assumption"},
    {"contract.*.step_down_trigger_share", 0.02, 1, nullptr, "", "assumption"},
    {"contract.*.step_down_pass_share", 0.02, 1, nullptr, "", "assumption"},
    {"contract.*.renewal_discount", 0.02, 1, nullptr, "", "assumption"},
    {"contract.*.grace_months", 0.4, 15, nullptr, "months", "assumption"},
    {"contract.*.damages_cap_months", 0.5, 36, nullptr, "months", "assumption"},
    {"contract.*.long_stop_months", 1.5, 60, nullptr, "months", "assumption"},
    {"contract.*.renewal_term_months", 4, 240, nullptr, "months", "assumption"},
    {"contract.*.renewal_alpha", 0.04, 10, nullptr, "", "assumption"},
    {"contract.*.renewal_tightness_beta", 0.2, 50, nullptr, "", "assumption"},
    {"contract.*.renewal_churn_beta", 0.05, 20, nullptr, "", "assumption"},
    {"contract.*.option_alpha", 0.04, 10, nullptr, "", "assumption"},
    {"contract.*.option_tightness_beta", 0.2, 50, nullptr, "", "assumption"},
    {"contract.*.option_churn_beta", 0.05, 20, nullptr, "", "assumption"},
    {"customer.*.freeze_factor", 0.1, 20, nullptr, "", "assumption"},
    {"customer.*.recovery_share", 0.02, 1, nullptr, "", "assumption"},
    {"customer.*.recovery_months", 2, 60, nullptr, "months", "assumption"},
    {"customer.*.tightness_beta", 0.2, 50, nullptr, "", "assumption"},
    {"entity.*.cash_musd", 0.0004, 1, fleet_of_entity, "of what its sites cost", "assumption"},
    {"entity.*.restricted_cash_musd", 0.0003, 1, fleet_of_entity, "of what its sites cost", "assumption"},
    {"entity.*.min_cash_musd", 0.0003, 1, fleet_of_entity, "of what its sites cost", "assumption"},
    {"entity.*.policy_liquidity_musd", 0.001, 3, fleet_of_entity, "of what its sites cost", "assumption"},
    {"entity.*.ppe_net_musd", 0.005, 5, fleet_of_entity, "of what its sites cost", "assumption"},
    {"entity.*.equity_musd", 0.001, 5, fleet_of_entity, "of what its sites cost", "assumption"},
    {"entity.*.tax_losses_musd", 0.0005, 5, fleet_of_entity, "of what its sites cost", "assumption"},
    {"entity.*.reserve_musd", 0.0005, 0.8, fleet_of_entity, "of what its sites cost", "assumption"},
    {"entity.*.payables_capex_musd", 0.0002, 1, fleet_of_entity, "of what its sites cost", "assumption"},
    {"entity.*.issue_max_musd_per_quarter", 0.0005, 5, fleet_of_entity, "of what its sites cost", "assumption"},
    {"entity.*.receivables_musd", 0.0002, 0.9, fleet_of_entity, "of what its sites cost", "assumption"},
    {"entity.*.payables_opex_musd", 0.0001, 0.7, fleet_of_entity, "of what its sites cost", "assumption"},
    {"entity.*.sga_fixed_musd_per_month", 0.0002, 0.007, fleet_of_entity, "of what its sites cost", "assumption"},
    {"entity.*.stock_compensation_musd_per_month", 1e-05, 0.05, fleet_of_entity, "of what its sites cost", "assumption"},
    {"entity.*.history.ebitda_musd", 0.00012, 0.8, running_of_entity, "of what its open sites cost", "assumption"},
    {"entity.*.history.cash_interest_musd", 0.00012, 0.8, running_of_entity, "of what its open sites cost", "assumption"},
    {"entity.*.history.scheduled_principal_musd", 0.00012, 1.5, running_of_entity, "of what its open sites cost", "assumption"},
    {"entity.*.history.cfads_musd", 0.00012, 0.8, running_of_entity, "of what its open sites cost", "assumption"},
    {"entity.*.history.contracted_revenue_musd", 0.00012, 0.8, running_of_entity, "of what its open sites cost", "assumption"},
    {"entity.*.ppe_remaining_life_months", 9, 240, nullptr, "months", "assumption"},
    {"entity.*.receivable_days", 3, 150, nullptr, "days", "assumption"},
    {"entity.*.payable_days_opex", 3, 150, nullptr, "days", "assumption"},
    {"entity.*.payable_days_capex", 3, 150, nullptr, "days", "assumption"},
    {"entity.*.sga_share_of_revenue", 0.001, 0.5, nullptr, "", "assumption"},
    {"entity.*.tax_rate", 0.03, 0.6, nullptr, "", "assumption"},
    {"entity.*.loss_use_share", 0.05, 1, nullptr, "", "assumption"},
    {"entity.*.cash_yield_share", 0.05, 1, nullptr, "", "assumption"},
    {"entity.*.cash_sweep_share", 0.02, 1, nullptr, "", "assumption"},
    {"entity.*.ev_tightness_beta", 0.05, 20, nullptr, "", "assumption"},
    {"entity.*.ev_to_ebitda", 2, 200, nullptr, "", "assumption"},
    {"entity.*.refinance_leverage_limit", 1, 30, nullptr, "", "assumption"},
    {"entity.*.lock_up_dscr", 0.5, 5, nullptr, "", "assumption"},
    {"entity.*.shares_million", 2, 50000, nullptr, "million", "assumption"},
    {"entity.*.issue_floor_price_usd", 0.1, 290, nullptr, "USD", "assumption"},
    {"entity.*.reserve_months", 0.5, 24, nullptr, "months", "assumption"},
    {"tranche.*.balance_musd", 0.0004, 6, fleet_of_debtor, "of what its sites cost", "assumption"},
    {"tranche.*.undrawn_musd", 0.0008, 6, fleet_of_debtor, "of what its sites cost", "assumption"},
    {"tranche.*.commitment_musd", 0.0008, 8, fleet_of_debtor, "of what its sites cost", "assumption"},
    {"tranche.*.fixed_rate_per_year", 0.02, 0.25, not_convertible, "", "9 to 12% [F]; the ends: assumption"},
    {"tranche.*.fixed_rate_per_year", 0.0025, 0.1, is_convertible, "", "1 to 3% of convertibles [R, F]; the ends: assumption"},
    {"tranche.*.spread_per_year", 0.011, 0.22, nullptr, "", "2 to 13% [F]; the ends: assumption"},
    {"tranche.*.refinance_spread_per_year", 0.005, 0.25, nullptr, "", "assumption"},
    {"tranche.*.swap_rate_per_year", 0.006, 0.2, nullptr, "", "assumption"},
    {"tranche.*.floor_per_year", 0.001, 0.1, nullptr, "", "assumption"},
    {"tranche.*.commitment_fee_per_year", 0.0007, 0.04, nullptr, "", "0.5% [F]; the ends: assumption"},
    {"tranche.*.upfront_fee_share", 0.001, 0.15, nullptr, "", "assumption"},
    {"tranche.*.hedged_share", 0.03, 1, nullptr, "", "assumption"},
    {"tranche.*.advance_rate", 0.1, 1, nullptr, "", "71 to 90% [F]; the ends: assumption"},
    {"tranche.*.refinance_months", 9, 360, nullptr, "months", "assumption"},
    {"tranche.*.draw_term_months", 9, 240, nullptr, "months", "assumption"},
    {"tranche.*.conversion_price_usd", 1, 5000, nullptr, "USD", "65 to 170 [R]; the ends: assumption"},
    {"tranche.*.programme.max_musd_per_quarter.shortage", 0.002, 1, whole_fleet, "of what all sites cost", "assumption"},
    {"tranche.*.programme.max_musd_per_quarter.balanced", 0.002, 1, whole_fleet, "of what all sites cost", "assumption"},
    {"tranche.*.programme.max_musd_per_quarter.glut", 0.0003, 0.5, whole_fleet, "of what all sites cost", "assumption"},
    {"tranche.*.step_ups[].add_per_year", 0.0005, 0.06, nullptr, "", "assumption"},
    {"tranche.*.instalments[].share", 0.002, 1, nullptr, "", "assumption"},
    {"equity_inflow.*.amount_musd", 0.0005, 10, fleet_of_owner, "of what its sites cost", "assumption"},
    {"equity_inflow.*.shares_million", 0.05, 8000, nullptr, "million", "assumption"},
    {"covenant.*.threshold", 0.1, 25, nullptr, "", "0.65 to 6 [F]; the ends: assumption"},
    {"covenant.*.thresholds[].value", 0.1, 25, nullptr, "", "0.65 to 6 [F]; the ends: assumption"},
    {"covenant.*.threshold_musd", 5e-05, 1, whole_fleet, "of what all sites cost", "assumption"},
    {"covenant.*.thresholds[].value_musd", 5e-05, 1, whole_fleet, "of what all sites cost", "assumption"},
    {"covenant.*.grace_months", 1, 20, nullptr, "months", "assumption"},
    {"covenant.*.acceleration_months", 2, 60, nullptr, "months", "assumption"},
    {"covenant.*.margin_step_per_year", 0.002, 0.1, nullptr, "", "assumption"},
    {"covenant.*.waivers.fee_share", 0.0002, 0.05, nullptr, "", "assumption"},
    {"covenant.*.springing_share", 0.03, 1, nullptr, "", "assumption"},
    {"reported.revenue_musd", 0.001, 3, whole_running, "of what open sites cost", "assumption"},
    {"reported.ebitda_musd", 0.0005, 2, whole_running, "of what open sites cost", "assumption"},
    {"reported.interest_musd", 0.0001, 1, whole_running, "of what open sites cost", "assumption"},
    {"reported.capex_musd", 0.001, 20, whole_running, "of what open sites cost", "assumption"},
    {"reported.ocf_musd", 0.001, 10, whole_running, "of what open sites cost", "assumption"},
    {"guidance.*.low_musd", 0.002, 20, whole_fleet, "of what all sites cost", "assumption"},
    {"guidance.*.high_musd", 0.002, 20, whole_fleet, "of what all sites cost", "assumption"},
    {"delay.*.on_time_share", 0.02, 1, nullptr, "", "assumption"},
    {"delay.*.systemic_share", 0.02, 1, nullptr, "", "assumption"},
    {"delay.*.p50_months", 0.6, 25, nullptr, "months", "1 to 7 [D, P]; the ends: assumption"},
    {"delay.*.p90_months", 1.5, 80, nullptr, "months", "assumption"},
    {"delay.*.earliest_months", 0.2, 36, nullptr, "months", "assumption"},
    {"delay.*.reference_months", 3, 60, nullptr, "months", "13 [P]; the ends: assumption"},
    {"rating.AAA.one_year_default", 1e-06, 0.001, nullptr, "", "S&P, long run [P]; the ends: assumption"},
    {"rating.AAA.default_within_years", 1e-05, 0.03, nullptr, "", "S&P, one to five years [P]; the ends: assumption"},
    {"rating.AA.one_year_default", 3e-05, 0.003, nullptr, "", "S&P, long run [P]; the ends: assumption"},
    {"rating.AA.default_within_years", 3e-05, 0.03, nullptr, "", "S&P, one to five years [P]; the ends: assumption"},
    {"rating.A.one_year_default", 6e-05, 0.008, nullptr, "", "S&P, long run [P]; the ends: assumption"},
    {"rating.A.default_within_years", 0.0001, 0.05, nullptr, "", "S&P, one to five years [P]; the ends: assumption"},
    {"rating.BBB.one_year_default", 0.0003, 0.03, nullptr, "", "S&P, long run [P]; the ends: assumption"},
    {"rating.BBB.default_within_years", 0.0003, 0.12, nullptr, "", "S&P, one to five years [P]; the ends: assumption"},
    {"rating.BB.one_year_default", 0.0015, 0.1, nullptr, "", "S&P, long run [P]; the ends: assumption"},
    {"rating.BB.default_within_years", 0.0015, 0.5, nullptr, "", "S&P, one to five years [P]; the ends: assumption"},
    {"rating.B.one_year_default", 0.006, 0.3, nullptr, "", "S&P, long run [P]; the ends: assumption"},
    {"rating.B.default_within_years", 0.006, 0.9, nullptr, "", "S&P, one to five years [P]; the ends: assumption"},
    {"rating.CCC.one_year_default", 0.03, 0.7, nullptr, "", "S&P, long run [P]; the ends: assumption"},
    {"rating.CCC.default_within_years", 0.03, 0.99, nullptr, "", "S&P, one to five years [P]; the ends: assumption"},
    {"market.regimes.shortage_to_balanced_per_year", 0.07, 9, nullptr, "", "assumption"},
    {"market.regimes.shortage_to_glut_per_year", 0.055, 2.3, nullptr, "", "assumption"},
    {"market.regimes.balanced_to_shortage_per_year", 0.03, 1.7, nullptr, "", "assumption"},
    {"market.regimes.balanced_to_glut_per_year", 0.06, 4, nullptr, "", "assumption"},
    {"market.regimes.glut_to_balanced_per_year", 0.06, 4.5, nullptr, "", "assumption"},
    {"market.regimes.glut_to_shortage_per_year", 0.009, 0.55, nullptr, "", "assumption"},
    {"market.demand.growth_training_per_year", 0.07, 3, nullptr, "", "0.45 and 0.80 [R]; the ends: assumption"},
    {"market.demand.growth_training_long_run_per_year", 0.018, 1.5, nullptr, "", "assumption"},
    {"market.demand.volatility_training_per_year", 0.03, 2, nullptr, "", "assumption"},
    {"market.demand.growth_uncertainty_training", 0.02, 2, nullptr, "", "assumption"},
    {"market.demand.growth_inference_per_year", 0.07, 3, nullptr, "", "0.45 and 0.80 [R]; the ends: assumption"},
    {"market.demand.growth_inference_long_run_per_year", 0.018, 1.5, nullptr, "", "assumption"},
    {"market.demand.volatility_inference_per_year", 0.03, 2, nullptr, "", "assumption"},
    {"market.demand.growth_uncertainty_inference", 0.02, 2, nullptr, "", "assumption"},
    {"market.demand.training_share", 0.03, 1, nullptr, "", "assumption"},
    {"market.demand.growth_halflife_months", 4, 180, nullptr, "months", "assumption"},
    {"market.default.cycle_mean_by_year", 0.3, 20, nullptr, "", "assumption"},
    {"market.funding_freeze.begins_per_year.shortage", 0.01, 0.5, nullptr, "", "assumption"},
    {"market.funding_freeze.begins_per_year.balanced", 0.02, 1.5, nullptr, "", "assumption"},
    {"market.funding_freeze.begins_per_year.glut", 0.05, 4, nullptr, "", "assumption"},
    {"market.funding_freeze.mean_months", 1, 60, nullptr, "months", "assumption"},
    {"market.funding_freeze.demand_training_per_year", 0.02, 2, nullptr, "", "assumption"},
    {"market.funding_freeze.demand_inference_per_year", 0.01, 1, nullptr, "", "assumption"},
    {"market.demand.jumps_per_year", 0.055, 3.5, nullptr, "", "assumption"},
    {"market.demand.jump_mean_log", 0.01, 2, nullptr, "", "assumption"},
    {"market.demand.jump_sd_log", 0.01, 2, nullptr, "", "assumption"},
    {"market.demand.shift_per_year.shortage", 0.04, 1.1, nullptr, "", "assumption"},
    {"market.price.drift_per_year.shortage", 0.05, 2.5, nullptr, "", "0.25 to 0.60 [P]; the ends: assumption"},
    {"market.price.volatility_per_year.shortage", 0.04, 2, nullptr, "", "0.21 to 0.40 [P]; the ends: assumption"},
    {"market.spread.window_open_per_quarter.shortage", 0.03, 1, nullptr, "", "assumption"},
    {"market.demand.shift_per_year.balanced", 0.04, 1.1, nullptr, "", "assumption"},
    {"market.price.drift_per_year.balanced", 0.05, 2.5, nullptr, "", "0.25 to 0.60 [P]; the ends: assumption"},
    {"market.price.volatility_per_year.balanced", 0.04, 2, nullptr, "", "0.21 to 0.40 [P]; the ends: assumption"},
    {"market.spread.window_open_per_quarter.balanced", 0.03, 1, nullptr, "", "assumption"},
    {"market.demand.shift_per_year.glut", 0.04, 1.1, nullptr, "", "assumption"},
    {"market.price.drift_per_year.glut", 0.05, 2.5, nullptr, "", "0.25 to 0.60 [P]; the ends: assumption"},
    {"market.price.volatility_per_year.glut", 0.04, 2, nullptr, "", "0.21 to 0.40 [P]; the ends: assumption"},
    {"market.spread.window_open_per_quarter.glut", 0.03, 1, nullptr, "", "assumption"},
    {"market.supply.growth_per_year", 0.06, 3, nullptr, "", "assumption"},
    {"market.supply.growth_long_run_per_year", 0.018, 1.5, nullptr, "", "assumption"},
    {"market.supply.growth_halflife_months", 4, 180, nullptr, "months", "assumption"},
    {"market.supply.response", 0.05, 20, nullptr, "", "assumption"},
    {"market.supply.lag_years", 0.2, 10, nullptr, "years", "assumption"},
    {"market.supply.start_tightness", 0.002, 1.5, nullptr, "", "assumption"},
    {"market.price.tightness_pull", 0.05, 10, nullptr, "", "assumption"},
    {"market.price.reversion_per_year", 0.13, 10, nullptr, "", "assumption"},
    {"market.price.cycle_start_log", 0.01, 2, nullptr, "", "assumption"},
    {"market.price.ageing_young_per_year", 0.02, 1, nullptr, "", "assumption"},
    {"market.price.ageing_old_per_year", 0.02, 1, nullptr, "", "assumption"},
    {"market.price.ageing_uncertainty", 0.02, 3, nullptr, "", "assumption"},
    {"market.price.hedonic_pass_through", 0.03, 3, nullptr, "", "assumption"},
    {"market.price.ageing_crossing_years", 0.5, 15, nullptr, "years", "assumption"},
    {"market.rates.reversion_per_year", 0.005, 0.5, nullptr, "", "assumption"},
    {"market.rates.volatility_per_year", 0.002, 0.05, nullptr, "", "0.008 from MOVE [D]; the ends: assumption"},
    {"market.rates.forward[].rate_per_year", 0.006, 0.2, nullptr, "", "SOFR 3.65% [P]; the ends: assumption"},
    {"market.rates.forward[].years", 0.1, 50, nullptr, "years", "assumption"},
    {"market.spread.reversion_per_year", 0.13, 10, nullptr, "", "assumption"},
    {"market.spread.volatility_per_year", 0.045, 2.5, nullptr, "", "assumption"},
    {"market.spread.start_log", 0.01, 3, nullptr, "", "assumption"},
    {"market.power.reversion_per_year", 0.13, 10, nullptr, "", "assumption"},
    {"market.power.volatility_per_year", 0.045, 2.5, nullptr, "", "assumption"},
    {"market.power.start_log", 0.01, 3, nullptr, "", "assumption"},
    {"market.churn.reversion_per_year", 0.13, 10, nullptr, "", "assumption"},
    {"market.churn.volatility_per_year", 0.045, 2.5, nullptr, "", "assumption"},
    {"market.churn.start_log", 0.01, 3, nullptr, "", "assumption"},
    {"market.spread.glut_pull", 0.05, 20, nullptr, "", "assumption"},
    {"market.renewal.alpha", 0.03, 10, nullptr, "", "assumption"},
    {"market.renewal.tightness_beta", 0.2, 50, nullptr, "", "assumption"},
    {"market.renewal.churn_beta", 0.05, 20, nullptr, "", "assumption"},
    {"market.options.alpha", 0.03, 10, nullptr, "", "assumption"},
    {"market.options.tightness_beta", 0.2, 50, nullptr, "", "assumption"},
    {"market.options.churn_beta", 0.05, 20, nullptr, "", "assumption"},
    {"market.default.cycle_mean", 0.2, 30, nullptr, "", "assumption"},
    {"market.default.tightness_beta", 0.2, 50, nullptr, "", "assumption"},
    {"market.default.recovery_share", 0.02, 1, nullptr, "", "assumption"},
    {"market.default.recovery_months", 2, 60, nullptr, "months", "assumption"},
    {"correlation.*.demand_training", 0.01, 1, nullptr, "", "assumption"},
    {"correlation.*.demand_inference", 0.01, 1, nullptr, "", "assumption"},
    {"correlation.*.price", 0.01, 1, nullptr, "", "assumption"},
    {"correlation.*.rate", 0.01, 1, nullptr, "", "assumption"},
    {"correlation.*.spread", 0.01, 1, nullptr, "", "assumption"},
    {"correlation.*.churn", 0.01, 1, nullptr, "", "assumption"},
    {"correlation.*.power", 0.01, 1, nullptr, "", "assumption"},
    {"on_demand.start_utilisation", 0.05, 1, nullptr, "", "assumption"},
    {"on_demand.attrition_per_month", 0.009, 0.6, nullptr, "", "assumption"},
    {"on_demand.bookings_max_per_month", 0.012, 1, nullptr, "", "assumption"},
    {"on_demand.bookings_alpha", 0.03, 10, nullptr, "", "assumption"},
    {"on_demand.bookings_tightness_beta", 0.2, 50, nullptr, "", "assumption"},
    {"on_demand.usage_alpha", 0.05, 15, nullptr, "", "assumption"},
    {"on_demand.usage_tightness_beta", 0.1, 30, nullptr, "", "assumption"},
    {"on_demand.premium", 0.3, 3, nullptr, "", "assumption"},
    {"on_demand.channel_discount", 0.01, 1, nullptr, "", "assumption"},
    {"on_demand.backstop_share", 0.03, 1, nullptr, "", "assumption"},
    {"on_demand.platform_share_start", 0.003, 1, nullptr, "", "assumption"},
    {"on_demand.platform_share_end", 0.003, 1, nullptr, "", "assumption"},
    {"on_demand.platform_price_multiple", 0.3, 6, nullptr, "", "assumption"},
    {"on_demand.platform_cost_ratio", 0.01, 1, nullptr, "", "assumption"},
    {"on_demand.backstop_price_usd_per_gpu_hour", 0.05, 14, nullptr, "USD", "assumption"},
    {"on_demand.platform_ramp_months", 4, 120, nullptr, "months", "assumption"},
    // clang-format on
};

}  // namespace

std::span<const Usual> usual_ranges() { return kUsual; }

}  // namespace headroom
