"""Feature populations whose Fréchet distance is known, shaped like those of I3D."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

DIM = 400
_LARGEST = 110
_SHIFTED = 20


@dataclass(frozen=True, slots=True)
class Population:
    """Features that differ from the real ones by a shift of the first 20 axes and a scale of all.

    strength: 0 for the real population; the squared distance to that grows with its square. tails: degrees of freedom
    of a common factor that makes some videos extreme, None for Gaussians. A common factor of variance 1 leaves the
    covariance as it is. slope: variances fall off as i^-slope, from 110; 1.7 is like the spectrum of I3D features of
    talking faces: 110, 19 (3rd), 0.7 (20th), 0.04 (100th). clusters: kinds of scenes, each with a centre and a spread
    of its own, 0 for none.
    """

    strength: float = 0.0
    tails: int | None = None
    slope: float = 1.7
    clusters: int = 0
    dim: int = DIM

    @property
    def variances(self) -> NDArray[np.float64]:
        """The variances of the features of one kind of scene, [dim]."""
        return np.asarray(_LARGEST * np.arange(1, self.dim + 1) ** -self.slope)

    @property
    def trace(self) -> float:
        """The trace of the covariance of the real population."""
        if not self.clusters:
            return float(self.variances.sum())
        centres, spreads = self._kinds()
        return float(np.mean(spreads**2) * self.variances.sum() + np.mean(np.sum(centres**2, axis=1)))

    @property
    def distance(self) -> float:
        """Squared Fréchet distance to the real population, in closed form."""
        return float(_SHIFTED * self.strength**2 + (0.1 * self.strength) ** 2 * self.trace)

    def at(self, distance: float) -> Population:
        """Return this population, moved to a squared distance from the real one."""
        return replace(self, strength=float(np.sqrt(distance / replace(self, strength=1.0).distance)))

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return features [count, dim]."""
        features = rng.standard_normal((count, self.dim)) * np.sqrt(self.variances)
        if self.tails:
            features *= np.sqrt((self.tails - 2) / rng.chisquare(self.tails, (count, 1)))
        if self.clusters:
            centres, spreads = self._kinds()
            kinds = rng.integers(0, self.clusters, count)
            features = features * spreads[kinds][:, None] + centres[kinds]
        features *= 1 + 0.1 * self.strength
        features[:, :_SHIFTED] += self.strength
        return features.astype(np.float32)

    def _kinds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the centres of kinds of scenes, [clusters, dim] around 0, and their spreads, [clusters]."""
        rng = np.random.default_rng(99)
        centres = 0.7 * rng.standard_normal((self.clusters, self.dim)) * np.sqrt(self.variances)
        return centres - centres.mean(axis=0), rng.uniform(0.5, 1.5, self.clusters)


def of_distance(distance: float, tails: int | None = None) -> Population:
    """Return the population at a squared distance from the real one."""
    return Population(tails=tails).at(distance)
