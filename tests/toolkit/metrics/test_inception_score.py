"""KID and IS of features; tests/toolkit/networks/test_inception.py has them of frames."""

import dataclasses
import itertools
import math
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch

from fvd_bench.errors import MetricError
from fvd_bench.estimate import Splits
from fvd_bench.features import feature_set
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics import kernel
from fvd_bench.metrics.inception_score import IS, inception_score, scores_of_splits
from fvd_bench.metrics.kernel import kernel_distance, kernel_inception_distance
from fvd_bench.metrics.measurement import Measured, measure
from fvd_bench.metrics.metric import foreign
from fvd_bench.metrics.uncertainty import quantile
from fvd_bench.protocols.rules import MetricRule
from tests.lazy_module import LazyModule

metric_isc = LazyModule("torch_fidelity.metric_isc")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def score_of_split(logits: np.ndarray) -> float:
    """Written a second time: entropy of the mean less mean of the entropies."""
    log_p = log_probabilities(logits)
    mean = np.exp(log_p).mean(axis=0)
    return float(np.exp(-np.sum(mean * np.log(mean)) + np.mean(np.sum(np.exp(log_p) * log_p, axis=1))))


def test_kid_is_the_mean_kernel_distance_of_random_subsets(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 1000 and in torch-fidelity's draw: RandomState(2020), the fake side first. Five of them, to save time."""
    monkeypatch.setattr(kernel, "_SUBSETS", 5)
    real, fake = rng.normal(size=(1100, 8)).astype(np.float32), rng.normal(size=(1040, 8)).astype(np.float32)
    state = np.random.RandomState(2020)
    subsets = []
    for _ in range(5):
        drawn = fake[state.choice(1040, 1000, replace=False)]
        subsets.append(kernel_distance(real[state.choice(1100, 1000, replace=False)], drawn))

    assert kernel_inception_distance(real, fake) == pytest.approx(np.mean(subsets), rel=1e-9, abs=0)


def test_small_sides_are_taken_whole(rng: np.random.Generator) -> None:
    real, fake = rng.normal(size=(30, 8)), rng.normal(size=(30, 8)) + 0.2

    assert kernel_inception_distance(real, fake) == pytest.approx(kernel_distance(real, fake), rel=1e-9)


def test_kid_of_sides_of_different_size_uses_as_many_of_both(rng: np.random.Generator) -> None:
    """All of the smaller side, and 100 subsets of that size of the larger."""
    real, fake = rng.normal(size=(60, 4)), rng.normal(size=(20, 4)) + 0.3
    state = np.random.RandomState(2020)
    subsets = []
    for _ in range(100):
        state.choice(20, 20, replace=False)
        subsets.append(kernel_distance(real[state.choice(60, 20, replace=False)], fake))

    assert kernel_inception_distance(real, fake) == pytest.approx(np.mean(subsets), rel=1e-9)


def test_frames_of_one_class_score_one() -> None:
    assert inception_score(np.tile(np.float32([3, -1, 0.5]), (40, 1))) == pytest.approx(1)


def test_sure_frames_of_many_classes_score_the_number_of_classes() -> None:
    """Two frames of each of 500 classes: a split of 100 frames holds 91 to 100 classes, where 1008 are possible."""
    logits = np.where(np.arange(1000)[:, None] % 500 == np.arange(1008), 60, 0).astype(np.float32)
    order = np.random.RandomState(2020).permutation(1000) % 500
    frequencies = [np.unique(part, return_counts=True)[1] / 100 for part in np.split(order, 10)]
    expected = np.mean([np.exp(-np.sum(f * np.log(f))) for f in frequencies])

    assert inception_score(logits) == pytest.approx(expected, rel=1e-9)
    assert 90 < expected < 100


def test_the_inception_score_is_a_mean_over_ten_shuffled_splits(rng: np.random.Generator) -> None:
    """57 frames: splits of 5 and of 6."""
    logits = rng.normal(size=(57, 12)) * 2
    shuffled = logits[np.random.RandomState(2020).permutation(57)]
    ends = [i * 57 // 10 for i in range(11)]
    splits = [score_of_split(shuffled[a:b]) for a, b in itertools.pairwise(ends)]

    assert inception_score(logits) == pytest.approx(np.mean(splits), rel=1e-12)
    assert scores_of_splits(logits) == pytest.approx(splits, rel=1e-12)
    spread = np.sqrt(np.mean((np.array(splits) - np.mean(splits)) ** 2))  # by 10, not by 9
    assert _measured(logits).splits == Splits(10, pytest.approx(spread, rel=1e-12))
    assert spread > 0.1


RULE = MetricRule(names=("is",))


def test_score_and_deviation_are_torch_fidelitys_own(rng: np.random.Generator) -> None:
    """Of the same logits of 203 frames, by its defaults. The bits are its own, too."""
    logits = (rng.normal(size=(203, 1008)) * 3).astype(np.float32)
    theirs = metric_isc.isc_featuresdict_to_metric({"logits": torch.from_numpy(logits)}, "logits", verbose=False)

    found = _measured(logits)

    assert found.values == (theirs["inception_score_mean"],) == (inception_score(logits),)
    assert found.splits == Splits(10, theirs["inception_score_std"])
    assert found.splits.std > 0.01


def test_the_splits_are_scored_once_for_score_and_deviation(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    theirs = metric_isc.isc_features_to_metric

    def counting(features: torch.Tensor, *args: object, **options: object) -> dict[str, float]:
        seen.append(len(features))
        return theirs(features, *args, **options)

    monkeypatch.setattr("torch_fidelity.metric_isc.isc_features_to_metric", counting)

    _measured(rng.normal(size=(57, 12)))

    assert sum(seen) == 57


@pytest.mark.parametrize("score", [lambda f: kernel_inception_distance(f[:50], f[50:]), inception_score])
def test_scores_are_silent_and_leave_global_generators_alone(
    rng: np.random.Generator, score: Callable[[np.ndarray], float], capfd: pytest.CaptureFixture[str]
) -> None:
    features = rng.normal(size=(100, 12)).astype(np.float32)
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the generator that must not be used

    assert score(features) == score(features)

    assert capfd.readouterr() == ("", "")
    assert "torch_fidelity" in sys.modules
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_too_few_features_are_refused(rng: np.random.Generator) -> None:
    features = rng.normal(size=(9, 12)).astype(np.float32)

    with pytest.raises(MetricError, match="1 real and 9 fake features: at least 2"):
        kernel_inception_distance(features[:1], features)
    with pytest.raises(MetricError, match="9 fake features: the inception score is a mean over 10 splits"):
        inception_score(features)
    ten = rng.normal(size=(10, 12)).astype(np.float32)
    assert inception_score(ten) == pytest.approx(1)  # each of one frame
    assert np.isfinite(kernel_inception_distance(ten[:2], ten))


def _measured(logits: np.ndarray) -> Measured:
    found = measure([_of_fake(logits)], MetricRule(names=("is",)), seed=0)["is"]
    assert isinstance(found, Measured)
    return found


def _of_fake(logits: np.ndarray) -> dict[str, FeatureSet]:
    return {"real": FeatureSet.of(logits[:20]), "fake": FeatureSet.of(logits)}


def test_the_deviation_of_several_repeats_is_the_mean_of_theirs(rng: np.random.Generator) -> None:
    repeats = [(rng.normal(size=(60, 12)) * scale).astype(np.float32) for scale in (1, 2)]

    found = measure(map(_of_fake, repeats), MetricRule(names=("is", "fvd")), seed=0)

    apart = [np.std(scores_of_splits(logits)) for logits in repeats]
    assert found["is"].splits == Splits(10, pytest.approx(np.mean(apart), rel=1e-12))
    assert apart[1] > 1.5 * apart[0] > 0
    assert found["fvd"].splits is None


def test_a_mean_over_batches_is_none_over_splits(rng: np.random.Generator) -> None:
    sides = _of_fake(rng.normal(size=(60, 12)).astype(np.float32))

    found = measure([sides], MetricRule(names=("is",), aggregation="batch-mean", batch=20), seed=0)["is"]

    assert found.values and found.splits is None


@pytest.mark.parametrize("wrong", [[], [1.0], [1.0, float("nan")], [float("inf"), 1.0]])
def test_splits_of_a_foreign_metric_that_cannot_be_are_refused(wrong: list[float]) -> None:
    sides = _of_fake(np.zeros((20, 3), np.float32)).values()
    splits = [1, 2, 2, 3]
    own = dataclasses.replace(IS, version="1", splits=lambda real, fake, rule: splits)
    metric, rule = foreign("mine", own), MetricRule(names=("is", "mine"))

    assert metric.value(*sides, rule) == (2.0, Splits(4, math.sqrt(0.5)))
    splits[:] = wrong
    with pytest.raises(MetricError, match=r"mine gave \[.*\]: expected the scores of 2 splits or more, finite numbers"):
        metric.value(*sides, rule)


def test_a_metric_is_a_value_or_a_mean_over_splits() -> None:
    with pytest.raises(ValueError, match="the metric is has to have either `compute` or `splits`"):
        dataclasses.replace(IS, splits=None)
    with pytest.raises(ValueError, match="the metric is has to have either `compute` or `splits`"):
        dataclasses.replace(IS, compute=lambda real, fake, rule: 1.0)


@pytest.mark.parametrize("real", [1, 3, 200])
def test_the_real_videos_play_no_part_in_how_sure_it_is(rng: np.random.Generator, real: int) -> None:
    logits = (2 * rng.normal(size=(200, 12))).astype(np.float32)
    found = measure([{"real": FeatureSet.of(logits[:real]), "fake": FeatureSet.of(logits)}], RULE, seed=0)["is"]

    assert isinstance(found, Measured) and found.interval is not None and "interval" not in found.unknown
    error = found.spread.error("fake")
    assert error is not None and found.spread.half_width() == pytest.approx(quantile(200) * error, rel=1e-12)


def test_real_frames_that_do_not_fit_in_memory_leave_its_interval(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = (2 * rng.normal(size=(200, 12))).astype(np.float32)
    sides = _of_fake(logits)
    kept = measure([sides], RULE, seed=0)["is"]
    monkeypatch.setattr(feature_set, "_KEPT_VALUES", 0)
    folded = FeatureSet.of(logits[:20])
    assert folded.features() is None

    found = measure([{**sides, "real": folded}], RULE, seed=0)["is"]

    assert isinstance(found, Measured) and isinstance(kept, Measured)
    assert found.interval == kept.interval is not None
