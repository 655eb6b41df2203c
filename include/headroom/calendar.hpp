// SPDX-License-Identifier: Apache-2.0
// The calendar: every term of a month that no path changes, by month and object. calendar_of() in
// host/engine computes it once for a run. The months read it by reference, so that no block of paths and no
// thread computes it again.
#pragma once

#include <cstdint>

#include "headroom/capital.hpp"
#include "headroom/closing.hpp"
#include "headroom/customers.hpp"
#include "headroom/delivery.hpp"
#include "headroom/hd.hpp"
#include "headroom/market.hpp"
#include "headroom/metrics.hpp"
#include "headroom/operations.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// The whole company in a month.
struct CompanyTerms {
  PoolTerms pool;
  bool quarter_starts;
  bool values_collateral;    // some covenant on collateral is tested
  bool ends_late_contracts;  // some contract may be ended for lateness
  Money stock_compensation;  // of all entities
};

// A site in a month.
struct SiteRow {
  SiteTerms terms;
  bool ordered, refused;       // its order date, its refusal date falls in the month
  bool capex_due;              // a dated part of its capex falls due, or the month is the first
  Real start_price;            // of its GPU type at as_of, USD per GPU-hour
  Money standing;              // opex while it is closed and still to come
  SiteMonth running_capacity;  // of a site that has been in service since before as_of
  Money running_opex;          // likewise
};

// A contract in a month.
struct ContractRow {
  ContractTerms terms;
  bool option_due;           // its option is exercised or lapses
  bool may_expire;           // its term may have run
  bool started;              // the contract date has come
  Real leaving_probability;  // that it is ended at the month end if it is not in full service
  Real step_down_trigger;    // price over the market's that starts a renegotiation; 0: never re-priced
};

// A tranche in a month.
struct TrancheRow {
  CouponTerms coupon;
  Real payments_left;  // the divisor that gives the instalment of the balance; 0: nothing is due
  bool gone;           // past its maturity, and past its second term if it could be extended
  bool callable;       // a covenant or a cross-default can make it due
  bool recourse;       // the parent makes good what its borrower cannot pay
  bool matures, second_term_ends;
  bool draw_window;  // its undrawn amount has not lapsed
  bool draws;        // it can be drawn this month
  bool lapses;       // its undrawn amount lapses at the month end
  bool window_on_plan, spread_on_plan, rate_on_plan;
  Real plan_spread_multiplier, plan_short_rate;
  Money drawn_at_issue;
};

// An entity in a month.
struct EntityRow {
  BookTerms books;
  Real lock_up_base;  // as in CashTerms
  bool sells_equity, guaranteed;
};

// A covenant in a month.
struct CovenantRow {
  bool tested;
  Real threshold;               // in the metric's unit; an amount in ledger units
  Real plan_contracted;         // of a metric against the plan: planned contracted revenue over its window
  std::int32_t cures, waivers;  // that may still be used up to this month; 0: none are left or due
};

struct Calendar {
  View<CompanyTerms> company;      // [months]
  View<SiteRow> site;              // [months][site]
  View<ContractRow> contract;      // [months][contract]
  View<TrancheRow> tranche;        // [months][tranche]
  View<EntityRow> entity;          // [months][entity]
  View<CovenantRow> covenant;      // [months][covenant]
  View<std::int32_t> financing;    // tranches that finance sites
  View<std::int32_t> targeted;     // tranches that breaches have consequences for
  View<std::int32_t> following;    // tranches with cross-defaults
  View<std::int32_t> swept;        // tranches that take a sweep, entity by entity, each in their order
  View<std::int32_t> first_swept;  // [entity + 1]: where an entity's begin in `swept`
  bool plain = true;               // no covenant has cures, waivers or consequences

  template <class F>
  void for_each_view(F&& f) {
    f(company), f(site), f(contract), f(tranche), f(entity), f(covenant), f(financing), f(targeted),
        f(following), f(swept), f(first_swept);
  }
};

// All that the months read. The arrays belong to the caller.
struct Prepared {
  Scenario scenario;
  Calendar calendar;
  StateLayout layout;
};

}  // namespace headroom
