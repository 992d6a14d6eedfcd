"""Zip archives: damaged, or made to lead elsewhere or to grow."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.case import Case, Good, broken

_NAMES = {
    "parent": "../escaped.mkv",
    "deep-parent": "a/../../escaped.mkv",
    "absolute": "/tmp/escaped.mkv",
    "drive": "C:/escaped.mkv",
    "backslash": "..\\escaped.mkv",
    "double-slash": "a//escaped.mkv",
    "dot": "./escaped.mkv",
}


def make(good: Good, folder: Path) -> Iterator[Case]:
    members = {f"{name}.mkv": (good.videos / f"{name}.mkv").read_bytes() for name in "abc"}
    whole = _zip(members)
    for name, changed in broken(whole, 3):
        yield _write(folder, f"damaged-{name}", changed, "used-or-refused")
    for name, member in _NAMES.items():
        yield _write(folder, f"name-{name}", _zip({**members, member: members["a.mkv"]}), "refused")
    for name, kind in {"link": stat.S_IFLNK, "device": stat.S_IFCHR, "pipe": stat.S_IFIFO}.items():
        info = zipfile.ZipInfo("bad.mkv")
        info.external_attr = (kind | 0o777) << 16
        yield _write(folder, f"member-{name}", _zip(members, (info, b"/etc/passwd")), "skipped")
    bomb = zipfile.ZipInfo("bad.mkv")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    yield _write(folder, "bomb", _zip(members, (bomb, bytes(300 << 20))), "skipped")
    for name, kind in {"bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}.items():
        packed = zipfile.ZipInfo("bad.mkv")
        packed.compress_type = kind
        yield _write(folder, f"member-{name}", _zip(members, (packed, bytes(1000))), "skipped")
    yield _write(folder, "nested", _zip({"inner.zip": whole}), "refused")
    yield _write(folder, "no-member", _zip({}), "refused")
    yield _write(folder, "text-alone", _zip({"readme.txt": b"nothing here"}), "refused")
    yield _write(folder, "file-and-folder-of-a-name", _zip({**members, "a.mkv/b.mkv": b""}), "refused")
    pictures = {f"{name}/{file.name}": file.read_bytes() for name in "abc" for file in (good.frames / name).iterdir()}
    pictures |= {f"bad/{file.name}": file.read_bytes() for file in (good.frames / "a").iterdir()}
    for name, odd in {"of-5000-digits": "9" * 5000, "of-control-characters": "\x1b[2J\n::error::"}.items():
        odder = _zip({**pictures, f"bad/{odd}.png": pictures["a/0003.png"]})
        yield _write(folder, f"name-{name}", odder, "used-or-skipped")
    for name, offset, value in (
        ("claimed-size-huge", 24, struct.pack("<I", 0xFFFFFFF0)),
        ("claimed-size-small", 24, struct.pack("<I", 10)),
        ("wrong-checksum", 16, b"\1\2\3\4"),
        ("encrypted", 8, b"\1\0"),
        ("unknown-method", 10, b"\x62\0"),
        ("elsewhere", 42, struct.pack("<I", 0x7FFFFFFF)),
        ("on-the-first", 42, struct.pack("<I", 0)),
    ):
        bad = _zip({**members, "bad.mkv": members["a.mkv"]})
        yield _write(folder, f"directory-{name}", _patched(bad, b"bad.mkv", offset, value), "used-or-refused")


def _zip(members: dict[str, bytes], *odd: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            archive.writestr(info, data)
        for info, data in odd:
            archive.writestr(info, data, compresslevel=1)  # the default takes a bomb three times as long
    return out.getvalue()


def _patched(data: bytes, member: bytes, offset: int, value: bytes) -> bytes:
    """An archive with a field of a member's entry in the directory overwritten."""
    entry = data.rindex(member) - 46
    assert data[entry : entry + 4] == b"PK\1\2"
    return data[: entry + offset] + value + data[entry + offset + len(value) :]


def _write(folder: Path, name: str, data: bytes, expected: str) -> Case:
    file = folder / f"{name}.zip"
    file.write_bytes(data)
    return Case(f"zip/{name}", str(file), expected)  # type: ignore[arg-type]
