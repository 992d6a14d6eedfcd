"""The published numbers of black against white videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from fvd_bench.evaluation.selftest import Check
from fvd_bench.evaluation.selftest_networks import NotRun
from fvd_bench.paired.selftest import checks


def test_they_are_reproduced_as_far_as_weights_are_here(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")
    *found, white, itself = checks()

    assert all(isinstance(check, Check) and check.ok for check in found)
    assert {check.expected for check in found} == {0.0, 9.999000099990664e-05, 1.0}
    for number in (white, itself):
        assert isinstance(number, NotRun) and number.reason == "the weights alexnet-imagenet are not here"


def test_lpips_is_among_them_where_its_weights_are(seeded_backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of seeded weights, which give another number than the published one, and 0 for equal frames."""
    monkeypatch.setenv("FVD_BENCH_ALEXNET", str(seeded_backbone("alex")))

    *_, white, itself = checks()

    assert isinstance(white, Check) and isinstance(itself, Check)
    assert (white.name, white.expected, white.ok) == ("LPIPS of black against white", 0.8140090703964233, False)
    assert itself.ok and itself.found == 0
