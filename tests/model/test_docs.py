"""The documentation of the model points at lines that exist, and cites the paper by the paper's own numbers."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(
    r"^\| (?P<cited>[^|]+) \| (?P<what>[^|]+) \| \[\w+\.py\]\((?P<file>[^)]+)\) \| `(?P<line>.+)` \|$", re.MULTILINE
)

MATTERS = {
    # Words of which a text that cites the number has at least one.
    "eq. 1": r"wave",  # a positional embedding: amplitude · sin(frequency · t + phase)
    "eq. 2": r"wave",  # the same with the parameters of a motion code: raw motion codes
    "eq. 3": r"linear map|amplitude|from a motion code",  # wave parameters are linear in the motion code
    "eq. 4": r"stitch|align",  # raw motion codes less their interpolation, plus that of the aligned codes
    "eq. 5": r"tanh|from a motion code|frequenc",  # frequencies as used: (tanh + 1) σ
    "eq. 6": r"spac|period",  # σ: linearly spaced periods
    "fig. 1": r"hour",  # one-hour videos of several methods
    "fig. 2": r"edit|project",  # edited and projected images, animated
    "fig. 3": r"cost",  # scores by costs of training
    "fig. 4": r"gradient",  # what reaches the generator from either discriminator
    "fig. 5": r"generator|frame from|time embedding v",  # architecture of the generator
    "fig. 6": r"discriminator|frames go through",  # architecture of the discriminator
    "fig. 7": r"samples",  # of all methods
    "fig. 8": r"hour|long",  # long videos of MEAD
    "fig. 9": r"encoding|cycle|wave",  # positional embeddings and their cycle lengths
    "section 3.1": r"content|motion|wave|code",  # structure of the generator, acyclic positional encoding
    "section 3.2": r"discriminator|time distance|frames go through|hyper-modulation",  # structure of the discriminator
    "section 3.3": r"k frames|span|sparse",  # sparse training: which frames make a clip
    "appendix A": r"limitation",  # limitations, negative impact
    "appendix B": r"training",  # implementation and training
    "appendix B.1": r"convolution|augmentation|loss|optimiser|average",  # optimisation, sizes of networks, augmentation
    "appendix B.2": r"project|[Ee]dit",  # projection and editing
    "appendix B.3": r"period|spac|wave",  # positional embeddings: bounded and linearly spaced periods
    "appendix C": r"FVD|JPEG",  # evaluation
    "appendix D": r"idea",  # what was tried and dropped
    "appendix E": r"\bsets?\b",  # data sets
}
"""What the paper's own numbers are about."""

FORMS = {"equation": "eq.", "figure": "fig."}
CITATION = re.compile(
    r"(?<!\d{4}, )\b(eq\.|equation|fig\.|figure|section|appendix) ((?:\d|[A-H])(?:\.\d)?)\b(?: (and|to) (\d)\b)?",
    re.IGNORECASE,
)
"""Not those of other papers, which are cited as `Karras et al. 2020, appendix B`."""

REACH = 120
"""Letters on both sides of a citation that are looked at for its matter."""


def citations(text: str) -> list[tuple[str, str]]:
    """(number in the form of MATTERS, text around it) of all citations of the paper; no text of ranges of numbers."""
    found = []
    for match in CITATION.finditer(text):
        around = " ".join(text[max(match.start() - REACH, 0) : match.end() + REACH].split())
        kind = match[1].lower()
        kind = FORMS.get(kind, kind)
        numbers = [match[2]]
        if match[3] == "and":
            numbers.append(match[4])
        elif match[3] == "to":
            numbers, around = [str(number) for number in range(int(match[2]), int(match[4]) + 1)], ""
        found += [(f"{kind} {number}", around) for number in numbers]
    return found


def fits(number: str, text: str) -> bool:
    """Whether a text that cites a number of the paper is about what the paper numbers so."""
    return number in MATTERS and re.search(MATTERS[number], text) is not None


def test_every_line_that_the_paper_is_mapped_to_exists_once() -> None:
    rows = ROW.findall((ROOT / "docs" / "paper.md").read_text("utf-8"))
    found = {line: (ROOT / "docs" / file).read_text("utf-8").count(line) for _, _, file, line in rows}

    assert len(rows) >= 22
    assert {line: n for line, n in found.items() if n != 1} == {}


def test_every_row_of_the_map_cites_what_the_paper_numbers_so() -> None:
    rows = ROW.findall((ROOT / "docs" / "paper.md").read_text("utf-8"))
    cited = {what: [number for number, _ in citations(text)] for text, what, _, _ in rows}

    assert [what for what, numbers in cited.items() if not numbers] == []
    assert [(what, number) for what, numbers in cited.items() for number in numbers if not fits(number, what)] == []
    covered = {number for numbers in cited.values() for number in numbers}
    assert covered >= {*(f"eq. {number}" for number in range(1, 7)), "fig. 5", "fig. 6", "appendix B.1"}


FILES = sorted(
    [
        *(ROOT / "model" / "stylegan_v").rglob("*.py"),
        *(ROOT / "tests" / "model").glob("*/test_*.py"),
        *(ROOT / "benchmarks").glob("*.py"),
        *(ROOT / "benchmarks").glob("*.md"),
        ROOT / "docs" / "model.md",
        ROOT / "docs" / "paper.md",
        ROOT / "docs" / "properties.md",
        ROOT / "README.md",
    ]
)


def test_citations_elsewhere_agree_with_the_papers_numbers() -> None:
    found = [(file.name, *citation) for file in FILES for citation in citations(file.read_text("utf-8"))]

    assert [(name, n, text) for name, n, text in found if n not in MATTERS or (text and not fits(n, text))] == []
    assert {name for name, _, _ in found} >= {
        "motion.py",
        "discriminator.py",
        "generator.py",
        "times.py",
        "style_trainer.py",
    }


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("eq. 1 and 2 are waves", ["eq. 1", "eq. 2"]),
        ("Eq. 4 to 6", ["eq. 4", "eq. 5", "eq. 6"]),
        ("Section 3.2 and figure 6", ["section 3.2", "fig. 6"]),
        ("paper section 3.3 and appendix B.1; Karras et al. 2020, appendix B", ["section 3.3", "appendix B.1"]),
    ],
)
def test_citations_are_found(text: str, numbers: list[str]) -> None:
    assert [number for number, _ in citations(text)] == numbers
