"""Intervals, floors and extrapolations, against populations whose distance is known."""

import itertools

import numpy as np
import pytest

from fvd_bench import metrics
from fvd_bench.errors import MetricError
from fvd_bench.estimate import Estimate
from fvd_bench.features import feature_set
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics.extrapolation import floor, infinite
from fvd_bench.metrics.frechet import frechet_distance
from fvd_bench.metrics.measurement import _shifted, measure
from fvd_bench.metrics.metric import Metric
from fvd_bench.metrics.uncertainty import Spread, holm, p_value, quantile, standard_error
from fvd_bench.protocols.rules import MetricRule
from tests.lazy_module import LazyModule

stats = LazyModule("scipy.stats")

FVD = MetricRule(names=("fvd",))
SPREAD = 1 / np.arange(1, 25)
"""Standard deviations of the 24 features."""


def _real(rng: np.random.Generator, n: int) -> np.ndarray:
    return (rng.standard_normal((n, 24)) * SPREAD).astype(np.float32)


def _fake(rng: np.random.Generator, n: int) -> np.ndarray:
    return (1.5 * rng.standard_normal((n, 24)) * SPREAD + 0.2).astype(np.float32)


DISTANCE = 24 * 0.2**2 + 0.5**2 * np.sum(SPREAD**2)


def _sides(real: np.ndarray, fake: np.ndarray) -> dict[str, FeatureSet]:
    return {"real": FeatureSet.of(real), "fake": FeatureSet.of(fake)}


def _trials(n: int, m: int, trials: int) -> list[dict[str, FeatureSet]]:
    rngs = [np.random.default_rng([n, m, trial]) for trial in range(trials)]
    return [_sides(_real(rng, n), _fake(rng, m)) for rng in rngs]


@pytest.fixture(scope="module")
def measured():
    return [measure([sides], FVD, seed=0)["fvd"] for sides in _trials(60, 40, 90)]


def test_the_interval_holds_the_expected_score(measured) -> None:
    expected = np.mean([m.values[0] for m in measured])

    held = np.mean([m.interval[0] <= expected <= m.interval[1] for m in measured])

    assert 0.89 <= held <= 1.0  # 95 % of 90 trials, give or take two and a half standard errors
    widths = [m.interval[1] - m.interval[0] for m in measured]
    assert np.mean(widths) < 1.4 * 2 * 1.96 * np.std([m.values[0] for m in measured])  # and it is not held by its width


def test_the_extrapolation_removes_the_bias_and_knows_its_error(measured) -> None:
    bias = np.mean([m.values[0] for m in measured]) - DISTANCE
    left = np.mean([m.infinite.value for m in measured]) - DISTANCE
    held = np.mean([m.infinite.interval[0] <= DISTANCE <= m.infinite.interval[1] for m in measured])

    assert bias > 0.1 * DISTANCE
    assert abs(left) < 0.25 * bias
    assert held >= 0.89


def test_the_floor_is_what_two_real_sets_score() -> None:
    rng = np.random.default_rng(5)
    direct = [frechet_distance(_real(rng, 60), _real(rng, 40), ddof=0) for _ in range(200)]

    floors = [floor("fvd", sides, FVD, seed=0) for sides in _trials(60, 40, 40)]

    assert np.mean([f.value for f in floors]) == pytest.approx(np.mean(direct), rel=0.08)
    below = np.mean([[score <= f.interval[1] for score in direct] for f in floors])
    assert 0.9 <= below <= 1.0
    assert np.median([f.interval[1] for f in floors]) < 2.8 * np.mean(direct)  # single scores vary by 38 %


