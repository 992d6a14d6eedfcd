"""Feature extractors: networks that turn uint8 clips into features, found by the name in a protocol."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import ProtocolError
from fvd_bench.paths import PathLike
from fvd_bench.protocols import protocol as protocols
from fvd_bench.protocols.rules import SIDES, FeatureRule
from fvd_bench.videos.video import Pixels

__all__ = [
    "NETWORKS",
    "FeatureExtractor",
    "Features",
    "Network",
    "Progress",
    "arithmetic",
    "check",
    "create",
    "environment",
    "fingerprint",
    "goldens",
    "i3d_network",
    "remembered",
    "verification",
    "weights",
]

Features = NDArray[np.float32]

Progress = Callable[[int, int | None], None]
"""A function that is called with (bytes done, bytes in all), the second None where it is not known."""


class FeatureExtractor(Protocol):
    """A network with its preprocessing.

    dim: length of a feature vector.
    weights: tensor digests of the weights that it was loaded with, by name. Empty if it has none.
    unverified: sentences about weights whose identity nobody has published.
    """

    @property
    def dim(self) -> int: ...
    @property
    def weights(self) -> Mapping[str, str]: ...
    @property
    def unverified(self) -> Sequence[str]: ...

    def batch_clips(self, frames: int) -> int:
        """Return how many clips of this many frames to hand over at a time."""

    def __call__(self, clips: Sequence[Pixels]) -> list[Features]:
        """Return the features of each clip, float32 [1, dim], or [T, dim] for networks that see single frames.

        clips: each uint8 [T, H, W, 3].
        The features of a clip depend neither on the other clips nor on its place among them: the network always runs on
        micro-batches of one size, padded where clips are missing.
        """


@dataclass(frozen=True, slots=True)
class Network:
    """A network that protocols may name.

    module: whose `create` makes its extractor; it is imported when the network has to run. fewest_frames, most_frames:
    of the shortest and of the longest clip that it can see, None where there is no longest. sees: whether a feature is
    of a whole clip or of a single frame. weights: the names of its sets of weights.
    """

    name: str
    module: str
    fewest_frames: int
    sees: Literal["clips", "frames"]
    most_frames: int | None = None
    weights: tuple[str, ...] = ()

    def count(self, lengths: Sequence[int]) -> int:
        """Return how many features clips of these numbers of frames give."""
        return sum(lengths) if self.sees == "frames" else len(lengths)


NETWORKS = {
    network.name: network
    for network in (
        Network("i3d", "fvd_bench.networks.i3d", fewest_frames=9, sees="clips", weights=("i3d-kinetics-400",)),
        Network(
            "inception",
            "fvd_bench.networks.inception",
            fewest_frames=1,
            sees="frames",
            weights=("inception-2015-12-05",),
        ),
        Network(
            "c3d",
            "fvd_bench.networks.c3d",
            fewest_frames=16,
            most_frames=16,
            sees="clips",
            weights=("c3d-ucf101", "c3d-ucf101-mean"),
        ),
        Network("pixels", "fvd_bench.networks.pixels", fewest_frames=1, sees="clips"),
    )
}
"""Name, as protocols have it, -> network. A new network is a module, and its place here."""


def check(protocol: protocols.Protocol, where: str) -> None:
    """Raises ProtocolError, naming `where`, when a protocol's network does not exist or cannot see its clips."""
    name = protocol.features.extractor
    if name not in NETWORKS:
        raise ProtocolError(f"{where}: extractor = {name!r}: allowed are {', '.join(map(repr, NETWORKS))}")
    fewest, most = NETWORKS[name].fewest_frames, NETWORKS[name].most_frames
    for side in SIDES:
        frames = protocol.clip_rule(side).frames
        if frames == "all":
            if fewest > 1:
                raise ProtocolError(f"{where}: {name} needs clips of a fixed length; {side} frames is 'all'")
        elif fewest == most and frames != fewest:
            raise ProtocolError(f"{where}: {side} frames = {frames}, but {name} sees clips of {fewest} frames alone")
        elif frames < fewest:
            raise ProtocolError(
                f"{where}: {side} frames = {frames}, but {name} needs at least {fewest} frames a clip "
                "(below that its last pooling window is empty and the original network gives NaN)"
            )


def create(rule: FeatureRule, *, device: str, weights: Mapping[str, PathLike], progress: Progress) -> FeatureExtractor:
    """Build the extractor that a protocol names. Weights that are not here yet are fetched. Where an earlier run built
    the same from the same files, and torch is not loaded, that is put off until the extractor has to run.

    The global random generator of torch stays as it is.
    device: `cpu`, `cuda` or `mps`.
    weights: for names of sets of weights, the file to read the set from.
    progress: reports on fetching.
    Raises ProtocolError when the extractor cannot do what the rule asks for. Raises WeightsError when the weights
    cannot be found or used, and for unknown names in `weights`.
    """
    from fvd_bench.networks import remembered
    from fvd_bench.networks import weights as weight_store

    for name in weights:
        weight_store.spec_of(name)
    if rule.precision == "tf32" and device != "cuda":
        raise ProtocolError('precision = "tf32" exists on CUDA devices only')
    files = {name: Path(file) for name, file in weights.items()}
    network = NETWORKS[rule.extractor]

    def make() -> FeatureExtractor:
        import torch  # only here, since it takes seconds

        module = importlib.import_module(network.module)
        with torch.random.fork_rng(devices=[]):  # a network is made with random weights, which its own then replace
            extractor: FeatureExtractor = module.create(rule, device=device, weights=files, progress=progress)
        return extractor

    places = {each.name: each.path for each in weight_store.installed()} | files
    used = [places[name] for name in network.weights]
    if "torch" not in sys.modules and (deferred := remembered.Deferred.of(rule, used, device, make)):
        return deferred
    extractor = make()
    remembered.remember_network(rule, used, device, extractor)
    return extractor
