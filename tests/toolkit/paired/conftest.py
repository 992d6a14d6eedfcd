"""Videos and their reconstructions, and a file of seeded weights for LPIPS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fvd_bench.networks.weights.lpips_tensors import shapes
from fvd_bench.videos.video import Pixels


@pytest.fixture(scope="session")
def seeded_backbone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Write a file of a network's names and shapes as torchvision has them, with a layer that LPIPS does not need."""
    folder = tmp_path_factory.mktemp("backbones")

    def write(network: str) -> Path:
        file = folder / f"{network}.pth"
        if not file.exists():
            random = torch.Generator().manual_seed(0)
            state = {"classifier.1.bias": torch.zeros(10)}
            for name, shape in shapes(network).items():
                fan_in = int(np.prod(shape[1:])) or 1
                state[name] = torch.randn(shape, generator=random) * (2 / fan_in) ** 0.5
            torch.save(state, file)
        return file

    return write


@pytest.fixture(scope="session")
def originals(moving_frames) -> list[Pixels]:
    return [moving_frames(6 + k, 40, 48, seed=k) for k in range(4)]


@pytest.fixture(scope="session")
def copies(originals: list[Pixels]) -> list[Pixels]:
    """Reconstructions that get worse along the video, by noise of up to 5 levels more from frame to frame."""
    made = []
    for k, video in enumerate(originals):
        random = np.random.default_rng([5, k])
        noise = np.stack([random.integers(-5 * t, 5 * t + 1, video.shape[1:]) for t in range(len(video))])
        made.append((video + noise).clip(0, 255).astype(np.uint8))
    return made
