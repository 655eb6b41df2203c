# SPDX-License-Identifier: Apache-2.0
"""The cut in NumPy as an analyst first writes it: whole arrays of doubles, one entry a path, in one process.

Every expression makes a new array, and nothing is split into chunks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from scipy.stats import norm

import cut as model
from bench import Report, arguments, parameters, timed


def delay(d: model.Delays, i: Any, systemic: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Months of delay of row i."""
    y = d.systemic[i] * systemic + d.own[i] * own
    tail = np.clip(norm.sf(y) / d.p_late[i], 1e-9, 1 - 2.0**-24)
    late = d.earliest[i] + np.exp(d.mu[i] - d.sigma[i] * norm.ppf(tail))
    return np.where(y <= d.z_on[i], 0.0, late)


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def simulate(c: model.Cut, n: int, seed: int) -> dict[str, np.ndarray]:
    """n paths; per-path columns in k, as cut.summary() wants them."""
    rng = np.random.default_rng(seed)
    sites, built, contracts = range(len(c.gpus)), range(len(c.gpus) - 1), range(len(c.contract_site))

    # Drawn once a path.
    psi_training = np.exp(c.uncertainty_training * rng.normal(size=n) - 0.5 * c.uncertainty_training**2)
    psi_inference = np.exp(c.uncertainty_inference * rng.normal(size=n) - 0.5 * c.uncertainty_inference**2)
    xi = np.exp(c.ageing_uncertainty * rng.normal(size=n))
    systemic = rng.normal(size=n)
    launch = [p + delay(c.launch_delay, i, systemic, rng.normal(size=n)) for i, p in enumerate(c.launch_planned)]
    delivery, ready = [], []
    for b in built:
        done = [p + delay(c.stage_delay, (b, k), systemic, rng.normal(size=n)) for k, p in enumerate(c.stage_planned[b])]
        commissioned = c.commissioning[b] + delay(c.stage_delay, (b, len(done)), systemic, rng.normal(size=n))
        delivery.append(done[model.STAGES.index("gpu_delivery")])
        ready.append(np.max(done, axis=0) + commissioned)

    # State.
    log_training, log_inference, log_supply, gap, x_rate = (np.zeros(n) for _ in range(5))
    q, cycle = np.full(n, c.start_tightness), np.full(n, c.cycle_start)
    log_power, churn, sold_share = np.full(n, c.power_start), np.full(n, c.churn_start), np.full(n, c.utilisation_start)
    regime = np.full(n, c.start_regime)
    integral, delivered = [np.zeros(n) for _ in built], [np.zeros(n) for _ in built]
    end = [np.full(n, float(e)) for e in c.contract_end]
    cash, receivables, losses = np.full(n, c.cash), np.full(n, c.receivables), np.full(n, c.losses)
    payables_opex, payables_capex = np.full(n, c.payables_opex), np.full(n, c.payables_capex)
    loan, undrawn, lack = np.zeros(n), np.full(n, c.commitment), np.zeros(n)
    cfads, service = np.zeros((c.months + 1, n)), np.zeros((c.months + 1, n))
    fcf = np.zeros((int(c.year[-1]) + 1, n))
    first_breach, least_liquidity = np.full(n, float(model.NEVER)), np.full(n, np.inf)

    for t in range(1, c.months + 1):
        row = t - 1
        # Market.
        z = c.cholesky @ rng.normal(size=(len(model.FACTORS), n))
        u = rng.uniform(size=n)
        regime = (u >= c.cumulative[0][regime]).astype(int) + (u >= c.cumulative[1][regime])
        jumps = np.where(rng.uniform(size=n) < c.jump_probability, rng.normal(c.jump_mean, c.jump_sd, size=n), 0.0)
        log_training = log_training + psi_training * c.growth_training[row] + c.shift[regime] + c.drift_training + c.sigma_training * z[0] + jumps
        jumps = np.where(rng.uniform(size=n) < c.jump_probability, rng.normal(c.jump_mean, c.jump_sd, size=n), 0.0)
        log_inference = log_inference + psi_inference * c.growth_inference[row] + c.shift[regime] + c.drift_inference + c.sigma_inference * z[1] + jumps
        gap = gap + c.lag * (c.response * q - gap)
        log_supply = log_supply + gap / 12 + c.supply_growth[row]
        demand = c.training_share * np.exp(log_training) + (1 - c.training_share) * np.exp(log_inference)
        q = c.start_tightness + np.log(demand) - log_supply
        mean = c.pull * q + c.cycle_mean[regime]
        cycle = mean + c.cycle_decay * (cycle - mean) + c.cycle_sd[regime] * z[2]
        x_rate = c.rate_decay * x_rate + c.rate_sd * z[3]
        rate = x_rate + c.rate_base[row]
        churn = c.churn_decay * churn + c.churn_sd * z[4]
        log_power = c.power_decay * log_power + c.power_sd * z[5]
        sold_share = sold_share * (1 - np.minimum(c.attrition * np.exp(churn), 1))
        bookings = c.bookings_max * logistic(c.bookings_alpha + c.bookings_beta * q)
        sold_share = sold_share + np.minimum(bookings, 1 - sold_share)
        usage = logistic(c.usage_alpha + c.usage_beta * q)
        launched = [np.clip((t - month) / ramp, 0, 1) for month, ramp in zip(launch, c.launch_ramp)]
        price = []
        for i in sites:
            newer = sum(c.launch_effect[i, k] * share for k, share in enumerate(launched))
            log_price = c.log_price[i] + cycle - c.cycle_start - c.ageing[row, i] * xi - newer
            price.append(np.maximum(np.exp(log_price), c.floor[i]))

        # Sites.
        online, online_end = [np.full(n, c.running_online[row])], [np.full(n, c.running_online[row])]
        opex, capex, depreciation = np.full(n, c.standing[row]), np.zeros(n), np.zeros(n)
        for b in built:
            ramp, gpus = c.ramp[b + 1], c.gpus[b + 1]
            age = np.maximum(t - ready[b], 0)
            ramping = np.minimum(age, ramp)
            so_far = ramping**2 / (2 * ramp) + age - ramping
            share = so_far - integral[b]
            integral[b] = so_far
            now = np.clip((t - delivery[b]) / ramp, 0, 1)
            capex = capex + c.capex_left[b] * (c.delivery_share[b] * (now - delivered[b]) + c.dated[row, b])
            delivered[b] = now
            online.append(gpus * share)
            online_end.append(gpus * ramping / ramp)
            before = np.clip(np.minimum(t, ready[b]) - c.prelaunch_from[row, b], 0, 1)
            opex = opex + c.running_cost[b] * share + c.prelaunch[b] * before
            depreciation = depreciation + c.depreciation[b] * share

        # Contracts in order of priority, then the pool.
        left, left_end = list(online), list(online_end)
        revenue = np.zeros(n)
        for k in contracts:
            site, wanted, start = c.contract_site[k], c.contract_gpus[k], c.contract_start[k]
            if t < start:
                continue
            part = np.clip(end[k] - (t - 1), 0, 1)
            if t > start:
                served = np.minimum(part * wanted, left[site])
                left[site] = left[site] - served
                revenue = revenue + served * c.contract_fee[k] * (c.fixed_part[k] + c.usage_part[k] * usage)
            served_end = np.minimum(np.where(part > 0, wanted, 0.0), left_end[site])
            left_end[site] = left_end[site] - served_end
            if c.contract_end[k] == model.NEVER:
                starts = (served_end >= 0.999 * wanted) & (end[k] == model.NEVER)
                end[k] = np.where(starts, t + c.term[k], end[k])
        for i in sites:
            sold = left[i] * sold_share
            revenue = revenue + sold * price[i] * c.premium * model.HOURS / 1e3
            used = online[i] - left[i] + sold
            load = c.idle[i] * online[i] + (1 - c.idle[i]) * used
            opex = opex + (c.power_fixed[i] + c.power_floating[i] * np.exp(log_power)) * load / c.gpus[i]

        # Debt.
        coupon = c.spread + c.hedged * c.swap + (1 - c.hedged) * np.maximum(rate, c.rate_floor)
        interest = c.notes_interest + loan * coupon / 12 + undrawn * c.commitment_fee / 12
        principal = loan * c.per_payment[row]
        drawn = np.minimum(c.advance * capex, undrawn) if c.draws[row] else np.zeros(n)
        loan = loan - principal + drawn
        undrawn = undrawn - drawn
        interest = interest + c.upfront * drawn
        if c.draws[row] and (t == c.months or not c.draws[row + 1]):
            undrawn = np.zeros(n)

        # Income, cash.
        opex = opex + c.sga_fixed + c.sga_share * revenue
        ebitda = revenue - opex
        earned = cash * rate * c.cash_yield / 12
        profit = ebitda - (interest - earned) - depreciation - c.stock_compensation - c.run_off[row]
        offset = np.maximum(np.minimum(losses, c.loss_use * profit), 0)
        losses = losses - offset + np.maximum(-profit, 0)
        tax = np.maximum(c.tax_rate * (profit - offset), 0)
        owed_by_customers, owed_opex, owed_capex = c.receivable_months * revenue, c.payable_months_opex * opex, c.payable_months_capex * capex
        cfads[t] = ebitda - tax - (owed_by_customers - receivables) + owed_opex - payables_opex
        service[t] = interest + principal
        flow = cfads[t] - interest + earned - capex + owed_capex - payables_capex
        receivables, payables_opex, payables_capex = owed_by_customers, owed_opex, owed_capex
        fcf[c.year[row]] += flow
        cash = cash + flow + drawn - principal
        repaid = np.maximum(np.minimum(lack, cash - c.min_cash), 0)
        cash = cash - repaid
        lack = lack - repaid + np.maximum(-cash, 0)
        cash = np.maximum(cash, 0)

        # Covenant.
        if c.tested[row]:
            fails = cfads[max(t - 2, 0) : t + 1].sum(axis=0) < c.threshold * service[max(t - 2, 0) : t + 1].sum(axis=0)
            first_breach = np.where(fails, np.minimum(first_breach, t), first_breach)
        least_liquidity = np.minimum(least_liquidity, cash)

    weighted = sum(o * p for o, p in zip(online, price)) / sum(online)
    return {"fcf": fcf, "first_breach": first_breach, "least_liquidity": least_liquidity, "price": weighted, "rate": rate}


def main() -> None:
    args = arguments(__doc__, threads=1)
    c = parameters(args)
    report = Report("numpy-plain", {"numpy": np.__version__, "scipy": scipy.__version__}, threads=1)
    timing, results = timed(lambda k: simulate(c, args.paths, args.seed + k), args.repeats)
    report.show(args, c, timing, results)


if __name__ == "__main__":
    main()
