"""A side of which mean and covariance are all that is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import SourceError
from fvd_bench.features.feature_set import FeatureStats, Float64

_MOST_DIM = 4096
"""Of no known network; the check of a covariance takes long beyond it."""

_SYMMETRIC = 1e-5
_POSITIVE = 1e-5
"""Of the largest entry and of the largest eigenvalue: rounding of statistics that were computed in single precision."""


class Moments(FeatureStats):
    """mean [D]; cov [D, D], symmetric; both float64.

    count: features behind them, None where that is not known. ddof: 0 where cov was divided by count, 1 by count - 1.
    """

    def __init__(self, mean: Float64, cov: Float64, *, count: int | None, ddof: int) -> None:
        super().__init__(len(mean))
        self.count = count or 0
        self._given_mean = mean
        self._given_cov = cov
        self._ddof = ddof

    @classmethod
    def checked(cls, mean: NDArray[np.generic], cov: NDArray[np.generic], *, count: int | None, ddof: int) -> Moments:
        """Moments that somebody else computed. Raises SourceError when they cannot be those of any features."""
        if mean.ndim != 1 or not len(mean) or cov.shape != (len(mean), len(mean)):
            raise SourceError(
                f"its mean is of shape {list(mean.shape)}, its covariance of {list(cov.shape)}: expected [D] and [D, D]"
            )
        if len(mean) > _MOST_DIM:
            raise SourceError(f"it is of {len(mean)} features: expected at most {_MOST_DIM}")
        if mean.dtype.kind not in "fiu" or cov.dtype.kind not in "fiu":
            raise SourceError(f"its mean is of type {mean.dtype} and its covariance of {cov.dtype}: expected numbers")
        if count is not None and count < 2:
            raise SourceError(f"it is made of {count} features: expected at least 2")
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
        return cls(centre, spread, count=count, ddof=ddof)

    @property
    def has_covariance(self) -> bool:
        return True

    def features(self) -> None:
        return None

    def blocks(self) -> None:
        return None

    def mean(self) -> Float64:
        return self._given_mean

    def cov(self, ddof: int) -> Float64:
        """Covariance; as it was given where the number of features is not known."""
        if not self.count or ddof == self._ddof:
            return self._given_cov
        cov: Float64 = self._given_cov * ((self.count - self._ddof) / (self.count - ddof))
        return cov

    def scatter(self) -> Float64:
        raise NotImplementedError("a scatter matrix needs the number of features")
