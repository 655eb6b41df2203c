// SPDX-License-Identifier: Apache-2.0
#include "host/study/solve.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace headroom::study {

namespace {

// Whether the config takes only whole numbers of the key.
bool only_whole(const Base& base, const Axis& axis) {
  const Span& span = *axis.span;
  if (span.dates) return true;
  if (span.low != std::floor(span.low) || span.high != std::floor(span.high)) return false;
  try {
    load_at(base, {axis}, {level_at(axis, span.kind, span.low + 0.5, false, base.company)});
  } catch (const config::ConfigError&) {
    return true;
  }
  return false;
}

}  // namespace

Solution solve(const Study& study, const Axis& axis, const std::vector<Axis>& fixed, const Point& fixed_at,
               const Gate& gate, double tolerance, Backend& backend) {
  Study each = study;
  each.axes = fixed;
  each.axes.push_back(axis);
  each.request.figures = {gate.figure};
  const bool whole = only_whole(study.base, axis);
  const Span& span = *axis.span;
  std::map<double, Judgement> tried;
  bool stopped = false;
  const auto at = [&](double x) -> const Judgement& {
    const auto [place, is_new] = tried.try_emplace(x);
    if (!is_new || stopped) return place->second;
    Point point = fixed_at;
    point.push_back(level_at(axis, span.kind, x, span.dates, study.base.company));
    std::optional<PointResult> result;
    try {
      result = run_point(each, point, backend);
    } catch (const Interrupted&) {
    }
    if (!result || result->values.empty()) {
      stopped = true;
      tried.erase(x);
      static const Judgement none;
      return none;
    }
    return place->second = judge(gate, result->values.front(), study.request.paths.count);
  };

  using Bound = std::function<double(const Judgement&)>;
  const auto holds = [&](double bound) { return gate.at_most ? bound <= gate.limit : bound >= gate.limit; };
  Solution solution;
  const double least_step = whole ? 1 : tolerance * (span.high - span.low);
  // Where a bound crosses the limit: bisection between the nearest values known on both sides of it. Nothing if
  // it does not cross inside the range.
  const auto crossing = [&](const Bound& bound) -> std::optional<std::pair<double, double>> {
    const bool first = holds(bound(at(span.low))), last = holds(bound(at(span.high)));
    if (stopped || first == last) return {};
    double low = span.low, high = span.high;
    for (const auto& [x, judged] : tried) {
      if (holds(bound(judged)) == first) {
        low = std::max(low, x);
      } else {
        high = std::min(high, x);
        break;
      }
    }
    while (high - low > least_step && !stopped) {
      double middle = (low + high) / 2;
      if (whole) middle = std::floor(middle);
      const Judgement& judged = at(middle);
      if (stopped) break;
      (holds(bound(judged)) == first ? low : high) = middle;
    }
    return std::pair(low, high);
  };
  const auto estimate = [](const Judgement& judged) { return judged.value.value; };
  const auto lower = [](const Judgement& judged) { return judged.low; };
  const auto upper = [](const Judgement& judged) { return judged.high; };

  const bool below = holds(estimate(at(span.low))), above = !stopped && holds(estimate(at(span.high)));
  if (!stopped && below == above) {
    solution.kind = below ? Solution::Kind::everywhere : Solution::Kind::nowhere;
  } else if (!stopped) {
    solution.holds_below = below;
    const auto ends = crossing(estimate);
    // The value on the side where the gate holds.
    if (ends) solution.answer = below ? ends->first : ends->second;
    std::vector<double> bounds;
    for (const Bound& bound : {Bound(lower), Bound(upper)}) {
      if (const auto cross = crossing(bound)) bounds.push_back(below ? cross->first : cross->second);
    }
    for (const double bound : bounds) {
      if (bound <= solution.answer && !(solution.low >= bound)) solution.low = bound;
      if (bound >= solution.answer && !(solution.high <= bound)) solution.high = bound;
    }
    solution.open_low = !std::isfinite(solution.low);
    solution.open_high = !std::isfinite(solution.high);
    if (solution.open_low) solution.low = span.low;
    if (solution.open_high) solution.high = span.high;
    if (!stopped) solution.kind = Solution::Kind::found;
  }
  int changes = 0;
  const Judgement* before = nullptr;
  for (const auto& [x, judged] : tried) {
    if (before != nullptr && holds(estimate(*before)) != holds(estimate(judged))) ++changes;
    before = &judged;
    solution.tried.emplace_back(x, judged);
  }
  solution.monotone = changes <= 1;
  return solution;
}

}  // namespace headroom::study
