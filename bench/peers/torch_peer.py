# SPDX-License-Identifier: Apache-2.0
"""The cut in PyTorch: the month one function under torch.compile, where Inductor fuses it; the months a Python loop.

float32, no gradients; what depends on the month alone is a 0-d tensor, so that one compiled graph serves all months.
Normals are drawn outside the graph. On a CPU two processes of one thread each share chunks of paths: OpenMP inside a chunk
waits at every kernel's end, and Python threads wait for the GIL. On a card the chunk is all that fits. TORCH_EAGER=1 runs
the same function without the compiler.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import torch

import cut as model
from bench import Report, arguments, parameters, timed

CHUNK = {"cpu": 8192, "cuda": 1 << 20}  # paths
State = dict[str, torch.Tensor]


def delays(at: Any, d: model.Delays, systemic: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Months of delay; own: standard normals, [..., paths], one row a delay."""
    column = lambda x: at(x)[..., None]  # noqa: E731
    y = column(d.systemic) * systemic + column(d.own) * own
    tail = (torch.special.ndtr(-y) / column(d.p_late)).clamp(1e-9, 1 - 2.0**-24)
    late = column(d.earliest) + torch.exp(column(d.mu) - column(d.sigma) * torch.special.ndtri(tail))
    return torch.where(y <= column(d.z_on), 0.0, late)


