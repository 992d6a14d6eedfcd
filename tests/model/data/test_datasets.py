"""The five sets of the paper, in tiny: videos in the layouts in which the sets are published."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from fvd_bench.sources.opening import open_source
from stylegan_v.cli import cli
from stylegan_v.cli.data import data
from stylegan_v.data.clips import VideoDataset
from stylegan_v.data.datasets import DATASETS
from stylegan_v.data.masks import face_box, squared

LOSSLESS = {"codec": "rawvideo", "pix_fmt": "bgr24"}


def _prepare(source: Path, out: Path, dataset: str, *options: object) -> Result:
    """One video at a time: more of them, and a mask beside each, would need many decoding processes."""
    command = ["data", str(source), str(out), "--dataset", dataset, "--workers", "1"]
    return CliRunner().invoke(cli, [*command, *map(str, options)])


def _saved(frame: np.ndarray, box: tuple[int, int, int, int], tmp_path: Path) -> bytes:
    """The file that a square of a frame becomes, by hand."""
    square = Image.fromarray(frame).crop(box).resize((32, 32), Image.Resampling.LANCZOS)
    square.save(tmp_path / "by_hand.jpg", quality=95)
    return (tmp_path / "by_hand.jpg").read_bytes()


def _mask(num_frames: int, rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
    """White, and dark from one row and column up to another, which go two columns to the right with each frame."""
    mask = np.full((num_frames, 48, 64, 3), 255, np.uint8)
    for t, frame in enumerate(mask):
        frame[rows[0] : rows[1], columns[0] + 2 * t : columns[1] + 2 * t] = (90, 60, 200)
    return mask


def test_faces_are_cut_by_their_masks(tmp_path: Path, moving_frames, write_video) -> None:
    """Frame by frame, of the training videos alone; videos without a mask that goes with them are skipped and named."""
    root = tmp_path / "FaceForensics_compressed"
    masks = {
        "train/mask/face": _mask(4, (10, 29), (20, 50)),
        "train/mask/low": _mask(3, (40, 48), (0, 40)),
        "train/mask/short": _mask(2, (10, 29), (20, 50)),
        "train/mask/long": _mask(4, (10, 29), (20, 50)),
        "train/mask/white": _mask(3, (0, 0), (0, 0)),
        "train/mask/small": _mask(3, (10, 29), (20, 50))[:, :40],
    }
    lengths = {"face": 4, **dict.fromkeys(("low", "short", "long", "white", "small", "alone"), 3)}
    originals = {f"train/original/{name}": moving_frames(n, 48, 64, seed=n) for name, n in lengths.items()}
    others = {"val/original/face": moving_frames(3, 48, 64), "train/altered/face": moving_frames(3, 48, 64)}
    for name, frames in (masks | originals | others).items():
        write_video(root / f"{name}.avi", frames, **LOSSLESS)

    done = _prepare(root, tmp_path / "out", "ffs", "--resolution", 32)

    assert done.exit_code == 0, done.output
    assert open_source(tmp_path / "out").names == ("train/original/face", "train/original/low")
    for name, boxes in {
        "face": [(20 + 2 * t, 5, 49 + 2 * t, 34) for t in range(4)],  # 29 columns and 18 rows; 5 above and 6 below
        "low": [(2 * t, 9, 39 + 2 * t, 48) for t in range(3)],  # moved up from where it would leave the picture
    }.items():
        for t, box in enumerate(boxes):
            written = (tmp_path / "out" / "train" / "original" / name / f"{t:06d}.jpg").read_bytes()
            assert written == _saved(originals[f"train/original/{name}"][t], box, tmp_path)
    for name, reason in {
        "short": "its mask ends before frame 2",
        "long": "its mask goes on after its last frame",
        "white": "its mask shows no face in frame 0",
        "small": "its mask is 64×40 pixels large, the video 64×48",
        "alone": "has no mask",
    }.items():
        assert f"stylegan-v: skipped train/original/{name}.avi: {reason}" in done.stderr
    assert "has 7 videos of FaceForensics, of which 704 are published" in done.stderr
    kept = next(
        line
        for line in _prepare(root, tmp_path / "out", "ffs", "--resolution", 32).stdout.splitlines()
        if "earlier" in line
    )
    assert kept.split()[-1] == "2"

    (tmp_path / "boxes.csv").write_text("video,left,top,right,bottom\ntrain/original/alone,3,0,51,48\n")
    boxed = _prepare(root, tmp_path / "boxed", "ffs", "--resolution", 32, "--boxes", tmp_path / "boxes.csv")
    assert boxed.exit_code == 0
    written = (tmp_path / "boxed" / "train" / "original" / "alone" / "000001.jpg").read_bytes()
    assert written == _saved(originals["train/original/alone"][1], (3, 0, 51, 48), tmp_path)


@pytest.mark.parametrize(
    ("rows", "columns", "box"),
    [
        ((0, 48), (0, 64), (0, 0, 48, 48)),  # larger than any square in the picture
        ((0, 20), (40, 64), (40, 0, 63, 23)),
        ((12, 13), (20, 50), None),
    ],
)
def test_squares_stay_in_the_picture(rows, columns, box) -> None:
    face = face_box(_mask(1, rows, columns)[0])

    assert (squared(face, 64, 48) if face else None) == box


def test_sky_timelapse_has_its_training_films(tmp_path: Path, moving_frames, write_frames) -> None:
    root = tmp_path / "sky_timelapse"
    for name in ("sky_train/_a-1/_a-1_1", "sky_train/_a-1/_a-1_2", "sky_train/b/b_1", "sky_test/c/c_1"):
        frames = moving_frames(3, 36, 64, seed=len(name))
        write_frames(root / name, frames, suffix=".jpg")

    assert _prepare(root, tmp_path / "out", "sky_timelapse", "--resolution", 32).exit_code == 0
    assert _prepare(root / "sky_train", tmp_path / "same", "sky_timelapse", "--resolution", 32).exit_code == 0

    assert open_source(tmp_path / "out").names == ("sky_train/_a-1/_a-1_1", "sky_train/_a-1/_a-1_2", "sky_train/b/b_1")
    assert open_source(tmp_path / "same").names == ("_a-1/_a-1_1", "_a-1/_a-1_2", "b/b_1")


def test_ucf_101_has_both_splits_and_its_classes(tmp_path: Path, moving_frames, write_video) -> None:
    """At the paper's resolution. The class is that of the file: one folder is spelled otherwise."""
    names = {
        "HandstandPushups/v_HandStandPushups_g01_c01": 1,
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g25_c02": 0,
        "YoYo/v_YoYo_g08_c01": 2,
    }
    for name in names:
        write_video(tmp_path / "UCF-101" / f"{name}.avi", moving_frames(3, 24, 32), **LOSSLESS)
    write_video(tmp_path / "UCF-101" / "trailer.avi", moving_frames(3, 24, 32), **LOSSLESS)

    done = _prepare(tmp_path / "UCF-101", tmp_path / "out", "ucf101")

    assert done.exit_code == 0 and "has 3 videos of UCF-101, of which 13,320 are published" in done.stderr
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["labels"] == sorted(map(list, names.items()))
    dataset = VideoDataset.open(tmp_path / "out", resolution=256, frames=3, num_classes=3)
    assert dict(zip(dataset.names, dataset.labels.argmax(axis=1), strict=True)) == names


