// SPDX-License-Identifier: Apache-2.0
// Covenant metrics: MODEL.md 6. Each metric is a struct, named in the list at the end. The enumerators, the
// names in configs and files, the units and the dispatch follow from the list.
#pragma once

#include <cstdint>

#include "headroom/model/entity.hpp"
#include "headroom/model/window.hpp"
#include "headroom/table.hpp"

namespace headroom {

// The inputs of a metric M. Its window holds the flows that M names, and no other.
template <class M>
struct MetricInputs {
  WindowRow window;  // sums of the covenant's window
  Real to_annual;    // factor that scales the window to a year
  Real debt, cash, liquidity, backlog;
  Real tranche_balance, collateral;  // of the tranche that the covenant names, else of all debt
  Real plan_contracted;              // the plan's contracted revenue over the window

  HEADROOM_HD Real ebitda() const { return sum<kEbitdaFlow>(window.ebitda); }
  HEADROOM_HD Real interest() const { return sum<kInterestFlow>(window.interest); }
  HEADROOM_HD Real principal() const { return sum<kPrincipalFlow>(window.principal); }
  HEADROOM_HD Real cfads() const { return sum<kCfadsFlow>(window.cfads); }
  HEADROOM_HD Real contracted() const { return sum<kContractedFlow>(window.contracted); }

