"""The clips that draws take from one video, read in one pass over its frames."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from fvd_bench.errors import ShortVideoError, VideoError
from fvd_bench.protocols.rules import ClipRule, Side
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.frame_times import Intervals
from fvd_bench.videos.header import MERGES_FRAMES
from fvd_bench.videos.images import FrameFolder
from fvd_bench.videos.sampling import Indices, clip_indices
from fvd_bench.videos.video import Pixels, Video, read_clips


@dataclass(frozen=True, slots=True)
class Draw:
    """Which frames to take from each video: a rule, the side that it draws for, and a seed."""

    rule: ClipRule
    side: Side
    seed: int

    @property
    def reads(self) -> Side:
        """The side whose videos are read. It can differ from `side`: changed copies of real videos may stand in for
        fake ones."""
        return "real" if self.rule.takes_real else self.side


@dataclass(frozen=True, slots=True)
class DrawnClip:
    """One clip of a draw, resized and JPEG-coded as its rule says.

    draw: the draw that the clip belongs to.
    images: uint8 [T, H, W, 3], which draws that take the same clip share.
    digest: of the bytes of the images.
    jpeg_qualities, damaged, transparent, intervals, levels: facts about the clip's frames before they were resized and
        JPEG-coded, see `video.Clip`.
    """

    draw: Draw
    images: Pixels
    digest: bytes
    jpeg_qualities: tuple[int | None, ...]
    damaged: int
    transparent: int
    intervals: Intervals | None
    levels: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class DrawEnd:
    """The mark that follows the last clip of a draw.

    draw: the draw that has ended.
    skipped: why the video gives nothing, in which case the clips so far do not count either. None if all clips were
        read.
    found: number of frames that decode, if these are too few: reading the same bytes again would end the same way. Else
        None.
    num_frames: the length that the clips were drawn for, see `drawn_length`. None if no clips were drawn.
    notes: findings about the video by their codes, see `features.store.Facts`.
    """

    draw: Draw
    skipped: str | None = None
    found: int | None = None
    num_frames: int | None = None
    notes: tuple[tuple[str, str], ...] = ()


def drawn_length(video: Video, rule: ClipRule) -> int:
    """Return the number of frames that a rule's clips are drawn for. Raises VideoError.

    It is the number of frames that decode. If the rule takes certain frames and no later ones, so that nothing depends
    on the length of the video, it is the number that the rule needs.
    """
    return rule.frames_needed if _is_prefix(rule) else video.num_frames


def read_draws(
    video: Video, draws: Sequence[Draw], place: int, *, reserve: Callable[[int], None] = lambda size: None
) -> Iterator[DrawnClip | DrawEnd]:
    """Read the clips that draws take from the video at a place in the listing, in one pass where possible.

    Each draw ends as it would have ended without the others: what cannot be read in one pass is tried again for each
    draw by itself.
    reserve: called with the size of each clip in bytes, see `video.read_clips`.
    """
    wanted: list[tuple[Draw, Indices]] = []
    lengths: dict[Draw, int] = {}
    for draw in draws:
        try:
            num_frames = lengths[draw] = drawn_length(video, draw.rule)
            clips = clip_indices(num_frames, draw.rule, side=draw.side, seed=draw.seed, place=place)
            if draw.rule.frame_order == "text" and isinstance(video, FrameFolder):
                clips = [video.by_text(indices) for indices in clips]
            wanted += [(draw, indices) for indices in clips]
        except VideoError as error:
            yield _skipped(draw, video, error)
    if wanted:
        for item in _read_wanted(video, wanted, reserve):
            if isinstance(item, DrawEnd):
                item = replace(item, num_frames=lengths[item.draw], notes=_notes(video))
            yield item


def _read_wanted(
    video: Video, wanted: Sequence[tuple[Draw, Indices]], reserve: Callable[[int], None]
) -> Iterator[DrawnClip | DrawEnd]:
    from fvd_bench.videos.preprocess import clip_images  # loads torch, which what only counts frames does without

    alike: dict[object, list[tuple[Draw, Indices]]] = {}  # of several networks, which share a clip and its JPEG
    for draw, indices in wanted:
        alike.setdefault((indices.tobytes(), draw.rule.processing), []).append((draw, indices))
    unread = dict(enumerate(alike.values()))
    failure: VideoError | None = None
    try:
        for place, clip in read_clips(video, [same[0][1] for same in unread.values()], reserve=reserve):
            same = unread[place]
            images = clip_images(clip, same[0][0].rule)
            del unread[place]
            facts = (clip.jpeg_qualities, clip.damaged, clip.transparent, clip.intervals, clip.levels)
            digest = hashlib.sha256(images.data).digest()
            for draw, _ in same:
                yield DrawnClip(draw, images, digest, *facts)
    except VideoError as error:
        failure = error
    draws = dict.fromkeys(draw for draw, _ in wanted)
    for draw in draws:
        rest = [(d, indices) for same in unread.values() for d, indices in same if d == draw]
        if not rest:
            yield DrawEnd(draw)
        elif len(draws) > 1:
            yield from _read_wanted(video, rest, reserve)
        else:
            assert failure is not None
            yield _skipped(draw, video, failure)


def _is_prefix(rule: ClipRule) -> bool:
    """Return whether the rule takes certain frames and no later ones, so that the video's length need not be known."""
    if isinstance(rule.frames, str) or rule.clips_by_length or rule.start in ("random", "spread"):
        return False
    return rule.content == "video" and rule.frames_needed == rule.first_frame + rule.span


def _notes(video: Video) -> tuple[tuple[str, str], ...]:
    return tuple((doubt.code, doubt.detail) for doubt in video.doubts) if isinstance(video, FrameFolder) else ()


def reason(video: Video, error: VideoError) -> str:
    """Say why a video cannot be used. If it is too short and of a format whose writers merge frames (GIF), say that
    too."""
    if isinstance(error, ShortVideoError) and isinstance(video, VideoFile):
        with contextlib.suppress(VideoError):
            if form := MERGES_FRAMES.get(video.probe().codec):
                return f"{error}; it is {form}, and the programs that write it merge frames that are equal"
    return str(error)


def _skipped(draw: Draw, video: Video, error: VideoError) -> DrawEnd:
    found = error.found if isinstance(error, ShortVideoError) else None
    return DrawEnd(draw, skipped=reason(video, error), found=found)
