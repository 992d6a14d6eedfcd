"""One result against another: better, worse, or not to be told apart; and the regression gate for CI.

Both results score fake videos against the same real ones, so chance comes only from the drawing of the fake videos.
Results are told apart by the rule of a ranking, whose level and correction hold for changes up and down. A gate looks
one way: a worse score counts as a regression if it is worse by more than is allowed and by more than chance explains.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fvd_bench.errors import ArgumentError, FvdBenchError, ResultError
from fvd_bench.estimate import ROUNDING
from fvd_bench.evaluation import result_features
from fvd_bench.evaluation.change_error import change_error
from fvd_bench.evaluation.comparisons import ranking
from fvd_bench.evaluation.comparisons.comparability import notes, pairs, protocols_of, require_same_inputs
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.result_features import ResultFeatures, spread_of
from fvd_bench.evaluation.score import Score
from fvd_bench.features.distributed import refuse_several
from fvd_bench.finding import Finding
from fvd_bench.metrics.uncertainty import CONFIDENCE, quantile
from fvd_bench.paths import user_path
from fvd_bench.progress import Progress, silent
from fvd_bench.protocols.protocol import Protocol, ProtocolLike
from fvd_bench.settings import Settings

if TYPE_CHECKING:
    from fvd_bench.evaluation.evaluation import Evaluation
    from fvd_bench.sources.opening import SourceLike

ALARM = 0.04
"""Probability that a gate fails although nothing is worse, shared evenly by the scores that the gate looks at.

