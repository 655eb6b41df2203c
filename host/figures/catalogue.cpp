// SPDX-License-Identifier: Apache-2.0
#include "host/figures/catalogue.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <utility>

#include "headroom/measures.hpp"
#include "headroom/outcome.hpp"
#include "host/engine/threads.hpp"
#include "host/figures/names.hpp"

namespace headroom {

namespace {

using Ask = Question::Kind;

std::size_t at(std::int32_t index) { return static_cast<std::size_t>(index); }

std::string id_of(const std::vector<Named>& names, std::int32_t index) {
  return at(index) < names.size() ? names[at(index)].id : fmt::format("{}", index);
}
std::string name_of(const std::vector<Named>& names, std::int32_t index) {
  return at(index) < names.size() ? names[at(index)].label : fmt::format("{}", index);
}

void push(std::vector<Figure>& out, std::string name, double value, std::string_view unit, std::string words) {
  out.push_back({.name = std::move(name), .value = value, .unit = unit, .words = std::move(words)});
}

void push(std::vector<Figure>& out, std::string name, const Estimate& estimate, std::string_view unit,
          std::string words) {
  out.push_back({.name = std::move(name),
                 .value = estimate.value,
                 .standard_error = estimate.standard_error,
                 .unit = unit,
                 .words = std::move(words)});
}

void push(std::vector<Figure>& out, std::string name, const Probability& p, std::string words) {
  out.push_back({.name = std::move(name),
                 .value = p.value,
                 .low = p.low,
                 .high = p.high,
                 .unit = "probability",
                 .words = std::move(words)});
}

void push_plan(std::vector<Figure>& out, const std::string& name, const std::optional<double>& plan,
               std::string_view unit, const std::string& words) {
  push(out, name + ".plan", plan ? *plan : kUnknown, unit, words + ": in the plan");
}

void push_distribution(std::vector<Figure>& out, const std::string& name, const Distribution& d, bool tails,
                       std::string_view unit, const std::string& words) {
  push(out, name + ".mean", Estimate{d.mean, d.mean_error}, unit, words + ": mean");
  push(out, name + ".sd", d.sd, unit, words + ": standard deviation");
  for (std::size_t k = 0; k < kPercents.size(); ++k) {
    const Quantile& q = d.quantiles[k];
    out.push_back({.name = fmt::format("{}.p{}", name, kPercents[k]),
                   .value = q.value,
                   .low = q.low,
                   .high = q.high,
                   .unit = unit,
                   .words = fmt::format("{}: {}% quantile", words, kPercents[k])});
  }
  if (!tails) return;
  for (std::size_t k = 0; k < kTailPercents.size(); ++k) {
    const LowerTail tail = k < d.tails.size() ? d.tails[k] : LowerTail{};
    const int level = 100 - kTailPercents[k];
    push(out, fmt::format("{}.var{}", name, level), Estimate{tail.value_at_risk, tail.value_at_risk_error},
         unit, fmt::format("{}: amount undercut with probability {}%", words, kTailPercents[k]));
    push(out, fmt::format("{}.es{}", name, level),
         Estimate{tail.expected_shortfall, tail.expected_shortfall_error}, unit,
         fmt::format("{}: mean of the worst {}% of paths", words, kTailPercents[k]));
  }
}

// The months within which an event is reported: those of kWithinMonths before the horizon, and the horizon.
std::vector<std::int32_t> within_months(std::int32_t months) {
  std::vector<std::int32_t> within;
  for (const std::int32_t each : kWithinMonths) {
    if (each < months) within.push_back(each);
  }
  within.push_back(months);
  return within;
}

// Makes the records of one company.
class Builder {
 public:
  Builder(const Company& company, const Scenario& scenario)
      : company_(company), scenario_(scenario), layout_(column_layout(scenario)) {}

