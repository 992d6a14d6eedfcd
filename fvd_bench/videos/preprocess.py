"""From the frames of a clip to the input of a network: resize, JPEG round trip, and value range.

Clips stay uint8 [T, H, W, 3] until `network_input` makes floats of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from fvd_bench.protocols.rules import ClipRule, FeatureRule, Resize
from fvd_bench.videos.jpeg import jpeg_round_trip
from fvd_bench.videos.resize import resample
from fvd_bench.videos.video import Clip, Pixels

_PIECE_VALUES = {"cpu": 2**16, "cuda": 2**24, "mps": 2**24}
"""Values of frames that are resized at a time, and at least one frame, by the kind of device. On a processor its cache
holds them while they are; elsewhere large frames need no more memory than small ones."""


def clip_images(clip: Clip, rule: ClipRule) -> Pixels:
    """Apply a rule's resize and JPEG round trip, in the order that the rule gives.

    Returns uint8 [T, H, W, 3]. Frames that were read from JPEG files skip the round trip if the rule says so. Without a
    resize before it, the round trip changes the clip's own frames in place, since a copy of them could be too large.
    Raises VideoError as `jpeg_round_trip` does.
    """
    frames = clip.frames
    for step in rule.order.split("-then-"):
        if step == "resize" and rule.resize is not None:
            frames = resize_uint8(frames, rule.resize, rule.rounding)
        elif step == "jpeg" and rule.jpeg != "never":
            for frame, quality in zip(frames, clip.jpeg_qualities, strict=True):
                if rule.jpeg == "always" or quality is None:
                    frame[:] = jpeg_round_trip(frame, rule.jpeg_quality, rule.jpeg_subsampling)
    return frames


def resize_uint8(frames: Pixels, rule: Resize, rounding: Literal["nearest", "truncate", "truncate-unit"]) -> Pixels:
    """Resize uint8 [T, H, W, 3] frames and quantise the result to uint8 again."""
    if rounding == "truncate-unit":
        resized = _round(_resize(torch.from_numpy(frames), rule, _interpolate_unit), "truncate")
    else:
        resized = _round(_resize(torch.from_numpy(frames), rule), rounding)
    return resized.to(torch.uint8).contiguous().numpy()


def network_input(frames: Tensor, rule: FeatureRule) -> Tensor:
    """Turn the frames of one clip into the input of the network.

    frames: uint8 [T, H, W, 3], on any device.
    Returns float32 [3, T, S, S] with values in `rule.range`, where S is the size of the resize. Without a resize the
    frames keep their height and width.
    """
    if rule.channels == "bgr":
        frames = frames.flip(3)
    values = frames.float() if rule.resize is None else _resize(frames, rule.resize)
    if rule.rounding != "none":
        values = _round(values, rule.rounding)
    low, high = rule.range
    return values.mul_((high - low) / 255).add_(low).permute(3, 0, 1, 2)  # [3, T, S, S]


_Interpolation = Callable[[Tensor, tuple[int, int], Resize], Tensor]
"""A function that resizes uint8 images [T, H, W, 3] to a (height, width), as float32 with values in 0 to 255."""


def _resample(images: Tensor, size: tuple[int, int], rule: Resize) -> Tensor:
    return resample(images, size, kernel=rule.kernel, antialias=rule.antialias)


def _interpolate_unit(images: Tensor, size: tuple[int, int], rule: Resize) -> Tensor:
    """Resize with torch's own interpolation, on values in 0 to 1.

    This is for originals that truncate the result, where the last bit of a float decides over a grey level. With
    antialiasing torch gives the same bits for any number of threads.
    """
    unit = images.permute(0, 3, 1, 2).float() / 255
    resized = functional.interpolate(unit, size, mode=rule.kernel, antialias=rule.antialias)
    return resized.permute(0, 2, 3, 1) * 255


def _resize(frames: Tensor, rule: Resize, interpolation: _Interpolation = _resample) -> Tensor:
    """Resize uint8 [T, H, W, 3] to float32 [T, S, S, 3] with values in 0 to 255, not rounded."""
    count, height, width, _ = frames.shape
    per_piece = max(1, _PIECE_VALUES[frames.device.type] // (height * width * 3))
    resized = frames.new_empty((3, count, rule.size, rule.size), dtype=torch.float32).permute(1, 2, 3, 0)
    for first in range(0, count, per_piece):
        piece = slice(first, first + per_piece)
        resized[piece] = _resize_piece(frames[piece], rule, interpolation)
    return resized


def _resize_piece(images: Tensor, rule: Resize, interpolation: _Interpolation) -> Tensor:
    """Resize uint8 [T, H, W, 3] to float32 [T, S, S, 3]."""
    height, width = images.shape[1:3]
    target = (rule.size, rule.size)
    if rule.geometry == "square-crop":
        images = _centre(images, min(height, width))
    elif rule.geometry != "stretch":
        target = _short_side_to(rule, height, width)
    if tuple(images.shape[1:3]) != target:
        images = interpolation(images, target, rule)
    return _centre(images, rule.size)


def _centre(images: Tensor, size: int) -> Tensor:
    """Return the square of a size in the centre of images [T, H, W, 3]."""
    top, left = ((length - size) // 2 for length in images.shape[1:3])
    return images[:, top : top + size, left : left + size]


def _short_side_to(rule: Resize, height: int, width: int) -> tuple[int, int]:
    """Return the height and width to resize to before the centre is cropped.

    The longer side is rounded up, as VideoGPT's fvd.py does, or down, as torchvision and transformers do, where the
    product comes first.
    """
    short, length, longer = min(height, width), rule.short_side or rule.size, max(height, width)
    if rule.geometry == "short-side-floor-crop":
        long_side = int(length * longer / short)
    else:
        long_side = math.ceil(longer * (length / short))
    return (length, long_side) if height < width else (long_side, length)


def _round(values: Tensor, rounding: Literal["nearest", "truncate"]) -> Tensor:
    return (values.round() if rounding == "nearest" else values.floor()).clamp(0, 255)
