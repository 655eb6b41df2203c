// SPDX-License-Identifier: Apache-2.0
// [[entity]], [[tranche]], [[equity_inflow]], [[covenant]], and the opening balance sheet.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "headroom/model/metrics.hpp"
#include "host/config/load.hpp"

namespace headroom::config {

namespace {

constexpr double kDaysPerMonth = 365.25 / 12.0;

// Spreads each of four quarters evenly over its months; the months add up to the quarter exactly.
std::array<Money, 12> by_month(const Loading& in, const Table& table, std::string_view key) {
  Range range = in.money_range();
  range.low = -range.high;
  const std::vector<double> quarters = table.numbers(key, range, 4);
  std::array<Money, 12> months{};
  for (std::size_t q = 0; q < 4; ++q) {
    const Money total = in.ledger(quarters[q]);
    for (std::size_t i = 0; i < 3; ++i) {
      const Money left = total - std::accumulate(months.begin() + static_cast<long>(3 * q),
                                                 months.begin() + static_cast<long>(3 * q + i), Money{0});
      months[3 * q + i] = left / static_cast<Money>(3 - i);
    }
  }
  return months;
}

void read_history(Loading& in, const Table& entity, std::size_t index) {
  const Table table = entity.table("history");
  const auto ebitda = by_month(in, table, "ebitda_musd");
  const auto interest = by_month(in, table, "cash_interest_musd");
  const auto principal = by_month(in, table, "scheduled_principal_musd");
  const auto cfads = by_month(in, table, "cfads_musd");
  const auto contracted = by_month(in, table, "contracted_revenue_musd");
  for (std::size_t i = 0; i < 12; ++i) {
    in.data.history[index * 12 + i] = {ebitda[i], interest[i], principal[i], cfads[i], contracted[i]};
  }
}

// Keys that only the parent has: it pays the group's tax, draws the revolver and sells shares in the whole
// group.
void read_parent(const Loading& in, const Table& table, Entity& e) {
  e.tax_losses = in.musd(table, "tax_losses_musd", 0.0);
  e.stock_compensation_month = in.musd(table, "stock_compensation_musd_per_month", 0.0);
  e.tax_rate = table.real("tax_rate", share());
  e.loss_use_share = table.real("loss_use_share", share());
  e.revolver = table.ref("revolver", in.tranches.ids, false);
  e.ev_to_ebitda = table.real("ev_to_ebitda", positive(), 12.0);
  e.ev_tightness_beta = table.real("ev_tightness_beta", non_negative(), 0.0);
  e.shares_million = table.real("shares_million", positive(), 1.0);
  e.issue_floor_price_usd = table.real("issue_floor_price_usd", positive(), 1.0);
  e.issue_max_quarter = in.musd(table, "issue_max_musd_per_quarter", 0.0);
  if (e.issue_max_quarter > 0 && !table.has("issue_floor_price_usd")) {
    table.reject("issue_floor_price_usd", "without it shares are sold at any price",
                 "add the lowest price at which the company would sell");
  }
  e.refinance_leverage_limit = table.real("refinance_leverage_limit", positive(), 6.0);
  e.policy_liquidity = in.musd(table, "policy_liquidity_musd", 0.0);
  e.defends_liquidity = table.flag("defends_liquidity", false) ? 1 : 0;
  if (e.issue_max_quarter > 0 && !table.has("shares_million")) {
    table.reject("shares_million", "shares are sold at a price per share",
                 "add it, or leave out issue_max_musd_per_quarter");
  }
  forbid(
      table,
      {"guaranteed", "guaranteed_until", "guarantee_ends_at_completion", "capex_contributed", "lock_up_dscr"},
      "only a ring-fenced borrower has it", "remove it, or add parent = ...");
}

void read_borrower(const Loading& in, const Table& table, Entity& e) {
  e.guaranteed = table.flag("guaranteed") ? 1 : 0;
  e.guarantee_end = in.whole_month(table, "guaranteed_until", kNever);
  if (e.guaranteed == 0) {
    forbid(table, {"guaranteed_until"}, "there is no guarantee", "remove it, or write guaranteed = true");
  }
  e.ends_at_completion = table.flag("guarantee_ends_at_completion", false) ? 1 : 0;
  if (e.ends_at_completion != 0 && e.guaranteed == 0) {
    table.reject("guarantee_ends_at_completion", "there is no guarantee",
                 "write guaranteed = true, or remove this");
  }
  e.capex_contributed = table.flag("capex_contributed", true) ? 1 : 0;
  e.lock_up_dscr = table.real("lock_up_dscr", non_negative(), 0.0);
  e.refinance_leverage_limit = table.real("refinance_leverage_limit", positive(), 6.0);
  e.revolver = -1;
  e.shares_million = 1.0F;
  e.ev_to_ebitda = 0.0F;
  forbid(table,
         {"defends_liquidity", "tax_losses_musd", "stock_compensation_musd_per_month", "tax_rate",
          "loss_use_share", "revolver", "ev_to_ebitda", "ev_tightness_beta", "shares_million",
          "issue_floor_price_usd", "issue_max_musd_per_quarter", "policy_liquidity_musd"},
         "it is the parent's", "move it to the entity without 'parent'");
}

void read_entity(Loading& in, const Table& table, std::size_t index) {
  Entity& e = in.data.entity[index];
  e.cash = in.musd(table, "cash_musd");
  e.restricted_cash = in.musd(table, "restricted_cash_musd", 0.0);
  e.min_cash = in.musd(table, "min_cash_musd", 0.0);
  e.receivables = in.musd(table, "receivables_musd", 0.0);
  e.payables_opex = in.musd(table, "payables_opex_musd", 0.0);
  e.payables_capex = in.musd(table, "payables_capex_musd", 0.0);
  e.opening_ppe = in.musd(table, "ppe_net_musd");             // balance() subtracts what its sites have paid
  e.other_net_assets = in.signed_musd(table, "equity_musd");  // balance() turns it into other net assets
  e.opening_ppe_life_months = table.real("ppe_remaining_life_months", length());
  const auto days = [&](std::string_view key) {
    return static_cast<Real>(table.number(key, between(0.0, 365.0)) / kDaysPerMonth);
  };
  e.receivable_months = days("receivable_days");
  e.payable_months_opex = days("payable_days_opex");
  e.payable_months_capex = days("payable_days_capex");
  e.sga_fixed_month = in.ledger_real(table.number("sga_fixed_musd_per_month", in.money_range(), 0.0), table,
                                     "sga_fixed_musd_per_month");
  e.sga_share_of_revenue = table.real("sga_share_of_revenue", share(), 0.0);
  e.cash_yield_share = table.real("cash_yield_share", share());
  e.reserve = in.musd(table, "reserve_musd", 0.0);
  e.reserve_months = table.real("reserve_months", between(0.0, 60.0), 0.0);
  e.reserve_forward_months = table.integer("reserve_forward_months", between(0, kForwardMonths), 0);
  if (e.reserve_forward_months > 0 && e.reserve_months > 0.0F) {
    table.reject("reserve_months", "'reserve_forward_months' gives the target", "remove one of them");
  }
  e.cash_sweep_share = table.real("cash_sweep_share", share(), 0.0);
  table.has("parent") ? read_borrower(in, table, e) : read_parent(in, table, e);
  read_history(in, table, index);
}

// A tranche's interest: fixed_rate_per_year, or spread_per_year on top of the short rate.
void read_coupon(const Table& table, Tranche& t) {
  const bool fixed = table.has("fixed_rate_per_year");
  const bool floating = table.has("spread_per_year");
  if (fixed == floating) {
    table.reject(fixed ? "spread_per_year" : "fixed_rate_per_year",
                 "a tranche has either 'fixed_rate_per_year' or 'spread_per_year'",
                 fixed ? "remove one of them" : "add one of them");
  }
  if (fixed && !floating) {
    t.fixed_rate = table.real("fixed_rate_per_year", Range{.low = 0.0, .high = 1.0, .above_low = true});
    forbid(table, {"floor_per_year", "hedged_share", "swap_rate_per_year"}, "the tranche pays a fixed rate",
           "remove it");
  }
  if (!floating) return;
  t.spread = table.real("spread_per_year", between(0.0, 1.0));
  t.floor = table.real("floor_per_year", between(-0.05, 1.0), 0.0);
  t.hedged_share = table.real("hedged_share", share(), 0.0);
  t.swap_rate = table.real("swap_rate_per_year", between(-0.05, 1.0), 0.0);
  if (t.hedged_share > 0 && !table.has("swap_rate_per_year")) {
    table.reject("swap_rate_per_year", "the hedged share pays it", "add it, or set hedged_share = 0");
  }
}

// A programme of notes that management issues when what is committed does not carry the coming months.
void read_programme(const Loading& in, const Table& table, Tranche& t) {
  const auto programme = table.optional_table("programme");
  if (!programme) return;
  t.issue_months_ahead = programme->integer("months_ahead", between(1, 60));
  const Table most = programme->table("max_musd_per_quarter");
  const auto of = [&](std::string_view key) {
    return in.ledger_real(most.number(key, in.money_range()), most, key);
  };
  t.issue_max_quarter = {of("shortage"), of("balanced"), of("glut")};
  t.draw_start_month = 0.0F;
  t.needs_window = 1;
  const bool notes = t.kind == TrancheKind::notes || t.kind == TrancheKind::term;
  if (!notes || in.data.entity[static_cast<std::size_t>(t.entity)].parent >= 0) {
    table.reject("programme", "the parent issues notes", "write kind = \"notes\" in a tranche of the parent");
  }
  forbid(table,
         {"draw_start", "draw_end", "advance_rate", "issue_date", "committed", "fixed_rate_per_year",
          "commitment_fee_per_year"},
         "a programme is issued when liquidity needs it, at the window's spread", "remove it");
}

void read_draws(Loading& in, const Table& table, Tranche& t) {
  const bool drawn_by_capex = table.has("draw_end") || t.kind == TrancheKind::ddtl;
  t.draw_start_month = kNeverReal;
  t.draw_end_month = kNeverReal;
  t.issue_month = kNever;
  if (drawn_by_capex) {
    t.draw_start_month = in.month(table, "draw_start", 0.0F);
    t.draw_end_month = in.month(table, "draw_end");
    t.advance_rate = table.real("advance_rate", share());
    table.in_order("draw_start", "draw_end");
    table.in_order("draw_end", "maturity");
    forbid(table, {"issue_date"}, "the tranche is drawn against capex",
           "remove it, or draw_start, draw_end and advance_rate");
    if (table.has("draw_end_if_late")) {
      t.extended_end_month = in.month(table, "draw_end_if_late");
      t.extension_fee_share = table.real("extension_fee_share", share(), 0.0);
      table.in_order("draw_end", "draw_end_if_late");
      table.in_order("draw_end_if_late", "maturity");
    } else {
      forbid(table, {"extension_fee_share"}, "the window is not extended",
             "add draw_end_if_late, or remove this");
    }
  } else {
    forbid(table, {"draw_start", "advance_rate", "draw_end_if_late", "extension_fee_share"},
           "there is no 'draw_end', so nothing is drawn", "add draw_end, or remove this");
    if (table.has("issue_date")) {
      t.issue_month = in.whole_month(table, "issue_date");
      t.draw_start_month = 0.0F;
      if (in.past(table, "issue_date")) {
        table.reject("issue_date", "what was issued by as_of stands in 'balance_musd'", "remove it");
      }
      table.in_order("issue_date", "maturity");
    }
  }
  read_programme(in, table, t);
  if (t.kind == TrancheKind::revolver) {
    forbid(table, {"upfront_fee_share", "committed"}, "a revolver is a commitment whose draws cost no fee",
           "remove it, or give another kind");
    forbid(table, {"draw_start", "draw_end", "advance_rate", "issue_date"},
           "a revolver is drawn for what cash lacks, until it matures", "remove it, or give another kind");
  }
  if (in.past(table, "draw_end") && t.commitment > 0) {
    table.reject("draw_end", "the tranche's window ended by as_of, so what was not drawn has lapsed",
                 "remove what is not drawn, or correct the date");
  }
  const bool drawable =
      t.issue_months_ahead > 0 || drawn_by_capex || t.kind == TrancheKind::revolver || table.has("issue_date");
  if (t.commitment > 0 && !drawable) {
    table.reject(table.has("undrawn_musd") ? "undrawn_musd" : "commitment_musd", "nothing ever draws it",
                 "add draw_end and advance_rate (drawn against capex) or issue_date (paid in at once)");
  }
}

// How the balance is repaid between amortisation_start and amortisation_end.
void read_repayment(Loading& in, const Table& table, Tranche& t) {
  enum class Repayment : std::uint8_t { level, scheduled, sculpted, by_draw };
  const auto way = table.choice<Repayment>("repayment",
                                           {{"level", Repayment::level},
                                            {"scheduled", Repayment::scheduled},
                                            {"sculpted", Repayment::sculpted},
                                            {"by_draw", Repayment::by_draw}},
                                           Repayment::level);
  if (way != Repayment::scheduled) {
    forbid(table, {"instalments"}, "they are of a scheduled repayment", "add repayment = \"scheduled\"");
  }
  if (way != Repayment::by_draw) {
    forbid(table, {"draw_term_months"}, "it is of a repayment by draw", "add repayment = \"by_draw\"");
  }
  const bool amortises = t.amortisation_start < kNever;
  if (!amortises && (way == Repayment::scheduled || way == Repayment::sculpted)) {
    table.reject("amortisation_start", "the repayment needs it", "add it, or remove 'repayment'");
    return;
  }
  if (way == Repayment::sculpted) {
    t.sculpted_to = table.ref("lenders_case", in.cases.ids, false) + 1;
  } else {
    forbid(table, {"lenders_case"}, "only a sculpted repayment follows it", "add repayment = \"sculpted\"");
  }
  if (way == Repayment::scheduled || way == Repayment::sculpted) {
    t.scheduled = 1;
    t.sculpted = way == Repayment::sculpted ? 1 : 0;
    t.first_repayment = static_cast<std::int32_t>(in.data.repayment.size());
    // Level until make_plan() replaces it, or by the schedule.
    for (std::int32_t month = 1; month <= in.months + kForwardMonths; ++month) {
      in.data.repayment.push_back(static_cast<Real>(std::max(1, t.amortisation_end - month + 1)));
    }
  }
  if (way == Repayment::scheduled) {
    const auto first = in.data.repayment.begin() + t.first_repayment;
    std::fill(first, in.data.repayment.end(), 0.0F);
    double left = 1.0;
    std::int32_t before = 0;
    for (const Table& each : table.rows("instalments", 1)) {
      const std::int32_t month = in.whole_month(each, "date");
      const double part = each.number("share", share());
      if (month < t.amortisation_start || month > t.amortisation_end) {
        each.reject("date", "it lies outside the amortisation", "correct it, or the two dates of it");
      } else if (month <= before) {
        each.reject("date", "instalments must be in ascending order, one a month", "sort them");
      } else if (part > left + 1e-9) {
        each.reject("share", "together the shares are more than the whole", "correct them");
      } else if (month <= in.months + kForwardMonths && part > 0) {
        *(first + month - 1) = static_cast<Real>(std::max(1.0, left / part));
      }
      left = std::max(0.0, left - part);
      before = month;
    }
  }
  if (way == Repayment::by_draw) {
    forbid(table, {"amortisation_start_if_late"}, "each draw is repaid from the month after it", "remove it");
    t.draw_term_months = table.integer("draw_term_months", between(1, 600));
    if (t.draw_start_month >= kNeverReal) {
      table.reject("repayment", "nothing is drawn", "add draw_end and advance_rate");
      return;
    }
    t.first_draw_month = std::max(1, static_cast<std::int32_t>(std::floor(t.draw_start_month)) + 1);
    const std::int32_t last_draw =
        std::min(static_cast<std::int32_t>(std::ceil(t.draw_end_month)), in.months - t.draw_term_months);
    t.vintages = std::max(0, last_draw - t.first_draw_month + 1);
    for (const Tranche& other : in.data.tranche) t.first_vintage += other.vintages;
    if (t.balance > 0 && !amortises) {
      table.reject("amortisation_start", "what is drawn by as_of is repaid level from it", "add it");
    }
  }
}

void read_step_ups(Loading& in, const Table& table, Tranche& t) {
  t.first_step_up = static_cast<std::int32_t>(in.data.step_up.size());
  Real last = 0.0F;
  for (const Table& each : table.rows("step_ups")) {
    // Effective from the month after a month end, like everything that begins on a date.
    const auto from = static_cast<std::int32_t>(std::floor(in.month(each, "from"))) + 1;
    if (t.step_ups > 0 && in.month(each, "from") <= last)
      each.reject("from", "steps must be in ascending order", "sort them, or add up those of one date");
    in.data.step_up.push_back({from, each.real("add_per_year", between(-1.0, 1.0))});
    last = in.month(each, "from");
    ++t.step_ups;
  }
}

// No lender pays its borrower interest: the lowest rate that the terms allow, with the steps so far, is not
// below zero.
void refuse_negative_coupon(const Loading& in, const Table& table, const Tranche& t) {
  constexpr Real rounding = 1e-6F;
  const bool floating = table.has("spread_per_year");
  if (floating && t.spread + t.floor < -rounding && t.hedged_share < 1.0F) {
    table.reject("floor_per_year", fmt::format("with a spread of {:g} the coupon could be negative", t.spread),
                 "raise it to minus the spread, or more");
    return;
  }
  if (floating && t.spread + t.swap_rate < -rounding && t.hedged_share > 0.0F) {
    table.reject("swap_rate_per_year", fmt::format("with a spread of {:g} the coupon is negative", t.spread),
                 "correct one of the two");
    return;
  }
  const Real least =
      !floating ? t.fixed_rate : t.spread + (t.hedged_share > 0.0F ? min(t.floor, t.swap_rate) : t.floor);
  Real steps = 0.0F;
  std::size_t step = static_cast<std::size_t>(t.first_step_up);
  for (const Table& each : table.rows("step_ups")) {
    steps += in.data.step_up[step++].add;
    if (least + steps >= -rounding) continue;
    each.reject("add_per_year", "with it the coupon could be negative", "correct it");
    return;
  }
}

// What is left to draw: given itself, or as the whole commitment, of which the balance is drawn.
Money read_undrawn(const Loading& in, const Table& table, Money balance) {
  if (!table.has("commitment_musd")) return in.musd(table, "undrawn_musd", 0.0);
  if (table.has("undrawn_musd")) {
    table.reject("commitment_musd", "'undrawn_musd' gives it already", "remove one of them");
    return in.musd(table, "undrawn_musd");
  }
  const Money whole = in.musd(table, "commitment_musd");
  if (whole < balance) {
    table.reject("commitment_musd", "it is the whole, of which 'balance_musd' is drawn",
                 "give the whole, or what is not drawn as undrawn_musd");
  }
  const Money undrawn = std::max(0, whole - balance);
  table.assume("undrawn_musd", fmt::format("{}", undrawn * in.ledger_unit_usd / 1e6));
  return undrawn;
}

void read_tranche(Loading& in, const Table& table) {
  Tranche t{};
  constexpr auto unknown = static_cast<TrancheKind>(-1);  // so that one mistake is reported once
  t.kind = table.choice<TrancheKind>("kind",
                                     {{"ddtl", TrancheKind::ddtl},
                                      {"term", TrancheKind::term},
                                      {"notes", TrancheKind::notes},
                                      {"convertible", TrancheKind::convertible},
                                      {"equipment", TrancheKind::equipment},
                                      {"revolver", TrancheKind::revolver}},
                                     table.has("kind") ? std::optional(unknown) : std::nullopt);
  if (!table.has("kind")) t.kind = unknown;
  t.entity = in.entity_of(table);
  t.balance = in.musd(table, "balance_musd");
  t.commitment = read_undrawn(in, table, t.balance);
  t.needs_window = table.flag("committed", true) ? 0 : 1;
  read_coupon(table, t);
  read_draws(in, table, t);
  t.commitment_fee = table.real("commitment_fee_per_year", between(0.0, 1.0), 0.0);
  t.upfront_fee_share = table.real("upfront_fee_share", share(), 0.0);
  t.signed_month = in.month(table, "signed", 0.0F);
  if (t.commitment_fee == 0.0F) forbid(table, {"signed"}, "no commitment fee runs from it", "remove it");
  if (t.commitment == 0)
    forbid(table, {"committed", "commitment_fee_per_year", "upfront_fee_share"}, "nothing is left to draw",
           "remove it, or add undrawn_musd");

  t.maturity = in.whole_month(table, "maturity");
  if (in.past(table, "maturity")) {
    table.reject("maturity", "it must be after as_of, " + format_date(in.as_of),
                 "correct it, or remove the tranche");
  }
  t.amortisation_start = t.amortisation_end = kNever;
  if (table.has("amortisation_start")) {
    t.amortisation_start = std::max(1, in.whole_month(table, "amortisation_start"));
    t.amortisation_end = in.whole_month(table, "amortisation_end", t.maturity);
    table.in_order("amortisation_start", "amortisation_end");
    table.in_order("amortisation_start", "maturity");
    if (table.has("amortisation_end") && t.amortisation_end > t.maturity) {
      table.reject("amortisation_end",
                   fmt::format("it must not be after 'maturity', {}", format_date(table.date("maturity"))),
                   "correct one of the two dates");
    }
    if (in.past(table, "amortisation_end")) {
      table.reject("amortisation_end", "it must be after as_of, " + format_date(in.as_of), "correct it");
    }
  } else {
    forbid(table, {"amortisation_end"}, "there is no 'amortisation_start'", "add it, or remove this");
  }

  if (table.has("amortisation_start_if_late")) {
    t.latest_amortisation = in.whole_month(table, "amortisation_start_if_late");
    table.in_order("amortisation_start", "amortisation_start_if_late");
    table.in_order("amortisation_start_if_late", "amortisation_end");
    if (t.amortisation_start >= kNever) {
      table.reject("amortisation_start_if_late", "there is no 'amortisation_start'", "add it, or remove this");
    }
  }
  read_repayment(in, table, t);
  read_step_ups(in, table, t);
  refuse_negative_coupon(in, table, t);
  t.capitalises_interest = table.flag("draws_pay_interest", false) ? 1 : 0;
  if (t.capitalises_interest != 0 && !table.has("draw_end")) {
    table.reject("draws_pay_interest", "nothing is drawn against capex", "add draw_end and advance_rate");
  }

  t.refinanceable = table.flag("refinanceable", false) ? 1 : 0;
  if (t.refinanceable != 0) {
    t.refinance_spread = table.real("refinance_spread_per_year", between(0.0, 1.0));
    t.refinance_months = table.integer("refinance_months", between(1, 600));
  } else {
    forbid(table, {"refinance_spread_per_year", "refinance_months"}, "the tranche is not 'refinanceable'",
           "add refinanceable = true, or remove this");
  }
  if (t.kind == TrancheKind::convertible) {
    t.conversion_price_usd = table.real("conversion_price_usd", positive());
  } else if (t.kind != unknown) {
    t.conversion_price_usd = kNeverReal;
    forbid(table, {"conversion_price_usd"}, "only a convertible has one",
           "remove it, or set kind = \"convertible\"");
  }
  t.lease = table.flag("finance_lease", false) ? 1 : 0;
  t.cash_sweep = table.flag("cash_sweep", false) ? 1 : 0;
  if (t.cash_sweep != 0 && t.kind == TrancheKind::revolver) {
    table.reject("cash_sweep", "a revolver is repaid from all cash above the minimum", "remove it");
  }
  t.first_cross_default = static_cast<std::int32_t>(in.data.cross_default.size());
  for (const std::int32_t other : table.refs("cross_default", in.tranches.ids)) {
    if (other == static_cast<std::int32_t>(in.data.tranche.size())) {
      table.reject("cross_default", "a tranche's own default is no cross-default", "remove it from the list");
    }
    in.data.cross_default.push_back(other);
    ++t.cross_defaults;
  }
  const bool floats = t.fixed_rate <= 0.0F && t.hedged_share < 1.0F;
  const bool moves = floats || t.needs_window != 0 || t.refinanceable != 0;
  t.switches = object_switches(
      table, moves ? "" : "its coupon is fixed, its draws are committed and it is not refinanceable");
  in.data.tranche.push_back(t);
  in.company.tranches.push_back(Loading::named(table));
}

struct Step {
  Real from;
  Real value;
};

std::vector<Step> read_thresholds(const Loading& in, const Table& table, Metric metric) {
  const bool money = is_money(metric);
  const auto value_of = [&](const Table& from, std::string_view key) {
    return money ? static_cast<Real>(in.musd(from, key)) : from.real(key, positive());
  };
  const std::string_view single = money ? "threshold_musd" : "threshold";
  forbid(table, {money ? "threshold" : "threshold_musd"},
         fmt::format("{} is {}", traits_of(metric).name, money ? "an amount" : "a ratio"),
         fmt::format("write {} = ...", single));
  if (!table.has("thresholds")) return {{-kNeverReal, value_of(table, single)}};
  forbid(table, {single}, "'thresholds' gives it by date", "remove one of them");
  std::vector<Step> steps;
  for (const Table& each : table.rows("thresholds", 1)) {
    const Real from = in.month(each, "from");
    if (!steps.empty() && from <= steps.back().from) {
      each.reject("from", "steps must be in ascending order", "sort them");
    }
    steps.push_back({from, value_of(each, money ? "value_musd" : "value")});
  }
  return steps;
}

// What a test is measured against: the plan, or a lenders' case; by date after amendments.
std::vector<Step> read_cases(const Loading& in, const Table& table, Metric metric) {
  if (metric != Metric::contract_realization) {
    forbid(table, {"lenders_case", "lenders_cases"}, "only contract_realization is measured against a plan",
           "remove it");
    return {};
  }
  const auto case_of = [&](const Table& from) {
    return static_cast<Real>(from.ref("lenders_case", in.cases.ids, false) + 1);
  };
  if (!table.has("lenders_cases")) return {{-kNeverReal, case_of(table)}};
  forbid(table, {"lenders_case"}, "'lenders_cases' gives it by date", "remove one of them");
  std::vector<Step> steps;
  for (const Table& each : table.rows("lenders_cases", 1)) {
    const Real from = in.month(each, "from");
    if (!steps.empty() && from <= steps.back().from) {
      each.reject("from", "cases must be in ascending order", "sort them");
    }
    steps.push_back({from, case_of(each)});
  }
  return steps;
}

struct Holiday {  // months, both included
  std::int32_t from, to;
};

void read_tests(Loading& in, const Table& table, Metric metric) {
  const bool monthly = table.choice<bool>("tests", {{"monthly", true}, {"quarterly", false}});
  // The dates of a covenant name months: any day of a month stands for its end.
  const std::int32_t first = in.whole_month(table, "first_test");
  const std::int32_t last = in.whole_month(table, "last_test", kNever);
  table.in_order("first_test", "last_test");
  const std::vector<Step> steps = read_thresholds(in, table, metric);
  if (steps.size() > 0 && steps.front().from > static_cast<Real>(std::max(first, 1))) {
    table.reject("thresholds", fmt::format("the first begins after 'first_test', {}", in.date_text(first)),
                 "add the threshold of the first tests, or correct one of the two");
  }
  const std::vector<Step> cases = read_cases(in, table, metric);
  std::vector<Holiday> holidays;
  for (const Table& each : table.rows("holidays")) {
    holidays.push_back({in.whole_month(each, "from"), in.whole_month(each, "to")});
    each.in_order("from", "to");
  }
  for (std::int32_t t = 1; t <= in.months; ++t) {
    const auto end = static_cast<Real>(t);
    const auto step = std::find_if(steps.rbegin(), steps.rend(), [&](const Step& s) { return s.from <= end; });
    const bool free = std::any_of(holidays.begin(), holidays.end(),
                                  [&](const Holiday& h) { return h.from <= t && t <= h.to; });
    const bool due = monthly || (t - first) % 3 == 0;
    const bool tested = due && t >= first && t <= last && step != steps.rend() && !free;
    const auto agreed =
        std::find_if(cases.rbegin(), cases.rend(), [&](const Step& s) { return s.from <= end; });
    in.data.covenant_test.push_back({tested ? 1 : 0, tested ? step->value : 0.0F,
                                     agreed == cases.rend() ? 0 : static_cast<std::int32_t>(agreed->value)});
  }
}

// A covenant may be cured, be waived, or have consequences for lenders of its entity.
void read_cures(const Loading& in, const Table& table, Covenant& c) {
  c.last_cure = c.first_waiver = kNever;
  if (const auto cures = table.optional_table("cures")) {
    c.cures = cures->integer("count", between(1, 1000));
    c.cures_in_row = cures->integer("in_row", between(1, 1000), c.cures);
    c.last_cure = in.whole_month(*cures, "until", kNever);
    if (c.entity < 0 || in.data.entity[static_cast<std::size_t>(c.entity)].parent < 0) {
      table.reject("cures", "the parent's cash cures what a borrower misses", "name a borrower as 'entity'");
    }
    if (repays_debt(c.metric) && c.tranche < 0) {
      table.reject("cures", "the cure repays debt and no tranche is named", "add tranche = ...");
    }
  }
  if (const auto waivers = table.optional_table("waivers")) {
    c.waivers = waivers->integer("count", between(1, 1000));
    c.first_waiver = waivers->has("from") ? in.whole_month(*waivers, "from") : 0;
    c.waiver_fee_share = waivers->real("fee_share", share());
  }
}

void read_consequences(Loading& in, const Table& table, Covenant& c) {
  enum Kind : std::uint8_t { trap, stop, sweep, margin, acceleration };
  c.acceleration_months = kNever;
  c.grace_months = table.integer("grace_months", between(0, 120), 0);
  c.first_target = static_cast<std::int32_t>(in.data.covenant_target.size());
  constexpr std::array<std::string_view, 5> names = {"cash_trap", "draw_stop", "cash_sweep", "margin_step",
                                                     "acceleration"};
  bool has[5] = {};
  const std::vector<std::string> named = table.texts("consequences", std::vector<std::string>{});
  for (const std::string& each : named) {
    const auto found = std::find(names.begin(), names.end(), each);
    if (found == names.end()) {
      table.reject("consequences", fmt::format("\"{}\" is not a consequence", each),
                   "choose from cash_trap, draw_stop, cash_sweep, margin_step and acceleration");
      continue;
    }
    has[found - names.begin()] = true;
  }
  c.cash_trap = has[trap] ? 1 : 0;
  c.draw_stop = has[stop] ? 1 : 0;
  c.cash_sweep = has[sweep] ? 1 : 0;
  const auto needs = [&](bool present, std::string_view key, std::string_view kind) {
    if (!present) forbid(table, {key}, fmt::format("\"{}\" is not among its consequences", kind), "add it");
    return present;
  };
  if (needs(has[margin], "margin_step_per_year", "margin_step"))
    c.margin_step = table.real("margin_step_per_year", between(0.0, 1.0));
  if (needs(has[acceleration], "acceleration_months", "acceleration"))
    c.acceleration_months = table.integer("acceleration_months", between(0, 120));
  if (named.empty()) {
    forbid(table, {"lenders", "grace_months"}, "there are no 'consequences'", "add them, or remove this");
    return;
  }
  const auto parent = static_cast<std::int32_t>(in.data.entity.size()) - 1;
  const std::int32_t entity = c.entity < 0 ? parent : c.entity;
  std::vector<std::int32_t> lenders = table.refs("lenders", in.tranches.ids);
  const auto owed_by_parent = [&](std::int32_t d) {
    return in.data.tranche[static_cast<std::size_t>(d)].entity == parent;
  };
  if (has[trap] && entity == parent && std::all_of(lenders.begin(), lenders.end(), owed_by_parent)) {
    table.reject("consequences", "the parent distributes nothing, so its cash cannot be trapped",
                 "remove \"cash_trap\", or name a borrower's tranche in 'lenders'");
  }
  for (const std::int32_t d : lenders) {
    // A covenant of the parent, as guarantor, may also have consequences for its borrowers' lenders.
    if (entity != parent && in.data.tranche[static_cast<std::size_t>(d)].entity != entity) {
      table.reject(
          "lenders",
          fmt::format("\"{}\" is owed by another entity", in.tranches.ids[static_cast<std::size_t>(d)]),
          "name tranches of the covenant's entity");
    }
  }
  for (std::int32_t d = 0; lenders.empty() && d < static_cast<std::int32_t>(in.data.tranche.size()); ++d) {
    if (in.data.tranche[static_cast<std::size_t>(d)].entity == entity) in.data.covenant_target.push_back(d);
  }
  in.data.covenant_target.insert(in.data.covenant_target.end(), lenders.begin(), lenders.end());
  c.targets = static_cast<std::int32_t>(in.data.covenant_target.size()) - c.first_target;
  if (c.targets == 0) table.reject("consequences", "its entity has no tranche", "name another entity");
}

// Nothing is tested after the last loan that a covenant protects has matured.
void end_with_loans(Loading& in, const Covenant& c) {
  if (c.outlives_loans != 0) return;
  std::int32_t last = -1;
  const View<std::int32_t> targets{in.data.covenant_target.data(),
                                   static_cast<std::int32_t>(in.data.covenant_target.size())};
  for (std::int32_t d = 0; d < static_cast<std::int32_t>(in.data.tranche.size()); ++d) {
    const Tranche& tranche = in.data.tranche[static_cast<std::size_t>(d)];
    if (c.protects(d, tranche, targets)) last = std::max(last, tranche.last_month());
  }
  for (std::int32_t t = std::max(last + 1, 1); last >= 0 && t <= in.months; ++t)
    in.data.covenant_test[static_cast<std::size_t>(c.first_test + t - 1)] = {0, 0.0F};
}

void read_covenant(Loading& in, const Table& table) {
  Covenant c{};
  std::vector<std::pair<std::string_view, Metric>> metrics;
  for (const MetricTraits& each : kMetricTable) metrics.emplace_back(each.name, each.metric);
  c.metric = table.choice<Metric>("metric", metrics);
  const MetricTraits& traits = traits_of(c.metric);
  c.maximum = traits.bound == Bound::maximum ? 1 : 0;
  c.entity = table.has("entity") ? in.entity_of(table) : -1;
  c.tranche = -1;
  c.springing_share = table.real("springing_share", Range{.low = 0.0, .high = 1.0}, 0.0);
  if (traits.repays_debt || c.springing_share > 0.0F) {
    c.tranche = table.ref("tranche", in.tranches.ids, c.springing_share > 0.0F);
    if (traits.repays_debt && c.tranche >= 0 && c.entity >= 0 &&
        in.data.tranche[static_cast<std::size_t>(c.tranche)].entity != c.entity) {
      table.reject("tranche", "it is owed by another entity", "name a tranche of the covenant's entity");
    }
  } else {
    std::vector<std::string_view> of_one_tranche;
    for (const MetricTraits& each : kMetricTable) {
      if (each.repays_debt) of_one_tranche.emplace_back(each.name);
    }
    forbid(table, {"tranche"},
           fmt::format("only {} and springing tests are of one tranche", fmt::join(of_one_tranche, ", ")),
           "remove it, or name an entity");
  }
  if (traits.window == WindowRule::none) {
    forbid(table, {"window"}, "this metric stands at a date", "remove it");
  } else {
    c.window = table.choice<Window>("window", {{"trailing_3", Window::trailing_3},
                                               {"trailing_12", Window::trailing_12},
                                               {"annualised_quarter", Window::annualised_quarter}});
    if (traits.window == WindowRule::sum && c.window == Window::annualised_quarter) {
      table.reject("window", "a ratio of two sums cannot be annualised", "write \"trailing_3\"");
    }
  }
  const bool secured = std::any_of(in.data.site.begin(), in.data.site.end(), [&](const Site& site) {
    return site.tranche >= 0 &&
           (c.tranche >= 0 ? site.tranche == c.tranche : c.entity < 0 || site.entity == c.entity);
  });
  if (needs_collateral(c.metric) && !secured) {
    table.reject("metric", "no site is pledged to these lenders, so that there is no value",
                 "write financed_by = ... in the sites that secure the loan");
  }
  c.outlives_loans = table.flag("tested_after_repayment", false) ? 1 : 0;
  c.first_test = static_cast<std::int32_t>(in.data.covenant_test.size());
  read_tests(in, table, c.metric);
  read_cures(in, table, c);
  read_consequences(in, table, c);
  end_with_loans(in, c);
  in.data.covenant.push_back(c);
  in.company.covenants.push_back(Loading::named(table));
}

}  // namespace

void load_entities(Loading& in) {
  const Objects& all = in.entities;
  std::vector<std::size_t> parents;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all.tables[i].has("parent")) parents.push_back(i);
  }
  if (parents.size() != 1 && all.size() > 0) {
    const Table& at = parents.empty() ? all.tables[0] : all.tables[parents[1]];
    in.problems.add(at.place(), fmt::format("{} entities have no 'parent'", parents.size()),
                    "exactly one is the parent of the others",
                    parents.empty() ? "remove 'parent' from the parent" : "add parent = ... to the borrowers");
  }
  const std::size_t parent = parents.empty() ? 0 : parents.front();
  // The borrowers in the file's order, then the parent.
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i != parent) order.push_back(i);
  }
  order.push_back(parent);
  in.entity_index.assign(all.size() + 1, 0);
  for (std::size_t k = 0; k < order.size(); ++k) in.entity_index[order[k]] = static_cast<std::int32_t>(k);
  in.data.entity.assign(order.size(), Entity{});
  in.data.history.assign(order.size() * 12, HistoryMonth{});
  for (std::size_t k = 0; k < order.size() && order[k] < all.size(); ++k) {
    const Table& table = all.tables[order[k]];
    in.data.entity[k].parent = -1;
    if (order[k] != parent) {
      in.data.entity[k].parent = static_cast<std::int32_t>(order.size()) - 1;
      const std::int32_t named = table.ref("parent", all.ids, false);
      if (named >= 0 && static_cast<std::size_t>(named) != parent) {
        table.reject("parent", "borrowers stand directly under the parent",
                     fmt::format("write \"{}\"", all.ids[parent]));
      }
    }
    in.company.entities.push_back(Loading::named(table));
    read_entity(in, table, k);
  }
}

