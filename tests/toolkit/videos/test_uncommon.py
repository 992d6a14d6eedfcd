"""Videos whose frames are not what they seem: interlaced, of oblong pixels, HDR, or of one of two streams."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.inspection.checkup import inspect
from fvd_bench.inspection.faults import Appearance, uncommon
from fvd_bench.settings import Settings
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.header import Probe
from fvd_bench.videos.probe import probe
from fvd_bench.videos.video import Pixels

PQ, HLG = 16, 18


def _write(file: Path, *streams: Pixels, change: Callable[[av.VideoStream], None] = lambda stream: None) -> Path:
    """A file of one video stream for each of the frames given; change: what is set on the last."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        opened = []
        for frames in streams:
            stream = container.add_stream("libx264", rate=25)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "yuv420p"
            opened.append(stream)
        change(opened[-1])
        for stream, frames in zip(opened, streams, strict=True):
            for pixels in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode())
    return file


def _interlaced(stream: av.VideoStream) -> None:
    stream.options = {"x264-params": "interlaced=1:tff=1"}


def _oblong(stream: av.VideoStream) -> None:
    stream.codec_context.sample_aspect_ratio = Fraction(16, 11)


def _transfer(number: int) -> Callable[[av.VideoStream], None]:
    def change(stream: av.VideoStream) -> None:
        stream.codec_context.color_trc = number

    return change


def _default(stream: av.VideoStream) -> None:
    stream.disposition = Disposition.default


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_interlaced, {"is_interlaced": True}),
        (_oblong, {"pixel_aspect": (16, 11)}),
        (_transfer(PQ), {"transfer": "PQ"}),
        (_transfer(HLG), {"transfer": "HLG"}),
        (_transfer(1), {}),
    ],
)
def test_a_header_tells_what_frames_do_not(tmp_path: Path, moving_frames, suffix, change, found) -> None:
    file = _write(tmp_path / f"a.{suffix}", moving_frames(5), change=change)

    assert probe(VideoFile(file)) == Probe("h264", "yuv420p", (64, 48), 25.0, **found)


@pytest.mark.parametrize(("change", "used"), [(lambda stream: None, (1, 2)), (_default, (2, 2))])
def test_which_of_two_streams_is_used_is_told(
    tmp_path: Path, moving_frames, change: Any, used: tuple[int, int]
) -> None:
    one, other = moving_frames(9), 255 - moving_frames(9)
    video = VideoFile(_write(tmp_path / "a.mkv", one, other, change=change))

    assert probe(video).stream == used
    (frame,) = video.frames(np.zeros(1, dtype=np.int64))
    assert np.abs(frame.pixels.astype(int) - (one, other)[used[0] - 1][0]).mean() < 20


def test_a_cover_is_no_second_video(tmp_path: Path, moving_frames) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        streams = [container.add_stream(codec, rate=25) for codec in ("libx264", "mjpeg")]
        for stream, form in zip(streams, ("yuv420p", "yuvj420p"), strict=True):
            stream.width, stream.height, stream.pix_fmt = 64, 48, form
        streams[1].disposition = Disposition.attached_pic
        for stream, count in zip(streams, (9, 1), strict=True):
            for pixels in moving_frames(count):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode())

    assert probe(VideoFile(tmp_path / "a.mp4")).stream == (1, 1)


@pytest.fixture
def strange(tmp_path: Path, moving_frames) -> Path:
    """A side of all kinds."""
    kinds = {"interlaced": _interlaced, "oblong": _oblong, "pq": _transfer(PQ), "hlg": _transfer(HLG), "usual": None}
    for seed, (name, change) in enumerate(kinds.items()):
        _write(
            tmp_path / "strange" / f"{name}.mkv", moving_frames(12, seed=seed), change=change or (lambda stream: None)
        )
    _write(tmp_path / "strange" / "two.mkv", moving_frames(12), moving_frames(12, seed=9), change=_default)
    return tmp_path / "strange"


SENTENCES = {
    "interlaced": "is interlaced, so that each frame mixes two moments; deinterlace such videos: interlaced.mkv",
    "pixel-aspect": "resize such videos to square pixels: oblong.mkv (16:11)",
    "hdr": "without tone mapping, which makes frames flat and grey; tone-map such videos: hlg.mkv (HLG), pq.mkv (PQ)",
    "several-streams": "programs on PyAV usually take the first: two.mkv (number 2 of 2)",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_compute_and_inspect_name_them(strange: Path, two_sides, pixels_protocol, code: str) -> None:
    result = evaluate(two_sides[0], strange, pixels_protocol(), settings=Settings(cache=None))
    (warned,) = [w.message for w in result.warnings if w.code == code]
    (inspected,) = [f.message for f in inspect(strange).findings if f.code == code]

    count = 2 if code == "hdr" else 1
    assert warned.startswith(f"of the fake videos {count} ") and warned.endswith(SENTENCES[code])
    assert inspected.startswith(f"of the videos {count} ") and inspected.endswith(SENTENCES[code])


def test_pixels_that_are_nearly_square_are_square() -> None:
    looks = [Appearance("a", (64, 48), Probe("h264", "yuv420p", (64, 48), 25.0, pixel_aspect=(255, 256)))]

    assert list(uncommon("videos", looks)) == []


def test_sides_of_other_transfers_are_told(
    two_sides, pixels_protocol, tmp_path: Path, moving_frames, write_frames
) -> None:
    for seed in range(3):
        _write(tmp_path / "pq" / f"{seed}.mkv", moving_frames(12, seed=seed), change=_transfer(PQ))
        write_frames(tmp_path / "frames" / f"{seed}", moving_frames(12, seed=seed))

    result = evaluate(tmp_path / "pq", tmp_path / "frames", pixels_protocol(), settings=Settings(cache=None))
    same = evaluate(two_sides[0], tmp_path / "frames", pixels_protocol(), settings=Settings(cache=None))

    (message,) = [w.message for w in result.warnings if w.code == "transfer-mismatch"]
    assert message == "the transfers differ between the sides: PQ for most real videos, SDR for most fake videos"
    assert "transfer-mismatch" not in {w.code for w in same.warnings}
    assert "transfer-mismatch" in {f.code for f in inspect(tmp_path / "pq", two_sides[0]).findings}
