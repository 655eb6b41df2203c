// SPDX-License-Identifier: Apache-2.0
// Printed and written results: digits, tables, JSON, CSV, files.
#include "host/report/report.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "host/report/files.hpp"
#include "host/report/format.hpp"
#include "host/report/sha256.hpp"
#include "tests/analyse.hpp"
#include "tests/risk_fixture.hpp"

namespace headroom::report {
namespace {

TEST(SupportedDigits, TheLastDigitStandsWhereTheErrorsFirstDoes) {
  struct Row {
    double value, error;
    int most;
    const char* text;
  };
  for (const Row& row :
       {Row{1234.5678, 0.8, 6, "1,234.6"}, Row{1234.5678, 1, 6, "1,235"}, Row{1234.5678, 9.9, 6, "1,235"},
        Row{1234.5678, 10, 6, "1,230"}, Row{1234.5678, 0.2, 6, "1,234.6"}, Row{1234.5678, 0.02, 6, "1,234.57"},
        Row{1234.5678, 700, 6, "1,200"}, Row{-31412.3, 45, 1, "-31,410"}, Row{1234.5678, 0.0001, 2, "1,234.57"},
        Row{1234.5678, 0, 1, "1,234.6"}, Row{1234, 0, 1, "1,234"}, Row{1234.5678, kUnknown, 1, "1,234.6"},
        Row{0.04, 3, 2, "0"}, Row{-0.04, 3, 2, "0"}, Row{-12.0, 300, 2, "0"}, Row{kUnknown, 1, 2, "-"},
        Row{999999.9, 5, 3, "1,000,000"}}) {
    EXPECT_EQ(supported(row.value, row.error, row.most), row.text) << row.value << " +- " << row.error;
  }
}

TEST(ErrorText, IsNeverShownAsZeroWhereItIsNot) {
  EXPECT_EQ(error_text(12.4), "12");
  EXPECT_EQ(error_text(0.567), "0.57");
  EXPECT_EQ(error_text(0.005), "0.01");
  EXPECT_EQ(error_text(0.0031), "0.003");
  EXPECT_EQ(error_text(0), "0.00");
  EXPECT_EQ(error_text(kUnknown), "-");
}

TEST(Percent, ValueAndInterval) {
  EXPECT_EQ(percent(wilson(123, 10000)), "1.2");
  EXPECT_EQ(percent_interval(wilson(123, 10000)), "1.0-1.5");
  EXPECT_EQ(percent(wilson(0, 1000000)), "0");
  EXPECT_EQ(percent_interval(wilson(0, 1000000)), "0-0.00038");
  EXPECT_EQ(percent(wilson(3, 4)), "75");
  EXPECT_EQ(percent(wilson(10000, 10000)), "100");
  EXPECT_EQ(percent_interval(wilson(10000, 10000)), "99.962-100");
  EXPECT_EQ(percent(wilson(0, 0)), "-");
}

TEST(Percent, StandsInItsInterval) {
  for (std::uint64_t of : {100U, 10'000U, 20'000U, 1'000'000U}) {
    for (std::uint64_t count = 0; count <= of; count += of / 50) {
      const Probability p = wilson(count, of);
      const std::string interval = percent_interval(p);
      const std::size_t dash = interval.find('-');
      const double value = std::stod(percent(p));
      EXPECT_LE(std::stod(interval.substr(0, dash)), value) << count << " of " << of;
      EXPECT_GE(std::stod(interval.substr(dash + 1)), value) << count << " of " << of;
    }
  }
}

TEST(Table, AlignsByCharacters) {
  Table table;
  table.row({"site", "MW"});
  table.rule();
  table.row({"Mäntsälä", "75"});
  table.row({"x", "1,310", "a"});
  EXPECT_EQ(table.text(""), "site         MW\n------------------\nMäntsälä     75\nx         1,310  a\n");
}

TEST(Shortened, KeepsWholeCharacters) {
  EXPECT_EQ(shortened("Mäntsälä", 8), "Mäntsälä");
  EXPECT_EQ(shortened("Mäntsälä", 7), "Mänt...");
}

TEST(Calendar, Labels) {
  const Company company = small_company();  // as of 31 October 2025
  EXPECT_EQ(month_label(company, 0), "2025-10");
  EXPECT_EQ(month_label(company, 3), "2026-01");
  EXPECT_EQ(date_label(company, 4), "2026-02-28");
  EXPECT_EQ(year_label(company, 1, 2), "2025 Nov-Dec");
  EXPECT_EQ(year_label(company, 3, 14), "2026");
  EXPECT_EQ(year_label(company, 3, 3), "2026 Jan");
  EXPECT_EQ(quarter_label(company, 3, 5), "1Q26");
  EXPECT_EQ(quarter_label(company, 1, 2), "4Q25 part");
}

TEST(Violations, Names) {
  EXPECT_EQ(violation_names(kCashIdentity | kOutOfRange), (std::vector<std::string>{"cash", "out of range"}));
  EXPECT_TRUE(violation_names(0).empty());
}

class ReportTest : public testing::Test {
 protected:
  ReportTest() : scenario_(company_.data.view()), small_(scenario_, 10) {
    small_.set(small_.layout.year(kYearFcf, 1), {9000, 1000, 8000, 2000, 7000, 3000, 6000, 4000, 5000, -1000});
    small_.set(small_.layout.first_breach(0),
               {2, 3, kNever, kNever, kNever, kNever, kNever, kNever, kNever, kNever});
    small_.outcomes.failing = {0, 1, 2, 0, 0, 0};
    for (std::int32_t series = 0; series < kMeasureCount; ++series) {
      for (std::int32_t month = 1; month <= 3; ++month) small_.fill(series, month, 100, 10);
    }
    small_.fill(kMeasureCount, 2, -10000, 10);  // beyond the first bin
    plan_.assign(static_cast<std::size_t>(series_count(scenario_) * 3), 0);
    risk_ = analyse(scenario_, small_.outcomes, {7, 0, 10}, plan_);
    table_ = plan_table(company_, scenario_, plan_);
    guidance_ = check_guidance(company_, scenario_, table_, &risk_);
    facts_.backend = "cpu";
    facts_.device = "a processor";
    facts_.simulation_seconds = 0.5;
  }
  Company company_ = small_company();
  Scenario scenario_;
  SmallOutcomes small_;
  std::vector<std::int32_t> plan_{};
  RiskReport risk_{};
  PlanTable table_{};
  std::vector<GuidanceCheck> guidance_{};
  RunFacts facts_{};
};

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) found.push_back(line);
  return found;
}

