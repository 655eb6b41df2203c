# SPDX-License-Identifier: Apache-2.0
"""The cut in Numba on the CPU: one path after the other, blocks of paths in parallel, fastmath, float32.

Each block has its own xoroshiro128+ state; normals by Box-Muller, both of each pair used. Lanes of paths in inner loops are
not tried: PyPI's llvmlite has no SVML, so exp and log would stay scalar.
"""

from __future__ import annotations

import math

import numba
import numpy as np

import cut as model
import path as paths
from bench import Report, arguments, parameters, timed

BLOCK = 512  # paths
F = np.float32
jit = numba.njit(fastmath=True, error_model="numpy")


@jit
def next_word(states: np.ndarray, i: int) -> int:
    """xoroshiro128+ (Blackman, Vigna); 64 bits."""
    a, b = states[i, 0], states[i, 1]
    word = a + b
    b ^= a
    states[i, 0] = ((a << np.uint64(24)) | (a >> np.uint64(40))) ^ b ^ (b << np.uint64(16))
    states[i, 1] = (b << np.uint64(37)) | (b >> np.uint64(27))
    return word


@jit
def uniform(states: np.ndarray, i: int) -> float:
    return F(next_word(states, i) >> np.uint64(40)) * F(2.0**-24)


@jit
def normals(states: np.ndarray, i: int, z: np.ndarray) -> None:
    for k in range(0, len(z), 2):
        word = next_word(states, i)
        radius = math.sqrt(F(-2) * math.log((F(word >> np.uint64(40)) + F(0.5)) * F(2.0**-24)))
        angle = F((word >> np.uint64(8)) & np.uint64(0xFFFFFF)) * F(2.0 * math.pi * 2.0**-24)
        z[k] = radius * math.cos(angle)
        if k + 1 < len(z):
            z[k + 1] = radius * math.sin(angle)


def make_run(c: model.Cut):  # noqa: ANN201
    one_path = paths.make_path(c, jit, normals, uniform)
    size = paths.scratch_size(c)

    @numba.njit(parallel=True, fastmath=True, error_model="numpy")
    def run(parameters, states, out):  # noqa: ANN001, ANN202
        for block in numba.prange(len(states)):
            scratch = np.empty(size, np.float32)
            for i in range(block * BLOCK, min((block + 1) * BLOCK, len(out))):
                one_path(parameters[0], states, block, scratch, out[i])

    return run


def main() -> None:
    args = arguments(__doc__, threads=2)
    numba.set_num_threads(args.threads)
    c = parameters(args)
    run, p = make_run(c), paths.record(c)
    out = np.empty((args.paths, int(c.year[-1]) + 1 + paths.OUT), np.float32)

    def once(k: int) -> dict[str, np.ndarray]:
        states = np.random.SeedSequence(args.seed + k).generate_state(2 * -(-args.paths // BLOCK), np.uint64)
        run(p, states.reshape(-1, 2), out)
        return paths.columns(out)

    report = Report("numba", {"numba": numba.__version__, "numpy": np.__version__}, threads=args.threads, compiles=True)
    timing, results = timed(once, args.repeats)
    report.show(args, c, timing, results)


if __name__ == "__main__":
    main()