namespace {

bool is_parent(const Loading& in, std::int32_t entity) {
  return in.data.entity[static_cast<std::size_t>(entity)].parent < 0;
}

// Checks that the parent draws its own revolver, and that no revolver is left unused.
void check_revolvers(Loading& in) {
  std::vector<bool> named(in.tranches.size());
  for (const Table& each : in.entities.tables) {
    const std::int32_t revolver = each.ref("revolver", in.tranches.ids, false);
    if (revolver < 0) continue;
    const Tranche& t = in.data.tranche[static_cast<std::size_t>(revolver)];
    named[static_cast<std::size_t>(revolver)] = true;
    if (t.kind != TrancheKind::revolver) {
      named.assign(named.size(), true);  // so that one mistake is reported once
      each.reject("revolver", "that tranche is of another kind", "name a tranche with kind = \"revolver\"");
    } else if (!is_parent(in, t.entity)) {
      each.reject("revolver", "that tranche is owed by another entity", "name one of its own");
    }
  }
  for (std::size_t d = 0; d < named.size(); ++d) {
    if (in.data.tranche[d].kind == TrancheKind::revolver && !named[d]) {
      in.tranches.tables[d].reject("kind", "no entity names it as its 'revolver', so nothing ever draws it",
                                   fmt::format("add revolver = \"{}\" to the parent", in.tranches.ids[d]));
    }
  }
}

// Refuses a swept share of cash that no tranche takes.
void check_sweeps(Loading& in) {
  for (std::size_t i = 0; i < in.entities.size(); ++i) {
    const std::int32_t entity = in.entity_index[i];
    const bool taken = std::any_of(in.data.tranche.begin(), in.data.tranche.end(),
                                   [&](const Tranche& t) { return t.entity == entity && t.cash_sweep != 0; });
    if (in.data.entity[static_cast<std::size_t>(entity)].cash_sweep_share > 0.0F && !taken) {
      in.entities.tables[i].reject("cash_sweep_share", "no tranche of it takes the sweep",
                                   "write cash_sweep = true in one, or remove this");
    }
  }
}

// Only the parent's shares have a price, and only if their number is known.
void check_shares(Loading& in, const Table& table, std::string_view key, std::int32_t entity) {
  if (!is_parent(in, entity)) {
    table.reject(key, "a borrower has no shares of its own", "make it the parent's");
    return;
  }
  for (std::size_t i = 0; i < in.entities.size(); ++i) {
    if (in.entity_index[i] != entity || in.entities.tables[i].has("shares_million")) continue;
    in.entities.tables[i].reject("shares_million", "shares are issued or converted into", "add it");
  }
}

}  // namespace

