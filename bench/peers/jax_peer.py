# SPDX-License-Identifier: Apache-2.0
"""The cut in JAX: one jitted function for a chunk of paths, the months a lax.scan, float32.

On a card the chunk is all that fits. On a CPU it is small enough for the caches, and threads share the chunks: a compiled
call releases the GIL, and two chunks side by side are twice as fast as XLA's own threads inside one. JAX's default
generator (Threefry) is faster there than unsafe_rbg.
"""

from __future__ import annotations

import os

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")  # the chunks are the parallelism

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random
from jax.scipy.special import ndtr, ndtri

import cut as model
from bench import Report, arguments, parameters, timed

CHUNK = {"cpu": 4096, "gpu": 1 << 20}  # paths


def delays(d: model.Delays, systemic: jax.Array, own: jax.Array) -> jax.Array:
    """Months of delay; own: standard normals, [..., paths], one row a delay."""
    at = lambda x: jnp.asarray(x)[..., None]  # noqa: E731
    y = at(d.systemic) * systemic + at(d.own) * own
    tail = jnp.clip(ndtr(-y) / at(d.p_late), 1e-9, 1 - 2.0**-24)
    return jnp.where(y <= at(d.z_on), 0.0, at(d.earliest) + jnp.exp(at(d.mu) - at(d.sigma) * ndtri(tail)))


