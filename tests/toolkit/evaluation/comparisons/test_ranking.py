"""Several generators against one real side: each score as alone, and which differences are real."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from fvd_bench.errors import ArgumentError, FvdBenchError, MetricError, SourceError
from fvd_bench.evaluation.collection import collect
from fvd_bench.evaluation.collection_result import result_of
from fvd_bench.evaluation.comparisons.rank import open_ranking, rank
from fvd_bench.evaluation.comparisons.ranking import Entrant, Ranking, findings, ranking
from fvd_bench.evaluation.evaluate import evaluate, open_evaluation
from fvd_bench.evaluation.score import Score
from fvd_bench.evaluation.statistics.making import make_moments
from fvd_bench.progress import silent
from fvd_bench.settings import Settings
from fvd_bench.sources.arrays import ArrayVideos
from fvd_bench.sources.opening import GeneratorSource
from fvd_bench.videos.array_layout import Layout
from fvd_bench.videos.video import Video
from tests.lazy_module import LazyModule

stats = LazyModule("scipy.stats")

NO_CACHE = Settings(cache=None)


def videos(count: int, *, seed: int, dark: float = 1.0, frames: int = 10) -> np.ndarray:
    """Coloured blocks, darkened by a factor: uint8 [count, frames, 24, 24, 3]."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.uniform(40, 250, (count, 1, 3, 3, 3)), np.ones((1, frames, 8, 8, 1)))
    return (dark * blocks + rng.normal(0, 3, blocks.shape)).clip(0, 255).astype(np.uint8)


COUNT = 12
REAL = videos(COUNT, seed=1)
FAKES = {"good": videos(COUNT, seed=2), "dark": videos(COUNT, seed=3, dark=0.4), "also good": videos(COUNT, seed=4)}


@pytest.fixture(scope="module")
def protocol(tmp_path_factory, write_pixels_protocol) -> str:
    made: str = write_pixels_protocol(tmp_path_factory.mktemp("protocols"))
    return made


@pytest.fixture(scope="module")
def ranked(protocol: str) -> Ranking:
    return rank(REAL, FAKES, protocol, repeats=2, settings=NO_CACHE)


def test_each_result_is_that_of_the_generator_alone(ranked: Ranking, protocol: str) -> None:
    for name, fake in FAKES.items():
        alone = evaluate(REAL, fake, protocol, repeats=2, settings=NO_CACHE)

        assert dataclasses.replace(ranked.results[name], seconds=0) == dataclasses.replace(alone, seconds=0)


def test_the_dark_one_is_last_and_differs_from_both(ranked: Ranking) -> None:
    (score,) = ranked.scores

    assert list(score.scores)[2] == "dark"
    assert score.real_differences("dark") == list(score.scores)[:2]
    assert score.real_differences("good") == score.real_differences("also good") == ["dark"]
    assert score.first.value == min(s.value for s in score.scores.values())


def test_a_contrast_is_a_paired_t_test_of_what_each_video_contributes(protocol: str) -> None:
    spreads = {}
    for name in ("good", "dark"):
        with open_evaluation(
            REAL, FAKES[name], protocol, repeats=1, seed=0, settings=NO_CACHE, progress=silent
        ) as evaluation:
            collection = collect(evaluation)
            result_of(collection)
            (spreads[name],) = collection.spreads.values()
    parts = {name: np.array(list(spread.contributions("fake").values())) for name, spread in spreads.items()}

    ((contrast,),) = [
        s.contrasts for s in rank(REAL, dict(list(FAKES.items())[:2]), protocol, settings=NO_CACHE).scores
    ]

    values = COUNT * (parts["dark"] - parts["good"]) + contrast.change
    assert contrast.paired
    assert contrast.p == contrast.corrected == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-9)


def test_a_number_of_comparisons_is_corrected_for(ranked: Ranking) -> None:
    p = sorted(contrast.p for contrast in ranked.scores[0].contrasts)
    corrected = sorted(contrast.corrected for contrast in ranked.scores[0].contrasts)

    assert len(p) == 3
    assert corrected[0] == pytest.approx(3 * p[0], rel=1e-12, abs=0) and p[0] > 0
    assert all(c.is_real == (c.corrected < 0.05) for c in ranked.scores[0].contrasts)


