"""Roots of covariances: matrices A [r, D] with Σ = AᵀA, from the features or from their covariance.

A root from the features is exact for singular covariances too, and takes long where there are many features. A root
from the covariance squares the effect of rounding on its smallest directions, and costs the same for any number of
features.

NumPy's decompositions are SciPy's, without the quarter of a second that SciPy takes to load.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import MetricError
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.moments import Float64

MANY = 4
"""Ratio of features to dimensions from which on a covariance is far enough from singular to replace the features."""

_LARGE = 2**23
"""Up to this many values of a side, its score is made from the features: 20,971 clips of I3D, 4,096 frames of
Inception."""

_WELL_CONDITIONED = 1e-5
"""Smallest direction as a fraction of the largest, in standard deviations, for which Cholesky's decomposition is as
good as that into eigenvalues."""


def root(side: FeatureSet, ddof: int, *, quick: bool = False) -> Float64:
    """Return a root of the covariance of a side. Raises MetricError when features are not finite.

    ddof: see `FeatureSet.cov`.
    quick: whether many features are replaced by their covariance even if they are few enough for an exact root.
    """
    features = side.features()
    if features is not None and not np.isfinite(features).all():
        raise MetricError("some features are not finite")
    is_large = side.count >= MANY * side.dim and (quick or side.count * side.dim > _LARGE)
    if features is None or is_large:
        return covariance_root(side.cov(ddof))
    return compact(centred(features, ddof)[1])


def centred(features: NDArray[np.floating], ddof: int) -> tuple[Float64, Float64]:
    """Return the mean [D] and the data matrix A [N, D] with Σ = AᵀA."""
    values = features.astype(np.float64)
    mean = values.mean(axis=0)
    return mean, (values - mean) / np.sqrt(len(values) - ddof)


def compact(data: Float64) -> Float64:
    """Return a matrix of at most D rows with the same AᵀA."""
    if len(data) <= data.shape[1]:
        return data
    return np.asarray(np.linalg.qr(data, mode="r"))


def covariance_root(covariance: Float64) -> Float64:
    """Return a root [D, D] by Cholesky's decomposition, or by eigenvalues where the covariance is nearly singular."""
    try:
        triangular = np.asarray(np.linalg.cholesky(covariance).T)
    except np.linalg.LinAlgError:
        return eigen_root(covariance)
    sizes = np.abs(np.diagonal(triangular))
    return triangular if sizes.min() >= _WELL_CONDITIONED * sizes.max() else eigen_root(covariance)


def eigen_root(covariance: Float64) -> Float64:
    """Return a root [r, D] whose rows are orthogonal, without directions as small as rounding."""
    values, vectors = np.linalg.eigh(covariance)
    noise = len(values) * np.finfo(np.float64).eps * values[-1]
    kept = values > noise
    found: Float64 = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    return found


def inverse(base: Float64) -> Float64:
    """Return the pseudoinverse [D, r] of a root from `covariance_root`."""
    import scipy.linalg  # only here, since it takes long to load

    if len(base) == base.shape[1] and not np.tril(base, -1).any():
        return np.asarray(scipy.linalg.solve_triangular(base, np.eye(len(base))))
    return np.asarray((base / np.sum(base**2, axis=1, keepdims=True)).T)


def overlap(real_root: Float64, fake_root: Float64, *, quick: bool = False) -> Float64:
    """Return the singular values of A Bᵀ, whose sum is the trace of √(Σr Σf).

    quick: whether they are roots of the eigenvalues of its square. That takes half of the time, and loses values below
        1e-8 of the largest.
    """
    if not (len(real_root) and len(fake_root)):
        return np.zeros(0)
    product = real_root @ fake_root.T
    if not quick:
        return np.asarray(np.linalg.svd(product, compute_uv=False))
    squares = np.linalg.eigvalsh(product @ product.T)[::-1]
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))
