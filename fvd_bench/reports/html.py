"""A result as one HTML page: no scripts, nothing loaded from anywhere, charts as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from fvd_bench.escapes import escaped
from fvd_bench.estimate import Estimate
from fvd_bench.evaluation.result import Result, Score
from fvd_bench.reports.tables import UNKNOWN, is_scale, number, span

_WIDTH, _LEFT, _RIGHT = 720, 120, 40
"""Sizes in a chart, in pixels: its width, the space for labels on the left, and the space right of its scale."""

_ROW = 28

_LEAST_SPAN = 1e-12
"""A scale that spans no more than this would show nothing but rounding."""

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2733; --soft: #66768a; --line: #d5dce4; --page: #fff; --score: #1558b0;
  --floor: #9aa7b5; --limit: #0f8a5f; --warn: #9a5b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e9f0; --soft: #95a3b3; --line: #35414e; --page: #12181f;
  --score: #6aa9ff; --floor: #6d7b8a; --limit: #45c796; --warn: #f0b35a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 56rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .6rem;
  border-bottom: 1px solid var(--line); vertical-align: top } td.n, th.n { text-align: right;
  font-variant-numeric: tabular-nums } code { font-size: .85em; overflow-wrap: anywhere }
svg { width: 100%; height: auto } svg text { font: 12px system-ui, sans-serif; fill: var(--ink) }
svg .soft { fill: var(--soft) } .warn { color: var(--warn) } .soft { color: var(--soft) } .big { font-size: 2rem }
"""


def html_report(result: Result) -> str:
    """Make the page of a result: scores, intervals, floors, values at infinity, warnings, and how it was all made."""
    parts = [
        f"<h1>{_e(result.fake.path)} <span class=soft>against</span> {_e(result.real.path)}</h1>",
        *_headline(result.scores),
        *[section for s in result.scores if s.value is not None and not is_scale(s) for section in _score_section(s)],
        *_motion(result),
        "<h2>All scores</h2>",
        _scores_table(result.scores),
        *_warnings(result),
        *_skipped(result.scores),
        "<h2>How it was made</h2>",
        *[f"<p><code>{_e(score.signature)}</code></p>" for score in result.scores],
        *_protocols(result),
        _table(("", ""), [*result.weights.items(), *result.environment.items()], caption="Weights and software"),
        f"<p class=soft>fvd-bench {_e(result.fvd_bench)}, {result.seconds:.0f} seconds</p>",
    ]
    return (
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
        '<meta name=viewport content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>fvd-bench: {_e(result.fake.path)}</title>\n<style>{_STYLE}</style>\n"
        + "\n".join(parts)
        + "\n</html>\n"
    )


def _headline(scores: Sequence[Score]) -> Iterable[str]:
    first = scores[0]
    yield f"<p class=big>{_e(first.metric.upper())} {number(first.value)}</p>"
    if first.interval is not None:
        yield (
            f"<p>95 % interval {span(first.interval)}, {_e(first.protocol)}, {first.real.clips} real and "
            f"{first.fake.clips} fake clips. {'Lower' if first.lower_is_better else 'Higher'} is better.</p>"
        )


def _score_section(score: Score) -> Iterable[str]:
    assert score.value is not None
    rows: list[tuple[str, str, float, tuple[float, float] | None]] = [
        ("score", "score", score.value, score.interval),
        *_estimate_row("floor", "floor", score.floor),
        *_estimate_row("at infinity", "limit", score.infinite),
        *((f"draw {k + 1}", "score", value, None) for k, value in enumerate(score.values) if len(score.values) > 1),
    ]
    if len(rows) > 1 or score.interval is not None:
        yield f"<h2>{_e(score.metric.upper())}, {_e(score.protocol)}{' · ' + _e(score.row) if score.row else ''}</h2>"
        yield _chart(rows)
        if score.floor is not None:
            yield (
                "<p class=soft>The floor is what the real videos score against others of their kind at these numbers: "
                "a generator inside it cannot be told from them. At infinity: the score without the part that is due "
                "to the number of videos.</p>"
            )
        for what, reason in score.unknown.items():
            yield f"<p class=soft>No {_e(UNKNOWN.get(what, what))}: {_e(reason)}.</p>"


def _estimate_row(
    label: str, colour: str, estimate: Estimate | None
) -> Iterable[tuple[str, str, float, tuple[float, float]]]:
    if estimate is not None:
        yield label, colour, estimate.value, estimate.interval


