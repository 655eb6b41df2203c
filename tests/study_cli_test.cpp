// SPDX-License-Identifier: Apache-2.0
// Parameter studies: axes, designs, the table, the journal and gates.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "host/report/report.hpp"
#include "host/study/compare.hpp"
#include "host/study/design.hpp"
#include "host/study/gates.hpp"
#include "host/study/journal.hpp"
#include "host/study/paired.hpp"
#include "host/study/solve.hpp"
#include "host/study/study.hpp"
#include "tests/program.hpp"

namespace headroom {
namespace {

study::Base base_of(const std::string& file) { return {{.file = file}, {}, load_company({.file = file})}; }

// What an axis is refused with.
std::string refused(const std::string& axis) {
  const study::Base base = base_of(kDemo);
  try {
    study::check_axes(base, {study::parse_axis(axis, base)});
  } catch (const config::ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(Axis, ReadsListsRangesAndRelativeValues) {
  const study::Base base = base_of(kDemo);
  const study::Axis list = study::parse_axis("late = site.abilene.unplanned_months = 0, 2,4", base);
  EXPECT_EQ(list.name, "late");
  ASSERT_EQ(list.levels.size(), 3U);
  EXPECT_EQ(list.levels[1].text, "2");
  EXPECT_EQ(list.levels[1].sets, std::vector<std::string>{"site.abilene.unplanned_months=2"});

  const study::Axis range = study::parse_axis("tranche.ddtl.spread_per_year = 0.03:0.05:3", base);
  EXPECT_EQ(range.name, "tranche.ddtl.spread_per_year");
  ASSERT_EQ(range.levels.size(), 3U);
  EXPECT_EQ(range.levels[1].text, "0.04");

  const study::Axis added =
      study::parse_axis("spread = tranche.{ddtl,revolver}.spread_per_year = +0.005", base);
  EXPECT_EQ(added.levels.at(0).sets, (std::vector<std::string>{"tranche.ddtl.spread_per_year=0.045",
                                                               "tranche.revolver.spread_per_year=0.035"}));
  const study::Axis factor = study::parse_axis("price = contract.*.price_usd_per_gpu_hour = *1.1", base);
  EXPECT_EQ(factor.keys.size(), 3U);
  EXPECT_NE(std::find(factor.levels.at(0).sets.begin(), factor.levels.at(0).sets.end(),
                      "contract.orion-train.price_usd_per_gpu_hour=3.3"),
            factor.levels.at(0).sets.end());

  const study::Axis dates =
      study::parse_axis("maturity = tranche.notes-2030.maturity = 2030-06-30:2030-07-02:3", base);
  EXPECT_EQ(dates.levels.at(1).text, "2030-07-01");
}

TEST(Axis, FindsListElementsByDateAndByNumber) {
  const study::Base base = base_of(kDemo);
  const std::string second = "covenant.dscr.thresholds[1].value";
  EXPECT_EQ(study::matching_keys("covenant.dscr.thresholds[2028-06-30].value", base.company),
            std::vector<std::string>{second});
  EXPECT_EQ(study::matching_keys("covenant.*.thresholds[*].value", base.company).size(), 2U);
  const study::Axis axis = study::parse_axis("floor = covenant.dscr.thresholds[2028-06-30].value = 1.3", base);
  const Company company = study::load_at(base, {axis}, {axis.levels.at(0)});
  const auto value = [&](const std::string& key) {
    const auto it = std::find_if(company.settings.begin(), company.settings.end(),
                                 [&](const config::Setting& each) { return each.key == key; });
    return it == company.settings.end() ? "" : it->value;
  };
  EXPECT_EQ(value(second), "1.3");
  EXPECT_EQ(value("covenant.dscr.thresholds[0].value"), "1.05");
}

// A pattern does not vary a key that some of its objects may not have.
TEST(Axis, LeavesOutObjectsThatMayNotHaveTheKey) {
  const study::Base base = base_of(kDemo);
  EXPECT_EQ(study::parse_axis("late = site.*.unplanned_months = 0,2", base).keys,
            std::vector<std::string>{"site.abilene.unplanned_months"});
}

TEST(Axis, IsRefusedWithPlaceReasonAndRemedy) {
  const std::pair<const char*, const char*> cases[] = {
      {"late", "--vary late:1:1: 'late' is no axis (a name, keys and values are expected); write 'late = "},
      {"late = site.abilene.unplanned_months = 0,-2",
       "--vary late at -2: site.abilene.unplanned_months:1:31: 'unplanned_months' is -2 (it must be from 0 to "
       "120)"},
      {"late = site.abilene.unplaned_months = 2", "did you mean 'unplanned_months'?"},
      {"late = site.*.unplaned_months = 2",
       "--vary late:1:8: 'site.*.unplaned_months' matches no key of Halcyon Compute (* matches a part of a "
       "name "
       "between dots); did you mean site.*.unplanned_months?"},
      {"gpus = site.abilene.gpus = 10000",
       "'gpus' has no effect (the config is the same at each of its values)"},
      {"gpus = site.abilene.gpus = +10,*2", "--vary gpus:1:32: '*2' is of another kind"},
      {"gpus = site.abilene.gpus = +many", "'+many' is no number (a number follows + or *)"},
      {"gpus = site.abilene.gpus = 1:2:x", "'x' is no number of values"},
      {"gpus = site.abilene.gpus = 3:2:5", "its first end is not below the second"},
      {"gpus = site.abilene.gpus = 5,5", "'5' is given twice"},
      {"gpus = site.abilene.gpus = 5,,6", "a value is missing"},
      {"gpu = site.abilene.gpu = +1", "'site.abilene.gpu' cannot change relative to the config"},
      {"a b = site.abilene.gpus = 5", "'a b' is no name"},
      {"at = covenant.dscr.thresholds[7].value = 1.2", "its elements are [0] to [1]"},
      {"t = company.horizon_months = 59.5",
       "'horizon_months' is a decimal number (a whole number in months is expected)"},
  };
  for (const auto& [axis, message] : cases)
    EXPECT_TRUE(contains(refused(axis), message)) << axis << "\n" << refused(axis);
}

TEST(Axis, TwoMayNotVaryOneKey) {
  const study::Base base = base_of(kDemo);
  const study::Axis a = study::parse_axis("a = site.abilene.gpus = 9000", base);
  const study::Axis b = study::parse_axis("b = site.*.gpus = *1.1", base);
  EXPECT_THROW(study::check_axes(base, {a, b}), config::ConfigError);
  EXPECT_THROW(study::check_axes(base, {a, a}), config::ConfigError);
}

TEST(Design, HasThePointsThatItsNameSays) {
  const study::Base base = base_of(kDemo);
  const std::vector<study::Axis> axes = {
      study::parse_axis("late = site.abilene.unplanned_months = 2,4,6", base),
      study::parse_axis("gpus = site.abilene.gpus = 9000,11000", base)};
  const auto points = [&](study::Design design) { return study::points_of(design, axes, base.company, 0, 1); };
  EXPECT_EQ(points(study::Design::grid).size(), 6U);
  EXPECT_EQ(points(study::Design::one_at_a_time).size(), 1U + 3 + 2);
  EXPECT_EQ(points(study::Design::centred).size(), 1U + 2 + 2 + 4);
  EXPECT_EQ(points(study::Design::one_at_a_time).front()[1].text, "10000");
}

// Each of n equal parts of each axis holds one point: of a Latin hypercube for any n, of Sobol's sequence for a
// power of two, scrambled or not. Its first two axes are a net: so does each box of 1/4 by 1/8 of 32.
TEST(Design, DrawsFillTheirAxesEvenly) {
  const study::Base base = base_of(kDemo);
  const std::vector<study::Axis> axes = {
      study::parse_axis("late = site.abilene.unplanned_months = 0:32", base),
      study::parse_axis("price = contract.orion-train.price_usd_per_gpu_hour = 1:33", base),
      study::parse_axis("spread = tranche.ddtl.spread_per_year = *0.5:*2", base)};
  for (const study::Design design : {study::Design::latin, study::Design::sobol}) {
    std::set<std::string> drawn[2];
    for (const std::uint64_t seed : {1U, 2U}) {
      const std::vector<study::Point> points = study::points_of(design, axes, base.company, 32, seed);
      ASSERT_EQ(points.size(), 32U);
      std::set<int> first, second, third;
      std::set<std::pair<int, int>> boxes;
      for (const study::Point& point : points) {
        const double x = std::stod(point[0].text), y = std::stod(point[1].text) - 1;
        first.insert(static_cast<int>(x));
        second.insert(static_cast<int>(y));
        third.insert(static_cast<int>((std::stod(point[2].text) - 0.5) / 1.5 * 32));
        boxes.insert({static_cast<int>(x / 8), static_cast<int>(y / 4)});
        drawn[seed - 1].insert(point[0].text);
      }
      EXPECT_EQ(first.size(), 32U);
      EXPECT_EQ(second.size(), 32U);
      EXPECT_EQ(third.size(), 32U);
      if (design == study::Design::sobol) {
        EXPECT_EQ(boxes.size(), 32U);
      }
    }
    EXPECT_NE(drawn[0], drawn[1]);
  }
}

TEST(Gate, IsReadAndJudgedByItsInterval) {
  const study::Gate gate = study::parse_gate("breach.dscr.24m <= 2% @99");
  EXPECT_EQ(gate.figure, "breach.dscr.24m");
  EXPECT_DOUBLE_EQ(gate.limit, 0.02);
  EXPECT_DOUBLE_EQ(gate.confidence, 99);
  for (const char* bad :
       {"breach 2%", "breach < 2%", "breach = 2%", "<= 2%", "breach <= two", "breach <= 2% @200"})
    EXPECT_THROW(study::parse_gate(bad), std::invalid_argument) << bad;

  const auto verdict = [](const char* text, std::uint64_t count) {
    const Probability p = wilson(count, 1000);
    return study::judge(study::parse_gate(text), {"breach.dscr.24m", p.value, p.low, p.high, "probability"},
                        1000)
        .verdict;
  };
  // The 95% interval of 20 of 1,000 is 1.30 to 3.07%.
  EXPECT_EQ(verdict("b <= 3.1%", 20), study::Verdict::passed);
  EXPECT_EQ(verdict("b <= 3%", 20), study::Verdict::undecided);
  EXPECT_EQ(verdict("b <= 1.2%", 20), study::Verdict::failed);
  EXPECT_EQ(verdict("b >= 1.2%", 20), study::Verdict::passed);
  EXPECT_EQ(verdict("b >= 3.1%", 20), study::Verdict::failed);
  // At 99% it is 1.14 to 3.49%.
  EXPECT_EQ(verdict("b <= 3.1% @99", 20), study::Verdict::undecided);
  EXPECT_EQ(verdict("b <= 3.5% @99", 20), study::Verdict::passed);
  EXPECT_THROW(study::check_gates({study::parse_gate("default.60m <= 2")}, load_company({.file = kDemo})),
               std::invalid_argument);
}

// ---- Differences on the same draws. ----

study::Study small_study(const std::string& axis, const std::vector<std::string>& figures,
                         std::uint64_t paths) {
  study::Study study;
  study.base = base_of(kDemo);
  study.axes = {study::parse_axis(axis, study.base)};
  study.points = study::points_of(study::Design::grid, study.axes, study.base.company, 0, 0);
  study.request.paths = {3, 0, paths};
  study.request.figures = figures;
  study.batches = true;
  return study;
}

// The standard error of a mean's difference is known from the paths themselves: sd of the paths' differences
// over sqrt(n). That of 32 batches lies within 0.66 and 1.4 of it in 99.9% of cases.
TEST(Paired, IntervalOfAMeanIsThatOfThePathsDifferences) {
  constexpr std::uint64_t kPaths = 8000;
  const study::Study study =
      small_study("late = site.abilene.unplanned_months = 0,3", {"fcf.total.mean"}, kPaths);
  const auto backend = make_cpu_backend();
  const study::Results results = study::run_study(study, *backend, nullptr, {});
  const study::Value apart = study::difference(results[0]->values[0], results[1]->values[0], kPaths);

  std::vector<std::vector<std::int32_t>> totals;
  double units = 0;
  for (const study::Point& point : study.points) {
    Request request = study.request;
    request.only_figures = true;
    const Result run = headroom::run(study::load_at(study.base, study.axes, point), *backend, request);
    const Scenario scenario = run.data.view();
    totals.emplace_back(kPaths);
    run.answers.kept->read(column_layout(scenario).path(kTotalFcf), 0, totals.back());
    units = units_per_musd(scenario);
  }
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < kPaths; ++i) {
    const double d = (totals[1][i] - totals[0][i]) / units;
    sum += d;
    squares += d * d;
  }
  const double mean = sum / kPaths, error = std::sqrt((squares / kPaths - mean * mean) / kPaths);
  EXPECT_NEAR(apart.value, mean, 1e-6 * std::abs(mean));
  const double found = (apart.high - apart.low) / 2 / 2.0395134463964077;
  EXPECT_GT(found, 0.66 * error);
  EXPECT_LT(found, 1.4 * error);
  // Far narrower than that of two independent runs.
  const study::Value& base = results[0]->values[0];
  EXPECT_LT(apart.high - apart.low, 0.5 * (base.high - base.low));
}

TEST(Paired, OfAProbabilityThatNothingChangesHasTheBoundOfNone) {
  study::Value base{.name = "default.24m", .value = 0.2, .unit = "probability"};
  base.batches.assign(study::kBatches, 0.2);
  const study::Value same = study::difference(base, base, 1000);
  EXPECT_EQ(same.value, 0);
  EXPECT_EQ(same.high, wilson(0, 1000).high);
  EXPECT_EQ(same.low, -same.high);
  // Without batches, nothing is claimed.
  EXPECT_TRUE(std::isnan(study::difference({.name = "a", .value = 1}, {.name = "a", .value = 2}, 1000).low));
}

// A monthly minimum is breached on the paths whose least liquidity is below it. So the loosest minimum that at
// most half of the n paths break is the (n/2 + 1)-th smallest least liquidity of the very same paths, and the
// answer's interval is close to that of the median by order statistics.
TEST(Solve, FindsTheQuantileThatAMinimumIs) {
  study::Study study = small_study("late = site.abilene.unplanned_months = 0", {"least_liquidity.p50"}, 4000);
  study.base = base_of(kDemo);
  study.base.sources.sets = {"switches.consequences=false"};
  study.base.company = load_company(study.base.sources);
  const auto backend = make_cpu_backend();
  const study::PointResult run = *study::run_point(study, study.points.front(), *backend);
  const study::Value& quantile = run.values.front();
  const study::Axis axis = study::parse_axis("covenant.liquidity.threshold_musd = 0:300", study.base);
  const study::Gate gate = study::parse_gate("breach.liquidity.60m <= 50%");
  const study::Solution solution = study::solve(study, axis, {}, {}, gate, 1e-4, *backend);
  ASSERT_EQ(solution.kind, study::Solution::Kind::found);
  EXPECT_TRUE(solution.holds_below);
  EXPECT_TRUE(solution.monotone);
  Request request = study.request;
  request.only_figures = true;
  const Result direct = headroom::run(study.base.company, *backend, request);
  const Scenario scenario = direct.data.view();
  const std::uint64_t rank = 2000;
  const double exact =
      direct.answers.kept->order_statistics(column_layout(scenario).path(kMinLiquidity), {&rank, 1})[0] /
      units_per_musd(scenario);
  EXPECT_GT(exact, 50);
  const double step = 300 * 1e-4, ledger_unit = 0.001;
  EXPECT_GT(solution.answer, exact - step - ledger_unit);
  EXPECT_LT(solution.answer, exact + ledger_unit);
  EXPECT_NEAR(solution.low, quantile.low, 0.15 * (quantile.high - quantile.low));
  EXPECT_NEAR(solution.high, quantile.high, 0.15 * (quantile.high - quantile.low));
  EXPECT_LT(solution.tried.size(), 60U);

  const study::Gate never = study::parse_gate("default.60m >= 100%");
  EXPECT_EQ(study::solve(study, axis, {}, {}, never, 0.1, *backend).kind, study::Solution::Kind::nowhere);
  const study::Gate always = study::parse_gate("default.60m <= 100%");
  EXPECT_EQ(study::solve(study, axis, {}, {}, always, 0.1, *backend).kind, study::Solution::Kind::everywhere);
}

// select_figures() relies on it.
TEST(Records, NameTheirFigures) {
  for (const char* file : {"/demo.toml", "/coreweave-1q26.toml"}) {
    const Company company = load_company({.file = kConfigs + file});
    const Scenario scenario = company.data.view();
    for (const Record& record : catalogue(company, scenario).records) {
      std::vector<Figure> figures;
      record.expand(blank_report(scenario, {}), figures);
      for (const Figure& figure : figures) {
        EXPECT_TRUE(figure.name == record.name || figure.name.starts_with(record.name + "."))
            << figure.name << " of " << record.name;
      }
    }
  }
}

TEST(Tornado, MovesTheMarketAndLeavesOutWhatTheConfigRefuses) {
  const study::Base base = base_of(kDemo);
  const std::vector<study::Axis> axes = study::tornado_axes(base, 0.25);
  const auto of = [&](const std::string& name) {
    const auto it =
        std::find_if(axes.begin(), axes.end(), [&](const study::Axis& axis) { return axis.name == name; });
    return it == axes.end() ? study::Axis{} : *it;
  };
  EXPECT_GT(axes.size(), 50U);
  EXPECT_EQ(of("delay.grid.p50_months").levels.size(), 2U);
  EXPECT_EQ(of("market.rates.forward").levels.size(), 2U);
  EXPECT_EQ(of("market.rates.forward").levels.front().text, "-0.01");
  // An availability of 1.25 is refused.
  EXPECT_EQ(of("defaults.contract.availability").levels.size(), 1U);
  for (const study::Axis& axis : axes) EXPECT_FALSE(axis.levels.empty()) << axis.name;
}

// ---- The program. ----

class StudyTest : public ProgramTest {
 protected:
  using Row = std::map<std::string, std::string>;
  static std::vector<std::string> cells(const std::string& line) {
    std::vector<std::string> found(1);
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') {
        quoted = !quoted;
      } else if (c == ',' && !quoted) {
        found.emplace_back();
      } else {
        found.back() += c;
      }
    }
    return found;
  }
  static std::vector<Row> table(const std::string& csv) {
    std::istringstream in(csv);
    std::string line;
    std::getline(in, line);
    const std::vector<std::string> head = cells(line);
    std::vector<Row> rows;
    while (std::getline(in, line)) {
      const std::vector<std::string> values = cells(line);
      EXPECT_EQ(values.size(), head.size());
      Row row;
      for (std::size_t i = 0; i < head.size(); ++i) row[head[i]] = values.at(i);
      rows.push_back(row);
    }
    return rows;
  }
  std::string csv() const { return read(folder_ / "s" / "study.csv"); }
  Words study(const Words& more) const {
    Words words = {"study", kDemo, "--paths", "2000", "--out", path("s"), "--backend", "cpu"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  const Words kAxes = {"--vary", "late = site.*.unplanned_months = 0,2,4", "--vary",
                       "gpus = site.abilene.gpus = *0.9,*1"};
};

// To the byte: value and bounds in study.csv are those of results.csv.
TEST_F(StudyTest, OfOnePointIsTheRun) {
  ASSERT_EQ(run({"run", kDemo, "--paths", "2000", "--out", path("r"), "--set",
                 "site.abilene.unplanned_months=2", "--figures", "*"})
                .code,
            0);
  ASSERT_EQ(run(study({"--vary", "late = site.abilene.unplanned_months = 2", "--figures", "*"})).code, 0);
  const std::vector<Row> point = table(csv());
  ASSERT_EQ(point.size(), 1U);
  std::size_t compared = 0;
  std::istringstream results(read(folder_ / "r" / "results.csv"));
  std::string line;
  std::getline(results, line);
  while (std::getline(results, line)) {
    const std::vector<std::string> figure = cells(line);
    ASSERT_TRUE(point[0].contains(figure[0])) << figure[0];
    EXPECT_EQ(point[0].at(figure[0]), figure[1]) << figure[0];
    if (!figure[2].empty() && !figure[3].empty()) {
      EXPECT_EQ(point[0].at(figure[0] + ".low"), figure[2]);
      EXPECT_EQ(point[0].at(figure[0] + ".high"), figure[3]);
    }
    ++compared;
  }
  EXPECT_GT(compared, 1000U);
  EXPECT_EQ(point[0].size(), 2 + 3 * compared);
}

TEST_F(StudyTest, WritesATidyRowForEachPoint) {
  Words words = study(kAxes);
  words.insert(words.end(), {"--figures", "any_breach.24m,fcf.total.mean"});
  const Result result = run(words);
  ASSERT_EQ(result.code, 0) << result.err;
  const std::vector<Row> rows = table(csv());
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_EQ(rows[0].at("late") + rows[0].at("gpus"), "00.9");
  EXPECT_EQ(rows[5].at("late") + rows[5].at("gpus"), "41");
  EXPECT_EQ(rows[0].size(), 3U + 2 * 3);
  for (const Row& row : rows)
    EXPECT_LE(std::stod(row.at("fcf.total.mean.low")), std::stod(row.at("fcf.total.mean")));
  EXPECT_TRUE(contains(result.out, "any_breach.24m, probability\n  late \\ gpus"));
  // Common random numbers: a delay never makes a breach less likely here, at any level, with no noise between.
  EXPECT_LE(std::stod(rows[1].at("any_breach.24m")), std::stod(rows[3].at("any_breach.24m")));
}

TEST_F(StudyTest, TakesOverlaysAndAListAsPoints) {
  const std::string overlay = path("short-of-cash.toml");
  std::ofstream(overlay) << "[[entity]]\nid = \"halcyon\"\ncash_musd = 160.0\n";
  ASSERT_EQ(run(study({"--scenario", "base", "--scenario", overlay, "--figures", "default.60m"})).code, 0);
  const std::vector<Row> scenarios = table(csv());
  EXPECT_EQ(scenarios.at(0).at("scenario"), "base");
  EXPECT_EQ(scenarios.at(1).at("scenario"), "short-of-cash");
  EXPECT_LT(std::stod(scenarios.at(0).at("default.60m")), std::stod(scenarios.at(1).at("default.60m")));

  std::filesystem::remove_all(folder_ / "s");
  std::ofstream(path("points.csv"))
      << "late = site.abilene.unplanned_months,site.abilene.gpus\n0,10000\n3,9000\n";
  ASSERT_EQ(run(study({"--list", path("points.csv"), "--figures", "default.60m"})).code, 0);
  EXPECT_EQ(table(csv()).at(1).at("site.abilene.gpus"), "9000");
  std::ofstream(path("points.csv"))
      << "late = site.abilene.unplanned_months,site.abilene.gpus\n0,10000\n3\nx,1\n";
  const Result bad = run(study({"--list", path("points.csv")}));
  EXPECT_EQ(bad.code, 2);
  EXPECT_TRUE(contains(bad.err, "points.csv:3:1: the row has 1 cells (the head has 2)")) << bad.err;
}

TEST_F(StudyTest, GatesSetTheExitCode) {
  const Words words = {"run", kDemo, "--paths", "2000"};
  const auto gated = [&](const std::string& gate, const Words& more = {}) {
    Words all = words;
    all.insert(all.end(), {"--gate", gate});
    all.insert(all.end(), more.begin(), more.end());
    return run(all);
  };
  const Result passed =
      gated("default.60m <= 99%", {"--gates-json", path("g.json"), "--gates-junit", path("g.xml")});
  EXPECT_EQ(passed.code, 0) << passed.err;
  EXPECT_TRUE(contains(passed.out, "gate passed: default.60m is ")) << passed.out;
  EXPECT_TRUE(contains(read(folder_ / "g.json"), "\"verdict\": \"passed\""));
  EXPECT_TRUE(contains(read(folder_ / "g.xml"), "tests=\"1\" failures=\"0\""));
  EXPECT_EQ(gated("default.60m <= 0.01%").code, 10);
  EXPECT_EQ(gated("default.60m >= 99%", {"--gate", "default.12m <= 100%"}).code, 10);
  // The estimate itself is always inside its interval.
  const std::string json = read(folder_ / "g.json");
  const double p = std::stod(json.substr(json.find("\"value\": ") + 9));
  EXPECT_EQ(gated("default.60m <= " + std::to_string(p)).code, 11);
  EXPECT_EQ(gated("no.such.figure <= 1").code, 2);
  EXPECT_EQ(gated("default.60m <= 2").code, 2);
  EXPECT_EQ(gated("default.60m").code, 2);
  Words studied = study(kAxes);
  studied.insert(studied.end(), {"--gate", "default.60m <= 0.01%"});
  const Result failed = run(studied);
  EXPECT_EQ(failed.code, 10);
  EXPECT_TRUE(contains(failed.out, "[at late = 4, gpus = 1]")) << failed.out;
}

TEST_F(StudyTest, IsNotMixedWithAnotherStudy) {
  ASSERT_EQ(run(study(kAxes)).code, 0);
  const std::string before = csv();
  Words words = study(kAxes);
  const Result again = run(words);
  EXPECT_EQ(again.code, 2);
  EXPECT_TRUE(contains(again.err, "6 of 6 points done; add --resume")) << again.err;
  words.insert(words.end(), {"--resume", "--seed", "2", "--set", "tranche.ddtl.spread_per_year=0.05"});
  const Result other = run(words);
  EXPECT_EQ(other.code, 2);
  EXPECT_TRUE(contains(other.err, "config: tranche.ddtl.spread_per_year is 0.05, was 0.04")) << other.err;
  EXPECT_TRUE(contains(other.err, "--seed: 2, was 1")) << other.err;
  EXPECT_EQ(csv(), before);
}

TEST_F(StudyTest, StressPutsScenariosSideBySide) {
  const std::string overlay = path("short-of-cash.toml");
  std::ofstream(overlay) << "[[entity]]\nid = \"halcyon\"\ncash_musd = 160.0\n";
  const Result result =
      run({"stress", kDemo, overlay, "--paths", "2000", "--figures", "default.60m,fcf.total.mean", "--csv",
           path("stress.csv"), "--gate", "default.60m <= 0.1%"});
  EXPECT_EQ(result.code, 10) << result.err;
  EXPECT_TRUE(contains(result.out, "[at scenario = short-of-cash]")) << result.out;
  const std::vector<Row> rows = table(read(folder_ / "stress.csv"));
  ASSERT_EQ(rows.size(), 4U);
  for (const Row& row : rows) {
    if (row.at("scenario") == "base") {
      EXPECT_EQ(row.at("difference"), "0");
    } else if (row.at("figure") == "default.60m") {
      EXPECT_GT(std::stod(row.at("difference.low")), 0);
    }
  }
  // Figures by month have no batches, and so no interval of a difference.
  ASSERT_EQ(run({"stress", kDemo, overlay, "--paths", "500", "--figures",
                 "covenant.dscr.failing.2028-06,cash.2027-06.p50", "--csv", path("by-month.csv")})
                .code,
            0);
  for (const Row& row : table(read(folder_ / "by-month.csv")))
    EXPECT_EQ(row.at("difference.low"), "") << row.at("figure");
  // The house stresses that fit the company; one is for another.
  const Result house = run({"stress", kDemo, "--paths", "500", "--figures", "default.60m"});
  EXPECT_EQ(house.code, 0) << house.err;
  EXPECT_TRUE(contains(house.out, "demand-disappoints")) << house.out;
  EXPECT_TRUE(contains(house.err, "not for Halcyon Compute: ")) << house.err;
  EXPECT_TRUE(contains(house.err, "ddtl3-as-first-signed.toml")) << house.err;
}

TEST_F(StudyTest, SolveSaysWhereAGateEnds) {
  const Words words = {"solve",      kDemo,
                       "--paths",    "1000",
                       "--find",     "covenant.liquidity.threshold_musd = 0:300",
                       "--gate",     "breach.liquidity.60m <= 50%",
                       "--frontier", "late = site.abilene.unplanned_months = 0,1",
                       "--csv",      path("solve.csv")};
  const Result result = run(words);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, "late = 1: holds up to ")) << result.out;
  const std::vector<Row> rows = table(read(folder_ / "solve.csv"));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_GT(std::stod(rows[0].at("answer")), std::stod(rows[1].at("answer")));  // a delay costs liquidity
  for (const Row& row : rows) {
    EXPECT_LE(std::stod(row.at("low")), std::stod(row.at("answer")));
    EXPECT_GE(std::stod(row.at("high")), std::stod(row.at("answer")));
  }
  const std::pair<Words, const char*> bad[] = {
      {{"solve", kDemo}, "needs one --gate"},
      {{"solve", kDemo, "--gate", "default.60m <= 1%"}, "needs --find KEY=LO:HI"},
      {{"solve", kDemo, "--gate", "breach.*.60m <= 1%", "--find", "site.abilene.gpus=1:2"}, "needs one figure"},
      {{"solve", kDemo, "--gate", "default.60m <= 1%", "--find", "site.abilene.gpus=9000"},
       "--find takes a range"},
      {{"solve", kDemo, "--gate", "default.60m <= 1%", "--find", "site.abilene.gpu=9000:9500"}, "'gpu' is"}};
  for (const auto& [line, message] : bad) {
    const Result refused = run(line);
    EXPECT_EQ(refused.code, 2);
    EXPECT_TRUE(contains(refused.err, message)) << refused.err;
  }
}

TEST_F(StudyTest, TornadoSortsInputsByEffect) {
  Words words = study({"--tornado", "--figures", "default.60m", "--vary",
                       "orion = contract.orion-train.price_usd_per_gpu_hour = *0.8,*1.2"});
  words[3] = "256";
  const Result result = run(words);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, "default.60m, %; in the base ")) << result.out;
  EXPECT_TRUE(contains(result.out, "orion ")) << result.out;
  const std::vector<Row> rows = table(csv());
  EXPECT_GT(rows.size(), 100U);
  EXPECT_EQ(rows[0].at("difference"), "0");
}

