"""Motion: noise at equal distances -> motion codes u -> an embedding v(t) of any real time that never repeats.

Paper section 3.1 and appendix B.3: eq. 1 and 2 are waves, whose parameters eq. 3 and 5 take from a motion code. Eq. 4
stitches the waves at the codes, eq. 6 spaces their periods. v(t) is continuous, and equals W_a u_i at the place of code
i. It needs only the two codes around t, which need 22 noise vectors. So a frame at t = 10⁵ costs what one at t = 0
costs.

The angle of a wave is its frequency times t, however late t is, so the effect of rounding a frequency grows with t. At
25 frames a second, float32 moves v(t) by 1.5 % of its size after an hour and by 14 % after eleven. So everything from
noise to waves is computed in the type of the times: float64 for sampling, float32 for the clips of training, of which
none is late.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylegan_v.networks.config import ModelConfig
from stylegan_v.networks.noise import Purpose, normal

Noise = Callable[[Tensor], Tensor]
"""A function from tokens to noise vectors: int64 [B, N] -> float [B, N, noise_dim]. Row b belongs to video b."""

_LR_MULTIPLIER = 0.01


def keyed_noise(seed: int, videos: Tensor, dim: int) -> Noise:
    """Return endless noise that depends on seed, video and token alone. videos: int64 [B]."""
    return lambda tokens: normal(seed, Purpose.MOTION, videos[:, None], tokens, dim)


class MotionMapping(nn.Module):
    """F_m: two convolutions without padding, 11 taps each (by default), from noise to motion codes (section 3.1).

    A code depends on `reach` noise vectors, the first of which is at its own place. A leaky ReLU without gain follows
    each convolution. Everything is computed in the type of the noise.
    """

    def __init__(self, noise_dim: int, u_dim: int, kernel: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList([SlowConv1d(noise_dim, u_dim, kernel), SlowConv1d(u_dim, u_dim, kernel)])
        self.reach = 2 * (kernel - 1) + 1

    def forward(self, noise: Tensor) -> Tensor:
        """Map [B, N, noise_dim] to [B, N - reach + 1, u_dim]."""
        x = noise.transpose(1, 2)
        for conv in self.convs:
            x = functional.leaky_relu(conv(x), 0.2)
        return x.transpose(1, 2)


class SlowConv1d(nn.Module):
    """A convolution over time with an equalised learning rate, a hundredth of the others'."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel) / _LR_MULTIPLIER)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.to(x.dtype) * (_LR_MULTIPLIER / math.sqrt(self.weight[0].numel()))
        return functional.conv1d(x, weight, self.bias.to(x.dtype) * _LR_MULTIPLIER)


