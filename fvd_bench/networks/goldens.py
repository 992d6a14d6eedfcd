"""Published numbers of the I3D behind FVD, and recipes for the videos that they belong to.

Videos here are float32 [B,T,224,224,3] in [-1,1] unless a docstring says otherwise.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fvd_bench.random_stream import RandomStream

Videos = NDArray[np.float32]

SIZE = 224
"""Height and width of every video, in pixels."""


def uniform_videos(seed: int, clips: int, frames: int) -> Videos:
    """Make videos of independent pixels from NumPy's `default_rng(seed)`, uniform in [-1,1)."""
    return RandomStream(seed).uniform((clips, frames, SIZE, SIZE, 3)).astype(np.float32)


def smooth_videos(clips: int, frames: int) -> Videos:
    """Make drifting plane waves sin(2π((2+b)x + (1+c)y) + 0.3 t (1+b) + c) for clip b, frame t and channel c.

    x and y are column and row over 224. They are computed in float64.
    """
    b, t, row, column, c = np.ogrid[:clips, :frames, :SIZE, :SIZE, :3]
    waves = (2 + b) * (column / SIZE) + (1 + c) * (row / SIZE)
    videos: Videos = np.sin(2 * np.pi * waves + 0.3 * t * (1 + b) + c).astype(np.float32)
    return videos


def constant_videos(value: float, clips: int, frames: int) -> Videos:
    """Make videos in which every pixel of every frame has the same value."""
    return np.full((clips, frames, SIZE, SIZE, 3), value, dtype=np.float32)


@dataclass(frozen=True)
class GoldenLogits:
    """The exact logits of a batch of videos, from a run in float64.

    name: names the videos, and ends in clips x frames.
    recipe: makes the videos from (clips, frames).
    first: logits 0 to 3 of clip 0.
    last: logit 399 of clip 0.
    total, norm: sum and L2 norm over all clips.
    digest: first 16 hex digits of the sha256 of the videos' bytes. None where it was not written down.
    """

    name: str
    recipe: Callable[[int, int], Videos]
    clips: int
    frames: int
    first: tuple[float, float, float, float]
    last: float
    total: float
    norm: float
    digest: str | None = None

    def videos(self) -> Videos:
        """Make the batch."""
        return self.recipe(self.clips, self.frames)


LOGITS_TOLERANCE = 1e-4
"""Largest absolute error of a float32 logit. JAX, TensorFlow and two torch ports came within 3e-5."""

LOGITS_ORIGIN = "float64 run of the network; TensorFlow's run of the official graph agrees to 3e-5"

LOGITS = (
    GoldenLogits(
        "uniform seed 0, 2x16",
        partial(uniform_videos, 0),
        2,
        16,
        (1.1020776, 3.9151426, 2.0084893, 2.6193514),
        -2.2220734,
        3.049948,
        65.911961,
        digest="52df9e1b124706b7",
    ),
    GoldenLogits(
        "uniform seed 1, 1x10",
        partial(uniform_videos, 1),
        1,
        10,
        (0.8812845, 3.1242027, 3.8679985, 4.4078453),
        -0.6315219,
        2.504465,
        61.445570,
        digest="975883b242b6876a",
    ),
    GoldenLogits(
        "uniform seed 2, 1x128",
        partial(uniform_videos, 2),
        1,
        128,
        (0.0403524, 0.5728546, 1.1169481, 0.8652366),
        -0.1616621,
        0.850490,
        29.393556,
        digest="79931dccad228063",
    ),
    GoldenLogits(
        "smooth, 1x9",
        smooth_videos,
        1,
        9,
        (0.8481856, 9.3221376, 6.6052651, 5.2924491),
        9.1607595,
        4.092794,
        130.663166,
    ),
    GoldenLogits(
        "smooth, 1x11",
        smooth_videos,
        1,
        11,
        (0.2375893, 8.4781148, 6.0642093, 5.0414304),
        7.6277867,
        4.229922,
        133.110599,
    ),
    GoldenLogits(
        "smooth, 1x17",
        smooth_videos,
        1,
        17,
        (0.6760593, 9.0962828, 5.9235494, 5.7704815),
        10.0070050,
        3.996407,
        124.243879,
    ),
    GoldenLogits(
        "smooth, 1x30",
        smooth_videos,
        1,
        30,
        (1.3283253, 8.0843429, 5.8351762, 5.8304701),
        8.1587136,
        3.522329,
        105.252021,
    ),
    GoldenLogits(
        "smooth, 4x16",
        smooth_videos,
        4,
        16,
        (1.9692354, 8.4828464, 3.6296636, 4.6341350),
        6.9111787,
        18.425042,
        209.015305,
        digest="69a2f62537aeabcf",
    ),
    GoldenLogits(
        "smooth, 1x128",
        smooth_videos,
        1,
        128,
        (-0.7020974, 6.3882719, 4.7160479, 2.7371842),
        5.6832962,
        2.521127,
        84.669828,
        digest="8067f3ca25db682f",
    ),
    GoldenLogits(
        "constant -1, 1x16",
        partial(constant_videos, -1.0),
        1,
        16,
        (1.0935294, 2.8372385, 0.4016802, 1.0170056),
        -1.3833335,
        0.783372,
        23.661248,
    ),
    GoldenLogits(
        "constant +1, 1x16",
        partial(constant_videos, 1.0),
        1,
        16,
        (2.0518145, 2.5272796, -0.0092508, 0.5247653),
        -1.2762502,
        0.704174,
        25.014668,
    ),
    GoldenLogits(
        "constant 0, 1x16",
        partial(constant_videos, 0.0),
        1,
        16,
        (2.2527253, 3.7767703, -0.7918173, 0.5621177),
        -1.4116816,
        0.943328,
        27.501388,
    ),
)
"""Rows for several seeds, lengths and constants."""