def make_simulate(c: model.Cut, n: int, device: torch.device):  # noqa: ANN201
    at = lambda x: torch.as_tensor(x, device=device)  # noqa: E731
    column = lambda x: at(x)[:, None]  # noqa: E731
    full = lambda x: torch.full((n,), float(x), device=device)  # noqa: E731
    sites, contracts, factors = len(c.gpus), len(c.contract_site), len(model.FACTORS)
    numbers = lambda x: [float(v) for v in x]  # noqa: E731
    names = ("tested", "growth_training", "growth_inference", "supply_growth", "rate_base", "ageing", "running_online", "dated",
             "standing", "prelaunch_from", "run_off", "draws", "per_payment")
    table = {
        "t": at(np.arange(1, c.months + 1, dtype=np.float32)),
        "still_draws": at(np.append(c.draws[1:], 0).astype(np.float32)),
        **{k: at(getattr(c, k)) for k in names},
    }
    rows = [{k: v[m] for k, v in table.items()} for m in range(c.months)]
    cholesky, effect, launch_ramp = at(c.cholesky), at(c.launch_effect), column(c.launch_ramp)
    log_price, floor, ramp, delivery_share = column(c.log_price), column(c.floor), column(c.ramp[1:]), column(c.delivery_share)
    capex_left, running_cost, prelaunch = column(c.capex_left), column(c.running_cost), column(c.prelaunch)
    depreciation_full = column(c.depreciation)
    cumulative, shift, cycle_mean, cycle_sd = [numbers(r) for r in c.cumulative], numbers(c.shift), numbers(c.cycle_mean), numbers(c.cycle_sd)
    gpus, idle, power_fixed, power_floating = numbers(c.gpus), numbers(c.idle), numbers(c.power_fixed), numbers(c.power_floating)
    deals = list(zip(c.contract_site.tolist(), *(numbers(x) for x in (c.contract_gpus, c.contract_start, c.contract_fee, c.fixed_part, c.usage_part, c.term))))
    never = float(model.NEVER)

    def month(path: State, s: State, row: State, e: torch.Tensor, u: torch.Tensor) -> State:
        t = row["t"]
        # Market.
        z = cholesky @ e[:factors]
        old = s["regime"]
        by_regime = lambda values, r: torch.where(r == 0, values[0], torch.where(r == 1, values[1], values[2]))  # noqa: E731
        low, high = (by_regime(row_of, old) for row_of in cumulative)
        regime = (u[0] >= low).float() + (u[0] >= high).float()
        step = by_regime(shift, regime)
        jump = torch.where(u[1:] < c.jump_probability, c.jump_mean + c.jump_sd * e[factors:], 0.0)
        log_training = s["log_training"] + (
            path["psi_training"] * row["growth_training"] + step + c.drift_training + c.sigma_training * z[0] + jump[0]
        )
        log_inference = s["log_inference"] + (
            path["psi_inference"] * row["growth_inference"] + step + c.drift_inference + c.sigma_inference * z[1] + jump[1]
        )
        gap = s["gap"] + (c.response * s["q"] - s["gap"]) * c.lag
        log_supply = s["log_supply"] + gap / 12 + row["supply_growth"]
        demand = c.training_share * torch.exp(log_training) + (1 - c.training_share) * torch.exp(log_inference)
        q = c.start_tightness + torch.log(demand) - log_supply
        mean = c.pull * q + by_regime(cycle_mean, regime)
        cycle = mean + c.cycle_decay * (s["cycle"] - mean) + by_regime(cycle_sd, regime) * z[2]
        x_rate = c.rate_decay * s["x_rate"] + c.rate_sd * z[3]
        rate = row["rate_base"] + x_rate
        churn = c.churn_decay * s["churn"] + c.churn_sd * z[4]
        log_power = c.power_decay * s["log_power"] + c.power_sd * z[5]
        kept = s["sold_share"] * (1 - (c.attrition * torch.exp(churn)).clamp(max=1))
        bookings = c.bookings_max * torch.sigmoid(c.bookings_alpha + c.bookings_beta * q)
        sold_share = kept + torch.minimum(bookings, 1 - kept)
        usage = torch.sigmoid(c.usage_alpha + c.usage_beta * q)
        progress = torch.clip((t - path["launch"]) / launch_ramp, 0, 1)
        drop = effect @ progress + row["ageing"][:, None] * path["xi"]
        price = torch.maximum(torch.exp(log_price + cycle - c.cycle_start - drop), floor)

        # Sites.
        delivered = torch.clip((t - path["delivery"]) / ramp, 0, 1)
        capex_share = row["dated"][:, None] + delivery_share * (delivered - s["delivered"])
        capex = (capex_left * capex_share).sum(0)
        age = (t - path["ready"]).clamp(min=0)
        ramping = torch.minimum(age, ramp)
        integral = age - ramping + ramping * ramping * (0.5 / ramp)
        share = integral - s["integral"]
        before = torch.clip(torch.minimum(t, path["ready"]) - row["prelaunch_from"][:, None], 0, 1)
        opex = row["standing"] + (running_cost * share + prelaunch * before).sum(0)
        depreciation = (depreciation_full * share).sum(0)
        online = [row["running_online"].expand(n)] + [gpus[i + 1] * share[i] for i in range(sites - 1)]
        left_end = [online[0]] + [gpus[i + 1] * (ramping[i] / ramp[i]) for i in range(sites - 1)]
        left = list(online)

        # Contracts in order of priority, then the pool.
        revenue, ends = 0.0, []
        for k in range(contracts):
            (i, wanted, start, fee, take, use, term), end = deals[k], s["end"][k]
            part = torch.clip(end - (t - 1), 0, 1)
            served = torch.where(t > start, torch.minimum(wanted * part, left[i]), 0.0)
            left[i] = left[i] - served
            revenue += served * fee * (take + use * usage)
            served_end = torch.where((t >= start) & (part > 0), left_end[i].clamp(max=wanted), 0.0)
            left_end[i] = left_end[i] - served_end
            ends.append(torch.where((end == never) & (served_end >= 0.999 * wanted), t + term, end))
        power_level = torch.exp(log_power)
        for i in range(sites):
            sold = left[i] * sold_share
            used = online[i] - left[i] + sold
            revenue += sold * price[i] * (c.premium * model.HOURS / 1e3)
            energised = (used + idle[i] * (online[i] - used)) / gpus[i]
            opex += energised * (power_fixed[i] + power_floating[i] * power_level)

        # Debt.
        coupon = c.hedged * c.swap + (1 - c.hedged) * rate.clamp(min=c.rate_floor) + c.spread
        interest = (s["loan"] * coupon + s["undrawn"] * c.commitment_fee) / 12 + c.notes_interest
        principal = s["loan"] * row["per_payment"]
        drawn = row["draws"] * torch.minimum(c.advance * capex, s["undrawn"])
        interest += c.upfront * drawn

        # Income, cash.
        opex += c.sga_fixed + c.sga_share * revenue
        ebitda = revenue - opex
        earned = s["cash"] * rate * (c.cash_yield / 12)
        profit = ebitda - (interest - earned) - depreciation - c.stock_compensation - row["run_off"]
        offset = torch.minimum(s["losses"], c.loss_use * profit).clamp(min=0)
        tax = (c.tax_rate * (profit - offset)).clamp(min=0)
        receivables, payables_opex = c.receivable_months * revenue, c.payable_months_opex * opex
        payables_capex = c.payable_months_capex * capex
        available = ebitda - tax - (receivables - s["receivables"]) + payables_opex - s["payables_opex"]
        flow = available - interest + earned - capex + payables_capex - s["payables_capex"]
        cash = s["cash"] + flow + drawn - principal
        repaid = torch.minimum(s["lack"], cash - c.min_cash).clamp(min=0)
        cash -= repaid
        lack = s["lack"] - repaid + (-cash).clamp(min=0)
        cash = cash.clamp(min=0)

        # Covenant.
        cfads = [s["cfads"][1], s["cfads"][2], available]
        service = [s["service"][1], s["service"][2], interest + principal]
        fails = (row["tested"] > 0) & (sum(cfads) < c.threshold * sum(service))
        return {
            "regime": regime, "log_training": log_training, "log_inference": log_inference, "gap": gap,
            "log_supply": log_supply, "q": q, "cycle": cycle, "x_rate": x_rate, "rate": rate, "churn": churn,
            "log_power": log_power, "sold_share": sold_share, "delivered": delivered, "integral": integral, "end": ends,
            "loan": s["loan"] - principal + drawn, "undrawn": (s["undrawn"] - drawn) * row["still_draws"], "cash": cash,
            "lack": lack, "receivables": receivables, "payables_opex": payables_opex, "payables_capex": payables_capex,
            "losses": s["losses"] - offset + (-profit).clamp(min=0), "cfads": cfads, "service": service,
            "flow": flow,
            "first_breach": torch.minimum(s["first_breach"], torch.where(fails, t, never)),
            "least_liquidity": torch.minimum(s["least_liquidity"], cash),
            "price": sum(o * price[i] for i, o in enumerate(online)) / sum(online),
        }  # fmt: skip

    step = month if os.environ.get("TORCH_EAGER") else torch.compile(month)

    @torch.no_grad()
    def simulate() -> dict[str, np.ndarray]:
        normals = lambda *shape: torch.randn(shape, device=device)  # noqa: E731
        z = normals(4, n)
        late = delays(at, c.stage_delay, z[3], normals(sites - 1, len(model.STAGES) + 1, n))
        done = at(c.stage_planned)[..., None] + late[:, :-1]
        path = {
            "psi_training": torch.exp(c.uncertainty_training * z[0] - 0.5 * c.uncertainty_training**2),
            "psi_inference": torch.exp(c.uncertainty_inference * z[1] - 0.5 * c.uncertainty_inference**2),
            "xi": torch.exp(c.ageing_uncertainty * z[2]),
            "launch": column(c.launch_planned) + delays(at, c.launch_delay, z[3], normals(len(c.launch_planned), n)),
            "delivery": done[:, model.STAGES.index("gpu_delivery")].contiguous(),
            "ready": done.amax(1) + column(c.commissioning) + late[:, -1],
        }
        zeros = lambda: full(0)  # noqa: E731
        state = {
            "regime": full(c.start_regime), "log_training": zeros(), "log_inference": zeros(), "gap": zeros(),
            "log_supply": zeros(), "q": full(c.start_tightness), "cycle": full(c.cycle_start), "x_rate": zeros(),
            "rate": zeros(), "churn": full(c.churn_start), "log_power": full(c.power_start),
            "sold_share": full(c.utilisation_start), "delivered": torch.zeros((sites - 1, n), device=device),
            "integral": torch.zeros((sites - 1, n), device=device), "end": [full(e) for e in c.contract_end], "loan": zeros(),
            "undrawn": full(c.commitment), "cash": full(c.cash), "lack": zeros(), "receivables": full(c.receivables),
            "payables_opex": full(c.payables_opex), "payables_capex": full(c.payables_capex), "losses": full(c.losses),
            "cfads": [zeros() for _ in range(3)], "service": [zeros() for _ in range(3)], "flow": zeros(),
            "first_breach": full(never), "least_liquidity": full(np.inf), "price": zeros(),
        }  # fmt: skip
        fcf = torch.zeros((int(c.year[-1]) + 1, n), device=device)
        e, u = torch.empty((factors + 2, n), device=device), torch.empty((3, n), device=device)
        for m, row in enumerate(rows):
            state = step(path, state, row, e.normal_(), u.uniform_())
            fcf[c.year[m]] += state["flow"]
        last = {"fcf": fcf, **{k: state[k] for k in ("first_breach", "least_liquidity", "price", "rate")}}
        return {k: v.cpu().numpy() for k, v in last.items()}

    return simulate