class LinearMap(nn.Module):
    """W u, with an equalised learning rate and without bias: [..., in] -> [..., out], in the type of u."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_dim, in_dim))

    def forward(self, code: Tensor) -> Tensor:
        return functional.linear(code, self.weight.to(code.dtype) * (1.0 / math.sqrt(self.weight.shape[1])))


class AcyclicEncoding(nn.Module):
    """Acyclic positional encoding, eq. 1 to 6: waves whose parameters come from the motion code on the left.

    In both kinds, a code scales the frequencies σ by 1 + tanh(W_ω u). `release` has sines and cosines of v_dim / 2
    geometrically spaced periods, without amplitudes, and phases of W_ρ u · P_max / P. `paper` has sines of v_dim
    linearly spaced periods, with amplitudes W_α u, and phases of W_ρ u.
    """

    frequencies: Tensor
    phase_scales: Tensor

    def __init__(
        self,
        kind: Literal["release", "paper"],
        *,
        u_dim: int,
        v_dim: int,
        min_period: float,
        max_period: float,
    ) -> None:
        super().__init__()
        waves = v_dim // 2 if kind == "release" else v_dim
        steps = torch.arange(waves, dtype=torch.float64) / max(waves - 1, 1)  # i / N, from 0 to 1
        if kind == "release":
            periods = min_period * (max_period / min_period) ** steps.flip(0)
            self.amplitudes = None
        else:
            periods = min_period + steps * (max_period - min_period)  # eq. 6
            self.amplitudes = LinearMap(u_dim, waves)
        self.periods = LinearMap(u_dim, waves)
        self.phases = LinearMap(u_dim, waves)
        self.aligners = LinearMap(u_dim, v_dim)
        self.register_buffer("frequencies", (2.0 * math.pi / periods).float(), persistent=False)
        self.register_buffer("phase_scales", (max_period / periods).float(), persistent=False)

    def forward(self, times: Tensor, left: Tensor, right: Tensor, distance: int) -> Tensor:
        """Return v: [N, v_dim], in the type of the arguments, which all have the same.

        times: [N]. left, right: the codes on their left and right, [N, u_dim], which are `distance` frames apart.
        """
        times = times[:, None]
        since = times % distance
        before, after, blend = times - since, times - since + distance, since / distance
        wave = self.waves(left)
        stitched = wave(times) - torch.lerp(wave(before), wave(after), blend)  # eq. 4: 0 at the codes
        return stitched + torch.lerp(self.aligners(left), self.aligners(right), blend)

    def waves(self, code: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the waves of a code, eq. 2: a function from times [N, 1] to [N, v_dim]."""
        frequency = self.wave_frequencies(code)
        if self.amplitudes is None:
            phase = self.phases(code) * self.phase_scales
            return lambda t: torch.cat([torch.sin(frequency * t + phase), torch.cos(frequency * t + phase)], dim=1)
        amplitude, phase = self.amplitudes(code), self.phases(code)  # eq. 3
        return lambda t: amplitude * torch.sin(frequency * t + phase)

    def wave_frequencies(self, code: Tensor) -> Tensor:
        """Return ω, eq. 5: [N, waves] in radians per frame, each between 0 and 2 σ, and σ in the mean."""
        return self.frequencies * (1.0 + torch.tanh(self.periods(code)))


class MotionEncoder(nn.Module):
    """From times and noise to time embeddings v(t), each on its own.

    distance: frames between motion codes. reach: how many noise vectors, from its own place on, a code needs.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.distance = config.motion_distance
        self.mapping = MotionMapping(config.noise_dim + config.num_classes, config.u_dim, config.motion_kernel)
        self.reach = self.mapping.reach
        self.encoding = AcyclicEncoding(
            config.encoding,
            u_dim=config.u_dim,
            v_dim=config.v_dim,
            min_period=config.min_period,
            max_period=config.max_period,
        )

    def forward(self, times: Tensor, noise: Noise, labels: Tensor | None = None) -> Tensor:
        """Return v: [B, T, v_dim], in the type of the parameters.

        times: [B, T], not negative. labels: [B, num_classes].
        Times of float32 are computed with in float32, and may be some thousands. Times of any other type are computed
        with in float64.
        """
        full = self.encoding.phases.weight.dtype
        times = times.to(full if times.dtype == torch.float32 else torch.float64)
        left, right = self.codes(times, noise, labels)
        v: Tensor = self.encoding(times.flatten(), left.flatten(0, 1), right.flatten(0, 1), self.distance)
        return v.reshape(*times.shape, -1).to(full)

    def codes(self, times: Tensor, noise: Noise, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the motion codes on the left and right of times: [B, T, u_dim] each, in the type of times."""
        videos, frames = times.shape
        first = torch.div(times, self.distance, rounding_mode="floor").long()
        window = torch.arange(self.mapping.reach + 1, device=times.device)
        tokens = (first[:, :, None] + window).flatten(1)  # [B, T·22]
        vectors = noise(tokens).to(times.dtype)
        if labels is not None:
            vectors = torch.cat([vectors, labels[:, None].expand(-1, tokens.shape[1], -1)], dim=2)
        codes = self.mapping(vectors.reshape(videos * frames, len(window), -1)).reshape(videos, frames, 2, -1)
        return codes[:, :, 0], codes[:, :, 1]
