"""docs/ranking.md: its commands run as they stand, on small videos and a small protocol, and so does its Python."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

import fvd_bench
from tests.program import fvd_bench as program

PAGE = (Path(__file__).parents[3] / "docs" / "ranking.md").read_text("utf-8")
COMMANDS = re.findall(r"^fvd-bench (.*)$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_pixels_protocol) -> Path:
    root: Path = tmp_path_factory.mktemp("ranking")
    for seed, side in enumerate(("real", "runs/a/samples", "runs/b/samples", "runs/c/samples", "long")):
        rng = np.random.default_rng(seed)
        (root / side).mkdir(parents=True)
        for video in range(8):
            blocks = np.kron(rng.uniform(40, 250, (1, 3, 3, 3)), np.ones((27, 8, 8, 1)))
            np.save(root / side / f"{video}.npy", blocks.astype(np.uint8))
    for name in ("run", "other-run"):
        (root / name).mkdir()
        (root / name / "log.jsonl").write_text('{"kimg": 1, "fvd": 9}\n{"kimg": 2, "fvd": 8}\n')
    write_pixels_protocol(root)
    fvd_bench.evaluate(
        root / "real", root / "runs/a/samples", root / "pixels.toml", settings=fvd_bench.Settings(cache=None)
    ).write(root / "a.json")
    for name in ("b", "c", "other", "step-5000", "step-10000", "step-20000"):
        shutil.copy(root / "a.json", root / f"{name}.json")
    return root


def test_the_commands_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)

    for command in COMMANDS:
        name, *arguments = shlex.split(command)
        more = ["--protocol", "pixels.toml", "--no-cache"] if name == "compute" else []
        done = program(name, *arguments, *more)
        assert (done.returncode, done.stdout == "") == (0, False), (command, done.stderr)

    assert len(COMMANDS) == 7
    assert {file.name for file in folder.iterdir()} >= {"ranking.json", "curve.png", "curve.html", "drift.svg"}


def test_the_json_has_the_keys_that_the_page_names(folder: Path) -> None:
    table = json.loads((folder / "ranking.json").read_text())
    shown = PAGE.split("### The JSON of a ranking")[1].split("```")[1]

    named = set(re.findall(r'"(\w+)"', shown)) - {"ranking"}
    ranked = table["ranking"][0]
    assert named == {*table, *ranked, *ranked["order"][0], *ranked["contrasts"][0], "result", "name"} - {"ranking"}


def test_the_python_runs(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(folder)
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

    exec(compile(block.replace("stylegan-v-fvd16", "./pixels.toml"), "ranking.md", "exec"), {"fvd_bench": fvd_bench})

    assert [line.split()[0] for line in sorted(capsys.readouterr().out.splitlines())] == ["a", "b"]
