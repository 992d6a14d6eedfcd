"""stats and merge: features once, scores later."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.options import (
    array_options,
    chosen_settings,
    draw_options,
    engine_options,
    protocol_names,
    run_options,
)
from fvd_bench.cli.streams import check_outputs, progress, say, warn, wrote
from fvd_bench.cli.values import Place
from fvd_bench.errors import SourceError
from fvd_bench.escapes import redact
from fvd_bench.finding import videos_skipped
from fvd_bench.words import counted

if TYPE_CHECKING:
    from fvd_bench.features.moments_file import MomentsFile
    from fvd_bench.features.stats_file import StatsFile
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
@click.option("--out", required=True, type=Place(), help="The .npz file to write: a path or an address.")
@draw_options(repeats=1)
@click.option("--shard", default="1/1", type=_Shard(), help="Take every N-th video, from the I-th on; see merge.")
@array_options(path="")
@run_options
@engine_options
@click.option("--moments", is_flag=True, help="Keep moments and a sample in place of features; see docs/scale.md.")
def stats(
    path: str | Path | Arrays,
    side: Literal["real", "fake"],
    protocol: tuple[str, ...],
    out: str | Path,
    repeats: int,
    seed: int,
    shard: tuple[int, int],
    moments: bool,
    **settings: Any,  # click hands over the options of chosen_settings by name
) -> None:
    """Compute the features of the videos at PATH once, to be scored later: `compute --real FILE`."""
    from fvd_bench.evaluation.statistics.making import make, make_moments
    from fvd_bench.features.distributed import processes
    from fvd_bench.features.stats_places import write_at

    chosen = chosen_settings(**settings)
    _check_out(out, read=[path])
    if moments and (len(protocol) > 1 or repeats > 1):
        raise click.UsageError("--moments are those of one draw: give one --protocol, and no --repeats")
    with processes() as first, progress(shown=first) as show:
        file: StatsFile | MomentsFile
        if moments:
            file = make_moments(path, side, protocol[0], seed=seed, shard=shard, settings=chosen, progress=show)
        else:
            file = make(path, side, protocol, repeats=repeats, seed=seed, shard=shard, settings=chosen, progress=show)
        if first:
            write_at(out, file)
            wrote(_shown(out))
            of = "" if shard == (1, 1) else f" (shard {shard[0]}/{shard[1]})"
            skipped = _skipped(file)
            say(f"{_shown(out)}: {_counts(file)}{of} for {_protocols(file)}, {len(skipped)} skipped")
            if skipped:
                warn([videos_skipped(side, skipped)])


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=Place())
@click.option("--out", required=True, type=Place(), help="The .npz file to write: a path or an address.")
@click.option("--source", type=Place(), help="The videos: computes what no shard holds.")
@array_options(source="")
@run_options
def merge(
    files: tuple[str | Path, ...],
    out: str | Path,
    source: str | Path | Arrays | None,
    **settings: Any,  # click hands over the options of chosen_settings by name
) -> None:
    """Join the FILES that `stats` wrote: the shards of a side, and those of its other protocols and networks."""
    from fvd_bench.evaluation.statistics.making import merge as join
    from fvd_bench.features import moments_file
    from fvd_bench.features.stats_file import StatsFile
    from fvd_bench.features.stats_places import read_at, write_at

    chosen = chosen_settings(**settings)
    _check_out(out, read=[*files, source])
    with progress() as show:
        read = {str(_shown(file)): read_at(file, show) for file in dict.fromkeys(files)}
        shards = {name: file for name, file in read.items() if isinstance(file, StatsFile)}
        moments = {name: file for name, file in read.items() if not isinstance(file, StatsFile)}
        if shards and moments:
            raise SourceError(f"{next(iter(moments))} holds moments, and {next(iter(shards))} features: merge one kind")
        if moments and source is not None:
            raise click.UsageError("--source is for features that no shard holds, and these files hold moments")
        whole: StatsFile | MomentsFile
        whole = moments_file.joined(moments) if moments else join(shards, source=source, settings=chosen, progress=show)
    write_at(out, whole)
    wrote(_shown(out))
    say(f"{_shown(out)}: {_counts(whole)} of {counted(len(read), 'file')}")


def _counts(file: StatsFile | MomentsFile) -> str:
    """Say how much a file holds."""
    from fvd_bench.features.stats_file import StatsFile

    if isinstance(file, StatsFile):
        return counted(len(file.contents), f"{file.side} video")
    return f"moments of {counted(file.pieces.count, f'{file.side} feature')}"


def _protocols(file: StatsFile | MomentsFile) -> str:
    from fvd_bench.features.stats_file import StatsFile

    return ", ".join(p.name for p in file.protocols) if isinstance(file, StatsFile) else file.protocol.name


def _skipped(file: StatsFile | MomentsFile) -> Mapping[str, str]:
    """Return the reason by name for each video that a file was made without."""
    from fvd_bench.evaluation.statistics.recorded import skipped_videos
    from fvd_bench.features.stats_file import StatsFile

    return skipped_videos(file) if isinstance(file, StatsFile) else file.skipped


def _check_out(out: str | Path, *, read: Sequence[object]) -> None:
    if not str(out).endswith(".npz"):
        raise click.UsageError(f"{_shown(out)}: expected a file that ends in .npz, as a side of that form is known by")
    if isinstance(out, Path):
        check_outputs(str(out), read=read)
    else:
        from fvd_bench.sources.addresses import check_writable

        check_writable(out)


def _shown(place: str | Path) -> str | Path:
    """Return a place as people see it: an address without passwords and tokens."""
    return redact(place) if isinstance(place, str) else place
