// SPDX-License-Identifier: Apache-2.0
// Why something happened, on cases with known causes: first in worlds made by hand, then in the engine, where
// companies loaded with other switches are rolled one by one as a check.
#include "host/why/why.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "host/plan/make_plan.hpp"
#include "host/plan/plan_table.hpp"
#include "tests/outcomes_fixture.hpp"
#include "tests/small_company.hpp"

namespace headroom {
namespace {

constexpr CauseSet kA = 1, kB = 2, kC = 4, kD = 8;

// One event on these paths, which happens with `random` if `rule` says so.
std::vector<Storyline> storylines_of(const std::function<bool(std::uint64_t path, CauseSet random)>& rule,
                                     int* rolls = nullptr) {
  std::vector<std::uint64_t> sample(100);
  std::iota(sample.begin(), sample.end(), 1000U);
  const auto sets = minimal_sets({sample}, {0, 1, 2, 3}, [&](CauseSet random, const auto& paths) {
    if (rolls != nullptr) *rolls += static_cast<int>(paths.size());
    std::vector<std::uint8_t> happens;
    for (const std::uint64_t path : paths) happens.push_back(rule(path, random) ? 1 : 0);
    return std::vector<std::vector<std::uint8_t>>{happens};
  });
  return storylines(sample, sets.front());
}

TEST(MinimalSets, OneCauseAlone) {
  int rolls = 0;
  const auto lines = storylines_of([](auto, CauseSet random) { return (random & kB) != 0; }, &rolls);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].sets, std::vector<CauseSet>{kB});
  EXPECT_EQ(lines[0].weight.count, 100U);
  EXPECT_EQ(lines[0].path, 1000U);
  EXPECT_EQ(rolls, 500) << "the plan and four factors; no pair is tried on a path that is explained";
}

TEST(MinimalSets, EitherOfTwoSuffices) {
  const auto lines = storylines_of([](auto, CauseSet random) { return (random & (kA | kC)) != 0; });
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].sets, (std::vector<CauseSet>{kA, kC}));
}

TEST(MinimalSets, TwoMustComeTogether) {
  const auto lines = storylines_of([](auto, CauseSet random) { return (random & (kA | kD)) == (kA | kD); });
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].sets, std::vector<CauseSet>{kA | kD});
}

TEST(MinimalSets, ThePlanItselfAndMoreThanThree) {
  EXPECT_EQ(storylines_of([](auto, auto) { return true; })[0].sets, std::vector<CauseSet>{0});
  EXPECT_TRUE(storylines_of([](auto, CauseSet random) { return random == 15; })[0].sets.empty());
}

TEST(MinimalSets, PathsWithOtherCausesAreOtherStorylines) {
  const auto lines = storylines_of([](std::uint64_t path, CauseSet random) {
    return path % 10 < 7 ? (random & kA) != 0 : (random & (kB | kC)) == (kB | kC);
  });
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].weight.count, 70U);
  EXPECT_EQ(lines[1].weight.count, 30U);
  EXPECT_EQ(lines[1].sets, std::vector<CauseSet>{kB | kC});
  EXPECT_EQ(lines[1].path, 1007U);
}

// ---- In the engine. ----

std::vector<std::string> without_all_but(std::uint32_t kept) {
  std::vector<std::string> sets;
  for (const SwitchTraits& each : kSwitchTable) {
    if (each.actor == Actor::chance && (each.bit & kept) == 0)
      sets.push_back(std::string("switches.") + each.name + "=false");
  }
  return sets;
}

Company demo(std::vector<std::string> sets) {
  return load_company({.file = configs_dir + "demo.toml", .overlays = {}, .sets = std::move(sets)});
}

std::size_t covenant(const Company& company, const std::string& id) {
  const auto& names = company.covenants;
  return static_cast<std::size_t>(
      std::find_if(names.begin(), names.end(), [&](const Named& n) { return n.id == id; }) - names.begin());
}

void move_threshold(Company& company, std::size_t v, Real by) {
  const auto first = static_cast<std::size_t>(company.data.covenant[v].first_test);
  for (std::size_t t = 0; t < static_cast<std::size_t>(company.data.parameters.months); ++t)
    company.data.covenant_test[first + t].threshold += by;
}

