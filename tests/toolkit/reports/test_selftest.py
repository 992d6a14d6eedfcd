import pytest
from rich.console import Console, RenderableType

from fvd_bench.evaluation.selftest import Check
from fvd_bench.reports.selftest import checks_table, checks_text

GOOD = Check("sum", 3.5, 3.5000001, 1e-3, "a paper")
BAD = Check("FVD of constant videos", 569.77, 580.25, 5.0, "another paper")
OTHER = Check("videos' sha256", "52df9e1b", "00000000", 0.0, "a paper")


def _lines(text: RenderableType) -> list[str]:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(text)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_one_line_says_that_all_is_well() -> None:
    assert _lines(checks_text([GOOD, GOOD])) == ["2 of 2 published numbers are reproduced"]


def test_each_failure_is_told_with_its_numbers_and_origin() -> None:
    text = " ".join(_lines(checks_text([GOOD, BAD, OTHER])))

    assert text == (
        "FAILED FVD of constant videos: found 580.25, published 569.77, off by 1.0e+01, allowed 5.0e+00 "
        "(another paper) "
        "FAILED videos' sha256: found 00000000, published 52df9e1b (a paper) "
        "1 of 3 published numbers is reproduced"
    )


@pytest.mark.parametrize(
    "number", ["569.77", "580.25", "1.0e+01", "5e+00", "FAILED", "3.5000001", "52df9e1b", "00000000"]
)
def test_the_table_has_every_number_whole_on_a_narrow_terminal(number: str) -> None:
    lines = _lines(checks_table([GOOD, BAD, OTHER]))

    assert any(number in line for line in lines)
    assert [line for line in lines if "paper" in line] == ["a paper", "another paper"]
    assert max(map(len, lines)) <= 80
