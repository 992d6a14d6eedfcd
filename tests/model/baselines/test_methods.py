"""What holds for every method: its steps learn, go on after an interruption, and make videos that depend on nothing
else."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stylegan_v.baselines import registry
from stylegan_v.checkpoints.checkpoint import Checkpoint, load, save
from stylegan_v.errors import ConfigError
from stylegan_v.methods.settings import OF_STYLEGAN_V
from stylegan_v.methods.style_trainer import StyleTrainer
from stylegan_v.methods.trainer import Trainer
from stylegan_v.networks import generator as generators_of_styles
from stylegan_v.networks import noise
from stylegan_v.networks.generator import StyledGenerator, half_precision
from stylegan_v.networks.noise import Purpose
from stylegan_v.networks.video_generator import VideoGenerator
from stylegan_v.sampling.sampler import VideoSampler
from stylegan_v.sampling.videos import GeneratedVideos
from stylegan_v.training.run import load_run
from tests.model.baselines.conftest import METHODS, STAGES, first_batch, tiny

pytestmark = pytest.mark.usefixtures("one_thread")

COUNTS = [
    # Shared facts of the official networks. Ours have no strength of noise for each layer, 9 of them at 64².
    ("stylegan2", {"resolution": 64}, {"generator": 22_243_608 - 9, "discriminator": 23_407_361}),
    ("stylegan2", {"resolution": 128}, {"generator": 22_949_277 - 11, "discriminator": 23_882_369}),
    ("stylegan2", {"resolution": 256}, {"generator": 23_191_522 - 13, "discriminator": 24_001_089}),
    ("stylegan2", {"resolution": 64, "mapping_layers": 8}, {"generator": 22_243_608 - 9 + 1_575_936}),
    (
        "mocogan",
        {"resolution": 64},
        {"generator": 3_249_684, "image_discriminator": 663_296, "clip_discriminator": 11_056_896},
    ),
    (
        "mocogan",
        {"resolution": 64, "image_patches": False, "clip_patches": True},
        {"image_discriminator": 2_765_568, "clip_discriminator": 2_650_880},
    ),
    ("mocogan-sg2", {"resolution": 64}, {"generator": 28_278_031, "discriminator": 23_407_361 + 11_056_896}),
    ("mocogan-sg2", {"resolution": 256}, {"generator": 29_619_157, "discriminator": 24_001_089 + 25_214_720}),
    ("digan", {"resolution": 64}, {"generator": 52_210_703, "discriminator": 26_490_881 + 26_488_833}),
    ("digan", {"resolution": 128}, {"generator": 63_538_706, "discriminator": 56_779_266}),
    ("digan", {"resolution": 256}, {"generator": 69_974_421, "discriminator": 57_728_770}),
    # The transformer of the original has positions for 4 + 8 + 8 places, as clips of 32² have; 192 numbers for each.
    ("videogpt", {"resolution": 32}, {"generator": 21_141_619 + 33_229_248}),
    ("videogpt", {"resolution": 128}, {"generator": 21_141_619 + 33_229_248 + 192 * (32 + 32 - 8 - 8)}),
    (
        "mocogan-hd",
        {"resolution": 256},
        {
            # StyleGAN2 with eight layers of mapping, at full width, 30.0 million, and 3,562,880 for motion.
            "generator": 28_458_402 - 13 + 1_575_936 + 3_562_880,
            "discriminator": 28_864_129,
            "pair_discriminator": 5_535_618,
            "clip_discriminator": 22_136_706,
        },
    ),
]


def steps(trainer: Trainer, count: int) -> None:
    for _ in range(count):
        trainer.step(first_batch(trainer))


def parts(trainer: Trainer) -> dict[str, dict[str, torch.Tensor]]:
    found: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in trainer.tensors().items():
        part, _, name = key.partition(".")
        found.setdefault(part, {})[name] = tensor.clone()
    return found


@pytest.fixture(scope="module")
def generators() -> dict[str, VideoGenerator]:
    made = {}
    for name in METHODS:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            made[name] = registry.method(name).makers()["generator"](tiny(name)).eval().requires_grad_(False)
    return made


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_a_step_of_a_network_lowers_its_own_loss(name: str, stage: str, tiny_trainer, monkeypatch) -> None:
    """On a fixed batch, while the others stay as they are."""
    for network in tiny_trainer(name, stage).optimizers:
        trainer = tiny_trainer(name, stage, learning_rate=1e-4, r1_interval=16)
        batch, numbers = first_batch(trainer), torch.arange(4)
        trainer.steps = 1  # without R1
        apply = trainer.apply

        def only(chosen: str, trainer=trainer, network=network, apply=apply) -> None:
            apply(chosen) if chosen == network else trainer.networks[chosen].zero_grad(set_to_none=True)

        monkeypatch.setattr(trainer, "apply", only)

        before, after = (float(trainer.update(numbers, batch)[f"loss/{network}"]) for _ in range(2))

        assert after < before, network


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_gradients_reach_what_is_meant_to_learn_and_nothing_else(
    name: str, stage: str, tiny_trainer, monkeypatch
) -> None:
    trainer = tiny_trainer(name, stage)
    learning = {id(p) for optimizer in trainer.optimizers.values() for g in optimizer.param_groups for p in g["params"]}
    parameters = {f"{n}.{k}": p for n, net in trainer.networks.items() for k, p in net.named_parameters()}
    before = {key: parameter.detach().clone() for key, parameter in parameters.items()}
    apply, strayed = trainer.apply, []

    def watched(chosen: str) -> None:
        others = (network for other, network in trainer.networks.items() if other != chosen)
        strayed.extend(p for network in others for p in network.parameters() if p.grad is not None)
        apply(chosen)

    monkeypatch.setattr(trainer, "apply", watched)

    steps(trainer, 2)  # since no gradient goes through a head of zeros, which some begin with

    assert not strayed  # what one network learns from is no part of what the next one does
    moved = {key for key, parameter in parameters.items() if not torch.equal(before[key], parameter)}
    meant = {key for key, parameter in parameters.items() if id(parameter) in learning}
    relative = {key for key in meant if key.endswith(".11.bias")}  # of logits that count by their differences alone
    assert moved - relative == meant - relative
    assert moved <= meant and moved


@pytest.mark.parametrize(("name", "stage"), [(name, stage) for name, stage in STAGES if name != registry.DEFAULT])
def test_an_interruption_changes_no_bit(name: str, stage: str, tiny_trainer) -> None:
    """That of StyleGAN-V is in training/test_trainer.py."""
    straight, other = (tiny_trainer(name, stage) for _ in range(2))
    steps(straight, 2)
    kept = parts(straight)

    other.load(kept, copy.deepcopy(straight.state()))
    for trainer in (straight, other):
        steps(trainer, 1)

    ours, theirs = straight.tensors(), other.tensors()
    assert ours.keys() == theirs.keys()
    assert [key for key, tensor in ours.items() if not torch.equal(tensor, theirs[key])] == []
    assert straight.state() == other.state()
    before = {f"{part}.{key}": tensor for part, tensors in kept.items() for key, tensor in tensors.items()}
    assert any(not torch.equal(tensor, ours[key]) for key, tensor in before.items() if "optim" not in key)


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_a_step_draws_with_the_seed_of_its_run_and_nothing_twice(
    name: str, stage: str, tiny_trainer, monkeypatch
) -> None:
    """But noise of motion, which neighbouring times share."""
    trainer, other = tiny_trainer(name, stage, seed=9), tiny_trainer(name, stage)
    ours, theirs = ({n: nn.utils.parameters_to_vector(net.parameters()) for n, net in t.networks.items()}
                    for t in (trainer, other))  # fmt: skip
    assert not any(torch.equal(vector, theirs[network]) for network, vector in ours.items())
    assert torch.equal(nn.utils.parameters_to_vector(trainer.ema.parameters()), ours["generator"])
    bits, sequence, seeds, addresses = noise._bits, np.random.SeedSequence, [], []

    def watched(seed: int, purpose: Purpose | torch.Tensor, samples: torch.Tensor, tokens: Any, count: int) -> Any:
        drawn = torch.broadcast_tensors(*map(torch.as_tensor, (purpose, samples, tokens)))
        seeds.append(seed)
        addresses.extend(zip(*(part.flatten().tolist() for part in drawn), strict=True))
        return bits(seed, purpose, samples, tokens, count)

    monkeypatch.setattr(noise, "_bits", watched)
    monkeypatch.setattr(np.random, "SeedSequence", lambda key: seeds.append(key[0]) or sequence(key))
    if isinstance(trainer, StyleTrainer):
        trainer.probability.p = 0.5

    steps(trainer, 1)

    once = [address for address in addresses if address[0] != Purpose.MOTION]
    assert set(seeds) == {9} and len(set(once)) == len(once)


@pytest.mark.parametrize(("name", "stage", "counted"), [("videogpt", "vqvae", "cpu"), ("mocogan", "", "meta")])
def test_steps_are_counted_where_the_optimiser_reads_them(name: str, stage: str, counted: str, tiny_trainer) -> None:
    """On the CPU, unless a fused optimiser keeps its counts on the device, for which another one stands here."""
    before, after = (tiny_trainer(name, stage) for _ in range(2))
    steps(before, 1)

    after.device = torch.device("meta")
    after.load(parts(before), before.state())

    for optimizer in after.optimizers.values():
        for state in optimizer.state.values():
            assert (state["step"].device.type, state["exp_avg_sq"].device.type) == (counted, "meta")


@pytest.mark.parametrize(("name", "frames"), [("stylegan-v", 2), ("digan", 2), ("mocogan-sg2", 14)])
def test_a_batch_is_refused_or_trained_on(name: str, frames: int, tiny_trainer) -> None:
    """Minibatch deviations need whole groups, here of four, of videos or of their frames."""
    trained = []
    for batch in (1, 2, 3, 6):
        try:
            trainer = tiny_trainer(name, model={"std_group": 4, "frames": frames}, batch=batch)
        except ConfigError as error:
            assert "the videos of a minibatch deviation" in str(error)
            continue
        steps(trainer, 1)
        trained.append(batch)

    assert trained == {"stylegan-v": [1, 2, 3], "digan": [1, 2], "mocogan-sg2": [2]}[name]


@pytest.mark.parametrize("name", METHODS)
def test_a_video_depends_on_its_number_alone(name: str, generators) -> None:
    generator, times = generators[name], [0.0, 1.0, 2.0, 5.0]

    together, twice, alone = (
        generator.sample(7, [3, 1], times), generator.sample(7, [3, 1], times), generator.sample(7, [1], times)
    )  # fmt: skip

    assert together.shape == (2, 4, 3, generator.config.resolution, generator.config.resolution)
    assert torch.equal(together, twice) and torch.equal(together[1:], alone)
    assert not torch.equal(together[0], together[1])
    assert not torch.equal(together, generator.sample(8, [3, 1], times))


@pytest.mark.parametrize("name", METHODS)
def test_a_longer_video_begins_with_the_shorter_one(name: str, generators) -> None:
    sampler = VideoSampler(generators[name], seed=2, batch_frames=4)
    longest = min(generators[name].longest or 10, 10)

    whole, part = list(sampler.frames(5, range(longest))), list(sampler.frames(5, range(3)))
    last = next(sampler.frames(5, [longest - 1]))

    assert all(np.array_equal(a, b) for a, b in zip(whole, part, strict=False))
    assert np.array_equal(whole[-1], last)


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_cannot_do_is_said(name: str, generators) -> None:
    generator = generators[name]
    if generator.longest is not None:
        with pytest.raises(ConfigError, match=f"{name} makes videos of at most {generator.longest} frames"):
            GeneratedVideos(generator, videos=1, frames=generator.longest + 1)
    if not generator.continuous:
        with pytest.raises(ConfigError, match=f"{name} makes frames at whole times"):
            VideoSampler(generator, fps=50.0)
    if not generator.truncates:
        with pytest.raises(ConfigError, match=f"{name} has none"):
            VideoSampler(generator, truncation=0.5)
    if not generator.separate:
        with pytest.raises(ConfigError, match="no video takes another's motion"):
            next(VideoSampler(generator).frames(0, [0], motion_of=1))


@pytest.mark.parametrize("name", METHODS)
def test_a_checkpoint_knows_its_method(name: str, generators, tmp_path: Path) -> None:
    generator = generators[name]
    save(Checkpoint(tiny(name), {f"ema.{k}": t for k, t in generator.state_dict().items()}), tmp_path / "a.pt")

    found = load(tmp_path / "a.pt")

    assert found.model == tiny(name) and found.model.method == name
    assert torch.equal(found.generator().sample(0, [4], [0.0, 3.0]), generator.sample(0, [4], [0.0, 3.0]))


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_samples_in_training_have_the_precision_of_those_of_its_checkpoint(
    name: str, stage: str, tiny_trainer, monkeypatch
) -> None:
    """On a GPU, which something else is here: also where a network has no blocks of half precision, or trains none."""
    monkeypatch.setattr(generators_of_styles, "sampling_precision", half_precision)
    trainer = tiny_trainer(name, stage, precision="bfloat16")
    checkpoint = Checkpoint(trainer.run.model, trainer.tensors(), run=trainer.run.as_dict())
    generator = checkpoint.generator()

    generator.use_precision_of(checkpoint.precision)

    expected = torch.bfloat16 if isinstance(generator, StyledGenerator) else None
    assert (trainer.ema.half_dtype, generator.half_dtype) == (expected, expected)


@pytest.mark.parametrize("name", METHODS)
def test_a_run_is_the_file_that_it_writes(name: str, tmp_path: Path) -> None:
    method = registry.method(name)
    for preset in method.presets:
        run = load_run(None, {"model": {"method": name, "preset": preset}})
        (tmp_path / "run.toml").write_text(run.to_toml())

        assert load_run(str(tmp_path / "run.toml"), {}) == run
        assert not method.unused & run.as_dict()["train"].keys()
    for unused in method.unused:
        with pytest.raises(ConfigError, match=f"{name} has no use for train.{unused}"):
            load_run(None, {"model": {"method": name}, "train": {unused: 1}})


def test_methods_with_another_step_have_no_use_for_settings_of_that_of_stylegan_v() -> None:
    with_its_step = {"stylegan-v", "stylegan2", "lstm-codes", "without-our-generator"}

    for name in {*registry.MODULES, *registry.VARIANTS} - with_its_step:
        assert registry.method(name).unused >= OF_STYLEGAN_V, name
    for name in with_its_step - {"stylegan2"}:  # whose clips are of one frame, and have no motion
        assert not registry.method(name).unused & OF_STYLEGAN_V, name


@pytest.mark.parametrize("name", ["stylegan2", *registry.VARIANTS])
def test_sizes_without_a_use_are_refused_where_they_change(name: str) -> None:
    """They change no shape of a network and no clip; a file that has them as they are is read."""
    method = registry.method(name)
    assert method.unused_sizes
    clips = method.stage("").trainer.clips
    plain, own = method.configure("small"), method.configure("small", hyper_modulation=True)
    shapes, drawn = method.parameters(own), [clips(own).possible_spans(length) for length in (16, 64)]
    others = {"encoding": "paper", "spans": "uniform", "concat_resolution": 8, "min_period": 8, "max_span": 40}
    for size in method.unused_sizes:
        before = getattr(plain, size)
        value = others[size] if size in others else not before if isinstance(before, bool) else before + 1
        changed = dataclasses.replace(own, **{size: value})

        assert method.parameters(changed) == shapes
        assert [clips(changed).possible_spans(length) for length in (16, 64)] == drawn
        with pytest.raises(ConfigError, match=f"{name} has no use for model.{size}: leave it out"):
            load_run(None, {"model": {"method": name, "preset": "small", size: value}})


@pytest.mark.parametrize(("name", "changes", "counts"), COUNTS)
def test_parameters_are_as_many_as_in_the_originals(name: str, changes: dict, counts: dict[str, int]) -> None:
    found = registry.method(name)
    parameters = found.parameters(found.configure("paper", **changes))

    assert {network: parameters[network]["total"] for network in counts} == counts
