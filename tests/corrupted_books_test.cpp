// SPDX-License-Identifier: Apache-2.0
// Each identity of MODEL.md section 7 fails where it should: a path is run month by month, and one word of
// its state is changed by one unit in between.
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "headroom/month/month.hpp"
#include "host/engine/calendar.hpp"
#include "host/plan/make_plan.hpp"
#include "small_company.hpp"

namespace headroom {
namespace {

struct Alone {
  static constexpr std::size_t kStride = 1;
  static std::uint32_t* row(std::uint32_t* start) { return start; }
};
using OnePath = Path<Alone, PhiloxGenerator>;

struct OneLane {
  OnePath path;

  template <class F>
  void each(F&& f) {
    f(path);
  }
  template <class F>
  std::uint32_t any(F&& f) {
    return f(path);
  }
  auto draw(std::int32_t, std::int32_t month, StreamId stream) {
    return [month, stream](const OnePath& p) { return p.draw(month, stream); };
  }
  void observe(std::int32_t, std::int32_t) {}
};

class Rolled {
 public:
  explicit Rolled(const ScenarioData& data)
      : scenario_(data.view()),
        rows_(calendar_of(scenario_)),
        layout_(state_layout(scenario_, rows_)),
        calendar_(rows_.view()),
        words_(static_cast<std::size_t>(layout_.words), 0),
        column_(static_cast<std::size_t>(column_layout(scenario_).count())),
        lane_{{{words_.data(), 0}, 0, 0, 1, 0, column_.data(), 1}} {
    start(Now{scenario_, calendar_, layout_, 0}, lane_);
  }
  // Rolls the month; the violations of all months so far.
  std::int32_t month(std::int32_t t) {
    advance(Now{scenario_, calendar_, layout_, t}, lane_);
    return lane_.path.load(layout_.totals).violations;
  }
  template <class T>
  void change(Slot<T> StateLayout::*slot, Money T::*field, std::int32_t i = 0) {
    T value = lane_.path.load(layout_.*slot, i);
    value.*field += 1;
    lane_.path.at(layout_.*slot, i) = value;
  }

 private:
  Scenario scenario_;
  CalendarData rows_;
  StateLayout layout_;
  Calendar calendar_;
  std::vector<std::uint32_t> words_;
  std::vector<std::int32_t> column_;
  OneLane lane_;
};

ScenarioData company() {
  ScenarioData data = still_company(4);
  data.entity[0].cash = 50'000;
  data.entity[0].shares_million = 1.0F;
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  data.contract = {running_contract(0, 100, 2.0, 100)};
  data.contract[0].opening_unearned = 600, data.contract[0].credit_window_months = 60.0F;
  data.tranche = {tranche_of(TrancheKind::term, 9'000)};
  make_plan(data);
  return data;
}

TEST(CorruptedBooks, ASoundPathViolatesNothing) {
  const ScenarioData data = company();
  Rolled rolled(data);
  for (std::int32_t t = 1; t <= 4; ++t) EXPECT_EQ(rolled.month(t), 0) << "month " << t;
}

TEST(CorruptedBooks, EachIdentityFails) {
  struct Case {
    const char* what;
    std::function<void(Rolled&)> corrupt;
    std::int32_t flags;
  };
  const Case cases[] = {
      {"cash brought forward", [](Rolled& r) { r.change(&StateLayout::entity, &EntityState::cash); },
       kBalanceIdentity},
      {"debt of the entity", [](Rolled& r) { r.change(&StateLayout::entity, &EntityState::debt); },
       kDebtIdentity | kBalanceIdentity},
      {"balance of the tranche", [](Rolled& r) { r.change(&StateLayout::tranche, &TrancheState::balance); },
       kDebtIdentity},
      {"deferred revenue", [](Rolled& r) { r.change(&StateLayout::entity, &EntityState::deferred); },
       kDeferredIdentity | kBalanceIdentity},
      {"the contract's unearned", [](Rolled& r) { r.change(&StateLayout::contract, &ContractState::unearned); },
       kDeferredIdentity},
      {"PP&E", [](Rolled& r) { r.change(&StateLayout::entity, &EntityState::ppe); },
       kPpeIdentity | kBalanceIdentity},
      {"equity", [](Rolled& r) { r.change(&StateLayout::entity, &EntityState::equity); }, kBalanceIdentity},
      {"receivables", [](Rolled& r) { r.change(&StateLayout::entity, &EntityState::receivables); },
       kBalanceIdentity}};
  const ScenarioData data = company();
  for (const Case& each : cases) {
    SCOPED_TRACE(each.what);
    Rolled rolled(data);
    EXPECT_EQ(rolled.month(1), 0);
    each.corrupt(rolled);
    EXPECT_EQ(rolled.month(2), each.flags);
  }
}

}  // namespace
}  // namespace headroom
