"""Comparing results, and the gate, on features that need no network."""

import dataclasses
import json
import math
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import fvd_bench
from fvd_bench.errors import ArgumentError, NotComparableError, ProtocolError, ResultError
from fvd_bench.evaluation import result_features
from fvd_bench.evaluation.collection import collect
from fvd_bench.evaluation.collection_result import result_of
from fvd_bench.evaluation.comparisons import comparison
from fvd_bench.evaluation.comparisons.comparability import protocols_of
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.result import Result
from fvd_bench.metrics.uncertainty import quantile
from fvd_bench.progress import silent
from fvd_bench.protocols.protocol import load, plain
from fvd_bench.protocols.rules import MetricRule
from fvd_bench.reports import comparison as gate_tables
from fvd_bench.settings import Settings

RULE = MetricRule(names=("fvd",))


def test_the_same_videos_do_not_change_at_all(check, baseline) -> None:
    (score,) = check("good", baseline(repeats=2)).scores

    assert (score.verdict, score.change, score.paired) == ("same", 0.0, True)
    assert score.error == pytest.approx(0, abs=1e-12)


def test_chance_does_not_fail_a_build_and_a_regression_does(check, baseline) -> None:
    file = baseline()

    assert not check("also_good", file).failed
    assert check("bad", file).failed
    assert check("bad", file).scores[0].verdict == "regression"
    assert check("good", baseline("bad")).scores[0].verdict == "better"


@pytest.mark.parametrize("key", ["value", "values", "error_fake", "interval"])
def test_a_baseline_of_no_numbers_passes_nothing(check, baseline, key: str) -> None:
    file = baseline(features=False)
    table = json.loads(file.read_text())
    held = table["scores"][0][key]
    table["scores"][0][key] = [math.nan] * len(held) if isinstance(held, list) else math.nan
    file.write_text(json.dumps(table))

    with pytest.raises(ResultError, match=rf"the result\.scores\[0\]\.{key}.* is nan: expected a number"):
        check("bad", file)


@pytest.mark.parametrize("allowed", [math.nan, -0.1])
def test_an_allowance_that_is_none_is_refused(check, baseline, allowed: float) -> None:
    with pytest.raises(ArgumentError, match="expected a fraction"):
        check("bad", baseline(), max_increase=allowed)


def test_what_is_worse_within_the_allowance_passes(check, baseline) -> None:
    compared = check("bad", baseline(), max_increase=1e6)

    assert (compared.scores[0].verdict, compared.failed) == ("worse", False)


def test_the_error_is_that_of_both_checkpoints(baseline, sets: Path, tmp_path: Path) -> None:
    """Unless videos of the same names are compared with each other, the squares of both errors add up."""
    shutil.copytree(sets / "also_good", tmp_path / "renamed")
    for file in list((tmp_path / "renamed").iterdir()):
        file.rename(file.with_name(f"other-{file.name}"))
    file = baseline()

    (score,) = comparison.comparisons(
        *(Result.read(f) for f in (file, baseline("also_good", file="other.json"))),
        (None, None),
        allowed=0.05,
    ).scores

    errors = [Result.read(f).scores[0].error_fake for f in (file, file.with_name("other.json"))]
    assert score.error == pytest.approx(np.hypot(*errors), rel=1e-12)
    assert not score.paired


def test_without_kept_features_those_of_unchanged_videos_are_made_again(check, baseline) -> None:
    with_features = check("also_good", baseline())
    without = check("also_good", baseline(features=False, file="bare.json"))

    assert without.scores == with_features.scores
    assert without.scores[0].paired


def test_a_result_of_an_older_version_will_do(check, baseline, tmp_path: Path) -> None:
    table = json.loads(baseline(features=False).read_text())
    table["fake"]["path"] = "gone"
    del table["protocols"]
    for key in ("error_real", "error_fake", "floor", "infinite"):
        del table["scores"][0][key]
    old = tmp_path / "old.json"
    old.write_text(json.dumps(table))

    (score,) = check("also_good", old).scores

    assert score.error == pytest.approx(np.sqrt(2) * check("also_good", old).now.scores[0].error_fake)


