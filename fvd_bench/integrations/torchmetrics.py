"""FrechetVideoMetric: FVD and FID of videos as a metric of torchmetrics."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fvd_bench.errors import FvdBenchError, MetricError, SourceError
from fvd_bench.evaluation.online.metric import FrechetVideoDistance
from fvd_bench.features import distributed
from fvd_bench.features.keys import UNNAMED_ENGINE
from fvd_bench.features.online_facts import OnlineFacts
from fvd_bench.features.online_features import Contribution, OnlineFeatures
from fvd_bench.finding import Finding
from fvd_bench.networks import Network
from fvd_bench.packages import needed_for
from fvd_bench.progress import Progress
from fvd_bench.protocols.protocol import ProtocolLike
from fvd_bench.protocols.rules import SIDES, Side
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import SourceLike
from fvd_bench.videos.array_layout import Layout, ValueRange

with needed_for("metrics of torchmetrics", "torchmetrics"):
    from torchmetrics import Metric


class FrechetVideoMetric(Metric):
    """The score of `fvd_bench.evaluate` with states as torchmetrics keeps them: for a MetricCollection, for Lightning,
    and over the processes of a torch.distributed run.

    protocol, real, seed, settings, progress, network: as for `FrechetVideoDistance`, which says what the index of a
    video is.
    axes: the letters NTHWC in the order of the axes of the videos. value_range: for floats, the values of black and
    white, such as (-1, 1). None for uint8.
    The other arguments are those of `torchmetrics.Metric`.

    The network is no part of the module: it has no parameters to train or to save, and its arithmetic is that of
    `evaluate` whatever the precision of the model. It follows the metric to a device.
    Findings are warned of as `FrechetVideoDistance` does, by the process of rank 0: those on the videos of other
    processes where a score is asked for.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    plot_lower_bound = 0.0

    identity: Tensor

    def __init__(
        self,
        protocol: ProtocolLike = "stylegan-v-fvd16",
        *,
        real: SourceLike | None = None,
        axes: str = "NTHWC",
        value_range: ValueRange | None = None,
        seed: int = 0,
        settings: Settings | None = None,
        progress: Progress | bool = True,
        network: Network | Callable[[Tensor], Tensor] | None = None,
        **arguments: Any,  # of torchmetrics.Metric, which checks them
    ) -> None:
        super().__init__(**arguments)
        self._distance = FrechetVideoDistance(
            protocol, real=real, seed=seed, settings=settings, progress=progress, network=network
        )
        self._is_whole = real is not None
        self._layout = Layout(axes, value_range)
        self._facts: dict[Side, OnlineFacts] = {side: OnlineFacts() for side in SIDES}
        self._keeps_real = False
        for side in SIDES:
            for name in _names(side):
                self.add_state(name, [], dist_reduce_fx="cat")
        self.add_state("identity", _digest(self._distance.extraction.identity), dist_reduce_fx=_agreed)
        self._begin()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What people should know of the last score, see `FrechetVideoDistance.findings`."""
        return self._distance.findings

    def update(self, videos: Tensor, real: bool = False) -> None:
        """Take in videos of one side, an array or tensor of five axes.

        Raises SourceError for what is no array of videos, ShortVideoError for videos of too few frames, VideoError and
        FeatureError; it then takes in nothing.
        """
        side: Side = "real" if real else "fake"
        if real and self._is_whole:
            raise SourceError("the real side was given as real=… already: leave out one of the two")
        places = torch.cat(getattr(self, _names(side)[1]))[:, 0]
        turns = int(places.max()) // distributed.world() + 1 if len(places) else 0
        found, facts = self._distance.extraction.features(side, videos, self._layout, next_turn=turns)
        for name, state in zip(_names(side), _states(found), strict=True):
            setattr(self, name, [*getattr(self, name), state.to(self.device)])  # a collection may share the list
        self._facts[side] = self._facts[side].joined(facts)
        again = [_AGAIN] if real and self._keeps_real else []
        self._distance.tell((*self._facts[side].findings(side), *again), stacklevel=3)

    def forward(self, videos: Tensor, real: bool = False) -> Tensor:
        """Take in videos and return the score of these fake ones alone, against the real ones of this process so far.

        It is NaN where they have none: for real videos, for fewer than two, and before there are two real ones.
        """
        self.update(videos, real=real)
        value = float("nan")
        if not real:
            whole = self._contribution(self._facts)
            latest = _features(*(getattr(self, name)[-1] for name in _names("fake")))
            batch = dataclasses.replace(whole, kept={"real": whole.kept["real"], "fake": latest})
            with contextlib.suppress(MetricError):
                value, _ = self._distance.value_of(batch)
        answer = self._as_tensor(value)
        self._forward_cache = answer  # type: ignore[assignment]  # torchmetrics declares nothing but None
        return answer

    def compute(self) -> Tensor:
        """Return the score of all videos so far, float64 where the device has it. Raises MetricError.

        In a torch.distributed run all processes have to call it. A real side that was given whole is read by the one of
        rank 0.
        """

        facts = self._facts
        if self._is_synced:
            shares = distributed.everyones(facts, self.process_group)
            facts = {side: reduce(OnlineFacts.joined, (share[side] for share in shares)) for side in SIDES}

        def value() -> tuple[float, tuple[Finding, ...]]:
            return self._distance.value_of(self._contribution(facts))

        found, findings = distributed.once(value) if self._is_synced and self.process_group is None else value()
        self._distance.tell(findings, stacklevel=3)  # torchmetrics wraps what people call
        return self._as_tensor(found)

    def reset(self, *, real: bool = False) -> None:
        """Forget the fake videos, and with `real` the real ones too."""
        kept = {} if real else {name: getattr(self, name) for name in _names("real")}
        for side in SIDES:
            for name in _names(side):
                setattr(self, name, [])  # since torchmetrics empties lists that a collection may share
        super().reset()
        self._begin()
        for name, state in kept.items():
            setattr(self, name, state)
        self._keeps_real = any(map(len, kept.get("real_videos", ())))
        self._facts = {"real": OnlineFacts() if real else self._facts["real"], "fake": OnlineFacts()}
        if real:
            self._distance.reset(real=True)

    def _begin(self) -> None:
        """Let all states begin empty: not as lists of nothing, whose shape other processes could not know."""
        dim = self._distance.extraction.network.dim
        for side in SIDES:
            nothing = torch.zeros(0, dim), torch.zeros(0, 2, dtype=torch.int64)
            for name, state in zip(_names(side), nothing, strict=True):
                setattr(self, name, [state.to(self.device)])

    def _contribution(self, facts: Mapping[Side, OnlineFacts]) -> Contribution:
        """Return the states, of this process or, where they are synced, of all. Raises FvdBenchError where they were
        loaded from another metric.

        facts: what was noticed of the same videos.
        """
        identity = self._distance.extraction.identity
        older = {**identity, "digest": self._distance.protocol.digest()}  # which has all metrics of the protocol in it
        if not any(torch.equal(self.identity.cpu(), _digest(each)) for each in (identity, older)):
            raise FvdBenchError(
                "the state that was loaded is of another protocol, seed, weights or version of fvd-bench: expected "
                "that of a metric made alike"
            )
        kept = {side: _features(*(_joined(getattr(self, name)) for name in _names(side))) for side in SIDES}
        return Contribution(identity, kept, facts)

    def _as_tensor(self, value: float) -> Tensor:
        return torch.tensor(value, dtype=torch.float32 if self.device.type == "mps" else torch.float64).to(self.device)

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> FrechetVideoMetric:
        """Move to the device that the module is moved to, and take no part in changes of type."""
        before, device = self.device, fn(torch.zeros(1, device=self.device)).device
        super()._apply(lambda tensor: tensor.to(device), exclude_state)
        if device != before and device.type in ("cpu", "cuda"):
            self._distance.extraction.move(device)
        return self


_AGAIN = Finding(
    "real-again",
    "real videos are added to those that reset() has kept: hand them over once, or forget them by reset(real=True)",
    side="real",
)
"""What happens where Lightning resets the metric after each validation, and each validation hands over real videos."""


def _names(side: Side) -> tuple[str, str]:
    """Return the names of the states of a side: features [N, dim], and place and number of features [videos, 2]."""
    return f"{side}_features", f"{side}_videos"


def _states(found: OnlineFeatures) -> tuple[Tensor, Tensor]:
    """Return features of videos as states, see `_names`."""
    videos = [[place, len(features)] for place, features in zip(found.places, found.features, strict=True)]
    return torch.from_numpy(np.concatenate(found.features)), torch.tensor(videos, dtype=torch.int64)


def _features(features: Tensor, videos: Tensor) -> OnlineFeatures:
    """Return what the states of a side hold, in the order of places."""
    places, rows = videos.cpu().unbind(1)
    parts = torch.split(features.cpu(), rows.tolist())
    listed = OnlineFeatures(places.tolist(), [part.numpy() for part in parts])
    return OnlineFeatures().joined(listed)


def _joined(state: Tensor | list[Tensor]) -> Tensor:
    """Return a state as one tensor; after a sync it is one."""
    return state if isinstance(state, Tensor) else torch.cat(state)


def _digest(identity: Mapping[str, str | int]) -> Tensor:
    """Return the sha256 of an identity as a state, uint8 [32]. The engine of states that do not name theirs is left
    out."""
    named = {key: value for key, value in identity.items() if (key, value) != ("engine", UNNAMED_ENGINE)}
    return torch.tensor(list(hashlib.sha256(json.dumps(named).encode()).digest()), dtype=torch.uint8)


def _agreed(identities: Tensor) -> Tensor:
    """Return the identity that all have, one a row. Raises FvdBenchError when they differ."""
    if (identities != identities[0]).any():
        raise FvdBenchError(
            "metrics of different protocols, seeds, weights or versions of fvd-bench were joined: expected the same in "
            "all processes"
        )
    return identities[0]
