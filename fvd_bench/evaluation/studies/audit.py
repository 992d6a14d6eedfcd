"""What metrics see: real videos against themselves with their frames, their motion or both distorted.

Real clips are read once. A distorted clip has the frames that the real one has, processed as these are, so that nothing
but the distortion differs.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fvd_bench.errors import ArgumentError, MetricError, SourceError, VideoError
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.result import SourceInfo
from fvd_bench.evaluation.scorable_protocols import load_all
from fvd_bench.evaluation.scoring import signature
from fvd_bench.evaluation.studies.sensitivity import Audit, Rung, Scored, Seen, Sensitivity, content_bias, seen_of
from fvd_bench.features.distributed import rank
from fvd_bench.features.given import Given
from fvd_bench.features.opening import open_side
from fvd_bench.finding import Finding, some, worst_first
from fvd_bench.networks import environment, software
from fvd_bench.progress import Progress, labelled, shown
from fvd_bench.protocols.protocol import Protocol, ProtocolLike
from fvd_bench.settings import Settings
from fvd_bench.sources.distorted import DistortedSource
from fvd_bench.sources.opening import ClipSource, SourceLike
from fvd_bench.version import __version__
from fvd_bench.videos.distortion import DISTORTIONS, STRENGTHS, Distortion

if TYPE_CHECKING:
    from fvd_bench.evaluation.evaluation import Evaluation
    from fvd_bench.features.extraction import Extraction
    from fvd_bench.features.feature_set import FeatureSet
    from fvd_bench.features.jobs import Collected, Job
    from fvd_bench.protocols.rules import MetricRule

DEFAULT = ("stylegan-v-fvd16-panel", "stylegan-v-mind")
"""Protocols whose metrics share one pass of I3D."""

_AUDITED = "-audited"
"""What the names of protocols end with that take the real side's clips for both sides."""

_QUALITY_VIDEOS, _QUALITY_FRAMES = 16, 4
"""Evenly spaced videos, and frames of each, that the quality of distorted frames is measured on."""


def audit(
    real: SourceLike,
    protocol: ProtocolLike | Sequence[ProtocolLike] = DEFAULT,
    *,
    distortions: Sequence[str] | None = None,
    seed: int = 0,
    settings: Settings | None = None,
    progress: Progress | bool = True,
) -> Audit:
    """Distort real videos in memory, each distortion in three strengths, and score them against the originals.

    real: videos, as in `evaluate`. They are read once more for each rung. Features are kept in the store, so that an
        audit that was ended goes on from there.
    protocol: one or several. Clips of both sides are those of its real side.
    distortions: names in `videos.distortion.DISTORTIONS`; None for all.
    seed: of the clips and of the distortions.
    What was noticed is in its `warnings`.
    Raises ArgumentError for an unknown distortion, SourceError where there are no videos to distort, and else as
    `evaluate` does.
    """
    started, settings = time.monotonic(), settings or Settings()
    chosen = _chosen(distortions)
    protocols = list(map(_of_real_clips, load_all(protocol)))
    is_first = not settings.distributed or rank() == 0
    with contextlib.ExitStack() as stack:
        show = stack.enter_context(shown(progress, first=is_first))
        given = open_side(real, "real", show)
        if not given.has_frames:
            raise SourceError(f"{given.source.name} holds statistics: expected videos, which are to be distorted")
        source = given.source
        evaluation = stack.enter_context(
            open_evaluation(source, source, protocols, repeats=1, seed=seed, settings=settings, progress=show)
        )
        auditing = _Auditing.of(evaluation)
        rungs = [(distortion, strength) for distortion in chosen for strength in range(1, len(STRENGTHS) + 1)]
        scores = {(d.name, strength): auditing.scores(d, strength) for d, strength in rungs}
        sensitivities = [
            auditing.sensitivity(protocol, name, scores) for protocol in protocols for name in protocol.metric.names
        ]
        ladder = []
        for done, (distortion, strength) in enumerate(rungs):
            show("quality of distorted frames", done, len(rungs))
            psnr = frame_quality(source, DistortedSource(source, distortion, strength, seed))
            ladder.append(Rung(distortion.name, strength, distortion.text(strength), distortion.changes, psnr))
        show("quality of distorted frames", len(rungs), len(rungs))
        info, warnings = auditing.info(), auditing.findings(scores)
    seconds = round(time.monotonic() - started, 3)
    return Audit(__version__, info, seed, tuple(ladder), tuple(sensitivities), seconds, warnings)


