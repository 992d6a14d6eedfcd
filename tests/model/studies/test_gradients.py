"""Gradients that reach frames: against differences of the losses, and the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from fvd_bench.sources import open_source
from stylegan_v.baselines import registry
from stylegan_v.checkpoints.checkpoint import Checkpoint, save
from stylegan_v.cli import cli
from stylegan_v.errors import CheckpointError, DataError
from stylegan_v.networks.discriminator import build_discriminator
from stylegan_v.networks.loss import generator_loss
from stylegan_v.sampling.sampler import VideoSampler
from stylegan_v.studies.content import motion, of_video
from stylegan_v.studies.discriminator_pair import build_pair
from stylegan_v.studies.gradients import TIMES, Gradients, gradients, real_clips, windows
from stylegan_v.studies.targets import as_tensor

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("frames", "firsts"),
    [(1, [0, 1, 2, 3, 4, 5]), (2, [0, 2, 4]), (3, [0, 3]), (4, [0, 2]), (8, [0]), (16, [0])],
)
def test_clips_hold_all_times(frames: int, firsts: list[int]) -> None:
    clips = windows(frames)

    assert [first for first, _ in clips] == firsts
    assert {len(times) for _, times in clips} == {frames}
    assert {time for _, times in clips for time in times} >= {*TIMES}
    assert clips[0][1] == [0, 2, 4, 6, 8, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32][:frames]


def test_gradients_are_those_of_both_losses(tiny_generator) -> None:
    """Differences of the losses along a gradient, in float64, are its squared length."""
    generator = tiny_generator(frames=3, num_classes=2)
    discriminator = build_discriminator(generator.config, seed=1)
    pair, real = build_pair(seed=2), torch.rand(1, 16, 3, 32, 32) * 2 - 1

    found = gradients(generator, discriminator, pair, real, videos=1, seed=5)

    sampler = VideoSampler(generator, seed=5)
    expected = as_tensor([*sampler.frames(0, TIMES)], "cpu")
    assert (found.frames[0].clamp(-1, 1) - expected).abs().max() < 0.01
    label = sampler.label(0)
    assert label is not None
    noise, times = motion(generator, 5, 0), torch.arange(16.0, dtype=torch.float64)[None]
    with torch.no_grad():
        clip = generator.render(of_video(generator, 5, 0, label).ws, times, noise, label).double()
    discriminator.double(), pair.double()

    def ours(moved: float) -> float:
        frames = clip[:, TIMES[3:]] + moved * found.ours[:, 3:]
        return generator_loss(discriminator(frames, torch.tensor([[6.0, 8.0, 12.0]]), label.double())).item()

    def theirs(moved: float) -> float:
        frames = clip.clone()
        frames[:, TIMES] += moved * found.theirs
        return pair.generator_loss(frames, real.double()).item()

    with torch.no_grad():
        for loss, gradient in ((ours, found.ours[:, 3:]), (theirs, found.theirs)):
            square = gradient.square().sum().item()
            step = 1e-3 / square**0.5
            assert (loss(step) - loss(-step)) / (2 * step) == pytest.approx(square, rel=0.02)


def test_of_a_frame_in_two_windows_the_first_one_counts(tiny_generator) -> None:
    generator = tiny_generator(frames=4)
    discriminator = build_discriminator(generator.config, seed=1)

    found = gradients(generator, discriminator, build_pair(seed=2), torch.zeros(1, 16, 3, 32, 32), videos=1)

    frames = found.frames[:, :4].requires_grad_()
    loss = generator_loss(discriminator(frames, torch.tensor([TIMES[:4]], dtype=torch.float32)))
    (expected,) = torch.autograd.grad(loss, frames)
    torch.testing.assert_close(found.ours[:, :4], expected, rtol=1e-3, atol=1e-6)


def test_pictures_are_white_where_a_gradient_is_longest() -> None:
    gradient = torch.zeros(1, 6, 3, 100, 100)
    gradient[:, :, 0, :10] = 3e-9
    gradient[:, :, 1, :10] = 4e-9
    times = torch.arange(1, 7)[:, None, None, None]

    found = Gradients(torch.zeros_like(gradient), gradient * times, 2 * gradient)

    picture = np.asarray(found.picture())[-300:, -600:]
    for x in (50, 550):
        assert [int(picture[y, x].max()) for y in (50, 105, 150, 205, 250)] == [128, 255, 0, 255, 0]
    assert found.sizes()["pair"] == pytest.approx([2 * (25e-18 / 3 / 10) ** 0.5] * 6, rel=1e-4)


def test_real_videos_are_long_enough_and_of_one_size(toy_videos: Path) -> None:
    source = open_source(toy_videos)

    assert real_clips(source, 2, 32).shape == (2, 16, 3, 32, 32)
    with pytest.raises(DataError, match="has 6 videos of 16 frames or more, expected 7"):
        real_clips(source, 7, 32)
    with pytest.raises(DataError, match="has frames of 32×32, expected 64×64"):
        real_clips(source, 1, 64)


def test_the_command_says_what_is_compared(tiny_generator, toy_videos: Path, tmp_path: Path) -> None:
    generator = tiny_generator(frames=2)
    tensors = {f"ema.{name}": tensor for name, tensor in generator.state_dict().items()}
    trained = build_discriminator(generator.config, seed=9)
    tensors |= {f"discriminator.{name}": tensor for name, tensor in trained.state_dict().items()}
    save(Checkpoint(generator.config, tensors), tmp_path / "a.pt")
    rival = registry.method("mocogan-hd")
    model = rival.configure("tiny")
    tensors = {
        f"{part}.{name}": tensor
        for part, make in rival.makers().items()
        for name, tensor in make(model).state_dict().items()
    }
    save(Checkpoint(model, tensors), tmp_path / "pair.pt")
    given = ["gradients", tmp_path / "a.pt", "--real", toy_videos, "--out", tmp_path / "a.png", "--videos", 1]

    done = CliRunner().invoke(cli, [str(word) for word in (*given, "--pair", tmp_path / "pair.pt")])

    assert done.exit_code == 0, (done.output, done.exception)
    assert "our discriminator, trained, 2 of these frames at a time: root mean squares" in done.stdout
    assert "the pair of MoCoGAN-HD, trained, 16 consecutive frames" in done.stdout
    wrong = CliRunner().invoke(cli, [str(word) for word in (*given, "--pair", tmp_path / "a.pt")])
    assert "is a checkpoint of stylegan-v; expected one of mocogan-hd" in str(wrong.exception)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.height == 3 * 96 + 21


def test_videos_that_are_no_groups_are_a_usage_error(tiny_checkpoint, toy_videos: Path, tmp_path: Path) -> None:
    given = ["gradients", tiny_checkpoint(), "--real", toy_videos, "--out", tmp_path / "a.png", "--videos", 5]

    done = CliRunner().invoke(cli, [str(word) for word in given])

    assert done.exit_code == 2 and "give a multiple of 4, or fewer" in " ".join(done.stderr.split())


def test_discriminators_of_another_kind_are_refused(toy_videos: Path, tmp_path: Path) -> None:
    method = registry.method("without-our-discriminator")
    model = method.configure("tiny")
    networks = {"ema": method.makers()["generator"](model), "discriminator": method.makers()["discriminator"](model)}
    tensors = {f"{part}.{name}": t for part, network in networks.items() for name, t in network.state_dict().items()}
    save(Checkpoint(model, tensors), tmp_path / "a.pt")
    given = ["gradients", tmp_path / "a.pt", "--real", toy_videos, "--out", tmp_path / "a.png", "--videos", 1]

    done = CliRunner().invoke(cli, [str(word) for word in given])

    assert isinstance(done.exception, CheckpointError)
    assert "one of without-our-discriminator, whose discriminators are others than ours" in str(done.exception)
