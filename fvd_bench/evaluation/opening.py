"""Opening an evaluation, from what costs least to what costs most, so that what is missing is told soon."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fvd_bench.errors import EngineError, FvdBenchError
from fvd_bench.evaluation.feasibility import Look, Unserved, check_windows, too_few
from fvd_bench.features.distributed import WHOLE, share
from fvd_bench.features.given import Given
from fvd_bench.features.store import FeatureStore
from fvd_bench.metrics import dependence
from fvd_bench.networks import NETWORKS, FeatureExtractor, create, environment, remembered, versions
from fvd_bench.packages import needed_for
from fvd_bench.paths import user_path
from fvd_bench.processors import processors
from fvd_bench.progress import Progress, fetching
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import FeatureRule, Side
from fvd_bench.protocols.variants import SCALE, scale_protocols
from fvd_bench.protocols.windows import window_protocols
from fvd_bench.settings import Settings
from fvd_bench.sources.addresses import is_address
from fvd_bench.sources.iterables import IterableVideos

if TYPE_CHECKING:
    from fvd_bench.evaluation.evaluation import Evaluation
    from fvd_bench.features.engine import Engine


@contextlib.contextmanager
def opened(
    sides: Mapping[Side, Given],
    protocols: Sequence[Protocol],
    *,
    seeds: range,
    settings: Settings,
    progress: Progress,
    required: Sequence[Protocol],
    to_score: bool,
    started: float,
) -> Iterator[Evaluation]:
    """Open the evaluation of two sides, see `open_evaluation`. Networks are loaded last, which takes seconds, and
    minutes where weights have to be fetched."""
    cache = None if settings.cache is None else Path(settings.cache)
    with contextlib.ExitStack() as stack:
        stack.enter_context(remembered.kept_in(cache))
        workers = settings.workers or processors()
        check = partial(_check, sides, settings=settings, workers=workers, required=required, to_score=to_score)
        goes_through = any(isinstance(given.source, IterableVideos) for given in sides.values())
        unserved = {} if goes_through else check(protocols)
        store = stack.enter_context(contextlib.closing(FeatureStore(cache)))
        from fvd_bench.evaluation.evaluation import Evaluation, OpenSide  # after what may be refused at once

        rows = _rows([p for p in protocols if p not in unserved], settings)
        loaded = (*protocols, *rows)
        device = environment.resolve_device(settings.device)
        extractors, without_network = _networks(
            [p for p in loaded if p not in unserved], sides, device, settings, progress
        )
        unserved |= without_network
        if goes_through:  # only after all else, since what an iterable yields may take hours to make
            unserved |= check([p for p in protocols if p not in unserved])
        stored = {
            side: OpenSide.of(given, stack.enter_context(given.store(store)), settings.group_by, settings.classes)
            for side, given in sides.items()
        }
        evaluation = Evaluation(
            protocols=loaded,
            rows=rows,
            unserved=unserved,
            sides=stored,
            extractors=extractors,
            store=store,
            share=share() if settings.distributed else WHOLE,
            engine=stack.enter_context(_engine(settings, device, workers, extractors)),
            seeds=seeds,
            device=device,
            workers=workers,
            strict=settings.strict,
            group_by=settings.group_by,
            classes=settings.classes,
            onlooker=settings.onlooker,
            progress=progress,
            started=started,
        )
        for side in sides:
            evaluation.check_given(side)
        yield evaluation


def _check(
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
    for side, given in sides.items():
        check_labels(given, side, settings.group_by, settings.classes)
    found: dict[Protocol, Unserved] = {}
    if to_score:
        looks = {side: Look(given, side, workers) for side, given in sides.items()}
        found = too_few(looks, protocols, required=required, strict=settings.strict)
        check_windows(looks["fake"], [p for p in protocols if p not in found], settings.windows)
    for given in sides.values():
        given.check_readable()
    return found


def check_labels(given: Given, side: Side, group_by: str | None, classes: str | None) -> None:
    """Raise FvdBenchError where the videos of a side have no groups or classes in these words, see `Settings`."""
    dependence.groups(given.source.names, group_by, given.columns)
    if classes is None:
        return
    if given.known is not None:
        raise FvdBenchError(
            f"classes {classes!r}: the {side} side is statistics without single videos, which cannot be parted by "
            "class; give its videos, or a file of `fvd-bench stats`"
        )
    dependence.labels(given.source.names, classes, given.columns, what="classes")


@contextlib.contextmanager
def _engine(settings: Settings, device: str, workers: int, rules: Iterable[FeatureRule]) -> Iterator[Engine | None]:
    """Open what computes features, None for this process. rules: of all networks. Raises EngineError."""
    if settings.engine == "local":
        yield None
        return
    if settings.distributed and share().exchanged:
        raise EngineError("torchrun has started several processes, and the engine ray starts its own: leave one out")
    with needed_for("runs by the engine ray", "fvd-bench[ray]", raising=EngineError):
        import pyarrow  # noqa: F401 - whether they are there
        import ray  # noqa: F401
    from fvd_bench.features.cluster.ray_data import RayEngine

    place = settings.parquet or str(Path(settings.cache or "") / "parquet")
    engine = RayEngine(
        place=place if is_address(place) else str(user_path(place).absolute()),
        device=device,
        weights=settings.weights,
        versions=versions(rules, device),
        workers=workers,
    )
    with contextlib.closing(engine):
        yield engine


def _rows(protocols: Sequence[Protocol], settings: Settings) -> dict[Protocol, str]:
    """Return the protocols that the settings add for scales of motion and for windows, each with its row in a table."""
    rows: dict[Protocol, str] = {}
    for p in protocols:
        if settings.motion:
            scales = scale_protocols(p, sees=NETWORKS[p.features.extractor].sees)
            rows |= {scale: f"{SCALE}{name}" for name, scale in scales.items()}
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
    fetched = fetching(progress, "weights")
    for p in protocols:
        try:
            if p.features not in extractors:
                extractors[p.features] = create(p.features, device=device, weights=settings.weights, progress=fetched)
            sides["real"].check_serves(p.fake, dim=extractors[p.features].dim)
        except FvdBenchError as error:
            unserved[p] = Unserved(error.sentence)
            if len(unserved) == len(protocols):
                raise
    return extractors, unserved
