"""What was at an address, copied into a folder of this machine and read from there.

The digest of the copy stands in the result, in the form of the side.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from fvd_bench import atomic
from fvd_bench.errors import SourceError
from fvd_bench.escapes import redact
from fvd_bench.paths import home
from fvd_bench.progress import Progress
from fvd_bench.settings import is_offline
from fvd_bench.sources.addresses import WEB, file_system, named, reaching
from fvd_bench.sources.archives import check_distinct, check_plain, is_hidden
from fvd_bench.sources.array_files import ARRAY_SUFFIXES
from fvd_bench.sources.clip_source import ClipSource, columns_of, most_frames_of, value_range_of
from fvd_bench.sources.downloads import Download, FileSystem
from fvd_bench.sources.left_out import left_out, zips_alone
from fvd_bench.sources.named_files import NamedFile
from fvd_bench.sources.tars import is_tar_name
from fvd_bench.videos.files import is_video_or_image, suffix
from fvd_bench.videos.video import Video
from fvd_bench.words import counted

_MOST_FILES = 1_000_000
_LONGEST_NAME = 100
_SHOWN_DIGITS = 16
_AT_ONCE = 8
"""Files that are copied at the same time: most of the time of a small one is waiting."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was at an address.

    shown: the address as people see it, without passwords and tokens.
    files: the copies.
    is_folder: whether they are the files of a folder, or of a pattern. Else there is one.
    above: the folder, in which the files have their names. None for a pattern or a file.
    digest: sha256 of the file, or of the names and digests of several.
    notes: on what else is there, each a sentence.
    """

    shown: str
    files: Sequence[NamedFile]
    is_folder: bool
    above: PurePosixPath | None
    digest: str
    notes: Sequence[str] = ()

    def in_words(self, message: str) -> str:
        """Return a message about the copies as one about the address."""
        return message.replace(str(self.files[0].place), self.shown)


@dataclass(frozen=True, slots=True)
class AtAddress:
    """A side that was copied from an address, as a `ClipSource` that is called by the address."""

    side: ClipSource
    fetched: Fetched

    @property
    def name(self) -> str:
        return self.fetched.shown

    @property
    def kind(self) -> str:
        return f"{self.side.kind}, from an address (sha256 {self.fetched.digest[:_SHOWN_DIGITS]})"

    @property
    def names(self) -> Sequence[str]:
        return self.side.names

    @property
    def notes(self) -> list[str]:
        return [*self.fetched.notes, *map(self.fetched.in_words, self.side.notes)]

    @property
    def value_range(self) -> tuple[float, float] | None:
        return value_range_of(self.side)

    @property
    def most_frames(self) -> int | None:
        return most_frames_of(self.side)

    @property
    def columns(self) -> Mapping[str, Sequence[str]]:
        return columns_of(self.side)

    def video(self, index: int) -> Video:
        return self.side.video(index)


def fetch(address: str, progress: Progress) -> Fetched:
    """Copy what is at an address into the folder of downloads, unless the same is there already.

    With FVD_BENCH_OFFLINE nothing is asked, and the last copy is used. Raises SourceError, whose cause is a
    FileNotFoundError where nothing is there.
    """
    shown = redact(address)
    download = Download(home() / "downloads" / hashlib.sha256(address.encode()).hexdigest()[:32], shown)
    with reaching(shown), download.locked():
        if is_offline():
            found = _last(download, shown)
        else:
            found = _copied(download, address, progress)
            atomic.write_text(_record(download), json.dumps({"address": shown, **asdict(found)}))
    root = named(address)
    if not found.is_folder:
        ((name, digest),) = found.digests.items()
        return Fetched(shown, [NamedFile(download.place(name), root)], False, None, digest)
    above = PurePosixPath(_before_pattern(str(root)))
    files = [NamedFile(download.place(name), above / name) for name in found.digests]
    whole = hashlib.sha256("".join(f"{name}\0{digest}\0" for name, digest in found.digests.items()).encode())
    return Fetched(shown, files, True, above if above == root else None, whole.hexdigest(), found.notes)


def missing(address: str) -> NamedFile:
    """Return what stands for a file that is not at its address."""
    return NamedFile(home() / "downloads" / "nothing", named(address))


@dataclass(frozen=True, slots=True)
class _Found:
    """The sha256 of each file at an address, by its name. Names are relative paths for the files of a folder.

    notes: as in `Fetched`.
    """

    is_folder: bool
    digests: dict[str, str]
    notes: Sequence[str] = ()


def _record(download: Download) -> Path:
    return download.folder / "listing.json"


def _last(download: Download, shown: str) -> _Found:
    """Return what was copied last. Raises SourceError where that is not here any more, or never was."""
    try:
        listed = json.loads(_record(download).read_text("utf-8"))
        digests = {name: download.known(name) for name in listed["digests"]}
        if None not in digests.values():
            known = {name: digest for name, digest in digests.items() if digest}
            return _Found(listed["is_folder"], known, tuple(listed.get("notes", ())))
    except FileNotFoundError:
        pass
    raise SourceError(f"{shown} was not copied yet, and FVD_BENCH_OFFLINE is set, with which nothing is asked")


def _copied(download: Download, address: str, progress: Progress) -> _Found:
    """Copy what is at an address. Raises SourceError, OSError, and what file systems raise."""
    files, path = file_system(address)
    is_folder, listed, notes = _listed(files, path, address)
    shown = redact(address)
    progress(f"copying {shown}", 0, len(listed))
    digests: dict[str, str] = {}
    with contextlib.closing(Copiers(_AT_ONCE)) as pool:

        def copy(name: str) -> str:
            return download.copy(files, listed[name], name)

        for name, digest in zip(listed, pool.map(copy, listed), strict=True):
            digests[name] = digest
            progress(f"copying {shown}", len(digests), len(listed))
    return _Found(is_folder, digests, notes)


class Copiers(ThreadPoolExecutor):
    """Threads that drop what has not begun when they are closed, as where one fails."""

    def close(self) -> None:
        self.shutdown(cancel_futures=True)


def _listed(files: FileSystem, path: str, address: str) -> tuple[bool, dict[str, str], Sequence[str]]:
    """Return whether an address is of several files, for each name the path of the file, and notes on other files."""
    is_web = address.partition("://")[0] in WEB
    if "*" in path:
        found = files.glob(path, detail=True)
    elif _is_folder(files.info(path)):
        found = files.find(path.rstrip("/") + "/", detail=True)
    else:
        return False, {_file_name(path): path}, ()
    if len(found) > _MOST_FILES:
        raise SourceError(f"{redact(address)} has {len(found):,} files: at most {_MOST_FILES:,} are copied")
    base = _before_pattern(path).rstrip("/") + "/"
    names: dict[str, str] = {}
    for place, about in found.items():
        name = unquote(place.removeprefix(base)) if is_web else place.removeprefix(base)
        if place.startswith(base) and about["type"] == "file" and not is_hidden(name):
            names[name] = place
    shown = redact(address)
    chosen = next(filter(None, ([n for n in names if is_wanted(n)] for is_wanted in _KINDS)), None)
    if chosen is None:
        raise SourceError(
            zips_alone(shown, names, by="address")
            or f"{shown} holds no video among {counted(len(found), 'file')}: expected video files, images, tar "
            "archives or array files"
        )
    check_plain(shown, chosen)
    check_distinct(shown, chosen)
    notes = left_out(shown, names, by="address", shards=is_tar_name(chosen[0]))
    return True, {name: names[name] for name in sorted(chosen)}, notes


def _is_folder(info: Mapping[str, Any]) -> bool:
    """Return whether what a file system says is said of a folder. On the web, its address ends with a slash, to which
    servers redirect."""
    return info["type"] == "directory" or str(info.get("url") or info["name"]).endswith("/")


_KINDS: Sequence[Callable[[str], bool]] = (
    is_video_or_image,
    is_tar_name,
    lambda name: suffix(name) in ARRAY_SUFFIXES,
)
"""The files of a folder that are copied: those of the first kind that it has."""


def _before_pattern(path: str) -> str:
    """Return the path of the folder in which a pattern begins, or the path itself if it is none."""
    return path.partition("*")[0].rpartition("/")[0] if "*" in path else path


def _file_name(path: str) -> str:
    """Return a name for the copy of one file: the last of its path, of characters that are the same everywhere."""
    last = unquote(re.split(r"[?#]", path)[0]).rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9_.-]", "_", last).lstrip(".")[-_LONGEST_NAME:] or "file"
