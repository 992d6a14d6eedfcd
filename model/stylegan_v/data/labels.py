"""Labels of videos: a file `dataset.json` at the top of a set, inside its folder or archive.

{"labels": [["class/video/000000.jpg", 3], ["class/other", [0.5, 0.5]], …]}: each entry is for a frame or for a whole
video, and all entries for one video must agree. A whole number is a class. A list of numbers is used as the label
vector.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fvd_bench.errors import cause
from fvd_bench.paths import user_path
from fvd_bench.videos.files import bare_name
from fvd_bench.words import counted
from stylegan_v.errors import DataError

LABEL_FILE = "dataset.json"

_MOST_BYTES = 1 << 28
_MOST = 1e30  # limit of numbers in a label vector, which also excludes NaN and infinity

Label = int | list[float]
Labels = NDArray[np.float32]


def holds_labels(path: Path) -> bool:
    """Return whether a set holds a file of labels. Raises DataError where that cannot be read."""
    return _text(user_path(path))[0] is not None


def read_labels(path: Path, names: Sequence[str]) -> dict[str, Label]:
    """Read the labels of the videos that have one, by name. There are none where the set holds no file of labels.

    path: that of the set. Only folders and zip archives can hold labels. names: those of its videos. Raises DataError.
    """
    text, top = _text(user_path(path))
    if text is None:
        return {}
    where = f"{path}: {LABEL_FILE}"
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not valid JSON ({error})") from error
    entries = table.get("labels") if isinstance(table, dict) else None
    if entries is None:
        entries = []  # tools of this family write this for sets without labels
    if not isinstance(entries, list):
        raise DataError(f"{where}: expected labels to be a list of [path, label]")
    by_key: dict[str, str] = {}
    for name in names:
        by_key.setdefault(bare_name(name), name)
    by_key |= {name: name for name in names}
    labels: dict[str, Label] = {}
    for place, entry in enumerate(entries):
        key, label = _entry(entry, f"{where}: entry {place} of labels")
        video = _video(key, by_key) or _video(f"{top}/{key}", by_key)
        if video is not None and labels.setdefault(video, label) != label:
            raise DataError(
                f"{where}: video {video} is labelled {labels[video]} and, by {key}, {label}: all frames of a video "
                "need the same label"
            )
    return labels


def label_vectors(labels: Mapping[str, Label], names: Sequence[str], num_classes: int) -> Labels:
    """Return the label vectors of videos: float32 [len(names), num_classes], one-hot for classes. Raises DataError."""
    vectors = np.zeros((len(names), num_classes), dtype=np.float32)
    if num_classes == 0:
        return vectors
    for place, name in enumerate(names):
        label = labels.get(name)
        if label is None:
            known = f"{counted(len(labels), 'other video', 'have')} one" if labels else "no video has one"
            raise DataError(
                f"video {name} has no label, {known}: num_classes = {num_classes} needs a {LABEL_FILE} at the top of "
                f'the set, {{"labels": [["{name}", 0], …]}}; or train with num_classes = 0'
            )
        if isinstance(label, list):
            if len(label) != num_classes:
                raise DataError(f"video {name} has a label of {len(label)} numbers, num_classes is {num_classes}")
            vectors[place] = label
        elif label < num_classes:
            vectors[place, label] = 1
        else:
            raise DataError(
                f"video {name} is of class {label}; with num_classes = {num_classes} the last is {num_classes - 1}"
            )
    return vectors


def _text(path: Path) -> tuple[bytes | None, str]:
    """Return the file of labels, and the folder in the archive that it is in, if any."""
    try:
        if path.is_dir():
            file = path / LABEL_FILE
            if not file.exists():
                return None, ""
            with file.open("rb") as data:
                return _limited(data.read(_MOST_BYTES + 1), path), ""
        if not zipfile.is_zipfile(path):
            return None, ""
        with zipfile.ZipFile(path) as archive:
            # In the archive of a folder, all names begin with that folder.
            tops = {name.partition("/")[0] for name in archive.namelist()}
            members = [LABEL_FILE, *(f"{top}/{LABEL_FILE}" for top in tops if len(tops) == 1)]
            for member in members:
                if member in archive.NameToInfo:
                    with archive.open(member) as data:
                        return _limited(data.read(_MOST_BYTES + 1), path), member.rpartition("/")[0]
            return None, ""
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: {LABEL_FILE} cannot be read: {cause(error)}") from error


def _limited(data: bytes, path: Path) -> bytes:
    if len(data) > _MOST_BYTES:
        raise DataError(f"{path}: {LABEL_FILE} is larger than {_MOST_BYTES >> 20} MiB; one entry per video will do")
    return data


def _entry(entry: Any, where: str) -> tuple[str, Label]:
    """Read an entry of the file. Any: what JSON holds until it has been checked."""
    if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str):
        key, label = entry
        if type(label) is int and label >= 0:
            return key, label
        if isinstance(label, list) and label and all(type(v) in (int, float) and abs(v) < _MOST for v in label):
            return key, [float(v) for v in label]
    raise DataError(f"{where} is {json.dumps(entry)[:80]}: expected [path, class] or [path, [number, …]]")


def _video(key: str, by_key: Mapping[str, str]) -> str | None:
    """Return the video that a key stands for: its name with or without suffix, or the path of one of its frames."""
    path = PurePosixPath(key)
    for candidate in (path.as_posix(), bare_name(path.as_posix()), path.parent.as_posix()):
        if candidate in by_key:
            return by_key[candidate]
    return None
