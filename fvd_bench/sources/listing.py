"""The listing of video files in a fixed order, and the side that they are.

A folder or archive is searched for video files and for folders of images, at any depth (class/video), without hidden
names. The order, and with it every draw, follows the bytes of each relative POSIX path without its suffix.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from fvd_bench.errors import SourceError
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.files import (
    ANIMATION_SUFFIXES,
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    Files,
    is_image,
    is_video_or_image,
    sort_key,
    suffix,
)
from fvd_bench.videos.frame_names import FrameNames
from fvd_bench.videos.images import FrameFolder, hold_several
from fvd_bench.videos.video import Video
from fvd_bench.words import agreeing, counted


@dataclass(frozen=True)
class Listing:
    """The videos among files.

    names: the names of the videos, in order.
    images: for each name that is a frame folder, the file names of its images.
    notes: findings, each a sentence.
    is_flat: whether the videos are single images, of one frame each.
    """

    names: tuple[str, ...]
    images: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]
    is_flat: bool = False

    @classmethod
    def of(cls, place: str, names: Iterable[str], root: PurePath, files: Files) -> Listing:
        """Find the videos among the files in a folder or archive. Raises SourceError when there is none.

        place: the folder, archive or list, for messages.
        names: relative POSIX paths of the files, without hidden ones.
        root: the path in `files` that these are relative to.
        Where the first image of a folder holds several images, each image file in the folder is a video of its own.
        Where there is nothing but images, in no folder below the root, each is a video of one frame.
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
            frames = sorted(filter(is_image, inside))
            beside = [n for n in inside if suffix(n) in VIDEO_SUFFIXES]
            if folder in animated:
                beside, frames = beside + frames, []
            videos += [f"{folder}/{n}" if folder else n for n in beside]
            if frames and beside:
                where = f"{place}/{folder}" if folder else place
                notes.append(
                    f"{where}: {counted(len(frames), 'image')} beside {counted(len(beside), 'video file')} "
                    f"{agreeing(len(frames), 'are')} left out"
                )
            elif not folder:
                loose = frames
            elif frames:
                images[folder] = tuple(frames)
        if loose and not videos and not images:
            which = "its image" if len(loose) == 1 else f"each of its {len(loose)} images"
            note = f"{place} has no folders of frames, and {which} is taken for a video of one frame"
            return cls(tuple(sorted(loose, key=sort_key)), {}, (note, *_same(place, loose)), is_flat=True)
        if loose:
            notes.append(
                f"{place}: {counted(len(loose), 'image')} beside the videos' folders {agreeing(len(loose), 'are')} "
                "left out"
            )
        if not videos and not images:
            raise SourceError(
                f"{place} holds no video: expected files ending in {' '.join(sorted(VIDEO_SUFFIXES))}, or one "
                f"folder of images ({' '.join(sorted(IMAGE_SUFFIXES))}) per video, or one array file per video"
            )
        listing = tuple(sorted([*videos, *images], key=sort_key))
        return cls(listing, images, (*notes, *_same(place, listing)))

    @property
    def kind(self) -> str:
        if self.is_flat:
            return "single images"
        if not self.images:
            return "video files"
        return "frame folders" if len(self.images) == len(self.names) else "video files and frame folders"


@dataclass(frozen=True)
class FileSource:
    """Video files, frame folders, or both, in a folder, in an archive, or named one by one.

    name: the path of the folder or archive, or what else the side is called.
    kind: the form of the side.
    listing: the videos in it.
    root: the path in `files` that the listed names are relative to.
    files: the disk, or the archive.
    more_notes: notes besides those of the listing.
    columns: for each column of a list of videos, its entries in the order of the videos.
    """

    name: str
    kind: str
    listing: Listing
    root: PurePath
    files: Files
    more_notes: tuple[str, ...] = ()
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return self.listing.names

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.more_notes, *self.listing.notes)

    @property
    def most_frames(self) -> int | None:
        """The most frames that any of its videos has. None if that is not known."""
        return 1 if self.listing.is_flat else None

    def video(self, index: int) -> Video:
        name = self.names[index]
        if self.listing.is_flat:
            return FrameFolder(self.root, [name], self.files)
        if name in self.listing.images:
            return FrameFolder(self.root / name, self.listing.images[name], self.files)
        return VideoFile(self.root / name, self.files)


def walk(root: Path) -> Iterable[str]:
    """Yield relative POSIX paths of the visible files below root. Links are followed, but never in a circle.

    Dead links are among them, and pipes and devices that are named like a video or image: these are bad videos, to be
    skipped by name. Raises OSError.
    """
    waiting = [(root, "", frozenset({root.resolve()}))]
    while waiting:
        folder, above, ancestors = waiting.pop()
        for entry in os.scandir(folder):
            if entry.name.startswith("."):
                continue
            if not _is_folder(entry):
                if is_video_or_image(entry.name) or _is_file_or_dead(Path(entry.path)):
                    yield above + entry.name
            elif (child := Path(entry.path)).resolve() not in ancestors:
                waiting.append((child, f"{above}{entry.name}/", ancestors | {child.resolve()}))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, or a link to one. Raises OSError when that cannot be told."""
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG):  # a link that leads nowhere
            return False
        raise


def _is_file_or_dead(path: Path) -> bool:
    """Return whether it is a file or a dead link. Pipes and devices, which may block, are neither."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _folders_of_animations(folders: Mapping[str, Sequence[str]], root: PurePath, files: Files) -> set[str]:
    """Return the folders whose first image holds several images. folders: the names of the files in each."""
    first: dict[str, str] = {}
    for folder, names in folders.items():
        frames = list(filter(is_image, names))
        if frames and suffix(name := FrameNames(frames).ordered[0]) in ANIMATION_SUFFIXES:
            first[folder] = name
    several = hold_several([root / folder / name for folder, name in first.items()], files)
    return {folder for folder, is_animation in zip(first, several, strict=True) if is_animation}


def _same(place: str, names: Sequence[str]) -> list[str]:
    """Return a note of names that differ in nothing but their suffix, if there are any."""
    ordered = sorted(names, key=sort_key)
    same = [a for a, b in itertools.pairwise(ordered) if sort_key(a)[0] == sort_key(b)[0]]
    if not same:
        return []
    return [
        f"{place}: {counted(len(same), 'name', 'differ')} from another in the suffix alone, {same[0]} for one; all are "
        "used"
    ]
