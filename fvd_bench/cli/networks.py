"""networks: what features are made by."""

from __future__ import annotations

import click

from fvd_bench.cli.command import Commands
from fvd_bench.cli.options import device_option, format_option, named_files
from fvd_bench.cli.streams import check_outputs, print_report, stdout_of
from fvd_bench.errors import ArgumentError, NetworkError
from fvd_bench.settings import Device


@click.group(cls=Commands)
def networks() -> None:
    """The networks that make features: list them, and check one of your own."""


@networks.command("list")
@format_option("json", "csv", "markdown", "latex")
def networks_list(form: str) -> None:
    """Each network, its features and licence, where its weights are, and what it was checked by.

    Those of installed packages are imported for that.
    """
    from fvd_bench.reports.networks import listing

    print_report(listing(), form)


@networks.command("check")
@click.argument("name", metavar="NAME|MODULE:OBJECT")
@click.option("--layer", help="The output to check; the first one unless given.")
@click.option("--weights", multiple=True, metavar="NAME=FILE", help="Read these weights from a file.")
@click.option("--json", "json_file", metavar="FILE", help="Write what was found as JSON; - for stdout alone.")
@device_option
@format_option("json", "csv", "markdown", "latex")
def networks_check(
    name: str, layer: str | None, weights: tuple[str, ...], json_file: str | None, device: Device, form: str
) -> None:
    """Whether a network does what it says, on synthetic clips: shapes, numbers, and the same in any company.

    MODULE:OBJECT is imported, also from the working directory. Exits with 3 where a check fails.
    """
    from fvd_bench.features.distributed import refuse_several
    from fvd_bench.networks import NETWORKS
    from fvd_bench.plugins import allow_code, is_code

    refuse_several("networks check")
    files = named_files(weights)
    check_outputs(stdout_of(form), json_file)
    if is_code(name):
        allow_code(name)
    elif name not in NETWORKS.built_in and name not in NETWORKS.installed():
        known = ", ".join((*NETWORKS, *NETWORKS.installed()))
        raise ArgumentError(f"no network is called {name!r}; there are {known}, and those named module:object")
    from fvd_bench.networks.environment import resolve_device
    from fvd_bench.networks.trial import trial
    from fvd_bench.reports.networks import trial_report

    found = trial(name, layer=layer, device=resolve_device(device), weights=files)
    report = trial_report(found)
    print_report(report, form, (json_file, report.to_json))
    if failed := [check.name for check in found.checks if not check.ok]:
        raise NetworkError(f"{name} fails {len(failed)} of {len(found.checks)} checks: {', '.join(failed)}")