// Cells of a line without quoted commas.
std::size_t cells(const std::string& line) {
  return static_cast<std::size_t>(std::count(line.begin(), line.end(), ',')) + 1;
}

TEST_F(ReportTest, SummaryShape) {
  const auto summary = nlohmann::json::parse(summary_json(company_, scenario_, risk_, guidance_, facts_));
  EXPECT_EQ(summary.size(), 2U);
  EXPECT_EQ(summary["run"]["backend"], "cpu");
  const auto& results = summary["results"];
  EXPECT_EQ(results["company"], "Small");
  EXPECT_EQ(results["as_of"], "2025-10-31");
  EXPECT_EQ(results["config_hash"], "0123456789abcdef");
  EXPECT_EQ(results["seed"], 7);
  EXPECT_EQ(results["paths"], 10);
  EXPECT_EQ(results["violated_identities"]["paths"], 0);
  EXPECT_TRUE(results["violated_identities"]["first_path"].is_null());
  EXPECT_DOUBLE_EQ(results["years"][1]["fcf_musd"]["mean"], 4.4);
  EXPECT_DOUBLE_EQ(results["years"][1]["fcf_musd"]["quantiles"]["p50"]["value"], 4.0);
  EXPECT_DOUBLE_EQ(results["years"][1]["fcf_musd"]["es_95"]["value"], -1.0);
  EXPECT_EQ(results["covenants"][0]["id"], "dscr");
  EXPECT_EQ(results["covenants"][0]["breach"]["within"][0]["paths"], 2);
  EXPECT_EQ(results["covenants"][0]["breach"]["month_if_it_happens"]["p50"], "2025-12");
  EXPECT_EQ(results["covenants"][0]["tests"].size(), 2U);
  EXPECT_TRUE(results["covenants"][0]["least_headroom"]["mean"].is_null());
  EXPECT_EQ(results["joint"]["events"], nlohmann::json({"dscr", "liquidity", "liquidity_default"}));
  EXPECT_EQ(results["joint"]["probability"].size(), 3U);
  EXPECT_EQ(results["guidance"][0]["plan_musd"], 100.0);
  EXPECT_EQ(results["sites"].size(), 2U);
  EXPECT_EQ(results["customers"][0]["id"], "acme");
  EXPECT_TRUE(results["drivers"].contains("mean_tightness"));
}

