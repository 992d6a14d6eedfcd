"""Frame folders with images that are damaged, absurd, or none."""

from __future__ import annotations

import io
import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests.hostile.case import Case, Good, broken

_FORMATS = ("png", "jpg", "webp", "bmp", "tif")


def make(good: Good, folder: Path) -> Iterator[Case]:
    picture = Image.open(good.frames / "a" / "0003.png")
    for suffix in _FORMATS:
        out = io.BytesIO()
        picture.save(out, Image.registered_extensions()[f".{suffix}"])
        for name, changed in broken(out.getvalue(), 2):
            if "flipped" in name or "prepended" in name or "zeroed" in name:
                continue  # what these do to images is no more than they do to videos
            yield _beside(good, folder, f"{suffix}-{name}", {f"0003.{suffix}": changed})
    yield _beside(good, folder, "png-of-65535-squared", {"0003.png": _png(65535, 65535)}, skipped=True)
    yield _beside(good, folder, "png-of-two-billion", {"0003.png": _png(2**31 - 1, 1)}, skipped=True)
    yield _beside(
        good, folder, "png-packed-tightly", {"0003.png": _png(20000, 20000, bytes(20001 * 400))}, skipped=True
    )
    other = io.BytesIO()
    picture.resize((16, 16)).save(other, "PNG")
    yield _beside(good, folder, "other-size", {"0003.png": other.getvalue()}, skipped=True)
    deep = io.BytesIO()
    Image.fromarray(np.zeros((32, 32), dtype=np.uint16)).save(deep, "PNG")
    yield _beside(good, folder, "sixteen-bit", {"0003.png": deep.getvalue()}, skipped=True)
    script = f"%!PS\n(touch {good.sentinel}) (w) file\n".encode()
    yield _beside(good, folder, "postscript", {"0003.png": script}, skipped=True)
    out = io.BytesIO()
    picture.save(out, "PNG")
    yield _beside(good, folder, "same-number", {"3.png": out.getvalue(), "0003.png": out.getvalue()}, skipped=True)
    for name, data in _other_formats(good):
        yield _beside(good, folder, name, {"0003.png": data}, skipped=True)
    several = io.BytesIO()
    picture.save(several, "PNG", save_all=True, append_images=[picture.rotate(90), picture.rotate(180)])
    yield _beside(good, folder, "animation-among-frames", {"0003.png": several.getvalue()}, skipped=True)
    for name, target in {"secret": "/etc/hostname", "nowhere": "nowhere.png", "device": "/dev/zero"}.items():
        bad = _with_good(good, folder / f"link-to-{name}") / "bad"
        (bad / "0003.png").unlink()
        (bad / "0003.png").symlink_to(target)
        yield Case(f"frames/link-to-{name}", str(bad.parent), "skipped")
    pipe = _with_good(good, folder / "pipe") / "bad"
    (pipe / "0003.png").unlink()
    os.mkfifo(pipe / "0003.png")
    yield Case("frames/pipe", str(pipe.parent), "skipped")
    flat = folder / "flat"
    shutil.copytree(good.frames / "a", flat)
    yield Case("frames/flat", str(flat), "refused")
    long = _with_good(good, folder / "long-digits") / "bad"
    (long / f"{'9' * 200}.png").write_bytes((good.frames / "a" / "0003.png").read_bytes())
    yield Case("frames/long-digits", str(long.parent), "used-or-skipped")


def _other_formats(good: Good) -> Iterator[tuple[str, bytes]]:
    """Images that Pillow knows and nobody takes for frames; for the first it starts Ghostscript."""
    picture = Image.open(good.frames / "a" / "0003.png")
    for name, form in {"eps": "EPS", "gif": "GIF", "ico": "ICO", "ppm": "PPM", "tga": "TGA", "pdf": "PDF"}.items():
        out = io.BytesIO()
        picture.save(out, form)
        yield name, out.getvalue()
    script = f"({good.sentinel}) (w) file closefile\n".encode()
    yield "eps-with-code", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\n" + script + b"%%EOF\n"
    yield "psd", b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 32, 32, 8, 3) + bytes(14 + 3 * 32 * 32)
    cards = {"SIMPLE": "T", "BITPIX": "8", "NAXIS": "2", "NAXIS1": "32", "NAXIS2": "32"}
    header = "".join(f"{key:8}= {value:>20}".ljust(80) for key, value in cards.items()) + "END"
    yield "fits", header.ljust(2880).encode() + bytes(2880)
    yield "svg", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'


def _png(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A PNG whose header says what it likes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def _with_good(good: Good, folder: Path) -> Path:
    for name in "abc":
        shutil.copytree(good.frames / name, folder / name)
    shutil.copytree(good.frames / "a", folder / "bad")
    return folder


def _beside(good: Good, folder: Path, name: str, files: dict[str, bytes], *, skipped: bool = False) -> Case:
    """A folder with a bad image in place of its fourth, beside good folders."""
    side = _with_good(good, folder / name)
    (side / "bad" / "0003.png").unlink()
    for file, data in files.items():
        (side / "bad" / file).write_bytes(data)
    return Case(f"frames/{name}", str(side), "skipped" if skipped else "used-or-skipped")
