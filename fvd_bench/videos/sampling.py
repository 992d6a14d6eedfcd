"""Which videos and which frames are used, as pure integer functions of explicit seeds.

Every draw has a random stream of its own, `RandomStream(seed, place, purpose)`. The place is the video's index in the
full sorted listing. So a clip does not depend on workers, batches or the order of files on disk, nor on whether another
video was skipped. Where videos are taken repeatedly, the place of a video in round r is index + r · videos.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import ShortVideoError
from fvd_bench.protocols.rules import ClipRule, Side
from fvd_bench.random_stream import RandomStream

Indices = NDArray[np.int64]

# SeedSequence pads with zeros: [seed, index] and [seed, place, 0] are the same stream.
_REAL_START, _FAKE_START, _STILL_FRAME, _SELECTION, _SHUFFLE = 0, 1, 2, 3, 4

_CHUNK_FRAMES = 64
"""Frames per piece when a whole video is taken, so that the memory needed does not grow with its length."""


def video_order(num_videos: int, rule: ClipRule, *, seed: int) -> Iterator[int]:
    """Yield places of the listing in the order in which videos are tried, until `rule.count` of them could be used.

    The order is sorted if all videos are used or the rule says `first-sorted`. Otherwise it is a permutation drawn from
    the seed. With `repeated` it goes on without end: round r is a permutation of its own, of the places from r ·
    num_videos on.
    """
    is_subset = rule.count is not None and num_videos > rule.count and rule.selection != "first-sorted"
    if not is_subset and rule.selection != "repeated":
        yield from range(num_videos)
        return
    rounds = 0
    while num_videos:
        first = rounds * num_videos
        yield from RandomStream(seed, rounds, _SELECTION).permutation(np.arange(first, first + num_videos)).tolist()
        if rule.selection != "repeated":
            return
        rounds += 1


def clip_indices(num_frames: int, rule: ClipRule, *, side: Side, seed: int, place: int) -> list[Indices]:
    """Return the frame indices of each clip that is taken from one video.

    num_frames: number of frames of the video that decode.
    place: the place of the video, see the top of this module.

    A clip of n frames with stride s spans (n - 1) · s + 1 frames. A random start is equally likely at each place where
    the clip fits. Non-overlapping clips follow each other without a gap, and an incomplete last one is dropped. Frames
    that are spread lie at NumPy's linspace(0, num_frames - 1, n), rounded down. Clips of real videos that stand in for
    fake ones start where those of the real side would. Still clips repeat one frame of the video, or one frame of each
    clip where all clips are taken. Given frames are no part of the video, whatever the rule takes.

    Raises ShortVideoError when the video has fewer than `rule.frames_needed` frames.
    """
    if num_frames < rule.frames_needed:
        raise ShortVideoError(num_frames, rule.frames_needed)
    clips = _clips(num_frames - rule.given_frames, rule, side=side, seed=seed, place=place)
    return [clip + rule.given_frames for clip in clips] if rule.given_frames else clips


def _clips(num_frames: int, rule: ClipRule, *, side: Side, seed: int, place: int) -> list[Indices]:
    """Return the clips of a video whose frames all count."""
    if rule.content in ("still", "still-real"):
        assert not isinstance(rule.frames, str)
        stream = RandomStream(seed, place, _STILL_FRAME)
        if not rule.clips_by_length:
            return [np.full(rule.frames, stream.below(num_frames), dtype=np.int64)]
        starts = _starts(num_frames, rule, side=side, seed=seed, place=place)
        return [np.full(rule.frames, start + stream.below(rule.span), dtype=np.int64) for start in starts]
    if rule.frames == "whole":
        return [np.arange(0, num_frames, rule.stride, dtype=np.int64)[: rule.most_frames or None]]
    if rule.frames == "all":
        every = np.arange(0, num_frames, rule.stride, dtype=np.int64)
        return [every[i : i + _CHUNK_FRAMES] for i in range(0, len(every), _CHUNK_FRAMES)]
    if rule.start == "spread":
        clips = [np.linspace(0, num_frames - 1, rule.frames).astype(np.int64)]
    else:
        starts = _starts(num_frames, rule, side=side, seed=seed, place=place)
        clips = [np.arange(start, start + rule.span, rule.stride, dtype=np.int64) for start in starts]
    if rule.content == "shuffled-real":
        shuffle = RandomStream(seed, place, _SHUFFLE)
        clips = [shuffle.permutation(clip) for clip in clips]
    elif rule.content == "reversed-real":
        clips = [clip[::-1].copy() for clip in clips]
    return clips


def _starts(num_frames: int, rule: ClipRule, *, side: Side, seed: int, place: int) -> list[int]:
    places = range(num_frames - rule.span + 1)
    if rule.start == "random":
        purpose = _REAL_START if side == "real" or rule.takes_real else _FAKE_START
        return [RandomStream(seed, place, purpose).below(len(places))]
    if rule.start == "every":
        return list(places)
    if rule.start == "all":
        return list(places[:: rule.span])
    if rule.start == "first-repeated":
        return [0] * len(places[:: rule.span])
    return [rule.start] if isinstance(rule.start, int) else [0]
