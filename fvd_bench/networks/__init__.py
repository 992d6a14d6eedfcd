"""Feature extractors: networks that turn uint8 clips into features, found by the name in a protocol."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import ProtocolError
from fvd_bench.networks import weights as weight_store
from fvd_bench.paths import PathLike
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.videos.video import Pixels

__all__ = [
    "FeatureExtractor",
    "Features",
    "Progress",
    "arithmetic",
    "create",
    "environment",
    "fingerprint",
    "goldens",
    "i3d_network",
    "verification",
    "weights",
]

Features = NDArray[np.float32]

Progress = Callable[[int, int | None], None]
"""Called with (bytes done, bytes in all, None where that is not known)."""


class FeatureExtractor(Protocol):
    """A network with its preprocessing.

    dim: length of a feature vector. weights: name -> tensor digest of what it was loaded with, empty for none.
    unverified: sentences about weights whose identity nobody has published.
    """

    @property
    def dim(self) -> int: ...
    @property
    def weights(self) -> Mapping[str, str]: ...
    @property
    def unverified(self) -> Sequence[str]: ...

    def batch_clips(self, frames: int) -> int:
        """How many clips of this many frames to hand over at a time."""

    def __call__(self, clips: Sequence[Pixels]) -> list[Features]:
        """Features of each clip, float32 [1, dim], or [T, dim] for networks that see single frames.

        clips: uint8 [T, H, W, 3] each. A clip's features are the same in any company and at any place: the
        network always runs on micro-batches of one size, filled up where clips are missing.
        """


_MODULES = {
    "i3d": "fvd_bench.networks.i3d",
    "inception": "fvd_bench.networks.inception",
    "pixels": "fvd_bench.networks.pixels",
}


def create(rule: FeatureRule, *, device: str, weights: Mapping[str, PathLike], progress: Progress) -> FeatureExtractor:
    """Build the extractor that a protocol names, fetching its weights if they are not there yet.

    device: `cpu` or `cuda`; weights: name of a set of weights -> file to read it from; progress: of fetching.
    Raises ProtocolError when the extractor cannot do what the rule asks for, WeightsError without weights, or for
    files of weights that there are not.
    """
    for name in weights:
        weight_store.spec_of(name)
    if rule.precision == "tf32" and device != "cuda":
        raise ProtocolError('precision = "tf32" exists on CUDA devices only')
    module = importlib.import_module(_MODULES[rule.extractor])
    files = {name: Path(file) for name, file in weights.items()}
    extractor: FeatureExtractor = module.create(rule, device=device, weights=files, progress=progress)
    return extractor
