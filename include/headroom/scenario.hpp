// SPDX-License-Identifier: Apache-2.0
// All that a backend knows of a scenario: trivially copyable parameters and views, without text or display
// units. The loader (host/config) fills them; units are in the names. MODEL.md explains each mechanism.
//
// Time: `as_of` is month end 0; month t runs from month end t-1 to month end t; a date inside a month is
// fractional. Money: integer ledger units of `ledger_usd` US dollars (1,000 unless the config says otherwise),
// so that sums and identities are exact. |amount| stays below 2^30 units; a path that leaves that range is
// counted as a violation.
#pragma once

#include <cstdint>
#include <type_traits>

#include "headroom/hd.hpp"
#include "headroom/switches.hpp"

namespace headroom {

using Money = std::int32_t;      // ledger units
using StreamId = std::uint32_t;  // hash of an object's id and a draw's name, e.g. "site/vineland-1/grid"

constexpr std::int32_t kNever = 1 << 20;  // a month that never comes
constexpr Real kNeverReal = 1048576.0F;
constexpr Real kHoursPerMonth = 730.5F;
constexpr std::int32_t kMaxMonths = 240;
constexpr std::int32_t kForwardMonths = 12;  // that a reserve account can look ahead

// Market variables that can be put on plan: every reader of the variable then gets the plan's value of the
// month. (A switch only silences the variable's own shocks; the variable still moves with the others.) The
// random state behind the variable keeps moving, so that no other draw and no other variable's shock changes.
enum Variable : std::uint32_t {
  kPriceOnPlan = 1U << 0,      // market price of every GPU type
  kTightnessOnPlan = 1U << 1,  // q
  kShortRateOnPlan = 1U << 2,
  kSpreadOnPlan = 1U << 3,  // multiplier of new spreads
  kPowerOnPlan = 1U << 4,   // multiplier of floating power prices
};

constexpr std::int32_t kRegimeCount = 3;  // shortage, balanced, glut
enum Regime : std::int32_t { kShortage = 0, kBalanced = 1, kGlut = 2 };
struct ByRegime {
  Real shortage, balanced, glut;
};

// The order of the correlated monthly shocks.
enum Factor : std::int32_t {
  kDemandTraining,
  kDemandInference,
  kPrice,
  kRate,
  kSpreadFactor,
  kChurnFactor,
  kPowerFactor,
  kFactorCount
};

// Values that do not depend on the path, for month t = 1..T (row t-1).
struct MonthRow {
  Real growth_training;  // log demand growth of the month before uncertainty: g(t) / 12
  Real growth_inference;
  Real supply_growth;             // log, of the month
  Real rate_base;                 // f(0,t) plus the Hull-White convexity term, per year
  std::int32_t quarter_end;       // 0 or 1, calendar quarter
  std::int32_t year_end;          // 0 or 1, calendar year
  std::int32_t year;              // index of the calendar year, 0 = the year of month 1
  std::int32_t quarter;           // index of the calendar quarter, 0 = the quarter of month 1
  std::int32_t plan_regime = -1;  // where the regime is on plan; -1: as in the month before
};

struct DemandParams {
  Real training_share;                               // of demand at the start
  Real sigma_training_month, sigma_inference_month;  // sd of a month's log demand
  Real drift_training_month, drift_inference_month;  // -sigma^2 / 24
  Real uncertainty_training, uncertainty_inference;  // sd of log psi
  ByRegime shift_month;                              // m_s / 12
  Real jump_probability_month;                       // 1 - exp(-intensity / 12)
  Real jump_mean_log, jump_sd_log;
  Real start_tightness;   // q_0
  Real supply_response;   // theta
  Real supply_lag_month;  // 1 / (12 tau)
  std::int32_t start_regime;
  Real stay_or_worse[kRegimeCount]
                    [2];  // row s: cumulative monthly probabilities of shortage, and of shortage or balanced
};

struct PriceParams {
  Real cycle_start;         // a(0)
  Real tightness_pull;      // eta
  Real cycle_decay;         // exp(-kappa / 12)
  ByRegime cycle_mean_add;  // mu_P(s) / kappa
  ByRegime cycle_sd_month;  // exact OU sd of a month
  Real ageing_uncertainty;  // sd of log xi (median 1)
};

// Ornstein-Uhlenbeck (OU) process, exact discretisation: x' = mean + (x - mean) * decay + sd * z.
struct OuParams {
  Real decay_month, sd_month, start;
};

struct RateParams {
  OuParams short_rate;    // x of Hull-White, start 0
  OuParams spread;        // log multiplier of new spreads
  Real spread_glut_pull;  // beta of max(-q, 0)
  OuParams power;         // log multiplier of floating power prices
  ByRegime window_open;   // probability a quarter that the primary market is open
};

// A freeze of the funding of AI companies: it begins by chance and lasts until it ends by chance. While it
// lasts the primary market is shut, demand grows by less, new spreads are wider, and customers that live on
// funding default more often.
struct FreezeParams {
  std::int32_t possible = 0;             // 0: it never comes
  ByRegime begins;                       // probability a month, by the demand regime
  Real ends;                             // probability a month
  Real training_month, inference_month;  // added to the log of demand each month
  Real spread_factor;                    // on the multiplier of new spreads
  StreamId stream = 0;
};

// A delay in months: none with probability p_on_time, else earliest + exp(mu + sigma z).
struct DelayParams {
  Real z_on_time;  // normal quantile of p_on_time; -100 where there is no on-time mass
  Real p_late;     // 1 - p_on_time
  Real mu, sigma;  // of log(delay - earliest)
  Real earliest_months;
  Real systemic, own;  // sqrt(rho), sqrt(1 - rho)
  StreamId stream;
};

struct GpuType {
  Real log_price_start;  // ln USD per GPU-hour
  Real floor_usd_per_gpu_hour;
  std::int32_t first_launch_effect;  // index of its first entry in launch_effect (one per launch)
};

struct Launch {
  Real planned_month, ramp_months;
  DelayParams delay;
};

enum Stage : std::int32_t { kGrid, kBuilding, kCooling, kGpus, kStageCount };

struct Site {
  std::int32_t entity, gpu_type;
  Real gpus;
  // delivery
  std::int32_t has_stage[kStageCount];
  Real stage_month[kStageCount];
  DelayParams stage_delay[kStageCount];
  Real commissioning_months;
  DelayParams commissioning_delay;
  Real planned_ready_month;  // for a running site: its opening, <= 0
  Real unplanned_months;     // added to its delays on every path; the plan does not know of them
  std::int32_t running;      // open at as_of: no stage, no draw
  // Where its delivery is on plan: the opening and the delivery at a quantile of its own delay. kNeverReal:
  // each stage at its median.
  Real plan_ready_month = kNeverReal, plan_delivery_month = kNeverReal;
  Real ramp_months;  // > 0
  Real cancel_probability, cancel_month, sunk_share;
  StreamId cancel_stream;
  std::int32_t discretionary;
  // Of a discretionary site: it may be ordered up to this date, each month later opens it a month later; and
  // only against sources for its cost to complete.
  Real order_until_month = 0.0F;  // 0: on its order date or never
  std::int32_t funded_to_complete = 0;
  // capex
  Real order_month, delivery_month;  // planned
  Money capex;                       // total as planned, including what is paid already
  Money capex_paid;                  // before as_of
  Real order_share, delivery_share;  // due at order and with deliveries; the rest is due at the planned opening
  Real progress_share = 0.0F;        // due on an S-curve between the order and the planned opening
  std::int32_t pays_at_opening = 0;  // 1: the rest is due at the actual opening
  Real gpu_lead_months = kNeverReal;  // its GPUs come no earlier than so many months before it can be opened
  // An overrun is one of the cost to go at as_of (1) or of the whole; a part is at firm price, and the budget
  // holds a contingency, both shares of that cost.
  std::int32_t overruns_to_go = 0;
  Real firm_share = 0.0F, contingency_share = 0.0F;
  // What contractors pay for lateness: ledger units a month from `contractor_grace_months` after the planned
  // opening until it opens, for at most so many months.
  Real contractor_damages_month = 0.0F, contractor_grace_months = 0.0F, contractor_damages_months = 0.0F;
  Real gpu_value_share;                               // of capex: GPUs and network, the lenders' collateral
  Real overrun_sigma, overrun_systemic, overrun_own;  // log sd; sqrt(rho), sqrt(1 - rho)
  Real tail_probability, tail_add;                    // fat-tail event: multiplier (1 + tail_add)
  StreamId cost_stream;
  std::int32_t tranche;  // the tranche that finances its capex; -1: none
  Real life_months, residual_share;
  Money opening_gpu_value;  // cost of a running site's GPUs (maintenance, collateral); not depreciated here
  // costs, ledger units a month at full size
  Real lease_month, lease_start_month;
  Real staff_month;                             // from the planned opening
  Real prelaunch_month, prelaunch_start_month;  // until it opens
  Real facility_month;                          // operations of the share on line
  Real power_fixed_month,
      power_floating_month;  // at full load, at fixed price and at the start's floating price
  Real power_idle_share;
  Real maintenance_share_month;  // of the GPU value on line
  // contracts of this site: [first_contract, first_contract + contracts), in order of priority
  std::int32_t first_contract, contracts;
  std::uint32_t switches = kAllSwitches;  // 0: this site is on plan
};

struct Customer {
  Real default_intensity_month;       // lambda / 12
  std::int32_t first_intensity = -1;  // of its row of default_intensity, which is then lambda / 12; -1: none
  Real freeze_factor = 1.0F;          // on lambda while AI funding is frozen
  Real tightness_beta;
  Real recovery_share;           // of up to 12 months of fees
  std::int32_t recovery_months;  // length of the claim in months of fees
  StreamId stream;
  std::uint32_t switches = kAllSwitches;  // 0: this customer and its contracts are on plan
};

struct Contract {
  std::int32_t customer, site, entity;
  Real gpus, price_usd_per_gpu_hour;
  Real take_or_pay, availability;
  Real start_month;         // contract date of first delivery, planned
  std::int32_t running;     // in force at as_of
  Real end_month;           // where the end is a date: running contracts and fixed terms; else kNeverReal
  Real term_months;         // from first full delivery
  std::int32_t fixed_term;  // 1: the term runs from start_month
  // prepayment
  Money prepayment;  // total, due at prepayment_month (kNever: none; -1: at start)
  std::int32_t prepayment_month;
  Money opening_unearned;     // deferred revenue at as_of
  Real credit_window_months;  // credited evenly
  // lateness
  Real grace_months, damages_share, damages_cap;  // share of the fee a month; cap in ledger units
  Real long_stop_months, termination_probability;
  std::int32_t order_head;  // contract whose termination ends this one too, -1: own
  // price
  Real step_down_hazard_month, step_down_trigger_log, step_down_pass;  // hazard 0: price protected
  Real renewal_discount, renewal_term_months;                          // term 0: none
  Real renewal_alpha, renewal_beta_q, renewal_beta_y;
  std::int32_t option;  // 1: exists only if exercised at option_month
  Real option_month, option_alpha, option_beta_q, option_beta_y;
  StreamId stream;
  std::uint32_t switches = kAllSwitches;  // 0: this contract is on plan
};

struct OnDemandParams {
  Real start_utilisation;
  Real attrition_month;
  Real bookings_max, bookings_alpha, bookings_beta_q;  // b = max * logistic(alpha + beta q), a month
  Real usage_alpha, usage_beta_q;                      // usage(q) = logistic(alpha + beta q)
  OuParams churn;
  Real premium;  // provider's quality tier, factor on the market price
  Real channel_discount;
  Real backstop_share, backstop_price_usd_per_gpu_hour, backstop_end_month;
  Real platform_share_start, platform_share_end, platform_ramp_months;  // share of sold pool GPUs
  Real platform_price_multiple, platform_cost_ratio;
};

// The parent, or a ring-fenced borrower under it. Only the parent has the group's tax, shares, revolver and
// group SG&A.
struct Entity {
  std::int32_t parent;  // -1: it is the parent
  Money cash, restricted_cash, min_cash;
  // borrower
  std::int32_t guaranteed;         // 1: the parent makes good what it cannot pay
  std::int32_t capex_contributed;  // 1: the parent pays in capex that draws and its own cash leave open
  std::int32_t guarantee_end;      // last month of the guarantee (a completion guarantee, say); kNever
  Real lock_up_dscr;               // no distribution while DSCR (trailing 3 months) is below it; 0: none
  // reserve account and sweep
  Money reserve;                            // at as_of, in addition to restricted_cash
  Real reserve_months;                      // target, in months of the month's debt service
  std::int32_t reserve_forward_months = 0;  // target: the debt service of so many coming months
  std::int32_t ends_at_completion = 0;      // 1: the guarantee ends once its loans' sites are in full service
  std::int32_t defends_liquidity = 0;       // of the parent, 1: its minimum cash follows its liquidity tests
  Real cash_sweep_share;                    // of the cash above min_cash, to its tranches with cash_sweep
  Money receivables, payables_opex, payables_capex;
  Money opening_ppe;  // run-off part, excluding capex_paid of sites
  Real opening_ppe_life_months;
  Money other_net_assets;  // constant: makes the opening balance sheet balance
  Money tax_losses;
  Real receivable_months, payable_months_opex, payable_months_capex;
  Real sga_fixed_month, sga_share_of_revenue;
  Money stock_compensation_month;
  Real tax_rate, loss_use_share;
  Real cash_yield_share;  // of the short rate, on opening cash
  std::int32_t revolver;  // tranche index, -1: none
  // equity
  Real ev_to_ebitda, ev_tightness_beta;  // multiple = ev_to_ebitda * exp(beta q)
  Real shares_million;
  Real issue_floor_price_usd;  // no issue below it
  Money issue_max_quarter;     // 0: none
  Real refinance_leverage_limit;
  Money policy_liquidity;  // programmes hold it; discretionary sites are not ordered when liquidity is below it
};

enum class TrancheKind : std::int32_t { ddtl, term, notes, convertible, equipment, revolver };

struct Tranche {
  TrancheKind kind;
  std::int32_t entity;
  Money balance, commitment;              // drawn and undrawn at as_of
  Real draw_start_month, draw_end_month;  // availability; the undrawn lapses after it
  Real signed_month = 0.0F;               // the undrawn amount costs its fee from then on
  Real advance_rate;                      // of eligible capex
  std::int32_t
      needs_window;  // 1: not committed, drawn only while the primary market is open, at the then spread
  std::int32_t
      issue_month;  // notes and converts agreed but not yet paid in: all of `commitment` is drawn then; kNever
  // Its principal begins once its sites are in full service, at the latest in this month; 0: on its date.
  std::int32_t latest_amortisation = 0;
  // Its window is extended to this month while its sites are not in full service, for a fee on the undrawn.
  Real extended_end_month = 0.0F;  // 0: it is not
  Real extension_fee_share = 0.0F;
  // A programme of notes: issued while the market is open, as far as liquidity at the last month end falls
  // short of what the coming `issue_months_ahead` need, at most so much a calendar quarter.
  std::int32_t issue_months_ahead = 0;                // 0: it is none
  ByRegime issue_max_quarter{};                       // ledger units
  Real fixed_rate;                                    // per year; 0 for floating
  Real spread, floor, hedged_share, swap_rate;        // per year; unhedged share pays max(r, floor) + spread
  Real commitment_fee, upfront_fee_share;             // per year on the undrawn; of each draw
  std::int32_t amortisation_start, amortisation_end;  // months, level; start kNever: bullet
  std::int32_t maturity;
  std::int32_t refinanceable;
  Real refinance_spread;  // over the short rate, before the multiplier
  std::int32_t refinance_months;
  Real conversion_price_usd;  // convertible only
  // The last month in which it can be owed.
  HEADROOM_HD std::int32_t last_month() const { return maturity + (refinanceable != 0 ? refinance_months : 0); }
  std::int32_t lease;                // 1: finance lease; its principal is lease principal
  std::int32_t cash_sweep;           // 1: takes the entity's sweep, in the order of the tranches
  std::int32_t sweepable;            // 1: some of its entity's cash may ever be swept to it
  std::int32_t may_accelerate;       // 1: a covenant or a cross-default can make it due
  std::int32_t first_cross_default;  // entries of cross_default: it follows these tranches' defaults
  std::int32_t cross_defaults;       // number of these entries
  // repayment and coupon that are not level
  std::int32_t scheduled;         // 1: its row of `repayment` holds the divisors of the balance
  std::int32_t sculpted;          // 1: make_plan() fills that row, to follow the plan's CFADS
  std::int32_t sculpted_to = 0;   // 0: the plan's; k: that of the k-th lenders' case
  std::int32_t first_repayment;   // index of its row in repayment (months consecutive)
  std::int32_t draw_term_months;  // each draw is repaid level over so many months; 0: all draws together
  std::int32_t first_vintage;     // its first slot: one per month of draws that end within the horizon
  std::int32_t vintages;          // number of these slots
  std::int32_t first_draw_month;  // of vintage 0
  std::int32_t first_step_up;     // index of its first entry in step_up
  std::int32_t step_ups;
  std::int32_t capitalises_interest;  // 1: while it is available, its draws also pay its interest
  // 0: this tranche is on plan. Without kFundingWindow the market is always open to it. Without kSpread and
  // kRates it pays the plan's spread multiplier and the plan's short rate.
  std::uint32_t switches = kAllSwitches;
};

// From a month on, this much is added to the spread or the fixed rate, per year.
struct StepUp {
  std::int32_t month;
  Real add;
};

// Agreed inflows of equity and warrants, in ledger units.
struct DatedFlow {
  std::int32_t entity, month;
  Money amount;
  Real shares_million;
};

enum class Metric : std::int32_t;  // one for each row of metrics.hpp
enum class Window : std::int32_t { trailing_3, trailing_12, annualised_quarter };

struct Covenant {
  std::int32_t entity;   // -1: consolidated
  std::int32_t tranche;  // ltv and backlog_coverage may name one, -1: the entity's debt
  Metric metric;
  Window window;
  std::int32_t maximum;             // 1: the metric must not exceed the threshold; 0: not fall below it
  std::int32_t first_test;          // index of its row in covenant_test (months consecutive)
  std::int32_t outlives_loans = 0;  // 1: tested also when its loans are repaid
  Real springing_share = 0.0F;  // tested only while `tranche` is drawn above this share of its size; 0: always
  // cure: the parent's cash stands in for the missing cash flow or revenue, or repays the debt above the
  // limit
  std::int32_t cures = 0, cures_in_row = 0,
               last_cure = kNever;             // number; consecutive tests; month of the last that may be cured
  std::int32_t waivers = 0, first_waiver = 0;  // number; month from which lenders grant them
  Real waiver_fee_share = 0.0F;                // of the debt of its lenders
  // consequences for the tranches of covenant_target, from the first month end after `grace_months` on
  std::int32_t grace_months = 0;
  std::int32_t cash_trap = 0, draw_stop = 0,
               cash_sweep = 0;                // 0 or 1; the first and last of the lenders' borrowers
  Real margin_step = 0.0F;                    // per year, while it lasts
  std::int32_t acceleration_months = kNever;  // after the grace months; kNever: no acceleration
  std::int32_t first_target = 0, targets = 0;

