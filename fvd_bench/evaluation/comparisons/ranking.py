"""Several generators against the same real videos: their scores in order, and which differences are real.

As in `comparison`, chance comes only from the drawing of the fake videos. A difference counts as real where chance
alone would hardly make one as large, with Holm's correction for the number of differences that are looked at.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fvd_bench.evaluation.change_error import change_error
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.score import Score
from fvd_bench.evaluation.window_scores import is_window
from fvd_bench.finding import Finding
from fvd_bench.metrics.uncertainty import CONFIDENCE, Spread, holm, p_value
from fvd_bench.protocols.variants import SCALE

LEVEL = 1 - CONFIDENCE
"""Probability that a ranking calls any difference real although none is."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two generators under one score.

    change: the score of `b` less that of `a`.
    error: its standard error from drawing the fake videos, None if unknown.
    paired: whether that error compares videos of the same name with each other.
    p: probability that chance alone makes a change as large. None where the error is unknown, or where the scores are
        of other numbers of clips.
    corrected: the same, corrected for the number of contrasts in the ranking.
    is_real: whether `corrected` is below 5 %, None where it is unknown.
    """

    a: str
    b: str
    change: float
    error: float | None
    paired: bool
    p: float | None
    corrected: float | None
    is_real: bool | None


@dataclass(frozen=True, slots=True)
class RankedScore:
    """One metric under one protocol.

    scores: name -> score, from the best to the worst, then those without a value.
    contrasts: one for every two that have a value.
    """

    scores: Mapping[str, Score]
    contrasts: tuple[Contrast, ...]

    @property
    def first(self) -> Score:
        """The best score."""
        return next(iter(self.scores.values()))

    def real_differences(self, name: str) -> list[str]:
        """List the others that a generator really differs from, in their order."""
        pairs = [{c.a, c.b} for c in self.contrasts if c.is_real]
        return [other for other in self.scores if other != name and {name, other} in pairs]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Several results against the same real videos. results: name -> result. notes: what limits the ranking."""

    results: Mapping[str, Result]
    scores: tuple[RankedScore, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entrant:
    """A result, and what its fake videos contribute to it.

    spreads: digest of a score -> its spread, for those where it is known.
    fake_names: names of the fake videos without a file's suffix, in listing order; None where they are not known.
    """

    result: Result
    spreads: Mapping[str, Spread]
    fake_names: Sequence[str] | None


def is_scale(score: Score) -> bool:
    """Return whether a score compares the real videos with themselves after their motion was broken."""
    return score.row is not None and score.row.startswith(SCALE)


def is_ranked(score: Score) -> bool:
    """Return whether a score is one to rank by: no scale of motion, which has no fake videos, and no window."""
    return not is_scale(score) and not is_window(score)


def ranking(entrants: Mapping[str, Entrant], alike: Sequence[Sequence[Score]], notes: Sequence[str] = ()) -> Ranking:
    """Rank results against the same real videos.

    alike: for each score in order, that of every entrant. notes: what to say of them beside what is found here.
    """
    tables = [dict(zip(entrants, scores, strict=True)) for scores in alike]
    found = [_contrasts(entrants, table) for table in tables]
    known = [contrast.p for contrasts in found for contrast in contrasts if contrast.p is not None]
    corrected = iter(holm(known))
    scores = []
    for table, contrasts in zip(tables, found, strict=True):
        judged = tuple(c if c.p is None else _judged(c, next(corrected)) for c in contrasts)
        scores.append(RankedScore(dict(sorted(table.items(), key=lambda item: _badness(item[1]))), judged))
    results = {name: entrant.result for name, entrant in entrants.items()}
    return Ranking(results, tuple(scores), tuple(dict.fromkeys([*notes, *_uneven(tables)])))


def findings(results: Mapping[str, Result]) -> list[Finding]:
    """List the findings of all results, name -> result: one that all have once, and others with the name."""
    of_all = [{(f.code, f.message) for f in result.warnings} for result in results.values()]
    common = set.intersection(*of_all)
    found: dict[tuple[str, str], Finding] = {}
    for name, result in results.items():
        for finding in result.warnings:
            is_common = (finding.code, finding.message) in common
            message = finding.message if is_common else f"{name}: {finding.message}"
            found[finding.code, message] = Finding(finding.code, message, finding.videos, finding.side)
    return list(found.values())


def _contrasts(entrants: Mapping[str, Entrant], scores: Mapping[str, Score]) -> list[Contrast]:
    contrasts = []
    valued = [name for name, score in scores.items() if score.value is not None]
    for a, b in itertools.combinations(valued, 2):
        pair = scores[a], scores[b]
        names = entrants[a].fake_names, entrants[b].fake_names
        spreads = [entrants[name].spreads.get(scores[name].digest) for name in (a, b)]
        together = names[0] is not None and names[0] == names[1]
        error, units, paired = change_error(pair, spreads, together=together)
        assert pair[0].value is not None and pair[1].value is not None
        change = pair[1].value - pair[0].value
        p = None
        if error is not None and _counts(pair[0]) == _counts(pair[1]):
            p = p_value(change, error, units)
        contrasts.append(Contrast(a, b, change, error, paired, p, None, None))
    return contrasts


def _judged(contrast: Contrast, corrected: float) -> Contrast:
    return dataclasses.replace(contrast, corrected=corrected, is_real=corrected < LEVEL)


def _badness(score: Score) -> float:
    if score.value is None:
        return math.inf
    return score.value if score.lower_is_better else -score.value


def _uneven(tables: Sequence[Mapping[str, Score]]) -> Iterator[str]:
    """Yield a note for each score whose entrants have different numbers of clips."""
    for table in tables:
        clips = {name: score.fake.clips for name, score in table.items() if score.value is not None}
        if len(set(clips.values())) > 1:
            counted = ", ".join(f"{name} {count}" for name, count in clips.items())
            sample = next(iter(table.values()))
            yield (
                f"{sample.metric.upper()} of {sample.protocol} is of different numbers of fake clips ({counted}): "
                "fewer score worse for that alone, so differences between them are not judged"
            )


def _counts(score: Score) -> tuple[int, int]:
    return score.real.clips, score.fake.clips
