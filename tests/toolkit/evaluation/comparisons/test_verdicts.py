"""What a comparison makes of its numbers, on arrays: nothing has to be decoded."""

import dataclasses
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import fvd_bench
from fvd_bench.errors import NotComparableError, ResultError
from fvd_bench.evaluation import result_features
from fvd_bench.evaluation.collection import collect
from fvd_bench.evaluation.collection_result import result_of
from fvd_bench.evaluation.comparisons import comparison
from fvd_bench.evaluation.comparisons.ranking import Entrant, ranking
from fvd_bench.evaluation.evaluate import open_evaluation
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.result_features import ResultFeatures
from fvd_bench.evaluation.score import SideCount
from fvd_bench.finding import Finding
from fvd_bench.progress import silent
from fvd_bench.reports import comparison as gate_tables
from fvd_bench.reports.page import comparison_page
from fvd_bench.reports.page.page import Items
from fvd_bench.settings import Settings
from fvd_bench.videos.video import Pixels
from fvd_bench.words import percent
from tests.conftest import PIXELS_PROTOCOL
from tests.lazy_module import LazyModule

stats = LazyModule("scipy.stats")

NO_CACHE = Settings(cache=None)
VIDEOS = 12

Scored = tuple[tuple[Result, Result], tuple[ResultFeatures, ResultFeatures]]
"""The results of two generators, and the features behind them."""


@pytest.fixture(scope="module")
def videos(moving_frames) -> tuple[Pixels, Pixels, Pixels]:
    """Real videos, and those of two generators: uint8 [12, 9, 16, 16, 3]."""
    real, fake, other = (
        np.stack([moving_frames(9, 16, 16, seed=first + video) for video in range(VIDEOS)]) for first in (0, 100, 200)
    )
    return real, fake, other


@pytest.fixture(scope="module")
def scored(videos, tmp_path_factory) -> Scored:
    file = tmp_path_factory.mktemp("verdicts") / "pixels.toml"
    file.write_text(PIXELS_PROTOCOL.format(name="pixels", frames=9, clip="", count="", images=""))
    return _scored(videos, str(file))


def _scored(videos, protocol: str) -> Scored:
    results, features = [], []
    for fake in videos[1:]:
        with open_evaluation(
            videos[0], fake, protocol, repeats=1, seed=0, settings=NO_CACHE, progress=silent
        ) as evaluation:
            collection = collect(evaluation)
            results.append(result_of(collection))
            features.append(result_features.features(collection))
    return (results[0], results[1]), (features[0], features[1])


def _with(result: Result, **changes: object) -> Result:
    """The result with another score."""
    return dataclasses.replace(result, scores=(dataclasses.replace(result.scores[0], **changes),))


def test_the_scale_of_motion_shares_in_no_comparison(scored) -> None:
    """It has no fake videos, so it is the same in both, and would take its share of the chance of an error."""
    alone, both = (
        comparison.comparisons(*(_beside_a_scale(r, rows) for r in scored[0]), (None, None), allowed=math.inf)
        for rows in (0, 3)
    )

    assert both.scores == alone.scores and len(both.scores) == 1
    assert both.notes == ()


def _beside_a_scale(result: Result, rows: int) -> Result:
    (score,) = result.scores
    scale = (dataclasses.replace(score, row=f"scale-{row}", value=1.0, values=(1.0,)) for row in range(rows))
    return dataclasses.replace(result, scores=(score, *scale))


@pytest.mark.parametrize("allowed", [0.0, 2.0, math.inf])
def test_what_would_be_found_is_found_19_times_in_20(scored, allowed: float) -> None:
    """It lies beyond what has to be exceeded by what a change falls short of its true value once in 20 times."""
    before, now = (_with(result, value=10.0, values=(10.0,), error_fake=3.0) for result in scored[0])

    (score,) = comparison.comparisons(before, now, (None, None), allowed=allowed).scores

    student = stats.t(VIDEOS - 1)
    assert score.error == pytest.approx(3 * math.sqrt(2))
    tail = 0.025 if math.isinf(allowed) else 0.04  # where there is no gate, a change may go either way
    assert score.noise == pytest.approx(student.isf(tail) * score.error)
    limit = 20.0 if allowed == 2.0 else score.noise
    assert score.detectable == pytest.approx((limit + student.isf(0.05) * score.error) / 10)


