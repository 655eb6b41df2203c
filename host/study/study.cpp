// SPDX-License-Identifier: Apache-2.0
#include "host/study/study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "host/report/format.hpp"
#include "host/study/journal.hpp"
#include "host/study/paired.hpp"

namespace headroom::study {

namespace {

constexpr const char* kViolated = "violated_identities";

// The names of all figures, in the order of their first appearance.
std::vector<std::string> figure_columns(const Results& results) {
  std::vector<std::string> names;
  std::set<std::string> known;
  for (const auto& result : results) {
    if (!result) continue;
    for (const Value& value : result->values) {
      if (known.insert(value.name).second) names.push_back(value.name);
    }
  }
  return names;
}

std::string shown(const Value& value) {
  const bool interval = std::isfinite(value.low) && std::isfinite(value.high);
  return report::supported(value.value, interval ? (value.high - value.low) / (2 * kNormal95) : kUnknown, 5);
}

std::string interval(const Value& value) {
  if (!std::isfinite(value.low) || !std::isfinite(value.high)) return "-";
  const int digits = report::supported_digits(value.value, (value.high - value.low) / (2 * kNormal95), 5);
  return fmt::format("{} to {}", report::number(value.low, digits), report::number(value.high, digits));
}

}  // namespace

const Value* find(const PointResult& result, const std::string& name) {
  const auto it = std::find_if(result.values.begin(), result.values.end(),
                               [&](const Value& value) { return value.name == name; });
  return it == result.values.end() ? nullptr : &*it;
}

std::string place_of(const Study& study, std::size_t point) {
  std::string text;
  for (std::size_t a = 0; a < study.axes.size(); ++a)
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", study.axes[a].name, study.points[point][a].text);
  return text;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

std::string csv_cell(double value) { return std::isfinite(value) ? fmt::format("{}", value + 0.0) : ""; }

Value value_of(const Figure& figure) {
  Value value{figure.name, figure.value, figure.low, figure.high, std::string(figure.unit), {}};
  if (std::isfinite(figure.standard_error) && !std::isfinite(figure.low) && !std::isfinite(figure.high)) {
    value.low = figure.value - kNormal95 * figure.standard_error;
    value.high = figure.value + kNormal95 * figure.standard_error;
  }
  return value;
}

std::vector<std::string> usual_figures(const Company& company) {
  const std::int32_t months = std::min(24, company.data.view().months);
  return {fmt::format("any_breach.{}m", months),
          "any_breach.*m",
          "default.*m",
          "breach.*.*m",
          "fcf.total.*",
          "least_liquidity.*",
          "peak_funding_gap.*"};
}

std::optional<PointResult> run_point(const Study& study, const Point& point, Backend& backend) {
  const Company company = load_at(study.base, study.axes, point);
  Request request = study.request;
  request.only_figures = true;
  request.figures.emplace_back(kViolated);
  const Result run = headroom::run(company, backend, request);
  if (run.answers.paths() < request.paths.count) return {};
  PointResult result;
  result.seconds = run.answers.seconds;
  result.violations = run.risk.violations.paths;
  for (const Figure& figure : run.figures(study.request.figures)) result.values.push_back(value_of(figure));
  if (study.batches) add_batches(result.values, run);
  return result;
}

Results run_study(const Study& study, Backend& backend, Journal* journal,
                  const std::function<void(std::uint64_t done, std::uint64_t total)>& progress) {
  Results results = journal != nullptr ? journal->read() : Results(study.points.size());
  const std::uint64_t paths = study.request.paths.count;
  const std::uint64_t total = paths * std::uint64_t(std::count(results.begin(), results.end(), std::nullopt));
  std::uint64_t done = 0;
  Study each = study;
  each.request.progress = [&](std::uint64_t now, std::uint64_t) {
    if (progress) progress(done + now, total);
  };
  for (std::size_t i = 0; i < study.points.size(); ++i) {
    if (results[i]) continue;
    if (study.request.stop != nullptr && *study.request.stop) break;
    try {
      results[i] = run_point(each, study.points[i], backend);
    } catch (const Interrupted&) {
    }
    if (!results[i]) break;
    if (journal != nullptr) journal->add(i, *results[i]);
    done += paths;
  }
  return results;
}

std::string study_csv(const Study& study, const Results& results) {
  const std::vector<std::string> figures = figure_columns(results);
  std::string csv = "point";
  for (const Axis& axis : study.axes) (csv += ',') += csv_cell(axis.name);
  for (const std::string& name : figures) csv += fmt::format(",{0},{0}.low,{0}.high", name);
  csv += '\n';
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i]) continue;
    csv += fmt::format("{}", i);
    for (const Level& level : study.points[i]) (csv += ',') += csv_cell(level.text);
    std::map<std::string, const Value*> by_name;
    for (const Value& value : results[i]->values) by_name[value.name] = &value;
    for (const std::string& name : figures) {
      const auto found = by_name.find(name);
      const Value value = found != by_name.end() ? *found->second : Value{};
      csv += fmt::format(",{},{},{}", csv_cell(value.value), csv_cell(value.low), csv_cell(value.high));
    }
    csv += '\n';
  }
  return csv;
}

