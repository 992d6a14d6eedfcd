"""Files that are part of a side, which no result may replace, nor join."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fvd_bench.sources.membership import takes
from tests.program import fvd_bench


@pytest.fixture
def sides(tmp_path: Path, write_frames, moving_frames) -> Path:
    """Files of every form: most of them need no content to be listed."""
    for name in ("films/a.mp4", "films/deep/b.mkv", "films/notes.json", "shards/0.tar", "empty/readme.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("0", "1"):
        write_frames(tmp_path / "frames" / name, moving_frames(2))
    write_frames(tmp_path / "flat", moving_frames(2))
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays" / "0.npy", np.zeros((2, 4, 4, 3), np.uint8))
    np.savez(tmp_path / "both.npz", fake=np.zeros((2, 2, 4, 4, 3), np.uint8))
    (tmp_path / "list.txt").write_text(f"films/a.mp4\n{tmp_path}/frames\nhttps://example.org/x.mp4\n")
    return tmp_path.resolve()


@pytest.mark.parametrize(
    ("side", "file", "taken"),
    [
        ("films", "films/a.mp4", True),
        ("films", "films/deep/b.mkv", True),
        ("films", "films/new.mp4", True),
        ("films", "films/notes.json", False),
        ("films", "films/new.html", False),
        ("films", "films/plot.png", False),  # an image beside videos is left out
        ("films", "films/stats.npz", False),  # so is an array
        ("films", "films/reports/plot.png", True),  # the only image of a folder is a video of one frame
        ("films", "elsewhere.mp4", False),
        ("films", "frames/0/0.png", False),
        ("frames", "frames/0/0.png", True),
        ("frames", "frames/0/plot.png", True),
        ("frames", "frames/plot.png", False),
        ("frames", "frames/0/stats.npz", False),
        ("flat", "flat/0.png", True),
        ("flat", "flat/plot.png", True),
        ("arrays", "arrays/0.npy", True),
        ("arrays", "arrays/stats.npz", True),
        ("shards", "shards/0.tar", True),
        ("empty", "empty/plot.png", True),
        ("both.npz/fake", "both.npz", True),
        ("list.txt", "films/a.mp4", True),
        ("list.txt", "films/deep/b.mkv", False),
        ("list.txt", "frames/1/0.png", True),
        ("list.txt", "frames/1/new.png", True),
        ("films/*.mp4", "films/a.mp4", True),
        ("films/*.mkv", "films/a.mp4", False),
        ("frames/{0,1}", "frames/1/1.png", True),
        ("not/there", "films/a.mp4", False),
        ("https://example.org/films/a.mp4", "films/a.mp4", False),
        ("mycode:videos", "films/a.mp4", False),
    ],
)
def test_a_side_takes_what_it_would_list(sides: Path, monkeypatch, side: str, file: str, taken: bool) -> None:
    monkeypatch.chdir(sides)

    assert takes(side, sides / file) is taken


def test_links_lead_to_the_same_file(sides: Path) -> None:
    (sides / "linked").mkdir()
    (sides / "linked" / "0.mp4").symlink_to(sides / "films" / "a.mp4")
    (sides / "way").symlink_to(sides / "films")

    assert takes(sides / "linked", sides / "films" / "a.mp4")
    assert takes(sides / "way", sides / "films" / "a.mp4") and takes(sides / "way", sides / "films" / "new.mp4")


@pytest.mark.parametrize(
    "command",
    [
        ("compute", "--real", "films", "--fake", "frames", "--html", "films/a.mp4"),
        ("compute", "--real", "frames", "--fake", "films/*.mp4", "--json", "films/a.mp4"),
        ("compute", "--real", "frames", "--fake", "both.npz/fake", "--json", "both.npz"),
        ("audit", "--real", "frames", "--plot", "frames/0/0.png"),
        ("inspect", "frames", "--plot", "frames/0/0.png"),
    ],
)
def test_no_result_is_written_over_a_video(sides: Path, monkeypatch, command: tuple[str, ...]) -> None:
    monkeypatch.chdir(sides)
    before = _contents(sides)

    done = fvd_bench(*command)

    assert done.returncode == 2 and "is read, and would be replaced: give what is written another name" in done.stderr
    assert _contents(sides) == before


def test_no_result_becomes_a_part_of_what_is_read(sides: Path, monkeypatch) -> None:
    monkeypatch.chdir(sides)

    for command in (
        ("inspect", "frames", "--plot", "frames/0/plot.png"),
        ("stats", "arrays", "--side", "real", "--out", "arrays/stats.npz"),
    ):
        done = fvd_bench(*command)
        assert done.returncode == 2 and f"would be a part of {command[1]} from then on" in done.stderr
        assert not Path(command[-1]).exists()


def _contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
