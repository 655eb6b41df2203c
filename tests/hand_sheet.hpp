// SPDX-License-Identifier: Apache-2.0
// The model against a spreadsheet: small companies whose months are computed here in double from first
// principles, line by line, and compared to the unit. One sheet closes the months of all of them; each test
// adds the flows of its own mechanism. Rounding is the model's: one flow of one object, halves to even.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "headroom/philox.hpp"
#include "host/cpu/trace.hpp"
#include "host/plan/make_plan.hpp"
#include "small_company.hpp"

namespace headroom::hand {

constexpr std::uint64_t kSeed = 20260331;
constexpr std::uint64_t kPath = 7;

inline double rounded(double x) { return std::nearbyint(x); }
inline double logistic_of(double x) { return 1.0 / (1.0 + std::exp(-x)); }
// A month of GPUs at a price, thousands of USD.
inline double fee(double gpus, double price) { return gpus * price * 730.5 / 1000.0; }
inline double number(Real x) { return static_cast<double>(x); }

// ---- The spreadsheet. ----

// The flows and figures of a month, before it is closed.
struct Month {
  double fees = 0, forfeited = 0, pool = 0;        // revenue
  double recoveries = 0, damages = 0;              // of contracts
  double prepaid = 0, credited = 0, refunded = 0;  // of prepayments
  double costs = 0;                                // of sites, power and platform
  double capex = 0, depreciation = 0;              // of sites, with write-offs
  double interest = 0, debt_fees = 0, scheduled = 0, maturities = 0, drawn = 0, converted = 0;
  double conversion_shares = 0;  // million
  double inflow = 0, inflow_shares = 0;
  double backlog = 0;
  double online = 0, used = 0;  // GPUs
  double price = kSmallPrice, tightness = 0, rate = 0;

  std::string text() const {
    std::ostringstream out;
    const auto say = [&](const char* name, double x) { out << ' ' << name << '=' << x; };
    say("fees", fees), say("forfeited", forfeited), say("pool", pool), say("recoveries", recoveries);
    say("damages", damages), say("prepaid", prepaid), say("credited", credited), say("refunded", refunded);
    say("costs", costs), say("capex", capex), say("depreciation", depreciation), say("interest", interest);
    say("debt_fees", debt_fees), say("scheduled", scheduled), say("maturities", maturities);
    say("drawn", drawn), say("converted", converted), say("inflow", inflow), say("backlog", backlog);
    say("online", online), say("used", used), say("price", price), say("tightness", tightness);
    say("rate", rate);
    return out.str();
  }
};

struct Closed {
  double value[kMeasureCount] = {};
  double ebitda, gross_interest, scheduled, cfads, fees;  // what covenant windows sum
  double cash, debt, liquidity, backlog, gap, issued;
  std::string inputs{};
};

class Sheet {
 public:
  explicit Sheet(const ScenarioData& data) : e_(data.entity.back()), ledger_usd_(data.parameters.ledger_usd) {
    cash_ = e_.cash;
    receivables_ = e_.receivables;
    payables_opex_ = e_.payables_opex;
    payables_capex_ = e_.payables_capex;
    losses_ = e_.tax_losses;
    shares_ = number(e_.shares_million);
    for (const Tranche& each : data.tranche) debt_ += each.balance;
    for (const Contract& each : data.contract) deferred_ += each.opening_unearned;
    if (e_.revolver >= 0) undrawn_ = data.tranche[static_cast<std::size_t>(e_.revolver)].commitment;
    if (e_.revolver >= 0) revolver_ = data.tranche[static_cast<std::size_t>(e_.revolver)].balance;
    for (const HistoryMonth& h : data.history) {
      Closed past{};
      past.ebitda = h.ebitda, past.gross_interest = h.cash_interest, past.scheduled = h.scheduled_principal;
      past.cfads = h.cfads, past.fees = h.contracted_revenue;
      past_.push_back(past);
    }
    value_shares(number(data.parameters.demand.start_tightness));
  }

  // At the last month end.
  double cash() const { return cash_; }
  double debt() const { return debt_; }
  double share_price() const { return share_price_; }
  double leverage() const { return leverage_; }
  double revolver() const { return revolver_; }
  double undrawn() const { return undrawn_; }
  double gap() const { return gap_; }
  const std::vector<Closed>& rows() const { return rows_; }
  // Sum over the last n months, some of which may lie before as_of.
  double last(int n, double Closed::*what) const {
    double sum = 0;
    for (int i = 0; i < n; ++i) {
      const auto k = static_cast<int>(rows_.size()) - 1 - i;
      sum += k >= 0 ? rows_[static_cast<std::size_t>(k)].*what
                    : past_[static_cast<std::size_t>(static_cast<int>(past_.size()) + k)].*what;
    }
    return sum;
  }

