"""Question: what do interval, floor and value at infinity cost, beside the distance that they belong to?

Command:  python benchmarks/certainty.py
Time:     about 3 minutes on 2 cores.
Expected: FVD of 2048 + 2048 clips within seconds; FID of 32,768 + 32,768 frames within a minute on a calm machine.

Each size is a process of its own, on random features whose variances fall off by a power of their number. `peak_mib` is
the most memory that the process held, `sides_mib` what it held before it scored.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

import numpy as np
from machine import write

from fvd_bench import metrics
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics.measurement import measure
from fvd_bench.protocols.rules import MetricRule

SIZES = (("fvd", 2048, 400, 1.7), ("fvd", 2048, 400, 1.0), ("fid", 32768, 2048, 1.2))
"""Metric, features a side, dimensions, slope."""


def side(count: int, dim: int, slope: float, *, seed: int) -> FeatureSet:
    rng = np.random.default_rng(seed)
    features = np.empty((count, dim), dtype=np.float32)
    scales = np.arange(1, dim + 1) ** (-slope / 2)
    for first in range(0, count, 1024):
        rows = features[first : first + 1024]
        rows[:] = rng.standard_normal(rows.shape) * scales
    return FeatureSet.of(features)


def cost(name: str, count: int, dim: int, slope: float) -> dict[str, float | int | str]:
    """Return what the distance alone costs, and what all that is known of it costs."""
    real, fake = side(count, dim, slope, seed=1), side(count, dim, slope, seed=2)
    before, rule = _peak_mib(), MetricRule(names=(name,))
    started = time.monotonic()
    metrics.compute(name, FeatureSet.of(real.features()), FeatureSet.of(fake.features()), rule)
    distance = time.monotonic() - started
    measure([{"real": real, "fake": fake}], rule, seed=0)
    return {
        "metric": name,
        "features": count,
        "dim": dim,
        "slope": slope,
        "distance_seconds": round(distance, 2),
        "all_seconds": round(time.monotonic() - started - distance, 2),
        "sides_mib": before,
        "peak_mib": _peak_mib(),
    }


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    runs = []
    for size in SIZES:
        done = subprocess.run([sys.executable, __file__, *map(str, size)], stdout=subprocess.PIPE, check=True)
        runs.append(json.loads(done.stdout))
        print(runs[-1])
    write("certainty", __doc__, {"runs": runs})


if __name__ == "__main__":
    if len(sys.argv) > 1:
        metric, count, dim, slope = sys.argv[1:]
        print(json.dumps(cost(metric, int(count), int(dim), float(slope))))
    else:
        main()
