# SPDX-License-Identifier: Apache-2.0
"""The parameters of cut.toml as arrays: what every peer computes from, and what every peer reports.

Money is in thousand USD (k), time in months since as_of, rates per year, prices in USD per GPU-hour. A site array has the
four sites in the file's order, the running one first; a built array the three others. Rows of a month array are months
1..T. The definitions are those of include/headroom/MODEL.md; host/config says how keys become parameters.
"""

from __future__ import annotations

import calendar
import datetime
import math
import statistics
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
HOURS = 730.5  # a month
NEVER = np.float32(2**20)
FACTORS = ["demand_training", "demand_inference", "price", "rate", "churn", "power"]  # spread prices nothing in the cut
REGIMES = ["shortage", "balanced", "glut"]
STAGES = ["grid", "building", "cooling", "gpu_delivery"]
WITHIN = [12, 24, 36, 60]  # months of P(breach within)
QUANTILES = [5, 25, 50, 75, 95]


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """What a config adds to the one it includes; the cut has no object in both."""
    out = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merge(out[key], value) if both else value
    return out


def read(path: Path) -> dict[str, Any]:
    config = tomllib.loads(path.read_text())
    whole: dict[str, Any] = {}
    for each in config.pop("include", []):
        whole = merge(whole, read(path.parent / each))
    return merge(whole, config)


@dataclass(frozen=True)
class Delays:
    """Nothing where the normal y is at most z_on, else earliest + exp(mu + sigma z), months; y = systemic M + own e."""

    z_on: np.ndarray
    p_late: np.ndarray
    mu: np.ndarray
    sigma: np.ndarray
    earliest: np.ndarray
    systemic: np.ndarray
    own: np.ndarray


@dataclass(frozen=True)
class Cut:
    months: int
    year: np.ndarray  # [T] index of the calendar year
    tested: np.ndarray  # [T] 1 where the covenant is
    threshold: float  # DSCR
    # market, by month
    growth_training: np.ndarray  # [T] log, of the month, with -sigma^2/24 apart
    growth_inference: np.ndarray
    supply_growth: np.ndarray
    rate_base: np.ndarray
    # market
    training_share: float
    drift_training: float
    drift_inference: float
    sigma_training: float
    sigma_inference: float
    uncertainty_training: float
    uncertainty_inference: float
    shift: np.ndarray  # [3] by regime, a month
    cumulative: np.ndarray  # [2, 3] P(shortage), P(shortage or balanced) of the next month, by regime
    start_regime: int
    jump_probability: float
    jump_mean: float
    jump_sd: float
    start_tightness: float
    response: float
    lag: float
    pull: float
    cycle_start: float
    cycle_decay: float
    cycle_mean: np.ndarray  # [3]
    cycle_sd: np.ndarray  # [3]
    ageing_uncertainty: float
    cholesky: np.ndarray  # [6, 6] lower
    rate_decay: float
    rate_sd: float
    power_decay: float
    power_sd: float
    power_start: float
    churn_decay: float
    churn_sd: float
    churn_start: float
    # prices of the sites' GPU types
    log_price: np.ndarray  # [4]
    floor: np.ndarray  # [4]
    ageing: np.ndarray  # [T, 4]
    launch_planned: np.ndarray  # [5]
    launch_ramp: np.ndarray  # [5]
    launch_effect: np.ndarray  # [4, 5]
    launch_delay: Delays  # [5]
    # pool
    utilisation_start: float
    attrition: float
    bookings_max: float
    bookings_alpha: float
    bookings_beta: float
    usage_alpha: float
    usage_beta: float
    premium: float
    # sites
    gpus: np.ndarray  # [4]
    ramp: np.ndarray  # [4]
    running_online: np.ndarray  # [T] GPUs of the running site
    stage_planned: np.ndarray  # [3, 4]
    stage_delay: Delays  # [3, 5], commissioning last
    commissioning: np.ndarray  # [3]
    capex_left: np.ndarray  # [3] k, over the share of it that is still to come
    dated: np.ndarray  # [T, 3] share of the capex that falls due by date in the month
    delivery_share: np.ndarray  # [3]
    standing: np.ndarray  # [T] k, of all sites
    prelaunch: np.ndarray  # [3] k a month
    prelaunch_from: np.ndarray  # [T, 3]
    running_cost: np.ndarray  # [3] k a month at full size: facility and maintenance
    depreciation: np.ndarray  # [3] k a month at full size
    run_off: np.ndarray  # [T] k, depreciation of the opening balance
    power_fixed: np.ndarray  # [4] k a month at full load
    power_floating: np.ndarray
    idle: np.ndarray  # [4]
    # contracts, in order of site and priority
    contract_site: np.ndarray  # [C]
    contract_gpus: np.ndarray
    contract_fee: np.ndarray  # k a month and GPU, before take-or-pay and use
    fixed_part: np.ndarray  # of it, in full
    usage_part: np.ndarray  # of it, with usage
    contract_start: np.ndarray
    contract_end: np.ndarray  # NEVER until the term starts
    term: np.ndarray
    # company
    cash: float
    min_cash: float
    receivables: float
    payables_opex: float
    payables_capex: float
    receivable_months: float
    payable_months_opex: float
    payable_months_capex: float
    sga_fixed: float
    sga_share: float
    stock_compensation: float
    tax_rate: float
    loss_use: float
    losses: float
    cash_yield: float
    # debt
    commitment: float
    advance: float
    draws: np.ndarray  # [T] 1 while the loan may be drawn
    per_payment: np.ndarray  # [T] 1 / payments left, or 0
    spread: float
    rate_floor: float
    hedged: float
    swap: float
    commitment_fee: float
    upfront: float
    notes_interest: float  # k a month

    def plan(self) -> Cut:
        """The path with every mechanism on plan: no shocks, delays at their median."""
        still = lambda d: replace(d, systemic=0 * d.systemic, own=0 * d.own)  # noqa: E731
        return replace(
            self,
            uncertainty_training=0.0,
            uncertainty_inference=0.0,
            ageing_uncertainty=0.0,
            jump_probability=0.0,
            cholesky=0 * self.cholesky,
            cumulative=np.float32([[1, 0, 0], [1, 1, 0]]),
            launch_delay=still(self.launch_delay),
            stage_delay=still(self.stage_delay),
        )


