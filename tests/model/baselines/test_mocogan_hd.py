"""What is MoCoGAN-HD's own: steps along the principal axes of w, and discriminators of pairs that it learns against."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from stylegan_v.baselines import mocogan_hd
from stylegan_v.baselines.mocogan_hd import METHOD, Motion, MotionTrainer, principal_axes
from stylegan_v.errors import ConfigError
from stylegan_v.networks.motion import keyed_noise
from stylegan_v.networks.noise import Purpose, normal
from stylegan_v.networks.patch_discriminator import (
    PatchDiscriminator,
    gradient_penalty,
    relativistic_loss,
    shrunk,
    turned,
    views,
)
from tests.model.baselines.conftest import first_batch

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def trainer(tiny_trainer) -> MotionTrainer:
    return tiny_trainer("mocogan-hd", "motion")


@pytest.fixture(scope="module")
def motion() -> Motion:
    """The original's, with axes of unit length, before it is trained."""
    torch.manual_seed(0)
    return Motion(METHOD.configure()).requires_grad_(False)


@pytest.mark.parametrize(
    ("bias", "drift"),
    [
        (0.0, {16: 1.9, 128: 5.7}),  # as of steps in all directions, the root of their number
        (0.1, {16: 4.1, 128: 30.0}),  # as of steps in one direction, their number
    ],
)
def test_w_drifts_from_where_it_was_as_far_as_was_measured(bias: float, drift: dict, motion: Motion) -> None:
    """Facts of the original network: mean distances of w from that of the first frame."""
    torch.manual_seed(1)
    motion.step.bias.uniform_(-bias, bias)

    ws, _ = motion.trajectory(torch.randn(8, 512), torch.randn(8, 127, 512))

    distances = (ws - ws[:, :1]).norm(dim=2).mean(dim=0)
    assert {frame: float(distances[frame - 1]) for frame in drift} == pytest.approx(drift, rel=0.1)


def test_no_step_is_longer_than_a_fifth_of_the_deviation_along_any_axis() -> None:
    config = METHOD.configure("tiny")
    torch.manual_seed(0)
    motion = Motion(config).requires_grad_(False)
    axes = torch.linalg.qr(torch.randn(config.w_dim, config.components)).Q.T
    deviations = torch.linspace(2.0, 0.1, config.components)
    motion.basis.copy_(deviations[:, None] * axes)
    motion.step.weight.mul_(500)

    ws, _ = motion.trajectory(torch.randn(4, config.w_dim), torch.randn(4, 30, config.noise_dim))

    steps = (ws.diff(dim=1) @ axes.T).abs() / deviations
    assert float(steps.max()) == pytest.approx(0.2, abs=1e-4)
    torch.testing.assert_close(ws.diff(dim=1) @ axes.T @ axes, ws.diff(dim=1))  # and along no other


def test_layers_begin_orthogonal_and_the_lstm_without_biases(motion: Motion) -> None:
    for cell in (motion.encoder, motion.cell):
        for matrix in (cell.weight_ih, cell.weight_hh):
            for gate in matrix.chunk(4):
                torch.testing.assert_close(gate @ gate.T, torch.eye(384), rtol=0, atol=1e-5)
        assert not cell.bias_ih.any() and not cell.bias_hh.any()
    for layer in (motion.recall[0], motion.recall[2]):
        torch.testing.assert_close(layer.weight @ layer.weight.T, torch.eye(512), rtol=0, atol=1e-5)


def test_noise_that_is_recalled_is_alike(motion: Motion, monkeypatch) -> None:
    noise = torch.randn(2, 3, 512)
    for sign in (1, -1):
        monkeypatch.setattr(motion.recall, "forward", lambda memories, sign=sign: sign * 2.0 * noise)

        assert float(motion.trajectory(torch.randn(2, 512), noise)[1]) == pytest.approx(sign, abs=1e-6)


