import pytest

from fvd_bench.evaluation import selftest


@pytest.mark.slow
def test_every_published_number_is_reproduced() -> None:
    """With fvd-comparison's 256 random clips: minutes."""
    checks = selftest.run(full=True, device="cpu")

    assert [check for check in checks if not check.ok] == []
    assert len(checks) == 85
