"""Scores on the command line are those of the videos that the generator has, of that seed and so many."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import fvd_bench
from stylegan_v.checkpoints.checkpoint import Checkpoint, load
from stylegan_v.cli import cli
from stylegan_v.networks import generator
from stylegan_v.networks.video_generator import VideoGenerator
from stylegan_v.sampling.videos import GeneratedVideos

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_command_scores_the_videos_of_its_seed(
    tiny_checkpoint, toy_videos: Path, tmp_path: Path, pixels_protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By each protocol at once, whose clips are of different lengths."""
    monkeypatch.setenv("FVD_BENCH_HOME", str(tmp_path / "home"))
    protocols = [pixels_protocol(frames=9), pixels_protocol(name="longer", frames=20)]
    checkpoint, file = tiny_checkpoint(), tmp_path / "result.json"
    settings = ("--videos", 4, "--seed", 3, *(word for protocol in protocols for word in ("--protocol", protocol)))

    given = ["evaluate", checkpoint, "--real", toy_videos, *settings, "--device", "cpu", "--json", file]
    done = CliRunner().invoke(cli, [str(word) for word in given])

    assert done.exit_code == 0, (done.output, done.exception)
    videos = GeneratedVideos(load(checkpoint).generator(), videos=4, frames=20, seed=3, train_fps=30.0)
    expected = fvd_bench.evaluate(
        toy_videos, videos, protocols, settings=fvd_bench.Settings(device="cpu", cache=None)
    ).scores
    found = json.loads(file.read_text())["scores"]
    assert [score["value"] for score in found] == pytest.approx([score.value for score in expected], rel=1e-9)
    assert [score["protocol"] for score in found] == ["pixels", "longer"]


def test_the_generator_computes_as_the_checkpoint_says(
    tiny_checkpoint, toy_videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU, which something else is here."""
    seen: list[torch.dtype | None] = []

    def score(network: VideoGenerator, *_: object, **__: object) -> None:
        seen.append(network.half_dtype)
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "precision", "bfloat16")
    monkeypatch.setattr(generator, "sampling_precision", generator.half_precision)
    monkeypatch.setattr("stylegan_v.sampling.scoring.evaluate", score)

    CliRunner().invoke(cli, ["evaluate", str(tiny_checkpoint()), "--real", str(toy_videos), "--device", "cpu"])

    assert seen == [torch.bfloat16]


@pytest.mark.parametrize("command", ["evaluate", "gradients"])
def test_nothing_is_written_over_the_real_videos(command: str, tiny_checkpoint, toy_videos: Path, tmp_path) -> None:
    videos = shutil.copytree(toy_videos, tmp_path / "videos")
    option, files = {"evaluate": ("--json", ("dataset.json", "0/0.png")), "gradients": ("--out", ("0/0.png",))}[command]

    for name in files:
        given = [command, tiny_checkpoint(), "--real", videos, "--device", "cpu", option, videos / name]
        done = CliRunner().invoke(cli, [str(word) for word in given])
        assert done.exit_code == 2 and "is read, and would be replaced" in " ".join(done.stderr.split())
        assert (videos / name).read_bytes() == (toy_videos / name).read_bytes()
