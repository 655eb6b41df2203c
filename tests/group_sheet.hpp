// SPDX-License-Identifier: Apache-2.0
// Ring-fenced borrowers and covenants with consequences against a spreadsheet: small groups whose months are
// computed here in double from the rules, in the order of the waterfall, and compared to the unit. One sheet
// closes the months of all of them. Each test writes down which consequence acts in which month.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "host/cpu/trace.hpp"
#include "host/engine/engine.hpp"
#include "host/plan/make_plan.hpp"
#include "small_company.hpp"

namespace headroom::group {

constexpr std::uint64_t kSeed = 20260331;

inline double rounded(double x) { return std::nearbyint(x); }
// A rate or share as the decimal that was written.
inline double number(Real x) { return std::round(static_cast<double>(x) * 1e7) / 1e7; }
inline std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }
// The part of an amount that can be paid: nothing of a negative amount, at most the available cash.
inline double payable(double amount, double there_is) { return std::max(0.0, std::min(amount, there_is)); }
inline double capped(double numerator, double denominator) {
  return denominator > 0 ? std::clamp(numerator / denominator, -1000.0, 1000.0) : 1000.0;
}

// ---- A group. Borrowers, then the parent; money in thousands of USD. ----

struct Receipt {
  std::int32_t entity;
  double monthly;
  int from, to;  // months in which it is earned, both included
};
struct Outlay {
  std::int32_t entity, month;
  double amount;
};

struct Group {
  ScenarioData data{};
  std::vector<Receipt> receipts{};
  std::vector<Outlay> outlays{};