void load_tranches(Loading& in) {
  for (const Table& each : in.tranches.tables) read_tranche(in, each);
  check_revolvers(in);
  check_sweeps(in);
  for (std::size_t d = 0; d < in.tranches.size(); ++d) {
    if (in.data.tranche[d].kind == TrancheKind::convertible)
      check_shares(in, in.tranches.tables[d], "conversion_price_usd", in.data.tranche[d].entity);
  }
  for (const Table& each : in.root.tables("equity_inflow")) {
    in.data.dated_flow.push_back({in.entity_of(each), in.whole_month(each, "date"),
                                  in.musd(each, "amount_musd"), each.real("shares_million", non_negative())});
    if (in.data.dated_flow.back().shares_million > 0.0F)
      check_shares(in, each, "shares_million", in.data.dated_flow.back().entity);
    if (in.past(each, "date")) {
      each.reject("date", "what came in by as_of stands in 'cash_musd'",
                  "remove the inflow, or correct the date");
    }
  }
}

void load_covenants(Loading& in) {
  const std::vector<Table> covenants = in.root.tables("covenant");
  // A run counts the paths of each pair of covenants.
  constexpr std::size_t kMost = 256;
  if (covenants.size() > kMost) {
    in.problems.add(in.root.place("covenant"), fmt::format("'covenant' has {} entries", covenants.size()),
                    fmt::format("at most {} are possible", kMost), "leave out those that are never near");
  }
  for (std::size_t i = 0; i < std::min(covenants.size(), kMost); ++i) read_covenant(in, covenants[i]);
  // Finds the tranches that a breach can reach. Paths do no such work for the others.
  for (const Covenant& c : in.data.covenant) {
    for (std::int32_t k = 0; k < c.targets; ++k) {
      Tranche& t = in.data.tranche[static_cast<std::size_t>(
          in.data.covenant_target[static_cast<std::size_t>(c.first_target) + static_cast<std::size_t>(k)])];
      t.sweepable |= c.cash_sweep;
      t.may_accelerate |= c.acceleration_months < kNever ? 1 : 0;
    }
  }
  for (Tranche& t : in.data.tranche) {
    const Entity& e = in.data.entity[static_cast<std::size_t>(t.entity)];
    t.may_accelerate |= t.cross_defaults > 0 ? 1 : 0;
    const bool without_recourse = e.parent >= 0 && (e.guaranteed == 0 || e.guarantee_end < kNever);
    t.sweepable |= t.cash_sweep | (t.may_accelerate != 0 && without_recourse ? 1 : 0);
  }
}

