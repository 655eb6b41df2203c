// SPDX-License-Identifier: Apache-2.0
#include "host/study/axes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "host/config/printable.hpp"
#include "host/warn/trial.hpp"

namespace headroom::study {

namespace {

using config::Place;
using config::Setting;

// A part of an option's text, with its offset there.
struct Part {
  std::string text{};
  std::size_t offset = 0;
};

Part trimmed(std::string_view text, std::size_t offset) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {"", offset};
  const auto last = text.find_last_not_of(" \t");
  return {std::string(text.substr(first, last - first + 1)), offset + first};
}

// Splits at `separator`, except inside quotes, brackets and braces.
std::vector<Part> split(const Part& whole, char separator) {
  std::vector<Part> parts;
  int depth = 0;
  char quote = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= whole.text.size(); ++i) {
    const char c = i < whole.text.size() ? whole.text[i] : separator;
    if (i < whole.text.size()) {
      if (quote != 0) {
        if (c == quote) quote = 0;
        continue;
      }
      if (c == '"' || c == '\'') quote = c;
      if (c == '[' || c == '{') ++depth;
      if (c == ']' || c == '}') --depth;
    }
    if (i == whole.text.size() || (c == separator && depth == 0)) {
      parts.push_back(trimmed(std::string_view(whole.text).substr(begin, i - begin), whole.offset + begin));
      begin = i + 1;
    }
  }
  return parts;
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

std::optional<double> days_of(std::string_view text) {
  int year = 0;
  unsigned month = 0, day = 0;
  char rest = 0;
  if (text.size() != 10 ||
      std::sscanf(std::string(text).c_str(), "%4d-%2u-%2u%c", &year, &month, &day, &rest) != 3)
    return {};
  const config::Date date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok()) return {};
  return static_cast<double>(std::chrono::sys_days(date).time_since_epoch().count());
}

std::string date_of(double days) {
  return config::format_date(std::chrono::sys_days(std::chrono::days(static_cast<int>(std::lround(days)))));
}

// Twelve digits: what arithmetic adds beyond them is noise.
std::string number_text(double value) { return fmt::format("{:.12g}", value + 0.0); }

[[noreturn]] void refuse(const std::string& axis, std::size_t offset, const std::string& problem,
                         const std::string& why, const std::string& remedy) {
  config::Problems problems;
  problems.add({"--vary " + config::cut(axis, 80), 1, static_cast<std::uint32_t>(offset + 1)}, problem, why,
               remedy);
  problems.throw_if_any();
  throw std::logic_error("unreachable");
}

// {a,b} written out: every alternative.
std::vector<std::string> without_braces(const std::string& pattern) {
  const auto open = pattern.find('{'), close = pattern.find('}', open);
  if (open == std::string::npos || close == std::string::npos) return {pattern};
  std::vector<std::string> all;
  for (const Part& each : split({pattern.substr(open + 1, close - open - 1), 0}, ',')) {
    for (std::string& one : without_braces(pattern.substr(0, open) + each.text + pattern.substr(close + 1)))
      all.push_back(std::move(one));
  }
  return all;
}

// As fnmatch() wants it: parts of a name as parts of a path, brackets as letters.
std::string as_path(std::string_view text, bool escape) {
  std::string path;
  for (const char c : text) {
    if (escape && (c == '[' || c == ']' || c == '?' || c == '\\')) path += '\\';
    path += c == '.' ? '/' : c;
  }
  return path;
}

const Setting* find_setting(const Company& company, const std::string& key) {
  const auto it = std::find_if(company.settings.begin(), company.settings.end(),
                               [&](const Setting& each) { return each.key == key; });
  return it == company.settings.end() ? nullptr : &*it;
}

std::vector<std::string> keys_of(const Company& company) {
  std::vector<std::string> keys;
  for (const Setting& each : company.settings) keys.push_back(each.key);
  return keys;
}

// A pattern also matches defaults of keys that an object may not have, such as a delay of an open site: without
// those, as the config's own check finds them.
std::vector<std::string> without_refused(const std::vector<std::string>& keys, const Base& base) {
  config::Sources sources = base.sources;
  for (const std::string& key : keys) {
    const Setting* setting = find_setting(base.company, key);
    if (setting != nullptr && setting->origin != Setting::Origin::written)
      sources.sets.push_back(key + "=" + setting->value);
  }
  std::vector<std::string> left = keys;
  if (sources.sets.size() == base.sources.sets.size()) return left;
  try {
    load_company(sources, base.months);
  } catch (const config::ConfigError& error) {
    for (const config::Problem& each : error.problems())
      std::erase_if(left,
                    [&](const std::string& key) { return each.file == "--set " + config::cut(key, 200); });
  }
  return left;
}

