"""Videos that are not independent: windows of one video count as one in every number beside a score.

All errors assume that each video, or each group that is named, was drawn independently. Windows cut from the same few
videos were not: their features are close to each other, so they look like many videos and are few.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import ArgumentError, FvdBenchError, cause
from fvd_bench.features.feature_set import FeatureSet
from fvd_bench.finding import Finding
from fvd_bench.metrics.uncertainty import Sides
from fvd_bench.paths import user_path
from fvd_bench.protocols.rules import Side
from fvd_bench.videos.files import bare_name
from fvd_bench.words import counted, listed

_FOLDER = re.compile(r"folder(?::([1-9][0-9]?))?")
_TABLE = re.compile(r"(.+\.csv):(.+)", re.IGNORECASE)
_COLUMN = "column:"
_VIDEO = "video"
"""The column with the names of videos in a table of groups."""

_FEWEST = 8
_NEAR = 0.25
_NEAR_OF_A_STEM = 0.5
"""Thresholds below which neighbours in the listing are taken for windows of one video: for any names, and for names
with one stem. They are ratios of the neighbours' median squared distance to that of videos half a listing apart."""

_WINDOWS = 2.0
"""Average number of videos per stem from which on the stems may be those of videos that were cut."""

_NUMBER = re.compile(r"[-_. ]*[A-Za-z]{0,8}[-_. ]*[0-9]+$")


def groups(names: Sequence[str], by: str | None, columns: Mapping[str, Sequence[str]] = {}) -> list[int]:
    """Return for each name the index of the first name in its group, or its own where nothing is grouped.

    columns: for each column of a list of videos, its entries in the order of the names.
    by: how names are grouped, None for not at all. See `labels`.
    Raises FvdBenchError as `labels` does.
    """
    if by is None:
        return list(range(len(names)))
    first: dict[tuple[str, ...], int] = {}
    return [first.setdefault(key, index) for index, key in enumerate(labels(names, by, columns, what="group_by"))]


def labels(names: Sequence[str], by: str, columns: Mapping[str, Sequence[str]], *, what: str) -> list[tuple[str, ...]]:
    """Return the group or class of each name, in one or more parts.

    columns: for each column of a list of videos, its entries in the order of the names.
    by: where it is found.
    - `folder`: the folder that a video lies in.
    - `folder:2`: the top two levels of its folders, and likewise for other numbers.
    - `column:NAME`: that column of the list that the videos were named in, see `columns`.
    - `FILE.csv:COLUMN`: that column of a table whose column `video` has the names, with or without a suffix.
    - Any other text is a regular expression that is searched in the name. Its groups, or its match if it has none,
      name the group.
    what: that `by` is the value of, for messages.
    Raises FvdBenchError where `by` is no expression or no such table, or where a name has no group.
    """
    advice = "write an expression that is found in every name, or folder for the folder that a video lies in"
    keys: list[tuple[str, ...] | None]
    if by.startswith(_COLUMN):
        advice = "write an entry for every video"
        keys = [(entry,) if entry else None for entry in _entries(columns, by.removeprefix(_COLUMN), what)]
    elif (table := table_of(by)) is not None:
        advice = "write a row for every video of both sides"
        column = _column(*table)
        keys = [column.get(name) or column.get(bare_name(name)) for name in names]
    else:
        if _FOLDER.fullmatch(by):
            advice = "these videos lie in no folder of their side: write an expression that is found in every name"
        keys = [_key(name, by, what) for name in names]
    without = {name: "" for name, key in zip(names, keys, strict=True) if key is None}
    if without:
        raise FvdBenchError(
            f"{what} {by!r}: {counted(len(without), 'name', 'have', of=len(names))} no group, such as "
            f"{next(iter(without))!r}; {advice}"
        )
    return [key for key in keys if key is not None]


def table_of(by: str) -> tuple[str, str] | None:
    """Return the file and the column that groups or classes are read from; None where they are in no table."""
    found = _TABLE.fullmatch(by)
    return None if found is None else (found[1], found[2])


