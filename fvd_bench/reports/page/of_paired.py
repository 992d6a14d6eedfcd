"""The page of videos against their originals: the scores, how they go along the video, and the pairs that are worst."""

from __future__ import annotations

from collections.abc import Iterator

from fvd_bench.finding import messages
from fvd_bench.paired.result import PairedResult
from fvd_bench.reports.page.meaning import distrust
from fvd_bench.reports.page.of_curves import curve_blocks
from fvd_bench.reports.page.page import Block, Code, Details, Items, Made, Page, Section, Table, Verdict, Words
from fvd_bench.reports.paired import frame_panels, missing_scores, paired_grid
from fvd_bench.words import counted, duration, number, span

_WORST = 20


def paired_page(result: PairedResult, made: Made | None = None) -> Page:
    """Make the page of what `evaluate_paired` returns."""
    panels = frame_panels({"": result})
    return Page(
        title=f"{result.fake.path} against {result.real.path}, pair by pair",
        verdict=_verdict(result),
        sections=[
            Section("Scores", list(_scores(result))),
            *(Section(f"{p.metric.upper()} of {p.protocol} by frame", _short(curve_blocks(p))) for p in panels),
            Section("The worst pairs", list(_worst(result))),
            Section("Findings", [Items(messages(result.findings))] if result.findings else []),
            Section("How it was made", list(_origin(result))),
        ],
        made=made or Made(),
    )


def _verdict(result: PairedResult) -> Verdict:
    scored = [score for score in result.scores if score.value is not None]
    if not scored:
        return Verdict("unsure", "There is no score of single frames.")
    first = scored[0]
    sure = "" if first.interval is None else f" (95 % interval {span(first.interval)})"
    others = [
        f"{score.metric.upper()} {number(score.value)}" for score in scored[1:] if score.protocol == first.protocol
    ]
    return Verdict(
        "unsure",
        f"{', '.join([f'{first.metric.upper()} {number(first.value)}{sure}', *others])}",
        f"{first.protocol}, {counted(first.pairs, 'pair')} of videos, {counted(first.frames, 'frame')}.",
        distrust(result.findings),
    )


def _scores(result: PairedResult) -> Iterator[Block]:
    """Yield the scores, and below them why some are missing, which is too long for a table of so many columns."""
    yield Table.of_grid(paired_grid({"": result}, with_reasons=False))
    if missing := list(missing_scores(result)):
        yield Items(missing)


def _short(blocks: list[Block]) -> list[Block]:
    """Fold the tables of curves away."""
    return [Details("All points", [block]) if isinstance(block, Table) else block for block in blocks]


def _worst(result: PairedResult) -> Iterator[Block]:
    """Yield the pairs with the worst values of the first score."""
    first = next((score for score in result.scores if score.value is not None), None)
    if first is None:
        return
    known = [(value, pair) for pair in result.pairs if (value := pair.values.get(first.name)) is not None]
    known.sort(key=lambda found: found[0], reverse=first.lower_is_better)
    names = list(dict.fromkeys(score.name for score in result.scores if score.value is not None))
    yield Words(f"By {first.metric.upper()} of {first.protocol}.", is_soft=True)
    rows = [[pair.real, pair.fake, *(number(pair.values.get(name)) for name in names)] for _, pair in known[:_WORST]]
    yield Table(("real", "fake", *names), rows, numbers=range(2, 2 + len(names)))


def _origin(result: PairedResult) -> Iterator[Block]:
    sides = {"real": result.real, "fake": result.fake}
    rows = [(name, s.path, s.kind, str(s.videos), s.fingerprint[:12]) for name, s in sides.items()]
    yield Table(("side", "path", "kind", "videos", "fingerprint"), rows, numbers=(3,))
    skipped = dict.fromkeys((left.video, left.reason) for score in result.scores for left in score.skipped)
    if skipped:
        yield Details(
            f"{counted(len(skipped), 'reason')} why pairs are skipped", [Table(("fake video", "reason"), list(skipped))]
        )
    yield Code([score.signature for score in result.scores if score.value is not None])
    yield Details("Weights and software", [Table(("", ""), [*result.weights.items(), *result.environment.items()])])
    yield Words(f"Scored by fvd-bench {result.fvd_bench} in {duration(result.seconds)}.", is_soft=True)
