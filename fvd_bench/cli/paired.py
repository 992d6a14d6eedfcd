"""paired: videos against their own originals, frame by frame."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.late_choice import LateChoice
from fvd_bench.cli.options import chosen_settings, format_option, side_options
from fvd_bench.cli.pages import Showing, html_option
from fvd_bench.cli.streams import check_ending, check_outputs, delivery, keeps, print_report, progress, stdout_of, write
from fvd_bench.errors import ArgumentError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from fvd_bench.sources.opening import Arrays


def _names(context: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete the name of a paired protocol for a shell."""
    from click.shell_completion import CompletionItem

    from fvd_bench.protocols import paired as protocols

    return [CompletionItem(name) for name in protocols.names() if name.startswith(begun)]


def _metrics() -> list[str]:
    from fvd_bench.protocols.paired import METRICS

    return [*METRICS, "rfvd"]


@click.command(cls=Command)
@partial(side_options, takes_statistics=False)
@click.option("--pairs", default="name", show_default=True, metavar="name|order|FILE.csv",
              help="Which videos are a pair: of one name, of one place in the listings, or of one row.")  # fmt: skip
@click.option("--protocol", multiple=True, default=["common-metrics"], show_default=True, metavar="NAME|FILE",
              shell_complete=_names,
              help="How to score; may be given several times: common-metrics, tokenbench, fastvideo, e2fgvi, "
              "torchmetrics, or a file.")  # fmt: skip
@click.option("--metric", "metrics", multiple=True, type=LateChoice(_metrics),
              help="Score this one alone; may be given several times.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1),
              help="Of the intervals, and of rFVD's draws.")  # fmt: skip
@format_option("score", "json", "csv", "markdown", "latex")
@html_option("charts of every metric by frame")
@click.option("--per-video", "per_video_file", metavar="FILE.csv",
              help="Write the scores of each pair; - for stdout alone.")  # fmt: skip
@click.option("--plot", metavar="FILE", help="Draw every metric by frame: a .png or a .svg.")
def paired(
    real: str | Path | Arrays,
    fake: str | Path | Arrays,
    pairs: str,
    protocol: tuple[str, ...],
    metrics: tuple[str, ...],
    seed: int,
    json_file: str | None,
    form: str,
    html_file: str | None,
    per_video_file: str | None,
    plot: str | None,
    **settings: Any,  # click hands over the options of chosen_settings by name
) -> None:
    """Score videos against their own originals: PSNR, SSIM, LPIPS, flickering and rFVD.

    For tokenizers, prediction, interpolation and inpainting, where each generated video has a real one that it should
    be equal to.
    """
    from fvd_bench.features.distributed import processes
    from fvd_bench.reports.charts.canvas import IMAGES

    check_ending("--plot", plot, IMAGES)
    check_outputs(stdout_of(form), json_file, html_file, per_video_file, plot, read=(real, fake, pairs))
    chosen = chosen_settings(**settings)
    if metrics and "rfvd" not in metrics:  # the others have no features that could be kept
        keeps(None)
    with processes(), progress() as show:
        from fvd_bench.paired.evaluate import score_pairs

        result = score_pairs(
            real, fake, protocol, pairs=pairs, metrics=metrics or None, seed=seed, settings=chosen, progress=show
        )
    from fvd_bench.reports.curves import draw
    from fvd_bench.reports.page import paired_page
    from fvd_bench.reports.paired import frame_panels, paired_report, pairs_csv

    page = Showing(html_file).text(lambda _, made: paired_page(result, made))
    panels = frame_panels({"": result})
    with delivery() as attempt:
        if plot is not None:
            if not panels:
                raise ArgumentError("--plot draws scores by frame, and there are none")
            attempt(lambda: write(draw(panels, Path(plot).suffix.lower()), plot))
        texts = (json_file, result.to_json), (per_video_file, lambda: pairs_csv(result)), page
        attempt(lambda: print_report(paired_report(result), form, *texts, findings=result.findings))
