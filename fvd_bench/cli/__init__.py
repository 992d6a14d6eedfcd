"""The command line: parse, call one function, print. Heavy modules are imported by the commands that need them."""

from __future__ import annotations

import atexit
import errno
import os
import signal
import sys
import traceback
from typing import Any

import click

from fvd_bench.cli.audit import audit
from fvd_bench.cli.cite import cite
from fvd_bench.cli.command import DEBUG, Commands
from fvd_bench.cli.compute import compute
from fvd_bench.cli.demo import demo
from fvd_bench.cli.export import export
from fvd_bench.cli.gate import check, compare
from fvd_bench.cli.inspect import inspect
from fvd_bench.cli.networks import networks
from fvd_bench.cli.paired import paired
from fvd_bench.cli.protocols import protocols
from fvd_bench.cli.refs import refs
from fvd_bench.cli.report import report
from fvd_bench.cli.selftest import selftest
from fvd_bench.cli.stats import merge, stats
from fvd_bench.cli.streams import KEPT, say
from fvd_bench.cli.table4 import table4
from fvd_bench.cli.terminal import ClosedPipeError, standard_streams
from fvd_bench.cli.weights import weights
from fvd_bench.errors import (
    EXIT_OF_FAULTS,
    EXIT_OF_USAGE,
    FvdBenchError,
    cause,
    is_out_of_device_memory,
    is_out_of_files,
    is_out_of_memory,
    is_out_of_threads,
)
from fvd_bench.interruption import INTERRUPTED
from fvd_bench.system import check_folder, check_system

__all__ = ["cli", "command", "main", "options", "pages", "run", "streams", "terminal", "values"]

_CLOSED_PIPE = 141


def main() -> None:
    """Run the command line of fvd-bench."""
    run(cli, "fvd-bench")


def run(group: click.Group, name: str) -> None:
    """Run a command line, or complete one for a shell. An error becomes one line on stderr and an exit code."""
    with standard_streams():
        code = _run(group, name)
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_DFL)  # runs first, so that no Ctrl-C shows how others end
    if code:
        sys.exit(code)


def _run(group: click.Group, name: str) -> int:
    meta: dict[str, Any] = {}
    try:
        check_system()
        check_folder()
        variable = f"_{name.replace('-', '_')}_COMPLETE".upper()  # where click's own main looks too
        if asked := os.environ.get(variable):
            from click.shell_completion import shell_complete

            return EXIT_OF_USAGE if shell_complete(group, {}, name, variable, asked) else 0
        try:
            with group.make_context(name, sys.argv[1:]) as context:  # group.main() would exit with 1 on a closed pipe
                meta = context.meta
                group.invoke(context)
            code = 0
        except click.exceptions.Exit as done:
            code = done.exit_code
        sys.stdout.flush()
        return code
    except FvdBenchError as error:
        _show_traceback()
        say(f"{name}: error: {error}", err=True, lines=error.has_lines)
        return error.exit_code
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        kept = f"; {meta[KEPT]} kept, the same command goes on from there" if meta.get(KEPT) else ""
        say(f"{name}: interrupted{kept}", err=True)
        return INTERRUPTED
    except ClosedPipeError:
        return _CLOSED_PIPE
    except Exception as fault:
        _show_traceback()
        if shortage := _shortage(fault):
            say(f"{name}: error: {shortage}", err=True)
            return FvdBenchError.exit_code
        say(
            f"{name}: error: a fault of {name} itself, {type(fault).__name__}: {fault}; the same command with {DEBUG} "
            "says where, for a report of it",
            err=True,
        )
        return EXIT_OF_FAULTS


def _shortage(fault: Exception) -> str | None:
    """Say what this machine had no more of, None where an exception is about something else."""
    if is_out_of_device_memory(fault):
        return "out of memory on the device: end what else uses it, or take --device cpu"
    if is_out_of_memory(fault):
        return "out of memory on this machine: end what else uses it, ask for less at a time, or take one with more"
    if is_out_of_files(fault):
        return "no further file can be opened: raise the limit (ulimit -n), or take fewer --workers"
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"{fault.filename or 'a temporary file'} cannot be written: {cause(fault)}; free some space, or name "
            "another folder for temporary files in the environment variable TMPDIR"
        )
    if isinstance(fault, FileNotFoundError) and "No usable temporary directory" in str(fault):
        return "no folder for temporary files can be written: name one in the environment variable TMPDIR"
    if is_out_of_threads(fault):
        return "no further thread or process can be started: raise the limit (ulimit -u), or take fewer --workers"
    return None


def _show_traceback() -> None:
    if DEBUG in sys.argv[1:]:
        traceback.print_exc(file=sys.stderr)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "--version", "-V", package_name="fvd-bench")
def cli() -> None:
    """Score video generators: FVD and FID with the exact protocol in every number."""


for each in (
    compute, paired, audit, table4, check, compare, report, stats, merge, refs, inspect, protocols, networks, weights,
    selftest, demo, cite, export,
):  # fmt: skip
    cli.add_command(each)
