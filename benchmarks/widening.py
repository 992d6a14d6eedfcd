"""Class labels for a generator that was trained without them.

A label that makes no difference at first is learned slowly: after 26 thousand frames the generator still ignored it,
though the discriminator recognised every wrong label. So a label begins by moving the content code towards the codes of
which the generator already makes videos of its class.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fvd_bench.sources.opening import open_source
from fvd_bench.videos.video import Pixels
from stylegan_v.checkpoints.checkpoint import Checkpoint
from stylegan_v.data.labels import label_vectors, read_labels
from stylegan_v.networks.discriminator import build_discriminator
from stylegan_v.networks.generator import Generator, build_generator
from stylegan_v.networks.layers import normalise
from stylegan_v.networks.noise import Purpose, normal
from stylegan_v.sampling.sampler import VideoSampler

DRAWN = 768
"""Generated videos that are compared with the real ones."""

STEP = 2.0
"""How far a label moves a content code, in standard deviations of a code."""


def with_labels(found: Checkpoint, classes: int, videos: Path) -> Checkpoint:
    """Return a checkpoint whose networks take labels of so many classes, which the videos of a prepared set have.

    One that has as many classes stays as it is, else it has to have none. A discriminator's labels make no difference
    yet.
    """
    if found.model.num_classes == classes:
        return found
    assert found.model.num_classes == 0, "its labels are of other classes"
    generator = found.generator_as(Generator)
    model = dataclasses.replace(generator.config, num_classes=classes)
    shifts = STEP * _directions(generator, classes, videos)
    tensors: dict[str, Tensor] = {}
    for part in ("ema", "generator"):
        if part not in found.parts:
            continue
        wide = build_generator(model)
        state = _widened(found.part(part), wide, labels_first=False)
        weight = state["mapping.layers.0.weight"]  # of a code, then of an embedded label
        assert wide.mapping.embed is not None
        embedded = normalise(wide.mapping.embed(torch.eye(classes)).detach())  # [classes, w_dim]
        weight[:, model.z_dim :] = weight[:, : model.z_dim] @ shifts.T @ torch.linalg.pinv(embedded.T)
        tensors |= {f"{part}.{name}": tensor for name, tensor in state.items()}
    if "discriminator" in found.parts:
        state = _widened(found.part("discriminator"), build_discriminator(model), labels_first=True)
        tensors |= {f"discriminator.{name}": tensor for name, tensor in state.items()}
    return Checkpoint(model, tensors, found.fps, found.run)


def _widened(before: Mapping[str, Tensor], wide: nn.Module, *, labels_first: bool) -> dict[str, Tensor]:
    """Return the state of a network with labels that computes what one without them did, whatever the label.

    before: the tensors of the latter. wide: the former. labels_first: whether labels come before the other inputs of a
    layer. Weights of new inputs are 0. A layer of equalised learning rate divides by the root of its number of inputs,
    so the other weights grow with that.
    """
    state: dict[str, Tensor] = {**wide.state_dict()}
    for name, tensor in before.items():
        if tensor.shape == state[name].shape:
            state[name] = tensor
            continue
        had, has = tensor.shape[1], state[name].shape[1]
        zeros = torch.zeros_like(state[name][:, had:])
        state[name] = torch.cat([zeros, tensor] if labels_first else [tensor, zeros], dim=1) * math.sqrt(has / had)
    return state


def _directions(generator: Generator, classes: int, videos: Path) -> Tensor:
    """Return unit vectors in the space of content codes that point to what the generator makes of each class: float32
    [classes, z_dim]. A generated video is of the class whose real frame is nearest to its first frame."""
    source, sampler = open_source(str(videos)), VideoSampler(generator, batch_frames=1)
    real = [next(source.video(place).frames(np.array([0]))).pixels for place in range(len(source.names))]
    of_real = label_vectors(read_labels(videos, source.names), source.names, classes)
    made = _small([next(sampler.frames(number, [0])) for number in range(DRAWN)])
    nearest = np.square(made[:, None] - _small(real)).mean(axis=2).argmin(axis=1)
    of_made = torch.from_numpy(of_real[nearest])  # [DRAWN, classes]
    codes = normalise(normal(sampler.seed, Purpose.CONTENT, torch.arange(DRAWN), 0, generator.config.z_dim))
    means = of_made.T @ codes / of_made.sum(dim=0)[:, None]
    others = (1 - of_made).T @ codes / (1 - of_made).sum(dim=0)[:, None]
    assert torch.isfinite(means).all(), "the generator makes nothing of some class"
    return torch.nn.functional.normalize(means - others)


def _small(frames: Sequence[Pixels]) -> NDArray[np.float32]:
    """Return frames as means of 8 × 8 fields: [N, 192]."""
    stacked = np.stack(frames).astype(np.float32)
    side = stacked.shape[1] // 8
    fields: NDArray[np.float32] = stacked.reshape(len(frames), 8, side, 8, side, 3).mean(axis=(2, 4))
    return fields.reshape(len(frames), -1)
