// SPDX-License-Identifier: Apache-2.0
// The state of one path, as plain value structs, and its place in memory.
// Every struct lists its fields in visit(). A path's state is one row of reals and one of integers per lane:
// word w of lane l is at base[w * stride + l], so that neighbouring lanes (SIMD) and threads (GPU) touch
// neighbouring words. Memory is sized to the scenario: an object that is absent costs no memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "headroom/hd.hpp"
#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"

namespace headroom {

// Values drawn once for a path.
struct PathConstants {
  Real psi_training, psi_inference;  // growth uncertainty multipliers
  Real xi;                           // ageing multiplier
  Real systemic;                     // M, standard normal
  HEADROOM_HD constexpr void visit(auto&& f) { f(psi_training), f(psi_inference), f(xi), f(systemic); }
};

struct MarketState {
  Real log_demand_training, log_demand_inference, log_supply, supply_gap;
  Real tightness;                             // q
  Real cycle;                                 // a
  Real rate_x, log_spread, churn, log_power;  // OU states
  Real utilisation;                           // v of the on-demand pool
  Real short_rate;                            // per year
  Real spread_multiplier, power_multiplier, churn_multiplier;
  Real usage;  // of non-take-or-pay volume
  std::int32_t regime, window_open;
  HEADROOM_HD constexpr void visit(auto&& f) {
    f(log_demand_training), f(log_demand_inference), f(log_supply), f(supply_gap), f(tightness), f(cycle),
        f(rate_x), f(log_spread), f(churn), f(log_power), f(utilisation), f(short_rate), f(spread_multiplier),
        f(power_multiplier), f(churn_multiplier), f(usage), f(regime), f(window_open);
  }
};

struct LaunchState {
  Real month;
  Real progress;  // of its price effect, 0..1
  HEADROOM_HD constexpr void visit(auto&& f) { f(month), f(progress); }
};

struct GpuState {
  Real price;  // USD per GPU-hour this month
  HEADROOM_HD constexpr void visit(auto&& f) { f(price); }
};

enum SiteStatus : std::int32_t { kWaiting, kOrdered, kCancelled, kNotOrdered };

struct SiteConstants {
  Real ready, delivery;  // month of opening, of GPU delivery
  Real cost_multiplier;
  std::int32_t cancelled;  // 1: refused at cancel_month
  HEADROOM_HD constexpr void visit(auto&& f) { f(ready), f(delivery), f(cost_multiplier), f(cancelled); }
};

struct SiteState {
  Money capex, depreciated;  // cumulative, accrual; write-offs included in `depreciated`
  Real purchase_price;       // market price of its GPU type when its GPUs came, USD per GPU-hour
  std::int32_t status;
  HEADROOM_HD constexpr void visit(auto&& f) { f(capex), f(depreciated), f(purchase_price), f(status); }
};

// A site's capacity while the month is computed: on line, and not yet taken.
struct SiteMonth {
  Real online, online_end;  // GPUs, month's mean and month end
  Real left, left_end;      // not taken by contracts so far
  HEADROOM_HD constexpr void visit(auto&& f) { f(online), f(online_end), f(left), f(left_end); }
};

struct CustomerState {
  Real threshold, hazard;  // unit exponential; integrated intensity
  std::int32_t default_month;
  HEADROOM_HD constexpr void visit(auto&& f) { f(threshold), f(hazard), f(default_month); }
};

// Totals of all contracts of a customer over the horizon.
struct CustomerTotals {
  Money fees, lost;         // billed; contracted fees still to come of the contracts lost
  std::int32_t left_month;  // first loss of a contract: termination, default, loss of its site; kNever
  HEADROOM_HD constexpr void visit(auto&& f) { f(fees), f(lost), f(left_month); }
};

// The last three mean: ended by the customer for lateness, ended by the loss of the site, ended by the
// customer's default.
enum ContractStatus : std::int32_t { kOption, kPending, kInForce, kEnded, kTerminated, kReleased, kDefaulted };

struct ContractConstants {
  Real u_termination, step_down_threshold, u_option;
  std::int32_t renewal_word;
  HEADROOM_HD constexpr void visit(auto&& f) {
    f(u_termination), f(step_down_threshold), f(u_option), f(renewal_word);
  }
};

struct ContractState {
  Real price;               // USD per GPU-hour
  Real end;                 // month; kNeverReal until the term has started
  Real step_down_hazard;    // integrated; negative once stepped down
  Money prepaid, unearned;  // received so far; the part that is deferred revenue
  Money damages;            // cumulative
  Money last_fee;           // of the last month served: base of a recovery claim
  std::int32_t status, renewals;
  HEADROOM_HD constexpr void visit(auto&& f) {
    f(price), f(end), f(step_down_hazard), f(prepaid), f(unearned), f(damages), f(last_fee), f(status),
        f(renewals);
  }
};

struct TrancheState {
  Money balance, undrawn;
  Money borrowing_base;  // advance rate x eligible capex not drawn against yet; grows while a shut market
                         // delays draws
  Real spread;           // per year, locked at the draws (weighted) or by refinancing
  std::int32_t refinanced;
  HEADROOM_HD constexpr void visit(auto&& f) {
    f(balance), f(undrawn), f(borrowing_base), f(spread), f(refinanced);
  }
};

// For a tranche whose draws are repaid one by one: the instalment due each month, and the balance before the
// month's draw. A Vintage is the amount of one draw.
struct Instalments {
  Money level;
  Money before;  // balance before this month's draw
  HEADROOM_HD constexpr void visit(auto&& f) { f(level), f(before); }
};
struct Vintage {
  Money drawn;
  HEADROOM_HD constexpr void visit(auto&& f) { f(drawn); }
};

// The consequences of covenant breaches for a tranche, as of the last month end.
struct TrancheControl {
  Real margin;                        // per year, on top of its spread
  std::int32_t draws_stopped, swept;  // 0 or 1
  std::int32_t accelerated;           // 0 or 1, for good
  std::int32_t follows;               // 1: a cross-default will accelerate it
  HEADROOM_HD constexpr void visit(auto&& f) {
    f(margin), f(draws_stopped), f(swept), f(accelerated), f(follows);
  }
};

struct TrancheMonth {
  Money eligible_capex, collateral;
  HEADROOM_HD constexpr void visit(auto&& f) { f(eligible_capex), f(collateral); }
};

// Flows of the month of one entity, collected by site, by contract and by tranche. All are Money unless
// marked.
struct SiteFlows {
  Money opex, capex, depreciation, write_off, net_ppe;
  HEADROOM_HD constexpr void visit(auto&& f) { f(opex), f(capex), f(depreciation), f(write_off), f(net_ppe); }
};
struct ContractFlows {
  Money revenue, damages, recoveries, prepaid, credited, refunded, forfeited, backlog, unearned;
  HEADROOM_HD constexpr void visit(auto&& f) {
    f(revenue), f(damages), f(recoveries), f(prepaid), f(credited), f(refunded), f(forfeited), f(backlog),
        f(unearned);
  }
};
struct PoolFlows {
  Money revenue, cost;
  Real online, sold;                      // GPUs
  Real price_weight, start_price_weight;  // GPUs on line x market price, now and at the start
  HEADROOM_HD constexpr void visit(auto&& f) {
    f(revenue), f(cost), f(online), f(sold), f(price_weight), f(start_price_weight);
  }
};
struct DebtFlows {
  Money interest, fees, amortisation, lease_principal, maturities, drawn, converted, balance;
  Money called;     // balance that was accelerated without recourse to the parent
  Money sweepable;  // balance of the tranches that take a sweep
  Real new_shares;  // million, by conversion
  HEADROOM_HD constexpr void visit(auto&& f) {
    f(interest), f(fees), f(amortisation), f(lease_principal), f(maturities), f(drawn), f(converted),
        f(balance), f(called), f(sweepable), f(new_shares);
  }
};

// The balance sheet, and other figures that the next month needs.
struct EntityState {
  Money cash, receivables, payables_opex, payables_capex, ppe, deferred, debt, gap, equity, tax_losses;
  Money reserve;                       // account for debt service
  Real shares, share_price, leverage;  // million; USD; debt / EBITDA (last quarter x 4)
  Money liquidity, issued_in_quarter;
  Money paid_in, distributed;  // by the parent, and to the parent, since the start
  std::int32_t default_month;  // first month with a payment that nobody made good
  HEADROOM_HD constexpr void visit(auto&& f) {
    f(cash), f(receivables), f(payables_opex), f(payables_capex), f(ppe), f(deferred), f(debt), f(gap),
        f(equity), f(tax_losses), f(reserve), f(shares), f(share_price), f(leverage), f(liquidity),
        f(issued_in_quarter), f(paid_in), f(distributed), f(default_month);
  }
};

// The consequences of covenant breaches for an entity, as of the last month end.
struct EntityControl {
  std::int32_t trapped, sweep_all;  // 0 or 1: no distributions; all cash above the minimum is swept
  Money fee_due;                    // waiver fees, paid next month
  HEADROOM_HD constexpr void visit(auto&& f) { f(trapped), f(sweep_all), f(fee_due); }
};

// The figures of a month end that covenants test, by entity and consolidated.
struct Position {
  Money debt, cash, liquidity, backlog, collateral;
  HEADROOM_HD constexpr void visit(auto&& f) { f(debt), f(cash), f(liquidity), f(backlog), f(collateral); }
};

// Values that one part of an entity's closing passes to the next.
struct EntityMonth {
  Money cash;          // before it is balanced
  Money unfinanced;    // capex beyond the month's draws
  Money debt_service;  // interest and principal
  Money reconciled;    // cash and reserve less debt and gap, computed from income and the balance sheet
  HEADROOM_HD constexpr void visit(auto&& f) { f(cash), f(unfinanced), f(debt_service), f(reconciled); }
};

// Sums over the entities closed so far.
struct GroupMonth {
  Money upstream;  // distributions less what the parent paid in
  Money revenue, cash_interest, tax, cfo, capex, net_income, forfeited;
  Money ebitda, interest, principal, cfads, contracted;  // of the covenants' windows
  Money debt, cash, gap, deferred, backlog, collateral;
  Real online, sold, price_weight, start_price_weight;  // as in PoolFlows
  HEADROOM_HD constexpr void visit(auto&& f) {
    f(upstream), f(revenue), f(cash_interest), f(tax), f(cfo), f(capex), f(net_income), f(forfeited), f(ebitda),
        f(interest), f(principal), f(cfads), f(contracted), f(debt), f(cash), f(gap), f(deferred), f(backlog),
        f(collateral), f(online), f(sold), f(price_weight), f(start_price_weight);
  }
};

// Cash swept from an entity and not yet paid to a tranche.
struct Sweep {
  Money left;
  HEADROOM_HD constexpr void visit(auto&& f) { f(left); }
};

// The flows that covenant windows sum.
struct WindowRow {
  Money ebitda, interest, principal, cfads, contracted;
  HEADROOM_HD constexpr void visit(auto&& f) { f(ebitda), f(interest), f(principal), f(cfads), f(contracted); }
};
struct CovenantState {
  std::int32_t first_breach, min_headroom;    // over all tests, cured or not
  std::int32_t first_uncured, accelerated;    // months; kNever
  std::int32_t months_in_breach;              // since the first of the current uncured tests; 0: none
  std::int32_t cures, cures_in_row, waivers;  // used so far
  HEADROOM_HD constexpr void visit(auto&& f) {
    f(first_breach), f(min_headroom), f(first_uncured), f(accelerated), f(months_in_breach), f(cures),
        f(cures_in_row), f(waivers);
  }
};
// Payments that the covenant under test causes.
struct CovenantPayment {
  Money cure, waiver_fee;
  HEADROOM_HD constexpr void visit(auto&& f) { f(cure), f(waiver_fee); }
};

struct FirstBreach {
  std::int32_t month, covenant;  // kNever
  HEADROOM_HD constexpr void visit(auto&& f) { f(month), f(covenant); }
};

// The value of a series in this month; then the totals of the path.
struct Observed {
  std::int32_t value;
  HEADROOM_HD constexpr void visit(auto&& f) { f(value); }
};
struct PathTotals {
  Money year[kYearColumnCount];  // of the calendar year so far
  Money quarter_fcf, total_fcf, peak_gap, min_liquidity;
  std::int32_t violations, glut_months;
  Real tightness, price, short_rate, spread, power, churn;  // sums over months
  Real worst_delay;                                         // months, over sites
  HEADROOM_HD constexpr void visit(auto&& f) {
    for_each_year_column([&](auto column, auto) HEADROOM_LANE { f(year[column.value]); });
    f(quarter_fcf), f(total_fcf), f(peak_gap), f(min_liquidity), f(violations), f(glut_months), f(tightness),
        f(price), f(short_rate), f(spread), f(power), f(churn), f(worst_delay);
  }
};

struct FieldCount {
  std::int32_t real = 0, integer = 0;
  HEADROOM_HD constexpr void operator()(Real&) { ++real; }
  HEADROOM_HD constexpr void operator()(std::int32_t&) { ++integer; }
};
template <class T>
HEADROOM_HD constexpr FieldCount fields_of() {
  FieldCount count;
  T value{};
  value.visit([&](auto& field) { count(field); });
  return count;
}

// Position of a field among its struct's reals or integers.
template <class T, class V>
HEADROOM_HD constexpr std::int32_t place_of(V T::*field) {
  std::int32_t place = 0, next = 0;
  T value{};
  value.visit([&]<class W>(W& each) {
    if constexpr (std::is_same_v<V, W>) {
      if (&each == &(value.*field)) place = next;
      ++next;
    }
  });
  return place;
}

// Position in a lane's rows where the structs of one kind start.
template <class T>
struct Slot {
  std::int32_t real = 0, integer = 0;
};

struct StateLayout {
  Slot<PathConstants> constants;
  Slot<MarketState> market;
  Slot<LaunchState> launch;
  Slot<GpuState> gpu;
  Slot<SiteConstants> site_constants;
  Slot<SiteState> site;
  Slot<SiteMonth> site_month;
  Slot<CustomerState> customer;
  Slot<CustomerTotals> customer_totals;
  Slot<ContractConstants> contract_constants;
  Slot<ContractState> contract;
  Slot<TrancheState> tranche;
  Slot<TrancheControl> tranche_control;
  Slot<Instalments> instalments;  // [tranche]
  Slot<Vintage> vintage;
  Slot<TrancheMonth> tranche_month;  // [tranche], then by entity for all of its tranches
  Slot<SiteFlows> site_flows;
  Slot<ContractFlows> contract_flows;
  Slot<PoolFlows> pool_flows;
  Slot<DebtFlows> debt_flows;
  Slot<EntityState> entity;
  Slot<EntityControl> entity_control;
  Slot<Sweep> sweep;  // [entity]
  // By entity; the consolidated one comes last if there are several entities: Scenario::group().
  Slot<Position> position;
  Slot<WindowRow> window;  // [entity][13]: cumulative sums (from before the horizon) at the last month ends
  Slot<EntityMonth> entity_month;
  Slot<GroupMonth> group_month;
  Slot<CovenantState> covenant;
  Slot<CovenantPayment> verdict;
  Slot<FirstBreach> first_breach;
  Slot<PathTotals> totals;
  Slot<Observed> observed;               // [series]
  std::int32_t reals = 0, integers = 0;  // words a lane

