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
  constexpr operator std::size_t() const { return 1; }
  template <class T>
  T* row(T* start) const {
    return start;
  }
};
using OnePath = Path<Alone, PhiloxGenerator>;

// `after` sees the path after every step of a month.
struct OneLane {
  OnePath path;
  std::function<void(const OnePath&)> after{};

  template <class F>
  void each(F&& f) {
    f(path);
    if (after) after(path);
  }
  template <class F>
  std::uint32_t any(F&& f) {
    return f(path);
  }
  auto draw(std::int32_t, std::int32_t month, StreamId stream) {
    return [month, stream](const OnePath& p) { return p.words(month, stream); };
  }
  void observe(std::int32_t, std::int32_t) {}
};

class Rolled {
 public:
  explicit Rolled(const ScenarioData& data)
      : scenario_(data.view()),
        rows_(calendar_of(scenario_)),
        layout_(state_layout(scenario_)),
        real_(static_cast<std::size_t>(layout_.reals), 0.0F),
        integer_(static_cast<std::size_t>(layout_.integers), 0),
        column_(static_cast<std::size_t>(column_layout(scenario_).count())),
        lane_{{{real_.data(), integer_.data(), {}, 0}, 0, 0, 1, 0, column_.data(), 1}} {
    start(scenario_, layout_, lane_);
  }
  // Rolls the month; the violations of all months so far.
  std::int32_t month(std::int32_t t) {
    advance(scenario_, rows_.view(), layout_, t, lane_);
    return lane_.path.load(layout_.totals).violations;
  }
  template <class T>
  void change(Slot<T> StateLayout::*slot, Money T::*field, std::int32_t i = 0) {
    T value = lane_.path.load(layout_.*slot, i);
    value.*field += 1;
    lane_.path.store(layout_.*slot, value, i);
  }
  // As change(), when the month's income is booked and the cash not yet balanced.
  void change_after_income(Money EntityMonth::*field) {
    constexpr Money kNotBooked = 123'456'789;
    lane_.path.store(layout_.entity_month, EntityMonth{kNotBooked, 0, 0, 0});
    lane_.after = [this, field](const OnePath& p) {
      if (p.load(layout_.entity_month).cash == kNotBooked) return;
      lane_.after = {};
      change(&StateLayout::entity_month, field);
    };
  }

 private:
  Scenario scenario_;
  CalendarData rows_;
  StateLayout layout_;
  std::vector<Real> real_;
  std::vector<std::int32_t> integer_, column_;
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
      {"cash between income and balance", [](Rolled& r) { r.change_after_income(&EntityMonth::cash); },
       kCashIdentity | kBalanceIdentity},
      {"cash by the balance sheet", [](Rolled& r) { r.change_after_income(&EntityMonth::reconciled); },
       kCashIdentity},
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