  // Whether it protects the lenders of a tranche of `of`: of the one that it names, else of its targets, else
  // of all tranches of its entity, or of the group.
  HEADROOM_HD bool protects(std::int32_t which, const Tranche& of, const View<std::int32_t>& target) const {
    if (tranche >= 0) return which == tranche;
    for (std::int32_t k = 0; k < targets; ++k) {
      if (target[first_target + k] == which) return true;
    }
    return targets == 0 && (entity < 0 || of.entity == entity);
  }
  HEADROOM_HD bool plain() const { return cures == 0 && waivers == 0 && targets == 0; }  // only recorded
};
struct CovenantTest {
  std::int32_t tested;            // 0 or 1
  Real threshold;                 // metric's unit; an amount in ledger units
  std::int32_t lenders_case = 0;  // what it is measured against: 0 the plan, k the k-th lenders' case
};

// The last twelve months before as_of, oldest first, per entity. Covenant windows reach back to them.
struct HistoryMonth {
  Money ebitda, cash_interest, scheduled_principal, cfads, contracted_revenue;
};

// The plan's market at a month end. make_plan() fills it.
struct PlanMonth {
  Real log_supply, utilisation;
  Real tightness, short_rate, spread_multiplier, power_multiplier;
};

struct Scenario {
  std::int32_t months = 60;
  Real ledger_usd = 1000.0F;
  std::uint32_t switches = kAllSwitches;
  std::uint32_t variables_on_plan = 0;  // bits of Variable
  std::uint32_t has_plan = 0;
  std::int32_t observed_tranches = 0;                 // 0 or tranche.size: their balances are observed by month
  Real correlation[kFactorCount][kFactorCount] = {};  // lower Cholesky factor
  DemandParams demand{};
  PriceParams price{};
  RateParams rates{};
  FreezeParams freeze{};
  OnDemandParams on_demand{};
  StreamId market_stream[4] = {};  // a, b, c, window
  StreamId path_stream = 0;        // path-long uncertainty and the systemic draw

