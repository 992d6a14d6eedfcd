"""DIGAN's coordinates and motion, its modulated convolutions, its pairs and their discriminators, and R1 of both."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from stylegan_v.baselines import registry
from stylegan_v.baselines.digan import DIGANGenerator, DIGANTrainer, PairDiscriminators, join
from stylegan_v.baselines.digan_config import DIGANConfig
from stylegan_v.baselines.inr import Coordinates, FactorisedConv
from stylegan_v.data.times import ClipTimes
from stylegan_v.errors import ConfigError
from stylegan_v.networks.generator import Mapping
from stylegan_v.networks.noise import Purpose, normal
from stylegan_v.networks.pixels import normalise
from tests.model.baselines.conftest import first_batch, tiny

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def generator() -> DIGANGenerator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return DIGANGenerator(tiny("digan")).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def codes() -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(5))
    return draws[0], draws[1]


def coordinates(**changes: int) -> Coordinates:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return Coordinates(registry.method("digan").configure("tiny", **changes)).requires_grad_(False)


def lrelu(x: np.ndarray, slope: float) -> np.ndarray:
    return np.where(x > 0, x, slope * x)


def test_a_phase_is_that_of_the_formula(codes) -> None:
    """θ(x, t), computed for single places in float64. Biases that are 0 at the beginning are drawn here."""
    network = coordinates()
    for layer in (network.affine, network.speed, *network.phases):
        layer.bias.copy_(torch.linspace(-1, 1, len(layer.bias)))
    w, code = codes
    t = torch.tensor([[0.0, 0.4], [0.1, 1.0], [2.0, 7.5]])
    features = network(w, code, t, 16).unflatten(2, (2, 16))  # [B, 16, T, H, W]

    def linear(layer: torch.nn.Module, x: np.ndarray) -> np.ndarray:
        return layer.weight.double().numpy() @ x / np.sqrt(layer.weight.shape[1]) + layer.bias.double().numpy()

    for video, frame, row, column in [(0, 0, 0, 0), (1, 1, 3, 15), (2, 1, 8, 5)]:
        of_w = linear(network.affine, w[video].double().numpy()).reshape(8, 3)
        speed = linear(network.speed, torch.cat([w[video], code[video]]).double().numpy())
        hidden = linear(network.phases[0], lrelu(speed * t[video, frame].item() * 0.25, 0.01))
        motion = linear(network.phases[1], np.sqrt(2) * lrelu(hidden, 0.2))
        place = np.array([2 * column / 16 - 1, 2 * row / 16 - 1])
        theta = np.sqrt(10) * of_w[:, :2] @ place + of_w[:, 2] + motion

        expected = np.concatenate([np.sin(theta), np.cos(theta)])
        np.testing.assert_allclose(features[video, :, frame, row, column], expected, atol=1e-5)


def test_motion_is_linear_at_first_and_damped() -> None:
    """Phases at t = 1 are 0.18 on average, by the gains of the layers; one of the authors' networks had 0.20. Those of
    space are 3.2 at x = 1, and were 3.3."""
    sizes = {**dict.fromkeys(("z_dim", "w_dim", "noise_dim"), 512), "frequencies": 128}
    squares = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        mapping = Mapping(DIGANConfig().image()).requires_grad_(False)
        for _ in range(8):
            network = Coordinates(registry.method("digan").configure("tiny", **sizes)).requires_grad_(False)
            z, code = torch.randn(2, 32, 512)
            w = mapping(z)
            m = network.motion(w, code, torch.tensor([[0.0, 1.0, 6.0]], dtype=torch.float64).expand(32, 3))
            space = network.affine(w).view(32, 128, 3)[:, :, :2] * 10**0.5
            squares.append((m[:, 1].square().mean().item(), space.square().mean().item()))

            assert (m[:, 0] == 0).all()
            torch.testing.assert_close(m[:, 2], 6 * m[:, 1], rtol=1e-6, atol=1e-6)

    motion, space_at_1 = np.sqrt(np.mean(squares, axis=0))
    assert motion == pytest.approx(0.25 * np.sqrt(0.5 * 1.04), abs=0.015) and motion == pytest.approx(0.20, abs=0.03)
    assert space_at_1 == pytest.approx(3.3, abs=0.2)


def test_late_frames_keep_their_digits(codes) -> None:
    network, (w, code) = coordinates(), codes
    late = torch.full((3, 1), 1e7, dtype=torch.float64)

    features = network(w, code, late, 16)

    assert features.dtype == torch.float32
    exact = coordinates().double()(w.double(), code.double(), late, 16)
    torch.testing.assert_close(features.double(), exact, rtol=0, atol=1e-5)


def test_more_frames_of_a_window_are_slow_motion(generator: DIGANGenerator) -> None:
    slow = generator.sample(0, [3], np.linspace(0, 15, 31).tolist())
    usual = generator.sample(0, [3], range(16))

    torch.testing.assert_close(slow[:, ::2], usual, rtol=0, atol=1e-5)
    assert (usual.diff(dim=1).abs().amax(dim=(0, 2, 3, 4)) > 1e-4).all()


def test_frame_i_is_at_i_fifteenths_however_late(generator: DIGANGenerator) -> None:
    video = torch.tensor([4])
    w = generator.mapping(normal(2, Purpose.CONTENT, video, 0, 8))
    code = normal(2, Purpose.MOTION, video, 0, 8)  # the only one, for all times

    expected = generator.synthesis(w, code, torch.tensor([[0.0, 1.0, 3.0, 6000.0]], dtype=torch.float64))

    torch.testing.assert_close(generator.sample(2, [4], [0, 15, 45, 90_000]), expected, rtol=0, atol=1e-5)


def test_modulation_multiplies_a_weight_by_a_product_of_factors(codes) -> None:
    layer = FactorisedConv(5, 4, w_dim=8, rank=3)
    w = codes[0]

    weight = layer.modulated(w)

    for video in range(3):
        factors = layer.affine(w[video])
        left, right = factors[:12].view(4, 3), factors[12:].view(3, 5)
        rows = layer.weight * (1 + left @ right / 3**0.5)
        torch.testing.assert_close(weight[video], rows / rows.norm(dim=1, keepdim=True))


def test_coarse_features_are_repeated(codes) -> None:
    layer, w = FactorisedConv(7, 4, w_dim=8, rank=3).requires_grad_(False), codes[0]
    layer.bias.copy_(torch.tensor([-2.0, -1.0, 1.0, 2.0]))
    fine, coarse = torch.randn(3, 5, 8, 4), torch.randn(3, 2, 4, 2)

    together = torch.cat([coarse.repeat_interleave(2, 2).repeat_interleave(2, 3), fine], dim=1)

    linear = torch.einsum("bij,bjhw->bihw", layer.modulated(w), together) + layer.bias[:, None, None]
    expected = functional.leaky_relu(linear, 0.2) * 2**0.5
    torch.testing.assert_close(layer(together, w), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(layer(fine, w, coarse), expected, rtol=1e-5, atol=1e-5)


def test_the_time_between_frames_is_that_of_digan() -> None:
    """Figures of the authors' code: Δ is 0.400 on average for generated pairs, and 0.4255 for real ones."""
    config, numbers = tiny("digan"), torch.arange(30_000)
    times = ClipTimes([40], DIGANTrainer.clips(config))
    distances = PairDiscriminators(config).distances

    fake = distances(times.fake(0, numbers)[0], 1)
    real = distances(times.real(0, numbers, torch.zeros_like(numbers))[1], 1)

    assert fake.mean().item() == pytest.approx(0.400, abs=0.004)
    assert real.mean().item() == pytest.approx(0.4255, abs=0.004)
    assert min(fake.min(), real.min()) >= 0 and max(fake.max(), real.max()) <= 1
    assert (real * 15).frac().abs().max() < 1e-6