@pytest.mark.parametrize(
    "p_values",
    [(0.049,), (0.051,), (0.024, 0.026), (0.026, 0.049), (0.016, 0.024, 0.06), (0.017, 0.0245, 0.049), (0.001, 0.9)],
)
def test_two_results_are_told_apart_as_a_ranking_of_two_does(scored, p_values: tuple[float, ...]) -> None:
    """At 5 % in all, by Holm's rule, and whichever way a score goes."""
    changes = stats.t(VIDEOS - 1).isf(np.array(p_values) / 2) * [1, -1, 1][: len(p_values)]
    (made,) = scored[0][0].scores
    before, now = (
        dataclasses.replace(
            scored[0][0],
            scores=tuple(
                dataclasses.replace(made, row=str(row), value=value, values=(value,), error_fake=3.0 / math.sqrt(2))
                for row, value in enumerate(values)
            ),
        )
        for values in (np.full(len(changes), 50.0).tolist(), (50 + 3 * changes).tolist())
    )

    verdicts = [s.verdict for s in comparison.comparisons(before, now, (None, None), allowed=math.inf).scores]

    ranked = ranking(
        {"before": Entrant(before, {}, None), "now": Entrant(now, {}, None)},
        list(zip(before.scores, now.scores, strict=True)),
    )
    assert [verdict != "same" for verdict in verdicts] == [s.contrasts[0].is_real for s in ranked.scores]
    assert {"better": -1, "worse": 1}.get(verdicts[0], np.sign(changes[0])) == np.sign(changes[0])


def test_scores_below_zero_have_an_allowance_too(scored) -> None:
    """As unbiased distances of sets that are alike may be."""
    before, now = (
        _with(result, value=value, values=(value,), error_fake=None)
        for result, value in zip(scored[0], (-1.0, -0.9), strict=True)
    )

    verdicts = [
        comparison.comparisons(before, now, (None, None), allowed=allowed).scores[0].verdict for allowed in (0.2, 0.05)
    ]

    assert verdicts == ["unknown", "regression"]


def test_where_chance_is_unknown_no_change_is_called_better_or_worse(scored) -> None:
    """As in a ranking, and on the page and in the words of a terminal."""
    now, before = (
        _with(result, value=value, values=(value,), error_fake=None)
        for result, value in zip(scored[0], (10.0, 12.0), strict=True)
    )
    compared = comparison.comparisons(before, now, (None, None), allowed=math.inf)
    ranked = ranking(
        {"before": Entrant(before, {}, None), "now": Entrant(now, {}, None)}, [(before.scores[0], now.scores[0])]
    )
    page = comparison_page(compared)

    assert (compared.scores[0].verdict, ranked.scores[0].contrasts[0].is_real) == ("unknown", None)
    assert "Where chance is unknown, nothing is said of a change." in gate_tables.markdown(compared)
    assert page.verdict.tone == "unsure" and page.verdict.sentence.endswith("nothing is known of what chance explains.")


def test_errors_beyond_all_numbers_pass_nothing(scored) -> None:
    before, now = (_with(result, error_fake=1.2e308) for result in scored[0])

    with pytest.raises(ResultError, match=r"the error of its change is 1\.69.*e\+308: expected a number"):
        comparison.comparisons(before, now, (None, None), allowed=0.05)


def test_videos_of_other_names_are_no_pairs(scored) -> None:
    results, (before, now) = scored
    renamed = dataclasses.replace(now, fake_names=[f"other-{name}" for name in now.fake_names])

    same, other = (
        comparison.comparisons(*results, (before, after), allowed=0.05).scores[0] for after in (now, renamed)
    )

    assert same.paired and not other.paired
    assert other.error == pytest.approx(np.hypot(*(result.scores[0].error_fake for result in results)), rel=1e-9)


