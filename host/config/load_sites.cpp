// SPDX-License-Identifier: Apache-2.0
// [[site]] and [defaults.site].
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "host/config/load.hpp"
#include "host/engine/opening.hpp"

namespace headroom::config {

namespace {

struct StageName {
  std::string_view key, stream;
};
constexpr std::array<StageName, kStageCount> stages = {
    {{"grid", "grid"}, {"building", "building"}, {"cooling", "cooling"}, {"gpu_delivery", "gpus"}}};

constexpr double kKwPerMw = 1000.0;

// The monthly costs of an open site, which may come from [defaults.site].
void read_costs(const Loading& in, const Layered& t, Site& s, double it_mw) {
  const double kw = it_mw * kKwPerMw;
  const auto monthly = [&](double musd, std::string_view key) {
    return in.ledger_real(musd, t.holder(key), key);
  };
  const auto by_kw = [&](std::string_view key) {
    return monthly(kw * t.number(key, non_negative()) / 1e6, key);
  };
  const auto whole = [&](std::string_view key) { return monthly(t.number(key, non_negative()), key); };
  const double pue = t.number("pue", at_least(1.0));
  const double power_musd = kw * pue * kHoursPerMonth * t.number("power_usd_per_kwh", non_negative()) / 1e6;
  const double fixed = t.number("power_fixed_share", share());
  s.power_fixed_month = monthly(power_musd * fixed, "power_usd_per_kwh");
  s.power_floating_month = monthly(power_musd * (1.0 - fixed), "power_usd_per_kwh");
  s.power_idle_share = t.real("power_idle_share", share());
  s.lease_month = by_kw("lease_usd_per_kw_month");
  s.facility_month = by_kw("facility_usd_per_kw_month");
  s.staff_month = whole("staff_musd_per_month");
  s.prelaunch_month = whole("prelaunch_musd_per_month");
  s.maintenance_share_month = static_cast<Real>(t.number("maintenance_share_per_year", share()) / 12.0);
}

double optional(const Layered& t, std::string_view key, const Range& range, double otherwise) {
  return t.holder(key).has(key) ? t.number(key, range) : otherwise;
}

void read_policy(const Layered& t, Site& s) {
  s.commissioning_months = t.real("commissioning_months", non_negative());
  s.ramp_months = t.real("ramp_months", length());
  s.order_share = t.real("order_share", share());
  s.delivery_share = t.real("delivery_share", share());
  s.progress_share = static_cast<Real>(optional(t, "progress_share", share(), 0.0));
  s.pays_at_opening = t.holder("pays_at_opening").has("pays_at_opening") && t.flag("pays_at_opening") ? 1 : 0;
  s.gpu_lead_months = static_cast<Real>(optional(t, "gpu_lead_months", between(0.0, 120.0), kNeverReal));
  s.overruns_to_go =
      t.holder("overrun_on_cost_to_go").has("overrun_on_cost_to_go") && t.flag("overrun_on_cost_to_go") ? 1 : 0;
  s.firm_share = static_cast<Real>(optional(t, "firm_price_share", share(), 0.0));
  s.contingency_share = static_cast<Real>(optional(t, "contingency_share", share(), 0.0));
  if (s.order_share + s.delivery_share + s.progress_share > 1.0F + 1e-6F) {
    t.own().reject("delivery_share",
                   fmt::format("with 'order_share', {:g}, it is more than the whole capex", s.order_share),
                   "lower one of them");
  }
  s.overrun_sigma = t.real("overrun_sigma", non_negative());
  const double rho = t.number("overrun_systemic_share", share());
  s.overrun_systemic = static_cast<Real>(std::sqrt(rho));
  s.overrun_own = static_cast<Real>(std::sqrt(1.0 - rho));
  s.tail_probability = t.real("overrun_tail_probability", share());
  s.tail_add = t.real("overrun_tail_add", non_negative());
  s.cancel_probability = t.real("cancel_probability", share());
  s.sunk_share = t.real("sunk_share", share());
  s.discretionary = t.flag("discretionary") ? 1 : 0;
  s.unplanned_months = t.real("unplanned_months", between(0.0, 120.0));
  s.life_months = static_cast<Real>(12.0 * t.number("useful_life_years", length()));
  s.residual_share = t.real("residual_share", share());
}

// The site whose draws a site shares. A part of a site (owned by another entity, say) is late together with
// the whole.
std::string draws_of(const Loading& in, const Table& own) {
  const std::int32_t whole = own.ref("part_of", in.sites.ids, false);
  if (whole >= 0 && in.sites.tables[static_cast<std::size_t>(whole)].has("part_of"))
    own.reject("part_of", "that site is itself a part of another", "name the whole");
  return whole < 0 ? own.id() : in.sites.ids[static_cast<std::size_t>(whole)];
}

// A part without its own on_plan is on plan together with the whole, as it is late together with it.
std::uint32_t switches_of(const Loading& in, const Table& own, bool running) {
  const std::int32_t whole = own.ref("part_of", in.sites.ids, false);
  const bool with_whole = whole >= 0 && in.sites.tables[static_cast<std::size_t>(whole)].flag("on_plan", false);
  return object_switches(own, running ? "the site is open, so nothing of it is random" : "", with_whole);
}

// Stages in parallel, then commissioning; this gives the planned opening.
void read_delivery(Loading& in, const Layered& t, Site& s) {
  const Table& own = t.own();
  const std::string id = draws_of(in, own);
  Real ready = -kNeverReal;
  std::optional<double> quantile;
  if (t.holder("plan_quantile").has("plan_quantile")) quantile = t.number("plan_quantile", between(0.01, 0.99));
  for (std::size_t k = 0; k < stages.size(); ++k) {
    s.stage_delay[k] = derive::no_delay();
    const auto stage = own.optional_table(stages[k].key);
    if (!stage) continue;
    s.has_stage[k] = 1;
    s.stage_month[k] = in.month(*stage, "planned");
    s.stage_delay[k] =
        in.delay_of(stage->ref("delay", in.delays.ids), fmt::format("site/{}/{}", id, stages[k].stream),
                    own.place(), s.stage_month[k]);
    if (in.past(*stage, "planned")) {
      stage->reject("planned", "a stage that is done by as_of cannot be late",
                    "remove the stage, or correct the date");
    }
    ready = max(ready, s.stage_month[k]);
  }
  if (ready < 0) {
    own.reject(
        "opened", "the site is neither open nor has a stage that is still to come",
        "add opened = <date>, or grid, building, cooling or gpu_delivery = { planned = <date>, delay = <id> }");
    ready = 0;
  }
  s.planned_ready_month = ready + s.commissioning_months;
  s.commissioning_delay =
      in.delay_of(t.ref("commissioning_delay", in.delays.ids), fmt::format("site/{}/commissioning", id),
                  own.place(), s.planned_ready_month);
  if (!quantile) return;
  const Opening plan = opening_at(s, *quantile);
  s.plan_ready_month = plan.ready;
  s.plan_delivery_month = plan.delivery;
}

void read_capex(Loading& in, const Layered& t, Site& s, double gpu_musd, double it_mw) {
  const Table& own = t.own();
  const double total = gpu_musd + it_mw * own.number("fit_out_musd_per_mw", non_negative());
  s.capex = in.bounded(total, own, "capex_usd_per_gpu");
  s.gpu_value_share = total > 0.0 ? static_cast<Real>(gpu_musd / total) : 0.0F;
  s.capex_paid = in.musd(own, "capex_paid_musd", 0.0);
  if (s.capex_paid > s.capex) {
    own.reject("capex_paid_musd", fmt::format("the whole capex is {:.1f}", total), "correct one of them");
  }
  s.order_month = in.month(own, "order_date");
  s.delivery_month = s.has_stage[kGpus] != 0 ? s.stage_month[kGpus] : s.planned_ready_month;
  const bool planned =
      std::any_of(std::begin(s.has_stage), std::end(s.has_stage), [](auto has) { return has != 0; });
  if (planned && s.order_month > s.delivery_month && s.order_month < kNeverReal) {
    own.reject("order_date", fmt::format("the GPUs are delivered on {}", in.date_text(s.delivery_month)),
               "correct one of the two dates");
  }
}

void read_building_site(Loading& in, const Layered& t, Site& s, double gpu_musd, double it_mw) {
  const Table& own = t.own();
  read_delivery(in, t, s);
  read_capex(in, t, s, gpu_musd, it_mw);
  if (own.has("contractor_damages_musd_per_month")) {
    s.contractor_damages_month =
        in.ledger_real(own.number("contractor_damages_musd_per_month", in.money_range()), own,
                       "contractor_damages_musd_per_month");
    s.contractor_grace_months = own.real("contractor_grace_months", non_negative(), 0.0);
    s.contractor_damages_months = own.real("contractor_damages_cap_months", non_negative());
  } else {
    forbid(own, {"contractor_grace_months", "contractor_damages_cap_months"}, "contractors pay nothing",
           "add contractor_damages_musd_per_month, or remove this");
  }
  s.lease_start_month = in.month(own, "lease_start", s.planned_ready_month);
  if (own.has("order_until")) {
    s.order_until_month = in.month(own, "order_until");
    own.in_order("order_date", "order_until");
  }
  s.funded_to_complete = own.flag("funded_to_complete", false) ? 1 : 0;
  if (s.discretionary == 0) {
    forbid(own, {"order_until", "funded_to_complete"}, "the site is ordered on its date in any case",
           "add discretionary = true, or remove this");
  }
  s.prelaunch_start_month = in.month(own, "prelaunch_start", 0.0F);
  s.cancel_month = in.month(own, "cancel_date", max(s.order_month, 1.0F));
  if (in.past(own, "cancel_date")) own.reject("cancel_date", "it must be after as_of", "correct it");
  if (own.has("cancel_date") && s.cancel_month > s.planned_ready_month) {
    own.reject("cancel_date",
               fmt::format("the site is planned to open on {}", in.date_text(s.planned_ready_month)),
               "refuse it before, or remove this");
  }
  if (s.tranche >= 0 && in.data.tranche[static_cast<std::size_t>(s.tranche)].draw_end_month >= kNeverReal) {
    own.reject("financed_by", "that tranche has no 'draw_end', so nothing is drawn against capex",
               "add draw_end and advance_rate to it, or name another");
  }
}

void read_site(Loading& in, const Layered& t) {
  const Table& own = t.own();
  const std::string id = draws_of(in, own);
  Site s{};
  s.entity = in.entity_of(own);
  s.gpu_type = std::max(0, own.ref("gpu", in.gpus.ids));
  const double gpus = own.number("gpus", positive());
  const double it_mw = own.number("it_mw", positive());
  const double gpu_musd = gpus * own.number("capex_usd_per_gpu", non_negative()) / 1e6;
  s.gpus = static_cast<Real>(gpus);
  read_costs(in, t, s, it_mw);
  read_policy(t, s);
  s.tranche = own.ref("financed_by", in.tranches.ids, false);
  if (s.tranche >= 0 && in.data.tranche[static_cast<std::size_t>(s.tranche)].entity != s.entity) {
    own.reject("financed_by", "that tranche is owed by another entity",
               "name a tranche of the site's entity, or correct 'entity'");
  }
  s.cancel_stream = in.stream(fmt::format("site/{}/permit", id), own.place());
  s.cost_stream = in.stream(fmt::format("site/{}/cost", id), own.place());
  s.switches = switches_of(in, own, own.has("opened"));
  if (own.has("opened")) {
    s.running = 1;
    s.planned_ready_month = in.month(own, "opened");
    if (in.future(own, "opened")) {
      own.reject("opened", "it must not be after as_of, " + format_date(in.as_of),
                 "plan a site that is not open yet by its stages");
    }
    s.opening_gpu_value = in.bounded(gpu_musd, own, "capex_usd_per_gpu");
    s.gpu_value_share = 1.0F;
    s.cancel_probability = 0.0F;
    t.ref("commissioning_delay", in.delays.ids);
    s.commissioning_delay = derive::no_delay();
    s.order_month = s.delivery_month = s.lease_start_month = s.prelaunch_start_month = s.planned_ready_month;
    for (DelayParams& each : s.stage_delay) each = derive::no_delay();
    forbid(own,
           {"grid", "building", "cooling", "gpu_delivery", "order_date", "fit_out_musd_per_mw",
            "capex_paid_musd", "lease_start", "prelaunch_start", "cancel_date", "cancel_probability",
            "discretionary", "overrun_sigma", "unplanned_months", "plan_quantile"},
           "the site is open: 'opened' is given", "remove it, or 'opened'");
  } else {
    read_building_site(in, t, s, gpu_musd, it_mw);
  }
  in.data.site.push_back(s);
  in.company.sites.push_back(Loading::named(own));
  in.company.site_it_mw.push_back(it_mw);
}

}  // namespace

void load_sites(Loading& in) {
  const auto all_defaults = in.root.optional_table("defaults");
  const auto defaults = all_defaults ? all_defaults->optional_table("site") : std::nullopt;
  for (const Table& each : in.sites.tables) read_site(in, {each, defaults});
  if (!defaults || in.sites.size() > 0) return;
  Site none{};  // marks the defaults' keys as read
  const Layered alone(*defaults, std::nullopt);
  read_costs(in, alone, none, 0.0);
  read_policy(alone, none);
  alone.ref("commissioning_delay", in.delays.ids);
  if (defaults->has("plan_quantile")) alone.number("plan_quantile", between(0.01, 0.99));
}

void load_cases(Loading& in) {
  for (const Table& each : in.cases.tables) {
    LendersCase c;
    c.opening_quantile = each.number("opening_quantile", between(0.01, 0.99), 0.0);
    c.later_months = each.number("later_months", between(0.0, 120.0), 0.0);
    c.without = each.refs("without", in.sites.ids);
    if (!each.has("opening_quantile") && !each.has("later_months") && c.without.empty()) {
      each.reject("opening_quantile", "without it, 'later_months' or 'without' the case is the plan",
                  "add one");
    }
    for (const std::int32_t site : c.without) {
      if (in.data.site[static_cast<std::size_t>(site)].running != 0) {
        each.reject("without", fmt::format("\"{}\" is open", in.sites.ids[static_cast<std::size_t>(site)]),
                    "name sites that are still to come");
      }
    }
    each.text("name", each.id());
    in.data.lenders_case.push_back(c);
  }
}

}  // namespace headroom::config