  void revolver_matures() { undrawn_ = revolver_ = 0; }

  void close(const Month& m) {
    const double t = static_cast<double>(rows_.size()) + 1.0;
    std::ostringstream inputs;
    inputs << "month " << t << ':' << m.text() << "\n  at its start: cash=" << cash_
           << " receivables=" << receivables_ << " payables=" << payables_opex_ << '+' << payables_capex_
           << " debt=" << debt_ << " deferred=" << deferred_ << " gap=" << gap_ << " losses=" << losses_
           << " revolver=" << revolver_ << '+' << undrawn_ << " share price=" << share_price_;
    const double revenue = m.fees + m.forfeited + m.pool;
    const double opex =
        m.costs + rounded(number(e_.sga_share_of_revenue) * revenue + number(e_.sga_fixed_month));
    const double ebitda = revenue + m.recoveries - m.damages - opex;
    const double earned = rounded(cash_ * number(e_.cash_yield_share) * m.rate / 12.0);
    const double interest = m.interest + m.debt_fees - earned;
    const double life = number(e_.opening_ppe_life_months);
    const auto old_assets = [&](double month) {
      return rounded(e_.opening_ppe * std::max(0.0, 1.0 - month / life));
    };
    const double depreciation = m.depreciation + old_assets(t - 1.0) - old_assets(t);
    const double profit = ebitda - e_.stock_compensation_month - depreciation - interest;
    const double covered = profit > 0.0 ? std::min(losses_, rounded(number(e_.loss_use_share) * profit)) : 0.0;
    const double tax = profit > 0.0 ? rounded(number(e_.tax_rate) * (profit - covered)) : 0.0;
    losses_ += profit > 0.0 ? -covered : -profit;

    const double receivables = rounded(number(e_.receivable_months) * (revenue - m.credited - m.forfeited));
    const double payables_opex = rounded(number(e_.payable_months_opex) * opex);
    const double payables_capex = rounded(number(e_.payable_months_capex) * std::max(0.0, m.capex));
    const double prepayments = m.prepaid - m.credited - m.refunded - m.forfeited;
    const double working_capital = receivables_ - receivables + payables_opex - payables_opex_ + prepayments;
    const double cfo = ebitda - interest - tax + working_capital;
    const double capex = m.capex - (payables_capex - payables_capex_);
    receivables_ = receivables, payables_opex_ = payables_opex, payables_capex_ = payables_capex;
    deferred_ += prepayments;

    Closed row{};
    balance_cash(cash_ + cfo - capex + m.drawn - m.scheduled - m.maturities + m.inflow, row);
    debt_ += m.drawn - m.scheduled - m.maturities - m.converted;
    shares_ += m.inflow_shares + m.conversion_shares;

    row.ebitda = ebitda, row.gross_interest = m.interest + m.debt_fees, row.scheduled = m.scheduled;
    row.cfads = ebitda - tax + working_capital - m.prepaid, row.fees = m.fees;
    row.cash = cash_, row.debt = debt_, row.liquidity = cash_ + undrawn_, row.backlog = m.backlog;
    row.gap = gap_;
    row.inputs = inputs.str();
    const auto put = [&](Measure measure, double x) { row.value[measure] = x; };
    put(kRevenue, revenue), put(kEbitda, ebitda), put(kCashInterest, interest), put(kCashTax, tax);
    put(kWorkingCapital, working_capital), put(kCfo, cfo), put(kCapex, capex), put(kFcf, cfo - capex);
    put(kLeveredFcf, cfo - capex - m.scheduled), put(kNetIncome, profit - tax);
    put(kAdjustedNetIncome, profit - tax + e_.stock_compensation_month), put(kDebt, debt_);
    put(kCash, cash_), put(kLiquidity, row.liquidity), put(kArr, 12.0 * (m.fees + m.pool));
    put(kBacklog, m.backlog), put(kDeferredRevenue, deferred_);
    put(kUtilisation, m.online > 0.0 ? rounded(1e4 * m.used / m.online) : 0.0);
    put(kTightness, rounded(1e4 * m.tightness)), put(kMarketPrice, rounded(1e4 * m.price));
    put(kShortRate, rounded(1e4 * m.rate));
    rows_.push_back(row);
    value_shares(m.tightness);
  }

