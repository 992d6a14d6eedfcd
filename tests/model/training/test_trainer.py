"""Steps of training: their figures, and that state and sample numbers are all that they depend on."""

from __future__ import annotations

import copy
import dataclasses
import itertools

import pytest
import torch

from stylegan_v.data.clips import batches
from stylegan_v.errors import ConfigError
from stylegan_v.methods.settings import TrainRun
from stylegan_v.methods.step_clips import Reals
from stylegan_v.methods.style_trainer import StyleTrainer
from stylegan_v.networks.generator import half_precision, sampling_precision
from stylegan_v.training.run import Run

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


def advance(trainer: StyleTrainer, steps: int) -> list[dict[str, float]]:
    clips = batches(trainer.dataset, trainer.samples(), seed=trainer.run.train.seed, workers=1)
    logs = [trainer.step(batch) for batch in itertools.islice(clips, steps)]
    clips.close()
    return [{name: float(value) for name, value in log.items()} for log in logs]


def differences(a: StyleTrainer, b: StyleTrainer) -> float:
    """The largest, relative where values are large: those of slow layers are of the order of 100."""
    mine, theirs = a.tensors(), b.tensors()
    assert mine.keys() == theirs.keys()
    return max(float((t.double() - theirs[n].double()).abs().max() / t.abs().max().clip(1)) for n, t in mine.items())


@pytest.mark.parametrize("options", [{}, {"num_classes": 2, "preset": "paper"}, {"preset": "image", "frames": 1}])
def test_a_rehearsal_changes_nothing(make_trainer, options) -> None:
    rehearsed, plain = make_trainer(**options), make_trainer(**options)

    assert 0 < rehearsed.rehearse() < 60
    advance(rehearsed, 1), advance(plain, 1)
    assert rehearsed.rehearse() > 0
    assert differences(rehearsed, plain) == 0
    assert advance(rehearsed, 1) == advance(plain, 1)


def test_learning_rates_have_the_factors_of_lazy_regularisation(make_trainer) -> None:
    trainer = make_trainer(batch=64, r1_interval=16)
    generator, discriminator = (trainer.optimizers[name].defaults for name in ("generator", "discriminator"))

    assert trainer.learning_rate == 0.0025
    assert generator["lr"] == pytest.approx(0.0020)
    assert generator["betas"] == (0.0, pytest.approx(0.99199, abs=1e-5))
    assert discriminator["lr"] == pytest.approx(0.00235294, abs=1e-8)
    assert discriminator["betas"] == (0.0, pytest.approx(0.99058, abs=1e-5))
    assert generator["eps"] == discriminator["eps"] == 1e-8


@pytest.mark.parametrize(("resolution", "given", "rate"), [(512, 0.0, 0.0025), (1024, 0.0, 0.002), (1024, 0.1, 0.1)])
def test_networks_of_1024_learn_slower(make_trainer, tiny_config, resolution: int, given: float, rate: float) -> None:
    trainer = make_trainer()
    trainer.run = Run(model=tiny_config(resolution=resolution), train=TrainRun(learning_rate=given))

    assert trainer.learning_rate == rate


def test_the_average_forgets_half_in_its_half_life(make_trainer) -> None:
    """64 videos a step and 20 thousand videos: 0.99778, and a half after 312.5 steps."""
    trainer = make_trainer(batch=64)
    for average, parameter in zip(trainer.ema.parameters(), trainer.generator.parameters(), strict=True):
        average.data.zero_()
        parameter.data.fill_(1.0)
    trainer.update_ema()
    once = next(trainer.ema.parameters()).flatten()[0].item()
    for _ in range(312):
        trainer.update_ema()

    assert 1 - once == pytest.approx(0.99778, abs=1e-5)
    assert next(trainer.ema.parameters()).flatten()[0].item() == pytest.approx(0.5, abs=2e-3)


def test_the_average_copies_buffers_and_ramps_up_where_asked(make_trainer) -> None:
    trainer = make_trainer(ema_rampup=0.05)
    trainer.generator.mapping.w_mean.fill_(7)
    trainer.steps = 10  # 40 videos, 120 frames: a half-life of 6 videos
    for average, parameter in zip(trainer.ema.parameters(), trainer.generator.parameters(), strict=True):
        average.data.zero_()
        parameter.data.fill_(1.0)

    trainer.update_ema()

    assert torch.equal(trainer.ema.mapping.w_mean, trainer.generator.mapping.w_mean)
    assert next(trainer.ema.parameters()).flatten()[0].item() == pytest.approx(1 - 0.5 ** (4 / 6))


def test_r1_weighs_what_the_released_run_gives_it(make_trainer, tiny_config) -> None:
    trainer = make_trainer()
    trainer.run = Run(model=tiny_config(resolution=256))

    assert trainer.gamma == pytest.approx(0.2048)
    assert make_trainer(r1_gamma=5.0).gamma == 5.0


