"""Behaviour fingerprints: they tell which I3D a network is, and what is wrong with it.

The logits of an all -1 and an all +1 video differ by a vector whose squared length is the FVD between the two (one
video a side has no covariance). Its values at a few clip lengths tell the right network from the mistakes that its
ports are known to make, whatever file the weights came from. Only the order of the colour channels remains unseen,
since the videos are grey.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fvd_bench.words import percent

LENGTHS = (10, 16, 25, 30)
"""Frames of the constant videos. They give even and odd sizes at the strides of the network."""

_SIZE = 224
_SAME = 5e-5  # relative: other float32 networks came within 2e-6, and the nearest mistake is 2e-3 away
_REDUCED = 6e-3  # relative: numbers that were made on GPUs came within 3.5e-3


@dataclass(frozen=True)
class Diagnosis:
    """What a fingerprint says.

    name: short and stable, for machines.
    message: for people.
    right: whether the network is fit for FVD.
    """

    name: str
    message: str
    right: bool


@dataclass(frozen=True)
class _Known:
    diagnosis: Diagnosis
    distances: Mapping[int, float]


# Distances by clip length. They were measured in float32 on a CPU with the network of i3d_network.py, built with the
# mistake (epsilon, padding) or fed with it (ranges). Other implementations had given 84.02, 134.97 and 4.118e7
# for the three ranges at 16 frames.
_RIGHT = _Known(
    Diagnosis("right", "the network of FVD, in full float32", right=True),
    {10: 569.7711987, 16: 152.9018839, 25: 314.4982538, 30: 151.3923567},
)
_MISTAKES = (
    _Known(
        Diagnosis(
            "epsilon-1e-5",
            "batch norm with epsilon 1e-5: FVD comes out 0.2 to 0.3 % too high. The original has 1e-3: set "
            "eps=1e-3 on every batch norm",
            right=False,
        ),
        {10: 570.9189, 16: 153.2743, 25: 315.1503, 30: 151.7597},
    ),
    _Known(
        Diagnosis(
            "symmetric-padding",
            "strided layers padded alike at both ends: TensorFlow's SAME puts the odd place at the end. "
            "Pad (2, 3) for kernel 7 and (0, 1) for kernel 3 where a size is even",
            right=False,
        ),
        {10: 4639.7848, 16: 3962.8372, 25: 457.0824, 30: 1111.9442},
    ),
    _Known(
        Diagnosis(
            "range-half",
            "input in [-0.5, 0.5]: the network expects [-1, 1]. Multiply by 2",
            right=False,
        ),
        {10: 252.3185, 16: 84.0215, 25: 91.4893, 30: 58.6995},
    ),
    _Known(
        Diagnosis(
            "range-unit",
            "input in [0, 1]: the network expects [-1, 1]. Multiply by 2 and subtract 1",
            right=False,
        ),
        {10: 445.3856, 16: 134.9710, 25: 65.0923, 30: 31.8170},
    ),
    _Known(
        Diagnosis(
            "range-255",
            "input in [0, 255]: the network expects [-1, 1]. Divide by 127.5 and subtract 1",
            right=False,
        ),
        {10: 31549587.5, 16: 41175571.3, 25: 60951175.3, 30: 62224302.2},
    ),
)


@torch.no_grad()
def measure(
    network: Callable[[Tensor], Tensor],
    *,
    lengths: Sequence[int] = LENGTHS,
    device: str | torch.device = "cpu",
) -> dict[int, float]:
    """Return the squared distance of the logits of the all -1 and the all +1 video, by clip length.

    network: maps float32 [1,3,T,224,224] in [-1,1] on `device` to logits [1,400]. To test a scaling too, let the
        callable undo ours and apply its own: `lambda x: theirs((x + 1) * 127.5)`.
    lengths: numbers of frames T, 9 or more.
    device: the device that the videos are made on.
    """
    distances = {}
    for frames in lengths:
        white = torch.ones(1, 3, frames, _SIZE, _SIZE, dtype=torch.float32, device=device)
        gap = network(-white).cpu().double() - network(white).cpu().double()  # not every device has float64
        distances[frames] = float(gap.square().sum())
    return distances


def diagnose(distances: Mapping[int, float], *, again: Mapping[int, float] | None = None) -> Diagnosis:
    """Name the network that gave these distances.

    distances: from `measure`. Only the lengths in LENGTHS count, and at least one of them is needed.
    again: a second measurement of the same network, which shows whether it is in training mode. None skips that check.
    """
    seen = {frames: value for frames, value in distances.items() if frames in LENGTHS}
    assert seen, f"none of the lengths {LENGTHS} was measured"
    if again is not None and not _deviation(again, seen) <= _SAME:
        return Diagnosis(
            "training-mode",
            "two measurements differ: dropout or batch statistics are active. Call .eval() on the network",
            right=False,
        )
    for known in (_RIGHT, *_MISTAKES):
        if _deviation(seen, known.distances) <= _SAME:
            return known.diagnosis
    deviation = _deviation(seen, _RIGHT.distances)
    if deviation <= _REDUCED:
        return Diagnosis(
            "reduced-precision",
            f"the network of FVD, off by {percent(deviation, '.2%')}: products in TF32, bfloat16 or float16. Set "
            "torch.backends.cudnn.allow_tf32 = False and leave autocast off",
            right=False,
        )
    found = ", ".join(f"{value:.6g} at {frames} frames" for frames, value in seen.items())
    expected = ", ".join(f"{_RIGHT.distances[frames]:.6g}" for frames in seen)
    return Diagnosis(
        "unknown",
        f"not the network of FVD: constant videos are {found} apart, expected {expected}. Other weights, "
        "features that are not the logits, or training mode",
        right=False,
    )


def _deviation(found: Mapping[int, float], expected: Mapping[int, float]) -> float:
    """Return the largest relative deviation over the lengths that both have. NaN counts as infinite."""
    deviations = [abs(found[frames] / expected[frames] - 1) for frames in found if frames in expected]
    return max(value if value == value else float("inf") for value in deviations)