  template <class T>
  HEADROOM_HD void place(Slot<T>& slot, std::int32_t count) {
    slot = {reals, integers};
    constexpr FieldCount fields = fields_of<T>();
    reals += fields.real * count;
    integers += fields.integer * count;
  }
};

HEADROOM_HD StateLayout state_layout(const Scenario& s) {
  StateLayout l;
  l.place(l.constants, 1);
  l.place(l.market, 1);
  l.place(l.launch, s.launch.size);
  l.place(l.gpu, s.gpu_type.size);
  l.place(l.site_constants, s.site.size);
  l.place(l.site, s.site.size);
  l.place(l.site_month, s.site.size);
  l.place(l.customer, s.customer.size);
  l.place(l.customer_totals, s.customer.size);
  l.place(l.contract_constants, s.contract.size);
  l.place(l.contract, s.contract.size);
  l.place(l.tranche, s.tranche.size + 1);  // the last is always empty: the revolver of an entity without one
  l.place(l.tranche_control, s.tranche.size + 1);
  l.place(l.instalments, s.tranche.size);
  std::int32_t vintages = 0;
  for (std::int32_t d = 0; d < s.tranche.size; ++d) vintages += s.tranche[d].vintages;
  l.place(l.vintage, vintages);
  l.place(l.tranche_month, s.tranche.size + s.entity.size);
  l.place(l.site_flows, s.entity.size);
  l.place(l.contract_flows, s.entity.size);
  l.place(l.pool_flows, s.entity.size);
  l.place(l.debt_flows, s.entity.size);
  l.place(l.entity, s.entity.size);
  l.place(l.entity_control, s.entity.size);
  l.place(l.sweep, s.entity.size);
  l.place(l.position, s.group() + 1);
  l.place(l.window, (s.group() + 1) * 13);
  l.place(l.entity_month, 1);
  l.place(l.group_month, 1);
  l.place(l.covenant, s.covenant.size);
  l.place(l.verdict, 1);
  l.place(l.first_breach, 1);
  l.place(l.totals, 1);
  l.place(l.observed, series_count(s));
  return l;
}

// One lane's view of its memory. Stride is a type, so a compile-time stride costs no register. Its row()
// gives the start of a row together with all that the backend knows of its alignment.
template <class Stride>
struct LaneMemory {
  Real* real;
  std::int32_t* integer;
  Stride stride;
  std::int32_t lane;

