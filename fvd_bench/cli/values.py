"""Types of the values that options take."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click


class Place(click.ParamType[str | Path]):
    """The place of videos: a path, or an address, which stays a text since a path would lose one of its slashes."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | Path:
        return value if isinstance(value, Path) or "://" in value else Path(value)


STDIN = Path("/dev/stdin")


class ResultFile(click.Path):
    """The path of a file of results. `-` is that of stdin."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # a Path
        return super().convert(STDIN if value == "-" else value, param, ctx)


class Number(click.FloatRange):
    """A finite number in a range. FloatRange alone takes NaN for a number of every range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # a float
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number", param, ctx)
        return number
