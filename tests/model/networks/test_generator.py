"""The generator as a whole."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stylegan_v.networks.config import ModelConfig
from stylegan_v.networks.generator import Generator, build_generator
from stylegan_v.networks.motion import keyed_noise
from stylegan_v.networks.noise import Purpose, normal

VIDEOS = torch.tensor([3, 11])

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(params=["release", "paper"])
def generator(request: pytest.FixtureRequest, tiny_config) -> Generator:
    return build_generator(tiny_config(request.param), seed=1).double().requires_grad_(False)


def codes(config: ModelConfig, videos: Tensor = VIDEOS) -> Tensor:
    return normal(0, Purpose.CONTENT, videos, 0, config.z_dim).double()


def frames(generator: Generator, times: list[list[float]], **options: float) -> Tensor:
    noise = keyed_noise(0, VIDEOS, generator.config.noise_dim)
    at = torch.tensor(times, dtype=torch.float64)
    return generator(codes(generator.config), at, noise, **options)


def test_any_frame_can_be_had_alone(generator: Generator) -> None:
    together = frames(generator, [[0, 3.5, 70, 1e5], [1, 2, 3, 4]])

    alone = [frames(generator, [[a], [b]]) for a, b in ((0, 1), (3.5, 2), (70, 3), (1e5, 4))]

    assert together.shape == (2, 4, 3, 32, 32)
    torch.testing.assert_close(together, torch.cat(alone, dim=1), rtol=0, atol=1e-10)


def test_frames_of_a_video_share_their_content_and_differ_in_motion(generator: Generator) -> None:
    one = frames(generator, [[0, 8], [0, 8]])

    assert (one[:, 0] - one[:, 1]).abs().amax(dim=(1, 2, 3)).min() > 1e-3
    assert (one[0] - one[1]).abs().amax(dim=(1, 2, 3)).min() > 1e-3


def test_a_model_of_images_gives_the_same_image_at_all_times(tiny_config) -> None:
    generator = build_generator(tiny_config("image"), seed=1).double().requires_grad_(False)

    one = frames(generator, [[0, 8.5], [3, 1e5]])

    assert one.shape == (2, 2, 3, 32, 32)
    torch.testing.assert_close(one[:, 0], one[:, 1], rtol=0, atol=1e-12)
    assert (one[0, 0] - one[1, 0]).abs().max() > 1e-3
    assert not any(name.startswith("motion") for name in generator.state_dict())


def test_parameters_depend_on_the_seed_alone(tiny_config) -> None:
    torch.manual_seed(77)
    first, again, other = (build_generator(tiny_config(), seed=seed).state_dict() for seed in (1, 1, 2))

    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["synthesis.first.const"], other["synthesis.first.const"])
    assert torch.initial_seed() == 77


def test_truncation_moves_styles_towards_their_mean(generator: Generator) -> None:
    generator.mapping.w_mean = torch.full_like(generator.mapping.w_mean, 0.3)
    z = codes(generator.config)
    w = generator.styles(z)

    torch.testing.assert_close(generator.styles(z, truncation=0.7), 0.3 + 0.7 * (w - 0.3))
    torch.testing.assert_close(generator.styles(z, truncation=0.0), torch.full_like(w, 0.3))


def test_with_labels_styles_are_truncated_towards_the_mean_of_their_class(tiny_config) -> None:
    generator = build_generator(tiny_config(num_classes=2), seed=1).requires_grad_(False)
    z, labels = torch.randn(2, generator.config.z_dim), torch.eye(2)
    many = torch.randn(20000, generator.config.z_dim)
    means = torch.stack([generator.mapping(many, label.expand(20000, -1)).mean(dim=0) for label in labels])

    at_zero = generator.styles(z, labels, truncation=0.0)

    torch.testing.assert_close(at_zero, means, rtol=0, atol=0.15)
    assert (means[0] - means[1]).abs().max() > 0.3
    assert torch.equal(at_zero, generator.styles(z + 1, labels, truncation=0.0))


def test_the_mean_style_follows_batches(tiny_config) -> None:
    generator = build_generator(tiny_config(), seed=1)
    mean = torch.ones(generator.config.w_dim)
    for _ in range(3):
        generator.mapping.track(mean)

    assert generator.mapping.w_mean[0].item() == pytest.approx(1 - 0.995**3)


def test_labels_change_frames_and_are_needed(tiny_config) -> None:
    generator = build_generator(tiny_config(num_classes=3), seed=1).requires_grad_(False)
    z = codes(generator.config).float()[:1].expand(2, -1)
    noise = keyed_noise(0, torch.tensor([0, 0]), generator.config.noise_dim)

    made = generator(z, torch.zeros(2, 1), noise, torch.eye(3)[:2])

    assert (made[0] - made[1]).abs().max() > 1e-3
    with pytest.raises(AssertionError):
        generator(z, torch.zeros(2, 1), noise)


def test_styles_can_differ_by_layer(generator: Generator) -> None:
    w = generator.styles(codes(generator.config))
    times, noise = torch.zeros(2, 1, dtype=torch.float64), keyed_noise(0, VIDEOS, generator.config.noise_dim)
    repeated = w[:, None].repeat(1, generator.config.num_ws, 1)
    changed = repeated.clone()
    changed[:, -1] += 1  # the last colours only

    same, other = generator.render(repeated, times, noise), generator.render(changed, times, noise)

    assert torch.equal(same, generator.render(w, times, noise))
    assert not torch.allclose(same, other)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_close(tiny_config, dtype: torch.dtype) -> None:
    generator = build_generator(tiny_config(), seed=1).requires_grad_(False)
    z, noise = codes(generator.config).float(), keyed_noise(0, VIDEOS, generator.config.noise_dim)
    full = generator(z, torch.zeros(2, 2), noise)
    generator.use_half(dtype)

    half = generator(z, torch.zeros(2, 2), noise)

    assert half.dtype == torch.float32
    assert functional.mse_loss(half, full) < 1e-3 * full.var()
    assert not torch.equal(half, full)


@pytest.mark.parametrize("name", ["mapping.layers.0.weight", "motion.mapping.convs.0.weight", "synthesis.first.const"])
def test_gradients_are_those_of_finite_differences(tiny_config, name: str) -> None:
    generator = build_generator(tiny_config("release", channel_max=2), seed=1).double()
    noise, times = keyed_noise(0, VIDEOS, generator.config.noise_dim), torch.tensor([[0.0, 5.0], [20.0, 33.3]]).double()
    probe = torch.randn(2, 2, 3, 32, 32, dtype=torch.float64)

    def call(parameter: Tensor) -> Tensor:
        made = torch.func.functional_call(generator, {name: parameter}, (codes(generator.config), times, noise))
        return (made * probe).sum()

    assert torch.autograd.gradcheck(call, (generator.get_parameter(name),), fast_mode=True, eps=1e-7)
