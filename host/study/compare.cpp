// SPDX-License-Identifier: Apache-2.0
#include "host/study/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string_view>
#include <utility>

#include "host/report/format.hpp"
#include "host/study/paired.hpp"
#include "host/warn/trial.hpp"

namespace headroom::study {

namespace {

// In percent points for a probability.
std::string shown(const Value& value, bool sign) {
  const double factor = value.unit == "probability" ? 100 : 1;
  const bool interval = std::isfinite(value.low) && std::isfinite(value.high);
  const double error = interval ? factor * (value.high - value.low) / (2 * kNormal95) : kUnknown;
  const std::string text = report::supported(factor * value.value, error, 2);
  return sign && value.value > 0 ? "+" + text : text;
}

std::string interval(const Value& value) {
  if (!std::isfinite(value.low) || !std::isfinite(value.high)) return "-";
  const double factor = value.unit == "probability" ? 100 : 1;
  const int digits =
      report::supported_digits(factor * value.value, factor * (value.high - value.low) / (2 * kNormal95), 2);
  return fmt::format("{} to {}", report::number(factor * value.low, digits),
                     report::number(factor * value.high, digits));
}

std::string unit_of(const Value& value) { return value.unit == "probability" ? "%" : value.unit; }

}  // namespace

std::string compare_csv(const Study& study, const Results& results) {
  std::string csv = "point,figure,unit";
  for (const Axis& axis : study.axes) (csv += ',') += csv_cell(axis.name);
  csv += ",value,low,high,difference,difference.low,difference.high\n";
  if (!results.front()) return csv;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i]) continue;
    for (const Value& value : results[i]->values) {
      csv += fmt::format("{},{},{}", i, csv_cell(value.name), csv_cell(value.unit));
      for (const Level& level : study.points[i]) (csv += ',') += csv_cell(level.text);
      const Value* base = find(*results.front(), value.name);
      const Value apart = base != nullptr ? difference(*base, value, study.request.paths.count) : Value{};
      for (const double each : {value.value, value.low, value.high, apart.value, apart.low, apart.high})
        (csv += ',') += csv_cell(each);
      csv += '\n';
    }
  }
  return csv;
}

std::string stress_text(const Study& study, const Results& results) {
  report::Table table;
  std::vector<std::string> head = {"figure", "unit"};
  for (const Point& point : study.points) head.push_back(report::shortened(point.front().text, 22));
  head.emplace_back("worst");
  table.row(head);
  table.rule();
  for (const Value& base : results.front()->values) {
    std::vector<std::string> values = {base.name, unit_of(base)}, apart = {"", "difference"},
                             bounds = {"", "95%"};
    std::string worst = "-";
    double most = 0;
    for (std::size_t i = 0; i < results.size(); ++i) {
      const Value* value = results[i] ? find(*results[i], base.name) : nullptr;
      values.push_back(value != nullptr ? shown(*value, false) : "-");
      if (i == 0 || value == nullptr) {
        apart.emplace_back(i == 0 ? "" : "-");
        bounds.emplace_back(i == 0 ? "" : "-");
        continue;
      }
      const Value change = difference(base, *value, study.request.paths.count);
      apart.push_back(shown(change, true));
      bounds.push_back(interval(change));
      const double harm = low_is_bad(base.name) ? -change.value : change.value;
      if (harm > most) {
        most = harm;
        worst = report::shortened(study.points[i].front().text, 22);
      }
    }
    values.push_back(worst);
    apart.emplace_back("");
    bounds.emplace_back("");
    table.row(values);
    table.row(apart);
    table.row(bounds);
  }
  return table.text() +
         "  difference: to the base, on the same draws, with a paired 95% interval (percentage points, if in "
         "%).\n";
}

std::vector<std::string> house_stresses(const Base& base, std::vector<std::string>& refused) {
  namespace fs = std::filesystem;
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry :
       fs::directory_iterator(fs::path(base.sources.file).parent_path() / "stress", ignored)) {
    if (entry.path().extension() == ".toml") found.push_back(entry.path().lexically_normal().string());
  }
  std::sort(found.begin(), found.end());
  std::erase_if(found, [&](const std::string& file) {
    config::Sources sources = base.sources;
    sources.overlays.push_back(file);
    try {
      return load_company(sources, base.months).hash == base.company.hash;
    } catch (const config::ConfigError&) {
      refused.push_back(file);
      return true;
    }
  });
  return found;
}

