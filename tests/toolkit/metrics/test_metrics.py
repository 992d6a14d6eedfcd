from pathlib import Path

import numpy as np
import pytest

from fvd_bench import metrics
from fvd_bench.errors import MetricError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.features import feature_set
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics import gaussian_kernel, inception_score, kernel, mind, neighbours
from fvd_bench.metrics.frechet import frechet_distance
from fvd_bench.protocols import protocol
from fvd_bench.protocols.rules import MetricRule
from fvd_bench.settings import Settings

NEED_BOTH = ("kvd", "kvd-biased", "mind", "precision", "recall", "density", "coverage", "kid")
RULE = MetricRule(names=("fvd",))


@pytest.fixture
def sides() -> tuple[np.ndarray, np.ndarray]:
    """60 real and 50 fake features that overlap in part."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 5)).astype(np.float32), (rng.normal(size=(50, 5)) + 0.8).astype(np.float32)


def test_a_metric_is_found_by_its_name() -> None:
    assert all(metric.name == name for name, metric in metrics.METRICS.items())
    higher = {name for name, metric in metrics.METRICS.items() if not metric.lower_is_better}
    assert higher == {"precision", "recall", "density", "coverage", "is"}


def test_each_name_computes_its_metric_with_real_and_fake_in_their_places(sides) -> None:
    real, fake = sides
    expected = {
        "fvd": frechet_distance(real, fake, ddof=0),
        "kvd": kernel.kernel_distance(real, fake),
        "kvd-biased": kernel.biased_kernel_distance(real, fake),
        "mind": mind.monge_inception_distance(real, fake),
        "precision": neighbours.precision(real, fake),
        "recall": neighbours.recall(real, fake),
        "density": neighbours.density(real, fake),
        "coverage": neighbours.coverage(real, fake),
        "jedi": kernel.biased_kernel_distance(real, fake),
        "fd": frechet_distance(real, fake, ddof=0),
        "cmmd": gaussian_kernel.gaussian_kernel_distance(real, fake),
        "fid": frechet_distance(real, fake, ddof=0),
        "kid": kernel.kernel_inception_distance(real, fake),
        "is": inception_score.inception_score(fake),
    }

    found = {name: _compute(name, real, fake) for name in metrics.METRICS}

    assert found == expected
    assert all(type(value) is float for value in found.values())
    assert len(set(found.values())) == len(found) - 3  # fvd is fid and fd, jedi is kvd-biased, and all else differ


def test_features_that_were_not_kept_are_refused_with_a_reason(sides, monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = (FeatureSet.of(side) for side in sides)
    monkeypatch.setattr(feature_set, "_KEPT_VALUES", 100)
    streamed_real, streamed_fake = (FeatureSet.of(side) for side in sides)

    for name in NEED_BOTH:
        with pytest.raises(MetricError, match=f"{name} needs every feature, and of the 60 real ones only mean and cov"):
            metrics.compute(name, streamed_real, fake, RULE)
        with pytest.raises(MetricError, match=f"{name} needs every feature, and of the 50 fake ones only mean and cov"):
            metrics.compute(name, real, streamed_fake, RULE)
    for name in ("fvd", "fid"):
        assert metrics.compute(name, streamed_real, streamed_fake, RULE) == pytest.approx(_compute(name, *sides))


def test_the_inception_score_needs_the_fake_features_only(sides, monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = sides
    monkeypatch.setattr(feature_set, "_KEPT_VALUES", 260)  # keeps the 50 fake ones and not the 60 real ones
    streamed_real, kept_fake = FeatureSet.of(real), FeatureSet.of(fake)

    assert metrics.compute("is", streamed_real, kept_fake, RULE) == inception_score.inception_score(fake)
    with pytest.raises(MetricError, match="is needs every feature, and of the 60 fake ones"):
        metrics.compute("is", kept_fake, streamed_real, RULE)


@pytest.mark.parametrize("name", [*NEED_BOTH, "is"])
def test_features_that_cannot_be_scored_are_refused(name: str, sides) -> None:
    real, fake = sides
    spoilt = fake.copy()
    spoilt[3, 2] = np.nan

    with pytest.raises(MetricError, match="some fake features are not finite"):
        _compute(name, real, spoilt)
    with pytest.raises(MetricError, match="there are no fake features"):
        metrics.compute(name, FeatureSet.of(real), FeatureSet(5), RULE)


@pytest.mark.parametrize("aggregation", ["all", "batch-mean"])
@pytest.mark.parametrize(("name", "scale"), [("kvd", 1e36), ("kvd", 1e28), ("is", 1e4)])
def test_a_score_beyond_all_numbers_is_none(name: str, scale: float, aggregation: str) -> None:
    """Powers of features, and a class that no frame has any probability of."""
    side = FeatureSet.of((np.random.default_rng(0).normal(size=(24, 8)) * scale).astype(np.float32))
    rule = MetricRule(names=(name,), aggregation=aggregation, batch=12)

    with pytest.raises(MetricError, match=f"{name} came out as .*: the features are far out of range"):
        metrics.compute(name, side, FeatureSet.of(-side.features()), rule)


def test_batch_means_are_means_over_pairs_of_batches(sides) -> None:
    real, fake = sides[0][:9], sides[1][:7]
    rule = MetricRule(names=("fvd",), ddof=1, aggregation="batch-mean", batch=3)

    expected = np.mean([frechet_distance(real[s], fake[s], ddof=1) for s in (slice(0, 3), slice(3, 6))])

    assert metrics.compute("fvd", FeatureSet.of(real), FeatureSet.of(fake), rule) == pytest.approx(expected)


def test_the_shipped_panel_scores_small_sides(pixels_protocol, two_sides) -> None:
    """Its metrics on the coarse pixels of six real and five fake videos, and FVD as it is without the others."""
    names = protocol.load("stylegan-v-fvd16-panel").metric.names
    alone = evaluate(*two_sides, pixels_protocol(), settings=Settings(cache=None))
    file = Path(pixels_protocol())
    file.write_text(file.read_text().replace('["fvd"]', str(list(names)).replace("'", '"')))

    result = evaluate(*two_sides, str(file), settings=Settings(cache=None))

    assert tuple(score.metric for score in result.scores) == names
    assert len(names) == 7
    values = {score.metric: score.value for score in result.scores}
    assert None not in values.values()
    assert values["fvd"] == alone.value


def _compute(name: str, real: np.ndarray, fake: np.ndarray) -> float:
    return metrics.compute(name, FeatureSet.of(real), FeatureSet.of(fake), RULE)


@pytest.mark.parametrize("name", [name for name in metrics.METRICS if name not in ("kid", "is")])
def test_a_metric_needs_as_many_features_as_it_says(sides, name: str) -> None:
    fewest = metrics.fewest(name, RULE)
    enough = {side: FeatureSet.of(part[: fewest[side]]) for side, part in zip(fewest, sides, strict=True)}

    assert np.isfinite(metrics.compute(name, enough["real"], enough["fake"], RULE))
    for side, part in zip(fewest, sides, strict=True):
        lacking = {**enough, side: FeatureSet.of(part[: fewest[side] - 1])}
        with pytest.raises(MetricError, match=rf"at least|there are no {side} features"):
            metrics.compute(name, lacking["real"], lacking["fake"], RULE)


def test_batches_have_to_be_filled() -> None:
    rule = MetricRule(names=("fvd",), aggregation="batch-mean", batch=16)

    assert metrics.fewest("fvd", rule) == {"real": 16, "fake": 16}
