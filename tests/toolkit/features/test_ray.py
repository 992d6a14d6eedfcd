"""Ray itself, in processes of this machine: the digits of one process, though a worker is killed in the middle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.program import fvd_bench

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
ENVIRONMENT.pop("RAY_ADDRESS", None)


def descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def workers(pid: int) -> list[int]:
    """Actors that run networks for a command."""
    found = []
    try:
        for process in descendants(pid):
            if b"MapWorker" in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
    except OSError:  # one of them has just ended
        pass
    return found


@pytest.mark.slow  # Ray takes most of a minute to start and to end; test_cluster.py asks its stages, in their own time
def test_a_worker_is_killed_and_nothing_is_lost_or_counted_twice(two_sides, pixels_protocol, tmp_path: Path) -> None:
    real = shutil.copytree(two_sides[0], tmp_path / "real")
    (real / "1a.mkv").write_bytes(b"no video")
    given = [
        "compute",
        "--real",
        real,
        "--fake",
        two_sides[1],
        "--protocol",
        pixels_protocol(count="real = 4\nfake = 3"),
    ]
    given += ["--repeats", 2, "--device", "cpu", "--json", "-"]
    many = [*given, "--engine", "ray", "--workers", 2, "--no-cache", "--parquet", tmp_path / "parquet"]
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        running = subprocess.Popen(
            [sys.executable, "-m", "fvd_bench", *map(str, many)], stdout=out, stderr=err, env=ENVIRONMENT
        )
        killed = False
        while running.poll() is None:
            if not killed and (found := workers(running.pid)):
                os.kill(found[0], signal.SIGKILL)
                killed = True
            time.sleep(0.01)

    assert killed and running.returncode == 0, (tmp_path / "err").read_text()
    alone = fvd_bench(*given, "--no-cache")
    assert json.loads((tmp_path / "out").read_text())["scores"] == json.loads(alone.stdout)["scores"]
    rows = Counter[tuple[str, int]]()
    for file in (tmp_path / "parquet").glob("*.parquet"):
        table = pq.read_table(file)
        rows.update(zip(table["key"].to_pylist(), table["clip"].to_pylist(), strict=True))
    assert set(rows.values()) == {1}
    assert "Traceback" not in (tmp_path / "err").read_text()


@pytest.mark.slow  # as above
def test_a_cluster_that_is_not_there_is_told_of(two_sides, pixels_protocol, tmp_path: Path) -> None:
    given = [
        "compute",
        "--real",
        two_sides[0],
        "--fake",
        two_sides[1],
        "--protocol",
        pixels_protocol(),
        "--engine",
        "ray",
    ]
    given += ["--no-cache", "--parquet", tmp_path / "parquet"]

    done = subprocess.run(
        [sys.executable, "-m", "fvd_bench", *map(str, given)],
        env={**ENVIRONMENT, "RAY_ADDRESS": "127.0.0.1:1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 3
    assert "no Ray cluster can be used at RAY_ADDRESS=127.0.0.1:1" in done.stderr and "Traceback" not in done.stderr
