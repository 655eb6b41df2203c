// SPDX-License-Identifier: Apache-2.0
// Customers and their contracts: default, lateness, step-down, renewal, options, prepayments. See MODEL.md
// 3.6 and 4.
// Each step is one event or flow of one contract in one month. month/contracts.hpp calls only the steps that
// the contract can have.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/market.hpp"
#include "headroom/math.hpp"
#include "headroom/outcome.hpp"
#include "headroom/philox.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Cox default: the intensity lambda * exp(y - beta q), summed, against a unit-exponential threshold. Returns
// the state after `month`.
HEADROOM_HD CustomerState advance_customer(const Customer& c, CustomerState state, std::int32_t month,
                                           const MarketState& m) {
  state.hazard += c.default_intensity_month * exp(fma(-c.tightness_beta, m.tightness, m.churn));
  const bool now = (state.hazard > state.threshold) & (state.default_month == kNever);
  state.default_month = select(now, month, state.default_month);
  return state;
}

HEADROOM_HD ContractState start_contract(const Contract& c) {
  ContractState state{};
  state.price = c.price_usd_per_gpu_hour;
  state.end = c.end_month;
  state.unearned = c.opening_unearned;
  state.status = c.running != 0 ? kInForce : (c.option != 0 ? kOption : kPending);
  return state;
}

// Fee of one month for `gpus` GPUs at a price, in ledger units.
HEADROOM_HD Real ledger_fee(Real gpus, Real price_usd_per_gpu_hour, Real ledger_usd) {
  return gpus * price_usd_per_gpu_hour * (kHoursPerMonth / ledger_usd);
}

// The state and flows that a step changes (the contract's state, the site's capacity, the entity's flows),
// and the figures of the month's service that later steps need.
struct ContractStep {
  ContractState state;
  SiteMonth site;
  ContractFlows flows;
  Real served_end = 0.0F;  // GPUs at the month end
  Money fee = 0;
};

// The customer's option, decided on its date.
HEADROOM_HD ContractState exercise_option(const Contract& c, Real u, ContractState state,
                                          const MarketState& m) {
  const Real p = logistic(fma(-c.option_beta_y, m.churn, fma(c.option_beta_q, m.tightness, c.option_alpha)));
  const std::int32_t decided = select(u < p, std::int32_t{kPending}, std::int32_t{kEnded});
  state.status = select(state.status == kOption, decided, state.status);
  return state;
}

// At the end of the long-stop month, a customer whose contract is not in full service leaves with its
// probability. The unearned prepayment is refunded.
HEADROOM_HD ContractStep leave(Real probability, Real u, ContractState state, ContractFlows flows) {
  const std::int32_t decided = select(u < probability, std::int32_t{kTerminated}, std::int32_t{kPending});
  state.status = select(state.status == kPending, decided, state.status);
  const Money refund = select(state.status == kTerminated, state.unearned, 0);
  state.unearned -= refund;
  flows.refunded += refund;
  return {state, {}, flows};
}

// Counts a contract that was lost in a step. `backlog`: its remaining contracted fees before the step.
HEADROOM_HD CustomerTotals count_loss(CustomerTotals totals, std::int32_t status_before,
                                      std::int32_t status_after, Money backlog, std::int32_t month) {
  const std::int32_t now = select(status_after >= kTerminated, select(status_before <= kInForce, 1, 0), 0);
  totals.lost = min(totals.lost + now * backlog, kFixedMax);
  totals.left_month = select(now != 0, min(totals.left_month, month), totals.left_month);
  return totals;
}

