"""One side of a comparison: a listing of videos in a fixed order.

A folder is searched for video files and for folders of images, at any depth (class/video), hidden names left
out. The order, and with it every draw, follows the bytes of each relative POSIX path without its suffix.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from fvd_bench.errors import SourceError
from fvd_bench.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES, FrameFolder, Video, VideoFile


class ClipSource(Protocol):
    """What the pipeline needs to know of a side.

    name: how it is shown to people; kind: its form; names: of its videos, in the order of their indices;
    notes: findings of the listing, each a sentence.
    """

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def notes(self) -> Sequence[str]: ...

    def video(self, index: int) -> Video:
        """The video at a place of the listing, unopened."""


@dataclass(frozen=True)
class VideoFolder:
    """A folder of video files, of frame folders, or of both."""

    path: Path
    names: tuple[str, ...]
    notes: tuple[str, ...]
    _images: dict[str, tuple[str, ...]]  # of the names that are frame folders

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def kind(self) -> str:
        if not self._images:
            return "video files"
        return "frame folders" if len(self._images) == len(self.names) else "video files and frame folders"

    def video(self, index: int) -> Video:
        name = self.names[index]
        if name in self._images:
            return FrameFolder(self.path / name, self._images[name])
        return VideoFile(self.path / name)

    @classmethod
    def scan(cls, path: Path) -> VideoFolder:
        """List a folder. Raises SourceError when it cannot be read or holds no video."""
        files: list[str] = []
        images: dict[str, tuple[str, ...]] = {}
        notes: list[str] = []
        loose: list[str] = []
        for folder, names in _walk(path):
            videos = [n for n in names if _suffix(n) in VIDEO_SUFFIXES]
            frames = [n for n in names if _suffix(n) in IMAGE_SUFFIXES]
            relative = folder.relative_to(path).as_posix()
            files += [n if relative == "." else f"{relative}/{n}" for n in videos]
            if frames and videos:
                notes.append(f"{folder}: {len(frames)} images beside {len(videos)} video files are left out")
            elif relative == ".":
                loose = frames
            elif frames:
                images[relative] = tuple(frames)
        if loose and not files and not images:
            raise SourceError(_flat_folder(path, loose))
        if loose:
            notes.append(f"{path}: {len(loose)} images beside the videos' folders are left out")
        if not files and not images:
            raise SourceError(
                f"{path} holds no video: expected files ending in {' '.join(sorted(VIDEO_SUFFIXES))}, or one "
                f"folder of images ({' '.join(sorted(IMAGE_SUFFIXES))}) per video"
            )
        listing = tuple(sorted([*files, *images], key=_sort_key))
        same = [a for a, b in itertools.pairwise(listing) if _sort_key(a)[0] == _sort_key(b)[0]]
        if same:
            notes.append(f"{path}: {len(same)} names differ in their suffix alone, {same[0]} for one; all are used")
        return cls(path, listing, tuple(notes), images)


def open_source(path: str | os.PathLike[str]) -> VideoFolder:
    """Open one side by its path. Raises SourceError, saying what was found and what is accepted."""
    path = Path(path)
    try:
        if not path.exists():
            raise SourceError(f"{path} does not exist")
        if not path.is_dir():
            raise SourceError(
                f"{path} is a file; a side is a folder of video files, or of folders that hold a video's frames"
            )
        return VideoFolder.scan(path)
    except OSError as error:
        raise SourceError(f"{error.filename or path}: {error.strerror}") from error


def fingerprint(names: Iterable[str], contents: Iterable[str]) -> str:
    """sha256 over the names (without suffix) and contents of all videos of a side, in order."""
    whole = hashlib.sha256()
    for name, content in zip(names, contents, strict=True):
        whole.update(_sort_key(name)[0] + b"\0" + content.encode() + b"\0")
    return whole.hexdigest()


def _walk(root: Path) -> Iterable[tuple[Path, list[str]]]:
    """Folders below root with their visible file names; links are followed, but never in a circle."""
    waiting = [(root, frozenset({root.resolve()}))]
    while waiting:
        folder, ancestors = waiting.pop()
        names: list[str] = []
        for entry in os.scandir(folder):
            if entry.name.startswith("."):
                continue
            if not entry.is_dir():
                if entry.is_file() or entry.is_symlink():  # pipes and devices are no videos, dead links are bad ones
                    names.append(entry.name)
            elif (child := Path(entry.path)).resolve() not in ancestors:
                waiting.append((child, ancestors | {child.resolve()}))
        yield folder, sorted(names)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def bare_name(name: str) -> str:
    """A video's path in its source without a file's suffix: the same for a file and a folder of its frames."""
    return name.removesuffix(PurePosixPath(name).suffix) if _suffix(name) in VIDEO_SUFFIXES else name


def _sort_key(name: str) -> tuple[bytes, bytes]:
    """Bytes of the path without a video's suffix; files that differ in the suffix alone are told apart by it."""
    return os.fsencode(bare_name(name)), os.fsencode(name)


def _flat_folder(path: Path, frames: Sequence[str]) -> str:
    return (
        f"{path} is a flat folder of {len(frames)} images ({frames[0]}, …): it is not said which frames belong "
        "to which video. Put the frames of each video into a folder of its own, video_name/000000.jpg, and "
        f"pass the folder above them{' — or pass ' + str(path.parent) if path.parent != path else ''}"
        " if these are the frames of a single video"
    )