@pytest.mark.parametrize("files", [0, 1])
def test_an_update_that_ends_between_two_files_leaves_one_result(
    check, baseline, files: int, interrupted_replacing
) -> None:
    """The old one where no file took its place, the new one where one did; what is there alone is read."""
    file = baseline()
    before = Result.read(file)

    with interrupted_replacing(".base.", files) as replaced, pytest.raises(KeyboardInterrupt):
        check("bad", file, update=True)

    assert replaced == ["base.json", "base.npz"][: files + 1]
    assert sorted(path.name for path in file.parent.iterdir() if "base" in path.name) == ["base.json"]
    assert (Result.read(file) == before) == (files == 0)
    assert check("bad", file).scores[0].before == Result.read(file).scores[0].value


def test_an_update_takes_the_baselines_place(check, baseline) -> None:
    file = baseline()

    compared = check("bad", file, update=True)

    assert Result.read(file) == compared.now
    assert check("bad", file).scores[0].change == 0
    result_features.load(result_features.beside(file), Result.read(file))


def test_other_real_videos_are_not_comparable(check, baseline) -> None:
    with pytest.raises(NotComparableError, match=r"the real videos: fingerprint is [0-9a-f]{12}… and was"):
        check("good", baseline(), real="also_good")


def test_a_changed_protocol_is_not_comparable_and_its_field_is_named(check, baseline) -> None:
    file = baseline(features=False)

    with pytest.raises(NotComparableError, match=r"the protocol pixels: real\.stride is 1 and was 2") as refused:
        table = json.loads(file.read_text())
        (digest,) = table["protocols"]
        table["protocols"] = {"0" * 64: {**table["protocols"][digest], "real.stride": 2}}
        table["scores"][0]["digest"] = "0" * 64
        file.write_text(json.dumps(table))
        check("good", file)

    assert refused.value.exit_code == 4


@pytest.fixture
def panel(pixels_protocol) -> str:
    """The protocol of the other tests, with a metric beside its own, and under another name."""
    file = Path(pixels_protocol(name="panel"))
    file.write_text(file.read_text().replace('["fvd"]', '["kvd", "fvd"]'))
    return str(file)


@pytest.fixture
def panel_result(baseline, panel: str, sets: Path, settings: Settings, tmp_path: Path) -> Path:
    """As `baseline` writes it."""
    target = tmp_path / "panel.json"
    with open_evaluation(
        sets / "real", sets / "also_good", panel, repeats=1, seed=0, settings=settings, progress=silent
    ) as evaluation:
        collection = collect(evaluation)
        result = result_of(collection)
        result.write(target)
        result_features.save(result_features.beside(target), collection, result)
    return target