TEST_F(ReportTest, ResultsDoNotDependOnHowTheyCameAbout) {
  const auto one = nlohmann::ordered_json::parse(summary_json(company_, scenario_, risk_, guidance_, facts_));
  facts_.backend = "cuda";
  facts_.simulation_seconds = 99;
  facts_.threads = 7;
  const auto two = nlohmann::ordered_json::parse(summary_json(company_, scenario_, risk_, guidance_, facts_));
  EXPECT_EQ(one["results"].dump(), two["results"].dump());
  EXPECT_NE(one["run"].dump(), two["run"].dump());
}

TEST_F(ReportTest, FcfCsv) {
  const auto text = lines(fcf_csv(company_, risk_));
  ASSERT_EQ(text.size(), 1U + 2 + 2 + 1);  // header, years, quarters, horizon
  EXPECT_EQ(text[0].substr(0, 69), "period,label,first_month,last_month,paths,plan_musd,mean_musd,mean_se");
  EXPECT_EQ(text[2].substr(0, 43), "year,2026 Jan,2026-01,2026-01,10,0,4.4,1.01");
  for (const std::string& line : text) EXPECT_EQ(cells(line), cells(text[0])) << line;
}

TEST_F(ReportTest, CovenantsCsv) {
  const auto text = lines(covenants_csv(company_, risk_));
  ASSERT_EQ(text.size(), 1U + 2 + 1 + 3 + 3 + 3);  // tests; then months of any, default, event of default
  EXPECT_EQ(text[0].substr(0, 35), "covenant,month,threshold,p_failing,");
  EXPECT_EQ(text[1].substr(0, 13), "dscr,2025-12,");
  EXPECT_EQ(text[3].substr(0, 22), "liquidity,2026-01,0.5,");
  EXPECT_EQ(text[4].substr(0, 17), "any,2025-11,,,,,0");
  for (const std::string& line : text) EXPECT_EQ(cells(line), cells(text[0])) << line;
}

TEST_F(ReportTest, MonthlyCsv) {
  const auto text = lines(monthly_csv(company_, risk_));
  ASSERT_EQ(text.size(), 1U + static_cast<std::size_t>(kMeasureCount) * 3 + 1);
  EXPECT_EQ(text[0], "series,unit,month,plan,mean,p5,p10,p25,p50,p75,p90,p95,bin_width,out_of_range");
  EXPECT_EQ(text[1], "revenue,musd,2025-11,0,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.001,");
  EXPECT_EQ(text.back().substr(0, 31), "headroom/dscr,ratio,2025-12,0,,");
  EXPECT_EQ(text.back(),
            "headroom/dscr,ratio,2025-12,0,,,,,,,,,0.0001,"
            "p5<-0.0511 p10<-0.0511 p25<-0.0511 p50<-0.0511 p75<-0.0511 p90<-0.0511 p95<-0.0511");
  for (const std::string& line : text) EXPECT_EQ(cells(line), cells(text[0])) << line;
}

