"""inspect on the command line: streams and exit codes."""

import json
import subprocess
from pathlib import Path

import pytest

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
