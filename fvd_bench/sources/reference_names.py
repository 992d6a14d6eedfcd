"""Names of references, as they stand where the path of a side may stand: refs:NAME, refs:NAME@DIGEST."""

from __future__ import annotations

import os

from fvd_bench.paths import PathLike

PREFIX = "refs:"


def is_reference(source: object) -> bool:
    """Return whether the place of a side is the name of a reference."""
    return isinstance(source, str | os.PathLike) and os.fspath(source).startswith(PREFIX)


def split(text: PathLike) -> tuple[str, str]:
    """Return the name, and the beginning of the digest, which is empty where none is given. The prefix may be left
    out."""
    name, _, digest = os.fspath(text).removeprefix(PREFIX).partition("@")
    return name, digest
