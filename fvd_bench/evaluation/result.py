"""Result: everything that an evaluation found and how, read from JSON and written as JSON.

The JSON is a contract, schema 1. Keys may be added to it; no key changes its meaning without a new schema number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fvd_bench import paths
from fvd_bench.atomic import write_text
from fvd_bench.errors import ResultError, cause
from fvd_bench.escapes import escaped
from fvd_bench.evaluation.score import Score, check_consistent, summary
from fvd_bench.finding import Finding
from fvd_bench.inspection.motion import SideMotion
from fvd_bench.records import fault, record
from fvd_bench.words import counted

if TYPE_CHECKING:
    import pandas

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """One side: where it lies, its form, its number of videos, and a hash of all their names and contents."""

    path: str
    kind: str
    videos: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class MotionPanel:
    """How the videos of both sides move: what a Fréchet distance hardly sees."""

    real: SideMotion
    fake: SideMotion


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """One class of a score.

    value: mean over the repeats; None, with a `reason`, where it could not be computed. interval: its 95 % confidence
    interval, None where it is not known. real_videos, fake_videos: how many were used in any repeat. real_clips,
    fake_clips: number of clips (for FID: of frames) of these in the first repeat.
    """

    name: str
    value: float | None = None
    reason: str | None = None
    interval: tuple[float, float] | None = None
    real_videos: int
    fake_videos: int
    real_clips: int
    fake_clips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreByClass:
    """A score by class.

    protocol, metric, digest: those of the score. value: the score of all videos, whatever their class. mean: of the
    classes that have a value, each counting alike; None where none has.
    """

    protocol: str
    metric: str
    digest: str
    value: float | None
    mean: float | None
    classes: tuple[ClassScore, ...]


@dataclass(frozen=True, slots=True)
class ClassPanel:
    """Scores by class. by: how classes were found, see `Settings`."""

    by: str
    scores: tuple[ScoreByClass, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that an evaluation found.

    weights: name -> digest of the tensors. environment: versions of software, and the device.
    protocols: digest of a score -> every choice that made it, by dotted names such as `real.start`.
    motion: how both sides move, None where it could not be measured.
    group_by: which videos were said to belong together, see `Settings`. No score depends on it.
    classes: the scores by class, None where no classes were asked for.
    """

    fvd_bench: str
    scores: tuple[Score, ...]
    real: SourceInfo
    fake: SourceInfo
    warnings: tuple[Finding, ...]
    weights: Mapping[str, str]
    environment: Mapping[str, str]
    seconds: float
    protocols: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    motion: MotionPanel | None = None
    group_by: str | None = None
    classes: ClassPanel | None = None

    @property
    def value(self) -> float | None:
        """The value of the first score, for the common case of one protocol."""
        return self.scores[0].value

    @property
    def metrics(self) -> dict[str, float]:
        """All numbers in one flat table, for Weights & Biases, TensorBoard and others: those of `Score.metrics`, and
        the mean motion of both sides, `motion/real` and `motion/fake`."""
        numbers = {name: number for score in self.scores for name, number in score.metrics.items()}
        if self.motion is not None:
            numbers |= {"motion/real": self.motion.real.mean, "motion/fake": self.motion.fake.mean}
        return numbers

    def __repr__(self) -> str:
        """Return three lines: the first score, the sides, and the codes of what was found."""
        others = len(self.scores) - 1
        more = f", and {counted(others, 'more score')}" if others else ""
        codes = ", ".join(dict.fromkeys(finding.code for finding in self.warnings))
        count = len(self.warnings)
        found = f"{counted(count, 'finding')}: {codes}; see .warnings" if codes else "no findings"
        lines = (
            f"<Result: {summary(self.scores[0])}{more}",
            f" {counted(self.fake.videos, 'fake video')} of {self.fake.path} against {self.real.videos} real ones of "
            f"{self.real.path}",
            f" {found}>",
        )
        return "\n".join(map(escaped, lines))

    def _repr_html_(self) -> str:
        """Return the card that notebooks show: the scores with a chart, and the findings."""
        from fvd_bench.reports.card import card  # the one import to the right: a result shows itself

        return card(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the table that `to_json` writes."""
        table: dict[str, Any] = json.loads(self.to_json())
        return table

    def to_frame(self) -> pandas.DataFrame:
        """Return a table with one row per score, with what is known about its uncertainty and how it was made."""
        import pandas

        return pandas.DataFrame([{**score.flat(), "interval": score.interval} for score in self.scores])

    def to_json(self) -> str:
        """Return JSON text of schema 1. Numbers survive the round trip exactly, and NaN never occurs."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2, allow_nan=False) + "\n"

    def write(self, file: Path) -> None:
        """Write `to_json` to a file, whole or not at all. Raises ResultError."""
        write_json(file, self.to_json())

    @classmethod
    def read(cls, file: Path) -> Result:
        """Read what `write` wrote. Raises ResultError, which names the file."""
        text = read_text(file)
        try:
            return cls.from_json(text)
        except ResultError as error:
            raise ResultError(f"{file}: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Read what `to_json` wrote. Keys that a later version added are ignored.

        Raises ResultError when the text is no result of this schema.
        """
        try:
            table = json.loads(text)
            if table["schema"] != SCHEMA:
                raise ResultError(f"not a result of schema {SCHEMA}, but of {table['schema']!r:.60}")
            if "kind" in table:
                raise ResultError(
                    f"not a result of schema {SCHEMA}, but of the kind {table['kind']!r:.60}: expected what `fvd-bench "
                    "compute --json` writes of one fake side"
                )
            result: Result = record(cls, table, "the result")
            for place, score in enumerate(result.scores):
                check_consistent(score, f"the result.scores[{place}]")
        except json.JSONDecodeError as error:
            raise ResultError(f"not a result of schema {SCHEMA}: no JSON ({error})") from error
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise ResultError(f"not a result of schema {SCHEMA}: {fault(error)}") from error
        if not result.scores:
            raise ResultError(f"not a result of schema {SCHEMA}: it has no scores")
        return result


def read_text(file: Path) -> str:
    """Return the text of a file of results. Raises ResultError, which names the file."""
    try:
        return paths.read_text(file)
    except OSError as error:
        raise ResultError(
            f"{file} cannot be read: {cause(error)}; a result is written by `fvd-bench compute … --json {file.name}`"
        ) from error
    except UnicodeDecodeError as error:
        raise ResultError(f"{file}: {error}") from error


def write_json(file: Path, text: str) -> None:
    """Write the JSON text of a result, whole or not at all. Raises ResultError."""
    try:
        write_text(file, text)
    except OSError as error:
        raise ResultError(f"{file} cannot be written: {cause(error)}") from error
