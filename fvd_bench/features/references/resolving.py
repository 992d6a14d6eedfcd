"""From the name of a reference to its statistics file: what ships, what was pulled, and a zoo of one's own."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fvd_bench.errors import ArgumentError, UnknownReferenceError
from fvd_bench.features.references.reference import Reference
from fvd_bench.features.references.zoo import MANIFEST, Zoo
from fvd_bench.paths import PathLike, home
from fvd_bench.progress import Progress, silent
from fvd_bench.sources.reference_names import PREFIX, split

_SUGGESTIONS = 5
_ALIKE = 0.5
"""A name that is not known gets at most this many suggestions, of names that are this much alike."""


@dataclass(frozen=True, slots=True)
class Held:
    """A reference, the zoo that has it, and how people call that: `ships`, `pulled`, or the place."""

    reference: Reference
    zoo: Zoo
    where: str


def held(zoo: PathLike | None = None) -> list[Held]:
    """List what ships, what was pulled, and what a zoo has, each once.

    zoo: its path or address. None for the one that the environment variable FVD_BENCH_REFS names, if it does. Raises
    SourceError.
    """
    found: dict[str, Held] = {}
    for entry in (*_here(), *_there(zoo)):
        found.setdefault(entry.reference.entry, entry)
    return list(found.values())


def resolve(text: str, zoo: PathLike | None = None) -> Held:
    """Find the reference of a name, `NAME` or `NAME@DIGEST`, where `refs:` may stand before it.

    A zoo is asked only for what is not here. zoo: as in `held`. Raises UnknownReferenceError with names that are near,
    and SourceError.
    """
    here = list(_here())
    return _only(text, here) or _only(text, there := list(_there(zoo))) or _refuse(text, [*here, *there])


def pull(text: str, zoo: PathLike | None = None, progress: Progress = silent) -> tuple[Reference, Path, bool]:
    """Fetch the statistics file of a reference from a zoo, and verify it. Return the reference, its file, and whether
    that was fetched: without a zoo, one that is here does.

    zoo: as in `held`. Raises ArgumentError where no zoo is named and it is not here, and what `resolve` raises.
    """
    if not (zoo or os.environ.get("FVD_BENCH_REFS")):
        found = _only(text, list(_here()))
        if found and (path := found.zoo.path(found.reference)):
            return found.reference, path, False
        raise ArgumentError("no zoo is named: pass --zoo, a path or an address, or set FVD_BENCH_REFS to it")
    there = list(_there(zoo))
    found = _only(text, there) or _refuse(text, there)
    return found.reference, _kept(found, progress), True


def resolved(text: PathLike, progress: Progress) -> tuple[str, Path]:
    """Return the full name of a reference, and its statistics file, which is here and verified.

    Raises what `resolve` raises.
    """
    found = resolve(os.fspath(text))
    return found.reference.shown, found.zoo.path(found.reference) or _kept(found, progress)


def _kept(found: Held, progress: Progress) -> Path:
    """Return the file of a reference in the folder of what was pulled, fetched if it is not there."""
    file = _pulled() / found.reference.file
    found.zoo.fetch(found.reference, file, progress)
    Zoo(_pulled()).enter(found.reference)
    return file


def _here() -> Iterator[Held]:
    """Yield what ships, and what was pulled."""
    for where, place in (("ships", _shipped()), ("pulled", _pulled())):
        if (place / MANIFEST).exists():
            zoo = Zoo(place)
            yield from (Held(reference, zoo, where) for reference in zoo.references())


def _shipped() -> Path:
    return Path(__file__).parent / "shipped"


def _pulled() -> Path:
    return home() / "references"


def _there(place: PathLike | None) -> Iterator[Held]:
    """Yield what a zoo has, see `held`."""
    if named := place or os.environ.get("FVD_BENCH_REFS"):
        zoo = Zoo(named)
        yield from (Held(reference, zoo, zoo.shown) for reference in zoo.references())


def _only(text: str, among: Sequence[Held]) -> Held | None:
    """Return the one that is meant, None where there is none. Raises UnknownReferenceError where there are several."""
    name, digest = split(text)
    alike = (h for h in among if h.reference.name == name and h.reference.digest.startswith(digest))
    found = {held.reference.digest: held for held in alike}
    if len(found) > 1:
        there = ", ".join(sorted(held.reference.shown for held in found.values()))
        raise UnknownReferenceError(f"several references are named {text.removeprefix(PREFIX)!r}: say which of {there}")
    return next(iter(found.values()), None)


def _refuse(text: str, among: Sequence[Held]) -> Held:
    """Raise UnknownReferenceError, with names that are near."""
    name, digest = split(text)
    names = {held.reference.name: None for held in among}
    if name in names:
        there = ", ".join(held.reference.shown for held in among if held.reference.name == name)
        raise UnknownReferenceError(f"no reference {name} has a digest that begins with {digest!r}; there is {there}")
    close = difflib.get_close_matches(name, names, n=_SUGGESTIONS, cutoff=_ALIKE)
    hint = f"did you mean {' or '.join(PREFIX + near for near in close)}? " if close else ""
    raise UnknownReferenceError(
        f"no reference is named {name!r}; {hint}`fvd-bench refs list` names all; one of another zoo is found with "
        "FVD_BENCH_REFS, its path or address"
    )
