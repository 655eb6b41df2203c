// SPDX-License-Identifier: Apache-2.0
// The calendar's rows against what they stand for, read off the scenario a second time.
#include "host/engine/calendar.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/outcomes_fixture.hpp"

namespace headroom {
namespace {

class CalendarOf : public testing::TestWithParam<const char*> {
 protected:
  Company company_ = planned_company(GetParam());
  Scenario s_ = company_.data.view();
  CalendarData rows_ = calendar_of(s_);

  const TrancheRow& tranche(std::int32_t d, std::int32_t month) const {
    return rows_.view().tranche[(month - 1) * s_.tranche.size + d];
  }
};

TEST_P(CalendarOf, EachTrancheMaturesOnceAndIsGoneAfterwards) {
  for (std::int32_t d = 0; d < s_.tranche.size; ++d) {
    const Tranche& t = s_.tranche[d];
    bool gone = false;
    std::int32_t matured = 0;
    for (std::int32_t month = 1; month <= s_.months; ++month) {
      const TrancheRow& row = tranche(d, month);
      matured += row.matures ? 1 : 0;
      EXPECT_EQ(row.matures, month == t.maturity);
      EXPECT_FALSE(gone && !row.gone) << d << " comes back in month " << month;
      gone = row.gone;
      if (row.payments_left > 0.0F) {
        EXPECT_GE(month, t.amortisation_start);
        EXPECT_LE(month, t.amortisation_end);
      }
    }
    EXPECT_EQ(matured, t.maturity >= 1 && t.maturity <= s_.months ? 1 : 0);
  }
}

// Every contract stands once under its site, and every tranche once under its entity, in their order.
TEST_P(CalendarOf, GroupsHoldEachMemberOnce) {
  const auto expect_groups = [](const CalendarData::GroupsData& groups, std::int32_t count, auto group_of,
                                auto belongs) {
    std::vector<std::int32_t> found;
    for (std::size_t g = 0; g + 1 < groups.first.size(); ++g) {
      for (std::int32_t k = groups.first[g]; k < groups.first[g + 1]; ++k) {
        const std::int32_t member = groups.member[static_cast<std::size_t>(k)];
        EXPECT_EQ(group_of(member), static_cast<std::int32_t>(g));
        if (k > groups.first[g]) {
          EXPECT_GT(member, found.back());
        }
        found.push_back(member);
      }
    }
    for (std::int32_t i = 0; i < count; ++i)
      EXPECT_EQ(std::count(found.begin(), found.end(), i), belongs(i) ? 1 : 0) << i;
  };
  const auto entity_of = [&](std::int32_t d) { return s_.tranche[d].entity; };
  ASSERT_EQ(rows_.contracts_of_site.first.size(), static_cast<std::size_t>(s_.site.size) + 1);
  ASSERT_EQ(rows_.tranches_of_entity.first.size(), static_cast<std::size_t>(s_.entity.size) + 1);
  expect_groups(
      rows_.contracts_of_site, s_.contract.size, [&](std::int32_t c) { return s_.contract[c].site; },
      [](std::int32_t) { return true; });
  expect_groups(rows_.tranches_of_entity, s_.tranche.size, entity_of, [](std::int32_t) { return true; });
  expect_groups(rows_.swept_of_entity, s_.tranche.size, entity_of, [&](std::int32_t d) {
    return s_.tranche[d].sweepable != 0 && s_.tranche[d].kind != TrancheKind::revolver;
  });
}

// Objects with a mechanism have places of their own; those without share one or have none.
TEST_P(CalendarOf, PlacesAreOfWhatHasTheMechanism) {
  const auto expect_own = [](const std::vector<std::int32_t>& places, auto has) {
    std::vector<std::int32_t> own;
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (has(static_cast<std::int32_t>(i))) own.push_back(places[i]);
    }
    for (std::size_t k = 0; k < own.size(); ++k) EXPECT_EQ(own[k], static_cast<std::int32_t>(k));
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (!has(static_cast<std::int32_t>(i))) {
        EXPECT_TRUE(places[i] == kNoPlace || places[i] == static_cast<std::int32_t>(own.size())) << i;
      }
    }
  };
  expect_own(rows_.place, [&](std::int32_t i) { return s_.site[i].running == 0; });
  expect_own(rows_.step_down, [&](std::int32_t c) { return s_.contract[c].step_down_hazard_month > 0.0F; });
  expect_own(rows_.eligible, [&](std::int32_t d) {
    return std::any_of(s_.site.data, s_.site.data + s_.site.size,
                       [&](const Site& site) { return site.tranche == d; });
  });
  for (std::int32_t month = 1; month <= s_.months; ++month) {
    for (std::int32_t c = 0; c < s_.contract.size; ++c) {
      const ContractRow& row = rows_.contract[static_cast<std::size_t>((month - 1) * s_.contract.size + c)];
      if (row.terms.damages_per_price > 0.0F) {
        EXPECT_NE(rows_.damages[static_cast<std::size_t>(c)], kNoPlace);
      }
      if (row.step_down_trigger > 0.0F) {
        EXPECT_NE(rows_.step_down[static_cast<std::size_t>(c)], kNoPlace);
      }
    }
  }
}

