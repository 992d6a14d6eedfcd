"""The rows of Tables 2 and 3 of the paper: each is trained, and each changes what it says."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from stylegan_v.baselines import registry
from stylegan_v.cli import cli
from stylegan_v.data.clips import VideoDataset, batches
from stylegan_v.errors import ConfigError
from stylegan_v.methods.trainer import Trainer
from stylegan_v.networks.config import model_config
from stylegan_v.networks.motion import keyed_noise
from stylegan_v.sampling.sampler import VideoSampler
from stylegan_v.training import ablations
from stylegan_v.training.run import load_run

pytestmark = pytest.mark.usefixtures("one_thread")

STEPS, MANY_STEPS = 2, 20

SLOW = {"frames-4", "frames-8", "frames-16", "powers-of-two-spans", "lstm-codes-1"}
"""Others take the same steps with other numbers."""

NAMES = [name for name in ablations.NAMES if name != "frames-3"]
"""Without one that is the same as `default`, see below."""

ROWS = [
    *((name, STEPS) for name in NAMES if name not in SLOW),
    *(pytest.param(name, MANY_STEPS, marks=pytest.mark.slow) for name in NAMES),
]


@pytest.fixture
def trainer(toy_videos: Path) -> Callable[[str], Trainer]:
    """A trainer of an ablation, as small as it gets."""

    def make(name: str) -> Trainer:
        changes = ablations.ablation(name).changes
        model = {"preset": "tiny", **changes["model"]}
        train = {"batch": 2, "precision": "float32", "r1_interval": 2}
        run = load_run(None, {**changes, "model": model, "train": train})
        kind = run.method.stage("").trainer
        clips = dataclasses.asdict(kind.clips(run.model))
        dataset = VideoDataset.open(str(toy_videos), resolution=run.model.resolution, **clips)
        return kind(run, dataset, torch.device("cpu"))

    return make


def steps(trainer: Trainer, count: int) -> dict[str, torch.Tensor]:
    clips = batches(trainer.dataset, trainer.samples(), seed=trainer.run.train.seed, workers=1)
    try:
        logs = {}
        for _ in range(count):
            logs = trainer.step(next(clips))
        return logs
    finally:
        clips.close()


def test_every_file_is_listed() -> None:
    files = {file.name for file in (resources.files("stylegan_v") / "ablations").iterdir()}

    assert files == {f"{name}.toml" for name in ablations.NAMES}
    assert [len(ablations.ablations(table)) for table in (None, 2, 3)] == [13, 7, 6]


@pytest.mark.parametrize(("name", "count"), ROWS)
def test_a_row_is_trained(name: str, count: int, trainer) -> None:
    """Everything learns but what the row takes the input of."""
    trained = trainer(name)
    parameters = {f"{n}.{k}": p for n, net in trained.networks.items() for k, p in net.named_parameters()}
    before = {key: parameter.detach().clone() for key, parameter in parameters.items()}

    logs = steps(trained, count)

    assert all(bool(torch.isfinite(value)) for value in logs.values())
    assert all(bool(torch.isfinite(parameter).all()) for parameter in parameters.values())
    still = {key for key, parameter in parameters.items() if torch.equal(before[key], parameter)}
    blind = {key for key in parameters if "conv0.affine.weight" in key and "discriminator" in key}
    assert still == (blind if name == "without-hyper-modulation" else set())


def test_three_frames_are_the_default(trainer) -> None:
    assert trainer("frames-3").run == trainer("default").run


@pytest.mark.parametrize(("frames", "name"), [(k, f"frames-{k}") for k in (2, 3, 4, 8, 16)])
def test_numbers_of_frames(frames: int, name: str, trainer) -> None:
    made = trainer(name)

    assert made.dataset.times.rule.frames == made.discriminator.config.frames == frames
    spans = made.dataset.times.rule.possible_spans(40)
    assert spans == [*range(frames - 1, 33)]


def test_spans_of_powers_of_two(trainer) -> None:
    rules = [trainer(name).dataset.times.rule for name in ("default", "powers-of-two-spans")]

    assert [rule.possible_spans(40) for rule in rules] == [[*range(2, 33)], [2, 4, 8, 16, 32]]


def test_either_condition_alone_tells_time(trainer) -> None:
    """The modulation sees zeros, or the head has none: what is left depends on time distances."""
    frames, times = torch.randn(2, 3, 3, 32, 32), torch.tensor([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    for name in ("without-hyper-modulation", "without-projection"):
        network = trainer(name).discriminator
        assert not torch.allclose(network(frames, times), network(frames, times * 8)), name
    modulated = {n: trainer(n).discriminator.head.out.weight.shape[0] for n in ("default", "without-projection")}
    assert modulated == {"default": 8, "without-projection": 1}

    blind = trainer("without-hyper-modulation").discriminator
    conv = blind.blocks["32"].conv0
    seen = []
    hook = conv.affine.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    blind(frames, times)
    hook.remove()
    assert len(seen) == 1 and not seen[0].any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"zero_modulation": True}, "zero_modulation = true needs hyper_modulation"),
        ({"projection": False}, "knows no time distances"),
        ({"projection": False, "hyper_modulation": True, "zero_modulation": True}, "knows no time distances"),
    ],
)
def test_a_discriminator_that_knows_no_time(changes: dict[str, bool], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        model_config("release", **changes)


def test_files_of_other_models_do_not_speak_of_it() -> None:
    plain, ablated = model_config(), model_config(hyper_modulation=True, projection=False)

    assert not {"projection", "zero_modulation"} & plain.as_dict().keys()
    assert ablated.as_dict()["projection"] is False
    assert registry.read_model(ablated.as_dict()) == ablated


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        # Shared facts of the official networks.
        ("lstm-codes", {"generator": 28_440_021}),
        ("without-our-generator", {"generator": 29_619_157}),
        ("without-our-discriminator", {"discriminator": 24_001_089 + 25_214_720}),
    ],
)
def test_parameters_are_as_many_as_in_the_originals(name: str, counts: dict[str, int]) -> None:
    method = registry.method(name)
    found = method.parameters(method.configure("release"))

    assert {network: found[network]["total"] for network in counts} == counts


def test_an_lstm_has_a_step_for_each_code(trainer) -> None:
    assert [trainer(f"lstm-codes-{n}").generator.motion.steps for n in (1, 16)] == [1025, 65]


def test_lstm_codes_are_the_same_in_training_and_sampling(trainer) -> None:
    """And between two codes, before the two layers, there is a line."""
    trained = trainer("lstm-codes-16")
    generator, motion = trained.ema, trained.ema.motion
    times, videos = torch.tensor([[3.5, 16.0, 40.0]]), torch.tensor([7])
    noise = keyed_noise(1, videos, generator.config.noise_dim)
    outputs, _ = motion.lstm(noise(torch.arange(4)[None]))
    at = torch.stack([torch.lerp(outputs[0, 0], outputs[0, 1], 3.5 / 16), outputs[0, 1], outputs[0, 2:4].mean(dim=0)])

    v = motion(times, noise)[0]

    expected = motion.layers(at * (at.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt())
    torch.testing.assert_close(v, expected)
    w = generator.mapping(torch.zeros(1, generator.config.z_dim))
    generator.styles = lambda *_, **__: w
    torch.testing.assert_close(generator.sample(1, [7], times[0].tolist()), generator.render(w, times, noise))


@pytest.mark.parametrize("name", ["lstm-codes-1", "lstm-codes-16", "without-our-generator"])
def test_a_longer_video_begins_with_the_shorter_one(name: str, trainer) -> None:
    sampler = VideoSampler(trainer(name).ema, seed=2, batch_frames=4)

    whole, part = list(sampler.frames(5, range(12))), list(sampler.frames(5, range(3)))
    backwards = [next(sampler.frames(5, [place])) for place in (11, 6, 0)]

    assert all(np.array_equal(a, b) for a, b in zip(whole, part, strict=False))
    assert all(np.array_equal(whole[place], frame) for place, frame in zip((11, 6, 0), backwards, strict=True))


@pytest.mark.parametrize("name", ["lstm-codes-16", "without-our-generator", "without-our-discriminator"])
def test_an_interruption_changes_no_bit(name: str, trainer) -> None:
    straight, other = (trainer(name) for _ in range(2))
    steps(straight, 1)
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in straight.tensors().items():
        part, _, inside = key.partition(".")
        parts.setdefault(part, {})[inside] = tensor.clone()

    other.load(parts, straight.state())
    for each in (straight, other):
        steps(each, 1)

    ours, theirs = straight.tensors(), other.tensors()
    assert ours.keys() == theirs.keys()
    assert [key for key, tensor in ours.items() if not torch.equal(tensor, theirs[key])] == []


@pytest.mark.usefixtures("short_films")
class TestCommands:
    @staticmethod
    def run(*arguments: object) -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    def test_a_row_on_top_of_a_preset(self, toy_videos: Path, tmp_path: Path) -> None:
        folder = ("--out", tmp_path / "run", "--device", "cpu", "--workers", 1)
        options = (*folder, "--data", toy_videos, "--preset", "tiny", "--batch", 2, "--fvd-kimg", 0)

        done = self.run("train", *options, "--ablation", "without-projection", "--kimg", 0.006)
        again = self.run("train", *folder, "--kimg", 0.012)
        other = self.run("train", *options, "--ablation", "default", "--kimg", 0.018)

        assert (done.exit_code, again.exit_code) == (0, 0), (done.output, again.output)
        about = json.loads(self.run("info", tmp_path / "run" / "checkpoint.pt", "--json").stdout)
        assert about["state"]["trainer"]["steps"] == 2
        assert {"projection": False, "spans": "uniform"}.items() <= about["run"]["model"].items()
        assert isinstance(other.exception, ConfigError)
        assert "holds a run with model.projection = False, now it is True" in str(other.exception)

    def test_they_are_listed(self) -> None:
        listed, table = json.loads(self.run("ablations", "--json").stdout), self.run("ablations").stdout

        assert [row["name"] for row in listed] == [*ablations.NAMES]
        assert all(name in table for name in ablations.NAMES)

    @pytest.mark.parametrize(
        ("ablation", "typed", "message"),
        [
            ("frames-2", ("--frames", 3), "frames = 3 was typed, and the ablation frames-2 says frames = 2"),
            ("lstm-codes-1", ("--method", "digan"), "method = 'digan' was typed, .* says method = 'lstm-codes'"),
        ],
    )
    def test_what_is_typed_does_not_undo_one(self, ablation: str, typed: tuple, message: str, tmp_path: Path) -> None:
        done = self.run("train", "--out", tmp_path / "run", "--ablation", ablation, *typed)

        assert done.exit_code == 2
        assert re.search(f"{message}: leave one of the two out", " ".join(done.stderr.split()))

    def test_what_is_typed_and_says_the_same_is_taken(self) -> None:
        typed = {"model": {"frames": 2, "resolution": 32}, "data": {"path": "set"}}

        found = ablations.ablation("frames-2").joined(typed)

        own = {"frames": 2, "hyper_modulation": True, "spans": "uniform"}
        assert found == {"model": {**own, "resolution": 32}, "data": {"path": "set"}}

    def test_one_that_does_not_exist(self, tmp_path: Path) -> None:
        done = self.run("train", "--out", tmp_path / "run", "--ablation", "without-projecton")

        assert done.exit_code == 2
        assert "no ablation 'without-projecton'; did you mean without-projection" in " ".join(done.stderr.split())
