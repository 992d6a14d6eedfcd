"""How much memory a run takes: bounded by a budget and the size of one clip, not by what strangers' files hold."""

import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import MetricError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.features import extraction
from fvd_bench.settings import Settings
from fvd_bench.videos import video

FRAMES, SIDE = 9, 256
CLIP_BYTES = FRAMES * SIDE * SIDE * 3


@pytest.fixture(scope="module")
def large_sides(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_video) -> tuple[Path, Path]:
    """Two real and 24 fake videos whose clips are larger than the budget of two workers below."""
    folder = tmp_path_factory.mktemp("large")
    for side, videos in (("real", 2), ("fake", 24)):
        for number in range(videos):
            frames = moving_frames(FRAMES, SIDE, SIDE, seed=number)
            write_video(folder / side / f"{number}.mp4", frames, codec="mpeg4", pix_fmt="yuv420p")
    return folder / "real", folder / "fake"


def test_clips_in_flight_are_bounded_by_their_bytes(large_sides, pixels_protocol, monkeypatch) -> None:
    protocol = pixels_protocol(frames=FRAMES, images='jpeg = { fake = "always" }')
    settings = Settings(cache=None, workers=8)
    expected = evaluate(*large_sides, protocol, settings=settings)
    monkeypatch.setattr(extraction, "_BYTES_PER_WORKER", CLIP_BYTES // 8)

    tracemalloc.start()
    found = evaluate(*large_sides, protocol, settings=settings)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found.value == pytest.approx(expected.value, rel=1e-9)
    assert [score.fake.clips for score in found.scores] == [24]
    # One within the budget, the one whose turn it is, four that the network has, four that wait for a full batch, and a
    # few frames on their way. Eight workers without that budget come to 18 clips.
    assert peak < 13 * CLIP_BYTES


def test_large_clips_do_not_wait_for_a_full_batch(large_sides, pixels_protocol, monkeypatch) -> None:
    from fvd_bench.features import batches

    sizes: list[int] = []
    original = batches.Batches._run

    def run(self: batches.Batches, rule, alike) -> None:
        sizes.append(len(self._waiting[rule, alike]))
        original(self, rule, alike)

    monkeypatch.setattr(batches.Batches, "_run", run)
    expected = evaluate(*large_sides, pixels_protocol(), settings=Settings(cache=None))
    assert max(sizes) == 4
    sizes.clear()
    monkeypatch.setattr(batches, "_MOST_WAITING_BYTES", CLIP_BYTES)

    assert evaluate(*large_sides, pixels_protocol(), settings=Settings(cache=None)).value == pytest.approx(
        expected.value, rel=1e-9
    )
    assert set(sizes) == {1}


def test_a_clip_that_is_too_large_is_refused_before_it_is_read(large_sides, pixels_protocol, monkeypatch) -> None:
    monkeypatch.setattr(video, "MOST_CLIP_BYTES", CLIP_BYTES - 1)
    real, _ = large_sides  # whose videos are two: each that is refused costs its decoder

    with pytest.raises(
        MetricError, match=r"a clip of 9 frames of 256×256 takes .* GiB: at most .* make a smaller copy"
    ):
        evaluate(real, real, pixels_protocol(), settings=Settings(cache=None))


def test_copying_a_clip_lets_go_of_its_frames() -> None:
    class Frames:
        num_frames = FRAMES

        def frames(self, indices):
            return (video.Frame(np.full((SIDE, SIDE, 3), i, dtype=np.uint8)) for i in indices.tolist())

    tracemalloc.start()
    ((_, clip),) = video.read_clips(Frames(), [np.arange(FRAMES)])  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert clip.frames[:, 0, 0, 0].tolist() == list(range(FRAMES))
    assert peak < 2.3 * CLIP_BYTES  # the array is reckoned whole, its pages are taken one by one


@pytest.mark.slow
def test_a_whole_run_over_huge_frames_stays_within_its_limit(tmp_path: Path, pixels_protocol, write_video) -> None:
    """Small files of 9 frames of 4096 × 4096, which took 5.1 GiB in the program's own process alone."""
    for side in ("real", "fake"):
        for number in range(2):
            frames = np.full((FRAMES, 4096, 4096, 3), 40 * number + 20, dtype=np.uint8)
            frames += np.arange(FRAMES, dtype=np.uint8)[:, None, None, None]
            write_video(tmp_path / side / f"{number}.mp4", frames, codec="mpeg4", pix_fmt="yuv420p")
    protocol = pixels_protocol(images="resize = { size = 64 }")
    options = ["--real", tmp_path / "real", "--fake", tmp_path / "fake", "--protocol", protocol, "--no-cache"]

    most: dict[int, int] = {}
    with subprocess.Popen([sys.executable, "-m", "fvd_bench", "compute", *options, "--workers", "4"]) as run:
        while run.poll() is None:
            most |= {pid: max(most.get(pid, 0), peak) for pid, peak in _peaks(run.pid).items()}
            time.sleep(0.02)

    assert run.returncode == 0
    assert len(most) > 1  # decoding processes count as well
    assert most[run.pid] < 3 * 2**30
    assert sum(most.values()) < 6 * 2**30


def _peaks(parent: int) -> dict[int, int]:
    """The most bytes that a process and its children have had in memory so far, by their numbers."""
    found: dict[int, int] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            lines = (line.split(":", 1) for line in (process / "status").read_text().splitlines())
            status = {key: value.split() for key, value in lines}
        except OSError:  # it has just ended
            continue
        if parent in (int(process.name), int(status["PPid"][0])) and "VmHWM" in status:
            found[int(process.name)] = int(status["VmHWM"][0]) * 1024
    return found