def load(path: Path = HERE / "cut.toml") -> Cut:
    c = read(path)
    market, company, pool = c["market"], c["entity"][0], c["on_demand"]
    as_of: datetime.date = c["company"]["as_of"]
    months: int = c["company"]["horizon_months"]
    t = np.arange(1, months + 1)

    def month(date: datetime.date) -> float:
        last = calendar.monthrange(date.year, date.month)[1]
        return (date.year - as_of.year) * 12 + date.month - as_of.month - 1 + date.day / last

    def by_id(key: str) -> dict[str, Any]:
        return {each["id"]: each for each in c[key]}

    def ou(p: dict[str, float]) -> tuple[float, float]:
        k, vol = p["reversion_per_year"], p["volatility_per_year"]
        return math.exp(-k / 12), vol * math.sqrt(-math.expm1(-k / 6) / (2 * k))

    normal = statistics.NormalDist()

    def delays(rows: list[dict[str, float]]) -> Delays:
        z = [normal.inv_cdf(d["on_time_share"]) if d["on_time_share"] > 0 else -100.0 for d in rows]
        p50 = np.array([d["p50_months"] - d["earliest_months"] for d in rows])
        p90 = np.array([d["p90_months"] - d["earliest_months"] for d in rows])
        rho = np.array([d["systemic_share"] for d in rows])
        values = (
            z,
            [1 - d["on_time_share"] for d in rows],
            np.log(p50),
            np.log(p90 / p50) / normal.inv_cdf(0.9),
            [d["earliest_months"] for d in rows],
            np.sqrt(rho),
            np.sqrt(1 - rho),
        )
        return Delays(*(np.float32(v) for v in values))

    # Market.
    demand, supply, price, rates = market["demand"], market["supply"], market["price"], market["rates"]
    regimes = market["regimes"]
    q = np.array([[0.0 if a == b else regimes[f"{a}_to_{b}_per_year"] / 12 for b in REGIMES] for a in REGIMES])
    np.fill_diagonal(q, -q.sum(axis=1))
    monthly, term = np.eye(3), np.eye(3)
    for k in range(1, 30):  # exp(Q / 12)
        term = term @ q / k
        monthly = monthly + term
    fading = lambda now, later, half: (later + (now - later) * 2.0 ** (-t / half)) / 12  # noqa: E731
    points = rates["forward"]
    a, sigma = rates["reversion_per_year"], rates["volatility_per_year"]
    forward = np.interp(t / 12, [p["years"] for p in points], [p["rate_per_year"] for p in points])
    correlation = np.eye(len(FACTORS))
    for i, x in enumerate(FACTORS):
        for j, y in enumerate(FACTORS):
            if i != j:
                correlation[i, j] = c["correlation"].get(x, {}).get(y) or c["correlation"].get(y, {}).get(x, 0.0)
    kappa = price["reversion_per_year"]
    cycle_sd = ou({"reversion_per_year": kappa, "volatility_per_year": 1.0})[1]
    regime_row = lambda row: np.array([row[r] for r in REGIMES])  # noqa: E731

    # Sites and their GPU types.
    delay, gpu, default = by_id("delay"), by_id("gpu"), c["defaults"]["site"]
    sites = [{**default, **s} for s in c["site"]]
    built = sites[1:]
    launched = np.array([month(gpu[s["gpu"]]["launched"]) for s in sites])

    def aged(age: np.ndarray) -> np.ndarray:
        young = np.clip(age, 0, price["ageing_crossing_years"])
        return price["ageing_young_per_year"] * young + price["ageing_old_per_year"] * (np.maximum(age, 0) - young)

    planned_launch = np.array([month(x["planned"]) for x in c["launch"]])
    effects = np.array([x["effect_log"] for x in c["launch"]])
    newer = np.array([[x["id"] != s["gpu"] for x in c["launch"]] for s in sites])
    stage_planned = np.array([[month(s[k]["planned"]) for k in STAGES] for s in built])
    planned_ready = stage_planned.max(axis=1) + np.array([s["commissioning_months"] for s in built])
    kw = np.array([s["it_mw"] * 1000 for s in sites])
    key = lambda name, rows: np.array([s[name] for s in rows], dtype=float)  # noqa: E731
    gpu_cost = key("gpus", sites) * key("capex_usd_per_gpu", sites) / 1e3
    capex = gpu_cost[1:] + key("it_mw", built) * key("fit_out_musd_per_mw", built) * 1e3
    order = np.array([month(s["order_date"]) for s in built])
    order_share, delivery_share = key("order_share", built), key("delivery_share", built)

    def dated_by(x: float) -> np.ndarray:
        return order_share * (x >= order) + (1 - order_share - delivery_share) * (x >= planned_ready)

    paid = np.array([s.get("capex_paid_musd", 0.0) for s in built]) * 1e3
    lease = kw * key("lease_usd_per_kw_month", sites) / 1e3
    opened = month(sites[0]["opened"])
    lease_start = [opened] + [month(s["lease_start"]) if "lease_start" in s else r for s, r in zip(built, planned_ready)]
    ready = np.concatenate([[opened], planned_ready])
    staff = key("staff_musd_per_month", sites) * 1e3
    started = lambda x: np.clip(t[:, None] - np.asarray(x), 0, 1)  # noqa: E731
    upkeep = kw * key("facility_usd_per_kw_month", sites) / 1e3 + gpu_cost * key("maintenance_share_per_year", sites) / 12
    standing = started(lease_start) @ lease + started(ready) @ staff + upkeep[0]
    power = kw * key("pue", sites) * HOURS * key("power_usd_per_kwh", sites) / 1e3
    fixed_power = key("power_fixed_share", sites)

    # Contracts.
    terms = [{**c["defaults"]["contract"], **x} for x in c["contract"]]
    site_of = [[s["id"] for s in sites].index(x["site"]) for x in terms]
    terms = [x for _, x in sorted(zip(site_of, terms), key=lambda both: (both[0], both[1].get("priority", 1)))]
    available, take = key("availability", terms), key("take_or_pay", terms)

    loan, notes, covenant = c["tranche"][0], c["tranche"][1], c["covenant"][0]
    amortises = (t >= math.ceil(month(loan["amortisation_start"]))) & (t <= month(loan["amortisation_end"]))
    ends = [as_of.month + k for k in t]  # calendar months counted from January of as_of's year
    k = lambda name: company[name] * 1e3  # noqa: E731
    days = lambda name: company[name] / (365.25 / 12)  # noqa: E731
    ppe = k("ppe_net_musd") - paid.sum()
    left = np.maximum(1 - np.arange(months + 1) / company["ppe_remaining_life_months"], 0)
    rate_decay, rate_sd = ou(rates)
    power_decay, power_sd = ou(market["power"])
    churn_decay, churn_sd = ou(market["churn"])

    values: dict[str, Any] = dict(
        months=months,
        year=[(e - 1) // 12 - as_of.month // 12 for e in ends],
        tested=[(e % 3 == 0) * (m >= month(covenant["first_test"])) for m, e in zip(t, ends)],
        threshold=covenant["threshold"],
        growth_training=fading(demand["growth_training_per_year"], demand["growth_training_long_run_per_year"],
                               demand["growth_halflife_months"]),
        growth_inference=fading(demand["growth_inference_per_year"], demand["growth_inference_long_run_per_year"],
                                demand["growth_halflife_months"]),
        supply_growth=fading(supply["growth_per_year"], supply["growth_long_run_per_year"],
                             supply["growth_halflife_months"]),
        rate_base=forward + 0.5 * sigma**2 * (-np.expm1(-a * t / 12) / a) ** 2,
        training_share=demand["training_share"],
        drift_training=-demand["volatility_training_per_year"] ** 2 / 24,
        drift_inference=-demand["volatility_inference_per_year"] ** 2 / 24,
        sigma_training=demand["volatility_training_per_year"] / math.sqrt(12),
        sigma_inference=demand["volatility_inference_per_year"] / math.sqrt(12),
        uncertainty_training=demand["growth_uncertainty_training"],
        uncertainty_inference=demand["growth_uncertainty_inference"],
        shift=regime_row(demand["shift_per_year"]) / 12,
        cumulative=np.stack([monthly[:, 0], monthly[:, 0] + monthly[:, 1]]),
        start_regime=REGIMES.index(regimes["start"]),
        jump_probability=-math.expm1(-demand["jumps_per_year"] / 12),
        jump_mean=demand["jump_mean_log"],
        jump_sd=demand["jump_sd_log"],
        start_tightness=supply["start_tightness"],
        response=supply["response"],
        lag=1 / (12 * supply["lag_years"]),
        pull=price["tightness_pull"],
        cycle_start=price["cycle_start_log"],
        cycle_decay=math.exp(-kappa / 12),
        cycle_mean=regime_row(price["drift_per_year"]) / kappa,
        cycle_sd=regime_row(price["volatility_per_year"]) * cycle_sd,
        ageing_uncertainty=price["ageing_uncertainty"],
        cholesky=np.linalg.cholesky(correlation),
        rate_decay=rate_decay,
        rate_sd=rate_sd,
        power_decay=power_decay,
        power_sd=power_sd,
        power_start=market["power"]["start_log"],
        churn_decay=churn_decay,
        churn_sd=churn_sd,
        churn_start=market["churn"]["start_log"],
        log_price=np.log([gpu[s["gpu"]]["price_usd_per_gpu_hour"] for s in sites]),
        floor=[gpu[s["gpu"]]["floor_usd_per_gpu_hour"] for s in sites],
        ageing=aged((t[:, None] - launched) / 12) - aged(-launched / 12),
        launch_planned=planned_launch,
        launch_ramp=[x["ramp_months"] for x in c["launch"]],
        launch_effect=effects * newer * (launched[:, None] < planned_launch),
        launch_delay=delays([delay[x["delay"]] for x in c["launch"]]),
        utilisation_start=pool["start_utilisation"],
        attrition=pool["attrition_per_month"],
        bookings_max=pool["bookings_max_per_month"],
        bookings_alpha=pool["bookings_alpha"],
        bookings_beta=pool["bookings_tightness_beta"],
        usage_alpha=pool["usage_alpha"],
        usage_beta=pool["usage_tightness_beta"],
        premium=pool["premium"],
        gpus=key("gpus", sites),
        ramp=key("ramp_months", sites),
        running_online=np.full(months, float(sites[0]["gpus"])),
        stage_planned=stage_planned,
        stage_delay=delays([delay[x] for s in built for x in [*(s[k]["delay"] for k in STAGES), s["commissioning_delay"]]]),
        commissioning=key("commissioning_months", built),
        capex_left=(capex - paid) / (1 - dated_by(0.0)),
        dated=[dated_by(m) - dated_by(m - 1) for m in t],
        delivery_share=delivery_share,
        standing=standing,
        prelaunch=key("prelaunch_musd_per_month", built) * 1e3,
        prelaunch_from=np.maximum(t[:, None] - 1, [month(s["prelaunch_start"]) for s in built]),
        running_cost=upkeep[1:],
        depreciation=capex * (1 - key("residual_share", built)) / (12 * key("useful_life_years", built)),
        run_off=-np.diff(ppe * left),
        power_fixed=power * fixed_power,
        power_floating=power * (1 - fixed_power),
        idle=key("power_idle_share", sites),
        contract_site=sorted(site_of),
        contract_gpus=key("gpus", terms),
        contract_fee=key("price_usd_per_gpu_hour", terms) * HOURS / 1e3,
        fixed_part=take * available,
        usage_part=(1 - take) * available,
        contract_start=[month(x["start"]) for x in terms],
        contract_end=[month(x["end"]) if "end" in x else NEVER for x in terms],
        term=[x.get("term_months", 0) for x in terms],
        cash=k("cash_musd"),
        min_cash=k("min_cash_musd"),
        receivables=k("receivables_musd"),
        payables_opex=k("payables_opex_musd"),
        payables_capex=k("payables_capex_musd"),
        receivable_months=days("receivable_days"),
        payable_months_opex=days("payable_days_opex"),
        payable_months_capex=days("payable_days_capex"),
        sga_fixed=k("sga_fixed_musd_per_month"),
        sga_share=company["sga_share_of_revenue"],
        stock_compensation=k("stock_compensation_musd_per_month"),
        tax_rate=company["tax_rate"],
        loss_use=company["loss_use_share"],
        losses=k("tax_losses_musd"),
        cash_yield=company["cash_yield_share"],
        commitment=loan["undrawn_musd"] * 1e3,
        advance=loan["advance_rate"],
        draws=(t > month(loan["draw_start"])) & (t - 1 < month(loan["draw_end"])),
        per_payment=amortises / np.maximum(month(loan["amortisation_end"]) - t + 1, 1),
        spread=loan["spread_per_year"],
        rate_floor=loan["floor_per_year"],
        hedged=loan["hedged_share"],
        swap=loan["swap_rate_per_year"],
        commitment_fee=loan["commitment_fee_per_year"],
        upfront=loan["upfront_fee_share"],
        notes_interest=notes["balance_musd"] * 1e3 * notes["fixed_rate_per_year"] / 12,
    )
    shaped = values["stage_delay"]
    values["stage_delay"] = Delays(*(getattr(shaped, f.name).reshape(len(built), 5) for f in fields(Delays)))
    for name in ("year", "tested", "contract_site"):
        values[name] = np.int32(values[name])
    for f in fields(Cut):
        if f.type == "np.ndarray" and f.name not in ("year", "tested", "contract_site"):
            values[f.name] = np.ascontiguousarray(values[f.name], dtype=np.float32)
    return Cut(**values)


def summary(columns: dict[str, np.ndarray]) -> dict[str, Any]:
    """The results that are compared, USD million, from per-path columns in k: fcf [years, paths], first_breach (month,
    NEVER: none), least_liquidity, price and rate of the last month."""

    def distribution(x: np.ndarray) -> dict[str, Any]:
        x = x.astype(np.float64) / 1e3
        points = np.quantile(x, np.array(QUANTILES) / 100)
        return {
            "mean": float(x.mean()),
            "sd": float(x.std(ddof=1)),
            "quantiles": {f"p{p}": float(v) for p, v in zip(QUANTILES, points)},
        }

    def moments(x: np.ndarray) -> dict[str, float]:
        x = x.astype(np.float64)
        return {"mean": float(x.mean()), "sd": float(x.std(ddof=1))}

    fcf = columns["fcf"].astype(np.float64)
    return {
        "years": [distribution(each) for each in fcf],
        "total": distribution(fcf.sum(axis=0)),
        "breach": {str(m): float((columns["first_breach"] <= m).mean()) for m in WITHIN},
        "least_liquidity": distribution(columns["least_liquidity"]),
        "price": moments(columns["price"]),
        "rate": moments(columns["rate"]),
    }
