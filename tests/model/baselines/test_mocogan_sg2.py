"""What is MoCoGAN+SG2's own: an LSTM from the first frame on, two discriminators, and how each of them learns."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from stylegan_v.baselines.mocogan_sg2 import METHOD, MoCoGANSG2Generator, MoCoGANSG2Trainer
from stylegan_v.errors import ConfigError
from stylegan_v.networks.motion import keyed_noise
from tests.model.baselines.conftest import first_batch

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def trainer(tiny_trainer) -> MoCoGANSG2Trainer:
    return tiny_trainer("mocogan-sg2")


def test_frames_of_training_are_those_of_sampling(trainer: MoCoGANSG2Trainer) -> None:
    generator = trainer.ema
    assert isinstance(generator, MoCoGANSG2Generator)
    times = torch.tensor([[4.0, 5.0, 9.0]])
    videos = torch.tensor([7])

    sampled = generator.sample(1, [7], times[0].tolist())
    w = generator.mapping(torch.randn(1, generator.config.z_dim))
    noise = keyed_noise(1, videos, generator.config.noise_dim)
    trained, alone = generator.render(w, times, noise), generator.render(w, times[:, 2:], noise)

    assert sampled.shape == trained.shape
    torch.testing.assert_close(trained[:, 2:], alone, rtol=0, atol=1e-4)  # from the first frame on in either case
    opened = generator.frames(w, generator.motion(noise, times.long(), 10))
    torch.testing.assert_close(opened, trained, rtol=0, atol=1e-4)


def test_a_frame_depends_on_the_noise_of_every_frame_before(trainer: MoCoGANSG2Trainer) -> None:
    generator = trainer.generator
    noise = torch.randn(1, 10, generator.config.noise_dim, requires_grad=True)

    code = generator.motion(lambda tokens: noise[:, : tokens.shape[1]], torch.tensor([[6]]), 10)
    (gradient,) = torch.autograd.grad(code.sum(), noise)

    assert [bool(step.any()) for step in gradient[0]] == 7 * [True] + 3 * [False]


def test_the_discriminator_of_clips_learns_ten_times_slower(trainer: MoCoGANSG2Trainer) -> None:
    image, clip = trainer.optimizers["discriminator"].param_groups
    network = trainer.networks["discriminator"]

    assert clip["lr"] == pytest.approx(image["lr"] / 10) and image["lr"] == pytest.approx(0.0025 * 2 / 3)
    assert {id(p) for p in clip["params"]} == {id(p) for p in network.clip.parameters()}
    assert image["betas"] == clip["betas"] == (0.0, pytest.approx(0.99 ** (2 / 3)))


def test_r1_bounds_the_discriminator_of_frames_alone(trainer: MoCoGANSG2Trainer) -> None:
    network = trainer.networks["discriminator"]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    reals = trainer._draw(torch.arange(4), first_batch(trainer))[2]

    trainer.update_r1(reals)

    moved = {name.split(".")[0] for name, t in network.state_dict().items() if not torch.equal(t, before[name])}
    assert moved == {"image"}


def test_both_losses_weigh_alike(trainer: MoCoGANSG2Trainer) -> None:
    frames = trainer.run.model.frames
    real, fake = torch.randn(4, frames + 5), torch.randn(4, frames + 5)

    def bce(logits: torch.Tensor, target: float) -> torch.Tensor:
        return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))

    parts = [slice(frames), slice(frames, None)]
    torch.testing.assert_close(trainer.fooled(fake), sum(bce(fake[:, part], 1.0) for part in parts))
    expected = sum(bce(real[:, part], 1.0) + bce(fake[:, part], 0.0) for part in parts)
    torch.testing.assert_close(trainer.told_apart(real, fake), expected)
    assert trainer.of_images(real).shape == (4, frames)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 15}, "the discriminator of clips needs 16 at 64"),
        ({"stride": 20, "max_frames": 200}, "a clip spans 301 frames"),
        ({"resolution": 512}, "allowed are 32, 64, 128, 256"),
        ({"num_classes": 3}, "has no labels"),
        ({"noise": -1}, "noise = -1.0: expected a number from 0 on"),
        ({"z_dim": 0}, "z_dim = 0: expected 1 or more"),
    ],
)
def test_sizes_that_do_not_fit(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        METHOD.configure(**{"resolution": 64, **changes})
