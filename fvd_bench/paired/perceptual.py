"""The networks of LPIPS that protocols name, each loaded once, or the reason why one cannot be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fvd_bench.errors import WeightsError
from fvd_bench.networks.weights.lpips_tensors import BACKBONES
from fvd_bench.paired.measurement import Measure
from fvd_bench.progress import Progress, fetching
from fvd_bench.protocols.paired import LpipsRule
from fvd_bench.settings import Settings
from fvd_bench.videos.video import Pixels

if TYPE_CHECKING:
    from fvd_bench.networks.lpips import Lpips


@dataclass(frozen=True)
class Perceptual:
    """LPIPS by several rules at once.

    rules: those whose network is here. missing: network -> a sentence that says why it is not, and what to do.
    """

    rules: Sequence[LpipsRule]
    networks: Mapping[str, Lpips]
    missing: Mapping[str, str]

    @classmethod
    def load(cls, rules: Sequence[LpipsRule], settings: Settings, device: str, progress: Progress) -> Perceptual:
        """Load the networks of rules, and fetch the weights that are missing, as far as they can be had.

        Raises WeightsError where a file that the settings name cannot be used.
        """
        from fvd_bench.networks.lpips import Lpips

        networks: dict[str, Lpips] = {}
        missing: dict[str, str] = {}
        files = {name: Path(file) for name, file in settings.weights.items()}
        fetched = fetching(progress, "weights")
        for name in dict.fromkeys(rule.network for rule in rules):
            try:
                networks[name] = Lpips(name, device=device, weights=files, progress=fetched)
            except WeightsError as error:
                if BACKBONES[name].weights in files:
                    raise
                missing[name] = error.sentence
        return cls([rule for rule in dict.fromkeys(rules) if rule.network in networks], networks, missing)

    @property
    def weights(self) -> dict[str, str]:
        """The digests of all that was loaded, by name."""
        return {name: digest for network in self.networks.values() for name, digest in network.weights.items()}

    @property
    def unverified(self) -> list[str]:
        """Sentences about weights whose identity nobody has published."""
        return [sentence for network in self.networks.values() for sentence in network.unverified]

    def batch(self, height: int, width: int) -> int:
        """Return how many frames of this size to measure at a time; 0 where they are too small for every network."""
        fitting = [network for network in self.networks.values() if network.smallest <= min(height, width)]
        return fitting[0].batch(height, width) if fitting else 0

    def distances(self, real: Pixels, fake: Pixels) -> dict[Measure, list[float]]:
        """Measure each pair of frames, uint8 [N, H, W, 3], by all rules whose networks can see frames of this size."""
        found: dict[Measure, list[float]] = {}
        for name, network in self.networks.items():
            if network.smallest <= min(real.shape[1:3]):
                rules = {rule.spatial: rule for rule in self.rules if rule.network == name}
                for spatial, values in network.distances(real, fake, rules).items():
                    found[rules[spatial]] = values
        return found
