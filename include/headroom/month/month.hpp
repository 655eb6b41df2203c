// SPDX-License-Identifier: Apache-2.0
// The order of a month on one page: after start(), advance() for month 1..T. The parts are in month/, by
// subject. The code is written once for every backend. The calendar holds the terms that no path changes.
//
// `lanes.each(f)` calls f(path) for every path that the caller holds: on CUDA the thread's own path, on the
// host each lane of a block. `lanes.any(f)` returns the OR of the bits f(path) of all of them; a step that no
// path needs is then skipped. `lanes.draw(k, month, stream)` gives the random words of each path, as
// draw(path), until the next draw with the same k. `lanes.observe(series, month)` adds the value just
// observed to the backend's integer histograms and sums. Loops over objects are outside and lanes inside, so
// a host lane loop is one short branch-free body.
#pragma once

#include <cstdint>

#include "headroom/calendar.hpp"
#include "headroom/closing.hpp"
#include "headroom/customers.hpp"
#include "headroom/delivery.hpp"
#include "headroom/hd.hpp"
#include "headroom/market.hpp"
#include "headroom/math.hpp"
#include "headroom/month/contracts.hpp"
#include "headroom/month/covenants.hpp"
#include "headroom/month/entities.hpp"
#include "headroom/month/sites.hpp"
#include "headroom/month/tranches.hpp"
#include "headroom/operations.hpp"
#include "headroom/outcome.hpp"
#include "headroom/philox.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

