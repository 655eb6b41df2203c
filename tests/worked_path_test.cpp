// SPDX-License-Identifier: Apache-2.0
// Section 11 of MODEL.md: the demo's path 0 for three months. Here it is computed by the document's formulas
// from the random words and the demo's figures, in double precision and without the engine's functions. The
// document, this sheet and the engine must agree, amounts to the ledger unit.
#include <gtest/gtest.h>

#include <array>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "headroom/philox.hpp"
#include "host/cpu/trace.hpp"
#include "host/engine/engine.hpp"
#include "tests/outcomes_fixture.hpp"

namespace headroom {
namespace {

constexpr int kMonths = 3;
using Row = std::array<double, kMonths>;
using Sheet = std::map<std::string, Row>;

double uniform_of(std::uint32_t word) { return (word + 0.5) / 4294967296.0; }
double normal_of(std::uint32_t word) { return quantile(boost::math::normal(), uniform_of(word)); }
double logistic_of(double x) { return 1 / (1 + std::exp(-x)); }
double nearest(double amount) { return std::nearbyint(amount); }  // half to even

// The rows of the table in MODEL.md, by their first cell: | name | how | April | May | June |.
Sheet document() {
  std::ifstream in(HEADROOM_SOURCE_DIR "/include/headroom/MODEL.md");
  Sheet rows;
  bool here = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("## ")) here = line.starts_with("## 11 ");
    if (!here || !line.starts_with("| ")) continue;
    std::vector<std::string> cells;
    std::istringstream row(line.substr(1));
    for (std::string cell; std::getline(row, cell, '|');) {
      const auto first = cell.find_first_not_of(' ');
      cells.push_back(first == cell.npos ? "" : cell.substr(first, cell.find_last_not_of(' ') - first + 1));
    }
    if (cells.size() != 2 + kMonths || cells[2] == "April") continue;
    for (int t = 0; t < kMonths; ++t) {
      std::string number = cells[static_cast<std::size_t>(2 + t)];
      std::erase(number, ',');
      std::size_t read = 0;
      rows[cells[0]][static_cast<std::size_t>(t)] = std::stod(number, &read);
      EXPECT_EQ(read, number.size()) << line;
    }
  }
  return rows;
}

