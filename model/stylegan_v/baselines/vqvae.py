"""The VQ-VAE of VideoGPT: clips to a small grid of codes, and codes to clips.

Convolutions halve time, height and width; blocks with axial attention follow; each place of the grid that comes out
takes the nearest vector of a codebook. The codebook is no parameter: its vectors are running means of what chose them,
and those that hardly anything chooses begin anew in each step.

Source: Yan et al. 2021, "VideoGPT: video generation using VQ-VAE and transformers", and the layers of the authors'
code, wilson1yan/VideoGPT. Strides of 1 and 2 work here as others do, and whether the codebook has begun is kept with
it, so that training goes on with the same codes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stylegan_v import distributed
from stylegan_v.networks.attention import SelfAttention

Strides = tuple[int, int, int]
"""Of a layer in time, height and width: 1 or 2 each."""

_KERNEL = 4
_HEADS = 2
_DECAY = 0.99
_LEAST_COUNT = 1.0
"""A code that fewer places choose, as a running mean over steps, begins anew."""
_SMOOTHING = 1e-7


class Coded(NamedTuple):
    """What a VQ-VAE makes of clips.

    frames: [B, T, 3, R, R], decoded. encoded, chosen: [B, t, h, w, D], before the codebook, and of it. codes: int64
    [B, t, h, w].
    """

    frames: Tensor
    encoded: Tensor
    chosen: Tensor
    codes: Tensor


class VQVAE(nn.Module):
    """An encoder, a codebook and a decoder."""

    def __init__(self, *, width: int, blocks: int, codes: int, code_dim: int, strides: tuple[int, int]) -> None:
        """width: channels of all layers. blocks: with attention, of either half. codes, code_dim: of the codebook.

        strides: frames, and pixels of height and of width, for a place of the grid: powers of 2.
        """
        super().__init__()
        halved = halvings(strides)
        self.encoder = nn.Sequential(
            *(nn.Sequential(Halving(width if place else 3, width, by), nn.ReLU()) for place, by in enumerate(halved)),
            nn.Conv3d(width, width, 3, padding=1),
            *(AttentionBlock(width) for _ in range(blocks)),
            *_normed(width),
            nn.Conv3d(width, code_dim, 1),
        )
        self.codebook = Codebook(codes, code_dim)
        doubled = enumerate(halved, start=1 - len(halved))  # to 0, the last one
        self.decoder = nn.Sequential(
            nn.Conv3d(code_dim, width, 1),
            *(AttentionBlock(width) for _ in range(blocks)),
            *_normed(width),
            *(
                nn.Sequential(Doubling(width, width if place else 3, by), nn.ReLU() if place else nn.Identity())
                for place, by in doubled
            ),
        )

    def forward(self, frames: Tensor) -> Coded:
        """Encode and decode clips, [B, T, 3, R, R] in [-0.5, 0.5]. In training, the codebook learns from them.

        Gradients of the decoded frames go past the codebook to the encoder, as if it changed nothing.
        """
        encoded = self._encoded(frames)
        codes, chosen = self.codebook(encoded)
        return Coded(self._decoded(encoded + (chosen - encoded).detach()), encoded, chosen, codes)

    def encode(self, frames: Tensor) -> Tensor:
        """Return the codes of clips: int64 [B, t, h, w]."""
        codes: Tensor = self.codebook(self._encoded(frames))[0]
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """Return the clips of codes: frames of about -0.5 to 0.5."""
        return self._decoded(self.codebook.vectors[codes])

    def _encoded(self, frames: Tensor) -> Tensor:
        grid: Tensor = self.encoder(frames.transpose(1, 2))
        return grid.movedim(1, -1)

    def _decoded(self, grid: Tensor) -> Tensor:
        frames: Tensor = self.decoder(grid.movedim(-1, 1))
        return frames.transpose(1, 2)


class Codebook(nn.Module):
    """Vectors by number, and the nearest one of any vector.

    In training it learns from what it sees, as a batch norm does, once the choice is made: it keeps running means of
    how many places of a batch chose a code, `counts`, and of the sum of what they were, `sums`. All counts are 0 before
    the first batch, of which its first vectors are taken. What begins is drawn from torch's global stream.
    """

    vectors: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, codes: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.randn(codes, dim))
        self.register_buffer("counts", torch.zeros(codes))
        self.register_buffer("sums", torch.zeros(codes, dim))

    def forward(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Return the codes of vectors [..., D], int64 [...], and the vectors of these codes."""
        seen = encoded.detach().flatten(0, -2)
        found = self._drawn(seen) if self.training else None
        if found is not None:
            self._begin(found)
        codes = self.nearest(seen)
        chosen = self.vectors[codes].view(encoded.shape)
        if found is not None:
            self._learn(seen, codes, found)
        return codes.view(encoded.shape[:-1]), chosen

    def nearest(self, seen: Tensor) -> Tensor:
        """Return the code whose vector is nearest to each of [M, D]: int64 [M]."""
        squares = self.vectors.square().sum(dim=1)  # |x - e|² is that - 2 x·e, and |x|², the same for all codes
        return torch.addmm(squares, seen, self.vectors.T, alpha=-2).argmin(dim=1)

    def _drawn(self, seen: Tensor) -> Tensor:
        """Draw a vector for each code from all that is seen: [K, D]. With several processes each draws every W-th."""
        places = torch.randint(len(seen), (len(self.vectors),), device=seen.device)
        mine = torch.arange(len(self.vectors), device=seen.device) % distributed.world() == distributed.rank()
        found = seen[places] * mine[:, None]
        _sum([found])
        return found

    def _begin(self, found: Tensor) -> None:
        empty = self.counts.sum() == 0  # not read, so that nothing waits for a GPU
        for kept, first in ((self.vectors, found), (self.sums, found), (self.counts, torch.ones_like(self.counts))):
            kept.copy_(torch.where(empty, first, kept))

    def _learn(self, seen: Tensor, codes: Tensor, found: Tensor) -> None:
        """Follow the means of what chose each code (van den Oord et al. 2017, appendix A.1). found: where to begin."""
        counts = torch.zeros_like(self.counts).index_add_(0, codes, torch.ones_like(seen[:, 0]))
        sums = torch.zeros_like(self.sums).index_add_(0, codes, seen)
        _sum([counts, sums])
        self.counts.mul_(_DECAY).add_(counts, alpha=1 - _DECAY)
        self.sums.mul_(_DECAY).add_(sums, alpha=1 - _DECAY)
        total = self.counts.sum()
        weights = (self.counts + _SMOOTHING) / (total + len(self.counts) * _SMOOTHING) * total
        means = self.sums / weights[:, None]
        self.vectors.copy_(torch.where(self.counts[:, None] < _LEAST_COUNT, found, means))


