"""Question: do the intervals hold the number that they say, and does a plain bootstrap?

Command:  python benchmarks/coverage.py
Time:     about 15 minutes on 2 cores.
Expected: intervals of the score and of its value at infinity hold the true ones about 95 times in 100, at 64 videos
          and at 1024; the bootstrap's hold neither, since drawing videos with repetition raises the distance.

The populations are known, so the true distance is; the true score at N videos is the mean over all trials.
"""

from __future__ import annotations

import numpy as np
from machine import write
from populations import Population, of_distance

from fvd_bench.frechet import frechet_distance
from fvd_bench.rules import MetricRule
from fvd_bench.scoring import Measured, measure
from fvd_bench.stats import FeatureStats

RULE = MetricRule(names=("fvd",))
TRIALS = {64: 200, 256: 100, 1024: 50}
RESAMPLES = 60
POPULATIONS = {"near": of_distance(20), "far": of_distance(200), "far, heavy tails": of_distance(200, tails=8)}


def bootstrap(real: np.ndarray, fake: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """The percentile interval of resamples with repetition."""
    scores = []
    for _ in range(RESAMPLES):
        drawn = [side[rng.integers(0, len(side), len(side))] for side in (real, fake)]
        scores.append(frechet_distance(*drawn, ddof=0))
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)


def trials(count: int, population: Population) -> dict[str, float]:
    origin = Population(0.0, population.tails)
    found = []
    for trial in range(TRIALS[count]):
        rng = np.random.default_rng([trial, count])
        real, fake = origin.draw(count, rng), population.draw(count, rng)
        sides = {"real": FeatureStats.of(real), "fake": FeatureStats.of(fake)}
        measured = measure([sides], RULE, seed=trial)["fvd"]
        assert isinstance(measured, Measured)
        found.append((measured, bootstrap(real, fake, rng)))
    score = float(np.mean([m.values[0] for m, _ in found]))
    floor = np.mean([frechet_distance(*(origin.draw(count, np.random.default_rng([t, s])) for s in (8, 9)), ddof=0)
                     for t in range(20)])  # fmt: skip

    def share(intervals: list[tuple[float, float]], truth: float) -> float:
        return float(np.mean([low <= truth <= high for low, high in intervals]))

    return {
        "distance": population.distance,
        "score": score,
        "interval holds the score": share([m.interval for m, _ in found], score),
        "bootstrap holds the score": share([b for _, b in found], score),
        "extrapolated": float(np.mean([m.infinite.value for m, _ in found])),
        "extrapolation holds the distance": share([m.infinite.interval for m, _ in found], population.distance),
        "bootstrap holds the distance": share([b for _, b in found], population.distance),
        "interval, mean half width": float(np.mean([m.interval[1] - m.interval[0] for m, _ in found]) / 2),
        "bootstrap, mean centre": float(np.mean([sum(b) / 2 for _, b in found])),
        "floor": float(floor),
        "floor, estimated from the real side": float(np.mean([m.floor.value for m, _ in found])),
    }


def main() -> None:
    rows = []
    for name, population in POPULATIONS.items():
        for count in TRIALS:
            rows.append({"population": name, "videos": count, "trials": TRIALS[count], **trials(count, population)})
            print({k: round(v, 2) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)
    write("coverage", __doc__, {"rows": rows})


if __name__ == "__main__":
    main()
