"""A decoder that crashes, hangs or takes too much costs one video, and none outlives its run."""

import dataclasses
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path, PurePath

import numpy as np
import pytest

from fvd_bench.errors import VideoError
from fvd_bench.videos.decoding import meter, process
from fvd_bench.videos.decoding import pool as decoders_module
from fvd_bench.videos.decoding import stream as video_stream
from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.decoding.meter import Meter
from fvd_bench.videos.decoding.pool import DECODERS, Decoders
from fvd_bench.videos.file import VideoFile

MORE_FRAMES = 1000
"""Of 64 × 48 pixels, 9 kB each: nine times what fits into a pipe, so the decoder is in the middle of its work."""


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_video) -> Path:
    frames = np.concatenate([moving_frames(100)] * (MORE_FRAMES // 100))
    return write_video(tmp_path_factory.mktemp("videos") / "long.mkv", frames, codec="mpeg4")


def _all(video: VideoFile) -> np.ndarray:
    return np.stack([frame.pixels for frame in video.frames(np.arange(video.num_frames))])


def _process(decoders: Decoders) -> int:
    (number,) = decoders.processes()
    return number


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
        status = Path(f"/proc/{process}/stat")
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:  # also while its status is read
        return False


def _wait_until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_decoder_killed_in_the_middle_costs_its_video_alone(closing_decoders, file: Path, long_file: Path) -> None:
    decoders = closing_decoders(Limits())
    video = VideoFile(long_file, decoders=decoders)
    frames = video.frames(np.arange(MORE_FRAMES))
    next(frames)
    first = _process(decoders)

    os.kill(first, signal.SIGSEGV)

    with pytest.raises(VideoError, match=r"the decoder died \(signal 11, SIGSEGV\); convert the video"):
        list(frames)
    assert VideoFile(file, decoders=decoders).num_frames == 30
    assert _process(decoders) != first


def test_what_killed_one_decoder_is_not_given_to_the_next(closing_decoders, long_file: Path) -> None:
    decoders = closing_decoders(Limits())
    video = VideoFile(long_file, decoders=decoders)
    frames = video.frames(np.arange(MORE_FRAMES))
    next(frames)
    os.kill(_process(decoders), signal.SIGABRT)
    with pytest.raises(VideoError, match="SIGABRT"):
        list(frames)

    with pytest.raises(VideoError, match="SIGABRT"):
        _ = video.num_frames

    assert decoders.processes() == []


def test_a_decoder_that_stands_still_is_ended(closing_decoders, file: Path, long_file: Path) -> None:
    decoders = closing_decoders(Limits(silence_seconds=2))
    frames = VideoFile(long_file, decoders=decoders).frames(np.arange(MORE_FRAMES))
    next(frames)

    os.kill(_process(decoders), signal.SIGSTOP)

    with pytest.raises(VideoError, match=r"no sign of life for 2 seconds; convert the video"):
        list(frames)
    assert VideoFile(file, decoders=decoders).num_frames == 30


class _AnyFiles:
    """Files on disk that are given to FFmpeg whatever they are."""

    def source(self, path: PurePath) -> str:
        return str(path)

    def state(self, path: PurePath) -> bytes:
        return b""


@pytest.mark.parametrize("ask", [lambda v: v.num_frames, lambda v: v.probe(), lambda v: v.track()])
def test_a_file_that_never_gives_a_byte_is_given_up(closing_decoders, tmp_path: Path, ask) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    video = VideoFile(tmp_path / "a.mp4", _AnyFiles(), decoders=closing_decoders(Limits(silence_seconds=1)))

    with pytest.raises(VideoError, match=r"no sign of life for 1 seconds"):
        ask(video)


def test_a_slow_consumer_is_no_slow_decoder(closing_decoders, long_file: Path) -> None:
    video = VideoFile(long_file, decoders=closing_decoders(Limits(silence_seconds=1)))
    frames = video.frames(np.arange(MORE_FRAMES))
    next(frames)

    time.sleep(2)

    assert len(list(frames)) == MORE_FRAMES - 1


def test_counting_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setattr(meter, "_ALIVE_SECONDS", 0)
    signs: list[None] = []

    with video_stream.open_stream(str(file), Limits(), Meter(Limits(), lambda: signs.append(None))) as stream:
        assert len(list(stream.frames())) == 30

    assert len(signs) >= 30


def test_frames_without_end_are_given_up(closing_decoders, long_file: Path) -> None:
    video = VideoFile(long_file, decoders=closing_decoders(Limits(decode_seconds=0.005)))

    with pytest.raises(
        VideoError, match=r"not decoded after 0\.005 seconds of processor time and [\d,]+ frames: cut it"
    ):
        _ = video.num_frames


def test_large_frames_are_refused_by_their_header(closing_decoders, file: Path) -> None:
    video = VideoFile(file, decoders=closing_decoders(Limits(pixels=64 * 48 - 1)))

    with pytest.raises(VideoError, match=r"frames are 64×48: at most 3,071 pixels are decoded; .* smaller copy"):
        _ = video.num_frames
    assert VideoFile(file, decoders=closing_decoders(Limits(pixels=64 * 48))).num_frames == 30


def test_an_absurd_header_is_refused(closing_decoders, tmp_path: Path, moving_frames, write_video) -> None:
    """A gif of 65535 × 65535 and one of 16000 × 16000, in a few hundred bytes."""
    data = bytearray(write_video(tmp_path / "a.gif", moving_frames(3), codec="gif", pix_fmt="rgb8").read_bytes())
    decoders = closing_decoders(Limits())
    for side, message in ((65535, "a header with an impossible frame size"), (16000, "frames are 16000×16000")):
        data[6:10] = struct.pack("<HH", side, side)
        (tmp_path / "b.gif").write_bytes(data)

        with pytest.raises(VideoError, match=message):
            _ = VideoFile(tmp_path / "b.gif", decoders=decoders).num_frames


def test_an_answer_larger_than_any_frame_is_not_read(
    closing_decoders, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    """As of a decoder that a video has made its own: here one that was told of other limits."""
    monkeypatch.setattr(process, "asdict", lambda limits: {**dataclasses.asdict(limits), "pixels": 2**27})
    video = VideoFile(file, decoders=closing_decoders(Limits(pixels=64 * 48 - 1)))

    with pytest.raises(VideoError, match="the decoder's answer makes no sense"):
        _all(video)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit address space")
def test_memory_is_limited(closing_decoders, tmp_path: Path, file: Path, write_video) -> None:
    """To 32 MB above what the process takes by itself; a frame of 24 million pixels in RGB is 72 MB."""
    large = write_video(tmp_path / "a.mov", np.zeros((1, 4000, 6000, 3), np.uint8), codec="png", pix_fmt="rgb24")
    decoders = closing_decoders(Limits())
    assert VideoFile(file, decoders=decoders).num_frames == 30
    status = Path(f"/proc/{_process(decoders)}/status").read_text()
    peak_kb = int(status.partition("VmPeak:")[2].split()[0])
    limited = closing_decoders(Limits(memory_bytes=1024 * peak_kb + 2**25))

    with pytest.raises(VideoError, match=r"takes more than 0\.\d+ GiB of memory to decode: make a smaller copy"):
        _ = VideoFile(large, decoders=limited).num_frames

    assert VideoFile(file, decoders=limited).num_frames == 30
    assert VideoFile(large, decoders=decoders).num_frames == 1


def test_many_threads_read_what_one_reads(closing_decoders, tmp_path: Path, moving_frames, write_video) -> None:
    files = [write_video(tmp_path / f"{seed}.mp4", moving_frames(20, seed=seed)) for seed in range(8)]
    expected = [_all(VideoFile(file)) for file in files]
    decoders = closing_decoders(Limits())

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda file: _all(VideoFile(file, decoders=decoders)), files * 2))

    assert len(decoders.processes()) <= 4
    for k, frames in enumerate(found):
        np.testing.assert_array_equal(frames, expected[k % len(files)])


def test_evaluation_after_evaluation_needs_no_more_processes(closing_decoders, file: Path) -> None:
    """Each looks at a video in the main thread, then reads in two threads of its own, as a training loop would."""
    decoders = closing_decoders(Limits())
    for _ in range(3):
        _all(VideoFile(file, decoders=decoders))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda file: _all(VideoFile(file, decoders=decoders)), [file] * 4))

    assert len(decoders.processes()) <= 3


