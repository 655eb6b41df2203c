// SPDX-License-Identifier: Apache-2.0
// Builds the calendar of a run: what no path changes, by month and object.
#pragma once

#include <cstdint>
#include <vector>

#include "headroom/month/calendar.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Owns the rows of a Calendar.
struct CalendarData {
  struct GroupsData {
    std::vector<std::int32_t> first{0}, member{};
  };
  std::vector<CompanyTerms> company{};
  std::vector<SiteRow> site{};
  std::vector<CustomerRow> customer{};
  std::vector<ContractRow> contract{};
  std::vector<TrancheRow> tranche{};
  std::vector<EntityTerms> entity{};
  std::vector<CovenantRow> covenant{};
  std::vector<WindowMonth> window{};
  std::vector<Money> opening_window{};
  std::vector<std::int32_t> place{}, step_down{}, damages{}, eligible{}, targeted{}, following{};
  GroupsData contracts_of_site{}, tranches_of_entity{}, lenders_of_covenant{}, swept_of_entity{};
  bool plain = true;

  Calendar view() const;  // lives no longer than this object
};

// Depends on the whole scenario, switches and plan among it.
CalendarData calendar_of(const Scenario& scenario);

// The place of each struct in a path's state: memory only for what the scenario has.
StateLayout state_layout(const Scenario& scenario, const CalendarData& rows);

inline Prepared prepare(const Scenario& scenario, const CalendarData& rows) {
  return {scenario, rows.view(), state_layout(scenario, rows)};
}

}  // namespace headroom
