"""refs: statistics files of known sets, by name."""

from __future__ import annotations

from pathlib import Path

import click

from fvd_bench.cli.command import Commands
from fvd_bench.cli.options import format_option
from fvd_bench.cli.streams import print_report, progress, say, wrote

_zoo = click.option(
    "--zoo", metavar="PATH|ADDRESS", envvar="FVD_BENCH_REFS", show_envvar=True,
    help="A zoo: a folder, or an address.",
)  # fmt: skip
_name = click.argument("name", metavar="NAME|NAME@DIGEST")


@click.group(cls=Commands)
def refs() -> None:
    """References, which `--real refs:NAME` scores against: list, show, pull and push them."""


@refs.command("list")
@_zoo
@format_option("json", "csv", "markdown", "latex")
def refs_list(zoo: str | None, form: str) -> None:
    """Each reference that ships with the package, that was pulled, or that a zoo has."""
    from fvd_bench.features.references.resolving import held
    from fvd_bench.reports.references import listing

    print_report(listing(held(zoo)), form)


@refs.command("show")
@_name
@_zoo
@format_option("json", "csv", "markdown", "latex")
def refs_show(name: str, zoo: str | None, form: str) -> None:
    """What a reference is of, how it was made, under which licence, and its digest."""
    from fvd_bench.features.references.resolving import resolve
    from fvd_bench.reports.references import description

    print_report(description(resolve(name, zoo)), form)


@refs.command("pull")
@_name
@_zoo
def refs_pull(name: str, zoo: str | None) -> None:
    """Fetch a reference from a zoo, verified, so that `--real refs:NAME` finds it here."""
    from fvd_bench.features.references.resolving import pull

    with progress() as show:
        reference, file, is_fetched = pull(name, zoo, show)
    if is_fetched:
        wrote(file)
    else:
        say(f"{file} is here already")
    say(reference.shown)


@refs.command("push")
@click.argument("file", metavar="FILE.npz", type=click.Path(path_type=Path))
@_zoo
@click.option("--name", required=True, help="What people ask for: small letters, digits, '.', '_' and '-'.")
@click.option("--set", "of", required=True, metavar="TEXT", help="Which videos these are.")
@click.option("--prepared", default="", metavar="TEXT", help="What was done to the videos before.")
@click.option("--licence", required=True, metavar="TEXT", help="Of the videos.")
@click.option("--credit", default="", metavar="TEXT", help="Whom to name.")
def refs_push(file: Path, zoo: str | None, name: str, of: str, prepared: str, licence: str, credit: str) -> None:
    """Put a statistics file, as `stats` makes them, of features or of moments, into a zoo, with an entry in its
    manifest."""
    from fvd_bench.features.references.reference import Reference
    from fvd_bench.features.references.zoo import Zoo

    if zoo is None:
        raise click.UsageError("no zoo is named: pass --zoo, a path or an address, or set FVD_BENCH_REFS to it")
    reference = Reference.of(file, name=name, set=of, prepared=prepared, licence=licence, credit=credit)
    place = Zoo(zoo)
    place.add(reference, file)
    wrote(f"{reference.file} in {place.shown}")
    say(reference.shown)