class TestOtherMetricsBesideIt:
    def test_one_metric_of_two_lists_is_compared(self, baseline, panel_result: Path) -> None:
        compared = comparison.compare(baseline(), panel_result)

        assert [(score.metric, score.protocol, score.paired) for score in compared.scores] == [("fvd", "panel", True)]
        assert compared.notes == (
            "fvd of panel is compared with that of pixels, which is made alike",
            "not compared, since only the result now has it: kvd of panel",
        )
        assert comparison.compare(panel_result, baseline()).scores[0].change == -compared.scores[0].change

    def test_false_alarms_are_shared_by_the_scores(self, panel, panel_result: Path, check) -> None:
        two = check("good", panel_result, protocol=[panel]).scores

        assert len(two) == 2
        for score in two:
            assert score.noise == pytest.approx(quantile(16, tail=comparison.ALARM / 2) * score.error, rel=1e-9)

    @pytest.mark.parametrize("choices", [True, False], ids=["with choices", "without"])
    def test_results_of_older_versions_are(self, baseline, panel, panel_result: Path, check, choices: bool) -> None:
        """They have the digest of the whole protocol, which the panel's scores share."""
        old = panel_result.with_name("old.json")
        table = json.loads(panel_result.read_text())
        whole = load(panel)
        for score in table["scores"]:
            score["digest"] = whole.digest()
        table["protocols"] = {whole.digest(): plain(whole.choices())} if choices else {}
        for section in ("real", "fake"):
            table["protocols"].get(whole.digest(), {}).pop(f"{section}.frame_order", None)
        old.write_text(json.dumps(table))

        again = check("also_good", old, protocol=[panel])

        assert [(score.metric, score.change) for score in again.scores] == [("kvd", 0), ("fvd", 0)]
        if choices:
            assert len(comparison.compare(old, panel_result).scores) == 2
            assert len(comparison.compare(baseline(), old).scores) == 1

    def test_results_without_choices_are_known_by_what_ships(self, panel_result: Path) -> None:
        table = json.loads(panel_result.read_text())
        shipped = load("stylegan-v-fvd16-panel")
        table["protocols"], files = {}, []
        for digests in (
            {name: shipped.digest() for name in ("kvd", "fvd")},
            {n: shipped.alone(n).digest() for n in ("kvd", "fvd")},
        ):
            for score in table["scores"]:
                score |= {"protocol": shipped.name, "digest": digests[score["metric"]]}
            files.append(panel_result.with_name(f"{len(files)}.json"))
            files[-1].write_text(json.dumps(table))

        assert [score.change for score in comparison.compare(*files).scores] == [0, 0]

    def test_a_metric_that_its_protocol_has_no_more_is_not_passed_over(self, panel, panel_result: Path, check) -> None:
        file = Path(panel)
        file.write_text(file.read_text().replace('["kvd", "fvd"]', '["fvd"]'))

        with pytest.raises(NotComparableError, match="the protocol panel has no metric kvd now"):
            check("good", panel_result, protocol=[panel])

    def test_features_are_kept_once(self, panel_result: Path) -> None:
        result = Result.read(panel_result)

        found = result_features.load(result_features.beside(panel_result), result).repeats

        assert set(found) == {score.digest for score in result.scores} and len(found) == 2
        with np.load(result_features.beside(panel_result)) as arrays:
            assert len([name for name in arrays.files if name.endswith("/real/0")]) == 1


def test_a_baseline_is_scored_by_the_version_that_made_it(baseline) -> None:
    table = json.loads(baseline().read_text())
    old = load("latte@1")
    table["scores"][0] |= {"protocol": old.name, "protocol_version": 1, "digest": old.digest()}
    table["protocols"] = {old.digest(): plain(old.choices())}

    assert protocols_of(Result.from_json(json.dumps(table)), []) == [old]


def test_a_score_that_has_no_value_any_more_is_not_passed_over(sets, pixels_protocol, tmp_path, settings) -> None:
    """Or a gate would pass that looked at less than it was made for."""
    long = pixels_protocol(name="long", frames=12)
    old = fvd_bench.evaluate(sets / "real", sets / "good", [pixels_protocol(), long], settings=settings)
    old.write(tmp_path / "two.json")
    for video in range(16):
        (tmp_path / "short" / f"{video:02d}").mkdir(parents=True)
        for frame in range(10):
            Image.new("RGB", (32, 32), (video, frame, 0)).save(tmp_path / "short" / f"{video:02d}" / f"{frame}.png")

    with pytest.raises(NotComparableError, match=r"fvd of long has no value now: .*a clip needs 12 frames"):
        comparison.check(
            sets / "real",
            tmp_path / "short",
            tmp_path / "two.json",
            protocol=[pixels_protocol(), long],
            settings=settings,
        )


def test_other_seeds_are_not_comparable(check, sets, protocol: str, settings: Settings, tmp_path: Path) -> None:
    """They draw other clips of the real videos, whose chance is not in the error."""
    for seed in (0, 3):
        result = fvd_bench.evaluate(sets / "real", sets / "good", protocol, seed=seed, settings=settings)
        result.write(tmp_path / f"{seed}.json")

    with pytest.raises(NotComparableError, match="seed is 3 and was 0"):
        comparison.compare(tmp_path / "0.json", tmp_path / "3.json")
    (score,) = check("good", tmp_path / "3.json").scores  # a check takes the seed of its baseline
    assert (score.verdict, score.change) == ("same", 0.0)


