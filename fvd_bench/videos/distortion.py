"""Distortions of videos, each in three strengths: of their frames, of their motion, or of both.

Two of them are the same elastic deformation: `elastic-per-video` deforms all frames of a video alike, which leaves the
motion as smooth as it was, and `elastic-per-frame` deforms each frame in another way. Single frames are equally bad in
both, so what a metric says more of the latter it says of motion (Ge et al. 2024, On the Content Bias in Fréchet Video
Distance). Displacements are those of a cubic spline through random displacements at the nodes of a coarse grid.

Everything random is drawn from streams of a key, which is made of a seed and the content of the video.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fvd_bench.random_stream import RandomStream
from fvd_bench.videos.sampling import Indices
from fvd_bench.videos.video import Pixels

Key = tuple[int, ...]
"""What the random streams of one video begin with."""

Changes = Literal["frames", "motion", "both"]

STRENGTHS = ("weak", "medium", "strong")

_FIELD, _NOISE, _ORDER, _LOSS = 1, 2, 3, 4
_NODES = 8
"""Nodes of the elastic grid along the shorter side."""


@dataclass(frozen=True, slots=True)
class Distortion:
    """One way to spoil a video.

    name, says: for people; `says` has a place for the amount.
    changes: what differs afterwards: single frames, how they follow each other, or both.
    amounts: one per strength.
    pixels: takes a frame, uint8 [H, W, 3], its number, the amount and the key, and returns the changed frame. None
        where frames stay as they are.
    order: takes numbers of frames of the distorted video, ascending, the length of the original, the amount and the
        key, and returns the numbers of the original's frames that are shown. None where each stays in its place.
    speed: whether the amount is the factor by which the video becomes shorter.
    of_videos: whether the amount is the part of the videos that are distorted.
    """

    name: str
    says: str
    changes: Changes
    amounts: tuple[float, float, float]
    pixels: Callable[[Pixels, int, float, Key], Pixels] | None = None
    order: Callable[[Indices, int, float, Key], Indices] | None = None
    speed: bool = False
    of_videos: bool = False

    def text(self, strength: int) -> str:
        """Return what is done at a strength, from 1 to 3."""
        return self.says.format(self.amounts[strength - 1])

    def length(self, num_frames: int, amount: float) -> int:
        """Return the number of frames of the distorted video."""
        return math.ceil(num_frames / amount) if self.speed else num_frames


def displacements(height: int, width: int, amount: float, key: Key) -> NDArray[np.float64]:
    """Return a smooth random field [2, H, W] of displacements in pixels, downwards and to the right.

    amount: root mean square of their lengths, as a part of the shorter side.
    """
    from scipy import ndimage

    short = min(height, width)
    nodes = [max(2, round(_NODES * side / short)) for side in (height, width)]
    coarse = RandomStream(*key, _FIELD).uniform((2, *nodes))
    zoom = (1, height / nodes[0], width / nodes[1])
    field: NDArray[np.float64] = ndimage.zoom(coarse, zoom, order=3, mode="reflect", grid_mode=True)
    scaled: NDArray[np.float64] = field * (amount * short / math.sqrt(float(np.mean(np.sum(field**2, axis=0)))))
    return scaled


def _deformed(frame: Pixels, amount: float, key: Key) -> Pixels:
    from scipy import ndimage

    height, width, _ = frame.shape
    places = np.mgrid[:height, :width] + displacements(height, width, amount, key)
    channels = [
        ndimage.map_coordinates(frame[..., c].astype(np.float64), places, order=1, mode="reflect") for c in range(3)
    ]
    return _levels(np.stack(channels, axis=-1))


def _elastic_per_video(frame: Pixels, number: int, amount: float, key: Key) -> Pixels:
    return _deformed(frame, amount, (*key, 0))


def _elastic_per_frame(frame: Pixels, number: int, amount: float, key: Key) -> Pixels:
    return _deformed(frame, amount, (*key, number))


def _blurred(frame: Pixels, number: int, amount: float, key: Key) -> Pixels:
    from scipy import ndimage

    sigma = amount * min(frame.shape[:2])
    return _levels(ndimage.gaussian_filter(frame.astype(np.float64), (sigma, sigma, 0), mode="reflect"))


def _noisy(frame: Pixels, number: int, amount: float, key: Key) -> Pixels:
    from scipy.special import ndtri

    quantiles = (RandomStream(*key, number, _NOISE).uniform(frame.shape) + 1) / 2 + 2.0**-54
    return _levels(frame + amount * ndtri(quantiles))


def _coded(frame: Pixels, number: int, amount: float, key: Key) -> Pixels:
    from fvd_bench.videos.jpeg import jpeg_round_trip

    return jpeg_round_trip(frame, int(amount), "4:2:0")


def _shuffled(numbers: Indices, length: int, amount: float, key: Key) -> Indices:
    size = int(amount)
    orders = {
        block: RandomStream(*key, block, _ORDER).permutation(
            np.arange(block * size, min((block + 1) * size, length), dtype=np.int64)
        )
        for block in np.unique(numbers // size).tolist()
    }
    return np.array([orders[number // size][number % size] for number in numbers.tolist()], dtype=np.int64)


def _frozen(numbers: Indices, length: int, amount: float, key: Key) -> Indices:
    held = length if amount == 1 else round(1 / (1 - amount))
    return numbers // held * held


def _lossy(numbers: Indices, length: int, amount: float, key: Key) -> Indices:
    """Show each lost frame's last predecessor that is left. What is lost at some amount is lost at larger ones."""
    return np.array([_last_left(number, amount, key) for number in numbers.tolist()], dtype=np.int64)


