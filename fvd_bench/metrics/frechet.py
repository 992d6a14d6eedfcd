"""The Fréchet distance, exact for singular covariances, and how much each feature moves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import MetricError
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.moments import Float64
from fvd_bench.metrics.covariance_roots import (
    MANY,
    centred,
    compact,
    covariance_root,
    eigen_root,
    inverse,
    overlap,
    root,
)
from fvd_bench.metrics.metric import Metric
from fvd_bench.networks import Sees
from fvd_bench.protocols.rules import MetricRule

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

_ROUNDING = 1e-9
"""Largest negative distance, relative to the sum of the traces, that counts as rounding."""

_NULL = 1e-10
"""Singular values below this fraction of the largest belong to directions that only one side has."""


def frechet_distance(real: ArrayLike | Tensor, fake: ArrayLike | Tensor, *, ddof: int = 0) -> float:
    """Return the squared Fréchet distance between Gaussian fits of two feature sets.

    real: [N, D], with N of at least 2: an array, a tensor on any device, or nested lists.
    fake: [M, D], with M of at least 2.
    ddof: 0 divides covariances by N, as the protocols that ship do unless they say otherwise; 1 by N - 1, as
        torch-fidelity and others do by `numpy.cov`.

    The distance is |μr - μf|² + tr Σr + tr Σf - 2 tr √(Σr Σf). The last trace is the nuclear norm of A Bᵀ for centred
    and scaled data matrices with Σr = AᵀA, Σf = BᵀB. Unlike a matrix square root this is exact for singular
    covariances: it needs no epsilon and is never complex. Source: Heusel et al. 2017, eq. 6.

    Raises MetricError when a side has fewer than 2 features, or features that are not finite, or when the arrays do not
    have these shapes.
    """
    sides = _matrix(real), _matrix(fake)
    _check(*sides)
    (real_mean, real_data), (fake_mean, fake_data) = (centred(side, ddof) for side in sides)
    return _distance(real_mean - fake_mean, compact(real_data), compact(fake_data))[0]


def distance_and_overlap(real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> tuple[float, Float64]:
    """Return the distance of two sides under a rule, and the singular values of A Bᵀ for covariances divided by N.

    Where there are many features, covariances are used: the result then serves an estimate that has an interval. Raises
    MetricError as `frechet_distance` does.
    """
    _check_sides(real, fake)
    roots, scales = [root(side, 0, quick=True) for side in (real, fake)], [1.0, 1.0]
    is_quick = all(side.count >= MANY * side.dim for side in (real, fake))
    if rule.root == "float32-svd" or rule.epsilon:
        return frechet_distance_of_stats(real, fake, rule), overlap(*roots, quick=is_quick)
    if rule.ddof:
        scales = [float(np.sqrt(side.count / (side.count - rule.ddof))) for side in (real, fake)]
    scaled = roots[0] * scales[0], roots[1] * scales[1]
    value, found = _distance(real.mean() - fake.mean(), *scaled, quick=is_quick)
    return value, found / (scales[0] * scales[1])


def frechet_distance_of_stats(real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> float:
    """Return the `frechet_distance` of two sides under a rule. For large sides it is computed from their
    covariances."""
    _check_sides(real, fake)
    if rule.root == "float32-svd":
        return _distance_in_float32(real, fake, rule)
    if rule.epsilon:
        ridge = rule.epsilon * np.eye(real.dim)
        roots = [eigen_root(side.cov(rule.ddof) + ridge) for side in (real, fake)]
        return _distance(real.mean() - fake.mean(), *roots)[0]
    return _distance(real.mean() - fake.mean(), root(real, rule.ddof), root(fake, rule.ddof))[0]


def frechet_influence(real: FeatureSet, fake: FeatureSet) -> tuple[Float64 | None, Float64 | None]:
    """Return the influence of each feature on the squared Fréchet distance, [N] and [M], each with a mean of 0. None
    for a side of which only moments are known.

    To first order, giving real feature i the weight 1/N + ε at the expense of the others changes the distance by ε
    times its influence. So the distance varies by std / √N when the real features are drawn anew. Let T be the linear
    map of optimal transport from the centred real features to the fake ones, and x a centred feature. The influence is
    2 (μr - μf)·x + |x|² - xᵀTx less its mean. T is never formed: Tx comes from the singular vectors of A Bᵀ. Source:
    the derivative of the Bures distance, Rippl, Munk and Sturm 2016, theorem 2.1.

    Raises MetricError as `frechet_distance` does.
    """
    _check_sides(real, fake)
    sides = []
    for side in (real, fake):
        features = side.features()
        if features is None or len(features) >= MANY * side.dim:
            sides.append(_Side(side.mean(), None, covariance_root(side.cov(0)), side.blocks()))
        else:
            sides.append(_Side.of(features))
    return _influence(*sides)


@dataclass(frozen=True, slots=True)
class _Side:
    """One side, prepared for influences.

    mean: [D].
    data: [N, D], centred and divided by √N. None where it was not kept.
    base: [r, D] with Σ = baseᵀ base.
    blocks: the features, a few at a time, where they are not kept whole but can be read. The base then comes from the
        covariance.
    """

    mean: Float64
    data: Float64 | None
    base: Float64
    blocks: Iterator[Float64] | None = None

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> _Side:
        mean, data = centred(features, 0)
        return cls(mean, data, compact(data))


def _influence(real: _Side, fake: _Side) -> tuple[Float64 | None, Float64 | None]:
    left, values, right = np.linalg.svd(real.base @ fake.base.T, full_matrices=False)  # takes empty ones, unlike SciPy
    kept = values > _NULL * values.max(initial=0.0)
    left, right = left[:, kept], right[kept].T
    gap = real.mean - fake.mean
    return (
        _side_influence(real, left @ (right.T @ fake.base), gap),
        _side_influence(fake, right @ (left.T @ real.base), -gap),
    )


def _side_influence(side: _Side, transported_base: Float64, gap: Float64) -> Float64 | None:
    """Return the influences of one side. transported_base [r, D]: where optimal transport takes the rows of the
    base."""
    data = side.data
    if data is None:
        return None if side.blocks is None else _influence_of_blocks(side, side.blocks, transported_base, gap)
    n = len(data)
    transported = transported_base if side.base is data else _coordinates(data) @ transported_base
    influence: Float64 = 2 * np.sqrt(n) * data @ gap + n * np.sum(data**2 - data * transported, axis=1)
    influence -= influence.mean()
    return influence


def _influence_of_blocks(side: _Side, blocks: Iterator[Float64], transported_base: Float64, gap: Float64) -> Float64:
    """Return what `_side_influence` returns, computed with the map of optimal transport itself, [D, D]."""
    transport = inverse(side.base) @ transported_base
    found = []
    for block in blocks:
        centred = block - side.mean
        found.append(2 * centred @ gap + np.sum(centred * (centred - centred @ transport), axis=1))
    influence: Float64 = np.concatenate(found)
    influence -= influence.mean()
    return influence


def _check_sides(real: FeatureSet, fake: FeatureSet) -> None:
    if not (real.has_covariance and fake.has_covariance):
        check_counts(real.count, fake.count)


def check_counts(real: int, fake: int) -> None:
    """Raise MetricError when there are too few features for a covariance."""
    if min(real, fake) < 2:
        raise MetricError(
            f"{real} real and {fake} fake features: at least 2 of each are needed for a covariance, "
            "and hundreds for a score that means something"
        )


def _matrix(features: ArrayLike | Tensor) -> Float64:
    """Return features as float64 [N, D]. Raises MetricError."""
    held: Any = features
    if hasattr(features, "detach"):
        held = features.detach().cpu()
        held = held if held.is_complex() else held.double()  # NumPy has no bfloat16
    try:
        found = np.asarray(held)
        if found.dtype.kind == "c":
            raise TypeError(f"they are {found.dtype}")
        return np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise MetricError(f"the features are no array of numbers ({error}): expected [N, D]") from error


def _check(real: NDArray[np.floating], fake: NDArray[np.floating]) -> None:
    if real.ndim != 2 or fake.ndim != 2 or not real.shape[1] == fake.shape[1] > 0:
        raise MetricError(
            f"real features of shape {list(real.shape)} and fake ones of {list(fake.shape)}: expected [N, D] and "
            "[M, D], one row for each clip"
        )
    check_counts(len(real), len(fake))
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        raise MetricError("some features are not finite")


def _coordinates(data: Float64) -> Float64:
    """Return Q [N, D] with data = Q @ compact(data)."""
    return np.asarray(np.linalg.qr(data, mode="reduced")[0])


def _distance(
    mean_gap: Float64, real_root: Float64, fake_root: Float64, *, quick: bool = False
) -> tuple[float, Float64]:
    """Return the distance, and the singular values in it. quick: see `overlap`."""
    traces = float(np.sum(real_root**2) + np.sum(fake_root**2))
    shared = overlap(real_root, fake_root, quick=quick)
    value = float(mean_gap @ mean_gap) + traces - 2 * float(shared.sum())
    if not value >= -_ROUNDING * max(traces, 1e-300):
        raise MetricError(f"the distance came out as {value}: the features are far out of range")
    return max(value, 0.0), shared


_UNROOTED = 1e-10
"""Singular values below this are not rooted: it is the epsilon of tfgan's symmetric_matrix_square_root."""