// As NumPy reads it: the head names the fields, and the values of a field give the figures of the run.
TEST_F(StudyTest, PathsOutHoldsTheValuesOfEachPath) {
  const Result result = run(
      {"run", kDemo, "--paths", "3000", "--first-path", "7", "--paths-out", path("p.npy"), "--out", path("r")});
  ASSERT_EQ(result.code, 0) << result.err;
  const std::string file = read(folder_ / "p.npy");
  ASSERT_EQ(file.substr(0, 8), std::string("\x93NUMPY\x02\0", 8));
  std::uint32_t size = 0;
  std::memcpy(&size, file.data() + 8, 4);
  const std::string head = file.substr(12, size);
  EXPECT_EQ((12 + size) % 64, 0U);
  EXPECT_TRUE(contains(head, "'shape': (3000,)")) << head;
  std::vector<std::string> names;
  for (std::size_t at = head.find("('"); at != head.npos; at = head.find("('", at + 1))
    names.push_back(head.substr(at + 2, head.find('\'', at + 2) - at - 2));
  const std::size_t width = names.size();
  ASSERT_EQ(file.size(), 12 + size + 3000 * width * 8);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), width);
  const auto column = [&](const std::string& name) {
    const auto f = static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    EXPECT_LT(f, width) << name;
    std::vector<double> values(3000);
    for (std::size_t i = 0; i < values.size(); ++i)
      std::memcpy(&values[i], file.data() + 12 + size + (i * width + f) * 8, 8);
    return values;
  };
  std::map<std::string, double> figures;
  std::istringstream results(read(folder_ / "r" / "results.csv"));
  for (std::string line; std::getline(results, line);) {
    const std::vector<std::string> figure = cells(line);
    if (!figure[1].empty() && figure[1] != "value") figures[figure[0]] = std::stod(figure[1]);
  }
  std::uint64_t first = 0;
  std::memcpy(&first, file.data() + 12 + size, 8);
  EXPECT_EQ(names.front(), "path");
  EXPECT_EQ(first, 7U);
  double sum = 0, defaults = 0, late = 0, sites = 0, price = 0;
  for (const double each : column("fcf.total")) sum += each;
  EXPECT_NEAR(sum / 3000, figures.at("fcf.total.mean"), 1e-9 * std::abs(sum));
  for (const double each : column("default.month")) defaults += each <= 24 ? 1 : 0;  // NaN: never
  EXPECT_EQ(defaults / 3000, figures.at("default.24m"));
  for (const double each : column("site.abilene.late")) {
    if (!std::isnan(each)) late += each, ++sites;
  }
  EXPECT_NEAR(late / sites, figures.at("site.abilene.late.mean"), 1e-9 * late);
  for (const double each : column("driver.mean_price")) price += each;
  EXPECT_NEAR(price / 3000, figures.at("driver.mean_price.mean"), 1e-9 * price);

  const Result refused =
      run({"run", kDemo, "--paths", "3000", "--exact-paths", "100", "--paths-out", path("q.npy")});
  EXPECT_EQ(refused.code, 2);
  EXPECT_TRUE(contains(refused.err, "more than --exact-paths 100")) << refused.err;
}

