"""protocols: the ways of computing a score."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fvd_bench.cli.command import Commands
from fvd_bench.cli.options import chosen_settings, evaluation_options, format_option, protocol_names
from fvd_bench.cli.pages import CLIPS_AND_CHARTS, Showing, html_option
from fvd_bench.cli.streams import TEXT, check_outputs, print_report, progress, say, stdout_of

if TYPE_CHECKING:
    from fvd_bench.sources.opening import Arrays


@click.group(cls=Commands)
def protocols() -> None:
    """The ways of computing a score: list, show, compare and explain them."""


@protocols.command("list")
@format_option("json", "csv", "markdown", "latex")
def protocols_list(form: str) -> None:
    """Each protocol that ships with the package, and which could not be shipped.

    Those with a short name come first. Older versions are named NAME@VERSION.
    """
    from fvd_bench.reports.protocols import listing

    print_report(listing(), form)


@protocols.command("show")
@click.argument("name", metavar="NAME|NAME@VERSION|FILE", shell_complete=protocol_names)
def protocols_show(name: str) -> None:
    """The file of a protocol, its digest and its signature, and those of each score where it has several."""
    from fvd_bench.metrics import METRICS
    from fvd_bench.networks import NETWORKS
    from fvd_bench.protocols import paired, protocol

    if name in paired.names():
        of_pairs = paired.load(name)
        say(paired.text(name), lines=True)
        say(f"# digest: {of_pairs.digest()}")
        for of in of_pairs.metrics:
            say(f"# signature of its {of}: {of_pairs.signature(of)}")
        return
    loaded = protocol.load(name)
    say(protocol.text(name), lines=True)
    say(f"# digest: {loaded.digest()}")
    say(f"# signature: {loaded.signature()}")
    if len(loaded.metric.names) > 1:
        for metric in loaded.metric.names:
            say(f"# digest of its {metric}: {loaded.alone(metric).digest()}")
    foreign = [name for name in (loaded.features.extractor,) if name not in NETWORKS.built_in]
    foreign += [name for name in loaded.metric.names if name not in METRICS.built_in]
    if foreign:
        say(f"# not of fvd-bench: {', '.join(foreign)}; scores have another digest, with the versions of these")


@protocols.command("diff")
@click.argument("a", metavar="A", shell_complete=protocol_names)
@click.argument("b", metavar="B", shell_complete=protocol_names)
@format_option("json", "csv", "markdown", "latex")
def protocols_diff(a: str, b: str, form: str) -> None:
    """The choices in which two protocols differ; A and B are names or files."""
    from fvd_bench.protocols import protocol
    from fvd_bench.protocols.differences import differences
    from fvd_bench.reports.protocols import comparison

    first, second = protocol.read(a), protocol.read(b)  # unlike load, takes a copy that still has its old name
    if first.digest() == second.digest() and form == TEXT:
        say(f"{a} and {b} compute the same: both have the digest {first.digest()[:12]}")
    else:
        print_report(comparison((a, b), differences(first, second)), form)


@protocols.command("explain")
@click.argument("a", metavar="A", shell_complete=protocol_names)
@click.argument("b", metavar="B", shell_complete=protocol_names)
@evaluation_options
@html_option(CLIPS_AND_CHARTS)
@format_option("score", "json", "csv", "markdown", "latex")
def protocols_explain(
    a: str,
    b: str,
    real: str | Path | Arrays,
    fake: str | Path | Arrays,
    repeats: int,
    seed: int,
    json_file: str | None,
    html_file: str | None,
    form: str,
    **settings: Any,  # click hands over the options of chosen_settings by name
) -> None:
    """Why A and B score the same videos differently: from A to B, changing one choice at a time."""
    from fvd_bench.evaluation.studies.explain import explain
    from fvd_bench.features.distributed import processes
    from fvd_bench.reports.explain import waterfall_report
    from fvd_bench.reports.page import explain_page

    showing = Showing(html_file)
    chosen = chosen_settings(**settings, onlooker=showing.onlooker)
    check_outputs(stdout_of(form), json_file, html_file, read=(real, fake, a, b))
    with processes() as first, progress(shown=first) as show:
        waterfall = explain(a, b, real, fake, repeats=repeats, seed=seed, settings=chosen, progress=show)
    if not first:
        return
    texts = (json_file, waterfall.to_json), showing.text(partial(explain_page, waterfall))
    print_report(waterfall_report(waterfall), form, *texts, findings=waterfall.result.warnings)
