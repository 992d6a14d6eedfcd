import numpy as np
import pytest

from fvd_bench import metrics
from fvd_bench.frechet import frechet_distance
from fvd_bench.rules import MetricRule
from fvd_bench.stats import FeatureStats


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_batch_means_are_means_over_pairs_of_batches(rng: np.random.Generator) -> None:
    real, fake = rng.normal(size=(9, 5)).astype(np.float32), rng.normal(size=(7, 5)).astype(np.float32)
    rule = MetricRule(names=("fvd",), ddof=1, aggregation="batch-mean", batch=3)

    expected = np.mean([frechet_distance(real[s], fake[s], ddof=1) for s in (slice(0, 3), slice(3, 6))])

    assert metrics.compute("fvd", FeatureStats.of(real), FeatureStats.of(fake), rule) == pytest.approx(expected)
