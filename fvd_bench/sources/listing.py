"""What a side of a comparison is, and a listing of video files in a fixed order for one.

A folder or zip archive is searched for video files and for folders of images, at any depth (class/video), hidden
names left out. The order, and with it every draw, follows the bytes of each relative POSIX path without its suffix.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Protocol

from fvd_bench.errors import SourceError
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.files import (
    ANIMATION_SUFFIXES,
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    Files,
    sort_key,
    suffix,
)
from fvd_bench.videos.frame_names import FrameNames
from fvd_bench.videos.images import FrameFolder, hold_several
from fvd_bench.videos.video import Video


class ClipSource(Protocol):
    """What the pipeline needs to know of a side: anything that is shaped like this can be one, a generator for one.

    name: how it is shown to people; kind: its form; names: of its videos, in the order of their indices;
    notes: findings of the listing, each a sentence.

    Videos are read from several threads at once, and more than once each; a source that cannot do that, such as a
    network that its videos share, has to lock. They are asked for frames behind their end too, and then raise
    ShortVideoError.
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
class Listing:
    """The videos among files. names: in order; images: file names by the names that are frame folders."""

    names: tuple[str, ...]
    images: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, place: Path, names: Iterable[str], root: PurePath, files: Files) -> Listing:
        """Find the videos among the files in a folder or archive. Raises SourceError when there is none.

        names: their relative POSIX paths, hidden ones left out; root: what these are relative to, in `files`. Where the
        first image of a folder holds several, each image in it is a video of its own.
        """
        folders: dict[str, list[str]] = {}
        for path in names:
            folder, _, name = path.rpartition("/")
            folders.setdefault(folder, []).append(name)
        animated = _folders_of_animations(folders, root, files)
        videos: list[str] = []
        images: dict[str, tuple[str, ...]] = {}
        notes: list[str] = []
        loose: list[str] = []
        for folder, inside in sorted(folders.items()):
            frames = sorted(n for n in inside if suffix(n) in IMAGE_SUFFIXES)
            beside = [n for n in inside if suffix(n) in VIDEO_SUFFIXES]
            if folder in animated:
                beside, frames = beside + frames, []
            videos += [f"{folder}/{n}" if folder else n for n in beside]
            if frames and beside:
                notes.append(f"{place / folder}: {len(frames)} images beside {len(beside)} video files are left out")
            elif not folder:
                loose = frames
            elif frames:
                images[folder] = tuple(frames)
        if loose and not videos and not images:
            raise SourceError(_flat_folder(place, loose))
        if loose:
            notes.append(f"{place}: {len(loose)} images beside the videos' folders are left out")
        if not videos and not images:
            raise SourceError(
                f"{place} holds no video: expected files ending in {' '.join(sorted(VIDEO_SUFFIXES))}, or one "
                f"folder of images ({' '.join(sorted(IMAGE_SUFFIXES))}) per video, or one array file per video"
            )
        listing = tuple(sorted([*videos, *images], key=sort_key))
        same = [a for a, b in itertools.pairwise(listing) if sort_key(a)[0] == sort_key(b)[0]]
        if same:
            notes.append(f"{place}: {len(same)} names differ in their suffix alone, {same[0]} for one; all are used")
        return cls(listing, images, tuple(notes))

    @property
    def kind(self) -> str:
        if not self.images:
            return "video files"
        return "frame folders" if len(self.images) == len(self.names) else "video files and frame folders"


@dataclass(frozen=True)
class FileSource:
    """Video files, frame folders, or both: in a folder, or in an archive.

    path: of the folder or archive. root: what the listed names are relative to, as a path in `files`. more_notes:
    besides those of the listing.
    """

    path: Path
    kind: str
    listing: Listing
    root: PurePath
    files: Files
    more_notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def names(self) -> tuple[str, ...]:
        return self.listing.names

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.more_notes, *self.listing.notes)

    def video(self, index: int) -> Video:
        name = self.names[index]
        if name in self.listing.images:
            return FrameFolder(self.root / name, self.listing.images[name], self.files)
        return VideoFile(self.root / name, self.files)


def fingerprint(names: Iterable[str], contents: Iterable[str]) -> str:
    """sha256 over the names (without suffix) and contents of all videos of a side, in order."""
    whole = hashlib.sha256()
    for name, content in zip(names, contents, strict=True):
        whole.update(sort_key(name)[0] + b"\0" + content.encode() + b"\0")
    return whole.hexdigest()


def walk(root: Path) -> Iterable[str]:
    """Relative POSIX paths of the visible files below root; links are followed, but never in a circle.

    Dead links are among them, and pipes and devices that are named like a video or image: bad videos, to be skipped
    by name. Raises OSError.
    """
    waiting = [(root, "", frozenset({root.resolve()}))]
    while waiting:
        folder, above, ancestors = waiting.pop()
        for entry in os.scandir(folder):
            if entry.name.startswith("."):
                continue
            if not _is_folder(entry):
                if suffix(entry.name) in VIDEO_SUFFIXES | IMAGE_SUFFIXES or _is_file_or_dead(Path(entry.path)):
                    yield above + entry.name
            elif (child := Path(entry.path)).resolve() not in ancestors:
                waiting.append((child, f"{above}{entry.name}/", ancestors | {child.resolve()}))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one. Raises OSError when that cannot be told."""
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG):  # a link that leads nowhere
            return False
        raise


def _is_file_or_dead(path: Path) -> bool:
    """Whether it is a file, or a link that leads nowhere, and no pipe or device, which would be waited for."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _folders_of_animations(folders: Mapping[str, Sequence[str]], root: PurePath, files: Files) -> set[str]:
    """Those whose first image holds several. folders: the names of the files in each."""
    first: dict[str, str] = {}
    for folder, names in folders.items():
        frames = [name for name in names if suffix(name) in IMAGE_SUFFIXES]
        if frames and suffix(name := FrameNames(frames).ordered[0]) in ANIMATION_SUFFIXES:
            first[folder] = name
    several = hold_several([root / folder / name for folder, name in first.items()], files)
    return {folder for folder, is_animation in zip(first, several, strict=True) if is_animation}


def _flat_folder(place: Path, frames: Sequence[str]) -> str:
    if place.is_dir():
        what, above = "a flat folder", "pass the folder above them"
        if place.parent != place:
            above += f" — or pass {place.parent}"
    else:
        what, above = "a flat archive", "archive these folders — or archive the folder above them"
    return (
        f"{place} is {what} of {len(frames)} images ({frames[0]}, …): it is not said which frames belong "
        f"to which video. Put the frames of each video into a folder of its own, video_name/000000.jpg, and {above}"
        " if these are the frames of a single video"
    )
