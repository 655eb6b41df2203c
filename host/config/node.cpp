// SPDX-License-Identifier: Apache-2.0
#include "host/config/node.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>

#include "host/config/printable.hpp"

namespace headroom::config {

const std::string& id_of(const Node& node) {
  static const std::string none;
  const Node* id = node.is<TableTag>() ? node.find("id") : nullptr;
  return id != nullptr && id->is<std::string>() ? std::get<std::string>(id->value) : none;
}

bool is_list_by_id(const Node& node) {
  return node.is<ListTag>() && !node.items.empty() &&
         std::all_of(node.items.begin(), node.items.end(),
                     [](const Node& each) { return !id_of(each).empty(); });
}

Node* find_id(Node& list, const std::string& id) {
  const auto it =
      std::find_if(list.items.begin(), list.items.end(), [&](const Node& each) { return id_of(each) == id; });
  return it == list.items.end() ? nullptr : &*it;
}

const Node* find_id(const Node& list, const std::string& id) { return find_id(const_cast<Node&>(list), id); }

bool has_tables(const Node& list) {
  return list.is<ListTag>() && !list.items.empty() &&
         std::all_of(list.items.begin(), list.items.end(), [](const Node& e) { return e.is<TableTag>(); });
}

std::string path_to(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

std::string item_label(std::string_view key, std::size_t index) { return fmt::format("{}[{}]", key, index); }

std::string kind_name(const Node& node) {
  constexpr const char* names[] = {"a table",          "an array", "a boolean", "a whole number",
                                   "a decimal number", "a string", "a date",    "a time"};
  return names[node.value.index()];
}

namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out + '"';
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

}  // namespace

std::string in_quotes(const std::string& text) { return quoted(cut(text, 80)); }

// A whole number and an equal decimal give the same text.
std::string value_text(const Node& node) {
  std::vector<std::string> parts;
  for (const Node& each : node.items) {
    parts.push_back(each.key.empty() ? value_text(each) : each.key + " = " + value_text(each));
  }
  if (node.is<TableTag>()) return "{" + joined(parts) + "}";
  if (node.is<ListTag>()) return "[" + joined(parts) + "]";
  if (const auto* flag = std::get_if<bool>(&node.value)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&node.value)) return fmt::format("{}", *whole);
  if (const auto* decimal = std::get_if<double>(&node.value)) return fmt::format("{}", *decimal);
  if (const auto* text = std::get_if<std::string>(&node.value)) return quoted(*text);
  if (const auto* date = std::get_if<Date>(&node.value)) return format_date(*date);
  return kind_name(node);
}

// A value as a message shows it: in full if it is short.
std::string described(const Node& node) {
  if (const auto* text = std::get_if<std::string>(&node.value)) return in_quotes(*text);
  return node.is<TableTag>() || node.is<ListTag>() ? kind_name(node) : value_text(node);
}

std::vector<Setting::Number> numbers_of(const Node& node) {
  std::vector<Setting::Number> numbers;
  if (const auto* whole = std::get_if<std::int64_t>(&node.value))
    numbers.push_back({static_cast<double>(*whole), node.place});
  if (const auto* decimal = std::get_if<double>(&node.value)) numbers.push_back({*decimal, node.place});
  for (const Node& each : node.items) {
    for (const Setting::Number& number : numbers_of(each)) numbers.push_back(number);
  }
  return numbers;
}

bool is_value(const Node& node) { return node.items.empty() || (node.is<ListTag>() && !has_tables(node)); }

void for_each_node(const Node& node, const std::string& path,
                   const std::function<void(const std::string&, const Node&)>& visit) {
  visit(path, node);
  if (is_value(node)) return;
  const bool by_id = is_list_by_id(node);
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Node& each = node.items[i];
    const bool row = node.is<ListTag>() && !by_id;
    for_each_node(each, row ? item_label(path, i) : path_to(path, by_id ? id_of(each) : each.key), visit);
  }
}

// ---- TOML text. ----

namespace {

std::string toml_string(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += std::string("\\") + c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string toml_key(const std::string& key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) != 0 || c == '-' || c == '_');
  });
  return bare ? key : toml_string(key);
}

std::string toml_value(const Node& node) {
  std::vector<std::string> parts;
  for (const Node& each : node.items) {
    parts.push_back(each.key.empty() ? toml_value(each) : toml_key(each.key) + " = " + toml_value(each));
  }
  if (node.is<TableTag>()) return "{" + joined(parts) + "}";
  if (node.is<ListTag>()) return "[" + joined(parts) + "]";
  if (const auto* text = std::get_if<std::string>(&node.value)) return toml_string(*text);
  if (const auto* decimal = std::get_if<double>(&node.value)) {
    const std::string text = fmt::format("{}", *decimal);
    const bool whole = text.find_first_not_of("-0123456789") == text.npos;
    return whole ? text + ".0" : text;
  }
  return value_text(node);
}

}  // namespace

// Values come before the tables below: a value after a header would belong to that table.
void write_toml(const Node& table, const std::string& path, std::string& out) {
  const auto is_below = [](const Node& each) {
    return has_tables(each) || (each.is<TableTag>() && !each.items.empty());
  };
  for (const Node& each : table.items) {
    if (!is_below(each)) out += toml_key(each.key) + " = " + toml_value(each) + "\n";
  }
  for (const Node& each : table.items) {
    if (!is_below(each)) continue;
    const std::string at = path_to(path, toml_key(each.key));
    if (each.is<TableTag>()) {
      out += "\n[" + at + "]\n";
      write_toml(each, at, out);
    }
    if (!each.is<ListTag>()) continue;
    for (const Node& element : each.items) {
      out += "\n[[" + at + "]]\n";
      write_toml(element, at, out);
    }
  }
}

}  // namespace headroom::config