// The sheet. Amounts in USD thousand.
Sheet by_hand(const Scenario& s) {
  Sheet x;
  const auto words = [](int month, StreamId stream) {
    return philox4x32_10({0, 0, static_cast<std::uint32_t>(month), stream}, 1, 0);
  };
  const auto decay = [](double kappa) { return std::exp(-kappa / 12); };
  const auto sd = [](double kappa, double sigma) {
    return sigma * std::sqrt((1 - std::exp(-2 * kappa / 12)) / (2 * kappa));
  };
  const auto fading = [](double now, double long_run, int t) {
    return long_run + (now - long_run) * std::exp2(-t / 24.0);
  };
  const Philox4 path = words(0, s.path_stream);
  const double psi_training = std::exp(0.25 * normal_of(path.w0) - 0.25 * 0.25 / 2);
  const double psi_inference = std::exp(0.25 * normal_of(path.w1) - 0.25 * 0.25 / 2);
  const double xi = std::exp(0.40 * normal_of(path.w2));
  double training = 0, inference = 0, gap = 0, log_supply = 0, q = 0.05, cycle = 0, rate = 0, churn = 0,
         power = 0;
  double utilisation = 0.75, unearned = 6000, receivables = 8000, payables = 3000, payables_capex = 9000;
  double cash = 260'000, tax_losses = 60'000, deferred = 6000, run_off_left = 90'000;
  for (int t = 1; t <= kMonths; ++t) {
    const auto put = [&x, t](const char* name, double value) {
      x[name][static_cast<std::size_t>(t - 1)] = value;
    };
    // 3.1
    const Philox4 a = words(t, s.market_stream[0]), b = words(t, s.market_stream[1]),
                  c = words(t, s.market_stream[2]);
    const std::array e = {normal_of(a.w0), normal_of(a.w1), normal_of(a.w2), normal_of(a.w3),
                          normal_of(b.w0), normal_of(b.w1), normal_of(b.w2)};
    std::array<double, 7> z{};
    for (std::size_t i = 0; i < 7; ++i) {
      for (std::size_t j = 0; j <= i; ++j) z[i] += double{s.correlation[i][j]} * e[j];
    }
    const double stays = s.demand.stay_or_worse[kShortage][0];
    put("psi training", psi_training);
    put("psi inference", psi_inference);
    put("xi", xi);
    put("regime word", uniform_of(b.w3));
    put("shortage stays below", stays);
    EXPECT_LT(uniform_of(b.w3), stays);
    const double jump = 1 - std::exp(-0.30 / 12);
    const auto jump_of = [jump](std::uint32_t occurs, std::uint32_t size) {
      return uniform_of(occurs) < jump ? -0.10 + 0.15 * normal_of(size) : 0.0;
    };
    const double sigma = 0.25 * std::sqrt(1.0 / 12);
    training += (psi_training * fading(0.445, 0.15, t) + 0.10 - 0.25 * 0.25 / 2) / 12 + sigma * z[0] +
                jump_of(c.w0, c.w1);
    inference += (psi_inference * fading(0.80, 0.20, t) + 0.10 - 0.25 * 0.25 / 2) / 12 + sigma * z[1] +
                 jump_of(c.w2, c.w3);
    gap += (q - gap) / 18;
    log_supply += (fading(0.62, 0.175, t) + gap) / 12;
    q = 0.05 + std::log(0.5 * std::exp(training) + 0.5 * std::exp(inference)) - log_supply;
    put("Z training", z[kDemandTraining]);
    put("Z inference", z[kDemandInference]);
    put("Z price", z[kPrice]);
    put("Z rate", z[kRate]);
    put("Z churn", z[kChurnFactor]);
    put("Z power", z[kPowerFactor]);
    put("d training", training);
    put("d inference", inference);
    put("o", gap);
    put("ln S", log_supply);
    put("q", q);
    // 3.2: an H100 is three years old at as_of; both ageing rates are 0.12, and no launch has come.
    const double mean = 0.9 * q + 0.32;
    cycle = mean + (cycle - mean) * decay(1) + sd(1, 0.33) * z[kPrice];
    const double price = 2.63 * std::exp(-xi * 0.12 * t / 12 + cycle);
    put("a", cycle);
    put("price", price);
    // 3.4 to 3.6
    rate = rate * decay(0.05) + sd(0.05, 0.0080) * z[kRate];
    const double pull = (1 - std::exp(-0.05 * t / 12)) / 0.05;
    const double short_rate = 0.0365 + 0.0080 * 0.0080 * pull * pull / 2 + rate;
    churn = churn * decay(1) + sd(1, 0.35) * z[kChurnFactor];
    power = power * decay(1.5) + sd(1.5, 0.30) * z[kPowerFactor];
    const OnDemandParams& pool = s.on_demand;
    const double kept = utilisation * (1 - std::min(double{pool.attrition_month} * std::exp(churn), 1.0));
    const double bookings =
        double{pool.bookings_max} * logistic_of(double{pool.bookings_alpha} + double{pool.bookings_beta_q} * q);
    utilisation = kept + std::min(bookings, 1 - kept);
    put("r", short_rate);
    put("y", churn);
    put("power multiplier", std::exp(power));
    put("v", utilisation);
    // 4
    const double fee = nearest(2048 * 730.5 * 2.20 * 0.99 / 1000);
    const double sold = 2048 * utilisation;
    const double on_demand = nearest(sold * 730.5 * price / 1000);
    const double revenue = fee + on_demand;
    const double full_load = 5.2 * 1.15 * 730.5 * 60 / 1000;  // MW x PUE x hours x USD/MWh
    const double energised = (0.5 * 4096 + 0.5 * (2048 + sold)) / 4096;
    const double power_cost = nearest(full_load * energised * (0.5 + 0.5 * std::exp(power)));
    const double keflavik = nearest(5200 * (110 + 15) / 1000.0 + 4096 * 35.0 * 0.02 / 12);
    const double abilene = t < 3 ? 0 : 400;  // before it opens: from 31 May
    const double sga = nearest(800 + 0.02 * revenue);
    const double opex = power_cost + keflavik + abilene + sga;
    const double ebitda = revenue - opex;
    put("contract fee", fee);
    put("pool", on_demand);
    put("revenue", revenue);
    put("power", power_cost);
    put("Keflavik", keflavik);
    put("Abilene", abilene);
    put("SG&A", sga);
    put("EBITDA", ebitda);
    // 5: notes, and the fees of the term loan and the revolver, both undrawn
    const double notes = nearest(150'000 * 0.0925 / 12);
    const double fees = nearest(560'000 * 0.005 / 12) + nearest(75'000 * 0.004 / 12);
    const double earned = nearest(cash * 0.90 * short_rate / 12);
    const double interest = notes + fees - earned;
    put("notes", notes);
    put("fees", fees);
    put("earned", earned);
    // 4: tax. The opening PP&E in use, 90,000, runs off over 44 months.
    const double left = nearest(90'000 * (1 - t / 44.0));
    const double run_off = run_off_left - left;
    run_off_left = left;
    const double profit = ebitda - 300 - run_off - interest;
    const double losses = std::max(std::min(tax_losses, nearest(0.80 * profit)), 0.0);
    tax_losses -= losses;
    const double tax = std::max(nearest(0.21 * (profit - losses)), 0.0);
    put("run-off", run_off);
    put("profit", profit);
    put("losses used", losses);
    put("tax", tax);
    put("net income", profit - tax);
    // Working capital and prepayments: 15% of the training cluster's fees in June.
    const double credited = std::min({unearned, nearest(6000 / 24.0), fee});
    unearned -= credited;
    const double prepaid = t == 3 ? nearest(0.15 * 6000 * 730.5 * 3.00 * 60 / 1000) : 0;
    deferred += prepaid - credited;
    const double receivables_now = nearest(40 / 30.4375 * (revenue - credited));
    const double payables_now = nearest(30 / 30.4375 * opex);
    const double working_capital =
        -(receivables_now - receivables) + (payables_now - payables) + prepaid - credited;
    receivables = receivables_now;
    payables = payables_now;
    put("credited", credited);
    put("prepaid", prepaid);
    put("receivables", receivables);
    put("payables", payables);
    const double cfo = ebitda - interest - tax + working_capital;
    const double capex = payables_capex;  // nothing falls due; what was owed at as_of is paid
    payables_capex = 0;
    cash += cfo - capex;
    put("CFO", cfo);
    put("capex", capex);
    put("cash", cash);
    put("deferred revenue", deferred);
  }
  return x;
}

TEST(WorkedPath, DocumentSheetAndEngineAgree) {
  const Company company = planned_company("demo");
  const Scenario s = company.data.view();
  const Sheet hand = by_hand(s), written = document();
  ASSERT_EQ(written.size(), hand.size());
  for (const auto& [name, row] : hand) {
    SCOPED_TRACE(name);
    ASSERT_EQ(written.count(name), 1U);
    for (std::size_t t = 0; t < kMonths; ++t) {
      const double value = written.at(name)[t];
      // Amounts are whole units; market figures are written with four decimals.
      const bool amount = row[t] == std::floor(row[t]);
      EXPECT_NEAR(value, row[t], amount ? 0 : 0.00005001) << "month " << t + 1;
    }
  }
  const std::vector<std::int32_t> traced = trace_path(s, 1, 0);
  const auto engine = [&](Measure measure, std::size_t t) {
    return traced[static_cast<std::size_t>(measure) * static_cast<std::size_t>(s.months) + t];
  };
  for (std::size_t t = 0; t < kMonths; ++t) {
    SCOPED_TRACE(testing::Message() << "month " << t + 1);
    const auto at = [&](const char* name) { return hand.at(name)[t]; };
    EXPECT_EQ(engine(kRevenue, t), at("revenue"));
    EXPECT_EQ(engine(kEbitda, t), at("EBITDA"));
    EXPECT_EQ(engine(kCashInterest, t), at("notes") + at("fees") - at("earned"));
    EXPECT_EQ(engine(kCashTax, t), at("tax"));
    EXPECT_EQ(engine(kNetIncome, t), at("net income"));
    EXPECT_EQ(engine(kCfo, t), at("CFO"));
    EXPECT_EQ(engine(kCapex, t), at("capex"));
    EXPECT_EQ(engine(kCash, t), at("cash"));
    EXPECT_EQ(engine(kDebt, t), 150'000);
    EXPECT_EQ(engine(kDeferredRevenue, t), at("deferred revenue"));
    EXPECT_NEAR(engine(kTightness, t) / 1e4, at("q"), 0.000051);
    EXPECT_NEAR(engine(kMarketPrice, t) / 1e4, at("price"), 0.000055);
    EXPECT_NEAR(engine(kShortRate, t) / 1e4, at("r"), 0.000051);
    EXPECT_NEAR(engine(kUtilisation, t) / 1e4, (1 + at("v")) / 2, 0.000051);
  }
}

}  // namespace
}  // namespace headroom
