"""Zoo: statistics files by content digest, with a manifest, in a folder or at an address.

manifest.json           what is read: all entries
NAME@DIGEST.json        an entry alone, of which the manifest is made; so pushes at one time lose none
DIGEST.npz              a statistics file
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from fvd_bench.atomic import partial_file
from fvd_bench.errors import SourceError, cause
from fvd_bench.features.references.reference import Reference, file_digest, manifest_text, read_manifest
from fvd_bench.features.references.storage import Folder, Storage, storage_of
from fvd_bench.paths import PathLike
from fvd_bench.progress import Progress, fetching

MANIFEST = "manifest.json"
_ENTRY = re.compile(r"[a-z0-9][^/]*@[0-9a-f]{64}\.json")
_MOST_MANIFEST_BYTES = 1 << 25


class Zoo:
    """A zoo at a path or an address. Raises SourceError where that cannot be one."""

    def __init__(self, place: PathLike) -> None:
        self._storage: Storage = storage_of(place)

    @property
    def shown(self) -> str:
        """The place as people see it."""
        return self._storage.shown

    def references(self) -> list[Reference]:
        """Return what the manifest lists. Raises SourceError where there is none, or it cannot be read."""
        try:
            return self._read(MANIFEST)
        except SourceError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            raise SourceError(
                f"{self.shown} holds no {MANIFEST}: expected a zoo of references, as `fvd-bench refs push` makes them"
            ) from error.__cause__

    def path(self, reference: Reference) -> Path | None:
        """Return the statistics file of a reference where it lies on this machine and is what its digest says.

        None where it has to be fetched. Raises SourceError where it is damaged.
        """
        if not isinstance(self._storage, Folder):
            return None
        path = self._storage.folder / reference.file
        _check(reference, file_digest(path), str(path))
        return path

    def fetch(self, reference: Reference, file: Path, progress: Progress) -> None:
        """Copy the statistics file of a reference. The copy is there when it is whole and what its digest says.

        Raises SourceError.
        """
        whole = hashlib.sha256()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            fetched = fetching(progress, reference.shown)
            with partial_file(file) as partial:
                with partial.open("wb") as out:
                    for chunk in self._chunks(reference.file, reference.size):
                        whole.update(chunk)
                        out.write(chunk)
                        fetched(out.tell(), reference.size)
                _check(reference, whole.hexdigest(), self.shown)
        except OSError as error:
            raise SourceError(f"{file} cannot be written: {cause(error)}") from error

    def add(self, reference: Reference, file: Path) -> None:
        """Add a statistics file with its entry. Others may add some at the same time. Raises SourceError."""
        _check(reference, file_digest(file), str(file))
        self._storage.copy(file, reference.file)
        self.enter(reference)

    def enter(self, reference: Reference) -> None:
        """Add the entry of a statistics file that is there. Raises SourceError."""
        self._storage.write(reference.entry, manifest_text([reference]).encode())
        while True:  # whoever wrote the manifest last has seen all entries that were there before it
            listed = self._listed()
            entries = [name for name in self._storage.names() if _ENTRY.fullmatch(name)]
            known = listed | {name: entry for name in entries for entry in self._read(name)}
            if known == listed:
                return
            self._storage.write(MANIFEST, manifest_text(known.values()).encode())

    def _listed(self) -> dict[str, Reference]:
        """Return the references of the manifest by the names of their entries, empty where there is none yet."""
        try:
            return {reference.entry: reference for reference in self._read(MANIFEST)}
        except SourceError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return {}
            raise

    def _read(self, name: str) -> list[Reference]:
        """Return what a manifest or an entry says: nothing of one that is empty, since it is being written. Whoever
        writes it looks through all entries afterwards."""
        text = b"".join(self._chunks(name, _MOST_MANIFEST_BYTES))
        return read_manifest(text, f"{self.shown}: {name}") if text else []

    def _chunks(self, name: str, most: int) -> Iterator[bytes]:
        """Yield the bytes of a file. Raises SourceError where there are more than `most`."""
        for chunk in self._storage.chunks(name):
            most -= len(chunk)
            if most < 0:
                raise SourceError(f"{self.shown}: {name} is larger than it should be: ask whoever keeps the zoo")
            yield chunk


def _check(reference: Reference, digest: str, where: str) -> None:
    """Raise SourceError where a file is not the one that an entry names."""
    if digest != reference.digest:
        raise SourceError(
            f"{where}: what should be {reference.shown} is damaged or another file, its sha256 is {digest[:12]}: pull "
            "it again, or ask whoever keeps the zoo"
        )