 private:
  // Cash above the minimum repays the open gap and the revolver. A lack is drawn on the revolver, then raised
  // by new shares; cash below zero after that is a liquidity default, carried as a gap.
  void balance_cash(double cash, Closed& row) {
    if (rows_.size() % 3 == 0) issued_in_quarter_ = 0;
    const auto positive = [](double x) { return std::max(0.0, x); };
    const double gap_repaid = positive(std::min(gap_, cash - e_.min_cash));
    cash -= gap_repaid;
    const double drawn = positive(std::min(undrawn_, e_.min_cash - cash));
    const double repaid = positive(std::min(revolver_, cash - e_.min_cash));
    cash += drawn - repaid;
    revolver_ += drawn - repaid, undrawn_ -= drawn - repaid, debt_ += drawn - repaid;
    if (share_price_ >= number(e_.issue_floor_price_usd)) {
      row.issued = positive(std::min(e_.min_cash - cash, e_.issue_max_quarter - issued_in_quarter_));
      cash += row.issued;
      issued_in_quarter_ += row.issued;
      if (row.issued > 0) shares_ += row.issued * number(ledger_usd_) / 1e6 / share_price_;
    }
    gap_ += positive(-cash) - gap_repaid;
    cash_ = positive(cash);
  }

  void value_shares(double tightness) {
    const double ebitda = 4.0 * last(3, &Closed::ebitda);
    leverage_ = ebitda > 0.0 ? std::min(debt_ / ebitda, 1000.0) : 1000.0;
    const double multiple = number(e_.ev_to_ebitda) * std::exp(number(e_.ev_tightness_beta) * tightness);
    const double equity = multiple * ebitda + cash_ - debt_ - gap_;
    share_price_ = std::max(0.0, equity * number(ledger_usd_) / 1e6 / shares_);
  }

  Entity e_;
  Real ledger_usd_;
  double cash_, receivables_, payables_opex_, payables_capex_, losses_, shares_;
  double debt_ = 0, deferred_ = 0, gap_ = 0, revolver_ = 0, undrawn_ = 0, issued_in_quarter_ = 0;
  double share_price_ = 0, leverage_ = 0;
  std::vector<Closed> past_{}, rows_{};
};

inline std::vector<std::int32_t> trace_with_plan(const ScenarioData& data) {
  ScenarioData planned = data;
  make_plan(planned);
  return trace_path(planned.view(), kSeed, kPath);
}

// Compares all measures of all months to the unit; with `only`, just those.
inline void expect_equal(const ScenarioData& data, const Sheet& sheet, const std::vector<Measure>& only = {}) {
  const auto months = static_cast<std::size_t>(data.parameters.months);
  ASSERT_EQ(sheet.rows().size(), months);
  const std::vector<std::int32_t> trace = trace_with_plan(data);
  for (std::size_t t = 0; t < months; ++t) {
    for (std::size_t m = 0; m < kMeasureCount; ++m) {
      if (!only.empty() && std::find(only.begin(), only.end(), static_cast<Measure>(m)) == only.end()) continue;
      EXPECT_EQ(trace[m * months + t], sheet.rows()[t].value[m])
          << kMeasureTable[m].name << "; " << sheet.rows()[t].inputs;
    }
  }
}

inline std::int32_t column_of(const ScenarioData& data, std::int32_t column) {
  ScenarioData planned = data;
  make_plan(planned);
  return read_column(run_paths(planned.view(), {kSeed, kPath, 1}), column).front();
}

// The model's uniform of a word of month 0, in double.
enum class Word { w0, w1, w2, w3 };
inline double uniform_of(StreamId stream, Word word) {
  const Philox4 w = philox4x32_10({static_cast<std::uint32_t>(kPath), 0, 0, stream},
                                  static_cast<std::uint32_t>(kSeed), static_cast<std::uint32_t>(kSeed >> 32));
  const std::uint32_t all[] = {w.w0, w.w1, w.w2, w.w3};
  return (all[static_cast<std::size_t>(word)] + 0.5) / 4294967296.0;
}

// A delay that is never zero, with this median: the plan has it where the delivery switch is off.
inline DelayParams late_by(double months) {
  return derive::delay_params({.on_time_share = 0.0,
                               .p50_months = months,
                               .p90_months = 2.0 * months,
                               .earliest_months = 0.0,
                               .systemic_share = 0.0},
                              derive::stream_id("site/new/gpus"));
}

// Integral of the share on line, 0 at `ready` and 1 after `ramp`, up to x.
inline double online_area(double x, double ready, double ramp) {
  const double age = std::max(0.0, x - ready);
  return age < ramp ? age * age / (2.0 * ramp) : age - ramp / 2.0;
}

// Cash enough for anything.
inline ScenarioData rich_company(std::int32_t months) {
  ScenarioData data = still_company(months);
  data.entity[0].cash = 1'000'000;
  return data;
}

}  // namespace headroom::hand
