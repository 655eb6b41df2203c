// SPDX-License-Identifier: Apache-2.0
// Reads TOML so that a loader is a list of keys. Every value keeps the place where it was written, through
// includes, overlays and --set. A wrong value is recorded and a usable one returned, so all problems are
// reported together. A key that nobody read is an error.
//
//   Document document({.file = "configs/x.toml", .overlays = {}, .sets = {"site.a.gpus=100"}});
//   const Table root = document.root();
//   scenario.fee = root.table("debt").real("fee_musd", non_negative());
//   document.finish();  // throws ConfigError with everything that was wrong
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "host/config/problems.hpp"

namespace headroom::config {

// ---- Dates. Month k ends k calendar months after as_of, which is itself a month end. ----

using Date = std::chrono::year_month_day;

float months_between(Date as_of, Date date);  // (k - 1) + day / days in that month: exactly k at a month end
Date month_end(Date as_of, int months);       // the inverse at month ends
std::string format_date(Date date);           // 2026-03-31
std::string format_month(Date date);          // 2026-03

// ---- Constraints on numbers. ----

struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool above_low = false;  // low itself is excluded
  std::string why{};       // empty: made from the bounds
  std::string remedy{};

  bool holds(double value) const { return value <= high && (above_low ? value > low : value >= low); }
  double usable() const;  // some value inside the range; 1 if it is inside
  Range because(std::string reason) const;
};

Range share();  // 0 to 1
Range positive();
Range non_negative();
Range at_least(double low);
Range between(double low, double high);

// ---- The cursor. ----

struct Node;
class Document;

// One value of the effective config, with where it comes from.
struct Setting {
  enum class Origin { written, inherited, standard };  // inherited: from [defaults.site], say
  struct Number {
    double value;
    Place place;
  };
  std::string key;              // site.abilene.pue
  std::string value;            // as in canonical_text()
  Origin origin;                // standard: the loader's default
  Place place;                  // of the value; of a default: none, its file is empty
  std::string from;             // inherited: the title of the table that has it
  std::string was;              // written by an overlay or --set: the value that it replaced
  std::vector<Number> numbers;  // of a number or a list of them
};
std::string origin_text(const Setting& setting);  // configs/demo.toml:12, [defaults.site]

// One table of the config. Cheap to copy; valid while its document lives. A key without a fallback is
// required. After a problem every reader returns its fallback, or else a value inside the range.
class Table {
 public:
  double number(std::string_view key, const Range& range = {}, std::optional<double> fallback = {}) const;
  float real(std::string_view key, const Range& range = {}, std::optional<double> fallback = {}) const;
  std::int32_t integer(std::string_view key, const Range& range = {},
                       std::optional<std::int32_t> fallback = {}) const;
  std::string text(std::string_view key, const std::optional<std::string>& fallback = {}) const;
  bool flag(std::string_view key, std::optional<bool> fallback = {}) const;
  Date date(std::string_view key, std::optional<Date> fallback = {}) const;
  Date date_at_month_end(std::string_view key) const;  // as_of
  // A date, in months after as_of.
  float months(std::string_view key, Date as_of, std::optional<float> fallback = {}) const;

  // Arrays. size: the exact number of elements, if fixed. A missing array without a fallback is a problem.
  std::vector<double> numbers(std::string_view key, const Range& range = {},
                              std::optional<std::size_t> size = {},
                              const std::optional<std::vector<double>>& fallback = {}) const;
  std::vector<std::string> texts(std::string_view key,
                                 const std::optional<std::vector<std::string>>& fallback = {}) const;

  // choice<Kind>("kind", {{"training", Kind::training}, {"inference", Kind::inference}})
  template <class E>
  E choice(std::string_view key, std::initializer_list<std::pair<std::string_view, E>> choices,
           std::optional<std::type_identity_t<E>> fallback = {}) const {
    return choice<E>(key, std::vector<std::pair<std::string_view, E>>(choices), fallback);
  }
  template <class E>
  E choice(std::string_view key, const std::vector<std::pair<std::string_view, E>>& choices,
           std::optional<std::type_identity_t<E>> fallback = {}) const {
    std::vector<std::string> names;
    names.reserve(choices.size());
    for (const auto& each : choices) names.emplace_back(each.first);
    const std::int32_t index = pick(key, names, !fallback);
    if (index < 0) {
      for (const auto& each : choices) {
        if (fallback && each.second == *fallback) assume(key, '"' + std::string(each.first) + '"');
      }
      return fallback ? *fallback : choices.front().second;
    }
    return choices[static_cast<std::size_t>(index)].second;
  }

