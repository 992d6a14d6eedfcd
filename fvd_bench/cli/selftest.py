"""selftest: published numbers, recomputed."""

from __future__ import annotations

import click

from fvd_bench.cli.command import Command
from fvd_bench.cli.options import device_option
from fvd_bench.cli.streams import check_outputs, console, deliver, progress
from fvd_bench.errors import SelftestError
from fvd_bench.progress import labelled
from fvd_bench.settings import Device
from fvd_bench.words import counted


@click.command(cls=Command)
@click.option("--full", is_flag=True, help="Also fvd-comparison's 256 clips, some minutes on a CPU; black frames "
              "against white ones by PSNR, SSIM, LPIPS and rFVD; and networks whose weights are here.")  # fmt: skip
@device_option
@click.option("--json", "json_file", metavar="FILE", help="Write the checks as JSON; - for stdout alone.")
@click.option("--verbose", is_flag=True, help="Show all numbers, and where each was published.")
def selftest(full: bool, device: Device, json_file: str | None, verbose: bool) -> None:
    """Recompute published numbers with this installation."""
    from fvd_bench.evaluation import selftest as published
    from fvd_bench.evaluation import selftest_networks as of_networks
    from fvd_bench.features.distributed import refuse_several
    from fvd_bench.networks.environment import check_torch, resolve_device
    from fvd_bench.paired.selftest import checks as paired_checks
    from fvd_bench.reports.selftest import checks_json, checks_table, checks_text

    refuse_several("selftest")
    check_outputs(json_file)
    with progress() as show:
        where = resolve_device(device)
        if full:
            check_torch(where, "all that --full compares")
        checks = published.run(full=full, device=where, progress=labelled(show, "frames"))
        outcomes = [*paired_checks(where), *of_networks.run(where)] if full else []
    checks += tuple(outcome for outcome in outcomes if isinstance(outcome, published.Check))
    not_run = [outcome for outcome in outcomes if isinstance(outcome, of_networks.NotRun)]

    def show_checks() -> None:
        if verbose:
            console().print(checks_table(checks))
        console().print(checks_text(checks, not_run))

    deliver((json_file, lambda: checks_json(checks, not_run)), show=show_checks)
    failed = [check for check in checks if not check.ok]
    if failed:
        raise SelftestError(
            f"{counted(len(failed), 'published number', 'are', of=len(checks))} not reproduced, {failed[0].name} for "
            "one; `fvd-bench weights verify` may tell why"
        )
