"""Which square of a picture becomes a training frame: the one in its middle, or one that a table of boxes gives.

The table is a CSV file with the columns video, left, top, right, bottom, and optionally frame. Numbers are whole
pixels; right and bottom are the first column and row outside the box. Frames are counted from 0, from the beginning of
the video. A video has one box for all its frames, or one for each frame that is used.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from PIL import Image

from fvd_bench.errors import cause
from fvd_bench.videos.files import bare_name
from fvd_bench.videos.video import Pixels
from stylegan_v.errors import DataError

_NUMBERS = ("left", "top", "right", "bottom")
_COLUMNS = ("video", *_NUMBERS)


class Box(NamedTuple):
    """A part of a picture, in pixels. The column `right` and the row `bottom` lie outside."""

    left: int
    top: int
    right: int
    bottom: int


class Crop(Protocol):
    """Says which square of each frame of a video is used."""

    def box(self, frame: int, width: int, height: int) -> Box:
        """Return the box in a frame of this size. Frames are asked for in their order, each once.

        Raises DataError for boxes that cannot be meant, and VideoError where the video has to be skipped.
        """

    def end(self) -> None:
        """Take note that the video has no more frames. Raises VideoError where it has to be skipped for that."""

    def digest(self) -> str:
        """Return text that changes when the boxes do."""


class CentreCrop:
    """The largest square in the middle. Where it cannot lie there, it lies half a pixel to the left or the top."""

    def box(self, frame: int, width: int, height: int) -> Box:
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        return Box(left, top, left + side, top + side)

    def end(self) -> None:
        pass

    def digest(self) -> str:
        return "centre"


@dataclass(frozen=True, slots=True)
class BoxCrop:
    """The boxes of one video, from the rows of a file.

    rows: frame -> its box and the number of its row in the file. The frame None stands for every frame.
    """

    file: Path
    video: str
    rows: dict[int | None, tuple[Box, int]] = field(default_factory=dict)

    def box(self, frame: int, width: int, height: int) -> Box:
        found = self.rows.get(None) or self.rows.get(frame)
        if found is None:
            raise DataError(
                f"{self.file} has no box for frame {frame} of {self.video}: expected a row for each frame that is "
                "used, or one row without a frame for all"
            )
        box, row = found
        if box.right > width or box.bottom > height:
            raise DataError(
                f"{self.file}, row {row}: the box {_text(box)} leaves the {width}×{height} picture of {self.video}; "
                "move or shrink it"
            )
        return box

    def end(self) -> None:
        pass

    def digest(self) -> str:
        boxes = sorted((-1 if frame is None else frame, tuple(box)) for frame, (box, _) in self.rows.items())
        return hashlib.sha256(repr(boxes).encode()).hexdigest()


def read_boxes(file: Path, names: Sequence[str]) -> dict[str, BoxCrop]:
    """Read the boxes of videos from a CSV file. It may give the names of the videos without suffix.

    Raises DataError, naming the row, for a box that cannot be meant.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            _check_columns(file, reader.fieldnames or ())
            return _read_rows(file, ((reader.line_num, row) for row in reader), names)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {cause(error)}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} is no CSV file in UTF-8: {error}") from error


def cut(pixels: Pixels, box: Box, resolution: int) -> Image.Image:
    """Cut a square out of a picture and resize it: Lanczos, with antialiasing, from the pixels inside the box alone."""
    square = Image.fromarray(pixels[box.top : box.bottom, box.left : box.right])
    return square.resize((resolution, resolution), Image.Resampling.LANCZOS)


def _check_columns(file: Path, columns: Sequence[str]) -> None:
    if set(columns) - {"frame"} != set(_COLUMNS) or len(set(columns)) != len(columns):
        raise DataError(
            f"{file} has the columns {', '.join(columns) or '(none)'}: expected {', '.join(_COLUMNS)} and, where boxes "
            "differ between frames, frame"
        )


def _read_rows(
    file: Path, rows: Iterable[tuple[int, Mapping[str, str | None]]], names: Sequence[str]
) -> dict[str, BoxCrop]:
    full = {bare_name(name): name for name in reversed(names)} | {name: name for name in names}
    crops: dict[str, BoxCrop] = {}
    for number, row in rows:
        where = f"{file}, row {number}"
        given = row["video"] or ""
        if given not in full:
            raise DataError(f"{where}: there is no video {given!r}; the first of the set is {names[0]}")
        box = Box(*(_whole(row[name], f"{where}: {name}") for name in _NUMBERS))
        if box.right <= box.left or box.right - box.left != box.bottom - box.top:
            raise DataError(f"{where}: the box {_text(box)} is {_size(box)}: expected a square")
        frame = _whole(row["frame"], f"{where}: frame") if row.get("frame") else None
        crop = crops.setdefault(full[given], BoxCrop(file, full[given]))
        if frame in crop.rows or (crop.rows and (frame is None or None in crop.rows)):
            _, before = crop.rows.get(frame) or next(iter(crop.rows.values()))
            raise DataError(
                f"{where}: {given} has another box in row {before}: expected one box, or one for each frame"
            )
        crop.rows[frame] = (box, number)
    return crops


def _whole(text: str | None, what: str) -> int:
    if text is None or not re.fullmatch(r"\s*[0-9]{1,9}\s*", text):
        raise DataError(f"{what} is {text!r}: expected a whole number from 0 on")
    return int(text)


def _text(box: Box) -> str:
    return f"({', '.join(map(str, box))})"


def _size(box: Box) -> str:
    return f"{box.right - box.left}×{box.bottom - box.top}"
