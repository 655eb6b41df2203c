# SPDX-License-Identifier: Apache-2.0
"""The cut in NumPy: one array entry a path, the months a Python loop, chunks of paths that stay in the cache.

float32 throughout, SFC64 normals, temporaries reused in place. Two processes share the chunks: threads, though ufuncs release
the GIL, wait for it between calls that last microseconds, and are no faster than one. `simulate` takes the array module, so
that cupy_peer.py runs the same code on a card.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # the chunks are the parallelism
    os.environ.setdefault(variable, "1")

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import scipy
import scipy.special

import cut as model
from bench import Report, arguments, parameters, timed

CHUNK = 4096  # paths; about 60 arrays of 16 KB


def delays(xp: Any, special: Any, d: model.Delays, systemic: Any, own: Any) -> Any:
    """Months of delay; own: standard normals, [..., paths], one row a delay."""
    at = lambda x: xp.asarray(x)[..., None]  # noqa: E731
    y = at(d.systemic) * systemic + at(d.own) * own
    tail = special.ndtr(-y)
    tail /= at(d.p_late)
    xp.clip(tail, 1e-9, 1 - 2.0**-24, out=tail)
    late = xp.exp(at(d.mu) - at(d.sigma) * special.ndtri(tail))
    late += at(d.earliest)
    return xp.where(y <= at(d.z_on), xp.float32(0), late)


def logistic(xp: Any, x: Any) -> Any:
    """1 / (1 + exp(-x)), in place."""
    xp.negative(x, out=x)
    xp.exp(x, out=x)
    x += 1
    return xp.reciprocal(x, out=x)


def simulate(c: model.Cut, n: int, rng: Any, xp: Any = np, special: Any = scipy.special) -> dict[str, Any]:
    """n paths; per-path columns in k, as cut.summary() wants them."""
    f32 = xp.float32
    normals = lambda *shape: rng.standard_normal(shape, dtype=f32)  # noqa: E731
    uniforms = lambda *shape: rng.random(shape, dtype=f32)  # noqa: E731
    column = lambda x: xp.asarray(x)[:, None]  # noqa: E731
    full = lambda value: xp.full(n, value, dtype=f32)  # noqa: E731

    # Drawn once a path.
    z_training, z_inference, z_ageing, systemic = normals(4, n)
    psi_training = xp.exp(c.uncertainty_training * z_training - 0.5 * c.uncertainty_training**2)
    psi_inference = xp.exp(c.uncertainty_inference * z_inference - 0.5 * c.uncertainty_inference**2)
    xi = xp.exp(c.ageing_uncertainty * z_ageing)
    launch = column(c.launch_planned) + delays(xp, special, c.launch_delay, systemic, normals(len(c.launch_planned), n))
    late = delays(xp, special, c.stage_delay, systemic, normals(len(c.gpus) - 1, len(model.STAGES) + 1, n))
    done = xp.asarray(c.stage_planned)[..., None] + late[:, :-1]
    delivery = done[:, model.STAGES.index("gpu_delivery")]
    ready = done.max(axis=1) + column(c.commissioning) + late[:, -1]
    last_change = float((xp.maximum(delivery, ready).max(axis=1) + xp.asarray(c.ramp[1:])).max())  # all is on line

    # State.
    log_training, log_inference, log_supply, gap, x_rate = (full(0) for _ in range(5))
    q, cycle = full(c.start_tightness), full(c.cycle_start)
    log_power, churn, sold_share = full(c.power_start), full(c.churn_start), full(c.utilisation_start)
    regime = xp.full(n, c.start_regime, dtype=xp.intp)
    integral, delivered = xp.zeros_like(ready), xp.zeros_like(ready)
    online = xp.empty((len(c.gpus), n), dtype=f32)
    online_end = xp.empty_like(online)
    end = column(c.contract_end) + xp.zeros(n, dtype=f32)
    cash, receivables, losses = full(c.cash), full(c.receivables), full(c.losses)
    payables_opex, payables_capex = full(c.payables_opex), full(c.payables_capex)
    loan, undrawn, lack = full(0), full(c.commitment), full(0)
    cfads = [full(0) for _ in range(3)]
    service = [full(0) for _ in range(3)]
    fcf = xp.zeros((int(c.year[-1]) + 1, n), dtype=f32)
    first_breach, least_liquidity = full(model.NEVER), full(np.inf)

    cholesky, cumulative, effect = xp.asarray(c.cholesky), xp.asarray(c.cumulative), xp.asarray(c.launch_effect)
    shift, cycle_mean, cycle_sd = xp.asarray(c.shift), xp.asarray(c.cycle_mean), xp.asarray(c.cycle_sd)
    log_price, floor, gpus = column(c.log_price - c.cycle_start), column(c.floor), column(c.gpus)
    launch_ramp, ramp, built_gpus = 1 / column(c.launch_ramp), column(c.ramp[1:]), gpus[1:]
    power_fixed, power_floating = column(c.power_fixed / c.gpus), column(c.power_floating / c.gpus)
    idle = column(c.idle)
    ageing, dated, prelaunch_from = (xp.asarray(x)[..., None] for x in (c.ageing, c.dated, c.prelaunch_from))
    delivery_share, capex_left, running_cost = column(c.delivery_share), column(c.capex_left), column(c.running_cost)
    depreciation_full, prelaunch = column(c.depreciation), column(c.prelaunch)

    for t in range(1, c.months + 1):
        row = t - 1
        # Market.
        z = cholesky @ normals(len(model.FACTORS), n)
        u = uniforms(n)
        low, high = cumulative[0].take(regime), cumulative[1].take(regime)
        regime = (u >= low).astype(xp.intp)
        regime += u >= high
        step = shift.take(regime)
        growth = ((psi_training, c.growth_training, c.drift_training, c.sigma_training),
                  (psi_inference, c.growth_inference, c.drift_inference, c.sigma_inference))
        for i, (log_demand, (psi, g, drift, sigma)) in enumerate(zip((log_training, log_inference), growth)):
            z[i] *= sigma
            log_demand += z[i]
            log_demand += psi * g[row]
            log_demand += step
            log_demand += f32(drift)
            jumps = xp.flatnonzero(uniforms(n) < c.jump_probability)
            log_demand[jumps] += f32(c.jump_mean) + f32(c.jump_sd) * normals(jumps.size)
        gap += (f32(c.response) * q - gap) * f32(c.lag)
        log_supply += gap * f32(1 / 12)
        log_supply += c.supply_growth[row]
        q = xp.exp(log_training)
        q *= c.training_share
        q += (1 - c.training_share) * xp.exp(log_inference)
        xp.log(q, out=q)
        q -= log_supply
        q += c.start_tightness
        mean = c.pull * q
        mean += cycle_mean.take(regime)
        cycle -= mean
        cycle *= c.cycle_decay
        cycle += mean
        cycle += cycle_sd.take(regime) * z[2]
        x_rate *= c.rate_decay
        x_rate += c.rate_sd * z[3]
        rate = x_rate + c.rate_base[row]
        churn *= c.churn_decay
        churn += c.churn_sd * z[4]
        log_power *= c.power_decay
        log_power += c.power_sd * z[5]
        power_level = xp.exp(log_power)
        lost = xp.exp(churn)
        lost *= c.attrition
        sold_share *= 1 - xp.minimum(lost, 1)
        bookings = logistic(xp, c.bookings_alpha + c.bookings_beta * q)
        bookings *= c.bookings_max
        sold_share += xp.minimum(bookings, 1 - sold_share)
        usage = logistic(xp, c.usage_alpha + c.usage_beta * q)

        progress = t - launch
        progress *= launch_ramp
        xp.clip(progress, 0, 1, out=progress)
        price = effect @ progress
        price += ageing[row] * xi
        xp.subtract(cycle, price, out=price)
        price += log_price
        xp.exp(price, out=price)
        xp.maximum(price, floor, out=price)

        # Sites; once all is on line nothing of them moves.
        opex = full(c.standing[row])
        if t - 2 < last_change:
            age = xp.maximum(t - ready, 0)
            ramping = xp.minimum(age, ramp)
            age -= ramping
            age += ramping * ramping * (0.5 / ramp)
            share = age - integral
            integral = age
            now = xp.clip((t - delivery) / ramp, 0, 1)
            capex_share = delivery_share * (now - delivered)
            delivered = now
            capex_share += dated[row]
            capex = (capex_left * capex_share).sum(axis=0)
            online[0] = online_end[0] = c.running_online[row]
            xp.multiply(built_gpus, share, out=online[1:])
            xp.multiply(built_gpus, ramping / ramp, out=online_end[1:])
            open_cost = (running_cost * share).sum(axis=0)
            depreciation = (depreciation_full * share).sum(axis=0)
            before = xp.clip(xp.minimum(t, ready) - prelaunch_from[row], 0, 1)
            opex += (prelaunch * before).sum(axis=0)
        else:
            capex = full(0)
        opex += open_cost

        # Contracts in order of priority, then the pool.
        left, left_end = online.copy(), online_end.copy()
        revenue = full(0)
        for k in range(len(c.contract_site)):
            if t < c.contract_start[k]:
                continue
            site, wanted = c.contract_site[k], c.contract_gpus[k]
            part = xp.clip(end[k] - (t - 1), 0, 1)
            part *= wanted
            if t > c.contract_start[k]:
                served = xp.minimum(part, left[site])
                left[site] -= served
                served *= c.contract_fee[k] * (c.fixed_part[k] + c.usage_part[k] * usage) if c.usage_part[k] else c.contract_fee[k] * c.fixed_part[k]
                revenue += served
            part[part > 0] = wanted
            served_end = xp.minimum(part, left_end[site])
            left_end[site] -= served_end
            if c.contract_end[k] == model.NEVER:
                starts = (served_end >= 0.999 * wanted) & (end[k] == model.NEVER)
                end[k][starts] = t + c.term[k]
        used = online - left
        left *= sold_share
        used += left
        left *= price
        revenue += left.sum(axis=0) * f32(c.premium * model.HOURS / 1e3)
        used -= idle * used
        used += idle * online
        opex += ((power_floating * power_level + power_fixed) * used).sum(axis=0)

        # Debt.
        interest = loan * ((c.hedged * c.swap + c.spread) / 12)
        interest += loan * ((1 - c.hedged) / 12) * xp.maximum(rate, c.rate_floor)
        interest += undrawn * (c.commitment_fee / 12)
        interest += c.notes_interest
        drawn = 0.0
        principal = loan * c.per_payment[row]
        loan -= principal
        if c.draws[row]:
            drawn = xp.minimum(c.advance * capex, undrawn)
            loan += drawn
            undrawn -= drawn
            interest += c.upfront * drawn
            if row + 1 == c.months or not c.draws[row + 1]:
                undrawn[:] = 0

        # Income, cash.
        opex += c.sga_fixed
        opex += c.sga_share * revenue
        ebitda = revenue - opex
        earned = cash * rate
        earned *= c.cash_yield / 12
        profit = ebitda - (interest - earned)
        profit -= depreciation
        profit -= f32(c.stock_compensation + c.run_off[row])
        offset = xp.maximum(xp.minimum(losses, c.loss_use * profit), 0)
        losses -= offset
        losses += xp.maximum(-profit, 0)
        profit -= offset
        tax = xp.maximum(c.tax_rate * profit, 0)
        revenue *= c.receivable_months
        opex *= c.payable_months_opex
        owed = c.payable_months_capex * capex
        available = ebitda
        available -= tax
        available -= revenue - receivables
        available += opex - payables_opex
        receivables, payables_opex = revenue, opex
        flow = available - interest
        flow += earned
        flow -= capex
        flow += owed - payables_capex
        payables_capex = owed
        fcf[c.year[row]] += flow
        cash += flow
        cash += drawn
        cash -= principal
        repaid = xp.maximum(xp.minimum(lack, cash - c.min_cash), 0)
        cash -= repaid
        lack -= repaid
        lack += xp.maximum(-cash, 0)
        xp.maximum(cash, 0, out=cash)

        # Covenant.
        interest += principal
        cfads[t % 3], service[t % 3] = available, interest
        if c.tested[row]:
            to_serve = service[0] + service[1]
            to_serve += service[2]
            earned_3 = cfads[0] + cfads[1]
            earned_3 += cfads[2]
            xp.minimum(first_breach, xp.where(earned_3 < c.threshold * to_serve, f32(t), model.NEVER), out=first_breach)
        xp.minimum(least_liquidity, cash, out=least_liquidity)

    weights = online / online.sum(axis=0)
    return {
        "fcf": fcf,
        "first_breach": first_breach,
        "least_liquidity": least_liquidity,
        "price": (weights * price).sum(axis=0),
        "rate": rate,
    }


def simulate_chunk(c: model.Cut, size: int, seed: np.random.SeedSequence) -> dict[str, np.ndarray]:
    return simulate(c, size, np.random.Generator(np.random.SFC64(seed)))


def main() -> None:
    args = arguments(__doc__, threads=2)
    c = parameters(args)
    sizes = [min(CHUNK, args.paths - first) for first in range(0, args.paths, CHUNK)]
    with ProcessPoolExecutor(args.threads, multiprocessing.get_context("fork")) as pool:

        def run(k: int) -> dict[str, np.ndarray]:
            seeds = np.random.SeedSequence(args.seed + k).spawn(len(sizes))
            parts = list(pool.map(partial(simulate_chunk, c), sizes, seeds))
            return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}

        report = Report("numpy", {"numpy": np.__version__, "scipy": scipy.__version__}, threads=args.threads)
        timing, results = timed(run, args.repeats)
        report.show(args, c, timing, results)


if __name__ == "__main__":
    main()
