// SPDX-License-Identifier: Apache-2.0
#include "host/config/reader.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <variant>

#include "host/config/printable.hpp"

namespace headroom::config {

namespace {
struct TableTag {};
struct ListTag {};
struct TimeTag {};
}  // namespace

// A value, a table or a list. The tree is our own, because toml++ loses a value's place when it is copied or
// merged.
struct Node {
  std::string key{};  // empty in a list
  Place key_place{};
  Place place{};
  std::variant<TableTag, ListTag, bool, std::int64_t, double, std::string, Date, TimeTag> value{};
  std::vector<Node> items{};  // of a table (sorted by key) or a list

  // Set while the table is read.
  std::string path{};   // market.price
  std::string title{};  // [market.price] or [[site]]; empty until the table is read
  std::set<std::string> asked{};
  struct Missing {
    std::string expected;
    std::string remedy;
  };
  std::map<std::string, Missing> missing{};

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
  Node& insert(Node child) {
    const auto at =
        std::find_if(items.begin(), items.end(), [&](const Node& each) { return each.key > child.key; });
    return *items.insert(at, std::move(child));
  }
};

namespace {

// ---- Limits: far beyond any company, and far below what ends the stack or the memory. ----

constexpr std::size_t kMostBytes = std::size_t{16} << 20U;  // of a file
constexpr std::size_t kMostParts = 32;                      // of a key: a.b.c has 3
constexpr std::size_t kMostNested = 32;                     // brackets in brackets
constexpr std::size_t kMostIncludes = 32;                   // files, each included by the one before
constexpr std::size_t kMostElements = 4096;                 // of an array of tables

// ---- Wording of messages. ----

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

std::string kind_name(const Node& node) {
  constexpr const char* names[] = {"a table",          "an array", "a boolean", "a whole number",
                                   "a decimal number", "a string", "a date",    "a time"};
  return names[node.value.index()];
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out + '"';
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

// A text of a message: long ones are cut.
std::string in_quotes(const std::string& text) { return quoted(cut(text, 80)); }

// One line of TOML. A whole number and an equal decimal give the same text.
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

// Splits a key into what it measures and its unit: "price_usd_per_gpu_hour" is "price" " in USD per GPU hour".
struct Unit {
  std::string_view stem;
  std::string phrase{};  // with a leading space; empty without a unit
};

Unit unit_of(std::string_view key) {
  constexpr std::string_view words[][2] = {
      // clang-format off
      {"usd", "USD"}, {"musd", "USD million"}, {"busd", "USD billion"}, {"per", "per"}, {"gpu", "GPU"},
      {"gpus", "GPUs"}, {"hour", "hour"}, {"hours", "hours"}, {"day", "day"}, {"days", "days"}, {"month", "month"},
      {"months", "months"}, {"year", "year"}, {"years", "years"}, {"kw", "kW"}, {"mw", "MW"}, {"gw", "GW"},
      {"kwh", "kWh"}, {"mwh", "MWh"}, {"percent", "percent"}, {"bp", "basis points"},
      // clang-format on
  };
  Unit unit{.stem = key};
  if (key.ends_with("_share")) return {.stem = key.substr(0, key.size() - 6), .phrase = " as a share of 1"};
  for (auto at = key.rfind('_'); at != 0 && at != key.npos; at = unit.stem.rfind('_')) {
    const std::string_view last = unit.stem.substr(at + 1);
    const auto* word =
        std::find_if(std::begin(words), std::end(words), [&](const auto& w) { return w[0] == last; });
    if (word == std::end(words)) break;
    unit.phrase = fmt::format(" {}{}", (*word)[1], unit.phrase);
    unit.stem = unit.stem.substr(0, at);
  }
  if (!unit.phrase.empty() && !unit.phrase.starts_with(" per ")) unit.phrase = " in" + unit.phrase;
  return unit;
}

std::string bounds(const Range& range) {
  if (range.above_low) return fmt::format("above {}", range.low);
  if (std::isinf(range.high)) return fmt::format("{} or more", range.low);
  if (std::isinf(range.low)) return fmt::format("{} or less", range.high);
  return fmt::format("from {} to {}", range.low, range.high);
}

// ---- Files to tree. ----

Place place_of(const toml::source_region& region, const std::string& file) {
  return {file, region.begin.line, region.begin.column};
}

Node convert(const toml::node& from, const std::string& file) {
  Node node{.place = place_of(from.source(), file)};
  if (const auto* table = from.as_table()) {
    for (auto&& [key, child] : *table) {  // sorted by key
      Node& added = node.items.emplace_back(convert(child, file));
      added.key = key.str();
      added.key_place = place_of(key.source(), file);
    }
  } else if (const auto* array = from.as_array()) {
    node.value = ListTag{};
    for (auto&& child : *array) node.items.push_back(convert(child, file));
  } else if (const auto* flag = from.as_boolean()) {
    node.value = flag->get();
  } else if (const auto* whole = from.as_integer()) {
    node.value = whole->get();
  } else if (const auto* decimal = from.as_floating_point()) {
    node.value = decimal->get();
  } else if (const auto* text = from.as_string()) {
    node.value = text->get();
  } else if (const auto* date = from.as_date()) {
    const toml::date day = date->get();
    node.value = Date(std::chrono::year(day.year), std::chrono::month(day.month), std::chrono::day(day.day));
  } else {
    node.value = TimeTag{};
  }
  return node;
}

std::string parse_failure(const toml::parse_error& error) {
  std::string_view text = error.description();
  constexpr std::string_view prefix = "Error while parsing ";
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  return std::string(text);
}

std::string path_to(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

bool has_tables(const Node& list) {
  return list.is<ListTag>() && !list.items.empty() &&
         std::all_of(list.items.begin(), list.items.end(), [](const Node& e) { return e.is<TableTag>(); });
}

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

// Merges `over` into `base`. Changes are recorded in `log`, if given.
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

// A file's text, or why there is none and what to do.
struct FileText {
  std::optional<std::string> text{};
  std::string why{}, remedy = "correct the path";
};

// A config may come through a pipe of the shell, as in headroom check <(...). Devices and named pipes, which
// may have no end, are refused.
FileText read_file(const std::string& file) {
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  const auto fail = [&](std::string why, std::string remedy = "correct the path") {
    if (descriptor >= 0) close(descriptor);
    return FileText{{}, std::move(why), std::move(remedy)};
  };
  if (descriptor < 0) {
    if (errno == ENOENT) return fail("there is no file of that name");
    if (errno == EACCES) return fail("permission is denied", "allow this user to read it");
    return fail(std::strerror(errno));
  }
  struct stat status {};
  struct statfs system {};
  if (fstat(descriptor, &status) != 0 || fstatfs(descriptor, &system) != 0) return fail(std::strerror(errno));
  const bool of_shell = S_ISFIFO(status.st_mode) && system.f_type == PIPEFS_MAGIC;
  if (S_ISDIR(status.st_mode)) return fail("it is a folder", "name a file in it");
  if (!S_ISREG(status.st_mode) && !of_shell)
    return fail("it is a device or a named pipe", "name a regular file");
  fcntl(descriptor, F_SETFL, O_RDONLY);
  std::string text, part(1 << 16, '\0');
  for (;;) {
    const ssize_t got = ::read(descriptor, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(std::strerror(errno));
    if (got == 0) break;
    text.append(part, 0, static_cast<std::size_t>(got));
    if (text.size() > kMostBytes) return fail("it has more than 16 MiB", "name a config, or split it");
  }
  close(descriptor);
  return {std::move(text)};
}

// The first place where keys or brackets are so deep that reading them would end the stack. Strings and
// comments are skipped; what is wrong in another way is left to the parser.
struct TooDeep {
  std::uint32_t line = 1, column = 1;
  const char* what = "";
};

std::optional<TooDeep> too_deep(std::string_view text) {
  TooDeep at;
  std::size_t parts = 1, nested = 0;
  std::string_view quote;  // the quotes that end the string we are in
  for (std::size_t i = 0; i < text.size(); ++i, ++at.column) {
    const char c = text[i];
    if (!quote.empty()) {
      if (c == '\\' && quote.front() == '"') {
        ++i, ++at.column;
      } else if (text.substr(i).starts_with(quote)) {
        i += quote.size() - 1;
        quote = {};
      } else if (c == '\n' && quote.size() == 1) {
        quote = {};
      }
    } else if (c == '"' || c == '\'') {
      const std::string_view three = text.substr(i, 3);
      quote = three == "\"\"\"" || three == "\'\'\'" ? three : text.substr(i, 1);
      i += quote.size() - 1;
    } else if (c == '#') {
      while (i + 1 < text.size() && text[i + 1] != '\n') ++i;
    } else if (c == '.') {
      at.what = "a key of more than 32 parts";
      if (++parts > kMostParts) return at;
    } else if (c == '[' || c == '{') {
      at.what = "more than 32 brackets in each other";
      parts = 1;
      if (++nested > kMostNested) return at;
    } else if (c == ']' || c == '}') {
      nested -= nested > 0 ? 1 : 0;
    } else if (c == '=' || c == ',' || c == '\n') {
      parts = 1;
    }
    if (i < text.size() && text[i] == '\n') ++at.line, at.column = 0;
  }
  return std::nullopt;
}

// Reads a file and the files that it includes.
class Loader {
 public:
  Loader(const Sources& sources, Problems& problems) : read_(read_file), problems_(problems) {
    if (!sources.read) return;
    read_ = [read = sources.read](const std::string& file) {
      return FileText{read(file), "there is no file of that name"};
    };
  }

  Node load(const std::string& file, const Place& asked_at) {
    namespace fs = std::filesystem;
    std::error_code ignored;
    const std::string identity = fs::weakly_canonical(file, ignored).string();
    if (std::find(open_.begin(), open_.end(), identity) != open_.end()) {
      problems_.add(asked_at, fmt::format("'{}' includes itself", file),
                    "a file cannot lie below itself, directly or through others", "remove this include");
      return {};
    }
    if (!done_.insert(identity).second) return {};
    if (open_.size() >= kMostIncludes) {
      problems_.add(asked_at, fmt::format("'{}' is included too deep", cut(file, 200)),
                    fmt::format("{} files include each other one below the other", kMostIncludes),
                    "include it higher up");
      return {};
    }
    Node own = parse(file, asked_at);
    check_ids(own);

    Node below{.place = {file, 1, 1}};
    open_.push_back(identity);
    if (const Node* include = own.find("include")) {
      if (!include->is<ListTag>()) wrong_include(*include);
      for (const Node& each : include->items) {
        const auto* name = std::get_if<std::string>(&each.value);
        if (name != nullptr && printable(*name) != *name) {
          problems_.add(each.place, fmt::format("{} is not a file name", in_quotes(*name)),
                        "it holds a control character", "correct the path");
        } else if (name != nullptr) {
          const fs::path included = (fs::path(file).parent_path() / *name).lexically_normal();
          merge(below, load(included.string(), each.place), "", nullptr, problems_);
        } else {
          wrong_include(each);
        }
      }
      std::erase_if(own.items, [](const Node& each) { return each.key == "include"; });
    }
    open_.pop_back();
    merge(below, std::move(own), "", nullptr, problems_);
    return below;
  }

 private:
  Node parse(const std::string& file, const Place& asked_at) {
    const FileText got = read_(file);
    if (!got.text) {
      problems_.add(asked_at, fmt::format("cannot read '{}'", cut(file, 200)), got.why, got.remedy);
      return {};
    }
    if (const auto deep = too_deep(*got.text)) {
      problems_.add({file, deep->line, deep->column}, deep->what, "no config is so deep",
                    "correct the text here");
      return {};
    }
    try {
      return convert(toml::parse(std::string_view(*got.text), std::string_view(file)), file);
    } catch (const toml::parse_error& error) {
      problems_.add(place_of(error.source(), file), "not valid TOML", parse_failure(error),
                    "correct the text here");
      return {};
    }
  }

  void wrong_include(const Node& node) {
    problems_.add(node.place, "'include' holds " + kind_name(node), "an array of file names is expected",
                  "write include = [\"market.toml\"]");
  }

  // --set and merging find elements by their id.
  void check_ids(const Node& node) {
    std::map<std::string, Place> seen;
    for (const Node& each : node.items) {
      check_ids(each);
      const std::string& id = node.is<ListTag>() ? id_of(each) : "";
      const Node* written = node.is<ListTag>() ? each.find("id") : nullptr;
      if (id.empty() && written != nullptr && written->is<std::string>()) {
        problems_.add(written->place, "id \"\" cannot be addressed",
                      "an id is made of letters, digits, '-' and '_'", "rename it");
      }
      if (id.empty()) continue;
      const Place& place = each.find("id")->place;
      const auto [first, is_new] = seen.emplace(id, place);
      if (!is_new) {
        problems_.add(place, fmt::format("id {} is given twice", in_quotes(id)),
                      "first at " + to_string(first->second), "rename one of them");
      }
      if (id.find_first_not_of(id_letters) != id.npos) {
        problems_.add(place, fmt::format("id {} cannot be addressed", in_quotes(id)),
                      "an id is made of letters, digits, '-' and '_'", "rename it");
      }
    }
  }

  static constexpr const char* id_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

  std::function<FileText(const std::string&)> read_;
  Problems& problems_;
  std::vector<std::string> open_{};  // the files being read, each included by the one before
  std::set<std::string> done_{};
};

// The value of key=value, which begins after `equals`: TOML, or a bare word for a string.
std::optional<Node> parse_value(const std::string& assignment, std::size_t equals, const Place& place,
                                Problems& problems) {
  const std::string text = assignment.substr(equals + 1);
  if (const auto deep = too_deep(text)) {
    problems.add(place, deep->what, "no config is so deep", "correct the value");
    return std::nullopt;
  }
  try {
    // Padded, so that columns are those in the argument.
    const std::string line = "v" + std::string(std::max<std::size_t>(equals, 1) - 1, ' ') + "=" + text;
    const toml::table parsed = toml::parse(std::string_view(line));
    if (parsed.size() == 1) return convert(*parsed.get("v"), place.file);
  } catch (const toml::parse_error&) {
    const bool bare = !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) != 0 &&
                      std::all_of(text.begin(), text.end(), [](unsigned char c) {
                        return std::isalnum(c) != 0 || std::strchr("-_./", c) != nullptr;
                      });
    if (bare) return Node{.place = place, .value = text};
  }
  problems.add(place, fmt::format("'{}' is no value", cut(text, 200)),
               "a number, true, false, a date, a word or a TOML value is expected",
               "write for example 0.95, 2026-12-31, name or '\"two words\"'");
  return std::nullopt;
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

std::string item_label(std::string_view key, std::size_t index) { return fmt::format("{}[{}]", key, index); }

// ---- Canonical text. ----

void write_canonical(const Node& node, const std::string& path, std::string& out) {
  const bool tables = node.is<ListTag>() && !node.items.empty() &&
                      std::all_of(node.items.begin(), node.items.end(),
                                  [](const auto& e) { return e.template is<TableTag>(); });
  if (node.items.empty() || (node.is<ListTag>() && !tables)) {
    if (!path.empty()) out += fmt::format("{} = {}\n", path, value_text(node));
    return;
  }
  const bool by_id = is_list_by_id(node);
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Node& each = node.items[i];
    const std::string key = by_id ? id_of(each) : each.key;
    write_canonical(each, tables && !by_id ? item_label(path, i) : path_to(path, key), out);
  }
}

// ---- TOML text. ----

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

}  // namespace

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
  const auto* nodes = ask_list(key, fmt::format("an array, each {},", wording<T>.first), !fallback);
  if (nodes == nullptr) return fallback.value_or(std::vector<T>());
  std::vector<T> values;
  for (std::size_t i = 0; i < nodes->size(); ++i) {
    if (const auto value = as<T>((*nodes)[i], item_label(key, i), problems())) values.push_back(*value);
  }
  return values;
}

std::string Table::text(std::string_view key, const std::optional<std::string>& fallback) const {
  return scalar<std::string>(key, !fallback).value_or(fallback.value_or(""));
}

bool Table::flag(std::string_view key, std::optional<bool> fallback) const {
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
  std::vector<double> usable = fallback ? *fallback : std::vector<double>(size.value_or(0), range.usable());
  const auto* list = ask_list(key, "an array of numbers" + unit_of(key).phrase, !fallback);
  if (list == nullptr) return usable;
  if (size && list->size() != *size) {
    problems().add(place(key), fmt::format("'{}' has {} numbers", key, list->size()),
                   fmt::format("{} are expected", *size), fmt::format("write {} numbers", *size));
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
  if (!usable) {
    document_->absent_.push_back(std::make_unique<Node>());
    node = document_->absent_.back().get();
  }
  node->path = path_to(node_->path, std::string(key));
  node->title = fmt::format("[{}]", node->path);
  return {*document_, *node, !usable};
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

// ---- Document. ----

Document::Document(const Sources& sources)
    : root_(std::make_unique<Node>(Loader(sources, problems_).load(sources.file, {.file = sources.file}))) {
  for (const std::string& overlay : sources.overlays) {
    merge(*root_, Loader(sources, problems_).load(overlay, {.file = overlay}), "", &overrides_, problems_);
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
  if (path == "include") {
    problems_.add(place_at(0), "'include' cannot be set", "files are included before --set is read",
                  "lay the file over the config with --overlay");
    return;
  }
  if (static_cast<std::size_t>(std::count(path.begin(), path.end(), '.')) >= kMostParts) {
    problems_.add(place_at(0), "a key of more than 32 parts", "no config is so deep", "correct the key");
    return;
  }
  std::optional<Node> value = parse_value(assignment, equals, place_at(equals + 1), problems_);
  if (!value) return;

  Node* at = root_.get();
  for (std::size_t begin = 0, end = 0; begin <= path.size(); begin = end + 1) {
    end = std::min(path.find('.', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    const std::string above = path.substr(0, begin == 0 ? 0 : begin - 1);
    const bool last = end == path.size();
    if (name.empty() || (last && name == "id") || (last && at->is<ListTag>())) {
      problems_.add(place_at(begin), fmt::format("'{}' cannot be set", path),
                    "a path names tables, elements by their id, and last a key other than id",
                    "write for example site.vineland-1.gpus=100");
      return;
    }
    if (at->is<ListTag>() && (is_list_by_id(*at) || at->items.empty())) {
      Node* element = find_id(*at, name);
      if (element == nullptr) {
        std::vector<std::string> known;
        for (const Node& each : at->items) known.push_back(id_of(each));
        const auto hint = nearest(name, known);
        problems_.add(place_at(begin), fmt::format("'{}' has no element \"{}\"", above, name),
                      known.empty() ? "it is empty" : "its ids are " + listed(known),
                      hint ? fmt::format("did you mean \"{}\"?", *hint) : "take one of these");
        return;
      }
      at = element;
      continue;
    }
    if (!at->is<TableTag>()) {
      problems_.add(place_at(begin), fmt::format("'{}' has no keys", above), "it is " + kind_name(*at),
                    "set it as a whole");
      return;
    }
    Node* child = at->find(name);
    if (last) {
      value->key = name;
      value->key_place = place_at(begin);
      if (child != nullptr) {
        merge(*child, std::move(*value), path, &overrides_, problems_);
      } else {
        overrides_.push_back({path, "", value_text(*value), value->place});
        at->insert(std::move(*value));
      }
      return;
    }
    if (child == nullptr)
      child = &at->insert({.key = name, .key_place = place_at(begin), .place = place_at(begin)});
    at = child;
  }
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
  write_canonical(*root_, "", text);
  return text;
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
