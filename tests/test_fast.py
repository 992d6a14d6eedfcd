"""Commands that need no network answer without the packages that take seconds to load."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.settings import Settings

HEAVY = ("torch", "scipy", "pandas", "torch_fidelity", "torchvision", "matplotlib", "av")

AFTER_PATHS = ("fvd_bench.evaluation.opening", "fvd_bench.evaluation.result", "sqlite3", "importlib.metadata", "html")
"""What is not needed before a path is found missing, and costs a third of the time until then."""

_ONE_AFTER_ANOTHER = """
import importlib, json, sys
heavy, lines = json.load(sys.stdin)
for name, *arguments in lines:
    sys.argv = [name, *arguments]
    try:
        importlib.import_module(f"{name.replace('-', '_')}.cli").main()
        code = 0
    except SystemExit as end:
        code = end.code
    print(json.dumps({"code": code, "loaded": [module for module in heavy if module in sys.modules]}), flush=True)
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, two_sides, write_pixels_protocol) -> Path:
    folder = tmp_path_factory.mktemp("result")
    evaluate(*two_sides, write_pixels_protocol(folder), settings=Settings(cache=None)).write(folder / "result.json")
    return folder / "result.json"


def _run(
    lines: Sequence[Sequence[object]], folder: Path, heavy: Sequence[str] = HEAVY
) -> tuple[list[dict[str, object]], str]:
    """Run command lines in one new process. Return how each ended and what was loaded then, and what stderr shows."""
    asked = json.dumps([heavy, [[str(argument) for argument in line] for line in lines]])
    program = [sys.executable, "-c", _ONE_AFTER_ANOTHER]
    done = subprocess.run(program, input=asked, capture_output=True, text=True, check=True, cwd=folder)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"code"')], done.stderr


def test_a_missing_path_is_told_before_what_follows_is_loaded(tmp_path: Path) -> None:
    (end,), errors = _run([["fvd-bench", "compute", "--real", "none", "--fake", "none"]], tmp_path, AFTER_PATHS)

    assert "none does not exist" in errors
    assert end == {"code": 3, "loaded": []}


def test_what_needs_no_network_loads_nothing_heavy(tmp_path: Path, result: Path, two_sides) -> None:
    real, fake = two_sides
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "0.mkv").symlink_to(fake / "0.mkv")
    (tmp_path / "text.pt").write_text("no checkpoint")
    sides = ["--real", real, "--fake", fake]
    expected = [
        (["fvd-bench", "compute", "--real", "none", "--fake", fake], 3),
        (["fvd-bench", "compute", *sides, "--protocol", "none"], 2),
        (["fvd-bench", "compute", *sides, "--none"], 2),
        (["fvd-bench", "compute", *sides, "--group-by", "("], 2),
        (["fvd-bench", "compute", "--real", "empty", "--fake", fake], 3),
        (["fvd-bench", "compute", "--real", real, "--fake", "one"], 3),
        (["fvd-bench", "compute", "--real", real, "--fake", "one", "--dry-run"], 3),
        (["fvd-bench", "compute", *sides, "--protocol", result.parent / "pixels.toml", "--cache", result], 3),
        (["fvd-bench", "table4", "--real", real, "--fake", "one"], 3),
        (["fvd-bench", "compare", result, result], 0),
        (["fvd-bench", "compare", result, "none.json"], 3),
        (["fvd-bench", "check", *sides, "--baseline", "none.json"], 3),
        (["fvd-bench", "check", "--real", "none", "--fake", fake, "--baseline", result], 3),
        (["fvd-bench", "paired", "--real", "none", "--fake", fake], 3),
        (["fvd-bench", "paired", *sides, "--protocol", "none"], 2),
        (["fvd-bench", "audit", "--real", "none"], 3),
        (["fvd-bench", "audit", "--real", real, "--distortion", "none"], 2),
        (["fvd-bench", "stats", "none", "--side", "real", "--out", "x.npz"], 3),
        (["fvd-bench", "merge", "none.npz", "--out", "x.npz"], 3),
        (["fvd-bench", "refs", "list"], 0),
        (["fvd-bench", "refs", "show", "none"], 2),
        (["fvd-bench", "compute", "--real", "refs:none", "--fake", fake], 2),
        (["fvd-bench", "export", result, "--format", "latex"], 0),
        (["fvd-bench", "export", result, "--format", "eee"], 2),
        (["fvd-bench", "inspect", "none"], 3),
        (["fvd-bench", "protocols", "list"], 0),
        (["fvd-bench", "protocols", "show", "latte"], 0),
        (["fvd-bench", "protocols", "diff", "stylegan-v-fvd16", "latte"], 0),
        (["fvd-bench", "protocols", "explain", "stylegan-v-fvd16", "latte", "--real", "none", "--fake", fake], 3),
        (["fvd-bench", "protocols", "explain", "stylegan-v-fvd16", "latte", "--real", real, "--fake", "one"], 3),
        (["fvd-bench", "weights", "list"], 0),
        (["fvd-bench", "networks", "list"], 0),
        (["fvd-bench", "networks", "check", "none"], 2),
        (["fvd-bench", "selftest", "--none"], 2),
        (["stylegan-v", "train", "--config", "none", "--out", "run"], 3),
        (["stylegan-v", "train", "--data", "none", "--out", "run"], 3),
        (["stylegan-v", "train", "--preset", "none", "--data", "one", "--out", "run"], 2),
        (["stylegan-v", "data", "none", "out", "--resolution", "64"], 3),
        (["stylegan-v", "generate", "none", "--out", "out"], 3),
        (["stylegan-v", "strip", "none", "--out", "a.png"], 3),
        (["stylegan-v", "project", "none", "--checkpoint", "none", "--out", "out"], 3),
        (["stylegan-v", "edit", "none", "--text", "x", "--clip", "none", "--out", "out"], 3),
        (["stylegan-v", "gradients", "none", "--real", real, "--out", "a.png"], 3),
        (["stylegan-v", "encodings"], 2),
        (["stylegan-v", "evaluate", "text.pt", "--real", real], 3),
        (["stylegan-v", "evaluate", "none", "--real", real], 3),
        (["stylegan-v", "import", "none", "--out", "x.pt"], 3),
        (["stylegan-v", "ablations"], 0),
        (["stylegan-v", "train", "--ablation", "none", "--out", "run"], 2),
        (["stylegan-v", "info", "text.pt"], 3),
        (["stylegan-v", "info", "--preset", "none"], 2),
        (["stylegan-v", "state", "split", "none", "out"], 3),
        (["stylegan-v", "state", "join", "none", "out"], 3),
    ]

    found, errors = _run([line for line, _ in expected], tmp_path)

    assert "Traceback" not in errors and "a fault of" not in errors
    ends = zip(expected, found, strict=True)
    assert [(line, end["code"], end["loaded"]) for (line, _), end in ends] == [
        (line, code, []) for line, code in expected
    ]
