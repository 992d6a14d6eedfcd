"""inspect on the command line: streams and exit codes."""

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from fvd_bench.cli import cli
from tests.program import fvd_bench


def _inspect(*arguments: object) -> subprocess.CompletedProcess[str]:
    return fvd_bench("inspect", *arguments)


def test_tables_are_for_people_and_json_for_machines(two_sides, tmp_path: Path) -> None:
    people = _inspect(two_sides[0], "--against", two_sides[1], "--json", tmp_path / "c.json")
    machines = _inspect(two_sides[0], "--against", two_sides[1], "--json", "-")

    flat = " ".join(people.stdout.split())
    assert people.returncode == machines.returncode == 0
    assert "long enough" in flat and "█" in flat and "too-short" in flat
    assert json.loads(machines.stdout) == json.loads((tmp_path / "c.json").read_text())
    assert [len(f["videos"]) for f in json.loads(machines.stdout)["findings"]] == [2, 1]
    assert (people.stderr, machines.stderr) == (f"wrote {tmp_path / 'c.json'}\n", "")


@pytest.mark.parametrize(("arguments", "code"), [(["nothing"], 3), ([], 2), ([".", "--protocol", "no"], 2)])
def test_mistakes_have_their_exit_codes(arguments: list[str], code: int) -> None:
    done = _inspect(*arguments)

    assert done.returncode == code
    assert done.stdout == "" and "Traceback" not in done.stderr


def test_a_set_of_frames_has_the_columns_of_the_papers_table(tmp_path: Path, moving_frames, write_frames) -> None:
    """Hours, mean length, rate and speakers, of images whose rate is given; and a figure of their lengths."""
    for number, name in enumerate(("set/front/M003/1", "set/front/M003/2", "set/front/W009/1")):
        write_frames(tmp_path / name, moving_frames(9 * (number + 1), 16, 16, seed=number))
    arguments = ["inspect", str(tmp_path / "set"), "--fps", "30", "--plot", str(tmp_path / "lengths.svg")]

    done = CliRunner().invoke(cli, [*arguments, "--json", str(tmp_path / "c.json")])
    first = (tmp_path / "lengths.svg").read_bytes()
    again = CliRunner().invoke(cli, [*arguments[:-1], str(tmp_path / "lengths.png")])
    CliRunner().invoke(cli, arguments)

    assert done.exit_code == again.exit_code == 0
    (side,) = json.loads((tmp_path / "c.json").read_text())["sides"]
    assert (side["timed"], side["fps"], side["folders"]) == (3, {"30": 3}, {"M003": 2, "W009": 1})
    assert side["hours"] == pytest.approx(54 / 30 / 3600) and side["mean_seconds"] == pytest.approx(0.6)
    flat = " ".join(done.stdout.split())
    assert "0.6 seconds in the mean" in flat and "2 of 1 to 2 videos, such as classes or speakers" in flat
    assert b"length in frames at 30 a second" in first and str(tmp_path / "set").encode() in first
    assert (tmp_path / "lengths.svg").read_bytes() == first
    with Image.open(tmp_path / "lengths.png") as drawn:
        assert drawn.width > 400


def test_hours_are_said_to_be_of_the_videos_that_have_a_time(
    tmp_path: Path, moving_frames, write_frames, write_video
) -> None:
    write_video(tmp_path / "set" / "timed.mkv", moving_frames(50), codec="ffv1", pix_fmt="bgr0")
    write_frames(tmp_path / "set" / "folder", moving_frames(9))

    done = CliRunner().invoke(cli, ["inspect", str(tmp_path / "set")])

    flat = " ".join(done.stdout.split())
    assert "0.00 hours in all, of the 1 video whose time is known" in flat
    assert " fps 25 (1) size 64×48 codec ffv1 (1), png (1) " in flat


def test_a_figure_is_an_image(two_sides) -> None:
    done = CliRunner().invoke(cli, ["inspect", str(two_sides[0]), "--plot", "lengths.pdf"])

    assert done.exit_code == 2 and "expected a file that ends in .png or .svg" in done.stderr
