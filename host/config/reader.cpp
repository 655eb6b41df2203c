// SPDX-License-Identifier: Apache-2.0
#include "host/config/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "host/config/limits.hpp"
#include "host/config/node.hpp"
#include "host/config/units.hpp"

namespace headroom::config {

// ---- Dates. ----

float months_between(Date as_of, Date date) {
  const auto month = [](Date d) {
    return static_cast<int>(d.year()) * 12 + static_cast<int>(unsigned(d.month()));
  };
  const Date last(date.year() / date.month() / std::chrono::last);
  const double part = static_cast<double>(unsigned(date.day())) / static_cast<double>(unsigned(last.day()));
  return static_cast<float>(month(date) - month(as_of) - 1 + part);
}

Date month_end(Date as_of, int months) {
  const auto month = std::chrono::year_month(as_of.year(), as_of.month()) + std::chrono::months(months);
  return Date(month / std::chrono::last);
}

std::string format_date(Date date) { return fmt::format("{}-{:02}", format_month(date), unsigned(date.day())); }

std::string format_month(Date date) {
  return fmt::format("{:04}-{:02}", static_cast<int>(date.year()), unsigned(date.month()));
}

// ---- Ranges. ----

double Range::usable() const {
  for (const double value : {1.0, low, high}) {
    if (std::isfinite(value) && holds(value)) return value;
  }
  return std::isfinite(high) ? low + (high - low) / 2.0 : low + 1.0;
}

Range Range::because(std::string reason) const {
  Range range = *this;
  range.why = std::move(reason);
  return range;
}

Range share() {
  return {.low = 0.0,
          .high = 1.0,
          .why = "a share must be between 0 and 1",
          .remedy = "write a decimal such as 0.95"};
}
Range positive() { return {.low = 0.0, .above_low = true}; }
Range non_negative() { return {.low = 0.0, .why = "it must not be negative"}; }
Range at_least(double low) { return {.low = low}; }
Range between(double low, double high) { return {.low = low, .high = high}; }

namespace {

std::string bounds(const Range& range) {
  if (range.above_low) return fmt::format("above {}", range.low);
  if (std::isinf(range.high)) return fmt::format("{} or more", range.low);
  if (std::isinf(range.low)) return fmt::format("{} or less", range.high);
  return fmt::format("from {} to {}", range.low, range.high);
}

// ---- Checked conversion of one value. `label` is the key, or key[2] in an array. ----

void wrong_type(const Node& node, std::string_view label, std::string_view expected, std::string_view remedy,
                Problems& problems) {
  problems.add(node.place, fmt::format("'{}' is {}", label, kind_name(node)),
               fmt::format("{} is expected", expected), remedy);
}

std::string expected_number(std::string_view key) { return "a number" + unit_of(key).phrase; }

std::optional<double> as_number(const Node& node, std::string_view key, std::string_view label,
                                const Range& range, Problems& problems) {
  const auto* whole = std::get_if<std::int64_t>(&node.value);
  const auto* decimal = std::get_if<double>(&node.value);
  if (whole == nullptr && decimal == nullptr) {
    wrong_type(node, label, expected_number(key),
               node.is<std::string>() ? "write it without quotes, such as 1.5" : "write a number such as 1.5",
               problems);
    return std::nullopt;
  }
  const double value = whole != nullptr ? static_cast<double>(*whole) : *decimal;
  if (!std::isfinite(static_cast<float>(value))) {
    problems.add(node.place, fmt::format("'{}' is {}", label, value_text(node)),
                 fmt::format("{} within single precision is expected", expected_number(key)),
                 "give a finite number");
    return std::nullopt;
  }
  const bool lost = range.above_low && static_cast<float>(value) <= static_cast<float>(range.low);
  if (!range.holds(value) || lost) {
    const std::string allowed = bounds(range);
    std::string remedy =
        range.remedy.empty() ? fmt::format("give a number {}{}", allowed, unit_of(key).phrase) : range.remedy;
    if (range.low == 0 && range.high == 1 && value >= 2 && value <= 100)  // a percentage
      remedy = fmt::format("write {} for {}%", value / 100, value_text(node));
    problems.add(node.place, fmt::format("'{}' is {}", label, value_text(node)),
                 range.why.empty() ? fmt::format("it must be {}", allowed) : range.why, remedy);
    return std::nullopt;
  }
  const double size = std::abs(value);
  if (value != 0 && (size < kLeastNumber || size > kMostNumber)) {
    problems.add(node.place, fmt::format("'{}' is {}", label, value_text(node)),
                 fmt::format("it is too {} to compute with", size < 1 ? "small" : "large"),
                 size < 1 && range.holds(0) && !range.above_low
                     ? "write 0, or a larger number"
                     : fmt::format("give a number {}{}", size < 1 ? "of at least 1e-12" : "within 1e12",
                                   unit_of(key).phrase));
    return std::nullopt;
  }
  return value;
}

template <class T>
constexpr std::pair<const char*, const char*> wording;  // what was expected, and the remedy
template <>
constexpr std::pair wording<std::string> = {"a text", "write it in quotes"};
template <>
constexpr std::pair wording<bool> = {"true or false", "write true or false"};
template <>
constexpr std::pair wording<Date> = {"a date", "write a date without quotes, such as 2026-12-31"};

template <class T>
std::optional<T> as(const Node& node, std::string_view label, Problems& problems) {
  if (const T* value = std::get_if<T>(&node.value)) return *value;
  wrong_type(node, label, wording<T>.first, wording<T>.second, problems);
  return std::nullopt;
}

}  // namespace

// ---- Table. ----

Problems& Table::problems() const { return document_->problems_; }

Node* Table::ask(std::string_view key, std::string_view expected, bool required) const {
  node_->asked.emplace(key);
  Node* found = node_->find(key);
  if (found == nullptr && required && !absent_) {
    const bool table = expected == "a table";
    node_->missing.insert(
        {std::string(key),
         {std::string(expected), table ? fmt::format("add [{}]", path_to(node_->path, std::string(key)))
                                       : fmt::format("add {} = ...", key)}});
  }
  return found;
}

std::vector<Node>* Table::ask_list(std::string_view key, std::string_view expected, bool required) const {
  Node* found = ask(key, expected, required);
  if (found == nullptr) return nullptr;
  if (found->is<ListTag>()) return &found->items;
  wrong_type(*found, key, expected, fmt::format("write {} = [...]", key), problems());
  return nullptr;
}

double Table::number(std::string_view key, const Range& range, std::optional<double> fallback) const {
  const Node* node = ask(key, expected_number(key), !fallback);
  if (node == nullptr && fallback) stand(key, fmt::format("{}", *fallback), {{*fallback, {}}});
  const auto value = node != nullptr ? as_number(*node, key, key, range, problems()) : std::nullopt;
  return value ? *value : fallback.value_or(range.usable());
}

float Table::real(std::string_view key, const Range& range, std::optional<double> fallback) const {
  return static_cast<float>(number(key, range, fallback));
}

std::int32_t Table::integer(std::string_view key, const Range& range,
                            std::optional<std::int32_t> fallback) const {
  const std::string expected = "a whole number" + unit_of(key).phrase;
  const Node* node = ask(key, expected, !fallback);
  const std::int32_t usable = fallback ? *fallback : static_cast<std::int32_t>(range.usable());
  if (node == nullptr && fallback) stand(key, fmt::format("{}", usable), {{static_cast<double>(usable), {}}});
  if (node == nullptr) return usable;
  const auto* whole = std::get_if<std::int64_t>(&node->value);
  if (whole == nullptr) {
    wrong_type(*node, key, expected, "write a whole number such as 12", problems());
  } else if (*whole != static_cast<std::int32_t>(*whole)) {
    reject(key, "it has to fit in 32 bits", "give a number within two billion");
  } else if (as_number(*node, key, key, range, problems())) {
    return static_cast<std::int32_t>(*whole);
  }
  return usable;
}

template <class T>
std::optional<T> Table::scalar(std::string_view key, bool required) const {
  const Node* node = ask(key, wording<T>.first, required);
  return node != nullptr ? as<T>(*node, key, problems()) : std::nullopt;
}

template <class T>
std::vector<T> Table::list(std::string_view key, const std::optional<std::vector<T>>& fallback) const {
  if (fallback && fallback->empty()) assume(key, "[]");
  const auto* nodes = ask_list(key, fmt::format("an array, each {},", wording<T>.first), !fallback);
  if (nodes == nullptr) return fallback.value_or(std::vector<T>());
  std::vector<T> values;
  for (std::size_t i = 0; i < nodes->size(); ++i) {
    if (const auto value = as<T>((*nodes)[i], item_label(key, i), problems())) values.push_back(*value);
  }
  return values;
}

std::string Table::text(std::string_view key, const std::optional<std::string>& fallback) const {
  if (fallback) assume(key, in_quotes(*fallback));
  return scalar<std::string>(key, !fallback).value_or(fallback.value_or(""));
}

bool Table::flag(std::string_view key, std::optional<bool> fallback) const {
  if (fallback) assume(key, *fallback ? "true" : "false");
  return scalar<bool>(key, !fallback).value_or(fallback.value_or(false));
}

Date Table::date(std::string_view key, std::optional<Date> fallback) const {
  return scalar<Date>(key, !fallback).value_or(fallback.value_or(Date(std::chrono::year(2000) / 1 / 31)));
}

std::vector<std::string> Table::texts(std::string_view key,
                                      const std::optional<std::vector<std::string>>& fallback) const {
  return list(key, fallback);
}

Date Table::date_at_month_end(std::string_view key) const {
  const Date given = date(key);
  const Date end(given.year() / given.month() / std::chrono::last);
  if (given != end) reject(key, "the model counts whole months from a month end", "write " + format_date(end));
  return end;
}

float Table::months(std::string_view key, Date as_of, std::optional<float> fallback) const {
  const auto value = scalar<Date>(key, !fallback);
  return value ? months_between(as_of, *value) : fallback.value_or(1.0F);
}

std::vector<double> Table::numbers(std::string_view key, const Range& range, std::optional<std::size_t> size,
                                   const std::optional<std::vector<double>>& fallback) const {
  std::vector<double> usable = fallback ? *fallback : std::vector<double>(size.value_or(1), range.usable());
  const auto* list = ask_list(key, "an array of numbers" + unit_of(key).phrase, !fallback);
  if (list == nullptr) return usable;
  if (size && list->size() != *size) {
    problems().add(place(key), fmt::format("'{}' has {} numbers", key, list->size()),
                   fmt::format("{} are expected", *size), fmt::format("write {} numbers", *size));
    return usable;
  }
  if (!size && list->empty()) {
    problems().add(place(key), fmt::format("'{}' has no numbers", key), "at least one is expected",
                   "write some");
    return usable;
  }
  std::vector<double> values;
  for (std::size_t i = 0; i < list->size(); ++i) {
    values.push_back(
        as_number((*list)[i], key, item_label(key, i), range, problems()).value_or(range.usable()));
  }
  return values;
}

std::int32_t Table::pick(std::string_view key, const std::vector<std::string>& names, bool required) const {
  const auto value = scalar<std::string>(key, required);
  if (!value) return -1;
  const auto at = std::find(names.begin(), names.end(), *value);
  if (at != names.end()) return static_cast<std::int32_t>(at - names.begin());
  const auto hint = nearest(*value, names);
  reject(key, "it must be one of " + listed(names),
         hint ? fmt::format("did you mean \"{}\"?", *hint) : "take one of these");
  return -1;
}

std::int32_t Table::find_ref(std::string_view key, const Node& value,
                             const std::vector<std::string>& ids) const {
  const auto id = as<std::string>(value, key, problems());
  if (!id) return -1;
  const auto at = std::find(ids.begin(), ids.end(), *id);
  if (at != ids.end()) return static_cast<std::int32_t>(at - ids.begin());
  // An element without an id is a problem of its own; it may be the one that is meant.
  if (std::find(ids.begin(), ids.end(), "") != ids.end()) return -1;
  const auto hint = nearest(*id, ids);
  problems().add(
      value.place, fmt::format("'{}' is {}", key, in_quotes(*id)),
      ids.empty() ? "there is nothing it could refer to" : "nothing has this id; known are " + listed(ids),
      hint ? fmt::format("did you mean \"{}\"?", *hint) : "add it or refer to another");
  return -1;
}

std::int32_t Table::ref(std::string_view key, const std::vector<std::string>& ids, bool required) const {
  const Node* node = ask(key, "an id", required);
  return node != nullptr ? find_ref(key, *node, ids) : -1;
}

std::vector<std::int32_t> Table::refs(std::string_view key, const std::vector<std::string>& ids) const {
  std::vector<std::int32_t> found;
  const auto* list = ask_list(key, "an array of ids", false);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const std::int32_t index = find_ref(item_label(key, i), (*list)[i], ids);
    if (index < 0) continue;
    if (std::find(found.begin(), found.end(), index) != found.end()) {
      problems().add((*list)[i].place, fmt::format("{} is {}", item_label(key, i), described((*list)[i])),
                     "it is named already", "remove it");
      continue;
    }
    found.push_back(index);
  }
  return found;
}