def test_batches_of_one_number_are_no_pairs(videos, pixels_protocol) -> None:
    protocol = Path(pixels_protocol(name="batches"))
    protocol.write_text(protocol.read_text() + 'aggregation = "batch-mean"\nbatch = 4\n')

    results, features = _scored(videos, str(protocol))
    (score,) = comparison.comparisons(*results, features, allowed=0.05).scores

    assert not score.paired
    assert score.error == pytest.approx(np.hypot(*(result.scores[0].error_fake for result in results)), rel=1e-9)


@pytest.mark.parametrize("place", [0, 1])
def test_an_error_without_features_is_as_sure_as_its_fewest_groups(scored, place: int) -> None:
    results = list(scored[0])
    results[place] = _with(results[place], units_fake=4)

    (score,) = comparison.comparisons(*results, (None, None), allowed=0.05).scores

    assert score.noise == pytest.approx(stats.t(3).isf(comparison.ALARM) * score.error)


def test_an_error_is_as_sure_as_its_fewest_groups(scored) -> None:
    results, (before, now) = scored
    (digest,) = before.repeats
    (sides,) = before.repeats[digest]
    grouped = type(sides["fake"]).of(sides["fake"].features(), np.repeat(np.arange(4), 3))
    before = dataclasses.replace(before, repeats={digest: [{**sides, "fake": grouped}]})

    (score,) = comparison.comparisons(*results, (before, now), allowed=0.05).scores

    assert score.noise == pytest.approx(stats.t(3).isf(comparison.ALARM) * score.error)


def test_other_software_is_noted_and_the_number_of_threads_is_not(scored) -> None:
    before, now = scored[0]
    older = dataclasses.replace(before, environment={**before.environment, "torch": "1.0", "threads": "99"})

    assert comparison.comparisons(before, now, (None, None), allowed=0.05).notes == ()
    (note,) = comparison.comparisons(older, now, (None, None), allowed=0.05).notes
    assert note == f"made with other software: torch is {now.environment['torch']} and was 1.0"


@pytest.mark.parametrize("which", ["before", "now"])
def test_a_score_that_one_result_alone_has_is_noted(scored, which: str) -> None:
    results = dict(zip(("before", "now"), scored[0], strict=True))
    (score,) = results[which].scores
    more = dataclasses.replace(score, metric="kvd", digest="0" * 64)
    results[which] = dataclasses.replace(results[which], scores=(score, more))

    (note,) = comparison.comparisons(*results.values(), (None, None), allowed=0.05).notes

    assert note == f"not compared, since only the result {which} has it: kvd of pixels"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"real": SideCount(11, ())}, "real clips is 11 and was 12"),
        ({"value": 1.0, "values": (1.0, 1.0)}, "repeats is 2 and was 1"),
    ],
)
def test_scores_of_other_numbers_are_not_comparable(scored, changes: dict[str, object], message: str) -> None:
    before, now = scored[0]

    with pytest.raises(NotComparableError, match=message):
        comparison.comparisons(before, _with(now, **changes), (None, None), allowed=0.05)


def test_old_fake_videos_that_have_changed_are_not_taken_for_the_old_ones(
    videos, pixels_protocol, tmp_path: Path
) -> None:
    """Without kept features a check looks for the videos behind its baseline, which a later run may have replaced."""
    protocol, baseline, settings = pixels_protocol(), tmp_path / "base.json", Settings(cache=tmp_path / "store")
    for folder, side in zip(("real", "old", "new"), videos, strict=True):
        (tmp_path / folder).mkdir()
        for number, frames in enumerate(side):
            np.save(tmp_path / folder / f"{number:02d}.npy", frames)
    real, old, new = (tmp_path / folder for folder in ("real", "old", "new"))
    fvd_bench.evaluate(real, old, protocol, settings=settings).write(baseline)

    def paired() -> bool:
        compared = comparison.check(real, new, baseline, protocol=[protocol], settings=settings)
        return compared.scores[0].paired

    assert paired()
    for number, frames in enumerate(videos[1]):
        np.save(old / f"{number:02d}.npy", frames[::-1])
    fvd_bench.evaluate(real, old, protocol, settings=settings)  # so that the store has their features
    assert not paired()


