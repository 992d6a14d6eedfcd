"""Convolutions by Winograd's minimal filtering: for a processor, with about a quarter of the products.

Where a convolution has 3 taps in height and width, 4 × 4 places of its output need 144 products for each pair of
channels. Lavin and Gray 2016 (arXiv:1509.09308, section 4) make them of 36: a tile of the input and the kernel are each
transformed, multiplied place by place, and transformed back, Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A. Sums over channels and
over taps in time lie inside, so that the middle is 36 products of matrices. With 4 taps it is 49 in place of 256.

The matrices are those of Toom and Cook, who multiply polynomials by their values at some points. Whole numbers, which
transforms by additions need, cost digits. Here a transform is a product of matrices too, and may have any points: with
the ones below, I3D's features are as near to exact ones as by direct sums.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fvd_bench.networks.arithmetic import batched_products, products_with

TILE = 4
"""Places of the output, along height and width, that are made of one tile."""

_POINTS = {
    3: (0.0, math.sqrt(0.5), -math.sqrt(0.5), math.sqrt(2), -math.sqrt(2)),
    4: (0.35, -0.35, 0.9, -0.9, 1.8, -1.8),
}
"""Taps -> the finite points. Of many that were tried, these had the smallest errors in float32."""

PRODUCTS = (TILE + min(_POINTS) - 1) ** 2
"""Products of matrices that a strip of tiles takes, at least. More threads would have to share one."""

_ROWS = 224
"""Rows of a product, about: tiles go through all steps together in such numbers, to stay in the processor's cache."""

_MOST_STEPS = 16
"""Steps of time that go through together, so that memory does not grow with the length of a clip."""