  Catalogue build() {
    company_figures();
    for (std::int32_t v = 0; v < layout_.covenants; ++v) covenant(v);
    joint();
    for (std::int32_t e = 0; e < layout_.borrowers; ++e) borrower(e);
    for (std::int32_t i = 0; i < layout_.sites; ++i) site(i);
    for (std::int32_t c = 0; c < layout_.customers; ++c) customer(c);
    std::size_t drivers = 0;
    for (const PathColumnTraits& each : kPathTable) {
      if (each.tells == Tells::driver) driver(each, drivers++);
    }
    for (std::int32_t m = 0; m < kMeasureCount; ++m) {
      const auto measure = static_cast<Measure>(m);
      series(m, std::string(key_of(measure)), std::string(label_of(measure)), unit_of(measure));
    }
    for (std::int32_t v = 0; v < layout_.covenants; ++v) {
      series(headroom_series(v), "covenant." + id_of(company_.covenants, v) + ".headroom",
             "headroom of " + name_of(company_.covenants, v), unit_of(scenario_.covenant[v].metric));
    }
    for (std::int32_t d = 0; d < scenario_.tranche.size; ++d) {
      series(balance_series(scenario_, d), "tranche." + id_of(company_.tranches, d) + ".balance",
             "balance of " + name_of(company_.tranches, d), unit_of(kDebt));
    }
    return std::move(catalogue_);
  }

 private:
  std::string month_name(std::int32_t month) const {
    return config::format_month(config::month_end(company_.as_of, month));
  }
  int year_of(std::int32_t month) const {
    return static_cast<int>(config::month_end(company_.as_of, month).year());
  }
  std::string quarter_name(std::int32_t last_month) const {
    const config::Date end = config::month_end(company_.as_of, last_month);
    return fmt::format("{}q{}", static_cast<int>(end.year()), (static_cast<unsigned>(end.month()) + 2) / 3);
  }

  void add(Record record) { catalogue_.records.push_back(std::move(record)); }

  // `place(report)`: where the value is stored. `plan(report)`: the plan's figure, std::optional<double>.
  template <class Place, class Plan>
  void distribution(const std::string& name, const std::string& words, std::string_view unit, double units,
                    std::int32_t column, bool tails, Place place, Plan plan, std::int32_t none = kNoMarker) {
    const Question question{Ask::distribution, column, 0, none};
    add({.name = name,
         .questions = {question},
         .column = column,
         .units = units,
         .none = none,
         .fill =
             [=](RiskReport& report, const Source& from) {
               place(report) = distribution_of(from.answers, question, units, tails);
             },
         .expand =
             [=](const RiskReport& report, std::vector<Figure>& out) {
               if constexpr (!std::is_same_v<Plan, std::nullptr_t>)
                 push_plan(out, name, plan(report), unit, words);
               push_distribution(out, name, place(report), tails, unit, words);
             }});
  }

  template <class Place>
  void event(const std::string& name, const std::string& words, std::vector<Question> questions, Place place,
             std::function<EventRisk(const Answers&)> make) {
    std::vector<std::string> months;
    for (std::int32_t t = 1; t <= scenario_.months; ++t) months.push_back(month_name(t));
    add({.name = name,
         .questions = std::move(questions),
         .fill = [place, make = std::move(make)](RiskReport& report,
                                                 const Source& from) { place(report) = make(from.answers); },
         .expand =
             [=](const RiskReport& report, std::vector<Figure>& out) {
               const EventRisk& event = place(report);
               const auto horizon = static_cast<std::int32_t>(months.size());
               const auto by = [&](std::int32_t t) {
                 return event.cumulative.empty() ? Probability{} : event.cumulative[at(t - 1)];
               };
               for (const std::int32_t t : within_months(horizon))
                 push(out, fmt::format("{}.{}m", name, t), by(t), fmt::format("{} within {} months", words, t));
               for (std::size_t k = 0; k < kTimePercents.size(); ++k) {
                 const std::int32_t month = event.month_if_it_happens[k];
                 push(out, fmt::format("{}.month.p{}", name, kTimePercents[k]), month > 0 ? month : kUnknown,
                      "months_after_as_of",
                      fmt::format("{}: {}% quantile of its month, of the paths on which it happens", words,
                                  kTimePercents[k]));
               }
               for (std::int32_t t = 1; t <= horizon; ++t)
                 push(out, name + "." + months[at(t - 1)], by(t),
                      words + " by the end of " + months[at(t - 1)]);
             }});
  }
  // For a column that holds the month.
  template <class Place>
  void event(const std::string& name, const std::string& words, std::int32_t column, Place place) {
    const Question question{Ask::counts, column, 0, scenario_.months + 1};
    event(name, words, {question}, place, [question](const Answers& answers) {
      return event_of(answers.answer(question).integers, answers.paths());
    });
    catalogue_.records.back().column = column;
    catalogue_.records.back().none = scenario_.months + 1;
  }