Table Table::table(std::string_view key) const {
  Node* node = ask(key, "a table", true);
  const bool usable = node != nullptr && node->is<TableTag>();
  if (node != nullptr && !usable) {
    wrong_type(*node, key, "a table", fmt::format("write [{}]", path_to(node_->path, std::string(key))),
               problems());
  }
  if (!usable) return unwritten(key);
  node->path = path_to(node_->path, std::string(key));
  node->title = fmt::format("[{}]", node->path);
  return {*document_, *node, false};
}

Table Table::section(std::string_view key) const { return has(key) ? table(key) : unwritten(key); }

// A table that is not there.
Table Table::unwritten(std::string_view key) const {
  document_->absent_.push_back(std::make_unique<Node>());
  Node& node = *document_->absent_.back();
  node.path = path_to(node_->path, std::string(key));
  node.title = fmt::format("[{}]", node.path);
  return {*document_, node, true};
}

std::optional<Table> Table::optional_table(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  return table(key);
}

std::vector<Table> Table::elements(std::string_view key, std::size_t at_least, bool with_id) const {
  std::vector<Table> found;
  auto* list = ask_list(key, "an array of tables", at_least > 0);
  if (list == nullptr) return found;
  if (list->size() < at_least) {
    problems().add(place(key), fmt::format("'{}' has {} entries", key, list->size()),
                   fmt::format("at least {} must be there", at_least), fmt::format("add a [[{}]]", key));
  }
  if (list->size() > kMostElements) {
    problems().add(place(key), fmt::format("'{}' has {} entries", key, list->size()),
                   fmt::format("at most {} are possible", kMostElements), "merge entries that are alike");
    return found;
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    Node& each = (*list)[i];
    if (!each.is<TableTag>()) {
      wrong_type(each, item_label(key, i), "a table", fmt::format("write [[{}]]", key), problems());
      continue;
    }
    each.path = path_to(node_->path, std::string(key));
    each.title = fmt::format("[[{}]]", each.path);
    const Table element(*document_, each, false);
    if (with_id) element.text("id");
    found.push_back(element);
  }
  return found;
}