def frame_quality(source: ClipSource, distorted: DistortedSource) -> float | None:
    """Return the PSNR of distorted frames in dB, from the mean squared error of evenly spaced frames of some videos.

    None for a distortion that leaves frames as they are, and where no frame can be read or none differs.
    """
    if distorted.distortion.pixels is None:
        return None
    videos = np.unique(np.linspace(0, len(source.names) - 1, _QUALITY_VIDEOS).astype(np.int64))
    errors: list[float] = []
    for index in videos.tolist():
        original = source.video(index)
        try:
            frames = np.unique(np.linspace(0, original.num_frames - 1, _QUALITY_FRAMES).astype(np.int64))
            pairs = list(zip(original.frames(frames), distorted.video(index).frames(frames), strict=True))
        except VideoError:
            continue  # the scores say which videos cannot be read
        errors += [float(np.mean((a.pixels.astype(np.float64) - b.pixels) ** 2)) for a, b in pairs]
    mean = math.fsum(errors) / max(len(errors), 1)
    return 10 * math.log10(255**2 / mean) if mean > 0 else None


@dataclass(frozen=True, slots=True)
class _Auditing:
    """An open evaluation of real videos alone. sets: the features of the real clips, by protocol, or why there are
    none. collected: where they come from."""

    evaluation: Evaluation
    real: Extraction
    sets: Mapping[Protocol, FeatureSet | str]
    collected: Mapping[Job, Collected]

    @classmethod
    def of(cls, evaluation: Evaluation) -> _Auditing:
        """Read the real videos."""
        extraction = evaluation.extraction("real")
        return cls(evaluation, extraction, *_features(evaluation, extraction, "real videos"))

    def scores(self, distortion: Distortion, strength: int) -> dict[tuple[Protocol, str], Scored]:
        """Score one rung by every metric of every protocol."""
        evaluation, real = self.evaluation, self.evaluation.sides["real"]
        source = DistortedSource(real.given.source, distortion, strength, evaluation.seeds[0])
        side = replace(real, given=Given(source))
        extraction = replace(evaluation, sides={"real": real, "fake": side}).extraction("fake")
        sets, _ = _features(evaluation, extraction, f"{distortion.name}, {STRENGTHS[strength - 1]}")
        return {
            (protocol, name): score
            for protocol, fake in sets.items()
            for name, score in self._scored(protocol, fake).items()
        }

    def sensitivity(
        self,
        protocol: Protocol,
        name: str,
        scores: Mapping[tuple[str, int], Mapping[tuple[Protocol, str], Scored]],
    ) -> Sensitivity:
        """Put together what one metric says of all rungs."""
        from fvd_bench.metrics import METRICS, extrapolation

        lost, real = self.evaluation.unserved.get(protocol), self.sets.get(protocol)
        lower, floor = METRICS[name].lower_is_better, None
        seen: tuple[Seen, ...] = ()
        if lost is not None or real is None or isinstance(real, str):
            undistorted = Scored(None, None, lost.reason if lost else str(real), 0)
        else:
            undistorted = self._scored(protocol, real)[name]
            with contextlib.suppress(MetricError):  # which some metrics raise for parts of the videos
                found = extrapolation.floor(name, {"real": real, "fake": real}, protocol.metric, seed=self._seed)
                floor = None if isinstance(found, str) else found
            of_rungs = {rung: score[protocol, name] for rung, score in scores.items()}
            seen = seen_of(of_rungs, undistorted, floor, lower_is_better=lower)
        alone, extractor = protocol.alone(name), self.evaluation.extractors.get(protocol.features)
        weights, packages = extractor.weights if extractor else None, software(protocol.features)
        effective = f"n:{undistorted.clips}|seed:{self._seed}"
        return Sensitivity(
            metric=name,
            protocol=protocol.name.removesuffix(_AUDITED),
            digest=alone.digest(),
            signature=signature(alone, effective, weights, environment.made_with(packages, self.evaluation.device)),
            lower_is_better=lower,
            undistorted=undistorted.value,
            reason=undistorted.reason,
            floor=floor,
            content_bias=content_bias(seen),
            seen=seen,
        )

    def info(self) -> SourceInfo:
        """Describe the real videos."""
        return self.evaluation.info("real", self.real)

    def findings(self, scores: Mapping[tuple[str, int], Mapping[tuple[Protocol, str], Scored]]) -> tuple[Finding, ...]:
        """List what was noticed of the real videos, and of which rungs fewer clips were scored, the worst first."""
        from fvd_bench.evaluation.findings import find

        source, store = self.evaluation.sources["real"], self.evaluation.store
        measured: dict[Job, list[MetricRule]] = {}
        for protocol, real in self.sets.items():
            rules = [] if isinstance(real, str) else [protocol.metric.alone(name) for name in protocol.metric.names]
            measured.setdefault(self.evaluation.jobs(protocol, "real")[0], []).extend(rules)
        found = find({"real": source}, self.collected, (), self.evaluation.extractors, None, store.damaged, measured)
        few: dict[str, dict[str, str]] = {}
        for (distortion, strength), of_rung in scores.items():
            for (protocol, _), scored in of_rung.items():
                real = self.sets[protocol]
                if scored.value is not None and not isinstance(real, str) and scored.clips < real.count:
                    rung = f"{distortion}, {STRENGTHS[strength - 1]}"
                    few.setdefault(protocol.name, {})[rung] = f"{scored.clips} of {real.count} clips"
        for name, rungs in few.items():
            what = f"{name.removesuffix(_AUDITED)}: distorted videos are too short for as many clips, and fewer score"
            found.append(Finding("too-short", f"{what} worse for that alone: {some(rungs)}"))
        return tuple(worst_first(found))

    @property
    def _seed(self) -> int:
        return self.evaluation.seeds[0]

    def _scored(self, protocol: Protocol, fake: FeatureSet | str) -> dict[str, Scored]:
        """Score clips against the real ones by each metric of a protocol."""
        from fvd_bench.metrics.measurement import measure

        real = self.sets[protocol]
        if isinstance(real, str) or isinstance(fake, str):
            reason = next(side for side in (real, fake) if isinstance(side, str))
            return dict.fromkeys(protocol.metric.names, Scored(None, None, reason, 0))
        measured = measure([{"real": real, "fake": fake}], protocol.metric, seed=self._seed, same_videos=True)
        return {
            name: Scored(None, None, str(found), fake.count)
            if isinstance(found, MetricError)
            else Scored(found.values[0], found.interval, None, fake.count)
            for name, found in measured.items()
        }


