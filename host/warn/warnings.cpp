// SPDX-License-Identifier: Apache-2.0
#include "host/warn/warnings.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "host/plan/make_plan.hpp"
#include "host/plan/plan_table.hpp"
#include "host/warn/usual.hpp"

namespace headroom {

namespace {

using config::Place;
using config::Setting;

// Years before and after as_of in which a date is usual: GPUs of the past and leases of the future.
constexpr int kYearsBefore = 15, kYearsAfter = 40;
// EBITDA over revenue of the whole plan. [R] 32 to 60%, [D] 68% of contracted revenue before SG&A; the ends:
// assumption.
constexpr double kLeastMargin = -0.5, kMostMargin = 0.9;

// site.abilene.steps[2].at -> site.*.steps[].at, and the object abilene.
struct Pattern {
  std::string key{}, object{}, last{};
};

Pattern pattern_of(const std::string& key) {
  static const std::set<std::string> lists = {"site",     "contract", "customer",   "entity",        "tranche",
                                              "covenant", "gpu",      "launch",     "equity_inflow", "delay",
                                              "rating",   "guidance", "correlation"};
  Pattern found;
  std::string kind;
  for (std::size_t begin = 0, part = 0; begin <= key.size(); ++part) {
    const std::size_t end = std::min(key.find('.', begin), key.size());
    std::string word = key.substr(begin, end - begin);
    begin = end + 1;
    if (part == 0) kind = word;
    found.last = word;
    if (part == 1 && lists.contains(kind)) {
      found.object = word;
      word = std::string(1, '*');
    } else if (const auto row = word.find('['); row != std::string::npos) {
      word.resize(row), word += "[]";
    }
    if (part > 0) found.key += '.';
    found.key += word;
  }
  return found;
}

bool is_price(const std::string& key) { return pattern_of(key).key == "gpu.*.price_usd_per_gpu_hour"; }

bool is_size(const std::string& key) {
  const std::string pattern = pattern_of(key).key;
  return pattern == "site.*.gpus" || pattern == "site.*.it_mw" || pattern == "site.*.capex_usd_per_gpu" ||
         pattern == "site.*.fit_out_musd_per_mw";
}

std::string figure(double x) { return fmt::format("{:.3g}", x); }

class Warnings {
 public:
  explicit Warnings(const Company& company) : company_(company), said_(company) {
    for (const Usual& each : usual_ranges()) rows_.emplace(each.key, &each);
    // A price or a site's size that is wrong must not accuse what is measured against it.
    check_all(is_price);
    if (!problems_.empty()) said_.distrust_prices();
    const std::size_t prices = seen_.size();
    check_all(is_size);
    if (seen_.size() > prices) said_.distrust_sites();
    check_all([](const std::string& key) { return !is_price(key) && !is_size(key); });
    if (problems_.empty()) check_margin();
  }
  std::vector<config::Problem> sorted() const { return problems_.sorted(); }

 private:
  void add(const Place& place, const std::string& problem, const std::string& why, const std::string& remedy) {
    if (seen_.insert(config::to_string(place)).second) problems_.add(place, problem, why, remedy);
  }

  template <class Which>
  void check_all(const Which& which) {
    for (const Setting& each : company_.settings) {
      if (which(each.key)) check(each);
    }
  }

  void check(const Setting& setting) {
    if (setting.origin == Setting::Origin::standard) return;
    check_date(setting);
    const Pattern pattern = pattern_of(setting.key);
    for (const std::string& key : {setting.key, pattern.key}) {
      const auto [first, last] = rows_.equal_range(key);
      for (auto row = first; row != last; ++row) compare(*row->second, pattern, setting);
    }
  }

  void compare(const Usual& row, const Pattern& pattern, const Setting& setting) {
    const double against = row.against == nullptr ? 1.0 : row.against(said_, pattern.object);
    if (!(against > 0)) return;
    for (const Setting::Number& number : setting.numbers) {
      const double ratio = std::fabs(number.value) / against;
      if (number.value == 0 || (ratio >= row.low && ratio <= row.high)) continue;
      const std::string compared =
          row.against == nullptr ? "" : fmt::format("{} {}; ", figure(ratio), row.unit);
      add(number.place, fmt::format("'{}' is {}", pattern.last, number.value),
          fmt::format("{}usual: {} to {}{}; {}", compared, figure(row.low), figure(row.high),
                      row.against == nullptr && !row.unit.empty() ? fmt::format(" {}", row.unit) : "",
                      row.source),
          "is its unit right?");
    }
  }

  void check_date(const Setting& setting) {
    int year = 0;
    const std::string& text = setting.value;
    if (text.size() != 10 || text[4] != '-' || text[7] != '-' ||
        std::from_chars(text.data(), text.data() + 4, year).ec != std::errc()) {
      return;
    }
    const int now = static_cast<int>(company_.as_of.year());
    if (year >= now - kYearsBefore && year <= now + kYearsAfter) return;
    add(setting.place, fmt::format("'{}' is {}", pattern_of(setting.key).last, text),
        fmt::format("the company stands at {}", config::format_date(company_.as_of)), "is the year right?");
  }

  void check_margin() {
    Company company = company_;
    make_plan(company.data);
    const Scenario scenario = company.data.view();
    double revenue = 0, ebitda = 0;
    for (const PlanPeriod& each : plan_table(company, scenario, plan_trace(scenario)).quarters)
      revenue += each.revenue, ebitda += each.ebitda;
    if (!(revenue > 0)) return;
    const double margin = ebitda / revenue;
    if (margin >= kLeastMargin && margin <= kMostMargin) return;
    for (const Setting& each : company_.settings) {
      if (each.key != "company.name") continue;
      add(each.place, fmt::format("the plan's EBITDA is {:.0f}% of its revenue", 100 * margin),
          fmt::format("usual: {:.0f} to {:.0f}%; assumption, after 32 to 60% reported [R]", 100 * kLeastMargin,
                      100 * kMostMargin),
          "are prices, power and leases in their units? headroom plan shows the quarters");
    }
  }

  const Company& company_;
  Said said_;
  std::multimap<std::string, const Usual*> rows_{};
  std::set<std::string> seen_{};
  config::Problems problems_{};
};

}  // namespace

std::vector<config::Problem> warnings_of(const Company& company) { return Warnings(company).sorted(); }

}  // namespace headroom
