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

// Every tranche that takes a sweep stands once in the list, under its entity and in the tranches' order.
TEST_P(CalendarOf, ListsHoldEachTrancheOnce) {
  ASSERT_EQ(rows_.first_swept.size(), static_cast<std::size_t>(s_.entity.size) + 1);
  std::vector<std::int32_t> swept;
  for (std::int32_t e = 0; e < s_.entity.size; ++e) {
    const std::int32_t first = rows_.first_swept[static_cast<std::size_t>(e)];
    const std::int32_t last = rows_.first_swept[static_cast<std::size_t>(e) + 1];
    for (std::int32_t k = first; k < last; ++k) {
      const std::int32_t d = rows_.swept[static_cast<std::size_t>(k)];
      EXPECT_EQ(s_.tranche[d].entity, e);
      if (k > first) {
        EXPECT_GT(d, rows_.swept[static_cast<std::size_t>(k) - 1]);
      }
      swept.push_back(d);
    }
  }
  for (std::int32_t d = 0; d < s_.tranche.size; ++d) {
    const bool takes = s_.tranche[d].sweepable != 0 && s_.tranche[d].kind != TrancheKind::revolver;
    EXPECT_EQ(std::count(swept.begin(), swept.end(), d), takes ? 1 : 0) << d;
    const bool finances = std::any_of(s_.site.data, s_.site.data + s_.site.size,
                                      [&](const Site& site) { return site.tranche == d; });
    EXPECT_EQ(std::count(rows_.financing.begin(), rows_.financing.end(), d), finances ? 1 : 0) << d;
  }
}

TEST_P(CalendarOf, CovenantRowsAreTheTestsAndThePlansRevenue) {
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
        for (std::int32_t k = month - window; k < month; ++k) planned += s_.plan_contracted[e * s_.months + k];
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
