"""Scores of a set from numbers of frames, and intervals by drawing videos anew."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fvd_bench.paired.averages import RESAMPLES, Averages, averages, contributions
from fvd_bench.paired.measurement import Measured
from fvd_bench.protocols.paired import FlickeringRule, PsnrRule, Rule, SsimRule, load
from tests.lazy_module import LazyModule

torchmetrics = LazyModule("torchmetrics.image")

SSIM = SsimRule(window="gaussian", size=11)
PER_FRAME = SsimRule(window="gaussian", size=11, average="frames")


def of(rule: Rule, *videos: list[float], size: tuple[int, int] = (4, 4), groups: list[int] | None = None) -> Averages:
    """The averages of videos with these numbers of frames."""
    names = {SsimRule: SSIM, PsnrRule: "exact", FlickeringRule: "fake"}
    pairs = [Measured(size, (len(v), len(v)), {names[type(rule)]: v}) for v in videos]
    return averages(contributions(rule, pairs), groups or range(len(videos)), 0)


def test_videos_or_frames_count_the_same() -> None:
    videos = [1.0, 1.0, 1.0, 1.0], [0.0]

    assert of(SSIM, *videos).value == 0.5
    assert of(PER_FRAME, *videos).value == 0.8


def test_the_curve_is_the_mean_of_the_videos_that_have_a_frame() -> None:
    found = of(SSIM, [1.0, 0.5], [0.0])

    assert found.curve.tolist() == [0.5, 0.5]
    assert found.videos.tolist() == [2, 1]
    assert found.intervals[0].tolist() == [0, 1] and np.isnan(found.intervals[1]).all()


def test_psnr_of_frames_videos_and_all() -> None:
    """The same errors under three conventions, by hand."""
    errors = [1.0, 100.0], [25.0, 25.0]
    decibels = [[20 * np.log10(255 / e**0.5) for e in video] for video in errors]

    assert of(PsnrRule(pool="frame"), *errors).value == pytest.approx(np.mean(decibels))
    per_video = [10 * np.log10(255**2 / np.mean(video)) for video in errors]
    assert of(PsnrRule(pool="video"), *errors).value == pytest.approx(np.mean(per_video))
    assert of(PsnrRule(pool="all"), *errors).value == pytest.approx(10 * np.log10(255**2 / np.mean(errors)))
    for pool in ("frame", "video"):
        assert of(PsnrRule(pool=pool), *errors).curve == pytest.approx(np.mean(decibels, axis=0))
    assert of(PsnrRule(pool="all"), *errors).curve == pytest.approx(10 * np.log10(255**2 / np.mean(errors, axis=0)))


def test_psnr_of_all_is_what_torchmetrics_accumulates() -> None:
    """Over videos of unequal sizes and lengths."""
    rule = load("torchmetrics").psnr
    assert rule is not None
    random = np.random.default_rng(2)
    metric = torchmetrics.PeakSignalNoiseRatio(data_range=1.0)
    pairs = []
    for height, width, frames in ((8, 9, 3), (12, 7, 5)):
        real, fake = random.integers(0, 256, (2, frames, 3, height, width))
        metric.update(torch.from_numpy(fake / 255), torch.from_numpy(real / 255))
        errors = ((real - fake) ** 2.0).mean(axis=(1, 2, 3)).tolist()
        pairs.append(Measured((width, height), (frames, frames), {"exact": errors}))

    found = averages(contributions(rule, pairs), [0, 1], 0)

    assert found.value == pytest.approx(metric.compute().item(), rel=1e-6)


def test_equal_frames_are_infinite_or_capped() -> None:
    assert of(PsnrRule(pool="frame"), [0.0, 4.0], [4.0, 4.0]).value == np.inf
    assert of(PsnrRule(pool="frame"), [0.0, 4.0], [4.0, 4.0]).interval is None
    assert of(PsnrRule(pool="frame", most=100), [0.0], [0.0]).value == 100


def test_an_interval_that_has_no_end_is_not_known() -> None:
    """Half of the videos are equal to their originals, and so are all of some sets that are drawn of them."""
    found = of(PsnrRule(pool="all"), [0.0, 4.0], [0.0, 0.0])

    assert np.isfinite(found.value) and found.interval is None
    assert np.isnan(found.intervals).all()


def test_the_interval_is_that_of_the_mean() -> None:
    """Of 400 values that are nearly normal: 1.96 standard errors on either side."""
    values = np.random.default_rng(1).normal(0.5, 0.1, 400)
    error = values.std() / 20

    low, high = of(SSIM, *([v] for v in values.tolist())).interval or (0, 0)

    assert (values.mean() - low) / error == pytest.approx(1.96, rel=0.1)
    assert (high - values.mean()) / error == pytest.approx(1.96, rel=0.1)


def test_the_same_seed_draws_the_same_and_one_video_tells_nothing() -> None:
    values = [[v] for v in np.random.default_rng(3).random(9).tolist()]
    pairs = [Measured((4, 4), (1, 1), {SSIM: v}) for v in values]
    found = [averages(contributions(SSIM, pairs), range(9), seed).interval for seed in (0, 0, 1)]

    assert found[0] == found[1] != found[2]
    assert of(SSIM, [0.5, 0.7]).interval is None
    assert RESAMPLES == 1000


def test_windows_of_one_video_count_as_one() -> None:
    values = [[v] for v in np.random.default_rng(4).random(8).tolist()]
    alone = of(SSIM, *values)
    doubled = of(SSIM, *values, *values, groups=[*range(8), *range(8)])

    assert doubled.interval == pytest.approx(alone.interval)
    assert np.ptp(of(SSIM, *values, *values).interval or 0) < 0.9 * np.ptp(alone.interval or 0)