def test_pairs_are_told_by_the_time_between_them_and_frames_by_nothing() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        discriminator, frames = PairDiscriminators(tiny("digan")).requires_grad_(False), torch.randn(2, 2, 3, 32, 32)
    near, far = torch.tensor([[3.0, 4.0], [0.0, 2.0]]), torch.tensor([[3.0, 14.0], [0.0, 15.0]])

    logits, of_far, later = discriminator(frames, near), discriminator(frames, far), discriminator(frames, near + 1)

    assert logits.shape == (2, 3)
    torch.testing.assert_close(logits, later)
    assert torch.equal(logits[:, :2], of_far[:, :2]) and (logits[:, 2] != of_far[:, 2]).all()
    swapped = discriminator(frames.flip(1), near)
    torch.testing.assert_close(swapped[:, :2], logits[:, :2].flip(1))
    assert not torch.allclose(swapped[:, 2], logits[:, 2])


def test_losses_of_frames_and_of_pairs_weigh_alike(tiny_trainer) -> None:
    trainer, real, fake = tiny_trainer("digan"), torch.randn(4, 3), torch.randn(4, 3)

    def bce(logits: torch.Tensor, target: float) -> torch.Tensor:
        return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))

    parts = [slice(2), slice(2, None)]
    torch.testing.assert_close(trainer.fooled(fake), sum(bce(fake[:, part], 1.0) for part in parts))
    expected = sum(bce(real[:, part], 1.0) + bce(fake[:, part], 0.0) for part in parts)
    torch.testing.assert_close(trainer.told_apart(real, fake), expected)
    assert torch.equal(trainer.of_images(real), real[:, :2])