def transforms(taps: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return Aᵀ [TILE, n], G [n, taps] and Bᵀ [n, n] for n = TILE + taps - 1, of which correlations are made.

    taps: 3 or 4. For d [n] and g [taps], Aᵀ (G g * Bᵀ d) is sum_j g[j] d[i + j], for i from 0 to TILE - 1.
    """
    points = np.array(_POINTS[taps])

    def values(coefficients: int) -> NDArray[np.float64]:
        """Map the coefficients of a polynomial to its values at the points, and its highest one at infinity."""
        at_infinity = np.eye(coefficients)[-1:]
        return np.vstack([np.vander(points, coefficients, increasing=True), at_infinity])

    # A product of polynomials is interpolated from the products of their values; a correlation is its transpose.
    inputs = np.linalg.inv(values(TILE + taps - 1)).T
    sizes = np.abs(inputs).sum(1, keepdims=True)  # inputs are kept near their own size
    return values(TILE).T, values(taps) * sizes, inputs / sizes


class Winograd:
    """A convolution with bias, for one clip after the other. No number of threads changes its digits.

    One of stride s is one of stride 1 whose channels are those of every s-th row and column.
    """

    def __init__(self, kernel: Tensor, bias: Tensor, *, stride: int = 1) -> None:
        """Transform the kernel.

        kernel: [Cout, Cin, kT, size, size], where size / stride, rounded up, is 3 or 4.
        bias: [Cout].
        stride: along all three axes.
        """
        outputs, channels, self._steps, size, _ = kernel.shape
        self._taps, self._stride, self._bias = math.ceil(size / stride), stride, bias
        missing = self._taps * stride - size
        whole = F.pad(kernel.double(), (0, missing, 0, missing))
        phases = whole.view(outputs, channels, self._steps, self._taps, stride, self._taps, stride)
        outward, of_kernel, inward = (torch.from_numpy(matrix) for matrix in transforms(self._taps))
        products = torch.einsum("ia,jb,octaxby->ijtxyco", of_kernel, of_kernel, phases)
        self._kernel = products.flatten(0, 1).flatten(1, 4).float().contiguous()  # [n·n, kT·stride·stride·Cin, Cout]
        self._inward = torch.kron(inward, inward).float()  # [n·n, n·n]
        self._outward = torch.kron(outward, outward).float()  # [TILE·TILE, n·n]

    @property
    def channels(self) -> int:
        """Of the output."""
        return len(self._bias)

    def __call__(self, x: Tensor, out: Tensor, before: tuple[int, int, int]) -> None:
        """Write the output for one clip.

        x: float32 [T', H', W', Cin] on a processor.
        out: [T, H, W, Cout], contiguous. Its sizes say how many zeros come after x.
        before: zeros before x in time, height and width.
        """
        stride = self._stride
        whole = [stride * (TILE * math.ceil(size / TILE) + self._taps - 1) for size in out.shape[1:3]]
        sizes = ((len(out) - 1) * stride + self._steps, *whole)
        # Where strides leave places over at the end, the padding there is negative and cuts them off.
        pads = [(start, size - start - found) for start, size, found in zip(before, sizes, x.shape[:3], strict=True)]
        x = F.pad(x, [0, 0, *(zeros for pair in reversed(pads) for zeros in pair)])
        time, height, width = sizes
        phases = x.reshape(time, height // stride, stride, width // stride, stride, -1).movedim(2, 3)
        x = phases.flatten(3).contiguous()
        for start in range(0, len(out), _MOST_STEPS):
            some = out[start : start + _MOST_STEPS]
            first = start * stride
            self._in_strips(x[first : first + (len(some) - 1) * stride + self._steps], some)

    def _in_strips(self, x: Tensor, out: Tensor) -> None:
        """Write the output, some rows of tiles at a time, which take turns in the same memory.

        x: padded, [T', H' / stride, W' / stride, stride·stride·Cin].
        """
        places, depth, outputs = self._kernel.shape
        steps, side, of_tile = len(out), TILE + self._taps - 1, len(x) * x.shape[3]
        down, across = (math.ceil(size / TILE) for size in out.shape[1:3])
        most = min(down, max(1, _ROWS // (across * steps)))
        sizes = (places * of_tile, places * steps * depth, places * steps * outputs, TILE * TILE * steps * outputs)
        memory = [x.new_empty(most, across * size) for size in sizes]
        for top in range(0, down, most):
            rows = min(most, down - top)
            tiles = rows * across
            gathered, unfolded, multiplied, made = (tensor[:rows].view(-1) for tensor in memory)

            windows = x[:, TILE * top :].unfold(1, side, TILE)[:, :rows].unfold(2, side, TILE)
            gathered.view(rows, across, side, side, len(x), -1).copy_(windows.permute(1, 2, 4, 5, 0, 3))
            transformed = products_with(self._inward, gathered.view(tiles, places, of_tile))

            in_time = transformed.view(tiles, places, len(x), -1).unfold(2, self._steps, self._stride)
            unfolded.view(places, tiles, steps, self._steps, -1).copy_(in_time.permute(1, 0, 2, 4, 3))
            multiplied = multiplied.view(places, tiles * steps, outputs)
            batched_products(unfolded.view(places, tiles * steps, depth), self._kernel, multiplied)

            made = made.view(tiles * steps, TILE * TILE, outputs)
            batched_products(self._outward.expand(len(made), -1, -1), multiplied.transpose(0, 1), made)
            self._lay(made.view(rows, across, steps, TILE, TILE, outputs), out[:, TILE * top : TILE * (top + rows)])

    def _lay(self, made: Tensor, out: Tensor) -> None:
        """Put the places of tiles where they belong, with the bias. made: [rows, across, T, TILE, TILE, Cout]."""
        made = made.permute(2, 0, 3, 1, 4, 5)  # [T, rows, TILE, across, TILE, Cout]
        if out.shape[1:3] == (made.shape[1] * TILE, made.shape[3] * TILE):
            torch.add(made, self._bias, out=out.view(made.shape))
        else:  # some places of the last tiles lie outside
            inside = made.flatten(1, 2).flatten(2, 3)[:, : out.shape[1], : out.shape[2]]
            torch.add(inside, self._bias, out=out)
