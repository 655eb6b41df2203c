# SPDX-License-Identifier: Apache-2.0
"""The cut in CuPy: the array code of numpy_peer.py on a card, all paths of a chunk at once, Philox normals in float32."""

from __future__ import annotations

from typing import Any

import cupy
import cupyx.scipy.special
import numpy as np

import cut as model
from bench import Report, arguments, parameters, timed
from numpy_peer import simulate

CHUNK = 1 << 20  # paths


def main() -> None:
    args = arguments(__doc__, threads=1)
    c = parameters(args)
    sizes = [min(CHUNK, args.paths - first) for first in range(0, args.paths, CHUNK)]

    def run(k: int) -> dict[str, Any]:
        rng = cupy.random.Generator(cupy.random.Philox4x3210(args.seed + k))
        parts = [simulate(c, size, rng, cupy, cupyx.scipy.special) for size in sizes]
        return {name: np.concatenate([cupy.asnumpy(p[name]) for p in parts], axis=-1) for name in parts[0]}

    device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    report = Report("cupy", {"cupy": cupy.__version__}, threads=1, device=device, compiles=True)
    timing, results = timed(run, args.repeats)
    report.show(args, c, timing, results)


if __name__ == "__main__":
    main()
