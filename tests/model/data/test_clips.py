"""Which clips training sees, and that the frames in them are the right ones."""

import contextlib
import itertools
import json
import shutil
import threading
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stylegan_v.data.clips import RealClip, VideoDataset, batches
from stylegan_v.data.prefetch import Stop, StoppedError, run_ahead
from stylegan_v.data.preloaded import PreloadedVideos, fits, size
from stylegan_v.errors import DataError
from stylegan_v.networks.pixels import normalise, to_uint8

SIZE = 32
LENGTHS = {"a/short": 3, "a/long": 40, "b/middle": 12, "c": 20}


def _frames(name: str, length: int, moving_frames) -> np.ndarray:
    frames = moving_frames(length, height=SIZE, width=SIZE, seed=len(name))
    frames[:, 0, 0] = np.arange(length)[:, None]  # so that no two are alike
    return frames


@pytest.fixture(scope="module")
def videos(moving_frames) -> dict[str, np.ndarray]:
    return {name: _frames(name, length, moving_frames) for name, length in LENGTHS.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, videos, write_frames) -> Path:
    """Lossless frame folders. Tests must not change them."""
    root = tmp_path_factory.mktemp("set")
    for name, frames in videos.items():
        write_frames(root / name, frames)
    return root


def _open(path: Path, **changes) -> VideoDataset:
    return VideoDataset.open(path, **{"resolution": SIZE, "frames": 3, **changes})


def _clip(dataset: VideoDataset, sample: int, *, seed: int) -> RealClip:
    (clip,) = dataset.real_clips([sample], seed=seed)
    return clip


def test_a_set_is_listed_in_the_order_of_the_toolkit(folder: Path) -> None:
    dataset = _open(folder)

    assert dict(zip(dataset.names, dataset.lengths, strict=True)) == LENGTHS
    assert dataset.names == tuple(sorted(LENGTHS))
    assert (dataset.num_videos, dataset.skipped, dataset.notes) == (4, (), ())


def test_a_clip_holds_the_frames_of_its_times(folder: Path, videos) -> None:
    dataset = _open(folder)

    for sample in range(40):
        clip = _clip(dataset, sample, seed=1)
        np.testing.assert_array_equal(clip.frames, videos[clip.name][clip.times])
        assert clip.times.dtype == np.int64
        assert clip.label.shape == (0,)


def test_video_files_and_archives_give_the_clips_of_frame_folders(
    folder: Path, tmp_path: Path, videos, write_video
) -> None:
    for name, frames in videos.items():
        write_video(tmp_path / "files" / f"{name}.mkv", frames, codec="rawvideo", pix_fmt="bgr24")
    archive = Path(shutil.make_archive(str(tmp_path / "set"), "zip", folder))
    dataset = _open(folder)

    for path in (tmp_path / "files", archive):
        other = _open(path)
        assert other.lengths == dataset.lengths
        for sample in range(8):
            clip, same = _clip(dataset, sample, seed=1), _clip(other, sample, seed=1)
            np.testing.assert_array_equal(clip.frames, same.frames)
            np.testing.assert_array_equal(clip.times, same.times)


def test_video_files_are_named_as_slow(tmp_path: Path, moving_frames, write_video) -> None:
    write_video(tmp_path / "a.mkv", _frames("a", 6, moving_frames), codec="rawvideo", pix_fmt="bgr24")

    (note,) = _open(tmp_path).notes

    assert f"stylegan-v data {tmp_path} OUT --resolution 32" in note


def test_every_epoch_takes_each_video_once_in_an_order_of_its_own(folder: Path) -> None:
    dataset = _open(folder)

    epochs = [tuple(_clip(dataset, 4 * e + i, seed=0).name for i in range(4)) for e in range(12)]

    assert all(sorted(epoch) == sorted(LENGTHS) for epoch in epochs)
    assert len(set(epochs)) > 4
    assert epochs != [tuple(_clip(dataset, 4 * e + i, seed=1).name for i in range(4)) for e in range(12)]


