"""A folder of array files: one video in each."""

import os
import tarfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from fvd_bench import Arrays
from fvd_bench.cli import cli
from fvd_bench.errors import SourceError, VideoError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.settings import Settings
from fvd_bench.sources.opening import ClipSource, open_source
from fvd_bench.videos.video import Pixels

VIDEOS = np.random.default_rng(1).integers(0, 256, (3, 12, 8, 6, 3), dtype=np.uint8)


def _write(file: Path, array: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    match file.suffix:
        case ".npy":
            np.save(file, array)
        case ".npz":
            np.savez_compressed(file, video=array)
        case ".pt":
            torch.save(torch.from_numpy(array), file)
        case ".safetensors":
            save_file({"video": torch.from_numpy(array)}, file)
        case ".h5":
            with h5py.File(file, "w") as opened:
                opened["video"] = array
    return file


def _frames(source: ClipSource, index: int) -> Pixels:
    video = source.video(index)
    return np.stack([frame.pixels for frame in video.frames(np.arange(video.num_frames))])


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".safetensors", ".h5"])
def test_each_file_is_a_video_at_any_depth(tmp_path: Path, suffix: str) -> None:
    for name, video in zip(["b/1", "b/0", "a"], VIDEOS, strict=True):
        _write(tmp_path / f"{name}{suffix}", video)
    (tmp_path / "labels.json").write_text("{}")

    source = open_source(tmp_path)

    assert (source.kind, list(source.names)) == ("array files", ["a", "b/0", "b/1"])
    np.testing.assert_array_equal(_frames(source, 2), VIDEOS[0])
    assert "its axes are taken for THWC" in source.notes[0]


def test_the_score_is_that_of_one_array_and_no_file_stays_open(tmp_path: Path, two_sides, pixels_protocol) -> None:
    for n, video in enumerate(VIDEOS):
        _write(tmp_path / "fake" / f"{n:06d}.npy", video)
    np.save(tmp_path / "all.npy", VIDEOS)
    scores = [
        evaluate(two_sides[0], tmp_path / form, pixels_protocol(), settings=Settings(cache=None))
        for form in ("fake", "all.npy")
    ]

    assert scores[0].value == scores[1].value
    assert scores[0].fake.fingerprint == scores[1].fake.fingerprint
    if Path("/proc/self/fd").exists():
        open_files = [os.path.realpath(descriptor) for descriptor in Path("/proc/self/fd").iterdir()]
        assert not [file for file in open_files if file.startswith(str(tmp_path / "fake"))]


def test_axes_and_a_range_are_stated_as_of_one_file(tmp_path: Path) -> None:
    for n, video in enumerate(VIDEOS):
        _write(tmp_path / f"{n}.npy", video.transpose(3, 0, 1, 2)[np.newaxis] / 127.5 - 1)

    with pytest.raises(SourceError, match="state what black and white are"):
        open_source(tmp_path)
    source = open_source(Arrays(tmp_path, axes="NCTHW", value_range=(-1, 1)))

    np.testing.assert_array_equal(_frames(source, 1), VIDEOS[1])


def test_a_file_that_is_none_is_a_bad_video(tmp_path: Path) -> None:
    (tmp_path / "0.npy").write_bytes(b"no array")
    _write(tmp_path / "1.npy", VIDEOS[0])
    _write(tmp_path / "2.npy", VIDEOS)
    _write(tmp_path / "3.npy", VIDEOS[1].astype(np.float32))
    (tmp_path / "4.npy").symlink_to("nowhere")
    np.save(tmp_path / "5.npy", np.array([{}], dtype=object), allow_pickle=True)
    source = open_source(tmp_path)

    reasons = []
    for index in (0, 2, 3, 4, 5):
        with pytest.raises(VideoError) as caught:
            _ = source.video(index).num_frames
        reasons.append(str(caught.value))

    expected = ["no array in NumPy's format", "file of many videos is a side of its own", "float32: state what black"]
    expected += ["No such file", "Python objects, which are never loaded"]
    assert all(part in reason for part, reason in zip(expected, reasons, strict=True)), reasons
    assert len(_frames(source, 1)) == 12


def test_what_is_no_such_folder_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "a" / "0.npy", VIDEOS)
    with pytest.raises(SourceError, match=r"none of its 1 array file can be used: .* a file of many videos is a side"):
        open_source(tmp_path / "a")
    _write(tmp_path / "b" / "0.npy", VIDEOS[0])
    _write(tmp_path / "b" / "0.pt", VIDEOS[0])
    with pytest.raises(SourceError, match="have one name: expected one file for each video"):
        open_source(tmp_path / "b")


def test_sets_of_many_videos_are_not_taken_for_one(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "videogpt.h5", "w") as file:
        file["train_data"], file["train_idx"] = VIDEOS.reshape(-1, *VIDEOS.shape[2:]), [0, 12, 24]

    with pytest.raises(SourceError, match=r"holds many videos, in the sets train: expected one array of one video"):
        open_source(tmp_path)


def test_arrays_beside_tar_shards_leave_these_alone(tmp_path: Path, moving_frames, write_video) -> None:
    """Whoever keeps features or an index beside shards has no folder of arrays."""
    video = write_video(tmp_path / "a.mkv", moving_frames(9), codec="rawvideo", pix_fmt="bgr24")
    (tmp_path / "shards").mkdir()
    with tarfile.open(tmp_path / "shards" / "0.tar", "w") as tar:
        tar.add(video, "a.mkv")
    _write(tmp_path / "shards" / "index.npy", np.arange(3))

    assert open_source(tmp_path / "shards").names == ("a.mkv",)


def test_the_command_line_takes_axes_of_a_folder(tmp_path: Path) -> None:
    _write(tmp_path / "a" / "0.npy", VIDEOS[0])
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "0.mp4").write_bytes(b"no array")

    of_arrays, of_videos = (
        CliRunner().invoke(cli, ["compute", "--real", str(tmp_path / name), "--real-axes", "THW", "--fake", "a"])
        for name in "ab"
    )

    assert "expected one array of one video, of the axes THW" in str(of_arrays.exception)
    assert (of_videos.exit_code, "are for arrays" in of_videos.stderr) == (2, True)
