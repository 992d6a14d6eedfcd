"""A result with all that its page shows, and a browser to show it in."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.evaluation.details.exhibits import Exhibits, exhibits
from fvd_bench.evaluation.details.per_video import VideoRecord, per_video
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.result import Result
from fvd_bench.protocols.rules import SIDES
from fvd_bench.settings import Settings

Shown = tuple[Result, Exhibits, list[VideoRecord]]


@pytest.fixture(scope="session")
def colourful(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_frames) -> tuple[Path, Path]:
    """20 real and 18 fake videos as frame folders.

    The first seven reals are negatives, which no fake is. Fake 04 has its colours swapped, and one is too short.
    """
    root = tmp_path_factory.mktemp("colourful")
    for side, count in (("real", 20), ("fake", 18)):
        for video in range(count):
            frames = moving_frames(12, 24, 32, seed=video + 100 * (side == "fake"))
            if side == "real" and video < 7:
                frames = 255 - frames
            write_frames(root / side / f"{video:02d}", frames[..., ::-1] if (side, video) == ("fake", 4) else frames)
    write_frames(root / "fake" / "short", moving_frames(3, 24, 32))
    return root / "real", root / "fake"


@pytest.fixture(scope="session")
def showing(colourful: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory, write_pixels_protocol) -> Shown:
    """The result of these sides under a protocol with JPEG of quality 20 on the fake side, and what a page shows."""
    folder = tmp_path_factory.mktemp("protocol")
    protocol = write_pixels_protocol(folder, images='jpeg = { fake = "always" }\njpeg_quality = { fake = 20 }')
    seen: list[tuple[Exhibits, list[VideoRecord]]] = []

    def look(collection, result) -> None:
        found = exhibits(collection, result)
        assert found is not None
        seen.append((found, per_video(collection, result, {side: {} for side in SIDES})))

    result = evaluate(*colourful, protocol, repeats=2, settings=Settings(cache=None, onlooker=look))
    (found,) = seen
    return result, *found


@pytest.fixture(scope="session")
def browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if os.environ.get("FVD_BENCH_REQUIRE_BROWSER"):
        pytest.fail("FVD_BENCH_REQUIRE_BROWSER is set and there is no Chromium")
    pytest.skip("needs Chromium; FVD_BENCH_REQUIRE_BROWSER=1 makes this fail")


@pytest.fixture(scope="session")
def noise() -> Callable[[int], np.ndarray]:
    """Frames that no codec makes small: uint8 [16, 80, 160, 3], told apart by seed."""

    def make(seed: int) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, (16, 80, 160, 3), dtype=np.uint8)

    return make
