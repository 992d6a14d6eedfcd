"""What a prepared set holds, down to its pixels, and that interruptions leave no trace."""

import json
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fvd_bench.sources.opening import open_source
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.images import FrameFolder
from stylegan_v.data.clips import VideoDataset
from stylegan_v.data.crops import Box, CentreCrop
from stylegan_v.data.folder import PrepareSettings
from stylegan_v.data.frames import every_frame
from stylegan_v.data.preparing import prepare
from stylegan_v.errors import ConfigError, DataError
from stylegan_v.folder_lock import locked
from tests.forked import Program


def _settings(**changes) -> PrepareSettings:
    return PrepareSettings(**{"resolution": 32, **changes})


@pytest.fixture
def source(tmp_path: Path, moving_frames, write_frames, write_video) -> Path:
    """A lossless video file and two folders of frames, wide and high, of 14, 9 and 5 frames."""
    write_video(tmp_path / "in" / "file.mkv", moving_frames(14, 48, 64, seed=1), codec="rawvideo", pix_fmt="bgr24")
    write_frames(tmp_path / "in" / "class" / "high", moving_frames(9, 71, 52, seed=2))
    write_frames(tmp_path / "in" / "class" / "short", moving_frames(5, 40, 40, seed=3))
    return tmp_path / "in"


def _tree(root: Path) -> dict[str, bytes]:
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def _saved(frame: np.ndarray, box: tuple[int, int, int, int], tmp_path: Path, *, quality: int = 95) -> bytes:
    """The file that a square of a frame becomes, by hand."""
    square = Image.fromarray(frame).crop(box).resize((32, 32), Image.Resampling.LANCZOS)
    square.save(tmp_path / "by_hand.jpg", quality=quality)
    return (tmp_path / "by_hand.jpg").read_bytes()


def test_one_process_prepares_a_folder_at_a_time(source: Path, tmp_path: Path) -> None:
    """Two would remove each other's hidden folders."""
    refused = []

    def another(what: str, done: int, total: int) -> None:
        if (what, done) == ("videos", 1):
            with pytest.raises(DataError, match=f"another process prepares a set in {tmp_path / 'out'}: wait for its"):
                prepare(source, tmp_path / "out", _settings())
            refused.append(done)

    done = prepare(source, tmp_path / "out", _settings(), progress=another)
    again = prepare(source, tmp_path / "out", _settings())

    assert refused == [1]
    assert (done.kept, again.kept) == (0, 3)


def test_settings_are_left_to_the_process_that_holds_the_folder(source: Path, tmp_path: Path) -> None:
    """Two may begin in a new folder at the same time, and one of them holds it then."""
    (tmp_path / "out").mkdir()

    with locked(tmp_path / "out", DataError("held")), pytest.raises(DataError, match="another process prepares a set"):
        prepare(source, tmp_path / "out", _settings())

    assert not any((tmp_path / "out").iterdir())


def test_the_middle_of_every_frame_is_kept(source: Path, tmp_path: Path, moving_frames) -> None:
    done = prepare(source, tmp_path / "out", _settings())

    assert open_source(tmp_path / "out").names == ("class/high", "class/short", "file")
    for t, frame in enumerate(moving_frames(14, 48, 64, seed=1)):
        written = (tmp_path / "out" / "file" / f"{t:06d}.jpg").read_bytes()
        assert written == _saved(frame, (8, 0, 56, 48), tmp_path)
    for t, frame in enumerate(moving_frames(9, 71, 52, seed=2)):
        written = (tmp_path / "out" / "class" / "high" / f"{t:06d}.jpg").read_bytes()
        assert written == _saved(frame, (0, 9, 52, 61), tmp_path)
    assert [(r.video, r.frames, r.enlarged) for r in done.records] == [
        ("class/high", 9, False),
        ("class/short", 5, False),
        ("file.mkv", 14, False),
    ]
    assert (done.skipped, done.notes, done.kept) == ([], [], 0)
    assert VideoDataset.open(tmp_path / "out", resolution=32, frames=3).lengths == (9, 5, 14)


