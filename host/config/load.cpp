// SPDX-License-Identifier: Apache-2.0
#include "host/config/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace headroom {

namespace config {

namespace {

constexpr double kLedgerLimit = 1 << 30;

std::uint32_t read_switches(const Table& root) {
  std::uint32_t switches = kAllSwitches;
  const Table table = root.section("switches");
  for (const SwitchTraits& each : kSwitchTable) {
    if (!table.flag(each.name, true)) switches &= ~static_cast<std::uint32_t>(each.bit);
  }
  return switches;
}

std::uint32_t read_variables_on_plan(const Table& root) {
  constexpr std::pair<std::string_view, Variable> all[] = {{"price", kPriceOnPlan},
                                                           {"tightness", kTightnessOnPlan},
                                                           {"short_rate", kShortRateOnPlan},
                                                           {"spread", kSpreadOnPlan},
                                                           {"power", kPowerOnPlan}};
  std::uint32_t variables = 0;
  const Table table = root.section("on_plan");
  for (const auto& [name, bit] : all) {
    if (table.flag(name, false)) variables |= static_cast<std::uint32_t>(bit);
  }
  return variables;
}

void read_company(Loading& in) {
  const Table table = in.root.table("company");
  in.company.name = table.text("name");
  in.as_of = in.company.as_of = table.date_at_month_end("as_of");
  constexpr Date unknown(std::chrono::year(1) / 1 / 1);
  in.as_of_known = table.date("as_of", unknown) != unknown;
  in.months = table.integer("horizon_months", between(1, kMaxMonths), 60);
  in.ledger_unit_usd = table.number("ledger_unit_usd", between(1, 1e6), 1000.0);
  Scenario& parameters = in.data.parameters;
  parameters.months = in.months;
  parameters.ledger_usd = static_cast<Real>(in.ledger_unit_usd);
  parameters.switches = read_switches(in.root);
  parameters.variables_on_plan = read_variables_on_plan(in.root);

  if (const auto reported = in.root.optional_table("reported")) {
    in.company.reported = {reported->number("revenue_musd", non_negative()), reported->number("ebitda_musd"),
                           reported->number("interest_musd", non_negative()),
                           reported->number("capex_musd", non_negative()), reported->number("ocf_musd")};
  }
  for (const Table& each : in.root.tables("guidance")) {
    in.company.guidance.push_back(
        {each.id(),
         each.choice<GuidanceMeasure>("measure", {{"revenue", GuidanceMeasure::revenue},
                                                  {"ebitda", GuidanceMeasure::ebitda},
                                                  {"capex", GuidanceMeasure::capex},
                                                  {"exit_arr", GuidanceMeasure::exit_arr},
                                                  {"backlog", GuidanceMeasure::backlog}}),
         each.integer("year", between(2000, 2100)), each.number("low_musd"), each.number("high_musd"),
         each.text("source")});
    const Guidance& last = in.company.guidance.back();
    if (last.high_musd < last.low_musd) {
      each.reject("high_musd", "it must not be under 'low_musd'", "swap the two");
    }
  }
}

void total(Loading& in) {
  Totals& totals = in.company.totals;
  const auto musd = [&](Money amount) { return static_cast<double>(amount) * in.ledger_unit_usd / 1e6; };
  totals.sites = static_cast<int>(in.data.site.size());
  for (std::size_t i = 0; i < in.data.site.size(); ++i) {
    const Site& site = in.data.site[i];
    totals.gpus += site.gpus;
    totals.it_mw += in.company.site_it_mw[i];
    if (site.running != 0) {
      totals.running_sites += 1;
      totals.running_gpus += site.gpus;
      totals.running_it_mw += in.company.site_it_mw[i];
    }
    totals.capex_to_go_musd += musd(site.capex - site.capex_paid);
  }
  totals.customers = static_cast<int>(in.data.customer.size());
  for (const Contract& each : in.data.contract) {
    const double rest =
        each.end_month < kNeverReal ? each.end_month - std::max(each.start_month, 0.0F) : each.term_months;
    const double value = each.gpus * kHoursPerMonth * each.price_usd_per_gpu_hour * rest / 1e6;
    totals.contracts += each.option == 0 ? 1 : 0;
    totals.optional_contracts += each.option;
    (each.option != 0 ? totals.option_value_musd : totals.contract_value_musd) += value;
    totals.contracted_gpus += each.running != 0 ? each.gpus : 0.0F;
    totals.deferred_revenue_musd += musd(each.opening_unearned);
    if (each.option == 0) totals.prepayments_due_musd += musd(each.prepayment);
  }
  totals.tranches = static_cast<int>(in.data.tranche.size());
  for (const Tranche& each : in.data.tranche) {
    totals.debt_drawn_musd += musd(each.balance);
    totals.debt_undrawn_musd += musd(each.commitment);
  }
  for (const Entity& each : in.data.entity) {
    totals.cash_musd += musd(each.cash);
    totals.other_net_assets_musd += musd(each.other_net_assets);
  }
  totals.equity_inflows = static_cast<int>(in.data.dated_flow.size());
  for (const DatedFlow& each : in.data.dated_flow) totals.equity_inflow_musd += musd(each.amount);
  totals.covenants = static_cast<int>(in.data.covenant.size());
  for (const CovenantTest& each : in.data.covenant_test) totals.covenant_tests += each.tested;
}

}  // namespace

Range length() { return between(0.001, 12'000); }

// ---- Layered. ----

double Layered::number(std::string_view key, const Range& range) const {
  if (defaults_) own_.inherit(key, *defaults_);
  std::optional<double> fallback;
  if (defaults_ && defaults_->has(key)) fallback = defaults_->number(key, range);
  return own_.number(key, range, fallback);
}

bool Layered::flag(std::string_view key) const {
  if (defaults_) own_.inherit(key, *defaults_);
  std::optional<bool> fallback;
  if (defaults_ && defaults_->has(key)) fallback = defaults_->flag(key);
  return own_.flag(key, fallback);
}

std::int32_t Layered::ref(std::string_view key, const std::vector<std::string>& ids) const {
  if (defaults_) own_.inherit(key, *defaults_);
  const std::int32_t fallback = defaults_ && defaults_->has(key) ? defaults_->ref(key, ids) : -1;
  return own_.has(key) || fallback < 0 ? own_.ref(key, ids) : fallback;
}

// ---- Loading. ----

Objects Loading::objects(std::string_view key, std::size_t at_least) const {
  Objects found{root.tables(key, at_least), {}};
  found.ids = config::ids(found.tables);
  return found;
}

Named Loading::named(const Table& table) { return {table.id(), table.text("name", table.id())}; }

Range Loading::money_range() const {
  const double limit = kLedgerLimit * ledger_unit_usd / 1e6;
  return {.low = 0.0,
          .high = limit,
          .why = fmt::format("an amount must be from 0 to 2^30 ledger units, {:.0f} million USD",
                             std::floor(limit)),
          .remedy = "correct it, or raise company.ledger_unit_usd"};
}

Money Loading::ledger(double musd) const {
  return static_cast<Money>(std::llround(musd * 1e6 / ledger_unit_usd));
}

Real Loading::ledger_real(double musd, const Table& table, std::string_view key) const {
  bounded(musd, table, key);
  return static_cast<Real>(musd * 1e6 / ledger_unit_usd);
}

Money Loading::musd(const Table& table, std::string_view key, std::optional<double> fallback) const {
  return ledger(table.number(key, money_range(), fallback));
}

Money Loading::signed_musd(const Table& table, std::string_view key) const {
  Range range = money_range();
  range.low = -range.high;
  range.why =
      fmt::format("an amount must be under 2^30 ledger units, {:.0f} million USD", std::floor(range.high));
  return ledger(table.number(key, range));
}

Money Loading::bounded(double musd, const Table& table, std::string_view key) const {
  const Range range = money_range();
  if (range.holds(musd)) return ledger(musd);
  table.reject(key,
               fmt::format("with it the amount is {:.0f} million USD and the ledger ends at {:.0f}", musd,
                           std::floor(range.high)),
               "correct it, or raise ledger_unit_usd");
  return 0;
}

std::int32_t Loading::whole_month(const Table& table, std::string_view key,
                                  std::optional<std::int32_t> fallback) const {
  if (fallback && !table.has(key)) {
    table.assume(key, *fallback >= kNever ? "never" : date_text(*fallback));
    return *fallback;
  }
  return static_cast<std::int32_t>(std::ceil(month(table, key)));
}

Real Loading::month(const Table& table, std::string_view key, std::optional<Real> fallback) const {
  if (fallback && !table.has(key)) table.assume(key, *fallback >= kNeverReal ? "never" : date_text(*fallback));
  return table.months(key, as_of, !fallback && table.has(key) ? kNeverReal : fallback);
}

bool Loading::past(const Table& table, std::string_view key) const {
  return as_of_known && table.has(key) && month(table, key) <= 0;
}

bool Loading::future(const Table& table, std::string_view key) const {
  return as_of_known && table.has(key) && month(table, key) > 0;
}

std::string Loading::date_text(double month) const {
  const int whole = static_cast<int>(std::floor(month));
  const Date last = month_end(as_of, month > whole ? whole + 1 : whole);
  if (month <= whole) return format_date(last);
  const double days = static_cast<double>(unsigned(last.day()));
  const auto day = static_cast<unsigned>(std::max(1.0, std::round((month - whole) * days)));
  return format_date(Date(last.year(), last.month(), std::chrono::day(day)));
}

StreamId Loading::stream(const std::string& name, const Place& place) {
  const StreamId id = derive::stream_id(name);
  const auto [known, is_new] = streams.emplace(id, name);
  if (!is_new && known->second != name) {
    problems.add(place, fmt::format("random stream \"{}\" has the number of \"{}\"", name, known->second),
                 "streams are numbered by a 32-bit hash of their names", "rename one of the two objects");
  }
  return id;
}

DelayParams Loading::delay_of(std::int32_t index, const std::string& stream_name, const Place& place,
                              double months_to_go) {
  const StreamId id = stream(stream_name, place);
  return index < 0 ? derive::no_delay()
                   : derive::delay_params(delay[static_cast<std::size_t>(index)], id, months_to_go);
}

std::int32_t Loading::entity_of(const Table& table) const {
  const std::int32_t index = table.ref("entity", entities.ids, false);
  if (index < 0) {  // the parent is last
    const auto parent = static_cast<std::int32_t>(data.entity.size()) - 1;
    const auto at = std::find(entity_index.begin(), entity_index.end(), parent);
    const auto source = static_cast<std::size_t>(at - entity_index.begin());
    if (source < entities.size()) table.assume("entity", '"' + entities.ids[source] + '"');
    return parent;
  }
  return entity_index[static_cast<std::size_t>(index)];
}

std::uint32_t object_switches(const Table& table, std::string_view no_effect, bool otherwise) {
  const bool on_plan = table.flag("on_plan", otherwise);
  if (on_plan && !no_effect.empty() && table.has("on_plan")) table.reject("on_plan", no_effect, "remove it");
  return on_plan ? 0 : kAllSwitches;
}

void forbid(const Table& table, std::initializer_list<std::string_view> keys, std::string_view why,
            std::string_view remedy) {
  for (const std::string_view key : keys) {
    if (table.has(key)) table.reject(key, why, remedy);
  }
}

void fill(Loading& in) {
  read_company(in);
  in.delays = in.objects("delay");
  in.ratings = in.objects("rating");
  in.gpus = in.objects("gpu", 1);
  in.entities = in.objects("entity", 1);
  in.sites = in.objects("site", 1);
  in.customers = in.objects("customer");
  in.contracts = in.objects("contract");
  in.tranches = in.objects("tranche");
  in.cases = in.objects("lenders_case");
  load_market(in);
  load_entities(in);
  load_tranches(in);
  load_sites(in);
  load_cases(in);
  load_contracts(in);
  load_covenants(in);
  balance(in);
}

}  // namespace config

Company load_company(const config::Sources& sources, std::optional<int> months) {
  config::Sources effective = sources;
  if (months) effective.sets.push_back(fmt::format("company.horizon_months={}", *months));
  SourceTexts texts{effective.file, effective.overlays, effective.sets, {}};
  effective.seen = [&](const std::string& file, const std::string& text) { texts.texts[file] = text; };
  config::Document document(effective);
  effective.seen = {};

  Company company;
  config::Loading in{.document = document,
                     .root = document.root(),
                     .company = company,
                     .data = company.data,
                     .problems = document.problems()};
  fill(in);
  document.finish();
  std::int32_t last = 0;
  for (const Tranche& each : company.data.tranche) {
    if (each.sculpted != 0) last = std::max(last, std::min(each.amortisation_end, kMaxMonths));
    // A programme sees the coming months also at the end of the horizon.
    if (each.issue_months_ahead > 0)
      last = std::max(last, std::min(in.months + each.issue_months_ahead, kMaxMonths));
  }
  if (last > in.months) {
    effective.sets.push_back(fmt::format("company.horizon_months={}", last));
    config::Document longer_document(effective);
    Company longer;
    config::Loading rolled{.document = longer_document,
                           .root = longer_document.root(),
                           .company = longer,
                           .data = longer.data,
                           .problems = longer_document.problems()};
    fill(rolled);
    longer_document.finish();
    company.data.to_last_loan = std::make_shared<const ScenarioData>(std::move(longer.data));
  }

  config::total(in);
  company.overrides = document.overrides();
  company.hash = document.hash();
  company.canonical_text = document.canonical_text();
  company.inputs = document.toml_text();
  company.settings = document.settings();
  if (!sources.parsed) company.sources = std::move(texts);
  return company;
}

Company reload_company(const SourceTexts& sources) {
  config::Sources from{.file = sources.file, .overlays = sources.overlays, .sets = sources.sets};
  from.read = [&](const std::string& file) -> std::optional<std::string> {
    const auto found = sources.texts.find(file);
    return found == sources.texts.end() ? std::nullopt : std::optional(found->second);
  };
  return load_company(from);
}

}  // namespace headroom
