// SPDX-License-Identifier: Apache-2.0
// [[customer]], [[contract]], [defaults.contract], [on_demand].
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "host/config/load.hpp"

namespace headroom::config {

namespace {

// A contract may begin this much before its site's planned opening, for example on the first day of that
// month. One whose date is past already is late.
constexpr Real kStartToleranceMonths = 1.0F;

struct Choice {  // logistic(alpha + beta_q q - beta_y y)
  double alpha, beta_q, beta_y;
};

Choice read_choice(const Table& market, std::string_view key) {
  const Table table = market.table(key);
  return {table.number("alpha"), table.number("tightness_beta"), table.number("churn_beta")};
}

void read_customers(Loading& in, const Table& market) {
  const Table common = market.table("default");
  const double beta = common.number("tightness_beta");
  // A rating gives the default rate over the cycle, so the intensity is divided by the cycle's mean
  // multiplier.
  std::vector<double> cycle_mean{common.number("cycle_mean", positive())};
  if (common.has("cycle_mean_by_year")) cycle_mean = common.numbers("cycle_mean_by_year", positive());
  const double recovery = common.number("recovery_share", share());
  const std::int32_t recovery_months = common.integer("recovery_months", between(1, 60));
  for (const Table& each : in.customers.tables) {
    Customer c{};
    const std::int32_t rating = each.ref("rating", in.ratings.ids);
    const std::vector<double> within =
        rating < 0 ? std::vector{0.0} : in.default_within_years[static_cast<std::size_t>(rating)];
    const std::vector<double> intensity = derive::default_intensities_month(within);
    c.default_intensity_month = static_cast<Real>(intensity.front() / cycle_mean.front());
    if (intensity.size() > 1 || cycle_mean.size() > 1) {
      c.first_intensity = static_cast<std::int32_t>(in.data.default_intensity.size());
      const auto of_year = [](const std::vector<double>& values, std::int32_t month) {
        return values[std::min(static_cast<std::size_t>((month - 1) / 12), values.size() - 1)];
      };
      for (std::int32_t month = 1; month <= in.months; ++month)
        in.data.default_intensity.push_back(
            static_cast<Real>(of_year(intensity, month) / of_year(cycle_mean, month)));
    }
    c.freeze_factor = each.real("freeze_factor", between(0.0, 100.0), 1.0);
    if (in.data.parameters.freeze.possible == 0)
      forbid(each, {"freeze_factor"}, "there is no [market.funding_freeze]", "add it, or remove this");
    c.tightness_beta = each.real("tightness_beta", {}, beta);
    c.recovery_share = each.real("recovery_share", share(), recovery);
    c.recovery_months = each.integer("recovery_months", between(1, 60), recovery_months);
    c.stream = in.stream(fmt::format("customer/{}/default", each.id()), each.place());
    c.switches = object_switches(each);
    in.data.customer.push_back(c);
    in.company.customers.push_back(Loading::named(each));
  }
}

// Keys that may come from [defaults.contract].
struct Terms {
  Real take_or_pay, availability, grace_months, damages_share;
  double damages_cap_months;
  Real long_stop_months, termination_probability;
  double step_down_per_year, step_down_trigger_share;
  Real step_down_pass, renewal_term_months, renewal_discount;
};

Terms read_terms(const Layered& t) {
  return {t.real("take_or_pay", share()),
          t.real("availability", share()),
          t.real("grace_months", non_negative()),
          t.real("damages_share_per_month", non_negative()),
          t.number("damages_cap_months", non_negative()),
          t.real("long_stop_months", non_negative()),
          t.real("termination_probability", share()),
          t.number("step_down_per_year", non_negative()),
          t.number("step_down_trigger_share", Range{.low = 0.0, .high = 0.99}),
          t.real("step_down_pass_share", share()),
          t.real("renewal_term_months", non_negative()),
          t.real("renewal_discount", share())};
}

// Start, end and term. A contract in force is under way at an open site.
void read_term(Loading& in, const Table& table, const Site& site, Contract& c) {
  c.start_month = in.month(table, "start");
  const bool dated = table.has("end");
  const bool counted = table.has("term_months");
  c.running = site.running != 0 && table.has("start") && c.start_month <= 0.0F ? 1 : 0;
  c.fixed_term = dated ? 1 : 0;
  c.end_month = kNeverReal;
  if (dated && counted) {
    table.reject("term_months", "'end' gives the term already", "remove one of them");
  } else if (!dated && (!counted || c.running != 0)) {
    table.reject("end",
                 c.running != 0 ? "the contract is in force at as_of" : "there is no 'term_months' either",
                 c.running != 0 ? "give its end instead of term_months" : "add one of them");
  }
  if (dated) {
    c.end_month = in.month(table, "end");
    c.term_months = max(c.end_month - c.start_month, 0.0F);
    table.in_order("start", "end");
    if (in.past(table, "end")) {
      table.reject("end", "it must be after as_of, " + format_date(in.as_of),
                   "correct it, or remove the contract");
    }
  }
  if (counted) c.term_months = table.real("term_months", length());
  if (site.running == 0 && table.has("start") && site.planned_ready_month < kNeverReal &&
      c.start_month > 0.0F && c.start_month < site.planned_ready_month - kStartToleranceMonths) {
    table.reject("start",
                 fmt::format("its site is planned to open on {}", in.date_text(site.planned_ready_month)),
                 "correct the start, or the site's stages");
  }
}

void read_prepayment(Loading& in, const Table& table, Contract& c) {
  const double value_musd = double{c.gpus} * kHoursPerMonth * c.price_usd_per_gpu_hour * c.term_months / 1e6;
  const double part = table.number("prepayment_share", share(), 0.0);
  c.prepayment = in.musd(table, "prepayment_musd", 0.0);
  if (table.has("prepayment_share") && table.has("prepayment_musd")) {
    table.reject("prepayment_musd", "'prepayment_share' gives it already", "remove one of them");
  }
  if (part > 0.0) c.prepayment = in.bounded(part * value_musd, table, "prepayment_share");
  c.opening_unearned = in.musd(table, "unearned_musd", 0.0);
  if (c.running != 0) {
    forbid(table, {"prepayment_share", "prepayment_musd", "prepayment_date"},
           "the contract is in force at as_of", "give what is left of its prepayment as unearned_musd");
  }
  if (c.prepayment > 0) table.assume("prepayment_date", "at the start");
  c.prepayment_month = c.prepayment > 0 ? in.whole_month(table, "prepayment_date", -1) : kNever;
  if (in.past(table, "prepayment_date")) {
    table.reject("prepayment_date", "what was paid by as_of stands in 'unearned_musd'", "correct one of them");
  }
  const Real end = c.end_month < kNeverReal ? c.end_month : c.start_month + c.term_months;
  if (c.prepayment > 0 && static_cast<Real>(c.prepayment_month) > end) {
    table.reject("prepayment_date", fmt::format("the contract ends on {}", in.date_text(end)),
                 "correct one of the two dates");
  }
  table.in_order("option_date", "prepayment_date");
  if (c.prepayment <= 0)
    forbid(table, {"prepayment_date"}, "there is no prepayment", "remove it, or add prepayment_share");
  const Real left = c.running != 0 ? c.end_month : c.term_months;
  c.credit_window_months = table.real("prepayment_credit_months", length(), max(left, 1.0F));
}

void read_rights(Loading& in, const Table& table, const Choice& renewal, const Choice& option, Contract& c) {
  const auto read = [&](std::string_view prefix, const Choice& common) {
    return Choice{table.number(fmt::format("{}_alpha", prefix), {}, common.alpha),
                  table.number(fmt::format("{}_tightness_beta", prefix), {}, common.beta_q),
                  table.number(fmt::format("{}_churn_beta", prefix), {}, common.beta_y)};
  };
  const Choice own_renewal = read("renewal", renewal);
  c.renewal_alpha = static_cast<Real>(own_renewal.alpha);
  c.renewal_beta_q = static_cast<Real>(own_renewal.beta_q);
  c.renewal_beta_y = static_cast<Real>(own_renewal.beta_y);
  const Choice own_option = read("option", option);
  c.option_alpha = static_cast<Real>(own_option.alpha);
  c.option_beta_q = static_cast<Real>(own_option.beta_q);
  c.option_beta_y = static_cast<Real>(own_option.beta_y);
  c.option = table.has("option_date") ? 1 : 0;
  c.option_month = in.month(table, "option_date", kNeverReal);
  if (in.past(table, "option_date")) {
    table.reject("option_date", "an option exercised by as_of is a contract", "remove it, or correct the date");
  }
  table.in_order("option_date", "start");
}

// A contract, and the keys that decide its place among the others.
struct Draft {
  Contract contract{};
  std::int32_t priority = 0;
  std::size_t source = 0;  // index in the file
};

Draft read_contract(Loading& in, std::size_t source, const Layered& t, const Choice& renewal,
                    const Choice& option) {
  const Table& table = t.own();
  Draft draft{.priority = table.integer("priority", between(1, 1000), 1), .source = source};
  Contract& c = draft.contract;
  c.customer = std::max(0, table.ref("customer", in.customers.ids));
  c.site = table.ref("site", in.sites.ids);  // -1: reported already; the contract belongs to no site
  c.gpus = table.real("gpus", positive());
  c.price_usd_per_gpu_hour = table.real("price_usd_per_gpu_hour", positive());
  const Terms terms = read_terms(t);
  Site nowhere{};
  nowhere.running = 0;
  nowhere.planned_ready_month = -kNeverReal;
  nowhere.entity = static_cast<std::int32_t>(in.data.entity.size()) - 1;
  const Site& site = c.site >= 0 ? in.data.site[static_cast<std::size_t>(c.site)] : nowhere;
  c.entity = site.entity;
  read_term(in, table, site, c);
  read_prepayment(in, table, c);
  read_rights(in, table, renewal, option, c);

  c.take_or_pay = terms.take_or_pay;
  c.availability = terms.availability;
  c.grace_months = terms.grace_months;
  c.damages_share = terms.damages_share;
  const double fee_musd = double{c.gpus} * kHoursPerMonth * c.price_usd_per_gpu_hour / 1e6;
  c.damages_cap = static_cast<Real>(in.bounded(fee_musd * terms.damages_cap_months, table, "gpus"));
  c.long_stop_months = terms.long_stop_months;
  c.termination_probability = terms.termination_probability;
  c.step_down_hazard_month = static_cast<Real>(terms.step_down_per_year / 12.0);
  c.step_down_trigger_log = static_cast<Real>(-std::log1p(-terms.step_down_trigger_share));
  c.step_down_pass = terms.step_down_pass;
  c.renewal_term_months = terms.renewal_term_months;
  c.renewal_discount = terms.renewal_discount;
  c.order_head = table.ref("order", in.contracts.ids, false);  // index in the file until place()
  c.stream = in.stream(fmt::format("contract/{}/draws", table.id()), table.place());
  const bool random =
      c.running == 0 || c.option != 0 || c.step_down_hazard_month > 0.0F || c.renewal_term_months > 0.0F;
  c.switches = object_switches(
      table, random ? "" : "the contract is in force, its price is protected and it has no renewal");
  return draft;
}

// Sorts by site and priority, and sets where each site's contracts begin.
void place(Loading& in, std::vector<Draft>& drafts) {
  const auto key = [&](const Draft& d) {
    return std::make_tuple(d.contract.site, d.priority, d.contract.start_month, in.contracts.ids[d.source]);
  };
  std::sort(drafts.begin(), drafts.end(), [&](const Draft& a, const Draft& b) { return key(a) < key(b); });
  std::vector<std::int32_t> index_of(drafts.size());
  for (std::size_t i = 0; i < drafts.size(); ++i) index_of[drafts[i].source] = static_cast<std::int32_t>(i);
  for (Draft& each : drafts) {
    const Table& table = in.contracts.tables[each.source];
    Contract& c = each.contract;
    if (c.order_head >= 0) {
      const Table& head = in.contracts.tables[static_cast<std::size_t>(c.order_head)];
      const std::int32_t index = index_of[static_cast<std::size_t>(c.order_head)];
      const Contract& first = drafts[static_cast<std::size_t>(index)].contract;
      if (head.has("order") || static_cast<std::size_t>(c.order_head) == each.source) {
        table.reject("order", "it must name the first contract of the order",
                     "name one that has no 'order' itself");
      } else if (first.customer != c.customer) {
        table.reject("order", "that contract is of another customer", "name one of the same customer");
      }
      c.order_head = index;
    }
    if (c.site >= 0) in.data.site[static_cast<std::size_t>(c.site)].contracts += 1;
    in.data.contract.push_back(c);
    in.company.contracts.push_back(Loading::named(table));
  }
  auto first = static_cast<std::int32_t>(
      std::count_if(drafts.begin(), drafts.end(), [](const Draft& d) { return d.contract.site < 0; }));
  for (Site& site : in.data.site) {
    site.first_contract = first;
    first += site.contracts;
  }
}

// On no date may a site have more GPUs under contract than it holds. The message names the contract that
// comes last in priority.
void check_capacity(Loading& in, const std::vector<Draft>& drafts) {
  const auto end_of = [](const Contract& c) {
    return c.end_month < kNeverReal ? c.end_month : c.start_month + c.term_months;
  };
  for (std::size_t s = 0; s < in.data.site.size(); ++s) {
    const Site& site = in.data.site[s];
    const auto first = static_cast<std::size_t>(site.first_contract);
    const auto last = first + static_cast<std::size_t>(site.contracts);
    for (std::size_t k = first; k < last; ++k) {
      const Real at = max(drafts[k].contract.start_month, 0.0F);
      double held = 0.0;
      std::size_t over = last;
      for (std::size_t i = first; i < last; ++i) {
        const Contract& c = drafts[i].contract;
        if (c.start_month > at || end_of(c) <= at) continue;
        held += double{c.gpus};
        if (held > double{site.gpus} + 0.5) over = i;
      }
      if (over == last) continue;
      in.contracts.tables[drafts[over].source].reject(
          "gpus",
          fmt::format("with it {:.0f} GPUs of site {} are under contract on {}, and it holds {:.0f}", held,
                      in.company.sites[s].id, in.date_text(at), site.gpus),
          "lower it, or add GPUs to the site");
      break;
    }
  }
}

void read_on_demand(Loading& in) {
  const Table table = in.root.table("on_demand");
  OnDemandParams& p = in.data.parameters.on_demand;  // churn was read with the market
  p.start_utilisation = table.real("start_utilisation", share());
  p.attrition_month = table.real("attrition_per_month", share());
  p.bookings_max = table.real("bookings_max_per_month", share());
  p.bookings_alpha = table.real("bookings_alpha");
  p.bookings_beta_q = table.real("bookings_tightness_beta");
  p.usage_alpha = table.real("usage_alpha");
  p.usage_beta_q = table.real("usage_tightness_beta");
  p.premium = table.real("premium", positive());
  p.channel_discount = table.real("channel_discount", share());
  p.backstop_share = table.real("backstop_share", share());
  p.backstop_price_usd_per_gpu_hour = table.real("backstop_price_usd_per_gpu_hour", non_negative());
  p.backstop_end_month = in.month(table, "backstop_end", p.backstop_share > 0 ? kNeverReal : 0.0F);
  p.platform_share_start = table.real("platform_share_start", share());
  p.platform_share_end = table.real("platform_share_end", share());
  p.platform_ramp_months = table.real("platform_ramp_months", length());
  p.platform_price_multiple = table.real("platform_price_multiple", positive());
  p.platform_cost_ratio = table.real("platform_cost_ratio", share());
}

}  // namespace

void load_contracts(Loading& in) {
  const Table market = in.root.table("market");
  read_customers(in, market);
  const Choice renewal = read_choice(market, "renewal");
  const Choice option = read_choice(market, "options");
  const auto all_defaults = in.root.optional_table("defaults");
  const auto defaults = all_defaults ? all_defaults->optional_table("contract") : std::nullopt;
  if (defaults && in.contracts.size() == 0) read_terms({*defaults, std::nullopt});  // marks its keys as read
  std::vector<Draft> drafts;
  for (std::size_t i = 0; i < in.contracts.size(); ++i) {
    drafts.push_back(read_contract(in, i, {in.contracts.tables[i], defaults}, renewal, option));
  }
  place(in, drafts);
  if (in.problems.empty()) check_capacity(in, drafts);  // a rejected number would mislead it
  read_on_demand(in);
}

}  // namespace headroom::config
