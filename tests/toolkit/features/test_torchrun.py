"""Commands that torchrun starts in several processes: the digits of one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def sides(two_sides, tmp_path: Path) -> tuple[Path, Path]:
    """With a damaged video among the real ones, so that another takes its place."""
    shutil.copytree(two_sides[0], tmp_path / "real")
    (tmp_path / "real" / "1a.mkv").write_bytes(b"no video")
    return tmp_path / "real", two_sides[1]


def program(processes: int, *arguments: object) -> list[str]:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    started = torchrun if processes else []
    return [sys.executable, *started, "-m", "fvd_bench", *map(str, arguments)]


def run(processes: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = program(processes, *arguments)
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=240)


def compute(sides: tuple[Path, Path], protocol: str, *options: object) -> list[object]:
    return ["compute", "--real", sides[0], "--fake", sides[1], "--protocol", protocol, "--repeats", 2, *options]


def scores(done: subprocess.CompletedProcess[str]) -> object:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["scores"]


@pytest.mark.parametrize(("processes", "store"), [(2, "--no-cache"), (3, "--cache")])
def test_several_processes_give_the_digits_of_one(
    sides, pixels_protocol, tmp_path: Path, processes: int, store: str
) -> None:
    """Seven real and five fake videos, four and three of them used."""
    options = [store, *([tmp_path / "store"] if store == "--cache" else []), "--json", "-"]
    protocol = pixels_protocol(count="real = 4\nfake = 3")

    many = run(processes, *compute(sides, protocol, *options))

    assert scores(many) == scores(run(0, *compute(sides, protocol, "--no-cache", "--json", "-")))


def test_statistics_are_made_by_several_processes(sides, pixels_protocol, tmp_path: Path) -> None:
    out = ["--protocol", pixels_protocol(), "--no-cache", "--out"]
    for processes, name in ((2, "two.npz"), (0, "one.npz")):
        done = run(processes, "stats", sides[0], "--side", "real", *out, tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("7 real videos") + done.stdout.count("6 real videos") == 1

    assert (tmp_path / "two.npz").read_bytes() == (tmp_path / "one.npz").read_bytes()


def test_a_mistake_ends_all_processes(sides, tmp_path: Path) -> None:
    done = run(2, *compute(sides, "no-such-protocol", "--no-cache"))

    assert done.returncode != 0
    assert "no-such-protocol" in done.stderr
    assert 'Traceback (most recent call last):\n  File "<string>"' not in done.stderr


def test_a_killed_process_ends_all_and_the_same_command_goes_on(
    sides, pixels_protocol, tmp_path: Path, stored_entries
) -> None:
    for i in range(60):  # long enough to be killed in the middle
        shutil.copy(sides[0] / "5.mkv", sides[0] / f"more{i}.mkv")
    protocol, store = pixels_protocol(), tmp_path / "store"
    command = compute(sides, protocol, "--cache", store, "--workers", 1, "--json", "-")
    started = subprocess.Popen(
        program(2, *command), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    while started.poll() is None and not stored_entries(store):
        time.sleep(0.01)
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    victims = [pid for pid in children if b"fvd_bench" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(int(victims[0]), signal.SIGKILL)
    _, errors = started.communicate(timeout=120)
    assert started.returncode != 0, errors

    again = run(2, *command)

    assert scores(again) == scores(run(0, *compute(sides, protocol, "--no-cache", "--json", "-")))


DRIVER = """
import json, sys
from pathlib import Path

from fvd_bench import Settings, evaluate
from fvd_bench.evaluation import evaluate as evaluation
from fvd_bench.features import distributed as together
from fvd_bench.inspection import motion_of_sides
from fvd_bench.errors import MetricError

real, fake, protocol, out = sys.argv[1:]
counts = {"measured": 0, "scored": 0}
originals = motion_of_sides.measure, evaluation.measure

def counted(name, original, *given, **more):
    counts[name] += 1
    return original(*given, **more)

def run():
    settings = Settings(cache=None, device="cpu", distributed=True)
    return evaluate(real, fake, protocol, repeats=2, settings=settings)

def failing(rank, module, error=ZeroDivisionError):
    def fail(*given, **more):
        raise error("on purpose")
    motion_of_sides.measure, evaluation.measure = originals
    if together.rank() == rank:
        module.measure = fail
    try:
        run()
    except Exception as found:
        code = getattr(found, "exit_code", None)
        return type(found).__name__ + (f" {code}" if code else "")

with together.processes():
    motion_of_sides.measure = lambda *given, **more: counted("measured", originals[0], *given, **more)
    evaluation.measure = lambda *given, **more: counted("scored", originals[1], *given, **more)
    found = {"result": json.loads(run().to_json()), **counts}
    found["errors"] = [
        failing(0, evaluation), failing(1, motion_panel), failing(0, evaluation, MetricError), failing(0, motion_panel),
    ]
    Path(out, f"{together.rank()}.json").write_text(json.dumps(found))
"""


def test_work_is_shared_or_done_once_and_an_error_of_one_ends_all(sides, pixels_protocol, tmp_path: Path) -> None:
    """The driver evaluates, and again with faults of its own in one of the processes."""
    (tmp_path / "driver.py").write_text(DRIVER)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    given = [*map(str, sides), pixels_protocol(), str(tmp_path)]

    done = subprocess.run(
        [*torchrun, str(tmp_path / "driver.py"), *given], capture_output=True, text=True, env=ENVIRONMENT, timeout=240
    )

    assert done.returncode == 0, done.stderr
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    alone = json.loads(run(0, *compute(sides, given[2], "--no-cache", "--device", "cpu", "--json", "-")).stdout)
    assert first["result"] == second["result"]
    assert {**first["result"], "seconds": 0} == {**alone, "seconds": 0}
    assert [first["measured"], second["measured"]] == [7, 5]  # every second one of seven real and of five fake videos
    assert [first["scored"], second["scored"]] == [1, 0]
    fault, elsewhere = "ZeroDivisionError", "EndedElsewhereError 70"
    assert first["errors"] == [fault, elsewhere, "MetricError 3", fault]
    assert second["errors"] == [elsewhere, fault, "MetricError 3", elsewhere]
