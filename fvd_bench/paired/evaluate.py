"""evaluate_paired(real, fake, protocol) -> PairedResult: videos against their own originals, frame by frame."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fvd_bench.errors import ArgumentError, FvdBenchError, MetricError
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.result import Result, SourceInfo
from fvd_bench.features.distributed import world
from fvd_bench.finding import Finding, warn_of, worst_first
from fvd_bench.metrics import dependence
from fvd_bench.paired.findings import find, refuse_left_out, refuse_skipped
from fvd_bench.paired.measurement import Measured, Unread, Wanted, measure, measures_of
from fvd_bench.paired.pairing import BY_NAME, PairedSide, Pairs, pair
from fvd_bench.paired.perceptual import Perceptual
from fvd_bench.paired.result import PairedResult
from fvd_bench.paired.scoring import Compared, none_compared, pair_records, scores, wrapped
from fvd_bench.paths import PathLike
from fvd_bench.processors import processors
from fvd_bench.progress import Progress, labelled, shown
from fvd_bench.protocols.paired import METRICS, LpipsRule, PairedProtocol, PairedProtocolLike, load_all
from fvd_bench.protocols.protocol import load
from fvd_bench.protocols.rules import SIDES, Side
from fvd_bench.settings import Settings
from fvd_bench.sources.clip_source import fingerprint
from fvd_bench.sources.opening import ClipSource, SourceLike, check_something_decodes, open_source
from fvd_bench.version import __version__
from fvd_bench.videos.video import Video

if TYPE_CHECKING:
    from fvd_bench.evaluation.evaluation import Evaluation

RFVD = "rfvd"
CHOICES = (*METRICS, RFVD)
"""What can be asked for."""


def evaluate_paired(
    real: SourceLike,
    fake: SourceLike,
    protocol: PairedProtocolLike | Sequence[PairedProtocolLike] = "common-metrics",
    *,
    pairs: PathLike = BY_NAME,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    settings: Settings | None = None,
    progress: Progress | bool = True,
) -> PairedResult:
    """Score videos against their originals: reconstructions, predictions, interpolations, inpaintings.

    real, fake: the two sides, in each of the forms that `evaluate` takes videos in.
    protocol: one or several, each by name, by path of a TOML file, or loaded. Several share the decoding.
    pairs: how pairs are found: `name`, `order`, or the path of a CSV file, see `pairing.pair`.
    metrics: which of psnr, ssim, lpips, flickering and rfvd to compute; None for all that a protocol has.
    seed: of the resamples of videos that intervals come from, and of rFVD's draws.

    Pairs that cannot be compared are left out, named and counted. A metric that cannot be computed has the value None
    and a reason. Warns of each finding by a FvdBenchWarning. Raises FvdBenchError where there is no score at all, or
    where a side, a protocol or the pairs are unusable.
    """
    with shown(progress, first=True) as show:
        result = score_pairs(
            real,
            fake,
            protocol,
            pairs=pairs,
            metrics=metrics,
            seed=seed,
            settings=settings or Settings(),
            progress=show,
        )
    warn_of(result.findings, stacklevel=2)
    return result


def score_pairs(
    real: SourceLike,
    fake: SourceLike,
    protocol: PairedProtocolLike | Sequence[PairedProtocolLike],
    *,
    pairs: PathLike,
    metrics: Sequence[str] | None,
    seed: int,
    settings: Settings,
    progress: Progress,
) -> PairedResult:
    """Return what `evaluate_paired` does, without warning of what was found."""
    started = time.monotonic()
    chosen = _chosen(metrics)
    if world() > 1:
        raise ArgumentError("paired scores are computed in one process: run the command without torchrun")
    if not 0 <= seed < 2**32:
        raise ArgumentError(f"seed = {seed}: expected 0 to 2^32 - 1")
    protocols = load_all(protocol)
    for p in protocols if RFVD in chosen else ():
        if p.rfvd:
            load(p.rfvd)  # where there is none, that is said before the long work
    offered = {p.name: [*p.metrics, RFVD] if p.rfvd else list(p.metrics) for p in protocols}
    if not any(name in chosen for names in offered.values() for name in names):
        has = "; ".join(f"{protocol} has {', '.join(names)}" for protocol, names in offered.items())
        raise ArgumentError(f"{' and '.join(chosen)} cannot be scored: {has}")
    return _evaluated(
        protocols,
        chosen,
        _opened(real, fake, pairs, progress),
        pairing=os.fspath(pairs),
        seed=seed,
        settings=settings,
        progress=progress,
        started=started,
    )


def _chosen(metrics: Sequence[str] | None) -> tuple[str, ...]:
    if metrics is None:
        return CHOICES
    if not metrics or set(metrics) - set(CHOICES):
        raise ArgumentError(f"metrics = {list(metrics)}: expected some of {', '.join(CHOICES)}")
    return tuple(metrics)


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both sides with their pairs."""

    sources: Mapping[Side, ClipSource]
    pairs: Pairs

    @property
    def names(self) -> list[tuple[str, str]]:
        """The names of the real and of the fake video of each pair."""
        return [(self.sources["real"].names[a], self.sources["fake"].names[b]) for a, b in self.pairs.indices]

    def videos(self, place: int) -> tuple[Video, Video]:
        real, fake = self.pairs.indices[place]
        return self.sources["real"].video(real), self.sources["fake"].video(fake)

    def side(self, side: Side, places: Sequence[int]) -> PairedSide:
        """Return the videos of some pairs as a side of their own."""
        return PairedSide(self.sources[side], [self.pairs.indices[place][SIDES.index(side)] for place in places])