constexpr std::uint32_t kLate = kDelivery | kCancellation | kDamages | kTermination;
constexpr std::uint64_t kPaths = 3000;

WhyReport reasons_of(const Company& company, std::vector<std::size_t> events, const std::string& isa = "auto",
                     int threads = 0, std::uint64_t paths = kPaths) {
  WhyRequest request;
  request.paths = {3, 0, paths};
  request.events = std::move(events);
  request.sample = 1'000'000;
  request.isa = isa;
  request.threads = threads;
  return why(company, *make_cpu_backend(), request);
}

const Reason* reason(const WhyReport& report, const EventReasons& event, const std::string& id) {
  for (const Reason& each : event.groups) {
    if (report.groups[each.factor].id == id) return &each;
  }
  return nullptr;
}

std::vector<std::uint8_t> breaches(Company company, std::size_t v, Real threshold) {
  move_threshold(company, v, threshold);
  make_plan(company.data);
  RunPlan plan;
  plan.paths = {3, 0, kPaths};
  const Scenario scenario = company.data.view();
  const std::vector<BinRange> none(static_cast<std::size_t>(series_count(scenario) * scenario.months),
                                   BinRange{0, kNotCounted});
  const Outcomes outcomes = make_cpu_backend()->simulate(scenario, plan, none);
  std::vector<std::uint8_t> breached;
  for (const std::int32_t month :
       column_of(*outcomes.columns, outcomes.layout.first_breach(static_cast<std::int32_t>(v))))
    breached.push_back(month < kNever ? 1 : 0);
  return breached;
}

TEST(Why, OnlyALateSite) {
  const Company company = demo(without_all_but(kLate | kRates | kSpread | kPower));
  const std::size_t realization = covenant(company, "realization");
  const WhyReport report = reasons_of(company, {realization});
  const EventReasons& event = report.events.front();
  ASSERT_GT(event.probability.count, 100U);
  EXPECT_EQ(reason(report, event, "delivery")->goes_away.value, 1.0);
  EXPECT_EQ(reason(report, event, "delivery")->alone.value, 1.0);
  for (const char* other : {"rates", "spread", "power"}) {
    if (const Reason* each = reason(report, event, other)) {
      EXPECT_EQ(each->goes_away.count, 0U) << other;
      EXPECT_EQ(each->alone.count, 0U) << other;
    }
  }
  ASSERT_EQ(event.storylines.size(), 1U);
  EXPECT_EQ(event.storylines[0].weight.count, event.probability.count);
  // The demo builds one site.
  const auto site = std::find_if(event.objects.begin(), event.objects.end(), [&](const Reason& each) {
    return report.objects[each.factor].id == "site.abilene";
  });
  ASSERT_NE(site, event.objects.end());
  EXPECT_EQ(site->goes_away.value, 1.0);
  EXPECT_EQ(site->alone.value, 1.0);
}

