"""Precision, recall, density and coverage: which features lie in balls around those of the other side.

The radius of a ball is the distance from its centre to its k-th nearest neighbour on its own side. The centre itself
does not count as a neighbour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import MetricError
from fvd_bench.features.moments import Float64
from fvd_bench.metrics.metric import Metric, on_features
from fvd_bench.protocols.rules import OTHER_SIDE, Side

_PRECISION_NEIGHBOURS = 3
_DENSITY_NEIGHBOURS = 5
"""The k that the papers recommend."""

_BLOCK = 2**22
"""Distances held at a time, so that memory does not grow with their number."""

_TIE = 1e-12
"""Squared distances that differ by less, relative to the squared lengths behind them, count as equal. Float64 rounds
them by less than that in any order of summation, and features in float32 have far fewer digits."""


def precision(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Return the fraction of fake features that lie in the ball of any real one: 0 to 1, with k = 3.

    real: [N, D]. fake: [M, D].
    The edge belongs to the ball, as in the paper and in its authors' code. Source: Kynkäänniemi et al. 2019, eq. 2 and
    3.

    Raises MetricError with fewer than 4 real features, or no fake ones.
    """
    _check(real, fake, "real", _PRECISION_NEIGHBOURS)
    real, fake = _centred(real, fake)
    return _part_inside(fake, real)


def recall(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Return the fraction of real features that lie in the ball of any fake one: `precision` with the sides swapped.

    Raises MetricError with fewer than 4 fake features, or no real ones.
    """
    _check(fake, real, "fake", _PRECISION_NEIGHBOURS)
    real, fake = _centred(real, fake)
    return _part_inside(real, fake)


def density(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Return how many real balls a fake feature lies in on average, divided by k = 5.

    It is about 1 for sets that are alike, and more in dense places.
    real: [N, D]. fake: [M, D].
    The edge does not belong to the ball, as in the authors' code (clovaai's prdc), so a set against itself scores
    exactly 1. Source: Naeem et al. 2020, eq. 3.

    Raises MetricError with fewer than 6 real features, or no fake ones.
    """
    _check(real, fake, "real", _DENSITY_NEIGHBOURS)
    real, fake = _centred(real, fake)
    radii = _squared_radii(real, _DENSITY_NEIGHBOURS, tie=-_TIE)
    inside = sum(np.count_nonzero(distances < radii) for _, distances in _squared_distances(fake, real))
    return float(inside / (_DENSITY_NEIGHBOURS * len(fake)))


def coverage(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Return the fraction of real features with a fake one in their ball: 0 to 1, with k = 5, without the edge like
    `density`.

    real: [N, D]. fake: [M, D].
    Source: Naeem et al. 2020, eq. 4. Raises MetricError as `density` does.
    """
    return float(np.mean(covered(real, fake)))


@dataclass(frozen=True, slots=True)
class Nearest:
    """For each of some points the nearest of some others.

    index: int [N], which of the others. distance: float [N], how far away it is.
    """

    index: NDArray[np.int64]
    distance: Float64


def nearest(points: NDArray[np.floating], others: NDArray[np.floating] | None = None) -> Nearest:
    """Return the nearest of the others for each point, by Euclidean distance. Of several at one distance it is any.

    points: [N, D]. others: [M, D]; None for the other points, of which there must be at least one.
    """
    centre = points.mean(axis=0, dtype=np.float64)
    here = points - centre
    there = here if others is None else others - centre
    index = []
    for first, distances in _squared_distances(here, there):
        if others is None:
            rows = np.arange(len(distances))
            distances[rows, first + rows] = np.inf
        index.append(distances.argmin(axis=1))
    found = np.concatenate(index)
    return Nearest(found, np.linalg.norm(here - there[found], axis=1))


def covered(real: NDArray[np.floating], fake: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which real features have a fake one in their ball, bool [N]: `coverage` is their share.

    Raises MetricError as `coverage` does.
    """
    _check(real, fake, "real", _DENSITY_NEIGHBOURS)
    real, fake = _centred(real, fake)
    closest = np.concatenate([distances.min(axis=1) for _, distances in _squared_distances(real, fake)])
    return np.asarray(closest < _squared_radii(real, _DENSITY_NEIGHBOURS, tie=-_TIE))


def _check(centres: NDArray[np.floating], points: NDArray[np.floating], side: Side, neighbours: int) -> None:
    """Raise MetricError when a centre has too few neighbours, or there are no points."""
    other = OTHER_SIDE[side]
    if len(centres) <= neighbours or not len(points):
        raise MetricError(
            f"{len(centres)} {side} and {len(points)} {other} features: at least {neighbours + 1} {side} ones are "
            f"needed, since balls around them reach to the nearest neighbour number {neighbours}, and 1 {other} one"
        )


def _centred(real: NDArray[np.floating], fake: NDArray[np.floating]) -> tuple[Float64, Float64]:
    """Move both sides so that the real mean is 0. Distances stay the same, and fewer of their digits cancel."""
    mean = real.mean(axis=0, dtype=np.float64)
    return real - mean, fake - mean


def _part_inside(points: Float64, centres: Float64) -> float:
    """Return the fraction of points that lie in the ball of any centre, or on its edge."""
    radii = _squared_radii(centres, _PRECISION_NEIGHBOURS, tie=_TIE)
    inside = [np.any(distances <= radii, axis=1) for _, distances in _squared_distances(points, centres)]
    return float(np.mean(np.concatenate(inside)))


def _squared_radii(centres: Float64, neighbours: int, *, tie: float) -> Float64:
    """Return squared distances [N] to the k-th neighbours, raised (tie > 0) or lowered by what counts as a tie."""
    found = []
    for first, distances in _squared_distances(centres, centres):
        rows = np.arange(len(distances))
        distances[rows, first + rows] = np.inf
        found.append(np.partition(distances, neighbours - 1, axis=1)[:, neighbours - 1])
    radii = np.concatenate(found)
    widened: Float64 = radii + tie * (radii + np.sum(centres**2, axis=1))
    return widened


def _squared_distances(points: Float64, others: Float64) -> Iterator[tuple[int, Float64]]:
    """Yield the squared distances of all points [N, D] to all others [M, D] in blocks [rows, M], each after its
    first row's index."""
    lengths = np.sum(others**2, axis=1)
    rows = max(1, _BLOCK // len(others))
    for first in range(0, len(points), rows):
        part = points[first : first + rows]
        yield first, np.sum(part**2, axis=1)[:, None] + lengths - 2 * part @ others.T


PRECISION, RECALL, DENSITY, COVERAGE = (
    Metric(name=name, compute=on_features(name, function), lower_is_better=False, range=(0.0, most), fewest=fewest)
    for name, function, most, fewest in (
        ("precision", precision, 1.0, (_PRECISION_NEIGHBOURS + 1, 1)),
        ("recall", recall, 1.0, (1, _PRECISION_NEIGHBOURS + 1)),
        ("density", density, np.inf, (_DENSITY_NEIGHBOURS + 1, 1)),
        ("coverage", coverage, 1.0, (_DENSITY_NEIGHBOURS + 1, 1)),
    )
)
