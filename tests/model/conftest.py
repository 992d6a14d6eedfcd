"""Models small enough to be made, sampled and stored in a moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from stylegan_v.checkpoints.checkpoint import Checkpoint, save
from stylegan_v.networks.config import ModelConfig, model_config
from stylegan_v.networks.generator import Generator, build_generator
from stylegan_v.training import snapshots

TINY: dict[str, Any] = dict.fromkeys(("z_dim", "w_dim", "noise_dim", "u_dim", "v_dim", "channel_max", "time_dim"), 8)


@pytest.fixture(scope="session")
def tiny_config() -> Callable[..., ModelConfig]:
    """A preset, 32×32 and 8 channels wide unless changed."""

    def make(preset: str = "release", **changes: Any) -> ModelConfig:
        motionless = {"v_dim": 0} if preset == "image" else {}
        return model_config(preset, **{"resolution": 32, **TINY, **motionless, **changes})

    return make


@pytest.fixture(scope="session")
def tiny_generator(tiny_config) -> Callable[..., Generator]:
    """A generator with initial parameters and a mean w. Tests must not change it."""

    def make(*, seed: int = 3, **changes: Any) -> Generator:
        network = build_generator(tiny_config(**changes), seed=seed).eval().requires_grad_(False)
        network.mapping.w_mean.copy_(torch.linspace(-1, 1, network.config.w_dim))
        return network

    return make


@pytest.fixture
def tiny_checkpoint(tiny_generator, tmp_path: Path) -> Callable[..., Path]:
    """Path of a checkpoint of a tiny generator, at 30 frames per second."""

    def write(*, name: str = "tiny.pt", **changes: Any) -> Path:
        network = tiny_generator(**changes)
        tensors = {f"ema.{key}": tensor for key, tensor in network.state_dict().items()}
        save(Checkpoint(network.config, tensors, fps=30.0), tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Networks this small wait for other threads most of the time, above all where other processes compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def short_films() -> Iterator[None]:
    """Samples of a training run are 4 videos of 8 frames, not 16 of 32: to make them takes longer than some steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "_STRIDE", 1)
        patch.setattr(snapshots, "_ROWS", 2)
        yield


@pytest.fixture(scope="session")
def toy_videos(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_frames) -> Path:
    """Six frame folders, 40 frames of 32×32 each, of two classes."""
    root = tmp_path_factory.mktemp("toy")
    (root / "dataset.json").write_text(json.dumps({"labels": [[f"{seed}", seed % 2] for seed in range(6)]}))
    for seed in range(6):
        write_frames(root / f"{seed}", moving_frames(40, height=32, width=32, seed=seed))
    return root
