"""Each defect in a folder that has it and in none that has not."""

import json
import re
import shutil
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fvd_bench.errors import SourceError
from fvd_bench.inspection.checkup import Checkup, inspect
from fvd_bench.inspection.faults import FAULTS
from fvd_bench.inspection.summary import folders_of, histogram
from fvd_bench.reports.page import checkup_page

DOC = Path(__file__).parents[3] / "docs" / "inspect.md"


@pytest.fixture(scope="module")
def healthy_videos(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_video) -> Path:
    folder = tmp_path_factory.mktemp("healthy")
    for seed in range(3):
        write_video(folder / f"{seed}.mp4", moving_frames(130 + seed, seed=seed))
    return folder


@pytest.fixture
def healthy(tmp_path: Path, healthy_videos: Path) -> Path:
    """Three videos that FVD16 can use, and FVD128 too; a copy that tests may change."""
    return shutil.copytree(healthy_videos, tmp_path / "healthy")


def _found(checkup: Checkup) -> dict[str, list[str]]:
    """Code -> videos that are named."""
    return {finding.code: list(finding.videos) for finding in checkup.findings}


def test_healthy_videos_have_no_defects(healthy: Path) -> None:
    checkup = inspect(healthy)

    assert checkup.findings == ()
    (side,) = checkup.sides
    assert (side.videos, side.decoded, side.timed) == (3, 3, 3)
    assert side.mean_frames == 131
    assert side.mean_seconds == pytest.approx(131 / 25)
    assert side.hours == pytest.approx(3 * 131 / 25 / 3600)
    assert (side.fps, side.sizes, side.codecs) == ({"25": 3}, {"64×48": 3}, {"h264": 3})
    assert (side.pixel_formats, side.jpeg_qualities) == ({"yuv420p": 3}, {})
    assert [(need.protocol, need.side, need.frames, need.videos) for need in side.needs] == [
        ("stylegan-v-fvd16", "both", 16, 3),
        ("stylegan-v-fvd128", "both", 128, 3),
        ("stylegan-v-fid", "real", 1, 3),
        ("stylegan-v-fid", "fake", 16, 3),
    ]


def test_the_rate_of_a_file_is_that_of_its_times(tmp_path: Path, moving_frames) -> None:
    """As of the lengths: here the header says 30 frames a second, and a frame comes every 15th part of one."""
    with av.open(str(tmp_path / "slow.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "bgr0"
        for number, pixels in enumerate(moving_frames(30)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = 2 * number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())

    (side,) = inspect(tmp_path).sides

    assert (side.fps, side.mean_seconds) == ({"15": 1}, pytest.approx(2.0, abs=0.04))  # the last one is shown for half


def _cut(file: Path, part: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * part)])


def test_files_that_break_off_are_truncated(healthy: Path, moving_frames, write_video) -> None:
    """An MP4 promises frames in its header, a Matroska file a length."""
    _cut(write_video(healthy / "cut.mp4", moving_frames(130, seed=7)), 0.7)
    _cut(write_video(healthy / "cut-too.mkv", moving_frames(130, seed=8)), 0.7)

    found = _found(inspect(healthy))

    assert found["truncated"] == ["cut.mp4", "cut-too.mkv"]


def test_frames_with_errors_are_damaged(healthy: Path, moving_frames, write_video) -> None:
    file = write_video(healthy / "broken.mp4", moving_frames(130, seed=7))
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = b"\xff" * 40
    file.write_bytes(bytes(data))

    assert _found(inspect(healthy))["damaged"] == ["broken.mp4"]


def test_what_does_not_decode_is_unreadable(healthy: Path, write_frames, moving_frames) -> None:
    (healthy / "garbage.mp4").write_bytes(b"no video" * 100)
    write_frames(healthy / "sizes", moving_frames(2))
    write_frames(healthy / "sizes2", moving_frames(2, height=20))
    shutil.copy(healthy / "sizes2" / "1.png", healthy / "sizes" / "2.png")

    checkup = inspect(healthy)

    assert _found(checkup)["unreadable"] == ["garbage.mp4", "sizes"]
    assert (checkup.sides[0].videos, checkup.sides[0].decoded) == (6, 4)


