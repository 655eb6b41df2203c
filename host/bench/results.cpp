// SPDX-License-Identifier: Apache-2.0
// The suite's rows as a table and as JSON.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "headroom_build.hpp"
#include "host/bench/suite.hpp"

namespace headroom::bench {

namespace {

// 12.3 ms, 4.56 us: three significant digits.
std::string with_prefix(double value, const std::string& unit) {
  struct Prefix {
    double factor;
    const char* text;
  };
  static constexpr std::array<Prefix, 8> kPrefixes = {
      {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}, {1e-3, "m"}, {1e-6, "u"}, {1e-9, "n"}}};
  if (!(value > 0)) return "0 " + unit;
  for (const Prefix& prefix : kPrefixes) {
    if (value < 0.9995 * prefix.factor) continue;
    const double shown = value / prefix.factor;
    return fmt::format("{:.{}f} {}{}", shown, shown < 10 ? 2 : shown < 100 ? 1 : 0, prefix.text, unit);
  }
  return fmt::format("{:.2g} {}", value, unit);
}

std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace

std::string table_head() {
  const std::string head = fmt::format("  {:<34} {:>9} {:>6} {:>9} {:>12} {:>9} {:>8}\n", "row", "median",
                                       "spread", "an item", "items/s", "item", "x floor");
  return head + "  " + std::string(head.size() - 3, '-') + "\n";
}

std::string table_line(const Row& row) {
  if (row.seconds.empty())
    return fmt::format("  {:<34} {}{}\n", row.name, row.wrong ? "WRONG: " : "", row.note);
  const double median = row.median();
  const std::string spread = row.seconds.size() > 1 && median > 0
                                 ? fmt::format("{:.0f}%", 100 * (row.most() - row.least()) / median)
                                 : "-";
  const std::string share =
      row.floor_seconds > 0 && median > 0 ? fmt::format("{:.1f}", median / row.floor_seconds) : "";
  return fmt::format("  {:<34} {:>9} {:>6} {:>9} {:>12} {:>9} {:>8}\n", row.name, with_prefix(median, "s"),
                     spread, with_prefix(median / row.items, "s"),
                     median > 0 ? with_prefix(row.items / median, "/s") : "-",
                     row.item.size() > 9 ? row.item.substr(0, 9) : row.item, share);
}

std::string table_foot() {
  return "  median: of the repetitions, wall time; spread: the longest less the shortest, of the median. x "
         "floor: times\n"
         "  the time that the same paths' random numbers alone take on the same threads. Every row's answer "
         "was\n"
         "  checked before it was timed; --json tells against what.\n";
}

std::string to_json(const Settings& settings, const std::vector<std::string>& command,
                    const std::string& device, const std::vector<Row>& rows, bool complete) {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const Row& row : rows) {
    Json entry = {{"name", row.name}, {"note", row.note}, {"measured", !row.seconds.empty()}};
    if (!row.seconds.empty()) {
      const double median = row.median();
      entry.update({{"item", row.item},
                    {"items", row.items},
                    {"seconds", row.seconds},
                    {"median_seconds", median},
                    {"least_seconds", row.least()},
                    {"most_seconds", row.most()},
                    {"items_per_second", median > 0 ? Json(row.items / median) : Json(nullptr)}});
      if (row.path_months > 0) entry["path_months_per_second"] = row.path_months / median;
      if (row.floor_seconds > 0) entry["times_random_floor"] = median / row.floor_seconds;
    }
    list.push_back(entry);
  }
  std::time_t now = std::time(nullptr);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  const Json context = {{"date", date.data()},
                        {"version", build::version},
                        {"commit", build::commit},
                        {"compiler", build::compiler},
                        {"flags", build::flags},
                        {"cuda", build::cuda},
                        {"processor", processor()},
                        {"threads_of_machine", std::thread::hardware_concurrency()},
                        {"backend", settings.backend},
                        {"device", device},
                        {"threads", settings.threads},
                        {"isa", settings.isa},
                        {"repetitions", settings.repetitions},
                        {"row_seconds", settings.row_seconds},
                        {"complete", complete},
                        {"command", command}};
  return Json{{"context", context}, {"rows", list}}.dump(1) + "\n";
}

}  // namespace headroom::bench
