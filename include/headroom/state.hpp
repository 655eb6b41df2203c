// SPDX-License-Identifier: Apache-2.0
// The state of one path. Each struct is one list of fields: type, name, unit. The plain value, references to
// its words in memory, and the names for a reader of the state all follow from the list.
// A path's state is a row of 32-bit words per lane: word w of lane l is at base[w * stride + l], so that
// neighbouring lanes (SIMD) and threads (GPU) touch neighbouring words. Memory is sized to the scenario: a
// mechanism that no object has costs no memory. Values of one month alone stay in registers where they can.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "headroom/hd.hpp"
#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"

namespace headroom {

// A field as a reader of the state sees it.
struct StateField {
  const char* name;
  const char* unit;
  bool real;  // else a 32-bit integer
};

#define HEADROOM_FIELD(type, name, unit) type name;
#define HEADROOM_PLACE(type, name, unit) name,
#define HEADROOM_TRAITS(type, name, unit) {#name, unit, std::is_same_v<type, Real>},
#define HEADROOM_REFERENCE(type, name, unit) type& name;
#define HEADROOM_BIND(type, name, unit) row.template word<type>(static_cast<std::int32_t>(Place::name)),
#define HEADROOM_ASSIGN(type, name, unit) this->name = from.name;
#define HEADROOM_VALUE(type, name, unit) name,

// A struct of the state. `Name::In` are references to its words in a path's memory: a field that is assigned
// is stored, and no other.
#define HEADROOM_STATE(Name, LIST)                                                                    \
  struct Name {                                                                                       \
    LIST(HEADROOM_FIELD)                                                                              \
    enum class Place : std::int32_t { LIST(HEADROOM_PLACE) kCount };                                  \
    static constexpr std::int32_t kWords = static_cast<std::int32_t>(Place::kCount);                  \
    static constexpr StateField kFields[] = {LIST(HEADROOM_TRAITS)};                                  \
    struct In {                                                                                       \
      LIST(HEADROOM_REFERENCE)                                                                        \
      HEADROOM_HD const In& operator=(const Name& from) const { LIST(HEADROOM_ASSIGN) return *this; } \
      HEADROOM_HD operator Name() const { return {LIST(HEADROOM_VALUE)}; }                            \
    };                                                                                                \
    HEADROOM_HD static In in(const auto& row) { return {LIST(HEADROOM_BIND)}; }                       \
  };

// Values drawn once for a path.
#define HEADROOM_PATH_CONSTANTS(X)                                     \
  X(Real, psi_training, "factor") /* growth uncertainty multipliers */ \
  X(Real, psi_inference, "factor")                                     \
  X(Real, xi, "factor")       /* ageing multiplier */                  \
  X(Real, systemic, "normal") /* M */
HEADROOM_STATE(PathConstants, HEADROOM_PATH_CONSTANTS)

#define HEADROOM_MARKET_STATE(X)                              \
  X(Real, log_demand_training, "log")                         \
  X(Real, log_demand_inference, "log")                        \
  X(Real, log_supply, "log")                                  \
  X(Real, supply_gap, "log per year")                         \
  X(Real, tightness, "log") /* q */                           \
  X(Real, cycle, "log")     /* a */                           \
  X(Real, rate_x, "per year")                                 \
  X(Real, log_spread, "log")                                  \
  X(Real, churn, "log")                                       \
  X(Real, log_power, "log")                                   \
  X(Real, utilisation, "share") /* v of the on-demand pool */ \
  X(Real, short_rate, "per year")                             \
  X(Real, spread_multiplier, "factor")                        \
  X(Real, power_multiplier, "factor")                         \
  X(Real, churn_multiplier, "factor")                         \
  X(Real, usage, "share") /* of non-take-or-pay volume */     \
  X(std::int32_t, regime, "Regime")                           \
  X(std::int32_t, window_open, "0 or 1")
HEADROOM_STATE(MarketState, HEADROOM_MARKET_STATE)

#define HEADROOM_FREEZE_STATE(X) X(std::int32_t, frozen, "0 or 1") /* AI funding */
HEADROOM_STATE(FreezeState, HEADROOM_FREEZE_STATE)

#define HEADROOM_LAUNCH_STATE(X) \
  X(Real, month, "month")        \
  X(Real, progress, "share") /* of its price effect */
HEADROOM_STATE(LaunchState, HEADROOM_LAUNCH_STATE)

#define HEADROOM_GPU_STATE(X) X(Real, price, "USD per GPU-hour") /* this month */
HEADROOM_STATE(GpuState, HEADROOM_GPU_STATE)

enum SiteStatus : std::int32_t { kWaiting, kOrdered, kCancelled, kNotOrdered };

#define HEADROOM_SITE_STATE(X)                                                                      \
  X(Real, ready, "month")                                                                           \
  X(Real, delivery, "month") /* of its GPUs */                                                      \
  X(Real, cost_multiplier, "factor")                                                                \
  X(Real, purchase_price, "USD per GPU-hour") /* market price of its GPU type when its GPUs came */ \
  X(Money, capex, "ledger units")             /* cumulative, accrual */                             \
  X(Money, depreciated, "ledger units")       /* cumulative, with write-offs */                     \
  X(std::int32_t, status, "SiteStatus")
HEADROOM_STATE(SiteState, HEADROOM_SITE_STATE)

// The capacity of the site that is at work in the month: on line, and not yet taken by contracts.
#define HEADROOM_SITE_MONTH(X)                     \
  X(Real, online, "GPUs")   /* month's mean */     \
  X(Real, left, "GPUs")     /* likewise */         \
  X(Real, left_end, "GPUs") /* at the month end */ \
  X(Real, idle, "GPUs")     /* under contract, paid for by use and not used; month's mean */
HEADROOM_STATE(SiteMonth, HEADROOM_SITE_MONTH)

#define HEADROOM_CUSTOMER_STATE(X)                                                               \
  X(Real, threshold, "hazard") /* unit exponential */                                            \
  X(Real, hazard, "hazard")    /* integrated intensity */                                        \
  X(std::int32_t, default_month, "month")                                                        \
  X(Money, fees, "ledger units")       /* billed over the horizon, by all its contracts */       \
  X(Money, lost, "ledger units")       /* contracted fees still to come of the contracts lost */ \
  X(std::int32_t, left_month, "month") /* first loss of a contract: termination, default, loss of its site */
HEADROOM_STATE(CustomerState, HEADROOM_CUSTOMER_STATE)

// The last three mean: ended by the customer for lateness, ended by the loss of the site, ended by the
// customer's default.
enum ContractStatus : std::int32_t { kOption, kPending, kInForce, kEnded, kTerminated, kReleased, kDefaulted };

#define HEADROOM_CONTRACT_STATE(X)                                                             \
  X(Real, price, "USD per GPU-hour")                                                           \
  X(Real, end, "month")              /* kNeverReal until the term has started */               \
  X(Money, unearned, "ledger units") /* the part of the prepayment that is deferred revenue */ \
  X(Money, last_fee, "ledger units") /* of the last month served: base of a recovery claim */  \
  X(std::int32_t, status, "ContractStatus")                                                    \
  X(std::int32_t, prepaid, "0 or 1")                                                           \
  X(std::int32_t, renewals, "count")
HEADROOM_STATE(ContractState, HEADROOM_CONTRACT_STATE)

// Of a contract whose customer may ask for a lower price.
#define HEADROOM_STEP_DOWN_STATE(X) \
  X(Real, threshold, "hazard")      \
  X(Real, hazard, "hazard") /* integrated; very negative once stepped down */
HEADROOM_STATE(StepDownState, HEADROOM_STEP_DOWN_STATE)

#define HEADROOM_DAMAGES_STATE(X) X(Money, charged, "ledger units") /* cumulative */
HEADROOM_STATE(DamagesState, HEADROOM_DAMAGES_STATE)

#define HEADROOM_TRANCHE_STATE(X)                                                                        \
  X(Money, balance, "ledger units")                                                                      \
  X(Money, undrawn, "ledger units")                                                                      \
  X(Money, borrowing_base, "ledger units") /* advance rate x eligible capex not drawn against yet; grows \
                                              while a shut market delays draws */                        \
  X(Real, spread, "per year")              /* locked at the draws (weighted) or by refinancing */        \
  X(Real, margin, "per year")              /* that breaches add, as of the last month end */             \
  X(std::int32_t, standing, "Standing")
HEADROOM_STATE(TrancheState, HEADROOM_TRANCHE_STATE)

// Bits of a tranche's standing. Draw stop and sweep are consequences of breaches as of the last month end. No
// flag is bit 0: g++ does not vectorise a test of it.
enum Standing : std::int32_t {
  kRefinanced = 1 << 1,
  kAccelerated = 1 << 2,  // for good
  kFollows = 1 << 3,      // a cross-default will accelerate it
  kDrawsStopped = 1 << 4,
  kSwept = 1 << 5,
  kSigned =
      1 << 6,  // an uncommitted loan that was signed with the order of a site: its draws need no open market
};

// Of a tranche whose draws are repaid one by one: the instalment due each month, and the balance before the
// month's draw. A Vintage is the amount of one draw.
#define HEADROOM_INSTALMENTS(X)   \
  X(Money, level, "ledger units") \
  X(Money, before, "ledger units")
HEADROOM_STATE(Instalments, HEADROOM_INSTALMENTS)
#define HEADROOM_VINTAGE(X) X(Money, drawn, "ledger units")
HEADROOM_STATE(Vintage, HEADROOM_VINTAGE)

// Capex of the month that a tranche finances.
#define HEADROOM_ELIGIBLE(X) X(Money, capex, "ledger units")
HEADROOM_STATE(Eligible, HEADROOM_ELIGIBLE)
// Its sites that are not in full service, where a loan or a guarantee waits for them.
#define HEADROOM_COMPLETION(X) X(std::int32_t, late, "sites")
HEADROOM_STATE(Completion, HEADROOM_COMPLETION)
#define HEADROOM_COLLATERAL(X) X(Money, value, "ledger units")
HEADROOM_STATE(Collateral, HEADROOM_COLLATERAL)

// The flows of an entity's sites, contracts and pool in a month, and what it holds in them at the month end.
#define HEADROOM_FLOWS(X)                                                             \
  X(Money, opex, "ledger units") /* before SG&A */                                    \
  X(Money, capex, "ledger units")                                                     \
  X(Money, depreciation, "ledger units") /* with write-offs */                        \
  X(Money, net_ppe, "ledger units")      /* of its sites */                           \
  X(Money, contract_revenue, "ledger units")                                          \
  X(Money, pool_revenue, "ledger units")                                              \
  X(Money, damages, "ledger units")                                                   \
  X(Money, recoveries, "ledger units")                                                \
  X(Money, prepaid, "ledger units")                                                   \
  X(Money, credited, "ledger units")                                                  \
  X(Money, refunded, "ledger units")                                                  \
  X(Money, forfeited, "ledger units")                                                 \
  X(Money, backlog, "ledger units")                                                   \
  X(Money, unearned, "ledger units")                                                  \
  X(Real, online, "GPUs")                                                             \
  X(Real, sold, "GPUs")                                                               \
  X(Real, price_weight, "GPUs x USD per GPU-hour")       /* on line x market price */ \
  X(Real, start_price_weight, "GPUs x USD per GPU-hour") /* on line x market price at as_of */
HEADROOM_STATE(Flows, HEADROOM_FLOWS)

// The debt of the entity that is being closed, over its tranches.
#define HEADROOM_DEBT_MONTH(X)                                                                 \
  X(Money, interest, "ledger units")                                                           \
  X(Money, fees, "ledger units")                                                               \
  X(Money, principal, "ledger units") /* scheduled, with that of finance leases */             \
  X(Money, maturities, "ledger units")                                                         \
  X(Money, drawn, "ledger units")                                                              \
  X(Money, converted, "ledger units")                                                          \
  X(Money, balance, "ledger units")                                                            \
  X(Money, called, "ledger units")    /* balance accelerated without recourse to the parent */ \
  X(Money, sweepable, "ledger units") /* balance of the tranches that take a sweep */          \
  X(Money, coming, "ledger units")    /* debt service that a forward reserve account holds */  \
  X(std::int32_t, late, "sites")      /* of a completion guarantee: not in full service */     \
  X(Real, new_shares, "million")      /* by conversion */
HEADROOM_STATE(DebtMonth, HEADROOM_DEBT_MONTH)

// The balance sheet of an entity, and other figures that the next month needs.
#define HEADROOM_ENTITY_STATE(X)                                                                               \
  X(Money, cash, "ledger units")                                                                               \
  X(Money, reserve, "ledger units") /* account for debt service */                                             \
  X(Money, receivables, "ledger units")                                                                        \
  X(Money, payables_opex, "ledger units")                                                                      \
  X(Money, payables_capex, "ledger units")                                                                     \
  X(Money, ppe, "ledger units")                                                                                \
  X(Money, deferred, "ledger units")                                                                           \
  X(Money, debt, "ledger units")                                                                               \
  X(Money, gap, "ledger units") /* payments that nobody made good */                                           \
  X(Money, equity, "ledger units")                                                                             \
  X(Money, paid_in, "ledger units")       /* by the parent, since the start */                                 \
  X(Money, distributed, "ledger units")   /* to the parent, since the start */                                 \
  X(Real, leverage, "ratio")              /* debt over EBITDA, last quarter x 4; of the parent: the group's */ \
  X(std::int32_t, default_month, "month") /* first month with a payment that nobody made good */
HEADROOM_STATE(EntityState, HEADROOM_ENTITY_STATE)

// Of the parent alone.
#define HEADROOM_PARENT_STATE(X)                                      \
  X(Money, tax_losses, "ledger units")                                \
  X(Money, liquidity, "ledger units") /* cash and undrawn revolver */ \
  X(Money, issued_in_quarter, "ledger units")                         \
  X(Real, shares, "million")                                          \
  X(Real, share_price, "USD")
HEADROOM_STATE(ParentState, HEADROOM_PARENT_STATE)

// The consequences of covenant breaches for an entity, as of the last month end.
#define HEADROOM_ENTITY_CONTROL(X)             \
  X(std::int32_t, restrictions, "Restriction") \
  X(Money, fee_due, "ledger units") /* waiver fees, paid next month */
HEADROOM_STATE(EntityControl, HEADROOM_ENTITY_CONTROL)
enum Restriction : std::int32_t {
  kTrapped = 1 << 1,   // no distributions
  kSweepAll = 1 << 2,  // all cash above the minimum is swept
};

// The figures of a month end that covenants test, by entity and consolidated.
#define HEADROOM_POSITION(X)          \
  X(Money, debt, "ledger units")      \
  X(Money, cash, "ledger units")      \
  X(Money, liquidity, "ledger units") \
  X(Money, backlog, "ledger units")
HEADROOM_STATE(Position, HEADROOM_POSITION)

// Sums over the entities closed so far.
#define HEADROOM_GROUP_MONTH(X)                                                       \
  X(Money, upstream, "ledger units") /* distributions less what the parent paid in */ \
  X(Money, revenue, "ledger units")                                                   \
  X(Money, ebitda, "ledger units")                                                    \
  X(Money, cash_interest, "ledger units")                                             \
  X(Money, tax, "ledger units")                                                       \
  X(Money, cfo, "ledger units")                                                       \
  X(Money, capex, "ledger units")                                                     \
  X(Money, net_income, "ledger units")                                                \
  X(Money, forfeited, "ledger units")                                                 \
  X(Money, interest, "ledger units") /* as covenant windows count it */               \
  X(Money, principal, "ledger units")                                                 \
  X(Money, cfads, "ledger units")                                                     \
  X(Money, contracted, "ledger units")                                                \
  X(Money, debt, "ledger units")                                                      \
  X(Money, cash, "ledger units")                                                      \
  X(Money, gap, "ledger units") /* the parent's, and those that it guarantees */      \
  X(Money, deferred, "ledger units")                                                  \
  X(Money, backlog, "ledger units")                                                   \
  X(Real, online, "GPUs") /* as in Flows */                                           \
  X(Real, sold, "GPUs")                                                               \
  X(Real, price_weight, "GPUs x USD per GPU-hour")                                    \
  X(Real, start_price_weight, "GPUs x USD per GPU-hour")
HEADROOM_STATE(GroupMonth, HEADROOM_GROUP_MONTH)

// Cash swept from the entity that is being closed, and not yet paid to a tranche. In a covenant's test: an
// amount summed over the tranches whose lenders it protects.
#define HEADROOM_SWEEP(X) X(Money, left, "ledger units")
HEADROOM_STATE(Sweep, HEADROOM_SWEEP)

#define HEADROOM_COVENANT_STATE(X)                                          \
  X(std::int32_t, first_breach, "month") /* over all tests, cured or not */ \
  X(std::int32_t, min_headroom, "fixed point or ledger units")
HEADROOM_STATE(CovenantState, HEADROOM_COVENANT_STATE)

// Of a covenant with cures, waivers or consequences.
#define HEADROOM_BREACH_STATE(X)                                                                          \
  X(std::int32_t, first_uncured, "month")                                                                 \
  X(std::int32_t, accelerated, "month")                                                                   \
  X(std::int32_t, months_in_breach, "months") /* since the first of the current uncured tests; 0: none */ \
  X(std::int32_t, cures, "count")             /* used so far */                                           \
  X(std::int32_t, cures_in_row, "count")                                                                  \
  X(std::int32_t, waivers, "count")
HEADROOM_STATE(BreachState, HEADROOM_BREACH_STATE)

// Payments that the covenant under test causes.
#define HEADROOM_COVENANT_PAYMENT(X) \
  X(Money, cure, "ledger units")     \
  X(Money, waiver_fee, "ledger units")
HEADROOM_STATE(CovenantPayment, HEADROOM_COVENANT_PAYMENT)

#define HEADROOM_FIRST_BREACH(X)     \
  X(std::int32_t, month, "month")    \
  X(std::int32_t, covenant, "index") \
  X(std::int32_t, default_month, "month") /* of an acceleration or a borrower's payment default */
HEADROOM_STATE(FirstBreach, HEADROOM_FIRST_BREACH)

// A word of a covenant window: a cumulative sum. See WindowPlace.
#define HEADROOM_WINDOW_SUM(X) X(Money, sum, "ledger units, modulo 2^32")
HEADROOM_STATE(WindowSum, HEADROOM_WINDOW_SUM)

// The value of a series in this month: every measure, and then the series observed last.
#define HEADROOM_OBSERVED(X) X(std::int32_t, value, "fixed point or ledger units")
HEADROOM_STATE(Observed, HEADROOM_OBSERVED)

#define HEADROOM_YEAR_SUM(X) X(Money, sum, "ledger units") /* of the calendar year so far */
HEADROOM_STATE(YearSum, HEADROOM_YEAR_SUM)

#define HEADROOM_PATH_TOTALS(X)            \
  X(Money, quarter_fcf, "ledger units")    \
  X(Money, total_fcf, "ledger units")      \
  X(Money, peak_gap, "ledger units")       \
  X(Money, min_liquidity, "ledger units")  \
  X(std::int32_t, violations, "Violation") \
  X(std::int32_t, glut_months, "months")   \
  X(Real, tightness, "sum over months")    \
  X(Real, price, "sum over months")        \
  X(Real, short_rate, "sum over months")   \
  X(Real, spread, "sum over months")       \
  X(Real, power, "sum over months")        \
  X(Real, churn, "sum over months")        \
  X(Real, worst_delay, "months") /* over sites */
HEADROOM_STATE(PathTotals, HEADROOM_PATH_TOTALS)

// Where the structs of one kind start in a path's row, and how many there are.
template <class T>
struct Slot {
  std::int32_t first = 0, count = 0;
};

// The whole state, in order of place: struct, name, number of structs. state_layout() in host/engine sets the
// numbers.
#define HEADROOM_STATES(X)                                                                             \
  X(PathConstants, constants)                                                                          \
  X(MarketState, market)                                                                               \
  X(FreezeState, freeze)                                                                               \
  X(LaunchState, launch)                                                                               \
  X(GpuState, gpu)                                                                                     \
  X(SiteState, site)                                                                                   \
  X(SiteMonth, site_month)                                                                             \
  X(CustomerState, customer)                                                                           \
  X(ContractState, contract)                                                                           \
  X(StepDownState, step_down)                                                                          \
  X(DamagesState, damages)                                                                             \
  X(TrancheState, tranche) /* the last is always empty: the revolver of an entity without one */       \
  X(Instalments, instalments)                                                                          \
  X(Vintage, vintage)                                                                                  \
  X(Eligible, eligible)                                                                                \
  X(Completion, completion) /* like eligible */                                                        \
  X(Collateral, collateral) /* by tranche, then by entity for all of its lenders, then consolidated */ \
  X(Flows, flows)           /* by entity */                                                            \
  X(DebtMonth, debt_month)                                                                             \
  X(EntityState, entity)                                                                               \
  X(ParentState, parent)                                                                               \
  X(EntityControl, entity_control)                                                                     \
  X(Sweep, sweep)                                                                                      \
  X(Position, position) /* by entity, then consolidated: Scenario::group() */                          \
  X(WindowSum, window)                                                                                 \
  X(GroupMonth, group_month)                                                                           \
  X(CovenantState, covenant)                                                                           \
  X(BreachState, breach)                                                                               \
  X(CovenantPayment, verdict)                                                                          \
  X(FirstBreach, first_breach)                                                                         \
  X(PathTotals, totals)                                                                                \
  X(YearSum, year)                                                                                     \
  X(Observed, observed)

#define HEADROOM_SLOT(type, name) Slot<type> name;
struct StateLayout {
  HEADROOM_STATES(HEADROOM_SLOT)
  std::int32_t words = 0;  // of a path

