"""What is said of a score beside its floor and its interval."""

import dataclasses
import statistics

import pytest

from fvd_bench.estimate import Estimate, doubts
from fvd_bench.evaluation.findings import find
from fvd_bench.evaluation.score import Score, SideCount


@pytest.mark.parametrize(
    ("value", "interval", "codes"),
    [
        (12.0, (11.0, 13.0), ["at-the-floor"]),
        (12.1, (11.0, 13.0), ["mostly-chance"]),
        (19.9, (18.0, 21.0), ["mostly-chance"]),
        (20.1, (18.0, 22.0), []),
        (30.0, (10.0, 41.0), ["too-few-to-say"]),
    ],
)
def test_a_score_is_held_against_what_chance_makes(
    value: float, interval: tuple[float, float], codes: list[str]
) -> None:
    """A generator inside the interval of the floor cannot be told from the real videos."""
    score = _score("fvd", value, interval=interval, floor=Estimate(10.0, (8.0, 12.0)))

    assert [finding.code for finding in find({}, {}, [score], {}, None, 0, {})] == codes


def test_a_value_at_infinity_is_advised_where_there_is_one() -> None:
    plain = _score("fvd", 15.0, interval=(14.0, 16.0), floor=Estimate(10.0, (8.0, 12.0)))
    carried = dataclasses.replace(plain, infinite=Estimate(5.0, (4.0, 6.0)))

    (first,), (second,) = (find({}, {}, [score], {}, None, 0, {}) for score in (plain, carried))

    assert first.message.endswith("compare it only with scores at the same numbers")
    assert second.message == f"{first.message}, or take the value at infinity"


def test_equal_repeats_are_told_only_where_no_score_of_the_protocol_shows_that_clips_were_drawn() -> None:
    fvd, recall = _score("fvd", 10.0, 12.0), _score("recall", 0.0, 0.0)

    assert [finding.code for finding in find({}, {}, [recall], {}, None, 0, {})] == ["repeats-equal"]
    assert not find({}, {}, [fvd, recall], {}, None, 0, {})


def test_an_interval_wider_than_the_score_is_told_without_a_floor_too() -> None:
    assert doubts(30.0, (10.0, 41.0), None) == doubts(-3.0, (-6.0, 1.0), None) == ["too-few-to-say"]
    assert doubts(30.0, (20.0, 41.0), None) == doubts(0.0, (0.0, 0.0), None) == []


def test_a_score_of_0_but_for_rounding_is_not_called_unsure() -> None:
    """That of the same videos on both sides, in another order, and the interval that comes of it."""
    score = _score("fvd", 3e-27, interval=(0.0, 2e-13), floor=Estimate(10.0, (8.0, 12.0)))
    (found,) = find({}, {}, [score], {}, None, 0, {})

    assert found.message == (
        "FVD of pixels: the score is 0 but for rounding, where real videos score 10.00 against their own kind at these "
        "numbers: the fake videos are the real ones, or copies of them"
    )
    assert doubts(3e-27, (-1.0, 1.0), None) == ["too-few-to-say"]


def _score(
    metric: str, *values: float, interval: tuple[float, float] | None = None, floor: Estimate | None = None
) -> Score:
    count = SideCount(8, ())
    return Score(
        metric=metric, protocol="pixels", protocol_version=1, digest="0" * 64, signature="", row=None,
        value=statistics.fmean(values), reason=None, values=values, std=None, interval=interval, seed=0,
        lower_is_better=True, real=count, fake=count, floor=floor,
    )  # fmt: skip
