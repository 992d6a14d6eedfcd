"""audit: which metric sees what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.late_choice import LateChoice
from fvd_bench.cli.options import array_options, chosen_settings, format_option, protocol_names, run_options
from fvd_bench.cli.streams import check_ending, check_outputs, delivery, print_report, progress, stdout_of, write
from fvd_bench.cli.values import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fvd_bench.protocols.protocol import ProtocolLike
    from fvd_bench.sources.opening import Arrays


def _distortions() -> list[str]:
    from fvd_bench.videos.distortion import DISTORTIONS

    return list(DISTORTIONS)


@click.command(cls=Command)
@click.option("--real", required=True, type=Place(),
              help="Videos to distort: a folder, archive, array file, list, pattern, address, or "
              "module:function.")  # fmt: skip
@click.option("--protocol", multiple=True, metavar="NAME|FILE", shell_complete=protocol_names,
              help="Whose metrics to audit; may be given several times. Unless given, those on I3D: "
              "stylegan-v-fvd16-panel and stylegan-v-mind.")  # fmt: skip
@click.option("--every-network", is_flag=True,
              help="Audit all metrics on each network whose weights are here, also of installed packages, in place of "
              "--protocol.")  # fmt: skip
@click.option("--distortion", "distortions", multiple=True, type=LateChoice(_distortions),
              help="Make this one alone; may be given several times.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1),
              help="Of the clips and of the distortions.")  # fmt: skip
@click.option("--json", "json_file", metavar="FILE", help="Write the audit as JSON; - for stdout alone.")
@format_option("score", "json", "csv", "markdown", "latex")
@click.option("--plot", metavar="FILE", help="Draw what each metric sees: a .png or a .svg.")
@array_options(real="")
@run_options
def audit(
    real: str | Path | Arrays,
    protocol: tuple[str, ...],
    every_network: bool,
    distortions: tuple[str, ...],
    seed: int,
    json_file: str | None,
    form: str,
    plot: str | None,
    **settings: Any,  # click hands over the options of chosen_settings by name
) -> None:
    """See which metric sees what: distort real videos, and score them against themselves.

    Frames, motion or both are made worse, each in three strengths. Features are kept, so that an audit that was ended
    goes on from there.
    """
    from fvd_bench.features.distributed import processes
    from fvd_bench.reports.charts.canvas import IMAGES

    check_ending("--plot", plot, IMAGES)
    if every_network and protocol:
        raise click.UsageError("--every-network and --protocol exclude each other")
    check_outputs(stdout_of(form), json_file, plot, read=[real])
    chosen = chosen_settings(**settings)
    with processes() as first, progress(shown=first) as show:
        from fvd_bench.evaluation.studies import audit as audits

        scored: Sequence[ProtocolLike] = protocol or audits.DEFAULT
        if every_network:
            from fvd_bench.evaluation.studies.every_network import protocols_at_hand

            scored = protocols_at_hand(chosen.weights)
        found = audits.audit(real, scored, distortions=distortions or None, seed=seed, settings=chosen, progress=show)
    if not first:
        return
    from fvd_bench.reports.audit import audit_report, draw

    with delivery() as attempt:
        if plot is not None:
            attempt(lambda: write(draw(found, Path(plot).suffix.lower()), plot))
        attempt(lambda: print_report(audit_report(found), form, (json_file, found.to_json), findings=found.warnings))
