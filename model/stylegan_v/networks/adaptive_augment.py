"""The probability of augmentation, adapted to how well the discriminator knows real videos.

Source: Karras et al. 2020, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class AdaptiveProbability:
    """Raises p while the discriminator knows real videos too well, and lowers it otherwise.

    Its measure is the mean sign of the logits of real videos. Each `interval` iterations, p moves by a step towards
    where that is `target`: never below 0, and not capped at 1, above which it only takes longer to come down again.

    batch_videos: videos per iteration, over all processes. kimg: thousands of videos (not of frames) that p needs from
    0 to 1. The default is 100, a step of 0.00256 at 64 videos. StyleGAN2-ADA means 100 for transfer learning and 500,
    a step of 0.000512, for training from scratch. But the code of StyleGAN-V takes a run without `resume` for transfer
    learning, and so its published default runs had 100; 500 comes in there only when a run is resumed.

    value: p, float64 on the device, changed in place; so a GPU is not waited for while training goes on.
    """

    def __init__(
        self,
        *,
        batch_videos: int,
        target: float = 0.6,
        kimg: float = 100.0,
        interval: int = 4,
        device: torch.device | str = "cpu",
    ) -> None:
        self.value = torch.zeros((), dtype=torch.float64, device=device)
        self.target = target
        self.interval = interval
        self.step = batch_videos * interval / (kimg * 1000)
        self._sum_of_signs = torch.zeros_like(self.value)
        self._count = self._iterations = 0

    @property
    def p(self) -> float:
        """The probability as a number, for which a GPU is waited for."""
        return float(self.value)

    @p.setter
    def p(self, value: float) -> None:
        self.value.fill_(value)

    def update(self, sum_of_signs: Tensor | float, count: int) -> None:
        """Takes note of an iteration. sum_of_signs, count: of the logits of all its real videos, one each."""
        self._sum_of_signs += sum_of_signs
        self._count += count
        self._iterations += 1
        if self._iterations >= self.interval:
            excess = self._sum_of_signs - self.target * self._count
            direction = (excess > 0).to(self.value.dtype) - (excess < 0).to(self.value.dtype)  # 0 of what is no number
            self.value.add_(direction, alpha=self.step).clamp_(min=0)
            self._sum_of_signs.zero_()
            self._count = self._iterations = 0

    def state_dict(self) -> dict[str, float | int]:
        """All that changes, in plain numbers."""
        return {
            "p": self.p,
            "sum_of_signs": float(self._sum_of_signs),
            "count": self._count,
            "iterations": self._iterations,
        }

    def load_state_dict(self, state: Mapping[str, float | int]) -> None:
        """Goes on where `state_dict` was taken, in the middle of an interval too. Raises KeyError."""
        self.p = float(state["p"])
        self._sum_of_signs.fill_(float(state["sum_of_signs"]))
        self._count = int(state["count"])
        self._iterations = int(state["iterations"])
