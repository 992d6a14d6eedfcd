"""Question: how often does `check` fail a build for nothing, and how often does it miss a checkpoint that is worse?

Command:  python benchmarks/gate.py
Time:     about 30 minutes on 2 cores.
Expected: with nothing to find it fails at most 5 builds in 100 at any number of videos; at 2048 fake videos, the number
          that is recommended, it finds a checkpoint that is 10 % worse at least 95 times in 100.

Checkpoints are simulated: features of fake videos drawn from known populations with heavy tails, against one fixed
set of real ones. "Worse by x" means that the expected score, at that number of videos, is higher by x.
"""

from __future__ import annotations

import numpy as np
from machine import write
from populations import Population, of_distance

from fvd_bench import metrics
from fvd_bench.evaluation.comparisons import comparison
from fvd_bench.evaluation.result import Result, SourceInfo
from fvd_bench.evaluation.result_features import ResultFeatures
from fvd_bench.evaluation.score import Score, SideCount
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.protocols.protocol import load, plain

PROTOCOL = load("stylegan-v-fvd16")
TAILS = 8
DISTANCE = 150.0
REAL_VIDEOS = 2048
COUNTS = (256, 1024, 2048)
INCREASES = (0.0, 0.10)
TRIALS = 200
"""Per number of videos and increase: a rate of 5 % is then known to ± 3 %."""


def checkpoint(
    real: FeatureSet, population: Population, count: int, rng: np.random.Generator
) -> tuple[Result, ResultFeatures]:
    """The result of a simulated checkpoint, with its features."""
    fake = FeatureSet.of(population.draw(count, rng))
    value = metrics.compute("fvd", real, fake, PROTOCOL.metric)
    score = Score(
        metric="fvd", protocol=PROTOCOL.name, protocol_version=PROTOCOL.version, digest=PROTOCOL.digest(),
        signature="simulated", row=None, value=value, reason=None, values=(value,), std=None, interval=None, seed=0,
        lower_is_better=True, real=SideCount(REAL_VIDEOS, ()), fake=SideCount(count, ()),
    )  # fmt: skip
    side = SourceInfo("simulated", "features", count, "0" * 64)
    result = Result("0", (score,), side, side, (), {}, {}, 0.0, {PROTOCOL.digest(): plain(PROTOCOL.choices())})
    name = f"{rng.integers(2**62)}"  # no two checkpoints share their seeds, so none are paired
    return result, ResultFeatures({PROTOCOL.digest(): [{"real": real, "fake": fake}]}, [name])


def rates(real: FeatureSet, count: int) -> list[dict[str, float]]:
    """For each increase, how often the gate fails."""
    old = of_distance(DISTANCE, TAILS)
    expected = np.mean([checkpoint(real, old, count, np.random.default_rng([1, t]))[0].value for t in range(40)])
    rows = []
    for increase in INCREASES:
        new = of_distance(DISTANCE + increase * float(expected), TAILS)
        found = []
        for trial in range(TRIALS):
            rng = np.random.default_rng([2, trial, count, int(increase * 100)])
            before, now = checkpoint(real, old, count, rng), checkpoint(real, new, count, rng)
            (compared,) = comparison.comparisons(before[0], now[0], (before[1], now[1]), allowed=0.05).scores
            found.append(compared)
        rows.append({
            "videos": count,
            "increase": increase,
            "score before": float(np.mean([c.before for c in found])),
            "mean change": float(np.mean([c.change / c.before for c in found])),
            "fails": float(np.mean([c.verdict == "regression" for c in found])),
            "detectable, as said": float(np.median([c.detectable for c in found])),
        })  # fmt: skip
        print({k: round(v, 3) for k, v in rows[-1].items()}, flush=True)
    return rows


def main() -> None:
    real = FeatureSet.of(Population(0.0, TAILS).draw(REAL_VIDEOS, np.random.default_rng(0)))
    write("gate", __doc__, {"allowed": 0.05, "trials": TRIALS, "rows": [row for n in COUNTS for row in rates(real, n)]})


if __name__ == "__main__":
    main()
