"""The I3D network of Carreira and Zisserman 2017 (arXiv:1705.07750) as FVD uses it: frozen, from videos to logits.

It is made for the tensors of the tf.hub module deepmind/i3d-kinetics-400/1. Activations stay in channels-last order, in
which convolutions and pools are vectorised on a CPU. On a CPU the logits of a clip are the same bits for any number of
threads and in any batch; comments mark the code that ensures it.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fvd_bench.errors import FeatureError, WeightsError
from fvd_bench.networks.arithmetic import at_most_threads, linear
from fvd_bench.networks.convolution import Convolution, Folded, StridedConvolution, TiledConvolution
from fvd_bench.networks.pooling import max_pool_3
from fvd_bench.networks.winograd import PRODUCTS

Padding = Literal["same", "symmetric"]
ReadOut = Literal["logits", "logits-all", "pool"]
Triple = tuple[int, int, int]
NUM_CLASSES = 400
MIN_FRAMES = 9
"""Length of the shortest clip. It leaves the two time steps that the last pool averages."""

_FRAME_SIZES = range(193, 225)  # heights and widths that leave the 7x7 places that the pool before the classes averages
_EPSILON = 1e-3  # the original's batch norm has this epsilon, and no gamma

# Output channels of each block: 1x1 | 1x1, then 3x3 | 1x1, then 3x3 | pool, then 1x1.
_MIXED = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}

_SMALLEST = ("Mixed_5b", "Mixed_5c")
"""Blocks whose frames have two tiles a side, which are too few for Winograd's algorithm."""

_FEWEST_CHANNELS = 32
"""Of an input that Winograd's algorithm pays for: with fewer, its transforms take what its products spare."""

_POOLS: dict[str, tuple[Triple, Triple]] = {"Mixed_4b": ((3, 3, 3), (2, 2, 2)), "Mixed_5b": ((2, 2, 2), (2, 2, 2))}
"""Kernel and stride of the pool before a block."""


def kernel_shapes() -> dict[str, tuple[int, int, int, int, int]]:
    """Return the shape (kT, kH, kW, Cin, Cout) of each of the 58 kernels, by the name of its convolution."""
    shapes = {
        "Conv3d_1a_7x7": (7, 7, 7, 3, 64),
        "Conv3d_2b_1x1": (1, 1, 1, 64, 64),
        "Conv3d_2c_3x3": (3, 3, 3, 64, 192),
    }
    channels = 192
    for block, (direct, reduced_1, out_1, reduced_2, out_2, pooled) in _MIXED.items():
        shapes[f"{block}/Branch_0/Conv3d_0a_1x1"] = (1, 1, 1, channels, direct)
        shapes[f"{block}/Branch_1/Conv3d_0a_1x1"] = (1, 1, 1, channels, reduced_1)
        shapes[f"{block}/Branch_1/Conv3d_0b_3x3"] = (3, 3, 3, reduced_1, out_1)
        shapes[f"{block}/Branch_2/Conv3d_0a_1x1"] = (1, 1, 1, channels, reduced_2)
        shapes[f"{block}/Branch_2/Conv3d_0b_3x3"] = (3, 3, 3, reduced_2, out_2)
        shapes[f"{block}/Branch_3/Conv3d_0b_1x1"] = (1, 1, 1, channels, pooled)
        channels = direct + out_1 + out_2 + pooled
    shapes["Logits/Conv3d_0c_1x1"] = (1, 1, 1, channels, NUM_CLASSES)
    return shapes