// The terms of a contract's month that are the same on every path.
struct ContractTerms {
  Real t;
  Real gpus, before;  // contracted for a whole month; the part of the month before the contract date
  Real wanted_end;    // GPUs at the month end: 0 before the contract date
  Real full_at;       // GPUs at the month end that count as full delivery
  Real end_if_full;   // end of the term if full service starts this month
  Real fee_per_gpu;   // ledger units a month per GPU and USD per GPU-hour
  Real take_or_pay, usage_share;  // shares of the fee: fixed, and depending on usage
  Real per_gpu;                   // 1 / contracted GPUs
  Real damages_per_price;         // full fee x share per USD per GPU-hour; 0: none this month
  Money damages_cap;
  Money prepayment_due, credit_month;
  Real prepayment_after;  // the prepayment is due once more GPUs than this are served
  Real renewable;         // 1 or 0
  Real claim_per_fee;     // monthly recovery after a default, per last fee
};

HEADROOM_HD ContractTerms contract_terms(const Contract& c, const Customer& customer, std::int32_t month,
                                         bool damages, Real ledger_usd) {
  const Real t = static_cast<Real>(month);
  const bool at_start = c.prepayment_month < 0;
  const bool due = at_start ? t > c.start_month : month == c.prepayment_month;
  const bool late = damages && c.running == 0 && t > c.start_month + c.grace_months;
  const Real fee_per_gpu = kHoursPerMonth / ledger_usd;
  return {
      .t = t,
      .gpus = c.gpus,
      .before = c.gpus * clamp(c.start_month - (t - 1.0F), 0.0F, 1.0F),
      .wanted_end = t >= c.start_month ? c.gpus : 0.0F,
      .full_at = 0.999F * c.gpus,
      .end_if_full = (c.fixed_term != 0 ? c.start_month : t) + c.term_months,
      .fee_per_gpu = fee_per_gpu,
      .take_or_pay = c.take_or_pay * c.availability,
      .usage_share = (1.0F - c.take_or_pay) * c.availability,
      .per_gpu = 1.0F / c.gpus,
      .damages_per_price = late ? c.gpus * fee_per_gpu * c.damages_share : 0.0F,
      .damages_cap = money(c.damages_cap),
      .prepayment_due = due ? c.prepayment : 0,
      .credit_month = money(static_cast<Real>(c.prepayment + c.opening_unearned) / c.credit_window_months),
      .prepayment_after = at_start ? 0.0F : -1.0F,
      .renewable = c.renewal_term_months > 0.0F ? 1.0F : 0.0F,
      .claim_per_fee = customer.recovery_share * static_cast<Real>(customer.recovery_months) * (1.0F / 12.0F)};
}

// The steps of a contract that some path needs this month; the other steps are not run, because they would
// change nothing. One bit for each status, and one bit for a standing contract whose customer or site is
// gone.
HEADROOM_HD constexpr std::uint32_t status_bit(ContractStatus status) { return 1U << status; }
constexpr std::uint32_t kNeedsRelease = 1U << 31;

HEADROOM_HD std::uint32_t contract_needs(const ContractState& state, std::int32_t month,
                                         std::int32_t default_month, std::int32_t site_status) {
  const std::uint32_t lost =
      select(month >= default_month, kNeedsRelease, 0U) | select(site_status >= kCancelled, kNeedsRelease, 0U);
  return 1U << state.status | select(state.status <= kInForce, lost, 0U);
}

// The GPUs served this month, the capacity taken from the site, and the fee: the take-or-pay share in full,
// the rest by usage. The first month may start at the contract date, the last may stop at the end date.
// `delivering`: some lane may be pending.
template <bool delivering>
HEADROOM_HD ContractStep serve(const ContractTerms& x, ContractState state, SiteMonth site, ContractFlows flows,
                               const MarketState& m) {
  const Real part = clamp(state.end - (x.t - 1.0F), 0.0F, 1.0F);
  const Real in_force = select(state.status == kInForce, 1.0F, 0.0F);
  const Real live = delivering ? select(state.status == kPending, 1.0F, in_force) : in_force;
  const Real gpus = min(live * max(fma(x.gpus, part, -x.before), 0.0F), site.left);
  const Real served_end = min(select(state.end > x.t, live * x.wanted_end, 0.0F), site.left_end);
  site.left -= gpus;
  site.left_end -= served_end;
  if constexpr (delivering) {
    const std::int32_t if_pending =
        select(served_end >= x.full_at, std::int32_t{kInForce}, std::int32_t{kPending});
    const std::int32_t status = select(state.status == kPending, if_pending, state.status);
    state.end = select(status != state.status, min(state.end, x.end_if_full), state.end);
    state.status = status;
  }

  const Real volume = fma(x.usage_share, m.usage, x.take_or_pay);
  const Money fee = money(gpus * state.price * x.fee_per_gpu * volume);
  state.last_fee = select(fee > 0, fee, state.last_fee);
  flows.revenue += fee;
  return {state, site, flows, served_end, fee};
}

