"""A short video, for what is asked of its decoder, and decoders that seek in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.decoding.pool import Decoders


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_video) -> Path:
    return write_video(tmp_path_factory.mktemp("videos") / "a.mp4", moving_frames(30))


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    """They hold no frames after counting, so that these short videos are sought like long ones."""
    made = Decoders(Limits(held_bytes=0))
    yield made
    made.close()
