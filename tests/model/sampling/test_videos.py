"""Any frame of any generated video, alone; and generated videos as a side of an evaluation."""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fvd_bench
from fvd_bench.errors import ShortVideoError
from fvd_bench.sources.clip_source import fingerprint
from fvd_bench.sources.opening import open_source
from fvd_bench.videos.video import Pixels, read_clips
from stylegan_v.errors import ConfigError, ModelError
from stylegan_v.networks.generator import Generator
from stylegan_v.sampling import folders
from stylegan_v.sampling.sampler import VideoSampler, generator_digest
from stylegan_v.sampling.videos import GeneratedVideos

pytestmark = pytest.mark.usefixtures("one_thread")


JPEG = 'jpeg = { fake = "unless-jpeg" }\njpeg_quality = { fake = 95 }'


def stack(sampler: VideoSampler, video: int, places: Any, **given: Any) -> Pixels:
    return np.stack(list(sampler.frames(video, places, **given)))


def test_a_frame_is_the_same_alone_in_any_order_and_in_any_company(tiny_generator) -> None:
    sampler = VideoSampler(tiny_generator(), seed=5, start=3.7, fps=30, batch_frames=4)
    whole = stack(sampler, 7, range(11))

    assert len(np.unique(whole)) > 20
    for places in ([6], [10, 2], [9, 3, 4, 5], range(3, 9)):
        np.testing.assert_array_equal(stack(sampler, 7, places), whole[list(places)])
    for other in (6, 8):
        assert not np.array_equal(stack(sampler, other, range(11)), whole)


def test_frames_at_an_hour_are_the_same_alone_and_in_a_run(tiny_generator) -> None:
    hour = 25 * 3600
    generator = tiny_generator()
    from_the_start = VideoSampler(generator, seed=5)
    run = stack(from_the_start, 7, range(hour - 20, hour + 20))
    begun_there = VideoSampler(generator, seed=5, start=hour)

    assert len(np.unique(run)) > 20
    np.testing.assert_array_equal(stack(from_the_start, 7, [hour + 3])[0], run[23])
    np.testing.assert_array_equal(stack(begun_there, 7, range(20)), run[20:])
    np.testing.assert_array_equal(stack(begun_there, 7, [3])[0], run[23])


def test_another_batch_size_moves_a_value_by_one_at_most(tiny_generator) -> None:
    generator = tiny_generator()
    one, many = (stack(VideoSampler(generator, batch_frames=size), 1, range(9)) for size in (1, 16))

    assert np.abs(one.astype(int) - many).max() <= 1


def test_frames_are_those_of_the_generator(tiny_generator) -> None:
    """Against a direct call: content, noise and label by their addresses, times in frames of the training videos."""
    from stylegan_v.networks.motion import keyed_noise
    from stylegan_v.networks.noise import Purpose, normal

    generator = tiny_generator(num_classes=3)
    z = normal(11, Purpose.CONTENT, torch.tensor([4]), 0, 8)
    label = torch.tensor([[0.0, 0.0, 1.0]])
    times = torch.tensor([[40.0, 42.5, 45.0]])
    noise = keyed_noise(11, torch.tensor([4]), 8)
    expected = generator(z, times, noise, label, truncation=0.5)[0].permute(0, 2, 3, 1)

    sampler = VideoSampler(generator, seed=11, start=40, train_fps=25, fps=10, truncation=0.5)
    found = stack(sampler, 4, range(3), label=2)

    assert np.abs(found - (127.5 * expected + 128).clamp(0, 255).floor().numpy()).max() <= 1


def test_times_are_exact_where_they_are_frames(tiny_generator) -> None:
    """120 · 25/24 is 125; with the quotient first it is a little more."""
    sampler = VideoSampler(tiny_generator(), train_fps=25, fps=24)

    assert sampler.times(np.arange(24, 10**6, 24)).tolist() == list(range(25, 1041651, 25))


def test_motion_is_continuous_at_times_that_float32_cannot_tell_from_a_code(tiny_generator) -> None:
    generator = tiny_generator()
    near, at = (stack(VideoSampler(generator, start=start), 0, [0]) for start in (np.nextafter(80, 0).item(), 80.0))

    np.testing.assert_array_equal(near, at)


