"""Patterns of paths: *, ? and [ as in a shell, ** for folders at any depth, and braces such as {000..127} or {a,b}."""

from __future__ import annotations

import glob
import itertools
import re
from pathlib import Path

from fvd_bench.errors import SourceError
from fvd_bench.sources.array_files import ARRAY_SUFFIXES
from fvd_bench.sources.left_out import left_out, zips_alone
from fvd_bench.sources.tars import is_tar_name
from fvd_bench.videos.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES, suffix

_MOST_FILES = 100_000

_ENDINGS = VIDEO_SUFFIXES | IMAGE_SUFFIXES | ARRAY_SUFFIXES

_BRACES = re.compile(r"\{([^{}]+)\}")


def is_pattern(text: str) -> bool:
    """Return whether a text stands for several paths."""
    return glob.has_magic(text) or _BRACES.search(text) is not None


def matching(pattern: str) -> tuple[list[Path], tuple[str, ...]]:
    """Return what a pattern stands for, in order: folders and the files that videos may be in, and where there are only
    braces, each path whether it is there or not. Also return notes on archives, which are left out beside these.

    Raises SourceError when there is nothing.
    """
    named: list[Path] = []
    matches: list[Path] = []
    for text in expand(pattern):
        if glob.has_magic(text):
            matches += map(Path, sorted(glob.glob(text, recursive=True)))  # noqa: PTH207 - of a path with an anchor too
        else:
            named.append(Path(text))
    folders = {path for path in matches if path.is_dir()}
    files = [path.name for path in matches if path not in folders]
    videos = [path for path in matches if path in folders or suffix(path.name) in _ENDINGS]
    found = videos or [path for path in matches if is_tar_name(path.name)]
    if not found and not named:
        raise SourceError(
            zips_alone(pattern, files) or f"{pattern} matches no video file, image, archive, array file or folder"
        )
    return [*named, *found], left_out(pattern, files, shards=not videos)


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
