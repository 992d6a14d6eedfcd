"""The script for a quarter of an hour on a GPU, rehearsed on a CPU, without the packages that a bare machine lacks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "gpu_quarter_hour.sh"

ABSENT = ["av", "torch_fidelity", "pypi_simple"]

MOST_FILES, MOST_BYTES = 8, 16 * 2**20
"""What a call brings back."""

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Call the script as on a bare machine; more: variables."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({ABSENT}))\n")
    variables = {
        "PYTHON": sys.executable,
        "PYTHONPATH": site,
        "WORK": tmp_path / "work",
        "PACK": tmp_path / "pack",
        "OUT": tmp_path / "out",
        "DEVICE": "cpu",
        "TINY": "1",
        "OMP_NUM_THREADS": "1",
    }

    def make(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **{name: str(value) for name, value in {**variables, **more}.items()}}
        command = ["bash", SCRIPT, *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=1200)

    return make


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    """What is there once all parts are staged, empty."""
    for name in ("data", "weights"):
        (tmp_path / "work" / name).mkdir(parents=True)
    return tmp_path / "work"


@pytest.fixture
def pretender(tmp_path: Path) -> Path:
    """An interpreter that writes down what it should run, and hangs where `published numbers` should be found."""
    file = tmp_path / "python"
    file.write_text(
        "#!/bin/bash\n"
        f'echo "$*" >> {tmp_path}/calls\n'
        'case "$*" in\n'
        '  *gpu.py*) echo "{}" > "$RESULTS/gpu.json"; echo so far; sleep 600 ;;\n'
        "  *throughput.py*) echo no such thing; exit 9 ;;\n"
        "esac\n"
    )
    file.chmod(0o755)
    return file


def files(folder: Path) -> set[str]:
    """What a call would bring back, by names without those of devices; all of it has to be within the limits."""
    found = [file for file in folder.rglob("*") if file.is_file()]
    assert len(found) <= MOST_FILES
    assert all(file.stat().st_size <= MOST_BYTES for file in found)
    assert all(re.fullmatch(r"[\w.-]+", part) for file in found for part in file.relative_to(folder).parts)
    return {re.sub(r"-amd.*|-intel.*|-cpu.*", "", str(file.relative_to(folder))) for file in found}


def result(folder: Path, name: str) -> dict:
    (file,) = folder.glob(f"{name}-*.json")
    found: dict = json.loads(file.read_text("utf-8"))
    assert found["tiny"] and found["machine"]["av"] == "absent"
    return found


PATIENCE = {"LIMIT": 1200, "STEP_SECONDS": 300}
"""Other tests may run beside these."""


@pytest.fixture
def packed(call: Call, tmp_path: Path, moving_frames, write_frames) -> None:
    """What has to be sent was packed, called as it says, and taken in."""
    for seed in range(3):
        write_frames(tmp_path / "data" / f"{seed}", moving_frames(20, height=32, width=32, seed=seed), suffix=".jpg")

    packed = call("pack", tmp_path / "data", PYTHONPATH="")  # is done here, where packages are, and fetches weights
    assert packed.returncode == 0, packed.stderr
    calls = re.findall(r'run\(command="(.+)"(?:, carry=\["(.+)"\])?, timeout_s=\d+\)', packed.stdout)
    parts = [carried for _, carried in calls if carried]
    assert len(parts) >= 2
    assert [command for command, _ in calls if " run " in command] == [
        f"bash benchmarks/gpu_quarter_hour.sh stage {parts[-1]} && "
        "LIMIT=300 bash benchmarks/gpu_quarter_hour.sh run toolkit cost tests",
        "LIMIT=360 bash benchmarks/gpu_quarter_hour.sh run train",
    ]
    for part in parts:
        staged = call("stage", part)
        assert staged.returncode == 0, staged.stderr
    assert f"all of {len(parts)} parts are here" in staged.stdout


def test_tests_for_a_gpu_load_without_what_is_absent_there() -> None:
    texts = {str(file.relative_to(ROOT)): file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py")}
    of_gpu = {name: text for name, text in texts.items() if re.search(r"mark\.gpu\b", text)}

    at_once = rf"^(import|from) ({'|'.join(ABSENT)})\b"
    assert len(of_gpu) > 3
    assert [name for name, text in of_gpu.items() if re.search(at_once, text, re.MULTILINE)] == []


@pytest.mark.slow
@pytest.mark.usefixtures("packed")
def test_everything_is_measured_in_small(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "out"

    done = call("run", "toolkit", "cost", "tests", **PATIENCE)

    assert done.returncode == 0, done.stdout
    assert files(out) == {"log.txt", "gpu", "throughput", "overlap", "training-cost"}
    assert result(out, "gpu")["selftest"] == {"passed": 3, "checks": 3}
    assert result(out, "gpu")["diagnosis"]["float32"] == "right"
    assert result(out, "gpu")["scores"]["cpu, 1 workers"] > 0
    models = result(out, "training-cost")["models"]
    assert models.keys() == {"image", "release", "middle", "paper"}
    assert 0.5 < sum(models["middle"]["share of operations"].values()) <= 1
    assert re.search(r"\d+ skipped", (out / "log.txt").read_text())


@pytest.mark.slow  # what the script does with its steps is tested below, and each of them by tests of its own
@pytest.mark.usefixtures("packed")
def test_a_training_runs_in_small(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "out"

    done = call("run", "train", **PATIENCE)

    assert done.returncode == 0, done.stdout
    assert files(out) == {
        "log.txt", "training", "sheet.jpg", "film.webp", "state/state.json", "state/1-of-1.piece"
    }  # fmt: skip
    training = result(out, "training")
    assert training["kimg"] == pytest.approx(0.048)
    assert training["scores"][0]["fvd"] > 0
    with Image.open(out / "sheet.jpg") as sheet:
        assert np.asarray(sheet).std() > 0


class TestSteps:
    def test_one_that_hangs_is_ended_and_one_that_fails_is_passed(
        self, call: Call, staged: Path, pretender: Path, tmp_path: Path
    ) -> None:
        done = call("run", "toolkit", PYTHON=pretender, LIMIT=60, STEP_SECONDS=2)

        assert done.returncode == 1
        said = [line.removeprefix("== ") for line in done.stdout.splitlines() if line.startswith("== ")]
        assert said[:2] == ["published numbers: 2 seconds at most", "published numbers: ended at its limit"]
        assert said[2:4] == ["throughput: 2 seconds at most", "throughput: failed with exit code 9"]
        assert re.fullmatch(r"overlap: done, [01] seconds", said[5])
        assert (tmp_path / "out" / "gpu.json").read_text() == "{}\n"
        assert "so far\n" in (tmp_path / "out" / "log.txt").read_text()

    def test_the_whole_time_is_a_limit_of_each(self, call: Call, staged: Path, pretender: Path) -> None:
        done = call("run", "toolkit", "cost", PYTHON=pretender, LIMIT=5)

        assert done.returncode == 1
        assert re.search("^== published numbers: [1-5] seconds at most$", done.stdout, re.MULTILINE)
        assert "== cost of training: left out, no time is left" in done.stdout

    def test_a_training_ends_before_the_end_and_goes_on_from_a_state(
        self, call: Call, staged: Path, pretender: Path, tmp_path: Path
    ) -> None:
        (staged / "state").mkdir()
        call("run", "train", PYTHON=pretender, LIMIT=540, TINY="", TRAIN="--batch 16")

        calls = (tmp_path / "calls").read_text().splitlines()[1:]
        run, out = staged / "run", tmp_path / "out"
        assert calls[0] == f"-m stylegan_v state join {staged}/state {run}"
        found = re.fullmatch(
            rf"-m stylegan_v train --out {run} --config benchmarks/faces_128\.toml --data {staged}/data "
            rf"--device cpu --workers \d+ --minutes ([\d.]+) --batch 16",
            calls[1],
        )
        assert found and 6.9 < float(found[1]) <= 7
        assert calls[2:] == [
            f"-m stylegan_v state split {run} {out}/state",
            f"benchmarks/gpu_training.py {run} {staged}/data --device cpu",
        ]

    def test_a_training_that_could_not_begin_is_tried_without_recorded_steps(
        self, call: Call, staged: Path, pretender: Path, tmp_path: Path
    ) -> None:
        pretender.write_text(pretender.read_text().replace("*throughput.py*", "*faces_128.toml*"))
        call("run", "train", PYTHON=pretender, LIMIT=540, TINY="")

        calls = (tmp_path / "calls").read_text().splitlines()
        plain = staged / "without-graphs.toml"
        assert [f"--config {plain}" in line for line in calls if " train " in line] == [False, True]
        given, tried = (
            tomllib.loads(file.read_text("utf-8")) for file in (ROOT / "benchmarks" / "faces_128.toml", plain)
        )
        assert given["train"].pop("cuda_graphs") is True and tried["train"].pop("cuda_graphs") is False
        assert given == tried

    def test_a_training_that_has_begun_keeps_its_settings(self, call: Call, staged: Path, pretender: Path) -> None:
        (staged / "run").mkdir()
        (staged / "run" / "run.toml").touch()
        call("run", "train", PYTHON=pretender, LIMIT=540)

        calls = (pretender.parent / "calls").read_text()
        assert "state join" not in calls and "--config" not in calls


class TestMistakes:
    def test_a_time_that_is_none(self, call: Call, staged: Path) -> None:
        done = call("run", "train", LIMIT="nine")

        assert done.returncode == 3
        assert "error: LIMIT=nine: expected whole seconds" in done.stderr

    def test_a_step_that_does_not_exist(self, call: Call, staged: Path) -> None:
        done = call("run", "toolkit", "trian", LIMIT=60)

        assert done.returncode == 3
        assert "error: there is no step trian: expected toolkit, tests, cost or train" in done.stderr

    def test_nothing_was_staged(self, call: Call, tmp_path: Path) -> None:
        done = call("run", "train", LIMIT=60)

        assert done.returncode == 3
        assert f"there is no {tmp_path}/work/data: stage all parts of a pack" in done.stderr

    def test_parts_that_are_missing_or_damaged(self, call: Call, tmp_path: Path) -> None:
        for number in (1, 2):
            (tmp_path / f"{number}").mkdir()
            (tmp_path / f"{number}" / f"{number}-of-2.part").write_bytes(b"no archive")

        first, second, empty = (call("stage", tmp_path / name) for name in ("2", "1", "3"))

        assert first.returncode == 0 and "part 1 of 2 is still to come" in first.stdout
        assert second.returncode == 3 and "the parts are damaged, or of different packs" in second.stderr
        assert empty.returncode == 3 and "holds no part: pack, and name it in carry" in empty.stderr

    def test_a_folder_of_something_else_is_left_alone(self, call: Call, tmp_path: Path) -> None:
        (tmp_path / "pack").mkdir()
        (tmp_path / "pack" / "thesis.tex").touch()

        done = call("pack", tmp_path)

        assert done.returncode == 3
        assert "holds something else than a pack: remove it" in done.stderr
        assert (tmp_path / "pack" / "thesis.tex").exists()

    def test_a_bad_state_is_known_before_it_travels(self, call: Call, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        done = call("pack", tmp_path / "data", tmp_path)

        assert done.returncode == 3
        assert "has no state.json: expected a folder that `stylegan-v state split` wrote" in done.stderr