def test_mead_has_its_front_view_and_its_speakers(tmp_path: Path, moving_frames, write_video) -> None:
    for name in ("W009/video/front/sad/level_3/030", "M003/video/front/neutral/level_1/001",
                 "M003/video/left_30/neutral/level_1/001", "M003/video/front/angry/level_2/001"):  # fmt: skip
        write_video(tmp_path / "MEAD" / f"{name}.mp4", moving_frames(3, 48, 64))

    assert _prepare(tmp_path / "MEAD", tmp_path / "out", "mead", "--resolution", 32).exit_code == 0

    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["labels"] == [
        ["M003/video/front/angry/level_2/001", 0],
        ["M003/video/front/neutral/level_1/001", 0],
        ["W009/video/front/sad/level_3/030", 1],
    ]
    assert DATASETS["mead"].resolution == 1024


def test_rainbow_jelly_is_cut_as_the_paper_says(tmp_path: Path, moving_frames, write_video) -> None:
    write_video(tmp_path / "film" / "jelly.mkv", moving_frames(12, 48, 64), **LOSSLESS)

    short = _prepare(tmp_path / "film", tmp_path / "out", "rainbow_jelly")
    done = _prepare(tmp_path / "film", tmp_path / "two", "rainbow_jelly", "--skip", 2, "--chunk", 5)

    assert "0 frames decode behind the first 150, 512 are needed" in str(short.exception)
    assert done.exit_code == 0 and open_source(tmp_path / "two").names == ("jelly-0000", "jelly-0001")


def test_the_command_line_knows_every_set() -> None:
    (option,) = (p for p in data.params if p.name == "dataset")

    assert option.type.choices == tuple(DATASETS)


@pytest.mark.parametrize("dataset", [name for name in DATASETS if name != "rainbow_jelly"])
def test_another_layout_is_told_in_one_sentence(two_sides, tmp_path: Path, dataset: str) -> None:
    real, _ = two_sides

    done = _prepare(real, tmp_path / "out", dataset)

    said = str(done.exception)
    assert said == (
        f"{real} is not laid out as {DATASETS[dataset].title} is published: expected {DATASETS[dataset].expected}, "
        "found 6 videos with other names, 0.mkv for one"
    )
    assert not (tmp_path / "out").exists()


def test_a_set_and_a_folder_of_any_videos_do_not_mix(tmp_path: Path, moving_frames, write_video) -> None:
    write_video(tmp_path / "in" / "v_YoYo_g08_c01.avi", moving_frames(3, 32, 32), **LOSSLESS)
    _prepare(tmp_path / "in", tmp_path / "out", "ucf101", "--resolution", 32)

    done = CliRunner().invoke(cli, ["data", str(tmp_path / "in"), str(tmp_path / "out"), "--resolution", "32"])

    assert "was prepared with dataset = 'ucf101', this run asks for None" in str(done.exception)