def test_clips_of_one_video_count_as_one() -> None:
    rng = np.random.default_rng(0)
    real, fake = _real(rng, 50), _fake(rng, 50)
    four_times, owners = np.repeat(fake, 4, axis=0), np.repeat(np.arange(50), 4)
    clips = {"real": FeatureSet.of(real), "fake": FeatureSet.of(four_times, owners)}
    videos = {"real": FeatureSet.of(real), "fake": FeatureSet.of(four_times)}

    once, as_clips, as_videos = (_spread(sides).error("fake") for sides in (_sides(real, fake), clips, videos))

    assert as_clips == pytest.approx(once, rel=1e-6)
    assert as_videos == pytest.approx(once / 2, rel=0.05)
    densities = [_spread(sides, name="density").contributions("fake") for sides in (_sides(real, fake), clips)]
    assert densities[1] == pytest.approx(densities[0], rel=1e-6)


def _spread(*repeats: dict[str, FeatureSet], name: str = "fvd") -> Spread:
    spread = Spread(name, MetricRule(names=(name,)))
    for sides in repeats:
        spread.add(sides)
    return spread


def test_repeats_lessen_the_chance_of_the_draws_and_no_other() -> None:
    """Two repeats of the same videos are not twice as many videos."""
    rng = np.random.default_rng(0)
    real, fake, jitter = _real(rng, 80), _fake(rng, 80), [_real(rng, 80) for _ in range(2)]
    one, other = (_sides(real + j, fake) for j in jitter)

    assert _spread(one, one).error("real") == pytest.approx(_spread(one).error("real"), rel=1e-9)
    assert _spread(one, other).error("fake") == pytest.approx(_spread(one).error("fake"), rel=0.1)
    assert _spread(one, other).error("real") < _spread(one).error("real")


def test_a_side_of_moments_alone_has_no_error_of_its_own(monkeypatch) -> None:
    (sides,) = _trials(60, 40, 1)
    whole = _spread(sides)
    monkeypatch.setattr(feature_set, "_KEPT_VALUES", 0)
    folded = {"real": FeatureSet.of(sides["real"].features()), "fake": sides["fake"]}

    spread = _spread(folded)

    assert spread.error("real") is None
    assert spread.error("fake") == pytest.approx(whole.error("fake"), rel=1e-6)
    assert spread.interval(1.0) is None
    assert spread.unknown() == "how much the real videos matter to it is not known"
    assert floor("fvd", folded, FVD, seed=0) == "of the real side only mean and covariance were kept"
    assert infinite(spread, folded, seed=0) == "of the real side only mean and covariance were kept"


@pytest.mark.parametrize("folded", [("real",), ("fake",), ("real", "fake")])
def test_sides_too_large_to_be_kept_have_the_interval_of_kept_ones(monkeypatch, folded: tuple[str, ...]) -> None:
    """Their features are gone through once more, and not by covariances as those of large sides that are kept."""
    rng, owners = np.random.default_rng(0), np.repeat(np.arange(40), 2)
    features = {"real": _real(rng, 80), "fake": _fake(rng, 80)}
    kept = {side: FeatureSet.of(values, owners) for side, values in features.items()}
    sides = dict(kept)
    monkeypatch.setattr(feature_set, "_FOLD_ROWS", 16)
    for side in folded:
        parts = list(enumerate(np.split(features[side], 40)))
        monkeypatch.setattr(feature_set, "_KEPT_VALUES", 0)
        sides[side] = FeatureSet(24, again=lambda parts=parts: iter(parts))
        for video, part in parts:
            sides[side].add(part, video=video)
        assert sides[side].features() is None

    large, small = _spread(sides), _spread(kept)

    for side in ("real", "fake"):
        assert large.error(side) == pytest.approx(small.error(side), rel=1e-5)
    assert large.interval(3.0) == pytest.approx(small.interval(3.0), rel=1e-5)


def test_too_few_videos_have_no_floor() -> None:
    (sides,) = _trials(7, 40, 1)

    assert floor("fvd", sides, FVD, seed=0) == "7 real videos, or groups of them, are too few to be cut into quarters"
    assert infinite(_spread(sides), sides, seed=0) == "fewer than 8 videos"
    batches = MetricRule(names=("fvd",), aggregation="batch-mean", batch=4)  # of which each quarter needs one
    for count, told in ((15, "15 real videos, or groups of them, are too few to be cut into quarters"), (16, None)):
        found = floor("fvd", *_trials(count, 40, 1), batches, seed=0)
        assert (found == told) if told else isinstance(found, Estimate)