def test_videos_are_too_short_only_for_what_was_asked(
    healthy: Path, moving_frames, write_video, pixels_protocol
) -> None:
    write_video(healthy / "short.mp4", moving_frames(20, seed=9))

    asked, usual = inspect(healthy, protocol=pixels_protocol(frames=30)), inspect(healthy)

    found = [finding.message for finding in asked.findings if finding.code == "too-short"]
    assert found == ["1 video: too short for pixels, which needs 30 frames: short.mp4 (20 frames)"]
    assert "too-short" not in _found(usual)
    assert ("stylegan-v-fvd128", 128) in [(need.protocol, need.frames) for need in usual.sides[0].needs]


def test_black_and_frozen_videos_are_told_apart(healthy: Path, moving_frames, write_video) -> None:
    still = np.repeat(moving_frames(1, seed=5), 130, axis=0)
    write_video(healthy / "black.mp4", np.zeros_like(still))
    write_video(healthy / "still.mp4", still)

    found = _found(inspect(healthy))

    assert (found["black"], found["frozen"]) == (["black.mp4"], ["still.mp4"])


def test_copies_and_other_containers_of_one_video_are_duplicates(
    tmp_path: Path, moving_frames, write_video, write_frames
) -> None:
    frames = moving_frames(20, seed=3)
    file = write_video(tmp_path / "a" / "1.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    shutil.copy(file, tmp_path / "a" / "2.mkv")
    write_frames(tmp_path / "a" / "3", frames)
    write_video(tmp_path / "a" / "4.mkv", moving_frames(20, seed=4), codec="ffv1", pix_fmt="bgr0")

    found = _found(inspect(tmp_path / "a"))

    assert found["duplicate-files"] == ["2.mkv"]
    assert found["duplicate-frames"] == ["3"]


def test_continuations_of_one_image_are_told_and_fades_from_black_are_not(
    tmp_path: Path, moving_frames, write_video
) -> None:
    first = moving_frames(1, seed=9)
    for number in range(4):
        start = first if number < 2 else np.zeros_like(first)
        frames = np.concatenate([start, moving_frames(19, seed=number)])
        write_video(tmp_path / "a" / f"{number}.mkv", frames, codec="ffv1", pix_fmt="bgr0")

    assert _found(inspect(tmp_path / "a"))["duplicate-starts"] == ["1.mkv"]


def test_videos_of_both_sides_are_told(tmp_path: Path, healthy: Path, moving_frames, write_video, write_frames) -> None:
    frames = moving_frames(20, seed=3)
    write_video(healthy / "lossless.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    shutil.copytree(healthy, tmp_path / "other")
    for name in ("1.mp4", "2.mp4", "lossless.mkv"):
        (tmp_path / "other" / name).unlink()
    write_frames(tmp_path / "other" / "images", frames)
    write_video(tmp_path / "other" / "new.mp4", moving_frames(20, seed=4))

    checkup = inspect(healthy, tmp_path / "other")

    between = {f.code: list(f.videos) for f in checkup.findings if f.side is None}
    assert between["shared-files"] == ["0.mp4"]
    assert between["shared-frames"] == ["images"]


def test_what_is_wrong_with_both_sides_is_told_of_each(tmp_path: Path, moving_frames, write_frames) -> None:
    sides = [tmp_path / name for name in ("real", "fake")]
    for side in sides:
        write_frames(side / "short", moving_frames(3))

    checkup = inspect(*sides)

    found = [(finding.code, finding.side) for finding in checkup.findings]
    assert found == [("shared-files", None), *(("too-short", str(side)) for side in sides)]
    assert checkup_page(checkup).verdict.sentence == "3 findings about 2 of 2 videos."


def test_sides_that_do_not_match_are_told(tmp_path: Path, healthy: Path, moving_frames, write_frames) -> None:
    for seed in range(2):
        write_frames(tmp_path / "b" / str(seed), moving_frames(20, seed=seed, height=20), suffix=".jpg", quality=95)
        write_frames(tmp_path / "c" / str(seed), moving_frames(20, seed=seed), suffix=".jpg", quality=75)

    codecs = inspect(healthy, tmp_path / "b")
    qualities = inspect(tmp_path / "b", tmp_path / "c")

    assert set(_found(codecs)) == {"size-mismatch", "codec-mismatch"}
    assert set(_found(qualities)) == {"size-mismatch", "jpeg-mismatch"}
    assert qualities.sides[0].jpeg_qualities == {"95": 2}


def test_one_side_that_is_mixed_is_told(healthy: Path, moving_frames, write_frames) -> None:
    write_frames(healthy / "big", moving_frames(20, seed=8, height=64), suffix=".jpg", quality=95)
    write_frames(healthy / "own", moving_frames(20, seed=9), suffix=".jpg", quality=75)

    found = _found(inspect(healthy))

    assert found["mixed-sizes"] == ["big"]
    assert found["mixed-codecs"] == ["big", "own"]
    assert found["mixed-qualities"] == ["own"]


def test_rates_are_compared(tmp_path: Path, healthy: Path, moving_frames, write_video) -> None:
    for seed in range(3):
        write_video(tmp_path / "slow" / f"{seed}.mp4", moving_frames(20, seed=20 + seed), rate=10)
    mismatched = inspect(healthy, tmp_path / "slow")
    shutil.copy(tmp_path / "slow" / "0.mp4", healthy / "slow.mp4")

    assert set(_found(mismatched)) == {"rate-mismatch"}
    assert _found(inspect(healthy)) == {"mixed-rates": ["slow.mp4"]}


def test_sizes_that_change_within_a_file_are_told(tmp_path: Path, moving_frames, write_video) -> None:
    """Transport streams may be joined end to end."""
    parts = [write_video(tmp_path / f"{h}.ts", moving_frames(20, height=h), codec="mpeg2video") for h in (48, 64)]
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "joined.ts").write_bytes(b"".join(part.read_bytes() for part in parts))

    checkup = inspect(tmp_path / "a")

    (fault,) = (f for f in checkup.findings if f.code == "size-changes")
    assert fault.videos == {"joined.ts": "64×48, 64×64"}


def test_a_file_with_a_dropped_frame_is_of_variable_rate(healthy: Path, moving_frames) -> None:
    with av.open(str(healthy / "dropped.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "bgr0"
        for t, pixels in enumerate(moving_frames(130, seed=40)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = t if t < 60 else t + 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode())

    checkup = inspect(healthy)

    (fault,) = (f for f in checkup.findings if f.code == "variable-rate")
    assert fault.videos == {"dropped.mkv": "40 to 80 ms between frames"}
    assert checkup.sides[0].mean_seconds == pytest.approx(131 / 25)  # of the others too, from which no frame is gone


def test_missing_images_are_told(healthy: Path, moving_frames, write_frames) -> None:
    folder = write_frames(healthy / "gap", moving_frames(131, seed=6))
    (folder / "7.png").unlink()

    checkup = inspect(healthy)

    (fault,) = (f for f in checkup.findings if f.code == "missing-frames")
    assert fault.videos == {"gap": "7.png"}


def test_notes_of_the_listing_are_told(healthy: Path) -> None:
    (healthy / "cover.png").write_bytes(b"")

    assert list(_found(inspect(healthy))) == ["listing"]


def test_archives_and_workers_change_nothing(tmp_path: Path, healthy: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in healthy.iterdir():
            archive.write(file, file.name)

    one, three, packed = (
        json.loads(inspect(path, workers=workers).to_json())
        for path, workers in ((healthy, 1), (healthy, 3), (tmp_path / "a.zip", 2))
    )

    assert one == three
    assert packed["sides"][0]["lengths"] == one["sides"][0]["lengths"]


def test_a_side_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        inspect(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("lengths", "edges", "counts"),
    [
        ([75], (75, 76), (1,)),
        ([74, 75, 75], (74, 75, 76), (1, 2)),
        ([1, 13, 24, 25], (1, 4, 7, 10, 13, 16, 19, 22, 25, 28), (1, 0, 0, 0, 1, 0, 0, 1, 1)),
        ([], (), ()),
    ],
)
def test_lengths_fall_into_bins(lengths: list[int], edges: tuple[int, ...], counts: tuple[int, ...]) -> None:
    found = histogram(lengths)

    assert (found.edges, found.counts) == (edges, counts)


def test_the_page_lists_the_codes() -> None:
    codes = re.findall(r"^\| `([a-z-]+)` \|", DOC.read_text("utf-8"), re.MULTILINE)

    assert codes == list(FAULTS)


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (["a/1", "b/1", "b/2/3"], {"a": 1, "b": 2}),
        (["set/a/1", "set/b/1"], {"a": 1, "b": 1}),
        (["set/1", "set/2"], {}),
        (["1.mp4"], {}),
        (["a/1", "2"], {}),
        ([], {}),
    ],
)
def test_folders_are_counted_below_what_all_names_share(names: list[str], folders: dict[str, int]) -> None:
    assert folders_of(names) == folders


@pytest.mark.parametrize("nothing", [None, [], {}])
def test_nothing_is_no_side(nothing: object) -> None:
    with pytest.raises(SourceError, match=r"an object of type NoneType is no side|holds no video"):
        inspect(nothing)
