"""Jobs: what is wanted of the videos of a source, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fvd_bench.features.store import Facts
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.videos.clips import Draw
from fvd_bench.videos.frame_times import widest

VideosDone = Callable[[int, int], None]
"""A function that is called with (videos done, videos in all)."""


@dataclass(frozen=True, slots=True)
class Job:
    """A draw, and the network whose features of its clips are wanted."""

    draw: Draw
    features: FeatureRule


Target = tuple[int, Job]
"""A place and a job for the video there. The place is the video's index in the listing, plus the length of the
listing for each time that the video was taken before."""

Outcome = tuple[str, Facts]
"""The key of a video's entry in the store, and the facts in the entry."""

Tasks = Mapping[int, Mapping[str, Job]]
"""What is read from the video at each place: by the key of an entry, its job."""


@dataclass(slots=True)
class Collected:
    """The outcome of a job over all videos.

    keys: the key of each used video's entry, in listing order.
    videos: the index of each used video in the listing.
    places: the place of each used video, which is beyond the listing if the video is taken again.
    lengths: the length of each used video, see `Facts.num_frames`.
    skipped: the reason by name, for each video that was skipped.
    refused: why the rule does not allow the skips. None if it does.
    longest_short: number of frames of the longest video that was too short.
    damaged: by name, the number of used frames that decode with errors.
    notes: the notes in `Facts`, by code and then by name of the video.
    levels, jpeg_qualities, not_jpeg: as in `Facts`, over all used videos.
    """

    keys: list[str] = field(default_factory=list)
    videos: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    lengths: list[int | None] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    refused: str | None = None
    longest_short: int = 0
    damaged: dict[str, int] = field(default_factory=dict)
    notes: dict[str, dict[str, str]] = field(default_factory=dict)
    levels: tuple[int, int] | None = None
    jpeg_qualities: set[int] = field(default_factory=set)
    not_jpeg: bool = False

    @classmethod
    def of(cls, job: Job, outcomes: Mapping[int, Outcome], names: Sequence[str]) -> Collected:
        """Gather the outcomes of a job. outcomes: by place. names: those of the listing."""
        found = cls()
        for place in sorted(outcomes):
            name, (key, facts) = names[place % len(names)], outcomes[place]
            if facts.skipped is not None:
                found.skipped[name] = facts.skipped
                found.longest_short = max(found.longest_short, facts.found or 0)
                if facts.found is not None and job.draw.rule.short_videos == "error":
                    found.refused = f"{name}: {facts.skipped}; the protocol allows no video to be too short"
                continue
            found.keys.append(key)
            found.videos.append(place % len(names))
            found.places.append(place)
            found.lengths.append(facts.num_frames)
            found.jpeg_qualities.update(facts.jpeg_qualities)
            found.not_jpeg |= facts.not_jpeg
            if facts.damaged:
                found.damaged[name] = facts.damaged
            for code, detail in facts.notes:
                found.notes.setdefault(code, {})[name] = detail
            found.levels = widest(found.levels, facts.levels)
        return found


def first_of_each(absent: Mapping[Target, str]) -> dict[str, Target]:
    """Return the first target of each key, since repeats and protocols often want the same from a video."""
    first: dict[str, Target] = {}
    for target, key in absent.items():
        first.setdefault(key, target)
    return first
