"""evaluate(real, fake, protocol) -> Result: the pipeline and nothing else.

protocol -> sources -> store -> frames -> images -> features -> statistics -> metric -> Result
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fvd_bench.errors import ArgumentError, FvdBenchError
from fvd_bench.evaluation.counts import Unserved, too_few
from fvd_bench.evaluation.loading import load_all
from fvd_bench.features.distributed import WHOLE, rank, share
from fvd_bench.features.given import Given, open_side
from fvd_bench.features.store import FeatureStore
from fvd_bench.finding import warn_of
from fvd_bench.metrics import dependence
from fvd_bench.networks import FeatureExtractor, create, environment
from fvd_bench.processors import processors
from fvd_bench.progress import Progress, shown
from fvd_bench.protocols.protocol import Protocol, ProtocolLike
from fvd_bench.protocols.rules import SIDES, FeatureRule, Side
from fvd_bench.protocols.variants import SCALE, scale_protocols
from fvd_bench.protocols.windows import window_protocols
from fvd_bench.settings import Settings
from fvd_bench.sources.iterables import IterableVideos
from fvd_bench.sources.opening import SourceLike

if TYPE_CHECKING:
    from fvd_bench.evaluation.evaluation import Evaluation
    from fvd_bench.evaluation.result import Result


def evaluate(
    real: SourceLike,
    fake: SourceLike,
    protocol: ProtocolLike | Sequence[ProtocolLike] = "stylegan-v-fvd16",
    *,
    repeats: int = 1,
    seed: int = 0,
    settings: Settings | None = None,
    progress: Progress | bool = True,
) -> Result:
    """Score fake videos against real ones.

    real, fake: the two sides. Each is a path or an address (a folder of video files or of frame folders, an archive, an
    array file, a list of videos) or a list of paths; an array, a tensor, a list of them, an iterable of videos, or a
    `datasets.Dataset`; `Arrays` where axes or a value range have to be stated; or a `GeneratorSource` or another object
    like `sources.ClipSource`, which makes its videos on demand. The real side may also be statistics that another
    program made, see `features.foreign`.
    protocol: one or several, each by name, by path of a TOML file, or loaded. Several share the decoding.
    repeats: number of draws. They have the seeds seed, seed + 1, …, and a score is the mean over them.
    progress: True for bars on a terminal and in a notebook, False for none, or a function that shows it.

    Warns of each finding in the result's `warnings`, by a FvdBenchWarning. A protocol that cannot be served gives a
    score with the value None and a reason. Raises FvdBenchError when no protocol can be served, or when a side, the
    weights or a protocol are unusable.
    """
    settings = settings or Settings()
    is_first = not settings.distributed or rank() == 0
    with (
        shown(progress, first=is_first) as show,
        open_evaluation(
            real, fake, protocol, repeats=repeats, seed=seed, settings=settings, progress=show
        ) as evaluation,
    ):
        result = evaluation.run()
    if is_first:
        warn_of(result.warnings, stacklevel=2)
    return result


@contextlib.contextmanager
def open_evaluation(
    real: SourceLike,
    fake: SourceLike,
    protocol: ProtocolLike | Sequence[ProtocolLike],
    *,
    repeats: int,
    seed: int,
    settings: Settings,
    progress: Progress,
    required: Sequence[Protocol] = (),
    to_score: bool = True,
) -> Iterator[Evaluation]:
    """Open all that `evaluate` needs, with its arguments, and check all that can be checked before any long work.

    Networks are loaded last, since that takes seconds, and minutes where weights have to be fetched.
    required: protocols without whose scores those of the others are worth nothing.
    to_score: whether there has to be enough on both sides for a score.
    """
    started = time.monotonic()
    if repeats < 1 or not 0 <= seed <= 2**32 - repeats:
        raise ArgumentError(f"repeats = {repeats}, seed = {seed}: expected at least 1, and 0 to 2^32 - repeats")
    chosen = load_all(protocol)
    sides = {side: open_side(source, side, progress) for side, source in zip(SIDES, (real, fake), strict=True)}
    workers = settings.workers or processors()
    goes_through = any(isinstance(given.source, IterableVideos) for given in sides.values())
    unserved: dict[Protocol, Unserved] = {}
    look = partial(_looked_at, sides, settings=settings, workers=workers, required=required, to_score=to_score)
    if not goes_through:
        unserved |= look(chosen)
    from fvd_bench.evaluation.evaluation import Evaluation, OpenSide  # after what may be refused at once

    rows = _rows([p for p in chosen if p not in unserved], settings)
    loaded = (*chosen, *rows)
    device = environment.resolve_device(settings.device)
    extractors, without_network = _networks([p for p in loaded if p not in unserved], sides, device, settings, progress)
    unserved |= without_network
    if goes_through:  # only after all else, since what an iterable yields may take hours to make
        unserved |= look([p for p in chosen if p not in unserved])
    with contextlib.ExitStack() as stack:
        cache = None if settings.cache is None else Path(settings.cache)
        store = stack.enter_context(contextlib.closing(FeatureStore(cache)))
        evaluation = Evaluation(
            protocols=loaded,
            rows=rows,
            unserved=unserved,
            sides={
                side: OpenSide(
                    given,
                    stack.enter_context(given.store(store)),
                    dependence.groups(given.source.names, settings.group_by, given.columns),
                )
                for side, given in sides.items()
            },
            extractors=extractors,
            store=store,
            share=share() if settings.distributed else WHOLE,
            seeds=range(seed, seed + repeats),
            device=device,
            workers=workers,
            strict=settings.strict,
            group_by=settings.group_by,
            onlooker=settings.onlooker,
            progress=progress,
            started=started,
        )
        for side, given in sides.items():
            given.check_holds(partial(evaluation.missing, side))
        yield evaluation


def _looked_at(
    sides: Mapping[Side, Given],
    protocols: Sequence[Protocol],
    *,
    settings: Settings,
    workers: int,
    required: Sequence[Protocol],
    to_score: bool,
) -> dict[Protocol, Unserved]:
    """Return the protocols that the sides hold too few videos for, and why. Raises FvdBenchError when a side cannot be
    used, or when the protocols that are left are worth nothing."""
    for given in sides.values():
        dependence.groups(given.source.names, settings.group_by, given.columns)
    found: dict[Protocol, Unserved] = {}
    if to_score:
        found = too_few(sides, protocols, required=required, workers=workers, strict=settings.strict)
    for given in sides.values():
        given.check_readable()
    return found


def _rows(protocols: Sequence[Protocol], settings: Settings) -> dict[Protocol, str]:
    """Return the protocols that the settings add for scales of motion and for windows, each with its row in a table."""
    rows: dict[Protocol, str] = {}
    for p in protocols:
        if settings.motion:
            rows |= {scale: f"{SCALE}{name}" for name, scale in scale_protocols(p).items()}
        if settings.windows:
            rows |= {part: row for row, part in window_protocols(p, settings.windows).items()}
    return rows


def _networks(
    protocols: Sequence[Protocol], sides: Mapping[Side, Given], device: str, settings: Settings, progress: Progress
) -> tuple[dict[FeatureRule, FeatureExtractor], dict[Protocol, Unserved]]:
    """Load the networks of all protocols. Also return the protocols that cannot be served, and why.

    Raises FvdBenchError when no protocol is left.
    """
    extractors: dict[FeatureRule, FeatureExtractor] = {}
    unserved: dict[Protocol, Unserved] = {}
    fetching = _fetching(progress)
    for p in protocols:
        try:
            if p.features not in extractors:
                extractors[p.features] = create(p.features, device=device, weights=settings.weights, progress=fetching)
            sides["real"].check_serves(p.fake, dim=extractors[p.features].dim)
        except FvdBenchError as error:
            unserved[p] = Unserved(str(error))
            if len(unserved) == len(protocols):
                raise
    return extractors, unserved


@contextlib.contextmanager
def with_fake(evaluation: Evaluation, fake: SourceLike, progress: Progress) -> Iterator[Evaluation]:
    """Open the same evaluation of another fake side, and check what can be checked of that.

    Networks, store and real side are shared, so that nothing of the real side is read or made twice.
    """
    given = open_side(fake, "fake", progress)
    groups = dependence.groups(given.source.names, evaluation.group_by, given.columns)
    with given.store(evaluation.store) as store:
        other = dataclasses.replace(
            evaluation,
            sides={
                **evaluation.sides,
                "fake": dataclasses.replace(evaluation.sides["fake"], given=given, store=store, groups=groups),
            },
            progress=progress,
        )
        other = counted(other)
        given.check_readable()
        given.check_holds(partial(other.missing, "fake"))
        yield other


def counted(evaluation: Evaluation) -> Evaluation:
    """Return an evaluation without the protocols that its sides hold too few videos for. Raises MetricError when none
    is left."""
    chosen = [p for p in evaluation.protocols if p not in evaluation.rows and p not in evaluation.unserved]
    sides = {side: opened.given for side, opened in evaluation.sides.items()}
    lacking = too_few(sides, chosen, workers=evaluation.workers, strict=evaluation.strict)
    return dataclasses.replace(evaluation, unserved={**evaluation.unserved, **lacking})


def _fetching(progress: Progress) -> Callable[[int, int | None], None]:
    return lambda done, total: progress("fetching weights, MiB", done // 2**20, (total or 0) // 2**20)