  // `number(answers)`: the number of paths on which it happens.
  template <class Place>
  void probability(const std::string& name, const std::string& words, std::vector<Question> questions,
                   Place place, std::function<std::uint64_t(const Answers&)> number) {
    add({.name = name,
         .questions = std::move(questions),
         .fill =
             [place, number = std::move(number)](RiskReport& report, const Source& from) {
               place(report) = wilson(number(from.answers), from.answers.paths());
             },
         .expand = [=](const RiskReport& report,
                       std::vector<Figure>& out) { push(out, name, place(report), words); }});
  }

  template <class Place>
  void mean(const std::string& name, const std::string& words, std::string_view unit, double units,
            const Question& question, Place place) {
    add({.name = name,
         .questions = {question},
         .column = question.column,
         .units = units,
         .fill = [=](RiskReport& report,
                     const Source& from) { place(report) = mean_of(from.answers, question, units); },
         .expand = [=](const RiskReport& report,
                       std::vector<Figure>& out) { push(out, name, place(report), unit, words); }});
  }
  Question over_all(std::int32_t column) const { return {Ask::sums, column, column, kNoMarker}; }
  // A question over the paths whose `flag` column holds a month of the horizon.
  Question where(std::int32_t column, std::int32_t flag) const {
    return {Ask::sums, column, flag, scenario_.months};
  }

  // A number that is known without any path.
  void given(const std::string& name, const std::string& words, std::string_view unit,
             std::function<double(const RiskReport&)> value) {
    add({.name = name, .expand = [=](const RiskReport& report, std::vector<Figure>& out) {
           push(out, name, value(report), unit, words);
         }});
  }

  void company_figures() {
    const double musd = units_per_musd(scenario_);
    const RiskReport blank = blank_report(scenario_, {});
    for (std::size_t y = 0; y < blank.years.size(); ++y) {
      const std::int32_t last = blank.years[y].last_month;
      for (std::int32_t c = 0; c < kYearColumnCount; ++c) {
        const auto column = static_cast<YearColumn>(c);
        distribution(
            fmt::format("{}.{}", key_of(column), year_of(last)),
            fmt::format("{}, {}", label_of(column), year_of(last)), "musd", musd,
            layout_.year(column, static_cast<std::int32_t>(y)), traits_of(column).bad_end == BadEnd::low,
            [ y, c ](auto& report) -> auto& { return report.years[y].measures[at(c)]; },
            [y, c](auto& report) { return report.years[y].plan[at(c)]; });
      }
    }
    for (std::size_t q = 0; q < blank.quarters.size(); ++q) {
      const std::string name = quarter_name(blank.quarters[q].last_month);
      distribution(
          "fcf." + name, fmt::format("{}, {}", label_of(kFcf), name), "musd", musd,
          layout_.quarter_fcf(static_cast<std::int32_t>(q)),
          true, [q](auto& report) -> auto& { return report.quarters[q].fcf; },
          [q](auto& report) { return report.quarters[q].plan_fcf; });
    }
    distribution(
        "fcf.total", fmt::format("{}, over the horizon", label_of(kFcf)), "musd", musd, layout_.path(kTotalFcf),
        true, [](auto& report) -> auto& { return report.total_fcf; },
        [](auto& report) { return report.plan_total_fcf; });
    distribution(
        "peak_funding_gap", "peak funding gap over the horizon", "musd", musd, layout_.path(kPeakFundingGap),
        false, [](auto& report) -> auto& { return report.peak_funding_gap; }, nullptr);
    distribution(
        "least_liquidity", "least liquidity over the horizon", "musd", musd, layout_.path(kMinLiquidity), true,
        [](auto& report) -> auto& { return report.min_liquidity; }, nullptr);
    distribution(
        "dilution", "new shares over opening shares", "ratio", static_cast<double>(kFixedOne),
        layout_.path(kDilution), false, [](auto& report) -> auto& { return report.dilution; }, nullptr);
    event(
        "default", "liquidity default", layout_.path(kLiquidityDefaultMonth),
        [](auto& report) -> auto& { return report.liquidity_default; });
    event(
        "event_of_default", "event of default (a loan accelerated, a payment default, or a liquidity default)",
        layout_.path(kEventOfDefaultMonth), [](auto& report) -> auto& { return report.event_of_default; });
    event(
        "any_breach", "breach of any covenant", layout_.path(kFirstBreachMonth),
        [](auto& report) -> auto& { return report.any_breach; });
    const Question offenders{Ask::offenders, layout_.path(kViolations), 0, 0};
    add({.name = "violated_identities",
         .questions = {offenders},
         .fill =
             [offenders](RiskReport& report, const Source& from) {
               const std::vector<Int128>& found = from.answers.answer(offenders).integers;
               if (found[0] == 0) return;
               report.violations = {static_cast<std::uint64_t>(found[0]), static_cast<std::uint64_t>(found[1]),
                                    static_cast<std::int32_t>(found[2])};
             },
         .expand =
             [](const RiskReport& report, std::vector<Figure>& out) {
               push(out, "violated_identities", static_cast<double>(report.violations.paths), "paths",
                    "paths on which an identity of the model is violated");
             }});
  }

