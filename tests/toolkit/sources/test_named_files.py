"""Videos that are named one by one: in lists, by patterns, as paths in Python, and one file or flat images alone."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fvd_bench import Settings, evaluate
from fvd_bench.errors import FvdBenchError, SourceError
from fvd_bench.sources.clip_source import fingerprint
from fvd_bench.sources.opening import open_source
from fvd_bench.sources.video_lists import Row, read_list

NO_CACHE = Settings(cache=None)


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_frames, write_video) -> Path:
    """Video files and frame folders, in the folders of two classes."""
    root: Path = tmp_path_factory.mktemp("named") / "fake"
    for n in range(4):
        video = moving_frames(12, seed=100 + n)
        write_frames(root / "one" / f"{n}", video)
        write_video(root / "two" / f"{n}.mkv", video, codec="rawvideo", pix_fmt="bgr24")
    return root


def _identity(side: Any) -> str:
    source = open_source(side)
    return fingerprint(source.names, (source.video(n).content() for n in range(len(source.names))))


def _entries(fake: Path) -> list[Path]:
    return [*(fake / "two").iterdir(), *(fake / "one").iterdir()]


FORMS: dict[str, Callable[[Path], Any]] = {
    "paths": _entries,
    "texts": lambda fake: tuple(map(str, _entries(fake))),
    "pattern": lambda fake: str(fake / "*" / "*"),
    "pattern of folders": lambda fake: str(fake / "*"),
    "pattern at any depth": lambda fake: str(fake / "**" / "*.*"),
    "braces": lambda fake: str(fake / "{one,two}"),
    "list.txt": lambda fake: _written(fake, ".txt", "\n".join(f"{p.relative_to(fake)}" for p in _entries(fake))),
    "absolute.txt": lambda fake: _written(fake, ".txt", "\r\n\r\n".join(map(str, _entries(fake)))),
    "list.csv": lambda fake: _written(fake, ".csv", "n,path\n" + "".join(f'1,"{p}"\n' for p in _entries(fake))),
    "list.tsv": lambda fake: _written(fake, ".tsv", "file_name\tn\n" + "".join(f"{p}\t1\n" for p in _entries(fake))),
    "list.jsonl": lambda fake: _written(
        fake, ".jsonl", "\n".join(json.dumps({"video": str(p), "n": [1]}) for p in _entries(fake))
    ),
}


def _written(fake: Path, ending: str, text: str) -> Path:
    file = fake / f".list{ending}"  # hidden, so that it is in no other form
    file.write_text(text)
    return file


@pytest.mark.parametrize("form", FORMS)
def test_what_is_named_is_the_folder_that_holds_it(fake: Path, form: str) -> None:
    assert _identity(FORMS[form](fake)) == _identity(fake)


def test_the_score_is_that_of_the_folder(fake: Path, two_sides, pixels_protocol) -> None:
    folder, named = (
        evaluate(two_sides[0], side, pixels_protocol(), settings=NO_CACHE) for side in (fake, _entries(fake))
    )

    assert named.value == pytest.approx(folder.value, rel=0, abs=1e-9)
    assert named.fake.fingerprint == folder.fake.fingerprint
    assert named.fake.kind == "video files and frame folders in a list"


def test_one_video_file_is_a_side(fake: Path) -> None:
    source = open_source(fake / "two" / "0.mkv")

    assert list(source.names) == ["0.mkv"] and not source.notes
    assert source.video(0).num_frames == 12


def test_lists_of_shards_and_of_arrays_are_sides(tmp_path: Path, fake: Path, moving_frames) -> None:
    for n in range(2):
        np.save(tmp_path / f"{n}.npy", moving_frames(12, seed=100 + n))
        with tarfile.open(tmp_path / f"{n}.tar", "w") as archive:
            archive.add(fake / "two" / f"{n}.mkv", f"{n}.mkv")

    shards, arrays = (open_source([tmp_path / f"{n}{ending}" for n in range(2)]) for ending in (".tar", ".npy"))

    assert list(shards.names) == ["0.mkv", "1.mkv"] and "2 tar shards" in shards.kind
    assert list(arrays.names) == ["0", "1"] and arrays.video(1).num_frames == 12


def test_what_is_not_there_or_no_video_is_skipped_by_name(fake: Path, two_sides, pixels_protocol) -> None:
    (fake / ".notes").write_text("no video")
    named = [*(fake / "two").iterdir(), fake / "two" / "gone.mkv", fake / "nothing", fake / ".notes"]

    result = evaluate(two_sides[0], named, pixels_protocol(), settings=NO_CACHE)

    skipped = {video.video: video.reason for video in result.scores[0].fake.skipped}
    assert sorted(skipped) == [".notes", "nothing", "two/gone.mkv"]
    assert skipped["two/gone.mkv"] == "cannot be read: No such file or directory"
    assert result.scores[0].fake.clips == 4


def test_a_list_of_nothing_says_where_it_looked(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.mp4\nb.mp4\n")

    with pytest.raises(SourceError, match=rf"none of its 2 paths is there; the first is {tmp_path}/a.mp4; .* from"):
        open_source(tmp_path / "list.txt")


def test_what_is_named_again_is_used_once_and_told(fake: Path) -> None:
    source = open_source([fake / "one" / "0", fake / "two" / "0.mkv", fake / "two" / ".." / "one" / "0"])

    assert list(source.names) == ["one/0", "two/0.mkv"]
    assert source.notes == ("list of 3 paths: 1 of 3 names is given again; each is used once",)


def test_rows_that_say_something_else_of_a_video_than_its_first_one_are_told(fake: Path, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"video,label\n{fake}/two/0.mkv,1\n{fake}/two/1.mkv,1\n")

    assert not open_source(file).notes

    file.write_text(f"{file.read_text()}{fake}/two/0.mkv,2\n{fake}/two/1.mkv,1\n")
    source = open_source(file)

    assert source.columns == {"label": ["1", "1"]}
    assert [note.partition("once")[2] for note in source.notes] == [
        ", with the columns of its first row; another row has others for 0.mkv"
    ]


def test_rows_of_array_files_have_columns_and_notes(tmp_path: Path) -> None:
    for video in ("a", "b"):
        np.save(tmp_path / f"{video}.npy", np.zeros((2, 8, 6, 3), np.uint8))
    (tmp_path / "list.csv").write_text("video,scene\nb.npy,street\na.npy,forest\na.npy,street\n")

    source = open_source(tmp_path / "list.csv")

    assert list(source.names) == ["a", "b"] and source.columns == {"scene": ["forest", "street"]}
    assert "1 of 3 names is given again; each is used once, with" in source.notes[0]


def test_shards_that_are_named_again_are_told(tmp_path: Path, fake: Path) -> None:
    with tarfile.open(tmp_path / "0.tar", "w") as archive:
        archive.add(fake / "two" / "0.mkv", "0.mkv")

    source = open_source([tmp_path / "0.tar"] * 2)

    assert source.notes == ("list of 2 paths: 1 of 2 names is given again; each is used once",)


def test_a_column_groups_videos(fake: Path, two_sides, pixels_protocol, tmp_path: Path) -> None:
    """Four videos of two people count as two: the interval is another one, the score is not."""
    lists = {}
    for side, folder in (("real", two_sides[0]), ("fake", fake / "two")):
        lists[side] = tmp_path / f"{side}.csv"
        rows = [f"{file},{int(file.stem) % 2}" for file in sorted(folder.iterdir())]
        lists[side].write_text("video,person\n" + "\n".join(rows))
    protocol = pixels_protocol()

    alone, grouped = (
        evaluate(lists["real"], lists["fake"], protocol, settings=Settings(cache=None, group_by=by))
        for by in (None, "column:person")
    )

    assert alone.value == grouped.value
    assert alone.scores[0].error_fake != grouped.scores[0].error_fake
    with pytest.raises(FvdBenchError, match="no such column, it has person; expected both sides to be lists"):
        evaluate(lists["real"], lists["fake"], protocol, settings=Settings(cache=None, group_by="column:scene"))


def test_a_video_whose_images_have_two_labels_is_refused(fake: Path) -> None:
    file = _written(fake, ".csv", f"path,who\n{fake}/one/0/0.png,a\n{fake}/one/0/1.png,b\n{fake}/one/1/0.png,c\n")

    with pytest.raises(SourceError, match=r"says of the images of 0 that who is 'a' and 'b'"):
        open_source(file)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        (
            "a.txt",
            "x.avi 3\nspaces in it.avi\ty\nfolder 1\n",
            [("x.avi", "3"), ("spaces in it.avi", "y"), ("folder 1", "")],
        ),
        ("a.txt", "\ufeffa b.mp4\n\n", [("a b.mp4", "")]),
        ("a.csv", "label,video\n3,x.avi\n,y.avi\n", [("x.avi", "3"), ("y.avi", "")]),
        ("a.jsonl", '{"path": "x", "label": 3, "box": [1]}\n"y"\n', [("x", "3"), ("y", "")]),
    ],
)
def test_lists_have_paths_and_labels(tmp_path: Path, name: str, text: str, found: list[tuple[str, str]]) -> None:
    (tmp_path / name).write_text(text)

    rows = read_list(tmp_path / name)

    assert [(row.path, row.columns.get("label", "")) for row in rows] == found
    assert all(isinstance(row, Row) and row.columns.keys() <= {"label"} for row in rows)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"\n \n", "names no video: expected a path on each line"),
        ("a.txt", b"\xff.mp4", "expected text in UTF-8"),
        ("a.txt", b"a\0b", "bytes that are no text"),
        ("a.csv", b"x.mp4,1\n", r"line 1 has the columns 'x.mp4, 1': expected one for the path, named video or"),
        ("a.csv", b"video,a\nx.mp4\n", "line 2 has another number of entries"),
        ("a.csv", b'video\n"x', "line 1 cannot be read: .*expected CSV"),
        ("a.jsonl", b"{", "line 1 is no JSON"),
        ("a.jsonl", b"[" * 100_000, "line 1 is no JSON"),
        ("a.jsonl", b'{"video": 3}', "line 1 has 3 for video: expected a path"),
        ("a.jsonl", b"3", "line 1 is int: expected an object"),
        ("a.jsonl", rb'{"video": "a\u0000b"}', r"has 'a\\x00b' where a path is expected"),
        ("a.jsonl", rb'{"video": "\ud800"}', r"has '\\ud800' where a path is expected"),
    ],
)
def test_lists_that_cannot_be_read_say_why(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)

    with pytest.raises(SourceError, match=message):
        open_source(tmp_path / name)


def test_a_pattern_of_nothing_and_a_mangled_address_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="matches no video file, image, archive, array file or folder"):
        open_source(tmp_path / "*.mp4")
    with pytest.raises(SourceError, match="was an address before it was made a Path"):
        open_source(Path("https://example.org/fake.zip"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_frames) -> Path:
    return write_frames(tmp_path_factory.mktemp("images") / "flat", moving_frames(20, seed=5))


def test_each_image_of_a_flat_folder_is_a_video_of_one_frame(images: Path) -> None:
    source = open_source(images)

    assert (source.kind, len(source.names), source.video(19).num_frames) == ("single images", 20, 1)
    assert "each of its 20 images is taken for a video of one frame" in source.notes[0]


@pytest.mark.parametrize("side", ["real", "fake"])
def test_fvd_says_of_images_what_it_needs(images: Path, two_sides, pixels_protocol, side: str) -> None:
    sides: dict[str, Path] = {"real": two_sides[0], "fake": two_sides[1], side: images}

    with pytest.raises(SourceError, match=rf"20 single images, and pixels needs 9 frames of each {side} video: put"):
        evaluate(**sides, protocol=pixels_protocol(), settings=NO_CACHE)
