"""Small grey frames, made where the frames are decoded."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fvd_bench.videos import images
from fvd_bench.videos.array_layout import PLAIN
from fvd_bench.videos.arrays import ArrayVideo
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.greys import first_greys, small_grey
from fvd_bench.videos.images import FrameFolder
from fvd_bench.videos.video import Frame


@pytest.mark.parametrize("most", [1, 7, 12, 40])
def test_files_folders_and_arrays_have_the_same_first_frames(
    tmp_path: Path, moving_frames, write_video, write_frames, monkeypatch, most: int
) -> None:
    monkeypatch.setattr(images, "_MOST_IMAGES", 5)  # that are asked for at a time
    frames = moving_frames(12)
    counted = VideoFile(write_video(tmp_path / "a.mkv", frames, codec="ffv1", pix_fmt="bgr0"))
    assert counted.num_frames == 12
    folder = write_frames(tmp_path / "a", frames)
    videos = [
        counted,
        VideoFile(tmp_path / "a.mkv"),
        FrameFolder(folder, [file.name for file in folder.iterdir()]),
        ArrayVideo("a", frames, PLAIN),
    ]

    expected = np.stack([small_grey(Frame(frame)) for frame in frames[:most]])
    for video in videos:
        found = first_greys(video, most)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)
    assert counted.decoded == 12  # of the frames that were held, none is decoded a second time


def test_a_grey_frame_is_luma_averaged_over_areas() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)

    found = small_grey(Frame(pixels))

    luma = pixels @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(found, luma.reshape(32, 2, 32, 3).mean(axis=(1, 3)), rtol=1e-7)
    np.testing.assert_array_equal(small_grey(Frame(pixels[::-1])), small_grey(Frame(pixels[::-1].copy())))


@pytest.mark.parametrize("height", [1, 7, 31, 32, 33, 47, 48, 240, 1080, 9000])
@pytest.mark.parametrize("width", [1, 20, 32, 45, 127, 640])
def test_areas_are_those_of_a_box_filter(height: int, width: int) -> None:
    """Pillow's, which rounds to float32 twice; in a frame of light pixels, whose sums are the largest."""
    pixels = np.random.default_rng(0).integers(200, 256, (height, width, 3), dtype=np.uint8)
    expected = Image.fromarray(pixels).convert("F").resize((32, 32), Image.Resampling.BOX)

    np.testing.assert_allclose(small_grey(Frame(pixels)), np.asarray(expected), atol=5e-5)
