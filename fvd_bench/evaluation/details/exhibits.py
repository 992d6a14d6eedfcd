"""What a page shows of an evaluation beside its result: clips, the videos that hurt, a map, motion, scores of parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fvd_bench.errors import MetricError
from fvd_bench.evaluation.collection import Collection
from fvd_bench.evaluation.details.feature_map import FeatureMap, feature_map
from fvd_bench.evaluation.details.shown_clips import ShownClip, shown_clips
from fvd_bench.evaluation.points import Points
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.score import Score
from fvd_bench.features.moments import Float64
from fvd_bench.inspection.motion import Motion
from fvd_bench.inspection.motion_of_sides import evenly_spaced
from fvd_bench.metrics import METRICS
from fvd_bench.metrics.neighbours import covered
from fvd_bench.metrics.subset_scores import SubsetScores, subset_scores
from fvd_bench.metrics.uncertainty import Sides, influences
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.protocols.rules import OTHER_SIDE, SIDES, Side

IN_STRIP, IN_LIST = 8, 12
"""Number of clips of each side in the strip, and of videos in each list."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A video that matters, and the nearest one of the other side.

    point: its place among the points of its side. share: what it adds to the score, as a part of the score; None where
    that is not known.
    distance: to the nearest one, in feature space.
    """

    point: int
    clip: ShownClip
    nearest: ShownClip | None
    share: float | None
    distance: float | None


@dataclass(frozen=True, slots=True)
class Exhibits:
    """What a page shows of one score, in its first repeat.

    clips: some clips of each side, evenly spaced over its videos. absent: why there are none of a side.
    worst: the fakes that make the score worse the most, or that are furthest from all reals where that is not known.
    uncovered: reals that no fake is near to, see `metrics.neighbours.covered`, the most lonely first.
    num_uncovered: how many such reals there are, and of how many. None where there are too few videos to tell.
    points: the videos of each side in feature space.
    shares: what each fake adds to the score, as a part of it. None where that is not known.
    feature_map: the same points in a plane, None where that was not asked for.
    motions: how videos of each side move.
    subset_scores: the scores of subsets of both sides, none where that was not asked for.
    """

    score: Score
    clips: Mapping[Side, Sequence[ShownClip]]
    absent: Mapping[Side, str]
    worst: Sequence[Listed]
    uncovered: Sequence[Listed]
    num_uncovered: tuple[int, int] | None
    points: Mapping[Side, Points]
    shares: Float64 | None
    feature_map: FeatureMap | None
    motions: Mapping[Side, Sequence[Motion]]
    subset_scores: Sequence[SubsetScores]


def exhibits(collection: Collection, result: Result, *, is_whole: bool = True) -> Exhibits | None:
    """Gather what a page shows. None where there is no score but those of rows. Only the shown clips are read again.

    is_whole: whether to make the map and to score parts of both sides, which the page of a ranking does not show.
    In a run of several processes all of them have to call it, and the first gets it. Raises CacheError.
    """
    evaluation = collection.evaluation
    motions = {side: list(evaluation.motions(side).values()) for side in SIDES}
    if not evaluation.share.is_first:
        return None
    for protocol in evaluation.protocols:
        scores = [s for s in result.scores if s.protocol == protocol.name and s.value is not None]
        if scores and protocol not in evaluation.rows:
            score = next((s for s in scores if METRICS[s.metric].of_moments), scores[0])
            return _Gathering(collection, protocol, score).exhibits(motions, is_whole)
    return None


class _Gathering:
    """One score, and the points of both sides under its protocol."""

    def __init__(self, collection: Collection, protocol: Protocol, score: Score) -> None:
        self._collection, self._protocol, self._score = collection, protocol, score
        self._jobs = {side: collection.evaluation.jobs(protocol, side)[0] for side in SIDES}
        self._sides: Sides = collection.sides(protocol, grouped=False)
        self._points = collection.points(protocol)
        self._shares = self._share_of_score()
        self._absent = self._without_frames()

    def exhibits(self, motions: Mapping[Side, Sequence[Motion]], is_whole: bool) -> Exhibits:
        listed: dict[Side, list[int]] = {"real": [], "fake": self._worst()}
        listed["real"], num_uncovered = self._uncovered()
        strips: dict[Side, list[int]] = {
            side: [] if side in self._absent else list(evenly_spaced(len(p.videos), IN_STRIP))
            for side, p in self._points.items()
        }
        clips = {side: self._clips(side, listed, strips.get(side, [])) for side in SIDES}
        worst, uncovered = ([self._listed(side, point, clips) for point in listed[side]] for side in ("fake", "real"))
        features = {side: points.features for side, points in self._points.items()}
        return Exhibits(
            score=self._score,
            clips={side: [clips[side][point] for point in strip] for side, strip in strips.items()},
            absent=self._absent,
            worst=worst,
            uncovered=uncovered,
            num_uncovered=num_uncovered,
            points=self._points,
            shares=self._shares,
            feature_map=feature_map(features) if is_whole and len(features) == len(SIDES) else None,
            motions=motions,
            subset_scores=self._subset_scores() if is_whole else (),
        )

    def _subset_scores(self) -> Sequence[SubsetScores]:
        return subset_scores(self._score.metric, self._sides, self._protocol.metric, seed=self._score.seed)

    def _share_of_score(self) -> Float64 | None:
        try:
            parts = influences(self._score.metric, self._sides, self._protocol.metric)["fake"]
        except MetricError:
            return None
        if parts is None or "fake" not in self._points or not self._score.value:
            return None
        return np.array([parts[video] for video in self._points["fake"].videos]) / abs(self._score.value)

    def _worst(self) -> list[int]:
        """Return the points of the fakes to list."""
        fakes = self._points.get("fake")
        if fakes is None:
            return []
        if self._shares is not None:
            harm = self._shares if self._score.lower_is_better else -self._shares
        elif fakes.other is not None:
            harm = fakes.other.distance
        else:
            return []
        order: list[int] = np.argsort(-harm, kind="stable")[:IN_LIST].tolist()
        return [point for point in order if harm[point] > 0]

    def _uncovered(self) -> tuple[list[int], tuple[int, int] | None]:
        """Return the points of the reals to list, and how many reals of all no fake is near to."""
        if len(self._points) < len(SIDES):
            return [], None
        reals, fakes = self._points["real"], self._points["fake"]
        try:
            alone = np.flatnonzero(~covered(reals.features, fakes.features))
        except MetricError:  # too few videos
            return [], None
        assert reals.other is not None
        order = alone[np.argsort(-reals.other.distance[alone], kind="stable")]
        return order[:IN_LIST].tolist(), (len(alone), len(reals.videos))

    def _clips(self, side: Side, listed: Mapping[Side, list[int]], strip: list[int]) -> dict[int, ShownClip]:
        """Read the clips of a side that are shown anywhere, by their points."""
        points, others = self._points.get(side), self._points.get(OTHER_SIDE[side])
        if points is None:
            return {}
        wanted = [*strip, *listed[side]]
        if others is not None and others.other is not None:
            wanted += others.other.index[listed[OTHER_SIDE[side]]].tolist()
        if side in self._absent:
            names = self._collection.evaluation.sources[self._jobs[side].draw.reads].names
            return {point: ShownClip(names[points.videos[point]], reason="no frames") for point in wanted}
        found = shown_clips(self._collection, self._jobs[side], [points.videos[point] for point in wanted])
        return {point: found[points.videos[point]] for point in wanted}

    def _listed(self, side: Side, point: int, clips: Mapping[Side, Mapping[int, ShownClip]]) -> Listed:
        other = self._points[side].other
        share = None if self._shares is None or side == "real" else float(self._shares[point])
        if other is None:
            return Listed(point, clips[side][point], None, share, None)
        nearest = clips[OTHER_SIDE[side]][int(other.index[point])]
        return Listed(point, clips[side][point], nearest, share, float(other.distance[point]))

    def _without_frames(self) -> dict[Side, str]:
        """Say of each side that has no frames why not."""
        givens = {side: self._collection.evaluation.sides[job.draw.reads].given for side, job in self._jobs.items()}
        return {
            side: f"The {side} side was given as statistics, in which there are no frames."
            for side, given in givens.items()
            if given.known is not None or not given.has_frames
        }