def findings(side: Side, names: Sequence[str], stats: FeatureSet) -> Iterator[Finding]:
    """Yield a warning where videos of a side look like windows of fewer videos. names: the names of all videos, by
    index."""
    features = stats.features()
    if features is None or len(set(stats.videos)) < _FEWEST or len(names) <= max(stats.videos):
        return
    videos, places = np.unique(stats.owners(), return_inverse=True)
    sums = np.zeros((len(videos), stats.dim))
    np.add.at(sums, places, features)
    means = sums / np.bincount(places)[:, None]
    apart = float(np.median(_squares(means - np.roll(means, len(means) // 2, axis=0))))
    near = _squares(np.diff(means, axis=0))
    stems = [_NUMBER.sub("", names[video]) for video in videos]
    same = np.array([one == other for one, other in itertools.pairwise(stems)])
    found = sorted(set(stems))
    advice = (
        "windows of one video count as many here and are one, so that interval, floor and gate are too sure: score "
        "whole videos with all their clips, or say what belongs together, `fvd-bench compute --group-by`"
    )
    if same.any() and 1 < len(found) <= len(videos) / _WINDOWS and np.median(near[same]) < _NEAR_OF_A_STEM * apart:
        what = f"the names of {len(videos)} {side} videos have {len(found)} stems, {listed(found)}"
        yield Finding("not-independent", f"{what}, and videos of one stem are much alike: {advice}", side=side)
    elif float(np.median(near)) < _NEAR * apart:
        yield Finding(
            "not-independent", f"neighbouring {side} videos are much more alike than others: {advice}", side=side
        )


def watch(repeats: Iterable[Sides], names: Mapping[Side, Sequence[str]], found: list[Finding]) -> Iterator[Sides]:
    """Yield the same repeats, and add to `found` what `findings` says about the first one as it passes.

    So features, which can be gigabytes, are not read for this alone. names: the names on each side that is looked at.
    """
    for number, sides in enumerate(repeats):
        if number == 0:
            for side, of_side in names.items():
                found += findings(side, of_side, sides[side])
        yield sides


def _entries(columns: Mapping[str, Sequence[str]], name: str, what: str) -> Sequence[str]:
    """Return a column of a list. Raises FvdBenchError where there is none."""
    if name not in columns:
        raise FvdBenchError(
            f"{what} {_COLUMN}{name}: a side has no such column, it has {', '.join(columns) or 'none'}; expected "
            "both sides to be lists of videos that have it, CSV or JSONL"
        )
    return columns[name]


def _column(file: str, column: str) -> dict[str, tuple[str, ...]]:
    """Return the entry of each video in that column of a table, where there is one. Raises FvdBenchError."""
    try:
        with user_path(file).open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, strict=True)
            if lacking := [name for name in (_VIDEO, column) if name not in (reader.fieldnames or ())]:
                raise FvdBenchError(
                    f"{file} has no column {lacking[0]}: its first line is {','.join(reader.fieldnames or ())!r:.80}; "
                    f"expected the names of columns, {_VIDEO} and {column} among them"
                )
            found: dict[str, tuple[str, ...]] = {}
            for row in reader:
                name, group = row[_VIDEO], row[column]
                if name and group and found.setdefault(name, (group,)) != (group,):
                    raise FvdBenchError(f"{file} puts {name!r} into two groups, {found[name][0]!r} and {group!r}")
            return found
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FvdBenchError(f"{file} cannot be read as a table of groups: {cause(error)}; expected CSV") from error


def _key(name: str, by: str, what: str) -> tuple[str, ...] | None:
    if folder := _FOLDER.fullmatch(by):
        folders = tuple(name.split("/")[:-1])
        return (folders[: int(folder[1])] if folder[1] else folders) or None
    try:
        match = re.search(by, name)
    except re.error as error:
        raise ArgumentError(f"{what} {by!r} is no regular expression: {error}") from error
    if match is None:
        return None
    return tuple(group or "" for group in match.groups()) or (match[0],)


def _squares(gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sum(gaps**2, axis=1))
