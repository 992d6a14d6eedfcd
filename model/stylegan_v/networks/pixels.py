"""Frames as bytes, and as the numbers that the networks see."""

from __future__ import annotations

import torch
from torch import Tensor

JPEG_QUALITY = 95
"""As the paper says of its frames. Its code asks Pillow for `q=95`, which Pillow ignores, and so writes 75."""


def normalise(frames: Tensor) -> Tensor:
    """uint8 to float32 in [-1, 1], of any shape: x / 127.5 - 1."""
    assert frames.dtype == torch.uint8
    return frames.to(torch.float32) / 127.5 - 1


def to_uint8(frames: Tensor) -> Tensor:
    """Numbers of about -1 to 1 to uint8, of any shape: 127.5 x + 127.5, rounded, halves up, and clipped."""
    return (frames.to(torch.float32) * 127.5 + 128).clamp(0, 255).to(torch.uint8)
