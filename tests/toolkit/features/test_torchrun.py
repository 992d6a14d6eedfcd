"""Commands that torchrun starts in several processes: the digits of one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.forked import Program, ranks
from tests.program import fvd_bench

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]


@pytest.fixture(scope="module")
def sides(two_sides, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """With a damaged video among the real ones, so that another takes its place."""
    real = shutil.copytree(two_sides[0], tmp_path_factory.mktemp("sides") / "real")
    (real / "1a.mkv").write_bytes(b"no video")
    return real, two_sides[1]


def program(processes: int, *arguments: object) -> list[str]:
    return [*TORCHRUN, str(processes), "-m", "fvd_bench", *map(str, arguments)]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return Program(*command, env=ENVIRONMENT).end()


def compute(sides: tuple[Path, Path], protocol: str, *options: object) -> list[object]:
    return ["compute", "--real", sides[0], "--fake", sides[1], "--protocol", protocol, "--repeats", 2, *options]


def scores(done: subprocess.CompletedProcess[str]) -> object:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["scores"]


@pytest.mark.slow  # two processes are asked the same of below
def test_three_processes_give_the_digits_of_one(sides, pixels_protocol) -> None:
    """Seven real and five fake videos, four and three of them used."""
    given = compute(sides, pixels_protocol(count="real = 4\nfake = 3"), "--no-cache", "--json", "-")

    assert scores(run(program(3, *given))) == scores(fvd_bench(*given))


def test_a_killed_process_ends_all_and_the_same_command_goes_on(
    sides, pixels_protocol, tmp_path: Path, stored_entries
) -> None:
    real = shutil.copytree(sides[0], tmp_path / "real")
    for i in range(30):  # long enough to be killed in the middle
        shutil.copy(real / "5.mkv", real / f"more{i}.mkv")
    protocol, store = pixels_protocol(count="real = 20\nfake = 3"), tmp_path / "store"
    given = compute((real, sides[1]), protocol, "--workers", 1, "--json", "-")
    command = program(2, *given, "--cache", store)
    started = Program(*command, env=ENVIRONMENT)
    while started.is_running() and not stored_entries(store):
        time.sleep(0.01)
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    victims = [pid for pid in children if b"fvd_bench" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(int(victims[0]), signal.SIGKILL)
    ended = started.end()
    assert ended.returncode != 0, ended.stderr

    again, _ = ranks(2, "-m", "fvd_bench", *given, "--cache", store)
    assert scores(again) == scores(fvd_bench(*given, "--no-cache"))


def test_an_explanation_is_shared_and_told_once(sides, pixels_protocol) -> None:
    first, shorter = pixels_protocol(name="first"), pixels_protocol(name="shorter", frames=8)
    given = [
        "protocols",
        "explain",
        first,
        shorter,
        "--real",
        sides[0],
        "--fake",
        sides[1],
        "--no-cache",
        "--json",
        "-",
    ]

    told, silent = ranks(2, "-m", "fvd_bench", *given)

    assert (told.returncode, silent.returncode, silent.stdout) == (0, 0, ""), told.stderr + silent.stderr
    assert json.loads(told.stdout)["steps"] == json.loads(fvd_bench(*given).stdout)["steps"]


DRIVER = """
import json, sys
from pathlib import Path

from fvd_bench import Settings, evaluate
from fvd_bench.cli import main
from fvd_bench.evaluation import collection_scores
from fvd_bench.features import distributed as together
from fvd_bench.inspection import motion_of_sides
from fvd_bench.errors import MetricError

real, fake, protocol, out, mistake = sys.argv[1:]
counts = {"measured": 0, "scored": 0}
originals = motion_of_sides.measure, collection_scores.measure

def counted(name, original, *given, **more):
    counts[name] += 1
    return original(*given, **more)

def run():
    settings = Settings(cache=None, device="cpu", distributed=True)
    return evaluate(real, fake, protocol, repeats=2, settings=settings)

def failing(rank, module, error=ZeroDivisionError):
    def fail(*given, **more):
        raise error("on purpose")
    motion_of_sides.measure, collection_scores.measure = originals
    if together.rank() == rank:
        module.measure = fail
    try:
        run()
    except Exception as found:
        code = getattr(found, "exit_code", None)
        return type(found).__name__ + (f" {code}" if code else "")

