// SPDX-License-Identifier: Apache-2.0
#include "host/study/walk.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string_view>
#include <utility>

#include "host/report/format.hpp"
#include "host/study/paired.hpp"

namespace headroom::study {

namespace {

double factor_of(const Value& value) { return value.unit == "probability" ? 100 : 1; }
std::string unit_of(const Value& value) { return value.unit == "probability" ? "%" : value.unit; }
double error_of(const Value& value) {
  const bool interval = std::isfinite(value.low) && std::isfinite(value.high);
  return interval ? factor_of(value) * (value.high - value.low) / (2 * kNormal95) : kUnknown;
}
std::string shown(const Value& value) {
  return report::supported(factor_of(value) * value.value, error_of(value), 2);
}
std::string signed_text(const Value& change) { return (change.value > 0 ? "+" : "") + shown(change); }

bool differs(const Value& change) {
  return std::isfinite(change.low) && std::isfinite(change.high) && (change.low > 0 || change.high < 0);
}

std::string interval(const Value& change) {
  if (!std::isfinite(change.low) || !std::isfinite(change.high)) return "-";
  const int digits = report::supported_digits(factor_of(change) * change.value, error_of(change), 2);
  return fmt::format("{} to {}", report::number(factor_of(change) * change.low, digits),
                     report::number(factor_of(change) * change.high, digits));
}

// A figure at two points, and its difference. A figure that one of them lacks has none.
Value apart(const Study& study, const Results& results, std::size_t from, std::size_t to,
            const std::string& name) {
  const Value* a = find(*results[from], name);
  const Value* b = find(*results[to], name);
  return a != nullptr && b != nullptr ? difference(*a, *b, study.request.paths.count) : Value{};
}

}  // namespace

std::vector<Change> changes_between(const Company& before, const Company& now) {
  std::map<std::string, const config::Setting*> old;
  for (const config::Setting& each : before.settings) old[each.key] = &each;
  const auto is_written = [](const config::Setting& each) {
    return each.origin == config::Setting::Origin::written;
  };
  std::vector<Change> changes;
  for (const config::Setting& each : now.settings) {
    const auto was = old.find(each.key);
    if (was == old.end()) {
      if (is_written(each)) changes.push_back({each.key, "", each.value});
      continue;
    }
    if (was->second->value != each.value && (is_written(each) || is_written(*was->second)))
      changes.push_back({each.key, was->second->value, each.value});
    old.erase(was);
  }
  for (const auto& [key, setting] : old) {
    if (is_written(*setting)) changes.push_back({key, setting->value, ""});
  }
  return changes;
}

std::string text_of(const Change& change) {
  if (change.before.empty()) return fmt::format("{} = {}, new", change.key, change.now);
  if (change.now.empty()) return fmt::format("{} = {}, gone", change.key, change.before);
  return fmt::format("{} = {}, was {}", change.key, change.now, change.before);
}

Walk walk_between(Base before, const Company& now, std::size_t most) {
  Walk walk;
  std::vector<Change> left = changes_between(before.company, now);
  walk.study.base = std::move(before);
  walk.study.axes.push_back({.name = "walk"});
  walk.study.points.push_back({Level{"first", {}, {}}});
  std::vector<std::string> sets, rest;
  std::string reached = walk.study.base.company.hash;
  for (const Change& change : left) {
    if (change.now.empty() || walk.steps.size() + 1 >= most) {
      rest.push_back(text_of(change));
      continue;
    }
    Level level{change.key, sets, {}};
    level.sets.push_back(fmt::format("{}={}", change.key, change.now));
    try {
      reached = load_at(walk.study.base, walk.study.axes, {level}).hash;
    } catch (const config::ConfigError&) {  // it fits only together with another change
      rest.push_back(text_of(change));
      continue;
    }
    sets = level.sets;
    walk.study.points.push_back({level});
    walk.steps.push_back({text_of(change)});
  }
  if (!rest.empty() || reached != now.hash || walk.steps.empty()) {
    walk.study.points.push_back({Level{"second", {}, {}}});
    walk.steps.push_back(rest);
  }
  return walk;
}

Results run_walk(const Walk& walk, const Base& now, Backend& backend,
                 const std::function<void(std::uint64_t done, std::uint64_t total)>& progress) {
  const std::size_t points = walk.study.points.size();
  const std::uint64_t paths = walk.study.request.paths.count;
  Results results(points);
  for (std::size_t i = 0; i < points; ++i) {
    Study each = walk.study;
    if (i + 1 == points) each.base = now;
    each.request.progress = [&](std::uint64_t done, std::uint64_t) {
      progress(i * paths + done, points * paths);
    };
    try {
      results[i] = run_point(each, i + 1 == points ? Point{Level{}} : each.points[i], backend);
    } catch (const Interrupted&) {
    }
    if (!results[i]) return {};
  }
  return results;
}

std::vector<Flips> flips_between(const Result& before, const Result& now) {
  std::vector<Flips> found;
  if (!before.answers.kept || !now.answers.kept) return found;
  const std::uint64_t paths = std::min(before.answers.kept->paths(), now.answers.kept->paths());
  const auto is_event = [](const Record& record) {
    constexpr std::array<std::string_view, 4> kTold = {"event_of_default", "default", "any_breach", "breach."};
    return record.column >= 0 && !record.questions.empty() &&
           record.questions.front().kind == Question::Kind::counts &&
           std::any_of(kTold.begin(), kTold.end(), [&](auto told) { return record.name.starts_with(told); });
  };
  const auto months = [&](const Result& result, const Record& record) {
    std::vector<std::int32_t> values(paths);
    result.answers.kept->read(record.column, 0, values);
    return values;
  };
  for (const Record& a : before.catalogue.records) {
    if (!is_event(a)) continue;
    for (const Record& b : now.catalogue.records) {
      if (!is_event(b) || a.name != b.name) continue;
      Flips flips{a.name};
      const auto was = months(before, a), is = months(now, b);
      for (std::uint64_t i = 0; i < paths; ++i) {
        const bool happened = was[i] < a.none, happens = is[i] < b.none;
        if (happened && !happens && flips.before++ == 0)
          flips.example_before = before.answers.spans[0].first + i;
        if (happens && !happened && flips.now++ == 0) flips.example_now = now.answers.spans[0].first + i;
      }
      if (flips.before + flips.now > 0) found.push_back(flips);
    }
  }
  return found;
}

std::string compare_text(const Walk& walk, const Results& results) {
  report::Table table(6);
  table.row({"figure", "unit", "first", "second", "difference", "95%", ""});
  table.rule();
  for (const Value& value : results.front()->values) {
    const Value* other = find(*results.back(), value.name);
    const Value change = apart(walk.study, results, 0, results.size() - 1, value.name);
    const bool none = other != nullptr && other->value == value.value;
    table.row({value.name, unit_of(value), shown(value), other != nullptr ? shown(*other) : "-",
               none ? "0" : signed_text(change), none ? "" : interval(change),
               none              ? "the same"
               : differs(change) ? ""
                                 : "not distinguishable from 0"});
  }
  return table.text() +
         "  On the same draws; the interval is that of paired batches (percentage points, if in %).\n";
}

std::string walk_text(const Walk& walk, const Results& results) {
  constexpr std::size_t kColumns = 5;
  std::vector<std::string> names;
  for (const std::string& pattern : walk.study.request.figures) {
    for (const Value& value : results.front()->values) {
      const bool known = std::find(names.begin(), names.end(), value.name) != names.end();
      if (names.size() < kColumns && !known && matches(pattern, value.name)) names.push_back(value.name);
    }
  }
  report::Table table;
  std::vector<std::string> head = {"change"};
  head.insert(head.end(), names.begin(), names.end());
  table.row(head);
  table.rule();
  const auto row = [&](const std::string& title, std::size_t from, std::size_t to) {
    std::vector<std::string> cells = {title};
    for (const std::string& name : names) {
      const Value change = apart(walk.study, results, from, to, name);
      cells.push_back(change.value == 0 ? "0" : signed_text(change) + (differs(change) ? "" : " ?"));
    }
    table.row(cells);
  };
  for (std::size_t i = 0; i < walk.steps.size(); ++i) {
    const std::vector<std::string>& texts = walk.steps[i];
    const std::string title = texts.empty()       ? "the rest"
                              : texts.size() == 1 ? texts.front()
                                                  : fmt::format("{} changes together", texts.size());
    row(report::shortened(title, 52), i, i + 1);
  }
  row("all", 0, results.size() - 1);
  std::string text =
      table.text() + "  One change after another, in this order; ?: not distinguishable from 0.\n";
  if (walk.steps.back().size() > 1)
    text += fmt::format("  Together: {}\n", fmt::join(walk.steps.back(), "\n            "));
  return text;
}

std::string walk_csv(const Walk& walk, const Results& results) {
  std::string csv = "step,change,figure,unit,value,difference,low,high\n";
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::string change = i == 0 ? "" : fmt::format("{}", fmt::join(walk.steps[i - 1], "; "));
    for (const Value& value : results[i]->values) {
      const Value moved = i == 0 ? Value{} : apart(walk.study, results, i - 1, i, value.name);
      csv += fmt::format("{},{},{},{}", i, csv_cell(change), csv_cell(value.name), csv_cell(value.unit));
      for (const double each : {value.value, moved.value, moved.low, moved.high})
        (csv += ',') += csv_cell(each);
      csv += '\n';
    }
  }
  return csv;
}

}  // namespace headroom::study