def test_a_middle_between_pixels_is_that_to_the_left_or_the_top() -> None:
    assert CentreCrop().box(0, 35, 32) == Box(1, 0, 33, 32)
    assert CentreCrop().box(0, 32, 35) == Box(0, 1, 32, 33)


def test_files_have_the_quality_that_was_asked_for(source: Path, tmp_path: Path) -> None:
    for quality in (95, 30):
        prepare(source, tmp_path / f"{quality}", _settings(quality=quality))
        prepared = open_source(tmp_path / f"{quality}")
        for place in range(3):
            assert {frame.jpeg_quality for frame in every_frame(prepared.video(place))} == {quality}


def test_small_videos_are_counted(source: Path, tmp_path: Path) -> None:
    done = prepare(source, tmp_path / "out", _settings(resolution=64))

    assert [record.enlarged for record in done.records] == [True, True, True]
    assert next(every_frame(open_source(tmp_path / "out").video(0))).pixels.shape == (64, 64, 3)


def test_long_videos_are_cut_and_remainders_counted(source: Path, tmp_path: Path, moving_frames) -> None:
    done = prepare(source, tmp_path / "out", _settings(skip=3, chunk=5))

    assert open_source(tmp_path / "out").names == ("class/high-0000", "file-0000", "file-0001")
    frames = moving_frames(14, 48, 64, seed=1)
    for piece in (0, 1):
        assert len(list((tmp_path / "out" / f"file-000{piece}").iterdir())) == 5
        for t in range(5):
            written = (tmp_path / "out" / f"file-000{piece}" / f"{t:06d}.jpg").read_bytes()
            assert written == _saved(frames[3 + 5 * piece + t], (8, 0, 56, 48), tmp_path)
    assert [(r.pieces, r.frames, r.left_over) for r in done.records] == [(1, 5, 1), (0, 0, 2), (2, 10, 1)]
    assert done.skipped == [("class/short", "too short: 2 frames decode behind the first 3, 5 are needed")]


def _boxes(tmp_path: Path, *rows: str, columns: str = "video,left,top,right,bottom") -> Path:
    file = tmp_path / "boxes.csv"
    file.write_text("\n".join([columns, *rows]) + "\n")
    return file


