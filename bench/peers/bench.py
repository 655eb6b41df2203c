"""What all peers share beside the model: arguments, timing and the JSON object that they print."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
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


def timed(run: Callable[[int], dict[str, Any]], repeats: int) -> tuple[list[float], dict[str, Any]]:
    """Seconds of each run, the first of which also compiles and warms up, and the columns of the last."""
    seconds = []
    columns: dict[str, Any] = {}
    for k in range(1 + repeats):
        start = time.perf_counter()
        columns = run(k)
        seconds.append(time.perf_counter() - start)
    return seconds, columns


@dataclass
class Report:
    peer: str
    versions: dict[str, str]
    threads: int
    device: str = "cpu"
    compiles: bool = False

    def show(self, args: argparse.Namespace, c: model.Cut, seconds: list[float], columns: dict[str, Any]) -> None:
        warm = statistics.median(seconds[1:])
        found = {
            "peer": self.peer,
            "paths": args.paths,
            "months": c.months,
            "seconds": warm,
            "compile_seconds": max(seconds[0] - warm, 0.0) if self.compiles else None,
            "repeats": args.repeats,
            "versions": self.versions,
            "threads": self.threads,
            "device": self.device,
            "results": model.summary(columns),
        }
        print(json.dumps(found, indent=1))
