"""Features of videos that came one after another, by index: what a training loop keeps of one side."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from fvd_bench.errors import FvdBenchError, MetricError
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.networks import Features
from fvd_bench.protocols.rules import SIDES, ClipRule, Side
from fvd_bench.videos.sampling import video_order


@dataclass(slots=True)
class OnlineFeatures:
    """places: index of each video, ascending; features: [N, dim] of each; next_turn: of the process that adds."""

    places: list[int] = field(default_factory=list)
    features: list[Features] = field(default_factory=list)
    next_turn: int = 0

    def __len__(self) -> int:
        return len(self.places)

    @property
    def rows(self) -> int:
        """Features in all."""
        return sum(map(len, self.features))

    def add(self, place: int, features: Features, *, turn: int) -> None:
        """Add a video behind the others. turn: the number of videos that its process had before."""
        self.places.append(place)
        self.features.append(features)
        self.next_turn = turn + 1

    def joined(self, other: OnlineFeatures) -> OnlineFeatures:
        """Both in order of places; of two at one place the own comes first."""
        places, features = self.places + other.places, self.features + other.features
        order = sorted(range(len(places)), key=places.__getitem__)
        turn = max(self.next_turn, other.next_turn)
        return OnlineFeatures([places[i] for i in order], [features[i] for i in order], turn)

    def selected(self, rule: ClipRule, side: Side, *, seed: int) -> OnlineFeatures:
        """The videos that a rule uses, numbered anew. Raises MetricError where it takes videos again, drawn anew."""
        videos = len(self.places)
        order = list(itertools.islice(video_order(videos, rule, seed=seed), rule.count))
        if rule.is_random and any(place >= videos for place in order):
            raise MetricError(
                f"the protocol takes {side} videos again, each time with a new draw, until there are {rule.count}, and "
                f"there are {videos}: hand over {rule.count}, or use fvd_bench.evaluate"
            )
        chosen = OnlineFeatures()
        for turn, place in enumerate(sorted(order)):
            chosen.add(place % videos, self.features[place % videos], turn=turn)
        return chosen

    def as_set(self, dim: int) -> FeatureSet:
        """All features in order."""
        found = FeatureSet(dim, again=lambda: zip(self.places, self.features, strict=True))
        for place, features in zip(self.places, self.features, strict=True):
            found.add(features, video=place)
        return found

    def tensors(self) -> dict[str, torch.Tensor]:
        """Everything in it, for a checkpoint."""
        values = np.concatenate(self.features) if self.features else np.zeros((0, 1), dtype=np.float32)
        return {
            "places": torch.tensor(self.places, dtype=torch.int64),
            "rows": torch.tensor([len(part) for part in self.features], dtype=torch.int64),
            "features": torch.from_numpy(values),
            "next_turn": torch.tensor(self.next_turn),
        }

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor]) -> OnlineFeatures:
        """What `tensors` gave."""
        values = tensors["features"].cpu().numpy().copy()
        ends = np.cumsum(tensors["rows"].cpu().numpy())[:-1]
        places: list[int] = tensors["places"].tolist()
        return cls(places, np.split(values, ends) if places else [], int(tensors["next_turn"]))


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one process has to give to a score. identity: what has to agree between processes."""

    identity: Mapping[str, str | int]
    kept: Mapping[Side, OnlineFeatures]

    @staticmethod
    def joined(shares: Sequence[Contribution]) -> dict[Side, OnlineFeatures]:
        """Of all processes. Raises FvdBenchError when these do not compute the same."""
        whole: dict[Side, OnlineFeatures] = {side: OnlineFeatures() for side in SIDES}
        for rank, share in enumerate(shares):
            if share.identity != shares[0].identity:
                raise FvdBenchError(
                    f"rank {rank} has {dict(share.identity)}, rank 0 {dict(shares[0].identity)}: expected the same "
                    "protocol, seed and weights in all processes"
                )
            for side in SIDES:
                whole[side] = whole[side].joined(share.kept[side])
        return whole