  void covenant(std::int32_t v) {
    const std::string id = id_of(company_.covenants, v), label = name_of(company_.covenants, v);
    const std::string name = "covenant." + id;
    const std::string_view unit = unit_of(scenario_.covenant[v].metric);
    const auto risk = [v](auto& report) -> auto& { return report.covenants[at(v)]; };
    event(
        "breach." + id, "breach of " + label,
        layout_.first_breach(v), [risk](auto& report) -> auto& { return risk(report).breach; });
    event(
        name + ".uncured", "breach of " + label + " that is neither cured nor waived",
        layout_.first_uncured(v), [risk](auto& report) -> auto& { return risk(report).uncured; });
    event(
        name + ".acceleration", "loans called for a breach of " + label,
        layout_.accelerated(v), [risk](auto& report) -> auto& { return risk(report).accelerated; });
    mean(
        name + ".cures", "number of cures of " + label + " on a path: mean", "number", 1,
        over_all(layout_.cures(v)), [risk](auto& report) -> auto& { return risk(report).cures; });
    mean(
        name + ".waivers", "number of waivers of " + label + " on a path: mean", "number", 1,
        over_all(layout_.waivers(v)), [risk](auto& report) -> auto& { return risk(report).waivers; });
    const std::int32_t months = scenario_.months;
    const Question breach{Ask::counts, layout_.first_breach(v), 0, months + 1};
    const Question uncured{Ask::counts, layout_.first_uncured(v), 0, months + 1};
    probability(
        name + ".remedied", label + " is breached, and every breach is cured or waived",
        {breach, uncured}, [risk](auto& report) -> auto& { return risk(report).remedied; },
        [breach, uncured](const Answers& answers) {
          const auto happened = [&](const Question& question) {
            Int128 paths = 0;
            for (const Int128 each : answers.answer(question).integers) paths += each;
            return paths;
          };
          return static_cast<std::uint64_t>(happened(breach) - happened(uncured));
        });
    const Question first{Ask::counts, layout_.path(kFirstCovenant), 0, layout_.covenants};
    probability(
        name + ".binds_first", label + " is breached, and no other covenant before it",
        {first}, [risk](auto& report) -> auto& { return risk(report).binds_first; },
        [first, v](const Answers& answers) {
          return static_cast<std::uint64_t>(answers.answer(first).integers[at(v)]);
        });
    distribution(
        name + ".least_headroom", "least headroom of " + label + " over a path's tests", unit,
        units_of_headroom(scenario_, v), layout_.min_headroom(v),
        true, [risk](auto& report) -> auto& { return risk(report).min_headroom; }, nullptr, kFixedMax);
    // Failing tests are counted by month, apart from the columns, so they need no question.
    std::vector<std::string> dates;
    for (std::int32_t t = 1; t <= months; ++t) {
      if (has_value(scenario_, headroom_series(v), t)) dates.push_back(month_name(t));
    }
    add({.name = name,  // .failing and .threshold
         .fill =
             [risk, v, months](RiskReport& report, const Source& from) {
               for (CovenantRisk::Test& test : risk(report).tests) {
                 const auto cell = at(v) * at(months) + at(test.month - 1);
                 test.failing = wilson(from.answers.by_month.failing[cell], from.answers.paths());
               }
             },
         .expand =
             [=](const RiskReport& report, std::vector<Figure>& out) {
               for (std::size_t k = 0; k < dates.size(); ++k) {
                 const CovenantRisk::Test& test = risk(report).tests[k];
                 push(out, name + ".failing." + dates[k], test.failing,
                      "the test of " + label + " in " + dates[k] + " fails");
                 push(out, name + ".threshold." + dates[k], test.threshold, unit,
                      "threshold of " + label + " in " + dates[k]);
               }
             }});
  }

