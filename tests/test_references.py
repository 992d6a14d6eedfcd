"""Every file that a page of the documentation, or a docstring, speaks of is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "README.md", *(ROOT / "docs").glob("*.md")]
FOLDERS = "fvd_bench|model|protocols|tests|benchmarks|docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_named_tests_are_there() -> None:
    there = {file.name for file in (ROOT / "tests").rglob("test_*.py")}
    named = {name for page in PAGES for name in re.findall(r"\btest_\w+\.py\b", page.read_text("utf-8"))}

    assert named - there == set()


def test_named_files_are_there() -> None:
    sources = [file for folder in FOLDERS.split("|") for file in (ROOT / folder).rglob("*.py")]
    wrong = []
    for file in (*PAGES, *sources):
        named = re.findall(rf"(?<![\w./-])((?:{FOLDERS})/[\w./-]+\.(?:py|md|toml|sh))\b", file.read_text("utf-8"))
        wrong += [f"{file.relative_to(ROOT)}: {name}" for name in named if not (ROOT / name).exists()]

    assert wrong == []
