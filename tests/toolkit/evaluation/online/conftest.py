"""Videos for the metric of training loops, and what `evaluate` says of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fvd_bench import FrechetVideoDistance, Settings, evaluate

NO_CACHE = Settings(cache=None, device="cpu")
EXACT = 1e-9
"""Relative: both ways add the same features in the same order."""


@pytest.fixture(scope="module")
def videos(moving_frames) -> tuple[np.ndarray, np.ndarray]:
    """Nine real and seven fake videos, uint8 [N, 20, 48, 64, 3]."""
    real = np.stack([moving_frames(20, seed=seed) for seed in range(9)])
    return real, np.stack([moving_frames(20, seed=100 + seed) for seed in range(7)])


@pytest.fixture
def random_protocol(pixels_protocol) -> str:
    """Random clips of nine frames on both sides; the fake ones pass through JPEG."""
    return starting("random", pixels_protocol(images='jpeg = { fake = "always" }\njpeg_quality = { fake = 95 }'))


@pytest.fixture
def metric(random_protocol) -> FrechetVideoDistance:
    return FrechetVideoDistance(random_protocol, seed=3, settings=NO_CACHE)


@pytest.fixture(scope="session")
def value_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., float]:
    """The value that `evaluate` gives, with one store for all tests."""
    settings = Settings(cache=tmp_path_factory.mktemp("store"), device="cpu")

    def value(real: object, fake: object, protocol: str, seed: int = 3) -> float:
        value = evaluate(real, fake, protocol, seed=seed, settings=settings).scores[0].value
        assert value is not None
        return value

    return value


def starting(start: str, protocol: str) -> str:
    """The same for both sides."""
    file = Path(protocol)
    file.write_text(file.read_text("utf-8").replace('{ real = "random", fake = "first" }', f'"{start}"'))
    return protocol
