// SPDX-License-Identifier: Apache-2.0
// The tree of a config's values. It is our own, because toml++ loses a value's place when it is copied or
// merged.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "host/config/problems.hpp"
#include "host/config/reader.hpp"

namespace headroom::config {

struct TableTag {};
struct ListTag {};
struct TimeTag {};

// A value, a table or a list.
struct Node {
  std::string key{};  // empty in a list
  Place key_place{};
  Place place{};
  std::variant<TableTag, ListTag, bool, std::int64_t, double, std::string, Date, TimeTag> value{};
  std::vector<Node> items{};  // of a table (sorted by key) or a list

  std::string was{};  // the value that an overlay or --set has replaced, as value_text()

  // Set while the table is read.
  std::string path{};   // market.price
  std::string title{};  // [market.price] or [[site]]; empty until the table is read
  std::set<std::string> asked{};
  struct Missing {
    std::string expected;
    std::string remedy;
  };
  std::map<std::string, Missing> missing{};
  // What stands for a key that is not written: a default, or the value of another table.
  struct Stand {
    std::string value;
    std::vector<Setting::Number> numbers{};
    Place place{};       // of another table's value
    std::string from{};  // that table's title; empty for a default
  };
  std::map<std::string, Stand> stands{};

  template <class T>
  bool is() const {
    return std::holds_alternative<T>(value);
  }
  Node* find(std::string_view name) {
    const auto it =
        std::find_if(items.begin(), items.end(), [&](const Node& each) { return each.key == name; });
    return it == items.end() ? nullptr : &*it;
  }
  const Node* find(std::string_view name) const { return const_cast<Node*>(this)->find(name); }
  void erase(std::string_view name) {
    std::erase_if(items, [&](const Node& each) { return each.key == name; });
  }
  Node& insert(Node child) {
    const auto at =
        std::find_if(items.begin(), items.end(), [&](const Node& each) { return each.key > child.key; });
    return *items.insert(at, std::move(child));
  }
};

// The element's id; empty if it has none.
const std::string& id_of(const Node& node);
Node* find_id(Node& list, const std::string& id);
const Node* find_id(const Node& list, const std::string& id);
bool is_list_by_id(const Node& node);  // not empty, and each element has an id
bool has_tables(const Node& list);     // not empty, and each element is a table

std::string path_to(const std::string& path, const std::string& key);  // path.key
std::string item_label(std::string_view key, std::size_t index);       // key[2]

// Words for messages.
std::string kind_name(const Node& node);         // a table, a string
std::string in_quotes(const std::string& text);  // long ones are cut
std::string value_text(const Node& node);        // one line of TOML; 3 and 3.0 give the same text
std::string described(const Node& node);         // a value in full if it is short

// The numbers of a value, each with its place.
std::vector<Setting::Number> numbers_of(const Node& node);

// Whether the canonical text has a line for it: no table that holds something, and no list of tables.
bool is_value(const Node& node);
// Calls visit(path, node) for a node and all below it, in the order of the canonical text. The inside of a
// value is not visited.
void for_each_node(const Node& node, const std::string& path,
                   const std::function<void(const std::string&, const Node&)>& visit);

// See Document.
void write_toml(const Node& table, const std::string& path, std::string& out);

}  // namespace headroom::config