  void joint() {
    const std::int32_t count = layout_.covenants;
    const auto column = [&](std::int32_t k) {
      return k < count ? layout_.first_breach(k) : layout_.path(kLiquidityDefaultMonth);
    };
    const auto name = [&](std::int32_t k) { return k < count ? id_of(company_.covenants, k) : "default"; };
    for (std::int32_t a = 0; a <= count; ++a) {
      for (std::int32_t b = a; b <= count; ++b) {
        const Question both{Ask::both, column(a), column(b), scenario_.months};
        const std::string full = "joint." + name(a) + "." + name(b);
        add({.name = full,
             .questions = {both},
             .fill =
                 [=](RiskReport& report, const Source& from) {
                   const auto paths = static_cast<std::uint64_t>(from.answers.answer(both).integers[0]);
                   report.joint[at(a)][at(b)] = report.joint[at(b)][at(a)] =
                       wilson(paths, from.answers.paths());
                 },
             .expand =
                 [=, words = "both within the horizon: " + name(a) + " and " + name(b)](
                     const RiskReport& report, std::vector<Figure>& out) {
                   if (a != b) push(out, full, report.joint[at(a)][at(b)], words);
                 }});
      }
    }
  }

  void borrower(std::int32_t e) {
    const double musd = units_per_musd(scenario_);
    const std::string name = "borrower." + id_of(company_.entities, e);
    const std::string label = name_of(company_.entities, e);
    const auto risk = [e](auto& report) -> auto& { return report.borrowers[at(e)]; };
    event(
        name + ".payment_default", "payment default of " + label,
        layout_.payment_default(e), [risk](auto& report) -> auto& { return risk(report).payment_default; });
    distribution(
        name + ".paid_in", "paid in by the parent to " + label + " over the horizon, cures among it", "musd",
        musd, layout_.paid_in(e), false, [risk](auto& report) -> auto& { return risk(report).paid_in; },
        nullptr);
    distribution(
        name + ".distributed", "distributed by " + label + " to the parent over the horizon", "musd", musd,
        layout_.distributed(e), false, [risk](auto& report) -> auto& { return risk(report).distributed; },
        nullptr);
  }

  void site(std::int32_t i) {
    const std::string name = "site." + id_of(company_.sites, i), label = name_of(company_.sites, i);
    const std::int32_t column = layout_.months_late(i);
    const auto risk = [i](auto& report) -> auto& { return report.sites[at(i)]; };
    distribution(
        name + ".late", "months that " + label + " opens late, if it opens", "months",
        static_cast<double>(kFixedOne), column,
        false, [risk](auto& report) -> auto& { return risk(report).months_late; }, nullptr, kNever);
    const Question opens{Ask::distribution, column, 0, kNever};
    const Question in_time{Ask::sums, column, column, 0};
    probability(
        name + ".is_late", label + " opens, but later than planned",
        {opens, in_time}, [risk](auto& report) -> auto& { return risk(report).late; },
        [opens, in_time](const Answers& answers) {
          return static_cast<std::uint64_t>(answers.answer(opens).integers[0] -
                                            answers.answer(in_time).integers[0]);
        });
    probability(
        name + ".never_opens", label + " does not open",
        {opens}, [risk](auto& report) -> auto& { return risk(report).never_opens; },
        [opens](const Answers& answers) {
          return answers.paths() - static_cast<std::uint64_t>(answers.answer(opens).integers[0]);
        });
  }

