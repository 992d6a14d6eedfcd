"""The means and standard deviations of pixels that networks were trained with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

Colours = tuple[float, float, float]

IMAGENET: tuple[Colours, Colours] = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OPENAI_CLIP: tuple[Colours, Colours] = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Mean and standard deviation of red, green and blue, in values of 0 to 1."""


class Normalisation(nn.Module):
    """Subtracts the mean of each colour, and divides by its standard deviation."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, colours: tuple[Colours, Colours]) -> None:
        super().__init__()
        for name, values in zip(("mean", "deviation"), colours, strict=True):
            self.register_buffer(name, torch.tensor(values))

    def forward(self, x: Tensor) -> Tensor:
        """Return the values of x [B, 3, …], which are of 0 to 1."""
        shape = (-1, *(1,) * (x.ndim - 2))
        return (x - self.mean.reshape(shape)) / self.deviation.reshape(shape)