def test_old_fake_videos_that_are_gone_are_done_without(check, baseline, tmp_path: Path) -> None:
    file = baseline(features=False)
    table = json.loads(file.read_text())
    (tmp_path / "empty").mkdir()
    table["fake"]["path"] = str(tmp_path / "empty")
    file.write_text(json.dumps(table))

    assert check("also_good", file).scores[0].verdict == "same"


def test_rows_of_a_table_are_no_baseline(check, baseline) -> None:
    file = baseline(features=False)
    table = json.loads(file.read_text())
    table["scores"][0]["row"] = "proper"
    file.write_text(json.dumps(table))

    with pytest.raises(ResultError, match="are rows of a table; make a baseline with"):
        check("good", file)


def test_an_accepted_regression_fails_no_report(check, baseline) -> None:
    compared = check("bad", baseline(), update=True)

    assert compared.scores[0].verdict == "regression" and not compared.failed
    assert ElementTree.fromstring(gate_tables.junit(compared)).get("failures") == "0"
    assert json.loads(gate_tables.comparisons_json(compared))["accepted"] is True


def test_other_numbers_of_videos_are_not_comparable(baseline, sets: Path, tmp_path: Path, settings, protocol) -> None:
    shutil.copytree(sets / "good", tmp_path / "fewer")
    (tmp_path / "fewer" / "00.mkv").unlink()

    with pytest.raises(NotComparableError, match="fake clips is 15 and was 16"):
        comparison.check(sets / "real", tmp_path / "fewer", baseline(), protocol=[protocol], settings=settings)


def test_other_weights_are_not_comparable(baseline) -> None:
    file = baseline()
    table = json.loads(file.read_text())
    results = [Result.from_json(json.dumps({**table, "weights": {"i3d": digest}})) for digest in ("a" * 64, "b" * 64)]
    for name, result in zip(("a.json", "b.json"), results, strict=True):
        result.write(file.with_name(name))

    with pytest.raises(NotComparableError, match=r"weights: i3d is bbb"):
        comparison.compare(file.with_name("a.json"), file.with_name("b.json"))


def test_an_unknown_protocol_has_to_be_passed(check, baseline) -> None:
    with pytest.raises(ProtocolError, match="pixels does not ship with fvd-bench; pass its file with --protocol"):
        check("good", baseline(), protocol=[])


def test_a_missing_or_foreign_baseline_says_how_to_make_one(check, tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="a result is written by `fvd-bench compute"):
        check("good", tmp_path / "none.json")
    (tmp_path / "foreign.json").write_text("[1, 2]")
    with pytest.raises(ResultError, match=r"foreign\.json: not a result"):
        check("good", tmp_path / "foreign.json")


def test_two_results_are_told_apart_or_not(baseline) -> None:
    files = [baseline(name, file=f"{name}.json") for name in ("good", "also_good", "bad")]

    assert comparison.compare(files[0], files[1]).scores[0].verdict == "same"
    assert comparison.compare(files[0], files[2]).scores[0].verdict == "worse"
    assert comparison.compare(files[2], files[0]).scores[0].verdict == "better"


def test_where_higher_is_better_a_drop_is_the_regression(baseline) -> None:
    files = [baseline(name, file=f"{name}.json") for name in ("good", "bad")]
    results = [
        dataclasses.replace(result, scores=(dataclasses.replace(result.scores[0], lower_is_better=False),))
        for result in map(Result.read, files)
    ]

    assert comparison.comparisons(*results, (None, None), allowed=0.05).scores[0].verdict == "better"
    assert comparison.comparisons(*results[::-1], (None, None), allowed=0.05).scores[0].verdict == "regression"
