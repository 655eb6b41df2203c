// SPDX-License-Identifier: Apache-2.0
// What a path reports: the formulas of measures.hpp's tables, and the calls that observe and keep them.
#pragma once

#include <cstdint>

#include "headroom/hd.hpp"
#include "headroom/math.hpp"
#include "headroom/measures.hpp"
#include "headroom/model/market.hpp"
#include "headroom/month/calendar.hpp"
#include "headroom/outcome.hpp"
#include "headroom/scenario.hpp"
#include "headroom/state.hpp"

namespace headroom {

// A month end of the whole company. Every measure of measures.hpp is a function of it.
struct MonthEnd {
  GroupMonth group;
  MarketState market;
  Money liquidity;           // the parent's
  Money stock_compensation;  // of all entities
  Real first_price;          // of the first GPU type
};
HEADROOM_HD Money measured(Of<kRevenue>, const MonthEnd& x) { return x.group.revenue; }
HEADROOM_HD Money measured(Of<kEbitda>, const MonthEnd& x) { return x.group.ebitda; }
HEADROOM_HD Money measured(Of<kCashInterest>, const MonthEnd& x) { return x.group.cash_interest; }
HEADROOM_HD Money measured(Of<kCashTax>, const MonthEnd& x) { return x.group.tax; }
HEADROOM_HD Money measured(Of<kWorkingCapital>, const MonthEnd& x) {
  return x.group.cfo - (x.group.ebitda - x.group.cash_interest - x.group.tax);
}
HEADROOM_HD Money measured(Of<kCfo>, const MonthEnd& x) { return x.group.cfo; }
HEADROOM_HD Money measured(Of<kCapex>, const MonthEnd& x) { return x.group.capex; }
HEADROOM_HD Money measured(Of<kFcf>, const MonthEnd& x) { return x.group.cfo - x.group.capex; }
HEADROOM_HD Money measured(Of<kLeveredFcf>, const MonthEnd& x) {
  return x.group.cfo - x.group.capex - x.group.principal;
}
HEADROOM_HD Money measured(Of<kNetIncome>, const MonthEnd& x) { return x.group.net_income; }
HEADROOM_HD Money measured(Of<kAdjustedNetIncome>, const MonthEnd& x) {
  return x.group.net_income + x.stock_compensation;
}
HEADROOM_HD Money measured(Of<kDebt>, const MonthEnd& x) { return x.group.debt; }
HEADROOM_HD Money measured(Of<kCash>, const MonthEnd& x) { return x.group.cash; }
HEADROOM_HD Money measured(Of<kLiquidity>, const MonthEnd& x) { return x.liquidity; }
HEADROOM_HD Money measured(Of<kArr>, const MonthEnd& x) {
  return 12 * max(min(x.group.revenue - x.group.forfeited, kFixedMax / 12), -kFixedMax / 12);
}
HEADROOM_HD Money measured(Of<kBacklog>, const MonthEnd& x) { return x.group.backlog; }
HEADROOM_HD Money measured(Of<kDeferredRevenue>, const MonthEnd& x) { return x.group.deferred; }
HEADROOM_HD std::int32_t measured(Of<kUtilisation>, const MonthEnd& x) {
  return fixed(select(x.group.online > 0.0F, x.group.sold / max(x.group.online, 1e-6F), 0.0F));
}
HEADROOM_HD std::int32_t measured(Of<kTightness>, const MonthEnd& x) { return fixed(x.market.tightness); }
HEADROOM_HD std::int32_t measured(Of<kMarketPrice>, const MonthEnd& x) {
  return fixed(select(x.group.online > 0.0F, x.group.price_weight / max(x.group.online, 1e-6F), x.first_price));
}
HEADROOM_HD std::int32_t measured(Of<kShortRate>, const MonthEnd& x) { return fixed(x.market.short_rate); }

// Observes the measures of the month and of the balances that are asked for.
template <class Lanes>
HEADROOM_HD void report_month(const Now& now, Lanes& lanes) {
  const StateLayout& l = now.l;
  const std::int32_t parent = now.s.parent();
  const Money stock_compensation = now.company().stock_compensation;
  lanes.each([&](auto p) HEADROOM_LANE {
    const MarketState m = p.load(l.market);
    const GroupMonth group = p.load(l.group_month);
    const MonthEnd end{group, m, p.at(l.parent).liquidity, stock_compensation, p.at(l.gpu, 0).price};
    for_each_measure([&](auto measure)
                         HEADROOM_LANE { p.at(l.observed, measure.value).value = measured(measure, end); });

    const Real market = m.tightness + m.cycle + m.short_rate + m.spread_multiplier + m.power_multiplier +
                        m.churn_multiplier + m.utilisation;
    const bool finite = market - market == 0.0F;
    const auto totals = p.at(l.totals);
    totals.violations |= select(!finite, std::int32_t{kNotFinite}, 0);
    totals.peak_gap = max(totals.peak_gap, p.at(l.entity, parent).gap);
    totals.price += select(group.start_price_weight > 0.0F,
                           group.price_weight / max(group.start_price_weight, 1e-6F), 1.0F);
  });
}

template <class Lanes>
HEADROOM_HD void observe_month(const Now& now, Lanes& lanes) {
  const StateLayout& l = now.l;
  for (std::int32_t m = 0; m < kMeasureCount; ++m) lanes.observe(m, now.month);
  for (std::int32_t d = 0; d < now.s.observed_tranches; ++d) {
    lanes.each([&](auto p)
                   HEADROOM_LANE { p.at(l.observed, kMeasureCount).value = p.at(l.tranche, d).balance; });
    lanes.observe(balance_series(now.s, d), now.month);
  }
}

// Adds the month to the calendar sums and the drivers; keeps a quarter and a year that end.
template <class Lanes>
HEADROOM_HD void total_up(const Now& now, Lanes& lanes) {
  const StateLayout& l = now.l;
  lanes.each([&](auto p) HEADROOM_LANE {
    const MarketState m = p.load(l.market);
    PathTotals totals = p.load(l.totals);
    const auto observed = [&](Measure measure) HEADROOM_LANE { return p.at(l.observed, measure).value; };
    totals.quarter_fcf += observed(kFcf);
    totals.total_fcf += observed(kFcf);
    totals.min_liquidity = min(totals.min_liquidity, observed(kLiquidity));
    Money least = totals.total_fcf, most = totals.total_fcf;
    for_each_year_column([&](auto column, auto measure) HEADROOM_LANE {
      const auto year = p.at(l.year, column.value);
      const Money sum = year.sum + observed(measure.value);
      year.sum = sum;
      least = min(least, sum);
      most = max(most, sum);
    });
    totals.violations |= out_of_range(least) | out_of_range(most);
    totals.tightness += m.tightness;
    totals.short_rate += m.short_rate;
    totals.spread += m.spread_multiplier;
    totals.power += m.power_multiplier;
    totals.churn += m.churn_multiplier;
    totals.glut_months += select(m.regime == kGlut, 1, 0);
    p.at(l.totals) = totals;
  });
  const bool last = now.month == now.s.months;
  const ColumnLayout columns = column_layout(now.s);
  const MonthRow ends = now.s.month[now.month - 1];
  if (ends.quarter_end != 0 || last) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto totals = p.at(l.totals);
      p.keep(columns.quarter_fcf(ends.quarter), totals.quarter_fcf);
      totals.quarter_fcf = 0;
    });
  }
  if (ends.year_end != 0 || last) {
    lanes.each([&](auto p) HEADROOM_LANE {
      for_each_year_column([&](auto column, auto) HEADROOM_LANE {
        const auto year = p.at(l.year, column.value);
        p.keep(columns.year(column.value, ends.year), year.sum);
        year.sum = 0;
      });
    });
  }
}

