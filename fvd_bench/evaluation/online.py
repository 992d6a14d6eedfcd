"""FrechetVideoDistance: a score that is fed inside a training loop, and equals `evaluate` on the same videos."""

from __future__ import annotations

import contextlib
import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from fvd_bench import metrics
from fvd_bench.errors import FvdBenchError, MetricError, ProtocolError, ShortVideoError, SourceError, VideoError
from fvd_bench.evaluation.findings import refuse_skipped, skipped
from fvd_bench.evaluation.loading import load
from fvd_bench.evaluation.result import Score, SideCount
from fvd_bench.evaluation.scoring import as_score
from fvd_bench.features import distributed
from fvd_bench.features.batches import Batches
from fvd_bench.features.extraction import Extraction, Job
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.given import Given, open_side
from fvd_bench.features.online_features import Contribution, OnlineFeatures
from fvd_bench.features.store import FeatureStore
from fvd_bench.inspection import faults
from fvd_bench.metrics.measurement import measure
from fvd_bench.networks import FeatureExtractor, create, environment
from fvd_bench.processors import processors
from fvd_bench.protocols.protocol import ProtocolLike
from fvd_bench.protocols.rules import FRECHET, SIDES, Side
from fvd_bench.settings import Settings
from fvd_bench.sources.arrays import ArrayVideos
from fvd_bench.sources.opening import SourceLike
from fvd_bench.videos.arrays import Layout, ValueRange, as_block
from fvd_bench.videos.clips import Draw, read_draws
from fvd_bench.videos.frame_times import widest

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_T = TypeVar("_T")

Sides = Mapping[Side, FeatureSet]


