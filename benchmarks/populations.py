"""Feature populations whose Fréchet distance is known, shaped like those of I3D."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DIM = 400
VARIANCES = 110 * np.arange(1, DIM + 1) ** -1.7
"""Falls off like the spectrum of I3D features of talking faces: 110, 19 (3rd), 0.7 (20th), 0.04 (100th)."""

_SHIFTED = 20


@dataclass(frozen=True, slots=True)
class Population:
    """Features that differ from the real ones by a shift of the first axes and a scale of all.

    strength: 0 for the real population; the squared distance to that grows with its square. tails: degrees of freedom
    of a common factor that makes some videos extreme, None for Gaussians. A common factor of variance 1 leaves the
    covariance as it is.
    """

    strength: float
    tails: int | None = None

    @property
    def distance(self) -> float:
        """Squared Fréchet distance to the real population, in closed form."""
        return float(_SHIFTED * self.strength**2 + (0.1 * self.strength) ** 2 * VARIANCES.sum())

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Features [count, DIM]."""
        features = rng.standard_normal((count, DIM)) * np.sqrt(VARIANCES)
        if self.tails:
            features *= np.sqrt((self.tails - 2) / rng.chisquare(self.tails, (count, 1)))
        features *= 1 + 0.1 * self.strength
        features[:, :_SHIFTED] += self.strength
        return features.astype(np.float32)


def of_distance(distance: float, tails: int | None = None) -> Population:
    """The population at a squared distance."""
    return Population(float(np.sqrt(distance / Population(1.0).distance)), tails)
