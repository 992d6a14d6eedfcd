"""MIND, the Monge inception distance: how far two feature sets are apart along random directions.

Along one direction features are numbers, and the best transport between as many of each side pairs them in order. So it
compares whole distributions where a Fréchet distance compares means and covariances, and needs neither roots nor more
features than dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import MetricError
from fvd_bench.features.moments import Float64
from fvd_bench.metrics.metric import Influences, Metric, centred, influence_on_features, on_features

_DIRECTIONS = 1000
_SEED = 2020
"""torch-fidelity's defaults (`mind_num_projections`, `rng_seed`), written out so that they do not change with its
version."""

_SCALE = 3.0
"""The factor that the paper multiplies by, besides the dimension, so that the distance is in the range of a Fréchet
distance."""

_BLOCK = 2**22
"""Values held at a time, so that memory does not grow with the number of directions."""


def monge_inception_distance(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Return 3 D times the squared 2-Wasserstein distance along a direction, on average over 1000 random ones.

    real: [N, D]. fake: [M, D]. Where N and M differ, as many of the larger side are drawn as the smaller has.
    Directions and draw come from a fixed seed. The draw is from features in the order of their values, so that the
    order of videos does not matter. Source: Berthet et al. 2026 (arXiv:2605.06797); torch_fidelity/metric_mind.py of
    0.5, which computes in float32.

    Raises MetricError when a side has no features.
    """
    (real, _), (fake, _), directions = _drawn(real, fake)
    total = 0.0
    for block in _blocks(directions, len(real)):
        gaps = np.sort(real @ block, axis=0) - np.sort(fake @ block, axis=0)
        total += float(np.sum(np.mean(gaps**2, axis=0)))
    return float(_SCALE * real.shape[1] * total / _DIRECTIONS)


def _influence(real: Float64, fake: Float64) -> Influences:
    """Return the influences: 3 D times the potential of the best transport, on average over directions.

    Features that were not drawn have none, and those that were count for them.
    """
    sides = real, fake
    (real, real_places), (fake, fake_places), directions = _drawn(*sides)
    sums: Float64 = np.zeros((2, len(real)))
    for block in _blocks(directions, len(real)):
        lines = [side @ block for side in (real, fake)]
        orders = [np.argsort(line, axis=0, kind="stable") for line in lines]
        ordered = [np.take_along_axis(line, order, axis=0) for line, order in zip(lines, orders, strict=True)]
        for row, order in enumerate(orders):
            potential = np.empty_like(ordered[0])
            np.put_along_axis(potential, order, _potential(ordered[row], ordered[1 - row]), axis=0)
            sums[row] += potential.sum(axis=1)
    scale, found = _SCALE * real.shape[1] / _DIRECTIONS, []
    for side, places, values in zip(sides, (real_places, fake_places), sums, strict=True):
        influences = np.zeros(len(side))
        influences[places] = (values - values.mean()) * scale * len(side) / len(places)
        found.append(centred(influences))
    return found[0], found[1]


def _potential(here: Float64, there: Float64) -> Float64:
    """Return the derivative of the mean squared gap by the weight of each number, [n, directions], without its mean.

    here, there: in order, along each direction. Between two neighbours the transport leads to a place between the
    partners of both; their mean is taken.
    """
    steps = np.diff(here, axis=0) * (here[1:] + here[:-1] - there[1:] - there[:-1])
    potential = np.concatenate([np.zeros_like(here[:1]), np.cumsum(steps, axis=0)])
    return np.asarray(potential - potential.mean(axis=0))


_Drawn = tuple[Float64, NDArray[np.int64]]
"""Features [n, D] of a side, and which of all they are."""


def _drawn(real: NDArray[np.floating], fake: NDArray[np.floating]) -> tuple[_Drawn, _Drawn, Float64]:
    """Return as many features of each side, and the directions [D, 1000], each of length 1."""
    import torch

    count, dim = min(len(real), len(fake)), real.shape[1]
    if count < 1:
        raise MetricError(f"{len(real)} real and {len(fake)} fake features: at least 1 of each is needed")
    generator = torch.Generator().manual_seed(_SEED)
    sides = []
    for side in (real, fake):
        places = np.arange(len(side))
        if len(side) > count:
            drawn = torch.randperm(len(side), generator=generator, device="cpu")[:count].numpy()
            places = np.sort(np.lexsort(side.T[::-1])[drawn])
        sides.append((side[places].astype(np.float64), places))
    directions = torch.randn(_DIRECTIONS, dim, generator=generator, dtype=torch.float32, device="cpu")
    directions /= directions.norm(dim=1, keepdim=True)
    return sides[0], sides[1], directions.double().numpy().T


def _blocks(directions: Float64, count: int) -> Iterator[Float64]:
    """Yield the directions [D, some], as many at a time as memory allows for this many features."""
    width = max(1, _BLOCK // count)
    for first in range(0, _DIRECTIONS, width):
        yield directions[:, first : first + width]


MIND = Metric(
    name="mind",
    compute=on_features("mind", monge_inception_distance),
    lower_is_better=True,
    range=(0.0, np.inf),
    influence=influence_on_features(_influence),
    sees=("clips", "frames"),
    pairs=True,
    rises_by_chance=True,
)
