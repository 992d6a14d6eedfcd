"""The faces of FaceForensics, which a second video of each, the mask, shows: white where the face is not.

Source: pfnet-research/tgan2, scripts/make_face_forensics.py, whose boxes StyleGAN-V's preprocess_ffs.py takes for its
set of crops frame by frame. That recipe names a margin of 2 % and uses none, so there is none here. Where its squares
leave the picture, it cuts or stretches them; here they are moved inside.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fvd_bench.errors import VideoError
from fvd_bench.videos.video import Frame, Pixels, Video
from stylegan_v.data.crops import Box
from stylegan_v.data.frames import every_frame

_LEAST_DARKNESS = 5.0
"""A row or column belongs to the face when its mean darkness, summed over the three channels, is more than this."""


class MaskCrop:
    """The square around the mask of each frame, which is asked for frame by frame from the first one that is used."""

    def __init__(self, mask: Video, begin: int) -> None:
        """Prepare the mask of a video. begin: the first frame that is used. Raises VideoError."""
        self._mask = mask
        self._frames: Iterator[Frame] = every_frame(mask, begin)

    def box(self, frame: int, width: int, height: int) -> Box:
        """Raises VideoError where the mask has ended, is of another size, or shows no face."""
        found = next(self._frames, None)
        if found is None:
            raise VideoError(f"its mask ends before frame {frame}: expected as many frames as the video has")
        if found.pixels.shape[:2] != (height, width):
            mask_height, mask_width, _ = found.pixels.shape
            raise VideoError(f"its mask is {mask_width}×{mask_height} pixels large, the video {width}×{height}")
        face = face_box(found.pixels)
        if face is None:
            raise VideoError(f"its mask shows no face in frame {frame}")
        return squared(face, width, height)

    def end(self) -> None:
        if next(self._frames, None) is not None:
            raise VideoError("its mask goes on after its last frame: expected as many frames as the video has")

    def digest(self) -> str:
        return f"mask {self._mask.state()}"


def face_box(mask: Pixels) -> Box | None:
    """Return the box from the first to before the last dark row and column, as the recipe has it.

    mask: uint8 [H, W, 3]. None where there are not two of each.
    """
    darkness = (255.0 - mask).sum(axis=2)
    columns, rows = (np.flatnonzero(darkness.mean(axis=axis) > _LEAST_DARKNESS) for axis in (0, 1))
    if len(columns) < 2 or len(rows) < 2:
        return None
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1]))


def squared(box: Box, width: int, height: int) -> Box:
    """Grow the shorter side of a box to the longer one, on both ends alike and an odd pixel at the right or the bottom.

    The square is moved where it leaves the picture, and made as small as the picture where it is larger.
    """
    side = min(max(box.right - box.left, box.bottom - box.top), width, height)
    left = box.left - max(side - (box.right - box.left), 0) // 2
    top = box.top - max(side - (box.bottom - box.top), 0) // 2
    left, top = min(max(left, 0), width - side), min(max(top, 0), height - side)
    return Box(left, top, left + side, top + side)
