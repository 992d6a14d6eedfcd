"""The tensors of C3D, found in a file by their names and shapes.

Files name them after the layers of C3D's prototxt: `conv1a/W` and `conv1a/b` in Chainer's, `conv1a.weight` in those of
torch, `conv1a/0` and `conv1a/1` where Caffe's blobs were written one by one. Which of the two tensors of a layer it is
tells the shape. Sources: Tran et al. 2015 (arXiv:1412.0767), section 3.3; pfnet-research/tgan2,
tgan2/models/c3d/c3d_ucf101.py.
"""

import re
from collections.abc import Mapping

import numpy as np

from fvd_bench.errors import WeightsError

NUM_CLASSES = 101

WEIGHTS: dict[str, tuple[int, ...]] = {
    "conv1a": (64, 3, 3, 3, 3),
    "conv2a": (128, 64, 3, 3, 3),
    "conv3a": (256, 128, 3, 3, 3),
    "conv3b": (256, 256, 3, 3, 3),
    "conv4a": (512, 256, 3, 3, 3),
    "conv4b": (512, 512, 3, 3, 3),
    "conv5a": (512, 512, 3, 3, 3),
    "conv5b": (512, 512, 3, 3, 3),
    "fc6": (4096, 8192),
    "fc7": (4096, 4096),
    "fc8": (NUM_CLASSES, 4096),
}
"""Layer -> the shape of its weight: (out, in, time, height, width), or (out, in). Its bias has the shape (out,)."""

MEAN = (3, 16, 112, 112)
"""The mean clip: channels in the order blue, green, red; frames; rows; columns. Its values are those of pixels."""

_OTHER_NAMES = {"conv1": "conv1a", "conv2": "conv2a"}
_MARGIN = 8  # rows and columns of a larger mean clip that lie before those that are used


def layers(tensors: Mapping[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """Return the tensors `LAYER/weight` and `LAYER/bias` of every layer. where: what errors call the file.

    Raises WeightsError where they are those of other classes or of another network.
    """
    found: dict[str, np.ndarray] = {}
    faults: list[str] = []
    for name, tensor in tensors.items():
        layer = _layer(name)
        values = tensor.reshape(tensor.shape[_leading_ones(tensor.shape) :])
        role = f"{layer}/{'bias' if values.ndim <= 1 else 'weight'}"
        if layer is None:
            faults.append(f"{name} is of no layer of it")
        elif role in found:
            faults.append(f"{name} is a second {role}")
        else:
            found[role] = values
    shapes = {f"{layer}/weight": shape for layer, shape in WEIGHTS.items()}
    shapes |= {f"{layer}/bias": shape[:1] for layer, shape in WEIGHTS.items()}
    last = found.get("fc8/weight", np.empty(shapes["fc8/weight"])).shape
    if last[1:] == WEIGHTS["fc8"][1:] and last[0] != NUM_CLASSES:
        raise WeightsError(
            f"{where} holds C3D for {last[0]} classes, expected the {NUM_CLASSES} of UCF-101: take weights that were "
            "fine-tuned on UCF-101"
        )
    faults += [f"{role} is missing" for role in shapes if role not in found]
    faults += [
        f"{role} has the shape {found[role].shape}, expected {shape}"
        for role, shape in shapes.items()
        if role in found and found[role].shape != shape
    ]
    if faults:
        more = f", and {len(faults) - 2} more" if len(faults) > 2 else ""
        raise WeightsError(f"{where} does not hold C3D with {NUM_CLASSES} classes: {', '.join(faults[:2])}{more}")
    return {role: np.ascontiguousarray(found[role]) for role in shapes}


def mean(tensors: Mapping[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """Return the mean clip, of the shape `MEAN`, as `mean`. where: what errors call the file.

    Of a clip with more rows and columns, such as the 128 × 171 that C3D was trained on, those behind the first 8 are
    taken, as TGANv2 does. Raises WeightsError where there is no such clip.
    """
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    name = "mean" if "mean" in tensors else next(iter(tensors), "")
    shape = shapes.get(name, ())
    clip = tuple(length for length in shape if length != 1)
    least = tuple(length + _MARGIN for length in MEAN[2:])
    is_whole = clip == MEAN
    is_larger = len(clip) == 4 and clip[:2] == MEAN[:2] and clip[2] >= least[0] and clip[3] >= least[1]
    if (len(tensors) > 1 and name != "mean") or not (is_whole or is_larger):
        raise WeightsError(
            f"{where} holds no mean clip of C3D: expected one tensor of the shape {MEAN}, or (3, 16, 128, 171), found "
            + (", ".join(f"{found} of {shapes[found]}" for found in list(shapes)[:3]) or "none")
        )
    values = tensors[name].reshape(clip)
    if is_larger:
        values = values[:, :, _MARGIN : least[0], _MARGIN : least[1]]
    return {"mean": np.ascontiguousarray(values)}


def _layer(name: str) -> str | None:
    """Return the layer that a tensor's name names, None where it names none."""
    parts = [_OTHER_NAMES.get(part, part) for part in re.split(r"[/.]", name)]
    return next((part for part in parts if part in WEIGHTS), None)


def _leading_ones(shape: tuple[int, ...]) -> int:
    """Return how many axes of length 1 come first, which Caffe adds: the last axis is never one of them."""
    return next((axis for axis, length in enumerate(shape[:-1]) if length != 1), max(len(shape) - 1, 0))
