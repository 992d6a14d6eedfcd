"""evaluate(real, fake, protocol) -> Result: the pipeline and nothing else.

protocol -> sources -> store -> frames -> images -> features -> statistics -> metric -> Result
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from fvd_bench.errors import ArgumentError
from fvd_bench.evaluation.own_network import on_given
from fvd_bench.evaluation.scorable_protocols import load_all
from fvd_bench.features.distributed import rank
from fvd_bench.features.opening import open_side
from fvd_bench.finding import warn_of
from fvd_bench.progress import Progress, shown
from fvd_bench.protocols.protocol import Protocol, ProtocolLike
from fvd_bench.protocols.rules import SIDES
from fvd_bench.settings import MOST_REPEATS, Settings
from fvd_bench.sources.opening import SourceLike

if TYPE_CHECKING:
    from torch import Tensor

    from fvd_bench.evaluation.evaluation import Evaluation
    from fvd_bench.evaluation.result import Result
    from fvd_bench.networks import Network


def evaluate(
    real: SourceLike,
    fake: SourceLike,
    protocol: ProtocolLike | Sequence[ProtocolLike] = "stylegan-v-fvd16",
    *,
    repeats: int = 1,
    seed: int = 0,
    settings: Settings | None = None,
    progress: Progress | bool = True,
    network: Network | Callable[[Tensor], Tensor] | None = None,
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
    network: makes the features in the place of the protocol's own network: one that `fvd_bench.network` declared, or a
        torch module, which gets what the protocol prepares, [B, 3, T, H, W], and gives [B, dim]. The result says so, by
        its protocol's name and by a finding. Features of a bare module are kept for the run only.

    Warns of each finding in the result's `warnings`, by a FvdBenchWarning. A protocol that cannot be served gives a
    score with the value None and a reason. Raises FvdBenchError when no protocol can be served, or when a side, the
    weights or a protocol are unusable.
    """
    settings = settings or Settings()
    is_first = not settings.distributed or rank() == 0
    with contextlib.ExitStack() as stack:
        protocol, settings = stack.enter_context(on_given(network, protocol, settings))
        show = stack.enter_context(shown(progress, first=is_first))
        evaluation = stack.enter_context(
            open_evaluation(real, fake, protocol, repeats=repeats, seed=seed, settings=settings, progress=show)
        )
        from fvd_bench.evaluation.collection import collect  # after what may be refused at once
        from fvd_bench.evaluation.collection_result import result_of

        result = result_of(collect(evaluation))
    if is_first:
        warn_of(result.warnings, stacklevel=2)
    return result


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
) -> AbstractContextManager[Evaluation]:
    """Open all that `evaluate` needs, with its arguments, and check all that can be checked before any long work.

    required: protocols without whose scores those of the others are worth nothing.
    to_score: whether there has to be enough on both sides for a score.
    """
    started = time.monotonic()
    if not 1 <= repeats <= MOST_REPEATS or not 0 <= seed <= 2**32 - repeats:
        raise ArgumentError(
            f"repeats = {repeats}, seed = {seed}: expected 1 to {MOST_REPEATS:,}, and 0 to 2^32 - repeats"
        )
    protocols = load_all(protocol)
    sides = {side: open_side(source, side, progress) for side, source in zip(SIDES, (real, fake), strict=True)}
    from fvd_bench.evaluation.opening import opened  # what was typed wrong is told without it

    return opened(
        sides,
        protocols,
        seeds=range(seed, seed + repeats),
        settings=settings,
        progress=progress,
        required=required,
        to_score=to_score,
        started=started,
    )
