// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <nlohmann/json.hpp>

#include "host/report/format.hpp"
#include "host/report/report.hpp"

namespace headroom::report {

namespace {

using Json = nlohmann::ordered_json;

// An unknown figure becomes null.
Json figure(double value) { return std::isfinite(value) ? Json(value + 0.0) : Json(nullptr); }
Json figure(const std::optional<double>& value) { return value ? figure(*value) : Json(nullptr); }

Json json(const Estimate& e) {
  return {{"value", figure(e.value)}, {"standard_error", figure(e.standard_error)}};
}

Json json(const Probability& p) {
  return {{"paths", p.count}, {"value", figure(p.value)}, {"low", figure(p.low)}, {"high", figure(p.high)}};
}

Json json(const Distribution& d) {
  Json quantiles = Json::object();
  for (const Quantile& q : d.quantiles) {
    quantiles["p" + std::to_string(q.percent)] = {
        {"value", figure(q.value)}, {"low", figure(q.low)}, {"high", figure(q.high)}};
  }
  Json out = {{"paths", d.paths},   {"mean", figure(d.mean)}, {"mean_standard_error", figure(d.mean_error)},
              {"sd", figure(d.sd)}, {"quantiles", quantiles}, {"resolution", figure(d.resolution)}};
  for (const LowerTail& tail : d.tails) {
    const std::string level = std::to_string(100 - tail.percent);
    out["var_" + level] = json(Estimate{tail.value_at_risk, tail.value_at_risk_error});
    out["es_" + level] = json(Estimate{tail.expected_shortfall, tail.expected_shortfall_error});
  }
  return out;
}

Json json(const Company& company, const EventRisk& event) {
  Json within = Json::array();
  for (const EventRisk::Within& each : event.within) {
    Json entry = {{"months", each.months}};
    entry.update(json(each.probability));
    within.push_back(entry);
  }
  Json times = Json::object();
  for (std::size_t k = 0; k < kTimePercents.size(); ++k) {
    const std::int32_t month = event.month_if_it_happens[k];
    times["p" + std::to_string(kTimePercents[k])] =
        month == 0 ? Json(nullptr) : Json(month_label(company, month));
  }
  Json cumulative = Json::array();
  for (const Probability& p : event.cumulative) cumulative.push_back(figure(p.value));
  return {{"within", within}, {"month_if_it_happens", times}, {"cumulative_by_month", cumulative}};
}

Json years_json(const Company& company, const RiskReport& risk) {
  Json out = Json::array();
  for (const YearRisk& year : risk.years) {
    Json entry = {{"label", year_label(company, year.first_month, year.last_month)},
                  {"first_month", month_label(company, year.first_month)},
                  {"last_month", month_label(company, year.last_month)}};
    for (std::size_t c = 0; c < year.measures.size(); ++c) {
      Json measure = {{"plan", figure(year.plan[c])}};
      measure.update(json(year.measures[c]));
      entry[std::string(key_of(static_cast<YearColumn>(c))) + "_musd"] = measure;
    }
    out.push_back(entry);
  }
  return out;
}

Json fcf_json(const Company& company, const RiskReport& risk) {
  Json quarters = Json::array();
  for (const QuarterRisk& quarter : risk.quarters) {
    Json entry = {{"label", quarter_label(company, quarter.first_month, quarter.last_month)},
                  {"plan", figure(quarter.plan_fcf)}};
    entry.update(json(quarter.fcf));
    quarters.push_back(entry);
  }
  Json total = {{"plan", figure(risk.plan_total_fcf)}};
  total.update(json(risk.total_fcf));
  return {{"total", total}, {"quarters", quarters}};
}

Json covenants_json(const Company& company, const RiskReport& risk) {
  Json out = Json::array();
  for (std::size_t v = 0; v < risk.covenants.size(); ++v) {
    const CovenantRisk& covenant = risk.covenants[v];
    Json tests = Json::array();
    for (const CovenantRisk::Test& test : covenant.tests) {
      tests.push_back({{"month", month_label(company, test.month)},
                       {"threshold", figure(test.threshold)},
                       {"failing", json(test.failing)}});
    }
    out.push_back({{"id", company.covenants[v].id},
                   {"label", company.covenants[v].label},
                   {"metric", key_of(covenant.metric)},
                   {"unit", unit_of(covenant.metric)},
                   {"limit", covenant.maximum ? "maximum" : "minimum"},
                   {"breach", json(company, covenant.breach)},
                   {"remedied", json(covenant.remedied)},
                   {"uncured", json(company, covenant.uncured)},
                   {"acceleration", json(company, covenant.accelerated)},
                   {"binds_first", json(covenant.binds_first)},
                   {"cures", json(covenant.cures)},
                   {"waivers", json(covenant.waivers)},
                   {"least_headroom", json(covenant.min_headroom)},
                   {"tests", tests}});
  }
  return out;
}

Json borrowers_json(const Company& company, const RiskReport& risk) {
  Json out = Json::array();
  for (std::size_t e = 0; e < risk.borrowers.size(); ++e) {
    const BorrowerRisk& borrower = risk.borrowers[e];
    out.push_back({{"id", company.entities[e].id},
                   {"label", company.entities[e].label},
                   {"payment_default", json(company, borrower.payment_default)},
                   {"paid_in_musd", json(borrower.paid_in)},
                   {"distributed_musd", json(borrower.distributed)}});
  }
  return out;
}

Json joint_json(const Company& company, const RiskReport& risk) {
  Json names = Json::array();
  for (const Named& covenant : company.covenants) names.push_back(covenant.id);
  names.push_back("liquidity_default");
  Json rows = Json::array();
  for (const auto& row : risk.joint) {
    Json values = Json::array();
    for (const Probability& p : row) values.push_back(figure(p.value));
    rows.push_back(values);
  }
  return {{"events", names}, {"probability", rows}};
}

Json sites_json(const Company& company, const RiskReport& risk) {
  Json out = Json::array();
  for (std::size_t i = 0; i < risk.sites.size(); ++i) {
    const SiteRisk& site = risk.sites[i];
    out.push_back({{"id", company.sites[i].id},
                   {"running", site.running},
                   {"months_late", json(site.months_late)},
                   {"late", json(site.late)},
                   {"never_opens", json(site.never_opens)}});
  }
  return out;
}

Json customers_json(const Company& company, const RiskReport& risk) {
  Json out = Json::array();
  for (std::size_t c = 0; c < risk.customers.size(); ++c) {
    const CustomerRisk& customer = risk.customers[c];
    out.push_back({{"id", company.customers[c].id},
                   {"label", company.customers[c].label},
                   {"backlog_share", figure(customer.backlog_share)},
                   {"fees_share", figure(customer.fees_share)},
                   {"fees_musd", json(customer.fees)},
                   {"default", json(company, customer.defaults)},
                   {"leaves", json(company, customer.leaves)},
                   {"lost_if_it_leaves_musd", json(customer.lost_if_it_leaves)}});
  }
  return out;
}

Json drivers_json(const RiskReport& risk) {
  Json out = Json::object();
  for (const DriverMeans& driver : risk.drivers) {
    out[std::string(key_of(driver.driver))] = {
        {"all", json(driver.all)},
        {"given_breach", json(driver.given_breach)},
        {"given_liquidity_default", json(driver.given_liquidity_default)}};
  }
  return out;
}

Json guidance_json(const Company& company, const std::vector<GuidanceCheck>& guidance) {
  Json out = Json::array();
  for (const GuidanceCheck& check : guidance) {
    const Guidance& said = company.guidance[check.guidance];
    out.push_back({{"id", said.id},
                   {"measure", key_of(said.measure)},
                   {"year", said.year},
                   {"low_musd", figure(said.low_musd)},
                   {"high_musd", figure(said.high_musd)},
                   {"plan_musd", figure(check.plan_musd)},
                   {"p10_musd", figure(check.p10)},
                   {"p50_musd", figure(check.p50)},
                   {"p90_musd", figure(check.p90)}});
  }
  return out;
}

Json results(const Company& company, const Scenario& scenario, const RiskReport& risk,
             const std::vector<GuidanceCheck>& guidance) {
  Json overrides = Json::array();
  for (const config::Override& each : company.overrides) {
    overrides.push_back({{"key", each.key}, {"old", each.old_value}, {"new", each.new_value}});
  }
  return {{"company", company.name},
          {"as_of", date_label(company, 0)},
          {"months", scenario.months},
          {"config_hash", company.hash},
          {"overrides", overrides},
          {"seed", risk.seed},
          {"first_path", risk.first_path},
          {"paths", risk.paths},
          {"violated_identities",
           {{"paths", risk.violations.paths},
            {"first_path", risk.violations.paths > 0 ? Json(risk.violations.first_path) : Json(nullptr)},
            {"kinds", violation_names(risk.violations.kinds)}}},
          {"years", years_json(company, risk)},
          {"fcf_musd", fcf_json(company, risk)},
          {"covenants", covenants_json(company, risk)},
          {"any_breach", json(company, risk.any_breach)},
          {"liquidity_default", json(company, risk.liquidity_default)},
          {"event_of_default", json(company, risk.event_of_default)},
          {"borrowers", borrowers_json(company, risk)},
          {"joint", joint_json(company, risk)},
          {"peak_funding_gap_musd", json(risk.peak_funding_gap)},
          {"least_liquidity_musd", json(risk.min_liquidity)},
          {"dilution", json(risk.dilution)},
          {"sites", sites_json(company, risk)},
          {"customers", customers_json(company, risk)},
          {"drivers", drivers_json(risk)},
          {"guidance", guidance_json(company, guidance)}};
}

}  // namespace

std::string summary_json(const Company& company, const Scenario& scenario, const RiskReport& risk,
                         const std::vector<GuidanceCheck>& guidance, const RunFacts& facts) {
  const Json run = {{"schema", kSummarySchema},
                    {"version", facts.version},
                    {"commit", facts.commit},
                    {"backend", facts.backend},
                    {"reason", facts.reason},
                    {"device", facts.device},
                    {"threads", facts.threads},
                    {"isa", facts.isa},
                    {"simulation_seconds", facts.simulation_seconds},
                    {"analysis_seconds", facts.analysis_seconds},
                    {"id", facts.id},
                    {"asked_paths", facts.asked_paths},
                    {"complete", risk.paths >= facts.asked_paths}};
  return Json{{"run", run}, {"results", results(company, scenario, risk, guidance)}}.dump(1) + "\n";
}

}  // namespace headroom::report