  void customer(std::int32_t c) {
    const double musd = units_per_musd(scenario_);
    const std::string name = "customer." + id_of(company_.customers, c);
    const std::string label = name_of(company_.customers, c);
    const auto risk = [c](auto& report) -> auto& { return report.customers[at(c)]; };
    event(
        name + ".default", "default of " + label,
        layout_.default_month(c), [risk](auto& report) -> auto& { return risk(report).defaults; });
    event(
        name + ".leaves", "a contract of " + label + " is lost",
        layout_.customer_left(c), [risk](auto& report) -> auto& { return risk(report).leaves; });
    distribution(
        name + ".fees", "contract fees of " + label + " over the horizon", "musd", musd,
        layout_.customer_fees(c), false, [risk](auto& report) -> auto& { return risk(report).fees; }, nullptr);
    mean(
        name + ".lost", "contracted fees still to come of " + label + "'s lost contracts, if one is lost: mean",
        "musd", musd, where(layout_.customer_lost(c), layout_.customer_left(c)), [risk](auto& report) -> auto& {
          return risk(report).lost_if_it_leaves;
        });
    std::vector<Question> fees;
    fees.reserve(at(layout_.customers));
    for (std::int32_t k = 0; k < layout_.customers; ++k)
      fees.push_back({Ask::distribution, layout_.customer_fees(k), 0, kNoMarker});
    add({.name = name + ".fees_share",
         .questions = fees,
         .fill =
             [=](RiskReport& report, const Source& from) {
               const auto mean = [&](const Question& question) {
                 const std::vector<Int128>& sums = from.answers.answer(question).integers;
                 return moments(static_cast<std::int64_t>(sums[1]), sums[2],
                                static_cast<std::uint64_t>(sums[0]), musd)
                     .mean.value;
               };
               double all = 0;
               for (const Question& question : fees) all += mean(question);
               risk(report).fees_share = all > 0 ? mean(fees[at(c)]) / all : 0;
             },
         .expand =
             [=](const RiskReport& report, std::vector<Figure>& out) {
               push(out, name + ".fees_share", risk(report).fees_share, "share",
                    label + "'s share of all contract fees over the horizon");
             }});
    given(name + ".backlog_share", label + "'s share of the contracted fees at as_of", "share",
          [risk](const RiskReport& report) { return risk(report).backlog_share; });
  }

  void driver(const PathColumnTraits& traits, std::size_t place) {
    const std::string name = std::string("driver.") + traits.name, words = traits.label;
    const double units = units_of_scale(scenario_, traits.scale);
    const std::int32_t id = layout_.path(traits.column);
    const auto risk = [place](auto& report) -> auto& { return report.drivers[place]; };
    mean(
        name + ".mean", words + ": mean", traits.unit, units,
        over_all(id), [risk](auto& report) -> auto& { return risk(report).all; });
    if (layout_.covenants > 0) {
      mean(
          name + ".given_breach", words + ": mean of the paths that breach a covenant", traits.unit, units,
          where(id, layout_.path(kFirstBreachMonth)), [risk](auto& report) -> auto& {
            return risk(report).given_breach;
          });
    }
    mean(
        name + ".given_default", words + ": mean of the paths with a liquidity default", traits.unit, units,
        where(id, layout_.path(kLiquidityDefaultMonth)), [risk](auto& report) -> auto& {
          return risk(report).given_liquidity_default;
        });
  }

  void series(std::int32_t s, const std::string& name, const std::string& words, std::string_view unit) {
    std::vector<std::pair<std::int32_t, std::string>> months;
    for (std::int32_t t = 1; t <= scenario_.months; ++t) {
      if (has_value(scenario_, s, t)) months.emplace_back(t, month_name(t));
    }
    add({.name = name,
         .series = s,
         .fill =
             [s](RiskReport& report, const Source& from) {
               report.bands[at(s)] = series_of(from.scenario, from.answers.by_month, s, from.plan);
             },
         .expand =
             [=](const RiskReport& report, std::vector<Figure>& out) {
               const std::vector<Band>& bands = report.bands[at(s)].months;
               for (const auto& [t, month] : months) {
                 const Band band = bands.empty() ? Band{} : bands[at(t - 1)];
                 if (!bands.empty() && band.paths == 0) continue;  // not observed
                 const std::size_t first = out.size();
                 const std::string full = fmt::format("{}.{}", name, month);
                 const std::string said = fmt::format("{} in {}", words, month);
                 push_plan(out, full, band.plan, unit, said);
                 push(out, full + ".mean", band.mean, unit, said + ": mean");
                 for (std::size_t k = 0; k < kBandPercents.size(); ++k) {
                   push(out, fmt::format("{}.p{}", full, kBandPercents[k]), band.quantiles[k].value, unit,
                        fmt::format("{}: {}% quantile", said, kBandPercents[k]));
                 }
                 for (std::size_t i = first; i < out.size(); ++i) out[i].month = t;
               }
             }});
  }

  const Company& company_;
  const Scenario& scenario_;
  ColumnLayout layout_;
  Catalogue catalogue_{};
};

bool any_matches(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return matches(pattern, name); });
}