// The ready-made studies run as they are written.
TEST_F(StudyTest, ReadyMadeOnesRun) {
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kConfigs + "/studies")) {
    // mechanisms.sh is tested with what it says: heads.output.
    if (entry.path().extension() != ".sh" || entry.path().filename() == "mechanisms.sh") continue;
    ++found;
    const std::string command = "cd '" HEADROOM_SOURCE_DIR "' && HEADROOM='" HEADROOM_PROGRAM "' sh '" +
                                entry.path().string() + "' --paths 256 --quiet >'" + path("out") + "' 2>'" +
                                path("err") + "'";
    EXPECT_EQ(std::system(command.c_str()), 0) << entry.path() << read(folder_ / "err");
  }
  EXPECT_EQ(found, 5U);
}

// Killed at random moments and resumed until it is done: the table is that of the study that ran through, and
// no point was run twice.
TEST_F(StudyTest, KilledAndResumedIsTheSame) {
  Words words = {"study",     kDemo,     "--paths", "20000",
                 "--backend", "cpu",     "--vary",  "late = site.*.unplanned_months = 0:11:12",
                 "--out",     path("s"), "--resume"};
  std::mt19937 random(20261126);
  int killed = 0;
  for (int tries = 0; tries < 40; ++tries) {
    const pid_t child = start(words);
    std::this_thread::sleep_for(std::chrono::milliseconds(50 + random() % 400));
    kill(child, SIGKILL);
    const Result result = finish(child);
    if (result.code == 0) break;
    ASSERT_EQ(result.code, 128 + SIGKILL) << result.err;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "s" / "study.csv"));
    ++killed;
  }
  EXPECT_GT(killed, 0);
  ASSERT_EQ(run(words).code, 0);
  const std::string resumed = csv();
  words[9] = path("whole");
  words.pop_back();
  ASSERT_EQ(run(words).code, 0);
  EXPECT_EQ(resumed, read(folder_ / "whole" / "study.csv"));
}

}  // namespace
}  // namespace headroom
