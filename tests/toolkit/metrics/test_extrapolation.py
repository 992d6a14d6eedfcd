"""Floors and scores at infinity with fewer videos than dimensions, where no simple law of their number holds."""

import numpy as np
import pytest

from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics import extrapolation
from fvd_bench.metrics.extrapolation import TOO_FEW, floor, infinite
from fvd_bench.metrics.frechet import frechet_distance
from fvd_bench.metrics.frechet_bias import Overlap
from fvd_bench.metrics.measurement import measure
from fvd_bench.metrics.uncertainty import Spread, quantile
from fvd_bench.protocols.rules import MetricRule

FVD = MetricRule(names=("fvd",))
DIM = 60


def _features(rng: np.random.Generator, count: int, slope: float = 1.0) -> np.ndarray:
    return (rng.standard_normal((count, DIM)) * np.arange(1, DIM + 1) ** (-slope / 2)).astype(np.float32)


def _clips(rng: np.random.Generator, videos: int) -> np.ndarray:
    """Four clips of each video, which are much alike."""
    own, shared = _features(rng, 4 * videos), np.repeat(_features(rng, videos), 4, axis=0)
    return np.sqrt(0.9, dtype=np.float32) * shared + np.sqrt(0.1, dtype=np.float32) * own


def _sides(real: np.ndarray, fake: np.ndarray, owners: np.ndarray | None = None) -> dict[str, FeatureSet]:
    return {"real": FeatureSet.of(real, owners), "fake": FeatureSet.of(fake, owners)}


@pytest.mark.parametrize(("n", "m", "slope"), [(24, 24, 1.0), (24, 24, 1.7), (16, 120, 1.3), (120, 16, 1.3)])
def test_the_floor_holds_below_rank(n: int, m: int, slope: float) -> None:
    rng = np.random.default_rng([n, m])
    scores = [frechet_distance(_features(rng, n, slope), _features(rng, m, slope), ddof=0) for _ in range(100)]

    floors = [floor("fvd", _sides(_features(rng, n, slope), np.zeros((m, DIM))), FVD, seed=t) for t in range(20)]

    assert np.mean([f.value for f in floors]) == pytest.approx(np.mean(scores), rel=0.1)
    assert np.mean([[score <= f.interval[1] for score in scores] for f in floors]) >= 0.95
    assert np.median([f.interval[1] for f in floors]) < 2.6 * np.mean(scores)


def test_the_floor_counts_by_video_and_not_by_clip() -> None:
    """The law of chance would count 96 clips; scores of quarters show that there are fewer."""
    rng, owners = np.random.default_rng(0), np.repeat(np.arange(24), 4)
    scores = [frechet_distance(_clips(rng, 24), _clips(rng, 24), ddof=0) for _ in range(60)]

    floors = [floor("fvd", _sides(_clips(rng, 24), _clips(rng, 24), owners), FVD, seed=t) for t in range(20)]

    assert np.mean([f.value for f in floors]) == pytest.approx(np.mean(scores), rel=0.12)
    assert np.mean([[score <= f.interval[1] for score in scores] for f in floors]) >= 0.95


@pytest.mark.parametrize(("real_clips", "fake_clips", "fakes"), [(8, 1, 24), (8, 1, 96), (1, 8, 24)])
def test_the_floor_counts_by_video_where_the_sides_have_other_numbers_of_clips(
    real_clips: int, fake_clips: int, fakes: int
) -> None:
    """As where all frames of real videos stand against some of each fake one."""

    def side(rng: np.random.Generator, videos: int, clips: int) -> FeatureSet:
        shared, own = rng.standard_normal((videos, 1, 6)), rng.standard_normal((videos, clips, 6))
        features = np.sqrt(0.8) * shared + np.sqrt(0.2) * own
        return FeatureSet.of(features.reshape(-1, 6).astype(np.float32), np.repeat(np.arange(videos), clips))

    scores, floors = [], []
    for trial in range(20):
        rng = np.random.default_rng([trial, fakes])
        sides = {"real": side(rng, 24, real_clips), "fake": side(rng, fakes, fake_clips)}
        scores.append(frechet_distance(sides["real"].features(), sides["fake"].features()))
        floors.append(floor("fvd", sides, FVD, seed=trial))

    assert np.mean([f.value for f in floors]) == pytest.approx(np.mean(scores), rel=0.3)
    assert np.mean([[score <= f.interval[1] for score in scores] for f in floors]) >= 0.93


