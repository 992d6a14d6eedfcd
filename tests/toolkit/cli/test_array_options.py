"""Axes and ranges can be stated wherever arrays are read, and a message names only options that its command has."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest

from fvd_bench.cli import cli
from stylegan_v.cli import cli as model_cli
from tests.program import fvd_bench

ROOT = Path(__file__).parents[3]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")

SAID_BY = {
    "fvd_bench/evaluation/comparisons/comparability.py": ["check"],
    "fvd_bench/evaluation/demo.py": ["demo"],
    "fvd_bench/evaluation/findings.py": ["compute", "check", "table4", "stats"],
    "fvd_bench/evaluation/statistics/merging.py": ["merge"],
    "fvd_bench/evaluation/plan.py": ["compute"],
    "fvd_bench/evaluation/studies/table4.py": ["table4"],
    "fvd_bench/features/cluster/parquet.py": ["compute", "stats"],
    "fvd_bench/features/cluster/ray_data.py": ["compute", "stats"],
    "fvd_bench/features/references/resolving.py": ["refs pull"],
    "fvd_bench/networks/environment.py": ["compute", "check", "table4", "stats", "merge", "selftest", "demo"],
    "fvd_bench/plugins.py": ["compute", "check", "table4", "stats"],
    "fvd_bench/reports/exports.py": ["export"],
    "fvd_bench/settings.py": ["compute", "stats"],
    "fvd_bench/paired/findings.py": ["paired"],
    "model/stylegan_v/training/loop.py": ["train"],
    "model/stylegan_v/training/memory_advice.py": ["train"],
    "model/stylegan_v/training/run_folder.py": ["train"],
    "model/stylegan_v/training/session.py": ["train"],
}
"""The commands that lead to the messages of a module. Messages of other modules name an option with its command."""


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory, moving_frames) -> Path:
    """Floats whose axes nobody can infer, with 4 videos of 3 frames that are 3 high, as three axes may be colours."""
    folder = tmp_path_factory.mktemp("arrays")
    np.save(folder / "a.npy", np.random.default_rng(0).random((4, 12, 3, 3, 3), dtype=np.float32))
    return folder / "a.npy"


STATED = ["--axes", "NTHWC", "--range", "0,1"]


def test_inspect_states_them_for_both_sides(arrays: Path) -> None:
    of_the_other = [option.replace("--", "--against-") for option in STATED]

    refused = fvd_bench("inspect", arrays)
    half = fvd_bench("inspect", arrays, "--against", arrays, *STATED)
    done = fvd_bench("inspect", arrays, "--against", arrays, *STATED, *of_the_other, "--json", "-")

    assert refused.returncode == half.returncode == 3
    assert "with --axes or --against-axes" in refused.stderr
    assert done.returncode == 0, done.stderr
    assert '"code": "shared-videos"' in done.stdout or "both" in done.stdout


def test_stats_and_merge_state_them(arrays: Path, tmp_path: Path, pixels_protocol) -> None:
    given = ["stats", arrays, "--side", "fake", "--protocol", pixels_protocol(), "--no-cache"]

    refused = fvd_bench(*given, "--out", tmp_path / "a.npz", "--axes", "NTHWC")
    done = fvd_bench(*given, "--out", tmp_path / "a.npz", *STATED)
    merged = fvd_bench("merge", tmp_path / "a.npz", "--source", arrays, *STATED, "--out", tmp_path / "b.npz")
    lacking = fvd_bench("merge", tmp_path / "a.npz", *STATED, "--out", tmp_path / "b.npz")

    assert refused.returncode == 3 and "such as -1 and 1, with --range" in refused.stderr
    assert done.returncode == merged.returncode == 0, done.stderr + merged.stderr
    assert lacking.returncode == 2 and "nothing is given that could hold some" in lacking.stderr


def test_compute_names_the_options_of_both_sides(arrays: Path) -> None:
    done = fvd_bench("compute", "--real", arrays, "--fake", arrays)

    assert done.returncode == 3
    assert "with --real-axes or --fake-axes" in done.stderr


def test_every_command_that_reads_sides_has_them() -> None:
    """One that takes a place of videos without them would point to options that it lacks."""
    from fvd_bench.cli.values import Place

    for command in _commands(cli), _commands(model_cli):
        for name, found in command.items():
            places = [
                param for param in found.params if isinstance(param.type, Place) and param.name not in ("out", "files")
            ]
            options = {option for param in found.params for option in param.opts}
            endings = [option for option in options if option.endswith(("axes", "range"))]
            assert len(endings) == 2 * len(places), name


def test_messages_name_options_that_their_command_has() -> None:
    commands = {**_commands(cli), **_commands(model_cli)}
    wrong: list[str] = []
    for file in sorted([*ROOT.glob("fvd_bench/**/*.py"), *ROOT.glob("model/stylegan_v/**/*.py")]):
        module = file.relative_to(ROOT).as_posix()
        if "/cli/" in module:
            continue
        source = file.read_text("utf-8")
        for text in _messages(source) if OPTION.search(source) else ():
            for option in OPTION.findall(text):
                named = re.findall(
                    r"(?:`(?:fvd-bench |stylegan-v )?|(?:fvd-bench|stylegan-v) )([a-z0-9]+)\b[^`]*" + option, text
                )
                owners = named or SAID_BY.get(module, ["no command"])
                have = [name for name, command in commands.items() if option in _options(command)]
                wrong += [f"{module}: {option} of {owner}" for owner in owners if owner not in have]
    assert wrong == []


def _messages(source: str) -> Iterator[str]:
    """The texts of a module that are no documentation and no style sheets, each f-string whole."""
    nodes = [*ast.walk(ast.parse(source))]
    left_out = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    left_out |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        text = ""
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            text = node.value
        if "var(--" not in text:
            yield text


def _commands(group: click.Group) -> dict[str, click.Command]:
    found = dict(group.commands)
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= {f"{name} {inner}": of for inner, of in command.commands.items()}
    return found


def _options(command: click.Command) -> set[str]:
    return {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
