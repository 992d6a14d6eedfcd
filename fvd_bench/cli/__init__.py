"""The command line: parse, call one function, print. Heavy modules are imported by the commands that need them."""

from __future__ import annotations

import os
import sys

import click

from fvd_bench.cli.compute import compute
from fvd_bench.cli.demo import demo
from fvd_bench.cli.gate import check, compare
from fvd_bench.cli.inspect import inspect
from fvd_bench.cli.options import Commands
from fvd_bench.cli.protocols import protocols
from fvd_bench.cli.selftest import selftest
from fvd_bench.cli.stats import merge, stats
from fvd_bench.cli.table4 import table4
from fvd_bench.cli.weights import weights
from fvd_bench.errors import FvdBenchError
from fvd_bench.system import check_system

_INTERRUPTED = 130
_CLOSED_PIPE = 141


def main() -> None:
    """Entry point of fvd-bench."""
    run(cli, "fvd-bench", interrupted="finished features are kept, the same command goes on from there")


def run(group: click.Group, name: str, *, interrupted: str) -> None:
    """Run a command line: an error that the user can act on becomes one line on stderr and its exit code."""
    try:
        check_system()
        with group.make_context(name, sys.argv[1:]) as context:  # group.main() would exit with 1 on closed pipes
            group.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except FvdBenchError as error:
        click.echo(f"{name}: error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo(f"{name}: interrupted; {interrupted}", err=True)
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or closing stdout would fail again
        sys.exit(_CLOSED_PIPE)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fvd-bench")
def cli() -> None:
    """Score video generators: FVD and FID with the exact protocol in every number."""


for command in (compute, table4, check, compare, stats, merge, inspect, protocols, weights, selftest, demo):
    cli.add_command(command)