  // Index of the named object among the ids; -1 if no id matches, or if an optional key is missing. refs()
  // leaves out names that it does not find, and is empty if the key is missing.
  std::int32_t ref(std::string_view key, const std::vector<std::string>& ids, bool required = true) const;
  std::vector<std::int32_t> refs(std::string_view key, const std::vector<std::string>& ids) const;

  // A missing table is one problem; reading from it adds no others. section(): it may be missing, and every key
  // then has its fallback.
  Table table(std::string_view key) const;
  Table section(std::string_view key) const;
  std::optional<Table> optional_table(std::string_view key) const;
  // [[key]]: tables() with an id each, rows() without ids.
  std::vector<Table> tables(std::string_view key, std::size_t at_least = 0) const {
    return elements(key, at_least, true);
  }
  std::vector<Table> rows(std::string_view key, std::size_t at_least = 0) const {
    return elements(key, at_least, false);
  }
  const std::string& id() const;

  // For checks across several keys.
  bool has(std::string_view key) const;
  Place place() const;
  Place place(std::string_view key) const;  // of the value; of the table if the key is missing
  // Checks the order of two dates, if both are given.
  void in_order(std::string_view first, std::string_view second) const;
  // Says what stands for a key that is not written, where no reader's fallback does: a value, or another
  // table's.
  void assume(std::string_view key, const std::string& value) const;
  void inherit(std::string_view key, const Table& from) const;
  // Reports "'key' is 3 (why); remedy".
  void reject(std::string_view key, std::string_view why, std::string_view remedy) const;

 private:
  friend class Document;
  Table(Document& document, Node& node, bool absent) : document_(&document), node_(&node), absent_(absent) {}

  Table unwritten(std::string_view key) const;
  void stand(std::string_view key, const std::string& value, std::vector<Setting::Number> numbers) const;
  Node* ask(std::string_view key, std::string_view expected, bool required) const;
  std::vector<Node>* ask_list(std::string_view key, std::string_view expected, bool required) const;
  template <class T>
  std::optional<T> scalar(std::string_view key, bool required) const;
  template <class T>
  std::vector<T> list(std::string_view key, const std::optional<std::vector<T>>& fallback) const;
  std::int32_t pick(std::string_view key, const std::vector<std::string>& names, bool required) const;
  std::int32_t find_ref(std::string_view key, const Node& value, const std::vector<std::string>& ids) const;
  std::vector<Table> elements(std::string_view key, std::size_t at_least, bool with_id) const;
  Problems& problems() const;

  Document* document_;
  Node* node_;
  bool absent_;
};

std::vector<std::string> ids(const std::vector<Table>& tables);

// ---- The document. ----

struct Sources {
  std::string file;
  std::vector<std::string> overlays{};  // files merged over the config; a later one wins
  std::vector<std::string> sets{};      // key=value, applied last
  std::function<std::optional<std::string>(const std::string& file)> read{};  // empty: reads from disk
  std::shared_ptr<const Node> parsed{};  // `file` with its includes, if it was read before: see parsed_file()
  std::function<void(const std::string& file, const std::string& text)> seen{};  // may be empty; told of each
};
// For a file that is loaded many times with different overlays and sets. Throws ConfigError.
std::shared_ptr<const Node> parsed_file(const Sources& sources);

struct Override {
  std::string key;        // site.vineland-1.gpus
  std::string old_value;  // as in canonical_text(); empty if the key was not there before
  std::string new_value;  // empty if the key was taken away
  Place place;
};

// A file may start with include = ["market.toml"]. The included file (path relative to this file, read once)
// is the base, and this file is merged over it. Tables merge key by key, arrays of tables with ids merge by
// id, anything else is replaced. What overlays may do, and must say: host/config/merge.hpp.
class Document {
 public:
  explicit Document(const Sources& sources);  // throws ConfigError when a file cannot be read or parsed
  ~Document();
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  Table root();
  Problems& problems() { return problems_; }
  const std::vector<Override>& overrides() const { return overrides_; }  // by overlays and --set, in order

  void report_unread();  // reports unread and missing keys; call once, after all reading
  void finish();         // report_unread(), then throws ConfigError if there is a problem

  // The effective config: one line per value, keys sorted, elements in their order. Its hash is FNV-1a, 16
  // hex digits.
  std::string canonical_text() const;
  // The effective config as one TOML file without includes. Read again, it has the same canonical_text().
  std::string toml_text() const;
  std::string hash() const;
  // Every value that the loader has read or assumed, by key. Call after all reading.
  std::vector<Setting> settings() const;

 private:
  friend class Table;
  void set(const std::string& assignment);

  Problems problems_{};  // first member: reading the root fills it
  std::unique_ptr<Node> root_;
  std::vector<std::unique_ptr<Node>> absent_{};  // stand for missing tables
  std::vector<Override> overrides_{};
};

}  // namespace headroom::config