class AttentionBlock(nn.Module):
    """Two convolutions, of 3³ to half of the channels and of 1³ back, and axial attention; all of it is added to x."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_normed(width),
            nn.Conv3d(width, width // 2, 3, padding=1, bias=False),
            *_normed(width // 2),
            nn.Conv3d(width // 2, width, 1, bias=False),
            *_normed(width),
            AxialAttention(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.layers(x)
        return y


class AxialAttention(nn.Module):
    """The sum of three attentions: along time, height and width, each among the places that differ in that alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.axes = nn.ModuleList(SelfAttention(width, _HEADS) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """x: [B, C, t, h, w]."""
        grid = x.movedim(1, -1)
        taken = [attend(grid.movedim(axis, -2)).movedim(-2, axis) for axis, attend in enumerate(self.axes, start=1)]
        return torch.stack(taken).sum(dim=0).movedim(-1, 1)


class Halving(nn.Conv3d):
    """A convolution of 4³ after which there are 1/stride of the places. Of an odd padding, more comes first."""

    def __init__(self, inputs: int, outputs: int, strides: Strides) -> None:
        time, height, width = (2 - stride // 2 for stride in strides)
        super().__init__(inputs, outputs, _KERNEL, strides, (time, height, width))

    def forward(self, x: Tensor) -> Tensor:
        t, h, w = (size // stride for size, stride in zip(x.shape[2:], self.stride, strict=True))
        return super().forward(x)[:, :, :t, :h, :w]


class Doubling(nn.ConvTranspose3d):
    """A transposed convolution of 4³ after which there are `stride` times as many places."""

    def __init__(self, inputs: int, outputs: int, strides: Strides) -> None:
        super().__init__(inputs, outputs, _KERNEL, strides, 1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        t, h, w = (size * stride for size, stride in zip(x.shape[2:], self.stride, strict=True))
        return super().forward(x, output_size)[:, :, :t, :h, :w]


def halvings(strides: tuple[int, int]) -> list[Strides]:
    """Return the strides of layers that together have these: each layer halves the axes that are not yet done."""
    time, space = (int(math.log2(stride)) for stride in strides)
    axes = ((place < time, place < space) for place in range(max(time, space)))
    return [(1 + t, 1 + s, 1 + s) for t, s in axes]


def _normed(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm3d(width), nn.ReLU()


def _sum(tensors: list[Tensor]) -> None:
    """Replace tensors by their sums over processes."""
    distributed.average(tensors)
    for tensor in tensors:
        tensor *= distributed.world()