// The key whose name comes nearest to a pattern that matches none.
std::optional<std::string> nearest_key(const std::string& pattern, const Company& company) {
  const auto dot = pattern.rfind('.');
  if (dot == std::string::npos) return config::nearest(pattern, keys_of(company));
  std::vector<std::string> names;
  for (const std::string& key : matching_keys(pattern.substr(0, dot) + ".*", company))
    names.push_back(key.substr(key.rfind('.') + 1));
  const auto name = config::nearest(pattern.substr(dot + 1), names);
  return name ? pattern.substr(0, dot + 1) + *name : config::nearest(pattern, keys_of(company));
}

// key=value, with the base's numbers changed; nothing if the key has no number.
std::optional<std::string> relative(const Company& base, const std::string& key, Span::Kind kind, double by) {
  const Setting* setting = find_setting(base, key);
  if (setting == nullptr || setting->numbers.empty()) return {};
  std::vector<std::string> values;
  for (const Setting::Number& each : setting->numbers)
    values.push_back(number_text(kind == Span::Kind::added ? each.value + by : each.value * by));
  const bool list = setting->value.starts_with('[');
  if (!list && (values.size() > 1 || setting->value.starts_with('{'))) return {};
  const std::string text = fmt::format("{}", fmt::join(values, ", "));
  return key + (list ? "=[" + text + "]" : "=" + text);
}

// A value as written: what kind it is, and its number.
struct Value {
  Span::Kind kind = Span::Kind::absolute;
  std::optional<double> number{};
  bool date = false;
  std::string text{};
};

Value value_of(const std::string& axis, const Part& part) {
  Value value{.text = part.text};
  if (part.text.starts_with('+') || part.text.starts_with('*')) {
    value.kind = part.text.front() == '+' ? Span::Kind::added : Span::Kind::factor;
    value.text = trimmed(std::string_view(part.text).substr(1), 0).text;
    value.number = number(value.text);
    if (!value.number)
      refuse(axis, part.offset, fmt::format("'{}' is no number", config::cut(part.text, 80)),
             "a number follows + or *", "write for example +0.005, +-0.005 or *1.1");
    return value;
  }
  value.number = number(part.text);
  if (!value.number) {
    value.number = days_of(part.text);
    value.date = value.number.has_value();
  }
  return value;
}

Level level_of(const Axis& axis, const Value& value, const Company& base, std::size_t offset) {
  if (value.kind != Span::Kind::absolute) {
    Level level = level_at(axis, value.kind, *value.number, false, base);
    if (!level.sets.empty()) return level;
    for (const std::string& key : axis.keys) {
      if (relative(base, key, value.kind, *value.number)) continue;
      const auto hint = config::nearest(key, keys_of(base));
      refuse(axis.name, offset, fmt::format("'{}' cannot change relative to the config", config::cut(key, 200)),
             "the config has no number there",
             hint && *hint != key ? fmt::format("did you mean {}?", *hint) : "give values without + or *");
    }
  }
  Level level;
  level.text = value.text;
  if (level.text.size() >= 2 && (level.text.front() == '"' || level.text.front() == '\''))
    level.text = level.text.substr(1, level.text.size() - 2);
  for (const std::string& key : axis.keys) level.sets.push_back(key + "=" + value.text);
  return level;
}

void read_range(Axis& axis, const std::vector<Part>& ends, const Part& part, const Company& base) {
  const Value low = value_of(axis.name, ends[0]), high = value_of(axis.name, ends[1]);
  if (!low.number || !high.number || low.kind != high.kind || low.date != high.date)
    refuse(axis.name, part.offset, fmt::format("'{}' is no range", config::cut(part.text, 80)),
           "its ends are two numbers or two dates, both with + or * or both without",
           "write for example 0.06:0.30:5, +-0.01:+0.01:3 or 2026-07-31:2027-06-30:4");
  if (!(*low.number < *high.number))
    refuse(axis.name, part.offset, fmt::format("'{}' is no range", config::cut(part.text, 80)),
           "its first end is not below the second", "write the smaller one first");
  if (ends.size() == 2) {
    axis.span = Span{*low.number, *high.number, low.kind, low.date};
    return;
  }
  const auto count = number(ends[2].text);
  if (!count || *count != std::floor(*count) || *count < 2 || *count > 10'000)
    refuse(axis.name, ends[2].offset, fmt::format("'{}' is no number of values", config::cut(ends[2].text, 80)),
           "a whole number from 2 to 10,000 is expected", "write for example 0.06:0.30:5");
  const int steps = static_cast<int>(*count) - 1;
  for (int i = 0; i <= steps; ++i) {
    const double at = *low.number + (*high.number - *low.number) * i / steps;
    Value value{.kind = low.kind, .number = at, .date = low.date};
    value.text = low.date ? date_of(at) : number_text(at);
    axis.levels.push_back(level_of(axis, value, base, part.offset));
  }
}

}  // namespace

