"""Score: one metric under one protocol, with what is known about its uncertainty and how it was made."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fvd_bench.estimate import Estimate, Splits, ends
from fvd_bench.words import number, span

_ESTIMATED = ("floor", "infinite")
_LOGGED = (
    *("value", "std", "splits_std", *ends("interval", None)),
    *(key for name in _ESTIMATED for key in (name, *ends(name, None))),
)
"""Keys of `Score.flat` that loggers take."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A video that was not used, and why."""

    video: str
    reason: str


@dataclass(frozen=True, slots=True)
class SideCount:
    """How much of a side was used.

    clips: number of clips (for FID: of frames) in the first repeat; 0 for statistics that do not tell. skipped: videos
        that were left out in any repeat.
    """

    clips: int
    skipped: tuple[Skipped, ...]

    def counted(self, *, unknown: str = "an unknown number of") -> str:
        """Write the number of clips of a score that has a value. unknown: what stands for a number that is not
        known."""
        return str(self.clips) if self.clips or self.skipped else unknown


@dataclass(frozen=True, slots=True)
class Score:
    """One metric under one protocol.

    value: mean of `values`, which has one number per repeat; None, with a `reason`, where it could not be computed.
    std: population standard deviation over the repeats, None for one repeat.
    row: the score's row in a table such as Table 4, None outside of tables.
    digest: that of the protocol with this metric alone. Results of older versions have the digest with all its metrics.
    signature: one line that names every choice that moves the value.
    seed: that of the first repeat.

    interval: the 95 % confidence interval of the value at this number of videos, if they were drawn anew.
    error_real, error_fake: the parts of the standard error that come from drawing the real and the fake videos.
    units_fake: how many fake videos, groups or batches `error_fake` comes from; None too where a result of an older
        version does not say.
    floor: what the real videos score against others of their kind at these numbers of videos; only for distances.
    infinite: the value extrapolated to infinitely many videos. Each of these is None where it is not known.
    unknown: `interval`, `floor` or `infinite` -> why it is not known although it could have been.

    splits: how far the splits of the features lie apart, of a metric that is a mean over splits, such as the inception
        score; the mean of that over the repeats. None for other metrics, and in results of older versions.
    """

    metric: str
    protocol: str
    protocol_version: int
    digest: str
    signature: str
    row: str | None
    value: float | None
    reason: str | None
    values: tuple[float, ...]
    std: float | None
    interval: tuple[float, float] | None
    seed: int
    lower_is_better: bool
    real: SideCount
    fake: SideCount
    error_real: float | None = None
    error_fake: float | None = None
    units_fake: int | None = None
    floor: Estimate | None = None
    infinite: Estimate | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    splits: Splits | None = None

    def flat(self) -> dict[str, Any]:
        """Return the score as a row of a table: its numbers and texts by name, None for what is not known."""
        estimates: dict[str, float | None] = {}
        for name in _ESTIMATED:
            found: Estimate | None = getattr(self, name)
            estimates |= {name: found.value if found else None, **ends(name, found.interval if found else None)}
        return {
            "protocol": self.protocol,
            "protocol_version": self.protocol_version,
            "metric": self.metric,
            "row": self.row,
            "value": self.value,
            "std": self.std,
            "splits": self.splits.count if self.splits else None,
            "splits_std": self.splits.std if self.splits else None,
            **ends("interval", self.interval),
            "error_real": self.error_real,
            "error_fake": self.error_fake,
            **estimates,
            "real_clips": self.real.clips,
            "fake_clips": self.fake.clips,
            "real_skipped": len(self.real.skipped),
            "fake_skipped": len(self.fake.skipped),
            "repeats": len(self.values),
            "seed": self.seed,
            "digest": self.digest,
            "signature": self.signature if self.value is not None else None,
            "reason": self.reason,
        }

    def numbers(self, name: str) -> dict[str, float]:
        """Return what is known as loggers take it: the value by this name, and by it with an ending its `_std` and
        `_splits_std`, the `_low` and `_high` of its interval, `_floor` and `_infinite`, and the `_low` and `_high` of
        these."""
        row, endings = self.flat(), {key: f"_{key.removeprefix('interval_')}" for key in _LOGGED} | {"value": ""}
        return {name + endings[key]: row[key] for key in _LOGGED if row[key] is not None}

    @property
    def metrics(self) -> dict[str, float]:
        """The `numbers` by protocol and metric, such as `stylegan-v-fvd16/fvd` and `stylegan-v-fvd16/fvd_low`."""
        return self.numbers(f"{self.protocol}/{self.metric}")


def summary(score: Score) -> str:
    """Say what a score is: `FVD 68.77 by stylegan-v-fvd16, 95 % interval 56.15 to 81.38, floor 29.54`."""
    if score.value is None:
        return f"no {score.metric.upper()} by {score.protocol}: {score.reason}"
    interval = f", 95 % interval {span(score.interval)}" if score.interval else ""
    floor = f", floor {number(score.floor.value)}" if score.floor else ""
    return f"{score.metric.upper()} {number(score.value)} by {score.protocol}{interval}{floor}"


def check_consistent(score: Score, where: str) -> None:
    """Raise ValueError, naming the place, where the numbers of a score contradict each other."""
    if (score.value is None) == bool(score.values):
        raise ValueError(f"{where}.value is {score.value} and its values are {list(score.values)!r:.60}: expected both")
    if score.value is not None and not math.isclose(
        score.value, statistics.fmean(score.values), rel_tol=1e-9, abs_tol=1e-12
    ):
        raise ValueError(f"{where}.value is {score.value}: expected the mean of its values, {list(score.values)!r:.60}")
    for name in ("std", "error_real", "error_fake"):
        if (number := getattr(score, name)) is not None and number < 0:
            raise ValueError(f"{where}.{name} is {number}: expected none below 0")
    if score.units_fake is not None and score.units_fake < 2:
        raise ValueError(f"{where}.units_fake is {score.units_fake}: expected 2 or more, or null")
    if score.splits is not None and (score.splits.count < 2 or score.splits.std < 0):
        raise ValueError(f"{where}.splits is {score.splits}: expected 2 or more, and a deviation of 0 or more")
    intervals = {"interval": score.interval}
    intervals |= {f"{name}.interval": e.interval for name in ("floor", "infinite") if (e := getattr(score, name))}
    for name, interval in intervals.items():
        if interval is not None and interval[0] > interval[1]:
            raise ValueError(f"{where}.{name} is {list(interval)}: expected the lower end first")