def _distance_in_float32(real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> float:
    """Return the distance with every matrix in single precision, as VideoGPT's fvd.py computes it.

    Its rounding errors do not cancel: a set against itself scores some thousandths, of either sign.
    """
    covariances = [side.cov(rule.ddof).astype(np.float32) for side in (real, fake)]
    half = _float32_root(covariances[0])
    shared = np.trace(_float32_root((half @ covariances[1] @ half).astype(np.float32)))
    gap = (real.mean() - fake.mean()).astype(np.float32)
    return float(gap @ gap + np.trace(covariances[0] + covariances[1]) - 2 * shared)


def _float32_root(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    left, values, right = np.linalg.svd(matrix)
    rooted = np.where(values < _UNROOTED, values, np.sqrt(values))
    root: NDArray[np.float32] = (left * rooted) @ right
    return root


_FRECHET: tuple[tuple[str, dict[str, str], tuple[Sees, ...]], ...] = (
    ("fvd", {}, ("clips",)),
    ("fid", {"inception": "2048"}, ("frames",)),
    ("fd", {}, ("clips", "frames")),
)
FVD, FID, FD = (
    Metric(
        name=name,
        layers=layers,
        sees=sees,
        compute=frechet_distance_of_stats,
        lower_is_better=True,
        range=(0.0, np.inf),
        fewest=(2, 2),
        influence=frechet_influence,
        of_moments=True,
        rises_by_chance=True,
    )
    for name, layers, sees in _FRECHET
)
