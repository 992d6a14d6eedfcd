"""Metrics of other packages and of the user's own."""

import numpy as np
import pytest

from fvd_bench import allow_code, evaluate
from fvd_bench.errors import ProtocolError
from fvd_bench.evaluation.scorable_protocols import load
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics import METRICS
from fvd_bench.metrics.metric import Metric
from fvd_bench.metrics.uncertainty import Spread
from fvd_bench.protocols.rules import MetricRule
from fvd_bench.settings import Settings

GAP = """
import numpy as np
def gap(real, fake):
    assert real.dtype == fake.dtype == np.float64
    real -= 1  # its own copies
    return np.sum((real.mean(axis=0) + 1 - fake.mean(axis=0)) ** 2)
"""
METRIC = """
import numpy as np
from fvd_bench.metrics.metric import Metric, all_features

def compute(real, fake, rule):
    return float(all_features("x", "fake", fake).mean() + rule.ddof + rule.epsilon)

def influence(real, fake):
    values = fake.features().astype(float).mean(axis=1)
    return np.zeros(real.count), values - values.mean()

brightness = Metric(
    name="brightness", compute=compute, influence=influence, lower_is_better=False, range=(-1, 1), version="7"
)
"""


@pytest.fixture
def gap(plugins) -> str:
    plugins.module("of_mine", GAP)
    allow_code("of_mine:gap")
    return "of_mine:gap"


def _sets() -> tuple[FeatureSet, FeatureSet]:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(30, 4)), rng.normal(1, 1, size=(25, 4))
    return FeatureSet.of(real.astype(np.float32)), FeatureSet.of(fake.astype(np.float32))


def test_a_function_of_two_arrays_is_a_metric_with_an_interval(gap: str, own_protocol, two_sides) -> None:
    file = own_protocol("pixels", ("fvd", gap))

    result = evaluate(*two_sides, file, settings=Settings(cache=None), progress=False)

    fvd, score = result.scores
    assert score.metric == gap and score.lower_is_better and score.value > 0
    assert score.value < fvd.value  # the part of it that is of means
    low, high = score.interval
    assert low < score.value < high
    version = METRICS[gap].version
    assert f"|ddof:0,{gap}@{version}|" in score.signature and gap not in fvd.signature
    assert result.protocols[score.digest]["metric.versions"] == [f"{gap}@{version}"]


def test_its_value_and_its_error_are_those_of_the_function(gap: str) -> None:
    real, fake = _sets()
    metric, rule = METRICS.find(gap), MetricRule(names=(gap,))
    before = real.features().copy()

    value = metric.compute(real, fake, rule)
    spread = Spread(gap, rule)
    spread.add({"real": real, "fake": fake})

    means = [side.features().astype(np.float64).mean(axis=0) for side in (real, fake)]
    assert value == pytest.approx(float(np.sum((means[0] - means[1]) ** 2)), rel=1e-12)
    np.testing.assert_array_equal(real.features(), before)
    apart = means[0] - means[1]  # to first order the variance is that of 2 · apart · mean
    expected = [np.std(2 * side.features() @ apart, ddof=1) / np.sqrt(side.count) for side in (real, fake)]
    assert [spread.error("real"), spread.error("fake")] == pytest.approx(expected, rel=0.35)


def test_a_metric_says_more(plugins) -> None:
    plugins.module("of_mine", METRIC)
    plugins.package("of-others", metrics={"brightness": "of_mine:brightness"})
    real, fake = _sets()

    metric = METRICS.find("brightness")
    rule = MetricRule(names=("brightness",), ddof=1, epsilon=0.5, versions=("brightness@7",))

    assert isinstance(metric, Metric) and (metric.version, metric.range, metric.lower_is_better) == (
        "7",
        (-1, 1),
        False,
    )
    assert metric.compute(real, fake, rule) == pytest.approx(float(fake.features().mean()), rel=1e-6)  # no ddof
    _, influences = metric.influence(real, fake)
    assert influences == pytest.approx(fake.features().mean(axis=1) - fake.features().mean(), abs=1e-6)
    assert rule.alone("brightness") == MetricRule(names=("brightness",), versions=("brightness@7",))
    assert rule.alone("other") == MetricRule(names=("other",))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def gap(real, fake): return float('nan')", "of_mine:gap gave nan: expected a finite number"),
        ("def gap(real, fake): return real", "computing it failed: TypeError"),
        ("def gap(real): return 1.0", "computing it failed: TypeError"),
    ],
)
def test_what_it_breaks_is_told_and_other_metrics_are_scored(
    plugins, two_sides, own_protocol, code: str, reason: str
) -> None:
    plugins.module("of_mine", code)
    allow_code("of_mine:gap")
    file = own_protocol("pixels", ("fvd", "of_mine:gap"))

    result = evaluate(*two_sides, file, settings=Settings(cache=None), progress=False)

    assert result.scores[0].value is not None and result.scores[1].value is None
    assert reason in result.scores[1].reason


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("gap = 3", "of_mine:gap is of type int: expected a fvd_bench.metrics.Metric or a function of two arrays"),
        ("", "names = 'of_mine:gap': the module of_mine has no gap"),
        ("gap = len", "of_mine:gap has no source that can be read, so it has to state a version"),
    ],
)
def test_what_is_no_metric_is_told(plugins, own_protocol, code: str, message: str) -> None:
    plugins.module("of_mine", code)
    allow_code("of_mine:gap")

    with pytest.raises(ProtocolError, match=message):
        load(own_protocol("pixels", ("of_mine:gap",)))