  // 300 and 5,000 of cash, minima of 100 and 500; each has a data centre that costs nothing.
  explicit Group(std::int32_t months, std::int32_t borrowers = 1) : data(still_company(months)) {
    Entity parent = data.entity[0];
    parent.cash = 5'000, parent.min_cash = 500;
    data.entity.clear();
    for (std::int32_t i = 0; i < borrowers; ++i) {
      data.entity.push_back(parent);
      Entity borrower = ring_fenced(data, 300);
      borrower.min_cash = 100, borrower.parent = borrowers;
      data.entity.back() = borrower;
    }
    data.entity.push_back(parent);
    data.history.assign(data.entity.size() * 12, HistoryMonth{});
    for (std::int32_t i = 0; i <= borrowers; ++i) {
      data.site.push_back(running_site(10'000, "hall-" + std::to_string(i)));
      data.site.back().entity = i;
    }
    data.customer = {customer_of("acme")};
  }

  std::int32_t months() const { return data.parameters.months; }
  Entity& borrower() { return data.entity.front(); }
  Entity& parent() { return data.entity.back(); }

  // A contract over 1,000 GPUs.
  void earns(std::int32_t entity, double monthly, int from, int to) {
    const std::string id = "contract-" + std::to_string(receipts.size());
    Contract c = from == 1 ? running_contract(entity, 1'000, monthly / 730.5, to, id)
                           : new_contract(entity, 1'000, monthly / 730.5, from - 1, to - from + 1, id);
    c.fixed_term = 1, c.end_month = static_cast<Real>(to), c.entity = entity;
    data.contract.push_back(c);
    receipts.push_back({entity, monthly, from, to});
  }
  // A site that is paid for in one month and never opens.
  void builds(std::int32_t entity, double amount, std::int32_t month, std::int32_t financed_by = -1) {
    Site s = new_site(1, 500, "site-" + std::to_string(outlays.size()));
    s.entity = entity, s.tranche = financed_by;
    s.order_month = static_cast<Real>(month);
    s.capex = static_cast<Money>(amount), s.order_share = 1.0F;
    data.site.push_back(s);
    outlays.push_back({entity, month, amount});
  }
  Tranche& owes(std::int32_t entity, Money balance, double rate, TrancheKind kind = TrancheKind::notes) {
    Tranche t = tranche_of(kind, balance);
    t.entity = entity, t.fixed_rate = static_cast<Real>(rate);
    data.tranche.push_back(t);
    return data.tranche.back();
  }
  // Tested against a threshold in the months that `tested` names, all if empty.
  Covenant& must(Covenant c, double threshold, const std::function<bool(int)>& tested = {}) {
    c.first_test = static_cast<std::int32_t>(data.covenant_test.size());
    for (int t = 1; t <= months(); ++t)
      data.covenant_test.push_back({!tested || tested(t) ? 1 : 0, static_cast<Real>(threshold)});
    data.covenant.push_back(c);
    return data.covenant.back();
  }
};

// A loan in level payments from a month on.
inline Tranche& amortises(Tranche& t, std::int32_t from, std::int32_t to) {
  t.kind = TrancheKind::term;
  t.amortisation_start = from, t.amortisation_end = t.maturity = to;
  return t;
}
// A loan that follows capex in months 1 to `end`.
inline Tranche& draws(Tranche& t, Money commitment, double advance_rate, int end) {
  t.kind = TrancheKind::ddtl;
  t.commitment = commitment, t.advance_rate = static_cast<Real>(advance_rate);
  t.draw_start_month = 0.0F, t.draw_end_month = static_cast<Real>(end);
  return t;
}

// ---- Its sheet. ----

struct Row {  // what windows sum
  double ebitda, interest, principal, cfads, contracted;
};
struct Loan {
  Tranche terms;
  double balance, undrawn, drawable = 0;
  // The consequences of covenants; a test sets them before it closes the month in which they act.
  double margin = 0;
  bool stopped = false, swept = false, called = false;
};
struct Books {
  Entity terms;
  double cash, reserve, gap = 0;
  double fee_due = 0;  // of a waiver, to be paid in the month that is closed next
  bool trapped = false, sweeps_all = false;
  std::vector<Row> rows{};              // from 12 months before the start
  double paid_up = 0;                   // to the parent this month, net of what it paid in
  double paid_in = 0, distributed = 0;  // since the start
  int default_month = kNever;
  double last(int n, double Row::*what) const {
    double sum = 0;
    for (auto i = rows.size() - at(n); i < rows.size(); ++i) sum += rows[i].*what;
    return sum;
  }
};
struct MonthEnd {
  double value[kMeasureCount] = {};
  std::vector<double> cash{};  // by entity
};

class Sheet {
 public:
  explicit Sheet(const Group& group) : group_(group) {
    for (std::size_t e = 0; e < group.data.entity.size(); ++e) {
      const Entity& terms = group.data.entity[e];
      books.push_back({terms, static_cast<double>(terms.cash), static_cast<double>(terms.reserve)});
      for (std::size_t k = 0; k < 12; ++k) {
        const HistoryMonth& h = group.data.history[e * 12 + k];
        books[e].rows.push_back({static_cast<double>(h.ebitda), static_cast<double>(h.cash_interest),
                                 static_cast<double>(h.scheduled_principal), static_cast<double>(h.cfads),
                                 static_cast<double>(h.contracted_revenue)});
      }
    }
    for (const Tranche& t : group.data.tranche)
      loans.push_back({t, static_cast<double>(t.balance), static_cast<double>(t.commitment)});
  }

  std::vector<Books> books{};
  std::vector<Loan> loans{};
  std::vector<MonthEnd> ends{};

  double debt_of(std::int32_t entity) const {
    double sum = 0;
    for (const Loan& each : loans) sum += each.terms.entity == entity ? each.balance : 0;
    return sum;
  }
  Row group_last(int n) const {
    Row sum{};
    for (const Books& b : books) {
      sum.ebitda += b.last(n, &Row::ebitda), sum.interest += b.last(n, &Row::interest);
      sum.principal += b.last(n, &Row::principal), sum.cfads += b.last(n, &Row::cfads);
      sum.contracted += b.last(n, &Row::contracted);
    }
    return sum;
  }

  void close() {
    const int t = static_cast<int>(ends.size()) + 1;
    ends.emplace_back();
    Sums all{};
    for (std::size_t e = 0; e < books.size(); ++e) close_entity(static_cast<std::int32_t>(e), t, all);
    balances();
  }

  // The parent's cash for a borrower: deemed cash flow, EBITDA or revenue of the month, or money for a loan.
  void cure(std::int32_t entity, double amount, double Row::*deemed, std::int32_t loan = -1) {
    books.back().cash -= amount;
    books[at(entity)].paid_in += amount;
    if (loan >= 0)
      loans[at(loan)].balance -= amount;
    else
      books[at(entity)].cash += amount;
    if (deemed != nullptr) books[at(entity)].rows.back().*deemed += amount;
    balances();
  }

 private:
  struct Sums {
    double revenue, pre_tax, upstream;
  };

  void balances() {
    MonthEnd& end = ends.back();
    end.cash.clear();
    for (const Books& b : books) end.cash.push_back(b.cash);
    end.value[kCash] = std::accumulate(end.cash.begin(), end.cash.end(), 0.0);
    end.value[kLiquidity] = books.back().cash;
    end.value[kDebt] = 0;
    for (const Loan& each : loans) end.value[kDebt] += each.balance;
  }

  void close_entity(std::int32_t entity, int t, Sums& all) {
    Books& b = books[at(entity)];
    const bool is_parent = b.terms.parent < 0;
    double fees = 0, capex = 0;
    for (const Receipt& r : group_.receipts)
      if (r.entity == entity && r.from <= t && t <= r.to) fees += rounded(r.monthly);
    for (const Outlay& o : group_.outlays)
      if (o.entity == entity && o.month == t) capex += o.amount;

    // Debt.
    double interest = b.fee_due, scheduled = 0, repaid = 0, drawn = 0, called = 0;
    b.fee_due = 0;
    const bool guaranteed = b.terms.guaranteed != 0 && t <= b.terms.guarantee_end;
    const bool recourse = is_parent || guaranteed;
    for (Loan& l : loans) {
      if (l.terms.entity != entity) continue;
      interest += rounded(l.balance * (number(l.terms.fixed_rate) + l.margin) / 12) +
                  rounded(l.undrawn * number(l.terms.commitment_fee) / 12);
      if (l.terms.amortisation_start <= t && t <= l.terms.amortisation_end) {
        const double level = rounded(l.balance / (l.terms.amortisation_end - t + 1));
        scheduled += level, l.balance -= level;
      }
      if (l.called) l.undrawn = 0;
      if (l.called && !recourse) called += l.balance;
      if (t == l.terms.maturity || (l.called && recourse)) repaid += l.balance, l.balance = 0;
      l.drawable += rounded(number(l.terms.advance_rate) * capex);
      if (!l.stopped && l.terms.advance_rate > 0) {
        const double draw = payable(l.drawable, l.undrawn);
        drawn += draw, l.balance += draw, l.undrawn -= draw, l.drawable -= draw;
      }
      if (t >= number(l.terms.draw_end_month)) l.undrawn = 0;
    }

    // Income.
    all.revenue += fees;
    const double sga_base = is_parent ? all.revenue : fees;
    const double ebitda =
        fees - rounded(number(b.terms.sga_fixed_month) + number(b.terms.sga_share_of_revenue) * sga_base);
    const double earned = rounded(b.cash * number(b.terms.cash_yield_share) *
                                  number(group_.data.month[at(t - 1)].rate_base) / 12);
    const double net_interest = interest - earned;
    all.pre_tax += ebitda - net_interest;
    const double tax = is_parent ? rounded(number(b.terms.tax_rate) * std::max(0.0, all.pre_tax)) : 0;
    const double cfo = ebitda - net_interest - tax;
    b.rows.push_back({ebitda, interest, scheduled, ebitda - tax, fees});

    // Cash of a borrower that is missing: the parent's contribution to capex, the reserve, the guarantee;
    // else it defaults.
    double cash = b.cash + cfo - capex + drawn - scheduled - repaid + (is_parent ? all.upstream : 0);
    b.paid_up = 0;
    const auto from_parent = [&](double amount) {
      cash += amount, b.paid_up -= amount;
      (amount > 0 ? b.paid_in : b.distributed) += std::abs(amount);
    };
    if (b.terms.capex_contributed != 0 && !is_parent)
      from_parent(payable(b.terms.min_cash - cash, capex - drawn));
    const double from_reserve = payable(-cash, b.reserve);
    cash += from_reserve, b.reserve -= from_reserve;
    // The guarantor pays what it has: its cash at the last month end, and what borrowers paid up since.
    if (guaranteed) from_parent(payable(-cash, std::max(0.0, books.back().cash + all.upstream)));
    if (guaranteed && cash < 0) books.back().default_month = std::min(books.back().default_month, t);
    if (cash < 0) {
      b.gap -= cash, cash = 0;
      b.default_month = std::min(b.default_month, t);
    }
    // Cash above the minimum: an open gap, the reserve, the sweep, the parent.
    const auto spare = [&] { return std::max(0.0, cash - b.terms.min_cash); };
    const double gap_repaid = payable(b.gap, spare());
    cash -= gap_repaid, b.gap -= gap_repaid;
    const double target = rounded(number(b.terms.reserve_months) * (interest + scheduled));
    const double released = std::max(0.0, b.reserve - target);
    cash += released, b.reserve -= released;
    const double reserved = payable(target - b.reserve, spare());
    cash -= reserved, b.reserve += reserved;
    double sweep = b.sweeps_all || called > 0 ? spare() : rounded(number(b.terms.cash_sweep_share) * spare());
    bool unpaid = false;
    for (Loan& l : loans) {
      if (l.terms.entity != entity) continue;
      if (l.terms.cash_sweep != 0 || l.swept || l.called) {
        const double paid = payable(l.balance, sweep);
        sweep -= paid, cash -= paid, l.balance -= paid;
      }
      unpaid = unpaid || (l.called && l.balance > 0);
    }
    if (unpaid) b.default_month = std::min(b.default_month, t);
    const double to_serve = b.last(3, &Row::interest) + b.last(3, &Row::principal);
    const bool under_lock_up = b.terms.lock_up_dscr > 0 && to_serve > 0 &&
                               b.last(3, &Row::cfads) < number(b.terms.lock_up_dscr) * to_serve;
    const bool locked = b.trapped || called > 0 || b.gap > 0 || under_lock_up;
    if (!is_parent && !locked) from_parent(-spare());
    all.upstream += b.paid_up;
    b.cash = cash;

    MonthEnd& end = ends.back();
    const auto add = [&](Measure m, double x) { end.value[m] += x; };
    add(kRevenue, fees), add(kEbitda, ebitda), add(kCashInterest, net_interest), add(kCashTax, tax),
        add(kCfo, cfo);
    add(kCapex, capex), add(kFcf, cfo - capex), add(kLeveredFcf, cfo - capex - scheduled);
  }

  const Group& group_;
};

constexpr std::pair<Measure, const char*> kCompared[] = {{kRevenue, "revenue"},
                                                         {kEbitda, "EBITDA"},
                                                         {kCashInterest, "cash interest"},
                                                         {kCashTax, "cash tax"},
                                                         {kCfo, "CFO"},
                                                         {kCapex, "capex"},
                                                         {kFcf, "FCF"},
                                                         {kLeveredFcf, "levered FCF"},
                                                         {kDebt, "debt"},
                                                         {kCash, "cash"},
                                                         {kLiquidity, "liquidity"}};

// One path of the group. Covenants of liquidity that are only recorded, the last ones, report its borrowers'
// cash.
struct Rolled {
  ColumnLayout layout;
  std::vector<std::int32_t> trace, columns;
  std::size_t months, covenants;
  std::int32_t measure(std::size_t row, std::size_t t) const { return trace[row * months + t - 1]; }
  std::int32_t headroom(std::size_t v, int t) const { return measure(kMeasureCount + v, at(t)); }
  std::int32_t column(std::int32_t c) const { return columns[at(c)]; }
};
inline Rolled run_of(Group group) {
  Rolled run{};
  run.covenants = group.data.covenant.size();
  const auto entities = static_cast<std::int32_t>(group.data.entity.size());
  for (std::int32_t e = 0; e < entities; ++e)
    group.must(covenant_of(e, Metric::liquidity, Window::trailing_3), 0);
  make_plan(group.data);
  const Scenario s = group.data.view();
  run.months = at(s.months);
  run.layout = column_layout(s);
  run.trace = trace_path(s, kSeed, 7);
  const Outcomes outcomes = run_paths(s, {kSeed, 7, 1});
  for (const auto& each : read_columns(outcomes)) run.columns.push_back(each.front());
  return run;
}

inline Rolled expect_equal(const Group& group, const Sheet& sheet) {
  const Rolled run = run_of(group);
  EXPECT_EQ(sheet.ends.size(), run.months);
  std::string differ;  // in the first month in which something does
  for (std::size_t t = 1; t <= sheet.ends.size() && differ.empty(); ++t) {
    const MonthEnd& end = sheet.ends[t - 1];
    const auto compare = [&](const std::string& name, std::size_t row, double expected) {
      const std::int32_t found = run.measure(row, t);
      if (static_cast<double>(found) != expected)
        differ += fmt::format("\nmonth {}, {}: {}, by the sheet {}", t, name, found, expected);
    };
    for (const auto& [measure, name] : kCompared) compare(name, measure, end.value[measure]);
    for (std::size_t e = 0; e < end.cash.size(); ++e)
      compare(fmt::format("cash of entity {}", e), kMeasureCount + run.covenants + e, end.cash[e]);
  }
  EXPECT_EQ(differ, "");
  for (std::int32_t e = 0; e < run.layout.borrowers; ++e) {
    const Books& b = sheet.books[at(e)];
    EXPECT_EQ(run.column(run.layout.payment_default(e)), b.default_month) << "of borrower " << e;
    EXPECT_EQ(run.column(run.layout.paid_in(e)), b.paid_in) << "to borrower " << e;
    EXPECT_EQ(run.column(run.layout.distributed(e)), b.distributed) << "by borrower " << e;
  }
  EXPECT_EQ(run.column(kLiquidityDefaultMonth), sheet.books.back().default_month);
  EXPECT_EQ(run.column(kViolations), 0);
  return run;
}

// The sheet closed over all months; the test's changes are applied before each month.
inline Sheet closed(const Group& group, const std::function<void(int, Sheet&)>& before = {}) {
  Sheet sheet(group);
  for (int t = 1; t <= group.months(); ++t) {
    if (before) before(t, sheet);
    sheet.close();
  }
  return sheet;
}

inline void follow(Group& group, std::int32_t d, const std::vector<std::int32_t>& others) {
  Tranche& t = group.data.tranche[at(d)];
  t.first_cross_default = static_cast<std::int32_t>(group.data.cross_default.size());
  t.cross_defaults = static_cast<std::int32_t>(others.size());
  group.data.cross_default.insert(group.data.cross_default.end(), others.begin(), others.end());
  t.may_accelerate = 1;
  const Entity& e = group.data.entity[at(t.entity)];
  if (e.parent >= 0 && e.guaranteed == 0) t.sweepable = 1;
}

}  // namespace headroom::group