// The customer is gone or the site will not come. The prepayment is refunded if the company failed, and
// forfeited if the customer did.
HEADROOM_HD ContractStep release(ContractState state, ContractFlows flows, std::int32_t month,
                                 std::int32_t default_month, std::int32_t site_status) {
  const std::int32_t with_site = select(site_status >= kCancelled, std::int32_t{kReleased}, state.status);
  const std::int32_t with_customer = select(month >= default_month, std::int32_t{kDefaulted}, with_site);
  state.status = select(state.status <= kInForce, with_customer, state.status);
  const Money refund =
      select(state.status == kTerminated, state.unearned, select(state.status == kReleased, state.unearned, 0));
  const Money forfeit = select(state.status == kDefaulted, state.unearned, 0);
  state.unearned -= refund + forfeit;
  flows.refunded += refund;
  flows.forfeited += forfeit;
  return {state, {}, flows};
}

constexpr std::int32_t kRecoveryMonths = 12;

// After a default: a share of the claim (up to a number of months of the last fee), received over twelve
// months.
HEADROOM_HD Money recovery(const ContractState& state, std::int32_t month, std::int32_t default_month,
                           Real claim_per_fee) {
  const Money claim = money(static_cast<Real>(state.last_fee) * claim_per_fee);
  const Money this_month =
      select(month > default_month, select(month <= default_month + kRecoveryMonths, claim, 0), 0);
  return select(state.status == kDefaulted, this_month, 0);
}

// Delay damages of a month: a share of the full fee for the missing part, up to the cap.
HEADROOM_HD ContractStep charge_damages(const ContractTerms& x, ContractStep step) {
  const Real missing = fma(-step.served_end, x.per_gpu, 1.0F);
  const Money claim = money(step.state.price * x.damages_per_price * missing);
  const Money charged =
      select(step.state.status == kPending, max(min(claim, x.damages_cap - step.state.damages), 0), 0);
  step.state.damages += charged;
  step.flows.damages += charged;
  return step;
}

// The prepayment: received once, by a live contract, when it is due and enough GPUs are served.
HEADROOM_HD ContractStep prepay(const ContractTerms& x, ContractStep step) {
  const Money due =
      select(step.state.prepaid == 0, select(step.served_end > x.prepayment_after, x.prepayment_due, 0), 0);
  const Money received =
      select(step.state.status == kPending, due, select(step.state.status == kInForce, due, 0));
  step.state.prepaid += received;
  step.state.unearned += received;
  step.flows.prepaid += received;
  return step;
}

// The prepayment is credited evenly over its window, each month at most the invoice.
HEADROOM_HD ContractStep credit(const ContractTerms& x, ContractStep step) {
  const Money credited = min(min(step.state.unearned, x.credit_month), step.fee);
  step.state.unearned -= credited;
  step.flows.credited += credited;
  return step;
}

// The market price of the contract's GPUs today, on contract terms.
HEADROOM_HD Real contract_reference(const Contract& c, Real market_price) {
  return market_price * (1.0F - c.renewal_discount);
}