const std::string& Table::id() const { return id_of(*node_); }

bool Table::has(std::string_view key) const { return ask(key, "", false) != nullptr; }

Place Table::place() const { return node_->place; }

Place Table::place(std::string_view key) const {
  const Node* node = node_->find(key);
  return node != nullptr ? node->place : node_->place;
}

void Table::in_order(std::string_view first, std::string_view second) const {
  const Node* a = node_->find(first);
  const Node* b = node_->find(second);
  if (a == nullptr || b == nullptr || !a->is<Date>() || !b->is<Date>()) return;
  if (std::get<Date>(b->value) >= std::get<Date>(a->value)) return;
  reject(second, fmt::format("it must not be before '{}', {}", first, described(*a)),
         "correct one of the two dates");
}

void Table::stand(std::string_view key, const std::string& value, std::vector<Setting::Number> numbers) const {
  if (node_->find(key) == nullptr)
    node_->stands.try_emplace(std::string(key), Node::Stand{value, std::move(numbers)});
}

void Table::assume(std::string_view key, const std::string& value) const { stand(key, value, {}); }

void Table::inherit(std::string_view key, const Table& from) const {
  const Node* node = from.node_->find(key);
  if (node == nullptr || node_->find(key) != nullptr) return;
  node_->stands.try_emplace(std::string(key),
                            Node::Stand{value_text(*node), numbers_of(*node), node->place, from.node_->title});
}

std::string origin_text(const Setting& setting) {
  if (setting.origin == Setting::Origin::standard) return "default";
  const bool of_file = !setting.place.file.starts_with("--set ");
  return (of_file ? fmt::format("{}:{}", setting.place.file, setting.place.line) : std::string("--set")) +
         (setting.from.empty() ? "" : ", " + setting.from) +
         (setting.was.empty() ? "" : ", was " + setting.was);
}

void Table::reject(std::string_view key, std::string_view why, std::string_view remedy) const {
  const Node* node = node_->find(key);
  problems().add(place(key), fmt::format("'{}' is {}", key, node != nullptr ? described(*node) : "absent"), why,
                 remedy);
}

std::vector<std::string> ids(const std::vector<Table>& tables) {
  std::vector<std::string> found;
  found.reserve(tables.size());
  for (const Table& each : tables) found.push_back(each.id());
  return found;
}

}  // namespace headroom::config
