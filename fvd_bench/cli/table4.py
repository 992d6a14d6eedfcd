"""table4: what the paper's pitfalls do to the score."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.options import chosen_settings, draw_options, format_option, side_options
from fvd_bench.cli.pages import CLIPS_AND_CHARTS, Showing, html_option
from fvd_bench.cli.streams import check_outputs, print_report, progress, stdout_of

if TYPE_CHECKING:
    from fvd_bench.sources.opening import Arrays


@click.command(cls=Command)
@partial(side_options, takes_statistics=False)
@format_option("score", "json", "csv", "markdown", "latex")
@draw_options(repeats=5)  # one draw cannot tell a change from chance
@html_option(CLIPS_AND_CHARTS)
def table4(
    real: str | Path | Arrays,
    fake: str | Path | Arrays,
    repeats: int,
    seed: int,
    json_file: str | None,
    html_file: str | None,
    form: str,
    **settings: Any,  # click hands over the options of chosen_settings by name
) -> None:
    """Make each mistake of the StyleGAN-V paper's Table 4 on these videos, and see what it does to FVD."""
    from fvd_bench.evaluation.studies import table4
    from fvd_bench.features.distributed import processes
    from fvd_bench.reports.page import table4_page
    from fvd_bench.reports.table4 import table4_report

    showing = Showing(html_file)
    chosen = chosen_settings(**settings, onlooker=showing.onlooker)
    check_outputs(stdout_of(form), json_file, html_file, read=(real, fake))
    with processes() as first, progress(shown=first) as show:
        result = table4.table4(real, fake, repeats=repeats, seed=seed, settings=chosen, progress=show)
    if not first:
        return
    texts = (json_file, result.to_json), showing.text(partial(table4_page, result))
    print_report(table4_report(result), form, *texts, findings=result.warnings)
