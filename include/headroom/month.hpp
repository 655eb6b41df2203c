// The order of a path's life on one page: start(), then advance() for month 1..T. Written once for every
// backend.
//
// `lanes.each(f)` calls f(path) for every path the caller holds: a CUDA thread its own, the host each lane of a
// block. `lanes.any(f)` gives the bits that f(path) gives for any of them: what no path needs is then left out
// for all. `lanes.draw(k, month, stream)` gives the random words of each, as draw(path), until the next draw of
// the same k. `lanes.observe(series, month)` takes the value just observed into the backend's integer
// histograms and sums. Loops over objects are outside, lanes inside, so a host lane loop is one short
// branch-free body.
#pragma once

#include "headroom/closing.hpp"

namespace headroom {

// Draws that a lane loop may use at a time: k = 0..kDraws-1.
constexpr std::int32_t kDraws = 3;

// One path as the model sees it: its memory, its random words, its kept columns.
template <class Stride, class Generator>
struct Path : LaneMemory<Stride> {
  std::uint32_t path_low, path_high, seed_low, seed_high;
  std::int32_t* column_base;  // this path's entry of column 0
  std::size_t column_stride;

  HEADROOM_HD Philox4 words(std::int32_t month, StreamId stream) const {
    return Generator{}({path_low, path_high, static_cast<std::uint32_t>(month), stream}, seed_low, seed_high);
  }
  HEADROOM_HD void keep(std::int32_t column, std::int32_t value) const {
    column_base[static_cast<std::size_t>(column) * column_stride] = value;
  }
};

// The plan's contracted revenue over the last `window` months, reaching back into history.
HEADROOM_HD Real plan_contracted(const Scenario& s, std::int32_t entity, std::int32_t month,
                                 std::int32_t window) {
  Real sum = 0.0F;
  const bool all = entity == s.group();
  for (std::int32_t e = all ? 0 : entity; e < (all ? s.entity.size : entity + 1); ++e) {
    for (std::int32_t k = month - window + 1; k <= month; ++k) {
      sum += static_cast<Real>(k >= 1 ? s.plan_contracted[e * s.months + k - 1]
                                      : s.history[e * 12 + k + 11].contracted_revenue);
    }
  }
  return sum;
}

HEADROOM_HD WindowRow history_row(const HistoryMonth& h) {
  return {h.ebitda, h.cash_interest, h.scheduled_principal, h.cfads, h.contracted_revenue};
}

// The group's windows at the start: the sum of all entities'.
template <class Lanes>
HEADROOM_HD void open_group_windows(const Scenario& s, const StateLayout& l, Lanes& lanes) {
  WindowRow last_3{}, last_12{};
  for (std::int32_t k = 0; k < 12; ++k) {
    WindowRow row{};
    for (std::int32_t e = 0; e < s.entity.size; ++e) row = add(row, history_row(s.history[e * 12 + k]));
    last_12 = add(last_12, row);
    if (k >= 9) last_3 = add(last_3, row);
    lanes.each([&](auto p) HEADROOM_LANE { p.store(l.window, row, s.group() * 12 + k); });
  }
  lanes.each([&](auto p) HEADROOM_LANE {
    p.store(l.window_sums, last_3, s.group() * 2);
    p.store(l.window_sums, last_12, s.group() * 2 + 1);
  });
}

template <class Lanes>
HEADROOM_HD void start(const Scenario& s, const StateLayout& l, Lanes& lanes) {
  const ColumnLayout columns = column_layout(s);
  const Mask demand(s.on(kDemand)), ageing(s.on(kAgeing)), launches(s.on(kLaunches)), delivery(s.on(kDelivery)),
      overrun(s.on(kOverrun)), defaults(s.on(kDefault)), options(s.on(kOptions)),
      any_systemic(s.on(kDelivery) || s.on(kOverrun) || s.on(kLaunches));
  const auto parameters = lanes.draw(0, 0, s.path_stream);
  lanes.each([&](auto p) HEADROOM_LANE {
    p.store(l.constants, start_constants(s, demand, ageing, any_systemic, parameters(p)));
    p.store(l.market, start_market(s));
    PathTotals totals{};
    totals.min_liquidity = kFixedMax;
    totals.worst_delay = 0.0F;
    p.store(l.totals, totals);
  });
  for (std::int32_t h = 0; h < s.launch.size; ++h) {
    const Launch launch = s.launch[h];
    const auto words = lanes.draw(0, 0, launch.delay.stream);
    lanes.each([&](auto p) HEADROOM_LANE {
      const Real systemic = p.load(l.constants).systemic;
      const Real delay = drawn_delay(launch.delay, launches, systemic, words(p).w0);
      p.store(l.launch, LaunchState{launch.planned_month + delay, 0.0F}, h);
    });
  }
  for (std::int32_t i = 0; i < s.site.size; ++i) {
    const Site site = s.site[i];
    const Real start_price = exp(s.gpu_type[site.gpu_type].log_price_start);
    const std::int32_t status = site.running != 0 || site.order_month <= 0.0F ? kOrdered : kWaiting;
    const Real opened = site.running != 0 ? site.planned_ready_month : 0.0F;
    lanes.each([&](auto p) HEADROOM_LANE {
      p.store(l.site_constants, SiteConstants{opened, site.delivery_month, 1.0F, 0}, i);
      p.store(l.site, SiteState{site.capex_paid, 0, start_price, status}, i);
      p.store(l.site_month, SiteMonth{}, i);  // nothing on line until it opens
    });
    if (site.running != 0) {
      lanes.each([&](auto p) HEADROOM_LANE { p.keep(columns.months_late(i), 0); });
      continue;
    }
    for (std::int32_t k = 0; k < kStageCount; ++k) {
      if (site.has_stage[k] == 0) continue;
      const DelayParams delay = site.stage_delay[k];
      const Real planned = site.stage_month[k];
      const Mask brings_gpus(k == kGpus);
      const auto words = lanes.draw(0, 0, delay.stream);
      lanes.each([&](auto p) HEADROOM_LANE {
        SiteConstants path = p.load(l.site_constants, i);
        const Real done = planned + drawn_delay(delay, delivery, p.load(l.constants).systemic, words(p).w0);
        path.ready = max(path.ready, done);
        path.delivery = select(brings_gpus, done, path.delivery);
        p.store(l.site_constants, path, i);
      });
    }
    const DelayParams delay = site.commissioning_delay;
    const auto commissioning = lanes.draw(0, 0, delay.stream);
    const auto cost = lanes.draw(1, 0, site.cost_stream);
    const auto refusal = lanes.draw(2, 0, site.cancel_stream);
    const Real unplanned = s.on(kDelivery) ? site.unplanned_months : 0.0F;
    const Real cancel_probability = s.on(kCancellation) ? site.cancel_probability : 0.0F;
    lanes.each([&](auto p) HEADROOM_LANE {
      SiteConstants path = p.load(l.site_constants, i);
      PathTotals totals = p.load(l.totals);
      const Real systemic = p.load(l.constants).systemic;
      path.ready += site.commissioning_months + drawn_delay(delay, delivery, systemic, commissioning(p).w0);
      path.ready += unplanned;
      path.cost_multiplier = cost_multiplier(site, overrun, systemic, cost(p));
      path.cancelled = select(uniform(refusal(p).w0) < cancel_probability, 1, 0);
      p.store(l.site_constants, path, i);
      const Real late = path.ready - site.planned_ready_month;
      totals.worst_delay = max(totals.worst_delay, late);
      p.store(l.totals, totals);
      p.keep(columns.months_late(i), select(path.cancelled != 0, kNever, min(fixed(late), kNever - 1)));
    });
  }
  for (std::int32_t c = 0; c < s.customer.size; ++c) {
    const Customer customer = s.customer[c];
    const auto words = lanes.draw(0, 0, customer.stream);
    lanes.each([&](auto p) HEADROOM_LANE {
      const Real threshold = select(defaults, exponential(words(p).w0), kNeverReal);
      p.store(l.customer, CustomerState{threshold, 0.0F, kNever}, c);
      p.store(l.customer_totals, CustomerTotals{0, 0, kNever}, c);
    });
  }
  for (std::int32_t c = 0; c < s.contract.size; ++c) {
    const Contract contract = s.contract[c];
    const ContractState opening = start_contract(contract);
    const auto words = lanes.draw(0, 0, contract.stream);
    lanes.each([&](auto p) HEADROOM_LANE {
      const Philox4 w = words(p);
      const Real u_option = select(options, uniform(w.w2), 0.5F);
      p.store(l.contract_constants,
              ContractConstants{uniform(w.w0), exponential(w.w1), u_option, static_cast<std::int32_t>(w.w3)},
              c);
      p.store(l.contract, opening, c);
    });
  }
  for (std::int32_t d = 0; d < s.tranche.size; ++d) {
    const TrancheState tranche = start_tranche(s.tranche[d]);
    lanes.each([&](auto p) HEADROOM_LANE {
      p.store(l.tranche, tranche, d);
      p.store(l.tranche_control, TrancheControl{}, d);
      p.store(l.instalments, Instalments{}, d);
      p.store(l.tranche_month, TrancheMonth{}, d);
    });
  }
  lanes.each([&](auto p) HEADROOM_LANE {
    p.store(l.tranche, TrancheState{}, s.tranche.size);
    p.store(l.tranche_control, TrancheControl{}, s.tranche.size);
  });
  for (std::int32_t e = 0; e < s.entity.size; ++e) {
    const EntityState opening = e == s.parent() ? open_parent(s) : open_entity(s, e);
    WindowRow last_3{}, last_12{};
    for (std::int32_t k = 0; k < 12; ++k) {
      const WindowRow row = history_row(s.history[e * 12 + k]);
      last_12 = add(last_12, row);
      if (k >= 9) last_3 = add(last_3, row);
      lanes.each([&](auto p) HEADROOM_LANE { p.store(l.window, row, e * 12 + k); });
    }
    lanes.each([&](auto p) HEADROOM_LANE {
      p.store(l.entity, opening, e);
      p.store(l.entity_control, EntityControl{}, e);
      p.store(l.window_sums, last_3, e * 2);
      p.store(l.window_sums, last_12, e * 2 + 1);
    });
  }
  if (s.entity.size > 1) open_group_windows(s, l, lanes);
  CovenantState untested{};
  untested.first_breach = untested.first_uncured = untested.accelerated = kNever;
  untested.min_headroom = kFixedMax;
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    lanes.each([&](auto p) HEADROOM_LANE { p.store(l.covenant, untested, v); });
  }
}

