"""How much chance adds to a Fréchet distance at given numbers of features, from random-matrix theory.

For features with covariances Σ and Σ' the expected distance exceeds the true one by what is missing from the nuclear
norm of A Bᵀ, the trace of √(ΣΣ'). Free probability gives that norm for any number of features, above and below their
dimension: the spectrum of the product of two sample covariances is that of ΣΣ' times two Marchenko-Pastur laws, so that
its S-transform is known (Voiculescu 1987). Let k(t) = Σᵢ σᵢ²t / (1 + σᵢ²t) for the squares σᵢ² of the eigenvalues of
√(ΣΣ'): it is the effective number of dimensions at the scale t. Then the expected norm is

    2/π ∫ √((1 - k/N)₊ (1 - k/M)₊) t(k)^-½ dk    over k from 0 to the dimension,

and the trace itself is the same without the root (Tiomoko and Couillet 2019 give the case N, M > D in another form).
Singular values of A Bᵀ show t(k) times (1 - k/N)(1 - k/M), for k below N and M. So the integrand is read from the data
as far as they reach. From there it is extrapolated as for eigenvalues that fall off by a power of their index.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fvd_bench.features.moments import Float64

_POINTS = 1500
_RANGE = 1e4
"""Scales go from this fraction of the smallest to this multiple of the largest that matters, where k is exact to
1e-4."""

_READ = 0.75
_SLOPE_FROM = 0.35
"""Fractions of the smaller number of features. Values up to the first are read from the data, which tell little
beyond it. Values between the second and the first give the power of the extrapolation."""

_STEEPEST = 4.0
_HALVINGS = 12


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two populations share, by effective dimension.

    dims: k, [P], rising to at most D.
    density: t(k)^-½, [P], whose integral is π/2 times the trace of √(ΣΣ').
    known: the k up to which the density was read from the data. Beyond it the density is extrapolated.
    """

    dims: Float64
    density: Float64
    known: float

    @classmethod
    def of(cls, values: Float64, n: int, m: int, dim: int) -> Overlap:
        """Make it from the singular values of A Bᵀ. n, m: numbers of features, 2 or more each. dim: length of a
        feature."""
        squares = np.sort(values[values > values.max(initial=0.0) * 1e-8] ** 2) / ((1 - 1 / n) * (1 - 1 / m))
        if not len(squares):
            return cls(np.zeros(2), np.zeros(2), float("inf"))
        scales = np.geomspace(1 / (_RANGE * squares[-1]), _RANGE / squares[0], _POINTS)
        dims = _effective(squares, scales)
        least = min(n, m) - 1
        free = np.maximum((1 - dims / (n - 1)) * (1 - dims / (m - 1)), 0.0)
        known = _READ * least
        if min(dim, len(squares)) <= known:  # the features could show more directions than there are
            return cls(dims, 1 / np.sqrt(scales * free), float("inf"))
        read = dims < 0.95 * least
        dims, density = dims[read], 1 / np.sqrt(scales[read] * free[read])
        start, end = _at(dims, density, _SLOPE_FROM * least), _at(dims, density, known)
        beyond, tail = _tail(dim, _SLOPE_FROM * least, known, start / end)
        below = dims < known
        joined = np.concatenate([dims[below], [known], beyond])
        return cls(joined, np.concatenate([density[below], [end], end * tail]), known)

    def added(self, n: float, m: float, ddof: int) -> float:
        """Return by how much chance raises the distance on average, at n and m features. ddof: see
        `frechet_distance`."""
        trace, shared = self._integral(np.ones_like(self.dims)), self._integral(1 - self._missing(n, m))
        scale = (n - 1) / (n - ddof), (m - 1) / (m - ddof)
        return trace * (1 / n + 1 / m + sum(scale)) - 2 * math.sqrt(scale[0] * scale[1]) * shared

    def guessed(self, n: int, m: int) -> float:
        """Return the fraction of what chance adds that comes from the extrapolated dimensions, 0 to 1."""
        missing = self._missing(n, m)
        whole = self._integral(missing)
        return self._integral(np.where(self.dims > self.known, missing, 0.0)) / whole if whole else 0.0

    def _missing(self, n: float, m: float) -> Float64:
        left: Float64 = np.maximum(1 - self.dims / (n - 1), 0.0) * np.maximum(1 - self.dims / (m - 1), 0.0)
        return np.asarray(1 - np.sqrt(left))

    def _integral(self, weights: Float64) -> float:
        """Integrate over k by the trapezoidal rule."""
        values = weights * self.density
        return float(2 / np.pi * np.sum(np.diff(self.dims) * (values[1:] + values[:-1]) / 2))


def _effective(squares: Float64, scales: Float64) -> Float64:
    """Return k(t) for each scale."""
    dims: Float64 = np.zeros_like(scales)
    for square in squares:
        dims += square * scales / (1 + square * scales)
    return dims


def _at(dims: Float64, density: Float64, k: float) -> float:
    return float(np.exp(np.interp(np.log(k), np.log(dims), np.log(density))))


def _tail(dim: int, start: float, end: float, ratio: float) -> tuple[Float64, Float64]:
    """Return dimensions beyond `end`, and their density relative to that at `end`.

    They follow the power law whose density at `start` is `ratio` times that at `end`.
    """
    low, high = 0.0, _STEEPEST
    for _ in range(_HALVINGS):
        power = (low + high) / 2
        dims, density = _power_law(power, dim)
        if _at(dims, density, start) / _at(dims, density, end) < ratio:
            low = power
        else:
            high = power
    dims, density = _power_law((low + high) / 2, dim)
    beyond = dims > end
    return dims[beyond], density[beyond] / _at(dims, density, end)


@lru_cache(maxsize=64)
def _power_law(power: float, dim: int) -> tuple[Float64, Float64]:
    """Return dimensions and density where eigenvalue number i is i^-power."""
    squares = np.arange(1, dim + 1, dtype=np.float64) ** (-2 * power)
    scales = np.geomspace(1 / (_RANGE * squares[0]), _RANGE / squares[-1], _POINTS)
    return _effective(squares, scales), 1 / np.sqrt(scales)
