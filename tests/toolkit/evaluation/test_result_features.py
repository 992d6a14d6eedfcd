"""Features kept beside a result: they come back as they were, or are refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import fvd_bench
from fvd_bench import metrics
from fvd_bench.errors import ResultError
from fvd_bench.evaluation import result_features
from fvd_bench.evaluation.comparisons import comparison
from fvd_bench.evaluation.result import Result
from fvd_bench.protocols.rules import MetricRule
from fvd_bench.settings import Settings

RULE = MetricRule(names=("fvd",))


def test_they_come_back_as_they_were(baseline) -> None:
    file = baseline(repeats=3)
    result = Result.read(file)

    features = result_features.load(result_features.beside(file), result)

    (repeats,) = features.repeats.values()
    assert (len(repeats), len(features.fake_names)) == (3, 16)
    values = [metrics.compute("fvd", sides["real"], sides["fake"], RULE) for sides in repeats]
    assert values == list(result.scores[0].values)
    np.testing.assert_array_equal(repeats[0]["fake"].features(), repeats[2]["fake"].features())
    assert not np.array_equal(repeats[0]["real"].features(), repeats[1]["real"].features())


def test_those_of_another_result_are_refused(baseline) -> None:
    file, other = baseline(), baseline("bad", file="other.json")
    shutil.copy(result_features.beside(other), result_features.beside(file))

    with pytest.raises(ResultError, match="holds features of another result"):
        comparison.compare(file, other)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 not a zip", None])
def test_damaged_files_are_refused(baseline, damage: bytes | None) -> None:
    file = baseline()
    whole = result_features.beside(file).read_bytes()
    result_features.beside(file).write_bytes(whole[: len(whole) // 2] if damage is None else damage)

    with pytest.raises(ResultError, match="cannot be read as kept features"):
        comparison.compare(file, file)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(baseline, check, value: float) -> None:
    """Chance would explain any change."""
    file = baseline()
    with np.load(result_features.beside(file)) as arrays:
        changed = dict(arrays)
    name = next(name for name in changed if name.endswith("/fake/0"))
    changed[name][3, 5] = value
    np.savez(result_features.beside(file), **changed)

    with pytest.raises(ResultError, match="holds values that are not finite"):
        check("bad", file)


def test_pickles_are_refused(baseline) -> None:
    file = baseline()
    with result_features.beside(file).open("wb") as out:
        np.savez(out, of=np.array([object()], dtype=object))

    with pytest.raises(ResultError, match="cannot be read as kept features"):
        comparison.compare(file, file)


def test_an_old_side_of_more_videos_is_read_again_by_its_own_listing(
    sets: Path, tmp_path: Path, settings: Settings, pixels_protocol
) -> None:
    protocol, file = pixels_protocol(count="fake = 12"), tmp_path / "base.json"
    fvd_bench.evaluate(sets / "real", sets / "good", protocol, settings=settings).write(file)
    shutil.copytree(sets / "also_good", tmp_path / "fewer")
    for name in ("12.mkv", "13.mkv", "14.mkv", "15.mkv"):
        (tmp_path / "fewer" / name).unlink()

    (score,) = comparison.check(sets / "real", tmp_path / "fewer", file, protocol=[protocol], settings=settings).scores

    assert score.verdict == "same"
