"""Adam down a loss, at a learning rate that rises, stays and falls: what projections and edits have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fvd_bench.progress import Progress
from stylegan_v.errors import ModelError

LEARNING_RATE = 0.1
_RISING_PART, _FALLING_PART = 0.05, 0.25


def descend(
    parameters: Sequence[Tensor], loss: Callable[[int], Tensor], *, steps: int, what: str, progress: Progress
) -> None:
    """Change parameters until a loss is low. loss: of the parameters as they are, at a step. what: of messages.

    Raises ModelError where the loss is not finite.
    """
    optimizer = torch.optim.Adam(parameters)
    for step in range(steps):
        progress(f"steps of {what}", step, steps)
        optimizer.param_groups[0]["lr"] = learning_rate(step / steps)
        found = loss(step)
        if not torch.isfinite(found):
            raise ModelError(f"step {step} of the {what} gives no finite loss: its checkpoint has diverged")
        optimizer.zero_grad()
        torch.autograd.backward(found)
        optimizer.step()
    progress(f"steps of {what}", steps, steps)


def learning_rate(part: float) -> float:
    """Return the learning rate after a part of the steps, from 0 to 1: a rise, a plateau, and half a cosine to 0."""
    falling = min(1.0, (1.0 - part) / _FALLING_PART)
    return LEARNING_RATE * (0.5 - 0.5 * math.cos(math.pi * falling)) * min(1.0, part / _RISING_PART)
