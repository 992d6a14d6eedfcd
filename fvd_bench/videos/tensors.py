"""What people hold in memory as arrays: NumPy's, PyTorch's on any device, and whatever can become one of NumPy's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fvd_bench.videos.arrays import Block

if TYPE_CHECKING:
    from torch import Tensor


def as_block(given: object) -> Block | None:
    """An array or tensor to be read in pieces, None if it is neither."""
    torch = sys.modules.get("torch")  # without it nothing is a tensor
    if torch is not None and isinstance(given, torch.Tensor):
        return TensorBlock(given)
    if isinstance(given, np.ndarray):
        return given
    if hasattr(given, "__array__") and hasattr(given, "shape"):
        array: NDArray[Any] = np.asarray(given)
        return array
    return None


class TensorBlock:
    """A tensor, moved to the CPU piece by piece."""

    def __init__(self, tensor: Tensor) -> None:
        import torch

        self.shape = tuple(tensor.shape)
        # NumPy has no bfloat16; float32 holds it exactly.
        self._as_is = tensor.dtype in (torch.uint8, torch.float16, torch.float32, torch.float64)
        self._tensor = tensor.detach()
        name = "float32" if tensor.dtype.is_floating_point and not self._as_is else str(tensor.dtype)
        try:
            self.dtype = np.dtype(name.removeprefix("torch."))
        except TypeError:  # quantised ones, which are refused
            self.dtype = np.dtype("object")

    def __getitem__(self, place: tuple[int | slice, ...], /) -> NDArray[Any]:
        piece = self._tensor[place].cpu()
        return (piece if self._as_is else piece.float()).numpy()