def test_videos_read_in_turns_do_not_disturb_each_other(
    closing_decoders, tmp_path: Path, moving_frames, write_video
) -> None:
    files = [write_video(tmp_path / f"{seed}.mp4", moving_frames(20, seed=seed)) for seed in range(3)]
    expected = [_all(VideoFile(file)) for file in files]
    videos = [VideoFile(file, decoders=closing_decoders(Limits())) for file in files]

    found = zip(*(video.frames(np.arange(20)) for video in videos), strict=True)

    for t, frames in enumerate(found):
        for frame, right in zip(frames, expected, strict=True):
            np.testing.assert_array_equal(frame.pixels, right[t])


def test_a_counted_video_is_decoded_once(closing_decoders, file: Path) -> None:
    video = VideoFile(file, decoders=closing_decoders(Limits()))

    assert len(_all(video)) == video.decoded == 30


def test_frames_left_unread_do_no_harm(closing_decoders, file: Path, long_file: Path) -> None:
    decoders = closing_decoders(Limits())
    expected = _all(VideoFile(file))
    for _ in range(3):
        first = list(islice(VideoFile(long_file, decoders=decoders).frames(np.arange(MORE_FRAMES)), 2))
        assert len(first) == 2

        np.testing.assert_array_equal(_all(VideoFile(file, decoders=decoders)), expected)