std::vector<std::string> matching_keys(const std::string& pattern, const Company& company) {
  std::vector<std::string> found;
  for (const std::string& one : without_braces(pattern)) {
    // A date between brackets stands for the element that has it.
    std::string date, any = one;
    for (auto open = one.find('['); open != std::string::npos; open = one.find('[', open + 1)) {
      if (!days_of(one.substr(open + 1, 10)) || one.find(']', open) != open + 11) continue;
      date = one.substr(open + 1, 10);
      any = one.substr(0, open + 1) + "*" + one.substr(open + 11);
    }
    for (const Setting& each : company.settings) {
      if (fnmatch(as_path(any, true).c_str(), as_path(each.key, false).c_str(), FNM_PATHNAME) != 0) continue;
      if (!date.empty()) {
        const std::string element = each.key.substr(0, each.key.rfind(']') + 1) + ".";
        const bool dated = std::any_of(company.settings.begin(), company.settings.end(), [&](const Setting& s) {
          return s.key.starts_with(element) && s.value == date;
        });
        if (!dated) continue;
      }
      if (std::find(found.begin(), found.end(), each.key) == found.end()) found.push_back(each.key);
    }
  }
  return found;
}

Level level_at(const Axis& axis, Span::Kind kind, double value, bool date, const Company& base) {
  Level level;
  level.text = date ? date_of(value) : number_text(value);
  for (const std::string& key : axis.keys) {
    if (kind == Span::Kind::absolute) {
      level.sets.push_back(key + "=" + level.text);
    } else if (const auto set = relative(base, key, kind, value)) {
      level.sets.push_back(*set);
    } else {
      return {};
    }
  }
  return level;
}

Axis parse_axis(const std::string& text, const Base& base) {
  const std::vector<Part> parts = split({text, 0}, '=');
  Axis axis;
  axis.name = parts.front().text;
  if (parts.size() < 2 || parts.size() > 3)
    refuse(axis.name, 0, fmt::format("'{}' is no axis", config::cut(text, 80)),
           "a name, keys and values are expected", "write 'late = site.*.unplanned_months = 0,2,4'");
  if (axis.name.empty())
    refuse("", 0, "the axis has no name", "its column in study.csv needs one",
           "write 'late = site.*.unplanned_months = 0,2,4'");
  constexpr const char* kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.*{}[],";
  if (axis.name.find_first_not_of(kLetters) != std::string::npos)
    refuse(axis.name, parts[0].offset, fmt::format("'{}' is no name", config::cut(axis.name, 80)),
           "a name is made of letters, digits, '-', '_' and '.'", "rename the axis");
  const Part& keys = parts.size() == 3 ? parts[1] : parts[0];
  for (const Part& each : split(keys, ',')) {
    std::vector<std::string> found = matching_keys(each.text, base.company);
    const bool pattern =
        each.text.find_first_of("*{") != std::string::npos ||
        (each.text.find('[') != std::string::npos && each.text.find('-') < each.text.find(']'));
    if (found.size() > 1) found = without_refused(found, base);
    if (found.empty() && pattern) {
      const auto hint = nearest_key(each.text, base.company);
      refuse(axis.name, each.offset,
             fmt::format("'{}' matches no key of {}", config::cut(each.text, 200), base.company.name),
             "* matches a part of a name between dots",
             hint ? fmt::format("did you mean {}?", *hint) : "headroom check CONFIG --all lists the keys");
    }
    // A key that is not written and has no default: the config's own check knows whether there is such a key.
    if (found.empty()) found.push_back(each.text);
    for (const std::string& key : found) {
      if (key.empty())
        refuse(axis.name, each.offset, "a key is empty", "the axis varies the config's keys", "name a key");
      if (std::find(axis.keys.begin(), axis.keys.end(), key) == axis.keys.end()) axis.keys.push_back(key);
    }
  }

  std::optional<Span::Kind> kind;
  const std::vector<Part> values = split(parts.back(), ',');
  for (const Part& part : values) {
    if (part.text.empty())
      refuse(axis.name, part.offset, "a value is missing", "values are separated by commas",
             "write for example 0,2,4 or 0:6:4");
    const std::vector<Part> ends = split(part, ':');
    if (ends.size() == 2 || ends.size() == 3) {
      read_range(axis, ends, part, base.company);
      if (axis.span && values.size() > 1)
        refuse(axis.name, part.offset,
               fmt::format("'{}' stands beside other values", config::cut(part.text, 80)),
               "an interval lo:hi stands alone", "write lo:hi:n for n values");
      continue;
    }
    const Value value = value_of(axis.name, part);
    if (kind && *kind != value.kind)
      refuse(axis.name, part.offset, fmt::format("'{}' is of another kind", config::cut(part.text, 80)),
             "the values of an axis are all absolute, all +x or all *x", "make them alike");
    kind = value.kind;
    axis.levels.push_back(level_of(axis, value, base.company, part.offset));
  }
  for (std::size_t i = 0; i < axis.levels.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (axis.levels[i].text == axis.levels[j].text)
        refuse(axis.name, parts.back().offset, fmt::format("'{}' is given twice", axis.levels[i].text),
               "a point is run once", "remove one of the two");
    }
  }
  return axis;
}

