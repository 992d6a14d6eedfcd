"""Which videos become a pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import SourceError
from fvd_bench.paired.pairing import PairedSide, pair
from fvd_bench.sources.opening import Arrays, open_source

REAL = ["a/1.mp4", "a/2.mp4", "b/1.mp4"]


def test_names_are_compared_without_their_suffix() -> None:
    found = pair(REAL, ["a/2", "b/1.webm", "c"])

    assert found.indices == ((1, 0), (2, 1))
    assert found.unpaired == {"real": ("a/1.mp4",), "fake": ("c",)}


def test_order_pairs_the_first_with_the_first() -> None:
    found = pair(REAL, ["x", "y"], "order")

    assert found.indices == ((0, 0), (1, 1))
    assert found.unpaired == {"real": ("b/1.mp4",), "fake": ()}


def test_a_table_pairs_its_rows(tmp_path: Path) -> None:
    """With or without suffixes, with more columns, and an original that has two predictions."""
    file = tmp_path / "pairs.csv"
    file.write_text("fake,seed,real\ny,1,a/1\nx.mp4,2,b/1.mp4\nx,3,a/1\n")

    found = pair(REAL, ["x.mp4", "y", "z"], file)

    assert found.indices == ((0, 1), (2, 0), (0, 0))
    assert found.unpaired == {"real": ("a/2.mp4",), "fake": ("z",)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("real,fake\na/1,nobody\n", "line 2: no fake video is named 'nobody'; there are "),
        ("real,other\na/1,x\n", "has the columns .*expected real and fake"),
        ("real,fake\n", "names no pair"),
        ('real,fake\n"a,x\n', "expected CSV"),
        ("", "has the columns None"),
        (None, "expected name, order, or a CSV file"),
    ],
)
def test_tables_that_are_none_are_refused(text: str | None, says: str, tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    if text is not None:
        file.write_text(text)

    with pytest.raises(SourceError, match=says):
        pair(REAL, ["x"], file)


def test_sides_without_a_common_name_are_named() -> None:
    with pytest.raises(SourceError, match=r"real are a/1\.mp4, a/2\.mp4, b/1\.mp4, fake are x, y, z and 1 more"):
        pair(REAL, ["x", "y", "z", "w"])


def test_two_videos_of_one_name_are_refused() -> None:
    with pytest.raises(SourceError, match=r"the fake side has a\.mp4 and a\.webm, which differ in their suffix alone"):
        pair(["a.mp4"], ["a.mp4", "a.webm"])


def test_pairs_of_arrays_keep_the_range_that_was_stated_for_them() -> None:
    """Findings about values that use little of their range need it, those of rFVD too."""
    floats = open_source(Arrays(np.zeros((3, 9, 16, 16, 3), np.float32), value_range=(-1, 1)))

    pairs = PairedSide(floats, [2, 0])

    assert pairs.value_range == floats.value_range == (-1, 1)
    assert pairs.names == [floats.names[2], floats.names[0]]
