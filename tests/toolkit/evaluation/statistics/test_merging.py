"""Shards that are merged: what is missing is asked for, and what does not fit is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fvd_bench.errors import SourceError
from fvd_bench.evaluation.evaluate import evaluate
from fvd_bench.evaluation.statistics.making import make, merge
from fvd_bench.inspection.motion_of_sides import motion_key
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


def test_networks_with_other_versions_of_one_library_are_refused(sides, pixels_protocol, stored) -> None:
    """The first file does not name the library, and a merged file has room for one version of it."""
    protocols = [pixels_protocol(name=name, frames=9 + n) for n, name in enumerate(("first", "second", "third"))]
    files = {p: make(sides[0], "real", p, settings=stored) for p in protocols}
    for protocol, version in zip(protocols[1:], ("1.0", "2.0"), strict=True):
        versions = {**files[protocol].versions, "of-layers": version}
        files[protocol] = dataclasses.replace(files[protocol], versions=versions)

    with pytest.raises(SourceError, match=r"third.* and .*second.* are not of one kind: their versions of software"):
        merge(files)


def test_motion_that_was_measured_on_other_processors_stays(sides, pixels_protocol, tmp_path: Path) -> None:
    """As on those beside GPUs of one kind, whose features are the same."""
    protocol, parts = pixels_protocol(), {}
    for part in (1, 2):
        shard = make(sides[0], "real", protocol, shard=(part, 2), settings=NO_CACHE)
        versions = {**shard.motion_versions, "device": f"cpu {part}"}
        motion = {
            motion_key(c, versions): shard.motion[motion_key(c, shard.motion_versions)]
            for c in shard.contents.values()
            if motion_key(c, shard.motion_versions) in shard.motion
        }
        parts[str(part)] = dataclasses.replace(shard, motion_versions=versions, motion=motion)
    whole = make(sides[0], "real", protocol, settings=NO_CACHE)

    merge(parts).write(tmp_path / "real.npz")

    assert [len(part.motion) for part in parts.values()] == [3, 3] and len(whole.motion) == 6
    found = evaluate(tmp_path / "real.npz", sides[1], protocol, settings=NO_CACHE)
    assert found.motion == evaluate(*sides, protocol, settings=NO_CACHE).motion


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
