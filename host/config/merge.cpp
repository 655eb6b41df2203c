// SPDX-License-Identifier: Apache-2.0
#include "host/config/merge.hpp"

#include <fmt/format.h>

#include <utility>

namespace headroom::config {

namespace {

// An element without an id cannot be merged by id, and must not replace a whole list of those that have one.
void report_no_id(const Node& element, const std::string& path, Problems& problems) {
  const Node* id = element.find("id");
  if (id == nullptr) {
    problems.add(element.place, fmt::format("'id' is missing from [[{}]]", path),
                 "the elements are merged by their ids", "add id = ...");
  } else if (!id->is<std::string>()) {
    problems.add(id->place, "'id' is " + kind_name(*id), "a text is expected", "write it in quotes");
  }
}

}  // namespace

void merge(Node& base, Node over, const std::string& path, std::vector<Override>* log, Problems& problems) {
  const bool by_id = is_list_by_id(base) && is_list_by_id(over);
  if (!by_id && is_list_by_id(base) && has_tables(over)) {
    for (const Node& each : over.items) report_no_id(each, path, problems);
    return;
  }
  if (!by_id && !(base.is<TableTag>() && over.is<TableTag>())) {
    if (log != nullptr) log->push_back({path, value_text(base), value_text(over), over.place});
    base.key_place = over.key_place;
    base.place = over.place;
    base.value = std::move(over.value);
    base.items = std::move(over.items);
    return;
  }
  for (Node& each : over.items) {
    const std::string at = path_to(path, by_id ? id_of(each) : each.key);
    Node* known = by_id ? find_id(base, id_of(each)) : base.find(each.key);
    if (known != nullptr) {
      if (each.key != "id" || value_text(*known) != value_text(each))
        merge(*known, std::move(each), at, log, problems);
      continue;
    }
    if (log != nullptr) log->push_back({at, "", value_text(each), by_id ? each.place : each.key_place});
    if (by_id) {
      base.items.push_back(std::move(each));
    } else {
      base.insert(std::move(each));
    }
  }
}

}  // namespace headroom::config
