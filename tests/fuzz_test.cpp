// SPDX-License-Identifier: Apache-2.0
// Damaged configs: each is refused with file, line and column, or runs without a violated identity. The preset
// `debug` runs this under sanitizers. HEADROOM_TEST_MUTATIONS=20000 tries as many configs, HEADROOM_TEST_SEED=7
// other ones.
#include "tests/fuzz.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>

#include "host/plan/make_plan.hpp"
#include "host/plan/plan_table.hpp"
#include "host/warn/trial.hpp"
#include "host/warn/warnings.hpp"
#include "tests/mutation.hpp"

namespace headroom {
namespace {

const std::string kFolder = HEADROOM_SOURCE_DIR "/configs/";

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  const std::uint64_t number = text != nullptr ? std::strtoull(text, nullptr, 10) : 0;
  return number > 0 ? number : otherwise;
}

struct Tally {
  int refused = 0, out_of_range = 0, ran = 0;
};

// Empty if all is well.
std::string fault_of(Mutant& mutant, const std::string& file, const std::string& text, Tally& tally) {
  bool loaded = false;
  try {
    Company company = mutant.load(file, text);
    loaded = true;
    try_company(company);
    warnings_of(company);
    make_plan(company.data);
    const Scenario scenario = company.data.view();
    std::int32_t kinds = plan_violations(scenario);
    for (const std::int32_t each : path_violations(scenario, {.seed = 7, .first = 0, .count = 64}))
      kinds |= each;
    ++tally.ran;
    return kinds == 0 ? "" : fmt::format("accepted, and identities {:#x} are violated", kinds);
  } catch (const config::ConfigError& error) {
    ++(loaded ? tally.out_of_range : tally.refused);
    for (const config::Problem& each : error.problems()) {
      if (each.file.empty() || each.line < 1 || each.column < 1 || each.text.find(" (") == std::string::npos ||
          each.text.find("); ") == std::string::npos)
        return "says '" + to_string(each) + "'";
    }
    return error.problems().empty() ? "refused without a problem" : "";
  } catch (const std::exception& error) {
    return fmt::format("throws {}", error.what());
  }
}

#if defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t kTries = 300;
#else
constexpr std::uint64_t kTries = 1000;
#endif

TEST(Fuzz, ADamagedConfigIsRefusedWithAPlaceOrRuns) {
  using Clock = std::chrono::steady_clock;
  const std::uint64_t tries = setting("HEADROOM_TEST_MUTATIONS", kTries),
                      seed = setting("HEADROOM_TEST_SEED", 1);
  constexpr double kSlowest = 20;  // seconds; under sanitizers a config takes some tenths
  Tally tally;
  int faults = 0;
  for (const char* company : {"demo.toml", "lakeside-template.toml"}) {
    Mutant mutant(kFolder + company);
    for (std::uint64_t i = 0; i < tries / 2; ++i) {
      const std::string file = kFolder + (i % 3 == 2 ? "market.toml" : company);
      const std::string text = Damage(1'000'000 * seed + i).of(mutant.text(file));
      const auto start = Clock::now();
      std::string fault = fault_of(mutant, file, text, tally);
      if (std::chrono::duration<double>(Clock::now() - start).count() > kSlowest) fault += "takes too long";
      if (fault.empty() || ++faults > 20) continue;
      // The lines that differ, so that the config can be made again.
      std::string differ;
      std::istringstream was(mutant.text(file)), is(text);
      for (std::string a, b; differ.size() < 600 && std::getline(is, b);) {
        std::getline(was, a);
        if (a != b) differ += "\n  " + b;
      }
      ADD_FAILURE() << company << " seed " << seed << " try " << i << ": " << fault << differ;
    }
  }
  std::cout << fmt::format("  {} configs: {} refused, {} beyond the ledger, {} ran; {} faults\n",
                           tally.refused + tally.out_of_range + tally.ran, tally.refused, tally.out_of_range,
                           tally.ran, faults);
  EXPECT_EQ(faults, 0);
  EXPECT_GT(tally.refused, tally.ran / 10);
  EXPECT_GT(tally.ran, tally.refused / 10);
}

// Any value for any key, written or not: it changes the config, or is the one that stands there, or is refused.
TEST(Fuzz, ASetIsAppliedOrRefused) {
  const std::string file = kFolder + "demo.toml";
  const Company base = load_company({.file = file});
  const bool all = std::getenv("HEADROOM_TEST_MUTATIONS") != nullptr;
  const std::size_t stride = all ? 1 : 5;
  int applied = 0, refused = 0, same = 0;
  for (std::size_t i = 0; i < base.settings.size(); i += stride) {
    const config::Setting& setting = base.settings[i];
    for (const std::string value :
         {"7", "-0.5", "true", "'x'", "[]", "{}", "2026-12-31", "nan", "[{ a = 1 }]"}) {
      const std::string set = setting.key + "=" + value;
      try {
        const Company company = load_company({.file = file, .sets = {set}});
        if (company.canonical_text != base.canonical_text) {
          ++applied;
          EXPECT_FALSE(company.overrides.empty()) << set;
          EXPECT_NE(company.hash, base.hash) << set;
        } else {
          ++same;
          EXPECT_TRUE(company.overrides.empty()) << set;
          EXPECT_EQ(setting.value, value) << set << " changed nothing";
        }
      } catch (const config::ConfigError& error) {
        ++refused;
        EXPECT_FALSE(error.problems().empty()) << set;
      }
    }
  }
  std::cout << fmt::format("  {} applied, {} refused, {} stood there already\n", applied, refused, same);
  EXPECT_GT(applied, 50);
  EXPECT_GT(refused, 50);
}

}  // namespace
}  // namespace headroom
