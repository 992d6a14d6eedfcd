import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import fsspec
import numpy as np
import pytest

from fvd_bench.errors import SourceError
from fvd_bench.sources.clip_source import fingerprint
from fvd_bench.sources.opening import open_source
from tests.forked import Program


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def test_videos_and_frame_folders_are_found_at_any_depth(tmp_path: Path) -> None:
    root = _touch(
        tmp_path,
        "a.mp4", "b.AVI", "c.webm", "d.gif", "class1/e.mov", "class2/f.mkv", "class2/notes.txt", "readme.md",
        "frames/0.jpg", "frames/1.jpg", "class1/g/0.png", "class1/g/1.PNG",
    )  # fmt: skip

    source = open_source(root)

    expected = "a.mp4 b.AVI c.webm class1/e.mov class1/g class2/f.mkv d.gif frames".split()
    assert list(source.names) == expected
    assert source.kind == "video files and frame folders"


def test_hidden_names_are_left_out(tmp_path: Path) -> None:
    root = _touch(tmp_path, "a.mp4", ".b.mp4", ".cache/c.mp4", "d/.0.png", "d/0.png", "._e.mp4")

    assert list(open_source(root).names) == ["a.mp4", "d"]


def test_the_order_is_by_bytes_of_the_path_without_suffix(tmp_path: Path) -> None:
    root = _touch(tmp_path, "b.mp4", "a10.mp4", "a2.avi", "B.mp4", "x-1.mp4", "x.mp4", "ä.mp4", "v1.0/0.png")

    names = [n.removesuffix(".mp4").removesuffix(".avi") for n in open_source(root).names]

    assert names == sorted(names, key=os.fsencode)


def test_a_flat_folder_of_images_explains_itself(tmp_path: Path) -> None:
    source = open_source(_touch(tmp_path, "0.jpg", "1.jpg"))

    assert source.notes == (
        f"{tmp_path} has no folders of frames, and each of its 2 images is taken for a video of one frame",
    )


def test_images_beside_videos_are_left_out_and_told(tmp_path: Path) -> None:
    source = open_source(_touch(tmp_path, "poster.jpg", "a.mp4", "c/b.mp4", "c/b.jpg"))

    assert list(source.names) == ["a.mp4", "c/b.mp4"]
    assert len(source.notes) == 2
    assert all("left out" in note for note in source.notes)


def test_zip_archives_in_a_folder_are_left_out_and_told(tmp_path: Path) -> None:
    for name, beside in (("videos", "a.mp4"), ("arrays", "a.npy"), ("shards", "a.tar"), ("alone", None)):
        with zipfile.ZipFile(_touch(tmp_path / name, "dataset.json") / "more.zip", "w") as archive:
            archive.writestr("b.mp4", b"x")
        if beside == "a.npy":
            np.save(tmp_path / name / beside, np.zeros((9, 8, 8, 3), dtype=np.uint8))
        elif beside == "a.tar":
            with tarfile.open(tmp_path / name / beside, "w") as tar:
                tar.add(_touch(tmp_path, "c.mp4") / "c.mp4", "c.mp4")
        elif beside:
            _touch(tmp_path / name, beside)

    sides = [open_source(tmp_path / name) for name in ("videos", "arrays", "shards")]

    assert [list(side.names) for side in sides] == [["a.mp4"], ["a"], ["c.mp4"]]
    for side in sides:
        assert f"{side.name}: 1 zip archive beside the videos is left out; each is a side of its own" in side.notes[0]
    with pytest.raises(SourceError, match="holds 1 zip archive and no video: pass the path of an archive"):
        open_source(tmp_path / "alone")


