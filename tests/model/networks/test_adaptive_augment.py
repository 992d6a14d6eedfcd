"""The probability of augmentation."""

import math

import numpy as np
import pytest

from stylegan_v.networks.adaptive_augment import AdaptiveProbability


@pytest.mark.parametrize(("kimg", "step"), [(100.0, 0.00256), (500.0, 0.000512)])
def test_probability_moves_by_one_step_per_interval(kimg: float, step: float) -> None:
    adaptive = AdaptiveProbability(batch_videos=64, kimg=kimg)

    history = []
    for _ in range(8):
        adaptive.update(52.0, 64)  # a mean of 0.8125
        history.append(adaptive.p)

    assert history == pytest.approx([0, 0, 0, step, step, step, step, 2 * step], abs=1e-15)


def test_probability_has_a_floor_and_no_ceiling() -> None:
    adaptive = AdaptiveProbability(batch_videos=64)
    adaptive.load_state_dict({"p": 0.999, "sum_of_signs": 0.0, "count": 0, "iterations": 0})

    adapt(adaptive, mean_sign=0.61)
    assert adaptive.p == pytest.approx(1.00156)
    adapt(adaptive, mean_sign=0.6)
    assert adaptive.p == pytest.approx(1.00156)
    adapt(adaptive, mean_sign=0.59)
    assert adaptive.p == pytest.approx(0.999)
    adapt(adaptive, mean_sign=math.nan)
    assert adaptive.p == pytest.approx(0.999)
    adaptive.load_state_dict({"p": 0.001, "sum_of_signs": 0.0, "count": 0, "iterations": 0})
    adapt(adaptive, mean_sign=-1.0)
    assert adaptive.p == 0.0


def test_probability_resumes_inside_an_interval() -> None:
    rng = np.random.default_rng(0)
    sums = rng.integers(30, 50, 30).astype(float)
    whole, first = AdaptiveProbability(batch_videos=64), AdaptiveProbability(batch_videos=64)
    for value in sums:
        whole.update(value, 64)

    for value in sums[:14]:
        first.update(value, 64)
    resumed = AdaptiveProbability(batch_videos=64)
    resumed.load_state_dict(first.state_dict())
    for value in sums[14:]:
        resumed.update(value, 64)

    assert first.state_dict()["iterations"] == 2
    assert resumed.state_dict() == whole.state_dict()
    assert whole.p > 0


def adapt(adaptive: AdaptiveProbability, *, mean_sign: float) -> None:
    for _ in range(4):
        adaptive.update(mean_sign * 100, 100)
