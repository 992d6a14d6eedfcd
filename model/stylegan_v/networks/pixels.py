"""Frames as bytes, and as the numbers that the networks see."""

from __future__ import annotations

import torch
from torch import Tensor


def normalise(frames: Tensor) -> Tensor:
    """Map uint8 of any shape to float32 in [-1, 1]: x / 127.5 - 1."""
    assert frames.dtype == torch.uint8
    return frames.to(torch.float32) / 127.5 - 1


def to_uint8(frames: Tensor) -> Tensor:
    """Map numbers of about -1 to 1, of any shape, to uint8: 127.5 x + 127.5, rounded (halves up) and clipped."""
    return (frames.to(torch.float32) * 127.5 + 128).clamp(0, 255).to(torch.uint8)
