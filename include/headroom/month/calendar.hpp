// SPDX-License-Identifier: Apache-2.0
// The calendar: every term of a month that no path changes, by month and object. calendar_of() in
// host/engine computes it once for a run. The months read it by reference, so that no block of paths and no
// thread computes it again.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/model/contract.hpp"
#include "headroom/model/entity.hpp"
#include "headroom/model/market.hpp"
#include "headroom/model/metrics.hpp"
#include "headroom/model/pool.hpp"
#include "headroom/model/site.hpp"
#include "headroom/model/tranche.hpp"
#include "headroom/model/window.hpp"
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
  bool ordered, refused;       // its order is decided in the month; its refusal date falls in it
  bool may_wait;               // the order can be decided in a later month
  bool capex_due;              // a dated part of its capex falls due, or the month is the first
  Real start_price;            // of its GPU type at as_of, USD per GPU-hour
  Money standing;              // opex while it is closed and still to come
  SiteMonth running_capacity;  // of a site that has been in service since before as_of
  Money running_opex;          // likewise
  bool counts_late;            // a loan or a guarantee waits for its full service
  bool contractors_pay;        // for lateness, on some path
};

// A customer in a month.
struct CustomerRow {
  Real intensity;  // lambda / 12
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
  bool fee_due;        // the commitment has been signed
  Real payments_left;  // the divisor that gives the instalment of the balance; 0: nothing is due
  bool gone;           // past its maturity, and past its second term if it could be extended
  bool callable;       // a covenant or a cross-default can make it due
  bool recourse;       // the parent makes good what its borrower cannot pay
  bool matures, second_term_ends;
  MaturityTerms maturity;
  bool draw_window;                   // its undrawn amount has not lapsed
  bool draws;                         // it can be drawn this month
  bool lapses;                        // its undrawn amount lapses at the month end
  bool waits;                         // its principal begins once its sites are in service
  bool extends;                       // its window ends; it is extended while its sites are not in service
  Real reserve_share, reserve_years;  // of the balance: principal of the coming months; their length
  Money need;                         // of a programme: liquidity that management wants to hold
  bool issues, quarter_starts;        // it is a programme; a calendar quarter begins
  bool window_on_plan, spread_on_plan, rate_on_plan;
  Real plan_spread_multiplier, plan_short_rate;
  Money drawn_at_issue;
};

// A covenant in a month.
struct CovenantRow {
  bool tested;
  bool may_outlive;             // on some path its loans may be repaid while it goes on
  bool over;                    // its loans have matured
  Real threshold;               // in the metric's unit; an amount in ledger units
  Real plan_contracted;         // of a metric against the plan: planned contracted revenue over its window
  std::int32_t cures, waivers;  // that may still be used up to this month; 0: none are left or due
};

// The members of groups of objects, group by group, each in its order.
struct Groups {
  View<std::int32_t> first;   // [groups + 1]
  View<std::int32_t> member;  // [first[g], first[g + 1])
};

constexpr std::int32_t kNoPlace = -1;

struct Calendar {
  View<CompanyTerms> company;  // [months]
  View<SiteRow> site;          // [months][site]
  View<CustomerRow> customer;  // [months][customer]
  View<ContractRow> contract;  // [months][contract]
  View<TrancheRow> tranche;    // [months][tranche]
  View<EntityTerms> entity;    // [months][entity]
  View<CovenantRow> covenant;  // [months][covenant]
  View<WindowMonth> window;    // [months][entity, then the group]
  View<Money> opening_window;  // the sums of StateLayout::window at as_of
  View<std::int32_t> place;  // [site]: of its SiteState; the sites in service since before as_of share the last
  View<std::int32_t> step_down;  // [contract]: the place of its StepDownState; kNoPlace: never re-priced
  View<std::int32_t> damages;    // [contract]: the place of its DamagesState; kNoPlace: none
  View<std::int32_t>
      eligible;  // [tranche]: the place of its Eligible; those that finance no site share the last
  View<std::int32_t> targeted;   // tranches that breaches have consequences for
  View<std::int32_t> following;  // tranches with cross-defaults
  Groups contracts_of_site;      // in order of priority
  Groups tranches_of_entity;
  Groups lenders_of_covenant;  // the tranches whose lenders it protects
  Groups swept_of_entity;      // tranches that take a sweep
  bool plain = true;           // no covenant has cures, waivers or consequences

  template <class F>
  void for_each_view(F&& f) {
    f(company), f(site), f(customer), f(contract), f(tranche), f(entity), f(covenant), f(window),
        f(opening_window), f(place), f(step_down), f(damages), f(eligible), f(targeted), f(following);
    f(contracts_of_site.first), f(contracts_of_site.member), f(tranches_of_entity.first),
        f(tranches_of_entity.member), f(lenders_of_covenant.first), f(lenders_of_covenant.member),
        f(swept_of_entity.first), f(swept_of_entity.member);
  }
};

// All that the months read. The arrays belong to the caller.
struct Prepared {
  Scenario scenario;
  Calendar calendar;
  StateLayout layout;
};

// A month of a run as its parts see it.
struct Now {
  const Scenario& s;
  const Calendar& calendar;
  const StateLayout& l;
  std::int32_t month;

  HEADROOM_HD Real t() const { return static_cast<Real>(month); }
  HEADROOM_HD const CompanyTerms& company() const { return calendar.company[month - 1]; }
  HEADROOM_HD const SiteRow& site(std::int32_t i) const { return calendar.site[(month - 1) * s.site.size + i]; }
  HEADROOM_HD const CustomerRow& customer(std::int32_t c) const {
    return calendar.customer[(month - 1) * s.customer.size + c];
  }
  HEADROOM_HD const ContractRow& contract(std::int32_t c) const {
    return calendar.contract[(month - 1) * s.contract.size + c];
  }
  HEADROOM_HD const TrancheRow& tranche(std::int32_t d) const {
    return calendar.tranche[(month - 1) * s.tranche.size + d];
  }
  HEADROOM_HD const EntityTerms& entity(std::int32_t e) const {
    return calendar.entity[(month - 1) * s.entity.size + e];
  }
  HEADROOM_HD const CovenantRow& covenant(std::int32_t v) const {
    return calendar.covenant[(month - 1) * s.covenant.size + v];
  }
  HEADROOM_HD const WindowMonth& window(std::int32_t owner) const {
    return calendar.window[(month - 1) * (s.group() + 1) + owner];
  }
};

// Calls f(member) for the members of a group, in their order.
template <class F>
HEADROOM_HD void for_each_member(const Groups& groups, std::int32_t g, F&& f) {
  const std::int32_t end = groups.first[g + 1];
  for (std::int32_t k = groups.first[g]; k < end; ++k) f(groups.member[k]);
}

}  // namespace headroom
