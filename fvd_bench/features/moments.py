"""Mean and covariance of features, as other programs compute them too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import SourceError
from fvd_bench.words import counted

Float64 = NDArray[np.float64]

_MOST_DIM = 4096
"""More features than any known network has. Beyond it the check of a covariance takes long."""

_SYMMETRIC = 1e-5
_POSITIVE = 1e-5
"""Fractions of the largest entry and of the largest eigenvalue that count as rounding, for statistics in single
precision."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Mean and covariance of features, both float64.

    mean: [D].
    cov: [D, D], symmetric.
    count: number of features behind them. None where that is not known.
    ddof: 0 if cov was divided by count, 1 if it was divided by count - 1.
    """

    mean: Float64
    cov: Float64
    count: int | None
    ddof: int

    @classmethod
    def checked(cls, mean: NDArray[np.generic], cov: NDArray[np.generic], *, count: int | None, ddof: int) -> Moments:
        """Make moments from the arrays of a file. Raises SourceError when they cannot be those of any features."""
        if mean.ndim != 1 or not len(mean) or cov.shape != (len(mean), len(mean)):
            raise SourceError(
                f"its mean is of shape {list(mean.shape)}, its covariance of {list(cov.shape)}: expected [D] and [D, D]"
            )
        if len(mean) > _MOST_DIM:
            raise SourceError(f"it is of {len(mean)} features: expected at most {_MOST_DIM}")
        if mean.dtype.kind not in "fiu" or cov.dtype.kind not in "fiu":
            raise SourceError(f"its mean is of type {mean.dtype} and its covariance of {cov.dtype}: expected numbers")
        if count is not None and count < 2:
            raise SourceError(f"it is made of {counted(count, 'feature')}: expected at least 2")
        centre, spread = mean.astype(np.float64), cov.astype(np.float64)
        if not (np.isfinite(centre).all() and np.isfinite(spread).all()):
            raise SourceError("its mean or covariance is not finite: expected numbers")
        largest = float(np.abs(spread).max())
        if float(np.abs(spread - spread.T).max()) > _SYMMETRIC * largest:
            raise SourceError("its covariance is not symmetric, as every covariance is")
        spread = (spread + spread.T) / 2
        values = np.linalg.eigvalsh(spread)
        if values[0] < -_POSITIVE * abs(values[-1]):
            raise SourceError(
                f"its covariance has eigenvalues down to {values[0]:.3g} beside {values[-1]:.3g}: expected none below 0"
            )
        return cls(centre, spread, count, ddof)

    def cov_by(self, ddof: int) -> Float64:
        """Return the covariance divided by count - ddof. Where count is not known, the divisor cannot be changed and
        stays."""
        if self.count is None or ddof == self.ddof:
            return self.cov
        cov: Float64 = self.cov * ((self.count - self.ddof) / (self.count - ddof))
        return cov

    def joined(self, other: Moments) -> Moments:
        """Return the moments of both together; both counts must be known."""
        assert self.count is not None and other.count is not None
        scatter = self.cov * (self.count - self.ddof)
        more = other.cov * (other.count - other.ddof)
        mean = add_scatter(scatter, self.mean, self.count, more, other.mean, other.count)
        count = self.count + other.count
        return Moments(mean, scatter / count, count, 0)


def scatter_of(block: Float64) -> tuple[Float64, Float64]:
    """Return the mean [D] of features [rows, D], and their scatter matrix, see `add_scatter`."""
    mean: Float64 = block.mean(axis=0)
    centred = block - mean
    return mean, centred.T @ centred


def add_scatter(
    scatter: Float64, mean: Float64, count: int, more: Float64, more_mean: Float64, more_count: int
) -> Float64:
    """Add the scatter matrix of more features to that of some, in place, and return the mean of all.

    A scatter matrix [D, D] is the sum of outer products of features less their mean [D].
    Source: Chan, Golub and LeVeque 1983, eq. 2.1.
    """
    shift, total = more_mean - mean, count + more_count
    scatter += more
    scatter += np.outer(shift, shift) * (count * more_count / total)
    joined: Float64 = mean + shift * (more_count / total)
    return joined
