"""Projection: the content whose frames look like given ones, by gradient descent on a style for each layer.

Appendix B.2 of the paper: the projection of StyleGAN2 (Karras et al. 2020, appendix D) in W+, with a learning rate of
0.1 and 1,000 steps of Adam. Motion is kept as it was drawn. Where it is optimised as well, the frames are met better,
and the content goes less well with other motions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from fvd_bench.progress import Progress, silent
from stylegan_v.errors import ModelError
from stylegan_v.networks.generator import Generator
from stylegan_v.networks.motion import Noise, keyed_noise
from stylegan_v.studies.content import Content
from stylegan_v.studies.descent import descend
from stylegan_v.studies.perceptual import PerceptualDistance

STEPS = 1000

_SAMPLES = 10_000
"""Contents whose mean is where the search begins, and whose deviation says how far it strays at first."""

_STRAYING = 0.05
_STRAYING_PART = 0.75

Motion = Literal["kept", "optimised"]


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """What was found.

    content: the styles. noise: the motion that they were found with. learned: the noise vectors that were optimised,
    [1, L, noise_dim], None where motion was kept.
    before, after: mean distance of the frames from the given ones, at the mean style and at the end.
    """

    content: Content
    noise: Noise
    learned: Tensor | None
    before: float
    after: float


def project(
    generator: Generator,
    targets: Tensor,
    times: Sequence[float],
    distance: PerceptualDistance,
    *,
    steps: int = STEPS,
    motion: Motion = "kept",
    label: Tensor | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Projection:
    """Find a content for frames of one video.

    targets: [T, 3, R, R] in [-1, 1], on the generator's device. times: theirs, in frames of the training videos.
    label: [1, num_classes]. seed: of the motion, which is that of video 0, and of the straying. The same arguments give
    the same bits on one machine's CPU. Raises ModelError.
    """
    device = targets.device
    random = torch.Generator().manual_seed(seed)
    mean, deviation = _styles(generator, label, random)
    ws = mean.expand(1, generator.config.num_ws, -1).clone().requires_grad_()
    drawn = keyed_noise(seed, torch.tensor([0], device=device), generator.config.noise_dim)
    learned = _tokens(generator, drawn, max(times)).requires_grad_() if motion == "optimised" else None
    noise = drawn if learned is None else _joined(learned, drawn)
    wanted = [features.detach() for features in distance.features(targets)]
    at = torch.tensor([times], dtype=torch.float64, device=device)

    def movement() -> Tensor:
        return ws.new_zeros(*at.shape, 0) if generator.motion is None else generator.motion(at, noise, label)

    def loss(styles: Tensor, v: Tensor) -> Tensor:
        return distance.between(distance.features(generator.synthesis(styles, v)[0]), wanted).mean()

    kept = movement().detach()
    before = loss(ws.detach(), kept).item()

    def strayed(step: int) -> Tensor:
        away = torch.randn(ws.shape, generator=random).to(device) * (straying(step / steps) * deviation)
        return loss(ws + away, kept if learned is None else movement())

    parameters = [ws] if learned is None else [ws, learned]
    descend(parameters, strayed, steps=steps, what="projection", progress=progress)
    with torch.no_grad():
        after = loss(ws, movement()).item()
    ended = learned if learned is None else learned.detach()
    return Projection(
        Content(generator, ws.detach(), label), drawn if ended is None else _joined(ended, drawn), ended, before, after
    )


def straying(part: float) -> float:
    """Return how far styles are moved at random after a part of the steps, in deviations of styles."""
    return _STRAYING * max(0.0, 1.0 - part / _STRAYING_PART) ** 2


@torch.no_grad()
def _styles(generator: Generator, label: Tensor | None, random: torch.Generator) -> tuple[Tensor, float]:
    """Return the mean style, [w_dim], and the root of the mean squared distance from it."""
    device = generator.mapping.w_mean.device
    z = torch.randn(_SAMPLES, generator.config.z_dim, generator=random).to(device)
    w = generator.styles(z, None if label is None else label.expand(len(z), -1))
    mean = w.mean(dim=0)
    return mean, math.sqrt((w - mean).square().sum(dim=1).mean().item())


def _tokens(generator: Generator, noise: Noise, latest: float) -> Tensor:
    """Return the noise vectors that frames up to a time are made from: [1, L, noise_dim]."""
    if generator.motion is None:
        raise ModelError("the model has no motion to optimise: keep it")
    count = int(latest // generator.motion.distance) + 1 + generator.motion.reach
    return noise(torch.arange(count, device=generator.mapping.w_mean.device)[None]).clone()


def _joined(learned: Tensor, drawn: Noise) -> Noise:
    """Return learned noise vectors, and those that were drawn from where the learned ones end."""

    def noise(tokens: Tensor) -> Tensor:
        ours = learned[0, tokens.clamp(max=learned.shape[1] - 1)]
        return torch.where((tokens < learned.shape[1])[..., None], ours, drawn(tokens))

    return noise
