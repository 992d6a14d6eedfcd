"""Pixels that are not opaque: black behind them in every form, and a warning."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from fvd_bench import Arrays, GeneratorSource, Settings, evaluate
from fvd_bench.errors import SourceError
from fvd_bench.inspection.checkup import inspect
from fvd_bench.sources.opening import SourceLike, open_source
from fvd_bench.videos.alpha import over_black
from fvd_bench.videos.file import VideoFile
from fvd_bench.videos.video import Frame, Pixels, Video

VIDEOS, FRAMES, SIZE = 2, 9, 16


def test_each_value_is_rounded_to_the_nearest() -> None:
    values, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))

    found, transparent = over_black(np.stack([values] * 3, axis=-1), alpha)

    exact = (2 * values.astype(int) * alpha + 255) // (2 * 255)  # no product is half-way, as 255 is odd
    assert transparent
    np.testing.assert_array_equal(found[..., 0], exact)
    assert over_black(found, np.full_like(alpha, 255)) == (found, False)


@pytest.fixture(scope="module")
def pictures() -> Pixels:
    """RGBA videos [N, T, H, W, 4] of noise, a part of it transparent, so that nobody would merge or drop a frame."""
    rng = np.random.default_rng(3)
    made = rng.integers(0, 256, (VIDEOS, FRAMES, SIZE, SIZE, 4), dtype=np.uint8)
    made[:, :, :6, :, 3] = 255
    made[:, :, 12:, :, 3] = 0
    return made


@pytest.fixture(scope="module")
def shown(pictures: Pixels) -> Pixels:
    """What is to be seen of them: RGB [N, T, H, W, 3]."""
    exact = pictures[..., :3].astype(np.float64) * pictures[..., 3:] / 255
    return np.rint(exact).astype(np.uint8)


def _images(root: Path, pictures: Pixels, suffix: str, **save: Any) -> Path:
    for n, video in enumerate(pictures):
        (root / str(n)).mkdir(parents=True)
        for t, picture in enumerate(video):
            Image.fromarray(picture).save(root / str(n) / f"{t}{suffix}", **save)
    return root


def _animations(root: Path, pictures: Pixels, suffix: str, **save: Any) -> Path:
    root.mkdir()
    for n, video in enumerate(pictures):
        first, *others = map(Image.fromarray, video)
        first.save(root / f"{n}{suffix}", save_all=True, append_images=others, **save)
    return root


def _videos(root: Path, pictures: Pixels, suffix: str, codec: str, form: str) -> Path:
    for n, video in enumerate(pictures):
        _write(root / f"{n}{suffix}", video, codec, form)
    return root


def _write(file: Path, video: Pixels, codec: str, form: str, given: str = "rgba") -> Path:
    file.parent.mkdir(exist_ok=True)
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        stream.height, stream.width = video.shape[1:3]
        stream.pix_fmt = form
        for picture in video:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format=given)))
        container.mux(stream.encode())
    return file


def _array_file(file: Path, pictures: Pixels) -> Path:
    match file.suffix:
        case ".npy":
            np.save(file, pictures)
        case ".npz":
            np.savez(file, **{str(n): video for n, video in enumerate(pictures)})
        case ".pt":
            torch.save(torch.from_numpy(pictures).permute(0, 1, 4, 2, 3), file)
        case ".h5":
            with h5py.File(file, "w") as opened:
                opened["videos"] = pictures
    return file


FORMS: dict[str, Callable[[Path, Pixels], SourceLike]] = {
    "png": lambda root, p: _images(root / "a", p, ".png"),
    "webp": lambda root, p: _images(root / "a", p, ".webp", lossless=True),
    "tiff": lambda root, p: _images(root / "a", p, ".tif"),
    "apng": lambda root, p: _animations(root / "a", p, ".png"),
    "animated webp": lambda root, p: _animations(root / "a", p, ".webp", lossless=True),
    "tiff of pages": lambda root, p: _animations(root / "a", p, ".tiff"),
    "qtrle": lambda root, p: _videos(root / "a", p, ".mov", "qtrle", "argb"),
    "png in mov": lambda root, p: _videos(root / "a", p, ".mov", "png", "rgba"),
    "ffv1": lambda root, p: _videos(root / "a", p, ".mkv", "ffv1", "bgra"),
    "npy": lambda root, p: _array_file(root / "a.npy", p),
    "npz": lambda root, p: _array_file(root / "a.npz", p),
    "tensor": lambda root, p: _array_file(root / "a.pt", p),
    "h5": lambda root, p: _array_file(root / "a.h5", p),
    "array": lambda root, p: p,
    "list": lambda root, p: list(p),
    "iterable": lambda root, p: iter(p),
    "generator": lambda root, p: GeneratorSource(p.__getitem__, videos=VIDEOS),
}


def _frames(video: Video) -> list[Frame]:
    return list(video.frames(np.arange(video.num_frames)))


@pytest.mark.parametrize("form", FORMS)
def test_the_same_pixels_in_every_form(tmp_path: Path, pictures: Pixels, shown: Pixels, form: str) -> None:
    source = open_source(FORMS[form](tmp_path, pictures))

    found = [_frames(source.video(n)) for n in range(VIDEOS)]

    np.testing.assert_array_equal([[frame.pixels for frame in video] for video in found], shown)
    assert all(frame.transparent for video in found for frame in video)


@pytest.mark.parametrize("form", FORMS)
def test_opaque_alpha_is_as_none(tmp_path: Path, pictures: Pixels, form: str) -> None:
    opaque = pictures.copy()
    opaque[..., 3] = 255

    source = open_source(FORMS[form](tmp_path, opaque))

    found = [_frames(source.video(n)) for n in range(VIDEOS)]
    np.testing.assert_array_equal([[frame.pixels for frame in video] for video in found], opaque[..., :3])
    assert not any(frame.transparent for video in found for frame in video)


def test_transparent_gif_is_as_png(tmp_path: Path) -> None:
    """Of few colours and full transparency alone, which is what a GIF can hold."""
    rng = np.random.default_rng(0)
    places = rng.integers(0, 8, (FRAMES, SIZE, SIZE))
    colours = rng.integers(1, 256, (8, 4), dtype=np.uint8)
    colours[:, 3] = 255
    colours[0, 3] = 0
    images = [Image.fromarray(colours[place]) for place in places]
    indexed = [Image.fromarray(place.astype(np.uint8)) for place in places]
    for image in indexed:
        image.putpalette(colours[:, :3].tobytes())
    indexed[0].save(
        tmp_path / "a.gif", save_all=True, append_images=indexed[1:], disposal=2, duration=40, transparency=0
    )
    (tmp_path / "b").mkdir()
    for t, image in enumerate(images):
        image.save(tmp_path / "b" / f"{t}.png")

    gif, png = (_frames(open_source(tmp_path).video(n)) for n in range(2))

    assert [f.transparent for f in gif] == [f.transparent for f in png] == [True] * FRAMES
    np.testing.assert_array_equal([f.pixels for f in gif], [f.pixels for f in png])


@pytest.mark.parametrize("name", ["palette", "one colour", "grey"])
def test_transparency_of_a_png_beside_its_pixels(tmp_path: Path, name: str) -> None:
    """A palette or a colour may be transparent where there is no plane of alpha."""
    image = Image.new("RGB", (4, 2), (9, 200, 77))
    image.putpixel((0, 0), (8, 8, 8))
    image = {"palette": image.quantize(2), "one colour": image, "grey": image.convert("L")}[name]
    hidden = image.getpixel((0, 0))
    (tmp_path / "a").mkdir()
    image.save(tmp_path / "a" / "0.png", transparency=hidden)

    (frame,) = _frames(open_source(tmp_path).video(0))

    assert frame.transparent
    assert (frame.pixels == 0).all(axis=-1).tolist() == [[True, False, False, False], [False] * 4]


@pytest.mark.parametrize("form", ["yuva420p", "yuva422p", "yuva444p", "yuva444p10le", "yuva420p16le"])
def test_planes_of_alpha_are_read_exactly(tmp_path: Path, form: str) -> None:
    """Half of it opaque; FFmpeg's own conversion of yuva422p makes 254 of 255."""
    frame = av.VideoFrame(32, 16, form)
    high = frame.format.components[3].bits > 8
    most = 2 ** frame.format.components[3].bits - 1
    for number, plane in enumerate(frame.planes):
        values = np.full(plane.buffer_size // (1 + high), most, "<u2" if high else np.uint8)
        if number == 3:
            values.reshape(16, -1)[:8] = most // 5
        elif number:
            values[:] = most // 2 + 1
        plane.update(values.tobytes())
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = 16, 32, form
        container.mux([*stream.encode(frame), *stream.encode()])

    (found,) = _frames(VideoFile(tmp_path / "a.mkv"))

    with av.open(str(tmp_path / "a.mkv")) as container:
        dropped = next(container.decode(video=0)).to_ndarray(format="rgb24", threads=1)
    np.testing.assert_array_equal(found.pixels[8:], dropped[8:])
    np.testing.assert_array_equal(found.pixels[:8], np.rint(dropped[:8] / 5))
    assert found.transparent


def test_the_alpha_of_webm_is_read(tmp_path: Path, pictures: Pixels) -> None:
    """FFmpeg's own decoder of VP9 drops it."""
    file = _write(tmp_path / "a.webm", pictures[0], "libvpx-vp9", "yuva420p")

    found = _frames(VideoFile(file))

    assert len(found) == FRAMES and all(frame.transparent for frame in found)
    assert max(frame.pixels[14:].max() for frame in found) <= 8  # it is coded with loss
    assert min(frame.pixels[:4].mean() for frame in found) > 90


def test_compute_and_inspect_warn(tmp_path: Path, pictures: Pixels, shown: Pixels, pixels_protocol) -> None:
    transparent, real = np.concatenate([pictures, _opaque(shown)]), np.concatenate([shown, 255 - shown])
    settings = Settings(cache=tmp_path / "store")
    expected = evaluate(real, np.concatenate([shown, shown]), pixels_protocol(), settings=settings)

    found = evaluate(real, transparent, pixels_protocol(), settings=settings)

    assert found.value == pytest.approx(expected.value, rel=0, abs=1e-9)
    assert [w.message for w in found.warnings if w.code == "transparent"] == [
        "2 fake videos have pixels that are not opaque and are laid over black; programs that drop alpha see others: "
        "000000, 000001 (each 9 frames)"
    ]
    assert "transparent" not in {w.code for w in expected.warnings}
    again = evaluate(real, transparent, pixels_protocol(), settings=settings)
    assert again.warnings == found.warnings
    (fault,) = (f for f in inspect(transparent).findings if f.code == "transparent")
    assert dict(fault.videos) == {"000000": "9 of 9 frames", "000001": "9 of 9 frames"}


def _opaque(shown: Pixels) -> Pixels:
    return np.concatenate([shown, np.full_like(shown[..., :1], 255)], axis=-1)


def test_alpha_of_floats_is_refused() -> None:
    floats = np.zeros((2, 9, 16, 16, 4), np.float32)

    with pytest.raises(SourceError, match="4 channels of float32: expected uint8 for RGB and alpha, or 3 channels"):
        open_source(Arrays(floats, axes="NTHWC", value_range=(0, 1)))
