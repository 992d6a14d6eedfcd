"""What names of images say of their order, and of whether they are the frames of one video."""

import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from fvd_bench.errors import SourceError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.result import Result
from fvd_bench.inspection.checkup import inspect
from fvd_bench.settings import Settings
from fvd_bench.videos.frame_names import FrameNames
from fvd_bench.videos.video import Pixels


def _names(text: str) -> list[str]:
    return [f"{stem}.png" for stem in text.split()]


def _numbered_as_before(name: str) -> tuple[tuple[int, str], ...]:
    """The order of names that has always been."""
    parts = re.split(r"(\d+)", name)
    return (*((int(p), "") if p.isdecimal() else (-1, p) for p in parts if p), (-2, name))


@pytest.mark.parametrize(
    "form",
    "{:06d} {} frame_{:06d} img{} frame-{} v1.5_{} 1.{} a.{:04d} 2024-01-{:02d} {}_rgb x{}y{} {}-{} -{} ٣{}".split(),
)
def test_ordinary_names_keep_their_order(form: str) -> None:
    numbers = random.Random(form).sample(range(200), 40)
    names = [f"{form.format(number, number % 7)}.png" for number in [0, *numbers]]

    assert FrameNames(names).ordered == sorted(names, key=_numbered_as_before)


@pytest.mark.parametrize(
    "text",
    [
        "-3 -2 -1 0 1",
        "-3 -2 -1",
        "-10 -2 5",
        "t-2 t-1 t0 t1 t2",
        "-0.5 -0.25 0.0",
        "0.0 0.04 0.08 0.12 0.16 0.2 0.24",
        "0.96 1.0 1.04 1.08",
        "0 0.5 1 1.5 2",
        "10.125 10.25 10.375 10.5",
        "t0.0s t0.033s t0.067s t0.1s",
        "1.7 1.8 1.9 1.10 1.11",
        "0.2 0.4 0.6 0.8 1.0",
        "frame-1 frame-2 frame-10",
        "-0 -1 -2 -10",
        "1.8 1.9 1.10 1.11 2.8 2.9",
        f"1 2 {'9' * 5000}",
    ],
)
def test_signs_and_decimals_count_where_they_can_be_nothing_else(text: str) -> None:
    names = _names(text)

    found = FrameNames(sorted(names))

    assert (found.ordered, found.mixture, found.doubts) == (names, None, ())


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["0.png", "0.jpg", "1.png", "1.jpg"], "the same name with two suffixes, 0.jpg and 0.png"),
        (["0.png", "1.png", "1.PNG"], "the same name with two suffixes, 1.PNG and 1.png"),
        (_names("1 2 02 3"), "the same number twice, 02.png and 2.png"),
        (_names("-1 -01 0"), "the same number twice, -1.png and -01.png"),
        (_names("rgb_1 rgb_2 mask_1 mask_2"), "two sequences with 2 numbers in common, mask_1.png and rgb_1.png"),
        (_names("1 1_mask 2 2_mask 3"), "two sequences with 2 numbers in common, 1.png and 1_mask.png"),
        (_names("f00 f01 f02 f03 f04 depth00 depth04"), "two sequences with 2 numbers in common, f00.png and depth00"),
        (_names("a-1 a-2 a-3 a1 a2 a3"), "two sequences with 3 numbers in common"),
    ],
)
def test_mixtures_are_no_video(names: list[str], what: str) -> None:
    found = FrameNames(names)

    assert (found.mixture or "").startswith(f"its images are not the frames of one video: {what}")
    assert found.doubts == ()


@pytest.mark.parametrize(
    ("text", "code", "detail"),
    [
        ("1 2 3 thumbnail", "odd-images", "thumbnail.png beside 3 images like 1.png"),
        ("1 2 3 thumb_1", "odd-images", "thumb_1.png beside 3 images like 1.png"),
        ("0.5 0.25 10.125", "frame-order", "0.5.png is taken to be before 0.25.png, which it is not if these are dec"),
        ("1.9 1.11", "frame-order", "1.9.png is taken to be before 1.11.png"),
        ("first second third fourth", "frame-order", "without a common pattern, in the order first.png, fourth.png"),
        ("img1 img2 frame3 frame4", "frame-order", "without a common pattern, in the order frame3.png"),
        ("cam1_1 cam1_2 cam2_1 cam2_2", "frame-order", "2 times the same 2 numbers, cam1_1.png to cam2_2.png, taken"),
        ("1.1 1.2 1.3 2.1 2.2 2.3", "frame-order", "2 times the same 3 numbers"),
    ],
)
def test_what_cannot_be_known_is_a_doubt(text: str, code: str, detail: str) -> None:
    found = FrameNames(_names(text))

    assert found.mixture is None
    (doubt,) = found.doubts
    assert doubt.code == code and detail in doubt.detail


