"""Headers of real small files."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fvd_bench.errors import VideoError
from fvd_bench.videos.decoding import process
from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.images import FrameFolder
from fvd_bench.videos.probe import probe


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


def test_headers_are_read_in_the_decoding_process(
    closing_decoders, tmp_path: Path, moving_frames, write_video, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_video(tmp_path / "a.mp4", moving_frames(5))
    decoders = closing_decoders(Limits())
    video = VideoFile(file, decoders=decoders)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("opened in the process that asks")

    monkeypatch.setattr(av, "open", refuse)

    assert probe(video).size == (64, 48)
    assert video.track().packets == 5
    assert len(decoders.processes()) == 1
    assert video.decoded == 0


def test_frames_that_were_held_are_right_after_a_look_at_the_header(tmp_path: Path, moving_frames, write_video) -> None:
    video = VideoFile(write_video(tmp_path / "a.mp4", moving_frames(5)))
    every = np.arange(video.num_frames)
    before = np.stack([frame.pixels for frame in video.frames(every)])

    video.probe()

    np.testing.assert_array_equal(np.stack([frame.pixels for frame in video.frames(every)]), before)


@pytest.mark.parametrize("ask", [probe, VideoFile.track])
def test_frames_above_the_limit_are_a_bad_video(closing_decoders, tmp_path: Path, moving_frames, write_video, ask
        ) -> None:  # fmt: skip
    file = write_video(tmp_path / "a.mp4", moving_frames(5))

    with pytest.raises(VideoError, match="frames are 64×48: at most 1,000 pixels are decoded"):
        ask(VideoFile(file, decoders=closing_decoders(Limits(pixels=1000))))


@pytest.mark.parametrize("ask", [probe, VideoFile.track, lambda video: video.num_frames])
def test_a_codec_that_nobody_knows_is_told_in_a_sentence(tmp_path: Path, moving_frames, write_video, ask) -> None:
    file = write_video(tmp_path / "a.mkv", moving_frames(5), codec="ffv1", pix_fmt="bgr0")
    data = file.read_bytes()
    assert data.count(b"V_FFV1") == 1
    file.write_bytes(data.replace(b"V_FFV1", b"V_NONE"))

    with pytest.raises(VideoError, match=r"^holds no video stream that can be decoded$"):
        ask(VideoFile(file))


@pytest.mark.parametrize("answer", [{"kind": "header"}, {"kind": "header", "packets": 10**18}])
@pytest.mark.parametrize("ask", [probe, VideoFile.track])
def test_an_answer_that_makes_no_sense_is_a_bad_video(
    closing_decoders, tmp_path: Path, moving_frames, write_video, monkeypatch: pytest.MonkeyPatch, answer, ask
) -> None:
    monkeypatch.setattr(process, "_DYING_SECONDS", 0.1)
    monkeypatch.setattr(process.Decoder, "_answer", lambda self: (answer, None))
    file = write_video(tmp_path / "a.mp4", moving_frames(5))

    with pytest.raises(VideoError, match="makes no sense"):
        ask(VideoFile(file, decoders=closing_decoders(Limits())))
