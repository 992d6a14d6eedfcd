"""Archives that are no part of a side, since they lie beside its videos or inside an archive of these. That is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from fvd_bench.sources.tars import is_tar_name
from fvd_bench.videos.files import suffix
from fvd_bench.words import agreeing, counted

_UNREADABLE = (".7z", ".rar")
_ADVICE = {
    "zip archive": "each is a side of its own, by its {by}",
    "tar archive": "a folder of archives alone is a side too",
    "7z or rar archive": "unpack what holds videos, and pass the folder",
}
_INSIDE = "an archive inside another is not opened: unpack it, and pass the folder"


def left_out(
    place: object, names: Iterable[str], *, by: Literal["path", "address"] | None = "path", shards: bool = False
) -> tuple[str, ...]:
    """Return a note on each kind of archives among these files.

    place: what the files are in, for messages. by: what leads to each of them; None where they are inside an archive.
    shards: whether the side is made of the tar archives among them.
    """
    found = Counter(filter(None, map(_kind, names)))
    if shards:
        del found["tar archive"]
    return tuple(
        f"{place}: {counted(found[kind], kind)} beside the videos {agreeing(found[kind], 'are')} left out; "
        f"{advice.format(by=by) if by else _INSIDE}"
        for kind, advice in _ADVICE.items()
        if found[kind]
    )


def zips_alone(place: object, names: Iterable[str], *, by: Literal["path", "address"] = "path") -> str | None:
    """Say what to do where there are zip archives and no videos. None where there are no zip archives."""
    zips = sum(_kind(name) == "zip archive" for name in names)
    if not zips:
        return None
    found = f"{place} holds {counted(zips, 'zip archive')} and no video"
    return f"{found}: pass the {by} of an archive, which is a side of its own"


def _kind(name: str) -> str | None:
    if is_tar_name(name):
        return "tar archive"
    ending = suffix(name)
    return "zip archive" if ending == ".zip" else "7z or rar archive" if ending in _UNREADABLE else None
