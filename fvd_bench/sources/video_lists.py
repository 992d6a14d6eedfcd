"""Lists of videos in a file: text, CSV, TSV, or JSON Lines.

A text file has a path on each line, and may have a label after it, as the lists of UCF-101 have. In the other forms one
column holds the path, and each other column is something that is said of the video, such as a label.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fvd_bench.errors import SourceError
from fvd_bench.escapes import redact
from fvd_bench.paths import user_path
from fvd_bench.progress import Progress
from fvd_bench.sources.addresses import ELSEWHERE, is_address
from fvd_bench.sources.archives import check_plain
from fvd_bench.sources.clip_source import ClipSource
from fvd_bench.sources.fetched import Copiers, fetch, missing
from fvd_bench.sources.named_files import NamedFile, open_named
from fvd_bench.videos.array_layout import Layout
from fvd_bench.videos.files import is_video_or_image, regular_file, suffix
from fvd_bench.words import counted

LIST_SUFFIXES = frozenset(".txt .csv .tsv .jsonl".split())

PATH_COLUMNS = ("video", "path", "video_path", "file", "file_name", "filename", "url")
"""Names of the column that holds the path, the first of them that is there."""

_MOST_BYTES = 1 << 28
_AT_ONCE = 8
"""Addresses of a list that are asked at the same time."""

_LABELLED = re.compile(r"(?P<path>.*\S)[ \t]+(?P<label>\S+)")


class Row(NamedTuple):
    """One video of a list. path: as it is written there. columns: what else is said of it."""

    path: str
    columns: Mapping[str, str]


def read_list(file: Path) -> list[Row]:
    """Read the rows of a list. Raises SourceError, naming the line, and OSError."""
    if (size := regular_file(file).st_size) > _MOST_BYTES:
        raise SourceError(f"{file} has {size:,} bytes: a list of videos of at most {_MOST_BYTES:,} is read; divide it")
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{file} cannot be read as a list of videos: {error}; expected text in UTF-8") from error
    if "\0" in text:
        raise SourceError(f"{file} cannot be read as a list of videos: it holds bytes that are no text")
    match suffix(file.name):
        case ".jsonl":
            rows = list(_objects(file, text))
        case ".txt":
            rows = [_line(line) for line in text.split("\n") if line.strip()]
        case form:
            rows = list(_table(file, text, "\t" if form == ".tsv" else ","))
    if not rows:
        raise SourceError(f"{file} names no video: expected a path on each line")
    return rows


def open_list(what: str, rows: Sequence[Row], base: Path | str, layout: Layout, progress: Progress) -> ClipSource:
    """Open the videos of a list. Raises SourceError, OSError.

    what: the name of the side. base: the folder that paths are relative to, or its address.
    """
    with contextlib.closing(Copiers(_AT_ONCE)) as pool:
        each = pool.map if isinstance(base, str) or any(is_address(row.path) for row in rows) else map
        places = list(each(lambda row: _places(what, row.path, base, progress), rows))
    named = [
        dataclasses.replace(file, columns=row.columns)
        for row, (found, _) in zip(rows, places, strict=True)
        for file in found
    ]
    notes = [note for _, told in places for note in told]
    if not any(os.path.exists(file.place) for file in named):  # noqa: PTH110 - no name is too long for it
        raise SourceError(
            f"{what}: none of its {len(rows)} paths is there; the first is {named[0].name}; expected paths from the "
            f"root, or from {base} on"
        )
    return open_named(what, "in a list", named, layout, more_notes=notes)


def _places(what: str, path: str, base: Path | str, progress: Progress) -> tuple[Sequence[NamedFile], Sequence[str]]:
    """Return the files that a path of a list stands for, and notes on what else is there. Raises SourceError.

    A list from elsewhere leads to what is elsewhere, never to files of this machine.
    """
    if not path or "\0" in path or not _is_encodable(path):
        raise SourceError(f"{what} has {path!r} where a path is expected")
    if isinstance(base, str) and not is_address(path):
        check_plain(what, [path])
        path = f"{base}/{path}"
    if not is_address(path):
        return [NamedFile.of(base / user_path(path))] if isinstance(base, Path) else [], ()
    if isinstance(base, str) and path.partition("://")[0] not in ELSEWHERE:
        raise SourceError(f"{what} leads to {redact(path)}: expected paths, or addresses of {', '.join(ELSEWHERE)}")
    try:
        fetched = fetch(path, progress)
        return fetched.files, fetched.notes
    except SourceError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        return [missing(path)], ()


def _is_encodable(path: str) -> bool:
    """Return whether a text can be the name of a file: JSON may hold halves of characters."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def _line(line: str) -> Row:
    """Read a line of text: a path, or where it does not end like a video and its first words do, path and label."""
    found = _LABELLED.fullmatch(line.strip())
    if found and not is_video_or_image(line.strip()) and is_video_or_image(found["path"]):
        return Row(found["path"], {"label": found["label"]})
    return Row(line.strip(), {})


def _table(file: Path, text: str, delimiter: str) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        column = _path_column(f"{file}, line 1", reader.fieldnames or ())
        for row in reader:
            if None in row or None in row.values():
                raise SourceError(
                    f"{file}, line {reader.line_num} has another number of entries than the first line, which names "
                    f"{counted(len(reader.fieldnames or ()), 'column')}"
                )
            if not row[column].strip():
                raise SourceError(f"{file}, line {reader.line_num} has nothing in its column {column}: expected a path")
            yield Row(row[column].strip(), {name: entry for name, entry in row.items() if name != column})
    except csv.Error as error:
        raise SourceError(f"{file}, line {reader.line_num} cannot be read: {error}; expected CSV") from error


def _objects(file: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{where} is no JSON: {error}; expected one object on each line") from error
        if isinstance(found, str):
            found = {PATH_COLUMNS[0]: found}
        if not isinstance(found, dict):
            raise SourceError(f"{where} is {type(found).__name__}: expected an object, or a path in quotes")
        column = _path_column(where, list(found))
        path = found.pop(column)
        if not isinstance(path, str) or not path:
            raise SourceError(f"{where} has {path!r} for {column}: expected a path")
        yield Row(path, {name: str(entry) for name, entry in found.items() if isinstance(entry, str | int | float)})


def _path_column(where: str, columns: Sequence[str]) -> str:
    for name in PATH_COLUMNS:
        if name in columns:
            return name
    found = ", ".join(columns)
    raise SourceError(
        f"{where} has the columns {found!r:.100}: expected one for the path, named {' or '.join(PATH_COLUMNS)}"
    )
