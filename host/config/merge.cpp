// SPDX-License-Identifier: Apache-2.0
#include "host/config/merge.hpp"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <utility>

#include "host/config/printable.hpp"

namespace headroom::config {

namespace {

// Keys that exclude each other: writing the first takes the second of the file below away.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kAlternatives = {
    {{"threshold", "thresholds"},
     {"threshold_musd", "thresholds"},
     {"undrawn_musd", "commitment_musd"},
     {"fixed_rate_per_year", "spread_per_year"},
     {"end", "term_months"},
     {"prepayment_share", "prepayment_musd"}}};

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

std::vector<std::string> ids_of(const Node& list) {
  std::vector<std::string> ids;
  for (const Node& each : list.items) ids.push_back(id_of(each));
  return ids;
}

std::vector<std::string> keys_of(const Node& table) {
  std::vector<std::string> keys;
  for (const Node& each : table.items) keys.push_back(each.key);
  return keys;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known,
                         const char* otherwise) {
  const auto hint = nearest(word, known);
  return hint ? fmt::format("did you mean \"{}\"?", *hint) : otherwise;
}

bool says_true(const Node& table, std::string_view key) {
  const Node* node = table.find(key);
  return node != nullptr && node->is<bool>() && std::get<bool>(node->value);
}

class Merge {
 public:
  // `log`: null where a file lies over those that it includes.
  Merge(Problems& problems, std::vector<Override>* log) : problems_(problems), log_(log) {}

  void lay(Node& base, Node over, const std::string& path) {
    if (base.is<TableTag>() && over.is<TableTag>()) {
      lay_table(base, std::move(over), path);
    } else if (is_list_by_id(base) && is_list_by_id(over)) {
      lay_list(base, std::move(over), path);
    } else if (is_list_by_id(base) && has_tables(over)) {
      for (const Node& each : over.items) report_no_id(each, path, problems_);
    } else {
      replace(base, std::move(over), path);
    }
  }

  void check_company(const Node& base, const Node& whom) {
    const Node* company = base.find("company");
    const Node* name = company != nullptr ? company->find("name") : nullptr;
    const auto* wanted = std::get_if<std::string>(&whom.value);
    if (wanted == nullptr) {
      problems_.add(whom.place, "'for' is " + kind_name(whom), "the name of a company is expected",
                    "write for = \"CoreWeave\"");
      return;
    }
    whom_ = *wanted;
    const bool named = name != nullptr && name->is<std::string>();
    if (named && strcasecmp(std::get<std::string>(name->value).c_str(), wanted->c_str()) == 0) return;
    problems_.add(whom.place, "'for' is " + described(whom),
                  "the company is " + (named ? described(*name) : std::string("not named")),
                  "lay it over the config of that company");
  }

 private:
  bool by_overlay() const { return log_ != nullptr; }

  void note(const std::string& key, const std::string& was, const std::string& is, const Place& place) {
    if (by_overlay()) log_->push_back({key, was, is, place});
  }

  void replace(Node& base, Node over, const std::string& path) {
    const std::string was = value_text(base), is = value_text(over);
    // The file below gives the same value: the place that says so is the last.
    if (was != is) {
      note(path, was, is, over.place);
      if (by_overlay()) base.was = was;
    }
    base.key_place = over.key_place;
    base.place = over.place;
    base.value = std::move(over.value);
    base.items = std::move(over.items);
  }

  // remove = true, alone in a table beside its id.
  bool removes(const Node& over) {
    if (!by_overlay() || !says_true(over, "remove")) return false;
    for (const Node& each : over.items) {
      if (each.key == "remove" || each.key == "id") continue;
      problems_.add(each.key_place, fmt::format("'{}' is of what is removed", cut(each.key, 80)),
                    "'remove' is true", "remove one of the two lines");
    }
    return true;
  }

  // remove = ["key", ...]
  void remove_keys(Node& base, const Node& list, const std::string& path) {
    const bool removes_whole = list.is<bool>() && path.empty();
    if (!list.is<ListTag>()) {
      problems_.add(list.place, "'remove' is " + described(list),
                    removes_whole ? "the whole config would be gone" : "an array of keys, or true, is expected",
                    "write remove = [\"key\"]");
      return;
    }
    for (const Node& each : list.items) {
      const auto* key = std::get_if<std::string>(&each.value);
      const Node* known = key != nullptr ? base.find(*key) : nullptr;
      const auto refuse = [&](const std::string& why, const std::string& remedy) {
        problems_.add(each.place, fmt::format("{} cannot be removed", described(each)), why, remedy);
      };
      if (key == nullptr) {
        refuse("a key is expected", "write it in quotes");
        continue;
      }
      if (known == nullptr) {
        refuse(path.empty() ? "there is no such key" : fmt::format("'{}' has no such key", cut(path, 200)),
               did_you_mean(*key, keys_of(base), "correct it"));
        continue;
      }
      if (*key == "id") {
        refuse("an object is known by it", "write remove = true to take the object out");
        continue;
      }
      note(path_to(path, *key), value_text(*known), "", each.place);
      base.erase(*key);
    }
  }

