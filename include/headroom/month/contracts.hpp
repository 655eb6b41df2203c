// SPDX-License-Identifier: Apache-2.0
// Contracts in one month: release, service, damages, prepayment, step-down, expiry, departures.
#pragma once

#include <cstdint>

#include "headroom/calendar.hpp"
#include "headroom/customers.hpp"
#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// A contract's service. `delivering`: some path is not in full service yet, or receives a prepayment this
// month. `late`: damages may also fall due. In other months service is only a fee and a credit.
template <bool delivering, bool late, class Lanes>
HEADROOM_HD void serve_contract(const Scenario& s, const StateLayout& l, std::int32_t c,
                                const ContractTerms& terms, Lanes& lanes) {
  const std::int32_t site = s.contract[c].site, entity = s.contract[c].entity;
  const std::int32_t customer = s.contract[c].customer;
  lanes.each([&](auto p) HEADROOM_LANE {
    ContractStep step = serve<delivering>(terms, p.load(l.contract, c), p.load(l.site_month, site),
                                          p.load(l.contract_flows, entity), p.load(l.market));
    if constexpr (late) step = charge_damages(terms, step);
    if constexpr (delivering) step = prepay(terms, step);
    step = credit(terms, step);
    store<&SiteMonth::left, &SiteMonth::left_end>(p, l.site_month, step.site, site);
    store<&ContractState::unearned, &ContractState::last_fee>(p, l.contract, step.state, c);
    CustomerTotals totals = p.load(l.customer_totals, customer);
    totals.fees = min(totals.fees + (step.flows.revenue - p.load(l.contract_flows, entity).revenue), kFixedMax);
    store<&CustomerTotals::fees>(p, l.customer_totals, totals, customer);
    store<&ContractFlows::revenue, &ContractFlows::credited>(p, l.contract_flows, step.flows, entity);
    if constexpr (delivering) {
      store<&ContractState::status, &ContractState::end, &ContractState::prepaid>(p, l.contract, step.state, c);
      store<&ContractFlows::prepaid>(p, l.contract_flows, step.flows, entity);
    }
    if constexpr (late) {
      store<&ContractState::damages>(p, l.contract, step.state, c);
      store<&ContractFlows::damages>(p, l.contract_flows, step.flows, entity);
    }
  });
}

// One contract in one month: the steps that some lane needs, in order.
template <class Lanes>
HEADROOM_HD void advance_contract(const Scenario& s, const StateLayout& l, std::int32_t c,
                                  const ContractRow& row, std::int32_t month, Lanes& lanes) {
  const Contract contract = s.contract[c];
  const ContractTerms terms = row.terms;
  const Real t = terms.t;

  if (row.option_due) {
    lanes.each([&](auto p) HEADROOM_LANE {
      p.store(l.contract,
              exercise_option(contract, p.load(l.contract_constants, c).u_option, p.load(l.contract, c),
                              p.load(l.market)),
              c);
    });
  }
  const std::uint32_t needs = lanes.any([&](auto p) HEADROOM_LANE {
    return contract_needs(p.load(l.contract, c), month, p.load(l.customer, contract.customer).default_month,
                          p.load(l.site, contract.site).status);
  });
  const bool pending = (needs & status_bit(kPending)) != 0, in_force = (needs & status_bit(kInForce)) != 0;
  if ((needs & kNeedsRelease) != 0) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const ContractState before = p.load(l.contract, c);
      const ContractStep step =
          release(before, p.load(l.contract_flows, contract.entity), month,
                  p.load(l.customer, contract.customer).default_month, p.load(l.site, contract.site).status);
      p.store(l.customer_totals,
              count_loss(p.load(l.customer_totals, contract.customer), before.status, step.state.status,
                         contract_backlog(contract, before, t - 1.0F, s.ledger_usd), month),
              contract.customer);
      store<&ContractState::status, &ContractState::unearned>(p, l.contract, step.state, c);
      store<&ContractFlows::refunded, &ContractFlows::forfeited>(p, l.contract_flows, step.flows,
                                                                 contract.entity);
    });
  }
  if ((needs & status_bit(kDefaulted)) != 0) {
    lanes.each([&](auto p) HEADROOM_LANE {
      ContractFlows flows = p.load(l.contract_flows, contract.entity);
      flows.recoveries += recovery(p.load(l.contract, c), month,
                                   p.load(l.customer, contract.customer).default_month, terms.claim_per_fee);
      store<&ContractFlows::recoveries>(p, l.contract_flows, flows, contract.entity);
    });
  }
  // Before the contract date nothing is served; only a prepayment may fall due, once.
  const bool delivers = pending && row.started;
  const bool pays = (pending || in_force) && terms.prepayment_due != 0 && lanes.any([&](auto p) HEADROOM_LANE {
    return select(p.load(l.contract, c).prepaid == 0, 1U, 0U);
  }) != 0;
  if (delivers && terms.damages_per_price > 0.0F) {
    serve_contract<true, true>(s, l, c, terms, lanes);
  } else if (delivers || pays) {
    serve_contract<true, false>(s, l, c, terms, lanes);
  } else if (in_force) {
    serve_contract<false, false>(s, l, c, terms, lanes);
  }
  if (row.step_down_trigger > 0.0F && (pending || in_force)) {
    const Real trigger = row.step_down_trigger;
    const std::int32_t gpu = s.site[contract.site].gpu_type;
    lanes.each([&](auto p) HEADROOM_LANE {
      const ContractState state =
          step_down(contract, p.load(l.contract_constants, c).step_down_threshold, p.load(l.contract, c),
                    p.load(l.market), p.load(l.gpu, gpu).price, trigger);
      store<&ContractState::price, &ContractState::step_down_hazard>(p, l.contract, state, c);
    });
  }
  if (row.may_expire &&
      lanes.any([&](auto p) HEADROOM_LANE { return expires(p.load(l.contract, c), t); }) != 0) {
    const Mask renewal(s.on(kRenewal, contract));
    const std::int32_t gpu = s.site[contract.site].gpu_type;
    lanes.each([&](auto p) HEADROOM_LANE {
      const ContractStep step = expire(contract, terms, p.load(l.contract_constants, c), p.load(l.contract, c),
                                       p.load(l.contract_flows, contract.entity), p.load(l.market),
                                       p.load(l.gpu, gpu).price, renewal);
      p.store(l.contract, step.state, c);
      p.store(l.contract_flows, step.flows, contract.entity);
    });
  }
}

