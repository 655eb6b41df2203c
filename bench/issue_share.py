# SPDX-License-Identifier: Apache-2.0
"""How much of what a core can issue the simulation of a path takes: instructions a second of the program, by those of a loop in
which nothing waits for anything (`issue_limit` of micro_bench.cpp), measured in turn, A B A B, on one thread.

    cmake --workflow --preset bench && python3 bench/issue_share.py [--rounds 5] [--json FILE]

Instructions are counted by callgrind (Debian's valgrind), so no hardware counters are needed: of the AVX2 lanes, which valgrind
can run, in the simulation alone, as the difference of two runs. The clock of a shared machine moves, and with it both rates.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FEW, MANY = 512, 3072  # whole blocks
WORK = "*CpuBackend::simulate*lambda*operator()*"  # what a thread does; simulate() itself would toggle twice


def run(program: Path, config: str, paths: int, out: str, prefix: list[str]) -> str:
    command = [str(program), "run", str(ROOT / "configs" / f"{config}.toml"), "--paths", str(paths), "--backend", "cpu"]
    command += ["--threads", "1", "--isa", "avx2", "--out", out]
    return subprocess.run(prefix + command, capture_output=True, text=True, check=True).stderr


def instructions(program: Path, config: str, out: str) -> float:
    """That one path takes."""
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--toggle-collect={WORK}"]
    counts = [int(re.findall(r"Collected : (\d+)", run(program, config, n, out, tool))[0]) for n in (FEW, MANY)]
    if counts[1] == counts[0]:
        raise SystemExit(f"callgrind counted nothing: no function of {program} is called {WORK}")
    return (counts[1] - counts[0]) / (MANY - FEW)


def seconds(program: Path, config: str, paths: int, out: str) -> tuple[float, int]:
    """Of the simulation; and the months of a path."""
    run(program, config, paths, out, [])
    summary = json.loads((Path(out) / "summary.json").read_text())
    return summary["run"]["simulation_seconds"], summary["results"]["months"]


def limit(micro: Path) -> float:
    """Instructions a second."""
    command = [str(micro), "--benchmark_filter=issue_limit", "--benchmark_min_time=0.3", "--benchmark_format=json"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return report["benchmarks"][0]["items_per_second"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "bench", help="folder of headroom and headroom_bench")
    parser.add_argument("--configs", nargs="+", default=["demo", "nebius-1q26", "coreweave-1q26"])
    parser.add_argument("--paths", type=int, default=51200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    program, micro = args.build / "headroom", args.build / "headroom_bench"

    rows = []
    print(f"{'':16}{'instructions':>14}{'a':>12}{'ns a':>12}{'G/s':>8}{'limit':>8}{'share of the limit':>20}")
    print(f"{'':16}{'a path':>14}{'path-month':>12}{'path-month':>12}{'':8}{'G/s':>8}{'median':>10}{'min':>5}{'max':>5}")
    with tempfile.TemporaryDirectory() as out:
        for config in args.configs:
            count = instructions(program, config, out)
            rounds = []
            for _ in range(args.rounds):
                before = limit(micro)
                took, months = seconds(program, config, args.paths, out)
                rounds.append({"seconds": took, "limit_per_second": (before + limit(micro)) / 2})
            rates = [count * args.paths / each["seconds"] for each in rounds]
            shares = [rate / each["limit_per_second"] for rate, each in zip(rates, rounds)]
            rows.append({"config": config, "months": months, "paths": args.paths, "instructions_a_path": count, "rounds": rounds})
            month_ns = statistics.median(each["seconds"] for each in rounds) / args.paths / months * 1e9
            top = statistics.median(each["limit_per_second"] for each in rounds)
            print(
                f"{config:16}{count:14,.0f}{count / months:12,.0f}{month_ns:12.0f}{statistics.median(rates) / 1e9:8.1f}{top / 1e9:8.1f}"
                f"{statistics.median(shares):10.0%}{min(shares):5.0%}{max(shares):5.0%}",
                flush=True,
            )
    if args.json:
        context = {
            "program": subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True).stdout.strip(),
            "processor": re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[0],
            "command": ["bench/issue_share.py", *sys.argv[1:]],
        }
        args.json.write_text(json.dumps({"context": context, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
