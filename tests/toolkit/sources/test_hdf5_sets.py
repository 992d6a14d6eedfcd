"""HDF5 files in VideoGPT's layout: which videos are in them, and which set is meant."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fvd_bench import Arrays
from fvd_bench.errors import SourceError
from fvd_bench.sources.opening import ClipSource, open_source
from fvd_bench.videos.video import Pixels

LENGTHS = {"train": [5, 3, 7, 4], "test": [4, 6]}
FRAMES: dict[str, Pixels] = {
    name: np.random.default_rng(n).integers(0, 256, (sum(lengths), 8, 6, 3), dtype=np.uint8)
    for n, (name, lengths) in enumerate(LENGTHS.items())
}
STARTS = {name: np.cumsum([0, *lengths[:-1]]) for name, lengths in LENGTHS.items()}


def _write(file: Path, **changed: Any) -> Path:
    """Both sets; None leaves a dataset out."""
    arrays = {f"{name}_data": frames for name, frames in FRAMES.items()} | {f"{n}_idx": s for n, s in STARTS.items()}
    with h5py.File(file, "w") as opened:
        for key, array in {**arrays, **changed}.items():
            if array is not None:
                opened[key] = array
    return file


def _videos(source: ClipSource) -> list[Pixels]:
    videos = [source.video(index) for index in range(len(source.names))]
    return [np.stack([frame.pixels for frame in video.frames(np.arange(video.num_frames))]) for video in videos]


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_set_is_its_videos_and_the_other_is_left_out(tmp_path: Path, name: str) -> None:
    source = open_source(_write(tmp_path / "a.h5") / name)

    expected = np.split(FRAMES[name], STARTS[name][1:])
    for found, video in zip(_videos(source), expected, strict=True):
        np.testing.assert_array_equal(found, video)
    other = {"train": "the 2 of test_idx", "test": "the 4 of train_idx"}[name]
    assert source.notes[-1].endswith(f"the {len(expected)} videos of {name}_idx are used, {other} are left out")
    assert list(source.names[:2]) == ["000000", "000001"]
    states = {source.video(index).state() for index in range(len(expected))}
    assert len(states) == len(expected)


def test_which_set_has_to_be_said(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"2 sets, 'test' of 2 videos and 'train' of 4 videos: say which .*a\.h5/test"
    ):
        open_source(_write(tmp_path / "a.h5"))


def test_one_set_alone_is_taken(tmp_path: Path) -> None:
    source = open_source(_write(tmp_path / "a.h5", test_data=None, test_idx=None))

    assert len(source.names) == 4


def test_an_index_may_begin_late_and_end_with_the_end(tmp_path: Path) -> None:
    source = open_source(_write(tmp_path / "a.h5", train_idx=[5, 8, 19]) / "train")

    assert [len(video) for video in _videos(source)] == [3, 11]
    assert "5 frames before the first video are left out" in source.notes[-1]


def test_the_frames_of_a_set_are_a_video_where_that_is_said(tmp_path: Path) -> None:
    (video,) = _videos(open_source(_write(tmp_path / "a.h5") / "test_data"))

    np.testing.assert_array_equal(video, FRAMES["test"])


def test_grey_sets_without_an_axis_of_channels_are_stated(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.h5", train_data=FRAMES["train"][..., 0])

    videos = _videos(open_source(Arrays(file / "train", axes="THW")))

    np.testing.assert_array_equal(videos[1], np.repeat(FRAMES["train"][5:8, ..., :1], 3, axis=3))


@pytest.mark.parametrize(
    "starts", [[0, 5, 5], [0, 8, 5], [-1, 5], [0, 20], [0.0, 5.0], [], np.arange(21), np.array([b"a"]), [2**64 - 1]]
)
def test_an_index_that_cannot_be_is_refused(tmp_path: Path, starts: Any) -> None:
    with pytest.raises(SourceError, match="train_idx is no list of first frames: expected rising whole numbers"):
        open_source(_write(tmp_path / "a.h5", train_idx=np.asarray(starts)) / "train")


def test_other_arrays_of_one_axis_are_left_alone(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.h5", test_data=None, test_idx=None)
    with h5py.File(file, "a") as opened:
        opened.create_dataset("labels", (10**9,), "u1")  # never written

    assert len(open_source(file).names) == 4


def test_axes_that_do_not_begin_with_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="state axes that begin with T"):
        open_source(Arrays(_write(tmp_path / "a.h5") / "train", axes="HTWC"))
