"""Scores of windows: each is the score of videos that are nothing but that window."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import ArgumentError
from fvd_bench.estimate import doubts
from fvd_bench.evaluation import feasibility
from fvd_bench.evaluation.comparisons.rank import rank
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.window_scores import curves
from fvd_bench.settings import Settings

NO_CACHE = Settings(cache=None)
WINDOWS = Settings(cache=None, windows=3)


def videos(count: int, frames: int, *, seed: int, fading: float = 0.0) -> np.ndarray:
    """Coloured blocks that flicker, uint8 [count, frames, 24, 24, 3]; fading ones lose that part of their light."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.uniform(60, 220, (count, 1, 3, 3, 3)), np.ones((1, 1, 8, 8, 1)))
    light = 1 - fading * np.arange(frames) / frames
    flicker = rng.normal(0, 6, (count, frames, 24, 24, 3))
    return (blocks * light[:, None, None, None] + flicker).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def real() -> np.ndarray:
    return videos(12, 27, seed=1)


@pytest.fixture(scope="module")
def fading() -> np.ndarray:
    return videos(12, 27, seed=2, fading=0.4)


@pytest.fixture(scope="module")
def protocol(tmp_path_factory, write_pixels_protocol) -> str:
    made: str = write_pixels_protocol(tmp_path_factory.mktemp("protocols"))
    return made


@pytest.fixture(scope="module")
def first_of_both(tmp_path_factory, write_pixels_protocol) -> str:
    file = Path(write_pixels_protocol(tmp_path_factory.mktemp("protocols"), name="both"))
    file.write_text(file.read_text().replace('real = "random"', 'real = "first"'))
    return str(file)


@pytest.fixture(scope="module")
def result(real: np.ndarray, fading: np.ndarray, protocol: str) -> Result:
    return evaluate(real, fading, protocol, settings=WINDOWS)


def test_a_window_scores_what_videos_cut_to_it_score(real, fading, protocol: str, result: Result) -> None:
    whole, *windows = result.scores

    assert [score.row for score in windows] == ["window-0-8", "window-9-17", "window-18-26"]
    for place, window in enumerate(windows):
        cut = evaluate(real, fading[:, 9 * place : 9 * place + 9], protocol, settings=NO_CACHE)
        assert window.values == cut.scores[0].values
        assert (window.interval, window.floor) == (cut.scores[0].interval, cut.scores[0].floor)
    assert (windows[0].digest, windows[0].value) == (whole.digest, whole.value)


def test_a_protocol_of_first_frames_compares_the_same_window_of_both_sides(real, fading, first_of_both: str) -> None:
    _, *windows = evaluate(real, fading, first_of_both, settings=WINDOWS).scores

    assert len(windows) == 3
    for place, window in enumerate(windows):
        part = slice(9 * place, 9 * place + 9)
        cut = evaluate(real[:, part], fading[:, part], first_of_both, settings=NO_CACHE)
        assert window.values == cut.scores[0].values


def test_a_generator_that_fades_drifts_and_a_steady_one_does_not(real, protocol: str, result: Result) -> None:
    steady = evaluate(real, videos(12, 27, seed=3), protocol, settings=WINDOWS)

    (drift,) = [found for found in result.warnings if found.code == "drift"]

    assert "FVD of pixels: 2 of 2 later windows differ from the first" in drift.message
    assert "frames 18 to 26 +" in drift.message
    assert not [found for found in steady.warnings if found.code == "drift"]


def test_nothing_is_said_of_drift_where_the_real_side_moves_along(real, fading, first_of_both: str) -> None:
    found = evaluate(real, fading, first_of_both, settings=WINDOWS).warnings

    assert "drift" not in [finding.code for finding in found]


def test_what_chance_explains_of_a_window_is_told_as_of_any_score(real, protocol: str) -> None:
    """Of videos that begin unlike the real ones, and end like them."""
    result = evaluate(real, videos(12, 27, seed=2, fading=0.9)[:, ::-1].copy(), protocol, settings=WINDOWS)

    told = {finding.code: finding.message for finding in result.warnings}
    whole, first, _, last = result.scores
    assert not doubts(whole.value, whole.interval, whole.floor) and first.digest == whole.digest
    assert doubts(last.value, last.interval, last.floor) == ["at-the-floor"]
    assert told["at-the-floor"].startswith("FVD of pixels-window-18-26: ")


def test_videos_too_short_for_a_window_are_counted(real, fading, protocol: str) -> None:
    uneven = [video[:12] if place < 5 else video for place, video in enumerate(fading)]

    result = evaluate(real, uneven, protocol, settings=dataclasses.replace(WINDOWS, windows=4))

    _, *windows = result.scores
    assert [score.fake.clips for score in windows] == [12, 7, 7, 0]
    assert [len(score.fake.skipped) for score in windows] == [0, 5, 5, 12]
    assert windows[3].value is None and "a clip needs 36 frames" in str(windows[3].reason)
    (short,) = [found for found in result.warnings if found.code == "short-for-windows"]
    assert "the first window has 12 fake clips and that of frames 27 to 35 has 0" in short.message
    assert not [found for found in result.warnings if found.code in ("videos-skipped", "drift")]


def test_many_windows_that_no_video_reaches_are_refused_at_once(
    real, fading, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uneven = [video[:12] if place < 5 else video for place, video in enumerate(fading)]
    many = dataclasses.replace(WINDOWS, windows=65)

    with pytest.raises(ArgumentError, match="the longest fake video has 27 frames: ask for at most 3"):
        evaluate(real, uneven, protocol, settings=many)
    with pytest.raises(ArgumentError, match="windows = 65: of pixels the last one ends at frame 585"):
        rank(real, {"a": fading, "b": uneven}, protocol, settings=many)
    monkeypatch.setattr(feasibility, "_FEW_WINDOWS", 2)
    assert evaluate(real, uneven, protocol, settings=WINDOWS).scores[3].fake.clips == 7


def test_windows_are_curves_by_metric_and_protocol(result: Result) -> None:
    ((key, scores),) = curves(result.scores).items()

    assert key == ("fvd", "pixels")
    assert [score.fake.clips for score in scores] == [12, 12, 12]


@pytest.mark.parametrize("windows", [-1, 10**6])
def test_numbers_of_windows_that_would_run_for_hours_are_refused(windows: int) -> None:
    with pytest.raises(ArgumentError, match=f"windows = {windows}: expected a number of windows, 0 to 1000"):
        Settings(windows=windows)