def _opened(real: SourceLike, fake: SourceLike, pairs: PathLike, progress: Progress) -> _Sides:
    sources = {side: open_source(source, progress) for side, source in zip(SIDES, (real, fake), strict=True)}
    found = pair(sources["real"].names, sources["fake"].names, pairs)
    for source in sources.values():
        check_something_decodes(source)
    return _Sides(sources, found)


def _evaluated(
    protocols: Sequence[PairedProtocol],
    chosen: Sequence[str],
    sides: _Sides,
    *,
    pairing: str,
    seed: int,
    settings: Settings,
    progress: Progress,
    started: float,
) -> PairedResult:
    from fvd_bench.networks import environment  # after what may be refused at once

    device = environment.resolve_device(settings.device)
    compared, perceptual = _compared(protocols, chosen, sides, device, settings, progress)
    if settings.strict:
        refuse_left_out(sides.pairs, compared)
    scored = scores(protocols, [name for name in METRICS if name in chosen], compared, seed)
    for score in scored if settings.strict else ():
        refuse_skipped(score.name, score.skipped)
    loose = replace(settings, strict=False)  # else the error would be a reason why there is no rFVD
    rfvd, reason = _rfvd(protocols if RFVD in chosen else (), sides, compared, seed, loose, progress)
    for fvd in rfvd.scores if rfvd and settings.strict else ():
        refuse_skipped(f"{fvd.protocol}/r{fvd.metric}", (*fvd.real.skipped, *fvd.fake.skipped))
    if rfvd is None and all(score.value is None for score in scored):
        raise MetricError("; ".join(dict.fromkeys(filter(None, [*(score.reason for score in scored), reason]))))
    warnings = list(find(sides.sources, sides.pairs, compared))
    if "psnr" in chosen:
        warnings += [finding for protocol in protocols for finding in wrapped(protocol, compared)]
    warnings += [Finding("weights-unverified", note) for note in perceptual.unverified]
    return PairedResult(
        fvd_bench=__version__,
        scores=tuple(scored),
        pairs=tuple(pair_records(protocols, scored, compared)),
        unpaired={side: sides.pairs.unpaired[side] for side in SIDES},
        pairing=pairing,
        real=_info(sides, "real", compared),
        fake=_info(sides, "fake", compared),
        rfvd=rfvd,
        rfvd_reason=reason,
        warnings=tuple(worst_first(warnings)),
        choices={p.digest(name): p.choices(name) for p in protocols for name in p.metrics if name in chosen},
        weights=perceptual.weights | (dict(rfvd.weights) if rfvd else {}),
        environment=environment.describe(device, ["float32"] if perceptual.networks else []),
        seed=seed,
        group_by=settings.group_by,
        seconds=round(time.monotonic() - started, 3),
    )


