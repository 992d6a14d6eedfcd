"""What is said of few videos holds of the metrics that were measured."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from fvd_bench.evaluation import small_sample_bias
from fvd_bench.evaluation.classes import class_findings
from fvd_bench.evaluation.result import ClassPanel, ClassScore, ScoreByClass
from fvd_bench.features.jobs import Job
from fvd_bench.networks.pixels import PixelsExtractor
from fvd_bench.protocols.rules import SIDES, ClipRule, FeatureRule, MetricRule
from fvd_bench.videos.clips import Draw

FEATURES = FeatureRule(extractor="pixels")
RAISED = "the score is biased upwards, more so the fewer there are; compare it only with others at the same number"
CASES = {
    ("fvd", "mind"): RAISED,
    ("fvd", "kvd"): f"FVD {RAISED.removeprefix('the score ')}",
    (
        "kvd-biased",
        "precision",
    ): "KVD-BIASED is biased upwards, more so the fewer there are, and PRECISION may depend on "
    "how many there are; compare them only with others at the same number",
    ("recall",): "RECALL may depend on how many there are; compare it only with others at the same number",
}


@pytest.mark.parametrize("metrics", CASES)
def test_metrics_that_few_videos_move_are_told_of_these(metrics: Sequence[str]) -> None:
    assert _messages(_rules(*metrics)) == [f"12 {side} videos for 54 features: {CASES[metrics]}" for side in SIDES]
    assert _messages_of_classes(_rules(*metrics)) == [
        f"1 class has fewer videos than features have numbers, up to 54, {CASES[metrics]}: cat (3 real, 3 fake)"
    ]


def test_nothing_is_told_where_no_metric_depends_on_the_number_of_videos() -> None:
    batches = [replace(rule, aggregation="batch-mean", batch=4) for rule in _rules("fvd")]

    assert _messages(_rules("kvd", "kid")) == _messages(batches) == []
    assert _messages_of_classes(_rules("kvd")) == _messages_of_classes(batches) == []


def test_a_score_without_real_videos_does_not_depend_on_how_many_there_are() -> None:
    assert [message.partition(":")[0] for message in _messages(_rules("is"))] == ["12 fake videos for 54 features"]
    assert [message.partition(":")[0] for message in _messages(_rules("is"), count=20)] == [
        "20 fake videos are asked for and 12 are used"
    ]
    assert len(_messages(_rules("is", "kid"), count=20)) == 2


def _rules(*names: str) -> list[MetricRule]:
    return [MetricRule(names=(name,)) for name in names]


def _messages(rules: Sequence[MetricRule], count: int | None = None) -> list[str]:
    jobs = {Job(Draw(ClipRule(frames=2, count=count), side, 0), FEATURES): 12 for side in SIDES}
    found = small_sample_bias.findings(jobs, {FEATURES: PixelsExtractor(FEATURES)}, dict.fromkeys(jobs, rules))
    return [finding.message for finding in found]


def _messages_of_classes(rules: Sequence[MetricRule]) -> list[str]:
    row = ClassScore(name="cat", real_videos=3, fake_videos=3, real_clips=3, fake_clips=3)
    by_digest = {rule.names[0]: rule for rule in rules}
    scores = [
        ScoreByClass(protocol="pixels", metric=name, digest=name, value=1.0, mean=None, classes=(row,))
        for name in by_digest
    ]
    panel = ClassPanel("folder", tuple(scores))
    return [finding.message for finding in class_findings(panel, dict.fromkeys(by_digest, 54), by_digest)]
