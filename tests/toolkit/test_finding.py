"""Findings: a sentence names some videos, and the finding holds all of them."""

from fvd_bench.finding import Finding, of_side, some

VIDEOS = {"a.mp4": "black", "b.mp4": "", "c.mp4": "short", "d.mp4": "", "e.mp4": "black"}


def test_a_finding_names_three_videos_and_holds_all() -> None:
    found = Finding.of("odd", "5 videos are odd", VIDEOS, side="fake")

    assert found.message == "5 videos are odd: a.mp4 (black), b.mp4, c.mp4 (short) and 2 more"
    assert (found.code, found.videos, found.side) == ("odd", VIDEOS, "fake")
    assert some(dict(list(VIDEOS.items())[:3])) == "a.mp4 (black), b.mp4, c.mp4 (short)"


def test_findings_become_those_of_a_side_and_stay_what_they_are() -> None:
    (found,) = of_side("real", [Finding("odd", "a video is odd", {"a.mp4": ""})])

    assert found == Finding("odd", "a video is odd", {"a.mp4": ""}, "real")
