"""What a comparison of videos with their originals found, read from JSON and written as JSON.

The JSON is a contract, schema 1 of the kind `paired`. Keys may be added to it; no key changes its meaning without a new
schema number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fvd_bench.errors import ResultError
from fvd_bench.estimate import ends
from fvd_bench.evaluation.result import Result, SourceInfo, read_text, write_json
from fvd_bench.evaluation.score import Skipped
from fvd_bench.finding import Finding, worst_first
from fvd_bench.paths import distinct_names, user_path
from fvd_bench.records import fault, json_object, record

SCHEMA = 1

KIND = "paired"


@dataclass(frozen=True, slots=True)
class FrameCurve:
    """A score over the frames of the videos: the mean over the videos at each index.

    intervals: of 95 %, None where not known. videos: how many have a frame there. start: the first index, 1 for what is
    measured between a frame and the one before it.
    """

    start: int
    values: tuple[float | None, ...]
    intervals: tuple[tuple[float, float] | None, ...]
    videos: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PairedScore:
    """One metric under one paired protocol.

    metric: psnr, ssim, lpips or flickering. value: None, with a `reason`, where it could not be computed.
    interval: the 95 % confidence interval if the videos were drawn anew, None where there is only one.
    of_real: the same of the real videos by themselves, for temporal flickering alone.
    digest: that of the choices that make the metric. signature: one line that names each of them.
    pairs, frames: how many were compared. skipped: pairs that were not, by the name of the fake video.
    """

    metric: str
    protocol: str
    protocol_version: int
    digest: str
    signature: str
    value: float | None
    reason: str | None
    interval: tuple[float, float] | None
    of_real: float | None
    lower_is_better: bool
    pairs: int
    frames: int
    skipped: tuple[Skipped, ...]
    curve: FrameCurve | None = None

    @property
    def name(self) -> str:
        """Its key among the values of a pair."""
        return f"{self.protocol}/{self.metric}"

    def flat(self) -> dict[str, Any]:
        """Return the score as a row of a table."""
        table = asdict(self)
        del table["curve"], table["interval"]
        return table | {"skipped": len(self.skipped), **ends("interval", self.interval)}


@dataclass(frozen=True, slots=True)
class PairRecord:
    """One pair. values: its scores by `PairedScore.name`; None where there is none, or it is infinite."""

    real: str
    fake: str
    frames: int
    width: int
    height: int
    values: Mapping[str, float | None]

    def flat(self) -> dict[str, Any]:
        """Return the pair as a row of a table."""
        table = asdict(self)
        values: dict[str, float | None] = table.pop("values")
        return {**table, **values}


@dataclass(frozen=True, slots=True)
class PairedResult:
    """Everything that a comparison of videos with their originals found.

    pairing: how pairs were found: `name`, `order`, or the path of a table. unpaired: names by side.
    rfvd: the scores of all pairs as two sets, None where there are none; rfvd_reason: why, None where none were asked.
    choices: digest of a score -> every choice that made it. seed: of the resamples.
    """

    fvd_bench: str
    scores: tuple[PairedScore, ...]
    pairs: tuple[PairRecord, ...]
    unpaired: Mapping[str, tuple[str, ...]]
    pairing: str
    real: SourceInfo
    fake: SourceInfo
    rfvd: Result | None
    rfvd_reason: str | None
    warnings: tuple[Finding, ...]
    choices: Mapping[str, Mapping[str, Any]]
    weights: Mapping[str, str]
    environment: Mapping[str, str]
    seed: int
    group_by: str | None
    seconds: float

    @property
    def metrics(self) -> dict[str, float]:
        """All numbers in one flat table, for loggers: `common-metrics/psnr`, and those of rFVD's protocol."""
        numbers = {score.name: score.value for score in self.scores if score.value is not None}
        return numbers | (self.rfvd.metrics if self.rfvd is not None else {})

    @property
    def findings(self) -> list[Finding]:
        """What was noticed about the pairs, and about them as two sets, the worst first."""
        return worst_first([*self.warnings, *(self.rfvd.warnings if self.rfvd is not None else ())])

    def to_json(self) -> str:
        """Return JSON text. Numbers survive the round trip exactly, and NaN never occurs."""
        table = {"schema": SCHEMA, "kind": KIND, **asdict(self)}
        if self.rfvd is not None:
            table["rfvd"] = self.rfvd.to_dict()
        return json.dumps(table, indent=2, allow_nan=False) + "\n"

    def write(self, file: Path) -> None:
        """Write `to_json` to a file, whole or not at all. Raises ResultError."""
        write_json(file, self.to_json())

    @classmethod
    def from_json(cls, text: str) -> PairedResult:
        """Read what `to_json` wrote. Keys that a later version added are ignored. Raises ResultError."""
        try:
            table = json.loads(text)
            if (table["schema"], table["kind"]) != (SCHEMA, KIND):
                raise ResultError(f"not a paired result of schema {SCHEMA}, but of {table['schema']!r:.60}")
            result: PairedResult = record(cls, table, "the paired result")
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise ResultError(f"not a paired result of schema {SCHEMA}: {fault(error)}") from error
        return result


def read_all(files: Sequence[Path]) -> dict[str, PairedResult]:
    """Read the paired results of files, by the ends in which the paths differ; none where the first file is another.

    Raises ResultError, which names the file.
    """
    if not is_paired(files[0]):
        return {}
    found = {}
    for name, file in zip(distinct_names([str(file) for file in files]), files, strict=True):
        try:
            found[name] = PairedResult.from_json(read_text(user_path(file)))
        except ResultError as error:
            raise ResultError(f"{file}: {error}") from error
    return found


def is_paired(file: Path) -> bool:
    """Return whether a file claims to be a paired result."""
    try:
        table = json_object(read_text(user_path(file)))
    except ResultError:
        return False
    return table is not None and table.get("kind") == KIND
