"""Real clips made wrong in their motion alone, which a discriminator learns to tell from real ones.

As long as generated frames are told by their looks, a discriminator has no use for motion, and a generator learns none.
These clips look real, so that they can only be told by how their frames go together.

Source: the matching-aware discriminator of Reed et al. 2016, whose real images with a wrong text these follow; the
paper has nothing of the kind.
"""

from __future__ import annotations

import dataclasses

import torch

from stylegan_v.methods.step_clips import Reals

SLOWDOWN = 16
"""How many times too slow a clip is that does not stand still."""

FEWEST_CLIPS = 4
"""Clips from which on each half has a clip beside another one."""


def mismatched(reals: Reals, *, max_span: int) -> Reals:
    """Return as many clips, made of real ones, with the labels and augmentations of these.

    Those of the first half are too slow: the frames of short clips are said to be `SLOWDOWN` times as far apart, where
    that is at most max_span, and longer ones show the first of their frames all the time. Those of the other half have
    the first frame of one clip and the later frames of the next one.
    """
    frames, times, half = reals.frames, reals.times, len(reals.frames) // 2
    start = times[:half, :1]
    stretched = start + SLOWDOWN * (times[:half] - start)
    short = stretched[:, -1:] - start <= max_span  # [B / 2, 1]
    slow = torch.where(short[:, :, None, None, None], frames[:half], frames[:half, :1])
    mixed = torch.cat([frames[half:, :1], frames[half:, 1:].roll(1, dims=0)], dim=1)
    return dataclasses.replace(
        reals,
        frames=torch.cat([slow, mixed]),
        times=torch.cat([torch.where(short, stretched, times[:half]), times[half:]]),
    )