def _chart(rows: Sequence[tuple[str, str, float, tuple[float, float] | None]]) -> str:
    """Draw points with whiskers on one scale that holds 0. rows: label, colour, value, interval."""
    points: list[float] = [point for _, _, value, interval in rows for point in (value, *(interval or ()))]
    bottom, top = min(0.0, *points), max(0.0, *points)
    top = top if top - bottom > _LEAST_SPAN else bottom + 1.0
    scale = (_WIDTH - _LEFT - _RIGHT) / (top - bottom)

    def x(value: float) -> float:
        return round(_LEFT + (value - bottom) * scale, 1)

    marks = []
    for place, (label, colour, value, interval) in enumerate(rows):
        y = _ROW * place + _ROW // 2
        marks.append(f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{_e(label)}</text>')
        if interval:
            ends = f'x1="{x(interval[0])}" x2="{x(interval[1])}" y1="{y}" y2="{y}"'
            marks.append(f'<line {ends} stroke="var(--{colour})" stroke-width="6" stroke-opacity=".3"/>')
        marks.append(
            f'<circle cx="{x(value)}" cy="{y}" r="5" fill="var(--{colour})"><title>{number(value)}</title></circle>'
        )
    height = _ROW * len(rows)
    for value in _ticks(bottom, top):
        marks.append(f'<line x1="{x(value)}" x2="{x(value)}" y1="0" y2="{height}" stroke="var(--line)"/>')
        marks.append(f'<text class="soft" x="{x(value)}" y="{height + 16}" text-anchor="middle">{value:g}</text>')
    described = "; ".join(f"{label}: {number(value)}" for label, _, value, _ in rows)
    return f'<svg viewBox="0 0 {_WIDTH} {height + 24}" role="img" aria-label="{_e(described)}">{"".join(marks)}</svg>'


def _ticks(bottom: float, top: float) -> Iterable[float]:
    """Return about five round numbers."""
    quarter = (top - bottom) / 4
    step = 10.0 ** math.floor(math.log10(quarter))
    step *= max((factor for factor in (2, 5) if factor * step <= quarter), default=1)
    return [round(place * step, 12) for place in range(math.ceil(bottom / step), math.floor(top / step) + 1)]


def _motion(result: Result) -> Iterable[str]:
    if result.motion is None:
        return
    yield "<h2>Motion</h2>"
    rows = []
    for name, side in (("real", result.motion.real), ("fake", result.motion.fake)):
        loops = "–" if side.looping is None else f"{side.looping:.0%}"
        numbers = [number(side.mean), number(side.median), number(side.spread), f"{side.still:.0%}", loops]
        rows.append([name, *numbers, str(side.videos)])
    head = ("side", "energy", "median", "spread", "stand still", "loop", "videos")
    yield _table(head, rows, numbers=range(1, 7))
    yield "<p class=soft>Energy: mean change from frame to frame, in grey levels of 0 to 255.</p>"
    scales = [score for score in result.scores if is_scale(score) and score.value is not None]
    for protocol in dict.fromkeys(score.protocol.partition("-scale-")[0] for score in scales):
        bars = [("score", "score", s.value, s.interval) for s in result.scores if s.protocol == protocol][:1]
        bars += [
            (str(s.row).removeprefix("scale-"), "floor", s.value, s.interval)
            for s in scales
            if s.protocol.partition("-scale-")[0] == protocol
        ]
        yield f"<p>{_e(protocol)} beside what the real videos score against themselves with broken motion:</p>"
        yield _chart([(label, colour, value, interval) for label, colour, value, interval in bars if value is not None])


def _scores_table(scores: Sequence[Score]) -> str:
    rows = [
        (
            f"{score.protocol}@{score.protocol_version}" + (f" · {score.row}" if score.row else ""),
            f"{score.metric.upper()} {'↓' if score.lower_is_better else '↑'}",
            number(score.value) if score.reason is None else score.reason,
            number(score.std),
            span(score.interval),
            f"{score.real.clips} + {score.fake.clips}",
        )
        for score in scores
    ]
    return _table(("protocol", "metric", "score", "± std", "95 % interval", "clips"), rows, numbers=(2, 3, 4, 5))


def _warnings(result: Result) -> Iterable[str]:
    if result.warnings:
        yield "<h2>Warnings</h2>"
        yield "<ul class=warn>" + "".join(f"<li>{_e(warned.message)}</li>" for warned in result.warnings) + "</ul>"


def _skipped(scores: Sequence[Score]) -> Iterable[str]:
    sides = [(side, count) for score in scores for side, count in (("real", score.real), ("fake", score.fake))]
    rows = dict.fromkeys((side, skipped.video, skipped.reason) for side, count in sides for skipped in count.skipped)
    if rows:
        yield "<h2>Skipped videos</h2>"
        yield _table(("side", "video", "reason"), rows)


def _protocols(result: Result) -> Iterable[str]:
    made: dict[str, dict[str, None]] = {}
    for score in result.scores:
        made.setdefault(score.digest, {})[f"{score.metric.upper()} {score.protocol}"] = None
    for digest, choices in result.protocols.items():
        rows = [(key, str(value)) for key, value in choices.items()]
        yield (
            f"<details><summary>{_e(', '.join(made.get(digest, {})))} <code>{digest[:12]}</code></summary>"
            f"{_table(('choice', 'value'), rows)}</details>"
        )


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = (), caption: str | None = None
) -> str:
    def cells(tag: str, values: Sequence[str]) -> str:
        marked = ((" class=n" if place in numbers else "", value) for place, value in enumerate(values))
        return "<tr>" + "".join(f"<{tag}{mark}>{_e(value)}</{tag}>" for mark, value in marked) + "</tr>"

    title = f"<caption class=soft>{_e(caption)}</caption>" if caption else ""
    top = cells("th", head) if any(head) else ""
    return f"<table>{title}{top}{''.join(cells('td', row) for row in rows)}</table>"


def _e(text: str) -> str:
    return escape(escaped(text), quote=True)