def test_mirrored_videos_are_videos_of_their_own(folder: Path, videos) -> None:
    dataset = _open(folder, mirror=True)
    assert dataset.num_videos == 8

    seen = Counter()
    for sample in range(8):
        clip = _clip(dataset, sample, seed=0)
        frames = videos[clip.name][clip.times]
        flipped = not np.array_equal(clip.frames, frames)
        np.testing.assert_array_equal(clip.frames, frames[:, :, ::-1] if flipped else frames)
        seen[clip.name, flipped] += 1

    assert seen == Counter(itertools.product(LENGTHS, [False, True]))


def test_times_in_a_long_video_count_from_a_window(folder: Path, videos) -> None:
    dataset = _open(folder, max_frames=30)
    starts = set()
    for sample in range(400):
        clip = _clip(dataset, sample, seed=0)
        if clip.name == "a/long":
            assert clip.times.max() < 30
            (start,) = (s for s in range(11) if np.array_equal(clip.frames, videos["a/long"][s + clip.times]))
            starts.add(start)

    assert starts == set(range(11))


def test_generated_clips_have_times_of_a_video_drawn_at_random(folder: Path) -> None:
    times, videos = _open(folder, max_frames=20).times.fake(0, torch.arange(1200))

    assert times.shape == (1200, 3)
    assert times.dtype == torch.float64
    shortest = sorted(LENGTHS).index("a/short")
    assert torch.equal(times[:, -1] == 2, videos == shortest)  # the video of 3 frames
    assert (videos == shortest).double().mean() == pytest.approx(1 / 4, abs=0.05)
    assert 17 < times[:, -1].max() < 19


@pytest.mark.parametrize("workers", [1, 3])
def test_batches_are_those_clips_for_any_number_of_threads(folder: Path, workers: int) -> None:
    dataset = _open(folder)
    numbers = [[0, 1], [9, 4, 2], [100]]

    found = list(batches(dataset, numbers, seed=3, workers=workers))

    for samples, batch in zip(numbers, found, strict=True):
        clips = [_clip(dataset, sample, seed=3) for sample in samples]
        assert batch.frames.shape == (len(samples), 3, 3, SIZE, SIZE)
        assert (batch.frames.dtype, batch.times.dtype, batch.labels.dtype) == (
            torch.uint8, torch.float64, torch.float32,
        )  # fmt: skip
        frames = np.stack([clip.frames for clip in clips]).transpose(0, 1, 4, 2, 3)
        np.testing.assert_array_equal(batch.frames.numpy(), frames)
        np.testing.assert_array_equal(batch.times.numpy(), np.stack([clip.times for clip in clips]))
        assert batch.frames.is_contiguous()


@pytest.mark.parametrize("mirror", [False, True])
def test_batches_from_memory_are_those_from_files(folder: Path, mirror: bool) -> None:
    dataset, numbers = _open(folder, mirror=mirror, max_frames=30), [[0, 1, 5], [9, 4, 2], [100, 17, 2**40]]

    memory = PreloadedVideos(dataset, torch.device("cpu")).batches(numbers, seed=3)

    for kept, read in zip(memory, batches(dataset, numbers, seed=3, workers=1), strict=True):
        for name in ("frames", "times", "labels"):
            ours, theirs = getattr(kept, name), getattr(read, name)
            assert torch.equal(ours, theirs), name
            assert ours.dtype == theirs.dtype, name


