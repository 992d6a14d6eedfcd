"""Frames at equal intervals and at others: times alone, real files, and what compute says of them."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.inspection.checkup import inspect
from fvd_bench.settings import Settings
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.frame_times import Time, rate_of, steady_rate, total_seconds, uneven, widest
from fvd_bench.videos.video import Pixels, read_clips


def _write_at(file: Path, frames: Pixels, times: list[int]) -> Path:
    """A lossless file whose frames are shown at these milliseconds."""
    file.parent.mkdir(exist_ok=True)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "bgr0"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for pixels, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def _write_gif(file: Path, frames: Pixels) -> Path:
    """Pillow merges a frame with the one before it that is equal."""
    file.parent.mkdir(exist_ok=True)
    first, *others = map(Image.fromarray, frames)
    first.save(file, save_all=True, append_images=others, duration=40)
    return file


@pytest.mark.parametrize(
    ("times", "tick", "rate"),
    [
        ([0, 3, 6, 10, 13, 16, 20, 23, 26], 0.01, 30.0),
        ([0, 4, 7, 10, 14, 17, 20, 24, 27], 0.01, 30.0),
        ([0, 4, 7, 10, 14, 17], 0.01, 30.0),
        ([0, 3, 6, 9], 0.01, pytest.approx(100 / 3)),
        ([0, 33, 66, 100, 133, 166, 200, 233, 266], 0.001, 30.0),
        ([0, 4, 8, 13, 17, 21, 25], 0.01, 24.0),
        ([0, 41708, 83417, 125125], 1e-6, pytest.approx(24000 / 1001, rel=1e-5)),
        ([0, 3, 9, 12], 0.01, None),
        ([0, 5], 0.01, 20.0),
        ([0], 0.01, None),
    ],
)
def test_delays_that_are_rounded_are_those_of_a_rate(times: list[int], tick: float, rate: object) -> None:
    assert steady_rate(times, tick) == rate


@pytest.mark.parametrize(
    ("suffix", "delays"), [("gif", [30, 30, 40]), ("webp", [33, 33, 34]), ("webp", [34, 33, 33]), ("png", [33, 33, 34])]
)
def test_animations_of_the_same_rate_as_a_video_are_not_told_to_differ(
    tmp_path: Path, moving_frames, write_video, pixels_protocol, suffix: str, delays: list[int]
) -> None:
    """Each of their frames has a delay in hundredths or thousandths of a second, and the first one is no rate."""
    (tmp_path / "fake").mkdir()
    for seed in range(3):
        write_video(tmp_path / "real" / f"{seed}.mp4", moving_frames(16, seed=seed), rate=30)
        first, *others = map(Image.fromarray, moving_frames(16, seed=seed + 9))
        shown = [delays[place % 3] for place in range(16)]
        first.save(tmp_path / "fake" / f"{seed}.{suffix}", save_all=True, append_images=others, duration=shown)

    result = evaluate(tmp_path / "real", tmp_path / "fake", pixels_protocol(frames=9), settings=Settings(cache=None))
    found = inspect(tmp_path / "real", tmp_path / "fake").findings

    assert not {"rate-mismatch", "mixed-rates", "variable-rate"} & {f.code for f in (*result.warnings, *found)}
    assert VideoFile(tmp_path / "fake" / f"0.{suffix}").probe().rate == pytest.approx(30, rel=0.003)


@pytest.mark.parametrize(
    ("times", "places", "intervals"),
    [
        ([0, 40, 80, 120], None, None),
        ([80, 0, 40], None, None),
        ([0, 33, 67, 100], None, None),
        ([0, 4, 8, 13, 17], None, None),
        ([0, 100, 205, 300, 400], None, None),
        ([0, 100, 212, 300, 400], None, (88.0, 112.0)),
        ([0, 40, 120, 160], None, (40.0, 80.0)),
        ([0, 2, 4, 7, 9], None, (2.0, 3.0)),
        ([0, 320, 640, 960], [0, 8, 16, 24], None),
        ([0, 80, 200, 240], [0, 2, 5, 6], None),
        ([0, 320, 680, 1000], [0, 8, 16, 24], (40.0, 45.0)),
        ([120, 40, 0], [3, 1, 0], None),
        ([40, 40, 40], [1, 1, 1], None),
        ([0, 500], None, None),
        ([], None, None),
    ],
)
def test_equal_intervals_are_told_from_others(times, places, intervals) -> None:
    assert uneven(times, 0.001, places) == intervals


@pytest.mark.parametrize(
    ("times", "last", "rate", "seconds"),
    [
        ([0, 40, 400], 40, 25.0, 0.44),
        ([0, 40, 400], 0, 25.0, 0.6),
        ([400, 0, 40], 40, None, 0.44),
        ([0, 33, 67, 100], 33, 30.0, 4 / 30),
        ([1000, 1040, 1080], 0, None, 0.12),
        ([40, 40], 40, 25.0, None),
        ([40], 40, 25.0, None),
        ([], 0, 25.0, None),
    ],
)
def test_times_say_how_long_a_video_is(times, last, rate, seconds) -> None:
    assert total_seconds(times, 0.001, last=last, rate=rate) == (seconds and pytest.approx(seconds, rel=1e-12))


@pytest.mark.parametrize(
    ("times", "stated", "rate"),
    [
        ([0, 33, 67, 100], 30.0, 30.0),
        ([0, 33, 67, 100], 15.0, 30.0),
        ([400, 0, 40], 25.0, 5.0),
        ([0, 40, 80], None, 25.0),
        ([40, 40], 25.0, None),
        ([], 25.0, None),
    ],
)
def test_times_say_how_many_frames_a_second_has(times, stated, rate) -> None:
    assert rate_of(times, 0.001, stated=stated) == rate


def test_the_widest_of_two() -> None:
    assert widest(None, None) is None
    assert widest((20.0, 40.0), None) == widest(None, (20.0, 40.0)) == (20.0, 40.0)
    assert widest((20.0, 40.0), (10.0, 30.0)) == (10.0, 40.0)


@pytest.mark.parametrize("head", [[1.0, 0.1], [1, 0], [1, 0.0], [1, float("nan")], [2**63, 0.1], [1], 1, "ab"])
def test_times_that_cannot_be_are_refused(head: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        Time.from_head(head)


@pytest.mark.parametrize("held", [True, False])
def test_a_clip_knows_the_intervals_between_its_own_frames(tmp_path: Path, moving_frames, held: bool) -> None:
    times = [40 * t for t in range(20)] + [760 + 90 * t for t in range(1, 6)]
    video = VideoFile(_write_at(tmp_path / "a.mkv", moving_frames(25), times))
    if held:
        assert video.num_frames == 25

    clips = dict(read_clips(video, [np.arange(16), np.arange(9, 25), np.arange(0, 20, 4), np.full(3, 7)]))

    assert [clips[n].intervals for n in range(4)] == [None, (40.0, 90.0), None, None]


def test_compute_warns_of_the_frames_that_it_used_and_again_from_the_store(
    two_sides, pixels_protocol, tmp_path: Path, moving_frames
) -> None:
    for n in range(4):
        late = [40 * t for t in range(16)] + [700 + 40 * t for t in range(4)]
        _write_at(tmp_path / "fake" / f"{n}.mkv", moving_frames(20, seed=n), late)
    _write_at(tmp_path / "fake" / "4.mkv", moving_frames(20), [40 * t + 60 * (t > 3) for t in range(20)])
    settings = Settings(cache=tmp_path / "store")

    found = [evaluate(two_sides[0], tmp_path / "fake", pixels_protocol(), settings=settings) for _ in range(2)]

    assert found[0].warnings == found[1].warnings
    (message,) = [w.message for w in found[0].warnings if w.code == "variable-rate"]
    assert message.startswith("1 fake video has frames in the clips that do not follow each other at equal intervals")
    assert message.endswith(": 4.mkv (40 to 100 ms between frames)")


def test_a_gif_of_merged_frames_is_told_and_one_that_is_too_short_says_why(
    two_sides, pixels_protocol, tmp_path: Path, moving_frames
) -> None:
    frames = moving_frames(16)
    frames[4:7] = frames[4]
    _write_gif(tmp_path / "fake" / "0.gif", frames)
    _write_gif(tmp_path / "fake" / "1.gif", frames[:10])
    _write_gif(tmp_path / "fake" / "2.gif", moving_frames(16, seed=1))

    result = evaluate(two_sides[0], tmp_path / "fake", pixels_protocol(), settings=Settings(cache=None))
    messages = {w.code: w.message for w in result.warnings}

    assert (
        "0.gif (40 to 120 ms between frames)" in messages["variable-rate"] and "2.gif" not in messages["variable-rate"]
    )
    assert messages["videos-skipped"] == (
        "1 fake video is skipped: 1.gif (too short: 8 frames decode, the clip needs 9; it is GIF, and the programs "
        "that write it merge frames that are equal)"
    )
    checkup = inspect(tmp_path / "fake")
    assert checkup.sides[0].mean_seconds == pytest.approx((16 + 10 + 16) * 0.04 / 3)
    short = [f.message for f in checkup.findings if f.code == "too-short"]
    assert "1.gif (8 frames of GIF, whose writer may have merged equal ones)" in short[0]


@pytest.mark.parametrize("suffix, form", [(".webp", "animated WebP"), (".png", "animated PNG")])
def test_other_animations_are_merged_and_told_too(
    two_sides, pixels_protocol, tmp_path: Path, moving_frames, suffix: str, form: str
) -> None:
    frames = moving_frames(16)
    frames[4:7] = frames[4]
    (tmp_path / "fake").mkdir()
    for number, (length, video) in enumerate([(16, frames), (10, frames), (16, moving_frames(16, seed=1))]):
        first, *others = map(Image.fromarray, video[:length])
        first.save(tmp_path / f"fake/{number}{suffix}", save_all=True, append_images=others, duration=40, lossless=True)

    result = evaluate(two_sides[0], tmp_path / "fake", pixels_protocol(), settings=Settings(cache=None))
    messages = {w.code: w.message for w in result.warnings}

    assert f"0{suffix} (40 to 120 ms between frames)" in messages["variable-rate"]
    assert f"8 frames decode, the clip needs 9; it is {form}, and the programs that" in messages["videos-skipped"]
    checkup = inspect(tmp_path / "fake")
    assert checkup.sides[0].mean_seconds == pytest.approx((16 + 10 + 16) * 0.04 / 3)
    short = [f.message for f in checkup.findings if f.code == "too-short"]
    assert f"1{suffix} (8 frames of {form}, whose writer may have merged equal ones)" in short[0]