TEST_F(ReportTest, Terminal) {
  const std::string text = run_text(company_, scenario_, risk_, guidance_, facts_);
  EXPECT_NE(text.find("Small, as of 2025-10-31: 10 paths of 3 months to 2026-01-31, seed 7"),
            std::string::npos);
  EXPECT_NE(text.find("Violated identities: 0\n"), std::string::npos);
  EXPECT_NE(text.find("minimum, liquidity"), std::string::npos);
  for (const std::string& line :
       lines(text + plan_text(company_, scenario_, table_, {}, guidance_) + check_text(company_, scenario_))) {
    EXPECT_LE(width(line), 120U) << line;
  }
  risk_.violations = {3, 17, kCashIdentity};
  EXPECT_NE(run_text(company_, scenario_, risk_, guidance_, facts_).find("3 paths, first path 17 (cash)"),
            std::string::npos);
}

// Cells of the first line that starts with `label`, behind it.
std::vector<std::string> row_of(const std::string& text, const std::string& label) {
  std::vector<std::string> cells;
  for (const std::string& line : lines(text)) {
    if (!line.starts_with("  " + label + "  ")) continue;
    std::istringstream in(line.substr(2 + label.size()));
    for (std::string cell; in >> cell;) cells.push_back(cell);
    break;
  }
  return cells;
}

double number_in(std::string cell) {
  std::erase(cell, ',');
  std::size_t read = 0;
  const double value = std::stod(cell, &read);
  EXPECT_EQ(read, cell.size()) << cell;
  return value;
}

// A row has one rounding, so its quantiles do not cross, nor does ES pass the quantile that bounds it.
TEST_F(ReportTest, PrintedQuantilesOfARowAreInOrder) {
  std::mt19937_64 random(4);
  std::cauchy_distribution<double> wide;
  const auto ascending = [](std::vector<std::string> cells) {
    for (std::size_t i = 1; i < cells.size(); ++i) {
      EXPECT_LE(number_in(cells[i - 1]), number_in(cells[i])) << cells[i - 1] << ", " << cells[i];
    }
  };
  for (int trial = 0; trial < 400; ++trial) {
    const std::uint64_t paths = 1 + random() % (trial % 2 == 0 ? 40 : 400);
    SmallOutcomes outcomes(scenario_, paths);
    const double scale = std::pow(10.0, static_cast<double>(random() % 6));
    std::vector<std::int32_t> values(paths);
    const auto fill = [&] {
      for (std::int32_t& value : values)
        value = static_cast<std::int32_t>(std::clamp(scale * wide(random), -1e9, 1e9));
      return values;
    };
    outcomes.set(outcomes.layout.year(kYearFcf, 1), fill());
    outcomes.set(outcomes.layout.min_headroom(0), fill());
    outcomes.set(kMinLiquidity, fill());
    const std::string text =
        run_text(company_, scenario_, analyse(scenario_, outcomes.outcomes, {7, 0, paths}, plan_), {}, facts_);
    SCOPED_TRACE(testing::Message() << trial << ", " << paths << " paths\n" << text);
    const std::vector<std::string> fcf = row_of(text, "2026 Jan"), dscr = row_of(text, "DSCR of the term loan"),
                                   liquidity = row_of(text, "least liquidity");
    ASSERT_EQ(fcf.size(), 10U);
    ascending({fcf[8], fcf[3], fcf[4], fcf[5], fcf[6], fcf[7]});
    ASSERT_EQ(dscr.size(), 5U);
    ascending({dscr[2], dscr[3], dscr[4]});
    ASSERT_EQ(liquidity.size(), 6U);
    ascending({liquidity.begin() + 2, liquidity.end()});
    if (HasFailure()) return;
  }
}

TEST_F(ReportTest, QuantilesBeyondTheBinsHaveTheirSide) {
  Distribution& fcf = risk_.total_fcf;
  fcf.resolution = 0.25;
  const auto put = [&fcf](std::size_t k, BinnedQuantile q, double low, double high) {
    static_cast<BinnedQuantile&>(fcf.quantiles[k]) = q;
    fcf.quantiles[k].low = low;
    fcf.quantiles[k].high = high;
  };
  put(1, {.below = -1234.5}, kUnknown, -1234.5);   // 5%
  put(7, {.at_least = 2345.5}, 2345.5, kUnknown);  // 95%
  for (const std::size_t k : {3, 4, 5}) put(k, {.value = 10.0 * static_cast<double>(k)}, 9, 60);
  fcf.tails[0] = {.percent = 5};
  const auto row = row_of(run_text(company_, scenario_, risk_, {}, facts_), "whole horizon");
  EXPECT_EQ((std::vector<std::string>{row.begin() + 3, row.end()}),
            (std::vector<std::string>{"<-1,230", "30", "40", "50", ">2,350", "-", "-"}));
  EXPECT_NE(run_text(company_, scenario_, risk_, {}, facts_).find("<, >: beyond the histogram"),
            std::string::npos);
  const auto p5 = nlohmann::json::parse(
      summary_json(company_, scenario_, risk_, {}, facts_))["results"]["fcf_musd"]["total"]["quantiles"]["p5"];
  EXPECT_TRUE(p5["value"].is_null());
  EXPECT_TRUE(p5["low"].is_null());
  EXPECT_EQ(p5["high"], -1234.5);
}