def test_small_sets_are_kept_unasked(folder: Path) -> None:
    dataset = _open(folder)

    assert size(dataset) == sum(LENGTHS.values()) * SIZE * SIZE * 3
    assert fits(dataset, torch.device("cpu"))
    dataset.lengths = (2**30 // (SIZE * SIZE * 3) + 1,)
    assert not fits(dataset, torch.device("cpu"))


def test_reading_ahead_ends_when_the_trainer_leaves(folder: Path) -> None:
    dataset = _open(folder)
    asked: list[int] = []
    threads = threading.active_count()

    def endless():
        for start in itertools.count(step=2):
            asked.append(start)
            yield (start, start + 1)

    with contextlib.closing(batches(dataset, endless(), seed=0, workers=2)) as reading:
        next(reading)
        next(reading)

    assert len(asked) == 4  # two used, two ahead
    assert threading.active_count() == threads


def test_work_ahead_is_in_order_and_fails_at_its_place() -> None:
    def work(task: int, _: object) -> int:
        if task == 5:
            raise DataError("five")
        return task

    results = run_ahead(itertools.count(), work, workers=3, ahead=4)

    assert list(itertools.islice(results, 5)) == [0, 1, 2, 3, 4]
    with pytest.raises(DataError, match="five"):
        next(results)


def test_work_in_vain_stops_half_way() -> None:
    begun, stopped = threading.Event(), threading.Event()

    def work(task: int, stop: Stop) -> None:
        deadline = time.monotonic() + 10
        while task == 1 and time.monotonic() < deadline:
            begun.set()
            try:
                stop.check()
            except StoppedError:
                stopped.set()
                raise

    results = run_ahead([0, 1], work, workers=1, ahead=1)
    next(results)
    assert begun.wait(10)
    results.close()

    assert stopped.is_set()


def test_videos_that_cannot_be_used_are_named(tmp_path: Path, moving_frames, write_frames, write_video) -> None:
    write_frames(tmp_path / "usable", moving_frames(4, SIZE, SIZE))
    write_frames(tmp_path / "short", moving_frames(2, SIZE, SIZE))
    write_frames(tmp_path / "large", moving_frames(4, 48, 64))
    (tmp_path / "text.mkv").write_text("no video")
    write_video(tmp_path / "usable_too.mkv", moving_frames(4, SIZE, SIZE), codec="rawvideo", pix_fmt="bgr24")

    dataset = _open(tmp_path)

    assert dataset.names == ("usable", "usable_too.mkv")
    reasons = dict(dataset.skipped)
    assert reasons["short"] == "too short: 2 frames, a clip needs 3"
    assert reasons["large"] == "frames are 64×48, the model's 32×32"
    assert "cannot be decoded" in reasons["text.mkv"]
    assert {_clip(dataset, sample, seed=0).name for sample in range(2)} == set(dataset.names)


def test_a_set_of_another_size_says_how_to_prepare_it(tmp_path: Path, moving_frames, write_frames) -> None:
    for name in "abcde":
        write_frames(tmp_path / name, moving_frames(4, 48, 48))

    with pytest.raises(DataError) as raised:
        _open(tmp_path)

    assert "none of 5 videos" in str(raised.value)
    assert "b: frames are 48×48, the model's 32×32" in str(raised.value)
    assert "and 2 more" in str(raised.value)
    assert f"stylegan-v data {tmp_path} OUT --resolution 32" in str(raised.value)


def test_a_set_of_short_videos_says_how_long_they_have_to_be(tmp_path: Path, moving_frames, write_frames) -> None:
    write_frames(tmp_path / "short", moving_frames(2, SIZE, SIZE))

    with pytest.raises(DataError, match=r"too short: 2 frames, a clip needs 3\); take videos of 3 frames or more$"):
        _open(tmp_path)


def test_a_video_that_breaks_during_training_is_named(tmp_path: Path, moving_frames, write_frames) -> None:
    write_frames(tmp_path / "video", moving_frames(3, SIZE, SIZE))
    dataset = _open(tmp_path)

    (tmp_path / "video" / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"video video .* frame 1\.png"):
        _clip(dataset, 0, seed=0)
    Image.new("RGB", (48, 48)).save(tmp_path / "video" / "1.png")
    with pytest.raises(DataError, match=r"video video .* frames differ in size"):
        next(batches(dataset, [[0]], seed=0, workers=2))
    write_frames(tmp_path / "video", moving_frames(3, 48, 48))
    with pytest.raises(DataError, match=r"video video .* frames are 48×48"):
        _clip(dataset, 0, seed=0)


def _label(root: Path, labels: object) -> Path:
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    return root


@pytest.fixture
def labelled(tmp_path: Path, moving_frames, write_frames) -> Path:
    for name in ("x/one", "x/two"):
        write_frames(tmp_path / name, moving_frames(4, SIZE, SIZE))
    return tmp_path


def test_classes_become_one_hot_vectors(labelled: Path) -> None:
    frames = [[f"x/one/{t}.png", 2] for t in range(4)]
    dataset = _open(_label(labelled, [*frames, ["x/two.mp4", 0], ["elsewhere", 1]]), num_classes=3)

    assert dataset.labels.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert dataset.labels.dtype == np.float32
    clips = [_clip(dataset, sample, seed=0) for sample in range(2)]
    assert {clip.name: clip.label.tolist() for clip in clips} == {"x/one": [0, 0, 1], "x/two": [1, 0, 0]}


def test_vectors_stay_as_they_are(labelled: Path) -> None:
    dataset = _open(_label(labelled, [["x/one", [0.25, -1]], ["x/two", [0, 3.5]]]), num_classes=2)

    assert dataset.labels.tolist() == [[0.25, -1], [0, 3.5]]


@pytest.mark.parametrize("top", ["", "set/"])
def test_labels_are_found_in_archives(labelled: Path, tmp_path: Path, top: str) -> None:
    _label(labelled, [["x/one", 0], ["x/two/0.png", 1]])
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted(labelled.rglob("*.*")):
            if file.suffix in (".png", ".json"):
                archive.write(file, f"{top}{file.relative_to(labelled).as_posix()}")

    dataset = _open(tmp_path / "set.zip", num_classes=2)

    assert dict(zip(dataset.names, dataset.labels.tolist(), strict=True)) == {
        f"{top}x/one": [1, 0],
        f"{top}x/two": [0, 1],
    }


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([["x/one/0.png", 1], ["x/one/1.png", 0], ["x/two", 0]], r"x/one is labelled 1 and, by x/one/1\.png, 0"),
        ([["x/one", 0]], "x/two has no label, 1 other video has one"),
        (None, "x/one has no label, no video has one"),
        ([["x/one", 2], ["x/two", 0]], "x/one is of class 2; with num_classes = 2 the last is 1"),
        ([["x/one", [1.0]], ["x/two", 0]], "x/one has a label of 1 numbers, num_classes is 2"),
        ([["x/one", True]], "entry 0 of labels"),
        ([["x/one", [float("nan"), 0]]], "entry 0 of labels"),
        ([["x/two", 0], ["x/one"]], "entry 1 of labels"),
        ({"x/one": 0}, "expected labels to be a list"),
    ],
)
def test_labels_that_cannot_be_meant_are_refused(labelled: Path, labels: object, message: str) -> None:
    _label(labelled, labels)

    with pytest.raises(DataError, match=message):
        _open(labelled, num_classes=2)


def test_a_set_without_labels_can_be_trained_on_without(labelled: Path) -> None:
    assert _open(labelled).labels.shape == (2, 0)
    with pytest.raises(DataError, match="num_classes = 0"):
        _open(labelled, num_classes=2)
    (labelled / "dataset.json").write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        _open(labelled, num_classes=2)


def test_pixels_come_back_from_the_numbers_that_networks_see() -> None:
    values = torch.arange(256, dtype=torch.uint8)

    assert torch.equal(to_uint8(normalise(values)), values)
    assert normalise(values)[[0, 255]].tolist() == [-1, 1]
    assert to_uint8(torch.tensor([-7.0, 7.0, -0.004, 0.0])).tolist() == [0, 255, 127, 128]
