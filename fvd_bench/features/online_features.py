"""Features of videos that arrive one after another: what a training loop keeps of one side."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from fvd_bench.errors import FvdBenchError, MetricError
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.features.online_facts import OnlineFacts
from fvd_bench.networks import Features
from fvd_bench.protocols.rules import SIDES, ClipRule, Side
from fvd_bench.videos.sampling import video_order


@dataclass(slots=True)
class OnlineFeatures:
    """Features of videos, in the order of their indices.

    places: the index of each video, ascending.
    features: the features [N, dim] of each video.
    next_turn: the number of videos that the process which adds them has had.
    """

    places: list[int] = field(default_factory=list)
    features: list[Features] = field(default_factory=list)
    next_turn: int = 0

    def __len__(self) -> int:
        return len(self.places)

    @property
    def rows(self) -> int:
        """Number of features of all videos together."""
        return sum(map(len, self.features))

    def add(self, place: int, features: Features, *, turn: int) -> None:
        """Add a video after the others. turn: the number of videos that its process had before it."""
        self.places.append(place)
        self.features.append(features)
        self.next_turn = turn + 1

    def joined(self, other: OnlineFeatures) -> OnlineFeatures:
        """Return both together in the order of places. Where two videos have one place, the own one comes first."""
        places, features = self.places + other.places, self.features + other.features
        order = sorted(range(len(places)), key=places.__getitem__)
        turn = max(self.next_turn, other.next_turn)
        return OnlineFeatures([places[i] for i in order], [features[i] for i in order], turn)

    def selected(self, rule: ClipRule, side: Side, *, seed: int) -> OnlineFeatures:
        """Return the videos that a rule uses, numbered anew.

        Raises MetricError where the rule takes videos again with a new draw.
        """
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
        """Return all features in order, as a `FeatureSet`."""
        found = FeatureSet(dim, again=lambda: zip(self.places, self.features, strict=True))
        for place, features in zip(self.places, self.features, strict=True):
            found.add(features, video=place)
        return found

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return everything in it as tensors, for a checkpoint."""
        values = np.concatenate(self.features) if self.features else np.zeros((0, 1), dtype=np.float32)
        return {
            "places": torch.tensor(self.places, dtype=torch.int64),
            "rows": torch.tensor([len(part) for part in self.features], dtype=torch.int64),
            "features": torch.from_numpy(values),
            "next_turn": torch.tensor(self.next_turn),
        }

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor]) -> OnlineFeatures:
        """Restore it from what `tensors` returned. Raises FvdBenchError for anything else."""
        try:
            places: list[int] = tensors["places"].tolist()
            parts = torch.split(tensors["features"].cpu(), tensors["rows"].tolist())
            features = [part.numpy().copy() for _, part in zip(places, parts, strict=True)]
            return cls(places, features, int(tensors["next_turn"]))
        except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            raise FvdBenchError(
                f"a side of the state is damaged ({error!r}): expected the tensors that state_dict() returned"
            ) from error


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one process contributes to a score.

    identity: what has to be equal in all processes.
    kept, facts: the features of each side, and what was noticed of its videos.
    """

    identity: Mapping[str, str | int]
    kept: Mapping[Side, OnlineFeatures]
    facts: Mapping[Side, OnlineFacts]

    @staticmethod
    def joined(shares: Sequence[Contribution]) -> Contribution:
        """Return what all processes contribute. Raises FvdBenchError when they do not compute the same."""
        kept: dict[Side, OnlineFeatures] = {side: OnlineFeatures() for side in SIDES}
        facts: dict[Side, OnlineFacts] = {side: OnlineFacts() for side in SIDES}
        for rank, share in enumerate(shares):
            if share.identity != shares[0].identity:
                raise FvdBenchError(
                    f"rank {rank} has {dict(share.identity)}, rank 0 {dict(shares[0].identity)}: expected the same "
                    "protocol, seed and weights in all processes"
                )
            for side in SIDES:
                kept[side] = kept[side].joined(share.kept[side])
                facts[side] = facts[side].joined(share.facts[side])
        return Contribution(shares[0].identity if shares else {}, kept, facts)
