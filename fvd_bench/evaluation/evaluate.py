"""evaluate(real, fake, protocol) -> Result: the pipeline and nothing else.

protocol -> sources -> store -> frames -> images -> features -> statistics -> metric -> Result
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from fvd_bench.errors import ArgumentError, FvdBenchError
from fvd_bench.evaluation.evaluation import Evaluation, OpenSide, Progress, silent
from fvd_bench.evaluation.loading import load_all
from fvd_bench.evaluation.result import Result
from fvd_bench.features.distributed import WHOLE, share
from fvd_bench.features.given import open_side
from fvd_bench.features.store import FeatureStore
from fvd_bench.metrics import dependence
from fvd_bench.networks import FeatureExtractor, create, environment
from fvd_bench.processors import processors
from fvd_bench.protocols.protocol import Protocol, ProtocolLike
from fvd_bench.protocols.rules import SIDES, FeatureRule
from fvd_bench.protocols.variants import SCALE, scale_protocols
from fvd_bench.protocols.windows import window_protocols
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import SourceLike


def evaluate(
    real: SourceLike,
    fake: SourceLike,
    protocol: ProtocolLike | Sequence[ProtocolLike] = "stylegan-v-fvd16",
    *,
    repeats: int = 1,
    seed: int = 0,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> Result:
    """Score fake videos against real ones.

    real, fake: the two sides. Each is a path (a folder of video files or of frame folders, an archive, an array file);
    an array, a tensor, a list of them, or an iterable of videos; `Arrays` where axes or a value range have to be
    stated; or a `GeneratorSource` or another object like `sources.ClipSource`, which makes its videos on demand. The
    real side may also be statistics that another program made, see `features.foreign`.
    protocol: one or several, each by name, by path of a TOML file, or loaded. Several share the decoding.
    repeats: number of draws. They have the seeds seed, seed + 1, …, and a score is the mean over them.

    A protocol that cannot be served gives a score with the value None and a reason. Raises FvdBenchError when no
    protocol can be served, or when a side, the weights or a protocol are unusable.
    """
    settings = settings or Settings()
    with open_evaluation(
        real, fake, protocol, repeats=repeats, seed=seed, settings=settings, progress=progress
    ) as evaluation:
        return evaluation.run()


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
) -> Iterator[Evaluation]:
    """Open all that `evaluate` needs, with its arguments, and check all that can be checked before any long work."""
    started = time.monotonic()
    if repeats < 1 or not 0 <= seed <= 2**32 - repeats:
        raise ArgumentError(f"repeats = {repeats}, seed = {seed}: expected at least 1, and 0 to 2^32 - repeats")
    loaded = load_all(protocol)
    rows = {scale: f"{SCALE}{name}" for p in loaded for name, scale in scale_protocols(p).items() if settings.motion}
    if settings.windows:
        rows |= {part: row for p in loaded for row, part in window_protocols(p, settings.windows).items()}
    loaded += tuple(rows)
    sides = {side: open_side(source, side) for side, source in zip(SIDES, (real, fake), strict=True)}
    device = environment.resolve_device(settings.device)
    extractors: dict[FeatureRule, FeatureExtractor] = {}
    unserved: dict[Protocol, str] = {}
    fetching = _fetching(progress)
    for p in loaded:
        try:
            if p.features not in extractors:
                extractors[p.features] = create(p.features, device=device, weights=settings.weights, progress=fetching)
            sides["real"].check_serves(p.fake, dim=extractors[p.features].dim)
        except FvdBenchError as error:
            unserved[p] = str(error)
            if len(unserved) == len(loaded):
                raise
    groups = {}
    for side, given in sides.items():  # only after all quick checks, since this goes through an iterable
        groups[side] = dependence.groups(given.source.names, settings.group_by)
        given.check_readable()
    with contextlib.ExitStack() as stack:
        cache = None if settings.cache is None else Path(settings.cache)
        store = stack.enter_context(contextlib.closing(FeatureStore(cache)))
        evaluation = Evaluation(
            protocols=loaded,
            rows=rows,
            unserved=unserved,
            sides={
                side: OpenSide(given, stack.enter_context(given.store(store)), groups[side])
                for side, given in sides.items()
            },
            extractors=extractors,
            store=store,
            share=share() if settings.distributed else WHOLE,
            seeds=range(seed, seed + repeats),
            device=device,
            workers=settings.workers or processors(),
            strict=settings.strict,
            group_by=settings.group_by,
            progress=progress,
            started=started,
        )
        for side, given in sides.items():
            given.check_holds(partial(evaluation.missing, side))
        yield evaluation


@contextlib.contextmanager
def with_fake(evaluation: Evaluation, fake: SourceLike, progress: Progress) -> Iterator[Evaluation]:
    """Open the same evaluation of another fake side, and check what can be checked of that.

    Networks, store and real side are shared, so that nothing of the real side is read or made twice.
    """
    given = open_side(fake, "fake")
    groups = dependence.groups(given.source.names, evaluation.group_by)
    given.check_readable()
    with given.store(evaluation.store) as store:
        sides = {**evaluation.sides, "fake": OpenSide(given, store, groups)}
        other = dataclasses.replace(evaluation, sides=sides, progress=progress)
        given.check_holds(partial(other.missing, "fake"))
        yield other


def _fetching(progress: Progress) -> Callable[[int, int | None], None]:
    return lambda done, total: progress("fetching weights, MiB", done // 2**20, (total or 0) // 2**20)
