"""Contents with several motions, and in files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stylegan_v.errors import CheckpointError
from stylegan_v.sampling.sampler import VideoSampler
from stylegan_v.studies.content import held, motion, of_video, read_content, write_content

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_content_of_a_video_moves_as_the_sampler_says(tiny_generator) -> None:
    generator = tiny_generator(num_classes=2)
    sampler = VideoSampler(generator, seed=3)

    content = of_video(generator, 3, 4, sampler.label(4, 1))
    frames = content.moving(motion(generator, 3, 5))([float(t) for t in range(20)])

    expected = list(sampler.frames(4, range(20), label=1, motion_of=5))
    assert np.abs(np.stack(frames).astype(int) - np.stack(expected)).max() <= 1  # batches of other sizes


def test_images_are_held_until_the_next_one_comes() -> None:
    a, b = (np.full((2, 2, 3), value, np.uint8) for value in (1, 2))

    assert [frame[0, 0, 0] for frame in held([a, b], [0.0, 2.5])([0, 1, 2, 2.5, 9])] == [1, 1, 1, 2, 2]


@pytest.mark.parametrize("classes", [0, 3])
def test_a_content_is_read_as_it_was_written_by_its_generator_alone(
    tiny_generator, tmp_path: Path, classes: int
) -> None:
    generator = tiny_generator(num_classes=classes)
    sampler = VideoSampler(generator)
    content = of_video(generator, 0, 2, sampler.label(2, 1 if classes else None))
    write_content(tmp_path, content, torch.ones(1, 3, 8), {"generator": sampler.digest})

    found = read_content(tmp_path, generator, sampler.digest)

    torch.testing.assert_close(found.ws, content.ws, rtol=0, atol=0)
    torch.testing.assert_close(found.label, content.label)
    report = json.loads((tmp_path / "report.json").read_text())
    (tmp_path / "report.json").write_text(json.dumps({**report, "class": classes}))
    with pytest.raises(CheckpointError, match=f"names the class {classes}: the model has {classes} classes"):
        read_content(tmp_path, generator, sampler.digest)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "report.json").write_text("[" * 10**5)
    with pytest.raises(CheckpointError, match="another generator"):
        read_content(tmp_path, generator, "0")
    for nothing in ("none", "other"):
        with pytest.raises(CheckpointError, match="no folder of `stylegan-v project`"):
            read_content(tmp_path / nothing, generator, sampler.digest)
