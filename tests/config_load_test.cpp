// SPDX-License-Identifier: Apache-2.0
// TOML -> Scenario: every broken file's exact message, the demo company, named streams, derived numbers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "host/config/company.hpp"
#include "host/config/derive.hpp"

namespace headroom {
namespace {

const std::string source_dir = HEADROOM_SOURCE_DIR;
const std::string demo = source_dir + "/configs/demo.toml";

std::string read_text(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

Company load(std::vector<std::string> sets = {}) {
  return load_company({.file = demo, .sets = std::move(sets)});
}

// The demo with its text changed.
Company load_changed(const std::function<std::string(const std::string&)>& change) {
  return load_company({.file = demo, .read = [&](const std::string& file) {
                         const std::string text = read_text(file);
                         return std::optional(file == demo ? change(text) : text);
                       }});
}

std::string problems_of(const config::Sources& sources) {
  try {
    load_company(sources);
  } catch (const config::ConfigError& error) {
    return error.what();
  }
  return "";
}

std::string without(std::string text, const std::string& part) {
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at)) text.erase(at, part.size());
  return text;
}

// ---- Broken files: what each must say stands in its first lines. ----

TEST(ConfigBroken, EveryFileSaysExactlyThis) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_dir + "/tests/broken")) {
    const std::string file = entry.path().string();
    std::istringstream lines(read_text(file));
    std::string expected;
    for (std::string line; std::getline(lines, line) && line.starts_with("# expect: ");) {
      expected += (expected.empty() ? "" : "\n") + line.substr(10);
    }
    EXPECT_NE(expected, "") << file << " expects nothing";
    EXPECT_EQ(without(problems_of({.file = file}), source_dir + "/"), expected) << file;
    ++files;
  }
  EXPECT_GE(files, 80);
}

TEST(ConfigBroken, MonthsAndSetsAreCheckedLikeTheFile) {
  EXPECT_EQ(load_company({.file = demo}, 24).data.parameters.months, 24);
  EXPECT_THROW(load_company({.file = demo}, 0), config::ConfigError);
  EXPECT_EQ(problems_of({.file = demo, .sets = {"site.abilene.pue=0.9"}}),
            "--set site.abilene.pue:1:18: 'pue' is 0.9 (it must be 1 or more); give a number 1 or more");
}

// Objects without an owner read no memory of others.
TEST(ConfigBroken, NoEntityAtAll) {
  const std::string said = problems_of({.file = demo, .sets = {"entity=[]"}});
  EXPECT_EQ(said.find("--set entity:1:8: 'entity' has 0 entries (at least 1 must be there); add a [[entity]]"),
            0U)
      << said;
}

// The matrix that a message proposes is valid, and leaves nothing to say.
TEST(ConfigBroken, ProposedCorrelationLoads) {
  const std::string message = problems_of({.file = source_dir + "/tests/broken/correlation_not_psd.toml"});
  const std::string mark = "the nearest valid one is ";
  ASSERT_NE(message.find(mark), message.npos);
  std::string proposal = message.substr(message.find(mark) + mark.size());
  std::vector<std::string> sets;
  for (std::istringstream parts(proposal); std::getline(parts, proposal, ';');) {
    const auto begin = proposal.find_first_not_of(' ');
    sets.push_back("correlation." + proposal.substr(begin));
  }
  EXPECT_EQ(sets.size(), 5U);
  EXPECT_EQ(problems_of({.file = demo, .sets = sets}), "");
}