def _last_left(number: int, amount: float, key: Key) -> int:
    while number and RandomStream(*key, number, _LOSS).below(2**20) < amount * 2**20:
        number -= 1
    return number


def _backwards(numbers: Indices, length: int, amount: float, key: Key) -> Indices:
    return length - 1 - numbers


def _fast(numbers: Indices, length: int, amount: float, key: Key) -> Indices:
    shown: Indices = np.floor(numbers * amount).astype(np.int64)
    return shown


def _levels(values: NDArray[np.float64]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


PER_VIDEO, PER_FRAME = "elastic-per-video", "elastic-per-frame"

_ALL: Sequence[Distortion] = (
    Distortion(PER_VIDEO, "all frames bent alike, by {:.0%} of the side", "frames", (0.01, 0.02, 0.04),
               pixels=_elastic_per_video),
    Distortion(PER_FRAME, "each frame bent by itself, by {:.0%} of the side", "both", (0.01, 0.02, 0.04),
               pixels=_elastic_per_frame),
    Distortion("blur", "Gaussian of {:.1%} of the side", "frames", (0.005, 0.01, 0.02), pixels=_blurred),
    Distortion("noise", "Gaussian of {:.0f} grey levels, new in each frame", "both", (5, 15, 40), pixels=_noisy),
    Distortion("jpeg", "quality {:.0f}", "frames", (50, 20, 5), pixels=_coded),
    Distortion("shuffle", "random order among {:.0f} frames at a time", "motion", (2, 4, 16), order=_shuffled),
    Distortion("freeze", "{:.0%} of the frames repeat the one before", "motion", (0.5, 0.75, 1), order=_frozen),
    Distortion("missing", "{:.0%} of the frames lost at random, the one before shown", "motion", (0.1, 0.25, 0.5),
               order=_lossy),
    Distortion("reverse", "{:.0%} of the videos backwards", "motion", (0.25, 0.5, 1), order=_backwards,
               of_videos=True),
    Distortion("speed", "{:g} times as fast", "motion", (1.5, 2, 4), order=_fast, speed=True),
)  # fmt: skip

DISTORTIONS: Mapping[str, Distortion] = {distortion.name: distortion for distortion in _ALL}
"""All distortions by name: those of frames first."""
