"""What every generator of videos offers to sampling, scoring and sheets, whatever its networks are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from stylegan_v.errors import ConfigError

Clip = Callable[[Tensor], Tensor]
"""A video: a function from times, float64 [T] in frames of the training videos, to frames [T, 3, R, R] of about -1 to
1. It may go on from where it was last asked, so it belongs to one thread at a time."""


class Config(Protocol):
    """Sizes and choices of the networks of a method. Those of the methods are frozen dataclasses.

    method: name of the method. preset: the name of the values it began from. resolution: side of a frame in pixels.
    frames: number of frames of a training clip. num_classes: length of the label vector, 0 for none.
    """

    method: ClassVar[str]

    @property
    def preset(self) -> str: ...
    @property
    def resolution(self) -> int: ...
    @property
    def frames(self) -> int: ...
    @property
    def num_classes(self) -> int: ...

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as run files and checkpoints store them."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What videos are made of: numbers by address alone (noise.py), whatever else is drawn beside them.

    seed: that of all. content: int64 [G], numbers of videos. motion: int64 [G], of the videos whose motion they take.
    labels, motion_labels: float32 [G, num_classes], None without classes. truncation: ψ, 1 for none.
    """

    seed: int
    content: Tensor
    motion: Tensor
    _: KW_ONLY
    labels: Tensor | None = None
    motion_labels: Tensor | None = None
    truncation: float = 1.0


class VideoGenerator(nn.Module):
    """A network that makes videos, each from numbers that its seed and number address.

    continuous: whether it makes frames at any real time; otherwise at whole ones alone.
    recurrent: what it makes token by token, each from those before, in words for people; empty where nothing is.
    separate: whether content and motion are drawn apart, so that one video can take the motion of another.
    truncates: whether ψ has a meaning.
    at_a_time: number of videos that are opened at a time. A batch of any other size could round differently, so a
    video is always opened in the whole group of its number.
    """

    continuous: ClassVar[bool] = False
    recurrent: ClassVar[str] = ""
    separate: ClassVar[bool] = True
    truncates: ClassVar[bool] = False
    at_a_time: ClassVar[int] = 1

    config: Config

    @property
    def longest(self) -> int | None:
        """The number of frames of the longest video that it can make, None for no limit."""
        return None

    @property
    def half_dtype(self) -> torch.dtype | None:
        """The type of blocks in half precision, None where all compute in the parameters' type."""
        return None

    def use_precision(self, precision: str) -> None:
        """Compute in `float32`, or some blocks in `float16` or `bfloat16`; `auto` takes what is usual on the device.

        Raises ConfigError for what the network has not.
        """
        if precision not in ("auto", "float32"):
            raise ConfigError(f"{self.config.method} has no blocks for {precision}: it computes in float32")

    def use_precision_of(self, training: str) -> None:
        """Compute as samples and scores of a run are computed. training: the precision that it trains in.

        On a GPU that is also the precision of samples, which the networks have learned with. Elsewhere it is float32,
        and so it is everywhere where a network computes in nothing else.
        """

    def open(self, draw: Draw) -> Sequence[Clip]:
        """Draw `at_a_time` videos. Returns each as a function from times to frames."""
        raise NotImplementedError

    @torch.inference_mode()
    def sample(self, seed: int, videos: Sequence[int], times: Sequence[float]) -> Tensor:
        """Return frames of videos by number, float32 [B, T, 3, R, R] of about -1 to 1. Without classes.

        Each video is made as if there were no other, so that no bit depends on which ones are asked for.
        """
        device = next(self.parameters()).device
        at = torch.tensor(times, dtype=torch.float64, device=device)
        made = []
        for video in videos:
            group, row = divmod(video, self.at_a_time)
            numbers = torch.arange(group * self.at_a_time, (group + 1) * self.at_a_time, device=device)
            made.append(self.open(Draw(seed, numbers, numbers))[row](at))
        return torch.stack(made)
