"""The command line: parse, call one function, print. Heavy modules are imported by the commands that need them."""

from __future__ import annotations

import click

from fvd_bench.cli import run
from fvd_bench.cli.command import Commands
from fvd_bench.features.distributed import refuse_several
from stylegan_v.cli.ablations import ablations
from stylegan_v.cli.data import data
from stylegan_v.cli.edit import edit
from stylegan_v.cli.encodings import encodings
from stylegan_v.cli.evaluate import evaluate
from stylegan_v.cli.generate import generate
from stylegan_v.cli.gradients import gradients
from stylegan_v.cli.importing import import_
from stylegan_v.cli.info import info
from stylegan_v.cli.project import project
from stylegan_v.cli.state import state
from stylegan_v.cli.strip import strip
from stylegan_v.cli.train import train

__all__ = ["cli", "main"]


def main() -> None:
    """Run the command line of stylegan-v."""
    run(cli, "stylegan-v")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "--version", "-V", package_name="fvd-bench")
def cli() -> None:
    """Train and sample StyleGAN-V, a continuous video generator."""
    command = click.get_current_context().invoked_subcommand
    if command is not None and command != train.name:
        refuse_several(command, _INSTEAD.get(command, ""))


_INSTEAD = {
    "evaluate": "; `fvd-bench compute` is divided, and takes the videos that `generate` writes",
    "generate": "; several commands with another --first each make some of the videos",
}
"""Command that is not divided among processes -> what may be done in its place, as the rest of a sentence."""


for command in (
    data, train, state, generate, evaluate, import_, info, strip, project, edit, gradients, encodings, ablations,
):  # fmt: skip
    cli.add_command(command)
