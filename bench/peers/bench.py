# SPDX-License-Identifier: Apache-2.0
"""What all peers share beside the model: arguments, timing and the JSON object that they print."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cut as model


def arguments(doc: str | None, threads: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=1, help="timed runs after one that warms up")
    parser.add_argument("--threads", type=int, default=threads)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plan", action="store_true", help="every mechanism on plan: all paths are the plan")
    return parser.parse_args()


def parameters(args: argparse.Namespace) -> model.Cut:
    c = model.load()
    return c.plan() if args.plan else c


def processor_seconds() -> float:
    """Of all threads of this process and of the workers that it has."""
    total = time.process_time()
    for child in multiprocessing.active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system
    return total


@dataclass
class Timing:
    """Seconds on the clock and of the processors, of each run; the first also compiles and warms up."""

    wall: list[float]
    processor: list[float]


def timed(run: Callable[[int], dict[str, Any]], repeats: int) -> tuple[Timing, dict[str, Any]]:
    """Of 1 + repeats runs, from parameters to cut.summary() of the columns that run(k) gives; and the last summary."""
    timing = Timing([], [])
    results: dict[str, Any] = {}
    for k in range(1 + repeats):
        wall, processor = time.perf_counter(), processor_seconds()
        results = model.summary(run(k))
        timing.wall.append(time.perf_counter() - wall)
        timing.processor.append(processor_seconds() - processor)
    return timing, results


@dataclass
class Report:
    peer: str
    versions: dict[str, str]
    threads: int
    device: str = "cpu"
    compiles: bool = False

    def show(self, args: argparse.Namespace, c: model.Cut, timing: Timing, results: dict[str, Any]) -> None:
        warm = statistics.median(timing.wall[1:] or timing.wall)  # of the only run, if there was no other
        found = {
            "peer": self.peer,
            "paths": args.paths,
            "months": c.months,
            "seconds": warm,
            "processor_seconds": statistics.median(timing.processor[1:] or timing.processor),
            "compile_seconds": max(timing.wall[0] - warm, 0.0) if self.compiles else None,
            "repeats": args.repeats,
            "versions": self.versions,
            "threads": self.threads,
            "device": self.device,
            "results": results,
        }
        print(json.dumps(found, indent=1))