 private:
  template <WindowFlow flow>
  HEADROOM_HD static Real sum(Money amount) {
    static_assert((M::flows & flow) != 0, "the metric does not name this flow");
    return static_cast<Real>(amount);
  }
};

// Whether the threshold is a minimum or a maximum.
enum class Bound : std::int32_t { minimum, maximum };
// Whether a ratio with a zero denominator passes its test; a maximum passes in any case where nothing is owed.
// An amount has no denominator.
enum class Empty : std::int32_t { none, passes, fails };
// The window that a metric needs: none (it stands at the month end), a sum that cannot be annualised, or a
// flow that can.
enum class WindowRule : std::int32_t { none, sum, annual };

// Each metric of namespace `metric` defines:
//   label              the metric in words
//   scale              money for an amount, fixed_point for a ratio
//   bound, empty, window
//   flows              the flows of the window that it reads
//   value(x)           the metric
//   missing(x, limit)  the amount that would have made a failed test pass, in ledger units: cash flow,
//                      EBITDA or revenue in the window, liquidity, or debt above the limit
//   deemed(amount)     how a cure counts in every window that holds the month. Not needed without a
//                      window: the cure then repays debt, or stays in the borrower's account
// and, where it differs from the default:
struct MetricDefaults {
  static constexpr std::uint32_t flows = 0;
  static constexpr bool repays_debt = false;   // a cure repays the debt of the tranche that the covenant names
  static constexpr bool against_plan = false;  // needs the plan's contracted revenue
  static constexpr bool needs_collateral = false;
};

template <class M>
HEADROOM_HD Real ratio_of(Real numerator, Real denominator) {
  static_assert(M::empty != Empty::none);
  return ratio(numerator, denominator,
               (M::bound == Bound::maximum) == (M::empty == Empty::fails) ? kRatioCap : -kRatioCap);
}

// Debt over what carries it. Nothing owed passes, whatever carries it.
template <class M>
HEADROOM_HD Real burden(Real debt, Real carries) {
  static_assert(M::bound == Bound::maximum && M::empty == Empty::fails);
  const Real owed = ratio_of<M>(debt, carries);
  return select(debt > 0.0F, owed, min(owed, 0.0F));
}

namespace metric {

HEADROOM_HD WindowRow deemed_ebitda(Money amount) {
  WindowRow row{};
  row.ebitda = amount;
  return row;
}

struct Dscr : MetricDefaults {
  static constexpr const char* label = "debt service cover: CFADS over interest and scheduled principal";
  static constexpr Scale scale = Scale::fixed_point;
  static constexpr Bound bound = Bound::minimum;
  static constexpr Empty empty = Empty::passes;
  static constexpr WindowRule window = WindowRule::annual;
  static constexpr std::uint32_t flows = kCfadsFlow | kInterestFlow | kPrincipalFlow;
  HEADROOM_HD static Real value(const auto& x) {
    return ratio_of<Dscr>(x.cfads(), x.interest() + x.principal());
  }
  HEADROOM_HD static Real missing(const auto& x, Real limit) {
    return fma(limit, x.interest() + x.principal(), -x.cfads());
  }
  HEADROOM_HD static WindowRow deemed(Money amount) {
    WindowRow row{};
    row.cfads = amount;
    return row;
  }
};

struct ContractRealization : MetricDefaults {
  static constexpr const char* label = "contracted revenue over the plan's";
  static constexpr Scale scale = Scale::fixed_point;
  static constexpr Bound bound = Bound::minimum;
  static constexpr Empty empty = Empty::passes;
  static constexpr WindowRule window = WindowRule::sum;
  static constexpr std::uint32_t flows = kContractedFlow;
  static constexpr bool against_plan = true;
  HEADROOM_HD static Real value(const auto& x) {
    return ratio_of<ContractRealization>(x.contracted(), x.plan_contracted);
  }
  HEADROOM_HD static Real missing(const auto& x, Real limit) {
    return fma(limit, x.plan_contracted, -x.contracted());
  }
  HEADROOM_HD static WindowRow deemed(Money amount) {
    WindowRow row{};
    row.contracted = amount;
    return row;
  }
};

struct Leverage : MetricDefaults {
  static constexpr const char* label = "debt over annual EBITDA";
  static constexpr Scale scale = Scale::fixed_point;
  static constexpr Bound bound = Bound::maximum;
  static constexpr Empty empty = Empty::fails;
  static constexpr WindowRule window = WindowRule::annual;
  static constexpr std::uint32_t flows = kEbitdaFlow;
  HEADROOM_HD static Real value(const auto& x) { return burden<Leverage>(x.debt, x.ebitda() * x.to_annual); }
  HEADROOM_HD static Real missing(const auto& x, Real limit) {
    return x.debt / (limit * x.to_annual) - x.ebitda();
  }
  HEADROOM_HD static WindowRow deemed(Money amount) { return deemed_ebitda(amount); }
};

struct NetLeverage : MetricDefaults {
  static constexpr const char* label = "debt less cash, over annual EBITDA";
  static constexpr Scale scale = Scale::fixed_point;
  static constexpr Bound bound = Bound::maximum;
  static constexpr Empty empty = Empty::fails;
  static constexpr WindowRule window = WindowRule::annual;
  static constexpr std::uint32_t flows = kEbitdaFlow;
  HEADROOM_HD static Real value(const auto& x) {
    return burden<NetLeverage>(x.debt - x.cash, x.ebitda() * x.to_annual);
  }
  HEADROOM_HD static Real missing(const auto& x, Real limit) {
    return (x.debt - x.cash) / (limit * x.to_annual) - x.ebitda();
  }
  HEADROOM_HD static WindowRow deemed(Money amount) { return deemed_ebitda(amount); }
};

struct InterestCoverage : MetricDefaults {
  static constexpr const char* label = "EBITDA over interest and fees";
  static constexpr Scale scale = Scale::fixed_point;
  static constexpr Bound bound = Bound::minimum;
  static constexpr Empty empty = Empty::passes;
  static constexpr WindowRule window = WindowRule::annual;
  static constexpr std::uint32_t flows = kEbitdaFlow | kInterestFlow;
  HEADROOM_HD static Real value(const auto& x) { return ratio_of<InterestCoverage>(x.ebitda(), x.interest()); }
  HEADROOM_HD static Real missing(const auto& x, Real limit) { return fma(limit, x.interest(), -x.ebitda()); }
  HEADROOM_HD static WindowRow deemed(Money amount) { return deemed_ebitda(amount); }
};

struct Liquidity : MetricDefaults {
  static constexpr const char* label = "cash, and the parent's undrawn revolver";
  static constexpr Scale scale = Scale::money;
  static constexpr Bound bound = Bound::minimum;
  static constexpr Empty empty = Empty::none;
  static constexpr WindowRule window = WindowRule::none;
  HEADROOM_HD static Real value(const auto& x) { return x.liquidity; }
  HEADROOM_HD static Real missing(const auto& x, Real limit) { return limit - x.liquidity; }
};

struct Ltv : MetricDefaults {
  static constexpr const char* label = "loan to value: debt over the lenders' collateral";
  static constexpr Scale scale = Scale::fixed_point;
  static constexpr Bound bound = Bound::maximum;
  static constexpr Empty empty = Empty::fails;
  static constexpr WindowRule window = WindowRule::none;
  static constexpr bool repays_debt = true;
  static constexpr bool needs_collateral = true;
  HEADROOM_HD static Real value(const auto& x) { return burden<Ltv>(x.tranche_balance, x.collateral); }
  HEADROOM_HD static Real missing(const auto& x, Real limit) {
    return fma(-limit, x.collateral, x.tranche_balance);
  }
};

struct BacklogCoverage : MetricDefaults {
  static constexpr const char* label = "contracted fees still to come over debt";
  static constexpr Scale scale = Scale::fixed_point;
  static constexpr Bound bound = Bound::minimum;
  static constexpr Empty empty = Empty::passes;
  static constexpr WindowRule window = WindowRule::none;
  static constexpr bool repays_debt = true;
  HEADROOM_HD static Real value(const auto& x) {
    return ratio_of<BacklogCoverage>(x.backlog, x.tranche_balance);
  }
  HEADROOM_HD static Real missing(const auto& x, Real limit) { return x.tranche_balance - x.backlog / limit; }
};

}  // namespace metric

// Columns: name in configs and files, struct.
#define HEADROOM_METRICS(X)                    \
  X(dscr, Dscr)                                \
  X(contract_realization, ContractRealization) \
  X(leverage, Leverage)                        \
  X(net_leverage, NetLeverage)                 \
  X(interest_coverage, InterestCoverage)       \
  X(liquidity, Liquidity)                      \
  X(ltv, Ltv)                                  \
  X(backlog_coverage, BacklogCoverage)

#define HEADROOM_ROW(name, type) name,
enum class Metric : std::int32_t { HEADROOM_METRICS(HEADROOM_ROW) };
#undef HEADROOM_ROW

// Calls f(M) with the metric's struct M.
template <class F>
HEADROOM_HD constexpr void with_metric(Metric metric, F&& f) {
  switch (metric) {
#define HEADROOM_ROW(name, type) \
  case Metric::name:             \
    f(metric::type{});           \
    break;
    HEADROOM_METRICS(HEADROOM_ROW)
#undef HEADROOM_ROW
  }
}

struct MetricTraits {
  Metric metric;
  const char* name;
  const char* label;
  Scale scale;
  Bound bound;
  Empty empty;
  WindowRule window;
  bool repays_debt;
};
#define HEADROOM_ROW(name, type)              \
  {Metric::name,         #name,               \
   metric::type::label,  metric::type::scale, \
   metric::type::bound,  metric::type::empty, \
   metric::type::window, metric::type::repays_debt},
inline constexpr MetricTraits kMetricTable[] = {HEADROOM_METRICS(HEADROOM_ROW)};
#undef HEADROOM_ROW
static_assert(well_named(kMetricTable));
constexpr const MetricTraits& traits_of(Metric metric) {
  return kMetricTable[static_cast<std::int32_t>(metric)];
}

HEADROOM_HD constexpr bool is_money(Metric metric) {
  bool found = false;
  with_metric(metric, [&](auto m) HEADROOM_LANE { found = decltype(m)::scale == Scale::money; });
  return found;
}
HEADROOM_HD constexpr bool repays_debt(Metric metric) {
  bool found = false;
  with_metric(metric, [&](auto m) HEADROOM_LANE { found = decltype(m)::repays_debt; });
  return found;
}
HEADROOM_HD constexpr std::uint32_t flows_of(Metric metric) {
  std::uint32_t found = 0;
  with_metric(metric, [&](auto m) HEADROOM_LANE { found = decltype(m)::flows; });
  return found;
}
HEADROOM_HD constexpr bool needs_collateral(Metric metric) {
  bool found = false;
  with_metric(metric, [&](auto m) HEADROOM_LANE { found = decltype(m)::needs_collateral; });
  return found;
}

#undef HEADROOM_METRICS

}  // namespace headroom
