"""A prepared training set on disk: its folders of frames, and the files that say how they were made.

dataset-settings.json holds the source and the settings, which are the same for all runs. prepare.jsonl has a line for
each video that is finished. dataset.json holds labels, where the source has some.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fvd_bench.atomic import write_text
from fvd_bench.records import json_object
from fvd_bench.videos.files import bare_name
from stylegan_v.data.labels import LABEL_FILE, Label
from stylegan_v.errors import ConfigError, DataError
from stylegan_v.folder_lock import locked
from stylegan_v.networks.config import check_resolution

JPEG_QUALITY = 95
"""The quality that the paper states for its frames. Its code asks Pillow for `q=95`, which Pillow ignores, and so
writes 75."""

_SETTINGS_FILE = "dataset-settings.json"
_RECORD_FILE = "prepare.jsonl"
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareSettings:
    """What the frames of a prepared set depend on, besides the source and its boxes.

    resolution: side of the frames in pixels. skip: number of frames left out at the beginning of each video.
    chunk: number of frames in each piece that a video is cut into, None to leave it whole. A remainder is left out.
    quality: that of the JPEG files.
    """

    resolution: int
    skip: int = 0
    chunk: int | None = None
    quality: int = JPEG_QUALITY

    def __post_init__(self) -> None:
        check_resolution(self.resolution)
        if self.skip < 0:
            raise ConfigError(f"skip = {self.skip}: expected a number of frames from 0 on")
        if self.chunk is not None and self.chunk < 1:
            raise ConfigError(f"chunk = {self.chunk}: expected a number of frames from 1 on")
        if not 1 <= self.quality <= 100:
            raise ConfigError(f"quality = {self.quality}: expected 1 to 100")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A finished video.

    state, crop: the state of its files and the digest of its boxes when it was made.
    pieces, frames: number of written pieces and frames. left_over: number of frames behind the last piece.
    damaged: number of frames with errors in the stream. enlarged: whether a square was smaller than the frames.
    """

    video: str
    state: str
    crop: str
    pieces: int
    frames: int
    left_over: int
    damaged: int
    enlarged: bool


class PreparedFolder:
    """The folder of a prepared set. records: name of a finished video -> its record."""

    PARTIAL = ".partial-"

    def __init__(self, path: Path, settings: PrepareSettings, records: dict[str, Record]) -> None:
        self.path = path
        self.settings = settings
        self.records = records

    @classmethod
    @contextlib.contextmanager
    def open(
        cls,
        path: Path,
        source: Path,
        names: Sequence[str],
        settings: PrepareSettings,
        *,
        crop: str,
        dataset: str | None,
    ) -> Iterator[PreparedFolder]:
        """Begin a set of the videos of a source, or go on with it, and hold its folder meanwhile.

        Raises DataError, also where another process holds the folder, and OSError.
        crop: what kind of squares is cut out. dataset: the name of the set that it is, None for any videos.
        """
        _check_places(source, path)
        _check_names(source, names, chunked=settings.chunk is not None)
        path.mkdir(parents=True, exist_ok=True)
        busy = f"another process prepares a set in {path}: wait for its end, or end it, or name another folder"
        with locked(path, DataError(busy)):
            _claim(path, {
                "format": _FORMAT,
                "source": str(source.resolve()),
                "crop": crop,
                **({} if dataset is None else {"dataset": dataset}),
                **dataclasses.asdict(settings),
            })  # fmt: skip
            for partial in path.glob(f"{cls.PARTIAL}*"):  # an interrupted run left it
                shutil.rmtree(partial)
            folder = cls(path, settings, _read_records(path / _RECORD_FILE))
            folder._write_records(folder.records.values())  # drops a line that was being written
            yield folder

    def finished(self, video: str, state: str, crop: str) -> Record | None:
        """Return the record of a video that was prepared from its present state, None if there is none."""
        record = self.records.get(video)
        if record is None or (record.state, record.crop) != (state, crop):
            return None
        return record if all(folder.is_dir() for folder in self._folders(record)) else None

    def take_in(self, record: Record, partial: Path) -> None:
        """Give the pieces of a finished video their names, and record that it is finished."""
        before = self.records.get(record.video, record)
        for folder in (*self._folders(before), *self._folders(record)):
            if folder.exists():
                shutil.rmtree(folder)
        for piece, folder in enumerate(self._folders(record)):
            folder.parent.mkdir(parents=True, exist_ok=True)
            (partial / str(piece)).rename(folder)
        shutil.rmtree(partial)
        self.records[record.video] = record
        with (self.path / _RECORD_FILE).open("a", encoding="ascii") as file:
            file.write(_line(record))

    def finish(self, records: Sequence[Record], labels: Mapping[str, Label]) -> Path | None:
        """Write the records of all videos in order, and the labels of those that have one.

        Where none has one, a file of labels that is there is put aside, and its new place is returned.
        """
        self._write_records((*records, *self.stale(records)))
        entries = [
            [folder.relative_to(self.path).as_posix(), labels[record.video]]
            for record in records
            if record.video in labels
            for folder in self._folders(record)
        ]
        file = self.path / LABEL_FILE
        if entries:
            write_text(file, json.dumps({"labels": entries}, indent=0) + "\n")
            return None
        return file.replace(file.with_suffix(".json.old")) if file.exists() else None

    def stale(self, records: Iterable[Record]) -> list[Record]:
        """Return records of earlier runs for videos that are not among these."""
        current = {record.video for record in records}
        return [self.records[name] for name in sorted(self.records) if name not in current]

    def _folders(self, record: Record) -> list[Path]:
        bare = bare_name(record.video)
        if self.settings.chunk is None:
            return [self.path / bare] * record.pieces
        return [self.path / f"{bare}-{piece:04d}" for piece in range(record.pieces)]

    def _write_records(self, records: Iterable[Record]) -> None:
        write_text(self.path / _RECORD_FILE, "".join(map(_line, records)))