  // f(slot, name) for every kind of struct.
  template <class F>
  constexpr void for_each_slot(F&& f) {
#define HEADROOM_VISIT(type, name) f(this->name, #name);
    HEADROOM_STATES(HEADROOM_VISIT)
#undef HEADROOM_VISIT
  }
  template <class T>
  void place(Slot<T>& slot, std::int32_t count) {
    slot = {words, count};
    words += T::kWords * count;
  }
};
#undef HEADROOM_SLOT
#undef HEADROOM_FIELD
#undef HEADROOM_PLACE
#undef HEADROOM_TRAITS
#undef HEADROOM_REFERENCE
#undef HEADROOM_BIND
#undef HEADROOM_ASSIGN
#undef HEADROOM_VALUE

// The row of an observed series.
HEADROOM_HD std::int32_t observed_row(std::int32_t series) {
  return series < kMeasureCount ? series : std::int32_t{kMeasureCount};
}

// One lane's view of its memory. Grid::kStride: words between a lane's neighbouring words. Grid::row() gives
// the start of a row together with all that the backend knows of its alignment.
template <class Grid>
struct LaneMemory {
  std::uint32_t* words;
  std::int32_t lane;

  // References to the words of a struct.
  template <class T>
  HEADROOM_HD typename T::In at(Slot<T> slot, std::int32_t i = 0) const {
    return T::in(
        Row{Grid::row(words + static_cast<std::size_t>(slot.first + i * T::kWords) * Grid::kStride) + lane});
  }
  // A copy of a struct.
  template <class T>
  HEADROOM_HD T load(Slot<T> slot, std::int32_t i = 0) const {
    return at(slot, i);
  }

 private:
  struct Row {
    std::uint32_t* start;
    template <class T>
    HEADROOM_HD T& word(std::int32_t place) const {
      return *reinterpret_cast<T*>(start + static_cast<std::size_t>(place) * Grid::kStride);
    }
  };
};

}  // namespace headroom
