"""Comparisons of results for people, for CI summaries (Markdown) and for CI servers (JUnit XML, JSON)."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict
from xml.etree import ElementTree

from rich.console import Group

from fvd_bench.errors import FvdBenchError
from fvd_bench.escapes import escaped
from fvd_bench.evaluation.comparisons.comparison import Comparison, Comparisons
from fvd_bench.finding import messages
from fvd_bench.reports.formats import Report, markdown_code, markdown_plain, markdown_table
from fvd_bench.reports.layout import Column, Grid, Prose, Record
from fvd_bench.reports.scores import signatures
from fvd_bench.words import number, percent

PAIRED = "Fake videos of one name were compared with each other."

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not have. Names of files may have them."""

_WORDS = {
    "better": "better",
    "same": "cannot be told apart",
    "worse": "worse",
    "regression": "REGRESSION",
    "unknown": "unknown",
}


def comparison_report(compared: Comparisons) -> Report:
    """Report a comparison: its verdict and the change, and what chance explains of it."""
    grid = _grid(compared)
    shown = _record(compared.scores[0]) if len(compared.scores) == 1 else grid
    return Report(
        text=Group(shown, *map(Prose, _sentences(compared))),
        grid=grid,
        records=[asdict(score) for score in compared.scores],
        to_json=lambda: comparisons_json(compared),
        scores=[score.change for score in compared.scores],
    )


def _record(score: Comparison) -> Record:
    before, now, change, noise, found = _numbers(score)
    fields = [("before", before), ("now", now), ("change", change), ("chance explains", noise)]
    if found != "–":
        fields.append(("would be found", f"a worsening of {found}"))
    return Record(_WORDS[score.verdict], fields, more=score_name(score))


def _grid(compared: Comparisons) -> Grid:
    names = ("before", "now", "change", "chance explains", "would be found")
    columns = [Column("score"), Column("verdict", style="bold"), *(Column(name, is_number=True) for name in names)]
    return Grid(columns, [[score_name(score), _WORDS[score.verdict], *_numbers(score)] for score in compared.scores])


def markdown(compared: Comparisons) -> str:
    """Write a summary for a pull request or a job's page."""
    outcome = "accepted" if compared.accepted else "regression" if compared.failed else "no regression"
    lines = [f"### fvd-bench: {outcome}", "", markdown_table(_grid(compared)).rstrip("\n")]
    lines += ["", *(f"- {markdown_plain(sentence)}" for sentence in [*_sentences(compared), *_warnings(compared)])]
    lines += ["", *map(markdown_code, signatures(compared.now.scores))]
    return "\n".join(lines) + "\n"


def junit(compared: Comparisons) -> str:
    """Write JUnit XML: one test case per score, which fails on a regression."""
    suite = ElementTree.Element(
        "testsuite",
        name="fvd-bench check",
        tests=str(len(compared.scores)),
        failures=str(sum(_is_failure(score, compared) for score in compared.scores)),
        errors="0",
        time=str(compared.now.seconds),
    )
    for score in compared.scores:
        place = {"classname": escaped(f"fvd-bench.{score.protocol}"), "name": escaped(score_name(score))}
        case = ElementTree.SubElement(suite, "testcase", place)
        before, now, change, noise, _ = _numbers(score)
        said = f"{before} before, {now} now, a change of {change}; chance explains {noise}"
        if _is_failure(score, compared):
            ElementTree.SubElement(case, "failure", message=said).text = "\n".join(map(escaped, _sentences(compared)))
        ElementTree.SubElement(case, "system-out").text = f"{_WORDS[score.verdict]}: {said}"
    if warnings := _warnings(compared):
        ElementTree.SubElement(suite, "system-err").text = "\n".join(map(escaped, warnings))
    return _xml(suite)


def markdown_error(error: FvdBenchError) -> str:
    """Write a summary of a check that could not compare anything."""
    lines = str(error).split("\n") if error.has_lines else [str(error)]
    return "### fvd-bench: no comparison\n\n" + "\n".join(map(markdown_plain, lines)) + "\n"


def json_error(error: FvdBenchError) -> str:
    """Write JSON of schema 1 about a check that could not compare anything."""
    return json.dumps({"schema": 1, "failed": True, "error": str(error), "type": type(error).__name__}, indent=2) + "\n"


def junit_error(error: FvdBenchError) -> str:
    """Write JUnit XML about a check that could not compare anything."""
    suite = ElementTree.Element("testsuite", name="fvd-bench check", tests="1", failures="0", errors="1")
    case = ElementTree.SubElement(suite, "testcase", classname="fvd-bench", name="check")
    ElementTree.SubElement(case, "error", message=escaped(str(error)), type=type(error).__name__)
    return _xml(suite)


def comparisons_json(compared: Comparisons) -> str:
    """Write JSON of schema 1: the comparisons, and the whole later result."""
    table = {
        "schema": 1,
        "failed": compared.failed,
        "accepted": compared.accepted,
        "allowed": compared.allowed if math.isfinite(compared.allowed) else None,
        "scores": [asdict(score) for score in compared.scores],
        "notes": list(compared.notes),
        "now": json.loads(compared.now.to_json()),
    }
    return json.dumps(table, indent=2, allow_nan=False) + "\n"


def score_name(score: Comparison) -> str:
    """Return the metric and the protocol that a comparison is of."""
    return f"{score.metric.upper()} {score.protocol}" + (f" {score.row}" if score.row else "")


def _numbers(score: Comparison) -> list[str]:
    relative = "" if score.relative_change is None else f" ({percent(score.relative_change, '+.1%')})"
    sign = "+" if score.change > 0 else ""
    noise = "unknown" if score.error is None else f"± {number(score.noise)}"
    change = f"{sign}{number(score.change)}{relative}"
    return [number(score.before), number(score.now), change, noise, found_text(score)]


def found_text(score: Comparison) -> str:
    """Write which worsening would be found, up or down, a dash where that is not known."""
    if score.detectable is None:
        return "–"
    return f"{'+' if score.lower_is_better else '-'}{percent(score.detectable, '.1%')}"


def _sentences(compared: Comparisons) -> list[str]:
    sentences = []
    if math.isfinite(compared.allowed):
        sentences.append(
            f"A regression is worse by more than the allowed {percent(compared.allowed, '.1%')} and by more than "
            "chance explains (less than one run in twenty with nothing to find goes beyond that)."
        )
    if any(score.paired for score in compared.scores):
        sentences.append(PAIRED)
    if any(score.error is None for score in compared.scores):
        is_gate = math.isfinite(compared.allowed)
        said = "a regression is any worsening beyond the allowed one" if is_gate else "nothing is said of a change"
        sentences.append(f"Where chance is unknown, {said}.")
    if compared.accepted:
        sentences.append("The new result was accepted as the baseline.")
    return sentences + [f"Note: {note}." for note in compared.notes]


def _warnings(compared: Comparisons) -> list[str]:
    """Return the findings of both results, which a terminal gets on stderr."""
    return [f"Warning: {message}" for message in messages(compared.findings)]


def _is_failure(score: Comparison, compared: Comparisons) -> bool:
    return score.verdict == "regression" and not compared.accepted


def _xml(suite: ElementTree.Element) -> str:
    ElementTree.indent(suite)
    text = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True).decode("utf-8") + "\n"
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