// A finished path. Every path column of measures.hpp is a function of it.
struct PathEnd {
  PathTotals totals;
  PathConstants constants;
  EntityState parent;
  ParentState shares;
  FirstBreach first_breach;
  Real opening_shares;  // million
  Real per_month;       // one over the path's months
};
HEADROOM_HD Money kept(Of<kTotalFcf>, const PathEnd& x) { return x.totals.total_fcf; }
HEADROOM_HD Money kept(Of<kPeakFundingGap>, const PathEnd& x) { return x.totals.peak_gap; }
HEADROOM_HD std::int32_t kept(Of<kLiquidityDefaultMonth>, const PathEnd& x) { return x.parent.default_month; }
HEADROOM_HD Money kept(Of<kMinLiquidity>, const PathEnd& x) { return x.totals.min_liquidity; }
HEADROOM_HD std::int32_t kept(Of<kDilution>, const PathEnd& x) {
  return fixed(x.shares.shares / x.opening_shares - 1.0F);
}
HEADROOM_HD std::int32_t kept(Of<kViolations>, const PathEnd& x) { return x.totals.violations; }
HEADROOM_HD std::int32_t kept(Of<kMeanTightness>, const PathEnd& x) {
  return fixed(x.totals.tightness * x.per_month);
}
HEADROOM_HD std::int32_t kept(Of<kMeanPrice>, const PathEnd& x) { return fixed(x.totals.price * x.per_month); }
HEADROOM_HD std::int32_t kept(Of<kMeanShortRate>, const PathEnd& x) {
  return fixed(x.totals.short_rate * x.per_month);
}
HEADROOM_HD std::int32_t kept(Of<kMeanSpreadMultiplier>, const PathEnd& x) {
  return fixed(x.totals.spread * x.per_month);
}
HEADROOM_HD std::int32_t kept(Of<kMeanPowerMultiplier>, const PathEnd& x) {
  return fixed(x.totals.power * x.per_month);
}
HEADROOM_HD std::int32_t kept(Of<kMeanChurn>, const PathEnd& x) { return fixed(x.totals.churn * x.per_month); }
HEADROOM_HD std::int32_t kept(Of<kGlutMonths>, const PathEnd& x) { return x.totals.glut_months; }
HEADROOM_HD std::int32_t kept(Of<kMaxMonthsLate>, const PathEnd& x) { return fixed(x.totals.worst_delay); }
HEADROOM_HD std::int32_t kept(Of<kSystemicDelay>, const PathEnd& x) { return fixed(x.constants.systemic); }
HEADROOM_HD std::int32_t kept(Of<kAgeingMultiplier>, const PathEnd& x) { return fixed(x.constants.xi); }
HEADROOM_HD std::int32_t kept(Of<kFirstBreachMonth>, const PathEnd& x) { return x.first_breach.month; }
HEADROOM_HD std::int32_t kept(Of<kEventOfDefaultMonth>, const PathEnd& x) {
  return min(x.first_breach.default_month, x.parent.default_month);
}
HEADROOM_HD std::int32_t kept(Of<kFirstCovenant>, const PathEnd& x) { return x.first_breach.covenant; }

