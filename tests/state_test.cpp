// SPDX-License-Identifier: Apache-2.0
// The state of a path: every field has a name and a unit, every word belongs to one field, and a field that is
// assigned through references is stored, and no other.
#include "headroom/state.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "headroom/model/entity.hpp"
#include "host/engine/calendar.hpp"
#include "host/plan/make_plan.hpp"
#include "small_company.hpp"

namespace headroom {
namespace {

ScenarioData planned(const std::string& file) {
  ScenarioData data = load_company({.file = configs_dir + file}, 60).data;
  make_plan(data);
  return data;
}

struct Prepared60 {
  explicit Prepared60(const std::string& file)
      : data(planned(file)),
        scenario(data.view()),
        rows(calendar_of(scenario)),
        layout(state_layout(scenario, rows)) {}
  ScenarioData data;
  Scenario scenario;
  CalendarData rows;
  StateLayout layout;
};

template <class T>
constexpr std::int32_t words_of(Slot<T> slot) {
  return T::kWords * slot.count;
}

TEST(State, EveryFieldHasANameAndAUnit) {
  Prepared60 company("demo.toml");
  std::set<std::string> structs;
  company.layout.for_each_slot([&]<class T>(Slot<T>, const char* name) {
    EXPECT_TRUE(structs.insert(name).second) << name;
    std::set<std::string> fields;
    for (const StateField& field : T::kFields) {
      EXPECT_TRUE(fields.insert(field.name).second) << name << "." << field.name;
      EXPECT_STRNE(field.unit, "") << name << "." << field.name;
    }
    EXPECT_EQ(static_cast<std::int32_t>(fields.size()), T::kWords) << name;
  });
}

TEST(State, EveryWordBelongsToOneStruct) {
  for (const char* file : config_files) {
    Prepared60 company(file);
    std::int32_t next = 0;
    company.layout.for_each_slot([&](auto slot, const char* name) {
      EXPECT_EQ(slot.first, next) << file << ": " << name;
      next += words_of(slot);
    });
    EXPECT_EQ(next, company.layout.words) << file;
  }
}

TEST(State, CostsNothingForWhatNoObjectHas) {
  Prepared60 plain("lakeside-template.toml"), group("coreweave-1q26.toml");
  EXPECT_EQ(plain.layout.breach.count, plain.rows.plain ? 0 : plain.scenario.covenant.size);
  EXPECT_EQ(plain.layout.instalments.count, 0);
  EXPECT_LE(group.layout.words, 920) << "CoreWeave's";
  ScenarioData data = still_company(12);
  make_plan(data);
  const Scenario empty = data.view();
  EXPECT_LE(state_layout(empty, calendar_of(empty)).words, 180) << "a company without objects";
}

struct ThreeLanes {
  static constexpr std::size_t kStride = 3;
  static std::uint32_t* row(std::uint32_t* start) { return start; }
};

TEST(State, OnlyAssignedFieldsAreStored) {
  constexpr std::size_t kStride = ThreeLanes::kStride, kLane = 1;
  Slot<EntityState> slot{2, 2};
  std::vector<std::uint32_t> words((2 + 2 * EntityState::kWords) * kStride, 0xffffffffU);
  const LaneMemory<ThreeLanes> path{words.data(), kLane};
  path.at(slot, 1) = EntityState{};
  std::vector<std::uint32_t> before = words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool own = i % kStride == kLane && i / kStride >= 2 + EntityState::kWords;
    EXPECT_EQ(words[i], own ? 0U : 0xffffffffU) << "word " << i;
  }
  const auto entity = path.at(slot, 1);
  entity.gap = 7;
  entity.leverage = 2.0F;
  std::set<std::size_t> changed;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] != before[i]) changed.insert(i);
  }
  const auto place = [&](EntityState::Place field) {
    return (2 + EntityState::kWords + static_cast<std::size_t>(field)) * kStride + kLane;
  };
  EXPECT_EQ(changed,
            (std::set<std::size_t>{place(EntityState::Place::gap), place(EntityState::Place::leverage)}));
  EXPECT_EQ(path.load(slot, 1).gap, 7);
}

// The change in cash is computed in two ways. One unit more in either is seen.
TEST(State, CashIdentitySeesAUnit) {
  Entity e{};
  const EntityTerms terms{};
  const EntityState opening{};
  const Flows flows{};
  const DebtMonth debt{};
  Income income{};
  income.revenue = income.ebitda = income.net_income = 50;
  Waterfall cash = run_waterfall<Role::borrower>(e, terms, Conditions{}, income, opening, flows, debt);
  EXPECT_EQ(cash.cash, 50);
  EXPECT_EQ(check_cash(e, terms, income, cash, 0, opening, flows, debt), 0);
  cash.cash += 1;
  EXPECT_EQ(check_cash(e, terms, income, cash, 0, opening, flows, debt), kCashIdentity);
  cash.cash -= 1, income.net_income += 1;
  EXPECT_EQ(check_cash(e, terms, income, cash, 0, opening, flows, debt), kCashIdentity);
}

}  // namespace
}  // namespace headroom
