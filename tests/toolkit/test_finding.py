"""Findings: a sentence names some videos, and the finding holds all of them."""

import re
from pathlib import Path

from fvd_bench.finding import HEADLINES, Finding, Note, noted, of_side, some, worst_first
from fvd_bench.inspection.faults import FAULTS

PACKAGE = Path(__file__).parents[2] / "fvd_bench"

VIDEOS = {"a.mp4": "black", "b.mp4": "", "c.mp4": "short", "d.mp4": "", "e.mp4": "black"}


def test_a_finding_names_three_videos_and_holds_all() -> None:
    found = Finding.of("odd", "5 videos are odd", VIDEOS, side="fake")

    assert found.message == "5 videos are odd: a.mp4 (black), b.mp4, c.mp4 (short) and 2 more"
    assert (found.code, found.videos, found.side) == ("odd", VIDEOS, "fake")
    assert some(dict(list(VIDEOS.items())[:3])) == "a.mp4 (black), b.mp4, c.mp4 (short)"


def test_findings_become_those_of_a_side_and_stay_what_they_are() -> None:
    (found,) = of_side("real", [Finding("odd", "a video is odd", {"a.mp4": ""})])

    assert found == Finding("odd", "a video is odd", {"a.mp4": ""}, "real")


def test_what_all_videos_share_is_said_once() -> None:
    assert some(dict.fromkeys("abcd", "too short")) == "a, b, c and 1 more (each too short)"
    assert some({"a": "too short"}) == "a (too short)"


def test_every_code_has_a_place_among_the_others() -> None:
    """The order says which finding a person sees first."""
    sources = "\n".join(file.read_text("utf-8") for file in PACKAGE.rglob("*.py"))
    codes = set(re.findall(r'(?:Finding(?:\.of)?\(|yield from _shared_by\()\s*"([a-z-]+)"', sources))

    assert len(codes) > 20
    assert codes | FAULTS.keys() <= HEADLINES.keys()


def test_the_worst_comes_first_and_each_once() -> None:
    few, same, clipped, other = (
        Finding(c, c) for c in ("few-videos", "same-videos", "clipped-range", "of-a-later-day")
    )

    assert worst_first([other, few, clipped, few, same]) == [same, clipped, few, other]


def test_a_note_of_a_source_knows_its_code() -> None:
    assert noted(Note("values are clipped", "clipped-range")) == Finding("clipped-range", "values are clipped")
    assert noted("names are alike") == Finding("listing", "names are alike")
