"""What a run noticed and people should know before they believe its scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fvd_bench.extraction import Collected, Job
from fvd_bench.extractors import FeatureExtractor
from fvd_bench.protocol import SIDES, ClipRule, FeatureRule, Protocol, Side
from fvd_bench.result import Warned
from fvd_bench.sources import ClipSource

_NAMED_VIDEOS = 3


def find(
    protocols: Sequence[Protocol],
    sources: Mapping[Side, ClipSource],
    collected: Mapping[Job, Collected],
    extractors: Mapping[FeatureRule, FeatureExtractor],
    damaged_entries: int,
) -> list[Warned]:
    """All findings of a run, each once, in the order in which people would want to read them."""
    found = [
        *(Warned("listing", note) for source in sources.values() for note in source.notes),
        *_video_findings(collected),
        *_jpeg_findings(collected),
        *_count_findings(protocols, collected, extractors),
        *(Warned("weights-unverified", note) for e in extractors.values() for note in e.unverified),
    ]
    if damaged_entries:
        found.append(Warned("store-damaged", f"{damaged_entries} damaged parts of the feature store were dropped"))
    return list(dict.fromkeys(found))


def _video_findings(collected: Mapping[Job, Collected]) -> Iterator[Warned]:
    for job, side in collected.items():
        what = f"{job.draw.side} videos"
        if side.skipped:
            yield Warned("videos-skipped", f"{len(side.skipped)} {what} are skipped: {_some(side.skipped)}")
        if side.defects:
            yield Warned("videos-damaged", f"{len(side.defects)} {what} are damaged but used: {_some(side.defects)}")


def _jpeg_findings(collected: Mapping[Job, Collected]) -> Iterator[Warned]:
    """JPEG frames of other qualities than the protocol's, or than the other side's, move scores by percents."""
    qualities: dict[Side, set[int]] = {"real": set(), "fake": set()}
    for job, side in collected.items():
        rule = job.draw.rule
        qualities[job.draw.side] |= side.jpeg_qualities
        if rule.jpeg == "unless-jpeg" and side.jpeg_qualities - {rule.jpeg_quality}:
            yield Warned(
                "jpeg-quality",
                f"the {job.draw.side} frames are JPEG files of quality {_qualities(side.jpeg_qualities)}, kept as they "
                f"are; the protocol says {rule.jpeg_quality}",
            )
        if side.jpeg_qualities and side.not_jpeg:
            yield Warned("mixed-codecs", f"some of the {job.draw.side} frames are JPEG files and some are not")
    if qualities["real"] and qualities["fake"] and qualities["real"] != qualities["fake"]:
        real, fake = (_qualities(qualities[side]) for side in SIDES)
        yield Warned("jpeg-mismatch", f"real frames are JPEG files of quality {real}, fake ones of {fake}")


def _count_findings(
    protocols: Sequence[Protocol],
    collected: Mapping[Job, Collected],
    extractors: Mapping[FeatureRule, FeatureExtractor],
) -> Iterator[Warned]:
    for job, side in collected.items():
        rule, dim = job.draw.rule, extractors[job.features].dim
        if rule.count is not None and len(side.keys) < rule.count:
            yield Warned(
                "few-videos",
                f"{_asking(protocols, rule)} asks for {rule.count} {job.draw.side} videos and {len(side.keys)} are "
                "used: compare the score only with others at the same number",
            )
        elif job.features.extractor != "inception" and len(side.keys) < dim:
            yield Warned(
                "few-videos",
                f"{len(side.keys)} {job.draw.side} videos for {dim} features: the score is biased upwards, more "
                "so the fewer there are; compare it only with others at the same number",
            )


def _asking(protocols: Sequence[Protocol], rule: ClipRule) -> str:
    return ", ".join(p.name for p in protocols if rule in (p.real, p.fake))


def _some(videos: Mapping[str, str]) -> str:
    named = [f"{name} ({reason})" for name, reason in list(videos.items())[:_NAMED_VIDEOS]]
    more = len(videos) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _qualities(qualities: set[int]) -> str:
    return ", ".join("unknown" if q == 0 else str(q) for q in sorted(qualities))