// Keeps a finished path's result of a site: how late it opened, or that it never opened.
template <class Lanes>
HEADROOM_HD void keep_site(const Now& now, std::int32_t i, std::int32_t late_column, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  const Site& site = s.site[i];
  const std::int32_t place = now.calendar.place[i];
  if (site.running != 0) {
    lanes.each([&](auto p) HEADROOM_LANE { p.keep(late_column, 0); });
    return;
  }
  const Real planned = site.planned_ready_month;
  const auto keep = [&](auto refused) HEADROOM_LANE {
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto state = p.at(l.site, place);
      const auto totals = p.at(l.totals);
      const bool given_up = refused(p) | (state.status > kOrdered);
      const Real late = state.ready - planned;
      totals.worst_delay = max(totals.worst_delay, select(given_up, 0.0F, late));
      p.keep(late_column, select(given_up, kNever, min(fixed(late), kNever - 1)));
    });
  };
  if (s.on(kCancellation, site) && site.cancel_probability > 0.0F) {
    const Real probability = site.cancel_probability;
    const auto words = lanes.draw(0, 0, site.cancel_stream);
    keep([&](auto p) HEADROOM_LANE { return is_refused(probability, words(p)); });
  } else {
    keep([](auto) HEADROOM_LANE { return false; });
  }
}

