"""The gradient that reaches a generator's frames, from our discriminator and from MoCoGAN-HD's pair of them.

Figure 4 of the paper shows both gradients at t = 0, 2, 4, 6, 8 and 12. Each discriminator has its own loss, and sees
frames as it does in training: ours sees k of the frames that are shown at a time, the pair sees 16 consecutive ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fvd_bench.errors import VideoError
from fvd_bench.sources import ClipSource
from fvd_bench.videos.video import Pixels
from fvd_bench.words import counted
from stylegan_v.errors import DataError
from stylegan_v.networks.discriminator import Discriminator
from stylegan_v.networks.generator import Generator
from stylegan_v.networks.loss import generator_loss
from stylegan_v.networks.motion import keyed_noise
from stylegan_v.networks.noise import Purpose, normal
from stylegan_v.networks.pixels import normalise, to_uint8
from stylegan_v.sampling.sampler import VideoSampler
from stylegan_v.studies.discriminator_pair import CLIP_FRAMES, Pair
from stylegan_v.studies.pictures import labelled

TIMES = (0, 2, 4, 6, 8, 12)

_WHITE = 0.99
"""The part of a picture's pixels whose gradient is below white."""


@dataclass(frozen=True, slots=True, eq=False)
class Gradients:
    """Of a few videos at TIMES. frames: [B, 6, 3, R, R]. ours, theirs: gradients by these frames, of the same shape."""

    frames: Tensor
    ours: Tensor
    theirs: Tensor

    def sizes(self) -> dict[str, list[float]]:
        """Return the root mean square of each gradient at each of the times."""
        return {
            name: gradient.square().mean(dim=(0, 2, 3, 4)).sqrt().tolist()
            for name, gradient in (("ours", self.ours), ("pair", self.theirs))
        }

    def picture(self) -> Image.Image:
        """Draw three rows for each video: frames, and the length of either gradient in each pixel.

        White is the 99th percentile of a picture, which tells where a gradient is, and not how large it is.
        """
        rows, cells = [], []
        for number in range(len(self.frames)):
            rows += [f"video {number}", "our D", "pair"]
            cells.append([*to_uint8(self.frames[number]).permute(0, 2, 3, 1).cpu().numpy()])
            cells += [_lengths(gradient[number]) for gradient in (self.ours, self.theirs)]
        return labelled(cells, rows=rows, columns=[f"t = {t}" for t in TIMES])


def gradients(
    generator: Generator, discriminator: Discriminator, pair: Pair, real: Tensor, *, videos: int, seed: int = 0
) -> Gradients:
    """Return the gradients of both losses by frames of videos 0 to `videos` - 1, which share a batch.

    real: clips that the pair's relativistic loss compares with, [N, 16, 3, R, R] in [-1, 1].
    """
    made = _Made(generator, videos, seed)
    ours = torch.zeros(videos, len(TIMES), 3, *real.shape[-2:], device=real.device)
    for first, times in reversed(windows(discriminator.config.frames)):  # of a frame in two windows, the first counts
        frames = made.at(times).requires_grad_()
        at = torch.tensor([times], dtype=frames.dtype, device=frames.device).expand(videos, -1)
        (gradient,) = torch.autograd.grad(generator_loss(discriminator(frames, at, made.labels)), frames)
        ours[:, first : first + len(times)] = gradient[:, : len(TIMES) - first]
    clips = made.at(range(CLIP_FRAMES)).requires_grad_()
    (gradient,) = torch.autograd.grad(pair.generator_loss(clips, real), clips)
    return Gradients(clips.detach()[:, TIMES], ours, gradient[:, TIMES])


def windows(frames: int) -> list[tuple[int, list[int]]]:
    """Return clips of k times that hold all of TIMES: the place of each clip's first time, and its times.

    Clips go on in steps of two frames where k is more than there are times, and the last one overlaps where k does
    not divide their number.
    """
    times = [*TIMES, *(TIMES[-1] + 2 * more for more in range(1, frames - len(TIMES) + 1))]
    firsts = (min(first, len(times) - frames) for first in range(0, len(TIMES), frames))
    return [(first, times[first : first + frames]) for first in firsts]


def real_clips(source: ClipSource, count: int, resolution: int) -> Tensor:
    """Return the first 16 frames of the first videos that have as many: [count, 16, 3, R, R] in [-1, 1].

    Raises DataError where there are fewer such videos, or one is of another size.
    """
    clips: list[Tensor] = []
    refused = ""
    for place, name in enumerate(source.names):
        if len(clips) == count:
            break
        try:
            frames = [frame.pixels for frame in source.video(place).frames(np.arange(CLIP_FRAMES))]
        except VideoError as error:
            refused = f"; {name}: {error}"
            continue
        if frames[0].shape != (resolution, resolution, 3):
            raise DataError(
                f"{name} in {source.name} has frames of {frames[0].shape[1]}×{frames[0].shape[0]}, expected "
                f"{resolution}×{resolution}: prepare the set with `stylegan-v data`"
            )
        clips.append(normalise(torch.from_numpy(np.stack(frames))).permute(0, 3, 1, 2))
    if len(clips) < count:
        raise DataError(
            f"{source.name} has {counted(len(clips), 'video')} of {CLIP_FRAMES} frames or more, expected "
            f"{count}{refused}"
        )
    return torch.stack(clips)


class _Made:
    """Frames of videos 0, 1, … of a seed at any times, without gradients of their own."""

    def __init__(self, generator: Generator, videos: int, seed: int) -> None:
        device = generator.mapping.w_mean.device
        numbers = torch.arange(videos, device=device)
        config = generator.config
        labels = [VideoSampler(generator, seed=seed).label(number) for number in range(videos)]
        self.labels = torch.cat([label for label in labels if label is not None]) if config.num_classes else None
        self._generator = generator
        self._z = normal(seed, Purpose.CONTENT, numbers, 0, config.z_dim)
        self._noise = keyed_noise(seed, numbers, config.noise_dim)

    @torch.no_grad()
    def at(self, times: range | list[int]) -> Tensor:
        """Return frames [B, T, 3, R, R]."""
        at = torch.tensor([list(times)], dtype=torch.float64, device=self._z.device).expand(len(self._z), -1)
        frames: Tensor = self._generator(self._z, at, self._noise, self.labels)
        return frames


def _lengths(gradient: Tensor) -> list[Pixels]:
    """Return the length of gradients [T, 3, R, R] in each pixel, as grey images."""
    lengths = gradient.square().sum(dim=1).sqrt()
    white = torch.quantile(lengths.flatten(1), _WHITE, dim=1).clamp(min=torch.finfo(lengths.dtype).tiny)
    grey = (lengths / white[:, None, None]).clamp(max=1) * 255
    return [*grey.round().to(torch.uint8)[..., None].expand(-1, -1, -1, 3).cpu().numpy()]