def make_simulate(c: model.Cut, n: int):  # noqa: ANN201
    column = lambda x: jnp.asarray(x)[:, None]  # noqa: E731
    full = lambda x: jnp.full(n, x, jnp.float32)  # noqa: E731
    sites, contracts = len(c.gpus), len(c.contract_site)
    still_draws = np.append(c.draws[1:], 0).astype(np.float32)
    one_hot = np.eye(int(c.year[-1]) + 1, dtype=np.float32)[c.year]
    rows = {
        "t": np.arange(1, c.months + 1, dtype=np.float32),
        "year": one_hot,
        "still_draws": still_draws,
        **{k: getattr(c, k) for k in ("tested", "growth_training", "growth_inference", "supply_growth", "rate_base", "ageing",
                                      "running_online", "dated", "standing", "prelaunch_from", "run_off", "draws", "per_payment")},
    }

    def month(path: dict[str, Any], s: dict[str, Any], row: dict[str, Any]) -> tuple[dict[str, Any], None]:
        t = row["t"]
        # Market.
        key, k_normal, k_uniform, k_jump = random.split(s["key"], 4)
        z = jnp.asarray(c.cholesky) @ random.normal(k_normal, (len(model.FACTORS), n))
        u, occurs = jnp.split(random.uniform(k_uniform, (3, n)), [1])
        old = s["regime"]
        by_regime = lambda values, r: jnp.where(r == 0, values[0], jnp.where(r == 1, values[1], values[2]))  # noqa: E731
        low, high = (by_regime(row_of, old) for row_of in c.cumulative)
        regime = (u[0] >= low).astype(jnp.int32) + (u[0] >= high)
        step = by_regime(c.shift, regime)
        size = c.jump_mean + c.jump_sd * random.normal(k_jump, (2, n))
        jump = jnp.where(occurs < c.jump_probability, size, 0.0)
        log_training = s["log_training"] + (
            path["psi_training"] * row["growth_training"] + step + c.drift_training + c.sigma_training * z[0] + jump[0]
        )
        log_inference = s["log_inference"] + (
            path["psi_inference"] * row["growth_inference"] + step + c.drift_inference + c.sigma_inference * z[1] + jump[1]
        )
        gap = s["gap"] + (c.response * s["q"] - s["gap"]) * c.lag
        log_supply = s["log_supply"] + gap / 12 + row["supply_growth"]
        demand = c.training_share * jnp.exp(log_training) + (1 - c.training_share) * jnp.exp(log_inference)
        q = c.start_tightness + jnp.log(demand) - log_supply
        mean = c.pull * q + by_regime(c.cycle_mean, regime)
        cycle = mean + c.cycle_decay * (s["cycle"] - mean) + by_regime(c.cycle_sd, regime) * z[2]
        x_rate = c.rate_decay * s["x_rate"] + c.rate_sd * z[3]
        rate = row["rate_base"] + x_rate
        churn = c.churn_decay * s["churn"] + c.churn_sd * z[4]
        log_power = c.power_decay * s["log_power"] + c.power_sd * z[5]
        kept = s["sold_share"] * (1 - jnp.minimum(c.attrition * jnp.exp(churn), 1))
        bookings = c.bookings_max * jax.nn.sigmoid(c.bookings_alpha + c.bookings_beta * q)
        sold_share = kept + jnp.minimum(bookings, 1 - kept)
        usage = jax.nn.sigmoid(c.usage_alpha + c.usage_beta * q)
        progress = jnp.clip((t - path["launch"]) / column(c.launch_ramp), 0, 1)
        drop = jnp.asarray(c.launch_effect) @ progress + row["ageing"][:, None] * path["xi"]
        price = jnp.maximum(jnp.exp(column(c.log_price) + cycle - c.cycle_start - drop), column(c.floor))

        # Sites.
        ramp = column(c.ramp[1:])
        delivered = jnp.clip((t - path["delivery"]) / ramp, 0, 1)
        capex_share = row["dated"][:, None] + column(c.delivery_share) * (delivered - s["delivered"])
        capex = (column(c.capex_left) * capex_share).sum(0)
        age = jnp.maximum(t - path["ready"], 0)
        ramping = jnp.minimum(age, ramp)
        integral = age - ramping + ramping * ramping * (0.5 / ramp)
        share = integral - s["integral"]
        before = jnp.clip(jnp.minimum(t, path["ready"]) - row["prelaunch_from"][:, None], 0, 1)
        opex = row["standing"] + (column(c.running_cost) * share + column(c.prelaunch) * before).sum(0)
        depreciation = (column(c.depreciation) * share).sum(0)
        online = [jnp.full(n, row["running_online"])] + [c.gpus[i + 1] * share[i] for i in range(sites - 1)]
        left_end = [online[0]] + [c.gpus[i + 1] * (ramping[i] / ramp[i]) for i in range(sites - 1)]
        left = list(online)

        # Contracts in order of priority, then the pool.
        revenue, ends = 0.0, []
        for k in range(contracts):
            i, wanted, start, end = int(c.contract_site[k]), c.contract_gpus[k], c.contract_start[k], s["end"][k]
            part = jnp.clip(end - (t - 1), 0, 1)
            served = jnp.where(t > start, jnp.minimum(wanted * part, left[i]), 0.0)
            left[i] = left[i] - served
            revenue += served * c.contract_fee[k] * (c.fixed_part[k] + c.usage_part[k] * usage)
            served_end = jnp.where((t >= start) & (part > 0), jnp.minimum(wanted, left_end[i]), 0.0)
            left_end[i] = left_end[i] - served_end
            ends.append(jnp.where((end == model.NEVER) & (served_end >= 0.999 * wanted), t + c.term[k], end))
        power_level = jnp.exp(log_power)
        for i in range(sites):
            sold = left[i] * sold_share
            used = online[i] - left[i] + sold
            revenue += sold * price[i] * (c.premium * model.HOURS / 1e3)
            energised = (used + c.idle[i] * (online[i] - used)) / c.gpus[i]
            opex += energised * (c.power_fixed[i] + c.power_floating[i] * power_level)

        # Debt.
        coupon = c.hedged * c.swap + (1 - c.hedged) * jnp.maximum(rate, c.rate_floor) + c.spread
        interest = (s["loan"] * coupon + s["undrawn"] * c.commitment_fee) / 12 + c.notes_interest
        principal = s["loan"] * row["per_payment"]
        drawn = row["draws"] * jnp.minimum(c.advance * capex, s["undrawn"])
        interest += c.upfront * drawn

        # Income, cash.
        opex += c.sga_fixed + c.sga_share * revenue
        ebitda = revenue - opex
        earned = s["cash"] * rate * (c.cash_yield / 12)
        profit = ebitda - (interest - earned) - depreciation - c.stock_compensation - row["run_off"]
        offset = jnp.maximum(jnp.minimum(s["losses"], c.loss_use * profit), 0)
        tax = jnp.maximum(c.tax_rate * (profit - offset), 0)
        receivables, payables_opex = c.receivable_months * revenue, c.payable_months_opex * opex
        payables_capex = c.payable_months_capex * capex
        available = ebitda - tax - (receivables - s["receivables"]) + payables_opex - s["payables_opex"]
        flow = available - interest + earned - capex + payables_capex - s["payables_capex"]
        cash = s["cash"] + flow + drawn - principal
        repaid = jnp.maximum(jnp.minimum(s["lack"], cash - c.min_cash), 0)
        cash -= repaid
        lack = s["lack"] - repaid + jnp.maximum(-cash, 0)
        cash = jnp.maximum(cash, 0)

        # Covenant.
        cfads = (s["cfads"][1], s["cfads"][2], available)
        service = (s["service"][1], s["service"][2], interest + principal)
        fails = (row["tested"] > 0) & (sum(cfads) < c.threshold * sum(service))
        return {
            "key": key, "regime": regime, "log_training": log_training, "log_inference": log_inference, "gap": gap,
            "log_supply": log_supply, "q": q, "cycle": cycle, "x_rate": x_rate, "rate": rate, "churn": churn,
            "log_power": log_power, "sold_share": sold_share, "delivered": delivered, "integral": integral, "end": ends,
            "loan": s["loan"] - principal + drawn, "undrawn": (s["undrawn"] - drawn) * row["still_draws"], "cash": cash,
            "lack": lack, "receivables": receivables, "payables_opex": payables_opex, "payables_capex": payables_capex,
            "losses": s["losses"] - offset + jnp.maximum(-profit, 0), "cfads": cfads, "service": service,
            "fcf": s["fcf"] + row["year"][:, None] * flow,
            "first_breach": jnp.minimum(s["first_breach"], jnp.where(fails, t, model.NEVER)),
            "least_liquidity": jnp.minimum(s["least_liquidity"], cash),
            "price": sum(o * price[i] for i, o in enumerate(online)) / sum(online),
        }, None  # fmt: skip

    @jax.jit
    def simulate(key: jax.Array) -> dict[str, jax.Array]:
        key, k_path, k_launch, k_stage = random.split(key, 4)
        e = random.normal(k_path, (4, n))
        launch = column(c.launch_planned) + delays(c.launch_delay, e[3], random.normal(k_launch, (len(c.launch_planned), n)))
        late = delays(c.stage_delay, e[3], random.normal(k_stage, (sites - 1, len(model.STAGES) + 1, n)))
        done = jnp.asarray(c.stage_planned)[..., None] + late[:, :-1]
        path = {
            "psi_training": jnp.exp(c.uncertainty_training * e[0] - 0.5 * c.uncertainty_training**2),
            "psi_inference": jnp.exp(c.uncertainty_inference * e[1] - 0.5 * c.uncertainty_inference**2),
            "xi": jnp.exp(c.ageing_uncertainty * e[2]),
            "launch": launch,
            "delivery": done[:, model.STAGES.index("gpu_delivery")],
            "ready": done.max(axis=1) + column(c.commissioning) + late[:, -1],
        }
        zero = full(0)
        state = {
            "key": key, "regime": jnp.full(n, c.start_regime, jnp.int32), "log_training": zero, "log_inference": zero,
            "gap": zero, "log_supply": zero, "q": full(c.start_tightness), "cycle": full(c.cycle_start), "x_rate": zero,
            "rate": zero, "churn": full(c.churn_start), "log_power": full(c.power_start),
            "sold_share": full(c.utilisation_start), "delivered": jnp.zeros((sites - 1, n)),
            "integral": jnp.zeros((sites - 1, n)), "end": [full(e) for e in c.contract_end], "loan": zero,
            "undrawn": full(c.commitment), "cash": full(c.cash), "lack": zero, "receivables": full(c.receivables),
            "payables_opex": full(c.payables_opex), "payables_capex": full(c.payables_capex), "losses": full(c.losses),
            "cfads": (zero,) * 3, "service": (zero,) * 3, "fcf": jnp.zeros((one_hot.shape[1], n)),
            "first_breach": full(model.NEVER), "least_liquidity": full(np.inf), "price": zero,
        }  # fmt: skip
        last, _ = lax.scan(partial(month, path), state, rows)
        return {k: last[k] for k in ("fcf", "first_breach", "least_liquidity", "price", "rate")}

    return simulate


def main() -> None:
    args = arguments(__doc__, threads=2)
    c = parameters(args)
    device = jax.devices()[0]
    chunk = min(args.paths, CHUNK["cpu" if device.platform == "cpu" else "gpu"])
    simulate = make_simulate(c, chunk)

    def run(k: int) -> dict[str, np.ndarray]:
        keys = random.split(random.key(args.seed + k), -(-args.paths // chunk))
        with ThreadPoolExecutor(args.threads) as pool:
            parts = list(pool.map(lambda key: jax.tree.map(np.asarray, simulate(key)), keys))
        return {k: np.concatenate([p[k] for p in parts], axis=-1)[..., : args.paths] for k in parts[0]}

    report = Report("jax", {"jax": jax.__version__}, threads=args.threads, device=device.device_kind, compiles=True)
    timing, results = timed(run, args.repeats)
    report.show(args, c, timing, results)


if __name__ == "__main__":
    main()
