"""Patterns of paths: *, ? and [ as in a shell, ** for folders at any depth, and braces such as {000..127} or {a,b}."""

from __future__ import annotations

import glob
import itertools
import re
from pathlib import Path

from fvd_bench.errors import SourceError
from fvd_bench.sources.array_files import ARRAY_SUFFIXES
from fvd_bench.sources.tars import is_tar_name
from fvd_bench.videos.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES, suffix

_MOST_FILES = 100_000

_BRACES = re.compile(r"\{([^{}]+)\}")


def is_pattern(text: str) -> bool:
    """Return whether a text stands for several paths."""
    return glob.has_magic(text) or _BRACES.search(text) is not None


def matching(pattern: str) -> list[Path]:
    """Return what a pattern stands for, in order: folders and the files that videos may be in, and where there are only
    braces, each path whether it is there or not. Raises SourceError when there is nothing."""
    found: list[Path] = []
    for text in expand(pattern):
        if not glob.has_magic(text):
            found.append(Path(text))
            continue
        matches = map(Path, sorted(glob.glob(text, recursive=True)))  # noqa: PTH207 - of a path with an anchor too
        found += [path for path in matches if path.is_dir() or _may_hold_videos(path.name)]
    if not found:
        raise SourceError(f"{pattern} matches no video file, image, archive, array file or folder")
    return found


def _may_hold_videos(name: str) -> bool:
    return suffix(name) in VIDEO_SUFFIXES | IMAGE_SUFFIXES | ARRAY_SUFFIXES or is_tar_name(name)


def expand(pattern: str) -> list[str]:
    """Return the names that a pattern such as shard-{000..003}.tar stands for, or itself if it has no braces.

    {a..b} stands for numbers, padded with zeros to the width of a. {a,b} stands for texts. Raises SourceError.
    """
    pieces = _BRACES.split(pattern)  # text, choices, text, choices, text
    if len(pieces) == 1:
        return [pattern]
    choices = [[piece] if place % 2 == 0 else _choices(piece, pattern) for place, piece in enumerate(pieces)]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > _MOST_FILES:
        raise SourceError(f"{pattern} stands for {count:,} files: expected at most {_MOST_FILES:,}")
    return ["".join(texts) for texts in itertools.product(*choices)]


def _choices(text: str, pattern: str) -> list[str]:
    if found := re.fullmatch(r"(\d{1,18})\.\.(\d{1,18})", text):
        first, last = int(found[1]), int(found[2])
        if not 0 <= last - first < _MOST_FILES:
            raise SourceError(f"{pattern}: {{{text}}} is no range of numbers: expected such as {{000..127}}")
        return [f"{number:0{len(found[1])}d}" for number in range(first, last + 1)]
    if "," not in text:
        raise SourceError(f"{pattern}: expected braces such as {{000..127}} or {{a,b}}, found {{{text}}}")
    return text.split(",")