void balance(Loading& in) {
  for (std::size_t k = 0; k < in.data.entity.size(); ++k) {
    Entity& e = in.data.entity[k];
    const auto own = [&](std::int32_t entity) { return static_cast<std::size_t>(entity) == k; };
    std::int64_t paid = 0;
    for (const Site& each : in.data.site) paid += own(each.entity) ? each.capex_paid : 0;
    std::int64_t liabilities = std::int64_t{e.payables_opex} + e.payables_capex;
    for (const Tranche& each : in.data.tranche) liabilities += own(each.entity) ? each.balance : 0;
    for (const Contract& each : in.data.contract) liabilities += own(each.entity) ? each.opening_unearned : 0;
    const std::int64_t assets =
        std::int64_t{e.cash} + e.restricted_cash + e.reserve + e.receivables + e.opening_ppe;
    const std::int64_t equity = e.other_net_assets;
    if (paid > e.opening_ppe) {
      const auto source =
          std::find(in.entity_index.begin(), in.entity_index.end(), static_cast<std::int32_t>(k));
      const auto file_index = static_cast<std::size_t>(source - in.entity_index.begin());
      if (file_index < in.entities.size()) {
        in.entities.tables[file_index].reject(
            "ppe_net_musd",
            fmt::format("its sites have 'capex_paid_musd' of {:.1f} in all, which is part of it",
                        static_cast<double>(paid) * in.ledger_unit_usd / 1e6),
            "correct one of them");
      }
    }
    e.opening_ppe = static_cast<Money>(std::max<std::int64_t>(0, e.opening_ppe - paid));
    constexpr std::int64_t limit = 1 << 30;
    e.other_net_assets = static_cast<Money>(std::clamp(equity + liabilities - assets, -limit, limit));
  }
}

}  // namespace headroom::config
