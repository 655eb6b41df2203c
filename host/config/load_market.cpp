// SPDX-License-Identifier: Apache-2.0
// [market.*], [correlation], [[gpu]], [[launch]], [[delay]], [[rating]].
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "host/config/load.hpp"

namespace headroom::config {

namespace {

constexpr std::array<std::string_view, kFactorCount> factor_names = {
    "demand_training", "demand_inference", "price", "rate", "spread", "churn", "power"};

Real to_real(double x) { return static_cast<Real>(x); }

std::array<double, kRegimeCount> by_regime(const Table& table, std::string_view key, const Range& range = {}) {
  const Table regimes = table.table(key);
  return {regimes.number("shortage", range), regimes.number("balanced", range), regimes.number("glut", range)};
}

ByRegime to_real(const std::array<double, kRegimeCount>& values, double factor = 1.0) {
  return {to_real(values[0] * factor), to_real(values[1] * factor), to_real(values[2] * factor)};
}

OuParams read_ou(const Table& table) {
  return derive::ou(table.number("reversion_per_year", non_negative()),
                    table.number("volatility_per_year", non_negative()), table.number("start_log"));
}

void read_regimes(Loading& in, const Table& market, DemandParams& demand) {
  const Table table = market.table("regimes");
  const auto regime_of = [](const Table& row, std::string_view key) {
    return row.choice<Regime>(key, {{"shortage", kShortage}, {"balanced", kBalanced}, {"glut", kGlut}});
  };
  demand.start_regime = regime_of(table, "start");
  constexpr std::array<std::string_view, kRegimeCount> names = {"shortage", "balanced", "glut"};
  derive::Matrix3 intensity{};
  for (std::size_t from = 0; from < names.size(); ++from) {
    for (std::size_t to = 0; to < names.size(); ++to) {
      if (from == to) continue;
      intensity[from][to] =
          table.number(fmt::format("{}_to_{}_per_year", names[from], names[to]), non_negative());
      intensity[from][from] -= intensity[from][to];
    }
  }
  Real last = -kNeverReal;
  for (const Table& each : table.rows("plan")) {
    const Real from = in.month(each, "from");
    const Regime regime = regime_of(each, "regime");
    if (from <= last) each.reject("from", "the plan's regimes must be in ascending order", "sort them");
    last = from;
    // From the month after a month end, like everything that begins on a date.
    const auto first = static_cast<std::int32_t>(std::max(0.0, std::floor(static_cast<double>(from)))) + 1;
    for (std::int32_t t = first; t <= in.months; ++t)
      in.data.month[static_cast<std::size_t>(t - 1)].plan_regime = regime;
  }
  const derive::Matrix3 monthly = derive::monthly_transition(intensity);
  for (std::size_t from = 0; from < names.size(); ++from) {
    demand.stay_or_worse[from][0] = to_real(monthly[from][0]);
    demand.stay_or_worse[from][1] = to_real(monthly[from][0] + monthly[from][1]);
  }
}

struct Fading {
  double now, long_run, halflife_months;
  // Growth in month t: a twelfth of the yearly rate.
  Real of_month(int t) const { return to_real(derive::fading(now, long_run, halflife_months, t) / 12.0); }
};

void read_demand(Loading& in, const Table& market) {
  DemandParams& p = in.data.parameters.demand;
  const Table demand = market.table("demand");
  p.training_share = demand.real("training_share", share());
  const double halflife = demand.number("growth_halflife_months", length());
  const Fading training{demand.number("growth_training_per_year"),
                        demand.number("growth_training_long_run_per_year"), halflife};
  const Fading inference{demand.number("growth_inference_per_year"),
                         demand.number("growth_inference_long_run_per_year"), halflife};
  const double sigma_training = demand.number("volatility_training_per_year", non_negative());
  const double sigma_inference = demand.number("volatility_inference_per_year", non_negative());
  p.sigma_training_month = to_real(sigma_training * std::sqrt(1.0 / 12.0));
  p.sigma_inference_month = to_real(sigma_inference * std::sqrt(1.0 / 12.0));
  p.drift_training_month = to_real(-sigma_training * sigma_training / 24.0);
  p.drift_inference_month = to_real(-sigma_inference * sigma_inference / 24.0);
  p.uncertainty_training = demand.real("growth_uncertainty_training", non_negative());
  p.uncertainty_inference = demand.real("growth_uncertainty_inference", non_negative());
  p.shift_month = to_real(by_regime(demand, "shift_per_year"), 1.0 / 12.0);
  p.jump_probability_month = to_real(-std::expm1(-demand.number("jumps_per_year", non_negative()) / 12.0));
  p.jump_mean_log = demand.real("jump_mean_log");
  p.jump_sd_log = demand.real("jump_sd_log", non_negative());
  read_regimes(in, market, p);

  const Table supply = market.table("supply");
  const Fading growth{supply.number("growth_per_year"), supply.number("growth_long_run_per_year"),
                      supply.number("growth_halflife_months", length())};
  p.supply_response = supply.real("response", non_negative());
  p.supply_lag_month = to_real(1.0 / (12.0 * supply.number("lag_years", at_least(1.0 / 12.0))));
  p.start_tightness = supply.real("start_tightness");
  for (int t = 1; t <= in.months; ++t) {
    MonthRow& row = in.data.month[static_cast<std::size_t>(t - 1)];
    row.growth_training = training.of_month(t);
    row.growth_inference = inference.of_month(t);
    row.supply_growth = growth.of_month(t);
  }
}

derive::Ageing read_price(Loading& in, const Table& market, double& pass_through) {
  PriceParams& p = in.data.parameters.price;
  const Table price = market.table("price");
  const double kappa = price.number("reversion_per_year", positive());
  p.cycle_start = price.real("cycle_start_log");
  p.tightness_pull = price.real("tightness_pull", non_negative());
  p.cycle_decay = to_real(derive::ou_decay_month(kappa));
  p.cycle_mean_add = to_real(by_regime(price, "drift_per_year"), 1.0 / kappa);
  p.cycle_sd_month =
      to_real(by_regime(price, "volatility_per_year", non_negative()), derive::ou_sd_month(kappa, 1.0));
  p.ageing_uncertainty = price.real("ageing_uncertainty", non_negative());
  pass_through = price.number("hedonic_pass_through", non_negative());
  return {price.number("ageing_young_per_year", non_negative()),
          price.number("ageing_old_per_year", non_negative()),
          price.number("ageing_crossing_years", non_negative())};
}

void read_rates(Loading& in, const Table& market) {
  RateParams& p = in.data.parameters.rates;
  const Table rates = market.table("rates");
  const double a = rates.number("reversion_per_year", non_negative());
  const double sigma = rates.number("volatility_per_year", non_negative());
  p.short_rate = derive::ou(a, sigma, 0.0);
  std::vector<derive::CurvePoint> points;
  for (const Table& each : rates.rows("forward", 1)) {
    points.push_back({each.number("years", non_negative()), each.number("rate_per_year", between(-0.05, 1.0))});
    if (points.size() > 1 && points.back().years <= points[points.size() - 2].years) {
      each.reject("years", "points must be in ascending order", "sort them");
    }
  }
  for (int t = 1; t <= in.months && !points.empty(); ++t) {
    const double years = t / 12.0;
    in.data.month[static_cast<std::size_t>(t - 1)].rate_base =
        to_real(derive::forward_rate(points, years) + derive::hull_white_convexity(a, sigma, years));
  }
  const Table spread = market.table("spread");
  p.spread = read_ou(spread);
  p.spread_glut_pull = spread.real("glut_pull", non_negative());
  p.window_open = to_real(by_regime(spread, "window_open_per_quarter", share()));
  p.power = read_ou(market.table("power"));
  in.data.parameters.on_demand.churn = read_ou(market.table("churn"));
}

void read_freeze(Loading& in, const Table& market) {
  const auto table = market.optional_table("funding_freeze");
  if (!table) return;
  FreezeParams& p = in.data.parameters.freeze;
  p.possible = 1;
  const auto begins = by_regime(*table, "begins_per_year", non_negative());
  const auto monthly = [](double per_year) { return to_real(-std::expm1(-per_year / 12.0)); };
  p.begins = {monthly(begins[0]), monthly(begins[1]), monthly(begins[2])};
  p.ends = monthly(12.0 / table->number("mean_months", at_least(1.0)));
  p.training_month = to_real(table->number("demand_training_per_year", between(-10.0, 10.0), 0.0) / 12.0);
  p.inference_month = to_real(table->number("demand_inference_per_year", between(-10.0, 10.0), 0.0) / 12.0);
  p.spread_factor = table->real("spread_factor", between(0.1, 10.0), 1.0);
  p.stream = in.stream("market/freeze", table->place());
}

void read_calendar(Loading& in) {
  in.data.month.assign(static_cast<std::size_t>(in.months), MonthRow{});
  const auto quarter_of = [](Date d) {
    return static_cast<int>(d.year()) * 4 + (static_cast<int>(unsigned(d.month())) - 1) / 3;
  };
  const Date first = month_end(in.as_of, 1);
  for (int t = 1; t <= in.months; ++t) {
    const Date end = month_end(in.as_of, t);
    MonthRow& row = in.data.month[static_cast<std::size_t>(t - 1)];
    row.quarter_end = unsigned(end.month()) % 3 == 0 ? 1 : 0;
    row.year_end = unsigned(end.month()) == 12 ? 1 : 0;
    row.year = static_cast<int>(end.year()) - static_cast<int>(first.year());
    row.quarter = quarter_of(end) - quarter_of(first);
  }
}

// The matrix as one line for [correlation], with four decimals.
std::string correlation_text(const derive::Correlation& matrix) {
  std::string text;
  for (std::size_t i = 0; i < kFactorCount; ++i) {
    std::string pairs;
    for (std::size_t j = i + 1; j < kFactorCount; ++j) {
      const double value = std::round(matrix[i][j] * 1e4) / 1e4;
      if (value != 0.0)
        pairs += fmt::format("{}{} = {:.4f}", pairs.empty() ? "" : ", ", factor_names[j], value);
    }
    if (!pairs.empty())
      text += fmt::format("{}{} = {{ {} }}", text.empty() ? "" : "; ", factor_names[i], pairs);
  }
  return text;
}

void read_correlation(Loading& in) {
  const Table table = in.root.table("correlation");
  derive::Correlation matrix{};
  std::array<std::array<bool, kFactorCount>, kFactorCount> given{};
  std::array<std::array<Place, kFactorCount>, kFactorCount> places{};
  for (std::size_t i = 0; i < kFactorCount; ++i) {
    matrix[i][i] = 1.0;
    const auto row = table.optional_table(factor_names[i]);
    if (!row) continue;
    for (std::size_t j = 0; j < kFactorCount; ++j) {
      if (j == i || !row->has(factor_names[j])) continue;
      const Range range = between(-1.0, 1.0).because("a correlation must be between -1 and 1");
      const double value = row->number(factor_names[j], range, 0.0);
      if (given[i][j]) {
        row->reject(factor_names[j],
                    fmt::format("the pair {}, {} is given twice", factor_names[i], factor_names[j]),
                    "remove one of them");
      }
      matrix[i][j] = matrix[j][i] = value;
      given[i][j] = given[j][i] = true;
      places[i][j] = places[j][i] = row->place(factor_names[j]);
    }
  }
  if (const auto lower = derive::cholesky(matrix)) {
    for (std::size_t i = 0; i < kFactorCount; ++i) {
      for (std::size_t j = 0; j < kFactorCount; ++j) {
        in.data.parameters.correlation[i][j] = to_real((*lower)[i][j]);
      }
    }
    return;
  }
  // Slightly inside the set of valid matrices, so that it stays valid when rounded.
  const derive::Correlation nearest = derive::nearest_correlation(matrix, 1e-3);
  struct Offender {
    std::size_t i, j;
    double change;
  };
  std::vector<Offender> offenders;
  for (std::size_t i = 0; i < kFactorCount; ++i) {
    for (std::size_t j = i + 1; j < kFactorCount; ++j) {
      const double change = std::abs(nearest[i][j] - matrix[i][j]);
      if (given[i][j]) offenders.push_back({i, j, change});
    }
  }
  std::stable_sort(offenders.begin(), offenders.end(),
                   [](const Offender& a, const Offender& b) { return a.change > b.change; });
  std::string pairs;
  for (const Offender& each : offenders) {
    if (each.change < 0.5 * offenders.front().change) break;
    pairs += fmt::format("{}{} with {} {:.2f}, nearest {:.2f}", pairs.empty() ? "" : ", ", factor_names[each.i],
                         factor_names[each.j], matrix[each.i][each.j], nearest[each.i][each.j]);
  }
  in.problems.add(
      places[offenders.front().i][offenders.front().j], "the correlation matrix is not positive semi-definite",
      "these pairs cannot all hold: " + pairs, "the nearest valid one is " + correlation_text(nearest));
}

void read_delays(Loading& in) {
  for (const Table& each : in.delays.tables) {
    derive::Delay d{each.number("on_time_share", share()),
                    each.number("p50_months"),
                    each.number("p90_months"),
                    each.number("earliest_months", {}, 0.0),
                    each.number("systemic_share", share()),
                    each.number("reference_months", non_negative(), 0.0)};
    if (d.reference_months > 0) {
      d.power = each.number("reference_power", share(), 0.5);
    } else {
      forbid(each, {"reference_power"}, "there is no 'reference_months'", "add it, or remove this");
    }
    if (each.has("p50_months") && d.p50_months <= d.earliest_months) {
      each.reject("p50_months", fmt::format("it must be above 'earliest_months', {}", d.earliest_months),
                  "correct one of the two");
    } else if (each.has("p50_months") && each.has("p90_months") && d.p90_months <= d.p50_months) {
      each.reject("p90_months", fmt::format("it must be above 'p50_months', {}", d.p50_months),
                  "correct one of the two");
    }
    if (!(d.earliest_months < d.p50_months && d.p50_months < d.p90_months)) d = {0.5, 1.0, 2.0, 0.0, 0.0};
    in.delay.push_back(d);
  }
}

void read_gpus(Loading& in, const derive::Ageing& common, double pass_through) {
  struct Type {
    double performance = 0.0;  // per dollar; 0: not given
    Real launched = 0;
  };
  std::vector<Type> types;
  const std::size_t launches = in.root.tables("launch").size();
  for (const Table& each : in.gpus.tables) {
    in.company.gpu_types.push_back(Loading::named(each));
    in.data.gpu_type.push_back({to_real(std::log(each.number("price_usd_per_gpu_hour", positive()))),
                                each.real("floor_usd_per_gpu_hour", positive()),
                                static_cast<std::int32_t>(types.size() * launches)});
    types.push_back({each.number("performance_per_dollar", positive(), 0.0), in.month(each, "launched")});
    const derive::Ageing rates{each.number("ageing_young_per_year", non_negative(), common.young_per_year),
                               each.number("ageing_old_per_year", non_negative(), common.old_per_year),
                               each.number("ageing_crossing_years", non_negative(), common.crossing_years)};
    const double age = -static_cast<double>(types.back().launched) / 12.0;
    for (int t = 1; t <= in.months; ++t) {
      in.data.ageing.push_back(to_real(derive::ageing(rates, age, age + t / 12.0)));
    }
  }

  in.data.launch_effect.assign(types.size() * launches, 0.0F);
  for (const Table& each : in.root.tables("launch")) {
    const std::size_t h = in.data.launch.size();
    in.company.launches.push_back(Loading::named(each));
    const Real planned = in.month(each, "planned");
    if (in.past(each, "planned")) {
      each.reject("planned", "prices at as_of know it already", "remove the launch, or correct the date");
    }
    in.data.launch.push_back(
        {planned, each.real("ramp_months", length()),
         in.delay_of(each.ref("delay", in.delays.ids), fmt::format("gpu/{}/launch", each.id()), each.place())});
    const double performance = each.number("performance_per_dollar", positive(), 0.0);
    const bool hedonic = !each.has("effect_log");
    const double fixed = each.number("effect_log", non_negative(), 0.0);
    if (hedonic && performance <= 0.0) {
      each.reject("effect_log", "a launch needs it, or 'performance_per_dollar'", "add one of them");
    }
    std::string untold;
    for (std::size_t g = 0; g < types.size(); ++g) {
      const bool older = types[g].launched < planned && in.gpus.ids[g] != each.id();
      if (!older) continue;
      if (types[g].performance <= 0.0) untold += (untold.empty() ? "" : ", ") + in.gpus.ids[g];
      const bool known = performance > 0.0 && types[g].performance > 0.0;
      const double told =
          known ? pass_through * std::max(0.0, std::log(performance / types[g].performance)) : 0.0;
      in.data.launch_effect[g * launches + h] = to_real(hedonic ? told : fixed);
    }
    if (hedonic && performance > 0.0 && !untold.empty()) {
      each.reject("performance_per_dollar", "these older types give none: " + untold,
                  "add it to them, or give the launch an effect_log");
    }
  }
}

}  // namespace

void load_market(Loading& in) {
  const Place top = in.root.place();
  constexpr std::array<const char*, 4> market_streams = {"market/a", "market/b", "market/c", "market/window"};
  for (std::size_t i = 0; i < market_streams.size(); ++i) {
    in.data.parameters.market_stream[i] = in.stream(market_streams[i], top);
  }
  in.data.parameters.path_stream = in.stream("path/parameters", top);

  read_calendar(in);
  const Table market = in.root.table("market");
  read_demand(in, market);
  double pass_through = 0.0;
  const derive::Ageing ageing = read_price(in, market, pass_through);
  read_rates(in, market);
  read_freeze(in, market);
  read_correlation(in);
  read_delays(in);
  for (const Table& each : in.ratings.tables) {
    const Range probability{.low = 0.0, .high = 0.999};
    if (!each.has("default_within_years")) {
      in.default_within_years.push_back({each.number("one_year_default", probability)});
      continue;
    }
    forbid(each, {"one_year_default"}, "'default_within_years' begins with it", "remove one of them");
    std::vector<double> years = each.numbers("default_within_years", probability);
    if (!std::is_sorted(years.begin(), years.end())) {
      each.reject("default_within_years",
                  "the probabilities are cumulative, so each is at least that before it", "correct them");
      std::sort(years.begin(), years.end());
    }
    in.default_within_years.push_back(years);
  }
  read_gpus(in, ageing, pass_through);
}

}  // namespace headroom::config