def test_the_floor_is_as_unsure_as_its_correction_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """And by Student's t as the spread of few pieces is."""
    rng, owners = np.random.default_rng(0), np.repeat(np.arange(24), 4)
    sides = _sides(_clips(rng, 24), _clips(rng, 24), owners)
    corrected = floor("fvd", sides, FVD, seed=0)
    monkeypatch.setattr(extrapolation, "_DOUBLINGS", 0.0)
    plain = floor("fvd", sides, FVD, seed=0)
    monkeypatch.setattr(extrapolation, "_KNOWN_BY", 1)
    of_two = floor("fvd", sides, FVD, seed=0)

    widths = [np.log(f.interval[1] / f.value) for f in (corrected, plain, of_two)]
    correction = np.log(corrected.value / plain.value)
    assert correction > 0.1
    assert widths[0] == pytest.approx(np.hypot(widths[1], 2 * correction), rel=1e-9)
    assert widths[1:] == pytest.approx([quantile(5) * 0.126, quantile(2) * 0.126], rel=0.01)
    assert corrected.interval[0] == pytest.approx(corrected.value**2 / corrected.interval[1], rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(24, 24), (24, 200), (200, 24)])
def test_there_is_no_infinity_below_rank(n: int, m: int) -> None:
    rng = np.random.default_rng(0)

    found = measure([_sides(_features(rng, n), _features(rng, m))], FVD, seed=0)["fvd"]

    assert found.infinite is None and found.unknown == {"infinite": TOO_FEW}
    assert found.floor is not None and found.interval is not None


def test_clips_of_few_videos_have_no_infinity() -> None:
    rng, owners = np.random.default_rng(0), np.repeat(np.arange(24), 4)

    found = measure([_sides(_clips(rng, 24), _clips(rng, 24), owners)], FVD, seed=0)["fvd"]

    assert found.unknown == {"infinite": TOO_FEW}


def test_the_value_at_infinity_is_as_unsure_as_a_straight_line_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    sides = _sides(_features(rng, 80), 1.5 * _features(rng, 80))
    spread = Spread("fvd", FVD)
    spread.add(sides)
    by_law = infinite(spread, sides, seed=0)
    monkeypatch.setattr(Overlap, "added", lambda self, n, m, ddof: 1 / n + 1 / m)
    straight = infinite(spread, sides, seed=0)

    off = abs(by_law.value - straight.value)
    assert off > 0.05 * straight.value
    assert straight.interval[1] - straight.value == pytest.approx(spread.half_width(), rel=1e-9)
    assert by_law.interval[1] - by_law.value == pytest.approx(np.hypot(spread.half_width(), off), rel=1e-9)


@pytest.mark.parametrize("count", [90, 150])
def test_the_infinity_of_equal_populations_is_0(count: int) -> None:
    found = []
    for trial in range(20):
        rng = np.random.default_rng([trial, count])
        found.append(measure([_sides(_features(rng, count), _features(rng, count))], FVD, seed=0)["fvd"])

    assert np.mean([m.infinite.value for m in found]) < 0.05 * np.mean([m.values[0] for m in found])
    assert np.mean([m.infinite.interval[0] == 0 for m in found]) >= 0.9


def test_an_odd_number_of_videos_has_the_infinity_of_its_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Halves of 5 and of 4 of 9 videos: on average over all cuts, what chance adds to a square is known."""
    monkeypatch.setattr(extrapolation, "_CUTS", ((2**19, 400),))
    rng, rule = np.random.default_rng(0), MetricRule(names=("kvd-biased",))
    sides = {"real": FeatureSet.of(np.ones((9, 1))), "fake": FeatureSet.of(rng.uniform(1.5, 2.5, (9, 1)))}
    spread = Spread("kvd-biased", rule)
    spread.add(sides)

    found = infinite(spread, sides, seed=0)

    squares = sides["fake"].features() ** 2
    chance = [100 * ((squares.mean() - 1) ** 2) - found.value, 100 * squares.var(ddof=1) / 9]
    assert chance[0] == pytest.approx(chance[1], rel=0.1)


def test_a_floor_of_second_moments_falls_with_the_number_of_videos() -> None:
    rng, rule = np.random.default_rng(0), MetricRule(names=("kvd-biased",))
    real = _features(rng, 80)

    few, many = (floor("kvd-biased", _sides(real, np.zeros((m, DIM))), rule, seed=0) for m in (40, 400))

    assert many.value == pytest.approx(few.value * (1 / 80 + 1 / 400) / (1 / 80 + 1 / 40), rel=0.35)