@pytest.mark.parametrize("interval", [1, 4])
def test_lazy_r1_counts_for_all_steps_of_its_interval(make_trainer, monkeypatch, interval: int) -> None:
    trainer, losses = make_trainer(r1_interval=interval, r1_gamma=3.0), []
    monkeypatch.setattr(trainer, "_add_gradients", losses.append)
    monkeypatch.setattr(trainer, "apply", lambda name: None)
    frames = torch.rand(4, 3, 3, 32, 32, generator=torch.Generator().manual_seed(0))

    logs = trainer.update_r1(Reals(frames, torch.tensor([[0.0, 1.0, 2.0]] * 4), None, None, None))

    assert losses[0].item() == pytest.approx(3.0 / 2 * interval * logs["loss/r1"].item(), rel=1e-6)


def test_a_step_moves_both_networks_and_their_average(make_trainer) -> None:
    trainer = make_trainer()
    before = {name: tensor.clone() for name, tensor in trainer.tensors().items()}

    (log,) = advance(trainer, 1)

    after = trainer.tensors()
    still = [name for name, tensor in before.items() if torch.equal(tensor, after[name])]
    assert still == []
    assert {"loss/generator", "loss/discriminator", "loss/r1", "logits/real_sign"} <= log.keys()
    assert (trainer.videos, trainer.kimg) == (4, 0.012)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_classes": 2, "preset": "paper"},
        {"frames": 2, "ada": False},
        {"frames": 1, "preset": "image"},
    ],
)
def test_an_interruption_changes_no_bit(make_trainer, options) -> None:
    straight, other = (make_trainer(**options) for _ in range(2))
    straight.probability.p = 0.4
    advance(straight, 3)  # in the middle of an interval of the augmentation, and of R1
    tensors = {name: tensor.clone() for name, tensor in straight.tensors().items()}
    parts = {name.partition(".")[0] for name in tensors}
    split = {
        part: {n.removeprefix(f"{part}."): t for n, t in tensors.items() if n.startswith(f"{part}.")} for part in parts
    }

    other.load(split, copy.deepcopy(straight.state()))
    for trainer in (straight, other):
        advance(trainer, 2)

    assert differences(straight, other) == 0
    assert straight.state() == other.state()
    assert max(float((tensor - tensors[name]).abs().max()) for name, tensor in straight.tensors().items()) > 1e-4


@pytest.mark.parametrize("kind", [{"foreach": False}, {"foreach": True}, {"fused": True}])
def test_a_step_of_adam_without_momentum_does_not_depend_on_the_first_moment(kind: dict[str, bool]) -> None:
    """It is left out of checkpoints, and zeros stand in for it."""
    draws = torch.Generator().manual_seed(0)
    kept, zeroed = (torch.nn.Parameter(torch.linspace(-1, 1, 999)) for _ in range(2))
    first, second = (torch.optim.Adam([p], lr=0.01, betas=(0.0, 0.99), eps=1e-8, **kind) for p in (kept, zeroed))
    for _ in range(4):
        kept.grad = torch.randn(999, generator=draws)
        zeroed.grad = kept.grad.clone()
        first.step()
        second.step()
        assert torch.equal(first.state[kept]["exp_avg"], kept.grad)
        second.state[zeroed]["exp_avg"].zero_()

    assert torch.equal(kept, zeroed)


def test_a_state_holds_no_first_moments_and_goes_on_from_an_older_one_that_does(make_trainer) -> None:
    straight, other = (make_trainer() for _ in range(2))
    advance(straight, 2)
    kinds = {name.split(".")[1] for name in straight.tensors() if "_optimizer." in name}
    tensors: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in straight.tensors().items():
        part, _, rest = name.partition(".")
        tensors.setdefault(part, {})[rest] = tensor.clone()
    for part, optimizer in straight.optimizers.items():
        parameters = straight.networks[part].named_parameters()
        older = {f"exp_avg.{name}": optimizer.state[p]["exp_avg"].clone() for name, p in parameters}
        tensors[f"{part}_optimizer"] = {**older, **tensors[f"{part}_optimizer"]}

    other.load(tensors, straight.state())
    for trainer in (straight, other):
        advance(trainer, 1)

    assert kinds == {"step", "exp_avg_sq"}
    assert differences(straight, other) == 0


def test_micro_batches_do_what_the_batch_does(make_trainer) -> None:
    whole, parts = make_trainer(), make_trainer(micro_batch=2)
    for trainer in (whole, parts):
        trainer.probability.p = 0.5
        advance(trainer, 2)  # with and without R1

    assert parts.micro_batches == 2
    assert differences(whole, parts) < 1e-5


def test_gradients_that_are_not_finite_are_bounded(make_trainer) -> None:
    trainer = make_trainer()
    const = trainer.generator.synthesis.first.const
    before = const.detach().clone()
    const.register_hook(lambda g: g * float("nan"))

    advance(trainer, 2)

    assert torch.equal(const, before)  # NaN counts as 0
    assert all(torch.isfinite(tensor).all() for tensor in trainer.tensors().values())