  template <class T>
  HEADROOM_HD T load(Slot<T> slot, std::int32_t i = 0) const {
    constexpr FieldCount fields = fields_of<T>();
    T value;
    Reader reader{row(real, slot.real + i * fields.real), row(integer, slot.integer + i * fields.integer),
                  stride};
    value.visit(reader);
    return value;
  }
  template <class T>
  HEADROOM_HD void store(Slot<T> slot, const T& value, std::int32_t i = 0) const {
    constexpr FieldCount fields = fields_of<T>();
    Writer writer{row(real, slot.real + i * fields.real), row(integer, slot.integer + i * fields.integer),
                  stride};
    T copy = value;
    copy.visit(writer);
  }
  // One field of the struct.
  template <auto field, class T>
  HEADROOM_HD void store_field(Slot<T> slot, const T& value, std::int32_t i) const {
    constexpr FieldCount fields = fields_of<T>();
    constexpr std::int32_t place = place_of(field);
    if constexpr (std::is_same_v<decltype(field), Real T::*>) {
      row(real, slot.real + i * fields.real)[place * static_cast<std::size_t>(stride)] = value.*field;
    } else {
      row(integer, slot.integer + i * fields.integer)[place * static_cast<std::size_t>(stride)] = value.*field;
    }
  }

 private:
  // This lane's entry in a word's row.
  template <class T>
  HEADROOM_HD T* row(T* memory, std::int32_t word) const {
    return stride.row(memory + static_cast<std::size_t>(word) * stride) + lane;
  }
  struct Reader {
    const Real* real;
    const std::int32_t* integer;
    Stride stride;
    HEADROOM_HD void operator()(Real& field) { field = *real, real += stride; }
    HEADROOM_HD void operator()(std::int32_t& field) { field = *integer, integer += stride; }
  };
  struct Writer {
    Real* real;
    std::int32_t* integer;
    Stride stride;
    HEADROOM_HD void operator()(Real& field) { *real = field, real += stride; }
    HEADROOM_HD void operator()(std::int32_t& field) { *integer = field, integer += stride; }
  };
};

// Stores only the named fields: store<&GpuState::price>(p, l.gpu, state, g). A step that changes two fields
// of eleven writes two.
template <auto... fields, class P, class T>
HEADROOM_HD void store(const P& p, Slot<T> slot, const T& value, std::int32_t i = 0) {
  (p.template store_field<fields>(slot, value, i), ...);
}

}  // namespace headroom