def test_late_times_reach_the_motion_as_they_are(tiny_generator) -> None:
    generator, seen = tiny_generator(), []
    hook = generator.motion.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    sampler = VideoSampler(generator, start=1e6, fps=30, batch_frames=4)

    stack(sampler, 0, range(8))

    hook.remove()
    assert torch.cat(seen, dim=1)[0].tolist() == [1e6 + place * 25 / 30 for place in range(8)]


def test_more_frames_per_second_show_times_in_between(tiny_generator) -> None:
    generator = tiny_generator()
    smooth = stack(VideoSampler(generator, fps=50, batch_frames=8), 0, range(8))
    normal = stack(VideoSampler(generator, batch_frames=8), 0, range(4))

    assert np.abs(smooth[::2].astype(int) - normal).max() <= 1
    assert not np.array_equal(smooth[1], smooth[0])


def test_labels_are_drawn_uniformly_by_video(tiny_generator) -> None:
    sampler = VideoSampler(tiny_generator(num_classes=4), seed=2)

    drawn = [int(sampler.label(video).argmax()) for video in range(400)]

    assert np.bincount(drawn).min() > 70 and len(np.bincount(drawn)) == 4
    assert drawn[7] == int(sampler.label(7).argmax())
    assert VideoSampler(tiny_generator()).label(3, np.zeros(0, np.float32)) is None


def test_truncation_to_nothing_leaves_only_motion(tiny_generator) -> None:
    generator = tiny_generator()
    same = VideoSampler(generator, truncation=0.0)

    shown = [stack(same, video, [0], motion_of=0) for video in (0, 1)]
    moved = [stack(same, 0, [0], motion_of=other) for other in (0, 1)]

    np.testing.assert_array_equal(*shown)
    assert not np.array_equal(*moved)