worker: dict[str, Any] = {}  # of a process: its simulate()


def start_worker(c: model.Cut, n: int, device: torch.device) -> None:
    torch.set_num_threads(1)
    worker["simulate"] = make_simulate(c, n, device)


def simulate_chunk(seed: int) -> dict[str, np.ndarray]:
    torch.manual_seed(seed)
    return worker["simulate"]()


def main() -> None:
    args = arguments(__doc__, threads=2)
    c = parameters(args)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    chunk = min(args.paths, CHUNK[device.type])
    chunks = -(-args.paths // chunk)
    context = multiprocessing.get_context("fork") if device.type == "cpu" else None
    pool = ProcessPoolExecutor(args.threads, context, start_worker, (c, chunk, device)) if context else None
    if pool is None:
        start_worker(c, chunk, device)

    def run(k: int) -> dict[str, np.ndarray]:
        seeds = range((args.seed + k) * chunks, (args.seed + k + 1) * chunks)
        parts = list((pool.map if pool else map)(simulate_chunk, seeds))
        return {k: np.concatenate([p[k] for p in parts], axis=-1)[..., : args.paths] for k in parts[0]}

    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    report = Report("torch", {"torch": torch.__version__}, threads=args.threads, device=name, compiles=True)
    timing, results = timed(run, args.repeats)
    report.show(args, c, timing, results)


if __name__ == "__main__":
    main()
