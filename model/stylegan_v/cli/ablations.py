"""ablations: the rows of the paper's tables that are trained like any other run."""

from __future__ import annotations

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.streams import console, say


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ablations(as_json: bool) -> None:
    """List the rows of the paper's Tables 2 and 3, which `train --ablation NAME` trains with any preset."""
    from stylegan_v.training.ablations import ablations as all_of_them

    rows = all_of_them()
    if as_json:
        import dataclasses
        import json

        say(json.dumps([dataclasses.asdict(row) for row in rows], indent=2), lines=True)
        return
    from fvd_bench.reports.layout import Column, Grid

    columns = [Column("ablation"), Column("table", is_number=True), Column("row"), Column("what", is_prose=True)]
    console().print(Grid(columns, [[row.name, f"{row.table}", row.row, row.what] for row in rows]))
