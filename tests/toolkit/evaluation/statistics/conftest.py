"""What the tests of statistics files share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fvd_bench.settings import Settings


@pytest.fixture
def sides(two_sides, tmp_path: Path) -> tuple[Path, Path]:
    """With a damaged video among the real ones."""
    real = tmp_path / "real"
    shutil.copytree(two_sides[0], real)
    (real / "1a.mkv").write_bytes(b"no video")
    return real, two_sides[1]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """With one store for tests that only need some file. Those of its digits make theirs without."""
    return Settings(cache=tmp_path_factory.mktemp("store"))
