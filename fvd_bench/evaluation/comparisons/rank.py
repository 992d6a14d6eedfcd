"""Several generators scored against one real side, whose features are made once, and ranked."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fvd_bench.errors import ArgumentError, MetricError
from fvd_bench.evaluation.collection import Collection, collect
from fvd_bench.evaluation.collection_result import result_of
from fvd_bench.evaluation.comparisons.ranking import Entrant, Ranking, findings, is_ranked, ranking
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.evaluation import Evaluation, OpenSide
from fvd_bench.evaluation.feasibility import Look, check_windows, too_few
from fvd_bench.evaluation.opening import check_labels
from fvd_bench.evaluation.own_network import on_given
from fvd_bench.evaluation.result import Result
from fvd_bench.features import distributed
from fvd_bench.features.opening import open_side
from fvd_bench.finding import warn_of
from fvd_bench.progress import Progress, shown
from fvd_bench.protocols.protocol import ProtocolLike
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import SourceLike
from fvd_bench.videos.files import bare_name
from fvd_bench.words import counted

if TYPE_CHECKING:
    from torch import Tensor

    from fvd_bench.networks import Network


def rank(
    real: SourceLike,
    fakes: Mapping[str, SourceLike],
    protocol: ProtocolLike | Sequence[ProtocolLike] = "stylegan-v-fvd16",
    *,
    repeats: int = 1,
    seed: int = 0,
    settings: Settings | None = None,
    progress: Progress | bool = True,
    network: Network | Callable[[Tensor], Tensor] | None = None,
) -> Ranking:
    """Score several generators against the same real videos, and say which differences between them are real.

    fakes: name -> fake videos, two or more. The other arguments are those of `evaluate`. Features of the real side are
    made once, and each result is what `evaluate` returns for that generator alone, to the last digit.

    Raises as `evaluate` does.
    """
    settings = settings or Settings()
    is_first = not settings.distributed or distributed.rank() == 0
    with contextlib.ExitStack() as stack:
        protocol, settings = stack.enter_context(on_given(network, protocol, settings))
        show = stack.enter_context(shown(progress, first=is_first))
        evaluations = stack.enter_context(
            open_ranking(real, fakes, protocol, repeats=repeats, seed=seed, settings=settings, progress=show)
        )
        found = run(evaluations)
    if is_first:
        warn_of(findings(found.results), stacklevel=2)
    return found


@contextlib.contextmanager
def open_ranking(
    real: SourceLike,
    fakes: Mapping[str, SourceLike],
    protocol: ProtocolLike | Sequence[ProtocolLike],
    *,
    repeats: int,
    seed: int,
    settings: Settings,
    progress: Progress,
) -> Iterator[dict[str, Evaluation]]:
    """Open an evaluation for each generator, which share all but the fake side. Raises as `open_evaluation` does."""
    if not isinstance(fakes, Mapping):
        raise ArgumentError(f"the fake sides are of type {type(fakes).__name__}: expected a dict, name -> fake videos")
    if len(fakes) < 2:
        raise ArgumentError(f"{counted(len(fakes), 'fake side', 'are')} given: a ranking is of two or more")
    (first, fake), *others = fakes.items()
    with contextlib.ExitStack() as stack:
        evaluation = stack.enter_context(
            open_evaluation(
                real,
                fake,
                protocol,
                repeats=repeats,
                seed=seed,
                settings=settings,
                progress=_about(first, progress),
                to_score=False,  # what one generator has too few videos for may be scored of the others
            )
        )
        seen = Look(evaluation.sides["real"].given, "real", evaluation.workers)
        with _named(first):
            opened = {first: _counted(evaluation, seen, settings.windows)}
        for name, fake in others:
            with _named(name):
                opened[name] = stack.enter_context(
                    _with_fake(evaluation, seen, fake, settings.windows, _about(name, progress))
                )
        yield opened


def run(
    evaluations: Mapping[str, Evaluation], keep: Callable[[str, Collection, Result], None] = lambda *found: None
) -> Ranking:
    """Score all generators and rank them. keep: called with each name, its features and its result.

    Raises as `evaluate` does.
    """
    entrants = {}
    first = next(iter(evaluations.values()))
    real = first.extraction("real")
    for name, evaluation in evaluations.items():
        collection = collect(evaluation, {"real": real, "fake": evaluation.extraction("fake")})
        with _named(name):
            result = result_of(collection)
        keep(name, collection, result)
        given = evaluation.sides["fake"].given
        names = None if given.known is not None else [bare_name(video) for video in given.source.names]
        entrants[name] = Entrant(result, collection.spreads, names)
    alike = zip(*(list(filter(is_ranked, e.result.scores)) for e in entrants.values()), strict=True)
    return first.share.once(lambda: ranking(entrants, list(alike)))


@contextlib.contextmanager
def _with_fake(
    evaluation: Evaluation, real: Look, fake: SourceLike, windows: int, progress: Progress
) -> Iterator[Evaluation]:
    """Open the same evaluation of another fake side, and check what can be checked of that.

    Networks, store and real side are shared, so that nothing of the real side is read or made twice. real, windows: see
    `_counted`.
    """
    given = open_side(fake, "fake", progress)
    check_labels(given, "fake", evaluation.group_by, evaluation.classes)
    with given.store(evaluation.store) as store:
        side = OpenSide.of(given, store, evaluation.group_by, evaluation.classes)
        other = dataclasses.replace(evaluation, sides={**evaluation.sides, "fake": side}, progress=progress)
        other = _counted(other, real, windows)
        given.check_readable()
        other.check_given("fake")
        yield other


def _counted(evaluation: Evaluation, real: Look, windows: int) -> Evaluation:
    """Return an evaluation without the protocols that its sides hold too few videos for. Raises MetricError when none
    is left, and as `check_windows`. real: what was seen of the real side, which grows."""
    chosen = [p for p in evaluation.protocols if p not in evaluation.rows and p not in evaluation.unserved]
    fake = Look(evaluation.sides["fake"].given, "fake", evaluation.workers)
    lacking = too_few({"real": real, "fake": fake}, chosen, strict=evaluation.strict)
    check_windows(fake, [protocol for protocol in chosen if protocol not in lacking], windows)
    return dataclasses.replace(evaluation, unserved={**evaluation.unserved, **lacking})


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Say which generator it is that cannot be scored."""
    try:
        yield
    except MetricError as error:
        raise MetricError(f"{name}: {error}") from error


def _about(name: str, progress: Progress) -> Progress:
    return lambda what, done, total: progress(f"{name}: {what}", done, total)
