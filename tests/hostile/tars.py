"""Tar archives and shards: damaged, or made to lead elsewhere or to grow."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.case import Case, Good, broken

_NAMES = {"parent": "../escaped.mkv", "deep-parent": "a/../../escaped.mkv", "absolute": "/tmp/escaped.mkv"}

_KINDS = {
    "link": tarfile.SYMTYPE,
    "hard-link": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "block-device": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
}


def make(good: Good, folder: Path) -> Iterator[Case]:
    members = {f"{name}.mkv": (good.videos / f"{name}.mkv").read_bytes() for name in "abc"}
    whole = _tar(members)
    for name, changed in broken(whole, 4):
        yield _write(folder, f"damaged-{name}.tar", changed, "used-or-refused")
    packers = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    for suffix, pack in packers.items():
        for name, changed in broken(pack(whole), 5):
            if name in ("empty", "truncated-half", "zeroed-middle", "noise-alone", "flipped-20-bits", "appended-noise"):
                yield _write(folder, f"packed-{name}.tar.{suffix}", changed, "used-or-refused")
    for name, member in _NAMES.items():
        yield _write(folder, f"name-{name}.tar", _tar({**members, member: members["a.mkv"]}), "refused")
    for name, kind in _KINDS.items():
        info = tarfile.TarInfo("bad.mkv")
        info.type, info.linkname = kind, "/etc/passwd"
        yield _write(folder, f"member-{name}.tar", _tar(members, info), "used-or-refused")
    huge = tarfile.TarInfo("bad.mkv")
    huge.size = 1 << 40
    yield _write(folder, "claimed-size-huge.tar", huge.tobuf(), "refused")
    yield _write(folder, "negative-size.tar", _with_size(huge, b"\xff" * 12), "refused")
    yield _write(folder, "twice.tar", _tar(members)[:-10240] + _tar(members), "used-or-refused")
    bomb = tarfile.TarInfo("bad.mkv")
    bomb.size = 2 << 30
    parts = [gzip.compress(bomb.tobuf(), mtime=0), *[gzip.compress(bytes(8 << 20), mtime=0)] * 256]
    yield _write(folder, "bomb.tar.gz", b"".join(parts), "refused")
    yield _write(folder, "no-member.tar", _tar({}), "refused")
    pax = tarfile.TarInfo("bad.mkv")
    pax.pax_headers = {"size": "99999999999999", "path": "../escaped.mkv"}
    yield _write(folder, "extended-header.tar", pax.tobuf(tarfile.PAX_FORMAT) + bytes(10240), "refused")
    shards = folder / "shards"
    shards.mkdir()
    (shards / "000.tar").write_bytes(whole)
    (shards / "001.tar").write_bytes(whole[: len(whole) // 2])
    yield Case("tar/one-shard-truncated", str(shards), "used-or-refused")


def _tar(members: dict[str, bytes], *odd: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in odd:
            archive.addfile(info)
    return out.getvalue()


def _with_size(info: tarfile.TarInfo, size: bytes) -> bytes:
    """A header with other bytes for the size, and a checksum that fits."""
    header = bytearray(info.tobuf()[:512])
    header[124:136] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def _write(folder: Path, name: str, data: bytes, expected: str) -> Case:
    file = folder / name
    file.write_bytes(data)
    return Case(f"tar/{name}", str(file), expected)  # type: ignore[arg-type]
