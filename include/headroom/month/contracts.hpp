// SPDX-License-Identifier: Apache-2.0
// Customers and contracts in one month: default, release, service, damages, prepayment, step-down, expiry,
// departures.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/model/contract.hpp"
#include "headroom/month/calendar.hpp"
#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

template <class Lanes>
HEADROOM_HD void advance_customers(const Now& now, Lanes& lanes) {
  const StateLayout& l = now.l;
  const std::int32_t month = now.month;
  for (std::int32_t c = 0; c < now.s.customer.size; ++c) {
    const Real beta = now.s.customer[c].tightness_beta, intensity = now.customer(c).intensity;
    const Real frozen = intensity * now.s.customer[c].freeze_factor;
    if (now.s.freeze.possible != 0 && frozen != intensity) {
      lanes.each([&](auto p) HEADROOM_LANE {
        const auto market = p.at(l.market);
        const Real in_force = select(p.at(l.freeze).frozen != 0, frozen, intensity);
        advance_customer(beta, in_force, month, market.tightness, market.churn, p.at(l.customer, c));
      });
      continue;
    }
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto market = p.at(l.market);
      advance_customer(beta, intensity, month, market.tightness, market.churn, p.at(l.customer, c));
    });
  }
}

// A contract's service. `delivering`: some path is not in full service yet, or receives a prepayment this
// month. `late`: damages may also fall due. `dated`: the contract date lies inside the month. In other months
// service is only a fee and a credit.
template <bool delivering, bool late, bool dated, class Lanes>
HEADROOM_HD void serve_contract(const Now& now, std::int32_t c, Lanes& lanes) {
  const StateLayout& l = now.l;
  const std::int32_t entity = now.s.contract[c].entity, customer = now.s.contract[c].customer;
  const std::int32_t damages = now.calendar.damages[c], place = now.calendar.place[now.s.contract[c].site];
  Held<ContractTerms> terms = now.contract(c).terms;
  Held<Site> site = now.s.site[now.s.contract[c].site];
  const Mask running(site.running != 0);
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto contract = p.at(l.contract, c);
    const auto flows = p.at(l.flows, entity);
    const auto capacity = p.at(l.site_month);
    Real found = capacity.left;
    if constexpr (dated) {
      const auto state = p.at(l.site, place);
      const Real ready = select(running, site.planned_ready_month, state.ready);
      const Real from_date = found_from_date(terms, site, ready, state.status == kOrdered, capacity);
      found = min(found, from_date);
    }
    const Service service = serve<delivering>(terms, p.at(l.market).usage, found, contract, capacity, flows);
    if constexpr (late) charge_damages(terms, service.gpus_at_end, contract, p.at(l.damages, damages), flows);
    if constexpr (delivering) prepay(terms, service.gpus_at_end, contract, flows);
    credit(terms, service.fee, contract, flows);
    const auto totals = p.at(l.customer, customer);
    totals.fees = min(totals.fees + service.fee, kFixedMax);
  });
}

// A contract of a customer or a site that is gone, in the month in which it goes.
template <class Lanes>
HEADROOM_HD void release_contract(const Now& now, std::int32_t c, Lanes& lanes) {
  const StateLayout& l = now.l;
  Held<Contract> contract = now.s.contract[c];
  const std::int32_t site = now.calendar.place[contract.site];
  const Real ledger_usd = now.s.ledger_usd, month_start = now.t() - 1.0F;
  const std::int32_t month = now.month;
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto state = p.at(l.contract, c);
    const auto customer = p.at(l.customer, contract.customer);
    const std::int32_t before = state.status;
    const Money backlog = contract_backlog(contract, month_start, ledger_usd, state);
    release(month, customer.default_month, p.at(l.site, site).status, state, p.at(l.flows, contract.entity));
    count_loss(before, state.status, backlog, month, customer);
  });
}

