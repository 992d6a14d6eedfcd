"""Which videos and which frames are used: pure integer functions of explicit seeds.

Every draw comes from a generator of its own, `default_rng([seed, index, purpose])`, where index is the
video's place in the full sorted listing. So a clip depends neither on workers, batches and file order, nor on
whether a neighbour was skipped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import ShortVideoError
from fvd_bench.protocol import ClipRule, Side

Indices = NDArray[np.int64]

# SeedSequence pads with zeros: [seed, index] and [seed, index, 0] are the same stream.
_REAL_START, _FAKE_START, _STILL_FRAME, _SELECTION = 0, 1, 2, 3

_CHUNK_FRAMES = 64
"""Frames per piece when a whole video is taken, so that its length does not set the memory needed."""


def video_order(num_videos: int, rule: ClipRule, *, seed: int) -> Indices:
    """Listing indices in the order in which videos are tried until `rule.count` of them could be used.

    Sorted when all are used or `first-sorted` is asked for, else a permutation drawn from the seed.
    """
    order = np.arange(num_videos, dtype=np.int64)
    if rule.count is None or num_videos <= rule.count or rule.selection == "first-sorted":
        return order
    return np.random.default_rng([seed, 0, _SELECTION]).permutation(order)


def clip_indices(num_frames: int, rule: ClipRule, *, side: Side, seed: int, index: int) -> list[Indices]:
    """Frame indices of each clip that is taken from one video.

    num_frames: frames of the video that decode; index: the video's place in the full listing.
    A clip of n frames with stride s spans (n - 1) · s + 1 frames, and each start inside the video is equally
    likely. Non-overlapping clips follow each other without a gap; an incomplete last one is dropped.

    Raises ShortVideoError when the video has fewer than `rule.frames_needed` frames.
    """
    if num_frames < rule.frames_needed:
        raise ShortVideoError(num_frames, rule.frames_needed)
    if rule.content != "video":
        assert rule.frames != "all"
        frame = np.random.default_rng([seed, index, _STILL_FRAME]).integers(0, num_frames)
        return [np.full(rule.frames, frame, dtype=np.int64)]
    if rule.frames == "all":
        every = np.arange(0, num_frames, rule.stride, dtype=np.int64)
        return [every[i : i + _CHUNK_FRAMES] for i in range(0, len(every), _CHUNK_FRAMES)]
    span = (rule.frames - 1) * rule.stride + 1
    match rule.start:
        case "first":
            starts = [0]
        case "random":
            purpose = _REAL_START if side == "real" else _FAKE_START
            starts = [int(np.random.default_rng([seed, index, purpose]).integers(0, num_frames - span + 1))]
        case "all":
            starts = list(range(0, num_frames - span + 1, span))
    return [np.arange(start, start + span, rule.stride, dtype=np.int64) for start in starts]
