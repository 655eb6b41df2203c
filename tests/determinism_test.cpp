// SPDX-License-Identifier: Apache-2.0
// A path is a function of (scenario, seed, path index) and of nothing else: not of threads, instruction set,
// the range that it is part of, or other objects.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "host/cpu/bin_counts.hpp"
#include "host/cpu/isa.hpp"
#include "host/cpu/pilot.hpp"
#include "host/cpu/trace.hpp"
#include "host/engine/engine.hpp"
#include "host/plan/make_plan.hpp"
#include "host/risk/analysis.hpp"
#include "host/run/simulation.hpp"
#include "small_company.hpp"
#include "tests/analyse.hpp"

namespace headroom {
namespace {

Company load(const char* file) {
  Company company = load_company({.file = configs_dir + file});
  make_plan(company.data);
  return company;
}

// All results of a run, value for value.
void expect_same(const Outcomes& a, const Outcomes& b) {
  ASSERT_EQ(a.layout.count(), b.layout.count());
  for (std::int32_t c = 0; c < a.layout.count(); ++c) {
    EXPECT_EQ(read_column(a, c), read_column(b, c)) << column_name(a.layout, c);
  }
  EXPECT_EQ(a.histogram, b.histogram);
  EXPECT_EQ(a.sum, b.sum);
  EXPECT_EQ(a.failing, b.failing);
}

void expect_concatenated(const Outcomes& whole, const Outcomes& first, const Outcomes& second) {
  for (std::int32_t c = 0; c < whole.layout.count(); ++c) {
    std::vector<std::int32_t> parts = read_column(first, c);
    const std::vector<std::int32_t> rest = read_column(second, c);
    parts.insert(parts.end(), rest.begin(), rest.end());
    EXPECT_EQ(read_column(whole, c), parts) << column_name(whole.layout, c);
  }
  const auto expect_sum = [](const char* name, const auto& all, const auto& a, const auto& b) {
    auto sum = a;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += b[i];
    EXPECT_EQ(all, sum) << name;
  };
  expect_sum("histogram", whole.histogram, first.histogram, second.histogram);
  expect_sum("sum", whole.sum, first.sum, second.sum);
  expect_sum("failing", whole.failing, first.failing, second.failing);
}

// ---- Threads, instruction sets, ranges. ----

TEST(Determinism, ThreadsAndInstructionSetsGiveTheSame) {
  constexpr PathRange paths{20260331, 5, 1'500};  // the last block is not full
  for (const char* file : config_files) {
    const Company company = load(file);
    const Scenario s = company.data.view();
    const Outcomes reference = run_paths(s, paths, 1, "baseline");
    for (const int threads : {2, 7}) {
      SCOPED_TRACE(std::string(file) + ", baseline, threads " + std::to_string(threads));
      expect_same(run_paths(s, paths, threads, "baseline"), reference);
    }
    for (const std::string& isa : cpu_isas()) {
      SCOPED_TRACE(std::string(file) + ", " + isa);
      expect_same(run_paths(s, paths, isa == "avx2" ? 7 : 1, isa), reference);
    }
  }
}

TEST(Determinism, BinsAreThePilotsWhateverThePaths) {
  const Company company = load("demo.toml");
  const Scenario s = company.data.view();
  const std::vector<BinRange> bins = pilot_bins(s, 7);
  ASSERT_EQ(bins.size(), static_cast<std::size_t>(series_count(s) * s.months));
  RunPlan plan;
  plan.paths = {7, 0, kPilotPaths};
  plan.threads = 2;
  const Outcomes outcomes = make_cpu_backend()->simulate(s, plan, bins);
  const auto measures = static_cast<std::size_t>(kMeasureCount * s.months);
  for (std::size_t row = 0; row < bins.size(); ++row) {
    EXPECT_EQ(outcomes.bins[row].lo, bins[row].lo);
    EXPECT_EQ(outcomes.bins[row].shift, bins[row].shift);
    const auto* bin = outcomes.histogram.data() + row * kBins;
    const std::uint64_t counted = std::accumulate(bin, bin + kBins, std::uint64_t{0});
    EXPECT_TRUE(counted == kPilotPaths || counted == 0) << "row " << row << ": " << counted;
    if (row >= measures) continue;
    // The pilot's own paths: under 2% of them beyond either end, and not all in a few bins.
    SCOPED_TRACE("row " + std::to_string(row) + ", bins from " + std::to_string(bins[row].lo) + " by 2^" +
                 std::to_string(bins[row].shift));
    EXPECT_LE(bin[0], kPilotPaths / 50);
    EXPECT_LE(bin[kBins - 1], kPilotPaths / 50);
    if (bins[row].shift == 0) continue;
    EXPECT_GT(std::accumulate(bin, bin + 3 * kBins / 8, std::uint64_t{0}), 0U);
    EXPECT_GT(std::accumulate(bin + 5 * kBins / 8, bin + kBins, std::uint64_t{0}), 0U);
  }
}

TEST(BinCounts, AreThoseOfCountingOneByOne) {
  std::mt19937 random(6);
  cpu::BinCounts counts;
  std::vector<std::uint32_t> found(kBins, 0), expected(kBins, 0);
  for (const std::int32_t size : {0, 1, 2, 7, 1024, 1023, 9999, cpu::BinCounts::kMost}) {
    for (const std::uint32_t different : {1U, 2U, 40U, 1024U}) {
      std::vector<std::uint16_t> bins(static_cast<std::size_t>(size));
      for (std::uint16_t& bin : bins) bin = static_cast<std::uint16_t>(kBins - 1 - random() % different);
      counts.add(bins.data(), size, found.data());
      for (const std::uint16_t bin : bins) ++expected[bin];
      EXPECT_EQ(found, expected) << size << " values in " << different << " bins";
    }
  }
}

// Quantiles of headroom by month come from histograms, the share of failed tests from counts. They must
// agree in sign, also where a ratio without a denominator is capped at 1,000 on some paths or on nearly all.
TEST(Determinism, HeadroomBandsAgreeWithTheShareOfFailedTests) {
  for (const char* file :
       {"coreweave-1q26.toml", "nebius-1q26.toml", "lakeside-template.toml", "../tests/leverage.toml"}) {
    const Company company = load(file);
    const Scenario s = company.data.view();
    RunPlan plan;
    plan.paths = {1, 0, 20'000};
    const RiskReport risk =
        analyse(s, simulate(*make_cpu_backend(), s, plan, {.questions = all_questions(s)}), {});
    int compared = 0, beyond = 0;
    for (std::size_t v = 0; v < risk.covenants.size(); ++v) {
      for (const CovenantRisk::Test& test : risk.covenants[v].tests) {
        const Band& band = risk.bands[kMeasureCount + v].months[static_cast<std::size_t>(test.month) - 1];
        for (std::size_t k = 0; k < kBandPercents.size(); ++k) {
          const BinnedQuantile& q = band.quantiles[k];
          const bool fails = test.failing.count >= tail_count(kBandPercents[k], test.failing.of);
          EXPECT_FALSE(fails ? q.value >= 0 || q.at_least >= 0 : q.value < 0 || q.below <= 0)
              << file << ", " << company.covenants[v].id << ", month " << test.month << ", p"
              << kBandPercents[k];
          EXPECT_EQ(std::isfinite(q.value) + std::isfinite(q.below) + std::isfinite(q.at_least), 1);
          ++compared;
          beyond += std::isnan(q.value) ? 1 : 0;
        }
      }
    }
    EXPECT_GT(compared, 100) << file;
    if (std::string_view(file) == "../tests/leverage.toml") {
      EXPECT_GT(beyond, 0);
    }
  }
}

TEST(Determinism, ARangeIsTheSumOfItsParts) {
  for (const char* file : config_files) {
    SCOPED_TRACE(file);
    const Company company = load(file);
    const Scenario s = company.data.view();
    expect_concatenated(run_paths(s, {42, 0, 1'000}), run_paths(s, {42, 0, 300}), run_paths(s, {42, 300, 700}));
  }
}

TEST(Determinism, PathsCountBeyond32Bits) {
  const Company company = load("demo.toml");
  const Scenario s = company.data.view();
  constexpr std::uint64_t edge = std::uint64_t{1} << 32U;
  const Outcomes across = run_paths(s, {42, edge - 150, 300}, 2);
  expect_concatenated(across, run_paths(s, {42, edge - 150, 150}), run_paths(s, {42, edge, 150}));
  // Neither the low nor the high half of the index alone is the path.
  const auto total = [&](std::uint64_t first) {
    return read_column(run_paths(s, {42, first, 150}), kTotalFcf);
  };
  EXPECT_NE(total(edge), total(0));
  EXPECT_NE(total(edge), total(3 * edge));
  for (const std::uint64_t path : {edge - 1, edge, edge + 149}) {
    const std::vector<std::int32_t> trace = trace_path(s, 42, path);
    const auto fcf = trace.begin() + kFcf * s.months;
    EXPECT_EQ(std::accumulate(fcf, fcf + s.months, 0), read_column(across, kTotalFcf)[path - (edge - 150)])
        << "path " << path;
  }
}

TEST(Determinism, SeedsOf64BitsDiffer) {
  const Company company = load("demo.toml");
  const Scenario s = company.data.view();
  std::set<std::vector<std::int32_t>> all;
  const std::uint64_t seeds[] = {
      0, 1, 2, std::uint64_t{1} << 32U, (std::uint64_t{1} << 32U) + 1, ~std::uint64_t{0}};
  for (const std::uint64_t seed : seeds) all.insert(read_column(run_paths(s, {seed, 0, 100}), kTotalFcf));
  EXPECT_EQ(all.size(), std::size(seeds));
}

TEST(Determinism, TheSeedsPlanIsTheSame) {
  for (const char* file : config_files) {
    const Company company = load(file);
    Scenario s = company.data.view();
    s.switches = 0;
    EXPECT_EQ(trace_path(s, 1, 0), trace_path(s, 0xffff'ffff'ffffULL, 12'345)) << file;
  }
}

// ---- A path's months are its columns. ----

TEST(Determinism, TracesAddUpToTheColumns) {
  for (const char* file : config_files) {
    const Company company = load(file);
    const Scenario s = company.data.view();
    constexpr std::uint64_t kFirst = 1'000;
    constexpr std::uint64_t kPaths = 150;
    const Outcomes outcomes = run_paths(s, {99, kFirst, kPaths});
    const ColumnLayout& l = outcomes.layout;
    const std::vector<std::vector<std::int32_t>> columns = read_columns(outcomes);
    std::vector<std::int64_t> sum(outcomes.sum.size(), 0);
    for (std::uint64_t i = 0; i < kPaths; ++i) {
      const std::vector<std::int32_t> trace = trace_path(s, 99, kFirst + i);
      for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += trace[k];
      const auto value = [&](std::int32_t series, std::int32_t month) {
        return trace[static_cast<std::size_t>(series * s.months + month - 1)];
      };
      const auto expect = [&](std::int32_t column, std::int64_t x) {
        EXPECT_EQ(columns[static_cast<std::size_t>(column)][i], x)
            << file << ", path " << kFirst + i << ", " << column_name(l, column);
      };
      std::vector<std::int64_t> years(static_cast<std::size_t>(kYearColumnCount * l.years), 0);
      std::vector<std::int64_t> quarters(static_cast<std::size_t>(l.quarters), 0);
      std::int64_t total = 0;
      std::int32_t least_liquidity = kFixedMax;
      for (std::int32_t t = 1; t <= s.months; ++t) {
        const MonthRow& row = s.month[t - 1];
        for (std::int32_t c = 0; c < kYearColumnCount; ++c) {
          years[static_cast<std::size_t>(c * l.years + row.year)] += value(kYearTable[c].measure, t);
        }
        quarters[static_cast<std::size_t>(row.quarter)] += value(kFcf, t);
        total += value(kFcf, t);
        least_liquidity = std::min(least_liquidity, value(kLiquidity, t));
      }
      for (std::int32_t c = 0; c < kYearColumnCount; ++c) {
        for (std::int32_t y = 0; y < l.years; ++y) {
          expect(l.year(static_cast<YearColumn>(c), y), years[static_cast<std::size_t>(c * l.years + y)]);
        }
      }
      for (std::int32_t q = 0; q < l.quarters; ++q) {
        expect(l.quarter_fcf(q), quarters[static_cast<std::size_t>(q)]);
      }
      expect(kTotalFcf, total);
      expect(kMinLiquidity, least_liquidity);
      std::int32_t first_of_all = kNever, breached_first = kNever;
      for (std::int32_t v = 0; v < l.covenants; ++v) {
        std::int32_t first = kNever, least = kFixedMax;
        for (std::int32_t t = 1; t <= s.months; ++t) {
          const std::int32_t headroom = value(kMeasureCount + v, t);  // kFixedMax where it is not tested
          if (headroom < 0) first = std::min(first, t);
          least = std::min(least, headroom);
        }
        expect(l.first_breach(v), first);
        expect(l.min_headroom(v), least);
        if (first < first_of_all) first_of_all = first, breached_first = v;
      }
      expect(kFirstBreachMonth, first_of_all);
      expect(kFirstCovenant, breached_first);
      const auto column = [&](std::int32_t c) { return columns[static_cast<std::size_t>(c)][i]; };
      std::int32_t event_of_default = column(kLiquidityDefaultMonth);
      for (std::int32_t v = 0; v < l.covenants; ++v)
        event_of_default = std::min(event_of_default, column(l.accelerated(v)));
      for (std::int32_t e = 0; e < l.borrowers; ++e)
        event_of_default = std::min(event_of_default, column(l.payment_default(e)));
      expect(kEventOfDefaultMonth, event_of_default);
    }
    // Measures have a value in every month; the months of covenants that are not tested are not summed.
    for (std::size_t k = 0; k < static_cast<std::size_t>(kMeasureCount * s.months); ++k) {
      EXPECT_EQ(outcomes.sum[k], sum[k]) << file << ", measure " << k / static_cast<std::size_t>(s.months);
    }
  }
}

// ---- Other objects. ----

// A config as its parts: what stands before the first header, then header by header, sub-tables with their
// object.
struct Parts {
  std::vector<std::string> part{};

  explicit Parts(const std::string& text) {
    std::istringstream lines(text);
    part.emplace_back();
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with('[') && !line.starts_with("[entity.")) part.emplace_back();
      part.back() += line + "\n";
    }
  }
  std::string text() const {
    std::string all;
    for (const std::string& each : part) all += each;
    return all;
  }
  auto find(const std::string& kind, const std::string& id) {
    return std::find_if(part.begin(), part.end(), [&](const std::string& p) {
      return p.starts_with("[[" + kind + "]]") && p.find("id = \"" + id + "\"") != p.npos;
    });
  }
  void remove(const std::string& kind, const std::string& id) {
    const auto at = find(kind, id);
    ASSERT_NE(at, part.end()) << kind << ' ' << id;
    part.erase(at);
  }
  // Turns the order of all objects of a kind round.
  void reverse(const std::string& kind) {
    std::vector<std::size_t> at;
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (part[i].starts_with("[[" + kind + "]]")) at.push_back(i);
    }
    ASSERT_GT(at.size(), 1U) << kind;
    for (std::size_t i = 0; i < at.size() / 2; ++i) std::swap(part[at[i]], part[at[at.size() - 1 - i]]);
  }
};

struct Variant {
  Company company;
  Outcomes outcomes;
};

Variant run_changed(const std::function<void(Parts&)>& change) {
  const std::string file = configs_dir + "demo.toml";
  Company company = load_company({.file = file, .read = [&](const std::string& name) {
                                    std::ifstream stream(name, std::ios::binary);
                                    std::ostringstream text;
                                    text << stream.rdbuf();
                                    if (name != file) return std::optional(text.str());
                                    Parts parts(text.str());
                                    change(parts);
                                    return std::optional(parts.text());
                                  }});
  make_plan(company.data);
  Outcomes outcomes = run_paths(company.data.view(), {4711, 0, 600});
  return {std::move(company), std::move(outcomes)};
}

constexpr PathColumn kMarketColumns[] = {kMeanTightness,       kMeanShortRate,   kMeanSpreadMultiplier,
                                         kMeanPowerMultiplier, kMeanChurn,       kGlutMonths,
                                         kSystemicDelay,       kAgeingMultiplier};

// The market, the delays of every site and the defaults of every customer that both have.
void expect_same_draws(const Variant& a, const Variant& b) {
  for (const PathColumn c : kMarketColumns) {
    EXPECT_EQ(read_column(a.outcomes, c), read_column(b.outcomes, c)) << column_name(a.outcomes.layout, c);
  }
  const auto compare = [](const std::vector<Named>& in_a, const std::vector<Named>& in_b, auto column) {
    int shared = 0;
    for (std::size_t i = 0; i < in_a.size(); ++i) {
      const auto other =
          std::find_if(in_b.begin(), in_b.end(), [&](const Named& n) { return n.id == in_a[i].id; });
      if (other == in_b.end()) continue;
      ++shared;
      column(in_a[i].id, static_cast<std::int32_t>(i), static_cast<std::int32_t>(other - in_b.begin()));
    }
    EXPECT_GT(shared, 0);
  };
  compare(a.company.sites, b.company.sites, [&](const std::string& id, std::int32_t i, std::int32_t j) {
    EXPECT_EQ(read_column(a.outcomes, a.outcomes.layout.months_late(i)),
              read_column(b.outcomes, b.outcomes.layout.months_late(j)))
        << "months late of " << id;
  });
  compare(a.company.customers, b.company.customers, [&](const std::string& id, std::int32_t i, std::int32_t j) {
    EXPECT_EQ(read_column(a.outcomes, a.outcomes.layout.default_month(i)),
              read_column(b.outcomes, b.outcomes.layout.default_month(j)))
        << "default month of " << id;
  });
}

// All money of a path is the same too: the order of objects has no meaning.
void expect_same_money(const Variant& a, const Variant& b) {
  const ColumnLayout& l = a.outcomes.layout;
  for (std::int32_t c = 0; c < l.months_late(0); ++c) {
    EXPECT_EQ(read_column(a.outcomes, c), read_column(b.outcomes, c)) << column_name(l, c);
  }
  EXPECT_EQ(a.outcomes.sum, b.outcomes.sum);
  EXPECT_EQ(a.outcomes.histogram, b.outcomes.histogram);
}

const char* const kNewSite = R"(
[[site]]
id = "bergen"
gpu = "gb200"
gpus = 3000
it_mw = 6.0
grid = { planned = 2026-09-30, delay = "grid" }
gpu_delivery = { planned = 2026-10-31, delay = "gpus" }
order_date = 2026-06-30
capex_usd_per_gpu = 59000
fit_out_musd_per_mw = 13.3
cancel_probability = 0.2
)";
const char* const kNewCustomer = R"(
[[customer]]
id = "vega"
rating = "CCC"
)";
const char* const kNewContract = R"(
[[contract]]
id = "vega-gb200"
customer = "vega"
site = "bergen"
gpus = 1500
price_usd_per_gpu_hour = 3.1
start = 2027-01-31
term_months = 24
)";
const char* const kNewTranche = R"(
[[tranche]]
id = "lease-2031"
kind = "equipment"
balance_musd = 30.0
fixed_rate_per_year = 0.08
amortisation_start = 2026-05-31
maturity = 2031-03-31
)";

const Variant& demo() {
  static const Variant run = run_changed([](Parts&) {});
  return run;
}

TEST(NamedStreams, AddingObjectsMovesNoOtherDraw) {
  const char* const added[] = {kNewSite, kNewCustomer, kNewTranche};
  for (const char* object : added) {
    for (const bool in_front : {true, false}) {
      const Variant other = run_changed([&](Parts& parts) {
        const std::string kind = std::string(object).substr(3, std::string(object).find("]]") - 3);
        const auto first = std::find_if(parts.part.begin(), parts.part.end(), [&](const std::string& p) {
          return p.starts_with("[[" + kind + "]]");
        });
        parts.part.insert(in_front ? first : parts.part.end(), object);
      });
      SCOPED_TRACE(std::string(in_front ? "in front: " : "at the end: ") + object);
      expect_same_draws(demo(), other);
    }
  }
  const Variant all = run_changed([](Parts& parts) {
    for (const char* object : {kNewSite, kNewCustomer, kNewContract, kNewTranche})
      parts.part.emplace_back(object);
  });
  expect_same_draws(demo(), all);
  EXPECT_NE(read_column(demo().outcomes, kTotalFcf), read_column(all.outcomes, kTotalFcf));
  // The new objects have draws of their own.
  const std::vector<std::int32_t> late = read_column(all.outcomes, all.outcomes.layout.months_late(2));
  EXPECT_NE(late, read_column(all.outcomes, all.outcomes.layout.months_late(1)));
  EXPECT_GT(std::count(late.begin(), late.end(), kNever), 60);
}

TEST(NamedStreams, RemovingObjectsMovesNoOtherDraw) {
  const Variant no_northbank = run_changed([](Parts& parts) {
    parts.remove("contract", "northbank-h100");
    parts.remove("contract", "northbank-gb200");
    parts.remove("customer", "northbank");
  });
  expect_same_draws(demo(), no_northbank);
  const Variant no_keflavik = run_changed([](Parts& parts) {
    parts.remove("contract", "northbank-h100");
    parts.remove("site", "keflavik");
  });
  expect_same_draws(demo(), no_keflavik);
  const Variant no_notes = run_changed([](Parts& parts) { parts.remove("tranche", "notes-2030"); });
  expect_same_draws(demo(), no_notes);
}

TEST(NamedStreams, TheOrderOfObjectsMeansNothing) {
  for (const char* kind : {"site", "customer", "contract", "tranche"}) {
    const Variant other = run_changed([&](Parts& parts) { parts.reverse(kind); });
    SCOPED_TRACE(std::string("reversed: ") + kind);
    expect_same_draws(demo(), other);
    expect_same_money(demo(), other);
  }
}

TEST(NamedStreams, AnotherNameIsAnotherDraw) {
  const Variant renamed = run_changed([](Parts& parts) {
    for (std::string& each : parts.part) {
      for (auto at = each.find("\"abilene\""); at != each.npos; at = each.find("\"abilene\"")) {
        each.replace(at, 9, "\"houston\"");
      }
    }
  });
  const std::int32_t late = demo().outcomes.layout.months_late(1);
  EXPECT_NE(read_column(demo().outcomes, late), read_column(renamed.outcomes, late));
}

}  // namespace
}  // namespace headroom