HEADROOM_HD bool finances_sites(const Scenario& s, std::int32_t tranche) {
  bool any = false;
  for (std::int32_t i = 0; i < s.site.size; ++i) any = any || s.site[i].tranche == tranche;
  return any;
}

// Lenders value GPUs where a loan-to-value covenant is tested; in other months nothing asks for it.
HEADROOM_HD bool collateral_counts(const Scenario& s, std::int32_t month) {
  bool any = false;
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    const Covenant& covenant = s.covenant[v];
    any =
        any || (covenant.metric == Metric::ltv && s.covenant_test[covenant.first_test + month - 1].tested != 0);
  }
  return any;
}

// By tranche, and by entity for all of its tranches.
template <auto field, class P>
HEADROOM_HD void finance(const StateLayout& l, std::int32_t tranche, std::int32_t all, Money amount,
                         const P& p) {
  TrancheMonth own = p.load(l.tranche_month, tranche), sum = p.load(l.tranche_month, all);
  own.*field += amount;
  sum.*field += amount;
  store<field>(p, l.tranche_month, own, tranche);
  store<field>(p, l.tranche_month, sum, all);
}

// A site in service since before as_of: the same on every path but for what its lenders count.
template <class Lanes>
HEADROOM_HD void advance_running_site(const Scenario& s, const StateLayout& l, std::int32_t i,
                                      const SiteTerms& terms, bool valued, Lanes& lanes) {
  const Site site = s.site[i];
  const SiteConstants path{site.planned_ready_month, site.delivery_month, 1.0F, 0};
  const SiteStep same = advance_site(site, path, SiteState{0, 0, 1.0F, kOrdered}, terms, 1.0F);
  lanes.each([&](auto p) HEADROOM_LANE {
    p.store(l.site_month, same.month, i);
    SiteFlows flows = p.load(l.site_flows, site.entity);
    flows.opex += same.flows.opex;
    store<&SiteFlows::opex>(p, l.site_flows, flows, site.entity);
  });
  if (site.tranche < 0 || !valued) return;
  const Real gpu_cost = static_cast<Real>(site.opening_gpu_value) * (same.month.online_end / site.gpus);
  const Real start_price = exp(s.gpu_type[site.gpu_type].log_price_start);
  lanes.each([&](auto p) HEADROOM_LANE {
    const Money value = collateral(site, terms, site.planned_ready_month, gpu_cost,
                                   p.load(l.gpu, site.gpu_type).price / start_price);
    finance<&TrancheMonth::collateral>(l, site.tranche, s.tranche.size + site.entity, value, p);
  });
}