def test_r1_bounds_frames_after_and_pairs_before_augmentation(tiny_trainer, monkeypatch) -> None:
    """The gradient of a pair has a part for Δ. One of frames would be smaller before augmentation than after it."""
    trainer = tiny_trainer("digan")
    discriminator, numbers = trainer.networks["discriminator"], torch.arange(4)
    reals = trainer._draw(numbers, first_batch(trainer))[2]
    seen = reals.r1_augmentations(reals.frames).requires_grad_()
    (by_frames,) = torch.autograd.grad(discriminator.image.of_frames(seen).sum(), seen)
    before, apart = reals.frames.clone().requires_grad_(), reals.times.diff(dim=1)[:, :, None, None, None] / 15
    apart = apart.expand(-1, -1, 1, 32, 32).clone().requires_grad_()
    logits = discriminator.of_pairs(join(reals.r1_augmentations(before), apart))
    by_pair = torch.cat([g.flatten(1) for g in torch.autograd.grad(logits.sum(), [before, apart])], dim=1)

    losses: list[torch.Tensor] = []
    monkeypatch.setattr(trainer, "_add_gradients", losses.append)
    monkeypatch.setattr(trainer, "apply", lambda name: None)

    logs = trainer.update_r1(reals)

    assert losses[0].item() == pytest.approx(0.5 * 2 * (logs["loss/r1"] + logs["loss/r1_pairs"]).item(), rel=1e-5)
    assert logs["loss/r1"].item() == pytest.approx(by_frames.square().sum(dim=(2, 3, 4)).mean().item(), rel=1e-4)
    assert logs["loss/r1_pairs"].item() == pytest.approx(by_pair.square().sum(dim=1).mean().item(), rel=1e-4)
    assert trainer.gamma == 1.0


def test_a_step_sees_real_pairs_of_one_window(tiny_trainer) -> None:
    trainer = tiny_trainer("digan")
    batch = first_batch(trainer)

    assert batch.frames.shape == (4, 2, 3, 32, 32)
    assert (batch.times.diff(dim=1) >= 0).all() and batch.times.max() <= 15
    reals = trainer._draw(torch.arange(4), batch)[2]
    assert torch.equal(reals.frames, normalise(batch.frames))
    assert not torch.allclose(reals.augmentations(reals.frames), reals.frames)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 3}, "frames = 3: digan learns from pairs, so it is 2"),
        ({"max_frames": 1}, "max_frames = 1: a pair needs a window of 2 or more"),
        ({"grid": 48}, "grid = 48: allowed are 4, 8, 16, 32, 64"),
        ({"width": 1, "resolution": 256, "grid": 32}, "width = 1: no channel is left at 256²"),
        ({"resolution": 512}, "digan has no networks for resolution = 512"),
    ],
)
def test_sizes_that_make_no_network_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("²", ".")):
        registry.method("digan").configure("small", **changes)
