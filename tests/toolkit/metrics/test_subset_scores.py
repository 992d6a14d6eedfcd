"""Scores of parts of both sides: which videos are in them, and that they rise as chance makes them."""

from dataclasses import replace

import numpy as np
import pytest

from fvd_bench import metrics
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.metrics.subset_scores import subset_scores
from fvd_bench.protocols.rules import MetricRule

RULE = MetricRule(names=("fvd",))


def _sides(real: int, fake: int, dim: int = 4, seed: int = 0) -> dict[str, FeatureSet]:
    rng = np.random.default_rng(seed)
    return {
        "real": FeatureSet.of(rng.normal(size=(real, dim)).astype(np.float32)),
        "fake": FeatureSet.of(rng.normal(size=(fake, dim)).astype(np.float32)),
    }


def test_scores_of_sides_of_one_kind_halve_where_videos_double() -> None:
    """Chance alone makes them, and that falls as 1 / N."""
    means: dict[int, list[float]] = {}
    for seed in range(6):
        for part in subset_scores("fvd", _sides(800, 800, seed=seed), RULE, seed=seed):
            means.setdefault(part.real, []).extend(part.values)

    assert sorted(means) == [100, 200, 400]
    assert [len(values) for _, values in sorted(means.items())] == [6 * 4, 6 * 4, 6 * 2]  # four parts of a size at most
    scaled = [count * np.mean(values) for count, values in means.items()]
    assert max(scaled) / min(scaled) < 1.35


def test_no_video_is_in_two_parts_of_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[FeatureSet, FeatureSet]] = []

    def compute(name: str, real: FeatureSet, fake: FeatureSet, rule: MetricRule) -> float:
        seen.append((real, fake))
        return 1.0

    monkeypatch.setattr(metrics, "compute", compute)
    found = subset_scores("fvd", _sides(70, 40), RULE, seed=3)

    assert [(part.real, part.fake, len(part.values)) for part in found] == [(17, 10, 4), (35, 20, 2)]
    for first, last in ((0, 4), (4, 6)):
        for side in (0, 1):
            rows = np.concatenate([pieces[side].features() for pieces in seen[first:last]])
            assert len(np.unique(rows, axis=0)) == len(rows)


def test_the_seed_decides() -> None:
    sides = _sides(40, 40)

    assert subset_scores("fvd", sides, RULE, seed=1) == subset_scores("fvd", sides, RULE, seed=1)
    assert subset_scores("fvd", sides, RULE, seed=1) != subset_scores("fvd", sides, RULE, seed=2)


def test_where_it_would_say_nothing_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = _sides(40, 40)
    batches = replace(RULE, aggregation="batch-mean", batch=8)

    assert subset_scores("precision", sides, MetricRule(names=("precision",)), seed=0) == []
    assert subset_scores("fvd", sides, batches, seed=0) == []
    assert subset_scores("fvd", _sides(40, 15), RULE, seed=0) == []
    monkeypatch.setattr("fvd_bench.metrics.subset_scores._MOST_VALUES", 200)  # fewer than the larger side has
    assert subset_scores("fvd", sides, RULE, seed=0) != []
    assert subset_scores("fvd", _sides(40, 60), RULE, seed=0) == []
