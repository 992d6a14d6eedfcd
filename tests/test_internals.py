"""docs/internals.md: every file and every name that it speaks of exists, and every room is drawn."""

import re
from pathlib import Path

import pytest

from tests.test_rooms import ROOMS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "internals.md").read_text("utf-8")

STOPS = re.findall(r"^\| (\d+) \| \[([\w/]+\.py)\]\(\.\./fvd_bench/([\w/]+\.py)\): `(\w+)` \|", PAGE, re.MULTILINE)


def test_rooms_are_drawn_in_their_order() -> None:
    drawn = re.findall(r"```text\n(.+)\n```", PAGE)

    assert [line.split(" < ") for line in drawn] == [*ROOMS.values()]


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", PAGE))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).exists()


def test_every_stop_of_a_clip_is_where_it_is_said_to_be() -> None:
    assert [int(number) for number, *_ in STOPS] == [*range(1, len(STOPS) + 1)] and len(STOPS) >= 16
    for _, shown, file, name in STOPS:
        assert shown == file
        assert re.search(rf"^(def|class) {name}\b", (ROOT / "fvd_bench" / file).read_text("utf-8"), re.MULTILINE), name


def test_every_concept_is_a_class() -> None:
    concepts = PAGE.split("## Concepts")[1].split("## The model")[0]
    sources = "\n".join(file.read_text("utf-8") for file in (ROOT / "fvd_bench").rglob("*.py"))

    names = re.findall(r"`([A-Z]\w*[a-z]\w*)`", concepts)

    assert len(names) > 20
    assert [name for name in names if not re.search(rf"^class {name}\b", sources, re.MULTILINE)] == []
