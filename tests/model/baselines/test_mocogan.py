"""What is MoCoGAN's own: a GRU that noise drives, what each discriminator sees, and their losses."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional

from stylegan_v.baselines.mocogan import METHOD, ImageDiscriminator, MoCoGANTrainer, make_clip_discriminator
from stylegan_v.errors import ConfigError
from stylegan_v.networks.clip_discriminator import InstanceNoise, begin_noise
from stylegan_v.networks.noise import Purpose, uniform
from stylegan_v.networks.pixels import normalise
from tests.model.baselines.conftest import first_batch

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def trainer(tiny_trainer) -> MoCoGANTrainer:
    return tiny_trainer("mocogan")


def test_the_state_of_the_gru_settles_where_it_was_measured_to() -> None:
    """Facts of the original network, at its initial parameters: 0.61 after a step, and 0.325 from about step 16 on."""
    torch.manual_seed(0)
    states = []
    for _ in range(20):  # networks
        generator = METHOD.makers()["generator"](METHOD.configure(resolution=64, frames=64, width=2))
        states.append(generator.codes(0, torch.arange(200)).detach())
    deviation = torch.cat(states).std(dim=(0, 2))

    assert deviation[0] == pytest.approx(0.61, abs=0.03)
    assert deviation[15:].tolist() == pytest.approx([0.325] * 49, abs=0.02)


def test_frames_of_training_are_those_of_sampling(trainer: MoCoGANTrainer) -> None:
    generator, videos = trainer.ema, torch.tensor([7])
    frames = generator.config.frames

    trained = generator.frames(generator.content(1, videos).expand(frames, -1), generator.codes(1, videos)[0])

    torch.testing.assert_close(generator.sample(1, [7], range(frames))[0], trained, rtol=0, atol=1e-5)


def test_content_stays_and_motion_can_be_another_videos(trainer: MoCoGANTrainer) -> None:
    generator = trainer.ema
    content = generator.content(1, torch.tensor([3, 4]))

    assert content.shape == (2, 50) and not torch.equal(content[0], content[1])
    assert not torch.equal(*generator.codes(1, torch.tensor([3, 4])).unbind(0))
    assert generator.separate and not generator.truncates


@pytest.mark.parametrize(("patches", "image", "clip"), [(True, (4, 4), 4 * 16), (False, (1, 1), 1)])
def test_logits_are_of_patches_or_of_the_whole(patches: bool, image: tuple[int, int], clip: int) -> None:
    config = METHOD.configure(
        resolution=64, image_width=2, clip_width=2, noise=0, image_patches=patches, clip_patches=patches
    )
    frames = torch.zeros(2, 16, 3, 64, 64)

    assert ImageDiscriminator(config)(frames[:, 0]).shape == (2, 1, *image)
    assert make_clip_discriminator(config)(frames).shape == (2, clip)


def test_noise_is_added_before_layers_as_in_the_original() -> None:
    """The discriminator of patches has it before its last layer too, the others do not."""
    for patches, inside in ((True, 4), (False, 4)):
        network = ImageDiscriminator(METHOD.configure(resolution=64, image_width=2, image_patches=patches))
        begin_noise(network, (0,))
        kinds = [type(layer).__name__ for layer in network.layers]

        assert kinds.count("InstanceNoise") == inside and kinds[0] == "InstanceNoise"
        assert (kinds[-2] == "InstanceNoise") == patches


def test_the_first_losses_are_binary_cross_entropies(trainer: MoCoGANTrainer) -> None:
    for network in trainer.discriminators.values():
        begin_noise(network, (0,))
        for layer in network.modules():
            if isinstance(layer, InstanceNoise):
                layer.sigma = 0.0
    batch, numbers = first_batch(trainer), torch.arange(4)
    where = uniform(trainer.run.train.seed, Purpose.REAL_TIMES, numbers, 1, 1)[:, 0]
    clips = normalise(batch.frames)
    reals, fakes = (clips[numbers, (13 * where).long()], clips), trainer._generate(2 * numbers)

    def bce(logits: torch.Tensor, *, real: bool) -> torch.Tensor:
        return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))

    expected = {
        f"loss/{name}": (bce(judge(real), real=True) + bce(judge(fake), real=False)).detach()
        for (name, judge), real, fake in zip(trainer.discriminators.items(), reals, fakes, strict=True)
    }

    logs = trainer.update(numbers, batch)

    torch.testing.assert_close({name: logs[name] for name in expected}, expected, rtol=1e-5, atol=1e-6)
    judged = zip(trainer.discriminators.values(), trainer._generate(numbers), strict=True)
    fooled = sum(bce(judge(fake), real=True) for judge, fake in judged)
    torch.testing.assert_close(trainer._update_generator(numbers)["loss/generator"], fooled, rtol=1e-5, atol=1e-6)


def test_images_are_of_many_videos_and_of_any_place(trainer: MoCoGANTrainer, monkeypatch) -> None:
    generator, many, seen = trainer.networks["generator"], torch.arange(200), []

    def frames(content: torch.Tensor, motion: torch.Tensor) -> torch.Tensor:
        seen.append((content, motion))
        return torch.zeros(len(content), 3, 32, 32)

    monkeypatch.setattr(generator, "frames", frames)
    images, clips = trainer._generate(many)
    (content, motion), (contents, motions) = seen

    assert images.shape == (200, 3, 32, 32) and clips.shape == (200, 13, 3, 32, 32)
    assert len(content.unique(dim=0)) == len(contents.unique(dim=0)) == 200
    assert len(torch.cat([content, contents]).unique(dim=0)) == 400  # other videos for either discriminator
    codes = generator.codes(trainer.run.train.seed, 2 * many)
    assert set((codes == motion[:, None]).all(dim=2).float().argmax(dim=1).tolist()) == set(range(13))
    assert motions.shape == (200 * 13, 10)


def test_optimisers_are_those_of_the_original(trainer: MoCoGANTrainer) -> None:
    assert len(trainer.optimizers) == 3
    for optimizer in trainer.optimizers.values():
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"], group["weight_decay"]) == (2e-4, (0.5, 0.999), 1e-5)


def test_the_generator_that_samples_is_the_trained_one_with_its_running_means(trainer: MoCoGANTrainer) -> None:
    trainer.step(first_batch(trainer))

    trained, sampled = trainer.networks["generator"], trainer.ema
    assert all(torch.equal(tensor, sampled.state_dict()[name]) for name, tensor in trained.state_dict().items())
    assert trained.training and not sampled.training
    assert sampled.image[1].num_batches_tracked == 4  # images and clips, for either step


@pytest.mark.parametrize("stride", [1, 2])
def test_clips_are_a_stride_apart_and_anywhere_in_a_video(stride: int, trainer: MoCoGANTrainer) -> None:
    rule = trainer.clips(dataclasses.replace(trainer.run.model, stride=stride))

    assert rule.needed == 12 * stride + 1 and rule.possible_spans(10_000) == [12 * stride]
    assert rule.max_frames > 10_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resolution": 256}, "mocogan has no networks for resolution = 256: allowed are 32, 64, 128"),
        ({"frames": 15}, "the discriminator of clips needs 16 at 64"),
        ({"width": 1}, "width = 1: expected 2 or more"),
    ],
)
def test_sizes_that_do_not_fit(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        METHOD.configure(**{"resolution": 64, **changes})


def test_layers_are_those_of_dcgan() -> None:
    config = METHOD.configure(resolution=32, noise=0)
    image, judge = METHOD.makers()["generator"](config).image, ImageDiscriminator(config).layers

    made = [nn.BatchNorm2d, nn.ReLU, nn.ConvTranspose2d]
    assert [type(layer) for layer in image] == [nn.ConvTranspose2d, *3 * made, nn.Tanh]
    seen = [nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU]
    assert [type(layer) for layer in judge] == [nn.Conv2d, nn.LeakyReLU, *seen, nn.Conv2d]
    for layer in [*image, *judge]:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.1)


def test_larger_frames_have_one_layer_more_and_one_less_makes_smaller_ones() -> None:
    widths = {r: METHOD.configure(resolution=r).channels() for r in (32, 64, 128)}

    assert widths == {32: [512, 256, 128, 3], 64: [512, 256, 128, 64, 3], 128: [512, 256, 128, 64, 32, 3]}
