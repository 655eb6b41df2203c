# SPDX-License-Identifier: Apache-2.0
"""The cut in Numba on a card: one thread a path, xoroshiro128p normals, the scalar code of path.py.

NUMBA_ENABLE_CUDASIM=1 runs it, slowly, without a card.
"""

from __future__ import annotations

import os
from typing import Any

import numba
import numpy as np
from numba import cuda
from numba.cuda.random import create_xoroshiro128p_states, xoroshiro128p_normal_float32, xoroshiro128p_uniform_float32

import cut as model
import path as paths
from bench import Report, arguments, parameters, timed

THREADS = 128  # a block


def main() -> None:
    args = arguments(__doc__, threads=1)
    c = parameters(args)
    simulated = bool(os.environ.get("NUMBA_ENABLE_CUDASIM"))
    jit = cuda.jit(device=True) if simulated else cuda.jit(device=True, fastmath=True)

    @jit
    def normals(states, i, z):  # noqa: ANN001, ANN202
        for k in range(len(z)):
            z[k] = xoroshiro128p_normal_float32(states, i)

    one_path = paths.make_path(c, jit, normals, xoroshiro128p_uniform_float32)
    size = paths.scratch_size(c)

    @cuda.jit
    def kernel(p, states, out):  # noqa: ANN001, ANN202
        i = cuda.grid(1)
        if i < out.shape[0]:
            scratch = cuda.local.array(size, numba.float32)
            one_path(p[0], states, i, scratch, out[i])

    p = cuda.to_device(paths.record(c))
    out = cuda.device_array((args.paths, int(c.year[-1]) + 1 + paths.OUT), np.float32)

    def run(k: int) -> dict[str, Any]:
        states = create_xoroshiro128p_states(args.paths, seed=args.seed + k)
        kernel[-(-args.paths // THREADS), THREADS](p, states, out)
        return paths.columns(out.copy_to_host())

    device = "cudasim" if simulated else cuda.get_current_device().name.decode()
    report = Report("numba-cuda", {"numba": numba.__version__}, threads=1, device=device, compiles=True)
    timing, results = timed(run, args.repeats)
    report.show(args, c, timing, results)


if __name__ == "__main__":
    main()
