"""Influence functions, against what a feature's weight does, and against how metrics vary."""

import numpy as np
import pytest

from fvd_bench import metrics
from fvd_bench.errors import MetricError
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics import kernel
from fvd_bench.metrics.uncertainty import Spread
from fvd_bench.protocols.rules import MetricRule


def _sides(seed: int, n: int = 60, m: int = 50, dim: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)).astype(np.float32), (rng.normal(size=(m, dim)) * 1.4 + 0.2).astype(np.float32)


def _weighted_biased(real: np.ndarray, weights: np.ndarray, fake: np.ndarray, fake_weights: np.ndarray) -> float:
    def second(features: np.ndarray, by: np.ndarray) -> np.ndarray:
        return np.einsum("n,ni,nj->ij", by, features.astype(float), features.astype(float))

    return 100 * np.sum(((second(real, weights) - second(fake, fake_weights)) / real.shape[1]) ** 2)


def _weighted_cubic(real: np.ndarray, weights: np.ndarray, fake: np.ndarray, fake_weights: np.ndarray) -> float:
    """The V-statistic, which has the influence of the unbiased one but for pairs of a feature with itself."""

    def mean(a: np.ndarray, a_by: np.ndarray, b: np.ndarray, b_by: np.ndarray) -> float:
        return float(a_by @ ((a.astype(float) @ b.T.astype(float) / a.shape[1] + 1) ** 3) @ b_by)

    inner = mean(real, weights, real, weights) + mean(fake, fake_weights, fake, fake_weights)
    return inner - 2 * mean(real, weights, fake, fake_weights)


def _weighted_is(real: np.ndarray, weights: np.ndarray, fake: np.ndarray, fake_weights: np.ndarray) -> float:
    shares = np.exp(fake.astype(float)) / np.exp(fake.astype(float)).sum(axis=1, keepdims=True)
    return float(np.exp(fake_weights @ np.sum(shares * np.log(shares / (fake_weights @ shares)), axis=1)))


@pytest.mark.parametrize(
    ("name", "weighted", "tolerance"),
    [("kvd-biased", _weighted_biased, 1e-3), ("is", _weighted_is, 1e-3), ("kvd", _weighted_cubic, 0.15)],
)
def test_it_is_the_derivative_by_a_features_weight(name: str, weighted, tolerance: float) -> None:
    real, fake = _sides(0, 400, 300) if name == "kvd" else _sides(0)
    found = metrics.METRICS[name].influence(FeatureSet.of(real), FeatureSet.of(fake))
    even = [np.full(len(side), 1 / len(side)) for side in (real, fake)]
    epsilon = 1e-6

    for side in (0, 1):
        gains = []
        for place in range(10):
            weights = [w.copy() for w in even]
            weights[side] *= 1 - epsilon
            weights[side][place] += epsilon
            gain = weighted(real, weights[0], fake, weights[1]) - weighted(real, even[0], fake, even[1])
            gains.append(gain / epsilon)
        scale = np.abs(found[side]).max()
        np.testing.assert_allclose(gains, found[side][:10], atol=tolerance * max(scale, 1e-9))


