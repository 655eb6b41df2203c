// The model against a spreadsheet: small companies whose months are worked out here in double from first
// principles, line by line, and compared to the unit. One sheet closes the months of all of them; each test
// says what its own mechanism puts into them. Whole numbers arise where the model rounds: one flow of one
// object, halves away from zero.
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
#include "small_company.hpp"

namespace headroom {
namespace {

constexpr std::uint64_t kSeed = 20260331;
constexpr std::uint64_t kPath = 7;

double rounded(double x) { return std::round(x); }
double logistic_of(double x) { return 1.0 / (1.0 + std::exp(-x)); }
// A month of GPUs at a price, thousands of USD.
double fee(double gpus, double price) { return gpus * price * 730.5 / 1000.0; }
double number(Real x) { return static_cast<double>(x); }

// ---- The spreadsheet. ----

// What a month brings, before it is closed.
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

  // Of the last month end.
  double cash() const { return cash_; }
  double debt() const { return debt_; }
  double share_price() const { return share_price_; }
  double leverage() const { return leverage_; }
  double revolver() const { return revolver_; }
  double undrawn() const { return undrawn_; }
  double gap() const { return gap_; }
  const std::vector<Closed>& rows() const { return rows_; }
  // Sum over the last n months, of which some may lie before as_of.
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
  // Open gap and revolver are repaid from what is above the minimum; a lack is met by the revolver, then by new
  // shares, and what then lacks to zero is a liquidity default, carried as a gap.
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

constexpr const char* kMeasureNames[] = {
    "revenue",   "EBITDA",       "cash interest", "cash tax",   "working capital",     "CFO",
    "capex",     "FCF",          "levered FCF",   "net income", "adjusted net income", "debt",
    "cash",      "liquidity",    "ARR",           "backlog",    "deferred revenue",    "utilisation",
    "tightness", "market price", "short rate"};
static_assert(std::size(kMeasureNames) == kMeasureCount);

std::vector<std::int32_t> trace_with_plan(const ScenarioData& data) {
  ScenarioData planned = data;
  make_plan(planned);
  return trace_path(planned.view(), kSeed, kPath);
}

// All measures of all months to the unit; `only` leaves out the others.
void expect_equal(const ScenarioData& data, const Sheet& sheet, const std::vector<Measure>& only = {}) {
  const auto months = static_cast<std::size_t>(data.parameters.months);
  ASSERT_EQ(sheet.rows().size(), months);
  const std::vector<std::int32_t> trace = trace_with_plan(data);
  for (std::size_t t = 0; t < months; ++t) {
    for (std::size_t m = 0; m < kMeasureCount; ++m) {
      if (!only.empty() && std::find(only.begin(), only.end(), static_cast<Measure>(m)) == only.end()) continue;
      EXPECT_EQ(trace[m * months + t], sheet.rows()[t].value[m])
          << kMeasureNames[m] << "; " << sheet.rows()[t].inputs;
    }
  }
}

std::int32_t column_of(const ScenarioData& data, std::int32_t column) {
  ScenarioData planned = data;
  make_plan(planned);
  return read_column(run_paths(planned.view(), {kSeed, kPath, 1}), column).front();
}

// The model's uniform of a word of month 0, in double.
enum class Word { w0, w1, w2, w3 };
double uniform_of(StreamId stream, Word word) {
  const Philox4 w = philox4x32_10({static_cast<std::uint32_t>(kPath), 0, 0, stream},
                                  static_cast<std::uint32_t>(kSeed), static_cast<std::uint32_t>(kSeed >> 32));
  const std::uint32_t all[] = {w.w0, w.w1, w.w2, w.w3};
  return (all[static_cast<std::size_t>(word)] + 0.5) / 4294967296.0;
}

// A delay that is never nothing, with this median: what the plan takes where the delivery switch is off.
DelayParams late_by(double months) {
  return derive::delay_params({.on_time_share = 0.0,
                               .p50_months = months,
                               .p90_months = 2.0 * months,
                               .earliest_months = 0.0,
                               .systemic_share = 0.0},
                              derive::stream_id("site/new/gpus"));
}

// Integral of the share on line, 0 at `ready` and 1 after `ramp`, up to x.
double online_area(double x, double ready, double ramp) {
  const double age = std::max(0.0, x - ready);
  return age < ramp ? age * age / (2.0 * ramp) : age - ramp / 2.0;
}

// Cash enough for anything.
ScenarioData rich_company(std::int32_t months) {
  ScenarioData data = still_company(months);
  data.entity[0].cash = 1'000'000;
  return data;
}

// ---- Contract fees. ----

TEST(HandContracts, TakeOrPayUsageAndAvailability) {
  ScenarioData data = rich_company(8);
  data.parameters.on_demand.usage_alpha = 1.4F;
  data.parameters.on_demand.usage_beta_q = 2.0F;
  data.parameters.demand.start_tightness = 0.1F;
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  data.contract = {running_contract(0, 60, 2.5, 4, "a"), running_contract(0, 30, 3.1, 40, "b")};
  data.contract[0].take_or_pay = 0.7F;
  data.contract[0].availability = 0.98F;

  Sheet sheet(data);
  const double usage = logistic_of(1.4 + 2.0 * 0.1);
  for (int t = 1; t <= 8; ++t) {
    Month m;
    m.tightness = 0.1;
    const bool first = t <= 4;
    m.fees = rounded(fee(30, 3.1));
    if (first) m.fees += rounded(fee(60, 2.5) * 0.98 * (0.7 + 0.3 * usage));
    m.backlog = rounded(fee(60, 2.5) * std::max(0, 4 - t)) + rounded(fee(30, 3.1) * (40 - t));
    m.online = 100, m.used = first ? 90 : 30;
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandContracts, AnEndInsideAMonthCutsItsFee) {
  ScenarioData data = rich_company(6);
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  data.contract = {running_contract(0, 60, 2.5, 3.25)};
  Sheet sheet(data);
  for (int t = 1; t <= 6; ++t) {
    Month m;
    m.fees = rounded(fee(60, 2.5) * std::clamp(3.25 - (t - 1), 0.0, 1.0));
    m.backlog = rounded(fee(60, 2.5) * std::max(0.0, 3.25 - t));
    sheet.close(m);
  }
  expect_equal(data, sheet, {kRevenue, kEbitda, kCfo, kCash, kArr, kBacklog});
}

TEST(HandContracts, AfterAnEndInsideAMonthTheGpusGoToThePool) {
  ScenarioData data = rich_company(6);
  data.parameters.on_demand.start_utilisation = 0.5F;
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  data.contract = {running_contract(0, 60, 2.5, 3.25)};
  Sheet sheet(data);
  for (int t = 1; t <= 6; ++t) {
    const double part = std::clamp(3.25 - (t - 1), 0.0, 1.0);
    const double sold = 0.5 * (100 - 60 * part);
    Month m;
    m.fees = rounded(fee(60, 2.5) * part);
    m.pool = rounded(fee(sold, kSmallPrice));
    m.backlog = rounded(fee(60, 2.5) * std::max(0.0, 3.25 - t));
    m.online = 100, m.used = 60 * part + sold;
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// The site runs when the contracts begin, at month end 3: a term of four is over at 7, dated or counted.
void expect_served_for_four_months(bool dated) {
  ScenarioData data = rich_company(9);
  data.parameters.on_demand.start_utilisation = 0.5F;
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 60, 2.5, 3, 4)};
  data.contract[0].fixed_term = dated ? 1 : 0;
  if (dated) data.contract[0].end_month = 7.0F;
  Sheet sheet(data);
  for (int t = 1; t <= 9; ++t) {
    const double contracted = t > 3 && t <= 7 ? 60 : 0, sold = 0.5 * (100 - contracted);
    Month m;
    m.fees = rounded(fee(contracted, 2.5));
    m.pool = rounded(fee(sold, kSmallPrice));
    m.backlog = rounded(fee(60, 2.5) * std::clamp(7 - t, 0, 4));
    m.online = 100, m.used = contracted + sold;
    sheet.close(m);
  }
  expect_equal(data, sheet);
}
TEST(HandContracts, NothingIsServedBeforeTheContractDate) { expect_served_for_four_months(true); }
TEST(HandContracts, ATermWhoseGpusAreThereRunsFromTheContractDate) { expect_served_for_four_months(false); }

TEST(HandContracts, RampIsServedInOrderOfPriorityAndTermsRunFromFullDelivery) {
  ScenarioData data = rich_company(12);
  data.site = {new_site(100, 2.5)};
  data.site[0].ramp_months = 3.0F;
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 60, 2.5, 2, 5, "first"), new_contract(0, 40, 3.0, 3, 6, "second")};
  // GPUs on line from 2.5 to 5.5: areas under the line (x - 2.5) / 3 of months 3 to 6.
  const double online[] = {0, 0, 100.0 / 24, 100.0 / 3, 200.0 / 3, 2300.0 / 24, 100, 100, 100, 100, 100, 100};
  Sheet sheet(data);
  for (int t = 1; t <= 12; ++t) {
    Month m;
    m.online = online[t - 1];
    // 16.7, 50 and 83.3 at the ends of months 3 to 5: the first is full in month 5, the second in month 6.
    const double first = t <= 10 ? std::min(60.0, m.online) : 0;
    const double second = t <= 12 ? std::min(40.0, m.online - std::min(60.0, m.online)) : 0;
    m.fees = rounded(fee(first, 2.5)) + rounded(fee(second, 3.0));
    m.used = first + second;
    m.backlog = rounded(fee(60, 2.5) * (t < 5 ? 5 : std::max(0, 10 - t))) +
                rounded(fee(40, 3.0) * (t < 6 ? 6 : std::max(0, 12 - t)));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandContracts, AFixedTermRunsFromItsDate) {
  ScenarioData data = rich_company(10);
  data.site = {new_site(100, 3)};
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 100, 2.5, 3, 5)};
  data.contract[0].fixed_term = 1;
  data.contract[0].end_month = 8.0F;
  Sheet sheet(data);
  for (int t = 1; t <= 10; ++t) {
    Month m;
    m.online = t <= 3 ? 0 : (t == 4 ? 50 : 100);
    m.used = t <= 8 ? m.online : 0;
    m.fees = rounded(fee(m.used, 2.5));
    m.backlog = rounded(fee(100, 2.5) * (t <= 3 ? 5 : std::max(0, 8 - t)));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// Ready in month 9, after the contract's end: what is left of it melts with time, and the pool has the GPUs.
TEST(HandContracts, AFixedTermThatPassesUndeliveredIsOver) {
  ScenarioData data = rich_company(12);
  data.parameters.on_demand.start_utilisation = 0.5F;
  data.site = {new_site(100, 3)};
  data.site[0].stage_delay[kGpus] = late_by(6);
  data.site[0].ramp_months = 2.0F;
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 100, 2.5, 3, 5)};
  data.contract[0].fixed_term = 1;
  data.contract[0].end_month = 8.0F;
  Sheet sheet(data);
  for (int t = 1; t <= 12; ++t) {
    Month m;
    m.online = 100 * (online_area(t, 9, 2) - online_area(t - 1, 9, 2));
    m.used = 0.5 * m.online;
    m.pool = rounded(fee(m.used, kSmallPrice));
    m.backlog = rounded(fee(100, 2.5) * (t <= 3 ? 5 : std::max(0, 8 - t)));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// ---- Prepayments. ----

TEST(HandPrepayments, ReceivedCreditedCappedByTheInvoiceAndForfeitedAtTheEnd) {
  ScenarioData data = rich_company(14);
  data.entity[0].receivable_months = 1.3F;
  data.site = {new_site(100, 2), running_site(50)};
  data.customer = {customer_of("acme")};
  Contract dated = new_contract(0, 50, 3.0, 2, 6, "dated");
  dated.prepayment = 300, dated.prepayment_month = 1, dated.credit_window_months = 6.0F;
  Contract at_start = new_contract(0, 40, 3.0, 2, 6, "at-start");
  at_start.prepayment = 1000, at_start.prepayment_month = -1, at_start.credit_window_months = 4.0F;
  Contract old = running_contract(1, 50, 2.0, 30, "old");
  old.opening_unearned = 120, old.credit_window_months = 5.0F;
  data.contract = {dated, at_start, old};

  Sheet sheet(data);
  double dated_left = 0, at_start_left = 0, old_left = 120;
  for (int t = 1; t <= 14; ++t) {
    Month m;
    const double online = t <= 2 ? 0 : (t == 3 ? 50 : 100);
    // Both are fully delivered at the end of month 3 and run until 9; in month 3 the first takes what there is.
    const double dated_gpus = t <= 9 ? std::min(50.0, online) : 0;
    const double start_gpus = t <= 9 ? std::min(40.0, online - dated_gpus) : 0;
    const double dated_fee = rounded(fee(dated_gpus, 3.0)), start_fee = rounded(fee(start_gpus, 3.0));
    const double old_fee = rounded(fee(50, 2.0));
    m.fees = dated_fee + start_fee + old_fee;
    if (t == 1) m.prepaid += 300, dated_left += 300;
    if (t == 3) m.prepaid += 1000, at_start_left += 1000;
    const auto credit = [&](double& left, double even, double invoice) {
      const double credited = std::min({left, even, invoice});
      left -= credited;
      m.credited += credited;
    };
    credit(dated_left, 50, dated_fee);
    credit(at_start_left, 250, start_fee);
    credit(old_left, 24, old_fee);
    if (t == 9) m.forfeited = dated_left + at_start_left, dated_left = at_start_left = 0;
    m.backlog = rounded(fee(50, 3.0) * (t < 3 ? 6 : std::max(0, 9 - t))) +
                rounded(fee(40, 3.0) * (t < 3 ? 6 : std::max(0, 9 - t))) + rounded(fee(50, 2.0) * (30 - t));
    m.online = 50 + online, m.used = 50 + dated_gpus + start_gpus;
    sheet.close(m);
  }
  ASSERT_GT(sheet.rows()[8].value[kRevenue], sheet.rows()[7].value[kRevenue]) << "nothing was forfeited";
  expect_equal(data, sheet);
}

// ---- Lateness. ----

// Planned for 3, there at 6.5 with a ramp of a month; due in month 3 with a month of grace.
TEST(HandLateness, DamagesAfterTheGraceUpToTheCap) {
  ScenarioData data = rich_company(10);
  data.parameters.switches = kDamages;
  data.site = {new_site(100, 3)};
  data.site[0].stage_delay[kGpus] = late_by(3.5);
  data.customer = {customer_of("acme")};
  Contract c = new_contract(0, 100, 2.0, 3, 24);
  c.grace_months = 1.0F, c.damages_share = 0.10F;
  for (const double cap : {33.0, 1000.0}) {
    c.damages_cap = static_cast<Real>(cap);
    data.contract = {c};
    Sheet sheet(data);
    double charged = 0;
    for (int t = 1; t <= 10; ++t) {
      Month m;
      const double share_end = std::clamp(t - 6.5, 0.0, 1.0);
      if (t > 4 && share_end < 1.0) {
        m.damages = std::min(rounded(0.10 * fee(100, 2.0) * (1.0 - share_end)), cap - charged);
        charged += m.damages;
      }
      m.online = m.used = 100 * (online_area(t, 6.5, 1) - online_area(t - 1, 6.5, 1));
      m.fees = rounded(fee(m.used, 2.0));
      m.backlog = rounded(fee(100, 2.0) * (t < 8 ? 24 : 32 - t));
      sheet.close(m);
    }
    ASSERT_EQ(charged, cap == 33.0 ? 33.0 : 15.0 + 15.0 + 7.0);
    expect_equal(data, sheet);
    const ColumnLayout l = column_layout(data.view());
    EXPECT_EQ(column_of(data, l.months_late(0)), 35000);
    EXPECT_EQ(column_of(data, kMaxMonthsLate), 35000);
  }
}

TEST(HandLateness, LongStopEndsTheWholeOrderAndRefunds) {
  ScenarioData data = rich_company(14);
  data.parameters.switches = kTermination;
  data.parameters.on_demand.start_utilisation = 0.5F;
  data.site = {new_site(100, 3)};
  data.site[0].stage_delay[kGpus] = late_by(6.5);  // there at 9.5
  data.customer = {customer_of("acme")};
  Contract head = new_contract(0, 30, 2.0, 3, 24, "head");
  head.long_stop_months = 4.0F, head.termination_probability = 1.0F;
  head.prepayment = 200, head.prepayment_month = 1, head.credit_window_months = 24.0F;
  Contract follower = new_contract(0, 20, 2.0, 5, 24, "follower");
  follower.order_head = 0;
  follower.prepayment = 111, follower.prepayment_month = 2, follower.credit_window_months = 24.0F;
  Contract other = new_contract(0, 40, 2.0, 3, 24, "other");
  other.long_stop_months = 4.0F, other.termination_probability = 0.0F;
  data.contract = {head, follower, other};

  Sheet sheet(data);
  for (int t = 1; t <= 14; ++t) {
    Month m;
    if (t == 1) m.prepaid = 200;
    if (t == 2) m.prepaid = 111;
    if (t == 7) m.refunded = 311;
    m.online = 100 * (online_area(t, 9.5, 1) - online_area(t - 1, 9.5, 1));
    const double served = std::min(40.0, m.online), sold = 0.5 * (m.online - served);
    m.fees = rounded(fee(served, 2.0)), m.pool = rounded(fee(sold, kSmallPrice));
    m.used = served + sold;
    // At 10 half of the site is on line, enough for the third.
    m.backlog = rounded(fee(40, 2.0) * (t < 10 ? 24 : 34 - t));
    if (t < 7) m.backlog += rounded(fee(30, 2.0) * 24) + rounded(fee(20, 2.0) * 24);
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandLateness, AnOrderEndsInOneMonthWhereverItsSitesStand) {
  for (const bool head_first : {true, false}) {
    ScenarioData data = rich_company(9);
    data.parameters.switches = kTermination;
    const auto site = [&](const char* id) {
      Site s = new_site(50, 3, id);
      s.stage_delay[kGpus] = late_by(20);
      return s;
    };
    data.site = {site("one"), site("two")};
    data.customer = {customer_of("acme")};
    Contract head = new_contract(head_first ? 0 : 1, 30, 2.0, 3, 24, "head");
    head.long_stop_months = 4.0F, head.termination_probability = 1.0F;
    Contract follower = new_contract(head_first ? 1 : 0, 20, 2.0, 5, 24, "follower");
    follower.order_head = head_first ? 0 : 1;
    data.contract = head_first ? std::vector{head, follower} : std::vector{follower, head};
    Sheet sheet(data);
    for (int t = 1; t <= 9; ++t) {
      Month m;
      if (t < 7) m.backlog = rounded(fee(30, 2.0) * 24) + rounded(fee(20, 2.0) * 24);
      sheet.close(m);
    }
    SCOPED_TRACE(head_first ? "the head's site is the first" : "the head's site is the second");
    expect_equal(data, sheet);
  }
}

// In full on line at 6.5; the long-stop is 7.0.
TEST(HandLateness, DeliveredBeforeTheLongStopTheCustomerStays) {
  ScenarioData data = rich_company(10);
  data.parameters.switches = kTermination;
  data.site = {new_site(100, 3)};
  data.site[0].stage_delay[kGpus] = late_by(2.5);
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 100, 2.0, 3, 24)};
  data.contract[0].long_stop_months = 4.0F;
  data.contract[0].termination_probability = 1.0F;
  Sheet sheet(data);
  for (int t = 1; t <= 10; ++t) {
    Month m;
    m.online = m.used = 100 * (online_area(t, 5.5, 1) - online_area(t - 1, 5.5, 1));
    m.fees = rounded(fee(m.used, 2.0));
    m.backlog = rounded(fee(100, 2.0) * (t < 7 ? 24 : 31 - t));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// ---- Prices of contracts. ----

TEST(HandRepricing, AStepDownGoesPartOfTheWayToMarketOnce) {
  ScenarioData data = rich_company(10);
  data.parameters.switches = kStepDown;
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  Contract dear = running_contract(0, 50, 4.0, 40, "dear");
  const double threshold = -std::log(uniform_of(dear.stream, Word::w1));
  dear.step_down_hazard_month = static_cast<Real>(threshold / 4.5);  // crossed in month 5
  dear.step_down_trigger_log = static_cast<Real>(-std::log1p(-0.3));
  dear.step_down_pass = 0.5F;
  dear.renewal_discount = 0.35F;
  Contract fair = dear;  // 1.80 is not above 1.30 / 0.7
  fair.gpus = 40.0F, fair.price_usd_per_gpu_hour = 1.8F;
  data.contract = {dear, fair};
  Sheet sheet(data);
  const double after = 4.0 + 0.5 * (0.65 * kSmallPrice - 4.0);
  for (int t = 1; t <= 10; ++t) {
    Month m;
    m.fees = rounded(fee(50, t <= 5 ? 4.0 : after)) + rounded(fee(40, 1.8));
    m.backlog = rounded(fee(50, t < 5 ? 4.0 : after) * (40 - t)) + rounded(fee(40, 1.8) * (40 - t));
    m.online = 100, m.used = 90;
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// The market ages by 2% a month; the pool keeps its utilisation of 0.8.
TEST(HandRepricing, RenewedAtTheMarketOrBackToThePool) {
  ScenarioData data = rich_company(12);
  data.parameters.on_demand.start_utilisation = 0.8F;
  for (int t = 1; t <= 12; ++t) data.ageing[static_cast<std::size_t>(t - 1)] = static_cast<Real>(0.02 * t);
  data.site = {running_site(100)};
  data.customer = {customer_of("acme")};
  Contract renews = running_contract(0, 50, 2.4, 3, "renews");
  renews.renewal_alpha = 0.4F, renews.renewal_term_months = 4.0F, renews.renewal_discount = 0.35F;
  Contract leaves = renews;
  leaves.gpus = 30.0F, leaves.renewal_alpha = -0.4F;
  data.contract = {renews, leaves};
  Sheet sheet(data);
  const auto market = [](double t) { return kSmallPrice * std::exp(-0.02 * t); };
  for (int t = 1; t <= 12; ++t) {
    Month m;
    m.price = market(t);
    const double price = t <= 3 ? 2.4 : 0.65 * market(t <= 7 ? 3 : (t <= 11 ? 7 : 11));
    const double left = t <= 3 ? 20 : 50, sold = 0.8 * left;
    m.fees = rounded(fee(50, price)) + (t <= 3 ? rounded(fee(30, 2.4)) : 0);
    m.pool = rounded(fee(sold, m.price));
    const double new_price = t == 3 || t == 7 || t == 11 ? 0.65 * market(t) : price;  // from the next month on
    const int end = t < 3 ? 3 : (t < 7 ? 7 : (t < 11 ? 11 : 15));
    m.backlog = rounded(fee(50, new_price) * (end - t)) + (t < 3 ? rounded(fee(30, 2.4) * (3 - t)) : 0);
    m.online = 100, m.used = 100 - left + sold;
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandRepricing, OptionsAreExercisedOrLapse) {
  ScenarioData data = rich_company(10);
  data.site = {new_site(100, 4)};
  data.customer = {customer_of("acme")};
  Contract taken = new_contract(0, 50, 2.0, 4, 24, "taken");
  taken.option = 1, taken.option_month = 2.0F, taken.option_alpha = 0.4F;
  taken.prepayment = 500, taken.prepayment_month = 3, taken.credit_window_months = 1e6F;
  Contract left = taken;
  left.option_alpha = -0.4F;
  data.contract = {taken, left};
  Sheet sheet(data);
  for (int t = 1; t <= 10; ++t) {
    Month m;
    m.online = 100 * (online_area(t, 4, 1) - online_area(t - 1, 4, 1));
    m.used = std::min(50.0, m.online);
    m.fees = rounded(fee(m.used, 2.0));
    if (t == 3) m.prepaid = 500;
    m.backlog = t < 2 ? 0 : rounded(fee(50, 2.0) * (t < 5 ? 24 : 29 - t));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// ---- Default. ----

TEST(HandDefault, FeesStopPrepaymentIsForfeitAndTheClaimIsPaidOverTwelveMonths) {
  ScenarioData data = rich_company(22);
  data.parameters.switches = kDefault;
  data.parameters.on_demand.start_utilisation = 0.5F;
  data.parameters.demand.start_tightness = -0.1F;
  data.site = {running_site(100), new_site(30, 30)};
  data.customer = {customer_of("acme"), customer_of("other")};
  data.customer[0].recovery_share = 0.3F;
  data.customer[0].recovery_months = 10;
  data.customer[0].tightness_beta = 4.0F;
  const double threshold = -std::log(uniform_of(data.customer[0].stream, Word::w0));
  data.customer[0].default_intensity_month = static_cast<Real>(threshold / 6.5 * std::exp(-0.4));  // in month 7
  Contract failing = running_contract(0, 60, 2.0, 40, "failing");
  failing.opening_unearned = 240, failing.credit_window_months = 24.0F;
  Contract other = running_contract(0, 20, 2.0, 40, "other");
  other.customer = 1;
  Contract pending = new_contract(1, 30, 2.0, 30, 12, "pending");  // of the failing customer, not begun
  pending.prepayment = 77, pending.prepayment_month = 2, pending.credit_window_months = 12.0F;
  data.contract = {failing, other, pending};

  Sheet sheet(data);
  double unearned = 240;
  const double last_fee = rounded(fee(60, 2.0));
  for (int t = 1; t <= 22; ++t) {
    Month m;
    m.tightness = -0.1;
    const bool gone = t >= 7;
    m.fees = rounded(fee(20, 2.0)) + (gone ? 0 : last_fee);
    if (t == 2) m.prepaid = 77;
    if (!gone) m.credited = 10, unearned -= 10;
    if (t == 7) m.forfeited = unearned + 77;
    if (t > 7 && t <= 19) m.recoveries = rounded(last_fee * 0.3 * 10.0 / 12.0);
    const double left = gone ? 80 : 20, sold = 0.5 * left;
    m.pool = rounded(fee(sold, kSmallPrice));
    m.online = 100, m.used = 100 - left + sold;
    m.backlog = rounded(fee(20, 2.0) * (40 - t));
    if (!gone) m.backlog += rounded(fee(60, 2.0) * (40 - t)) + rounded(fee(30, 2.0) * 12);
    sheet.close(m);
  }
  expect_equal(data, sheet);
  const ColumnLayout l = column_layout(data.view());
  EXPECT_EQ(column_of(data, l.default_month(0)), 7) << "threshold " << threshold;
  EXPECT_EQ(column_of(data, l.default_month(1)), kNever);
}

// ---- The pool and power. ----

TEST(HandPool, AttritionBookingsBackstopPlatformAndPower) {
  ScenarioData data = rich_company(12);
  data.parameters.demand.start_tightness = 0.2F;
  OnDemandParams& o = data.parameters.on_demand;
  o.start_utilisation = 0.75F;
  o.attrition_month = 0.1F;
  o.bookings_max = 0.14F, o.bookings_alpha = -0.5F, o.bookings_beta_q = 4.0F;
  o.premium = 1.15F, o.channel_discount = 0.1F;
  o.backstop_share = 0.4F, o.backstop_price_usd_per_gpu_hour = 1.2F, o.backstop_end_month = 5.0F;
  o.platform_share_start = 0.1F, o.platform_share_end = 0.3F, o.platform_ramp_months = 8.0F;
  o.platform_price_multiple = 1.8F, o.platform_cost_ratio = 0.35F;
  data.site = {running_site(1000)};
  data.site[0].power_fixed_month = 40.0F;
  data.site[0].power_floating_month = 60.0F;
  data.site[0].power_idle_share = 0.5F;
  data.parameters.rates.power = {.decay_month = 0.9F, .sd_month = 0.0F, .start = 0.5F};
  data.customer = {customer_of("acme")};
  data.contract = {running_contract(0, 300, 2.5, 40)};

  Sheet sheet(data);
  double utilisation = 0.75, log_power = 0.5;
  for (int t = 1; t <= 12; ++t) {
    Month m;
    m.tightness = 0.2;
    const double kept = utilisation * (1.0 - 0.1);
    utilisation = std::min(1.0, kept + 0.14 * logistic_of(-0.5 + 4.0 * 0.2));
    log_power *= 0.9;
    const double sold = 700 * utilisation, unsold = 700 - sold;
    const double at_market = fee(sold, 1.15 * kSmallPrice);
    const double platform_share = 0.1 + 0.2 * std::min(1.0, t / 8.0);
    const double platform = at_market * platform_share * 1.8;
    const double backstop = t <= 5 ? fee(0.4 * unsold, 1.2) : 0;
    m.fees = rounded(fee(300, 2.5));
    m.pool = rounded(at_market * (1 - platform_share) * 0.9 + platform + backstop);
    const double energised = 0.5 + 0.5 * (300 + sold) / 1000;
    m.costs = rounded(energised * (40 + 60 * std::exp(log_power)) + 0.35 * platform);
    m.online = 1000, m.used = 300 + sold;
    m.backlog = rounded(fee(300, 2.5) * (40 - t));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandPool, BookingsNeverFillMoreThanThePool) {
  ScenarioData data = rich_company(4);
  data.parameters.on_demand.start_utilisation = 0.9F;
  data.parameters.on_demand.attrition_month = 0.05F;
  data.parameters.on_demand.bookings_max = 0.5F;
  data.site = {running_site(100)};
  Sheet sheet(data);
  for (int t = 1; t <= 4; ++t) {  // 0.9 * 0.95 + 0.25 > 1
    Month m;
    m.online = m.used = 100;
    m.pool = rounded(fee(100, kSmallPrice));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// ---- Sites: costs, capex, depreciation. ----

// Planned for 4, there at 6.5, ramp of 2; ordered in 1; a life of five months with 15% left.
TEST(HandSites, CostsCapexAndDepreciationOfALateSite) {
  ScenarioData data = rich_company(16);
  data.entity[0].payable_months_capex = 0.73F;
  data.entity[0].payables_capex = 123;
  data.parameters.on_demand.start_utilisation = 0.5F;
  Site s = new_site(100, 4);
  s.stage_delay[kGpus] = late_by(2.5);
  s.ramp_months = 2.0F;
  s.order_month = 1.0F;
  s.capex = 10'000, s.capex_paid = 500;
  s.order_share = 0.2F, s.delivery_share = 0.6F, s.gpu_value_share = 0.8F;
  s.lease_month = 30.0F, s.lease_start_month = 1.25F;
  s.staff_month = 11.0F;
  s.prelaunch_month = 8.0F, s.prelaunch_start_month = 2.5F;
  s.facility_month = 20.0F, s.maintenance_share_month = 0.002F;
  s.power_fixed_month = 100.0F, s.power_idle_share = 0.4F;
  s.life_months = 5.0F, s.residual_share = 0.15F;
  data.site = {s};

  Sheet sheet(data);
  const double ready = 6.5;
  const auto part = [](double from, double to, double t) {  // of the month that ends at t, in [from, to]
    return std::max(0.0, std::min(to, t) - std::max(from, t - 1));
  };
  double paid = 500, depreciated = 0;
  for (int t = 1; t <= 16; ++t) {
    Month m;
    const double delivered = std::clamp((t - ready) / 2.0, 0.0, 1.0);
    const double due = 500 + 9500 * (0.2 + (t >= 4 ? 0.2 : 0.0) + 0.6 * delivered);
    m.capex = rounded(due) - paid;
    paid += m.capex;
    const double life = online_area(t, ready, 2) - online_area(t - 5, ready, 2);
    m.depreciation = rounded(0.85 * 10'000 / 5 * life) - depreciated;
    depreciated += m.depreciation;
    const double share = online_area(t, ready, 2) - online_area(t - 1, ready, 2);
    m.online = 100 * share, m.used = 50 * share;
    m.pool = rounded(fee(m.used, kSmallPrice));
    const double power = 100 * (0.4 * m.online + 0.6 * m.used) / 100;
    m.costs = rounded(30 * part(1.25, 1e9, t) + 11 * part(4, 1e9, t) + 8 * part(2.5, ready, t) +
                      share * (20 + 0.002 * 0.8 * 10'000)) +
              rounded(power);
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandSites, DatesInsideAMonthAndMoneySpentBefore) {
  ScenarioData data = rich_company(8);
  Site s = new_site(100, 4.5);
  s.order_month = -1.0F;  // its share is in what is paid
  s.capex = 8'000, s.capex_paid = 2'000;
  s.order_share = 0.25F, s.delivery_share = 0.5F;
  s.staff_month = 10.0F;
  s.commissioning_months = 0.75F;
  s.planned_ready_month = 5.25F;
  data.site = {s};
  Sheet sheet(data);
  double paid = 2'000, depreciated = 0;
  for (int t = 1; t <= 8; ++t) {
    Month m;
    const double delivered = std::clamp(t - 4.5, 0.0, 1.0);
    const double share = 0.5 * delivered + (t >= 5.25 ? 0.25 : 0.0);  // of the 0.75 that is not due yet
    m.capex = rounded(2'000 + 6'000 * share / 0.75) - paid;
    paid += m.capex;
    m.depreciation = rounded(8'000 / 60.0 * online_area(t, 5.25, 1)) - depreciated;
    depreciated += m.depreciation;
    m.online = 100 * (online_area(t, 5.25, 1) - online_area(t - 1, 5.25, 1));
    m.costs = rounded(10 * std::clamp(t - 5.25, 0.0, 1.0));
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandSites, WithoutLiquidityADiscretionarySiteIsNotOrdered) {
  ScenarioData data = still_company(8);
  data.entity[0].cash = 900;
  data.entity[0].policy_liquidity = 800;
  data.entity[0].sga_fixed_month = 50.0F;
  const auto site = [](double order, const char* id) {
    Site s = new_site(100, order + 1, id);
    s.discretionary = 1;
    s.order_month = static_cast<Real>(order);
    s.capex = 100, s.order_share = 1.0F, s.life_months = 1000.0F;
    s.lease_month = 10.0F;
    return s;
  };
  // 850 at the end of month 1: the first is ordered in month 2, 100 are gone; the second is not, for ever.
  data.site = {site(2, "early"), site(4, "late")};
  Sheet sheet(data);
  double depreciated = 0;
  for (int t = 1; t <= 8; ++t) {
    Month m;
    m.capex = t == 2 ? 100 : 0;
    m.costs = t >= 4 ? 10 : 0;  // the lease of the first
    m.online = 100 * (online_area(t, 3, 1) - online_area(t - 1, 3, 1));
    m.depreciation = rounded(100 / 1000.0 * online_area(t, 3, 1)) - depreciated;
    depreciated += m.depreciation;
    sheet.close(m);
  }
  ASSERT_LT(sheet.rows()[2].cash, 800) << "the second site had its liquidity";
  expect_equal(data, sheet);
}

// Refused in month 3: a tenth of its capex is lost, its contract released and the prepayment given back.
void expect_cancelled(double order_month) {
  ScenarioData data = rich_company(10);
  data.parameters.switches = kCancellation;
  Site s = new_site(100, 6);
  s.order_month = static_cast<Real>(order_month);
  s.cancel_month = 3.0F, s.cancel_probability = 1.0F, s.sunk_share = 0.1F;
  s.capex = 10'000, s.capex_paid = 800;
  s.order_share = 0.2F, s.delivery_share = 0.8F;
  s.lease_month = 10.0F, s.lease_start_month = 0.0F;
  data.site = {s};
  data.customer = {customer_of("acme")};
  Contract c = new_contract(0, 100, 2.0, 6, 12);
  c.prepayment = 300, c.prepayment_month = 2, c.credit_window_months = 12.0F;
  data.contract = {c};
  Sheet sheet(data);
  double paid = 800;
  for (int t = 1; t <= 10; ++t) {
    Month m;
    const double due = t >= 3 ? 1'000 : (t >= order_month ? 800 + 0.2 * 9'200 : 800);
    m.capex = rounded(due) - paid;
    paid += m.capex;
    m.depreciation = t == 3 ? 1'000 : 0;
    m.prepaid = t == 2 ? 300 : 0;
    m.refunded = t == 3 ? 300 : 0;
    m.costs = t < 3 ? 10 : 0;
    m.backlog = t < 3 ? rounded(fee(100, 2.0) * 12) : 0;
    sheet.close(m);
  }
  SCOPED_TRACE("ordered in month " + std::to_string(order_month));
  expect_equal(data, sheet);
  const ColumnLayout l = column_layout(data.view());
  EXPECT_EQ(column_of(data, l.months_late(0)), kNever);
}
TEST(HandSites, ARefusedSiteEndsAtItsSunkShare) {
  expect_cancelled(2);
  expect_cancelled(3);
}
TEST(HandSites, ASiteRefusedBeforeItsOrderIsNeverOrdered) { expect_cancelled(5); }

// ---- Income, tax, working capital. ----

TEST(HandIncome, TaxLossesRunOffAndWorkingCapital) {
  ScenarioData data = rich_company(50);
  set_short_rate(data, 0.03);
  Entity& e = data.entity[0];
  e.cash = 20'000;
  e.opening_ppe = 6'000, e.opening_ppe_life_months = 40.0F;
  e.tax_losses = 500, e.tax_rate = 0.21F, e.loss_use_share = 0.8F;
  e.stock_compensation_month = 17;
  e.sga_fixed_month = 25.3F, e.sga_share_of_revenue = 0.045F;
  e.receivables = 333, e.payables_opex = 44, e.payables_capex = 5;
  e.receivable_months = 1.31F, e.payable_months_opex = 0.99F, e.payable_months_capex = 0.5F;
  e.cash_yield_share = 0.9F;
  data.site = {new_site(400, 6)};
  data.site[0].facility_month = 100.0F;
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 400, 2.0, 6, 20)};
  data.contract[0].prepayment = 2'000, data.contract[0].prepayment_month = 2;
  data.contract[0].credit_window_months = 20.0F;
  Sheet sheet(data);
  double unearned = 0;
  for (int t = 1; t <= 50; ++t) {
    Month m;
    m.rate = 0.03;
    m.online = 400 * (online_area(t, 6, 1) - online_area(t - 1, 6, 1));
    m.used = t <= 27 ? m.online : 0;
    m.fees = rounded(fee(m.used, 2.0));
    m.costs = rounded(100 * m.online / 400);
    if (t == 2) m.prepaid = 2'000, unearned = 2'000;
    m.credited = std::min({unearned, 100.0, m.fees});
    unearned -= m.credited;
    m.backlog = rounded(fee(400, 2.0) * (t < 7 ? 20 : std::max(0, 27 - t)));
    sheet.close(m);
  }
  double taxed = 0;
  for (const Closed& row : sheet.rows()) taxed += row.value[kCashTax];
  ASSERT_GT(taxed, 0);
  expect_equal(data, sheet);
}

// ---- Debt. ----

struct Loan {  // what a tranche holds and has left
  double balance, undrawn;
  double interest(double coupon) const { return rounded(balance * coupon / 12.0); }
};

// Order 20% in month 2, deliveries 60% in months 5 and 6, the rest on the planned opening, month 5.
TEST(HandDebt, DelayedDrawAgainstCapexInItsWindow) {
  for (const double commitment : {9'000.0, 3'000.0}) {
    ScenarioData data = rich_company(16);
    set_short_rate(data, 0.036);
    Site s = new_site(100, 5);
    s.stage_delay[kGpus] = late_by(0.25);
    s.order_month = 2.0F;
    s.capex = 10'000, s.order_share = 0.2F, s.delivery_share = 0.6F;
    s.tranche = 0;
    data.site = {s};
    Tranche d = tranche_of(TrancheKind::ddtl, 400);
    d.commitment = static_cast<Money>(commitment);
    d.draw_start_month = 1.0F, d.draw_end_month = 6.0F;
    d.advance_rate = 0.75F;
    d.spread = 0.04F, d.hedged_share = 0.5F, d.swap_rate = 0.0385F;
    d.commitment_fee = 0.012F, d.upfront_fee_share = 0.015F;
    d.amortisation_start = 8, d.amortisation_end = d.maturity = 14;
    data.tranche = {d};
    Sheet sheet(data);
    Loan loan{400, commitment};
    double paid = 0, depreciated = 0;
    for (int t = 1; t <= 16; ++t) {
      Month m;
      m.rate = 0.036;
      const double share = (t >= 2 ? 0.2 : 0) + (t >= 5 ? 0.2 : 0) + 0.6 * std::clamp(t - 5.25, 0.0, 1.0);
      m.capex = rounded(10'000 * share) - paid;
      paid += m.capex;
      m.online = 100 * (online_area(t, 5.25, 1) - online_area(t - 1, 5.25, 1));
      m.depreciation = rounded(10'000 / 60.0 * online_area(t, 5.25, 1)) - depreciated;
      depreciated += m.depreciation;

      m.interest = loan.interest(0.04 + 0.5 * 0.0385 + 0.5 * 0.036);
      if (t >= 8 && t <= 14) m.scheduled = rounded(loan.balance / (14 - t + 1));
      loan.balance -= m.scheduled;
      if (t <= 6) {
        m.debt_fees = rounded(loan.undrawn * 0.012 / 12.0);
        m.drawn = t > 1 ? std::min(rounded(0.75 * m.capex), loan.undrawn) : 0;
        m.debt_fees += rounded(m.drawn * 0.015);
        loan.balance += m.drawn, loan.undrawn -= m.drawn;
        if (t == 6) loan.undrawn = 0;
      }
      sheet.close(m);
    }
    ASSERT_EQ(loan.balance, 0);
    SCOPED_TRACE("commitment " + std::to_string(commitment));
    expect_equal(data, sheet);
  }
}

TEST(HandDebt, CouponsFixedFloatingHedgedAndFloored) {
  for (const double rate : {0.036, 0.004, -0.005}) {
    ScenarioData data = rich_company(6);
    set_short_rate(data, rate);
    const auto floating = [](double spread, double floor, double hedged, double swap) {
      Tranche t = tranche_of(TrancheKind::term, 100'000);
      t.spread = static_cast<Real>(spread), t.floor = static_cast<Real>(floor);
      t.hedged_share = static_cast<Real>(hedged), t.swap_rate = static_cast<Real>(swap);
      return t;
    };
    Tranche fixed = tranche_of(TrancheKind::notes, 77'000);
    fixed.fixed_rate = 0.0925F;
    data.tranche = {fixed, floating(0.04, -0.05, 0, 0), floating(0.03, 0.01, 0, 0),
                    floating(0.025, 0.0, 0.7, 0.041), floating(0.02, 0.01, 1.0, 0.033)};
    Sheet sheet(data);
    for (int t = 1; t <= 6; ++t) {
      Month m;
      m.rate = rate;
      m.interest = rounded(77'000 * 0.0925 / 12) + rounded(100'000 * (0.04 + rate) / 12) +
                   rounded(100'000 * (0.03 + std::max(rate, 0.01)) / 12) +
                   rounded(100'000 * (0.025 + 0.7 * 0.041 + 0.3 * std::max(rate, 0.0)) / 12) +
                   rounded(100'000 * (0.02 + 0.033) / 12);
      sheet.close(m);
    }
    SCOPED_TRACE("short rate " + std::to_string(rate));
    expect_equal(data, sheet);
  }
}

// Level principal of a term loan and of a finance lease; the lease's ends after the horizon.
TEST(HandDebt, TermAmortisesEquipmentPaysLeasePrincipal) {
  ScenarioData data = rich_company(10);
  Tranche term = tranche_of(TrancheKind::term, 1'000);
  term.fixed_rate = 0.08F;
  term.amortisation_start = 3, term.amortisation_end = 9, term.maturity = 9;
  Tranche equipment = tranche_of(TrancheKind::equipment, 3'333);
  equipment.fixed_rate = 0.06F, equipment.lease = 1;
  equipment.amortisation_start = 1, equipment.amortisation_end = 24, equipment.maturity = 24;
  data.tranche = {term, equipment};
  Sheet sheet(data);
  Loan a{1'000, 0}, b{3'333, 0};
  for (int t = 1; t <= 10; ++t) {
    Month m;
    m.interest = a.interest(0.08) + b.interest(0.06);
    const double pay_a = t >= 3 && t <= 9 ? rounded(a.balance / (9 - t + 1)) : 0;
    const double pay_b = rounded(b.balance / (24 - t + 1));
    a.balance -= pay_a, b.balance -= pay_b;
    m.scheduled = pay_a + pay_b;
    sheet.close(m);
  }
  ASSERT_EQ(a.balance, 0);
  expect_equal(data, sheet);
}

// EBITDA of 300 a quarter in the past, nothing after: leverage at the end of month 1 is 1,000 / (4 * 200).
TEST(HandDebt, MaturitiesAreRefinancedUnderTheLeverageLimitOrRepaid) {
  for (const double limit : {1.3, 1.2}) {
    const bool refinanced = limit > 1'000.0 / 800.0;
    ScenarioData data = rich_company(10);
    set_short_rate(data, 0.03);
    data.entity[0].refinance_leverage_limit = static_cast<Real>(limit);
    data.parameters.rates.spread.start = 0.3F;  // fades by 0.9 a month
    for (HistoryMonth& h : data.history) h.ebitda = 100;
    Tranche notes = tranche_of(TrancheKind::notes, 1'000);
    notes.fixed_rate = 0.09F, notes.maturity = 2;
    notes.refinanceable = 1, notes.refinance_months = 5, notes.refinance_spread = 0.05F;
    data.tranche = {notes};
    Sheet sheet(data);
    Loan loan{1'000, 0};
    double coupon = 0.09;
    for (int t = 1; t <= 10; ++t) {
      Month m;
      m.rate = 0.03;
      m.interest = loan.interest(coupon);
      if (t == 2) {
        EXPECT_EQ(sheet.leverage(), 1.25);
        if (refinanced)
          coupon = 0.03 + 0.05 * std::exp(0.3 * 0.9 * 0.9);
        else
          m.maturities = 1'000;
      }
      if (t == 7 && refinanced) m.maturities = 1'000;
      loan.balance -= m.maturities;
      sheet.close(m);
    }
    SCOPED_TRACE("leverage limit " + std::to_string(limit));
    expect_equal(data, sheet);
  }
}

TEST(HandDebt, ConvertiblesConvertAboveTheirPriceElseAreRepaid) {
  for (const double conversion_price : {40.0, 60.0}) {
    ScenarioData data = rich_company(6);
    data.entity[0].cash = 0;
    data.entity[0].shares_million = 0.5F;
    data.entity[0].ev_to_ebitda = 12.0F, data.entity[0].ev_tightness_beta = 2.0F;
    data.parameters.demand.start_tightness = 0.05F;
    data.site = {running_site(1'000)};
    data.customer = {customer_of("acme")};
    data.contract = {running_contract(0, 1'000, 1.6, 40)};
    Tranche notes = tranche_of(TrancheKind::convertible, 3'000);
    notes.fixed_rate = 0.02F, notes.maturity = 4;
    notes.conversion_price_usd = static_cast<Real>(conversion_price);
    data.tranche = {notes};
    Sheet sheet(data);
    double shares = 0.5;
    for (int t = 1; t <= 6; ++t) {
      Month m;
      m.tightness = 0.05;
      m.fees = rounded(fee(1'000, 1.6));
      m.online = m.used = 1'000;
      m.backlog = rounded(fee(1'000, 1.6) * (40 - t));
      m.interest = t <= 4 ? 5 : 0;
      if (t == 4) {
        // About 12 e^0.1 * 4 * 3 * 1,169 = 185.9 million, less 3.0 of debt, plus 3.5 of cash: 372 USD a share.
        const bool converts = sheet.share_price() > 10.0 * conversion_price;
        ASSERT_FALSE(converts) << sheet.share_price();
        if (sheet.share_price() > conversion_price) {
          m.converted = 3'000;
          m.conversion_shares = 3'000 * 1'000.0 / 1e6 / conversion_price;
          shares += m.conversion_shares;
        } else {
          m.maturities = 3'000;
        }
      }
      sheet.close(m);
    }
    SCOPED_TRACE("conversion price " + std::to_string(conversion_price));
    expect_equal(data, sheet);
    EXPECT_EQ(column_of(data, kDilution), std::lround(1e4 * (shares / 0.5 - 1.0)));
  }
}

TEST(HandDebt, AgreedNotesComeInOnTheirDate) {
  ScenarioData data = rich_company(6);
  Tranche notes = tranche_of(TrancheKind::notes, 0);
  notes.draw_start_month = 0.0F;
  notes.commitment = 2'000, notes.issue_month = 3, notes.fixed_rate = 0.09F, notes.upfront_fee_share = 0.02F;
  data.tranche = {notes};
  Sheet sheet(data);
  for (int t = 1; t <= 6; ++t) {
    Month m;
    m.interest = t > 3 ? 15 : 0;
    m.drawn = t == 3 ? 2'000 : 0;
    m.debt_fees = t == 3 ? 40 : 0;
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// Drawn in months 2 and 4 against capex of 1,000 each, at the spread of the day; what is drawn keeps its own.
TEST(HandDebt, UncommittedDrawsCostTheSpreadOfTheDay) {
  ScenarioData data = rich_company(8);
  set_short_rate(data, 0.03);
  data.parameters.rates.spread.start = 0.4F;  // fades by 0.9 a month
  for (const double month : {2.0, 4.0}) {
    Site s = new_site(10, 30, month == 2.0 ? "two" : "four");
    s.order_month = static_cast<Real>(month);
    s.capex = 1'000, s.order_share = 1.0F, s.tranche = 0;
    data.site.push_back(s);
  }
  Tranche d = tranche_of(TrancheKind::ddtl, 300);
  d.commitment = 5'000, d.needs_window = 1, d.advance_rate = 0.8F, d.spread = 0.05F;
  d.draw_start_month = 0.0F, d.draw_end_month = 20.0F;
  data.tranche = {d};
  Sheet sheet(data);
  double balance = 300, spread = 0.05;
  for (int t = 1; t <= 8; ++t) {
    Month m;
    m.rate = 0.03;
    m.interest = rounded(balance * (0.03 + spread) / 12);
    if (t == 2 || t == 4) {
      m.capex = 1'000, m.drawn = 800;
      const double of_the_day = 0.05 * std::exp(0.4 * std::pow(0.9, t));
      spread = (balance * spread + 800 * of_the_day) / (balance + 800);
      balance += 800;
    }
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

// Costs of 100 a month until month 5, then receipts of 200.
ScenarioData company_with_a_hole(std::int32_t months) {
  ScenarioData data = still_company(months);
  data.entity[0].cash = 250;
  data.entity[0].min_cash = 80;
  data.entity[0].sga_fixed_month = 100.0F;
  data.site = {new_site(1'000, 5)};
  data.site[0].ramp_months = 0.001F;
  data.customer = {customer_of("acme")};
  data.contract = {new_contract(0, 1'000, 300 / 730.5, 5, 100)};
  return data;
}
Month month_of_the_hole(int t) {
  Month m;
  m.online = m.used = t > 5 ? (t == 6 ? 999.5 : 1'000) : 0;
  m.fees = t > 5 ? 300 : 0;
  m.backlog = rounded(300.0 * (t < 6 ? 100 : 106 - t));
  return m;
}

TEST(HandLiquidity, RevolverIsDrawnToTheMinimumAndRepaid) {
  ScenarioData data = company_with_a_hole(12);
  set_short_rate(data, 0.05);
  data.entity[0].revolver = 0;
  Tranche revolver = tranche_of(TrancheKind::revolver, 0);
  revolver.commitment = 1'000, revolver.spread = 0.03F, revolver.commitment_fee = 0.012F;
  data.tranche = {revolver};
  Sheet sheet(data);
  double most = 0;
  for (int t = 1; t <= 12; ++t) {
    Month m = month_of_the_hole(t);
    m.rate = 0.05;
    m.interest = rounded(sheet.revolver() * 0.08 / 12);
    m.debt_fees = rounded(sheet.undrawn() * 0.012 / 12);
    sheet.close(m);
    most = std::max(most, sheet.revolver());
  }
  ASSERT_GT(most, 300);
  ASSERT_EQ(sheet.revolver(), 0);
  expect_equal(data, sheet);
  EXPECT_EQ(column_of(data, kLiquidityDefaultMonth), kNever);
  EXPECT_EQ(column_of(data, kPeakFundingGap), 0);
}

// In the month in which it ends, too, a revolver costs the fee for what stood ready until then.
TEST(HandLiquidity, AMaturedRevolverIsRepaidAndGone) {
  ScenarioData data = company_with_a_hole(12);
  data.entity[0].revolver = 0;
  Tranche revolver = tranche_of(TrancheKind::revolver, 0);
  revolver.commitment = 1'000, revolver.spread = 0.03F, revolver.commitment_fee = 0.012F, revolver.maturity = 4;
  data.tranche = {revolver};
  Sheet sheet(data);
  for (int t = 1; t <= 12; ++t) {
    Month m = month_of_the_hole(t);
    m.interest = rounded(sheet.revolver() * 0.03 / 12);
    m.debt_fees = t <= 4 ? rounded(sheet.undrawn() * 0.012 / 12) : 0;
    if (t == 4) m.maturities = sheet.revolver(), sheet.revolver_matures();
    sheet.close(m);
  }
  expect_equal(data, sheet);
}

TEST(HandLiquidity, ADefaultCarriesItsGapUntilItIsRepaid) {
  ScenarioData data = company_with_a_hole(12);
  Sheet sheet(data);
  double peak = 0;
  std::optional<int> first;
  for (int t = 1; t <= 12; ++t) {
    sheet.close(month_of_the_hole(t));
    peak = std::max(peak, sheet.gap());
    if (sheet.gap() > 0 && !first) first = t;
  }
  ASSERT_EQ(first, 3);
  ASSERT_EQ(peak, 250);
  ASSERT_EQ(sheet.gap(), 0);
  expect_equal(data, sheet);
  EXPECT_EQ(column_of(data, kLiquidityDefaultMonth), 3);
  EXPECT_EQ(column_of(data, kPeakFundingGap), 250);
  EXPECT_EQ(column_of(data, kMinLiquidity), 0);
}

// 30, 55 and 35 of the 100 that lack, at 300, 195 and 80 USD a share, while the last quarter's EBITDA is still
// that of history; nothing in the next quarter, when a share is worth nothing.
TEST(HandLiquidity, SharesAreSoldAboveTheFloorUpToTheQuartersMaximum) {
  for (const double floor : {5.0, 100.0}) {
    ScenarioData data = company_with_a_hole(12);
    data.entity[0].shares_million = 0.8F;
    data.entity[0].issue_floor_price_usd = static_cast<Real>(floor);
    data.entity[0].issue_max_quarter = 120;
    data.entity[0].cash = 150;
    for (HistoryMonth& h : data.history) h.ebitda = 2'000;
    data.dated_flow = {{0, 2, 40, 0.1F}, {0, 2, 5, 0.0F}};
    Sheet sheet(data);
    double issued = 0;
    for (int t = 1; t <= 12; ++t) {
      Month m = month_of_the_hole(t);
      if (t == 2) m.inflow = 45, m.inflow_shares = 0.1;
      sheet.close(m);
      issued += sheet.rows().back().issued;
    }
    SCOPED_TRACE("floor " + std::to_string(floor));
    expect_equal(data, sheet);
    EXPECT_EQ(issued, floor == 5.0 ? 30 + 55 + 35 : 30 + 55);
  }
}

// ---- The market on plan. ----

TEST(HandMarket, DemandSupplyPriceAndRates) {
  ScenarioData data = rich_company(24);
  Scenario& p = data.parameters;
  p.demand.training_share = 0.4F;
  p.demand.drift_training_month = -0.002F, p.demand.drift_inference_month = -0.003F;
  p.demand.start_regime = kGlut;
  p.demand.shift_month = {0.01F, 0.0F, -0.02F};
  p.demand.start_tightness = 0.05F;
  p.demand.supply_response = 1.0F;
  p.demand.supply_lag_month = static_cast<Real>(1.0 / 18.0);
  p.price = {.cycle_start = 0.1F,
             .tightness_pull = 0.9F,
             .cycle_decay = 0.92F,
             .cycle_mean_add = {0.3F, 0.0F, -0.4F},
             .cycle_sd_month = {},
             .ageing_uncertainty = 0.4F};
  for (int t = 1; t <= 24; ++t) {
    const auto i = static_cast<std::size_t>(t - 1);
    data.month[i].growth_training = static_cast<Real>(0.03 - 0.001 * t);
    data.month[i].growth_inference = static_cast<Real>(0.05 - 0.001 * t);
    data.month[i].supply_growth = 0.04F;
    data.month[i].rate_base = static_cast<Real>(0.03 + 0.0005 * t);
    data.ageing[i] = static_cast<Real>(0.015 * t);
  }
  data.gpu_type[0].floor_usd_per_gpu_hour = 1.05F;
  data.launch = {{.planned_month = 4.0F, .ramp_months = 6.0F, .delay = late_by(1.5)}};
  data.launch_effect = {0.2F};

  Sheet sheet(data);
  double training = 0, inference = 0, supply = 0, ordered = 0, q = 0.05, cycle = 0.1;
  int at_the_floor = 0;
  for (int t = 1; t <= 24; ++t) {
    training += 0.03 - 0.001 * t - 0.02 - 0.002;
    inference += 0.05 - 0.001 * t - 0.02 - 0.003;
    ordered += (1.0 * q - ordered) / 18.0;
    supply += 0.04 + ordered / 12.0;
    q = 0.05 + std::log(0.4 * std::exp(training) + 0.6 * std::exp(inference)) - supply;
    const double mean = 0.9 * q - 0.4;
    cycle = mean + (cycle - mean) * 0.92;
    Month m;
    m.tightness = q;
    const double launched = std::clamp((t - 5.5) / 6.0, 0.0, 1.0);
    m.price = std::max(1.05, kSmallPrice * std::exp(cycle - 0.1 - 0.015 * t - 0.2 * launched));
    at_the_floor += m.price == 1.05;
    m.rate = 0.03 + 0.0005 * t;
    sheet.close(m);
  }
  ASSERT_GT(at_the_floor, 0);
  ASSERT_LT(at_the_floor, 20);
  expect_equal(data, sheet);
}

// ---- Covenants. ----

struct Tested {
  Covenant covenant;
  std::function<double(const Sheet&)> value;
};

double capped(double numerator, double denominator) {
  return denominator > 0 ? std::clamp(numerator / denominator, -1000.0, 1000.0) : 1000.0;
}

// A term loan under a company whose contract ends in month 8: all metrics move. History: 30 a month of EBITDA
// and of cash flow, 10 of interest, 5 of principal, 35 of fees.
TEST(HandCovenants, EightMetricsStepsHolidaysFirstBreachAndLeastHeadroom) {
  constexpr int kMonths = 18;
  ScenarioData data = rich_company(kMonths);
  data.entity[0].cash = 600;
  data.entity[0].revolver = 1;
  data.entity[0].sga_fixed_month = 8.0F;
  data.entity[0].receivable_months = 0.5F, data.entity[0].receivables = 20;
  for (HistoryMonth& h : data.history) h = {30, 10, 5, 30, 35};
  data.history[9].ebitda = 90;  // must drop out of the quarter after month 1, and of the year after month 10
  data.parameters.on_demand.start_utilisation = 0.2F;
  for (int t = 1; t <= kMonths; ++t) data.ageing[static_cast<std::size_t>(t - 1)] = static_cast<Real>(0.03 * t);
  data.site = {running_site(100)};
  Site financed = new_site(50, 2, "financed");
  financed.tranche = 0;
  financed.capex = financed.capex_paid = 3'000;
  financed.gpu_value_share = 0.8F, financed.residual_share = 0.4F, financed.life_months = 48.0F;
  data.site.push_back(financed);
  data.customer = {customer_of("acme")};
  data.contract = {running_contract(0, 80, 1.0, 8, "short"), running_contract(0, 20, 1.0, 40, "long")};
  Tranche term = tranche_of(TrancheKind::term, 2'000);
  term.fixed_rate = 0.06F, term.amortisation_start = 4, term.amortisation_end = term.maturity = 40;
  Tranche revolver = tranche_of(TrancheKind::revolver, 0);
  revolver.commitment = 150, revolver.commitment_fee = 0.05F;
  data.tranche = {term, revolver};

  const auto covenant = [](Metric metric, Window window) {
    Covenant c = covenant_of(0, metric, window);
    if (metric == Metric::ltv) c.tranche = 0;
    return c;
  };
  double loan_now = 0, collateral_now = 0;  // of the month just closed
  const std::vector<Tested> tested = {
      {covenant(Metric::dscr, Window::trailing_3),
       [](const Sheet& s) {
         return capped(s.last(3, &Closed::cfads),
                       s.last(3, &Closed::gross_interest) + s.last(3, &Closed::scheduled));
       }},
      {covenant(Metric::dscr, Window::trailing_12),
       [](const Sheet& s) {
         return capped(s.last(12, &Closed::cfads),
                       s.last(12, &Closed::gross_interest) + s.last(12, &Closed::scheduled));
       }},
      {covenant(Metric::leverage, Window::trailing_12),
       [](const Sheet& s) { return capped(s.debt(), s.last(12, &Closed::ebitda)); }},
      {covenant(Metric::leverage, Window::annualised_quarter),
       [](const Sheet& s) { return capped(s.debt(), 4 * s.last(3, &Closed::ebitda)); }},
      {covenant(Metric::net_leverage, Window::trailing_3),
       [](const Sheet& s) { return capped(s.debt() - s.cash(), 4 * s.last(3, &Closed::ebitda)); }},
      {covenant(Metric::interest_coverage, Window::trailing_12),
       [](const Sheet& s) { return capped(s.last(12, &Closed::ebitda), s.last(12, &Closed::gross_interest)); }},
      {covenant(Metric::interest_coverage, Window::annualised_quarter),
       [](const Sheet& s) { return capped(s.last(3, &Closed::ebitda), s.last(3, &Closed::gross_interest)); }},
      {covenant(Metric::liquidity, Window::trailing_3), [](const Sheet& s) { return s.cash() + s.undrawn(); }},
      {covenant(Metric::ltv, Window::trailing_3),
       [&](const Sheet&) { return capped(loan_now, collateral_now); }},
      {covenant(Metric::backlog_coverage, Window::trailing_3),
       [](const Sheet& s) { return capped(s.rows().back().backlog, s.debt()); }},
  };
  // Monthly from month 2 on, with a holiday in 6 and 7; the threshold steps in month 9.
  const auto is_tested = [](int t) { return t >= 2 && t != 6 && t != 7; };
  const auto threshold = [](Metric metric, int t) {
    switch (metric) {
      case Metric::liquidity:
        return t < 9 ? 640.0 : 690.0;
      case Metric::leverage:
        return t < 9 ? 5.0 : 2.4;
      case Metric::net_leverage:
        return t < 9 ? 5.0 : 1.9;
      case Metric::interest_coverage:
        return t < 9 ? 0.3 : 4.7;
      case Metric::ltv:
        return t < 9 ? 1.0 : 1.2;
      case Metric::dscr:
        return t < 9 ? 1.8 : 0.4;
      default:
        return t < 9 ? 0.3 : 0.45;
    }
  };
  for (std::size_t v = 0; v < tested.size(); ++v) {
    Covenant c = tested[v].covenant;
    c.first_test = static_cast<std::int32_t>(v) * kMonths;
    data.covenant.push_back(c);
    for (int t = 1; t <= kMonths; ++t) {
      data.covenant_test.push_back({is_tested(t) ? 1 : 0, static_cast<Real>(threshold(c.metric, t))});
    }
  }

  Sheet sheet(data);
  double balance = 2'000, depreciated = 0;
  std::vector<std::vector<double>> headroom(tested.size());
  for (int t = 1; t <= kMonths; ++t) {
    Month m;
    m.price = kSmallPrice * std::exp(-0.03 * t);
    const double share_end = std::clamp(t - 2.0, 0.0, 1.0);
    const double share = online_area(t, 2, 1) - online_area(t - 1, 2, 1);
    const double left = (t <= 8 ? 0 : 80) + 50 * share;
    m.fees = (t <= 8 ? rounded(fee(80, 1.0)) : 0) + rounded(fee(20, 1.0));
    m.pool = rounded(fee(t <= 8 ? 0 : 0.2 * 80, m.price)) + rounded(fee(0.2 * 50 * share, m.price));
    m.online = 100 + 50 * share, m.used = m.online - 0.8 * left;
    m.backlog = rounded(fee(80, 1.0) * std::max(0, 8 - t)) + rounded(fee(20, 1.0) * (40 - t));
    m.depreciation = rounded(0.6 * 3'000 / 48 * online_area(t, 2, 1)) - depreciated;
    depreciated += m.depreciation;
    m.interest = rounded(balance * 0.06 / 12);
    m.debt_fees = rounded(sheet.undrawn() * 0.05 / 12);
    if (t >= 4) m.scheduled = rounded(balance / (40 - t + 1));
    balance -= m.scheduled;
    sheet.close(m);
    loan_now = balance;
    // The GPUs came in month 2, at that month's price.
    const double worth = std::max(0.4, m.price / (kSmallPrice * std::exp(-0.06)));
    collateral_now = t < 2 ? 0 : rounded(0.8 * 3'000 * share_end * worth * (1 - (t - 2) / 48.0));
    for (std::size_t v = 0; v < tested.size(); ++v) {
      const Covenant& c = tested[v].covenant;
      const double room = tested[v].value(sheet) - threshold(c.metric, t);
      headroom[v].push_back(
          is_tested(t) ? rounded((c.maximum != 0 ? -room : room) * (c.metric == Metric::liquidity ? 1.0 : 1e4))
                       : kFixedMax);
    }
  }
  expect_equal(data, sheet);

  const std::vector<std::int32_t> trace = trace_with_plan(data);
  const ColumnLayout l = column_layout(data.view());
  int breached = 0;
  for (std::size_t v = 0; v < tested.size(); ++v) {
    const Covenant& c = tested[v].covenant;
    SCOPED_TRACE("covenant " + std::to_string(v) + ", metric " + std::to_string(static_cast<int>(c.metric)) +
                 ", window " + std::to_string(static_cast<int>(c.window)));
    double least = kFixedMax;
    int first = kNever;
    for (int t = 1; t <= kMonths; ++t) {
      const auto i = static_cast<std::size_t>(t - 1);
      EXPECT_EQ(trace[(kMeasureCount + v) * kMonths + i], headroom[v][i])
          << "threshold " << threshold(c.metric, t) << "; " << sheet.rows()[i].inputs;
      least = std::min(least, headroom[v][i]);
      if (headroom[v][i] < 0 && first == kNever) first = t;
    }
    EXPECT_EQ(column_of(data, l.first_breach(static_cast<std::int32_t>(v))), first);
    EXPECT_EQ(column_of(data, l.min_headroom(static_cast<std::int32_t>(v))), least);
    breached += first != kNever;
  }
  EXPECT_GE(breached, 8) << "too few breaches to say much of first breaches";
}

// What the plan earned in the window, of which one contract ends early by its customer's default in month 5.
TEST(HandCovenants, RealizationIsMeasuredAgainstThePlanAndReachesIntoHistory) {
  constexpr int kMonths = 16;
  ScenarioData data = rich_company(kMonths);
  data.parameters.switches = kDefault;
  for (HistoryMonth& h : data.history) h.contracted_revenue = 120;
  data.site = {running_site(100)};
  data.customer = {customer_of("acme"), customer_of("other")};
  const double threshold = -std::log(uniform_of(data.customer[0].stream, Word::w0));
  data.customer[0].default_intensity_month = static_cast<Real>(threshold / 4.5);
  data.contract = {running_contract(0, 40, 2.0, 10, "failing"), running_contract(0, 60, 2.0, 40, "other")};
  data.contract[1].customer = 1;
  for (const Window window : {Window::trailing_3, Window::trailing_12}) {
    data.covenant.push_back(covenant_of(-1, Metric::contract_realization, window, data.covenant_test.size()));
    for (int t = 1; t <= kMonths; ++t) data.covenant_test.push_back({1, 0.75F});
  }
  const std::vector<std::int32_t> trace = trace_with_plan(data);
  const auto earned = [](int t, bool plan) {
    if (t < 1) return 120.0;
    return rounded(fee(60, 2.0)) + (t <= (plan ? 10 : 4) ? rounded(fee(40, 2.0)) : 0.0);
  };
  for (std::size_t v = 0; v < 2; ++v) {
    for (int t = 1; t <= kMonths; ++t) {
      double actual = 0, plan = 0;
      for (int k = t - (v == 0 ? 3 : 12) + 1; k <= t; ++k) actual += earned(k, false), plan += earned(k, true);
      EXPECT_EQ(trace[(kMeasureCount + v) * kMonths + static_cast<std::size_t>(t) - 1],
                rounded(1e4 * (actual / plan - 0.75)))
          << "month " << t << ", window " << (v == 0 ? 3 : 12) << ": " << actual << " of " << plan;
    }
  }
  const ColumnLayout l = column_layout(data.view());
  EXPECT_EQ(column_of(data, l.first_breach(0)), 6);
}

// Without a tranche's name loan to value is of the entity's debt, against all its GPUs that are financed.
TEST(HandCovenants, LoanToValueWithoutATrancheIsOfAllDebt) {
  ScenarioData data = rich_company(4);
  Site s = new_site(50, 0);
  s.capex = s.capex_paid = 3'000;
  s.gpu_value_share = 1.0F, s.life_months = 48.0F, s.tranche = 0;
  data.site = {s};
  data.tranche = {tranche_of(TrancheKind::term, 2'000)};
  data.covenant = {covenant_of(0, Metric::ltv, Window::trailing_3)};
  data.covenant_test.assign(4, {1, 0.5F});
  const std::vector<std::int32_t> trace = trace_with_plan(data);
  for (int t = 1; t <= 4; ++t) {
    const double value = rounded(3'000 * (1 - t / 48.0));
    EXPECT_EQ(trace[static_cast<std::size_t>(kMeasureCount * 4 + t - 1)], rounded(1e4 * (0.5 - 2'000 / value)))
        << "month " << t << ": 2,000 on " << value;
  }
}

// Ratios without an answer: nothing to pay is safe, nothing to pay from is not.
TEST(HandCovenants, RatiosOfNothing) {
  ScenarioData data = still_company(3);
  data.entity[0].cash = 100;
  const Metric safe[] = {Metric::dscr, Metric::interest_coverage, Metric::backlog_coverage};
  for (const Metric metric : {safe[0], safe[1], safe[2], Metric::leverage}) {
    data.covenant.push_back(covenant_of(0, metric, Window::trailing_3, data.covenant_test.size()));
    for (int t = 1; t <= 3; ++t) data.covenant_test.push_back({1, 2.0F});
  }
  const std::vector<std::int32_t> trace = trace_with_plan(data);
  for (std::size_t v = 0; v < 4; ++v) {
    EXPECT_EQ(trace[(kMeasureCount + v) * 3], v < 3 ? 9'980'000 : -9'980'000) << "covenant " << v;
  }
}

// ---- From the config to the months. ----

Company demo_with(const std::string& more, std::vector<std::string> sets = {}) {
  const std::string file = configs_dir + "demo.toml";
  return load_company({.file = file, .sets = std::move(sets), .read = [&](const std::string& name) {
                         std::ifstream stream(name, std::ios::binary);
                         std::ostringstream text;
                         text << stream.rdbuf() << (name == file ? more : "");
                         return std::optional(text.str());
                       }});
}

TEST(HandConfig, NotesAgreedInTheConfigComeInOnTheirDate) {
  const auto debt = [](const std::string& more) {
    Company company = demo_with(more);
    const std::vector<std::int32_t> trace = [&] {
      make_plan(company.data);
      Scenario s = company.data.view();
      s.switches = 0;
      return trace_path(s, kSeed, kPath);
    }();
    return std::vector(trace.begin() + kDebt * 60, trace.begin() + kDebt * 60 + 6);
  };
  const std::vector<std::int32_t> before = debt("");
  const std::vector<std::int32_t> after = debt(R"(
[[tranche]]
id = "agreed"
kind = "notes"
balance_musd = 0.0
commitment_musd = 40.0
issue_date = 2026-06-30
fixed_rate_per_year = 0.09
maturity = 2031-06-30
)");
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(after[i] - before[i], i < 2 ? 0 : 40'000) << "month " << i + 1;
  }
}

TEST(HandConfig, EveryMonthOfTheDemosPlanAddsUpToItsYearsAndQuarters) {
  Company company = demo_with("");
  make_plan(company.data);
  Scenario s = company.data.view();
  s.switches = 0;
  const std::vector<std::int32_t> trace = trace_path(s, kSeed, kPath);
  const Outcomes outcomes = run_paths(s, {kSeed, kPath, 1});
  const ColumnLayout& l = outcomes.layout;
  const auto months = static_cast<std::size_t>(s.months);
  std::vector<std::int64_t> year(static_cast<std::size_t>(l.years)),
      quarter(static_cast<std::size_t>(l.quarters));
  for (std::size_t t = 0; t < months; ++t) {
    // As of 31 March: April is month 1.
    year[(t + 3) / 12] += trace[kFcf * months + t];
    quarter[t / 3] += trace[kFcf * months + t];
  }
  for (std::int32_t y = 0; y < l.years; ++y) {
    EXPECT_EQ(read_column(outcomes, l.year(kYearFcf, y)).front(), year[static_cast<std::size_t>(y)])
        << "year " << y;
  }
  for (std::int32_t q = 0; q < l.quarters; ++q) {
    EXPECT_EQ(read_column(outcomes, l.quarter_fcf(q)).front(), quarter[static_cast<std::size_t>(q)])
        << "quarter " << q;
  }
}

}  // namespace
}  // namespace headroom