std::string first_figure(const Study& study, const Results& results) {
  const std::vector<std::string> names = figure_columns(results);
  for (const std::string& pattern : study.request.figures) {
    for (const std::string& name : names) {
      if (matches(pattern, name)) return name;
    }
  }
  return "";
}

std::string study_text(const Study& study, const Results& results, const std::string& figure) {
  std::string unit;
  std::size_t done = 0;
  for (const auto& result : results) {
    const Value* value = result ? find(*result, figure) : nullptr;
    if (value != nullptr) unit = value->unit;
    done += result ? 1 : 0;
  }
  std::string text = fmt::format("{}, {}\n", figure, unit);
  std::vector<std::string> columns;
  if (study.axes.size() == 2) {
    for (const Point& point : study.points) {
      if (std::find(columns.begin(), columns.end(), point[1].text) == columns.end())
        columns.push_back(point[1].text);
    }
  }
  if (study.design == "grid" && columns.size() > 1 && columns.size() <= 12) {
    report::Table table;
    std::vector<std::string> head = {study.axes[0].name + " \\ " + study.axes[1].name};
    head.insert(head.end(), columns.begin(), columns.end());
    table.row(head);
    table.rule();
    for (std::size_t i = 0; i < study.points.size(); i += columns.size()) {
      std::vector<std::string> row = {study.points[i][0].text};
      for (std::size_t j = 0; j < columns.size(); ++j) {
        const auto& result = results[i + j];
        const Value* value = result ? find(*result, figure) : nullptr;
        row.push_back(value != nullptr ? shown(*value) : "-");
      }
      table.row(row);
    }
    return text + table.text();
  }
  constexpr std::size_t kMostRows = 50;
  report::Table table;
  std::vector<std::string> head = {"point"};
  for (const Axis& axis : study.axes) head.push_back(axis.name);
  head.insert(head.end(), {"value", "95% interval"});
  table.row(head);
  table.rule();
  std::size_t rows = 0;
  for (std::size_t i = 0; i < results.size() && rows < kMostRows; ++i) {
    if (!results[i]) continue;
    std::vector<std::string> row = {fmt::format("{}", i)};
    for (const Level& level : study.points[i]) row.push_back(level.text);
    const Value* value = find(*results[i], figure);
    row.push_back(value != nullptr ? shown(*value) : "-");
    row.push_back(value != nullptr ? interval(*value) : "-");
    table.row(row);
    ++rows;
  }
  text += table.text();
  if (rows < done) text += fmt::format("  and {} more points\n", done - rows);
  return text;
}

}  // namespace headroom::study