def test_boxes_are_cut_out(source: Path, tmp_path: Path, moving_frames) -> None:
    moving = [f"class/high,{t},{2 * t},{t + 40},{2 * t + 40},{t}" for t in range(2, 9)]
    boxes = _boxes(tmp_path, "file,1,2,47,48,", *moving, columns="video,left,top,right,bottom,frame")

    done = prepare(source, tmp_path / "out", _settings(skip=2), boxes=boxes)

    assert done.skipped == [("class/short", "has no box")]
    frames = moving_frames(14, 48, 64, seed=1)
    written = (tmp_path / "out" / "file" / "000003.jpg").read_bytes()
    assert written == _saved(frames[5], (1, 2, 47, 48), tmp_path)
    frames = moving_frames(9, 71, 52, seed=2)
    for t in range(2, 9):
        written = (tmp_path / "out" / "class" / "high" / f"{t - 2:06d}.jpg").read_bytes()
        assert written == _saved(frames[t], (t, 2 * t, t + 40, 2 * t + 40), tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["file,0,0,48,48", "class/high,0,32,40,72"], r"row 3: the box \(0, 32, 40, 72\) leaves the 52×71 picture"),
        (["file,17,0,65,48"], r"row 2: .* leaves the 64×48 picture of file\.mkv"),
        (["file,0,0,48,40"], r"row 2: the box .* is 48×40: expected a square"),
        (["file,9,0,9,0"], "row 2: the box .* is 0×0"),
        (["file,-1,0,40,41"], "row 2: left is '-1': expected a whole number"),
        (["file,0.5,0,40,40"], "row 2: left is '0.5'"),
        (["file,0,0,40"], "row 2: bottom is None"),
        (["file,0,0,40,40", "nothing,0,0,40,40"], "row 3: there is no video 'nothing'"),
        (["file,0,0,40,40", "file.mkv,0,0,41,41"], "row 3: file.mkv has another box in row 2"),
    ],
)
def test_boxes_that_cannot_be_meant_are_refused(source: Path, tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepare(source, tmp_path / "out", _settings(), boxes=_boxes(tmp_path, *rows))


def test_a_frame_without_a_box_is_named(source: Path, tmp_path: Path) -> None:
    columns = "video,frame,left,top,right,bottom"
    with pytest.raises(DataError, match=r"no box for frame 1 of file\.mkv"):
        prepare(source, tmp_path / "out", _settings(), boxes=_boxes(tmp_path, "file,0,0,0,40,40", columns=columns))
    with pytest.raises(DataError, match=r"has the columns video, x: expected video, left"):
        prepare(source, tmp_path / "out", _settings(), boxes=_boxes(tmp_path, columns="video,x"))
    for other in ("file,0,0,0,44,44", "file,,0,0,40,40"):
        with pytest.raises(DataError, match="row 3: file has another box in row 2"):
            both = _boxes(tmp_path, "file,0,0,0,40,40", other, columns=columns)
            prepare(source, tmp_path / "out", _settings(), boxes=both)


def test_a_corrected_box_prepares_its_video_again(source: Path, tmp_path: Path, moving_frames) -> None:
    prepare(source, tmp_path / "out", _settings(), boxes=_boxes(tmp_path, "file,0,0,40,40", "class/high,0,0,40,40"))
    boxes = _boxes(tmp_path, "file,0,0,48,48", "class/high,0,0,40,40")

    done = prepare(source, tmp_path / "out", _settings(), boxes=boxes)

    assert done.kept == 1
    written = (tmp_path / "out" / "file" / "000000.jpg").read_bytes()
    assert written == _saved(moving_frames(14, 48, 64, seed=1)[0], (0, 0, 48, 48), tmp_path)


def test_a_second_run_reads_no_frame(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(source, tmp_path / "out", _settings(chunk=4))
    before = _tree(tmp_path / "out")

    def frames(*_: object) -> None:
        raise AssertionError("a finished video is read")

    monkeypatch.setattr(VideoFile, "frames", frames)
    monkeypatch.setattr(FrameFolder, "frames", frames)
    done = prepare(source, tmp_path / "out", _settings(chunk=4))

    assert done.kept == 3
    assert _tree(tmp_path / "out") == before


def test_only_videos_that_changed_are_prepared_again(source: Path, tmp_path: Path, moving_frames, write_video) -> None:
    prepare(source, tmp_path / "out", _settings(chunk=4))
    write_video(source / "file.mkv", moving_frames(6, 48, 64, seed=8), codec="rawvideo", pix_fmt="bgr24")
    shutil.rmtree(tmp_path / "out" / "class" / "short-0000")

    done = prepare(source, tmp_path / "out", _settings(chunk=4))

    assert done.kept == 1
    assert open_source(tmp_path / "out").names == (
        "class/high-0000",
        "class/high-0001",
        "class/short-0000",
        "file-0000",
    )
    prepare(source, tmp_path / "fresh", _settings(chunk=4))
    assert _tree(tmp_path / "out") == _tree(tmp_path / "fresh")


def test_a_failure_half_way_leaves_whole_videos_alone(source: Path, tmp_path: Path, monkeypatch) -> None:
    prepare(source, tmp_path / "whole", _settings())
    folder_frames = FrameFolder.frames

    def fail_in(name: str) -> None:
        def frames(folder: FrameFolder, indices: np.ndarray):
            for count, frame in enumerate(folder_frames(folder, indices)):
                if folder.folder.name == name and count == 3:
                    raise OSError(28, "No space left on device")
                yield frame

        with monkeypatch.context() as patch:
            patch.setattr(FrameFolder, "frames", frames)
            with pytest.raises(DataError, match="cannot be written: No space left on device; what is finished is kept"):
                prepare(source, tmp_path / "out", _settings(), workers=1)

    fail_in("high")
    with (tmp_path / "out" / "prepare.jsonl").open("a") as file:
        file.write('{"video": "class/high", "sta')  # so a kill between two writes leaves it
    fail_in("short")

    assert open_source(tmp_path / "out").names == ("class/high",)
    assert not list((tmp_path / "out").glob(".partial-*"))
    assert prepare(source, tmp_path / "out", _settings()).kept == 1
    assert _tree(tmp_path / "out") == _tree(tmp_path / "whole")


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, moving_frames, write_frames) -> None:
    for name in "abc":
        write_frames(tmp_path / "in" / name, moving_frames(25, 64, 64, seed=ord(name)))
    settings = _settings(resolution=512, chunk=10)
    program = (
        "import sys; from pathlib import Path; "
        "from stylegan_v.data.preparing import *; from stylegan_v.data.folder import *;"
        "prepare(Path(sys.argv[1]), Path(sys.argv[2]), PrepareSettings(resolution=512, chunk=10), workers=1)"
    )
    out = tmp_path / "out"
    run = Program("-c", program, tmp_path / "in", out)
    deadline = time.monotonic() + 60
    while not ((out / "a-0001").exists() and list(out.glob(".partial-*/1/000003.jpg"))):
        assert run.is_running() and time.monotonic() < deadline
        time.sleep(0.002)
    run.send(signal.SIGKILL)
    run.end()

    assert not (out / "c-0000").exists()  # killed on its way
    with (out / "prepare.jsonl").open("a") as file:
        file.write('{"video": "b", "sta')  # a kill between two writes leaves this
    shutil.copytree(out / "a-0000", out / "b-0000")  # or a piece that got its name, but is not written down

    assert prepare(tmp_path / "in", out, settings).kept >= 1
    prepare(tmp_path / "in", tmp_path / "whole", settings)
    assert _tree(out) == _tree(tmp_path / "whole")


def test_what_cannot_be_read_is_named_and_what_was_made_of_it_kept(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "out", _settings())
    (source / "file.mkv").write_bytes(b"no video")
    (source / "new.mkv").write_bytes(b"no video")

    done = prepare(source, tmp_path / "out", _settings())

    assert [name for name, _ in done.skipped] == ["file.mkv", "new.mkv"]
    assert "file" in open_source(tmp_path / "out").names
    assert "that an earlier run prepared 1 is not among those" in done.notes[0]
    assert prepare(source, tmp_path / "out", _settings()).notes == done.notes


def test_other_settings_need_another_folder(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "out", _settings())
    before = _tree(tmp_path / "out")

    with pytest.raises(DataError, match="was prepared with quality = 95, this run asks for 75"):
        prepare(source, tmp_path / "out", _settings(quality=75))
    with pytest.raises(DataError, match="was prepared with crop = 'centre', this run asks for 'boxes'"):
        prepare(source, tmp_path / "out", _settings(), boxes=_boxes(tmp_path, "file,0,0,40,40"))
    shutil.copytree(source, tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"was prepared with source = '.*/in', this run asks for '.*/elsewhere'"):
        prepare(tmp_path / "elsewhere", tmp_path / "out", _settings())
    (tmp_path / "out" / "dataset-settings.json").write_text("[")
    with pytest.raises(DataError, match="damaged"):
        prepare(source, tmp_path / "out", _settings())

    assert {**_tree(tmp_path / "out"), "dataset-settings.json": b""} == {**before, "dataset-settings.json": b""}


def test_places_that_would_mix_sets_are_refused(source: Path, tmp_path: Path) -> None:
    for out in (source, source / "out", tmp_path, tmp_path / "in" / ".." / "in" / "x"):
        with pytest.raises(DataError, match="lie inside each other"):
            prepare(source, out, _settings())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    with pytest.raises(DataError, match="is not empty"):
        prepare(source, tmp_path / "full", _settings())
    with pytest.raises(DataError, match="cannot be written"):
        prepare(source, tmp_path / "full" / "notes.txt" / "out", _settings())


def test_names_that_would_share_a_folder_are_refused(source: Path, tmp_path: Path) -> None:
    shutil.copy(source / "file.mkv", source / "class.mkv")
    with pytest.raises(DataError, match=r"class/high would be written into the folder of the frames of class\.mkv"):
        prepare(source, tmp_path / "out", _settings())
    prepare(source, tmp_path / "pieces", _settings(chunk=5))
    shutil.copytree(source / "class", source / "class-0001")
    with pytest.raises(DataError, match=r"class-0001/high would be written into .* class\.mkv"):
        prepare(source, tmp_path / "other", _settings(chunk=5))
    shutil.copy(source / "file.mkv", source / "file.avi")
    with pytest.raises(DataError, match=r"file\.avi and file\.mkv would be written to the same folder"):
        prepare(source, tmp_path / "other", _settings(chunk=5))


def test_a_set_that_gives_nothing_is_an_error(source: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of 3 videos gave any .*high: too short: 9 frames decode, 20 are"):
        prepare(source, tmp_path / "out", _settings(chunk=20))


@pytest.mark.parametrize("change", [{"resolution": 48}, {"skip": -1}, {"chunk": 0}, {"quality": 101}])
def test_settings_that_cannot_be_served_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(change))} = "):
        _settings(**change)


