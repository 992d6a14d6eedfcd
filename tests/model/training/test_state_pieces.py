"""States of trainings in pieces: what comes back, from which training goes on, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from fvd_bench.progress import silent
from stylegan_v.checkpoints import checkpoint as checkpoints
from stylegan_v.cli import cli
from stylegan_v.errors import CheckpointError, ConfigError
from stylegan_v.training.loop import train
from stylegan_v.training.run import Run, load_run
from stylegan_v.training.run_folder import held
from stylegan_v.training.state_pieces import join, split

pytestmark = pytest.mark.usefixtures("one_thread", "short_films")

STEPS = 3


def go(run: Run, out: Path) -> None:
    train(run, out, device="cpu", workers=1, minutes=None, progress=silent)


@pytest.fixture(scope="module")
def run_of(toy_videos: Path, tiny_config) -> Callable[..., Run]:
    """A run of some steps of four clips."""

    def make(steps: int, *, path: Path = toy_videos, **model: object) -> Run:
        config = tiny_config(std_group=2, **model).as_dict()
        sections = {
            "model": config,
            "data": {"path": str(path)},
            "train": {"batch": 4, "kimg": steps * 4 * 3 / 1000, "r1_interval": 2},
            "report": {"fvd_kimg": 0.0},
        }
        return load_run(None, sections)

    return make


@pytest.fixture(scope="module")
def trained(run_of, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of three steps. Tests must not change it."""
    out: Path = tmp_path_factory.mktemp("trained") / "run"
    go(run_of(STEPS), out)
    return out


@pytest.fixture
def pieces(trained: Path, tmp_path: Path) -> Path:
    """Its state in pieces, ten at least."""
    assert split(trained, tmp_path / "pieces", largest_bytes=10_000) >= 10
    return tmp_path / "pieces"


def test_networks_come_back_in_half_precision(trained: Path, pieces: Path, tmp_path: Path) -> None:
    whole = checkpoints.load(trained / "checkpoint.pt")

    found = join(pieces, tmp_path / "run")

    kept = {name: t for name, t in whole.tensors.items() if "_optimizer." not in name}
    assert found.tensors.keys() == kept.keys()
    assert all(torch.equal(found.tensors[name], tensor.half()) for name, tensor in kept.items())
    assert (found.model, found.fps, found.state) == (whole.model, whole.fps, whole.state)
    assert found.run == {**whole.run, "data": {**whole.run["data"], "path": ""}}


def test_no_piece_is_larger_than_was_asked_for(trained: Path, tmp_path: Path) -> None:
    count = split(trained, tmp_path / "pieces", largest_bytes=10_000)

    files = sorted((tmp_path / "pieces").glob("*.piece"))
    assert len(files) == count
    assert {file.name for file in files} == {f"{n}-of-{count}.piece" for n in range(1, count + 1)}
    assert max(file.stat().st_size for file in files) == 10_000


def test_what_half_precision_does_not_hold_is_kept(trained: Path) -> None:
    whole = checkpoints.load(trained / "checkpoint.pt")
    large = {**whole.tensors, "generator.large": torch.tensor([1e5])}

    found = checkpoints.Checkpoint(whole.model, large).abridged()

    assert torch.equal(found.tensors["generator.large"], torch.tensor([1e5]))


def test_training_goes_on_from_pieces(pieces: Path, trained: Path, run_of, toy_videos: Path, tmp_path: Path) -> None:
    """About where the whole state leads, and not to the same bits."""
    shutil.copytree(trained, tmp_path / "whole")
    join(pieces, tmp_path / "abridged")
    settings = load_run(str(tmp_path / "abridged" / "run.toml"), {"data": {"path": str(toy_videos)}})
    assert settings.train.precision == "float32"
    assert replace(settings, train=run_of(STEPS).train) == run_of(STEPS)

    for name in ("whole", "abridged"):
        go(run_of(2 * STEPS), tmp_path / name)

    whole, abridged = (checkpoints.load(tmp_path / name / "checkpoint.pt") for name in ("whole", "abridged"))
    assert abridged.state["trainer"]["steps"] == whole.state["trainer"]["steps"] == 2 * STEPS
    assert abridged.tensors.keys() == whole.tensors.keys()
    for part in ("ema", "generator", "discriminator"):
        there, here = (torch.cat([t.flatten() for t in run.part(part).values()]) for run in (whole, abridged))
        assert 0 < (here - there).norm() < 0.01 * there.norm()


