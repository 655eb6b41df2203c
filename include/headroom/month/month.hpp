// SPDX-License-Identifier: Apache-2.0
// The order of a month: after start(), advance() for month 1..T. Each part is in month/, its formulas in
// model/, by subject. The code is written once for every backend. The calendar holds the terms that no path
// changes.
//
// `lanes.each(f)` calls f(path) for every path that the caller holds: on CUDA the thread's own path, on the
// host each lane of a block. `lanes.any(f)` returns the OR of the bits f(path) of all of them; a step that no
// path needs is then skipped. `lanes.draw(k, month, stream)` gives the random words of each path, as
// draw(path), until the next draw with the same k. `lanes.observe(series, month)` adds the value just
// observed to the backend's integer histograms and sums. Loops over objects are outside and lanes inside, so
// a host lane loop is one short branch-free body.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/month/calendar.hpp"
#include "headroom/month/contracts.hpp"
#include "headroom/month/covenants.hpp"
#include "headroom/month/debt.hpp"
#include "headroom/month/entities.hpp"
#include "headroom/month/market.hpp"
#include "headroom/month/record.hpp"
#include "headroom/month/sites.hpp"
#include "headroom/month/start.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

template <class Lanes>
HEADROOM_HD void advance(const Now& now, Lanes& lanes) {
  // The market.
  advance_freeze(now, lanes);
  advance_market(now, lanes);
  open_window(now, lanes);
  shut_window(now, lanes);
  price_gpus(now, lanes);

  // Operations: site by site; a site's contracts are served in order of priority, the pool takes the rest.
  clear_flows(now, lanes);
  advance_customers(now, lanes);
  for (std::int32_t i = 0; i < now.s.site.size; ++i) {
    if (now.s.site[i].running != 0) {
      run_site(now, i, lanes);
    } else {
      build_site(now, i, lanes);
    }
    for_each_member(now.calendar.contracts_of_site, i,
                    [&](std::int32_t c) HEADROOM_LANE { advance_contract(now, c, lanes); });
    sell_rest(now, i, lanes);
  }
  end_late_contracts(now, lanes);
  report_contracts(now, lanes);

  // Debt and cash, entity by entity; covenants, whose breaches have consequences from next month on.
  follow_defaults(now, lanes);
  close_entities(now, lanes);
  report_month(now, lanes);
  test_covenants(now, lanes);

  observe_month(now, lanes);
  total_up(now, lanes);
  if (now.month == now.s.months) keep_path(now, lanes);
}

}  // namespace headroom
