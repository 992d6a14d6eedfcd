"""The clips that a step of StyleGAN-V is made of: real ones, and what others are generated from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from torch import Tensor

Videos = TypeVar("Videos", "Reals", "Fakes")


class Augmentations(Protocol):
    """What is done to each of some clips: [B, T, 3, R, R] of the shape of `frames`."""

    def __getitem__(self, some: slice, /) -> Augmentations: ...
    def __call__(self, frames: Tensor, /) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Reals:
    """Real clips of a step.

    frames: in [-1, 1]. augmentations: how the clips are augmented, None for not at all.
    r1_augmentations: the same while R1 is computed.
    """

    frames: Tensor
    times: Tensor
    labels: Tensor | None
    augmentations: Augmentations | None
    r1_augmentations: Augmentations | None


@dataclass(frozen=True, slots=True)
class Fakes:
    """What a batch of videos is generated from, and how it is augmented.

    numbers: int64 [B], of the videos. augmentations: None for none.
    """

    numbers: Tensor
    times: Tensor
    labels: Tensor | None
    augmentations: Augmentations | None


def part(videos: Videos, some: slice) -> Videos:
    """Return a slice of the videos."""
    values = {field.name: getattr(videos, field.name) for field in dataclasses.fields(videos)}
    chosen: dict[str, Any] = {name: value if value is None else value[some] for name, value in values.items()}
    return dataclasses.replace(videos, **chosen)


def augmented(frames: Tensor, augmentations: Augmentations | None) -> Tensor:
    """Return frames [B, T, 3, R, R] as the discriminator sees them."""
    return frames if augmentations is None else augmentations(frames)
