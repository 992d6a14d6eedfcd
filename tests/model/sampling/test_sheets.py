"""Grids of frames, and video files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from stylegan_v.errors import ModelError
from stylegan_v.sampling.sampler import VideoSampler
from stylegan_v.sampling.sheets import decomposition, tile, write_video

pytestmark = pytest.mark.usefixtures("one_thread")


def test_tiles_stand_where_their_indices_say() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5, 3), dtype=np.uint8)

    grid = tile(frames)

    assert grid.shape == (8, 15, 3)
    for row in range(2):
        for column in range(3):
            np.testing.assert_array_equal(grid[4 * row : 4 * row + 4, 5 * column : 5 * column + 5], frames[row, column])


def test_rows_share_motion_and_columns_share_content(tiny_generator) -> None:
    sampler = VideoSampler(tiny_generator(num_classes=2), batch_frames=4)

    grid = np.stack(list(decomposition(sampler, rows=2, columns=3, frames=5, first=4)))

    assert grid.shape == (5, 64, 96, 3)
    for row in range(2):
        for column in range(3):
            cell = grid[:, 32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
            expected = np.stack(list(sampler.frames(4 + column, range(5), motion_of=4 + row)))
            np.testing.assert_array_equal(cell, expected)
    first = np.stack(list(sampler.frames(4, range(5))))
    np.testing.assert_array_equal(grid[:, :32, :32], first)


def test_with_no_content_left_all_of_a_row_is_the_same(tiny_generator) -> None:
    sampler = VideoSampler(tiny_generator(), truncation=0.0)

    (grid,) = decomposition(sampler, rows=2, columns=2, frames=1)

    np.testing.assert_array_equal(grid[:, :32], grid[:, 32:])
    assert not np.array_equal(grid[:32], grid[32:])


@pytest.mark.parametrize("libx264", [True, False])
def test_an_mp4_holds_the_frames(tmp_path: Path, moving_frames, monkeypatch: pytest.MonkeyPatch, libx264: bool) -> None:
    if not libx264:
        monkeypatch.setattr(av, "codecs_available", frozenset({"mpeg4"}))
    frames = moving_frames(7)

    write_video(tmp_path / "a.mp4", iter(frames), 24000 / 1001)

    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == ("h264" if libx264 else "mpeg4")
        assert stream.average_rate == Fraction(24000, 1001)
        found = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])
    assert found.shape == frames.shape
    assert np.abs(found.astype(float) - frames).mean() < 4  # of 255: colours are halved in size
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


def test_a_webp_needs_no_codec(tmp_path: Path, moving_frames) -> None:
    write_video(tmp_path / "a.webp", moving_frames(4), 25)

    with Image.open(tmp_path / "a.webp") as image:
        assert (image.n_frames, image.size) == (4, (64, 48))


def test_frames_that_are_too_large_for_a_webp_are_told_before_more_are_made(tmp_path: Path) -> None:
    frames = (np.zeros((2, side, 3), np.uint8) for side in (2**14, 0))

    with pytest.raises(ModelError, match=r"a\.webp cannot be written: frames are 16384 × 2, and WebP has 16383 pixels"):
        write_video(tmp_path / "a.webp", frames, 25)
    assert next(frames).shape == (2, 0, 3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.webp"])
def test_a_video_of_hardly_any_frames_a_second_is_written(tmp_path: Path, moving_frames, name: str) -> None:
    write_video(tmp_path / name, moving_frames(2), 1e-8)

    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.mp4", "a.webp"])
def test_an_interrupted_file_is_not_left_behind(tmp_path: Path, moving_frames, name: str) -> None:
    def interrupted():
        yield from moving_frames(90)  # so many that the codec has given some away
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / name, interrupted(), 25)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.gif", "none/a.mp4", "none/a.webp"])
def test_files_that_cannot_be_written_are_named(tmp_path: Path, moving_frames, name: str) -> None:
    with pytest.raises(ModelError, match=r"a\.(gif|mp4|webp)"):
        write_video(tmp_path / name, moving_frames(2), 25)