Axis scenario_axis(const std::vector<std::string>& scenarios) {
  Axis axis{.name = "scenario"};
  for (const std::string& each : scenarios) {
    Level level;
    if (each != "base") level.overlays.push_back(each);
    level.text = each == "base" ? each : std::filesystem::path(each).stem().string();
    const auto same = [&](const Level& other) { return other.text == level.text; };
    if (std::any_of(axis.levels.begin(), axis.levels.end(), same)) level.text = each;
    if (std::any_of(axis.levels.begin(), axis.levels.end(), same)) {
      config::Problems problems;
      problems.add({"--scenario " + each, 1, 1}, fmt::format("'{}' is given twice", each),
                   "a point is run once", "remove one of the two");
      problems.throw_if_any();
    }
    axis.levels.push_back(std::move(level));
  }
  return axis;
}

Company load_at(const Base& base, const std::vector<Axis>& axes, const std::vector<Level>& levels) {
  config::Sources sources = base.sources;
  std::map<std::string, std::string> places;  // --set key -> the axis that sets it
  std::string point;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const Level& level = levels[i];
    sources.overlays.insert(sources.overlays.end(), level.overlays.begin(), level.overlays.end());
    sources.sets.insert(sources.sets.end(), level.sets.begin(), level.sets.end());
    for (const std::string& key : axes[i].keys)
      places["--set " + config::cut(key, 200)] =
          fmt::format("--vary {} at {}: {}", axes[i].name, level.text, key);
    point += fmt::format("{}{} = {}", point.empty() ? "" : ", ", axes[i].name, level.text);
  }
  try {
    return load_company(sources, base.months);
  } catch (const config::ConfigError& error) {
    std::vector<config::Problem> problems = error.problems();
    for (config::Problem& each : problems) {
      if (const auto place = places.find(each.file); place != places.end()) {
        each.file = place->second;
      } else if (!point.empty()) {
        each.text += fmt::format(" [at {}]", point);
      }
    }
    throw config::ConfigError(std::move(problems));
  }
}

void check_names(const std::vector<Axis>& axes) {
  std::set<std::string> names = {"point"};
  std::map<std::string, std::string> owner;
  for (const Axis& axis : axes) {
    if (!names.insert(axis.name).second)
      refuse(axis.name, 0, fmt::format("'{}' is the name of another column", axis.name),
             "each axis has a column in study.csv", "rename it");
    for (const std::string& key : axis.keys) {
      const auto [known, is_new] = owner.emplace(key, axis.name);
      if (!is_new)
        refuse(axis.name, 0, fmt::format("'{}' is varied by {} already", key, known->second),
               "the two would overwrite each other", "vary it once");
    }
  }
}

void check_axes(const Base& base, const std::vector<Axis>& axes) {
  check_names(axes);
  for (const Axis& axis : axes) {
    std::vector<Level> levels = axis.levels;
    if (axis.span) {
      for (const double end : {axis.span->low, axis.span->high})
        levels.push_back(level_at(axis, axis.span->kind, end, axis.span->dates, base.company));
    }
    bool changes = false;
    for (const Level& level : levels) {
      const Company company = load_at(base, {axis}, {level});
      changes = changes || company.hash != base.company.hash;
      // Amounts leave the ledger at an end of the range, if anywhere.
      if (&level == &levels.front() || &level == &levels.back()) try_company(company);
    }
    if (!changes)
      refuse(axis.name, 0, fmt::format("'{}' has no effect", axis.name),
             "the config is the same at each of its values", "give other values, or leave it out");
  }
}

}  // namespace headroom::study
