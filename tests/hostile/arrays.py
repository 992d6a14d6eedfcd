"""Array files: damaged, of absurd shapes, or with code in them."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from safetensors.numpy import save

from fvd_bench.videos.video import Pixels
from tests.hostile.case import Case, Good, broken


class Payload:
    """What a pickle may do to whoever loads it."""

    def __init__(self, sentinel: Path) -> None:
        self._sentinel = sentinel

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._sentinel}",)


def make(good: Good, folder: Path) -> Iterator[Case]:
    videos = np.load(good.root / "videos.npy")
    forms = {"npy": _npy(videos), "npz": _npz(videos), "pt": _pt(videos), "safetensors": save({"videos": videos})}
    forms["h5"] = _h5(folder, videos)
    for suffix, data in forms.items():
        for name, changed in broken(data, 6):
            yield _write(folder, f"{suffix}-{name}.{suffix}", changed, "used-or-refused")
    payload = Payload(good.sentinel)
    yield from _npys(folder, videos, payload)
    yield from _folders(folder, videos, payload)
    yield from _torches(folder, videos, payload)
    yield from _safetensors(folder)
    yield from _h5s(good, folder, videos)


def _npys(folder: Path, videos: Pixels, payload: Payload) -> Iterator[Case]:
    yield _write(folder, "objects.npy", _npy(np.array([payload, None], dtype=object)), "refused")
    yield _write(folder, "pickle-alone.npy", pickle.dumps(payload), "refused")
    yield _write(folder, "objects.npz", _npz(np.array([payload, None], dtype=object)), "refused")
    for name, header in {
        "absurd-shape": "{'descr': '|u1', 'fortran_order': False, 'shape': (9999999, 9999, 9999, 9999, 3)}",
        "negative-shape": "{'descr': '|u1', 'fortran_order': False, 'shape': (-4, 10, 32, 32, 3)}",
        "overflowing-shape": "{'descr': '|u1', 'fortran_order': False, 'shape': (2**62, 2**62, 4, 4, 3)}",
        "shape-of-zeroes": "{'descr': '|u1', 'fortran_order': False, 'shape': (0, 10, 32, 32, 3)}",
        "code-in-header": "{'descr': __import__('os').system('touch x'), 'fortran_order': False, 'shape': (1,)}",
        "deep-header": "(" * 9000 + ")" * 9000,
        "one-axis": "{'descr': '|u1', 'fortran_order': False, 'shape': (122880,)}",
    }.items():
        text = header.encode() + b"\n"
        data = b"\x93NUMPY\2\0" + struct.pack("<I", len(text)) + text + videos.tobytes()
        yield _write(folder, f"{name}.npy", data, "refused")
    yield _write(folder, "header-of-4-GiB.npy", b"\x93NUMPY\2\0\xff\xff\xff\xff{", "refused")
    for name, array in {
        "floats": videos.astype(np.float32),
        "not-a-number": np.full(videos.shape, np.nan, dtype=np.float32),
        "complex": videos.astype(np.complex64),
        "strings": np.array(["video"] * 4),
        "structured": np.zeros(4, dtype=[("a", "u1"), ("b", "f4")]),
        "five-channels": np.zeros((4, 10, 32, 32, 5), dtype=np.uint8),
        "any-axis-is-three": np.zeros((4, 3, 3, 3, 3), dtype=np.uint8),
        "no-frames": np.zeros((4, 0, 32, 32, 3), dtype=np.uint8),
    }.items():
        yield _write(folder, f"{name}.npy", _npy(array), "refused")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../escaped.npy", _npy(videos))
    yield _write(folder, "name-parent.npz", out.getvalue(), "used-or-refused")
    bomb = io.BytesIO()
    packed = zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1)  # the default takes three times as long
    with packed as archive, archive.open("videos.npy", "w", force_zip64=True) as member:
        np.save(member, np.zeros((140, 100, 128, 128, 3), dtype=np.uint8))
    yield _write(folder, "bomb.npz", bomb.getvalue(), "used-or-refused")


def _folders(folder: Path, videos: Pixels, payload: Payload) -> Iterator[Case]:
    """Folders of an array for each video, of which one is bad."""
    code = io.BytesIO()
    torch.save([payload], code)
    bad = {"objects.npy": _npy(np.array([payload, None], dtype=object)), "payload.pt": code.getvalue()}
    for name, data in {**bad, "cut-off.npy": _npy(videos[0])[:-1], "text.h5": b"no file\n" * 50}.items():
        side = folder / f"folder-{name}"
        side.mkdir()
        for good, video in zip("abc", videos, strict=False):
            np.save(side / f"{good}.npy", video)
        (side / f"bad{Path(name).suffix}").write_bytes(data)
        yield Case(f"array/folder-{name}", str(side), "skipped")


def _torches(folder: Path, videos: Pixels, payload: Payload) -> Iterator[Case]:
    yield _write(folder, "pickle-alone.pt", pickle.dumps(payload), "refused")
    out = io.BytesIO()
    torch.save({"videos": torch.from_numpy(videos), "more": payload}, out)
    yield _write(folder, "payload.pt", out.getvalue(), "refused")
    old = io.BytesIO()
    torch.save([payload], old, _use_new_zipfile_serialization=False)
    yield _write(folder, "old-payload.pt", old.getvalue(), "refused")
    script = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch advises against making what people have
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), script)
    yield _write(folder, "script.pt", script.getvalue(), "refused")
    for name, value in {"number": 3, "text": "video", "nested": {"a": {"b": torch.zeros(3)}}, "nothing": {}}.items():
        other = io.BytesIO()
        torch.save(value, other)
        yield _write(folder, f"{name}.pt", other.getvalue(), "refused")


def _safetensors(folder: Path) -> Iterator[Case]:
    def file(header: object, data: bytes = b"") -> bytes:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    shape = [4, 10, 32, 32, 3]
    tensor = {"dtype": "U8", "shape": shape, "data_offsets": [0, 122880]}
    yield _write(folder, "header-of-exabytes.safetensors", b"\xff" * 8 + b"{}", "refused")
    yield _write(folder, "data-missing.safetensors", file({"videos": tensor}), "refused")
    backwards = {**tensor, "data_offsets": [122880, 0]}
    yield _write(folder, "backwards.safetensors", file({"videos": backwards}, bytes(122880)), "refused")
    absurd = {**tensor, "shape": [2**60, 2**60, 4, 4, 3]}
    yield _write(folder, "absurd-shape.safetensors", file({"videos": absurd}, bytes(122880)), "refused")
    yield _write(folder, "overlapping.safetensors", file({"a": tensor, "b": tensor}, bytes(122880)), "refused")
    yield _write(folder, "deep.safetensors", file(b"[" * 100000), "refused")
    yield _write(folder, "no-tensor.safetensors", file({}), "refused")


def _h5s(good: Good, folder: Path, videos: Pixels) -> Iterator[Case]:
    other = folder / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = videos
    with h5py.File(folder / "external-link.h5", "w") as file:
        file["videos"] = h5py.ExternalLink(str(other), "/secret")
    yield Case("array/external-link.h5", str(folder / "external-link.h5"), "refused")
    raw = folder / "raw.bin"
    raw.write_bytes(videos.tobytes())
    with h5py.File(folder / "external-storage.h5", "w") as file:
        file.create_dataset("videos", videos.shape, "u1", external=[(str(raw), 0, videos.nbytes)])
    yield Case("array/external-storage.h5", str(folder / "external-storage.h5"), "refused")
    with h5py.File(folder / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout(videos.shape, "u1")
        layout[:] = h5py.VirtualSource(str(other), "secret", videos.shape)
        file.create_virtual_dataset("videos", layout)
    yield Case("array/virtual.h5", str(folder / "virtual.h5"), "refused")
    with h5py.File(folder / "circle.h5", "w") as file:
        file["group/again"] = h5py.SoftLink("/group")
    yield Case("array/circle.h5", str(folder / "circle.h5"), "refused")
    with h5py.File(folder / "never-written.h5", "w") as file:
        file.create_dataset("videos", (10**6, 10**4, 1024, 1024, 3), "u1", chunks=(1, 1, 64, 64, 3))
    yield Case("array/never-written.h5", str(folder / "never-written.h5"), "refused")
    for name, starts in {"backwards": [0, 20, 10], "behind-the-end": [0, 2**62], "not-whole": [0.5, 1.5]}.items():
        with h5py.File(folder / f"index-{name}.h5", "w") as file:
            file["train_data"], file["train_idx"] = videos.reshape(-1, *videos.shape[2:]), starts
        yield Case(f"array/index-{name}.h5", str(folder / f"index-{name}.h5"), "refused")
    with h5py.File(folder / "texts.h5", "w") as file:
        file["videos"] = ["a", "b"]
    yield Case("array/texts.h5", str(folder / "texts.h5"), "refused")
    with h5py.File(folder / "no-dataset.h5", "w"):
        pass
    yield Case("array/no-dataset.h5", str(folder / "no-dataset.h5"), "refused")


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def _npz(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, videos=array)
    return out.getvalue()


def _pt(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    torch.save(torch.from_numpy(array), out)
    return out.getvalue()


def _h5(folder: Path, array: np.ndarray) -> bytes:
    with h5py.File(folder / "good.h5", "w") as file:
        file["videos"] = array
    return (folder / "good.h5").read_bytes()


def _write(folder: Path, name: str, data: bytes, expected: str) -> Case:
    (folder / name).write_bytes(data)
    return Case(f"array/{name}", str(folder / name), expected)  # type: ignore[arg-type]
