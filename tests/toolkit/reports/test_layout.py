"""Records and grids: what they hold is whole at every width."""

import pytest
from rich.console import Console

from fvd_bench.reports.layout import Column, Grid, Prose, Record, wrapped

NAME = "common-metrics-videogpt-on-tfhub-weights@1"
PATH = "/a/path/" + "that/is/long/" * 12 + "end.mp4"
GRID = Grid(
    [
        Column("protocol"),
        Column("score", is_number=True),
        Column("95 % interval", is_number=True),
        Column("clips", is_number=True),
        Column("why", is_prose=True),
        Column("nothing"),
    ],
    [
        [NAME, "29828.03", "0.00 to 68146.39", "2048 + 2048", "words that may be broken between any two of them", ""],
        ["short", "1.50", "", "10 + 10", "", ""],
    ],
)


def _lines(renderable: object, width: int) -> list[str]:
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        console.print(renderable, crop=False)
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
def test_nothing_in_a_grid_is_cut(width: int) -> None:
    lines = _lines(GRID, width)

    for text in (NAME, "29828.03", "0.00 to 68146.39", "2048 + 2048"):
        assert sum(text in line for line in lines) == 1
    assert "words that may be broken between any two of them" in " ".join(" ".join(lines).split())
    assert "nothing" not in " ".join(lines)


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_grid_fits_where_its_words_do(width: int) -> None:
    assert max(map(len, _lines(GRID, width))) <= width


def test_a_grid_becomes_a_table_where_there_is_room() -> None:
    wide, *_ = _lines(GRID, 200)
    narrow = _lines(GRID, 80)
    very_narrow = _lines(GRID, 30)

    assert wide.split() == ["protocol", "score", "95", "%", "interval", "clips", "why"]
    assert narrow[3] == NAME and narrow[4].split()[0] == "29828.03"  # the name stands above the numbers
    assert narrow[2].startswith("  ──")
    assert very_narrow[:2] == [NAME, "  score          29828.03"]


def test_numbers_end_in_one_column() -> None:
    _, _, first, second = _lines(GRID, 200)

    assert first.index("29828.03") + len("29828.03") == second.index("1.50") + len("1.50")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_record_keeps_paths_whole(width: int) -> None:
    lines = _lines(Record("FVD 68.77", [("floor", "29.54 " * 20), ("file", PATH)], more=f"of {NAME}"), width)

    assert lines[0].startswith("FVD 68.77")
    assert f"  file   {PATH}" in lines
    assert any(NAME in line for line in lines)
    assert all(line.startswith(" ") for line in lines[1:])


def test_names_of_files_are_shown_and_not_obeyed() -> None:
    evil = "a\x1b[31m[red]b\n"

    for shown in (Record(evil, [(evil, evil)], evil), Grid([Column(evil)], [[evil]]), Prose(evil)):
        text = "\n".join(_lines(shown, 80))
        assert r"a\x1b[31m[red]b\n" in text and "\x1b" not in text


def test_wide_characters_are_counted_as_wide() -> None:
    _, _, first, second = _lines(Grid([Column("a"), Column("b")], [["视频", "x"], ["abcd", "x"]]), 80)

    assert first == "视频  x" and second == "abcd  x"


def test_words_that_are_longer_than_a_line_stay_whole() -> None:
    assert wrapped(f"in {PATH} there", 40) == ["in", PATH, "there"]
    assert wrapped("", 40) == [""]


def test_a_number_and_its_percent_sign_stay_on_one_line() -> None:
    assert wrapped("still are 0 % and 0 % of the videos", 28) == ["still are 0 % and 0 % of the", "videos"]
    assert wrapped("of all the videos stand still 0 % and 0 %", 31) == ["of all the videos stand still", "0 % and 0 %"]
