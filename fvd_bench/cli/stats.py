"""stats and merge: features once, scores later."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from fvd_bench.cli.options import (
    Command,
    Place,
    array_options,
    chosen_settings,
    draw_options,
    protocol_names,
    run_options,
)
from fvd_bench.cli.streams import check_outputs, progress, say, wrote

if TYPE_CHECKING:
    from fvd_bench.sources.opening import Arrays


class _Shard(click.ParamType[tuple[int, int]]):
    """The number of a shard and how many there are, such as 2/8."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", str(value))
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            self.fail(f"{value}: expected the number of a shard and how many there are, such as 2/8", param, ctx)
        return int(found[1]), int(found[2])


@click.command(cls=Command)
@click.argument("path", type=Place())
@click.option("--side", required=True, type=click.Choice(["real", "fake"]), help="That the videos will stand on.")
@click.option("--protocol", multiple=True, default=["stylegan-v-fvd16"], show_default=True, metavar="NAME|FILE",
              shell_complete=protocol_names,
              help="How they will be scored; may be given several times.")  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The .npz file to write.")
@draw_options(repeats=1)
@click.option("--shard", default="1/1", type=_Shard(), help="Take every N-th video, from the I-th on; see merge.")
@array_options(path="")
@run_options
def stats(
    path: str | Path | Arrays,
    side: Literal["real", "fake"],
    protocol: tuple[str, ...],
    out: Path,
    repeats: int,
    seed: int,
    shard: tuple[int, int],
    **settings: Any,  # click hands over the options of chosen_settings by name
) -> None:
    """Compute the features of the videos at PATH once, to be scored later: `compute --real FILE`."""
    from fvd_bench.evaluation.statistics import make
    from fvd_bench.features.distributed import processes

    chosen = chosen_settings(**settings)
    _check_out(out)
    with processes() as first, progress(shown=first) as show:
        file = make(path, side, protocol, repeats=repeats, seed=seed, shard=shard, settings=chosen, progress=show)
        if first:
            file.write(out)
            wrote(out)
            skipped = sum(entry.facts.skipped is not None for entry in file.entries.values()) + len(file.unreadable)
            names = ", ".join(p.name for p in file.protocols)
            of = "" if shard == (1, 1) else f" (shard {shard[0]}/{shard[1]})"
            say(f"{out}: {len(file.contents)} {side} videos{of} for {names}, {skipped} skipped")


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The .npz file to write.")
@click.option("--source", type=Place(), help="The videos: computes what no shard holds.")
@array_options(source="")
@run_options
def merge(
    files: tuple[Path, ...],
    out: Path,
    source: str | Path | Arrays | None,
    **settings: Any,  # click hands over the options of chosen_settings by name
) -> None:
    """Join the FILES that `stats` wrote: the shards of a side, and those of its other protocols and networks."""
    from fvd_bench.evaluation.statistics import merge as join
    from fvd_bench.features.stats_file import StatsFile

    chosen = chosen_settings(**settings)
    _check_out(out)
    with progress() as show:
        read = {str(file): StatsFile.read(file) for file in dict.fromkeys(files)}
        whole = join(read, source=source, settings=chosen, progress=show)
    whole.write(out)
    wrote(out)
    say(f"{out}: {len(whole.contents)} {whole.side} videos of {len(read)} files")


def _check_out(out: Path) -> None:
    if out.suffix != ".npz":
        raise click.UsageError(f"{out}: expected a file that ends in .npz, as a side of that form is known by")
    check_outputs(str(out))
