"""docs/extending.md: what a stranger copies from that page alone runs as it stands."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from fvd_bench.cli import cli
from fvd_bench.networks import NETWORKS
from tests.test_docs import DOCS, blocks, commands

PAGE = DOCS / "extending.md"
NETWORK, FROM_PYTHON, METRIC = blocks(PAGE, "python")
PROTOCOL, ENTRY_POINT = blocks(PAGE, "toml")
CHECK, COMPUTE = commands(PAGE)


@pytest.fixture
def folder(plugins, tmp_path: Path, moving_frames, write_video, monkeypatch: pytest.MonkeyPatch) -> Path:
    for first, side in enumerate(("real", "fake")):
        for seed in range(2):
            frames = moving_frames(16, 24, 32, seed=10 * first + seed)
            write_video(tmp_path / side / f"{seed}.mkv", frames, codec="rawvideo", pix_fmt="bgr24")
    plugins.module("my_networks", NETWORK)
    plugins.module("my_metrics", METRIC)
    (tmp_path / "r3d18.toml").write_text(PROTOCOL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FVD_BENCH_HOME", str(tmp_path / "home"))
    return tmp_path


def test_the_network_is_twenty_lines() -> None:
    assert len([line for line in NETWORK.splitlines() if line]) <= 20


def test_the_page_runs(folder: Path, plugins, capsys: pytest.CaptureFixture[str]) -> None:
    done = CliRunner().invoke(cli, [*COMPUTE.arguments, "--json", "result.json"])

    assert done.exit_code == 0, (done.output, done.exception)
    score = json.loads((folder / "result.json").read_text())["scores"][0]
    named = score["signature"].split("|features:")[1].partition(":")[0]
    assert score["value"] > 0 and named.startswith("r3d18@file-")
    exec(compile(FROM_PYTHON, "extending.md", "exec"), names := {})  # finds the features that were just stored
    assert names["result"].value == score["value"]
    assert f"|features:{named}:" in capsys.readouterr().out

    plugins.package("my-networks", extractors={"r3d18": ENTRY_POINT.rpartition('"')[0].rpartition('"')[2]})
    assert NETWORKS.find("r3d18").version == named.partition("#")[0].partition("@")[2]
    assert "torchvision" in sys.modules


def test_the_metric_runs(folder: Path, plugins, own_protocol) -> None:
    plugins.network()
    file = own_protocol("of_mine:means", ("fvd", "my_metrics:mean_gap"))
    line = ["compute", "--real", "real", "--fake", "fake", "--protocol", file, "--allow-code", "of_mine:means"]

    done = CliRunner().invoke(cli, [*line, "--allow-code", "my_metrics:mean_gap", "--format", "score"])

    assert done.exit_code == 0, (done.output, done.exception)
    fvd, gap = map(float, done.stdout.split())
    assert 0 < gap < fvd


@pytest.mark.slow
def test_the_network_does_what_it_says(folder: Path) -> None:
    done = CliRunner().invoke(cli, CHECK.arguments)

    assert done.exit_code == 0, (done.output, done.exception)