// One site that is built on the path. `decided`: its order or its refusal falls into this month.
template <class Lanes>
HEADROOM_HD void advance_built_site(const Scenario& s, const StateLayout& l, std::int32_t i, bool decided,
                                    const SiteTerms& terms, bool valued, Lanes& lanes) {
  const Site site = s.site[i];
  const std::uint32_t needs =
      lanes.any([&](auto p) HEADROOM_LANE { return site_needs(p.load(l.site_constants, i), terms); });
  const bool due = decided || terms.t == 1.0F ||
                   terms.dated_share != site_terms(site, terms.t - 1.0F).dated_share ||
                   (needs & kNeedsDeliveries) != 0;
  const auto pay = [&](auto financed) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const SiteStep step = pay_site(site, p.load(l.site_constants, i), p.load(l.site, i), terms,
                                     p.load(l.gpu, site.gpu_type).price);
      SiteFlows flows = p.load(l.site_flows, site.entity);
      flows.capex += step.flows.capex;
      flows.write_off += step.flows.write_off;
      store<&SiteState::capex, &SiteState::depreciated, &SiteState::purchase_price>(p, l.site, step.state, i);
      store<&SiteFlows::capex, &SiteFlows::write_off>(p, l.site_flows, flows, site.entity);
      financed(p, step.flows.capex);
    });
  };
  if (due && site.tranche >= 0) {
    pay([&](auto p, Money capex) HEADROOM_LANE {
      finance<&TrancheMonth::eligible_capex>(l, site.tranche, s.tranche.size + site.entity, capex, p);
    });
  } else if (due) {
    pay([](auto, Money) HEADROOM_LANE {});
  }
  if ((needs & kNeedsOperation) == 0) {
    // Closed on every path: what it costs is the same wherever it is still to come.
    const Money standing = money(standing_cost(site, kNeverReal, terms));
    lanes.each([&](auto p) HEADROOM_LANE {
      const SiteState state = p.load(l.site, i);
      SiteFlows flows = p.load(l.site_flows, site.entity);
      flows.opex += select(state.status <= kOrdered, standing, 0);
      flows.net_ppe += state.capex - state.depreciated;
      store<&SiteFlows::opex, &SiteFlows::net_ppe>(p, l.site_flows, flows, site.entity);
    });
    return;
  }
  lanes.each([&](auto p) HEADROOM_LANE {
    const SiteStep step = operate_site(site, p.load(l.site_constants, i), p.load(l.site, i), terms);
    SiteFlows flows = p.load(l.site_flows, site.entity);
    flows.opex += step.flows.opex;
    flows.depreciation += step.flows.depreciation;
    flows.net_ppe += step.flows.net_ppe;
    store<&SiteState::depreciated>(p, l.site, step.state, i);
    p.store(l.site_month, step.month, i);
    store<&SiteFlows::opex, &SiteFlows::depreciation, &SiteFlows::net_ppe>(p, l.site_flows, flows, site.entity);
  });
  if (site.tranche < 0 || !valued) return;
  lanes.each([&](auto p) HEADROOM_LANE {
    const Money value = site_collateral(site, p.load(l.site_constants, i), p.load(l.site, i), terms,
                                        p.load(l.gpu, site.gpu_type).price);
    finance<&TrancheMonth::collateral>(l, site.tranche, s.tranche.size + site.entity, value, p);
  });
}

// The probability with which a contract that is not in full service is ended at the end of this month.
HEADROOM_HD Real leaving_probability(const Scenario& s, const Contract& contract, std::int32_t month) {
  const Real t = static_cast<Real>(month);
  const Real long_stop = contract.start_month + contract.long_stop_months;
  const bool due = s.on(kTermination) && contract.running == 0 && long_stop > t - 1.0F && long_stop <= t;
  return due ? contract.termination_probability : 0.0F;
}

