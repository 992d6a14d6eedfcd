"""The card of a result, beyond what a notebook shows of it."""

import dataclasses
import json
import re

import numpy as np
import pytest

from fvd_bench import Arrays, Result, Settings, evaluate
from fvd_bench.finding import Finding
from fvd_bench.reports.card import card
from fvd_bench.words import number, span


@pytest.fixture(scope="module")
def result(moving_frames, write_pixels_protocol, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Of nine real and seven fake videos under two protocols, and under one that needs longer videos."""
    folder = tmp_path_factory.mktemp("protocols")
    protocols = [
        write_pixels_protocol(folder, name=name, frames=frames) for name, frames in (("one", 9), ("two", 10), ("x", 90))
    ]
    real, fake = (
        Arrays(np.stack([moving_frames(12, 24, 24, seed=first + video) for video in range(count)]), axes="NTHWC")
        for first, count in ((0, 9), (100, 7))
    )
    return evaluate(real, fake, protocols, settings=Settings(cache=None))


def test_scores_of_one_metric_share_an_axis(result: Result) -> None:
    html = card(result)
    words = re.findall(r">([^<>]+)</text>", html)

    assert {"one", "two", "FVD"} <= {*words}
    assert html.count("<svg") == 1 and "score, with its 95 % interval" in html and "floor: what real videos" in html
    assert "no FVD by x: " in html
    unscored = dataclasses.replace(result, scores=tuple(score for score in result.scores if score.value is None))
    assert "<svg" not in card(unscored)


def test_every_colour_of_a_card_is_stated_by_it(result: Result) -> None:
    html = card(result)

    assert set(re.findall(r"var\(--(\w+)\)", html)) <= set(re.findall(r"--(\w+): #", html))


def test_a_card_is_the_same_each_time_and_loads_nothing(result: Result) -> None:
    html = result._repr_html_()

    assert html == card(result)
    assert re.findall(r"""(?:href|src)=["'](?!#)[^"']*""", html) == []
    assert "<script" not in html


def test_names_stay_text(result: Result) -> None:
    evil = "<img src=x onerror=alert(1)>$\\frac{$\x1b[2J"
    score = dataclasses.replace(result.scores[0], protocol=evil)
    side = dataclasses.replace(result.fake, path=evil)
    html = card(dataclasses.replace(result, scores=(score,), fake=side, warnings=(Finding("listing", evil),)))

    assert "<img" not in html and "\x1b" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;$\\frac{$\\x1b[2J") == 5  # one is the description of the chart


def test_a_result_says_three_lines_and_gives_tables(result: Result) -> None:
    lines = repr(result).splitlines()

    assert len(lines) == 3
    first = result.scores[0]
    sure = f"95 % interval {span(first.interval)}, floor {number(first.floor.value)}"
    assert lines[0] == f"<Result: FVD {number(first.value)} by one, {sure}, and 2 more scores"
    large = dataclasses.replace(first, value=29828.0, values=(29828.0,))
    assert "FVD 29828.00 by one" in repr(dataclasses.replace(result, scores=(large,)))
    quiet = dataclasses.replace(result, warnings=(), real=dataclasses.replace(result.real, path="a\nb"))
    assert repr(quiet).splitlines()[1:] == [
        rf" 7 fake videos of {result.fake.path} against 9 real ones of a\nb",
        " no findings>",
    ]
    assert Result.from_json(json.dumps(result.to_dict())) == result
    assert list(result.to_frame()["protocol"]) == ["one", "two", "x"]