with together.processes():
    motion_of_sides.measure = lambda *given, **more: counted("measured", originals[0], *given, **more)
    collection_scores.measure = lambda *given, **more: counted("scored", originals[1], *given, **more)
    found = {"result": json.loads(run().to_json()), **counts}
    found["errors"] = [
        failing(0, collection_scores), failing(1, motion_of_sides),
        failing(0, collection_scores, MetricError), failing(0, motion_of_sides),
    ]
    Path(out, f"{together.rank()}.json").write_text(json.dumps(found))
    motion_of_sides.measure, collection_scores.measure = originals
    for command in (["stats", real, "--side", "real", "--protocol", protocol, "--no-cache", "--out", f"{out}/two.npz"],
                    ["compute", "--real", real, "--fake", fake, "--protocol", mistake]):
        sys.argv = ["fvd-bench", *command]
        main()
"""


@pytest.fixture(scope="module")
def protocol(write_pixels_protocol, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_pixels_protocol(tmp_path_factory.mktemp("protocol"))


@pytest.fixture(scope="module")
def driven(
    sides, protocol, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[subprocess.CompletedProcess[str]], Path]:
    """Two drivers, which evaluate, again with faults of their own in one of them, make statistics, and end with a
    mistaken command; with the folder that they write to."""
    folder = tmp_path_factory.mktemp("driver")
    return ranks(2, "-c", DRIVER, *sides, protocol, folder, "no-such-protocol"), folder


def test_statistics_are_made_by_several_processes(driven, sides, protocol, tmp_path: Path) -> None:
    many, folder = driven
    alone = ["stats", sides[0], "--side", "real", "--protocol", protocol, "--no-cache", "--out", tmp_path / "one.npz"]

    done = fvd_bench(*alone)

    assert done.returncode == 0, done.stderr
    for stdout in ("".join(each.stdout for each in many), done.stdout):
        assert stdout.count("7 real videos") + stdout.count("6 real videos") == 1
    assert (folder / "two.npz").read_bytes() == (tmp_path / "one.npz").read_bytes()


def test_a_mistake_ends_all_processes(driven) -> None:
    (first, second), _ = driven

    assert "no-such-protocol" in first.stderr
    for done in (first, second):
        assert done.returncode != 0
        assert "Traceback" not in done.stderr


def test_work_is_shared_or_done_once_and_an_error_of_one_ends_all(driven, sides, protocol) -> None:
    _, folder = driven

    first, second = (json.loads((folder / f"{rank}.json").read_text()) for rank in range(2))
    alone = json.loads(fvd_bench(*compute(sides, protocol, "--no-cache", "--device", "cpu", "--json", "-")).stdout)
    assert first["result"] == second["result"]
    assert {**first["result"], "seconds": 0} == {**alone, "seconds": 0}
    # Every second one of seven real and of five fake videos; the damaged one is tried by itself as well.
    assert [first["measured"], second["measured"]] == [8, 5]
    assert [first["scored"], second["scored"]] == [1, 0]
    fault, elsewhere = "ZeroDivisionError", "EndedElsewhereError 70"
    assert first["errors"] == [fault, elsewhere, "MetricError 3", fault]
    assert second["errors"] == [elsewhere, fault, "MetricError 3", elsewhere]


UNLIKE = """
import json, sys
from fvd_bench import FvdBenchError, Settings, evaluate
from fvd_bench.evaluation import evaluation
from fvd_bench.features import distributed

real, fewer, others, fake, protocol = sys.argv[1:]

def told(real):
    try:
        evaluate(real, fake, protocol, settings=Settings(cache=None, device="cpu", distributed=True), progress=False)
    except FvdBenchError as error:
        return str(error)

with distributed.processes() as is_first:
    found = [told(real if is_first else instead) for instead in (fewer, others)]
    if not is_first:
        original = evaluation.versions
        evaluation.versions = lambda *given: {**original(*given), "numpy": "0.1"}
    print(json.dumps([*found, told(real)]))
"""


def test_processes_that_see_other_videos_or_have_other_software_are_refused(sides, protocol, tmp_path: Path) -> None:
    """They waited for each other for hours, or gave features of several kinds."""
    fewer, others = (shutil.copytree(sides[0], tmp_path / name) for name in ("fewer", "others"))
    (fewer / "4.mkv").unlink()
    (others / "4.mkv").rename(others / "6.mkv")

    first, second = ranks(2, "-c", UNLIKE, sides[0], fewer, others, sides[1], protocol)

    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    of_first, of_second = json.loads(first.stdout), json.loads(second.stdout)
    assert "process 0 of this run lists 7 videos, and process 1 6 videos" in of_first[0]
    assert "process 1 videos of other names" in of_first[1]
    assert of_first[2] == of_second[2] and "process 1 has 0.1" in of_first[2]
    assert [text.partition(": ")[2] for text in of_first[:2]] == [text.partition(": ")[2] for text in of_second[:2]]
