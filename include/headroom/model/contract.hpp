// SPDX-License-Identifier: Apache-2.0
// Customers and their contracts: default, lateness, step-down, renewal, options, prepayments. See MODEL.md
// 3.6 and 4.
// Each function is one event or flow of one contract in one month. Its last arguments are what it changes:
// the contract's state, and the flows of its entity. month/contracts.hpp calls only the steps that the contract
// can have.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/model/market.hpp"
#include "headroom/model/site.hpp"
#include "headroom/outcome.hpp"
#include "headroom/philox.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// Cox default: the intensity lambda * exp(y - beta q), summed, against a unit-exponential threshold.
HEADROOM_HD void advance_customer(Real tightness_beta, Real intensity_month, std::int32_t month, Real tightness,
                                  Real churn, auto&& state) {
  const Real hazard = state.hazard + intensity_month * exp(fma(-tightness_beta, tightness, churn));
  const bool now = (hazard > state.threshold) & (state.default_month == kNever);
  state.hazard = hazard;
  state.default_month = select(now, month, state.default_month);
}

HEADROOM_HD ContractState start_contract(const Contract& c) {
  ContractState state{};
  state.price = c.price_usd_per_gpu_hour;
  state.end = c.end_month;
  state.unearned = c.opening_unearned;
  state.status = c.running != 0 ? kInForce : (c.option != 0 ? kOption : kPending);
  return state;
}

// What a path draws for a contract: words of its stream.
HEADROOM_HD Real termination_uniform(const Philox4& words) { return uniform(words.w0); }
HEADROOM_HD Real step_down_threshold(const Philox4& words) { return exponential(words.w1); }
HEADROOM_HD Real option_uniform(const Philox4& words) { return uniform(words.w2); }
// Uniform of the k-th renewal. The first is the drawn word itself; later ones come from it by a bijective mix
// (Murmur3's finaliser).
HEADROOM_HD Real renewal_uniform(const Philox4& words, std::int32_t renewals) {
  const std::uint32_t h = words.w3;
  std::uint32_t mixed = h + static_cast<std::uint32_t>(renewals) * 0x9E3779B9U;
  mixed = (mixed ^ (mixed >> 16)) * 0x85EBCA6BU;
  mixed = (mixed ^ (mixed >> 13)) * 0xC2B2AE35U;
  mixed = mixed ^ (mixed >> 16);
  return uniform(select(renewals == 0, h, mixed));
}

// Fee of one month for `gpus` GPUs at a price, in ledger units.
HEADROOM_HD Real ledger_fee(Real gpus, Real price_usd_per_gpu_hour, Real ledger_usd) {
  return gpus * price_usd_per_gpu_hour * (kHoursPerMonth / ledger_usd);
}

// Remaining contracted fees at month end t, at contract prices.
HEADROOM_HD Money contract_backlog(const Contract& c, Real t, Real ledger_usd, auto&& state) {
  const Real to_end = max(state.end - t, bound(0.0F));
  const Real in_force = select(state.status == kInForce, to_end, 0.0F);
  const Real months = select(state.status == kPending, min(c.term_months, to_end), in_force);
  return money(ledger_fee(c.gpus, state.price, ledger_usd) * months);
}

// The customer's option, decided on its date.
HEADROOM_HD void exercise_option(const Contract& c, Real u, const auto& market, auto&& state) {
  const Real p =
      logistic(fma(-c.option_beta_y, market.churn, fma(c.option_beta_q, market.tightness, c.option_alpha)));
  const std::int32_t decided = select(u < p, std::int32_t{kPending}, std::int32_t{kEnded});
  state.status = select(state.status == kOption, decided, state.status);
}

// A contract that is lost leaves the part `refund` of its prepayment to the customer, and `forfeit` to the
// company.
HEADROOM_HD void settle_prepayment(Money refund, Money forfeit, auto&& state, auto&& flows) {
  state.unearned -= refund + forfeit;
  flows.refunded += refund;
  flows.forfeited += forfeit;
}