TEST_P(CalendarOf, CovenantRowsAreTheTestsAndTheAgreedRevenue) {
  for (std::int32_t v = 0; v < s_.covenant.size; ++v) {
    const Covenant& covenant = s_.covenant[v];
    const bool whole = covenant.entity < 0;
    const std::int32_t window = covenant.window == Window::trailing_12 ? 12 : 3;
    for (std::int32_t month = 1; month <= s_.months; ++month) {
      const CovenantRow& row = rows_.view().covenant[(month - 1) * s_.covenant.size + v];
      const CovenantTest& test = s_.covenant_test[covenant.first_test + month - 1];
      EXPECT_EQ(row.tested, test.tested != 0);
      EXPECT_EQ(row.threshold, test.threshold);
      if (month < window) continue;  // reaches back before as_of
      double planned = 0;
      for (std::int32_t e = 0; e < s_.entity.size; ++e) {
        if (!whole && e != covenant.entity) continue;
        const std::int32_t agreed = test.lenders_case * s_.entity.size + e;
        for (std::int32_t k = month - window; k < month; ++k)
          planned += s_.plan_contracted[agreed * s_.months + k];
      }
      EXPECT_NEAR(row.plan_contracted, planned, 1e-5 * std::max(planned, 1.0)) << v << " in month " << month;
    }
  }
}

// With every mechanism frozen nothing random is left in the rows.
TEST_P(CalendarOf, FollowsTheSwitches) {
  s_.switches = 0;
  const CalendarData frozen = calendar_of(s_);
  for (const SiteRow& row : frozen.site) EXPECT_FALSE(row.refused);
  for (const ContractRow& row : frozen.contract) {
    EXPECT_EQ(row.leaving_probability, 0.0F);
    EXPECT_EQ(row.step_down_trigger, 0.0F);
    EXPECT_EQ(row.terms.damages_per_price, 0.0F);
  }
  for (const TrancheRow& row : frozen.tranche) EXPECT_FALSE(row.callable);
  for (const CovenantRow& row : frozen.covenant) EXPECT_EQ(row.cures + row.waivers, 0);
  for (const CompanyTerms& terms : frozen.company) EXPECT_FALSE(terms.ends_late_contracts);
}

INSTANTIATE_TEST_SUITE_P(Companies, CalendarOf,
                         testing::Values("demo", "lakeside-template", "coreweave-1q26", "nebius-1q26"),
                         [](const auto& instance) {
                           const std::string name = instance.param;
                           return name.substr(0, name.find('-'));
                         });

}  // namespace
}  // namespace headroom
