# SPDX-License-Identifier: Apache-2.0
"""One path of the cut as scalar code, for Numba on a CPU (numba_peer.py) and on a card (numba_cuda_peer.py).

Everything is float32 by construction: Numba widens float32 with a literal or an int to float64, so those are wrapped. The
parameters are one record.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

import cut as model

F = np.float32
OUT = 4  # per-path columns besides the years' FCF: first breach, least liquidity, last price, last short rate


def record(c: model.Cut) -> np.ndarray:
    """The parameters as an array of one record, scalars in float32, delays flattened."""
    values: dict[str, np.ndarray] = {}
    for field in fields(c):
        value = getattr(c, field.name)
        if isinstance(value, model.Delays):
            for part in fields(value):
                values[f"{field.name}_{part.name}"] = getattr(value, part.name)
        else:
            values[field.name] = np.float32(value) if isinstance(value, float) else np.asarray(value)
    out = np.zeros(1, np.dtype([(name, v.dtype, v.shape) for name, v in values.items()], align=True))
    for name, value in values.items():
        out[name][0] = value
    return out


def scratch_size(c: model.Cut) -> int:
    launches, built, sites = len(c.launch_planned), len(c.gpus) - 1, len(c.gpus)
    return len(model.FACTORS) + 4 + launches + built * 5 + 4 * built + 4 * sites + launches + len(c.contract_site) + 6


def make_path(c: model.Cut, jit: Callable[..., Any], normals: Any, uniform: Any) -> Any:
    """path(p, states, i, scratch, out): one path of the parameters p, with the generator state i; fills out[years + OUT].

    normals(states, i, z) fills z; uniform(states, i) is float32; scratch is float32, scratch_size(c) long.
    """
    months, factors = c.months, len(model.FACTORS)
    sites, built, stages, launches, contracts = len(c.gpus), len(c.gpus) - 1, 5, len(c.launch_planned), len(c.contract_site)
    gpus_stage, years, never = model.STAGES.index("gpu_delivery"), int(c.year[-1]) + 1, model.NEVER
    at_start = factors  # places in the scratch array
    at_sites = at_start + 4 + launches + built * stages
    at_month = at_sites + 4 * built
    at_launch = at_month + 4 * sites
    at_contracts = at_launch + launches
    at_windows = at_contracts + contracts
    zero, one, half, twelfth = F(0), F(1), F(0.5), F(1 / 12)
    pool_fee, full_share, root_half = F(c.premium * model.HOURS / 1e3), F(0.999), F(math.sqrt(0.5))

    @jit
    def quantile(u):
        """Normal quantile, Acklam's rational approximation (relative error 1e-9) in float64."""
        x = min(u, 1.0 - u)
        if x < 0.02425:
            q = math.sqrt(-2.0 * math.log(x))
            z = (((((-7.784894002430293e-03 * q - 3.223964580411365e-01) * q - 2.400758277161838e00) * q - 2.549732539343734e00) * q + 4.374664141464968e00) * q + 2.938163982698783e00) / (
                (((7.784695709041462e-03 * q + 3.224671290700398e-01) * q + 2.445134137142996e00) * q + 3.754408661907416e00) * q + 1.0
            )
        else:
            q = x - 0.5
            r = q * q
            z = (((((-3.969683028665376e01 * r + 2.209460984245205e02) * r - 2.759285104469687e02) * r + 1.383577518672690e02) * r - 3.066479806614716e01) * r + 2.506628277459239e00) * q / (
                ((((-5.447609879822406e01 * r + 1.615858368580409e02) * r - 1.556989798598866e02) * r + 6.680131188771972e01) * r - 1.328068155288572e01) * r + 1.0
            )
        return F(z if u < 0.5 else -z)

    @jit
    def delay(z_on, p_late, mu, sigma, earliest, y):
        if y <= z_on:
            return zero
        tail = half * math.erfc(y * root_half) / p_late
        z = -quantile(min(max(float(tail), 1e-9), 1.0 - 2.0**-24))
        return earliest + math.exp(mu + sigma * z)

    @jit
    def logistic(x):
        return one / (one + math.exp(-x))

    @jit
    def clip01(x):
        return min(max(x, zero), one)

    @jit
    def path(p, states, i, scratch, out):
        z, e = scratch[:factors], scratch[at_start:at_sites]
        ready, delivery = scratch[at_sites : at_sites + built], scratch[at_sites + built : at_sites + 2 * built]
        integral, delivered = scratch[at_sites + 2 * built : at_sites + 3 * built], scratch[at_sites + 3 * built : at_month]
        online, left = scratch[at_month : at_month + sites], scratch[at_month + sites : at_month + 2 * sites]
        left_end, price = scratch[at_month + 2 * sites : at_month + 3 * sites], scratch[at_month + 3 * sites : at_launch]
        launch, end = scratch[at_launch:at_contracts], scratch[at_contracts:at_windows]
        cfads, service = scratch[at_windows : at_windows + 3], scratch[at_windows + 3 : at_windows + 6]

        # Drawn once.
        normals(states, i, e)
        psi_training = math.exp(p.uncertainty_training * e[0] - half * p.uncertainty_training * p.uncertainty_training)
        psi_inference = math.exp(p.uncertainty_inference * e[1] - half * p.uncertainty_inference * p.uncertainty_inference)
        xi = math.exp(p.ageing_uncertainty * e[2])
        systemic = e[3]
        for h in range(launches):
            y = p.launch_delay_systemic[h] * systemic + p.launch_delay_own[h] * e[4 + h]
            launch[h] = p.launch_planned[h] + delay(p.launch_delay_z_on[h], p.launch_delay_p_late[h], p.launch_delay_mu[h],
                                                    p.launch_delay_sigma[h], p.launch_delay_earliest[h], y)
        for s in range(built):
            ready[s] = zero
            integral[s] = delivered[s] = zero
            for k in range(stages):
                y = p.stage_delay_systemic[s, k] * systemic + p.stage_delay_own[s, k] * e[4 + launches + s * stages + k]
                late = delay(p.stage_delay_z_on[s, k], p.stage_delay_p_late[s, k], p.stage_delay_mu[s, k],
                             p.stage_delay_sigma[s, k], p.stage_delay_earliest[s, k], y)
                if k < stages - 1:
                    done = p.stage_planned[s, k] + late
                    ready[s] = max(ready[s], done)
                    if k == gpus_stage:
                        delivery[s] = done
                else:
                    ready[s] += p.commissioning[s] + late
        for k in range(contracts):
            end[k] = p.contract_end[k]

        log_training = log_inference = log_supply = gap = x_rate = rate = zero
        q, cycle = p.start_tightness, p.cycle_start
        log_power, churn, sold_share = p.power_start, p.churn_start, p.utilisation_start
        regime = p.start_regime
        cash, receivables, losses = p.cash, p.receivables, p.losses
        payables_opex, payables_capex = p.payables_opex, p.payables_capex
        loan, undrawn, lack = zero, p.commitment, zero
        first_breach, least_liquidity = never, F(np.inf)
        for y in range(years):
            out[y] = zero

        for row in range(months):
            t = F(row + 1)
            # Market.
            normals(states, i, z)
            u = uniform(states, i)
            regime = int(u >= p.cumulative[0, regime]) + int(u >= p.cumulative[1, regime])
            step = p.shift[regime]
            for f in range(factors - 1, -1, -1):
                x = zero
                for j in range(f + 1):
                    x += p.cholesky[f, j] * z[j]
                z[f] = x
            log_training += psi_training * p.growth_training[row] + step + p.drift_training + p.sigma_training * z[0]
            log_inference += psi_inference * p.growth_inference[row] + step + p.drift_inference + p.sigma_inference * z[1]
            if uniform(states, i) < p.jump_probability:
                normals(states, i, e[:2])
                log_training += p.jump_mean + p.jump_sd * e[0]
            if uniform(states, i) < p.jump_probability:
                normals(states, i, e[:2])
                log_inference += p.jump_mean + p.jump_sd * e[0]
            gap += (p.response * q - gap) * p.lag
            log_supply += gap * twelfth + p.supply_growth[row]
            demand = p.training_share * math.exp(log_training) + (one - p.training_share) * math.exp(log_inference)
            q = p.start_tightness + math.log(demand) - log_supply
            mean = p.pull * q + p.cycle_mean[regime]
            cycle = mean + p.cycle_decay * (cycle - mean) + p.cycle_sd[regime] * z[2]
            x_rate = p.rate_decay * x_rate + p.rate_sd * z[3]
            rate = p.rate_base[row] + x_rate
            churn = p.churn_decay * churn + p.churn_sd * z[4]
            log_power = p.power_decay * log_power + p.power_sd * z[5]
            power_level = math.exp(log_power)
            sold_share *= one - min(p.attrition * math.exp(churn), one)
            sold_share += min(p.bookings_max * logistic(p.bookings_alpha + p.bookings_beta * q), one - sold_share)
            usage = logistic(p.usage_alpha + p.usage_beta * q)
            for s in range(sites):
                price[s] = p.log_price[s] + cycle - p.cycle_start - xi * p.ageing[row, s]
            for h in range(launches):
                if launch[h] < t:
                    progress = clip01((t - launch[h]) / p.launch_ramp[h])
                    for s in range(sites):
                        price[s] -= p.launch_effect[s, h] * progress
            for s in range(sites):
                price[s] = max(math.exp(price[s]), p.floor[s])

            # Sites.
            opex, capex, depreciation = p.standing[row], zero, zero
            online[0] = left[0] = left_end[0] = p.running_online[row]
            for s in range(built):
                capex_share = p.dated[row, s]
                if delivered[s] < one:
                    now = clip01((t - delivery[s]) / p.ramp[s + 1])
                    capex_share += p.delivery_share[s] * (now - delivered[s])
                    delivered[s] = now
                capex += p.capex_left[s] * capex_share
                age = max(t - ready[s], zero)
                ramping = min(age, p.ramp[s + 1])
                area = age - ramping + ramping * ramping * (half / p.ramp[s + 1])
                share = area - integral[s]
                integral[s] = area
                online[s + 1] = left[s + 1] = p.gpus[s + 1] * share
                left_end[s + 1] = p.gpus[s + 1] * (ramping / p.ramp[s + 1])
                depreciation += p.depreciation[s] * share
                opex += p.running_cost[s] * share + p.prelaunch[s] * clip01(min(t, ready[s]) - p.prelaunch_from[row, s])

            # Contracts in order of priority, then the pool.
            revenue = zero
            for k in range(contracts):
                if t < p.contract_start[k] or t - one >= end[k]:
                    continue
                s, wanted = p.contract_site[k], p.contract_gpus[k]
                if t > p.contract_start[k]:
                    served = min(wanted * clip01(end[k] - (t - one)), left[s])
                    left[s] -= served
                    revenue += served * p.contract_fee[k] * (p.fixed_part[k] + p.usage_part[k] * usage)
                served_end = min(wanted, left_end[s])
                left_end[s] -= served_end
                if end[k] == never and served_end >= full_share * wanted:
                    end[k] = t + p.term[k]
            for s in range(sites):
                sold = left[s] * sold_share
                used = online[s] - left[s] + sold
                revenue += sold * price[s] * pool_fee
                energised = (used + p.idle[s] * (online[s] - used)) / p.gpus[s]
                opex += energised * (p.power_fixed[s] + p.power_floating[s] * power_level)

            # Debt.
            coupon = p.hedged * p.swap + (one - p.hedged) * max(rate, p.rate_floor) + p.spread
            interest = (loan * coupon + undrawn * p.commitment_fee) * twelfth + p.notes_interest
            principal = loan * p.per_payment[row]
            loan -= principal
            drawn = zero
            if p.draws[row] > zero:
                drawn = min(p.advance * capex, undrawn)
                loan += drawn
                undrawn -= drawn
                interest += p.upfront * drawn
                if row + 1 == months or p.draws[row + 1] == zero:
                    undrawn = zero

            # Income, cash.
            opex += p.sga_fixed + p.sga_share * revenue
            ebitda = revenue - opex
            earned = cash * rate * p.cash_yield * twelfth
            profit = ebitda - (interest - earned) - depreciation - p.stock_compensation - p.run_off[row]
            offset = max(min(losses, p.loss_use * profit), zero)
            losses += max(-profit, zero) - offset
            tax = max(p.tax_rate * (profit - offset), zero)
            available = ebitda - tax - (p.receivable_months * revenue - receivables)
            available += p.payable_months_opex * opex - payables_opex
            receivables, payables_opex = p.receivable_months * revenue, p.payable_months_opex * opex
            flow = available - interest + earned - capex + (p.payable_months_capex * capex - payables_capex)
            payables_capex = p.payable_months_capex * capex
            out[p.year[row]] += flow
            cash += flow + drawn - principal
            repaid = max(min(lack, cash - p.min_cash), zero)
            cash -= repaid
            lack += max(-cash, zero) - repaid
            cash = max(cash, zero)

            # Covenant.
            cfads[row % 3] = available
            service[row % 3] = interest + principal
            if p.tested[row] and first_breach == never:
                if cfads[0] + cfads[1] + cfads[2] < p.threshold * (service[0] + service[1] + service[2]):
                    first_breach = t
            least_liquidity = min(least_liquidity, cash)

        weighted = total = zero
        for s in range(sites):
            weighted += online[s] * price[s]
            total += online[s]
        out[years] = first_breach
        out[years + 1] = least_liquidity
        out[years + 2] = weighted / total
        out[years + 3] = rate

    return path


def columns(out: np.ndarray) -> dict[str, np.ndarray]:
    """out [paths, years + OUT] as the columns of cut.summary()."""
    last = out[:, -OUT:].T
    return {"fcf": out[:, :-OUT].T, "first_breach": last[0], "least_liquidity": last[1], "price": last[2], "rate": last[3]}
