"""Addresses of files and folders elsewhere: http, https, s3, gs, hf, and others that fsspec knows."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from fvd_bench.errors import FvdBenchError, SourceError
from fvd_bench.escapes import redact
from fvd_bench.sources.downloads import FileSystem

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+", re.DOTALL)
_MANGLED = re.compile(r"(https?|s3|gs|gcs|hf):/[^/]")
WEB = ("http", "https")

_PACKAGES = {
    "http": "aiohttp",
    "https": "aiohttp",
    "s3": "s3fs",
    "gs": "gcsfs",
    "hf": "huggingface_hub",
}
"""The package beside fsspec that addresses of a scheme need."""

ELSEWHERE = tuple(_PACKAGES)
"""Schemes of addresses that never lead to this machine's own files."""

_ABSENT = 404
"""What a web server answers where nothing is."""

_PATIENCE_SECONDS = 60.0


def is_address(text: object) -> bool:
    """Return whether something is the address of a file or folder elsewhere."""
    return isinstance(text, str) and _ADDRESS.fullmatch(text) is not None


def check_not_mangled(path: Path) -> None:
    """Raise SourceError for an address that was made a Path, which takes one of its slashes away."""
    if _MANGLED.match(str(path)):
        raise SourceError(f"{path} was an address before it was made a Path, which takes a slash away: pass it as text")


def write(address: str, data: bytes) -> None:
    """Write a file at an address, which file systems show whole or not at all. Raises SourceError."""
    shown = redact(address)
    with reaching(shown, "written"):
        files, path = file_system(address)
        with files.transaction:
            files.pipe_file(path, data)


def check_writable(address: str) -> None:
    """Raise SourceError where no file can be written at an address, for want of a login for one. An empty file is
    written beside it and deleted."""
    scheme = address.partition("://")[0]
    if scheme in WEB:
        raise SourceError(
            f"{redact(address)} cannot be written: servers on the web are only read; expected s3, gs or hf"
        )
    beside = f"{address}.part"
    write(beside, b"")
    with reaching(redact(address), "written"):
        files, path = file_system(beside)
        files.rm_file(path)


def read(address: str) -> bytes:
    """Return the bytes of a file at an address, without keeping a copy. Raises SourceError."""
    with reaching(redact(address)):
        files, path = file_system(address)
        found: bytes = files.cat_file(path)
    return found


def names(address: str) -> list[str]:
    """List the names of the files in a folder at an address, none where it is not there. Raises SourceError."""
    with reaching(redact(address)):
        files, path = file_system(address)
        try:
            return sorted(str(place).rpartition("/")[2] for place in files.ls(path, detail=False))
        except FileNotFoundError:
            return []


def named(address: str) -> PurePosixPath:
    """Return an address as a path that names are taken from."""
    scheme, _, rest = address.partition("://")
    return PurePosixPath("/", scheme, _without_query(rest) if scheme in WEB else rest.lstrip("/"))


def file_system(address: str) -> tuple[FileSystem, str]:
    """Return the file system that an address is on, and its path there. Raises SourceError."""
    shown, scheme = redact(address), address.partition("://")[0]
    if "::" in address:
        raise SourceError(f"{shown} is an address inside another: expected one address; an archive is opened as it is")
    options: dict[str, Any] = {}
    try:
        import fsspec

        if scheme in WEB:
            import aiohttp

            patience = aiohttp.ClientTimeout(total=None, sock_connect=_PATIENCE_SECONDS, sock_read=_PATIENCE_SECONDS)
            options["client_kwargs"] = {"trust_env": True, "timeout": patience}  # with the proxies of the environment
        files, path = fsspec.core.url_to_fs(address, use_listings_cache=False, **options)
    except ImportError as error:
        package = _PACKAGES.get(scheme, "what it names")
        raise SourceError(f"{shown} needs a package that is not installed ({error}): pip install {package}") from error
    except ValueError as error:
        raise SourceError(f"{shown} cannot be opened: {redact(str(error))}; expected {', '.join(_PACKAGES)}") from error
    return files, path


def _without_query(address: str) -> str:
    """Return host and path of an address on the web, without what precedes them."""
    host, slash, path = re.split(r"[?#]", address)[0].partition("/")
    return host.rpartition("@")[2] + slash + unquote(path)


@contextlib.contextmanager
def reaching(shown: str, done: str = "read") -> Iterator[None]:
    """Turn an exception of a file system into a SourceError that names the address. done: what was to be done."""
    try:
        yield
    except FvdBenchError:
        raise
    except Exception as error:  # each file system has errors of its own
        cause: Exception = error
        if isinstance(error, FileNotFoundError):  # what fsspec makes of every failure on the web, too
            if not isinstance(error.__cause__, Exception) or getattr(error.__cause__, "status", 0) == _ABSENT:
                raise SourceError(f"{shown} does not exist") from error
            cause = error.__cause__
        reason = redact(str(cause)) or type(cause).__name__
        if done == "written":
            raise SourceError(f"{shown} cannot be written: {reason}") from cause
        raise SourceError(
            f"{shown} cannot be read: {reason}; run the same command again, which goes on from what was copied, or "
            "copy it by other means and pass its path"
        ) from cause
