"""What a metric says of distorted videos, on scales of its own.

How much a score moves is its damage: against the undistorted videos, larger is worse for every metric. Damages of
different metrics are compared on two scales: the floor, which is what real videos score against others of their kind,
and the largest damage that any distortion did.

Content bias is the damage of elastic deformations that are the same in all frames of a video over the damage of those
that differ from frame to frame, the geometric mean over the strengths. Frames are equally bad in both, so a metric of
single frames has 1, and the more a metric sees of motion, the less it has. Both kinds are those that Ge et al. 2024
compare (On the Content Bias in Fréchet Video Distance).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from fvd_bench.estimate import Estimate
from fvd_bench.evaluation.result import SCHEMA, SourceInfo
from fvd_bench.finding import Finding
from fvd_bench.videos.distortion import PER_FRAME, PER_VIDEO, Changes


@dataclass(frozen=True, slots=True)
class Rung:
    """One distortion of one strength, 1 to 3.

    says: what is done. changes: what that changes, see `Distortion`.
    psnr: of the distorted frames against their originals, in dB, from the mean squared error of all that were looked
        at. None where frames stay as they are.
    """

    distortion: str
    strength: int
    says: str
    changes: Changes
    psnr: float | None


@dataclass(frozen=True, slots=True)
class Scored:
    """The score of a rung: its value and 95 % interval, or a reason, and the number of distorted clips."""

    value: float | None
    interval: tuple[float, float] | None
    reason: str | None
    clips: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a metric says of a rung.

    score: of the distorted videos against the originals.
    damage: how much worse that is than the score of the undistorted videos.
    floors: the damage in multiples of the floor. share: the damage as a part of the largest. None where not known.
    """

    distortion: str
    strength: int
    score: Scored
    damage: float | None
    floors: float | None
    share: float | None


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What one metric sees.

    protocol: its name. digest, signature: those of the protocol that takes the real side's clips for both sides, with
        this metric alone.
    undistorted: the score of the real videos against themselves, from which damages count. reason: why there is none.
    floor: what real videos score against others of their kind; only for distances.
    content_bias: see the top of this module. None where a damage is not above 0.
    """

    metric: str
    protocol: str
    digest: str
    signature: str
    lower_is_better: bool
    undistorted: float | None
    reason: str | None
    floor: Estimate | None
    content_bias: float | None
    seen: tuple[Seen, ...]

    def of(self, distortion: str) -> list[Seen]:
        """List what the metric says of a distortion, from weak to strong."""
        return [seen for seen in self.seen if seen.distortion == distortion]


@dataclass(frozen=True, slots=True)
class Audit:
    """What several metrics see of a ladder of distortions of the same real videos.

    seconds: how long it took. warnings: what was noticed of the videos and of the rungs, the worst first.
    """

    fvd_bench: str
    real: SourceInfo
    seed: int
    ladder: tuple[Rung, ...]
    sensitivities: tuple[Sensitivity, ...]
    seconds: float
    warnings: tuple[Finding, ...] = ()

    def to_json(self) -> str:
        """Return the audit as JSON."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2) + "\n"


def seen_of(
    scores: Mapping[tuple[str, int], Scored], undistorted: Scored, floor: Estimate | None, *, lower_is_better: bool
) -> tuple[Seen, ...]:
    """Put the scores of rungs, by distortion and strength, on the metric's own scales."""
    damages = {rung: _damage(score.value, undistorted.value, lower_is_better) for rung, score in scores.items()}
    largest = max((damage for damage in damages.values() if damage is not None), default=0.0)
    unit = floor.value if floor else 0.0
    return tuple(
        Seen(*rung, scores[rung], damage, _part(damage, unit), _part(damage, largest))
        for rung, damage in damages.items()
    )


def content_bias(seen: Sequence[Seen]) -> float | None:
    """Return the content bias that the two elastic ladders show, None where one is missing or a damage is not above
    0."""
    damages = {(s.distortion, s.strength): s.damage for s in seen}
    steps = [s.strength for s in seen if s.distortion == PER_VIDEO]
    logs = []
    for step in steps:
        still, moving = damages[PER_VIDEO, step], damages.get((PER_FRAME, step))
        if still is None or moving is None or still <= 0 or moving <= 0:
            return None
        logs.append(math.log(still / moving))
    return math.exp(math.fsum(logs) / len(logs)) if logs else None


def _damage(value: float | None, undistorted: float | None, lower_is_better: bool) -> float | None:
    if value is None or undistorted is None:
        return None
    return value - undistorted if lower_is_better else undistorted - value


def _part(damage: float | None, whole: float) -> float | None:
    return None if damage is None or whole <= 0 else damage / whole
