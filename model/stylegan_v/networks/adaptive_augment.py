"""The probability of augmentation, adapted to how well the discriminator knows the real videos.

Source: Karras et al. 2020, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_INTERVAL = 4
"""Iterations between two steps of p."""


class AdaptiveProbability:
    """The probability p of augmentation. It rises while the discriminator knows real videos too well, else it falls.

    The measure is the mean sign of the logits of real videos. Every 4 iterations, p moves one step in the direction
    that brings the mean to `target`. p is never below 0. It is not capped at 1; above 1 it only takes longer to come
    down again.

    batch_videos: videos per iteration, over all processes.
    kimg: thousands of videos (not of frames) that p needs from 0 to 1. The default is 100, a step of 0.00256 at 64
    videos. StyleGAN2-ADA means 100 for transfer learning and 500, a step of 0.000512, for training from scratch. But
    the code of StyleGAN-V takes a run without `resume` for transfer learning, so its published default runs had 100;
    there 500 comes in only when a run is resumed.

    value: p, float64 on the device. It is changed in place, so training never waits for a GPU.
    """

    def __init__(
        self,
        *,
        batch_videos: int,
        target: float = 0.6,
        kimg: float = 100.0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.value = torch.zeros((), dtype=torch.float64, device=device)
        self.target = target
        self.step = batch_videos * _INTERVAL / (kimg * 1000)
        self._sum_of_signs = torch.zeros_like(self.value)
        self._count = self._iterations = 0

    @property
    def p(self) -> float:
        """The probability as a number. Reading it waits for a GPU."""
        return float(self.value)

    @p.setter
    def p(self, value: float) -> None:
        self.value.fill_(value)

    def update(self, sum_of_signs: Tensor | float, count: int) -> None:
        """Take note of an iteration.

        sum_of_signs, count: sum and number of the signs of its logits, one for each of its real videos.
        """
        self._sum_of_signs += sum_of_signs
        self._count += count
        self._iterations += 1
        if self._iterations >= _INTERVAL:
            excess = self._sum_of_signs - self.target * self._count
            direction = (excess > 0).to(self.value.dtype) - (excess < 0).to(self.value.dtype)  # 0 for NaN
            self.value.add_(direction, alpha=self.step).clamp_(min=0)
            self._sum_of_signs.zero_()
            self._count = self._iterations = 0

    def state_dict(self) -> dict[str, float | int]:
        """Return all that changes, as plain numbers."""
        return {
            "p": self.p,
            "sum_of_signs": float(self._sum_of_signs),
            "count": self._count,
            "iterations": self._iterations,
        }

    def load_state_dict(self, state: Mapping[str, float | int]) -> None:
        """Go on where `state_dict` was taken, also in the middle of an interval. Raises KeyError."""
        self.p = float(state["p"])
        self._sum_of_signs.fill_(float(state["sum_of_signs"]))
        self._count = int(state["count"])
        self._iterations = int(state["iterations"])
