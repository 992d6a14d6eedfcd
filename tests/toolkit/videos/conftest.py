"""A short video, for what is asked of its decoder."""

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, moving_frames, write_video) -> Path:
    return write_video(tmp_path_factory.mktemp("videos") / "a.mp4", moving_frames(30))
