"""weights: the networks' weights."""

from __future__ import annotations

from pathlib import Path

import click

from fvd_bench.cli.command import Commands
from fvd_bench.cli.options import device_option
from fvd_bench.cli.streams import console, progress, say
from fvd_bench.progress import fetching
from fvd_bench.settings import Device


@click.group(cls=Commands)
def weights() -> None:
    """The networks' weights: list, pull, import and verify them."""


@weights.command("list")
def weights_list() -> None:
    """Which weights there are, which are here, and where the others come from."""
    from fvd_bench.networks import weights as store
    from fvd_bench.reports.layout import Record

    for row in store.installed():
        fields = [
            ("digest", row.digest[:12] if row.digest else "none published"),
            ("licence", row.licence),
            ("source", row.source),
            ("file", str(row.path)),
        ]
        console().print(Record(row.name, fields, more="is here" if row.present else "is not here"))


@weights.command("pull")
@click.argument("name")
def weights_pull(name: str) -> None:
    """Fetch weights into the store, verified."""
    from fvd_bench.networks import weights as store

    with progress() as show:
        file = store.pull(name, progress=fetching(show, name))
    say(str(file))


@weights.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
def weights_import(name: str, file: Path) -> None:
    """Put weights from a file into the store, verified."""
    from fvd_bench.networks import weights as store

    say(str(store.import_file(name, file)))


@weights.command("verify")
@click.argument("name", default="i3d-kinetics-400")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@device_option
def weights_verify(name: str, file: Path | None, device: Device) -> None:
    """Check weights in the store or in a file, and recognise the classic mistakes by how the network behaves."""
    from fvd_bench.networks.verification import verify

    for line in verify(name, file=file, device=device):
        say(line)
