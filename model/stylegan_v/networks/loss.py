"""The losses: the non-saturating one, and R1.

Sources: Goodfellow et al. 2014 (non-saturating loss), Mescheder et al. 2018 (R1). The average of R1 over the frames of
a clip is the released code's.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def softplus_loss(logits: Tensor, *, real: bool) -> Tensor:
    """Return the binary cross-entropy of logits of any shape that all should say `real`, or all not: their mean."""
    return functional.softplus(-logits if real else logits).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """Return the mean of softplus(-D(fake)) over the logits of videos, [B]."""
    return softplus_loss(fake, real=True)


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the mean of softplus(-D(real)) plus the mean of softplus(D(fake)), over the logits of videos, [B]."""
    return softplus_loss(real, real=True) + softplus_loss(fake, real=False)


def r1_penalty(logits: Tensor, frames: Tensor) -> Tensor:
    """Return the squared gradient of logits [B] by frames [B, T, C, H, W], averaged over frames and videos.

    It is summed over the values of a frame; summed over whole clips it would be T times as large. It can be
    differentiated again. The loss is γ / 2 times it.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), frames, create_graph=True)
    return gradient.square().sum(dim=(2, 3, 4)).mean()
