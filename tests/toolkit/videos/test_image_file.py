"""What an image may be, and where it is read."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fvd_bench.errors import VideoError
from fvd_bench.videos.decoding.limits import Limits
from fvd_bench.videos.decoding.pool import Decoders
from fvd_bench.videos.images import FrameFolder

FOREIGN = {
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n%%EOF\n",
    "psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 4, 4, 8, 3) + bytes(12) + bytes(2 + 48),
    "fits": b"".join(
        (f"{key:8}= {value:>20}" if value else key).ljust(80).encode()
        for key, value in {"SIMPLE": "T", "BITPIX": "8", "NAXIS": "2", "NAXIS1": "4", "NAXIS2": "4", "END": ""}.items()
    ).ljust(2880) + bytes(2880),
    "ppm": b"P6 4 4 255\n" + bytes(48),
    "xbm": b"#define a_width 8\n#define a_height 1\nstatic char a_bits[] = {\n0xff};\n",
}  # fmt: skip


def _folder(path: Path, decoders: Decoders) -> FrameFolder:
    return FrameFolder(path, [f.name for f in path.iterdir()], decoders=decoders)


@pytest.fixture(scope="module")
def with_ghostscript(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Decoders, Path]]:
    """Decoders whose process finds a Ghostscript, and a file that is there once that was run."""
    programs = tmp_path_factory.mktemp("programs")
    (programs / "gs").write_text(f"#!/bin/sh\ntouch {programs}/was-run\n")
    (programs / "gs").chmod(0o755)
    decoders = Decoders(Limits())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(programs), prepend=os.pathsep)
        with decoders.lend(0):
            pass
    yield decoders, programs / "was-run"
    decoders.close()


@pytest.mark.parametrize("form", [*FOREIGN, "gif", "ico", "tga", "pcx", "j2k"])
def test_other_formats_are_refused_and_start_nothing(with_ghostscript, tmp_path: Path, form: str) -> None:
    """Whatever their name. Pillow would start Ghostscript, `gs`, for the first."""
    decoders, was_run = with_ghostscript
    folder = tmp_path / "a"
    folder.mkdir()
    if form in FOREIGN:
        (folder / "0.png").write_bytes(FOREIGN[form])
    else:
        Image.new("RGB", (16, 16), "red").save(folder / "0.png", {"j2k": "JPEG2000"}.get(form, form.upper()))
    with Image.open(folder / "0.png") as image:
        assert image.format not in ("PNG", None)  # Pillow by itself takes it for an image

    with pytest.raises(VideoError, match=r"frame 0\.png is not an image that can be read: expected BMP, JPEG, PNG, TI"):
        list(_folder(folder, decoders).frames(np.arange(1)))

    assert not was_run.exists()


def test_images_are_opened_in_the_decoding_process(
    closing_decoders, tmp_path: Path, moving_frames, write_frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _folder(write_frames(tmp_path / "a", moving_frames(100)), decoders := closing_decoders(Limits()))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("opened in the process that asks")

    monkeypatch.setattr(Image, "open", refuse)

    np.testing.assert_array_equal([frame.pixels for frame in folder.frames(np.arange(100))], moving_frames(100))
    assert folder.probe().size == (64, 48)
    assert len(decoders.processes()) == 1


def test_images_need_no_pyav(closing_decoders, tmp_path: Path, moving_frames, write_frames, monkeypatch) -> None:
    (tmp_path / "av.py").write_text("raise ImportError('there is no PyAV here')")
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = _folder(write_frames(tmp_path / "a", moving_frames(2)), closing_decoders(Limits()))

    assert len(list(folder.frames(np.arange(2)))) == 2


def test_large_images_are_refused_by_their_header(
    closing_decoders, tmp_path: Path, moving_frames, write_frames
) -> None:
    folder = write_frames(tmp_path / "a", moving_frames(2))

    with pytest.raises(VideoError, match=r"frame 0\.png is too large, 64×48: at most 3,071 pixels are decoded; if it"):
        _folder(folder, closing_decoders(Limits(pixels=64 * 48 - 1))).check_all()
    _folder(folder, closing_decoders(Limits(pixels=64 * 48))).check_all()


def test_an_image_of_more_pixels_than_pillow_likes_is_read(closing_decoders, tmp_path: Path) -> None:
    """One limit for all forms: Pillow's own warns from 89 million pixels on."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    (tmp_path / "a").mkdir()
    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    (tmp_path / "a" / "0.png").write_bytes(data)

    _folder(tmp_path / "a", closing_decoders(Limits())).check_all()


def test_names_of_any_length_and_bytes(closing_decoders, tmp_path: Path, moving_frames) -> None:
    (tmp_path / "a").mkdir()
    names = [f"{os.fsdecode(bytes([0xFF, 0xFE]))}{'é' * 100}{t}.png" for t in range(70)]
    for name, frame in zip(names, moving_frames(70), strict=True):
        with (tmp_path / "a" / name).open("wb") as file:
            Image.fromarray(frame).save(file, "PNG")

    found = list(_folder(tmp_path / "a", closing_decoders(Limits())).frames(np.arange(70)))

    np.testing.assert_array_equal([frame.pixels for frame in found], moving_frames(70))