class FrechetVideoDistance:
    """The Fréchet distance of a protocol, FVD or FID, from videos that come a few at a time.

    real: a side as `evaluate` takes it, read once, when the first score is asked for. Without it the real videos come
    through `update` too.
    seed: of all draws. settings: as for `evaluate`.

    The index of a video is the number of videos that came before it on its side. In a torch.distributed run of several
    processes, the processes take turns: the k-th video of a process has the index k · processes + rank. The index and
    the seed decide which clips are taken of a video, so the score is that of `evaluate` on the same videos in the order
    of their indices. Only features are kept. No global state changes, neither of torch nor of any module.

    Raises ProtocolError for a protocol without a Fréchet distance, or one that makes its fake clips of real videos;
    else as `evaluate` does.
    """

    def __init__(
        self,
        protocol: ProtocolLike = "stylegan-v-fvd16",
        *,
        real: SourceLike | None = None,
        seed: int = 0,
        settings: Settings | None = None,
    ) -> None:
        self.protocol = load(protocol)
        self.seed = seed
        self._settings = settings or Settings()
        self._metric = _frechet(self.protocol.metric.names, self.protocol.name)
        if not 0 <= seed < 2**32:
            raise FvdBenchError(f"seed = {seed}: expected 0 to 2^32 - 1")
        if self.protocol.fake.takes_real:
            raise ProtocolError(
                f"{self.protocol.name} makes its fake clips of the real videos, so no fake ones can be handed to it: "
                "use fvd_bench.evaluate"
            )
        if self._settings.motion:
            raise FvdBenchError("motion = True is a table of fvd_bench.evaluate; a single score has no place for it")
        self._extractor: FeatureExtractor | None = None
        self._real = real
        self._given = None if real is None else open_side(real, "real")
        self._read: tuple[OnlineFeatures, SideCount] | None = None
        if self._given is not None:
            self._given.check_serves(self.protocol.fake, dim=self._network().dim)
            self._given.check_readable()
        self._kept: dict[Side, OnlineFeatures] = {side: OnlineFeatures() for side in SIDES}
        self._noticed: dict[Side, _Noticed] = {side: _Noticed() for side in SIDES}
        self._network()

    @property
    def counts(self) -> dict[Side, int]:
        """The number of videos that each side of this process was given."""
        return {side: len(kept) for side, kept in self._kept.items()}

    def update(
        self,
        *,
        real: ArrayLike | torch.Tensor | None = None,
        fake: ArrayLike | torch.Tensor | None = None,
        axes: str = "NTHWC",
        value_range: ValueRange | None = None,
    ) -> None:
        """Take in videos: arrays or tensors, uint8 [N, T, H, W, 3] in RGB unless stated otherwise.

        axes: the letters NTHWC in the order of the array's axes.
        value_range: for floats, the values of black and white, such as (-1, 1). Values are clipped to it and rounded to
        the nearest grey level.

        Whole batches of the network are the fastest, since the last batch of each call may be partly empty.
        When a call raises, it takes in nothing. It raises SourceError for arrays that are no videos, ShortVideoError
        for videos of too few frames (which `evaluate` would skip), VideoError, and FeatureError.
        """
        given: dict[Side, Any] = {"real": real, "fake": fake}  # Any: the types are checked below
        if all(videos is None for videos in given.values()):
            raise SourceError("update got no videos: expected real=videos, fake=videos, or both")
        if real is not None and self._real is not None:
            raise SourceError("the real side was given as real=… already: leave out one of the two")
        layout = Layout(axes, value_range)
        taken = {side: self._features(side, videos, layout) for side, videos in given.items() if videos is not None}
        for side, (gathered, noticed) in taken.items():
            self._kept[side] = self._kept[side].joined(gathered)
            self._noticed[side] = self._noticed[side].joined(noticed)

    def compute(self) -> float:
        """Return the score of all videos so far, over all processes. Each process has to call it. Raises MetricError.

        Warns where the arrays that this process was given use little of their stated range, or are not opaque.
        """
        rule = self.protocol.metric
        return self._answer(lambda sides, _: metrics.compute(self._metric, sides["real"], sides["fake"], rule))

    def scores(self) -> tuple[Score, ...]:
        """Return all metrics of the protocol, with interval, floor and extrapolation. Slower than `compute`."""
        return self._answer(self._scores)

    def reset(self, *, real: bool = False) -> None:
        """Forget the fake videos, and with `real` the real ones too; a real side given as a path is then read again."""
        self._kept["fake"], self._noticed["fake"] = OnlineFeatures(), _Noticed()
        if real:
            self._kept["real"], self._noticed["real"], self._read = OnlineFeatures(), _Noticed(), None

    def merge(self, other: FrechetVideoDistance) -> None:
        """Add the videos of another metric, in the order of indices. Of two videos with one index, our own comes first.

        Raises FvdBenchError where the two metrics draw or compute in different ways.
        """
        if not self._goes_with(other._identity()):
            raise FvdBenchError(
                f"{_named(other._identity())} cannot be merged into {_named(self._identity())}: expected the same "
                "protocol, seed and weights"
            )
        for side in SIDES:
            self._kept[side] = self._kept[side].joined(other._kept[side])
            self._noticed[side] = self._noticed[side].joined(other._noticed[side])

    def to(self, device: str | torch.device) -> FrechetVideoDistance:
        """Move the network to `cpu`, `mps` or `cuda` (the current CUDA device). Features stay in memory."""
        wanted = torch.device(device) if device != "auto" else torch.device(environment.resolve_device("auto"))
        if wanted.type == "cuda" and wanted.index not in (None, _current_cuda()):
            raise FvdBenchError(f"device {wanted} is not the current one: call torch.cuda.set_device({wanted.index})")
        if wanted.type not in ("cpu", "cuda", "mps"):
            raise FvdBenchError(f"device {wanted}: allowed are cpu, cuda, mps")
        self._settings = replace(self._settings, device=wanted.type)  # type: ignore[arg-type]  # one of these
        self._extractor = None
        self._network()
        return self

    def state_dict(self) -> dict[str, Any]:
        """Return the features of this process as tensors, for a checkpoint. Each process needs a state of its own."""
        state: dict[str, Any] = {"made by": dict(self._identity(), rank=distributed.rank(), world=distributed.world())}
        return state | {side: kept.tensors() for side, kept in self._kept.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`. Raises FvdBenchError where it was made under other conditions."""
        here = dict(self._identity(), rank=distributed.rank(), world=distributed.world())
        made_by: Mapping[str, Any] = state["made by"]
        if not self._goes_with(made_by) or any(made_by.get(key) != here[key] for key in ("rank", "world")):
            raise FvdBenchError(f"the state is that of {_named(made_by)}, this is {_named(here)}")
        self._kept = {side: OnlineFeatures.of(state[side]) for side in SIDES}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the network and open files, which are loaded and opened again where they are needed."""
        return {**self.__dict__, "_extractor": None, "_given": None}

    def _network(self) -> FeatureExtractor:
        if self._extractor is None:
            device = environment.resolve_device(self._settings.device)
            self._extractor = create(
                self.protocol.features,
                device=device,
                weights=self._settings.weights,
                progress=lambda done, total: None,
            )
        return self._extractor

    def _identity(self) -> dict[str, str | int]:
        """What has to agree for features to belong together, and the name of the protocol for people."""
        return {
            "protocol": self.protocol.name,
            "digest": self.protocol.alone(self._metric).digest(),
            "seed": self.seed,
            "weights": ",".join(self._network().weights.values()),
        }

    def _goes_with(self, other: Mapping[str, Any]) -> bool:
        """Return whether features of another identity are made like these; metrics beside the distance may differ.

        States of older versions have the digest of the whole protocol.
        """
        mine = self._identity()
        digests = (mine["digest"], self.protocol.digest())
        return other.get("digest") in digests and all(other.get(key) == mine[key] for key in ("seed", "weights"))

    def _features(self, side: Side, videos: object, layout: Layout) -> tuple[OnlineFeatures, _Noticed]:
        """Compute the features of the next videos of a side, and note what their frames are like."""
        name = f"the {side} array"
        block = as_block(videos)
        if block is None:
            raise SourceError(f"{name} is of type {type(videos).__name__}: expected a NumPy array or a tensor")
        source = ArrayVideos.of_one(name, "array", block, layout, stamp=None)
        draw = Draw(self.protocol.clip_rule(side), side, self.seed)
        places = itertools.count(
            self._kept[side].next_turn * distributed.world() + distributed.rank(), distributed.world()
        )
        named = {place: f"{side} video {place}" for place in itertools.islice(places, len(source.names))}
        with contextlib.closing(FeatureStore(None)) as store:
            batches = Batches(store, {self.protocol.features: self._network()})
            for video, (place, name) in zip(source.videos, named.items(), strict=True):
                if video.num_frames < draw.rule.frames_needed:
                    raise ShortVideoError(video.num_frames, draw.rule.frames_needed, name)
                for item in read_draws(video, [draw], place):
                    batches.add(name, name, self.protocol.features, item)
            batches.flush()
            noticed = _Noticed(stated=source.value_range)
            gathered = OnlineFeatures()
            for place, name in named.items():
                entry = store.get(name)
                facts = batches.facts[name]
                if entry is None or facts.skipped is not None:
                    raise VideoError(f"{name}: {facts.skipped}")
                gathered.add(place, entry.features, turn=place // distributed.world())
                is_transparent = any(code == "transparent" for code, _ in facts.notes)
                noticed = noticed.joined(_Noticed(facts.levels, noticed.stated, int(is_transparent)))
        return gathered, noticed

    def _answer(self, question: Callable[[Sides, Mapping[Side, SideCount]], _T]) -> _T:
        """Let rank 0 answer from the features of all processes, and give its answer, or its error, to all of them."""
        for side, noticed in self._noticed.items():
            for sentence in noticed.doubts(f"{side} videos"):
                warnings.warn(sentence, stacklevel=3)  # the warning points at the line that asks for a score
        shares = distributed.gather(Contribution(self._identity(), self._kept))
        return distributed.once(lambda: question(*self._sides(Contribution.joined(shares or ()))))

    def _sides(self, kept: Mapping[Side, OnlineFeatures]) -> tuple[Sides, Mapping[Side, SideCount]]:
        """Return the features of both sides, as the protocol selects them."""
        sides: dict[Side, FeatureSet] = {}
        counts: dict[Side, SideCount] = {}
        for side in SIDES:
            given = self._real_side() if side == "real" else None
            if given is not None and given.known is not None:
                sides[side], counts[side] = given.known, SideCount(given.known.count, ())
                continue
            if given is not None:
                self._read = self._read or self._read_real(given)
                used, counts[side] = self._read
            else:
                used = kept[side].selected(self.protocol.clip_rule(side), side, seed=self.seed)
                counts[side] = SideCount(used.rows, ())
            sides[side] = used.as_set(self._network().dim)
            if sides[side].count == 0:
                raise MetricError(f"there are no {side} videos yet: hand some to update({side}=…)")
        return sides, counts

    def _real_side(self) -> Given | None:
        """Return the real side if it was given whole, else None."""
        if self._given is None and self._real is not None:
            self._given = open_side(self._real, "real")
        return self._given

    def _read_real(self, given: Given) -> tuple[OnlineFeatures, SideCount]:
        """Return the features of a real side that was given whole. The store may hold them already."""
        cache, rule = self._settings.cache, self.protocol.features
        job = Job(Draw(self.protocol.real, "real", self.seed), rule)
        here = environment.feature_versions(environment.resolve_device(self._settings.device))
        with (
            contextlib.closing(FeatureStore(None if cache is None else Path(cache))) as own,
            given.store(own) as store,
        ):
            extraction = Extraction(
                given.source,
                store,
                {rule: self._network()},
                versions=given.versions(here),
                workers=self._settings.workers or processors(),
                progress=lambda done, total: None,
            )
            given.check_holds(lambda: extraction.missing([job]))
            collected = extraction.collect([job], lambda done, total: None)
            if self._settings.strict:
                refuse_skipped(collected)
            if (refused := collected[job].refused) is not None:
                raise MetricError(refused)
            gathered = OnlineFeatures()
            for turn, (video, features) in enumerate(extraction.features(collected[job])):
                gathered.add(video, features, turn=turn)
        return gathered, SideCount(gathered.rows, skipped([job], collected))

    def _scores(self, sides: Sides, counts: Mapping[Side, SideCount]) -> tuple[Score, ...]:
        measured = measure([sides], self.protocol.metric, seed=self.seed)
        scores = []
        for name, found in measured.items():
            scores.append(
                as_score(
                    None if isinstance(found, MetricError) else found,
                    name,
                    self.protocol,
                    reason=str(found) if isinstance(found, MetricError) else None,
                    counts=counts,
                    weights=self._network().weights,
                    seeds=range(self.seed, self.seed + 1),
                    row=None,
                )
            )
        return tuple(scores)


@dataclass(frozen=True, slots=True)
class _Noticed:
    """What was noticed about arrays.

    levels: lowest and highest level of their frames. stated: the range that was stated. transparent: videos not opaque.
    """

    levels: tuple[int, int] | None = None
    stated: ValueRange | None = None
    transparent: int = 0

    def joined(self, later: _Noticed) -> _Noticed:
        stated = self.stated if later.levels is None else later.stated
        return _Noticed(widest(self.levels, later.levels), stated, self.transparent + later.transparent)

    def doubts(self, who: str) -> Iterator[str]:
        """Yield what `evaluate` would warn of. who: how to call the videos, such as `fake videos`."""
        for finding in faults.little_used(who, self.levels, stated=self.stated):
            yield finding.message
        if self.transparent:
            yield f"{self.transparent} {who} {faults.TRANSPARENT}"


def _frechet(names: tuple[str, ...], protocol: str) -> str:
    """Return the first Fréchet distance among the metrics. Raises ProtocolError where there is none."""
    for name in names:
        if name in FRECHET:
            return name
    raise ProtocolError(f"{protocol} has no Fréchet distance, only {', '.join(names)}: use fvd_bench.evaluate")


def _current_cuda() -> int | None:
    return torch.cuda.current_device() if torch.cuda.is_available() else None


def _named(identity: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {str(value)[:12]}" for key, value in identity.items() if value != "")