// A contract's service. `delivering`: some path is not in full service yet, or pays in advance this month;
// `late`: damages may fall due with that. In other months it is a fee and a credit.
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
    totals.fees += step.flows.revenue - p.load(l.contract_flows, entity).revenue;
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
HEADROOM_HD void advance_contract(const Scenario& s, const StateLayout& l, std::int32_t c, std::int32_t month,
                                  Lanes& lanes) {
  const Contract contract = s.contract[c];
  const Customer customer = s.customer[contract.customer];
  const Real t = static_cast<Real>(month);
  const auto within = [&](Real date) { return date > t - 1.0F && date <= t; };

  if (contract.option != 0 && within(contract.option_month)) {
    lanes.each([&](auto p) HEADROOM_LANE {
      p.store(l.contract,
              exercise_option(contract, p.load(l.contract_constants, c).u_option, p.load(l.contract, c),
                              p.load(l.market)),
              c);
    });
  }
  const ContractTerms terms = contract_terms(contract, customer, month, s.on(kDamages), s.ledger_usd);
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
  // Before the contract date nothing is served; a prepayment may fall due, once.
  const bool delivers = pending && t >= contract.start_month;
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
  if (s.on(kStepDown) && contract.step_down_hazard_month > 0.0F && (pending || in_force)) {
    const Real trigger = exp(contract.step_down_trigger_log);
    const std::int32_t gpu = s.site[contract.site].gpu_type;
    lanes.each([&](auto p) HEADROOM_LANE {
      const ContractState state =
          step_down(contract, p.load(l.contract_constants, c).step_down_threshold, p.load(l.contract, c),
                    p.load(l.market), p.load(l.gpu, gpu).price, trigger);
      store<&ContractState::price, &ContractState::step_down_hazard>(p, l.contract, state, c);
    });
  }
  // No contract ends before its date, or before its term has run from its planned start.
  const bool may_expire = t >= min(contract.end_month, contract.start_month + contract.term_months);
  if (may_expire && lanes.any([&](auto p) HEADROOM_LANE { return expires(p.load(l.contract, c), t); }) != 0) {
    const Mask renewal(s.on(kRenewal));
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

// Long-stop: first each contract's own, then those whose order ended with its head this month.
template <class Lanes>
HEADROOM_HD void end_late_contracts(const Scenario& s, const StateLayout& l, std::int32_t month, Lanes& lanes) {
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
    const Real probability = leaving_probability(s, s.contract[c], month);
    if (probability <= 0.0F) continue;
    end(
        c, [&](auto) HEADROOM_LANE { return probability; },
        [&](auto p) HEADROOM_LANE { return p.load(l.contract_constants, c).u_termination; });
  }
  for (std::int32_t c = 0; c < s.contract.size; ++c) {
    const std::int32_t head = s.contract[c].order_head;
    if (head < 0 || s.contract[c].running != 0 || leaving_probability(s, s.contract[head], month) <= 0.0F)
      continue;
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

// Lenders of a tranche follow the default of another, of its acceleration or of its borrower's payments.
template <class Lanes>
HEADROOM_HD void follow_defaults(const Scenario& s, const StateLayout& l, std::int32_t d, Lanes& lanes) {
  const Tranche tranche = s.tranche[d];
  for (std::int32_t k = 0; k < tranche.cross_defaults; ++k) {
    const std::int32_t other = s.cross_default[tranche.first_cross_default + k];
    const std::int32_t borrower = s.tranche[other].entity;
    lanes.each([&](auto p) HEADROOM_LANE {
      TrancheControl control = p.load(l.tranche_control, d);
      const std::int32_t unpaid = select(p.load(l.entity, borrower).default_month < kNever, 1, 0);
      control.follows |= p.load(l.tranche_control, other).accelerated | unpaid;
      p.store(l.tranche_control, control, d);
    });
  }
}

// What divides the balance into this month's instalment; 0: nothing is due.
HEADROOM_HD Real amortisation_divisor(const Scenario& s, const Tranche& d, std::int32_t month) {
  if (month < d.amortisation_start || month > d.amortisation_end) return 0.0F;
  if (d.scheduled != 0) return s.repayment[d.first_repayment + month - 1];
  return static_cast<Real>(d.amortisation_end - month + 1);
}

// A tranche whose draws are repaid one by one; what was drawn by as_of, level from amortisation_start to _end.
template <class Lanes>
HEADROOM_HD void amortise_draws(const Scenario& s, const StateLayout& l, std::int32_t d, std::int32_t month,
                                Lanes& lanes) {
  const Tranche tranche = s.tranche[d];
  LastInstalment opening{0, 0};  // ends this month
  if (tranche.balance > 0 && month >= tranche.amortisation_start && month <= tranche.amortisation_end) {
    const std::int32_t payments = tranche.amortisation_end - tranche.amortisation_start + 1;
    const LastInstalment last = last_instalment(tranche.balance, payments);
    if (month == tranche.amortisation_end) opening = last;
    if (month == tranche.amortisation_start) {
      lanes.each([&](auto p) HEADROOM_LANE {
        Instalments due = p.load(l.instalments, d);
        due.level += last.instalment;
        p.store(l.instalments, due, d);
      });
    }
  }
  const auto pay = [&](auto ending) HEADROOM_LANE {
    lanes.each([&](auto p) HEADROOM_LANE {
      Instalments due = p.load(l.instalments, d);
      const TrancheStep done =
          repay_draws(p.load(l.tranche, d), p.load(l.debt_flows, tranche.entity), due, ending(p));
      p.store(l.instalments, due, d);
      p.store(l.tranche, done.state, d);
      p.store(l.debt_flows, done.flows, tranche.entity);
    });
  };
  const std::int32_t vintage = month - tranche.draw_term_months - tranche.first_draw_month;
  if (vintage < 0 || vintage >= tranche.vintages) {
    pay([&](auto) HEADROOM_LANE { return opening; });
    return;
  }
  pay([&](auto p) HEADROOM_LANE {
    const LastInstalment draw =
        last_instalment(p.load(l.vintage, tranche.first_vintage + vintage).drawn, tranche.draw_term_months);
    return LastInstalment{opening.instalment + draw.instalment, opening.rest + draw.rest};
  });
}

// The month's draw, to be repaid on its own from next month on.
template <class Lanes>
HEADROOM_HD void record_draw(const StateLayout& l, const Tranche& tranche, std::int32_t d, std::int32_t month,
                             Lanes& lanes) {
  const std::int32_t vintage = month - tranche.first_draw_month;
  const std::int32_t term = tranche.draw_term_months;
  lanes.each([&](auto p) HEADROOM_LANE {
    Instalments due = p.load(l.instalments, d);
    due.level += last_instalment(p.load(l.tranche, d).balance - due.before, term).instalment;
    p.store(l.instalments, due, d);
  });
  if (vintage < 0 || vintage >= tranche.vintages) return;
  lanes.each([&](auto p) HEADROOM_LANE {
    const Money drawn = p.load(l.tranche, d).balance - p.load(l.instalments, d).before;
    p.store(l.vintage, Vintage{drawn}, tranche.first_vintage + vintage);
  });
}

// One tranche in one month.
template <class Lanes>
HEADROOM_HD void advance_tranche(const Scenario& s, const StateLayout& l, std::int32_t d, std::int32_t month,
                                 Lanes& lanes) {
  const Tranche tranche = s.tranche[d];
  const Entity entity = s.entity[tranche.entity];
  const Real t = static_cast<Real>(month);
  // Nothing is left of a tranche past its maturity, or past the second term of one that could be extended.
  if (month > tranche.maturity + (tranche.refinanceable != 0 ? tranche.refinance_months : 0)) return;
  const CouponTerms coupon = coupon_terms(s, tranche, month);
  lanes.each([&](auto p) HEADROOM_LANE {
    p.store(l.debt_flows,
            pay_interest(coupon, p.load(l.tranche, d), p.load(l.tranche_control, d).margin,
                         p.load(l.debt_flows, tranche.entity), p.load(l.market), tranche.commitment_fee),
            tranche.entity);
  });
  const auto step = [&](auto f) HEADROOM_LANE {
    lanes.each([&](auto p) HEADROOM_LANE {
      const TrancheStep done = f(p, p.load(l.tranche, d), p.load(l.debt_flows, tranche.entity));
      p.store(l.tranche, done.state, d);
      p.store(l.debt_flows, done.flows, tranche.entity);
    });
  };
  const Real payments_left = amortisation_divisor(s, tranche, month);
  if (tranche.draw_term_months > 0) {
    amortise_draws(s, l, d, month, lanes);
  } else if (payments_left > 0.0F) {
    const Mask lease(tranche.lease != 0);
    step([&](auto, const TrancheState& state, const DebtFlows& flows)
             HEADROOM_LANE { return amortise(state, flows, payments_left, lease); });
  }
  if (tranche.may_accelerate != 0 && s.on(kConsequences)) {
    const Mask recourse(entity.parent < 0 || guarantees(entity, month));
    step([&](auto p, const TrancheState& state, const DebtFlows& flows)
             HEADROOM_LANE { return call_in(p.load(l.tranche_control, d), state, flows, recourse); });
  }
  if (month == tranche.maturity) {
    const Real conversion_price =
        tranche.kind == TrancheKind::convertible ? tranche.conversion_price_usd : kNeverReal;
    const Real leverage_limit = tranche.refinanceable != 0 ? entity.refinance_leverage_limit : -kNeverReal;
    step([&](auto p, const TrancheState& state, const DebtFlows& flows) HEADROOM_LANE {
      return mature(state, flows, p.load(l.entity, tranche.entity), p.load(l.market), conversion_price,
                    leverage_limit, tranche.refinance_spread, s.ledger_usd);
    });
  }
  if (tranche.refinanceable != 0 && month == tranche.maturity + tranche.refinance_months) {
    step([&](auto, const TrancheState& state, const DebtFlows& flows)
             HEADROOM_LANE { return repay_refinanced(state, flows); });
  }
  if ((tranche.commitment > 0 || tranche.kind == TrancheKind::revolver) && t - 1.0F < tranche.draw_end_month) {
    const bool available = t > tranche.draw_start_month && tranche.kind != TrancheKind::revolver;
    const Money at_issue = available && month == tranche.issue_month ? tranche.commitment : 0;
    const Real advance_rate = available ? tranche.advance_rate : 0.0F;
    const Mask needs_window(tranche.needs_window != 0);
    if (tranche.draw_term_months > 0) {
      lanes.each([&](auto p) HEADROOM_LANE {
        Instalments due = p.load(l.instalments, d);
        due.before = p.load(l.tranche, d).balance;
        p.store(l.instalments, due, d);
      });
    }
    const auto draw_of = [&](auto p) HEADROOM_LANE {
      const Money against_capex =
          money(advance_rate * static_cast<Real>(p.load(l.tranche_month, d).eligible_capex));
      const MarketState m = p.load(l.market);
      const std::int32_t window = select(needs_window, m.window_open, 1);
      return Draw{against_capex + at_issue, select(p.load(l.tranche_control, d).draws_stopped != 0, 0, window),
                  select(needs_window, tranche.spread * m.spread_multiplier, tranche.spread)};
    };
    if (tranche.capitalises_interest != 0 && available) {
      step([&](auto p, const TrancheState& state, const DebtFlows& flows) HEADROOM_LANE {
        const Real c = coupon_of(coupon, state, p.load(l.tranche_control, d).margin, p.load(l.market));
        return draw_with_interest(draw_of(p), c, tranche.upfront_fee_share, state, flows);
      });
    } else {
      step([&](auto p, const TrancheState& state, const DebtFlows& flows)
               HEADROOM_LANE { return draw_down(draw_of(p), tranche.upfront_fee_share, state, flows); });
    }
    if (tranche.draw_term_months > 0) record_draw(l, tranche, d, month, lanes);
    if (t >= tranche.draw_end_month) {
      lanes.each([&](auto p) HEADROOM_LANE {
        TrancheState state = p.load(l.tranche, d);
        state.undrawn = 0;
        p.store(l.tranche, state, d);
      });
    }
  }
  if (tranche.sweepable == 0 || tranche.kind == TrancheKind::revolver) return;
  const Mask always(tranche.cash_sweep != 0);
  lanes.each([&](auto p) HEADROOM_LANE {
    DebtFlows flows = p.load(l.debt_flows, tranche.entity);
    TrancheState state = p.load(l.tranche, d);
    flows.sweepable += take_sweep(state, p.load(l.tranche_control, d), state.balance, always);
    p.store(l.debt_flows, flows, tranche.entity);
  });
}

// What was swept from an entity's cash reaches its tranches, in their order.
template <class Lanes>
HEADROOM_HD void repay_from_sweep(const Scenario& s, const StateLayout& l, std::int32_t entity,
                                  std::int32_t month, Lanes& lanes) {
  for (std::int32_t d = 0; d < s.tranche.size; ++d) {
    const Tranche tranche = s.tranche[d];
    if (tranche.entity != entity || tranche.sweepable == 0 || tranche.kind == TrancheKind::revolver) continue;
    const Mask always(tranche.cash_sweep != 0);
    lanes.each([&](auto p) HEADROOM_LANE {
      Sweep sweep = p.load(l.sweep, entity);
      TrancheState state = p.load(l.tranche, d);
      sweep.left -= take_sweep(state, p.load(l.tranche_control, d), sweep.left, always);
      p.store(l.tranche, state, d);
      p.store(l.sweep, sweep, entity);
      EntityState borrower = p.load(l.entity, entity);
      const Money unpaid = p.load(l.tranche_control, d).accelerated * state.balance;
      borrower.default_month = min(borrower.default_month, select(unpaid > 0, month, kNever));
      p.store(l.entity, borrower, entity);
    });
  }
}

// Moves a cure from the parent's cash to where the covenant wants it.
template <Metric metric, class Lanes>
HEADROOM_HD void pay_cure(const Scenario& s, const StateLayout& l, std::int32_t entity, std::int32_t tranche,
                          std::int32_t month, Lanes& lanes) {
  const std::int32_t parent = s.parent();
  const std::int32_t slot = (month - 1) % 12;
  lanes.each([&](auto p) HEADROOM_LANE {
    const Money cure = p.load(l.verdict).cure;
    const Money repaid = repays_debt(metric) ? cure : 0;
    EntityState borrower = p.load(l.entity, entity);
    borrower.cash += cure - repaid;
    borrower.liquidity += cure - repaid;
    borrower.debt -= repaid;
    borrower.equity += cure;
    borrower.paid_in += cure;
    p.store(l.entity, borrower, entity);
    EntityState payer = p.load(l.entity, parent);
    payer.cash -= cure;
    payer.liquidity -= cure;
    payer.equity -= cure;
    p.store(l.entity, payer, parent);
    const auto move = [&](std::int32_t i, Money cash, Money liquidity, Money debt) HEADROOM_LANE {
      Position at = p.load(l.position, i);
      at.cash += cash;
      at.liquidity += liquidity;
      at.debt += debt;
      p.store(l.position, at, i);
    };
    move(entity, cure - repaid, cure - repaid, -repaid);
    move(parent, -cure, -cure, 0);
    move(s.group(), -repaid, -cure, -repaid);
    const auto shift = [&](Measure measure, Money amount) HEADROOM_LANE {
      p.store(l.observed, Observed{p.load(l.observed, measure).value - amount}, measure);
    };
    shift(kLiquidity, cure);
    shift(kCash, repaid);
    shift(kDebt, repaid);
  });
  if (repays_debt(metric)) {
    lanes.each([&](auto p) HEADROOM_LANE {
      TrancheState state = p.load(l.tranche, tranche);
      state.balance -= p.load(l.verdict).cure;
      p.store(l.tranche, state, tranche);
    });
  }
  if constexpr (metric != Metric::liquidity && !repays_debt(metric)) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const WindowRow row = deemed<metric>(p.load(l.verdict).cure);
      p.store(l.window, add(p.load(l.window, entity * 12 + slot), row), entity * 12 + slot);
      p.store(l.window_sums, add(p.load(l.window_sums, entity * 2), row), entity * 2);
      p.store(l.window_sums, add(p.load(l.window_sums, entity * 2 + 1), row), entity * 2 + 1);
    });
  }
  lanes.each([&](auto p) HEADROOM_LANE {
    const auto again = [&](std::int32_t i, std::int32_t of) HEADROOM_LANE {
      EntityState state = p.load(l.entity, i);
      state.leverage = ratio(static_cast<Real>(p.load(l.position, of).debt),
                             4.0F * static_cast<Real>(p.load(l.window_sums, of * 2).ebitda), kRatioCap);
      p.store(l.entity, state, i);
    };
    again(entity, entity);
    again(parent, s.group());
  });
}