def tensor_shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of each of the 230 tensors that `I3D.from_tensors` takes, by name."""
    shapes: dict[str, tuple[int, ...]] = {}
    for convolution, kernel in kernel_shapes().items():
        vectors = ("bias",) if convolution.startswith("Logits/") else ("beta", "mean", "var")
        shapes[f"{convolution}/kernel"] = kernel
        shapes |= {f"{convolution}/{vector}": kernel[-1:] for vector in vectors}
    return shapes


class I3D(nn.Module):
    """Inception-v1 inflated to three dimensions: 12.7 million weights, and 27.8 billion products for a clip."""

    logits_weight: Tensor
    logits_bias: Tensor

    def __init__(
        self, folded: Mapping[str, Folded], *, padding: Padding = "same", read_out: ReadOut = "logits"
    ) -> None:
        """Build the network. folded: the convolutions named in `kernel_shapes`."""
        super().__init__()
        self._padding = padding
        self._read_out = read_out
        self.conv_1a = StridedConvolution(folded["Conv3d_1a_7x7"])
        self.conv_2b = Pointwise([folded["Conv3d_2b_1x1"]])
        self.conv_2c = TiledConvolution(folded["Conv3d_2c_3x3"])
        self.mixed = nn.ModuleDict()
        for name in _MIXED:
            branches = {key: folded[f"{name}/{key}"] for key in _BRANCHES}
            self.mixed[name] = Mixed(branches, tiled=name not in _SMALLEST)
        kernel, bias = folded["Logits/Conv3d_0c_1x1"]
        self.register_buffer("logits_weight", kernel.flatten(1))  # [400, 1024]
        self.register_buffer("logits_bias", bias)
        self.eval()

    @classmethod
    def from_tensors(
        cls,
        tensors: Mapping[str, NDArray[np.float32]],
        *,
        epsilon: float = _EPSILON,
        padding: Padding = "same",
        read_out: ReadOut = "logits",
    ) -> Self:
        """Build the network from named arrays, with batch norm folded into the kernels in float64.

        tensors: those of `tensor_shapes`, kernels as (kT, kH, kW, Cin, Cout).
        epsilon, padding: by default those of the original network. 1e-5 and "symmetric" are mistakes of its ports,
            offered here so that they can be recognised.
        read_out: what it gives of a clip, see `i3d.READ_OUTS`.

        Raises WeightsError naming the tensors that are missing, unexpected or of another shape.
        """
        _check_tensors(tensors)
        return cls(
            {name: _fold(tensors, name, epsilon) for name in kernel_shapes()}, padding=padding, read_out=read_out
        )

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Return what the network was built to read out, averaged over time: float32 [B,400], or [B,1024] for `pool`.

        x: float32 [B,3,T,H,W] in [-1,1], with T at least 9. H and W are any for `pool`; for logits, which are those
            before softmax, they are from 193 to 224 (FVD: 224).

        Raises FeatureError for a shape that the network does not accept.
        """
        self.check_videos(x)
        return self.head(self.mixed_5c(x))

    def check_videos(self, x: Tensor) -> None:
        """Raise FeatureError for a shape that the network does not accept."""
        _check_videos(x, any_size=self._read_out == "pool")

    @torch.no_grad()
    def head(self, x: Tensor) -> Tensor:
        """Read out an activation: from what `mixed_5c` returns to what `forward` does."""
        x = x.mean((3, 4))  # [B,1024,T']
        if self._read_out == "pool":
            return x.mean(2)
        # The original pools over 2x7x7 places; the mean of its windows over time.
        x = x.mean(2) if self._read_out == "logits-all" else (x[:, :, 1:] + x[:, :, :-1]).mean(2) / 2
        # A matrix product here would add up in another order for another batch size.
        return (x.unsqueeze(1) * self.logits_weight).sum(2) + self.logits_bias

    @torch.no_grad()
    def mixed_5c(self, x: Tensor) -> Tensor:
        """Return the last activation before any pool: float32 [B,1024,T/8,H/32,W/32], rounded up.

        x: as in `forward`.
        """
        with at_most_threads(PRODUCTS) if x.is_cpu else contextlib.nullcontext():
            # On a processor clips go one by one: a batch's largest activation would cost fresh memory in every call.
            x = torch.cat([self._stem(clip) for clip in torch.split(x, 1)]) if x.is_cpu else self._stem(x)
            x = self.conv_2b(x).relu_()
            x = self._max_pool(self.conv_2c(x), (1, 3, 3), (1, 2, 2)).relu_()
            for pool, mixed in self.blocks():
                x = mixed(x if pool is None else self._max_pool(x, *pool))
        return x

    def blocks(self) -> Iterator[tuple[tuple[Triple, Triple] | None, "Mixed"]]:
        """Yield each Inception block, with kernel and stride of the pool before it, None where there is none."""
        for name, mixed in self.mixed.items():
            assert isinstance(mixed, Mixed)
            yield _POOLS.get(name), mixed

    def _stem(self, x: Tensor) -> Tensor:
        """Map [B,3,T,H,W] to [B,64,T/2,H/4,W/4]. ReLU comes after the pool, where it has less to do."""
        x = x.contiguous(memory_format=torch.channels_last_3d)
        x = self.conv_1a(x, self._pads(x, (7, 7, 7), (2, 2, 2)))
        return self._max_pool(x, (1, 3, 3), (1, 2, 2)).relu_()

    def _max_pool(self, x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
        before = [start for start, _ in self._pads(x, kernel, stride)]
        # Rounding sizes up is equal to the padding that "same" adds at the end only.
        ceil_mode = self._padding == "same" or not any(before)
        return F.max_pool3d(x, kernel, stride, padding=before, ceil_mode=ceil_mode)

    def _pads(self, x: Tensor, kernel: Triple, stride: Triple) -> list[tuple[int, int]]:
        if self._padding == "symmetric":
            return [((k - 1) // 2, (k - 1) // 2) for k in kernel]
        return [same_padding(*axis) for axis in zip(x.shape[2:], kernel, stride, strict=True)]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the places to add before and after an axis under TensorFlow's rule "SAME". An odd place is added after
    it."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Pointwise(nn.Module):
    """1x1x1 convolutions of one input, joined along the output channels.

    They are one matrix product, because `conv3d` takes another algorithm with other last bits when torch has one
    thread.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, folded: Sequence[Folded]) -> None:
        super().__init__()
        self.register_buffer("weight", torch.cat([kernel.flatten(1) for kernel, _ in folded]))
        self.register_buffer("bias", torch.cat([bias for _, bias in folded]))

    def forward(self, x: Tensor) -> Tensor:
        """Map [B,Cin,T,H,W] to [B,Cout,T,H,W]."""
        places = x.movedim(1, -1)
        products = linear(places.flatten(1, 3), self.weight, self.bias)
        return products.view(*places.shape[:-1], -1).movedim(-1, 1)


_BRANCHES = (
    "Branch_0/Conv3d_0a_1x1",
    "Branch_1/Conv3d_0a_1x1",
    "Branch_2/Conv3d_0a_1x1",
    "Branch_1/Conv3d_0b_3x3",
    "Branch_2/Conv3d_0b_3x3",
    "Branch_3/Conv3d_0b_1x1",
)


class Mixed(nn.Module):
    """An Inception block of four branches. ReLU writes each branch straight into its channels of the output."""

    def __init__(self, folded: Mapping[str, Folded], *, tiled: bool) -> None:
        """Build the block. folded: the six convolutions named in `_BRANCHES`. tiled: whether frames are large enough
        for Winograd's algorithm."""
        super().__init__()
        direct, reduced_1, reduced_2, out_1, out_2, pooled = (folded[key] for key in _BRANCHES)
        self.entry_widths = [len(bias) for _, bias in (direct, reduced_1, reduced_2)]
        self._widths = [len(bias) for _, bias in (direct, out_1, out_2, pooled)]
        self.entry = Pointwise([direct, reduced_1, reduced_2])
        self.conv_1 = _convolution(out_1, tiled=tiled)
        self.conv_2 = _convolution(out_2, tiled=tiled)
        self.pooled = Pointwise([pooled])

    def forward(self, x: Tensor) -> Tensor:
        """Map [B,Cin,T,H,W] to [B,Cout,T,H,W], with values of 0 or more."""
        out = x.new_empty(len(x), *x.shape[2:], sum(self._widths)).movedim(-1, 1)
        out_0, out_1, out_2, out_3 = torch.split(out, self._widths, dim=1)
        direct, reduced_1, reduced_2 = torch.split(self.entry(x), self.entry_widths, dim=1)
        torch.clamp_min(direct, 0, out=out_0)
        torch.clamp_min(self.conv_1(reduced_1.relu()), 0, out=out_1)
        torch.clamp_min(self.conv_2(reduced_2.relu()), 0, out=out_2)
        torch.clamp_min(self.pooled(max_pool_3(x)), 0, out=out_3)
        return out


def _convolution(folded: Folded, *, tiled: bool) -> Convolution:
    """Return the convolution by the algorithm that is faster on a processor. tiled: see `Mixed`."""
    kernel, _ = folded
    return TiledConvolution(folded) if tiled and kernel.shape[1] >= _FEWEST_CHANNELS else Convolution(folded)


def _fold(tensors: Mapping[str, NDArray[np.float32]], name: str, epsilon: float) -> Folded:
    def exact(tensor: str) -> Tensor:
        return torch.from_numpy(tensors[f"{name}/{tensor}"].astype(np.float64))

    kernel = exact("kernel").permute(4, 3, 0, 1, 2)
    if f"{name}/bias" in tensors:
        return kernel.float(), exact("bias").float()
    scale = (exact("var") + epsilon).rsqrt()
    return (kernel * scale.view(-1, 1, 1, 1, 1)).float(), (exact("beta") - exact("mean") * scale).float()


def _check_tensors(tensors: Mapping[str, NDArray[np.float32]]) -> None:
    shapes = tensor_shapes()
    faults = [f"{name} is missing" for name in shapes if name not in tensors]
    faults += [f"{name} is unexpected" for name in tensors if name not in shapes]
    faults += [
        f"{name} has shape {tensors[name].shape}, not {shape}"
        for name, shape in shapes.items()
        if name in tensors and tensors[name].shape != shape
    ]
    if faults:
        more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise WeightsError(
            f"not the tensors of i3d-kinetics-400: {'; '.join(faults[:5])}{more}. "
            "Take the weights that `fvd-bench weights pull` fetches"
        )


def _check_videos(x: Tensor, *, any_size: bool) -> None:
    if x.dim() != 5 or x.shape[1] != 3 or x.dtype != torch.float32:
        raise FeatureError(f"I3D takes float32 [B,3,T,H,W], not {str(x.dtype)[6:]} {list(x.shape)}")
    frames, height, width = x.shape[2:]
    if frames < MIN_FRAMES:
        raise FeatureError(
            f"I3D needs clips of at least {MIN_FRAMES} frames, found {frames}: its strides leave one "
            "time step where the last pool averages two. Use a protocol with longer clips"
        )
    if not any_size and (height not in _FRAME_SIZES or width not in _FRAME_SIZES):
        raise FeatureError(
            f"I3D takes frames of 193 to 224 pixels a side, found {height}x{width}: resize them to 224x224"
        )
