"""OnlineExtraction: the features of videos that come as arrays, as a protocol and a seed draw them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch

from fvd_bench.errors import ArgumentError, FvdBenchError, ProtocolError, ShortVideoError, SourceError, VideoError
from fvd_bench.features import distributed
from fvd_bench.features.batches import Batches
from fvd_bench.features.keys import ENGINE, UNNAMED_ENGINE
from fvd_bench.features.online_facts import OnlineFacts
from fvd_bench.features.online_features import OnlineFeatures
from fvd_bench.features.store import FeatureStore
from fvd_bench.networks import NETWORKS, FeatureExtractor, Network, create, environment, software, versions
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import FRECHET, Side
from fvd_bench.settings import Settings
from fvd_bench.sources.arrays import ArrayVideos
from fvd_bench.videos.array_layout import Layout
from fvd_bench.videos.arrays import as_block
from fvd_bench.videos.clips import Draw, read_draws


class OnlineExtraction:
    """What makes features of the videos of a training loop, and says which features belong together.

    seed: of all draws. metric: the first Fréchet distance among the protocol's metrics.
    given: the protocol's network where it was handed over in Python, so that no name of it lasts.

    Raises FvdBenchError for a seed that is none, ProtocolError for a protocol without a Fréchet distance, or one that
    makes its fake clips of real videos, and what `networks.create` raises.
    """

    def __init__(self, protocol: Protocol, *, seed: int, settings: Settings, given: Network | None) -> None:
        self.protocol = protocol
        self.seed = seed
        self.metric = _frechet(protocol.metric.names, protocol.name)
        self.settings = settings
        self._given = given
        self._extractor: FeatureExtractor | None = None
        if not 0 <= seed < 2**32:
            raise ArgumentError(f"seed = {seed}: expected 0 to 2^32 - 1")
        if protocol.fake.takes_real:
            raise ProtocolError(
                f"{protocol.name} makes its fake clips of the real videos, so no fake ones can be handed to it: "
                "use fvd_bench.evaluate"
            )

    @property
    def network(self) -> FeatureExtractor:
        """The network, loaded when it is first used."""
        if self._extractor is None:
            with self.findable():
                self._extractor = create(
                    self.protocol.features,
                    device=environment.resolve_device(self.settings.device),
                    weights=self.settings.weights,
                    progress=lambda done, total: None,
                )
        return self._extractor

    @property
    def software(self) -> tuple[str, ...]:
        """The packages whose versions are part of the network."""
        with self.findable():
            return software(self.protocol.features)

    @property
    def versions(self) -> dict[str, str]:
        """The versions of all software that can change the features."""
        with self.findable():
            return versions([self.protocol.features], environment.resolve_device(self.settings.device))

    @contextlib.contextmanager
    def findable(self) -> Iterator[None]:
        """Let what works by the protocol find its network, also where that was handed over in Python."""
        with NETWORKS.given(self._given.name, self._given) if self._given else contextlib.nullcontext():
            yield

    @property
    def identity(self) -> dict[str, str | int]:
        """What has to agree for features to belong together, and the name of the protocol for people. engine: the
        version of our own arithmetic, see `keys`."""
        return {
            "protocol": self.protocol.name,
            "digest": self.protocol.alone(self.metric).digest(),
            "seed": self.seed,
            "weights": ",".join(self.network.weights.values()),
            "engine": ENGINE,
        }

    def goes_with(self, other: Mapping[str, Any]) -> bool:
        """Return whether features of another identity are made like these; metrics beside the distance may differ.

        States of older versions have the digest of the whole protocol, and do not name their engine.
        """
        mine = self.identity
        digests = (mine["digest"], self.protocol.digest())
        theirs = {"engine": UNNAMED_ENGINE, **other}
        return theirs.get("digest") in digests and all(theirs.get(k) == mine[k] for k in ("seed", "weights", "engine"))

    def features(
        self, side: Side, videos: object, layout: Layout, *, next_turn: int
    ) -> tuple[OnlineFeatures, OnlineFacts]:
        """Compute the features of the next videos of a side, and note what their frames are like.

        next_turn: the number of videos of the side that this process has had. The k-th video of a process has the index
        k · processes + rank. Raises SourceError, ShortVideoError, VideoError and FeatureError.
        """
        name = f"the {side} array"
        block = as_block(videos)
        if block is None:
            raise SourceError(f"{name} is of type {type(videos).__name__}: expected a NumPy array or a tensor")
        source = ArrayVideos.of_one(name, "array", block, layout, stamp=None)
        draw = Draw(self.protocol.clip_rule(side), side, self.seed)
        world = distributed.world()
        places = itertools.count(next_turn * world + distributed.rank(), world)
        named = {place: f"{side} video {place}" for place in itertools.islice(places, len(source.names))}
        with (
            self.findable(),
            contextlib.closing(FeatureStore(None)) as store,
            contextlib.closing(Batches(store, {self.protocol.features: self.network})) as batches,
        ):
            for video, (place, name) in zip(source.videos, named.items(), strict=True):
                if video.num_frames < draw.rule.frames_needed:
                    raise ShortVideoError(video.num_frames, draw.rule.frames_needed, name)
                for item in read_draws(video, [draw], place):
                    batches.add(name, name, self.protocol.features, item)
            batches.flush()
            gathered = OnlineFeatures()
            for place, name in named.items():
                entry, facts = store.get(name), batches.facts[name]
                if entry is None or facts.skipped is not None:
                    raise VideoError(f"{name}: {facts.skipped}")
                gathered.add(place, entry.features, turn=place // world)
        noted = OnlineFacts.of(batches.facts, source.notes, source.value_range)
        return gathered, replace(noted, made_with=(self.versions,))

    def move(self, device: str | torch.device) -> None:
        """Move the network to `cpu`, `mps` or `cuda` (the current CUDA device). Raises FvdBenchError for another."""
        try:
            wanted = torch.device(device if device != "auto" else environment.resolve_device("auto"))
        except RuntimeError as error:  # it is no device of torch
            raise ArgumentError(f"device {device}: allowed are cpu, cuda, mps") from error
        if wanted.type == "cuda" and wanted.index not in (None, _current_cuda()):
            raise FvdBenchError(f"device {wanted} is not the current one: call torch.cuda.set_device({wanted.index})")
        if wanted.type not in ("cpu", "cuda", "mps"):
            raise ArgumentError(f"device {wanted}: allowed are cpu, cuda, mps")
        self.settings = replace(self.settings, device=wanted.type)  # type: ignore[arg-type]  # one of these
        self._extractor = None
        assert self.network  # loaded, or refused, now

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the network, which is loaded again where it is needed."""
        return {**self.__dict__, "_extractor": None}


def _frechet(names: tuple[str, ...], protocol: str) -> str:
    """Return the first Fréchet distance among the metrics. Raises ProtocolError where there is none."""
    for name in names:
        if name in FRECHET:
            return name
    raise ProtocolError(f"{protocol} has no Fréchet distance, only {', '.join(names)}: use fvd_bench.evaluate")


def _current_cuda() -> int | None:
    return torch.cuda.current_device() if torch.cuda.is_available() else None