def test_one_fake_video_of_several_clips_has_a_floor() -> None:
    """Its like is two real videos, of a clip each, as one feature has no covariance."""
    (sides,) = _trials(40, 6, 1)
    features = sides["fake"].features()
    one, two = FeatureSet.of(features, np.zeros(6, dtype=np.int64)), FeatureSet.of(features[:2])

    found = floor("fvd", {**sides, "fake": one}, FVD, seed=0)

    assert isinstance(found, Estimate)
    assert found == floor("fvd", {**sides, "fake": two}, FVD, seed=0)


def test_the_floor_of_batch_means_is_that_of_batches() -> None:
    """A mean over batches does not fall with the number of videos, so nor does its floor."""
    rule = MetricRule(names=("fvd",), aggregation="batch-mean", batch=4)

    small, large = (floor("fvd", sides, rule, seed=0) for sides in (_trials(64, 64, 1) + _trials(256, 256, 1)))

    rng = np.random.default_rng(0)
    direct = [metrics.compute("fvd", *map(FeatureSet.of, (_real(rng, 64), _real(rng, 64))), rule) for _ in range(10)]

    assert large.value == pytest.approx(small.value, rel=0.25)
    assert large.value == pytest.approx(np.mean(direct), rel=0.15)
    assert floor("fvd", *_trials(64, 64, 1), FVD, seed=0).value < small.value / 2


@pytest.mark.parametrize("fakes", [16, 20, 40])
def test_batches_that_quarters_of_few_fakes_would_not_fill_have_a_floor(fakes: int) -> None:
    rule = MetricRule(names=("fvd",), aggregation="batch-mean", batch=16)
    (sides,), (many,) = _trials(64, fakes, 1), _trials(64, 64, 1)

    found = measure([sides], rule, seed=0)["fvd"]

    assert found.values == (metrics.compute("fvd", sides["real"], sides["fake"], rule),)
    assert found.floor.value == pytest.approx(floor("fvd", many, rule, seed=0).value, rel=0.2)


