"""All frames of a video, whatever its container says of their number."""

from __future__ import annotations

import numpy as np
import pytest

from fvd_bench.videos.all_frames import all_frames
from fvd_bench.videos.array_layout import PLAIN
from fvd_bench.videos.arrays import ArrayVideo
from fvd_bench.videos.header import Track


@pytest.mark.parametrize("packets", [0, 1, 5, 6, 7, 8, 20])
def test_every_frame_comes_once_and_in_order(packets: int) -> None:
    pixels = np.arange(7, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    video = ArrayVideo("seven", pixels, PLAIN)

    found = [int(frame.pixels[0, 0, 0]) for frame in all_frames(video, Track(packets, packets, 0.0, None, None))]

    assert found == list(range(7))