@pytest.mark.parametrize(
    "form", ["folder", "pattern", "pattern of folders", "list", "zip", "tar", "shards", "address", "addresses"]
)
def test_archives_beside_videos_are_told_in_every_listing(tmp_path: Path, form: str) -> None:
    root = _touch(tmp_path / "side", "in/a.mp4", "in/b.zip", "in/c.tar.gz", "in/d.tgz", "in/e.rar")
    side, place, by = str(root), str(root), "path"
    match form:
        case "pattern" | "pattern of folders":
            side = place = f"{root}/in/*" if form == "pattern" else f"{root}/i*"
        case "list":
            side, place = [str(root)], "list of 1 paths"
        case "zip" | "tar" | "shards":
            place = shutil.make_archive(str(tmp_path / "packed" / "all"), "zip" if form == "zip" else "tar", root)
            side = str(Path(place).parent) if form == "shards" else place
        case "address" | "addresses":
            fsspec.filesystem("memory").put(str(root), f"/{tmp_path.name}", recursive=True)
            place, by = f"memory://{tmp_path.name}", "address"
            side = place if form == "address" else [place]
    opened = open_source(side)

    assert [name.rpartition("/")[2] for name in opened.names] == ["a.mp4"]
    inside = "an archive inside another is not opened: unpack it, and pass the folder"
    advice = {
        "1 zip archive beside the videos is": f"each is a side of its own, by its {by}",
        "2 tar archives beside the videos are": "a folder of archives alone is a side too",
        "1 7z or rar archive beside the videos is": "unpack what holds videos, and pass the folder",
    }
    assert [note for note in opened.notes if "archive" in note] == [
        f"{place}: {found} left out; {inside if form in ('zip', 'tar', 'shards') else what}"
        for found, what in advice.items()
    ]


@pytest.mark.parametrize("form", ["pattern", "list", "address"])
def test_zip_archives_alone_are_told_how_to_be_used(tmp_path: Path, form: str) -> None:
    root = _touch(tmp_path / "side", "a.zip", "b.zip")
    fsspec.filesystem("memory").put(str(root), f"/{tmp_path.name}", recursive=True)
    side = {
        "pattern": f"{root}/*", "list": [str(root / "a.zip"), str(root / "b.zip")], "address": f"memory://{tmp_path.name}"
    }[form]  # fmt: skip

    by = "address" if form == "address" else "path"
    with pytest.raises(SourceError, match=f"holds 2 zip archives and no video: pass the {by} of an archive"):
        open_source(side)


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "videos").symlink_to("gone")

    with pytest.raises(SourceError, match="videos is a link to gone, where there is nothing"):
        open_source(tmp_path / "videos")


@pytest.mark.parametrize("make", [lambda p: p / "none", lambda p: _touch(p, "a.doc") / "a.doc", lambda p: p])
def test_what_is_no_folder_of_videos_is_refused(tmp_path: Path, make) -> None:
    with pytest.raises(SourceError, match=r"does not exist|is a file|holds no video: expected"):
        open_source(make(tmp_path))


def test_links_are_followed_but_never_in_a_circle(tmp_path: Path) -> None:
    root = _touch(tmp_path / "root", "a/x.mp4")
    (root / "a" / "up").symlink_to(root, target_is_directory=True)
    (root / "a" / "again").symlink_to(root / "a", target_is_directory=True)
    (root / "twin").symlink_to(root / "a", target_is_directory=True)

    names = list(open_source(root).names)

    assert "a/x.mp4" in names
    assert "twin/x.mp4" in names
    assert len(names) < 10


def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    """As a user without rights, in a process of its own when the tests run as root."""
    root = _touch(tmp_path / "root", "a.mp4", "closed/b.mp4")
    (root / "closed").chmod(0)
    program = (
        "import os, sys\n"
        "from fvd_bench.sources.opening import open_source\n"
        "from fvd_bench.errors import SourceError\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "try: open_source(sys.argv[1])\n"
        "except SourceError as error: print(error)\n"
    )
    for folder in [root, *root.parents]:
        if folder.stat().st_uid == os.geteuid() and folder != Path(folder.anchor):
            folder.chmod(folder.stat().st_mode | 0o055)

    done = Program("-c", program, root).end()

    (root / "closed").chmod(0o755)
    assert "closed" in done.stdout
    assert "Permission denied" in done.stdout


def test_the_fingerprint_follows_names_and_contents_not_containers_or_places() -> None:
    names, contents = ["a.mp4", "b.mp4"], ["1", "2"]

    assert fingerprint(names, contents) == fingerprint(["a.mkv", "b.mkv"], contents)
    assert fingerprint(names, contents) != fingerprint(names, ["2", "1"])
    assert fingerprint(names, contents) != fingerprint(["a.mp4", "c.mp4"], contents)


def test_a_copy_made_in_another_order_lists_the_same(tmp_path: Path) -> None:
    root = _touch(tmp_path / "root", *(f"{i}.mp4" for i in range(20)))
    (tmp_path / "copy").mkdir()
    for name in sorted(open_source(root).names, key=hash):
        shutil.copy(root / name, tmp_path / "copy" / name)

    assert open_source(tmp_path / "copy").names == open_source(root).names
