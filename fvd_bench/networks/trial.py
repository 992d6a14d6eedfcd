"""A trial of a network on synthetic clips, before any score: does it do what it says, whatever stands beside a clip?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from fvd_bench.errors import FvdBenchError, NetworkError
from fvd_bench.networks import NETWORKS, Network, create, identity, pinned
from fvd_bench.networks.network import FeatureExtractor, Features
from fvd_bench.paths import PathLike
from fvd_bench.videos.video import Pixels

SAME = 1e-5
"""The largest difference, relative to the largest feature, that still counts as the same. Rounding is below 1e-6."""

_CLIPS = 3
_HEIGHT, _WIDTH = 48, 64
_USUAL_FRAMES = 16
_AGAIN = "is the same when it is made again"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a network has to do. found: what it does, in a few words."""

    name: str
    ok: bool
    found: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial found. identity: as in `networks.identity`, or the name of a network of this package."""

    network: str
    layer: str
    identity: str
    dim: int
    weights: dict[str, str]
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


def trial(name: str, *, layer: str | None = None, device: str, weights: Mapping[str, PathLike]) -> Trial:
    """Try a network by name. layer: None for its first one. device, weights: as in `networks.create`.

    Raises ProtocolError, NetworkError and WeightsError when it cannot be made. What it does wrong are checks that fail.
    """
    network = NETWORKS.find(name)
    rule = network.rule(name, layer)
    network.check(rule)
    checks = []
    if network.version:
        first = pinned(rule, name)
        try:
            create(first, device=device, weights=weights, progress=_silent)
            checks.append(Check(_AGAIN, True, first.network))
        except NetworkError as error:
            checks.append(Check(_AGAIN, False, str(error)))
    extractor = create(rule, device=device, weights=weights, progress=_silent)
    checks += _Tried(network, extractor).checks()
    shown = identity(network, extractor) if network.version else name
    return Trial(name, rule.layer, shown, extractor.dim, dict(extractor.weights), tuple(checks))


def _silent(done: int, total: int | None) -> None:
    """Report nothing."""


class _Tried:
    """An extractor and its features of synthetic clips, which move and differ."""

    def __init__(self, network: Network, extractor: FeatureExtractor) -> None:
        self._network = network
        self._extractor = extractor
        self._frames = max(network.fewest_frames, min(_USUAL_FRAMES, network.most_frames or _USUAL_FRAMES))
        self._clips = [self._clip(self._frames, seed) for seed in range(_CLIPS)]

    def checks(self) -> Iterator[Check]:
        """Yield the checks, up to the first that the others would need."""
        before = [clip.copy() for clip in self._clips]
        try:
            found = self._whole
        except FvdBenchError as error:
            yield Check(f"takes clips of {self._frames} frames", False, str(error))
            return
        yield self._shaped(f"takes clips of {self._frames} frames", found, self._clips)
        is_same = all(np.array_equal(a, b) for a, b in zip(before, self._clips, strict=True))
        yield Check("leaves clips as they are", is_same, "unchanged" if is_same else "it writes into them")
        for frames in sorted({self._network.fewest_frames, self._network.most_frames or 2 * self._frames}):
            if frames != self._frames:
                yield self._told(f"takes clips of {frames} frames", partial(self._of_length, frames))
        if not all(part.shape == found[0].shape and np.isfinite(part).all() for part in found):
            return
        yield self._told("gives the same when called again", lambda: _alike(self._whole, self._run(self._clips)))
        yield self._told("gives the same one by one", self._one_by_one)
        yield self._told("gives the same in another order", self._turned)
        yield self._told("gives the same beside other clips", self._beside_others)
        apart = min(_gap(found[i], found[j]) for i in range(_CLIPS) for j in range(i))
        yield Check("gives others for other clips", apart > SAME, f"they are {apart:.1e} apart")

    @cached_property
    def _whole(self) -> list[Features]:
        return self._run(self._clips)

    def _run(self, clips: Sequence[Pixels]) -> list[Features]:
        """Return the features of clips, a batch at a time as an evaluation does it."""
        size = self._extractor.batch_clips(len(clips[0]))
        batches = [self._extractor(clips[first : first + size]) for first in range(0, len(clips), size)]
        return [features for batch in batches for features in batch]

    def _clip(self, frames: int, seed: int) -> Pixels:
        """Return a clip of a bright square that moves over noise, uint8 [frames, H, W, 3]."""
        rng = np.random.default_rng([seed, frames])
        clip = np.repeat(rng.integers(0, 160, (1, _HEIGHT, _WIDTH, 3), dtype=np.uint8), frames, axis=0)
        for t in range(frames):
            left = (5 * seed + 2 * t) % (_WIDTH - 8)
            clip[t, _HEIGHT // 4 : _HEIGHT // 2, left : left + 8] = 200 + 20 * seed
        return clip

    def _shaped(self, name: str, found: Sequence[Features], clips: Sequence[Pixels]) -> Check:
        rows = len(clips[0]) if self._network.sees == "frames" else 1
        expected = (rows, self._extractor.dim)
        for part in found:
            if part.dtype != np.float32 or part.shape != expected:
                return Check(name, False, f"{part.dtype} {list(part.shape)}, expected float32 {list(expected)}")
            if not np.isfinite(part).all():
                return Check(name, False, "some features are NaN or infinite")
        return Check(name, len(found) == len(clips), f"{len(found)} × float32 {list(expected)}")

    def _of_length(self, frames: int) -> Check:
        clips = [self._clip(frames, 0)]
        return self._shaped("", self._run(clips), clips)

    def _told(self, name: str, check: Callable[[], Check]) -> Check:
        """Return a check under its name, failed where the network fails in it."""
        try:
            found = check()
        except FvdBenchError as error:
            return Check(name, False, str(error))
        return Check(name, found.ok, found.found)

    def _one_by_one(self) -> Check:
        return _alike(self._whole, [self._run([clip])[0] for clip in self._clips])

    def _turned(self) -> Check:
        """Compare with the features where the first clip comes last, so that each stands at another place."""
        *others, first = self._run([*self._clips[1:], self._clips[0]])
        return _alike(self._whole, [first, *others])

    def _beside_others(self) -> Check:
        """Compare the first clip's features with those that it has beside a black and a white clip."""
        black = np.zeros_like(self._clips[0])
        found = self._run([black, self._clips[0], black + 255])
        if not all(np.isfinite(part).all() for part in found):
            return Check("", False, "some features of black or white clips are NaN or infinite")
        return _alike(self._whole[:1], found[1:2])


def _alike(found: Sequence[Features], others: Sequence[Features]) -> Check:
    """Compare features of the same clips, which must not differ by more than `SAME`."""
    gap = max(_gap(a, b) for a, b in zip(found, others, strict=True))
    return Check("", gap <= SAME, "to the last bit" if gap == 0 else f"but for {gap:.1e} of the largest feature")


def _gap(a: Features, b: Features) -> float:
    """Return the largest difference of features, relative to the largest of them. Other shapes are infinitely far."""
    if a.shape != b.shape:
        return np.inf
    largest = max(float(np.abs(a).max()), float(np.abs(b).max()))
    return 0.0 if largest == 0 else float(np.abs(a - b).max()) / largest