def test_that_of_an_unbiased_kernel_distance_leaves_out_each_feature_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the centred projection, pair by pair. With blocks of 5 rows, of which the last one is not full."""
    monkeypatch.setattr(kernel, "_ROWS", 5)
    real, fake = (side.astype(float) for side in _sides(0, 12, 9))

    def mean(x: np.ndarray, others: list[np.ndarray]) -> float:
        return float(np.mean([(x @ y / len(x) + 1) ** 3 for y in others]))

    expected = np.array(
        [mean(x, [y for j, y in enumerate(real) if j != i]) - mean(x, list(fake)) for i, x in enumerate(real)]
    )

    found = metrics.METRICS["kvd"].influence(
        FeatureSet.of(real.astype(np.float32)), FeatureSet.of(fake.astype(np.float32))
    )
    np.testing.assert_allclose(found[0], 2 * (expected - expected.mean()), rtol=1e-9)


@pytest.mark.parametrize("name", ["kvd", "kid"])
def test_a_single_feature_has_none_under_an_unbiased_kernel(name: str) -> None:
    real, fake = map(FeatureSet.of, _sides(0, n=1))
    with pytest.raises(MetricError, match="1 real and 50 fake features: at least 2 of each"):
        metrics.METRICS[name].influence(real, fake)


@pytest.mark.parametrize(("name", "fakes"), [("fvd", 100), ("kvd", 100), ("kvd-biased", 100), ("is", 1000)])
def test_it_predicts_how_a_metric_varies(name: str, fakes: int) -> None:
    rule = MetricRule(names=(name,))
    values, errors = [], []
    for seed in range(150):
        real, fake = map(FeatureSet.of, _sides(seed, 120, fakes))
        spread = Spread(name, rule)
        spread.add({"real": real, "fake": fake})
        values.append(metrics.compute(name, real, fake, rule))
        errors.append(np.hypot(spread.error("real") or 0.0, spread.error("fake") or 0.0))

    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(values), rel=0.2)


@pytest.mark.parametrize("fakes", [60, 400])
def test_that_of_kid_knows_its_subsets(fakes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Subsets that hold as many features together as there are, and so leave out a third of them: as those of KID do
    with 100,000 frames."""
    monkeypatch.setattr(kernel, "_SUBSETS", 10)
    monkeypatch.setattr(kernel, "_SUBSET_SIZE", 40)
    values, errors, rule = [], [], MetricRule(names=("kid",))
    for seed in range(120):
        real, fake = map(FeatureSet.of, _sides(seed, 400, fakes))
        spread = Spread("kid", rule)
        spread.add({"real": real, "fake": fake})
        values.append(metrics.compute("kid", real, fake, rule))
        errors.append(np.hypot(spread.error("real") or 0.0, spread.error("fake") or 0.0))

    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(values), rel=0.2)


@pytest.mark.parametrize("name", ["precision", "recall", "density", "coverage"])
def test_the_jackknife_stands_in_where_none_is_known(name: str) -> None:
    """These are not smooth, so it errs, to the side of caution."""
    rule = MetricRule(names=(name,))
    values, errors = [], []
    for seed in range(30):
        real, fake = map(FeatureSet.of, _sides(seed, 60, 50))
        assert metrics.METRICS[name].influence(real, fake) is None
        spread = Spread(name, rule)
        spread.add({"real": real, "fake": fake})
        values.append(metrics.compute(name, real, fake, rule))
        errors.append(np.hypot(spread.error("real") or 0.0, spread.error("fake") or 0.0))

    assert 0.8 * np.std(values) < np.sqrt(np.mean(np.square(errors))) < 3 * np.std(values)


@pytest.mark.parametrize("name", ["density", "coverage"])
def test_the_jackknife_of_repeats_knows_their_videos_again(name: str) -> None:
    """Of nine in ten fake videos each time, which hardly lessens what their drawing does. No repeat lacks the same."""
    ratios = []
    for seed in range(12):
        real, fake = _sides(seed, 80, 110, dim=3)
        spreads = []
        for repeats in (1, 6):
            spreads.append(Spread(name, MetricRule(names=(name,))))
            for repeat in range(repeats):
                taken = np.sort(np.random.default_rng([seed, repeat]).permutation(110)[:100])
                sides = {"real": FeatureSet.of(real), "fake": FeatureSet.of(fake[taken], taken)}
                spreads[-1].add(sides)
        ratios.append((spreads[1].error("fake") or 0.0) / (spreads[0].error("fake") or 1.0))

    assert 0.8 < np.mean(ratios) < 1.05


def test_the_jackknife_of_two_sides_of_the_same_videos_leaves_out_the_same() -> None:
    """Also where some of the videos are missing on one side, as those that a distortion makes too short."""
    real, _ = _sides(0, 100)
    moved = (real + 0.05 * np.random.default_rng(1).normal(size=real.shape)).astype(np.float32)
    there = np.flatnonzero(np.arange(100) % 10 != 3)
    errors = []
    for fake in (FeatureSet.of(moved), FeatureSet.of(moved[there], there)):
        spread = Spread("density", MetricRule(names=("density",)), same_videos=True)
        spread.add({"real": FeatureSet.of(real), "fake": fake})
        errors.append(spread.error("real"))

    assert errors[1] < 1.8 * errors[0]


def test_the_error_of_batch_means_is_that_of_their_batches() -> None:
    rule = MetricRule(names=("fvd",), aggregation="batch-mean", batch=5)
    values, errors = [], []
    for seed in range(80):
        real, fake = map(FeatureSet.of, _sides(seed, 100, 100))
        spread = Spread("fvd", rule)
        spread.add({"real": real, "fake": fake})
        values.append(metrics.compute("fvd", real, fake, rule))
        errors.append(np.hypot(spread.error("real") or 0.0, spread.error("fake") or 0.0))

    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(values), rel=0.25)