def test_a_video_takes_the_label_of_the_one_whose_motion_it_takes(tiny_generator, monkeypatch) -> None:
    """For its motion alone, and unless one is given."""
    sampler, draws, begin = VideoSampler(tiny_generator(num_classes=3), seed=2), [], Generator.open
    monkeypatch.setattr(Generator, "open", lambda self, draw: draws.append(draw) or begin(self, draw))
    moving = next(video for video in range(9) if not torch.equal(sampler.label(video), sampler.label(0)))

    next(sampler.frames(0, [0], motion_of=moving))
    next(sampler.frames(0, [0], motion_of=moving, label=1))

    drawn, given = draws
    assert (drawn.content.tolist(), drawn.motion.tolist(), drawn.seed) == ([0], [moving], 2)
    assert torch.equal(drawn.labels, sampler.label(0)) and torch.equal(drawn.motion_labels, sampler.label(moving))
    assert given.labels.tolist() == given.motion_labels.tolist() == [[0, 1, 0]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"fps": 0.0}, "^fps = 0.0: expected frames per second"),
        ({"train_fps": float("nan")}, "fps = nan: expected frames per second"),
        ({"train_fps": float("nan"), "fps": 25.0}, "^train_fps = nan: expected frames per second"),
        ({"start": -1.0}, "start = -1.0: expected a time"),
        ({"start": float("inf")}, "start = inf: expected a time"),
        ({"truncation": float("nan")}, "truncation = nan: expected a number"),
        ({"batch_frames": 0}, "batch_frames = 0: expected at least 1"),
        ({"videos": 0}, "videos = 0, frames = 4, first = 0: expected at least 1, 1 and 0"),
        ({"frames": 0}, "videos = 2, frames = 0, first = 0: expected"),
        ({"first": -1}, "videos = 2, frames = 4, first = -1: expected"),
        ({"labels": [0, 1, 2]}, "3 labels are given for 2 videos"),
        ({"labels": [3, 0]}, "class 3 is asked for; the model has classes 0 to 2"),
        ({"labels": [-1, 0]}, "class -1 is asked for"),
        ({"labels": [[0.5, 0.5], 1]}, "a label of 2 numbers is given; the model's have 3"),
        ({"frames": 2, "start": 2.0**32 - 1}, "asked for is the time of frame .*; times end before 2.32 frames"),
    ],
    ids=str,
)
def test_impossible_settings_are_named(tiny_generator, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GeneratedVideos(tiny_generator(num_classes=3), **{"videos": 2, "frames": 4, **wrong})


def test_a_diverged_generator_is_named(tiny_generator) -> None:
    generator = tiny_generator()
    generator.synthesis.first.to_rgb.bias.fill_(float("nan"))

    with pytest.raises(ModelError, match=r"video 1: .* not finite"):
        next(VideoSampler(generator).frames(1, [0]))


def test_memory_holds_one_chunk_while_its_frames_are_used(tiny_generator) -> None:
    chunks: list[weakref.ref[Pixels]] = []
    most = 0
    for place, frame in enumerate(VideoSampler(tiny_generator(), batch_frames=2).frames(0, range(40))):
        assert frame.base is not None
        if place % 2 == 0:
            chunks.append(weakref.ref(frame.base))
        most = max(most, sum(chunk() is not None for chunk in chunks))

    assert (len(chunks), most) == (20, 1)


def test_a_clip_generates_no_more_than_the_chunks_it_lies_in(tiny_generator, monkeypatch) -> None:
    times: list[list[float]] = []
    render = Generator.render
    monkeypatch.setattr(
        Generator, "render", lambda self, w, at, *rest: times.append(at[0].tolist()) or render(self, w, at, *rest)
    )
    source = GeneratedVideos(tiny_generator(), videos=1, frames=10_000, batch_frames=4)

    list(read_clips(source.video(0), [np.array([9000, 9002])]))

    assert times == [[9000.0, 9001.0, 9002.0, 9003.0]]


class TestGeneratedVideos:
    def test_is_a_source_with_the_frames_of_its_sampler(self, tiny_generator) -> None:
        source = GeneratedVideos(tiny_generator(), videos=3, frames=6, seed=4, first=10)

        assert open_source(source) is source
        assert (list(source.names), list(source.notes)) == (["000010", "000011", "000012"], [])
        frames = list(source.video(2).frames(np.array([1, 5])))
        np.testing.assert_array_equal([f.pixels for f in frames], stack(source.sampler, 12, [1, 5]))
        assert [(f.jpeg_quality, f.damaged) for f in frames] == [(None, False)] * 2
        assert source.video(0).num_frames == 6
        with pytest.raises(ShortVideoError, match="6 frames decode, the clip needs 7"):
            next(source.video(0).frames(np.array([0, 6])))

    def test_what_makes_scores_hard_to_compare_is_noted(self, tiny_generator) -> None:
        notes = GeneratedVideos(tiny_generator(), videos=1, frames=1, truncation=0.7, fps=50, name="ours").notes

        assert [note.partition(": ")[0] for note in notes] == ["ours", "ours"]
        assert "truncation 0.7" in notes[0] and "50 frames per second" in notes[1]
        (slow,) = GeneratedVideos(tiny_generator(), videos=1, frames=1, fps=10).notes
        assert "made with 10 frames per second; training videos have 25" in slow

    def test_content_tells_apart_all_that_reaches_the_frames(self, tiny_generator) -> None:
        generator = tiny_generator(num_classes=2)
        base = {"videos": 2, "frames": 4}
        changes: list[dict[str, Any]] = [
            {},
            {"frames": 5},
            {"seed": 1},
            {"first": 2},
            {"start": 1.0},
            {"fps": 24},
            {"train_fps": 24},
            {"truncation": 0.9},
            {"batch_frames": 8},
            {"digest": "another"},
            {"labels": [[0.5, 0.5], 1]},
        ]
        contents = [GeneratedVideos(generator, **{**base, **c}).video(0).content() for c in changes]
        contents.append(GeneratedVideos(generator, **base).video(1).content())
        generator.use_half(torch.float16)
        contents.append(GeneratedVideos(generator, **base).video(0).content())

        assert len(set(contents)) == len(contents)
        again = GeneratedVideos(tiny_generator(num_classes=2), **base).video(0)
        assert again.content() == contents[0] == again.state()

    def test_labels_may_be_classes_lists_or_arrays(self, tiny_generator) -> None:
        generator = tiny_generator(num_classes=3)
        one_hot = np.array([[0, 1, 0], [0, 0, 1]], np.float32)
        forms: list[Any] = [
            [1, 2],
            np.array([1, 2]),
            one_hot,
            one_hot.tolist(),
            [np.int64(1), torch.tensor([0, 0, 1.0])],
        ]

        contents = {GeneratedVideos(generator, videos=2, frames=1, labels=form).video(1).content() for form in forms}

        assert len(contents) == 1

    def test_the_digest_follows_every_tensor(self, tiny_generator) -> None:
        generator = tiny_generator()
        before = generator_digest(generator)
        generator.mapping.w_mean[0] += 1

        assert generator_digest(generator) != before
        assert generator_digest(tiny_generator(min_period=8)) != before

    def test_threads_see_the_same_frames(self, tiny_generator) -> None:
        source = GeneratedVideos(tiny_generator(), videos=4, frames=6, batch_frames=2)
        expected = [stack(source.sampler, video, range(6)) for video in range(4)]
        found: dict[int, Pixels] = {}

        def read(video: int) -> None:
            found[video] = np.stack([f.pixels for f in source.video(video).frames(np.arange(6))])

        threads = [threading.Thread(target=read, args=[video]) for video in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        for video in range(4):
            np.testing.assert_array_equal(found[video], expected[video])


@pytest.fixture
def real(tmp_path: Path, moving_frames, write_frames) -> Path:
    for seed in range(6):
        write_frames(tmp_path / "real" / str(seed), moving_frames(12, 32, 32, seed=seed))
    return tmp_path / "real"


@pytest.mark.parametrize(
    ("form", "images"),
    [("png", ""), ("png", JPEG), ("jpg", JPEG)],
    ids=["lossless", "lossless-then-jpeg", "jpeg"],
)
def test_scores_in_memory_and_on_disk_are_the_same(
    tiny_generator, real: Path, tmp_path: Path, pixels_protocol: Callable[..., str], form: Any, images: str
) -> None:
    source = GeneratedVideos(tiny_generator(), videos=5, frames=9, seed=1, batch_frames=4)
    protocol = pixels_protocol(images=images)
    settings = fvd_bench.Settings(device="cpu", workers=2, cache=None)
    folders.generate(tmp_path / "fake", source.sampler, videos=5, frames=9, form=form)

    memory, disk = (
        fvd_bench.evaluate(real, fake, protocol, settings=settings).scores[0] for fake in (source, tmp_path / "fake")
    )

    assert memory.value == pytest.approx(disk.value, abs=1e-9, rel=0)
    assert memory.value > 1e-3
    assert (memory.fake.clips, disk.fake.clips) == (5, 5)


def test_a_store_keeps_the_features_of_generated_videos(
    tiny_generator, real: Path, tmp_path: Path, pixels_protocol: Callable[..., str], monkeypatch
) -> None:
    settings = fvd_bench.Settings(device="cpu", workers=2, cache=tmp_path / "store")
    calls = 0
    render = Generator.render

    def counted(self: Generator, *args: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return render(self, *args)

    monkeypatch.setattr(Generator, "render", counted)
    values, counts = [], []
    for seed in (1, 1, 2):
        source = GeneratedVideos(tiny_generator(), videos=4, frames=9, seed=seed)
        values.append(fvd_bench.evaluate(real, source, pixels_protocol(), settings=settings).scores[0].value)
        counts.append(calls)

    assert values[0] == values[1] != values[2]
    assert counts[1] - counts[0] == 1  # that something can be read is looked at each time
    assert counts[2] - counts[1] > 4


def test_names_and_contents_make_a_fingerprint(tiny_generator) -> None:
    source = GeneratedVideos(tiny_generator(), videos=2, frames=2)

    found = fingerprint(source.names, [source.video(i).content() for i in range(2)])

    assert len(found) == len(hashlib.sha256().hexdigest())