// One contract in one month: the steps that some lane needs, in order.
template <class Lanes>
HEADROOM_HD void advance_contract(const Now& now, std::int32_t c, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  const ContractRow& row = now.contract(c);
  const std::int32_t month = now.month;
  Held<Contract> contract = s.contract[c];
  const std::int32_t site = now.calendar.place[contract.site], gpu = s.site[contract.site].gpu_type;

  if (row.option_due) {
    const Mask options(s.on(kOptions, contract));
    const auto words = lanes.draw(0, 0, contract.stream);
    lanes.each([&](auto p) HEADROOM_LANE {
      const Real u = select(options, option_uniform(words(p)), 0.5F);
      exercise_option(contract, u, p.at(l.market), p.at(l.contract, c));
    });
  }
  const std::uint32_t needs = lanes.any([&](auto p) HEADROOM_LANE {
    return contract_needs(p.at(l.contract, c).status, month, p.at(l.customer, contract.customer).default_month,
                          p.at(l.site, site).status);
  });
  const bool pending = (needs & status_bit(kPending)) != 0, in_force = (needs & status_bit(kInForce)) != 0;
  if ((needs & kNeedsRelease) != 0) release_contract(now, c, lanes);
  if ((needs & status_bit(kDefaulted)) != 0) {
    const Real claim_per_fee = row.terms.claim_per_fee;
    lanes.each([&](auto p) HEADROOM_LANE {
      p.at(l.flows, contract.entity).recoveries += recovery(
          month, p.at(l.customer, contract.customer).default_month, claim_per_fee, p.at(l.contract, c));
    });
  }
  // Before the contract date nothing is served; only a prepayment may fall due, once.
  const bool delivers = pending && row.started;
  const bool pays =
      (pending || in_force) && row.terms.prepayment_due != 0 &&
      lanes.any([&](auto p) HEADROOM_LANE { return select(p.at(l.contract, c).prepaid == 0, 1U, 0U); }) != 0;
  if (delivers && row.terms.before > 0.0F && row.terms.damages_per_price > 0.0F) {
    serve_contract<true, true, true>(now, c, lanes);
  } else if (delivers && row.terms.before > 0.0F) {
    serve_contract<true, false, true>(now, c, lanes);
  } else if (delivers && row.terms.damages_per_price > 0.0F) {
    serve_contract<true, true, false>(now, c, lanes);
  } else if (delivers || pays) {
    serve_contract<true, false, false>(now, c, lanes);
  } else if (in_force) {
    serve_contract<false, false, false>(now, c, lanes);
  }
  if (row.step_down_trigger > 0.0F && (pending || in_force)) {
    const Real trigger = row.step_down_trigger;
    const std::int32_t place = now.calendar.step_down[c];
    lanes.each([&](auto p) HEADROOM_LANE {
      step_down(contract, trigger, p.at(l.gpu, gpu).price, p.at(l.market).churn_multiplier, p.at(l.contract, c),
                p.at(l.step_down, place));
    });
  }
  const Real t = now.t();
  if (row.may_expire && lanes.any([&](auto p) HEADROOM_LANE { return expires(t, p.at(l.contract, c)); }) != 0) {
    Held<ContractTerms> terms = row.terms;
    const Mask random(s.on(kRenewal, contract));
    const auto words = lanes.draw(0, 0, contract.stream);
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto state = p.at(l.contract, c);
      const Real u = select(random, renewal_uniform(words(p), state.renewals), 0.5F);
      expire(contract, terms, u, p.at(l.market), p.at(l.gpu, gpu).price, state, p.at(l.flows, contract.entity));
    });
  }
}

// Long-stop: first each contract's own, then the contracts whose order's head ended this month.
template <class Lanes>
HEADROOM_HD void end_late_contracts(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  if (!now.company().ends_late_contracts) return;
  const std::int32_t month = now.month;
  const Real t = now.t();
  const auto end = [&](std::int32_t c, auto probability, auto u) HEADROOM_LANE {
    Held<Contract> contract = s.contract[c];
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto state = p.at(l.contract, c);
      const std::int32_t before = state.status;
      const Money backlog = contract_backlog(contract, t, s.ledger_usd, state);
      leave(probability(p), u(p), state, p.at(l.flows, contract.entity));
      count_loss(before, state.status, backlog, month, p.at(l.customer, contract.customer));
    });
  };
  for (std::int32_t c = 0; c < s.contract.size; ++c) {
    const Real probability = now.contract(c).leaving_probability;
    if (probability <= 0.0F) continue;
    const auto words = lanes.draw(0, 0, s.contract[c].stream);
    end(
        c, [&](auto) HEADROOM_LANE { return probability; },
        [&](auto p) HEADROOM_LANE { return termination_uniform(words(p)); });
  }
  for (std::int32_t c = 0; c < s.contract.size; ++c) {
    const std::int32_t head = s.contract[c].order_head;
    if (head < 0 || s.contract[c].running != 0 || !s.on(kTermination, s.contract[c])) continue;
    if (now.contract(head).leaving_probability <= 0.0F) continue;
    end(
        c,
        [&](auto p) HEADROOM_LANE { return select(p.at(l.contract, head).status == kTerminated, 1.0F, 0.0F); },
        [](auto) HEADROOM_LANE { return 0.5F; });
  }
}

// Backlog and deferred revenue at the month end.
template <class Lanes>
HEADROOM_HD void report_contracts(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  const Real t = now.t();
  for (std::int32_t c = 0; c < s.contract.size; ++c) {
    Held<Contract> contract = s.contract[c];
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto state = p.at(l.contract, c);
      const auto flows = p.at(l.flows, contract.entity);
      flows.backlog += contract_backlog(contract, t, s.ledger_usd, state);
      flows.unearned += state.unearned;
    });
  }
}

}  // namespace headroom