def _compared(
    protocols: Sequence[PairedProtocol],
    chosen: Sequence[str],
    sides: _Sides,
    device: str,
    settings: Settings,
    progress: Progress,
) -> tuple[Compared, Perceptual]:
    """Measure every pair by what the protocols ask of it, with the networks that were found for that."""
    from fvd_bench.networks import weights

    everything = range(len(sides.pairs.indices))
    alone = sides.side("real", everything)
    groups: Sequence[int] = sides.pairs.originals(everything)
    if settings.group_by is not None:
        groups = dependence.groups(alone.names, settings.group_by, alone.columns)
    for name in settings.weights:
        weights.spec_of(name)
    asked = [of for p in protocols for name in p.metrics if name in chosen for of in measures_of(p.rule(name))]
    perceptual = Perceptual.load([of for of in asked if isinstance(of, LpipsRule)], settings, device, progress)
    wanted = Wanted(
        tuple(dict.fromkeys(of for of in asked if not isinstance(of, LpipsRule))),
        perceptual.distances if perceptual.networks else None,
        perceptual.batch,
    )
    found = measure(
        sides.videos,
        len(everything),
        wanted,
        workers=settings.workers or processors(),
        progress=labelled(progress, "pairs of videos"),
    )
    return Compared(sides.names, list(found), groups, perceptual.missing, perceptual.weights), perceptual


def _rfvd(
    protocols: Sequence[PairedProtocol],
    sides: _Sides,
    of: Compared,
    seed: int,
    settings: Settings,
    progress: Progress,
) -> tuple[Result | None, str | None]:
    """Score all pairs that can be read as two sets of videos. Return why there is no score, where one was asked for."""
    names = list(dict.fromkeys(protocol.rfvd for protocol in protocols if protocol.rfvd))
    used = [place for place, pair in enumerate(of.pairs) if isinstance(pair, Measured)]
    if not names:
        return None, None
    if not used:
        return None, none_compared([pair.reason for pair in of.pairs if isinstance(pair, Unread)])
    real, fake = (sides.side(side, used) for side in SIDES)
    from fvd_bench.evaluation.collection import collect  # where there is something to score
    from fvd_bench.evaluation.collection_result import result_of

    try:
        with open_evaluation(
            real, fake, names, repeats=1, seed=seed, settings=settings, progress=progress
        ) as evaluation:
            return result_of(collect(_of_originals(evaluation, sides.pairs, used))), None
    except FvdBenchError as error:
        return None, error.sentence


def _of_originals(evaluation: Evaluation, pairs: Pairs, used: Sequence[int]) -> Evaluation:
    """Return an evaluation of these pairs in which videos of one original count as one, unless groups are asked for."""
    if evaluation.group_by is not None:
        return evaluation
    groups = pairs.originals(used)
    sides = {name: replace(side, groups=groups) for name, side in evaluation.sides.items()}
    return replace(evaluation, sides=sides)


def _info(sides: _Sides, side: Side, of: Compared) -> SourceInfo:
    """Describe a side; its fingerprint is over the videos in pairs."""
    source, column = sides.sources[side], SIDES.index(side)
    contents = (pair.contents[column] if isinstance(pair, Measured) else "unreadable" for pair in of.pairs)
    found = fingerprint((names[column] for names in of.names), contents)
    return SourceInfo(source.name, source.kind, len(source.names), found)
