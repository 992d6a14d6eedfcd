"""Seeking gives exactly the frames that decoding from the start gives, and decodes fewer."""

import zipfile
from fractions import Fraction
from pathlib import Path, PurePosixPath

import av
import numpy as np
import pytest

from fvd_bench.errors import ShortVideoError
from fvd_bench.sources.zips import Archive
from fvd_bench.videos.decoding import index as frame_index
from fvd_bench.videos.decoding.index import Entry, FrameIndex
from fvd_bench.videos.decoding.pool import Decoders
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.video import Pixels

FRAMES = 150


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, moving_frames) -> Path:
    return _write(tmp_path_factory.mktemp("videos") / "a.mp4", moving_frames(FRAMES), codec="libx264", g="20", bf="3")


def _from_the_start(file: Path) -> Pixels:
    """Every frame as PyAV gives it here, without anything of ours."""
    with av.open(str(file)) as container:
        return np.stack([frame.to_ndarray(format="rgb24", threads=1) for frame in container.decode(video=0)])


def _write(file: Path, frames: Pixels, *, codec: str, times: list[int] | None = None, **options: object) -> Path:
    """times: of the frames in hundredths of a second; None for 25 frames a second."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25), options={k: str(v) for k, v in options.items()})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 100 if times else 25)
        for t, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = times[t] if times else t
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def _check(video: VideoFile, expected: Pixels) -> int:
    """Read clips near every tenth of a counted video; returns how many frames that decoded."""
    assert video.num_frames == len(expected)
    before = video.decoded
    for tenth in range(10):
        first = tenth * len(expected) // 10
        for indices in (np.arange(first, min(first + 5, len(expected))), np.array([first, len(expected) - 1])):
            indices = np.unique(indices)
            found = [frame.pixels for frame in video.frames(indices)]
            np.testing.assert_array_equal(found, expected[indices])
    return video.decoded - before


def _from_the_start_decodes(length: int) -> int:
    """Frames that the reads of `_check` decode without seeking."""
    ends = [min(tenth * length // 10 + 5, length) for tenth in range(10)]
    return sum(ends) + 10 * length


CODINGS: dict[str, dict[str, object]] = {
    "b-frames.mp4": {"codec": "libx264", "g": 20, "bf": 3},
    "b-frames.mkv": {"codec": "libx264", "g": 20, "bf": 3},
    "pyramid.mp4": {"codec": "libx264", "g": 24, "bf": 7, "x264-params": "b-pyramid=normal:ref=5:scenecut=0"},
    "open-gop.mp4": {"codec": "libx264", "x264-params": "open-gop=1:keyint=20:bframes=3:scenecut=0"},
    "open-gop.mkv": {"codec": "libx264", "x264-params": "open-gop=1:keyint=20:bframes=3:scenecut=0"},
    "open-gop-hevc.mp4": {"codec": "libx265", "x265-params": "open-gop=1:keyint=20:bframes=3:log-level=none"},
    "mpeg4-b.avi": {"codec": "mpeg4", "g": 20, "bf": 2},
    "mpeg2-open-gop.ts": {"codec": "mpeg2video", "g": 15, "bf": 2},
    "vp9.webm": {"codec": "libvpx-vp9", "g": 20, "deadline": "realtime", "cpu-used": 8},
    "intra.mkv": {"codec": "mjpeg", "strict": "unofficial"},
    "rate.mp4": {"codec": "libx264", "g": 20, "bf": 3},
    "rate.mkv": {"codec": "libx264", "g": 20, "bf": 3},
}


@pytest.mark.parametrize("name", CODINGS)
def test_seeking_is_exact(tmp_path: Path, decoders: Decoders, moving_frames, name: str) -> None:
    """And decodes less than half. Lines of 54 pixels are padded, with what other frames left there."""
    rng = np.random.default_rng(5)
    times = np.cumsum(rng.integers(1, 12, FRAMES)).tolist() if name.startswith("rate") else None
    try:
        file = _write(tmp_path / name, moving_frames(FRAMES, 48, 54), times=times, **CODINGS[name])
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this FFmpeg has no {CODINGS[name]['codec']}")

    decoded = _check(VideoFile(file, decoders=decoders), _from_the_start(file))

    assert decoded < _from_the_start_decodes(FRAMES) / 2


def _spoil_checksums(entries: np.ndarray) -> None:
    entries["checksum"] ^= 1


def _spoil_times(entries: np.ndarray) -> None:
    entries["time"] += entries["time"][1] - entries["time"][0]


def _spoil_keys(entries: np.ndarray) -> None:
    entries["key"] = True


@pytest.mark.parametrize("spoil", [_spoil_checksums, _spoil_times, _spoil_keys])
def test_a_wrong_index_costs_time_and_no_frame(decoders: Decoders, file: Path, spoil) -> None:
    video = VideoFile(file, decoders=decoders)
    assert video.num_frames == FRAMES
    entries = np.frombuffer(video._index, dtype=frame_index._ENTRY).copy()
    spoil(entries)
    video._index = entries.tobytes()

    _check(video, _from_the_start(file))


def test_another_file_in_its_place_gives_its_own_frames(
    tmp_path: Path, decoders: Decoders, file: Path, moving_frames
) -> None:
    changing = tmp_path / "a.mp4"
    changing.write_bytes(file.read_bytes())
    video = VideoFile(changing, decoders=decoders)
    assert video.num_frames == FRAMES

    _write(changing, moving_frames(FRAMES, seed=8), codec="libx264", g=20, bf=3)

    _check(video, _from_the_start(changing))


def test_members_of_archives_are_sought(tmp_path: Path, decoders: Decoders, file: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(file, "class/a.mp4")
    video = VideoFile(PurePosixPath("class/a.mp4"), Archive(tmp_path / "a.zip"), decoders=decoders)

    decoded = _check(video, _from_the_start(file))

    assert decoded < _from_the_start_decodes(FRAMES) / 2


def test_damage_is_told_of_frames_that_are_sought(tmp_path: Path, decoders: Decoders, moving_frames) -> None:
    file = _write(tmp_path / "a.mp4", moving_frames(60, 64, 96, seed=3), codec="libx264", g=12, movflags="+faststart")
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = b"\xa5" * 200
    file.write_bytes(data)
    video = VideoFile(file, decoders=decoders)
    flags = [frame.damaged for frame in video.frames(np.arange(video.num_frames))]
    assert any(flags)
    before = video.decoded

    assert [frame.damaged for t in range(len(flags)) for frame in video.frames(np.array([t]))] == flags
    assert video.decoded - before < len(flags) ** 2 / 4


def test_asking_behind_the_end_says_how_many_there_are(decoders: Decoders, file: Path) -> None:
    video = VideoFile(file, decoders=decoders)
    assert video.num_frames == FRAMES

    with pytest.raises(ShortVideoError, match=f"{FRAMES} frames decode, the clip needs {FRAMES + 3}"):
        list(video.frames(np.array([FRAMES - 2, FRAMES + 2])))


def test_a_stream_without_times_is_not_sought(tmp_path: Path, decoders: Decoders, moving_frames) -> None:
    bare = _write(tmp_path / "a.h264", moving_frames(FRAMES), codec="libx264", g=20, bf=0)
    video = VideoFile(bare, decoders=decoders)

    decoded = _check(video, _from_the_start(bare))

    assert decoded == _from_the_start_decodes(FRAMES)


@pytest.mark.parametrize("times", [[0, 1, 1], [0, 2, 1], [0, None, 2]])
def test_times_that_do_not_rise_make_no_index(times: list[int | None]) -> None:
    entries = [None if time is None else Entry(time, 0, key=True, damaged=False) for time in times]

    assert FrameIndex.of(entries) is None
    assert FrameIndex.of([Entry(t, 0, key=t != 1, damaged=False) for t in range(3)]) is not None


def test_an_index_survives_its_bytes() -> None:
    entries = [Entry(-5, 2**32 - 1, True, False), Entry(0, 7, False, True), Entry(2**40, 0, True, False)]
    index = FrameIndex.of(entries)
    assert index is not None

    read = FrameIndex.from_bytes(index.to_bytes())

    assert [read[place] for place in range(len(read))] == entries
    assert [read.keyframe(place) for place in range(3)] == [0, 0, 2]