@pytest.mark.parametrize("names", [["0.png", "1.jpg", "2.png"], _names("0001_a3f 0002_b7c 0003_c"), ["only.png"], []])
def test_other_names_leave_nothing_open(names: list[str]) -> None:
    found = FrameNames(names)

    assert (found.mixture, found.doubts) == (None, ())


def test_names_without_end_take_no_time() -> None:
    names = [f"{'1' * 200_000}.{'9' * 200_000}a{number}.png" for number in range(3)]

    assert FrameNames(names[::-1]).ordered == names


@pytest.fixture
def score(tmp_path: Path, moving_frames, write_frames, pixels_protocol) -> Callable[..., Result]:
    """Score four videos, whose frames are written under given names beside other images, against four real ones."""

    def run(names: Sequence[str], others: Sequence[str] = ()) -> Result:
        for seed in range(4):
            write_frames(tmp_path / "real" / f"{seed}", moving_frames(16, seed=seed))
            frames: Pixels = moving_frames(16, seed=10 + seed)
            folder = tmp_path / "fake" / f"{seed}"
            folder.mkdir(parents=True)
            for name, frame in zip(names, frames, strict=True):
                Image.fromarray(frame).save(folder / name)
            for name, frame in zip(others, 255 - frames, strict=False):
                Image.fromarray(frame).save(folder / name)
        settings = Settings(cache=tmp_path / "store")
        return evaluate(tmp_path / "real", tmp_path / "fake", pixels_protocol(frames=12), settings=settings)

    return run


NUMBERED = [f"{t:06d}.png" for t in range(16)]


@pytest.mark.parametrize(
    "names", [[f"{t - 8}.png" for t in range(16)], [f"{t / 8}.png" for t in range(16)]], ids=["signs", "decimals"]
)
def test_the_score_is_that_of_numbered_frames(score, names: list[str], tmp_path: Path) -> None:
    found = score(names)

    for folder in (tmp_path / "fake").iterdir():
        for name, number in zip(names, NUMBERED, strict=True):
            (folder / name).rename(folder / number)
    settings = Settings(cache=None)
    renamed = evaluate(tmp_path / "real", tmp_path / "fake", str(tmp_path / "pixels.toml"), settings=settings)
    assert found.value == renamed.value
    assert not {w.code for w in found.warnings} & {"frame-order", "odd-images"}


def test_a_thumbnail_and_doubtful_names_are_warned_of_again_and_again(score, tmp_path: Path) -> None:
    odd = score(NUMBERED, ["thumbnail.png"])
    settings = Settings(cache=tmp_path / "store")
    again = evaluate(tmp_path / "real", tmp_path / "fake", str(tmp_path / "pixels.toml"), settings=settings)

    (message,) = [w.message for w in odd.warnings if w.code == "odd-images"]
    assert message.startswith("4 fake videos hold images that are not named as the others in their folder and are used")
    assert "0, 1, 2 and 1 more (each thumbnail.png beside 16 images like 000000.png)" in message
    assert again.warnings == odd.warnings
    (finding,) = [f for f in inspect(tmp_path / "fake").findings if f.code == "odd-images"]
    assert len(finding.videos) == 4


def test_two_sequences_are_refused_and_features_of_them_are_not_believed(score, tmp_path: Path, monkeypatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(FrameNames, "mixture", None)
        assert score(NUMBERED, [f"mask_{t:06d}.png" for t in range(16)]).value is not None
    Image.open(tmp_path / "fake" / "0" / "000000.png").save(tmp_path / "fake" / "0" / "000000.jpg")
    settings = Settings(cache=tmp_path / "store")

    with pytest.raises(SourceError, match=r"none of its 4 videos .* images are not the frames of one video: the same"):
        evaluate(tmp_path / "real", tmp_path / "fake", str(tmp_path / "pixels.toml"), settings=settings)
    (finding,) = [f for f in inspect(tmp_path / "fake").findings if f.code == "two-sequences"]
    assert "the same name with two suffixes" in finding.videos["0"]
    assert "two sequences with 16 numbers in common, mask_000000.png and 000000.png" in finding.videos["1"]