A gate looks one way, so all of it lies there. At 4 % it stays below one build in twenty, although errors are estimated.
"""

Verdict = Literal["better", "same", "worse", "regression", "unknown"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric under one protocol, before and now.

    change: now - before.
    error: standard error of the change from drawing the fake videos, None if unknown.
    paired: whether that error compares videos of the same name with each other.
    noise: the largest change that chance explains, 0 where the error is unknown.
    detectable: the smallest true worsening that is found with a probability of 95 %, as a fraction of the score before;
        None where the error is unknown, and where that score is 0 but for rounding.
    lower_is_better: of the metric; it says whether worse is up or down.
    verdict: `regression` is worse by more than allowed and by more than noise, `worse` by more than noise alone. Where
        the error is unknown, any change beyond the allowed one is a `regression` and all else `unknown`.
    """

    metric: str
    protocol: str
    row: str | None
    before: float
    now: float
    change: float
    error: float | None
    paired: bool
    noise: float
    detectable: float | None
    lower_is_better: bool
    verdict: Verdict

    @property
    def relative_change(self) -> float | None:
        """The change as a fraction of the score before, None where that is 0 but for rounding."""
        return self.change / abs(self.before) if abs(self.before) > ROUNDING else None


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Two results compared.

    allowed: the worsening, as a fraction, that is no regression. before, now: the results.
    notes: differences that do not forbid comparing. accepted: whether the later result was made the baseline.
    """

    scores: tuple[Comparison, ...]
    allowed: float
    before: Result
    now: Result
    notes: tuple[str, ...]
    accepted: bool = False

    @property
    def failed(self) -> bool:
        """Whether there is a regression that was not accepted."""
        return not self.accepted and any(score.verdict == "regression" for score in self.scores)

    @property
    def results(self) -> dict[str, Result]:
        """The two results by the words that reports have for them."""
        return {"before": self.before, "now": self.now}

    @property
    def findings(self) -> list[Finding]:
        """The findings of both results, as a ranking lists them."""
        return ranking.findings(self.results)


def check(
    real: SourceLike,
    fake: SourceLike,
    baseline: Path,
    *,
    max_increase: float = 0.05,
    protocol: ProtocolLike | Sequence[ProtocolLike] = (),
    update: bool = False,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> Comparisons:
    """Score new fake videos in the way a baseline was scored, and compare.

    baseline: file of any result; features kept beside it are used.
    max_increase: allowed worsening as a fraction.
    protocol: one or several of the baseline that do not ship with the package.
    update: whether the new result replaces the baseline, and its features replace the baseline's features.

    Raises NotComparableError, naming what differs, and FvdBenchError as `evaluate` does.
    """
    from fvd_bench.evaluation.evaluate import open_evaluation  # here and below: `compare` does without

    settings = settings or Settings()
    if settings.distributed:
        refuse_several("check", "; `stats` is divided, and check takes the files that it makes")
    if not max_increase >= 0:
        raise ArgumentError(f"max_increase is {max_increase}: expected a fraction, such as 0.05, of at least 0")
    baseline = user_path(baseline)
    if update:
        result_features.check_place(result_features.beside(baseline))
    before = Result.read(baseline)
    old = result_features.kept(baseline, before)
    protocols = protocols_of(before, protocol)
    first = next(s for s in before.scores if s.protocol == protocols[0].name and s.value is not None)
    with open_evaluation(
        real,
        fake,
        protocols,
        repeats=len(first.values),
        seed=first.seed,
        settings=settings,
        progress=progress,
    ) as evaluation:
        from fvd_bench.evaluation.collection import collect  # after what may be refused at once
        from fvd_bench.evaluation.collection_result import result_of

        extractions = evaluation.read()
        fingerprint = evaluation.sides["real"].given.fingerprint(extractions["real"].contents)
        weights = {name: digest for e in evaluation.extractors.values() for name, digest in e.weights.items()}
        require_same_inputs(before, weights=weights, real_fingerprint=fingerprint)
        collection = collect(evaluation, extractions)
        now = result_of(collection)
        features = old or _recomputed(before, evaluation), result_features.features(collection)
        compared = comparisons(before, now, features, allowed=max_increase, known=protocols)
        if update:
            result_features.replace(baseline, collection, now)
    return dataclasses.replace(compared, accepted=update)


def compare(before_file: Path, now_file: Path) -> Comparisons:
    """Compare two results. Features kept beside them are used.

    Raises NotComparableError, naming what differs, and ResultError.
    """
    before_file, now_file = user_path(before_file), user_path(now_file)
    before, now = Result.read(before_file), Result.read(now_file)
    require_same_inputs(before, weights=now.weights, real_fingerprint=now.real.fingerprint)
    features = result_features.kept(before_file, before), result_features.kept(now_file, now)
    return comparisons(before, now, features, allowed=math.inf)


def comparisons(
    before: Result,
    now: Result,
    features: tuple[ResultFeatures | None, ResultFeatures | None],
    *,
    allowed: float,
    known: Sequence[Protocol] = (),
) -> Comparisons:
    """Compare two results.

    features: the features behind each result, None where they are not known.
    allowed: the worsening, as a fraction, that is no regression; infinity where there is no gate.
    known: protocols of the results that do not ship.
    Raises NotComparableError, and ResultError where the error of a change is not a finite number.
    """
    found = pairs(before, now, known)
    names = [f.fake_names if f else None for f in features]
    together = names[0] is not None and names[0] == names[1]
    changes = []
    for old, new in found:
        spreads = [spread_of(score, f, r) for score, f, r in zip((old, new), features, (before, now), strict=True)]
        changes.append(_Change(old, new, *change_error((old, new), spreads, together=together)))
    noise = _noise_either_way(changes) if math.isinf(allowed) else [c.noise(ALARM / len(changes)) for c in changes]
    scores = tuple(_comparison(change, n, allowed) for change, n in zip(changes, noise, strict=True))
    return Comparisons(scores, allowed, before, now, notes(before, now, found))


@dataclass(frozen=True, slots=True)
class _Change:
    """Two scores that are made alike. error, units, paired: as `change_error` returns them."""

    before: Score
    now: Score
    error: float | None
    units: int
    paired: bool

    @property
    def size(self) -> float:
        """How much the later score is above the earlier one."""
        assert self.before.value is not None and self.now.value is not None
        return self.now.value - self.before.value

    def noise(self, tail: float) -> float:
        """Return the change that chance exceeds with a probability of `tail`, 0 where the error is unknown. Raises
        ResultError where it is not finite, since every change would lie within it."""
        noise = 0.0 if self.error is None else quantile(self.units, tail=tail) * self.error
        if not math.isfinite(noise):
            raise ResultError(
                f"{self.now.metric} of {self.now.protocol}: the error of its change is {self.error}: expected a number"
            )
        return noise


def _noise_either_way(changes: Sequence[_Change]) -> list[float]:
    """Return for each change the largest that chance explains, so that those beyond it are real by Holm's rule.

    Holm's rule holds every change against the level of a ranking, shared evenly by the changes that are not yet told
    apart, until no further one is; a change may go up or down, which halves its share. Source: Holm 1979.
    """
    left = sum(change.error is not None for change in changes)
    while True:
        noise = [change.noise(ranking.LEVEL / 2 / max(left, 1)) for change in changes]
        within = sum(c.error is not None and abs(c.size) <= n for c, n in zip(changes, noise, strict=True))
        if within == left or within == 0:
            return noise
        left = within


def _recomputed(before: Result, evaluation: Evaluation) -> ResultFeatures | None:
    """Return the features of a result from the store, if its fake videos are still where they were.

    Features that the store lacks are computed again only if the result does not know its own errors. None where the
    features cannot be had.
    """
    from fvd_bench.evaluation.collection import collect
    from fvd_bench.evaluation.evaluation import OpenSide
    from fvd_bench.features.given import Given
    from fvd_bench.sources.opening import open_source

    try:
        if not Path(before.fake.path).exists():
            return None
        given = Given(open_source(before.fake.path))
        fake = OpenSide.of(given, evaluation.store, evaluation.group_by, None)
        again = dataclasses.replace(evaluation, sides={**evaluation.sides, "fake": fake}, strict=False)
        extractions = again.read()
        if given.fingerprint(extractions["fake"].contents) != before.fake.fingerprint:
            return None
        _, absent = extractions["fake"].outlook(again.jobs_reading("fake"))
        if absent and all(score.error_fake is not None for score in before.scores if score.value is not None):
            return None
        return result_features.features(collect(again, extractions))
    except (FvdBenchError, OSError):  # the user need not know that these are gone, or never were files
        return None


def _comparison(compared: _Change, noise: float, allowed: float) -> Comparison:
    before, now, error, change = compared.before, compared.now, compared.error, compared.size
    assert before.value is not None and now.value is not None
    worse = change if now.lower_is_better else -change
    limit = allowed * abs(before.value) if math.isfinite(allowed) else allowed
    verdict: Verdict = "same"
    if worse > max(noise, limit):
        verdict = "regression"
    elif error is None:
        verdict = "unknown"
    elif worse > noise:
        verdict = "worse"
    elif -worse > noise:
        verdict = "better"
    found = None
    if error is not None and abs(before.value) > ROUNDING:
        needed = max(noise, limit) if math.isfinite(limit) else noise
        found = (needed + quantile(compared.units, tail=1 - CONFIDENCE) * error) / abs(before.value)
    return Comparison(
        metric=now.metric,
        protocol=now.protocol,
        row=now.row,
        before=before.value,
        now=now.value,
        change=change,
        error=error,
        paired=compared.paired,
        noise=noise,
        detectable=found,
        lower_is_better=now.lower_is_better,
        verdict=verdict,
    )
