"""evaluate(real, fake, protocol) -> Result: the pipeline and nothing else.

protocol -> sources -> store -> frames -> images -> features -> statistics -> metric -> Result
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from fvd_bench.errors import FvdBenchError, SourceError
from fvd_bench.evaluation.evaluation import Evaluation, OpenSide, Progress, silent
from fvd_bench.evaluation.loading import load_all
from fvd_bench.evaluation.result import Result
from fvd_bench.features.distributed import WHOLE, share
from fvd_bench.features.given import Given, open_side
from fvd_bench.features.store import FeatureStore
from fvd_bench.metrics import dependence
from fvd_bench.networks import FeatureExtractor, create, environment
from fvd_bench.processors import processors
from fvd_bench.protocols.protocol import Protocol, ProtocolLike
from fvd_bench.protocols.rules import SIDES, FeatureRule, Side
from fvd_bench.protocols.variants import scale_protocols
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

    real, fake: the two sides. Each is a path or an address (a folder of video files or of frame folders, an archive, an
    array file, a list of videos) or a list of paths; an array, a tensor, a list of them, an iterable of videos, or a
    `datasets.Dataset`; `Arrays` where axes or a value range have to be stated; or a `GeneratorSource` or another object
    like `sources.ClipSource`, which makes its videos on demand. The real side may also be statistics that another
    program made, see `features.foreign`.
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
        raise FvdBenchError(f"repeats = {repeats}, seed = {seed}: expected at least 1, and 0 to 2^32 - repeats")
    loaded = load_all(protocol)
    scales = {scale: f"scale-{name}" for p in loaded for name, scale in scale_protocols(p).items() if settings.motion}
    loaded += tuple(scales)
    sides = {side: open_side(source, side, progress) for side, source in zip(SIDES, (real, fake), strict=True)}
    device = environment.resolve_device(settings.device)
    extractors: dict[FeatureRule, FeatureExtractor] = {}
    unserved: dict[Protocol, str] = {}
    fetching = _fetching(progress)
    for p in loaded:
        try:
            _check_lengths(p, sides)
            if p.features not in extractors:
                extractors[p.features] = create(p.features, device=device, weights=settings.weights, progress=fetching)
            sides["real"].check_serves(p.fake, dim=extractors[p.features].dim)
        except FvdBenchError as error:
            unserved[p] = str(error)
            if len(unserved) == len(loaded):
                raise
    groups = {}
    for side, given in sides.items():  # only after all quick checks, since this goes through an iterable
        groups[side] = dependence.groups(given.source.names, settings.group_by, given.columns)
        given.check_readable()
    with contextlib.ExitStack() as stack:
        cache = None if settings.cache is None else Path(settings.cache)
        store = stack.enter_context(contextlib.closing(FeatureStore(cache)))
        evaluation = Evaluation(
            protocols=loaded,
            rows=scales,
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


def _check_lengths(protocol: Protocol, sides: Mapping[Side, Given]) -> None:
    """Raise SourceError when a side has nothing but single images, and the protocol needs more frames of a video.

    Where both sides are the same source, as when statistics of one side are made, it is not known which side is meant.
    """
    if sides["real"].source is sides["fake"].source:
        return
    for side, given in sides.items():
        needed, most = protocol.clip_rule(side).frames_needed, getattr(given.source, "most_frames", None)
        if most is not None and most < needed and not protocol.clip_rule(side).takes_real:
            raise SourceError(
                f"{given.source.name} has no folders of frames but {len(given.source.names)} single images, and "
                f"{protocol.name} needs {needed} frames of each {side} video: put the frames of each video into a "
                "folder of its own, video/000000.jpg, and pass the folder above them, or score single images by "
                "torch-fidelity-fid"
            )


def _fetching(progress: Progress) -> Callable[[int, int | None], None]:
    return lambda done, total: progress("fetching weights, MiB", done // 2**20, (total or 0) // 2**20)
