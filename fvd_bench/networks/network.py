"""What a network is to everything around it: a description that protocols are checked by, and what it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import ProtocolError
from fvd_bench.protocols.rules import FeatureRule, Resize
from fvd_bench.videos.video import Pixels

Features = NDArray[np.float32]

BATCH_FRAMES = 32
"""Frames in a micro-batch, unless a network has more or fewer: 2 clips of 16 frames, or 1 of 128. It is part of the
arithmetic, so it is never a setting of a run."""

_USUAL_SIZE = 224

Sees = Literal["clips", "frames"]

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


@runtime_checkable
class AsynchronousExtractor(FeatureExtractor, Protocol):
    """A network that takes more clips before it is done with the last ones, as one on a GPU can."""

    def begin(self, clips: Sequence[Pixels]) -> Callable[[], list[Features]]:
        """Start on clips, and return a function that waits for what calling the extractor with them gives."""


def begin(extractor: FeatureExtractor, clips: Sequence[Pixels]) -> Callable[[], list[Features]]:
    """Start an extractor on clips, and return a function that waits for their features. Most run here and now."""
    if isinstance(extractor, AsynchronousExtractor):
        return extractor.begin(clips)
    features = extractor(clips)
    return lambda: features


class Create(Protocol):
    """A function that makes the extractor of a network."""

    def __call__(
        self, rule: FeatureRule, *, device: str, weights: Mapping[str, Path], progress: Progress
    ) -> FeatureExtractor:
        """Load the network as the rule wants it.

        device: one of the network's `devices`. weights: for names of sets of weights, the file to read the set from.
        progress: reports on fetching. Raises ProtocolError for a rule that the network cannot follow, and WeightsError.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network that protocols may name. Making this loads nothing.

    layers: its outputs, and the length of a feature of each. sees: whether a feature is of a whole clip or of a single
    frame.
    fewest_frames, most_frames: of the shortest and of the longest clip that it can see, None where there is no longest.
    size: the side in pixels of the frames that it sees, None for any. kernel: that of the resize to this size, where
    the network does it itself; None for any. range: what it sees for black and for white, None for any.
    weights: the names of its sets of weights in the store.
    software: the packages that its layers are from, as pip names them. Their versions are part of the key of stored
    features and of the signature.
    arithmetic: device -> how it computes there, where an earlier version of this package did otherwise, to other digits
    of one feature. It is part of the key of stored features, and not of the signature.
    devices: where it runs.
    licence: where none of these says it. checked: what its features were compared with.
    version: rises whenever a feature could change. Empty for networks of this package, which has a version of its own.
    """

    name: str
    create: Create
    layers: Mapping[str, int] = field(hash=False)
    sees: Sees = "clips"
    fewest_frames: int = 1
    most_frames: int | None = None
    size: int | None = None
    kernel: Literal["bilinear", "bilinear-tf1", "bilinear-align-corners", "bicubic"] | None = None
    range: tuple[float, float] | None = None
    weights: tuple[str, ...] = ()
    software: tuple[str, ...] = ()
    arithmetic: Mapping[str, str] = field(default_factory=dict, hash=False)
    devices: tuple[str, ...] = ("cpu", "cuda", "mps")
    licence: str = ""
    checked: str = ""
    version: str = ""

    def count(self, lengths: Sequence[int]) -> int:
        """Return how many features clips of these numbers of frames give."""
        return sum(lengths) if self.sees == "frames" else len(lengths)

    def rule(self, name: str, layer: str | None = None) -> FeatureRule:
        """Return a rule that it can follow, with frames of 224 pixels where it sees any.

        name: what protocols call it. layer: None for its first one.
        """
        return FeatureRule(
            extractor=name,
            layer=layer or next(iter(self.layers)),
            resize=Resize(size=self.size or _USUAL_SIZE, kernel=self.kernel or "bilinear"),
            range=self.range or (-1.0, 1.0),
        )

    def check(self, rule: FeatureRule) -> None:
        """Raise ProtocolError when it has no such layer, or cannot see frames that are prepared by the rule."""
        if rule.layer not in self.layers:
            has = " or ".join(f'"{layer}"' for layer in self.layers)
            raise ProtocolError(f"{self.name} has the layer {has}, not {rule.layer!r}")
        wanted = self.rule(rule.extractor)
        if self.kernel is not None and rule.resize != wanted.resize:
            raise ProtocolError(f"{self.name} resizes by itself: resize must be {wanted.resize}")
        if self.size is not None and (rule.resize is None or rule.resize.size != self.size):
            found = "none" if rule.resize is None else rule.resize.size
            raise ProtocolError(
                f"{self.name} sees {self.size} × {self.size} pixels: resize must have size = {self.size}, not {found}"
            )
        if self.range is not None and rule.range != self.range:
            low, high = self.range
            raise ProtocolError(
                f"{self.name} sees values of {low:g} to {high:g}: range must be [{low:g}, {high:g}], not "
                f"[{rule.range[0]:g}, {rule.range[1]:g}]"
            )
