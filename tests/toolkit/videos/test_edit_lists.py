"""Edit lists of MP4: the frames that they leave out are no frames of the video."""

import shutil
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from fvd_bench.inspection.checkup import inspect
from fvd_bench.videos.decoding.pool import Decoders
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.video import Pixels

FRAMES, GOP, RATE = 60, 20, 25
MOVIE_TICKS, MEDIA_TICKS = 1000 // RATE, 512
"""Of a frame, in the units of FFmpeg's headers of movies and of tracks."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, moving_frames) -> Path:
    """With frames that are stored in another order than they are shown."""
    file = tmp_path_factory.mktemp("videos") / "whole.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"bf": "3", "g": str(GOP)})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for frame in moving_frames(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return file


def shown(whole: Path, file: Path, first: float, end: float) -> Path:
    """A copy of which this part is shown, in frames."""
    shutil.copyfile(whole, file)
    data = bytearray(file.read_bytes())
    entry = data.index(b"elst") + 12  # behind the box's name, version, flags and the number of entries
    _, media_time = struct.unpack_from(">Ii", data, entry)
    part = round((end - first) * MOVIE_TICKS), media_time + round(first * MEDIA_TICKS)
    struct.pack_into(">Ii", data, entry, *part)
    file.write_bytes(data)
    return file


def pixels(file: Path, decoders: Decoders, places: range) -> Pixels:
    video = VideoFile(file, decoders=decoders)
    assert video.num_frames == places.stop
    return np.stack([frame.pixels for frame in video.frames(np.array(places))])


@pytest.mark.parametrize(
    ("first", "end", "begin_inside"),
    [
        (0, 60, range(60)),
        (5, 60, range(5, 60)),
        (0, 31, range(31)),
        (27, 51, range(27, 51)),  # beyond the first group of pictures
        (40, 60, range(40, 60)),
        (5.5, 59.5, range(6, 60)),  # frame 5 began before that, and frame 59 begins before the end
    ],
)
def test_frames_are_those_that_begin_inside(
    whole: Path, decoders: Decoders, tmp_path: Path, first: float, end: float, begin_inside: range
) -> None:
    file, count = shown(whole, tmp_path / "cut.mp4", first, end), len(begin_inside)
    every = pixels(whole, decoders, range(FRAMES))

    assert np.array_equal(pixels(file, decoders, range(count)), every[begin_inside.start : begin_inside.stop])
    assert np.array_equal(pixels(file, decoders, range(count - 2, count)), every[begin_inside.stop - 2 :][:2])  # sought
    assert VideoFile(file, decoders=decoders).track().frames == count


def test_what_an_edit_list_leaves_out_is_not_missed(whole: Path, tmp_path: Path) -> None:
    for first in (0, 7, 27, 45):
        shown(whole, tmp_path / f"{first}.mp4", first, 60)

    found = inspect(tmp_path)

    assert "truncated" not in [finding.code for finding in found.findings]