// A covenant's test; then its cure, waiver or breach.
template <Metric metric, class Lanes>
HEADROOM_HD void test_covenant(const Scenario& s, const StateLayout& l, std::int32_t v, std::int32_t month,
                               Real threshold, Lanes& lanes) {
  const Covenant covenant = s.covenant[v];
  const std::int32_t entity = covenant.entity >= 0 ? covenant.entity : s.group();
  const std::int32_t long_window = covenant.window == Window::trailing_12 ? 1 : 0;
  const std::int32_t tranche = covenant.tranche >= 0 ? covenant.tranche : s.tranche.size;
  const Real planned = metric == Metric::contract_realization && s.has_plan != 0
                           ? plan_contracted(s, entity, month, long_window != 0 ? 12 : 3)
                           : 0.0F;
  const Mask all_debt(covenant.tranche < 0);
  const Mask own_plan(s.has_plan == 0);  // the plan realizes itself
  const Real sign = covenant.maximum != 0 ? -1.0F : 1.0F;
  const Real scale = metric == Metric::liquidity ? 1.0F : kFixedOne;
  const auto inputs = [&](auto p) HEADROOM_LANE {
    const Position position = p.load(l.position, entity);
    MetricInputs x;
    x.window = p.load(l.window_sums, entity * 2 + long_window);
    x.to_annual = long_window != 0 ? 1.0F : 4.0F;
    x.debt = static_cast<Real>(position.debt);
    x.cash = static_cast<Real>(position.cash);
    x.liquidity = static_cast<Real>(position.liquidity);
    x.backlog = static_cast<Real>(position.backlog);
    x.tranche_balance = select(all_debt, x.debt, static_cast<Real>(p.load(l.tranche, tranche).balance));
    // The slot past the last tranche is the first entity's own, and read for nothing.
    const Money own = p.load(l.tranche_month, tranche).collateral;
    x.collateral = static_cast<Real>(select(all_debt, position.collateral, own));
    x.plan_contracted = select(own_plan, static_cast<Real>(x.window.contracted), planned);
    return x;
  };
  lanes.each([&](auto p) HEADROOM_LANE {
    const std::int32_t room = headroom_of(metric_value<metric>(inputs(p)), threshold, sign, scale);
    p.store(l.observed, Observed{room}, kMeasureCount + v);
  });
  if (covenant.springing_share > 0.0F) {
    // A test that does not spring is passed, if only just.
    lanes.each([&](auto p) HEADROOM_LANE {
      const TrancheState drawn = p.load(l.tranche, tranche);
      const Real size = static_cast<Real>(drawn.balance) + static_cast<Real>(drawn.undrawn);
      const std::int32_t room = p.load(l.observed, kMeasureCount + v).value;
      const bool springs = static_cast<Real>(drawn.balance) > covenant.springing_share * size;
      p.store(l.observed, Observed{select(springs, room, max(room, 0))}, kMeasureCount + v);
    });
  }
  lanes.each([&](auto p) HEADROOM_LANE {
    CovenantState state =
        test_covenant(p.load(l.covenant, v), p.load(l.observed, kMeasureCount + v).value, month);
    p.store(l.covenant, state, v);
  });
  if (covenant.plain()) return;
  // The parent cures what is a borrower's.
  const bool ring_fenced = covenant.entity >= 0 && covenant.entity != s.parent();
  const std::int32_t cures = s.on(kCures) && ring_fenced && month <= covenant.last_cure ? covenant.cures : 0;
  const std::int32_t waivers = s.on(kCures) && month >= covenant.first_waiver ? covenant.waivers : 0;
  const std::int32_t parent = s.parent();
  const Money parent_minimum = s.entity[parent].min_cash;
  lanes.each([&](auto p) HEADROOM_LANE {
    const std::int32_t room = p.load(l.observed, kMeasureCount + v).value;
    const Money spare = p.load(l.position, parent).cash - parent_minimum;
    const MetricInputs x = inputs(p);
    const Verdict verdict =
        judge(covenant, p.load(l.covenant, v), room, missing_amount<metric>(x, threshold), spare,
              round_to_int(x.tranche_balance),
              repays_debt(metric) ? round_to_int(x.tranche_balance) : kFixedMax, cures, waivers);
    p.store(l.covenant, verdict.state, v);
    p.store(l.verdict, CovenantPayment{verdict.cure, verdict.waiver_fee});
  });
  if (cures > 0) pay_cure<metric>(s, l, entity, tranche, month, lanes);
  if (waivers > 0) {
    const std::int32_t payer = ring_fenced ? entity : parent;
    lanes.each([&](auto p) HEADROOM_LANE {
      EntityControl control = p.load(l.entity_control, payer);
      control.fee_due += p.load(l.verdict).waiver_fee;
      p.store(l.entity_control, control, payer);
    });
  }
}

