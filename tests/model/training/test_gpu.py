"""The model on a GPU: the same numbers as on a CPU, and steps in half precision."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

from fvd_bench.networks.arithmetic import float32_arithmetic
from stylegan_v.data.clips import VideoDataset, batches
from stylegan_v.data.preloaded import PreloadedVideos
from stylegan_v.methods.settings import TrainRun
from stylegan_v.methods.style_trainer import StyleTrainer
from stylegan_v.networks.config import model_config
from stylegan_v.networks.discriminator import build_discriminator
from stylegan_v.networks.generator import build_generator
from stylegan_v.networks.motion import MotionEncoder, keyed_noise
from stylegan_v.networks.noise import Purpose, normal
from stylegan_v.training.loop import training_arithmetic
from stylegan_v.training.run import DataRun, Run

pytestmark = pytest.mark.gpu


def test_random_numbers_are_those_of_the_cpu() -> None:
    here, there = (
        normal(3, Purpose.MOTION, torch.arange(40, device=device)[:, None], torch.arange(30, device=device), 65)
        for device in ("cpu", "cuda")
    )

    torch.testing.assert_close(here, there.cpu(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("preset", ["release", "paper", "small"])
def test_both_networks_give_the_numbers_of_the_cpu(preset: str) -> None:
    model = model_config(preset, resolution=64)
    frames, logits = [], []
    for device in ("cpu", "cuda"):
        generator = build_generator(model, seed=1).to(device).requires_grad_(False)
        discriminator = build_discriminator(model, seed=2).to(device).requires_grad_(False)
        videos = torch.arange(4, device=device)
        z = normal(0, Purpose.CONTENT, videos, 0, model.z_dim)
        times = torch.tensor([[0.0, 3.0, 8.0]], device=device).expand(4, -1)
        with float32_arithmetic("float32"):
            frames.append(generator(z, times, keyed_noise(0, videos, model.noise_dim)))
            logits.append(discriminator(frames[0].to(device), times))

    torch.testing.assert_close(frames[0], frames[1].cpu(), rtol=0, atol=1e-3)
    torch.testing.assert_close(logits[0], logits[1].cpu(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("preset", ["release", "paper"])
def test_late_motion_is_that_of_the_cpu(preset: str) -> None:
    """Eleven hours of 25 frames a second, at times of float64."""
    model, found = model_config(preset), []
    times = torch.tensor([[1e6 + 0.3, 1e6 + 15.9]], dtype=torch.float64)
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        encoder = MotionEncoder(model).to(device).requires_grad_(False)
        noise = keyed_noise(0, torch.tensor([3], device=device), model.noise_dim)
        found.append(encoder(times.to(device), noise).cpu())

    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0.01)  # noise of devices differs in its last bit
    assert found[0].std() > 0.1


@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("preset", ["release", "paper"])
def test_steps_are_finite(toy_videos: Path, preset: str, precision) -> None:
    model = model_config(preset, resolution=64, channel_max=64)
    dataset = VideoDataset.open(_doubled(toy_videos), resolution=64, frames=3)
    run = Run(model=model, data=DataRun(path="toy"), train=TrainRun(batch=8, r1_interval=2, precision=precision))
    trainer = StyleTrainer(run, dataset, torch.device("cuda"))
    trainer.probability.p = 0.5
    clips = batches(dataset, trainer.samples(), seed=0, workers=2)
    for batch in itertools.islice(clips, 6):
        logs = trainer.step(batch)
        assert all(torch.isfinite(value) for value in logs.values())
    clips.close()

    assert all(torch.isfinite(tensor).all() for tensor in trainer.tensors().values())


@pytest.mark.parametrize("option", ["cuda_graphs", "compile"])
def test_faster_steps_do_what_plain_steps_do(toy_videos: Path, option: str) -> None:
    dataset = VideoDataset.open(toy_videos, resolution=32, frames=3)
    model = model_config("release", resolution=32, channel_max=64)
    trainers = []
    for options in ({}, {option: True}):
        run = Run(model=model, train=TrainRun(batch=8, r1_interval=2, precision="float32", **options))
        trainer = StyleTrainer(run, dataset, torch.device("cuda"))
        trainer.probability.p = 0.5
        clips = PreloadedVideos(dataset, trainer.device).batches(trainer.samples(), seed=0)
        with training_arithmetic():
            for batch in itertools.islice(clips, 12):
                logs = trainer.step(batch)
                assert all(torch.isfinite(value) for value in logs.values())
        trainers.append(trainer)

    plain, faster = (trainer.tensors() for trainer in trainers)
    for name, tensor in plain.items():
        difference = (tensor.double() - faster[name].double()).abs().max() / tensor.double().abs().max().clip(1)
        assert difference < 1e-2, name  # sums in any order, multiplied by Adam over twelve steps


def test_clips_from_the_memory_of_a_gpu_are_those_from_files(toy_videos: Path) -> None:
    dataset = VideoDataset.open(toy_videos, resolution=32, frames=3, mirror=True)
    samples = [range(start, start + 8) for start in range(0, 64, 8)]
    videos = PreloadedVideos(dataset, torch.device("cuda"))

    for kept, read in zip(videos.batches(samples, seed=1), batches(dataset, samples, seed=1, workers=1), strict=True):
        assert torch.equal(kept.frames.cpu(), read.frames)
        assert torch.equal(kept.times.cpu(), read.times)


def test_a_step_never_waits(toy_videos: Path) -> None:
    dataset = VideoDataset.open(toy_videos, resolution=32, frames=3)
    run = Run(model=model_config("release", resolution=32, channel_max=64), train=TrainRun(batch=8, r1_interval=2))
    trainer = StyleTrainer(run, dataset, torch.device("cuda"))
    clips = PreloadedVideos(dataset, trainer.device).batches(trainer.samples(), seed=0)
    for batch in itertools.islice(clips, 4):  # constants are copied, and algorithms chosen
        trainer.step(batch)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in itertools.islice(clips, 4):
            trainer.step(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def _doubled(folder: Path) -> Path:
    """The toy videos at 64×64."""
    from PIL import Image

    out = folder.with_name(f"{folder.name}-64")
    for file in sorted(folder.rglob("*.png")):
        target = out / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(file).resize((64, 64)).save(target)
    return out