// Long-stop: first each contract's own, then the contracts whose order's head ended this month.
template <class Lanes>
HEADROOM_HD void end_late_contracts(const Scenario& s, const StateLayout& l, const ContractRow* rows,
                                    std::int32_t month, Lanes& lanes) {
  const Real t = static_cast<Real>(month);
  const auto end = [&](std::int32_t c, auto probability, auto u) HEADROOM_LANE {
    const Contract contract = s.contract[c];
    const std::int32_t entity = contract.entity;
    lanes.each([&](auto p) HEADROOM_LANE {
      const ContractState before = p.load(l.contract, c);
      const ContractStep step = leave(probability(p), u(p), before, p.load(l.contract_flows, entity));
      p.store(l.customer_totals,
              count_loss(p.load(l.customer_totals, contract.customer), before.status, step.state.status,
                         contract_backlog(contract, before, t, s.ledger_usd), month),
              contract.customer);
      p.store(l.contract, step.state, c);
      p.store(l.contract_flows, step.flows, entity);
    });
  };
  for (std::int32_t c = 0; c < s.contract.size; ++c) {
    const Real probability = rows[c].leaving_probability;
    if (probability <= 0.0F) continue;
    end(
        c, [&](auto) HEADROOM_LANE { return probability; },
        [&](auto p) HEADROOM_LANE { return p.load(l.contract_constants, c).u_termination; });
  }
  for (std::int32_t c = 0; c < s.contract.size; ++c) {
    const std::int32_t head = s.contract[c].order_head;
    if (head < 0 || s.contract[c].running != 0 || !s.on(kTermination, s.contract[c])) continue;
    if (rows[head].leaving_probability <= 0.0F) continue;
    end(
        c,
        [&](auto p)
            HEADROOM_LANE { return select(p.load(l.contract, head).status == kTerminated, 1.0F, 0.0F); },
        [](auto) HEADROOM_LANE { return 0.5F; });
  }
}

// Backlog and deferred revenue at the month end.
template <class Lanes>
HEADROOM_HD void report_contract(const Scenario& s, const StateLayout& l, std::int32_t c, std::int32_t month,
                                 Lanes& lanes) {
  const Contract contract = s.contract[c];
  const Real t = static_cast<Real>(month);
  lanes.each([&](auto p) HEADROOM_LANE {
    const ContractState state = p.load(l.contract, c);
    ContractFlows flows = p.load(l.contract_flows, contract.entity);
    flows.backlog += contract_backlog(contract, state, t, s.ledger_usd);
    flows.unearned += state.unearned;
    store<&ContractFlows::backlog, &ContractFlows::unearned>(p, l.contract_flows, flows, contract.entity);
  });
}

}  // namespace headroom
