"""Numbers as people read them."""

import pytest

from fvd_bench.words import agreeing, counted, duration, listed, number, ordinal, percent, signed


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (6.4e-05, "0 seconds"),
        (0.043, "0.043 seconds"),
        (0.999, "1 second"),
        (9.94, "9.9 seconds"),
        (9.96, "10 seconds"),
        (89.4, "89 seconds"),
        (90, "2 minutes"),
        (5340, "89 minutes"),
        (5400, "1 h 30 min"),
        (11100, "3 h 05 min"),
        (47.5 * 3600, "47 h 30 min"),
        (3 * 86400, "3 days"),
        (900 * 86400, "2 years"),
    ],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_percents_have_a_space_and_what_is_unknown_a_dash() -> None:
    assert [percent(0.671), percent(-0.0123, "+.1%"), percent(None)] == ["67 %", "-1.2 %", "–"]


def test_scores_have_two_decimals_and_small_ones_three_digits() -> None:
    values = (123.456, 1, 0, 0.98765, 0.000123456, -0.0123)

    assert [number(value) for value in (*values, None)] == [
        "123.46",
        "1.00",
        "0.00",
        "0.988",
        "0.000123",
        "-0.0123",
        "–",
    ]
    assert [signed(value) for value in (0.5, -12.345)] == ["+0.5", "-12.35"]


def test_counts_agree_with_their_nouns_and_verbs() -> None:
    assert [counted(n, "real video") for n in (0, 1, 2)] == ["0 real videos", "1 real video", "2 real videos"]
    assert counted(1234, "class", form=",") == "1,234 classes"
    assert [counted(n, "frame", "are", of=5) for n in (1, 2)] == ["1 of 5 frames is", "2 of 5 frames are"]
    assert counted(1, "frame", "decode", of=1) == "1 of 1 frame decodes"
    assert [agreeing(1, verb) for verb in ("have", "were", "differ")] == ["has", "was", "differs"]


def test_places_in_a_row_have_their_endings() -> None:
    assert " ".join(map(ordinal, (1, 2, 3, 4, 8, 11, 12, 13, 21, 22, 111, 113))) == (
        "1st 2nd 3rd 4th 8th 11th 12th 13th 21st 22nd 111th 113th"
    )


@pytest.mark.parametrize(("names", "words"), [("", ""), ("a", "a"), ("abc", "a, b, c"), ("abcd", "a, b, c and 1 more")])
def test_names_are_listed_and_those_beyond_the_first_counted(names: str, words: str) -> None:
    assert listed(names) == words


def test_more_or_fewer_names_are_listed_where_that_is_said() -> None:
    assert (listed("abcd", 4), listed("abcd", 1)) == ("a, b, c, d", "a and 3 more")
