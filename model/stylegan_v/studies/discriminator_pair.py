"""The two discriminators that MoCoGAN-HD trains with (Tian et al. 2021): one sees two frames, one sees a clip.

Both see each frame beside the first one, so that they judge how a video goes on, and their loss is relativistic. Frames
of more than 128 pixels a side are averaged down to that.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from stylegan_v.baselines import registry
from stylegan_v.checkpoints.checkpoint import load
from stylegan_v.errors import CheckpointError
from stylegan_v.methods.checkpoint_parts import load_part
from stylegan_v.networks.patch_discriminator import PatchDiscriminator, relativistic_loss, shrunk
from stylegan_v.networks.video_generator import Config

CLIP_FRAMES = 16
"""Frames of a clip: the first one, and the 15 that are seen beside it."""

_METHOD = "mocogan-hd"
_IMAGE, _VIDEO = "pair_discriminator", "clip_discriminator"


class Pair(nn.Module):
    """Both discriminators: at full size 5,535,618 parameters for pairs of frames, and 22,136,706 for clips."""

    def __init__(self, image: PatchDiscriminator, video: PatchDiscriminator) -> None:
        super().__init__()
        self.image = image
        self.video = video

    def pairs(self, frames: Tensor) -> list[Tensor]:
        """Return the logits of each frame beside the first: [B·(T-1), 1, H, W] at each scale. frames: [B, T, 3, R, R].

        Training shows one frame of a clip, drawn at random. All of them are that on average.
        """
        logits: list[Tensor] = self.image(_beside_the_first(frames).flatten(0, 1))
        return logits

    def clips(self, frames: Tensor) -> list[Tensor]:
        """Return the logits of clips: [B, 1, T', H, W] at each scale. frames: [B, T, 3, R, R]."""
        logits: list[Tensor] = self.video(_beside_the_first(frames).transpose(1, 2))
        return logits

    def generator_loss(self, fake: Tensor, real: Tensor) -> Tensor:
        """Return what a generator lowers: the sum over both discriminators and all scales. [B, T, 3, R, R] each."""
        pairs = relativistic_loss(self.pairs(fake), self.pairs(real))
        return pairs + relativistic_loss(self.clips(fake), self.clips(real))


def build_pair(*, seed: int = 0) -> Pair:
    """Make both discriminators at full size, with initial parameters that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Pair(*_networks(registry.method(_METHOD).configure()))


def load_pair(file: Path) -> Pair:
    """Read both discriminators from a checkpoint of MoCoGAN-HD. Raises CheckpointError for other ones."""
    loaded = load(file)
    if loaded.model.method != _METHOD:
        raise CheckpointError(f"{file} is a checkpoint of {loaded.model.method}; expected one of {_METHOD}")
    networks = _networks(loaded.model)
    for name, network in zip((_IMAGE, _VIDEO), networks, strict=True):
        load_part(network, loaded.part(name), name)
    return Pair(*networks)


def _networks(model: Config) -> tuple[PatchDiscriminator, PatchDiscriminator]:
    image, video = (registry.method(_METHOD).makers()[name](model) for name in (_IMAGE, _VIDEO))
    assert isinstance(image, PatchDiscriminator) and isinstance(video, PatchDiscriminator)
    return image, video


def _beside_the_first(frames: Tensor) -> Tensor:
    """Return each frame but the first in six channels, after those of the first: [B, T-1, 6, R, R]."""
    frames = shrunk(frames)
    return torch.cat([frames[:, :1].expand_as(frames[:, 1:]), frames[:, 1:]], dim=2)
