// SPDX-License-Identifier: Apache-2.0
// An entity's month end: income, cash, and its part of the group. The last entity also closes the month of
// the whole company.
#pragma once

#include <cstdint>

#include "headroom/calendar.hpp"
#include "headroom/closing.hpp"
#include "headroom/hd.hpp"
#include "headroom/month/start.hpp"
#include "headroom/month/tranches.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Each part computes its path-independent terms itself: on a card, fewer values are then live at once.
template <Role role, class Lanes>
HEADROOM_HD void close_entity(const Scenario& s, const Calendar& calendar, const StateLayout& l,
                              std::int32_t entity, std::int32_t month, Lanes& lanes) {
  const std::int32_t none = s.tranche.size;
  const EntityRow& row = calendar.entity[(month - 1) * s.entity.size + entity];
  {
    const Entity e = s.entity[entity];
    const BookTerms x = row.books;
    lanes.each([&](auto p) HEADROOM_LANE { book_income<role>(l, e, x, entity, month, p); });
  }
  {
    const Entity e = s.entity[entity];
    const CashTerms x{row.lock_up_base, Mask(row.sells_equity), row.guaranteed ? 1 : 0};
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
    const Money stock_compensation = calendar.company[month - 1].stock_compensation;
    lanes.each([&](auto p)
                   HEADROOM_LANE { value_shares<role>(l, e, entity, s.group(), month, s.ledger_usd, p); });
    lanes.each([&](auto p) HEADROOM_LANE { report_month(l, entity, stock_compensation, p); });
  }
  repay_from_sweep(s, calendar, l, entity, month, lanes);
}

}  // namespace headroom
