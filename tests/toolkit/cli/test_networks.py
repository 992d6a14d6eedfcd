"""fvd-bench networks, and --allow-code."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fvd_bench.cli import cli
from fvd_bench.errors import FvdBenchError
from fvd_bench.networks import NETWORKS


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FVD_BENCH_HOME", str(tmp_path / "home"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


def test_the_list_has_each_network_with_what_is_known_of_it(plugins, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FVD_BENCH_I3D", "FVD_BENCH_C3D", "FVD_BENCH_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    plugins.network()
    plugins.package("of-mine", extractors={"means": "of_mine:means", "pixels": "of_mine:means", "none": "not_there:x"})

    rows = {
        (row["network"], row["from"]): row for row in json.loads(run("networks", "list", "--format", "json").stdout)
    }

    assert [name for name, package in rows if package == "fvd-bench"] == list(NETWORKS)
    assert all(row["check"] and row["layers"] for (_, package), row in rows.items() if package == "fvd-bench")
    assert rows["i3d", "fvd-bench"]["weights"] == "i3d-kinetics-400 fetchable"
    assert rows["c3d", "fvd-bench"]["weights"] == "c3d-ucf101 absent, c3d-ucf101-mean absent"
    assert "Apache-2.0" in rows["inception", "fvd-bench"]["licence"]
    assert [name for (name, _), row in rows.items() if "openvino" in row["devices"]] == ["i3d"]
    assert rows["clip-l14-336", "fvd-bench"]["software"] == "transformers"
    own = rows["means", "of-mine 1.0"]
    assert (own["layers"], own["frames"], own["licence"]) == ("features: 6", "2 or more", "mine")
    assert own["check"] == "fvd-bench networks check means"
    assert "is that of a network of fvd-bench" in rows["pixels", "of-mine 1.0"]["check"]
    assert "cannot be used: none of of-mine 1.0: importing not_there" in rows["none", "of-mine 1.0"]["check"]
    text = run("networks", "list").stdout
    assert all(name in text for name, _ in rows)
    assert run("networks", "list", "--format", "markdown").stdout.startswith("| network | layers |")


def test_a_check_says_what_holds_and_what_does_not(plugins, tmp_path: Path) -> None:
    name = plugins.network()  # importing what is typed needs no other permission

    sound = run("networks", "check", name, "--json", "found.json")

    assert sound.exit_code == 0 and re.search(r"takes clips of 2 frames +ok ", sound.stdout)
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["ok"] and found["identity"].startswith("means@1#") and found["dim"] == 6
    assert all(check["ok"] for check in found["checks"]) and len(found["checks"]) == 10
    plugins.module("of_mine", (plugins.folder / "of_mine.py").read_text().replace("* self", "* torch.rand(1) * self"))
    broken = run("networks", "check", name, "--json", "-")
    assert isinstance(broken.exception, FvdBenchError) and broken.exception.exit_code == 3
    assert "fails 4 of 10 checks: gives the same when called again" in str(broken.exception)
    assert json.loads(broken.stdout)["ok"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["mean"], 2, "no network is called 'mean'; there are i3d, inception, c3d, videomae-base"),
        (["not_there:means"], 3, "there is no module not_there: run the command in the folder"),
        (["pixels", "--layer", "pool"], 3, "pixels has the layer \"logits\", not 'pool'"),
        (["pixels", "--weights", "none"], 2, "expected NAME=FILE"),
    ],
)
def test_what_cannot_be_checked_is_told(plugins, arguments: list[str], code: int, message: str) -> None:
    done = run("networks", "check", *arguments)

    assert (getattr(done.exception, "exit_code", done.exit_code), message in f"{done.exception}{done.output}") == (
        code,
        True,
    )


def test_a_score_by_code_of_the_user_needs_his_word(plugins, own_protocol, two_sides) -> None:
    name = plugins.network()
    real, fake = two_sides
    line = ["compute", "--real", real, "--fake", fake, "--protocol", own_protocol(name), "--format", "score", "--quiet"]

    refused = run(*line)
    assert "is code outside fvd-bench" in str(refused.exception) and refused.exception.exit_code == 3  # type: ignore[union-attr]
    assert run(*line, "--allow-code", "of_mine").exception.exit_code == 2  # type: ignore[union-attr]

    done = run(*line, "--allow-code", name)
    assert done.exit_code == 0 and float(done.stdout) > 0
    shown = run("protocols", "show", own_protocol(name)).stdout
    assert "# not of fvd-bench: of_mine:means; scores have another digest" in shown