def test_a_first_look_keeps_its_decoder(closing_decoders, file: Path) -> None:
    decoders = closing_decoders(Limits())
    next(iter(VideoFile(file, decoders=decoders).frames(np.zeros(1, dtype=np.int64))))
    process = _process(decoders)

    assert VideoFile(file, decoders=decoders).num_frames == 30
    assert _process(decoders) == process


def test_idle_decoders_end(closing_decoders, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders_module, "_IDLE_SECONDS", 0.2)
    ours = closing_decoders(Limits(silence_seconds=3))  # the watch looks 20 times a second
    assert VideoFile(file, decoders=ours).num_frames == 30
    process = _process(ours)

    _wait_until(lambda: not _runs(process))

    assert VideoFile(file, decoders=ours).num_frames == 30


PROGRAM = """
import os, sys, time
from pathlib import Path
import numpy as np
from fvd_bench.videos.decoding.pool import DECODERS
from fvd_bench.videos.file import VideoFile
frames = VideoFile(Path(sys.argv[1])).frames(np.arange({frames}))
next(frames)
try:
    print(*DECODERS.processes(), flush=True)
    {then}
except KeyboardInterrupt:
    print(sum(1 for _ in frames), flush=True)
"""


def _start(file: Path, then: str) -> tuple[subprocess.Popen[str], int]:
    """A program in the middle of a video, in a group of its own as a terminal would have it, and its decoder."""
    command = [sys.executable, "-c", PROGRAM.format(then=then, frames=MORE_FRAMES), str(file)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = subprocess.Popen(command, **pipes, text=True, start_new_session=True)
    assert running.stdout is not None
    decoder = int(running.stdout.readline())
    return running, decoder


@pytest.mark.parametrize("then", ["pass", "raise KeyError", "os._exit(0)"])
def test_decoders_end_with_their_program(long_file: Path, then: str) -> None:
    running, decoder = _start(long_file, then)

    running.communicate(timeout=20)

    _wait_until(lambda: not _runs(decoder))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_decoders_end_with_a_killed_program(long_file: Path, number: int) -> None:
    running, decoder = _start(long_file, "time.sleep(60)")

    running.send_signal(number)

    running.communicate(timeout=20)
    _wait_until(lambda: not _runs(decoder))


def test_ctrl_c_is_the_business_of_the_program(long_file: Path) -> None:
    """It reaches the decoder as well, which goes on until its program is done."""
    running, decoder = _start(long_file, "time.sleep(60)")

    os.killpg(running.pid, signal.SIGINT)

    output, complaints = running.communicate(timeout=20)
    assert output.strip() == str(MORE_FRAMES - 1)
    assert complaints == ""
    _wait_until(lambda: not _runs(decoder))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # newer Pythons warn of threads
def test_a_forked_program_has_decoders_of_its_own(file: Path) -> None:
    expected = VideoFile(file).num_frames
    ours = DECODERS.processes()
    child = os.fork()
    if child == 0:
        same = VideoFile(file).num_frames == expected
        os._exit(0 if same and not set(DECODERS.processes()) & set(ours) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert DECODERS.processes() == ours
    assert VideoFile(file).num_frames == expected