// What the breaches that stand at this month end mean for the next month.
template <class Lanes>
HEADROOM_HD void set_consequences(const Scenario& s, const StateLayout& l, std::int32_t v, std::int32_t month,
                                  bool tested, Lanes& lanes) {
  const Covenant covenant = s.covenant[v];
  if (covenant.plain()) return;
  lanes.each([&](auto p) HEADROOM_LANE {
    CovenantState state = p.load(l.covenant, v);
    state.first_uncured =
        select(state.months_in_breach > 0, min(state.first_uncured, month), state.first_uncured);
    p.store(l.covenant, state, v);
  });
  if (!tested) {
    lanes.each([&](auto p) HEADROOM_LANE {
      CovenantState state = p.load(l.covenant, v);
      state.months_in_breach += select(state.months_in_breach > 0, 1, 0);
      p.store(l.covenant, state, v);
    });
  }
  if (!s.on(kConsequences)) return;
  lanes.each([&](auto p) HEADROOM_LANE {
    CovenantState state = p.load(l.covenant, v);
    const bool due = state.months_in_breach > covenant.grace_months + covenant.acceleration_months;
    state.accelerated = select(due, min(state.accelerated, month), state.accelerated);
    p.store(l.covenant, state, v);
  });
  for (std::int32_t k = 0; k < covenant.targets; ++k) {
    const std::int32_t d = s.covenant_target[covenant.first_target + k];
    const std::int32_t entity = s.tranche[d].entity;
    lanes.each([&](auto p) HEADROOM_LANE {
      const CovenantState state = p.load(l.covenant, v);
      const std::int32_t active = select(state.months_in_breach > covenant.grace_months, 1, 0);
      EntityControl borrower = p.load(l.entity_control, entity);
      borrower.trapped |= active * covenant.cash_trap;
      borrower.sweep_all |= active * covenant.cash_sweep;
      p.store(l.entity_control, borrower, entity);
      TrancheControl control = p.load(l.tranche_control, d);
      control.margin += select(active != 0, covenant.margin_step, 0.0F);
      control.draws_stopped |= active * covenant.draw_stop;
      control.swept |= active * covenant.cash_sweep;
      control.accelerated |= select(state.accelerated < kNever, 1, 0);
      p.store(l.tranche_control, control, d);
    });
  }
}

