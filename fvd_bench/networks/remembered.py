"""What earlier runs found out about this machine and its networks, so that a run whose features are all stored loads
neither torch nor a network: both take seconds.

It is a small JSON file beside the store of features. Each value is kept under a digest of everything that it depends
on, and is asked for anew when any of that changes. Without the file, or where it cannot be written, all is as it is in
a first run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fvd_bench.atomic import partial_file
from fvd_bench.networks import FeatureExtractor, Features, begin
from fvd_bench.paths import user_path
from fvd_bench.protocols.rules import FeatureRule
from fvd_bench.records import json_object
from fvd_bench.version import __version__
from fvd_bench.videos.files import file_state
from fvd_bench.videos.video import Pixels

_FILE = "remembered.json"
_MOST = 256
"""The most values that are kept; the oldest ones go."""


def key_of(*parts: object) -> str:
    """Return the digest of what a value depends on: JSON values."""
    return hashlib.sha256(json.dumps([__version__, *parts], sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def kept_in(folder: Path | None) -> Iterator[None]:
    """Recall what the file in a folder holds, and write there what was learnt, where that can be done. None for a run
    that keeps nothing."""
    before, _Place.folder = _Place.folder, folder
    try:
        yield
        if folder is not None:
            _write(folder)
    finally:
        _Place.folder = before


def recall(key: str) -> Any:
    """Return what was remembered under a key: a JSON value, or None."""
    if key not in _learnt and _Place.folder is not None and (found := _read(_Place.folder).get(key)) is not None:
        _learnt[key] = found
    return _learnt.get(key)


def remember(key: str, value: object) -> None:
    """Keep a JSON value under a key: in this process, and where `kept_in` says for later ones."""
    _learnt[key] = value


class _Place:
    """Where the file is. None while nothing is kept."""

    folder: Path | None = None


_learnt: dict[str, Any] = {}


def _write(folder: Path) -> None:
    known = _read(folder)
    if all(known.get(key) == value for key, value in _learnt.items()):
        return
    others = [item for item in known.items() if item[0] not in _learnt]
    with contextlib.suppress(OSError), partial_file(folder / _FILE) as partial:
        partial.write_text(json.dumps(dict([*others, *_learnt.items()][-_MOST:])), encoding="utf-8")


def _read(folder: Path) -> dict[str, Any]:
    try:
        return json_object((folder / _FILE).read_bytes()) or {}
    except OSError:
        return {}


class Deferred:
    """A `FeatureExtractor` that is made when it first has to run. Until then it answers from what was remembered.

    make: returns the extractor, and raises as `networks.create` does.
    """

    def __init__(
        self, make: Callable[[], FeatureExtractor], *, dim: int, weights: Mapping[str, str], unverified: Sequence[str]
    ) -> None:
        self.dim, self.weights, self.unverified = dim, weights, unverified
        self._make = make
        self._made: FeatureExtractor | None = None

    @classmethod
    def of(
        cls, rule: FeatureRule, files: Sequence[Path], device: str, make: Callable[[], FeatureExtractor]
    ) -> Deferred | None:
        """Return the extractor of a rule that an earlier run made from the same files, None where none did.

        files: those of its weights.
        """
        key = _network_key(rule, files, device)
        match None if key is None else recall(key):
            case {"dim": int(dim), "weights": dict(weights), "unverified": list(unverified)}:
                return cls(make, dim=dim, weights=weights, unverified=unverified)
        return None

    def batch_clips(self, frames: int) -> int:
        return self._network().batch_clips(frames)

    def __call__(self, clips: Sequence[Pixels]) -> list[Features]:
        return self._network()(clips)

    def begin(self, clips: Sequence[Pixels]) -> Callable[[], list[Features]]:
        return begin(self._network(), clips)

    def _network(self) -> FeatureExtractor:
        if self._made is None:
            self._made = self._make()
        return self._made


def remember_network(rule: FeatureRule, files: Sequence[Path], device: str, network: FeatureExtractor) -> None:
    """Remember what a run has to know of a network before it runs. files: those of its weights."""
    if key := _network_key(rule, files, device):
        known = {"dim": network.dim, "weights": dict(network.weights), "unverified": list(network.unverified)}
        remember(key, known)


def _network_key(rule: FeatureRule, files: Sequence[Path], device: str) -> str | None:
    """Return the key of what is remembered of a network. None where a file cannot be read."""
    try:
        states = [file_state(user_path(file)).hex() for file in files]
    except OSError:
        return None
    return key_of("network", asdict(rule), states, device)