// While a contract is dearer than the market by more than the trigger, it is re-priced part of the way, at a
// hazard.
HEADROOM_HD ContractState step_down(const Contract& c, Real threshold, ContractState state,
                                    const MarketState& m, Real market_price, Real trigger) {
  const Real reference = contract_reference(c, market_price);
  const Real if_dear =
      select(state.price > reference * trigger, c.step_down_hazard_month * m.churn_multiplier, 0.0F);
  state.step_down_hazard += select(state.status == kInForce, if_dear, 0.0F);
  const bool now = state.step_down_hazard > threshold;
  state.price = select(now, fma(c.step_down_pass, reference - state.price, state.price), state.price);
  state.step_down_hazard = select(now, -kNeverReal, state.step_down_hazard);
  return state;
}

// Uniform of the k-th renewal. The first is the drawn word itself; later ones come from it by a bijective mix
// (Murmur3's finaliser).
HEADROOM_HD Real renewal_uniform(std::int32_t word, std::int32_t renewals) {
  const std::uint32_t h = static_cast<std::uint32_t>(word);
  std::uint32_t mixed = h + static_cast<std::uint32_t>(renewals) * 0x9E3779B9U;
  mixed = (mixed ^ (mixed >> 16)) * 0x85EBCA6BU;
  mixed = (mixed ^ (mixed >> 13)) * 0xC2B2AE35U;
  mixed = mixed ^ (mixed >> 16);
  return uniform(select(renewals == 0, h, mixed));
}

// 1 if the term ends this month.
HEADROOM_HD std::uint32_t expires(const ContractState& state, Real t) {
  const std::uint32_t over = select(t >= state.end, 1U, 0U);
  return select(state.status == kInForce, over, select(state.status == kPending, over, 0U));
}

// The end of a term: the contract is renewed at the market, or its GPUs go to the pool and the rest of the
// prepayment becomes income.
HEADROOM_HD ContractStep expire(const Contract& c, const ContractTerms& x, const ContractConstants& path,
                                ContractState state, ContractFlows flows, const MarketState& m,
                                Real market_price, Mask random) {
  const Real p = x.renewable *
                 logistic(fma(-c.renewal_beta_y, m.churn, fma(c.renewal_beta_q, m.tightness, c.renewal_alpha)));
  const Real u = select(random, renewal_uniform(path.renewal_word, state.renewals), 0.5F);
  const std::int32_t at_end = select(u < p, std::int32_t{kInForce}, std::int32_t{kEnded});
  const std::int32_t if_in_force =
      select(x.t >= state.end, at_end, std::int32_t{kPending});  // kPending: not expiring
  const std::int32_t outcome = select(state.status == kInForce, if_in_force, std::int32_t{kPending});
  state.price = select(outcome == kInForce, contract_reference(c, market_price), state.price);
  state.end += select(outcome == kInForce, c.renewal_term_months, 0.0F);
  state.renewals += select(outcome == kInForce, 1, 0);
  // A dated term that passes before full service ends too; the unearned prepayment is refunded.
  const std::int32_t undelivered = select(x.t >= state.end, std::int32_t{kReleased}, std::int32_t{kPending});
  const std::int32_t otherwise = select(state.status == kPending, undelivered, state.status);
  state.status = select(outcome == kEnded, std::int32_t{kEnded}, otherwise);
  const Money refund = select(state.status == kReleased, state.unearned, 0);
  state.unearned -= refund;
  flows.refunded += refund;
  const Money left = select(outcome == kEnded, state.unearned, 0);
  state.unearned -= left;
  flows.forfeited += left;
  return {state, {}, flows};
}

// Remaining contracted fees, at contract prices.
HEADROOM_HD Money contract_backlog(const Contract& c, const ContractState& state, Real t, Real ledger_usd) {
  const Real to_end = max(state.end - t, bound(0.0F));
  const Real in_force = select(state.status == kInForce, to_end, 0.0F);
  const Real months = select(state.status == kPending, min(c.term_months, to_end), in_force);
  return money(ledger_fee(c.gpus, state.price, ledger_usd) * months);
}

}  // namespace headroom
