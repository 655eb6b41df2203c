# SPDX-License-Identifier: Apache-2.0
"""The program and its peers on the cut of the model (cut.toml), in turn, A B A B, on the same number of threads.

    python3 bench/peers/compare.py [--paths 100000] [--rounds 5] [--peers numpy,numba,...] [--json FILE]

First every peer with every mechanism on plan against the program's plan; then rounds of ours and theirs; then, at a stated
rate of false alarms, whether the distributions of all rounds agree. A peer that disagrees gets no ratio, and the exit code is 1.

Every peer computes less than the program: 10 columns a path against 103, prices of 4 GPU types against 7, no by-month histograms
of 22 series, no identities, no balance sheet, no integer ledger, no spread, customer or backlog states, which the cut never asks for.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PEERS = ["numpy-plain", "numpy", "numba", "torch", "jax", "cupy", "numba-cuda", "quantlib-rates"]
NEEDS = {"numpy-plain": "scipy", "numpy": "scipy", "numba": "numba", "torch": "torch", "jax": "jax", "cupy": "cupy", "numba-cuda": "numba"}
CARD = {"cupy", "numba-cuda"}
FALSE_ALARM = 1e-4  # of all comparisons of a run together
PLAN_TOLERANCE = 0.05  # USD million; the program rounds each flow to 1,000 USD


def output(command: list[str], variables: dict[str, str] | None = None) -> str:
    environment = {**os.environ, **(variables or {})}
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment).stdout


def why_not(peer: str, quantlib: Path) -> str | None:
    """Why a peer cannot be measured here, or None."""
    if peer == "quantlib-rates":
        return None if quantlib.exists() else f"{quantlib} is not built; its first lines say how"
    check = [sys.executable, "-c", f"import {NEEDS[peer]}"]
    if subprocess.run(check, capture_output=True).returncode != 0:
        return f"{NEEDS[peer]} is not installed"
    if peer in CARD and subprocess.run(["sh", "-c", "nvidia-smi -L"], capture_output=True).returncode != 0:
        return "no card"
    return None


def run_peer(peer: str, arguments: list[str]) -> dict[str, Any]:
    return json.loads(output([sys.executable, str(HERE / f"{peer.replace('-', '_')}_peer.py"), *arguments]))


def first_answer(peer: str, arguments: list[str]) -> float:
    """Seconds of a whole process that runs once: imports, compilation into an empty cache, the run."""
    with tempfile.TemporaryDirectory() as empty:
        start = time.perf_counter()
        output([sys.executable, str(HERE / f"{peer.replace('-', '_')}_peer.py"), *arguments], {"TORCHINDUCTOR_CACHE_DIR": empty})
        return time.perf_counter() - start


def run_ours(headroom: Path, paths: int, threads: int, seed: int) -> dict[str, Any]:
    """Seconds of simulation and analysis and of the whole process, and the results as the peers state them."""
    with tempfile.TemporaryDirectory() as folder:
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        output([str(headroom), "run", str(HERE / "cut.toml"), "--paths", str(paths), "--threads", str(threads),
                "--seed", str(seed), "--out", folder])  # fmt: skip
        process, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        summary = json.loads((Path(folder) / "summary.json").read_text())
        monthly = [line.split(",") for line in (Path(folder) / "monthly.csv").read_text().splitlines()]
    run, results = summary["run"], summary["results"]

    def distribution(d: dict[str, Any]) -> dict[str, Any]:
        return {"mean": d["mean"], "sd": d["sd"], "quantiles": {p: q["value"] for p, q in d["quantiles"].items()},
                "errors": {p: (q["high"] - q["low"]) / 2 / 1.96 for p, q in d["quantiles"].items()}}  # fmt: skip

    def last(series: str) -> float:
        return float([row for row in monthly if row[0] == series][-1][monthly[0].index("mean")])

    return {
        "seconds": run["simulation_seconds"] + run["analysis_seconds"],
        "simulation_seconds": run["simulation_seconds"],
        "process_seconds": process,
        "processor_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "run": run,
        "violations": results["violated_identities"]["paths"],
        "results": {
            "years": [distribution(y["fcf_musd"]) for y in results["years"]],
            "total": distribution(results["fcf_musd"]["total"]),
            "breach": {str(w["months"]): w["value"] for w in results["covenants"][0]["breach"]["within"]},
            "least_liquidity": distribution(results["least_liquidity_musd"]),
            "price": last("market_price"),
            "rate": last("short_rate"),
            "plan_years": [y["fcf_musd"]["plan"] for y in results["years"]],
        },
    }


def z_scores(ours: dict[str, Any], theirs: dict[str, Any], paths: int) -> dict[str, float]:
    """Of every compared figure: the difference in standard errors of the difference; both sides have `paths` paths.

    A quantile's error is the program's own, from order statistics, and the peer's is the same; the ledger's rounding, 1,000
    USD, is added in quadrature. Standard deviations: the error of a normal's, times two for heavy tails.
    """
    out: dict[str, float] = {}
    unit = 0.001

    def compare(name: str, a: dict[str, Any], b: dict[str, Any]) -> None:
        error = math.sqrt((a["sd"] ** 2 + b["sd"] ** 2) / paths)
        out[f"{name} mean"] = (b["mean"] - a["mean"]) / math.hypot(error, unit)
        out[f"{name} sd"] = (b["sd"] - a["sd"]) / (2 * a["sd"] / math.sqrt(paths))
        for p, value in b["quantiles"].items():
            out[f"{name} {p}"] = (value - a["quantiles"][p]) / math.hypot(math.sqrt(2) * a["errors"][p], unit)

    for i, (a, b) in enumerate(zip(ours["years"], theirs["years"], strict=True)):
        compare(f"FCF of year {i}", a, b)
    compare("FCF", ours["total"], theirs["total"])
    compare("least liquidity", ours["least_liquidity"], theirs["least_liquidity"])
    for months, p in theirs["breach"].items():
        pooled = (p + ours["breach"][months]) / 2
        error = math.sqrt(2 * pooled * (1 - pooled) / paths)
        out[f"breach within {months}"] = (p - ours["breach"][months]) / error if error > 0 else 0.0
    for name, step in (("price", 1e-4), ("rate", 1e-4)):  # reported in steps of 1e-4, rounding errors average out
        error = math.hypot(theirs[name]["sd"] * math.sqrt(2 / paths), step / math.sqrt(paths))
        out[f"last {name}"] = (theirs[name]["mean"] - ours[name]) / error
    return out


def combined(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], paths: int) -> dict[str, float]:
    """z scores of all rounds together; each round of either side has draws of its own."""
    rounds = [z_scores(a["results"], b["results"], paths) for a, b in zip(ours, theirs, strict=True)]
    return {name: sum(z[name] for z in rounds) / math.sqrt(len(rounds)) for name in rounds[0]}


def median_range(seconds: list[float], paths: int) -> dict[str, float]:
    """Seconds per million paths."""
    scaled = [1e6 / paths * s for s in seconds]
    return {"median": statistics.median(scaled), "min": min(scaled), "max": max(scaled)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--headroom", type=Path, default=ROOT / "build/release/headroom")
    parser.add_argument("--quantlib", type=Path, default=ROOT / "build/quantlib_rates")
    parser.add_argument("--paths", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="of a peer in a round, after its first, which compiles")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--no-first", action="store_true", help="leave out the time to a first answer with an empty cache")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    named = args.peers.split(",")
    not_measured = {p: why for p in named if (why := why_not(p, args.quantlib))}
    peers = [p for p in named if p not in not_measured and p != "quantlib-rates"]

    plan = run_ours(args.headroom, 1000, args.threads, 1)["results"]["plan_years"]
    plan_differences = {}
    for peer in peers:
        own = run_peer(peer, ["--plan", "--paths", "1000", "--threads", str(args.threads)])["results"]["years"]
        plan_differences[peer] = max(abs(a - b["mean"]) for a, b in zip(plan, own, strict=True))
        print(f"plan, {peer}: at most {plan_differences[peer]:.3f} USD million of a year's FCF off", file=sys.stderr)

    ours: list[dict[str, Any]] = []
    theirs: dict[str, list[dict[str, Any]]] = {p: [] for p in peers}
    first: dict[str, list[float]] = {p: [] for p in peers}
    rates: list[dict[str, Any]] = []
    for k in range(args.rounds):
        for peer in peers:
            ours.append(run_ours(args.headroom, args.paths, args.threads, 1000 + len(ours)))
            options = {"--paths": args.paths, "--threads": args.threads, "--seed": 100 * k + 1, "--repeats": args.repeats}
            theirs[peer].append(run_peer(peer, [str(x) for pair in options.items() for x in pair]))
            options["--repeats"] = 0
            if not args.no_first:
                first[peer].append(first_answer(peer, [str(x) for pair in options.items() for x in pair]))
            print(f"round {k + 1}: ours {ours[-1]['seconds']:.2f} s, {peer} {theirs[peer][-1]['seconds']:.2f} s", file=sys.stderr)
        if "quantlib-rates" in named and "quantlib-rates" not in not_measured:
            rates.append(json.loads(output([str(args.quantlib), str(args.paths), str(args.repeats)])))

    scores = {p: combined(ours[i :: len(peers)], theirs[p], args.paths) for i, p in enumerate(peers)}
    comparisons = sum(len(z) for z in scores.values())
    limit = statistics.NormalDist().inv_cdf(1 - FALSE_ALARM / 2 / max(comparisons, 1))
    run = ours[0]["run"]
    own = median_range([x["seconds"] for x in ours], args.paths)
    months = theirs[peers[0]][0]["months"] if peers else 60
    table: list[dict[str, Any]] = [
        {"name": "headroom", "version": f"{run['version']} ({run['commit']})", **own, "months": months,
         "simulation": median_range([x["simulation_seconds"] for x in ours], args.paths),
         "processor": median_range([x["processor_seconds"] for x in ours], args.paths), "processor_ratio": 1.0, "best_ratio": 1.0,
         "process": median_range([x["process_seconds"] for x in ours], args.paths), "ratio": 1.0,
         "first_answer_seconds": statistics.median(x["process_seconds"] for x in ours)}
    ]  # fmt: skip
    for peer, runs in theirs.items():
        worst = max(scores[peer], key=lambda name: abs(scores[peer][name]))
        agrees = abs(scores[peer][worst]) < limit and plan_differences[peer] < PLAN_TOLERANCE
        each = median_range([x["seconds"] for x in runs], args.paths)
        processor = median_range([x["processor_seconds"] for x in runs], args.paths)
        table.append(
            {"name": peer, "version": " ".join(f"{n} {v}" for n, v in runs[0]["versions"].items()), **each, "months": months,
             "device": runs[0]["device"], "threads": runs[0]["threads"], "worst": worst, "worst_z": scores[peer][worst],
             "plan_difference_musd": plan_differences[peer], "agrees": agrees,
             "compile_seconds": statistics.median(x["compile_seconds"] or 0.0 for x in runs),
             "first_answer_seconds": statistics.median(first[peer] or [math.nan]),
             "ratio": each["median"] / own["median"] if agrees else None,
             "best_ratio": each["min"] / own["min"] if agrees else None, "processor": processor,
             "processor_ratio": processor["median"] / table[0]["processor"]["median"] if agrees else None}
        )  # fmt: skip

    print(f"\nThe cut, {args.paths:,} paths of {months} months, {args.threads} threads, {args.rounds} rounds, A B A B")
    print(f"{'':12}{'s per million':>14}{'min':>8}{'max':>8}{'path-months/s':>15}{'to ours':>9}{'best':>7}{'CPU s':>8}{'to ours':>9}{'compile, s':>12}{'first, s':>10}")
    for row in table:
        ratios = [f"{row[r]:.2f}" if row[r] else "differs" for r in ("ratio", "best_ratio", "processor_ratio")]
        compile_s = f"{row['compile_seconds']:.1f}" if row.get("compile_seconds") else "-"
        print(f"{row['name']:12}{row['median']:14.2f}{row['min']:8.2f}{row['max']:8.2f}{1e6 * months / row['median']:15,.0f}"
              f"{ratios[0]:>9}{ratios[1]:>7}{row['processor']['median']:8.2f}{ratios[2]:>9}{compile_s:>12}{row['first_answer_seconds']:10.2f}  {row['version']}")  # fmt: skip
    print("  s per million paths on the clock, CPU s of all threads (steadier on a shared machine); to ours: theirs over ours,\n"
          "  above 1 ours is faster; first: a whole process that runs once; best: of the least of both. Ours is simulation and analysis, its CPU s of the whole process, which takes "
          f"{table[0]['process']['median']:.2f} s.")  # fmt: skip
    for row in table[1:]:
        print(f"{row['name']:12}{'agrees' if row['agrees'] else 'DIFFERS'}: worst z {row['worst_z']:+.2f} ({row['worst']}), plan "
              f"within {row['plan_difference_musd']:.3f} USD million")  # fmt: skip
    for peer, why in not_measured.items():
        print(f"{peer:16}not measured ({why})")
    for each in rates[:1]:
        seconds = median_range([x["seconds"] for x in rates], args.paths)
        worst_rate = max((x["results"][z] for x in rates for z in ("z_mean", "z_variance")), key=abs)
        print(f"QuantLib {each['versions']['QuantLib']}, rate paths alone, 1 thread: {seconds['median']:.2f} s per million "
              f"({seconds['min']:.2f}-{seconds['max']:.2f}), z against the closed form at most {worst_rate:+.2f}")  # fmt: skip
    print(f"{comparisons} comparisons, |z| under {limit:.2f} each: a false alarm in {1 / FALSE_ALARM:,.0f} runs")

    if args.json:
        cpu = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
        args.json.write_text(json.dumps({
            "date": datetime.date.today().isoformat(),
            "command": " ".join(sys.argv),
            "commit": run["commit"],
            "machine": {"cpu": cpu[:1], "cores": len(cpu), "system": platform.platform(), "python": platform.python_version(),
                        "load": Path("/proc/loadavg").read_text().split()[:3]},
            "paths": args.paths, "rounds": args.rounds, "repeats": args.repeats, "threads": args.threads,
            "false_alarm": FALSE_ALARM, "comparisons": comparisons, "limit": limit,
            "table": table, "not_measured": not_measured, "rates": rates, "z": scores,
            "ours": ours, "theirs": theirs, "first_answer_seconds": first,
        }, indent=1) + "\n")  # fmt: skip
    return 0 if all(row.get("agrees", True) for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
