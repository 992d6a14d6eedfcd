"""Shards that are merged: what is missing is asked for, and what does not fit is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fvd_bench.errors import SourceError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.statistics.making import make, merge
from fvd_bench.settings import Settings

NO_CACHE = Settings(cache=None)


def test_a_video_that_no_shard_has_is_asked_for(sides, pixels_protocol, stored) -> None:
    """Videos 0, 1 and 1a are tried first, 1a cannot be used, and its stand-in is nobody's."""
    protocol = pixels_protocol(count='real = 3\nselection = "first-sorted"')
    parts = {str(i): make(sides[0], "real", protocol, shard=(i, 2), settings=stored) for i in (1, 2)}

    with pytest.raises(SourceError, match=r"replaced by 2\.mkv, of which no shard has features: pass --source"):
        merge(parts)
    assert merge(parts, source=sides[0], settings=NO_CACHE).entries.keys() == (
        make(sides[0], "real", protocol, settings=stored).entries.keys()
    )


def test_a_missing_shard_is_named(sides, pixels_protocol, stored) -> None:
    parts = {str(i): make(sides[0], "real", pixels_protocol(), shard=(i, 3), settings=stored) for i in (1, 3)}

    with pytest.raises(SourceError, match=r"2 of 7 videos are in none of the 2 files, 1\.mkv, 3\.mkv"):
        merge(parts)


def test_shards_of_other_protocols_are_refused(sides, pixels_protocol, stored) -> None:
    one = make(sides[0], "real", pixels_protocol(), shard=(1, 2), settings=stored)
    two = make(sides[0], "real", pixels_protocol(name="other", frames=10), shard=(2, 2), settings=stored)

    with pytest.raises(SourceError, match="their protocols differ"):
        merge({"one": one, "two": two})


def test_shards_of_a_network_that_computed_otherwise_are_refused(sides, pixels_protocol, stored) -> None:
    one = make(sides[0], "real", pixels_protocol(), shard=(1, 2), settings=stored)
    two = make(sides[0], "real", pixels_protocol(), shard=(2, 2), settings=stored)
    otherwise = dataclasses.replace(two, versions={**two.versions, "pixels": "another way"})

    with pytest.raises(SourceError, match="their versions of software or device differ"):
        merge({"one": one, "two": otherwise})


def test_shards_of_other_metrics_become_one(sides, pixels_protocol, tmp_path: Path, stored) -> None:
    """Features are the same whatever is computed of them, so that a file serves what it was not made for."""
    fvd, panel = pixels_protocol(), pixels_protocol(name="panel")
    Path(panel).write_text(Path(panel).read_text().replace('["fvd"]', '["kvd", "fvd"]'))
    one = make(sides[0], "real", fvd, shard=(1, 2), settings=stored)
    two = make(sides[0], "real", panel, shard=(2, 2), settings=stored)

    merge({"one": one, "two": two}).write(tmp_path / "real.npz")

    scores = evaluate(tmp_path / "real.npz", sides[1], [fvd, panel], settings=NO_CACHE).scores
    assert scores[0].values == scores[2].values == evaluate(*sides, fvd, settings=NO_CACHE).scores[0].values


def test_contents_that_contradict_each_other_are_refused(sides, pixels_protocol, stored) -> None:
    one = make(sides[0], "real", pixels_protocol(), settings=stored)
    two = dataclasses.replace(one, contents={**one.contents, 0: "changed"})

    with pytest.raises(SourceError, match=r"one: 0\.mkv has other contents than in another file"):
        merge({"one": one, "two": two})