// Whether a figure of the record may match. The names of a record's figures begin with its own, so that most
// records need not be expanded.
bool may_match(const std::vector<std::string>& patterns, const std::string& record) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    const std::string_view plain = std::string_view(pattern).substr(0, pattern.find_first_of("*?[\\"));
    return record.starts_with(plain) || plain.starts_with(record);
  });
}

}  // namespace

bool matches(std::string_view pattern, std::string_view name) {
  return fnmatch(std::string(pattern).c_str(), std::string(name).c_str(), 0) == 0;
}

Catalogue catalogue(const Company& company, const Scenario& scenario) {
  return Builder(company, scenario).build();
}

Selection select_figures(const Catalogue& catalogue, const Scenario& scenario,
                         const std::vector<std::string>& patterns, bool only) {
  Selection selection;
  const RiskReport blank = blank_report(scenario, {});
  std::vector<Figure> figures;
  for (const Record& record : catalogue.records) {
    bool asked = !only && record.series < 0;
    if (!patterns.empty() && !asked && may_match(patterns, record.name)) {
      figures.clear();
      record.expand(blank, figures);
      for (const Figure& figure : figures) {
        if (!any_matches(patterns, figure.name)) continue;
        asked = true;
        if (figure.month == 0) break;
        const std::int32_t cell = record.series * scenario.months + figure.month - 1;
        if (selection.cells.empty() || selection.cells.back() != cell) selection.cells.push_back(cell);
      }
    }
    selection.records.push_back(asked);
  }
  return selection;
}

std::vector<std::string> unmatched(const Catalogue& catalogue, const Scenario& scenario,
                                   const std::vector<std::string>& patterns) {
  std::vector<std::string> left = patterns;
  if (left.empty()) return left;
  const RiskReport blank = blank_report(scenario, {});
  std::vector<Figure> figures;
  for (const Record& record : catalogue.records) {
    if (may_match(patterns, record.name)) record.expand(blank, figures);
  }
  std::erase_if(left, [&](const std::string& pattern) {
    return std::any_of(figures.begin(), figures.end(),
                       [&](const Figure& figure) { return matches(pattern, figure.name); });
  });
  return left;
}

std::vector<Question> questions_of(const Catalogue& catalogue, const Selection& selection) {
  std::vector<Question> questions;
  for (std::size_t i = 0; i < catalogue.records.size(); ++i) {
    const std::vector<Question>& needed = catalogue.records[i].questions;
    if (selection.records[i]) questions.insert(questions.end(), needed.begin(), needed.end());
  }
  return unique_questions(std::move(questions));
}

RiskReport report_of(const Catalogue& catalogue, const Selection& selection, const Scenario& scenario,
                     const Answers& answers, std::span<const std::int32_t> plan) {
  if (answers.paths() == 0) throw std::invalid_argument("report_of: there are no paths");
  RiskReport report = blank_report(scenario, plan);
  report.seed = answers.seed;
  report.first_path = answers.spans.front().first;
  report.paths = answers.paths();
  std::vector<std::function<void()>> tasks;
  for (std::size_t i = 0; i < catalogue.records.size(); ++i) {
    const Record& record = catalogue.records[i];
    // A series costs next to nothing, and guidance reads cells of series that nobody asked for.
    if (!record.fill || (!selection.records[i] && record.series < 0)) continue;
    tasks.emplace_back([&] { record.fill(report, {answers, scenario, plan}); });
  }
  run_tasks(answers.kept ? answers.kept->concurrency() : 1, tasks);
  return report;
}

std::vector<Figure> figures_of(const Catalogue& catalogue, const Selection& selection, const RiskReport& report,
                               const std::vector<std::string>& patterns) {
  std::vector<Figure> figures;
  for (std::vector<Figure>&part :
       in_parts<std::vector<Figure>>(catalogue.records.size(), [&](std::size_t first, std::size_t last) {
         std::vector<Figure> some;
         for (std::size_t i = first; i < last; ++i) {
           const Record& record = catalogue.records[i];
           if ((selection.records[i] || record.series >= 0) &&
               (patterns.empty() || may_match(patterns, record.name)))
             record.expand(report, some);
         }
         return some;
       })) {
    figures.insert(figures.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
  }
  if (!patterns.empty())
    std::erase_if(figures, [&](const Figure& figure) { return !any_matches(patterns, figure.name); });
  return figures;
}

}  // namespace headroom
