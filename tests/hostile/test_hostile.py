"""Every hostile input ends in a message or in a score that accounts for all videos, and harms nothing."""

from collections import Counter

import pytest

from tests.hostile import corpus, runner
from tests.hostile.runner import Outcome


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    good, cases = corpus.write(tmp_path_factory.mktemp("hostile") / "corpus")
    return runner.run(good, cases)


def test_the_corpus_is_large_and_of_every_form(outcomes: list[Outcome]) -> None:
    forms = Counter(outcome.case.form for outcome in outcomes)

    assert len(outcomes) >= 200
    assert set(forms) == {*corpus.MAKERS, "text"}
    assert min(forms.values()) >= 20


def test_nothing_is_run_or_lost_and_nothing_hangs(outcomes: list[Outcome]) -> None:
    problems = {outcome.case.name: outcome.problems for outcome in outcomes if outcome.problems}

    assert problems == {}


def test_both_ends_are_reached(outcomes: list[Outcome]) -> None:
    """A corpus that is all refused, or all scored, would test half of it."""
    codes = Counter(outcome.code for outcome in outcomes)

    assert codes[0] >= 50 and codes[3] >= 50