// The whole commitment, or what of it is not drawn: one company.
TEST(ConfigKeys, ACommitmentIsTheBalanceAndTheUndrawn) {
  const std::string file = source_dir + "/configs/lakeside-template.toml";
  const Company base = load_company({.file = file});
  const Company whole = load_company({.file = file, .sets = {"tranche.senior-loan.commitment_musd=590"}});
  EXPECT_EQ(base.data.tranche.at(0).balance, 190'000);
  EXPECT_EQ(base.data.tranche.at(0).commitment, 400'000);
  EXPECT_EQ(whole.data.tranche.at(0).commitment, 400'000);
  EXPECT_EQ(whole.overrides.size(), 2U);  // 'undrawn_musd' went
}

// Taking out every correlation, which is one table, and a covenant's consequences.
TEST(ConfigOverlays, WhatIsTakenOutIsGone) {
  const Company company =
      load({"correlation.remove=['demand_training', 'demand_inference', 'price', 'rate', 'spread']"});
  for (std::size_t i = 0; i < kFactorCount; ++i) {
    for (std::size_t j = 0; j < kFactorCount; ++j)
      EXPECT_EQ(company.data.parameters.correlation[i][j], i == j ? 1.0F : 0.0F);
  }
  const std::string file = source_dir + "/configs/lakeside-template.toml";
  const auto sets = [](const char* what) { return "covenant.dscr." + std::string(what); };
  const Company calm =
      load_company({.file = file,
                    .sets = {sets("consequences=[]"),
                             sets("remove=['grace_months', 'margin_step_per_year', 'acceleration_months']")}});
  EXPECT_EQ(calm.data.covenant.at(0).targets, 0);
  EXPECT_EQ(calm.data.covenant.at(0).cash_sweep, 0);
  EXPECT_NE(calm.hash, load_company({.file = file}).hash);
  EXPECT_NE(problems_of({.file = file, .sets = {sets("consequences=[]")}}), "") << "grace without consequences";
}

// Every number that the loader read stands in the settings, at the place where it is written.
TEST(ConfigSettings, AreWhatTheCompanyRunsOn) {
  const Company company = load_company({.file = demo, .sets = {"site.abilene.unplanned_months=4"}});
  std::map<std::string, const config::Setting*> by_key;
  std::string canonical;
  for (const config::Setting& each : company.settings) {
    EXPECT_TRUE(by_key.emplace(each.key, &each).second) << each.key << " twice";
    if (each.origin == config::Setting::Origin::written) {
      EXPECT_NE(company.canonical_text.find(each.key + " = " + each.value + "\n"), std::string::npos)
          << each.key;
      canonical += each.key + " = " + each.value + "\n";
    }
  }
  EXPECT_EQ(canonical.size(), company.canonical_text.size());
  const auto origin = [&](const char* key) {
    const auto found = by_key.find(key);
    return found == by_key.end() ? "absent" : without(origin_text(*found->second), source_dir + "/");
  };
  EXPECT_EQ(origin("site.abilene.unplanned_months"), "--set");
  EXPECT_TRUE(origin("site.abilene.pue").ends_with(", [defaults.site]")) << origin("site.abilene.pue");
  EXPECT_TRUE(origin("site.abilene.gpus").starts_with("configs/demo.toml:"));
  for (const char* key :
       {"site.abilene.entity", "site.abilene.cancel_date", "tranche.ddtl.cash_sweep",
        "contract.orion-train.prepayment_credit_months", "on_plan.price", "entity.halcyon.reserve_months"})
    EXPECT_EQ(origin(key), "default") << key;
  EXPECT_EQ(by_key.at("site.abilene.entity")->value, "\"halcyon\"");
}

TEST(ConfigCompanies, AllLoad) {
  int companies = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_dir + "/configs")) {
    const std::string file = entry.path().string();
    if (read_text(file).find("\n[company]") == std::string::npos) continue;  // shared factors
    EXPECT_EQ(problems_of({.file = file}), "");
    ++companies;
  }
  EXPECT_GE(companies, 1);
}

// ---- The demo company. ----

TEST(ConfigDemo, TotalsAreThoseOfTheFile) {
  const Company company = load();
  const Totals& t = company.totals;
  EXPECT_EQ(company.name, "Halcyon Compute");
  EXPECT_EQ(config::format_date(company.as_of), "2026-03-31");
  EXPECT_EQ(t.sites, 2);
  EXPECT_EQ(t.running_sites, 1);
  EXPECT_EQ(t.gpus, 14096);
  EXPECT_EQ(t.running_gpus, 4096);
  EXPECT_NEAR(t.it_mw, 24.7, 1e-9);
  EXPECT_EQ(t.contracts, 3);
  EXPECT_EQ(t.contracted_gpus, 2048);
  // Northbank 24 months left, Orion 60, expansion 36.
  const double value = 730.5e-6 * (2048 * 2.20 * 24 + 6000 * 3.00 * 60 + 2500 * 3.20 * 36);
  EXPECT_NEAR(t.contract_value_musd, value, 1e-3);
  EXPECT_NEAR(t.prepayments_due_musd, 0.15 * 730.5e-6 * 6000 * 3.00 * 60, 1e-3);
  EXPECT_NEAR(t.debt_drawn_musd, 150, 1e-9);
  EXPECT_NEAR(t.debt_undrawn_musd, 560 + 75, 1e-9);
  EXPECT_NEAR(t.capex_to_go_musd, 10000 * 59000e-6 + 19.5 * 13.3 - 85, 1e-3);
  EXPECT_EQ(t.covenants, 3);
  EXPECT_EQ(t.covenant_tests,
            16 + 58 + 60);  // quarters from 2Q27, months from June 2026, months from April 2026
  EXPECT_EQ(company.hash.size(), 16U);
}

TEST(ConfigDemo, OpeningBalanceSheetBalances) {
  const Company company = load();
  const Scenario s = company.data.view();
  ASSERT_EQ(s.entity.size, 1);
  const Entity& e = s.entity[0];
  std::int64_t liabilities = std::int64_t{e.payables_opex} + e.payables_capex;
  for (std::int32_t i = 0; i < s.tranche.size; ++i) liabilities += s.tranche[i].balance;
  for (std::int32_t i = 0; i < s.contract.size; ++i) liabilities += s.contract[i].opening_unearned;
  std::int64_t assets =
      std::int64_t{e.cash} + e.restricted_cash + e.receivables + e.opening_ppe + e.other_net_assets;
  for (std::int32_t i = 0; i < s.site.size; ++i) assets += s.site[i].capex_paid;
  EXPECT_EQ(assets - liabilities, 290000);  // book equity
  EXPECT_EQ(e.opening_ppe, 90000);          // 175 less 85 paid at Abilene
}

TEST(ConfigDemo, SitesAndContracts) {
  const Company company = load();
  const Scenario s = company.data.view();
  const Site& running = s.site[0];
  EXPECT_EQ(running.running, 1);
  EXPECT_EQ(running.opening_gpu_value, 143360);
  EXPECT_EQ(running.capex, 0);
  EXPECT_EQ(running.contracts, 1);
  const Site& building = s.site[1];
  EXPECT_EQ(building.running, 0);
  EXPECT_EQ(building.first_contract, 1);
  EXPECT_EQ(building.contracts, 2);
  EXPECT_EQ(building.planned_ready_month, 6.0F);  // GPUs on 31 August, a month of commissioning
  EXPECT_EQ(building.order_month, -2.0F);
  EXPECT_EQ(building.tranche, 0);
  EXPECT_NEAR(building.lease_month, 19500 * 140.0 / 1000, 1e-2);
  const double power = 19500 * 1.15 * 730.5 * 0.075 / 1000;
  EXPECT_NEAR(building.power_fixed_month, power / 2, 1e-3);
  EXPECT_NEAR(building.power_floating_month, power / 2, 1e-3);
  EXPECT_NEAR(building.gpu_value_share, 590.0 / 849.35, 1e-6);

  const Contract& in_force = s.contract[0];
  EXPECT_EQ(in_force.running, 1);
  EXPECT_EQ(in_force.end_month, 24.0F);
  EXPECT_EQ(in_force.opening_unearned, 6000);
  EXPECT_EQ(in_force.prepayment_month, kNever);
  const Contract& orion = s.contract[1];
  EXPECT_EQ(company.contracts[1].id, "orion-train");
  EXPECT_EQ(orion.fixed_term, 0);
  EXPECT_EQ(orion.prepayment_month, 3);
  EXPECT_EQ(orion.order_head, -1);
  EXPECT_EQ(orion.credit_window_months, 60.0F);
  EXPECT_NEAR(orion.damages_cap, 3 * 6000 * 730.5 * 3.00 / 1000, 1.0);
}

TEST(ConfigDemo, Calendar) {
  const Company company = load();
  const Scenario s = company.data.view();
  ASSERT_EQ(s.month.size, 60);
  EXPECT_EQ(s.month[0].quarter_end, 0);  // April 2026
  EXPECT_EQ(s.month[2].quarter_end, 1);  // June
  EXPECT_EQ(s.month[3].quarter, 1);
  EXPECT_EQ(s.month[8].year_end, 1);  // December
  EXPECT_EQ(s.month[8].year, 0);
  EXPECT_EQ(s.month[9].year, 1);
  EXPECT_EQ(s.month[59].year, 5);
  EXPECT_EQ(s.month[59].quarter, 19);
}

TEST(ConfigDemo, ThresholdsStepAndRest) {
  const Company company = load({"covenant.dscr.holidays=[{from=2027-12-01, to=2028-01-31}]"});
  const Scenario s = company.data.view();
  const auto test = [&](std::int32_t covenant, std::int32_t month) {
    return s.covenant_test[s.covenant[covenant].first_test + month - 1];
  };
  EXPECT_EQ(test(0, 14).tested, 0);  // May 2027
  EXPECT_EQ(test(0, 15).tested, 1);  // June 2027
  EXPECT_EQ(test(0, 15).threshold, 1.05F);
  EXPECT_EQ(test(0, 16).tested, 0);
  EXPECT_EQ(test(0, 21).tested, 0);  // December 2027: holiday
  EXPECT_EQ(test(0, 24).threshold, 1.05F);
  EXPECT_EQ(test(0, 27).threshold, 1.15F);  // June 2028
  EXPECT_EQ(test(1, 2).tested, 0);
  EXPECT_EQ(test(1, 3).threshold, 0.85F);
  EXPECT_EQ(test(2, 1).threshold, 20000.0F);  // ledger units
  EXPECT_EQ(s.covenant[0].maximum, 0);
}

TEST(ConfigDemo, SwitchesAndHistory) {
  EXPECT_EQ(load().data.parameters.switches, kAllSwitches);
  const Company company = load({"switches.rates=false", "switches.attrition=false"});
  EXPECT_EQ(company.data.parameters.switches, kAllSwitches & ~(kRates | kAttrition));
  ASSERT_EQ(company.data.history.size(), 12U);
  for (int quarter = 0; quarter < 4; ++quarter) {
    Money sum = 0;
    for (int i = 0; i < 3; ++i) sum += company.data.history[static_cast<std::size_t>(3 * quarter + i)].ebitda;
    EXPECT_EQ(sum, std::vector<Money>({5000, 5500, 6500, 7000})[static_cast<std::size_t>(quarter)]);
  }
}

TEST(ConfigDemo, ViewsPointIntoTheData) {
  Company company = load();
  const Scenario s = company.data.view();
  EXPECT_EQ(s.site.data, company.data.site.data());
  EXPECT_EQ(s.covenant_test.size, 3 * 60);
  EXPECT_EQ(s.ageing.size, s.gpu_type.size * 60);
  EXPECT_EQ(s.launch_effect.size, s.gpu_type.size * s.launch.size);
  EXPECT_EQ(s.has_plan, 0U);
}

// ---- Streams are named: they stay where they are when other objects come, go or move. ----

std::map<std::string, StreamId> streams_of(const Company& company) {
  std::map<std::string, StreamId> all;
  const Scenario s = company.data.view();
  const auto at = [](std::int32_t i) { return static_cast<std::size_t>(i); };
  for (std::int32_t i = 0; i < s.site.size; ++i) {
    const std::string& id = company.sites[at(i)].id;
    for (std::size_t k = 0; k < kStageCount; ++k) {
      all[fmt::format("{}/stage{}", id, k)] = s.site[i].stage_delay[k].stream;
    }
    all[id + "/commissioning"] = s.site[i].commissioning_delay.stream;
    all[id + "/permit"] = s.site[i].cancel_stream;
    all[id + "/cost"] = s.site[i].cost_stream;
  }
  for (std::int32_t i = 0; i < s.customer.size; ++i) all[company.customers[at(i)].id] = s.customer[i].stream;
  for (std::int32_t i = 0; i < s.contract.size; ++i) all[company.contracts[at(i)].id] = s.contract[i].stream;
  for (std::int32_t i = 0; i < s.launch.size; ++i) all[company.launches[at(i)].id] = s.launch[i].delay.stream;
  for (int i = 0; i < 4; ++i) all["market" + std::to_string(i)] = s.market_stream[i];
  all["path"] = s.path_stream;
  return all;
}

// The text before the first [[...]], then each [[...]] with what belongs to it.
std::vector<std::string> blocks(const std::string& text) {
  std::vector<std::string> found;
  std::size_t begin = 0;
  for (auto at = text.find("\n[["); at != text.npos; at = text.find("\n[[", at + 1)) {
    found.push_back(text.substr(begin, at + 1 - begin));
    begin = at + 1;
  }
  found.push_back(text.substr(begin) + "\n");
  return found;
}

TEST(ConfigStreams, AreTheDocumentedHash) {
  const Company company = load();
  EXPECT_EQ(derive::stream_id("market/a"), company.data.parameters.market_stream[0]);
  EXPECT_EQ(derive::stream_id("path/parameters"), company.data.parameters.path_stream);
  const Site& site = company.data.site[1];
  EXPECT_EQ(derive::stream_id("site/abilene/grid"), site.stage_delay[kGrid].stream);
  EXPECT_EQ(derive::stream_id("site/abilene/gpus"), site.stage_delay[kGpus].stream);
  EXPECT_EQ(derive::stream_id("customer/orion/default"), company.data.customer[1].stream);
  EXPECT_EQ(derive::stream_id("contract/orion-train/draws"), company.data.contract[1].stream);
  EXPECT_EQ(derive::stream_id("gpu/vr200/launch"), company.data.launch[0].delay.stream);
  // Murmur3's finaliser of FNV-1a's offset basis and of the hash of "a", computed apart.
  EXPECT_EQ(derive::stream_id(""), 0xab3e7c0bU);
  EXPECT_EQ(derive::stream_id("a"), 0x1a80b1b3U);
}

TEST(ConfigStreams, DoNotMoveWhenObjectsAreReordered) {
  const Company original = load();
  const Company reversed = load_changed([](const std::string& text) {
    auto parts = blocks(text);
    std::reverse(parts.begin() + 1, parts.end());
    std::string joined;
    for (const std::string& each : parts) joined += each;
    return joined;
  });
  EXPECT_EQ(reversed.sites[0].id, "abilene");
  EXPECT_EQ(streams_of(reversed), streams_of(original));
}

TEST(ConfigStreams, DoNotMoveWhenAnObjectIsRemoved) {
  const auto all = streams_of(load());
  const Company fewer = load_changed([](const std::string& text) {
    std::string joined;
    for (const std::string& each : blocks(text)) {
      if (each.find("id = \"orion-train\"") == each.npos) joined += each;
    }
    return joined;
  });
  const auto rest = streams_of(fewer);
  EXPECT_EQ(rest.size() + 1, all.size());
  for (const auto& [name, stream] : rest) EXPECT_EQ(all.at(name), stream) << name;
}

// ---- Keys that no company in configs/ has. ----

TEST(ConfigKeys, OfABorrowerReachTheirFields) {
  const Company company = load_company({.file = source_dir + "/tests/borrower_keys.toml"});
  const ScenarioData& data = company.data;
  const Entity& spv = data.entity.at(0);
  EXPECT_EQ(spv.parent, 1);
  EXPECT_EQ(spv.guaranteed, 1);
  EXPECT_EQ(spv.guarantee_end, 15);
  EXPECT_EQ(spv.capex_contributed, 0);
  EXPECT_EQ(spv.lock_up_dscr, 1.3F);
  EXPECT_EQ(spv.reserve_months, 3.0F);
  EXPECT_EQ(spv.cash_sweep_share, 0.5F);
  EXPECT_EQ(spv.cash, 7'000);

  const auto place = [](const std::vector<Named>& all, std::string_view id) {
    return static_cast<std::size_t>(
        std::find_if(all.begin(), all.end(), [&](const Named& each) { return each.id == id; }) - all.begin());
  };
  const Site& whole = data.site.at(place(company.sites, "abilene"));
  const Site& part = data.site.at(place(company.sites, "abilene-b"));
  EXPECT_EQ(part.entity, 0);
  EXPECT_EQ(part.cost_stream, whole.cost_stream);
  EXPECT_EQ(part.cancel_stream, whole.cancel_stream);
  EXPECT_EQ(part.stage_delay[kGpus].stream, whole.stage_delay[kGpus].stream);
  EXPECT_NE(part.cost_stream, data.site.at(place(company.sites, "keflavik")).cost_stream);

  const Tranche& ddtl = data.tranche.at(place(company.tranches, "spv-ddtl"));
  EXPECT_EQ(part.tranche, static_cast<std::int32_t>(place(company.tranches, "spv-ddtl")));
  EXPECT_EQ(ddtl.draw_start_month, 1.0F);
  EXPECT_EQ(ddtl.draw_end_month, 10.0F);
  EXPECT_EQ(ddtl.draw_term_months, 24);
  EXPECT_EQ(ddtl.first_draw_month, 2);
  EXPECT_EQ(ddtl.vintages, 9);
  EXPECT_EQ(ddtl.capitalises_interest, 1);
  EXPECT_EQ(ddtl.cash_sweep, 1);
  EXPECT_EQ(ddtl.amortisation_start, 6);
  EXPECT_EQ(ddtl.amortisation_end, 12);
  // From the end of June, and from mid-July: both are paid from July on.
  ASSERT_EQ(ddtl.step_ups, 2);
  const auto first = static_cast<std::size_t>(ddtl.first_step_up);
  EXPECT_EQ(data.step_up.at(first).month, 4);
  EXPECT_EQ(data.step_up.at(first).add, 0.01F);
  EXPECT_EQ(data.step_up.at(first + 1).month, 4);
  EXPECT_EQ(data.step_up.at(first + 1).add, 0.02F);

  const Tranche& lease = data.tranche.at(place(company.tranches, "spv-lease"));
  EXPECT_EQ(lease.lease, 1);
  EXPECT_EQ(lease.scheduled, 1);
  EXPECT_EQ(lease.sculpted, 0);
  const auto row = static_cast<std::size_t>(lease.first_repayment);
  for (std::size_t month = 1; month <= 12; ++month) {
    EXPECT_EQ(data.repayment.at(row + month - 1), month == 3 ? 4.0F : month == 9 ? 1.0F : 0.0F) << month;
  }

  const Contract& orion = data.contract.at(place(company.contracts, "orion-b"));
  EXPECT_EQ(orion.prepayment, 4'500);
  EXPECT_EQ(orion.prepayment_month, 4);
  EXPECT_EQ(orion.entity, 0);
  EXPECT_NEAR(orion.start_month, 7.5F, 1e-6);

  const std::size_t v = place(company.covenants, "spv-dscr");
  const Covenant& dscr = data.covenant.at(v);
  EXPECT_EQ(dscr.entity, 0);
  EXPECT_EQ(dscr.window, Window::trailing_12);
  EXPECT_EQ(dscr.cures, 3);
  EXPECT_EQ(dscr.cures_in_row, 2);
  EXPECT_EQ(dscr.last_cure, 10);  // the test of 31 January comes after the 15th
  EXPECT_EQ(dscr.waivers, 1);
  EXPECT_EQ(dscr.first_waiver, 9);
  EXPECT_EQ(dscr.waiver_fee_share, 0.005F);
  EXPECT_EQ(dscr.draw_stop, 1);
  EXPECT_EQ(dscr.cash_trap, 0);
  EXPECT_EQ(dscr.margin_step, 0.02F);
  EXPECT_EQ(dscr.grace_months, 1);
  EXPECT_EQ(dscr.acceleration_months, 6);
  ASSERT_EQ(dscr.targets, 1);
  EXPECT_EQ(data.covenant_target.at(static_cast<std::size_t>(dscr.first_target)), part.tranche);
  for (std::int32_t month = 1; month <= 20; ++month) {
    EXPECT_EQ(data.covenant_test.at(static_cast<std::size_t>(dscr.first_test + month - 1)).tested,
              month >= 7 && month <= 12 ? 1 : 0)
        << month;
  }
}

// ---- Derived numbers against closed forms. ----

TEST(ConfigDerive, NormalQuantile) {
  EXPECT_NEAR(derive::normal_quantile(0.975), 1.959963984540054, 1e-14);
  EXPECT_NEAR(derive::normal_quantile(0.9), 1.2815515655446004, 1e-14);
  EXPECT_EQ(derive::normal_quantile(0.5), 0.0);
}

TEST(ConfigDerive, TransitionMatrix) {
  // Two states that exchange at a and b, the third cut off: P12 = a / (a + b) (1 - e^{-(a + b) / 12}).
  const double a = 0.8;
  const double b = 0.35;
  const auto two = derive::monthly_transition({{{-a, a, 0}, {b, -b, 0}, {0, 0, 0}}});
  EXPECT_NEAR(two[0][1], a / (a + b) * -std::expm1(-(a + b) / 12), 1e-15);
  EXPECT_NEAR(two[1][0], b / (a + b) * -std::expm1(-(a + b) / 12), 1e-15);
  EXPECT_EQ(two[2][2], 1.0);
  // A cycle with equal rates r: the eigenvalues of Q are r (w - 1) with w the cube roots of 1.
  const double r = 0.6 / 12;
  const auto cycle = derive::monthly_transition({{{-0.6, 0.6, 0}, {0, -0.6, 0.6}, {0.6, 0, -0.6}}});
  const double decay = std::exp(-1.5 * r);
  const double turn = std::sqrt(3.0) / 2 * r;
  EXPECT_NEAR(cycle[0][0], (1 + 2 * decay * std::cos(turn)) / 3, 1e-15);
  EXPECT_NEAR(cycle[0][1], (1 - decay * std::cos(turn) + std::sqrt(3.0) * decay * std::sin(turn)) / 3, 1e-15);
  EXPECT_NEAR(cycle[0][0] + cycle[0][1] + cycle[0][2], 1.0, 1e-15);
}

TEST(ConfigDerive, OrnsteinUhlenbeck) {
  const double kappa = 1.3;
  const double sigma = 0.4;
  // Variance after a year: sigma^2 (1 - e^{-2 kappa}) / (2 kappa), however many steps led there.
  double variance = 0;
  for (int i = 0; i < 12; ++i) {
    const double sd = derive::ou_sd_month(kappa, sigma);
    variance = variance * derive::ou_decay_month(2 * kappa) + sd * sd;
  }
  EXPECT_NEAR(variance, sigma * sigma * (1 - std::exp(-2 * kappa)) / (2 * kappa), 1e-15);
  EXPECT_NEAR(std::pow(derive::ou_decay_month(kappa), 12), std::exp(-kappa), 1e-15);
  EXPECT_NEAR(derive::ou_sd_month(0.0, sigma), sigma / std::sqrt(12.0), 1e-15);
  EXPECT_NEAR(derive::ou_sd_month(1e-9, sigma), sigma / std::sqrt(12.0), 1e-9);
}

TEST(ConfigDerive, HullWhite) {
  // Fit to the curve: E[r] - f is half the slope of Var of the integral of x (Brigo and Mercurio 2006, 3.3.1).
  const double a = 0.05;
  const double sigma = 0.008;
  const auto variance = [&](double t) {
    return sigma * sigma / (a * a) * (t + 2 / a * std::exp(-a * t) - std::exp(-2 * a * t) / (2 * a) - 1.5 / a);
  };
  for (const double t : {0.25, 1.0, 5.0, 20.0}) {
    const double h = 1e-3;
    EXPECT_NEAR(derive::hull_white_convexity(a, sigma, t), (variance(t + h) - variance(t - h)) / (4 * h), 1e-9);
  }
  EXPECT_NEAR(derive::hull_white_convexity(0.0, sigma, 5.0), sigma * sigma * 25 / 2, 1e-15);
  const std::vector<derive::CurvePoint> curve = {{1, 0.03}, {2, 0.04}, {5, 0.05}};
  EXPECT_EQ(derive::forward_rate(curve, 0.5), 0.03);
  EXPECT_NEAR(derive::forward_rate(curve, 1.25), 0.0325, 1e-15);
  EXPECT_NEAR(derive::forward_rate(curve, 2.0), 0.04, 1e-15);
  EXPECT_EQ(derive::forward_rate(curve, 9.0), 0.05);
  const Company company = load();
  EXPECT_NEAR(company.data.month[11].rate_base, 0.0365 + derive::hull_white_convexity(a, sigma, 1.0), 1e-8);
}

TEST(ConfigDerive, Growth) {
  EXPECT_NEAR(derive::fading(0.8, 0.2, 24, 0), 0.8, 1e-15);
  EXPECT_NEAR(derive::fading(0.8, 0.2, 24, 24), 0.5, 1e-15);
  EXPECT_NEAR(derive::fading(0.8, 0.2, 24, 48), 0.35, 1e-15);
  const Company company = load();
  EXPECT_NEAR(company.data.month[23].growth_inference, 0.5 / 12, 1e-8);
  EXPECT_NEAR(company.data.parameters.demand.jump_probability_month, 1 - std::exp(-0.3 / 12), 1e-8);
}

derive::Correlation identity() {
  derive::Correlation matrix{};
  for (std::size_t i = 0; i < kFactorCount; ++i) matrix[i][i] = 1.0;
  return matrix;
}

void set_pair(derive::Correlation& matrix, std::size_t i, std::size_t j, double value) {
  matrix[i][j] = matrix[j][i] = value;
}

TEST(ConfigDerive, CholeskyGivesTheMatrixBack) {
  derive::Correlation matrix = identity();
  set_pair(matrix, 0, 1, 0.5);
  set_pair(matrix, 2, 5, -0.3);
  set_pair(matrix, 3, 4, 1.0);  // semi-definite: the spread is the rate
  const auto lower = derive::cholesky(matrix);
  ASSERT_TRUE(lower.has_value());
  for (std::size_t i = 0; i < kFactorCount; ++i) {
    for (std::size_t j = 0; j < kFactorCount; ++j) {
      double product = 0;
      for (std::size_t k = 0; k < kFactorCount; ++k) product += (*lower)[i][k] * (*lower)[j][k];
      EXPECT_NEAR(product, matrix[i][j], 1e-14) << i << ' ' << j;
      if (j > i) {
        EXPECT_EQ((*lower)[i][j], 0.0);
      }
    }
  }
  EXPECT_NEAR((*lower)[1][1], std::sqrt(0.75), 1e-15);
}

TEST(ConfigDerive, NearestCorrelation) {
  // Higham (2002), section 1: the nearest to [1 1 0; 1 1 1; 0 1 1] has 0.7607 and 0.1573.
  derive::Correlation matrix = identity();
  set_pair(matrix, 0, 1, 1.0);
  set_pair(matrix, 1, 2, 1.0);
  EXPECT_FALSE(derive::cholesky(matrix).has_value());
  const derive::Correlation nearest = derive::nearest_correlation(matrix, 0.0);
  EXPECT_NEAR(nearest[0][1], 0.7607, 5e-5);
  EXPECT_NEAR(nearest[1][2], 0.7607, 5e-5);
  EXPECT_NEAR(nearest[0][2], 0.1573, 5e-5);
  EXPECT_NEAR(nearest[3][4], 0.0, 1e-12);
  EXPECT_TRUE(derive::cholesky(derive::nearest_correlation(matrix, 1e-3)).has_value());
}

TEST(ConfigDerive, Delays) {
  const DelayParams p = derive::delay_params({0.4, 2.0, 9.0, -1.0, 0.36}, 7);
  EXPECT_NEAR(p.earliest_months + std::exp(p.mu), 2.0, 1e-6);
  EXPECT_NEAR(p.earliest_months + std::exp(p.mu + p.sigma * 1.2815515655), 9.0, 1e-5);
  EXPECT_NEAR(p.z_on_time, -0.2533471031, 1e-7);
  EXPECT_NEAR(p.p_late, 0.6, 1e-7);
  EXPECT_NEAR(p.systemic, 0.6, 1e-7);
  EXPECT_NEAR(p.own, 0.8, 1e-7);
  EXPECT_EQ(p.stream, 7U);
  EXPECT_EQ(derive::delay_params({0.0, 2.0, 9.0, -1.0, 0.36}, 7).z_on_time, -100.0F);
  EXPECT_EQ(derive::delay_params({1.0, 2.0, 9.0, -1.0, 0.36}, 7).p_late, 0.0F);
  // The grid delay of market.toml for a stage with 13 months to go, on time included: P50 1.9, P80 6.6,
  // P90 10.7 months, to a decimal.
  const DelayParams grid = load({"delay.grid.reference_months=0"}).data.site[1].stage_delay[kGrid];
  const auto quantile = [&](double u) {
    const double late = (u - (1.0 - grid.p_late)) / grid.p_late;
    return grid.earliest_months + std::exp(grid.mu + grid.sigma * derive::normal_quantile(late));
  };
  EXPECT_NEAR(quantile(0.5), 1.9, 0.05);
  EXPECT_NEAR(quantile(0.8), 6.6, 0.05);
  EXPECT_NEAR(quantile(0.9), 10.7, 0.05);
}

TEST(ConfigDerive, Ageing) {
  const derive::Ageing rates{0.3, 0.1, 2.0};
  EXPECT_NEAR(derive::ageing(rates, 0.0, 1.0), 0.3, 1e-15);
  EXPECT_NEAR(derive::ageing(rates, 1.0, 4.0), 0.3 + 0.2, 1e-15);
  EXPECT_NEAR(derive::ageing(rates, 3.0, 4.0), 0.1, 1e-15);
  EXPECT_NEAR(derive::ageing(rates, -1.0, 0.5), 0.15, 1e-15);  // sold from half a year ago on
  EXPECT_EQ(derive::ageing(rates, -2.0, -1.0), 0.0);
}

TEST(ConfigDerive, LaunchEffects) {
  // vr200 is not older than its own launch; h100 is.
  const Company fixed = load();
  const auto type = [&](const std::string& id) {
    const auto at = std::find_if(fixed.gpu_types.begin(), fixed.gpu_types.end(),
                                 [&](const Named& each) { return each.id == id; });
    return static_cast<std::int32_t>(at - fixed.gpu_types.begin());
  };
  const Scenario s = fixed.data.view();
  const auto effect = [](const Scenario& of, std::int32_t g, std::int32_t h) {
    return of.launch_effect[of.gpu_type[g].first_launch_effect + h];
  };
  EXPECT_EQ(effect(s, type("h100"), 0), 0.10F);
  EXPECT_EQ(effect(s, type("vr200"), 0), 0.0F);
  EXPECT_EQ(effect(s, type("vr200"), 1), 0.10F);
  // Hedonic: half of ln(4 / 1) for h100; a type that gives more per dollar loses nothing.
  const Company told = load_changed([](const std::string& text) {
    std::string changed = text +
                          "\n[[launch]]\nid = \"next\"\nplanned = 2026-09-30\nramp_months = 6\n"
                          "delay = \"launch\"\nperformance_per_dollar = 4.0\n";
    for (const char* id : {"a100", "h100", "h200", "b200", "gb200", "gb300", "vr200"}) {
      const bool old = std::string(id) == "h100";
      changed += fmt::format("[[gpu]]\nid = \"{}\"\nperformance_per_dollar = {}\n", id, old ? 1 : 8);
    }
    return changed;
  });
  ASSERT_EQ(told.launches[5].id, "next");
  EXPECT_NEAR(effect(told.data.view(), type("h100"), 5), 0.5 * std::log(4.0), 1e-7);
  EXPECT_EQ(effect(told.data.view(), type("gb200"), 5), 0.0F);
  EXPECT_EQ(effect(told.data.view(), type("h100"), 0), 0.10F);  // a given effect stands
}

TEST(ConfigDerive, DefaultIntensity) {
  EXPECT_NEAR(std::exp(-12 * derive::default_intensity_month(0.0376)), 1 - 0.0376, 1e-15);
  EXPECT_EQ(derive::default_intensity_month(0.0), 0.0);
}

}  // namespace
}  // namespace headroom