  void lay_table(Node& base, Node over, const std::string& path) {
    const bool says_nothing =
        std::all_of(over.items.begin(), over.items.end(), [](const Node& each) { return each.key == "id"; });
    if (by_overlay() && says_nothing && !base.items.empty()) {
      problems_.add(over.place, fmt::format("'{}' says nothing", cut(path.empty() ? "the overlay" : path, 200)),
                    "a table is merged key by key, so that an empty one changes nothing",
                    path.empty() ? "leave it out" : "leave it out, or write remove = true in it");
      return;
    }
    if (const Node* list = over.find("remove"); by_overlay() && list != nullptr) {
      remove_keys(base, *list, path);
      over.erase("remove");
    }
    for (Node& each : over.items) {
      if (each.key == "id" && base.find("id") != nullptr) continue;
      const std::string at = path_to(path, each.key);
      lay_key(base, std::move(each), at);
    }
  }

  void lay_key(Node& base, Node over, const std::string& path) {
    Node* known = base.find(over.key);
    if (by_overlay() && over.is<TableTag>() && removes(over)) {
      if (known == nullptr) {
        problems_.add(over.place, fmt::format("'{}' cannot be removed", cut(path, 200)), "it is not there",
                      did_you_mean(over.key, keys_of(base), "leave it out"));
        return;
      }
      note(path, value_text(*known), "", over.place);
      base.erase(over.key);
    } else if (known != nullptr) {
      lay(*known, std::move(over), path);
    } else if (by_overlay() && is_list_by_id(over)) {
      Node list{.key = over.key, .key_place = over.key_place, .place = over.place, .value = ListTag{}};
      lay_list(list, std::move(over), path);
      if (!list.items.empty()) base.insert(std::move(list));
    } else {
      take_alternative_away(base, over, path);
      note(path, "", value_text(over), over.key_place);
      base.insert(std::move(over));
    }
  }

  void take_alternative_away(Node& base, const Node& over, const std::string& path) {
    for (const auto& [one, other] : kAlternatives) {
      for (const auto& [written, gone] : {std::pair(one, other), std::pair(other, one)}) {
        const Node* known = over.key == written ? base.find(gone) : nullptr;
        if (known == nullptr || !by_overlay()) continue;
        const std::string above = path.substr(0, path.size() - over.key.size());
        note(above + std::string(gone), value_text(*known), "", over.key_place);
        base.erase(std::string(gone));
      }
    }
  }

  void lay_list(Node& base, Node over, const std::string& path) {
    for (Node& each : over.items) {
      const std::string id = id_of(each), at = path_to(path, id);
      Node* known = find_id(base, id);
      if (!by_overlay()) {
        known != nullptr ? lay_table(*known, std::move(each), at) : base.items.push_back(std::move(each));
        continue;
      }
      const Node* is_new = each.find("new");
      const bool adds = says_true(each, "new");
      const Place place = each.find("id")->place;
      if (is_new != nullptr && (!adds || known != nullptr)) {
        problems_.add(is_new->place, "'new' is " + described(*is_new),
                      known != nullptr ? fmt::format("there is a {} {} already", path, cut(id, 80))
                                       : "only true is possible",
                      known != nullptr ? "remove it, or give another id" : "write true, or remove it");
      } else if (known == nullptr && !adds) {
        refuse_unknown(base, path, id, place);
      } else if (known == nullptr) {
        each.erase("new");
        note(at, "", value_text(each), each.place);
        base.items.push_back(std::move(each));
      } else if (removes(each)) {
        note(at, value_text(*known), "", each.place);
        base.items.erase(base.items.begin() + (known - base.items.data()));
      } else {
        lay_table(*known, std::move(each), at);
      }
    }
  }

  void refuse_unknown(const Node& base, const std::string& path, const std::string& id, const Place& place) {
    const std::vector<std::string> known = ids_of(base);
    problems_.add(place, fmt::format("this company has no {} {}", cut(path, 200), cut(id, 80)),
                  !whom_.empty()  ? "the overlay is for " + in_quotes(whom_)
                  : known.empty() ? "it has none"
                                  : "its ids are " + listed(known),
                  did_you_mean(id, known, "correct the id, or write new = true to add it"));
  }

  Problems& problems_;
  std::vector<Override>* log_;
  std::string whom_{};
};

}  // namespace

void merge(Node& base, Node over, Problems& problems) {
  Merge(problems, nullptr).lay(base, std::move(over), "");
}

void lay_over(Node& base, Node over, std::vector<Override>& log, Problems& problems) {
  Merge merge(problems, &log);
  if (const Node* whom = over.find("for")) {
    merge.check_company(base, *whom);
    over.erase("for");
  }
  merge.lay(base, std::move(over), "");
}

}  // namespace headroom::config
