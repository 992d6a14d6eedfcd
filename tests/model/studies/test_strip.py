"""Moments of long videos side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from stylegan_v.cli import cli
from stylegan_v.errors import ConfigError, ModelError
from stylegan_v.sampling.sampler import VideoSampler
from stylegan_v.studies.pictures import check_size, labelled, write_picture
from stylegan_v.studies.strip import SECONDS, in_units, strip

pytestmark = pytest.mark.usefixtures("one_thread")


def test_every_cell_is_the_frame_of_its_video_and_time(tiny_generator) -> None:
    sampler = VideoSampler(tiny_generator(), seed=2, train_fps=25)

    picture = np.asarray(strip(sampler, videos=2, first=3))

    side, columns = 96, len(SECONDS)
    cells = picture[-2 * side :, -columns * side :].reshape(2, side, columns, side, 3)
    for row, video in enumerate((3, 4)):
        frames = np.stack(list(sampler.frames(video, [0, 25, 1500, 15_000, 90_000])))
        np.testing.assert_array_equal(cells[row, ::3, :, ::3].transpose(1, 0, 2, 3), frames)
        assert len({frame.tobytes() for frame in frames}) == 5


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (1, "1 s"), (60, "1 min"), (600, "10 min"), (3600, "1 h"), (5400, "1.5 h")]
)
def test_times_are_written_in_their_largest_unit(seconds: float, text: str) -> None:
    assert in_units(seconds) == text


def test_empty_places_stay_white() -> None:
    frame = np.zeros((100, 100, 3), np.uint8)

    picture = np.asarray(labelled([[frame, None], [None, frame]], rows=["a", "b"], columns=["c", "d"]))

    assert [int(picture[-y, -x].sum()) for y, x in ((150, 150), (150, 50), (50, 150), (50, 50))] == [0, 765, 765, 0]


def test_the_command_draws_the_times_that_are_asked_for(tiny_checkpoint, tmp_path: Path) -> None:
    given = ["strip", tiny_checkpoint(), "--out", tmp_path / "a.png", "--videos", 1, "--at", 0, "--at", 7200]

    done = CliRunner().invoke(cli, [str(argument) for argument in given])

    assert done.stdout == f"{tmp_path / 'a.png'}: 1 video at 0 s, 2 h\n", done.output
    with Image.open(tmp_path / "a.png") as image:
        assert image.height == 96 + 21


@pytest.mark.parametrize(("videos", "seconds"), [(683, [0]), (1, range(683))])
def test_a_picture_that_is_too_large_for_its_file_is_refused_before_any_frame_is_made(
    tiny_generator, monkeypatch: pytest.MonkeyPatch, videos: int, seconds: Sequence[float]
) -> None:
    sampler = VideoSampler(tiny_generator(), train_fps=25)
    monkeypatch.setattr(VideoSampler, "frames", lambda *_, **__: pytest.fail("a frame is made"))

    with pytest.raises(ConfigError, match=r"a\.jpg: the picture has .*65\d\d\d.* at most 65500 a side: ask for fewer"):
        strip(sampler, videos=videos, seconds=seconds, file=Path("a.jpg"))


def test_sizes_are_those_of_the_picture(tmp_path: Path) -> None:
    """682 rows of 96 pixels below 21, and one more than a JPEG file holds."""
    frame, columns = np.zeros((32, 32, 3), np.uint8), ["0 s"]
    for count, suits in ((682, True), (683, False)):
        rows = ["video"] * count
        picture = labelled([[frame]] * count, rows=rows, columns=columns)
        assert (picture.height <= 65_500) == suits
        check_size(tmp_path / "a.png", 32, rows=rows, columns=columns)
        if suits:
            check_size(tmp_path / "a.jpg", 32, rows=rows, columns=columns)
            write_picture(tmp_path / "a.jpg", picture)
        else:
            with pytest.raises(ConfigError, match=f"{picture.width} × {picture.height} pixels"):
                check_size(tmp_path / "a.jpg", 32, rows=rows, columns=columns)


def test_the_command_refuses_it_for_the_file_that_it_writes(tiny_checkpoint, tmp_path: Path) -> None:
    given = ["strip", tiny_checkpoint(), "--out", tmp_path / "a.JPG", "--videos", 700, "--at", 0]

    done = CliRunner().invoke(cli, [str(argument) for argument in given])

    assert isinstance(done.exception, ConfigError) and "a JPEG file has at most 65500 a side" in str(done.exception)


@pytest.mark.parametrize(
    ("out", "says"),
    [("a.gif", "ends in .png or .jpg"), ("none/a.png", "cannot be written: expected a file in a folder that exists")],
)
def test_a_picture_that_cannot_be_written_is_told_of_at_once(
    tiny_checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, says: str
) -> None:
    monkeypatch.setattr("stylegan_v.studies.strip.strip", None)

    done = CliRunner().invoke(cli, ["strip", str(tiny_checkpoint()), "--out", str(tmp_path / out)])

    assert isinstance(done.exception, ModelError) and says in str(done.exception)
