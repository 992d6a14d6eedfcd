"""compute --manifest and --replay on the command line."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.program import fvd_bench


def _compute(real: Path, fake: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return fvd_bench("compute", "--real", real, "--fake", fake, "--no-cache", *arguments)


def test_a_manifest_replays_to_the_last_digit(two_sides, pixels_protocol, tmp_path: Path) -> None:
    options = ["--protocol", pixels_protocol(), "--repeats", 2, "--seed", 4]
    first = _compute(*two_sides, *options, "--manifest", tmp_path / "m.json", "--json", "-")
    Path(pixels_protocol()).unlink()
    shutil.copytree(two_sides[1], tmp_path / "copies")

    again = _compute(
        two_sides[0],
        tmp_path / "copies",
        "--replay",
        tmp_path / "m.json",
        "--json",
        "-",
        "--manifest",
        tmp_path / "n.json",
    )

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    one, other = (json.loads(done.stdout)["scores"] for done in (first, again))
    assert other == one
    assert (tmp_path / "n.json").read_text() == (tmp_path / "m.json").read_text()


@pytest.mark.parametrize("option", [("--seed", 0), ("--repeats", 1), ("--protocol", "stylegan-v-fvd16")])
def test_a_replay_takes_no_choices_beside_its_manifest(two_sides, tmp_path: Path, option: tuple[str, object]) -> None:
    done = _compute(*two_sides, "--replay", tmp_path / "m.json", *option)

    assert done.returncode == 2
    assert f"leave out {option[0]}" in done.stderr


def test_a_manifest_that_is_none_ends_with_its_name(two_sides, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("[]")

    done = _compute(*two_sides, "--replay", tmp_path / "m.json")

    assert done.returncode == 3
    assert "m.json: not a manifest of schema 1" in done.stderr and "Traceback" not in done.stderr
