// SPDX-License-Identifier: Apache-2.0
// The catalogue of named figures, the run as a library call, and what a selection costs.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <regex>
#include <set>
#include <string>

#include "host/engine/engine.hpp"
#include "host/figures/catalogue.hpp"
#include "host/report/report.hpp"
#include "host/run/run.hpp"
#include "tests/small_company.hpp"

namespace headroom {
namespace {

Company company(const char* file) { return load_company({.file = configs_dir + file}); }

Request some_paths(std::uint64_t paths, bool by_month = false) {
  Request request;
  request.paths = {5, 0, paths};
  request.by_month = by_month;
  return request;
}

std::map<std::string, Figure> by_name(const std::vector<Figure>& figures) {
  std::map<std::string, Figure> named;
  for (const Figure& figure : figures) named[figure.name] = figure;
  return named;
}

TEST(Figures, NamesAreUniqueAndNeedNoQuotes) {
  const std::regex a_month("-?[0-9]+-[0-9]{2}(?=[.]|$)");
  for (const char* file : config_files) {
    const Company c = company(file);
    const Scenario s = c.data.view();
    const Catalogue all = catalogue(c, s);
    const auto figures = figures_of(all, select_figures(all, s, {}), blank_report(s, {}));
    std::set<std::string> names;
    for (const Figure& figure : figures) {
      EXPECT_TRUE(names.insert(figure.name).second) << file << ": " << figure.name << " twice";
      EXPECT_EQ(figure.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_"), std::string::npos)
          << figure.name;
      EXPECT_FALSE(figure.words.empty()) << figure.name;
      // A name part that looks like a month is a month of the horizon.
      std::smatch month;
      if (std::regex_search(figure.name, month, a_month)) {
        EXPECT_GE(month.str(), config::format_month(config::month_end(c.as_of, 1))) << figure.name;
        EXPECT_LE(month.str(), config::format_month(config::month_end(c.as_of, s.months))) << figure.name;
      }
    }
    EXPECT_GT(names.size(), 1000U) << file;
  }
}

TEST(Figures, CoreWeaveHasThoseThatTheDocumentNames) {
  const Company c = company("coreweave-1q26.toml");
  const Scenario s = c.data.view();
  const Catalogue all = catalogue(c, s);
  EXPECT_TRUE(
      unmatched(all, s,
                {"breach.ddtl-4-dscr.24m", "default.60m", "fcf.2027.p5", "fcf.total.es95",
                 "covenant.ddtl-4-dscr.headroom.2027-09.p5", "customer.openai.lost", "site.denton.late.p95"})
          .empty());
  EXPECT_EQ(unmatched(all, s, {"fcf.*", "fcf.2027.p6"}), std::vector<std::string>{"fcf.2027.p6"});
}

// Every figure of the report's typed places stands in the list under its name.
TEST(Figures, ValuesAreThoseOfTheReport) {
  const Company c = company("demo.toml");
  const Result result = run(c, *make_cpu_backend(), some_paths(2000, true));
  const auto named = by_name(result.figures());
  EXPECT_EQ(named.at("fcf.total.mean").value, result.risk.total_fcf.mean);
  EXPECT_EQ(named.at("fcf.total.mean").standard_error, result.risk.total_fcf.mean_error);
  EXPECT_EQ(named.at("fcf.2027.p5").value, result.risk.years[1].measures[kYearFcf].quantile(5).value);
  EXPECT_EQ(named.at("fcf.2027.p5").low, result.risk.years[1].measures[kYearFcf].quantile(5).low);
  EXPECT_EQ(named.at("fcf.2027.plan").value, result.risk.years[1].plan[kYearFcf]);
  const std::string id = c.covenants[0].id;
  EXPECT_EQ(named.at("breach." + id + ".24m").value,
            result.risk.covenants[0].breach.within[1].probability.value);
  EXPECT_EQ(named.at("breach." + id + ".60m").high, result.risk.covenants[0].breach.by_horizon().high);
  EXPECT_EQ(named.at("breach." + id + ".2028-03").value, named.at("breach." + id + ".24m").value);
  EXPECT_EQ(named.at("default.60m").value, result.risk.liquidity_default.by_horizon().value);
  EXPECT_EQ(named.at("any_breach.60m").value, result.risk.any_breach.by_horizon().value);
  EXPECT_EQ(named.at("debt.2027-12.p50").value, result.risk.bands[kDebt].months[20].quantile(50).value);
  double shares = 0;
  for (const Named& customer : c.customers) shares += named.at("customer." + customer.id + ".fees_share").value;
  EXPECT_NEAR(shares, 1, 1e-12);
}

TEST(Figures, ASelectionAsksNoMoreThanItNeedsAndGivesTheSameValues) {
  const Company c = company("lakeside-template.toml");
  const auto cpu = make_cpu_backend();
  const Result all = run(c, *cpu, some_paths(3000, true));
  const auto expected = by_name(all.figures());
  Request few = some_paths(3000);
  few.only_figures = true;
  few.figures = {"fcf.total.*", "breach.*.24m", "debt.2027-06.p50"};
  const Result some = run(c, *cpu, few);
  EXPECT_LE(some.answers.questions.size(), 2 + c.covenants.size());
  EXPECT_LT(some.answers.questions.size() * 20, all.answers.questions.size());
  std::size_t observed = 0;
  for (const BinRange& bins : some.answers.by_month.bins) observed += bins.shift == kNotCounted ? 0 : 1;
  EXPECT_EQ(observed, 1U);
  const auto figures = some.figures(few.figures);
  EXPECT_GT(figures.size(), 10U);
  for (const Figure& figure : figures) {
    const Figure& whole = expected.at(figure.name);
    EXPECT_TRUE(figure.value == whole.value || (std::isnan(figure.value) && std::isnan(whole.value)))
        << figure.name;
  }
}

// A balance is observed where a pattern names it, and costs nothing where none does.
TEST(Figures, BalancesOfTheTranchesAddUpToTheDebt) {
  const Company c = company("lakeside-template.toml");
  const auto cpu = make_cpu_backend();
  Request asked = some_paths(3000, true);
  const Result without = run(c, *cpu, asked);
  EXPECT_EQ(without.answers.by_month.series, kMeasureCount + static_cast<std::int32_t>(c.covenants.size()));
  EXPECT_EQ(by_name(without.figures()).count("tranche." + c.tranches[0].id + ".balance.2027-12.mean"), 0U);
  asked.figures = {"tranche.*.balance.2027-12.*"};
  const Result with = run(c, *cpu, asked);
  const auto named = by_name(with.figures());
  double mean = 0, plan = 0;
  for (const Named& tranche : c.tranches) {
    mean += named.at("tranche." + tranche.id + ".balance.2027-12.mean").value;
    plan += named.at("tranche." + tranche.id + ".balance.2027-12.plan").value;
  }
  EXPECT_GT(plan, 0);
  EXPECT_NEAR(plan, named.at("debt.2027-12.plan").value, 1e-6 * plan);
  EXPECT_NEAR(mean, named.at("debt.2027-12.mean").value, 1e-6 * mean);
  for (const auto& [name, figure] : by_name(without.figures())) {
    EXPECT_TRUE(std::isnan(figure.value) || figure.value == named.at(name).value) << name;
  }
  asked.figures = {"tranche." + c.tranches[0].id + ".balance.2027-12.p50"};
  asked.by_month = false;
  asked.only_figures = true;
  const auto one = run(c, *cpu, asked).figures(asked.figures);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].value, named.at(asked.figures[0]).value);
}

TEST(Run, MakesItsPlanItself) {
  const Company c = company("demo.toml");
  EXPECT_EQ(c.data.view().has_plan, 0U);
  const Result result = run(c, *make_cpu_backend(), some_paths(500));
  EXPECT_EQ(result.data.view().has_plan, 1U);
  EXPECT_EQ(result.answers.config, c.hash);
  EXPECT_EQ(result.risk.violations.paths, 0U);
  EXPECT_EQ(result.risk.paths, 500U);
}

// The paths of a list are those of the range, whoever asks for them and in whatever order.
TEST(Run, OfAListOfPathsIsTheRunOfThosePaths) {
  const Company c = company("lakeside-template.toml");
  const auto cpu = make_cpu_backend();
  Request range = some_paths(700);
  range.paths.first = 40;
  Request listed = some_paths(1);
  for (std::uint64_t path = 739; path >= 40; --path) listed.list.push_back(path);
  listed.list.push_back(50);  // twice
  EXPECT_EQ(to_bytes(run(c, *cpu, listed).answers), to_bytes(run(c, *cpu, range).answers));
  listed.list = {9, 3, 4};
  EXPECT_EQ(run(c, *cpu, listed).answers.spans, (std::vector<PathSpan>{{3, 2}, {9, 1}}));
}

TEST(Run, RefusesAFigureThatThereIsNotBeforeAnyPath) {
  Request request = some_paths(500);
  request.figures = {"fcf.1999.p5"};
  request.progress = [](std::uint64_t, std::uint64_t) { ADD_FAILURE() << "a path was run"; };
  EXPECT_THROW(run(company("demo.toml"), *make_cpu_backend(), request), UnknownFigure);
}

TEST(ResultsCsv, HoldsEveryFigureOnce) {
  const Company c = company("demo.toml");
  const Result result = run(c, *make_cpu_backend(), some_paths(500, true));
  const std::string csv = report::results_csv(result.figures());
  EXPECT_EQ(csv.substr(0, csv.find('\n')), "figure,value,low,high,standard_error,unit,words");
  EXPECT_EQ(static_cast<std::size_t>(std::count(csv.begin(), csv.end(), '\n')), result.figures().size() + 1);
}

}  // namespace
}  // namespace headroom