@dataclass(frozen=True)
class ConstantVideos:
    """The FVD of the all -1 against the all +1 video, which is the squared distance of their logits.

    frames: length of the videos.
    float32: the value with these weights in float32 on a CPU.
    gpu: the value that a widely copied implementation publishes. It was made on a GPU, probably with reduced (TF32)
        products, and differs by up to 0.35 %.
    """

    frames: int
    float32: float
    gpu: float


CONSTANT_TOLERANCE = 1e-5
"""Relative error of a float32 run. TensorFlow's is within 6e-7."""

GPU_TOLERANCE = 5e-3
"""Relative distance from the numbers made on a GPU, of which 3.5e-3 was seen."""

CONSTANT_ORIGIN = "float32 run on a CPU, torch 2.13"

GPU_ORIGIN = "table in the README of common_metrics_on_video_quality"

CONSTANT_VIDEOS = (
    ConstantVideos(10, 569.7711987, 569.2296294),
    ConstantVideos(11, 486.7536178, 486.3584254),
    ConstantVideos(12, 552.7663854, 551.9610502),
    ConstantVideos(13, 146.5147864, 146.3663818),
    ConstantVideos(14, 172.7749091, 172.8545322),
    ConstantVideos(15, 133.9082856, 133.7031196),
    ConstantVideos(16, 152.9018839, 152.9175031),
    ConstantVideos(17, 357.8507048, 357.7402855),
    ConstantVideos(18, 382.5496053, 382.4668646),
    ConstantVideos(19, 307.2144994, 306.7384038),
    ConstantVideos(20, 338.4990275, 338.4151811),
    ConstantVideos(21, 78.2506987, 78.1725593),
    ConstantVideos(22, 82.5371991, 82.3344664),
    ConstantVideos(23, 64.5453192, 64.5885972),
    ConstantVideos(24, 66.2917379, 66.0628115),
    ConstantVideos(25, 314.4982538, 314.4803707),
    ConstantVideos(26, 316.8282500, 316.6870910),
    ConstantVideos(27, 288.8392704, 288.9719695),
    ConstantVideos(28, 287.7066137, 287.7805185),
    ConstantVideos(29, 152.2414370, 152.1524776),
    ConstantVideos(30, 151.3923567, 151.2564750),
)

TENSORFLOW_FRAMES = 30
TENSORFLOW_CONSTANT = 151.39244
TENSORFLOW_ORIGIN = "the TensorFlow original's number in the README of common_metrics_on_video_quality"


RANDOM_CLIPS = 128
RANDOM_FRAMES = 16
RANDOM_FVD = 10.13808536529541
RANDOM_TOLERANCE = 1e-5
"""Relative error. The exact value is 10.138093; the published one took roots of eigenvalues that should be 0."""

RANDOM_ORIGIN = "fvd-comparison, TensorFlow: RandomState(2) against RandomState(1), ddof 1"
RANDOM_REAL_SEED, RANDOM_FAKE_SEED = 2, 1


def random_clips(seed: int, clips: int = RANDOM_CLIPS) -> Iterator[Videos]:
    """Yield the clips of fvd-comparison one by one: [1,16,224,224,3] in [0,1), as its network received them."""
    state = np.random.RandomState(seed)  # the published numbers were drawn with it, not with a Generator
    for _ in range(clips):
        yield state.rand(1, RANDOM_FRAMES, SIZE, SIZE, 3).astype(np.float32)
