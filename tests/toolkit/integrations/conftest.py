from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fvd_bench import Settings, evaluate

NO_CACHE = Settings(cache=None, device="cpu")


@pytest.fixture(scope="session")
def videos(moving_frames) -> tuple[np.ndarray, np.ndarray]:
    """Nine real and seven fake videos, uint8 [N, 20, 24, 24, 3]."""
    real = np.stack([moving_frames(20, 24, 24, seed=seed) for seed in range(9)])
    return real, np.stack([moving_frames(20, 24, 24, seed=100 + seed) for seed in range(7)])


@pytest.fixture(scope="session")
def protocol(write_pixels_protocol, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random clips of nine frames on both sides, so that the index of a video matters."""
    file = Path(write_pixels_protocol(tmp_path_factory.mktemp("protocol")))
    file.write_text(file.read_text("utf-8").replace('{ real = "random", fake = "first" }', '"random"'))
    return str(file)


@pytest.fixture(scope="session")
def score(protocol: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., float]:
    """The value that `evaluate` gives for two arrays, by default under `protocol`, with one store for all tests."""
    settings = Settings(cache=tmp_path_factory.mktemp("store"), device="cpu")

    def score(real: object, fake: object, *, by: str = protocol, seed: int = 0) -> float:
        value = evaluate(real, fake, by, seed=seed, settings=settings, progress=False).value
        assert value is not None
        return value

    return score