def test_the_correction_is_over_all_scores(protocol: str, tmp_path, write_pixels_protocol) -> None:
    two = [protocol, write_pixels_protocol(tmp_path, name="ten", frames=10)]

    scores = rank(REAL, FAKES, two, settings=NO_CACHE).scores

    contrasts = [contrast for score in scores for contrast in score.contrasts]
    smallest = min(contrasts, key=lambda contrast: contrast.p)
    assert len(contrasts) == 6
    assert smallest.corrected == pytest.approx(6 * smallest.p, rel=1e-12, abs=0) and smallest.p > 0


def test_the_real_side_is_read_and_made_once(protocol: str) -> None:
    def made(fakes: dict[str, np.ndarray]) -> int:
        calls: Counter[int] = Counter()

        def make(index: int) -> np.ndarray:
            calls[index] += 1
            return REAL[index]

        real = GeneratorSource(make, videos=COUNT)
        if len(fakes) == 1:
            evaluate(real, *fakes.values(), protocol, settings=NO_CACHE)
        else:
            rank(real, fakes, protocol, settings=NO_CACHE)
        return sum(calls.values())

    assert made(FAKES) == made({"good": FAKES["good"]})


def test_the_real_side_is_looked_at_once(protocol: str) -> None:
    """Whether its first videos are long enough is found out for all generators together."""
    looks: Counter[int] = Counter()

    class Watched(ArrayVideos):
        def video(self, index: int) -> Video:
            looks[index] += 1
            return super().video(index)

    blocks = {str(index): video for index, video in enumerate(REAL[:4])}
    real = Watched.of_many("real", "arrays", blocks, Layout(), stamp=None)
    found = []
    for fakes in (dict(list(FAKES.items())[:2]), FAKES):
        looks.clear()
        with open_ranking(real, fakes, protocol, repeats=1, seed=0, settings=NO_CACHE, progress=silent):
            found.append(dict(looks))

    assert found[0] == found[1] and found[0]


def test_other_numbers_of_videos_are_said_and_not_judged(protocol: str) -> None:
    fakes = {"good": FAKES["good"], "dark": FAKES["dark"], "fewer": FAKES["dark"][:8]}

    ranked = rank(REAL, fakes, protocol, settings=NO_CACHE)

    known = {(c.a, c.b): c.is_real for c in ranked.scores[0].contrasts}
    assert known == {("good", "dark"): True, ("good", "fewer"): None, ("dark", "fewer"): None}
    (note,) = ranked.notes
    assert "FVD of pixels is of different numbers of fake clips (good 12, dark 12, fewer 8)" in note


def test_a_generator_without_a_score_is_last(protocol: str, tmp_path, write_pixels_protocol) -> None:
    long = write_pixels_protocol(tmp_path, name="long", frames=12)
    fakes = {"short": FAKES["good"], "long": videos(COUNT, seed=5, frames=12)}

    first, other = rank(videos(COUNT, seed=6, frames=12), fakes, [protocol, long], settings=NO_CACHE).scores

    assert len(first.contrasts) == 1
    assert list(other.scores) == ["long", "short"] and other.scores["short"].value is None
    assert other.contrasts == ()


def test_where_higher_is_better_the_highest_is_first(ranked: Ranking) -> None:
    def turned(score: Score) -> Score:
        return dataclasses.replace(score, lower_is_better=False)

    scores = {name: turned(result.scores[0]) for name, result in ranked.results.items()}
    entrants = {name: Entrant(ranked.results[name], {}, None) for name in scores}

    (again,) = ranking(entrants, [list(scores.values())]).scores

    assert list(again.scores) == list(ranked.scores[0].scores)[::-1]


def test_errors_that_are_not_known_judge_nothing(ranked: Ranking) -> None:
    scores = [dataclasses.replace(result.scores[0], error_fake=None) for result in ranked.results.values()]
    entrants = {name: Entrant(result, {}, None) for name, result in ranked.results.items()}

    (again,) = ranking(entrants, [scores]).scores

    assert {(c.error, c.p, c.is_real) for c in again.contrasts} == {(None, None, None)}