  View<MonthRow> month;  // [months]
  View<GpuType> gpu_type;
  View<Real> ageing;  // [gpu_type][months]: A_g(t), log decay
  View<Launch> launch;
  View<Real> launch_effect;  // [gpu_type][launch]: delta, log
  View<Site> site;
  View<Customer> customer;
  View<Real> default_intensity;  // [customer whose rating has a term structure][months]
  View<Contract> contract;       // sorted by site, then priority
  View<Entity> entity;           // borrowers first, the parent last
  View<Tranche> tranche;
  View<Real> repayment;  // [scheduled tranche][months + kForwardMonths]: the balance is divided by it; 0:
                         // nothing is repaid
  View<StepUp> step_up;
  View<DatedFlow> dated_flow;
  View<Covenant> covenant;
  View<CovenantTest> covenant_test;    // [covenant][months]
  View<std::int32_t> covenant_target;  // tranches
  View<std::int32_t> cross_default;    // tranches
  View<HistoryMonth> history;          // [entity][12]
  View<PlanMonth> plan;                // [months]
  View<Money> plan_contracted;         // [plan, then each lenders' case][entity][months]: contracted revenue
  View<Money> plan_need;               // [months]: what liquidity falls in the coming months with what is
                                       // committed alone; empty without a programme
  View<Real> plan_price;               // [gpu_type][months]: the plan's market price, USD per GPU-hour

