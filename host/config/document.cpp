// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "host/config/limits.hpp"
#include "host/config/merge.hpp"
#include "host/config/node.hpp"
#include "host/config/printable.hpp"
#include "host/config/reader.hpp"
#include "host/config/source.hpp"
#include "host/config/units.hpp"

namespace headroom::config {

std::shared_ptr<const Node> parsed_file(const Sources& sources) {
  Problems problems;
  auto parsed = std::make_shared<const Node>(load_file(sources, sources.file, problems));
  problems.throw_if_any();
  return parsed;
}

Document::Document(const Sources& sources)
    : root_(std::make_unique<Node>(sources.parsed ? *sources.parsed
                                                  : load_file(sources, sources.file, problems_))) {
  for (const std::string& overlay : sources.overlays) {
    lay_over(*root_, load_file(sources, overlay, problems_), overrides_, problems_);
  }
  problems_.throw_if_any();
  for (const std::string& assignment : sources.sets) set(assignment);
}

Document::~Document() = default;

Table Document::root() {
  root_->title = "the top level";
  root_->asked.insert("include");
  return {*this, *root_, false};
}

void Document::set(const std::string& assignment) {
  const auto equals = assignment.find('=');
  const std::string key = assignment.substr(0, equals);
  const std::string path = key.substr(0, key.find_last_not_of(' ') + 1);
  const auto place_at = [&](std::size_t offset) {
    return Place{"--set " + cut(path, 200), 1, static_cast<std::uint32_t>(offset + 1)};
  };
  if (equals == std::string::npos) {
    problems_.add(place_at(0), "no value", "--set takes key=value",
                  "write for example market.supply.start_tightness=0.1");
    return;
  }
  if (path == "include" || path == "for") {
    problems_.add(place_at(0), fmt::format("'{}' cannot be set", path), "it is of a file",
                  "lay the file over the config with --overlay");
    return;
  }
  if (static_cast<std::size_t>(std::count(path.begin(), path.end(), '.')) >= kMostParts) {
    problems_.add(place_at(0), "a key of more than 32 parts", "no config is so deep", "correct the key");
    return;
  }
  std::optional<Node> value = parse_value(assignment, equals, place_at(equals + 1), problems_);
  if (!value) return;

  // The steps of the path, checked as far as the config has them.
  struct Step {
    std::string name;
    Place place;
    bool element;
  };
  std::vector<Step> steps;
  const Node* at = root_.get();
  Node list;  // with an element of a list without ids (key[2].value): the whole list, with this one changed
  Node* inside = nullptr;
  for (std::size_t begin = 0, end = 0; begin <= path.size(); begin = end + 1) {
    end = std::min(path.find('.', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    const std::string above = path.substr(0, begin == 0 ? 0 : begin - 1);
    const bool last = end == path.size();
    if (inside != nullptr) {
      inside = inside->find(name);
      if (inside == nullptr) {
        problems_.add(place_at(begin), fmt::format("'{}' has no key '{}'", above, cut(name, 80)),
                      "only a key that the element has can be set", "set the list as a whole");
        return;
      }
      continue;
    }
    if (const auto bracket = name.find('['); bracket != std::string::npos && at != nullptr) {
      const std::string key_of_list = name.substr(0, bracket);
      const Node* found = at->is<TableTag>() ? at->find(key_of_list) : nullptr;
      for (std::size_t i = 0; found != nullptr && found->is<ListTag>() && i < found->items.size(); ++i) {
        if (!is_list_by_id(*found) && item_label(key_of_list, i) == name) {
          list = *found;
          inside = &list.items[i];
        }
      }
      if (inside == nullptr) {
        problems_.add(place_at(begin), fmt::format("there is no '{}'", cut(path.substr(0, end), 200)),
                      found == nullptr ? "there is no such list"
                      : found->is<ListTag>() && !is_list_by_id(*found) && !found->items.empty()
                          ? fmt::format("its elements are [0] to [{}]", found->items.size() - 1)
                          : "it is no list of elements without ids",
                      "write for example covenant.dscr.thresholds[0].value=1.2");
        return;
      }
      steps.push_back({key_of_list, place_at(begin), false});
      continue;
    }
    const bool of_list = at != nullptr && at->is<ListTag>();
    if (name.empty() || (last && name == "id") || (last && of_list)) {
      problems_.add(place_at(begin), fmt::format("'{}' cannot be set", path),
                    "a path names tables, elements by their id, and last a key other than id",
                    "write for example site.vineland-1.gpus=100");
      return;
    }
    const bool element = of_list && (is_list_by_id(*at) || at->items.empty());
    steps.push_back({name, place_at(begin), element});
    if (element) {
      const Node* found = find_id(*at, name);
      if (found == nullptr) {
        std::vector<std::string> known;
        for (const Node& each : at->items) known.push_back(id_of(each));
        const auto hint = nearest(name, known);
        problems_.add(place_at(begin), fmt::format("'{}' has no element \"{}\"", above, name),
                      known.empty() ? "it is empty" : "its ids are " + listed(known),
                      hint ? fmt::format("did you mean \"{}\"?", *hint) : "take one of these");
        return;
      }
      at = found;
      continue;
    }
    if (at != nullptr && !at->is<TableTag>()) {
      problems_.add(place_at(begin), fmt::format("'{}' has no keys", above), "it is " + kind_name(*at),
                    "set it as a whole");
      return;
    }
    at = at != nullptr ? at->find(name) : nullptr;
  }

  // An overlay that says this one thing, from the inside out.
  Node node = std::move(*value);
  if (inside != nullptr) {
    inside->value = std::move(node.value);
    inside->items = std::move(node.items);
    inside->place = inside->key_place = node.place;
    node = std::move(list);
    node.place = place_at(equals + 1);
  }
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    node.key = step->element ? "" : step->name;
    node.key_place = step->place;
    if (step->element) {
      node.insert({.key = "id", .key_place = step->place, .place = step->place, .value = step->name});
      node.place = step->place;
    }
    Node outer;
    outer.place = step->place;
    if (step->element) outer.value = ListTag{};
    outer.items.push_back(std::move(node));
    node = std::move(outer);
  }
  lay_over(*root_, std::move(node), overrides_, problems_);
}

namespace {

template <class Visit>
void for_each_read_table(Node& node, const Visit& visit) {
  if (!node.title.empty()) visit(node);
  for (Node& each : node.items) for_each_read_table(each, visit);
}

}  // namespace

void Document::report_unread() {
  std::map<std::string, std::set<std::string>> readers;  // key -> titles of the tables it is read in
  const auto note = [&](const Node& table) {
    for (const std::string& key : table.asked) readers[key].insert(table.title);
  };
  for_each_read_table(*root_, note);
  for (const auto& table : absent_) note(*table);

  for_each_read_table(*root_, [&](Node& table) {
    std::vector<std::string> open;  // keys that this table could hold but does not
    for (const std::string& key : table.asked) {
      if (table.find(key) == nullptr && key != "include") open.push_back(key);
    }
    for (const Node& each : table.items) {
      if (table.asked.contains(each.key)) continue;
      const auto say = [&](const std::string& why, const std::string& remedy) {
        problems_.add(each.key_place,
                      fmt::format("unknown key '{}' in {}", cut(each.key, 80), cut(table.title, 200)), why,
                      remedy);
      };
      const std::vector<std::string> known(table.asked.begin(), table.asked.end());
      const auto twin = std::find_if(known.begin(), known.end(), [&](const std::string& key) {
        return unit_of(key).stem == unit_of(each.key).stem;
      });
      const auto suggest = [&](const std::string& key) {
        say("nothing reads it", fmt::format("did you mean '{}'?", key));
        table.missing.erase(key);
      };
      if (twin != known.end()) {
        const std::string phrase = unit_of(*twin).phrase;
        say(fmt::format("wrong unit: it is '{}' here,{}", *twin, phrase.empty() ? " without a unit" : phrase),
            fmt::format("convert the value and write {}", *twin));
        table.missing.erase(*twin);
      } else if (const auto in_place = nearest(each.key, open)) {
        suggest(*in_place);
      } else if (const auto reader = readers.find(each.key); reader != readers.end()) {
        say("it is a key of " + listed({reader->second.begin(), reader->second.end()}), "move it there");
      } else if (const auto similar = nearest(each.key, known)) {
        suggest(*similar);
      } else {
        say("nothing reads it", "remove it; the keys here are " + listed(known));
      }
    }
    for (const auto& [key, missing] : table.missing) {
      problems_.add(table.place, fmt::format("'{}' is missing from {}", key, table.title),
                    missing.expected + " is expected", missing.remedy);
    }
  });
}

void Document::finish() {
  report_unread();
  problems_.throw_if_any();
}

std::string Document::canonical_text() const {
  std::string text;
  for_each_node(*root_, "", [&](const std::string& path, const Node& node) {
    if (!path.empty() && is_value(node)) text += fmt::format("{} = {}\n", path, value_text(node));
  });
  return text;
}

std::vector<Setting> Document::settings() const {
  using enum Setting::Origin;
  std::vector<Setting> found;
  const auto note_stands = [&](const std::string& path, const Node& node) {
    for (const auto& [key, stand] : node.stands) {
      found.push_back({path_to(path, key), stand.value, stand.from.empty() ? standard : inherited, stand.place,
                       stand.from, "", stand.numbers});
    }
  };
  for_each_node(*root_, "", [&](const std::string& path, const Node& node) {
    if (!path.empty() && is_value(node))
      found.push_back({path, value_text(node), written, node.place, "", node.was, numbers_of(node)});
    note_stands(path, node);
  });
  for (const auto& table : absent_) note_stands(table->path, *table);
  std::sort(found.begin(), found.end(), [](const Setting& a, const Setting& b) { return a.key < b.key; });
  return found;
}

std::string Document::toml_text() const {
  std::string text;
  write_toml(*root_, "", text);
  return text;
}

std::string Document::hash() const {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : canonical_text()) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return fmt::format("{:016x}", hash);
}

}  // namespace headroom::config
