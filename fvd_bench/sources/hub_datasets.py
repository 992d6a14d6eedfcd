"""A `datasets.Dataset` as a side: a column of videos, or of paths. They are decoded here, like all other files."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from fvd_bench.errors import SourceError
from fvd_bench.progress import Progress
from fvd_bench.sources.archives import MemberFile, size_problem
from fvd_bench.sources.arrays import numbered
from fvd_bench.sources.clip_source import ClipSource
from fvd_bench.sources.listing import FileSource, Listing
from fvd_bench.sources.video_lists import PATH_COLUMNS, Row, open_list
from fvd_bench.videos.array_layout import Layout
from fvd_bench.videos.files import sort_key

_BATCH = 64

Dataset = Any  # the library is imported by whoever has a dataset


def is_dataset(source: object) -> bool:
    """Return whether something is of the library `datasets`."""
    library = sys.modules.get("datasets")
    forms = ("Dataset", "DatasetDict", "IterableDataset", "IterableDatasetDict")
    return library is not None and isinstance(source, tuple(getattr(library, form, ()) for form in forms))


def open_dataset(dataset: Dataset, layout: Layout, progress: Progress) -> ClipSource:
    """Open the videos of a dataset, in the order of files of their names. Raises SourceError, OSError."""
    form = type(dataset).__name__
    if form != "Dataset":
        splits = f"one of its splits, {', '.join(map(str, dataset))}" if isinstance(dataset, dict) else "a Dataset"
        raise SourceError(f"a datasets.{form} is no side: pass {splits}, which can be read in any order")
    what, column = "a datasets.Dataset", _column(dataset)
    others = [name for name in dataset.features if name != column and _is_plain(dataset, name)]
    said = [dict.fromkeys(others, "") for _ in range(len(dataset))]
    for name in others:
        for row, entry in zip(said, dataset.with_format(None)[name], strict=True):
            row[name] = "" if entry is None else str(entry)
    if _is_plain(dataset, column):
        paths = [path or "" for path in dataset.with_format(None)[column]]
        return open_list(what, list(map(Row, paths, said)), Path.cwd(), layout, progress)
    files = _Rows(dataset, column)
    if not any(files.embedded):
        return open_list(what, list(map(Row, files.paths, said)), Path.cwd(), layout, progress)
    names = tuple(sorted(files.rows, key=sort_key))
    columns = {name: [said[files.rows[video]][name] for video in names] for name in others}
    kind = "video files in a dataset"
    return FileSource(what, kind, Listing(names, {}, ()), PurePosixPath(), files, columns=columns)


class _Rows:
    """The videos that a dataset holds itself, as `files.Files`.

    paths: the path of each video, empty where it has none. embedded: whether its bytes are in the dataset.
    rows: by name, the row of each video. Names are the paths where every video has one of its own.
    """

    def __init__(self, dataset: Dataset, column: str) -> None:
        from datasets import Video

        self._column = column
        self._dataset = dataset.select_columns([column]).cast_column(column, Video(decode=False)).with_format(None)
        cells = [cell for batch in self._dataset.iter(_BATCH) for cell in map(_outline, batch[column])]
        self.paths = [path for path, _ in cells]
        self.embedded = [is_embedded for _, is_embedded in cells]
        names = [PurePosixPath(path.lstrip("/")).as_posix() for path in self.paths]
        has_names = all(self.paths) and len(set(names)) == len(names)
        self.rows = {name: row for row, name in enumerate(names if has_names else numbered(len(names)))}

    def source(self, path: PurePath) -> MemberFile:
        """Return the bytes of a video. Raises OSError."""
        name = path.as_posix()
        data: bytes | None = self._dataset[self.rows[name]][self._column]["bytes"]
        if data is None:
            raise OSError(f"{name} in the dataset is a path, and other videos are not: expected all videos in one form")
        if problem := size_problem(name, len(data)):
            raise OSError(f"{name} in the dataset {problem}")
        return MemberFile(data, name)

    def state(self, path: PurePath) -> bytes:
        """Return a digest of a video's bytes. Raises OSError."""
        return hashlib.sha256(self.source(path).getbuffer()).digest()


def _outline(cell: Any) -> tuple[str, bool]:
    """Return the path of a video, empty where it has none, and whether its bytes are there."""
    found = cell or {}
    return found.get("path") or "", found.get("bytes") is not None


def _is_plain(dataset: Dataset, name: str) -> bool:
    """Return whether the entries of a column are single texts or numbers."""
    from datasets import ClassLabel, Value

    return isinstance(dataset.features[name], Value | ClassLabel)


def _column(dataset: Dataset) -> str:
    """Return the name of the column that holds the videos. Raises SourceError."""
    from datasets import Video

    found = [name for name, feature in dataset.features.items() if isinstance(feature, Video)]
    found = found or [name for name in PATH_COLUMNS if name in dataset.features and _is_plain(dataset, name)][:1]
    if len(found) == 1:
        return found[0]
    expected = f"one of videos, datasets.Video, or one of paths, named {' or '.join(PATH_COLUMNS)}"
    if found:
        expected = f"one of videos: dataset.select_columns([{found[0]!r}])"
    raise SourceError(f"a datasets.Dataset has the columns {', '.join(dataset.features)}: expected {expected}")
