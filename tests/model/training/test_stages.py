"""Methods whose training has stages: one goes on from what the other left, in the same folder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from fvd_bench.progress import silent
from stylegan_v.baselines import registry
from stylegan_v.baselines.stylegan2 import ImageConfig, StyleGAN2
from stylegan_v.checkpoints.checkpoint import load
from stylegan_v.errors import ConfigError, DataError
from stylegan_v.methods.method import Stage
from stylegan_v.methods.style_trainer import StyleTrainer
from stylegan_v.training.loop import train
from stylegan_v.training.run import Run, load_run

pytestmark = pytest.mark.usefixtures("one_thread", "short_films")


class TwoConfig(ImageConfig):
    method: ClassVar[str] = "two-stages"


class Blind(StyleTrainer):
    """A first stage that makes no videos yet."""

    shows = False


class Darker(StyleTrainer):
    """A second stage, which begins with darker images and sees three frames."""

    def take_over(self) -> None:
        for network in (self.generator, self.ema):
            network.synthesis.first.to_rgb.bias.data -= 1


class TwoStages(StyleGAN2):
    """Image StyleGAN2, trained in two stages of which the second has a quarter of the frames."""

    name = "two-stages"
    config = TwoConfig
    unused = frozenset({"compile"})

    def stages(self) -> tuple[Stage, ...]:
        return Stage(Blind, "first", 0.75), Stage(Darker, "second", 0.25)


METHOD = TwoStages()


@pytest.fixture
def run(toy_videos: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Three steps of four images, and one more."""
    monkeypatch.setattr(registry, "MODULES", {**registry.MODULES, METHOD.name: __name__})
    sections: dict[str, Any] = {
        "model": {"method": METHOD.name, "preset": "tiny"},
        "data": {"path": str(toy_videos)},
        "train": {"batch": 4, "kimg": 0.016},
        "report": {"tick_kimg": 0.004, "snapshot_kimg": 0.004, "fvd_kimg": 0.0},
    }
    return load_run(None, sections)


def go(run: Run, out: Path, **options: Any) -> float:
    return train(run, out, device="cpu", workers=1, progress=silent, **{"minutes": None, **options})


def test_the_second_stage_goes_on_from_the_first(run: Run, tmp_path: Path, capsys) -> None:
    assert go(run, tmp_path, stage="first") == 0.012
    first = load(tmp_path / "checkpoint.pt")
    assert not [*(tmp_path / "samples").glob("fakes-*")]

    assert go(run, tmp_path) == 0.016

    last = load(tmp_path / "checkpoint.pt")
    bias = "ema.synthesis.first.to_rgb.bias"
    assert first.state["trainer"]["stage"] == "first" and last.state["trainer"]["stage"] == "second"
    assert last.state["trainer"] == last.state["trainer"] | {"steps": 1, "kimg_before": 0.012}
    assert (first.tensors[bias] - last.tensors[bias]).min() > 0.9
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["kimg"] for line in lines] == [0.004, 0.008, 0.012, 0.016]
    assert [*(tmp_path / "samples").glob("fakes-*")]
    assert "4 frames to train on in stage second" in capsys.readouterr().err


def test_an_interruption_of_any_stage_changes_no_bit(run: Run, tmp_path: Path) -> None:
    go(run, tmp_path / "straight")
    for _ in range(5):
        go(run, tmp_path / "steps", minutes=0.0)

    straight, steps = (load(tmp_path / name / "checkpoint.pt") for name in ("straight", "steps"))
    assert straight.state == steps.state
    assert all(torch.equal(tensor, steps.tensors[name]) for name, tensor in straight.tensors.items())


def test_a_stage_that_has_more_frames_than_are_asked_for_is_left_for_the_next(run: Run, tmp_path: Path, capsys) -> None:
    go(run, tmp_path, stage="first")
    less = dataclasses.replace(run, train=dataclasses.replace(run.train, kimg=0.008))

    assert (run.total_frames, less.total_frames) == (16, 12)
    assert go(less, tmp_path) == 0.016
    told = capsys.readouterr().err
    assert "12 frames were trained on before in stage first, more than the 8 of kimg = 0.008: nothing is left" in told
    assert "4 frames to train on in stage second" in told


def test_a_stage_can_be_ended_early_and_not_begun_again(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="begins with stage first of first, second: stage second cannot be trained"):
        go(run, tmp_path, stage="second")
    go(run, tmp_path, minutes=0.0)

    assert go(run, tmp_path, stage="second") == 0.008
    with pytest.raises(ConfigError, match="is at stage second of first, second: stage first cannot be trained now"):
        go(run, tmp_path, stage="first")
    with pytest.raises(ConfigError, match="two-stages has no stage 'third'; its stages are first, second"):
        go(run, tmp_path, stage="third")


def test_what_can_never_be_scored_is_refused_before_the_first_stage(
    toy_videos: Path, tmp_path: Path, pixels_protocol
) -> None:
    """The first stage makes no videos, and the second one is days later."""
    sections: dict[str, Any] = {
        "model": {"method": "videogpt", "preset": "tiny"},
        "data": {"path": str(toy_videos)},
        "train": {"batch": 2, "kimg": 0.032},
        "report": {"fvd_kimg": 0.016, "protocol": pixels_protocol(frames=9)},
    }

    with pytest.raises(ConfigError, match="videogpt makes videos of at most 8 frames; asked for are frames up to 9"):
        go(load_run(None, sections), tmp_path / "run", stage="vqvae")

    assert not (tmp_path / "run").exists()


def test_videos_that_a_later_stage_cannot_use_are_refused_before_the_first_one(
    tmp_path: Path, moving_frames, write_frames
) -> None:
    """Images need one frame, and the clips that motion is learned from six. Images alone can be trained."""
    write_frames(tmp_path / "videos" / "short", moving_frames(5, 32, 32))
    sections: dict[str, Any] = {
        "model": {"method": "mocogan-hd", "preset": "tiny"},
        "data": {"path": str(tmp_path / "videos")},
        "train": {"batch": 4, "kimg": 0.008},
        "report": {"fvd_kimg": 0.0},
    }
    run = load_run(None, sections)

    with pytest.raises(DataError, match=r"in stage motion, .* has 5 frames .* needs 6: take videos of 6 frames"):
        go(run, tmp_path / "run")

    assert not (tmp_path / "run").exists()
    assert go(run, tmp_path / "run", stage="image") > 0
