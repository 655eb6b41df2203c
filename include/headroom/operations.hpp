// SPDX-License-Identifier: Apache-2.0
// The on-demand pool, power, and an entity's month: income, tax, working capital, cash. See MODEL.md 4.
#pragma once

#include "headroom/customers.hpp"
#include "headroom/hd.hpp"
#include "headroom/market.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// The pool's terms of a month that are the same on every path.
struct PoolTerms {
  Real platform_share, backstop_share;
};
HEADROOM_HD PoolTerms pool_terms(const OnDemandParams& o, Real t) {
  const Real ramped = clamp(t / o.platform_ramp_months, 0.0F, 1.0F);
  return {.platform_share = fma(ramped, o.platform_share_end - o.platform_share_start, o.platform_share_start),
          .backstop_share = t <= o.backstop_end_month ? o.backstop_share : 0.0F};
}

// The capacity of a site that contracts left goes to the pool. Power is computed for the whole site.
HEADROOM_HD PoolFlows advance_pool(const Scenario& s, const Site& site, const SiteMonth& month,
                                   const MarketState& m, Real price, Real start_price, const PoolTerms& terms) {
  const OnDemandParams& o = s.on_demand;
  const Real sold = month.left * m.utilisation;
  const Real at_market = ledger_fee(sold, price * o.premium, s.ledger_usd);
  const Real on_demand = at_market * (1.0F - terms.platform_share) * (1.0F - o.channel_discount);
  const Real platform = at_market * terms.platform_share * o.platform_price_multiple;
  const Real backstop =
      ledger_fee((month.left - sold) * terms.backstop_share, o.backstop_price_usd_per_gpu_hour, s.ledger_usd);

  const Real used = month.online - month.left + sold;
  const Real energised =
      fma(1.0F - site.power_idle_share, used, site.power_idle_share * month.online) / site.gpus;
  const Real power = energised * fma(site.power_floating_month, m.power_multiplier, site.power_fixed_month);

  return {.revenue = money(on_demand + platform + backstop),
          .cost = money(power + platform * o.platform_cost_ratio),
          .online = month.online,
          .sold = used,
          .price_weight = month.online * price,
          .start_price_weight = month.online * start_price};
}

// An entity's figures of a month, before its cash is balanced.
struct Income {
  Money revenue, ebitda, interest, tax, pre_tax, net_income;
  Money receivables_change, payables_opex_change, payables_capex_change;
  Money cfo, capex_cash, cfads;
  Money losses;  // carried forward
};

// Every ratio is held within +-kRatioCap. Without a denominator it takes a given value: one that passes if
// there is nothing to pay, one that fails if there is nothing to pay from.
constexpr Real kRatioCap = 1000.0F;
HEADROOM_HD Real ratio(Real numerator, Real denominator, Real if_nothing) {
  return select(denominator > 0.0F, clamp(numerator / max(denominator, bound(1e-6F)), -kRatioCap, kRatioCap),
                if_nothing);
}

// Figures of other entities, and fees due, that enter the income of the entity that is closed.
struct Others {
  Money revenue;   // of the borrowers: the parent's SG&A is also a share of it
  Money pre_tax;   // of the borrowers: taxed with the parent's
  Money fees_due;  // the entity's own waiver fees
};

// `taxed`: true for the parent, which pays the group's tax; a borrower pays none.
template <bool taxed>
HEADROOM_HD Income close_income(const Entity& e, const EntityState& opening, Money opening_depreciation,
                                const SiteFlows& site, const ContractFlows& contract, const PoolFlows& pool,
                                const DebtFlows& debt, Real short_rate, const Others& others) {
  Income i;
  i.revenue = contract.revenue + contract.forfeited + pool.revenue;
  const Real sold = static_cast<Real>(i.revenue + others.revenue);
  const Money sga = money(fma(e.sga_share_of_revenue, sold, e.sga_fixed_month));
  const Money opex = site.opex + pool.cost + sga;
  i.ebitda = i.revenue + contract.recoveries - opex - contract.damages;
  const Money earned =
      money(static_cast<Real>(opening.cash) * e.cash_yield_share * short_rate * (1.0F / 12.0F));
  i.interest = debt.interest + debt.fees + others.fees_due - earned;
  const Money depreciation = site.depreciation + site.write_off + opening_depreciation;
  i.pre_tax = i.ebitda - e.stock_compensation_month - depreciation - i.interest;

  i.tax = i.losses = 0;
  if constexpr (taxed) {
    const Money profit = i.pre_tax + others.pre_tax;
    const Money used = max(min(opening.tax_losses, money(e.loss_use_share * static_cast<Real>(profit))), 0);
    i.tax = max(money(e.tax_rate * static_cast<Real>(profit - used)), 0);
    i.losses = opening.tax_losses - used + max(-profit, 0);
  }
  i.net_income = i.pre_tax - i.tax;

  const Money invoiced = i.revenue - contract.credited - contract.forfeited;
  i.receivables_change = money(e.receivable_months * static_cast<Real>(invoiced)) - opening.receivables;
  i.payables_opex_change = money(e.payable_months_opex * static_cast<Real>(opex)) - opening.payables_opex;
  i.payables_capex_change =
      money(e.payable_months_capex * static_cast<Real>(max(site.capex, 0))) - opening.payables_capex;

  const Money prepayments = contract.prepaid - contract.credited - contract.refunded - contract.forfeited;
  i.cfo = i.ebitda - i.interest - i.tax - i.receivables_change + i.payables_opex_change + prepayments;
  i.capex_cash = site.capex - i.payables_capex_change;
  // Cash flow available for debt service: billed and collected revenue, without new prepayments received.
  i.cfads = i.ebitda - i.tax - i.receivables_change + i.payables_opex_change + prepayments - contract.prepaid;
  return i;
}

}  // namespace headroom