def _features(
    evaluation: Evaluation, extraction: Extraction, what: str
) -> tuple[dict[Protocol, FeatureSet | str], dict[Job, Collected]]:
    """Collect the real side's clips of all protocols from some videos, in one pass, and return their features, or why
    a protocol has none, and what was collected."""
    from fvd_bench.evaluation.findings import refuse_skipped

    served = [p for p in evaluation.protocols if p not in evaluation.unserved]
    jobs = {protocol: evaluation.jobs(protocol, "real")[0] for protocol in served}
    collected = extraction.collect(list(dict.fromkeys(jobs.values())), labelled(evaluation.progress, what))
    if evaluation.strict:
        refuse_skipped(collected)
    groups = evaluation.sides["real"].groups
    sets = {
        protocol: collected[job].refused or extraction.feature_set(job, collected[job], groups)
        for protocol, job in jobs.items()
    }
    return sets, collected


def _chosen(names: Sequence[str] | None) -> list[Distortion]:
    """Return distortions in the order of the ladder. Raises ArgumentError."""
    for name in names or ():
        if name not in DISTORTIONS:
            raise ArgumentError(f"there is no distortion {name!r}: expected some of {', '.join(DISTORTIONS)}")
    return [distortion for distortion in DISTORTIONS.values() if names is None or distortion.name in names]


def _of_real_clips(protocol: Protocol) -> Protocol:
    """Return a protocol, named apart, that takes the real side's clips for both sides and numbers frames as distortions
    do."""
    real = replace(protocol.real, frame_order="natural")
    return replace(protocol, name=f"{protocol.name}{_AUDITED}", real=real, fake=real)
