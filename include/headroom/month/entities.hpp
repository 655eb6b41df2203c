// SPDX-License-Identifier: Apache-2.0
// An entity's month end: income, cash, and its part of the group. The last entity also closes the month of
// the whole company.
#pragma once

#include <cstdint>

#include "headroom/closing.hpp"
#include "headroom/hd.hpp"
#include "headroom/month/start.hpp"
#include "headroom/month/tranches.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Each part computes its path-independent terms itself: on a card, fewer values are then live at once.
template <Role role, class Lanes>
HEADROOM_HD void close_entity(const Scenario& s, const StateLayout& l, std::int32_t entity, std::int32_t month,
                              Lanes& lanes) {
  const std::int32_t none = s.tranche.size;
  {
    const Entity e = s.entity[entity];
    const BookTerms x = book_terms(s, entity, month);
    lanes.each([&](auto p) HEADROOM_LANE { book_income<role>(l, e, x, entity, month, p); });
  }
  {
    const Entity e = s.entity[entity];
    const CashTerms x = cash_terms(s, entity, month);
    const std::int32_t revolver = e.revolver >= 0 ? e.revolver : none;
    lanes.each([&](auto p)
                   HEADROOM_LANE { balance_cash<role>(l, e, x, entity, month, revolver, s.ledger_usd, p); });
  }
  {
    const Entity e = s.entity[entity];
    lanes.each([&](auto p) HEADROOM_LANE { report_position<role>(l, e, entity, month, none + entity, p); });
  }
  clear_flows(l, entity, lanes);
  if constexpr (role != Role::borrower) {
    const Entity e = s.entity[entity];
    Money stock_compensation = 0;
    for (std::int32_t i = 0; i < s.entity.size; ++i) stock_compensation += s.entity[i].stock_compensation_month;
    lanes.each([&](auto p)
                   HEADROOM_LANE { value_shares<role>(l, e, entity, s.group(), month, s.ledger_usd, p); });
    lanes.each([&](auto p) HEADROOM_LANE { report_month(l, entity, stock_compensation, p); });
  }
  repay_from_sweep(s, l, entity, month, lanes);
}

}  // namespace headroom
