"""The published numbers of black against white videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from fvd_bench.paired.selftest import checks


def test_they_are_reproduced_without_weights(store: Path) -> None:
    found = checks()

    assert [check.name for check in found if not check.ok] == []
    assert {check.expected for check in found} == {0.0, 9.999000099990664e-05, 1.0}


def test_lpips_is_among_them_where_its_weights_are(seeded_backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of seeded weights, which give another number than the published one, and 0 for equal frames."""
    monkeypatch.setenv("FVD_BENCH_ALEXNET", str(seeded_backbone("alex")))

    *_, white, itself = checks()

    assert (white.name, white.expected, white.ok) == ("LPIPS of black against white", 0.8140090703964233, False)
    assert itself.ok and itself.found == 0