// Rolled with the config's own switches, the same paths have the same causes. The threshold moves the case from
// one cause to two of which either suffices, and to two that must come together.
TEST(Why, TwoCausesAsTheConfigsOwnSwitchesSay) {
  const Company both = demo(without_all_but(kLate | kRates)), late = demo(without_all_but(kLate)),
                rates = demo(without_all_but(kRates)), none = demo(without_all_but(0));
  const std::size_t v = covenant(both, "liquidity");
  // The plan is left with a headroom of 1 to 20,000 thousand.
  Company planned = none;
  make_plan(planned.data);
  std::map<std::string, std::uint64_t> seen;
  const auto name = [](bool by_late, bool by_rates) {
    return by_late && by_rates ? "either" : by_late ? "late" : by_rates ? "rates" : "together";
  };
  const Scenario plan = planned.data.view();
  const Real spare = static_cast<Real>(plan_columns(
      plan)[static_cast<std::size_t>(column_layout(plan).min_headroom(static_cast<std::int32_t>(v)))]);
  for (const Real left : {1.0F, 30.0F, 100.0F, 300.0F, 1000.0F, 5000.0F, 20'000.0F}) {
    const Real by = spare - left;
    if (breaches(none, v, by)[0] != 0) continue;  // the plan itself
    const auto with_both = breaches(both, v, by), with_late = breaches(late, v, by),
               with_rates = breaches(rates, v, by);
    std::map<std::string, std::uint64_t> expected;
    std::uint64_t count = 0, not_late = 0;
    for (std::size_t i = 0; i < kPaths; ++i) {
      if (with_both[i] == 0) continue;
      ++count;
      not_late += with_rates[i] == 0 ? 1 : 0;
      ++expected[name(with_late[i] != 0, with_rates[i] != 0)];
    }
    if (count == 0) continue;
    Company moved = both;
    move_threshold(moved, v, by);
    const WhyReport report = reasons_of(moved, {v});
    const EventReasons& event = report.events.front();
    ASSERT_EQ(event.probability.count, count);
    EXPECT_EQ(reason(report, event, "delivery")->goes_away.count, not_late);
    std::map<std::string, std::uint64_t> got;
    for (const Storyline& line : event.storylines) {
      const auto has = [&](const char* id) {
        return std::any_of(line.sets.begin(), line.sets.end(), [&](CauseSet set) {
          return (set & (set - 1)) == 0 && report.groups[static_cast<std::size_t>(__builtin_ctz(set))].id == id;
        });
      };
      got[name(has("delivery"), has("rates"))] += line.weight.count;
    }
    EXPECT_EQ(got, expected) << "threshold moved by " << by;
    for (const auto& [kind, paths] : got) seen[kind] += paths;
  }
  for (const char* kind : {"late", "rates", "either", "together"})
    EXPECT_GT(seen[kind], 0U) << kind << " is on no path, so this test says nothing of it";
}

TEST(Why, IsTheSameOnAnyThreadAndInstructionSet) {
  const Company company = demo({});
  const auto words = [&](const std::string& isa, int threads) {
    std::vector<std::uint64_t> all;
    for (const EventReasons& event : reasons_of(company, {0, 2}, isa, threads, 300).events) {
      for (const Reason& each : event.groups) all.insert(all.end(), {each.goes_away.count, each.alone.count});
      std::uint64_t total = 0;
      for (const Storyline& line : event.storylines) {
        all.insert(all.end(), {line.weight.count, line.path});
        all.insert(all.end(), line.sets.begin(), line.sets.end());
        total += line.weight.count;
      }
      EXPECT_EQ(total, event.probability.count) << "every path has one storyline";
    }
    return all;
  };
  EXPECT_EQ(words("auto", 2), words("baseline", 1));
}

// With every group on plan no path differs from another in what happens on it.
TEST(Why, AllGroupsOnPlanLeaveNothingRandom) {
  for (const char* file : config_files) {
    Company company = load_company({.file = configs_dir + file});
    make_plan(company.data);
    const ScenarioData still = with_alone(company.data, factor_groups(company), 0);
    const Scenario scenario = still.view();
    RunPlan plan;
    plan.paths = {3, 0, 300};
    const std::vector<BinRange> none(static_cast<std::size_t>(series_count(scenario) * scenario.months),
                                     BinRange{0, kNotCounted});
    const Outcomes outcomes = make_cpu_backend()->simulate(scenario, plan, none);
    for (std::int32_t c = 0; c < outcomes.layout.count(); ++c) {
      if (c == kSystemicDelay) continue;
      const auto values = column_of(*outcomes.columns, c);
      EXPECT_EQ(*std::min_element(values.begin(), values.end()),
                *std::max_element(values.begin(), values.end()))
          << file << " column " << c;
    }
  }
}

TEST(Why, OfOnePathAlone) {
  const Company company = demo({});
  WhyRequest request;
  request.paths = {3, 0, kPaths};
  request.path = 17;
  const WhyReport report = why(company, *make_cpu_backend(), request);
  EXPECT_EQ(report.looked_through, 1U);
  for (const EventReasons& event : report.events) {
    EXPECT_LE(event.probability.count, 1U);
    EXPECT_EQ(event.storylines.size(), event.probability.count);
  }
}

}  // namespace
}  // namespace headroom
