"""Question: how much do the learned faces move, and does their discriminator mind?

Command:  python benchmarks/stillness.py OUT   (OUT: of `faces.py --further`, for its videos and its discriminator)
Time:     4 minutes of a core.
Expected: the discriminator, which has learned from clips that stand still, rates a real frame that does so for 32
          frames far below one that moves. Before, when it had not learned from such clips, it hardly told them apart,
          frames of generated videos differed from the ones before them by a fraction of what those of real videos do,
          and most of what parted the mean features of the two sides was what parts those of real videos from those of
          their still frames.

Changes are means over the pixels of all videos, in grey levels. Logits are of pairs of frames, so many frames apart,
or of their first frame twice; generated ones come from the average generator that this discriminator ended with.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from faces import NAME
from learning import CHECKPOINTS
from machine import write
from numpy.typing import NDArray

import fvd_bench
from fvd_bench.evaluation.collection import Collection
from fvd_bench.evaluation.result import Result
from fvd_bench.sources.opening import open_source
from fvd_bench.videos.video import Pixels
from stylegan_v.checkpoints import checkpoint
from stylegan_v.checkpoints.files import LAST
from stylegan_v.data.labels import Labels, label_vectors, read_labels
from stylegan_v.networks.discriminator import Discriminator, build_discriminator
from stylegan_v.networks.pixels import normalise
from stylegan_v.sampling.sampler import VideoSampler

APART = (1, 2, 4, 8, 16, 32)
"""Distances in frames."""

CLIP = 16
"""Frames that are scored."""


def real_clips(videos: Path) -> Pixels:
    """The middle of each real video, [N, T, H, W, 3], with one frame more than the longest distance."""
    source, clips = open_source(str(videos)), []
    for place in range(len(source.names)):
        video = source.video(place)
        first = (video.num_frames - max(APART)) // 2
        frames = video.frames(np.arange(first, first + max(APART) + 1))
        clips.append(np.stack([frame.pixels for frame in frames]))
    return np.stack(clips)


def generated_clips(found: checkpoint.Checkpoint, labels: Labels) -> Pixels:
    """As many frames of each of the first videos of a checkpoint, of the classes of the real ones where it has some."""
    sampler = VideoSampler(found.generator().requires_grad_(False))
    clips = []
    for number, label in enumerate(labels.tolist()):
        frames = sampler.frames(number, range(max(APART) + 1), label=label if found.model.num_classes else None)
        clips.append(np.stack(list(frames)))
    return np.stack(clips)


def still(clips: Pixels) -> Pixels:
    """The first frame of each clip all the time."""
    return np.repeat(clips[:, :1], clips.shape[1], axis=1)


def changes(clips: Pixels) -> list[float]:
    """Mean absolute differences of frames at each of the distances."""
    levels = clips.astype(np.float32)
    return [float(np.abs(levels[:, apart:] - levels[:, :-apart]).mean()) for apart in APART]


@torch.no_grad()
def logits(discriminator: Discriminator, clips: Pixels, labels: Labels) -> list[float]:
    """Mean logits of the first frame and another one, at each of the distances."""
    frames = normalise(torch.from_numpy(clips).movedim(-1, 2))
    given = torch.from_numpy(labels) if labels.shape[1] else None
    times = torch.tensor([[0.0, apart] for apart in APART])
    return [
        discriminator(frames[:, [0, apart]], pair.expand(len(frames), 2), given).mean().item()
        for apart, pair in zip(APART, times, strict=True)
    ]


def scored(real: Pixels, fake: Pixels) -> tuple[float, NDArray[np.float64]]:
    """FVD of clips, and how far their mean feature is from that of the real ones."""
    means: dict[str, Any] = {}

    def look(collection: Collection, result: Result) -> None:
        (protocol,) = collection.evaluation.protocols
        means.update({side: features.mean() for side, features in collection.sides(protocol).items()})

    sides = [fvd_bench.Arrays(clips[:, :CLIP], axes="NTHWC") for clips in (real, fake)]
    settings = fvd_bench.Settings(device="cpu", cache=None, onlooker=look)
    result = fvd_bench.evaluate(*sides, "stylegan-v-fvd16", settings=settings)
    assert result.value is not None
    return result.value, means["fake"] - means["real"]


def main() -> None:
    out = Path(sys.argv[1])
    ended = checkpoint.load(max(out.glob(f"further-*/{LAST}")))
    discriminator = build_discriminator(ended.model)
    discriminator.load_state_dict(ended.part("discriminator"))
    names = open_source(str(out / "videos")).names
    labels = label_vectors(read_labels(out / "videos", names), names, ended.model.num_classes)
    real = real_clips(out / "videos")
    kept = generated_clips(checkpoint.load(CHECKPOINTS / f"{NAME}.pt"), labels)
    judged = generated_clips(ended, labels)
    fvd, shift = scored(real, kept)
    fvd_of_still, shift_of_still = scored(real, still(real))
    cosine = shift @ shift_of_still / (np.linalg.norm(shift) * np.linalg.norm(shift_of_still))
    table = {
        "videos": len(real),
        "frames apart": APART,
        "change of real frames": changes(real),
        "change of generated frames": changes(kept),
        "logits of real frames": logits(discriminator, real, labels),
        "logits of real frames that stand still": logits(discriminator, still(real), labels),
        "logits of generated frames": logits(discriminator, judged, labels),
        "logits of generated frames that stand still": logits(discriminator, still(judged), labels),
        "FVD of generated videos": fvd,
        "FVD of still real videos": fvd_of_still,
        "cosine of what parts the means and of what stillness does": float(cosine),
    }
    write("stillness", __doc__, table)


if __name__ == "__main__":
    main()