def test_the_settings_of_another_run_are_refused(pieces: Path, run_of, tmp_path: Path) -> None:
    join(pieces, tmp_path / "run")

    with pytest.raises(ConfigError, match=r"holds a run with model\.u_dim = 8, now it is 16; name another --out"):
        go(run_of(STEPS, u_dim=16), tmp_path / "run")


class TestRefused:
    def test_pieces_that_are_missing(self, pieces: Path, tmp_path: Path) -> None:
        count = len(list(pieces.glob("*.piece")))
        (pieces / f"2-of-{count}.piece").unlink()

        with pytest.raises(
            CheckpointError, match=rf"lacks 2-of-{count}\.piece: copy it from where the state was split"
        ):
            join(pieces, tmp_path / "run")

    @pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: bytes([b[0] ^ 1]) + b[1:], lambda b: b""])
    def test_pieces_that_are_damaged(self, pieces: Path, tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
        file = min(pieces.glob("*.piece"))
        file.write_bytes(change(file.read_bytes()))

        with pytest.raises(CheckpointError, match=rf"{file.name} is damaged, .* Copy all files again"):
            join(pieces, tmp_path / "run")
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (None, r"has no state\.json: expected a folder that `stylegan-v state split` wrote"),
            ("{", r"state\.json is damaged: copy it again"),
            ("[]", r"state\.json is damaged"),
            ('{"format": 1, "pieces": [{"bytes": "9", "sha256": "a"}]}', r"state\.json is damaged"),
            (
                '{"format": 2, "fvd_bench": "9.0"}',
                r"in format 2 by fvd-bench 9\.0; this version, .*, reads 1: join it with",
            ),
            ('{"format": 1, "pieces": []}', "is no checkpoint of stylegan-v"),
        ],
    )
    def test_a_list_of_pieces_that_is_none(self, pieces: Path, tmp_path: Path, text: str | None, message: str) -> None:
        (pieces / "state.json").unlink()
        if text is not None:
            (pieces / "state.json").write_text(text)

        with pytest.raises(CheckpointError, match=message):
            join(pieces, tmp_path / "run")

    def test_settings_of_another_version(self, trained: Path, tmp_path: Path) -> None:
        whole = checkpoints.load(trained / "checkpoint.pt")
        strange = {**whole.run, "train": {**whole.run["train"], "warp": 9}}
        (tmp_path / "a").mkdir()
        checkpoints.save(
            checkpoints.Checkpoint(whole.model, whole.tensors, whole.fps, strange, whole.state),
            tmp_path / "a" / "checkpoint.pt",
        )
        split(tmp_path / "a", tmp_path / "pieces")

        with pytest.raises(CheckpointError, match=r"settings that this version does not know: \[train\] has no 'warp'"):
            join(tmp_path / "pieces", tmp_path / "b")

    def test_a_run_that_has_a_state(self, pieces: Path, trained: Path) -> None:
        with pytest.raises(CheckpointError, match=r"holds a state already, .*; name another folder"):
            join(pieces, trained)

    def test_a_run_in_training(self, pieces: Path, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()

        with held(tmp_path / "run"), pytest.raises(ConfigError, match="another process trains in"):
            join(pieces, tmp_path / "run")

        assert not any((tmp_path / "run").iterdir())

    def test_a_folder_that_is_not_empty(self, trained: Path, pieces: Path) -> None:
        with pytest.raises(CheckpointError, match="is not empty; name a new folder for the pieces"):
            split(trained, pieces)

    def test_a_file_for_sampling(self, trained: Path, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()
        sampling = checkpoints.load(trained / "checkpoint.pt").for_sampling()
        checkpoints.save(sampling, tmp_path / "run" / "checkpoint.pt")

        with pytest.raises(CheckpointError, match="has no part 'discriminator'; it has ema"):
            split(tmp_path / "run", tmp_path / "pieces")


def test_the_commands(trained: Path, toy_videos: Path, tmp_path: Path) -> None:
    def run(*arguments: object) -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    divided = run("state", "split", trained, tmp_path / "pieces")
    joined = run("state", "join", tmp_path / "pieces", tmp_path / "run")
    kimg = (STEPS + 1) * 4 * 3 / 1000
    gone_on = run("train", "--out", tmp_path / "run", "--data", toy_videos, "--kimg", kimg, "--device", "cpu")

    assert divided.stdout == f"{tmp_path / 'pieces'}: 1 piece and state.json\n"
    assert json.loads((tmp_path / "pieces" / "state.json").read_text())["format"] == 1
    assert joined.stdout == f"{tmp_path / 'run'}: 0.04 kimg\n"
    assert gone_on.exit_code == 0, gone_on.output
    assert f"{tmp_path / 'run'}: trained on 48 of 48 frames" in gone_on.stderr
