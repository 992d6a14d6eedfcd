"""evaluate: the score of a checkpoint."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.options import allow_code_option, array_options, protocol_names
from fvd_bench.cli.pages import CLIPS_AND_CHARTS, Showing, html_option
from fvd_bench.cli.streams import check_outputs, keeps, print_result, progress
from fvd_bench.cli.values import Place
from fvd_bench.paths import user_path
from stylegan_v.cli.options import PATH, Device, device_option, seed_option

if TYPE_CHECKING:
    from fvd_bench.sources.opening import Arrays


@click.command(cls=Command)
@click.argument("checkpoint", type=PATH)
@click.option("--real", required=True, type=Place(), help="Real videos, as in fvd-bench compute.")
@click.option("--videos", default=2048, show_default=True, type=click.IntRange(1), help="Generated for the score.")
@click.option("--protocol", "protocols", multiple=True, default=["stylegan-v-fvd16"], show_default=True,
              metavar="NAME|FILE", shell_complete=protocol_names,
              help="A protocol; may be given several times.")  # fmt: skip
@seed_option
@click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON; - for stdout alone.")
@html_option(CLIPS_AND_CHARTS)
@device_option
@allow_code_option
@array_options(real="real-")
def evaluate(
    checkpoint: Path,
    real: str | Path | Arrays,
    videos: int,
    protocols: tuple[str, ...],
    seed: int,
    json_file: str | None,
    html_file: str | None,
    device: Device,
) -> None:
    """Score the generator of a CHECKPOINT against real videos; nothing is written to disk but features."""
    from stylegan_v.checkpoints.files import check_checkpoint
    from stylegan_v.data.labels import LABEL_FILE

    labels = [user_path(real) / LABEL_FILE] if isinstance(real, str | Path) else []
    check_outputs(json_file, html_file, read=(real, checkpoint, *labels))
    check_checkpoint(checkpoint)
    from fvd_bench.networks.environment import resolve_device
    from fvd_bench.reports.page import result_page
    from fvd_bench.settings import default_cache
    from stylegan_v.checkpoints import checkpoint as checkpoints
    from stylegan_v.sampling.scoring import evaluate as score

    showing = Showing(html_file)
    found = checkpoints.load(checkpoint)
    generator = found.generator(resolve_device(device))
    generator.use_precision_of(found.precision)
    keeps("finished features are")
    with progress() as show:
        result = score(
            generator,
            real,
            videos=videos,
            fps=found.fps,
            protocol=protocols,
            features=default_cache(),
            seed=seed,
            name=checkpoint.name,
            onlooker=showing.onlooker,
            progress=show,
        )
    print_result(result, json_file, showing.text(partial(result_page, result)))