template <class Lanes>
HEADROOM_HD void advance(const Scenario& s, const Calendar& calendar, const StateLayout& l, std::int32_t month,
                         Lanes& lanes) {
  const MonthRow row = s.month[month - 1];
  const PlanMonth plan = s.has_plan != 0 ? s.plan[month - 1] : PlanMonth{};
  const CompanyTerms& company = calendar.company[month - 1];
  const Real t = static_cast<Real>(month);

  // 1. The market: demand, supply, prices, rates, spread, power, churn.
  const MarketSwitches on(s);
  const auto words_a = lanes.draw(0, month, s.market_stream[0]);
  const auto words_b = lanes.draw(1, month, s.market_stream[1]);
  const auto words_c = lanes.draw(2, month, s.market_stream[2]);
  lanes.each([&](auto p) HEADROOM_LANE {
    MarketState m = p.load(l.market);
    const Philox4 b = words_b(p);
    const Shocks shocks = correlated_shocks(s, on, words_a(p), b);
    m = advance_demand(s, on, row, p.load(l.constants), m, shocks, b.w3, words_c(p));
    m = advance_supply(s, on, row, plan, m);
    m.cycle = advance_cycle(s.price, m, shocks.z[kPrice]);
    m = advance_rates(s, on, row, plan, m, shocks);
    p.store(l.market, m);
  });
  if (company.quarter_starts && s.on(kFundingWindow)) {
    const auto words = lanes.draw(0, month, s.market_stream[3]);
    lanes.each([&](auto p) HEADROOM_LANE {
      MarketState m = p.load(l.market);
      const Real u = uniform(words(p).w0);
      m.window_open = select(u < by_regime(s.rates.window_open, m.regime), 1, 0);
      p.store(l.market, m);
    });
  }
  for (std::int32_t g = 0; g < s.gpu_type.size; ++g) {
    const Real start = s.gpu_type[g].log_price_start, aged = s.ageing[g * s.months + month - 1];
    lanes.each([&](auto p) HEADROOM_LANE {
      const Real log_price = start + (p.load(l.market).cycle - s.price.cycle_start);
      p.store(l.gpu, GpuState{fma(-p.load(l.constants).xi, aged, log_price)}, g);
    });
  }
  for (std::int32_t h = 0; h < s.launch.size; ++h) {
    const Launch launch = s.launch[h];
    if (launch.planned_month + min(launch.delay.earliest_months, 0.0F) >= t) continue;  // on no path yet
    lanes.each([&](auto p) HEADROOM_LANE {
      LaunchState state = p.load(l.launch, h);
      state.progress = launch_progress(launch, state.month, t);
      store<&LaunchState::progress>(p, l.launch, state, h);
    });
    for (std::int32_t g = 0; g < s.gpu_type.size; ++g) {
      const Real effect = s.launch_effect[s.gpu_type[g].first_launch_effect + h];
      if (effect == 0.0F) continue;
      lanes.each([&](auto p) HEADROOM_LANE {
        p.store(l.gpu, GpuState{p.load(l.gpu, g).price - effect * p.load(l.launch, h).progress}, g);
      });
    }
  }
  const Mask price_on_plan(s.on_plan(kPriceOnPlan));
  for (std::int32_t g = 0; g < s.gpu_type.size; ++g) {
    const Real floor = s.gpu_type[g].floor_usd_per_gpu_hour;
    const Real planned = s.on_plan(kPriceOnPlan) ? s.plan_price[g * s.months + month - 1] : 0.0F;
    lanes.each([&](auto p) HEADROOM_LANE {
      const Real price = max(exp(p.load(l.gpu, g).price), floor);
      p.store(l.gpu, GpuState{select(price_on_plan, planned, price)}, g);
    });
  }

  // 2. Sites are ordered, refused, paid for, opened and depreciated.
  for (std::int32_t k = 0; k < calendar.financing.size + s.entity.size; ++k) {
    const std::int32_t d =
        k < calendar.financing.size ? calendar.financing[k] : s.tranche.size + k - calendar.financing.size;
    lanes.each([&](auto p) HEADROOM_LANE { p.store(l.tranche_month, TrancheMonth{}, d); });
  }
  for (std::int32_t i = 0; i < s.site.size; ++i) {
    const Site& site = s.site[i];
    const SiteRow& site_row = calendar.site[(month - 1) * s.site.size + i];
    if (site_row.ordered) {
      const bool may_wait = site.discretionary != 0 && s.on(kDiscretion, site);
      const Money least = may_wait ? s.entity[s.parent()].policy_liquidity : -kFixedMax;
      lanes.each([&](auto p) HEADROOM_LANE {
        p.store(l.site, order_site(p.load(l.site, i), p.load(l.entity, s.parent()).liquidity, least), i);
      });
    }
    if (site_row.refused) {
      lanes.each([&](auto p) HEADROOM_LANE {
        p.store(l.site, decide_site(p.load(l.site_constants, i), p.load(l.site, i)), i);
      });
    }
    if (site.running != 0) {
      advance_running_site(s, l, i, site_row, company.values_collateral, lanes);
    } else {
      advance_built_site(s, l, i, site_row, company.values_collateral, lanes);
    }
  }

  // 3. Customers default; contracts are served in order of priority, site by site; the pool takes the rest.
  for (std::int32_t c = 0; c < s.customer.size; ++c) {
    const Customer customer = s.customer[c];
    lanes.each([&](auto p) HEADROOM_LANE {
      p.store(l.customer, advance_customer(customer, p.load(l.customer, c), month, p.load(l.market)), c);
    });
  }
  const ContractRow* const contracts = calendar.contract.from((month - 1) * s.contract.size);
  for (std::int32_t c = 0; c < s.contract.size; ++c) advance_contract(s, l, c, contracts[c], month, lanes);
  if (company.ends_late_contracts) end_late_contracts(s, l, contracts, month, lanes);
  for (std::int32_t c = 0; c < s.contract.size; ++c) report_contract(s, l, c, month, lanes);
  const PoolTerms pool = company.pool;
  for (std::int32_t i = 0; i < s.site.size; ++i) {
    const Site site = s.site[i];
    const Real start_price = calendar.site[(month - 1) * s.site.size + i].start_price;
    lanes.each([&](auto p) HEADROOM_LANE {
      const PoolFlows flows = advance_pool(s, site, p.load(l.site_month, i), p.load(l.market),
                                           p.load(l.gpu, site.gpu_type).price, start_price, pool);
      p.store(l.pool_flows, add(p.load(l.pool_flows, site.entity), flows), site.entity);
    });
  }

  // 4. Interest, principal, maturities, draws.
  if (s.on(kConsequences)) {
    for (std::int32_t k = 0; k < calendar.following.size; ++k)
      follow_defaults(s, l, calendar.following[k], lanes);
    // All at once: a cross-default passes one tranche a month along a chain, in whatever order the tranches
    // stand.
    for (std::int32_t k = 0; k < calendar.following.size; ++k) {
      const std::int32_t d = calendar.following[k];
      lanes.each([&](auto p) HEADROOM_LANE {
        TrancheControl control = p.load(l.tranche_control, d);
        control.accelerated |= control.follows;
        control.follows = 0;
        store<&TrancheControl::accelerated, &TrancheControl::follows>(p, l.tranche_control, control, d);
      });
    }
  }
  for (std::int32_t d = 0; d < s.tranche.size; ++d)
    advance_tranche(s, l, d, calendar.tranche[(month - 1) * s.tranche.size + d], month, lanes);

  // 5. Income, cash and its waterfall, borrower by borrower and then the parent; identities.
  if (company.quarter_starts) {
    lanes.each([&](auto p) HEADROOM_LANE {
      EntityState state = p.load(l.entity, s.parent());
      state.issued_in_quarter = 0;
      p.store(l.entity, state, s.parent());
    });
  }
  if (s.entity.size == 1) {
    close_entity<Role::alone>(s, calendar, l, 0, month, lanes);
  } else {
    lanes.each([&](auto p) HEADROOM_LANE { p.store(l.group_month, GroupMonth{}); });
    for (std::int32_t e = 0; e < s.parent(); ++e) close_entity<Role::borrower>(s, calendar, l, e, month, lanes);
    close_entity<Role::parent>(s, calendar, l, s.parent(), month, lanes);
  }

  // 6. Covenants: their tests, and the consequences of breaches from next month on.
  clear_controls(s, calendar, l, lanes);
  const CovenantRow* const covenants = calendar.covenant.from((month - 1) * s.covenant.size);
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    if (!covenants[v].tested) continue;
    with_metric(s.covenant[v].metric, [&](auto metric) HEADROOM_LANE {
      test_covenant<decltype(metric)>(s, l, v, covenants[v], month, lanes);
    });
    lanes.observe(headroom_series(v), month);
  }
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    set_consequences(s, l, v, month, covenants[v].tested, lanes);
  }

  // 7. Reported and kept figures.
  for (std::int32_t m = 0; m < kMeasureCount; ++m) lanes.observe(m, month);
  for (std::int32_t d = 0; d < s.observed_tranches; ++d) {
    const std::int32_t series = balance_series(s, d);
    lanes.each([&](auto p)
                   HEADROOM_LANE { p.store(l.observed, Observed{p.load(l.tranche, d).balance}, series); });
    lanes.observe(series, month);
  }
  lanes.each([&](auto p) HEADROOM_LANE { total_up(l, p); });
  const bool last = month == s.months;
  const ColumnLayout columns = column_layout(s);
  const MonthRow ends = s.month[month - 1];
  if (ends.quarter_end != 0 || last)
    lanes.each([&](auto p) HEADROOM_LANE { keep_quarter(l, columns, ends.quarter, p); });
  if (ends.year_end != 0 || last)
    lanes.each([&](auto p) HEADROOM_LANE { keep_year(l, columns, ends.year, p); });
  if (!last) return;
  const std::int32_t parent = s.entity.size - 1;
  const Real opening_shares = s.entity[parent].shares_million;
  for (std::int32_t i = 0; i < s.site.size; ++i) keep_site(s, l, i, columns.months_late(i), lanes);
  for (std::int32_t c = 0; c < s.customer.size; ++c) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const CustomerTotals totals = p.load(l.customer_totals, c);
      add_violations(l, out_of_range(totals.fees) | out_of_range(totals.lost), p);
    });
  }
  lanes.each([&](auto p) HEADROOM_LANE { p.store(l.first_breach, FirstBreach{kNever, kNever}); });
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    const Mask plain(s.covenant[v].plain());
    lanes.each([&](auto p) HEADROOM_LANE {
      const CovenantState state = p.load(l.covenant, v);
      p.keep(columns.first_breach(v), state.first_breach);
      p.keep(columns.min_headroom(v), state.min_headroom);
      p.keep(columns.first_uncured(v), select(plain, state.first_breach, state.first_uncured));
      p.keep(columns.accelerated(v), state.accelerated);
      p.keep(columns.cures(v), state.cures);
      p.keep(columns.waivers(v), state.waivers);
      FirstBreach first = p.load(l.first_breach);
      first.covenant = select(state.first_breach < first.month, v, first.covenant);
      first.month = min(state.first_breach, first.month);
      p.store(l.first_breach, first);
    });
  }
  lanes.each([&](auto p)
                 HEADROOM_LANE { keep_path(l, parent, opening_shares, static_cast<Real>(s.months), p); });
  for (std::int32_t e = 0; e < s.parent(); ++e) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const EntityState state = p.load(l.entity, e);
      p.keep(columns.payment_default(e), state.default_month);
      p.keep(columns.paid_in(e), state.paid_in);
      p.keep(columns.distributed(e), state.distributed);
    });
  }
  for (std::int32_t c = 0; c < s.customer.size; ++c) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const CustomerTotals totals = p.load(l.customer_totals, c);
      p.keep(columns.default_month(c), p.load(l.customer, c).default_month);
      p.keep(columns.customer_fees(c), totals.fees);
      p.keep(columns.customer_lost(c), totals.lost);
      p.keep(columns.customer_left(c), totals.left_month);
    });
  }
}

}  // namespace headroom