template <class Lanes>
HEADROOM_HD void advance(const Scenario& s, const StateLayout& l, std::int32_t month, Lanes& lanes) {
  const MonthRow row = s.month[month - 1];
  const PlanMonth plan = s.has_plan != 0 ? s.plan[month - 1] : PlanMonth{};
  const bool quarter_starts = month == 1 || s.month[month - 2].quarter_end != 0;
  const Real t = static_cast<Real>(month);

  const auto within = [&](Real date) { return date > t - 1.0F && date <= t; };

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
  if (quarter_starts && s.on(kFundingWindow)) {
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
    if (lanes.any([&](auto p) HEADROOM_LANE { return select(p.load(l.launch, h).month < t, 1U, 0U); }) == 0)
      continue;
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
  for (std::int32_t g = 0; g < s.gpu_type.size; ++g) {
    const Real floor = s.gpu_type[g].floor_usd_per_gpu_hour;
    lanes.each([&](auto p)
                   HEADROOM_LANE { p.store(l.gpu, GpuState{max(exp(p.load(l.gpu, g).price), floor)}, g); });
  }

  // 2. Sites are ordered, refused, paid for, open and depreciate.
  for (std::int32_t e = 0; e < s.entity.size; ++e) {
    lanes.each([&](auto p) HEADROOM_LANE {
      p.store(l.site_flows, SiteFlows{}, e);
      p.store(l.contract_flows, ContractFlows{}, e);
      p.store(l.pool_flows, PoolFlows{}, e);
      p.store(l.debt_flows, DebtFlows{}, e);
    });
  }
  for (std::int32_t d = 0; d < s.tranche.size + s.entity.size; ++d) {
    if (d >= s.tranche.size || finances_sites(s, d))
      lanes.each([&](auto p) HEADROOM_LANE { p.store(l.tranche_month, TrancheMonth{}, d); });
  }
  const bool valued = collateral_counts(s, month);
  for (std::int32_t i = 0; i < s.site.size; ++i) {
    const Site site = s.site[i];
    const bool ordered = within(site.order_month);
    const bool refused = within(site.cancel_month) && s.on(kCancellation);
    const bool decided = ordered || refused;
    if (ordered) {
      const bool may_wait = site.discretionary != 0 && s.on(kDiscretion);
      const Money least = may_wait ? s.entity[s.parent()].policy_liquidity : -kFixedMax;
      lanes.each([&](auto p) HEADROOM_LANE {
        p.store(l.site, order_site(p.load(l.site, i), p.load(l.entity, s.parent()).liquidity, least), i);
      });
    }
    if (refused) {
      lanes.each([&](auto p) HEADROOM_LANE {
        p.store(l.site, decide_site(p.load(l.site_constants, i), p.load(l.site, i)), i);
      });
    }
    if (site.running != 0) {
      advance_running_site(s, l, i, site_terms(site, t), valued, lanes);
    } else {
      advance_built_site(s, l, i, decided, site_terms(site, t), valued, lanes);
    }
  }

  // 3. Customers default; contracts are served in order of priority, site by site; the pool takes the rest.
  for (std::int32_t c = 0; c < s.customer.size; ++c) {
    const Customer customer = s.customer[c];
    lanes.each([&](auto p) HEADROOM_LANE {
      p.store(l.customer, advance_customer(customer, p.load(l.customer, c), month, p.load(l.market)), c);
    });
  }
  bool any_leaves = false;
  for (std::int32_t c = 0; c < s.contract.size; ++c) {
    any_leaves = any_leaves || leaving_probability(s, s.contract[c], month) > 0.0F;
  }
  for (std::int32_t c = 0; c < s.contract.size; ++c) advance_contract(s, l, c, month, lanes);
  if (any_leaves) end_late_contracts(s, l, month, lanes);
  for (std::int32_t c = 0; c < s.contract.size; ++c) report_contract(s, l, c, month, lanes);
  const PoolTerms terms = pool_terms(s.on_demand, t);
  for (std::int32_t i = 0; i < s.site.size; ++i) {
    const Site site = s.site[i];
    const Real start_price = exp(s.gpu_type[site.gpu_type].log_price_start);
    lanes.each([&](auto p) HEADROOM_LANE {
      const PoolFlows flows = advance_pool(s, site, p.load(l.site_month, i), p.load(l.market),
                                           p.load(l.gpu, site.gpu_type).price, start_price, terms);
      p.store(l.pool_flows, add(p.load(l.pool_flows, site.entity), flows), site.entity);
    });
  }

  // 4. Interest, principal, maturities, draws.
  if (s.on(kConsequences)) {
    for (std::int32_t d = 0; d < s.tranche.size; ++d) follow_defaults(s, l, d, lanes);
    // All at once: a chain takes a month a step, in whatever order the tranches stand.
    for (std::int32_t d = 0; d < s.tranche.size; ++d) {
      if (s.tranche[d].cross_defaults == 0) continue;
      lanes.each([&](auto p) HEADROOM_LANE {
        TrancheControl control = p.load(l.tranche_control, d);
        control.accelerated |= control.follows;
        p.store(l.tranche_control, control, d);
      });
    }
  }
  for (std::int32_t d = 0; d < s.tranche.size; ++d) advance_tranche(s, l, d, month, lanes);

  // 5. Income, cash and its waterfall, borrower by borrower and then the parent; identities.
  if (quarter_starts) {
    lanes.each([&](auto p) HEADROOM_LANE {
      EntityState state = p.load(l.entity, s.parent());
      state.issued_in_quarter = 0;
      p.store(l.entity, state, s.parent());
    });
  }
  if (s.entity.size > 1) {
    lanes.each([&](auto p) HEADROOM_LANE { p.store(l.group_month, GroupMonth{}); });
    for (std::int32_t m = 0; m < kMeasureCount; ++m) {
      lanes.each([&](auto p) HEADROOM_LANE { p.store(l.observed, Observed{0}, m); });
    }
  }
  for (std::int32_t e = 0; e < s.entity.size; ++e) {
    const ClosingTerms closing = closing_terms(s, e, month);
    if (s.entity.size == 1) {
      lanes.each([&](auto p) HEADROOM_LANE { close_entity<Role::alone>(s, l, closing, p); });
    } else if (e < s.parent()) {
      lanes.each([&](auto p) HEADROOM_LANE { close_entity<Role::borrower>(s, l, closing, p); });
    } else {
      lanes.each([&](auto p) HEADROOM_LANE { close_entity<Role::parent>(s, l, closing, p); });
    }
    repay_from_sweep(s, l, e, month, lanes);
  }

  // 6. Covenants: their tests, and what breaches set off from next month on.
  for (std::int32_t e = 0; e < s.entity.size; ++e) {
    lanes.each([&](auto p) HEADROOM_LANE { p.store(l.entity_control, EntityControl{}, e); });
  }
  for (std::int32_t d = 0; d < s.tranche.size; ++d) {
    lanes.each([&](auto p) HEADROOM_LANE {
      p.store(l.tranche_control, TrancheControl{0.0F, 0, 0, p.load(l.tranche_control, d).accelerated, 0}, d);
    });
  }
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    const CovenantTest test = s.covenant_test[s.covenant[v].first_test + month - 1];
    if (test.tested == 0) continue;
    switch (s.covenant[v].metric) {
      case Metric::dscr:
        test_covenant<Metric::dscr>(s, l, v, month, test.threshold, lanes);
        break;
      case Metric::contract_realization:
        test_covenant<Metric::contract_realization>(s, l, v, month, test.threshold, lanes);
        break;
      case Metric::leverage:
        test_covenant<Metric::leverage>(s, l, v, month, test.threshold, lanes);
        break;
      case Metric::net_leverage:
        test_covenant<Metric::net_leverage>(s, l, v, month, test.threshold, lanes);
        break;
      case Metric::interest_coverage:
        test_covenant<Metric::interest_coverage>(s, l, v, month, test.threshold, lanes);
        break;
      case Metric::liquidity:
        test_covenant<Metric::liquidity>(s, l, v, month, test.threshold, lanes);
        break;
      case Metric::ltv:
        test_covenant<Metric::ltv>(s, l, v, month, test.threshold, lanes);
        break;
      case Metric::backlog_coverage:
        test_covenant<Metric::backlog_coverage>(s, l, v, month, test.threshold, lanes);
        break;
    }
    lanes.observe(kMeasureCount + v, month);
  }
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    const bool tested = s.covenant_test[s.covenant[v].first_test + month - 1].tested != 0;
    set_consequences(s, l, v, month, tested, lanes);
  }

  // 7. What is reported and kept.
  for (std::int32_t m = 0; m < kMeasureCount; ++m) lanes.observe(m, month);
  lanes.each([&](auto p) HEADROOM_LANE { total_up(l, p); });
  const bool last = month == s.months;
  const ColumnLayout columns = column_layout(s);
  if (row.quarter_end != 0 || last)
    lanes.each([&](auto p) HEADROOM_LANE { keep_quarter(l, columns, row.quarter, p); });
  if (row.year_end != 0 || last) lanes.each([&](auto p) HEADROOM_LANE { keep_year(l, columns, row.year, p); });
  if (!last) return;
  const std::int32_t parent = s.entity.size - 1;
  const Real opening_shares = s.entity[parent].shares_million;
  lanes.each([&](auto p)
                 HEADROOM_LANE { keep_path(l, parent, opening_shares, static_cast<Real>(s.months), p); });
  lanes.each([&](auto p) HEADROOM_LANE { p.store(l.first_breach, FirstBreach{kNever, kNever}); });
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    const Mask plain(s.covenant[v].plain());
    lanes.each([&](auto p) HEADROOM_LANE {
      const CovenantState state = p.load(l.covenant, v);
      p.keep(columns.first_breach(v), state.first_breach);
      p.keep(columns.min_headroom(v), state.min_headroom);
      p.keep(columns.first_uncured(v), select(plain, state.first_breach, state.first_uncured));
      p.keep(columns.accelerated(v), state.accelerated);
      FirstBreach first = p.load(l.first_breach);
      first.covenant = select(state.first_breach < first.month, v, first.covenant);
      first.month = min(state.first_breach, first.month);
      p.store(l.first_breach, first);
      p.keep(kFirstCovenant, first.covenant);
    });
  }
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