def test_a_copy_of_a_generator_is_the_same(protocol: str) -> None:
    ((contrast,),) = [
        score.contrasts
        for score in rank(REAL, {"a": FAKES["dark"], "b": FAKES["dark"].copy()}, protocol, settings=NO_CACHE).scores
    ]

    assert (contrast.change, contrast.is_real) == (0.0, False)


def test_a_generator_that_cannot_be_scored_is_named(protocol: str) -> None:
    with pytest.raises(MetricError, match="empty: pixels: fvd needs at least 2 fake clips and gets 1"):
        rank(REAL, {"good": FAKES["good"], "empty": FAKES["dark"][:1]}, protocol, settings=NO_CACHE)


def test_all_sides_are_opened_before_any_work(protocol: str, tmp_path) -> None:
    said = []

    with pytest.raises(SourceError, match="none"):
        rank(
            REAL,
            {**FAKES, "gone": tmp_path / "none"},
            protocol,
            settings=NO_CACHE,
            progress=lambda what, done, total: said.append(what),
        )

    assert said == []
    with pytest.raises(FvdBenchError, match="1 fake side is given: a ranking is of two or more"):
        rank(REAL, {"good": FAKES["good"]}, protocol)


def test_findings_say_whose_they_are_unless_all_have_them(protocol: str) -> None:
    fakes = {"more": FAKES["good"], "fewer": FAKES["dark"][:8]}

    messages = [finding.message for finding in findings(rank(REAL, fakes, protocol, settings=NO_CACHE).results)]

    few = [message for message in messages if "fake videos for 54 features" in message]
    assert [message.split(" fake")[0] for message in few] == ["more: 12", "fewer: 8"]
    assert len([message for message in messages if "12 real videos for 54 features" in message]) == 1


def test_single_images_are_refused_by_the_listing(protocol: str, tmp_path, write_frames, monkeypatch) -> None:
    """As `evaluate` refuses them, and before any of them is decoded."""
    flat = write_frames(tmp_path / "flat", FAKES["good"][0])
    monkeypatch.setattr("fvd_bench.evaluation.feasibility.Look._length", lambda *_: pytest.fail("it was decoded"))

    with pytest.raises(SourceError, match="10 single images, and pixels needs 9 frames of each fake video"):
        rank(REAL, {"good": flat, "again": flat}, protocol, settings=NO_CACHE)


def test_moments_serve_what_they_were_made_for_whichever_place_they_have(protocol: str, tmp_path) -> None:
    """As `evaluate` says; their pieces are of no common videos, so that none are compared with each other."""
    moments = {name: tmp_path / f"{name}.npz" for name in FAKES}
    for name, file in moments.items():
        make_moments(FAKES[name], "fake", protocol, settings=NO_CACHE).write(file)

    (score,) = rank(REAL, moments, protocol, settings=NO_CACHE).scores

    for name, fake in FAKES.items():
        found, (alone,) = score.scores[name], evaluate(REAL, fake, protocol, settings=NO_CACHE).scores
        assert found.floor is not None and alone.floor is not None
        assert (found.value, found.floor.value) == pytest.approx((alone.value, alone.floor.value), rel=1e-9)
    assert not any(contrast.paired for contrast in score.contrasts)
    for fakes in ({"good": FAKES["good"], "dark": moments["dark"]}, {"dark": moments["dark"], "good": FAKES["good"]}):
        with pytest.raises(SourceError, match="holds moments for pixels with the seed 0"):
            rank(REAL, fakes, protocol, seed=1, settings=NO_CACHE)
    with pytest.raises(FvdBenchError, match="the fake side is statistics without single videos"):
        rank(REAL, {"good": FAKES["good"], "dark": moments["dark"]}, protocol, settings=Settings(classes=r"\d$"))


@pytest.mark.parametrize("fakes", [None, [], ["a", "b"]])
def test_fake_sides_without_names_are_refused(fakes: object) -> None:
    with pytest.raises(ArgumentError, match=r"are of type (NoneType|list): expected a dict, name -> fake videos"):
        rank("real", fakes)
