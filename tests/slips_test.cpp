// SPDX-License-Identifier: Apache-2.0
// Slips of a unit: at least 95% of those that the loader accepts are warned of, and nothing in the shipped
// companies is. HEADROOM_TEST_MUTATIONS=all tries every number of every company.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "host/warn/warnings.hpp"
#include "tests/mutation.hpp"

namespace headroom {
namespace {

const std::string kFolder = HEADROOM_SOURCE_DIR "/configs/";

// The factors by which a number of this key is wrong if it is entered in a neighbouring unit.
std::vector<double> slips_of(const std::string& key) {
  constexpr double kMonth = 30.4375, kHours = 730.5;
  std::string name = key.substr(key.rfind('.') + 1);
  for (const char* regime : {"shortage", "balanced", "glut"}) {
    if (name != regime) continue;
    const std::string above = key.substr(0, key.rfind('.'));
    name = above.substr(above.rfind('.') + 1);
  }
  for (const char* count : {"priority", "count", "in_row", "year"}) {
    if (name == count) return {};
  }
  struct Rule {
    std::string_view end;
    std::vector<double> factors;
  };
  static const std::vector<Rule> rules = {
      {"_usd_per_gpu_hour", {24, 100, kHours, 12 * kHours}},  // a day, cents, a month, a year
      {"_usd_per_kwh", {100, 1000}},                          // cents, a MWh
      {"_usd_per_kw_month", {12, 1.0 / 12, 1000, 0.001}},     // a year, a MW, USD thousand
      {"_usd_per_gpu", {8, 0.001, 1000}},                     // a node, USD thousand
      {"_musd_per_mw", {1000, 0.001, 1e6}},                   // USD thousand, a kW, USD
      {"_musd_per_month", {1000, 0.001, 1e6}},                // USD thousand, billion, USD
      {"_musd_per_quarter", {1000, 0.001, 1e6}},
      {"_musd", {1000, 0.001, 1e6}},
      {"_mw", {1000, 0.001, 1e6}},        // kW, GW, W
      {"gpus", {1000, 0.001, 0.125, 8}},  // thousands, nodes
      {"_million", {1000, 0.001, 1e6}},
      {"_per_year", {100, 0.01, 12, 1.0 / 12}},  // percent, a month
      {"_per_month", {100, 0.01, 12, 1.0 / 12}},
      {"_per_quarter", {100, 0.01}},
      {"_months", {1.0 / 12, kMonth}},  // years, days
      {"_years", {12, 1.0 / 12}},
      {"_days", {24, 1 / kMonth}},
      {"_days_opex", {24, 1 / kMonth}},
      {"_days_capex", {24, 1 / kMonth}},
      {"pue", {10, 100}},
      {"ledger_unit_usd", {1000, 0.001}},
      {"_usd", {100}},    // cents
      {"", {100, 0.01}},  // percent
  };
  for (const Rule& rule : rules) {
    if (name.ends_with(rule.end)) return rule.factors;
  }
  return {};
}

struct Count {
  int tried = 0, refused = 0, warned = 0;
  std::vector<std::string> silent{};
};

void try_it(Mutant& mutant, const std::string& what, const config::Place& place, const std::string& text,
            Count& count) {
  ++count.tried;
  try {
    const Company company = mutant.load(place.file, text);
    if (warnings_of(company).empty()) {
      count.silent.push_back(what);
    } else {
      ++count.warned;
    }
  } catch (const config::ConfigError&) {
    ++count.refused;
  }
}

// Tries every `stride`-th number.
void slip_numbers(Mutant& mutant, const Company& base, std::size_t stride, Count& count) {
  std::size_t index = 0;
  for (const config::Setting& each : base.settings) {
    if (each.origin != config::Setting::Origin::written) continue;
    for (const config::Setting::Number& number : each.numbers) {
      if (number.value == 0 || index++ % stride != 0) continue;
      for (const double factor : slips_of(each.key)) {
        double slipped = number.value * factor;
        if (std::fabs(slipped - std::round(slipped)) < 1e-9 * std::fabs(slipped)) slipped = std::round(slipped);
        const std::string text = fmt::format("{}", slipped);
        try_it(mutant, fmt::format("{} = {} for {}", each.key, text, number.value), number.place,
               mutant.with_number(number.place, text), count);
      }
    }
  }
}

void slip_dates(Mutant& mutant, const Company& base, std::size_t stride, Count& count) {
  std::size_t index = 0;
  for (const config::Setting& each : base.settings) {
    if (each.origin != config::Setting::Origin::written || each.value.size() != 10 || each.value[4] != '-' ||
        each.value[0] == '"')
      continue;
    if (index++ % stride != 0) continue;
    for (const int years : {1000, 100, -1000}) {
      const std::string text =
          fmt::format("{:04}{}", std::stoi(each.value.substr(0, 4)) + years, each.value.substr(4));
      try_it(mutant, fmt::format("{} = {} for {}", each.key, text, each.value), each.place,
             mutant.with_number(each.place, text), count);
    }
  }
}

class Slips : public testing::TestWithParam<std::string> {};

TEST_P(Slips, AreWarnedOf) {
  const bool all = std::getenv("HEADROOM_TEST_MUTATIONS") != nullptr;
  const bool small = GetParam() == "demo";
  const std::size_t stride = all || small ? 1 : 7;
  Mutant mutant(kFolder + GetParam() + ".toml");
  const Company base = mutant.load();
  Count numbers, dates;
  slip_numbers(mutant, base, stride, numbers);
  slip_dates(mutant, base, stride, dates);
  for (const Count* count : {&numbers, &dates}) {
    const int accepted = count->tried - count->refused;
    std::cout << fmt::format("  {} {}: {} slips, {} refused, {} accepted, {} warned of\n", GetParam(),
                             count == &numbers ? "numbers" : "dates", count->tried, count->refused, accepted,
                             count->warned);
    EXPECT_GT(count->tried, 10);
    EXPECT_GE(count->warned, 0.95 * accepted) << fmt::format("{}", fmt::join(count->silent, "\n"));
    if (all) std::cout << fmt::format("    {}\n", fmt::join(count->silent, "\n    "));
  }
}

INSTANTIATE_TEST_SUITE_P(Companies, Slips, testing::ValuesIn(kCompanies),
                         [](const auto& each) { return each.param.substr(0, each.param.find('-')); });

TEST(Slips, NoneInTheShippedCompanies) {
  int tried = 0;
  for (const std::string& company : kCompanies) {
    std::vector<std::vector<std::string>> overlays = {{}};
    for (const auto& entry : std::filesystem::directory_iterator(kFolder + "stress")) {
      const bool of_coreweave = Mutant("").text(entry.path().string()).find("\nfor = ") != std::string::npos;
      if (!of_coreweave || company == "coreweave-1q26") overlays.push_back({entry.path().string()});
    }
    for (const auto& each : overlays) {
      for (const config::Problem& warning :
           warnings_of(load_company({.file = kFolder + company + ".toml", .overlays = each})))
        ADD_FAILURE() << to_string(warning);
      ++tried;
    }
  }
  EXPECT_EQ(tried, 4 * 4 + 2);
}

std::string warned(std::vector<std::string> sets) {
  std::string text;
  for (const config::Problem& each :
       warnings_of(load_company({.file = kFolder + "demo.toml", .sets = std::move(sets)})))
    text += to_string(each) + "\n";
  return text;
}

// One slip, one warning: the sizes that follow from it are not accused.
TEST(Slips, SayPlaceAndReason) {
  EXPECT_EQ(
      warned({"site.abilene.it_mw=19500"}),
      "--set site.abilene.it_mw:1:20: 'it_mw' is 19500 (1.95 MW a GPU; usual: 0.0004 to 0.006; 0.0013 an H100, "
      "0.0019 an NVL72 GPU [P]; the ends: assumption); is its unit right?\n");
  EXPECT_EQ(warned({"contract.orion-train.price_usd_per_gpu_hour=2190"}),
            "--set contract.orion-train.price_usd_per_gpu_hour:1:45: 'price_usd_per_gpu_hour' is 2190 (378 of "
            "its GPU's "
            "price on demand; usual: 0.12 to 2.5; 0.4 to 0.7 [P]; the ends: assumption); is its unit right?\n");
  EXPECT_EQ(warned({"gpu.gb200.price_usd_per_gpu_hour=4200"}),
            "--set gpu.gb200.price_usd_per_gpu_hour:1:34: 'price_usd_per_gpu_hour' is 4200 (usual: 0.2 to 30 "
            "USD; 1.55 "
            "to 7.70 [P]; the ends: assumption); is its unit right?\n");
  EXPECT_EQ(warned({"site.abilene.pue=15"}),
            "--set site.abilene.pue:1:18: 'pue' is 15 (usual: 1 to 2.5; 1.10 to 1.56 [P, R]; the ends: "
            "assumption); is "
            "its unit right?\n");
  EXPECT_EQ(warned({"covenant.dscr.first_test=3027-06-30"}),
            "--set covenant.dscr.first_test:1:26: 'first_test' is 3027-06-30 (the company stands at "
            "2026-03-31); is the "
            "year right?\n");
  // No number is unusual by itself, and nothing is left of the revenue.
  const std::string margin =
      warned({"defaults.site.lease_usd_per_kw_month=490", "site.keflavik.lease_usd_per_kw_month=490",
              "defaults.site.facility_usd_per_kw_month=95", "defaults.site.pue=2.4",
              "defaults.site.power_usd_per_kwh=0.45", "site.keflavik.power_usd_per_kwh=0.3",
              "entity.halcyon.sga_share_of_revenue=0.45", "contract.northbank-h100.price_usd_per_gpu_hour=0.9",
              "contract.orion-train.price_usd_per_gpu_hour=0.9",
              "contract.northbank-gb200.price_usd_per_gpu_hour=0.9", "on_demand.premium=0.4"});
  EXPECT_TRUE(margin.find("the plan's EBITDA is -") != std::string::npos) << margin;
}

}  // namespace
}  // namespace headroom
