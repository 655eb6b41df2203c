// SPDX-License-Identifier: Apache-2.0
#include "host/book/book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "host/config/reader.hpp"
#include "host/study/gates.hpp"

namespace headroom::book {

namespace {

using config::Table;
using Texts = std::vector<std::string>;

struct Scenario {
  Texts overlays{};
  double priority = 0;
};

Texts gates_of(const Table& table, const Texts& common) {
  Texts gates = table.texts("gates", Texts{});
  for (const std::string& each : gates) {
    try {
      study::parse_gate(each);
    } catch (const std::invalid_argument& error) {
      table.reject("gates", error.what(), "correct it");
    }
  }
  gates.insert(gates.begin(), common.begin(), common.end());
  return gates;
}

std::optional<int> minute_of_day(const Table& table) {
  if (!table.has("by")) return {};
  const std::string text = table.text("by");
  int hour = 0, minute = 0, used = 0;
  if (std::sscanf(text.c_str(), "%2d:%2d%n", &hour, &minute, &used) == 2 &&
      used == static_cast<int>(text.size()) && hour >= 0 && hour < 24 && minute >= 0 && minute < 60)
    return hour * 60 + minute;
  table.reject("by", "it is no time of day", "write hours and minutes, as 06:00");
  return {};
}

std::uint64_t paths_of(const Table& table, double fallback) {
  return static_cast<std::uint64_t>(table.number("paths", config::between(1, 1e15), fallback));
}

}  // namespace

Book load_book(const std::filesystem::path& file, std::optional<std::uint64_t> paths) {
  config::Document document({.file = file.string()});
  const Table root = document.root();
  const std::filesystem::path folder = file.parent_path();
  Book book;
  book.name = root.text("name", file.stem().string());
  book.by_minute = minute_of_day(root);
  book.keep_nights = root.integer("keep_nights", config::between(0, 100'000), 0);
  book.headlines =
      root.texts("headlines", Texts{"default.12m", "default.24m", "default.60m", "event_of_default.24m",
                                    "any_breach.24m", "fcf.total.p5", "fcf.total.p50", "least_liquidity.p5"});
  const double common_paths = root.number("paths", config::between(1, 1e15), 100'000.0);
  const auto seed = static_cast<std::uint64_t>(root.number("seed", config::between(0, 9e15), 1.0));
  const bool why = root.flag("why", false);
  const Texts common_gates = gates_of(root, {});

  std::vector<std::string> ids{"base"};
  std::vector<Scenario> scenarios{{}};
  // Ids become names of folders: the reader lets nothing into them that would not do.
  for (const Table& each : root.tables("scenario")) {
    if (each.id() == "base") each.reject("id", "'base' is the company without overlays", "take another id");
    ids.push_back(each.id());
    scenarios.push_back({each.texts("overlays"), each.number("priority", {}, 0.0)});
  }
  for (const Table& each : root.tables("company", 1)) {
    const std::string config = each.text("config");
    const double priority = each.number("priority", {}, 0.0);
    const std::uint64_t count = paths.value_or(paths_of(each, common_paths));
    const bool tells_why = each.flag("why", why);
    const Texts gates = gates_of(each, common_gates);
    const std::vector<std::int32_t> chosen =
        each.has("scenarios") ? each.refs("scenarios", ids) : std::vector<std::int32_t>{0};
    for (const std::int32_t k : chosen) {
      const Scenario& scenario = scenarios[static_cast<std::size_t>(k)];
      Entry entry{each.id(), ids[static_cast<std::size_t>(k)], folder / config,     {},   count,
                  seed,      priority + scenario.priority,     tells_why && k == 0, gates};
      for (const std::string& overlay : scenario.overlays) entry.overlays.push_back(folder / overlay);
      book.entries.push_back(std::move(entry));
    }
  }
  document.finish();
  book.hash = document.hash();
  std::stable_sort(book.entries.begin(), book.entries.end(),
                   [](const Entry& a, const Entry& b) { return a.priority > b.priority; });
  return book;
}

}  // namespace headroom::book