TEST_F(ReportTest, BoundsThatAreNotThereAreEmpty) {
  const auto quantiles = nlohmann::json::parse(summary_json(
      company_, scenario_, risk_, {}, facts_))["results"]["years"][1]["fcf_musd"]["quantiles"];  // of 10 paths
  EXPECT_TRUE(quantiles["p5"]["low"].is_null());
  EXPECT_EQ(quantiles["p5"]["high"], 2.0);
  EXPECT_EQ(quantiles["p50"]["low"], 1.0);
  EXPECT_TRUE(quantiles["p99"]["high"].is_null());
  EXPECT_NE(fcf_csv(company_, risk_).find("4.4,1.01"), std::string::npos);
  EXPECT_NE(
      figures_text({{.name = "f", .value = 1, .low = 0.5, .unit = "musd", .words = "f"}}).find("from 0.50000"),
      std::string::npos);
  EXPECT_NE(
      figures_text({{.name = "f", .value = 1, .high = 2.5, .unit = "musd", .words = "f"}}).find("to 2.50000"),
      std::string::npos);
}

TEST_F(ReportTest, Plan) {
  const std::string text = plan_text(company_, scenario_, table_, {}, guidance_);
  EXPECT_NE(text.find("2025 Jan-Oct reported"), std::string::npos);
  EXPECT_NE(text.find("2025 with reported"), std::string::npos);
  EXPECT_NE(text.find("revenue 2025"), std::string::npos);
}

// ---- Files ----

class FilesTest : public testing::Test {
 protected:
  FilesTest() {
    std::string name = (std::filesystem::temp_directory_path() / "headroom-test-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~FilesTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string read(const std::filesystem::path& name) const {
    std::ifstream in(folder_ / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::size_t entries() const {
    const std::filesystem::directory_iterator first(folder_);
    return static_cast<std::size_t>(std::distance(first, std::filesystem::directory_iterator{}));
  }
  std::filesystem::path folder_{};
};

TEST_F(FilesTest, AFailureLeavesTheOldFileAndNothingElse) {
  write_file(folder_ / "deep" / "er" / "a", "1");
  EXPECT_EQ(read("deep/er/a"), "1");
  std::filesystem::create_directory(folder_ / "b.json");  // cannot be replaced by a file
  EXPECT_THROW(write_file(folder_ / "b.json", "{}"), OutputError);
  EXPECT_EQ(entries(), 2U);
}

TEST_F(FilesTest, ALinkIsFollowedAndAPipeWrittenInto) {
  std::filesystem::create_symlink("target.json", folder_ / "link.json");  // not there yet
  write_file(folder_ / "link.json", "one");
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "link.json"));
  EXPECT_EQ(read("target.json"), "one");
  write_file(folder_ / "link.json", "two");
  EXPECT_EQ(read("target.json"), "two");

  const std::filesystem::path pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  prepare_file(pipe);
  write_file(pipe, "through");
  std::string got(16, ' ');
  got.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(reader, got.data(), got.size()))));
  close(reader);
  EXPECT_EQ(got, "through");
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
}

TEST(Sha256, KnownAnswers) {
  // FIPS 180-4's examples, and lengths around the end of a block.
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(55, 'a')), "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
  EXPECT_EQ(sha256(std::string(64, 'a')), "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace headroom::report