// Counts a contract that was lost in a step. `backlog`: its remaining contracted fees before the step.
HEADROOM_HD void count_loss(std::int32_t status_before, std::int32_t status_after, Money backlog,
                            std::int32_t month, auto&& customer) {
  const std::int32_t now = select(status_after >= kTerminated, select(status_before <= kInForce, 1, 0), 0);
  customer.lost = min(customer.lost + now * backlog, kFixedMax);
  customer.left_month = select(now != 0, min(customer.left_month, month), customer.left_month);
}

// At the end of the long-stop month, a customer whose contract is not in full service leaves with its
// probability. The unearned prepayment is refunded.
HEADROOM_HD void leave(Real probability, Real u, auto&& state, auto&& flows) {
  const std::int32_t decided = select(u < probability, std::int32_t{kTerminated}, std::int32_t{kPending});
  const std::int32_t status = select(state.status == kPending, decided, state.status);
  state.status = status;
  settle_prepayment(select(status == kTerminated, state.unearned, 0), 0, state, flows);
}

// The customer is gone or the site will not come. The prepayment is refunded if the company failed, and
// forfeited if the customer did.
HEADROOM_HD void release(std::int32_t month, std::int32_t default_month, std::int32_t site_status, auto&& state,
                         auto&& flows) {
  const std::int32_t with_site = select(site_status >= kCancelled, std::int32_t{kReleased}, state.status);
  const std::int32_t with_customer = select(month >= default_month, std::int32_t{kDefaulted}, with_site);
  const std::int32_t status = select(state.status <= kInForce, with_customer, state.status);
  state.status = status;
  const Money refund =
      select(status == kTerminated, state.unearned, select(status == kReleased, state.unearned, 0));
  settle_prepayment(refund, select(status == kDefaulted, state.unearned, 0), state, flows);
}

