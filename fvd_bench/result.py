"""Score and Result: what an evaluation found, and how; JSON in and out.

The JSON is a contract, schema 1. Keys may be added to it; none changes its meaning without a new number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Skipped:
    """A video that was not used, and why."""

    video: str
    reason: str


@dataclass(frozen=True, slots=True)
class SideCount:
    """clips: clips (for FID: frames) that went into the score; skipped: videos that did not, over all repeats."""

    clips: int
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """One metric under one protocol.

    value: mean of `values`, one per repeat; None with a `reason` where it could not be computed.
    std: population standard deviation over repeats, None for one. interval: its uncertainty, where known.
    row: place in a table such as the audit's. signature: one line that names each choice that moves the value.
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


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """One side: where, in what form, how many videos, and a hash of all their names and contents."""

    path: str
    kind: str
    videos: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Warned:
    """A finding that did not stop the run. code: a short fixed word for machines."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Result:
    """Everything an evaluation found. weights: name -> tensor digest; environment: versions and device."""

    fvd_bench: str
    scores: tuple[Score, ...]
    real: SourceInfo
    fake: SourceInfo
    warnings: tuple[Warned, ...]
    weights: Mapping[str, str]
    environment: Mapping[str, str]
    seconds: float

    @property
    def value(self) -> float | None:
        """The value of the first score, for the common case of one protocol."""
        return self.scores[0].value

    def to_json(self) -> str:
        """JSON text of schema 1. Numbers round-trip exactly; there is no NaN in it."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Read `to_json` back. Raises ValueError when the text is no result of this schema."""
        table = json.loads(text)
        if not isinstance(table, dict) or table.get("schema") != SCHEMA:
            raise ValueError(f"not a result of schema {SCHEMA}")
        try:
            return cls(
                fvd_bench=table["fvd_bench"],
                scores=tuple(_score(score) for score in table["scores"]),
                real=SourceInfo(**table["real"]),
                fake=SourceInfo(**table["fake"]),
                warnings=tuple(Warned(**warned) for warned in table["warnings"]),
                weights=table["weights"],
                environment=table["environment"],
                seconds=table["seconds"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a result of schema {SCHEMA}: {error}") from error


def _score(table: Mapping[str, Any]) -> Score:
    interval = table["interval"]
    fields = {
        "values": tuple(table["values"]),
        "interval": None if interval is None else (interval[0], interval[1]),
        "real": _side_count(table["real"]),
        "fake": _side_count(table["fake"]),
    }
    return Score(**{**table, **fields})


def _side_count(table: Mapping[str, Any]) -> SideCount:
    return SideCount(table["clips"], tuple(Skipped(**skipped) for skipped in table["skipped"]))
