"""Images that a study begins with, as a generator of a resolution sees them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fvd_bench.errors import VideoError
from fvd_bench.paths import user_path
from fvd_bench.videos.images import FrameFolder
from fvd_bench.videos.video import Pixels
from stylegan_v.data.crops import CentreCrop, cut
from stylegan_v.errors import DataError
from stylegan_v.networks.pixels import normalise


def read_images(files: Sequence[Path], resolution: int) -> list[Pixels]:
    """Read images: the largest square in the middle of each, resized. They are decoded in a process of its own.

    Raises DataError, naming the file.
    """
    images = []
    for file in map(user_path, files):
        try:
            (frame,) = FrameFolder(file.parent, [file.name]).frames(np.array([0]))
        except VideoError as error:
            raise DataError(f"{file} is no image that can be used: {error}") from error
        height, width = frame.pixels.shape[:2]
        images.append(np.asarray(cut(frame.pixels, CentreCrop().box(0, width, height), resolution)))
    return images


def as_tensor(images: Sequence[Pixels], device: str | torch.device) -> Tensor:
    """Return images as networks see them: [N, 3, R, R] in [-1, 1]."""
    return normalise(torch.from_numpy(np.stack(images))).permute(0, 3, 1, 2).to(device)
