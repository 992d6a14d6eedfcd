"""The options that say by which network images are compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from stylegan_v.cli.options import PATH

_Command = TypeVar("_Command", bound=Callable[..., Any])  # a function that click makes a command of


def perceptual_options(command: _Command) -> _Command:
    """Add the options for both files of LPIPS."""
    lpips = click.option("--lpips", type=PATH, help="LPIPS' linear heads for VGG16, version 0.1: a state dict.")
    vgg = click.option("--vgg", type=PATH, help="VGG16 of torchvision: a state dict. I3D compares images without both.")
    return vgg(lpips(command))


def check_perceptual(vgg: Path | None, lpips: Path | None) -> None:
    """Raise UsageError where one file is given without the other, and CheckpointError where one cannot be read."""
    from stylegan_v.checkpoints.files import check_readable

    if (vgg is None) != (lpips is None):
        given, missing = ("--vgg", "--lpips") if lpips is None else ("--lpips", "--vgg")
        raise click.UsageError(f"{given} is one half of LPIPS: give {missing} as well, or neither")
    for file in (vgg, lpips):
        if file is not None:
            check_readable(file)
