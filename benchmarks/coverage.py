"""Question: do intervals, floors and values at infinity hold the number that they say, and does a plain bootstrap?

Command:  python benchmarks/coverage.py [--dim D] [--trials T] [--features FILE]
Time:     about 15 minutes of one core for 100 dimensions and 40 trials, the defaults; 60 times that for 400, of which
          four rows are always among them. Other metrics than FVD take 2 of these minutes.
          --features adds rows for real features: FILE is what `fvd-bench stats` wrote of 200 videos or more.
Expected: the upper end of a floor lies above what real sets score in 95 to 99 of 100; intervals of a score, and of its
          value at infinity where there is one, hold the true ones about as often; the bootstrap's do not, since
          drawing videos with repetition raises the distance.

The populations are known, so the true distance is. The true score at some numbers of videos, and the true floor, are
means over all trials.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from machine import write
from numpy.typing import NDArray
from populations import Population

from fvd_bench import metrics
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.stats_file import StatsFile
from fvd_bench.metrics.frechet import frechet_distance
from fvd_bench.metrics.measurement import Measured, measure
from fvd_bench.metrics.uncertainty import CONFIDENCE, Spread, quantile
from fvd_bench.protocols.rules import MetricRule

RULE = MetricRule(names=("fvd",))
SIZES = ((0.1, 0.1), (0.25, 0.25), (0.5, 0.5), (1, 1), (2, 2), (5, 5), (0.25, 2), (2, 0.25))
"""Real and fake videos over dimensions."""

POPULATIONS = {
    "slope 1.0": Population(slope=1.0),
    "slope 1.3": Population(slope=1.3),
    "slope 1.7": Population(slope=1.7),
    "slope 1.3, heavy tails": Population(slope=1.3, tails=8),
    "slope 1.7, heavy tails": Population(slope=1.7, tails=8),
    "12 kinds of scenes": Population(slope=1.3, clusters=12),
}
AT_400 = (("slope 1.7", 100, 100), ("slope 1.7", 64, 512), ("slope 1.3", 100, 100), ("slope 1.0", 200, 200))
"""Populations, real and fake videos of the rows of 400 dimensions, as I3D has them."""

BOOTSTRAPPED = "slope 1.7"
"""Scored against a far population too, beside a bootstrap."""

RESAMPLES = 60
FAR = 0.25
"""Distance of the fake population of the other rows, over the trace of the real covariance."""

OTHERS = ("kvd", "precision", "recall", "density", "coverage")
OTHERS_SIZES = ((0.6, 0.6), (2, 0.6))
"""Metrics of which only the interval is looked at, real and fake videos over dimensions."""

Draw = Callable[[np.random.Generator], Sequence[NDArray[np.float32]]]
"""Real and fake features, and real and "fake" ones of the real population that no floor was estimated from."""


def bootstrap(real: NDArray[np.float32], fake: NDArray[np.float32], rng: np.random.Generator) -> tuple[float, float]:
    """Return the percentile interval of resamples with repetition."""
    scores = []
    for _ in range(RESAMPLES):
        drawn = [side[rng.integers(0, len(side), len(side))] for side in (real, fake)]
        scores.append(frechet_distance(*drawn, ddof=0))
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)


def width(intervals: Sequence[tuple[float, float]], scores: Sequence[float]) -> float:
    """Return the mean width of intervals, over that of the one which the spread of the scores calls for."""
    needed = 2 * quantile(10**9, tail=(1 - CONFIDENCE) / 2) * float(np.std(scores))
    return float(np.mean([high - low for low, high in intervals])) / needed


def row(draw: Draw, trials: int, *, distance: float, bootstrapped: bool) -> dict[str, float | None]:
    """Return the shares of trials in which each number holds what it should."""
    found: list[Measured] = []
    others, resampled = [], []
    for trial in range(trials):
        rng = np.random.default_rng([trial, trials])
        real, fake, *other = draw(rng)
        measured = measure([{"real": FeatureSet.of(real), "fake": FeatureSet.of(fake)}], RULE, seed=trial)["fvd"]
        assert isinstance(measured, Measured)
        found.append(measured)
        others.append(frechet_distance(*other, ddof=0))
        if bootstrapped:
            resampled.append(bootstrap(real, fake, rng))
    score = float(np.mean([m.values[0] for m in found]))
    floors, infinite = [m.floor for m in found if m.floor], [m.infinite for m in found if m.infinite]

    def share(intervals: Sequence[tuple[float, float]], truth: float) -> float | None:
        return float(np.mean([low <= truth <= high for low, high in intervals])) if intervals else None

    return {
        "distance": distance,
        "true floor": float(np.mean(others)),
        "estimated floor": float(np.mean([f.value for f in floors])),
        "real sets under its upper end": float(np.mean([[o <= f.interval[1] for o in others] for f in floors])),
        "score": score,
        "interval holds the score": share([m.interval for m in found if m.interval], score),
        "its width": width([m.interval for m in found if m.interval], [m.values[0] for m in found]),
        "at infinity, given": len(infinite) / trials,
        "at infinity": float(np.mean([i.value for i in infinite])) if infinite else None,
        "at infinity holds the distance": share([i.interval for i in infinite], distance),
        "bootstrap holds the score": share(resampled, score),
        "bootstrap holds the distance": share(resampled, distance),
    }


def simulated(dim: int, trials: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for (name, shape), sizes, share in itertools.product(POPULATIONS.items(), SIZES, (0.0, FAR)):
        if share and name != BOOTSTRAPPED:
            continue
        origin = replace(shape, dim=dim)
        n, m = (round(size * dim) for size in sizes)
        fakes, count = origin.at(share * origin.trace), trials if n < 4 * dim else trials // 2
        facts = row(_drawing(origin, fakes, n, m), count, distance=fakes.distance, bootstrapped=share > 0)
        rows.append({"population": name, "dim": dim, "real": n, "fake": m, "trials": count, **facts})
        _show(rows[-1])
    return rows


def others(dim: int, trials: int) -> list[dict[str, object]]:
    """Return rows on the intervals of other metrics than FVD."""
    rows: list[dict[str, object]] = []
    for (name, shape), sizes, share in itertools.product(POPULATIONS.items(), OTHERS_SIZES, (0.0, FAR)):
        origin = replace(shape, dim=dim)
        n, m = (round(size * dim) for size in sizes)
        fakes = origin.at(share * origin.trace)
        for metric in OTHERS:
            scores, intervals = [], []
            for trial in range(trials):
                rng = np.random.default_rng([trial, trials])
                sides = {"real": FeatureSet.of(origin.draw(n, rng)), "fake": FeatureSet.of(fakes.draw(m, rng))}
                spread = Spread(metric, MetricRule(names=(metric,)))
                spread.add(sides)
                scores.append(metrics.compute(metric, *sides.values(), spread.rule))
                if (interval := spread.interval(scores[-1])) is not None:
                    intervals.append(interval)
            mean = float(np.mean(scores))
            held = float(np.mean([low <= mean <= high for low, high in intervals]))
            facts = {"metric": metric, "distance": fakes.distance, "score": mean}
            facts |= {"interval holds the score": held, "its width": width(intervals, scores)}
            rows.append({"population": name, "dim": dim, "real": n, "fake": m, "trials": trials, **facts})
            _show(rows[-1])
    return rows


def at_400(trials: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name, n, m in AT_400:
        origin = POPULATIONS[name]
        facts = row(_drawing(origin, origin, n, m), trials, distance=0.0, bootstrapped=False)
        rows.append({"population": name, "dim": origin.dim, "real": n, "fake": m, "trials": trials, **facts})
        _show(rows[-1])
    return rows


def _drawing(origin: Population, fakes: Population, n: int, m: int) -> Draw:
    return lambda rng: [origin.draw(n, rng), fakes.draw(m, rng), origin.draw(n, rng), origin.draw(m, rng)]


def of_real(file: Path, trials: int) -> list[dict[str, object]]:
    """Return rows on quarters of real features: floors of two, and scores of the other two, at the distance 0."""
    features = np.concatenate([entry.features for entry in StatsFile.read(file).entries.values()])
    rows: list[dict[str, object]] = []
    for n in (len(features) // 8, len(features) // 4):

        def draw(rng: np.random.Generator, n: int = n) -> list[NDArray[np.float32]]:
            chosen = rng.permutation(len(features))[: 4 * n]
            return [features[part] for part in np.split(chosen, 4)]

        facts = row(draw, trials, distance=0.0, bootstrapped=False)
        name, dim = "real I3D features of talking faces", features.shape[1]
        rows.append({"population": name, "dim": dim, "real": n, "fake": n, "trials": trials, **facts})
        _show(rows[-1])
    return rows


def _show(facts: dict[str, object]) -> None:
    print({k: round(v, 2) if isinstance(v, float) else v for k, v in facts.items()}, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--features", type=Path)
    options = parser.parse_args()
    rows = of_real(options.features, 3 * options.trials) if options.features else []
    rows += simulated(options.dim, options.trials) + at_400(options.trials * 3 // 10)
    write("coverage", __doc__, {"rows": rows, "others": others(options.dim, options.trials)})


if __name__ == "__main__":
    main()
