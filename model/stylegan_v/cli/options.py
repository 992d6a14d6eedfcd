"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from fvd_bench.paths import user_path

Device = Literal["auto", "cpu", "cuda"]
"""Where networks run; `auto` takes CUDA where there is a CUDA device."""


class UserPath(click.Path):
    """A path in which ~ is a home folder, also where the shell has left it, as in `--out=~/run`."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # a Path
        return super().convert(user_path(value), param, ctx)


PATH = UserPath()

device_option = click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
preset_option = click.option(
    "--preset", help="release, paper, middle, small, image, or tiny for tests; other methods: paper, small or tiny."
)
seed_option = click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Of what is drawn."
)
first_option = click.option(
    "--first", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Number of the first video."
)
class_option = click.option("--class", "label", type=click.IntRange(0), help="Class of the videos; drawn unless given.")
picture_option = click.option("--out", required=True, type=PATH, help="A picture that ends in .png or .jpg.")
folder_option = click.option("--out", required=True, type=PATH, help="A folder that is empty or not there yet.")
motions_option = click.option(
    "--motions", default=3, show_default=True, type=click.IntRange(0, 16), help="Other motions to show."
)