def test_labels_go_with_the_pieces(source: Path, tmp_path: Path) -> None:
    labels = [["file.mkv", 1], *([f"class/high/{t}.png", 0] for t in range(9))]
    (source / "dataset.json").write_text(json.dumps({"labels": labels}))

    prepare(source, tmp_path / "out", _settings(chunk=7))

    dataset = VideoDataset.open(tmp_path / "out", resolution=32, frames=3, num_classes=2)
    assert dict(zip(dataset.names, dataset.labels.tolist(), strict=True)) == {
        "class/high-0000": [1, 0],
        "file-0000": [0, 1],
        "file-0001": [0, 1],
    }


def test_labels_that_the_source_has_no_more_are_put_aside(source: Path, tmp_path: Path) -> None:
    out, file = tmp_path / "out", source / "dataset.json"
    file.write_text('{"labels": [["file.mkv", 1]]}')
    labelled = prepare(source, out, _settings())
    text = (out / "dataset.json").read_text()
    file.unlink()

    done = prepare(source, out, _settings())

    assert not labelled.notes and not (out / "dataset.json").exists()
    assert (out / "dataset.json.old").read_text() == text
    assert done.notes == [
        f"no video of {source} has a label, so the labels in {out} are put aside, as dataset.json.old"
    ]


def test_a_single_file_is_a_set_without_labels(source: Path, tmp_path: Path) -> None:
    done = prepare(source / "file.mkv", tmp_path / "out", _settings())

    assert [record.frames for record in done.records] == [14]


@pytest.mark.parametrize("first", [3, 7, 9, 14, 100])
@pytest.mark.parametrize("begin", [0, 4, 9, 14, 20])
def test_every_frame_is_read_in_steps_of_any_size(
    source: Path, monkeypatch: pytest.MonkeyPatch, first: int, begin: int, moving_frames
) -> None:
    monkeypatch.setattr("stylegan_v.data.frames._FIRST_READ", first)
    listing = open_source(source)
    for place, whole in ((2, moving_frames(14, 48, 64, seed=1)), (0, moving_frames(9, 71, 52, seed=2))):
        found = [frame.pixels for frame in every_frame(listing.video(place), begin)]

        assert len(found) == max(len(whole) - begin, 0)
        assert all(np.array_equal(a, b) for a, b in zip(found, whole[begin:], strict=True))