def test_an_infinite_gradient_counts_as_a_large_one(make_trainer) -> None:
    trainer = make_trainer()
    const = trainer.generator.synthesis.first.const
    before, signs = const.detach().clone(), torch.ones_like(const)
    signs[..., 0] = -1
    const.grad = signs * float("inf")

    trainer.apply("generator")

    assert torch.equal((before - const).sign(), signs)
    assert torch.isfinite(const).all()


def test_augmentation_follows_the_signs_of_real_logits(make_trainer) -> None:
    trainer = make_trainer(batch=64)

    for _ in range(8):
        trainer.update_augment({"logits/real_sign": torch.tensor(1.0)})
    up = trainer.probability.p
    for _ in range(4):
        trainer.update_augment({"logits/real_sign": torch.tensor(0.5)})

    assert up == pytest.approx(2 * 0.00256)
    assert trainer.probability.p == pytest.approx(0.00256)


def test_augmentation_follows_what_the_run_says(make_trainer) -> None:
    other, off = make_trainer(batch=64, ada_target=0.4, ada_kimg=50.0), make_trainer(batch=64, ada=False)

    for _ in range(4):
        for trainer in (other, off):
            trainer.update_augment({"logits/real_sign": torch.tensor(0.5)})

    assert (other.probability.p, off.probability.p) == (pytest.approx(0.00512), 0.0)


class Black:
    """An augmentation that leaves nothing to see."""

    def __getitem__(self, some: slice) -> Black:
        return self

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        return frames * 0


def test_the_discriminator_sees_all_videos_augmented(make_trainer, monkeypatch) -> None:
    trainer, seen = make_trainer(), []
    discriminator = trainer.discriminator
    monkeypatch.setattr(trainer, "_discriminate", lambda *given: seen.append(given[0].any()) or discriminator(*given))
    *fakes, reals = trainer._draw(torch.arange(4), next(batches(trainer.dataset, trainer.samples(), seed=0, workers=1)))
    made, others = (dataclasses.replace(videos, augmentations=Black()) for videos in fakes)

    trainer.update_generator(made)
    trainer.update_discriminator(others, dataclasses.replace(reals, augmentations=Black()))
    penalties = [
        trainer.update_r1(dataclasses.replace(reals, augmentations=some, r1_augmentations=other))["loss/r1"]
        for some, other in ((None, Black()), (Black(), None))
    ]

    assert len(seen) == 3 and not any(seen)
    assert penalties[0] == 0 < penalties[1]


def test_logits_of_real_and_of_fake_videos_are_told_apart(make_trainer, monkeypatch) -> None:
    trainer = make_trainer(micro_batch=2)
    weight, logits = next(trainer.discriminator.parameters()), iter([-2.0, 1.0, -4.0, -3.0])  # fake, real, fake, real
    monkeypatch.setattr(
        trainer, "_discriminate", lambda frames, *_: 0 * weight.sum() + torch.full((len(frames),), next(logits))
    )
    _, fakes, reals = trainer._draw(
        torch.arange(4), next(batches(trainer.dataset, trainer.samples(), seed=0, workers=1))
    )

    logs = trainer.update_discriminator(fakes, reals)

    assert {name: float(logs[name]) for name in logs if name != "loss/discriminator"} == {
        "logits/real": -1.0, "logits/fake": -3.0, "logits/real_sign": 0.0
    }  # fmt: skip


def test_videos_of_both_networks_and_of_r1_are_augmented_differently(make_trainer) -> None:
    trainer = make_trainer()
    trainer.probability.p = 1.0

    made, others, reals = trainer._draw(
        torch.arange(4), next(batches(trainer.dataset, trainer.samples(), seed=0, workers=1))
    )

    plans = made.augmentations, others.augmentations, reals.augmentations, reals.r1_augmentations
    shown = [plan(reals.frames) for plan in plans]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(shown, 2))


def test_batches_that_cannot_be_split_are_refused(make_trainer) -> None:
    with pytest.raises(ConfigError, match="batch = 4 videos over 1 process, 3 at a time"):
        make_trainer(micro_batch=3)
    with pytest.raises(ConfigError, match="minibatch deviation"):
        make_trainer(batch=5)


def test_recorded_steps_need_a_gpu(make_trainer) -> None:
    with pytest.raises(ConfigError, match="cuda_graphs = true needs a GPU"):
        make_trainer(cuda_graphs=True)


def test_half_precision_is_for_gpus_unless_asked_for() -> None:
    assert half_precision("auto", CPU) is None
    assert half_precision("auto", torch.device("cuda")) == torch.float16
    assert half_precision("bfloat16", CPU) == torch.bfloat16
    for said in ("auto", "float32", "float16", "bfloat16"):
        assert sampling_precision(said, CPU) is None
        assert sampling_precision(said, torch.device("cuda")) == half_precision(said, torch.device("cuda"))


def test_bfloat16_trains_on_a_cpu(make_trainer) -> None:
    trainer = make_trainer(precision="bfloat16")

    logs = advance(trainer, 2)

    assert (trainer.generator.half_dtype, trainer.ema.half_dtype) == (torch.bfloat16, None)
    assert all(abs(value) < 100 for log in logs for value in log.values())
