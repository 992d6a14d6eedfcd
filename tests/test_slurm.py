"""docs/slurm.sh: what the tasks of an array job run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from fvd_bench.cli import cli

SCRIPT = Path(__file__).parents[1] / "docs" / "slurm.sh"

STAND_IN = """#!/bin/bash
# Writes down how it was called, and the file that it was to write, unless there is a file `fail`.
(IFS=$'\\t'; echo "$*" >> calls)
[ ! -e fail ] || exit 3
while [ "$1" != --out ]; do shift; done
touch "$2"
"""


def task(folder: Path, part: int) -> int:
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "VIDEOS": "a set", "SIDE": "real"}
    environment |= {"SLURM_ARRAY_TASK_COUNT": "2", "SLURM_ARRAY_TASK_ID": str(part)}
    return subprocess.run(["bash", str(SCRIPT)], cwd=folder, env=environment, check=False).returncode


def test_the_tasks_make_shards_and_the_last_one_joins_them(tmp_path: Path) -> None:
    (tmp_path / "fvd-bench").write_text(STAND_IN)
    (tmp_path / "fvd-bench").chmod(0o755)

    (tmp_path / "fail").touch()
    assert task(tmp_path, 2) == 3  # nothing is there, so that the task is made again
    (tmp_path / "fail").unlink()
    assert [task(tmp_path, part) for part in (1, 2, 2)] == [0, 0, 0]

    calls = [line.split("\t") for line in (tmp_path / "calls").read_text().splitlines()]
    merged = ["merge", "shards/1-of-2.npz", "shards/2-of-2.npz", "--out", "real.npz"]
    assert [call[0] for call in calls] == ["stats", "stats", "stats", "merge", "merge"]
    assert calls[3] == calls[4] == merged
    for name, *arguments in calls:
        cli.commands[name].make_context(name, arguments)  # a UsageError says what is wrong
