"""Runs that begin with networks that were trained before."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from fvd_bench.progress import silent
from stylegan_v.checkpoints import checkpoint as checkpoints
from stylegan_v.checkpoints.checkpoint import Checkpoint
from stylegan_v.cli import cli
from stylegan_v.errors import CheckpointError, ConfigError
from stylegan_v.networks.config import model_config
from stylegan_v.networks.discriminator import build_discriminator
from stylegan_v.networks.generator import build_generator
from stylegan_v.training.beginning import ALONE_KIMG, run_from
from stylegan_v.training.loop import train
from stylegan_v.training.run import Run
from tests.model.training.conftest import STEP_KIMG, lines

pytestmark = pytest.mark.usefixtures("one_thread", "short_films")


@pytest.fixture
def before(tiny_config) -> Checkpoint:
    """Both networks, and an average that is another generator."""
    model = tiny_config(std_group=2)
    parts = {
        "ema": build_generator(model, seed=5),
        "generator": build_generator(model, seed=6),
        "discriminator": build_discriminator(model, seed=7),
    }
    tensors = {f"{part}.{name}": t for part, network in parts.items() for name, t in network.state_dict().items()}
    return Checkpoint(model, tensors, fps=24.0)


def begun(run: Run, out: Path, begin: Checkpoint) -> Checkpoint:
    """The state of a run at its end."""
    train(run, out, device="cpu", workers=1, minutes=None, progress=silent, begin=begin)
    return checkpoints.load(out / "checkpoint.pt")


def test_a_generator_waits_for_a_discriminator_that_learns_alone(run_of, before: Checkpoint, tmp_path: Path) -> None:
    out, alone = tmp_path / "run", {"discriminator_kimg": 2 * STEP_KIMG}

    second, third = (begun(run_of(steps, train=alone), out, before) for steps in (2, 3))

    weights = dict(second.generator().named_parameters())
    given, waited, moved = (found.part("generator") for found in (before, second, third))
    assert all(torch.equal(waited[name], given[name]) for name in weights)
    assert not any(torch.equal(moved[name], given[name]) for name in weights if name.endswith("weight"))
    given_output, output = (found.part("discriminator")["head.out.weight"] for found in (before, second))
    assert not torch.equal(given_output, output)
    assert [("loss/generator" in line, line["loss/discriminator"] > 0) for line in lines(out)] == [
        (False, True), (False, True), (True, True)
    ]  # fmt: skip


def test_a_checkpoint_for_sampling_gets_a_new_discriminator(run_of, before: Checkpoint, tmp_path: Path) -> None:
    run = run_from(
        before.for_sampling(), None, {"data": run_of(1).as_dict()["data"], "train": {"batch": 4, "kimg": 0.01}}
    )
    assert run.model == before.model and run.train.discriminator_kimg == ALONE_KIMG

    found = begun(run, tmp_path / "run", before.for_sampling())

    halves = {name: tensor.half().float() for name, tensor in before.part("ema").items()}
    weights = [name for name, _ in found.generator().named_parameters()]
    assert all(torch.equal(found.part(part)[name], halves[name]) for part in ("ema", "generator") for name in weights)
    new = build_discriminator(run.model, seed=run.train.seed + 1).state_dict()
    moved = {name: float((found.part("discriminator")[name] - tensor).abs().max()) for name, tensor in new.items()}
    assert 0 < max(moved.values()) < 0.01  # a step, and one of R1


def test_networks_that_are_all_there_wait_for_nothing(before: Checkpoint) -> None:
    run = run_from(before, None, {"data": {"path": "videos"}})

    assert run.train.discriminator_kimg == 0 and run.data.fps == before.fps and run.data.path == "videos"


def test_an_average_that_was_trained_is_not_forgotten_at_the_first_step() -> None:
    run = run_from(Checkpoint(model_config("small", resolution=32), {}), None, {})

    assert run.train.ema_rampup == 0 and run.train.ema_kimg == 2


def test_what_a_file_says_of_a_beginning_holds(before: Checkpoint, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("[train]\ndiscriminator_kimg = 2.5\nema_rampup = 0.1\n")

    train = run_from(before.for_sampling(), str(file), {}).train

    assert (train.discriminator_kimg, train.ema_rampup) == (2.5, 0.1)


def test_another_model_cannot_begin_with_these(before: Checkpoint) -> None:
    with pytest.raises(ConfigError, match="resolution = 64 was asked for, and the checkpoint to begin with has 32: "):
        run_from(before, None, {"model": {"resolution": 64}})


def test_a_checkpoint_without_a_generator_begins_nothing(run_of, before: Checkpoint, tmp_path: Path) -> None:
    tensors = {name: tensor for name, tensor in before.tensors.items() if name.startswith("discriminator.")}

    with pytest.raises(CheckpointError, match="the checkpoint to begin with has no generator"):
        begun(run_of(1), tmp_path / "run", Checkpoint(before.model, tensors))


def test_the_command_begins_once_and_then_goes_on(run_of, before: Checkpoint, tmp_path: Path) -> None:
    data, file, out = run_of(1).data.path, tmp_path / "before.pt", tmp_path / "run"
    checkpoints.save(before, file)
    for kimg, quiet in ((STEP_KIMG, []), (2 * STEP_KIMG, ["--quiet"])):
        options = ["--batch", 4, "--kimg", kimg, "--tick-kimg", STEP_KIMG, "--fvd-kimg", 0, *quiet]
        arguments = ["train", "--from", file, "--data", data, "--out", out, *options]
        done = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
        assert done.exit_code == 0, done.stderr
        assert ("of 12 frames" in done.stderr, done.stderr == "") == (not quiet, bool(quiet))

    assert [line["kimg"] for line in lines(out)] == pytest.approx([STEP_KIMG, 2 * STEP_KIMG])