def _check_places(source: Path, out: Path) -> None:
    inner, outer = out.resolve(), source.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise DataError(f"{out} and {source} lie inside each other: expected a folder apart from the source")


def _check_names(source: Path, names: Sequence[str], *, chunked: bool) -> None:
    """Raise DataError when two videos would share a folder, or one's folder would lie inside the other's."""
    taken: dict[str, str] = {}
    for name in names:
        other = taken.setdefault(bare_name(name), name)
        if other != name:
            raise DataError(f"{source}: {other} and {name} would be written to the same folder; rename one of them")
    for name in names:
        for parent in PurePosixPath(bare_name(name)).parents:
            piece = re.fullmatch(r"(.+)-[0-9]{4,}", parent.as_posix())
            above = (piece[1] if piece else None) if chunked else parent.as_posix()
            if above in taken:
                raise DataError(
                    f"{source}: {name} would be written into the folder of the frames of {taken[above]}; rename one "
                    "of them"
                )


def _claim(path: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings of a new set, once its folder is held, so that they are those of the process that prepares it.

    Raises DataError when the folder holds something else. Any: plain values, as JSON holds them.
    """
    file = path / _SETTINGS_FILE
    if not file.exists():
        if any(not entry.name.startswith(".") for entry in path.iterdir()):
            raise DataError(
                f"{path} is not empty, and has no {_SETTINGS_FILE} of an earlier run: expected a folder that is new or "
                "empty"
            )
        write_text(file, json.dumps(settings, indent=1) + "\n")
        return
    found = json_object(file.read_bytes())
    if found is None:
        raise DataError(f"{file} is damaged: prepare into another folder")
    for name in {**settings, **found}:
        if found.get(name) != settings.get(name):
            raise DataError(
                f"{path} was prepared with {name} = {found.get(name)!r}, this run asks for {settings.get(name)!r}: "
                "prepare into another folder, or go on with what was asked for first"
            )


def _read_records(file: Path) -> dict[str, Record]:
    """Read the records of finished videos. Lines that are none are left out, and their videos are prepared again."""
    types = {f.name: {"str": str, "int": int, "bool": bool}[str(f.type)] for f in dataclasses.fields(Record)}
    records: dict[str, Record] = {}
    if not file.exists():
        return records
    for line in file.read_bytes().splitlines():
        values = json_object(line)
        if values is not None and {k: type(v) for k, v in values.items()} == types:
            records[values["video"]] = Record(**values)
    return records


def _line(record: Record) -> str:
    return json.dumps(dataclasses.asdict(record)) + "\n"