class TestReports:
    @pytest.mark.parametrize(("lower", "sign"), [(True, "+"), (False, "-")])
    def test_what_would_be_found_is_a_worsening(self, scored, lower: bool, sign: str) -> None:
        before, now = (
            _with(result, value=10.0, values=(10.0,), error_fake=1.0, lower_is_better=lower) for result in scored[0]
        )

        compared = comparison.comparisons(before, now, (None, None), allowed=0.05)

        found = f"{sign}{percent(compared.scores[0].detectable, '.1%')}"
        assert f"| {found} |" in gate_tables.markdown(compared) and found in comparison_page(compared).html()

    def test_no_part_of_a_score_is_found_where_it_is_0_but_for_rounding(self, scored) -> None:
        before, now = (
            _with(result, value=value, values=(value,), error_fake=1e-3)
            for result, value in zip(scored[0], (1e-15, 1e-3), strict=True)
        )

        compared = comparison.comparisons(before, now, (None, None), allowed=0.05)

        assert compared.scores[0].detectable is None
        assert " – | " not in gate_tables.markdown(compared) and "| – |" in gate_tables.markdown(compared)

    def test_a_rise_from_below_zero_is_one_in_percents_too(self, scored) -> None:
        before, now = (
            _with(result, value=value, values=(value,)) for result, value in zip(scored[0], (-2.0, -1.5), strict=True)
        )

        assert "| +0.5 (+25.0 %) |" in gate_tables.markdown(
            comparison.comparisons(before, now, (None, None), allowed=0.05)
        )

    def test_notes_are_in_it(self, scored) -> None:
        before, now = scored[0]
        older = dataclasses.replace(before, fvd_bench="0.0.1")

        lines = gate_tables.markdown(comparison.comparisons(older, now, (None, None), allowed=0.05)).splitlines()

        assert f"- Note: made with other software: fvd-bench is {now.fvd_bench} and was 0.0.1." in lines

    def test_the_findings_of_both_results_are_in_what_a_server_shows(self, scored) -> None:
        before, now = scored[0]
        old = dataclasses.replace(before, warnings=(Finding("few-videos", "16 real videos"),))
        warned = dataclasses.replace(now, warnings=(Finding("videos-skipped", "2 fake videos are skipped: a\x1b|b"),))

        compared = comparison.comparisons(old, warned, (None, None), allowed=0.05)

        lines = gate_tables.markdown(compared).splitlines()
        assert r"- Warning: now: 2 fake videos are skipped: a\\x1b\|b" in lines
        assert "- Warning: before: 16 real videos" in lines
        (told,) = ElementTree.fromstring(gate_tables.junit(compared)).iter("system-err")
        assert told.text is not None
        assert set(told.text.split("\n")) == {
            r"Warning: now: 2 fake videos are skipped: a\x1b|b", "Warning: before: 16 real videos"
        }  # fmt: skip

    def test_a_page_shows_the_findings_of_both_results(self, scored) -> None:
        both, old = Finding("few-videos", "few"), Finding("same-videos", "the same")
        before, now = (
            dataclasses.replace(result, warnings=found)
            for result, found in zip(scored[0], ((both, old), (both,)), strict=True)
        )

        page = comparison_page(comparison.comparisons(before, now, (None, None), allowed=math.inf))

        (findings,) = (section.blocks for section in page.sections if section.title == "Findings")
        assert findings == [Items(["before: the same", "few"])]
        assert page.verdict.tone == "bad"
        assert page.verdict.warning == "before: Do not trust this number: both sides hold the same videos."