  HEADROOM_HD bool on(Switch s) const { return (switches & s) != 0; }
  // Whether a mechanism is switched on for one site, customer, contract or tranche.
  template <class Object>
  HEADROOM_HD bool on(Switch s, const Object& object) const {
    return (switches & object.switches & s) != 0;
  }
  HEADROOM_HD bool on(Switch s, const Contract& c) const {
    return (switches & c.switches & customer[c.customer].switches & s) != 0;
  }
  HEADROOM_HD bool on_plan(Variable v) const { return has_plan != 0 && (variables_on_plan & v) != 0; }
  HEADROOM_HD std::int32_t parent() const { return entity.size - 1; }
  // Index of the consolidated figures. With one entity, that entity is the group.
  HEADROOM_HD std::int32_t group() const { return entity.size > 1 ? entity.size : 0; }

  // Calls f on every view. A backend uses it to copy a scenario to its own memory.
  template <class F>
  void for_each_view(F&& f) {
    f(month), f(gpu_type), f(ageing), f(launch), f(launch_effect), f(site), f(customer), f(default_intensity),
        f(contract), f(entity), f(tranche), f(repayment), f(step_up), f(dated_flow), f(covenant),
        f(covenant_test), f(covenant_target), f(cross_default), f(history), f(plan), f(plan_contracted),
        f(plan_need), f(plan_price);
  }
};
static_assert(std::is_trivially_copyable_v<Scenario>);

// The paths of a run: indices [first, first + count) of a seed.
struct PathRange {
  std::uint64_t seed;
  std::uint64_t first;
  std::uint64_t count;
};

}  // namespace headroom