def test_frames_of_training_are_those_of_sampling(trainer: MotionTrainer) -> None:
    generator, videos = trainer.ema, torch.tensor([7])
    w = generator.mapping(normal(1, Purpose.CONTENT, videos, 0, generator.config.z_dim))
    noise = keyed_noise(1, videos, generator.config.noise_dim)(torch.arange(5)[None])

    trained = generator.frames_of_styles(generator.motion.trajectory(w, noise)[0])

    torch.testing.assert_close(generator.sample(1, [7], range(6)), trained, rtol=0, atol=1e-5)


def test_axes_are_the_principal_ones_of_w() -> None:
    config = METHOD.configure("tiny", w_samples=5000)
    torch.manual_seed(0)
    mapping = METHOD.makers()["generator"](config).mapping.requires_grad_(False)
    mapping.layers[-1].bias.fill_(300.0)  # far from 0, as a mean that is not taken off would show

    basis = principal_axes(mapping, config, seed=4).numpy()

    stream = torch.Generator().manual_seed(4)
    z = torch.cat([torch.randn(count, config.z_dim, generator=stream) for count in (4000, 1000)])
    w = mapping(z).double().numpy()
    deviations = np.linalg.svd(w - w.mean(axis=0), compute_uv=False) / np.sqrt(len(w))
    np.testing.assert_allclose(np.linalg.norm(basis, axis=1), deviations[:24], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(((w - w.mean(axis=0)) @ basis.T).std(axis=0), deviations[:24] ** 2, rtol=1e-4, atol=1e-5)


def test_the_second_stage_keeps_the_average_of_the_first(tiny_trainer) -> None:
    first, second = tiny_trainer("mocogan-hd", "image"), tiny_trainer("mocogan-hd", "motion")
    first.step(first_batch(first))
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in first.tensors().items():
        parts.setdefault(key.partition(".")[0], {})[key.partition(".")[2]] = tensor

    second.begin_stage(parts, kimg=1.0)

    generator = second.networks["generator"]
    ours, theirs = generator.state_dict(), first.ema.state_dict()
    assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == ["motion.basis"]
    assert not torch.equal(parts["generator"]["mapping.layers.0.weight"], ours["mapping.layers.0.weight"])
    assert torch.equal(second.ema.motion.basis, generator.motion.basis)
    assert float(generator.motion.basis.norm(dim=1).diff().max()) <= 0  # the longest first


def test_five_steps_of_the_generator_to_one_of_the_discriminators(trainer: MotionTrainer, monkeypatch) -> None:
    applied, apply = [], trainer.apply
    monkeypatch.setattr(trainer, "apply", lambda name: applied.append(name) or apply(name))

    trainer.update(torch.arange(4), first_batch(trainer))

    assert applied == 5 * ["generator"] + ["pair_discriminator", "clip_discriminator"]
    for optimizer in trainer.optimizers.values():
        assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"]) == (1e-4, (0.5, 0.999))


def test_which_videos_are_to_be_judged_higher_and_what_else_weighs(trainer: MotionTrainer, monkeypatch) -> None:
    """Logits are the frames themselves: 1 of generated videos, and -1 of real ones."""
    judged: list[tuple[float, float]] = []
    ones, weight = torch.ones(4, 6, 3, 32, 32), next(trainer.generator.motion.parameters())

    def loss(higher: list[torch.Tensor], lower: list[torch.Tensor]) -> torch.Tensor:
        judged.append((float(higher[0].detach().mean()), float(lower[0].detach().mean())))
        return 0 * (higher[0] + lower[0]).sum()

    monkeypatch.setattr(mocogan_hd, "relativistic_loss", loss)
    monkeypatch.setattr(mocogan_hd, "gradient_penalty", lambda *_: torch.tensor(3.0, requires_grad=True))
    monkeypatch.setattr(trainer, "apply", lambda name: None)
    monkeypatch.setattr(
        trainer, "_generate", lambda videos: (ones + 0 * weight.sum(), 0.25 + (weight - weight.detach()).sum())
    )
    for network in (trainer.pair, trainer.clip):
        some = next(network.parameters())
        monkeypatch.setattr(network, "forward", lambda seen, some=some: [seen + 0 * some.sum()])

    made = trainer._update_generator(torch.arange(4), -ones, 0)
    told = trainer._update_discriminators(torch.arange(4), -ones)

    assert judged == [(1, -1)] * 2 + [(-1, 1)] * 2
    assert float(made["loss/generator"]) == -0.25 and (weight.grad == -1).all()  # noise is to be recalled
    assert (float(told["loss/pair_discriminator"]), float(told["loss/clip_discriminator"])) == (0, 30)


def test_what_the_discriminators_see() -> None:
    frames = torch.arange(2 * 4 * 3.0).reshape(2, 4, 3, 1, 1).expand(-1, -1, -1, 2, 2)

    pair, clip = views(frames, 2)

    assert torch.equal(pair, torch.cat([frames[:, 0], frames[:, 2]], dim=1))
    for clips, order in ((turned(clip, False), [1, 2, 3]), (turned(clip, True), [3, 2, 1])):
        assert clips.shape == (2, 6, 3, 2, 2)
        for place, frame in enumerate(order):  # always beside the first
            assert torch.equal(clips[:, :, place], torch.cat([frames[:, 0], frames[:, frame]], dim=1))


def test_clips_are_turned_for_the_discriminator_and_not_for_its_penalty(trainer: MotionTrainer, monkeypatch) -> None:
    """With the first frames at 0 and later ones at their places, real ones above, the order of frames can be read."""
    orders: list[tuple[str, list[float]]] = []
    places = torch.arange(6.0)[None, :, None, None, None]
    clip = trainer.clip

    def order(what: str, clips: torch.Tensor) -> None:
        orders.append((what, clips[0, 3, :, 0, 0].tolist()))

    def penalty(network: nn.Module, real: torch.Tensor, fake: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        order("penalty", real)
        order("penalty", fake)
        return torch.zeros((), requires_grad=True)

    monkeypatch.setattr(mocogan_hd, "gradient_penalty", penalty)
    monkeypatch.setattr(trainer, "_shared", lambda turn: (1, True, False))
    monkeypatch.setattr(trainer, "_generate", lambda videos: (places.expand(4, -1, 3, 32, 32), torch.zeros(())))
    clip.register_forward_pre_hook(lambda network, given: order("judged", given[0]))

    trainer._update_discriminators(torch.arange(4), 10 + places.expand(4, -1, 3, 32, 32))

    real, fake = [11.0, 12.0, 13.0, 14.0, 15.0], [1.0, 2.0, 3.0, 4.0, 5.0]
    assert orders == [("penalty", real), ("penalty", fake), ("judged", real[::-1]), ("judged", fake)]


def test_time_runs_backwards_half_of_the_time_for_either_kind_of_clip(trainer: MotionTrainer) -> None:
    drawn = []
    for trainer.steps in range(100):
        drawn += [trainer._shared(turn) for turn in range(6)]
    places, real, fake = (np.array(values) for values in zip(*drawn, strict=True))

    assert set(places) == {1, 2, 3, 4, 5}
    for share in (real.mean(), fake.mean(), (real == fake).mean()):
        assert share == pytest.approx(0.5, abs=0.07)


def test_relativistic_losses_have_a_closed_form() -> None:
    high, low = torch.tensor([1.0, 3.0], requires_grad=True), torch.tensor([0.0, 2.0])

    # ½ [mean((0 - 1)², (2 - 1)²) + mean((0 - 2)², (2 - 2)²)], and with the targets 1 and 0 for a second scale
    assert relativistic_loss([high], [low]).item() == pytest.approx((1 + 2) / 2)
    assert relativistic_loss([high, low], [low, high]).item() == pytest.approx((1 + 2) / 2 + (5 + 2) / 2)
    (gradient,) = torch.autograd.grad(relativistic_loss([high], [low]), high)
    assert gradient.tolist() == pytest.approx([-0.5 + 0.5, 0.5 + 0.5])


def test_the_gradient_penalty_is_of_each_voxel() -> None:
    """Where logits are sums of channels, times weights, every voxel has their length for a gradient."""

    def discriminator(weights: torch.Tensor):
        return lambda clips: [(clips * w[:, None, None, None]).sum(dim=1, keepdim=True) for w in weights]

    weights = torch.tensor([[3.0, 0, 4, 0, 0, 0], [0, 0, 0, 0, 0, 2]], requires_grad=True)
    real, fake = torch.randn(2, 2, 6, 3, 4, 4).unbind(0)

    penalty = gradient_penalty(discriminator(weights), real, fake, torch.rand(2, 1))

    assert penalty.item() == pytest.approx(((5 - 1) ** 2 + (2 - 1) ** 2) / 2)
    (gradient,) = torch.autograd.grad(penalty, weights)
    assert gradient[0].tolist() == pytest.approx([4 * 3 / 5, 0, 4 * 4 / 5, 0, 0, 0])


def test_the_gradient_penalty_is_at_clips_between() -> None:
    seen = []
    real, fake = torch.zeros(2, 6, 3, 4, 4), torch.ones(2, 6, 3, 4, 4)

    gradient_penalty(lambda clips: seen.append(clips) or [clips.square()], real, fake, torch.tensor([[0.25], [1.0]]))

    assert seen[0][0].unique().tolist() == [0.75] and seen[0][1].unique().tolist() == [0.0]


@pytest.mark.parametrize(("clips", "maps"), [(False, [(19, 19), (11, 11)]), (True, [(5, 19, 19), (5, 11, 11)])])
def test_maps_of_logits_are_as_large_as_in_the_original(clips: bool, maps: list[tuple[int, ...]]) -> None:
    with torch.device("meta"):
        network = PatchDiscriminator(width=2, scales=2, clips=clips)
        found = network(torch.zeros(1, 6, *([15] if clips else []), 128, 128))

    assert [tuple(logits.shape[2:]) for logits in found] == maps
    norms = [layer for layer in network.modules() if isinstance(layer, nn.modules.instancenorm._InstanceNorm)]
    assert len(norms) == 6 and not any(norm.affine for norm in norms)


@pytest.mark.parametrize("clips", [False, True])
def test_layers_of_patches_are_those_of_the_original(clips: bool) -> None:
    convolution, norm = (nn.Conv3d, nn.InstanceNorm3d) if clips else (nn.Conv2d, nn.InstanceNorm2d)
    for scale in PatchDiscriminator(width=8, scales=2, clips=clips).scales:
        inner = [convolution, norm, nn.LeakyReLU]
        assert [type(layer) for layer in scale] == [convolution, nn.LeakyReLU, *3 * inner, convolution]
        for layer in scale:
            if isinstance(layer, nn.LeakyReLU):
                assert layer.negative_slope == 0.2
            elif isinstance(layer, convolution):
                assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("clips", [False, True])
def test_a_scale_sees_means_over_three_places(clips: bool, monkeypatch) -> None:
    """At the edges over those that there are, as the authors' networks do: at 0, over places 0 and 1."""
    network, seen = PatchDiscriminator(width=2, scales=2, clips=clips), []
    ramp = torch.arange(8.0)
    pairs = (ramp[:, None] + 10 * ramp).expand(1, 6, *([5] if clips else []), 8, 8)
    if clips:
        pairs = pairs + 100 * torch.arange(5.0)[:, None, None]
    monkeypatch.setattr(network.scales[1], "forward", lambda small: seen.append(small) or small)

    network(pairs)

    means = torch.tensor([0.5, 2, 4, 6])
    expected = means[:, None] + 10 * means
    if clips:
        expected = expected + 100 * torch.tensor([0.5, 1, 2, 3, 3.5])[:, None, None]
    torch.testing.assert_close(seen[0][0, 0], expected)


def test_discriminators_of_motion_see_128_at_most() -> None:
    frames = torch.randn(2, 3, 3, 256, 256)

    small = shrunk(frames)

    assert small.shape == (2, 3, 3, 128, 128)
    torch.testing.assert_close(small[1, 2, 0, 0, 5], frames[1, 2, 0, :2, 10:12].mean())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"components": 513}, "components = 513: w has 512 axes"),
        ({"frames": 1}, "frames = 1: motion needs 2 or more"),
        ({"resolution": 48}, "mocogan-hd has no networks for resolution = 48"),
    ],
)
def test_sizes_that_do_not_fit(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        METHOD.configure(**changes)