template <class Lanes>
HEADROOM_HD void keep_covenants(const Scenario& s, const StateLayout& l, const ColumnLayout& columns,
                                Lanes& lanes) {
  lanes.each([&](auto p) HEADROOM_LANE { p.at(l.first_breach) = FirstBreach{kNever, kNever, kNever}; });
  for (std::int32_t v = 0; v < s.covenant.size; ++v) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const CovenantState state = p.load(l.covenant, v);
      const auto first = p.at(l.first_breach);
      p.keep(columns.first_breach(v), state.first_breach);
      p.keep(columns.min_headroom(v), state.min_headroom);
      first.covenant = select(state.first_breach < first.month, v, first.covenant);
      first.month = min(state.first_breach, first.month);
    });
    const auto keep = [&](auto breach_of) HEADROOM_LANE {
      lanes.each([&](auto p) HEADROOM_LANE {
        const BreachState breach = breach_of(p);
        p.keep(columns.first_uncured(v), breach.first_uncured);
        p.keep(columns.accelerated(v), breach.accelerated);
        p.keep(columns.cures(v), breach.cures);
        p.keep(columns.waivers(v), breach.waivers);
        const auto first = p.at(l.first_breach);
        first.default_month = min(first.default_month, breach.accelerated);
      });
    };
    if (s.covenant[v].plain()) {
      keep([&](auto p)
               HEADROOM_LANE { return BreachState{p.at(l.covenant, v).first_breach, kNever, 0, 0, 0, 0}; });
    } else {
      keep([&](auto p) HEADROOM_LANE { return p.load(l.breach, v); });
    }
  }
}

// Keeps the columns of a finished path.
template <class Lanes>
HEADROOM_HD void keep_path(const Now& now, Lanes& lanes) {
  const Scenario& s = now.s;
  const StateLayout& l = now.l;
  const ColumnLayout columns = column_layout(s);
  const std::int32_t parent = s.parent();
  for (std::int32_t i = 0; i < s.site.size; ++i) keep_site(now, i, columns.months_late(i), lanes);
  for (std::int32_t c = 0; c < s.customer.size; ++c) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const CustomerState customer = p.load(l.customer, c);
      p.keep(columns.default_month(c), customer.default_month);
      p.keep(columns.customer_fees(c), customer.fees);
      p.keep(columns.customer_lost(c), customer.lost);
      p.keep(columns.customer_left(c), customer.left_month);
      p.at(l.totals).violations |= out_of_range(customer.fees) | out_of_range(customer.lost);
    });
  }
  keep_covenants(s, l, columns, lanes);
  for (std::int32_t e = 0; e < parent; ++e) {
    lanes.each([&](auto p) HEADROOM_LANE {
      const auto state = p.at(l.entity, e);
      const auto first = p.at(l.first_breach);
      first.default_month = min(first.default_month, state.default_month);
      p.keep(columns.payment_default(e), state.default_month);
      p.keep(columns.paid_in(e), state.paid_in);
      p.keep(columns.distributed(e), state.distributed);
    });
  }
  const Real opening_shares = s.entity[parent].shares_million, per_month = 1.0F / static_cast<Real>(s.months);
  lanes.each([&](auto p) HEADROOM_LANE {
    const PathEnd end{p.load(l.totals), p.load(l.constants),    p.load(l.entity, parent),
                      p.load(l.parent), p.load(l.first_breach), opening_shares,
                      per_month};
    for_each_path_column([&](auto column) HEADROOM_LANE { p.keep(column.value, kept(column, end)); });
  });
}

}  // namespace headroom