// The terms of a contract's month that are the same on every path.
struct ContractTerms {
  Real t;
  Real gpus, before;  // contracted for a whole month; the part of the month before the contract date
  Real wanted_end;    // GPUs at the month end: 0 before the contract date
  Real from;          // the part of the month that lies after the contract date
  Real full_at;       // GPUs at the month end that count as full delivery
  Real end_if_full;   // end of the term if full service starts this month
  Real fee_per_gpu;   // ledger units a month per GPU and USD per GPU-hour
  Real take_or_pay, usage_share;  // shares of the fee: fixed, and depending on usage
  Real idle_share;                // of the GPUs: at rest where usage is 0
  Real per_gpu;                   // 1 / contracted GPUs
  Real damages_per_price;         // full fee x share x the part of the month that is late, per USD per GPU-hour
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
  // Late: after the grace months, and not after the end date.
  const Real late_from = max(t - 1.0F, c.start_month + c.grace_months);
  const Real late = damages && c.running == 0 ? clamp(min(t, c.end_month) - late_from, 0.0F, 1.0F) : 0.0F;
  const Real before = clamp(c.start_month - (t - 1.0F), 0.0F, 1.0F);
  const Real fee_per_gpu = kHoursPerMonth / ledger_usd;
  return {
      .t = t,
      .gpus = c.gpus,
      .before = c.gpus * before,
      .wanted_end = t >= c.start_month ? c.gpus : 0.0F,
      .from = 1.0F - before,
      .full_at = 0.999F * c.gpus,
      .end_if_full = (c.fixed_term != 0 ? c.start_month : t) + c.term_months,
      .fee_per_gpu = fee_per_gpu,
      .take_or_pay = c.take_or_pay * c.availability,
      .usage_share = (1.0F - c.take_or_pay) * c.availability,
      .idle_share = 1.0F - c.take_or_pay,
      .per_gpu = 1.0F / c.gpus,
      .damages_per_price = late * (c.gpus * fee_per_gpu * c.damages_share),
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

HEADROOM_HD std::uint32_t contract_needs(std::int32_t status, std::int32_t month, std::int32_t default_month,
                                         std::int32_t site_status) {
  const std::uint32_t lost =
      select(month >= default_month, kNeedsRelease, 0U) | select(site_status >= kCancelled, kNeedsRelease, 0U);
  return 1U << status | select(status <= kInForce, lost, 0U);
}

// What a contract was served in a month.
struct Service {
  Real gpus_at_end;  // at the month end, or at the end date in the month
  Money fee;
};

// Mean over the month of the GPUs that a contract finds from its date on: those that came on line after
// `ready`, less those that other contracts hold at the month end.
HEADROOM_HD Real found_from_date(const ContractTerms& x, const Site& site, Real ready, bool alive,
                                 const auto& month) {
  const Real per_ramp = 1.0F / site.ramp_months;
  const Real on_line = online_integral(x.t, ready, site.ramp_months, per_ramp) -
                       online_integral(x.t - x.from, ready, site.ramp_months, per_ramp);
  const Real held = site.gpus * clamp((x.t - ready) * per_ramp, 0.0F, 1.0F) - month.left_end;
  return select(alive, max(fma(site.gpus, on_line, -x.from * held), 0.0F), 0.0F);
}

// The GPUs served this month, the capacity taken from the site, and the fee: the take-or-pay share in full,
// the rest by usage. The first month may start at the contract date, the last may stop at the end date.
// `found`: the month's mean of the GPUs that the contract may take. `delivering`: some lane may be pending.
template <bool delivering>
HEADROOM_HD Service serve(const ContractTerms& x, Real usage, Real found, auto&& state, auto&& site,
                          auto&& flows) {
  const std::int32_t before = state.status;
  const Real end = state.end;
  const Real part = clamp(end - (x.t - 1.0F), 0.0F, 1.0F);
  const Real in_force = select(before == kInForce, 1.0F, 0.0F);
  const Real live = delivering ? select(before == kPending, 1.0F, in_force) : in_force;
  const Real gpus = min(live * max(fma(x.gpus, part, -x.before), 0.0F), found);
  const Real at_hand = min(live * x.wanted_end, site.left_end);
  const Real gpus_at_end = select(end > x.t, at_hand, 0.0F);
  site.left -= gpus;
  site.left_end -= gpus_at_end;
  if constexpr (delivering) {
    const std::int32_t if_pending =
        select(gpus_at_end >= x.full_at, std::int32_t{kInForce}, std::int32_t{kPending});
    const std::int32_t status = select(before == kPending, if_pending, before);
    state.end = select(status != before, min(end, x.end_if_full), end);
    state.status = status;
  }
  const Real volume = fma(x.usage_share, usage, x.take_or_pay);
  site.idle = fma(gpus * x.idle_share, 1.0F - usage, site.idle);
  const Money fee = money(gpus * state.price * x.fee_per_gpu * volume);
  state.last_fee = select(fee > 0, fee, state.last_fee);
  flows.contract_revenue += fee;
  return {at_hand, fee};
}

// Delay damages of the late part of a month: a share of the full fee for the missing part, up to the cap.
HEADROOM_HD void charge_damages(const ContractTerms& x, Real gpus_at_end, auto&& state, auto&& damages,
                                auto&& flows) {
  const Real missing = fma(-gpus_at_end, x.per_gpu, 1.0F);
  const Money claim = money(state.price * x.damages_per_price * missing);
  const Money charged =
      select(state.status == kPending, max(min(claim, x.damages_cap - damages.charged), 0), 0);
  damages.charged += charged;
  flows.damages += charged;
}

// The prepayment: received once, by a live contract, when it is due and enough GPUs are served.
HEADROOM_HD void prepay(const ContractTerms& x, Real gpus_at_end, auto&& state, auto&& flows) {
  const Money due =
      select(state.prepaid == 0, select(gpus_at_end > x.prepayment_after, x.prepayment_due, 0), 0);
  const Money received = select(state.status == kPending, due, select(state.status == kInForce, due, 0));
  state.prepaid = select(received != 0, 1, state.prepaid);
  state.unearned += received;
  flows.prepaid += received;
}

// The prepayment is credited evenly over its window, each month at most the invoice.
HEADROOM_HD void credit(const ContractTerms& x, Money fee, auto&& state, auto&& flows) {
  const Money credited = min(min(state.unearned, x.credit_month), fee);
  state.unearned -= credited;
  flows.credited += credited;
}

constexpr std::int32_t kRecoveryMonths = 12;

// After a default: a share of the claim (up to a number of months of the last fee), received over twelve
// months.
HEADROOM_HD Money recovery(std::int32_t month, std::int32_t default_month, Real claim_per_fee, auto&& state) {
  const Money claim = money(static_cast<Real>(state.last_fee) * claim_per_fee);
  const Money this_month =
      select(month > default_month, select(month <= default_month + kRecoveryMonths, claim, 0), 0);
  return select(state.status == kDefaulted, this_month, 0);
}

// The market price of the contract's GPUs today, on contract terms.
HEADROOM_HD Real contract_reference(const Contract& c, Real market_price) {
  return market_price * (1.0F - c.renewal_discount);
}

// While a contract is dearer than the market by more than the trigger, it is re-priced part of the way, at a
// hazard.
HEADROOM_HD void step_down(const Contract& c, Real trigger, Real market_price, Real churn_multiplier,
                           auto&& state, auto&& step) {
  const Real reference = contract_reference(c, market_price);
  const Real price = state.price;
  const Real if_dear = select(price > reference * trigger, c.step_down_hazard_month * churn_multiplier, 0.0F);
  const Real hazard = step.hazard + select(state.status == kInForce, if_dear, 0.0F);
  const bool now = hazard > step.threshold;
  state.price = select(now, fma(c.step_down_pass, reference - price, price), price);
  step.hazard = select(now, -kNeverReal, hazard);
}

// 1 if the term ends this month.
HEADROOM_HD std::uint32_t expires(Real t, auto&& state) {
  const std::uint32_t over = select(t >= state.end, 1U, 0U);
  return select(state.status == kInForce, over, select(state.status == kPending, over, 0U));
}

// The end of a term: the contract is renewed at the market from the next month on, or its GPUs go to the pool
// and the unearned prepayment is refunded, because nothing was served for it. `u`: of its renewal.
HEADROOM_HD void expire(const Contract& c, const ContractTerms& x, Real u, const auto& market,
                        Real market_price, auto&& state, auto&& flows) {
  const Real p = x.renewable * logistic(fma(-c.renewal_beta_y, market.churn,
                                            fma(c.renewal_beta_q, market.tightness, c.renewal_alpha)));
  const std::int32_t before = state.status;
  const bool over = x.t >= state.end;
  const std::int32_t at_end = select(u < p, std::int32_t{kInForce}, std::int32_t{kEnded});
  const std::int32_t if_in_force = select(over, at_end, std::int32_t{kPending});  // kPending: not expiring
  const std::int32_t outcome = select(before == kInForce, if_in_force, std::int32_t{kPending});
  state.price = select(outcome == kInForce, contract_reference(c, market_price), state.price);
  state.end = select(outcome == kInForce, x.t + c.renewal_term_months, state.end);
  state.renewals += select(outcome == kInForce, 1, 0);
  // A dated term that passes before full service ends too.
  const std::int32_t undelivered = select(over, std::int32_t{kReleased}, std::int32_t{kPending});
  const std::int32_t otherwise = select(before == kPending, undelivered, before);
  const std::int32_t status = select(outcome == kEnded, std::int32_t{kEnded}, otherwise);
  state.status = status;
  const bool over_for_good = (status == kReleased) | (outcome == kEnded);
  settle_prepayment(select(over_for_good, state.unearned, 0), 0, state, flows);
}

}  // namespace headroom
