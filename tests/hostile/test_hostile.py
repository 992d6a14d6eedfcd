"""Every hostile input ends in a message or in a score that accounts for all videos, and harms nothing."""

from collections import Counter

import pytest

from tests.hostile import corpus, runner
from tests.hostile.case import Case, Good, broken
from tests.hostile.runner import Outcome

FIFTH, ALL = 5, 1
"""Every kind of file is damaged in the same 16 ways, one after the other: a fifth has each way and each kind."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Good, list[Case]]:
    return corpus.write(tmp_path_factory.mktemp("hostile") / "corpus")


@pytest.fixture(scope="module", params=[FIFTH, pytest.param(ALL, marks=pytest.mark.slow)], ids=["fifth", "all"])
def outcomes(written: tuple[Good, list[Case]], request: pytest.FixtureRequest) -> list[Outcome]:
    good, cases = written
    return runner.run(good, cases[:: request.param], children=1)


def test_the_corpus_is_large_and_of_every_form(written: tuple[Good, list[Case]]) -> None:
    _, cases = written
    forms = Counter(case.form for case in cases)

    assert len(cases) >= 200
    assert set(forms) == {*corpus.MAKERS, "text"}
    assert min(forms.values()) >= 20


def test_a_fifth_has_every_form_and_every_common_damage(written: tuple[Good, list[Case]]) -> None:
    _, cases = written
    names = [case.name for case in cases[::FIFTH]]

    assert {name.partition("/")[0] for name in names} == {*corpus.MAKERS, "text"}
    for damage, _ in broken(b"any", 0):
        assert any(name.partition(".")[0].endswith(f"-{damage}") for name in names), damage


def test_nothing_is_run_or_lost_and_nothing_hangs(outcomes: list[Outcome]) -> None:
    problems = {outcome.case.name: outcome.problems for outcome in outcomes if outcome.problems}

    assert problems == {}


def test_both_ends_are_reached(outcomes: list[Outcome]) -> None:
    """A corpus that is all refused, or all scored, would test half of it."""
    codes = Counter(outcome.code for outcome in outcomes)

    assert min(codes[0], codes[3]) >= len(outcomes) / 8