def test_a_metric_that_needs_more_than_parts_hold_keeps_its_score(monkeypatch: pytest.MonkeyPatch) -> None:
    def compute(real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> float:
        if min(real.count, fake.count) < 40:
            raise MetricError("at least 40 are needed")
        return float(np.sum((real.mean() - fake.mean()) ** 2))

    demanding = Metric(name="demanding", compute=compute, lower_is_better=True, rises_by_chance=True)
    monkeypatch.setitem(metrics.METRICS.built_in, "demanding", demanding)
    (sides,) = _trials(60, 50, 1)
    found = measure([sides], MetricRule(names=("demanding",)), seed=0)["demanding"]

    assert found.values == (compute(sides["real"], sides["fake"], FVD),) and found.interval is not None
    why = "it cannot be computed of parts of the videos: at least 40 are needed"
    assert found.unknown == {"floor": why, "infinite": why}


def test_an_unknown_number_of_videos_is_not_called_few() -> None:
    (sides,) = _trials(60, 50, 1)
    real = FeatureSet.of_moments(np.zeros(24), np.eye(24), count=None, ddof=1)

    found = measure([{**sides, "real": real}], FVD, seed=0)["fvd"]

    assert found.unknown["infinite"] == "of the real side only mean and covariance were kept"


def test_the_same_features_give_the_same_numbers() -> None:
    first, second, other = (measure(_trials(40, 30, 1), FVD, seed=seed)["fvd"] for seed in (3, 3, 4))

    assert (first.interval, first.floor, first.infinite) == (second.interval, second.floor, second.infinite)
    assert first.floor != other.floor and first.infinite != other.infinite and first.interval == other.interval


def test_the_bootstrap_would_lie_above_the_score() -> None:
    """Why nothing here draws with repetition."""
    (sides,) = _trials(60, 40, 1)
    real, fake = sides["real"].features(), sides["fake"].features()
    rng = np.random.default_rng(0)

    resampled = [
        frechet_distance(real[rng.integers(0, 60, 60)], fake[rng.integers(0, 40, 40)], ddof=0) for _ in range(100)
    ]

    assert np.mean(resampled) > measure([sides], FVD, seed=0)["fvd"].values[0] + 0.5 * np.std(resampled)


def test_sides_of_the_same_videos_vary_together() -> None:
    """Shuffled copies against their originals: what is between them is sure, and has no floor."""
    rng = np.random.default_rng(0)
    trials = []
    for _ in range(100):
        real = _real(rng, 60)
        sides = _sides(real, real * 1.2 + 0.05 * _real(rng, 60))
        trials.append(measure([sides], FVD, seed=0, same_videos=True)["fvd"])

    spread = np.std([m.values[0] for m in trials])

    assert np.mean([m.spread.error("real") for m in trials]) == pytest.approx(spread, rel=0.25)
    assert {(m.floor, m.infinite, m.spread.error("fake")) for m in trials} == {(None, None, None)}
    apart = _spread(sides)
    assert np.hypot(apart.error("real"), apart.error("fake")) > 1.5 * spread


@pytest.mark.parametrize("fakes", [6, 12])
def test_the_floor_of_few_fake_videos_is_scored_directly(fakes: int) -> None:
    rng = np.random.default_rng(5)
    direct = [frechet_distance(_real(rng, 400), _real(rng, fakes), ddof=0) for _ in range(100)]

    floors = [floor("fvd", sides, FVD, seed=0) for sides in _trials(400, fakes, 20)]

    assert np.mean([f.value for f in floors]) == pytest.approx(np.mean(direct), rel=0.1)
    assert max(f.value for f in floors) < 1.6 * np.mean(direct)


def test_one_batch_or_one_video_is_unknown_and_not_sure() -> None:
    (sides,) = _trials(9, 9, 1)
    batch = Spread("fvd", MetricRule(names=("fvd",), aggregation="batch-mean", batch=8))
    batch.add(sides)
    one_video = _spread({**sides, "fake": FeatureSet.of(sides["fake"].features(), np.zeros(9, dtype=np.int64))})

    assert batch.interval(5.0) is None
    assert one_video.error("fake") is None and one_video.error("real") is not None
    assert one_video.interval(5.0) is None


def test_a_jackknife_does_not_leave_out_all_videos_of_a_kind() -> None:
    """As groups of every 20th video would, of a listing of twenty kinds in turn."""
    rng = np.random.default_rng(3)
    kinds, real = rng.normal(size=(20, 3)), rng.normal(size=(80, 3))
    fake = np.tile(kinds, (8, 1)) + 0.1 * rng.normal(size=(160, 3))

    in_turn, mixed = (
        _spread(_sides(real, side.astype(np.float32)), name="density").error("fake")
        for side in (fake, rng.permutation(fake))
    )

    assert in_turn < 1.7 * mixed


def test_a_jackknife_of_too_few_videos_knows_no_error() -> None:
    """Of four real ones three are left, whose balls reach to no third neighbour."""
    spread = _spread(*_trials(4, 40, 1), name="precision")

    assert spread.error("real") is None and spread.interval(0.5) is None
    assert spread.unknown() == "how much the real videos matter to it is not known"


def test_a_precision_of_exactly_1_is_not_sure() -> None:
    real = _real(np.random.default_rng(0), 40)
    spread = _spread(_sides(real, real), name="precision")

    assert spread.error("fake") is None and spread.interval(1.0) is None
    assert spread.unknown() == "how much the fake videos matter to it is not known"


def test_a_score_that_no_video_moves_is_not_sure_to_the_last_bit() -> None:
    """Each fake video is there twice, and the mean of twenty times 23/24 is not 23/24."""
    rng = np.random.default_rng(2)
    real, fake = rng.normal(size=(24, 2)), np.repeat(rng.normal(size=(10, 2)), 2, axis=0)
    spread = _spread(_sides(real, fake), name="coverage")

    assert spread.error("fake") is None and spread.interval(23 / 24) is None


@pytest.mark.parametrize(("name", "value"), [("precision", 0.99), ("coverage", 0.01)])
def test_intervals_stay_where_a_metric_can_be(name: str, value: float) -> None:
    spread = _spread(*_trials(40, 40, 1), name=name)

    low, high = spread.interval(value)

    assert 0 <= low <= value <= high <= 1


def test_few_videos_have_the_quantile_of_students_t() -> None:
    """From a table of the distribution."""
    assert quantile(5) == pytest.approx(2.7764, abs=1e-4)
    assert quantile(11, tail=0.05) == pytest.approx(1.8125, abs=1e-4)


@pytest.mark.parametrize("name", ["kvd", "kvd-biased"])
def test_kernel_distances_reach_further_up_than_down(name: str) -> None:
    """By the half width over the value, where the value is more than that."""
    spread = _spread(*_trials(60, 40, 1), name=name)
    half = spread.half_width()

    assert half == pytest.approx(quantile(40) * np.hypot(spread.error("real"), spread.error("fake")), rel=1e-9)
    for value, above in ((4 * half, 1.25 * half), (0.5 * half, 2 * half)):
        low = value - half if name == "kvd" else max(0.0, value - half)
        assert spread.interval(value) == pytest.approx((low, value + above), rel=1e-9)


def test_repeats_move_the_value_at_infinity_as_they_move_the_score() -> None:
    rng = np.random.default_rng(0)
    one, other = (_sides(_real(rng, 80), _fake(rng, 80)) for _ in range(2))
    first, both = (measure(repeats, FVD, seed=0)["fvd"] for repeats in ([one], [one, other]))

    moved = np.mean(both.values) - first.values[0]
    assert abs(moved) > 1e-3
    assert both.infinite.value - first.infinite.value == pytest.approx(moved, rel=1e-9)
    assert both.floor == first.floor


def test_what_repeats_would_move_below_zero_ends_there() -> None:
    assert _shifted(Estimate(1.0, (0.5, 2.0)), -1.5) == Estimate(0.0, (0.0, 0.5))


def test_a_value_of_rounding_is_inside_its_interval() -> None:
    low, high = _spread(*_trials(40, 40, 1)).interval(-0.001)

    assert low <= -0.001 <= high


def test_the_error_of_a_sum_is_that_of_a_mean_of_the_population() -> None:
    values = np.random.default_rng(0).normal(size=5)

    assert standard_error(list(values / 5)) == pytest.approx(stats.sem(values), rel=1e-12)


def test_a_p_value_is_that_of_a_t_test() -> None:
    values = np.random.default_rng(1).normal(0.4, 1, size=9)
    test = stats.ttest_1samp(values, 0)

    assert p_value(values.mean(), stats.sem(values), 9) == pytest.approx(test.pvalue, rel=1e-12)
    assert p_value(-values.mean(), stats.sem(values), 9) == pytest.approx(test.pvalue, rel=1e-12)
    assert (p_value(0.0, 0.0, 9), p_value(0.1, 0.0, 9)) == (1.0, 0.0)


def test_holm_is_the_closed_test_of_bonferroni() -> None:
    """A difference is real if Bonferroni's test rejects every set of differences that it is in."""
    rng = np.random.default_rng(2)
    for p in [*rng.uniform(0, 0.3, (5, 5)).tolist(), [0.01, 0.01, 0.04]]:
        sets = [s for size in range(1, len(p) + 1) for s in itertools.combinations(range(len(p)), size)]
        closed = [max(min(1, len(s) * min(p[j] for j in s)) for s in sets if i in s) for i in range(len(p))]

        assert holm(p) == pytest.approx(closed, rel=1e-12)
    assert holm([]) == []
