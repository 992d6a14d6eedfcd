"""Headers of real small files."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from fvd_bench.errors import VideoError
from fvd_bench.frame_folder import FrameFolder
from fvd_bench.probe import probe
from fvd_bench.video_file import VideoFile


def _write_at(file: Path, frames, times: list[int], *, rate: int = 25, ticks: int = 1000) -> Path:
    """A file whose frames are shown at these ticks."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, ticks)
        for pixels, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, ticks)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def test_a_file_tells_codec_size_and_rate(tmp_path: Path, moving_frames, write_video) -> None:
    found = probe(VideoFile(write_video(tmp_path / "a.mp4", moving_frames(5))))

    assert (found.codec, found.pixel_format, found.size, found.rate) == ("h264", "yuv420p", (64, 48), 25.0)


def test_a_folder_tells_its_first_image(tmp_path: Path, moving_frames, write_frames) -> None:
    write_frames(tmp_path / "a", moving_frames(3), suffix=".jpg")

    found = probe(FrameFolder(tmp_path / "a", ["0.jpg", "1.jpg", "2.jpg"]))

    assert (found.codec, found.pixel_format, found.size, found.rate) == ("jpeg", "RGB", (64, 48), None)


def test_garbage_is_a_bad_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video" * 100)

    with pytest.raises(VideoError, match="cannot be decoded"):
        probe(VideoFile(tmp_path / "a.mp4"))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_whole_file_keeps_what_it_promises(tmp_path: Path, moving_frames, write_video, suffix: str) -> None:
    track = VideoFile(write_video(tmp_path / f"a.{suffix}", moving_frames(40))).track()

    assert (track.packets, track.frames, track.intervals) == (40, 40, None)
    assert track.missing_seconds < 0.05


@pytest.mark.parametrize("milliseconds", [40, 1000 / 30, 1000 / 60, 1000 / 120])
def test_times_rounded_to_milliseconds_are_of_a_constant_rate(
    tmp_path: Path, moving_frames, milliseconds: float
) -> None:
    times = [round(t * milliseconds) for t in range(40)]

    assert VideoFile(_write_at(tmp_path / "a.mkv", moving_frames(40), times)).track().intervals is None


@pytest.mark.parametrize("ticks", [1000, 25])
def test_a_dropped_frame_is_a_variable_rate(tmp_path: Path, moving_frames, ticks: int) -> None:
    times = [t * ticks // 25 for t in range(41) if t != 20]

    found = VideoFile(_write_at(tmp_path / "a.mp4", moving_frames(40), times, ticks=ticks)).track().intervals

    assert found == (40.0, 80.0)
