"""FrechetVideoDistance: a score that is fed inside a training loop, and equals `evaluate` on the same videos."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

import torch

from fvd_bench import metrics
from fvd_bench.errors import ArgumentError, FvdBenchError, MetricError, SourceError
from fvd_bench.evaluation.findings import find
from fvd_bench.evaluation.online.extraction import OnlineExtraction
from fvd_bench.evaluation.online.pickles import of_attributes, unpickled
from fvd_bench.evaluation.online.real_side import RealSide
from fvd_bench.evaluation.own_network import described, on_network, without_store
from fvd_bench.evaluation.scorable_protocols import load
from fvd_bench.evaluation.score import Score, SideCount
from fvd_bench.evaluation.scoring import as_score
from fvd_bench.features import distributed
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.jobs import Collected, Job
from fvd_bench.features.online_facts import OnlineFacts
from fvd_bench.features.online_features import Contribution, OnlineFeatures
from fvd_bench.finding import Finding, warn_of
from fvd_bench.metrics.measurement import measure
from fvd_bench.networks import environment
from fvd_bench.progress import Progress
from fvd_bench.protocols.protocol import Protocol, ProtocolLike
from fvd_bench.protocols.rules import SIDES, Side
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import SourceLike
from fvd_bench.version import __version__
from fvd_bench.videos.array_layout import Layout, ValueRange
from fvd_bench.videos.clips import Draw

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

    from fvd_bench.networks import Network

_T = TypeVar("_T")

_OF_EVALUATE = {"motion": False, "windows": 0, "engine": "local", "group_by": None, "classes": None}
"""Settings that a score of arrays would have to ignore, and what they are where nobody asks for them."""

Answer = tuple[_T, tuple[Finding, ...]]
"""What was asked for, and what people should know of it."""


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both sides as the protocol selects them.

    facts, collected, known: what findings are sought in. given: those on how the real side was given.
    """

    features: dict[Side, FeatureSet]
    counts: dict[Side, SideCount]
    facts: dict[Side, OnlineFacts]
    collected: dict[Job, Collected]
    known: dict[Job, int]
    given: list[Finding]


