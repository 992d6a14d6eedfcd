"""Augmentation by colour and translation that is always on (Zhao et al. 2020, "Differentiable augmentation for
data-efficient GAN training").

A clip is augmented as one image, with one draw for all of its frames, so that equal pixels of two frames stay equal and
augmentation adds no motion. The mean that contrast leaves alone is that of the clip. Everything has derivatives of any
order by the frames, as R1 needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylegan_v.networks.noise import Purpose, uniform

_SHIFT = 0.125
"""The longest shift, as a fraction of the side of a frame."""


@dataclass(frozen=True, slots=True)
class DiffAugmentations:
    """What is done to N clips, in this order.

    brightness: added to all colours, from -0.5 to 0.5. saturation: factor of what tells a colour from the grey of the
    same brightness, from 0 to 2. contrast: factor of what tells a colour from the mean of the clip, from 0.5 to 1.5.
    Each is float32 [N]. shift: int64 [N, 2], pixels to the bottom and to the right; zeros come in.
    """

    brightness: Tensor
    saturation: Tensor
    contrast: Tensor
    shift: Tensor

    def __getitem__(self, some: slice) -> DiffAugmentations:
        return DiffAugmentations(self.brightness[some], self.saturation[some], self.contrast[some], self.shift[some])

    def __call__(self, frames: Tensor) -> Tensor:
        """Augment clips: [B, T, 3, R, R] of the shape and type of `frames`, which are in [-1, 1]."""
        brightness, saturation, contrast = (
            value[:, None, None, None, None].to(frames.dtype)
            for value in (self.brightness, self.saturation, self.contrast)
        )
        frames = frames + brightness
        frames = torch.lerp(frames.mean(dim=2, keepdim=True), frames, saturation)
        frames = torch.lerp(frames.mean(dim=(1, 2, 3, 4), keepdim=True), frames, contrast)
        return _shifted(frames, self.shift)


def draw(seed: int, purpose: Tensor, samples: Tensor, *, resolution: int) -> DiffAugmentations:
    """Draw augmentations of clips of a resolution. samples: int64 [B], numbers of training samples. purpose: int64 [B].

    They and the seed alone decide what is drawn, whatever else is in the batch.
    """
    numbers = uniform(seed, purpose, samples, 0, 5)
    brightness, saturation, contrast = numbers[:, :3].float().unbind(1)
    longest = int(_SHIFT * resolution + 0.5)
    shift = (numbers[:, 3:] * (2 * longest + 1)).long() - longest
    return DiffAugmentations(brightness - 0.5, 2 * saturation, contrast + 0.5, shift)


def plan(seed: int, fakes: Tensor, reals: Tensor, *, resolution: int) -> DiffAugmentations:
    """Draw for fake and then for real clips of these numbers: int64 [B] each."""
    purposes = [torch.full_like(fakes, Purpose.AUGMENT_FAKE), torch.full_like(reals, Purpose.AUGMENT_REAL)]
    return draw(seed, torch.cat(purposes), torch.cat([fakes, reals]), resolution=resolution)


def _shifted(frames: Tensor, shift: Tensor) -> Tensor:
    """Move each clip, [B, T, 3, R, R], by its whole numbers of pixels, [B, 2]."""
    side = frames.shape[-1]
    border = int(_SHIFT * side + 0.5)
    padded = functional.pad(frames, (border,) * 4)
    places = torch.arange(side, device=frames.device) + border - shift[:, :, None]  # [B, 2, R]: where pixels come from
    clips = torch.arange(len(frames), device=frames.device)[:, None, None]
    moved = padded.permute(0, 3, 4, 1, 2)[clips, places[:, 0, :, None], places[:, 1, None, :]]  # [B, R, R, T, 3]
    return moved.permute(0, 3, 4, 1, 2).contiguous()
