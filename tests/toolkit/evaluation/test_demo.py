"""The demo's videos, whose scores the README states."""

import os
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.evaluation import demo


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a system that keeps threads on a processor")
def test_videos_have_the_same_bytes_on_any_number_of_processors(tmp_path: Path) -> None:
    """FFmpeg cuts frames into as many parts as it takes threads, and takes as many as there are processors."""
    frames = demo.moving_shapes(np.random.default_rng(0), frames=8)
    allowed = os.sched_getaffinity(0)
    demo.write_mp4(tmp_path / "all.mp4", frames)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        demo.write_mp4(tmp_path / "one.mp4", frames)
    finally:
        os.sched_setaffinity(0, allowed)

    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "all.mp4").read_bytes()