class FrechetVideoDistance:
    """The Fréchet distance of a protocol, FVD or FID, from videos that come a few at a time.

    real: a side as `evaluate` takes it, read once, when the first score is asked for. Without it the real videos come
    through `update` too.
    seed: of all draws. settings: as for `evaluate`; those of tables, of groups and of other machines are refused.
    progress: True for bars on a terminal and in a notebook while `real` is read, False for none, or a function.
    network: in the place of the protocol's own, as for `evaluate`. With one, the metric can be copied but not pickled.

    The index of a video is the number of videos that came before it on its side. In a torch.distributed run of several
    processes, the processes take turns: the k-th video of a process has the index k · processes + rank. The index and
    the seed decide which clips are taken of a video, so the score is that of `evaluate` on the same videos in the order
    of their indices. Only features are kept. No global state changes, neither of torch nor of any module.

    Warns of each finding once, by a FvdBenchWarning: of a range that cuts values off in `update`, and of all else where
    a score is asked for. Raises ProtocolError for a protocol without a Fréchet distance, or one that makes its fake
    clips of real videos; else as `evaluate` does.
    """

    def __init__(
        self,
        protocol: ProtocolLike = "stylegan-v-fvd16",
        *,
        real: SourceLike | None = None,
        seed: int = 0,
        settings: Settings | None = None,
        progress: Progress | bool = True,
        network: Network | Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        settings = settings or Settings()
        for name, unset in _OF_EVALUATE.items():
            if (value := getattr(settings, name)) != unset:
                raise ArgumentError(f"{name} = {value!r} is for fvd_bench.evaluate: a single score has no place for it")
        given = None
        if network is None:
            protocol = load(protocol)
        else:
            given = described(network, protocol, device=settings.device)
            settings = without_store(settings, network)
            with on_network(given, protocol, device=settings.device) as (replaced,):
                protocol = load(replaced)
        self.extraction = OnlineExtraction(protocol, seed=seed, settings=settings, given=given)
        self._progress = progress
        self._real = None if real is None else RealSide(real, self.extraction)
        self._kept: dict[Side, OnlineFeatures] = {side: OnlineFeatures() for side in SIDES}
        self._facts: dict[Side, OnlineFacts] = {side: OnlineFacts() for side in SIDES}
        self._findings: tuple[Finding, ...] = ()
        self._told: set[tuple[str, str]] = set()
        assert self.extraction.network  # loaded, or refused, now

    @property
    def protocol(self) -> Protocol:
        """How it scores."""
        return self.extraction.protocol

    @property
    def seed(self) -> int:
        """The seed of all draws."""
        return self.extraction.seed

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What people should know of the last score, as `Result.warnings`; after an update, of the arrays so far.

        Those that take the headers of files, or how videos move, are found by `evaluate` alone.
        """
        return self._findings

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
        if real is not None:
            self._check_no_real_side()
        layout = Layout(axes, value_range)
        taken = {
            side: self.extraction.features(side, videos, layout, next_turn=self._kept[side].next_turn)
            for side, videos in given.items()
            if videos is not None
        }
        for side, (gathered, facts) in taken.items():
            self._kept[side] = self._kept[side].joined(gathered)
            self._facts[side] = self._facts[side].joined(facts)
        self.tell(tuple(found for side in SIDES for found in self._facts[side].findings(side)), stacklevel=2)

    def compute(self) -> float:
        """Return the score of all videos so far, over all processes, which all have to call it. Raises MetricError."""
        return self._answer(self.value_of)

    def scores(self) -> tuple[Score, ...]:
        """Return all metrics of the protocol, with interval, floor and extrapolation. Slower than `compute`."""
        return self._answer(self._scores)

    def reset(self, *, real: bool = False) -> None:
        """Forget the fake videos, and with `real` the real ones too; a real side given as a path is then read again."""
        self._kept["fake"], self._facts["fake"] = OnlineFeatures(), OnlineFacts()
        if real:
            self._kept["real"], self._facts["real"] = OnlineFeatures(), OnlineFacts()
            if self._real is not None:
                self._real.forget()

    def merge(self, other: FrechetVideoDistance) -> None:
        """Add the videos of another metric, in the order of indices. Of two videos with one index, our own comes first.

        Where these were made on another device or by other software, a score warns of it. Raises FvdBenchError where
        the two metrics draw in different ways or have other weights, and SourceError for real videos beside `real`.
        """
        if not self.extraction.goes_with(other.extraction.identity):
            theirs, ours = _named(other.extraction.identity), _named(self.extraction.identity)
            raise FvdBenchError(f"{theirs} cannot be merged into {ours}: expected the same protocol, seed and weights")
        if other.counts["real"]:
            self._check_no_real_side()
        for side in SIDES:
            self._kept[side] = self._kept[side].joined(other._kept[side])
            self._facts[side] = self._facts[side].joined(other._facts[side])

    def __reduce__(self) -> tuple[Any, ...]:
        return unpickled, (type(self), __version__, pickle.dumps(self.__dict__))

    def __copy__(self) -> Self:
        return of_attributes(type(self), self.__dict__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return of_attributes(type(self), copy.deepcopy(self.__dict__, memo))

    def to(self, device: str | torch.device) -> FrechetVideoDistance:
        """Move the network to `cpu`, `mps` or `cuda` (the current CUDA device). Features stay in memory."""
        self.extraction.move(device)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Return the features of this process as tensors, for a checkpoint, and the versions of what they were made
        with. Each process needs a state of its own."""
        state: dict[str, Any] = {
            "made by": dict(self.extraction.identity, rank=distributed.rank(), world=distributed.world())
        }
        state["made with"] = {side: list(map(dict, facts.made_with)) for side, facts in self._facts.items()}
        return state | {side: kept.tensors() for side, kept in self._kept.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`. Where it was made on another device or by other software, a score warns of it.

        Raises FvdBenchError for what is none, or one of another protocol, seed, weights, engine (a version of fvd-bench
        with other arithmetic), or number of processes, and SourceError for one with real videos beside `real`.
        """
        parts = ("made by", *SIDES)
        if not isinstance(state, Mapping) or not all(isinstance(state.get(part), Mapping) for part in parts):
            found = ", ".join(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
            raise FvdBenchError(
                f"the state is {found or 'empty':.200}: expected what state_dict() of a FrechetVideoDistance returned, "
                f"with {', '.join(parts)}"
            )
        here = dict(self.extraction.identity, rank=distributed.rank(), world=distributed.world())
        made_by: Mapping[str, Any] = state["made by"]
        if not self.extraction.goes_with(made_by) or any(made_by.get(key) != here[key] for key in ("rank", "world")):
            raise FvdBenchError(f"the state is that of {_named(made_by)}, this is {_named(here)}")
        kept: dict[Side, OnlineFeatures] = {side: OnlineFeatures.of(state[side]) for side in SIDES}
        if len(kept["real"]):
            self._check_no_real_side()
        made_with = state.get("made with", {})  # older versions did not say it
        self._kept = kept
        self._facts = {side: OnlineFacts(made_with=tuple(made_with.get(side, ()))) for side in SIDES}

    def _check_no_real_side(self) -> None:
        """Raise SourceError where real videos come beside a real side that was given whole."""
        if self._real is not None:
            raise SourceError("the real side was given as real=… already: leave out one of the two")

    def value_of(self, whole: Contribution) -> Answer[float]:
        """Return the score of the features of all processes."""
        sides = self._sides(whole)
        name, rule = self.extraction.metric, self.protocol.metric
        seen = metrics.seen(name, sides.features, rule)
        value = metrics.compute(name, seen["real"], seen["fake"], rule)
        return value, self._found(sides, [name])

    def tell(self, findings: tuple[Finding, ...], *, stacklevel: int) -> None:
        """Remember findings, and warn of those that were not told before. stacklevel: as for `warn_of`."""
        self._findings = findings
        if distributed.rank() != 0:
            return
        keys = {(found.code, _NUMBERS.sub("", found.message)): found for found in findings}
        new = [found for key, found in keys.items() if key not in self._told]
        self._told.update(keys)
        warn_of(new, stacklevel=stacklevel + 1)

    def _answer(self, question: Callable[[Contribution], Answer[_T]]) -> _T:
        """Let rank 0 answer from the features of all processes, and give its answer, or its error, to all of them."""
        shares = distributed.gather(Contribution(self.extraction.identity, self._kept, self._facts))
        answer, findings = distributed.once(lambda: question(Contribution.joined(shares or ())))
        self.tell(findings, stacklevel=3)  # the warning points at the line that asks for a score
        return answer

    def _scores(self, whole: Contribution) -> Answer[tuple[Score, ...]]:
        sides = self._sides(whole)
        measured = measure([sides.features], self.protocol.metric, seed=self.seed)
        scores = tuple(
            as_score(
                None if isinstance(found, MetricError) else found,
                name,
                self.protocol,
                reason=str(found) if isinstance(found, MetricError) else None,
                counts=sides.counts,
                weights=self.extraction.network.weights,
                software=environment.made_with(self.extraction.software, self.extraction.settings.device),
                seeds=range(self.seed, self.seed + 1),
                row=None,
            )
            for name, found in measured.items()
        )
        return scores, self._found(sides, [score.metric for score in scores if score.value is not None], scores)

    def _sides(self, whole: Contribution) -> _Sides:
        """Return both sides as the protocol selects them. Raises MetricError where one has no videos yet."""
        found = _Sides({}, {}, {}, {}, {}, [])
        for side in SIDES:
            job = Job(Draw(self.protocol.clip_rule(side), side, self.seed), self.protocol.features)
            if side == "real" and self._real is not None:
                read = self._real.read(self.extraction, self._progress)
                features, found.counts[side], found.facts[side] = read.features, read.count, read.facts
                found.given.extend(read.findings)
                collected = read.collected
                if read.known_videos is not None:
                    found.known[job] = read.known_videos
            else:
                features = whole.kept[side].selected(self.protocol.clip_rule(side), side, seed=self.seed)
                found.counts[side], found.facts[side] = SideCount(features.rows, ()), whole.facts[side]
                collected = whole.facts[side].collected(features.places)
            if collected is not None:
                found.collected[job] = collected
            dim = self.extraction.network.dim
            found.features[side] = features.as_set(dim) if isinstance(features, OnlineFeatures) else features
            if found.features[side].count == 0 and not found.features[side].is_given:
                raise MetricError(f"there are no {side} videos yet: hand some to update({side}=…)")
        return found

    def _found(self, sides: _Sides, names: Sequence[str], scores: Sequence[Score] = ()) -> tuple[Finding, ...]:
        """List what was noticed of both sides, of the metrics that have a value, and of the scores that they are."""
        protocol, extractors = self.protocol, {self.protocol.features: self.extraction.network}
        rules = [protocol.metric.alone(name) for name in names]
        measured = dict.fromkeys((*sides.collected, *sides.known), rules)
        findings = find(sides.facts, sides.collected, scores, extractors, None, 0, measured, sides.known)
        if protocol.not_comparable:
            findings.append(Finding("not-comparable", f"{protocol.name}: {protocol.not_comparable}"))
        here = self.extraction.versions
        elsewhere = [found for side in SIDES for found in sides.facts[side].elsewhere(side, here)]
        return (*findings, *sides.given, *elsewhere)


_NUMBERS = re.compile(r"[-+]?\d[\d.,e+-]*")
"""What changes in a finding while videos come in."""


def _named(identity: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {str(value)[:12]}" for key, value in identity.items() if value != "")
