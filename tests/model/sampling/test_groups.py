"""Videos that are made several at a time, in groups that do not depend on which of them are asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from stylegan_v.errors import ConfigError, ModelError
from stylegan_v.networks.noise import Purpose, uniform
from stylegan_v.networks.video_generator import Clip, Draw, VideoGenerator
from stylegan_v.sampling.folders import generate
from stylegan_v.sampling.sampler import VideoSampler
from stylegan_v.sampling.videos import GeneratedVideos
from stylegan_v.training.snapshots import save_fakes


class Grey(VideoGenerator):
    """Makes videos of six grey frames, three at a time: each brighter the later it is."""

    separate = False
    at_a_time = 3
    longest = 6

    def __init__(self, config) -> None:
        super().__init__()
        self.config = config
        self.step = torch.nn.Parameter(torch.tensor(0.01))
        self.opened: list[list[int]] = []

    def open(self, draw: Draw) -> Sequence[Clip]:
        self.opened.append(draw.content.tolist())
        greys = uniform(draw.seed, Purpose.CONTENT, draw.content, 0, 1).float()
        shape = (-1, 3, self.config.resolution, self.config.resolution)
        return [lambda times, grey=grey: (grey + self.step * times.float())[:, None, None, None].expand(shape)
                for grey in greys]  # fmt: skip


@pytest.fixture
def grey(tiny_config) -> Grey:
    return Grey(tiny_config())


def test_a_group_is_opened_whole_and_once(grey: Grey) -> None:
    sampler = VideoSampler(grey, batch_frames=4)

    videos = {number: list(sampler.frames(number, range(6))) for number in (4, 3, 0, 5)}

    assert grey.opened == [[3, 4, 5], [0, 1, 2]]
    assert np.array_equal(np.stack(videos[5]), np.stack(list(VideoSampler(grey).frames(5, range(6)))))
    assert len({video[0][0, 0, 0] for video in videos.values()}) == 4
    assert [frame[0, 0, 0] for frame in videos[4]] == sorted(frame[0, 0, 0] for frame in videos[4])


def test_a_group_is_one_of_the_motion_that_it_takes(grey: Grey, monkeypatch) -> None:
    monkeypatch.setattr(Grey, "separate", True)
    sampler = VideoSampler(grey)

    for motion in (7, 8, 7, None):
        next(sampler.frames(1, [0], motion_of=motion))

    assert grey.opened == [[0, 1, 2]] * 3
    assert [*sampler._groups] == [(0, 8), (0, None)]


def test_the_end_of_the_longest_video_is_refused_before_anything_is_written(grey: Grey, tmp_path) -> None:
    message = "makes videos of at most 6 frames; asked for are frames up to 7"
    with pytest.raises(ConfigError, match=message):
        GeneratedVideos(grey, videos=1, frames=7)
    with pytest.raises(ConfigError, match=message):
        next(VideoSampler(grey).frames(0, [6]))
    with pytest.raises(ConfigError, match=message):
        next(VideoSampler(grey, start=2.0).frames(0, [4]))
    with pytest.raises(ConfigError, match=message):
        generate(tmp_path / "out", VideoSampler(grey), videos=1, frames=7, form="jpg")
    assert not (tmp_path / "out").exists()


def test_samples_of_short_videos_are_short(grey: Grey, tmp_path) -> None:
    save_fakes(tmp_path, grey, kimg=0, fps=25.0)

    assert (tmp_path / "fakes-000000000.jpg").exists()


def test_values_that_are_not_finite_are_told(grey: Grey) -> None:
    grey.step.data.fill_(torch.inf)

    with pytest.raises(ModelError, match="not finite"):
        next(VideoSampler(grey).frames(0, [1]))
