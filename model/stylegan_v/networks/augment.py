"""Adaptive augmentation of what the discriminator sees (Karras et al. 2020, "Training GANs with limited data").

The pipeline is `bgc`: pixel blitting, general geometry and colour. A clip is augmented as one image of 3T channels,
with one draw for all of its frames, so that augmentation adds no motion. For given draws everything is linear in the
pixels. Every step has derivatives of any order, as R1 needs: it takes gradients with respect to frames before
augmentation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stylegan_v.networks.augment_draws import colours, draw, geometry
from stylegan_v.networks.augment_warp import warp
from stylegan_v.networks.noise import Purpose


@dataclass(frozen=True, slots=True)
class Augmentations:
    """What is done to N clips. Both tensors are float64.

    sources: as `augment_draws.geometry` makes them. colours: as `augment_draws.colours` makes them.
    """

    sources: Tensor
    colours: Tensor

    def __getitem__(self, some: slice) -> Augmentations:
        return Augmentations(self.sources[some], self.colours[some])

    def __call__(self, frames: Tensor) -> Tensor:
        """Return `augment` of clips: [B, T, 3, H, W]."""
        return augment(frames, self)


def plan(
    probability: Tensor,
    *,
    seed: int,
    purpose: Purpose | Tensor,
    samples: Tensor,
    size: tuple[int, int],
) -> Augmentations:
    """Draw augmentations of N clips of frames of a size (height, width), on the device of the samples.

    probability: p, one for all clips, float64 on that device.
    samples: int64 [N], the global numbers of the training samples. They, the seed and the purpose (one, or int64 [N])
    alone decide what is drawn, whatever else is in the batch.
    """
    draws = draw(seed, purpose, samples)
    height, width = size
    return Augmentations(geometry(draws, probability, height=height, width=width), colours(draws, probability))


def augment(frames: Tensor, augmentations: Augmentations) -> Tensor:
    """Augment clips: [B, T, 3, H, W] of the shape and type of `frames`.

    frames: [B, T, 3, H, W] in [-1, 1]; results may leave that range. Types below float32 are computed in float32.
    augmentations: one per clip, so that equal frames stay equal bit for bit. Clips that they leave alone are resampled
    too, which changes them by rounding only (1e-4 at 256²).

    On CUDA the gradient of the sampling is summed in no fixed order, so its last bits vary.
    """
    images = frames.flatten(1, 2)  # [B, 3T, H, W]
    images = images.to(torch.promote_types(frames.dtype, torch.float32))
    images = recolour(warp(images, augmentations.sources), augmentations.colours)
    return images.reshape(frames.shape).to(frames.dtype)


def recolour(images: Tensor, matrix: Tensor) -> Tensor:
    """Apply `augment_draws.colours` to every three channels of images: [N, 3T, H, W] -> [N, 3T, H, W]."""
    pixels = images.reshape(len(images), -1, 3, *images.shape[2:])  # [N, T, 3, H, W]
    columns = matrix[:, None, :, :, None, None].to(images)  # [N, 1, 3, 4, 1, 1]
    # These are products and sums of whole tensors, since a matrix product may round equal frames differently.
    mixed = columns[:, :, :, 3]
    for channel in range(3):
        mixed = torch.addcmul(mixed, columns[:, :, :, channel], pixels[:, :, channel : channel + 1])
    return mixed.flatten(1, 2)
