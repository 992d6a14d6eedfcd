"""Methods on the command line: trained, looked at, sampled and scored by the same commands, or refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stylegan_v.baselines import registry
from stylegan_v.cli import cli
from stylegan_v.errors import ConfigError

pytestmark = pytest.mark.usefixtures("one_thread", "short_films")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def train(toy_videos: Path, tmp_path: Path):
    def make(*options: object, out: str = "run") -> Result:
        common = ("--data", toy_videos, "--out", tmp_path / out, "--device", "cpu", "--workers", 1, "--fvd-kimg", 0)
        preset = () if "--preset" in options else ("--preset", "tiny")
        return run("train", *common, *preset, "--batch", 2, *options)

    return make


def test_a_method_is_trained_looked_at_sampled_and_scored(train, toy_videos: Path, tmp_path, pixels_protocol) -> None:
    done = train("--method", "mocogan-sg2", "--kimg", 0.052)
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    again = run("train", "--out", tmp_path / "run", "--kimg", 0.078, "--device", "cpu", "--workers", 1)
    about = json.loads(run("info", checkpoint, "--json").stdout)
    made = run("generate", checkpoint, "--out", tmp_path / "fake", "--videos", 2, "--frames", 3, "--device", "cpu")
    scored = run(
        "evaluate", checkpoint, "--real", toy_videos, "--videos", 4, "--protocol", pixels_protocol(frames=9),
        "--device", "cpu", "--json", tmp_path / "result.json",
    )  # fmt: skip

    for result in (done, again, made, scored):
        assert result.exit_code == 0, (result.output, result.exception)
    assert 'method = "mocogan-sg2"' in (tmp_path / "run" / "run.toml").read_text()
    assert about["state"]["trainer"]["steps"] == 3
    assert (about["method"], about["longest"], about["resolution"]) == ("mocogan-sg2", None, 32)
    assert "LSTM" in " ".join(run("info", checkpoint).stdout.split())
    assert (tmp_path / "fake" / "000001" / "000002.jpg").exists()
    assert "mocogan-sg2 generator" in (tmp_path / "result.json").read_text()


def test_a_run_that_has_more_frames_than_are_asked_for_says_so_and_stays(train, tmp_path: Path) -> None:
    train("--method", "stylegan2", "--kimg", 0.008)
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    less, rounded = (train("--method", "stylegan2", "--kimg", kimg) for kimg in (0.003, 0.0079))

    assert (less.exit_code, rounded.exit_code) == (0, 0)
    assert "8 frames were trained on before, more than the 4 of kimg = 0.003: nothing is left to train" in less.stderr
    assert less.stderr.endswith(f"{tmp_path / 'run'}: trained on 8 frames\n")
    assert rounded.stderr.endswith(f"{tmp_path / 'run'}: trained on 8 of 8 frames\n")  # steps of two
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("command", ["train", "info"])
def test_the_help_names_all_presets(command: str) -> None:
    told = set(re.findall(r"[a-z]+", re.search(r"--preset TEXT(.*?)--", run(command, "--help").stdout, re.DOTALL)[1]))

    for name in registry.MODULES:
        assert told >= {*registry.method(name).presets}, name


def test_a_method_that_does_not_exist(train, tmp_path: Path) -> None:
    done, about = train("--method", "mocogan-sg3"), run("info", "--method", "styleganv")

    assert (done.exit_code, about.exit_code) == (2, 2)
    assert "there is no method 'mocogan-sg3'; did you mean mocogan-sg2" in " ".join(done.stderr.split())
    assert "did you mean stylegan-v" in " ".join(about.stderr.split())
    assert not (tmp_path / "run").exists()


def test_a_folder_belongs_to_its_method(train) -> None:
    assert train("--method", "stylegan2", "--kimg", 0.002).exit_code == 0

    done = train("--method", "mocogan-sg2")

    assert isinstance(done.exception, ConfigError)
    assert "holds a run of stylegan2, now it is one of mocogan-sg2; name another --out" in str(done.exception)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "mocogan-sg2", "--resolution", 512), "mocogan-sg2 has no networks for resolution = 512"),
        (("--method", "mocogan-sg2", "--frames", 4), "the discriminator of clips needs 13 at 32"),
        (("--method", "mocogan-sg2", "--micro-batch", 1), "mocogan-sg2 has no use for train.micro_batch"),
        (("--method", "stylegan2", "--frames", 3), "stylegan2 has no motion"),
        (("--method", "videogpt", "--frames", 17), "clips of videogpt have 16 at most"),
        (("--method", "stylegan2", "--preset", "middle"), "allowed are paper, small, tiny"),
        (("--method", "stylegan2", "--stage", "motion"), "stylegan2 has no stage 'motion'"),
    ],
)
def test_what_a_method_has_not(train, options: tuple[object, ...], message: str) -> None:
    done = train(*options)

    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