std::vector<Axis> tornado_axes(const Base& base, double swing) {
  constexpr std::string_view kUncertain[] = {"market.", "delay.", "rating.", "defaults."};
  std::vector<Axis> axes;
  const auto add = [&](Axis axis, Span::Kind kind, double low, double high) {
    for (const double by : {low, high}) {
      Level level = level_at(axis, kind, by, false, base.company);
      try {
        if (level.sets.empty()) continue;
        const Company moved = load_at(base, {axis}, {level});
        if (moved.hash == base.company.hash) continue;
        try_company(moved);
        axis.levels.push_back(std::move(level));
      } catch (const config::ConfigError&) {  // beyond the range of the key
      }
    }
    if (!axis.levels.empty()) axes.push_back(std::move(axis));
  };
  for (const config::Setting& setting : base.company.settings) {
    const bool uncertain = std::any_of(std::begin(kUncertain), std::end(kUncertain),
                                       [&](std::string_view each) { return setting.key.starts_with(each); });
    const bool moves = std::any_of(setting.numbers.begin(), setting.numbers.end(),
                                   [](const config::Setting::Number& each) { return each.value != 0; });
    if (uncertain && moves && setting.key.find('[') == std::string::npos)
      add({.name = setting.key, .keys = {setting.key}}, Span::Kind::factor, 1 - swing, 1 + swing);
  }
  const std::string rates = "market.rates.forward[*].rate_per_year";
  if (std::vector<std::string> keys = matching_keys(rates, base.company); !keys.empty())
    add({.name = "market.rates.forward", .keys = std::move(keys)}, Span::Kind::added, -0.01, 0.01);
  return axes;
}

std::string tornado_text(const Study& study, const Results& results, const std::string& figure,
                         std::size_t most) {
  struct Row {
    std::string name;
    std::vector<std::pair<std::string, Value>> ends;  // level, difference
    double size = 0;
  };
  std::vector<Row> rows;
  const Value* base = results.front() ? find(*results.front(), figure) : nullptr;
  if (base == nullptr) return "";
  for (std::size_t a = 0; a < study.axes.size(); ++a) {
    Row row;
    row.name = study.axes[a].name;
    for (std::size_t i = 1; i < results.size(); ++i) {
      const std::vector<Level>& levels = study.axes[a].levels;
      if (std::find(levels.begin(), levels.end(), study.points[i][a]) == levels.end() || !results[i]) continue;
      const Value* value = find(*results[i], figure);
      if (value == nullptr) continue;
      row.ends.emplace_back(study.points[i][a].text, difference(*base, *value, study.request.paths.count));
      row.size = std::max(row.size, std::abs(row.ends.back().second.value));
    }
    if (!row.ends.empty()) rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.size > b.size; });
  report::Table table(5);
  table.row({"input", "at", "difference", "95% interval", "", ""});
  table.rule();
  const double largest = rows.empty() ? 0 : rows.front().size;
  for (std::size_t i = 0; i < std::min(rows.size(), most); ++i) {
    bool first = true;
    for (const auto& [level, apart] : rows[i].ends) {
      const auto bar =
          static_cast<std::size_t>(largest > 0 ? std::lround(20 * std::abs(apart.value) / largest) : 0);
      const bool lower = apart.value < 0;
      table.row({first ? rows[i].name : "", level, shown(apart, true), interval(apart),
                 lower ? std::string(bar, '#') : "", lower ? "|" : "|" + std::string(bar, '#')});
      first = false;
    }
  }
  std::string text = fmt::format("{}, {}; in the base {}, 95% interval {}\n", figure, unit_of(*base),
                                 shown(*base, false), interval(*base));
  text += table.text();
  if (rows.size() > most) text += fmt::format("  and {} more inputs of smaller effect\n", rows.size() - most);
  return text;
}

}  // namespace headroom::study
